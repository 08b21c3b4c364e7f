"""Every operation of the web clients with a right answer, and all that can be wrong with one.

The answers are written by hand from ``domain/web-apis.md``, not taken from the lab.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Final, Protocol, TypeVar

import attrs
import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cucm_certflow.errors import (
    AuthenticationFailed,
    NodeError,
    NodeFault,
    NodeUnreachable,
    NotServed,
    RateLimited,
    RoleMissing,
    UnknownLayout,
)
from cucm_certflow.names import CertUnit, ListKind
from cucm_certflow.transports.access import Access
from cucm_certflow.transports.axl import AxlClient
from cucm_certflow.transports.controlcenter_client import ControlAction, ControlCenterClient
from cucm_certflow.transports.perfmon_client import CounterPath, PerfmonClient
from cucm_certflow.transports.platform_rest import PlatformRestClient
from cucm_certflow.transports.ris import RisClient
from cucm_certflow.transports.soap import SoapFault
from cucm_certflow.transports.trustfiles import TrustFileClient
from tests.web.helpers import ACCOUNT, PUB, axl, soap

_BYTES: Final = Path(__file__).parents[1] / "bytes" / "fixtures"
_AST: Final = "http://schemas.cisco.com/ast/soap"
PASSWORD: Final = ACCOUNT.password.reveal()
BASIC: Final = base64.b64encode(f"{ACCOUNT.user}:{PASSWORD}".encode()).decode()
SECRETS: Final = (PASSWORD, BASIC)
"""What no error may show: the password, and as Basic sends it."""

PEM: Final = (_BYTES / "cm-pub-g1.crt.pem").read_text()


class Speaks(Enum):
    """What the answers of an interface are made of."""

    SOAP = "SOAP"
    JSON = "JSON"
    BYTES = "bytes"


@attrs.frozen
class Asking:
    """A client in use: put the question again, or let go."""

    ask: Callable[[], Awaitable[object]]
    aclose: Callable[[], Awaitable[None]]


@attrs.frozen
class Operation:
    """An operation of a client.

    ``bodiless`` says that a status of success is all that counts: what else there is in the answer
    no source says, and nothing is read from it.
    """

    name: str
    speaks: Speaks
    right: bytes
    begin: Callable[[Access], Asking]
    bodiless: bool = False

    def __str__(self) -> str:
        return self.name


class _Closes(Protocol):
    async def aclose(self) -> None: ...


ClientT = TypeVar("ClientT", bound=_Closes)


def _row(
    name: str,
    speaks: Speaks,
    right: bytes,
    client: Callable[[Access], ClientT],
    call: Callable[[ClientT], Awaitable[object]],
    *,
    bodiless: bool = False,
) -> Operation:
    def begin(access: Access) -> Asking:
        made = client(access)
        return Asking(lambda: call(made), made.aclose)

    return Operation(name, speaks, right, begin, bodiless)


# ── right answers ─────────────────────────────────────────────────────────────────────────


def ast(operation: str, inner: str) -> bytes:
    """An answer of the serviceability interfaces, qualified as their WSDL has it."""
    return soap(f'<{operation}Response xmlns="{_AST}">{inner}</{operation}Response>')


def _ris(operation: str) -> bytes:
    device = (
        "<item><Name>SEP001122334455</Name><Status>Registered</Status>"
        "<TimeStamp>1704067200</TimeStamp></item>"
    )
    node = (
        "<item><ReturnCode>Ok</ReturnCode><Name>cucm-pub</Name><NoChange>false</NoChange>"
        f"<CmDevices>{device}</CmDevices></item>"
    )
    return ast(
        operation,
        "<selectCmDeviceReturn><SelectCmDeviceResult><TotalDevicesFound>1</TotalDevicesFound>"
        f"<CmNodes>{node}</CmNodes></SelectCmDeviceResult><StateInfo>s1</StateInfo>"
        "</selectCmDeviceReturn>",
    )


_SERVICE: Final = (
    "<item><ServiceName>Cisco Tftp</ServiceName><ServiceStatus>Started</ServiceStatus>"
    "<ReasonCode>-1</ReasonCode><ReasonCodeString>--</ReasonCodeString>"
    "<StartTime>Mon Jan  1 00:00:00 2024</StartTime><UpTime>100</UpTime></item>"
)
_STATIC: Final = (
    "<item><ServiceName>Cisco Tftp</ServiceName><ServiceType>Service</ServiceType>"
    "<Deployable>true</Deployable><GroupName>CM Services</GroupName><DependentServices/></item>"
)
_EXTENDED: Final = (
    "<item><ServiceName>Cisco Tftp</ServiceName><DependentServices/><ProductID>CallManager"
    "</ProductID><ServiceType>Service</ServiceType><RestrictServer>no</RestrictServer><Restrict>"
    "none</Restrict><SetDefault>yes</SetDefault><SequenceNumber>1</SequenceNumber><ServiceEnum>11"
    "</ServiceEnum><GroupName>CM Services</GroupName><Deployable>true</Deployable></item>"
)


def _control(operation: str) -> bytes:
    return ast(
        operation,
        f"<{operation}Return><ReturnCode>0</ReturnCode><ReasonCode>-1</ReasonCode><ReasonString>--"
        f"</ReasonString><ServiceInfoList>{_SERVICE}</ServiceInfoList></{operation}Return>",
    )


def _signing_request() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cucm.example.com")])
    made = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode()


def _counters(operation: str) -> bytes:
    name = r"\\cucm-pub\Cisco CallManager\RegisteredHardwarePhones"
    return ast(
        operation,
        f"<{operation}Return><Name>{name}</Name><Value>12</Value><CStatus>1</CStatus>"
        f"</{operation}Return>",
    )


_COUNTER: Final = CounterPath.parse(r"\\cucm-pub\Cisco CallManager\RegisteredHardwarePhones")
_SNAPSHOT: Final = json.dumps(
    {
        "trackingId": "1b6c",
        "server": "cucm-pub",
        "identities": [{"service": "tomcat", "certificate": PEM}],
        "trusts": [
            {
                "service": "tomcat-trust",
                "certificate_data": [{"filename": "one.pem", "certificate": PEM}],
            }
        ],
        "revokedCertificates": [],
    }
).encode()
_IDENTITY: Final = json.dumps({"certificate": PEM}).encode()
_TRUST: Final = json.dumps([{"certificate": PEM}]).encode()


# ── the operations ────────────────────────────────────────────────────────────────────────


def _axl(name: str, inner: str, call: Callable[[AxlClient], Awaitable[object]]) -> Operation:
    return _row(f"AXL {name}", Speaks.SOAP, axl(name, inner), lambda a: AxlClient(PUB, a), call)


def _ris_row(name: str, call: Callable[[RisClient], Awaitable[object]]) -> Operation:
    # The answer to selectCmDeviceExt is called like that to selectCmDevice.
    right = _ris("selectCmDevice")
    return _row(f"RIS {name}", Speaks.SOAP, right, lambda a: RisClient(PUB, a), call)


def _cc(
    name: str, right: bytes, call: Callable[[ControlCenterClient], Awaitable[object]]
) -> Operation:
    name = f"Control Center {name}"
    return _row(name, Speaks.SOAP, right, lambda a: ControlCenterClient(PUB, a), call)


def _perfmon(
    name: str, right: bytes, call: Callable[[PerfmonClient], Awaitable[object]]
) -> Operation:
    return _row(f"PerfMon {name}", Speaks.SOAP, right, lambda a: PerfmonClient(PUB, a), call)


def _rest(
    name: str,
    right: bytes,
    call: Callable[[PlatformRestClient], Awaitable[object]],
    *,
    bodiless: bool = False,
) -> Operation:
    name = f"REST {name}"
    return _row(
        name, Speaks.JSON, right, lambda a: PlatformRestClient(PUB, a), call, bodiless=bodiless
    )


def _file(kind: ListKind, name: str) -> Operation:
    right = (_BYTES / name).read_bytes()
    return _row(
        f"file {kind.file_name}",
        Speaks.BYTES,
        right,
        lambda a: TrustFileClient(PUB, a),
        lambda c: c.view(kind),
    )


_NODES: Final = (
    "<processNode><name>cucm-pub</name><nodeUsage>Publisher</nodeUsage>"
    "<processNodeRole>CUCM Voice/Video</processNodeRole></processNode>"
)
_POOL: Final = (
    "<devicePool><name>Default</name><callManagerGroupName>G</callManagerGroupName></devicePool>"
)
_GROUP: Final = (
    "<callManagerGroup><name>G</name><members><member><priority>0</priority><callManagerName>CM_pub"
    "</callManagerName></member></members></callManagerGroup>"
)
_OBJECT: Final = (
    "<perfmonListCounterReturn><Name>Cisco CallManager</Name><MultiInstance>false</MultiInstance>"
    "<ArrayOfCounter><item><Name>CallsActive</Name></item></ArrayOfCounter>"
    "</perfmonListCounterReturn>"
)


def _operations() -> tuple[Operation, ...]:
    restart = ControlAction.RESTART
    names = ("SEP001122334455",)
    return (
        _axl("executeSQLQuery", "<row><a>1</a></row>", lambda c: c.sql("select a from b")),
        _axl("listProcessNode", _NODES, lambda c: c.members()),
        _axl("listDevicePool", _POOL, lambda c: c.device_pools()),
        _axl(
            "listCallManagerGroup",
            "<callManagerGroup><name>G</name></callManagerGroup>",
            lambda c: c.callmanager_groups(),
        ),
        _axl("getCallManagerGroup", _GROUP, lambda c: c.callmanager_group("G")),
        _axl(
            "getCCMVersion",
            "<componentVersion><version>11.5.1.12900(21)</version></componentVersion>",
            lambda c: c.version(),
        ),
        _axl("doDeviceReset", "true", lambda c: c.reset_phone("SEP001122334455")),
        _ris_row("selectCmDeviceExt", lambda c: c.registrations(names)),
        _ris_row("selectCmDevice", lambda c: c.listed()),
        _cc("status", _control("soapGetServiceStatus"), lambda c: c.status(("Cisco Tftp",))),
        _cc(
            "control",
            _control("soapDoControlServices"),
            lambda c: c.control(restart, ("Cisco Tftp",)),
        ),
        _cc(
            "control Ex",
            _control("soapDoControlServicesEx"),
            lambda c: c.control_extended(restart, ("Cisco Tftp",), product_id="CallManager"),
        ),
        _cc(
            "static list",
            ast(
                "soapGetStaticServiceList",
                f"<soapGetStaticServiceListReturn><Services>{_STATIC}</Services>"
                "</soapGetStaticServiceListReturn>",
            ),
            lambda c: c.static_services(),
        ),
        _cc(
            "products",
            ast(
                "getProductInformationList",
                "<getProductInformationListReturn><ActiveServerVersion>15.0.1</ActiveServerVersion>"
                "<PrimaryNode>cucm-pub</PrimaryNode><SecondaryNode/><Products/><Services/>"
                "</getProductInformationListReturn>",
            ),
            lambda c: c.products(),
        ),
        _cc(
            "static list Ex",
            ast(
                "getStaticServiceListExtended",
                "<getStaticServiceListExtendedReturn><PrimaryNode>true</PrimaryNode><SecondaryNode>"
                f"false</SecondaryNode><Services>{_EXTENDED}</Services>"
                "</getStaticServiceListExtendedReturn>",
            ),
            lambda c: c.static_services_extended(),
        ),
        _cc(
            "files",
            ast("getFileDirectoryList", "<ListOfFiles><File>a.txt</File></ListOfFiles>"),
            lambda c: c.file_directory_list("/var/log"),
        ),
        _perfmon(
            "one-shot",
            _counters("perfmonCollectCounterData"),
            lambda c: c.collect_counter_data("cucm-pub", "Cisco CallManager"),
        ),
        _perfmon(
            "objects", ast("perfmonListCounter", _OBJECT), lambda c: c.list_counters("cucm-pub")
        ),
        _perfmon(
            "instances",
            ast(
                "perfmonListInstance",
                "<perfmonListInstanceReturn><Name>_Total</Name></perfmonListInstanceReturn>",
            ),
            lambda c: c.list_instances("cucm-pub", "Cisco Lines"),
        ),
        _perfmon(
            "description",
            ast(
                "perfmonQueryCounterDescription",
                "<perfmonQueryCounterDescriptionReturn>words</perfmonQueryCounterDescriptionReturn>",
            ),
            lambda c: c.counter_description(_COUNTER),
        ),
        _perfmon(
            "open",
            ast(
                "perfmonOpenSession",
                "<perfmonOpenSessionReturn>8a7b</perfmonOpenSessionReturn>",
            ),
            lambda c: c.open_session(),
        ),
        _perfmon(
            "add", ast("perfmonAddCounter", ""), lambda c: c.add_counters("8a7b", (_COUNTER,))
        ),
        _perfmon(
            "remove",
            ast("perfmonRemoveCounter", ""),
            lambda c: c.remove_counters("8a7b", (_COUNTER,)),
        ),
        _perfmon(
            "session data",
            _counters("perfmonCollectSessionData"),
            lambda c: c.collect_session_data("8a7b"),
        ),
        _perfmon("close", ast("perfmonCloseSession", ""), lambda c: c.close_session("8a7b")),
        _rest("snapshot", _SNAPSHOT, lambda c: c.snapshot()),
        _rest("identities", _SNAPSHOT, lambda c: c.identities()),
        _rest("certificate", _SNAPSHOT, lambda c: c.certificate(CertUnit.TOMCAT)),
        _rest("csr present", _SNAPSHOT, lambda c: c.csr_present(CertUnit.TOMCAT)),
        _rest("identity", _IDENTITY, lambda c: c.identity(CertUnit.TOMCAT)),
        _rest("trust", _TRUST, lambda c: c.trust(CertUnit.TOMCAT)),
        _rest(
            "csr",
            json.dumps({"csr": _signing_request()}).encode(),
            lambda c: c.create_csr(CertUnit.TOMCAT, "cucm.example.com"),
        ),
        _rest(
            "upload identity",
            b"{}",
            lambda c: c.upload_identity(CertUnit.TOMCAT, (PEM,)),
            bodiless=True,
        ),
        _rest(
            "upload trust",
            b"{}",
            lambda c: c.upload_trust((CertUnit.TOMCAT,), (PEM,), "ours"),
            bodiless=True,
        ),
        _file(ListKind.ITL, "itl-115-pub-g1.tlv"),
        _file(ListKind.CTL, "ctl-115-g1.tlv"),
    )


OPERATIONS: Final = _operations()


# ── bad answers ───────────────────────────────────────────────────────────────────────────


class Endless(httpx.AsyncByteStream):
    """An answer that does not end; counts what was taken of it."""

    def __init__(self, first: bytes = b"") -> None:
        self._first = first
        self.given = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunk = self._first
        while self.given < 64 << 20:
            self.given += len(chunk)
            yield chunk
            chunk = b" " * (1 << 20)
        message = "it was read to the end"
        raise AssertionError(message)


class _Once(httpx.AsyncByteStream):
    """Bytes as they are on the wire, whatever the headers say of them."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._data


