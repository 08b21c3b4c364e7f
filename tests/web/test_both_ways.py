"""What a real shell and a real REST interface of the lab say of the same node is the same."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cucm_certflow.clock import ScaledClock
from cucm_certflow.commands import DeleteTrust, Reply, ReplyKind, StartService, StopService
from cucm_certflow.connection import route_to
from cucm_certflow.facts import (
    Certificate,
    CertificateFile,
    CertificateOf,
    DatabaseCertificates,
    Known,
    Query,
    ServiceOn,
    ServiceState,
    ServiceStatus,
    TrustEntry,
    TrustStores,
)
from cucm_certflow.inventory import Inventory
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.lab.servers import LabServers
from cucm_certflow.names import CertUnit, Interface, Service
from cucm_certflow.transports.base import Transport
from cucm_certflow.transports.route import Route
from cucm_certflow.trust.x509 import certificate_from_pem

pytestmark = pytest.mark.asyncio

TOLD = """
name = "both ways"
release = "15.0.1.11900-23"

[[nodes]]
name = "pub"
address = "127.0.0.53"
publisher = true

[[nodes]]
name = "imp"
address = "127.0.0.54"
product = "cups"

[timing]
jitter = 0
session_start_s = 1
"""
NOTIFY = Service.CERTIFICATE_CHANGE_NOTIFICATION


@asynccontextmanager
async def site(folder: Path) -> AsyncIterator[Route]:
    told = Scenario.loads(TOLD)
    async with LabServers(told, clock=ScaledClock(60.0), folder=folder) as servers:
        route = route_to(Inventory.load(servers.inventory), servers.clock)
        try:
            for node in ("pub", "imp"):  # the pin
                await value(route, CertificateOf(node, CertUnit.TOMCAT))
            yield route
        finally:
            await route.aclose()


async def value(way: Transport, query: Query) -> object:
    fact = await way.observe(query)
    assert isinstance(fact, Known), f"{query}: {fact}"
    return fact.value


async def entries(way: Transport, node: str) -> dict[tuple[str, str], TrustEntry]:
    found = await value(way, TrustStores(node))
    assert isinstance(found, tuple)
    return {(entry.store, entry.name): entry for entry in found}


async def test_trust_stores_and_files_are_the_same_over_the_shell_and_over_rest(
    tmp_path: Path,
) -> None:
    async with site(tmp_path) as route:
        shell, rest = route.ways[Interface.SSH], route.ways[Interface.PLATFORM_REST]
        for node, unit in (("pub", CertUnit.CALLMANAGER), ("imp", CertUnit.CUP_XMPP_S2S)):
            trusted = await entries(shell, node)
            assert trusted
            assert await entries(rest, node) == trusted
            file = CertificateFile(node, unit)
            pem = await value(shell, file)
            assert await value(rest, file) == pem
            assert isinstance(pem, str)
            certificate = await value(shell, CertificateOf(node, unit))
            assert isinstance(certificate, Certificate)
            assert certificate_from_pem(pem) == certificate
            known = await value(shell, DatabaseCertificates(node))
            assert isinstance(known, frozenset)
            assert certificate.fingerprint in known


async def test_a_certificate_that_was_deleted_is_gone_from_the_store_whatever_was_said(
    tmp_path: Path,
) -> None:
    async with site(tmp_path) as route:
        before = await entries(route, "pub")
        store, name = next(iter(before))
        reply = await route.perform(DeleteTrust("pub", store, name))
        assert (reply.kind, reply.sent) == (ReplyKind.LOST, True)
        assert (store, name) not in await entries(route, "pub")


async def test_a_service_is_stopped_by_one_way_and_seen_and_started_by_the_other(
    tmp_path: Path,
) -> None:
    def kind(reply: Reply) -> ReplyKind:
        return reply.kind

    async with site(tmp_path) as route:
        shell, control = route.ways[Interface.SSH], route.ways[Interface.CONTROL_CENTER]
        query = ServiceOn("pub", NOTIFY)
        assert kind(await shell.perform(StopService("pub", NOTIFY))) is ReplyKind.ACCEPTED
        down = ServiceState(ServiceStatus.STOPPED, activated=False)
        assert await value(control, query) == await value(shell, query) == down
        assert kind(await shell.perform(StartService("pub", NOTIFY))) is ReplyKind.ACCEPTED
        for way in (control, shell):
            state = await value(way, query)
            assert isinstance(state, ServiceState)
            assert state.status is ServiceStatus.STARTED
            assert state.started_at is not None
