"""PerfMon: requests against genuine ones, rate limit, sessions, and counts that are no guess."""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as ET
from collections.abc import Awaitable, Callable

import httpx
import pytest
from defusedxml.ElementTree import fromstring
from hypothesis import given
from hypothesis import strategies as st

from cucm_certflow.commands import ReplyKind, RestartService
from cucm_certflow.errors import (
    AuthenticationFailed,
    NodeFault,
    RateLimited,
    RoleMissing,
    UnknownLayout,
)
from cucm_certflow.facts import (
    Fact,
    Known,
    RegistrationCounts,
    Registrations,
    ServicesOn,
    TftpCounters,
    Unknown,
    Why,
)
from cucm_certflow.inventory import Inventory, NodeEntry
from cucm_certflow.names import Interface, Service
from cucm_certflow.transports.access import Access
from cucm_certflow.transports.breaker import Breaker
from cucm_certflow.transports.budget import Budgets
from cucm_certflow.transports.perfmon import CALLMANAGER_OBJECT, TFTP_OBJECT, PerfmonTransport
from cucm_certflow.transports.perfmon_client import CounterPath, CounterValue, PerfmonClient
from cucm_certflow.transports.pins import Pins
from tests.web.helpers import (
    ACCOUNT,
    INVENTORY,
    PUB,
    SUB,
    ManualClock,
    Wire,
    answering,
    fixture,
    soap,
)

PATH = "/perfmonservice2/services/PerfmonService"
NS = "http://schemas.cisco.com/ast/soap"
NIL = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"'
CALLS = CounterPath("10.209.1.3", "Cisco CallManager", "CallsActive")
RATE = "Exceeded allowed rate for Perfmon information. Current allowed rate is 50 requests a minute"
Ask = Callable[[PerfmonClient], Awaitable[object]]


def access_over(
    wire: Wire, clock: ManualClock | None = None, inventory: Inventory = INVENTORY
) -> Access:
    clock = clock or ManualClock()
    return Access(
        inventory=inventory,
        clock=clock,
        pins=Pins(),
        breaker=Breaker(),
        budgets=Budgets(clock),
        wire=lambda node, network: wire.transport,
    )


def client_over(wire: Wire, clock: ManualClock | None = None) -> PerfmonClient:
    return PerfmonClient(PUB, access_over(wire, clock))


def response(operation: str, inner: str = "") -> bytes:
    return soap(f'<ns1:{operation}Response xmlns:ns1="{NS}">{inner}</ns1:{operation}Response>')


def counter(name: str, value: int | str = 7, status: int | str = 1, prefix: str = "ns1:") -> str:
    tag = f"{prefix}perfmonCollectCounterDataReturn"
    return (
        f"<{tag}><{prefix}Name>{name}</{prefix}Name><{prefix}Value>{value}</{prefix}Value>"
        f"<{prefix}CStatus>{status}</{prefix}CStatus></{tag}>"
    )


def data(*counters: str) -> bytes:
    return response("perfmonCollectCounterData", "".join(counters))


def fault(words: str, code: str = "soapenv:Server") -> httpx.Response:
    content = soap(
        f"<soapenv:Fault><faultcode>{code}</faultcode>"
        f"<faultstring>{words}</faultstring></soapenv:Fault>"
    )
    return httpx.Response(500, content=content)


def operation_of(request: httpx.Request) -> str:
    return request.headers["SOAPAction"].strip('"')


def outline(element: ET.Element) -> list[tuple[str, str]]:
    return [(each.tag, (each.text or "").strip()) for each in element.iter()]


def body_of(document: bytes) -> ET.Element:
    """The content of the Body: the samples differ in their empty headers."""
    root: ET.Element = fromstring(document)
    return root[-1][0]


# ── paths ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (r"\\10.209.1.3\Memory\% Mem Used", ("10.209.1.3", "Memory", "% Mem Used", "")),
        (r"\\pub\Process(java#1)\Page Faults", ("pub", "Process", "Page Faults", "java#1")),
        (r"\\pub\Cisco Lines(A(1)\+46)\Active", ("pub", "Cisco Lines", "Active", r"A(1)\+46")),
    ],
)
def test_counter_path_is_read_and_written(text: str, path: tuple[str, ...]) -> None:
    assert CounterPath.parse(text) == CounterPath(*path)
    assert str(CounterPath.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "CallsActive",
        r"\pub\Memory\Used",
        r"\\pub\Used",
        r"\\\Memory\Used",
        r"\\pub\\Used",
        "\\\\pub\\Memory\\",
        r"\\\\10.0.0.1\\Cisco CallManager\\CallsActive",
    ],
)
def test_what_is_no_counter_path_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        CounterPath.parse(text)


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\\()\n\r"), min_size=1)


