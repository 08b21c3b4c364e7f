from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from cucm_certflow.commands import (
    Command,
    Regenerate,
    Reply,
    ReplyKind,
    ResetLocalkey,
    ResetPhones,
    RestartService,
    UpdateCtl,
)
from cucm_certflow.facts import (
    CertificateOf,
    ClusterFacts,
    Fact,
    Known,
    PhoneSecurity,
    PresentedCertificate,
    Query,
    Registrations,
    ReplyTo,
    ServedList,
    ServiceOn,
    ServiceState,
    ServiceStatus,
    Unknown,
)
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.memory import MemoryTransport
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.names import CertUnit, ListKind, Product, Service
from cucm_certflow.testing.virtual import VirtualClock, run_virtual
from cucm_certflow.transports.base import Transport
from tests.lab.small import PHONE, SECURE, scenario
from tests.lab.test_scenario import MAIN_JOB

PUB_CM = CertificateOf("pub", CertUnit.CALLMANAGER)
REGENERATE = Regenerate("pub", CertUnit.CALLMANAGER)
RESTART_TVS = RestartService("sub", Service.TVS)
TVS_ON_SUB = ServiceOn("sub", Service.TVS)

Story = Callable[[LabCluster, MemoryTransport, VirtualClock], Awaitable[Any]]


def tell(story: Story, *, more: str = "", of: Scenario | None = None) -> Any:  # noqa: ANN401 - one type per story
    async def main() -> Any:  # noqa: ANN401 - one type per story
        clock = VirtualClock()
        lab = LabCluster(of or scenario(more=more), clock)
        return await story(lab, MemoryTransport(lab, clock), clock)

    return run_virtual(main)


def fault(kind: str, command: str, *, more: str = "") -> str:
    return f'\n[[faults]]\nkind = "{kind}"\ncommand = "{command}"\n{more}\n'


def test_it_is_a_transport() -> None:
    async def story(_: LabCluster, way: MemoryTransport, __: VirtualClock) -> None:
        transport: Transport = way
        assert transport.supports(PUB_CM)
        assert transport.supports(Registrations())
        assert transport.supports(REGENERATE)
        assert not transport.supports(CertificateOf("elsewhere", CertUnit.TVS))
        assert not transport.supports(ReplyTo("step", 1))
        await transport.aclose()
        await transport.aclose()

    tell(story)


def test_every_query_is_answered() -> None:
    async def story(lab: LabCluster, way: MemoryTransport, _: VirtualClock) -> None:
        async def value(query: Query) -> Any:  # noqa: ANN401 - one type per story
            fact = await way.observe(query)
            assert isinstance(fact, Known), fact
            return fact.value

        own = await value(PUB_CM)
        assert own.fingerprint == str(lab.certificate("pub", CertUnit.CALLMANAGER))
        itl = await value(ServedList("pub", ListKind.ITL))
        assert itl.kind is ListKind.ITL
        assert itl.signer == own.fingerprint
        assert (await value(ServedList("sub", ListKind.CTL))).kind is ListKind.CTL
        assert (await value(TVS_ON_SUB)).status is ServiceStatus.STARTED
        tomcat = await value(CertificateOf("imp", CertUnit.TOMCAT))
        assert await value(PresentedCertificate("imp")) == tomcat.fingerprint
        assert (await value(Registrations()))[PHONE].node == "pub"

    tell(story)


def test_what_cannot_be_seen_is_unknown_with_its_reason() -> None:
    async def story(lab: LabCluster, way: MemoryTransport, clock: VirtualClock) -> None:
        async def reason(query: Query) -> str:
            fact = await way.observe(query)
            assert isinstance(fact, Unknown), fact
            return fact.reason

        assert "no TVS certificate" in await reason(CertificateOf("imp", CertUnit.TVS))
        assert "6970" in await reason(ServedList("imp", ListKind.ITL))
        assert await reason(CertificateOf("elsewhere", CertUnit.TVS))
        assert await reason(ReplyTo("step", 1))
        lab.begin_restart("pub", Service.TOMCAT)
        lab.begin_restart("sub", Service.TFTP)
        await clock.sleep(10)
        assert "8443" in await reason(Registrations())
        assert "8443" in await reason(PresentedCertificate("pub"))
        assert "6970" in await reason(ServedList("sub", ListKind.ITL))

    tell(story)


