"""The command that tells a procedure in words; it needs no cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

import typer

from cucm_certflow.cli.common import JsonOption, fail, unit_named
from cucm_certflow.cli.output import Exit, as_json
from cucm_certflow.errors import CertflowError, Report, UsageError
from cucm_certflow.names import Release, SecurityMode
from cucm_certflow.nearest import suggestion
from cucm_certflow.procedures.explain import Explanation, doing, explanation_of

__all__ = ["explain_command", "explanation_document"]

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
            unit_named(unit), _release(release), _mode(mode), token_ctl=token or None
        )
    except CertflowError as error:
        fail(error, json=json)
    print(as_json(explanation_document(told)) if json else told)
    raise typer.Exit(Exit.REFUSED if told.refused else Exit.DONE)


def explanation_document(told: Explanation) -> dict[str, object]:
    """An explanation for machines."""
    table = told.procedure
    return {
        "unit": told.unit,
        "release": str(told.release),
        "mode": told.situation.mode.name.lower(),
        "token_ctl": told.situation.token_ctl,
        "refused": told.refused,
        "consumers": table.consumers if table else (),
        "products": table.products if table else (),
        "publisher_only": table.publisher_only if table else None,
        "never_with": table.never_with if table else (),
        "joins": table.joins if table else None,
        "joined_by": told.joined_by,
        "barrier": table.moves_lists if table else None,
        "steps": [
            {
                "name": row.name,
                "stage": row.stage,
                "wave": row.wave + 1,
                "does": doing(row.does)[0],
                "where": doing(row.does)[1],
                "when": row.when,
                "requires": sorted(each.value for each in row.requires),
                "proof": row.proof,
                "within_s": row.within_s,
                "settle_s": row.settle_s,
                "source": str(row.source),
            }
            for row in told.rows
        ],
        "exposures": told.exposures,
        "tasks": told.tasks,
        "choices": told.choices,
    }


def _release(text: str) -> Release:
    try:
        return Release.parse(text)
    except ValueError as error:
        raise UsageError(Report(headline=str(error), left="nothing was sent")) from None


def _mode(text: str) -> SecurityMode:
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
