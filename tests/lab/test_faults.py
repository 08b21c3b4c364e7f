"""What each kind of fault makes of a command and of a look, in memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from cucm_certflow.commands import Regenerate, Reply, ReplyKind, ResetPhones, UpdateCtl
from cucm_certflow.errors import AuthenticationFailed, IdentityNotTrusted, NodeError
from cucm_certflow.facts import (
    CertificateOf,
    Fact,
    Known,
    ListFile,
    Phones,
    PresentedCertificate,
    Query,
    Registrations,
    ServedList,
    Unknown,
    VersionOf,
    Why,
)
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.memory import MemoryTransport
from cucm_certflow.lab.scenario_faults import FaultKind, interface_of
from cucm_certflow.names import CertUnit, ListKind
from cucm_certflow.testing.virtual import VirtualClock, run_virtual
from tests.lab.small import PHONE, SECURE, scenario

REGENERATE = Regenerate("pub", CertUnit.CALLMANAGER)
RESET = ResetPhones("pub", (PHONE, SECURE))
SHOWN = CertificateOf("pub", CertUnit.CALLMANAGER)
ITL = ServedList("sub", ListKind.ITL)
ACCEPTED, REFUSED, LOST = ReplyKind.ACCEPTED, ReplyKind.REFUSED, ReplyKind.LOST

Story = Callable[[LabCluster, MemoryTransport, VirtualClock], Awaitable[Any]]


def tell(story: Story, *faults: str) -> Any:  # noqa: ANN401 - one type per story
    async def main() -> Any:  # noqa: ANN401 - one type per story
        clock = VirtualClock()
        lab = LabCluster(scenario(more="".join(faults)), clock)
        return await story(lab, MemoryTransport(lab, clock), clock)

    return run_virtual(main)


def fault(kind: str, command: str, more: str = "") -> str:
    return f'\n[[faults]]\nkind = "{kind}"\ncommand = "{command}"\n{more}\n'


def generation(lab: LabCluster) -> int:
    return lab.certificate("pub", CertUnit.CALLMANAGER).generation


# ── commands ──────────────────────────────────────────────────────────────────────────────

RAISED = {
    "password expired": AuthenticationFailed,
    "host key changed": IdentityNotTrusted,
    "tls swapped": IdentityNotTrusted,
}
COMMANDS = [
    ("lost reply", LOST, True),
    ("lost command", LOST, False),
    ("late", LOST, True),
    ("unknown layout", LOST, True),
    ("refused", REFUSED, False),
    ("reset before", LOST, False),
    ("reset during", LOST, True),
    ("reset after", LOST, True),
    ("truncated", LOST, True),
    ("no prompt", LOST, True),
    ("connection refused", REFUSED, False),
    ("slow start", REFUSED, False),
    ("password expired", None, False),
    ("host key changed", None, False),
]


@pytest.mark.parametrize(("kind", "reply_is", "done"), COMMANDS)
def test_a_command_that_is_struck_was_done_or_not_as_its_fault_says(
    kind: str, reply_is: ReplyKind | None, done: bool
) -> None:
    async def story(lab: LabCluster, way: MemoryTransport, clock: VirtualClock) -> None:
        if reply_is is None:
            with pytest.raises(RAISED[kind]):
                await way.perform(REGENERATE)
        else:
            assert (await way.perform(REGENERATE)).kind is reply_is
        await clock.sleep(300)
        assert generation(lab) == 1 + done
        # Later the node is done with it: LATE is done, though not when it was told.
        assert FaultKind(kind).is_done == (done and kind != "late")

    tell(story, fault(kind, "set cert regen CallManager"))


def test_every_kind_that_strikes_the_command_line_is_in_that_table() -> None:
    here = interface_of("set cert regen CallManager")
    kinds = {kind.value for kind in FaultKind if not kind.interfaces or here in kind.interfaces}
    assert {kind for kind, _, _ in COMMANDS} == kinds - {"tls swapped"}


@pytest.mark.parametrize("kind", ["connection refused", "slow start"])
def test_nothing_was_sent_where_there_was_no_connection(kind: str) -> None:
    async def story(_: LabCluster, way: MemoryTransport, clock: VirtualClock) -> Reply:
        begin = clock.monotonic()
        reply = await way.perform(REGENERATE)
        assert (clock.monotonic() - begin) == (60 if kind == "slow start" else 0)
        return reply

    reply = tell(story, fault(kind, "set cert regen"))
    assert reply.kind is REFUSED
    assert not reply.sent


def test_a_start_that_the_client_waits_for_is_only_slow() -> None:
    async def story(lab: LabCluster, way: MemoryTransport, clock: VirtualClock) -> None:
        begin = clock.monotonic()
        assert (await way.perform(REGENERATE)).kind is ACCEPTED
        assert clock.monotonic() - begin > 40
        begin = clock.monotonic()
        assert isinstance(await way.observe(SHOWN), Known)
        assert clock.monotonic() - begin < 10

    tell(story, fault("slow start", "set cert regen", "late_s = 40"))


def test_a_reset_half_way_leaves_the_effect_yet_to_come() -> None:
    async def story(lab: LabCluster, way: MemoryTransport, _: VirtualClock) -> int:
        assert (await way.perform(REGENERATE)).kind is LOST
        return generation(lab)

    assert tell(story, fault("reset during", "set cert regen")) == 1
    assert tell(story, fault("reset after", "set cert regen")) == 2


def test_no_prompt_keeps_the_client_until_it_gives_up() -> None:
    async def story(_: LabCluster, way: MemoryTransport, clock: VirtualClock) -> float:
        begin = clock.monotonic()
        await way.perform(REGENERATE)
        return clock.monotonic() - begin

    assert tell(story, fault("no prompt", "set cert regen")) > 900


def test_half_an_answer_is_shown_and_is_not_taken_for_one() -> None:
    async def story(_: LabCluster, way: MemoryTransport, __: VirtualClock) -> Reply:
        return await way.perform(REGENERATE)

    reply = tell(story, fault("truncated", "set cert regen"))
    assert reply.kind is LOST
    assert "Successfully Regenerated" in reply.text
    assert "to become" not in reply.text


# ── resets, over the web ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("kind", "reply_is", "resets"),
    [
        ("reset before", LOST, 0),
        ("reset during", LOST, 1),
        ("reset after", LOST, 2),
        ("no prompt", LOST, 2),
        ("html", LOST, 2),
        ("truncated", LOST, 2),
        ("connection refused", REFUSED, 0),
        ("slow start", REFUSED, 0),
        ("throttled", REFUSED, 0),
        ("status 599", REFUSED, 0),
        ("not found", REFUSED, 0),
        ("soap fault", REFUSED, 0),
        ("out of memory", REFUSED, 0),
        ("password expired", None, 0),
        ("tls swapped", None, 0),
    ],
)
def test_resets_that_are_struck_were_done_as_their_fault_says(
    kind: str, reply_is: ReplyKind | None, resets: int
) -> None:
    async def story(lab: LabCluster, way: MemoryTransport, _: VirtualClock) -> None:
        if reply_is is None:
            with pytest.raises(RAISED[kind]):
                await way.perform(RESET)
        else:
            assert (await way.perform(RESET)).kind is reply_is
        assert len(lab.log) == resets

    tell(story, fault(kind, "doDeviceReset"))


# ── looks ─────────────────────────────────────────────────────────────────────────────────

CLI, AXL, RIS, TFTP = SHOWN, Phones(), Registrations(), ITL
WORDS = {CLI: "show cert own", AXL: "executeSQLQuery", RIS: "selectCmDeviceExt", TFTP: "http 6970"}


@pytest.mark.parametrize(
    ("query", "kind", "why"),
    [
        (CLI, "reset before", Why.UNREACHABLE),
        (CLI, "truncated", Why.UNREACHABLE),
        (CLI, "no prompt", Why.UNREACHABLE),
        (CLI, "connection refused", Why.UNREACHABLE),
        (CLI, "slow start", Why.UNREACHABLE),
        (CLI, "unknown layout", Why.UNREADABLE),
        (CLI, "refused", Why.FAULT),
        (AXL, "throttled", Why.BUSY),
        (AXL, "out of memory", Why.BUSY),
        (AXL, "status 599", Why.FAULT),
        (AXL, "soap fault", Why.FAULT),
        (AXL, "not found", Why.UNREACHABLE),
        (AXL, "missing session", Why.UNREACHABLE),
        (AXL, "redirect elsewhere", Why.FAULT),
        (AXL, "html", Why.UNREADABLE),
        (AXL, "truncated", Why.UNREADABLE),
        (AXL, "slow start", Why.UNREACHABLE),
        (RIS, "rate limited", Why.BUSY),
        (TFTP, "throttled", Why.BUSY),
        (TFTP, "status 599", Why.FAULT),
        (TFTP, "html", Why.UNREADABLE),
        (TFTP, "truncated", Why.UNREADABLE),
        (TFTP, "reset after", Why.UNREACHABLE),
        (TFTP, "connection refused", Why.UNREACHABLE),
    ],
)
def test_a_look_that_is_struck_says_which_obstacle_it_met(
    query: Query, kind: str, why: Why
) -> None:
    async def story(_: LabCluster, way: MemoryTransport, clock: VirtualClock) -> None:
        fact = await way.observe(query)
        assert isinstance(fact, Unknown)
        assert fact.why is why
        await clock.sleep(301)
        assert isinstance(await way.observe(query), Known)

    tell(story, fault(kind, WORDS[query]))


@pytest.mark.parametrize("kind", ["not found", "refused"])
@pytest.mark.parametrize("query", [ITL, ListFile("sub", ListKind.CTL)])
def test_404_on_6970_says_that_there_is_no_list(kind: str, query: Query) -> None:
    async def story(_: LabCluster, way: MemoryTransport, __: VirtualClock) -> Fact:
        return await way.observe(query)

    fact = tell(story, fault(kind, "http 6970"))
    assert isinstance(fact, Known)
    assert fact.value is None


def test_a_swapped_certificate_is_seen_by_who_only_looks_at_it() -> None:
    look = PresentedCertificate("pub", 8443)

    async def story(lab: LabCluster, way: MemoryTransport, clock: VirtualClock) -> None:
        with pytest.raises(IdentityNotTrusted):
            await way.observe(Phones())
        fact = await way.observe(look)
        assert isinstance(fact, Known)
        assert fact.value != str(lab.presented_tomcat("pub"))
        await clock.sleep(300)
        fact = await way.observe(look)
        assert isinstance(fact, Known)
        assert fact.value == str(lab.presented_tomcat("pub"))

    tell(story, fault("tls swapped", "executeSQLQuery"))


# ── what lasts ────────────────────────────────────────────────────────────────────────────


def test_a_refused_connection_keeps_everybody_out_of_that_port_for_a_while() -> None:
    async def story(lab: LabCluster, way: MemoryTransport, clock: VirtualClock) -> None:
        assert (await way.perform(UpdateCtl("pub"))).kind is REFUSED
        fact = await way.observe(SHOWN)
        assert isinstance(fact, Unknown)
        assert isinstance(await way.observe(VersionOf("sub")), Known)  # another node
        assert isinstance(await way.observe(Phones()), Known)  # another port
        await clock.sleep(120)
        assert (await way.perform(UpdateCtl("pub"))).kind is ACCEPTED

    tell(story, fault("connection refused", "utils ctl update", "for_s = 100"))


def test_an_expired_password_stops_the_account_everywhere_and_no_other() -> None:
    async def story(_: LabCluster, way: MemoryTransport, clock: VirtualClock) -> None:
        with pytest.raises(AuthenticationFailed):
            await way.observe(VersionOf("pub"))
        with pytest.raises(AuthenticationFailed):
            await way.observe(VersionOf("sub"))
        assert isinstance(await way.observe(Phones()), Known)
        await clock.sleep(600)
        with pytest.raises(AuthenticationFailed):  # nobody tries it again by himself
            await way.observe(VersionOf("pub"))

    tell(story, fault("password expired", "show version"))


def test_discovery_names_the_node_that_lets_nobody_in() -> None:
    async def story(_: LabCluster, way: MemoryTransport, __: VirtualClock) -> None:
        await way.observe(VersionOf("sub"))
        facts = await way.discover()
        assert "sub: no connection" in facts.unknown
        assert facts.nodes[1].certificates == {}

    tell(story, fault("connection refused", "show version", 'node = "sub"'))


def test_discovery_does_not_do_without_the_publisher() -> None:
    async def story(_: LabCluster, way: MemoryTransport, __: VirtualClock) -> None:
        await way.observe(VersionOf("pub"))
        with pytest.raises(NodeError):
            await way.discover()

    tell(story, fault("connection refused", "show version"))


def test_all_that_was_asked_is_kept_in_order() -> None:
    async def story(lab: LabCluster, way: MemoryTransport, _: VirtualClock) -> None:
        await way.observe(SHOWN)
        await way.perform(REGENERATE)
        await way.observe(ITL)
        assert [(each.node, each.text) for each in lab.exchanges] == [
            ("pub", "show cert own CallManager"),
            ("pub", "set cert regen CallManager"),
            ("sub", "http 6970 ITLFile.tlv"),
        ]

    tell(story)
