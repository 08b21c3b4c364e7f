"""A plan for machines: the shape of the document ``plan``, and how a plan is put into it."""

from __future__ import annotations

from datetime import datetime

import attrs

from cucm_certflow.cli.documents import DocumentKind, print_document
from cucm_certflow.commands import ResetPhones
from cucm_certflow.core.describe import by_hand, choices_of, ways_of
from cucm_certflow.core.not_done import NotAsked, NotDone, not_asked, not_done
from cucm_certflow.core.particulars import Barrier, Exposed, OtherPolicy, Particulars, Touched
from cucm_certflow.core.plan import CertificateKey, PhoneOutlook, Plan, Step, TrustKey
from cucm_certflow.core.states import Blocked
from cucm_certflow.facts import InterfaceState
from cucm_certflow.findings import Finding, Said
from cucm_certflow.names import CertUnit, Interface, Release, SecurityMode
from cucm_certflow.procedures.explain import purpose
from cucm_certflow.procedures.vocabulary import Proof, Source, Stage

__all__ = [
    "JudgedFinding",
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
        stage: Of its window.
        wave: From 1; a later one begins when the phones are back after the one before.
        why: What it is there for.
        certificates: Those that it serves.
        canary: Whether it resets one phone of each kind, before all others.
        phones: Those that it touches.
        resets: The names of those that it resets.
        requires: What must be seen before it is sent.
        proof: What must be seen before anything else is sent.
        within_s: After so many seconds without its proof the run holds.
        source: The document behind it.
    """

    id: str
    node: str
    command: str
    by: tuple[Interface, ...]
    stage: Stage
    wave: int
    why: str
    certificates: tuple[CertificateKey, ...]
    canary: bool
    phones: Touched
    resets: tuple[str, ...]
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
        at_most_s: Seconds until it is over or holds, without what people take, what no budget
            bounds, and commands that have to be sent again.
        barrier: What ends it; null if no trust list moves in it.
        steps: In order.
    """

    number: int
    units: tuple[CertUnit, ...]
    reason: str
    rest: str
    at_most_s: float
    barrier: Barrier | None
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
class JudgedFinding:
    """What has become of a finding that is no pass.

    Attributes:
        check: The identifier of its check.
        answer: Whose word lifts it, or that it is a warning, or that its phones are waived; empty
            if it is open, and refuses the plan.
    """

    check: str
    answer: str


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
        release: Of the cluster.
        mode: Of the cluster.
        facts_at: When the facts were read.
        nodes: Their names, as they were discovered.
        phones_in_all: How many phones the cluster has.
        refused: Whether a safety rule said no: then nothing is sent.
        refusals: Why.
        phones: Those that will not simply come back.
        exposed: Those that only a remedy would help if they were struck meanwhile.
        waived: Phones that may be left behind, by name.
        interfaces: The interfaces of each node, as far as they were tried.
        choices: Those that make a difference here, what is not the default first.
        other_policy: What else of the policy is not the default.
        by_hand: The steps that only a person can do.
        tasks: For the people of other systems, afterwards.
        preflight: What was found before, the worst first; null if nobody looked.
        judged: The findings of it that are no pass, and who has lifted each.
        said: What people said before.
        left_alone: Certificates that are never touched, by node.
        not_asked: Certificates that stay as they are, because nobody asked for their kind.
        not_done: What else it does not do, in words.
        entries: The certificates of trust stores that are deleted.
        windows: In order.
    """

    fingerprint: str
    release: Release
    mode: SecurityMode
    facts_at: datetime
    nodes: tuple[str, ...]
    phones_in_all: int
    refused: bool
    refusals: tuple[Blocked, ...]
    phones: tuple[PhoneOutlook, ...]
    exposed: tuple[Exposed, ...]
    waived: frozenset[str]
    interfaces: tuple[InterfaceState, ...]
    choices: tuple[PlannedChoice, ...]
    other_policy: tuple[OtherPolicy, ...]
    by_hand: tuple[str, ...]
    tasks: tuple[PlannedTask, ...]
    preflight: tuple[Finding, ...] | None
    judged: tuple[JudgedFinding, ...]
    said: tuple[Said, ...]
    left_alone: tuple[str, ...]
    not_asked: tuple[NotAsked, ...]
    not_done: tuple[NotDone, ...]
    entries: tuple[TrustKey, ...]
    windows: tuple[WindowDocument, ...]


def plan_document(plan: Plan) -> PlanDocument:
    """*plan* for machines."""
    told = Particulars(plan)
    choices = choices_of(plan)
    return PlanDocument(
        fingerprint=plan.fingerprint,
        release=plan.facts.release,
        mode=plan.facts.mode,
        facts_at=plan.facts.at,
        nodes=tuple(node.name for node in plan.facts.nodes),
        phones_in_all=len(plan.facts.phones),
        refused=plan.is_refused,
        refusals=plan.refusals,
        phones=plan.outlooks,
        exposed=told.exposed(),
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
            for choice in choices
        ),
        other_policy=told.other_policy(frozenset(choice.name for choice in choices)),
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
        judged=tuple(
            JudgedFinding(check=each.finding.check, answer=each.answer) for each in told.judged()
        ),
        said=plan.said,
        left_alone=plan.left_alone,
        not_asked=not_asked(plan),
        not_done=not_done(plan),
        entries=plan.entries,
        windows=tuple(
            WindowDocument(
                number=window.number + 1,
                units=window.units,
                reason=window.reason,
                rest=window.rest,
                at_most_s=told.at_most_s(window),
                barrier=told.barrier(window),
                steps=tuple(_step(plan, told, s) for s in plan.steps if s.window == window.number),
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


def _step(plan: Plan, told: Particulars, step: Step) -> PlannedStep:
    return PlannedStep(
        id=step.id,
        node=step.command.node,
        command=str(step.command),
        by=ways_of(plan, step),
        stage=step.row.stage,
        wave=step.row.wave + 1,
        why=purpose(step.row.does),
        certificates=step.certificates,
        canary=step.canary,
        phones=told.touched(step),
        resets=step.command.names if isinstance(step.command, ResetPhones) else (),
        requires=tuple(sorted(each.value for each in step.row.requires)),
        proof=step.row.proof,
        within_s=step.row.within_s,
        source=step.row.source,
    )
