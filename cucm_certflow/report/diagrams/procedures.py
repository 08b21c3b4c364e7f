"""A procedure as a diagram: the rows that apply, where each is done, its proof, the barriers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from cucm_certflow.procedures.explain import Explanation
from cucm_certflow.procedures.policies import Policy
from cucm_certflow.procedures.vocabulary import Condition, DoneByHand, Row
from cucm_certflow.report.diagrams.graph import Diagram, Edge, Group, Node, NodeKind, Shape

__all__ = ["barrier_lines", "procedure_diagram"]

_NO_BARRIER: Final = "No barrier: phones hold it in no list."


def barrier_lines(policy: Policy) -> tuple[str, ...]:
    """What a barrier waits for, and until when it does."""
    grade = policy.barrier.name.lower().replace("_", "-")
    return (
        f"every phone in scope {grade} within {policy.barrier_within_s:.0f} s, or waived by name; "
        "otherwise the run holds",
    )


def procedure_diagram(told: Explanation) -> Diagram:
    """The diagram of a procedure under one release and mode. Pure.

    Raises:
        ValueError: There is no procedure there; the message says why, as ``told.refused`` does.
    """
    table = told.procedure
    if table is None or told.refused:
        message = f"{told.title}: {told.refused}"
        raise ValueError(message)
    nodes: list[Node] = []
    for number, row in enumerate(told.rows, 1):
        nodes.append(_step(told, number, row))
        if table.moves_lists and (number == len(told.rows) or told.rows[number].wave != row.wave):
            nodes.append(
                Node(
                    id=f"barrier-{row.wave + 1}",
                    title="barrier",
                    kind=NodeKind.BARRIER,
                    lines=barrier_lines(told.policy),
                )
            )
    waves = tuple(dict.fromkeys(row.wave for row in told.rows))
    return Diagram(
        shape=Shape.LANES,
        title=told.title,
        description=(
            f"{len(told.rows)} steps from top to bottom, one at a time, each proved before the "
            "next. Each stands in the lane of where it is done."
        ),
        nodes=tuple(nodes),
        edges=tuple(Edge(source=a.id, dest=b.id) for a, b in pairwise(nodes)),
        groups=tuple(
            Group(id=_wave(wave), title=f"wave {wave + 1}" if len(waves) > 1 else "one wave")
            for wave in waves
        ),
        lanes=tuple(dict.fromkeys(node.lane for node in nodes if node.lane)),
        notes=tuple(_notes(told)),
    )


def _wave(wave: int) -> str:
    return f"wave-{wave + 1}"


def _step(told: Explanation, number: int, row: Row) -> Node:
    what, where = told.doing(row)
    by_hand = isinstance(row.does, DoneByHand)
    lines = [what]
    if row.when is not Condition.ALWAYS:
        lines.append(f"when: {row.when.value}")
    lines += [f"before: {each}" for each in sorted(each.value for each in row.requires)]
    lines.append(f"proof: {row.proof.value}")
    lines.append(f"within {row.within_s:g} s, or it holds")
    lines.append(f"source: {row.source}")
    return Node(
        id=row.name,
        title=row.name,
        tag=f"{number}, {row.stage.value}",
        lines=tuple(lines),
        kind=NodeKind.BY_HAND if by_hand else NodeKind.STEP,
        lane=where,
        group=_wave(row.wave),
    )


def _notes(told: Explanation) -> Iterator[str]:
    table = told.procedure
    assert table is not None
    if table.never_with:
        yield f"Never in one window with: {', '.join(sorted(table.never_with))}."
    if table.joins:
        yield f"Shares the window and the restarts of {table.joins}, where both are asked for."
    if told.joined_by:
        yield f"Joined in its window by {', '.join(told.joined_by)}, where asked for."
    if not table.moves_lists:
        yield _NO_BARRIER
    for exposure in told.exposures:
        until = exposure.until or "the window is over"
        yield (
            f"Tolerated until {until}: {exposure.phones.value} may need a remedy, "
            f"{exposure.remedy} ({exposure.source})."
        )
    for row in told.left_out:
        yield f"Left out here: {row.name}, only when {row.when.value}."
