"""A rehearsal: a plan run on a scenario in virtual time, and what a person wants to know of it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import attrs

from cucm_certflow.core.describe import by_hand, hours
from cucm_certflow.core.durations import BARRIER
from cucm_certflow.core.particulars import Particulars
from cucm_certflow.core.plan import Plan
from cucm_certflow.core.planner import expiring_units, make_plan
from cucm_certflow.core.run_state import CommandMoved, Record
from cucm_certflow.findings import Finding, Said
from cucm_certflow.journal import Journal
from cucm_certflow.lab.chronicle import Executed
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.names import CertUnit
from cucm_certflow.observers import Outcome, Verified
from cucm_certflow.procedures.policies import Canary, Policy
from cucm_certflow.procedures.vocabulary import Stage
from cucm_certflow.testing.stage import Stage as LabStage
from cucm_certflow.testing.stage import play
from cucm_certflow.testing.verdict import Verdict, verdict_of

__all__ = ["Rehearsal", "RehearsedStep", "rehearse"]

_REHEARSAL: Final = "the rehearsal"
_NAMES_SHOWN: Final = 6


@attrs.frozen(kw_only=True)
class RehearsedStep:
    """One step of the plan, as it went.

    Attributes:
        id: The step's, as in the plan.
        window: The number of its window, from 1.
        node: On which node.
        command: As CUCM sees it.
        phones: How many phones it resets.
        sent_s: Seconds from the beginning until it was decided on; None if it did not come to it.
        proved_s: Seconds from the beginning until its effect was observed; None likewise.
        expected_s: The longest that it took in earlier journals; None if none has it.
        at_most_s: After so many seconds without its effect the run holds.
        why: What proves it, and the source behind it.
    """

    id: str
    window: int
    node: str
    command: str
    phones: int
    sent_s: float | None
    proved_s: float | None
    expected_s: float | None
    at_most_s: float
    why: str


@attrs.frozen(kw_only=True)
class Rehearsal:
    """What came of it. ``str()`` is the report.

    Attributes:
        scenario: On what it was rehearsed.
        plan: What was rehearsed; a refused one says why, and nothing was run then.
        outcome: How the run ended; None if the plan is refused.
        steps: Every step of the plan.
        sent: Every changing command that the lab's cluster took, in order. The run on the cluster
            from which the scenario was taken sends the same ones on each node.
        answered: What only people can answer, and was taken as answered: it has to be said before
            the run itself.
        approvals: The stages that would have waited for a person, and did not.
        expected_s: Seconds that the steps take by earlier journals, one after the other and the
            phones' return after each window's resets included; None without such journals.
        unmeasured: The steps that no earlier journal has, and that *expected_s* leaves out.
        lasted_s: Seconds that it took by the lab's clock, whose durations are the lab's own.
        verdict: Which phones are lost or missing at the end, by which command; None if nothing
            was run.
    """

    scenario: Scenario
    plan: Plan
    outcome: Outcome | None
    steps: tuple[RehearsedStep, ...]
    sent: tuple[Executed, ...]
    answered: tuple[Said, ...]
    approvals: tuple[str, ...]
    expected_s: float | None
    unmeasured: tuple[str, ...]
    lasted_s: float
    verdict: Verdict | None

    @property
    def went_well(self) -> bool:
        """Whether it was verified, and no phone is lost."""
        return (
            isinstance(self.outcome, Verified)
            and self.verdict is not None
            and not self.verdict.losses
        )

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        plan = self.plan
        phones = len(plan.facts.phones)
        yield f"rehearsal on {self.scenario.name}, release {plan.facts.release}, {phones} phones"
        if plan.is_refused:
            yield "REFUSED: the run on the cluster would be, too, and nothing was sent"
            yield from (f"  {refusal}" for refusal in plan.refusals)
        for window in plan.windows:
            units = ", ".join(window.units) or "trust certificates"
            yield ""
            yield f"window {window.number + 1}: {units}"
            yield f"  why    {window.reason}"
            for step in self.steps:
                if step.window == window.number + 1:
                    yield from self._step(step)
        yield ""
        yield from self._durations()
        yield from self._at_risk()
        yield from self._taken()
        if self.outcome is not None:
            yield f"outcome: {self.outcome}"
        if self.verdict is not None:
            yield f"lost: {len(self.verdict.lost) or 'none'} of {phones} phones"

    def _step(self, step: RehearsedStep) -> Iterator[str]:
        when = "       -" if step.sent_s is None else f"{hours(step.sent_s):>8}"
        limits = f"at most {hours(step.at_most_s)}"
        if step.expected_s is not None:
            limits = f"expected {hours(step.expected_s)}, {limits}"
        yield f"  {when} {step.node:<12} {step.command}  [{limits}]"

    def _durations(self) -> Iterator[str]:
        if self.expected_s is not None:
            yield f"expected, by earlier journals: {hours(self.expected_s)}"
            if self.unmeasured:
                yield f"  without {len(self.unmeasured)} steps that no journal has"
        else:
            yield "expected: no earlier journal was given (--measured), so nobody knows"
        yield f"in the rehearsal: {hours(self.lasted_s)}, by the lab's own durations"

    def _at_risk(self) -> Iterator[str]:
        outlooks: dict[tuple[str, str, str], list[str]] = {}
        for each in self.plan.outlooks:
            key = (each.reason, each.outcome, each.remedy)
            outlooks.setdefault(key, []).append(each.name)
        yield f"phones at risk: {len(self.plan.outlooks) or 'none'}"
        for (reason, outcome, remedy), names in outlooks.items():
            yield f"  {_some(names)}: {reason}"
            yield f"    outcome  {outcome}"
            yield f"    remedy   {remedy}"
        for exposed in Particulars(self.plan).exposed():
            yield f"  {_some(exposed.phones)}: only `{exposed.remedy}` helps"
            yield f"    from     {exposed.first}"
            yield f"    until    {exposed.last} is over"
        for missing in self.verdict.missing if self.verdict else ():
            yield f"  not registered at the end: {_some(missing.phones)}: {missing.why.value}"

    def _taken(self) -> Iterator[str]:
        if self.answered:
            yield "taken as answered, and to be said before the run itself:"
            yield from (f"  {said.item}: {said.why}" for said in self.answered)
        if self.approvals:
            yield f"taken as approved: {', '.join(self.approvals)}"
        for step in by_hand(self.plan):
            yield f"by hand, on {step.command.node}: {step.command}"


def rehearse(
    scenario: Scenario | str | os.PathLike[str],
    *,
    units: Iterable[CertUnit] | None = None,
    windows: Sequence[Iterable[CertUnit]] | None = None,
    expiring_days: float | None = None,
    policy: Policy | None = None,
    waive: Iterable[str] = (),
    said: Iterable[Said] = (),
    measured_s: Mapping[str, float] | None = None,
    journal: str | os.PathLike[str] | None = None,
) -> Rehearsal:
    """Run a plan on *scenario* in virtual time, and tell what it sends and what becomes of phones.

    The plan, the guards and the runner are those of a real run; the cluster is the lab's. Two
    rehearsals of one scenario are equal. What only people can answer is taken as answered, and
    named; approvals are taken as given. A run that holds for any other reason holds here, too.
    Nothing is sent anywhere. It brings an event loop of its own: from a coroutine call it in a
    thread.

    Args:
        scenario: A scenario, the path of its file, or its text: a twin, or any other.
        units: Certificate kinds, which the planner splits into windows.
        windows: Explicit windows instead.
        expiring_days: Every kind of which a certificate is over in so many days, instead.
        policy: As for the run.
        waive: Names of phones that may be left behind, as for the run.
        said: What people have said already, as for the run.
        measured_s: How long each row took in earlier journals
            (:func:`~cucm_certflow.core.durations.measured_s`), in seconds.
        journal: Keep the rehearsal's journal here, a new file; its rescue kit is beside it.

    Raises:
        ScenarioError: The scenario is wrong.
        UsageError: Not one of *units*, *windows* and *expiring_days* was given, or they or *waive*
            name what the cluster does not have.
        JournalError: The journal's file exists, or cannot be written.
        NodeError: The scenario's faults strike what a rehearsal cannot do without.
    """
    wanted = policy or Policy()
    eased = attrs.evolve(
        wanted,
        approve=frozenset[Stage](),
        canary=Canary.WAVE if wanted.canary is Canary.CONFIRMED else wanted.canary,
    )
    approvals = [stage.value for stage in Stage if stage in wanted.approve]
    if wanted.canary is Canary.CONFIRMED:
        approvals.append("the other phones, after the canaries")
    words = tuple(said)

    async def story(stage: LabStage) -> Rehearsal:
        facts = await stage.cluster.discover()
        chosen = expiring_units(facts, expiring_days) if expiring_days is not None else units
        explicit = None if windows is None else [tuple(window) for window in windows]
        named = [unit for window in explicit for unit in window] if explicit else chosen or ()
        asked = tuple(dict.fromkeys(named))
        report = await stage.cluster.preflight(units=asked, facts=facts, policy=eased, said=words)
        taken = tuple(_answer(finding) for finding in report.open(waive) if finding.asked)
        report = attrs.evolve(report, said=(*report.said, *taken))

        def planned(more: tuple[Said, ...]) -> Plan:
            return make_plan(
                facts,
                units=None if explicit else asked,
                windows=explicit,
                policy=eased,
                waive=waive,
                preflight=report,
                said=(*words, *more),
            )

        first = planned(())
        spoken = {word.item for word in (*words, *report.said)}
        tasks = tuple(
            Said(item=task.id, by=_REHEARSAL, why=task.question)
            for task in first.tasks
            if task.id not in spoken
        )
        plan = planned(tasks)
        began = stage.now
        outcome: Outcome | None = None
        records: tuple[Record, ...] = ()
        if not plan.is_refused:
            outcome, records = await _run(stage, plan, journal)
        measured = measured_s or {}
        return Rehearsal(
            scenario=stage.lab.scenario,
            plan=plan,
            outcome=outcome,
            steps=tuple(_steps(plan, records, began, measured)),
            sent=stage.lab.log,
            answered=(*taken, *tasks),
            approvals=tuple(approvals),
            expected_s=_expected_s(plan, measured) if measured else None,
            unmeasured=tuple(s.id for s in plan.steps if s.row.name not in measured),
            lasted_s=(stage.now - began).total_seconds(),
            verdict=None if outcome is None else verdict_of(stage.lab),
        )

    return play(scenario, story)


async def _run(
    stage: LabStage, plan: Plan, journal: str | os.PathLike[str] | None
) -> tuple[Outcome, tuple[Record, ...]]:
    with tempfile.TemporaryDirectory(prefix="certflow-rehearsal-") as folder:
        path = Path(journal) if journal is not None else Path(folder, "rehearsal.journal")
        async with stage.cluster.run(plan, journal=path) as run:
            outcome = await run.wait()
        return outcome, tuple(Journal.read(path).records)


def _answer(finding: Finding) -> Said:
    return Said(item=finding.check, by=_REHEARSAL, why=finding.title)


def _steps(
    plan: Plan, records: Iterable[Record], began: datetime, measured: Mapping[str, float]
) -> Iterator[RehearsedStep]:
    sent: dict[str, datetime] = {}
    proved: dict[str, datetime] = {}
    for record in records:
        match record:
            case CommandMoved(edge="intend"):
                sent.setdefault(record.step, record.at)
            case CommandMoved(edge="proved"):
                proved[record.step] = record.at
            case _:
                pass
    for step in plan.steps:
        names = getattr(step.command, "names", ())
        yield RehearsedStep(
            id=step.id,
            window=step.window + 1,
            node=step.command.node,
            command=str(step.command),
            phones=len(names),
            sent_s=_since(began, sent.get(step.id)),
            proved_s=_since(began, proved.get(step.id)),
            expected_s=measured.get(step.row.name),
            at_most_s=step.row.within_s,
            why=f"{step.row.proof.value} ({step.row.source})",
        )


def _expected_s(plan: Plan, measured: Mapping[str, float]) -> float:
    """The steps are one chain, so durations add up; each wave of resets ends in a wait."""
    steps = sum(measured.get(step.row.name, 0.0) for step in plan.steps)
    waits = {(s.window, s.row.wave) for s in plan.steps if s.row.stage is Stage.RESET}
    return steps + len(waits) * measured.get(BARRIER, 0.0)


def _since(began: datetime, at: datetime | None) -> float | None:
    return None if at is None else (at - began) / timedelta(seconds=1)


def _some(names: Sequence[str]) -> str:
    count = "1 phone" if len(names) == 1 else f"{len(names)} phones"
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return f"{count} ({', '.join(names[:_NAMES_SHOWN])}{more})"
