"""The events of a run, kept for its readers: each reads from the beginning, at its own pace."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator
from typing import Final

from cucm_certflow.observers import Event

__all__ = ["EventStream"]

_KEPT_EVENTS: Final = 100_000


class EventStream:
    """What happens in a run, one after the other. A slow reader never holds up who tells.

    It belongs to one event loop. Who is further behind than what is kept goes on with the oldest
    that is: the records among the events stand in the journal all the same.

    Args:
        kept: How many events are kept for those who read later.
    """

    def __init__(self, kept: int = _KEPT_EVENTS) -> None:
        self._events: deque[Event] = deque(maxlen=kept)
        self._told = 0
        self._news = asyncio.Condition()
        self._teller: asyncio.Task[None] | None = None

    def begin(self, teller: asyncio.Task[None]) -> None:
        """From now on *teller* tells; the stream ends with it."""
        self._teller = teller

    async def tell(self, event: Event) -> None:
        """Keep *event*, and wake everybody who reads."""
        self._events.append(event)
        self._told += 1
        async with self._news:
            self._news.notify_all()

    async def read(self) -> AsyncIterator[Event]:
        """Everything that was told, from the beginning, until the teller ends."""
        position = 0
        while True:
            while position < self._told:
                first = self._told - len(self._events)
                position = max(position, first)
                yield self._events[position - first]
                position += 1
            if self._teller is None or self._teller.done():
                return
            waiter = asyncio.ensure_future(self._wait_for_news(position))
            await asyncio.wait({waiter, self._teller}, return_when=asyncio.FIRST_COMPLETED)
            if not waiter.done():
                waiter.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await waiter

    async def _wait_for_news(self, position: int) -> None:
        async with self._news:
            await self._news.wait_for(lambda: self._told > position)
