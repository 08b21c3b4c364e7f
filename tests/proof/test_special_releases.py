"""What is special about ITLRecovery, about 12.0 to 12.4, and about databases that lag."""

from __future__ import annotations

from typing import Final

import attrs
import pytest

from cucm_certflow.core.plan import Plan
from cucm_certflow.lab.physics.world import Layout, Node, PhoneKind
from cucm_certflow.names import CertUnit
from cucm_certflow.procedures import PROCEDURES
from cucm_certflow.procedures.policies import Policy
from cucm_certflow.testing.explorer import Exploration, Limits
from tests.proof.cells import LIMITS, Cell
from tests.proof.runs import (
    BOTH,
    NODES,
    R11_5,
    R14,
    Unkind,
    homed,
    layout_of,
    no_sweeps,
    planned,
    show,
)

R12_0: Final = (12, 0)
ITLRECOVERY: Final = CertUnit.ITLRECOVERY
LAGGING: Final = LIMITS["lagging databases"]
STAYS: Final = LIMITS["phones at home"]


def lived(layout: Layout, kinds: tuple[PhoneKind, ...], plan: Plan, limits: Limits) -> Exploration:
    with no_sweeps():
        return Unkind(layout, kinds, plan, limits=limits).explore(most=40_000)


def test_second_wave_of_itlrecovery_follows_the_first_barrier() -> None:
    plan = Cell(R14, False, (ITLRECOVERY,)).plan()
    assert [(step.row.wave, step.row.name) for step in plan.steps] == [
        (0, "regenerate"),
        (0, "itl-localkey"),
        (0, "reset-phones"),
        (1, "restart-tvs-again"),
        (1, "restart-tvs-again"),
        (1, "restart-tftp-again"),
        (1, "restart-tftp-again"),
        (1, "reset-phones-again"),
    ]
    barriers = {(window, wave) for window, wave, _ in plan.batch_of}
    assert barriers == {(0, 0), (0, 1)}


# ── 12.0 to 12.4: ITLRecovery signs, and every node has its own ───────────────────────────


@pytest.mark.parametrize("mixed", [False, True], ids=["non-secure", "mixed"])
@pytest.mark.parametrize("home", ["sub", "pub"])
def test_itlrecovery_of_every_node_is_refused_unless_tvs_vouches_for_it(
    mixed: bool, home: str
) -> None:
    # Which TFTP node a phone uses cannot be read, so those of the publisher are refused as well.
    plan = planned(layout_of(R12_0, mixed=mixed), (homed(home, secure=mixed),), units={ITLRECOVERY})
    assert {refusal.guard for refusal in plan.refusals} == {"lifeline"}
    assert "HAND_DELETE" in plan.refusals[0].detail


@pytest.mark.parametrize("mixed", [False, True], ids=["non-secure", "mixed"])
def test_it_is_rightly_refused_a_phone_on_the_subscriber_would_have_to_be_walked_to(
    mixed: bool,
) -> None:
    layout, kinds = layout_of(R12_0, mixed=mixed), (homed("sub", secure=mixed),)
    plan = planned(layout, kinds, units={ITLRECOVERY})
    careless = attrs.evolve(plan, policy=Policy(vouches_for_itlrecovery=True))
    careless = attrs.evolve(
        careless,
        trust=plan.trust._replace(policy=plan.trust.policy._replace(vouches_for_itlrecovery=True)),
    )
    violation = lived(layout, kinds, careless, STAYS).violation
    assert violation is not None
    assert violation.what == "on sub has no way back but: HAND-DELETE"
    assert violation.story[-1].endswith("sub is intended `set cert regen ITLRecovery`")


@pytest.mark.parametrize("mixed", [False, True], ids=["non-secure", "mixed"])
def test_it_is_not_refused_where_the_publisher_alone_serves_lists(mixed: bool) -> None:
    layout = layout_of(R12_0, mixed=mixed, nodes=(NODES[0], Node("sub", False, tftp=False)))
    kinds = (PhoneKind("phone", ("sub", "pub"), ("pub",), secure=mixed),)
    plan = planned(layout, kinds, units={ITLRECOVERY})
    assert not plan.is_refused
    found = lived(layout, kinds, plan, Limits())
    assert (found.violation, found.stuck, found.held_for_good) == (None, 0, 0)
    assert found.finished > 0


def test_secure_phone_that_goes_to_another_tftp_node_of_12_0_cannot_come_home() -> None:
    # Its CTL knows the publisher's ITLRecovery, nothing knows the subscriber's any more: so says
    # the model if TVS vouches for none. Nothing that we send makes it so.
    layout, kinds = layout_of(R12_0, mixed=True), (homed("sub", secure=True),)
    plan = planned(layout, kinds, units={CertUnit.CALLMANAGER})
    violation = lived(layout, kinds, plan, Limits()).violation
    assert violation is not None
    assert violation.story == ("on sub comes unasked at pub",)


# ── what the requirements are for ─────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("mixed", "flaw"),
    [
        (False, "on sub holds neither a CallManager nor a TVS certificate of now"),
        (True, "on sub cannot register with what sub presents"),
    ],
    ids=["non-secure", "mixed"],
)
def test_asking_the_databases_before_the_reset_alone_is_too_late(mixed: bool, flaw: str) -> None:
    late = tuple(
        attrs.evolve(
            table,
            rows=tuple(
                row if row.name.startswith("reset") else attrs.evolve(row, requires=frozenset())
                for row in table.rows
            ),
        )
        for table in PROCEDURES
    )
    cell = Cell(R11_5, mixed, tuple(sorted(BOTH)), limits="lagging databases")
    plan = planned(cell.layout(), cell.kinds(), units=BOTH, procedures=late)
    violation = lived(cell.layout(), cell.kinds(), plan, LAGGING).violation
    assert violation is not None
    show(f"\n{violation}")
    assert violation.what == flaw
