"""The day before the change: whether everything that a run needs of each node can be had."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import asyncssh
import pytest
from typer.testing import CliRunner

from cucm_certflow import Area, DoctorReport, Interface, Inventory, Sign, UsageError, Verdict
from cucm_certflow.cli.app import app
from cucm_certflow.clock import ScaledClock
from cucm_certflow.cluster import Cluster
from cucm_certflow.commands import Command, Reply
from cucm_certflow.connection import connect
from cucm_certflow.doctor import examine
from cucm_certflow.facts import (
    ClusterMember,
    Fact,
    Known,
    Members,
    NtpStatus,
    Query,
    TimeSync,
)
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.lab.servers import LabServers
from cucm_certflow.testing import Stage, play
from cucm_certflow.transports.base import Transport
from cucm_certflow.transports.breaker import Breaker
from tests.lab.small import SMALL

NODES = ("pub", "sub", "imp")
NEW = SMALL.replace("11.5.1.12900-21", "15.0.1.11900-23")
ROLES = '\n[accounts.application]\nuser = "app"\npassword = "lab-app"\nroles = [{}]\n'


def fault(kind: str, command: str, node: str = "sub") -> str:
    text = f'\n[[faults]]\nkind = "{kind}"\ncommand = "{command}"\nnode = "{node}"\n'
    return f"{text}for_s = 90000\nlate_s = 90000\n"


class OnlyLooks:
    """A transport through which nothing can be changed; it notes what is asked, and when."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.asked: list[Query] = []

    def supports(self, what: Query | Command) -> bool:
        return self._transport.supports(what)

    async def observe(self, query: Query) -> Fact:
        self.asked.append(query)
        return await self._transport.observe(query)

    async def perform(self, command: Command) -> Reply:
        raise AssertionError(command)

    async def aclose(self) -> None:
        await self._transport.aclose()


class Telling(OnlyLooks):
    """As :class:`OnlyLooks`, with answers of its own to some questions."""

    def __init__(self, transport: Transport, answers: Mapping[Query, object]) -> None:
        super().__init__(transport)
        self._answers = answers

    async def observe(self, query: Query) -> Fact:
        fact = await super().observe(query)
        if query in self._answers:
            return Known(self._answers[query], fact.at, fact.by)
        return fact


def examined(more: str = "", *, text: str = SMALL, nodes: tuple[str, ...] = NODES) -> DoctorReport:
    async def story(stage: Stage) -> DoctorReport:
        way = OnlyLooks(stage.transport)
        addresses = {n.name: n.address for n in stage.lab.scenario.nodes}
        chosen = {name: addresses.get(name, "127.0.0.99") for name in nodes}
        report = await examine(way, chosen, stage.cluster.clock)
        assert list(stage.lab.log) == []
        assert len(way.asked) == len(set(way.asked))
        return report

    return play(text + more, story)


def told(answers: Mapping[Query, object]) -> DoctorReport:
    async def story(stage: Stage) -> DoctorReport:
        addresses = {n.name: n.address for n in stage.lab.scenario.nodes}
        return await examine(Telling(stage.transport, answers), addresses, stage.cluster.clock)

    return play(SMALL, story)


def of(report: DoctorReport, node: str, interface: Interface | None = None) -> list[Sign]:
    return [s for s in report.wrong() if s.node == node and interface in (None, s.interface)]


def only(report: DoctorReport) -> Sign:
    wrong = report.wrong()
    assert len(wrong) == 1, "\n".join(map(str, wrong))
    assert wrong[0].next
    return wrong[0]


# ── a cluster that is well ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("text", [SMALL, NEW], ids=["11.5", "15"])
def test_a_cluster_that_is_well_has_a_good_sign_from_each_interface_of_each_node(text: str) -> None:
    report = examined(text=text)
    assert report.is_well
    assert report.can_be_driven
    assert report.wrong() == ()
    seen = Counter(sign.interface for sign in report.signs if sign.area is Area.REACH)
    assert seen.pop(Interface.PLATFORM_REST, 0) == (3 if text is NEW else 0)
    # Cisco Tftp is not on IM and Presence; three interfaces are the publisher's.
    assert seen == {
        Interface.SSH: 3,
        Interface.CONTROL_CENTER: 3,
        Interface.TLS: 3,
        Interface.TFTP_HTTP: 2,
        Interface.AXL: 1,
        Interface.RISPORT: 1,
        Interface.PERFMON: 1,
    }
    assert Counter(sign.area for sign in report.signs)[Area.CLOCK] == 3
    assert "all is well" in str(report)


