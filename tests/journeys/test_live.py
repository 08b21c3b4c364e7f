"""A run as it is watched: the view and the display of it, on a terminal and without one."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text
from typer.testing import CliRunner

from benchmarks.registration_barrier import scenario
from cucm_certflow import CertUnit, Held, JournalError, Verified, make_plan, status_of
from cucm_certflow.cli.app import app
from cucm_certflow.cli.live import LiveDisplay
from cucm_certflow.cli.live_screen import Signs, screen
from cucm_certflow.cli.live_view import (
    LiveView,
    Point,
    resampled,
    view_at_start,
    view_of_journal,
    with_event,
)
from cucm_certflow.cli.output import Exit
from cucm_certflow.core.states import CommandState
from cucm_certflow.journal import Journal, Written
from cucm_certflow.observers import Event, EvidenceSeen, RegistrationsSeen
from cucm_certflow.testing import Stage, play
from cucm_certflow.testing.virtual import EPOCH, run_virtual
from tests.journeys.main_job import UNITS, names_to_waive, start
from tests.journeys.terminals import ROOT, on_terminal, plain_of
from tests.words import NO_PARTNERS, NOBODY_LOOKED

WIDTHS: Final = (40, 60, 80, 120, 200)
UNICODE: Final = Signs.of(ascii_only=False)
ASCII: Final = Signs.of(ascii_only=True)


class Moment(NamedTuple):
    view: LiveView
    at: datetime


class Watched(NamedTuple):
    """The main job, held at its barrier, waived and resumed: the view after every event."""

    moments: tuple[Moment, ...]
    until_held: int
    of_journal: LiveView
    of_journal_held: LiveView


@cache
def _main_job() -> Watched:
    moments: list[Moment] = []

    async def story(journal: Path) -> Watched:
        there = start()
        plan = make_plan(
            await there.cluster.discover(),
            units=UNITS,
            preflight=NOBODY_LOOKED,
            said=NO_PARTNERS,
        )

        def watch(event: Event) -> None:
            view = moments[-1].view if moments else view_at_start(plan, journal="CHG1.journal")
            moments.append(Moment(with_event(view, event), event.at))

        async with there.cluster.run(plan, journal=journal, observers=[watch]) as run:
            pass
        until_held = len(moments)
        held = view_of_journal(Journal.read(journal), journal="CHG1.journal", driver="")
        while names := names_to_waive(run.outcome):
            resumed = there.cluster.resume(
                journal=journal, waive=names, waived_by="a test", observers=[watch]
            )
            async with resumed as run:
                pass
        assert isinstance(run.outcome, Verified)
        ended = view_of_journal(Journal.read(journal), journal="CHG1.journal", driver="")
        return Watched(tuple(moments), until_held, ended, held)

    with TemporaryDirectory() as folder:
        return run_virtual(lambda: story(Path(folder) / "j"))


def _texts(lines: list[Text]) -> list[str]:
    return [line.plain for line in lines]


def _middle() -> Moment:
    """Phones have been reset and some of them are back."""
    return next(
        moment
        for moment in _main_job().moments
        if moment.view.grades().get("re_registered", 0) > 100
    )


# ── the view ──────────────────────────────────────────────────────────────────────────────


def test_every_step_goes_from_planned_to_proved_in_the_view() -> None:
    moments = _main_job().moments
    first, last = moments[0].view, moments[-1].view
    assert first.proved == 0
    assert last.proved == len(last.plan.steps) == 45
    assert [row.proved for row in last.windows()] == [31, 14]
    assert {row.word for row in last.windows()} == {"verified"}
    assert {row.mark for row in last.windows()} == {CommandState.PROVED}


def test_batches_of_resets_are_one_row_however_many_there_are() -> None:
    view = _main_job().moments[0].view
    resets = [row for row in view.steps(0) if row.title == "reset phones"]
    assert [(row.steps, row.unit) for row in resets] == [(4, "batches")]
    assert len(view.steps(0)) == 9


def test_a_node_shows_what_it_is_at_and_its_services() -> None:
    restarts = [
        row
        for moment in _main_job().moments
        for row in moment.view.nodes()
        if row.name == "sub1" and row.now == "restart Cisco CallManager"
    ]
    assert restarts
    assert {row.mark for row in restarts} <= {CommandState.INTENDED, CommandState.SENT}
    assert {(row.restarting, row.settled, row.services) for row in restarts} == {(1, 1, 7)}


def test_phones_of_a_restarted_node_are_seen_to_leave_and_to_come_back() -> None:
    counts = [
        next(row.registered for row in moment.view.nodes() if row.name == "sub1")
        for moment in _main_job().moments
        if moment.view.curve
    ]
    assert counts[0] == 176
    assert 0 in counts
    assert counts[-1] == 176


def test_evidence_of_each_node_grows_while_phones_come_back() -> None:
    moments = _main_job().moments
    held = moments[_main_job().until_held - 1].view
    assert held.grades() == {
        "list_match": 0,
        "re_registered": 289,
        "registered": 6,
        "unknown": 5,
    }
    by_node = {row.name: row.grades for row in held.nodes()}
    assert by_node["sub1"] == {"re_registered": 170, "registered": 6}
    assert by_node["sub2"] == {"re_registered": 99}
    assert by_node["pub"] == {}


def test_evidence_never_counts_more_registered_phones_than_were_seen() -> None:
    for moment in _main_job().moments:
        view = moment.view
        if view.evidence is not None and view.curve[-1].at == view.evidence.at:
            graded = sum(view.grades().values()) - view.grades()["unknown"]
            assert graded == view.curve[-1].registered


def test_the_barrier_says_until_when_it_waits() -> None:
    before = _main_job().moments[_main_job().until_held - 1].view
    waits = " ".join(before.waits())
    assert "phones_back: 11 phones in scope are not back; next look" in waits
    called = max(life.since for life in before.state.certificates if life.since is not None)
    until = called + timedelta(seconds=before.plan.policy.barrier_within_s)
    assert f"phones are waited for until {until:%H:%M:%S}; then the run holds" in waits


def test_the_journal_shows_what_the_run_itself_showed() -> None:
    watched = _main_job()
    told, read = watched.moments[-1].view, watched.of_journal
    assert read.windows() == told.windows()
    assert [row.grades for row in read.nodes()] == [row.grades for row in told.nodes()]
    assert read.grades() == told.grades()
    assert read.curve[-1].registered == told.curve[-1].registered
    assert read.replies == told.replies
    assert read.state == told.state


def test_a_held_run_says_in_the_journal_what_a_person_must_decide() -> None:
    waits = _main_job().of_journal_held.waits()
    assert any("a person: phones_back:" in text and "11 phones" in text for text in waits)


def test_a_long_curve_is_thinned_and_keeps_its_lowest_point() -> None:
    view = _main_job().moments[0].view
    for number in range(5000):
        registered = 3 if number == 2345 else 295
        view = with_event(
            view,
            RegistrationsSeen(at=EPOCH, registered=registered, total=300, by_node={}),
        )
    assert len(view.curve) <= 960
    assert min(point.registered for point in view.curve) == 3


@pytest.mark.parametrize("columns", [1, 2, 7, 60])
def test_a_dip_between_two_columns_is_seen_and_the_last_column_is_the_newest(columns: int) -> None:
    def at(minute: int) -> datetime:
        return EPOCH.replace(minute=minute)

    points = [Point(at(0), 9, {}), Point(at(20), 0, {}), Point(at(21), 8, {})]
    values = resampled(points, lambda point: point.registered, until=at(40), columns=columns)
    assert len(values) == columns
    assert values[-1] == 8
    assert columns < 2 or 0 in values


# ── the display ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("lines", [10, 24, 50])
def test_the_display_keeps_within_the_terminal_at_every_moment(columns: int, lines: int) -> None:
    for moment in _main_job().moments[::7]:
        drawn = _texts(screen(*moment, columns=columns, lines=lines, signs=UNICODE))
        assert len(drawn) <= lines
        assert max(map(cell_len, drawn)) <= columns
        assert "steps" in drawn[0] or columns == 40


@pytest.mark.parametrize("columns", [1, 5, 12, 39])
@pytest.mark.parametrize("lines", [1, 3, 9])
def test_a_terminal_that_became_too_small_loses_lines_and_the_run_goes_on(
    columns: int, lines: int
) -> None:
    for moment in _main_job().moments[::50]:
        drawn = _texts(screen(*moment, columns=columns, lines=lines, signs=UNICODE))
        assert len(drawn) <= lines
        assert all(cell_len(line) <= columns for line in drawn)


@pytest.mark.parametrize("columns", WIDTHS)
def test_whatever_the_width_it_says_how_far_phones_and_how_to_pause(columns: int) -> None:
    view, at = _middle()
    text = "\n".join(_texts(screen(view, at, columns=columns, lines=40, signs=UNICODE)))
    words = " ".join(text.split())
    assert "window 1 of 2" in text
    assert "of 300 registered" in text
    assert "re-registered" in text
    assert "certflow pause -j CHG1.journal --by NAME --why REASON" in words
    for node in ("pub", "sub1", "sub2", "sub3", "imp1"):
        assert f" {node} " in text


@pytest.mark.parametrize(
    ("columns", "headings"),
    [
        (40, ["node", "steps", "phones (start)", "re-reg."]),
        (60, ["node", "steps", "now", "services", "phones (start)"]),
        (80, ["node", "steps", "now", "services", "phones (start)", "curve", "re-reg.", "reg."]),
    ],
)
def test_a_narrower_terminal_loses_columns_and_never_the_nodes(
    columns: int, headings: list[str]
) -> None:
    view, at = _middle()
    drawn = _texts(screen(view, at, columns=columns, lines=40, signs=UNICODE))
    (heading,) = [line for line in drawn if line.startswith("  node")]
    found = [name for name in headings if name in heading]
    assert found == headings


def test_a_terminal_without_unicode_gets_signs_that_it_has() -> None:
    for moment in _main_job().moments[::20]:
        drawn = screen(*moment, columns=100, lines=40, signs=ASCII)
        assert all(line.plain.isascii() for line in drawn)


def test_nothing_is_said_by_colour_alone() -> None:
    states = list(UNICODE.states.values())
    assert len(set(states)) == len(states)
    assert len(set(ASCII.states.values())) == len(states)


@pytest.mark.slow
def test_twenty_one_nodes_and_forty_thousand_phones_take_no_more_than_the_room_there_is() -> None:
    async def story(stage: Stage) -> LiveView:
        plan = await stage.plan(CertUnit.TVS)
        view = view_at_start(plan, journal="CHG1.journal")
        seen = plan.facts.registrations.values()
        by_node = Counter(each.node for each in seen if each.registered)
        registered = by_node.total()
        for event in (
            RegistrationsSeen(at=EPOCH, registered=registered, total=40_000, by_node=by_node),
            EvidenceSeen(at=EPOCH, by_node={n: {"registered": k} for n, k in by_node.items()}),
        ):
            view = with_event(view, event)
        return view

    view = play(scenario(40_000, 5, 20), story)
    assert len(view.nodes()) == 21
    assert (view.phones, view.grades()["registered"]) == (40_000, 39_995)
    began = time.perf_counter()
    for columns in WIDTHS:
        for lines in (24, 60):
            drawn = _texts(screen(view, EPOCH, columns=columns, lines=lines, signs=UNICODE))
            assert len(drawn) <= lines
            assert any("39,995 of 40,000 registered" in line for line in drawn)
    took_s = (time.perf_counter() - began) / (2 * len(WIDTHS))
    print(f"a picture of 21 nodes and 40,000 phones: {took_s * 1000:.1f} ms")
    low = _texts(screen(view, EPOCH, columns=80, lines=30, signs=UNICODE))
    assert any("nodes more, at which nothing is under way" in line for line in low)


# ── on a terminal, and without one ────────────────────────────────────────────────────────

RUN: Final = ("-m", "tests.journeys.watched_run")
_HIDE, _SHOW = "\x1b[?25l", "\x1b[?25h"


def test_a_terminal_gets_the_display_and_then_the_outcome_as_text(tmp_path: Path) -> None:
    with on_terminal(*RUN, str(tmp_path / "j")) as there:
        assert there.end() == Exit.HELD
        text = there.text
    assert _HIDE in text
    assert "Phones" in plain_of(text)
    assert "certflow pause" in plain_of(text)
    _, after = text.rsplit(_SHOW, 1)
    assert plain_of(after).startswith("held\n  phones_back: pub/CallManager: 11 phones")


@pytest.mark.parametrize(
    ("options", "columns", "lines", "environment"),
    [
        (("--plain",), 100, 40, {}),
        (("--json",), 100, 40, {}),
        ((), 39, 40, {}),
        ((), 100, 9, {}),
        ((), 100, 40, {"TERM": "dumb"}),
    ],
    ids=["asked for", "as JSON", "too narrow", "too low", "dumb"],
)
def test_a_terminal_gets_plain_lines(
    options: tuple[str, ...],
    columns: int,
    lines: int,
    environment: dict[str, str],
    tmp_path: Path,
) -> None:
    words = (*RUN, str(tmp_path / "j"), *options)
    with on_terminal(*words, columns=columns, lines=lines, **environment) as there:
        assert there.end() == Exit.HELD
        text = there.text
    assert "\x1b" not in text
    assert "295 of 300 phones registered" in text or '"registered": 295' in text


def test_a_pipe_gets_plain_lines_one_an_event(tmp_path: Path) -> None:
    words = [sys.executable, *RUN, str(tmp_path / "j")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, cwd=ROOT, check=False)
    assert done.returncode == Exit.HELD
    assert "\x1b" not in done.stdout
    lines = done.stdout.splitlines()
    intended = "1.regenerate:tomcat@pub is intended  set cert regen tomcat"
    assert sum(line.endswith(intended) for line in lines) == 1
    assert any(
        line.endswith("evidence: 289 re-registered, 6 registered, 5 unknown") for line in lines
    )


def test_no_color_is_heeded_and_nothing_is_lost_by_it(tmp_path: Path) -> None:
    with on_terminal(*RUN, str(tmp_path / "j"), NO_COLOR="1") as there:
        assert there.end() == Exit.HELD
        text = there.text
    colours = re.findall(r"\x1b\[(?:[0-9]+;)*3[0-7]m", text)
    assert colours == []
    assert "✓ regenerate tomcat" in plain_of(text)


@pytest.mark.slow
def test_ctrl_c_gives_the_terminal_back_and_the_journal_resumes(tmp_path: Path) -> None:
    journal = tmp_path / "j"
    with on_terminal(*RUN, str(journal), "--speed", "30") as there:
        there.wait_for("registered")
        there.interrupt()
        assert there.end() == Exit.PAUSED
        text = there.text
    assert text.rindex(_SHOW) > text.rindex(_HIDE)
    assert "certflow resume" in plain_of(text)
    assert status_of(journal).driver == ""


# ── from another terminal ─────────────────────────────────────────────────────────────────

CERTFLOW: Final = ("-m", "cucm_certflow")


@contextlib.contextmanager
def _going(journal: Path) -> Iterator[subprocess.Popen[str]]:
    words = [sys.executable, *RUN, str(journal), "--speed", "60", "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT) as run:
        try:
            assert run.stdout is not None
            run.stdout.readline()
            yield run
        finally:
            run.kill()


@pytest.mark.slow
def test_watching_shows_the_same_display_and_ends_with_the_run(tmp_path: Path) -> None:
    journal = tmp_path / "j"
    words = (*CERTFLOW, "status", "-j", str(journal), "--watch", "--every", "0.2")
    with _going(journal) as run, on_terminal(*words) as watching:
        watching.wait_for("Phones")
        watching.wait_for("restart Cisco Tomcat")
        run.kill()
        assert watching.end() == Exit.PAUSED
        text = plain_of(watching.text)
    assert "nobody drives it" in text
    assert "certflow resume" in text


@pytest.mark.slow
def test_watching_through_a_pipe_prints_what_is_new_a_line_each(tmp_path: Path) -> None:
    journal = tmp_path / "j"
    words = [sys.executable, *CERTFLOW, "status", "-j", str(journal), "--watch", "--every", "0.2"]
    with (
        _going(journal) as run,
        subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT) as watching,
    ):
        assert watching.stdout is not None
        first = watching.stdout.readline()
        assert first.startswith("j: begun ")
        for line in watching.stdout:
            if "is proved" in line:
                break
        run.kill()
        rest = watching.stdout.read()
        assert watching.wait(60) == Exit.PAUSED
    assert "nobody drives it: resume it to go on" in rest


@pytest.mark.slow
def test_watching_as_json_is_one_status_a_change(tmp_path: Path) -> None:
    journal = tmp_path / "j"
    words = [sys.executable, *CERTFLOW, "status", "-j", str(journal)]
    words += ["--watch", "--every", "0.2", "--json"]
    with (
        _going(journal) as run,
        subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT) as watching,
    ):
        assert watching.stdout is not None
        seen = [json.loads(watching.stdout.readline()) for _ in range(3)]
        run.kill()
        seen += [json.loads(line) for line in watching.stdout]
        assert watching.wait(60) == Exit.PAUSED
    assert {each["schema"] for each in seen} == {"status/1"}
    assert all(before != after for before, after in itertools.pairwise(seen))
    assert seen[0]["driver"]
    assert not seen[-1]["driver"]
    assert [each["proved"] for each in seen] == sorted(each["proved"] for each in seen)


@pytest.mark.slow
def test_watching_can_be_left_and_the_run_goes_on(tmp_path: Path) -> None:
    journal = tmp_path / "j"
    words = (*CERTFLOW, "status", "-j", str(journal), "--watch", "--every", "0.2")
    with _going(journal) as run, on_terminal(*words) as watching:
        watching.wait_for("Phones")
        watching.interrupt()
        assert watching.end() == Exit.INTERRUPTED
        text = watching.text
        assert run.poll() is None
        assert status_of(journal).driver
    assert "no longer watched; the run itself was not touched" in text
    assert text.rindex(_SHOW) > text.rindex(_HIDE)


@cache
def _held_journal() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "j"
        run_virtual(lambda: _until_held(path))
        return path.read_bytes()


async def _until_held(journal: Path) -> None:
    there = start()
    plan = make_plan(
        await there.cluster.discover(), units=UNITS, preflight=NOBODY_LOOKED, said=NO_PARTNERS
    )
    async with there.cluster.run(plan, journal=journal) as run:
        pass
    assert isinstance(run.outcome, Held)


def test_watching_a_run_that_is_held_says_so_and_ends(tmp_path: Path) -> None:
    (tmp_path / "j").write_bytes(_held_journal())
    words = ["status", "-j", str(tmp_path / "j"), "--watch"]
    watched = CliRunner().invoke(app, words)
    looked = CliRunner().invoke(app, words[:-1])
    assert (watched.exit_code, watched.output) == (Exit.HELD, looked.output)
    assert looked.exit_code == Exit.HELD


def test_a_journal_that_is_being_written_is_read_up_to_its_last_whole_line(tmp_path: Path) -> None:
    whole = _held_journal()
    lines = whole.splitlines(keepends=True)
    half = tmp_path / "j"
    half.write_bytes(lines[0] + lines[1] + lines[2][:20])
    read = Journal.read(half)
    assert read.size == len(lines[0] + lines[1])
    for end in range(len(lines[0] + lines[1]), len(whole) + 1, 997):
        half.write_bytes(whole[:end])
        read = Journal.read_on(half, read)
        assert read.size <= end
    half.write_bytes(whole)
    assert _but_the_plan(Journal.read_on(half, read)) == _but_the_plan(Journal.read(half))


def _but_the_plan(written: Written) -> object:
    return written.records, written.notes, written.begun, written.run, written.size


@pytest.mark.parametrize(
    "spoilt", ["another file", "shorter", "a line that does not read"], ids=lambda what: what
)
def test_a_journal_that_is_not_the_one_that_was_watched_is_an_error(
    spoilt: str, tmp_path: Path
) -> None:
    whole = _held_journal()
    path = tmp_path / "j"
    path.write_bytes(whole)
    read = Journal.read(path)
    path.write_bytes(
        {
            "another file": b"x" + whole,
            "shorter": whole[:-10],
            "a line that does not read": whole + b"rubbish\n",
        }[spoilt]
    )
    with pytest.raises(JournalError):
        Journal.read_on(path, read)


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["as text", "as JSON"])
def test_watching_what_is_no_journal_is_a_message(options: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "nothing"
    result = CliRunner().invoke(app, ["status", "-j", str(path), "--watch", *options])
    assert result.exit_code == CliRunner().invoke(app, ["status", "-j", str(path)]).exit_code != 0
    assert "nothing" in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)


def test_a_display_that_fails_says_so_and_never_costs_the_run() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80, height=24)

    def no_clock() -> datetime:
        raise RuntimeError("no clock")

    with LiveDisplay(console, _middle().view, no_clock) as display:
        display.show(_middle().view)
    assert "the display failed: RuntimeError('no clock'); the run goes on" in plain_of(
        out.getvalue()
    )
