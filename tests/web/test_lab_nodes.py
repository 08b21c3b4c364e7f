"""The lab's nodes as these clients see them: ports, files and platform REST."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from cucm_certflow.clock import ScaledClock
from cucm_certflow.errors import AuthenticationFailed, NodeError, NodeFault, RoleMissing
from cucm_certflow.facts import (
    CertificateOf,
    Fact,
    Known,
    ListView,
    PresentedCertificate,
    ServedList,
    TrustEntry,
    TrustStores,
    UnitsOn,
    Unknown,
    Why,
)
from cucm_certflow.inventory import Account, Inventory, NodeEntry
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.lab.servers import LabServers
from cucm_certflow.lab.servers.database import Database
from cucm_certflow.lab.servers.papers import Papers
from cucm_certflow.lab.servers.tls_ports import doors_of
from cucm_certflow.lab.servers.vos_cli import Desk
from cucm_certflow.lab.servers.web import web_app
from cucm_certflow.names import CertUnit, KeyAlgorithm, ListKind, Service
from cucm_certflow.secret import Secret
from cucm_certflow.transports.access import Access
from cucm_certflow.transports.breaker import Breaker
from cucm_certflow.transports.budget import Budgets
from cucm_certflow.transports.pins import Pins
from cucm_certflow.transports.platform_rest import PlatformRestTransport
from cucm_certflow.transports.tls import TlsTransport
from cucm_certflow.transports.trustfiles import TrustFileTransport
from cucm_certflow.trust.x509 import certificate_from_pem
from tests.lab.small import PHONE, SMALL, HandClock

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LabServers]:
    told = Scenario.loads(SMALL.replace("127.0.0.", "127.0.64."))
    folder = tmp_path_factory.mktemp("lab")
    async with LabServers(told, clock=ScaledClock(100), folder=folder) as servers:
        yield servers


@pytest.fixture
def access(lab: LabServers) -> Access:
    return Access(
        inventory=Inventory.load(lab.inventory),
        clock=lab.clock,
        pins=Pins(),
        breaker=Breaker(),
        budgets=Budgets(lab.clock),
    )


async def test_every_node_shows_its_tomcat_certificate(lab: LabServers, access: Access) -> None:
    tls = TlsTransport(access)
    for node in ("pub", "sub", "imp"):
        cert = lab.cluster.certificate(node, CertUnit.TOMCAT)
        rendered = await lab.desk.papers.certificate(cert)
        fact = await tls.observe(PresentedCertificate(node))
        assert isinstance(fact, Known)
        assert fact.value == rendered.fingerprint
    assert access.pins.allowed("pub") == frozenset()


async def test_a_list_is_the_same_under_its_plain_name_and_a_phones(access: Access) -> None:
    files = TrustFileTransport(access)
    for node in ("pub", "sub"):
        for kind in ListKind:
            plain = await files.observe(ServedList(node, kind))
            assert isinstance(plain, Known)
            assert isinstance(plain.value, ListView)
            assert plain.value.kind is kind
            per_phone = await files.observe(ServedList(node, kind, PHONE))
            assert isinstance(per_phone, Known)
            assert per_phone.value == plain.value
    await files.aclose()


async def test_a_node_without_tftp_is_unreachable_and_not_without_a_list(access: Access) -> None:
    files = TrustFileTransport(access)
    fact = await asyncio.wait_for(files.observe(ServedList("imp", ListKind.ITL)), 10)
    assert isinstance(fact, Unknown)
    assert fact.why is Why.UNREACHABLE
    await files.aclose()


# ── the other TLS ports ───────────────────────────────────────────────────────────────────


def lab_of(more: str = "", release: str = "15.0.1.11900-23", network: str = "127.0.65.") -> Desk:
    """A lab without doors, whose time stands still."""
    text = SMALL.replace("127.0.0.", network).replace("11.5.1.12900-21", release)
    services = '["callmanager", "tftp", "tvs", "cti", "capf"]'
    text = text.replace("publisher = true", f"publisher = true\nservices = {services}")
    told, clock = Scenario.loads(text + more), HandClock()
    cluster = LabCluster(told, clock)
    papers = Papers(told, clock, threaded=False)
    return Desk(cluster=cluster, clock=clock, papers=papers, database=Database(cluster))


def access_to(desk: Desk, *, password: str = "") -> Access:
    told = desk.cluster.scenario
    accounts = told.accounts
    platform = Account(accounts.platform.user, Secret(password or accounts.platform.password))
    application = Account(accounts.application.user, Secret(accounts.application.password))
    apps = {node.name: web_app(desk, node.name) for node in told.nodes}
    return Access(
        inventory=Inventory(
            nodes=tuple(NodeEntry(name=node.name, address=node.address) for node in told.nodes),
            platform=platform,
            application=application,
        ),
        clock=desk.clock,
        pins=Pins(),
        breaker=Breaker(),
        budgets=Budgets(desk.clock),
        wire=lambda node, network: httpx.ASGITransport(apps[node.name]),
    )


async def held(desk: Desk, node: str, unit: CertUnit) -> str:
    cert = desk.cluster.certificate(node, unit)
    return (await desk.papers.certificate(cert)).fingerprint


@contextlib.asynccontextmanager
async def open_doors(desk: Desk) -> AsyncIterator[None]:
    doors = doors_of(desk)
    try:
        for door in doors:
            await door.follow()
        yield
    finally:
        for door in doors:
            await door.close()


async def test_tvs_callmanager_and_capf_show_theirs_and_callmanager_refuses_us_after() -> None:
    desk = lab_of()
    access = access_to(desk)
    tls = TlsTransport(access)
    shown = {2445: CertUnit.TVS, 5061: CertUnit.CALLMANAGER, 3804: CertUnit.CAPF}
    async with open_doors(desk):
        for number, unit in shown.items():
            fact = await tls.observe(PresentedCertificate("pub", number))
            assert isinstance(fact, Known)
            assert fact.value == await held(desk, "pub", unit)
            fact = await tls.observe(PresentedCertificate("pub", number, KeyAlgorithm.EC))
            assert isinstance(fact, Unknown)
    fact = await tls.observe(PresentedCertificate("pub", 5061))
    assert isinstance(fact, Unknown)
    assert fact.why is Why.UNREACHABLE


async def test_a_port_shows_the_old_certificate_until_its_service_has_restarted() -> None:
    desk = lab_of(network="127.0.66.")
    tls = TlsTransport(access_to(desk))
    old = await held(desk, "sub", CertUnit.TVS)
    async with open_doors(desk):
        done = desk.cluster.begin_regenerate("sub", CertUnit.TVS)
        await desk.clock.sleep((done - desk.clock.now()).total_seconds())
        assert await held(desk, "sub", CertUnit.TVS) != old
        fact = await tls.observe(PresentedCertificate("sub", 2445))
        assert isinstance(fact, Known)
        assert fact.value == old
        assert desk.cluster.is_up("sub", Service.TVS)


# ── platform REST ─────────────────────────────────────────────────────────────────────────


def value(fact: Fact) -> object:
    assert isinstance(fact, Known), fact
    return fact.value


async def test_platform_rest_says_what_the_node_holds() -> None:
    desk = lab_of()
    rest = PlatformRestTransport(access_to(desk))
    for node in ("pub", "sub", "imp"):
        units = value(await rest.observe(UnitsOn(node)))
        assert isinstance(units, tuple)
        assert CertUnit.TOMCAT in units
        snapshot = await rest.client(node).snapshot()
        trusted = {each.unit: each.certificates for each in snapshot.trusts}
        for unit in (each for each in CertUnit if each.value in units):
            cert = desk.cluster.certificate(node, unit)
            expected = certificate_from_pem((await desk.papers.certificate(cert)).pem)
            assert value(await rest.observe(CertificateOf(node, unit))) == expected
            assert await rest.client(node).identity(unit) == expected
            assert await rest.client(node).trust(unit) == trusted.get(unit.value, ())
    await rest.aclose()


async def test_the_parts_of_a_signing_request_go_together() -> None:
    desk = lab_of()
    rest = PlatformRestTransport(access_to(desk))
    client = rest.client("pub")
    assert not await client.csr_present(CertUnit.TOMCAT)
    await client.create_csr(CertUnit.TOMCAT, "pub.example", ["alias.example"])
    assert await client.csr_present(CertUnit.TOMCAT)
    root = (await desk.papers.certificate(desk.cluster.certificate("sub", CertUnit.TOMCAT))).pem
    await client.upload_trust([CertUnit.TOMCAT, CertUnit.CALLMANAGER], [root], "a root")
    for unit in (CertUnit.TOMCAT, CertUnit.CALLMANAGER):
        assert certificate_from_pem(root) in await client.trust(unit)
    found = value(await rest.observe(TrustStores("pub")))
    assert isinstance(found, tuple)
    assert all(isinstance(entry, TrustEntry) for entry in found)
    assert {"tomcat-trust", "CallManager-trust"} <= {
        entry.store for entry in found if entry.certificate == certificate_from_pem(root)
    }
    with pytest.raises(NodeFault, match="HTTP 500: the key of the certificate is not that of"):
        await client.upload_identity(CertUnit.TOMCAT, [root])
    await rest.aclose()


async def test_below_14_there_is_no_such_interface() -> None:
    rest = PlatformRestTransport(access_to(lab_of(release="12.5.1.11900-146")))
    fact = await rest.observe(UnitsOn("pub"))
    assert isinstance(fact, Unknown)
    assert fact.why is Why.UNREACHABLE


async def test_a_wrong_platform_password_is_tried_once() -> None:
    access = access_to(lab_of(), password="wrong")
    rest = PlatformRestTransport(access)
    for _ in range(2):
        with pytest.raises(AuthenticationFailed):
            await rest.observe(UnitsOn("pub"))
    assert sum(access.budgets.spent.values()) == 1


async def test_an_account_of_privilege_0_reads_and_does_not_write() -> None:
    more = '\n[accounts.platform]\nuser = "reader"\npassword = "toy"\nprivilege = 0\n'
    rest = PlatformRestTransport(access_to(lab_of(more)))
    assert value(await rest.observe(UnitsOn("pub")))
    with pytest.raises(RoleMissing, match="privilege level 1"):
        await rest.client("pub").create_csr(CertUnit.TOMCAT, "pub.example")


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("html", Why.UNREADABLE),
        ("truncated", Why.UNREADABLE),
        ("huge", Why.UNREADABLE),
        ("unknown layout", Why.UNREADABLE),
        ("throttled", Why.BUSY),
        ("refused", Why.FAULT),
        ("missing session", Why.UNREACHABLE),
        ("redirect elsewhere", Why.FAULT),
    ],
)
async def test_a_bad_answer_is_unknown_and_the_next_is_read(kind: str, why: Why) -> None:
    path = "GET /platformcom/api/v1/certmgr/config/snapshot/server"
    more = f'\n[[faults]]\nkind = "{kind}"\ncommand = "{path}"\n'
    rest = PlatformRestTransport(access_to(lab_of(more)))
    fact = await rest.observe(CertificateOf("pub", CertUnit.TOMCAT))
    assert isinstance(fact, Unknown)
    assert fact.why is why
    assert value(await rest.observe(CertificateOf("pub", CertUnit.TOMCAT)))


async def test_a_signing_request_whose_answer_was_spoilt_is_there_all_the_same() -> None:
    path = "POST /platformcom/api/v1/certmgr/config/csr"
    more = f'\n[[faults]]\nkind = "truncated"\ncommand = "{path}"\n'
    rest = PlatformRestTransport(access_to(lab_of(more)))
    client = rest.client("pub")
    with pytest.raises(NodeError, match="may have been done"):
        await client.create_csr(CertUnit.TVS, "pub.example")
    assert await client.csr_present(CertUnit.TVS)
