"""What people say, in a file: ``[[said]]`` tables of item, by and why; read, and prepared."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from cucm_certflow.errors import Report, UsageError
from cucm_certflow.findings import Finding, Said

__all__ = ["load_words", "write_questions"]

_KEYS: Final = {"item", "by", "why"}
_ABOUT_TASKS: Final = (
    "Other systems. Is there none, say so here. Is there one, take its word out: the run holds at",
    "its end until somebody says that it knows the new certificates.",
)


def load_words(path: str | os.PathLike[str]) -> tuple[Said, ...]:
    """The words in the TOML file *path*, in its order.

    Raises:
        UsageError: The file does not read, has something else in it, or a word lacks who or why.
            Nothing was sent.
    """
    target = Path(path)
    try:
        document = tomllib.loads(target.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _wrong(target.name, "a TOML file", str(error)) from error
    tables = document.pop("said", [])
    if document or not isinstance(tables, list):
        saw = ", ".join(document) or "said that is no array of tables"
        raise _wrong(target.name, "[[said]] tables and nothing else", saw)
    return tuple(_words(target.name, tables))


def write_questions(
    path: str | os.PathLike[str],
    findings: Iterable[Finding],
    tasks: Iterable[tuple[str, str]] = (),
) -> None:
    """Write a file of words to be filled in: one for each of *findings* that a word can lift.

    Until who and why are filled in, :func:`load_words` refuses the file.

    Args:
        path: A new file.
        findings: What is open before the change.
        tasks: What is asked of the people of other systems, at the end of a run at the latest: the
            item, and what it is about. Of a system that is there the word is taken out of the file,
            and said when its people have done their part.

    Raises:
        UsageError: The file exists, or cannot be written.
    """
    target = Path(path)
    lines: list[str] = []
    for finding in findings:
        answer = Said(item=finding.check, by="?", why="?")
        if finding.is_lifted_by(answer):
            lines += _question(finding.check, str(finding))
    asked = [line for item, about in tasks for line in _question(item, about)]
    if asked:
        lines += [f"# {line}" for line in _ABOUT_TASKS]
        lines += ["", *asked]
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write("\n".join(lines))
    except OSError as error:
        saw = error.strerror or str(error)
        raise _wrong(target.name, "a new file that can be written", saw) from error


def _question(item: str, about: str) -> Iterator[str]:
    yield from (f"# {line}".rstrip() for line in about.splitlines())
    yield from ("[[said]]", f'item = "{item}"', 'by = ""', 'why = ""', "")


def _words(name: str, tables: list[Any]) -> Iterator[Said]:
    for number, table in enumerate(tables, 1):
        where = f"{name}, word {number}"
        if not isinstance(table, dict) or set(table) != _KEYS:
            keys = ", ".join(table) if isinstance(table, dict) else type(table).__name__
            raise _wrong(where, "item, by and why", keys)
        item, by, why = (str(table[key]).strip() for key in ("item", "by", "why"))
        try:
            yield Said(item=item, by=by, why=why)
        except ValueError as error:
            raise _wrong(where, "item, by and why, none of them empty", str(error)) from None


def _wrong(where: str, expected: str, saw: str) -> UsageError:
    return UsageError(
        Report(
            headline=f"{where}: these words cannot be taken",
            expected=expected,
            saw=saw,
            left="nothing was sent",
        )
    )
