"""Every bad answer to every operation of the web clients: a typed error, and never a guess."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Mapping

import attrs
import httpx
import pytest

from cucm_certflow.commands import (
    Command,
    ReplyKind,
    ResetPhones,
    RestartService,
    StartService,
    StopService,
)
from cucm_certflow.errors import (
    AuthenticationFailed,
    CertflowError,
    NodeFault,
    NodeUnreachable,
    NotServed,
    RateLimited,
    RoleMissing,
    UnknownLayout,
)
from cucm_certflow.facts import (
    CallManagerGroups,
    CertificateFile,
    CertificateOf,
    DevicePools,
    Devices,
    ListFile,
    Members,
    Parameter,
    Phones,
    Query,
    RegistrationCounts,
    Registrations,
    ServedList,
    ServicesOn,
    TrustStores,
    Unknown,
    VersionOf,
    Why,
)
from cucm_certflow.names import CertUnit, DeviceClass, ListKind, Service
from cucm_certflow.transports.access import Access
from cucm_certflow.transports.axl import AxlTransport
from cucm_certflow.transports.base import Transport
from cucm_certflow.transports.controlcenter import ControlCenterTransport
from cucm_certflow.transports.http import MAX_BYTES
from cucm_certflow.transports.perfmon import PerfmonTransport
from cucm_certflow.transports.platform_rest import PlatformRestTransport
from cucm_certflow.transports.ris import RisClient
from cucm_certflow.transports.route import Route
from cucm_certflow.transports.soap import SoapFault
from cucm_certflow.transports.trustfiles import TrustFileTransport
from tests.web.bad_answers import (
    BAD,
    LIES,
    OPERATIONS,
    SECRETS,
    Asking,
    Bad,
    Endless,
    Lie,
    Operation,
    Speaks,
)
from tests.web.helpers import PUB, ManualClock, Wire, access_over

pytestmark = pytest.mark.asyncio

SESSION = [("Set-Cookie", "JSESSIONIDSSO=3D63; path=/; Secure; HttpOnly")]


def over(wire: Wire, operation: Operation) -> Asking:
    return operation.begin(access_over(wire))


def wire_for(operation: Operation, *answers: httpx.Response | Bad) -> Wire:
    """Answers in turn, the last one for ever; what is asked besides is answered rightly."""
    rest = list(answers)

    def answer(_: httpx.Request) -> httpx.Response:
        each = rest.pop(0) if len(rest) > 1 else rest[0]
        return each.answer(operation) if isinstance(each, Bad) else each

    return Wire(answer, versions="getCCMVersion" not in operation.name)


def called(name: str) -> Operation:
    return next(each for each in OPERATIONS if each.name == name)


def right(operation: Operation, **headers: str) -> httpx.Response:
    return httpx.Response(200, content=operation.right, headers=headers)


async def outcome(operation: Operation, bad: Bad) -> str:
    """Empty if *bad* was met as it should be; else what happened instead."""
    wire = wire_for(operation, bad)
    asking = over(wire, operation)
    expected = bad.errors[operation.speaks]
    try:
        value = await asking.ask()
    except CertflowError as error:
        said = "".join(traceback.format_exception(error)) + repr(error)
        leaks = [secret for secret in SECRETS if secret in said]
        if not isinstance(error, expected):
            return f"{type(error).__name__} for {expected.__name__}: {error}"
        if leaks:
            return f"the password is shown: {error}"
    except Exception as error:  # noqa: BLE001 - any other kind is what this looks for
        return f"{type(error).__name__}, which is not ours: {error}"[:400]
    else:
        return f"a value: {value!r}"[:400]
    finally:
        await asking.aclose()
    elsewhere = {str(request.url.host) for request in wire.requests} - {PUB.address}
    return f"asked {elsewhere}" if elsewhere else ""


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
async def test_a_right_answer_is_read(operation: Operation) -> None:
    asking = over(wire_for(operation, right(operation)), operation)
    await asking.ask()
    await asking.aclose()


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
async def test_a_bad_answer_is_a_typed_error_without_the_password(bad: Bad) -> None:
    wrong: dict[str, str] = {}
    asked = 0
    for operation in OPERATIONS:
        if operation.speaks not in bad.errors or (bad.in_body and operation.bodiless):
            continue
        asked += 1
        if found := await outcome(operation, bad):
            wrong[operation.name] = found
    assert asked
    assert wrong == {}


@pytest.mark.parametrize("lie", LIES, ids=str)
async def test_one_wrong_thing_in_an_answer_is_found(lie: Lie) -> None:
    operation, answer = lie.told()
    asking = over(wire_for(operation, httpx.Response(200, content=answer)), operation)
    with pytest.raises(lie.error) as caught:
        await asking.ask()
    assert len(str(caught.value)) < 2000
    await asking.aclose()


# ── what looks bad, and is not ────────────────────────────────────────────────────────────


async def read(operation: Operation, answer: bytes) -> object:
    asking = over(wire_for(operation, httpx.Response(200, content=answer)), operation)
    try:
        return await asking.ask()
    finally:
        await asking.aclose()


@pytest.mark.parametrize(
    "operation", [each for each in OPERATIONS if each.speaks is Speaks.SOAP], ids=str
)
async def test_children_are_read_qualified_or_not(operation: Operation) -> None:
    """Releases differ, and public fixtures do not qualify at all (web-apis.md)."""
    expected = await read(operation, operation.right)
    text = operation.right.decode()
    bare = re.sub(r' xmlns="[^"]*"', "", text)
    start = text.index("<soapenv:Body>") + len("<soapenv:Body>")
    all_qualified = text[:start] + text[start:].replace("Response ", 'Response xmlns="urn:x" ', 1)
    for other in (bare, all_qualified) if 'xmlns="' not in text else (bare,):
        assert other != text or other is bare
        assert await read(operation, other.encode()) == expected


@pytest.mark.parametrize("name", ["RIS selectCmDeviceExt", "RIS selectCmDevice"])
async def test_a_missing_nochange_hides_nothing_as_long_as_all_that_was_found_is_listed(
    name: str,
) -> None:
    operation = called(name)
    gone = operation.right.replace(b">Registered<", b">UnRegistered<")
    without = gone.replace(b"<NoChange>false</NoChange>", b"")
    assert without != gone
    assert await read(operation, without) == await read(operation, gone)
    with pytest.raises(NodeFault, match="1 of 2 devices"):
        await read(operation, without.replace(b"Found>1<", b"Found>2<"))


async def test_a_node_without_a_name_is_harmless_where_nothing_is_registered() -> None:
    operation = called("RIS selectCmDeviceExt")
    answer = operation.right.replace(b">Registered<", b">UnRegistered<")
    found = await read(operation, answer.replace(b"<Name>cucm-pub</Name>", b"<Name/>"))
    assert isinstance(found, dict)
    assert not found["SEP001122334455"].registered
    assert found["SEP001122334455"].node == ""


# ── sessions ──────────────────────────────────────────────────────────────────────────────

WITH_SESSIONS = [each for each in OPERATIONS if each.speaks is Speaks.SOAP]


def how(request: httpx.Request) -> str:
    return "Basic" if "Authorization" in request.headers else request.headers["Cookie"]


def logged_in(operation: Operation) -> httpx.Response:
    return httpx.Response(200, content=operation.right, headers=SESSION)


@pytest.mark.parametrize("operation", WITH_SESSIONS, ids=str)
async def test_a_404_after_idling_is_a_new_login_and_the_same_answer(operation: Operation) -> None:
    gone = httpx.Response(404, content=b"<html>gone</html>")
    wire = wire_for(operation, logged_in(operation), gone, right(operation))
    asking = over(wire, operation)
    first = await asking.ask()
    assert await asking.ask() == first
    assert [how(request) for request in wire.requests] == ["Basic", "JSESSIONIDSSO=3D63", "Basic"]
    assert len({str(request.url) for request in wire.requests}) == 1
    await asking.aclose()


@pytest.mark.parametrize("operation", WITH_SESSIONS, ids=str)
async def test_a_404_for_ever_after_idling_is_about_the_interface(operation: Operation) -> None:
    wire = wire_for(operation, logged_in(operation), httpx.Response(404))
    asking = over(wire, operation)
    await asking.ask()
    with pytest.raises(NotServed):
        await asking.ask()
    assert [how(request) for request in wire.requests] == ["Basic", "JSESSIONIDSSO=3D63", "Basic"]
    await asking.aclose()


@pytest.mark.parametrize("operation", WITH_SESSIONS, ids=str)
async def test_a_401_after_a_new_login_ends_the_account(operation: Operation) -> None:
    wire = wire_for(operation, logged_in(operation), httpx.Response(401))
    asking = over(wire, operation)
    await asking.ask()
    for _ in range(2):
        with pytest.raises(AuthenticationFailed):
            await asking.ask()
    assert [how(request) for request in wire.requests] == ["Basic", "JSESSIONIDSSO=3D63", "Basic"]
    await asking.aclose()


@pytest.mark.parametrize(
    "value", ["\u00e4", '"a\\012b"', '"a\\015\\012X: y"', "a b", "x" * 5000], ids=range(5)
)
async def test_a_cookie_that_no_header_can_carry_is_not_kept(value: str) -> None:
    operation = called("AXL executeSQLQuery")
    cookie = f"JSESSIONIDSSO={value}; path=/".encode()
    answer = httpx.Response(200, content=operation.right, headers=[(b"Set-Cookie", cookie)])
    wire = wire_for(operation, answer)
    asking = over(wire, operation)
    await asking.ask()
    await asking.ask()
    assert all("X" not in request.headers for request in wire.requests)
    assert all(
        request.headers.get("Cookie", "").isascii()
        and "\n" not in request.headers.get("Cookie", "")
        for request in wire.requests
    )
    await asking.aclose()


# ── bounds ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
async def test_an_endless_answer_is_left_soon_after_its_bound(operation: Operation) -> None:
    endless = Endless(operation.right)
    wire = wire_for(operation, httpx.Response(200, stream=endless))
    asking = over(wire, operation)
    with pytest.raises(UnknownLayout, match="more than"):
        await asking.ask()
    assert endless.given <= MAX_BYTES + (2 << 20)
    assert len(wire.requests) == 1
    await asking.aclose()


# ── behind the seam ───────────────────────────────────────────────────────────────────────


@attrs.frozen
class Seam:
    """A question over one interface, and the operation whose answers it reads."""

    operation: str
    transport: Callable[[Access], Transport]
    query: Query
    role: str

    def __str__(self) -> str:
        return f"{self.query}"


def by_route(access: Access) -> Transport:
    access.pins.learn(PUB.name, "ab" * 32)
    route = Route(
        {},
        ris=RisClient(PUB, access, back_off_s=0),
        clock=access.clock,
        pins=access.pins,
        nodes=(PUB.name,),
    )
    route.know(releases={}, callmanagers=(), phones=("SEP001122334455",))
    return route


MONITORING = "Standard CCM Server Monitoring"
AXL_READ = "Standard AXL API Access or Standard AXL Read Only API Access"
PHONES = Registrations(("SEP001122334455",))
SEAMS = (
    Seam("AXL listProcessNode", AxlTransport, Members(), AXL_READ),
    Seam("AXL getCCMVersion", AxlTransport, VersionOf(PUB.name), AXL_READ),
    Seam("AXL executeSQLQuery", AxlTransport, Parameter("ClusterSecurityMode"), AXL_READ),
    Seam("AXL executeSQLQuery", AxlTransport, Phones(), AXL_READ),
    Seam("AXL executeSQLQuery", AxlTransport, CallManagerGroups(), AXL_READ),
    Seam("AXL executeSQLQuery", AxlTransport, DevicePools(), AXL_READ),
    Seam("RIS selectCmDeviceExt", by_route, PHONES, MONITORING),
    Seam("RIS selectCmDevice", by_route, Devices(DeviceClass.SIP_TRUNK), MONITORING),
    Seam("Control Center status", ControlCenterTransport, ServicesOn(PUB.name), MONITORING),
    Seam("PerfMon one-shot", PerfmonTransport, RegistrationCounts(PUB.name), MONITORING),
    Seam(
        "REST certificate",
        PlatformRestTransport,
        CertificateOf(PUB.name, CertUnit.TOMCAT),
        "platform account privilege level 0",
    ),
    Seam(
        "REST snapshot",
        PlatformRestTransport,
        TrustStores(PUB.name),
        "platform account privilege level 0",
    ),
    Seam(
        "REST certificate",
        PlatformRestTransport,
        CertificateFile(PUB.name, CertUnit.TOMCAT),
        "platform account privilege level 0",
    ),
    Seam("file ITLFile.tlv", TrustFileTransport, ServedList(PUB.name, ListKind.ITL), ""),
    Seam("file CTLFile.tlv", TrustFileTransport, ListFile(PUB.name, ListKind.CTL), ""),
)
WHY: Mapping[type[Exception], Why] = {
    UnknownLayout: Why.UNREADABLE,
    RoleMissing: Why.NOT_PERMITTED,
    RateLimited: Why.BUSY,
    NodeUnreachable: Why.UNREACHABLE,
    NodeFault: Why.FAULT,
    NotServed: Why.UNREACHABLE,
    SoapFault: Why.FAULT,
}


def why_of(error: type[Exception]) -> Why:
    return next(why for kind, why in WHY.items() if error is kind)


@pytest.mark.parametrize("seam", SEAMS, ids=str)
async def test_behind_the_seam_every_bad_answer_is_unknown_with_the_right_why(seam: Seam) -> None:
    operation = called(seam.operation)
    wrong: dict[str, str] = {}
    for bad in BAD:
        if operation.speaks not in bad.errors:
            continue
        access = access_over(wire_for(operation, bad))
        transport = seam.transport(access)
        expected = bad.errors[operation.speaks]
        try:
            fact = await transport.observe(seam.query)
        except AuthenticationFailed:
            if expected is not AuthenticationFailed:
                wrong[bad.name] = "the account is said to be refused"
            continue
        finally:
            await transport.aclose()
        if not isinstance(fact, Unknown) or fact.why is not why_of(expected):
            wrong[bad.name] = f"{fact} for {expected.__name__}"
        elif any(secret in fact.reason for secret in SECRETS):
            wrong[bad.name] = f"the password is shown: {fact.reason}"
        elif fact.why is Why.NOT_PERMITTED and not (fact.role == seam.role in fact.reason):
            wrong[bad.name] = f"the role is {fact.role!r}: {fact.reason}"
        elif fact.at != ManualClock().now() or not fact.by:
            wrong[bad.name] = f"at {fact.at} by {fact.by!r}"
    assert wrong == {}


async def test_what_an_interface_cannot_answer_is_not_asked() -> None:
    wire = Wire(lambda _: httpx.Response(500))
    access = access_over(wire)
    for seam in SEAMS:
        transport = seam.transport(access)
        fact = await transport.observe(CertificateOf("elsewhere", CertUnit.TOMCAT))
        assert isinstance(fact, Unknown)
        assert fact.why is Why.NOT_ASKED
        await transport.aclose()
    assert wire.requests == []


RESET = ResetPhones(PUB.name, ("SEP001122334455",))
RESTART = RestartService(PUB.name, Service.TFTP)
LOST = (UnknownLayout, NodeUnreachable)


@pytest.mark.parametrize(
    ("command", "transport", "name"),
    [
        (RESET, AxlTransport, "AXL doDeviceReset"),
        (RESTART, ControlCenterTransport, "Control Center control"),
        (StopService(PUB.name, Service.TFTP), ControlCenterTransport, "Control Center control"),
        (StartService(PUB.name, Service.TFTP), ControlCenterTransport, "Control Center control"),
    ],
    ids=["reset", "restart", "stop", "start"],
)
async def test_a_command_after_which_anything_may_have_happened_is_lost_and_sent_once(
    command: Command, transport: Callable[[Access], Transport], name: str
) -> None:
    operation = called(name)
    wrong: dict[str, str] = {}
    for bad in BAD:
        if operation.speaks not in bad.errors:
            continue
        sent: list[httpx.Request] = []

        def answer(
            request: httpx.Request, bad: Bad = bad, sent: list[httpx.Request] = sent
        ) -> httpx.Response:
            if b"getStaticServiceListExtended" in request.content:
                return httpx.Response(200, content=called("Control Center static list Ex").right)
            sent.append(request)
            return bad.answer(operation)

        there = transport(access_over(Wire(answer)))
        expected = bad.errors[operation.speaks]
        try:
            reply = await there.perform(command)
        except AuthenticationFailed:
            if expected is not AuthenticationFailed:
                wrong[bad.name] = "the account is said to be refused"
            continue
        finally:
            await there.aclose()
        # Of a connection that was not made nothing was sent; an answer to another question may be
        # one to ours as well.
        doubt = issubclass(expected, LOST) and bad.name != "no connection"
        if reply.kind is not (ReplyKind.LOST if doubt else ReplyKind.REFUSED):
            wrong[bad.name] = f"{reply} for {expected.__name__}"
        elif any(secret in reply.text for secret in SECRETS):
            wrong[bad.name] = f"the password is shown: {reply.text}"
        elif len({request.url.path for request in sent}) != len(sent):
            wrong[bad.name] = f"sent {len(sent)} times"
        elif expected is RoleMissing and "needs Standard" not in reply.text:
            wrong[bad.name] = f"no role in {reply.text}"
    assert wrong == {}
