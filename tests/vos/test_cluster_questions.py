"""What a node's command line says of itself and its cluster; places for sessions; whom to ask."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence

import pytest

from cucm_certflow.clock import SystemClock
from cucm_certflow.commands import (
    Regenerate,
    ReplyKind,
    ResetLocalkey,
    ResetPhones,
    RestartService,
    UpdateCtl,
)
from cucm_certflow.facts import (
    CallManagerGroups,
    CertificateOf,
    ClusterMember,
    DevicePools,
    Known,
    Members,
    Parameter,
    Phones,
    PhoneSecurity,
    Query,
    Registrations,
    ServedList,
    ServicesOn,
    ServiceState,
    ServiceStatus,
    UnitsOn,
    Unknown,
    VersionOf,
    Why,
)
from cucm_certflow.names import CertUnit, Interface, ListKind, Service
from cucm_certflow.transports.breaker import Breaker
from cucm_certflow.transports.budget import Budgets
from cucm_certflow.transports.vos.shells import Shells
from cucm_certflow.transports.vos.ssh import VosTransport
from tests.vos.node import HangUp, Node, Shell, running
from tests.vos.talk import printed

pytestmark = pytest.mark.asyncio

VERSION = "Active Master Version: 15.0.1.12900-234\nNo Installed Software Options Found.\n"
BY = f"{Interface.SSH} pub"


def table(columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> str:
    """Rows as ``run sql`` prints them: columns begin where the rule under their name begins."""
    widths = [max(len(name), *(len(row[name]) for row in rows), 1) for name in columns]

    def line(cells: Sequence[str]) -> str:
        return " ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))

    ruled = line(["=" * width for width in widths])
    body = [line([row[name] for name in columns]) for row in rows]
    return "\n".join([line(columns), ruled, *body]) + "\n"


class Database(Node):
    """A node that answers `run sql` about *phones* phones, and notes the pages."""

    def __init__(self, phones: int, *, broken: bool = False) -> None:
        super().__init__()
        self.names = [f"SEP{number:012d}" for number in range(phones)]
        self.broken = broken
        self.pages: list[tuple[int, str]] = []

    async def run(self, shell: Shell) -> None:
        if not shell.command.startswith("run sql "):
            await super().run(shell)
            return
        shell.say(self._answer(shell.command))

    def _answer(self, sql: str) -> str:
        if self.broken:
            return "What a lovely day\n"
        if "processconfig" in sql:
            row = {"paramname": "ClusterSecurityMode", "paramvalue": "1"}
            return table(list(row), [row])
        if "callmanagergroupmember" in sql:
            rows = [
                {"cmgroup": "My Group", "nodename": "10.0.0.2", "priority": "1"},
                {"cmgroup": "My Group", "nodename": "10.0.0.1", "priority": "0"},
            ]
            return table(["cmgroup", "nodename", "priority"], rows)
        if "from devicepool" in sql:
            rows = [
                {"pool": "Default", "cmgroup": "My Group"},
                {"pool": "Bare", "cmgroup": "NULL"},
            ]
            return table(["pool", "cmgroup"], rows)
        first, after = re.search(r"first (\d+)", sql), re.search(r"d\.name > '([^']*)'", sql)
        assert first is not None
        self.pages.append((int(first[1]), after[1] if after else ""))
        names = [name for name in self.names if after is None or name > after[1]]
        phones = [
            {
                "name": name,
                "model": "Cisco 8841",
                "securitymode": "NULL" if name.endswith("1") else "Encrypted",
                "cmgroup": "My Group",
            }
            for name in names[: int(first[1])]
        ]
        columns = ["name", "model", "securitymode", "cmgroup"]
        return table(columns, phones)


def renamed(name: str) -> str:
    return {"10.0.0.1": "pub", "10.0.0.2": "sub"}.get(name, name)


# ── questions ─────────────────────────────────────────────────────────────────────────────


async def test_a_node_says_what_it_is_and_what_runs_on_it() -> None:
    node = Node(
        {
            "show version active": VERSION,
            "show network cluster": printed("show-network-cluster-cucm-15-single") + "\n",
            "show cert list own": printed("show-cert-list-own-cucm-15") + "\n",
            "utils service list": "Cisco Tftp[STARTED]\nCisco CTIManager[STOPPED]  "
            "Service Not Activated\nPrimary Node =true\n",
        }
    )
    queries: list[Query] = [Members(), VersionOf("pub"), UnitsOn("pub"), ServicesOn("pub")]
    async with running(node):
        vos = node.transport()
        facts = [await vos.observe(query) for query in queries]
        await vos.aclose()
    values = [fact.value for fact in facts if isinstance(fact, Known) and fact.by == BY]
    members, version, units, services = values
    assert members == (
        ClusterMember(
            name="cucm15-cluster1",
            address="192.168.125.10",
            is_publisher=True,
            product="callmanager",
            authenticated=True,
            fqdn="cucm15-cluster1.calltelemetry.local",
            is_database_publisher=True,
        ),
    )
    assert version == "15.0.1.12900-234"
    assert "ITLRecovery" in units
    assert services == {
        "Cisco Tftp": ServiceState(ServiceStatus.STARTED),
        "Cisco CTIManager": ServiceState(ServiceStatus.STOPPED, activated=False),
    }
    assert node.sessions == 1


async def test_the_database_is_read_over_the_command_line_page_by_page() -> None:
    node = Database(1100)
    async with running(node):
        vos = node.transport(node_name=renamed)
        parameter = await vos.observe(Parameter("ClusterSecurityMode"))
        groups = await vos.observe(CallManagerGroups())
        pools = await vos.observe(DevicePools())
        phones = await vos.observe(Phones())
        await vos.aclose()
    assert isinstance(parameter, Known)
    assert parameter.value == "1"
    assert isinstance(groups, Known)
    assert groups.value == {"My Group": ("pub", "sub")}
    assert isinstance(pools, Known)
    assert pools.value == {"Default": "My Group", "Bare": ""}
    assert isinstance(phones, Known), phones
    assert [phone.name for phone in phones.value] == node.names
    assert {phone.group for phone in phones.value} == {("pub", "sub")}
    assert phones.value[1].security is PhoneSecurity.NON_SECURE
    assert phones.value[2].security is PhoneSecurity.ENCRYPTED
    assert node.pages == [(500, ""), (500, node.names[499]), (500, node.names[999])]


async def test_no_page_is_taken_for_the_last_one_by_its_number() -> None:
    node = Database(500)
    async with running(node):
        vos = node.transport()
        phones = await vos.observe(Phones())
        await vos.aclose()
    assert isinstance(phones, Known), phones
    assert len(phones.value) == 500
    assert node.pages == [(500, ""), (500, node.names[499])]


@pytest.mark.parametrize(
    "query", [Parameter("X"), Phones(), CallManagerGroups(), DevicePools()], ids=str
)
async def test_a_table_that_is_none_is_unreadable(query: Query) -> None:
    node = Database(1, broken=True)
    async with running(node):
        vos = node.transport()
        fact = await vos.observe(query)
        await vos.aclose()
    assert isinstance(fact, Unknown)
    assert fact.why is Why.UNREADABLE
    assert "What a lovely day" in fact.reason


async def test_a_parameter_that_is_no_name_is_not_typed() -> None:
    node = Database(1)
    async with running(node):
        vos = node.transport()
        assert isinstance(await vos.observe(Parameter("x' or '1'='1")), Unknown)
        await vos.aclose()
    assert node.commands == []


async def test_each_obstacle_has_its_own_why() -> None:
    async def hangs_up(_: Shell) -> None:
        raise HangUp

    node = Node(
        {
            "show version active": "Version: eleven\n",
            "show network cluster": "Executed command unsuccessfully\n",
            "show cert list own": hangs_up,
        }
    )
    async with running(node):
        vos = node.transport()
        facts = [await vos.observe(each) for each in (VersionOf("pub"), Members(), UnitsOn("pub"))]
        facts.append(await vos.observe(VersionOf("sub")))
        await vos.aclose()
    assert [fact.why for fact in facts if isinstance(fact, Unknown)] == [
        Why.UNREADABLE,
        Why.FAULT,
        Why.UNREACHABLE,
        Why.NOT_ASKED,
    ]


# ── places ────────────────────────────────────────────────────────────────────────────────


async def free_places(budgets: Budgets) -> int:
    """How many sessions could be opened now; it takes the places."""
    places, free = budgets.ssh("pub"), 0
    while not places.locked():
        await places.acquire()
        free += 1
    return free


async def let_it_wait() -> None:
    """Let a task that was just begun come to where it waits."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_third_session_is_not_opened_and_a_place_is_given_back() -> None:
    node = Node({"show version active": VERSION})
    budgets = Budgets(SystemClock(), ssh_per_node=2)
    async with running(node):
        first, second = node.transport(budgets=budgets), node.transport(budgets=budgets)
        third = node.transport(budgets=budgets, connect_timeout_s=0.2)
        for each in (first, second):
            assert isinstance(await each.observe(VersionOf("pub")), Known)
        fact = await third.observe(VersionOf("pub"))
        assert isinstance(fact, Unknown)
        assert fact.why is Why.BUSY
        assert "budget" in fact.reason
        reply = await third.perform(Regenerate("pub", CertUnit.TVS))
        assert reply.kind is ReplyKind.REFUSED
        assert not reply.sent
        assert (node.connections, node.sessions) == (2, 2)
        await first.aclose()
        await first.aclose()  # gives nothing back a second time
        # In seconds, not in a fifth of one: it really logs in now.
        fourth = node.transport(budgets=budgets)
        assert isinstance(await fourth.observe(VersionOf("pub")), Known)
        assert isinstance(await third.observe(VersionOf("pub")), Unknown)
        assert node.sessions == 3
        for each in (second, third, fourth):
            await each.aclose()
        assert await free_places(budgets) == 2


