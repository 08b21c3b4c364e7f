"""docs/watching-a-run.md: its code runs, and its commands print what it says, in one folder."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Final

import pytest
from typer.testing import CliRunner

from cucm_certflow.cli.app import app
from cucm_certflow.cli.live_screen import LEAST_COLUMNS, LEAST_LINES
from cucm_certflow.cli.output import Exit

PAGE: Final = Path(__file__).parents[2] / "docs" / "watching-a-run.md"
_BLOCK: Final = re.compile(r"^```(python|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_page_can_be_typed_from_top_to_bottom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "page"}
    blocks = _BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    assert [kind for kind, _ in blocks] == ["python", "console", "python"]
    for kind, body in blocks:
        if kind == "python":
            exec(compile(body, str(PAGE), "exec"), names)
            continue
        command, *lines = body.removeprefix("$ ").splitlines()
        program, *words = shlex.split(command)
        assert program == "certflow"
        result = CliRunner().invoke(app, words)
        assert result.exit_code == Exit.DONE, result.output
        assert result.output.splitlines()[: len(lines) - 1] == lines[:-1]


def test_the_page_says_from_which_size_on_a_terminal_gets_the_display() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert f"Below {LEAST_COLUMNS} columns or {LEAST_LINES} lines" in text
