"""What may be asked of a cluster, by interface, and what has been: shared by all who talk to it."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from cucm_certflow.clock import Clock
from cucm_certflow.errors import RateLimited
from cucm_certflow.names import Interface

__all__ = ["Budgets", "RateBudget"]

T = TypeVar("T")

_MINUTE_S: Final = 60.0


class RateBudget:
    """At most *per_minute* requests in any 60 seconds of *clock*.

    Args:
        per_minute: 1 or more.
        clock: The cluster's.
    """

    def __init__(self, per_minute: int, clock: Clock) -> None:
        if per_minute < 1:
            message = f"per_minute must be 1 or more, saw {per_minute}"
            raise ValueError(message)
        self.per_minute = per_minute
        self._clock = clock
        self._taken: deque[float] = deque(maxlen=per_minute)
        self._not_before = float("-inf")
        self._turn = asyncio.Lock()

    async def take(self) -> None:
        """Return when a request may be sent; first come, first served.

        Cancelling it gives the place back.
        """
        async with self._turn:
            while (wait_s := self._next() - self._clock.monotonic()) > 0:
                await self._clock.sleep(wait_s)
            self._taken.append(self._clock.monotonic())

    async def ask(self, send: Callable[[], Awaitable[T]], *, attempts: int, back_off_s: float) -> T:
        """What *send* returns; it is called within the budget, and again after a rate fault.

        Only for questions: what changes something is never sent again by itself.

        Args:
            send: Sends one question.
            attempts: How often, in all; 1 or more.
            back_off_s: Seconds to let nothing through after the first rate fault, doubled for each
                more.

        Raises:
            RateLimited: The last attempt was too often as well.
        """
        for attempt in range(1, attempts + 1):
            await self.take()
            try:
                return await send()
            except RateLimited:
                self.hold_off(back_off_s * 2 ** (attempt - 1))
                if attempt >= attempts:
                    raise
        message = f"attempts must be 1 or more, saw {attempts}"
        raise ValueError(message)

    def hold_off(self, seconds: float) -> None:
        """Let nothing through for *seconds* from now: the node said that it was too much."""
        self._not_before = max(self._not_before, self._clock.monotonic() + seconds)

    def _next(self) -> float:
        full = len(self._taken) == self.per_minute
        return max(self._not_before, self._taken[0] + _MINUTE_S if full else self._not_before)


class Budgets:
    """The limits of one cluster. Give the same object to everything on one loop that talks to it.

    Args:
        clock: The cluster's; the budgets are of its minutes.
        ris_per_minute: Requests to RISPort70. The cluster allows 15 by default and 18 at most, to
            all applications together; 10 leaves the others theirs.
        perfmon_per_minute: Requests to PerfMon. The cluster allows 50 by default.
        axl_at_once: AXL requests under way at the same time. Answers may take 8 MB each and 16 MB
            together, so at most two of those that may be large are under way, whatever this says.
        ssh_per_node: Sessions at a time on one node's platform CLI (``set session maxlimit``
            allows 1 to 10).
    """

    def __init__(
        self,
        clock: Clock,
        *,
        ris_per_minute: int = 10,
        perfmon_per_minute: int = 40,
        axl_at_once: int = 8,
        ssh_per_node: int = 2,
    ) -> None:
        for name, value in (("axl_at_once", axl_at_once), ("ssh_per_node", ssh_per_node)):
            if value < 1:
                message = f"{name} must be 1 or more, saw {value}"
                raise ValueError(message)
        self.ris: Final = RateBudget(ris_per_minute, clock)
        self.perfmon: Final = RateBudget(perfmon_per_minute, clock)
        self.axl: Final = asyncio.Semaphore(axl_at_once)
        self.axl_large: Final = asyncio.Semaphore(min(2, axl_at_once))
        self._ssh_per_node = ssh_per_node
        self._ssh: dict[str, asyncio.Semaphore] = {}
        self._spent: Counter[Interface] = Counter()

    def ssh(self, node: str) -> asyncio.Semaphore:
        """The places for sessions on *node*."""
        return self._ssh.setdefault(node, asyncio.Semaphore(self._ssh_per_node))

    def note(self, interface: Interface) -> None:
        """One request is on its way."""
        self._spent[interface] += 1

    @property
    def spent(self) -> dict[Interface, int]:
        """Requests sent so far, by interface; commands typed, for the platform CLI."""
        return dict(self._spent)
