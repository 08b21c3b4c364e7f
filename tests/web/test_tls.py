"""Real TLS on loopback: which certificate a port shows, also to somebody it then refuses."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import hashlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from cucm_certflow.commands import Regenerate, Reply, ReplyKind
from cucm_certflow.errors import IdentityNotTrusted, NodeError, NodeUnreachable, UnknownLayout
from cucm_certflow.facts import CertificateOf, Known, PresentedCertificate, Query, Unknown, Why
from cucm_certflow.inventory import Account, Inventory, NodeEntry
from cucm_certflow.names import CertUnit, Interface, KeyAlgorithm
from cucm_certflow.secret import Secret
from cucm_certflow.transports.access import Access
from cucm_certflow.transports.breaker import Breaker
from cucm_certflow.transports.budget import Budgets
from cucm_certflow.transports.pins import Pins
from cucm_certflow.transports.presented import presented_fingerprint
from cucm_certflow.transports.tls import TlsTransport
from tests.web.helpers import ManualClock

pytestmark = pytest.mark.asyncio

HOST = "127.61.0.1"  # so that the ports of CUCM are free
RSA, EC = KeyAlgorithm.RSA, KeyAlgorithm.EC
V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
ACCOUNT = Account("nobody", Secret("not-for-logs"))

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@attrs.frozen
class Leaf:
    path: Path
    fingerprint: str


def made(folder: Path, algorithm: KeyAlgorithm, bits: int = 2048) -> Leaf:
    key = (
        rsa.generate_private_key(65537, bits)
        if algorithm is RSA
        else ec.generate_private_key(ec.SECP384R1())
    )
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"node-{algorithm.value}")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(dt.datetime(2015, 1, 1, tzinfo=dt.UTC))
        .not_valid_after(dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{algorithm.value}-{bits}.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    der = certificate.public_bytes(serialization.Encoding.DER)
    return Leaf(path, hashlib.sha256(der).hexdigest())


@pytest.fixture(scope="module")
def leaves(tmp_path_factory: pytest.TempPathFactory) -> dict[KeyAlgorithm, Leaf]:
    folder = tmp_path_factory.mktemp("leaves")
    return {algorithm: made(folder, algorithm) for algorithm in KeyAlgorithm}


def context(
    *leaves: Leaf,
    client: bool = False,
    oldest: ssl.TLSVersion = V12,
    newest: ssl.TLSVersion = V13,
    ciphers: str = "",
) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for leaf in leaves:
        made.load_cert_chain(leaf.path)
    if ciphers:
        made.set_ciphers(ciphers)
    made.minimum_version, made.maximum_version = oldest, newest
    if client:
        made.verify_mode = ssl.CERT_REQUIRED
        made.load_verify_locations(leaves[0].path)
    return made


class Port:
    """A listening port; *received* is what came after the handshake, or all without TLS."""

    def __init__(self) -> None:
        self.number = 0
        self.received = bytearray()
        self.connections = 0


@asynccontextmanager
async def listening(
    talk: Talk | None = None,
    tls: ssl.SSLContext | None = None,
    host: str = HOST,
    number: int = 0,
) -> AsyncIterator[Port]:
    port, talks = Port(), set[asyncio.Task[None]]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        port.connections += 1
        try:
            if talk is not None:
                await talk(reader, writer)
            else:
                while data := await reader.read(4096):
                    port.received += data
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    server = await asyncio.start_server(serve, host, number, ssl=tls)
    port.number = server.sockets[0].getsockname()[1]
    try:
        yield port
    finally:
        server.close()
        await asyncio.wait_for(asyncio.gather(*talks, return_exceptions=True), 5)
        await server.wait_closed()


def relayed(target: Port, change: Callable[[bytes], bytes], *, then_hang_up: bool = False) -> Talk:
    """Passes on what *target* says to the first words of a client, changed, in small pieces."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, ours = await asyncio.open_connection(HOST, target.number)
        try:
            ours.write(await reader.read(4096))
            flight = b""
            while not flight.endswith(b"\x0e\x00\x00\x00"):  # ServerHelloDone
                flight += await theirs.read(4096)
            said = change(flight)
            for at in range(0, len(said), 7):
                writer.write(said[at : at + 7])
                await writer.drain()
            if not then_hang_up and (answer := await reader.read(4096)):
                ours.write(answer)
                writer.write(await theirs.read(4096))
                await writer.drain()
        finally:
            ours.close()
            with contextlib.suppress(OSError):
                await ours.wait_closed()

    return talk


