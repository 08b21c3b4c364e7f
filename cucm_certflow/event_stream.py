"""The events of a run: observers are called, readers read from the beginning at their own pace."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
from collections import deque
from collections.abc import AsyncIterator, Iterable
from typing import Final

from cucm_certflow.observers import Event, Observer

__all__ = ["EventStream", "checked_observers"]

_LOGGER: Final = logging.getLogger(__name__)
_KEPT_EVENTS: Final = 100_000


class EventStream:
    """What happens in a run, one after the other. A slow reader never holds up who tells.

    It belongs to one event loop. Who is further behind than what is kept goes on with the oldest
    that is: the records among the events stand in the journal all the same.

    Args:
        kept: How many events are kept for those who read later.
        observers: Called with every event, in this order, before readers have it.

    Raises:
        TypeError: An observer cannot be called, or would have to be awaited.
    """

    def __init__(self, kept: int = _KEPT_EVENTS, *, observers: Iterable[Observer] = ()) -> None:
        self._observers = checked_observers(observers)
        self._events: deque[Event] = deque(maxlen=kept)
        self._told = 0
        self._news = asyncio.Condition()
        self._teller: asyncio.Task[None] | None = None

    def begin(self, teller: asyncio.Task[None]) -> None:
        """From now on *teller* tells; the stream ends with it."""
        self._teller = teller

    async def tell(self, event: Event) -> None:
        """Keep *event*, call the observers, and wake everybody who reads."""
        self._events.append(event)
        self._told += 1
        self._call_observers(event)
        async with self._news:
            self._news.notify_all()

    def _call_observers(self, event: Event) -> None:
        for observer in tuple(self._observers):
            try:
                observer(event)
            except KeyboardInterrupt:
                raise  # of a person, who happened to hit an observer
            except BaseException:
                self._observers = [each for each in self._observers if each is not observer]
                _LOGGER.exception(
                    "the observer %s raised, and is not called any more; the run goes on",
                    getattr(observer, "__qualname__", type(observer).__qualname__),
                )

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


def checked_observers(observers: Iterable[Observer]) -> list[Observer]:
    """*observers*, each of which can be called with an event and is done when it returns.

    Raises:
        TypeError: One cannot be called, or would have to be awaited.
    """
    found = list(observers)
    for observer in found:
        if not callable(observer):
            message = (  # type: ignore[unreachable]  # - for callers whose types nobody checks
                f"an observer is called with each event; {observer!r} cannot be called"
            )
            raise TypeError(message)
        if inspect.iscoroutinefunction(observer) or inspect.iscoroutinefunction(
            getattr(type(observer), "__call__", None)  # noqa: B004 - what calling the object runs
        ):
            message = (
                f"an observer is called and not awaited, and {observer!r} is asynchronous: "
                "read run.events() in a task of your own instead"
            )
            raise TypeError(message)
    return found
