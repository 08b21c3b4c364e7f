"""Prints what a run tells while it goes, and its outcome."""

from __future__ import annotations

from cucm_certflow.cli.documents import DocumentKind, print_document
from cucm_certflow.cli.output import Exit, exit_of_outcome
from cucm_certflow.observers import Waiting
from cucm_certflow.runner import Run

__all__ = ["follow"]


async def follow(run: Run, *, json: bool) -> Exit:
    """Print every event until *run* ends; the exit status for how it did."""
    async for event in run.events():
        if json:
            print_document(DocumentKind.EVENT, event)
        elif not isinstance(event, Waiting):
            print(event, flush=True)
    outcome = await run.wait()
    if json:
        print_document(DocumentKind.OUTCOME, outcome)
    else:
        print(outcome)
    return exit_of_outcome(outcome)
