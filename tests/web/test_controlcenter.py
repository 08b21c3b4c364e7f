"""Control Center: requests against genuine ones, bad answers, and what becomes of a restart."""

from __future__ import annotations

import datetime as dt
import xml.etree.ElementTree as ET
from collections.abc import Awaitable, Callable

import httpx
import pytest
from defusedxml.ElementTree import fromstring

from cucm_certflow.commands import (
    DeleteTrust,
    Regenerate,
    Reply,
    ReplyKind,
    RestartService,
    StartService,
    StopService,
)
from cucm_certflow.errors import (
    AuthenticationFailed,
    NodeFault,
    NodeUnreachable,
    RateLimited,
    RoleMissing,
    UnknownLayout,
)
from cucm_certflow.facts import (
    CertificateOf,
    Fact,
    Known,
    ServiceOn,
    ServicesOn,
    ServiceState,
    ServiceStatus,
    Unknown,
    Why,
)
from cucm_certflow.names import CertUnit, Interface, Service
from cucm_certflow.transports.access import Access
from cucm_certflow.transports.breaker import Breaker
from cucm_certflow.transports.budget import Budgets
from cucm_certflow.transports.controlcenter import NOT_BY_SOAP, ControlCenterTransport
from cucm_certflow.transports.controlcenter_answers import Restrict, ServiceType
from cucm_certflow.transports.controlcenter_client import (
    ControlAction,
    ControlCenterClient,
    DependencyType,
)
from cucm_certflow.transports.pins import Pins
from cucm_certflow.transports.reason_codes import REASON_CODES, Verdict, verdict
from tests.web.helpers import INVENTORY, PUB, ManualClock, Wire, answering, fixture, soap

pytestmark = pytest.mark.asyncio

NEW = "/controlcenterservice2/services/ControlCenterServices"
OLD = "/controlcenterservice/services/ControlCenterServicesPort"
EX = "/controlcenterservice2/services/ControlCenterServicesEx"
NS = "http://schemas.cisco.com/ast/soap"
NIL = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"'
TFTP = RestartService(PUB.name, Service.TFTP)
Handler = Callable[[httpx.Request], httpx.Response]


def access_over(wire: Wire, clock: ManualClock | None = None) -> Access:
    clock = clock or ManualClock()
    return Access(
        inventory=INVENTORY,
        clock=clock,
        pins=Pins(),
        breaker=Breaker(),
        budgets=Budgets(clock),
        wire=lambda node, network: wire.transport,
    )


def client_over(wire: Wire) -> ControlCenterClient:
    return ControlCenterClient(PUB, access_over(wire))


def item(
    name: str,
    status: str = "Started",
    code: int | str = -1,
    words: str = "--",
    up_time: int | str = 86400,
) -> str:
    """A service as the WSDL has it, in its order."""
    return (
        f"<ns1:item><ns1:ServiceName>{name}</ns1:ServiceName>"
        f"<ns1:ServiceStatus>{status}</ns1:ServiceStatus><ns1:ReasonCode>{code}</ns1:ReasonCode>"
        f"<ns1:ReasonCodeString>{words}</ns1:ReasonCodeString>"
        "<ns1:StartTime>Sat Feb 28 00:00:00 2026</ns1:StartTime>"
        f"<ns1:UpTime>{up_time}</ns1:UpTime></ns1:item>"
    )


def result(
    operation: str, *items: str, return_code: str = "0", code: int | str = -1, words: str = "--"
) -> bytes:
    return soap(
        f'<ns1:{operation}Response xmlns:ns1="{NS}"><ns1:{operation}Return>'
        f"<ns1:ReturnCode>{return_code}</ns1:ReturnCode><ns1:ReasonCode>{code}</ns1:ReasonCode>"
        f"<ns1:ReasonString>{words}</ns1:ReasonString>"
        f"<ns1:ServiceInfoList>{''.join(items)}</ns1:ServiceInfoList>"
        f"</ns1:{operation}Return></ns1:{operation}Response>"
    )


def statuses(*items: str) -> bytes:
    return result("soapGetServiceStatus", *items)


def control(*items: str, return_code: str = "0", code: int | str = -1, words: str = "--") -> bytes:
    return result("soapDoControlServices", *items, return_code=return_code, code=code, words=words)


def extended_item(name: str, restrict: str = "none") -> str:
    return (
        f"<ns1:item><ns1:ServiceName>{name}</ns1:ServiceName><ns1:DependentServices>"
        f"<ns1:item>Cisco Example</ns1:item><ns1:item {NIL}/></ns1:DependentServices>"
        "<ns1:ProductID>CallManager</ns1:ProductID><ns1:ServiceType>Service</ns1:ServiceType>"
        f"<ns1:RestrictServer>no</ns1:RestrictServer><ns1:Restrict>{restrict}</ns1:Restrict>"
        f"<ns1:SetDefault {NIL}/><ns1:SequenceNumber>3</ns1:SequenceNumber>"
        "<ns1:ServiceEnum>12</ns1:ServiceEnum><ns1:GroupName>CM Services</ns1:GroupName>"
        "<ns1:Deployable>true</ns1:Deployable></ns1:item>"
    )


