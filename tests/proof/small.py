"""Small configurations, each with another trouble, in which a guard that is taken out is missed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final, NamedTuple

import attrs

from cucm_certflow.core.cleanup import plan_cleanup
from cucm_certflow.core.decide import STANDARD, Tables
from cucm_certflow.core.plan import Plan, TrustKey
from cucm_certflow.core.run_state import CertificateMoved, Ordered, Record, Scheduled
from cucm_certflow.core.states import CertificateState
from cucm_certflow.lab.physics import actions
from cucm_certflow.lab.physics.world import Cert, Layout, PhoneKind, Trusted, World
from cucm_certflow.names import CertUnit, Service
from cucm_certflow.orders import Order, OrderKind
from cucm_certflow.procedures import PROCEDURES
from cucm_certflow.procedures.maintenance import Maintenance, MaintenanceWindow
from cucm_certflow.procedures.policies import Canary, Policy
from cucm_certflow.procedures.vocabulary import Procedure, Stage
from cucm_certflow.testing.decided import NOW
from cucm_certflow.testing.explorer import Limits, Mishap, Trouble, entries_of
from tests.proof.runs import (
    BOTH,
    CALM,
    LOST,
    NODES,
    R11_5,
    R14,
    REFUSED,
    Unkind,
    facts_of,
    homed,
    layout_of,
    planned,
)

__all__ = ["SMALL", "Book", "Configuration"]


class Book(NamedTuple):
    """What a run goes by: the production tables, or what a mutant makes of them."""

    tables: Tables = STANDARD
    procedures: tuple[Procedure, ...] = PROCEDURES
    laid_out: Callable[[Plan], Plan] = lambda plan: plan
    """What becomes of the order of a plan's steps."""

    def plan(
        self,
        layout: Layout,
        kinds: tuple[PhoneKind, ...],
        *,
        units: Iterable[CertUnit] | None = None,
        windows: Sequence[Iterable[CertUnit]] | None = None,
        policy: Policy | None = None,
    ) -> Plan:
        """A plan for the untouched cluster."""
        made = planned(
            layout, kinds, units=units, windows=windows, policy=policy, procedures=self.procedures
        )
        return self.laid_out(made)


Configuration = Callable[[Book], Unkind]
"""Makes an explorer that goes by a book."""

R12_5 = (12, 5)
_ONE: Final = NODES[:1]
_ALONE: Final = PhoneKind("on pub", ("pub",), ("pub",))
_CONTENT: Final = Limits(phones_switch_off=False, phones_come_unasked=False)
_CRASH: Final = frozenset({Mishap.CRASH})
REFUSING: Final = Limits(mishaps=_CRASH | LOST | REFUSED)
_TOMCAT: Final = frozenset({CertUnit.TOMCAT})
_TVS: Final = frozenset({CertUnit.TVS})
_CALLMANAGER: Final = frozenset({CertUnit.CALLMANAGER})


def _secure_phone(book: Book) -> Unkind:
    layout, kinds = layout_of(R11_5, mixed=True), (homed("sub", secure=True),)
    plan = book.plan(layout, kinds, units=BOTH)
    limits = Limits(faults=1, mishaps=LOST, phones_move=False)
    return Unkind(layout, kinds, plan, tables=book.tables, limits=limits)


def _no_security_by_default(book: Book) -> Unkind:
    layout = layout_of(R11_5, mixed=True)
    kinds = (homed("sub", secure=True, asks_tvs=False),)
    plan = book.plan(layout, kinds, units=_CALLMANAGER)
    return Unkind(layout, kinds, plan, tables=book.tables, limits=CALM)


def _forced(book: Book) -> Unkind:
    layout, kinds = layout_of(R11_5), (homed("sub"),)
    plan = book.plan(layout, kinds, windows=[BOTH])
    return Unkind(layout, kinds, plan, tables=book.tables, limits=CALM)


def _forgotten(book: Book) -> Unkind:
    layout, kinds = layout_of(R11_5), (homed("sub"),)
    careless = tuple(attrs.evolve(table, never_with=frozenset()) for table in book.procedures)
    plan = Book(book.tables, careless, book.laid_out).plan(layout, kinds, windows=[BOTH])
    return Unkind(layout, kinds, plan, tables=book.tables, limits=CALM, rules=())


def _lanes(book: Book) -> Unkind:
    layout, kinds = layout_of(R11_5, nodes=_ONE), (_ALONE,)
    plan = book.plan(layout, kinds, units=_TOMCAT | _TVS)
    limits = attrs.evolve(_CONTENT, faults=1, mishaps=LOST | REFUSED)
    return Unkind(layout, kinds, plan, tables=book.tables, limits=limits)


