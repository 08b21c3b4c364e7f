"""The windows of a plan as a diagram: every step in the lane of its node, barriers between."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby, pairwise
from typing import Final

from cucm_certflow.commands import ByHand, ResetPhones
from cucm_certflow.core.plan import Plan, Step
from cucm_certflow.report.diagrams.graph import Diagram, Edge, Group, Node, NodeKind, Shape
from cucm_certflow.report.diagrams.procedures import barrier_lines

__all__ = ["plan_diagram"]

_PHONES: Final = "the phones"
"""No node is called so: a name has no space."""


def plan_diagram(plan: Plan) -> Diagram:
    """The diagram of *plan*: windows in order, nodes as lanes, barriers between. Pure.

    Batches of one reset stand together as one node. A refused plan is drawn as well: the notes
    say first that it is, and why.
    """
    nodes = tuple(_nodes(plan))
    names = [node.name for node in plan.facts.in_order]
    used = {node.lane for node in nodes}
    lanes = [lane for lane in (*names, _PHONES) if lane in used]
    mode = plan.facts.mode.name.lower().replace("_", "-")
    return Diagram(
        shape=Shape.LANES,
        title=f"Windows of a plan: release {plan.facts.release}, {mode} mode",
        description=(
            f"{len(plan.windows)} windows with {len(plan.steps)} steps, from top to bottom and "
            "from left to right, one at a time. Each stands in the lane of its node."
        ),
        nodes=nodes,
        edges=tuple(Edge(source=a.id, dest=b.id) for a, b in pairwise(nodes)),
        groups=tuple(
            Group(
                id=_window(window.number),
                title=f"window {window.number + 1}",
                lines=(", ".join(window.units) or "trust certificates", window.reason),
            )
            for window in plan.windows
        ),
        lanes=tuple(lanes),
        notes=tuple(_notes(plan)),
    )


def _window(number: int) -> str:
    return f"window-{number + 1}"


def _nodes(plan: Plan) -> Iterator[Node]:
    ends = _wave_ends(plan)
    for _, same in groupby(plan.steps, _together):
        steps = list(same)
        yield _node(steps)
        last = steps[-1]
        if last.index in ends:
            yield Node(
                id=f"barrier-{last.window + 1}-{last.row.wave + 1}",
                title="barrier",
                kind=NodeKind.BARRIER,
                lines=barrier_lines(plan.policy),
            )


def _wave_ends(plan: Plan) -> set[int]:
    """The last step of each wave after which phones are waited for."""
    ends: dict[tuple[int, int], int] = {}
    for step in plan.steps:
        if any(plan.procedures[key.unit].moves_lists for key in step.certificates):
            ends[step.window, step.row.wave] = step.index
    return set(ends.values())


def _together(step: Step) -> tuple[object, ...]:
    """The same for steps that are one node of the diagram: the batches of one reset."""
    if isinstance(step.command, ResetPhones):
        return step.window, step.row.wave, step.row.name
    return (step.index,)


def _node(steps: list[Step]) -> Node:
    first, last = steps[0], steps[-1]
    number = f"{first.index + 1}"
    if len(steps) > 1:
        number += f" to {last.index + 1}"
    lane, lines = first.command.node, [str(first.command)]
    if isinstance(first.command, ResetPhones):
        lane, lines = _PHONES, _reset(steps)
    lines.append(f"proof: {first.row.proof.value}")
    return Node(
        id=first.id,
        title=first.row.name,
        tag=number,
        lines=tuple(lines),
        kind=NodeKind.BY_HAND if isinstance(first.command, ByHand) else NodeKind.STEP,
        lane=lane,
        group=_window(first.window),
    )


def _reset(steps: list[Step]) -> list[str]:
    batches = [step.command for step in steps if isinstance(step.command, ResetPhones)]
    phones = sum(len(command.names) for command in batches)
    lines = [f"{phones} phones in {len(batches)} batches"]
    canaries = [step for step in steps if step.canary]
    if canaries:
        lines.append("one of each kind first, and waited for")
    return lines


def _notes(plan: Plan) -> Iterator[str]:
    for refusal in plan.refusals:
        yield f"REFUSED, nothing is sent: {refusal.guard}: {refusal.detail}"
    waived = len(plan.waived)
    if waived:
        yield f"{waived} phones are waived by name: no barrier waits for them."
    if plan.outlooks:
        yield f"{len(plan.outlooks)} phones will not simply come back: the plan names each."
    if not plan.steps:
        yield "There are no steps."
