"""The production tables with guards left out: explorations show what these are for."""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeVar

import attrs

from cucm_certflow.core.decide import Tables
from cucm_certflow.core.machine import Evaluator
from cucm_certflow.core.states import CertificateState, CommandState, EntryState, Guard, Table
from cucm_certflow.core.tables import CERTIFICATE, COMMAND, ENTRY
from cucm_certflow.core.view import View

__all__ = ["tables_without"]

StateT = TypeVar("StateT", CommandState, CertificateState, EntryState)


def tables_without(guards: Collection[str]) -> Tables:
    """The tables in their shape, in which *guards* say yes to everything."""
    return Tables(
        Evaluator(_deaf(COMMAND, guards)),
        Evaluator(_deaf(CERTIFICATE, guards)),
        Evaluator(_deaf(ENTRY, guards)),
    )


def _deaf(table: Table[View, StateT], names: Collection[str]) -> Table[View, StateT]:
    def deaf(guard: Guard[View]) -> Guard[View]:
        return attrs.evolve(guard, check=lambda _: None) if guard.name in names else guard

    return attrs.evolve(
        table,
        edges=tuple(
            attrs.evolve(edge, guards=tuple(map(deaf, edge.guards))) for edge in table.edges
        ),
    )
