"""The lowest releases that ``pyproject.toml`` names; ``make lowest`` runs the suite on them."""

from __future__ import annotations

import tomllib
from itertools import chain
from typing import Any

import pytest

from tests.packaging.environments import ROOT
from tests.packaging.floors import PART, floors

PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_every_dependency_of_the_library_and_of_its_extras_has_a_floor() -> None:
    project = PYPROJECT["project"]
    needs = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    assert len(floors(project)) == len({each.split(">=")[0].strip() for each in needs})


def test_a_dependency_without_a_floor_is_named() -> None:
    with pytest.raises(ValueError, match="'attrs<26' names no lowest release"):
        floors({"dependencies": ["attrs<26"], "optional-dependencies": {}})


def test_the_higher_of_two_floors_is_the_one() -> None:
    two = {
        "dependencies": ["rich>=14.2"],
        "optional-dependencies": {"cli": ["rich>=14.10", "x>=1"]},
    }
    assert floors(two) == {"rich": "14.10", "x": "1"}


def test_what_our_tests_need_has_the_floor_that_the_extra_for_tests_of_users_has() -> None:
    ours = floors(
        {"dependencies": PYPROJECT["dependency-groups"]["test"], "optional-dependencies": {}}
    )
    theirs = PYPROJECT["project"]["optional-dependencies"]["testing"]
    for name, floor in floors({"dependencies": theirs, "optional-dependencies": {}}).items():
        assert ours[name] == floor


def test_the_part_of_the_suite_that_is_run_on_the_floors_is_there() -> None:
    assert all((ROOT / each).exists() for each in PART)
