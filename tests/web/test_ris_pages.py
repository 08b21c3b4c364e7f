"""Listing phones page by page over RISPort70: what is sent back, and what ends it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from xml.sax.saxutils import escape

import httpx
import pytest
from defusedxml.ElementTree import fromstring

from cucm_certflow.errors import NodeFault
from cucm_certflow.facts import Devices, Known, Registration, Unknown
from cucm_certflow.names import DeviceClass
from cucm_certflow.transports.ris import RisClient, request_for
from cucm_certflow.transports.route import Route
from tests.web.helpers import PUB, ManualClock, Wire, access_over, answering, ris_client, soap

pytestmark = pytest.mark.asyncio

AST = "{http://schemas.cisco.com/ast/soap}"
STATE = '  <StateInfo ClusterWide="1"><Node Name="{0}" StateId="7"\tTotal="2"/></StateInfo>\n'


def device(name: str, status: str = "Registered", stamp: int | str = 1704067200) -> str:
    return (
        f"<item><Name>{name}</Name><Status>{status}</Status><TimeStamp>{stamp}</TimeStamp></item>"
    )


def node(name: str, *devices: str) -> str:
    return (
        f"<item><ReturnCode>Ok</ReturnCode><Name>{name}</Name><NoChange>false</NoChange>"
        f"<CmDevices>{''.join(devices)}</CmDevices></item>"
    )


def page(*nodes: str, total: int, state: str = "") -> httpx.Response:
    body = soap(
        '<selectCmDeviceResponse xmlns="http://schemas.cisco.com/ast/soap"><selectCmDeviceReturn>'
        f"<SelectCmDeviceResult><TotalDevicesFound>{total}</TotalDevicesFound>"
        f"<CmNodes>{''.join(nodes)}</CmNodes></SelectCmDeviceResult>"
        f"<StateInfo>{escape(state)}</StateInfo></selectCmDeviceReturn></selectCmDeviceResponse>"
    )
    return httpx.Response(200, content=body)


def pages(*each: httpx.Response) -> Wire:
    """Pages in turn; the last one for ever."""
    rest = list(each)
    return Wire(lambda _: rest.pop(0) if len(rest) > 1 else rest[0])


async def listed(wire: Wire, pattern: str = "*") -> dict[str, Registration]:
    client = ris_client(wire, page=2)
    try:
        return await client.listed(pattern)
    finally:
        await client.aclose()


def states_of(wire: Wire) -> list[str]:
    found = (fromstring(request.content).find(f".//{AST}StateInfo") for request in wire.requests)
    return [each.text or "" for each in found if each is not None]


# ── pages ─────────────────────────────────────────────────────────────────────────────────


async def test_the_state_of_a_page_is_sent_back_verbatim_for_the_next() -> None:
    first, second = STATE.format("pub"), STATE.format("sub & other")
    wire = pages(
        page(node("pub", device("SEP1"), device("SEP2")), total=5, state=first),
        page(node("pub", device("SEP3")), node("sub", device("SEP4")), total=5, state=second),
        page(node("sub", device("SEP5")), total=5, state=STATE.format("end")),
    )
    found = await listed(wire)
    assert list(found) == ["SEP1", "SEP2", "SEP3", "SEP4", "SEP5"]
    assert [each.node for each in found.values()] == ["pub", "pub", "pub", "sub", "sub"]
    assert states_of(wire) == ["", first, second]


async def test_a_page_asks_for_as_many_as_it_may_and_for_the_pattern() -> None:
    wire = pages(page(node("pub"), total=0))
    client = ris_client(wire, page=7)
    assert await client.listed("SEP00*", status="Registered") == {}
    await client.aclose()
    (criteria,) = fromstring(wire.requests[0].content).iter(f"{AST}CmSelectionCriteria")
    fields = {each.tag.removeprefix(AST): each.text for each in criteria}
    assert fields["MaxReturnedDevices"] == "7"
    assert fields["Status"] == "Registered"
    assert [each.text for each in criteria.iter(f"{AST}Item")] == ["SEP00*"]
    assert wire.requests[0].headers["SOAPAction"] == '"selectCmDevice"'


async def test_devices_of_a_class_are_listed_page_by_page_each_with_the_class() -> None:
    wire = pages(
        page(node("pub", device("TRUNK1"), device("TRUNK2")), total=3, state="a"),
        page(node("sub", device("TRUNK3", "UnRegistered")), total=3, state="b"),
    )
    client = ris_client(wire, page=2)
    found = await client.listed(kind=DeviceClass.SIP_TRUNK)
    await client.aclose()
    assert {name: each.registered for name, each in found.items()} == {
        "TRUNK1": True,
        "TRUNK2": True,
        "TRUNK3": False,
    }
    for request in wire.requests:
        (kind,) = fromstring(request.content).iter(f"{AST}DeviceClass")
        assert kind.text == "SIPTrunk"


@pytest.mark.parametrize("kind", DeviceClass)
async def test_every_class_of_devices_can_be_asked_for_behind_the_seam(kind: DeviceClass) -> None:
    wire = pages(page(node("cucm-pub", device("D1")), node("cucm-sub"), total=1))
    access = access_over(wire)
    access.pins.learn(PUB.name, "ab" * 32)
    route = Route(
        {},
        ris=RisClient(PUB, access),
        clock=access.clock,
        pins=access.pins,
        nodes=(PUB.name,),
    )
    assert route.supports(Devices(kind))
    fact = await route.observe(Devices(kind))
    await route.aclose()
    assert isinstance(fact, Known), fact
    at = datetime.fromtimestamp(1704067200, UTC)
    assert fact.value == {"D1": Registration("D1", registered=True, node="cucm-pub", at=at)}
    assert fact.by == "RISPort70"


async def test_without_risport_no_class_of_devices_is_known() -> None:
    access = access_over(answering(500))
    route = Route({}, ris=None, clock=access.clock, pins=access.pins, nodes=(PUB.name,))
    assert not route.supports(Devices(DeviceClass.CTI))
    assert isinstance(await route.observe(Devices(DeviceClass.CTI)), Unknown)


async def test_no_phone_at_all_is_an_answer() -> None:
    wire = pages(page(node("pub"), node("sub"), total=0, state="s"))
    assert await listed(wire) == {}
    assert len(wire.requests) == 1


async def test_an_empty_pattern_is_refused_before_anything_is_sent() -> None:
    wire = answering(200)
    with pytest.raises(ValueError, match="empty"):
        await listed(wire, "")
    assert wire.requests == []


# ── duplicates ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("turned", [False, True], ids=["old-first", "new-first"])
@pytest.mark.parametrize("split", [False, True], ids=["one-page", "two-pages"])
@pytest.mark.parametrize(
    ("records", "expected"),
    [
        (
            (("old", "UnRegistered", 1700000070), ("new", "Registered", 1700000010)),
            ("new", 1700000010),
        ),
        (
            (("old", "Registered", 1600000000), ("new", "Registered", 1700000000)),
            ("new", 1700000000),
        ),
        (
            (("old", "UnRegistered", 1600000000), ("new", "Rejected", 1700000000)),
            ("", 1700000000),
        ),
        ((("old", "UnRegistered", ""), ("new", "UnRegistered", 1)), ("", 1)),
    ],
    ids=["registered wins", "newest of two", "newest of none", "no stamp"],
)
async def test_a_phone_on_two_nodes_is_where_it_is_registered_and_else_as_last_seen(
    records: Sequence[tuple[str, str, int | str]],
    expected: tuple[str, int],
    split: bool,
    turned: bool,
) -> None:
    nodes = [node(name, device("SEP1", status, stamp)) for name, status, stamp in records]
    nodes = nodes[::-1] if turned else nodes
    if split:
        wire = pages(page(nodes[0], total=2, state="a"), page(nodes[1], total=2, state="b"))
    else:
        wire = pages(page(*nodes, total=2))
    name, stamp = expected
    at = datetime.fromtimestamp(stamp, UTC)
    assert await listed(wire) == {"SEP1": Registration("SEP1", bool(name), name, at)}


# ── pages that go nowhere ─────────────────────────────────────────────────────────────────

SAME = page(node("pub", device("SEP1")), total=9, state="a")


@pytest.mark.parametrize(
    ("answers", "asked"),
    [
        ([SAME], 2),
        ([page(node("pub", device("SEP1")), total=2, state="")], 1),
        ([page(node("pub"), total=2, state="a")], 1),
        ([SAME, page(node("pub"), total=9, state="b")], 2),
        ([SAME, page(node("pub", device("SEP2")), total=9, state="a")], 2),
        (
            [
                SAME,
                page(node("pub", device("SEP2")), total=9, state="b"),
                page(node("pub", device("SEP3")), total=9, state="a"),
            ],
            3,
        ),
        ([SAME, page(node("pub", device("SEP1", stamp=2)), total=9, state="b")], 2),
        # Counted as records, the first page twice would be all that was found.
        ([page(node("pub", device("SEP1")), total=2, state="a")], 2),
    ],
    ids=[
        "for ever the same",
        "no state",
        "nothing",
        "nothing more",
        "the same state",
        "a state from before",
        "only what was there",
        "the first page again",
    ],
)
async def test_a_page_that_goes_nowhere_is_an_error_and_not_a_list(
    answers: list[httpx.Response], asked: int
) -> None:
    wire = pages(*answers)
    with pytest.raises(NodeFault, match=r"of \d devices, and no way on"):
        await listed(wire)
    assert len(wire.requests) == asked


async def test_a_node_in_trouble_on_a_later_page_spoils_the_list() -> None:
    trouble = node("sub").replace(">Ok<", ">RequestTimeout<")
    wire = pages(
        page(node("pub", device("SEP1")), total=2, state="a"),
        page(node("pub", device("SEP2")), trouble, total=2, state="b"),
    )
    with pytest.raises(NodeFault, match="RequestTimeout"):
        await listed(wire)


async def test_pages_stay_within_the_budget() -> None:
    count = 25
    each = [
        page(node("pub", device(f"SEP{number}")), total=count, state=f"s{number}")
        for number in range(count)
    ]
    rest, clock, asked = list(each), ManualClock(), list[float]()

    def answer(_: httpx.Request) -> httpx.Response:
        asked.append(clock.monotonic())
        return rest.pop(0)

    client = ris_client(Wire(answer), clock, page=1)
    assert len(await client.listed()) == count
    await client.aclose()
    assert all(sum(start <= each < start + 60 for each in asked) <= 10 for start in asked)
    assert clock.slept == [60.0, 60.0]


# ── the request ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("operation", ["selectCmDevice", "selectCmDeviceExt"])
async def test_both_requests_have_their_fields_in_the_published_order(operation: str) -> None:
    request = request_for(("SEP1", "SEP2"), operation=operation, state="s", status="Any", most=3)
    assert request.tag == f"{AST}{operation}"
    assert [each.tag for each in request] == [f"{AST}StateInfo", f"{AST}CmSelectionCriteria"]
    assert request[0].text == "s"
    assert [(each.tag.removeprefix(AST), each.text) for each in request[1]] == [
        ("MaxReturnedDevices", "3"),
        ("DeviceClass", "Phone"),
        ("Model", "255"),
        ("Status", "Any"),
        ("NodeName", ""),
        ("SelectBy", "Name"),
        ("SelectItems", None),
        ("Protocol", "Any"),
        ("DownloadStatus", "Any"),
    ]
    items = next(request.iter(f"{AST}SelectItems"))
    assert [[each.tag for each in item] for item in items] == [[f"{AST}Item"]] * 2


@pytest.mark.parametrize("size", [0, 1001])
async def test_a_page_has_its_bounds(size: int) -> None:
    with pytest.raises(ValueError, match="1 to 1000"):
        ris_client(answering(200), page=size)


async def test_a_phone_that_is_left_out_of_a_short_answer_may_be_registered_elsewhere() -> None:
    wire = pages(page(node("old", device("SEP1", "UnRegistered")), total=2))
    client = ris_client(wire)
    with pytest.raises(NodeFault, match="1 of 2 devices"):
        await client.registrations(["SEP1"])
    await client.aclose()