async def test_places_are_of_each_node_and_one_is_enough_for_many_questions() -> None:
    node = Node({"show version active": VERSION})
    budgets = Budgets(SystemClock(), ssh_per_node=1)
    async with running(node):
        pub = node.transport(budgets=budgets)
        sub = node.transport(name="sub", budgets=budgets)
        facts = await asyncio.gather(
            pub.observe(VersionOf("pub")),
            sub.observe(VersionOf("sub")),
            pub.observe(VersionOf("pub")),
        )
        assert all(isinstance(fact, Known) for fact in facts)
        await pub.aclose()
        await sub.aclose()
    assert node.sessions == 2
    assert budgets.spent[Interface.SSH] == 3


async def test_a_place_that_comes_free_for_a_transport_that_was_closed_is_not_lost() -> None:
    node = Node({"show version active": VERSION})
    budgets = Budgets(SystemClock(), ssh_per_node=1)
    async with running(node):
        first, second = node.transport(budgets=budgets), node.transport(budgets=budgets)
        assert isinstance(await first.observe(VersionOf("pub")), Known)
        waiting = asyncio.create_task(second.observe(VersionOf("pub")))
        await let_it_wait()
        await second.aclose()
        await first.aclose()
        fact = await waiting
        assert isinstance(fact, Unknown)
        assert fact.why is Why.UNREACHABLE
        assert not budgets.ssh("pub").locked()
    assert node.sessions == 1


