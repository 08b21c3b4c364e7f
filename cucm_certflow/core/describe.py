"""A plan in words: windows, steps, sources, and the phones that will not simply come back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from cucm_certflow.commands import ByHand, ResetPhones
from cucm_certflow.core.plan import Plan, Step
from cucm_certflow.core.routing import WAYS, WITHOUT, route_of
from cucm_certflow.facts import (
    CertificateOf,
    InterfaceState,
    PresentedCertificate,
    RegistrationCounts,
    Registrations,
    ServedList,
    ServiceOn,
)
from cucm_certflow.findings import Verdict
from cucm_certflow.names import Interface
from cucm_certflow.procedures.choices import Choice, choices_for

__all__ = ["by_hand", "choices_of", "describe_plan", "ways_of"]

_NAMED: Final = 50


def describe_plan(plan: Plan) -> str:
    """The whole plan, for a person who has to approve it."""
    facts = plan.facts
    mode = facts.mode.name.lower().replace("_", "-")
    lines = [
        f"release {facts.release}, {mode} mode",
        f"{len(facts.nodes)} nodes, {len(facts.phones)} phones",
    ]
    for window in plan.windows:
        lines.append("")
        units = ", ".join(window.units) or "trust certificates"
        lines.append(f"window {window.number + 1}: {units}")
        lines.append(f"  why    {window.reason}")
        rows: dict[tuple[str, tuple[str, ...], str, str, str], list[str]] = {}
        for step in plan.steps:
            if step.window == window.number:
                source = str(step.row.source)
                by = _by(plan, step)
                before = tuple(sorted(each.value for each in step.row.requires))
                row = (_what(step), before, by, step.row.proof.value, source)
                rows.setdefault(row, []).append(step.command.node)
        for (what, before, by, proof, source), nodes in rows.items():
            lines.append(f"  {what}")
            lines.append(f"    on     {', '.join(nodes)}")
            lines.append(f"    by     {by}")
            lines += [f"    before {each}" for each in before]
            lines.append(f"    proof  {proof}")
            lines.append(f"    source {source}")
        if any(plan.procedures[unit].moves_lists for unit in window.units):
            grade = plan.policy.barrier.name.lower().replace("_", "-")
            lines.append(
                f"  barrier: every phone in scope {grade} within "
                f"{plan.policy.barrier_within_s:.0f} s, or waived by name"
            )
        if window.rest and window is not plan.windows[-1]:
            lines.append(f"  between nights: {window.rest}")
    lines += _entries(plan)
    lines += _choices(plan)
    lines += _other_people(plan)
    lines += _ways(plan)
    if plan.outlooks:
        lines += ["", "phones that will not simply come back:"]
        alike: dict[tuple[str, str, str, bool], list[str]] = {}
        for outlook in plan.outlooks:
            waived = outlook.name in plan.waived
            key = (outlook.reason, outlook.outcome, outlook.remedy, waived)
            alike.setdefault(key, []).append(outlook.name)
        for (reason, outcome, remedy, waived), names in alike.items():
            lines.append(f"  {len(names)} phones{' (waived)' if waived else ''}: {reason}")
            for start in range(0, min(len(names), _NAMED), 5):
                lines.append(f"    {'  '.join(names[start : start + 5])}")
            if len(names) > _NAMED:
                lines.append(f"    and {len(names) - _NAMED} more")
            lines.append(f"    outcome  {outcome}")
            lines.append(f"    remedy   {remedy}")
    if plan.refusals:
        lines += ["", "REFUSED, nothing was sent:"]
        lines += [f"  {refusal}" for refusal in plan.refusals]
    return "\n".join(lines)


def _entries(plan: Plan) -> list[str]:
    """The trust certificates that are deleted, and where they are."""
    lines: list[str] = []
    for key in plan.entries:
        found = {
            node: entry.certificate
            for node, held in plan.stores.items()
            for entry in held
            if (entry.store, entry.certificate.fingerprint) == (key.store, key.fingerprint)
        }
        for certificate in list(found.values())[:1]:
            until = certificate.not_after.date() if certificate.not_after else "?"
            lines.append(f"  {key}, serial {certificate.serial}, until {until}")
            lines.append(f"    on     {', '.join(found)}")
    return ["", "trust certificates that are deleted:", *lines] if lines else []


def choices_of(plan: Plan) -> tuple[Choice, ...]:
    """The choices that make a difference to the plan: those that are not the default first."""
    units = [unit for window in plan.windows for unit in window.units]
    chosen = choices_for(units, plan.facts.release, plan.facts.mode) if plan.steps else ()
    return tuple(sorted(chosen, key=lambda choice: not choice.differs(plan.policy)))


def _choices(plan: Plan) -> list[str]:
    """What was chosen where sources disagree or are silent, a line each."""
    lines = [
        f"  {choice.name}: {choice.in_force(plan.policy)} ({', '.join(choice.points)})"
        for choice in choices_of(plan)
    ]
    return ["", "choices:", *lines] if lines else []


def by_hand(plan: Plan) -> tuple[Step, ...]:
    """The steps that only a person can do: the run holds at each until it is seen."""
    return tuple(step for step in plan.steps if isinstance(step.command, ByHand))


def _other_people(plan: Plan) -> list[str]:
    """What only people can do or say, and what nobody touches."""
    lines: list[str] = []
    held = by_hand(plan)
    if held:
        lines += ["", "held for a person:"]
        lines += [f"  {step.id}: {step.command}, until {step.row.proof.value}" for step in held]
    if plan.tasks:
        lines += ["", "afterwards, for the people of other systems:"]
    for task in plan.tasks:
        lines.append(f"  {task.id}, {task.partner}: {task.question}")
        lines += [f"    do     {text}" for text in task.instructions]
        lines.append(f"    source {task.source}")
    if plan.preflight is None and plan.steps:
        lines += ["", "preflight: nobody looked"]
    elif plan.preflight is not None:
        verdicts = [finding.verdict for finding in plan.preflight.findings]
        counts = ", ".join(f"{verdicts.count(each)} {each.value}" for each in Verdict)
        lines += ["", f"preflight: {counts}"]
    if plan.said:
        lines += ["", "said:"]
        lines += [f"  {word.item}, by {word.by}: {word.why}" for word in plan.said]
    if plan.left_alone:
        lines += ["", "certificates that are left alone:"]
        lines += [f"  {name}" for name in plan.left_alone]
    return lines


def _by(plan: Plan, step: Step) -> str:
    if isinstance(step.command, ByHand):
        return "a person"
    return ", else ".join(ways_of(plan, step)) or "no way"


def _what(step: Step) -> str:
    if isinstance(step.command, ResetPhones):
        first = " first, as canaries" if step.canary else ""
        return f"doDeviceReset, {len(step.command.names)} phones{first}, {step.command.names[0]} …"
    return str(step.command)


def ways_of(plan: Plan, step: Step) -> tuple[Interface, ...]:
    """The interfaces that the step's command may go over, in order; none if none can be used."""
    facts = plan.facts
    ways, _ = route_of(step.command, step.command.node, facts.release, facts.interfaces)
    return tuple(way.interface for way in ways)


