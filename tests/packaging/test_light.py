"""What ``import cucm_certflow`` loads; how long that takes is printed elsewhere, never asserted."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import packages_distributions

import pytest

from benchmarks.footprint import PAGE, SUBJECTS
from tests.packaging.environments import ROOT

# What the values and tables are made of. asyncio and ssl come with Python, and are not counted.
LOADED = {
    "attr",  # attrs has two names
    "attrs",
    "cattrs",
    "cryptography",
    "cucm_certflow",
    "transitions",
}
# What those bring.
BROUGHT = {"_cffi_backend", "six", "typing_extensions"}


def _loaded_by(statement: str) -> set[str]:
    """The names of all modules that a new interpreter has after *statement* and not before."""
    code = f"import sys; before = set(sys.modules); {statement}; print(*set(sys.modules) - before)"
    done = subprocess.run(
        (sys.executable, "-c", code), cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    return _loaded_by("import cucm_certflow")


def _tops(modules: Iterable[str]) -> set[str]:
    return {each.partition(".")[0] for each in modules} - sys.stdlib_module_names


def test_the_import_loads_what_values_and_tables_are_made_of_and_nothing_else(
    loaded: set[str],
) -> None:
    known = {each for each in _tops(loaded) if each in packages_distributions() or each in LOADED}
    assert known - BROUGHT == LOADED


def test_clients_are_loaded_when_a_node_is_asked_and_extras_by_their_own_packages(
    loaded: set[str],
) -> None:
    clients = {"httpx", "asyncssh", "defusedxml"}
    extras = {
        "typer",
        "rich",
        "starlette",
        "uvicorn",
        "hypothesis",
        "pytest",
        "jinja2",
        "matplotlib",
    }
    assert not _tops(loaded) & (clients | extras)


def test_no_package_of_ours_that_an_extra_belongs_to_is_loaded(loaded: set[str]) -> None:
    ours = {each.split(".")[1] for each in loaded if each.startswith("cucm_certflow.")}
    assert not ours & {"cli", "lab", "testing", "report", "fleet"}
    seam = {each for each in loaded if each.startswith("cucm_certflow.transports.")}
    assert seam == {"cucm_certflow.transports.base"}


def test_the_page_of_the_footprint_has_a_row_for_each_subject() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for subject in SUBJECTS:
        assert f"| {subject.name} | " in page
        assert f"| `{subject.statement}` |" in page
