"""Journals that were damaged, copied, or are held by others: each refused, none made worse."""

from __future__ import annotations

import multiprocessing
import os
import resource
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cucm_certflow.cluster import Cluster
from cucm_certflow.control import status_of
from cucm_certflow.core.planner import make_plan
from cucm_certflow.errors import (
    CertflowError,
    ClusterInUse,
    JournalError,
    JournalInUse,
    JournalNotWritten,
)
from cucm_certflow.journal import Journal
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.locks import ClusterLock
from cucm_certflow.names import CertUnit
from cucm_certflow.observers import Held, Paused, Verified
from cucm_certflow.testing.virtual import EPOCH, run_virtual
from tests.journeys.main_job import Lab, executed, start
from tests.journeys.test_control import UNITS, _told
from tests.journeys.test_crashes import SMALL
from tests.words import NO_PARTNERS, NOBODY_LOOKED


async def _stood(journal: Path) -> Lab:
    """A run that was paused after its first window's restarts."""
    there, outcome = await _told(
        journal, lambda _, run: run.pause(by="ann", why="x"), after="1.regenerate"
    )
    assert isinstance(outcome, Paused)
    return there


def _refused(
    journal: Path, damage: Callable[[Path], object], words: str, kind: type[CertflowError]
) -> None:
    """Resuming after *damage* is refused; neither file nor cluster is different afterwards."""

    async def story() -> None:
        there = await _stood(journal)
        damage(journal)
        before, log = journal.read_bytes(), there.lab.log
        beside = sorted(path.name for path in journal.parent.iterdir())
        with pytest.raises(kind, match=words):
            there.cluster.resume(journal=journal)
        assert journal.read_bytes() == before
        assert there.lab.log == log
        assert sorted(path.name for path in journal.parent.iterdir()) == beside

    run_virtual(story)


def _line(data: bytes, number: int) -> tuple[int, int]:
    lines = data.split(b"\n")
    begins = sum(len(line) + 1 for line in lines[:number])
    return begins, begins + len(lines[number])


def _flipped(data: bytes, number: int) -> bytes:
    begins, ends = _line(data, number)
    middle = (begins + ends) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def _doubled(data: bytes, number: int) -> bytes:
    begins, ends = _line(data, number)
    return data[: ends + 1] + data[begins : ends + 1] + data[ends + 1 :]


def _without(data: bytes, number: int) -> bytes:
    begins, ends = _line(data, number)
    return data[:begins] + data[ends + 1 :]


@pytest.mark.parametrize("number", [0, 1, 5, -2], ids=["first", "second", "middle", "last"])
@pytest.mark.parametrize("change", [_flipped, _doubled], ids=["flipped", "doubled"])
def test_a_line_that_is_not_what_was_written_is_refused(
    tmp_path: Path, change: Callable[[bytes, int], bytes], number: int
) -> None:
    def damage(journal: Path) -> None:
        data = journal.read_bytes()
        journal.write_bytes(change(data, number % len(data.split(b"\n"))))

    _refused(tmp_path / "job.journal", damage, "does not read", JournalError)


def test_a_line_that_was_taken_out_is_refused(tmp_path: Path) -> None:
    def damage(journal: Path) -> None:
        journal.write_bytes(_without(journal.read_bytes(), 4))

    _refused(tmp_path / "job.journal", damage, "line 5 does not read", JournalError)


def test_a_journal_cut_between_two_lines_forgets_and_the_cluster_reminds(tmp_path: Path) -> None:
    # Nobody can tell from the file; the certificates are not those that it predicts.
    journal = tmp_path / "job.journal"

    async def story() -> None:
        there = await _stood(journal)
        data = journal.read_bytes()
        journal.write_bytes(data[: _line(data, 1)[0]])
        async with there.cluster.resume(journal=journal) as run:
            outcome = await run.wait()
        assert isinstance(outcome, Held)
        assert "drift" in [reason.guard for reason in outcome.blocked]
        done = [text for _, text in executed(there.lab) if "regen" in text]
        assert done == ["set cert regen CallManager"] * 2

    run_virtual(story)


