"""docs/watching-a-run.md says from which size on a terminal gets the display."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cucm_certflow.cli.live_screen import LEAST_COLUMNS, LEAST_LINES

PAGE: Final = Path(__file__).parents[2] / "docs" / "watching-a-run.md"


def test_the_page_says_from_which_size_on_a_terminal_gets_the_display() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert f"Below {LEAST_COLUMNS} columns or {LEAST_LINES} lines" in text