_ASKED: Final = (
    CertificateOf,
    ServiceOn,
    ServedList,
    PresentedCertificate,
    Registrations,
    RegistrationCounts,
)
"""What a run asks while it goes."""


def _can_be_asked(interface: Interface, states: Iterable[InterfaceState]) -> bool:
    """Whether *interface* can be used on one node at least, or nobody has tried."""
    tried = [state.usable for state in states if state.interface is interface]
    return not tried or any(usable is not False for usable in tried)


def _ways(plan: Plan) -> list[str]:
    """Which way each kind of question takes; and what cannot be used, why, and what that costs."""
    facts = plan.facts
    if not plan.steps or not facts.interfaces:
        return []
    lines = ["", "ways:"]
    for kind in _ASKED:
        ways = [w.interface for w in WAYS[kind] if w.since <= facts.release.short]
        usable = [way for way in ways if _can_be_asked(way, facts.interfaces)]
        lines.append(f"  {kind.__name__:<22} {', else '.join(usable) or 'no way'}")
    for state in facts.interfaces:
        if state.usable is False:
            why = f"lacks the role {state.role}" if state.role else state.reason
            lines.append(f"  {state.interface} on {state.node} cannot be used: {why}")
            lines.append(f"    without  {WITHOUT[state.interface]}")
    return lines
