"""The platform's own REST interface of one node, from 14 on: certificates, trust and requests."""

from __future__ import annotations

import json
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from cucm_certflow.lab.scenario import PlatformSpec
from cucm_certflow.lab.servers import bad_answers
from cucm_certflow.lab.servers.access import account_of, is_expired, page
from cucm_certflow.lab.servers.vos_cli import UNSUCCESSFUL, Desk
from cucm_certflow.names import CertUnit
from cucm_certflow.trust.x509 import fingerprint_of

__all__ = ["PlatformRest"]

_BASE: Final = "/platformcom/api/v1/certmgr/config"
_FIRST_RELEASE: Final = (14, 0)
_READ_AND_WRITE: Final = 1
_UNITS: Final = frozenset(CertUnit)
_TRUST: Final = "-trust"
_DISTRIBUTIONS: Final = ("this-server", "multi-server")
_RSA_BITS: Final = (2048, 3072, 4096)
_CURVES: Final[Mapping[int, type[ec.EllipticCurve]]] = {
    256: ec.SECP256R1,
    384: ec.SECP384R1,
    521: ec.SECP521R1,
}
_HASHES: Final[Mapping[str, type[hashes.SHA256 | hashes.SHA384 | hashes.SHA512]]] = {
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}
_EXPONENT: Final = 65537
_LONGEST_CHAIN: Final = 10

_Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class _Refused(Exception):
    """The node says no: a status, the key under which it says so, and why in the lab's words.

    Clients have met ``message``, ``error`` and ``messages``; which node says which is not known.
    """

    def __init__(self, status: HTTPStatus, key: str, words: str) -> None:
        super().__init__(words)
        self.status = status
        self.key = key
        self.words = words

    def response(self) -> Response:
        body = [self.words] if self.key == "messages" else self.words
        return JSONResponse({self.key: body}, self.status)


def _bad(words: str) -> _Refused:
    return _Refused(HTTPStatus.BAD_REQUEST, "message", words)


def _failed(words: str) -> _Refused:
    """500: what a node is known to answer to certificates that it cannot take."""
    return _Refused(HTTPStatus.INTERNAL_SERVER_ERROR, "messages", words)


class _Pending(NamedTuple):
    """A signing request that waits for its certificate, whose key never leaves the node."""

    pem: str
    public: bytes


_Handler = Callable[[Request], Awaitable[Response]]


