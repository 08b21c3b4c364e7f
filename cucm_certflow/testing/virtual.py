"""Virtual time: an event loop in which hours pass in no time, and nobody waits for nothing.

::

    async def story() -> None:
        clock = VirtualClock()
        await clock.sleep(8 * 3600)

    run_virtual(story)
"""

from __future__ import annotations

import asyncio
import math
import selectors
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NoReturn, TypeVar

__all__ = ["EPOCH", "Deadlock", "VirtualClock", "VirtualLoop", "run_virtual"]

T = TypeVar("T")

EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""The instant at which every virtual loop begins."""

_PER_SECOND: Final = 1_000_000
_TOLERANCE_S: Final = 1e-7  # floating-point error of a deadline; far below the grid of 1 µs


class Deadlock(RuntimeError):
    """Every task waits, and no timer runs: in real time this program would hang."""


class _Jump(selectors.BaseSelector):
    """A selector without files, whose waiting moves the clock.

    Time is counted in whole microseconds, like that of ``datetime``: a sleep until an instant then
    ends exactly at that instant.
    """

    def __init__(self) -> None:
        self.elapsed_us = 0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            message = "every task waits for something that nothing will bring"
            raise Deadlock(message)
        if timeout > 0:
            self.elapsed_us += max(1, math.ceil((timeout - _TOLERANCE_S) * _PER_SECOND))
        return []

    def register(self, fileobj: object, events: int, data: object = None) -> NoReturn:
        message = "real sockets and files cannot be waited for in virtual time"
        raise RuntimeError(message)

    def unregister(self, fileobj: object) -> NoReturn:
        raise KeyError(fileobj)

    def get_map(self) -> Mapping[Any, Any]:
        return {}


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only when every task waits, and then at once.

    Without threads, sockets and subprocesses: what needs them fails with a RuntimeError. A loop in
    which every task waits for ever raises :class:`Deadlock`.
    """

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)
        self._clock_resolution = 2 * _TOLERANCE_S  # what is due within it is due

    def time(self) -> float:
        """Seconds since the loop began."""
        return self._jump.elapsed_us / _PER_SECOND

    def run_in_executor(self, executor: object, func: object, *args: object) -> NoReturn:
        """No threads.

        Raises:
            RuntimeError: Always.
        """
        message = "a thread runs in real time: nothing of it can be awaited in virtual time"
        raise RuntimeError(message)

    # The pipe by which another thread would wake the selector.
    def _make_self_pipe(self) -> None: ...

    def _close_self_pipe(self) -> None: ...

    def _write_to_self(self) -> None: ...


class VirtualClock:
    """The :class:`~cucm_certflow.clock.Clock` of the running virtual loop.

    Args:
        loop: Whose time it tells; if not given, that of the loop that runs when it is asked.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._loop = loop

    def now(self) -> datetime:
        """:data:`EPOCH` and the time of the loop."""
        loop = self._loop or asyncio.get_running_loop()
        return EPOCH + timedelta(microseconds=round(loop.time() * _PER_SECOND))

    def monotonic(self) -> float:
        """The time of the loop."""
        return (self._loop or asyncio.get_running_loop()).time()

    async def sleep(self, seconds: float) -> None:
        """Return after *seconds* of virtual time; cancelling it leaves nothing.

        Raises:
            RuntimeError: Another loop runs than the one whose time it tells: its time would stand
                still for ever.
        """
        if self._loop not in (None, asyncio.get_running_loop()):
            message = "this clock belongs to another loop: what uses it must be awaited there"
            raise RuntimeError(message)
        await asyncio.sleep(max(0.0, seconds))


def run_virtual(main: Coroutine[Any, Any, T] | Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run *main* on a fresh :class:`VirtualLoop`, and close that.

    Raises:
        Deadlock: Every task waits for ever.
    """
    coroutine = main() if callable(main) else main
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(coroutine)
