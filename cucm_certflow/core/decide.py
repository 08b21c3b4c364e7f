"""The one function that decides: at most one edge fires, and one record goes before its command."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import attrs

from cucm_certflow.commands import (
    ByHand,
    Command,
    Regenerate,
    ResetLocalkey,
    ResetPhones,
    RestartService,
)
from cucm_certflow.core.drift import CTL_PROOFS, drift_at_end, list_mark
from cucm_certflow.core.forecast import moves_trust
from cucm_certflow.core.gates import again_gate
from cucm_certflow.core.machine import Evaluator
from cucm_certflow.core.plan import Plan, Step
from cucm_certflow.core.proofs import proof_of
from cucm_certflow.core.run_state import (
    Beliefs,
    CertificateMoved,
    CommandMoved,
    EntryMoved,
    Record,
    RunState,
)
from cucm_certflow.core.safe_points import at_safe_point
from cucm_certflow.core.states import (
    Blocked,
    CertificateState,
    CommandState,
    Edge,
    EntryState,
)
from cucm_certflow.core.tables import CERTIFICATE, COMMAND, ENTRY, LOOK, RESUME
from cucm_certflow.core.view import View
from cucm_certflow.facts import (
    CertificateOf,
    Facts,
    Known,
    ServedList,
    Want,
)
from cucm_certflow.names import ListKind, Service
from cucm_certflow.orders import OrderKind
from cucm_certflow.trust.model import ClusterTrust
from cucm_certflow.trust.phone import may_hold, must_hold_after_reset

__all__ = ["Decision", "Tables", "decide", "resume_records"]

_FIRST: Final = "1970-01-01T00:00:00+00:00"


@attrs.frozen
class Tables:
    """The tables to decide by; only proofs use any other than the standard ones."""

    command: Evaluator[View, CommandState]
    certificate: Evaluator[View, CertificateState]
    entry: Evaluator[View, EntryState] = attrs.field(factory=lambda: Evaluator(ENTRY))


STANDARD: Final = Tables(Evaluator(COMMAND), Evaluator(CERTIFICATE))


@attrs.frozen(kw_only=True)
class Decision:
    """What to do next.

    Attributes:
        record: To be written and synced before anything else happens; None if nothing fires.
        command: To be performed after that; None for most records.
        step: The step of the command.
        wants: The facts that were asked for, and how fresh they must be.
        wake_at: When to look again; None if nothing will change by itself.
        blocked: Why nothing more happens, for everything that is next in line.
        finished: Every certificate is verified.
        stopped: A person asked to pause or to abort, and a safe point is reached.
    """

    record: Record | None = None
    command: Command | None = None
    step: Step | None = None
    wants: tuple[Want, ...] = ()
    wake_at: datetime | None = None
    blocked: tuple[Blocked, ...] = ()
    finished: bool = False
    stopped: bool = False


def decide(
    plan: Plan, state: RunState, facts: Facts, now: datetime, tables: Tables = STANDARD
) -> Decision:
    """What the run does next, given everything that is known. Pure: no clock, no I/O.

    Call it again after every record and after every new fact. A guard that raises is a bug; the
    exception goes through.
    """
    view = View(plan, state, facts, now)
    blocked: list[Blocked] = []
    for step in plan.steps:
        progress = state.steps[step.index]
        if progress.state is CommandState.PROVED or _is_far(state, step):
            continue
        subject = view.of(step)
        edge, reasons = tables.command.fire(progress.state, LOOK, subject)
        if edge is not None:
            return _command_decision(subject, edge)
        blocked += reasons
        if progress.state is CommandState.HELD:
            blocked.append(_held(subject))
    finished = True
    for entry, there in zip(plan.entries, state.entries, strict=True):
        if there.state is EntryState.GONE:
            continue
        finished = False
        subject = view.of(entry)
        edge, reasons = tables.entry.fire(there.state, LOOK, subject)
        if edge is not None:
            moved = EntryMoved(entry=entry, edge=edge.name, to=edge.dest, at=now)
            return Decision(record=moved, wants=_wants(view))
        blocked += reasons
    for key, life in zip(plan.certificates, state.certificates, strict=True):
        if life.state is CertificateState.VERIFIED:
            continue
        finished = False
        subject = view.of(key)
        edge, reasons = tables.certificate.fire(life.state, LOOK, subject)
        if edge is not None:
            return Decision(record=_certificate_record(subject, edge), wants=_wants(view))
        blocked += reasons
    if finished:
        blocked = _open_tasks(plan, state) or _drift_at_end(view)
        finished = not blocked
    stops = state.wish is not OrderKind.RESUME and at_safe_point(plan, state)
    if stops and not finished:
        return Decision(blocked=tuple(blocked), stopped=True)
    retries = [reason.retry_at for reason in blocked if reason.retry_at is not None]
    return Decision(
        wants=_wants(view),
        wake_at=min(retries, default=None),
        blocked=tuple(blocked),
        finished=finished,
    )


def _open_tasks(plan: Plan, state: RunState) -> list[Blocked]:
    """What the people of other systems have not been heard about: the run is not complete."""
    return [
        Blocked(
            guard="partner_task",
            detail=f"{task.partner}: {task.question} If so: {' '.join(task.instructions)}",
            unlock=f"acknowledge {task.id}: who did it, or that there is none",
            source=str(task.source),
            subject=task.id,
        )
        for task in plan.tasks
        if task.id not in state.acknowledged
    ]


def _drift_at_end(view: View) -> list[Blocked]:
    """What others have changed since the last command: a run that ends claims that nothing is."""
    if not view.plan.certificates or (found := drift_at_end(view)) is None:
        return []
    patience = timedelta(seconds=view.plan.policy.barrier_within_s)
    if view.state.latest is not None and view.now >= view.state.latest + patience:
        found = attrs.evolve(
            found, retry_at=None
        )  # what does not answer for so long, a person asks
    return [found]


def _held(view: View) -> Blocked:
    shown = proof_of(view)
    command = view.command()
    detail = (
        f"`{command}` on {command.node} was not proved within {view.step.row.within_s:.0f} s, or "
        "was refused"
    )
    unlock = (
        "a person looks at the node, puts it right, then resumes; it is not sent again before it "
        "was seen not to be done"
    )
    if isinstance(command, ByHand):
        detail = f"only a person can go on: {command.what}"
        unlock = f"that, then resume: {view.step.row.proof.value}"
    gate = again_gate(view.plan, view.state, view.step)
    return Blocked(
        guard="held",
        detail=detail,
        evidence=(shown.saw,),
        unlock=unlock,
        source=str(view.step.row.source),
        subject=view.subject,
        items=(gate.item,) if gate and gate.item not in view.state.approved else (),
    )


def _is_far(state: RunState, step: Step) -> bool:
    """A planned step whose predecessor is not proved: nothing about it needs to be asked yet."""
    return (
        state.steps[step.index].state is CommandState.PLANNED
        and step.after is not None
        and state.steps[step.after].state is not CommandState.PROVED
    )


def _wants(view: View) -> tuple[Want, ...]:
    return tuple(view.wants.values())


def _command_decision(view: View, edge: Edge[View, CommandState]) -> Decision:
    old = view.progress
    baseline, beliefs, detail, seen = "", None, "", ""
    if edge.emits:
        baseline, beliefs = _baseline(view), _grown(view)
        detail = str(view.command())
    elif edge.dest is CommandState.PROVED:
        detail, seen = proof_of(view).saw, _seen(view)
    elif edge.dest in (CommandState.HELD, CommandState.IN_DOUBT):
        detail = _what_came_of_it(view)
    record = CommandMoved(
        step=view.step.id,
        edge=edge.name,
        to=edge.dest,
        at=view.now,
        attempt=old.attempt + 1 if edge.emits else old.attempt,
        baseline=baseline,
        beliefs=beliefs,
        detail=detail,
        seen=seen,
    )
    command = view.command() if edge.emits else None
    return Decision(record=record, command=command, step=view.step, wants=_wants(view))


def _baseline(view: View) -> str:
    """What is there before the command, as its proof will compare it."""
    command = view.step.command
    match command:
        case Regenerate():
            return _current(view, command)
        case ResetLocalkey():
            cluster = view.cluster()
            assert isinstance(cluster, ClusterTrust)
            lists = [n.itl if command.kind is ListKind.ITL else n.ctl for n in cluster.tftp_nodes]
            return ",".join(sorted({served.signer for served in lists if served}))
        case ResetPhones():
            # The newest of these, by the cluster's own clock: whatever is newer came after.
            fact = view.facts.get(view.registrations_of_called())
            assert isinstance(fact, Known)
            stamps = [r.at for r in fact.value.values() if r.registered and r.at is not None]
            return max(stamps).isoformat() if stamps else _FIRST
        case RestartService(node, Service.TVS):
            # What the process will present from now on; port 2445 is not read.
            cluster = view.cluster()
            return cluster.node(node).tvs or "" if isinstance(cluster, ClusterTrust) else ""
        case _:
            return ""


def _seen(view: View) -> str:
    """What is there after the command, as drift compares it from now on."""
    command, proof = view.step.command, view.step.row.proof
    if isinstance(command, Regenerate):
        return _current(view, command)
    if proof not in CTL_PROOFS:
        return ""
    served = (view.facts.get(ServedList(n.name, ListKind.CTL)) for n in view.plan.trust.tftp_nodes)
    marks = {list_mark(each.value) for each in served if isinstance(each, Known) and each.value}
    return ";".join(sorted(marks))


def _what_came_of_it(view: View) -> str:
    """What the node said, and what looking showed: for whoever must decide."""
    reply = view.reply()
    said = "" if reply is None else f"the reply is {reply.kind.value}: {reply.text.strip()}"
    return "; ".join(part for part in (said[:500], f"seen: {proof_of(view).saw}") if part)


def _current(view: View, command: Regenerate) -> str:
    fact = view.facts[CertificateOf(command.node, command.unit)]
    assert isinstance(fact, Known)
    fingerprint: str = fact.value.fingerprint
    return fingerprint


def _grown(view: View) -> Beliefs | None:
    """What phones may hold that came, unasked, before this command; None if nothing is new."""
    if not moves_trust(view.step.command):
        return None
    cluster = view.cluster()
    if isinstance(cluster, Blocked):
        return None
    grown = tuple((phone, may_hold(cluster, phone, belief)) for phone, belief in view.state.beliefs)
    return None if grown == view.state.beliefs else grown


def _certificate_record(view: View, edge: Edge[View, CertificateState]) -> CertificateMoved:
    life = view.life
    wave = life.wave + 1 if edge.name == "next_wave" else life.wave
    beliefs: Beliefs | None = None
    if edge.name == "converged" and view.plan.procedures[view.certificate.unit].moves_lists:
        cluster = view.cluster()
        assert isinstance(cluster, ClusterTrust)
        in_scope = {phone for phone, _ in view.in_scope()}
        met = tuple(
            (phone, must_hold_after_reset(cluster, phone, belief) if phone in in_scope else belief)
            for phone, belief in view.state.beliefs
        )
        beliefs = None if met == view.state.beliefs else met
    return CertificateMoved(
        certificate=view.certificate,
        edge=edge.name,
        to=edge.dest,
        at=view.now,
        wave=wave,
        beliefs=beliefs,
    )


def resume_records(
    plan: Plan, state: RunState, now: datetime, tables: Tables = STANDARD
) -> tuple[Record, ...]:
    """What a person says by resuming: every held step is looked at again."""
    records: list[Record] = []
    view = View(plan, state, {}, now)
    for step in plan.steps:
        progress = state.steps[step.index]
        edge, _ = tables.command.fire(progress.state, RESUME, view.of(step))
        if edge is not None:
            records.append(
                CommandMoved(
                    step=step.id, edge=edge.name, to=edge.dest, at=now, attempt=progress.attempt
                )
            )
    return tuple(records)
