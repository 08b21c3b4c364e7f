"""How often a cluster answers, whoever asks: limits per minute, in lab time."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from typing import Final

from cucm_certflow.lab.scenario import LimitsSpec

__all__ = ["Limits", "RateLimit"]

_MINUTE: Final = timedelta(minutes=1)


class RateLimit:
    """So many questions in any minute, such as "Allowed Device Queries Per Minute".

    Args:
        per_minute: How many; 0 or more.
    """

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._taken: deque[datetime] = deque()

    def take(self, now: datetime) -> bool:
        """Whether one more question is allowed at *now*; one that is not does not count."""
        while self._taken and now - self._taken[0] >= _MINUTE:
            self._taken.popleft()
        if len(self._taken) >= self.per_minute:
            return False
        self._taken.append(now)
        return True


class Limits:
    """The limits of one cluster, shared by all its nodes.

    Args:
        spec: What the scenario says.
    """

    def __init__(self, spec: LimitsSpec) -> None:
        self.ris: Final = RateLimit(spec.ris_per_minute)
        self.perfmon: Final = RateLimit(spec.perfmon_per_minute)
        self.axl_answer_bytes: Final = int(spec.axl_answer_mb * 1_000_000)
