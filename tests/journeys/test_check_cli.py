"""A plan is checked on the command line before anybody runs it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from typer.testing import CliRunner, Result

from cucm_certflow.cli.app import app
from cucm_certflow.cli.output import Exit
from tests.documents import document

SCENARIOS: Final = Path(__file__).parents[2] / "examples" / "scenarios"
SMALL: Final = str(SCENARIOS / "small.toml")


@cache
def check(*words: str) -> Result:
    return CliRunner().invoke(app, ["check", SMALL, "--faults", "0", "--each-alone", *words])


def checked(*words: str) -> dict[str, Any]:
    return document(check("--json", *words).stdout, "check")


def test_a_plan_that_hangs_on_an_assumption_has_an_exit_status_of_its_own() -> None:
    result = check("-u", "CallManager", "-u", "TVS")
    assert result.exit_code == Exit.HANGS
    assert "hangs on: TVS vouches for a CTL (assumed: TVS vouches for a CTL)" in result.stdout


def test_combinations_of_assumptions_are_tried_unless_they_are_not_wanted() -> None:
    words = ["check", SMALL, "--faults", "0", "-u", "CallManager"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == Exit.HANGS
    assert "hangs on: one of these at least: TVS vouches for a CTL; A CTL judges" in result.stdout
    assert "one of these at least" not in check("-u", "CallManager").stdout
    assert "combinations of several assumptions" in check("-u", "CallManager").stdout


def test_a_plan_without_a_step_is_no_pass() -> None:
    result = check("-u", "cup")
    assert result.exit_code == Exit.REFUSED
    assert "nothing was explored: the plan has no step" in result.stdout


def test_json_names_the_variants_the_stories_and_what_was_left_out() -> None:
    found = checked("-u", "CallManager", "-u", "TVS")
    assert found["answer"] == "hangs"
    assert {"TVS vouches for a CTL"} <= {each["assumption"] for each in found["hangs_on"]}
    assert found["covered"] is True
    first = found["variants"][0]
    assert (first["name"], first["verdict"]) == ("as the library assumes", "holds")
    assert first["parts"][0]["states"] > 1_000
    assert {"assumption", "why"} == set(found["no_matter"][0])
    assert found["not_covered"]


def test_a_refused_plan_and_one_without_guards_are_refused() -> None:
    assert check("-w", "CallManager,TVS").exit_code == Exit.REFUSED
    result = check("--policy", str(SCENARIOS / "careless.toml"))
    assert result.exit_code == Exit.REFUSED
    assert result.stdout.endswith("(one of 12) has no way back but `reset localkey`\n")


def test_a_budget_that_is_over_is_no_pass() -> None:
    result = check("-u", "TVS", "--most", "50")
    assert result.exit_code == Exit.NOT_COVERED
    assert result.stdout.startswith("nothing wrong was found, and not everything was looked at")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "say once what is to be regenerated"),
        (("-u", "TVS", "-w", "TVS"), "say once what is to be regenerated"),
        (("-u", "TVSS"), "there is no certificate kind 'TVSS'"),
        (("-w", "TVS", "-w", "TVS,CallManager"), "TVS is in windows[0] already"),
        (("-u", "TVS", "--policy", "nowhere.toml"), "the policy nowhere.toml cannot be read"),
        (("-u", "TVS", "--waive", "SEPNOBODY"), "SEPNOBODY"),
    ],
)
def test_a_mistake_in_the_call_says_what_it_is_and_nothing_is_explored(
    words: tuple[str, ...], said: str
) -> None:
    result = check(*words)
    assert result.exit_code == Exit.USAGE
    assert said in result.stderr
    assert result.stdout == ""