async def look(port: Port, algorithm: KeyAlgorithm | None = None, *, legacy: bool = False) -> str:
    return await presented_fingerprint(HOST, port.number, 5, algorithm=algorithm, legacy=legacy)


# ── what is shown ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("algorithm", list(KeyAlgorithm))
@pytest.mark.parametrize("newest", [V12, V13])
@pytest.mark.parametrize("client", [False, True], ids=["anybody", "client-certificate"])
async def test_of_two_certificates_the_one_is_shown_that_is_asked_for(
    leaves: dict[KeyAlgorithm, Leaf], algorithm: KeyAlgorithm, newest: ssl.TLSVersion, client: bool
) -> None:
    tls = context(*leaves.values(), client=client, newest=newest)
    async with listening(tls=tls) as port:
        assert await look(port, algorithm) == leaves[algorithm].fingerprint
        assert port.received == b""


@pytest.mark.parametrize("client", [False, True], ids=["anybody", "client-certificate"])
async def test_whichever_is_shown_is_taken_if_none_is_asked_for(
    leaves: dict[KeyAlgorithm, Leaf], client: bool
) -> None:
    for leaf in leaves.values():
        async with listening(tls=context(leaf, client=client)) as port:
            assert await look(port) == leaf.fingerprint


@pytest.mark.parametrize("algorithm", list(KeyAlgorithm))
@pytest.mark.parametrize("client", [False, True], ids=["anybody", "client-certificate"])
async def test_a_server_that_speaks_tls_1_3_only_is_seen_too(
    leaves: dict[KeyAlgorithm, Leaf], algorithm: KeyAlgorithm, client: bool
) -> None:
    tls = context(leaves[algorithm], client=client, oldest=V13)
    async with listening(tls=tls) as port:
        assert await look(port, algorithm) == leaves[algorithm].fingerprint
        other = EC if algorithm is RSA else RSA
        with pytest.raises(UnknownLayout, match=f"a certificate with an {other.value} key"):
            await look(port, other)


async def test_a_certificate_that_the_server_lacks_is_no_answer(
    leaves: dict[KeyAlgorithm, Leaf],
) -> None:
    async with listening(tls=context(leaves[RSA], newest=V12)) as port:
        with pytest.raises(NodeUnreachable, match=r"over TLS 1\.3"):
            await look(port, EC)
    async with listening(tls=context(leaves[RSA])) as port:
        with pytest.raises(UnknownLayout, match="by its own choice"):
            await look(port, EC)


@pytest.mark.parametrize("client", [False, True], ids=["anybody", "client-certificate"])
async def test_a_key_exchange_without_a_signature_shows_the_certificate(
    leaves: dict[KeyAlgorithm, Leaf], client: bool
) -> None:
    tls = context(leaves[RSA], client=client, newest=V12, ciphers="AES128-SHA")
    async with listening(tls=tls) as port:
        assert await look(port, RSA) == leaves[RSA].fingerprint


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1 is deprecated:DeprecationWarning")
@pytest.mark.parametrize("client", [False, True], ids=["anybody", "client-certificate"])
async def test_tls_1_0_with_a_short_key_is_seen_where_old_cryptography_is_allowed(
    tmp_path: Path, client: bool
) -> None:
    leaf = made(tmp_path, RSA, 1024)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.set_ciphers("DEFAULT:@SECLEVEL=0")
    tls.load_cert_chain(leaf.path)
    tls.minimum_version = tls.maximum_version = ssl.TLSVersion.TLSv1
    if client:
        tls.verify_mode = ssl.CERT_REQUIRED
        tls.load_verify_locations(leaf.path)
    async with listening(tls=tls) as port:
        assert await look(port, RSA, legacy=True) == leaf.fingerprint
        with pytest.raises(NodeError):
            await look(port, RSA)


