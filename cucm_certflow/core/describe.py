"""A plan in words: windows, steps, sources, and the phones that will not simply come back."""

from __future__ import annotations

from typing import Final

from cucm_certflow.core.plan import Plan

__all__ = ["describe_plan"]

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
        lines.append(f"window {window.number + 1}: {', '.join(window.units)}")
        lines.append(f"  why    {window.reason}")
        for step in plan.steps:
            if step.window == window.number:
                lines.append(f"  {step.command.node:<12} {step.command}")
                lines.append(f"  {'':<12}   proof: {step.row.proof.value}; {step.row.source}")
        if any(plan.procedures[unit].moves_lists for unit in window.units):
            lines.append(
                f"  barrier: every phone in scope {plan.policy.barrier.name.lower()} within "
                f"{plan.policy.barrier_within_s:.0f} s, or waived by name"
            )
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
