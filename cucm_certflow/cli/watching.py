"""Follows the journal of a run that another process drives, until nobody does."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import typer

from cucm_certflow.cli.documents import DocumentKind, print_document
from cucm_certflow.cli.following import print_event
from cucm_certflow.cli.live import LiveDisplay, terminal
from cucm_certflow.cli.live_view import events_of, view_of_journal
from cucm_certflow.cli.output import Exit
from cucm_certflow.clock import Clock, SystemClock
from cucm_certflow.control import status_of_written
from cucm_certflow.core.run_state import folded
from cucm_certflow.errors import JournalError
from cucm_certflow.journal import Journal, Written
from cucm_certflow.locks import driver_of
from cucm_certflow.observers import Event, Recorded

__all__ = ["watch_journal"]


def watch_journal(
    journal: Path, *, every_s: float, json: bool, plain: bool, clock: Clock | None = None
) -> None:
    """Show how the run goes on, until it is over or nobody drives it; only the journal is read.

    On a terminal it is the display of the run itself. Otherwise each new line of the journal is
    one line, and with *json* each change is one document. A last line that is half written is left
    for the next look.

    Args:
        journal: Of the run.
        every_s: Seconds between two looks, over 0.
        json: One status document a change.
        plain: Lines, on a terminal too.
        clock: What the waiting goes by; this machine's if not given.

    Raises:
        JournalError: It does not read, or another file was put in its place.
        typer.Exit: A person interrupted it; the run was not touched.
    """
    watching = _Watching(journal, every_s, clock or SystemClock(), json=json)
    try:
        asyncio.run(watching.on_terminal() if _draws(json=json, plain=plain) else watching.lines())
    except KeyboardInterrupt:
        print("no longer watched; the run itself was not touched", file=sys.stderr)
        raise typer.Exit(Exit.INTERRUPTED) from None


def _draws(*, json: bool, plain: bool) -> bool:
    return not json and terminal(plain=plain) is not None


class _Look(NamedTuple):
    written: Written
    driver: str

    @property
    def is_last(self) -> bool:
        """Whether nothing more is going to be written."""
        return not self.driver or bool(folded(self.written.plan, self.written.records).ended)


class _Watching:
    def __init__(self, journal: Path, every_s: float, clock: Clock, *, json: bool) -> None:
        self._journal = journal
        self._every_s = every_s
        self._clock = clock
        self._json = json

    async def lines(self) -> None:
        """One line for each record and note from now on, or one document a change."""
        look = await self._first()
        if self._json:
            self._print_status(look)
        elif not look.is_last:
            print(status_of_written(look.written, self._journal, driver=look.driver), flush=True)
        while not look.is_last:
            await self._clock.sleep(self._every_s)
            now = self._again(look)
            if now == look:
                continue
            if self._json:
                self._print_status(now)
            else:
                for event in _events_since(look.written, now.written):
                    print_event(event, json=False)
            look = now

    def _print_status(self, look: _Look) -> None:
        status = status_of_written(look.written, self._journal, driver=look.driver)
        print_document(DocumentKind.STATUS, status)

    async def on_terminal(self) -> None:
        """The display of the run, from its journal."""
        console = terminal(plain=False)
        assert console is not None
        look = await self._first()

        def now() -> datetime:
            return max(self._clock.now(), _latest(look.written))

        view = view_of_journal(look.written, journal=str(self._journal), driver=look.driver)
        with LiveDisplay(console, view, now) as display:
            while not look.is_last:
                await self._clock.sleep(self._every_s)
                seen = self._again(look)
                if seen != look:
                    look = seen
                    display.show(
                        view_of_journal(
                            look.written, journal=str(self._journal), driver=look.driver
                        )
                    )

    async def _first(self) -> _Look:
        """The first look; a journal whose first line is being written is waited for."""
        while True:
            # Who drives it before what it holds: who is gone by now writes nothing more.
            driver = driver_of(self._journal)
            try:
                return _Look(Journal.read(self._journal), driver)
            except JournalError:
                if not driver or not _is_being_begun(self._journal):
                    raise
            await self._clock.sleep(self._every_s)

    def _again(self, look: _Look) -> _Look:
        driver = driver_of(self._journal)
        written = Journal.read_on(self._journal, look.written)
        return (
            look
            if (written.size, driver) == (look.written.size, look.driver)
            else _Look(written, driver)
        )


def _is_being_begun(journal: Path) -> bool:
    with contextlib.suppress(OSError), journal.open("rb") as file:
        return not file.readline().endswith(b"\n")
    return False


def _latest(written: Written) -> datetime:
    """The newest instant in the journal: a lab's clock may be ahead of this machine's."""
    last = (written.records[-1:], written.notes[-1:])
    return max([written.begun, *(each.at for part in last for each in part)])


def _events_since(before: Written, now: Written) -> list[Event]:
    """What was written since, as a run tells it, in the order of its instants."""
    recorded = [Recorded(at=each.at, record=each) for each in now.records[len(before.records) :]]
    noted = events_of(now.notes[len(before.notes) :])
    return sorted([*recorded, *noted], key=lambda event: event.at)
