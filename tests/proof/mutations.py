"""Mutants of the production tables: one guard, edge, proof or order is not as it is meant to be.

A mutant is data: what it makes of a :class:`Model`. An exploration shows what it is missed for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from itertools import pairwise
from typing import Any, Final, TypeVar
from unittest.mock import patch

import attrs

from cucm_certflow.core import proofs
from cucm_certflow.core.decide import Tables
from cucm_certflow.core.machine import Evaluator
from cucm_certflow.core.plan import Plan, Step
from cucm_certflow.core.proofs import PROOFS, Shown, Verdict
from cucm_certflow.core.states import CertificateState, CommandState, EntryState, Guard, Table
from cucm_certflow.core.tables import CERTIFICATE, COMMAND, ENTRY
from cucm_certflow.core.view import View
from cucm_certflow.procedures import PROCEDURES
from cucm_certflow.procedures.vocabulary import Procedure, Proof, Stage
from tests.proof.small import Book

__all__ = [
    "EDGES",
    "GUARDS",
    "MUTANTS",
    "ORDERS",
    "WEAKER",
    "Kind",
    "Model",
    "Mutant",
    "both",
    "name_of",
    "over_guards",
]

StateT = TypeVar("StateT", CommandState, CertificateState, EntryState)
Shows = Callable[[View], Shown]


@attrs.frozen(eq=False)
class Model:
    """All that a run goes by: whole, or as a mutant leaves it."""

    command: Table[View, CommandState] = COMMAND
    certificate: Table[View, CertificateState] = CERTIFICATE
    entry: Table[View, EntryState] = ENTRY
    procedures: tuple[Procedure, ...] = PROCEDURES
    shows: Mapping[Proof, Shows] = PROOFS
    swapped: tuple[tuple[Stage, Stage], ...] = ()
    """Stages of which the second is taken before the first, where they are neighbours."""

    def book(self) -> Book:
        """What a configuration takes.

        Raises:
            ValueError: A table refuses to be what the mutant makes of it.
        """
        tables = Tables(Evaluator(self.command), Evaluator(self.certificate), Evaluator(self.entry))
        return Book(tables, self.procedures, self._laid_out)

    def _laid_out(self, plan: Plan) -> Plan:
        for first, second in self.swapped:
            plan = _swapped(plan, first, second)
        return plan

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """While it lasts, proofs look as they do here."""
        with patch.object(proofs, "PROOFS", self.shows):
            yield


class Kind(Enum):
    """What is done to the tables."""

    GUARD = "guard removed"
    EDGE = "edge removed"
    PROOF = "proof weakened"
    ROWS = "rows swapped"
    STAGES = "stages swapped"


@attrs.frozen(eq=False)
class Mutant:
    """One thing that is not as it is meant to be.

    Attributes:
        kind: What is done to the tables.
        name: Of all mutants no other has it.
        does: What that means, in words.
        change: What it makes of a model; ValueError where a table refuses it.
    """

    kind: Kind
    name: str
    does: str
    change: Callable[[Model], Model]

    def __str__(self) -> str:
        return self.name


def both(*mutants: Mutant) -> Model:
    """What several mutants make of the whole tables together."""
    model = Model()
    for mutant in mutants:
        model = mutant.change(model)
    return model


# ── guards and edges ──────────────────────────────────────────────────────────────────────


def _over_tables(
    model: Model, change: Callable[[Table[View, StateT]], Table[View, StateT]]
) -> Model:
    return attrs.evolve(
        model,
        command=change(model.command),  # type: ignore[arg-type]  # - one function for three tables
        certificate=change(model.certificate),  # type: ignore[arg-type]  # - as above
        entry=change(model.entry),  # type: ignore[arg-type]  # - as above
    )


def over_guards(model: Model, change: Callable[[Guard[View]], Guard[View]]) -> Model:
    """*model* with every guard on every edge replaced."""

    def over_edges(table: Table[View, StateT]) -> Table[View, StateT]:
        edges = (attrs.evolve(e, guards=tuple(map(change, e.guards))) for e in table.edges)
        return attrs.evolve(table, edges=tuple(edges))

    return _over_tables(model, over_edges)


def _without_guard(name: str) -> Callable[[Model], Model]:
    def deaf(guard: Guard[View]) -> Guard[View]:
        return attrs.evolve(guard, check=lambda _: None) if guard.name == name else guard

    return lambda model: over_guards(model, deaf)


def _without_edge(owner: str, name: str) -> Callable[[Model], Model]:
    def change(table: Table[View, StateT]) -> Table[View, StateT]:
        if table.name != owner:
            return table
        left = attrs.evolve(table, edges=tuple(e for e in table.edges if e.name != name))
        if faults := left.lint():
            message = "; ".join(faults)
            raise ValueError(message)
        return left

    return lambda model: _over_tables(model, change)


_TABLES: Final[tuple[Table[View, Any], ...]] = (COMMAND, CERTIFICATE, ENTRY)
GUARDS: Final = tuple(
    Mutant(Kind.GUARD, guard.name, f"not asked: {guard.rule}", _without_guard(guard.name))
    for guard in {g.name: g for t in _TABLES for e in t.edges for g in e.guards}.values()
)
"""Each guard says yes to everything, on every edge that has it."""

EDGES: Final = tuple(
    Mutant(
        Kind.EDGE,
        f"{table.name}: {edge.name}",
        f"no way from {edge.source.value} to {edge.dest.value}",
        _without_edge(table.name, edge.name),
    )
    for table in _TABLES
    for edge in table.edges
)
"""Each edge is not there."""

# ── proofs ────────────────────────────────────────────────────────────────────────────────


def _always(_: View) -> Shown:
    return Shown(Verdict.DONE, "nobody looked")


def _at_first_node(proof: Proof) -> Shows:
    """The proof, which looks at the first TFTP node alone."""

    def look(view: View) -> Shown:
        first = view.plan.trust.tftp_nodes[0]
        others = {node.name for node in view.plan.trust.tftp_nodes[1:]}
        nodes = tuple(
            n._replace(tftp=False) if n.name in others else n for n in view.plan.trust.nodes
        )
        assert first in nodes
        plan = attrs.evolve(view.plan, trust=view.plan.trust._replace(nodes=nodes))
        narrow = View(plan, view.state, view.facts, view.now).of(view.step)
        narrow.wants = view.wants
        return PROOFS[proof](narrow)

    return look


def _weaker(proof: Proof, how: str, does: str, shows: Shows) -> Mutant:
    def change(model: Model) -> Model:
        return attrs.evolve(model, shows={**model.shows, proof: shows})

    return Mutant(Kind.PROOF, f"{proof.name}: {how}", does, change)


_ALWAYS: Final = "done without looking"
_FIRST: Final = "of the TFTP nodes only the first is looked at"
WEAKER: Final = (
    *(_weaker(proof, "always", f"{_ALWAYS}: {proof.value}", _always) for proof in Proof),
    *(
        _weaker(proof, "first node", _FIRST, _at_first_node(proof))
        for proof in (Proof.CTL_SERVED, Proof.CTL_SIGNED_ANEW, Proof.ITL_SIGNED_ANEW)
    ),
    *(
        _weaker(proof, "restart only", "what is served is not looked at", PROOFS[Proof.RESTARTED])
        for proof in (Proof.ITL_SERVED, Proof.HTTPS_PRESENTS)
    ),
)
"""Each proof is satisfied with less."""

# ── orders ────────────────────────────────────────────────────────────────────────────────


def _swapped(plan: Plan, first: Stage, second: Stage) -> Plan:
    """*plan*, in which blocks of steps of *second* come before those of *first* next to them."""
    blocks: list[list[Step]] = []
    for step in plan.steps:
        if blocks and _block(blocks[-1][-1]) == _block(step):
            blocks[-1].append(step)
        else:
            blocks.append([step])
    at = 0
    while at + 1 < len(blocks):
        here, then = blocks[at][0], blocks[at + 1][0]
        if _block(here) == (here.window, here.row.wave, first) and _block(then) == (
            here.window,
            here.row.wave,
            second,
        ):
            blocks[at], blocks[at + 1] = blocks[at + 1], blocks[at]
            at += 1
        at += 1
    return _in_order(plan, [step for block in blocks for step in block])


def _block(step: Step) -> tuple[int, int, Stage]:
    return step.window, step.row.wave, step.row.stage


def _in_order(plan: Plan, order: Iterable[Step]) -> Plan:
    """*plan*, whose steps are one chain in *order*."""
    moved = tuple(order)
    steps = tuple(
        attrs.evolve(step, index=index, after=index - 1 if index else None)
        for index, step in enumerate(moved)
    )
    now_at = {step.index: index for index, step in enumerate(moved)}
    return attrs.evolve(
        plan,
        steps=steps,
        index_of={step.id: step.index for step in steps},
        steps_of={
            key: tuple(s.index for s in steps if key in s.certificates) for key in plan.steps_of
        },
        batch_of={key: now_at[index] for key, index in plan.batch_of.items()},
    )


def _rows_swapped(where: str, first: str, second: str) -> Callable[[Model], Model]:
    def swapped(table: Procedure) -> Procedure:
        if name_of(table) != where:
            return table
        rows = {row.name: row for row in table.rows}
        order = ({first: second, second: first}.get(row.name, row.name) for row in table.rows)
        return attrs.evolve(table, rows=tuple(rows[name] for name in order))

    return lambda model: attrs.evolve(model, procedures=tuple(map(swapped, model.procedures)))


def name_of(table: Procedure) -> str:
    """Which table it is, as the names of its rows' mutants begin."""
    return f"{table.unit} {table.releases}"


