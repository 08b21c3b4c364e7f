"""That CallManager, TVS and ITLRecovery exclude each other follows from the invariants.

``never_with`` in the tables is what people are told; here it is taken out, and the lifeline over
the lists that are really served refuses all the same. The verdicts for each set of certificates
that changes between two contacts with a phone are those of the trust model, §4.1 and §4.3.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import attrs
import pytest

from cucm_certflow.core.plan import Plan
from cucm_certflow.lab.observe import list_view
from cucm_certflow.lab.physics.actions import initial, regenerate, restart, update_ctl
from cucm_certflow.lab.physics.judge import health
from cucm_certflow.lab.physics.world import Cert, Layout, PhoneKind, Variant, World
from cucm_certflow.names import CertUnit, Service
from cucm_certflow.procedures import PROCEDURES
from cucm_certflow.testing.explorer import Limits
from cucm_certflow.trust.lifeline import Health, best_lifeline, lifeline
from cucm_certflow.trust.phone import Holding, PhoneClass
from tests.proof.runs import LOST, NODES, R11_5, R14, Unkind, homed, layout_of, no_sweeps, planned
from tests.proof.test_witness import trust_in

R9_1, R10_5, R12_5 = (9, 1), (10, 5), (12, 5)
CM, TVS, ITLR = CertUnit.CALLMANAGER, CertUnit.TVS, CertUnit.ITLRECOVERY
OK, LOCALKEY, HAND = Health
SETS: Final = ({CM}, {TVS}, {ITLR}, {CM, TVS}, {CM, ITLR}, {TVS, ITLR}, {CM, TVS, ITLR})


class Row(NamedTuple):
    """A row of the table in §4.1."""

    release: tuple[int, int]
    variant: Variant
    modes: tuple[bool, ...]
    verdicts: tuple[Health, ...]


_MODES: Final = (False, True)
_NO_VOUCH: Final = Variant(vouches_for_itlrecovery=False)
_BY_CTL_ALONE: Final = _NO_VOUCH._replace(ctl_strict=True, tvs_vouches_for_ctl=False)
# fmt: off
TABLE: Final = {
    "11.5": Row(R11_5, Variant(), _MODES, (OK, OK, OK, LOCALKEY, OK, OK, HAND)),
    "10.5": Row(R10_5, Variant(), _MODES, (OK, OK, OK, LOCALKEY, OK, OK, HAND)),
    "12.5, TVS vouches for ITLRecovery":
        Row(R12_5, Variant(), _MODES, (OK, OK, OK, OK, OK, LOCALKEY, HAND)),
    "12.5, it does not":
        Row(R12_5, _NO_VOUCH, _MODES, (OK, OK, LOCALKEY, OK, LOCALKEY, LOCALKEY, HAND)),
    "12.5, the CTL judged by its own anchors alone":
        Row(R12_5, _BY_CTL_ALONE, (True,), (OK, OK, LOCALKEY, OK, HAND, LOCALKEY, HAND)),
}
# fmt: on


def changed(layout: Layout, kind: PhoneKind, changes: Iterable[tuple[CertUnit, str]]) -> World:
    """The cluster with *changes*, caught up, while the phone was off."""
    world = initial(layout, (kind,))
    for unit, name in changes:
        if layout.has(unit, name):
            world = regenerate(layout, world, unit, name)
    for service in (Service.TVS, Service.TFTP):
        for node in layout.nodes:
            world = restart(layout, world, service, node.name)
    return update_ctl(layout, world) if layout.mixed else world


def everywhere(units: Iterable[CertUnit]) -> list[tuple[CertUnit, str]]:
    return [(unit, node.name) for unit in sorted(units) for node in NODES]


def judged(
    layout: Layout,
    kind: PhoneKind,
    world: World,
    *,
    expired: frozenset[Cert] = frozenset(),
) -> tuple[int, int]:
    """What the library says of the phone at its first TFTP node, and what the lab's judge says."""
    phone = world.phones[0]
    assert phone.itl is not None
    holding = Holding(list_view(phone.itl), None if phone.ctl is None else list_view(phone.ctl))
    trust = trust_in(layout, world)._replace(expired=frozenset(map(str, expired)))
    if not layout.has_itlrecovery:
        trust = trust._replace(policy=trust.policy._replace(localkey=False))
    said = lifeline(trust, PhoneClass(kind.group, kind.asks_tvs), holding, kind.tftp[0]).health
    return int(said), health(layout, (kind,), world, 0).severity


