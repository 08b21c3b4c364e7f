"""Every procedure that moves lists, on representative releases, lived through by ``decide``.

A crash, a reply that is lost or late, and phones that come unasked; then the same while databases
lag behind, while phones fail over and fall back, and while they register anew by themselves.
Counts are pinned, as for the main story.
"""

from __future__ import annotations

from functools import cache
from time import perf_counter
from typing import Final, NamedTuple

import attrs
import pytest

from cucm_certflow.core.plan import Plan
from cucm_certflow.lab.physics.world import Layout, Node, PhoneKind
from cucm_certflow.names import CertUnit
from cucm_certflow.procedures import PROCEDURES
from cucm_certflow.procedures.policies import Policy
from cucm_certflow.testing.explorer import Exploration, Limits
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

pytestmark = pytest.mark.slow

R9_1, R10_5, R12_0, R12_5 = (9, 1), (10, 5), (12, 0), (12, 5)
CAPF, TVS, ITLRECOVERY = CertUnit.CAPF, CertUnit.TVS, CertUnit.ITLRECOVERY
CALLMANAGER: Final = (CertUnit.CALLMANAGER, CertUnit.CALLMANAGER_ECDSA)
FAULTS: Final = Limits()
STAYS: Final = Limits(phones_move=False)
LAGGING: Final = Limits(phones_move=False, databases_lag=frozenset({"sub"}))
ANEW: Final = Limits(phones_move=False, phones_register_anew=True)
FAILING_OVER: Final = Limits(phones_move=False, phones_fail_over=True)
_WORDS: Final = {
    FAULTS: "",
    STAYS: "at home",
    LAGGING: "lagging databases",
    FAILING_OVER: "fail-over",
    ANEW: "registering anew",
}


class Case(NamedTuple):
    """A cluster, what is regenerated, and how unkind the world is."""

    release: tuple[int, int]
    mixed: bool
    units: tuple[CertUnit, ...]
    limits: Limits = FAULTS
    vouched: bool = False
    """TVS vouches for a new ITLRecovery, and the policy says so."""

    def __str__(self) -> str:
        words = [
            f"{self.release[0]}.{self.release[1]}",
            "mixed" if self.mixed else "non-secure",
            " with ".join(self.units),
            _WORDS[self.limits],
            "vouched for" if self.vouched else "",
        ]
        return ", ".join(word for word in words if word)

    def layout(self) -> Layout:
        nodes = (Node("pub", True, capf=CAPF in self.units), NODES[1])
        layout = layout_of(self.release, mixed=self.mixed, nodes=nodes)
        variant = layout.variant._replace(vouches_for_itlrecovery=self.vouched)
        # Which certificates subscribers have besides, and the EC ones, belong to a whole cluster.
        whole = CAPF in self.units or CertUnit.CALLMANAGER_ECDSA in self.units
        return layout._replace(variant=variant, whole=whole, ecdsa=whole)

    def phone(self) -> PhoneKind:
        phone = homed("sub", secure=self.mixed)
        # Where databases lag, all TVS that it asks are on the node that lags.
        return phone._replace(group=("sub",)) if self.limits is LAGGING else phone

    def plan(self) -> Plan:
        policy = Policy(vouches_for_itlrecovery=self.vouched)
        return planned(self.layout(), (self.phone(),), units=self.units, policy=policy)


class Counts(NamedTuple):
    states: int
    finished: int
    held: int


