"""Cancelled at any moment, in any way, a run leaves a journal from which it goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from cucm_certflow.cluster import Cluster
from cucm_certflow.core.plan import Plan
from cucm_certflow.core.planner import make_plan
from cucm_certflow.journal import Journal
from cucm_certflow.lab.memory import MemoryTransport
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.observers import Outcome, Paused, Verified
from cucm_certflow.testing.virtual import run_virtual
from tests.journeys.main_job import Lab, executed, start
from tests.journeys.test_control import UNITS
from tests.journeys.test_crashes import SMALL
from tests.words import NO_PARTNERS, NOBODY_LOOKED

Run_ = Callable[[], Awaitable[Outcome | None]]


async def _by_task(run: Run_, after_s: float) -> None:
    task = asyncio.ensure_future(run())
    await asyncio.sleep(after_s)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def _by_timeout(run: Run_, after_s: float) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(after_s):
            await run()


async def _by_wait_for(run: Run_, after_s: float) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(run(), after_s)


async def _by_group(run: Run_, after_s: float) -> None:
    async def fails() -> None:
        await asyncio.sleep(after_s)
        raise ZeroDivisionError

    with pytest.raises(ExceptionGroup, match="unhandled errors") as caught:
        async with asyncio.TaskGroup() as group:
            group.create_task(_awaited(run))
            group.create_task(fails())
    assert [type(error) for error in caught.value.exceptions] == [ZeroDivisionError]


async def _awaited(run: Run_) -> None:
    await run()


WAYS: Final = {
    "task.cancel": _by_task,
    "asyncio.timeout": _by_timeout,
    "wait_for": _by_wait_for,
    "TaskGroup": _by_group,
}


async def _planned(there: Lab) -> Plan:
    return make_plan(
        await there.cluster.discover(), units=UNITS, preflight=NOBODY_LOOKED, said=NO_PARTNERS
    )


async def _story(journal: Path, way: Callable[[Run_, float], Awaitable[None]], at: float) -> bool:
    there = start(Scenario.loads(SMALL))
    plan = await _planned(there)

    async def whole() -> Outcome | None:
        async with there.cluster.run(plan, journal=journal) as run:
            async for _ in run.events():
                pass
        return run.outcome

    await way(whole, at)
    if not journal.exists():
        assert not executed(there.lab, resets=True)  # it was cancelled before there was a journal
        return False
    sent = len(executed(there.lab, resets=True))
    await there.clock.sleep(20)
    assert len(executed(there.lab, resets=True)) == sent  # nothing is sent after it
    transport = MemoryTransport(there.lab, there.clock)
    again = Cluster(transport, transport.discover, clock=there.clock)
    async with again.resume(journal=journal) as run:
        outcome = await run.wait()
    assert isinstance(outcome, Verified), f"cancelled after {at} s: {outcome}"
    done = [pair for pair in executed(there.lab) if "regen" in pair[1]]
    assert len(done) == len(set(done)) == 4, f"cancelled after {at} s: {done}"
    return True


@pytest.mark.parametrize("way", WAYS)
def test_cancelled_at_any_second_it_sends_nothing_more_and_resumes(
    way: str, tmp_path: Path
) -> None:
    offset = list(WAYS).index(way)
    resumed = 0
    for number, at in enumerate(range(1 + 13 * offset, 840, 53)):
        journal = tmp_path / f"{number}.journal"
        resumed += run_virtual(partial(_story, journal, WAYS[way], at + 0.003))
    print(f"\n{way}: {resumed} resumed")
    assert resumed >= 14


def test_waiting_for_a_run_and_reading_its_events_may_be_cancelled_while_it_goes_on(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        there = start(Scenario.loads(SMALL))
        plan = await _planned(there)
        async with there.cluster.run(plan, journal=tmp_path / "j") as run:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(30):
                    await run.wait()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(30):
                    async for _ in run.events():
                        pass
            outcome = await run.wait()
        assert isinstance(outcome, Verified)

    run_virtual(story)


@pytest.mark.parametrize("at", [0.5, 5.0, 20.0, 30.0, 35.0, 40.0])
def test_cancelled_while_it_starts_nothing_is_sent_and_no_lock_is_left(
    at: float, tmp_path: Path
) -> None:
    journal = tmp_path / "j"

    async def story() -> None:
        there = start(Scenario.loads(SMALL))
        plan = await _planned(there)

        async def starting() -> Outcome | None:
            async with there.cluster.run(plan, journal=journal) as run:
                return run.outcome

        task = asyncio.ensure_future(starting())
        await asyncio.sleep(at)
        if not journal.exists():
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert not executed(there.lab, resets=True)
            assert not journal.exists()
        else:
            task.cancel()
            await asyncio.wait({task})
            Journal.open(journal).close()

    run_virtual(story)


def test_leaving_by_an_exception_pauses_and_says_so(tmp_path: Path) -> None:
    async def story() -> None:
        there = start(Scenario.loads(SMALL))
        plan = await _planned(there)
        run = await there.cluster.start(plan, journal=tmp_path / "j")
        with pytest.raises(KeyboardInterrupt):
            async with run:
                await asyncio.sleep(40)
                raise KeyboardInterrupt
        assert isinstance(run.outcome, Paused)

    run_virtual(story)