Errors = Mapping[Speaks, type[NodeError]]
Answering = Callable[[Operation], httpx.Response]
_SOAP, _JSON, _FILE = Speaks.SOAP, Speaks.JSON, Speaks.BYTES
_ECHO: Final = f"{PASSWORD} Authorization: Basic {BASIC}"
_HTML: Final = f"<html><head><title>{_ECHO}</title></head><body>{_ECHO}</body></html>".encode()
_ENTITIES: Final = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c SYSTEM "file:///etc/fstab">]>'
_MEGABYTES: Final = 10 << 20


@attrs.frozen
class Bad:
    """An answer that is none, and the error that it has to be, by what the interface speaks.

    What is not listed is not bad there. ``in_body`` says that only the body is wrong: then an
    operation whose success has no known body is not concerned.
    """

    name: str
    answer: Answering
    errors: Errors
    in_body: bool = False


def _all(error: type[NodeError]) -> Errors:
    return dict.fromkeys(Speaks, error)


def _status(
    status: int, errors: Errors, body: bytes = _HTML, headers: Mapping[str, str] | None = None
) -> Bad:
    return Bad(
        f"HTTP {status}",
        lambda _: httpx.Response(status, content=body, headers=dict(headers or {})),
        errors,
    )


def _body(name: str, make: Callable[[Operation], bytes], errors: Errors) -> Bad:
    return Bad(name, lambda op: httpx.Response(200, content=make(op)), errors, in_body=True)


