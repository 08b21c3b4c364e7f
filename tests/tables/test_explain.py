"""Procedures in words: nothing is left out, everything has its source, and refusals say why."""

from __future__ import annotations

import re
from typing import Any

import attrs
import pytest
from typer.testing import CliRunner

from cucm_certflow.cli.app import app
from cucm_certflow.cli.output import Exit
from cucm_certflow.names import CertUnit, Release, SecurityMode, Service
from cucm_certflow.procedures import PROCEDURES
from cucm_certflow.procedures.choices import CHOICES, Choice, choices_for
from cucm_certflow.procedures.explain import Explanation, doing, explain, explanation_of
from cucm_certflow.procedures.partners import PARTNER_TASKS
from cucm_certflow.procedures.policies import (
    BatchesBy,
    Canary,
    CapfWindow,
    Evidence,
    NotAwaited,
    Policy,
    UnitOrder,
    restarts_callmanager,
)
from cucm_certflow.procedures.vocabulary import DoneByHand, RestartOf
from tests.documents import document
from tests.golden.book import combinations

_TOLD = {combination: combination.told for combination in combinations()}
_EXPLAINED = [told for told in _TOLD.values() if not told.refused]
_R14SU2 = Release.parse("14SU2")

every_explanation = pytest.mark.parametrize(
    "told",
    [pytest.param(told, id="-".join(which)) for which, told in _TOLD.items() if not told.refused],
)


def _explain(unit: CertUnit, release: str, mode: SecurityMode, policy: Policy | None = None) -> str:
    return explain(unit, Release.parse(release), mode, policy=policy)


# ── completeness ──────────────────────────────────────────────────────────────────────────


@every_explanation
def test_every_step_is_told_with_its_command_place_proof_budget_and_source(
    told: Explanation,
) -> None:
    text = str(told)
    _, _, steps = text.partition("\nsteps")
    parts = re.split(r"\n  \d+\. ", steps)[1:]
    assert len(parts) == len(told.rows)
    for row, part in zip(told.rows, parts, strict=True):
        what, _ = doing(row.does)
        assert part.startswith(f"{row.name}: {what}\n")
        assert "\n     where   " in part
        assert f"\n     proof   {row.proof.value}\n" in part
        assert f"\n     budget  {row.within_s:g} s to the proof" in part
        assert f"\n     source  {row.source}" in part
        for requirement in row.requires:
            assert f"\n     before  {requirement.value}\n" in part


@every_explanation
def test_what_is_not_a_step_is_told_as_well(told: Explanation) -> None:
    text = str(told)
    table = told.procedure
    assert table is not None
    assert table.consumers
    assert all(f"  {consumer}\n" in text for consumer in table.consumers)
    assert all(unit in text for unit in table.never_with)
    assert all(exposure.remedy in text for exposure in told.exposures)
    assert text.count("  barrier: every phone in scope") == (
        table.waves if table.moves_lists else 0
    )
    assert ("no barrier" in text) != table.moves_lists
    assert {row.name for row in (*told.rows, *told.left_out)} == {row.name for row in table.rows}
    for row in told.left_out:
        assert f"left out here: {row.name}, only when {row.when.value}" in text
    for task in told.tasks:
        assert task.question in text
        assert all(instruction in text for instruction in task.instructions)
    for choice in told.choices:
        assert f"  {choice.name}: {choice.default}\n" in text


def test_every_table_and_every_row_is_told_for_some_combination() -> None:
    tables = {id(told.procedure) for told in _EXPLAINED}
    assert tables == {id(procedure) for procedure in PROCEDURES}
    rows = {id(row) for told in _EXPLAINED for row in told.rows}
    assert rows == {id(row) for procedure in PROCEDURES for row in procedure.rows}


def test_every_partner_task_is_told_somewhere() -> None:
    assert PARTNER_TASKS
    assert {task.id for told in _EXPLAINED for task in told.tasks} == {t.id for t in PARTNER_TASKS}


# ── particular claims ─────────────────────────────────────────────────────────────────────


