"""Two evaluators, one answer: ``transitions`` and the seven lines that anybody can read.

The explorations decide by an evaluator that asks both, on every reachable state, trigger and view,
and whose guards watch what they return.
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
    assert by_table == {"command": 36, "certificate": 19, "trust entry": 7}


@pytest.mark.parametrize("table", [COMMAND, CERTIFICATE, ENTRY], ids=lambda table: table.name)
def test_every_edge_is_taken_by_some_story(table: Table[View, Any]) -> None:
    taken = {triple.edge for triple in answers().triples if triple.table == table.name}
    assert taken - {""} == {edge.name for edge in table.edges} - NEVER_TAKEN


# No process sleeps in these stories (tests/journeys/test_control.py).
NEVER_TAKEN: Final = frozenset({"withheld"})

# decide() passes over a planned step whose predecessor is not proved, and the steps of a plan form
# one chain: only why_not hears these. And the explorer's facts never age: what was deleted is
# found done before it could be found missing (tests/journeys/test_trust_cleanup.py).
# Nobody gives orders here, no clock goes back, and nobody changes anything from outside
# (tests/journeys/test_control.py and test_drift.py); a service that was deactivated before the run
# began is drift already. No plan of these has a failure limit (tests/journeys/test_phones.py).
NEVER_SAYS_NO: Final = frozenset(
    {"step_before_proved", "nothing_held", "one_change_at_a_time", "entry_is_there"}
    | {"failure_limit"}
    | {"approved", "again_approved", "clock_goes_on", "not_stopped", "time_is_left"}
    | {"window_may_open", "service_is_up", "reply_withheld"}
)


def test_every_guard_says_no_in_some_story() -> None:
    every = {*COMMAND_GUARDS, *CERTIFICATE_GUARDS, *ENTRY_GUARDS}
    assert every - answers().said_no == NEVER_SAYS_NO
