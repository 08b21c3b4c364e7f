"""The events of a scenario, in time: what each kind does to a lab cluster when it is due."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Final, NamedTuple

from cucm_certflow.lab.book import Book
from cucm_certflow.lab.driver_clock import DriverClock
from cucm_certflow.lab.phones_in_time import PhonesInTime
from cucm_certflow.lab.scenario_events import EventKind, EventSpec
from cucm_certflow.lab.services_in_time import ServicesInTime
from cucm_certflow.lab.stage import Stage
from cucm_certflow.names import CertUnit, Service

__all__ = ["Happened", "Happenings"]


class Happened(NamedTuple):
    """One of the scenario's events, and when it happened."""

    at: datetime
    event: EventSpec


class Happenings:
    """Lets events happen to a cluster, each at its instant.

    Args:
        stage: The world, and its hour.
        services: Those that hang, die and restart, with their nodes.
        phones: Those that are slow, stay away, and reset by themselves.
        book: What databases know.
        driver: The clock that jumps.
        regenerate: Regenerates a unit on a node, and says so to nobody.
        update_ctl: Has every TFTP node serve a new CTL.
    """

    def __init__(
        self,
        stage: Stage,
        *,
        services: ServicesInTime,
        phones: PhonesInTime,
        book: Book,
        driver: DriverClock,
        regenerate: Callable[[str, CertUnit], None],
        update_ctl: Callable[[], None],
    ) -> None:
        self._stage = stage
        self._services = services
        self._phones = phones
        self._book = book
        self._driver = driver
        self._regenerate = regenerate
        self._keeping: dict[str, datetime | None] = {}
        self._happened: list[Happened] = []
        self._acts: Final[Mapping[EventKind, Callable[[EventSpec], None]]] = {
            EventKind.SERVICE_SLOW: self._service_slow,
            EventKind.SERVICE_STUCK: lambda event: services.hinder(*_service(event), None),
            EventKind.SERVICE_DIES: lambda event: services.die(*_service(event), _span(event)),
            EventKind.SERVICE_RESTARTS: self._service_restarts,
            EventKind.NODE_REBOOTS: lambda event: services.reboot(_node(event), _long(event)),
            EventKind.REPLICATION_BROKEN: self._replication_broken,
            EventKind.DATABASE_LATE: self._database_late,
            EventKind.CTL_KEPT: self._ctl_kept,
            EventKind.LIST_STALE: lambda event: services.keep_list(
                _node(event), self._until(event)
            ),
            EventKind.PHONES_SLOW: self._phones_slow,
            EventKind.PHONES_AWAY: self._phones_away,
            EventKind.PHONES_LOOP: self._phones_loop,
            EventKind.PHONES_RESET: self._phones_reset,
            EventKind.PHONES_LOCKED: self._phones_locked,
            EventKind.REGENERATED_OUTSIDE: self._regenerated_outside,
            EventKind.CTL_UPDATED_OUTSIDE: lambda _: update_ctl(),
            EventKind.CLOCK_JUMPS: lambda event: driver.jump(_by(event).total_seconds()),
            EventKind.DRIVER_SLEEPS: self._driver_sleeps,
        }

    @property
    def happened(self) -> tuple[Happened, ...]:
        """What has happened, in order."""
        return tuple(self._happened)

    def later(self, event: EventSpec, seconds: float) -> None:
        """Let *event* happen *seconds* from now; with 0 it has happened when this returns."""
        if seconds:
            self._stage.after(timedelta(seconds=seconds), partial(self._happen, event))
        else:
            self._happen(event)

    def keeps_ctl(self, node: str) -> bool:
        """Whether the CTL that is about to reach *node* does not; asking it counts as one."""
        if node not in self._keeping:
            return False
        until = self._keeping[node]
        if until is None:
            del self._keeping[node]
            return True
        return self._stage.now < until

    def _happen(self, event: EventSpec) -> None:
        happened = self._stage.agenda.cause = Happened(self._stage.now, event)
        self._happened.append(happened)
        self._acts[event.kind](event)

    def _until(self, event: EventSpec) -> datetime | None:
        """When *event* is over; None if it does not say."""
        span = _span(event)
        return None if span is None else self._stage.now + span

    def _over(self, event: EventSpec, action: Callable[[], object]) -> None:
        """Let *action* happen when *event* is over, if ever it is."""
        span = _span(event)
        if span is not None:
            self._stage.after(span, action)

    # ── services and nodes ────────────────────────────────────────────────────────────────

    def _service_slow(self, event: EventSpec) -> None:
        self._services.hinder(*_service(event), _long(event))

    def _service_restarts(self, event: EventSpec) -> None:
        node, service = _service(event)
        whole = self._stage.timing.restart_of(service)
        name = f"{node} {service.value} by itself {len(self._happened)}"
        self._services.restart(node, service, self._stage.about(name, whole))

    # ── databases and lists ───────────────────────────────────────────────────────────────

    def _replication_broken(self, event: EventSpec) -> None:
        self._book.cut_off(_node(event))
        self._over(event, partial(self._book.reconnect, _node(event)))

    def _database_late(self, event: EventSpec) -> None:
        self._book.delay(_node(event), _by(event).total_seconds())
        self._over(event, partial(self._book.delay, _node(event), 0.0))

    def _ctl_kept(self, event: EventSpec) -> None:
        self._keeping[_node(event)] = self._until(event)

    def _regenerated_outside(self, event: EventSpec) -> None:
        assert event.unit is not None  # the kind needs one
        self._regenerate(_node(event), event.unit)

    # ── phones ────────────────────────────────────────────────────────────────────────────

    def _chosen(self, event: EventSpec) -> tuple[int, ...]:
        name = f"{event.kind.value} {len(self._happened)}"
        return self._phones.chosen(name, 1.0 if event.share is None else event.share)

    def _phones_slow(self, event: EventSpec) -> None:
        for index in self._chosen(event):
            self._phones.slow_down(index, _by(event), self._until(event))

    def _phones_away(self, event: EventSpec) -> None:
        for index in self._chosen(event):
            self._phones.send_away(index, _span(event))

    def _phones_reset(self, event: EventSpec) -> None:
        for index in self._chosen(event):
            self._phones.reset(index)

    def _phones_loop(self, event: EventSpec) -> None:
        chosen, until = self._chosen(event), self._until(event)

        def again() -> None:
            if until is not None and self._stage.now >= until:
                return
            for index in chosen:
                self._phones.reset(index)
            self._stage.after(_by(event), again)

        again()

    def _phones_locked(self, event: EventSpec) -> None:
        for index in self._chosen(event):
            self._phones.lock(index)

    # ── the driver ────────────────────────────────────────────────────────────────────────

    def _driver_sleeps(self, event: EventSpec) -> None:
        self._driver.nap(self._stage.now, _long(event).total_seconds())


# ── what a kind needs is there: EventSpec has seen to it ──────────────────────────────────


def _node(event: EventSpec) -> str:
    assert event.node is not None
    return event.node


def _service(event: EventSpec) -> tuple[str, Service]:
    assert event.service is not None
    return _node(event), event.service


def _by(event: EventSpec) -> timedelta:
    assert event.by_s is not None
    return timedelta(seconds=event.by_s)


def _span(event: EventSpec) -> timedelta | None:
    return None if event.for_s is None else timedelta(seconds=event.for_s)


def _long(event: EventSpec) -> timedelta:
    span = _span(event)
    assert span is not None
    return span
