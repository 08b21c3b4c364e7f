"""Makes the story of a run of its journal: of nothing else, and asking nobody."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs

from cucm_certflow.commands import ByHand, Regenerate, ResetPhones
from cucm_certflow.core.describe import choices_of
from cucm_certflow.core.doubts import doubts_of
from cucm_certflow.core.leftovers import what_is_left
from cucm_certflow.core.particulars import Particulars
from cucm_certflow.core.plan import Plan, PlannedWindow, Step
from cucm_certflow.core.run_state import (
    Acknowledged,
    CommandMoved,
    Ordered,
    RunState,
    Scheduled,
    Waived,
    folded,
)
from cucm_certflow.core.states import Blocked, CommandState
from cucm_certflow.findings import Verdict
from cucm_certflow.journal import Journal, Written
from cucm_certflow.locks import driver_of
from cucm_certflow.notes import (
    CertificateNoted,
    PhonesGraded,
    RegistrationsNoted,
    ReplyNoted,
    Stood,
)
from cucm_certflow.orders import OrderKind
from cucm_certflow.report.story import (
    CertificateTold,
    Drive,
    EntryTold,
    Move,
    PersonTold,
    RunStory,
    StepTold,
    TaskTold,
    WaiverTold,
    WindowTold,
)

__all__ = ["story_of", "told"]


def story_of(journal: str | os.PathLike[str]) -> RunStory:
    """Read *journal* as a story. Nobody is asked, nothing is locked and nothing is changed.

    Raises:
        JournalError: The file does not read.
    """
    path = Path(journal)
    written = Journal.read(path)
    return told(written, journal=path.name, driver=driver_of(path))


def told(written: Written, *, journal: str, driver: str = "") -> RunStory:
    """What was *written* as a story. Pure.

    Args:
        written: The journal's content.
        journal: Its name.
        driver: Who drives the run now, in words; empty if nobody is known to.
    """
    plan, state = written.plan, folded(written.plan, written.records)
    steps = tuple(_steps(written, state))
    curve = tuple(n for n in written.notes if isinstance(n, RegistrationsNoted))
    graded = next((n for n in reversed(written.notes) if isinstance(n, PhonesGraded)), None)
    drives = tuple(_drives(written))
    outcome = _outcome(state, driver, drives)
    instants = [line.at for line in (*written.records, *written.notes)]
    found = plan.preflight.in_order() if plan.preflight is not None else ()
    said = {r.said.item: r.said for r in written.records if isinstance(r, Acknowledged)}
    said |= {word.item: word for word in plan.said if word.item not in said}
    is_verified = state.ended == "verified"
    return RunStory(
        journal=journal,
        digest=written.digest,
        size=written.size,
        torn=written.torn,
        run=written.run,
        migrations=written.migrations,
        plan=plan,
        begun=written.begun,
        latest=max(instants, default=written.begun),
        outcome=outcome,
        driver=driver,
        reasons=_reasons(outcome, drives),
        windows=tuple(_window(window, steps, curve) for window in plan.windows),
        certificates=tuple(_certificates(written, state)),
        entries=tuple(_entries(plan, state)),
        registered_before=sum(each.registered for each in plan.facts.registrations.values()),
        curve=curve,
        grades=graded.by_node if graded is not None else None,
        graded_at=graded.at if graded is not None else None,
        left=graded.left if graded is not None and is_verified else None,
        waivers=tuple(_waivers(written)),
        people=tuple(_people(written)),
        stopped_by=_stopped_by(written, outcome),
        tasks=tuple(TaskTold(task=task, said=said.get(task.id)) for task in plan.tasks),
        findings=Particulars(plan).judged(),
        passed=tuple(f.check for f in found if f.verdict is Verdict.PASS),
        choices=choices_of(plan),
        drives=drives,
        doubts=doubts_of(plan, state, written.records),
        leftovers=what_is_left(plan, state),
    )


def _reasons(outcome: str, drives: Sequence[Drive]) -> tuple[Blocked, ...]:
    """Why it is held; or was, where a person ended it for good instead of resuming it."""
    if outcome not in ("held", "aborted"):
        return ()
    return next((drive.reasons for drive in reversed(drives) if drive.outcome == "held"), ())


def _outcome(state: RunState, driver: str, drives: Sequence[Drive]) -> str:
    if state.ended:
        return state.ended
    if driver:
        return "in progress"
    return drives[-1].outcome or "interrupted"


# ── who drove it ──────────────────────────────────────────────────────────────────────────


def _drives(written: Written) -> Iterator[Drive]:
    """Each process that drove it: what begins one is in the journal, and if it left, its word."""
    drive: Drive | None = Drive(begun=written.begun, by="")
    latest = written.begun
    for line in written.lines:
        match line:
            case Stood():
                yield attrs.evolve(
                    drive or Drive(begun=latest, by=""),
                    ended=line.at,
                    outcome=line.outcome.lower(),
                    reasons=line.reasons,
                )
                drive = None
            case Ordered(order=order) if order.kind is OrderKind.RESUME:
                # Nobody resumes a run that a process drives: the one before was cut off.
                if drive is not None:
                    yield drive
                drive = Drive(begun=line.at, by=order.by)
            case Ordered(order=order) if drive is None:
                drive = Drive(begun=line.at, by=order.by)
            case _:
                pass
        latest = line.at
    if drive is not None:
        yield drive


# ── steps and windows ─────────────────────────────────────────────────────────────────────


def _steps(written: Written, state: RunState) -> Iterator[StepTold]:
    plan = written.plan
    moves: dict[str, list[Move]] = {}
    replies: dict[str, ReplyNoted] = {}
    for record in written.records:
        if isinstance(record, CommandMoved):
            move = Move(at=record.at, to=record.to, attempt=record.attempt, detail=record.detail)
            moves.setdefault(record.step, []).append(move)
    for note in written.notes:
        if isinstance(note, ReplyNoted):
            replies[note.step] = note
    for step in plan.steps:
        progress = state.steps[step.index]
        ended = progress.state in (CommandState.PROVED, CommandState.HELD)
        own = moves.get(step.id, [])
        begun = progress.intended_at
        answered = [m.at for m in own if m.to is CommandState.SENT and begun and m.at >= begun]
        ends = (CommandState.PROVED, CommandState.HELD, CommandState.IN_DOUBT)
        saw = [move.detail for move in own if move.to in ends]
        reply = replies.get(step.id)
        yield StepTold(
            id=step.id,
            window=step.window + 1,
            node=step.command.node,
            command=_command(step),
            state=progress.state,
            attempts=progress.attempt,
            moves=tuple(own),
            intended_at=progress.intended_at,
            answered_at=answered[-1] if answered else None,
            ended_at=progress.since if ended else None,
            reply=f"{reply.reply} after {reply.took_s:.0f} s" if reply is not None else "",
            saw=saw[-1] if saw else "",
            phones=len(step.command.names) if isinstance(step.command, ResetPhones) else 0,
            row=step.row.name,
            proof=step.row.proof.value,
            source=str(step.row.source),
        )


def _command(step: Step) -> str:
    if isinstance(step.command, ByHand):
        return step.command.what
    return str(step.command)


def _window(
    window: PlannedWindow, steps: Sequence[StepTold], curve: Sequence[RegistrationsNoted]
) -> WindowTold:
    own = tuple(step for step in steps if step.window == window.number + 1)
    begun = min((step.moves[0].at for step in own if step.moves), default=None)
    is_done = bool(own) and all(step.state is CommandState.PROVED for step in own)
    ended = max(step.moves[-1].at for step in own if step.moves) if is_done else None
    next_begun = min(
        (step.moves[0].at for step in steps if step.window > window.number + 1 and step.moves),
        default=None,
    )
    # Phones come back after the last step: the window's curve ends where the next one begins.
    before = [p.registered for p in curve if begun is not None and p.at <= begun]
    within = [
        point.registered
        for point in curve
        if begun is not None and point.at >= begun and (not next_begun or point.at < next_begun)
    ]
    seen = [*before[-1:], *within]
    return WindowTold(
        number=window.number + 1,
        what=", ".join(window.units) or "trust certificates",
        why=window.reason,
        rest=window.rest,
        begun=begun,
        ended=ended,
        steps=own,
        before=seen[0] if seen else None,
        lowest=min(seen, default=None),
        after=seen[-1] if seen else None,
    )


# ── certificates ──────────────────────────────────────────────────────────────────────────


def _certificates(written: Written, state: RunState) -> Iterator[CertificateTold]:
    plan = written.plan
    before = {node.name: node.certificates for node in plan.facts.nodes}
    whole = {(n.node, n.unit): n for n in written.notes if isinstance(n, CertificateNoted)}
    seen = {
        (step.command.node, step.command.unit): state.steps[step.index].seen
        for step in plan.steps
        if isinstance(step.command, Regenerate)
    }
    for key, life in zip(plan.certificates, state.certificates, strict=True):
        fingerprint = seen.get((key.node, key.unit), "")
        note = whole.get((key.node, key.unit))
        is_it = note is not None and note.certificate.fingerprint == fingerprint
        yield CertificateTold(
            node=key.node,
            unit=key.unit,
            before=before.get(key.node, {}).get(key.unit),
            after=note.certificate if note is not None and is_it else None,
            seen=fingerprint,
            state=life.state.value,
        )


def _entries(plan: Plan, state: RunState) -> Iterator[EntryTold]:
    for key, life in zip(plan.entries, state.entries, strict=True):
        found = {
            node: entry.certificate
            for node, held in plan.stores.items()
            for entry in held
            if (entry.store, entry.certificate.fingerprint) == (key.store, key.fingerprint)
        }
        yield EntryTold(
            entry=key,
            certificate=next(iter(found.values()), None),
            nodes=tuple(found),
            state=life.state,
        )


# ── people ────────────────────────────────────────────────────────────────────────────────


def _waivers(written: Written) -> Iterator[WaiverTold]:
    plan = written.plan
    words = {word.item: word for word in plan.said if word.item in plan.waived}
    for name, word in sorted(words.items()):
        yield WaiverTold(at=word.at, by=word.by, why=word.why, names=(name,))
    silent = tuple(sorted(plan.waived - words.keys()))
    if silent:
        yield WaiverTold(at=None, by="", why="", names=silent)
    for record in written.records:
        if isinstance(record, Waived):
            names = tuple(sorted(record.names))
            yield WaiverTold(at=record.at, by=record.by, why=record.reason, names=names)


def _people(written: Written) -> Iterator[PersonTold]:
    for word in written.plan.said:
        if word.item not in written.plan.waived:
            yield PersonTold(at=word.at, by=word.by, what=word.item, why=word.why)
    for record in written.records:
        match record:
            case Ordered(order=order):
                about = f"{order.kind.value} {order.item}".strip()
                yield PersonTold(at=record.at, by=order.by, what=about, why=order.why)
            case Acknowledged(said=said):
                yield PersonTold(at=record.at, by=said.by, what=said.item, why=said.why)
            case Scheduled():
                windows = "; ".join(map(str, record.maintenance.windows))
                what = f"changes only within {windows}"
                yield PersonTold(at=record.at, by=record.by, what=what, why="")
            case _:
                pass


def _stopped_by(written: Written, outcome: str) -> PersonTold | None:
    """The order by which it was paused or aborted."""
    kinds = {"paused": OrderKind.PAUSE, "aborted": OrderKind.ABORT}
    for record in reversed(written.records):
        if isinstance(record, Ordered) and record.order.kind is kinds.get(outcome):
            order = record.order
            return PersonTold(at=record.at, by=order.by, what=order.kind.value, why=order.why)
    return None
