"""PerfMon as the lab serves it, judged by its description and by the cluster."""

from __future__ import annotations

import pytest
from lxml import etree

from cucm_certflow.names import CertUnit, Service
from tests.lab.desk import AST, Office, faultstring, office, valid, values
from tests.lab.small import OFF, PHONE, SECURE
from tests.web.helpers import fixture

pytestmark = pytest.mark.asyncio

PATH = "/perfmonservice2/services/PerfmonService"
PERFMON = "PerfmonService"
EXACT = "\n[timing]\njitter = 0\n"
CALLMANAGER, TFTP = "Cisco CallManager", "Cisco TFTP Server"


def collect(thing: str, host: str = "pub") -> str:
    return (
        f"<a:perfmonCollectCounterData><a:Host>{host}</a:Host><a:Object>{thing}</a:Object>"
        "</a:perfmonCollectCounterData>"
    )


def read(body: etree._Element) -> dict[str, int]:
    """The value of each counter, by its path."""
    names, found = values(body, "Name"), values(body, "Value")
    return dict(zip(names, map(int, found), strict=True))


async def counters(at: Office, thing: str, host: str = "pub", node: str = "pub") -> dict[str, int]:
    body = valid(PERFMON, await at.ask(PATH, collect(thing, host), node=node))
    assert set(values(body, "CStatus")) == {"1"}
    prefix = f"\\\\{host}\\{thing}\\"
    found = read(body)
    assert all(path.startswith(prefix) for path in found)
    return {path.removeprefix(prefix): value for path, value in found.items()}


def about(operation: str, handle: str, *paths: str) -> str:
    within = "".join(f"<a:Counter><a:Name>{path}</a:Name></a:Counter>" for path in paths)
    array = f"<a:ArrayOfCounter>{within}</a:ArrayOfCounter>" if paths else ""
    return f"<a:{operation}><a:SessionHandle>{handle}</a:SessionHandle>{array}</a:{operation}>"


async def opened(at: Office) -> str:
    body = valid(PERFMON, await at.ask(PATH, "<a:perfmonOpenSession/>"))
    return values(body, "perfmonOpenSessionReturn")[0]


# ── registrations ─────────────────────────────────────────────────────────────────────────


async def test_any_node_tells_how_many_phones_each_node_has() -> None:
    with office() as at:
        for node in ("pub", "sub"):
            for host in ("pub", "127.0.0.12", "SUB.lab.example"):
                name = "pub" if host == "pub" else "sub"
                found = await counters(at, CALLMANAGER, host, node)
                there = at.cluster.registered_with(name)
                assert found["RegisteredHardwarePhones"] == sum(there.values())
                assert found["RegisteredBOTJabberMRA"] == 0
        assert (await counters(at, CALLMANAGER))["RegisteredHardwarePhones"] == 4
        assert (await counters(at, CALLMANAGER, "sub"))["EncryptedRegisteredPhones"] == 1


async def test_the_counts_are_those_of_the_registrations_at_every_moment() -> None:
    with office(more=EXACT) as at:
        lab = at.cluster
        lab.begin_restart("pub", Service.CALLMANAGER)
        lab.reset_phone(SECURE)
        lab.power(OFF, on=True)
        seen = set()
        for step in range(120):
            at.clock.turn(3)
            if step == 60:
                lab.begin_regenerate("sub", CertUnit.CALLMANAGER)
            table = lab.registrations().values()
            for node in ("pub", "sub"):
                by_hand = sum(each.node == node for each in table)
                assert sum(lab.registered_with(node).values()) == by_hand
                seen.add((node, by_hand))
        assert {("pub", 0), ("sub", 0)} & seen
        assert len(seen) > 4


async def test_what_was_seen_of_registrations_does_not_change_later() -> None:
    with office(more=EXACT) as at:
        before = at.cluster.registrations()
        assert before[PHONE].registered
        at.cluster.power(PHONE, on=False)
        assert before[PHONE].registered
        assert not at.cluster.registrations()[PHONE].registered


# ── TFTP ──────────────────────────────────────────────────────────────────────────────────


async def test_phones_that_boot_are_counted_where_they_load() -> None:
    with office(more=EXACT) as at:
        before = await counters(at, TFTP)
        assert before["Requests"] == 0
        at.cluster.reset_phone(PHONE)
        at.cluster.reset_phone(SECURE)
        at.clock.turn(600)
        pub, sub = await counters(at, TFTP), await counters(at, TFTP, "sub")
        assert (pub["SEPFoundCount"], sub["SEPFoundCount"]) == (1, 1)
        assert (pub["HttpRequests"], pub["HttpRequestsProcessed"]) == (3, 3)
        assert pub["BuildSignCount"] == pub["Requests"] - 2 == 1
        at.cluster.begin_restart("pub", Service.TFTP)
        at.clock.turn(60)
        assert (await counters(at, TFTP))["HttpRequests"] == 0
        assert (await counters(at, TFTP, "sub"))["HttpRequests"] == 3


async def test_a_cluster_without_ctl_shows_what_phones_miss() -> None:
    with office(mode='"non-secure"', security='"Non Secure"', more=EXACT) as at:
        at.cluster.reset_phone(PHONE)
        at.clock.turn(600)
        found = await counters(at, TFTP)
        assert (found["HttpRequestsProcessed"], found["HttpRequestsNotFound"]) == (2, 1)
        assert found["RequestsNotFound"] == 1