def test_what_no_look_can_show_is_named_and_is_no_finding() -> None:
    report = examined()
    assert [text for text in report.unseen if "Read Only" in text]
    assert [text for text in report.unseen if "level 4" in text]


# ── reachability ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["connection refused", "slow start"])
def test_a_node_that_is_down_is_found_and_delays_no_other(kind: str) -> None:
    down = fault(kind, "show version active") + fault(kind, "https 8443")
    report = examined(down + fault(kind, "http 6970 ITLFile.tlv"))
    assert [s.verdict for s in of(report, "sub", Interface.SSH)] == [Verdict.FINDING]
    assert "port" in of(report, "sub", Interface.SSH)[0].next
    assert not of(report, "pub")
    assert not of(report, "imp")
    assert not report.can_be_driven
    # No longer than the patience of one connection, and not of one after the other.
    assert report.took_s < 65


def test_the_publisher_down_leaves_the_names_unknown_and_is_not_asked_again() -> None:
    report = examined(fault("connection refused", "show version active", "pub"))
    assert [s.detail for s in of(report, "pub") if s.area is Area.NAMES]
    assert all(s.verdict is Verdict.UNKNOWN for s in of(report, "pub") if s.area is Area.NAMES)
    for interface in (Interface.AXL, Interface.RISPORT, Interface.PERFMON):
        (sign,) = of(report, "pub", interface)
        assert sign.verdict is Verdict.UNKNOWN
        assert "platform CLI first" in sign.next


def test_trust_lists_that_nobody_serves_are_found_where_tftp_is_activated() -> None:
    sign = only(examined(fault("connection refused", "http 6970 ITLFile.tlv")))
    assert (sign.node, sign.interface, sign.area) == ("sub", Interface.TFTP_HTTP, Area.REACH)
    assert "6970" in sign.next


def test_a_publisher_without_callmanager_answers_perfmon_all_the_same() -> None:
    text = (
        SMALL.replace("publisher = true\n", 'publisher = true\nservices = ["tftp", "tvs"]\n')
        .replace('group = ["pub", "sub"]', 'group = ["sub"]')
        .replace('"sub", "pub"]', '"sub"]')
    )
    assert examined(text=text).is_well


def test_what_takes_longer_than_its_time_is_said_and_the_whole_is_bounded() -> None:
    async def story(stage: Stage) -> DoctorReport:
        return await stage.cluster.doctor(node_within_s=20)

    report = play(SMALL + fault("slow start", "show version active"), story)
    (sign,) = of(report, "sub", Interface.SSH)
    assert "20 s" in sign.detail
    assert report.took_s <= 21
    assert not of(report, "pub")


# ── identity and credentials ──────────────────────────────────────────────────────────────


def test_another_host_key_is_found_and_no_password_goes_to_that_node() -> None:
    report = examined(fault("host key changed", "show version active"))
    (sign,) = of(report, "sub", Interface.SSH)
    assert sign.area is Area.IDENTITY
    (web,) = of(report, "sub", Interface.CONTROL_CENTER)
    assert web.verdict is Verdict.UNKNOWN
    assert not of(report, "imp")


def test_a_swapped_certificate_is_found_where_it_is_shown() -> None:
    report = examined(fault("tls swapped", "soapGetServiceStatus"))
    (sign,) = of(report, "sub", Interface.CONTROL_CENTER)
    assert sign.area is Area.IDENTITY


def test_a_refused_account_is_said_by_all_and_tried_by_one() -> None:
    report = examined(fault("password expired", "getCCMVersion", "pub"))
    refused = [sign for sign in report.wrong() if sign.area is Area.CREDENTIALS]
    assert {sign.interface for sign in refused} >= {Interface.AXL, Interface.CONTROL_CENTER}
    tried = [sign for sign in refused if "not tried again" not in sign.detail]
    assert len(tried) == 1
    assert not [sign for sign in refused if sign.interface is Interface.SSH]


