"""Two of the kills of `make sweep`: real processes, real sockets, and no warning."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import pytest

from tests.sweeps.kills import kill_all, kills

SEED: Final = 20_260_101


@pytest.mark.slow
def test_killed_at_any_moment_it_resumes_and_regenerates_nothing_twice(tmp_path: Path) -> None:
    told = asyncio.run(kill_all(kills(2, SEED), tmp_path, at_once=2))
    print(f"\nseed {SEED}", *told, sep="\n")
    assert [text for one in told for text in one.wrong] == []
    assert {one.regenerated for one in told} == {4}
    assert {one.lines == 0 for one in told} == {True, False}


def test_the_moments_are_those_of_the_seed() -> None:
    assert kills(30, SEED) == kills(30, SEED)
    assert kills(30, SEED) != kills(30, SEED + 1)
    assert len({kill.lines for kill in kills(30, SEED)}) > 20
