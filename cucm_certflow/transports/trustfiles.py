"""Trust lists as each TFTP node serves them to phones, over HTTP on port 6970.

The bytes are what counts: they are exactly what a phone that comes now would load. The way is
neither encrypted nor authenticated; who signed the list is for its reader to judge.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final, NoReturn

import httpx

from cucm_certflow.clock import SystemClock
from cucm_certflow.errors import NodeFault, NodeUnreachable, RateLimited, Report, UnknownLayout
from cucm_certflow.names import ListKind
from cucm_certflow.transports.axl import host_of

__all__ = ["TFTP_PORT", "fetch"]

TFTP_PORT: Final = 6970
MAX_BYTES: Final = 4 << 20
"""A list of 21 nodes is about 50 kB."""


async def fetch(
    address: str,
    kind: ListKind,
    *,
    port: int = TFTP_PORT,
    timeout_s: float = 10.0,
    attempts: int = 4,
    pause_s: float = 1.0,
    sleep: Callable[[float], Awaitable[None]] | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> bytes | None:
    """The list of *kind* that the TFTP service at *address* serves; None if it has none (404).

    It only looks; cancelling it leaves nothing behind. That the bare name ``ITLFile.tlv`` is
    served on 6970 as it is on 6972 is not documented; public tools rely on it.

    Args:
        address: Host name or address.
        kind: Which list.
        port: TCP port.
        timeout_s: Real seconds for one attempt; over 0.
        attempts: How often it asks a busy node, in all; 1 or more.
        pause_s: Real seconds between attempts, doubled each time.
        sleep: Waits that long; for tests.
        transport: Instead of the network; for tests.

    Raises:
        NodeUnreachable: There was no connection, or it broke.
        RateLimited: The node stayed busy (503): also while it searches other clusters.
        NodeFault: It answered with another error.
        UnknownLayout: It answered with something that is no file.
    """
    where = f"{address} (port {port}, {kind.file_name})"
    url = f"http://{host_of(address)}:{port}/{kind.file_name}"
    wait = sleep or SystemClock().sleep
    async with httpx.AsyncClient(
        verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),  # not used, and cheaper than the default
        trust_env=False,
        follow_redirects=False,
        timeout=timeout_s,
        headers={"User-Agent": "cucm-certflow", "Accept-Encoding": "identity"},
        transport=transport,
    ) as client:
        for attempt in range(attempts):
            if attempt:
                await wait(pause_s * 2 ** (attempt - 1))
            status, data = await _get(client, url, where, timeout_s)
            match status:
                case HTTPStatus.OK:
                    if not data:
                        _unknown(where, "an empty file")
                    return data
                case HTTPStatus.NOT_FOUND:
                    return None
                case HTTPStatus.SERVICE_UNAVAILABLE | HTTPStatus.TOO_MANY_REQUESTS:
                    continue
                case _ if status in range(300, 400):
                    _unknown(where, f"HTTP {status}, a redirect; it is not followed")
                case _:
                    raise NodeFault(
                        Report(headline=f"{where} answered with an error", saw=f"HTTP {status}")
                    )
    raise RateLimited(
        Report(headline=f"{where} stayed busy", saw=f"HTTP 503, {attempts} times in a row")
    )


async def _get(
    client: httpx.AsyncClient, url: str, where: str, timeout_s: float
) -> tuple[int, bytes]:
    try:
        async with asyncio.timeout(timeout_s), client.stream("GET", url) as response:
            if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                _unknown(where, "a compressed answer that nobody asked for")
            data = bytearray()
            async for chunk in response.aiter_bytes():
                data += chunk
                if len(data) > MAX_BYTES:
                    _unknown(where, f"more than {MAX_BYTES} bytes")
            return response.status_code, bytes(data)
    except (httpx.TransportError, TimeoutError, OSError) as error:
        saw = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise NodeUnreachable(
            Report(headline=f"{where} could not be read", saw=saw[:240])
        ) from error


def _unknown(where: str, saw: str) -> NoReturn:
    raise UnknownLayout(
        Report(
            headline=f"{where} answered in a form that we cannot read",
            expected="a trust list, or 404",
            saw=saw,
        )
    )
