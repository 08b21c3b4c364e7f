"""A cluster of two nodes, an account, and servers that remember what they received."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import hashlib
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cucm_certflow.clock import Clock
from cucm_certflow.inventory import Account, Inventory, NodeEntry
from cucm_certflow.secret import Secret
from cucm_certflow.transports.access import Access
from cucm_certflow.transports.axl import AxlClient
from cucm_certflow.transports.breaker import Breaker
from cucm_certflow.transports.budget import Budgets
from cucm_certflow.transports.pins import Pins
from cucm_certflow.transports.ris import RisClient

FIXTURES = Path(__file__).parent / "fixtures"
PUB = NodeEntry(name="cucm-pub", address="127.0.0.1")
SUB = NodeEntry(name="cucm-sub", address="127.0.0.2")
ACCOUNT = Account("axluser", Secret("not-for-logs"))
INVENTORY = Inventory(nodes=(PUB, SUB), platform=ACCOUNT, application=ACCOUNT)


def fixture(name: str) -> bytes:
    return (FIXTURES / f"{name}.xml").read_bytes()


class ManualClock:
    """Time passes when somebody sleeps."""

    def __init__(self) -> None:
        self.instant = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
        self.slept: list[float] = []

    def now(self) -> dt.datetime:
        return self.instant

    def monotonic(self) -> float:
        return self.instant.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.instant += dt.timedelta(seconds=seconds)


class Wire:
    """Stands for the network: answers by *handler* and keeps the requests.

    What the node says of its version is asked before the first reset; unless *versions* is False
    it is answered here, and not kept.
    """

    def __init__(
        self, handler: Callable[[httpx.Request], httpx.Response], *, versions: bool = True
    ) -> None:
        self._versions = versions
        self.requests: list[httpx.Request] = []
        self._handler = handler
        self.transport = httpx.MockTransport(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if self._versions and b"getCCMVersion" in request.content:
            inner = "<componentVersion><version>11.5.1.12900(21)</version></componentVersion>"
            return httpx.Response(200, content=axl("getCCMVersion", inner))
        self.requests.append(request)
        return self._handler(request)


def soap(body: str) -> bytes:
    return (
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/">'
        f"<soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>"
    ).encode()


def axl(operation: str, inner: str = "") -> bytes:
    namespace = "http://www.cisco.com/AXL/API/11.5"
    return soap(
        f'<ns:{operation}Response xmlns:ns="{namespace}"><return>{inner}</return>'
        f"</ns:{operation}Response>"
    )


def access_over(
    wire: Wire | None = None,
    *,
    inventory: Inventory = INVENTORY,
    clock: Clock | None = None,
    breaker: Breaker | None = None,
    pins: Pins | None = None,
    web_port: int = 8443,
    ris_per_minute: int = 10,
) -> Access:
    """What clients are made with: *wire* instead of the network, if it is given."""
    clock = clock or ManualClock()
    return Access(
        inventory=inventory,
        clock=clock,
        pins=pins or Pins(),
        breaker=breaker or Breaker(),
        budgets=Budgets(clock, ris_per_minute=ris_per_minute),
        timeout_s=5.0,
        web_port=web_port,
        wire=None if wire is None else lambda _node, _network: wire.transport,
    )


def axl_client(wire: Wire, breaker: Breaker | None = None) -> AxlClient:
    return AxlClient(PUB, access_over(wire, breaker=breaker))


def ris_client(wire: Wire, clock: ManualClock | None = None, page: int = 1000) -> RisClient:
    return RisClient(PUB, access_over(wire, clock=clock), page=page)


def answering(status: int, body: bytes = b"", **headers: str) -> Wire:
    return Wire(lambda _: httpx.Response(status, content=body, headers=headers))


class Identity:
    """A self-signed certificate of a node, long expired as they are."""

    def __init__(self, folder: Path, name: str) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(dt.datetime(2015, 1, 1, tzinfo=dt.UTC))
            .not_valid_after(dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
            .sign(key, hashes.SHA256())
        )
        der = certificate.public_bytes(serialization.Encoding.DER)
        self.fingerprint = hashlib.sha256(der).hexdigest()
        path = folder / f"{name}.pem"
        path.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(path)


class TlsServer:
    """Answers each request with *answer*; counts connections, keeps every byte it received."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.received = bytearray()
        self.handshakes = 0
        self.port = 0
        self._ended = asyncio.Event()
        self._ended.set()
        self._open = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.handshakes += 1
        self._open += 1
        self._ended.clear()
        try:
            while chunk := await reader.read(65536):
                self.received += chunk
                if self._is_whole():
                    writer.write(
                        b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nConnection: close\r\n"
                        b"Content-Length: %d\r\n\r\n" % len(self.answer) + self.answer
                    )
                    await writer.drain()
                    break
        except OSError:
            pass
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            self._open -= 1
            if not self._open:
                self._ended.set()

    def _is_whole(self) -> bool:
        return bytes(self.received).rstrip().endswith(b"Envelope>")

    async def quiet(self) -> None:
        """Return when every connection that was served has ended."""
        await asyncio.wait_for(self._ended.wait(), 5)


@asynccontextmanager
async def tls_server(identity: Identity, answer: bytes = b"") -> AsyncIterator[TlsServer]:
    server = TlsServer(answer)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=identity.context)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        await listening.wait_closed()