async def test_a_wait_for_a_place_that_is_cancelled_takes_none() -> None:
    node = Node({"show version active": VERSION})
    budgets = Budgets(SystemClock(), ssh_per_node=1)
    async with running(node):
        first, second = node.transport(budgets=budgets), node.transport(budgets=budgets)
        assert isinstance(await first.observe(VersionOf("pub")), Known)
        waiting = asyncio.create_task(second.observe(VersionOf("pub")))
        await let_it_wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await first.aclose()
        assert not budgets.ssh("pub").locked()
        assert isinstance(await second.observe(VersionOf("pub")), Known)
        await second.aclose()


# ── whom to ask ───────────────────────────────────────────────────────────────────────────


def shells_over(**nodes: VosTransport) -> Shells:
    return Shells(nodes, publisher="pub", clock=SystemClock())


async def test_each_node_is_asked_about_itself_and_the_publisher_about_the_cluster() -> None:
    pub = Node({"show version active": VERSION, "show network cluster": "pub says\n"})
    sub = Node(
        {
            "show version active": VERSION.replace("234", "999"),
            "utils service restart Cisco Tftp": "Executed command unsuccessfully\n",
        }
    )
    async with running(pub), running(sub):
        shells = shells_over(pub=pub.transport(), sub=sub.transport(name="sub"))
        versions = [await shells.observe(VersionOf(name)) for name in ("pub", "sub")]
        members = await shells.observe(Members())
        reply = await shells.perform(RestartService("sub", Service.TFTP))
        await shells.aclose()
        await shells.aclose()
    assert [fact.value[-3:] for fact in versions if isinstance(fact, Known)] == ["234", "999"]
    assert [fact.by for fact in versions] == ["platform CLI pub", "platform CLI sub"]
    assert isinstance(members, Unknown)
    assert "pub says" in members.reason
    assert "show network cluster" in pub.commands
    assert "show network cluster" not in sub.commands
    assert reply.sent
    assert "utils service restart Cisco Tftp" in sub.commands
    assert "utils service restart Cisco Tftp" not in pub.commands


@pytest.mark.parametrize(
    ("what", "supported"),
    [
        (Members(), True),
        (Parameter("X"), True),
        (Phones(), True),
        (CertificateOf("pub", CertUnit.TVS), True),
        (CertificateOf("elsewhere", CertUnit.TVS), False),
        (Registrations(), False),
        (ServedList("pub", ListKind.ITL), False),
        (Regenerate("pub", CertUnit.TVS), True),
        (UpdateCtl("pub"), True),
        (ResetLocalkey("pub", ListKind.ITL), True),
        (RestartService("elsewhere", Service.TFTP), False),
        (ResetPhones("pub", ("SEP1",)), False),
    ],
    ids=str,
)
async def test_what_the_command_lines_can_do_is_said_without_asking(
    what: Query | UpdateCtl, supported: bool
) -> None:
    node = Node()
    async with running(node):
        shells = shells_over(pub=node.transport())
        assert shells.supports(what) is supported
        await shells.aclose()
    assert node.connections == 0


async def test_a_node_that_is_not_there_is_neither_asked_nor_told() -> None:
    node = Node()
    async with running(node):
        shells = shells_over(pub=node.transport(breaker=Breaker()))
        fact = await shells.observe(VersionOf("elsewhere"))
        reply = await shells.perform(Regenerate("elsewhere", CertUnit.TVS))
        await shells.aclose()
    assert isinstance(fact, Unknown)
    assert fact.why is Why.NOT_ASKED
    assert (reply.kind, reply.sent) == (ReplyKind.REFUSED, False)
    assert node.connections == 0
