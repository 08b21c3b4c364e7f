"""The command that explores a plan before it is run; it needs no cluster, but a scenario of one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import attrs
import typer

from cucm_certflow.cli.common import (
    JsonOption,
    UnitOption,
    WaiveOption,
    WindowOption,
    fail,
    unit_named,
)
from cucm_certflow.cli.output import Exit, as_json
from cucm_certflow.errors import CertflowError, Report, UsageError

if TYPE_CHECKING:  # exploring needs the lab, which `certflow --help` does not wait for
    from cucm_certflow.testing.check.checked import CheckedPlan, CheckedReading
    from cucm_certflow.testing.check.wish import Wish

__all__ = ["EXITS", "check_command", "check_document"]

EXITS: Final[Mapping[str, Exit]] = {
    "HOLDS": Exit.DONE,
    "WAITS": Exit.HELD,
    "HANGS": Exit.HANGS,
    "FAILS": Exit.REFUSED,
    "LOST_BEFORE": Exit.REFUSED,
    "REFUSED": Exit.REFUSED,
    "CONTRADICTS": Exit.REFUSED,
    "NOT_COVERED": Exit.NOT_COVERED,
    "NOTHING": Exit.USAGE,
}
"""By the name of the answer."""


def check_command(
    scenario: Annotated[Path, typer.Argument(help="A scenario file: the cluster.")],
    unit: UnitOption = None,
    window: WindowOption = None,
    policy: Annotated[
        Path | None,
        typer.Option("--policy", help="A TOML file: units or windows, policy, waive, without."),
    ] = None,
    waive: WaiveOption = None,
    faults: Annotated[
        int, typer.Option("--faults", min=0, help="Mishaps in one story, at most.")
    ] = 1,
    most: Annotated[
        int, typer.Option("--most", min=1, help="States to look at, in all.")
    ] = 1_000_000,
    within: Annotated[
        float, typer.Option("--within", min=0.0, help="Seconds of this machine, in all.")
    ] = 120.0,
    each_alone: Annotated[
        bool, typer.Option("--each-alone", help="Assumptions one at a time only: faster.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Explore a plan before it is run: every story, under every variant of what is uncertain."""
    from cucm_certflow.lab.scenario import Scenario
    from cucm_certflow.testing.check.plans import check_plan

    try:
        wish = _wish(unit, window, policy, waive)
        checked = check_plan(
            Scenario.load(scenario),
            wish,
            faults=faults,
            most=most,
            within_s=within,
            together=not each_alone,
        )
    except CertflowError as error:
        fail(error, json=json)
    print(as_json(check_document(checked)) if json else checked)
    raise typer.Exit(EXITS[checked.answer.name])


def check_document(checked: CheckedPlan) -> dict[str, object]:
    """A check for machines."""
    return {
        "answer": checked.answer.name.lower(),
        "refusals": checked.plan.refusals,
        "contradictions": checked.contradictions,
        "without": checked.without,
        "steps": len(checked.plan.steps),
        "faults": checked.faults,
        "hangs_on": [
            {
                "assumption": each.reading.title,
                "assumed": each.reading.assumed,
                "if": each.reading.name,
            }
            for each in checked.hangs_on
        ],
        "covered": checked.is_covered,
        "variants": [_variant(each) for each in checked.readings],
        "combinations": [_variant(each) for each in checked.combined],
        "combinations_not_begun": checked.uncombined,
        "not_begun": checked.not_begun,
        "no_matter": [{"assumption": title, "why": why} for title, why in checked.left_out],
        "not_covered": checked.notes,
    }


def _variant(checked: CheckedReading) -> dict[str, object]:
    return {
        "name": checked.reading.name,
        "assumption": checked.reading.title,
        "verdict": checked.verdict.name.lower(),
        "refusals": checked.refusals,
        "parts": [
            {**attrs.asdict(part), "verdict": part.verdict.name.lower()} for part in checked.parts
        ],
    }


def _wish(
    units: list[str] | None,
    windows: list[str] | None,
    path: Path | None,
    waive: list[str] | None,
) -> Wish:
    """What the options and the file say together; what both say is refused."""
    from cucm_certflow.lab.document import WrongValue
    from cucm_certflow.testing.check.wish import Wish

    wish = Wish() if path is None else Wish.load(path)
    given = bool(units) + bool(windows) + bool(wish.units or wish.windows)
    if given != 1:
        raise UsageError(
            Report(
                headline="say once what is to be regenerated",
                expected="one of --unit, --window, and units or windows in the --policy file",
                saw=f"{given} of them",
                left="nothing was explored, and nothing was sent",
            )
        )
    named = tuple(tuple(map(unit_named, each.split(","))) for each in windows or ())
    try:
        return attrs.evolve(
            wish,
            units=tuple(dict.fromkeys(map(unit_named, units or wish.units))),
            windows=named or wish.windows,
            waive=tuple(dict.fromkeys((*wish.waive, *(waive or ())))),
        )
    except WrongValue as error:
        raise UsageError(
            Report(headline=str(error), left="nothing was explored, and nothing was sent")
        ) from None
