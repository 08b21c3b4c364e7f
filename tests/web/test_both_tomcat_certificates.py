"""A node with two certificates on port 8443, over real TLS: both are pinned, and each by itself."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import pytest

from cucm_certflow.clock import Clock, ScaledClock
from cucm_certflow.commands import Command, Regenerate, ReplyKind, RestartService
from cucm_certflow.connection import route_to
from cucm_certflow.errors import IdentityNotTrusted, NodeUnreachable
from cucm_certflow.facts import (
    Certificate,
    CertificateOf,
    Known,
    Parameter,
    PresentedCertificate,
    Query,
    UnitsOn,
    Unknown,
    Why,
)
from cucm_certflow.inventory import Inventory
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.lab.servers import LabServers
from cucm_certflow.names import CertUnit, Interface, KeyAlgorithm, Service
from cucm_certflow.transports.base import Transport
from cucm_certflow.transports.pins import WEB_PORT
from cucm_certflow.transports.presented import presented_fingerprint
from cucm_certflow.transports.route import Route

pytestmark = pytest.mark.asyncio

SPEED = 60.0

TOLD = """
name = "both"
release = "11.5.1.12900-21"
ecdsa = true

[[nodes]]
name = "pub"
address = "127.0.0.51"
publisher = true
services = []

[[nodes]]
name = "imp"
address = "127.0.0.52"
product = "cups"

