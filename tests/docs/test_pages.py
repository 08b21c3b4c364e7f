"""What a page shows is what happens: its code runs, and its commands print what it says they do."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from typer.testing import CliRunner

from cucm_certflow.cli.app import app

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = (
    "check.md",
    "disagreements.md",
    "invariants.md",
    "json.md",
    "property-testing.md",
    "reading-a-plan.md",
    "proof.md",
    "twin.md",
    "why-phones-get-lost.md",
    "writing-a-transport.md",
)
_BLOCK: Final = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Shown(NamedTuple):
    """A command of a page, and what the page says that it prints: first, and after each "..."."""

    command: str
    lines: tuple[str, ...]


def _blocks(page: str, language: str) -> list[str]:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return [body for kind, body in _BLOCK.findall(text) if kind == language]


def _commands(page: str) -> Iterator[Shown]:
    for block in _blocks(page, "console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *lines = part.splitlines()
            yield Shown(command, tuple(lines))


@pytest.mark.parametrize("page", PAGES)
def test_code_of_the_page_runs(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    names: dict[str, object] = {"__name__": "page"}
    blocks = _blocks(page, "python")
    assert blocks
    for block in blocks:
        exec(compile(block, page, "exec"), names)


@pytest.mark.parametrize(
    "shown", [each for page in PAGES for each in _commands(page)], ids=lambda shown: shown.command
)
def test_command_of_the_page_prints_what_it_says(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    program, *words = shlex.split(shown.command)
    assert program == "certflow"
    result = CliRunner().invoke(app, words)
    printed = result.output.splitlines()
    for number, lines in enumerate(_between_dots(shown.lines)):
        starts = range(len(printed)) if number else range(1)
        found = [at for at in starts if printed[at : at + len(lines)] == lines]
        assert found, "\n".join(["not printed after what is before it:", *lines])
        printed = printed[found[0] + len(lines) :]


def _between_dots(lines: tuple[str, ...]) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for line in lines:
        if line == "...":
            parts.append([])
        else:
            parts[-1].append(line)
    return parts