def _windows(book: Book) -> Unkind:
    layout, kinds = layout_of(R11_5, nodes=_ONE), (_ALONE,)
    plan = book.plan(layout, kinds, windows=[_TVS, _TOMCAT])
    return Unkind(layout, kinds, plan, tables=book.tables, limits=CALM)


def _blind(book: Book) -> Unkind:
    layout, kinds = layout_of(R11_5, nodes=_ONE), (_ALONE,)
    plan = book.plan(layout, kinds, units=_TOMCAT)
    return Unkind(layout, kinds, plan, tables=book.tables, limits=_CONTENT, blind=True)


def _blind_mixed(book: Book) -> Unkind:
    layout, kinds = layout_of(R11_5, mixed=True), (homed("sub", secure=True),)
    plan = book.plan(layout, kinds, units=_CALLMANAGER)
    limits = attrs.evolve(_CONTENT, faults=0, phones_move=False)
    return Unkind(layout, kinds, plan, tables=book.tables, limits=limits, blind=True)


def _crashes(book: Book) -> Unkind:
    layout, kinds = layout_of(R11_5, nodes=_ONE), (_ALONE,)
    plan = book.plan(layout, kinds, units=_TOMCAT)
    limits = attrs.evolve(_CONTENT, faults=4, mishaps=frozenset({Mishap.CRASH}))
    return Unkind(layout, kinds, plan, tables=book.tables, limits=limits)


def _deactivated(book: Book) -> Unkind:
    layout, kinds = layout_of(R11_5, nodes=_ONE), (_ALONE,)
    plan = book.plan(layout, kinds, units=_CALLMANAGER)
    gone = frozenset({("pub", Service.CTIMANAGER)})
    return Unkind(layout, kinds, plan, tables=book.tables, limits=CALM, deactivated=gone)


def _tvs_stops(book: Book) -> Unkind:
    layout, kinds = layout_of(R11_5, nodes=_ONE), (_ALONE,)
    plan = book.plan(layout, kinds, units=_TVS)
    limits = Limits(faults=1, mishaps=LOST)
    return Unkind(layout, kinds, plan, tables=book.tables, limits=limits, tvs_stops=True)


# ── troubles around the cluster ───────────────────────────────────────────────────────────


def _replication(book: Book) -> Unkind:
    layout = layout_of(R11_5)
    plan = book.plan(layout, (), units=_TOMCAT)
    limits = Limits(faults=0, troubles=frozenset({Trouble.REPLICATION_BAD}))
    return Unkind(layout, (), plan, tables=book.tables, limits=limits)


def _backup(book: Book) -> Unkind:
    layout = layout_of(R11_5, nodes=_ONE)._replace(whole=True)
    plan = book.plan(layout, (), units={CertUnit.IPSEC})
    limits = Limits(faults=0, troubles=frozenset({Trouble.BACKUP_RUNS}))
    return Unkind(layout, (), plan, tables=book.tables, limits=limits)


def _lagging(book: Book) -> Unkind:
    layout = layout_of(R11_5)
    kinds = (PhoneKind("on sub", ("sub",), ("sub",)),)
    plan = book.plan(layout, kinds, units=BOTH)
    limits = Limits(faults=0, databases_lag=frozenset({"sub"}))
    return Unkind(layout, kinds, plan, tables=book.tables, limits=limits)


def _fleeing(book: Book) -> Unkind:
    layout, kinds = layout_of(R11_5), (PhoneKind("on pub", ("pub", "sub"), ("pub",)),)
    plan = book.plan(layout, kinds, units=_CALLMANAGER)
    limits = Limits(faults=0, phones_fail_over=True)
    return Unkind(layout, kinds, plan, tables=book.tables, limits=limits)


# ── batches of phones ─────────────────────────────────────────────────────────────────────

_ALIKE: Final = tuple(PhoneKind(f"{name} on pub", ("pub",), ("pub",)) for name in ("one", "two"))


def _canaries(book: Book) -> Unkind:
    layout = layout_of(R11_5, nodes=_ONE)
    plan = book.plan(layout, _ALIKE, units=_TVS)
    limits = Limits(faults=0, phones_come_unasked=False)
    return Unkind(layout, _ALIKE, plan, tables=book.tables, limits=limits)