async def test_a_heart_beats_as_long_as_its_service_runs() -> None:
    with office(more=EXACT) as at:
        first = (await counters(at, TFTP))["HeartBeat"]
        at.clock.turn(60)
        assert (await counters(at, TFTP))["HeartBeat"] > first
        at.cluster.begin_stop("pub", Service.TFTP)
        at.cluster.begin_stop("pub", Service.CALLMANAGER)
        at.clock.turn(60)
        assert (await counters(at, TFTP))["HeartBeat"] == 0
        assert (await counters(at, CALLMANAGER))["InitializationState"] == 0


# ── sessions ──────────────────────────────────────────────────────────────────────────────


async def test_a_session_collects_its_counters_and_ends() -> None:
    with office() as at:
        handle = await opened(at)
        phones = r"\\pub\Cisco CallManager\RegisteredHardwarePhones"
        misses = r"\\127.0.0.12\Cisco TFTP Server()\RequestsNotFound"
        valid(PERFMON, await at.ask(PATH, about("perfmonAddCounter", handle, phones, misses)))
        ask = about("perfmonCollectSessionData", handle)
        body = valid(PERFMON, await at.ask(PATH, ask))
        assert read(body) == {phones: 4, misses: 0}
        assert values(body, "CStatus") == ["0", "0"]
        valid(PERFMON, await at.ask(PATH, about("perfmonRemoveCounter", handle, misses)))
        assert list(read(valid(PERFMON, await at.ask(PATH, ask)))) == [phones]
        valid(PERFMON, await at.ask(PATH, about("perfmonCloseSession", handle)))
        assert "no session" in faultstring(await at.ask(PATH, ask))


async def test_a_session_is_forgotten_after_half_an_hour_of_silence() -> None:
    with office() as at:
        handle, other = await opened(at), await opened(at)
        assert handle != other
        at.clock.turn(29 * 60)
        ask = about("perfmonCollectSessionData", handle)
        valid(PERFMON, await at.ask(PATH, ask))
        at.clock.turn(29 * 60)
        valid(PERFMON, await at.ask(PATH, ask))
        late = about("perfmonCollectSessionData", other)
        assert "no session" in faultstring(await at.ask(PATH, late))


# ── what there is, and what there is not ──────────────────────────────────────────────────


async def test_every_counter_that_is_listed_can_be_read_and_described() -> None:
    with office(more="\n[limits]\nperfmon_per_minute = 1000\n") as at:
        ask = "<a:perfmonListCounter><a:Host>sub</a:Host></a:perfmonListCounter>"
        body = valid(PERFMON, await at.ask(PATH, ask))
        listed = {
            each.findtext(f"{{{AST}}}Name") or "": values(each, "Name")[1:]
            for each in body.iter(f"{{{AST}}}perfmonListCounterReturn")
        }
        assert set(listed) == {CALLMANAGER, TFTP, "Cisco AXL Web Service"}
        assert set(values(body, "MultiInstance")) == {"false"}
        for thing, names in listed.items():
            assert list(await counters(at, thing, "sub")) == names
            for name in names:
                question = (
                    rf"<a:perfmonQueryCounterDescription><a:Counter>\\sub\{thing}\{name}"
                    "</a:Counter></a:perfmonQueryCounterDescription>"
                )
                described = valid(PERFMON, await at.ask(PATH, question))
                assert values(described, "perfmonQueryCounterDescriptionReturn")[0]
        instances = collect(TFTP).replace("CollectCounterData", "ListInstance")
        assert len(valid(PERFMON, await at.ask(PATH, instances))) == 0


async def test_what_there_is_not_is_a_fault() -> None:
    with office() as at:
        handle = await opened(at)
        for body, words in (
            (collect(TFTP, "nowhere"), "no host nowhere"),
            (collect("Cisco Teapot"), "no object Cisco Teapot"),
            (collect(TFTP, "imp"), "no object Cisco TFTP Server on imp"),
            (about("perfmonAddCounter", handle, r"\\pub\Cisco CallManager\Tea"), "no counter Tea"),
            (about("perfmonAddCounter", handle, "Tea"), "expected a counter as"),
            (about("perfmonAddCounter", "x", r"\\pub\Cisco CallManager\Tea"), "no session"),
            (about("perfmonAddCounter", handle), "expected SessionHandle, ArrayOfCounter"),
            ("<a:perfmonMakeTea/>", "no operation perfmonMakeTea"),
        ):
            assert words in faultstring(await at.ask(PATH, body))


async def test_genuine_requests_are_understood() -> None:
    with office() as at:
        collected = fixture("perfmon-req-perfmonCollectCounterData-devnet")
        ours = collected.replace(b"127.0.0.1<", b"127.0.0.11<")
        assert ours != collected
        found = read(valid(PERFMON, await at.send("POST", PATH, content=ours)))
        assert found[r"\\127.0.0.11\Cisco CallManager\RegisteredHardwarePhones"] == 4
        added = await at.send("POST", PATH, content=fixture("perfmon-req-perfmonAddCounter"))
        assert "no session 9830a5d4" in faultstring(added)


async def test_too_many_questions_in_a_minute_are_refused_by_all_nodes() -> None:
    with office(more="\n[limits]\nperfmon_per_minute = 2\n[timing]\nlook_s = 0\n") as at:
        for node in ("pub", "sub"):
            assert (await at.ask(PATH, collect(TFTP), node=node)).status_code == 200
        refused = await at.ask(PATH, collect(TFTP))
        assert "Server.RateControl</faultcode>" in refused.text
        assert (
            "Exceeded allowed rate for Perfmon information. Current allowed rate for perfmon "
            "information is 2 requests per minute." in faultstring(refused)
        )
        at.clock.turn(60)
        assert (await at.ask(PATH, collect(TFTP))).status_code == 200


async def test_im_and_presence_has_no_perfmon_of_the_lab() -> None:
    with office() as at:
        assert (await at.ask(PATH, collect(TFTP), node="imp")).status_code == 404
