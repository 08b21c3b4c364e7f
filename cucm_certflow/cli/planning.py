"""``certflow plan``: a plan to read in the terminal, in a ticket, or by a machine."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cucm_certflow.cli.asked import Asked, planned, takes_asked
from cucm_certflow.cli.common import (
    JsonOption,
    PseudonymsOption,
    RecordOption,
    SpeedOption,
    check_new_file,
    fail,
    with_cluster,
)
from cucm_certflow.cli.documents import DocumentKind, as_document
from cucm_certflow.cli.output import Exit
from cucm_certflow.cli.plan_document import plan_document
from cucm_certflow.cluster import Cluster
from cucm_certflow.core.plan import Plan
from cucm_certflow.core.planner import expiring_units, make_plan
from cucm_certflow.errors import CertflowError, Report, UsageError
from cucm_certflow.facts import ClusterFacts
from cucm_certflow.report.plan_markdown import plan_as_markdown

if TYPE_CHECKING:  # a twin needs the lab, which `certflow --help` does not wait for
    from cucm_certflow.testing.stage import Stage

__all__ = ["Form", "plan_as", "plan_command"]


class Form(StrEnum):
    """How a plan is written."""

    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"


def plan_as(plan: Plan, form: Form) -> str:
    """*plan* in *form*, ending in a line feed. Every step and every refusal stands in each form."""
    match form:
        case Form.TEXT:
            return f"{plan}\n"
        case Form.MARKDOWN:
            return plan_as_markdown(plan)
        case Form.JSON:
            return f"{as_document(DocumentKind.PLAN, plan_document(plan))}\n"


@takes_asked
def plan_command(
    asked: Asked,
    inventory: Annotated[
        Path | None,
        typer.Option("--inventory", "-i", help="Nodes and accounts of the cluster."),
    ] = None,
    twin: Annotated[
        Path | None,
        typer.Option("--twin", help="Instead: a scenario, such as `discover --out` writes."),
    ] = None,
    form: Annotated[Form, typer.Option("--format", help="For the ticket: markdown.")] = Form.TEXT,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write it to a new file instead.")
    ] = None,
    json: JsonOption = False,
    lab_speed: SpeedOption = 1.0,
    record: RecordOption = None,
    pseudonyms: PseudonymsOption = False,
) -> None:
    """Show what would be done, in which order, and why. Changes nothing."""
    wanted = Form.JSON if json else form
    is_json = wanted is Form.JSON

    def show(plan: Plan) -> Exit:
        text = plan_as(plan, wanted)
        if out is None:
            print(text, end="", flush=True)
        else:
            _write(out, text)
            if not is_json:
                print(f"the plan is in {out}")
        return Exit.REFUSED if plan.is_refused else Exit.DONE

    check_new_file(out, "--out")

    async def work(cluster: Cluster) -> Exit:
        return show(await planned(cluster, asked, asked.policy(lab_speed)))

    if inventory is not None and twin is None:
        with_cluster(inventory, lab_speed, work, json=is_json, record=record, pseudonyms=pseudonyms)
    try:
        if twin is None or inventory is not None:
            raise UsageError(
                Report(
                    headline="say once for which cluster",
                    expected="--inventory for a cluster, or --twin for a scenario of one",
                    saw="neither" if twin is None else "both",
                    left="nothing was sent",
                )
            )
        status = show(_plan_of_twin(twin, asked))
    except CertflowError as error:
        fail(error, json=is_json)
    raise typer.Exit(status)


def _plan_of_twin(twin: Path, asked: Asked) -> Plan:
    """The plan for a scenario, over which nobody has looked: the twin's health is an assumption."""
    from cucm_certflow.testing.stage import play

    asked.check_one_way()

    async def look(stage: Stage) -> ClusterFacts:
        return await stage.cluster.discover()

    facts = play(twin, look)
    windows = asked.windows
    expiring = asked.expiring
    units = asked.units if expiring is None else expiring_units(facts, expiring)
    return make_plan(
        facts,
        units=units if windows is None else None,
        windows=windows,
        policy=asked.policy(),
        waive=asked.waive or (),
        said=asked.said,
    )


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(
            Report(
                headline="the plan cannot be written",
                expected="a new file, in a folder that exists",
                saw=str(error),
                left="the cluster was only looked at",
                next="name another file",
            )
        ) from error
