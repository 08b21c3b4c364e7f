"""The page of points: complete, borne out by the code, and up to date."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import ModuleType

import attrs
import pytest

ROOT = Path(__file__).parents[2]
LETTERS = zip("PATICMVRX", (6, 6, 3, 3, 4, 4, 2, 3, 5), strict=True)
NAMES = [f"{letter}{number}" for letter, count in LETTERS for number in range(1, count + 1)]


@cache
def points() -> ModuleType:
    spec = importlib.util.spec_from_file_location("points_page", ROOT / "docs" / "points.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def functions() -> Mapping[str, frozenset[str]]:
    """The test functions in each file under ``tests/``, without running any."""
    folder = ROOT / "tests"
    return {
        str(path.relative_to(folder)): frozenset(
            node.name
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        )
        for path in folder.rglob("test_*.py")
    }


def test_all_36_points_25_disagreements_and_35_incidents_are_there_in_order() -> None:
    assert len(NAMES) == 36
    assert [point.name for point in points().DOCUMENT] == NAMES
    assert [p.name for p in points().DISAGREEMENTS] == [f"D{n}" for n in range(1, 26)]
    assert [p.name for p in points().INCIDENTS] == [f"F{n}" for n in range(1, 36)]


def test_every_point_is_carried_and_shown_by_what_exists() -> None:
    assert points().faults(functions()) == ()


def test_the_page_of_points_is_up_to_date() -> None:
    written = (ROOT / "docs" / "points.md").read_text(encoding="utf-8")
    assert written == points().page(), "run python docs/points.py"


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"carriers": ()}, "P1: nothing carries it"),
        ({"tests": ()}, "P1: no test shows it"),
        ({"tests": ("docs/test_points.py::test_of_nobody",)}, "P1: there is no test docs/"),
        ({"story": "of-nobody.toml"}, "P1: there is no story of-nobody.toml"),
    ],
    ids=["no carrier", "no test", "test that is none", "story that is none"],
)
def test_a_claim_that_nothing_bears_out_is_found(
    changed: dict[str, object], fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *others = points().POINTS
    other = attrs.evolve(first, **changed)
    before = set(points().faults(functions()))
    monkeypatch.setattr(points(), "POINTS", (other, *others))
    (found,) = set(points().faults(functions())) - before
    assert found.startswith(fault)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("Row", ("CallManager", "restart-nobody")),
        ("Consumer", ("TVS", "A1")),
        ("Guard", ("of_nobody",)),
        ("Need", ("NOBODY",)),
        ("Check", ("of-nobody",)),
        ("Chosen", ("of_nobody",)),
        ("Task", ("of-nobody",)),
        ("Command", ("Nobody",)),
        ("Code", ("runner", "Nobody")),
    ],
)
def test_a_carrier_that_the_code_does_not_have_is_known(kind: str, words: tuple[str, ...]) -> None:
    assert not getattr(points(), kind)(*words).exists
