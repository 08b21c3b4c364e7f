"""A budget of requests per minute, shared by all who talk to one interface."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from cucm_certflow.clock import SystemClock

__all__ = ["RateBudget"]

_MINUTE_S: Final = 60.0


class RateBudget:
    """At most *per_minute* requests in any 60 seconds of real time.

    Real, not lab time: the limit is the node's. RISPort70 allows 15 a minute by default for all
    applications of a cluster together; we plan for 10 and leave the others theirs.

    Args:
        per_minute: 1 or more. Labs that run faster than time raise it.
        monotonic: Seconds that never go back.
        sleep: Waits that many seconds of *monotonic*.
    """

    def __init__(
        self,
        per_minute: int = 10,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] | None = None,
    ) -> None:
        if per_minute < 1:
            message = f"per_minute must be 1 or more, saw {per_minute}"
            raise ValueError(message)
        self.per_minute = per_minute
        self._monotonic = monotonic
        self._sleep = sleep or SystemClock().sleep
        self._taken: deque[float] = deque(maxlen=per_minute)
        self._not_before = float("-inf")
        self._turn = asyncio.Lock()

    async def take(self) -> None:
        """Return when a request may be sent; first come, first served.

        Cancelling it gives the place back.
        """
        async with self._turn:
            while (wait_s := self._next() - self._monotonic()) > 0:
                await self._sleep(wait_s)
            self._taken.append(self._monotonic())

    def hold_off(self, seconds: float) -> None:
        """Let nothing through for *seconds* from now: the node said that it was too much."""
        self._not_before = max(self._not_before, self._monotonic() + seconds)

    def _next(self) -> float:
        full = len(self._taken) == self.per_minute
        return max(self._not_before, self._taken[0] + _MINUTE_S if full else self._not_before)