def test_a_non_secure_cluster_serves_no_ctl_and_that_is_known() -> None:
    text = """
    release = "12.5"
    nodes = [{ name = "pub", address = "127.0.0.11", publisher = true }]
    """

    async def story(_: LabCluster, way: MemoryTransport, __: VirtualClock) -> None:
        fact = await way.observe(ServedList("pub", ListKind.CTL))
        assert isinstance(fact, Known)
        assert fact.value is None

    tell(story, of=Scenario.loads(text))


def test_a_look_takes_time_and_is_dated_with_its_beginning() -> None:
    async def story(_: LabCluster, way: MemoryTransport, clock: VirtualClock) -> None:
        before = clock.now()
        fact = await way.observe(PUB_CM)
        assert fact.at == before
        assert clock.now() > before

    tell(story)


def test_a_performed_command_is_complete_when_its_reply_comes() -> None:
    async def story(lab: LabCluster, way: MemoryTransport, clock: VirtualClock) -> None:
        reply = await way.perform(REGENERATE)
        assert reply.kind is ReplyKind.ACCEPTED
        assert "Successfully Regenerated Certificate for CallManager." in reply.text
        assert lab.certificate("pub", CertUnit.CALLMANAGER).generation == 2
        reply = await way.perform(UpdateCtl("pub"))
        assert "CTL file Updated" in reply.text
        reply = await way.perform(RESTART_TVS)
        assert "Cisco Trust Verification Service[STARTED]" in reply.text
        for kind in ListKind:
            assert (await way.perform(ResetLocalkey("pub", kind))).kind is ReplyKind.ACCEPTED
        reply = await way.perform(ResetPhones("pub", (PHONE, SECURE, "SEP000000000000")))
        assert reply.text == "2 times true; SEP000000000000 not found"
        await clock.sleep(6)
        assert not lab.registrations()[PHONE].registered
        assert [entry.text for entry in lab.log] == [
            "set cert regen CallManager",
            "utils ctl update CTLFile",
            "utils service restart Cisco Trust Verification Service",
            "utils itl reset localkey",
            "utils ctl reset localkey",
            f"doDeviceReset {PHONE}",
            f"doDeviceReset {SECURE}",
        ]

    tell(story)


@pytest.mark.parametrize(
    "command",
    [
        Regenerate("imp", CertUnit.TVS),
        Regenerate("elsewhere", CertUnit.TVS),
        RestartService("imp", Service.TFTP),
        UpdateCtl("sub"),
        ResetPhones("pub", ("SEP000000000000",)),
    ],
)
def test_what_is_impossible_is_refused(command: Command) -> None:
    async def story(lab: LabCluster, way: MemoryTransport, _: VirtualClock) -> None:
        reply = await way.perform(command)
        assert reply.kind is ReplyKind.REFUSED
        assert reply.text
        assert not lab.log

    tell(story)


def test_a_service_start_is_known_only_to_who_watched_it() -> None:
    async def story(lab: LabCluster, way: MemoryTransport, clock: VirtualClock) -> None:
        async def started(transport: MemoryTransport) -> datetime | None:
            fact = await transport.observe(TVS_ON_SUB)
            assert isinstance(fact, Known)
            state: ServiceState = fact.value
            return state.started_at

        assert await started(way) is None
        before = clock.now()
        await way.perform(RESTART_TVS)
        seen = await started(way)
        assert seen is not None
        assert seen == lab.service_state("sub", Service.TVS).started_at
        assert seen > before
        assert await started(MemoryTransport(lab, clock)) is None

    tell(story)


def test_a_command_whose_caller_goes_away_is_done_all_the_same() -> None:
    async def story(lab: LabCluster, way: MemoryTransport, clock: VirtualClock) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(6):  # the session begins after 5
                await way.perform(REGENERATE)
        assert lab.certificate("pub", CertUnit.CALLMANAGER).generation == 1
        await clock.sleep(10)
        assert lab.certificate("pub", CertUnit.CALLMANAGER).generation == 2

    tell(story)


