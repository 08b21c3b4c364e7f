"""The command that rehearses a plan on a twin; it needs no cluster, but a scenario of one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import attrs
import typer

from cucm_certflow.cli.asked import Asked, takes_asked
from cucm_certflow.cli.common import JsonOption, fail
from cucm_certflow.cli.controlling import ApproveOption, MeasuredOption, measured_of, stages_of
from cucm_certflow.cli.documents import DocumentKind, print_document
from cucm_certflow.cli.output import Exit, exit_of_outcome
from cucm_certflow.cli.plan_document import PlanDocument, plan_document
from cucm_certflow.errors import CertflowError
from cucm_certflow.findings import Said
from cucm_certflow.observers import Outcome

if TYPE_CHECKING:  # rehearsing needs the lab, which `certflow --help` does not wait for
    from cucm_certflow.lab.chronicle import Executed
    from cucm_certflow.lab.rehearsal import Rehearsal, RehearsedStep

__all__ = ["RehearsalDocument", "rehearsal_document", "rehearse_command"]


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
    if json:
        print_document(DocumentKind.REHEARSAL, rehearsal_document(rehearsal))
    else:
        print(rehearsal)
    raise typer.Exit(exit_of_rehearsal(rehearsal))


def exit_of_rehearsal(rehearsal: Rehearsal) -> Exit:
    """What the run itself would end with; phones that the lab sees lost count as left behind."""
    if rehearsal.plan.is_refused:
        return Exit.REFUSED
    status = exit_of_outcome(rehearsal.outcome)
    lost = rehearsal.verdict is not None and bool(rehearsal.verdict.losses)
    return Exit.LEFT_BEHIND if lost and status is Exit.DONE else status


@attrs.frozen(kw_only=True)
class RehearsalDocument:
    """A rehearsal, for machines.

    Attributes:
        scenario: On what it was rehearsed.
        plan: What was rehearsed.
        outcome: How the run ended; null if the plan is refused.
        steps: Every step of the plan, as it went.
        sent: Every changing command that the lab's cluster took, in order.
        answered: What only people can answer, and was taken as answered.
        approvals: The stages that would have waited for a person.
        expected_s: Seconds that the steps take by earlier journals; null without such journals.
        unmeasured: The steps that no earlier journal has.
        lasted_s: Seconds that it took by the lab's clock.
        lost: Phones that are lost at the end; null if nothing was run.
    """

    scenario: str
    plan: PlanDocument
    outcome: Outcome | None
    steps: tuple[RehearsedStep, ...]
    sent: tuple[Executed, ...]
    answered: tuple[Said, ...]
    approvals: tuple[str, ...]
    expected_s: float | None
    unmeasured: tuple[str, ...]
    lasted_s: float
    lost: tuple[str, ...] | None


def rehearsal_document(rehearsal: Rehearsal) -> RehearsalDocument:
    """A rehearsal for machines."""
    verdict = rehearsal.verdict
    return RehearsalDocument(
        scenario=rehearsal.scenario.name,
        plan=plan_document(rehearsal.plan),
        outcome=rehearsal.outcome,
        steps=rehearsal.steps,
        sent=rehearsal.sent,
        answered=rehearsal.answered,
        approvals=rehearsal.approvals,
        expected_s=rehearsal.expected_s,
        unmeasured=rehearsal.unmeasured,
        lasted_s=rehearsal.lasted_s,
        lost=tuple(sorted(verdict.lost)) if verdict is not None else None,
    )
