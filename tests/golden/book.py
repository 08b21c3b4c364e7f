"""Every distinct procedure in words, and who has which: written by `python -m tests.golden.book`.

The texts are `procedures/NAME.txt`, to be read beside Cisco's; `procedures.toml` says which
combination has which. A name is that of the first combination that has the procedure.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from cucm_certflow.names import CertUnit, Release, SecurityMode
from cucm_certflow.procedures.explain import Explanation, explanation_of

FOLDER: Final = Path(__file__).with_name("procedures")
TABLE: Final = Path(__file__).with_name("procedures.toml")

RELEASES: Final = ("8.6", "9.1", "10.5", "11.5", "12.0", "12.5", "14", "14SU2", "15")
MODES: Final = {
    "nonsecure": (SecurityMode.NON_SECURE, False),
    "mixed": (SecurityMode.MIXED, False),
    "mixed-token": (SecurityMode.MIXED, True),
}
"""Before 10.0 the token signs whatever is said: both kinds of mixed mode are the same there."""


class Combination(NamedTuple):
    """A unit under a release, in a mode."""

    unit: CertUnit
    release: str
    mode: str

    @property
    def told(self) -> Explanation:
        mode, token = MODES[self.mode]
        return explanation_of(self.unit, Release.parse(self.release), mode, token_ctl=token)


def combinations() -> Iterator[Combination]:
    """All of them, units in the order of the starting document, releases from the oldest on."""
    for unit in CertUnit:
        for mode in MODES:
            for release in RELEASES:
                yield Combination(unit, release, mode)


class Book(NamedTuple):
    """The distinct procedures by name, who has which, and which combinations have none."""

    texts: dict[str, str]
    names: dict[Combination, str]
    refused: dict[Combination, str]


def book() -> Book:
    """The book as the tables have it."""
    texts: dict[str, str] = {}
    name_of: dict[str, str] = {}
    names: dict[Combination, str] = {}
    refused: dict[Combination, str] = {}
    for combination in combinations():
        told = combination.told
        if told.refused:
            refused[combination] = told.refused
            continue
        text = "\n".join([str(told.unit), *told.procedure_lines()]) + "\n"
        name = name_of.setdefault(text, f"{told.unit}-{combination.release}-{combination.mode}")
        texts[name] = text
        names[combination] = name
    return Book(texts, names, refused)


def table(made: Book) -> str:
    """Which combination has which procedure, as TOML."""
    lines = [
        "# Which combination of unit, release and mode has which procedure.",
        "# Written by `python -m tests.golden.book`; do not edit.",
    ]
    for name in made.texts:
        lines += ["", f'["{name}"]']
        for mode in MODES:
            having = [
                f'"{c.release}"' for c, its in made.names.items() if (its, c.mode) == (name, mode)
            ]
            if having:
                lines.append(f"{mode} = [{', '.join(having)}]")
    lines += ["", "[refused]"]
    for unit in CertUnit:
        without = dict.fromkeys(f'"{c.release}"' for c in made.refused if c.unit is unit)
        if without:
            lines.append(f"{unit} = [{', '.join(without)}]")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write the book anew; procedures that are no more are removed."""
    made = book()
    FOLDER.mkdir(exist_ok=True)
    for path in FOLDER.glob("*.txt"):
        if path.stem not in made.texts:
            path.unlink()
    for name, text in made.texts.items():
        (FOLDER / f"{name}.txt").write_text(text, encoding="utf-8")
    TABLE.write_text(table(made), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
