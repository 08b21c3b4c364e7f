"""What people say on the command line: ``--say ITEM=WHY --by NAME``, and ``--words FILE``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from cucm_certflow.errors import Report, UsageError
from cucm_certflow.findings import Said
from cucm_certflow.words import load_words

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
    typer.Option("--words", help="A TOML file, one table named said a word: item, by, why."),
]


def words_of(say: Iterable[str] | None, by: str, path: Path | None) -> tuple[Said, ...]:
    """Everything that was said, the file's words first.

    Raises:
        UsageError: The file does not read, or a word lacks its item, who says it, or why.
    """
    words = list(load_words(path)) if path is not None else []
    for text in say or ():
        item, _, why = text.partition("=")
        try:
            words.append(Said(item=item, by=by, why=why))
        except ValueError as error:
            raise UsageError(
                Report(
                    headline="a word cannot be taken",
                    expected="--say ITEM=WHY and --by NAME, none of them empty",
                    saw=f"{text!r}: {error}",
                    left="nothing was sent",
                )
            ) from None
    return tuple(words)
