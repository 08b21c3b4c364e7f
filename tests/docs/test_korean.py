"""The Korean pages say what the English ones say: the same headings, commands, code and tables."""

from __future__ import annotations

import ast
import re
import shlex
import tomllib
from pathlib import Path
from typing import Final

import pytest

from tests.pages import DOCS, ROOT, all_blocks

PAIRS: Final = (
    (ROOT / "README.md", ROOT / "README.ko.md"),
    (DOCS / "tutorial.md", DOCS / "ko" / "tutorial.md"),
)
_PROSE: Final = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def meaning(language: str, text: str) -> object:
    """What a block does: a translated comment does nothing."""
    if language == "python":
        return ast.dump(ast.parse(text))
    if language == "toml":
        return tomllib.loads(text)
    return [shlex.split(line, comments=line.startswith("$ ")) for line in text.splitlines()]


def outline(page: Path) -> list[str]:
    """What stands in which order, without the words: headings, points of lists, rows, blocks."""
    text = _PROSE.sub("```", page.read_text(encoding="utf-8"))
    found = re.finditer(r"^(#+ |- |\\||```)", text, re.MULTILINE)
    return [each[1].strip() for each in found]


def targets(page: Path) -> set[tuple[Path, bool]]:
    """Where the links of *page* lead, and whether to a place within that page."""
    text = _PROSE.sub("", page.read_text(encoding="utf-8"))
    links = re.findall(r"\]\(([^)#\s]*)(#[^)\s]+)?\)", text)
    english_of = {korean: english for english, korean in PAIRS}
    found = {((page.parent / path).resolve(), bool(anchor)) for path, anchor in links}
    return {(english_of.get(path) or path, anchor) for path, anchor in found}


@pytest.mark.parametrize(("english", "korean"), PAIRS, ids=lambda page: page.name)
def test_both_languages_have_the_same_code_and_commands(english: Path, korean: Path) -> None:
    one, other = all_blocks(english), all_blocks(korean)
    assert one
    assert [(b.language, b.why) for b in one] == [(b.language, b.why) for b in other]
    for here, there in zip(one, other, strict=True):
        assert meaning(here.language, here.text) == meaning(there.language, there.text)


@pytest.mark.parametrize(("english", "korean"), PAIRS, ids=lambda page: page.name)
def test_both_languages_are_built_alike(english: Path, korean: Path) -> None:
    assert outline(english) == outline(korean)


@pytest.mark.parametrize(("english", "korean"), PAIRS, ids=lambda page: page.name)
def test_both_languages_lead_to_each_other_and_to_the_same_places(
    english: Path, korean: Path
) -> None:
    assert f"({korean.relative_to(english.parent).as_posix()})" in english.read_text("utf-8")
    assert "[English](" in korean.read_text("utf-8").splitlines()[2]
    assert targets(english) == targets(korean)


def test_identifiers_are_never_translated() -> None:
    for english, korean in PAIRS:
        quoted = [
            set(re.findall(r"`([^`]+)`", _PROSE.sub("", page.read_text(encoding="utf-8"))))
            for page in (english, korean)
        ]
        assert quoted[0] == quoted[1]


@pytest.mark.parametrize("korean", [korean for _, korean in PAIRS], ids=lambda page: page.name)
def test_emphasis_ends_where_markdown_sees_its_end(korean: Path) -> None:
    """CommonMark 0.31, right-flanking: after punctuation no letter may follow."""
    text = re.sub(r"`[^`]+`", "", _PROSE.sub("", korean.read_text(encoding="utf-8")))
    assert not re.findall(r"[^\w\s*]\*+\w", text)
