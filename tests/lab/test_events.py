"""What each kind of event does to the world, in memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from cucm_certflow.commands import Regenerate, ReplyKind, RestartService, StopService, UpdateCtl
from cucm_certflow.errors import ScenarioError
from cucm_certflow.facts import (
    DatabaseCertificates,
    Known,
    Replication,
    ServiceStatus,
    Unknown,
    VersionOf,
    Why,
)
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.memory import MemoryTransport
from cucm_certflow.lab.physics.judge import Health, health
from cucm_certflow.lab.physics.world import Cert
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.lab.scenario_events import EventKind
from cucm_certflow.names import CertUnit, ListKind, Service
from cucm_certflow.testing.virtual import VirtualClock, run_virtual
from tests.lab.small import PHONE, SECURE, SMALL, scenario

TFTP = RestartService("sub", Service.TFTP)
CTL = UpdateCtl("pub")
STARTED, STARTING, STOPPED = ServiceStatus.STARTED, ServiceStatus.STARTING, ServiceStatus.STOPPED

Story = Callable[[LabCluster, MemoryTransport, VirtualClock], Awaitable[Any]]


def tell(story: Story, *events: str, **keys: str) -> Any:  # noqa: ANN401 - one type per story
    async def main() -> Any:  # noqa: ANN401 - one type per story
        clock = VirtualClock()
        more = "".join(f"\n[[events]]\n{event}\n" for event in events)
        lab = LabCluster(scenario(more=more, **keys), clock)
        return await story(lab, MemoryTransport(lab, clock), clock)

    return run_virtual(main)


def status(lab: LabCluster, node: str, service: Service) -> ServiceStatus:
    return lab.service_state(node, service).status


# ── services and nodes ────────────────────────────────────────────────────────────────────


def test_service_slow_keeps_it_in_starting_for_that_long() -> None:
    async def story(lab: LabCluster, way: MemoryTransport, clock: VirtualClock) -> None:
        assert (await way.perform(TFTP)).kind is ReplyKind.LOST
        assert status(lab, "sub", Service.TFTP) is STARTING
        await clock.sleep(590)
        assert status(lab, "sub", Service.TFTP) is STARTING
        await clock.sleep(11)
        assert status(lab, "sub", Service.TFTP) is STARTED
        assert (await way.perform(TFTP)).kind is ReplyKind.ACCEPTED

    tell(story, event("service slow", 'service = "tftp"\nfor_s = 600', TFTP))


def test_service_stuck_starts_only_when_somebody_starts_it_anew() -> None:
    async def story(lab: LabCluster, way: MemoryTransport, clock: VirtualClock) -> None:
        assert (await way.perform(TFTP)).kind is ReplyKind.LOST
        await clock.sleep(100_000)
        assert status(lab, "sub", Service.TFTP) is STARTING
        assert lab.served("sub", ListKind.ITL) is None
        assert (await way.perform(TFTP)).kind is ReplyKind.ACCEPTED
        assert status(lab, "sub", Service.TFTP) is STARTED

    tell(story, event("service stuck", 'service = "tftp"', TFTP))


@pytest.mark.parametrize("back", [True, False])
def test_service_dies_again_after_its_restart(back: bool) -> None:
    async def story(lab: LabCluster, way: MemoryTransport, clock: VirtualClock) -> None:
        assert (await way.perform(TFTP)).kind is ReplyKind.ACCEPTED
        assert status(lab, "sub", Service.TFTP) is STARTED
        await clock.sleep(60)
        assert status(lab, "sub", Service.TFTP) is STOPPED
        assert not lab.is_commanded_out("sub", Service.TFTP)
        await clock.sleep(300)
        assert (status(lab, "sub", Service.TFTP) is STARTED) == back

    more = 'service = "tftp"\nafter_s = 60' + ("\nfor_s = 120" if back else "")
    tell(story, event("service dies", more, TFTP))


def test_a_callmanager_that_dies_loses_its_phones_to_the_next() -> None:
    async def story(lab: LabCluster, _: MemoryTransport, clock: VirtualClock) -> None:
        assert lab.registration(PHONE).node == "pub"
        await clock.sleep(11)
        assert not lab.registration(PHONE).registered
        await clock.sleep(60)
        assert lab.registration(PHONE).node == "sub"

    tell(story, 'kind = "service dies"\nat_s = 10\nnode = "pub"\nservice = "callmanager"')


def test_service_restarts_unasked_and_shows_what_is_new() -> None:
    async def story(lab: LabCluster, way: MemoryTransport, clock: VirtualClock) -> None:
        before = lab.served("sub", ListKind.ITL)
        await way.perform(Regenerate("sub", CertUnit.CALLMANAGER))
        assert lab.served("sub", ListKind.ITL) == before
        await clock.sleep(120)
        assert lab.served("sub", ListKind.ITL) != before
        assert [each.text for each in lab.log] == ["set cert regen CallManager"]

    tell(story, event("service restarts", 'service = "tftp"\nafter_s = 30', "set cert regen"))


def test_node_reboots_and_answers_nobody_meanwhile() -> None:
    async def story(lab: LabCluster, way: MemoryTransport, clock: VirtualClock) -> None:
        assert isinstance(await way.observe(VersionOf("sub")), Known)
        await clock.sleep(10)
        fact = await way.observe(VersionOf("sub"))
        assert isinstance(fact, Unknown)
        assert fact.why is Why.UNREACHABLE
        reply = await way.perform(TFTP)
        assert (reply.kind, reply.sent) == (ReplyKind.REFUSED, False)
        assert lab.served("sub", ListKind.ITL) is None
        assert lab.presented("sub", CertUnit.TVS) is None
        await clock.sleep(300)
        assert isinstance(await way.observe(VersionOf("sub")), Known)
        await clock.sleep(120)
        assert status(lab, "sub", Service.TFTP) is STARTED
        assert lab.boots("sub") == 1

    tell(story, 'kind = "node reboots"\nat_s = 10\nnode = "sub"\nfor_s = 300')


def test_a_node_that_reboots_starts_what_somebody_had_stopped() -> None:
    async def story(lab: LabCluster, way: MemoryTransport, clock: VirtualClock) -> None:
        await way.perform(StopService("sub", Service.TVS))
        await clock.sleep(600)
        assert status(lab, "sub", Service.TVS) is STARTED

    tell(story, 'kind = "node reboots"\nat_s = 60\nnode = "sub"\nfor_s = 300')


def test_what_a_node_was_about_to_do_when_it_rebooted_is_done_or_not() -> None:
    async def story(lab: LabCluster, way: MemoryTransport, clock: VirtualClock) -> int:
        reply = await way.perform(Regenerate("sub", CertUnit.TVS))
        assert reply.kind is ReplyKind.LOST
        await clock.sleep(1000)
        return lab.certificate("sub", CertUnit.TVS).generation

    reboot = event("node reboots", "after_s = 1\nfor_s = 300", "set cert regen")
    found = [tell(story, reboot, seed=str(seed)) for seed in range(1, 13)]
    assert set(found) == {1, 2}
    assert found == [tell(story, reboot, seed=str(seed)) for seed in range(1, 13)]


# ── databases and lists ───────────────────────────────────────────────────────────────────

NEW = Cert(CertUnit.CALLMANAGER, "pub", 2)


async def regenerated(way: MemoryTransport) -> None:
    await way.perform(Regenerate("pub", CertUnit.CALLMANAGER))


def test_replication_broken_is_seen_and_keeps_certificates_from_the_node() -> None:
    async def story(lab: LabCluster, way: MemoryTransport, clock: VirtualClock) -> None:
        await regenerated(way)
        fact = await way.observe(Replication())
        assert isinstance(fact, Known)
        assert fact.value["sub"] == 3
        await clock.sleep(1000)
        assert NEW not in lab.book.known_to("sub")
        assert NEW in lab.book.known_to("pub")
        assert isinstance(await way.observe(DatabaseCertificates("sub")), Known)
        await clock.sleep(3600)
        assert NEW in lab.book.known_to("sub")
        fact = await way.observe(Replication())
        assert isinstance(fact, Known)
        assert fact.value["sub"] == 2

    tell(story, event("replication broken", "for_s = 3600", "set cert regen"))


def test_database_late_learns_of_what_is_new_but_later() -> None:
    async def story(lab: LabCluster, way: MemoryTransport, clock: VirtualClock) -> None:
        await regenerated(way)
        await clock.sleep(500)
        assert NEW not in lab.book.known_to("sub")
        await clock.sleep(200)
        assert NEW in lab.book.known_to("sub")

    tell(story, event("database late", "by_s = 600", "set cert regen"))


def test_ctl_kept_is_of_before_on_that_node_until_the_next_one() -> None:
    async def story(lab: LabCluster, way: MemoryTransport, clock: VirtualClock) -> None:
        before = lab.served("sub", ListKind.CTL)
        await regenerated(way)
        assert (await way.perform(CTL)).kind is ReplyKind.ACCEPTED
        await clock.sleep(600)
        assert lab.served("pub", ListKind.CTL) != before
        assert lab.served("sub", ListKind.CTL) == before
        await way.perform(CTL)
        await clock.sleep(10)
        assert lab.served("sub", ListKind.CTL) == lab.served("pub", ListKind.CTL)

    tell(story, event("ctl kept", "", CTL))


def test_list_stale_is_not_rebuilt_by_the_restart_and_is_by_the_next() -> None:
    async def story(lab: LabCluster, way: MemoryTransport, _: VirtualClock) -> None:
        before = lab.served("sub", ListKind.ITL)
        await way.perform(Regenerate("sub", CertUnit.TVS))
        await way.perform(TFTP)
        assert lab.served("sub", ListKind.ITL) == before
        await way.perform(TFTP)
        assert lab.served("sub", ListKind.ITL) != before

    tell(story, event("list stale", "", TFTP))


# ── phones ────────────────────────────────────────────────────────────────────────────────


def test_phones_slow_take_that_much_longer_to_boot() -> None:
    async def story(lab: LabCluster, _: MemoryTransport, clock: VirtualClock) -> None:
        lab.reset_phone(PHONE)
        await clock.sleep(600)
        assert not lab.registration(PHONE).registered
        await clock.sleep(200)
        assert lab.registration(PHONE).registered

    tell(story, 'kind = "phones slow"\nat_s = 0\nby_s = 600')


@pytest.mark.parametrize(
    ("more", "later", "at_last"),
    [("", 0, 0), ("share = 0.5", 2, 2), ("for_s = 7200", 0, 5), ("share = 1.0", 0, 0)],
)
def test_phones_away_leave_and_do_not_come_back(more: str, later: int, at_last: int) -> None:
    async def story(lab: LabCluster, _: MemoryTransport, clock: VirtualClock) -> None:
        def there() -> int:
            return sum(each.registered for each in lab.registrations().values())

        await clock.sleep(1)
        assert there() == 5  # the sixth is off anyway
        for phone in lab.phones:
            lab.reset_phone(phone.kind.name)
        await clock.sleep(3600)
        assert there() == pytest.approx(later, abs=1 if "0.5" in more else 0)
        await clock.sleep(7200)
        assert there() == pytest.approx(at_last, abs=1 if "0.5" in more else 0)

    tell(story, f'kind = "phones away"\nat_s = 0\n{more}')


def test_phones_away_do_not_fail_over_either() -> None:
    async def story(lab: LabCluster, _: MemoryTransport, clock: VirtualClock) -> None:
        lab.begin_restart("pub", Service.CALLMANAGER)
        await clock.sleep(3600)
        assert not lab.registration(PHONE).registered

    tell(story, 'kind = "phones away"\nat_s = 0')


def test_phones_loop_leave_again_and_again() -> None:
    async def story(lab: LabCluster, _: MemoryTransport, clock: VirtualClock) -> int:
        since = set()
        for _step in range(200):
            await clock.sleep(30)
            since.add(lab.registration(PHONE))
        return sum(each.registered for each in since)

    assert tell(story, 'kind = "phones loop"\nat_s = 10\nby_s = 300\nfor_s = 3000') >= 9


def test_phones_reset_unasked_and_nobody_logs_it() -> None:
    async def story(lab: LabCluster, _: MemoryTransport, clock: VirtualClock) -> None:
        await clock.sleep(20)
        assert not lab.registration(PHONE).registered
        await clock.sleep(300)
        assert lab.registration(PHONE).registered
        assert lab.log == ()

    tell(story, 'kind = "phones reset"\nat_s = 10')


def test_phones_locked_are_registered_and_only_a_walk_brings_them_back() -> None:
    async def story(lab: LabCluster, _: MemoryTransport, clock: VirtualClock) -> None:
        await clock.sleep(11)
        assert lab.registration(PHONE).registered
        assert health(lab.layout, lab.kinds, lab.world, 0) is Health.HAND_DELETE
        lab.reset_phone(PHONE)
        lab.reset_phone(SECURE)
        await clock.sleep(300)
        assert lab.registration(PHONE).registered  # and locked all the same
        assert not lab.registration(SECURE).registered
        assert health(lab.layout, lab.kinds, lab.world, 0) is Health.HAND_DELETE

    tell(story, 'kind = "phones locked"\nat_s = 10')


# ── other people, and the driver ──────────────────────────────────────────────────────────


def test_regenerated_outside_is_new_and_in_no_log() -> None:
    async def story(lab: LabCluster, _: MemoryTransport, clock: VirtualClock) -> None:
        await clock.sleep(30)
        assert lab.certificate("sub", CertUnit.TVS).generation == 2
        assert lab.log == ()
        (happened,) = lab.happened
        assert happened.event.kind is EventKind.REGENERATED_OUTSIDE
        assert happened.at - lab.began == timedelta(seconds=10)

    tell(story, 'kind = "regenerated outside"\nat_s = 10\nnode = "sub"\nunit = "TVS"')


def test_ctl_updated_outside_is_served_everywhere() -> None:
    async def story(lab: LabCluster, way: MemoryTransport, clock: VirtualClock) -> None:
        before = lab.served("sub", ListKind.CTL)
        await regenerated(way)
        await clock.sleep(60)
        assert lab.served("sub", ListKind.CTL) != before
        assert [each.text for each in lab.log] == ["set cert regen CallManager"]

    tell(story, 'kind = "ctl updated outside"\nat_s = 60')


# ── when ──────────────────────────────────────────────────────────────────────────────────


def event(kind: str, more: str, after: object) -> str:
    """What happens to sub when a command comes."""
    node = "" if kind.startswith("phones") else 'node = "sub"'
    return f'kind = "{kind}"\ncommand = "{after}"\n{node}\n{more}'


def test_an_event_waits_for_the_nth_command_on_its_node() -> None:
    async def story(lab: LabCluster, way: MemoryTransport, _: VirtualClock) -> list[int]:
        seen: list[int] = []
        for node in ("sub", "pub", "sub", "pub"):
            await way.perform(Regenerate(node, CertUnit.TVS))
            seen.append(len(lab.happened))
        return seen

    waits = 'kind = "phones reset"\ncommand = "set cert regen"\ncommand_node = "pub"\nnth = 2'
    assert tell(story, waits) == [0, 0, 0, 1]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('kind = "phones reset"', "events[0].at_s: expected either at_s or command"),
        ('kind = "phones reset"\nat_s = 1\ncommand = "x"', "either at_s or command"),
        ('kind = "phones reset"\nat_s = -1', "events[0].at_s: expected 0 or more"),
        ('kind = "phones reset"\nat_s = 1\ncommand_node = "pub"', "events[0].command_node"),
        ('kind = "phones reset"\ncommand = " "', "events[0].command: expected a command"),
        ('kind = "phones reset"\ncommand = "x"\nnth = 0', "events[0].nth: expected 1 or more"),
        ('kind = "phones reset"\ncommand = "x"\nafter_s = -1', "events[0].after_s"),
        ('kind = "phones reset"\nat_s = 1\nshare = 0', "events[0].share: expected over 0"),
        ('kind = "phones reset"\nat_s = 1\nshare = 1.5', "events[0].share: expected over 0"),
        ('kind = "phones reset"\nat_s = 1\nnode = "pub"', "events[0].node: means nothing to"),
        ('kind = "node reboots"\nat_s = 1\nnode = "pub"', "events[0].for_s: is needed by"),
        ('kind = "node reboots"\nat_s = 1\nnode = "nob"\nfor_s = 1', "no node is called 'nob'"),
        ('kind = "node reboots"\nat_s = 1\nnode = "pub"\nfor_s = 0', "expected more than 0"),
        ('kind = "phones slow"\nat_s = 1\nby_s = -5', "events[0].by_s: expected more than 0"),
        (
            'kind = "service stuck"\nat_s = 1\nnode = "imp"\nservice = "tftp"',
            "events[0].service: Cisco Tftp is not activated on imp",
        ),
        (
            'kind = "regenerated outside"\nat_s = 1\nnode = "imp"\nunit = "CallManager"',
            "events[0].unit: imp has no certificate of CallManager",
        ),
        ('kind = "list stale"\nat_s = 1\nnode = "imp"', "events[0].node: Cisco Tftp is not"),
        ('kind = "phones rest"\nat_s = 1', "did you mean 'phones reset'?"),
        ('kind = "phones reset"\nat_s = 1\nwhen = 3', "events[0].when: unknown key"),
    ],
)
def test_an_event_that_cannot_be_is_refused_by_its_place(text: str, complaint: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        Scenario.loads(f"{SMALL}\n[[events]]\n{text}\n")
    assert complaint in caught.value.report.saw


def test_no_ctl_can_be_kept_in_a_cluster_without_one() -> None:
    with pytest.raises(ScenarioError) as caught:
        Scenario.loads(
            'release = "12.5"\n[[nodes]]\nname = "pub"\naddress = "127.0.0.11"\npublisher = true\n'
            '[[events]]\nkind = "ctl kept"\nat_s = 1\nnode = "pub"\n'
        )
    assert "events[0].kind: no command of this cluster renews a CTL" in caught.value.report.saw


def test_chance_is_decided_by_the_seed() -> None:
    async def story(lab: LabCluster, _: MemoryTransport, clock: VirtualClock) -> list[bool]:
        await clock.sleep(20)
        return [each.registered for each in lab.registrations().values()]

    half = 'kind = "phones reset"\nat_s = 10\nshare = 0.5'
    found = [tell(story, half, seed=str(seed)) for seed in range(1, 9)]
    assert len({tuple(each) for each in found}) > 1
    assert found == [tell(story, half, seed=str(seed)) for seed in range(1, 9)]
