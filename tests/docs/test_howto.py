"""The how-to pages do what they say: their commands run on a lab on loopback, their code runs."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from cucm_certflow import CertUnit, RefusedError, Said, status_of
from cucm_certflow.cli.output import Exit
from cucm_certflow.procedures.partners import PARTNER_TASKS
from cucm_certflow.testing import Stage, play

ROOT: Final = Path(__file__).parents[2]
SCENARIO: Final = Path(__file__).with_name("howto.toml")
SMALL: Final = ROOT / "examples" / "scenarios" / "small.toml"
SPEED: Final = 60
_BLOCK: Final = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_END: Final = "-- the end of a command --"
_WITHIN_S: Final = 600
# A page says what is typed for a real cluster; the hours of this one pass faster.
_CERTFLOW: Final = f"""#!/bin/sh
case "$*" in
*" -i "*) exec "{sys.executable}" -m cucm_certflow "$@" --lab-speed {SPEED} ;;
*) exec "{sys.executable}" -m cucm_certflow "$@" ;;
esac
"""


class Shown(NamedTuple):
    """A command of a page, and what the page says that it prints."""

    command: str
    lines: tuple[str, ...]


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return [body for kind, body in _BLOCK.findall(text) if kind == language]


def commands(page: str) -> list[Shown]:
    found: list[Shown] = []
    for block in blocks(page, "console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *lines = part.splitlines()
            while command.endswith("\\"):
                command = f"{command}\n{lines.pop(0)}"
            found.append(Shown(command, tuple(lines)))
    return found


def matches(printed: str, lines: tuple[str, ...]) -> bool:
    """Whether *printed* is what the page shows; ``...`` is anything, in a line or for lines."""
    pattern = "".join(
        r"(?:.*\n)*" if line == "..." else re.escape(line).replace(r"\.\.\.", ".*") + r"\n"
        for line in lines
    )
    return re.fullmatch(pattern, printed) is not None


def run_page(page: str, folder: Path, *, before: str = "", faults: str = "") -> None:
    """Run the commands of *page*, one after the other in one shell, beside a lab of its own."""
    told = folder / "told.toml"
    told.write_text(SCENARIO.read_text(encoding="utf-8") + faults, encoding="utf-8")
    here = folder / "bin"
    here.mkdir()
    (here / "certflow").write_text(_CERTFLOW, encoding="utf-8")
    (here / "certflow").chmod(0o755)
    shown = commands(page)
    assert shown
    lab = (
        f"certflow lab told.toml --folder . --lab-speed {SPEED} > lab.log 2>&1 &\nLAB=$!\n"
        "until grep -q ready lab.log; do sleep 0.2; done\n"
    )
    script = "".join(
        f"{each.command}\n__status=$?; echo '{_END}'; (exit $__status)\n" for each in shown
    )
    done = subprocess.run(
        ["bash", "-c", f"{lab}{before}{script}\nkill -INT $LAB; wait"],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PATH": os.pathsep.join([str(here), os.environ["PATH"]]),
            "COLUMNS": "100",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_WITHIN_S,
        check=False,
    )
    printed = done.stdout.split(f"{_END}\n")
    for each, text in zip(shown, printed, strict=False):
        assert matches(text, each.lines), f"$ {each.command}\n{text[-3000:]}{done.stderr[-3000:]}"
    assert len(printed) == len(shown) + 1, done.stdout[-3000:] + done.stderr[-3000:]


@pytest.mark.slow
def test_change_window_page_takes_a_cluster_from_ticket_to_ticket(tmp_path: Path) -> None:
    run_page("howto-change-window.md", tmp_path)


def test_code_of_the_embedding_page_runs_on_a_lab(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    names: dict[str, object] = {"__name__": "page"}
    code = blocks("howto-embed.md", "python")
    before = {name: logging.getLogger(name).level for name in ("", "transitions", "asyncssh")}
    try:
        for block in code:
            exec(compile(block, "howto-embed.md", "exec"), names)
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
    test = names["test_our_service_regenerates_and_loses_nobody"]
    assert callable(test)
    test(tmp_path)


def test_code_of_the_embedding_page_that_no_lab_in_memory_reaches(tmp_path: Path) -> None:
    names: dict[str, object] = {"__name__": "page"}
    for block in blocks("howto-embed.md", "python"):
        if "basicConfig" not in block:
            exec(compile(block, "howto-embed.md", "exec"), names)
    read = {"cucm-pub/host-key": None, "cucm-sub1/host-key": None}.get

    def vault(key: str) -> str | None:
        return read(key, f"secret of {key}") if key in ("platform", "application") else None

    inventory = names["from_vault"](vault)  # type: ignore[operator]  # - from a page
    assert inventory.publisher.name == "cucm-pub"
    assert "secret" not in repr(inventory)

    async def story(stage: Stage) -> None:
        plan = await stage.plan(CertUnit.TVS)
        journal = str(tmp_path / "night.journal")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(60), stage.cluster.run(plan, journal=journal) as run:
                await run.wait()
        await names["until_four"](stage.cluster, journal)  # type: ignore[operator]  # - from a page
        assert status_of(journal).ended == "verified"

    play(SMALL, story)
    one, other = names["two_ways"](inventory)  # type: ignore[operator]  # - from a page
    assert one.transport is not other.transport


def test_example_of_two_clusters_in_one_loop_resumes_the_one_that_was_cancelled() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "embed.py")],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["north: verified", "south: verified"]
    assert "service: south: the time is over; its journal goes on" in done.stderr
    assert "transitions" not in done.stderr


def test_example_of_a_night_as_a_script_ends_with_the_status_of_its_outcome(tmp_path: Path) -> None:
    night = runpy.run_path(str(ROOT / "examples" / "change_window.py"))["night"]

    async def story(stage: Stage) -> list[int]:
        units = {CertUnit.CALLMANAGER, CertUnit.TVS}
        report = await stage.cluster.preflight(units=units)
        items = [each.check for each in report.open()] + [task.id for task in PARTNER_TASKS]
        said = [Said(item=item, by="a test", why="a lab") for item in items]
        journal = tmp_path / "night.journal"
        with pytest.raises(RefusedError):
            await night(stage.cluster, journal, ())
        assert not journal.exists()
        statuses = [await night(stage.cluster, journal, said)]
        seen = await stage.cluster.verify(journal=journal)
        after = [Said(item=each.check, by="a test", why="seen") for each in seen.open()]
        statuses.append(await night(stage.cluster, journal, said, after=after))
        return statuses

    # What nobody has looked at after the change is not verified; then somebody has.
    assert play(SMALL, story) == [Exit.NOT_VERIFIED, Exit.DONE]


def test_example_of_a_night_does_not_begin_on_a_cluster_that_is_not_well(tmp_path: Path) -> None:
    night = runpy.run_path(str(ROOT / "examples" / "change_window.py"))["night"]

    async def story(stage: Stage) -> int:
        status: int = await night(stage.cluster, tmp_path / "night.journal", ())
        assert list(stage.lab.log) == []
        return status

    text = SMALL.read_text(encoding="utf-8") + '\n[health]\nntp_unsynchronised = ["sub"]\n'
    assert play(text, story) == Exit.NODE
