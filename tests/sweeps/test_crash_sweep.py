"""A fair sample of the crash sweep, and that it sees what it looks for. All of it: `make sweep`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

import pytest

from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.names import CertUnit, Service
from tests.sweeps.crashes import crash_cases, sampled, told_of, undisturbed
from tests.sweeps.story import SUBJECTS, Crash, End, subject, tell
from tests.sweeps.tally import all_of
from tests.sweeps.world import Boundary, Moment

SEED: Final = 20_260_101
SAMPLE: Final = 45


def test_after_a_crash_at_any_boundary_the_run_finishes_with_nobody_lost() -> None:
    chosen = sampled(tuple(crash_cases(SEED)), SAMPLE, SEED)
    tally = all_of(chosen, told_of)
    print(f"\nseed {SEED}\n{tally}")
    assert tally.wrong() == []
    assert all(one.died for one in tally.stories)
    assert {one.end for one in tally.stories} == {"finished"}
    assert sum(one.torn for one in tally.stories) >= SAMPLE // 4
    assert {case.kind for case in chosen} == set(Boundary)


@pytest.mark.parametrize("name", [each.scenario.name for each in SUBJECTS])
def test_undisturbed_the_story_finishes_and_comes_to_every_boundary(name: str) -> None:
    told = undisturbed(name)
    assert told.end is End.FINISHED
    assert told.wrong == ()
    assert {moment.boundary for life in told.lives for moment in life} == set(Boundary)


def _boundary(name: str, kind: Boundary, what: str = "") -> tuple[int, Moment]:
    (life, *_) = undisturbed(name).lives
    return next(
        (number, moment)
        for number, moment in enumerate(life)
        if moment.boundary is kind and what in moment.what
    )


def test_a_journal_that_lost_a_synced_line_is_held_and_nothing_regenerated_twice(
    tmp_path: Path,
) -> None:
    """What no crash leaves: the intent is gone, and its command was sent."""
    name = "12.5-mixed"
    number, moment = _boundary(name, Boundary.AFTER_REPLY, "set cert regen CallManager")
    lines = undisturbed(name).journal[: moment.synced].splitlines(keepends=True)
    intent = max(index for index, line in enumerate(lines) if b'"intend"' in line)
    crash = Crash(process=0, boundary=number, forged=b"".join(lines[:intent]))
    told = tell(subject(name), tmp_path, crash=crash)
    assert told.end is End.HELD
    assert "drift" in told.why
    assert told.wrong == ()


def test_a_second_regeneration_is_seen_whoever_asked_for_it(tmp_path: Path) -> None:
    name = "12.5-mixed"
    number, _ = _boundary(name, Boundary.AFTER_REPLY, "set cert regen CallManager")

    def meddle(lab: LabCluster) -> None:
        lab.begin_regenerate("pub", CertUnit.CALLMANAGER)

    crash = Crash(process=0, boundary=number, meanwhile=meddle)
    told = tell(subject(name), tmp_path, crash=crash)
    assert "pub/CallManager was made anew 2 times" in told.wrong


def test_a_phone_that_somebody_else_locks_is_seen_as_lost(tmp_path: Path) -> None:
    """Both are regenerated from outside, and their services restarted, before a phone came."""
    name = "11.5-non-secure"
    number, _ = _boundary(name, Boundary.AFTER_REPLY, "set cert regen CallManager")

    def meddle(lab: LabCluster) -> None:
        for node in ("pub", "sub"):
            for unit in (CertUnit.CALLMANAGER, CertUnit.TVS):
                lab.begin_regenerate(node, unit)
            for service in (Service.TVS, Service.TFTP):
                lab.later(30.0, partial(lab.begin_restart, node, service))

    crash = Crash(process=0, boundary=number, away_s=300.0, meanwhile=meddle)
    told = tell(subject(name), tmp_path, crash=crash)
    assert any(text.startswith("lost: ") for text in told.wrong)