# ── privileges ────────────────────────────────────────────────────────────────────────────


def test_a_missing_role_is_named_with_what_is_left_without_it() -> None:
    report = examined(ROLES.format('"Standard CCM Server Monitoring"'))
    sign = only(report)
    assert (sign.node, sign.interface, sign.area) == ("pub", Interface.AXL, Area.PRIVILEGES)
    assert "Standard AXL API Access" in sign.next
    assert "phones cannot be reset" in sign.next


def test_a_platform_account_that_may_only_read_is_not_taken_for_more() -> None:
    more = '\n[accounts.platform]\nuser = "reader"\npassword = "lab-reader"\nprivilege = 0\n'
    report = examined(more)
    signs = [s for s in report.wrong() if s.area is Area.PRIVILEGES]
    assert [s.node for s in signs] == list(NODES)
    assert all(s.verdict is Verdict.UNKNOWN and "level 1" in s.next for s in signs)


# ── clocks ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("off_s", "words"), [(300.0, "ahead of"), (-300.0, "behind")])
def test_a_clock_that_is_off_is_found_with_how_far(off_s: float, words: str) -> None:
    report = examined(f"\n[health]\nclock_off_s = {{ sub = {off_s} }}\n")
    sign = only(report)
    assert (sign.node, sign.area) == ("sub", Area.CLOCK)
    assert words in sign.detail
    assert "s " + words in sign.detail
    assert 298 <= float(sign.detail.partition("and is ")[2].split()[0]) <= 300
    assert report.can_be_driven


def test_a_clock_within_the_limit_is_no_finding() -> None:
    assert examined("\n[health]\nclock_off_s = { sub = 40 }\n").is_well


def test_a_node_without_a_time_server_is_found() -> None:
    sign = only(examined('\n[health]\nntp_unsynchronised = ["imp"]\n'))
    assert (sign.node, sign.area) == ("imp", Area.CLOCK)
    assert "utils ntp status" in sign.next


def test_clocks_that_agree_with_each_other_say_that_ours_is_off() -> None:
    jump = '\n[[events]]\nkind = "clock jumps"\nat_s = 0\nby_s = -900\n'
    report = examined(jump)
    assert [sign.node for sign in report.wrong()] == list(NODES)
    assert all("this machine" in sign.next for sign in report.wrong())


def test_a_node_that_does_not_print_its_time_is_unknown() -> None:
    sign = only(told({TimeSync("sub"): NtpStatus(synchronised=True, stratum=3)}))
    assert sign.verdict is Verdict.UNKNOWN
    assert sign.node == "sub"


# ── names ─────────────────────────────────────────────────────────────────────────────────


def test_a_node_that_is_missing_in_the_inventory_is_found_with_the_lines_to_add() -> None:
    sign = only(examined(nodes=("pub", "sub")))
    assert sign.area is Area.NAMES
    assert 'name = "imp"' in sign.next
    assert 'address = "127.0.0.13"' in sign.next


def test_a_name_that_the_cluster_does_not_know_gets_the_one_that_it_means() -> None:
    members = (
        ClusterMember(name="cucm-pub", address="127.0.0.11", is_publisher=True),
        ClusterMember(name="sub", address="127.0.0.12", is_publisher=False),
        ClusterMember(name="imp", address="127.0.0.13", is_publisher=False),
    )
    report = told({Members(): members})
    assert [s.node for s in report.wrong()] == ["", "pub"]
    assert "cucm-pub" in report.wrong()[0].detail
    assert all(s.area is Area.NAMES for s in report.wrong())


def test_two_nodes_that_are_mixed_up_and_a_publisher_that_is_not_first_are_found() -> None:
    members = (
        ClusterMember(name="pub", address="127.0.0.12", is_publisher=False),
        ClusterMember(name="sub", address="127.0.0.11", is_publisher=True),
        ClusterMember(name="imp", address="127.0.0.13", is_publisher=False),
    )
    details = [sign.detail for sign in told({Members(): members}).wrong()]
    assert details == [
        "the inventory says 127.0.0.11, and the cluster 127.0.0.12",
        "the inventory says 127.0.0.12, and the cluster 127.0.0.11",
        "sub is the publisher, and not pub",
    ]