def test_a_journal_of_another_user_is_refused(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file to another user")
    _refused(
        tmp_path / "job.journal",
        lambda journal: os.chown(journal, 54_321, -1),
        "belongs to another user",
        JournalError,
    )


def test_a_journal_in_a_folder_that_cannot_be_written_is_refused_before_anything_is_sent() -> None:
    folder = Path("/sys/kernel")  # closed to everybody, root included
    if not folder.is_dir():
        pytest.skip("this system has no folder that is closed to root")

    async def story() -> None:
        there = start(Scenario.loads(SMALL))
        plan = make_plan(
            await there.cluster.discover(), units=UNITS, preflight=NOBODY_LOOKED, said=NO_PARTNERS
        )
        with pytest.raises(JournalError, match="you are not allowed to write there"):
            Journal.create(folder / "job.journal", plan, at=there.clock.now())
        assert not executed(there.lab)

    run_virtual(story)


@contextmanager
def _full_disk(room: int) -> Iterator[None]:
    """No file of this process may grow beyond *room* bytes: the write fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("room", [1, 300, 3000, 9000])
def test_a_full_disk_stops_the_run_and_what_was_written_goes_on_when_there_is_room(
    tmp_path: Path, room: int
) -> None:
    journal = tmp_path / "job.journal"

    async def story() -> None:
        there = start(Scenario.loads(SMALL))
        plan = make_plan(
            await there.cluster.discover(), units=UNITS, preflight=NOBODY_LOOKED, said=NO_PARTNERS
        )
        run = await there.cluster.start(plan, journal=journal)
        with (
            _full_disk(journal.stat().st_size + room),
            pytest.raises(JournalNotWritten, match="the disk refused a line"),
        ):
            async with run:
                await run.wait()
        sent = len(executed(there.lab))
        intended = sum(
            getattr(record, "edge", "") == "intend" for record in Journal.read(journal).records
        )
        assert sent <= intended  # nothing is sent that does not stand in the journal
        await there.clock.sleep(300)
        async with there.cluster.resume(journal=journal) as run:
            assert isinstance(await run.wait(), Verified)
        done = [pair for pair in executed(there.lab) if "regen" in pair[1]]
        assert len(done) == len(set(done)) == 4

    run_virtual(story)


def test_a_disk_that_is_full_from_the_beginning_leaves_no_journal(tmp_path: Path) -> None:
    journal = tmp_path / "job.journal"

    async def story() -> None:
        there = start(Scenario.loads(SMALL))
        plan = make_plan(
            await there.cluster.discover(), units=UNITS, preflight=NOBODY_LOOKED, said=NO_PARTNERS
        )
        with _full_disk(1000), pytest.raises(JournalError):
            Journal.create(journal, plan, at=there.clock.now())

    run_virtual(story)
    assert not journal.exists()


# ── two at once ───────────────────────────────────────────────────────────────────────────


def test_of_two_resumes_at_once_the_second_is_refused_and_told_who_drives(
    tmp_path: Path,
) -> None:
    journal = tmp_path / "job.journal"

    async def story() -> None:
        there = await _stood(journal)
        first = there.cluster.resume(journal=journal)
        with pytest.raises(JournalInUse, match=f"process {os.getpid()} of"):
            there.cluster.resume(journal=journal)
        assert "driven by process" in str(status_of(journal))
        async with first:
            assert isinstance(await first.wait(), Verified)

    run_virtual(story)


def _holds(folder: str, ready: str) -> None:
    ClusterLock("10.0.0.1", folder).acquire(EPOCH, run="theirs", records=3)
    Path(ready).touch()
    threading.Event().wait(60)


def test_a_second_driver_of_the_cluster_is_told_who_has_it_and_the_kernel_frees_a_dead_ones(
    tmp_path: Path,
) -> None:
    folder, ready = tmp_path / "locks", tmp_path / "ready"
    process = multiprocessing.get_context("spawn").Process(
        target=_holds, args=(str(folder), str(ready))
    )
    process.start()
    try:
        for _ in range(600):
            if ready.exists():
                break
            process.join(0.05)
        with pytest.raises(ClusterInUse, match=f"process {process.pid} of"):
            ClusterLock("10.0.0.1", folder).acquire(EPOCH, run="ours", records=0)
        ClusterLock("10.0.0.2", folder).acquire(EPOCH, run="ours", records=0).release()
    finally:
        process.kill()
        process.join()
    ClusterLock("10.0.0.1", folder).acquire(EPOCH, run="ours", records=0).release()


def test_a_run_takes_the_lock_of_its_cluster_and_lets_go_of_it(tmp_path: Path) -> None:
    journal = tmp_path / "j"

    async def story() -> None:
        there = start(Scenario.loads(SMALL))
        lock = ClusterLock("lab", tmp_path / "locks")
        cluster = Cluster(there.transport, there.transport.discover, clock=there.clock, lock=lock)
        plan = make_plan(
            await cluster.discover(),
            units=[CertUnit.TVS],
            preflight=NOBODY_LOOKED,
            said=NO_PARTNERS,
        )
        async with cluster.run(plan, journal=journal) as run:
            other = ClusterLock("lab", tmp_path / "locks")
            with pytest.raises(ClusterInUse):
                other.acquire(there.clock.now(), run="", records=0)
            await run.wait()
        other.acquire(there.clock.now(), run="", records=0).release()

    run_virtual(story)


def test_an_old_copy_of_a_journal_is_refused_where_the_newer_one_was_driven(
    tmp_path: Path,
) -> None:
    journal, copy = tmp_path / "job.journal", tmp_path / "copy.journal"

    async def story() -> None:
        there = start(Scenario.loads(SMALL))
        lock = ClusterLock("lab", tmp_path / "locks")
        cluster = Cluster(there.transport, there.transport.discover, clock=there.clock, lock=lock)
        plan = make_plan(
            await cluster.discover(), units=UNITS, preflight=NOBODY_LOOKED, said=NO_PARTNERS
        )
        async with cluster.run(plan, journal=journal) as run:
            await run.pause(by="ann", why="x")
        shutil.copy(journal, copy)
        async with cluster.resume(journal=journal) as run:
            assert isinstance(await run.wait(), Verified)
        with pytest.raises(JournalError, match="an old copy"):
            cluster.resume(journal=copy)

    run_virtual(story)
