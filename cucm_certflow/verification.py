"""Looks once more, from the outside, at whether what a journal says was done is so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import attrs

from cucm_certflow.checking import answered, judged, known_words
from cucm_certflow.checks.scope import Change, Limits, Scope
from cucm_certflow.checks.verification import VERIFICATION
from cucm_certflow.checks.vocabulary import Check
from cucm_certflow.clock import Clock
from cucm_certflow.core.plan import Plan
from cucm_certflow.core.run_state import RunState
from cucm_certflow.facts import ClusterFacts
from cucm_certflow.findings import Baseline, CheckReport, Said
from cucm_certflow.procedures.partners import PARTNER_TASKS
from cucm_certflow.transports.base import Transport

__all__ = ["VerifyReport", "verify_plan"]


@attrs.frozen(kw_only=True)
class VerifyReport(CheckReport):
    """What was found after a change; only when nothing is open is it verified.

    Attributes:
        waived: Phones that the run left behind by a person's word.
    """

    waived: frozenset[str] = frozenset()

    @property
    def is_verified(self) -> bool:
        """Whether all was seen and is good, or a person answered for it; warnings aside.

        What only a person can answer counts as unseen until somebody has.
        """
        return not self.open(self.waived)


async def verify_plan(
    plan: Plan,
    state: RunState,
    facts: ClusterFacts,
    transport: Transport,
    *,
    clock: Clock,
    said: Iterable[Said] = (),
    acknowledged: Iterable[Said] = (),
    baseline: Baseline | None = None,
    limits: Limits | None = None,
    checks: Sequence[Check] = VERIFICATION,
) -> VerifyReport:
    """Compare the cluster as *facts* show it now with what *plan* was to leave.

    Only looks. Cancelling it leaves nothing behind.

    Args:
        plan: The plan, with the facts from before.
        state: What its journal says; its waived phones are not counted as missing.
        facts: A fresh discovery.
        transport: For what discovery does not read.
        clock: Gives ages their instant.
        said: What people say about items, by the identifiers of the checks and partner tasks.
        acknowledged: What the journal holds of it already: only words about partner tasks count,
            because all else was said about the cluster as it was.
        baseline: Who was registered before the first change; that of the plan's preflight, if not
            given. Without either, whether trunks and gateways are back is unknown.
        limits: From which figures on a check finds fault.
        checks: The table; the library's own.

    Raises:
        UsageError: A word is about an item that no check has. Nothing was asked.
        AuthenticationFailed: An account was refused; nothing more is tried with it.
        IdentityNotTrusted: A node is not who it should be.
    """
    tasks = {task.id for task in PARTNER_TASKS}
    before = [word for word in (*plan.said, *acknowledged) if word.item in tasks]
    words = (*before, *known_words(said, checks, (p.name for p in plan.facts.phones)))
    if baseline is None and plan.preflight is not None:
        baseline = plan.preflight.baseline
    scope = Scope(
        facts=facts,
        units=frozenset(key.unit for key in plan.certificates),
        now=clock.now(),
        policy=plan.policy,
        limits=limits or Limits(),
        said=words,
        change=Change(
            before=plan.facts,
            certificates=plan.certificates,
            entries=plan.entries,
            waived=state.waived,
            not_awaited=frozenset(plan.not_awaited),
            changed_at=_changed_at(state),
            baseline=baseline,
        ),
    )
    scope = await answered(checks, scope, transport, clock=clock)
    return VerifyReport(findings=judged(checks, scope), said=words, waived=state.waived)


def _changed_at(state: RunState) -> datetime | None:
    """The latest instant at which something may have changed: the proof of a step, or its end."""
    moved = [
        at
        for step in state.steps
        if step.attempt
        for at in (step.intended_at, step.since)
        if at is not None
    ]
    return max(moved, default=None)
