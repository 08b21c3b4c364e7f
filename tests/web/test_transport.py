"""AXL and RISPort70 behind the seam."""

from __future__ import annotations

import re

import httpx
import pytest

from cucm_certflow.commands import Regenerate, ReplyKind, ResetPhones
from cucm_certflow.errors import AuthenticationFailed
from cucm_certflow.facts import (
    CertificateOf,
    Known,
    Phones,
    Registrations,
    Unknown,
    VersionOf,
    Why,
)
from cucm_certflow.inventory import Inventory, NodeEntry
from cucm_certflow.names import CertUnit
from cucm_certflow.transports.axl import AxlTransport
from cucm_certflow.transports.ris import RisClient
from cucm_certflow.transports.route import Route
from tests.web.helpers import (
    INVENTORY,
    PUB,
    ManualClock,
    Wire,
    access_over,
    answering,
    axl,
    fixture,
)

pytestmark = pytest.mark.asyncio

NAMES = ("SEP001122334455", "SEPAABBCCDDEEFF", "SEP000000000000")
RESET = ResetPhones(PUB.name, ("SEP1", "SEP2", "SEP3", "SEP4"))


def over(wire: Wire, *, concurrency: int = 1) -> AxlTransport:
    return AxlTransport(access_over(wire), reset_concurrency=concurrency)


def route_over_ris(wire: Wire, names: tuple[str, ...] = NAMES) -> Route:
    access = access_over(wire)
    access.pins.learn(PUB.name, "ab" * 32)
    route = Route(
        {},
        ris=RisClient(PUB, access, back_off_s=0),
        clock=access.clock,
        pins=access.pins,
        nodes=(PUB.name,),
    )
    route.know(releases={}, callmanagers=(), phones=names)
    return route


def phone_in(request: httpx.Request) -> str:
    found = re.search(rb"<deviceName>(\w+)<", request.content)
    assert found is not None
    return found[1].decode()


def resets(answers: dict[str, httpx.Response | Exception]) -> Wire:
    def answer(request: httpx.Request) -> httpx.Response:
        match answers.get(phone_in(request)):
            case None:
                return httpx.Response(200, content=axl("doDeviceReset", "true"))
            case Exception() as error:
                raise error
            case response:
                return response

    return Wire(answer)


UNKNOWN_PHONE = httpx.Response(500, content=fixture("axl-fault-5007-queueid-prefixed-detail"))


# ── looking ───────────────────────────────────────────────────────────────────────────────


async def test_the_cluster_names_nodes_as_the_inventory_does() -> None:
    entries = (
        NodeEntry(name="cucm15-pub.example.com", address="192.0.2.1"),
        NodeEntry(name="cucm15-sub", address="192.0.2.2"),
    )
    account = INVENTORY.application
    inventory = Inventory(nodes=entries, platform=account, application=account)
    access = access_over(answering(500), inventory=inventory)
    assert access.node_called("cucm15-pub") == "cucm15-pub.example.com"
    assert access.node_called("CUCM15-SUB.example.com") == "cucm15-sub"
    assert access.node_called("192.0.2.2") == "cucm15-sub"
    assert access.node_called("192") == "192"
    assert access.node_called("elsewhere") == "elsewhere"


async def test_no_phones_need_no_question() -> None:
    wire = Wire(lambda _: httpx.Response(500))
    route = route_over_ris(wire, ())
    fact = await route.observe(Registrations())
    assert isinstance(fact, Known)
    assert fact.value == {}
    assert isinstance(await route.observe(Registrations(("SEP1",))), Unknown)
    assert len(wire.requests) == 1
    await route.aclose()


async def test_an_unanswered_question_is_unknown_since_before_the_look() -> None:
    wire = Wire(lambda _: httpx.Response(500, content=fixture("ris-fault-ratecontrol")))
    route = route_over_ris(wire)
    begun = ManualClock().now()
    fact = await route.observe(Registrations())
    assert isinstance(fact, Unknown)
    assert fact.at == begun
    assert fact.why is Why.BUSY
    assert "15 requests per minute" in fact.reason
    await route.aclose()


async def test_what_it_supports() -> None:
    wire = Wire(lambda _: httpx.Response(500))
    web = over(wire)
    assert web.supports(RESET)
    assert web.supports(VersionOf("cucm-sub"))
    assert not web.supports(VersionOf("elsewhere"))
    assert not web.supports(CertificateOf("cucm-pub", CertUnit.TVS))
    assert not web.supports(Regenerate("cucm-pub", CertUnit.TVS))
    assert isinstance(await web.observe(VersionOf("elsewhere")), Unknown)
    reply = await web.perform(Regenerate("cucm-pub", CertUnit.TVS))
    assert reply.kind is ReplyKind.REFUSED
    assert not reply.sent
    await web.aclose()
    await web.aclose()
    assert wire.requests == []