async def test_it_is_seen_over_ipv6(leaves: dict[KeyAlgorithm, Leaf]) -> None:
    try:
        async with listening(tls=context(leaves[EC]), host="::1") as port:
            for address in ("::1", "[::1]"):
                assert await presented_fingerprint(address, port.number, 5) == (
                    leaves[EC].fingerprint
                )
    except OSError as error:
        pytest.skip(f"no IPv6 on this machine: {error}")


# ── when it counts ────────────────────────────────────────────────────────────────────────


async def test_it_counts_once_the_servers_part_was_answered_however_it_ends(
    leaves: dict[KeyAlgorithm, Leaf],
) -> None:
    async with listening(tls=context(leaves[RSA], client=True, newest=V12)) as target:
        async with listening(relayed(target, bytes)) as port:
            assert await look(port, RSA) == leaves[RSA].fingerprint
        async with listening(relayed(target, bytes, then_hang_up=True)) as port:
            assert await look(port, RSA) == leaves[RSA].fingerprint


@pytest.mark.parametrize("kept", [1, 5, 40, 100, 700, -10, -1])
async def test_part_of_the_servers_part_is_no_answer(
    leaves: dict[KeyAlgorithm, Leaf], kept: int
) -> None:
    async with (
        listening(tls=context(leaves[RSA], newest=V12)) as target,
        listening(relayed(target, lambda data: data[:kept], then_hang_up=True)) as port,
    ):
        with pytest.raises(NodeUnreachable, match="the server hung up after"):
            await look(port, RSA)


async def test_a_stranger_who_only_knows_the_certificate_is_not_believed(
    leaves: dict[KeyAlgorithm, Leaf],
) -> None:
    """Whoever holds the certificate, and not its key, cannot sign the key exchange."""

    def badly_signed(flight: bytes) -> bytes:
        last = len(flight) - 10  # before the record of ServerHelloDone
        return flight[:last] + bytes([flight[last] ^ 1]) + flight[last + 1 :]

    async with (
        listening(tls=context(leaves[RSA], newest=V12)) as target,
        listening(relayed(target, badly_signed)) as port,
    ):
        with pytest.raises(UnknownLayout, match=r"(?i)signature"):
            await look(port, RSA)


# ── what is no answer ─────────────────────────────────────────────────────────────────────


def saying(*words: bytes, times: int = 1) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(times):
            for each in words:
                writer.write(each)
            await writer.drain()
        writer.write_eof()
        await reader.read()

    return talk


@pytest.mark.parametrize(
    ("talk", "error", "saw"),
    [
        (saying(b"HTTP/1.1 400 Bad Request\r\n\r\n"), UnknownLayout, "HTTP/1.1 400"),
        (saying(b"220 hello\r\n"), UnknownLayout, "220 hello"),
        (saying(bytes(range(256)) * 40), UnknownLayout, ""),
        (saying(b"\x16\x03\x03\x00\x04abcd"), UnknownLayout, ""),
        (saying(b"\x16\x03\x03\x40\x00" + bytes(1 << 14), times=640), NodeError, ""),
        (saying(b"\x16"), NodeUnreachable, "after 1 bytes"),
        (saying(), NodeUnreachable, "hung up"),
        (saying(b"\x15\x03\x03\x00\x02\x02\x28"), NodeUnreachable, "HANDSHAKE_FAILURE"),
    ],
    ids=["http", "banner", "garbage", "no-hello", "huge", "truncated", "nothing", "alert"],
)
async def test_what_is_no_handshake_is_a_typed_error(
    talk: Talk, error: type[NodeError], saw: str
) -> None:
    async with listening(talk) as port:
        with pytest.raises(error, match="nothing but the handshake was sent") as caught:
            await look(port, RSA)
    assert saw in caught.value.report.saw


