"""What a page shows is what happens: its code runs, and its commands print what it says they do.

A page is typed from top to bottom in one folder: its Python in one namespace, its commands of
``certflow`` in this process. What is not as simple as that has a test of its own, which is named
here. What nobody runs says why on the page, in a comment above the block.
"""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from typer.testing import CliRunner

import cucm_certflow
from cucm_certflow import CertUnit, UnitOrder
from cucm_certflow.cli.app import app
from cucm_certflow.testing import run_virtual
from cucm_certflow.testing.check.wish import Wish
from cucm_certflow.transports.record import ReplayTransport
from tests.journeys.main_job import start
from tests.pages import DOCS, PAGES, ROOT, Block, all_blocks, begins, blocks, commands_of, name_of

# Nothing is to be run or loaded in these.
_TOLD: Final = {"text", "mermaid", "{eval-rst}", "{toctree}"}


class By(NamedTuple):
    """The test that runs, or loads, the blocks in one language of one page."""

    page: str
    language: str
    test: str


ELSEWHERE: Final = (
    By(
        "docs/howto-change-window.md",
        "console",
        "tests/docs/test_howto.py::test_change_window_page_takes_a_cluster_from_ticket_to_ticket",
    ),
    By(
        "docs/howto-change-window.md",
        "toml",
        "tests/docs/test_howto.py::test_change_window_page_takes_a_cluster_from_ticket_to_ticket",
    ),
    By(
        "docs/howto-recover.md",
        "console",
        "tests/docs/test_howto.py::test_recovery_page_goes_from_a_killed_process_to_phones_left_behind",
    ),
    By(
        "docs/howto-ansible.md",
        "console",
        "tests/docs/test_howto.py::test_playbooks_hold_go_on_and_verify_as_honestly_as_the_command",
    ),
    By(
        "docs/howto-ansible.md",
        "yaml",
        "tests/docs/test_howto.py::test_snippets_of_the_ansible_page_are_those_of_the_playbooks_or_parse",
    ),
    By(
        "docs/howto-embed.md",
        "python",
        "tests/docs/test_howto.py::test_code_of_the_embedding_page_runs_on_a_lab",
    ),
    By("README.md", "python", "tests/docs/test_docs.py::test_the_quickstart_runs"),
    By("README.md", "toml", "tests/docs/test_docs.py::test_the_words_of_the_readme_are_words"),
    By(
        "README.md",
        "console",
        "tests/docs/test_sessions.py::test_every_command_of_the_readme_is_one",
    ),
    By("docs/check.md", "toml", "tests/docs/test_pages.py::test_the_wishes_of_a_check_are_some"),
    By("docs/concepts.md", "python", "tests/docs/test_pages.py::test_code_of_the_concepts_runs"),
    By("docs/lab.md", "toml", "tests/docs/test_docs.py::test_the_small_scenario_is_one"),
    By(
        "docs/lab.md",
        "python",
        "tests/docs/test_docs.py::test_the_lab_in_memory_runs_as_the_page_says",
    ),
    By(
        "docs/lab.md",
        "console",
        "tests/docs/test_sessions.py::test_commands_of_the_lab_do_what_the_page_says",
    ),
    By("docs/recording.md", "python", "tests/docs/test_pages.py::test_code_of_recordings_runs"),
    By(
        "docs/replaying-scripts.md",
        "python",
        "tests/docs/test_replaying_scripts.py::test_the_test_of_the_page_passes_as_it_stands",
    ),
    By(
        "docs/replaying-scripts.md",
        "toml",
        "tests/docs/test_replaying_scripts.py::test_the_event_of_the_page_is_that_of_the_example",
    ),
    By(
        "docs/testing.md",
        "python",
        "tests/docs/test_testing.py::test_every_block_runs_and_every_test_of_the_page_passes",
    ),
    By(
        "docs/tutorial.md",
        "console",
        "tests/journeys/test_newcomer.py::test_every_command_of_the_tutorial_does_what_it_says",
    ),
)
# Held to the English ones, block by block, by tests/docs/test_korean.py.
_TRANSLATED: Final = {ROOT / "README.ko.md", DOCS / "ko" / "tutorial.md"}
_BY: Final = {(each.page, each.language) for each in ELSEWHERE}


def _told_here(page: Path) -> list[Block]:
    """The blocks of *page* that are run here, in order."""
    return [
        block
        for block in all_blocks(page)
        if block.language in ("python", "console")
        and not block.why
        and (name_of(page), block.language) not in _BY
        and page not in _TRANSLATED
    ]


def test_what_runs_a_block_elsewhere_is_there() -> None:
    for each in ELSEWHERE:
        assert blocks(ROOT / each.page, each.language), each
        path, _, name = each.test.partition("::")
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        assert name in {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}, each


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_block_is_overlooked(page: Path) -> None:
    fences = re.findall(r"^ *```", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(fences) == 2 * len(all_blocks(page))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_is_run_or_loaded_or_says_why_not(page: Path) -> None:
    for block in all_blocks(page):
        if block.why or block.language in _TOLD or page in _TRANSLATED:
            continue
        here = block.language in ("python", "console")
        assert here or (name_of(page), block.language) in _BY, block


@pytest.mark.parametrize("page", [page for page in PAGES if _told_here(page)], ids=name_of)
def test_the_page_can_be_typed_from_top_to_bottom(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("examples", "docs"):
        (tmp_path / name).symlink_to(ROOT / name)
    names: dict[str, object] = {"__name__": "page"}
    for block in _told_here(page):
        if block.language == "python":
            exec(compile(block.text, page.name, "exec"), names)
            continue
        for shown in commands_of(block.text):
            program, *words = shlex.split(shown.command)
            assert program == "certflow"
            printed = CliRunner().invoke(app, words).output
            assert begins(printed, shown.lines), f"$ {shown.command}\n{printed}"


def test_the_wishes_of_a_check_are_some() -> None:
    (text,) = blocks(DOCS / "check.md", "toml")
    wish = Wish.loads(text)
    assert wish.policy.order is UnitOrder.TVS_FIRST


def test_code_of_the_concepts_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {name: getattr(cucm_certflow, name) for name in cucm_certflow.__all__}

    async def story() -> None:
        there = start()
        names["facts"] = await there.cluster.discover()
        for block in blocks(DOCS / "concepts.md", "python"):
            known = block.replace("SEP001122334455", "SEP001122380001")  # one that this lab has
            exec(compile(known, "concepts.md", "exec"), names)
        plan = await names["planned"](there.cluster, names["facts"], {CertUnit.TVS})
        assert plan.waived == {"SEP001122380001"}
        await names["cleaned_up"](there.cluster, names["facts"])

    run_virtual(story)
    assert names["plan"].is_refused
    assert (tmp_path / "CHG1235.journal").exists()


def test_code_of_recordings_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (text,) = (text for text in blocks(ROOT / "README.md", "toml") if "[platform]" in text)
    (tmp_path / "inventory.toml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CUCM_PLATFORM_PASSWORD", "a password")
    monkeypatch.setenv("CUCM_APPLICATION_PASSWORD", "a password")
    names: dict[str, Any] = {"__name__": "page"}
    for block in blocks(DOCS / "recording.md", "python"):
        exec(compile(block, "recording.md", "exec"), names)
    assert isinstance(names["transport"], ReplayTransport)
