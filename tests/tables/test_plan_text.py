"""What the text of a plan says besides its steps: nights, choices, people, what is left alone."""

from __future__ import annotations

import attrs
import pytest

from cucm_certflow.cli.documents import DocumentKind, as_document
from cucm_certflow.cli.plan_document import plan_document
from cucm_certflow.commands import ByHand
from cucm_certflow.core.cleanup import plan_cleanup
from cucm_certflow.core.describe import by_hand, choices_of, describe_plan
from cucm_certflow.core.plan import Plan
from cucm_certflow.core.planner import make_plan
from cucm_certflow.facts import ClusterFacts
from cucm_certflow.findings import CheckReport, Finding, Said, Severity, Verdict
from cucm_certflow.names import CertUnit, SecurityMode
from cucm_certflow.procedures.choices import CHOICES
from cucm_certflow.procedures.policies import Policy, UnitOrder
from tests.documents import document
from tests.tables.paper import cluster, entry

BOTH = {CertUnit.CALLMANAGER, CertUnit.TVS}
SAID = Said(item="uccx-trust", by="jdoe", why="there is no UCCX here")


def _with_token(facts: ClusterFacts) -> ClusterFacts:
    return attrs.evolve(
        facts,
        nodes=tuple(
            attrs.evolve(node, ctl=node.ctl._replace(signer="a token", token=True))
            if node.ctl is not None
            else node
            for node in facts.nodes
        ),
    )


def _document(plan: Plan) -> dict[str, object]:
    return document(as_document(DocumentKind.PLAN, plan_document(plan)), "plan")


def _lines(plan: Plan, head: str) -> list[str]:
    """The lines of the part of the text that begins with *head*."""
    _, found, rest = f"\n{describe_plan(plan)}\n\n".partition(f"\n\n{head}:\n")
    assert found, head
    return rest.partition("\n\n")[0].splitlines()


def test_between_two_windows_it_says_what_one_can_sleep_on() -> None:
    plan = make_plan(cluster("11.5"), units=BOTH)
    text = describe_plan(plan)
    assert len(plan.windows) == 2
    assert text.count("  between nights: ") == 1
    assert f"  between nights: {plan.windows[0].rest}\n\nwindow 2" in text
    windows = _document(plan)["windows"]
    assert isinstance(windows, list)
    assert [window["rest"] for window in windows] == [window.rest for window in plan.windows]


@pytest.mark.parametrize("mode", list(SecurityMode))
def test_choices_that_are_not_the_default_come_first(mode: SecurityMode) -> None:
    policy = Policy(order=UnitOrder.TVS_FIRST, loop_after=7)
    plan = make_plan(cluster("12.5", mode), units=BOTH, policy=policy)
    names = [choice.name for choice in choices_of(plan)]
    assert names[:2] == ["order", "loop_after"]
    lines = _lines(plan, "choices")
    assert [line.split(":")[0].strip() for line in lines] == names
    assert "TVS first (security guide 12.5 to 15), not the default" in lines[0]
    assert all("not the default" not in line for line in lines[2:])
    documented = _document(plan)["choices"]
    assert isinstance(documented, list)
    assert [each["is_default"] for each in documented] == [False, False] + [True] * (len(names) - 2)


def test_only_choices_that_matter_to_the_plan_are_shown() -> None:
    plan = make_plan(cluster("11.5"), units={CertUnit.TOMCAT})
    assert choices_of(plan) == ()
    assert "\nchoices:" not in describe_plan(plan)
    loud = {choice.name for choice in choices_of(make_plan(cluster("14"), units=BOTH))}
    assert "callmanager_restarts" in loud
    assert "capf_on_subscribers" not in loud
    assert loud < {choice.name for choice in CHOICES}