[timing]
jitter = 0
session_start_s = 1
restart_s = { tomcat = 30 }
"""
MODE = Parameter("ClusterSecurityMode")
RSA, EC = KeyAlgorithm.RSA, KeyAlgorithm.EC
OWN = {
    RSA: CertificateOf("pub", CertUnit.TOMCAT),
    EC: CertificateOf("pub", CertUnit.TOMCAT_ECDSA),
}
RESTART = RestartService("pub", Service.TOMCAT)


@asynccontextmanager
async def lab(folder: Path, more: str = "") -> AsyncIterator[LabServers]:
    told = Scenario.loads(TOLD + more)
    async with LabServers(told, clock=ScaledClock(SPEED), folder=folder) as servers:
        yield servers


@asynccontextmanager
async def route(servers: LabServers, *only: Interface) -> AsyncIterator[Route]:
    made = route_to(
        Inventory.load(servers.inventory), servers.clock, interfaces=only or tuple(Interface)
    )
    try:
        yield made
    finally:
        await made.aclose()


async def value(way: Transport, query: Query) -> object:
    fact = await way.observe(query)
    assert isinstance(fact, Known), f"{query}: {fact}"
    return fact.value


async def own(way: Transport, algorithm: KeyAlgorithm) -> str:
    certificate = await value(way, OWN[algorithm])
    assert isinstance(certificate, Certificate)
    return certificate.fingerprint


async def shown(way: Transport, algorithm: KeyAlgorithm) -> str:
    seen = await value(way, PresentedCertificate("pub", WEB_PORT, algorithm))
    assert isinstance(seen, str)
    return seen


async def done(way: Transport, command: Command) -> None:
    reply = await way.perform(command)
    assert reply.kind is ReplyKind.ACCEPTED, f"{command}: {reply}"


async def over_axl(way: Transport) -> None:
    fact = await way.observe(MODE)
    assert isinstance(fact, Known), fact
    assert Interface.AXL in fact.by


async def over_axl_again(way: Transport, clock: Clock) -> None:
    """After a restart: the first answers may be those of a Tomcat that is not up yet."""
    for _ in range(100):
        fact = await way.observe(MODE)
        if isinstance(fact, Known) and Interface.AXL in fact.by:
            return
        await clock.sleep(2)
    pytest.fail("AXL never came back")


async def somebody_else_regenerates(servers: LabServers, unit: CertUnit) -> None:
    """Not through any route of ours; and restarts Tomcat, to the end."""
    clock, cluster = servers.clock, servers.cluster

    async def wait(end: datetime) -> None:
        while clock.now() < end:
            await clock.sleep(1)

    await wait(cluster.begin_regenerate("pub", unit))
    await wait(cluster.begin_restart("pub", Service.TOMCAT))
    cert = cluster.certificate("pub", CertUnit.TOMCAT_ECDSA)
    new = (await servers.desk.papers.certificate(cert)).fingerprint
    address = servers.scenario.node("pub").address
    for _ in range(100):  # the door follows the cluster once a second
        with contextlib.suppress(NodeUnreachable):
            if await presented_fingerprint(address, algorithm=EC) == new:
                return
        await clock.sleep(2)
    pytest.fail("Tomcat never came back")


# ── which is which ────────────────────────────────────────────────────────────────────────


async def test_each_leaf_that_is_asked_for_is_the_one_that_ssh_shows(tmp_path: Path) -> None:
    async with lab(tmp_path) as servers, route(servers) as way:
        units = await value(way, UnitsOn("imp"))
        assert isinstance(units, tuple)
        assert {"tomcat", "tomcat-ECDSA"} <= set(units)
        for algorithm in (RSA, EC):
            assert await shown(way, algorithm) == await own(way, algorithm)
        assert await shown(way, RSA) != await shown(way, EC)


async def test_a_node_without_the_second_one_shows_none_with_an_ec_key(tmp_path: Path) -> None:
    told = Scenario.loads(TOLD.replace("ecdsa = true", "ecdsa = false"))
    async with (
        LabServers(told, clock=ScaledClock(SPEED), folder=tmp_path) as servers,
        route(servers) as way,
    ):
        fact = await way.observe(PresentedCertificate("pub", WEB_PORT, EC))
        assert isinstance(fact, Unknown)
        assert fact.why is Why.UNREADABLE
        await over_axl(way)
        assert way.pins.allowed("pub") == {await own(way, RSA)}


# ── who may be talked to ──────────────────────────────────────────────────────────────────


async def test_axl_works_over_the_ec_leaf_because_both_are_pinned(tmp_path: Path) -> None:
    async with lab(tmp_path) as servers, route(servers) as way:
        await over_axl(way)  # learns both pins before its first request
        both = {await own(way, algorithm) for algorithm in (RSA, EC)}
        assert way.pins.allowed("pub") == both


@pytest.mark.parametrize("known", [RSA, EC], ids=["rsa", "ec"])
async def test_nothing_is_sent_to_a_leaf_that_is_not_pinned(
    tmp_path: Path, known: KeyAlgorithm
) -> None:
    # The first request that arrives is refused by the node: so it is seen which one that was.
    struck = '\n[[faults]]\nkind = "refused"\ncommand = "executeSQLQuery"\n'
    async with lab(tmp_path, struck) as servers, route(servers, Interface.AXL) as way:
        papers, cluster = servers.desk.papers, servers.cluster
        prints = {
            algorithm: (
                await papers.certificate(cluster.certificate("pub", query.unit))
            ).fingerprint
            for algorithm, query in OWN.items()
        }
        way.pin("pub", OWN[known].unit, prints[known])
        if known is RSA:
            with pytest.raises(IdentityNotTrusted) as caught:
                await way.observe(MODE)
            assert caught.value.report.saw == f"SHA-256 {prints[EC]}"
            assert "no request and no password was sent" in str(caught.value)
            way.pin("pub", CertUnit.TOMCAT_ECDSA, prints[EC])
        first = await way.observe(MODE)
        assert isinstance(first, Unknown)
        assert first.why is Why.FAULT
        await over_axl(way)


async def test_who_has_looked_at_tomcats_alone_looks_at_the_other_before_it_is_refused(
    tmp_path: Path,
) -> None:
    async with lab(tmp_path) as servers, route(servers) as way:
        assert way.pins.allowed("pub") == frozenset()
        rsa = await own(way, RSA)
        assert way.pins.allowed("pub") == {rsa}
        await over_axl(way)
        assert way.pins.allowed("pub") == {rsa, await own(way, EC)}


# ── when one of them changes ──────────────────────────────────────────────────────────────


async def test_a_regeneration_of_ours_moves_the_pin_of_that_unit(tmp_path: Path) -> None:
    async with lab(tmp_path) as servers, route(servers) as way:
        await over_axl(way)
        rsa, old = await own(way, RSA), await own(way, EC)
        await done(way, Regenerate("pub", CertUnit.TOMCAT_ECDSA))
        await over_axl(way)  # Tomcat goes on with what it started with
        assert await shown(way, EC) == old
        await done(way, RESTART)
        await over_axl_again(way, servers.clock)
        new = await own(way, EC)
        assert new != old
        assert way.pins.allowed("pub") == {rsa, old, new}
        assert await shown(way, EC) == new
        assert way.pins.allowed("pub") == {rsa, new}
        assert await shown(way, RSA) == await own(way, RSA) == rsa
        await over_axl(way)


async def test_a_regeneration_by_somebody_else_is_not_trusted(tmp_path: Path) -> None:
    async with lab(tmp_path) as servers, route(servers) as way:
        await over_axl(way)
        before = way.pins.allowed("pub")
        await somebody_else_regenerates(servers, CertUnit.TOMCAT_ECDSA)
        with pytest.raises(IdentityNotTrusted, match="is not the pinned one"):
            await way.observe(MODE)
        new = await own(way, EC)  # the look tells, and changes no pin
        assert new not in before
        with pytest.raises(IdentityNotTrusted, match=new):
            await way.observe(MODE)
        assert way.pins.allowed("pub") == before


async def test_a_foreign_ec_leaf_is_not_taken_for_our_new_rsa_one(tmp_path: Path) -> None:
    async with lab(tmp_path) as servers, route(servers) as way:
        await over_axl(way)
        before = way.pins.allowed("pub")
        await done(way, Regenerate("pub", CertUnit.TOMCAT))
        await somebody_else_regenerates(servers, CertUnit.TOMCAT_ECDSA)
        with pytest.raises(IdentityNotTrusted, match="is not the pinned one"):
            await way.observe(MODE)
        assert way.pins.allowed("pub") == before | {await own(way, RSA)}
