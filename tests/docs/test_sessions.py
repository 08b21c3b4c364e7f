"""What a reader types beside a lab: the commands of README and of the lab's page, in order."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import Any, Final

import pytest
import typer.main
from typer.testing import CliRunner

from cucm_certflow.cli.app import app
from cucm_certflow.cli.output import Exit
from tests.pages import DOCS, ROOT, commands, run_session

_README: Final = [shlex.split(each.command, comments=True) for each in commands(ROOT / "README.md")]
# Pages whose sessions with a cluster the tests run as they stand.
_SESSIONS: Final = ("tutorial.md", "howto-change-window.md", "howto-recover.md", "lab.md")
# test_a_run_is_paused_and_aborted_from_other_processes_and_has_one_driver, over the wires.
_IN_A_JOURNEY: Final = {"abort"}
_NEEDS_NO_CLUSTER: Final = ("check", "diagram", "explain", "rehearse")


def test_every_command_of_the_readme_is_one() -> None:
    group: Any = typer.main.get_command(app)
    assert len(_README) > 10
    for program, name, *arguments in _README:
        assert program == "certflow"
        context = group.commands[name].make_context(name, list(arguments))
        assert context.params


def test_every_command_of_the_readme_is_run_here_or_in_a_session_with_a_cluster() -> None:
    told = [each.command for name in _SESSIONS for each in commands(DOCS / name)]
    run = {word for line in told for word in re.findall(r"certflow ([a-z]+)", line)}
    assert {name for _, name, *_ in _README} - run - _IN_A_JOURNEY == set(_NEEDS_NO_CLUSTER) - run


@pytest.mark.slow
def test_commands_of_the_readme_that_need_no_cluster_do_what_they_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "twin.toml").symlink_to(ROOT / "examples" / "scenarios" / "small.toml")
    (tmp_path / "words.toml").write_text("", encoding="utf-8")
    ends = {"check": Exit.HANGS}  # it hangs on what nobody knows of CUCM
    for _, *words in _README:
        if words[0] in _NEEDS_NO_CLUSTER:
            result = CliRunner().invoke(app, words)
            assert result.exit_code == ends.get(words[0], Exit.DONE), result.output


@pytest.mark.slow
def test_commands_of_the_lab_do_what_the_page_says(tmp_path: Path) -> None:
    told = list(commands(DOCS / "lab.md"))
    lab, *others = told
    assert lab.command.startswith("certflow lab ")
    assert lab.lines == ("ready: lab/inventory.toml",)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    until = "until grep -qx 'ready: lab/inventory.toml' lab.log; do sleep 0.2; done"
    looked, examined = run_session(
        others,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        before=f"{lab.command} > lab.log 2>&1 &\n{until}",
    )
    for name in ("pub", "sub1", "sub2", "sub3", "imp1"):
        assert f"\n{name} " in looked
        assert name in examined
