"""A run as it is watched: the view and the display of it, on a terminal and without one."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import io
import os
import struct
import sys
import termios
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple, TextIO

import pytest
from rich.cells import cell_len
from rich.text import Text

from cucm_certflow import CertUnit, make_plan
from cucm_certflow.cli.following import follow
from cucm_certflow.cli.live import terminal
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
from cucm_certflow.journal import Journal
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.observers import Event, RegistrationsSeen, Verified
from cucm_certflow.testing.virtual import EPOCH, run_virtual
from tests.journeys.main_job import UNITS, names_to_waive, start
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
    assert "phones are waited for until 01:00:39; then the run holds" in waits


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


LARGE: Final = """
release = "12.5.1.11900-146"
mode = "non-secure"

[[nodes]]
name = "pub"
address = "192.0.2.1"
role = "publisher"
services = ["Cisco Tftp", "Cisco CallManager"]
"""


def test_twenty_one_nodes_and_forty_thousand_phones_are_no_more_lines_than_there_is_room() -> None:
    seconds, drawn, view = _large()
    assert len(view.nodes()) == 21
    assert view.phones == 40_000
    for columns in WIDTHS:
        for lines in (24, 60):
            assert len(screen(view, EPOCH, columns=columns, lines=lines, signs=UNICODE)) <= lines
    print(f"a picture of 21 nodes and 40,000 phones takes {seconds * 1000:.0f} ms")
    assert any("40,000" in line for line in drawn)
