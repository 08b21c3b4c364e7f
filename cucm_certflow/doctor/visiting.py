"""All looks at one node, over each of its interfaces, within a time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

import attrs

from cucm_certflow.clock import Clock
from cucm_certflow.core.routing import WITHOUT
from cucm_certflow.doctor.signs import Area, Sign
from cucm_certflow.errors import AuthenticationFailed, IdentityNotTrusted
from cucm_certflow.facts import (
    CertificateOf,
    ClusterMember,
    Fact,
    Known,
    Members,
    NtpStatus,
    Query,
    Reach,
    Reached,
    ServicesOn,
    ServiceState,
    TimeSync,
    Unknown,
    VersionOf,
    Why,
)
from cucm_certflow.findings import Verdict
from cucm_certflow.names import CertUnit, Interface, Service
from cucm_certflow.transports.base import Transport, short

__all__ = ["Visit"]

_WITHOUT_PIN: Final = (Interface.TLS, Interface.TFTP_HTTP)
"""They carry no password: they are looked at whether or not the node's certificate is known."""

_OF_THE_PUBLISHER: Final = (Interface.AXL, Interface.RISPORT, Interface.PERFMON)
"""One node answers for the cluster, as the route asks it."""

_OF_EACH_NODE: Final = (Interface.CONTROL_CENTER, Interface.PLATFORM_REST)
_LEVEL: Final = 1
"""The privilege level of `set cert regen` and `utils service restart` (CLI reference 15)."""

_PRINTED: Final = timedelta(seconds=1)
"""A node prints its time to the second."""

_DOORS: Final[Mapping[Interface, str]] = {
    Interface.SSH: "whether its SSH port (22, or `ssh_port`) is open from here",
    Interface.PLATFORM_REST: "whether its port 443 (or `rest_port`) is open from here",
    Interface.TFTP_HTTP: "whether Cisco Tftp runs there, whether port 6970 is open from here",
    **dict.fromkeys(
        (
            Interface.AXL,
            Interface.CONTROL_CENTER,
            Interface.RISPORT,
            Interface.PERFMON,
            Interface.TLS,
        ),
        "whether Cisco Tomcat and that service are activated, whether port 8443 is open from here",
    ),
}
"""What to look at if nobody answers there."""


