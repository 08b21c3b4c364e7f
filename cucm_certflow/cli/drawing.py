"""The command that draws state tables, procedures and plans; it needs no cluster."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import attrs
import typer

from cucm_certflow.cli.asked import Asked, takes_asked
from cucm_certflow.cli.common import JsonOption, fail, unit_named, units_of
from cucm_certflow.cli.documents import DocumentKind, print_document
from cucm_certflow.cli.explaining import mode_named, release_named
from cucm_certflow.cli.output import Exit
from cucm_certflow.core.planner import make_plan
from cucm_certflow.core.states import Table
from cucm_certflow.core.tables import CERTIFICATE, COMMAND, ENTRY
from cucm_certflow.documents import not_written
from cucm_certflow.errors import CertflowError, RefusedError, Report, UsageError
from cucm_certflow.names import CertUnit
from cucm_certflow.nearest import suggestion
from cucm_certflow.procedures.explain import explanation_of

if TYPE_CHECKING:  # drawing is what `certflow --help` does not wait for
    from cucm_certflow.report.diagrams.graph import Diagram

__all__ = ["DiagramDocument", "Format", "diagram_command"]

_TABLES: Final[Mapping[str, Table[Any, Any]]] = {
    "command": COMMAND,
    "certificate": CERTIFICATE,
    "entry": ENTRY,
}
_WINDOWS: Final = "windows"
_NOTHING: Final = "nothing was drawn, and nothing was sent"
_MERMAID_TEXT: Final = 50_000
_MERMAID_EDGES: Final = 500
"""Mermaid 11 draws no more unless its maxTextSize and maxEdges are raised."""


class Format(StrEnum):
    """What a drawing is written as."""

    MERMAID = "mermaid"
    SVG = "svg"


@attrs.frozen(kw_only=True)
class DiagramDocument:
    """A diagram, for machines.

    Attributes:
        diagram: What is drawn.
        format: Of the drawing.
        text: The drawing; null if it was written to a file.
        out: The file; null if the drawing is in *text*.
        refusals: Why the plan that is drawn may not run; empty for all else.
    """

    diagram: Diagram
    format: Format
    text: str | None
    out: str | None
    refusals: tuple[str, ...]


@takes_asked
def diagram_command(
    what: Annotated[
        str,
        typer.Argument(help="command, certificate, entry, windows, or a certificate kind."),
    ],
    release: Annotated[
        str | None, typer.Option("--release", help="For a certificate kind: such as 14SU2.")
    ] = None,
    mode: Annotated[
        str | None, typer.Option("--mode", help="For a certificate kind: nonsecure or mixed.")
    ] = None,
    token: Annotated[
        bool, typer.Option("--token", help="In mixed mode: a USB token signs the CTL.")
    ] = False,
    scenario: Annotated[
        Path | None,
        typer.Option("--scenario", help="For windows: the cluster, such as a twin of yours."),
    ] = None,
    form: Annotated[
        Format | None,
        typer.Option("--format", help="By default svg if --out ends in .svg, and else mermaid."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write the drawing to a new file.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over the file of --out.")] = False,
    json: JsonOption = False,
    *,
    asked: Asked,
) -> None:
    """Draw a state table, a procedure, or the windows of a plan: Mermaid or SVG. Needs no cluster.

    The options of plans go with windows, --release and --mode with a certificate kind.
    """
    from cucm_certflow.report.diagrams.mermaid import to_mermaid
    from cucm_certflow.report.diagrams.svg import to_svg

    draws: Mapping[Format, Callable[[Diagram], str]] = {
        Format.MERMAID: to_mermaid,
        Format.SVG: to_svg,
    }
    try:
        _check_options(what, asked, {"--release": release, "--mode": mode}, scenario, token=token)
        if force and out is None:
            raise _wrong("--force is about the file of --out, and there is none")
        diagram, refusals = _diagram(what, asked, release, mode, scenario, token=token)
        chosen = form or _form_of(out)
        text = draws[chosen](diagram)
        if out is not None:
            _write(out, text, force=force)
        if chosen is Format.MERMAID:
            _warn_of_size(diagram, text)
    except CertflowError as error:
        fail(error, json=json)
    if json:
        document = DiagramDocument(
            diagram=diagram,
            format=chosen,
            text=text if out is None else None,
            out=None if out is None else str(out),
            refusals=refusals,
        )
        print_document(DocumentKind.DIAGRAM, document)
    elif out is None:
        print(text, end="")
    else:
        print(f"{out}: {diagram.title}")
    raise typer.Exit(Exit.REFUSED if refusals else Exit.DONE)


def _wrong(headline: str, *, expected: str = "", then: str = "") -> UsageError:
    return UsageError(Report(headline=headline, expected=expected, left=_NOTHING, next=then))


def _form_of(out: Path | None) -> Format:
    is_svg = out is not None and out.suffix.lower() == ".svg"
    return Format.SVG if is_svg else Format.MERMAID


def _check_options(
    what: str,
    asked: Asked,
    of_kinds: Mapping[str, str | None],
    scenario: Path | None,
    *,
    token: bool,
) -> None:
    """Make sure that the options go together: one that would do nothing is a mistake."""
    given = [name for name, value in of_kinds.items() if value is not None]
    if token:
        given.append("--token")
    if given and (what in _TABLES or what == _WINDOWS):
        raise _wrong(
            f"{', '.join(given)}: for a certificate kind only, and {what} is none",
            then=f"leave out {', '.join(given)}",
        )
    if what != _WINDOWS and (scenario is not None or asked != Asked()):
        raise _wrong(
            "--scenario and the options of plans are for the windows of a plan only",
            expected="certflow diagram windows --scenario FILE -u KIND",
        )
    if what == _WINDOWS:
        if scenario is None:
            raise _wrong(
                "a plan is made for a cluster, and none is named",
                expected="--scenario FILE",
                then="take a twin of yours with `certflow discover --out`, or an example",
            )
        asked.check_one_way()


def _diagram(
    what: str,
    asked: Asked,
    release: str | None,
    mode: str | None,
    scenario: Path | None,
    *,
    token: bool,
) -> tuple[Diagram, tuple[str, ...]]:
    """What is to be drawn; and why the plan that it shows may not run, if it may not."""
    from cucm_certflow.report.diagrams.machines import machine_diagram

    if (table := _TABLES.get(what)) is not None:
        return machine_diagram(table), ()
    if what == _WINDOWS:
        assert scenario is not None
        return _windows(asked, scenario)
    return _procedure(what, release, mode, token=token), ()


def _procedure(what: str, release: str | None, mode: str | None, *, token: bool) -> Diagram:
    from cucm_certflow.report.diagrams.procedures import procedure_diagram

    unit = _unit(what)
    if release is None or mode is None:
        missing = " and ".join(
            name for name, value in (("--release", release), ("--mode", mode)) if value is None
        )
        raise _wrong(
            f"the procedure of {unit} depends on the cluster: it needs {missing}",
            expected=f"certflow diagram {unit} --release 14SU2 --mode mixed",
        )
    told = explanation_of(unit, release_named(release), mode_named(mode), token_ctl=token or None)
    if told.refused:
        raise RefusedError(
            Report(headline=f"{told.title}: refused", saw=told.refused, left=_NOTHING)
        )
    return procedure_diagram(told)


def _unit(what: str) -> CertUnit:
    try:
        return unit_named(what)
    except UsageError:
        words = (*_TABLES, _WINDOWS, *CertUnit)
        raise _wrong(
            f"there is nothing called {what!r:.40} to draw{suggestion(what, words)}",
            expected=", ".join(words),
        ) from None


def _windows(asked: Asked, path: Path) -> tuple[Diagram, tuple[str, ...]]:
    from cucm_certflow.lab.scenario import Scenario
    from cucm_certflow.report.diagrams.windows import plan_diagram
    from cucm_certflow.testing.check.miniature import facts_of_all

    facts = facts_of_all(Scenario.load(path))
    windows = asked.windows
    plan = make_plan(
        facts,
        units=None if windows else units_of(facts, asked.unit, asked.window, asked.expiring),
        windows=windows,
        policy=asked.policy(),
        waive=asked.waive or (),
        said=asked.said,
    )
    return plan_diagram(plan), tuple(map(str, plan.refusals))


def _warn_of_size(diagram: Diagram, text: str) -> None:
    if len(text) > _MERMAID_TEXT or len(diagram.edges) > _MERMAID_EDGES:
        print(
            f"Mermaid draws up to {_MERMAID_TEXT:,} characters and {_MERMAID_EDGES} arrows unless "
            f"it is told otherwise, and this has {len(text):,} and {len(diagram.edges)}: "
            "--format svg has no such limit",
            file=sys.stderr,
        )


def _write(path: Path, text: str, *, force: bool) -> None:
    try:
        with path.open("w" if force else "x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as error:
        if isinstance(error, FileExistsError) and not path.is_dir():
            raise _wrong(
                f"{path}: {not_written(error)}", then="name another file, or add --force"
            ) from error
        why = "it is a folder; a file is expected" if path.is_dir() else not_written(error)
        raise _wrong(f"{path}: {why}", then="name another file") from error