@given(WORDS, WORDS, WORDS, st.one_of(st.just(""), WORDS))
def test_every_counter_path_survives_the_way_there_and_back(
    host: str, name: str, counter_name: str, instance: str
) -> None:
    path = CounterPath(host, name, counter_name, instance)
    assert CounterPath.parse(str(path)) == path


# ── requests ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.asyncio
async def test_one_shot_request_is_the_genuine_one() -> None:
    wire = answering(200, data())
    client = client_over(wire)
    await client.collect_counter_data("127.0.0.1", "Cisco CallManager")
    await client.aclose()
    (sent,) = wire.requests
    genuine = fixture("perfmon-req-perfmonCollectCounterData-devnet")
    assert outline(body_of(sent.content)) == outline(body_of(genuine))
    assert (sent.method, sent.url.path) == ("POST", PATH)
    assert sent.headers["SOAPAction"] == '"perfmonCollectCounterData"'


@pytest.mark.asyncio
async def test_counters_are_added_as_in_the_genuine_request() -> None:
    wire = answering(200, response("perfmonAddCounter"))
    client = client_over(wire)
    names = ("Cisco CallManager\\CallsActive", "Cisco CallManager\\CallsAttempted")
    counters = [CounterPath.parse(rf"\\10.209.1.3\{name}") for name in names]
    counters.append(CounterPath("10.209.1.3", "Memory", "% Mem Used"))
    await client.add_counters("9830a5d4-48b1-11e4-8000-000c29ff920f", counters)
    await client.aclose()
    genuine = fixture("perfmon-req-perfmonAddCounter")
    assert outline(body_of(wire.requests[0].content)) == outline(body_of(genuine))


FIELDS: list[tuple[str, Ask, list[str]]] = [
    ("perfmonOpenSession", lambda client: client.open_session(), []),
    (
        "perfmonRemoveCounter",
        lambda client: client.remove_counters("h", [CALLS]),
        ["SessionHandle", "ArrayOfCounter", "Counter", "Name"],
    ),
    (
        "perfmonCollectSessionData",
        lambda client: client.collect_session_data("h"),
        ["SessionHandle"],
    ),
    ("perfmonCloseSession", lambda client: client.close_session("h"), ["SessionHandle"]),
    ("perfmonListCounter", lambda client: client.list_counters("pub"), ["Host"]),
    ("perfmonListInstance", lambda client: client.list_instances("pub", "x"), ["Host", "Object"]),
    (
        "perfmonQueryCounterDescription",
        lambda client: client.counter_description(CALLS),
        ["Counter"],
    ),
]


@pytest.mark.parametrize(("operation", "ask", "fields"), FIELDS)
@pytest.mark.asyncio
async def test_request_has_the_fields_of_the_wsdl_in_order_and_qualified(
    operation: str, ask: Ask, fields: list[str]
) -> None:
    wire = answering(200, soap("<somethingElse/>"))
    client = client_over(wire)
    with pytest.raises(UnknownLayout):
        await ask(client)
    await client.aclose()
    (sent,) = wire.requests
    tags = [element.tag for element in body_of(sent.content).iter()]
    assert tags == [f"{{{NS}}}{name}" for name in [operation, *fields]]
    assert operation_of(sent) == operation