class Visit:
    """All looks at one node, and what they showed."""

    def __init__(
        self,
        transport: Transport,
        node: str,
        clock: Clock,
        *,
        within_s: float,
        is_publisher: bool,
    ) -> None:
        self.node = node
        self.signs: list[Sign] = []
        self.status: NtpStatus | None = None
        self.offset_s = 0.0
        """By how much the node's clock is ahead of ours, if :attr:`status` has its time."""
        self.members: tuple[ClusterMember, ...] = ()
        self._transport = transport
        self._clock = clock
        self._within_s = within_s
        self._deadline_s = asyncio.get_running_loop().time() + within_s
        self._is_publisher = is_publisher

    async def make(self) -> None:
        """Look at everything: what needs no pin at once, the rest once the shell has answered."""
        free, bound = self._used(_WITHOUT_PIN), self._used(_OF_EACH_NODE)
        if self._is_publisher:
            bound = [*self._used(_OF_THE_PUBLISHER), *bound]
        async with asyncio.TaskGroup() as group:
            shell = group.create_task(self._shell())
            open_ways = [group.create_task(self._reach(interface)) for interface in free]
        is_known = shell.result()
        if is_known:
            async with asyncio.TaskGroup() as group:
                answers = [group.create_task(self._reach(interface)) for interface in bound]
            for interface, answer in zip(bound, answers, strict=True):
                self._judge(interface, answer.result())
        else:
            self.signs += [self._left_out(interface) for interface in bound]
        for interface, answer in zip(free, open_ways, strict=True):
            seen = answer.result()
            if interface is Interface.TFTP_HTTP and isinstance(seen, Sign):
                await self._judge_silence(seen, is_known=is_known)
            else:
                self._judge(interface, seen)
        if self._is_publisher:
            await self._ask_members(is_known=is_known)

    async def _ask_members(self, *, is_known: bool) -> None:
        # Asked again of a publisher that did not let us in, it would be asked by another login.
        listed = await self._look(Members()) if is_known else None
        if isinstance(listed, Known):
            self.members = listed.value
            return
        words = "the cluster's own list of nodes could not be read"
        why = f": {listed.detail}" if listed else ""
        hint = "mend the ways to the publisher first"
        self.signs.append(self._sign(Area.NAMES, Verdict.UNKNOWN, f"{words}{why}", hint))

    async def _judge_silence(self, silent: Sign, *, is_known: bool) -> None:
        """Nobody serves trust lists here: wrong only where Cisco Tftp is activated."""
        listed = await self._look(ServicesOn(self.node)) if is_known else None
        if not isinstance(listed, Known):
            words = f"{silent.detail}; whether Cisco Tftp is activated here could not be read"
            self.signs.append(attrs.evolve(silent, verdict=Verdict.UNKNOWN, detail=words))
            return
        states: Mapping[str, ServiceState] = listed.value
        state = states.get(Service.TFTP.value)
        if state is not None and state.activated:
            self.signs.append(silent)

    def _used(self, interfaces: Sequence[Interface]) -> list[Interface]:
        return [i for i in interfaces if self._transport.supports(Reach(self.node, i))]

    async def _shell(self) -> bool:
        """Look over the platform CLI; whether the web interfaces may be come to after that."""
        if not self._used([Interface.SSH]):
            return True  # then the transport itself knows whom it may trust
        seen = await self._reach(Interface.SSH)
        self._judge(Interface.SSH, seen)
        if not isinstance(seen, Known):
            return False
        reached: Reached = seen.value
        self.signs.append(self._privilege(reached.privilege))
        await self._look(VersionOf(self.node))  # decides which interfaces there are
        pin = await self._look(CertificateOf(self.node, CertUnit.TOMCAT), Interface.SSH)
        if isinstance(pin, Sign):
            self.signs.append(pin)
        await self._ask_time()
        return isinstance(pin, Known)

    async def _ask_time(self) -> None:
        before = self._clock.now()
        seen = await self._look(TimeSync(self.node), Interface.SSH)
        after = self._clock.now()
        if isinstance(seen, Sign):
            self.signs.append(attrs.evolve(seen, area=Area.CLOCK, verdict=Verdict.UNKNOWN))
            return
        self.status = seen.value
        printed = seen.value.at
        if printed is not None and printed > after:
            self.offset_s = (printed - after).total_seconds()
        elif printed is not None and printed + _PRINTED < before:
            self.offset_s = (printed + _PRINTED - before).total_seconds()

    # ── one look ──────────────────────────────────────────────────────────────────────────

    async def _reach(self, interface: Interface) -> Known | Sign | None:
        """What a small question over *interface* showed; None if there is no such way here."""
        fact = await self._ask(Reach(self.node, interface), interface)
        if isinstance(fact, Known | Sign):
            return fact
        if fact.why is Why.NOT_ASKED:
            return None
        # PerfMon is asked for the publisher's counters of Cisco CallManager, which need not run
        # there: that it says so is an answer all the same.
        if interface is Interface.PERFMON and fact.why is Why.FAULT:
            return Known(Reached(), fact.at, fact.by)
        return self._unanswered(fact, interface)

    async def _look(self, query: Query, interface: Interface | None = None) -> Known | Sign:
        """The answer to *query*, or the sign that says why there is none."""
        fact = await self._ask(query, interface)
        return self._unanswered(fact, interface) if isinstance(fact, Unknown) else fact

    async def _ask(self, query: Query, interface: Interface | None) -> Fact | Sign:
        """What *query* brings; a sign where nobody was asked, or somebody was not trusted."""
        if asyncio.get_running_loop().time() >= self._deadline_s:
            words = f"not looked at: the {self._within_s:.0f} s for this node were over"
            hint = "see what was slow here, and look again"
            return self._sign(Area.REACH, Verdict.UNKNOWN, words, hint, interface)
        try:
            async with asyncio.timeout_at(self._deadline_s):
                return await self._transport.observe(query)
        except TimeoutError:
            at, words = self._clock.now(), f"no answer within {self._within_s:.0f} s"
            return Unknown(words, at, "doctor", Why.UNREACHABLE)
        except (AuthenticationFailed, IdentityNotTrusted) as error:
            is_account = isinstance(error, AuthenticationFailed)
            area = Area.CREDENTIALS if is_account else Area.IDENTITY
            return self._sign(area, Verdict.FINDING, short(error), error.report.next, interface)

    def _unanswered(self, fact: Unknown, interface: Interface | None) -> Sign:
        area, verdict = Area.REACH, Verdict.FINDING
        match fact.why:
            case Why.NOT_PERMITTED:
                area = Area.PRIVILEGES
                lost = f"; without {interface}: {WITHOUT[interface]}" if interface else ""
                hint = f"give the account the role {fact.role or 'that it lacks'}{lost}"
            case Why.UNREACHABLE:
                door = f"{_DOORS[interface]}, " if interface else ""
                hint = f"see whether the node is up, {door}and whether its address is right"
            case Why.BUSY:
                verdict, hint = Verdict.UNKNOWN, "wait a minute, and look again"
            case _:
                hint = "it answers, and not as it should: look at that service on the node"
        return self._sign(area, verdict, fact.reason, hint, interface)

    # ── signs ─────────────────────────────────────────────────────────────────────────────

    def _judge(self, interface: Interface, seen: Known | Sign | None) -> None:
        """Put down what a look over *interface* showed, if there is such a way."""
        if isinstance(seen, Known):
            seen = self._sign(Area.REACH, Verdict.PASS, "answers", interface=interface)
        if seen is not None:
            self.signs.append(seen)

    def _left_out(self, interface: Interface) -> Sign:
        words = "not looked at: who the node is, only the platform CLI can say"
        hint = "mend the platform CLI first; no password goes to a node that is not known"
        return self._sign(Area.REACH, Verdict.UNKNOWN, words, hint, interface)

    def _privilege(self, level: int | None) -> Sign:
        if level is not None and level >= _LEVEL:
            words = f"the platform account has level {level} or more"
            return self._sign(Area.PRIVILEGES, Verdict.PASS, words, interface=Interface.SSH)
        words = "nothing showed that the platform account has level 1, which a run needs"
        hint = "use an account that was made with `set account name` and level 1"
        return self._sign(Area.PRIVILEGES, Verdict.UNKNOWN, words, hint, Interface.SSH)

    def _sign(
        self,
        area: Area,
        verdict: Verdict,
        detail: str,
        what_next: str = "",
        interface: Interface | None = None,
    ) -> Sign:
        return Sign(
            area=area,
            node=self.node,
            interface=interface,
            verdict=verdict,
            detail=detail,
            next=what_next,
        )
