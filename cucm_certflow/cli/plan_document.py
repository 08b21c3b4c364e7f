"""A plan for machines: the shape of the document ``plan``, and how a plan is put into it."""

from __future__ import annotations

import attrs

from cucm_certflow.cli.documents import DocumentKind, print_document
from cucm_certflow.core.describe import by_hand, choices_of, ways_of
from cucm_certflow.core.plan import PhoneOutlook, Plan, Step, TrustKey
from cucm_certflow.core.states import Blocked
from cucm_certflow.facts import InterfaceState
from cucm_certflow.findings import Finding, Said
from cucm_certflow.names import CertUnit, Interface
from cucm_certflow.procedures.vocabulary import Proof, Source

__all__ = [
    "PlanDocument",
    "PlannedChoice",
    "PlannedStep",
    "PlannedTask",
    "WindowDocument",
    "plan_document",
    "print_plan",
]


@attrs.frozen(kw_only=True)
class PlannedStep:
    """One changing command.

    Attributes:
        id: The step's name.
        node: Where it is sent.
        command: As CUCM sees it.
        by: The interfaces that it may go over, in order.
        requires: What must be seen before it is sent.
        proof: What must be seen before anything else is sent.
        within_s: After so many seconds without its proof the run holds.
        source: The document behind it.
    """

    id: str
    node: str
    command: str
    by: tuple[Interface, ...]
    requires: tuple[str, ...]
    proof: Proof
    within_s: float
    source: Source


@attrs.frozen(kw_only=True)
class WindowDocument:
    """What changes between two contacts with the phones.

    Attributes:
        number: From 1.
        units: The kinds of certificates; none for a clean-up of trust stores.
        reason: Why together.
        rest: What is so once it is closed, if the cluster can be left like that for days.
        steps: In order.
    """

    number: int
    units: tuple[CertUnit, ...]
    reason: str
    rest: str
    steps: tuple[PlannedStep, ...]


@attrs.frozen(kw_only=True)
class PlannedChoice:
    """Where sources disagree or are silent: what is done.

    Attributes:
        name: Of the policy.
        value: What is chosen.
        is_default: Whether nobody chose.
        in_force: What is chosen, in words.
        alternative: What else might be, in words.
        points: The points behind it.
        source: The documents behind it.
    """

    name: str
    value: object
    is_default: bool
    in_force: str
    alternative: str
    points: tuple[str, ...]
    source: Source


@attrs.frozen(kw_only=True)
class PlannedTask:
    """What the people of another system do, or say that there is no such system.

    Attributes:
        id: What their word names.
        partner: The other system.
        question: Whether there is one.
        instructions: For them, in order.
        source: Where it comes from.
    """

    id: str
    partner: str
    question: str
    instructions: tuple[str, ...]
    source: Source


@attrs.frozen(kw_only=True)
class PlanDocument:
    """What would be done, in which order, and why.

    Attributes:
        fingerprint: Of the facts that it was made from.
        refused: Whether a safety rule said no: then nothing is sent.
        refusals: Why.
        phones: Those that will not simply come back.
        waived: Phones that may be left behind, by name.
        interfaces: The interfaces of each node, as far as they were tried.
        choices: Those that make a difference here, what is not the default first.
        by_hand: The steps that only a person can do.
        tasks: For the people of other systems, afterwards.
        preflight: What was found before, the worst first; null if nobody looked.
        said: What people said before.
        left_alone: Certificates that are never touched, by node.
        entries: The certificates of trust stores that are deleted.
        windows: In order.
    """

    fingerprint: str
    refused: bool
    refusals: tuple[Blocked, ...]
    phones: tuple[PhoneOutlook, ...]
    waived: frozenset[str]
    interfaces: tuple[InterfaceState, ...]
    choices: tuple[PlannedChoice, ...]
    by_hand: tuple[str, ...]
    tasks: tuple[PlannedTask, ...]
    preflight: tuple[Finding, ...] | None
    said: tuple[Said, ...]
    left_alone: tuple[str, ...]
    entries: tuple[TrustKey, ...]
    windows: tuple[WindowDocument, ...]


def plan_document(plan: Plan) -> PlanDocument:
    """*plan* for machines."""
    return PlanDocument(
        fingerprint=plan.fingerprint,
        refused=plan.is_refused,
        refusals=plan.refusals,
        phones=plan.outlooks,
        waived=plan.waived,
        interfaces=plan.facts.interfaces,
        choices=tuple(
            PlannedChoice(
                name=choice.name,
                value=getattr(plan.policy, choice.name),
                is_default=not choice.differs(plan.policy),
                in_force=choice.in_force(plan.policy),
                alternative=choice.alternative,
                points=choice.points,
                source=choice.source,
            )
            for choice in choices_of(plan)
        ),
        by_hand=tuple(step.id for step in by_hand(plan)),
        tasks=tuple(
            PlannedTask(
                id=task.id,
                partner=task.partner,
                question=task.question,
                instructions=task.instructions,
                source=task.source,
            )
            for task in plan.tasks
        ),
        preflight=plan.preflight.in_order() if plan.preflight else None,
        said=plan.said,
        left_alone=plan.left_alone,
        entries=plan.entries,
        windows=tuple(
            WindowDocument(
                number=window.number + 1,
                units=window.units,
                reason=window.reason,
                rest=window.rest,
                steps=tuple(_step(plan, s) for s in plan.steps if s.window == window.number),
            )
            for window in plan.windows
        ),
    )


def print_plan(plan: Plan, *, json: bool) -> None:
    """Print *plan* for people, or as one document."""
    if json:
        print_document(DocumentKind.PLAN, plan_document(plan))
    else:
        print(plan, flush=True)


def _step(plan: Plan, step: Step) -> PlannedStep:
    return PlannedStep(
        id=step.id,
        node=step.command.node,
        command=str(step.command),
        by=ways_of(plan, step),
        requires=tuple(sorted(each.value for each in step.row.requires)),
        proof=step.row.proof,
        within_s=step.row.within_s,
        source=step.row.source,
    )