@pytest.mark.asyncio
async def test_lists_and_descriptions_are_read() -> None:
    answers = {
        "perfmonListCounter": (
            "<ns1:perfmonListCounterReturn><ns1:Name>Memory</ns1:Name>"
            "<ns1:MultiInstance>false</ns1:MultiInstance><ns1:ArrayOfCounter><ns1:item>"
            "<ns1:Name>% Mem Used</ns1:Name></ns1:item></ns1:ArrayOfCounter>"
            "</ns1:perfmonListCounterReturn>"
        ),
        "perfmonListInstance": (
            "<ns1:perfmonListInstanceReturn><ns1:Name>java#1</ns1:Name>"
            "</ns1:perfmonListInstanceReturn>"
        ),
        "perfmonQueryCounterDescription": (
            "<ns1:perfmonQueryCounterDescriptionReturn>what it counts"
            "</ns1:perfmonQueryCounterDescriptionReturn>"
        ),
    }
    wire = Wire(
        lambda request: httpx.Response(
            200, content=response(operation_of(request), answers[operation_of(request)])
        )
    )
    client = client_over(wire)
    (listed,) = await client.list_counters("pub")
    assert (listed.name, listed.multi_instance, listed.counters) == (
        "Memory",
        False,
        ("% Mem Used",),
    )
    assert await client.list_instances("pub", "Process") == ("java#1",)
    assert await client.counter_description(CALLS) == "what it counts"
    await client.aclose()


# ── sessions ──────────────────────────────────────────────────────────────────────────────


def session_node(
    failing: str = "", answer: httpx.Response | None = None, handle: str = "a-handle"
) -> Wire:
    """A node with sessions; *failing* is the operation that gets *answer* instead."""
    genuine = fixture("perfmon-resp-perfmonCollectSessionData")
    # The README that it comes from lost the last slash of the envelope's namespace.
    genuine = genuine.replace(b'soap/envelope"', b'soap/envelope/"')

    def reply(request: httpx.Request) -> httpx.Response:
        operation = operation_of(request)
        if operation == failing:
            broken = answer or httpx.Response(502)
            return httpx.Response(broken.status_code, content=broken.content)
        if operation == "perfmonCollectSessionData":
            return httpx.Response(200, content=genuine)
        inner = f"<ns1:perfmonOpenSessionReturn>{handle}</ns1:perfmonOpenSessionReturn>"
        is_open = operation == "perfmonOpenSession"
        return httpx.Response(200, content=response(operation, inner if is_open else ""))

    return Wire(reply)


@pytest.mark.asyncio
async def test_session_gives_what_the_genuine_answer_says_and_is_closed() -> None:
    wire = session_node()
    client = client_over(wire)
    async with client.session([CALLS]) as session:
        values = await session.collect()
    await client.aclose()
    assert values[0] == CounterValue(CALLS, 0, 0)
    assert [(each.path.counter, each.value, each.is_good) for each in values] == [
        ("CallsActive", 0, True),
        ("CallsAttempted", 167, True),
        ("% Mem Used", 57, True),
    ]
    assert [operation_of(request) for request in wire.requests] == [
        "perfmonOpenSession",
        "perfmonAddCounter",
        "perfmonCollectSessionData",
        "perfmonCloseSession",
    ]
    assert b"a-handle" in wire.requests[-1].content


@pytest.mark.parametrize("failing", ["perfmonAddCounter", "perfmonCollectSessionData"])
@pytest.mark.asyncio
async def test_session_is_closed_after_an_error_which_is_the_one_that_is_raised(
    failing: str,
) -> None:
    wire = session_node(failing, fault(f"no {failing}"))
    client = client_over(wire)
    with pytest.raises(NodeFault, match=f"no {failing}"):
        async with client.session([CALLS]) as session:
            await session.collect()
    await client.aclose()
    assert operation_of(wire.requests[-1]) == "perfmonCloseSession"


@pytest.mark.parametrize(
    "answer", [fault("no"), httpx.Response(502), httpx.Response(401), httpx.Response(200)]
)
@pytest.mark.asyncio
async def test_session_that_cannot_be_closed_raises_nothing(answer: httpx.Response) -> None:
    wire = session_node("perfmonCloseSession", answer)
    client = client_over(wire)
    async with client.session([CALLS]) as session:
        values = await session.collect()
    await client.aclose()
    assert len(values) == 3
    assert operation_of(wire.requests[-1]) == "perfmonCloseSession"


@pytest.mark.asyncio
async def test_session_is_closed_when_its_task_is_cancelled() -> None:
    wire = session_node()
    client = client_over(wire)
    inside = asyncio.Event()

    async def story() -> None:
        async with client.session([CALLS]):
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(story())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await client.aclose()
    assert operation_of(wire.requests[-1]) == "perfmonCloseSession"


