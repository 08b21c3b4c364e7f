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
    RoleMissing,
    UnknownLayout,
)
from cucm_certflow.transports.breaker import Breaker
from cucm_certflow.transports.budget import RateBudget
from cucm_certflow.transports.http import NotSent
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
        inner = "<componentVersion><version>11.5.1.12900(21)</version></componentVersion>"
        return httpx.Response(200, content=axl("getCCMVersion", inner))

    wire = answering(200)
    wire.transport = httpx.MockTransport(answer)
    client = axl_client(wire)
    await client.version()
    await asyncio.gather(*(client.version() for _ in range(4)))
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


# ── sessions ──────────────────────────────────────────────────────────────────────────────


COOKIES = [
    ("Set-Cookie", "JSESSIONID=9A; path=/axl; Secure; HttpOnly"),
    ("Set-Cookie", "JSESSIONIDSSO=3D63; path=/; domain=.x; Expires=Tue, 19 Jan 2038 03:14:07 GMT"),
]


def session_wire(*later: httpx.Response) -> Wire:
    """Logs in whoever brings an account; then answers those with a cookie by *later*, and 200."""
    rest = list(later)

    def answer(request: httpx.Request) -> httpx.Response:
        if "Authorization" in request.headers:
            return httpx.Response(200, headers=COOKIES, content=axl("executeSQLQuery"))
        return rest.pop(0) if rest else httpx.Response(200, content=axl("executeSQLQuery"))

    return Wire(answer)


def how(request: httpx.Request) -> str:
    return request.headers.get("Cookie", "") or request.headers["Authorization"].partition(" ")[0]


async def test_a_session_stands_for_the_account() -> None:
    wire = session_wire()
    client = axl_client(wire)
    for _ in range(3):
        await client.sql("select 1")
    cookie = "JSESSIONID=9A; JSESSIONIDSSO=3D63"
    assert [how(request) for request in wire.requests] == ["Basic", cookie, cookie]
    assert all("Authorization" not in request.headers for request in wire.requests[1:])
    await client.aclose()


@pytest.mark.parametrize("status", [404, 401], ids=["idled-away", "died-with-tomcat"])
async def test_a_session_that_is_over_is_begun_anew_once(status: int) -> None:
    wire = session_wire(httpx.Response(status, content=b"<html>gone</html>"))
    client = axl_client(wire)
    await client.sql("select 1")
    await client.sql("select 2")
    assert [how(request)[:5] for request in wire.requests] == ["Basic", "JSESS", "Basic"]
    await client.aclose()


async def test_a_404_after_a_new_login_is_about_the_interface() -> None:
    wire = answering(404)
    client = axl_client(wire)
    with pytest.raises(NodeFault, match="not activated"):
        await client.sql("select 1")
    assert len(wire.requests) == 1
    await client.aclose()


async def test_a_reset_is_not_repeated_but_for_a_session_that_was_over() -> None:
    wire = session_wire(httpx.Response(404), httpx.Response(500))
    client = axl_client(wire)
    await client.sql("select 1")
    with pytest.raises(UnknownLayout):  # the answer to a repeated reset is one to a question here
        await client.reset_phone("SEP1")
    ours = [request for request in wire.requests if b"doDeviceReset" in request.content]
    assert [how(request)[:5] for request in ours] == ["JSESS", "Basic"]
    await client.aclose()


async def test_an_account_that_is_refused_elsewhere_ends_its_sessions_too() -> None:
    breaker = Breaker()
    wire = session_wire()
    client = axl_client(wire, breaker)
    await client.sql("select 1")
    breaker.trip("application", ACCOUNT.user, "another node")
    with pytest.raises(AuthenticationFailed):
        await client.sql("select 1")
    assert len(wire.requests) == 1
    await client.aclose()


async def test_a_cookie_of_another_kind_is_not_kept() -> None:
    wire = answering(200, axl("executeSQLQuery"), **{"Set-Cookie": "tracker=1; path=/"})
    client = axl_client(wire)
    await client.sql("select 1")
    await client.sql("select 1")
    assert [how(request) for request in wire.requests] == ["Basic", "Basic"]
    await client.aclose()


async def test_an_account_without_a_role_says_which() -> None:
    wire = answering(403, b"<html>forbidden</html>")
    client = axl_client(wire)
    with pytest.raises(RoleMissing, match="Standard AXL API Access") as caught:
        await client.sql("select 1")
    assert "cucm-pub" in caught.value.report.saw
    assert caught.value.role.startswith("Standard AXL API Access")
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
    budget = RateBudget(3, clock)
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
