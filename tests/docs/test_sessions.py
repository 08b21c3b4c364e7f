"""What a reader types beside a lab: the commands of README and of the lab's page, in order."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any, Final

import pytest
import typer.main

from cucm_certflow.cli.app import app
from cucm_certflow.cli.output import Exit
from tests.pages import DOCS, ROOT, Shown, commands, run_session

_README: Final = [shlex.split(each.command, comments=True) for each in commands(ROOT / "README.md")]
_SPEED: Final = 120
# What the shipped scenario and the journal of a run that is over answer: a catalogue of commands
# is no story, so that each is held to how it ends, and not to what it prints.
_ENDS: Final = {
    "approve": {Exit.USAGE},  # nothing waits any more
    "pause": {Exit.USAGE},  # nobody drives it
}


def test_every_command_of_the_readme_is_one() -> None:
    group: Any = typer.main.get_command(app)
    assert len(_README) > 10
    for program, name, *arguments in _README:
        assert program == "certflow"
        command = group.commands[name]
        context = command.make_context(name, list(arguments))
        assert context.params


@pytest.mark.slow
def test_commands_of_the_lab_do_what_the_page_says(tmp_path: Path) -> None:
    told = list(commands(DOCS / "lab.md"))
    lab, *others = told
    assert lab.command.startswith("certflow lab ")
    assert lab.lines == ("ready: lab/inventory.toml",)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    until = "until grep -qx 'ready: lab/inventory.toml' lab.log; do sleep 0.2; done"
    run_session(
        [Shown(each.command, ("...",)) for each in others],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        before=f"{lab.command} > lab.log 2>&1 &\n{until}",
    )
    journal = (tmp_path / "demo.journal").read_text(encoding="utf-8")
    assert '"tomcat"' in journal