@pytest.mark.asyncio
async def test_session_without_a_handle_is_a_typed_error_and_nothing_is_added() -> None:
    wire = session_node(handle="")
    client = client_over(wire)
    with pytest.raises(UnknownLayout):
        async with client.session([CALLS]):
            pytest.fail("there is no session")
    with pytest.raises(ValueError, match="counter"):
        await client.add_counters("a-handle", [])
    await client.aclose()
    assert [operation_of(request) for request in wire.requests] == ["perfmonOpenSession"]


# ── the budget ────────────────────────────────────────────────────────────────────────────


@pytest.mark.asyncio
async def test_request_that_came_too_often_is_sent_three_times_in_all_with_longer_pauses() -> None:
    clock = ManualClock()
    wire = Wire(lambda _: fault(RATE))
    client = client_over(wire, clock)
    with pytest.raises(RateLimited):
        await client.collect_counter_data("pub", "Memory")
    await client.aclose()
    assert len(wire.requests) == 3
    assert clock.slept == [10, 20]


@pytest.mark.asyncio
async def test_request_after_a_rate_fault_gets_its_answer() -> None:
    answers = [fault(RATE), httpx.Response(503), httpx.Response(200, content=data())]
    clock = ManualClock()
    wire = Wire(lambda _: answers.pop(0))
    client = client_over(wire, clock)
    assert await client.collect_counter_data("pub", "Memory") == ()
    await client.aclose()
    assert clock.slept == [10, 20]