class PlatformRest:
    """Certificate management of *node*, about that node alone; below 14 there is none.

    Certificates are those that the node holds, and that it trusts. Signing requests and what is
    uploaded into a trust store are real, and kept here: neither the physics nor the command line
    knows of them. A certificate by a CA is checked and then refused: there is no key for it in the
    lab.

    Wrong passwords do not lock the account, unlike over SSH: whether they do on a real node is not
    known.

    Args:
        desk: The lab.
        node: On which node.
    """

    def __init__(self, desk: Desk, node: str) -> None:
        self._desk = desk
        self._node = node
        self._pending: dict[CertUnit, _Pending] = {}
        self._trust: dict[CertUnit, dict[str, x509.Certificate]] = {}

    def routes(self) -> Sequence[BaseRoute]:
        """Where it is reached; on a real node on port 443, too."""
        if self._desk.cluster.layout.release < _FIRST_RELEASE:
            return ()
        found: list[BaseRoute] = []
        for method, path, handler in (
            ("GET", "/snapshot/server", self._snapshot),
            ("GET", "/identity/certificate", self._identity),
            ("GET", "/identity/certificates", self._identities),
            ("GET", "/trust/certificate", self._trusted),
            ("GET", "/csr", self._request),
            ("POST", "/csr", self._make_request),
            ("POST", "/trust/certificates", self._upload_trust),
            ("POST", "/identity/certificates", self._upload_identity),
        ):
            found.append(Route(f"{_BASE}{path}", self._let_in(handler), methods=[method]))
        found.append(
            Route(
                "/platformcom/api/{rest:path}",
                self._let_in(self._nothing),
                methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            )
        )
        return tuple(found)

    # ── who may come in ───────────────────────────────────────────────────────────────────

    def _let_in(self, handler: _Handler) -> _Handler:
        """*handler* for the platform administrator, who needs privilege 1 to change anything."""
        desk = self._desk

        async def let_in(request: Request) -> Response:
            account = account_of(request, [desk.cluster.scenario.accounts.platform])
            if account is None or is_expired(desk, self._node):
                response = page(HTTPStatus.UNAUTHORIZED, "CMPlatform Realm: not authorized.")
                response.headers["WWW-Authenticate"] = 'Basic realm="CMPlatform Realm"'
                return response
            is_change = request.method not in ("GET", "HEAD")
            if is_change and not _may_write(account):
                words = "privilege 0 may read only"
                return _Refused(HTTPStatus.FORBIDDEN, "error", words).response()

            async def act() -> Response:
                await desk.clock.sleep(desk.cluster.scenario.timing.look_s)
                try:
                    return await handler(request)
                except _Refused as refused:
                    return refused.response()

            return await bad_answers.answer(
                request,
                desk,
                self._node,
                f"{request.method} {request.url.path}",
                act,
                lambda _: _failed(UNSUCCESSFUL).response(),
            )

        return let_in

    async def _nothing(self, request: Request) -> Response:
        """No such path; that nothing can be deleted is because nobody has published how."""
        words = f"no {request.method} {request.url.path:.100}"
        raise _Refused(HTTPStatus.NOT_FOUND, "error", words)

    # ── looking ───────────────────────────────────────────────────────────────────────────

    async def _snapshot(self, request: Request) -> Response:
        book = self._desk.cluster.book
        identities: list[dict[str, str]] = []
        for unit in self._units():
            identity = {"service": unit.value, "certificate": await self._pem(unit)}
            if unit in self._pending:
                identity["csr"] = self._pending[unit].pem
            identities.append(identity)
        stores: dict[str, list[dict[str, str]]] = {}
        for entry in book.entries(self._node):
            pem = (await self._desk.papers.trusted(entry)).pem
            file = {"filename": entry.name, "certificate": pem}
            stores.setdefault(entry.store, []).append(file)
        for unit, uploaded in self._trust.items():
            stores.setdefault(f"{unit.value}{_TRUST}", []).extend(
                {"filename": f"{name[:16]}.pem", "certificate": _pem(certificate)}
                for name, certificate in uploaded.items()
            )
        trusts = [{"service": name, "certificate_data": data} for name, data in stores.items()]
        return JSONResponse(
            {
                "trackingId": request.headers.get("X-Request-ID") or str(uuid.uuid4()),
                "server": self._node,
                "identities": identities,
                "trusts": trusts,
                "revokedCertificates": [],
            }
        )

    async def _identity(self, request: Request) -> Response:
        """Which members the answer has was not seen; those of a snapshot's identity are here."""
        unit = self._asked(request)
        return JSONResponse({"service": unit.value, "certificate": await self._pem(unit)})

    async def _identities(self, request: Request) -> Response:
        unit = self._asked(request)
        return JSONResponse([{"service": unit.value, "certificate": await self._pem(unit)}])

    async def _trusted(self, request: Request) -> Response:
        unit = self._asked(request)
        return JSONResponse([{"certificate": _pem(each)} for each in await self._held(unit)])

    async def _request(self, request: Request) -> Response:
        unit = self._asked(request)
        if unit not in self._pending:
            words = f"no signing request for {unit.value}"
            raise _Refused(HTTPStatus.NOT_FOUND, "message", words)
        return JSONResponse({"service": unit.value, "csr": self._pending[unit].pem})

    # ── changing ──────────────────────────────────────────────────────────────────────────

    async def _make_request(self, request: Request) -> Response:
        body = await _body(request)
        unit = self._unit(body.get("service"))
        name = body.get("commonName")
        if not isinstance(name, str) or not name or body.get("distribution") not in _DISTRIBUTIONS:
            message = "expected a commonName, and a distribution such as this-server"
            raise _bad(message)
        others = body.get("altNames", [])
        if not isinstance(others, list) or not all(isinstance(each, str) for each in others):
            message = "expected a list of names as altNames"
            raise _bad(message)
        make = _key_maker(body.get("keyType", "rsa"), body.get("keyLength"))
        digest = body.get("hashAlgorithm", "sha256")
        if not isinstance(digest, str) or digest.lower() not in _HASHES:
            message = f"expected one of {', '.join(_HASHES)} as hashAlgorithm"
            raise _bad(message)
        algorithm = _HASHES[digest.lower()]()

        def work() -> _Pending:
            key = make()
            builder = x509.CertificateSigningRequestBuilder().subject_name(
                x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
            )
            names = [x509.DNSName(each) for each in dict.fromkeys([name, *others])]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
            made = builder.sign(key, algorithm)
            pem = made.public_bytes(serialization.Encoding.PEM).decode()
            return _Pending(pem, _public(key.public_key()))

        try:
            pending = await self._desk.papers.run(work)
        except ValueError as error:  # a name that no certificate can have
            raise _bad(f"{error}") from error
        self._pending[unit] = pending
        return JSONResponse({"service": unit.value, "csr": pending.pem})

    async def _upload_trust(self, request: Request) -> Response:
        body = await _body(request)
        services = body.get("service")
        if not isinstance(services, list) or not services:
            message = "expected a list of services as service"
            raise _bad(message)
        units = [self._unit(each) for each in services]
        certificates = _certificates(body)
        for unit in units:
            held = self._trust.setdefault(unit, {})
            held.update((_fingerprint(each), each) for each in certificates)
        return JSONResponse({"message": "Certificates were added"}, HTTPStatus.CREATED)

    async def _upload_identity(self, request: Request) -> Response:
        body = await _body(request)
        service = body.get("service")
        if not isinstance(service, str):
            message = "expected one service as service, not a list"
            raise _bad(message)
        unit = self._unit(service)
        leaf = _certificates(body)[0]
        pending = self._pending.get(unit)
        if pending is None:
            message = f"there is no signing request for {unit.value}"
            raise _failed(message)
        if _public(leaf.public_key()) != pending.public:
            message = "the key of the certificate is not that of the signing request"
            raise _failed(message)
        self._check_chain(unit, leaf, await self._held(unit))
        message = (
            "the certificate is right, but a lab's node cannot take one that comes from outside: "
            "nothing was changed"
        )
        raise _failed(message)

    async def _held(self, unit: CertUnit) -> tuple[x509.Certificate, ...]:
        """What is in the trust store of *unit*."""
        store = f"{unit.value}{_TRUST}"
        entries = self._desk.cluster.book.entries(self._node)
        found = [
            (await self._desk.papers.trusted(entry)).certificate
            for entry in entries
            if entry.store == store
        ]
        return (*found, *self._trust.get(unit, {}).values())

    def _check_chain(
        self, unit: CertUnit, leaf: x509.Certificate, held: Sequence[x509.Certificate]
    ) -> None:
        """Every issuer, up to one that signed itself, is in the trust store already.

        Raises:
            _Refused: One is not.
        """
        current = leaf
        for _ in range(_LONGEST_CHAIN):
            issuer = next((each for each in held if _issued(current, by=each)), None)
            if issuer is None:
                issuer_name = current.issuer.rfc4514_string()
                message = f"{issuer_name:.100} is not in the trust store of {unit.value}"
                raise _failed(message)
            if _issued(issuer, by=issuer):
                return
            current = issuer
        message = f"expected a chain of {_LONGEST_CHAIN} certificates or less"
        raise _failed(message)

    # ── small things ──────────────────────────────────────────────────────────────────────

    def _units(self) -> list[CertUnit]:
        names = self._desk.cluster.book.units(self._node)
        return [CertUnit(name) for name in names if name in _UNITS]

    def _asked(self, request: Request) -> CertUnit:
        return self._unit(request.query_params.get("service"))

    def _unit(self, name: object) -> CertUnit:
        for unit in self._units():
            if name == unit.value:
                return unit
        message = f"expected a service that has a certificate on {self._node}"
        raise _bad(message)

    async def _pem(self, unit: CertUnit) -> str:
        cert = self._desk.cluster.certificate(self._node, unit)
        return (await self._desk.papers.certificate(cert)).pem


