"""What the web clients do with statuses, redirects, accounts and budgets."""

from __future__ import annotations

import asyncio
import logging
import traceback

import httpx
import pytest

from cucm_certflow.errors import (
    AuthenticationFailed,
    NodeError,
    NodeFault,
    NodeUnreachable,
    RateLimited,
    UnknownLayout,
)
from cucm_certflow.names import ListKind
from cucm_certflow.transports.breaker import Breaker
from cucm_certflow.transports.budget import RateBudget
from cucm_certflow.transports.soap import NotSent
from cucm_certflow.transports.trustfiles import fetch
from tests.web.helpers import (
    ACCOUNT,
    ManualClock,
    Wire,
    answering,
    axl,
    axl_client,
    fixture,
    ris_client,
)

pytestmark = pytest.mark.asyncio


async def test_one_refusal_stops_every_client_of_the_account() -> None:
    breaker = Breaker()
    first, second = answering(401, b"<html>no</html>"), answering(200, axl("executeSQLQuery"))
    one, other = axl_client(first, breaker), axl_client(second, breaker)
    with pytest.raises(AuthenticationFailed):
        await one.sql("select 1")
    with pytest.raises(AuthenticationFailed):
        await one.sql("select 1")
    with pytest.raises(AuthenticationFailed):
        await other.sql("select 1")
    assert (len(first.requests), len(second.requests)) == (1, 0)
    await one.aclose()
    await other.aclose()


async def test_requests_at_the_same_moment_cost_one_refusal() -> None:
    wire = answering(401)
    client = axl_client(wire)
    outcomes = await asyncio.gather(
        *(client.sql("select 1") for _ in range(5)), return_exceptions=True
    )
    assert all(isinstance(outcome, AuthenticationFailed) for outcome in outcomes)
    assert len(wire.requests) == 1
    await client.aclose()


async def test_an_accepted_account_may_ask_in_parallel() -> None:
    under_way = 0
    most = 0

    async def answer(_: httpx.Request) -> httpx.Response:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        for _step in range(5):
            await asyncio.sleep(0)
        under_way -= 1
        return httpx.Response(200, content=axl("executeSQLQuery"))

    wire = answering(200)
    wire.transport = httpx.MockTransport(answer)
    client = axl_client(wire)
    await client.sql("select 1")
    await asyncio.gather(*(client.sql("select 1") for _ in range(4)))
    assert most == 4
    await client.aclose()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_named_and_not_followed(status: int) -> None:
    wire = answering(status, Location="https://elsewhere.example/axl/")
    client = axl_client(wire)
    with pytest.raises(NodeFault, match="redirect to https://elsewhere"):
        await client.sql("select 1")
    assert len(wire.requests) == 1
    await client.aclose()


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (403, NodeFault, "Standard AXL API Access"),
        (404, NodeFault, "not activated"),
        (429, RateLimited, "busy"),
        (503, RateLimited, "busy"),
        (501, NodeFault, "HTTP 501: some page"),
        (502, NodeUnreachable, "it may have arrived"),
        (504, NodeUnreachable, "it may have arrived"),
        (500, UnknownLayout, "some page"),
    ],
)
async def test_statuses(status: int, error: type[Exception], words: str) -> None:
    client = axl_client(answering(status, b"<html><body>some page</body></html>"))
    with pytest.raises(error, match=words):
        await client.reset_phone("SEP1")
    await client.aclose()


async def test_wrong_axl_version() -> None:
    page = b"<html>Incorrect axl version. Supported axl versions are 12.x, 14.0 and 15.0</html>"
    client = axl_client(answering(599, page))
    with pytest.raises(NodeFault, match="Supported axl versions are 12"):
        await client.sql("select 1")
    await client.aclose()


