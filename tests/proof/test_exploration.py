"""What is special about CallManager and TVS: who can neither check nor ask, nodes that run less,
and phones that keep to one TFTP node.
"""

from __future__ import annotations

from itertools import product
from typing import Final

import pytest

from cucm_certflow.commands import UpdateCtl
from cucm_certflow.lab.physics.judge import Health, Memo, health
from cucm_certflow.lab.physics.world import Node, PhoneKind
from cucm_certflow.procedures.policies import UnitOrder
from cucm_certflow.testing.explorer import Exploration, Explorer, Moment
from cucm_certflow.trust.lifeline import Health as Severity
from tests.proof.cells import Cell
from tests.proof.runs import BOTH, CALM, R11_5, R14, Unkind, layout_of, planned, show

CM_FIRST, TVS_FIRST = UnitOrder
UNITS: Final = tuple(sorted(BOTH))


# Up to 11.5 a phone that cannot ask TVS turns down the CTL by a new CallManager certificate. It is
# the exposure that the table names (then only localkey helps), and the barrier holds for it until
# it is waived by name: no story finishes before, every one does after.


@pytest.mark.parametrize("order", UnitOrder, ids=lambda order: order.value)
def test_phone_that_can_neither_check_nor_ask_holds_the_run_until_it_is_waived(
    order: UnitOrder,
) -> None:
    cell = Cell(R11_5, True, UNITS, limits="no faults", order=order, asks_tvs=False)
    found = cell.explore()
    assert (found.violation, found.stuck, found.held_after_waiver) == (None, 0, 0)
    assert found.finished == 0
    assert found.held_for_good == found.held > 0
    plan = cell.plan()
    (phone,) = plan.classes
    step = next(step for step in plan.steps if isinstance(step.command, UpdateCtl))
    assert plan.tolerated(step, phone) == (Severity.NEEDS_LOCALKEY, "utils ctl reset localkey")


# ── other clusters ────────────────────────────────────────────────────────────────────────

_PHONES_ELSEWHERE = (Node("pub", True, callmanager=False), Node("sub", False, tftp=False))
_TFTP_ALONE = (Node("pub", True), Node("tftp", False, callmanager=False))
_IM_AND_PRESENCE = (Node("pub", True), Node("cups", False, False, False, False))
OTHERS: Final = {
    "publisher without CallManager": (_PHONES_ELSEWHERE, (516, 679, 576, 775)),
    "a TFTP node without CallManager": (_TFTP_ALONE, (549, 730, 609, 826)),
    "with IM and Presence": (_IM_AND_PRESENCE, (340, 458, 370, 503)),
}


@pytest.mark.parametrize("name", OTHERS)
def test_nodes_that_run_less_hinder_nobody_and_break_no_rule(name: str) -> None:
    nodes, pinned = OTHERS[name]
    states: list[int] = []
    for release, mixed in product((R11_5, R14), (False, True)):
        layout = layout_of(release, mixed=mixed, nodes=nodes)
        group, home = layout.callmanager_nodes[:1], layout.tftp_nodes[-1:]
        kinds = (PhoneKind("phone", group, home, secure=mixed),)
        plan = planned(layout, kinds, units=BOTH)
        found = Unkind(layout, kinds, plan, limits=CALM).explore()
        assert found.violation is None
        assert (found.stuck, found.held_for_good, found.held_after_waiver) == (0, 0, 0)
        assert found.finished > 0
        states.append(found.states)
    assert tuple(states) == pinned


# ── at every TFTP node that a phone may use ───────────────────────────────────────────────


class EveryNode(Explorer):
    """Stricter: a phone must have its way back at each of its TFTP nodes, whichever it keeps to."""

    _verdicts = Memo()

    def wrong_in(self, node: Moment) -> str | None:
        wrong = super().wrong_in(node)
        if wrong is not None:
            return wrong
        for index, kind in enumerate(self.kinds):
            for home in kind.tftp:
                kinds = (
                    *self.kinds[:index],
                    kind._replace(tftp=(home,)),
                    *self.kinds[index + 1 :],
                )
                verdict = health(self.layout, kinds, node.world, index, self._verdicts)
                if verdict is not Health.OK:
                    return f"{kind.name}, keeping to {home}: {verdict.value}"
        return None


def strictly(cell: Cell) -> Exploration:
    return EveryNode(cell.layout(), cell.kinds(), cell.plan(), limits=CALM).explore()


def keeping(release: tuple[int, int], mixed: bool, order: UnitOrder, group: int) -> Cell:
    return Cell(release, mixed, UNITS, (group,), "no faults", order=order)


STRICT: Final = [
    keeping(release, mixed, order, group)
    for release in (R11_5, R14)
    for mixed in (False, True)
    for order in UnitOrder
    for group in (0, 1)
]
# Where every TFTP node's own certificate signs its ITL and both TVS change in one window, a phone
# that was elsewhere at the first barrier, and comes home for the second, knows nobody at home. It
# is registered, turns the list down, and is brought back at the node where it was; keeping to its
# home it needs localkey, or a hand. TVS first has no such phones: there TVS is done in parts.
DEPENDS_ON_ANOTHER: Final = {
    keeping(R11_5, False, CM_FIRST, 0): "on sub, keeping to pub: HAND-DELETE",
    keeping(R11_5, False, CM_FIRST, 1): "on pub, keeping to sub: needs-localkey",
    keeping(R11_5, True, CM_FIRST, 0): "on sub, keeping to sub: needs-localkey",
    keeping(R11_5, True, CM_FIRST, 1): "on pub, keeping to sub: needs-localkey",
}


@pytest.mark.parametrize(
    "cell", [cell for cell in STRICT if cell not in DEPENDS_ON_ANOTHER], ids=str
)
def test_phone_keeps_a_way_back_at_every_tftp_node_that_it_may_use(cell: Cell) -> None:
    found = strictly(cell)
    assert found.violation is None
    assert found.stuck == 0


@pytest.mark.parametrize("cell", DEPENDS_ON_ANOTHER, ids=str)
def test_phone_that_moved_may_depend_on_another_tftp_node_where_callmanager_is_first(
    cell: Cell,
) -> None:
    violation = strictly(cell).violation
    assert violation is not None
    show(f"\n{cell}: {violation}")
    assert violation.what == DEPENDS_ON_ANOTHER[cell]