def _row_orders() -> Iterator[Mutant]:
    for table in PROCEDURES:
        where = name_of(table)
        for first, second in pairwise(row.name for row in table.rows):
            name = f"{where}: {second} before {first}"
            does = f"{first} comes after {second}"
            yield Mutant(Kind.ROWS, name, does, _rows_swapped(where, first, second))


def _stage_order(first: Stage, second: Stage) -> Mutant:
    def change(model: Model) -> Model:
        return attrs.evolve(model, swapped=(*model.swapped, (first, second)))

    does = f"in every plan, {second.value} comes before {first.value}"
    return Mutant(Kind.STAGES, f"{second.name} before {first.name}", does, change)


ORDERS: Final = (
    *_row_orders(),
    *(
        _stage_order(first, second)
        for first, second in (
            (Stage.REGENERATE, Stage.CTL),
            (Stage.REGENERATE, Stage.RESTART),
            (Stage.CTL, Stage.RESTART),
            (Stage.CTL, Stage.RESET),
            (Stage.RESTART, Stage.RESET),
            (Stage.STOP, Stage.DELETE),
            (Stage.DELETE, Stage.RESTART),
            (Stage.DELETE, Stage.START),
            (Stage.RESTART, Stage.START),
        )
    ),
)
"""Neighbouring rows of each table, and stages that are neighbours in some plan, swapped."""

MUTANTS: Final[Mapping[str, Mutant]] = {
    mutant.name: mutant for mutant in (*GUARDS, *EDGES, *WEAKER, *ORDERS)
}
"""All of them, by name."""