@pytest.mark.asyncio
async def test_all_who_ask_share_one_budget() -> None:
    clock = ManualClock()
    wire = answering(200, data())
    access = access_over(wire, clock)
    clients = [PerfmonClient(node, access) for node in (PUB, SUB)]
    for _ in range(access.budgets.perfmon.per_minute // 2):
        for client in clients:
            await client.collect_counter_data("pub", "Memory")
    assert clock.slept == []
    await clients[0].collect_counter_data("pub", "Memory")
    for client in clients:
        await client.aclose()
    assert clock.slept == [60]
    assert access.budgets.spent == {Interface.PERFMON: len(wire.requests)}


@pytest.mark.parametrize("attempts", [0, -1])
def test_client_that_would_never_send_is_not_made(attempts: int) -> None:
    with pytest.raises(ValueError, match="attempts"):
        PerfmonClient(PUB, access_over(answering(200)), attempts=attempts)


# ── the seam ──────────────────────────────────────────────────────────────────────────────


async def registrations(wire: Wire, node: str = PUB.name) -> Fact:
    transport = PerfmonTransport(access_over(wire))
    fact = await transport.observe(RegistrationCounts(node))
    await transport.aclose()
    return fact


def phones(name: str = "RegisteredHardwarePhones", host: str = PUB.name) -> str:
    return rf"\\{host}\Cisco CallManager\{name}"


@pytest.mark.asyncio
async def test_registrations_of_any_node_are_asked_of_the_publisher() -> None:
    wire = answering(200, data(counter(phones(host=SUB.name), 412)))
    transport = PerfmonTransport(access_over(wire))
    fact = await transport.observe(RegistrationCounts(SUB.name))
    at = transport._access.clock.now()
    await transport.aclose()
    assert isinstance(fact, Known)
    assert dict(fact.value) == {"RegisteredHardwarePhones": 412}
    assert (fact.at, fact.by) == (at, f"{Interface.PERFMON} {SUB.name}")
    (sent,) = wire.requests
    assert sent.url.host == PUB.address
    assert [element.text for element in body_of(sent.content)] == [SUB.name, CALLMANAGER_OBJECT]


@pytest.mark.asyncio
async def test_tftp_counters_are_those_of_its_object() -> None:
    wire = answering(200, data(counter(rf"\\{PUB.name}\{TFTP_OBJECT}\HttpRequests", 9)))
    transport = PerfmonTransport(access_over(wire))
    fact = await transport.observe(TftpCounters(PUB.name))
    await transport.aclose()
    assert isinstance(fact, Known)
    assert dict(fact.value) == {"HttpRequests": 9}
    assert body_of(wire.requests[0].content)[1].text == "Cisco TFTP Server"


@pytest.mark.asyncio
async def test_only_values_that_are_valid_are_counted() -> None:
    good = [counter(phones("A"), 1, 0), counter(phones("B"), 2, 1)]
    bad = [counter(phones("C"), 3, 2), counter(phones("D"), -1, 0)]
    fact = await registrations(answering(200, data(*good, *bad)))
    assert isinstance(fact, Known)
    assert dict(fact.value) == {"A": 1, "B": 2}


@pytest.mark.asyncio
async def test_unqualified_children_are_read() -> None:
    fact = await registrations(answering(200, data(counter(phones(), 5, prefix=""))))
    assert isinstance(fact, Known)
    assert dict(fact.value) == {"RegisteredHardwarePhones": 5}


@pytest.mark.parametrize("answer", [data(), data(counter(phones(), 3, 2))])
@pytest.mark.asyncio
async def test_no_valid_counter_is_not_zero_phones(answer: bytes) -> None:
    fact = await registrations(answering(200, answer))
    assert isinstance(fact, Unknown)
    assert fact.why is Why.FAULT


GOOD = data(counter(phones())).decode()
UNREADABLE = {
    "HTML": "<html><body>Sign in</body></html>",
    "nothing": "",
    "10 MB of nothing": " " * (10 << 20),
    "truncated": GOOD[: len(GOOD) // 2],
    "another answer": response("perfmonListCounter").decode(),
    "the shape of an older release": response(
        "perfmonCollectCounterData", "<ArrayOfCounterInfo><item/></ArrayOfCounterInfo>"
    ).decode(),
    "no name": GOOD.replace("ns1:Name", "ns1:Other"),
    "a nil name": data(
        f"<ns1:perfmonCollectCounterDataReturn><ns1:Name {NIL}/><ns1:Value>1</ns1:Value>"
        "<ns1:CStatus>0</ns1:CStatus></ns1:perfmonCollectCounterDataReturn>"
    ).decode(),
    "a name that is no path": data(counter("RegisteredHardwarePhones")).decode(),
    "no value": GOOD.replace("ns1:Value", "ns1:Other"),
    "an empty value": data(counter(phones(), "")).decode(),
    "a word for a value": data(counter(phones(), "many")).decode(),
    "a value past a long": data(counter(phones(), 1 << 63)).decode(),
    "a fraction": data(counter(phones(), "1.5")).decode(),
    "no status": GOOD.replace("ns1:CStatus", "ns1:Other"),
    "a negative status": data(counter(phones(), 1, -1)).decode(),
    "value twice": GOOD.replace("<ns1:Value>", "<Value>1</Value><ns1:Value>"),
    "a counter twice": data(counter(phones(), 1), counter(phones(), 2)).decode(),
    "another object": data(counter(rf"\\{PUB.name}\Memory\Used")).decode(),
    "an instance": data(counter(rf"\\{PUB.name}\Cisco CallManager(1)\Used")).decode(),
    "another host": data(counter(phones(host=SUB.name))).decode(),
    "a DTD": f"<!DOCTYPE x [<!ENTITY e 'x'>]>{GOOD}",
}


@pytest.mark.parametrize("name", UNREADABLE)
@pytest.mark.asyncio
async def test_unreadable_answer_is_unknown(name: str) -> None:
    assert UNREADABLE[name] != GOOD
    fact = await registrations(answering(200, UNREADABLE[name].encode()))
    assert isinstance(fact, Unknown)
    assert fact.why is Why.UNREADABLE


@pytest.mark.asyncio
async def test_wrong_boolean_in_a_list_is_a_typed_error() -> None:
    inner = (
        "<ns1:perfmonListCounterReturn><ns1:Name>Memory</ns1:Name><ns1:MultiInstance>True"
        "</ns1:MultiInstance><ns1:ArrayOfCounter/></ns1:perfmonListCounterReturn>"
    )
    client = client_over(answering(200, response("perfmonListCounter", inner)))
    with pytest.raises(UnknownLayout, match="True"):
        await client.list_counters("pub")
    await client.aclose()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (httpx.Response(403), Why.NOT_PERMITTED),
        (fault(RATE), Why.BUSY),
        (fault("no such host"), Why.FAULT),
        (httpx.Response(404), Why.UNREACHABLE),
        (httpx.Response(502), Why.UNREACHABLE),
    ],
)
@pytest.mark.asyncio
async def test_answer_that_is_none_says_why(answer: httpx.Response, why: Why) -> None:
    fact = await registrations(answering(answer.status_code, answer.content))
    assert isinstance(fact, Unknown)
    assert fact.why is why
    assert fact.role == ("Standard CCM Server Monitoring" if why is Why.NOT_PERMITTED else "")


