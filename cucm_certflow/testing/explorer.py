"""Explores every story that the production ``decide`` can live through on the lab's physics.

The state is the whole world and the whole run; the moves are what ``decide`` does, what mishaps
make of any command, time passing, and what phones, nodes and people do by themselves. Time is
folded into three ages (just now, settled, over budget), which is all that the tables ask about.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter
from typing import Final

import attrs

from cucm_certflow.commands import ResetPhones
from cucm_certflow.core.decide import STANDARD, Decision, Tables
from cucm_certflow.core.plan import Plan
from cucm_certflow.core.planner import make_plan
from cucm_certflow.core.run_state import RunState, Waived, apply
from cucm_certflow.core.states import CommandState
from cucm_certflow.lab.physics import actions
from cucm_certflow.lab.physics.judge import Health
from cucm_certflow.lab.physics.world import Layout, PhoneKind, World
from cucm_certflow.testing.decided import NOW, OLDEST, Key, entries_of, facts_of
from cucm_certflow.testing.mending import brought_into_step
from cucm_certflow.testing.moves import Moves
from cucm_certflow.testing.rules import RULES, Rule
from cucm_certflow.testing.stories import (
    Exploration,
    Limits,
    Mishap,
    Moment,
    Trouble,
    Violation,
)
from cucm_certflow.trust.lifeline import Health as LifelineHealth
from cucm_certflow.trust.phone import PhoneClass

__all__ = [
    "RULES",
    "Exploration",
    "Explorer",
    "Limits",
    "Mishap",
    "Moment",
    "Rule",
    "Trouble",
    "Violation",
    "entries_of",
    "no_sweeps",
]


_LOOK_AT_THE_CLOCK: Final = 256  # states between two looks
_MOST_KIND_MOVES: Final = 1000  # a run that does not end within so many in a kind world hangs


class Explorer(Moves):
    """Steps one plan on one physics. Deterministic; it keeps only caches.

    Args:
        layout: The cluster.
        kinds: The phones; those that differ in nothing but their names are explored as such.
        plan: What to run; a refused plan is run all the same, to see what would come of it.
        limits: How unkind the world may be.
        tables: The tables to decide by; mutants are given here.
        world: Where to start; the untouched cluster if not given.
        rules: What must hold in every state, beside the two invariants.
        symmetry: Whether states that differ only in which of several phones of one kind is which
            are one; it changes no verdict, and is turned off to show that.
    """

    def __init__(
        self,
        layout: Layout,
        kinds: tuple[PhoneKind, ...],
        plan: Plan,
        *,
        limits: Limits | None = None,
        tables: Tables = STANDARD,
        world: World | None = None,
        rules: tuple[Rule, ...] = RULES,
        symmetry: bool = True,
    ) -> None:
        super().__init__(layout, kinds, plan, limits=limits, tables=tables, world=world)
        self.rules = rules
        self._alike = _alike(kinds, plan) if symmetry else ()
        self._phone_numbers: dict[tuple[object, ...], int] = {}
        self._finishing: set[Key] = set()
        self._anew: dict[World, bool] = {}

    # ── what is wrong ─────────────────────────────────────────────────────────────────────

    def wrong_in(self, node: Moment) -> str | None:
        """What is wrong in *node*: a phone without the way back it is owed, or a broken rule.

        Where somebody else has regenerated a certificate, only what holds whatever others do.
        """
        if not node.outside:
            for index, kind in enumerate(self.kinds):
                if kind.name in node.run.waived:
                    continue
                verdict = self.health_of(node, index)
                if verdict is Health.OK:
                    continue
                phone = next(p for p, names in self.plan.classes.items() if kind.name in names)
                if verdict.severity > self._tolerated(node.run, phone):
                    return f"{kind.name} has no way back but: {verdict.value}"
        for rule in self.rules:
            if node.outside and not rule.whoever_acts:
                continue
            wrong = rule.broken(self, node)
            if wrong is not None:
                return wrong
        return None

    def _tolerated(self, run: RunState, phone: PhoneClass) -> int:
        """What the tables allow after the last step that was proved, and those under way."""
        steps = [step for step in self.plan.steps if run.steps[step.index].attempt]
        proved = [s for s in steps if run.steps[s.index].state is CommandState.PROVED]
        under_way = [s for s in steps if run.steps[s.index].state is not CommandState.PROVED]
        return max(
            (int(self.plan.tolerated(step, phone)[0]) for step in (*proved[-1:], *under_way)),
            default=int(LifelineHealth.OK),
        )

    # ── the search ────────────────────────────────────────────────────────────────────────

    def _key(self, node: Moment) -> Key:
        if not self._alike or node.run.waived:
            return super()._key(node)
        return super()._key(self._in_order(node))

    def _in_order(self, node: Moment) -> Moment:
        """*node* with phones of one kind put in the order of how they are."""
        place = list(range(len(self.kinds)))
        for group in self._alike:
            place_of = sorted(group, key=lambda index: self._phone_number(node, index))
            for index, whose in zip(group, place_of, strict=True):
                place[index] = whose
        if place == sorted(place):
            return node
        phones = tuple(node.world.phones[whose] for whose in place)

        def moved(indexes: frozenset[int]) -> frozenset[int]:
            return frozenset(index for index, whose in enumerate(place) if whose in indexes)

        return node._replace(
            world=node.world._replace(phones=phones),
            booting=moved(node.booting),
            loaded=moved(node.loaded),
            fresh=moved(node.fresh),
            away=moved(node.away),
        )

    def _phone_number(self, node: Moment, index: int) -> int:
        sets = (node.booting, node.loaded, node.fresh, node.away)
        state = (node.world.phones[index], *(index in each for each in sets))
        return self._phone_numbers.setdefault(state, len(self._phone_numbers))

    def explore(self, *, most: int = 1_000_000, within_s: float = math.inf) -> Exploration:
        """Every reachable state, breadth first; stops at the first violation, or when told to.

        Args:
            most: States after which no more are followed.
            within_s: Seconds of this machine after which no more are followed.

        Returns:
            What was found. ``complete`` says whether every reachable state was followed: where it
            was not, nothing is claimed of the rest.
        """
        began = perf_counter()
        start = self.start()
        numbers = {self._key(start): 0}
        nodes = [start]
        came: list[tuple[int, str]] = [(-1, "")]
        into: list[list[int]] = [[]]
        finished: list[int] = []
        held: list[int] = []
        edges = at = 0
        wrong: str | None = None
        while at < len(nodes) and len(nodes) <= most:
            if at % _LOOK_AT_THE_CLOCK == 0 and perf_counter() - began > within_s:
                break
            node = nodes[at]
            wrong = self.wrong_in(node)
            if wrong is not None:
                break
            decision = self.decision(node)
            if decision.finished:
                finished.append(at)
                at += 1
                continue
            if self._is_held(node, decision):
                held.append(at)
            for words, after in self.moves(node):
                edges += 1
                key = self._key(after)
                number = numbers.get(key)
                if number is None:
                    number = numbers[key] = len(nodes)
                    nodes.append(after)
                    came.append((at, words))
                    into.append([])
                into[number].append(at)
            at += 1
        # How a story could go on that has led to a violation is not asked.
        ends = [] if wrong is not None else held
        complete = at == len(nodes)
        return Exploration(
            states=len(nodes),
            edges=edges,
            finished=len(finished),
            held=len(held),
            violation=None if wrong is None else Violation(wrong, _story(came, at)),
            stuck=len(nodes) - _reaching([*finished, *held], into) if complete else 0,
            held_for_good=sum(not self._finishes(nodes[each]) for each in ends),
            held_after_waiver=sum(not self._finishes_after_waiver(nodes[each]) for each in ends),
            unexplored=len(nodes) - at,
            seconds=perf_counter() - began,
        )

    def _is_held(self, node: Moment, decision: Decision) -> bool:
        """Whether only a person, a phone or a node can make the run go on.

        What is waited for beyond every budget counts: there the runner stands still, and says so.
        """
        waits = decision.wake_at is not None and node.age < OLDEST
        return decision.record is None and node.pending is None and not waits

    # ── how it ends in a kind world ───────────────────────────────────────────────────────

    def _finishes(self, node: Moment) -> bool:
        """Whether the run ends once every phone is on, comes home, and nothing else goes wrong.

        Where somebody else has changed something, people approve it or plan anew.
        """
        way: list[Key] = []
        for _ in range(_MOST_KIND_MOVES):
            way.append(self._key(node))
            decision = self.decision(node)
            if decision.finished or way[-1] in self._finishing:
                self._finishing.update(way)
                return True
            after = self._kindly(node, decision)
            if after is node:
                break
            node = after
        return bool(node.outside) and self._finishes_anew(node)

    def _finishes_anew(self, node: Moment) -> bool:
        """Whether another plan comes to its end, once people have put right what others did.

        What others made of the work of this run cannot be undone: the cluster is brought into step
        with what is there now, and that is planned from.
        """
        if node.world not in self._anew:
            self._anew[node.world] = self._planned_anew(node.world)
        return self._anew[node.world]

    def _planned_anew(self, world: World) -> bool:
        mended = brought_into_step(self.layout, self.kinds, world, self._memo)
        if mended is None:
            return False
        plan = make_plan(
            facts_of(self.layout, self.kinds, mended),
            units={key.unit for key in self.plan.certificates},
            policy=self.plan.policy,
            said=self.plan.said,
            procedures=self.plan.procedures.values(),
        )
        limits = attrs.evolve(self.limits, faults=0, mishaps=frozenset())
        again = Explorer(self.layout, self.kinds, plan, limits=limits, world=mended)
        return not plan.is_refused and again._finishes(again.start())

    def _kindly(self, node: Moment, decision: Decision) -> Moment:
        for index, phone in enumerate(node.world.phones):
            if not phone.on:
                on = actions.power(self.layout, self.kinds, node.world, index, on=True)
                fresh = node.fresh | {index}
                return node._replace(world=on, fresh=fresh, booting=node.booting - {index})
            if index in node.loaded:
                return self._registered(node, index)
            if index in node.booting or not phone.registered:
                came = self._registered(self._booted(node, index, self.kinds[index].tftp[0]), index)
                # One that cannot register yet stays away, until the run has gone on.
                if index in node.booting or came.world.phones[index].registered:
                    return came
        if node.pending is not None:
            return self._performed(node._replace(pending=None), node.pending, watched=False)
        for _, after in (*self._moves_around(node), *self._people_moves(node)):
            return after
        if decision.record is not None:
            return next(after for _, after in self._decided(node, decision))
        if node.age < OLDEST:
            return node._replace(age=node.age + 1)
        # Registered since before the reset: at a barrier, somebody resets it.
        stale = [i for i in range(len(self.kinds)) if i not in node.fresh]
        return self._booted(node, stale[0], self.kinds[stale[0]].tftp[0]) if stale else node

    def _finishes_after_waiver(self, node: Moment) -> bool:
        decision = self.decision(node)
        missing = frozenset(name for blocked in decision.blocked for name in blocked.phones)
        if not missing:
            return True  # it waits for no phone
        waived = Waived(names=missing, at=NOW)
        return self._finishes(node._replace(run=apply(self.plan, node.run, waived)))


@contextmanager
def no_sweeps() -> Iterator[None]:
    """Without the collector of cycles: a search makes none, and it would go over all its states."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _alike(kinds: Sequence[PhoneKind], plan: Plan) -> tuple[tuple[int, ...], ...]:
    """The phones that differ in their names alone, and that every step treats alike; by place."""
    resets = [s.command.names for s in plan.steps if isinstance(s.command, ResetPhones)]
    groups: dict[tuple[object, ...], list[int]] = {}
    for index, kind in enumerate(kinds):
        called = tuple(kind.name in names for names in resets)
        spared = (kind.name in plan.waived, plan.not_awaited.get(kind.name))
        groups.setdefault((kind._replace(name=""), called, spared), []).append(index)
    return tuple(tuple(group) for group in groups.values() if len(group) > 1)


def _story(came: Sequence[tuple[int, str]], last: int) -> tuple[str, ...]:
    words: list[str] = []
    while last > 0:
        last, word = came[last]
        words.append(word)
    return tuple(reversed(words))


def _reaching(ends: Iterable[int], into: Sequence[Sequence[int]]) -> int:
    """From how many states one of *ends* can be reached."""
    todo = list(ends)
    reached = set(todo)
    while todo:
        for before in into[todo.pop()]:
            if before not in reached:
                reached.add(before)
                todo.append(before)
    return len(reached)
