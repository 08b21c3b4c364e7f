"""The other Pythons of this machine, with what the library needs at run time, and nothing else."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final, NamedTuple

from tests.packaging.interpreters import MINORS, find_python

__all__ = ["ROOT", "Python", "lines_by", "others"]

ROOT: Final = Path(__file__).parents[2]
CACHE: Final = ROOT / "build" / "pythons"
_INSTALL_S: Final = 300


class Python(NamedTuple):
    """One supported Python: how to call it, or *why* it cannot be asked."""

    version: str
    call: str = ""
    why: str = ""


def others(*, build: bool) -> list[Python]:
    """Every supported Python but this one, found or not.

    Args:
        build: Whether to make virtual environments that are not there yet, with what the package
            index has. They stay in ``build/pythons``.
    """
    here = sys.version_info[1]
    return [_prepared(minor, build=build) for minor in MINORS if minor != here]


def _prepared(minor: int, *, build: bool) -> Python:
    version = f"3.{minor}"
    found = find_python(minor)
    if found is None:
        return Python(version, why="not found, or it does not start")
    needs = _needs()
    stamp = hashlib.sha256("\n".join(needs).encode()).hexdigest()[:12]
    folder = CACHE / f"{version}-{stamp}"
    python = folder / "bin" / "python"
    if (folder / "ready").exists():
        return Python(version, str(python))
    if not build:
        return Python(version, why="its virtual environment is not there; make sweep builds it")
    shutil.rmtree(folder, ignore_errors=True)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "-qq")
    for call in (
        (found, "-m", "venv", "--without-pip", str(folder)),
        (*pip, "--python", str(python), "install", *needs),
    ):
        try:
            done = subprocess.run(
                call, capture_output=True, text=True, timeout=_INSTALL_S, check=False
            )
        except subprocess.TimeoutExpired:
            return Python(version, why=f"{call[1:4]} took longer than {_INSTALL_S} s")
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines() or ["nothing"]
            return Python(version, why=f"what it needs cannot be installed: {said[-1][:200]}")
    (folder / "ready").touch()
    return Python(version, str(python))


def _needs() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [re.sub(r"\s+", "", need) for need in project["dependencies"]]


def lines_by(call: str, first: int, last: int, *, hashes: str = "random") -> list[str]:
    """What ``python -m tests.sweeps.soak`` prints, by the interpreter *call*.

    Raises:
        CalledProcessError: It failed.
    """
    done = subprocess.run(
        (call, "-m", "tests.sweeps.soak", str(first), str(last)),
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": hashes, "PATH": os.defpath},
        capture_output=True,
        text=True,
        timeout=1200,
        check=True,
    )
    return done.stdout.splitlines()
