"""What the rules of the world do: waive, approve, meddle, and leave nothing behind."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from cucm_certflow.core.plan import Plan
from cucm_certflow.names import CertUnit
from cucm_certflow.observers import Held, Verified
from cucm_certflow.procedures.policies import Policy
from cucm_certflow.procedures.vocabulary import Stage as PlanStage
from cucm_certflow.testing.stage import Stage
from cucm_certflow.testing.stateful import RunMachine

SMALL: Final = Path(__file__).parents[2] / "examples" / "scenarios" / "small.toml"
quietly = settings(
    max_examples=25,
    stateful_step_count=15,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


class Nights(RunMachine):
    scenario = SMALL
    units = (CertUnit.TVS,)


class Meddled(Nights):
    outsiders = True


class Asked(Nights):
    policy = Policy(approve=frozenset({PlanStage.REGENERATE}), approval_within_s=600.0)


def held_for_a_phone() -> Nights:
    machine = Nights()
    machine.phone_is_switched_off(0)
    for _ in range(200):
        machine.time_passes(1800)
        if isinstance(machine.outcome, Held):
            return machine
    raise AssertionError(f"the run does not hold: {machine.outcome}")


def test_waived_phone_is_the_one_that_is_off_and_the_run_ends_without_it() -> None:
    machine = held_for_a_phone()
    assert machine._absent() == [machine.names[0]]
    machine.person_waives_a_phone(0)
    assert machine.waived == {machine.names[0]}
    for _ in range(20):
        machine.time_passes(1800)
    assert isinstance(machine.outcome, Verified)
    machine.teardown()


def test_phone_that_is_on_is_never_waived() -> None:
    machine = held_for_a_phone()
    machine.phone_is_switched_on(0)
    assert machine._absent() == []
    machine.teardown()


def test_run_that_waits_for_an_approval_sends_nothing_before_it_and_ends_after_it() -> None:
    machine = Asked()
    machine.time_passes(1800)
    machine.time_passes(1800)
    assert isinstance(machine.outcome, Held)
    assert machine.lab.log == ()
    assert len(machine._waiting()) == 1
    machine.person_approves(0)
    for _ in range(20):
        machine.time_passes(1800)
    assert isinstance(machine.outcome, Verified)
    machine.teardown()


def test_second_regeneration_is_found_unless_somebody_else_made_it() -> None:
    machine = Meddled()
    machine.somebody_regenerates(0)
    machine.time_passes(300)
    machine._nothing_is_regenerated_twice()
    unit, node = machine.plan.certificates[0]
    machine.lab.begin_regenerate(node, unit)
    machine.lab.begin_regenerate(node, unit)
    machine.time_passes(300)
    with pytest.raises(AssertionError, match=f"regenerated twice: {node}/{unit}"):
        machine._nothing_is_regenerated_twice()
    with pytest.raises(AssertionError, match="regenerated twice"):
        machine.teardown()
    assert machine.loop.is_closed()


@pytest.mark.slow
def test_run_says_nothing_false_though_somebody_else_regenerates() -> None:
    run_state_machine_as_test(Meddled, settings=settings(quietly, max_examples=10))


class Unplannable(Nights):
    made: list[RunMachine]

    async def planned(self, stage: Stage) -> Plan:
        self.made.append(self)
        raise LookupError("no plan tonight")


def test_machine_that_cannot_begin_leaves_no_loop_and_no_folder() -> None:
    Unplannable.made = []
    with pytest.raises(LookupError, match="no plan tonight"):
        Unplannable()
    (machine,) = Unplannable.made
    assert machine.loop.is_closed()
    assert not machine._folder.exists()
