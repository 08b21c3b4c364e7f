"""Real TLS on loopback: who a node must prove to be, and when."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from pathlib import Path

import pytest

from cucm_certflow.errors import IdentityNotTrusted, NodeUnreachable
from cucm_certflow.transports.axl import AxlClient
from cucm_certflow.transports.breaker import Breaker
from cucm_certflow.transports.pins import Pins, tls_context
from cucm_certflow.transports.presented import presented_fingerprint
from tests.web.helpers import ACCOUNT, PUB, Identity, axl, tls_server

pytestmark = pytest.mark.asyncio


def client(pins: Pins, port: int) -> AxlClient:
    return AxlClient(PUB, ACCOUNT, pins=pins, breaker=Breaker(), port=port, timeout_s=5)


async def test_the_pinned_certificate_is_enough_though_expired_and_of_another_name(
    tmp_path: Path,
) -> None:
    identity, pins = Identity(tmp_path, "someone-else"), Pins()
    pins.learn(PUB.name, identity.fingerprint)
    async with tls_server(identity, axl("executeSQLQuery")) as server:
        web = client(pins, server.port)
        assert await web.sql("select 1") == []
        assert b"Authorization: Basic" in server.received
        await web.aclose()
        await server.quiet()


@pytest.mark.parametrize("known", [True, False], ids=["wrong-pin", "no-pin"])
async def test_no_byte_of_a_request_reaches_a_stranger(tmp_path: Path, known: bool) -> None:
    identity, pins = Identity(tmp_path, "stranger"), Pins()
    if known:
        pins.learn(PUB.name, "ab" * 32)
    async with tls_server(identity, axl("executeSQLQuery")) as server:
        web = client(pins, server.port)
        with pytest.raises(IdentityNotTrusted, match="no request and no password was sent"):
            await web.sql("select 1")
        await web.aclose()
        await server.quiet()
        assert server.received == b""


async def test_old_and_new_are_both_allowed_until_it_is_settled(tmp_path: Path) -> None:
    old, new, pins = Identity(tmp_path, "old"), Identity(tmp_path, "new"), Pins()
    pins.learn(PUB.name, old.fingerprint)
    pins.learn(PUB.name, new.fingerprint)
    for identity in (old, new):
        async with tls_server(identity, axl("executeSQLQuery")) as server:
            web = client(pins, server.port)
            assert await web.sql("select 1") == []
            await web.aclose()
            await server.quiet()
    pins.settle(PUB.name, new.fingerprint)
    async with tls_server(old, axl("executeSQLQuery")) as server:
        web = client(pins, server.port)
        with pytest.raises(IdentityNotTrusted, match="not the pinned one"):
            await web.sql("select 1")
        await web.aclose()
        await server.quiet()
        assert server.received == b""


async def test_pins_are_read_again_at_each_handshake(tmp_path: Path) -> None:
    identity, pins = Identity(tmp_path, "late"), Pins()
    async with tls_server(identity, axl("executeSQLQuery")) as server:
        web = client(pins, server.port)
        with pytest.raises(IdentityNotTrusted, match="no certificate is pinned"):
            await web.sql("select 1")
        pins.learn(PUB.name, identity.fingerprint)
        assert await web.sql("select 1") == []
        await web.aclose()
        await server.quiet()


async def test_pins_are_those_of_the_node_and_port() -> None:
    pins = Pins()
    pins.learn("a", "AB:" * 31 + "AB")
    assert pins.allowed("a") == {"ab" * 32}
    assert pins.allowed("b") == frozenset()
    assert pins.allowed("a", 443) == frozenset()
    pins.learn("a", "cd" * 32)
    pins.settle("a", "cd" * 32)
    assert pins.allowed("a") == {"cd" * 32}
    with pytest.raises(ValueError, match="64 hex"):
        pins.learn("a", "not a fingerprint")


async def test_a_blocking_socket_does_not_get_past_the_pin() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(ssl.SSLError, match="wrap_bio only"):
        tls_context(lambda _: None).wrap_socket(ours)


async def test_presented_certificate_is_read_without_a_word(tmp_path: Path) -> None:
    identity = Identity(tmp_path, "presented")
    async with tls_server(identity) as server:
        assert await presented_fingerprint("127.0.0.1", server.port, 5) == identity.fingerprint
        await server.quiet()
        assert server.received == b""


async def test_nobody_presents_anything() -> None:
    with pytest.raises(NodeUnreachable):
        await presented_fingerprint("127.0.0.1", 9, 2)


async def test_a_server_without_tls_presents_nothing() -> None:
    ended = asyncio.Event()

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        with contextlib.suppress(OSError):
            await reader.read()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        ended.set()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(NodeUnreachable):
            await presented_fingerprint("127.0.0.1", port, 5)
        await asyncio.wait_for(ended.wait(), 5)