def extended(*items: str, primary: str = "true") -> bytes:
    name = "getStaticServiceListExtended"
    return soap(
        f'<ns1:{name}Response xmlns:ns1="{NS}"><ns1:{name}Return>'
        f"<ns1:PrimaryNode>{primary}</ns1:PrimaryNode>"
        "<ns1:SecondaryNode>false</ns1:SecondaryNode>"
        f"<ns1:Services>{''.join(items)}</ns1:Services></ns1:{name}Return></ns1:{name}Response>"
    )


def fault(words: str, code: str = "soapenv:Server") -> bytes:
    return soap(
        f"<soapenv:Fault><faultcode>{code}</faultcode>"
        f"<faultstring>{words}</faultstring></soapenv:Fault>"
    )


def outline(element: ET.Element) -> list[tuple[str, str, dict[str, str]]]:
    """Every element in document order: qualified name, text, attributes."""
    return [(e.tag, (e.text or "").strip(), dict(e.attrib)) for e in element.iter()]


# ── requests ──────────────────────────────────────────────────────────────────────────────

Ask = Callable[[ControlCenterClient], Awaitable[object]]
REQUESTS: list[tuple[str, Ask, str, str]] = [
    (
        "ccs-req-soapGetServiceStatus-cucmapi",
        lambda client: client.status(["Cisco Tftp", "Cisco CallManager"]),
        NEW,
        "soapGetServiceStatus",
    ),
    (
        "ccs-req-soapDoControlServices-cucmapi",
        lambda client: client.control(
            ControlAction.RESTART, ["Cisco Tftp", "Cisco Trust Verification Service"]
        ),
        NEW,
        "soapDoControlServices",
    ),
    (
        "ccs-req-soapGetStaticServiceList-tinycucm",
        lambda client: client.static_services(),
        NEW,
        "soapGetStaticServiceList",
    ),
    (
        "ccs-req-getProductInformationList-devnet",
        lambda client: client.products(),
        NEW,
        "getProductInformationList",
    ),
    (
        "ccsex-req-soapDoControlServicesEx-zeep",
        lambda client: client.control_extended(
            ControlAction.RESTART,
            ["Cisco Tftp"],
            product_id="CallManager",
            dependency=DependencyType.ENFORCE,
        ),
        EX,
        "soapDoControlServicesEx",
    ),
]


@pytest.mark.parametrize(("name", "ask", "path", "action"), REQUESTS, ids=lambda v: str(v)[:40])
async def test_request_is_the_genuine_one(name: str, ask: Ask, path: str, action: str) -> None:
    wire = answering(200, soap("<somethingElse/>"))
    client = client_over(wire)
    with pytest.raises(UnknownLayout):
        await ask(client)
    await client.aclose()
    (sent,) = wire.requests
    assert outline(fromstring(sent.content)) == outline(fromstring(fixture(name)))
    assert (sent.method, sent.url.path) == ("POST", path)
    assert sent.headers["SOAPAction"] == f'"{action}"'


async def test_node_is_named_where_the_sample_leaves_it_nil() -> None:
    wire = answering(200, control(item("Cisco CDR Agent"), item("Cisco DRF Local")))
    client = client_over(wire)
    await client.control(ControlAction.RESTART, ["Cisco CDR Agent", "Cisco DRF Local"])
    await client.aclose()
    sample = fromstring(fixture("ccs-req-soapDoControlServices-devnet-nil-nodename"))
    (node_name,) = sample.iter(f"{{{NS}}}NodeName")
    node_name.attrib.clear()
    node_name.text = PUB.name
    assert outline(fromstring(wire.requests[0].content)) == outline(sample)


async def test_no_name_asks_for_all_with_one_empty_element() -> None:
    wire = answering(200, statuses(item("Cisco Tftp")))
    client = client_over(wire)
    await client.status()
    await client.aclose()
    (element,) = fromstring(wire.requests[0].content).iter(f"{{{NS}}}ServiceStatus")
    assert element.text is None


async def test_directory_request_names_its_path() -> None:
    answer = soap(
        f'<ns1:getFileDirectoryListResponse xmlns:ns1="{NS}"><ns1:ListOfFiles>'
        f"<ns1:File>a.log</ns1:File><ns1:File {NIL}/></ns1:ListOfFiles>"
        "</ns1:getFileDirectoryListResponse>"
    )
    wire = answering(200, answer)
    client = client_over(wire)
    assert await client.file_directory_list("/var/log/active") == ("a.log",)
    await client.aclose()
    (element,) = fromstring(wire.requests[0].content).iter(f"{{{NS}}}DirectoryPath")
    assert (element.text, wire.requests[0].url.path) == ("/var/log/active", EX)


