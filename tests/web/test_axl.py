"""What AXL's answers mean, which version is spoken, and how much is asked at a time."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from xml.sax.saxutils import escape

import httpx
import pytest
from defusedxml.ElementTree import fromstring

from cucm_certflow.commands import ReplyKind, ResetPhones
from cucm_certflow.errors import RateLimited, UnknownLayout
from cucm_certflow.facts import (
    CallManagerGroups,
    ClusterMember,
    DevicePools,
    Fact,
    Known,
    Members,
    Parameter,
    Phone,
    Phones,
    Query,
    Unknown,
    VersionOf,
    Why,
)
from cucm_certflow.inventory import Inventory, NodeEntry
from cucm_certflow.names import Interface
from cucm_certflow.transports.axl import AxlClient, AxlTransport
from cucm_certflow.transports.queries import AnswerTooLarge
from cucm_certflow.transports.soap import SoapFault, WrongVersion
from tests.web.helpers import (
    INVENTORY,
    PUB,
    SUB,
    ManualClock,
    Wire,
    access_over,
    answering,
    axl,
    axl_client,
    fixture,
    soap,
)

pytestmark = pytest.mark.asyncio

TOO_LARGE = fixture("axl-fault-query-too-large")
PAGE = (
    "<html>Incorrect axl version. Supported axl versions are {}. Please use the correct url.</html>"
)


def rows(*each: dict[str, str]) -> bytes:
    made = "".join(
        "<row>"
        + "".join(f"<{name}>{escape(text)}</{name}>" for name, text in row.items())
        + "</row>"
        for row in each
    )
    return axl("executeSQLQuery", made)


def ok(body: bytes) -> httpx.Response:
    return httpx.Response(200, content=body)


def sql_in(request: httpx.Request) -> str:
    (found,) = fromstring(request.content).iter("sql")
    return str(found.text)


def version_answer(version: str) -> bytes:
    return axl(
        "getCCMVersion", f"<componentVersion><version>{version}</version></componentVersion>"
    )


# ── reading lists ─────────────────────────────────────────────────────────────────────────


def process_node(name: str, usage: str, role: str) -> str:
    return (
        f'<processNode uuid="{{1}}"><name>{name}</name><nodeUsage>{usage}</nodeUsage>'
        f"<processNodeRole>{role}</processNodeRole></processNode>"
    )


NODES = (
    process_node("EnterpriseWideData", "Publisher", "CUCM Voice/Video")
    + process_node("cucm-pub.example.com", "Publisher", "CUCM Voice/Video")
    + process_node("127.0.0.2", "Subscriber", "CUCM Voice/Video")
    + process_node("imp-pub", "Publisher", "CUCM IM and Presence")
    + process_node("imp-sub", "Subscriber", "CUCM IM and Presence")
)


async def test_the_nodes_are_those_of_the_cluster_with_one_publisher() -> None:
    wire = answering(200, axl("listProcessNode", NODES))
    web = AxlTransport(access_over(wire))
    fact = await web.observe(Members())
    assert isinstance(fact, Known)
    members: tuple[ClusterMember, ...] = fact.value
    assert [(each.name, each.address) for each in members] == [
        ("cucm-pub", "cucm-pub.example.com"),  # named as the inventory does, reached as it says
        ("cucm-sub", "127.0.0.2"),
        ("imp-pub", "imp-pub"),
        ("imp-sub", "imp-sub"),
    ]
    assert [each.is_publisher for each in members] == [True, False, False, False]
    assert [each.is_database_publisher for each in members] == [True, False, True, False]
    assert [each.product for each in members] == ["callmanager", "callmanager", "cups", "cups"]
    await web.aclose()


@pytest.mark.parametrize(
    ("operation", "ask", "tags"),
    [
        ("listProcessNode", AxlClient.members, ["name", "nodeUsage", "processNodeRole"]),
        ("listDevicePool", AxlClient.device_pools, ["name", "callManagerGroupName"]),
        ("listCallManagerGroup", AxlClient.callmanager_groups, ["name"]),
    ],
)
async def test_a_list_asks_for_every_name_and_for_nothing_that_is_not_read(
    operation: str, ask: Callable[[AxlClient], Awaitable[object]], tags: list[str]
) -> None:
    wire = answering(200, axl(operation, NODES if operation == "listProcessNode" else ""))
    client = axl_client(wire)
    await ask(client)
    (request,) = fromstring(wire.requests[0].content)[0]
    assert [each.tag for each in request] == ["searchCriteria", "returnedTags"]
    assert [(each.tag, each.text) for each in request[0]] == [("name", "%")]
    assert [each.tag for each in request[1]] == tags
    await client.aclose()


async def test_device_pools_come_with_their_group_or_with_none() -> None:
    nil = '<callManagerGroupName xmlns:x="http://www.w3.org/2001/XMLSchema-instance" x:nil="true"/>'
    pools = (
        "<devicePool><name>Default</name><callManagerGroupName uuid='{2}'>G &amp; H"
        f"</callManagerGroupName></devicePool><devicePool><name>Bare</name>{nil}</devicePool>"
    )
    client = axl_client(answering(200, axl("listDevicePool", pools)))
    assert await client.device_pools() == {"Default": "G & H", "Bare": ""}
    await client.aclose()


async def test_the_members_of_a_group_are_in_order_of_priority() -> None:
    members = "".join(
        f"<member><priority>{priority}</priority><callManagerName>{name}</callManagerName></member>"
        for priority, name in ((10, "CM_c"), (0, "CM_a"), (2, "CM_b"))
    )
    inner = f"<callManagerGroup><name>G</name><members>{members}</members></callManagerGroup>"
    client = axl_client(answering(200, axl("getCallManagerGroup", inner)))
    assert await client.callmanager_group("G") == ("CM_a", "CM_b", "CM_c")
    await client.aclose()


async def test_a_group_that_is_not_there_is_the_nodes_own_fault() -> None:
    client = axl_client(answering(500, fixture("axl-fault-5007-queueid-prefixed-detail")))
    with pytest.raises(SoapFault) as caught:
        await client.callmanager_group("Elsewhere")
    assert caught.value.axl_code == 5007
    await client.aclose()


# ── versions ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("spoken", "taken"),
    [
        ("12.x, 14.0 and 15.0", "15.0"),
        ("7.x, 8.0, 8.5 and 9.0", "9.0"),
        ("9.1, 10.5 and 9.0", "10.5"),
    ],
)
async def test_another_version_is_negotiated_once_and_the_newest_is_kept(
    spoken: str, taken: str
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if f"API/{taken}".encode() not in request.content:
            return httpx.Response(599, content=PAGE.format(spoken).encode())
        return ok(rows({"a": "1"}))

    wire = Wire(answer)
    client = axl_client(wire)
    assert client.schema_version == "11.5"
    assert await client.sql("select 1") == [{"a": "1"}]
    assert await client.sql("select 2") == [{"a": "1"}]
    assert client.schema_version == taken
    actions = [request.headers["SOAPAction"] for request in wire.requests]
    assert actions == [f'"CUCM:DB ver={each} executeSQLQuery"' for each in ("11.5", taken, taken)]
    await client.aclose()


@pytest.mark.parametrize("spoken", ["none", "15.0"])
async def test_a_version_that_cannot_be_agreed_on_is_asked_for_no_longer(spoken: str) -> None:
    wire = answering(599, PAGE.format(spoken).encode())
    client = axl_client(wire)
    with pytest.raises(WrongVersion, match="nothing was done"):
        await client.sql("select 1")
    assert len(wire.requests) == (1 if spoken == "none" else 2)
    await client.aclose()


async def test_a_reset_in_a_version_that_is_not_spoken_is_not_sent_at_all() -> None:
    wire = Wire(lambda _: httpx.Response(599, content=PAGE.format("15.0").encode()), versions=False)
    web = AxlTransport(access_over(wire))
    reply = await web.perform(ResetPhones(PUB.name, ("SEP1", "SEP2")))
    assert reply.kind is ReplyKind.REFUSED
    assert all(b"doDeviceReset" not in request.content for request in wire.requests)
    await web.aclose()


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("11.5.1.12900(21)", "11.5.1.12900-21"),
        ("15.0.1.12900(234)", "15.0.1.12900-234"),
        ("14.0.1.10000-20", None),
        ("15.0.1", "15.0.1"),
        ("eleven", None),
    ],
)
async def test_a_version_is_told_as_the_platform_cli_tells_it_or_not_at_all(
    said: str, version: str | None
) -> None:
    wire = Wire(lambda _: ok(version_answer(said)), versions=False)
    web = AxlTransport(access_over(wire))
    fact = await web.observe(VersionOf(PUB.name))
    if version is None:
        assert isinstance(fact, Unknown)
        assert fact.why is Why.UNREADABLE
    else:
        assert isinstance(fact, Known)
        assert fact.value == version
    await web.aclose()


async def test_a_node_is_asked_for_by_its_name_and_the_publisher_by_none() -> None:
    wire = Wire(lambda _: ok(version_answer("11.5.1.12900(21)")), versions=False)
    web = AxlTransport(access_over(wire))
    for name in (PUB.name, SUB.name):
        assert isinstance(await web.observe(VersionOf(name)), Known)
    asked = [
        [each.text for each in fromstring(r.content).iter("processNodeName")] for r in wire.requests
    ]
    assert asked == [[], [SUB.name]]
    assert {request.url.host for request in wire.requests} == {PUB.address}
    await web.aclose()


# ── throttling ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "busy",
    [httpx.Response(503), httpx.Response(500, content=fixture("axl-fault-memory"))],
    ids=["503", "memory"],
)
async def test_a_throttled_question_is_put_once_more_after_a_pause(busy: httpx.Response) -> None:
    clock = ManualClock()
    answers = [busy, ok(rows({"a": "1"}))]
    wire = Wire(lambda _: answers.pop(0))
    client = AxlClient(PUB, access_over(wire, clock=clock))
    assert await client.sql("select 1") == [{"a": "1"}]
    assert clock.slept == [5.0]
    await client.aclose()


@pytest.mark.parametrize("status", [503, 500])
async def test_a_node_that_stays_throttled_is_rate_limited_after_two(status: int) -> None:
    wire = answering(status, fixture("axl-fault-memory"))
    client = axl_client(wire)
    with pytest.raises(RateLimited):
        await client.sql("select 1")
    assert len(wire.requests) == 2
    await client.aclose()


async def most_at_once(ask: Callable[[AxlClient], Awaitable[object]], answer: bytes) -> int:
    """How many of twelve requests, begun together, were ever under way at the same time."""
    under_way, most = 0, 0

    async def serve(_: httpx.Request) -> httpx.Response:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        for _step in range(10):
            await asyncio.sleep(0)
        under_way -= 1
        return ok(answer)

    wire = answering(200)
    wire.transport = httpx.MockTransport(serve)
    client = axl_client(wire)
    await ask(client)  # alone: the account has to be let in once
    await asyncio.gather(*(ask(client) for _ in range(12)))
    await client.aclose()
    return most


@pytest.mark.parametrize(
    ("ask", "answer", "allowed"),
    [
        (lambda client: client.sql("select 1"), rows({"a": "1"}), 2),
        (AxlClient.members, axl("listProcessNode", NODES), 2),
        (AxlClient.device_pools, axl("listDevicePool"), 2),
        (AxlClient.version, version_answer("11.5.1.1(2)"), 8),
    ],
    ids=["sql", "nodes", "pools", "version"],
)
async def test_what_may_be_large_is_asked_two_at_a_time_and_the_rest_eight(
    ask: Callable[[AxlClient], Awaitable[object]], answer: bytes, allowed: int
) -> None:
    assert await most_at_once(ask, answer) == allowed


# ── answers that are too large ────────────────────────────────────────────────────────────


async def test_too_large_an_answer_says_how_many_rows_there_may_be() -> None:
    client = axl_client(answering(500, TOO_LARGE))
    with pytest.raises(AnswerTooLarge, match="2816 rows") as caught:
        await client.sql("select * from device")
    assert caught.value.rows == 844
    await client.aclose()


async def test_too_large_an_answer_without_a_number_is_told_apart_all_the_same() -> None:
    fault = soap(
        "<soapenv:Fault><faultcode>soapenv:Server</faultcode>"
        "<faultstring>Query request too large.</faultstring></soapenv:Fault>"
    )
    client = axl_client(answering(500, fault))
    with pytest.raises(AnswerTooLarge) as caught:
        await client.sql("select * from device")
    assert caught.value.rows is None
    await client.aclose()


ALL = tuple(f"SEP{number:012d}" for number in range(25))
GROUP = rows({"cmgroup": "G", "nodename": "cucm-pub", "priority": "0"})


class Database:
    """Holds the phones ``ALL``; gives at most *fits* of them at a time, and says so or not."""

    def __init__(self, fits: int, *, says: bool = True) -> None:
        self.fits = fits
        self.says = says
        self.pages: list[int] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        sql = sql_in(request)
        if "callmanagergroupmember" in sql:
            return ok(GROUP)
        first = re.search(r"first (\d+)", sql)
        after = re.search(r"d\.name > '([^']*)'", sql)
        assert first is not None
        count = int(first[1])
        self.pages.append(count)
        if count > self.fits:
            words = f"less than {self.fits + 1} rows" if self.says else "later"
            text = TOO_LARGE.decode().replace("less than 844 rows", words)
            return httpx.Response(500, content=text.encode())
        names = [name for name in ALL if after is None or name > after[1]][:count]
        return ok(rows(*(_phone(name) for name in names)))


def _phone(name: str) -> dict[str, str]:
    return {"name": name, "model": "Cisco 8841", "securitymode": "", "cmgroup": "G"}


@pytest.mark.parametrize(
    ("fits", "says", "pages"),
    [
        (100, True, [100]),
        (10, True, [100, 10, 10, 10]),
        (13, False, [100, 50, 25, 12, 12, 12]),
        (1, True, [100, *[1] * 26]),
    ],
    ids=["fits", "says", "does-not-say", "one"],
)
async def test_pages_become_smaller_until_they_fit_and_no_phone_is_lost(
    fits: int, says: bool, pages: list[int]
) -> None:
    database = Database(fits, says=says)
    web = AxlTransport(access_over(Wire(database)), page=100)
    fact = await web.observe(Phones())
    assert isinstance(fact, Known)
    assert [phone.name for phone in fact.value] == list(ALL)
    assert database.pages == pages
    await web.aclose()


async def test_where_not_even_one_phone_fits_nothing_is_known() -> None:
    database = Database(0, says=False)
    web = AxlTransport(access_over(Wire(database)), page=100)
    fact = await web.observe(Phones())
    assert isinstance(fact, Unknown)
    assert fact.why is Why.FAULT
    assert "too large" in fact.reason
    assert database.pages == [100, 50, 25, 12, 6, 3, 1]
    await web.aclose()


async def test_a_node_that_gives_the_same_page_for_ever_is_not_asked_for_ever() -> None:
    wire = Wire(lambda _: ok(rows(*map(_phone, ALL[:5]))))
    web = AxlTransport(access_over(wire), page=5)
    fact = await web.observe(Phones())
    assert isinstance(fact, Unknown)
    assert fact.why is Why.UNREADABLE
    assert len(wire.requests) == 2
    await web.aclose()


async def test_a_full_page_without_names_is_unreadable() -> None:
    wire = Wire(lambda _: ok(rows(*[{"model": "Cisco 8841"}] * 5)))
    web = AxlTransport(access_over(wire), page=5)
    fact = await web.observe(Phones())
    assert isinstance(fact, Unknown)
    assert fact.why is Why.UNREADABLE
    await web.aclose()


# ── the seam ──────────────────────────────────────────────────────────────────────────────


def answer_all(request: httpx.Request) -> httpx.Response:
    if b"listProcessNode" in request.content:
        return ok(axl("listProcessNode", NODES))
    sql = sql_in(request)
    if "processconfig" in sql:
        return ok(rows({"paramname": "ClusterSecurityMode", "paramvalue": "1"}))
    if "callmanagergroupmember" in sql:
        return ok(
            rows(
                {"cmgroup": "G", "nodename": "127.0.0.2", "priority": "1"},
                {"cmgroup": "G", "nodename": "cucm-pub.example.com", "priority": "0"},
            )
        )
    if "from devicepool" in sql:
        return ok(rows({"pool": "Default", "cmgroup": "G"}, {"pool": "Bare", "cmgroup": ""}))
    return ok(rows(_phone("SEP1")))


@pytest.mark.parametrize(
    ("query", "value"),
    [
        (Parameter("ClusterSecurityMode"), "1"),
        (CallManagerGroups(), {"G": ("cucm-pub", "cucm-sub")}),
        (DevicePools(), {"Default": "G", "Bare": ""}),
        (Phones(), (Phone(name="SEP1", model="Cisco 8841", group=("cucm-pub", "cucm-sub")),)),
    ],
)
async def test_each_question_has_its_value_and_says_who_answered(
    query: Query, value: object
) -> None:
    web = AxlTransport(access_over(Wire(answer_all)))
    fact: Fact = await web.observe(query)
    assert isinstance(fact, Known)
    assert fact.value == value
    assert fact.by == f"{Interface.AXL} {PUB.name}"
    await web.aclose()


@pytest.mark.parametrize("found", [[], [{"paramvalue": "1"}, {"paramvalue": "2"}], [{"x": "1"}]])
async def test_a_parameter_that_is_not_one_row_is_unreadable(found: list[dict[str, str]]) -> None:
    web = AxlTransport(access_over(answering(200, rows(*found))))
    fact = await web.observe(Parameter("ClusterSecurityMode"))
    assert isinstance(fact, Unknown)
    assert fact.why is Why.UNREADABLE
    await web.aclose()


@pytest.mark.parametrize("name", ["x' or '1'='1", "", "a b", "1st", "x" * 101])
async def test_a_parameter_that_is_no_name_is_not_asked_for(name: str) -> None:
    wire = answering(200, rows())
    web = AxlTransport(access_over(wire))
    assert isinstance(await web.observe(Parameter(name)), Unknown)
    assert wire.requests == []
    await web.aclose()


async def test_a_reset_by_an_account_that_may_only_read_names_the_role_and_ends() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(403, content=b"<html>Access Denied</html>")

    wire = Wire(answer)
    web = AxlTransport(access_over(wire), reset_concurrency=4)
    reply = await web.perform(ResetPhones(PUB.name, ("SEP1", "SEP2", "SEP3")))
    assert reply.kind is ReplyKind.REFUSED
    assert "needs Standard AXL API Access" in reply.text
    assert "Read Only" not in reply.text
    assert "not sent: 2" in reply.text
    assert len(wire.requests) == 1
    await web.aclose()


async def test_a_no_from_the_node_leaves_the_reset_in_doubt() -> None:
    wire = answering(200, axl("doDeviceReset", "false"))
    web = AxlTransport(access_over(wire))
    reply = await web.perform(ResetPhones(PUB.name, ("SEP1", "SEP2")))
    assert reply.kind is ReplyKind.LOST
    assert "in doubt: SEP1" in reply.text
    assert len(wire.requests) == 1
    await web.aclose()


@pytest.mark.parametrize("version", ["", "15", "15.0.1", "v15.0", "15.0\n"])
async def test_a_version_that_is_none_is_refused_before_anything_is_made(version: str) -> None:
    with pytest.raises(ValueError, match="AXL version"):
        AxlClient(PUB, access_over(answering(200)), version=version)


async def test_the_publisher_is_asked_even_where_it_is_not_listed_first_by_name() -> None:
    nodes = (NodeEntry(name="zz-pub", address="192.0.2.9"), SUB)
    account = INVENTORY.application
    inventory = Inventory(nodes=nodes, platform=account, application=account)
    wire = answering(200, axl("listProcessNode", NODES))
    web = AxlTransport(access_over(wire, inventory=inventory))
    await web.observe(Members())
    assert wire.requests[0].url.host == "192.0.2.9"
    await web.aclose()


async def test_rows_of_another_operation_are_not_ours() -> None:
    client = axl_client(answering(200, axl("listPhone", "<row><a>1</a></row>")))
    with pytest.raises(UnknownLayout, match="executeSQLQueryResponse"):
        await client.sql("select 1")
    await client.aclose()
