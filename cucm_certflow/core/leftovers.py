"""What a run that ends early leaves: what is done, what is not, and the way to a safe state."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from cucm_certflow.commands import ResetPhones
from cucm_certflow.core.plan import Plan
from cucm_certflow.core.run_state import RunState
from cucm_certflow.core.safe_points import unfinished
from cucm_certflow.core.states import CertificateState, CommandState, EntryState

__all__ = ["Leftovers", "what_is_left"]

_DONE = (CertificateState.CONVERGED, CertificateState.VERIFIED)
_NOT_BEGUN = (CertificateState.PLANNED, CertificateState.REGENERATING)


@attrs.frozen(kw_only=True)
class Leftovers:
    """Everything in words, for the ticket.

    Attributes:
        done: What is finished.
        left: What is not, and how far it came.
        phones: The phones in scope that were not reset after something changed for them.
        next: What a person does to have the cluster in a state that can be left for days.
    """

    done: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    next: tuple[str, ...] = ()


def what_is_left(plan: Plan, state: RunState) -> Leftovers:
    """What *state* leaves. Pure: of the journal alone, nobody is asked."""
    done: list[str] = []
    left: list[str] = []
    for key, life in zip(plan.certificates, state.certificates, strict=True):
        waves = plan.procedures[key.unit].waves
        if life.state in _DONE and life.wave + 1 == waves:
            done.append(str(key))
        else:
            wave = f", time {life.wave + 1} of {waves}" if waves > 1 else ""
            left.append(f"{key}: {_words(plan, state, key, life.state)}{wave}")
    for entry, there in zip(plan.entries, state.entries, strict=True):
        (done if there.state is EntryState.GONE else left).append(f"{entry}: {there.state.value}")
    phones = _not_called(plan, state)
    return Leftovers(
        done=tuple(done),
        left=tuple(left),
        phones=phones,
        next=tuple(_next(plan, state, phones=phones, left=bool(left))),
    )


def _words(plan: Plan, state: RunState, key: object, reached: CertificateState) -> str:
    begun = any(state.steps[step.index].attempt for step in plan.steps if key in step.certificates)
    if reached in _NOT_BEGUN and not begun:
        return "not begun, its certificate is the old one"
    return f"{reached.value}, and not finished"


def _not_called(plan: Plan, state: RunState) -> tuple[str, ...]:
    """Phones whose reset belongs to a convergence that has begun, and was not proved."""
    begun = {
        (step.window, step.row.wave)
        for step in plan.steps
        if state.steps[step.index].attempt and not isinstance(step.command, ResetPhones)
    }
    names: set[str] = set()
    for step in plan.steps:
        if (
            isinstance(step.command, ResetPhones)
            and (step.window, step.row.wave) in begun
            and state.steps[step.index].state is not CommandState.PROVED
        ):
            names |= set(step.command.names)
    return tuple(sorted(names - state.waived))


def _next(plan: Plan, state: RunState, *, phones: tuple[str, ...], left: bool) -> Iterator[str]:
    for step in unfinished(plan, state):
        yield (
            f"half-way: `{step.command}` on {step.command.node} is "
            f"{state.steps[step.index].state.value}, and must be finished first: resume the run"
        )
    if phones:
        yield (
            f"reset {len(phones)} phones by name, in batches: they hold lists of before, and "
            "everything that they need is served"
        )
    if left and plan.certificates:
        yield "discover and plan again for the rest; nothing of this plan is taken over"
    for task in plan.tasks:
        if task.id not in state.acknowledged:
            yield f"{task.partner}: {' '.join(task.instructions)}"
    if plan.certificates:
        yield "take a new backup, and keep the rescue kit until then"
