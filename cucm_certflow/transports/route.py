"""A cluster as one transport: every way that there is, in the order of the table of ways."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Final, TypeVar

from cucm_certflow.clock import Clock
from cucm_certflow.commands import (
    Command,
    Regenerate,
    Reply,
    ReplyKind,
    ResetPhones,
    RestartService,
    StartService,
    StopService,
)
from cucm_certflow.core.routing import PROBES, agree, ways_for
from cucm_certflow.errors import IdentityNotTrusted
from cucm_certflow.facts import (
    CertificateOf,
    Devices,
    Fact,
    Interfaces,
    InterfaceState,
    Known,
    PhoneTrustList,
    PresentedCertificate,
    Query,
    Reach,
    Reached,
    Registration,
    RegistrationCounts,
    Registrations,
    ServicesOn,
    UnitsOn,
    Unknown,
    VersionOf,
    Why,
)
from cucm_certflow.names import CertUnit, DeviceClass, Interface, Release, Service
from cucm_certflow.transports.base import Transport, look
from cucm_certflow.transports.phone_web import PhoneWeb
from cucm_certflow.transports.pins import PINNED_UNITS, WEB_PORT, Pins
from cucm_certflow.transports.registrations import Counts, RegistrationWatch
from cucm_certflow.transports.ris import RisClient

__all__ = ["Route"]

T = TypeVar("T")

_log = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())

_REST_S: Final = 30.0
"""How long a way that did not answer is left alone, if there is another one."""

_PHONES: Final = ("RegisteredHardwarePhones", "RegisteredOtherStationDevices")
"""Counters of PerfMon that go up and down with phones; those of Jabber besides."""


class Route:
    """Asks by the first way that can answer now, and says by which.

    A way that lacks a role there is asked only where nobody else answers; so is, for a while, one
    that did not answer. A question whose class is in *confirm* is asked by two ways: if they
    contradict each other the answer is Unknown(conflict) with both, and if the second one does not
    answer it is Unknown. Where the table has no second way under the release, one is enough.

    The pin of a node's HTTPS certificate is learnt over SSH, whose host key is independent of it,
    before the first request; from then on it moves only when a command of ours regenerates it.

    Args:
        ways: A transport for each interface that the site allows.
        ris: For registrations, which need more than one question; None where RISPort70 is not
            allowed.
        clock: The cluster's.
        pins: Shared with the web clients.
        nodes: The names of the nodes, publisher first.
        confirm: Classes of questions to ask by two ways.
        phones: For what phones show themselves; None where nobody may ask them.
        whole_up_to: As for :class:`~cucm_certflow.transports.registrations.RegistrationWatch`.
    """

    def __init__(
        self,
        ways: Mapping[Interface, Transport],
        *,
        ris: RisClient | None,
        clock: Clock,
        pins: Pins,
        nodes: Sequence[str],
        confirm: Collection[type[Query]] = (),
        whole_up_to: int = 2000,
        phones: PhoneWeb | None = None,
    ) -> None:
        self.ways = ways
        self.pins = pins
        self._ris = ris
        self._phones = phones
        self._clock = clock
        self._nodes = tuple(nodes)
        self._confirm = frozenset(confirm)
        self._releases: dict[str, Release] = {}
        self._callmanagers: tuple[str, ...] = ()
        self._states: dict[tuple[str, Interface], InterfaceState] = {}
        self._resting: dict[tuple[str, Interface], float] = {}
        self._pinning = asyncio.Lock()
        self.registrations: Final = RegistrationWatch(
            self._read_registrations,
            self._count,
            clock,
            page=1 if ris is None else ris.page,
            whole_up_to=whole_up_to,
        )

    # ── the seam ──────────────────────────────────────────────────────────────────────────

    def supports(self, what: Query | Command) -> bool:
        """Whether one of the ways can answer or do *what*."""
        if isinstance(what, Interfaces):
            return True
        if isinstance(what, Reach):
            return self._has(what.interface) and what.node in self._nodes
        if isinstance(what, Registrations | Devices):
            return self._ris is not None
        if isinstance(what, PhoneTrustList):
            return self._phones is not None
        return any(way.supports(what) for way in self.ways.values())

    async def observe(self, query: Query) -> Fact:
        """Ask the ways that know; see :class:`~cucm_certflow.transports.base.Transport`."""
        match query:
            case Interfaces():
                return await self._interfaces()
            case Reach():
                return await self._reach(query)
            case Registrations() | Devices():
                return await self._registrations(query)
            case PhoneTrustList(phone):
                return await self._shown_by(phone)
            case _:
                pass
        fact = await self._ask(query)
        self._learn(query, fact)
        return fact

    async def perform(self, command: Command) -> Reply:
        """Send *command* once; by another way only if not a byte of it was sent by the first."""
        self._expect(command)
        reply = Reply(ReplyKind.REFUSED, f"no way can do: {command}", sent=False)
        for interface in self._in_order(command):
            reply = await self._through(interface, command)
            if reply.sent:
                break
        if reply.kind is ReplyKind.REFUSED and isinstance(command, Regenerate):
            self.pins.expect_no_change(command.node, command.unit)
        return reply

    async def aclose(self) -> None:
        """Close every way; idempotent."""
        closing = [way.aclose() for way in self.ways.values()]
        if self._ris is not None:
            closing.append(self._ris.aclose())
        if self._phones is not None:
            closing.append(self._phones.aclose())
        await asyncio.gather(*closing)

    # ── what others tell ──────────────────────────────────────────────────────────────────

    def know(
        self,
        *,
        releases: Mapping[str, Release],
        callmanagers: Iterable[str],
        phones: Iterable[str],
    ) -> None:
        """What discovery, or a journal, has found; it decides which ways there are."""
        self._releases |= releases
        self._callmanagers = tuple(callmanagers)
        self.registrations.names = tuple(phones)

    def pin(self, node: str, unit: CertUnit, fingerprint: str) -> None:
        """A trusted look, for example a journal's, saw this certificate: only it from now on."""
        self.pins.learn(node, fingerprint, unit)

    def was_sent(self, command: Command) -> None:
        """An earlier process has sent *command*, or may have: its certificate may be a new one."""
        self._expect(command)

    # ── asking ────────────────────────────────────────────────────────────────────────────

    async def _ask(self, query: Query) -> Fact:
        needed = 2 if type(query) in self._confirm else 1
        order = self._in_order(query)
        known: list[Known] = []
        failed: list[Unknown] = []
        for interface in order:
            fact = await self._look(interface, query)
            if isinstance(fact, Unknown):
                failed.append(fact)
                continue
            known.append(fact)
            if len(known) >= min(needed, len(order)):
                break
        if len(known) >= needed or (known and not failed and len(order) < needed):
            return self._agreed(query, known)
        if known:
            by = ", ".join(each.by for each in failed)
            reason = f"{known[0].by} says {_shown(known[0])}; not confirmed: {_reasons(failed)}"
            return Unknown(reason, known[0].at, by, failed[0].why, failed[0].role)
        if len(failed) == 1:
            return failed[0]
        if failed:
            by = ", ".join(each.by for each in failed)
            return Unknown(_reasons(failed), failed[0].at, by, failed[0].why, failed[0].role)
        return Unknown(f"no way answers {query}", self._clock.now(), "route")

    def _agreed(self, query: Query, known: Sequence[Known]) -> Fact:
        first = known[0]
        for other in known[1:]:
            if not agree(query, first.value, other.value):
                reason = (
                    f"conflict: {first.by} says {_shown(first)}, {other.by} says {_shown(other)}"
                )
                at = min(first.at, other.at)
                return Unknown(reason, at, f"{first.by}, {other.by}", Why.CONFLICT)
        if len(known) == 1:
            return first
        by = ", ".join(each.by for each in known)
        return Known(first.value, min(each.at for each in known), by)

    def _in_order(self, what: Query | Command) -> list[Interface]:
        """The interfaces to try, those that did not answer lately last."""
        about: str = getattr(what, "node", self._nodes[0])
        release = self._releases.get(about) or self._releases.get(self._nodes[0])
        now = self._clock.monotonic()
        usable: list[Interface] = []
        resting: list[Interface] = []
        for way in ways_for(what, release):
            transport = self.ways.get(way.interface)
            if transport is None or not transport.supports(what):
                continue
            key = (self._asked(what, way.interface), way.interface)
            state = self._states.get(key)
            # Without a role it is asked only where nobody else answers.
            lacks_role = state is not None and bool(state.role)
            rests = self._resting.get(key, now) > now
            (resting if lacks_role or rests else usable).append(way.interface)
        return usable + resting

    def _asked(self, what: Query | Command, interface: Interface) -> str:
        """The node that is asked; the publisher where one node answers for the cluster."""
        if interface in _FOR_THE_CLUSTER:
            return self._nodes[0]
        node: str = getattr(what, "node", self._nodes[0])
        return node

    async def _known_to(
        self, node: str, interface: Interface, ask: Callable[[], Awaitable[T]]
    ) -> T:
        """Ask one way; if the node is another than was pinned, look over SSH who it is, once.

        An identity that is not trusted means that nothing was sent, so asking again is safe.
        """
        if interface not in _OVER_TOMCAT:
            return await ask()
        await self._ensure_pinned(node)
        before = self.pins.allowed(node)
        try:
            return await ask()
        except IdentityNotTrusted:
            if not await self._has_moved(node, before):
                raise
            return await ask()

    async def _look(self, interface: Interface, query: Query) -> Fact:
        """Ask one way, and remember how it did."""
        node = self._asked(query, interface)
        way = self.ways[interface]
        fact = await self._known_to(node, interface, lambda: way.observe(query))
        self._note(node, interface, fact)
        return fact

    async def _through(self, interface: Interface, command: Command) -> Reply:
        way = self.ways[interface]
        node = self._asked(command, interface)
        return await self._known_to(node, interface, lambda: way.perform(command))

    def _note(self, node: str, interface: Interface, fact: Fact) -> None:
        """Remember how the way did: what it lacks, and whether it answered."""
        key = (node, interface)
        if isinstance(fact, Known):
            self._states[key] = InterfaceState(node, interface, usable=True)
            self._resting.pop(key, None)
            return
        match fact.why:
            case Why.NOT_PERMITTED:
                self._states[key] = InterfaceState(
                    node, interface, usable=False, reason=fact.reason, role=fact.role
                )
            case Why.UNREACHABLE:
                self._states[key] = InterfaceState(
                    node, interface, usable=False, reason=fact.reason
                )
                self._resting[key] = self._clock.monotonic() + _REST_S
            case _:
                # It answered: what it said is about the question, not about the way.
                self._resting.pop(key, None)
                state = self._states.get(key)
                if state is None or not state.role:
                    self._states[key] = InterfaceState(node, interface, usable=True)

    # ── which interfaces there are ────────────────────────────────────────────────────────

    async def _interfaces(self) -> Known:
        """What was tried, and a small question to what was not."""
        at = self._clock.now()
        probes: tuple[Query, ...] = tuple(
            query
            for node in self._nodes
            for query in (
                VersionOf(node),
                ServicesOn(node),
                UnitsOn(node),
                PresentedCertificate(node),
                RegistrationCounts(node),
            )
        )
        for query in probes:
            for interface in self._in_order(query):
                if (self._asked(query, interface), interface) not in self._states:
                    self._learn(query, await self._look(interface, query))
        states = sorted(
            self._states.values(),
            key=lambda each: (self._nodes.index(each.node), list(Interface).index(each.interface)),
        )
        return Known(tuple(states), at, "route")

    def _has(self, interface: Interface) -> bool:
        return interface in self.ways or (interface is Interface.RISPORT and self._ris is not None)

    async def _reach(self, query: Reach) -> Fact:
        """Put the small question of one interface to it, whatever is known of others."""
        node, interface = query.node, query.interface
        at, by = self._clock.now(), f"{interface} {self._asked(query, interface)}"
        if not self.supports(query):
            return Unknown(f"{interface} is not used here", at, by)
        probe = PROBES[interface](node)
        if interface is Interface.RISPORT:
            fact = await self._registrations(Devices(DeviceClass.HUNT_LIST))
        else:
            release = self._releases.get(node)
            ways = (way.interface for way in ways_for(probe, release))
            if interface is Interface.PLATFORM_REST and interface not in ways:
                words = "the release is not known" if release is None else f"not in {release}"
                return Unknown(f"platform REST is there from 14 on: {words}", at, by)
            fact = await self._look(interface, probe)
        if isinstance(fact, Unknown) or interface is Interface.SSH:
            return fact
        return Known(Reached(), fact.at, fact.by)

    # ── identities ────────────────────────────────────────────────────────────────────────

    async def _ensure_pinned(self, node: str) -> None:
        """Learn the certificates of *node* over SSH, if none is known yet."""
        if self.pins.allowed(node):
            return
        async with self._pinning:
            if not self.pins.allowed(node):
                await self._look_for_pins(node)

    async def _has_moved(self, node: str, before: frozenset[str]) -> bool:
        """Whether *node*'s pins are others than *before*, looking over SSH if one may be.

        One may be if a change is due, or if nobody has looked yet at the certificate of a unit.

        Several questions may meet the new certificate at the same moment; one of them looks.
        """
        async with self._pinning:
            unmoved = self.pins.allowed(node) == before
            # Whoever has looked at tomcat's alone is shown tomcat-ECDSA's, if the ciphers say so.
            is_due = any(
                self.pins.is_changing(node, unit) or not self.pins.knows(node, unit)
                for unit in PINNED_UNITS
            )
            if unmoved and is_due:
                await self._look_for_pins(node)
        return self.pins.allowed(node) != before

    async def _look_for_pins(self, node: str) -> None:
        shell = self.ways.get(Interface.SSH)
        if shell is None:
            return
        for unit in PINNED_UNITS:
            query = CertificateOf(node, unit)
            if shell.supports(query):
                self._learn(query, await self._look(Interface.SSH, query))

    def _learn(self, query: Query, fact: Fact) -> None:
        if not isinstance(fact, Known):
            return
        match query:
            case CertificateOf(node, unit) if unit in PINNED_UNITS and Interface.SSH in fact.by:
                if not self.pins.seen(node, fact.value.fingerprint, unit):
                    _log.warning("%s: somebody else has changed its certificate %s", node, unit)
            case PresentedCertificate(node, port) if port == WEB_PORT:
                self.pins.settle(node, fact.value)
            case VersionOf(node):
                try:
                    self._releases[node] = Release.parse(fact.value)
                except ValueError:
                    return
            case _:
                return

    def _expect(self, command: Command) -> None:
        match command:
            case Regenerate(node, unit) if unit in PINNED_UNITS:
                self.pins.expect_change(node, unit)
            case ResetPhones(names=names):
                self.registrations.expect_news(names)
            case (
                RestartService(node, Service.CALLMANAGER)
                | StopService(node, Service.CALLMANAGER)
                | StartService(node, Service.CALLMANAGER)
            ):
                self.registrations.expect_news_of(node)
            case _:
                return

    # ── registrations ─────────────────────────────────────────────────────────────────────

    async def _registrations(self, query: Registrations | Devices) -> Fact:
        by = str(Interface.RISPORT)
        publisher = self._nodes[0]
        if self._ris is None:
            return Unknown("RISPort70 is not allowed here", self._clock.now(), by)

        async def read() -> Mapping[str, Registration]:
            return await self._known_to(publisher, Interface.RISPORT, lambda: self._read(query))

        fact = await look(self._clock, by, read)
        self._note(publisher, Interface.RISPORT, fact)
        return fact

    async def _shown_by(self, phone: str) -> Fact:
        """What the phone itself shows: of no node, so that it says nothing about any way."""
        web = self._phones
        if web is None:
            return Unknown("phones are not asked here", self._clock.now(), "phone")
        return await look(self._clock, "phone", lambda: web.read(phone))

    async def _read(self, query: Registrations | Devices) -> Mapping[str, Registration]:
        if isinstance(query, Devices):
            assert self._ris is not None
            return await self._ris.listed(kind=query.kind)
        if query.names:
            return await self.registrations.of(query.names)
        return await self.registrations.all()

    async def _read_registrations(self, names: Sequence[str]) -> Mapping[str, Registration]:
        assert self._ris is not None
        return await self._ris.registrations(names)

    async def _count(self) -> Counts | None:
        """Phones per CallManager node, by PerfMon; None if it cannot be asked."""
        if Interface.PERFMON not in self.ways or not self._callmanagers:
            return None
        counts: dict[str, int | None] = {}
        for node in self._callmanagers:
            fact = await self._ask(RegistrationCounts(node))
            if isinstance(fact, Unknown) and fact.why in (Why.UNREACHABLE, Why.NOT_PERMITTED):
                return None
            counts[node] = (
                sum(value for name, value in fact.value.items() if _is_of_phones(name))
                if isinstance(fact, Known)
                else None
            )
        return counts


_OVER_TOMCAT: Final = frozenset(
    {
        Interface.AXL,
        Interface.CONTROL_CENTER,
        Interface.RISPORT,
        Interface.PERFMON,
        Interface.PLATFORM_REST,
    }
)


_FOR_THE_CLUSTER: Final = frozenset({Interface.AXL, Interface.RISPORT, Interface.PERFMON})


def _is_of_phones(counter: str) -> bool:
    return counter in _PHONES or (counter.startswith("Registered") and "Jabber" in counter)


def _shown(fact: Known) -> str:
    text = str(fact.value)
    return text if len(text) <= 120 else f"{text[:120]}…"  # noqa: PLR2004 - a line


def _reasons(failed: Sequence[Unknown]) -> str:
    return "; ".join(f"{each.by}: {each.reason}" for each in failed)
