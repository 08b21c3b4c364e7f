"""Ctrl-C, anywhere: a message, a status that says what can be resumed, and a whole journal."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import pytest

from cucm_certflow.cli.interrupting import Interrupted, run_until_interrupted
from cucm_certflow.cli.output import Exit
from cucm_certflow.core.planner import make_plan
from cucm_certflow.journal import Journal
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.names import CertUnit
from cucm_certflow.testing.virtual import run_virtual
from tests.journeys.main_job import executed, start
from tests.journeys.test_over_the_wires import SMALL as TWO_NODES
from tests.journeys.test_over_the_wires import _in_lab as in_lab
from tests.journeys.test_over_the_wires import _regenerated as regenerated
from tests.journeys.test_over_the_wires import _words as words_for
from tests.line.calls import EXPLAIN, SMALL, command, environment
from tests.words import NOBODY_LOOKED

UNITS: Final = ("-u", "CallManager", "-u", "TVS")


# ── while something is under way ──────────────────────────────────────────────────────────


async def _interrupted() -> None:
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.Event().wait()


def test_an_interrupt_without_a_journal_leaves_nothing_to_resume(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for journal in (None, tmp_path / "not-begun.journal"):
        with pytest.raises(Interrupted) as stopped:
            run_until_interrupted(_interrupted, journal=journal)
        assert stopped.value.status is Exit.INTERRUPTED
        assert "nothing was changed, and there is nothing to resume" in capfd.readouterr().err


def test_an_interrupt_with_a_journal_says_how_to_go_on(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    journal = tmp_path / "begun.journal"
    journal.touch()
    with pytest.raises(Interrupted) as stopped:
        run_until_interrupted(_interrupted, journal=journal)
    assert stopped.value.status is Exit.PAUSED
    assert "`certflow resume` goes on" in capfd.readouterr().err


def test_the_work_ends_in_order_after_the_first_interrupt() -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await _interrupted()
        finally:
            await asyncio.sleep(0)
            ended.append("closed")

    with pytest.raises(Interrupted):
        run_until_interrupted(work)
    assert ended == ["closed"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_was_done_before_the_interrupt_reached_it_counts() -> None:
    async def work() -> str:
        task = asyncio.current_task()
        assert task is not None
        os.kill(os.getpid(), signal.SIGINT)
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            return "done"
        return "never"

    assert run_until_interrupted(work) == "done"


def test_a_background_job_of_a_shell_is_not_meant_by_ctrl_c() -> None:
    async def work() -> str:
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(0)
        return "done"

    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert run_until_interrupted(work) == "done"
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


_BEGINS: Final = (
    "import os, signal, sys; from cucm_certflow.cli import main; {patch}; "
    "sys.argv = ['certflow', *sys.argv[1:]]; main()"
)
_KILL: Final = "os.kill(os.getpid(), signal.SIGINT)"


def _with(patch: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _BEGINS.format(patch=patch), *words],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("patch", "words"),
    [
        (
            "import cucm_certflow.testing.check.plans as p; "
            f"p.check_plan = lambda *_, **__: {_KILL}",
            ("check", SMALL, "-u", "TVS"),
        ),
        (
            f"import cucm_certflow.cli.controlling as c; c.status_of = lambda *_: {_KILL}",
            ("status", "-j", "x"),
        ),
        (f"import cucm_certflow.cli.explaining as e; e.unit_named = lambda *_: {_KILL}", EXPLAIN),
        (
            "import cucm_certflow.lab.servers as s; "
            "s.LabServers = lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt)",
            ("lab", SMALL),
        ),
    ],
    ids=["check", "status", "explain", "lab"],
)
def test_an_interrupt_of_what_only_looks_has_the_status_of_a_shell(
    patch: str, words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = _with(patch, *words)
    assert done.returncode == Exit.INTERRUPTED
    assert done.stderr == "interrupted; nothing was changed\n"


def test_an_interrupt_before_there_is_a_command_is_told_as_well() -> None:
    patch = f"import cucm_certflow.cli as c; c.missing = 1; c._certflow = lambda: {_KILL}"
    done = _with(patch, "status")
    assert done.returncode == Exit.INTERRUPTED
    assert done.stderr == "certflow: interrupted; nothing was changed\n"


# ── the journal ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("after", ["half a line", "the whole line"])
def test_a_write_that_a_signal_breaks_off_leaves_a_journal_that_reads_and_goes_on(
    after: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "broken-off.journal"

    async def story() -> None:
        there = start(Scenario.loads(TWO_NODES))
        plan = make_plan(
            await there.cluster.discover(), units=[CertUnit.TVS], preflight=NOBODY_LOOKED
        )
        kept = tmp_path / "kept.journal"
        async with there.cluster.run(plan, journal=kept) as run:
            await run.wait()
        first, second, *_ = Journal.read(kept).records
        journal = Journal.create(path, plan, at=there.clock.now())
        write = os.write

        def interrupted(descriptor: int, data: bytes) -> int:
            write(descriptor, data[:9] if after == "half a line" else data)
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(os, "write", interrupted)
            with pytest.raises(KeyboardInterrupt):
                journal.append(first)
        journal.append(first)
        journal.append(second)
        journal.close()
        assert Journal.read(path).records == (first, second)

    run_virtual(story)


# ── over the wires ────────────────────────────────────────────────────────────────────────


async def _started(words: list[str], **streams: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *command(*words),
        stdout=streams.get("stdout", asyncio.subprocess.PIPE),
        stderr=asyncio.subprocess.PIPE,
        env=environment(),
    )


async def _until(lab: LabCluster, begins: str) -> None:
    async with asyncio.timeout(100):
        while not any(text.startswith(begins) for _, text in executed(lab)):
            await asyncio.sleep(0.01)


async def _ended(process: asyncio.subprocess.Process) -> tuple[int, str]:
    out, err = await asyncio.wait_for(process.communicate(), 200)
    assert process.returncode is not None
    text = (out or b"").decode() + err.decode()
    assert "Traceback" not in text
    return process.returncode, text


def _told(tmp_path: Path, story: Callable[[LabCluster, list[str]], Awaitable[None]]) -> None:
    in_lab(tmp_path, story)


@pytest.mark.slow
def test_a_run_that_is_interrupted_once_and_then_twice_in_a_row_is_resumed_to_its_end(
    tmp_path: Path,
) -> None:
    journal = tmp_path / "stopped.journal"

    async def story(lab: LabCluster, where: list[str]) -> None:
        first = await _started(["run", *where, "-j", str(journal), *UNITS, *words_for(where)])
        await _until(lab, "set cert regen")
        first.send_signal(signal.SIGINT)
        status, text = await _ended(first)
        assert status == Exit.PAUSED, text[-2000:]
        assert "`certflow resume` goes on" in text
        assert Journal.read(journal).records

        second = await _started(["resume", *where, "-j", str(journal)])
        await _until(lab, "utils service restart Cisco Tftp")
        second.send_signal(signal.SIGINT)
        second.send_signal(signal.SIGINT)
        await asyncio.sleep(0.05)
        if second.returncode is None:
            second.send_signal(signal.SIGINT)
        status, text = await _ended(second)
        assert status == Exit.PAUSED, text[-2000:]
        assert Journal.read(journal).records

        status, text = await _ended(await _started(["status", "-j", str(journal)]))
        assert status in (Exit.PAUSED, Exit.HELD), text
        status, text = await _ended(await _started(["resume", *where, "-j", str(journal)]))
        assert status == Exit.DONE, text[-2000:]
        made = regenerated(lab)
        assert len(made) == len(set(made)) == 4

    _told(tmp_path, story)


@pytest.mark.slow
def test_a_run_whose_output_nobody_reads_any_more_goes_on_to_its_end(tmp_path: Path) -> None:
    journal = tmp_path / "unread.journal"

    async def story(lab: LabCluster, where: list[str]) -> None:
        reading, writing = os.pipe()
        words = ["run", *where, "-j", str(journal), "-u", "TVS", *words_for(where)]
        run = await _started(words, stdout=writing)
        os.close(writing)
        await asyncio.to_thread(os.read, reading, 100)  # as `head -1` would
        os.close(reading)
        status, text = await _ended(run)
        assert status == Exit.DONE, text
        assert "the work goes on without it" in text
        assert len(regenerated(lab)) == 2
        ended, text = await _ended(await _started(["status", "-j", str(journal)]))
        assert ended == Exit.DONE
        assert "verified" in text

    _told(tmp_path, story)


def test_a_discovery_is_interrupted_at_any_moment_and_needs_no_home(tmp_path: Path) -> None:
    async def story(lab: LabCluster, where: list[str]) -> None:
        for looks in (1, 4, 9):  # by what the cluster is asked: how fast Python starts is no matter
            asked = len(lab.exchanges)
            process = await _started(["discover", *where])
            async with asyncio.timeout(100):
                while len(lab.exchanges) < asked + looks and process.returncode is None:
                    await asyncio.sleep(0.005)
            if process.returncode is None:
                process.send_signal(signal.SIGINT)
            status, text = await _ended(process)
            assert status in (Exit.INTERRUPTED, Exit.DONE), text
        homeless = await asyncio.create_subprocess_exec(
            *command("discover", *where),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment(HOME=None),
        )
        status, text = await _ended(homeless)
        assert status == Exit.DONE, text

    _told(tmp_path, story)
