"""Why a run holds, for the person who has to decide: the roots, without what follows from them."""

from __future__ import annotations

from typing import Final

from cucm_certflow.core.plan import Plan
from cucm_certflow.core.run_state import RunState
from cucm_certflow.core.safe_points import unfinished
from cucm_certflow.core.states import Blocked
from cucm_certflow.errors import NodeError
from cucm_certflow.facts import Want
from cucm_certflow.orders import OrderKind

__all__ = ["for_a_person", "half_way", "standing_still", "stopped_by", "too_slow"]

_CONSEQUENCES: Final = frozenset(
    {
        "exclusion",
        "not_stopped",
        "nothing_held",
        "stage_reached",
        "step_before_proved",
        "window_is_open",
        "window_regenerated",
    }
)
"""Guards that say no only because another one does."""


def half_way(plan: Plan, state: RunState) -> tuple[Blocked, ...]:
    """Why a run that was asked to stop cannot yet."""
    steps = unfinished(plan, state)
    if state.wish is OrderKind.RESUME or not steps:
        return ()
    names = ", ".join(step.id for step in steps)
    return (
        Blocked(
            guard="half_way",
            detail=f"a person asked to {state.wish.value}, and it stands half-way: what "
            f"was begun must be finished first ({names})",
            unlock="what the reasons below say; then resume, or ask to abort once more",
            subject=names,
        ),
    )


def for_a_person(blocked: tuple[Blocked, ...]) -> tuple[Blocked, ...]:
    """The reasons that only a person can change, without those that follow from them."""
    roots = [
        reason
        for reason in blocked
        if reason.unlock
        and not reason.guard.endswith("_proved")
        and reason.guard not in _CONSEQUENCES
    ]
    unique: dict[tuple[str, str, tuple[str, ...]], Blocked] = {}
    for reason in roots or blocked:
        unique.setdefault((reason.guard, reason.detail, reason.evidence), reason)
    return tuple(unique.values())


def too_slow(wants: tuple[Want, ...], fresh_s: float) -> Blocked:
    """What is read is too old before it can be used."""
    return Blocked(
        guard="facts_stay_fresh",
        detail=f"reading takes so long that facts are older than {fresh_s:.0f} s before they can "
        "be used",
        evidence=tuple(str(want.query) for want in wants[:5]),
        unlock="a larger fresh_s in the policy, or faster nodes",
    )


_LIMITED: Final = frozenset(
    {
        "approved",
        "batch_before_is_back",
        "budget_is_over",
        "canaries_are_back",
        "phones_back",
        "time_is_left",
        "watched_long_enough",
    }
)
"""Guards whose waiting has a limit of its own, which may be longer."""


def standing_still(
    blocked: tuple[Blocked, ...], still_s: float, within_s: float
) -> tuple[Blocked, ...]:
    """Why a run that only looks, and has for *still_s* seconds, holds; empty if it looks on.

    What it waits for may never come: a service that is gone, an interface that nobody answers on,
    a list that others changed. A limit of the policy, *within_s*, is over then.
    """
    waits = tuple(reason for reason in blocked if reason.retry_at is not None)
    if still_s < within_s or any(reason.guard in _LIMITED for reason in waits):
        return ()
    first = Blocked(
        guard="stands_still",
        detail=f"nothing has moved for {still_s:.0f} s; what it waits for may never come",
        evidence=tuple(f"{each.guard}: {each.subject}: {each.detail}" for each in waits[:5]),
        unlock="what the reasons below say; then resume",
        source="policy: stands_still_s",
    )
    return (first, *for_a_person(waits))


def stopped_by(error: NodeError) -> Blocked:
    """A refused account or a strange identity: nothing more is sent anywhere."""
    return Blocked(
        guard="way_to_the_node",
        detail=error.report.headline,
        evidence=tuple(line for line in (error.report.saw, error.report.expected) if line),
        unlock=error.report.next or "a person puts this right, then resumes",
        source=error.code,
    )
