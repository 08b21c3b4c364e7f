"""Explores a plan under every variant of what is uncertain, within a budget."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Final

import attrs

from cucm_certflow.core.decide import STANDARD
from cucm_certflow.core.plan import Plan
from cucm_certflow.core.planner import make_plan
from cucm_certflow.facts import ClusterFacts
from cucm_certflow.findings import Said
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.testing.check.checked import CheckedPlan, CheckedReading, Verdict
from cucm_certflow.testing.check.exploring import Budget, explored
from cucm_certflow.testing.check.miniature import Miniature, facts_of_all, miniature_of
from cucm_certflow.testing.check.uncertain import (
    UNCERTAIN,
    Reading,
    combinations_of,
    readings_for,
)
from cucm_certflow.testing.check.wish import GUARDS, Wish, contradictions_in
from cucm_certflow.testing.decided import facts_of
from cucm_certflow.testing.explorer import Limits, Mishap, no_sweeps
from cucm_certflow.testing.parts import Part, parts_of
from cucm_certflow.testing.without import tables_without

__all__ = ["OURS", "check_plan"]

OURS: Final = frozenset(Mishap) - {Mishap.OUTSIDE}
"""What goes wrong with our own commands: crashes, replies, refusals, restarts that fail."""


def check_plan(
    scenario: Scenario,
    wish: Wish,
    *,
    faults: int = 1,
    most: int = 1_000_000,
    within_s: float = 120.0,
    together: bool = True,
) -> CheckedPlan:
    """Explore what *wish* makes of the cluster of *scenario*, before anybody runs it.

    Every story is told: up to *faults* mishaps of every kind, phones that are switched off and on,
    come unasked and go to another of their TFTP nodes; in each variant of what nobody knows about
    CUCM that can matter here. A refused plan, or one without some guard, is explored as the
    library assumes CUCM to be, to see what would come of it. Nothing is sent anywhere.

    Args:
        scenario: The cluster; one that was written by hand, or taken from a real one.
        wish: What to regenerate, and how.
        faults: Mishaps in one story at most; two take some three times as long as one.
        most: States in all, shared by the variants.
        within_s: Seconds of this machine in all, shared likewise.
        together: Whether several assumptions are taken otherwise at once as well, with what is left
            of the budget.

    Raises:
        UsageError: The wish asks for what the cluster does not have, or for nothing.
    """
    plan = _planned(facts_of_all(scenario), wish)
    readings, left_out = readings_for(plan)
    check = _Check(scenario, wish, faults, Budget(most, within_s))
    checked: list[CheckedReading] = []
    with no_sweeps():
        if plan.is_refused or wish.without:
            # What is wrong already is not asked in every variant.
            readings, left_out = readings[:1], ()
            begun = check.refused(plan, readings[0]) if plan.steps else ()
            checked.extend(begun)
        elif plan.steps:
            checked.extend(check.each(readings))
        combined: tuple[CheckedReading, ...] = ()
        uncombined = 0
        if len(checked) == len(readings) > 1:
            combined, uncombined = check.combined(checked, explore=together)
    return CheckedPlan(
        plan=plan,
        readings=tuple(checked),
        combined=combined,
        uncombined=uncombined,
        left_out=tuple((each.title, why) for each, why in left_out),
        not_begun=tuple(each.name for each in readings[len(checked) :]) if plan.steps else (),
        contradictions=tuple(contradictions_in(wish, plan.facts)),
        without=tuple(dict.fromkeys(wish.without)),
        notes=tuple(_notes(scenario, plan, checked)),
        faults=faults,
    )


def _notes(scenario: Scenario, plan: Plan, checked: Sequence[CheckedReading]) -> Iterator[str]:
    """What no exploration of *checked* had in it."""
    if scenario.faults or scenario.events:
        told = len(scenario.faults) + len(scenario.events)
        yield f"the {told} faults and events of the scenario: every mishap is told instead"
    explored = {name for each in checked for part in each.parts for name in part.nodes}
    left = [node.name for node in scenario.nodes if node.name not in explored]
    if explored and left:
        yield f"{', '.join(left)} by name: other nodes that are like them were explored for them"
    yield "maintenance windows, and the orders of people but for approvals"
    if plan.tasks:
        yield f"other systems: their {len(plan.tasks)} tasks are taken as done"


@attrs.frozen
class _Check:
    """Everything that the explorations of one check have in common."""

    scenario: Scenario
    wish: Wish
    faults: int
    budget: Budget

    def each(self, readings: Sequence[Reading]) -> Iterator[CheckedReading]:
        """Each of *readings* explored, until the budget is over."""
        for number, reading in enumerate(readings):
            self.budget.share(len(readings) - number)
            if self.budget.is_over:
                return
            yield self.one(reading)

    def refused(self, plan: Plan, reading: Reading) -> Iterator[CheckedReading]:
        """What would come of a plan that the library refuses, or that is not to be guarded.

        If the guards that refuse it keep a phone from being lost, it is explored without them too.
        """
        guards = {each.guard for each in plan.refusals} & set(GUARDS) - set(self.wish.without)
        self.budget.share(2 if guards else 1)
        if self.budget.is_over:
            return
        first = self.one(reading, without=self.wish.without, refused=True)
        yield first
        if guards and first.verdict is not Verdict.BROKEN and not self.budget.is_over:
            self.budget.share(1)
            name = f"without what refuses it ({', '.join(sorted(guards))})"
            without = (*self.wish.without, *guards)
            yield self.one(reading._replace(name=name), without=without, refused=True)

    def combined(
        self, checked: Sequence[CheckedReading], *, explore: bool
    ) -> tuple[tuple[CheckedReading, ...], int]:
        """Several assumptions otherwise at once, of those that do no harm alone; and what is left.

        What holds a combination that harms is not looked at again.
        """
        base = checked[0]
        if base.verdict is Verdict.BROKEN:
            return (), 0
        titles = {each.reading.title for each in checked[1:] if each.verdict is base.verdict}
        sturdy = [each for each in UNCERTAIN if each.title in titles]
        todo = list(combinations_of(base.reading, sturdy, [each.reading for each in checked]))
        found: list[CheckedReading] = []
        while explore and todo and not self.budget.is_over:
            self.budget.share(len(todo))
            flags, reading = todo.pop(0)
            found.append(self.one(reading))
            if found[-1].verdict is not base.verdict:
                todo = [each for each in todo if not flags <= each[0]]
        return tuple(found), len(todo)

    def one(
        self, reading: Reading, *, without: Collection[str] = (), refused: bool = False
    ) -> CheckedReading:
        """One reading explored; a plan that is refused in it is so only if *refused*."""
        here = miniature_of(
            self.scenario, reading.variant, reached=reading.reached, said=self.wish.said_of
        )
        whole = _planned(here.facts(), self.wish, part=True)
        if whole.is_refused and not refused:
            of_all = _planned(facts_of_all(self.scenario, reading.variant), self.wish)
            refusals = tuple(f"{each.guard}: {each.detail}" for each in of_all.refusals)
            return CheckedReading(reading=reading, parts=(), refusals=refusals)
        parts = self._parts(here)
        plans = [_planned(_facts_of(here, part), self.wish, part=True) for part in parts]
        if any(_units(plan) != _units(whole) for plan in plans):
            # Who is together in a window is decided by the whole cluster: it is explored whole.
            names = tuple(kind.name for kind in here.kinds)
            parts, plans = (Part(here.layout, here.kinds, here.world, names),), [whole]
        return CheckedReading(
            reading=reading,
            parts=tuple(
                explored(
                    part,
                    here,
                    plan,
                    tables=tables_without(without) if without else STANDARD,
                    limits=Limits(faults=self.faults, mishaps=OURS),
                    budget=self.budget,
                    left=len(parts) - number,
                    costs=bool(without),
                )
                for number, (part, plan) in enumerate(zip(parts, plans, strict=True))
            ),
        )

    def _parts(self, here: Miniature) -> tuple[Part, ...]:
        """The parts of *here*; no phone stands for one of which something else is said by name."""
        same: dict[object, list[int]] = {}
        for index, kind in enumerate(here.kinds):
            same.setdefault(self.wish.said_of(kind.name), []).append(index)
        found: list[Part] = []
        for indexes in same.values() or [[]]:
            kinds = tuple(here.kinds[index] for index in indexes)
            phones = tuple(here.world.phones[index] for index in indexes)
            found.extend(parts_of(here.layout, kinds, here.world._replace(phones=phones)))
        return tuple(found)


def _planned(facts: ClusterFacts, wish: Wish, *, part: bool = False) -> Plan:
    """The production plan, with every task of other systems taken as done.

    In a part of the cluster nothing is said of phones that are not in it.
    """
    names = {phone.name for phone in facts.phones}
    spared = wish.policy.not_awaited
    not_awaited = {k: v for k, v in spared.items() if k in names or not part}
    waive = [name for name in wish.waive if name in names or not part]

    def plan(said: tuple[Said, ...]) -> Plan:
        return make_plan(
            facts,
            units=wish.units if not wish.windows else None,
            windows=wish.windows or None,
            policy=attrs.evolve(wish.policy, not_awaited=not_awaited),
            waive=waive,
            said=said,
        )

    first = plan(())
    said = tuple(Said(item=task.id, by="the check", why="taken as done") for task in first.tasks)
    return plan(said)


def _units(plan: Plan) -> list[tuple[str, ...]]:
    return [tuple(sorted(set(window.units))) for window in plan.windows]


def _facts_of(here: Miniature, part: Part) -> ClusterFacts:
    devices = [here.groups[kind.name].device for kind in part.kinds]
    return facts_of(part.layout, part.kinds, part.world, phones=devices)
