"""The help teaches: every command with its place, what it changes, examples, how it ends."""

from __future__ import annotations

import re
import shlex
from typing import Any, Final

import pytest
import typer

from cucm_certflow.checking import known_words
from cucm_certflow.cli.app import app
from cucm_certflow.cli.lessons import LESSONS, MEANINGS, START
from cucm_certflow.cli.output import Exit
from cucm_certflow.findings import Said
from tests.line.calls import ROOT, call

GROUP: Final[Any] = typer.main.get_command(app)
COMMANDS: Final = tuple(GROUP.commands)
_WIDE: Final = {"COLUMNS": "200", "NO_COLOR": "1"}


def _parsed(line: str) -> dict[str, Any]:
    """The options of a call as its command takes them; the command is not invoked."""
    program, name, *words = shlex.split(line.partition("  (")[0])
    assert program == "certflow"
    command = GROUP.commands[name]
    return dict(command.make_context(name, words).params)


def test_every_command_has_a_lesson_and_every_lesson_a_command() -> None:
    assert set(LESSONS) == set(COMMANDS)


def test_every_exit_status_has_a_meaning_and_the_overview_lists_all() -> None:
    assert list(MEANINGS) == list(Exit)
    text = call("--help", **_WIDE).output
    for status, meaning in MEANINGS.items():
        assert re.search(rf"^ +{int(status)}  {re.escape(meaning)}$", text, re.M), status


def test_the_overview_has_the_commands_in_the_order_of_a_change_and_says_where_to_start() -> None:
    text = call("--help", **_WIDE).output
    panels = list(dict.fromkeys(lesson.panel for lesson in LESSONS.values()))
    assert panels == ["Look", "Plan", "Run", "Afterwards", "Lab and learning"]
    places = [text.index(f" {panel} ─") for panel in panels]
    assert places == sorted(places)
    names = [re.search(rf"^│ {name} +", text, re.M) for name in LESSONS]
    found = [each.start() for each in names if each is not None]
    assert len(found) == len(LESSONS)
    assert found == sorted(found)
    assert "Where to start:" in text
    for line in START:
        assert line in text


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_says_what_it_changes_how_it_ends_and_how_it_is_called(
    name: str,
) -> None:
    lesson = LESSONS[name]
    text = call(name, "--help", **_WIDE).output
    assert f"Changes: {lesson.changes}." in " ".join(text.split())
    assert 1 <= len(lesson.examples) <= 3
    for example in lesson.examples:
        assert re.search(rf"^  {re.escape(example)}$", text, re.M), example
    for status, meaning in lesson.statuses().items():
        assert re.search(rf"^ +{int(status)}  {re.escape(meaning)}$", text, re.M), status


@pytest.mark.parametrize(
    "line", [*START, *(line for lesson in LESSONS.values() for line in lesson.examples)]
)
def test_every_example_is_a_call_that_its_command_takes_and_fits_on_a_line(line: str) -> None:
    options = _parsed(line)
    assert options
    for word in options.get("say") or ():
        assert known_words([Said(item=word.partition("=")[0], by="ann", why="x")])
    assert len(line) <= 76
    for path in re.findall(r"examples/\S+\.toml", line):
        assert (ROOT / path).is_file()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_every_command_says_what_it_is_for(name: str) -> None:
    for each in GROUP.commands[name].params:
        assert getattr(each, "help", None), each.name


def test_no_option_of_any_command_takes_a_password() -> None:
    for name in COMMANDS:
        for each in GROUP.commands[name].params:
            words = f"{' '.join(each.opts)} {each.help}".lower()
            assert not re.search(r"passw|credential|secret\b", words), (name, each.name)


@pytest.mark.parametrize(
    ("typed", "meant"), [("stauts", "status"), ("disover", "discover"), ("pln", "plan")]
)
def test_a_mistyped_command_gets_the_nearest_one(typed: str, meant: str) -> None:
    result = call(typed)
    assert result.exit_code == Exit.USAGE
    assert f"Did you mean '{meant}'" in result.output


def test_a_mistyped_option_gets_the_nearest_one() -> None:
    result = call("status", "--jornal", "x")
    assert result.exit_code == Exit.USAGE
    assert "--journal" in result.output


def test_the_version_is_that_of_the_package() -> None:
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.M)
    assert version is not None
    result = call("--version")
    assert result.exit_code == Exit.DONE
    assert result.output == f"certflow {version[1]}\n"


def test_no_command_at_all_shows_the_help() -> None:
    result = call()
    assert "Where to start:" in result.output
    assert result.exit_code == Exit.USAGE
