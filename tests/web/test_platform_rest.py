"""Platform REST: requests against genuine ones, both forms of answers, and what is no answer."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path

import attrs
import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cucm_certflow.commands import Regenerate, ReplyKind
from cucm_certflow.errors import (
    AuthenticationFailed,
    NodeError,
    NodeFault,
    NodeUnreachable,
    RateLimited,
    RoleMissing,
    UnknownLayout,
)
from cucm_certflow.facts import (
    CertificateFile,
    CertificateOf,
    Known,
    Query,
    ServiceOn,
    TrustEntry,
    TrustStores,
    UnitsOn,
    Unknown,
    Why,
)
from cucm_certflow.inventory import Account, Inventory, NodeEntry
from cucm_certflow.names import CertUnit, Interface, Service
from cucm_certflow.secret import Secret
from cucm_certflow.transports.access import Access
from cucm_certflow.transports.breaker import Breaker
from cucm_certflow.transports.budget import Budgets
from cucm_certflow.transports.http import NotSent
from cucm_certflow.transports.pins import Pins
from cucm_certflow.transports.platform_rest import PlatformRestClient, PlatformRestTransport
from cucm_certflow.transports.snapshots import Identity
from cucm_certflow.trust.x509 import certificate_from_pem, normalised_pem
from tests.web.helpers import ManualClock

pytestmark = pytest.mark.asyncio

PEMS = Path(__file__).parents[1] / "bytes" / "fixtures"
LEAF, OTHER, THIRD = (
    (PEMS / f"{name}.crt.pem").read_text() for name in ("cm-pub-g1", "tvs-pub-g1", "cm-pub-ec384")
)
ROOT = "https://192.0.2.10/platformcom/api/v1/certmgr/config"
PLATFORM = Account("ccmadmin", Secret("os-secret"))
APPLICATION = Account("axluser", Secret("app-secret"))
PUB = NodeEntry(name="cucm-pub", address="192.0.2.10")
OWN = NodeEntry(
    name="cucm-sub",
    address="192.0.2.11",
    platform=Account("subadmin", Secret("sub-secret")),
    rest_port=8443,
)


def signing_request() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cucm.example.com")])
    made = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode()


CSR = signing_request()
SNAPSHOT: dict[str, object] = {
    "trackingId": "1b6c",
    "server": "cucm-pub",
    "identities": [
        {"service": "tomcat", "certificate": LEAF, "csr": CSR},
        {"service": "CallManager-ECDSA", "certificate": THIRD},
        {"service": "a-unit-of-2030", "certificate": OTHER, "csr": ""},
        {"service": "ipsec", "certificate": ""},
        {"service": "CAPF"},
    ],
    "trusts": [
        {
            "service": "tomcat-trust",
            "certificate_data": [
                {"filename": "one.pem", "certificate": LEAF},
                {"filename": "two.pem", "certificate": OTHER},
            ],
        },
        {"service": "CAPF", "certificate_data": []},
    ],
    "revokedCertificates": [],
}


class Server:
    """Stands for the network: answers by *handler* and keeps the requests."""

    def __init__(self, handler: Callable[[httpx.Request], httpx.Response]) -> None:
        self.requests: list[httpx.Request] = []
        self._handler = handler
        clock = ManualClock()
        self.access = Access(
            inventory=Inventory(nodes=(PUB, OWN), platform=PLATFORM, application=APPLICATION),
            clock=clock,
            pins=Pins(),
            breaker=Breaker(),
            budgets=Budgets(clock),
            wire=lambda node, network: httpx.MockTransport(self._answer),
        )

    @property
    def client(self) -> PlatformRestClient:
        return PlatformRestClient(PUB, self.access)

    @property
    def transport(self) -> PlatformRestTransport:
        return PlatformRestTransport(self.access)

    @property
    def body(self) -> object:
        return json.loads(self.requests[-1].content)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self._handler(request)


def answering(status: int, body: object = b"", **headers: str) -> Server:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Server(lambda _: httpx.Response(status, content=content, headers=headers))


# ── reading ───────────────────────────────────────────────────────────────────────────────


async def test_a_snapshot_is_read_as_others_read_it() -> None:
    server = answering(200, SNAPSHOT)
    snapshot = await server.client.snapshot()
    assert snapshot.server == "cucm-pub"
    assert snapshot.identities == (
        Identity(unit="tomcat", certificate=certificate_from_pem(LEAF), pem=LEAF, csr=True),
        Identity(unit="CallManager-ECDSA", certificate=certificate_from_pem(THIRD), pem=THIRD),
        Identity(unit="a-unit-of-2030", certificate=certificate_from_pem(OTHER), pem=OTHER),
        Identity(unit="ipsec", certificate=None),
        Identity(unit="CAPF", certificate=None),
    )
    assert [(each.unit, len(each.certificates)) for each in snapshot.trusts] == [
        ("tomcat", 2),
        ("CAPF", 0),
    ]
    assert snapshot.trusts[0].certificates[1] == certificate_from_pem(OTHER)
    request = server.requests[0]
    assert (request.method, str(request.url)) == ("GET", f"{ROOT}/snapshot/server")
    assert server.access.budgets.spent == {Interface.PLATFORM_REST: 1}


async def test_each_request_logs_in_as_the_platform_account_of_its_node_and_is_named() -> None:
    server = Server(
        lambda _: httpx.Response(
            200,
            json=SNAPSHOT,
            headers={"Set-Cookie": "JSESSIONIDSSO=1; path=/; Secure; HttpOnly"},
        )
    )
    client = PlatformRestClient(OWN, server.access)
    for _ in range(2):
        await client.identities()
    await client.aclose()
    await client.aclose()
    credentials = base64.b64encode(b"subadmin:sub-secret").decode()
    for request in server.requests:
        assert request.headers["Authorization"] == f"Basic {credentials}"
        assert "Cookie" not in request.headers
        assert request.url.host == "192.0.2.11"
        assert request.url.port == 8443
    ids = {str(uuid.UUID(request.headers["X-Request-ID"])) for request in server.requests}
    assert len(ids) == 2


@pytest.mark.parametrize(
    "answer",
    [
        [{"certificate": LEAF}, {"certificate": OTHER, "filename": "other.pem"}],
        {"certificates": [{"certificate": LEAF}, {"certificate": OTHER}]},
        {"certificates": [LEAF, OTHER]},
        [f"  {LEAF}\n", OTHER],
    ],
    ids=["list", "object", "object-of-texts", "texts"],
)
async def test_every_known_form_of_a_trust_store_is_read(answer: object) -> None:
    server = answering(200, answer)
    found = await server.client.trust(CertUnit.TOMCAT_ECDSA)
    assert found == (certificate_from_pem(LEAF), certificate_from_pem(OTHER))
    assert str(server.requests[0].url) == f"{ROOT}/trust/certificate?service=tomcat-ECDSA"


async def test_an_empty_trust_store_is_an_answer() -> None:
    assert await answering(200, []).client.trust(CertUnit.TVS) == ()
    assert await answering(200, {"certificates": []}).client.trust(CertUnit.TVS) == ()


async def test_one_identity_can_be_asked_for() -> None:
    server = answering(200, {"service": "TVS", "certificate": OTHER})
    assert await server.client.identity(CertUnit.TVS) == certificate_from_pem(OTHER)
    assert str(server.requests[0].url) == f"{ROOT}/identity/certificate?service=TVS"


async def test_a_pending_request_is_seen_in_the_snapshot() -> None:
    client = answering(200, SNAPSHOT).client
    assert await client.csr_present(CertUnit.TOMCAT)
    assert not await client.csr_present(CertUnit.CALLMANAGER_ECDSA)
    assert not await client.csr_present(CertUnit.IPSEC)
    with pytest.raises(NodeFault, match="lists no certificate of TVS"):
        await client.csr_present(CertUnit.TVS)


# ── writing ───────────────────────────────────────────────────────────────────────────────


async def test_a_signing_request_is_asked_for_as_a_client_in_use_does() -> None:
    """The body is that of api-certmgr-req-csr, which a public client emitted."""
    server = answering(200, {"csr": CSR})
    made = await server.client.create_csr(
        CertUnit.TOMCAT, "cucm.example.com", ["cucm.example.com"], key_bits=2048
    )
    assert made == CSR.strip()
    request = server.requests[0]
    assert (request.method, str(request.url)) == ("POST", f"{ROOT}/csr")
    assert request.headers["Content-Type"] == "application/json"
    assert server.body == {
        "service": "tomcat",
        "distribution": "this-server",
        "commonName": "cucm.example.com",
        "keyType": "rsa",
        "keyLength": 2048,
        "hashAlgorithm": "sha256",
        "altNames": ["cucm.example.com"],
    }


async def test_a_signing_request_for_an_ec_key_leaves_the_key_to_the_node() -> None:
    server = answering(201, {"csr": CSR})
    await server.client.create_csr(CertUnit.TOMCAT_ECDSA, "cucm.example.com", key_bits=None)
    assert server.body == {
        "service": "tomcat-ECDSA",
        "distribution": "this-server",
        "commonName": "cucm.example.com",
    }


async def test_a_chain_is_uploaded_for_one_service() -> None:
    """The body is that of api-certmgr-req-identity-chain: service is a text."""
    server = answering(201, b"")
    await server.client.upload_identity(CertUnit.TOMCAT, [LEAF, f"{OTHER}\n"])
    assert str(server.requests[0].url) == f"{ROOT}/identity/certificates"
    assert server.body == {"service": "tomcat", "certificates": [LEAF.strip(), OTHER.strip()]}


async def test_trust_is_uploaded_for_several_services() -> None:
    """Here service is a list (web interfaces §1)."""
    server = answering(200, b"stored")
    await server.client.upload_trust(
        [CertUnit.TOMCAT, CertUnit.CALLMANAGER], [OTHER], "root of 2026"
    )
    assert str(server.requests[0].url) == f"{ROOT}/trust/certificates"
    assert server.body == {
        "service": ["tomcat", "CallManager"],
        "certificates": [OTHER.strip()],
        "description": "root of 2026",
    }


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.create_csr(CertUnit.TOMCAT, " "),
        lambda client: client.create_csr(CertUnit.TOMCAT_ECDSA, "a.example"),
        lambda client: client.upload_identity(CertUnit.TOMCAT, []),
        lambda client: client.upload_identity(CertUnit.TOMCAT, [LEAF + OTHER]),
        lambda client: client.upload_identity(CertUnit.TOMCAT, [CSR]),
        lambda client: client.upload_trust([], [LEAF], ""),
        lambda client: client.upload_trust([CertUnit.TOMCAT], ["no certificate"], ""),
    ],
    ids=["no-name", "bits-of-ec", "nothing", "two-in-one", "a-request", "no-unit", "rubbish"],
)
async def test_what_is_wrong_on_our_side_is_never_sent(
    ask: Callable[[PlatformRestClient], Awaitable[object]],
) -> None:
    server = answering(200, {"csr": CSR})
    with pytest.raises(ValueError, match=r"expected|must be None|certificates\[0\]"):
        await ask(server.client)
    assert server.requests == []


WRITES: list[Callable[[PlatformRestClient], Awaitable[object]]] = [
    lambda client: client.create_csr(CertUnit.TOMCAT, "cucm.example.com"),
    lambda client: client.upload_identity(CertUnit.TOMCAT, [LEAF]),
    lambda client: client.upload_trust([CertUnit.TOMCAT], [LEAF], "a root"),
]


@pytest.mark.parametrize("write", WRITES, ids=["csr", "identity", "trust"])
async def test_privilege_level_0_reads_and_does_not_write(
    write: Callable[[PlatformRestClient], Awaitable[object]],
) -> None:
    server = Server(
        lambda request: httpx.Response(
            200 if request.method == "GET" else 403, content=json.dumps(SNAPSHOT).encode()
        )
    )
    await server.client.snapshot()
    with pytest.raises(RoleMissing, match="nothing was done") as caught:
        await write(server.client)
    assert caught.value.role == "platform account privilege level 1"


@pytest.mark.parametrize("write", WRITES, ids=["csr", "identity", "trust"])
async def test_a_write_that_failed_says_that_it_arrived_and_is_sent_once(
    write: Callable[[PlatformRestClient], Awaitable[object]],
) -> None:
    server = answering(500, {"message": "Leaf does not match the CSR"})
    with pytest.raises(NodeFault) as caught:
        await write(server.client)
    report = caught.value.report
    assert report.saw == "HTTP 500: Leaf does not match the CSR"
    assert "it arrived" in report.left
    assert server.requests[0].headers["X-Request-ID"] in report.did
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"csr": "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----"},
        {"csr": LEAF},
        {"csr": ""},
        {"csr": None},
        {"messages": ["done"]},
        [],
        b"<html>done</html>",
    ],
    ids=["rubbish", "certificate", "empty", "null", "another", "list", "html"],
)
async def test_a_signing_request_that_cannot_be_read_may_have_been_made(body: object) -> None:
    with pytest.raises(UnknownLayout, match="may have been done"):
        await answering(200, body).client.create_csr(CertUnit.TOMCAT, "cucm.example.com")


# ── errors ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"message": "Not now"}, "Not now"),
        ({"error": "Bad Request", "message": "service is missing"}, "service is missing · Bad"),
        ({"messages": ["first", {"message": "second"}, 3]}, "first · second"),
        ({"messages": []}, "messages"),
        ({"code": 17}, "17"),
        (["odd"], "odd"),
        (b"Internal <b>error</b>", "Internal error"),
        (b"\xff\xfe\x00", ""),
        (b"", ""),
        (b'{"message":' * 5000, ""),
    ],
    ids=[
        "message",
        "error",
        "messages",
        "no-messages",
        "other-keys",
        "list",
        "text",
        "bytes",
        "nothing",
        "deep",
    ],
)
async def test_the_nodes_own_words_are_shown(body: object, said: str) -> None:
    with pytest.raises(NodeFault) as caught:
        await answering(400, body).client.snapshot()
    report = caught.value.report
    assert report.saw.startswith("HTTP 400")
    assert said in report.saw
    assert len(report.saw) < 300
    assert report.left == "nothing was done: it only looked"


async def test_the_password_is_in_no_error() -> None:
    for status in (200, 400):
        with pytest.raises(NodeError) as caught:
            await answering(status, b"you said os-secret").client.snapshot()
        assert "os-secret" not in str(caught.value)
        assert "you said" in str(caught.value)


async def test_a_refused_platform_account_is_used_nowhere_again() -> None:
    server = answering(401, b"CMPlatform Realm")
    transport = server.transport
    with pytest.raises(AuthenticationFailed, match="platform account 'ccmadmin'"):
        await transport.observe(UnitsOn("cucm-pub"))
    with pytest.raises(AuthenticationFailed):
        await server.client.upload_identity(CertUnit.TOMCAT, [LEAF])
    assert len(server.requests) == 1
    with pytest.raises(AuthenticationFailed, match="platform account 'subadmin'"):
        await transport.observe(UnitsOn("cucm-sub"))  # an account of its own


@pytest.mark.parametrize(
    ("status", "error"),
    [(301, NodeFault), (404, NodeFault), (429, RateLimited), (503, RateLimited)],
)
async def test_every_error_names_its_request(status: int, error: type[NodeError]) -> None:
    server = answering(status, Location="https://elsewhere/")
    with pytest.raises(error) as caught:
        await server.client.trust(CertUnit.TOMCAT)
    assert server.requests[0].headers["X-Request-ID"] in caught.value.report.did


@pytest.mark.parametrize(
    ("broken", "error", "left"),
    [
        (httpx.ConnectError("refused"), NotSent, "nothing was sent"),
        (httpx.ReadError("reset"), NodeUnreachable, "it may have arrived"),
    ],
)
async def test_a_broken_connection_says_whether_anything_was_sent(
    broken: Exception, error: type[NodeError], left: str
) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise broken

    server = Server(fail)
    with pytest.raises(error) as caught:
        await server.client.upload_identity(CertUnit.TOMCAT, [LEAF])
    assert caught.value.report.left == left
    assert len(server.requests) == 1


# ── what is no answer ─────────────────────────────────────────────────────────────────────


def without(key: str) -> dict[str, object]:
    return {name: value for name, value in SNAPSHOT.items() if name != key}


def identities(*entries: object) -> dict[str, object]:
    return SNAPSHOT | {"identities": list(entries)}


TOMCAT = {"service": "tomcat", "certificate": LEAF}
NO_SNAPSHOTS: dict[str, object] = {
    "html": b"<html><body>Sign in</body></html>",
    "xml": b"<?xml version='1.0'?><a/>",
    "empty": b"",
    "truncated": json.dumps(SNAPSHOT).encode()[:-1],
    "half": json.dumps(SNAPSHOT).encode()[:1000],
    "two": json.dumps(SNAPSHOT).encode() * 2,
    "huge": b" " * (10 << 20),
    "huge-and-zero": bytes(10 << 20),
    "deep": b"[" * 200_000 + b"]" * 200_000,
    "many": b"[" + b"{}," * 30_000 + b"{}]",
    "nan": b'{"server": NaN}',
    "no-utf-8": b'{"server": "\xff"}',
    "twice": b'{"server": "a", "server": "b"}',
    "null": None,
    "text": "snapshot",
    "number": 5,
    "list": [SNAPSHOT],
    "error-with-200": {"message": "not now"},
    "no-identities": without("identities"),
    "identities-null": SNAPSHOT | {"identities": None},
    "identities-object": SNAPSHOT | {"identities": {"tomcat": LEAF}},
    "no-identity": identities(),
    "identity-text": identities(LEAF),
    "no-service": identities({"certificate": LEAF}),
    "service-number": identities({"service": 5, "certificate": LEAF}),
    "service-list": identities({"service": ["tomcat"], "certificate": LEAF}),
    "service-empty": identities({"service": " ", "certificate": LEAF}),
    "renamed": identities({"service": "tomcat", "cert": LEAF}),
    "certificate-list": identities({"service": "tomcat", "certificate": [LEAF]}),
    "certificate-number": identities({"service": "tomcat", "certificate": 0}),
    "certificate-false": identities({"service": "tomcat", "certificate": False}),
    "certificate-rubbish": identities({"service": "tomcat", "certificate": "MIIC"}),
    "certificate-cut": identities({"service": "tomcat", "certificate": LEAF[:-40]}),
    "certificate-two": identities({"service": "tomcat", "certificate": LEAF + OTHER}),
    "csr-number": identities(TOMCAT | {"csr": 1}),
    "csr-object": identities(TOMCAT | {"csr": {}}),
    "contradiction": identities(TOMCAT, {"service": "tomcat", "certificate": OTHER}),
}


@pytest.mark.parametrize("body", NO_SNAPSHOTS.values(), ids=NO_SNAPSHOTS.keys())
async def test_what_is_no_snapshot_is_unknown_and_never_nothing(body: object) -> None:
    server = answering(200, body)
    with pytest.raises(UnknownLayout) as caught:
        await server.client.identities()
    assert server.requests[0].headers["X-Request-ID"] in caught.value.report.did
    assert len(str(caught.value)) < 2000
    for query in (UnitsOn("cucm-pub"), CertificateOf("cucm-pub", CertUnit.TOMCAT)):
        fact = await server.transport.observe(query)
        assert isinstance(fact, Unknown)
        assert fact.why is Why.UNREADABLE
        assert fact.by == "platform REST cucm-pub"


@pytest.mark.parametrize(
    "trusts",
    [
        None,
        {},
        [None],
        [{"service": "tomcat"}],
        [{"certificate_data": []}],
        [{"service": "tomcat", "certificate_data": None}],
        [{"service": "tomcat", "certificate_data": [LEAF]}],
        [{"service": "tomcat", "certificate_data": [{"filename": "a.pem"}]}],
        [{"service": "tomcat", "certificate_data": [{"certificate": LEAF}]}],
        [{"service": "tomcat", "certificate_data": [{"filename": None, "certificate": LEAF}]}],
        [{"service": "tomcat", "certificate_data": [{"filename": "a", "certificate": LEAF}] * 2}],
        [{"service": "tomcat", "certificate_data": [{"certificate": ""}]}],
    ],
)
async def test_trusts_that_cannot_be_read_spoil_the_snapshot_and_not_the_identities(
    trusts: object,
) -> None:
    client = answering(200, SNAPSHOT | {"trusts": trusts}).client
    with pytest.raises(UnknownLayout):
        await client.snapshot()
    assert len(await client.identities()) == 5


NO_STORES: dict[str, object] = {
    "html": b"<html></html>",
    "empty": b"",
    "huge": b" " * (10 << 20),
    "null": None,
    "text": LEAF,
    "object": {},
    "one-object": {"certificate": LEAF},
    "null-inside": {"certificates": None},
    "object-inside": {"certificates": {"certificate": LEAF}},
    "text-inside": {"certificates": LEAF},
    "with-null": [{"certificate": LEAF}, None],
    "with-nothing": [{"certificate": LEAF}, {}],
    "with-no-certificate": [{"certificate": LEAF}, {"certificate": None}],
    "with-rubbish": [{"certificate": LEAF}, {"certificate": "MIIC"}],
    "lists": [[LEAF]],
    "empty-text": [""],
}


@pytest.mark.parametrize("body", NO_STORES.values(), ids=NO_STORES.keys())
async def test_what_is_no_trust_store_is_an_error_and_never_empty(body: object) -> None:
    with pytest.raises(UnknownLayout):
        await answering(200, body).client.trust(CertUnit.TOMCAT)


@pytest.mark.parametrize(
    "trusts", [[], [{"service": "tomcat", "certificate_data": []}]], ids=["no-store", "empty-store"]
)
async def test_a_node_that_trusts_nobody_is_not_believed(trusts: object) -> None:
    server = answering(200, SNAPSHOT | {"trusts": trusts})
    fact = await server.transport.observe(TrustStores("cucm-pub"))
    assert isinstance(fact, Unknown)
    assert fact.why is Why.UNREADABLE
    assert "no certificate in any store" in fact.reason


async def test_the_pem_is_the_same_however_the_node_wraps_it() -> None:
    lines = LEAF.split("\n")
    wrapped = "\r\n".join([lines[0], "".join(lines[1:-2]), *lines[-2:]])
    identities = [{"service": "tomcat", "certificate": wrapped}]
    server = answering(200, SNAPSHOT | {"identities": identities})
    fact = await server.transport.observe(CertificateFile("cucm-pub", CertUnit.TOMCAT))
    assert isinstance(fact, Known)
    assert fact.value == LEAF == normalised_pem(LEAF)


# ── the transport ─────────────────────────────────────────────────────────────────────────


async def test_the_transport_answers_what_a_node_holds() -> None:
    server = answering(200, SNAPSHOT)
    transport = server.transport
    at = server.access.clock.now()
    by = "platform REST cucm-pub"
    expected: dict[Query, object] = {
        CertificateOf("cucm-pub", CertUnit.TOMCAT): certificate_from_pem(LEAF),
        UnitsOn("cucm-pub"): ("tomcat", "CallManager-ECDSA", "a-unit-of-2030"),
        CertificateFile("cucm-pub", CertUnit.TOMCAT): LEAF,
        TrustStores("cucm-pub"): (
            TrustEntry(
                store="tomcat-trust", name="one.pem", certificate=certificate_from_pem(LEAF)
            ),
            TrustEntry(
                store="tomcat-trust", name="two.pem", certificate=certificate_from_pem(OTHER)
            ),
        ),
    }
    for query, value in expected.items():
        assert transport.supports(query)
        assert await transport.observe(query) == Known(value, at, by)
    await transport.aclose()
    await transport.aclose()


@pytest.mark.parametrize("unit", [CertUnit.IPSEC, CertUnit.TVS], ids=["without", "not-listed"])
async def test_a_unit_without_a_certificate_has_no_answer(unit: CertUnit) -> None:
    for query in (CertificateOf("cucm-pub", unit), CertificateFile("cucm-pub", unit)):
        fact = await answering(200, SNAPSHOT).transport.observe(query)
        assert isinstance(fact, Unknown)
        assert fact.why is Why.FAULT
        assert str(unit) in fact.reason


async def test_a_release_without_the_interface_and_a_busy_node_are_unknown() -> None:
    for status, why in ((404, Why.UNREACHABLE), (503, Why.BUSY), (403, Why.NOT_PERMITTED)):
        fact = await answering(status).transport.observe(UnitsOn("cucm-pub"))
        assert isinstance(fact, Unknown)
        assert fact.why is why
        assert (fact.role == "platform account privilege level 0") is (status == 403)


@pytest.mark.parametrize(
    "query",
    [UnitsOn("elsewhere"), ServiceOn("cucm-pub", Service.TOMCAT)],
    ids=["another-node", "another-question"],
)
async def test_what_it_cannot_answer_is_not_asked(query: Query) -> None:
    server = answering(200, SNAPSHOT)
    assert not server.transport.supports(query)
    fact = await server.transport.observe(query)
    assert isinstance(fact, Unknown)
    assert fact.why is Why.NOT_ASKED
    assert server.requests == []


async def test_it_regenerates_nothing() -> None:
    server = answering(200, SNAPSHOT)
    command = Regenerate("cucm-pub", CertUnit.TOMCAT)
    assert not server.transport.supports(command)
    reply = await server.transport.perform(command)
    assert reply.kind is ReplyKind.REFUSED
    assert not reply.sent
    assert server.requests == []


async def test_values_are_frozen() -> None:
    snapshot = await answering(200, SNAPSHOT).client.snapshot()
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        snapshot.server = "another"  # type: ignore[misc]  # - that it is frozen is the claim