async def test_a_node_of_another_release_is_asked_in_a_version_that_it_speaks() -> None:
    page = b"<html>Incorrect axl version. Supported axl versions are 12.x, 14.0 and 15.0</html>"

    def answer(request: httpx.Request) -> httpx.Response:
        if b"API/15.0" not in request.content:
            return httpx.Response(599, content=page)
        assert "ver=15.0" in request.headers["SOAPAction"]
        if b"getCCMVersion" in request.content:
            inner = "<componentVersion><version>15.0.1</version></componentVersion>"
            return httpx.Response(200, content=axl("getCCMVersion", inner))
        return httpx.Response(200, content=axl("doDeviceReset", "true"))

    wire = Wire(answer, versions=False)
    client = axl_client(wire)
    await client.reset_phone("SEP1")
    await client.reset_phone("SEP2")
    assert client.schema_version == "15.0"
    assert [b"doDeviceReset" in request.content for request in wire.requests] == [
        False,
        False,
        True,
        True,
    ]
    assert await client.version() == "15.0.1"
    await client.aclose()


async def test_html_with_status_200_is_not_an_answer() -> None:
    client = axl_client(answering(200, b"<html>welcome</html>"))
    with pytest.raises(UnknownLayout, match="HTML"):
        await client.sql("select 1")
    await client.aclose()


async def test_no_cookie_is_sent_back_and_the_account_always_is() -> None:
    wire = answering(
        200,
        axl("executeSQLQuery"),
        **{"Set-Cookie": "JSESSIONIDSSO=3D63; path=/; Secure; HttpOnly"},
    )
    client = axl_client(wire)
    await client.sql("select 1")
    await client.sql("select 1")
    assert all("Cookie" not in request.headers for request in wire.requests)
    assert all("Authorization" in request.headers for request in wire.requests)
    await client.aclose()


