"""HTTP 6970: what a phone would load, read as a phone's judge reads it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from cucm_certflow.commands import ReplyKind, ResetPhones
from cucm_certflow.errors import NodeFault, NodeUnreachable, RateLimited, UnknownLayout
from cucm_certflow.facts import (
    CertificateOf,
    Known,
    ListFile,
    ListView,
    Query,
    ServedList,
    Unknown,
    Why,
)
from cucm_certflow.inventory import Account, Inventory, NodeEntry
from cucm_certflow.names import CertUnit, Interface, ListKind
from cucm_certflow.secret import Secret
from cucm_certflow.transports.access import Access, Wire
from cucm_certflow.transports.breaker import Breaker
from cucm_certflow.transports.budget import Budgets
from cucm_certflow.transports.pins import Pins
from cucm_certflow.transports.trustfiles import TrustFileClient, TrustFileTransport, file_name
from tests.web.helpers import ManualClock

pytestmark = pytest.mark.asyncio

LISTS = Path(__file__).parents[1] / "bytes" / "fixtures"
ITL = (LISTS / "itl-125-pub-g1.tlv").read_bytes()
CTL = (LISTS / "ctl-125-g1.tlv").read_bytes()
PHONE = "SEP001122334455"
ACCOUNT = Account("nobody", Secret("not-for-logs"))
NODE = NodeEntry(name="cucm-pub", address="192.0.2.10")


class Server:
    """Answers by *handler*, and keeps what it was asked."""

    def __init__(self, handler: Callable[[httpx.Request], httpx.Response]) -> None:
        self.requests: list[httpx.Request] = []
        self.clock = ManualClock()
        self._handler = handler

    def access(self, *nodes: NodeEntry) -> Access:
        return access(
            self.clock, *nodes, wire=lambda node, network: httpx.MockTransport(self._answer)
        )

    def client(self) -> TrustFileClient:
        return TrustFileClient(NODE, self.access())

    def transport(self) -> TrustFileTransport:
        return TrustFileTransport(self.access())

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self._handler(request)


def access(
    clock: ManualClock, *nodes: NodeEntry, port: int = 6970, wire: Wire | None = None
) -> Access:
    return Access(
        inventory=Inventory(nodes=nodes or (NODE,), platform=ACCOUNT, application=ACCOUNT),
        clock=clock,
        pins=Pins(),
        breaker=Breaker(),
        budgets=Budgets(clock),
        look_timeout_s=5,
        tftp_port=port,
        wire=wire,
    )


def answering(status: int, body: bytes = b"", **headers: str) -> Server:
    return Server(lambda _: httpx.Response(status, content=body, headers=headers))


# ── the file ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("phone", "name"), [("", "ITLFile.tlv"), (PHONE, "ITLSEP001122334455.tlv")]
)
async def test_the_file_is_taken_as_it_is_under_either_name(phone: str, name: str) -> None:
    server = answering(200, b"\x01\x00\x02tlv", **{"Content-Type": "*/*"})
    client = server.client()
    assert await client.fetch(ListKind.ITL, phone) == b"\x01\x00\x02tlv"
    await client.aclose()
    assert str(server.requests[0].url) == f"http://192.0.2.10:6970/{name}"
    assert "Authorization" not in server.requests[0].headers


async def test_an_ipv6_address_stands_in_brackets() -> None:
    server = answering(404)
    client = TrustFileClient(NodeEntry(name="six", address="2001:db8::1"), server.access())
    assert await client.fetch(ListKind.CTL) is None
    assert str(server.requests[0].url) == "http://[2001:db8::1]:6970/CTLFile.tlv"


@pytest.mark.parametrize(
    "phone",
    [
        "SEP00112233445",
        "sep001122334455",
        "SEP00112233445g",
        "../../etc/passwd",
        "SEP*",
        f"{PHONE}\n",
    ],
)
async def test_what_is_no_device_name_is_never_asked_for(phone: str) -> None:
    with pytest.raises(ValueError, match="expected a device name"):
        file_name(ListKind.ITL, phone)
    server = answering(200, ITL)
    with pytest.raises(ValueError, match="expected a device name"):
        await server.client().fetch(ListKind.ITL, phone)
    transport = server.transport()
    query = ServedList("cucm-pub", ListKind.ITL, phone)
    assert not transport.supports(query)
    assert isinstance(await transport.observe(query), Unknown)
    assert server.requests == []


async def test_a_busy_node_is_asked_again_on_the_clock_and_each_request_is_counted() -> None:
    answers = [httpx.Response(503), httpx.Response(429), httpx.Response(200, content=b"x")]
    server = Server(lambda _: answers.pop(0))
    shared = server.access()
    assert await TrustFileClient(NODE, shared).fetch(ListKind.ITL) == b"x"
    assert server.clock.slept == [1.0, 2.0]
    assert shared.budgets.spent == {Interface.TFTP_HTTP: 3}


async def test_a_node_that_stays_busy_is_left_alone() -> None:
    server = answering(503)
    with pytest.raises(RateLimited, match="HTTP 503, 4 times in a row"):
        await server.client().fetch(ListKind.ITL)
    assert len(server.requests) == 4
    assert server.clock.slept == [1.0, 2.0, 4.0]
    with pytest.raises(ValueError, match="attempts"):
        TrustFileClient(NODE, server.access(), attempts=0)


@pytest.mark.parametrize(
    ("status", "body", "headers", "error"),
    [
        (200, b"", {}, UnknownLayout),
        (200, bytes(10 << 20), {}, UnknownLayout),
        (200, b"x", {"Content-Encoding": "gzip"}, UnknownLayout),
        (302, b"", {"Location": "http://elsewhere/"}, UnknownLayout),
        (206, ITL[:100], {}, UnknownLayout),
        (500, b"", {}, NodeFault),
        (403, b"", {}, NodeFault),
    ],
    ids=["empty", "huge", "compressed", "redirect", "part", "error", "forbidden"],
)
async def test_what_is_no_trust_file_is_a_typed_error(
    status: int, body: bytes, headers: dict[str, str], error: type[Exception]
) -> None:
    server = answering(status, body, **headers)
    with pytest.raises(error, match=r"GET /ITLFile\.tlv"):
        await server.client().fetch(ListKind.ITL)
    assert len(server.requests) == 1


async def test_nobody_serves_trust_files_there() -> None:
    here = NodeEntry(name="here", address="127.0.0.1")
    client = TrustFileClient(here, access(ManualClock(), here, port=9))
    with pytest.raises(NodeUnreachable):
        await client.fetch(ListKind.ITL)
    await client.aclose()


async def test_a_file_that_ends_too_early_is_no_file() -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-length: %d\r\n\r\n" % len(ITL) + ITL[:-1])
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    here = NodeEntry(name="here", address="127.0.0.1")
    async with await asyncio.start_server(cut, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        client = TrustFileClient(here, access(ManualClock(), here, port=port))
        with pytest.raises(NodeUnreachable):
            await client.fetch(ListKind.ITL)
        await client.aclose()


# ── the list ──────────────────────────────────────────────────────────────────────────────


async def test_a_served_list_is_what_its_bytes_say() -> None:
    files = {"/ITLFile.tlv": ITL, f"/ITL{PHONE}.tlv": ITL, "/CTLFile.tlv": CTL}
    server = Server(lambda request: httpx.Response(200, content=files[request.url.path]))
    transport = server.transport()
    for kind, data in ((ListKind.ITL, ITL), (ListKind.CTL, CTL)):
        fact = await transport.observe(ServedList("cucm-pub", kind))
        assert isinstance(fact, Known)
        assert isinstance(fact.value, ListView)
        assert fact.value.kind is kind
        assert fact.value.digest == hashlib.sha1(data).hexdigest()
        assert fact.by == "HTTP 6970 cucm-pub"
    plain = await transport.observe(ServedList("cucm-pub", ListKind.ITL))
    assert await transport.observe(ServedList("cucm-pub", ListKind.ITL, PHONE)) == plain
    await transport.aclose()
    await transport.aclose()


async def test_the_bytes_of_a_list_are_kept_as_they_are() -> None:
    for kind, data in ((ListKind.ITL, ITL), (ListKind.CTL, CTL)):
        server = answering(200, data)
        fact = await server.transport().observe(ListFile("cucm-pub", kind))
        assert isinstance(fact, Known)
        assert fact.value == data
        assert [request.url.path for request in server.requests] == [f"/{kind.file_name}"]


async def test_no_file_is_an_answer() -> None:
    transport = answering(404).transport()
    for query in (ServedList("cucm-pub", ListKind.CTL), ListFile("cucm-pub", ListKind.CTL)):
        fact = await transport.observe(query)
        assert isinstance(fact, Known)
        assert fact.value is None


@pytest.mark.parametrize(
    ("server", "why"),
    [
        (answering(200, b"<html><body>Not here</body></html>"), Why.UNREADABLE),
        (answering(200, b'{"ITL": []}'), Why.UNREADABLE),
        (answering(200, ITL[:-1]), Why.UNREADABLE),
        (answering(200, ITL[: len(ITL) // 2]), Why.UNREADABLE),
        (answering(200, CTL), Why.UNREADABLE),
        (answering(200, ITL[:-1] + bytes([ITL[-1] ^ 1])), Why.UNREADABLE),
        (answering(200, bytes(10 << 20)), Why.UNREADABLE),
        (answering(200), Why.UNREADABLE),
        (answering(503), Why.BUSY),
        (answering(500), Why.FAULT),
    ],
    ids=[
        "html",
        "json",
        "short-by-one",
        "half",
        "the-other-list",
        "not-as-it-was-signed",
        "huge",
        "empty",
        "busy",
        "error",
    ],
)
async def test_what_cannot_be_read_is_unknown_and_never_no_list(server: Server, why: Why) -> None:
    transport = server.transport()
    for query in (ServedList("cucm-pub", ListKind.ITL), ListFile("cucm-pub", ListKind.ITL)):
        fact = await transport.observe(query)
        assert isinstance(fact, Unknown)
        assert fact.why is why
        assert fact.by == "HTTP 6970 cucm-pub"


@pytest.mark.parametrize(
    "query",
    [
        ServedList("elsewhere", ListKind.ITL),
        ListFile("elsewhere", ListKind.ITL),
        CertificateOf("cucm-pub", CertUnit.TVS),
    ],
    ids=["another-node", "the-file-of-another-node", "another-question"],
)
async def test_what_no_file_answers_is_not_asked(query: Query) -> None:
    server = answering(200, ITL)
    transport = server.transport()
    assert not transport.supports(query)
    fact = await transport.observe(query)
    assert isinstance(fact, Unknown)
    assert fact.why is Why.NOT_ASKED
    assert server.requests == []


async def test_loading_files_does_nothing() -> None:
    transport = answering(200, ITL).transport()
    command = ResetPhones("cucm-pub", (PHONE,))
    assert not transport.supports(command)
    reply = await transport.perform(command)
    assert reply.kind is ReplyKind.REFUSED
    assert not reply.sent