async def test_status_asks_for_at_most_64_at_a_time() -> None:
    names = [f"Service {number}" for number in range(130)]

    def answer(request: httpx.Request) -> httpx.Response:
        asked = fromstring(request.content).iter(f"{{{NS}}}ServiceStatus")
        return httpx.Response(200, content=statuses(*(item(each.text or "") for each in asked)))

    wire = Wire(answer)
    client = client_over(wire)
    assert list(await client.status([*names, names[0]])) == names
    await client.aclose()
    sizes = [request.content.count(b":ServiceStatus>") // 2 for request in wire.requests]
    assert sizes == [64, 64, 2]


@pytest.mark.parametrize("services", [[], [""], ["Cisco Tftp", ""]])
async def test_no_service_is_named_and_nothing_is_sent(services: list[str]) -> None:
    wire = answering(200, control())
    client = client_over(wire)
    with pytest.raises(ValueError, match="service"):
        await client.control(ControlAction.RESTART, services)
    with pytest.raises(ValueError, match="service"):
        await client.status([*services, ""])
    await client.aclose()
    assert wire.requests == []


async def test_product_and_static_lists_are_read() -> None:
    static = (
        "<ns1:item><ns1:ServiceName>Cisco Tftp</ns1:ServiceName>"
        "<ns1:ServiceType>Servlet</ns1:ServiceType><ns1:Deployable>1</ns1:Deployable>"
        "<ns1:GroupName>CM Services</ns1:GroupName>{}<ns1:DependentServices>"
        "<ns1:Service>A</ns1:Service></ns1:DependentServices></ns1:item>"
    )
    one, two = "soapGetStaticServiceList", "getProductInformationList"
    answers = {
        one: f"<ns1:Services>{static.format('')}</ns1:Services>",
        two: (
            f"<ns1:ActiveServerVersion>15.0.1</ns1:ActiveServerVersion><ns1:PrimaryNode>a"
            f"</ns1:PrimaryNode><ns1:SecondaryNode {NIL}/><ns1:Products><ns1:item>"
            "<ns1:ProductName>CUCM</ns1:ProductName><ns1:ProductVersion>15</ns1:ProductVersion>"
            "<ns1:ProductDescription/><ns1:ProductID>CallManager</ns1:ProductID>"
            "<ns1:ShortName>CCM</ns1:ShortName></ns1:item></ns1:Products><ns1:Services>"
            f"{static.format('<ns1:ProductID>CallManager</ns1:ProductID>')}</ns1:Services>"
        ),
    }

    def answer(request: httpx.Request) -> httpx.Response:
        name = request.headers["SOAPAction"].strip('"')
        inner = f"<ns1:{name}Return>{answers[name]}</ns1:{name}Return>"
        content = soap(f'<ns1:{name}Response xmlns:ns1="{NS}">{inner}</ns1:{name}Response>')
        return httpx.Response(200, content=content)

    client = client_over(Wire(answer))
    (service,) = await client.static_services()
    products = await client.products()
    await client.aclose()
    assert (service.type, service.deployable, service.dependents) == (
        ServiceType.SERVLET,
        True,
        ("A",),
    )
    assert (products.active_version, products.primary_node, products.secondary_node) == (
        "15.0.1",
        "a",
        "",
    )
    assert products.products[0].product_id == products.services[0].product_id == "CallManager"


async def test_extended_list_says_what_must_not_be_stopped() -> None:
    wire = answering(200, extended(extended_item("A Cisco DB", "DoNotStop"), extended_item("B")))
    client = client_over(wire)
    listed = await client.static_services_extended()
    await client.aclose()
    assert listed.primary_node
    assert [each.restrict for each in listed.services] == [Restrict.DO_NOT_STOP, Restrict.NONE]
    first = listed.services[0]
    assert (first.restrict_server, first.set_default, first.dependents, first.sequence_number) == (
        False,
        None,
        ("Cisco Example",),
        "3",
    )


# ── the old path ──────────────────────────────────────────────────────────────────────────


async def test_older_path_is_tried_after_404_and_kept() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path != OLD:
            return httpx.Response(404, content=b"<html>not here</html>")
        return httpx.Response(200, content=statuses(item("Cisco Tftp")))

    wire = Wire(answer)
    client = client_over(wire)
    await client.status()
    await client.status()
    await client.aclose()
    assert [request.url.path for request in wire.requests] == [NEW, OLD, OLD]


async def test_newer_path_that_has_answered_is_not_left_for_a_404() -> None:
    up = True

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200 if up else 404, content=statuses(item("Cisco Tftp")))

    wire = Wire(answer)
    client = client_over(wire)
    await client.status()
    up = False
    with pytest.raises(NodeFault, match="404"):
        await client.status()
    await client.aclose()
    assert {request.url.path for request in wire.requests} == {NEW}


async def test_404_on_both_paths_is_forgotten() -> None:
    up = False

    def answer(request: httpx.Request) -> httpx.Response:
        content = statuses(item("Cisco Tftp"))
        return httpx.Response(200 if up else 404, content=content)

    wire = Wire(answer)
    client = client_over(wire)
    with pytest.raises(NodeFault, match="404") as caught:
        await client.status()
    assert NEW in caught.value.report.headline
    up = True
    await client.status()
    await client.aclose()
    assert [request.url.path for request in wire.requests] == [NEW, OLD, NEW]


@pytest.mark.parametrize(
    ("status", "content", "error"),
    [
        (403, b"", RoleMissing),
        (503, b"", RateLimited),
        (500, fault("no such service"), NodeFault),
        (200, b"<html>hello</html>", UnknownLayout),
        (401, b"", AuthenticationFailed),
        (302, b"", NodeFault),
        (502, b"", NodeUnreachable),
    ],
)
async def test_older_path_is_not_tried_for_anything_but_404(
    status: int, content: bytes, error: type[Exception]
) -> None:
    wire = answering(status, content)
    client = client_over(wire)
    with pytest.raises(error):
        await client.control(ControlAction.RESTART, ["Cisco Tftp"])
    await client.aclose()
    assert len(wire.requests) == 1


