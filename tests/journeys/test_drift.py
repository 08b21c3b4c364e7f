"""Somebody else changes the cluster while a run goes: it holds, and shows what changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cucm_certflow.control import approve
from cucm_certflow.core.planner import make_plan
from cucm_certflow.core.run_state import CommandMoved
from cucm_certflow.core.states import CommandState
from cucm_certflow.errors import NotWaiting
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.names import CertUnit, Service
from cucm_certflow.observers import Held, Outcome, Recorded, Verified
from cucm_certflow.runner import Run
from cucm_certflow.testing.virtual import run_virtual
from tests.journeys.main_job import Lab, executed, start
from tests.journeys.test_crashes import SMALL
from tests.words import NO_PARTNERS, NOBODY_LOOKED

UNITS = (CertUnit.CALLMANAGER, CertUnit.TVS)


async def _begun(there: Lab, journal: Path) -> Run:
    plan = make_plan(
        await there.cluster.discover(), units=UNITS, preflight=NOBODY_LOOKED, said=NO_PARTNERS
    )
    return await there.cluster.start(plan, journal=journal)


async def _until_proved(run: Run, step: str) -> None:
    """Read events until the first step whose name begins so is proved."""
    async for event in run.events():
        record = event.record if isinstance(event, Recorded) else None
        if (
            isinstance(record, CommandMoved)
            and record.step.startswith(step)
            and record.to is CommandState.PROVED
        ):
            return


async def _told(
    journal: Path, act: Callable[[Lab], object], *, after: str = "1.regenerate"
) -> tuple[Lab, Outcome | None]:
    """Run until step *after* is proved, act, and go on to the end."""
    there = start(Scenario.loads(SMALL))
    run = await _begun(there, journal)
    async with run:
        await _until_proved(run, after)
        act(there)
        await run.wait()
    return there, run.outcome


def _drift_of(outcome: Outcome | None) -> str:
    assert isinstance(outcome, Held), outcome
    reasons = [reason for reason in outcome.blocked if reason.guard == "drift"]
    assert reasons, outcome
    return "\n".join(str(reason) for reason in reasons)


def _regens(there: Lab, unit: CertUnit) -> int:
    return sum(text == f"set cert regen {unit}" for _, text in executed(there.lab))


def test_a_certificate_of_ours_regenerated_by_others_holds_and_no_word_lifts_it(
    tmp_path: Path,
) -> None:
    def act(there: Lab) -> None:
        there.lab.begin_regenerate("pub", CertUnit.CALLMANAGER)

    there, outcome = run_virtual(lambda: _told(tmp_path / "j", act, after="1.regenerate"))
    text = _drift_of(outcome)
    assert "pub/CallManager: predicted the certificate that this run made, saw serial" in text
    assert "approve " not in text.replace("or approve", "")
    assert "abort this run, discover and plan again" in text
    # Nothing that changes an anchor was sent after it: the CTL, the restarts.
    assert not any("ctl update" in text for _, text in executed(there.lab))


def test_a_certificate_regenerated_by_others_before_its_turn_is_shown_with_both_serials(
    tmp_path: Path,
) -> None:
    def act(there: Lab) -> None:
        there.lab.begin_regenerate("sub1", CertUnit.TVS)

    there, outcome = run_virtual(lambda: _told(tmp_path / "j", act))
    text = _drift_of(outcome)
    assert "sub1/TVS: predicted serial" in text
    assert "approve drift:sub1/TVS=" in text
    assert _regens(there, CertUnit.TVS) == 1  # the others' own


def test_a_ctl_updated_by_others_holds_before_the_next_command(tmp_path: Path) -> None:
    def act(there: Lab) -> None:
        there.lab.begin_ctl_update("pub")

    there, outcome = run_virtual(lambda: _told(tmp_path / "j", act))
    assert "CTL on pub: predicted the one last proved" in _drift_of(outcome)
    assert sum(text.endswith("restart Cisco Tftp") for _, text in executed(there.lab)) == 0


def test_a_service_that_others_stopped_for_good_holds(tmp_path: Path) -> None:
    def act(there: Lab) -> None:
        there.lab.begin_stop("sub1", Service.TVS)

    _, outcome = run_virtual(lambda: _told(tmp_path / "j", act))
    assert f"{Service.TVS} on sub1: predicted activated, saw not activated" in _drift_of(outcome)


def test_what_was_put_back_lets_a_resumed_run_go_on_to_the_end(tmp_path: Path) -> None:
    journal = tmp_path / "j"

    async def story() -> Outcome | None:
        there, outcome = await _told(journal, lambda t: t.lab.begin_stop("sub1", Service.TVS))
        assert isinstance(outcome, Held)
        there.lab.begin_start("sub1", Service.TVS)
        await there.clock.sleep(60)
        async with there.cluster.resume(journal=journal) as run:
            return await run.wait()

    assert isinstance(run_virtual(story), Verified)


def test_an_approved_drift_is_passed_and_the_next_one_is_not(tmp_path: Path) -> None:
    journal = tmp_path / "j"

    async def story() -> None:
        there, outcome = await _told(
            journal, lambda t: t.lab.begin_regenerate("sub1", CertUnit.TVS)
        )
        assert isinstance(outcome, Held)
        (item,) = outcome.blocked[0].items
        approve(journal, item, by="ann", why="bob renewed it, ticket 7", clock=there.clock)
        there.lab.begin_regenerate("sub1", CertUnit.TVS)  # once more: another certificate
        await there.clock.sleep(60)
        async with there.cluster.resume(journal=journal) as run:
            outcome = await run.wait()
        assert isinstance(outcome, Held)
        (newer,) = outcome.blocked[0].items
        assert newer != item
        with pytest.raises(NotWaiting):
            approve(journal, item, by="ann", why="again", clock=there.clock)
        approve(journal, newer, by="ann", why="ticket 8", clock=there.clock)
        async with there.cluster.resume(journal=journal) as run:
            assert isinstance(await run.wait(), Verified)

    run_virtual(story)


@pytest.mark.parametrize("unit", [CertUnit.TOMCAT, CertUnit.IPSEC])
def test_what_the_plan_has_nothing_to_do_with_is_no_drift(tmp_path: Path, unit: CertUnit) -> None:
    def act(there: Lab) -> None:
        there.lab.begin_regenerate("sub1", unit)

    _, outcome = run_virtual(lambda: _told(tmp_path / "j", act))
    assert isinstance(outcome, Verified)


def test_a_capf_of_others_that_was_approved_is_expected_in_the_lists_from_then_on(
    tmp_path: Path,
) -> None:
    journal = tmp_path / "j"

    async def story() -> None:
        there, outcome = await _told(
            journal, lambda t: t.lab.begin_regenerate("pub", CertUnit.CAPF)
        )
        assert isinstance(outcome, Held)
        (item,) = outcome.blocked[0].items
        approve(journal, item, by="ann", why="bob renewed it, ticket 7", clock=there.clock)
        async with there.cluster.resume(journal=journal) as run:
            assert isinstance(await run.wait(), Verified)

    run_virtual(story)
