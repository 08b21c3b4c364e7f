"""In which batches phones are reset: the canaries first, and then all others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import groupby
from typing import Final

from cucm_certflow.commands import ResetPhones
from cucm_certflow.core.plan import Plan, Step
from cucm_certflow.facts import Phone
from cucm_certflow.procedures.policies import BatchesBy, Canary, Policy

__all__ = ["batches_of", "canaries_of", "needs_confirmation"]

_TOGETHER: Final[Mapping[BatchesBy, Callable[[Phone], tuple[str, ...]]]] = {
    BatchesBy.NAME: lambda _: (),
    BatchesBy.GROUP: lambda phone: phone.group,
    BatchesBy.POOL: lambda phone: (phone.pool,),
}
"""What all phones of a batch have alike."""


def canaries_of(plan: Plan) -> frozenset[str]:
    """One phone of each kind, by name: the first of those that are expected to come back.

    A kind is model, protocol, CallManager group, security mode and profile. A phone that is waived,
    that nothing waits for, or that the plan's outlook says will not simply come back (it is not
    registered, or turns the new lists down) would show nothing new; a kind of such phones alone
    has no canary. None at all if no other phone would be left to be spared.
    """
    if plan.policy.canary is Canary.OFF:
        return frozenset()
    useless = {outlook.name for outlook in plan.outlooks} | plan.waived | set(plan.not_awaited)
    chosen: dict[tuple[object, ...], str] = {}
    for phone in sorted(plan.facts.phones, key=lambda phone: phone.name):
        if phone.name not in useless:
            chosen.setdefault(_kind(phone), phone.name)
    canaries = frozenset(chosen.values())
    others = {phone.name for phone in plan.facts.phones} - canaries - plan.waived
    return canaries if others else frozenset()


def _kind(phone: Phone) -> tuple[object, ...]:
    return phone.model, phone.protocol, phone.group, phone.security, phone.profile


def batches_of(
    phones: Iterable[Phone], policy: Policy, canaries: frozenset[str]
) -> list[tuple[str, ...]]:
    """The names of each batch, in order: *canaries*, and then the others as *policy* has it."""
    alike = _TOGETHER[policy.batches_by]
    everyone = sorted(phones, key=lambda phone: (alike(phone), phone.name))
    others = [phone for phone in everyone if phone.name not in canaries]
    runs = [sorted(canaries)]
    runs += [[phone.name for phone in run] for _, run in groupby(others, key=alike)]
    size = policy.reset_batch
    return [tuple(run[i : i + size]) for run in runs for i in range(0, len(run), size)]


def needs_confirmation(plan: Plan, step: Step) -> bool:
    """Whether a person confirms *step* before it is sent: the first batch after the canaries.

    Where every phone is a canary, nothing is left to be confirmed.
    """
    if plan.policy.canary is not Canary.CONFIRMED or not isinstance(step.command, ResetPhones):
        return False
    wave = [
        other
        for other in plan.steps
        if isinstance(other.command, ResetPhones)
        and (other.window, other.row.wave) == (step.window, step.row.wave)
    ]
    first = next((other for other in wave if not other.canary), None)
    return first is step and any(other.canary for other in wave)
