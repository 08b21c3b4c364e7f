"""What is left out of an exploration as a repetition of something else changes no verdict.

Sound tables and broken ones: a reduction that could not show a flaw would be no proof.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import attrs
import pytest

from cucm_certflow.core.decide import Tables
from cucm_certflow.core.machine import Evaluator
from cucm_certflow.core.plan import Plan
from cucm_certflow.core.tables import CERTIFICATE, COMMAND
from cucm_certflow.lab.physics import actions
from cucm_certflow.lab.physics.world import Layout, Node, PhoneKind
from cucm_certflow.names import CertUnit
from cucm_certflow.procedures import PROCEDURES
from cucm_certflow.procedures.policies import Canary, Policy
from cucm_certflow.testing.decided import facts_of
from cucm_certflow.testing.explorer import Exploration, Explorer, Limits
from cucm_certflow.testing.parts import Part, parts_of
from tests.proof.runs import BOTH, CALM, R11_5, R14, homed, layout_of, planned

SOUND: Final = "sound tables"
BARRIER: Final = "the barrier is deaf"
TOGETHER: Final = "CallManager and TVS in one window, and no guard against it"
TABLES: Final = (SOUND, BARRIER, TOGETHER)


def _tables(which: str) -> Tables:
    out = {SOUND: (), BARRIER: ("phones_back",), TOGETHER: ("exclusion", "lifeline")}[which]
    return Tables(Evaluator(COMMAND.without(*out)), Evaluator(CERTIFICATE.without(*out)))


def _plan(
    which: str, layout: Layout, kinds: tuple[PhoneKind, ...], policy: Policy | None = None
) -> Plan:
    if which != TOGETHER:
        return planned(layout, kinds, units=BOTH, policy=policy)
    careless = tuple(attrs.evolve(table, never_with=frozenset()) for table in PROCEDURES)
    return planned(layout, kinds, windows=[BOTH], procedures=careless, policy=policy)


class Verdict(NamedTuple):
    is_sound: bool
    stuck: bool
    held_for_good: bool
    finishes: bool


def verdict_of(found: Sequence[Exploration]) -> Verdict:
    """The worst of several explorations."""
    is_sound = all(each.violation is None for each in found)
    return Verdict(
        is_sound,
        is_sound and any(each.stuck for each in found),
        is_sound and any(each.held_for_good for each in found),
        is_sound and all(each.finished for each in found),
    )


# ── phones that are alike ─────────────────────────────────────────────────────────────────


def two_alike(release: tuple[int, int], mixed: bool) -> tuple[Layout, tuple[PhoneKind, ...]]:
    one = homed("sub", secure=mixed)
    return layout_of(release, mixed=mixed), (one, one._replace(name="another on sub"))


@pytest.mark.parametrize("which", TABLES)
@pytest.mark.parametrize("release", [R11_5, R14], ids=["11.5", "14"])
@pytest.mark.parametrize("mixed", [False, True], ids=["non-secure", "mixed"])
def test_phones_that_differ_in_nothing_but_their_names_are_explored_once(
    release: tuple[int, int], mixed: bool, which: str
) -> None:
    layout, kinds = two_alike(release, mixed)
    plan = _plan(which, layout, kinds, Policy(canary=Canary.OFF))
    limits = Limits(faults=0, phones_move=False)
    reduced, whole = (
        Explorer(
            layout, kinds, plan, limits=limits, tables=_tables(which), symmetry=symmetry
        ).explore()
        for symmetry in (True, False)
    )
    assert verdict_of([reduced]) == verdict_of([whole])
    assert reduced.violation is None or whole.violation is not None
    if reduced.violation is not None and whole.violation is not None:
        assert len(reduced.violation.story) == len(whole.violation.story)
    else:
        assert reduced.states < 0.75 * whole.states


@pytest.mark.parametrize("waived", [True, False], ids=["one is waived", "one is the canary"])
def test_phones_that_are_treated_differently_are_not_alike(waived: bool) -> None:
    layout, kinds = two_alike(R14, mixed=False)
    policy = Policy(canary=Canary.OFF) if waived else Policy()
    waive = [kinds[0].name] if waived else []
    plan = planned(layout, kinds, units={CertUnit.TVS}, policy=policy, waive=waive)
    limits = Limits(faults=0, phones_move=False)
    counts = [
        Explorer(layout, kinds, plan, limits=limits, symmetry=symmetry).explore().states
        for symmetry in (True, False)
    ]
    assert counts[0] == counts[1]


# ── nodes that a phone has nothing to do with ─────────────────────────────────────────────

_PUBLISHER: Final = Node("pub", True, callmanager=False)
_SUBS: Final = tuple(Node(f"sub{number}", False) for number in range(1, 5))
_PAIRS: Final = (
    PhoneKind("first pair", ("sub1", "sub2"), ("sub1",)),
    PhoneKind("second pair", ("sub3", "sub4"), ("sub3",)),
)


def explored(which: str, part: Part) -> Exploration:
    plan = _plan(which, part.layout, part.kinds)
    explorer = Explorer(part.layout, part.kinds, plan, limits=CALM, tables=_tables(which))
    return explorer.explore()


@pytest.mark.parametrize("which", TABLES)
@pytest.mark.parametrize("release", [R11_5, R14], ids=["11.5", "14"])
@pytest.mark.parametrize("mixed", [False, True], ids=["non-secure", "mixed"])
@pytest.mark.parametrize("nodes", [3, 4], ids=lambda number: f"{number} subscribers")
def test_a_cluster_is_what_its_phones_see_of_it(
    nodes: int, mixed: bool, release: tuple[int, int], which: str
) -> None:
    layout = layout_of(release, mixed=mixed, nodes=(_PUBLISHER, *_SUBS[:nodes]))
    second = _PAIRS[1] if nodes == len(_SUBS) else PhoneKind("other", ("sub3", "sub1"), ("sub3",))
    kinds = (_PAIRS[0]._replace(secure=mixed), second._replace(secure=mixed))
    world = actions.initial(layout, kinds)
    whole = explored(which, Part(layout, kinds, world, ()))
    parts = parts_of(layout, kinds, world)
    found = [explored(which, part) for part in parts]
    assert verdict_of(found) == verdict_of([whole])
    if which == SOUND:
        assert sum(each.states for each in found) < whole.states / 2


def test_pairs_of_nodes_that_are_alike_are_explored_once() -> None:
    layout = layout_of(R14, nodes=(_PUBLISHER, *_SUBS))
    (part,) = parts_of(layout, _PAIRS, actions.initial(layout, _PAIRS))
    assert part.stands_for == ("first pair", "second pair")
    assert [node.name for node in part.layout.nodes] == ["pub", "sub1", "sub2"]
    assert part.world == actions.initial(part.layout, part.kinds)
    assert not planned(part.layout, part.kinds, units=BOTH).is_refused


def test_nodes_whose_order_differs_are_not_alike() -> None:
    # A plan goes through the nodes in order: the second member of a group may come first.
    layout = layout_of(R14, nodes=(_PUBLISHER, *_SUBS))
    kinds = (_PAIRS[0], PhoneKind("backwards", ("sub4", "sub3"), ("sub4",)))
    assert len(parts_of(layout, kinds, actions.initial(layout, kinds))) == len(kinds)


def test_a_sort_of_node_that_no_phone_sees_stays_so_that_the_same_can_be_planned() -> None:
    layout = layout_of(R14, nodes=(_PUBLISHER, *_SUBS, Node("imp", False, False, False, False)))
    (part,) = parts_of(layout, _PAIRS[:1], actions.initial(layout, _PAIRS[:1]))
    assert [node.name for node in part.layout.nodes] == ["pub", "sub1", "sub2", "imp"]
    facts = facts_of(part.layout, part.kinds, part.world)
    assert [node.name for node in facts.nodes] == ["pub", "sub1", "sub2", "imp"]
