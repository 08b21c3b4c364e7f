"""The journal: what a crash leaves is dropped, anything else that does not read is an error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from cucm_certflow import journal as journal_module
from cucm_certflow.core.planner import make_plan
from cucm_certflow.core.run_state import (
    CertificateMoved,
    CommandMoved,
    Waived,
    apply,
    begin,
)
from cucm_certflow.errors import JournalError, JournalInUse
from cucm_certflow.journal import Journal
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.names import CertUnit
from cucm_certflow.notes import Migrated
from cucm_certflow.observers import Verified
from cucm_certflow.procedures import PROCEDURES
from cucm_certflow.procedures.policies import Canary
from cucm_certflow.procedures.vocabulary import Procedure, Row
from cucm_certflow.testing.virtual import run_virtual
from tests.journeys.main_job import UNITS, executed, run_to_the_end, start
from tests.journeys.test_crashes import SMALL
from tests.words import NO_PARTNERS, NOBODY_LOOKED


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "job.journal"

    async def story() -> None:
        await run_to_the_end(start(), path, units=[CertUnit.TOMCAT])

    run_virtual(story)
    return path


def test_a_journal_gives_back_the_plan_and_every_record(written: Path) -> None:
    opened = Journal.open(written)
    opened.close()
    state = begin(opened.plan)
    for record in opened.records:
        state = apply(opened.plan, state, record)
    assert len(opened.plan.certificates) == 5
    assert all(life.state.value == "verified" for life in state.certificates)


def test_a_torn_last_line_is_dropped_and_the_rest_stands(written: Path) -> None:
    whole = Journal.open(written)
    whole.close()
    data = written.read_bytes()
    start_of_last = data[:-1].rfind(b"\n") + 1
    for cut in range(start_of_last, len(data)):
        written.write_bytes(data[:cut])
        opened = Journal.open(written)
        opened.close()
        assert (*opened.records, *opened.notes) == (*whole.records, *whole.notes[:-1])


def test_a_whole_last_line_that_does_not_read_is_not_dropped(written: Path) -> None:
    # It may have been synced, and its command sent: forgetting it could send that a second time.
    data = _flip(written.read_bytes(), -2)
    written.write_bytes(data)
    with pytest.raises(JournalError, match="does not read"):
        Journal.open(written)
    assert written.read_bytes() == data


def _flip(data: bytes, line: int) -> bytes:
    lines = data.split(b"\n")
    lines[line] = lines[line][:-3] + b"x" + lines[line][-2:]
    return b"\n".join(lines)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda data: _flip(data, 3), "line 4"),
        (lambda data: b"\n".join(data.split(b"\n")[:2] + data.split(b"\n")[3:]), "line 3"),
        (lambda data: b"", "first line"),
        (lambda data: b"hello\nworld\nagain\n", "line 1"),
    ],
    ids=["changed in the middle", "a line is missing", "empty", "another file"],
)
def test_a_damaged_journal_is_an_error_and_is_left_alone(
    written: Path, damage: Callable[[bytes], bytes], words: str
) -> None:
    damaged = damage(written.read_bytes())
    written.write_bytes(damaged)
    with pytest.raises(JournalError, match=words):
        Journal.open(written)
    assert written.read_bytes() == damaged


def test_a_journal_of_another_protocol_is_refused(
    written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "PROTOCOL", 4)
    with pytest.raises(JournalError, match="protocol 3, this version reads 4"):
        Journal.open(written)


def test_a_journal_of_a_newer_version_is_refused_and_says_so(
    written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "PROTOCOL", 2)
    with pytest.raises(JournalError, match="a newer version wrote it"):
        Journal.open(written)


def test_a_journal_of_other_tables_is_refused_and_a_mended_citation_is_not(written: Path) -> None:
    def with_first_row(row: Row) -> list[Procedure]:
        return [attrs.evolve(p, rows=(row, *p.rows[1:])) for p in PROCEDURES if p.rows[0] == old]

    old = PROCEDURES[0].rows[0]
    mended = attrs.evolve(old, source=attrs.evolve(old.source, section="another"))
    Journal.open(written, procedures=with_first_row(mended)).close()
    changed = attrs.evolve(old, within_s=601.0)
    with pytest.raises(JournalError, match="other procedure tables"):
        Journal.open(written, procedures=with_first_row(changed))


def test_a_second_process_is_kept_out(written: Path) -> None:
    first = Journal.open(written)
    with pytest.raises(JournalInUse):
        Journal.open(written)
    first.close()
    Journal.open(written).close()


def test_an_existing_file_is_never_overwritten(written: Path) -> None:
    before = written.read_bytes()

    async def story() -> None:
        there = start()
        plan = make_plan(
            await there.cluster.discover(), units=UNITS, preflight=NOBODY_LOOKED, said=NO_PARTNERS
        )
        with pytest.raises(JournalError, match="exists"):
            Journal.create(written, plan, at=there.clock.now())

    run_virtual(story)
    assert written.read_bytes() == before


def test_beliefs_and_waivers_survive_the_file(tmp_path: Path) -> None:
    path = tmp_path / "beliefs.journal"

    async def story() -> None:
        await run_to_the_end(start(), path)

    run_virtual(story)
    opened = Journal.open(path)
    opened.close()
    assert sum(isinstance(record, Waived) for record in opened.records) == 1
    moved = [
        record for record in opened.records if isinstance(record, CommandMoved | CertificateMoved)
    ]
    beliefs = [record.beliefs for record in moved if record.beliefs is not None]
    assert len(beliefs) > 3
    assert path.stat().st_size < 1_000_000


PROTOCOL_2 = Path(__file__).parent / "journals" / "protocol-2.txt"
"""Of version 0.1.0 before protocol 3: its process died after the CTL update was proved."""


def test_a_journal_of_protocol_2_goes_on_by_its_named_migration(tmp_path: Path) -> None:
    path = tmp_path / "old.journal"
    path.write_bytes(PROTOCOL_2.read_bytes())
    read = Journal.read(path)
    assert read.migrations == ("2-to-3",)
    assert read.plan.policy.canary is Canary.OFF  # its records have the steps of before canaries
    assert path.read_bytes() == PROTOCOL_2.read_bytes()

    async def story() -> None:
        there = start(Scenario.loads(SMALL))
        await there.cluster.discover()
        for node in ("pub", "sub1"):
            there.lab.begin_regenerate(node, CertUnit.CALLMANAGER)
            await there.clock.sleep(60)
        there.lab.begin_ctl_update("pub")
        await there.clock.sleep(600)
        async with there.cluster.resume(journal=path) as run:
            assert isinstance(await run.wait(), Verified)
        done = [text for _, text in executed(there.lab) if "regen" in text]
        assert done == ["set cert regen CallManager"] * 2 + ["set cert regen TVS"] * 2

    run_virtual(story)
    assert [n.name for n in Journal.read(path).notes if isinstance(n, Migrated)] == ["2-to-3"]
