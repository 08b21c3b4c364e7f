"""What the commands of ``certflow`` share: options, the way to a cluster, what was asked for."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Annotated, NoReturn, TypeVar

import typer

from cucm_certflow.cli.asking import ask_on_terminal
from cucm_certflow.cli.documents import DocumentKind, error_document, print_document
from cucm_certflow.cli.interrupting import run_until_interrupted
from cucm_certflow.cli.output import Exit, exit_of_error
from cucm_certflow.clock import Clock, ScaledClock, SystemClock
from cucm_certflow.cluster import Cluster
from cucm_certflow.connection import connect
from cucm_certflow.core.planner import expiring_units
from cucm_certflow.errors import CertflowError, Report, UsageError
from cucm_certflow.facts import ClusterFacts
from cucm_certflow.inventory import Inventory
from cucm_certflow.names import CertUnit
from cucm_certflow.nearest import suggestion
from cucm_certflow.procedures.policies import BatchesBy, Canary, CapfWindow, Policy, UnitOrder
from cucm_certflow.procedures.vocabulary import Stage

__all__ = [
    "BarrierOption",
    "BatchOption",
    "BatchesByOption",
    "CanaryOption",
    "CapfOption",
    "ExpiringOption",
    "FailureLimitOption",
    "InventoryOption",
    "JournalOption",
    "JsonOption",
    "NoRestartOption",
    "PlainOption",
    "PseudonymsOption",
    "RecordOption",
    "SpeedOption",
    "TvsFirstOption",
    "UnitOption",
    "WaiveOption",
    "WindowOption",
    "check_kinds",
    "check_new_file",
    "fail",
    "policy_of",
    "unit_named",
    "units_of",
    "with_cluster",
]

E = TypeVar("E", bound=Enum)

InventoryOption = Annotated[
    Path, typer.Option("--inventory", "-i", help="Nodes and accounts of the cluster.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document a line.")]
PlainOption = Annotated[
    bool, typer.Option("--plain", help="One line an event, also on a terminal.")
]
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
ExpiringOption = Annotated[
    float | None,
    typer.Option("--expiring", help="Every kind of which a certificate is over in so many days."),
]
CapfOption = Annotated[
    bool, typer.Option("--capf-with-callmanager", help="CAPF in CallManager's window: one reset.")
]
NoRestartOption = Annotated[
    bool,
    typer.Option(
        "--no-callmanager-restart", help="From 14SU1: leave CallManager and CTIManager running."
    ),
]
CanaryOption = Annotated[
    str,
    typer.Option(
        "--canary",
        help="Reset one phone of each kind first, and wait for it: wave, confirmed (and for "
        "`certflow approve`), off.",
    ),
]
BatchOption = Annotated[int, typer.Option("--reset-batch", help="Phones in one batch of resets.")]
BatchesByOption = Annotated[
    str, typer.Option("--batches-by", help="What a batch never mixes: name, group, pool.")
]
FailureLimitOption = Annotated[
    int | None,
    typer.Option("--failure-limit", help="More phones that do not come back hold the run."),
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


def fail(error: CertflowError, *, json: bool) -> NoReturn:
    """Say *error*, and end with its exit status."""
    if json:
        print_document(DocumentKind.ERROR, error_document(error))
    else:
        print(error, file=sys.stderr)
    raise typer.Exit(exit_of_error(error))


def with_cluster(
    inventory: Path,
    speed: float,
    work: Callable[[Cluster], Awaitable[Exit]],
    *,
    json: bool,
    record: Path | None = None,
    pseudonyms: bool = False,
    journal: Path | None = None,
) -> NoReturn:
    """Run *work* on the cluster, and end with its exit status.

    *journal* is what a run can be resumed from once it is there.
    """
    if speed <= 0:
        raise _wrong("--lab-speed must be over 0")
    if pseudonyms and record is None:
        raise _wrong("--pseudonyms is for --record")
    # Outside the loop: at the prompt for a password Ctrl-C works as it does anywhere.
    loaded = Inventory.load(inventory, ask=ask_on_terminal)
    clock: Clock = SystemClock()
    if speed != 1:
        # The lab wrote the file when its story began: all who read it share that instant, so
        # that a run that is resumed does not find itself before its own journal.
        began = datetime.fromtimestamp(inventory.stat().st_mtime, UTC)
        clock = ScaledClock(speed, epoch=began)

    async def main() -> Exit:
        recorder = None
        if record is not None:
            from cucm_certflow.transports.record import open_recording

            recorder = open_recording(record, loaded, clock, pseudonyms=pseudonyms)
        async with connect(loaded, clock=clock, recorder=recorder) as cluster:
            status = await work(cluster)
        if recorder is not None and recorder.problem:
            print(f"{record}: not all was recorded: {recorder.problem}", file=sys.stderr)
        return status

    try:
        status = run_until_interrupted(main, journal=journal)
    except CertflowError as error:
        fail(error, json=json)
    raise typer.Exit(status)


def check_new_file(path: Path | None, option: str) -> None:
    """Make sure, before anybody is asked, that *path*, given with *option*, can be made.

    Raises:
        UsageError: There is something already, or its folder is missing or cannot be written.
    """
    if path is None:
        return
    folder = path.absolute().parent
    if os.path.lexists(path):
        why = "there is something of that name already"
    elif not folder.is_dir():
        why = f"there is no folder {folder}"
    elif not os.access(folder, os.W_OK | os.X_OK):
        why = f"you are not allowed to write in {folder}"
    else:
        return
    raise UsageError(
        Report(
            headline=f"{option}: {path} cannot be made",
            expected="a new name, in a folder that you may write in",
            saw=why,
            left="nothing was sent",
            next="give another name",
        )
    )


def _wrong(headline: str) -> UsageError:
    return UsageError(Report(headline=headline, left="nothing was sent"))


def policy_of(
    *,
    tvs_first: bool,
    barrier_within: float,
    speed: float,
    capf_with_callmanager: bool = False,
    no_callmanager_restart: bool = False,
    approve: frozenset[Stage] = frozenset(),
    canary: str = "wave",
    reset_batch: int = 100,
    batches_by: str = "name",
    failure_limit: int | None = None,
) -> Policy:
    """The policy that the options choose; everything else is the safe default.

    Raises:
        UsageError: A figure is out of range.
    """
    slower = max(1.0, speed)  # a look takes real time, which is *speed* times as long in the lab
    try:
        return Policy(
            order=UnitOrder.TVS_FIRST if tvs_first else UnitOrder.CALLMANAGER_FIRST,
            capf=CapfWindow.WITH_CALLMANAGER if capf_with_callmanager else CapfWindow.OWN,
            callmanager_restarts=not no_callmanager_restart,
            barrier_within_s=barrier_within,
            fresh_s=60.0 * slower,
            slow_fresh_s=900.0 * slower,
            preflight_fresh_s=14_400.0 * slower,
            lease_s=60.0 * slower,
            stands_still_s=3600.0 * slower,
            approve=approve,
            canary=_member(Canary, "--canary", canary),
            reset_batch=reset_batch,
            batches_by=_member(BatchesBy, "--batches-by", batches_by),
            failure_limit=failure_limit,
        )
    except ValueError as error:
        raise UsageError(Report(headline=str(error), left="nothing was sent")) from None


def _member(kind: type[E], option: str, name: str) -> E:
    """The member of *kind* called *name*, in upper or lower case."""
    try:
        return kind[name.upper()]
    except KeyError:
        known = [member.name.lower() for member in kind]
        hint = suggestion(name, known)
        text = f"{option}: expected one of {', '.join(known)}, saw {name!r:.40}{hint}"
        raise ValueError(text) from None


def unit_named(name: str) -> CertUnit:
    """The certificate kind called *name*, in upper or lower case.

    Raises:
        UsageError: There is none.
    """
    for unit in CertUnit:
        if unit.value.lower() == name.strip().lower():
            return unit
    raise UsageError(
        Report(
            headline=f"there is no certificate kind {name.strip()!r}{suggestion(name, CertUnit)}",
            expected=", ".join(CertUnit),
            left="nothing was sent",
        )
    )


def check_kinds(units: list[str] | None, windows: list[str] | None, expiring: float | None) -> None:
    """Make sure, before anybody is asked, that kinds are named once, and that there are such kinds.

    Raises:
        UsageError: They are named in no way, or in several, or one is unknown.
    """
    ways = sum(map(bool, (units, windows, expiring is not None)))
    if ways != 1:
        raise UsageError(
            Report(
                headline="say once what is to be regenerated",
                expected="one of --unit, --window and --expiring",
                saw=f"{ways} of them",
                left="nothing was sent",
            )
        )
    for name in (units or []) + [each for window in windows or () for each in window.split(",")]:
        unit_named(name)


def units_of(
    facts: ClusterFacts,
    units: list[str] | None,
    windows: list[str] | None,
    expiring: float | None,
) -> tuple[CertUnit, ...]:
    """The kinds that were asked for: by name, by window, or by what is over within some days.

    Raises:
        UsageError: A kind is unknown, or nothing expires in time.
    """
    if expiring is not None:
        found = expiring_units(facts, expiring)
        if not found:
            raise UsageError(
                Report(
                    headline=f"no certificate expires within {expiring:g} days",
                    left="nothing was sent",
                )
            )
        return found
    names = [name for window in windows or () for name in window.split(",")] + (units or [])
    return tuple(dict.fromkeys(unit_named(name) for name in names))