@pytest.mark.parametrize("row", TABLE)
@pytest.mark.parametrize("number", range(len(SETS)), ids=[" + ".join(sorted(s)) for s in SETS])
def test_verdict_is_that_of_the_table_or_worse_and_the_judge_agrees(row: str, number: int) -> None:
    release, variant, modes, verdicts = TABLE[row]
    for mixed in modes:
        layout = Layout(NODES, release, mixed, variant)
        for home in ("pub", "sub"):
            kind = PhoneKind("phone", ("pub", "sub"), (home,))
            said, truth = judged(layout, kind, changed(layout, kind, everywhere(SETS[number])))
            assert said == truth
            assert said >= verdicts[number]
            if home == "pub":  # which the table is about; on a subscriber localkey may not help
                assert said == verdicts[number]


@pytest.mark.parametrize("home", ["pub", "sub"])
def test_ctl_with_a_single_anchor_is_read_as_it_is_served(home: str) -> None:
    # A published CTL of 10.5 names CallManager alone: localkey then helps at the publisher only.
    layout = Layout(NODES, R10_5, True, Variant(ctl_lists_itlrecovery=False))
    kind = PhoneKind("phone", ("pub", "sub"), (home,))
    said, truth = judged(layout, kind, changed(layout, kind, everywhere({CM, TVS})))
    assert said == truth == (LOCALKEY if home == "pub" else HAND)


@pytest.mark.parametrize("units", [s for s in SETS if ITLR not in s], ids=" + ".join)
def test_before_10_there_is_no_localkey_and_both_together_strand_for_good(
    units: set[CertUnit],
) -> None:
    layout, kind = Layout(NODES, R9_1), PhoneKind("phone", ("pub", "sub"), ("pub",))
    world = changed(layout, kind, everywhere(units))
    truth = health(layout, (kind,), world, 0).severity
    assert truth == (HAND if units == {CM, TVS} else OK)
    plan = careless(layout, kind, units)
    assert bool(plan.refusals) is (truth > OK)


# ── per CallManager group (§4.3; two nodes, 11.5, phones homed on the publisher) ──────────

_P, _S, _PS = ("pub",), ("sub",), ("pub", "sub")
# fmt: off
GROUPS: Final = [
    ([(CM, "pub"), (TVS, "pub")], {_P}),
    ([(CM, "pub"), (TVS, "sub")], {_S}),
    ([(CM, "pub"), (TVS, "pub"), (TVS, "sub")], {_P, _S, _PS}),
    ([(CM, "sub"), (TVS, "pub"), (TVS, "sub")], set()),
]
# fmt: on


@pytest.mark.parametrize(("changes", "stranded"), GROUPS)
@pytest.mark.parametrize("group", [_P, _S, _PS], ids=" and ".join)
def test_what_is_together_is_decided_for_each_callmanager_group(
    changes: list[tuple[CertUnit, str]], stranded: set[tuple[str, ...]], group: tuple[str, ...]
) -> None:
    kind = PhoneKind("phone", group, ("pub",))
    for release in (R11_5, R12_5):
        layout = Layout(NODES, release)
        said, truth = judged(layout, kind, changed(layout, kind, changes))
        assert said == truth
        assert (said > OK) is (release == R11_5 and group in stranded)


def test_expired_tvs_and_expired_signer_are_not_counted_on() -> None:
    kind = PhoneKind("phone", _P, _P)
    for over, alone in ((Cert(TVS, "pub", 1), {CM}), (Cert(ITLR, "pub", 1), {CM, TVS})):
        variant = Variant(expired_is_refused=True)
        layout = Layout(NODES, R11_5, variant=variant, expired=frozenset({over}))
        world = changed(layout, kind, everywhere(alone))
        said, truth = judged(layout, kind, world, expired=layout.expired)
        fresh, _ = judged(layout._replace(expired=frozenset()), kind, world)
        assert said > fresh
        assert said >= truth > OK


# ── without the policy ────────────────────────────────────────────────────────────────────


def careless(layout: Layout, kind: PhoneKind, units: Iterable[CertUnit]) -> Plan:
    """A plan for one window, by tables that forgot what must never change together."""
    tables = tuple(attrs.evolve(table, never_with=frozenset()) for table in PROCEDURES)
    return planned(layout, (kind,), windows=[units], procedures=tables)


