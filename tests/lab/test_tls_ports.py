"""The lab's TLS ports beside the web, with real sockets, on addresses that no other test uses."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from cucm_certflow.errors import ScenarioError
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.lab.servers.database import Database
from cucm_certflow.lab.servers.papers import Papers
from cucm_certflow.lab.servers.tls_ports import TlsDoor, doors_of
from cucm_certflow.lab.servers.vos_cli import Desk
from cucm_certflow.names import CertUnit, KeyAlgorithm, Service
from cucm_certflow.transports.presented import presented_fingerprint
from tests.lab.small import BEGIN, SMALL, HandClock

pytestmark = pytest.mark.asyncio

WITH_CAPF = SMALL.replace("127.0.0.", "127.0.62.").replace(
    "publisher = true",
    'publisher = true\nservices = ["callmanager", "tftp", "tvs", "cti", "capf"]',
)


class Ports:
    """The doors of a cluster, and a clock that a test turns."""

    def __init__(self, desk: Desk, clock: HandClock) -> None:
        self.cluster = desk.cluster
        self.papers = desk.papers
        self.clock = clock
        self.doors = {(door.address, door.port.number): door for door in doors_of(desk)}

    def address(self, node: str) -> str:
        return self.cluster.scenario.node(node).address

    def door(self, node: str, port: int) -> TlsDoor:
        return self.doors[self.address(node), port]

    async def turn(self, seconds: float) -> None:
        self.clock.turn(seconds)
        for door in self.doors.values():
            await door.follow()

    async def fingerprint(self, node: str, unit: CertUnit) -> str:
        cert = self.cluster.certificate(node, unit)
        return (await self.papers.certificate(cert)).fingerprint


@pytest_asyncio.fixture
async def ports() -> AsyncIterator[Ports]:
    clock = HandClock()
    cluster = LabCluster(Scenario.loads(WITH_CAPF + "\n[timing]\njitter = 0\n"), clock)
    papers = Papers(cluster.scenario, clock, threaded=False)
    database = Database(cluster)
    made = Ports(Desk(cluster=cluster, clock=clock, papers=papers, database=database), clock)
    await made.turn(0)
    yield made
    for door in made.doors.values():
        await door.close()
    database.close()
    papers.close()


def anybody() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def hands_shaken(address: str, port: int, context: ssl.SSLContext) -> str:
    """The fingerprint of what is shown, after a whole handshake and a word."""
    reader, writer = await asyncio.open_connection(address, port, ssl=context)
    try:
        der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.write(b"hello")
        await writer.drain()
        with pytest.raises(TimeoutError):  # the lab says nothing
            await asyncio.wait_for(reader.read(1), 0.1)
    finally:
        writer.transport.abort()
    return hashlib.sha256(der).hexdigest()


async def test_a_port_is_there_where_its_service_is(ports: Ports) -> None:
    names = {node.address: node.name for node in ports.cluster.scenario.nodes}
    assert {(names[address], number) for address, number in ports.doors} == {
        ("pub", 2445),
        ("pub", 5061),
        ("pub", 3804),
        ("sub", 2445),
        ("sub", 5061),
    }


async def test_each_port_shows_the_certificate_of_its_process(ports: Ports) -> None:
    for port, unit in ((2445, CertUnit.TVS), (3804, CertUnit.CAPF)):
        shown = await hands_shaken(ports.address("pub"), port, anybody())
        assert shown == await ports.fingerprint("pub", unit)


@pytest.mark.parametrize(
    ("port", "unit", "service"),
    [
        (2445, CertUnit.TVS, Service.TVS),
        (5061, CertUnit.CALLMANAGER, Service.CALLMANAGER),
        (3804, CertUnit.CAPF, Service.CAPF),
    ],
)
async def test_a_process_shows_what_it_started_with_until_it_restarts(
    ports: Ports, port: int, unit: CertUnit, service: Service
) -> None:
    address, old = ports.address("pub"), await ports.fingerprint("pub", unit)
    ports.cluster.begin_regenerate("pub", unit)
    await ports.turn(60)
    new = await ports.fingerprint("pub", unit)
    assert new != old
    assert await presented_fingerprint(address, port) == old
    end = ports.cluster.begin_restart("pub", service)
    await ports.turn((end - ports.clock.now()).total_seconds() / 2)
    with pytest.raises(OSError, match="Connect call failed"):
        await hands_shaken(address, port, anybody())
    await ports.turn(60)
    assert await presented_fingerprint(address, port) == new


async def test_callmanager_shows_itself_to_whom_it_then_refuses(ports: Ports) -> None:
    shown = await presented_fingerprint(ports.address("sub"), 5061)
    assert shown == await ports.fingerprint("sub", CertUnit.CALLMANAGER)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await hands_shaken(ports.address("sub"), 5061, anybody())


async def test_callmanager_shows_its_ec_certificate_to_who_wants_one() -> None:
    text = WITH_CAPF.replace("127.0.62.", "127.0.63.").replace("seed = 7", "seed = 7\necdsa = true")
    clock = HandClock()
    cluster = LabCluster(Scenario.loads(text), clock)
    papers = Papers(cluster.scenario, clock, threaded=False)
    database = Database(cluster)
    desk = Desk(cluster=cluster, clock=clock, papers=papers, database=database)
    made = Ports(desk, clock)
    await made.turn(0)
    try:
        address = made.address("sub")
        for algorithm, unit in (
            (KeyAlgorithm.RSA, CertUnit.CALLMANAGER),
            (KeyAlgorithm.EC, CertUnit.CALLMANAGER_ECDSA),
        ):
            shown = await presented_fingerprint(address, 5061, algorithm=algorithm)
            assert shown == await made.fingerprint("sub", unit)
    finally:
        for door in made.doors.values():
            await door.close()
        database.close()
        papers.close()


async def test_callmanager_lets_in_whom_capf_gave_a_certificate(
    ports: Ports, tmp_path: Path
) -> None:
    capf = await ports.papers.certificate(ports.cluster.certificate("pub", CertUnit.CAPF))
    stranger = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "SEP001122330005")])
    for name, key, is_let_in in (("lsc", capf.private_key, True), ("other", stranger, False)):
        lsc = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(capf.certificate.subject)
            .public_key(stranger.public_key())
            .serial_number(5)
            .not_valid_before(capf.certificate.not_valid_before_utc)
            .not_valid_after(capf.certificate.not_valid_after_utc)
            .sign(key, hashes.SHA256())
        )
        path = tmp_path / f"{name}.pem"
        path.write_bytes(
            lsc.public_bytes(serialization.Encoding.PEM)
            + stranger.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        context = anybody()
        context.load_cert_chain(path)
        if is_let_in:
            shown = await hands_shaken(ports.address("pub"), 5061, context)
            assert shown == await ports.fingerprint("pub", CertUnit.CALLMANAGER)
        else:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await hands_shaken(ports.address("pub"), 5061, context)


async def test_a_stopped_service_cuts_who_is_there(ports: Ports) -> None:
    reader, writer = await asyncio.open_connection(ports.address("sub"), 2445, ssl=anybody())
    ports.cluster.begin_stop("sub", Service.TVS)
    await ports.turn(30)
    with pytest.raises(ConnectionError):
        async with asyncio.timeout(5):
            while await reader.read(1):
                pass
            raise ConnectionResetError
    writer.transport.abort()
    assert ports.clock.now() > BEGIN
    await ports.turn(60)
    with pytest.raises(OSError, match="Connect call failed"):
        await hands_shaken(ports.address("sub"), 2445, anybody())


async def test_capf_is_activated_on_the_publisher_only() -> None:
    on_sub = WITH_CAPF.replace('127.0.62.12"', '127.0.62.12"\nservices = ["tftp", "capf"]')
    with pytest.raises(ScenarioError, match="runs on the publisher only"):
        Scenario.loads(on_sub)
