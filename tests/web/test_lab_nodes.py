"""The lab's nodes over real sockets: what their ports show, and what their TFTP serves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from cucm_certflow.clock import ScaledClock
from cucm_certflow.facts import Known, ListView, PresentedCertificate, ServedList, Unknown, Why
from cucm_certflow.inventory import Inventory
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.lab.servers import LabServers
from cucm_certflow.names import CertUnit, ListKind
from cucm_certflow.transports.access import Access
from cucm_certflow.transports.breaker import Breaker
from cucm_certflow.transports.budget import Budgets
from cucm_certflow.transports.pins import Pins
from cucm_certflow.transports.tls import TlsTransport
from cucm_certflow.transports.trustfiles import TrustFileTransport
from tests.lab.small import PHONE, SMALL

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