def test_what_only_a_person_can_do_is_said_to_hold_the_run() -> None:
    plan = make_plan(_with_token(cluster("11.5", SecurityMode.MIXED)), units={CertUnit.CALLMANAGER})
    (step,) = by_hand(plan)
    assert isinstance(step.command, ByHand)
    (line,) = _lines(plan, "held for a person")
    assert step.id in line
    assert step.row.proof.value in line
    assert "    by     a person\n" in describe_plan(plan)
    assert _document(plan)["by_hand"] == [step.id]
    tokenless = make_plan(cluster("11.5", SecurityMode.MIXED), units={CertUnit.CALLMANAGER})
    assert by_hand(tokenless) == ()


def test_tasks_of_other_people_are_there_with_what_to_do_and_the_source() -> None:
    plan = make_plan(cluster("14"), units={CertUnit.TOMCAT})
    assert plan.tasks
    text = "\n".join(_lines(plan, "afterwards, for the people of other systems"))
    for task in plan.tasks:
        assert f"  {task.id}, {task.partner}: {task.question}" in text
        assert all(f"    do     {each}" in text for each in task.instructions)
        assert f"    source {task.source}" in text
    documented = _document(plan)["tasks"]
    assert isinstance(documented, list)
    assert [each["id"] for each in documented] == [task.id for task in plan.tasks]


def test_that_nobody_looked_before_is_said() -> None:
    plan = make_plan(cluster("14"), units={CertUnit.TOMCAT})
    assert "\npreflight: nobody looked" in describe_plan(plan)
    assert _document(plan)["preflight"] is None


def test_what_a_preflight_found_is_counted_and_what_was_said_is_kept() -> None:
    finding = Finding(
        check="disk-room",
        title="no partition is nearly full",
        verdict=Verdict.FINDING,
        severity=Severity.WARNING,
        detail="91 % on pub",
    )
    plan = make_plan(
        cluster("14"),
        units={CertUnit.TOMCAT},
        preflight=CheckReport(findings=(finding,)),
        said=(SAID,),
    )
    text = describe_plan(plan)
    assert "\npreflight: 0 pass, 1 finding, 0 unknown\n" in text
    assert _lines(plan, "said") == ["  uccx-trust, by jdoe: there is no UCCX here"]
    told = _document(plan)
    assert told["said"] == [
        {"item": "uccx-trust", "by": "jdoe", "why": "there is no UCCX here", "at": None}
    ]
    found = told["preflight"]
    assert isinstance(found, list)
    assert [each["check"] for each in found] == ["disk-room"]


def test_certificates_that_nobody_touches_are_named() -> None:
    plan = make_plan(cluster("14"), units={CertUnit.TOMCAT})
    assert _lines(plan, "it does not")[0].startswith("  change pub/authz (")
    assert _document(plan)["left_alone"] == ["pub/authz"]


def test_what_must_be_seen_before_a_command_is_said_with_it() -> None:
    plan = make_plan(cluster("12.5"), units={CertUnit.IPSEC})
    text = describe_plan(plan)
    needs = {each.value for step in plan.steps for each in step.row.requires}
    assert len(needs) > 1
    assert all(f"    before {each}\n" in text for each in needs)
    windows = _document(plan)["windows"]
    assert isinstance(windows, list)
    told = [set(step["requires"]) for step in windows[0]["steps"]]
    assert told == [{each.value for each in step.row.requires} for step in plan.steps]


def test_trust_certificates_that_are_deleted_are_named_with_where_they_are() -> None:
    old = entry("tomcat-trust", "old.pem")
    plan = plan_cleanup(cluster("11.5"), {"pub": (old,), "sub": (old,), "imp": ()})
    assert _lines(plan, "trust certificates that are deleted") == [
        f"  tomcat-trust/old.pem, serial {old.certificate.serial}, until 2026-02-28",
        "    on     pub, sub",
    ]
    assert "window 1: trust certificates\n" in describe_plan(plan)
    assert [choice.name for choice in choices_of(plan)] == ["trust_watch_s"]
    assert _document(plan)["entries"] == [
        {"store": "tomcat-trust", "fingerprint": "old", "name": "old.pem"}
    ]
