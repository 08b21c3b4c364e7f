"""What people say, in a file: ``[[said]]`` tables of item, by and why; read, and prepared."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from cucm_certflow.documents import broken_toml, not_read, not_written
from cucm_certflow.errors import Report, UsageError
from cucm_certflow.findings import Finding, Said
from cucm_certflow.nearest import suggestion

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
        text = target.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _wrong(str(target), "a TOML file", not_read(target, error)) from error
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _wrong(str(target), "a TOML file", broken_toml(text, error)) from error
    tables = document.pop("said", [])
    if document or not isinstance(tables, list):
        saw = ", ".join(f"{key}{suggestion(key, ['said'])}" for key in document)
        wanted = "[[said]] tables and nothing else"
        raise _wrong(str(target), wanted, saw or "said that is no array of tables")
    return tuple(_words(str(target), tables))


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
        wanted = "a new file that can be written"
        raise _wrong(str(target), wanted, not_written(error)) from error


def _question(item: str, about: str) -> Iterator[str]:
    yield from (f"# {line}".rstrip() for line in about.splitlines())
    yield from ("[[said]]", f'item = "{item}"', 'by = ""', 'why = ""', "")


def _words(name: str, tables: list[Any]) -> Iterator[Said]:
    for number, table in enumerate(tables, 1):
        where = f"{name}, word {number}"
        if not isinstance(table, dict) or set(table) != _KEYS:
            keys = _keys(table) if isinstance(table, dict) else type(table).__name__
            raise _wrong(where, "item, by and why", keys)
        item, by, why = (str(table[key]).strip() for key in ("item", "by", "why"))
        try:
            yield Said(item=item, by=by, why=why)
        except ValueError as error:
            raise _wrong(where, "item, by and why, none of them empty", str(error)) from None


def _keys(table: dict[str, Any]) -> str:
    """The keys of a word, and what the strange ones may have been meant for."""
    left = _KEYS - set(table)
    return ", ".join(f"{key}{suggestion(key, left) if key not in _KEYS else ''}" for key in table)


def _wrong(where: str, expected: str, saw: str) -> UsageError:
    return UsageError(
        Report(
            headline=f"{where}: these words cannot be taken",
            expected=expected,
            saw=saw,
            left="nothing was sent",
            next="put it right, and call it again",
        )
    )
