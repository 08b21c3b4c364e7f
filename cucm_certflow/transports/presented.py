"""Which certificate a TLS port shows right now, also to a client that it then refuses."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric import rsa

from cucm_certflow.errors import NodeUnreachable, Report, UnknownLayout
from cucm_certflow.names import KeyAlgorithm
from cucm_certflow.transports.access import host_of
from cucm_certflow.transports.http import shown
from cucm_certflow.transports.pins import WEB_PORT
from cucm_certflow.trust.x509 import fingerprint_of, load_der

__all__ = ["presented_fingerprint"]

_MAX_BYTES: Final = 1 << 18
"""OpenSSL itself takes no chain over 100 kB."""
_CHUNK: Final = 1 << 14
_SHOWN: Final = 240

_RSA: Final = "ECDHE+aRSA:DHE+aRSA:kRSA"
_EC: Final = "ECDHE+aECDSA"
_CIPHERS: Final[Mapping[KeyAlgorithm | None, str]] = {
    KeyAlgorithm.RSA: _RSA,
    KeyAlgorithm.EC: _EC,
    None: f"{_EC}:{_RSA}",
}
"""TLS 1.2 ciphers by the key that the server needs for them. Exchanges that are signed come first:
the old ones without a signature (kRSA) are all that CallManager spoke once."""
_NEVER: Final = "!aNULL:!eNULL:!PSK:!SRP"
_LEGACY: Final = "@SECLEVEL=0"

_HEADER: Final = 5  # of a record: type, version, length
_LENGTH: Final = 3  # in a handshake message
_CHANGE_CIPHER: Final = 20
_ALERT: Final = 21
_HANDSHAKE: Final = 22
_CERTIFICATE: Final = 11


async def presented_fingerprint(
    address: str,
    port: int = WEB_PORT,
    timeout_s: float = 10.0,
    *,
    algorithm: KeyAlgorithm | None = None,
    legacy: bool = False,
    before_each: Callable[[], None] | None = None,
) -> str:
    """The SHA-256 (lower-case hex) of the leaf that *address* presents.

    It shakes hands and hangs up: no request, no credentials, no certificate of ours. What it
    returns is what somebody at that address shows, an observation and no proof of identity; it
    must never become a pin.

    TLS 1.2 is spoken first: there the ciphers that are offered decide which of two certificates is
    shown, and the certificate can be read even if the server then refuses us for want of one of
    ours, as CallManager does on 5061. It counts as soon as OpenSSL has taken the server's part of
    the handshake and answered it. A server that has nothing to say to that is asked again over
    TLS 1.3, where it chooses by itself.

    Args:
        address: Host name or address.
        port: TCP port.
        timeout_s: Real seconds for all of it; over 0.
        algorithm: Of the key of the certificate that is asked for; None for whichever is shown.
        legacy: Also speak what releases up to 11.5 may need: TLS 1.0, and keys and digests below
            today's floor.
        before_each: Called before each connection, of which there are one or two.

    Raises:
        NodeUnreachable: No connection, no agreement, or the server hung up too early.
        UnknownLayout: The answer is no TLS, or not one that we can read, or over TLS 1.3 the
            certificate is of the other algorithm.

    Cancelling it leaves nothing behind.
    """
    door = _Door(address, port, asyncio.get_running_loop().time() + timeout_s, before_each)
    try:
        der = await _look(door, _context(algorithm, legacy=legacy))
    except _Refused as refusal:
        try:
            der = await _look(door, _context(None, legacy=legacy, newest=True))
        except NodeUnreachable as error:
            raise door.unreachable(
                f"{refusal.report.saw}; over TLS 1.3: {error.report.saw}"
            ) from error
    if algorithm is not None:
        key = load_der(der).public_key()
        found = KeyAlgorithm.RSA if isinstance(key, rsa.RSAPublicKey) else KeyAlgorithm.EC
        if found is not algorithm:
            raise door.unreadable(
                f"one with an {found.value} key, by its own choice over TLS 1.3",
                expected=f"a certificate with an {algorithm.value} key",
            )
    return fingerprint_of(der)


class _Refused(NodeUnreachable):
    """The server ended the handshake before it showed anything."""


class _Door(NamedTuple):
    """A port, and until when (on the loop's clock) it is looked at."""

    address: str
    port: int
    deadline_s: float
    before_each: Callable[[], None] | None

    def unreachable(self, saw: str) -> NodeUnreachable:
        return NodeUnreachable(self._report("presents no certificate", saw))

    def refused(self, saw: str) -> _Refused:
        return _Refused(self._report("presents no certificate", saw))

    def unreadable(self, saw: str, expected: str = "a TLS handshake") -> UnknownLayout:
        return UnknownLayout(self._report("answered in a form that we cannot read", saw, expected))

    def _report(self, how: str, saw: str, expected: str = "") -> Report:
        return Report(
            headline=f"{host_of(self.address)}:{self.port} {how}",
            did="TLS handshake only",
            expected=expected,
            saw=saw[: 2 * _SHOWN],
            left="nothing but the handshake was sent",
        )


def _context(
    algorithm: KeyAlgorithm | None, *, legacy: bool, newest: bool = False
) -> ssl.SSLContext:
    """A client that verifies nothing, for TLS 1.2 and before, or for TLS 1.3 (*newest*)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    level = f":{_LEGACY}" if legacy else ""
    context.set_ciphers(f"{_CIPHERS[algorithm]}:{_NEVER}{level}")
    if newest:
        context.minimum_version = ssl.TLSVersion.TLSv1_3
    else:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        oldest = ssl.TLSVersion.MINIMUM_SUPPORTED if legacy else ssl.TLSVersion.TLSv1_2
        context.minimum_version = oldest
    return context


# ── one handshake ─────────────────────────────────────────────────────────────────────────


async def _look(door: _Door, context: ssl.SSLContext) -> bytes:
    """The leaf in DER that *door* shows in a handshake of *context*.

    Raises:
        _Refused: The server ended it at once.
        NodeUnreachable: No connection, or it broke before the server's part was whole.
        UnknownLayout: What came cannot be read.
    """
    handshake = _Handshake(door, context)
    writer: asyncio.StreamWriter | None = None
    if door.before_each is not None:
        door.before_each()
    try:
        async with asyncio.timeout_at(door.deadline_s):
            reader, writer = await asyncio.open_connection(door.address.strip("[]"), door.port)
            writer.write(handshake.begin())
            while not handshake.leaf:
                data = await reader.read(_CHUNK)
                writer.write(handshake.receive(data))
                await writer.drain()
    except (OSError, UnicodeError) as error:  # of these is TimeoutError
        if not handshake.answered:
            saw = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            raise door.unreachable(saw) from error
    finally:
        if writer is not None:
            # The end of a conversation that never began: nothing is worth waiting for.
            writer.transport.abort()
    return handshake.leaf or handshake.seen()


class _Handshake:
    """Our side of one handshake, without I/O: bytes in, bytes out, and the leaf when it is known.

    ``answered`` says that OpenSSL has taken the whole of the server's part and answered it. Where
    the key exchange is signed, it has verified by then that the server holds the leaf's key.
    """

    def __init__(self, door: _Door, context: ssl.SSLContext) -> None:
        self.leaf = b""
        self.answered = False
        self._door = door
        # Up to TLS 1.2 our second flight answers the server's, which is readable.
        self._is_readable = context.maximum_version == ssl.TLSVersion.TLSv1_2
        self._received = bytearray()
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        try:
            self._peer = context.wrap_bio(
                self._incoming, self._outgoing, server_hostname=door.address.strip("[]")
            )
        except ValueError as error:
            raise door.unreachable(f"no host name or address: {error}") from error

    def begin(self) -> bytes:
        """What is sent first."""
        return self._step()

    def receive(self, data: bytes) -> bytes:
        """What is sent after *data*, which is empty if the server has hung up.

        Raises:
            _Refused: The server ended it at once.
            NodeUnreachable: It hung up before its part was whole.
            UnknownLayout: What came cannot be read.
        """
        if not data:
            return self._ended("the server hung up")
        self._received += data
        if len(self._received) > _MAX_BYTES:
            raise self._door.unreadable(f"more than {_MAX_BYTES} bytes")
        self._incoming.write(data)
        return self._step()

    def seen(self) -> bytes:
        """The leaf as it went over the wire.

        Raises:
            UnknownLayout: There is none.
        """
        for kind, body in _messages(bytes(self._received)):
            if kind == _CERTIFICATE:
                size = int.from_bytes(body[_LENGTH : 2 * _LENGTH])
                der = body[2 * _LENGTH : 2 * _LENGTH + size]
                if size and len(der) == size:
                    return der
        raise self._door.unreadable("no certificate in the server's part of the handshake")

    def _step(self) -> bytes:
        failed: ssl.SSLError | None = None
        try:
            self._peer.do_handshake()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            failed = error
        else:
            self.leaf = self._peer.getpeercert(binary_form=True) or b""
            if not self.leaf:
                raise self._door.unreadable("a handshake without a certificate")
        sent = self._outgoing.read()
        if self._received and self._is_readable and sent[:1] == bytes([_HANDSHAKE]):
            self.answered = True
        if failed is None:
            return sent
        reason = failed.reason or str(failed)
        if self.answered or _has_alert(bytes(self._received)):
            return self._ended(f"the server refused: {reason}")
        begins = shown(bytes(self._received[:80]))
        raise self._door.unreadable(f"{reason}; it begins {begins!r}") from failed

    def _ended(self, how: str) -> bytes:
        """The server is done with us: either it has shown its certificate by now, or never will."""
        if self.answered:
            self.leaf = self.seen()
            return b""
        if not self._received or _has_alert(bytes(self._received)):
            raise self._door.refused(how)
        raise self._door.unreachable(f"{how} after {len(self._received)} bytes")


def _records(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and content of the records in *data* that are whole and not encrypted."""
    at = 0
    while at + _HEADER <= len(data):
        kind, size = data[at], int.from_bytes(data[at + 3 : at + _HEADER])
        content = data[at + _HEADER : at + _HEADER + size]
        if kind == _CHANGE_CIPHER or len(content) < size:
            return
        yield kind, content
        at += _HEADER + size


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and body of the handshake messages; one may stretch over several records."""
    stream = b"".join(content for kind, content in _records(data) if kind == _HANDSHAKE)
    at = 0
    while at + 1 + _LENGTH <= len(stream):
        size = int.from_bytes(stream[at + 1 : at + 1 + _LENGTH])
        body = stream[at + 1 + _LENGTH : at + 1 + _LENGTH + size]
        if len(body) < size:
            return
        yield stream[at], body
        at += 1 + _LENGTH + size


def _has_alert(data: bytes) -> bool:
    return any(kind == _ALERT for kind, _ in _records(data))
