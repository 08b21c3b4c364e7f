"""Real TLS on loopback: who a node must prove to be, and when."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest

from cucm_certflow.errors import IdentityNotTrusted
from cucm_certflow.names import CertUnit
from cucm_certflow.transports.axl import AxlClient
from cucm_certflow.transports.pins import Pins, tls_context
from tests.web.helpers import PUB, Identity, access_over, axl, tls_server

pytestmark = pytest.mark.asyncio


def client(pins: Pins, port: int) -> AxlClient:
    return AxlClient(PUB, access_over(pins=pins, web_port=port))


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
    pins.expect_change(PUB.name)
    assert pins.seen(PUB.name, new.fingerprint)
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
    assert pins.allowed("a") == {"cd" * 32}
    with pytest.raises(ValueError, match="64 hex"):
        pins.learn("a", "not a fingerprint")


async def test_a_pin_moves_only_when_a_change_was_announced() -> None:
    pins, first, second = Pins(), "ab" * 32, "cd" * 32
    assert pins.seen("a", first)  # none is known yet
    assert not pins.seen("a", second)
    assert pins.allowed("a") == {first}
    pins.expect_change("a")
    assert pins.seen("a", first)  # not regenerated yet
    assert pins.seen("a", second)
    pins.settle("a", first)  # Tomcat has not restarted yet
    assert pins.allowed("a") == {first, second}
    assert not pins.seen("a", "ef" * 32)  # one change was announced, and this is another one
    pins.settle("a", second)
    assert pins.allowed("a") == {second}
    assert not pins.seen("a", first)


async def test_rsa_and_ecdsa_are_pinned_side_by_side() -> None:
    pins, rsa, ecdsa, new = Pins(), "ab" * 32, "cd" * 32, "ef" * 32
    pins.learn("a", rsa)
    pins.learn("a", ecdsa, CertUnit.TOMCAT_ECDSA)
    assert pins.allowed("a") == {rsa, ecdsa}
    pins.expect_change("a", CertUnit.TOMCAT_ECDSA)
    assert not pins.seen("a", new)  # of tomcat, which nobody changes
    assert pins.seen("a", new, CertUnit.TOMCAT_ECDSA)
    pins.settle("a", new)
    assert pins.allowed("a") == {rsa, new}


async def test_nothing_is_settled_by_a_stranger_or_while_a_change_is_awaited() -> None:
    pins, old, new = Pins(), "ab" * 32, "cd" * 32
    pins.learn("a", old)
    pins.expect_change("a")
    pins.settle("a", old)
    assert pins.is_changing("a")
    assert pins.seen("a", new)
    pins.settle("a", "ef" * 32)
    assert pins.allowed("a") == {old, new}


async def test_a_blocking_socket_does_not_get_past_the_pin() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(ssl.SSLError, match="wrap_bio only"):
        tls_context(lambda _: None).wrap_socket(ours)