def test_below_10_0_the_token_signs_whatever_is_said() -> None:
    for token in (None, False, True):
        told = explanation_of(
            CertUnit.CALLMANAGER, Release.parse("9.1"), SecurityMode.MIXED, token_ctl=token
        )
        assert told.situation.token_ctl
        assert any(isinstance(row.does, DoneByHand) for row in told.rows)


def test_in_non_secure_mode_no_token_is_spoken_of() -> None:
    told = explanation_of(
        CertUnit.CAPF, Release.parse("12.5"), SecurityMode.NON_SECURE, token_ctl=True
    )
    assert not told.situation.token_ctl
    assert "token" not in str(told).partition("left out here")[0]


def test_callmanager_restarts_may_be_left_out_from_14su1_on_for_rsa_only() -> None:
    policy = Policy(callmanager_restarts=False)
    assert not restarts_callmanager(policy, _R14SU2)
    assert restarts_callmanager(policy, Release.parse("14"))
    assert restarts_callmanager(policy, Release.parse("12.5"))
    for unit, expected in ((CertUnit.CALLMANAGER, False), (CertUnit.CALLMANAGER_ECDSA, True)):
        told = explanation_of(unit, _R14SU2, SecurityMode.MIXED, policy=policy)
        assert (RestartOf(Service.CALLMANAGER) in {row.does for row in told.rows}) == expected


def test_capf_on_the_publisher_alone_is_told_so() -> None:
    usual = _explain(CertUnit.CAPF, "11.5", SecurityMode.MIXED)
    alone = _explain(CertUnit.CAPF, "11.5", SecurityMode.MIXED, Policy(capf_on_subscribers=False))
    assert "regenerated on every node, publisher first" in usual
    assert "regenerated on the publisher alone" in alone
    assert "capf_on_subscribers: no, not the default" in alone


@pytest.mark.parametrize("release", ["7.1", "13", "12.3", "16"])
def test_a_release_that_no_table_knows_is_refused_with_those_that_are(release: str) -> None:
    text = _explain(CertUnit.CALLMANAGER, release, SecurityMode.MIXED)
    assert f"there is no release {release} that the tables know" in text
    assert "8.0 to 12.5, 14 and 15" in text


def test_explaining_is_pure_and_the_same_each_time() -> None:
    first = [str(combination.told) for combination in combinations()]
    assert first == [str(told) for told in _TOLD.values()]


# ── the register of choices ───────────────────────────────────────────────────────────────

HOW_OFTEN = {"poll_every_s", "watch_every_s", "fresh_s", "slow_fresh_s", "preflight_fresh_s"}
"""How often to look, and how old an answer may be: no source says anything about these."""


OF_PEOPLE = {
    "approve",
    "approval_within_s",
    "anchors_sent_again",
    "run_within_s",
    "lease_s",
    "stands_still_s",
}
"""What those who answer for the change decide: no source could."""


def test_every_policy_is_a_registered_choice_or_says_how_often_to_look() -> None:
    fields = {field.name for field in attrs.fields(Policy)}
    names = [choice.name for choice in CHOICES]
    assert len(set(names)) == len(names)
    assert set(names) | HOW_OFTEN | OF_PEOPLE == fields
    assert not set(names) & (HOW_OFTEN | OF_PEOPLE)


def test_every_choice_has_points_words_and_a_source() -> None:
    for choice in CHOICES:
        assert choice.points
        assert all(re.fullmatch(r"[DKF]\d+|[PATICMVRX]\d", point) for point in choice.points)
        assert choice.default
        assert choice.alternative
        assert choice.source.document


def test_a_default_in_words_has_the_figure_that_the_policy_has() -> None:
    for choice in CHOICES:
        value = getattr(Policy(), choice.name)
        if isinstance(value, (float, int)) and not isinstance(value, (bool, Evidence)):
            assert f"{value:,.0f}" in choice.default, choice.name


