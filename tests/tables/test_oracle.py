"""Two evaluators, one answer: ``transitions`` and the seven lines that anybody can read.

The explorations decide by an evaluator that asks both, on every reachable state, trigger and view,
and whose guards watch what they return. Beyond what is reachable, guards are made to answer
anything: both evaluators go the same way for every combination of answers.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from functools import cache
from typing import Any, Final, Generic, NamedTuple, TypeVar

import attrs
import pytest

from cucm_certflow.core.certificate_guards import CERTIFICATE_GUARDS
from cucm_certflow.core.command_guards import COMMAND_GUARDS
from cucm_certflow.core.decide import Tables
from cucm_certflow.core.entry_guards import ENTRY_GUARDS
from cucm_certflow.core.machine import Evaluator, interpret
from cucm_certflow.core.states import (
    Blocked,
    CertificateState,
    CommandState,
    Edge,
    EntryState,
    Guard,
    Table,
)
from cucm_certflow.core.tables import CERTIFICATE, COMMAND, ENTRY
from cucm_certflow.core.view import View
from cucm_certflow.names import CertUnit
from cucm_certflow.testing.explorer import Limits
from tests.proof.runs import BOTH, R11_5, R14, Unkind, homed, layout_of, planned, show
from tests.proof.small import SMALL, Book

ViewT = TypeVar("ViewT")
StateT = TypeVar("StateT", bound=Enum)

ANYWHERE: Final = frozenset({"facts_known", "lists_served"})
"""What any guard may say in place of its own name: that it could not see."""


class Triple(NamedTuple):
    """A state, a trigger, and what came of it: an edge, or the guards that said no."""

    table: str
    state: str
    trigger: str
    edge: str
    blocked: tuple[str, ...]


class Both(Evaluator[ViewT, StateT], Generic[ViewT, StateT]):
    """Asks the Machine and the oracle, and compares."""

    def __init__(self, table: Table[ViewT, Any], seen: set[Triple]) -> None:
        super().__init__(table)
        self.seen = seen
        self.asked = 0

    def fire(
        self, state: StateT, trigger: str, view: ViewT
    ) -> tuple[Edge[ViewT, Any] | None, tuple[Blocked, ...]]:
        answer = super().fire(state, trigger, view)
        assert answer == interpret(self.table, state, trigger, view)
        edge, blocked = answer
        names = tuple(reason.guard for reason in blocked)
        self.seen.add(
            Triple(self.table.name, str(state), trigger, edge.name if edge else "", names)
        )
        self.asked += 1
        return answer


def watched(table: Table[View, Any], said_no: set[str]) -> Table[View, Any]:
    """*table*, whose guards fail the test if they answer by anything but None or their name."""

    def watching(guard: Guard[View]) -> Callable[[View], Blocked | None]:
        def check(view: View) -> Blocked | None:
            answer: object = guard.check(view)
            assert answer is None or isinstance(answer, Blocked)
            if answer is not None:
                assert answer.guard in {guard.name, *ANYWHERE}
                said_no.add(guard.name)
            return answer

        return check

    return attrs.evolve(
        table,
        edges=tuple(
            attrs.evolve(
                edge, guards=tuple(attrs.evolve(g, check=watching(g)) for g in edge.guards)
            )
            for edge in table.edges
        ),
    )


def _two_waves(book: Book) -> Unkind:
    layout, kinds = layout_of(R14, mixed=True), (homed("sub", secure=True),)
    plan = planned(layout, kinds, units={CertUnit.ITLRECOVERY})
    return Unkind(layout, kinds, plan, tables=book.tables, limits=Limits(phones_move=False))


def _with_faults(book: Book) -> Unkind:
    layout, kinds = layout_of(R11_5), (homed("sub"),)
    plan = planned(layout, kinds, units=BOTH)
    return Unkind(layout, kinds, plan, tables=book.tables)


EXPLORATIONS: Final = {**SMALL, "two waves": _two_waves, "every fault": _with_faults}


class Answers(NamedTuple):
    triples: frozenset[Triple]
    asked: int
    """How often both were asked."""

    said_no: frozenset[str]
    """The guards that stood in somebody's way."""


@cache
def answers() -> Answers:
    seen: set[Triple] = set()
    said_no: set[str] = set()
    command: Both[View, CommandState] = Both(watched(COMMAND, said_no), seen)
    certificate: Both[View, CertificateState] = Both(watched(CERTIFICATE, said_no), seen)
    entry: Both[View, EntryState] = Both(watched(ENTRY, said_no), seen)
    tables = Tables(command, certificate, entry)
    for make in EXPLORATIONS.values():
        make(Book(tables)).explore()
    asked = command.asked + certificate.asked + entry.asked
    show(f"{len(seen)} distinct triples, both asked {asked} times")
    return Answers(frozenset(seen), asked, frozenset(said_no))


def test_machine_and_oracle_agree_on_every_reachable_triple() -> None:
    by_table = {
        table.name: sum(triple.table == table.name for triple in answers().triples)
        for table in (COMMAND, CERTIFICATE, ENTRY)
    }
    assert by_table == {"command": 40, "certificate": 19, "trust entry": 7}


