"""The lab cluster behind the library's own seam, without any bytes in between."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Final

from cucm_certflow.clock import Clock
from cucm_certflow.commands import (
    ByHand,
    Command,
    Reply,
    ReplyKind,
    ResetPhones,
    RestartService,
    StartService,
)
from cucm_certflow.errors import NodeUnreachable, Report
from cucm_certflow.facts import (
    BackupHistory,
    BackupStatus,
    CallManagerGroups,
    ClusterFacts,
    DevicePools,
    Devices,
    Fact,
    Interfaces,
    Known,
    Members,
    Parameter,
    Phones,
    PhoneTrustList,
    Query,
    Reach,
    Registrations,
    Replication,
    ReplyTo,
    Unknown,
)
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.memory_answers import Answers
from cucm_certflow.lab.memory_commands import begin, printed
from cucm_certflow.lab.memory_discovery import discovered
from cucm_certflow.lab.memory_doors import Doors
from cucm_certflow.lab.memory_faults import (
    ANSWER_TIMEOUT_S,
    CONNECTION_BROKE,
    LOOK_TIMEOUT_S,
    NOT_SERVED,
    Unseen,
    foreign_certificate,
    reply_before,
    why_of,
    words_of,
)
from cucm_certflow.lab.memory_reach import is_served
from cucm_certflow.lab.memory_words import CLI, TOMCAT_PORT, asked
from cucm_certflow.lab.privilege import may_type
from cucm_certflow.lab.scenario_faults import FaultKind, FaultSpec, door_of
from cucm_certflow.names import Interface, Service

__all__ = ["MemoryTransport"]

_SSH_DOOR: Final = 22


class MemoryTransport:
    """A :class:`~cucm_certflow.transports.base.Transport` over a :class:`LabCluster`.

    Looks and commands take the scenario's time, and its faults strike them. Like a session of the
    platform CLI it knows when a service started only if it watched that restart itself, to the
    end; a second transport over the same cluster does not.

    What a fault makes of a look or a command is what the real transports make of it; where one of
    them raises, it raises the same.

    Args:
        cluster: What it is a way to.
        clock: The cluster's.
        driver: By which what is seen is dated, and by which it waits: the cluster's
            ``driver_clock``, if a scenario's events are to strike it. Not given: *clock*.
    """

    def __init__(self, cluster: LabCluster, clock: Clock, driver: Clock | None = None) -> None:
        self._cluster = cluster
        self._clock = clock
        self._driver = driver or clock
        self._doors = Doors(cluster, self._driver)
        self._timing = cluster.scenario.timing
        self._watched: dict[tuple[str, Service], datetime] = {}
        self._answers = Answers(cluster, self._watched)

    async def aclose(self) -> None:
        """Let go of the sessions; idempotent."""
        self._doors.close()

    def supports(self, what: Query | Command) -> bool:
        """Whether *what* is about a node of the cluster; all but :class:`ReplyTo` can be asked."""
        about_cluster = (
            Registrations,
            PhoneTrustList,
            Members,
            Parameter,
            Phones,
            CallManagerGroups,
            DevicePools,
            Interfaces,
            Replication,
            BackupHistory,
            BackupStatus,
            Devices,
        )
        if isinstance(what, about_cluster):
            return True
        if isinstance(what, ReplyTo | ByHand):
            return False
        if isinstance(what, Reach) and not is_served(self._cluster, what.interface):
            return False
        return what.node in self._names()

    # ── looking ───────────────────────────────────────────────────────────────────────────

    async def observe(self, query: Query) -> Fact:
        """Ask; what is seen is as old as the end of the look, and dated with its beginning."""
        at = self._driver.now()
        if not self.supports(query):
            return Unknown("nobody can be asked that here", at, "lab")
        node, texts, by = asked(query, self._cluster.layout.publisher)
        door, marks = door_of(texts[0]), self._doors.marks(node)
        try:
            struck = await self._doors.reach(node, door, by, *texts)
            await self._driver.sleep(self._timing.look_s)
            fault = None if struck else self._cluster.faults.strike(node, *texts)
            self._doors.check_unbroken(node, marks)
            if by == Interface.TLS and self._doors.is_swapped(node, door):
                return Known(foreign_certificate(node, door), at, by)
            if fault is not None:
                return await self._spoilt(fault.kind, Unknown(texts[0], at, by), node)
            return Known(self._answers.seen(query), at, by)
        except Unseen as error:
            return Unknown(str(error), at, by, error.why, error.role)

    async def _spoilt(self, kind: FaultKind, look: Unknown, node: str) -> Fact:
        """What becomes of *look*, whose reason is its words, when a fault strikes it."""
        if kind in NOT_SERVED and look.by == Interface.TFTP_HTTP:
            return Known(None, look.at, look.by)
        if kind is FaultKind.NO_PROMPT:
            await self._driver.sleep(LOOK_TIMEOUT_S.get(look.by, 60.0))
        self._doors.let_go(node)
        reason = f"{look.reason} on {node}: {words_of(kind)}"
        return Unknown(reason, look.at, look.by, why_of(kind, look.by))

    async def discover(self) -> ClusterFacts:
        """Read everything that a plan is made from; ``unknown`` names what does not answer."""
        cluster = self._cluster
        unreached: list[str] = []
        for node in self._names():
            try:
                await self._doors.reach(node, _SSH_DOOR, CLI)
            except Unseen as error:
                if node == cluster.layout.publisher:
                    raise NodeUnreachable(Report(headline=f"{node}: {error}")) from None
                unreached.append(node)
            await self._driver.sleep(self._timing.look_s)
        return discovered(cluster, self._answers, unreached, self._driver.now())

    # ── changing ──────────────────────────────────────────────────────────────────────────

    async def perform(self, command: Command) -> Reply:
        """Send *command*, and wait until it is complete or a fault has struck."""
        if isinstance(command, ByHand):
            return Reply(ReplyKind.REFUSED, "a person does this by hand", sent=False)
        if not self.supports(command):
            text = f"not sent: nobody can do that here, or {command.node} is no node"
            return Reply(ReplyKind.REFUSED, text, sent=False)
        if isinstance(command, ResetPhones):
            return await self._reset(command)
        node, text = command.node, str(command)
        try:
            struck = await self._doors.reach(node, door_of(text), CLI, text)
        except Unseen as error:
            return Reply(ReplyKind.REFUSED, f"not sent: {error}", sent=False)
        if not may_type(self._cluster.scenario.accounts.platform, text):
            return Reply(ReplyKind.REFUSED, "the account has privilege level 0")
        marks = self._doors.marks(node)
        fault = None if struck else self._cluster.faults.strike(node, text)
        if fault is not None and (reply := self._before(fault, command)) is not None:
            self._doors.let_go(node)
            return reply
        try:
            end = begin(self._cluster, command)
        except ValueError as error:
            return Reply(ReplyKind.REFUSED, str(error))
        if fault is not None and fault.kind in (FaultKind.LOST_REPLY, FaultKind.RESET_DURING):
            # Half-way, so that the effect is yet to come when the caller begins to look.
            await self._driver.sleep((end - self._clock.now()).total_seconds() / 2)
            self._doors.let_go(node)
            return Reply(ReplyKind.LOST, CONNECTION_BROKE)
        await self._sleep_until(end)
        if self._doors.has_broken(node, marks):
            return Reply(ReplyKind.LOST, CONNECTION_BROKE)
        if fault is not None:
            return await self._after(fault.kind, command)
        if isinstance(command, RestartService | StartService) and not self._runs(command):
            return Reply(ReplyKind.LOST, f"{command.service.value}[STARTING]")
        if isinstance(command, RestartService):
            self._watch(command)
        return Reply(ReplyKind.ACCEPTED, printed(self._cluster, command))

    def _runs(self, command: RestartService | StartService) -> bool:
        return self._cluster.is_up(command.node, command.service)

    def _before(self, fault: FaultSpec, command: Command) -> Reply | None:
        """The reply to *command* of a fault that strikes before the node takes it, if it does."""
        return reply_before(fault, partial(begin, self._cluster, command), self._cluster.later)

    async def _after(self, kind: FaultKind, command: Command) -> Reply:
        """The reply to *command*, which is done, when a fault strikes its answer."""
        if kind is FaultKind.UNKNOWN_LAYOUT:
            return Reply(ReplyKind.LOST, words_of(kind))
        self._doors.let_go(command.node)
        if kind is FaultKind.NO_PROMPT:
            await self._driver.sleep(ANSWER_TIMEOUT_S)
        text = printed(self._cluster, command) if kind is FaultKind.TRUNCATED else ""
        return Reply(ReplyKind.LOST, f"{words_of(kind)}\n{text[: len(text) // 2]}".strip())

    async def _reset(self, command: ResetPhones) -> Reply:
        """One ``doDeviceReset`` after the other, as long as the publisher's Tomcat answers."""
        cluster, publisher = self._cluster, self._cluster.layout.publisher
        node, words = command.node, str(command)
        try:
            struck = await self._doors.reach(node, TOMCAT_PORT, Interface.AXL, words)
        except Unseen as error:
            return Reply(ReplyKind.REFUSED, f"not reset: {error}")
        if not cluster.is_web_up(publisher):
            return Reply(ReplyKind.REFUSED, f"no connection to port 8443 of {publisher}")
        fault = None if struck else cluster.faults.strike(node, words)
        if fault is not None:
            reply = self._before(fault, command)
            if reply is not None:
                return reply
        names = command.names
        if fault is not None and fault.kind is FaultKind.RESET_DURING:
            names = names[: (len(names) + 1) // 2]
        marks = self._doors.marks(publisher)
        missing: list[str] = []
        for name in names:
            if not cluster.is_web_up(publisher) or self._doors.marks(publisher) != marks:
                self._doors.lose_sessions(marks)
                return Reply(ReplyKind.LOST, CONNECTION_BROKE)
            try:
                cluster.reset_phone(name)
            except ValueError:
                missing.append(name)
            await self._driver.sleep(self._timing.reset_call_s)
        if fault is not None:
            if fault.kind is FaultKind.NO_PROMPT:
                await self._driver.sleep(LOOK_TIMEOUT_S.get(Interface.AXL, 60.0))
            return Reply(ReplyKind.LOST, words_of(fault.kind))
        if missing and len(missing) == len(command.names):
            return Reply(ReplyKind.REFUSED, f"Item not valid: {', '.join(missing[:5])} not found")
        text = "".join(f"; {name} not found" for name in missing[:5])
        return Reply(ReplyKind.ACCEPTED, f"{len(command.names) - len(missing)} times true{text}")

    def _watch(self, command: RestartService) -> None:
        key = (command.node, command.service)
        started_at = self._cluster.service_state(*key).started_at
        if started_at is not None:
            # Seen at that moment, and dated by the driver's clock.
            self._watched[key] = started_at + (self._driver.now() - self._clock.now())

    # ── small things ──────────────────────────────────────────────────────────────────────

    def _names(self) -> tuple[str, ...]:
        return tuple(node.name for node in self._cluster.scenario.nodes)

    async def _sleep_until(self, instant: datetime) -> None:
        # More than once, if the clock that sleeps runs ahead of the one that tells the time.
        while (left := (instant - self._clock.now()).total_seconds()) > 0:
            await self._driver.sleep(left)
