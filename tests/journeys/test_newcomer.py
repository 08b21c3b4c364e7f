"""The newcomer's path: every command of the tutorial, as it stands, from a clean environment."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.pages import DOCS, ROOT, commands, matches, run_session


def test_dots_stand_for_anything_and_nothing_else_does() -> None:
    assert matches("one\ntwo\nthree\n", ("one", "...", "three"))
    assert matches("begun 12:00, 3 steps\n", ("begun ..., 3 steps",))
    assert not matches("one\ntwo\n", ("one",))
    assert not matches("", ("one",))
    assert matches("", ())


def test_tutorial_has_a_refusal_a_hold_and_a_report() -> None:
    told = [each.command for each in commands(DOCS / "tutorial.md")]
    for word in ("discover", "plan", "rehearse", "run", "status", "resume", "verify", "report"):
        assert any(command.startswith(f"certflow {word} ") for command in told), word


@pytest.mark.slow
def test_every_command_of_the_tutorial_does_what_it_says(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "cucm_certflow"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, checkout / name)
    left = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "CERTFLOW_LAB_SPEED")
    run_session(
        list(commands(DOCS / "tutorial.md")),
        cwd=checkout,
        env={name: value for name, value in os.environ.items() if name not in left},
    )
