"""Explores what the tests have no time for, on all cores: ``python -m tests.proof.prove``.

Prints a line for each cell, and fails if one shows a flaw or has other counts than are pinned.
``--write`` pins the counts of everything anew, the tests' cells included; ``-k WORDS`` takes only
the cells whose names have these words in them.
"""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from time import perf_counter
from typing import Final

from cucm_certflow.testing.explorer import Exploration
from tests.proof.cells import MATRIX, PROVED, Cell, line_of, pinned

__all__ = ["flaws_of", "main"]

_HEAD: Final = (
    "# States, edges, ends and holds of every cell. Made by `python -m tests.proof.prove --write`;",
    "# a change that moves a number is looked at before it is written.",
)


def flaws_of(found: Exploration) -> list[str]:
    """What an exploration shows that must never be, in words."""
    flaws: list[str] = []
    if found.violation is not None:
        flaws.append(str(found.violation))
    elif not found.complete:
        flaws.append(f"not complete: {found.unexplored} states were not followed")
    if found.stuck:
        flaws.append(f"{found.stuck} states reach neither the end nor a hold")
    if found.held_for_good:
        flaws.append(f"{found.held_for_good} holds never end, however kind the world is")
    if found.held_after_waiver:
        flaws.append(f"{found.held_after_waiver} holds do not end by waiving who is missing")
    if not found.finished:
        flaws.append("no story comes to its end")
    return flaws


def _explored(cell: Cell) -> Exploration:
    return cell.explore()


def main() -> int:
    """Explore, print, compare; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="pin the counts anew")
    parser.add_argument("-k", default="", metavar="WORDS", help="only cells with these words")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    cells = (*MATRIX, *PROVED) if given.write else PROVED
    cells = tuple(cell for cell in cells if given.k in str(cell))
    known = dict(pinned()) if Path(__file__).with_name("states.txt").exists() else {}
    began, wrong, states, seconds = perf_counter(), 0, 0, 0.0
    with ProcessPoolExecutor(given.jobs) as pool:
        running = {pool.submit(_explored, cell): cell for cell in cells}
        for done in as_completed(running):
            cell, found = running[done], done.result()
            states, seconds = states + found.states, seconds + found.seconds
            line, flaws = line_of(cell, found), flaws_of(found)
            if not given.write and known.get(str(cell)) != line:
                flaws.append(f"pinned: {known.get(str(cell), 'nothing')}")
            known[str(cell)] = line
            wrong += bool(flaws)
            print(f"{line}  ({found.seconds:.1f} s)", *flaws, sep="\n    ", flush=True)
    if given.write:
        order = {str(cell): place for place, cell in enumerate((*MATRIX, *PROVED))}
        lines = [known[name] for name in sorted(known.keys() & order, key=order.__getitem__)]
        page = "\n".join([*_HEAD, *lines]) + "\n"
        Path(__file__).with_name("states.txt").write_text(page, encoding="utf-8")
    print(
        f"{len(cells)} explorations, {states:,} states, {wrong} wrong; "
        f"{seconds:.0f} s of search, {perf_counter() - began:.0f} s by the clock"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
