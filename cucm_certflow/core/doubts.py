"""An unknown outcome, explained: what was asked, what was seen, and what settles it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import attrs

from cucm_certflow.core.plan import Plan
from cucm_certflow.core.run_state import CommandMoved, Record, RunState
from cucm_certflow.core.states import CommandState

__all__ = ["Doubt", "doubts_of"]


@attrs.frozen(kw_only=True)
class Doubt:
    """A command of which nobody knows yet what came of it.

    Attributes:
        step: The step's name.
        asked: The command, where, when, and the how-manieth time.
        seen: What came back, and what looking showed, as far as it was written down.
        settles: What would settle it.
        may_be_running_until: Until then it may still be running: nothing is decided before.
    """

    step: str
    asked: str
    seen: str
    settles: str
    may_be_running_until: datetime | None = None

    def __str__(self) -> str:
        lines = [f"{self.step}: its outcome is not known", f"    asked   {self.asked}"]
        if self.seen:
            lines.append(f"    saw     {self.seen}")
        lines.append(f"    settles {self.settles}")
        return "\n".join(lines)


def doubts_of(plan: Plan, state: RunState, records: Iterable[Record]) -> tuple[Doubt, ...]:
    """Every command of *state* whose outcome is not known; of the journal alone."""
    details = {r.step: r.detail for r in records if isinstance(r, CommandMoved) and r.detail}
    found: list[Doubt] = []
    for step in plan.steps:
        progress = state.steps[step.index]
        if progress.state not in (
            CommandState.INTENDED,
            CommandState.SENT,
            CommandState.IN_DOUBT,
            CommandState.HELD,
        ):
            continue
        row, at = step.row, progress.intended_at
        until = None if at is None else at + timedelta(seconds=row.settle_s)
        when = "" if at is None else f" at {at.isoformat(timespec='seconds')}"
        settles = f"an observation: {row.proof.value}"
        if until is not None:
            settles += (
                f"; it may be running until {until.isoformat(timespec='seconds')}, and only if it "
                "is seen later not to have taken effect may it be sent again"
            )
        found.append(
            Doubt(
                step=step.id,
                asked=f"`{step.command}` on {step.command.node}{when}, attempt {progress.attempt}, "
                f"is {progress.state.value}",
                seen=details.get(step.id, "")
                if progress.state is not CommandState.INTENDED
                else "",
                settles=settles,
                may_be_running_until=until,
            )
        )
    return tuple(found)
