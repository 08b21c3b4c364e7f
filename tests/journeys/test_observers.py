"""Observers of a run: told everything in order, and never able to disturb it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from cucm_certflow import Event, Observer, Paused, Verified, ask_to_pause, make_plan
from cucm_certflow.observers import EvidenceSeen, Outcome, Recorded, RegistrationsSeen
from cucm_certflow.testing.virtual import run_virtual
from tests.journeys.main_job import UNITS, executed, names_to_waive, start
from tests.words import NO_PARTNERS, NOBODY_LOOKED


def _told(
    tmp_path: Path, *observers: Observer
) -> tuple[list[Event], Outcome | None, list[tuple[str, str]]]:
    """The main job until its barrier holds: its events, its outcome, what was executed."""

    async def story() -> tuple[list[Event], Outcome | None, list[tuple[str, str]]]:
        there = start()
        plan = make_plan(
            await there.cluster.discover(),
            units=UNITS,
            preflight=NOBODY_LOOKED,
            said=NO_PARTNERS,
        )
        journal = tmp_path / "j"
        async with there.cluster.run(plan, journal=journal, observers=observers) as run:
            events = [event async for event in run.events()]
        return events, run.outcome, executed(there.lab)

    return run_virtual(story)


def test_observer_is_told_every_event_in_order(tmp_path: Path) -> None:
    told: list[Event] = []
    events, _, _ = _told(tmp_path, told.append)
    assert told == events
    kinds = {type(event) for event in told}
    assert {Recorded, RegistrationsSeen, EvidenceSeen} <= kinds


@pytest.mark.parametrize(
    "raised", [ValueError("no"), SystemExit(3), asyncio.CancelledError(), GeneratorExit()], ids=repr
)
def test_observer_that_raises_is_dropped_and_the_run_does_not_notice(
    raised: BaseException, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "undisturbed").mkdir()
    (tmp_path / "disturbed").mkdir()
    undisturbed = _told(tmp_path / "undisturbed")
    calls: list[Event] = []
    others: list[Event] = []

    def raises(event: Event) -> None:
        calls.append(event)
        if len(calls) == 5:
            raise raised

    with caplog.at_level(logging.ERROR, logger="cucm_certflow"):
        disturbed = _told(tmp_path / "disturbed", raises, others.append)
    assert disturbed == undisturbed
    assert len(calls) == 5
    assert others == disturbed[0]
    (logged,) = caplog.records
    assert logged.name == "cucm_certflow.event_stream"
    assert "is not called any more" in logged.getMessage()
    assert "raises" in logged.getMessage()
    assert logged.exc_info is not None
    assert logged.exc_info[1] is raised


async def _asynchronous(event: Event) -> None:
    raise AssertionError(event)


class _CalledAsynchronously:
    async def __call__(self, event: Event) -> None:
        raise AssertionError(event)


@pytest.mark.parametrize(
    "observer",
    [_asynchronous, _CalledAsynchronously(), "print"],
    ids=["a coroutine function", "a callable of coroutines", "a text"],
)
def test_what_cannot_be_an_observer_is_refused_before_anything_is_written(
    observer: Observer, tmp_path: Path
) -> None:
    with pytest.raises(TypeError, match="an observer is called"):
        _told(tmp_path, observer)
    assert list(tmp_path.iterdir()) == []


def _story_of_a_hold(journal: Path, then: Callable[[Event], None]) -> tuple[list[Event], Outcome]:
    async def story() -> tuple[list[Event], Outcome]:
        there = start()
        plan = make_plan(
            await there.cluster.discover(),
            units=UNITS,
            preflight=NOBODY_LOOKED,
            said=NO_PARTNERS,
        )
        async with there.cluster.run(plan, journal=journal) as run:
            pass
        told: list[Event] = []
        while names := names_to_waive(run.outcome):
            resumed = there.cluster.resume(
                journal=journal, waive=names, waived_by="a test", observers=[told.append, then]
            )
            async with resumed as run:
                pass
        assert run.outcome is not None
        return told, run.outcome

    return run_virtual(story)


def test_observer_of_a_resumed_run_is_told_what_happens_from_then_on(tmp_path: Path) -> None:
    told, outcome = _story_of_a_hold(tmp_path / "j", lambda event: None)
    assert isinstance(outcome, Verified)
    first, *_ = told
    assert isinstance(first, Recorded)
    assert "waived" in str(first) or "resumed" in str(first)


def test_observer_may_ask_the_run_to_pause(tmp_path: Path) -> None:
    asked: list[object] = []

    def pause_at_the_first_look(event: Event) -> None:
        if isinstance(event, RegistrationsSeen) and not asked:
            asked.append(ask_to_pause(tmp_path / "j", by="a test", why="to see it"))

    events, outcome, _ = _told(tmp_path, pause_at_the_first_look)
    assert isinstance(outcome, Paused)
    assert "to see it" in outcome.reason
    assert events
