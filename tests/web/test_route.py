"""Which way a question goes: by release, by what the account may do, by what is down."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable

import pytest

from cucm_certflow.commands import (
    ByHand,
    Command,
    Regenerate,
    Reply,
    ReplyKind,
    ResetPhones,
    RestartService,
    StartService,
    StopService,
)
from cucm_certflow.core.routing import WAYS, WITHOUT, agree, route_of, ways_for
from cucm_certflow.errors import IdentityNotTrusted, Report
from cucm_certflow.facts import (
    Certificate,
    CertificateOf,
    ClusterMember,
    Fact,
    Interfaces,
    InterfaceState,
    Known,
    Members,
    Parameter,
    PhoneTrustList,
    PresentedCertificate,
    Query,
    ServiceOn,
    ServicesOn,
    ServiceState,
    ServiceStatus,
    Unknown,
    VersionOf,
    Why,
)
from cucm_certflow.names import CertUnit, Interface, Release, Service
from cucm_certflow.transports.pins import Pins
from cucm_certflow.transports.route import Route
from tests.web.helpers import ManualClock

pytestmark = pytest.mark.asyncio

TVS = ServiceOn("pub", Service.TVS)
UP = ServiceState(ServiceStatus.STARTED)
DOWN = ServiceState(ServiceStatus.STOPPED)
TOMCAT = CertificateOf("pub", CertUnit.TOMCAT)
OLD, NEW = "ab" * 32, "cd" * 32


def certificate(fingerprint: str) -> Certificate:
    return Certificate(fingerprint=fingerprint, serial="1")


class Way:
    """An interface that answers as the test says, and remembers what it was asked."""

    def __init__(self, interface: Interface, clock: ManualClock) -> None:
        self.interface = interface
        self.answers: dict[Query, object] = {}
        self.replies: list[Reply | Exception] = []
        self.asked: list[Query | Command] = []
        self._clock = clock

    def supports(self, what: Query | Command) -> bool:
        return True

    async def observe(self, query: Query) -> Fact:
        self.asked.append(query)
        by = f"{self.interface} pub"
        match self.answers.get(query):
            case None:
                return Unknown("nobody is there", self._clock.now(), by, Why.UNREACHABLE)
            case Unknown() as unknown:
                return unknown
            case Exception() as error:
                raise error
            case answer if callable(answer):
                return Known(answer(), self._clock.now(), by)
            case answer:
                return Known(answer, self._clock.now(), by)

    async def perform(self, command: Command) -> Reply:
        self.asked.append(command)
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def aclose(self) -> None:
        self.asked.clear()


class Site:
    """SSH, Control Center, AXL, REST and TLS of one node called pub."""

    def __init__(self, *confirm: type[Query]) -> None:
        self.clock = ManualClock()
        self.pins = Pins()
        self.pins.learn("pub", OLD)
        self.ssh, self.control, self.axl, self.rest, self.tls = (
            Way(interface, self.clock)
            for interface in (
                Interface.SSH,
                Interface.CONTROL_CENTER,
                Interface.AXL,
                Interface.PLATFORM_REST,
                Interface.TLS,
            )
        )
        ways = (self.ssh, self.control, self.axl, self.rest, self.tls)
        self.route = Route(
            {way.interface: way for way in ways},
            ris=None,
            clock=self.clock,
            pins=self.pins,
            nodes=("pub",),
            confirm=confirm,
        )

    async def known(self, query: Query) -> Known:
        fact = await self.route.observe(query)
        assert isinstance(fact, Known), fact
        return fact

    async def unknown(self, query: Query) -> Unknown:
        fact = await self.route.observe(query)
        assert isinstance(fact, Unknown), fact
        return fact


# ── one way after the other ───────────────────────────────────────────────────────────────


async def test_the_first_way_that_answers_is_enough_and_is_named() -> None:
    site = Site()
    site.control.answers[TVS] = UP
    assert (await site.known(TVS)).by == "Control Center pub"
    assert site.ssh.asked == []


async def test_when_tomcat_is_away_the_platform_cli_remains() -> None:
    site = Site()
    site.ssh.answers[TVS] = UP
    assert (await site.known(TVS)).by == "platform CLI pub"
    assert site.control.asked == [TVS]
    assert (await site.known(TVS)).by == "platform CLI pub"
    assert site.control.asked == [TVS]  # left alone for a while
    site.clock.instant += dt.timedelta(seconds=31)
    site.control.answers[TVS] = UP
    assert (await site.known(TVS)).by == "Control Center pub"


async def test_a_way_that_lacks_a_role_is_asked_only_where_nobody_else_answers() -> None:
    site = Site()
    lacks = Unknown("no", site.clock.now(), "Control Center pub", Why.NOT_PERMITTED, "Standard X")
    site.control.answers[TVS] = lacks
    site.ssh.answers[TVS] = UP
    for _ in range(3):
        await site.known(TVS)
    assert site.control.asked == [TVS]
    del site.ssh.answers[TVS]
    unknown = await site.unknown(TVS)
    assert "Control Center pub: no" in unknown.reason
    assert "platform CLI pub: nobody is there" in unknown.reason


async def test_what_cannot_be_used_is_told_with_the_role_that_is_missing() -> None:
    site = Site()
    lacks = Unknown("no", site.clock.now(), "Control Center pub", Why.NOT_PERMITTED, "Standard X")
    site.control.answers[ServicesOn("pub")] = lacks
    site.ssh.answers[VersionOf("pub")] = "11.5.1.12900-21"
    states = {state.interface: state for state in (await site.known(Interfaces())).value}
    assert states[Interface.CONTROL_CENTER].role == "Standard X"
    assert states[Interface.CONTROL_CENTER].usable is False
    assert states[Interface.SSH].usable is True
    assert states[Interface.AXL].usable is False  # nobody was there
    assert states[Interface.TLS].usable is False


async def test_a_way_that_answers_again_is_no_longer_said_to_be_away() -> None:
    site = Site()
    site.ssh.answers[TVS] = UP
    await site.known(TVS)  # Control Center was away
    busy = Unknown("busy", site.clock.now(), "Control Center pub", Why.BUSY)
    site.control.answers[TVS] = busy
    site.clock.instant += dt.timedelta(seconds=31)
    await site.known(TVS)
    states = {state.interface: state for state in (await site.known(Interfaces())).value}
    assert states[Interface.CONTROL_CENTER].usable is True


async def test_rest_is_a_way_from_14_on_only() -> None:
    site = Site()
    site.rest.answers[TOMCAT] = certificate(OLD)
    assert (await site.unknown(TOMCAT)).why is Why.UNREACHABLE
    assert site.rest.asked == []
    site.ssh.answers[VersionOf("pub")] = "14.0.1.10000-20"
    await site.known(VersionOf("pub"))
    assert (await site.known(TOMCAT)).by == "platform REST pub"


async def test_what_nobody_can_answer_is_unknown() -> None:
    site = Site()
    assert (await site.unknown(Parameter("ClusterSecurityMode"))).why is Why.UNREACHABLE


# ── two ways ──────────────────────────────────────────────────────────────────────────────


async def test_two_ways_that_agree_are_one_answer_with_the_older_instant() -> None:
    site = Site(ServiceOn)
    begun = site.clock.now()

    def slowly() -> ServiceState:
        site.clock.instant += dt.timedelta(seconds=5)
        return ServiceState(ServiceStatus.STARTED, started_at=begun)

    site.control.answers[TVS] = slowly
    site.ssh.answers[TVS] = UP
    fact = await site.known(TVS)
    assert fact.by == "Control Center pub, platform CLI pub"
    assert fact.value.started_at == begun  # only one of them can know it, and it is no conflict


async def test_two_ways_that_contradict_each_other_are_a_conflict_with_both() -> None:
    site = Site(ServiceOn)
    site.control.answers[TVS], site.ssh.answers[TVS] = UP, DOWN
    unknown = await site.unknown(TVS)
    assert unknown.why is Why.CONFLICT
    for words in ("conflict", "Control Center pub says", "platform CLI pub says", "STOPPED"):
        assert words in unknown.reason


async def test_a_second_way_that_does_not_answer_confirms_nothing() -> None:
    site = Site(ServiceOn)
    site.ssh.answers[TVS] = UP
    unknown = await site.unknown(TVS)
    assert unknown.why is Why.UNREACHABLE
    assert "not confirmed" in unknown.reason


async def test_where_the_table_has_one_way_only_one_is_enough() -> None:
    site = Site(CertificateOf)
    site.ssh.answers[TOMCAT] = certificate(OLD)
    assert (await site.known(TOMCAT)).by == "platform CLI pub"  # below 14 nobody else knows it


@pytest.mark.parametrize(
    ("query", "one", "other", "same"),
    [
        (TOMCAT, certificate(OLD), Certificate(fingerprint=OLD, serial="01"), True),
        (TOMCAT, certificate(OLD), certificate(NEW), False),
        (ServicesOn("pub"), {"A": UP, "B": UP}, {"A": UP, "C": DOWN}, True),
        (ServicesOn("pub"), {"A": UP}, {"A": DOWN}, False),
        (
            Members(),
            (ClusterMember(name="pub", address="192.0.2.1", is_publisher=True),),
            (ClusterMember(name="pub", address="pub.x", is_publisher=True, product="cups"),),
            True,
        ),
        (
            Members(),
            (ClusterMember(name="pub", address="", is_publisher=True),),
            (ClusterMember(name="pub", address="", is_publisher=False),),
            False,
        ),
        (Parameter("X"), "1", "0", False),
    ],
    ids=["certificate", "other-certificate", "services", "service", "members", "role", "value"],
)
async def test_ways_agree_on_what_both_can_know(
    query: Query, one: object, other: object, same: bool
) -> None:
    assert agree(query, one, other) is same


# ── commands ──────────────────────────────────────────────────────────────────────────────

RESTART = RestartService("pub", Service.TVS)


async def test_a_command_goes_another_way_only_if_not_a_byte_was_sent() -> None:
    site = Site()
    site.ssh.replies = [Reply(ReplyKind.REFUSED, "no shell", sent=False)]
    site.control.replies = [Reply(ReplyKind.ACCEPTED)]
    assert (await site.route.perform(RESTART)).kind is ReplyKind.ACCEPTED
    for reply in (Reply(ReplyKind.REFUSED, "the node says no"), Reply(ReplyKind.LOST)):
        site.ssh.replies, site.control.asked = [reply], []
        assert await site.route.perform(RESTART) == reply
        assert site.control.asked == []


async def test_what_is_done_by_hand_is_sent_to_nobody() -> None:
    site = Site()
    reply = await site.route.perform(ByHand("pub", "tell the owners of the partner systems"))
    assert (reply.kind, reply.sent) == (ReplyKind.REFUSED, False)
    assert all(way.asked == [] for way in (site.ssh, site.control, site.axl, site.rest))


@pytest.mark.parametrize("command", [StopService, StartService, RestartService])
async def test_phones_of_a_callmanager_that_is_driven_are_read_again(
    command: type[StopService | StartService | RestartService], monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site()
    told: list[str] = []
    monkeypatch.setattr(site.route.registrations, "expect_news_of", told.append)
    site.ssh.replies = [Reply(ReplyKind.ACCEPTED)] * 2
    await site.route.perform(command("pub", Service.TFTP))
    await site.route.perform(command("pub", Service.CALLMANAGER))
    assert told == ["pub"]


async def test_a_command_that_no_way_can_do_was_not_sent() -> None:
    site = Site()
    site.route.ways = {}
    reply = await site.route.perform(ResetPhones("pub", ("SEP1",)))
    assert (reply.kind, reply.sent) == (ReplyKind.REFUSED, False)


# ── identities ────────────────────────────────────────────────────────────────────────────


def stranger() -> IdentityNotTrusted:
    return IdentityNotTrusted(Report(headline="another certificate"))


def strict(site: Site, presented: Callable[[], str]) -> Callable[[], str]:
    """AXL behind a pin: it answers if what Tomcat presents is pinned."""

    def answer() -> str:
        if presented() not in site.pins.allowed("pub"):
            raise stranger()
        return "1"

    return answer


async def test_our_own_regeneration_moves_the_pin_without_anybodys_help() -> None:
    site = Site()
    held = [OLD]
    site.ssh.answers[TOMCAT] = lambda: certificate(held[-1])
    site.axl.answers[Parameter("X")] = strict(site, lambda: held[-1])
    site.ssh.replies = [Reply(ReplyKind.ACCEPTED)]
    await site.route.perform(Regenerate("pub", CertUnit.TOMCAT))
    held.append(NEW)
    await site.known(Parameter("X"))  # met the stranger, looked over SSH, and asked again
    assert site.pins.allowed("pub") == {OLD, NEW}
    site.tls.answers[PresentedCertificate("pub")] = NEW
    await site.known(PresentedCertificate("pub"))
    assert site.pins.allowed("pub") == {NEW}


async def test_several_questions_may_meet_the_new_certificate_at_the_same_moment() -> None:
    site = Site()
    site.ssh.answers[TOMCAT] = certificate(NEW)
    for name in "XYZ":
        site.axl.answers[Parameter(name)] = strict(site, lambda: NEW)
    site.ssh.replies = [Reply(ReplyKind.LOST)]
    await site.route.perform(Regenerate("pub", CertUnit.TOMCAT))
    facts = await asyncio.gather(*(site.route.observe(Parameter(name)) for name in "XYZ"))
    assert all(isinstance(fact, Known) for fact in facts)


async def test_a_regeneration_that_the_node_refused_moves_no_pin() -> None:
    site = Site()
    site.ssh.replies = [Reply(ReplyKind.REFUSED, "no")]
    await site.route.perform(Regenerate("pub", CertUnit.TOMCAT))
    site.ssh.answers[TOMCAT] = certificate(NEW)
    await site.known(TOMCAT)
    assert site.pins.allowed("pub") == {OLD}


async def test_a_swapped_certificate_that_we_did_not_make_is_not_learnt_over_any_way() -> None:
    site = Site()
    site.ssh.answers[TOMCAT] = certificate(NEW)  # even SSH says so
    site.axl.answers[Parameter("X")] = strict(site, lambda: NEW)
    await site.known(TOMCAT)
    with pytest.raises(IdentityNotTrusted):
        await site.route.observe(Parameter("X"))
    assert site.pins.allowed("pub") == {OLD}


async def test_what_rest_or_a_handshake_shows_is_never_pinned() -> None:
    site = Site()
    site.route.know(releases={"pub": Release(15, 0)}, callmanagers=(), phones=())
    site.pins.expect_change("pub")
    site.rest.answers[TOMCAT] = certificate(NEW)
    site.tls.answers[PresentedCertificate("pub")] = NEW
    await site.known(TOMCAT)
    await site.known(PresentedCertificate("pub"))
    assert site.pins.allowed("pub") == {OLD}


async def test_a_resumed_run_expects_what_its_journal_has_sent() -> None:
    site = Site()
    site.route.was_sent(Regenerate("pub", CertUnit.TOMCAT))
    site.ssh.answers[TOMCAT] = certificate(NEW)
    await site.known(TOMCAT)
    assert site.pins.allowed("pub") == {OLD, NEW}


async def test_the_first_pin_is_learnt_before_the_first_request() -> None:
    site = Site()
    site.route.pins = Pins()
    site.ssh.answers[TOMCAT] = certificate(OLD)
    site.ssh.answers[CertificateOf("pub", CertUnit.TOMCAT_ECDSA)] = certificate(NEW)
    site.axl.answers[Parameter("X")] = "1"
    await site.known(Parameter("X"))
    assert site.route.pins.allowed("pub") == {OLD, NEW}


# ── the table ─────────────────────────────────────────────────────────────────────────────


async def test_every_question_and_command_has_a_way_but_what_is_not_for_nodes() -> None:
    kinds = {*Query.__args__, *Command.__args__}
    without = {kind.__name__ for kind in kinds - set(WAYS)}
    # The route's own, what names its way itself, the runner's, a person's, and the phone's.
    assert without == {"Interfaces", "Reach", "ReplyTo", "ByHand", "PhoneTrustList"}
    assert set(WITHOUT) == set(Interface)
    assert {way.interface for ways in WAYS.values() for way in ways} == set(Interface)


async def test_the_explanation_leaves_out_what_cannot_be_used() -> None:
    lacks = InterfaceState("pub", Interface.CONTROL_CENTER, usable=False, role="Standard X")
    taken, left = route_of(TVS, "pub", Release(14, 0), [lacks])
    assert [way.interface for way in taken] == [Interface.SSH]
    assert left == (lacks,)
    assert [way.interface for way in ways_for(TOMCAT, Release(11, 5))] == [Interface.SSH]
    assert [way.interface for way in ways_for(TOMCAT, None)] == [Interface.SSH]
    assert len(ways_for(TOMCAT, Release(14, 0))) == 2


async def test_a_phone_is_asked_for_its_page_only_where_risport_tells_its_address() -> None:
    site = Site()
    query = PhoneTrustList("SEP1")
    assert not site.route.supports(query)
    fact = await site.unknown(query)
    assert "not asked here" in fact.reason
