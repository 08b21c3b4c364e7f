"""What docs/stability.md promises, held against what was agreed to."""

from __future__ import annotations

import difflib
import importlib
import re

import pytest

from cucm_certflow.journal import MIGRATIONS, PROTOCOL
from tests.packaging.environments import ROOT
from tests.tables.stable import PINNED, PROVISIONAL, STABLE, stable_text

PAGE = (ROOT / "docs" / "stability.md").read_text(encoding="utf-8")
IMPORTED = re.compile(r"^ *(?:from|import) (cucm_certflow[a-z_.]*)", re.MULTILINE)


def test_nothing_that_others_build_on_changes_unless_somebody_means_it() -> None:
    agreed = PINNED.read_text(encoding="utf-8").splitlines()
    changes = [
        line
        for line in difflib.unified_diff(agreed, stable_text().splitlines(), n=0, lineterm="")
        if not line.startswith(("---", "+++", "@@"))
    ]
    assert not changes, (
        "if this is meant, write a fragment in changes/ and run "
        "python -m tests.tables.stable --write:\n" + "\n".join(changes)
    )


def test_every_part_of_what_is_promised_has_something_in_it() -> None:
    parts = PINNED.read_text(encoding="utf-8").split("\n\n")
    assert all(len(part.strip().splitlines()) > 1 for part in parts if part.strip())


@pytest.mark.parametrize("name", STABLE)
def test_every_name_of_a_stable_module_is_there_and_documented(name: str) -> None:
    module = importlib.import_module(name)
    assert sorted(module.__all__) == sorted(set(module.__all__))
    for each in module.__all__:
        value = getattr(module, each)
        if isinstance(value, type) and value.__module__.startswith("cucm_certflow"):
            assert value.__doc__, f"{name}.{each}"


@pytest.mark.parametrize("name", sorted({*STABLE, *PROVISIONAL}))
def test_the_page_names_every_module_that_it_speaks_of(name: str) -> None:
    assert f"`{name}`" in PAGE


def test_what_the_documentation_imports_is_stable_or_said_to_be_provisional() -> None:
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))):
        for module in IMPORTED.findall(page.read_text(encoding="utf-8")):
            is_provisional = any(f"{module}.".startswith(f"{each}.") for each in PROVISIONAL)
            assert module in STABLE or is_provisional, f"{module} in {page.name}"


def test_journals_of_every_protocol_that_was_ever_written_are_read() -> None:
    # Protocol 1 was refused as soon as there was another.
    assert {*MIGRATIONS, PROTOCOL} == set(range(2, PROTOCOL + 1))
