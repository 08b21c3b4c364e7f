"""The clock of the machine that drives, where a scenario lets it jump or lets the machine sleep."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from cucm_certflow.clock import Clock

__all__ = ["DriverClock"]

_ENOUGH_S = 1e-6


class DriverClock:
    """A :class:`~cucm_certflow.clock.Clock` that a scenario's events strike; the cluster's is true.

    A jump moves :meth:`now` alone, as a step of NTP or of somebody's hand does. While the machine
    sleeps nothing of the driver's goes on: :meth:`sleep` takes that much longer, and
    :meth:`monotonic` stands still, as Linux's does. Hand it to whatever drives a lab cluster;
    every :class:`~cucm_certflow.lab.cluster.LabCluster` has one.

    Args:
        clock: The true one, by which the cluster lives.
        catch_up: Lets happen in the lab what is due, so that a jump is not missed.
    """

    def __init__(self, clock: Clock, catch_up: Callable[[], object]) -> None:
        self._clock = clock
        self._catch_up = catch_up
        self._off = timedelta(0)
        self._naps: list[tuple[datetime, datetime]] = []

    def now(self) -> datetime:
        """What the machine takes for this instant, aware, in UTC; it may go back."""
        self._catch_up()
        return self._clock.now() + self._off

    def monotonic(self) -> float:
        """Seconds that the machine was awake; they never go back."""
        self._catch_up()
        now = self._clock.now()
        asleep = sum((min(end, now) - begin).total_seconds() for begin, end in self._naps)
        return self._clock.monotonic() - asleep

    async def sleep(self, seconds: float) -> None:
        """Return after *seconds* (0 or more) of being awake. Cancelling it leaves nothing."""
        self._catch_up()
        end = self.monotonic() + seconds
        await self._clock.sleep(seconds)
        while (left := max(end - self.monotonic(), self._asleep_for())) > _ENOUGH_S:
            await self._clock.sleep(left)

    # ── what a scenario does to it ────────────────────────────────────────────────────────

    @property
    def naps(self) -> int:
        """How often the machine has slept, or sleeps; no connection outlasts that."""
        self._catch_up()
        return len(self._naps)

    def jump(self, seconds: float) -> None:
        """From now on the machine takes it for *seconds* later, or earlier if it is negative."""
        self._off += timedelta(seconds=seconds)

    def nap(self, begin: datetime, seconds: float) -> None:
        """The machine sleeps for *seconds* from *begin*; or goes on with the nap that it is at."""
        end = begin + timedelta(seconds=seconds)
        if self._naps and begin < self._naps[-1][1]:
            first, last = self._naps[-1]
            self._naps[-1] = first, max(last, end)
            return
        self._naps.append((begin, end))

    def _asleep_for(self) -> float:
        """Seconds until the machine wakes up; 0 if it is awake."""
        if not self._naps:
            return 0.0
        return max(0.0, (self._naps[-1][1] - self._clock.now()).total_seconds())