OTHER: dict[str, object] = {
    "order": UnitOrder.TVS_FIRST,
    "barrier": Evidence.REGISTERED,
    "capf": CapfWindow.WITH_CALLMANAGER,
    "tvs_vouches_for_ctl": True,
    "canary": Canary.CONFIRMED,
    "batches_by": BatchesBy.POOL,
    "failure_limit": 5,
    "not_awaited": {"SEP001122334455": NotAwaited.SRST},
}


@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: choice.name)
def test_a_choice_that_is_not_the_default_is_said_to_differ(choice: Choice) -> None:
    usual = getattr(Policy(), choice.name)
    value = OTHER.get(choice.name)
    if value is None:
        value = not usual if isinstance(usual, bool) else usual + 1
    kwargs: dict[str, Any] = {choice.name: value}
    policy = Policy(**kwargs)
    assert choice.differs(policy)
    assert not choice.differs(Policy())
    assert choice.in_force(Policy()) == choice.default
    assert "not the default" in choice.in_force(policy)


def test_choices_are_shown_for_the_units_releases_and_modes_that_they_matter_for() -> None:
    def names(units: set[CertUnit], release: str, mode: SecurityMode) -> set[str]:
        return {c.name for c in choices_for(units, Release.parse(release), mode)}

    assert names({CertUnit.TOMCAT}, "14", SecurityMode.MIXED) == set()
    assert names(set(), "14", SecurityMode.MIXED) == {"trust_watch_s"}
    young = names({CertUnit.CALLMANAGER}, "14", SecurityMode.NON_SECURE)
    old = names({CertUnit.CALLMANAGER}, "11.5", SecurityMode.NON_SECURE)
    assert young - old == {"callmanager_restarts"}
    assert old - young == {"phones_change_tftp_node"}
    assert "tvs_vouches_for_ctl" not in old
    assert "tvs_vouches_for_ctl" in names({CertUnit.CALLMANAGER}, "11.5", SecurityMode.MIXED)


# ── the command line ──────────────────────────────────────────────────────────────────────


def _certflow(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["explain", *words])
    return result.exit_code, result.output


def test_the_command_line_explains_without_a_cluster() -> None:
    status, output = _certflow("callmanager", "--release", "11.5", "--mode", "mixed")
    assert status == Exit.DONE
    assert output.strip() == _explain(CertUnit.CALLMANAGER, "11.5", SecurityMode.MIXED)


def test_the_command_line_explains_to_machines() -> None:
    status, output = _certflow("ITLRecovery", "--release", "14SU2", "--mode", "mixed", "--json")
    found = document(output, "explanation")
    told = explanation_of(CertUnit.ITLRECOVERY, _R14SU2, SecurityMode.MIXED)
    assert status == Exit.DONE
    assert [step["name"] for step in found["steps"]] == [row.name for row in told.rows]
    assert [step["source"] for step in found["steps"]] == [str(row.source) for row in told.rows]
    assert found["publisher_only"]
    assert found["never_with"] == ["CallManager", "CallManager-ECDSA", "TVS"]
    assert [choice["name"] for choice in found["choices"]] == [c.name for c in told.choices]


def test_a_unit_that_does_not_exist_there_is_refused_by_the_exit_status() -> None:
    status, output = _certflow("ITLRecovery", "--release", "9.1", "--mode", "nonsecure")
    assert status == Exit.REFUSED
    assert "it does not exist there: callmanager nodes have it under 10.0 to 15.0" in output


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("authz", "--release", "14", "--mode", "mixed"), "CallManager-ECDSA"),
        (("TVS", "--release", "newest", "--mode", "mixed"), "11.5, 14SU2"),
        (("TVS", "--release", "14", "--mode", "secure"), "nonsecure, mixed"),
    ],
    ids=["unit", "release", "mode"],
)
def test_bad_input_is_a_usage_error_that_says_what_was_expected(
    words: tuple[str, ...], expected: str
) -> None:
    status, output = _certflow(*words)
    assert status == Exit.USAGE
    assert expected in output
    assert "nothing was sent" in output