def asked(wire: Wire) -> list[tuple[str, str | None]]:
    """Who was asked about whom."""
    return [(each.url.host, body_of(each.content)[0].text) for each in wire.requests]


@pytest.mark.asyncio
async def test_node_that_is_called_otherwise_is_asked_for_by_address_and_remembered() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if body_of(request.content)[0].text != SUB.address:
            return fault("host unknown")
        return httpx.Response(200, content=data(counter(phones(host=SUB.address))))

    wire = Wire(answer)
    transport = PerfmonTransport(access_over(wire))
    for _ in range(2):
        assert isinstance(await transport.observe(RegistrationCounts(SUB.name)), Known)
    await transport.aclose()
    assert asked(wire) == [
        (PUB.address, SUB.name),
        (PUB.address, SUB.address),
        (PUB.address, SUB.address),
    ]


@pytest.mark.asyncio
async def test_fault_by_either_name_is_the_first_one() -> None:
    wire = Wire(lambda request: fault(f"{body_of(request.content)[0].text} is unknown"))
    fact = await registrations(wire)
    assert isinstance(fact, Unknown)
    assert f"{PUB.name} is unknown" in fact.reason
    assert len(wire.requests) == 2


@pytest.mark.parametrize(
    "broken", [httpx.ConnectError("refused"), httpx.ReadTimeout("slow"), httpx.Response(404)]
)
@pytest.mark.parametrize("node", [PUB.name, SUB.name])
@pytest.mark.asyncio
async def test_another_node_is_asked_where_the_publisher_has_no_perfmon(
    broken: httpx.Response | Exception, node: str
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == PUB.address:
            if isinstance(broken, Exception):
                raise broken
            return httpx.Response(broken.status_code)
        return httpx.Response(200, content=data(counter(phones(host=node))))

    wire = Wire(answer)
    assert isinstance(await registrations(wire, node), Known)
    assert asked(wire) == [(PUB.address, node), (SUB.address, node)]


@pytest.mark.parametrize(
    ("status", "requests"), [(403, 1), (200, 1), (400, 1)], ids=["role", "unreadable", "fault"]
)
@pytest.mark.asyncio
async def test_no_other_node_is_asked_after_an_answer(status: int, requests: int) -> None:
    wire = answering(status, b"<html>no</html>")
    assert isinstance(await registrations(wire, SUB.name), Unknown)
    assert len(wire.requests) == requests


@pytest.mark.asyncio
async def test_only_node_of_a_cluster_has_nobody_to_stand_in() -> None:
    node = NodeEntry(name="alone", address="alone")
    inventory = Inventory(nodes=(node,), platform=ACCOUNT, application=ACCOUNT)
    wire = answering(502)
    transport = PerfmonTransport(access_over(wire, inventory=inventory))
    fact = await transport.observe(RegistrationCounts("alone"))
    await transport.aclose()
    assert isinstance(fact, Unknown)
    assert len(wire.requests) == 1


@pytest.mark.asyncio
async def test_refused_account_is_raised_and_not_tried_on_another_node() -> None:
    wire = answering(401)
    with pytest.raises(AuthenticationFailed):
        await registrations(wire)
    assert len(wire.requests) == 1


@pytest.mark.asyncio
async def test_what_it_does_not_do_is_neither_asked_nor_sent() -> None:
    wire = answering(200, data())
    transport = PerfmonTransport(access_over(wire))
    for query in (RegistrationCounts("elsewhere"), Registrations(), ServicesOn(PUB.name)):
        assert not transport.supports(query)
        fact = await transport.observe(query)
        assert isinstance(fact, Unknown)
        assert fact.why is Why.NOT_ASKED
    command = RestartService(PUB.name, Service.TFTP)
    assert not transport.supports(command)
    reply = await transport.perform(command)
    await transport.aclose()
    assert (reply.kind, reply.sent) == (ReplyKind.REFUSED, False)
    assert wire.requests == []


@pytest.mark.asyncio
async def test_missing_role_is_named() -> None:
    client = client_over(answering(403))
    with pytest.raises(RoleMissing) as caught:
        await client.open_session()
    await client.aclose()
    assert caught.value.role == "Standard CCM Server Monitoring"