async def test_a_refused_account_is_raised() -> None:
    web = over(Wire(lambda _: httpx.Response(401)))
    with pytest.raises(AuthenticationFailed):
        await web.observe(Phones())
    with pytest.raises(AuthenticationFailed):
        await web.perform(RESET)
    await web.aclose()


# ── resetting ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("concurrency", [1, 4])
async def test_each_phone_is_reset_once(concurrency: int) -> None:
    wire = resets({})
    web = over(wire, concurrency=concurrency)
    reply = await web.perform(RESET)
    assert reply.kind is ReplyKind.ACCEPTED
    assert reply.text.startswith("4 of 4 phones")
    assert sorted(phone_in(request) for request in wire.requests) == list(RESET.names)
    await web.aclose()


async def test_a_fault_on_one_phone_is_remembered_and_the_others_go_on() -> None:
    wire = resets({"SEP2": UNKNOWN_PHONE})
    web = over(wire)
    reply = await web.perform(RESET)
    assert reply.kind is ReplyKind.ACCEPTED
    assert "3 of 4" in reply.text
    assert "not reset: SEP2" in reply.text
    assert len(wire.requests) == 4
    await web.aclose()


@pytest.mark.parametrize("phone", ["SEP1", "SEP3"])
async def test_a_broken_connection_is_lost_and_ends_it(phone: str) -> None:
    wire = resets({phone: httpx.ReadError("reset")})
    web = over(wire)
    reply = await web.perform(RESET)
    assert reply.kind is ReplyKind.LOST
    assert f"in doubt: {phone}" in reply.text
    assert phone_in(wire.requests[-1]) == phone
    await web.aclose()


async def test_an_answer_that_nobody_can_read_is_lost() -> None:
    web = over(resets({"SEP1": httpx.Response(200, content=b"<html>?</html>")}))
    assert (await web.perform(RESET)).kind is ReplyKind.LOST
    await web.aclose()


async def test_no_connection_at_all_is_refused() -> None:
    wire = resets({"SEP1": httpx.ConnectError("refused")})
    web = over(wire)
    reply = await web.perform(RESET)
    assert reply.kind is ReplyKind.REFUSED
    assert "not sent: 3" in reply.text
    assert len(wire.requests) == 1
    await web.aclose()


async def test_no_connection_in_the_middle_is_lost() -> None:
    web = over(resets({"SEP3": httpx.ConnectError("refused")}))
    reply = await web.perform(RESET)
    assert reply.kind is ReplyKind.LOST
    assert "2 of 4" in reply.text
    await web.aclose()


async def test_faults_on_all_phones_are_a_refusal() -> None:
    web = over(resets(dict.fromkeys(RESET.names, UNKNOWN_PHONE)))
    assert (await web.perform(RESET)).kind is ReplyKind.REFUSED
    await web.aclose()


@pytest.mark.parametrize("status", [403, 404, 302])
async def test_what_is_wrong_with_the_interface_is_not_asked_once_per_phone(status: int) -> None:
    wire = resets(dict.fromkeys(RESET.names, httpx.Response(status)))
    web = over(wire)
    assert (await web.perform(RESET)).kind is ReplyKind.REFUSED
    assert len(wire.requests) == 1
    await web.aclose()


async def test_an_account_refused_in_the_middle_is_not_said_to_have_sent_nothing() -> None:
    wire = resets({"SEP2": httpx.Response(401)})
    web = over(wire)
    reply = await web.perform(RESET)
    assert reply.kind is ReplyKind.LOST
    assert len(wire.requests) == 2
    with pytest.raises(AuthenticationFailed):
        await web.perform(RESET)
    assert len(wire.requests) == 2
    await web.aclose()


async def test_a_throttled_node_is_given_time_and_then_left_alone() -> None:
    names = tuple(f"SEP{number}" for number in range(20))
    wire = resets(dict.fromkeys(names[2:], httpx.Response(503)))
    web = over(wire)
    reply = await web.perform(ResetPhones(PUB.name, names))
    assert reply.kind is ReplyKind.LOST
    assert len(wire.requests) == 7
    await web.aclose()


async def test_no_phone_in_scope_sends_nothing() -> None:
    wire = resets({})
    web = over(wire)
    assert (await web.perform(ResetPhones(PUB.name, ()))).kind is ReplyKind.ACCEPTED
    assert wire.requests == []
    await web.aclose()


@pytest.mark.parametrize("concurrency", [0, 9])
async def test_concurrency_is_bounded(concurrency: int) -> None:
    with pytest.raises(ValueError, match="1 to 8"):
        over(resets({}), concurrency=concurrency)
