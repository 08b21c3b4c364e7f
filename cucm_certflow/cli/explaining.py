"""The command that tells a procedure in words; it needs no cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

import attrs
import typer

from cucm_certflow.cli.common import JsonOption, fail, unit_named
from cucm_certflow.cli.documents import DocumentKind, print_document
from cucm_certflow.cli.output import Exit
from cucm_certflow.errors import CertflowError, Report, UsageError
from cucm_certflow.names import CertUnit, Product, Release, SecurityMode
from cucm_certflow.nearest import suggestion
from cucm_certflow.procedures.choices import Choice
from cucm_certflow.procedures.explain import Explanation, doing, explanation_of
from cucm_certflow.procedures.partners import PartnerTask
from cucm_certflow.procedures.vocabulary import Condition, Exposure, Proof, Source, Stage

__all__ = [
    "ExplainedStep",
    "ExplanationDocument",
    "explain_command",
    "explanation_document",
    "mode_named",
    "release_named",
]

_MODES: Final[Mapping[str, SecurityMode]] = {
    "nonsecure": SecurityMode.NON_SECURE,
    "mixed": SecurityMode.MIXED,
}


def explain_command(
    unit: Annotated[str, typer.Argument(help="A certificate kind, such as CallManager.")],
    release: Annotated[str, typer.Option("--release", help="Such as 11.5 or 14SU2.")],
    mode: Annotated[str, typer.Option("--mode", help="nonsecure or mixed.")],
    token: Annotated[
        bool, typer.Option("--token", help="In mixed mode: a USB token signs the CTL.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Tell a procedure in words: every step, and why. Needs no cluster."""
    try:
        told = explanation_of(
            unit_named(unit), release_named(release), mode_named(mode), token_ctl=token or None
        )
    except CertflowError as error:
        fail(error, json=json)
    if json:
        print_document(DocumentKind.EXPLANATION, explanation_document(told))
    else:
        print(told)
    raise typer.Exit(Exit.REFUSED if told.refused else Exit.DONE)


@attrs.frozen(kw_only=True)
class ExplainedStep:
    """One row of a procedure, for machines.

    Attributes:
        name: The row's.
        stage: Of the window.
        wave: From 1; a later one begins when the phones are back after the one before.
        does: As CUCM sees it.
        where: On which nodes.
        when: The condition under which it applies.
        requires: What must be seen before it is sent.
        proof: What must be seen before anything else is sent.
        within_s: After so many seconds without its proof a run holds.
        settle_s: So many seconds nothing else is sent after it was proved.
        source: The document behind it.
    """

    name: str
    stage: Stage
    wave: int
    does: str
    where: str
    when: Condition
    requires: tuple[str, ...]
    proof: Proof
    within_s: float
    settle_s: float
    source: Source


@attrs.frozen(kw_only=True)
class ExplanationDocument:
    """A procedure, for machines.

    Attributes:
        unit: The kind of certificate.
        release: Of the cluster.
        mode: Of the cluster.
        token_ctl: Whether a USB token signs the CTL.
        refused: Why there is no procedure; empty if there is one.
        consumers: Who goes by the certificate.
        products: The products whose nodes have it.
        publisher_only: Whether it is regenerated on the publisher alone; null without a procedure.
        never_with: The kinds that never change in the same window.
        joins: The kind whose window and restarts it shares; null if none.
        joined_by: The kinds that share its own.
        barrier: Whether phones are waited for after it; null without a procedure.
        steps: In order.
        exposures: Where phones cannot be spared a moment in which only a remedy would help.
        tasks: For the people of other systems.
        choices: Where sources disagree or are silent.
    """

    unit: CertUnit
    release: Release
    mode: SecurityMode
    token_ctl: bool
    refused: str
    consumers: tuple[str, ...]
    products: frozenset[Product]
    publisher_only: bool | None
    never_with: frozenset[CertUnit]
    joins: CertUnit | None
    joined_by: tuple[CertUnit, ...]
    barrier: bool | None
    steps: tuple[ExplainedStep, ...]
    exposures: tuple[Exposure, ...]
    tasks: tuple[PartnerTask, ...]
    choices: tuple[Choice, ...]


def explanation_document(told: Explanation) -> ExplanationDocument:
    """An explanation for machines."""
    table = told.procedure
    return ExplanationDocument(
        unit=told.unit,
        release=told.release,
        mode=told.situation.mode,
        token_ctl=told.situation.token_ctl,
        refused=told.refused,
        consumers=table.consumers if table else (),
        products=table.products if table else frozenset(),
        publisher_only=table.publisher_only if table else None,
        never_with=table.never_with if table else frozenset(),
        joins=table.joins if table else None,
        joined_by=told.joined_by,
        barrier=table.moves_lists if table else None,
        steps=tuple(
            ExplainedStep(
                name=row.name,
                stage=row.stage,
                wave=row.wave + 1,
                does=doing(row.does)[0],
                where=doing(row.does)[1],
                when=row.when,
                requires=tuple(sorted(each.value for each in row.requires)),
                proof=row.proof,
                within_s=row.within_s,
                settle_s=row.settle_s,
                source=row.source,
            )
            for row in told.rows
        ),
        exposures=told.exposures,
        tasks=told.tasks,
        choices=told.choices,
    )


def release_named(text: str) -> Release:
    """The release that *text* says.

    Raises:
        UsageError: It says none.
    """
    try:
        return Release.parse(text)
    except ValueError as error:
        raise UsageError(Report(headline=str(error), left="nothing was sent")) from None


def mode_named(text: str) -> SecurityMode:
    """The cluster security mode that *text* says.

    Raises:
        UsageError: It says none.
    """
    mode = _MODES.get(text.strip().lower())
    if mode is None:
        raise UsageError(
            Report(
                headline=f"there is no mode {text.strip()!r:.40}{suggestion(text, _MODES)}",
                expected=", ".join(_MODES),
                left="nothing was sent",
            )
        )
    return mode
