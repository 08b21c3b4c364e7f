"""Many stories: told one after the other or by all processors, counted, and printed."""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import attrs

from tests.sweeps.story import Told

__all__ = ["Heard", "Tally", "all_of", "heard", "processors"]

C = TypeVar("C")

_CHUNK: Final = 20
_SAY_EVERY: Final = 500


class Heard(NamedTuple):
    """What is left of one story when it was told: small, and goes from process to process.

    ``case`` says how to tell it again; ``kind`` is what the sweep counts it under.
    """

    case: str
    kind: str
    end: str
    why: str
    wrong: tuple[str, ...]
    digest: str = ""
    behind: int = 0
    sent_again: int = 0
    died: bool = False
    torn: bool = False


def heard(case: str, kind: str, tell: Callable[[Path], Told]) -> Heard:
    """Tell one story in a folder that is gone afterwards.

    What is no CertflowError is no way to end, whatever it is: it is counted as a mistake.
    """
    with tempfile.TemporaryDirectory(prefix="certflow-sweep-") as folder:
        try:
            told = tell(Path(folder))
        except Exception as error:  # noqa: BLE001 - the claim is that there is none
            name = _innermost(error)
            wrong = (f"an exception of no type of ours: {name}",)
            return Heard(case, kind, "broken", name, wrong)
    return Heard(
        case,
        kind,
        told.end.value,
        told.why,
        told.wrong,
        told.digest,
        told.behind,
        told.sent_again,
        told.died,
        told.torn,
    )


def _innermost(error: Exception) -> str:
    """The type and the words of *error*, or of the first one of a group."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"


def all_of(cases: Sequence[C], tell: Callable[[C], Heard], *, workers: int = 1) -> Tally:
    """Tell all of *cases*, in order; with more *workers* than one, in processes of their own.

    *tell* is a function of a module then, so that a process finds it.
    """
    if workers == 1:
        return Tally(tuple(map(tell, cases)))
    # Spawned: a process that was forked off would have the threads of nobody.
    context = multiprocessing.get_context("spawn")
    stories: list[Heard] = []
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        for one in pool.map(tell, cases, chunksize=_CHUNK):
            stories.append(one)
            if len(stories) % _SAY_EVERY == 0:
                print(f"  {len(stories)} of {len(cases)}", file=sys.stderr, flush=True)
    return Tally(tuple(stories))


@attrs.frozen
class Tally:
    """What a sweep heard."""

    stories: tuple[Heard, ...]

    def wrong(self) -> list[str]:
        """Every claim that did not hold, with the case that shows it."""
        return [f"{one.case}: {text}" for one in self.stories for text in one.wrong]

    def __str__(self) -> str:
        kinds = Counter(one.kind for one in self.stories)
        ends = Counter((one.kind, one.end) for one in self.stories)
        names = sorted({one.end for one in self.stories})
        width = max(map(len, kinds), default=0)
        lines = [f"{'':{width}} {'stories':>8}" + "".join(f"{name:>10}" for name in names)]
        lines += [
            f"{kind:{width}} {count:>8}" + "".join(f"{ends[kind, name]:>10}" for name in names)
            for kind, count in sorted(kinds.items())
        ]
        total = Counter(one.end for one in self.stories)
        lines.append(
            f"{'in all':{width}} {len(self.stories):>8}"
            + "".join(f"{total[name]:>10}" for name in names)
        )
        lines += _reasons(self.stories)
        return "\n".join(lines)


def _reasons(stories: Iterable[Heard]) -> list[str]:
    reasons = Counter((one.end, one.why) for one in stories if one.why)
    return [f"  {count:>6} {end} by {why}" for (end, why), count in sorted(reasons.items())]


def processors() -> int:
    """How many stories can be told at once."""
    return len(os.sched_getaffinity(0))