@pytest.mark.parametrize(
    ("ask", "role"),
    [
        (lambda client: client.status(), "Standard CCM Server Monitoring"),
        (
            lambda client: client.control(ControlAction.STOP, ["Cisco Tftp"]),
            "Standard CCM Super Users",
        ),
        (lambda client: client.static_services_extended(), "Standard Admin"),
    ],
)
async def test_missing_role_is_named_for_what_was_asked(ask: Ask, role: str) -> None:
    client = client_over(answering(403))
    with pytest.raises(RoleMissing) as caught:
        await ask(client)
    await client.aclose()
    assert caught.value.role == role


# ── answers ───────────────────────────────────────────────────────────────────────────────


async def test_minus_one_and_dashes_are_nothing() -> None:
    client = client_over(answering(200, statuses(item("Cisco Tftp", up_time=-1))))
    record = (await client.status())["Cisco Tftp"]
    await client.aclose()
    assert (record.reason_code, record.reason, record.up_time_s) == (None, "", None)


async def test_nil_values_are_nothing() -> None:
    answer = statuses(
        f"<ns1:item><ns1:ServiceName>A</ns1:ServiceName><ns1:ServiceStatus {NIL}/>"
        f"<ns1:ReasonCode {NIL}/><ns1:ReasonCodeString {NIL}/><ns1:StartTime {NIL}/>"
        f"<ns1:UpTime {NIL}/></ns1:item>"
    )
    client = client_over(answering(200, answer))
    record = (await client.status())["A"]
    await client.aclose()
    assert (record.status, record.reason_code, record.start_time, record.up_time_s) == (
        "",
        None,
        "",
        None,
    )


async def test_unqualified_children_are_read() -> None:
    wire = answering(200, fixture("ccs-resp-calltelemetry-fixture-NOT-WSDL"))
    client = client_over(wire)
    found = await client.status()
    await client.aclose()
    assert found["Cisco CallManager"].up_time_s == 86400
    assert found["Cisco DHCP Monitor"].status == "Not Activated"


async def test_status_that_failed_is_a_fault_with_its_reason() -> None:
    answer = result("soapGetServiceStatus", return_code="-1", code=-1013)
    client = client_over(answering(200, answer))
    with pytest.raises(NodeFault, match="Internal error"):
        await client.status()
    await client.aclose()


