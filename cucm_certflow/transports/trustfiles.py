"""Trust lists as each TFTP node serves them to phones, over HTTP on port 6970.

The bytes are what counts: they are exactly what a phone that comes now would load. The way is
neither encrypted nor authenticated; who signed the list is for its reader to judge.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from http import HTTPStatus
from typing import Final, NoReturn

import httpx

from cucm_certflow.commands import Command, Reply, ReplyKind
from cucm_certflow.errors import NodeFault, NodeUnreachable, RateLimited, Report, UnknownLayout
from cucm_certflow.facts import (
    ConfigurationSigner,
    Fact,
    ListFile,
    ListView,
    Query,
    ServedList,
    Unknown,
)
from cucm_certflow.inventory import NodeEntry
from cucm_certflow.names import Interface, ListKind
from cucm_certflow.transports.access import Access, host_of
from cucm_certflow.transports.base import look
from cucm_certflow.trust.lists import parse_list, view_of
from cucm_certflow.trust.signed import signer_serial

__all__ = ["TrustFileClient", "TrustFileTransport", "file_name"]

_MAX_BYTES: Final = 4 << 20
"""A list of 21 nodes is about 50 kB."""
_PHONE: Final = re.compile(r"SEP[0-9A-F]{12}")
_BUSY: Final = (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS)
_SHOWN: Final = 240


def file_name(kind: ListKind, phone: str = "") -> str:
    """The name under which the list of *kind* is asked for: the plain one, or that of *phone*.

    A phone asks for ``ITLSEP001122334455.tlv`` (Cisco document 214528). That the bare name
    ``ITLFile.tlv`` is served on 6970 as it is on 6972 is not documented; public tools rely on it.

    Raises:
        ValueError: *phone* is no device name such as ``SEP001122334455``. What devices that are
            called otherwise ask for, no source says.
    """
    if not phone:
        return kind.file_name
    if _PHONE.fullmatch(phone) is None:
        message = f"expected a device name such as SEP001122334455, saw {phone[:80]!r}"
        raise ValueError(message)
    return f"{kind.value}{phone}.tlv"


class TrustFileClient:
    """Loads trust lists from one TFTP node, as a phone does: one connection for each file.

    Args:
        node: The node.
        access: What the clients of the cluster share.
        attempts: How often it asks a busy node, in all; 1 or more.
        pause_s: Seconds between attempts, doubled each time.
    """

    def __init__(
        self, node: NodeEntry, access: Access, *, attempts: int = 4, pause_s: float = 1.0
    ) -> None:
        if attempts < 1:
            message = f"attempts must be 1 or more, saw {attempts}"
            raise ValueError(message)
        self._access = access
        self._attempts = attempts
        self._pause_s = pause_s
        self._base = f"http://{host_of(node.address)}:{access.tftp_port}"
        self._where = f"{node.name} (port {access.tftp_port})"
        # Not used, and cheaper than the default.
        no_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._client = httpx.AsyncClient(
            transport=access.through(
                node,
                httpx.AsyncHTTPTransport(
                    verify=no_tls,
                    trust_env=False,
                    limits=httpx.Limits(max_connections=8, max_keepalive_connections=0),
                ),
            ),
            trust_env=False,
            follow_redirects=False,
            timeout=access.look_timeout_s,
            headers={"User-Agent": "cucm-certflow", "Accept-Encoding": "identity"},
        )

    async def aclose(self) -> None:
        """Let go of connections; idempotent."""
        await self._client.aclose()

    async def fetch(self, kind: ListKind, phone: str = "") -> bytes | None:
        """The list of *kind* that the node serves; None if it has none (404).

        It only looks; cancelling it leaves nothing behind.

        Args:
            kind: Which list.
            phone: The device under whose name it is asked for; the plain name if empty.

        Raises:
            NodeUnreachable: There was no connection, or it broke.
            RateLimited: The node stayed busy (503): also while it searches other clusters.
            NodeFault: It answered with another error.
            UnknownLayout: It answered with something that is no file.
            ValueError: *phone* is no device name. Nothing was sent.
        """
        return await self._fetch(file_name(kind, phone))

    async def _fetch(self, name: str) -> bytes | None:
        status = 0
        for attempt in range(self._attempts):
            if attempt:
                await self._access.clock.sleep(self._pause_s * 2 ** (attempt - 1))
            status, data = await self._get(name)
            match status:
                case HTTPStatus.OK:
                    if not data:
                        self._unknown(name, "an empty file")
                    return data
                case HTTPStatus.NOT_FOUND:
                    return None
                case _ if status in _BUSY:
                    continue
                case _ if status in range(400, 600):
                    headline = f"{self._where} answered with an error"
                    raise NodeFault(
                        Report(headline=headline, did=f"GET /{name}", saw=f"HTTP {status}")
                    )
                case _:
                    self._unknown(name, f"HTTP {status}; redirects are not followed")
        raise RateLimited(
            Report(
                headline=f"{self._where} stayed busy",
                did=f"GET /{name}",
                saw=f"HTTP {status}, {self._attempts} times in a row",
            )
        )

    async def view(self, kind: ListKind, phone: str = "") -> ListView | None:
        """What the list says that :meth:`fetch` loads; None if there is none.

        Raises:
            NodeError: As :meth:`fetch`; UnknownLayout also if it is no list of *kind*, or none that
                is signed as it says.
            ValueError: As :meth:`fetch`.
        """
        data = await self.fetch(kind, phone)
        return None if data is None else view_of(parse_list(data), kind, data)

    async def file(self, kind: ListKind) -> bytes | None:
        """The bytes that :meth:`fetch` loads under the plain name, if :meth:`view` can read them.

        Raises:
            NodeError: As :meth:`view`.
        """
        data = await self.fetch(kind)
        if data is not None:
            view_of(parse_list(data), kind, data)  # what is no list is of no use as one
        return data

    async def signer(self, phone: str) -> str | None:
        """The serial number of who signed the phone's configuration file; None if there is none.

        Raises:
            NodeError: As :meth:`fetch`; UnknownLayout also if it is no signed file.
            ValueError: *phone* is no device name. Nothing was sent.
        """
        if _PHONE.fullmatch(phone) is None:
            message = f"expected a device name such as SEP001122334455, saw {phone[:40]!r}"
            raise ValueError(message)
        data = await self._fetch(f"{phone}.cnf.xml.sgn")
        return None if data is None else signer_serial(data)

    async def _get(self, name: str) -> tuple[int, bytes]:
        timeout_s = self._access.look_timeout_s
        self._access.budgets.note(Interface.TFTP_HTTP)
        try:
            async with (
                asyncio.timeout(timeout_s),
                self._client.stream("GET", f"{self._base}/{name}") as response,
            ):
                if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                    self._unknown(name, "a compressed answer that nobody asked for")
                data = bytearray()
                async for chunk in response.aiter_bytes():
                    data += chunk
                    if len(data) > _MAX_BYTES:
                        self._unknown(name, f"more than {_MAX_BYTES} bytes")
                return response.status_code, bytes(data)
        except (httpx.TransportError, TimeoutError, OSError) as error:
            saw = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            raise NodeUnreachable(
                Report(
                    headline=f"{self._where} could not be read",
                    did=f"GET /{name}",
                    saw=saw[:_SHOWN],
                )
            ) from error

    def _unknown(self, name: str, saw: str) -> NoReturn:
        raise UnknownLayout(
            Report(
                headline=f"{self._where} answered in a form that we cannot read",
                did=f"GET /{name}",
                expected="a trust list, or 404",
                saw=saw,
            )
        )


class TrustFileTransport:
    """The lists that each TFTP node of a cluster serves, under their plain names or a phone's.

    Args:
        access: What the clients of the cluster share.
    """

    interface: Final = Interface.TFTP_HTTP

    def __init__(self, access: Access) -> None:
        self._access = access
        self._nodes = {node.name: node for node in access.inventory.nodes}
        self._clients: dict[str, TrustFileClient] = {}

    def supports(self, what: Query | Command) -> bool:
        """Whether *what* is a list of a known node, for a device whose file has a known name."""
        match what:
            case ServedList(node=node, phone=phone):
                named = not phone or _PHONE.fullmatch(phone) is not None
                return named and node in self._nodes
            case ConfigurationSigner(node=node, phone=phone):
                return node in self._nodes and _PHONE.fullmatch(phone) is not None
            case ListFile(node=node):
                return node in self._nodes
            case _:
                return False

    async def observe(self, query: Query) -> Fact:
        """Ask; see :class:`~cucm_certflow.transports.base.Transport`."""
        asked = (ServedList, ListFile, ConfigurationSigner)
        if not isinstance(query, asked) or not self.supports(query):
            reason = f"{self.interface} does not answer {query}"
            return Unknown(reason, self._access.clock.now(), self.interface)
        client = self._client(query.node)
        by = f"{self.interface} {query.node}"
        match query:
            case ServedList(kind=kind, phone=phone):
                return await look(self._access.clock, by, lambda: client.view(kind, phone))
            case ListFile(kind=kind):
                return await look(self._access.clock, by, lambda: client.file(kind))
            case ConfigurationSigner(phone=phone):
                return await look(self._access.clock, by, lambda: client.signer(phone))

    async def perform(self, command: Command) -> Reply:
        """Nothing is done over this way: REFUSED, and nothing was sent."""
        return Reply(ReplyKind.REFUSED, f"{self.interface} cannot do: {command}", sent=False)

    async def aclose(self) -> None:
        """Let go of connections; idempotent."""
        clients, self._clients = self._clients, {}
        await asyncio.gather(*(client.aclose() for client in clients.values()))

    def _client(self, node: str) -> TrustFileClient:
        if node not in self._clients:
            self._clients[node] = TrustFileClient(self._nodes[node], self._access)
        return self._clients[node]
