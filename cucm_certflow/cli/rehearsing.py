"""The command that rehearses a plan on a twin; it needs no cluster, but a scenario of one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cucm_certflow.cli.asked import Asked, takes_asked
from cucm_certflow.cli.common import JsonOption, fail
from cucm_certflow.cli.controlling import ApproveOption, MeasuredOption, measured_of, stages_of
from cucm_certflow.cli.output import Exit, as_json, exit_of_outcome, plan_document
from cucm_certflow.errors import CertflowError

if TYPE_CHECKING:  # rehearsing needs the lab, which `certflow --help` does not wait for
    from cucm_certflow.lab.rehearsal import Rehearsal

__all__ = ["rehearsal_document", "rehearse_command"]


@takes_asked
def rehearse_command(
    twin: Annotated[Path, typer.Argument(help="A scenario: of `discover --out`, or any other.")],
    asked: Asked,
    approve: ApproveOption = None,
    measured: MeasuredOption = None,
    journal: Annotated[
        Path | None,
        typer.Option("--journal", "-j", help="Keep the rehearsal's journal in this new file."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Run a plan on a twin of your cluster, in virtual time: what is sent, and who is at risk."""
    from cucm_certflow.lab.rehearsal import rehearse

    try:
        asked.check_one_way()
        rehearsal = rehearse(
            twin,
            units=asked.units or None,
            windows=asked.windows,
            expiring_days=asked.expiring,
            policy=asked.policy(approve=stages_of(approve)),
            waive=asked.waive or (),
            said=asked.said,
            measured_s=measured_of(measured),
            journal=journal,
        )
    except CertflowError as error:
        fail(error, json=json)
    print(as_json(rehearsal_document(rehearsal)) if json else rehearsal)
    raise typer.Exit(exit_of_rehearsal(rehearsal))


def exit_of_rehearsal(rehearsal: Rehearsal) -> Exit:
    """What the run itself would end with; phones that the lab sees lost count as left behind."""
    if rehearsal.plan.is_refused:
        return Exit.REFUSED
    status = exit_of_outcome(rehearsal.outcome)
    lost = rehearsal.verdict is not None and bool(rehearsal.verdict.losses)
    return Exit.LEFT_BEHIND if lost and status is Exit.DONE else status


def rehearsal_document(rehearsal: Rehearsal) -> dict[str, object]:
    """A rehearsal for machines."""
    verdict = rehearsal.verdict
    return {
        "scenario": rehearsal.scenario.name,
        "plan": plan_document(rehearsal.plan),
        "outcome": rehearsal.outcome,
        "steps": rehearsal.steps,
        "sent": [each._asdict() for each in rehearsal.sent],
        "answered": rehearsal.answered,
        "approvals": rehearsal.approvals,
        "expected_s": rehearsal.expected_s,
        "unmeasured": rehearsal.unmeasured,
        "lasted_s": rehearsal.lasted_s,
        "lost": sorted(verdict.lost) if verdict is not None else None,
    }
