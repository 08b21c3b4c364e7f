"""How long things take: measured in journals of earlier runs, and reckoned for what is left."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from cucm_certflow.core.plan import CertificateKey, Plan, Step
from cucm_certflow.core.run_state import CertificateMoved, CommandMoved, Record, RunState
from cucm_certflow.core.states import CertificateState, CommandState
from cucm_certflow.procedures.vocabulary import Stage

__all__ = ["BARRIER", "measured_s", "remaining_s"]

BARRIER = "barrier"
"""The name under which the wait for the phones is measured, beside the rows' names."""


def measured_s(plan: Plan, records: Iterable[Record]) -> Mapping[str, float]:
    """The longest that each row took from its intent to its proof, in seconds; and the barrier.

    Only what went through at the first attempt: what waited for a person says nothing.
    """
    longest: dict[str, float] = {}
    intended: dict[str, tuple[int, datetime]] = {}
    called: dict[CertificateKey, datetime] = {}

    def took(name: str, since: datetime, until: datetime) -> None:
        longest[name] = max(longest.get(name, 0.0), (until - since).total_seconds())

    for record in records:
        match record:
            case CommandMoved(edge="intend"):
                intended[record.step] = (record.attempt, record.at)
            case CommandMoved(edge="proved"):
                attempt, at = intended[record.step]
                if attempt == 1:
                    took(plan.steps[plan.index_of[record.step]].row.name, at, record.at)
            case CommandMoved(to=CommandState.HELD):
                intended[record.step] = (0, record.at)
            case CertificateMoved(to=CertificateState.CALLED):
                called[record.certificate] = record.at
            case CertificateMoved(edge="converged") if record.certificate in called:
                took(BARRIER, called[record.certificate], record.at)
            case _:
                pass
    return longest


def remaining_s(plan: Plan, state: RunState, window: int) -> float:
    """Seconds that the rest of *window* takes, the phones' return included.

    What was measured counts with its longest; what was not with the longest run that its row
    reckons with (``settle_s``), and the barrier with the policy's ``barrier_within_s``.
    """
    measured = dict(state.maintenance.measured_s) if state.maintenance else {}
    left = [
        step
        for step in plan.steps
        if step.window == window and state.steps[step.index].state is not CommandState.PROVED
    ]
    seconds = sum(_expected_s(step, measured) for step in left)
    waits = {step.row.wave for step in plan.steps if _calls(step) and step.window == window}
    over = CertificateState.CONVERGED, CertificateState.VERIFIED
    waiting = [
        wave
        for wave in waits
        if any(
            life.wave < wave or (life.wave == wave and life.state not in over)
            for key, life in zip(plan.certificates, state.certificates, strict=True)
            if plan.window_of[key] == window
        )
    ]
    barrier = measured.get(BARRIER, plan.policy.barrier_within_s)
    return seconds + len(waiting) * (plan.policy.load_to_register_s + barrier)


def _expected_s(step: Step, measured: Mapping[str, float]) -> float:
    return measured.get(step.row.name, step.row.settle_s)


def _calls(step: Step) -> bool:
    return step.row.stage is Stage.RESET
