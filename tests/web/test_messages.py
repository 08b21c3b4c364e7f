"""Requests against genuine ones, answers against recorded ones, and hostile XML."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import UTC, datetime

import httpx
import pytest
from defusedxml.ElementTree import fromstring

from cucm_certflow.errors import NodeFault, RateLimited, UnknownLayout
from cucm_certflow.facts import Registration
from cucm_certflow.transports import http as http_module
from cucm_certflow.transports import soap as soap_module
from cucm_certflow.transports.ris import request_for
from cucm_certflow.transports.soap import SoapFault, envelope, parse_body
from tests.web.helpers import (
    Wire,
    answering,
    axl,
    axl_client,
    fixture,
    ris_client,
    soap,
)

XSI_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
NAMES = ["SEP001122334455", "SEP001122334456"]


def outline(
    element: ET.Element, *, drop: frozenset[str] = frozenset()
) -> list[tuple[str, str, dict[str, str]]]:
    """Every element in document order: qualified name, text, attributes."""
    return [
        (
            each.tag,
            (each.text or "").strip(),
            {key: value for key, value in each.attrib.items() if key not in drop},
        )
        for each in element.iter()
    ]


def genuine(name: str, version: str = "") -> ET.Element:
    text = fixture(name).decode()
    if version:
        text = text.replace("API/12.5", f"API/{version}")
    root: ET.Element = fromstring(text)
    return root


async def sent_by_axl(operation: str) -> httpx.Request:
    version = "<componentVersion><version>x</version></componentVersion>"
    body = axl(operation, version if operation == "getCCMVersion" else "")
    wire = Wire(lambda _: httpx.Response(200, content=body), versions=operation == "doDeviceReset")
    client = axl_client(wire)
    match operation:
        case "doDeviceReset":
            await client.reset_phone("SEP001122334455")
        case "getCCMVersion":
            await client.version()
        case _:
            await client.sql(
                "select paramname,paramvalue from processconfig"
                " where paramname='ClusterSecurityMode'"
            )
    await client.aclose()
    return wire.requests[0]


@pytest.mark.parametrize("operation", ["doDeviceReset", "executeSQLQuery", "getCCMVersion"])
@pytest.mark.asyncio
async def test_axl_request_is_the_genuine_one(operation: str) -> None:
    request = await sent_by_axl(operation)
    expected = outline(genuine(f"axl-req-{operation}-ciscoaxl", "11.5"), drop=frozenset({"isMGCP"}))
    # The genuine client writes Python's True, which the schema's pattern does not allow; isMGCP is
    # optional there, and false by default.
    expected = [(tag, "true" if text == "True" else text, more) for tag, text, more in expected]
    assert outline(fromstring(request.content)) == expected
    assert request.method == "POST"
    assert str(request.url) == "https://127.0.0.1:8443/axl/"
    assert request.headers["SOAPAction"] == f'"CUCM:DB ver=11.5 {operation}"'
    assert request.headers["Content-Type"] == "text/xml; charset=utf-8"
    assert request.headers["Authorization"].startswith("Basic ")


def test_ris_request_is_the_genuine_one() -> None:
    ours = outline(fromstring(envelope(request_for(NAMES))))
    theirs = outline(genuine("ris-req-selectCmDeviceExt-tinycucm"), drop=frozenset({XSI_NIL}))
    assert ours == theirs


@pytest.mark.asyncio
async def test_ris_request_goes_where_the_genuine_one_went() -> None:
    wire = answering(200, fixture("ris-resp-calltelemetry-fixture-cucm15"))
    client = ris_client(wire)
    await client.registrations(["SEP001122334455"])
    await client.aclose()
    assert wire.requests[0].url.path == "/realtimeservice2/services/RISService70"
    assert wire.requests[0].headers["SOAPAction"] == '"selectCmDeviceExt"'


@pytest.mark.asyncio
async def test_sql_text_is_escaped_and_rows_come_back() -> None:
    wire = answering(
        200,
        axl("executeSQLQuery", "<row><name>a &amp; b</name><x/></row><row><name>c</name></row>"),
    )
    client = axl_client(wire)
    query = "select a from b where c < '&<>\"' and d='ä'"
    assert await client.sql(query) == [{"name": "a & b", "x": ""}, {"name": "c"}]
    await client.aclose()
    (sent,) = fromstring(wire.requests[0].content).iter("sql")
    assert sent.text == query


@pytest.mark.parametrize("empty", ["<return/>", "<return></return>"])
@pytest.mark.asyncio
async def test_no_rows(empty: str) -> None:
    name = "executeSQLQueryResponse"
    body = soap(f'<{name} xmlns="urn:other" xmlns:xsi="x">{empty}</{name}>')
    client = axl_client(answering(200, body))
    assert await client.sql("select 1") == []
    await client.aclose()


@pytest.mark.asyncio
async def test_a_character_that_xml_cannot_carry_is_refused_before_sending() -> None:
    wire = answering(200)
    client = axl_client(wire)
    with pytest.raises(ValueError, match="XML cannot carry"):
        await client.reset_phone("SEP\x00")
    await client.aclose()
    assert wire.requests == []


# ── faults ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("axl-fault-5003-user-rank", 5003, "lower User Rank"),
        ("axl-fault-5007-queueid-prefixed-detail", 5007, "queueId value"),
        ("axl-fault-query-too-large", -1, "Query request too large"),
    ],
)
@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.asyncio
async def test_recorded_fault(name: str, code: int, words: str, status: int) -> None:
    client = axl_client(answering(status, fixture(name)))
    with pytest.raises(SoapFault, match=words) as caught:
        await client.reset_phone("SEP001122334455")
    assert caught.value.axl_code == code
    await client.aclose()


@pytest.mark.asyncio
async def test_memory_fault_is_asked_again_once() -> None:
    answers = [httpx.Response(500, content=fixture("axl-fault-memory"))]
    wire = Wire(
        lambda _: answers.pop() if answers else httpx.Response(200, content=axl("executeSQLQuery"))
    )
    client = axl_client(wire)
    assert await client.sql("select 1") == []
    assert len(wire.requests) == 2
    await client.aclose()


@pytest.mark.asyncio
async def test_a_change_is_never_sent_again() -> None:
    wire = answering(503)
    client = axl_client(wire)
    with pytest.raises(RateLimited):
        await client.reset_phone("SEP001122334455")
    assert len(wire.requests) == 1
    await client.aclose()


# ── what RIS answers ──────────────────────────────────────────────────────────────────────


def device(name: str, status: str = "Registered", stamp: str = "1704067200") -> str:
    return (
        f"<item><Name>{name}</Name><IPAddress><item><IP>10.0.0.1</IP><Name>inner</Name></item>"
        f"</IPAddress><Status>{status}</Status><TimeStamp>{stamp}</TimeStamp></item>"
    )


def node(name: str, *devices: str, code: str = "Ok") -> str:
    inner = "".join(devices)
    return (
        f"<item><ReturnCode>{code}</ReturnCode><Name>{name}</Name><NoChange>false</NoChange>"
        f"<CmDevices>{inner}</CmDevices></item>"
    )


def ris(*nodes: str, total: int | str = 0) -> bytes:
    return soap(
        '<r:selectCmDeviceResponse xmlns:r="http://schemas.cisco.com/ast/soap"'
        ' xmlns="http://schemas.cisco.com/ast/soap"><selectCmDeviceReturn><SelectCmDeviceResult>'
        f"<TotalDevicesFound>{total}</TotalDevicesFound><CmNodes>{''.join(nodes)}</CmNodes>"
        "</SelectCmDeviceResult><StateInfo>&lt;StateInfo/&gt;</StateInfo></selectCmDeviceReturn>"
        "</r:selectCmDeviceResponse>"
    )


async def asked(body: bytes, *names: str) -> dict[str, Registration]:
    client = ris_client(answering(200, body))
    try:
        return await client.registrations(names)
    finally:
        await client.aclose()


@pytest.mark.asyncio
async def test_unqualified_recorded_answer() -> None:
    body = fixture("ris-resp-calltelemetry-fixture-cucm15")
    found = await asked(body, "SEP001122334455", "SEPAABBCCDDEEFF", "SEP665544332211")
    at = datetime(2024, 1, 1, tzinfo=UTC)
    assert found["SEP001122334455"] == Registration("SEP001122334455", True, "cucm15-pub", at)
    assert found["SEPAABBCCDDEEFF"] == Registration("SEPAABBCCDDEEFF", True, "cucm15-sub", at)
    assert len(found) == 3


@pytest.mark.parametrize("status", ["UnRegistered", "Rejected", "PartiallyRegistered", "Unknown"])
@pytest.mark.asyncio
async def test_only_registered_is_registered(status: str) -> None:
    found = await asked(ris(node("n", device("SEP1", status)), total=1), "SEP1")
    assert not found["SEP1"].registered


@pytest.mark.asyncio
async def test_a_phone_that_no_node_knows_is_not_registered() -> None:
    found = await asked(ris(node("a", code="NotFound"), node("b", code="NotFound")), "SEP1")
    assert found == {"SEP1": Registration("SEP1", False)}


@pytest.mark.asyncio
async def test_the_new_node_counts_though_the_old_one_noticed_later() -> None:
    body = ris(
        node("old", device("SEP1", "UnRegistered", "1700000070")),
        node("new", device("sep1", "Registered", "1700000010")),
        node("older", device("SEP1", "Registered", "1600000000")),
        total=3,
    )
    found = await asked(body, "SEP1")
    assert found["SEP1"].node == "new"
    assert found["SEP1"].at == datetime.fromtimestamp(1700000010, UTC)


@pytest.mark.parametrize(
    "body",
    [
        ris(node("a", device("SEP1")), node("b", code="RequestTimeout"), total=1),
        ris(node("a", device("SEP1")), node("b", code=""), total=1),
        ris(),
        ris(node("a", device("SEP1")), total=2),
    ],
    ids=["timeout", "no-code", "no-node", "too-few"],
)
@pytest.mark.asyncio
async def test_an_incomplete_answer_is_never_not_registered(body: bytes) -> None:
    with pytest.raises(NodeFault):
        await asked(body, "SEP1", "SEP2")


@pytest.mark.parametrize(
    "body",
    [
        ris(node("a", device("SEP1", "Sleeping")), total=1),
        ris(node("a", device("")), total=1),
        ris(node("a", device("SEP1", stamp="soon")), total=1),
        ris(node("a"), total="many"),
        soap("<selectCmDeviceResponse/>"),
        soap("<somethingElse/>"),
    ],
    ids=["status", "no-name", "stamp", "total", "empty", "other"],
)
@pytest.mark.asyncio
async def test_what_cannot_be_read_is_said(body: bytes) -> None:
    with pytest.raises(UnknownLayout):
        await asked(body, "SEP1")


# ── hostile XML ───────────────────────────────────────────────────────────────────────────

BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    b"<x>&b;</x>"
)
OUTSIDE = b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]><x>&a;</x>'


@pytest.mark.parametrize(
    "data",
    [
        BOMB,
        OUTSIDE,
        b'<!DOCTYPE x SYSTEM "http://example.invalid/x.dtd"><x/>',
        b"<a>" * 100_000,
        b"<a>" * 200 + b"</a>" * 200,
        soap("<a/>")[:-20],
        soap("<a/>") + b"rest",
        b"",
        b"\x00\xff\xfe",
        b'<?xml version="1.0" encoding="no-such-code"?><a/>',
        b"{}",
        b"<!DOCTYPE html><html><body>Cisco Unified CM Console</body></html>",
        b"  <html><body>503</body></html>",
        b"<a/>",
        soap(""),
        b'<Envelope xmlns="urn:x"/>',
    ],
    ids=range(16),
)
def test_hostile_or_broken_xml(data: bytes) -> None:
    with pytest.raises(UnknownLayout):
        parse_body(data, "cucm-pub")


def test_too_many_elements(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soap_module, "_MAX_ELEMENTS", 50)
    with pytest.raises(UnknownLayout, match="elements"):
        parse_body(soap("<a/>" * 60), "cucm-pub")


def test_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soap_module, "MAX_BYTES", 100)
    with pytest.raises(UnknownLayout, match="over the limit"):
        parse_body(soap("<a/>" * 60), "cucm-pub")


@pytest.mark.asyncio
async def test_too_large_on_the_wire(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_module, "MAX_BYTES", 100)
    client = axl_client(answering(200, soap("<a/>" * 60)))
    with pytest.raises(UnknownLayout, match="more than"):
        await client.sql("select 1")
    await client.aclose()
