"""What a mutant is missed for: explorations of it, beside one of the whole tables.

A mutant is killed when a configuration shows a flaw that the whole tables do not show in it: a
violation, a story that is stuck, a hold that never ends, no end at all, or an exception. A mutant
that a table refuses to be is killed by the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Final, NamedTuple

import attrs

from cucm_certflow.core.states import Blocked, Guard
from cucm_certflow.core.view import View
from cucm_certflow.procedures.vocabulary import Proof
from tests.proof.every_table import EVERY_TABLE
from tests.proof.mutations import MUTANTS, Kind, Model, Mutant, both, over_guards
from tests.proof.runs import Unkind, no_sweeps
from tests.proof.small import SMALL, Configuration

__all__ = ["CONFIGURATIONS", "FOR_GOOD", "REFUSED", "Seen", "concerned", "missed", "seen"]

STUCK, FOR_GOOD, WITHOUT_END = "stuck", "held for good", "more states than it may have"
NEVER_ENDS: Final = "no story comes to its end"
REFUSED: Final = "the table refuses it"
MOST: Final = 4_000

CONFIGURATIONS: Final[Mapping[str, Configuration]] = {**SMALL, **EVERY_TABLE}


class Seen(NamedTuple):
    """What an exploration showed."""

    flaws: frozenset[str]
    said_no: frozenset[str] = frozenset()
    """The guards that stood in somebody's way: without another one, nothing would be otherwise."""

    steps: tuple[tuple[str, str], ...] = ()
    """What the plan does, in its order."""

    proofs: frozenset[Proof] = frozenset()


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
def seen(configuration: str, *mutants: str) -> Seen:
    """What *configuration* shows with all of *mutants* at once; the whole tables without any."""
    try:
        model = both(*(MUTANTS[name] for name in mutants))
        said_no: set[str] = set()
        book = _watched(model, said_no).book()
    except ValueError:
        return Seen(frozenset({REFUSED}))
    with model.in_force(), no_sweeps():
        return _explored(lambda: CONFIGURATIONS[configuration](book), said_no)


def _explored(make: Callable[[], Unkind], said_no: set[str]) -> Seen:
    steps: tuple[tuple[str, str], ...] = ()
    proofs: frozenset[Proof] = frozenset()
    flaws: set[str] = set()
    try:
        explorer = make()
        steps = tuple((step.id, str(step.command)) for step in explorer.plan.steps)
        proofs = frozenset(step.row.proof for step in explorer.plan.steps)
        found = explorer.explore(most=MOST)
    except (AssertionError, KeyError, RuntimeError, ValueError) as error:
        flaws.add(type(error).__name__)
    else:
        if found.violation is not None:
            flaws.add(found.violation.what)
        elif not found.complete:
            return Seen(frozenset({WITHOUT_END}), frozenset(said_no), steps, proofs)
        elif not found.finished:
            flaws.add(NEVER_ENDS)
        if found.stuck:
            flaws.add(STUCK)
        if found.held_for_good:
            flaws.add(FOR_GOOD)
    return Seen(frozenset(flaws), frozenset(said_no), steps, proofs)


def _may_matter(mutant: Mutant, configuration: str, others: tuple[str, ...]) -> bool:
    """Whether *mutant* can be noticed there beside *others*: if not, all is as without it."""
    without = seen(configuration, *others)
    match mutant.kind:
        case Kind.GUARD:
            return mutant.name in without.said_no
        case Kind.PROOF:
            return Proof[mutant.name.partition(":")[0]] in without.proofs
        case Kind.ROWS | Kind.STAGES:
            return seen_steps(configuration, *others, mutant.name) != without.steps
        case Kind.EDGE:
            return True


@cache
def seen_steps(configuration: str, *mutants: str) -> tuple[tuple[str, str], ...]:
    """What the plan does, in its order; empty where there is none."""
    try:
        book = both(*(MUTANTS[name] for name in mutants)).book()
        steps = CONFIGURATIONS[configuration](book).plan.steps
    except (AssertionError, ValueError):
        return ()
    return tuple((step.id, str(step.command)) for step in steps)


def concerned(*mutants: str) -> Iterator[str]:
    """The configurations in which the last of *mutants* can be noticed beside the others."""
    *others, last = mutants
    for name in CONFIGURATIONS:
        if _may_matter(MUTANTS[last], name, tuple(others)):
            yield name


def missed(configuration: str, *mutants: str) -> frozenset[str]:
    """What *mutants* are missed for in *configuration*."""
    return seen(configuration, *mutants).flaws - seen(configuration).flaws
