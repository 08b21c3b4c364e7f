"""The command line as a process, as a shell starts it, and in this process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from typer.testing import CliRunner, Result

from cucm_certflow.cli.app import app

ROOT: Final = Path(__file__).parents[2]
SMALL: Final = str(ROOT / "examples" / "scenarios" / "small.toml")
EXPLAIN: Final = ("explain", "CallManager", "--release", "12.5", "--mode", "mixed")
"""Needs no cluster, and prints some pages, with characters that ASCII lacks."""

INVENTORY: Final = """
[platform]
user = "administrator"
password = "lab-platform"

[application]
user = "certflow"
password = "lab-application"

[[nodes]]
name = "pub"
address = "127.0.0.1"
ssh_port = 1
"""
"""Nobody answers there."""


def call(*words: str, **environment: str) -> Result:
    """A call in this process."""
    return CliRunner().invoke(app, list(words), env=environment)


def environment(**changes: str | None) -> Mapping[str, str]:
    """That of this process with *changes*; None takes a variable away."""
    kept = {name: value for name, value in os.environ.items() if name not in changes}
    given = {name: value for name, value in changes.items() if value is not None}
    return {**kept, "PYTHONPATH": str(ROOT), **given}


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "cucm_certflow", *words]


def process(*words: str, **changes: str | None) -> subprocess.CompletedProcess[str]:
    """A call as a process of its own, to its end."""
    return subprocess.run(
        command(*words),
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=environment(**changes),
        timeout=120,
        check=False,
    )


def shell(line: str, **changes: str | None) -> subprocess.CompletedProcess[str]:
    """*line* in bash; ``certflow`` is the command line."""
    certflow = f'certflow() {{ {sys.executable} -m cucm_certflow "$@"; }}; '
    return subprocess.run(
        ["bash", "-c", certflow + line],
        capture_output=True,
        text=True,
        env=environment(**changes),
        timeout=120,
        check=False,
    )