def _may_write(account: PlatformSpec) -> bool:
    return account.privilege >= _READ_AND_WRITE


async def _body(request: Request) -> Mapping[str, object]:
    try:
        body = json.loads(await request.body())
    except ValueError:  # UnicodeDecodeError is one, too
        body = None
    if not isinstance(body, dict):
        message = "expected a JSON object"
        raise _bad(message)
    return body


def _certificates(body: Mapping[str, object]) -> list[x509.Certificate]:
    texts = body.get("certificates")
    if not isinstance(texts, list) or not texts or not all(isinstance(t, str) for t in texts):
        message = "expected a list of certificates in PEM as certificates"
        raise _bad(message)
    try:
        found = [x509.load_pem_x509_certificate(text.encode()) for text in texts]
        for each in found:
            each.public_key()
    except (ValueError, UnsupportedAlgorithm):
        message = "a certificate cannot be read"
        raise _failed(message) from None
    return found


def _key_maker(kind: object, length: object) -> Callable[[], _Key]:
    match kind:
        case "rsa":
            bits = 2048 if length is None else length
            if isinstance(bits, int) and bits in _RSA_BITS:
                return partial(rsa.generate_private_key, _EXPONENT, bits)
        case "ec":
            bits = 384 if length is None else length
            if isinstance(bits, int) and bits in _CURVES:
                return partial(ec.generate_private_key, _CURVES[bits]())
        case _:
            pass
    message = "expected keyType rsa or ec, and a keyLength that goes with it"
    raise _bad(message)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _fingerprint(certificate: x509.Certificate) -> str:
    return fingerprint_of(certificate.public_bytes(serialization.Encoding.DER))


def _public(key: object) -> bytes:
    """What two keys have in common if they are the same; nothing for other kinds of keys."""
    if not isinstance(key, (rsa.RSAPublicKey, ec.EllipticCurvePublicKey)):
        return b""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.DER, form)


def _issued(certificate: x509.Certificate, *, by: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(by)
    except (InvalidSignature, TypeError, ValueError):
        return False
    return True
