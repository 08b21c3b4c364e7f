"""Checks of the endpoints: who is registered, who has a second node, who cannot be rescued."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from cucm_certflow.checks.scope import Scope
from cucm_certflow.checks.vocabulary import (
    CTL_UNITS,
    LIST_UNITS,
    Check,
    Doubt,
    Fault,
    Remark,
    Seen,
    asks_for,
    names,
)
from cucm_certflow.core.not_awaited import classes_of
from cucm_certflow.facts import Devices, Query, Registration, Registrations
from cucm_certflow.findings import Baseline, Severity
from cucm_certflow.names import DeviceClass, Service
from cucm_certflow.procedures.vocabulary import Source

__all__ = [
    "OTHER_CLASSES",
    "PHONES",
    "PHONES_BACK",
    "baseline_of",
    "baseline_queries",
]

OTHER_CLASSES: Final = tuple(kind for kind in DeviceClass if kind is not DeviceClass.PHONE)
"""What has to be back besides phones: trunks, gateways, media, CTI, voice mail, hunt lists."""

_DEVICES: Final[tuple[Query, ...]] = tuple(Devices(kind) for kind in OTHER_CLASSES)
_SECOND: Final = 2


def baseline_queries() -> tuple[Query, ...]:
    """What a baseline is read from."""
    return (Registrations(), *_DEVICES)


def baseline_of(scope: Scope) -> Baseline:
    """Who is registered, by name and class, as far as the answers say.

    The phones are those of the cluster's database: what else registers as a phone (a softphone that
    somebody has just added) is not among them.
    """
    listed = {phone.name for phone in scope.facts.phones}
    registered: dict[DeviceClass, frozenset[str]] = {}
    for _, phones in scope.each((Registrations(),)):
        registered[DeviceClass.PHONE] = _registered(phones) & listed
    for query, devices in scope.each(_DEVICES):
        registered[query.kind] = _registered(devices)
    return Baseline(at=scope.now, registered=registered)


def _registered(devices: Mapping[str, Registration]) -> frozenset[str]:
    return frozenset(name for name, device in devices.items() if device.registered)


# ── before ────────────────────────────────────────────────────────────────────────────────


def _phones_registered(scope: Scope) -> Iterator[Remark]:
    spared = classes_of(scope.facts, scope.policy)
    for _, phones in scope.each((Registrations(),)):
        there = _registered(phones)
        away = tuple(sorted(p.name for p in scope.facts.phones if p.name not in there))
        missing = tuple(name for name in away if name not in spared)
        if missing:
            yield Fault(
                f"{len(missing)} of {len(scope.facts.phones)} phones are not registered: "
                f"{names(missing)}",
                phones=missing,
            )
        elif not away:
            yield Seen(f"all {len(scope.facts.phones)} phones are registered")
        if len(away) > len(missing):
            others = [name for name in away if name in spared]
            yield Seen(f"not registered, and nothing waits for them: {names(others)}")


def _others_registered(scope: Scope) -> Iterator[Remark]:
    for query, devices in scope.each(_DEVICES):
        there = _registered(devices)
        if missing := devices.keys() - there:
            yield Fault(f"{query.kind.value}: not registered before the change: {names(missing)}")
        else:
            yield Seen(f"{query.kind.value}: {len(there)} registered")


def _two_nodes(scope: Scope) -> Iterator[Remark]:
    calling = {node.name for node in scope.callmanagers if node.runs(Service.CALLMANAGER)}
    alone = tuple(
        sorted(p.name for p in scope.facts.phones if len(calling & set(p.group)) < _SECOND)
    )
    if alone:
        yield Fault(
            f"{len(alone)} phones have a CallManager group with fewer than two nodes that run "
            f"{Service.CALLMANAGER}: {names(alone)}",
            phones=alone,
        )
    else:
        yield Seen("every phone's CallManager group has two nodes or more")


def _all_ask_tvs(scope: Scope) -> Iterator[Remark]:
    without = tuple(sorted(p.name for p in scope.facts.phones if not p.security_by_default))
    if not without:
        yield Seen("every phone has Security By Default")
        return
    danger = scope.mixed and bool(scope.units & CTL_UNITS)
    more = ": a CTL by a signer that they do not hold stays refused" if danger else ""
    yield Fault(
        f"{len(without)} phones are without Security By Default{more}: {names(without)}",
        severity=Severity.CONSENT if danger else Severity.WARNING,
        phones=without,
    )


# ── after ─────────────────────────────────────────────────────────────────────────────────


def _phones_back(scope: Scope) -> Iterator[Remark]:
    waived = scope.change.waived if scope.change else frozenset()
    spared = scope.change.not_awaited if scope.change else frozenset()
    for _, phones in scope.each((Registrations(),)):
        there = _registered(phones)
        away = {p.name for p in scope.facts.phones} - there - waived
        missing = tuple(sorted(away - spared))
        if missing:
            yield Fault(f"{len(missing)} phones are missing: {names(missing)}", phones=missing)
        else:
            yield Seen("every phone in scope is registered")
        if away & spared:
            yield Seen(f"not back, and nothing waits for them: {names(sorted(away & spared))}")
    if waived:
        yield Seen(f"left behind, by a person's word: {names(waived)}")


def _devices_back(scope: Scope) -> Iterator[Remark]:
    """Whether every device of the baseline, phones aside, is registered again."""
    baseline = scope.change.baseline if scope.change else None
    if baseline is None:
        yield Doubt("nobody wrote down who was registered before the change")
        return
    for kind in OTHER_CLASSES:
        if kind not in baseline.registered:
            yield Doubt(f"{kind.value}: could not be read before the change")
    for query, devices in scope.each(_DEVICES):
        before = baseline.registered.get(query.kind, frozenset())
        if missing := before - _registered(devices):
            yield Fault(f"{query.kind.value}: {len(missing)} are missing: {names(missing)}")
        else:
            yield Seen(f"{query.kind.value}: all {len(before)} are back")


# ── the tables ────────────────────────────────────────────────────────────────────────────

_ALL_ON: Final = Source("Cisco TAC 214231", "endpoints", "point P3: all powered on and registered")

PHONES: Final = (
    Check(
        id="phones-registered",
        title="every phone is registered before anything changes",
        severity=Severity.CONSENT,
        units=LIST_UNITS,
        source=_ALL_ON,
        unlock="the phones switched on and registered; or each waived by name, and reported as "
        "left behind",
        asks=asks_for(Registrations()),
        remarks=_phones_registered,
    ),
    Check(
        id="devices-registered",
        title="trunks, gateways, media resources and CTI are registered",
        severity=Severity.WARNING,
        source=Source("Cisco TAC 214231", "endpoints", "point P1: watch all registered devices"),
        unlock="find out why they are down: only what is registered now has to be back at the end",
        asks=asks_for(*_DEVICES),
        remarks=_others_registered,
    ),
    Check(
        id="two-callmanagers",
        title="every phone has a second CallManager to go to",
        severity=Severity.CONSENT,
        units=LIST_UNITS,
        source=Source(
            "pkinane, Cisco community", "before the change", "K8: one TVS stays reachable"
        ),
        unlock="a second node in the CallManager group; on a single-node cluster say that its "
        "phones lose service while it restarts, and have only the TVS of that node",
        remarks=_two_nodes,
    ),
    Check(
        id="security-by-default",
        title="every phone can ask TVS",
        severity=Severity.CONSENT,
        units=LIST_UNITS,
        source=Source("Cisco TAC 118893", "phones without Security By Default", "F10"),
        unlock="say what is done for these phones: their CTL may have to be deleted by hand",
        remarks=_all_ask_tvs,
    ),
)
"""The checks before a change that are about endpoints."""

PHONES_BACK: Final = (
    Check(
        id="phones-back",
        title="every phone in scope is registered",
        severity=Severity.BLOCK,
        units=LIST_UNITS,
        source=Source("Cisco TAC 214231", "endpoints", "points P1, C4, M4"),
        unlock="each missing phone looked at, or waived by name",
        asks=asks_for(Registrations()),
        remarks=_phones_back,
    ),
    Check(
        id="devices-back",
        title="trunks, gateways, media resources and CTI are registered as before",
        severity=Severity.CONSENT,
        source=Source("Cisco TAC 214231", "endpoints", "point P1: counts equal to the baseline"),
        unlock="each looked at; or say who compared them with what",
        asks=asks_for(*_DEVICES),
        remarks=_devices_back,
    ),
)
"""The checks after a change that are about endpoints."""
