"""The page about interfaces says what trying them gives now."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import get_args

import pytest

from cucm_certflow.commands import ByHand, Command
from cucm_certflow.core.routing import WAYS, WITHOUT
from cucm_certflow.facts import PhoneTrustList, Query, Reach, ReplyTo, Why
from cucm_certflow.lab.scenario_tables import Role
from cucm_certflow.names import Interface

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "interfaces.md").read_text(encoding="utf-8")
NO = "\N{EN DASH}"
CELL = re.compile(
    rf"{NO}|(?:yes|refused|in doubt|{'|'.join(why.value for why in Why)}), [1-9]\d*"
    r"(?: \(first [1-9]\d*\))?"
)
NOBODYS = {Reach.__name__, ReplyTo.__name__, ByHand.__name__, PhoneTrustList.__name__}
KINDS = {kind.__name__ for kind in (*get_args(Query), *get_args(Command))} - NOBODYS


def _tables(heading: str) -> list[list[Sequence[str]]]:
    """The tables under *heading*, each as rows of cells, the head first."""
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", TEXT, re.M | re.S)
    assert found is not None, heading
    blocks = re.findall(r"(?:^\|.*\n)+", found[1], re.MULTILINE)
    return [
        [
            [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            for line in block.splitlines()
            if not line.startswith("|---")
        ]
        for block in blocks
    ]


def _tried() -> Mapping[tuple[str, str], list[Sequence[str]]]:
    """The cells of what was tried, by class and interface."""
    found: dict[tuple[str, str], list[Sequence[str]]] = {}
    for what, over, *cells in _tables("What was tried")[1][1:]:
        found.setdefault((what.split("`")[1], over), []).append(cells)
    return found


@pytest.fixture(scope="module")
def measuring() -> ModuleType:
    spec = importlib.util.spec_from_file_location("interfaces_tried", DOCS / "interfaces_tried.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_the_page_is_what_trying_every_interface_gives_now() -> None:
    done = subprocess.run(
        [sys.executable, str(DOCS / "interfaces.py"), "--check"],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr or "run python docs/interfaces.py"


def test_every_question_command_and_interface_is_at_a_glance() -> None:
    head, *rows = _tables("Everything at a glance")[0]
    assert head[1:] == [str(interface) for interface in Interface]
    assert {row[0].strip("`") for row in rows} == KINDS


def test_nothing_that_the_library_asks_or_sends_is_left_untried(measuring: ModuleType) -> None:
    assert measuring.classes_left_out() == set()
    tried = _tried()
    for kind, ways in WAYS.items():
        for way in ways:
            assert (kind.__name__, way.interface) in tried, f"{kind.__name__} over {way.interface}"


def test_every_way_was_taken_under_each_release_that_has_it(measuring: ModuleType) -> None:
    tried = _tried()
    for kind, ways in WAYS.items():
        for way in ways:
            rows = tried[kind.__name__, way.interface]
            for place, release in enumerate(measuring.RELEASES):
                has_it = way.since <= release.short
                # A command was taken if the node answered it, whatever it said.
                taken = ("yes, ", "in doubt, ", "refused, ")
                good = taken if kind in get_args(Command) else taken[:1]
                answered = any(row[place].startswith(good) for row in rows)
                assert answered or not has_it, f"{kind.__name__} over {way.interface}, {release}"


def test_every_cell_says_what_came_of_it_and_how_many_requests(measuring: ModuleType) -> None:
    for (what, over), rows in _tried().items():
        for cells in rows:
            assert len(cells) == len(measuring.RELEASES), what
            assert all(CELL.fullmatch(cell) for cell in cells), f"{what} over {over}: {cells}"


def test_whatever_was_not_answered_is_told_in_words() -> None:
    told = {(row[0].split("`")[1], row[1]) for row in _tables("In the node's words")[0][1:]}
    unanswered = {
        key
        for key, rows in _tried().items()
        if any(not cell.startswith(("yes, ", NO)) for cells in rows for cell in cells)
    }
    assert told == unanswered


@pytest.mark.parametrize("interface", Interface)
def test_what_is_left_without_an_interface_is_said(interface: Interface) -> None:
    assert [interface, WITHOUT[interface]] in _tables("Without an interface")[0]


def test_a_missing_role_is_named_with_its_node_and_the_question() -> None:
    told, instead = _tables("An account without a role")
    assert {row[0] for row in told[1:]} == {
        Interface.AXL,
        Interface.CONTROL_CENTER,
        Interface.RISPORT,
        Interface.PERFMON,
    }
    for over, what, requests, role, message in told[1:]:
        assert set(role.split(" or ")) <= set(Role), over
        assert f"needs {role}" in message
        assert re.search(r"HTTP 403 from (?:pub|sub1) \(/", message), over
        assert what.startswith("`")
        assert requests.isdecimal()
    assert all(row[2] != NO for row in instead[1:])


def test_figures_of_many_phones_are_counted(measuring: ModuleType) -> None:
    _, *rows = _tables("Registrations of many phones")[0]
    for phones, nodes, *reads in rows:
        many = measuring.many_phones(int(phones.replace(",", "")), int(nodes))
        counted = (many.whole, many.soon, many.minute, many.old, many.reset)
        assert reads == [str(each) for each in counted]
        assert many.whole.ris == -(-many.phones // 1000)
