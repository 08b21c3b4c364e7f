"""The kit's assertions say what was seen, and nothing passes because there is nothing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from cucm_certflow.names import CertUnit, ListKind, Service
from cucm_certflow.observers import LeftBehind, Verified
from cucm_certflow.procedures.policies import Evidence
from cucm_certflow.testing import (
    Stage,
    assert_never_graded_above_truth,
    assert_no_phone_lost,
    assert_order,
    assert_regenerated_once,
    play,
)

SMALL: Final = Path(__file__).parents[2] / "examples" / "scenarios" / "small.toml"


async def _both_at_once(stage: Stage) -> None:
    """What nobody should do: both anchors are new before a phone has come for its lists."""
    lab, clock = stage.lab, stage.clock
    for node in ("pub", "sub"):
        for unit in (CertUnit.CALLMANAGER, CertUnit.TVS):
            lab.begin_regenerate(node, unit)
            await clock.sleep(300)
    for node in ("pub", "sub"):
        for service in (Service.TVS, Service.TFTP):
            lab.begin_restart(node, service)
            await clock.sleep(300)


def test_lost_phones_are_named_with_the_command_and_what_brings_them_back() -> None:
    async def story(stage: Stage) -> None:
        assert_no_phone_lost(stage.lab)
        await _both_at_once(stage)
        assert_no_phone_lost(stage.lab, waived=[p.kind.name for p in stage.lab.phones])
        assert_no_phone_lost(stage.lab)

    with pytest.raises(AssertionError) as caught:
        play(SMALL, story)
    text = str(caught.value)
    assert text.startswith("12 phones are lost: SEP")
    assert "and 7 more" in text
    assert "lost by: " in text
    assert "back by: " in text


def test_second_regeneration_is_named() -> None:
    async def story(stage: Stage) -> None:
        for times in range(2):
            stage.lab.begin_regenerate("sub", CertUnit.TVS)
            await stage.clock.sleep(300)
            if not times:
                assert_regenerated_once(stage.lab)
        assert_regenerated_once(stage.lab)

    with pytest.raises(AssertionError, match="regenerated more than once: TVS on sub 2 times"):
        play(SMALL, story)


def test_order_holds_over_a_plan_and_over_what_was_done() -> None:
    async def story(stage: Stage) -> None:
        plan = await stage.plan(CertUnit.CALLMANAGER)
        assert_order(plan, "set cert regen CallManager", "ctl update")
        assert_order(plan, re.compile(r"ctl update"), re.compile(r"restart Cisco CallManager$"))
        stage.lab.begin_regenerate("sub", CertUnit.TVS)
        await stage.clock.sleep(300)
        stage.lab.begin_restart("sub", Service.TFTP)
        await stage.clock.sleep(300)
        assert_order(stage.lab, "sub: set cert regen TVS", "Cisco Tftp")

    play(SMALL, story)


def test_broken_order_names_both_lines() -> None:
    lines = ["sub: restart", "pub: update", "sub: update"]
    with pytest.raises(AssertionError) as caught:
        assert_order(lines, "update", "restart")
    assert "  1. sub: restart\ncomes before\n  3. sub: update" in str(caught.value)


@pytest.mark.parametrize(("first", "then", "said"), [("x", "b", "first='x'"), ("a", "y", "then=")])
def test_rule_that_nothing_matches_is_not_kept(first: str, then: str, said: str) -> None:
    with pytest.raises(AssertionError, match=f"nothing matches {said}"):
        assert_order(["n: a", "n: b"], first, then)


def _verified(grades: dict[str, Evidence], left: tuple[LeftBehind, ...] = ()) -> Verified:
    return Verified(left_behind=left, not_awaited=(), grades=grades, unasked=0)


def test_grade_above_the_truth_is_found() -> None:
    async def story(stage: Stage) -> None:
        name = stage.lab.phones[0].kind.name
        stage.lab.power(name, on=False)
        await stage.clock.sleep(600)
        assert_never_graded_above_truth(_verified({name: Evidence.UNKNOWN}), stage.lab)
        assert_never_graded_above_truth(None, stage.lab)
        assert_never_graded_above_truth(_verified({name: Evidence.REGISTERED}), stage.lab)

    with pytest.raises(AssertionError, match="is graded REGISTERED, and the truth is UNKNOWN"):
        play(SMALL, story)


def test_lost_phone_that_is_not_left_behind_is_found() -> None:
    async def story(stage: Stage) -> None:
        await _both_at_once(stage)
        name = stage.lab.phones[0].kind.name
        behind = LeftBehind(name=name, evidence=Evidence.REGISTERED, remedy="localkey")
        grades = {name: Evidence.REGISTERED}
        assert_never_graded_above_truth(_verified(grades, (behind,)), stage.lab)
        assert_never_graded_above_truth(_verified(grades), stage.lab)

    with pytest.raises(AssertionError, match="and not named as left behind"):
        play(SMALL, story)


def test_lists_are_what_the_verdict_goes_by() -> None:
    async def story(stage: Stage) -> None:
        served = stage.lab.served("sub", ListKind.ITL)
        assert stage.lab.phone(stage.lab.phones[0].kind.name).itl == served

    play(SMALL, story)