class Wish(NamedTuple):
    release: tuple[int, int]
    mixed: bool
    units: tuple[CertUnit, ...]
    health: Health

    def __str__(self) -> str:
        mode = "mixed" if self.mixed else "non-secure"
        return f"{self.release[0]}.{self.release[1]} {mode}, {' + '.join(self.units)}"


# Phones may use either TFTP node, and what the worst of them needs is said.
# fmt: off
REFUSED: Final = [
    Wish(R10_5, False, (CM, TVS), HAND), Wish(R10_5, True, (CM, TVS), LOCALKEY),
    Wish(R11_5, False, (CM, TVS), HAND), Wish(R11_5, True, (CM, TVS), LOCALKEY),
    Wish(R10_5, False, (CM, TVS, ITLR), HAND), Wish(R10_5, True, (CM, TVS, ITLR), HAND),
    Wish(R11_5, False, (CM, TVS, ITLR), HAND), Wish(R11_5, True, (CM, TVS, ITLR), HAND),
    Wish(R12_5, False, (TVS, ITLR), HAND),
    Wish(R12_5, False, (CM, ITLR), LOCALKEY), Wish(R12_5, True, (CM, ITLR), LOCALKEY),
    Wish(R12_5, False, (CM, TVS, ITLR), HAND), Wish(R12_5, True, (CM, TVS, ITLR), LOCALKEY),
    Wish(R14, False, (TVS, ITLR), HAND),
    Wish(R14, False, (CM, ITLR), LOCALKEY), Wish(R14, True, (CM, ITLR), LOCALKEY),
    Wish(R14, False, (CM, TVS, ITLR), HAND), Wish(R14, True, (CM, TVS, ITLR), HAND),
]
# fmt: on


@pytest.mark.parametrize("wish", REFUSED, ids=str)
@pytest.mark.parametrize("home", ["pub", "sub"])
def test_lifeline_refuses_what_the_policy_would_have_refused(wish: Wish, home: str) -> None:
    layout = layout_of(wish.release, mixed=wish.mixed)
    plan = careless(layout, homed(home, secure=wish.mixed), wish.units)
    assert {refusal.guard for refusal in plan.refusals} == {"lifeline"}
    assert f"({wish.health.name})" in plan.refusals[0].detail


@pytest.mark.parametrize("wish", REFUSED, ids=str)
def test_refused_together_they_are_planned_apart(wish: Wish) -> None:
    layout, kinds = layout_of(wish.release, mixed=wish.mixed), (homed("sub", secure=wish.mixed),)
    plan = planned(layout, kinds, units=wish.units)
    assert not plan.is_refused
    together = planned(layout, kinds, windows=[wish.units])
    assert {refusal.guard for refusal in together.refusals} >= {"exclusion", "lifeline"}


@pytest.mark.slow
@pytest.mark.parametrize("release", [R12_5, R14], ids=["12.5", "14"])
def test_tvs_with_itlrecovery_in_mixed_mode_is_saved_by_its_remedy_and_refused_by_policy_alone(
    release: tuple[int, int],
) -> None:
    # The one pair that the tables are stricter about than the invariants: the CTL by localkey is
    # signed by CallManager, which every phone knows, and it brings the new ITLRecovery. So say
    # planner and exploration; the field's rule (R2; D2) is kept.
    layout, kind = layout_of(release, mixed=True), homed("sub", secure=True)
    plan = careless(layout, kind, (TVS, ITLR))
    assert not plan.is_refused
    with no_sweeps():
        found = Unkind(
            layout, (kind,), plan, limits=Limits(faults=1, mishaps=LOST), rules=()
        ).explore()
    assert (found.violation, found.stuck, found.held_for_good) == (None, 0, 0)
    together = planned(layout, (kind,), windows=[(TVS, ITLR)])
    assert {refusal.guard for refusal in together.refusals} == {"exclusion"}


def test_phone_is_judged_at_the_tftp_node_whose_list_it_holds_where_each_signs_by_its_own() -> None:
    layout, kind = Layout(NODES, (12, 0), variant=_NO_VOUCH), PhoneKind("phone", _PS, _S)
    trust = trust_in(layout, initial(layout, (kind,)))
    for node in trust.nodes:
        witness = best_lifeline(trust, PhoneClass(_PS), Holding(node.itl, None))
        assert (witness.health, witness.home) == (OK, node.name)
