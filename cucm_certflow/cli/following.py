"""Shows what a run tells while it goes, drawn, as lines or as JSON, and then its outcome."""

from __future__ import annotations

from pathlib import Path

from cucm_certflow.cli.documents import DocumentKind, print_document
from cucm_certflow.cli.live import LiveDisplay, terminal
from cucm_certflow.cli.live_view import view_of_journal, with_event, with_outcome
from cucm_certflow.cli.output import Exit, exit_of_outcome
from cucm_certflow.clock import Clock
from cucm_certflow.journal import Journal
from cucm_certflow.observers import Event, Waiting
from cucm_certflow.runner import Run

__all__ = ["follow", "print_event"]


async def follow(run: Run, *, journal: Path, clock: Clock, json: bool, plain: bool) -> Exit:
    """Show everything until *run* ends, and then its outcome; the exit status for how it did.

    It is called right after the run was entered: what its journal holds by then is where it begins.

    Args:
        run: Entered.
        journal: Its journal.
        clock: The run's.
        json: One document an event.
        plain: One line an event, on a terminal too.
    """
    console = None if json else terminal(plain=plain)
    if console is None:
        async for event in run.events():
            print_event(event, json=json)
    else:
        view = view_of_journal(Journal.read(journal), journal=str(journal), driver=None)
        with LiveDisplay(console, view, clock.now) as display:
            async for event in run.events():
                view = with_event(view, event)
                display.show(view)
            display.show(with_outcome(view, await run.wait()))
    outcome = await run.wait()
    if json:
        print_document(DocumentKind.OUTCOME, outcome)
    else:
        print(outcome)
    return exit_of_outcome(outcome)


def print_event(event: Event, *, json: bool) -> None:
    """Print *event*, at once; that nothing moves is said as JSON only."""
    if json:
        print_document(DocumentKind.EVENT, event)
    elif not isinstance(event, Waiting):
        print(event, flush=True)
