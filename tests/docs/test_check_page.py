"""The tables of the page about ``certflow check`` are those of the code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from cucm_certflow.cli.checking import EXITS
from cucm_certflow.testing.check.checked import Answer
from cucm_certflow.testing.check.uncertain import UNCERTAIN

DOCS: Final = Path(__file__).parents[2] / "docs"
_CELL: Final = re.compile(r"\s*\|\s*")


def _rows(name: str) -> list[tuple[str, ...]]:
    page = (DOCS / "check.md").read_text(encoding="utf-8")
    table = page.partition(f"<!-- {name} -->\n")[2].partition("\n\n")[0]
    return [tuple(_CELL.split(line)[1:-1]) for line in table.splitlines()[2:]]


def test_every_answer_is_on_the_page_with_its_status() -> None:
    rows = {(int(status), what.partition("; or ")[0]) for status, what in _rows("answers")}
    assert rows == {(int(EXITS[answer.name]), answer.value) for answer in Answer}


def test_every_assumption_is_on_the_page_with_its_flag_and_what_makes_it_no_matter() -> None:
    found = [
        (re.sub(r"\[(.*)\]\(.*\)", r"\1", title), flag.strip("`"), unkind, where)
        for title, flag, unkind, where in _rows("assumptions")
    ]
    assert found == [
        (
            each.title,
            each.flag,
            each.words(each.unkind),
            ", or ".join(each.unless) or "nothing in a list is regenerated",
        )
        for each in UNCERTAIN
    ]


def test_every_section_of_an_assumption_names_its_flag() -> None:
    page = (DOCS / "assumptions.md").read_text(encoding="utf-8")
    for each in UNCERTAIN:
        section = page.partition(f"### {each.title}\n")[2].partition("\n##")[0]
        assert f"`{each.flag}`" in section, each.title
