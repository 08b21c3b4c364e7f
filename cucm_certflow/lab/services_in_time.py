"""The services of a lab cluster in time: when they stop, start, hang, die, and go with their node.

How long each state lasts is the lab's invention throughout.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import attrs

from cucm_certflow.facts import ServiceState, ServiceStatus
from cucm_certflow.lab.counters import TftpCounters
from cucm_certflow.lab.phones_in_time import PhonesInTime
from cucm_certflow.lab.physics import actions
from cucm_certflow.lab.stage import Stage
from cucm_certflow.names import Service

__all__ = ["START_SHARE", "STOP_SHARE", "ServicesInTime"]

_STOPPING_AFTER: Final = 0.02
STOP_SHARE: Final = 0.25
START_SHARE: Final = 0.65
"""Shares of a restart: in which a stop ends, and which a start takes."""

_STARTING_AFTER: Final = 1 - START_SHARE
_NETWORK_SERVICE_UP: Final = timedelta(days=30)


@attrs.define(eq=False)
class _Process:
    """``turn`` counts the commands about it, so that an old one's events are void.

    ``is_commanded``: somebody stopped it. ``delay``: how much longer its next start takes; None:
    that never ends.
    """

    status: ServiceStatus
    started_at: datetime
    turn: int = 0
    is_commanded: bool = False
    delay: timedelta | None = timedelta(0)


class ServicesInTime:
    """Every service of every node of *stage*.

    Args:
        stage: The world, and its hour.
        phones: They lose their registration with the CallManager that stops.
        activated: The services of each node.
    """

    def __init__(
        self, stage: Stage, phones: PhonesInTime, activated: Mapping[str, tuple[Service, ...]]
    ) -> None:
        self._stage = stage
        self._phones = phones
        up_since = stage.now - _NETWORK_SERVICE_UP
        self._processes = {
            (node, service): _Process(ServiceStatus.STARTED, up_since)
            for node, services in activated.items()
            for service in services
        }
        self._down: set[str] = set()
        self._boots = dict.fromkeys(activated, 0)
        self._stale: dict[str, datetime | None] = {}

    # ── looking ───────────────────────────────────────────────────────────────────────────

    def state(self, node: str, service: Service) -> ServiceState:
        """The state of *service* on *node*, and when it really started."""
        process = self._processes.get((node, service))
        if process is None:
            return ServiceState(ServiceStatus.STOPPED, activated=False)
        started = process.started_at if process.status is ServiceStatus.STARTED else None
        return ServiceState(process.status, started_at=started)

    def is_commanded_out(self, node: str, service: Service) -> bool:
        """Whether *service* is stopped on *node* because somebody commanded it."""
        process = self._processes.get((node, service))
        return (
            process is not None and process.is_commanded and process.status is ServiceStatus.STOPPED
        )

    def check(self, node: str, service: Service) -> ServiceStatus:
        """The state of a service that is to be commanded.

        Raises:
            ValueError: it is not activated there.
        """
        process = self._processes.get((node, service))
        if process is None:
            message = f"{service.value} is not activated on {node}"
            raise ValueError(message)
        return process.status

    def is_node_up(self, node: str) -> bool:
        """Whether *node* runs at all; one that boots does, with services that are still down."""
        return node not in self._down

    def boots(self, node: str) -> int:
        """How often *node* has gone down since the beginning: no session outlasts that."""
        return self._boots[node]

    # ── what people do ────────────────────────────────────────────────────────────────────

    def restart(self, node: str, service: Service, length: timedelta) -> datetime:
        """Stop *service* and start it; returns when it runs, if nothing is in the way."""
        return self._turns(
            node,
            service,
            (length * _STOPPING_AFTER, self._stopping),
            (length * STOP_SHARE, self._stopped),
            (length * _STARTING_AFTER, self._starting),
            (length, self._started),
        )

    def stop(self, node: str, service: Service, length: timedelta) -> datetime:
        """Stop *service* until somebody starts it; returns when it is stopped."""
        return self._turns(
            node,
            service,
            (length * _STOPPING_AFTER, self._stopping),
            (length, self._stopped_for_good),
        )

    def start(self, node: str, service: Service, length: timedelta) -> datetime:
        """Start *service* that is stopped; returns when it runs, if nothing is in the way."""
        return self._turns(
            node,
            service,
            (length * _STOPPING_AFTER, self._starting),
            (length, self._started),
        )

    # ── what happens to them ──────────────────────────────────────────────────────────────

    def renewed(self, node: str, service: Service) -> None:
        """*service* has restarted by itself, at once, if it is there."""
        process = self._processes.get((node, service))
        if process is not None:
            process.started_at = self._stage.now

    def hinder(self, node: str, service: Service, delay: timedelta | None) -> None:
        """The next start of *service* takes *delay* longer; None: it never ends."""
        self._processes[node, service].delay = delay

    def die(self, node: str, service: Service, back_after: timedelta | None) -> None:
        """*service* is gone at once; it starts by itself *back_after* from now, if that is given.

        One that is down, or stuck, is not touched.
        """
        process = self._processes[node, service]
        if process.status is not ServiceStatus.STARTED:
            return
        process.turn += 1
        self._stopping(node, service)
        self._stopped(node, service)
        if back_after is not None:
            self._turns(node, service, (back_after, self._starting), (back_after, self._started))

    def keep_list(self, node: str, until: datetime | None) -> None:
        """Cisco Tftp of *node* rebuilds no ITL when it starts, *until*; None: the next time."""
        self._stale[node] = until

    def reboot(self, node: str, for_: timedelta) -> None:
        """*node* goes down now, and its services start *for_* later, each in its own time.

        One that somebody had stopped starts as well: it is activated.
        """
        if node in self._down:
            return
        self._down.add(node)
        self._boots[node] += 1
        for service in self._services(node):
            process = self._processes[node, service]
            process.turn += 1
            if process.status is ServiceStatus.STARTED:
                self._stopping(node, service)
            self._stopped(node, service)
        self._stage.after(for_, partial(self._boot, node))

    def _boot(self, node: str) -> None:
        self._down.discard(node)
        for service in self._services(node):
            whole = self._stage.timing.restart_of(service) * START_SHARE
            name = f"{node} boot {self._boots[node]} {service.value}"
            self.start(node, service, self._stage.about(name, whole))

    def _services(self, node: str) -> Iterator[Service]:
        return (service for there, service in self._processes if there == node)

    def _turns(
        self,
        node: str,
        service: Service,
        *turns: tuple[timedelta, Callable[[str, Service], None]],
    ) -> datetime:
        """Let *turns* happen, each so long from now, unless a later command comes in between."""
        process = self._processes[node, service]
        process.turn += 1

        def turn(number: int, action: Callable[[str, Service], None]) -> None:
            if process.turn == number:
                action(node, service)

        end = self._stage.now
        for delay, action in turns:
            end = self._stage.after(delay, partial(turn, process.turn, action))
        return end

    def _stopping(self, node: str, service: Service) -> None:
        stage = self._stage
        was_up = stage.scenery.up(service, node)
        self._processes[node, service].status = ServiceStatus.STOPPING
        if stage.layout.runs(service, node):
            stage.scenery = actions.stop(stage.layout, stage.scenery, service, node)
        if service is Service.CALLMANAGER and was_up:
            self._phones.callmanager_stopped(node)  # these take their time

    def _stopped(self, node: str, service: Service) -> None:
        self._processes[node, service].status = ServiceStatus.STOPPED

    def _stopped_for_good(self, node: str, service: Service) -> None:
        self._stopped(node, service)
        self._processes[node, service].is_commanded = True

    def _starting(self, node: str, service: Service) -> None:
        process = self._processes[node, service]
        process.status = ServiceStatus.STARTING
        process.is_commanded = False

    def _started(self, node: str, service: Service) -> None:
        stage, process = self._stage, self._processes[node, service]
        delay, process.delay = process.delay, timedelta(0)
        if delay is None:  # it hangs, and with it nothing else changes
            return
        if delay:
            self._turns(node, service, (delay, self._started))
            return
        process.status, process.started_at = ServiceStatus.STARTED, stage.now
        if stage.layout.runs(service, node):
            before = stage.scenery
            stage.scenery = actions.restart(stage.layout, before, service, node)
            if service is Service.TFTP and self._is_stale(node):
                stage.scenery = stage.scenery._replace(itl=before.itl)
        if service is Service.CALLMANAGER:
            self._phones.callmanager_started(node)  # these take their time
        if service is Service.TFTP:
            stage.tftp[node] = TftpCounters()
        if service is Service.TOMCAT:
            self._fronted(node)

    def _fronted(self, node: str) -> None:
        """HAProxy restarts with Tomcat (web-apis.md §2)."""
        front = self._processes.get((node, Service.HAPROXY))
        if front is not None:
            front.started_at = self._stage.now

    def _is_stale(self, node: str) -> bool:
        """Whether Tftp keeps its old ITL at the start that it makes now."""
        if node not in self._stale:
            return False
        until = self._stale[node]
        if until is None:
            del self._stale[node]
            return True
        return self._stage.now < until
