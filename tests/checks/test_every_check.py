"""What holds for every check, so that a new one is covered on the day it is added."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import attrs
import pytest

from cucm_certflow.checks.preflight import PREFLIGHT
from cucm_certflow.checks.scope import Change, Scope
from cucm_certflow.checks.verification import VERIFICATION
from cucm_certflow.checks.vocabulary import Check, Doubt, Fault, Seen, asks_for
from cucm_certflow.core.plan import TrustKey
from cucm_certflow.facts import BackupStatus, Known, Replication
from cucm_certflow.findings import Said, Severity, Verdict
from cucm_certflow.names import CertUnit
from cucm_certflow.procedures.vocabulary import Source
from tests.checks.ground import NOW, changed, facts, scope

EVERY = {check.id: check for check in (*PREFLIGHT, *VERIFICATION)}
RELEASES = (
    "8.6.2.20000-2",
    "10.5.2.10000-5",
    "12.5.1.11900-1",
    "14.0.1.12900-161",
    "15.0.1.10000-1",
)


def _scopes() -> Iterator[tuple[str, Scope]]:
    """Good clusters before and after a change of everything, of several releases, in both modes."""
    for release in RELEASES:
        for mixed in (True, False):
            # In mixed mode below 10.0 a token signs the CTL: that is never a plain pass.
            yield f"{release} {mixed}", scope(facts(release, mixed=mixed))
            after, change = changed(*CertUnit, release=release, mixed=mixed)
            yield f"{release} {mixed} after", scope(after, change=change)
    key = TrustKey("tomcat-trust", "stranger", "old-ca.pem")
    clean_up = Change(before=facts(), entries=(key,), changed_at=NOW - timedelta(hours=3))
    yield "a clean-up", scope(change=attrs.evolve(clean_up, baseline=changed()[1].baseline))


SCOPES = dict(_scopes())


def _applying(check: Check) -> list[Scope]:
    table = [s for s in SCOPES.values() if (s.change is None) == (check in PREFLIGHT)]
    if check in PREFLIGHT and check in VERIFICATION:
        table = list(SCOPES.values())
    return [there for there in table if check.applies(there)]


EACH = pytest.mark.parametrize("check", EVERY.values(), ids=EVERY)
ASKED = pytest.mark.parametrize(
    "check", [c for c in EVERY.values() if c.asked], ids=[c.id for c in EVERY.values() if c.asked]
)


@pytest.mark.parametrize("table", [PREFLIGHT, VERIFICATION], ids=["preflight", "verification"])
def test_identifiers_are_unique_and_in_kebab_case(table: tuple[Check, ...]) -> None:
    names = [check.id for check in table]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) for name in names)


@EACH
def test_every_check_says_where_it_comes_from_and_what_lifts_it(check: Check) -> None:
    assert check.source.document
    assert check.unlock
    assert check.title


def test_an_identifier_in_both_tables_is_one_check() -> None:
    for before in PREFLIGHT:
        assert all(after is before for after in VERIFICATION if after.id == before.id)


@EACH
def test_every_check_applies_to_one_of_the_clusters_here(check: Check) -> None:
    assert _applying(check)


@EACH
def test_nothing_answered_is_never_a_pass(check: Check) -> None:
    for there in _applying(check):
        dumb = attrs.evolve(there, answers={}, said=())
        finding = check.judge(dumb)
        if check.asks(dumb) or check.asked:
            assert finding.verdict is not Verdict.PASS
            assert finding.severity is check.severity or finding.verdict is Verdict.FINDING


@EACH
def test_each_question_that_is_not_answered_is_no_pass_and_is_named(check: Check) -> None:
    for there in _applying(check):
        for query in check.asks(there):
            answers = {q: fact for q, fact in there.answers.items() if q != query}
            finding = check.judge(attrs.evolve(there, answers=answers))
            assert finding.verdict is not Verdict.PASS, query
            text = " ".join((finding.detail, *finding.evidence))
            assert "nobody asked" in text, query


@EACH
def test_a_good_cluster_passes_what_can_be_seen(check: Check) -> None:
    for there in _applying(check):
        token = there.facts.release.short < (10, 0) and there.mixed
        if check.asked or (token and check.id == "ctl-tokenless"):
            continue
        finding = check.judge(there)
        assert finding.verdict is Verdict.PASS, str(finding)


@ASKED
def test_what_is_asked_is_unknown_until_somebody_answers(check: Check) -> None:
    for there in _applying(check):
        assert check.judge(there).verdict is Verdict.UNKNOWN
        word = Said(item=check.id, by="nora", why="seen on the screen")
        finding = check.judge(attrs.evolve(there, said=(word,)))
        assert finding.verdict is Verdict.PASS
        assert "nora" in finding.detail
        other = Said(item="something-else", by="nora", why="seen")
        assert check.judge(attrs.evolve(there, said=(other,))).verdict is Verdict.UNKNOWN


# ── the rule of all checks ────────────────────────────────────────────────────────────────


def _made(*remarks: Fault | Doubt | Seen, severity: Severity = Severity.CONSENT) -> Check:
    return Check(
        id="made",
        title="made for a test",
        severity=severity,
        source=Source("a test"),
        unlock="nothing",
        asks=asks_for(Replication(), BackupStatus()),
        remarks=lambda _: remarks,
    )


def test_a_fault_is_not_hidden_by_a_question_without_an_answer() -> None:
    there = attrs.evolve(scope(), answers={Replication(): Known({}, NOW)})
    finding = _made(Fault("broken", severity=Severity.BLOCK)).judge(there)
    assert (finding.verdict, finding.severity) == (Verdict.FINDING, Severity.BLOCK)
    assert finding.evidence == ("backup status: nobody asked",)


def test_a_mere_warning_does_not_hide_a_question_without_an_answer() -> None:
    there = attrs.evolve(scope(), answers={})
    finding = _made(Fault("a little", severity=Severity.WARNING)).judge(there)
    assert (finding.verdict, finding.severity) == (Verdict.UNKNOWN, Severity.CONSENT)
    assert "a little" in finding.evidence


def test_the_worst_of_several_faults_counts() -> None:
    faults = (Fault("a little", severity=Severity.WARNING), Fault("much"), Seen("the rest"))
    assert _made(*faults).judge(scope()).severity is Severity.CONSENT


def test_phones_can_be_waived_only_where_nothing_else_is_wrong() -> None:
    of_phones = Fault("phones", phones=("SEPB", "SEPA"))
    assert _made(of_phones).judge(scope()).phones == ("SEPA", "SEPB")
    assert _made(of_phones, Fault("a node")).judge(scope()).phones == ()
    assert _made(of_phones).judge(attrs.evolve(scope(), answers={})).phones == ()


def test_a_check_is_either_seen_or_asked() -> None:
    with pytest.raises(ValueError, match="either remarks something or is asked"):
        attrs.evolve(_made(), asked=True)