# ── faults ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("kind", "reply_is", "at_once", "later"),
    [
        ("lost reply", ReplyKind.LOST, False, True),
        ("lost command", ReplyKind.LOST, False, False),
        ("late", ReplyKind.LOST, False, True),
        ("unknown layout", ReplyKind.LOST, True, True),
        ("refused", ReplyKind.REFUSED, False, False),
    ],
)
def test_a_fault_strikes_once(kind: str, reply_is: ReplyKind, at_once: bool, later: bool) -> None:
    def is_new(lab: LabCluster) -> bool:
        return lab.certificate("pub", CertUnit.CALLMANAGER).generation == 2

    async def story(lab: LabCluster, way: MemoryTransport, clock: VirtualClock) -> None:
        reply = await way.perform(REGENERATE)
        assert reply.kind is reply_is
        assert is_new(lab) == at_once
        await clock.sleep(300)
        assert is_new(lab) == later
        assert (await way.perform(REGENERATE)).kind is ReplyKind.ACCEPTED

    tell(story, more=fault(kind, "set cert regen CallManager"))


def test_a_fault_strikes_the_nth_time_on_its_node_only() -> None:
    async def story(_: LabCluster, way: MemoryTransport, __: VirtualClock) -> list[ReplyKind]:
        nodes = ("sub", "pub", "sub", "sub")
        return [(await way.perform(Regenerate(n, CertUnit.TVS))).kind for n in nodes]

    kinds = tell(story, more=fault("refused", "set cert regen", more='node = "sub"\nnth = 2'))
    accepted, refused = ReplyKind.ACCEPTED, ReplyKind.REFUSED
    assert kinds == [accepted, accepted, refused, accepted]


def test_a_command_is_not_struck_by_a_fault_of_a_longer_or_other_word() -> None:
    async def story(_: LabCluster, way: MemoryTransport, __: VirtualClock) -> Reply:
        return await way.perform(REGENERATE)

    faults = fault("refused", "set cert regen Call") + fault("refused", "set cert regen TVS")
    assert tell(story, more=faults).kind is ReplyKind.ACCEPTED


def test_a_restart_whose_reply_was_lost_was_not_watched() -> None:
    async def story(_: LabCluster, way: MemoryTransport, clock: VirtualClock) -> Fact:
        await way.perform(RESTART_TVS)
        await clock.sleep(60)
        return await way.observe(TVS_ON_SUB)

    fact = tell(story, more=fault("lost reply", "utils service restart"))
    assert fact.value.status is ServiceStatus.STARTED
    assert fact.value.started_at is None


@pytest.mark.parametrize(
    ("kind", "reply_is", "at_once", "later"),
    [
        ("lost reply", ReplyKind.LOST, True, True),
        ("late", ReplyKind.LOST, False, True),
        ("lost command", ReplyKind.LOST, False, False),
        ("refused", ReplyKind.REFUSED, False, False),
    ],
)
def test_faults_strike_resets(kind: str, reply_is: ReplyKind, at_once: bool, later: bool) -> None:
    async def story(lab: LabCluster, way: MemoryTransport, clock: VirtualClock) -> None:
        reply = await way.perform(ResetPhones("pub", (PHONE, SECURE)))
        assert reply.kind is reply_is
        assert (len(lab.log) == 2) == at_once
        await clock.sleep(200)
        assert [entry.text for entry in lab.log] == [
            f"doDeviceReset {name}" for name in (PHONE, SECURE) if later
        ]

    tell(story, more=fault(kind, "doDeviceReset"))


def test_resets_need_the_publishers_tomcat() -> None:
    async def story(lab: LabCluster, way: MemoryTransport, clock: VirtualClock) -> None:
        lab.begin_restart("pub", Service.TOMCAT)
        await clock.sleep(10)
        reply = await way.perform(ResetPhones("pub", (PHONE,)))
        assert reply.kind is ReplyKind.REFUSED
        assert all(entry.text.startswith("utils") for entry in lab.log)

    tell(story)


def test_resets_are_in_doubt_when_tomcat_goes_down_among_them() -> None:
    async def story(lab: LabCluster, way: MemoryTransport, clock: VirtualClock) -> None:
        lab.begin_restart("pub", Service.TOMCAT)
        await clock.sleep(1)
        names = tuple(phone.kind.name for phone in lab.phones)
        reply = await way.perform(ResetPhones("pub", names))
        assert reply.kind is ReplyKind.LOST
        assert 0 < sum(entry.text.startswith("doDeviceReset") for entry in lab.log) < len(names)

    tell(story, more="\n[timing]\nreset_call_s = 0.5\n")


