"""Reads what people say: ``--say ITEM=WHY --by NAME``, and a file of such words."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from cucm_certflow.errors import Report, UsageError
from cucm_certflow.findings import Said

__all__ = ["ByOption", "SayOption", "WordsOption", "words_of"]

SayOption = Annotated[
    list[str] | None,
    typer.Option(
        "--say", help="ITEM=WHY: a person's word about a check or a partner task; repeatable."
    ),
]
ByOption = Annotated[str, typer.Option("--by", help="Who says so; needed with --say.")]
WordsOption = Annotated[
    Path | None,
    typer.Option("--words", help="A TOML file of [[said]] tables: item, by, why."),
]

_KEYS: Final = {"item", "by", "why"}


def words_of(say: Iterable[str] | None, by: str, path: Path | None) -> tuple[Said, ...]:
    """Everything that was said, the file's words first.

    Raises:
        UsageError: The file does not read, a word lacks who or why, or has a key that is unknown.
    """
    words = list(_from_file(path)) if path is not None else []
    for text in say or ():
        item, found, why = text.partition("=")
        if not found:
            raise _wrong("--say", "ITEM=WHY", repr(text))
        words.append(_said("--say", {"item": item, "by": by, "why": why}))
    return tuple(words)


def _from_file(path: Path) -> Iterable[Said]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _wrong(path.name, "a TOML file", str(error)) from error
    tables = document.pop("said", [])
    if document or not isinstance(tables, list):
        raise _wrong(path.name, "[[said]] tables and nothing else", ", ".join(document) or "said")
    for number, table in enumerate(tables, 1):
        yield _said(f"{path.name}, word {number}", table)


def _said(where: str, table: Any) -> Said:  # noqa: ANN401 - it comes from TOML
    if not isinstance(table, dict) or set(table) != _KEYS:
        keys = ", ".join(table) if isinstance(table, dict) else type(table).__name__
        raise _wrong(where, "item, by and why", keys)
    item, by, why = (str(table[key]).strip() for key in ("item", "by", "why"))
    try:
        return Said(item=item, by=by, why=why)
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
