"""Explores a plan under every variant of what is uncertain, within a budget."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter
from typing import Final

import attrs

from cucm_certflow.core.decide import STANDARD, Tables
from cucm_certflow.core.plan import Plan
from cucm_certflow.core.planner import make_plan
from cucm_certflow.facts import ClusterFacts
from cucm_certflow.findings import Said
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.testing.check.checked import (
    CheckedPart,
    CheckedPlan,
    CheckedReading,
    Verdict,
)
from cucm_certflow.testing.check.miniature import Group, Miniature, miniature_of
from cucm_certflow.testing.check.telling import told
from cucm_certflow.testing.check.uncertain import Reading, readings_for
from cucm_certflow.testing.check.wish import Wish, contradictions_in
from cucm_certflow.testing.decided import facts_of
from cucm_certflow.testing.explorer import RULES, Exploration, Explorer, Limits, Mishap, Rule
from cucm_certflow.testing.parts import Part, parts_of
from cucm_certflow.testing.without import tables_without

__all__ = ["OURS", "check_plan"]

OURS: Final = frozenset(Mishap) - {Mishap.OUTSIDE}
"""What goes wrong with our own commands: crashes, replies, refusals, restarts that fail."""

_NOTES: Final = (
    "faults and events that the scenario has",
    "maintenance windows, and the orders of people but for approvals",
    "other systems: their tasks are taken as done",
)


def check_plan(
    scenario: Scenario,
    wish: Wish,
    *,
    faults: int = 1,
    most: int = 1_000_000,
    within_s: float = 120.0,
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

    Raises:
        UsageError: The wish asks for what the cluster does not have, or for nothing.
    """
    apart = {*wish.waive, *wish.policy.not_awaited}
    whole = miniature_of(scenario, apart=apart)
    plan = _planned(whole.facts(), wish, whole)
    readings, left_out = readings_for(plan)
    if plan.is_refused or wish.without:
        readings, left_out = readings[:1], ()  # what is wrong already is not asked twice
    budget = _Budget(most, within_s)
    tables = tables_without(wish.without) if wish.without else STANDARD
    checked: list[CheckedReading] = []
    for number, reading in enumerate(readings if plan.steps else ()):
        budget.share(len(readings) - number)
        if budget.is_over:
            break
        here = miniature_of(scenario, reading.variant, reached=reading.reached, apart=apart)
        checked.append(_checked(here, reading, wish, tables, budget, faults))
    return CheckedPlan(
        plan=plan,
        readings=tuple(checked),
        left_out=tuple((each.title, why) for each, why in left_out),
        not_begun=tuple(each.name for each in readings[len(checked) :]) if plan.steps else (),
        contradictions=tuple(contradictions_in(wish, plan.facts)),
        without=wish.without,
        notes=_NOTES,
        faults=faults,
    )


