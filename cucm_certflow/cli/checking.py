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
from cucm_certflow.cli.documents import DocumentKind, print_document
from cucm_certflow.cli.output import Exit
from cucm_certflow.core.states import Blocked
from cucm_certflow.errors import CertflowError, Report, UsageError

if TYPE_CHECKING:  # exploring needs the lab, which `certflow --help` does not wait for
    from cucm_certflow.testing.check.checked import CheckedPlan, CheckedReading
    from cucm_certflow.testing.check.wish import Wish

__all__ = [
    "EXITS",
    "CheckDocument",
    "CheckedVariant",
    "ExploredPart",
    "HangsOn",
    "NoMatter",
    "check_command",
    "check_document",
]

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
    if json:
        print_document(DocumentKind.CHECK, check_document(checked))
    else:
        print(checked)
    raise typer.Exit(EXITS[checked.answer.name])


@attrs.frozen(kw_only=True)
class HangsOn:
    """An assumption on which a plan hangs, for machines.

    Attributes:
        assumption: What it is about.
        assumed: As the library assumes it.
        if_otherwise: The variant under which the plan does not hold.
    """

    assumption: str
    assumed: str
    if_otherwise: str


@attrs.frozen(kw_only=True)
class ExploredPart:
    """One exploration, for machines: a kind of phones, or the cluster without phones.

    Attributes:
        phones: Whom it is about, in words.
        nodes: The nodes that are explored with them.
        stays: They keep to their own TFTP node.
        states: Found.
        edges: Found.
        seconds: Of this machine.
        unexplored: States that were found and not followed.
        proved: Steps that were proved in the furthest state that was followed.
        steps: Steps that there are.
        verdict: What came of it.
        what: What is wrong, in words; empty for nothing.
        story: The shortest way to it, a line a move.
    """

    phones: str
    nodes: tuple[str, ...]
    stays: bool
    states: int
    edges: int
    seconds: float
    unexplored: int
    proved: int
    steps: int
    verdict: str
    what: str
    story: tuple[str, ...]


@attrs.frozen(kw_only=True)
class CheckedVariant:
    """What came of a plan in one variant of what is uncertain, for machines.

    Attributes:
        name: The variant's.
        assumption: What it is about.
        verdict: The worst of its parts.
        refusals: Why the library refuses the plan in it.
        parts: The explorations, one for each kind of phones.
    """

    name: str
    assumption: str
    verdict: str
    refusals: tuple[str, ...]
    parts: tuple[ExploredPart, ...]


@attrs.frozen(kw_only=True)
class NoMatter:
    """An assumption that makes no difference to the plan, and why."""

    assumption: str
    why: str


@attrs.frozen(kw_only=True)
class CheckDocument:
    """What came of a check, for machines.

    Attributes:
        answer: What can be said of the whole.
        refusals: Why the plan is refused.
        contradictions: What in the wish cannot be had together.
        without: The guards that the wish leaves out.
        steps: How many steps the plan has.
        faults: How many mishaps a story had at most.
        hangs_on: What the plan hangs on.
        covered: Whether everything was looked at.
        variants: The library's own reading first.
        combinations: Of several assumptions at once.
        combinations_not_begun: How many more there are.
        not_begun: The variants that the budget was over for.
        no_matter: What makes no difference.
        not_covered: What else is not covered, in words.
    """

    answer: str
    refusals: tuple[Blocked, ...]
    contradictions: tuple[str, ...]
    without: tuple[str, ...]
    steps: int
    faults: int
    hangs_on: tuple[HangsOn, ...]
    covered: bool
    variants: tuple[CheckedVariant, ...]
    combinations: tuple[CheckedVariant, ...]
    combinations_not_begun: int
    not_begun: tuple[str, ...]
    no_matter: tuple[NoMatter, ...]
    not_covered: tuple[str, ...]


def check_document(checked: CheckedPlan) -> CheckDocument:
    """A check for machines."""
    return CheckDocument(
        answer=checked.answer.name.lower(),
        refusals=checked.plan.refusals,
        contradictions=checked.contradictions,
        without=checked.without,
        steps=len(checked.plan.steps),
        faults=checked.faults,
        hangs_on=tuple(
            HangsOn(
                assumption=each.reading.title,
                assumed=each.reading.assumed,
                if_otherwise=each.reading.name,
            )
            for each in checked.hangs_on
        ),
        covered=checked.is_covered,
        variants=tuple(map(_variant, checked.readings)),
        combinations=tuple(map(_variant, checked.combined)),
        combinations_not_begun=checked.uncombined,
        not_begun=checked.not_begun,
        no_matter=tuple(NoMatter(assumption=title, why=why) for title, why in checked.left_out),
        not_covered=checked.notes,
    )


def _variant(checked: CheckedReading) -> CheckedVariant:
    return CheckedVariant(
        name=checked.reading.name,
        assumption=checked.reading.title,
        verdict=checked.verdict.name.lower(),
        refusals=checked.refusals,
        parts=tuple(
            ExploredPart(**{**attrs.asdict(part), "verdict": part.verdict.name.lower()})
            for part in checked.parts
        ),
    )


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