GOOD = statuses(item("Cisco Tftp")).decode()
UNREADABLE = {
    "HTML": "<html><body>Sign in</body></html>",
    "nothing": "",
    "10 MB of nothing": " " * (10 << 20),
    "truncated": GOOD[: len(GOOD) // 2],
    "another answer": GOOD.replace("soapGetServiceStatusR", "selectCmDeviceR"),
    "no return": soap(f'<ns1:soapGetServiceStatusResponse xmlns:ns1="{NS}"/>').decode(),
    "no list": soap(
        f'<ns1:soapGetServiceStatusResponse xmlns:ns1="{NS}"><ns1:soapGetServiceStatusReturn>'
        "<ns1:ReturnCode>0</ns1:ReturnCode></ns1:soapGetServiceStatusReturn>"
        "</ns1:soapGetServiceStatusResponse>"
    ).decode(),
    "no services": statuses().decode(),
    "no status": GOOD.replace("<ns1:ServiceStatus>Started</ns1:ServiceStatus>", ""),
    "no reason code": GOOD.replace(
        "-1</ns1:ReasonCode><ns1:ReasonCodeString", "-1</ns1:ReasonCode><ns1:Other"
    ).replace("--</ns1:ReasonCodeString>", "--</ns1:Other>"),
    "a nil name": GOOD.replace(">Cisco Tftp<", "><"),
    "no name": GOOD.replace("ServiceName", "Name"),
    "status twice": GOOD.replace(
        "<ns1:ServiceStatus>", "<ServiceStatus>Stopped</ServiceStatus><ns1:ServiceStatus>"
    ),
    "a word for a number": GOOD.replace(">86400<", ">a day<"),
    "a number past all bounds": GOOD.replace(">86400<", f">{'9' * 19}<"),
    "structure for text": GOOD.replace(">Started<", "><b>Started</b><"),
    "references": GOOD.replace("<ns1:item>", '<ns1:item href="#id0">'),
    "something else in the list": GOOD.replace("ns1:item>", "ns1:service>"),
    "a name twice that differs": statuses(item("A"), item("A", "Stopped")).decode(),
    "a DTD": f"<!DOCTYPE x [<!ENTITY e 'x'>]>{GOOD}",
}


@pytest.mark.parametrize("name", UNREADABLE)
async def test_unreadable_status_is_a_typed_error_and_an_unknown(name: str) -> None:
    assert UNREADABLE[name] != GOOD
    wire = answering(200, UNREADABLE[name].encode())
    client, transport = client_over(wire), ControlCenterTransport(access_over(wire))
    with pytest.raises(UnknownLayout):
        await client.status()
    fact = await transport.observe(ServiceOn(PUB.name, Service.TFTP))
    await client.aclose()
    await transport.aclose()
    assert isinstance(fact, Unknown)
    assert fact.why is Why.UNREADABLE


@pytest.mark.parametrize(
    "answer",
    [
        extended(extended_item("A"), primary="True"),
        extended(extended_item("A"), primary=""),
        extended(extended_item("A", "Perhaps")),
        extended(extended_item("A").replace(">no<", ">false<")),
        extended(extended_item("A").replace(">Service<", ">Daemon<")),
        extended(extended_item("A").replace(">true<", ">yes<")),
    ],
)
async def test_wrong_word_in_the_extended_list_is_a_typed_error(answer: bytes) -> None:
    client = client_over(answering(200, answer))
    with pytest.raises(UnknownLayout):
        await client.static_services_extended()
    await client.aclose()


# ── the seam: looking ─────────────────────────────────────────────────────────────────────


async def seen(*items: str, service: Service = Service.TFTP) -> Fact:
    transport = ControlCenterTransport(access_over(answering(200, statuses(*items))))
    fact = await transport.observe(ServiceOn(PUB.name, service))
    await transport.aclose()
    return fact


async def test_service_started_no_later_than_it_did() -> None:
    fact = await seen(item("Cisco Tftp", up_time=100))
    began = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    state = ServiceState(ServiceStatus.STARTED, started_at=began - dt.timedelta(seconds=101))
    assert fact == Known(state, began, f"{Interface.CONTROL_CENTER} {PUB.name}")


async def test_look_that_takes_long_counts_from_its_beginning() -> None:
    clock = ManualClock()

    async def answer(_: httpx.Request) -> httpx.Response:
        await clock.sleep(30)
        return httpx.Response(200, content=statuses(item("Cisco Tftp", up_time=5)))

    wire = answering(200)
    wire.transport = httpx.MockTransport(answer)
    began = clock.now()
    transport = ControlCenterTransport(access_over(wire, clock))
    fact = await transport.observe(ServiceOn(PUB.name, Service.TFTP))
    await transport.aclose()
    assert isinstance(fact, Known)
    assert fact.at == began
    assert fact.value.started_at == began - dt.timedelta(seconds=6)


@pytest.mark.parametrize(
    ("text", "state"),
    [
        (item("Cisco Tftp", up_time=-1), ServiceState(ServiceStatus.STARTED)),
        (item("Cisco Tftp", "Starting"), ServiceState(ServiceStatus.STARTING)),
        (item("Cisco Tftp", "Stopping"), ServiceState(ServiceStatus.STOPPING)),
        (item("Cisco Tftp", "Stopped", up_time=-1), ServiceState(ServiceStatus.STOPPED)),
        (
            item("Cisco Tftp", "Stopped", -1019, "Component is not running", -1),
            ServiceState(ServiceStatus.STOPPED),
        ),
        (
            item("Cisco Tftp", "Stopped", -1068, "Service Not Activated", -1),
            ServiceState(ServiceStatus.STOPPED, activated=False),
        ),
        (
            item("Cisco Tftp", "Stopped", -1069, "Commanded Out of Service", -1),
            ServiceState(ServiceStatus.STOPPED, activated=False),
        ),
    ],
)
async def test_status_becomes_state(text: str, state: ServiceState) -> None:
    fact = await seen(text)
    assert isinstance(fact, Known)
    assert fact.value == state


@pytest.mark.parametrize(
    ("items", "why"),
    [
        ([item("Cisco Tftp", "Unknown")], Why.FAULT),
        ([item("Cisco Tftp", "Not Activated")], Why.UNREADABLE),
        ([item("Cisco Tftp", "")], Why.UNREADABLE),
        ([item("Cisco Tftp", "Started", -1068)], Why.UNREADABLE),
        ([item("Cisco CallManager")], Why.UNREADABLE),
    ],
)
async def test_status_that_says_nothing_is_unknown(items: list[str], why: Why) -> None:
    fact = await seen(*items)
    assert isinstance(fact, Unknown)
    assert fact.why is why


async def test_all_services_come_by_the_names_that_the_command_line_prints() -> None:
    name = "Cisco Certificate Change Notification"
    wire = answering(200, statuses(item("Cisco Tftp"), item(f"{name} Service", "Stopped")))
    transport = ControlCenterTransport(access_over(wire))
    fact = await transport.observe(ServicesOn(PUB.name))
    await transport.aclose()
    assert isinstance(fact, Known)
    assert {key: state.status for key, state in fact.value.items()} == {
        "Cisco Tftp": ServiceStatus.STARTED,
        name: ServiceStatus.STOPPED,
    }


async def test_two_spellings_that_differ_are_unknown() -> None:
    name = "Cisco Certificate Change Notification"
    wire = answering(200, statuses(item(name), item(f"{name} Service", "Stopped")))
    transport = ControlCenterTransport(access_over(wire))
    fact = await transport.observe(ServicesOn(PUB.name))
    await transport.aclose()
    assert isinstance(fact, Unknown)
    assert fact.why is Why.UNREADABLE


async def test_one_service_that_nobody_knows_makes_the_whole_list_unknown() -> None:
    wire = answering(200, statuses(item("Cisco Tftp"), item("Cisco CallManager", "Unknown")))
    transport = ControlCenterTransport(access_over(wire))
    whole = await transport.observe(ServicesOn(PUB.name))
    one = await transport.observe(ServiceOn(PUB.name, Service.TFTP))
    await transport.aclose()
    assert isinstance(whole, Unknown)
    assert isinstance(one, Known)


async def test_one_listing_serves_what_is_asked_together() -> None:
    wire = answering(200, statuses(item("Cisco Tftp"), item("Cisco CallManager")))
    clock = ManualClock()
    transport = ControlCenterTransport(access_over(wire, clock))
    for service in (Service.TFTP, Service.CALLMANAGER):
        assert isinstance(await transport.observe(ServiceOn(PUB.name, service)), Known)
    await transport.observe(ServiceOn("cucm-sub", Service.TFTP))
    assert [request.url.host for request in wire.requests] == ["127.0.0.1", "127.0.0.2"]
    await clock.sleep(1)
    fact = await transport.observe(ServiceOn(PUB.name, Service.TFTP))
    await transport.aclose()
    assert fact.at == clock.now()
    assert len(wire.requests) == 3


@pytest.mark.parametrize(
    ("status", "content", "why"),
    [
        (403, b"", Why.NOT_PERMITTED),
        (503, b"", Why.BUSY),
        (500, fault("Exceeded allowed rate"), Why.BUSY),
        (500, fault("something else"), Why.FAULT),
        (404, b"", Why.UNREACHABLE),
        (502, b"", Why.UNREACHABLE),
    ],
)
async def test_answer_that_is_none_says_why(status: int, content: bytes, why: Why) -> None:
    transport = ControlCenterTransport(access_over(answering(status, content)))
    fact = await transport.observe(ServicesOn(PUB.name))
    await transport.aclose()
    assert isinstance(fact, Unknown)
    assert fact.why is why
    assert bool(fact.role) == (why is Why.NOT_PERMITTED)


async def test_refused_account_is_raised_to_the_caller() -> None:
    transport = ControlCenterTransport(access_over(answering(401)))
    with pytest.raises(AuthenticationFailed):
        await transport.observe(ServicesOn(PUB.name))
    with pytest.raises(AuthenticationFailed):
        await transport.perform(TFTP)
    await transport.aclose()


async def test_what_it_does_not_do_is_neither_asked_nor_sent() -> None:
    wire = answering(200, statuses(item("Cisco Tftp")))
    transport = ControlCenterTransport(access_over(wire))
    for query in (ServiceOn("elsewhere", Service.TFTP), CertificateOf(PUB.name, CertUnit.TVS)):
        assert not transport.supports(query)
        fact = await transport.observe(query)
        assert isinstance(fact, Unknown)
        assert fact.why is Why.NOT_ASKED
    for command in (
        RestartService(PUB.name, Service.TOMCAT),
        RestartService(PUB.name, Service.HAPROXY),
        RestartService("elsewhere", Service.TFTP),
        StopService(PUB.name, Service.TOMCAT),
        StartService("elsewhere", Service.TFTP),
        DeleteTrust(PUB.name, "tomcat-trust", "a.pem"),
        Regenerate(PUB.name, CertUnit.TVS),
    ):
        assert not transport.supports(command)
        reply = await transport.perform(command)
        assert (reply.kind, reply.sent) == (ReplyKind.REFUSED, False)
    await transport.aclose()
    assert wire.requests == []
    assert all(
        transport.supports(drive(PUB.name, service)) == (service.value not in NOT_BY_SOAP)
        for service in Service
        for drive in (RestartService, StopService, StartService)
    )


# ── the seam: restarting ──────────────────────────────────────────────────────────────────


def node(restart: httpx.Response | Exception, ex: httpx.Response | Exception | None = None) -> Wire:
    """A node with an Ex interface, and what it answers to a restart."""
    listed = httpx.Response(200, content=extended(extended_item("Cisco Tftp")))

    def answer(request: httpx.Request) -> httpx.Response:
        reply = (ex or listed) if request.url.path == EX else restart
        if isinstance(reply, Exception):
            raise reply
        return httpx.Response(reply.status_code, content=reply.content, headers=reply.headers)

    return Wire(answer)


def controls(wire: Wire) -> list[httpx.Request]:
    return [request for request in wire.requests if b"ControlType" in request.content]


async def restarted(wire: Wire) -> Reply:
    transport = ControlCenterTransport(access_over(wire))
    reply = await transport.perform(TFTP)
    await transport.aclose()
    return reply


def ok(content: bytes) -> httpx.Response:
    return httpx.Response(200, content=content)


TAKEN = control(item("Cisco Tftp", "Stopping"))


async def test_restart_that_was_taken_is_accepted_and_sent_once_to_its_own_node() -> None:
    wire = node(ok(TAKEN))
    reply = await restarted(wire)
    assert (reply.kind, reply.sent) == (ReplyKind.ACCEPTED, True)
    assert reply.text == "ReturnCode 0, Cisco Tftp: Stopping;"
    (sent,) = controls(wire)
    texts = {
        element.tag.partition("}")[2]: element.text for element in fromstring(sent.content).iter()
    }
    assert (texts["NodeName"], texts["ControlType"], texts["item"]) == (
        PUB.name,
        "Restart",
        "Cisco Tftp",
    )


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (control(item("Cisco Tftp", "Stopping", -1048)), ReplyKind.ACCEPTED),
        (control(item("Cisco Tftp", "Stopping"), code=-1029), ReplyKind.ACCEPTED),
        (control(item("Cisco Tftp", "Stopping", "", "")), ReplyKind.ACCEPTED),
        (control(item("Cisco Tftp", "Stopped", -1068), return_code="-1"), ReplyKind.REFUSED),
        (control(item("Cisco Tftp", "Stopped", -1068)), ReplyKind.REFUSED),
        (control(return_code="-1", code=-1010), ReplyKind.REFUSED),
        (control(return_code="-1", code=-1011), ReplyKind.REFUSED),
        (control(item("Cisco Tftp"), return_code="-1", code=-1042), ReplyKind.REFUSED),
        (control(item("Cisco Tftp", "Stopped", -1069), return_code="-1"), ReplyKind.REFUSED),
        (control(item("Cisco Tftp", "Stopped", -1069)), ReplyKind.LOST),
        (control(item("Cisco Tftp", "Stopped", -1019)), ReplyKind.LOST),
        (control(item("Cisco Tftp", code=-1039)), ReplyKind.LOST),
        (control(item("Cisco Tftp"), return_code="-1", code=-1031), ReplyKind.LOST),
        (control(item("Cisco Tftp"), return_code="-1", code=-9999), ReplyKind.LOST),
        (control(item("Cisco Tftp"), return_code="-1"), ReplyKind.LOST),
        (control(item("Cisco Tftp"), return_code=""), ReplyKind.LOST),
        (control(item("Cisco CallManager")), ReplyKind.LOST),
        (control(), ReplyKind.LOST),
        (statuses(item("Cisco Tftp")), ReplyKind.LOST),
        (b"<html>hello</html>", ReplyKind.LOST),
        (TAKEN[:200], ReplyKind.LOST),
    ],
)
async def test_answer_to_a_restart_says_what_became_of_it(answer: bytes, kind: ReplyKind) -> None:
    wire = node(ok(answer))
    assert (await restarted(wire)).kind is kind
    assert len(controls(wire)) == 1


