"""Evaluates the tables: on ``transitions``, and by hand as the oracle that it is tested against.

This is the only module that imports ``transitions``: a synchronous Machine without a model,
fired on a throw-away cursor. Never AsyncMachine (0.9.3 swallows every CancelledError).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

from transitions import EventData, Machine, Transition
from transitions.core import Condition as _Condition

from cucm_certflow.core.states import Blocked, Edge, Guard, Table

__all__ = ["Evaluator", "interpret", "why_not"]

ViewT = TypeVar("ViewT")
StateT = TypeVar("StateT")


class _Cursor:
    """What a Machine is fired on: carries the view in, and the edge or the reasons out."""

    def __init__(self, state: object, view: object) -> None:
        self.state = state
        self.view = view
        self.edge: Edge[Any, Any] | None = None
        self.blocked: list[Blocked] = []


class _ReasonCondition(_Condition):
    """A condition that keeps why it said no; ``transitions`` would only keep a bool."""

    def check(self, event_data: EventData) -> bool:
        cursor = cast("_Cursor", event_data.model)
        guard = cast("Guard[Any]", self.func)
        blocked = guard.check(cursor.view)
        if blocked is not None:
            cursor.blocked.append(blocked)
        return blocked is None


class _ReasonTransition(Transition):
    condition_cls = _ReasonCondition


class _ReasonMachine(Machine):
    transition_cls = _ReasonTransition


class Evaluator(Generic[ViewT, StateT]):
    """A table, compiled once into a ``transitions`` Machine; thread-safe, it keeps no state."""

    def __init__(self, table: Table[ViewT, Any]) -> None:
        faults = table.lint()
        if faults:
            message = f"table {table.name}: {'; '.join(faults)}"
            raise ValueError(message)
        self.table = table
        self._machine = _ReasonMachine(
            model=None,
            states=table.states,
            initial=table.initial,
            auto_transitions=False,
            send_event=True,
        )
        for edge in table.edges:
            self._machine.add_transition(
                edge.trigger,
                edge.source,
                edge.dest,
                # The stubs want list[str | Callable]; a Guard goes through condition_cls only.
                conditions=cast("list[str | Callable[..., bool | None]]", list(edge.guards)),
                before=_note(edge),
            )

    def fire(
        self, state: StateT, trigger: str, view: ViewT
    ) -> tuple[Edge[ViewT, Any] | None, tuple[Blocked, ...]]:
        """The edge that *trigger* takes from *state*, or the reasons why none is taken."""
        if not self.table.from_(state, trigger):
            return None, ()
        cursor = _Cursor(state, view)
        self._machine.events[trigger].trigger(cursor)
        return (cursor.edge, ()) if cursor.edge else (None, tuple(cursor.blocked))


def _note(edge: Edge[Any, Any]) -> Callable[[EventData], None]:
    def note(event_data: EventData) -> None:
        cast("_Cursor", event_data.model).edge = edge

    return note


def interpret(
    table: Table[ViewT, Any], state: object, trigger: str, view: ViewT
) -> tuple[Edge[ViewT, Any] | None, tuple[Blocked, ...]]:
    """The same answer as :meth:`Evaluator.fire`, in seven lines that can be read: the oracle."""
    reasons: list[Blocked] = []
    for edge in table.from_(state, trigger):
        blocked = next((b for g in edge.guards if (b := g.check(view)) is not None), None)
        if blocked is None:
            return edge, ()
        reasons.append(blocked)
    return None, tuple(reasons)


def why_not(
    table: Table[ViewT, Any], state: object, trigger: str, view: ViewT
) -> tuple[Blocked, ...]:
    """Every reason at once why *trigger* would not fire, without firing."""
    return tuple(
        blocked
        for edge in table.from_(state, trigger)
        for guard in edge.guards
        if (blocked := guard.check(view)) is not None
    )
