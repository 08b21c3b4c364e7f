"""The newcomer's path: every command of the tutorial, as it stands, from a clean environment."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest

ROOT: Final = Path(__file__).parents[2]
TUTORIAL: Final = ROOT / "docs" / "tutorial.md"
_BLOCK: Final = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_END: Final = "-- the end of a command --"
_WITHIN_S: Final = 900


class Shown(NamedTuple):
    """A command of the page, and what the page says that it prints."""

    command: str
    lines: tuple[str, ...]


def shown() -> Iterator[Shown]:
    for block in _BLOCK.findall(TUTORIAL.read_text(encoding="utf-8")):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *lines = part.splitlines()
            yield Shown(command, tuple(lines))


def matches(printed: str, lines: tuple[str, ...]) -> bool:
    """Whether *printed* is what the page shows; ``...`` is anything, in a line or for lines."""
    pattern = "".join(
        r"(?:.*\n)*" if line == "..." else re.escape(line).replace(r"\.\.\.", ".*") + r"\n"
        for line in lines
    )
    return re.fullmatch(pattern, printed) is not None


def test_dots_stand_for_anything_and_nothing_else_does() -> None:
    assert matches("one\ntwo\nthree\n", ("one", "...", "three"))
    assert matches("begun 12:00, 3 steps\n", ("begun ..., 3 steps",))
    assert not matches("one\ntwo\n", ("one",))
    assert not matches("", ("one",))
    assert matches("", ())


def test_tutorial_has_a_refusal_a_hold_and_a_report() -> None:
    commands = [each.command for each in shown()]
    for word in ("discover", "plan", "rehearse", "run", "status", "resume", "verify", "report"):
        assert any(command.startswith(f"certflow {word} ") for command in commands), word


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
    commands = list(shown())
    script = "".join(
        f"{each.command}\n__status=$?; echo '{_END}'; (exit $__status)\n" for each in commands
    )
    left = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "CERTFLOW_LAB_SPEED")
    done = subprocess.run(
        ["bash", "-c", f"{script}\nkill %1 2>/dev/null; wait"],
        cwd=checkout,
        env={
            **{name: value for name, value in os.environ.items() if name not in left},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "COLUMNS": "100",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_WITHIN_S,
        check=False,
    )
    printed = done.stdout.split(f"{_END}\n")
    for each, text in zip(commands, printed, strict=False):
        assert matches(text, each.lines), f"$ {each.command}\n{text[-3000:]}{done.stderr[-3000:]}"
    assert len(printed) == len(commands) + 1, done.stdout[-3000:]