def _raising(error: Exception) -> Answering:
    def answer(_: Operation) -> httpx.Response:
        raise error

    return answer


def fault(code: str, words: str) -> bytes:
    return soap(
        f"<soapenv:Fault><faultcode>soapenv:{code}</faultcode><faultstring>{words}</faultstring>"
        f"<detail><axlError><axlcode>-1</axlcode><axlmessage>{words}</axlmessage></axlError></detail>"
        "</soapenv:Fault>"
    )


def _cut_at(part: int) -> Callable[[Operation], bytes]:
    return lambda operation: operation.right[: len(operation.right) * part // 16]


BAD: Final = (
    _body("HTML", lambda _: _HTML, _all(UnknownLayout)),
    _status(500, {_SOAP: UnknownLayout, _JSON: NodeFault, _FILE: NodeFault}),
    # No such file is an answer of its own: the node has no such list.
    _status(404, {_SOAP: NotServed, _JSON: NotServed}),
    _status(401, {_SOAP: AuthenticationFailed, _JSON: AuthenticationFailed, _FILE: NodeFault}),
    _status(403, {_SOAP: RoleMissing, _JSON: RoleMissing, _FILE: NodeFault}),
    _status(418, _all(NodeFault)),
    _status(429, _all(RateLimited)),
    _status(502, {_SOAP: NodeUnreachable, _JSON: NodeUnreachable, _FILE: NodeFault}),
    _status(503, _all(RateLimited)),
    _status(599, _all(NodeFault)),
    *(
        _status(
            status,
            {_SOAP: NodeFault, _JSON: NodeFault, _FILE: UnknownLayout},
            headers={"Location": f"https://{ACCOUNT.user}:{PASSWORD}@elsewhere.example/{BASIC}"},
        )
        for status in (301, 302, 303, 307, 308)
    ),
    _body("empty", lambda _: b"", _all(UnknownLayout)),
    *(_body(f"cut at {part}/16", _cut_at(part), _all(UnknownLayout)) for part in (1, 4, 8, 12, 15)),
    _body("cut by a byte", lambda op: op.right[:-1], _all(UnknownLayout)),
    _body("10 MB of zeros", lambda _: b"\0" * _MEGABYTES, _all(UnknownLayout)),
    _body("10 MB of spaces", lambda _: b" " * _MEGABYTES, _all(UnknownLayout)),
    _body(
        "spaces without end in the declaration",
        lambda _: b'<?xml version="1.0"' + b" " * (2 << 20),
        _all(UnknownLayout),
    ),
    Bad(
        "without an end",
        lambda op: httpx.Response(200, stream=Endless(op.right)),
        _all(UnknownLayout),
    ),
    Bad(
        "an error without an end",
        lambda op: httpx.Response(500, stream=Endless(op.right)),
        _all(UnknownLayout),
    ),
    Bad(
        "compressed",
        lambda op: httpx.Response(
            200, stream=_Once(gzip.compress(op.right)), headers={"Content-Encoding": "gzip"}
        ),
        _all(UnknownLayout),
    ),
    _body("entities", lambda op: _ENTITIES + op.right, _all(UnknownLayout)),
    _body(
        "deep",
        lambda op: (b"[" if op.speaks is _JSON else b"<a>") * 20_000,
        _all(UnknownLayout),
    ),
    _body(
        "deep and closed",
        lambda op: (
            b"[" * 5_000 + b"]" * 5_000
            if op.speaks is _JSON
            else soap("<a>" * 5_000 + "</a>" * 5_000)
        ),
        _all(UnknownLayout),
    ),
    _body(
        "the answer to another question", lambda _: ast("otherOperation", ""), _all(UnknownLayout)
    ),
    _body(
        "a name that nobody knows",
        lambda _: soap(f"<Oh xmlns='{_AST}'>{PASSWORD}</Oh>"),
        _all(UnknownLayout),
    ),
    _body("no envelope", lambda _: b"<a/>", {_SOAP: UnknownLayout}),
    _body("nothing in the body", lambda _: soap(""), {_SOAP: UnknownLayout}),
    _body("twice", lambda op: op.right + op.right, {_SOAP: UnknownLayout, _JSON: UnknownLayout}),
    _body("null", lambda _: b"null", {_JSON: UnknownLayout}),
    _body("an empty object", lambda _: b"{}", {_JSON: UnknownLayout}),
    _body("a fault in HTTP 200", lambda _: fault("Server", _ECHO), {_SOAP: SoapFault}),
    Bad(
        "a fault in HTTP 500",
        lambda _: httpx.Response(500, content=fault("Client", "x" * 470 + _ECHO)),
        {_SOAP: SoapFault},
    ),
    Bad(
        "an answer in HTTP 500",
        lambda op: httpx.Response(500, content=op.right),
        {_SOAP: NodeFault, _JSON: NodeFault, _FILE: NodeFault},
    ),
    _body(
        "a rate fault in HTTP 200",
        lambda _: fault("Server.RateControl", f"Exceeded allowed rate {_ECHO}"),
        {_SOAP: RateLimited},
    ),
    Bad("no connection", _raising(httpx.ConnectError("refused")), _all(NodeUnreachable)),
    Bad("a broken connection", _raising(httpx.ReadError("reset")), _all(NodeUnreachable)),
    Bad("no end in time", _raising(httpx.ReadTimeout("slow")), _all(NodeUnreachable)),
)


@attrs.frozen
class Lie:
    """A right answer in which one thing is wrong: *new* stands where *old* should be."""

    operation: str
    what: str
    old: str
    new: str
    error: type[NodeError] = UnknownLayout

    def __str__(self) -> str:
        return f"{self.operation}: {self.what}"

    def told(self) -> tuple[Operation, bytes]:
        """The operation, and the answer."""
        operation = next(each for each in OPERATIONS if each.name == self.operation)
        assert self.old.encode() in operation.right
        return operation, operation.right.replace(self.old.encode(), self.new.encode())


_NIL: Final = '<{0} xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"/>'
_LISTED: Final = (
    "<item><ReturnCode>Ok</ReturnCode><Name>cucm-sub</Name><NoChange>true</NoChange><CmDevices/>"
    "</item></CmNodes>"
)


def _ris_lies(name: str) -> Iterator[Lie]:
    nil = _NIL.format("Name")
    yield Lie(name, "nil node", "<Name>cucm-pub</Name>", nil)
    yield Lie(name, "no node name", "<Name>cucm-pub</Name>", "")
    yield Lie(name, "nil device", "<Name>SEP001122334455</Name>", nil)
    yield Lie(name, "nothing changed", "<NoChange>false", "<NoChange>true", NodeFault)
    yield Lie(name, "wrong boolean", "<NoChange>false", "<NoChange>False", NodeFault)
    yield Lie(name, "one node says nothing", "</CmNodes>", _LISTED, NodeFault)
    yield Lie(name, "wrong number", "Found>1<", "Found>one<")
    yield Lie(name, "negative number", "Found>1<", "Found>-1<")
    yield Lie(name, "number with a fraction", "Found>1<", "Found>1.0<")
    yield Lie(name, "number of another script", "Found>1<", "Found>\u0661<")
    yield Lie(name, "huge number", "Found>1<", f"Found>{'9' * 5000}<")
    yield Lie(name, "wrong instant", ">1704067200<", ">2024-01-01T00:00:00Z<")
    yield Lie(name, "instant beyond all", ">1704067200<", f">{'9' * 12}<")
    yield Lie(name, "wrong status", ">Registered<", ">registered<")
    yield Lie(name, "no status", "<Status>Registered</Status>", "")
    yield Lie(name, "no code", "<ReturnCode>Ok</ReturnCode>", "", NodeFault)
    yield Lie(name, "a node in trouble", ">Ok<", ">RequestTimeout<", NodeFault)
    yield Lie(name, "no number", "<TotalDevicesFound>1</TotalDevicesFound>", "")
    yield Lie(name, "no nodes", "CmNodes", "Nodes")
    yield Lie(name, "nodes of another kind", "<item><ReturnCode>", "<node><ReturnCode>", NodeError)


_GET_GROUP, _PROCESS_NODES = "AXL getCallManagerGroup", "AXL listProcessNode"
_SQL, _VERSION, _POOLS = "AXL executeSQLQuery", "AXL getCCMVersion", "AXL listDevicePool"
_STATUS, _LIST, _LIST_EX = (
    f"Control Center {name}" for name in ("status", "static list", "static list Ex")
)
_ONE_SHOT, _OBJECTS = "PerfMon one-shot", "PerfMon objects"

LIES: Final = (
    Lie(_PROCESS_NODES, "nil node", "<name>cucm-pub</name>", _NIL.format("name")),
    Lie(_PROCESS_NODES, "another usage", ">Publisher<", ">publisher<"),
    Lie(_PROCESS_NODES, "another role", "CUCM Voice/Video", "Voice"),
    Lie(_PROCESS_NODES, "no publisher", ">Publisher<", ">Subscriber<"),
    Lie(_PROCESS_NODES, "no node at all", _NODES, ""),
    Lie(_PROCESS_NODES, "something else", "processNode>", "process>"),
    Lie(_POOLS, "nil pool", "<name>Default</name>", _NIL.format("name")),
    Lie(_POOLS, "something else", "devicePool>", "pool>"),
    Lie("AXL listCallManagerGroup", "nil group", "<name>G</name>", _NIL.format("name")),
    Lie(_GET_GROUP, "no group", "callManagerGroup>", "group>"),
    Lie(_GET_GROUP, "no members", "members>", "others>"),
    Lie(_GET_GROUP, "members of another kind", "member>", "other>"),
    Lie(_GET_GROUP, "nil name", ">CM_pub<", "><"),
    Lie(_GET_GROUP, "wrong number", "<priority>0<", "<priority>first<"),
    Lie(_GET_GROUP, "number of another script", "<priority>0<", "<priority>\u0661<"),
    Lie(_GET_GROUP, "negative number", "<priority>0<", "<priority>-1<"),
    Lie(_VERSION, "nil version", "11.5.1.12900(21)", ""),
    Lie(_VERSION, "no component", "componentVersion>", "component>"),
    Lie(_SQL, "something else than rows", "row>", "line>"),
    Lie(_SQL, "a column with children", "<a>1</a>", "<a><b>1</b></a>"),
    Lie("AXL doDeviceReset", "a no", ">true<", ">false<"),
    Lie("AXL doDeviceReset", "no return", "return>", "returned>"),
    *_ris_lies("RIS selectCmDeviceExt"),
    *_ris_lies("RIS selectCmDevice"),
    Lie("RIS selectCmDevice", "more than it lists", "Found>1<", "Found>2<", NodeFault),
    Lie(_STATUS, "failed", "<ReturnCode>0", "<ReturnCode>1", NodeFault),
    Lie(_STATUS, "nil service", "<ServiceName>Cisco Tftp<", "<ServiceName><"),
    Lie(_STATUS, "wrong number", "<UpTime>100<", "<UpTime>long<"),
    Lie(_STATUS, "huge number", "<UpTime>100<", f"<UpTime>{'9' * 5000}<"),
    Lie(_STATUS, "wrong reason", "<ReasonCode>-1<", "<ReasonCode>none<"),
    Lie(_STATUS, "no status", "<ServiceStatus>Started</ServiceStatus>", ""),
    Lie(_STATUS, "status twice", "</ServiceStatus>", "</ServiceStatus><ServiceStatus/>"),
    Lie(_STATUS, "items of another kind", "item>", "service>"),
    Lie(_LIST, "wrong boolean", ">true<", ">True<"),
    Lie(_LIST, "wrong type", ">Service<", ">service<"),
    Lie(_LIST_EX, "wrong boolean", "<PrimaryNode>true<", "<PrimaryNode>yes<"),
    Lie(_LIST_EX, "nil boolean", "<PrimaryNode>true<", "<PrimaryNode><"),
    Lie(_LIST_EX, "wrong Restrict", ">none<", ">all<"),
    Lie(_LIST_EX, "neither yes nor no", ">yes<", ">true<"),
    Lie(_ONE_SHOT, "wrong number", "<Value>12<", "<Value>12.5<"),
    Lie(_ONE_SHOT, "nil number", "<Value>12<", "<Value><"),
    Lie(_ONE_SHOT, "beyond a long", "<Value>12<", f"<Value>{1 << 63}<"),
    Lie(_ONE_SHOT, "nil name", r"\\cucm-pub\Cisco CallManager\RegisteredHardwarePhones", ""),
    Lie(_ONE_SHOT, "no path", "<Name>\\\\", "<Name>"),
    Lie(_ONE_SHOT, "wrong CStatus", "<CStatus>1<", "<CStatus>-1<"),
    Lie(_ONE_SHOT, "no CStatus", "<CStatus>1</CStatus>", ""),
    Lie(_OBJECTS, "wrong boolean", ">false<", ">no<"),
    Lie("PerfMon open", "nil handle", "8a7b", ""),
    Lie("REST trust", "null", json.dumps(PEM), "null"),
    Lie("REST trust", "a number", json.dumps(PEM), "5"),
    Lie("REST trust", "no certificate", json.dumps(PEM), json.dumps("PEM")),
    Lie("REST trust", "an object for the list", "[{", '{"a": [{'),
    Lie("REST snapshot", "no list", '"identities"', '"identity"'),
    Lie("REST snapshot", "nil server", '"cucm-pub"', "null"),
    Lie("REST snapshot", "a unit without a name", '"service": "tomcat"', '"service": ""'),
    Lie("REST snapshot", "a name twice", '"trackingId"', '"server"'),
    Lie("REST snapshot", "no number", '"1b6c"', "NaN"),
    Lie("REST csr", "no request", '"csr"', '"CSR"'),
)
