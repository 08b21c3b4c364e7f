"""Which command, or look, a scenario's faults strike, and which exchange its events wait for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from cucm_certflow.lab.scenario_events import EventSpec
from cucm_certflow.lab.scenario_faults import FaultKind, FaultSpec, door_of

__all__ = ["Exchange", "Faults"]


class Exchange(NamedTuple):
    """A command or a look that was asked of the cluster: when, of which node, in which words."""

    at: datetime
    node: str
    text: str


class Faults:
    """Counts what is asked of the cluster, over all sessions; one that was lost counts, too.

    Args:
        specs: The faults: each strikes once, or ``times`` times.
        events: Those that wait for an exchange happen after it; others are not looked at.
        now: This instant of the cluster.
        happen: Lets an event happen, so many seconds from now; 0 is before it returns.
    """

    def __init__(
        self,
        specs: Sequence[FaultSpec],
        events: Sequence[EventSpec],
        *,
        now: Callable[[], datetime],
        happen: Callable[[EventSpec, float], object],
    ) -> None:
        self._specs = tuple(specs)
        self._events = tuple(event for event in events if event.command is not None)
        self._counts = [0] * len(self._specs)
        self._waited = [0] * len(self._events)
        self._now = now
        self._happen = happen
        self._lasting: dict[tuple[str, int], tuple[FaultSpec, datetime]] = {}
        self._exchanges: list[Exchange] = []
        self._breaks: set[str] = set()

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """Everything that was asked until now, in order, looks as well as commands."""
        return tuple(self._exchanges)

    def break_next(self, node: str) -> None:
        """Whatever is sent to *node* next loses its connection half-way, once."""
        self._breaks.add(node)

    def strike(self, node: str, text: str, *others: str) -> FaultSpec | None:
        """The fault that strikes *text*, sent to *node* now; the first, if several do.

        Args:
            node: Who is asked.
            text: In which words.
            others: Other words by which faults and events may name the same exchange.
        """
        now, texts = self._now(), (text, *others)
        self._exchanges.append(Exchange(now, node, text))
        for index, event in enumerate(self._events):
            assert event.command is not None  # the others were left out
            if event.command_node in (None, node) and _begins(texts, event.command):
                self._waited[index] += 1
                if self._waited[index] == event.nth:
                    self._happen(event, event.after_s)
        struck: FaultSpec | None = None
        for index in self._meant(node, texts):
            spec = self._specs[index]
            self._counts[index] += 1
            if 0 <= self._counts[index] - spec.nth < spec.times and struck is None:
                struck = spec
        if struck is None and node in self._breaks:
            self._breaks.discard(node)
            struck = FaultSpec(kind=FaultKind.RESET_DURING, command=text, node=node)
        if struck is not None and struck.kind.is_about_connection:
            until = now + timedelta(seconds=struck.for_s)
            self._lasting[node, door_of(text)] = (struck, until)
        return struck

    def strikes_on_the_way(self, node: str, text: str, *others: str) -> bool:
        """Whether what would strike *text* now strikes the connection that it needs.

        Who knows what it is about to send calls :meth:`strike` then before it connects. Nothing is
        counted here.
        """
        for index in self._meant(node, (text, *others)):
            spec = self._specs[index]
            if 0 <= self._counts[index] + 1 - spec.nth < spec.times:
                return spec.kind.is_about_connection
        return False

    def _meant(self, node: str, texts: Sequence[str]) -> Iterator[int]:
        for index, spec in enumerate(self._specs):
            if spec.node in (None, node) and _begins(texts, spec.command):
                yield index

    def at_door(self, node: str, door: int) -> FaultSpec | None:
        """What whoever comes to port *door* of *node* now meets, of the kinds that last."""
        spec, until = self._lasting.get((node, door), (None, None))
        return spec if until is not None and self._now() < until else None


def _begins(texts: Sequence[str], command: str) -> bool:
    return any(f"{text} ".startswith(f"{command.strip()} ") for text in texts)
