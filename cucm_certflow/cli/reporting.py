"""The command that makes one HTML file of a journal; it needs no cluster."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import attrs
import typer

from cucm_certflow.cli.common import JournalOption, JsonOption, fail
from cucm_certflow.cli.documents import DocumentKind, print_document
from cucm_certflow.cli.output import Exit
from cucm_certflow.documents import not_written
from cucm_certflow.errors import CertflowError, Report, UsageError

__all__ = ["ReportDocument", "report_command"]


def report_command(
    journal: JournalOption,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The new file; JOURNAL.html if not given.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write over a file that is there.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Make one HTML file of a journal, that opens without a network and prints. Asks nobody."""
    from cucm_certflow.report.html import report_html
    from cucm_certflow.report.telling import story_of

    target = out or journal.with_name(f"{journal.name}.html")
    try:
        story = story_of(journal)
        _write(target, report_html(story), journal=journal, force=force)
    except CertflowError as error:
        fail(error, json=json)
    if json:
        told = ReportDocument(report=str(target), outcome=story.outcome, sha256=story.digest)
        print_document(DocumentKind.REPORT, told)
    else:
        print(f"the report of {story.journal} is in {target}")
    raise typer.Exit(Exit.DONE)


@attrs.frozen(kw_only=True)
class ReportDocument:
    """Where a report is, for machines.

    Attributes:
        report: The file.
        outcome: How the run stands.
        sha256: Of the journal that it was made of, in hex.
    """

    report: str
    outcome: str
    sha256: str


def _write(target: Path, text: str, *, journal: Path, force: bool) -> None:
    """Write *text* whole or not at all, and never over the journal: it is the only record."""
    try:
        why = _why_not(target, journal, force=force)
        if not why:
            _put(target.resolve(), text)
            return
    except OSError as error:
        why = not_written(error)
    there = not force and target.is_file() and not target.samefile(journal)
    raise UsageError(
        Report(
            headline=f"the report cannot be written to {target}",
            expected="a new file, in a folder that you may write in",
            saw=why,
            left="the journal is as it was",
            next="--force writes over it" if there else "name another file with --out",
        )
    )


def _why_not(target: Path, journal: Path, *, force: bool) -> str:
    if not os.path.lexists(target):
        return ""
    if target.exists() and target.samefile(journal):
        return "it is the journal itself, the only record of what was done"
    if target.exists() and not target.is_file():
        return "it is a folder or a device; a file is expected"
    return "" if force else "there is a file of that name already"


def _put(target: Path, text: str) -> None:
    """A report that was there stays until the new one is whole."""
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)
