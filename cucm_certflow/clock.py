"""Where time comes from: the only clock and the only sleep that the library uses."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

__all__ = ["Clock", "ScaledClock", "SystemClock"]


class Clock(Protocol):
    """Tells the instant and lets time pass. Instants are aware UTC; journals keep them."""

    def now(self) -> datetime:
        """This instant, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds of this clock that never go back; only differences mean anything."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after *seconds* (0 or more) of this clock. Cancelling it leaves nothing."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """This instant, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds of the machine's clock that never go back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Sleep *seconds* of real time."""
        await asyncio.sleep(max(0.0, seconds))


class ScaledClock:
    """A clock that runs *factor* times as fast as the machine's, for labs and demonstrations.

    Every process that takes part must share *epoch* and *factor*.

    Args:
        factor: Lab seconds per real second; over 0.
        epoch: The real instant at which the two clocks agreed; now if it is not given.
    """

    def __init__(self, factor: float, *, epoch: datetime | None = None) -> None:
        if factor <= 0:
            message = f"factor must be over 0, saw {factor}"
            raise ValueError(message)
        self.factor = factor
        self.epoch = epoch or datetime.now(UTC)
        # Monotonic from here on: a step of the wall clock must not jump by *factor* times itself.
        self._offset_s = (datetime.now(UTC) - self.epoch).total_seconds() - time.monotonic()

    def now(self) -> datetime:
        """The lab's instant, aware, in UTC."""
        return self.epoch + timedelta(seconds=(time.monotonic() + self._offset_s) * self.factor)

    def monotonic(self) -> float:
        """Lab seconds that never go back."""
        return time.monotonic() * self.factor

    async def sleep(self, seconds: float) -> None:
        """Sleep *seconds* of lab time."""
        await asyncio.sleep(max(0.0, seconds) / self.factor)
