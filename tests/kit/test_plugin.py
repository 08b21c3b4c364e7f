"""The kit's fixtures, in somebody else's project."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

SMALL: Final = Path(__file__).parents[2] / "examples" / "scenarios" / "small.toml"
CONFTEST: Final = 'pytest_plugins = ["cucm_certflow.testing.plugin"]\n'
TESTS: Final = f"""
import asyncio
from cucm_certflow import CertUnit
from cucm_certflow.testing import assert_no_phone_lost

SCENARIO = {str(SMALL)!r}


def test_a_night_passes(certflow_lab, tmp_path):
    async def story(stage):
        plan = await stage.plan(CertUnit.TVS)
        async with stage.cluster.run(plan, journal=tmp_path / "j") as run:
            await run.wait()
        assert_no_phone_lost(stage.lab)
        return stage.now

    first = certflow_lab(SCENARIO, story)
    tmp_path = tmp_path / "again"
    tmp_path.mkdir()
    assert certflow_lab(SCENARIO, story) == first  # the same story, to the microsecond


def test_hours_pass_at_once(certflow_virtual):
    async def story():
        await asyncio.sleep(8 * 3600)
        return asyncio.get_running_loop().time()

    assert certflow_virtual(story) == 8 * 3600
"""


def _pytest(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:asyncio", *words],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
    )


def test_project_of_others_uses_the_fixtures_without_any_other_setting(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_theirs.py").write_text(TESTS)
    found = _pytest(tmp_path)
    assert found.returncode == 0, found.stdout
    assert "2 passed" in found.stdout


def test_plugin_that_is_asked_for_twice_is_there_once(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_theirs.py").write_text(TESTS)
    found = _pytest(tmp_path, "-p", "cucm_certflow.testing.plugin")
    assert found.returncode == 0, found.stdout
    assert "2 passed" in found.stdout


SEED: Final = f"""
from cucm_certflow import CertUnit


async def story(stage):
    stage.lab.begin_regenerate("sub", CertUnit.TVS)
    await stage.clock.sleep(600)
    return stage.lab.scenario.seed


def test_it_fails(certflow_lab):
    assert certflow_lab({str(SMALL)!r}, story, seed=3) == 3
    print("seed is", certflow_lab({str(SMALL)!r}, story))
    assert False
"""


def test_test_that_fails_shows_seed_time_and_commands_of_its_labs(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_theirs.py").write_text(SEED)
    found = _pytest(tmp_path, "-v", "--certflow-seed=77")
    assert "certflow: --certflow-seed=77" in found.stdout
    assert "lab 'small': seed 3, until 2026-01-01 00:10:00" in found.stdout
    assert "lab 'small': seed 77, until 2026-01-01 00:10:00" in found.stdout
    assert "  00:00:00 sub: set cert regen TVS" in found.stdout


def test_seed_is_drawn_and_printed_or_refused_before_the_first_test(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_theirs.py").write_text(SEED)
    found = _pytest(tmp_path, "-v", "--certflow-seed=random")
    (seed,) = re.findall(r"^certflow: --certflow-seed=(\d+)$", found.stdout, re.MULTILINE)
    assert f"seed is {seed}" in found.stdout
    refused = _pytest(tmp_path, "--certflow-seed=-1")
    assert "expected a whole number or 'random', saw '-1'" in refused.stderr
    assert "seed is" not in refused.stdout


def test_project_that_does_not_ask_for_the_plugin_has_none_of_it(tmp_path: Path) -> None:
    (tmp_path / "test_theirs.py").write_text("def test_nothing(): pass\n")
    found = _pytest(tmp_path, "--fixtures")
    assert found.returncode == 0
    assert "certflow_" not in found.stdout  # a path may well have our name in it
