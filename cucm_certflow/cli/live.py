"""Draws a run on a terminal while it goes; it never holds up what it shows."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Final, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from cucm_certflow.cli.live_screen import LEAST_COLUMNS, LEAST_LINES, Signs, screen
from cucm_certflow.cli.live_view import LiveView

__all__ = ["LiveDisplay", "terminal"]

_PER_SECOND: Final = 2
"""How often it is drawn: enough for the seconds of its clock."""


def terminal(*, plain: bool) -> Console | None:
    """The terminal to draw on; None if there is none with room, or *plain* lines are asked for.

    ``NO_COLOR`` and ``TERM=dumb`` are heeded.
    """
    if plain or not sys.stdout.isatty():
        return None
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal or console.is_dumb_terminal:
        return None
    if console.width < LEAST_COLUMNS or console.height < LEAST_LINES:
        return None
    return console


class LiveDisplay:
    """A view of a run on a terminal, drawn anew twice a second, as a context manager.

    It draws in a thread of its own: a terminal that takes nothing (Ctrl-S, a link that hangs) stops
    the picture and never the run. The last picture stays when the block is left, and the cursor is
    there again, however it was left.

    Args:
        console: The terminal.
        view: What is shown until :meth:`show` is called.
        now: The instant of the picture; called from the drawing thread.
    """

    def __init__(self, console: Console, view: LiveView, now: Callable[[], datetime]) -> None:
        self._console = console
        self._view = view
        self._now = now
        self._signs = Signs.of(ascii_only=console.options.ascii_only)
        self._live = Live(
            console=console,
            get_renderable=self._picture,
            refresh_per_second=_PER_SECOND,
            vertical_overflow="crop",
        )

    def show(self, view: LiveView) -> None:
        """Have *view* drawn at the next opportunity; it returns at once."""
        self._view = view

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def _picture(self) -> RenderableType:
        size = self._console.size
        try:
            lines = screen(
                self._view,
                self._now(),
                columns=size.width,
                lines=size.height - 1,
                signs=self._signs,
            )
        except Exception as error:  # noqa: BLE001  # - a bug in a picture must not cost the run
            return Text(f"the display failed: {error!r:.60}; the run goes on, `certflow status`")
        return Group(*lines)