# fmt: off
PINNED: Final = {
    # 8.x and 9.x: no ITLRecovery, and in mixed mode a token signs (a person's step, not explored).
    Case(R9_1, False, (CAPF,)): Counts(6_202, 32, 122),
    Case(R9_1, False, CALLMANAGER[:1]): Counts(8_305, 32, 122),
    Case(R9_1, False, (TVS,)): Counts(6_653, 64, 160),
    Case(R10_5, False, (CAPF,)): Counts(6_202, 32, 122),
    Case(R10_5, True, (CAPF,)): Counts(12_617, 32, 164),
    Case(R10_5, False, CALLMANAGER[:1]): Counts(8_305, 32, 122),
    Case(R10_5, True, CALLMANAGER[:1]): Counts(13_771, 32, 164),
    Case(R10_5, False, (TVS,)): Counts(6_653, 64, 160),
    Case(R10_5, True, (TVS,)): Counts(6_289, 48, 141),
    Case(R10_5, False, (ITLRECOVERY,)): Counts(5_707, 32, 122),
    Case(R10_5, True, (ITLRECOVERY,)): Counts(8_631, 32, 164),
    Case(R11_5, False, CALLMANAGER): Counts(11_951, 32, 170),
    Case(R11_5, True, CALLMANAGER): Counts(17_437, 32, 212),
    Case(R11_5, True, (ITLRECOVERY,)): Counts(8_631, 32, 164),
    # 12.0 to 12.4: every node has its own ITLRecovery, and it signs; see below.
    Case(R12_0, False, CALLMANAGER[:1]): Counts(4_657, 32, 80),
    Case(R12_0, False, (TVS,)): Counts(3_377, 32, 80),
    Case(R12_0, True, CALLMANAGER[:1], STAYS): Counts(6_859, 16, 82),
    Case(R12_0, True, (TVS,), STAYS): Counts(3_013, 16, 61),
    Case(R12_0, False, (ITLRECOVERY,), vouched=True): Counts(5_840, 32, 153),
    Case(R12_0, True, (ITLRECOVERY,), vouched=True): Counts(10_632, 32, 244),
    Case(R12_5, True, (CAPF,)): Counts(12_617, 32, 164),
    Case(R12_5, True, CALLMANAGER): Counts(17_399, 32, 212),
    Case(R12_5, True, (TVS,)): Counts(5_887, 32, 122),
    Case(R12_5, False, (ITLRECOVERY,)): Counts(4_615, 32, 117),
    Case(R12_5, True, (ITLRECOVERY,)): Counts(9_051, 32, 196),
    Case(R14, False, (CAPF,)): Counts(5_074, 32, 98),
    Case(R14, True, (CAPF,)): Counts(11_002, 32, 140),
    Case(R14, True, CALLMANAGER): Counts(20_867, 32, 212),
    Case(R14, False, (ITLRECOVERY,)): Counts(4_615, 32, 117),
    Case(R14, True, (ITLRECOVERY,)): Counts(9_051, 32, 196),
    # The database of the node whose TVS the phone asks gets a new certificate some time later.
    Case(R11_5, False, tuple(sorted(BOTH)), LAGGING): Counts(9_160, 16, 202),
    Case(R11_5, True, tuple(sorted(BOTH)), LAGGING): Counts(11_646, 16, 223),
    Case(R14, False, tuple(sorted(BOTH)), LAGGING): Counts(10_242, 16, 202),
    Case(R14, True, tuple(sorted(BOTH)), LAGGING): Counts(13_280, 16, 223),
    Case(R14, True, (ITLRECOVERY,), LAGGING): Counts(5_020, 16, 130),
    # A restart of CallManager sends phones to the other member of their group.
    Case(R11_5, False, tuple(sorted(BOTH)), FAILING_OVER): Counts(7_332, 16, 122),
    Case(R14, True, tuple(sorted(BOTH)), FAILING_OVER): Counts(11_659, 16, 143),
    Case(R14, True, (ITLRECOVERY,), FAILING_OVER): Counts(4_453, 16, 98),
    # A phone that registers anew by itself has loaded nothing, whatever was going on.
    Case(R11_5, False, tuple(sorted(BOTH)), ANEW): Counts(7_491, 16, 122),
    Case(R11_5, True, tuple(sorted(BOTH)), ANEW): Counts(10_080, 16, 143),
    Case(R14, False, tuple(sorted(BOTH)), ANEW): Counts(8_573, 16, 122),
    Case(R14, True, (ITLRECOVERY,), ANEW): Counts(4_515, 16, 98),
}
# fmt: on


def lived(layout: Layout, kinds: tuple[PhoneKind, ...], plan: Plan, limits: Limits) -> Exploration:
    with no_sweeps():
        return Unkind(layout, kinds, plan, limits=limits).explore(most=40_000)


@cache
def explored(case: Case) -> Exploration:
    started = perf_counter()
    plan = case.plan()
    assert not plan.is_refused
    found = lived(case.layout(), (case.phone(),), plan, case.limits)
    show(f"{case}: {found.states} states, {perf_counter() - started:.1f} s")
    return found


every_case = pytest.mark.parametrize("case", PINNED, ids=str)


@every_case
def test_no_rule_is_broken_and_no_phone_is_left_without_its_way_back(case: Case) -> None:
    assert explored(case).violation is None


@every_case
def test_every_story_can_end_or_hold_and_every_hold_ends_once_the_world_is_kind(case: Case) -> None:
    found = explored(case)
    assert (found.stuck, found.held_for_good) == (0, 0)
    assert found.finished > 0


@every_case
def test_number_of_states_is_as_pinned(case: Case) -> None:
    found = explored(case)
    assert Counts(found.states, found.finished, found.held) == PINNED[case]


def test_second_wave_of_itlrecovery_follows_the_first_barrier() -> None:
    plan = Case(R14, False, (ITLRECOVERY,)).plan()
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
    found = lived(layout, kinds, plan, FAULTS)
    assert (found.violation, found.stuck, found.held_for_good) == (None, 0, 0)
    assert found.finished > 0


def test_secure_phone_that_goes_to_another_tftp_node_of_12_0_cannot_come_home() -> None:
    # Its CTL knows the publisher's ITLRecovery, nothing knows the subscriber's any more: so says
    # the model if TVS vouches for none. Nothing that we send makes it so.
    layout, kinds = layout_of(R12_0, mixed=True), (homed("sub", secure=True),)
    plan = planned(layout, kinds, units=CALLMANAGER[:1])
    violation = lived(layout, kinds, plan, FAULTS).violation
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
    case = Case(R11_5, mixed, tuple(sorted(BOTH)), LAGGING)
    plan = planned(case.layout(), (case.phone(),), units=BOTH, procedures=late)
    violation = lived(case.layout(), (case.phone(),), plan, LAGGING).violation
    assert violation is not None
    show(f"\n{violation}")
    assert violation.what == flaw
