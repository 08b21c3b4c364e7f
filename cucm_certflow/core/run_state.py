"""The state of a run: a fold over the records of its journal, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple, TypeVar

import attrs

from cucm_certflow.core.plan import CertificateKey, Plan, TrustKey
from cucm_certflow.core.states import CertificateState, CommandState, EntryState
from cucm_certflow.findings import Said
from cucm_certflow.orders import Order, OrderKind
from cucm_certflow.procedures.maintenance import Maintenance
from cucm_certflow.trust.phone import Belief, PhoneClass

__all__ = [
    "Acknowledged",
    "CertificateMoved",
    "CertificateProgress",
    "CommandMoved",
    "CommandProgress",
    "Ended",
    "EntryMoved",
    "EntryProgress",
    "Ordered",
    "Record",
    "RunState",
    "Scheduled",
    "Waived",
    "apply",
    "begin",
    "folded",
]

T = TypeVar("T")

Beliefs = tuple[tuple[PhoneClass, Belief], ...]


class CommandProgress(NamedTuple):
    """Where one step stands. *baseline* is what was there before: without it, nothing is proved."""

    state: CommandState = CommandState.PLANNED
    attempt: int = 0
    intended_at: datetime | None = None
    baseline: str = ""
    since: datetime | None = None
    """When it came to where it stands: budgets count from here."""

    seen: str = ""
    """What the proof saw in place of *baseline*: what is there from now on, unless others act."""


class CertificateProgress(NamedTuple):
    """Where one certificate stands, and since when."""

    state: CertificateState = CertificateState.PLANNED
    wave: int = 0
    since: datetime | None = None


class EntryProgress(NamedTuple):
    """Where one certificate of the trust stores stands, and since when."""

    state: EntryState = EntryState.PLANNED
    since: datetime | None = None


class RunState(NamedTuple):
    """Everything that survives a crash. Hashable, so that an explorer can step it."""

    steps: tuple[CommandProgress, ...]
    certificates: tuple[CertificateProgress, ...]
    beliefs: Beliefs
    waived: frozenset[str] = frozenset()
    acknowledged: frozenset[str] = frozenset()
    """The items that people have spoken about: partner tasks, by their identifiers."""

    entries: tuple[EntryProgress, ...] = ()
    wish: OrderKind = OrderKind.RESUME
    """What a person asked for last: to go on, to pause, or to abort."""

    approved: frozenset[str] = frozenset()
    """What people have let pass, by the items that the reasons name."""

    maintenance: Maintenance | None = None
    began: datetime | None = None
    """When the run began, or was told to go on: its deadline counts from here."""

    latest: datetime | None = None
    """The newest instant of any record: a clock that shows an earlier one went back."""

    ended: str = ""
    """How it ended for good: "verified" or "aborted"; empty while it can go on."""


# ── records ───────────────────────────────────────────────────────────────────────────────


@attrs.frozen(kw_only=True)
class CommandMoved:
    """An edge of the command table fired for *step*."""

    step: str
    edge: str
    to: CommandState
    at: datetime
    attempt: int = 0
    baseline: str = ""
    beliefs: Beliefs | None = None
    detail: str = ""
    seen: str = ""


@attrs.frozen(kw_only=True)
class CertificateMoved:
    """An edge of the certificate table fired for *unit* on *node*."""

    certificate: CertificateKey
    edge: str
    to: CertificateState
    at: datetime
    wave: int = 0
    beliefs: Beliefs | None = None
    detail: str = ""


@attrs.frozen(kw_only=True)
class Waived:
    """A person took phones out of scope, by name: they are reported as left behind."""

    names: frozenset[str]
    at: datetime
    by: str = ""
    reason: str = ""


@attrs.frozen(kw_only=True)
class EntryMoved:
    """An edge of the trust-entry table fired for *entry*."""

    entry: TrustKey
    edge: str
    to: EntryState
    at: datetime


@attrs.frozen(kw_only=True)
class Acknowledged:
    """A person says that something outside of the cluster was done, or does not apply."""

    said: Said
    at: datetime


@attrs.frozen(kw_only=True)
class Ordered:
    """A person asked something of the run."""

    order: Order
    at: datetime


@attrs.frozen(kw_only=True)
class Scheduled:
    """A person said when anything may be changed, from now on."""

    maintenance: Maintenance
    at: datetime
    by: str = ""


@attrs.frozen(kw_only=True)
class Ended:
    """The run is over for good, and is not resumed: "verified" or "aborted"."""

    outcome: str
    at: datetime


Record = (
    CommandMoved
    | CertificateMoved
    | EntryMoved
    | Waived
    | Acknowledged
    | Ordered
    | Scheduled
    | Ended
)


def begin(plan: Plan) -> RunState:
    """The state before the first record."""
    return RunState(
        steps=tuple(CommandProgress() for _ in plan.steps),
        certificates=tuple(CertificateProgress() for _ in plan.certificates),
        beliefs=plan.beliefs,
        waived=plan.waived,
        acknowledged=frozenset(word.item for word in plan.said),
        entries=tuple(EntryProgress() for _ in plan.entries),
    )


def folded(plan: Plan, records: Iterable[Record]) -> RunState:
    """Where the run of *plan* stands after *records*. Pure."""
    state = begin(plan)
    for record in records:
        state = apply(plan, state, record)
    return state


def apply(plan: Plan, state: RunState, record: Record) -> RunState:
    """*state* after *record*. Pure; a record that does not belong to *plan* raises KeyError."""
    latest = record.at if state.latest is None else max(state.latest, record.at)
    state = state._replace(latest=latest, began=state.began or record.at)
    match record:
        case CommandMoved():
            index = plan.index_of[record.step]
            old = state.steps[index]
            if record.edge == "intend":
                new = CommandProgress(
                    record.to, record.attempt, record.at, record.baseline, record.at
                )
            else:
                seen = record.seen or old.seen
                new = old._replace(state=record.to, since=record.at, seen=seen)
            state = state._replace(steps=_put(state.steps, index, new))
        case CertificateMoved():
            index = plan.certificates.index(record.certificate)
            moved = CertificateProgress(record.to, record.wave, record.at)
            state = state._replace(certificates=_put(state.certificates, index, moved))
        case EntryMoved():
            index = plan.entries.index(record.entry)
            there = EntryProgress(record.to, record.at)
            return state._replace(entries=_put(state.entries, index, there))
        case Waived():
            return state._replace(waived=state.waived | record.names)
        case Acknowledged():
            return state._replace(acknowledged=state.acknowledged | {record.said.item})
        case Ordered(order=order):
            return _ordered(state, order, record.at)
        case Scheduled():
            return state._replace(maintenance=record.maintenance)
        case Ended():
            return state._replace(ended=record.outcome)
    if record.beliefs is not None:
        state = state._replace(beliefs=record.beliefs)
    return state


def _ordered(state: RunState, order: Order, at: datetime) -> RunState:
    if order.kind is OrderKind.APPROVE:
        return state._replace(approved=state.approved | {order.item})
    began = at if order.kind is OrderKind.RESUME else state.began
    return state._replace(wish=order.kind, began=began)


def _put(items: tuple[T, ...], index: int, item: T) -> tuple[T, ...]:
    return (*items[:index], item, *items[index + 1 :])
