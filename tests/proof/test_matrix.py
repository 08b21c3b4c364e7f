"""Every story of every unit: both modes, four releases, two nodes, two CallManager groups.

In each story two mishaps at most: our process crashes, replies are lost or late, nodes refuse,
services do not come up. Phones are switched off and on, come unasked, and come to another TFTP
node. What takes longer than a minute in all is behind ``make prove``.
"""

from __future__ import annotations

from functools import cache

import pytest

from cucm_certflow.testing.explorer import Exploration
from tests.proof.cells import LISTED, MATRIX, PROVED, RELEASES, TABLES, Cell, line_of, pinned
from tests.proof.prove import flaws_of
from tests.proof.runs import show

pytestmark = pytest.mark.slow


@cache
def explored(cell: Cell) -> Exploration:
    found = cell.explore()
    show(f"{cell}: {found.states:,} states, {found.edges:,} edges, {found.seconds:.1f} s")
    return found


@pytest.mark.parametrize("cell", MATRIX, ids=str)
def test_every_story_keeps_every_rule_and_comes_to_an_end(cell: Cell) -> None:
    assert flaws_of(explored(cell)) == []


@pytest.mark.parametrize("cell", MATRIX, ids=str)
def test_number_of_states_is_as_pinned(cell: Cell) -> None:
    assert line_of(cell, explored(cell)) == pinned()[str(cell)]


def test_every_unit_is_explored_wherever_a_release_has_it() -> None:
    faulty = {(c.release, c.mixed, c.units) for c in MATRIX if c.limits == "two faults"}
    for unit in TABLES:
        for release in RELEASES:
            for mixed in (False, True):
                cell = Cell(release, mixed, (unit,))
                assert ((release, mixed, (unit,)) in faulty) is cell.exists()
    groups = {group for cell in MATRIX for group in cell.phones if cell.units[0] in LISTED}
    assert groups == {0, 1}


def test_every_cell_is_pinned_and_nothing_else_is() -> None:
    assert list(pinned()) == [str(cell) for cell in (*MATRIX, *PROVED)]