def _batches(book: Book) -> Unkind:
    layout = layout_of(R11_5, nodes=_ONE)
    policy = Policy(canary=Canary.OFF, reset_batch=1, batch_waits=True)
    plan = book.plan(layout, _ALIKE, units=_TVS, policy=policy)
    limits = Limits(faults=0, phones_come_unasked=False)
    return Unkind(layout, _ALIKE, plan, tables=book.tables, limits=limits)


# ── clean-up of trust stores ──────────────────────────────────────────────────────────────

_OLD: Final = Cert(CertUnit.TOMCAT, "pub", 0)


def _stored(layout: Layout, cert: Cert, store: str, *, comes_back: bool = False) -> World:
    kept = frozenset(
        Trusted(node.name, store, cert, comes_back=comes_back) for node in layout.nodes
    )
    return actions.initial(layout, ())._replace(kept=kept)


def _cleaned(
    book: Book,
    layout: Layout,
    world: World,
    cert: Cert,
    *,
    limits: Limits,
    then: World | None = None,
) -> Unkind:
    """A clean-up planned in *world* that deletes *cert*, run in *then*."""
    held = {node.name: entries_of(layout, world, node.name) for node in layout.nodes}
    keys = {
        TrustKey(entry.store, entry.certificate.fingerprint, entry.name)
        for entries in held.values()
        for entry in entries
        if entry.certificate.fingerprint == str(cert)
    }
    plan = plan_cleanup(facts_of(layout, (), world), held, delete=keys)
    assert not plan.is_refused
    plan = book.laid_out(plan)
    return Unkind(layout, (), plan, tables=book.tables, limits=limits, world=then or world)


def _old_entry(book: Book) -> Unkind:
    layout = layout_of(R11_5)._replace(whole=True)
    world = _stored(layout, _OLD, "tomcat-trust", comes_back=True)
    return _cleaned(book, layout, world, _OLD, limits=Limits())


def _old_entry_refusing(book: Book) -> Unkind:
    layout = layout_of(R11_5)._replace(whole=True)
    world = _stored(layout, _OLD, "tomcat-trust")
    return _cleaned(book, layout, world, _OLD, limits=REFUSING)


def _deletion_refused(book: Book) -> Unkind:
    layout = layout_of(R12_5)._replace(whole=True)
    world = _stored(layout, _OLD, "Phone-SAST-trust")
    return _cleaned(book, layout, world, _OLD, limits=REFUSING)


def _put_back(book: Book) -> Unkind:
    layout = layout_of(R12_5)._replace(whole=True)
    world = _stored(layout, _OLD, "Phone-SAST-trust", comes_back=True)
    return _cleaned(book, layout, world, _OLD, limits=CALM)


def _restored(book: Book) -> Unkind:
    """Between plan and run the node came back to the certificate that is to be deleted."""
    layout = layout_of(R12_5)._replace(whole=True)
    old = Cert(CertUnit.CALLMANAGER, "sub", 1)
    then = _stored(layout, old, "Phone-SAST-trust")
    world = actions.regenerate(layout, then, CertUnit.CALLMANAGER, "sub")
    world = actions.restart(layout, world, Service.TFTP, "sub")
    return _cleaned(book, layout, world, old, limits=CALM, then=then)


# ── people, hours and clocks ──────────────────────────────────────────────────────────────


def _told(book: Book, record: Record | None, *, at: datetime = NOW) -> Unkind:
    """TVS, whose window was opened at *at*, before anything was sent; then comes *record*."""
    layout, kinds = layout_of(R11_5, nodes=_ONE), (_ALONE,)
    plan = book.plan(layout, kinds, units=_TVS)
    (key,) = plan.certificates
    opened = CertificateMoved(
        certificate=key, edge="begin", to=CertificateState.REGENERATING, at=at
    )
    told = (opened,) if record is None else (opened, record)
    limits = attrs.evolve(_CONTENT, faults=0)
    return Unkind(layout, kinds, plan, tables=book.tables, limits=limits, told=told)


def _paused(book: Book) -> Unkind:
    order = Order(kind=OrderKind.PAUSE, by="a person", why="the phones are needed")
    return _told(book, Ordered(order=order, at=NOW))


def _hours_over(book: Book) -> Unkind:
    hours = MaintenanceWindow(opens=NOW - timedelta(hours=8), closes=NOW - timedelta(hours=2))
    return _told(book, Scheduled(maintenance=Maintenance(windows=(hours,)), at=NOW))


def _clock_back(book: Book) -> Unkind:
    return _told(book, None, at=NOW + timedelta(hours=1))