@pytest.mark.parametrize("status", [200, 500, 501, 502, 599])
async def test_the_password_is_in_no_log_and_no_error(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    password = ACCOUNT.password.reveal()
    client = axl_client(answering(status, f"<html>bad {password}</html>".encode()))
    with pytest.raises(NodeError, match="bad <redacted>") as caught:
        await client.sql("select 1")
    shown = "".join(traceback.format_exception(caught.value))
    assert password not in shown
    assert password not in caplog.text
    await client.aclose()


@pytest.mark.parametrize(
    ("raised", "error", "left"),
    [
        (httpx.ConnectError("refused"), NotSent, "nothing was sent"),
        (httpx.ConnectTimeout("slow"), NotSent, "nothing was sent"),
        (httpx.ReadError("reset"), NodeUnreachable, "it may have arrived"),
        (httpx.ReadTimeout("slow"), NodeUnreachable, "it may have arrived"),
        (httpx.RemoteProtocolError("closed"), NodeUnreachable, "it may have arrived"),
    ],
)
async def test_a_broken_connection_says_what_may_have_happened(
    raised: Exception, error: type[Exception], left: str
) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        raise raised

    client = axl_client(Wire(answer))
    with pytest.raises(error, match=left) as caught:
        await client.reset_phone("SEP1")
    assert type(caught.value) is error
    await client.aclose()


async def test_a_question_that_was_lost_before_a_reset_sent_nothing_of_it() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        message = "reset"
        raise httpx.ReadError(message)

    wire = Wire(answer, versions=False)
    client = axl_client(wire)
    with pytest.raises(NotSent):
        await client.reset_phone("SEP1")
    assert b"getCCMVersion" in wire.requests[0].content
    assert len(wire.requests) == 1
    await client.aclose()


# ── budgets ───────────────────────────────────────────────────────────────────────────────


async def test_budget_lets_no_more_than_its_number_into_any_minute() -> None:
    clock = ManualClock()
    budget = RateBudget(3, monotonic=clock.monotonic, sleep=clock.sleep)
    taken: list[float] = []
    for gap in (0, 1, 2, 0, 0, 50, 0, 0, 0, 0):
        await clock.sleep(gap)
        await budget.take()
        taken.append(clock.monotonic())
    for start in taken:
        assert sum(start <= each < start + 60 for each in taken) <= 3
    assert taken[3] == taken[0] + 60


async def test_a_rate_fault_holds_off_and_is_asked_again() -> None:
    clock = ManualClock()
    answers = [
        httpx.Response(500, content=fixture("ris-fault-ratecontrol")),
        httpx.Response(200, content=fixture("ris-fault-ratecontrol")),
        httpx.Response(200, content=fixture("ris-resp-calltelemetry-fixture-cucm15")),
    ]
    wire = Wire(lambda _: answers.pop(0))
    client = ris_client(wire, clock)
    found = await client.registrations(["SEP001122334455"])
    assert found["SEP001122334455"].registered
    assert clock.slept == [10.0, 20.0]
    await client.aclose()


async def test_a_rate_fault_that_stays_is_said() -> None:
    wire = answering(500, fixture("ris-fault-ratecontrol"))
    client = ris_client(wire)
    with pytest.raises(RateLimited, match="15 requests per minute"):
        await client.registrations(["SEP1"])
    assert len(wire.requests) == 3
    await client.aclose()


async def test_many_names_go_in_pages_within_the_budget() -> None:
    clock = ManualClock()
    body = fixture("ris-resp-calltelemetry-fixture-cucm15")
    wire = Wire(lambda _: httpx.Response(200, content=body))
    client = ris_client(wire, clock, page=100)
    found = await client.registrations([f"SEP{number:012X}" for number in range(1150)])
    assert len(found) == 1150
    assert len(wire.requests) == 12
    assert clock.slept == [60.0]
    assert all(request.content.count(b":Item>") <= 200 for request in wire.requests)
    await client.aclose()


@pytest.mark.parametrize("name", ["*", "SEP*", ""])
async def test_ris_is_never_asked_for_a_pattern(name: str) -> None:
    wire = answering(200)
    client = ris_client(wire)
    with pytest.raises(ValueError, match="whole name"):
        await client.registrations([name])
    assert wire.requests == []
    await client.aclose()


# ── trust files ───────────────────────────────────────────────────────────────────────────


async def test_trust_file_is_fetched_as_it_is() -> None:
    wire = answering(200, b"\x01\x00\x02tlv", **{"Content-Type": "*/*"})
    data = await fetch("127.0.0.1", ListKind.ITL, transport=wire.transport)
    assert data == b"\x01\x00\x02tlv"
    assert str(wire.requests[0].url) == "http://127.0.0.1:6970/ITLFile.tlv"
    assert "Authorization" not in wire.requests[0].headers


async def test_no_trust_file() -> None:
    wire = answering(404)
    assert await fetch("127.0.0.1", ListKind.CTL, transport=wire.transport) is None


async def test_a_busy_tftp_is_asked_again() -> None:
    clock = ManualClock()
    answers = [httpx.Response(503), httpx.Response(503), httpx.Response(200, content=b"x")]
    wire = Wire(lambda _: answers.pop(0))
    assert (
        await fetch("127.0.0.1", ListKind.ITL, sleep=clock.sleep, transport=wire.transport) == b"x"
    )
    assert clock.slept == [1.0, 2.0]
    busy = answering(503)
    with pytest.raises(RateLimited):
        await fetch("127.0.0.1", ListKind.ITL, sleep=clock.sleep, transport=busy.transport)
    assert len(busy.requests) == 4


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, b"", UnknownLayout),
        (200, bytes((4 << 20) + 1), UnknownLayout),
        (302, b"", UnknownLayout),
        (500, b"", NodeFault),
    ],
    ids=["empty", "huge", "redirect", "error"],
)
async def test_what_is_no_trust_file(status: int, body: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        await fetch("127.0.0.1", ListKind.ITL, transport=answering(status, body).transport)


async def test_nobody_serves_trust_files_there() -> None:
    with pytest.raises(NodeUnreachable):
        await fetch("127.0.0.1", ListKind.ITL, port=9, timeout_s=2)
