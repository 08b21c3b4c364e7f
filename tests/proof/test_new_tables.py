"""A release that does more by itself needs a table and nothing else."""

from __future__ import annotations

from typing import Final, NamedTuple

import pytest

from cucm_certflow.core.decide import Decision
from cucm_certflow.procedures.vocabulary import Procedure
from cucm_certflow.testing.explorer import Exploration, Explorer, Limits
from tests.proof.runs import R14, Unkind, homed, layout_of, planned
from tests.proof.throwaway import TVS_BY_ITSELF, TVS_THEN_TFTP


class Case(NamedTuple):
    table: Procedure
    mixed: bool
    home: str

    def __str__(self) -> str:
        rows = " > ".join(row.name for row in self.table.rows)
        mode = "mixed" if self.mixed else "non-secure"
        return f"{self.table.unit} {rows}, {mode}, on {self.home}"


class Counts(NamedTuple):
    states: int
    finished: int
    held: int


# fmt: off
PINNED: Final = {
    Case(TVS_BY_ITSELF, False, "sub"): Counts(3_224, 60, 96),
    Case(TVS_BY_ITSELF, True, "sub"): Counts(3_224, 60, 96),
    Case(TVS_THEN_TFTP, False, "sub"): Counts(5_420, 60, 114),
    Case(TVS_THEN_TFTP, True, "sub"): Counts(5_420, 60, 114),
}
# fmt: on


def explored(case: Case) -> Exploration:
    layout = layout_of(R14, mixed=case.mixed, at_once=True)
    kinds = (homed(case.home, secure=case.mixed),)
    plan = planned(layout, kinds, units={case.table.unit}, procedures=(case.table,))
    assert not plan.is_refused
    limits = Limits(phones_reset_on_regeneration=True)
    return Unkind(layout, kinds, plan, limits=limits).explore()


@pytest.mark.parametrize("case", PINNED, ids=str)
def test_throw_away_table_runs_to_its_end_on_the_same_machines(case: Case) -> None:
    found = explored(case)
    assert found.violation is None
    assert found.stuck == 0
    assert found.held_for_good == 0
    assert found.held_after_waiver == 0
    assert Counts(found.states, found.finished, found.held) == PINNED[case]


def promptly(table: Procedure) -> Decision:
    """What is decided in the end if a phone boots whenever the cluster resets it, and only then."""
    layout, kinds = layout_of(R14, at_once=True), (homed("sub"),)
    plan = planned(layout, kinds, units={table.unit}, procedures=(table,))
    limits = Limits(phones_reset_on_regeneration=True)
    explorer = Explorer(layout, kinds, plan, limits=limits)
    moment = explorer.start()
    while True:
        decision = explorer.decision(moment)
        if moment.booting or moment.loaded:
            _, moment = next(explorer.phone_moves(moment))
        elif decision.record is None and (decision.finished or decision.wake_at is None):
            return decision
        else:
            _, moment = next(explorer.moves(moment))


def test_phones_that_the_cluster_reset_last_pass_the_barrier() -> None:
    assert promptly(TVS_BY_ITSELF).finished


def test_phone_that_was_reset_before_the_last_change_has_to_come_once_more() -> None:
    decision = promptly(TVS_THEN_TFTP)
    assert not decision.finished
    assert {blocked.guard for blocked in decision.blocked} == {"phones_back"}
    assert decision.blocked[0].evidence == ("on sub: registered, but not since its reset",)
