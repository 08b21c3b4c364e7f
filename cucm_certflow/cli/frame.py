"""The frame around every command: whatever goes wrong is a message and an exit status."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import traceback
from collections.abc import Iterator, Sequence
from typing import Any, Final, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from cucm_certflow.cli.common import fail
from cucm_certflow.cli.documents import DocumentKind, ErrorDocument, print_document
from cucm_certflow.cli.extras import missing
from cucm_certflow.cli.interrupting import Interrupted
from cucm_certflow.cli.lessons import LESSONS, start_epilog
from cucm_certflow.cli.output import Exit
from cucm_certflow.cli.streams import go_on_unread
from cucm_certflow.errors import CertflowError, Report, UsageError

__all__ = ["TRACEBACK", "Commands", "Taught"]

TRACEBACK: Final = "CERTFLOW_TRACEBACK"
"""The environment variable that asks for the traceback of a bug."""

_NARROW: Final = 60
"""Columns below which frames around help and errors leave no room for words."""

_OF_A_PATH: Final = frozenset(
    {
        errno.EACCES,
        errno.EDQUOT,
        errno.EEXIST,
        errno.EISDIR,
        errno.ELOOP,
        errno.EMFILE,
        errno.ENAMETOOLONG,
        errno.ENOENT,
        errno.ENOSPC,
        errno.ENOTDIR,
        errno.EPERM,
        errno.EROFS,
    }
)
_KEPT_TEXT: Final = 300


class Taught(TyperCommand):
    """A command whose help ends with its lesson, in lines that nothing wraps or marks up."""

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - typer's signature
        """As typer has it, and the lesson."""
        super().format_help(ctx, formatter)
        if self.name is not None and self.name in LESSONS:
            formatter.write(LESSONS[self.name].epilog())


class Commands(TyperGroup):
    """The commands, each inside the frame."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - typer's signature
        super().__init__(**options)
        for name, lesson in LESSONS.items():
            if (command := self.commands.get(name)) is not None:
                assert isinstance(command, TyperCommand)
                command.rich_help_panel = lesson.panel

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401 - typer's signature
        """The names of the commands, in the order of a change."""
        order = list(LESSONS)
        return sorted(self.commands, key=lambda name: order.index(name) if name in order else -1)

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - typer's signature
        """As typer has it, and where to start."""
        super().format_help(ctx, formatter)
        formatter.write(start_epilog())

    def main(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - typer's signature
        """As typer has it, without frames where the terminal has no room for them."""
        plain = shutil.get_terminal_size().columns < _NARROW or os.environ.get("TERM") == "dumb"
        for each in (self, *self.commands.values()):
            assert isinstance(each, TyperGroup | TyperCommand)
            each.rich_markup_mode = None if plain else "rich"
        try:
            return super().main(*args, **options)
        # Before there was a command, as in help without its extra.
        except Exception as error:  # noqa: BLE001 - the outermost frame of the program
            try:
                _say(error, json=False)
            except typer.Exit as ended:
                raise SystemExit(ended.exit_code) from error

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - typer's signature
        """As typer has it; without any word the help, as a call that was wrong."""
        if not args:
            print(ctx.get_help())
            raise typer.Exit(Exit.USAGE)
        return list(super().parse_args(ctx, args))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 - typer's signature
        """The command of a call, whose words are kept for what goes wrong in it."""
        ctx.obj = tuple(args)
        name, command, rest = super().resolve_command(ctx, args)
        if name is not None and name in LESSONS and not LESSONS[name].only_looks:
            go_on_unread()
        return name, command, rest

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - typer's signature
        """Invoke a command; an error of any kind ends in its message and its exit status."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            print("interrupted; nothing was changed", file=sys.stderr)
            raise typer.Exit(Exit.INTERRUPTED) from None
        except Interrupted as error:
            raise typer.Exit(error.status) from None
        except Exception as error:
            json = "--json" in _before_dashes(ctx.obj or ())
            if json and isinstance(error, _WRONG_CALL):
                fail(UsageError(_of_a_call(error)), json=True)
            if isinstance(error, (typer.Exit, typer.Abort, _SAYS_ITSELF)):
                raise
            _say(error, json=json)


_WRONG_CALL: Final[type[Any]] = typer.BadParameter.__bases__[0]
_SAYS_ITSELF: Final[type[Any]] = _WRONG_CALL.__bases__[0]
"""The root of what typer says of a wrong call; it has no name there that all its releases share."""


def _before_dashes(words: Sequence[str]) -> Sequence[str]:
    return words[: words.index("--")] if "--" in words else words


def _say(error: Exception, *, json: bool) -> NoReturn:
    leaves = list(_leaves(error))
    ours = [each for each in leaves if isinstance(each, CertflowError)]
    if ours and len(ours) == len(leaves):
        fail(ours[0], json=json)
    if isinstance(error, ModuleNotFoundError) and (needs := missing(error)) is not None:
        fail(needs, json=json)
    if isinstance(error, OSError) and error.errno in _OF_A_PATH:
        fail(UsageError(_of_a_path(error)), json=json)
    _bug(error, json=json)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    else:
        yield error


def _of_a_call(error: Any) -> Report:  # noqa: ANN401 - typer's class has no name of its own
    return Report(
        headline=error.format_message(),
        left="nothing was sent",
        next="--help says what it takes",
    )


def _of_a_path(error: OSError) -> Report:
    reason = error.strerror or str(error)
    where = f"{error.filename}: " if error.filename else ""
    return Report(
        headline=f"{where}{reason}",
        next="check the path, its permissions, and the room on its disk; then call it again",
    )


def _bug(error: Exception, *, json: bool) -> NoReturn:
    if os.environ.get(TRACEBACK):
        traceback.print_exception(error)
    text = " ".join(f"{type(error).__name__}: {error}".split())[:_KEPT_TEXT]
    headline = f"this is a bug in certflow: {text}"
    then = f"the journal resumes the run, if there is one; {TRACEBACK}=1 shows where it happened"
    if json:
        report = Report(headline=headline, next=then)
        print_document(
            DocumentKind.ERROR, ErrorDocument(error=type(error).__name__, code="", report=report)
        )
    else:
        print(f"{headline}; {then}", file=sys.stderr)
    raise typer.Exit(Exit.BUG) from error
