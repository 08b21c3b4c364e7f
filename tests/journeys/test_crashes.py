"""A crash at every record of a run, with and without a torn line: it always goes on, once each."""

from __future__ import annotations

from enum import Enum
from functools import partial
from pathlib import Path

import pytest

from cucm_certflow.cluster import Cluster
from cucm_certflow.core.planner import make_plan
from cucm_certflow.core.run_state import Record
from cucm_certflow.errors import RunFinished
from cucm_certflow.journal import Journal
from cucm_certflow.lab.memory import MemoryTransport
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.names import CertUnit
from cucm_certflow.observers import Recorded, Verified
from cucm_certflow.procedures.policies import Policy
from cucm_certflow.testing.virtual import run_virtual
from tests.journeys.main_job import executed, start
from tests.words import NO_PARTNERS, NOBODY_LOOKED

SMALL = """
name = "crashes"
release = "11.5"
mode = "mixed"
seed = 7

[[nodes]]
name = "pub"
address = "127.0.0.11"
publisher = true
services = ["callmanager", "cti", "tftp", "tvs"]

[[nodes]]
name = "sub1"
address = "127.0.0.12"
services = ["callmanager", "cti", "tftp", "tvs"]

[[phones]]
count = 3
first = "SEP001122330001"
model = "Cisco 7841"
group = ["pub", "sub1"]
tftp = ["sub1", "pub"]
"""


class Crash(Exception):
    """The process dies."""


class When(Enum):
    """Where in the life of a record the process dies."""

    TORN = "while the record is written: its command is never sent"
    SYNCED = "after the record is synced, before its command is sent"
    LATER = "after its command is on its way"


def _crashing(monkeypatch: pytest.MonkeyPatch, at: int, when: When) -> None:
    """Make the *at*-th record of the next run the last thing that its process does."""
    append = Journal.append

    def dying(self: Journal, record: Record) -> None:
        if len(self.records) + 1 != at or when is When.LATER:
            return append(self, record)
        monkeypatch.setattr(Journal, "append", append)
        before = self.path.stat().st_size
        append(self, record)
        if when is When.TORN:
            with self.path.open("r+b") as file:
                file.truncate((before + self.path.stat().st_size) // 2)
        self.close()  # a process that died writes nothing more
        raise Crash

    monkeypatch.setattr(Journal, "append", dying)


async def _story(journal: Path, crash_at: int | None, when: When) -> int:
    """Run with one crash at that record, resume; the number of records that were written."""
    there = start(Scenario.loads(SMALL))
    facts = await there.cluster.discover()
    units = [CertUnit.TOMCAT, CertUnit.CALLMANAGER, CertUnit.TVS]
    plan = make_plan(
        facts,
        units=units,
        policy=Policy(watch_every_s=36_000.0),
        preflight=NOBODY_LOOKED,
        said=NO_PARTNERS,
    )
    seen = 0
    try:
        async with there.cluster.run(plan, journal=journal) as run:
            async for event in run.events():
                seen += isinstance(event, Recorded)
                if seen == crash_at:
                    raise Crash
            await run.wait()
    except (Crash, ExceptionGroup):
        await there.clock.sleep(5)
        # A new process: what the old one watched is forgotten.
        transport = MemoryTransport(there.lab, there.clock)
        cluster = Cluster(transport, transport.discover, clock=there.clock)
        try:
            async with cluster.resume(journal=journal) as run:
                await run.wait()
            assert isinstance(run.outcome, Verified), f"{when} at {crash_at}: {run.outcome}"
        except RunFinished:  # the process died after its last record
            assert crash_at == _records_of(journal)
    done = [pair for pair in executed(there.lab) if "regen" in pair[1]]
    assert len(done) == len(set(done)) == 6, f"{when} at {crash_at}: {done}"
    return seen


def _records_of(journal: Path) -> int:
    return len(Journal.read(journal).records)


@pytest.mark.parametrize("when", list(When), ids=lambda when: when.name)
def test_after_a_crash_at_any_record_the_run_finishes_and_regenerates_nothing_twice(
    when: When, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = run_virtual(lambda: _story(tmp_path / "whole.journal", None, when))
    for crash_at in range(1, records + 1):
        _crashing(monkeypatch, crash_at, when)
        journal = tmp_path / f"{crash_at}.journal"
        run_virtual(partial(_story, journal, crash_at, when))
        monkeypatch.undo()
    print(f"\n{records} crashes: {when.value}")
