"""What happens when, without tasks: events that are due run before anybody looks."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from datetime import datetime, timedelta

from cucm_certflow.clock import Clock
from cucm_certflow.lab.chronicle import Cause, Chronicle
from cucm_certflow.lab.counters import TftpCounters
from cucm_certflow.lab.physics.world import Layout, Phone, PhoneKind, World
from cucm_certflow.lab.timing import Timing

__all__ = ["Agenda", "Stage"]


class Agenda:
    """A heap of events; equal instants run in the order in which they were put down.

    Nothing runs by itself: :meth:`catch_up` runs what is due, each event at its own instant. What
    an event puts down has the same cause as the event itself.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[tuple[datetime, int, Callable[[], object], Cause | None]] = []
        self._count = 0
        self._is_running = False
        self.now = clock.now()
        """The instant of the event that runs, else that of the last :meth:`catch_up`."""
        self.cause: Cause | None = None
        """What is going on comes of this; whoever takes a command says so until the next look."""

    def at(self, instant: datetime, action: Callable[[], object]) -> None:
        """Put down that *action* happens at *instant*."""
        self._count += 1
        heapq.heappush(self._heap, (instant, self._count, action, self.cause))

    def catch_up(self) -> None:
        """Run everything that is due by now."""
        if self._is_running:
            return
        self._is_running = True
        try:
            now = self._clock.now()
            while self._heap and self._heap[0][0] <= now:
                instant, _, action, self.cause = heapq.heappop(self._heap)
                self.now = max(self.now, instant)
                action()
            self.now = max(self.now, now)
        finally:
            self._is_running, self.cause = False, None


class Stage:
    """The world, the hour and chance: what the cluster and its phones share.

    Chance does not depend on the order of things: each draw has a name, so that one more command
    at the beginning does not change the boots of all phones at the end.

    Phones change one by one and there are 40,000 of them: they are kept in a list, beside the world
    that they live in, and put into it only when somebody wants to see the whole.
    """

    def __init__(
        self,
        layout: Layout,
        kinds: tuple[PhoneKind, ...],
        world: World,
        *,
        agenda: Agenda,
        timing: Timing,
        seed: int,
    ) -> None:
        self.layout = layout
        self.kinds = kinds
        self.agenda = agenda
        self.chronicle = Chronicle(world)
        """What has changed, and what it came of."""
        self._scenery = world._replace(phones=())
        self.timing = timing
        self.tftp = {node: TftpCounters() for node in layout.tftp_nodes}
        """What each TFTP node has counted since Cisco Tftp started there."""
        self._phones = list(world.phones)
        self._frozen: tuple[Phone, ...] | None = None
        self._seed = seed

    @property
    def now(self) -> datetime:
        """The instant of what is happening."""
        return self.agenda.now

    @property
    def scenery(self) -> World:
        """The world without its phones."""
        return self._scenery

    @scenery.setter
    def scenery(self, scenery: World) -> None:
        if scenery != self._scenery:
            self._scenery = scenery
            self.chronicle.scenery(self.now, self.agenda.cause, scenery)

    @property
    def world(self) -> World:
        """The whole of it, phones included, as of now."""
        if self._frozen is None:
            self._frozen = tuple(self._phones)
        return self.scenery._replace(phones=self._frozen)

    def phone(self, index: int) -> Phone:
        """How the phone at that place is."""
        return self._phones[index]

    def put(self, index: int, phone: Phone) -> None:
        """From now on the phone at that place is so."""
        before = self._phones[index]
        if before != phone:
            self._phones[index] = phone
            self._frozen = None
            if (before.itl, before.ctl) != (phone.itl, phone.ctl):
                cause = self.agenda.cause
                self.chronicle.lists(self.now, cause, index, phone.itl, phone.ctl)

    def draw(self, name: str, span: tuple[float, float]) -> timedelta:
        """A duration within *span* seconds, decided by the seed and *name*."""
        return timedelta(seconds=random.Random(f"{self._seed}/{name}").uniform(*span))

    def about(self, name: str, seconds: float) -> timedelta:
        """*seconds*, give or take the scenario's jitter."""
        off = seconds * self.timing.jitter
        return self.draw(name, (seconds - off, seconds + off))

    def after(self, delay: timedelta, action: Callable[[], object]) -> datetime:
        """Put down that *action* happens *delay* from now; returns when."""
        instant = self.now + delay
        self.agenda.at(instant, action)
        return instant
