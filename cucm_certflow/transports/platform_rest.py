"""Platform REST (14 and later): what certificates a node holds, and the parts of a signing request.

Every node answers for itself and wants the platform account with each request. No endpoint is
known that regenerates a certificate or deletes one, so nothing of a run is done over it.
"""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Final, NoReturn
from urllib.parse import quote
from uuid import uuid4

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from cucm_certflow.commands import Command, Reply, ReplyKind
from cucm_certflow.errors import NodeFault, Report, UnknownLayout
from cucm_certflow.facts import (
    Certificate,
    CertificateFile,
    CertificateOf,
    Fact,
    Query,
    TrustEntry,
    TrustStores,
    UnitsOn,
    Unknown,
)
from cucm_certflow.inventory import NodeEntry
from cucm_certflow.names import CertUnit, Interface
from cucm_certflow.transports.access import Access
from cucm_certflow.transports.base import look, short
from cucm_certflow.transports.http import Answer, HttpChannel, Login
from cucm_certflow.transports.json_answers import JsonValue, load_json
from cucm_certflow.transports.snapshots import (
    Identity,
    Snapshot,
    certificate_in,
    identities_in,
    snapshot_in,
)
from cucm_certflow.trust.x509 import certificate_from_pem

__all__ = ["PlatformRestClient", "PlatformRestTransport"]

_PATH: Final = "/platformcom/api/v1/certmgr/config"
_READ: Final = "platform account privilege level 0"
_WRITE: Final = "platform account privilege level 1"
_MAX_WORDS: Final = 4


