"""The fragments of the change log."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.packaging.environments import ROOT

FOLDER = ROOT / "changes"
TOWNCRIER = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
    "towncrier"
]
TYPES = [each["directory"] for each in TOWNCRIER["type"]]
NAME = re.compile(rf"\+[a-z0-9]+(-[a-z0-9]+)*\.({'|'.join(TYPES)})\.md")


def wrong_with(path: Path) -> str:
    """What is wrong with a fragment; empty if nothing is."""
    if not NAME.fullmatch(path.name):
        return f"its name is not +words.TYPE.md, with TYPE one of {', '.join(TYPES)}"
    text = path.read_text(encoding="utf-8")
    if not text.strip():
        return "it is empty"
    if text.lstrip().startswith(("-", "*", "#")):
        return "it begins with a bullet or a heading, which it gets by itself"
    if not text.rstrip().endswith((".", "```")):
        return "it is no sentence: it has no full stop"
    return ""


def test_every_fragment_has_a_type_and_says_something() -> None:
    fragments = sorted(set(FOLDER.iterdir()) - {FOLDER / "README.md"})
    wrong = {each.name: why for each in fragments if (why := wrong_with(each))}
    assert not wrong


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("+words.added.md", "It does this.\n", ""),
        ("+words.bugfix.md", "It does this.\n", "its name is not"),
        ("123.added.md", "It does this.\n", "its name is not"),
        ("+words.added.md", " \n", "it is empty"),
        ("+words.added.md", "- It does this.\n", "a bullet"),
        ("+words.added.md", "It does\n", "no full stop"),
    ],
    ids=["good", "type", "number", "empty", "bullet", "sentence"],
)
def test_a_fragment_that_is_none_is_named_with_the_reason(
    name: str, text: str, why: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    found = wrong_with(tmp_path / name)
    assert why in found
    assert bool(found) == bool(why)


def test_the_draft_has_every_fragment_once_under_its_type() -> None:
    done = subprocess.run(
        (sys.executable, "-m", "towncrier", "build", "--draft", "--version", "9.9.9"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "## [9.9.9]" in done.stdout
    for fragment in FOLDER.glob("+*.md"):
        text = " ".join(fragment.read_text(encoding="utf-8").split())
        assert " ".join(done.stdout.split()).count(text) == 1, fragment.name
        heading = fragment.name.split(".")[1].capitalize()
        assert f"### {heading}" in done.stdout


def test_the_page_on_fragments_names_every_type() -> None:
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `([a-z]+)` \|", page, re.MULTILINE) == TYPES


def test_the_change_log_has_the_place_where_fragments_go() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert changelog.count(TOWNCRIER["start_string"]) == 1
