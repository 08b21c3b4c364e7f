"""AXL, on the publisher: reading the database, and resetting phones one by one."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from typing import Final

import httpx

from cucm_certflow.clock import Clock, SystemClock
from cucm_certflow.errors import NodeUnreachable, RateLimited, Report, UnknownLayout
from cucm_certflow.inventory import Account, NodeEntry
from cucm_certflow.transports.breaker import Breaker
from cucm_certflow.transports.pins import WEB_PORT, Pins
from cucm_certflow.transports.soap import (
    Login,
    NotSent,
    SoapChannel,
    WrongVersion,
    child,
    children,
    envelope,
    local_name,
    sequence,
    text_of,
)

__all__ = ["AxlClient"]

_NAMESPACE: Final = "http://www.cisco.com/AXL/API/{}"
_VERSION: Final = re.compile(r"\d{1,2}\.\d{1,2}")
_ROLE: Final = "Standard AXL API Access"


class AxlClient:
    """Speaks AXL to one node, which has to be the publisher.

    Args:
        node: Its name is that of its pins.
        account: The application user.
        pins: Who the node must prove to be.
        breaker: Shared by all ways to the cluster.
        version: AXL's schema version to begin with, for example 11.5. A node speaks its own and
            two majors before it; one that does not speak this one says what it speaks, and the
            newest of that is taken.
        port: Where AXL is reached; the pin is that of 8443 all the same.
        timeout_s: Real seconds for one request.
        retry_pause_s: Seconds of *clock* before a question that was throttled is put again.
        clock: What measures the pause.
        legacy: As for :func:`~cucm_certflow.transports.pins.plain_context`.
        transport: Instead of the network; for tests.
    """

    def __init__(
        self,
        node: NodeEntry,
        account: Account,
        *,
        pins: Pins,
        breaker: Breaker,
        version: str = "11.5",
        port: int = WEB_PORT,
        timeout_s: float = 60.0,
        retry_pause_s: float = 5.0,
        clock: Clock | None = None,
        connections: int = 8,
        legacy: bool = False,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        if _VERSION.fullmatch(version) is None:
            message = f"expected an AXL version such as 11.5, saw {version!r}"
            raise ValueError(message)
        self.schema_version = version
        self._agreed = False
        self._clock = clock or SystemClock()
        self._retry_pause_s = retry_pause_s
        self._channel = SoapChannel(
            f"https://{host_of(node.address)}:{port}/axl/",
            node.name,
            Login(account, breaker),
            pins=pins,
            role=_ROLE,
            timeout_s=timeout_s,
            connections=connections,
            legacy=legacy,
            transport=transport,
        )

    async def aclose(self) -> None:
        """Let go of connections; idempotent."""
        await self._channel.aclose()

    async def sql(self, query: str) -> list[dict[str, str]]:
        """The rows that *query* selects; a column that is null is an empty text.

        Asked again once if the node is busy. Cancelling it leaves nothing behind.

        Raises:
            NodeError: As :meth:`SoapChannel.call <cucm_certflow.transports.soap.SoapChannel.call>`.
        """
        did = f"executeSQLQuery: {query[:120]}"
        answer = await self._ask("executeSQLQuery", [("sql", query)], did)
        rows = self._returned(answer, "executeSQLQuery")
        return [
            {local_name(column): (column.text or "").strip() for column in row}
            for row in children(rows, "row")
        ]

    async def reset_phone(self, name: str, *, hard: bool = True) -> None:
        """Have the phone called *name* reset (``doDeviceReset``), or only restarted.

        Sent once, after the node's AXL version is known. A return says that the node took the
        request, not that the phone came back.

        Raises:
            NodeError: As for :meth:`sql`. NotSent, RateLimited and NodeFault mean that it was
                not done; after NodeUnreachable or UnknownLayout it may have been.
        """
        fields = [("deviceName", name), ("isHardReset", "true" if hard else "false")]
        envelope(self._request("doDeviceReset", fields))  # ValueError before anything is sent
        if not self._agreed:
            try:
                await self.version()
            except (NodeUnreachable, UnknownLayout) as error:
                # Only a question was lost: of the reset nothing was sent.
                raise NotSent(error.report) from error
        answer = await self._send("doDeviceReset", fields, f"reset {name}")
        self._returned(answer, "doDeviceReset")

    async def version(self) -> str:
        """The node's own version, for example ``11.5.1.12900(21)``."""
        answer = await self._ask("getCCMVersion", [], "getCCMVersion")
        returned = self._returned(answer, "getCCMVersion")
        version = text_of(child(returned, "componentVersion"), "version")
        if not version:
            raise UnknownLayout(
                Report(
                    headline=f"{self._channel.where} did not say its version",
                    expected="return/componentVersion/version",
                )
            )
        return version

    def _request(self, operation: str, fields: Sequence[tuple[str, str]]) -> ET.Element:
        # The operation is qualified, its children are not; both as in the schema.
        request = ET.Element(f"{{{_NAMESPACE.format(self.schema_version)}}}{operation}")
        sequence(request, fields)
        return request

    async def _send(
        self, operation: str, fields: Sequence[tuple[str, str]], did: str
    ) -> ET.Element:
        action = f"CUCM:DB ver={self.schema_version} {operation}"
        answer = await self._channel.call(action, self._request(operation, fields), did=did)
        self._agreed = True
        return answer

    async def _ask(self, operation: str, fields: Sequence[tuple[str, str]], did: str) -> ET.Element:
        """Send a question; once more if the node is busy, or speaks another version."""
        try:
            return await self._send(operation, fields, did)
        except RateLimited:
            await self._clock.sleep(self._retry_pause_s)
        except WrongVersion as error:
            if not error.speaks:
                raise
            self.schema_version = max(error.speaks, key=_in_order)
        return await self._send(operation, fields, did)

    def _returned(self, answer: ET.Element, operation: str) -> ET.Element:
        returned = child(answer, "return")
        if local_name(answer) != f"{operation}Response" or returned is None:
            raise UnknownLayout(
                Report(
                    headline=f"{self._channel.where} answered in a form that we cannot read",
                    expected=f"{operation}Response with a return",
                    saw=local_name(answer),
                )
            )
        return returned


def _in_order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def host_of(address: str) -> str:
    """*address* as it stands in a URL: IPv6 in brackets."""
    return f"[{address}]" if ":" in address and not address.startswith("[") else address
