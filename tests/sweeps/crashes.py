"""The crash sweep: a process that dies at every boundary, and leaves a clean or a torn journal."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from tests.sweeps.story import SUBJECTS, Crash, Told, subject, tell
from tests.sweeps.tally import Heard, heard
from tests.sweeps.world import Boundary

__all__ = ["CrashCase", "boundaries", "crash_cases", "sampled", "told_of", "undisturbed"]

_AWAY_S: Final = (0.5, 5.0, 60.0, 900.0)
"""How long nobody is there after a crash; chance draws."""

_TWICE: Final = 0.3
_SOON: Final = 500
"""How often the process that goes on dies as well, and at which of its boundaries at the latest."""

_ALWAYS: Final = (Boundary.BEFORE_COMMAND, Boundary.UNDER_WAY, Boundary.AFTER_REPLY)
"""What is never left out, though the boundary before it may leave the same."""

_WHILE_WRITING: Final = (Boundary.BEFORE_WRITE, Boundary.IN_WRITE, Boundary.BEFORE_SYNC)
"""Where the torn journal is that of a death in the middle of that line, which is always told."""


class CrashCase(NamedTuple):
    """One death: of which process of which story, at which of its boundaries, and how."""

    scenario: str
    process: int
    boundary: int
    kind: Boundary
    torn: bool
    seed: int

    def __str__(self) -> str:
        how = "torn" if self.torn else "clean"
        where = f"process {self.process} boundary {self.boundary}"
        return f"{self.scenario} {where} ({self.kind.value}), {how}, seed {self.seed}"

    @property
    def stratum(self) -> tuple[Boundary, bool]:
        """What of it must be in a fair sample."""
        return (self.kind, self.torn)


@cache
def undisturbed(scenario: str) -> Told:
    """The story without a crash."""
    with tempfile.TemporaryDirectory(prefix="certflow-sweep-") as folder:
        return tell(subject(scenario), Path(folder))


def crash_cases(seed: int) -> Iterator[CrashCase]:
    """Every death that leaves something else than the ones before it, clean and torn.

    Moments between which nothing was written, taken or waited for leave the same: a process that
    reads eight files at once comes to sixteen boundaries, and dies at one of them. A torn journal
    is left once of those that differ in nothing but how long the process had waited.
    """
    for each in SUBJECTS:
        name = each.scenario.name
        for number, moments in enumerate(undisturbed(name).lives):
            clean: set[tuple[int, ...]] = set()
            torn: set[tuple[int, ...]] = set()
            for boundary, moment in enumerate(moments):
                kind = moment.boundary
                if kind is Boundary.IN_WRITE:
                    yield CrashCase(name, number, boundary, kind, True, seed)
                elif moment.left not in clean or kind in _ALWAYS:
                    yield CrashCase(name, number, boundary, kind, False, seed)
                clean.add(moment.left)
                if kind not in _WHILE_WRITING and (moment.left[1:] not in torn or kind in _ALWAYS):
                    yield CrashCase(name, number, boundary, kind, True, seed)
                    torn.add(moment.left[1:])


def boundaries() -> int:
    """All boundaries of the undisturbed stories."""
    lives = (undisturbed(each.scenario.name).lives for each in SUBJECTS)
    return sum(len(moments) for each in lives for moments in each)


def sampled(cases: Sequence[CrashCase], count: int, seed: int) -> list[CrashCase]:
    """*count* of *cases*: of every kind of boundary, torn or not, one at least; then any."""
    chance = random.Random(seed)
    strata: dict[tuple[Boundary, bool], list[CrashCase]] = {}
    for case in cases:
        strata.setdefault(case.stratum, []).append(case)
    chosen = [chance.choice(strata[key]) for key in strata]
    taken = frozenset(chosen)
    rest = [case for case in cases if case not in taken]
    chosen += chance.sample(rest, max(0, min(len(rest), count - len(chosen))))
    return chosen


def told_of(case: CrashCase) -> Heard:
    """The story of *case*."""
    chance = random.Random(f"{case.seed} {case.scenario} {case.process} {case.boundary}")
    crash = Crash(
        process=case.process,
        boundary=case.boundary,
        torn=undisturbed(case.scenario).journal if case.torn else None,
        away_s=chance.choice(_AWAY_S),
        then=chance.randrange(_SOON) if chance.random() < _TWICE else None,
    )

    def told(folder: Path) -> Told:
        return tell(subject(case.scenario), folder, crash=crash, seed=chance.randrange(2**32))

    return heard(str(case), f"{case.kind.value}{', torn' if case.torn else ''}", told)
