"""The rules that people and clocks put before a command: orders, approvals, hours, the clock."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from cucm_certflow.core.durations import remaining_s
from cucm_certflow.core.gates import again_gate, gates_before
from cucm_certflow.core.safe_points import may_rest_before
from cucm_certflow.core.states import Blocked, Guard
from cucm_certflow.core.view import View
from cucm_certflow.orders import OrderKind
from cucm_certflow.procedures.vocabulary import Source

__all__ = ["CONTROL_GUARDS", "MAINTENANCE_GUARD"]

_DESIGN: Final = Source("DESIGN", "§3", "after the first change a run may hold")
_CLOCK: Final = Source("state machines", "§3", "a clock that went back is not settled")
_SLACK_S: Final = 5.0
"""What a clock may be put back by whoever sets it, without meaning anything."""

_CATCHES_UP_S: Final = 600.0
"""A clock that went back by less is waited for."""


def _clock_goes_on(view: View) -> Blocked | None:
    latest = view.state.latest
    if latest is None or view.now >= latest - timedelta(seconds=_SLACK_S):
        return None
    back = (latest - view.now).total_seconds()
    return Blocked(
        guard="clock_goes_on",
        detail=f"the clock of this machine went back by {back:.0f} s: nothing can be told from it",
        evidence=(
            f"the journal was last written at {latest.isoformat(timespec='seconds')}",
            f"it is {view.now.isoformat(timespec='seconds')} now",
        ),
        unlock="the right time on this machine; then resume",
        source=str(_CLOCK),
        retry_at=view.retry_at if back <= _CATCHES_UP_S else None,
        subject=view.subject,
    )


def _not_stopped(view: View) -> Blocked | None:
    wish = view.state.wish
    if wish is OrderKind.RESUME or not may_rest_before(view.plan, view.state, view.step):
        return None
    return _stopped(view)


def _stopped(view: View) -> Blocked:
    return Blocked(
        guard="not_stopped",
        detail=f"a person asked to {view.state.wish.value}: nothing more is begun",
        unlock="an order to go on",
        source=str(_DESIGN),
        subject=view.subject,
    )


def _approved(view: View) -> Blocked | None:
    missing = [g for g in gates_before(view.plan, view.step) if g.item not in view.state.approved]
    if not missing:
        return None
    step = view.step
    ready = view.state.steps[step.after].since if step.after is not None else None
    since = max((each for each in (ready, view.state.began) if each is not None), default=view.now)
    within_s = view.plan.policy.approval_within_s
    waits = view.now < since + timedelta(seconds=within_s)
    return Blocked(
        guard="approved",
        detail=f"it waits for a person's approval: {missing[0].question}",
        unlock="an approval, with who gives it and why",
        source="policy: approve",
        retry_at=view.retry_at if waits else None,
        subject=view.subject,
        items=tuple(gate.item for gate in missing),
    )


def _again_approved(view: View) -> Blocked | None:
    gate = again_gate(view.plan, view.state, view.step)
    if gate is None or gate.item in view.state.approved:
        return None
    return Blocked(
        guard="again_approved",
        detail=f"it was seen not to have taken effect; {gate.question} waits for a person",
        unlock="an approval, with who gives it and why",
        source="policy: anchors_sent_again",
        subject=view.subject,
        items=(gate.item,),
    )


def _time_is_left(view: View) -> Blocked | None:
    limit, began = view.plan.policy.run_within_s, view.state.began
    if limit is None and view.state.maintenance is None:
        return None
    if not may_rest_before(view.plan, view.state, view.step):
        return None  # half-way: what was begun is finished
    if limit is not None and began is not None:
        over_at = began + timedelta(seconds=limit)
        if view.now >= over_at:
            return Blocked(
                guard="time_is_left",
                detail=f"the run's {limit:.0f} s are over",
                unlock="a person resumes it, and its time begins anew",
                source="policy: run_within_s",
                subject=view.subject,
            )
    return _fits(view, view.step.window)


def _fits(view: View, window: int) -> Blocked | None:
    maintenance = view.state.maintenance
    if maintenance is None:
        return None
    seconds = remaining_s(view.plan, view.state, window)
    if maintenance.fits(view.now, seconds):
        return None
    is_open, later = maintenance.open_at(view.now), maintenance.next_after(view.now)
    first = later is not None and later is maintenance.windows[0]
    measured = "as measured before" if maintenance.measured_s else "nothing was measured before"
    needs = f"window {window + 1} needs {seconds:.0f} s more ({measured})"
    return Blocked(
        guard="time_is_left",
        detail=(
            f"{needs}, and the maintenance window closes first"
            if is_open is not None
            else f"no maintenance window is open; {needs}"
        ),
        evidence=tuple(map(str, maintenance.windows)),
        unlock="another maintenance window, given when the run is resumed",
        source="policy of those who agreed on the maintenance window",
        # Before the first one opens a run waits for it; afterwards it holds at a safe point.
        retry_at=later.opens if later is not None and first else None,
        subject=view.subject,
    )


def _window_may_open(view: View) -> Blocked | None:
    window = view.plan.window_of[view.certificate]
    if any(view.state.steps[s.index].attempt for s in view.plan.steps if s.window == window):
        return None
    if view.state.wish is not OrderKind.RESUME:
        return _stopped(view)
    return _fits(view, window)


CONTROL_GUARDS: Final[tuple[Guard[View], ...]] = (
    Guard("clock_goes_on", "the clock is not behind the journal", _clock_goes_on, _CLOCK),
    Guard("not_stopped", "nobody asked to pause or to abort", _not_stopped, _DESIGN),
    Guard("approved", "what the policy marks was approved", _approved, _DESIGN),
    Guard("again_approved", "a second send was approved, if asked for", _again_approved, _DESIGN),
    Guard("time_is_left", "it can be finished in time", _time_is_left, _DESIGN),
)
"""Before each command; a run that is half-way is finished first."""

MAINTENANCE_GUARD: Final[Guard[View]] = Guard(
    "window_may_open", "a window that opens now can be finished in time", _window_may_open, _DESIGN
)
"""Before a convergence window opens."""
