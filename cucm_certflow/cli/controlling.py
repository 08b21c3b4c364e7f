"""``certflow status``, ``pause``, ``approve`` and ``abort``: a run from another terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from cucm_certflow.cli.common import (
    JournalOption,
    JsonOption,
    PlainOption,
    SpeedOption,
    fail,
    with_cluster,
)
from cucm_certflow.cli.documents import DocumentKind, print_document
from cucm_certflow.cli.following import follow
from cucm_certflow.cli.output import Exit
from cucm_certflow.cli.watching import watch_journal
from cucm_certflow.cluster import Cluster
from cucm_certflow.control import RunStatus, approve, ask_to_abort, ask_to_pause, status_of
from cucm_certflow.core.durations import measured_s
from cucm_certflow.errors import CertflowError, Report, UsageError
from cucm_certflow.journal import Journal
from cucm_certflow.locks import driver_of
from cucm_certflow.nearest import suggestion
from cucm_certflow.orders import Order
from cucm_certflow.procedures.maintenance import Maintenance, MaintenanceWindow
from cucm_certflow.procedures.vocabulary import Stage

__all__ = [
    "ApproveOption",
    "MaintenanceOption",
    "MeasuredOption",
    "abort_command",
    "approve_command",
    "maintenance_of",
    "measured_of",
    "pause_command",
    "stages_of",
    "status_command",
]

MaintenanceOption = Annotated[
    list[str] | None,
    typer.Option(
        "--maintenance",
        help="Change anything only then: '2026-03-01 22:00 to 2026-03-02 04:00 Europe/Berlin'.",
    ),
]
MeasuredOption = Annotated[
    list[Path] | None,
    typer.Option("--measured", help="A journal of an earlier run: how long things take here."),
]
ApproveOption = Annotated[
    list[str] | None,
    typer.Option(
        "--approve",
        help="A stage that waits for `certflow approve`: regenerate, ctl, restart, reset.",
    ),
]
_ByOption = Annotated[str, typer.Option("--by", help="Who asks.")]
_WhyOption = Annotated[str, typer.Option("--why", help="The reason; it is kept.")]


def maintenance_of(windows: list[str] | None, journals: list[Path] | None) -> Maintenance | None:
    """When anything may be changed, and how long it took in *journals*; None if at any time.

    Raises:
        UsageError: A window is wrong, or journals are given without one.
        JournalError: One of the journals does not read.
    """
    if not windows:
        if journals:
            raise UsageError(
                Report(headline="--measured is for --maintenance", left="nothing was sent")
            )
        return None
    measured = measured_of(journals)
    try:
        return Maintenance(
            windows=tuple(MaintenanceWindow.parse(text) for text in windows),
            measured_s=tuple(sorted(measured.items())),
        )
    except ValueError as error:
        raise UsageError(Report(headline=str(error), left="nothing was sent")) from None


def measured_of(journals: list[Path] | None) -> dict[str, float]:
    """The longest that each row took in *journals*, in seconds, by the row's name.

    Raises:
        JournalError: One of them does not read.
    """
    measured: dict[str, float] = {}
    for path in journals or ():
        written = Journal.read(path)
        for name, seconds in measured_s(written.plan, written.records).items():
            measured[name] = max(seconds, measured.get(name, 0.0))
    return measured


def stages_of(names: list[str] | None) -> frozenset[Stage]:
    """The stages called *names*.

    Raises:
        UsageError: There is no such stage.
    """
    known = [stage.value for stage in Stage]
    for name in names or ():
        if name not in known:
            raise UsageError(
                Report(
                    headline=f"there is no stage {name!r:.40}{suggestion(name, known)}",
                    expected=", ".join(known),
                    left="nothing was sent",
                )
            )
    return frozenset(Stage(name) for name in names or ())


def status_command(
    journal: JournalOption,
    watch: Annotated[
        bool, typer.Option("--watch", help="Follow the journal while somebody drives the run.")
    ] = False,
    every: Annotated[
        float, typer.Option("--every", help="With --watch: seconds between two looks.", min=0.1)
    ] = 2.0,
    json: JsonOption = False,
    plain: PlainOption = False,
) -> None:
    """Say how a run stands, by its journal alone: nobody is asked, and nothing is changed."""
    try:
        if watch:
            watch_journal(journal, every_s=every, json=json, plain=plain)
        status = status_of(journal)
    except CertflowError as error:
        fail(error, json=json)
    if json and not watch:
        print_document(DocumentKind.STATUS, status)
    elif not json:
        print(status)
    raise typer.Exit(_exit_of(status))


def _exit_of(status: RunStatus) -> Exit:
    if status.ended:
        return Exit.ABORTED if status.ended == "aborted" else Exit.DONE
    if status.driver:
        return Exit.DONE
    return Exit.HELD if status.reasons else Exit.PAUSED


def pause_command(
    journal: JournalOption, by: _ByOption, why: _WhyOption, json: JsonOption = False
) -> None:
    """Ask the process that drives a run to stop at its next safe point; `resume` goes on."""
    _give(lambda: ask_to_pause(journal, by=by, why=why), json=json)


def approve_command(
    item: Annotated[str, typer.Argument(help="As the reason, or `certflow status`, names it.")],
    journal: JournalOption,
    by: _ByOption,
    why: _WhyOption,
    json: JsonOption = False,
) -> None:
    """Let something pass that waits for a person: a stage, a second send, a drift."""
    _give(lambda: approve(journal, item, by=by, why=why), json=json)


def abort_command(
    journal: JournalOption,
    by: _ByOption,
    why: _WhyOption,
    inventory: Annotated[
        Path | None,
        typer.Option("--inventory", "-i", help="Needed if no process drives the run now."),
    ] = None,
    json: JsonOption = False,
    plain: PlainOption = False,
    lab_speed: SpeedOption = 1.0,
) -> None:
    """End a run for good at its next safe point, and say what is left and what to do now."""
    if driver_of(journal) or inventory is None:
        _give(lambda: ask_to_abort(journal, by=by, why=why), json=json)
        return

    async def work(cluster: Cluster) -> Exit:
        try:
            ending = cluster.abort(journal=journal, by=by, why=why)
        except ValueError as error:
            raise UsageError(Report(headline=str(error), left="nothing was sent")) from None
        async with ending as run:
            return await follow(run, journal=journal, clock=cluster.clock, json=json, plain=plain)

    with_cluster(inventory, lab_speed, work, json=json, journal=journal)


def _give(ask: Callable[[], Order], *, json: bool) -> None:
    try:
        order = ask()
    except CertflowError as error:
        fail(error, json=json)
    except ValueError as error:
        fail(UsageError(Report(headline=str(error), left="nothing was written down")), json=json)
    if json:
        print_document(DocumentKind.ORDER, order)
    else:
        print(f"left in the inbox: {order}")
