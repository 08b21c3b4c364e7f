"""Tomcat's second certificate in the lab: who has it, when it is shown, and how it is printed."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from cucm_certflow.commands import Regenerate, ReplyKind, RestartService
from cucm_certflow.core.planner import make_plan
from cucm_certflow.facts import (
    Certificate,
    CertificateOf,
    Fact,
    Known,
    PresentedCertificate,
    Query,
    UnitsOn,
    Unknown,
    Why,
)
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.memory import MemoryTransport
from cucm_certflow.lab.physics.world import Cert
from cucm_certflow.lab.render import Renderer
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.lab.servers.https import WEB_PORT, HttpsDoor
from cucm_certflow.lab.servers.web import web_app
from cucm_certflow.names import CertUnit, KeyAlgorithm, Service
from cucm_certflow.observers import Verified
from cucm_certflow.testing.virtual import VirtualClock, run_virtual
from cucm_certflow.trust.x509 import certificate_from_der, certificate_from_pem
from tests.journeys.main_job import executed, run_to_the_end, start
from tests.lab.desk import office
from tests.lab.small import cluster, scenario
from tests.words import NO_PARTNERS, NOBODY_LOOKED

BOTH = (CertUnit.TOMCAT, CertUnit.TOMCAT_ECDSA)
EC = PresentedCertificate("pub", WEB_PORT, KeyAlgorithm.EC)
RSA = PresentedCertificate("pub", WEB_PORT, KeyAlgorithm.RSA)


def told() -> Scenario:
    return scenario(seed="7\necdsa = true")


# ── the cluster in time ───────────────────────────────────────────────────────────────────


def test_without_the_switch_nobody_has_it() -> None:
    lab, _ = cluster()
    assert not any(cert.unit is CertUnit.TOMCAT_ECDSA for cert in lab.world.gen)
    assert [cert.unit for cert in lab.presented_on_web("pub")] == [CertUnit.TOMCAT]
    with pytest.raises(ValueError, match="pub has no tomcat-ECDSA certificate"):
        lab.certificate("pub", CertUnit.TOMCAT_ECDSA)
    assert lab.presented("pub", CertUnit.TOMCAT_ECDSA) is None


def test_with_it_every_node_has_it_im_and_presence_too() -> None:
    layout = told().layout()
    assert all(layout.has(CertUnit.TOMCAT_ECDSA, node) for node in ("pub", "sub", "imp"))
    assert layout.has(CertUnit.CALLMANAGER_ECDSA, "pub")
    assert not layout.has(CertUnit.CALLMANAGER_ECDSA, "imp")


def test_it_is_certified_for_its_own_name_on_an_ec_key() -> None:
    one = certificate_from_der(Renderer().certificate(Cert(BOTH[1], "pub", 1)).der)
    assert one.subject.startswith("CN=pub-EC.lab.example.test;")
    assert one.self_signed
    rendered = [Renderer().certificate(Cert(BOTH[1], "pub", number)) for number in (1, 2)]
    for each in rendered:
        assert isinstance(each.key, ec.EllipticCurvePrivateKey)
        with pytest.raises(TypeError, match="no RSA key"):
            _ = each.private_key
    renderer = Renderer()
    numbers = [renderer.certificate(Cert(BOTH[1], "pub", n)).key.public_key() for n in (1, 2)]
    assert numbers[0] != numbers[1]


# ── behind the seam, without bytes ────────────────────────────────────────────────────────


async def value(transport: MemoryTransport, query: Query) -> object:
    fact = await transport.observe(query)
    assert isinstance(fact, Known), fact
    return fact.value


async def fingerprint(transport: MemoryTransport, unit: CertUnit) -> str:
    own = await value(transport, CertificateOf("pub", unit))
    assert isinstance(own, Certificate)
    return own.fingerprint


def test_in_memory_the_leaf_that_is_asked_for_is_shown_as_of_tomcats_start() -> None:
    async def story() -> None:
        clock = VirtualClock()
        transport = MemoryTransport(LabCluster(told(), clock), clock)
        units = await value(transport, UnitsOn("imp"))
        assert isinstance(units, tuple)
        assert {unit.value for unit in BOTH} <= set(units)
        for query, unit in ((RSA, BOTH[0]), (EC, BOTH[1])):
            assert await value(transport, query) == await fingerprint(transport, unit)
        old = [await value(transport, query) for query in (RSA, EC)]
        assert old[0] != old[1]
        reply = await transport.perform(Regenerate("pub", CertUnit.TOMCAT_ECDSA))
        assert reply.kind is ReplyKind.ACCEPTED
        assert [await value(transport, query) for query in (RSA, EC)] == old
        await transport.perform(RestartService("pub", Service.TOMCAT))
        new = await fingerprint(transport, CertUnit.TOMCAT_ECDSA)
        assert await value(transport, EC) == new != old[1]
        assert await value(transport, RSA) == old[0]

    run_virtual(story)


def test_in_memory_a_port_without_an_ec_certificate_says_so() -> None:
    async def story() -> list[Fact]:
        clock = VirtualClock()
        without = MemoryTransport(LabCluster(scenario(), clock), clock)
        with_it = MemoryTransport(LabCluster(told(), clock), clock)
        tvs = PresentedCertificate("pub", 2445, KeyAlgorithm.EC)
        return [await without.observe(EC), await with_it.observe(tvs)]

    for fact in run_virtual(story):
        assert isinstance(fact, Unknown)
        assert fact.why is Why.UNREADABLE
        assert "no certificate with an EC key" in fact.reason


def test_a_run_of_tomcat_is_verified_where_there_are_both(tmp_path: Path) -> None:
    async def story() -> None:
        there = start(told())
        plan = make_plan(
            await there.cluster.discover(),
            units={CertUnit.TOMCAT},
            preflight=NOBODY_LOOKED,
            said=NO_PARTNERS,
        )
        assert all(CertUnit.TOMCAT_ECDSA in node.certificates for node in plan.facts.nodes)
        done = await run_to_the_end(there, tmp_path / "journal", units=[CertUnit.TOMCAT])
        assert isinstance(done.outcomes[-1], Verified)
        assert not any("ECDSA" in text for _, text in executed(there.lab))

    run_virtual(story)


# ── as the nodes say it ───────────────────────────────────────────────────────────────────


@pytest.mark.asyncio
async def test_platform_rest_has_it_among_the_identities() -> None:
    with office(seed="7\necdsa = true", release='"15.0.1.11900-23"') as at:
        account = at.cluster.scenario.accounts.platform
        path = "/platformcom/api/v1/certmgr/config/snapshot/server"
        answer = await at.send("GET", path, account=account)
        found = {each["service"]: each["certificate"] for each in answer.json()["identities"]}
        assert list(found)[:2] == list(BOTH)
        held = await at.desk.papers.certificate(at.cluster.certificate("pub", BOTH[1]))
        assert certificate_from_pem(found["tomcat-ECDSA"]) == certificate_from_der(held.der)


# ── port 8443 ─────────────────────────────────────────────────────────────────────────────


async def leaf(address: str, *, ciphers: str = "", newest: bool = False) -> str:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if newest:
        context.minimum_version = ssl.TLSVersion.TLSv1_3
    if ciphers:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(ciphers)
    _, writer = await asyncio.open_connection(address, WEB_PORT, ssl=context)
    der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    await writer.wait_closed()
    return hashlib.sha256(der).hexdigest()


@pytest.mark.asyncio
async def test_the_ciphers_choose_the_leaf_and_each_follows_its_own_certificate() -> None:
    more = "\n[timing]\njitter = 0\n"
    with office(seed="7\necdsa = true", more=more, address='"127.0.67.11"') as at:
        address = at.cluster.scenario.node("pub").address
        door = HttpsDoor(at.desk, "pub", web_app(at.desk, "pub"))

        async def held(unit: CertUnit) -> str:
            cert = at.cluster.certificate("pub", unit)
            return (await at.desk.papers.certificate(cert)).fingerprint

        async def shown() -> list[str]:
            await door.follow()
            return [
                await leaf(address, ciphers="ECDHE+aRSA"),
                await leaf(address, ciphers="ECDHE+aECDSA"),
                await leaf(address, newest=True),
                await leaf(address),
            ]

        try:
            rsa, old = await held(BOTH[0]), await held(BOTH[1])
            assert await shown() == [rsa, old, old, old]
            at.cluster.begin_regenerate("pub", CertUnit.TOMCAT_ECDSA)
            at.clock.turn(60)
            new = await held(BOTH[1])
            assert new != old
            assert await shown() == [rsa, old, old, old]
            at.cluster.begin_restart("pub", Service.TOMCAT)
            at.clock.turn(50)
            await door.follow()
            with pytest.raises(OSError, match="Connect call failed"):
                await leaf(address)
            at.clock.turn(100)
            assert await shown() == [rsa, new, new, new]
        finally:
            await door.close()