class PlatformRestClient:
    """Speaks to the platform REST interface of one node.

    Each request carries an ``X-Request-ID`` of its own, which errors name: it is what to look for
    in the node's logs.

    Args:
        node: Its name is that of its pins; its platform account, or that of the inventory, is used.
        access: What the clients of the cluster share.
    """

    def __init__(self, node: NodeEntry, access: Access) -> None:
        self._channel = HttpChannel(
            node,
            _PATH,
            Login(node.platform or access.inventory.platform, access.breaker, "platform"),
            access=access,
            interface=Interface.PLATFORM_REST,
            role=_READ,
            port=node.rest_port,
            sessions=False,
        )
        self._where = self._channel.where

    async def aclose(self) -> None:
        """Let go of connections; idempotent."""
        await self._channel.aclose()

    # ── reading ───────────────────────────────────────────────────────────────────────────

    async def snapshot(self) -> Snapshot:
        """Everything that the node holds.

        Raises:
            NodeFault: The node answered with an error of its own, or has no such interface.
            UnknownLayout: The answer, or one of the certificates in it, cannot be read.
            NodeError: As :meth:`HttpChannel.send <cucm_certflow.transports.http.HttpChannel.send>`.

        Cancelling it leaves nothing behind.
        """
        return snapshot_in(await self._server())

    async def identities(self) -> tuple[Identity, ...]:
        """The units of the node, from its snapshot; what it trusts is not read.

        Raises:
            NodeError: As :meth:`snapshot`.
        """
        return identities_in(await self._server())

    async def identity(self, unit: CertUnit) -> Certificate:
        """The identity certificate of *unit*, from the endpoint for one.

        That the endpoint exists is known, its answer is not: an object with a ``certificate`` is
        assumed, as the snapshot has it. For what must be right ask :meth:`identities`.

        Raises:
            NodeError: As :meth:`snapshot`; NodeFault also if there is none.
        """
        answer = await self._get(f"/identity/certificate?service={quote(unit.value)}")
        return certificate_in(answer.member("certificate"))

    async def trust(self, unit: CertUnit) -> tuple[Certificate, ...]:
        """What the node trusts for *unit*; two forms of the answer are known, and both are read.

        Raises:
            NodeError: As :meth:`snapshot`.
        """
        answer = await self._get(f"/trust/certificate?service={quote(unit.value)}")
        held = answer if answer.is_list else answer.member("certificates")
        return tuple(
            certificate_in(each if each.is_text else each.member("certificate"))
            for each in held.items()
        )

    async def csr_present(self, unit: CertUnit) -> bool:
        """Whether the node holds a signing request for *unit* that waits for its certificate.

        It is read from the snapshot: what ``GET /csr`` answers, no source shows.

        Raises:
            NodeError: As :meth:`snapshot`; NodeFault also if the node lists no such unit.
        """
        return self._one(await self.identities(), unit).csr

    async def certificate(self, unit: CertUnit) -> Certificate:
        """The identity certificate of *unit*, from the snapshot, whose form is known.

        Raises:
            NodeError: As :meth:`snapshot`; NodeFault also if the node has none.
        """
        found = self._one(await self.identities(), unit).certificate
        if found is None:
            raise self._lacks(unit)
        return found

    async def certificate_pem(self, unit: CertUnit) -> str:
        """As :meth:`certificate`, its PEM; NodeError as there."""
        found = self._one(await self.identities(), unit).pem
        if not found:
            raise self._lacks(unit)
        return found

    async def trust_entries(self) -> tuple[TrustEntry, ...]:
        """Everything that the node trusts, store by store, from the snapshot.

        Raises:
            NodeError: As :meth:`snapshot`; UnknownLayout also if there is nothing at all, since a
                node always trusts somebody.
        """
        answer = await self._server()
        found = tuple(entry for trust in snapshot_in(answer).trusts for entry in trust.entries)
        if not found:
            answer.member("trusts").refuse("what the node trusts", "no certificate in any store")
        return found

    # ── writing ───────────────────────────────────────────────────────────────────────────

    async def create_csr(
        self,
        unit: CertUnit,
        common_name: str,
        alt_names: Sequence[str] = (),
        *,
        key_bits: int | None = 2048,
    ) -> str:
        """Have the node make a key and a signing request for *unit*, for itself alone; its PEM.

        The certificate stays what it is until one for this request is uploaded. A request that was
        there before is replaced.

        Args:
            unit: Whose key.
            common_name: Of the subject.
            alt_names: DNS names; those of the node's own choice if there are none.
            key_bits: Length of an RSA key. None leaves key and digest to the node: how an EC key is
                asked for, no source says.

        Raises:
            ValueError: *common_name* is empty, or an EC unit got *key_bits*. Nothing was sent.
            RoleMissing: The account has privilege level 0. Nothing was done.
            NodeFault: The node refused.
            UnknownLayout: The answer holds no request that can be read; one may have been made.
            NodeError: As :meth:`HttpChannel.send <cucm_certflow.transports.http.HttpChannel.send>`.

        Cancelling it leaves it in doubt.
        """
        if not common_name.strip():
            message = "expected a common name, saw none"
            raise ValueError(message)
        if key_bits is not None and unit.value.endswith("-ECDSA"):
            message = f"{unit} has an EC key: key_bits must be None, saw {key_bits}"
            raise ValueError(message)
        body: dict[str, object] = {
            "service": unit.value,
            "distribution": "this-server",
            "commonName": common_name,
        }
        if key_bits is not None:
            body |= {"keyType": "rsa", "keyLength": key_bits, "hashAlgorithm": "sha256"}
        if alt_names:
            body["altNames"] = list(alt_names)
        request = _Request("POST", "/csr", f"of {unit}")
        item = self._read(await self._send(request, body), request)
        pem = item.text("csr")
        if not _is_signing_request(pem):
            item.refuse("the PEM of a signing request, signed by its own key", "another text")
        return pem

    async def upload_identity(self, unit: CertUnit, chain: Sequence[str]) -> None:
        """Give the node the certificate that it asked for, and those above it.

        The issuers must be in the node's trust store before, or it refuses. Success uses up the
        signing request. The service goes on with the old certificate until it is restarted.

        Args:
            unit: Whose certificate.
            chain: PEM, one certificate in each: leaf, intermediates, root.

        Raises:
            ValueError: *chain* is empty, or one of it is no certificate. Nothing was sent.
            RoleMissing: The account has privilege level 0. Nothing was done.
            NodeFault: The node refused: a leaf whose key is not that of the pending request gives
                HTTP 500.
            NodeError: As :meth:`HttpChannel.send <cucm_certflow.transports.http.HttpChannel.send>`.

        Cancelling it leaves it in doubt.
        """
        body: dict[str, object] = {"service": unit.value, "certificates": _checked(chain)}
        await self._send(_Request("POST", "/identity/certificates", f"for {unit}"), body)

    async def upload_trust(
        self, units: Sequence[CertUnit], certificates: Sequence[str], description: str
    ) -> None:
        """Put *certificates* into the trust stores of *units*.

        Args:
            units: For which; not empty.
            certificates: PEM, one certificate in each; not empty.
            description: What the node shows with them.

        Raises:
            ValueError: There are no units or certificates, or one is none. Nothing was sent.
            RoleMissing: The account has privilege level 0. Nothing was done.
            NodeFault: The node refused.
            NodeError: As :meth:`HttpChannel.send <cucm_certflow.transports.http.HttpChannel.send>`.

        Cancelling it leaves it in doubt.
        """
        if not units:
            message = "expected one unit or more, saw none"
            raise ValueError(message)
        body: dict[str, object] = {
            "service": [unit.value for unit in units],
            "certificates": _checked(certificates),
            "description": description,
        }
        named = ", ".join(units)
        await self._send(_Request("POST", "/trust/certificates", f"for {named}"), body)

    # ── one request ───────────────────────────────────────────────────────────────────────

    async def _server(self) -> JsonValue:
        return await self._get("/snapshot/server")

    async def _get(self, target: str) -> JsonValue:
        request = _Request("GET", target)
        return self._read(await self._send(request), request)

    async def _send(self, request: _Request, body: Mapping[str, object] | None = None) -> Answer:
        headers = {"Accept": "application/json", "X-Request-ID": request.id}
        if body is not None:
            headers["Content-Type"] = "application/json"
        answer = await self._channel.send(
            request.method,
            did=request.did,
            target=request.target,
            content=None if body is None else json.dumps(body).encode(),
            headers=headers,
            role=_READ if body is None else _WRITE,
        )
        if answer.status in (HTTPStatus.OK, HTTPStatus.CREATED):
            if answer.data.lstrip()[:1] == b"<":  # a page for people, a login for example
                self._refuse(request, "JSON, or nothing", self._channel.words(answer.data))
            return answer
        said = self._said(answer.data)
        raise NodeFault(
            Report(
                headline=f"{self._where} answered with an error",
                did=request.did,
                saw=f"HTTP {answer.status}: {said}" if said else f"HTTP {answer.status}",
                left=request.left,
            )
        )

    def _said(self, data: bytes) -> str:
        """The words of an error: those of its known keys, or of whatever it is."""
        try:
            answer = load_json(data)
        except ValueError:
            answer = None
        words = list(_words(answer)) if isinstance(answer, dict) else []
        said = " · ".join(words[:_MAX_WORDS]).encode() if words else data
        return self._channel.words(said)

    def _refuse(self, request: _Request, expected: str, saw: str) -> NoReturn:
        raise UnknownLayout(
            Report(
                headline=f"{self._where} answered in a form that we cannot read",
                did=request.did,
                expected=expected,
                saw=self._channel.login.redact(saw),
                left=request.left,
            )
        )

    def _read(self, answer: Answer, request: _Request) -> JsonValue:
        def refuse(expected: str, saw: str) -> NoReturn:
            self._refuse(request, expected, saw)

        try:
            value = load_json(answer.data)
        except ValueError as error:
            begins = self._channel.words(answer.data)
            kind = answer.headers.get("Content-Type", "no content type")
            refuse("JSON", f"{kind[:40]}, {error}; it begins {begins!r}"[:400])
        return JsonValue("answer", value, refuse)

    def _one(self, found: Sequence[Identity], unit: CertUnit) -> Identity:
        for each in found:
            if each.unit == unit:
                return each
        raise self._lacks(unit)

    def _lacks(self, unit: CertUnit) -> NodeFault:
        named = f"{self._where} lists no certificate of {unit}"
        return NodeFault(Report(headline=named, did="GET /snapshot/server"))


