"""``make sweep``: all crashes, all faults, 200 seeds, 30 kills and every Python, in numbers.

``python -m tests.sweeps.sweep`` runs everything; names of parts (``crashes``, ``faults``, ``soak``,
``kills``) run those, and ``all-faults``, which takes hours, strikes every look in every step.
``--seed N`` draws other moments, ``--sample N`` tells N cases of a part.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from tests.sweeps.crashes import CrashCase, boundaries, crash_cases, sampled, told_of
from tests.sweeps.faults import fault_cases, fault_kinds, faulted, sampled_faults
from tests.sweeps.kills import SPEED, kill_all, kills
from tests.sweeps.pythons import lines_by, others
from tests.sweeps.soak import soaked
from tests.sweeps.tally import Tally, all_of, processors

SEED: Final = 5
SEEDS: Final = range(1, 201)
BY_OTHERS: Final = range(1, 41)
KILLS: Final = 30
AT_ONCE: Final = 3


def _crashes(seed: int, sample: int | None) -> list[str]:
    cases = list(crash_cases(seed))
    print(f"{boundaries()} boundaries; {len(cases)} deaths leave something else than the others")
    tally = all_of(_of(cases, sample, seed), told_of, workers=processors())
    print(tally)
    stories = tally.stories
    torn = sum(one.torn for one in stories)
    print(f"  {torn} journals were left with a line without its end")
    print(f"  {sum(one.sent_again for one in stories)} commands were sent again, no regeneration")
    print(_worst(tally))
    return tally.wrong() + [f"{one.case}: it did not die" for one in stories if not one.died]


def _of(cases: Sequence[CrashCase], sample: int | None, seed: int) -> Sequence[CrashCase]:
    return cases if sample is None else sampled(cases, sample, seed)


def _worst(tally: Tally) -> str:
    twice, lost = _count(tally, " was made anew "), _count(tally, "lost: ")
    return f"  {twice} double regenerations, {lost} phones lost"


def _count(tally: Tally, word: str) -> int:
    return sum(word in text for one in tally.stories for text in one.wrong)


def _faults(seed: int, sample: int | None, *, whole: bool = False) -> list[str]:
    cases = fault_cases(seed, whole=whole)
    every = len(cases) if whole else len(fault_cases(seed, whole=True))
    kinds = len(fault_kinds(cases))
    print(f"{every} cases of {kinds} kinds; {len(cases)} of them with each kind of look once")
    chosen = cases if sample is None else sampled_faults(cases, sample, seed)
    tally = all_of(chosen, faulted, workers=processors())
    print(tally)
    print(_worst(tally))
    return tally.wrong()


def _soak(seed: int, sample: int | None) -> list[str]:
    del seed  # a seed is a story here
    seeds = SEEDS[: sample or len(SEEDS)]
    print(f"seeds {seeds.start} to {seeds.stop - 1}")
    tally = all_of(seeds, soaked, workers=processors())
    print(tally)
    lines = {
        f"{number} {one.end} {one.digest}" for number, one in zip(seeds, tally.stories, strict=True)
    }
    wrong = tally.wrong()
    few = BY_OTHERS[: len(seeds)]
    wrong += _same(f"{sys.version_info[0]}.{sys.version_info[1]}", sys.executable, few, lines)
    for python in others(build=True):
        if python.why:
            print(f"  Python {python.version} was not asked: {python.why}")
        else:
            wrong += _same(python.version, python.call, few, lines)
    return wrong


def _same(version: str, call: str, seeds: range, lines: set[str]) -> list[str]:
    other = [line for line in lines_by(call, seeds.start, seeds.stop - 1) if line not in lines]
    same = len(seeds) - len(other)
    print(f"  Python {version}, another process: {same} of {len(seeds)} journals are the same")
    return [f"Python {version} tells another story: {line}" for line in other]


def _kills(seed: int, sample: int | None) -> list[str]:
    chosen = kills(sample or KILLS, seed)
    print(f"seed {seed}, {len(chosen)} kills at {SPEED:.0f} times the speed of life")
    with tempfile.TemporaryDirectory(prefix="certflow-kills-") as folder:
        told = asyncio.run(kill_all(chosen, Path(folder), at_once=AT_ONCE))
    for one in told:
        print(f"  {one}")
    return [f"{one.kill}: {text}" for one in told for text in one.wrong]


PARTS: Final[Mapping[str, Callable[[int, int | None], list[str]]]] = {
    "crashes": _crashes,
    "faults": _faults,
    "all-faults": partial(_faults, whole=True),
    "soak": _soak,
    "kills": _kills,
}


DEFAULT: Final = ("crashes", "faults", "soak", "kills")


def main() -> int:
    """Run the parts that were asked for; 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help=", ".join(PARTS))
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--sample", type=int)
    given = parser.parse_args()
    wrong: list[str] = []
    for name in given.parts or DEFAULT:
        began = time.monotonic()
        print(f"── {name}, seed {given.seed}", flush=True)
        found = PARTS[name](given.seed, given.sample)
        print(f"  {time.monotonic() - began:.0f} s, {len(found)} wrong\n", flush=True)
        wrong += [f"{name}: {text}" for text in found]
    for text in wrong:
        print(text)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
