"""A fair sample of the fault sweep: every kind of fault and of event once. More: `make sweep`."""

from __future__ import annotations

from typing import Final

from cucm_certflow.lab.scenario_events import EventKind
from cucm_certflow.lab.scenario_faults import FaultKind
from tests.sweeps.faults import fault_cases, fault_kinds, faulted, sampled_faults
from tests.sweeps.tally import all_of

SEED: Final = 20_260_101
SAMPLE: Final = 50


def test_with_any_fault_the_run_ends_finished_held_or_refused_and_claims_nothing_untrue() -> None:
    chosen = sampled_faults(fault_cases(SEED), SAMPLE, SEED)
    tally = all_of(chosen, faulted)
    print(f"\nseed {SEED}\n{tally}")
    assert tally.wrong() == []
    assert {one.end for one in tally.stories} <= {"finished", "held", "refused"}
    assert {one.kind for one in tally.stories} == set(fault_kinds(fault_cases(SEED)))


def test_every_kind_that_the_lab_has_strikes_one_of_the_stories() -> None:
    there = {kind.value for kind in (*FaultKind, *EventKind)}
    assert there - set(fault_kinds(fault_cases(SEED))) == set()
