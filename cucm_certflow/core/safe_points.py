"""Where a run may stop for long: no certificate is half-way between its key and its services.

Every moment between two commands keeps the lifeline of every phone; but a node that reboots in the
middle would come up with what nobody has listed or proved. A safe point is a state in which no
convergence has begun its commands without finishing all of them but the resets: phones that were
not called yet may wait for days.
"""

from __future__ import annotations

from collections.abc import Iterable

from cucm_certflow.core.plan import Plan, Step
from cucm_certflow.core.run_state import RunState
from cucm_certflow.core.states import CommandState
from cucm_certflow.procedures.vocabulary import Stage

__all__ = ["at_safe_point", "may_rest_before", "unfinished"]

_UNDER_WAY = (CommandState.INTENDED, CommandState.SENT, CommandState.IN_DOUBT)


def _convergence_of(plan: Plan, step: Step) -> tuple[Step, ...]:
    """The steps of one wave that belong together with *step*: they share certificates."""
    wave = [s for s in plan.steps if (s.window, s.row.wave) == (step.window, step.row.wave)]
    units = {key.unit for key in step.certificates}
    grown = True
    while grown:
        grown = False
        for other in wave:
            theirs = {key.unit for key in other.certificates}
            if theirs & units and not theirs <= units:
                units |= theirs
                grown = True
    return tuple(s for s in wave if units & {key.unit for key in s.certificates})


def _is_at_rest(state: RunState, steps: Iterable[Step]) -> bool:
    """Whether *steps*, which belong together, are not begun, or done but for the phones."""
    must = [s for s in steps if s.row.stage is not Stage.RESET]
    progress = [state.steps[s.index] for s in must]
    begun = any(each.attempt or each.state is CommandState.PROVED for each in progress)
    return not begun or all(each.state is CommandState.PROVED for each in progress)


def unfinished(plan: Plan, state: RunState) -> tuple[Step, ...]:
    """The first steps that were not proved of what is half-way; empty at a safe point."""
    seen: set[int] = set()
    found: list[Step] = []
    for step in plan.steps:
        if step.index in seen:
            continue
        together = _together(plan, step)
        seen.update(s.index for s in together)
        if not _is_at_rest(state, together):
            found += [
                s
                for s in together
                if s.row.stage is not Stage.RESET
                and state.steps[s.index].state is not CommandState.PROVED
            ][:1]
    return tuple(found)


def _together(plan: Plan, step: Step) -> tuple[Step, ...]:
    # A clean-up has no certificates: it is one piece, from the first stop to the last start.
    return _convergence_of(plan, step) if step.certificates else plan.steps


def at_safe_point(plan: Plan, state: RunState) -> bool:
    """Whether nothing is under way, and nothing half-way."""
    busy = any(each.state in _UNDER_WAY for each in state.steps)
    return not busy and not unfinished(plan, state)


def may_rest_before(plan: Plan, state: RunState, step: Step) -> bool:
    """Whether the run may stand still before *step* for long."""
    return _is_at_rest(state, _together(plan, step))