class _Budget:
    """States and seconds for all explorations, given out in equal shares of what is left."""

    def __init__(self, states: int, seconds: float) -> None:
        self.states = states
        self.ends = perf_counter() + seconds
        self._shares = 1

    @property
    def is_over(self) -> bool:
        return self.states <= 0 or perf_counter() >= self.ends

    def share(self, among: int) -> None:
        self._shares = max(1, among)

    def spend(self, explorer: Explorer, parts: int) -> Exploration:
        shares = self._shares * max(1, parts)
        within_s = max(0.0, self.ends - perf_counter()) / shares
        found = explorer.explore(most=max(1, self.states // shares), within_s=within_s)
        self.states -= found.states
        return found


def _planned(facts: ClusterFacts, wish: Wish, here: Miniature) -> Plan:
    """The production plan, with every task of other systems taken as done."""
    names = {phone.name for phone in facts.phones}
    not_awaited = {k: v for k, v in wish.policy.not_awaited.items() if k in names}
    unknown = (set(wish.waive) | set(wish.policy.not_awaited)) - {
        name for group in here.groups.values() for name in group.names
    }
    # A name that no phone of the whole cluster has is refused by the planner; one of another part
    # is no matter here.
    waive = [name for name in wish.waive if name in names or name in unknown]

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


def _checked(
    here: Miniature,
    reading: Reading,
    wish: Wish,
    tables: Tables,
    budget: _Budget,
    faults: int,
) -> CheckedReading:
    whole = _planned(here.facts(), wish, here)
    parts = parts_of(here.layout, here.kinds, here.world)
    plans = [_planned(_facts_of(here, part), wish, here) for part in parts]
    if any(_units(plan) != _units(whole) for plan in plans):
        # Who is together in a window is decided by the whole cluster: then it is explored whole.
        names = tuple(kind.name for kind in here.kinds)
        parts, plans = (Part(here.layout, here.kinds, here.world, names),), [whole]
    found: list[CheckedPart] = []
    with _no_sweeps():
        for number, (part, plan) in enumerate(zip(parts, plans, strict=True)):
            left = len(parts) - number
            limits = Limits(faults=faults, mishaps=OURS)
            explored = budget.spend(_explorer(part, plan, limits, tables), left)
            if wish.without and explored.violation is not None:
                # The rule that is broken first is not yet what it costs: that is looked for too.
                costs = budget.spend(_explorer(part, plan, limits, tables, rules=()), left)
                explored = costs if costs.violation is not None else explored
            stays = _is_lost_by_moving(explored)
            if stays:
                # It would be lost without us too: the plan is judged by phones that stay at home.
                limits = attrs.evolve(limits, phones_move=False)
                explored = budget.spend(_explorer(part, plan, limits, tables), left)
            found.append(_part_of(part, here, explored, stays=stays))
    return CheckedReading(
        reading=reading,
        parts=tuple(found),
        refusals=tuple(f"{each.guard}: {each.detail}" for each in whole.refusals),
    )


def _explorer(
    part: Part, plan: Plan, limits: Limits, tables: Tables, rules: tuple[Rule, ...] = RULES
) -> Explorer:
    return Explorer(
        part.layout,
        part.kinds,
        plan,
        limits=limits,
        tables=tables,
        world=part.world,
        rules=rules,
    )


def _is_lost_by_moving(found: Exploration) -> bool:
    """Whether a phone is lost before anything was sent: by going to another TFTP node."""
    return found.violation is not None and not any(
        " is intended " in m for m in found.violation.story
    )


def _units(plan: Plan) -> list[tuple[str, ...]]:
    return [tuple(sorted(set(window.units))) for window in plan.windows]


def _facts_of(here: Miniature, part: Part) -> ClusterFacts:
    devices = [here.groups[kind.name].device for kind in part.kinds]
    return facts_of(part.layout, part.kinds, part.world, phones=devices)


def _part_of(part: Part, here: Miniature, found: Exploration, *, stays: bool) -> CheckedPart:
    groups = _groups(part, here)
    names = {name: group.one for name, group in groups.items()}
    verdict, what = Verdict.HOLDS, ""
    if found.violation is not None:
        verdict, what = Verdict.BROKEN, found.violation.what
    elif not found.complete:
        verdict = Verdict.NOT_COVERED
    elif found.stuck or (found.held_for_good and found.held_after_waiver):
        verdict, what = Verdict.ENDLESS, "the run neither ends nor can be ended"
    elif found.held_for_good:
        verdict, what = Verdict.WAITS, "phones do not come back: the run holds for them"
    for name, words in names.items():
        what = what.replace(name, words)
    return CheckedPart(
        phones=" and ".join(map(str, groups.values())) or "nodes alone, without phones",
        stays=stays,
        states=found.states,
        edges=found.edges,
        seconds=found.seconds,
        unexplored=found.unexplored,
        verdict=verdict,
        what=what,
        story=() if found.violation is None else told(found.violation.story, names),
    )


def _groups(part: Part, here: Miniature) -> Mapping[str, Group]:
    """The phones of *part*, all those included that they stand for."""
    if len(part.kinds) != 1:
        return {kind.name: here.groups[kind.name] for kind in part.kinds}
    (kind,) = part.kinds
    every = [name for like in part.stands_for for name in here.groups[like].names]
    return {kind.name: here.groups[kind.name]._replace(names=tuple(every))}


@contextmanager
def _no_sweeps() -> Iterator[None]:
    """Without the collector of cycles: an exploration makes none, and it would go over them all."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
