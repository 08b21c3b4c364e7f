"""The page of the command line against the commands themselves."""

from __future__ import annotations

import importlib.util
import re
from types import ModuleType
from typing import Any, Final

import pytest
import typer

from cucm_certflow.cli.app import app
from cucm_certflow.cli.lessons import LESSONS
from cucm_certflow.cli.output import Exit
from tests.line.calls import ROOT

DOCS: Final = ROOT / "docs"
WRITTEN: Final = (DOCS / "command-line.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("command_line_page", DOCS / "command_line.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_the_command_line_is_up_to_date(generator: ModuleType) -> None:
    assert generator.page() == WRITTEN, "run python docs/command_line.py"


def test_the_page_has_every_command_option_and_exit_status() -> None:
    group: Any = typer.main.get_command(app)
    for name, command in group.commands.items():
        section = re.search(rf"^### certflow {name}$(.*?)(?=^### |\Z)", WRITTEN, re.M | re.S)
        assert section is not None, name
        for each in command.params:
            for option in each.opts if each.param_type_name == "option" else ():
                assert f"`{option}`" in section[1], (name, option)
        for status in LESSONS[name].statuses():
            assert f"\n| {int(status)} |" in section[1], (name, status)
    for status in Exit:
        assert f"| {int(status)} | `{status.name}` |" in WRITTEN


def test_every_variable_that_the_code_reads_is_on_the_page() -> None:
    read = set()
    for path in (ROOT / "cucm_certflow").rglob("*.py"):
        read |= set(re.findall(r"\"(CERTFLOW_[A-Z_]+)\"", path.read_text(encoding="utf-8")))
    assert read
    for name in read:
        assert f"| `{name}` |" in WRITTEN, name
