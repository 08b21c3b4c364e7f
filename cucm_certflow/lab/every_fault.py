"""Every fault and every event at every step of a run: scenarios with one each, for sweeps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import attrs

from cucm_certflow.commands import Command
from cucm_certflow.lab.cluster import Executed
from cucm_certflow.lab.faults import Exchange
from cucm_certflow.lab.physics.world import Layout
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.lab.scenario_events import EventKind, EventSpec
from cucm_certflow.lab.scenario_faults import FaultKind, FaultSpec, interface_of
from cucm_certflow.names import CertUnit, Service

__all__ = ["FaultCase", "every_fault"]

_HOUR_S: Final = 3_600.0
_LASTS_S: Final = 1_800.0
_LONG_START_S: Final = 600.0
_SLOW_BOOT_S: Final = 900.0
_LOOP_S: Final = 240.0
_REBOOT_S: Final = 900.0
_SHARE: Final = 0.5
_SOON_S: Final = 1.0
_RESTART: Final = "utils service restart "
_START: Final = "utils service start "
_REGENERATE: Final = "set cert regen "
_CTL: Final = "utils ctl update CTLFile"
_RESET: Final = "doDeviceReset"
_CHANGES: Final = (
    _RESTART,
    _START,
    "utils service stop ",
    _REGENERATE,
    _CTL,
    _RESET,
    "set cert delete ",
    "utils itl reset localkey",
    "utils ctl reset localkey",
)


class FaultCase(NamedTuple):
    """One case of a sweep: a readable name, and the scenario with nothing more than that wrong."""

    name: str
    scenario: Scenario


class _Step(NamedTuple):
    """An exchange that can be struck: the ``nth`` that begins so on that node."""

    number: int
    node: str
    text: str
    nth: int

    @property
    def is_change(self) -> bool:
        return self.text.startswith(_CHANGES)


_Parameters = Iterator[Mapping[str, Any]]
_Makes = Callable[[Scenario, Layout, _Step], _Parameters]


def every_fault(
    scenario: Scenario, steps: Iterable[Exchange | Executed | Command]
) -> Iterator[FaultCase]:
    """*scenario* again and again, each time with one more fault, or with one more event.

    Every kind of fault comes at every step at whose interface it makes sense, and every kind of
    event at every command that changes something, where it makes sense there.

    Args:
        scenario: What is struck; faults and events that it has already stay in all cases.
        steps: What is asked of the cluster, in order. ``LabCluster.exchanges`` of a run without
            faults has the looks as well as the commands: of looks that are repeated until the next
            command, the first is struck. ``LabCluster.log`` and the commands of a plan have the
            commands only. Resets of phones that follow each other in a log are one step.

    Returns:
        Cases with names that are unique, in the order of the steps; the same for the same
        arguments. Every scenario is valid.
    """
    layout = scenario.layout()
    for step in _steps(steps):
        where = f"at {step.number}: {step.text} on {step.node}"
        for kind in FaultKind:
            if kind.interfaces and interface_of(step.text) not in kind.interfaces:
                continue
            fault = FaultSpec(
                kind=kind, command=step.text, node=step.node, nth=step.nth, for_s=_LASTS_S
            )
            faulty = attrs.evolve(scenario, faults=(*scenario.faults, fault))
            yield FaultCase(f"{kind.value} {where}", faulty)
        if not step.is_change:
            continue
        for event_kind, makes in _EVENTS.items():
            for given in makes(scenario, layout, step):
                event = EventSpec(
                    kind=event_kind,
                    command=step.text,
                    command_node=step.node,
                    nth=step.nth,
                    **given,
                )
                eventful = attrs.evolve(scenario, events=(*scenario.events, event))
                yield FaultCase(f"{event_kind.value}{_said(given)} {where}", eventful)


def _steps(steps: Iterable[Exchange | Executed | Command]) -> Iterator[_Step]:
    """What can be struck, numbered from 1: repeated looks once, resets in a row once."""
    counts: dict[tuple[str, str], int] = {}
    looked: set[tuple[str, str]] = set()
    number, in_a_row = 0, False
    for given in steps:
        node = given.node
        text = given.text if isinstance(given, Exchange | Executed) else str(given)
        one_phone = text.startswith(_RESET) and not text.startswith(f"{_RESET} of ")
        follows, in_a_row = in_a_row and one_phone, one_phone
        if text.startswith(_RESET):
            text = _RESET
        if follows and isinstance(given, Executed):
            continue  # the log has each phone, and in memory they are asked for at once
        nth = counts[node, text] = counts.get((node, text), 0) + 1
        step = _Step(number + 1, node, text, nth)
        if follows or (node, text) in looked:
            continue
        if step.is_change:
            looked.clear()
        else:
            looked.add((node, text))
        number += 1
        yield step


def _said(given: Mapping[str, Any]) -> str:
    """The parameters that tell two cases of one kind at one step apart."""
    words = [str(given[key]) for key in ("service", "unit", "node") if given.get(key) is not None]
    words += [f"{given[key]:+.0f} s" for key in ("by_s",) if key in given]
    words += [f"{given['share']:.0%}"] if "share" in given else []
    words += [f"for {given['for_s']:.0f} s"] if "for_s" in given else []
    return f" ({', '.join(words)})" if words else ""


# ── which events make sense at which step ─────────────────────────────────────────────────


def _started(step: _Step) -> Service | None:
    """The service that *step* starts, if it is one that starts one."""
    for beginning in (_RESTART, _START):
        if step.text.startswith(beginning):
            return Service(step.text.removeprefix(beginning))
    return None


def _starts(*, after_s: float | None = None, **more: Any) -> _Makes:  # noqa: ANN401 - parameters of any kind
    """At each start of a service, to that service."""

    def make(scenario: Scenario, _: Layout, step: _Step) -> _Parameters:
        service = _started(step)
        if service is None:
            return
        timing = scenario.timing
        whole = timing.restart_of(service) * (1 + timing.jitter)
        later = {} if after_s is None else {"after_s": whole + after_s}
        yield {"node": step.node, "service": service, **later, **more}

    return make


def _other_tftp(_: Scenario, layout: Layout, step: _Step) -> _Parameters:
    """Cisco Tftp of each TFTP node, while something else is done."""
    for node in layout.tftp_nodes:
        if _started(step) is not Service.TFTP or node != step.node:
            yield {"node": node, "service": Service.TFTP, "after_s": _SOON_S}


def _to_subscribers(**more: Any) -> _Makes:  # noqa: ANN401 - parameters of any kind
    """To each node of call processing but the publisher, as a certificate is made."""

    def make(_: Scenario, layout: Layout, step: _Step) -> _Parameters:
        if step.text.startswith(_REGENERATE):
            for node in layout.calling_nodes:
                if node != layout.publisher:
                    yield {"node": node, **more}

    return make


def _kept(scenario: Scenario, layout: Layout, step: _Step) -> _Parameters:
    if step.text == _CTL and scenario.is_mixed:
        for node in layout.tftp_nodes:
            if node != step.node:
                yield {"node": node}


def _stale(_: Scenario, __: Layout, step: _Step) -> _Parameters:
    if _started(step) is Service.TFTP:
        yield {"node": step.node}


def _anywhere(*each: Mapping[str, Any]) -> _Makes:
    """At every step, in each of these ways."""

    def make(_: Scenario, __: Layout, ___: _Step) -> _Parameters:
        yield from each

    return make


def _phones(*each: Mapping[str, Any]) -> _Makes:
    """At every step, if there are phones, in each of these ways."""

    def make(scenario: Scenario, _: Layout, __: _Step) -> _Parameters:
        if scenario.phones:
            yield from each

    return make


def _reboots(_: Scenario, __: Layout, step: _Step) -> _Parameters:
    yield {"node": step.node, "for_s": _REBOOT_S, "after_s": _SOON_S}


def _outside(_: Scenario, layout: Layout, __: _Step) -> _Parameters:
    """What phones trust is regenerated by somebody else, on each node, as soon as we act."""
    for node in layout.calling_nodes:
        for unit in (CertUnit.CALLMANAGER, CertUnit.TVS, CertUnit.CAPF, CertUnit.ITLRECOVERY):
            if layout.has(unit, node):
                yield {"node": node, "unit": unit, "after_s": _SOON_S}


def _ctl_outside(scenario: Scenario, layout: Layout, _: _Step) -> _Parameters:
    if scenario.is_mixed and not layout.signs_by_token and layout.has_itlrecovery:
        yield {"after_s": _SOON_S}


_EVENTS: Final[Mapping[EventKind, _Makes]] = {
    EventKind.SERVICE_SLOW: _starts(for_s=_LONG_START_S),
    EventKind.SERVICE_STUCK: _starts(),
    EventKind.SERVICE_DIES: _starts(after_s=20.0),
    EventKind.SERVICE_RESTARTS: _other_tftp,
    EventKind.NODE_REBOOTS: _reboots,
    EventKind.REPLICATION_BROKEN: _to_subscribers(for_s=_HOUR_S),
    EventKind.DATABASE_LATE: _to_subscribers(by_s=_LASTS_S),
    EventKind.CTL_KEPT: _kept,
    EventKind.LIST_STALE: _stale,
    EventKind.PHONES_SLOW: _phones({"by_s": _SLOW_BOOT_S}),
    EventKind.PHONES_AWAY: _phones(
        {"share": _SHARE}, {"share": 1.0}, {"share": _SHARE, "for_s": _HOUR_S}
    ),
    EventKind.PHONES_LOOP: _phones({"by_s": _LOOP_S, "share": _SHARE}),
    EventKind.PHONES_RESET: _phones({"share": 1.0}),
    EventKind.PHONES_LOCKED: _phones({"share": _SHARE}),
    EventKind.REGENERATED_OUTSIDE: _outside,
    EventKind.CTL_UPDATED_OUTSIDE: _ctl_outside,
    EventKind.CLOCK_JUMPS: _anywhere({"by_s": _HOUR_S}, {"by_s": -_HOUR_S}),
    EventKind.DRIVER_SLEEPS: _anywhere({"for_s": 4 * _HOUR_S, "after_s": _SOON_S}),
}
"""Of each kind: with which parameters it comes at a step; none where it makes no sense."""
