"""A run from outside, by its journal: how it stands, and orders to whoever drives it.

Nothing here needs the cluster, an event loop, or the journal's lock: the driver has that, and finds
the orders in the inbox beside the journal.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import attrs

from cucm_certflow.clock import Clock, SystemClock
from cucm_certflow.core.doubts import Doubt, doubts_of
from cucm_certflow.core.gates import Gate, check_waiting, waiting_gates
from cucm_certflow.core.leftovers import Leftovers, what_is_left
from cucm_certflow.core.run_state import RunState, folded
from cucm_certflow.core.states import Blocked, CommandState
from cucm_certflow.errors import Report, RunFinished, UsageError
from cucm_certflow.inbox import Inbox
from cucm_certflow.journal import Journal, Written
from cucm_certflow.locks import driver_of
from cucm_certflow.notes import PhonesGraded, RegistrationsNoted, Stood
from cucm_certflow.observers import EvidenceSeen
from cucm_certflow.orders import Order, OrderKind

__all__ = [
    "RunStatus",
    "approve",
    "ask_to_abort",
    "ask_to_pause",
    "status_of",
    "status_of_written",
]


@attrs.frozen(kw_only=True)
class RunStatus:
    """How a run stands, as its journal tells it: nobody was asked.

    Attributes:
        journal: The name of the journal.
        begun: When it began.
        latest: The newest record; None before the first.
        driver: Who drives it now, in words; empty if nobody does.
        wish: What a person asked for last: to go on, to pause, to abort.
        ended: "verified" or "aborted" if it is over for good.
        proved: Steps that were proved, of *steps*.
        steps: All steps.
        doubts: Commands of which nobody knows yet what came of them.
        waiting: What waits for a person's approval.
        reasons: Why the last driver stood still, if nobody drives it now.
        leftovers: What is done and what is not.
        registrations: The newest point of the registration curve.
        evidence: How the phones were graded when that last changed.
    """

    journal: str
    begun: datetime
    latest: datetime | None
    driver: str
    wish: OrderKind
    ended: str
    proved: int
    steps: int
    doubts: tuple[Doubt, ...]
    waiting: tuple[Gate, ...]
    reasons: tuple[Blocked, ...]
    leftovers: Leftovers
    registrations: RegistrationsNoted | None
    evidence: PhonesGraded | None = None

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        began = self.begun.isoformat(timespec="seconds")
        yield f"{self.journal}: begun {began}, {self.proved} of {self.steps} steps proved"
        if self.ended:
            yield f"  over for good: it was {self.ended}"
        elif self.driver:
            yield f"  driven by {self.driver}"
        else:
            yield "  nobody drives it: resume it to go on"
        if self.wish is not OrderKind.RESUME and not self.ended:
            yield f"  a person asked to {self.wish.value}"
        if self.registrations is not None:
            seen = self.registrations
            at = seen.at.isoformat(timespec="seconds")
            yield f"  {seen.registered} of {seen.total} phones registered at {at}"
        if self.evidence is not None:
            yield f"  {EvidenceSeen(at=self.evidence.at, by_node=self.evidence.by_node).words}"
        for doubt in self.doubts:
            yield from (f"  {line}" for line in str(doubt).splitlines())
        for gate in self.waiting:
            yield f"  waits for an approval of {gate.item}: {gate.question}"
        for reason in self.reasons:
            yield from (f"  {line}" for line in str(reason).splitlines())
        yield from (f"  done    {text}" for text in self.leftovers.done)
        yield from (f"  left    {text}" for text in self.leftovers.left)


def status_of(journal: str | os.PathLike[str]) -> RunStatus:
    """How the run of *journal* stands. It reads the file, and asks nobody.

    Raises:
        JournalError: The file does not read.
    """
    driver = driver_of(journal)  # before the file: who is gone by now writes nothing more
    return status_of_written(Journal.read(journal), journal, driver=driver)


def status_of_written(
    written: Written, journal: str | os.PathLike[str], *, driver: str
) -> RunStatus:
    """How the run stands that *written* was read from; *driver* is who drives it, empty if nobody.

    Pure: for whoever follows a journal, and has read it already.
    """
    state = folded(written.plan, written.records)
    notes = written.notes
    return RunStatus(
        journal=Path(journal).name,
        begun=written.begun,
        latest=state.latest,
        driver=driver,
        wish=state.wish,
        ended=state.ended,
        proved=sum(each.state is CommandState.PROVED for each in state.steps),
        steps=len(state.steps),
        doubts=doubts_of(written.plan, state, written.records),
        waiting=() if state.ended else waiting_gates(written.plan, state),
        reasons=() if driver or state.ended else _reasons(written),
        leftovers=what_is_left(written.plan, state),
        registrations=next(
            (each for each in reversed(notes) if isinstance(each, RegistrationsNoted)), None
        ),
        evidence=next((each for each in reversed(notes) if isinstance(each, PhonesGraded)), None),
    )


def ask_to_pause(
    journal: str | os.PathLike[str], *, by: str, why: str, clock: Clock | None = None
) -> Order:
    """Ask whoever drives the run to stop at its next safe point. It does so within a poll.

    Raises:
        ValueError: *by* or *why* is empty.
        JournalError: The journal does not read, or its inbox cannot be written.
        RunFinished: It is over for good.
        UsageError: Nobody drives it: it stands already. Nothing was written down.
    """
    return _ask(journal, Order(kind=OrderKind.PAUSE, by=by, why=why), clock)


def ask_to_abort(
    journal: str | os.PathLike[str], *, by: str, why: str, clock: Clock | None = None
) -> Order:
    """Ask whoever drives the run to end it for good at its next safe point.

    If nobody drives it :meth:`Cluster.abort` ends it: what is half-way must be finished first.

    Raises:
        ValueError, JournalError, RunFinished, UsageError: As :func:`ask_to_pause`.
    """
    return _ask(journal, Order(kind=OrderKind.ABORT, by=by, why=why), clock)


def approve(
    journal: str | os.PathLike[str], item: str, *, by: str, why: str, clock: Clock | None = None
) -> Order:
    """Let *item* pass, which waits for a person: a stage, a second send, or a drift.

    If nobody drives the run the approval waits in its inbox until it is resumed.

    Args:
        journal: The file of the run.
        item: As the reason, or :func:`status_of`, names it.
        by: Who approves it.
        why: The reason.
        clock: The run's; this machine's if it is not given.

    Raises:
        NotWaiting: Nothing of that name waits; the report says what does. Nothing was written down.
        ValueError, JournalError, RunFinished: As :func:`ask_to_pause`.
    """
    written, state = _going(journal)
    check_waiting(written.plan, state, _reasons(written), item)
    order = Order(kind=OrderKind.APPROVE, item=item, by=by, why=why)
    return Inbox(journal).post(order, at=(clock or SystemClock()).now())


def _ask(journal: str | os.PathLike[str], order: Order, clock: Clock | None) -> Order:
    _going(journal)
    if not driver_of(journal):
        raise UsageError(
            Report(
                headline=f"nobody drives the run of {Path(journal).name}: it stands already",
                left="nothing was written down",
                next="resume it, or end it with `certflow abort` and an inventory",
            )
        )
    return Inbox(journal).post(order, at=(clock or SystemClock()).now())


def _going(journal: str | os.PathLike[str]) -> tuple[Written, RunState]:
    written = Journal.read(journal)
    state = folded(written.plan, written.records)
    if state.ended:
        raise RunFinished(
            Report(
                headline=f"the run of {Path(journal).name} is over: it was {state.ended}",
                left="nothing was written down",
                next="verify it, or discover and plan again with a new journal",
            )
        )
    return written, state


def _reasons(written: Written) -> tuple[Blocked, ...]:
    """Why the run stood still when its last driver left it; nothing if it was driven on since."""
    stood = next((note for note in reversed(written.notes) if isinstance(note, Stood)), None)
    latest = max((record.at for record in written.records), default=written.begun)
    return stood.reasons if stood is not None and stood.at >= latest else ()
