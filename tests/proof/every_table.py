"""A small configuration for every table of the procedures, in both modes: none is left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from cucm_certflow.names import CertUnit, Release
from cucm_certflow.procedures import PROCEDURES
from cucm_certflow.procedures.policies import Policy
from cucm_certflow.procedures.vocabulary import Procedure
from cucm_certflow.testing.explorer import Limits
from tests.proof.cells import LISTED, Cell
from tests.proof.runs import Unkind
from tests.proof.small import Book, Configuration

__all__ = ["EVERY_TABLE", "OF_TABLE"]

_RELEASES: Final = ((9, 1), (10, 5), (11, 5), (12, 0), (12, 5), (14, 0), (15, 0))
_LIMITS: Final = Limits(faults=0, phones_move=False, phones_switch_off=False)
_NO_CAPF_IN_MIXED_MODE_BELOW: Final = (10, 0)  # there a token signs the CTL, at a person's hands


def _cells(table: Procedure) -> Iterator[Cell]:
    release = next(r for r in _RELEASES if Release(*r) in table.releases)
    phones = (0,) if table.unit in LISTED else ()
    for mixed in (False, True):
        cell = Cell(release, mixed, (table.unit,), phones)
        by_hand = mixed and release < _NO_CAPF_IN_MIXED_MODE_BELOW
        if cell.exists() and not (by_hand and table.unit is CertUnit.CAPF):
            # Some are refused, unless TVS is known to vouch.
            yield cell._replace(vouched=True) if cell.plan().is_refused else cell


def _configuration(cell: Cell) -> Configuration:
    def make(book: Book) -> Unkind:
        layout, kinds = cell.layout(), cell.kinds()
        policy = Policy(vouches_for_itlrecovery=cell.vouched)
        plan = book.plan(layout, kinds, units=cell.units, policy=policy)
        return Unkind(layout, kinds, plan, tables=book.tables, limits=_LIMITS)

    return make


def _name(cell: Cell) -> str:
    mode = "mixed mode" if cell.mixed else "non-secure"
    return f"{cell.units[0]} on {cell.release[0]}.{cell.release[1]}, {mode}"


OF_TABLE: Final[Mapping[str, tuple[str, ...]]] = {
    f"{table.unit} {table.releases}": tuple(_name(cell) for cell in _cells(table))
    for table in PROCEDURES
}
"""The configurations of each table, by its unit and releases."""

EVERY_TABLE: Final[Mapping[str, Configuration]] = {
    _name(cell): _configuration(cell) for table in PROCEDURES for cell in _cells(table)
}
"""By name."""
