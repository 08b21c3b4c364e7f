"""The rules that say no to the next batch of resets: canaries, failures, the batch before."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from cucm_certflow.commands import ResetPhones
from cucm_certflow.core.phones_back import Back, evidence_of, phones_back
from cucm_certflow.core.plan import Step
from cucm_certflow.core.states import Blocked, Guard
from cucm_certflow.core.view import View
from cucm_certflow.procedures.vocabulary import Source

__all__ = ["BATCH_GUARDS"]

_GUIDE: Final = Source("Cisco security guide 14SU2", "Certificates", "phones are reset in batches")
_LOOK: Final = (
    "find out why; then let them register and resume, or waive them by name: the other phones "
    "would fare alike"
)


def _canaries_are_back(view: View) -> Blocked | None:
    resets = _resets(view)
    canaries = [step for step in resets if step.canary]
    others = [step for step in resets if not step.canary]
    if view.step not in others or not canaries:
        return None
    if any(view.state.steps[step.index].attempt for step in others):
        return None  # the gate was passed
    back = _back(view, "canaries_are_back")
    if isinstance(back, Blocked):
        return back
    names = _missing(view, back, canaries)
    if not names:
        return None
    within_s = view.plan.policy.canary_within_s
    since = max(view.state.steps[step.index].since or view.now for step in canaries)
    count, left = len(_phones_of(view, canaries)), len(_phones_of(view, others))
    return Blocked(
        guard="canaries_are_back",
        detail=f"{len(names)} of {count} canaries are not back: the other {left} phones are not "
        "reset",
        evidence=evidence_of(back.missing, names),
        unlock=_LOOK,
        source=str(_GUIDE),
        retry_at=_until(view, since, within_s),
        subject=view.subject,
        phones=names,
    )


def _few_failures(view: View) -> Blocked | None:
    policy = view.plan.policy
    if policy.failure_limit is None:
        return None
    called = [
        step
        for step in _resets(view)
        if step.index < view.step.index
        and (at := view.state.steps[step.index].intended_at) is not None
        and (view.now - at).total_seconds() >= policy.phone_back_within_s
    ]
    if not called:
        return None
    back = _back(view, "failure_limit")
    if isinstance(back, Blocked):
        return back
    names = _missing(view, back, called)
    if len(names) <= policy.failure_limit:
        return None
    return Blocked(
        guard="failure_limit",
        detail=f"{len(names)} phones are not back {policy.phone_back_within_s:.0f} s after their "
        f"reset, and {policy.failure_limit} may be: the next batch is not sent",
        evidence=evidence_of(back.missing, names),
        unlock=_LOOK,
        source=str(_GUIDE),
        subject=view.subject,
        phones=names,
    )


def _batch_before_is_back(view: View) -> Blocked | None:
    policy = view.plan.policy
    if not policy.batch_waits:
        return None
    before = [s for s in _resets(view) if s.index < view.step.index and not s.canary][-1:]
    if not before:
        return None
    back = _back(view, "batch_before_is_back")
    if isinstance(back, Blocked):
        return back
    names = _missing(view, back, before)
    if len(names) <= (policy.failure_limit or 0):
        return None
    since = view.state.steps[before[0].index].intended_at or view.now
    return Blocked(
        guard="batch_before_is_back",
        detail=f"{len(names)} phones of {before[0].id} are not back",
        evidence=evidence_of(back.missing, names),
        unlock=_LOOK,
        source=str(_GUIDE),
        retry_at=_until(view, since, policy.phone_back_within_s),
        subject=view.subject,
        phones=names,
    )


def _resets(view: View) -> list[Step]:
    """The resets of the step's wave, in order; none if the step is no reset itself."""
    if not isinstance(view.step.command, ResetPhones):
        return []
    wave = view.steps_of(view.step.window, view.step.row.wave)
    return [step for step in wave if isinstance(step.command, ResetPhones)]


def _back(view: View, guard: str) -> Back | Blocked:
    return phones_back(view, guard, view.step.window, view.step.row.wave)


def _phones_of(view: View, steps: Iterable[Step]) -> list[str]:
    """The phones in scope that *steps* reset, in order of name."""
    called = (step.command.names for step in steps if isinstance(step.command, ResetPhones))
    return sorted(name for names in called for name in names if name not in view.state.waived)


def _missing(view: View, back: Back, steps: Iterable[Step]) -> tuple[str, ...]:
    """The phones of *steps* that are not back, in order of name."""
    return tuple(name for name in _phones_of(view, steps) if name in back.missing)


def _until(view: View, since: datetime, within_s: float) -> datetime | None:
    """When to look again; None once *within_s* seconds from *since* have passed."""
    return view.retry_at if view.now < since + timedelta(seconds=within_s) else None


BATCH_GUARDS: Final[tuple[Guard[View], ...]] = (
    Guard(
        "canaries_are_back",
        "one phone of each kind was reset first, and is back",
        _canaries_are_back,
        _GUIDE,
    ),
    Guard(
        "failure_limit",
        "no more phones have failed to come back than the policy allows",
        _few_failures,
        _GUIDE,
    ),
    Guard(
        "batch_before_is_back",
        "the batch before is back, where the policy has batches wait",
        _batch_before_is_back,
        _GUIDE,
    ),
)
"""What a reset waits for beside the rest, each after the policy."""
