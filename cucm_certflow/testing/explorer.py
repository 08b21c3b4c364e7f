"""Explores every story that the production ``decide`` can live through on the lab's physics.

The state is the whole world and the whole run; the moves are what ``decide`` does, a crash or a
lost or late reply at any command, time passing, and phones that are switched off and on, come
unasked, or come to another TFTP node. Databases may lag, phones fail over and fall back, nodes put
deleted certificates back. Time is folded into three ages (just now, settled, over budget), which
is all that the tables ask about.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from time import perf_counter
from typing import Final

from cucm_certflow.core.decide import Decision
from cucm_certflow.core.run_state import (
    RunState,
    Waived,
    apply,
)
from cucm_certflow.core.states import CommandState
from cucm_certflow.lab.physics import actions
from cucm_certflow.lab.physics.judge import Health, health
from cucm_certflow.testing.decided import NOW, OLDEST, Key, entries_of
from cucm_certflow.testing.moves import Moves
from cucm_certflow.testing.stories import Exploration, Limits, Moment, Trouble, Violation
from cucm_certflow.trust.lifeline import Health as LifelineHealth
from cucm_certflow.trust.phone import PhoneClass

__all__ = ["Exploration", "Explorer", "Limits", "Moment", "Trouble", "Violation", "entries_of"]

_ONCE: Final = 2  # the generation after one regeneration
_LOOK_AT_THE_CLOCK: Final = 256  # states between two looks
_MOST_KIND_MOVES: Final = 1000  # a run that does not end within so many in a kind world hangs


class Explorer(Moves):
    """Steps one plan on one physics. Deterministic; it keeps only caches.

    Args:
        layout: The cluster.
        kinds: The phones.
        plan: What to run; a refused plan is run all the same, to see what would come of it.
        limits: How unkind the world may be.
        tables: The tables to decide by; mutants are given here.
        world: Where to start; the untouched cluster if not given.
    """

    # ── the search ────────────────────────────────────────────────────────────────────────

    def wrong_in(self, node: Moment) -> str | None:
        """What is wrong in *node*: a phone without the way back it is owed, or a second key."""
        twice = next((cert for cert in node.world.gen if cert.generation > _ONCE), None)
        if twice is not None:
            return f"{twice.unit} on {twice.node} was regenerated twice"
        for index, kind in enumerate(self.kinds):
            if kind.name in node.run.waived:
                continue
            verdict = health(self.layout, self.kinds, node.world, index, self._memo)
            if verdict is Health.OK:
                continue
            phone = next(p for p, names in self.plan.classes.items() if kind.name in names)
            if verdict.severity > self._tolerated(node.run, phone):
                return f"{kind.name} has no way back but: {verdict.value}"
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
            if decision.record is None and decision.wake_at is None and node.pending is None:
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
        complete = wrong is None and at == len(nodes)
        return Exploration(
            states=len(nodes),
            edges=edges,
            finished=len(finished),
            held=len(held),
            violation=None if wrong is None else Violation(wrong, _story(came, at)),
            stuck=len(nodes) - _reaching([*finished, *held], into) if complete else 0,
            held_for_good=sum(not self._finishes(nodes[each]) for each in held),
            held_after_waiver=sum(not self._finishes_after_waiver(nodes[each]) for each in held),
            unexplored=len(nodes) - at,
            seconds=perf_counter() - began,
        )

    def _finishes(self, node: Moment) -> bool:
        """Whether the run ends once every phone is on, comes home, and nothing else goes wrong."""
        way: list[Key] = []
        for _ in range(_MOST_KIND_MOVES):
            way.append(self._key(node))
            decision = self.decision(node)
            if decision.finished or way[-1] in self._finishing:
                self._finishing.update(way)
                return True
            node = self._kindly(node, decision)
        return False

    def _kindly(self, node: Moment, decision: Decision) -> Moment:
        for index, phone in enumerate(node.world.phones):
            if not phone.on:
                on = actions.power(self.layout, self.kinds, node.world, index, on=True)
                fresh = node.fresh | {index}
                return node._replace(world=on, fresh=fresh, booting=node.booting - {index})
            if index in node.loaded:
                return self._registered(node, index)
            if index in node.booting or not phone.registered:
                return self._booted(node, index, self.kinds[index].tftp[0])
        if node.pending is not None:
            return self._performed(node._replace(pending=None), node.pending, watched=False)
        for _, after in self._moves_around(node):
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
            return False
        waived = Waived(names=missing, at=NOW)
        return self._finishes(node._replace(run=apply(self.plan, node.run, waived)))


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
