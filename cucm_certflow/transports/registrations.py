"""The registrations of many phones, read again only where something may have changed."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from cucm_certflow.clock import Clock
from cucm_certflow.facts import Registration

__all__ = ["Counts", "RegistrationWatch"]

Counts = Mapping[str, int | None]
"""Registered devices by node, as PerfMon counts them; None for a node that does not say."""

_SHARE: Final = 10
"""Of a page that is sent anyway, for old records: it costs no request, but the node's work."""

_MISMATCHES: Final = 2
"""Looks in a row. PerfMon and RISPort70 are not asked at the same instant, and phones move."""


class _Told(NamedTuple):
    """A phone that was told to go: its stamp by then, and how long it is waited for."""

    since: datetime | None
    until: float


class RegistrationWatch:
    """Knows where every phone of a cluster is registered, within RISPort70's few requests a minute.

    A cluster of up to *whole_up_to* phones is read whole at each look. A larger one is read whole
    once. After that a look asks RISPort70 for the phones that are missing, for those that were told
    to go (:meth:`expect_news`) and have not been seen to come back, and for those of a node whose
    PerfMon counters have moved by something else than what was read of its phones. Some of the room
    that is left in the last page goes to the phones that were not read for the longest time; those
    older than *max_age_s* are read in any case, a page a look.

    So that a phone is *still* registered rests, between two reads of it, on the counters of its
    node; that it *came back* never does: for that its own record is read.

    Args:
        read: The registrations of some phones, by name, fresh; as ``RisClient.registrations``.
        count: Registered devices by node; None if PerfMon cannot be used, and then every look
            reads every phone.
        clock: Measures age.
        page: Names per request of *read*.
        whole_up_to: Phones that are read whole at each look; 0 or more.
        max_age_s: Seconds after which a record is read again whatever happens; over 0.
        count_every_s: Seconds from one reading of the counters to the next; 0 or more.
    """

    def __init__(
        self,
        read: Callable[[Sequence[str]], Awaitable[Mapping[str, Registration]]],
        count: Callable[[], Awaitable[Counts | None]],
        clock: Clock,
        *,
        page: int = 1000,
        whole_up_to: int = 2000,
        max_age_s: float = 600.0,
        count_every_s: float = 60.0,
    ) -> None:
        if max_age_s <= 0:
            message = f"max_age_s must be over 0 seconds, saw {max_age_s}"
            raise ValueError(message)
        self._read = read
        self._count = count
        self._clock = clock
        self._page = page
        self._whole_up_to = whole_up_to
        self._max_age_s = max_age_s
        self._count_every_s = count_every_s
        self._counted_at = float("-inf")
        self._counts: Counts | None = {}
        self._names: tuple[str, ...] = ()
        self._table: dict[str, Registration] = {}
        self._read_at: dict[str, float] = {}
        self._told: dict[str, _Told] = {}
        self._suspects: set[str] = set()
        self._mismatches: Counter[str] = Counter()
        self._agreed: dict[str, tuple[int, int]] = {}
        self._turn = asyncio.Lock()

    @property
    def names(self) -> tuple[str, ...]:
        """The phones that :meth:`all` is about."""
        return self._names

    @names.setter
    def names(self, names: Iterable[str]) -> None:
        self._names = tuple(dict.fromkeys(names))
        known = set(self._names)
        self._table = {name: each for name, each in self._table.items() if name in known}

    def expect_news(self, names: Iterable[str], *, within_s: float | None = None) -> None:
        """These phones were told to go: they are read until they have registered anew.

        Args:
            names: Of the phones.
            within_s: Seconds after which a phone that is registered as before is taken to have
                stayed; not given, it is read until it has come back.
        """
        until = float("inf") if within_s is None else self._clock.monotonic() + within_s
        for name in names:
            record = self._table.get(name)
            self._told[name] = _Told(record.at if record is not None else None, until)

    def expect_news_of(self, node: str) -> None:
        """The CallManager of *node* restarts: its phones may go."""
        going = [name for name, each in self._table.items() if each.node == node]
        self.expect_news(going, within_s=self._max_age_s)

    async def of(self, names: Sequence[str]) -> Mapping[str, Registration]:
        """The registrations of *names*, read now; NodeError as *read*."""
        async with self._turn:
            return await self._ask(names)

    async def all(self) -> Mapping[str, Registration]:
        """The registrations of all phones; NodeError as *read*.

        Cancelling it leaves what was read so far.
        """
        async with self._turn:
            if len(self._names) <= self._whole_up_to:
                return await self._ask(self._names)
            is_time = self._clock.monotonic() - self._counted_at >= self._count_every_s
            if is_time:
                self._counts = await self._count()
                self._counted_at = self._clock.monotonic()
            before = self._counts
            due = self._due(before)
            await self._ask(due)
            if is_time:
                self._compare(before, await self._count() if due else before)
            return dict(self._table)

    async def _ask(self, names: Sequence[str]) -> Mapping[str, Registration]:
        found: dict[str, Registration] = {}
        for start in range(0, len(names), self._page):
            page = await self._read(names[start : start + self._page])
            found |= page
            self._take(page)
        return found

    def _take(self, page: Mapping[str, Registration]) -> None:
        now = self._clock.monotonic()
        for name, record in page.items():
            self._table[name] = record
            self._read_at[name] = now
            self._suspects.discard(name)
            told = self._told.get(name)
            if told is not None and record.registered:
                is_new = told.since is None or (record.at is not None and record.at > told.since)
                if is_new or now > told.until:
                    del self._told[name]

    def _due(self, counts: Counts | None) -> list[str]:
        if counts is None:
            return list(self._names)
        silent = {node for node, count in counts.items() if count is None}

        def is_due(name: str) -> bool:
            record = self._table.get(name)
            return (
                record is None
                or not record.registered
                or name in self._told
                or name in self._suspects
                or record.node in silent
            )

        due = [name for name in self._names if is_due(name)]
        taken = set(due)
        old = [name for name in self._names if name not in taken]
        old.sort(key=lambda name: self._read_at[name])
        oldest_s = self._clock.monotonic() - self._read_at[old[0]] if old else 0.0
        if oldest_s > self._max_age_s:
            room = -len(due) % self._page or self._page
        else:
            room = min(-len(due) % self._page, self._page // _SHARE)
        return due + old[:room]

    def _compare(self, before: Counts | None, after: Counts | None) -> None:
        """Suspect the phones of a node whose counters moved otherwise than what was read."""
        if before is None or after is None:
            self._agreed.clear()
            return
        listed = Counter(each.node for each in self._table.values() if each.registered)
        for node in before:
            low, high = before[node], after.get(node)
            if low is None or high is None:
                self._agreed.pop(node, None)
                continue
            low, high = min(low, high), max(low, high)
            if node in self._agreed:
                counted, read = self._agreed[node]
                if low - counted <= listed[node] - read <= high - counted:
                    self._mismatches[node] = 0
                    continue
                self._mismatches[node] += 1
                if self._mismatches[node] < _MISMATCHES:
                    continue
                self._suspects |= {name for name, each in self._table.items() if each.node == node}
            elif low != high:
                continue  # it moved while it was read: there is nothing yet to compare with
            self._mismatches[node] = 0
            self._agreed[node] = (high, listed[node])
