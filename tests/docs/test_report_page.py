"""The page about the report: its commands run one after the other, and print what it says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Final

import pytest
from typer.testing import CliRunner

from cucm_certflow.cli.app import app

PAGE: Final = (Path(__file__).parents[2] / "docs" / "report.md").read_text(encoding="utf-8")
_BLOCK: Final = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_commands_of_the_page_print_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shown = [
        part.splitlines()
        for kind, body in _BLOCK.findall(PAGE)
        if kind == "console"
        for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]
    ]
    assert shown
    for command, *lines in shown:
        program, *words = shlex.split(command)
        assert program == "certflow"
        printed = CliRunner().invoke(app, words).output
        for block in "\n".join(lines).split("..."):
            expected = block.strip("\n")
            assert expected in printed, command
            printed = printed[printed.index(expected) + len(expected) :]
    assert sorted(path.name for path in tmp_path.glob("*.html")) == ["CHG1234.journal.html"]


def test_code_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = [body for kind, body in _BLOCK.findall(PAGE) if kind == "python"]
    assert blocks
    for block in blocks:
        exec(compile(block, "report.md", "exec"), {"__name__": "page"})
    assert not list(tmp_path.iterdir())
