"""The book of procedures against the tables: one text per distinct procedure, and who has which."""

from __future__ import annotations

import tomllib

import attrs

from cucm_certflow.names import CertUnit, Release
from cucm_certflow.procedures.explain import Explanation
from cucm_certflow.procedures.releases import EXISTS
from tests.golden.book import FOLDER, MODES, RELEASES, TABLE, Combination, book, combinations, table

_WRITE = "run python -m tests.golden.book, and read the difference"


def _substance(told: Explanation) -> object:
    """What is done, apart from who says so."""
    assert told.procedure is not None
    return (
        told.unit,
        [
            attrs.astuple(row, filter=lambda field, _: field.name != "source", recurse=False)
            for row in told.rows
        ],
        told.procedure.products,
        told.procedure.publisher_only,
        told.procedure.never_with,
        told.procedure.joins,
        [(e.phones, e.when, e.remedy, e.until) for e in told.exposures],
    )


def test_every_golden_procedure_is_what_the_tables_say() -> None:
    written = {path.stem: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.txt")}
    assert written == book().texts, _WRITE


def test_which_combination_has_which_procedure_is_as_it_was_written() -> None:
    assert TABLE.read_text(encoding="utf-8") == table(book()), _WRITE


def test_every_combination_is_in_the_table_once_or_is_refused() -> None:
    document = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    refused = document.pop("refused")
    found = [
        Combination(max((u for u in CertUnit if name.startswith(f"{u}-")), key=len), release, mode)
        for name, modes in document.items()
        for mode, releases in modes.items()
        for release in releases
    ]
    found += [
        Combination(CertUnit(unit), release, mode)
        for unit, releases in refused.items()
        for release in releases
        for mode in MODES
    ]
    assert sorted(found) == sorted(combinations())
    assert len(found) == len(CertUnit) * len(RELEASES) * len(MODES)


def test_two_combinations_share_a_golden_exactly_if_the_same_is_done() -> None:
    made = book()
    for unit in CertUnit:
        of_unit = [(c.told, name) for c, name in made.names.items() if c.unit is unit]
        for told, name in of_unit:
            for other, others_name in of_unit:
                same = _substance(told) == _substance(other)
                assert same == (name == others_name), f"{told.title}; {other.title}"


def test_exactly_what_does_not_exist_there_is_refused_with_where_it_does() -> None:
    for combination, reason in book().refused.items():
        where = EXISTS[combination.unit]
        assert Release.parse(combination.release) not in where.releases
        assert str(where.releases) in reason
        assert str(where.source) in reason
    for combination in book().names:
        assert Release.parse(combination.release) in EXISTS[combination.unit].releases