class PlatformRestTransport:
    """What each node of a cluster holds, as its platform REST interface says.

    Args:
        access: What the clients of the cluster share.
    """

    interface: Final = Interface.PLATFORM_REST

    def __init__(self, access: Access) -> None:
        self._access = access
        self._nodes = {node.name: node for node in access.inventory.nodes}
        self._clients: dict[str, PlatformRestClient] = {}

    def client(self, node: str) -> PlatformRestClient:
        """The client for the node called *node*; KeyError if the inventory has none."""
        if node not in self._clients:
            self._clients[node] = PlatformRestClient(self._nodes[node], self._access)
        return self._clients[node]

    def supports(self, what: Query | Command) -> bool:
        """Whether *what* is about the certificates of a known node; it sends nothing."""
        return (
            isinstance(what, CertificateOf | CertificateFile | UnitsOn | TrustStores)
            and what.node in self._nodes
        )

    async def observe(self, query: Query) -> Fact:
        """Ask; see :class:`~cucm_certflow.transports.base.Transport`."""
        clock = self._access.clock
        match query:
            case CertificateOf(node, unit) if node in self._nodes:
                return await look(
                    clock, self._by(node), lambda: self.client(node).certificate(unit)
                )
            case UnitsOn(node) if node in self._nodes:
                return await look(clock, self._by(node), lambda: self._units(node))
            case CertificateFile(node, unit) if node in self._nodes:
                return await look(
                    clock, self._by(node), lambda: self.client(node).certificate_pem(unit)
                )
            case TrustStores(node) if node in self._nodes:
                return await look(clock, self._by(node), lambda: self.client(node).trust_entries())
            case _:
                reason = f"{self.interface} does not answer {query}"
                return Unknown(reason, clock.now(), self.interface)

    async def perform(self, command: Command) -> Reply:
        """No command goes this way: REFUSED, and nothing was sent."""
        return Reply(ReplyKind.REFUSED, f"{self.interface} cannot do: {command}", sent=False)

    async def aclose(self) -> None:
        """Let go of connections; idempotent."""
        clients, self._clients = self._clients, {}
        await asyncio.gather(*(client.aclose() for client in clients.values()))

    def _by(self, node: str) -> str:
        return f"{self.interface} {node}"

    async def _units(self, node: str) -> tuple[str, ...]:
        found = await self.client(node).identities()
        return tuple(each.unit for each in found if each.certificate is not None)


