from __future__ import annotations

import asyncio
import socket
import time
from datetime import timedelta

import pytest

from cucm_certflow.testing.virtual import EPOCH, Deadlock, VirtualClock, VirtualLoop, run_virtual


def test_eight_hours_pass_in_no_time() -> None:
    async def story() -> timedelta:
        clock = VirtualClock()
        await clock.sleep(8 * 3600)
        return clock.now() - EPOCH

    assert run_virtual(story) == timedelta(hours=8)


def test_a_coroutine_and_a_function_that_makes_one_are_both_run() -> None:
    async def answer() -> int:
        return 42

    assert run_virtual(answer) == run_virtual(answer()) == 42


def test_a_sleep_until_an_instant_ends_exactly_then() -> None:
    async def story() -> list[timedelta]:
        clock, off = VirtualClock(), []
        await clock.sleep(0.123_456_789)
        for step in range(1, 2_000):
            goal = clock.now() + timedelta(microseconds=step * 7_919_333)
            await clock.sleep((goal - clock.now()).total_seconds())
            off.append(clock.now() - goal)
        return off

    assert set(run_virtual(story)) == {timedelta(0)}


def test_who_waits_for_what_nothing_brings_is_told() -> None:
    async def story() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Deadlock):
        run_virtual(story)


def test_a_deadlock_lets_every_task_clean_up() -> None:
    cleaned: list[str] = []

    async def wait(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append(name)

    async def story() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(wait("a"))
            group.create_task(wait("b"))

    with pytest.raises(Deadlock):
        run_virtual(story)
    assert sorted(cleaned) == ["a", "b"]


def test_timeouts_go_by_virtual_time() -> None:
    async def story() -> timedelta:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(600):
                await asyncio.Event().wait()
        return VirtualClock().now() - EPOCH

    assert run_virtual(story) == timedelta(minutes=10)


def test_sleepers_wake_in_the_order_of_their_instants() -> None:
    async def story() -> list[int]:
        woken: list[int] = []

        async def sleeper(seconds: int) -> None:
            await VirtualClock().sleep(seconds)
            woken.append(seconds)

        async with asyncio.TaskGroup() as group:
            for seconds in (300, 100, 200):
                group.create_task(sleeper(seconds))
        return woken

    assert run_virtual(story) == [100, 200, 300]


def test_threads_are_forbidden() -> None:
    async def story() -> None:
        await asyncio.to_thread(time.monotonic)

    with pytest.raises(RuntimeError, match="thread"):
        run_virtual(story)


def test_sockets_are_forbidden() -> None:
    async def story() -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with ours, theirs:
            await asyncio.get_running_loop().sock_recv(ours, 1)

    with pytest.raises(RuntimeError, match="sockets"):
        run_virtual(story)


def test_a_clock_of_a_given_loop_can_be_read_from_outside() -> None:
    loop = VirtualLoop()
    try:
        clock = VirtualClock(loop)
        assert clock.now() == EPOCH
        loop.run_until_complete(clock.sleep(1.5))
        assert clock.now() == EPOCH + timedelta(seconds=1.5)
    finally:
        loop.close()
