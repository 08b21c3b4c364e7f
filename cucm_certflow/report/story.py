"""A journal as the story of its run: everything that its report shows, and nothing else."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

import attrs

from cucm_certflow.commands import ByHand, Regenerate, ResetPhones
from cucm_certflow.core.describe import choices_of
from cucm_certflow.core.doubts import Doubt, doubts_of
from cucm_certflow.core.leftovers import Leftovers, what_is_left
from cucm_certflow.core.plan import Plan, Step
from cucm_certflow.core.run_state import (
    Acknowledged,
    CommandMoved,
    Ordered,
    Record,
    RunState,
    Scheduled,
    Waived,
    folded,
)
from cucm_certflow.core.states import CommandState
from cucm_certflow.facts import Certificate
from cucm_certflow.findings import Finding, Said
from cucm_certflow.journal import Journal, Written
from cucm_certflow.locks import driver_of
from cucm_certflow.names import CertUnit
from cucm_certflow.notes import PhoneNoted, PhonesGraded, RegistrationsNoted, Stood
from cucm_certflow.procedures.choices import Choice
from cucm_certflow.procedures.partners import PartnerTask

__all__ = ["CertificateTold", "PersonTold", "RunStory", "StepTold", "TaskTold", "story_of"]


@attrs.frozen(kw_only=True)
class StepTold:
    """One step as it went.

    Attributes:
        id: As in the plan and the journal.
        window: From 1.
        node: On which node.
        command: As CUCM sees it.
        state: Where it stands; PROVED is the only good end.
        attempts: How often it was decided on; 0 for never.
        intended_at: When it was decided on last, and written down before it was sent.
        answered_at: When the node answered; it proves nothing.
        ended_at: When it was proved, or held.
        took_s: From there to there, in seconds.
        saw: What proved it, or why it is held.
        phones: How many phones it resets.
        proof: What was to be observed.
        source: The document behind the step.
    """

    id: str
    window: int
    node: str
    command: str
    state: CommandState
    attempts: int
    intended_at: datetime | None
    answered_at: datetime | None
    ended_at: datetime | None
    saw: str
    phones: int
    proof: str
    source: str

    @property
    def took_s(self) -> float | None:
        """Seconds from the last intent to the proof or the hold; None before that."""
        if self.intended_at is None or self.ended_at is None:
            return None
        return (self.ended_at - self.intended_at).total_seconds()


@attrs.frozen(kw_only=True)
class CertificateTold:
    """A certificate of the plan, before and after.

    Attributes:
        node: On which node.
        unit: Of which kind.
        before: As discovery found it.
        after: The fingerprint that the run saw once it was regenerated; empty if it was not.
        state: How far it came, in words.
    """

    node: str
    unit: CertUnit
    before: Certificate | None
    after: str
    state: str


@attrs.frozen(kw_only=True)
class PersonTold:
    """What a person decided: when, who, what, why."""

    at: datetime
    by: str
    what: str
    why: str


@attrs.frozen(kw_only=True)
class TaskTold:
    """A task of other people, and the word that was said about it; None if nobody said any."""

    task: PartnerTask
    said: Said | None


@attrs.frozen(kw_only=True)
class RunStory:
    """What a journal tells of its run. Two reads of one file give equal stories.

    Attributes:
        journal: The file's name.
        digest: SHA-256 of its bytes, in hex, as they were read.
        size: How many bytes.
        plan: What was to be done, and the facts it was made from.
        begun: When the run began.
        latest: The newest instant of the journal.
        outcome: How it stands, in a word: verified, aborted, held, paused, in progress.
        driver: Who drives it now; empty if nobody does.
        steps: Every step of the plan.
        certificates: Every certificate of the plan.
        curve: The registration curve.
        grades: Evidence for the phones, by node, as it was last noted; None if it never was.
        left: The phones that were left, with what brings them back.
        people: What people decided while it went.
        said: What people had said before it began.
        tasks: What only the people of other systems can do.
        findings: Of the preflight, worst first.
        choices: The policies in force, those that differ from the default first.
        stood: Each process that drove it and left it, how, and why.
        doubts: Commands of which nobody knows what came of them.
        leftovers: What is done, and what is not.
    """

    journal: str
    digest: str
    size: int
    plan: Plan
    begun: datetime
    latest: datetime
    outcome: str
    driver: str
    steps: tuple[StepTold, ...]
    certificates: tuple[CertificateTold, ...]
    curve: tuple[RegistrationsNoted, ...]
    grades: Mapping[str, Mapping[str, int]] | None
    left: tuple[PhoneNoted, ...]
    people: tuple[PersonTold, ...]
    said: tuple[Said, ...]
    tasks: tuple[TaskTold, ...]
    findings: tuple[Finding, ...]
    choices: tuple[Choice, ...]
    stood: tuple[Stood, ...]
    doubts: tuple[Doubt, ...]
    leftovers: Leftovers

    @property
    def is_over(self) -> bool:
        """Whether it is over for good."""
        return self.outcome in _OVER

    @property
    def proved(self) -> int:
        """How many steps were proved."""
        return sum(step.state is CommandState.PROVED for step in self.steps)


_OVER: Final = ("verified", "aborted")


def story_of(journal: str | os.PathLike[str]) -> RunStory:
    """Read *journal* as a story. Nobody is asked, nothing is locked and nothing is changed.

    Raises:
        JournalError: The file does not read.
    """
    path = Path(journal)
    written = Journal.read(path)
    data = path.read_bytes()[: written.size]
    plan, state = written.plan, folded(written.plan, written.records)
    graded = next((n for n in reversed(written.notes) if isinstance(n, PhonesGraded)), None)
    stood = tuple(note for note in written.notes if isinstance(note, Stood))
    driver = driver_of(path)
    instants = [record.at for record in written.records] + [note.at for note in written.notes]
    said = {r.said.item: r.said for r in written.records if isinstance(r, Acknowledged)}
    said |= {word.item: word for word in plan.said if word.item not in said}
    return RunStory(
        journal=path.name,
        digest=hashlib.sha256(data).hexdigest(),
        size=len(data),
        plan=plan,
        begun=written.begun,
        latest=max(instants, default=written.begun),
        outcome=_outcome(state, driver, stood),
        driver=driver,
        steps=tuple(_steps(plan, state, written.records)),
        certificates=tuple(_certificates(plan, state)),
        curve=tuple(n for n in written.notes if isinstance(n, RegistrationsNoted)),
        grades=graded.by_node if graded is not None else None,
        left=graded.left if graded is not None else (),
        people=tuple(_people(written)),
        said=plan.said,
        tasks=tuple(TaskTold(task=task, said=said.get(task.id)) for task in plan.tasks),
        findings=plan.preflight.in_order() if plan.preflight is not None else (),
        choices=choices_of(plan),
        stood=stood,
        doubts=doubts_of(plan, state, written.records),
        leftovers=what_is_left(plan, state),
    )


def _outcome(state: RunState, driver: str, stood: tuple[Stood, ...]) -> str:
    if state.ended:
        return state.ended
    if driver:
        return "in progress"
    # A process that was killed leaves no note: then the newest one is of the process before.
    if stood and (state.latest is None or stood[-1].at >= state.latest):
        return stood[-1].outcome.lower()
    return "interrupted"


def _steps(plan: Plan, state: RunState, records: tuple[Record, ...]) -> Iterator[StepTold]:
    answered: dict[str, datetime] = {}
    saw: dict[str, str] = {}
    for record in records:
        if isinstance(record, CommandMoved):
            if record.edge == "replied":
                answered[record.step] = record.at
            if record.to in (CommandState.PROVED, CommandState.HELD, CommandState.IN_DOUBT):
                saw[record.step] = record.detail
    for step in plan.steps:
        progress = state.steps[step.index]
        ended = progress.state in (CommandState.PROVED, CommandState.HELD)
        yield StepTold(
            id=step.id,
            window=step.window + 1,
            node=step.command.node,
            command=_command(step),
            state=progress.state,
            attempts=progress.attempt,
            intended_at=progress.intended_at,
            answered_at=answered.get(step.id),
            ended_at=progress.since if ended else None,
            saw=saw.get(step.id, ""),
            phones=len(step.command.names) if isinstance(step.command, ResetPhones) else 0,
            proof=step.row.proof.value,
            source=str(step.row.source),
        )


def _command(step: Step) -> str:
    if isinstance(step.command, ByHand):
        return step.command.what
    return str(step.command)


def _certificates(plan: Plan, state: RunState) -> Iterator[CertificateTold]:
    before = {node.name: node.certificates for node in plan.facts.nodes}
    after = {
        (step.command.node, step.command.unit): state.steps[step.index].seen
        for step in plan.steps
        if isinstance(step.command, Regenerate)
    }
    for key, life in zip(plan.certificates, state.certificates, strict=True):
        yield CertificateTold(
            node=key.node,
            unit=key.unit,
            before=before.get(key.node, {}).get(key.unit),
            after=after.get((key.node, key.unit), ""),
            state=life.state.value,
        )


def _people(written: Written) -> Iterator[PersonTold]:
    for record in written.records:
        match record:
            case Ordered(order=order):
                about = f"{order.kind.value} {order.item}".strip()
                yield PersonTold(at=record.at, by=order.by, what=about, why=order.why)
            case Acknowledged(said=said):
                yield PersonTold(at=record.at, by=said.by, what=said.item, why=said.why)
            case Waived():
                names = ", ".join(sorted(record.names))
                what = f"waived {names}"
                yield PersonTold(at=record.at, by=record.by, what=what, why=record.reason)
            case Scheduled():
                windows = "; ".join(map(str, record.maintenance.windows))
                what = f"changes only within {windows}"
                yield PersonTold(at=record.at, by=record.by, what=what, why="")
            case _:
                pass
