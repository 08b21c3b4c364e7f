"""What a mutant is missed for: explorations of it, beside one of the whole tables.

A mutant is killed when a configuration shows a flaw that the whole tables do not show in it: a
violation, a story that is stuck, a hold that never ends, no end at all, or an exception. A mutant
that a table refuses to be is killed by the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final, NamedTuple

import attrs

from cucm_certflow.core.states import Blocked, Guard
from cucm_certflow.core.view import View
from cucm_certflow.procedures.vocabulary import Proof
from cucm_certflow.testing.explorer import Exploration
from tests.proof.every_table import EVERY_TABLE
from tests.proof.mutations import MUTANTS, Kind, Model, Mutant, both, name_of, over_guards
from tests.proof.runs import no_sweeps
from tests.proof.small import SMALL, Configuration

__all__ = [
    "CONFIGURATIONS",
    "FOR_GOOD",
    "HOW_IT_ENDS",
    "NEVER_ENDS",
    "WITHOUT_END",
    "Seen",
    "concerned",
    "effective",
    "missed",
    "refusal",
    "seen",
]

STUCK, FOR_GOOD, WITHOUT_END = "stuck", "held for good", "more states than it may have"
NEVER_ENDS: Final = "no story comes to its end"
HOW_IT_ENDS: Final = frozenset({STUCK, FOR_GOOD, WITHOUT_END, NEVER_ENDS})
"""What is seen of an exploration as a whole."""

MOST: Final = 4_000

CONFIGURATIONS: Final[Mapping[str, Configuration]] = {**SMALL, **EVERY_TABLE}


class Seen(NamedTuple):
    """What an exploration showed."""

    flaws: frozenset[str]
    said_no: frozenset[str] = frozenset()
    """The guards that stood in somebody's way: without another one, nothing would be otherwise."""

    steps: tuple[tuple[str, str], ...] = ()
    """What the plan does, in its order."""

    states: int = 0

    proofs: frozenset[Proof] = frozenset()
    tables: frozenset[str] = frozenset()
    """The procedures of the plan, as the mutants of their rows name them."""


def _watched(model: Model, said_no: set[str]) -> Model:
    def watching(guard: Guard[View]) -> Guard[View]:
        check = guard.check

        def watch(view: View) -> Blocked | None:
            answer = check(view)
            if answer is not None:
                said_no.add(guard.name)
            return answer

        return attrs.evolve(guard, check=watch)

    return over_guards(model, watching)


@cache
def refusal(*mutants: str) -> str | None:
    """Why a table refuses to be what *mutants* make of it; None if it does not."""
    try:
        both(*(MUTANTS[name] for name in mutants)).book()
    except ValueError as error:
        return str(error)
    return None


@cache
def seen(configuration: str, *mutants: str) -> Seen:
    """What *configuration* shows with all of *mutants* at once; the whole tables without any."""
    model = both(*(MUTANTS[name] for name in mutants))
    said_no: set[str] = set()
    book = _watched(model, said_no).book()
    flaws: set[str] = set()
    plan, states = None, 0
    try:
        with model.in_force(), no_sweeps():
            explorer = CONFIGURATIONS[configuration](book)
            plan = explorer.plan
            found = explorer.explore(most=MOST)
    except (AssertionError, KeyError, RuntimeError, ValueError) as error:
        flaws.add(type(error).__name__)
    else:
        states = found.states
        flaws = _flaws_of(found)
    steps = plan.steps if plan is not None else ()
    tables = plan.procedures.values() if plan is not None else ()
    return Seen(
        flaws=frozenset(flaws),
        said_no=frozenset(said_no),
        steps=tuple((step.id, str(step.command)) for step in steps),
        states=states,
        proofs=frozenset(step.row.proof for step in steps),
        tables=frozenset(map(name_of, tables)),
    )


def _flaws_of(found: Exploration) -> set[str]:
    if found.violation is None and not found.complete:
        return {WITHOUT_END}
    flaws = set() if found.violation is None else {found.violation.what}
    if found.violation is None and not found.finished:
        flaws.add(NEVER_ENDS)
    if found.stuck:
        flaws.add(STUCK)
    if found.held_for_good:
        flaws.add(FOR_GOOD)
    return flaws


def _may_matter(mutant: Mutant, configuration: str, others: tuple[str, ...]) -> bool:
    """Whether *mutant* can be noticed there beside *others*: if not, all is as without it."""
    without = seen(configuration, *others)
    match mutant.kind:
        case Kind.GUARD:
            return mutant.name in without.said_no
        case Kind.PROOF:
            return Proof[mutant.name.partition(":")[0]] in without.proofs
        case Kind.ROWS if mutant.name.partition(":")[0] not in without.tables:
            return False
        case Kind.ROWS | Kind.STAGES:
            orders = [o for o in others if MUTANTS[o].kind in (Kind.ROWS, Kind.STAGES)]
            return _steps_of(configuration, *orders, mutant.name) != without.steps
        case Kind.EDGE:
            return True


@cache
def _steps_of(configuration: str, *mutants: str) -> tuple[tuple[str, str], ...]:
    """What the plan does, in its order; empty where there is none."""
    try:
        book = both(*(MUTANTS[name] for name in mutants)).book()
        steps = CONFIGURATIONS[configuration](book).plan.steps
    except (AssertionError, ValueError):
        return ()
    return tuple((step.id, str(step.command)) for step in steps)


@cache
def effective(configuration: str, *mutants: str) -> tuple[str, ...]:
    """Those of *mutants* that can be noticed there: without the others all is the same."""
    kept: tuple[str, ...] = ()
    grown = True
    while grown:
        grown = False
        for name in mutants:
            if name not in kept and _may_matter(MUTANTS[name], configuration, kept):
                kept, grown = (*kept, name), True
    return kept


def concerned(*mutants: str) -> Iterator[str]:
    """The configurations in which each of *mutants* can be noticed beside the others."""
    for name in CONFIGURATIONS:
        if len(effective(name, *mutants)) == len(mutants):
            yield name


def missed(configuration: str, *mutants: str) -> frozenset[str]:
    """What *mutants* are missed for in *configuration*."""
    return seen(configuration, *mutants).flaws - seen(configuration).flaws
