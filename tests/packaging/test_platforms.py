"""What is left of the library on a system without POSIX: no locks of the kernel, no owners."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging.environments import ROOT

# What Python on Windows does not have, and the library uses. It is taken away after the
# dependencies have looked for themselves what system they are on.
WITHOUT_POSIX = """
import asyncio, os, sys, tempfile, asyncssh, httpx, starlette, uvicorn
sys.modules["fcntl"] = None
for name in ("O_CLOEXEC", "O_NOFOLLOW", "fchmod", "geteuid", "pwrite", "sched_yield", "uname"):
    delattr(os, name)
"""

IMPORT = """
import cucm_certflow
print(len(cucm_certflow.__all__))
"""

STORY = """
from pathlib import Path
from cucm_certflow import CertUnit, JournalError, Run
from cucm_certflow.testing import SCENARIO, Stage, play

async def story(stage: Stage) -> None:
    plan = await stage.plan(CertUnit.TVS)
    print("refused" if plan.is_refused else f"{len(plan.steps)} steps")
    try:
        async with stage.cluster.run(plan, journal="CHG1.journal") as run:
            pass
    except JournalError as error:
        print(error.report.headline)
    print(sorted(each.name for each in Path.cwd().iterdir()), list(stage.lab.log))

play(SCENARIO, story)
"""

READ = """
from cucm_certflow import status_of
status = status_of("CHG1.journal")
print(repr(status.driver))
"""


def _says(code: str, folder: Path, before: str = WITHOUT_POSIX) -> list[str]:
    path = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
    done = subprocess.run(
        (sys.executable, "-c", path + before + code),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_importing_works_without_posix(tmp_path: Path) -> None:
    (names,) = _says(IMPORT, tmp_path)
    assert int(names) > 0


def test_a_plan_is_made_and_a_run_is_refused_before_any_file_and_any_command(
    tmp_path: Path,
) -> None:
    plan, headline, left = _says(STORY, tmp_path)
    assert plan.endswith(" steps")
    assert headline == "this system cannot keep a journal: it has no POSIX file locks"
    assert left == "[] []"


def test_a_journal_of_another_machine_is_read_and_nobody_here_drives_it(tmp_path: Path) -> None:
    with_posix = STORY.replace("pass", "await run.abort(by='A. Person', why='enough')")
    _says(with_posix, tmp_path, before="")
    assert (tmp_path / "CHG1.journal").exists()
    assert _says(READ, tmp_path) == ["''"]


@pytest.mark.parametrize("module", ["cucm_certflow.cli.app", "cucm_certflow.lab.servers"])
def test_commands_and_servers_import_without_posix(module: str, tmp_path: Path) -> None:
    assert _says(f"import {module}; print('imported')", tmp_path) == ["imported"]