# ── parts ─────────────────────────────────────────────────────────────────────────────────


class _Request:
    """One request, and how errors name it."""

    def __init__(self, method: str, target: str, what: str = "") -> None:
        self.id = str(uuid4())
        self.method = method
        self.target = target
        words = (method, target, what)
        self.did = f"{' '.join(word for word in words if word)} (X-Request-ID {self.id})"

    @property
    def left(self) -> str:
        """What state the node may be in after an error."""
        if self.method == "GET":
            return "nothing was done: it only looked"
        return "it arrived, and may have been done: look before it is sent again"


def _is_signing_request(pem: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return x509.load_pem_x509_csr(pem.encode()).is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False


def _words(answer: Mapping[str, object], *, deeper: bool = True) -> Iterator[str]:
    """What an error says: a text, or a list of texts or of objects that have one."""
    for key in ("message", "error", "messages"):
        said = answer.get(key)
        for each in said if isinstance(said, list) else [said]:
            if isinstance(each, dict) and deeper:
                yield from _words(each, deeper=False)
            elif isinstance(each, str) and each.strip():
                yield each.strip()


def _checked(certificates: Sequence[str]) -> list[str]:
    """*certificates* as they are sent.

    Raises:
        ValueError: There is none, or one is no certificate.
    """
    if not certificates:
        message = "expected one certificate or more, saw none"
        raise ValueError(message)
    for place, pem in enumerate(certificates):
        try:
            certificate_from_pem(pem)
        except UnknownLayout as error:
            message = f"certificates[{place}]: {short(error)}"
            raise ValueError(message) from error
    return [pem.strip() for pem in certificates]
