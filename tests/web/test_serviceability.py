"""Control Center and PerfMon against the lab's services, from end to end and without sockets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import httpx
import pytest

from cucm_certflow.commands import ReplyKind, RestartService
from cucm_certflow.errors import NodeFault, RateLimited, RoleMissing
from cucm_certflow.facts import (
    Known,
    RegistrationCounts,
    ServiceOn,
    ServicesOn,
    ServiceState,
    ServiceStatus,
    TftpCounters,
    Unknown,
    Why,
)
from cucm_certflow.inventory import Account, Inventory, NodeEntry
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.servers.database import Database
from cucm_certflow.lab.servers.papers import Papers
from cucm_certflow.lab.servers.vos_cli import Desk
from cucm_certflow.lab.servers.web import web_app
from cucm_certflow.names import Interface, Service
from cucm_certflow.secret import Secret
from cucm_certflow.transports.access import Access
from cucm_certflow.transports.breaker import Breaker
from cucm_certflow.transports.budget import Budgets
from cucm_certflow.transports.controlcenter import ControlCenterTransport
from cucm_certflow.transports.controlcenter_client import ControlAction, ControlCenterClient
from cucm_certflow.transports.perfmon import PerfmonTransport
from cucm_certflow.transports.perfmon_client import CounterPath, PerfmonClient
from cucm_certflow.transports.pins import Pins
from tests.lab.small import HandClock, scenario

pytestmark = pytest.mark.asyncio

READER = """
[accounts.application]
user = "reader"
password = "not-for-logs"
roles = ["Standard CCM Server Monitoring"]
"""


class Site:
    """A lab, its clock, the way to its nodes, and the paths that were asked for."""

    def __init__(self, desk: Desk, clock: HandClock) -> None:
        self.cluster: LabCluster = desk.cluster
        self.clock = clock
        self.paths: list[str] = []
        self._apps = {node.name: web_app(desk, node.name) for node in desk.cluster.scenario.nodes}
        spec = desk.cluster.scenario.accounts.application
        account = Account(spec.user, Secret(spec.password))
        nodes = tuple(
            NodeEntry(name=node.name, address=node.address) for node in desk.cluster.scenario.nodes
        )
        self.access = Access(
            inventory=Inventory(nodes=nodes, platform=account, application=account),
            clock=clock,
            pins=Pins(),
            breaker=Breaker(),
            budgets=Budgets(clock),
            wire=self._wire,
        )

    def _wire(self, node: NodeEntry, network: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
        return _Noting(httpx.ASGITransport(self._apps[node.name]), self.paths)


class _Noting(httpx.AsyncBaseTransport):
    def __init__(self, inner: httpx.AsyncBaseTransport, paths: list[str]) -> None:
        self._inner = inner
        self._paths = paths

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._paths.append(request.url.path)
        return await self._inner.handle_async_request(request)


@contextmanager
def site(more: str = "", **keys: str) -> Iterator[Site]:
    clock = HandClock()
    cluster = LabCluster(scenario(more=more, **keys), clock)
    papers = Papers(cluster.scenario, clock, threaded=False)
    database = Database(cluster)
    try:
        yield Site(Desk(cluster=cluster, clock=clock, papers=papers, database=database), clock)
    finally:
        database.close()
        papers.close()


@pytest.mark.parametrize("release", ['"9.1.2.10000-28"', '"11.5.1.12900-21"', '"15.0.1.12900-234"'])
async def test_restart_over_control_center_is_seen_by_its_start(release: str) -> None:
    with site(release=release) as lab:
        lab.clock.turn(3600)
        transport = ControlCenterTransport(lab.access)
        tftp = ServiceOn("sub", Service.TFTP)
        before = await transport.observe(tftp)
        began = lab.clock.now()
        reply = await transport.perform(RestartService("sub", Service.TFTP))
        assert (reply.kind, reply.text) == (
            ReplyKind.ACCEPTED,
            "ReturnCode 0, Cisco Tftp: Started;",
        )
        seen: list[ServiceStatus] = []
        started_at = None
        for _ in range(600):
            fact = await transport.observe(tftp)
            assert isinstance(fact, Known)
            state: ServiceState = fact.value
            if state.status not in seen[-1:]:
                seen.append(state.status)
            if state.started_at is not None and state.started_at >= began:
                started_at = state.started_at
                break
            lab.clock.turn(1)
        await transport.aclose()
        really = lab.cluster.service_state("sub", Service.TFTP).started_at
    assert isinstance(before, Known)
    assert before.value.started_at < began
    assert seen[-4:] == [
        ServiceStatus.STOPPING,
        ServiceStatus.STOPPED,
        ServiceStatus.STARTING,
        ServiceStatus.STARTED,
    ]
    assert really is not None
    assert started_at is not None
    assert really - timedelta(seconds=3) <= started_at <= really


async def test_every_service_of_every_node_is_known() -> None:
    with site() as lab:
        transport = ControlCenterTransport(lab.access)
        for node in ("pub", "sub", "imp"):
            fact = await transport.observe(ServicesOn(node))
            assert isinstance(fact, Known), fact
            for service in lab.cluster.activated(node):
                really = lab.cluster.service_state(node, service)
                assert fact.value[service.value].status is really.status
        await transport.aclose()


async def test_not_activated_service_is_seen_and_not_restarted() -> None:
    with site() as lab:
        transport = ControlCenterTransport(lab.access)
        services = await transport.observe(ServicesOn("sub"))
        assert isinstance(services, Known)
        idle = [name for name, state in services.value.items() if not state.activated]
        client = ControlCenterClient(lab.access.inventory.node("sub"), lab.access)
        result = await client.control(ControlAction.RESTART, [idle[0]])
        await client.aclose()
        await transport.aclose()
    assert result.return_code != "0"
    assert result.reason_code == -1068


async def test_lists_of_the_lab_are_read() -> None:
    with site() as lab:
        client = ControlCenterClient(lab.access.inventory.node("pub"), lab.access)
        static = await client.static_services()
        products = await client.products()
        extended = await client.static_services_extended()
        status = await client.status(["Cisco Tftp", "No Such Service"])
        result = await client.control_extended(
            ControlAction.STOP, ["Cisco Tomcat"], product_id="System"
        )
        await client.aclose()
    names = {service.name for service in static}
    assert names == {service.name for service in extended.services}
    assert names == {service.name for service in products.services}
    assert extended.primary_node
    assert status["Cisco Tftp"].status == "Started"
    assert status["No Such Service"].reason_code == -1010
    assert result.reason_code == -1011


async def test_reader_sees_and_is_told_what_it_may_not_do() -> None:
    with site(READER) as lab:
        transport = ControlCenterTransport(lab.access)
        assert isinstance(await transport.observe(ServicesOn("pub")), Known)
        reply = await transport.perform(RestartService("pub", Service.TFTP))
        await transport.aclose()
    assert reply.kind is ReplyKind.REFUSED
    assert "lacks a role" in reply.text


async def test_account_without_a_role_is_told_which() -> None:
    with site(READER.replace("Standard CCM Server Monitoring", "Standard AXL API Access")) as lab:
        control, perfmon = ControlCenterTransport(lab.access), PerfmonTransport(lab.access)
        facts = [
            await control.observe(ServicesOn("pub")),
            await perfmon.observe(RegistrationCounts("pub")),
        ]
        client = PerfmonClient(lab.access.inventory.node("pub"), lab.access)
        with pytest.raises(RoleMissing):
            await client.open_session()
        for each in (control, perfmon, client):
            await each.aclose()
    for fact in facts:
        assert isinstance(fact, Unknown)
        assert (fact.why, fact.role) == (Why.NOT_PERMITTED, "Standard CCM Server Monitoring")


async def test_registrations_add_up_to_the_phones_that_are_on() -> None:
    with site() as lab:
        transport = PerfmonTransport(lab.access)
        counts = {}
        for node in ("pub", "sub"):
            fact = await transport.observe(RegistrationCounts(node))
            assert isinstance(fact, Known), fact
            counts[node] = fact.value
        served = await transport.observe(TftpCounters("sub"))
        await transport.aclose()
    assert sum(each["RegisteredHardwarePhones"] for each in counts.values()) == 5
    assert counts["sub"]["EncryptedRegisteredPhones"] == 1
    assert isinstance(served, Known)
    assert served.value["HttpRequestsNotFound"] == 0


async def test_session_collects_what_the_one_shot_question_says() -> None:
    with site() as lab:
        client = PerfmonClient(lab.access.inventory.node("pub"), lab.access)
        path = CounterPath("sub", "Cisco CallManager", "RegisteredHardwarePhones")
        async with client.session([path]) as session:
            (value,) = await session.collect()
        one_shot = await client.collect_counter_data("sub", "Cisco CallManager")
        objects = await client.list_counters("sub")
        description = await client.counter_description(path)
        with pytest.raises(NodeFault):
            await session.collect()
        await client.aclose()
    assert value.is_good
    assert value.value == next(each.value for each in one_shot if each.path == path)
    assert path.object in {each.name for each in objects}
    assert description


async def test_budget_of_ours_keeps_below_the_limit_of_the_lab() -> None:
    with site() as lab:
        client = PerfmonClient(lab.access.inventory.node("pub"), lab.access)
        for _ in range(120):
            await client.collect_counter_data("sub", "Cisco TFTP Server")
        await client.aclose()
        assert lab.access.budgets.spent == {Interface.PERFMON: 120}


async def test_others_who_use_up_the_rate_are_waited_for() -> None:
    with site() as lab:
        transport = PerfmonTransport(lab.access, back_off_s=30)
        others = Access(
            inventory=lab.access.inventory,
            clock=lab.clock,
            pins=Pins(),
            breaker=Breaker(),
            budgets=Budgets(lab.clock, perfmon_per_minute=1000),
            wire=lab.access.wire,
        )
        hungry = PerfmonClient(lab.access.inventory.node("pub"), others, attempts=1)
        with pytest.raises(RateLimited):
            for _ in range(100):
                await hungry.collect_counter_data("sub", "Cisco TFTP Server")
        fact = await transport.observe(TftpCounters("sub"))
        await hungry.aclose()
        await transport.aclose()
        assert isinstance(fact, Known), fact
        assert lab.access.budgets.spent[Interface.PERFMON] > 1
