"""The commands of ``certflow``."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from cucm_certflow.cli.output import (
    Exit,
    as_json,
    exit_of_error,
    exit_of_outcome,
    plan_document,
)
from cucm_certflow.clock import Clock, ScaledClock, SystemClock
from cucm_certflow.cluster import Cluster
from cucm_certflow.connection import connect
from cucm_certflow.core.plan import Plan
from cucm_certflow.core.planner import make_plan
from cucm_certflow.core.routing import WITHOUT
from cucm_certflow.errors import CertflowError, Report, UsageError
from cucm_certflow.facts import ClusterFacts
from cucm_certflow.inventory import Inventory
from cucm_certflow.names import CertUnit
from cucm_certflow.observers import Waiting
from cucm_certflow.procedures.policies import Policy, UnitOrder
from cucm_certflow.runner import Run

__all__ = ["app"]

app = typer.Typer(
    name="certflow",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Regenerate the certificates of a CUCM cluster in an order that its phones survive.",
)

InventoryOption = Annotated[
    Path, typer.Option("--inventory", "-i", help="Nodes and accounts of the cluster.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document a line.")]
SpeedOption = Annotated[
    float,
    typer.Option(
        "--lab-speed",
        help="For labs: the clock runs this many times as fast. Socket timeouts stay real.",
    ),
]
UnitOption = Annotated[
    list[str] | None, typer.Option("--unit", "-u", help="A certificate kind; may be repeated.")
]
WindowOption = Annotated[
    list[str] | None,
    typer.Option("--window", "-w", help="Kinds to change together, with commas; repeatable."),
]
WaiveOption = Annotated[
    list[str] | None,
    typer.Option("--waive", help="A phone that may be left behind, by name; repeatable."),
]
TvsFirstOption = Annotated[bool, typer.Option("--tvs-first", help="TVS before CallManager.")]
BarrierOption = Annotated[
    float, typer.Option("--barrier-within", help="Seconds to wait for phones before holding.")
]
RecordOption = Annotated[
    Path | None,
    typer.Option("--record", help="Write the conversation to a new file, without secrets."),
]
PseudonymsOption = Annotated[
    bool,
    typer.Option("--pseudonyms", help="With --record: other names for phones, users and nodes."),
]
JournalOption = Annotated[Path, typer.Option("--journal", "-j", help="The record of the run.")]


def _fail(error: CertflowError, *, json: bool) -> NoReturn:
    if json:
        document = {"error": type(error).__name__, "code": error.code, "report": error.report}
        print(as_json(document))
    else:
        print(error, file=sys.stderr)
    raise typer.Exit(exit_of_error(error))


def _with_cluster(
    inventory: Path,
    speed: float,
    work: Callable[[Cluster], Awaitable[Exit]],
    *,
    json: bool,
    record: Path | None = None,
    pseudonyms: bool = False,
) -> NoReturn:
    """Run *work* on the cluster; every error of ours becomes a message and an exit status."""

    async def main() -> Exit:
        if speed <= 0:
            raise UsageError(Report(headline="--lab-speed must be over 0", left="nothing was sent"))
        loaded = Inventory.load(inventory)
        clock: Clock = SystemClock()
        if speed != 1:
            # The lab wrote the file when its story began: all who read it share that instant, so
            # that a run that is resumed does not find itself before its own journal.
            written = inventory.stat().st_mtime  # noqa: ASYNC240 - nothing else runs yet
            began = datetime.fromtimestamp(written, UTC)
            clock = ScaledClock(speed, epoch=began)
        recorder = None
        if record is not None:
            from cucm_certflow.transports.record import open_recording

            recorder = open_recording(record, loaded, clock, pseudonyms=pseudonyms)
        async with connect(loaded, clock=clock, recorder=recorder) as cluster:
            return await work(cluster)

    try:
        status = asyncio.run(main())
    except CertflowError as error:
        _fail(error, json=json)
    except KeyboardInterrupt:
        print("interrupted; nothing more is sent, the journal resumes the run", file=sys.stderr)
        raise typer.Exit(Exit.PAUSED) from None
    raise typer.Exit(status)


def _policy(tvs_first: bool, barrier_within: float, speed: float) -> Policy:
    order = UnitOrder.TVS_FIRST if tvs_first else UnitOrder.CALLMANAGER_FIRST
    try:
        # A look takes real time, which is *speed* times as long by the lab's clock.
        return Policy(order=order, barrier_within_s=barrier_within, fresh_s=60.0 * max(1.0, speed))
    except ValueError as error:
        raise UsageError(Report(headline=str(error), left="nothing was sent")) from None


def _unit(name: str) -> CertUnit:
    for unit in CertUnit:
        if unit.value.lower() == name.strip().lower():
            return unit
    raise UsageError(
        Report(
            headline=f"there is no certificate kind {name.strip()!r}",
            expected=", ".join(CertUnit),
            left="nothing was sent",
        )
    )


def _planned(
    facts: ClusterFacts,
    units: list[str] | None,
    windows: list[str] | None,
    waive: list[str] | None,
    policy: Policy,
) -> Plan:
    return make_plan(
        facts,
        units=None if windows else {_unit(name) for name in units or ()},
        windows=[{_unit(name) for name in w.split(",")} for w in windows] if windows else None,
        policy=policy,
        waive=waive or (),
    )


@app.command("discover")
def discover_command(
    inventory: InventoryOption,
    json: JsonOption = False,
    lab_speed: SpeedOption = 1.0,
    record: RecordOption = None,
    pseudonyms: PseudonymsOption = False,
) -> None:
    """Read nodes, certificates, services, lists and phones. Changes nothing."""

    async def work(cluster: Cluster) -> Exit:
        facts = await cluster.discover()
        print(as_json(facts) if json else _facts_text(facts))
        return Exit.NODE if facts.unknown else Exit.DONE

    _with_cluster(inventory, lab_speed, work, json=json, record=record, pseudonyms=pseudonyms)


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


@app.command("plan")
def plan_command(
    inventory: InventoryOption,
    unit: UnitOption = None,
    window: WindowOption = None,
    waive: WaiveOption = None,
    tvs_first: TvsFirstOption = False,
    barrier_within: BarrierOption = 1800.0,
    json: JsonOption = False,
    lab_speed: SpeedOption = 1.0,
    record: RecordOption = None,
    pseudonyms: PseudonymsOption = False,
) -> None:
    """Show what would be done, in which order, and why. Changes nothing."""

    async def work(cluster: Cluster) -> Exit:
        policy = _policy(tvs_first, barrier_within, lab_speed)
        plan = _planned(await cluster.discover(), unit, window, waive, policy)
        print(as_json(plan_document(plan)) if json else plan)
        return Exit.REFUSED if plan.is_refused else Exit.DONE

    _with_cluster(inventory, lab_speed, work, json=json, record=record, pseudonyms=pseudonyms)


async def _follow(run: Run, *, json: bool) -> Exit:
    async for event in run.events():
        if json:
            print(as_json({type(event).__name__: event}), flush=True)
        elif not isinstance(event, Waiting):
            print(event, flush=True)
    outcome = await run.wait()
    print(as_json({type(outcome).__name__: outcome}) if json else outcome)
    return exit_of_outcome(outcome)


@app.command("run")
def run_command(
    inventory: InventoryOption,
    journal: JournalOption,
    unit: UnitOption = None,
    window: WindowOption = None,
    waive: WaiveOption = None,
    tvs_first: TvsFirstOption = False,
    barrier_within: BarrierOption = 1800.0,
    json: JsonOption = False,
    lab_speed: SpeedOption = 1.0,
    record: RecordOption = None,
    pseudonyms: PseudonymsOption = False,
) -> None:
    """Discover, plan and run. Held or interrupted, it goes on with ``certflow resume``."""

    async def work(cluster: Cluster) -> Exit:
        policy = _policy(tvs_first, barrier_within, lab_speed)
        plan = _planned(await cluster.discover(), unit, window, waive, policy)
        print(as_json(plan_document(plan)) if json else plan, flush=True)
        async with cluster.run(plan, journal=journal) as run:
            return await _follow(run, json=json)

    _with_cluster(inventory, lab_speed, work, json=json, record=record, pseudonyms=pseudonyms)


@app.command("resume")
def resume_command(
    inventory: InventoryOption,
    journal: JournalOption,
    waive: WaiveOption = None,
    waived_by: Annotated[str, typer.Option("--waived-by", help="Who says so.")] = "",
    json: JsonOption = False,
    lab_speed: SpeedOption = 1.0,
    record: RecordOption = None,
    pseudonyms: PseudonymsOption = False,
) -> None:
    """Go on from a journal, after a hold, an interruption or a crash."""

    async def work(cluster: Cluster) -> Exit:
        async with cluster.resume(journal=journal, waive=waive or (), waived_by=waived_by) as run:
            return await _follow(run, json=json)

    _with_cluster(inventory, lab_speed, work, json=json, record=record, pseudonyms=pseudonyms)


@app.command("verify")
def verify_command(
    inventory: InventoryOption,
    journal: JournalOption,
    json: JsonOption = False,
    lab_speed: SpeedOption = 1.0,
    record: RecordOption = None,
    pseudonyms: PseudonymsOption = False,
) -> None:
    """Look once more, from the outside, at what a run was to leave. Changes nothing."""

    async def work(cluster: Cluster) -> Exit:
        report = await cluster.verify(journal=journal)
        print(as_json(report) if json else report)
        return Exit.DONE if report.is_verified else Exit.NOT_VERIFIED

    _with_cluster(inventory, lab_speed, work, json=json, record=record, pseudonyms=pseudonyms)


@app.command("lab")
def lab_command(
    scenario: Annotated[Path, typer.Argument(help="A scenario file.")],
    folder: Annotated[Path, typer.Option("--folder", help="Gets inventory.toml.")] = Path("lab"),
    lab_speed: SpeedOption = 1.0,
    json: JsonOption = False,
) -> None:
    """Bring a scenario to life as real servers on loopback, until interrupted."""
    from cucm_certflow.lab.scenario import Scenario

    async def main() -> None:
        loaded = Scenario.load(scenario)
        from cucm_certflow.lab.servers import LabServers

        folder.mkdir(parents=True, exist_ok=True)
        async with LabServers(loaded, clock=ScaledClock(lab_speed), folder=folder):
            ready = {"ready": str(folder / "inventory.toml"), "lab_speed": lab_speed}
            print(as_json(ready) if json else f"ready: {ready['ready']}", flush=True)
            await asyncio.Event().wait()

    try:
        asyncio.run(main())
    except CertflowError as error:
        _fail(error, json=json)
    except ModuleNotFoundError as error:
        print(f"the lab needs {error.name}: pip install 'cucm-certflow[lab]'", file=sys.stderr)
        raise typer.Exit(Exit.USAGE) from None
    except OSError as error:
        text = f"the lab could not start: {error.strerror or error}"
        print(text, file=sys.stderr)
        raise typer.Exit(Exit.NODE) from None
    except KeyboardInterrupt:
        raise typer.Exit(Exit.DONE) from None
