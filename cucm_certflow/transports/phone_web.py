"""Phones' own web pages over HTTP: where they are, and how they are asked. Nothing is sent to them.

The way is neither encrypted nor authenticated, and needs no password. Whether a phone has its web
access on is said in its configuration; on many it is off.
"""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import httpx

from cucm_certflow.errors import NodeFault, NodeUnreachable, Report
from cucm_certflow.facts import PhoneLists
from cucm_certflow.inventory import NodeEntry
from cucm_certflow.transports.access import Access, host_of
from cucm_certflow.transports.phone_pages import PAGES, lists_from_pages

__all__ = ["PhoneWeb"]

_MAX_BYTES: Final = 256 << 10
_AT_A_TIME: Final = 16
_REST_S: Final = 600.0
"""For so long a phone that did not answer is not asked again."""


class PhoneWeb:
    """Reads what phones show about their trust lists.

    Args:
        access: What the clients of the cluster share.
        addresses: IP addresses by phone, as RISPort70 gave them; looked into at each question.
    """

    def __init__(self, access: Access, addresses: Mapping[str, str]) -> None:
        self._access = access
        self._addresses = addresses
        self._resting: dict[str, float] = {}
        self._turns = asyncio.Semaphore(_AT_A_TIME)
        # Not used, and cheaper than the default.
        no_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        network = httpx.AsyncHTTPTransport(
            verify=no_tls,
            trust_env=False,
            limits=httpx.Limits(max_connections=_AT_A_TIME, max_keepalive_connections=0),
        )
        self._client = httpx.AsyncClient(
            transport=access.through(NodeEntry(name="phones", address="phones"), network),
            trust_env=False,
            follow_redirects=False,
            timeout=access.look_timeout_s,
            headers={"User-Agent": "cucm-certflow", "Accept-Encoding": "identity"},
        )

    async def aclose(self) -> None:
        """Let go of connections; idempotent."""
        await self._client.aclose()

    async def read(self, phone: str) -> PhoneLists:
        """What *phone* shows. It only looks; cancelling it leaves nothing behind.

        Raises:
            NodeUnreachable: Its address is not known, it does not answer, or did not a while ago.
            NodeFault: It has no such page, or does not let it be read.
            UnknownLayout: Its pages cannot be read.
        """
        address = _valid(self._addresses.get(phone, ""))
        now = self._access.clock.monotonic()
        if not address or self._resting.get(phone, now) > now:
            saw = "it did not answer a while ago" if address else "RISPort70 gave no address of it"
            raise NodeUnreachable(Report(headline=f"{phone} cannot be asked", saw=saw))
        async with self._turns:
            try:
                return await self._read(phone, f"http://{host_of(address)}")
            except (NodeUnreachable, NodeFault):
                self._resting[phone] = self._access.clock.monotonic() + _REST_S
                raise

    async def _read(self, phone: str, base: str) -> PhoneLists:
        pages: list[bytes] = []
        status = 0
        for path in PAGES:
            status, data = await self._get(phone, f"{base}{path}")
            if status == HTTPStatus.OK:
                pages.append(data)
            elif status != HTTPStatus.NOT_FOUND:
                break
        if not pages:
            headline = f"{phone} does not show its log"
            raise NodeFault(Report(headline=headline, did=f"GET {PAGES[0]}", saw=f"HTTP {status}"))
        return lists_from_pages(pages)

    async def _get(self, phone: str, url: str) -> tuple[int, bytes]:
        try:
            async with (
                asyncio.timeout(self._access.look_timeout_s),
                self._client.stream("GET", url) as response,
            ):
                data = bytearray()
                async for chunk in response.aiter_bytes():
                    data += chunk
                    if len(data) > _MAX_BYTES:
                        saw = f"more than {_MAX_BYTES} bytes"
                        raise NodeFault(Report(headline=f"{phone} sends too much", saw=saw))
                return response.status_code, bytes(data)
        except (httpx.TransportError, TimeoutError, OSError) as error:
            headline = f"{phone} does not answer on its web page"
            raise NodeUnreachable(Report(headline=headline, saw=type(error).__name__)) from error


def _valid(address: str) -> str:
    """*address* if it is that of one device; else an empty text."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    return "" if parsed.is_multicast or parsed.is_unspecified or parsed.is_loopback else address