async def test_refusal_is_told_in_words() -> None:
    reply = await restarted(node(ok(control(item("Cisco Tftp", "Stopped", -1068), code=-1010))))
    assert "-1010 No such service" in reply.text
    assert "-1068 Service Not Activated" in reply.text


@pytest.mark.parametrize(
    ("answer", "kind", "sent"),
    [
        (httpx.ConnectError("refused"), ReplyKind.REFUSED, False),
        (httpx.ReadError("reset"), ReplyKind.LOST, True),
        (httpx.ReadTimeout("slow"), ReplyKind.LOST, True),
        (httpx.Response(502), ReplyKind.LOST, True),
        (httpx.Response(503), ReplyKind.REFUSED, True),
        (httpx.Response(403), ReplyKind.REFUSED, True),
        (httpx.Response(500, content=fault("no")), ReplyKind.REFUSED, True),
        (httpx.Response(500, content=b"<html>oops</html>"), ReplyKind.LOST, True),
    ],
)
async def test_restart_without_an_answer_is_lost_unless_it_was_turned_down(
    answer: httpx.Response | Exception, kind: ReplyKind, sent: bool
) -> None:
    wire = node(answer)
    reply = await restarted(wire)
    assert (reply.kind, reply.sent) == (kind, sent)
    assert len(controls(wire)) == 1


