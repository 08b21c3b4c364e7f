"""The kit's assertions say what was seen, and nothing passes because there is nothing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from cucm_certflow.core.plan import Step
from cucm_certflow.core.run_state import CommandMoved
from cucm_certflow.core.states import CommandState
from cucm_certflow.errors import JournalError
from cucm_certflow.journal import Written
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.names import CertUnit, ListKind, Service
from cucm_certflow.observers import LeftBehind, Verified
from cucm_certflow.procedures.policies import Evidence
from cucm_certflow.testing import (
    EPOCH,
    Stage,
    assert_never_graded_above_truth,
    assert_no_phone_lost,
    assert_order,
    assert_regenerated_once,
    play,
)
from cucm_certflow.testing.assertions import sent

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
    lines = str(caught.value).splitlines()
    names = [f"SEP00112233000{digit:X}" for digit in range(1, 13)]
    assert lines[:5] == [
        "12 phones are lost",
        "  " + ", ".join(names),
        "    holds   ITL signed by sub/CallManager/g1; CTL signed by pub/CallManager/g1",
        "    served  ITL signed by sub/CallManager/g2; CTL signed by pub/CallManager/g1, by sub",
        "    remedy  `utils itl|ctl reset localkey` on the publisher, then reset the phones",
    ]
    command = "utils service restart Cisco Trust Verification Service on sub"
    assert any(line.strip().startswith(f"lost by: {command}") for line in lines)


def test_only_phones_that_are_not_waived_are_named() -> None:
    async def story(stage: Stage) -> None:
        await _both_at_once(stage)
        first, *others = (phone.kind.name for phone in stage.lab.phones)
        with pytest.raises(AssertionError) as caught:
            assert_no_phone_lost(stage.lab, waived=others)
        assert str(caught.value).splitlines()[:2] == ["1 phone is lost", f"  {first}"]

    play(SMALL, story)


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


def test_order_of_a_journal_is_that_in_which_commands_were_sent(tmp_path: Path) -> None:
    journal = tmp_path / "night.journal"

    async def story(stage: Stage) -> list[str]:
        plan = await stage.plan(CertUnit.CALLMANAGER)
        async with stage.cluster.run(plan, journal=journal) as run:
            await run.wait()
        return [f"{each.node}: {each.text}" for each in stage.lab.log]

    done = play(SMALL, story)
    assert _both_named(done, "Cisco Tftp", "set cert regen") == _both_named(
        journal, "Cisco Tftp", "set cert regen"
    )
    assert_order(journal, "set cert regen CallManager", "ctl update")
    with pytest.raises(JournalError):
        assert_order(tmp_path / "none.journal", "a", "b")


def _both_named(where: Path | list[str], first: str, then: str) -> list[str]:
    with pytest.raises(AssertionError, match="out of order") as caught:
        assert_order(where, first, then)
    lines = [line for line in str(caught.value).splitlines() if ". " in line]
    return [line.partition(". ")[2].partition(", at ")[0] for line in lines]


def test_what_is_out_of_order_in_a_lab_or_a_journal_is_named_with_its_instants(
    tmp_path: Path,
) -> None:
    journal = tmp_path / "night.journal"

    async def story(stage: Stage) -> LabCluster:
        plan = await stage.plan(CertUnit.TVS)
        async with stage.cluster.run(plan, journal=journal) as run:
            await run.wait()
        return stage.lab

    for where in (play(SMALL, story), journal):
        with pytest.raises(AssertionError) as caught:
            assert_order(where, "Cisco Trust Verification Service", "set cert regen TVS")
        _, early, _, late = str(caught.value).splitlines()
        assert re.search(r"1\. pub: set cert regen TVS, at 2026-01-01 00:\d\d:\d\d$", early)
        assert re.search(r"Verification Service, at 2026-01-01 \d\d:\d\d:\d\d$", late)


def test_command_that_was_withheld_was_not_sent_and_one_sent_again_was_sent_twice() -> None:
    plan = play(SMALL, lambda stage: stage.plan(CertUnit.TVS))
    one, two = plan.steps[:2]

    def moved(step: Step, edge: str, to: CommandState) -> CommandMoved:
        return CommandMoved(step=step.id, edge=edge, to=to, at=EPOCH)

    records = (
        moved(one, "intend", CommandState.INTENDED),
        moved(one, "lost", CommandState.IN_DOUBT),
        moved(two, "intend", CommandState.INTENDED),
        moved(one, "send_again", CommandState.PLANNED),
        moved(one, "intend", CommandState.INTENDED),
        moved(one, "withheld", CommandState.PLANNED),
        moved(one, "intend", CommandState.INTENDED),
    )
    written = Written(plan=plan, records=records, notes=(), begun=EPOCH, run="r")
    assert sent(written) == [f"{s.command.node}: {s.command}" for s in (one, two, one)]


def test_text_is_no_list_of_lines() -> None:
    with pytest.raises(TypeError, match="given as a Path"):
        assert_order("night.journal", "a", "b")


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
