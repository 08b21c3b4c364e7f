"""One part of a cluster is explored here, and asked further where something is wrong in it."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import NamedTuple

import attrs

from cucm_certflow.core.decide import STANDARD, Tables
from cucm_certflow.core.plan import Plan
from cucm_certflow.core.run_state import RunState
from cucm_certflow.core.states import CommandState
from cucm_certflow.holding import for_a_person
from cucm_certflow.testing.check.checked import CheckedPart, Verdict
from cucm_certflow.testing.check.miniature import Group, Miniature
from cucm_certflow.testing.check.telling import and_then, told
from cucm_certflow.testing.explorer import RULES, Exploration, Explorer, Limits, Moment, Rule
from cucm_certflow.testing.parts import Part

__all__ = ["Budget", "explored"]


class Budget:
    """States and seconds for all explorations, given out in equal shares of what is left."""

    def __init__(self, states: int, seconds: float) -> None:
        self.states = states
        self.ends = perf_counter() + seconds
        self._shares = 1

    @property
    def is_over(self) -> bool:
        """Whether nothing more may be begun."""
        return self.states <= 0 or perf_counter() >= self.ends

    def share(self, among: int) -> None:
        """From here on what is left is for so many variants."""
        self._shares = max(1, among)

    def spend(self, explorer: Explorer, parts: int) -> Exploration:
        """Explore with the share of one of *parts* of this variant."""
        shares = self._shares * max(1, parts)
        within_s = max(0.0, self.ends - perf_counter()) / shares
        found = explorer.explore(most=max(1, self.states // shares), within_s=within_s)
        self.states -= found.states
        return found


class _Watched(Explorer):
    """An explorer that remembers how far along the plan it has come."""

    proved = 0
    """The most steps that were proved in one state that was followed."""

    def wrong_in(self, node: Moment) -> str | None:
        self.proved = max(self.proved, self._count(node.run))
        if self.tables is not STANDARD:
            # What comes after a guard may rely on it. With all guards an error is one of ours.
            try:
                self.decision(node)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is what would happen
                return f"the run breaks off with an error: {error}"
        return super().wrong_in(node)

    def _finishes(self, node: Moment) -> bool:
        try:
            return super()._finishes(node)
        except Exception:  # without a guard: a run that breaks off does not come to its end
            if self.tables is STANDARD:
                raise
            return False

    def _count(self, run: RunState) -> int:
        counts = self.__dict__.setdefault("_counts", {})
        number = self._number_of(run)
        if number not in counts:
            counts[number] = sum(step.state is CommandState.PROVED for step in run.steps)
        found: int = counts[number]
        return found


class _Standing(_Watched):
    """It looks for the first state in which the run stands, and no kindness makes it end."""

    for_good = True
    """Not even waiving the phones that are missing."""

    def wrong_in(self, node: Moment) -> str | None:
        wrong = super().wrong_in(node)
        decision = self.decision(node)
        if wrong is not None or decision.finished or not self._is_held(node, decision):
            return wrong
        if self._finishes(node) or (self.for_good and self._finishes_after_waiver(node)):
            return None
        return f"the run holds, and however kind the world is, it does not end: {self._why(node)}"

    def _why(self, node: Moment) -> str:
        """What stands in the way once phones have come, as the runner would say it to people."""
        seen: set[object] = set()
        while (key := self._key(node)) not in seen:
            seen.add(key)
            node = self._kindly(node, self.decision(node))
        why = for_a_person(self.decision(node).blocked)
        if not why:
            return "nothing is left to be done"
        evidence = f" ({why[-1].evidence[0]})" if why[-1].evidence else ""
        return f"{why[-1].detail}{evidence}"


class _Setting(NamedTuple):
    """All that explorations of one part have in common."""

    part: Part
    plan: Plan
    tables: Tables

    def explorer(
        self, limits: Limits, kind: type[_Watched] = _Watched, rules: tuple[Rule, ...] = RULES
    ) -> _Watched:
        return kind(
            self.part.layout,
            self.part.kinds,
            self.plan,
            limits=limits,
            tables=self.tables,
            world=self.part.world,
            rules=rules,
        )


def explored(
    part: Part,
    here: Miniature,
    plan: Plan,
    *,
    tables: Tables,
    limits: Limits,
    budget: Budget,
    left: int,
    costs: bool,
) -> CheckedPart:
    """Explore *part*, and find the shortest story to whatever is wrong in it.

    Args:
        part: Of the cluster.
        here: The cluster.
        plan: For the part.
        tables: What is decided by.
        limits: How unkind the world may be.
        budget: What all explorations share.
        left: How many parts of this variant are still to be explored, this one included.
        costs: Whether a rule that is broken is followed on to the phone that it costs.
    """
    setting = _Setting(part, plan, tables)
    explorer = setting.explorer(limits)
    found = budget.spend(explorer, left)
    if costs and found.violation is not None:
        # The rule that is broken first is not yet what it costs: that is looked for too.
        other = setting.explorer(limits, rules=())
        cost = budget.spend(other, left)
        if cost.violation is not None:
            explorer, found = other, cost
    stays = _is_lost_by_moving(found)
    if stays:
        # It would be lost without us too: the plan is judged by phones that stay at home.
        limits = attrs.evolve(limits, phones_move=False)
        explorer = setting.explorer(limits)
        found = budget.spend(explorer, left)
    verdict, teller, tale = _judged(setting, limits, explorer, found, budget, left)
    groups = _groups(part, here)
    names = {name: group.one for name, group in groups.items()}
    violation = tale.violation
    unsaid = {Verdict.ENDLESS: "the run neither ends nor can be ended"}
    return CheckedPart(
        phones=" and ".join(map(str, groups.values())) or "nodes alone, without phones",
        nodes=tuple(node.name for node in part.layout.nodes),
        stays=stays,
        states=found.states,
        edges=found.edges,
        seconds=found.seconds,
        unexplored=found.unexplored,
        proved=explorer.proved,
        steps=len(plan.steps),
        verdict=verdict,
        what=unsaid.get(verdict, "") if violation is None else and_then(violation.what, names),
        story=() if violation is None else told(teller, violation, names),
    )


def _judged(
    setting: _Setting,
    limits: Limits,
    explorer: Explorer,
    found: Exploration,
    budget: Budget,
    left: int,
) -> tuple[Verdict, Explorer, Exploration]:
    """What came of it, and the exploration that has the story to it."""
    if found.violation is not None:
        verdict = Verdict.BROKEN if found.violation.story else Verdict.LOST_BEFORE
        return verdict, explorer, found
    if found.held_for_good:
        for for_good in (True, False) if found.held_after_waiver else (False,):
            standing = setting.explorer(limits, _Standing)
            assert isinstance(standing, _Standing)
            standing.for_good = for_good
            tale = budget.spend(standing, left)
            if tale.violation is not None:
                return (Verdict.ENDLESS if for_good else Verdict.WAITS), standing, tale
    if found.stuck:
        return Verdict.ENDLESS, explorer, found
    if not found.complete:
        return Verdict.NOT_COVERED, explorer, found
    if found.held_for_good:  # the budget was over before its story was found
        verdict = Verdict.ENDLESS if found.held_after_waiver else Verdict.WAITS
        return verdict, explorer, found
    return Verdict.HOLDS, explorer, found


def _is_lost_by_moving(found: Exploration) -> bool:
    """Whether a phone is lost before anything was sent: by going to another TFTP node."""
    if found.violation is None:
        return False
    story = found.violation.story
    return any(" at " in move for move in story) and not any(" is intended " in m for m in story)


def _groups(part: Part, here: Miniature) -> Mapping[str, Group]:
    """The phones of *part*, all those included that they stand for."""
    if len(part.kinds) != 1:
        return {kind.name: here.groups[kind.name] for kind in part.kinds}
    (kind,) = part.kinds
    every = [name for like in part.stands_for for name in here.groups[like].names]
    return {kind.name: here.groups[kind.name]._replace(names=tuple(every))}
