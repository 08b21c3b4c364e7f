"""A new unit, or a release that does more by itself, needs a table and nothing else."""

from __future__ import annotations

from typing import Final, NamedTuple

import pytest

from cucm_certflow.commands import ResetLocalkey
from cucm_certflow.core.decide import Decision
from cucm_certflow.core.states import CommandState
from cucm_certflow.lab.physics.judge import Health, Memo, health
from cucm_certflow.procedures.vocabulary import Procedure
from cucm_certflow.testing.explorer import Exploration, Explorer, Limits, Moment
from tests.proof.runs import R14, RULES, Unkind, homed, layout_of, planned
from tests.proof.throwaway import ITLRECOVERY, TVS_BY_ITSELF, TVS_THEN_TFTP

MEMO: Final = Memo()


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


def _exposed_until_its_remedy(explorer: Unkind, node: Moment) -> str | None:
    """What only localkey would help is at an end once the localkey row is proved."""
    proved = any(
        isinstance(step.command, ResetLocalkey)
        and node.run.steps[step.index].state is CommandState.PROVED
        for step in explorer.plan.steps
    )
    for index, kind in enumerate(explorer.kinds if proved else ()):
        if health(explorer.layout, explorer.kinds, node.world, index, MEMO) is not Health.OK:
            return f"{kind.name} needs more than ordinary means after its remedy"
    return None


# fmt: off
PINNED: Final = {
    Case(ITLRECOVERY, False, "sub"): Counts(4_415, 52, 117),
    Case(ITLRECOVERY, True, "sub"): Counts(8_391, 52, 196),
    Case(TVS_BY_ITSELF, False, "sub"): Counts(3_786, 80, 128),
    Case(TVS_BY_ITSELF, True, "sub"): Counts(3_786, 80, 128),
    Case(TVS_THEN_TFTP, False, "sub"): Counts(6_542, 80, 152),
    Case(TVS_THEN_TFTP, True, "sub"): Counts(6_542, 80, 152),
}
# fmt: on


def explored(case: Case) -> Exploration:
    by_itself = case.table is not ITLRECOVERY
    layout = layout_of(R14, mixed=case.mixed, at_once=by_itself)
    kinds = (homed(case.home, secure=case.mixed),)
    plan = planned(layout, kinds, units={case.table.unit}, procedures=(case.table,))
    assert not plan.is_refused
    limits = Limits(phones_reset_on_regeneration=by_itself)
    rules = (*RULES, _exposed_until_its_remedy)
    return Unkind(layout, kinds, plan, limits=limits, rules=rules).explore()


@pytest.mark.parametrize("case", PINNED, ids=str)
def test_throw_away_table_runs_to_its_end_on_the_same_machines(case: Case) -> None:
    found = explored(case)
    assert found.violation is None
    assert found.stuck == 0
    assert found.held_for_good == 0
    assert found.held_after_waiver == 0
    assert Counts(found.states, found.finished, found.held) == PINNED[case]


def test_second_wave_follows_the_first_barrier() -> None:
    layout, kinds = layout_of(R14), (homed("sub"),)
    plan = planned(layout, kinds, units={ITLRECOVERY.unit}, procedures=(ITLRECOVERY,))
    assert [(step.row.wave, step.row.name) for step in plan.steps] == [
        (0, "regenerate"),
        (0, "itl-localkey"),
        (0, "reset-phones"),
        (1, "restart-tftp"),
        (1, "restart-tftp"),
        (1, "reset-phones-again"),
    ]
    barriers = {(window, wave) for window, wave, _ in plan.batch_of}
    assert barriers == {(0, 0), (0, 1)}


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