@pytest.mark.parametrize("table", [COMMAND, CERTIFICATE, ENTRY], ids=lambda table: table.name)
def test_every_edge_is_taken_by_some_story(table: Table[View, Any]) -> None:
    taken = {triple.edge for triple in answers().triples if triple.table == table.name}
    assert taken - {""} == {edge.name for edge in table.edges}


# decide() passes over a planned step whose predecessor is not proved, and the steps of a plan form
# one chain: only why_not hears these. The explorer's facts never age: what was deleted is found
# done before it could be found missing (tests/journeys/test_trust_cleanup.py). No plan of these has
# a failure limit (tests/journeys/test_phones.py). What people say before a window is opened is
# asked in tests/journeys/test_control.py, and a command that never left is the last reply tried.
NEVER_SAYS_NO: Final = frozenset(
    {"step_before_proved", "nothing_held", "one_change_at_a_time", "entry_is_there"}
    | {"failure_limit", "window_may_open", "reply_withheld"}
)


def test_every_guard_says_no_in_some_story() -> None:
    every = {*COMMAND_GUARDS, *CERTIFICATE_GUARDS, *ENTRY_GUARDS}
    assert every - answers().said_no == NEVER_SAYS_NO


# ── every answer that guards can give, reachable or not ───────────────────────────────────

Fire = Callable[[Table[Any, Any], Enum, str], tuple[Edge[Any, Any] | None, tuple[Blocked, ...]]]


class _UnansweredError(Exception):
    """A guard is asked of which nobody has said yet what it answers."""


class Leaf(NamedTuple):
    """What comes of answers, as far as they are asked for: no other answer is looked at."""

    answers: tuple[tuple[str, bool], ...]
    """The guards in the order in which they are asked first, and whether they say yes."""

    edge: str
    blocked: tuple[str, ...]


def _by_machine(
    table: Table[Any, Any], state: Enum, trigger: str
) -> tuple[Edge[Any, Any] | None, tuple[Blocked, ...]]:
    machine: Evaluator[Any, Any] = Evaluator(table)
    return machine.fire(state, trigger, None)


def _by_hand(
    table: Table[Any, Any], state: Enum, trigger: str
) -> tuple[Edge[Any, Any] | None, tuple[Blocked, ...]]:
    return interpret(table, state, trigger, None)


def _answering(guard: Guard[View], answers: dict[str, bool], asked: dict[str, bool]) -> Guard[Any]:
    """*guard*, which says what *answers* has for it, and notes in *asked* that it was asked."""

    def check(_: object) -> Blocked | None:
        if guard.name not in answers:
            raise _UnansweredError(guard.name)
        asked[guard.name] = answers[guard.name]
        return None if answers[guard.name] else Blocked(guard=guard.name, detail="no")

    return attrs.evolve(guard, check=check)


def leaves(fire: Fire, table: Table[View, Any], state: Enum, trigger: str) -> set[Leaf]:
    """Every way in which *fire* can go, by nothing but what guards answer."""
    found: set[Leaf] = set()
    todo: list[dict[str, bool]] = [{}]
    while todo:
        answers = todo.pop()
        asked: dict[str, bool] = {}
        edges = (
            attrs.evolve(edge, guards=tuple(_answering(g, answers, asked) for g in edge.guards))
            for edge in table.edges
        )
        try:
            edge, blocked = fire(attrs.evolve(table, edges=tuple(edges)), state, trigger)
        except _UnansweredError as unanswered:
            todo += [{**answers, str(unanswered): says_yes} for says_yes in (True, False)]
            continue
        names = tuple(reason.guard for reason in blocked)
        found.add(Leaf(tuple(asked.items()), edge.name if edge else "", names))
    return found


@pytest.mark.parametrize("table", [COMMAND, CERTIFICATE, ENTRY], ids=lambda table: table.name)
def test_machine_and_oracle_agree_on_every_answer_that_guards_can_give(
    table: Table[View, Any],
) -> None:
    states: type[Enum] = table.states
    ways = combinations = 0
    for state in states:
        for trigger in (*table.triggers, "no trigger of any table"):
            machine = leaves(_by_machine, table, state, trigger)
            assert machine == leaves(_by_hand, table, state, trigger), (state, trigger)
            guards = {g.name for edge in table.from_(state, trigger) for g in edge.guards}
            # Each combination of answers goes one of these ways, and none goes two.
            gone = sum(2 ** (len(guards) - len(leaf.answers)) for leaf in machine)
            assert gone == 2 ** len(guards), (state, trigger)
            ways, combinations = ways + len(machine), combinations + gone
    show(f"{table.name}: {combinations:,} combinations of answers, in {ways} ways")
    taken = {
        leaf.edge
        for state in states
        for trigger in table.triggers
        for leaf in leaves(_by_hand, table, state, trigger)
    }
    assert taken - {""} == {edge.name for edge in table.edges}
