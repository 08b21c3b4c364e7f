"""A table of states as a diagram: every state, edge, trigger and guard of it."""

from __future__ import annotations

from enum import Enum
from typing import Any

from cucm_certflow.core.states import Table
from cucm_certflow.report.diagrams.graph import Diagram, Edge, Node, NodeKind, Shape

__all__ = ["machine_diagram"]


def machine_diagram(table: Table[Any, Any]) -> Diagram:
    """The diagram of *table*; edges in the order in which they are tried. Pure."""
    states: type[Enum] = table.states
    return Diagram(
        shape=Shape.MACHINE,
        title=f"States of a {table.name}",
        description=(
            f"{len(states)} states from {table.initial.value!r} on, and "
            f"{len(table.edges)} edges. An edge is taken when none of its guards says no; edges "
            "that leave one state are tried in the order of the list."
        ),
        nodes=tuple(
            Node(
                id=state.name,
                title=str(state.value),
                kind=NodeKind.FINAL if state in table.final else NodeKind.STATE,
            )
            for state in states
        ),
        edges=tuple(
            Edge(
                source=edge.source.name,
                dest=edge.dest.name,
                label=edge.name,
                trigger=edge.trigger,
                guards=tuple(guard.name for guard in edge.guards),
                note="sends the command" if edge.emits else "",
            )
            for edge in table.edges
        ),
        initial=table.initial.name,
    )
