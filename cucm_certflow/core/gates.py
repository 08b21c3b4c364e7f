"""What waits for a person's approval: stages that the policy marks, and second sends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from cucm_certflow.core.batches import needs_confirmation
from cucm_certflow.core.forecast import moves_trust
from cucm_certflow.core.plan import Plan, Step
from cucm_certflow.core.run_state import RunState
from cucm_certflow.core.states import Blocked, CommandState
from cucm_certflow.errors import NotWaiting, Report
from cucm_certflow.nearest import suggestion

__all__ = ["Gate", "again_gate", "check_waiting", "gates_before", "waiting_gates"]


class Gate(NamedTuple):
    """Something that waits. *item* is what is approved, *question* says what that means."""

    item: str
    question: str


def gates_before(plan: Plan, step: Step) -> Iterator[Gate]:
    """What must be approved before *step* is sent for the first time."""
    stage = step.row.stage
    if stage in plan.policy.approve:
        yield Gate(
            f"{step.window + 1}.{_wave(step)}{stage.value}",
            f"the {stage.value} stage of window {step.window + 1}, from {step.id} on",
        )

    if needs_confirmation(plan, step):
        yield Gate(
            f"{step.window + 1}.{_wave(step)}{stage.value}-rest",
            f"the other phones after the canaries of window {step.window + 1}, from {step.id} on",
        )


def _wave(step: Step) -> str:
    return f"{step.row.wave + 1}." if step.row.wave else ""


def again_gate(plan: Plan, state: RunState, step: Step) -> Gate | None:
    """What must be approved before *step* is sent once more; None if the policy asks nobody."""
    if plan.policy.anchors_sent_again or not moves_trust(step.command):
        return None
    attempt = state.steps[step.index].attempt
    return Gate(f"again:{step.id}#{attempt}", f"sending `{step.command}` a second time")


def waiting_gates(plan: Plan, state: RunState) -> tuple[Gate, ...]:
    """Everything that waits for a person now, of what the journal alone can tell."""
    found: dict[str, Gate] = {}
    for step in plan.steps:
        progress = state.steps[step.index]
        if progress.state in (CommandState.IN_DOUBT, CommandState.HELD):
            again = again_gate(plan, state, step)
            if again is not None:
                found[again.item] = again
        before = step.after is None or state.steps[step.after].state is CommandState.PROVED
        if progress.state is CommandState.PLANNED and before:
            found |= {gate.item: gate for gate in gates_before(plan, step)}
    return tuple(gate for item, gate in found.items() if item not in state.approved)


def check_waiting(plan: Plan, state: RunState, blocked: Iterable[Blocked], item: str) -> None:
    """Make sure that *item* waits for an approval: by the journal, or by a reason in *blocked*.

    Raises:
        NotWaiting: Nothing of that name does; the report says what does.
    """
    waiting = {gate.item: gate.question for gate in waiting_gates(plan, state)}
    for reason in blocked:
        waiting |= {name: reason.detail for name in reason.items if name not in state.approved}
    if item in waiting:
        return
    words = "; ".join(f"{name} ({question})" for name, question in sorted(waiting.items()))
    raise NotWaiting(
        Report(
            headline=f"nothing called {item!r:.120} waits for an approval",
            expected=words or "nothing waits now",
            saw="it was approved already"
            if item in state.approved
            else suggestion(item, waiting).removeprefix("; "),
            left="nothing was written down",
            next="approve what waits, by the name that the reason gives",
        )
    )
