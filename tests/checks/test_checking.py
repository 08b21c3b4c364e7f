"""How answers are gathered and reported, and what a person's word does to a report."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import attrs
import pytest

from cucm_certflow.checking import gather, preflight, take_baseline
from cucm_certflow.checks.preflight import PREFLIGHT
from cucm_certflow.codec import fact_converter
from cucm_certflow.commands import Command, Reply
from cucm_certflow.errors import AuthenticationFailed, Report, UsageError
from cucm_certflow.facts import (
    BackupHistory,
    ClusterFacts,
    Devices,
    Fact,
    Known,
    Parameter,
    Query,
    Registrations,
    Replication,
    ServicesOn,
    TimeSync,
    Unknown,
)
from cucm_certflow.findings import CheckReport, Said, Severity, Verdict
from cucm_certflow.names import CertUnit, DeviceClass
from cucm_certflow.testing.virtual import VirtualClock, run_virtual
from tests.checks.ground import PHONES, Answers, answers, facts, registrations

ASKED = {check.id for check in PREFLIGHT if check.asked}


class Book:
    """A transport that knows its answers by heart, counts questions and is given nothing to do."""

    def __init__(self, known: Answers, *, cannot: tuple[type, ...] = ()) -> None:
        self.known = known
        self.asked: list[Query] = []
        self.most = 0
        self._cannot = cannot
        self._now: dict[str, int] = {}

    def supports(self, what: Query | Command) -> bool:
        return not isinstance(what, self._cannot)

    async def observe(self, query: Query) -> Fact:
        self.asked.append(query)
        node = getattr(query, "node", "")
        self._now[node] = self._now.get(node, 0) + 1
        self.most = max(self.most, *self._now.values())
        at = VirtualClock().now()
        await VirtualClock().sleep(1)
        self._now[node] -= 1
        value = self.known.get(query)
        if isinstance(value, Exception):
            raise value
        return Known(value, at) if query in self.known else Unknown("not in the book", at)

    async def perform(self, command: Command) -> Reply:
        raise AssertionError(command)

    async def aclose(self) -> None:
        pass


def _words(*items: str) -> list[Said]:
    return [Said(item=item, by="nora", why="looked at it") for item in items]


def _looked(
    given: ClusterFacts,
    but: Answers | None = None,
    *,
    units: Iterable[CertUnit] = (CertUnit.CALLMANAGER,),
    said: Iterable[Said] = (),
    cannot: tuple[type, ...] = (),
) -> tuple[CheckReport, Book]:
    # The book's dates are of another day than virtual time begins with.
    known: dict[Any, Any] = {**answers(given), **(but or {})}
    book = Book(known, cannot=cannot)

    async def story() -> CheckReport:
        return await preflight(given, book, units=units, clock=VirtualClock(), said=said)

    return run_virtual(story), book


def _open(report: CheckReport) -> set[str]:
    return {finding.check for finding in report.open()}


def test_a_good_cluster_leaves_open_only_what_is_asked() -> None:
    report, _ = _looked(facts("14.0.1.12900-161"))
    applying = {finding.check for finding in report.findings}
    asked = {f.check for f in report.findings if f.asked and f.severity is not Severity.WARNING}
    assert _open(report) == asked <= ASKED & applying
    assert not report.passed


def test_nothing_is_open_once_a_person_has_answered_all_that_is_asked() -> None:
    given = facts("14.0.1.12900-161")
    first, _ = _looked(given)
    report, _ = _looked(given, said=_words(*(f.check for f in first.findings if f.asked)))
    assert report.open() == ()
    assert report.passed
    assert "nora says: looked at it" in str(report)


def test_every_question_is_asked_once_and_a_node_is_asked_one_at_a_time() -> None:
    _, book = _looked(facts(), units=list(CertUnit))
    assert len(book.asked) == len(set(book.asked))
    assert {Replication(), TimeSync("pub"), TimeSync("imp")} <= set(book.asked)
    assert book.most == 1


def test_what_no_way_answers_is_unknown_and_not_asked() -> None:
    report, book = _looked(facts(), cannot=(Replication, TimeSync))
    assert not any(isinstance(query, Replication | TimeSync) for query in book.asked)
    finding = next(f for f in report.findings if f.check == "replication")
    assert finding.verdict is Verdict.UNKNOWN
    assert "no way answers this question" in finding.detail


def test_a_block_that_was_seen_is_not_lifted_by_a_word() -> None:
    bad = {Replication(): {"pub": 2, "sub": 4}}
    report, _ = _looked(facts(), bad, said=_words("replication"))
    assert "replication" in _open(report)
    unseen, _ = _looked(facts(), cannot=(Replication,), said=_words("replication"))
    assert "replication" not in _open(unseen)


def test_a_waiver_of_all_its_phones_lifts_a_finding_about_phones() -> None:
    off = {Registrations(): registrations(PHONES[0], down=(PHONES[1],))}
    report, _ = _looked(facts(), off)
    assert "phones-registered" in _open(report)
    assert "phones-registered" not in {f.check for f in report.open(waived=[PHONES[1]])}


def test_the_report_keeps_who_was_registered() -> None:
    off = {
        Registrations(): registrations(PHONES[0], "ATA000000000001", down=(PHONES[1],)),
        Devices(DeviceClass.GATEWAY): registrations("GW1", down=("GW2",)),
    }
    report, book = _looked(facts(), off, units=[CertUnit.TOMCAT])
    assert report.baseline is not None
    assert report.baseline.registered[DeviceClass.PHONE] == {PHONES[0]}
    assert report.baseline.registered[DeviceClass.GATEWAY] == {"GW1"}
    assert set(report.baseline.registered) == set(DeviceClass)
    alone = run_virtual(lambda: take_baseline(facts(), Book(book.known), clock=VirtualClock()))
    assert alone.registered == report.baseline.registered


def test_a_class_that_cannot_be_read_is_absent_from_the_baseline() -> None:
    known = {q: v for q, v in answers(facts()).items() if q != Devices(DeviceClass.CTI)}
    alone = run_virtual(lambda: take_baseline(facts(), Book(known), clock=VirtualClock()))
    assert DeviceClass.CTI not in alone.registered
    assert DeviceClass.GATEWAY in alone.registered


@pytest.mark.parametrize(
    ("units", "said", "says"),
    [((), (), "no unit was asked for"), ((CertUnit.TVS,), _words("replicaton"), "no check has")],
    ids=["no unit", "a mistyped word"],
)
def test_a_wrong_wish_is_refused_before_anything_is_asked(
    units: tuple[CertUnit, ...], said: tuple[Said, ...], says: str
) -> None:
    book = Book({})

    async def story() -> None:
        await preflight(facts(), book, units=units, clock=VirtualClock(), said=said)

    with pytest.raises(UsageError, match=says):
        run_virtual(story)
    assert book.asked == []


def test_a_word_about_what_is_asked_only_afterwards_is_taken_and_changes_nothing() -> None:
    plain, _ = _looked(facts())
    report, _ = _looked(facts(), said=_words("backup-after", "sso-metadata"))
    assert report.findings == plain.findings
    assert [word.item for word in report.said] == ["backup-after", "sso-metadata"]


def test_a_refused_account_ends_the_look() -> None:
    refused = AuthenticationFailed(Report(headline="the account was refused"))
    mode = Parameter("ClusterSecurityMode")
    book = Book({**answers(facts()), mode: refused})
    queries: list[Query] = [mode, Replication(), TimeSync("pub"), ServicesOn("pub")]

    async def story() -> int:
        with pytest.raises(AuthenticationFailed):
            await gather(queries, book, clock=VirtualClock())
        return len(asyncio.all_tasks())

    assert run_virtual(story) == 1
    assert set(book.asked) == {TimeSync("pub"), mode}


def test_cancelling_a_look_leaves_no_task_behind() -> None:
    async def story() -> int:
        book = Book(answers(facts()))
        look = asyncio.ensure_future(
            preflight(facts(), book, units=[CertUnit.TVS], clock=VirtualClock())
        )
        await VirtualClock().sleep(1.5)
        look.cancel()
        with pytest.raises(asyncio.CancelledError):
            await look
        return len(asyncio.all_tasks())

    assert run_virtual(story) == 1


def test_ages_are_counted_from_the_end_of_the_look() -> None:
    # It takes many seconds to ask; a backup that was fresh when it began is not when it ends.
    start = run_virtual(_now)
    history = answers(facts())[BackupHistory()]
    edge = (attrs.evolve(history[0], at=start - timedelta(days=1.5) + timedelta(seconds=0.5)),)
    report, _ = _looked(facts(), {BackupHistory(): edge})
    finding = next(f for f in report.findings if f.check == "backup-fresh")
    assert finding.verdict is Verdict.FINDING


async def _now() -> datetime:
    return VirtualClock().now()


# ── kept ──────────────────────────────────────────────────────────────────────────────────


def test_a_report_goes_into_a_journal_and_back() -> None:
    report, _ = _looked(facts(), said=_words("no-upgrade"))
    converter = fact_converter()
    text = json.dumps(converter.unstructure(report))
    assert converter.structure(json.loads(text), CheckReport) == report
