"""A virtual environment that is made new, and whatever is asked of it from outside the tree."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

__all__ = ["ROOT", "CallFailed", "Environment", "call"]

ROOT: Final = Path(__file__).parents[2]
_PIP: Final = ("-m", "pip", "--disable-pip-version-check", "--no-input", "-q")


class CallFailed(Exception):
    """A program that had to succeed did not; the message is what it printed last."""


def call(
    program: Sequence[str | Path], *, cwd: Path, within_s: float = 300.0, status: int = 0
) -> str:
    """What *program* prints, stdout and stderr together.

    Nothing of this process's Python reaches it: neither ``PYTHONPATH`` nor the folder it stands in.

    Args:
        program: What to call, and its arguments.
        cwd: Where it stands.
        within_s: How long it may take.
        status: The exit status that it has to have.

    Raises:
        CallFailed: It ended otherwise, or was too slow.
    """
    words = [str(each) for each in program]
    try:
        done = subprocess.run(
            words,
            cwd=cwd,
            env=_clean(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=within_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CallFailed(f"{' '.join(words)}\ntook longer than {within_s:.0f} s") from error
    if done.returncode != status:
        last = "\n".join(done.stdout.splitlines()[-40:])
        raise CallFailed(
            f"{' '.join(words)}\nended with {done.returncode}, expected {status}:\n{last}"
        )
    return done.stdout


def _clean(environment: Mapping[str, str]) -> dict[str, str]:
    left_out = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PYTHONSAFEPATH")
    return {key: value for key, value in environment.items() if key not in left_out}


class Environment:
    """A new virtual environment without pip: only what is asked for is in it.

    Args:
        folder: Where it is made; must not be there yet.
        python: The call of the Python that it is made of; this one if not given.

    Raises:
        CallFailed: It cannot be made.
    """

    def __init__(self, folder: Path, python: str | None = None) -> None:
        self.folder = folder
        self.elsewhere = folder.parent / f"{folder.name}-elsewhere"
        """An empty folder, far from the tree: where everything is called."""
        self.elsewhere.mkdir(parents=True)
        call((python or sys.executable, "-m", "venv", "--without-pip", folder), cwd=self.elsewhere)

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    def install(self, *what: str | Path, within_s: float = 600.0) -> None:
        """Install *what* with the pip of this process; wheels only, but for what is named by path.

        Raises:
            CallFailed: pip said no.
        """
        pip = (sys.executable, *_PIP, "--python", self.python, "install")
        call((*pip, *what), cwd=self.elsewhere, within_s=within_s)

    def run(self, *arguments: str | Path, within_s: float = 300.0, status: int = 0) -> str:
        """What its Python prints for *arguments*, standing in an empty folder.

        Raises:
            CallFailed: It did not end with *status*.
        """
        return call((self.python, *arguments), cwd=self.elsewhere, within_s=within_s, status=status)

    def program(self, name: str, *arguments: str | Path, status: int = 0) -> str:
        """What the program called *name*, installed here, prints.

        Raises:
            CallFailed: It did not end with *status*.
        """
        return call((self.folder / "bin" / name, *arguments), cwd=self.elsewhere, status=status)

    def distributions(self) -> list[str]:
        """The names of all that is installed in it, sorted."""
        text = self.run(
            "-c",
            "from importlib.metadata import distributions as d;"
            "print('\\n'.join(sorted(each.metadata['Name'].lower() for each in d())))",
        )
        return text.split()

    def size_bytes(self) -> int:
        """What all that is installed takes, without what Python compiled of it."""
        (packages,) = self.folder.glob("lib/python3.*/site-packages")
        return sum(
            each.stat().st_size
            for each in packages.rglob("*")
            if each.is_file() and "__pycache__" not in each.parts
        )

    def starts_s(self, *codes: str, times: int) -> list[float]:
        """The median of how long a fresh interpreter takes to run each of *codes*, in seconds.

        Each is run once before that, so that what Python compiles is there; then they take turns,
        so that a machine that is busy for a moment is busy for all of them.
        """
        took: dict[str, list[float]] = {code: [] for code in codes}
        for _ in range(times + 1):
            for code in codes:
                began = time.perf_counter()
                self.run("-c", code)
                took[code].append(time.perf_counter() - began)
        return [statistics.median(each[1:]) for each in took.values()]