@pytest.mark.parametrize("kind", ["lost reply", "unknown layout", "refused"])
def test_a_look_that_a_fault_strikes_is_unknown(kind: str) -> None:
    async def story(_: LabCluster, way: MemoryTransport, __: VirtualClock) -> None:
        first, second = await way.observe(TVS_ON_SUB), await way.observe(TVS_ON_SUB)
        assert isinstance(first, Unknown)
        assert "utils service list on sub" in first.reason
        assert isinstance(second, Known)

    tell(story, more=fault(kind, "utils service list"))


# ── discovery ─────────────────────────────────────────────────────────────────────────────


def discovered(of: Scenario, before: Story | None = None) -> ClusterFacts:
    async def story(lab: LabCluster, way: MemoryTransport, clock: VirtualClock) -> ClusterFacts:
        if before is not None:
            await before(lab, way, clock)
        return await way.discover()

    facts: ClusterFacts = tell(story, of=of)
    return facts


def test_discovery_finds_the_main_job() -> None:
    facts = discovered(Scenario.load(MAIN_JOB))
    assert not facts.unknown
    assert [node.name for node in facts.nodes] == ["pub", "sub1", "sub2", "sub3", "imp1"]
    assert facts.publisher.address == "127.0.0.11"
    assert str(facts.release) == "11.5.1.12900-21"
    assert facts.nodes[4].product is Product.IM_PRESENCE
    assert CertUnit.TVS in facts.publisher.certificates
    assert not facts.publisher.runs(Service.TFTP)
    assert [node.name for node in facts.tftp_nodes] == ["sub1", "sub2"]
    assert len(facts.phones) == len(facts.registrations) == 300
    assert sum(p.security is PhoneSecurity.ENCRYPTED for p in facts.phones) == 40
    assert sum(r.registered for r in facts.registrations.values()) == 295
    assert {phone.model for phone in facts.phones} == {"Cisco 7841", "Cisco 8861", "Cisco 7940"}


def test_discovery_names_what_does_not_answer() -> None:
    async def before(lab: LabCluster, _: MemoryTransport, clock: VirtualClock) -> None:
        lab.begin_restart("pub", Service.TOMCAT)
        await clock.sleep(70)
        lab.begin_restart("sub", Service.TFTP)

    facts = discovered(scenario(), before)
    assert [line.split(":")[0] for line in facts.unknown] == [
        "ITL of sub",
        "CTL of sub",
        "phones and registrations",
    ]
    assert facts.nodes[1].itl is None
    assert facts.phones == ()


def test_a_whole_evening_is_told_the_same_twice() -> None:
    async def story(lab: LabCluster, way: MemoryTransport, clock: VirtualClock) -> list[object]:
        seen: list[object] = []
        async with asyncio.TaskGroup() as group:
            for node in ("sub1", "sub2", "sub3"):
                group.create_task(way.perform(RestartService(node, Service.CALLMANAGER)))
        names = tuple(phone.kind.name for phone in lab.phones)
        await way.perform(ResetPhones("pub", names))
        for _ in range(100):
            fact = await way.observe(Registrations())
            assert isinstance(fact, Known)
            seen.append(tuple(fact.value.items()))
            await clock.sleep(15)
        return [*seen, *lab.log]

    job = Scenario.load(MAIN_JOB)
    first: list[object] = tell(story, of=job)
    assert first == tell(story, of=job)
    assert len(first) == 100 + 3 + 300


def test_time_of_the_lab_is_the_clocks() -> None:
    async def story(lab: LabCluster, _: MemoryTransport, clock: VirtualClock) -> None:
        await clock.sleep(12)
        assert lab.now - lab.began == timedelta(seconds=12)

    tell(story)


def test_a_service_that_somebody_has_stopped_is_not_activated_as_the_wires_have_it() -> None:
    async def story(lab: LabCluster, transport: MemoryTransport, clock: VirtualClock) -> None:
        end = lab.begin_stop("sub", Service.TVS)
        await clock.sleep((end - clock.now()).total_seconds() + 1)
        stopped = ServiceState(ServiceStatus.STOPPED, activated=False)
        fact = await transport.observe(TVS_ON_SUB)
        assert isinstance(fact, Known)
        assert fact.value == stopped
        nodes = {node.name: node for node in (await transport.discover()).nodes}
        assert nodes["sub"].services[Service.TVS] == stopped
        lab.begin_start("sub", Service.TVS)
        await clock.sleep(60)
        fact = await transport.observe(TVS_ON_SUB)
        assert isinstance(fact, Known)
        assert fact.value == ServiceState(ServiceStatus.STARTED)

    tell(story)