async def test_service_that_must_not_be_stopped_is_refused_and_nothing_is_sent() -> None:
    wire = node(ok(TAKEN), ok(extended(extended_item("Cisco Tftp", "DoNotStop"))))
    reply = await restarted(wire)
    assert (reply.kind, reply.sent) == (ReplyKind.REFUSED, False)
    assert "DoNotStop" in reply.text
    assert controls(wire) == []


async def test_service_of_the_primary_node_is_left_to_the_node() -> None:
    ex = ok(extended(extended_item("Cisco Tftp", "PrimaryNode"), primary="false"))
    assert (await restarted(node(ok(TAKEN), ex))).kind is ReplyKind.ACCEPTED


async def test_restrictions_are_asked_for_once() -> None:
    wire = node(ok(TAKEN))
    transport = ControlCenterTransport(access_over(wire))
    await transport.perform(TFTP)
    await transport.perform(TFTP)
    await transport.aclose()
    assert [request.url.path for request in wire.requests] == [EX, NEW, NEW]


@pytest.mark.parametrize(
    "ex",
    [
        httpx.Response(403),
        httpx.Response(404),
        httpx.Response(500, content=fault("could not find a target service")),
    ],
)
async def test_restart_goes_without_the_ex_interface_and_says_so(ex: httpx.Response) -> None:
    reply = await restarted(node(ok(TAKEN), ex))
    assert reply.kind is ReplyKind.ACCEPTED
    assert "without knowing what must not be stopped" in reply.text


@pytest.mark.parametrize(
    "ex",
    [
        httpx.ReadError("reset"),
        httpx.ConnectError("refused"),
        httpx.Response(503),
        httpx.Response(200, content=extended(extended_item("Cisco Tftp", "Perhaps"))),
        httpx.Response(200, content=b"<html>hello</html>"),
    ],
)
async def test_restart_waits_if_nobody_can_say_what_must_not_be_stopped(
    ex: httpx.Response | Exception,
) -> None:
    wire = node(ok(TAKEN), ex)
    reply = await restarted(wire)
    assert (reply.kind, reply.sent) == (ReplyKind.REFUSED, False)
    assert controls(wire) == []


