"""The live run of the main job, drawn in the middle of it, as pictures to be looked at."""

from __future__ import annotations

import io
from datetime import datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest
from rich.console import Console

from cucm_certflow import CertUnit, Event
from cucm_certflow.cli.live_screen import Signs, screen
from cucm_certflow.cli.live_view import LiveView, view_at_start, with_event
from cucm_certflow.testing import Stage, play
from tests.screens.chromium import SCREENS, screenshot

SCENARIO: Final = Path(__file__).parents[2] / "examples" / "scenarios" / "main-job.toml"
UNITS: Final = (CertUnit.TOMCAT, CertUnit.CALLMANAGER, CertUnit.TVS)
BACK: Final = 200
"""So many phones have registered again when the picture is taken."""


@cache
def _middle() -> tuple[LiveView, datetime]:
    """The view at the first moment at which enough phones are back, and that moment."""

    async def story(stage: Stage) -> list[tuple[LiveView, datetime]]:
        plan = await stage.plan(*UNITS)
        moments = [(view_at_start(plan, journal="CHG1234.journal"), stage.now)]

        def watch(event: Event) -> None:
            moments.append((with_event(moments[-1][0], event), event.at))

        with TemporaryDirectory() as folder:
            journal = Path(folder) / "j"
            async with stage.cluster.run(plan, journal=journal, observers=[watch]) as run:
                await run.wait()
        return moments

    moments = play(SCENARIO, story)
    return next(each for each in moments if each[0].grades().get("re_registered", 0) > BACK)


@pytest.mark.parametrize(("name", "columns", "lines"), [("live", 120, 38), ("live-narrow", 60, 30)])
def test_the_live_run_is_drawn_so_that_it_can_be_looked_at(
    name: str, columns: int, lines: int
) -> None:
    view, now = _middle()
    console = Console(
        file=io.StringIO(),
        record=True,
        width=columns,
        height=lines,
        force_terminal=True,
        color_system="truecolor",
    )
    for line in screen(view, now, columns=columns, lines=lines, signs=Signs.of(ascii_only=False)):
        console.print(line, soft_wrap=True)
    drawn = console.export_svg(title="certflow run", unique_id=name)
    SCREENS.mkdir(parents=True, exist_ok=True)
    svg = SCREENS / f"{name}.svg"
    svg.write_text(drawn, encoding="utf-8")
    assert "of&#160;300&#160;registered" in drawn
    assert "re-registered" in drawn
    width, height = _size_of(drawn)
    assert screenshot(svg, svg.with_suffix(".png"), width, height).stat().st_size > 20_000


def _size_of(svg: str) -> tuple[int, int]:
    _, box = svg.split('viewBox="0 0 ', 1)
    width, height = box.split('"', 1)[0].split()
    return round(float(width)), round(float(height))
