"""The commands of ``certflow``."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Annotated

import typer

from cucm_certflow.cli.asked import Asked, planned, takes_asked
from cucm_certflow.cli.checking import check_command
from cucm_certflow.cli.common import (
    InventoryOption,
    JournalOption,
    JsonOption,
    PlainOption,
    PseudonymsOption,
    RecordOption,
    SpeedOption,
    WaiveOption,
    check_new_file,
    with_cluster,
)
from cucm_certflow.cli.controlling import (
    ApproveOption,
    MaintenanceOption,
    MeasuredOption,
    abort_command,
    approve_command,
    maintenance_of,
    pause_command,
    stages_of,
    status_command,
)
from cucm_certflow.cli.doctoring import doctor_command
from cucm_certflow.cli.documents import DocumentKind, print_document
from cucm_certflow.cli.drawing import diagram_command
from cucm_certflow.cli.explaining import explain_command
from cucm_certflow.cli.following import follow
from cucm_certflow.cli.frame import Commands, Taught
from cucm_certflow.cli.lab import lab_command
from cucm_certflow.cli.looking import cleanup_command, preflight_command
from cucm_certflow.cli.output import Exit
from cucm_certflow.cli.plan_document import print_plan
from cucm_certflow.cli.planning import plan_command
from cucm_certflow.cli.rehearsing import rehearse_command
from cucm_certflow.cli.reporting import report_command
from cucm_certflow.cli.rescuing import remedies_command
from cucm_certflow.cli.words import ByOption, SayOption, WordsOption, words_of
from cucm_certflow.cluster import Cluster
from cucm_certflow.core.routing import WITHOUT
from cucm_certflow.facts import ClusterFacts
from cucm_certflow.journal import Journal

__all__ = ["app"]

app = typer.Typer(
    name="certflow",
    cls=Commands,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _say_version(wanted: bool) -> None:
    if wanted:
        print(f"certflow {importlib.metadata.version('cucm-certflow')}")
        raise typer.Exit


@app.callback()
def certflow(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_say_version, is_eager=True, help="Say the version."),
    ] = False,
) -> None:
    """Regenerate the certificates of a CUCM cluster in an order that its phones survive."""


app.command("doctor")(doctor_command)
app.command("preflight")(preflight_command)
app.command("plan")(plan_command)
app.command("cleanup")(cleanup_command)
app.command("remedies")(remedies_command)
app.command("report")(report_command)
app.command("explain")(explain_command)
app.command("diagram")(diagram_command)
app.command("check")(check_command)
app.command("rehearse")(rehearse_command)
app.command("status")(status_command)
app.command("pause")(pause_command)
app.command("approve")(approve_command)
app.command("abort")(abort_command)
app.command("lab")(lab_command)


@app.command("discover")
def discover_command(
    inventory: InventoryOption,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Write a twin, for `certflow rehearse`, to a new file."),
    ] = None,
    json: JsonOption = False,
    lab_speed: SpeedOption = 1.0,
    record: RecordOption = None,
    pseudonyms: PseudonymsOption = False,
) -> None:
    """Read nodes, certificates, services, lists and phones. Changes nothing."""
    check_new_file(out, "--out")

    async def work(cluster: Cluster) -> Exit:
        facts = await cluster.discover()
        differences: tuple[str, ...] = ()
        if out is not None:  # first: who reads only the beginning of what is printed has it, too
            from cucm_certflow.lab.twin import twin_of

            twin = twin_of(facts, name=out.stem)
            twin.write(out)
            differences = twin.differences
        if json:
            print_document(DocumentKind.FACTS, facts)
        else:
            print(_facts_text(facts))
        if out is not None and not json:
            print(f"a twin of it is in {out}")
            for difference in differences:
                print(f"  not like the cluster: {difference}")
        return Exit.NODE if facts.unknown else Exit.DONE

    with_cluster(inventory, lab_speed, work, json=json, record=record, pseudonyms=pseudonyms)


def _facts_text(facts: ClusterFacts) -> str:
    registered = sum(r.registered for r in facts.registrations.values())
    lines = [
        f"{facts.release}, {facts.mode.name.lower()}, {registered} of {len(facts.phones)} phones "
        "registered"
    ]
    for node in facts.nodes:
        role = "publisher" if node.is_publisher else "subscriber"
        lines.append(f"{node.name} {node.address} {node.product} {role} {node.release}")
        for unit, certificate in node.certificates.items():
            until = certificate.not_after.date() if certificate.not_after else "?"
            lines.append(f"  {unit:<14} {certificate.serial} until {until}")
    for state in facts.interfaces:
        if state.usable is False:
            lacks = f"lacks the role {state.role}" if state.role else state.reason
            lines.append(f"cannot be used: {state.interface} on {state.node}: {lacks}")
            lines.append(f"  without it: {WITHOUT[state.interface]}")
    lines += [f"unknown: {text}" for text in facts.unknown]
    return "\n".join(lines)


@app.command("run")
@takes_asked
def run_command(
    inventory: InventoryOption,
    journal: JournalOption,
    asked: Asked,
    rescue_kit: Annotated[
        Path | None, typer.Option("--rescue-kit", help="A new folder; JOURNAL.rescue if not given.")
    ] = None,
    maintenance: MaintenanceOption = None,
    measured: MeasuredOption = None,
    approve: ApproveOption = None,
    json: JsonOption = False,
    plain: PlainOption = False,
    lab_speed: SpeedOption = 1.0,
    record: RecordOption = None,
    pseudonyms: PseudonymsOption = False,
) -> None:
    """Discover, plan and run. Held or interrupted, it goes on with ``certflow resume``."""

    async def work(cluster: Cluster) -> Exit:
        Journal.check_new(journal)
        check_new_file(rescue_kit or Path(f"{journal}.rescue"), "--rescue-kit")
        hours = maintenance_of(maintenance, measured)
        policy = asked.policy(lab_speed, stages_of(approve))
        plan = await planned(cluster, asked, policy)
        print_plan(plan, json=json)
        async with cluster.run(
            plan, journal=journal, rescue_kit=rescue_kit, maintenance=hours
        ) as run:
            return await follow(run, journal=journal, clock=cluster.clock, json=json, plain=plain)

    with_cluster(
        inventory,
        lab_speed,
        work,
        json=json,
        record=record,
        pseudonyms=pseudonyms,
        journal=journal,
    )


@app.command("resume")
def resume_command(
    inventory: InventoryOption,
    journal: JournalOption,
    waive: WaiveOption = None,
    waived_by: Annotated[str, typer.Option("--waived-by", help="Who says so.")] = "",
    say: SayOption = None,
    by: ByOption = "",
    words: WordsOption = None,
    maintenance: MaintenanceOption = None,
    measured: MeasuredOption = None,
    json: JsonOption = False,
    plain: PlainOption = False,
    lab_speed: SpeedOption = 1.0,
    record: RecordOption = None,
    pseudonyms: PseudonymsOption = False,
) -> None:
    """Go on from a journal, after a hold, an interruption or a crash."""

    async def work(cluster: Cluster) -> Exit:
        async with cluster.resume(
            journal=journal,
            waive=waive or (),
            waived_by=waived_by,
            said=words_of(say, by, words),
            maintenance=maintenance_of(maintenance, measured),
        ) as run:
            return await follow(run, journal=journal, clock=cluster.clock, json=json, plain=plain)

    with_cluster(
        inventory,
        lab_speed,
        work,
        json=json,
        record=record,
        pseudonyms=pseudonyms,
        journal=journal,
    )


@app.command("verify")
def verify_command(
    inventory: InventoryOption,
    journal: JournalOption,
    say: SayOption = None,
    by: ByOption = "",
    words: WordsOption = None,
    json: JsonOption = False,
    lab_speed: SpeedOption = 1.0,
    record: RecordOption = None,
    pseudonyms: PseudonymsOption = False,
) -> None:
    """Look once more, from the outside, at what a run was to leave. Changes nothing."""

    async def work(cluster: Cluster) -> Exit:
        report = await cluster.verify(journal=journal, said=words_of(say, by, words))
        if json:
            print_document(DocumentKind.VERIFY, report)
        else:
            print(report)
        return Exit.DONE if report.is_verified else Exit.NOT_VERIFIED

    with_cluster(inventory, lab_speed, work, json=json, record=record, pseudonyms=pseudonyms)


for each in app.registered_commands:
    each.cls = Taught