async def test_a_listing_from_before_a_restart_is_not_used_after_it() -> None:
    up_time_s = 86400

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == EX:
            return ok(extended(extended_item("Cisco Tftp")))
        if b"ControlType" in request.content:
            return ok(TAKEN)
        return ok(statuses(item("Cisco Tftp", up_time=up_time_s)))

    wire = Wire(answer)
    transport = ControlCenterTransport(access_over(wire))
    before = await transport.observe(ServiceOn(PUB.name, Service.TFTP))
    await transport.perform(TFTP)
    up_time_s = 0
    after = await transport.observe(ServiceOn(PUB.name, Service.TFTP))
    await transport.aclose()
    assert isinstance(before, Known)
    assert isinstance(after, Known)
    assert after.value.started_at > before.value.started_at


async def test_password_that_a_node_repeats_is_not_in_the_reply() -> None:
    secret = INVENTORY.application.password.reveal()
    reply = await restarted(node(ok(control(return_code="-1", code=-1013, words=secret))))
    assert secret not in reply.text


# ── the seam: stopping and starting ───────────────────────────────────────────────────────

NOTIFY = Service.CERTIFICATE_CHANGE_NOTIFICATION
STOP, START = StopService(PUB.name, NOTIFY), StartService(PUB.name, NOTIFY)


@pytest.mark.parametrize(
    ("command", "answer", "kind"),
    [
        (STOP, control(item(NOTIFY, "Stopping")), ReplyKind.ACCEPTED),
        (STOP, control(item(NOTIFY, "Stopped", -1069)), ReplyKind.ACCEPTED),
        (STOP, control(item(f"{NOTIFY} Service", "Stopped")), ReplyKind.ACCEPTED),
        (STOP, control(item(NOTIFY, "Stopped", -1040), return_code="-1"), ReplyKind.REFUSED),
        (STOP, control(item(NOTIFY, "Stopped"), return_code="-1"), ReplyKind.LOST),
        (STOP, control(item(NOTIFY, "Started", -1039)), ReplyKind.LOST),
        (START, control(item(NOTIFY, "Starting")), ReplyKind.ACCEPTED),
        (START, control(item(NOTIFY, "Started", -1039)), ReplyKind.REFUSED),
        (START, control(item(NOTIFY, "Stopped", -1068)), ReplyKind.REFUSED),
        (START, control(item(NOTIFY, "Stopped", -1069)), ReplyKind.LOST),
        (START, control(), ReplyKind.LOST),
    ],
)
async def test_answer_to_a_stop_and_to_a_start_says_what_became_of_it(
    command: StopService | StartService, answer: bytes, kind: ReplyKind
) -> None:
    wire = node(ok(answer))
    transport = ControlCenterTransport(access_over(wire))
    reply = await transport.perform(command)
    await transport.aclose()
    assert (reply.kind, reply.sent) == (kind, True)
    (sent,) = controls(wire)
    (word,) = fromstring(sent.content).iter(f"{{{NS}}}ControlType")
    assert word.text == ("Stop" if command is STOP else "Start")


async def test_what_must_not_be_stopped_is_not_stopped_but_may_be_started() -> None:
    wire = node(ok(control(item(NOTIFY))), ok(extended(extended_item(NOTIFY, "DoNotStop"))))
    transport = ControlCenterTransport(access_over(wire))
    stopped, started = await transport.perform(STOP), await transport.perform(START)
    await transport.aclose()
    assert (stopped.kind, stopped.sent) == (ReplyKind.REFUSED, False)
    assert started.kind is ReplyKind.ACCEPTED
    assert len(controls(wire)) == 1


async def test_a_start_does_not_wait_for_what_must_not_be_stopped() -> None:
    wire = node(ok(control(item(NOTIFY, "Starting"))), httpx.ReadError("reset"))
    transport = ControlCenterTransport(access_over(wire))
    assert (await transport.perform(START)).kind is ReplyKind.ACCEPTED
    assert (await transport.perform(STOP)).sent is False
    await transport.aclose()
    assert [request.url.path for request in wire.requests].count(NEW) == 1


# ── reason codes ──────────────────────────────────────────────────────────────────────────


async def test_every_reason_code_has_a_verdict_and_none_of_them_is_success() -> None:
    for code in REASON_CODES:
        for control_type in ("Start", "Stop", "Restart"):
            said = verdict(code, control_type, failed=True)
            assert (said is Verdict.NOTHING) == (code == -1)
            assert said is not Verdict.PENDING
    assert verdict(-1039, "Start", failed=False) is Verdict.NOT_DONE
    assert verdict(-1040, "Stop", failed=False) is Verdict.NOT_DONE
    assert verdict(-1039, "Stop", failed=False) is Verdict.IN_DOUBT
    assert verdict(-1069, "Stop", failed=False) is Verdict.NOTHING
    assert verdict(-1069, "Start", failed=False) is Verdict.IN_DOUBT
    assert verdict(-424242, "Restart", failed=False) is Verdict.IN_DOUBT