async def test_a_server_that_says_nothing_is_left_after_a_while() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with listening(silent) as port:
        with pytest.raises(NodeUnreachable, match="TimeoutError"):
            await presented_fingerprint(HOST, port.number, 0.1)


@pytest.mark.parametrize("address", [HOST, "no such host", "x" * 64 + ".example", ".", ""])
async def test_nobody_presents_anything(address: str) -> None:
    with pytest.raises(NodeUnreachable, match="presents no certificate"):
        await presented_fingerprint(address, 9, 2)


# ── the transport ─────────────────────────────────────────────────────────────────────────


def transport(web_port: int = 9) -> tuple[TlsTransport, Access]:
    clock = ManualClock()
    access = Access(
        inventory=Inventory(
            nodes=(NodeEntry(name="cucm-pub", address=HOST),), platform=ACCOUNT, application=ACCOUNT
        ),
        clock=clock,
        pins=Pins(),
        breaker=Breaker(),
        budgets=Budgets(clock),
        look_timeout_s=5,
        web_port=web_port,
    )
    return TlsTransport(access), access


async def test_port_8443_is_where_https_is_reached_and_a_look_is_no_pin(
    leaves: dict[KeyAlgorithm, Leaf],
) -> None:
    async with listening(tls=context(*leaves.values())) as port:
        tls, access = transport(port.number)
        for algorithm in KeyAlgorithm:
            fact = await tls.observe(PresentedCertificate("cucm-pub", algorithm=algorithm))
            assert fact == Known(
                leaves[algorithm].fingerprint, access.clock.now(), "TLS handshake cucm-pub:8443"
            )
        await tls.aclose()
        await tls.aclose()
    assert access.budgets.spent == {Interface.TLS: 2}
    with pytest.raises(IdentityNotTrusted):
        access.pins.check("cucm-pub", leaves[RSA].fingerprint)


@pytest.mark.parametrize("number", [2445, 5061, 3804])
async def test_the_other_ports_are_cucms_own(leaves: dict[KeyAlgorithm, Leaf], number: int) -> None:
    tls, _ = transport()
    query = PresentedCertificate("cucm-pub", number)
    assert tls.supports(query)
    served = context(*leaves.values(), client=True, newest=V12)
    async with listening(tls=served, number=number) as port:
        fact = await tls.observe(query)
        assert port.received == b""
    assert isinstance(fact, Known)
    assert fact.value == leaves[RSA].fingerprint
    after = await tls.observe(query)
    assert isinstance(after, Unknown)
    assert after.why is Why.UNREACHABLE


async def test_a_certificate_of_the_other_kind_is_unknown_and_both_looks_are_counted(
    leaves: dict[KeyAlgorithm, Leaf],
) -> None:
    async with listening(tls=context(leaves[RSA])) as port:
        tls, access = transport(port.number)
        fact = await tls.observe(PresentedCertificate("cucm-pub", algorithm=EC))
    assert isinstance(fact, Unknown)
    assert fact.why is Why.UNREADABLE
    assert access.budgets.spent == {Interface.TLS: 2}


@pytest.mark.parametrize(
    "query",
    [
        PresentedCertificate("elsewhere"),
        PresentedCertificate("cucm-pub", 443),
        CertificateOf("cucm-pub", CertUnit.TOMCAT),
    ],
    ids=["another-node", "another-port", "another-question"],
)
async def test_what_no_handshake_answers_is_not_asked(query: Query) -> None:
    tls, access = transport()
    assert not tls.supports(query)
    fact = await tls.observe(query)
    assert isinstance(fact, Unknown)
    assert fact.why is Why.NOT_ASKED
    assert access.budgets.spent == {}


async def test_a_handshake_does_nothing() -> None:
    tls, _ = transport()
    command = Regenerate("cucm-pub", CertUnit.TVS)
    assert not tls.supports(command)
    reply = await tls.perform(command)
    assert isinstance(reply, Reply)
    assert reply.kind is ReplyKind.REFUSED
    assert not reply.sent