# ── the library's face ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("figures", [{"node_within_s": 0.0}, {"clock_within_s": -1.0}])
def test_figures_out_of_range_are_refused_before_anything_is_asked(
    figures: dict[str, float],
) -> None:
    async def story(stage: Stage) -> None:
        way = OnlyLooks(stage.transport)
        cluster = Cluster(way, stage.cluster.discover, nodes={"pub": "127.0.0.11"})
        with pytest.raises(UsageError):
            await cluster.doctor(**figures)
        with pytest.raises(UsageError, match="nodes"):
            await Cluster(way, stage.cluster.discover).doctor()
        assert way.asked == []

    play(SMALL, story)


def test_a_look_that_is_cancelled_leaves_nothing_behind() -> None:
    async def story(stage: Stage) -> None:
        before = asyncio.all_tasks()
        looking = asyncio.ensure_future(stage.cluster.doctor())
        await stage.clock.sleep(3)
        looking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await looking
        assert asyncio.all_tasks() == before
        assert (await stage.cluster.doctor()).is_well

    play(SMALL, story)


# ── over real sockets ─────────────────────────────────────────────────────────────────────

WIRES = NEW.replace("127.0.0.", "127.0.93.") + "\n[timing]\nsession_start_s = 1\n"


class Counting(Breaker):
    """Counts the passwords that are on their way, by kind of account."""

    def __init__(self) -> None:
        super().__init__()
        self.logins: Counter[str] = Counter()

    @asynccontextmanager
    async def turn(self, kind: str, user: str, /) -> AsyncIterator[None]:
        async with super().turn(kind, user):
            self.logins[kind] += 1
            yield


async def over_the_wires(
    inventory: Path, servers: LabServers, text: str = ""
) -> tuple[DoctorReport, Counter[str]]:
    told = text or inventory.read_text(encoding="utf-8")
    breaker = Counting()
    loaded = Inventory.loads(told, folder=inventory.parent)
    async with connect(loaded, clock=servers.clock, breaker=breaker) as cluster:
        # The lab's minute is a second and a half: a look is old when it is there.
        report = await cluster.doctor(node_within_s=60, clock_within_s=600)
    assert list(servers.cluster.log) == []
    return report, breaker.logins


@pytest.mark.asyncio
async def test_over_real_sockets_one_login_for_each_door_and_one_for_a_wrong_password(
    tmp_path: Path,
) -> None:
    scenario = Scenario.loads(WIRES)
    async with LabServers(scenario, clock=ScaledClock(40), folder=tmp_path) as servers:
        inventory = servers.inventory
        report, logins = await over_the_wires(inventory, servers)
        assert report.is_well, str(report)
        # Shells and platform REST of three nodes; RISPort70, PerfMon, three Control Centers, and
        # AXL twice: the node has let it in, and then asks for another version (599).
        assert logins == {"platform": 6, "application": 7}

        right = inventory.read_text(encoding="utf-8")
        account = scenario.accounts.application
        wrong = right.replace(account.password, "wrong-one")
        assert wrong != right
        report, logins = await over_the_wires(inventory, servers, wrong)
        assert logins["application"] == 1
        bad = [sign for sign in report.wrong() if sign.area is Area.CREDENTIALS]
        assert len(bad) == 6
        assert "wrong-one" not in str(report)

        wrong = right.replace(scenario.accounts.platform.password, "wrong-one")
        report, logins = await over_the_wires(inventory, servers, wrong)
        assert logins == {"platform": 1}
        assert not report.can_be_driven

        known = tmp_path / "known_hosts"
        lines = known.read_text(encoding="utf-8").splitlines(keepends=True)
        known.write_text("".join(lines[1:]), encoding="utf-8")
        report, _ = await over_the_wires(inventory, servers)
        (sign,) = of(report, "pub", Interface.SSH)
        assert sign.area is Area.IDENTITY
        assert sign.next.endswith(lines[0].strip())
        asyncssh.import_known_hosts(sign.next.rpartition("known_hosts: ")[2] + "\n")
        assert not of(report, "sub")


def test_the_command_says_what_is_wrong_with_the_inventory_and_no_more(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["doctor", "-i", str(tmp_path / "none.toml")])
    assert result.exit_code == 2
    assert "none.toml" in result.output
