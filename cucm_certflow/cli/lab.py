"""``certflow lab``: a scenario as real servers, for whoever comes, and the verdict in the end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import attrs
import typer

from cucm_certflow.cli.common import JsonOption, SpeedOption, fail
from cucm_certflow.cli.documents import DocumentKind, as_document, print_document
from cucm_certflow.cli.output import Exit
from cucm_certflow.clock import ScaledClock
from cucm_certflow.documents import not_written
from cucm_certflow.errors import CertflowError, NodeError, Report, UsageError

if TYPE_CHECKING:
    from cucm_certflow.testing.verdict import Verdict

__all__ = ["LabDocument", "lab_command"]

T = TypeVar("T")

_TO_END_S: Final = 5.0
"""How long a command that is told to end has for that, in real seconds."""


@attrs.frozen(kw_only=True)
class LabDocument:
    """That a lab is ready, for machines.

    Attributes:
        ready: Where its inventory is.
        lab_speed: How many times as fast its clock runs.
    """

    ready: str
    lab_speed: float


def lab_command(
    scenario: Annotated[Path, typer.Argument(help="A scenario file.")],
    command: Annotated[
        list[str] | None,
        typer.Argument(
            help="After --: runs this as soon as the lab is ready, and ends with it.",
            show_default=False,
        ),
    ] = None,
    folder: Annotated[Path, typer.Option("--folder", help="Gets inventory.toml.")] = Path("lab"),
    lab_speed: SpeedOption = 1.0,
    ssh_port: Annotated[
        int,
        typer.Option("--ssh-port", min=0, max=65535, help="Of every node; 0: the machine chooses."),
    ] = 0,
    settle: Annotated[
        float,
        typer.Option("--settle", help="Lab seconds from the end of the command to the verdict."),
    ] = 900.0,
    verdict: Annotated[
        Path | None,
        typer.Option("--verdict", help="Write the verdict to this file, as JSON."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Bring a scenario to life as real servers on loopback, until interrupted.

    Then it says which phones are lost, by which command, and what brings them back.
    """
    if lab_speed <= 0 or settle < 0:
        left = "nothing was started"
        text = "--lab-speed must be over 0, and --settle 0 or more"
        fail(UsageError(Report(headline=text, left=left)), json=json)
    try:
        found, status = asyncio.run(
            _tell(scenario, command or (), folder, lab_speed, ssh_port, settle, json=json)
        )
    except CertflowError as error:
        fail(error, json=json)
    except OSError as error:
        report = Report(
            headline="the lab could not start",
            saw=error.strerror or str(error),
            left="nothing was started",
            next="end the other lab on this machine, or leave out --ssh-port",
        )
        fail(NodeError(report), json=json)
    if json:
        print_document(DocumentKind.VERDICT, found)
    else:
        print(found, flush=True)
    if verdict is not None:
        _write(verdict, found, json=json)
    raise typer.Exit(status if found.is_clean else Exit.LEFT_BEHIND)


def _make(folder: Path) -> None:
    """Make *folder*, and make sure that it can be written.

    Raises:
        UsageError: It cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        report = Report(
            headline=f"the lab cannot write to {folder}",
            saw=not_written(error),
            left="nothing was started",
            next="name a folder that you may write in with --folder",
        )
        raise UsageError(report) from error


def _write(path: Path, verdict: Verdict, *, json: bool) -> None:
    try:
        path.write_text(f"{as_document(DocumentKind.VERDICT, verdict)}\n", encoding="utf-8")
    except OSError as error:
        report = Report(
            headline=f"the verdict could not be written to {path}",
            saw=error.strerror or str(error),
            left="the story was told to its end, and the verdict is printed above",
        )
        fail(UsageError(report), json=json)


async def _tell(
    scenario: Path,
    command: Sequence[str],
    folder: Path,
    speed: float,
    ssh_port: int,
    settle_s: float,
    *,
    json: bool,
) -> tuple[Verdict, int]:
    """The verdict, and the exit status of *command*."""
    from cucm_certflow.lab.scenario import Scenario

    loaded = Scenario.load(scenario)
    _make(folder)
    from cucm_certflow.lab.servers import LabServers
    from cucm_certflow.testing.verdict import verdict_of

    clock = ScaledClock(speed)
    async with LabServers(loaded, clock=clock, folder=folder, ssh_port=ssh_port) as servers:
        ready = LabDocument(ready=str(servers.inventory), lab_speed=speed)
        status: int = Exit.DONE
        with _stopping() as stop:
            if json:
                print_document(DocumentKind.LAB, ready)
            else:
                print(f"ready: {ready.ready}", flush=True)
            if command:
                status = await _run(command, servers.inventory, speed, stop, json=json)
                await _first(asyncio.ensure_future(clock.sleep(settle_s)), stop)
            else:
                await stop.wait()
        return verdict_of(servers.cluster), status


@contextlib.contextmanager
def _stopping() -> Iterator[asyncio.Event]:
    """An event that Ctrl-C and ``kill`` set; a second one ends the process as it always does."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    taken: list[signal.Signals] = []

    def release() -> None:
        for each in taken:
            loop.remove_signal_handler(each)
        taken.clear()

    def end() -> None:
        stop.set()
        release()

    for each in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(each) is signal.SIG_IGN:
            continue  # a shell's background job: Ctrl-C is meant for others
        with contextlib.suppress(NotImplementedError):  # no such handlers on this system
            loop.add_signal_handler(each, end)
            taken.append(each)
    try:
        yield stop
    finally:
        release()


async def _run(
    command: Sequence[str], inventory: Path, speed: float, stop: asyncio.Event, *, json: bool
) -> int:
    """Run *command* to its end, or until *stop*; returns its exit status.

    What it prints is not ours: with JSON it goes to our standard error.
    """
    path = inventory.absolute()  # noqa: ASYNC240 - nothing is read
    about = {"CERTFLOW_LAB_INVENTORY": str(path), "CERTFLOW_LAB_SPEED": str(speed)}
    try:
        process = await asyncio.create_subprocess_exec(
            *command, env={**os.environ, **about}, stdout=sys.stderr if json else None
        )
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(
            Report(
                headline="the command for the lab could not be started",
                expected="after --: a program, and its arguments",
                saw=f"{command[0]}: {reason}",
                left="the lab has ended, and nobody has sent anything",
            )
        ) from None
    try:
        await _first(asyncio.ensure_future(process.wait()), stop)
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):  # it has ended just now
                process.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), _TO_END_S)
        if process.returncode is None:
            process.kill()
            await process.wait()
    status = process.returncode or 0
    status = status if status >= 0 else 128 - status  # as a shell says that a signal ended it
    if status:
        print(f"the command ended with exit status {status}", file=sys.stderr, flush=True)
    return status


async def _first(work: asyncio.Future[T], stop: asyncio.Event) -> None:
    """Return when *work* is done, or *stop* is set; then *work* goes on no longer."""
    stopped = asyncio.ensure_future(stop.wait())
    both: set[asyncio.Future[Any]] = {work, stopped}
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in both:
            each.cancel()
        await asyncio.gather(*both, return_exceptions=True)
