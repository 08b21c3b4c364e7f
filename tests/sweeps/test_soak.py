"""Twenty seeds of the soak, and that a seed is a journal, byte for byte. All: `make sweep`."""

from __future__ import annotations

import sys
from typing import Final

import pytest

from tests.sweeps.pythons import Python, lines_by, others
from tests.sweeps.soak import random_text, soaked
from tests.sweeps.tally import Tally, all_of

SEEDS: Final = range(1, 21)
FEW: Final = range(1, 7)


@pytest.fixture(scope="module")
def tally() -> Tally:
    """The sample, told once for all claims about it."""
    return all_of(SEEDS, soaked)


def test_random_clusters_with_random_faults_end_finished_held_or_refused(tally: Tally) -> None:
    print(f"\nseeds {SEEDS.start} to {SEEDS.stop - 1}\n{tally}")
    assert tally.wrong() == []
    ends = {one.end for one in tally.stories}
    assert "finished" in ends
    assert ends <= {"finished", "held", "refused"}


def test_no_two_seeds_are_the_same_story(tally: Tally) -> None:
    assert len({random_text(seed) for seed in SEEDS}) == len(SEEDS)
    begun = [one.digest for one in tally.stories if one.end == "finished"]
    assert len(set(begun)) == len(begun)


def _lines(tally: Tally, seeds: range) -> list[str]:
    return [
        f"{seed} {one.end} {one.digest}"
        for seed, one in zip(seeds, tally.stories[: len(seeds)], strict=True)
    ]


@pytest.mark.parametrize("hashes", ["0", "4711"])
def test_a_seed_is_the_same_journal_in_every_process(tally: Tally, hashes: str) -> None:
    lines = lines_by(sys.executable, FEW.start, FEW.stop - 1, hashes=hashes)
    assert lines == _lines(tally, FEW)


@pytest.mark.slow
@pytest.mark.parametrize("python", others(build=False), ids=lambda python: python.version)
def test_a_seed_is_the_same_journal_on_every_python(tally: Tally, python: Python) -> None:
    if python.why:
        pytest.skip(f"Python {python.version}: {python.why}")
    assert lines_by(python.call, FEW.start, FEW.stop - 1) == _lines(tally, FEW)