def _approval(book: Book) -> Unkind:
    layout, kinds = layout_of(R11_5, nodes=_ONE), (_ALONE,)
    plan = book.plan(layout, kinds, units=_TVS, policy=Policy(approve=frozenset({Stage.RESET})))
    limits = attrs.evolve(_CONTENT, faults=0)
    return Unkind(layout, kinds, plan, tables=book.tables, limits=limits)


def _again(book: Book) -> Unkind:
    layout, kinds = layout_of(R11_5, nodes=_ONE), (_ALONE,)
    plan = book.plan(layout, kinds, units=_TVS, policy=Policy(anchors_sent_again=False))
    limits = attrs.evolve(_CONTENT, faults=1, mishaps=LOST | REFUSED | _CRASH)
    return Unkind(layout, kinds, plan, tables=book.tables, limits=limits)


def _asleep(book: Book) -> Unkind:
    layout, kinds = layout_of(R11_5, nodes=_ONE), (_ALONE,)
    plan = book.plan(layout, kinds, units=_TVS)
    limits = attrs.evolve(_CONTENT, faults=1, mishaps=frozenset())
    return Unkind(layout, kinds, plan, tables=book.tables, limits=limits, withholds=True)


# ── nodes that refuse ─────────────────────────────────────────────────────────────────────


def _itlrecovery(book: Book, *, mixed: bool) -> Unkind:
    layout, kinds = layout_of(R12_5, mixed=mixed), (homed("sub", secure=mixed),)
    plan = book.plan(layout, kinds, units={CertUnit.ITLRECOVERY})
    limits = attrs.evolve(_CONTENT, faults=1, mishaps=REFUSED | _CRASH, phones_move=False)
    return Unkind(layout, kinds, plan, tables=book.tables, limits=limits)


def _ctl_refused(book: Book) -> Unkind:
    layout, kinds = layout_of(R11_5, mixed=True), (homed("sub", secure=True),)
    plan = book.plan(layout, kinds, units=_CALLMANAGER)
    limits = attrs.evolve(_CONTENT, faults=1, mishaps=REFUSED | _CRASH, phones_move=False)
    return Unkind(layout, kinds, plan, tables=book.tables, limits=limits)


def _old_entry_apart(book: Book) -> Unkind:
    """Of a store for which nothing is restarted."""
    layout = layout_of(R11_5)._replace(whole=True)
    world = _stored(layout, _OLD, "Phone-SAST-trust")
    return _cleaned(book, layout, world, _OLD, limits=CALM)


def _others(book: Book) -> Unkind:
    layout, kinds = layout_of(R14, nodes=_ONE), (_ALONE,)
    plan = book.plan(layout, kinds, units=_TVS)
    limits = attrs.evolve(_CONTENT, faults=1, mishaps=frozenset({Mishap.OUTSIDE}))
    return Unkind(layout, kinds, plan, tables=book.tables, limits=limits)


SMALL: Final[Mapping[str, Configuration]] = {
    "secure phone": _secure_phone,
    "no Security By Default": _no_security_by_default,
    "CallManager with TVS": _forced,
    "a table that forgot never_with": _forgotten,
    "two lanes and a refusing node": _lanes,
    "two windows": _windows,
    "unreadable certificates": _blind,
    "unreadable certificates in mixed mode": _blind_mixed,
    "four crashes": _crashes,
    "a deactivated service": _deactivated,
    "TVS stops": _tvs_stops,
    "bad replication": _replication,
    "a backup that runs": _backup,
    "a database that lags": _lagging,
    "phones that flee": _fleeing,
    "canaries": _canaries,
    "batches that wait": _batches,
    "an old entry": _old_entry,
    "an old entry and a refusing node": _old_entry_refusing,
    "a deletion that is refused": _deletion_refused,
    "an entry that is put back": _put_back,
    "an entry that comes into use": _restored,
    "an old entry that no service uses": _old_entry_apart,
    "a run that was paused": _paused,
    "hours that are over": _hours_over,
    "a clock that went back": _clock_back,
    "phones that are reset once that is approved": _approval,
    "what is sent again once that is approved": _again,
    "a process that slept": _asleep,
    "ITLRecovery and a refusing node": partial(_itlrecovery, mixed=False),
    "ITLRecovery in mixed mode and a refusing node": partial(_itlrecovery, mixed=True),
    "a node that refuses the CTL": _ctl_refused,
    "others regenerate as well": _others,
}
"""By name."""
