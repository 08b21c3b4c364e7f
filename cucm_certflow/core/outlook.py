"""The judge of a plan: predicted states, refusals, and what becomes of phones that stay away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from cucm_certflow.core.forecast import (
    after_command,
    is_locked,
    moves_trust,
    why_rejected,
    worst_witness,
)
from cucm_certflow.core.plan import PhoneOutlook, Plan, Step
from cucm_certflow.core.states import Blocked
from cucm_certflow.procedures.vocabulary import PhoneReset
from cucm_certflow.trust.lifeline import Health, Witness, best_lifeline
from cucm_certflow.trust.model import ClusterTrust
from cucm_certflow.trust.phone import Belief, Holding, PhoneClass, may_hold, must_hold_after_reset

__all__ = ["judged"]

_REMEDY = {
    Health.OK: "an ordinary reset once it is on",
    Health.HAND_DELETE: "delete its trust lists at the phone",
}


def judged(plan: Plan) -> Plan:
    """The plan with its refusals, and with what will become of the phones that stay away."""
    refusals = list(plan.refusals)
    refusals += _exclusions(plan)
    predicted, lifeline_refusals = _predicted(plan)
    refusals += lifeline_refusals
    outlooks = _outlooks(plan, predicted) if plan.steps else ()
    return attrs.evolve(plan, refusals=tuple(refusals), outlooks=outlooks)


def _exclusions(plan: Plan) -> list[Blocked]:
    refusals: list[Blocked] = []
    for window in plan.windows:
        for unit in window.units:
            refusals += [
                Blocked(
                    guard="exclusion",
                    detail=f"window {window.number + 1} changes {unit} and {other} "
                    "between two contacts with the phones",
                    evidence=(
                        f"release {plan.facts.release}; "
                        f"{len(plan.facts.phones)} phones would lose both anchors",
                    ),
                    unlock=f"{unit} and {other} in two windows, with the phones back "
                    "in between (units= does that)",
                    source=f"{plan.procedures[unit].source}; M2, V1; D2",
                )
                for other in sorted(plan.procedures[unit].never_with & set(window.units))
                if unit < other
            ]
    return refusals


def _predicted(plan: Plan) -> tuple[list[ClusterTrust], list[Blocked]]:
    """The cluster at the end of each window, and the steps that would break a lifeline."""
    cluster = plan.trust
    beliefs = dict(plan.beliefs)
    in_scope = {
        phone: names
        for phone, everyone in plan.classes.items()
        if (names := [name for name in everyone if name not in plan.waived])
    }
    ends: list[ClusterTrust] = []
    refusals: list[Blocked] = []
    for window in plan.windows:
        steps = [step for step in plan.steps if step.window == window.number]
        for wave in sorted({step.row.wave for step in steps}):
            for step in (s for s in steps if s.row.wave == wave):
                if moves_trust(step.command):
                    broken = _broken(plan, cluster, step, in_scope, beliefs)
                    if broken:
                        refusals.append(_broken_lifeline(cluster, step, broken))
                    for phone in broken:  # said once
                        in_scope.pop(phone)
                    for phone in in_scope:
                        beliefs[phone] = may_hold(cluster, phone, beliefs[phone])
                cluster = after_command(cluster, step.command)
            if not any(s.row.wave == wave and isinstance(s.row.does, PhoneReset) for s in steps):
                continue
            for phone in tuple(in_scope):
                beliefs[phone] = must_hold_after_reset(cluster, phone, beliefs[phone])
                if is_locked(cluster, phone, beliefs[phone]) is not None:
                    in_scope.pop(phone)  # the barrier holds there until they are waived
        ends.append(cluster)
    return ends, refusals


_Broken = dict[PhoneClass, tuple[Sequence[str], Witness, Holding, str]]


def _broken(
    plan: Plan,
    cluster: ClusterTrust,
    step: Step,
    in_scope: Mapping[PhoneClass, Sequence[str]],
    beliefs: Mapping[PhoneClass, Belief],
) -> _Broken:
    """The classes that *step* would leave worse off than the tables allow."""
    broken: _Broken = {}
    for phone, names in in_scope.items():
        tolerated, remedy = plan.tolerated(step, phone)
        witness, holding = worst_witness(cluster, step.command, phone, beliefs[phone])
        if witness.health > tolerated and holding is not None:
            broken[phone] = (names, witness, holding, remedy)
    return broken


def _broken_lifeline(cluster: ClusterTrust, step: Step, broken: _Broken) -> Blocked:
    phone, (names, witness, holding, remedy) = next(iter(broken.items()))
    count = sum(len(names) for names, *_ in broken.values())
    after = after_command(cluster, step.command)
    return Blocked(
        guard="lifeline",
        detail=f"after `{step.command}` on {step.command.node}, {count} phones would have no way "
        f"back ({witness.health.name})",
        evidence=(
            f"for example {names[0]}, group {', '.join(phone.group)}",
            why_rejected(after, phone, holding),
            str(witness),
        ),
        unlock="another order, or these phones waived by name"
        + (f"; remedy then: {remedy}" if remedy else ""),
        source="trust model §3",
        subject=step.id,
    )


def _outlooks(plan: Plan, ends: Sequence[ClusterTrust]) -> tuple[PhoneOutlook, ...]:
    """Each phone that will not simply come back: the absent, and those that turn a list down."""
    outlooks: list[PhoneOutlook] = []
    for phone, names in plan.classes.items():
        start = dict(plan.beliefs)[phone]
        refused_at: tuple[int, str, Health, str] | None = None
        belief = start
        for number, end in enumerate(ends):
            belief = must_hold_after_reset(end, phone, belief)
            locked = is_locked(end, phone, belief)
            if locked is not None:
                witness = best_lifeline(end, phone, locked)
                text = _remedy(witness.health, witness.walk)
                refused_at = (number, why_rejected(end, phone, locked), witness.health, text)
                break
        for name in names:
            registration = plan.facts.registrations.get(name)
            if registration is None or not registration.registered:
                outlooks.append(_absent(name, phone, start, ends))
            elif refused_at is not None:
                number, why, health, remedy = refused_at
                outlooks.append(
                    PhoneOutlook(
                        name=name,
                        reason="has no Security By Default"
                        if not phone.security_by_default
                        else "is registered",
                        outcome=f"in window {number + 1} {why}; it stays on its old list",
                        health=health,
                        remedy=remedy,
                    )
                )
    return tuple(sorted(outlooks, key=lambda outlook: outlook.name))


def _absent(
    name: str, phone: PhoneClass, start: Belief, ends: Sequence[ClusterTrust]
) -> PhoneOutlook:
    for number, end in enumerate(ends):
        worst = max(
            (best_lifeline(end, phone, holding) for holding in start), key=lambda w: w.health
        )
        if worst.health is not Health.OK:
            return PhoneOutlook(
                name=name,
                reason="is not registered",
                outcome=f"if it stays away until window {number + 1} is done, it trusts nobody",
                health=worst.health,
                remedy=_remedy(worst.health, worst.walk),
            )
    return PhoneOutlook(
        name=name,
        reason="is not registered",
        outcome="it comes back by itself when it is powered on",
        health=Health.OK,
        remedy=_REMEDY[Health.OK],
    )


def _remedy(health: Health, walk: Sequence[str]) -> str:
    return _REMEDY.get(health) or " > ".join(walk)
