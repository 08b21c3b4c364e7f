"""Runs all mutants, and all pairs of those that survive: ``python -m tests.proof.every_mutant``.

Prints how many there are, how many are killed and redundant, and the seconds; fails if a mutant is
neither. ``--write`` chooses for each the configuration in which it is missed, and writes
``killed.txt``, from which ``docs/mutants.py`` makes its page.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from itertools import combinations
from pathlib import Path
from time import perf_counter
from typing import Final, NamedTuple

from tests.proof.killing import (
    CONFIGURATIONS,
    HOW_IT_ENDS,
    WITHOUT_END,
    concerned,
    missed,
    refusal,
    seen,
)
from tests.proof.mutations import MUTANTS
from tests.proof.redundant import REDUNDANT

__all__ = ["KILLED", "PAIRS", "Killed", "main"]

_FILE: Final = Path(__file__).with_name("killed.txt")
_HEAD: Final = (
    "# Where each mutant, and each pair of survivors, is missed, and what is seen there.",
    "# Made by `python -m tests.proof.every_mutant --write`; what moves is looked at.",
)
_AND: Final = " + "


class Killed(NamedTuple):
    """A mutant, or several at once, and what they are missed for."""

    mutants: tuple[str, ...]
    where: str
    """The configuration; empty where a table refuses to be like that."""

    seen: tuple[str, ...]

    def __str__(self) -> str:
        return "\t".join((_AND.join(self.mutants), self.where, "; ".join(self.seen)))

    @classmethod
    def parse(cls, line: str) -> Killed:
        """Read what :meth:`__str__` wrote."""
        mutants, where, what = line.split("\t")
        return cls(tuple(mutants.split(_AND)), where, tuple(what.split("; ")))


def _read() -> tuple[Killed, ...]:
    if not _FILE.exists():
        return ()
    lines = _FILE.read_text(encoding="utf-8").splitlines()
    return tuple(Killed.parse(line) for line in lines if line and line[0] != "#")


_ALL: Final = _read()
KILLED: Final[Mapping[str, Killed]] = {k.mutants[0]: k for k in _ALL if len(k.mutants) == 1}
"""By the name of the mutant."""

PAIRS: Final = tuple(k for k in _ALL if len(k.mutants) > 1)
"""Survivors that are missed together."""


def _rank(found: Killed) -> tuple[int, int]:
    """What tells most comes first, and then what is explored soonest."""
    words = [text for text in found.seen if text not in HOW_IT_ENDS]
    told = [text for text in words if not text.endswith("Error")]
    return (0 if told else 2 if words else 1, seen(found.where).states)


def _where(*mutants: str) -> Killed | None:
    """The best configuration in which *mutants* are missed together; None if there is none."""
    if (why := refusal(*mutants)) is not None:
        return Killed(mutants, "", (why,))
    found: list[Killed] = []
    for name in sorted(concerned(*mutants), key=lambda name: seen(name).states):
        flaws = missed(name, *mutants)
        if flaws:
            found.append(Killed(mutants, name, tuple(sorted(flaws))))
        if WITHOUT_END in flaws:
            break  # to see that elsewhere as well takes long
    return min(found, key=_rank, default=None)


def _together(pair: tuple[str, str]) -> Killed | None:
    return _where(*pair)


def _surprises(found: Iterable[Killed], survivors: set[str]) -> list[str]:
    known = {str(killed) for killed in _ALL}
    now = {str(killed) for killed in found}
    words = [f"seen, and not in the file: {line}" for line in sorted(now - known)]
    words += [f"in the file, and not seen: {line}" for line in sorted(known - now)]
    words += [f"nothing misses {name}, and no reason is known" for name in survivors - {*REDUNDANT}]
    words += [f"{name} is missed, and called redundant" for name in {*REDUNDANT} - survivors]
    return words


def main() -> int:
    """Run, print, compare; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write anew where each is missed")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    began = perf_counter()
    with ProcessPoolExecutor(given.jobs) as pool:
        alone = dict(zip(MUTANTS, pool.map(_where, MUTANTS), strict=True))
        survivors = [name for name, killed in alone.items() if killed is None]
        pairs = list(combinations(survivors, 2))
        together = [
            k
            for k in pool.map(_together, pairs, chunksize=len(pairs) // (8 * given.jobs) + 1)
            if k is not None
        ]
    killed = [found for found in alone.values() if found is not None]
    found = [*killed, *together]
    refused = sum(not each.where for each in killed)
    print(
        f"{len(MUTANTS)} mutants: {len(killed)} killed ({refused} by a table that refuses them), "
        f"{len(survivors)} redundant; {len(pairs)} pairs of these: {len(together)} killed; "
        f"{len(CONFIGURATIONS)} configurations, {perf_counter() - began:.0f} s"
    )
    if given.write:
        page = "\n".join([*_HEAD, *map(str, found)]) + "\n"
        _FILE.write_text(page, encoding="utf-8")
        surprises = [w for w in _surprises(found, {*survivors}) if "file" not in w]
    else:
        surprises = _surprises(found, {*survivors})
    print(*surprises, sep="\n")
    return 1 if surprises else 0


if __name__ == "__main__":
    sys.exit(main())
