"""What came of a check, as a value: each variant, what the plan hangs on, what was not covered."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Final

import attrs

from cucm_certflow.core.plan import Plan
from cucm_certflow.testing.check.uncertain import Reading

__all__ = ["Answer", "CheckedPart", "CheckedPlan", "CheckedReading", "Verdict"]


class Verdict(Enum):
    """What can be said of a plan in one variant; the worst is the first."""

    BROKEN = "a rule is broken"
    ENDLESS = "some story never ends"
    WAITS = "some phones have to be waived before it ends"
    REFUSED = "the library reads this, and refuses the plan"
    NOT_COVERED = "the budget was over before every story was told"
    HOLDS = "holds"


class Answer(Enum):
    """What can be said of the whole check."""

    HOLDS = "the plan holds under every variant of what is uncertain"
    WAITS = "the plan holds under every variant; some phones have to be waived before it ends"
    HANGS = "the plan holds as the library assumes, and hangs on an assumption"
    FAILS = "the plan fails as the library itself assumes CUCM to be"
    REFUSED = "the plan is refused; what would come of it is below"
    CONTRADICTS = "the wish contradicts itself"
    NOT_COVERED = "nothing wrong was found, and not everything was looked at"
    NOTHING = "there is nothing to check: the plan has no step"


@attrs.frozen(kw_only=True)
class CheckedPart:
    """One exploration: a kind of phones, or the cluster without phones.

    Attributes:
        phones: Whom it is about, in words.
        stays: They keep to their own TFTP node: in this variant one that goes to another is lost,
            whatever is regenerated.
        states: Found.
        edges: Found.
        seconds: Of this machine.
        unexplored: States that were found and not followed.
        verdict: What came of it.
        what: What is wrong, in words; empty for nothing.
        story: The shortest way to it, a line a move, without the bookkeeping of the run.
    """

    phones: str
    states: int
    edges: int
    seconds: float
    unexplored: int
    verdict: Verdict
    what: str = ""
    story: tuple[str, ...] = ()
    stays: bool = False


@attrs.frozen(kw_only=True)
class CheckedReading:
    """One variant of what is uncertain, with what came of each part of the cluster in it."""

    reading: Reading
    parts: tuple[CheckedPart, ...]
    refusals: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The worst of its parts."""
        order = list(Verdict)
        found = [part.verdict for part in self.parts]
        if self.refusals:
            found.append(Verdict.REFUSED)
        if not found:
            return Verdict.NOT_COVERED
        return min(found, key=order.index)

    @property
    def worst(self) -> CheckedPart | None:
        """The part that shows it."""
        return next((part for part in self.parts if part.verdict is self.verdict), None)


_FAILED: Final = (Verdict.BROKEN, Verdict.ENDLESS)


@attrs.frozen(kw_only=True)
class CheckedPlan:
    """A plan that was explored before it is run.

    Attributes:
        plan: What was explored.
        readings: The variants, the library's own reading first.
        left_out: What makes no difference to this plan, and why.
        not_begun: The variants that the budget was over for.
        contradictions: What in the wish cannot be had together, and what comes of it.
        without: The guards that were left out; the library runs nothing without them.
        notes: What else is not covered, in words.
        faults: How many mishaps a story had at most.
    """

    plan: Plan
    readings: tuple[CheckedReading, ...]
    left_out: tuple[tuple[str, str], ...] = ()
    not_begun: tuple[str, ...] = ()
    contradictions: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    faults: int

    @property
    def answer(self) -> Answer:
        """What can be said of the whole."""
        if self.plan.is_refused or self.without:
            return Answer.REFUSED
        if not self.plan.steps:
            return Answer.NOTHING
        if self.contradictions:
            return Answer.CONTRADICTS
        verdicts = [each.verdict for each in self.readings]
        if verdicts and verdicts[0] in _FAILED:
            return Answer.FAILS
        if self.hangs_on:
            return Answer.HANGS
        if Verdict.NOT_COVERED in verdicts or self.not_begun or not verdicts:
            return Answer.NOT_COVERED
        return Answer.WAITS if Verdict.WAITS in verdicts else Answer.HOLDS

    @property
    def hangs_on(self) -> tuple[CheckedReading, ...]:
        """The variants in which phones fare worse than as the library assumes."""
        if not self.readings:
            return ()
        order = list(Verdict)
        base = {part.phones: order.index(part.verdict) for part in self.readings[0].parts}
        worst = order.index(self.readings[0].verdict)
        return tuple(
            reading
            for reading in self.readings[1:]
            if any(
                part.verdict in (*_FAILED, Verdict.WAITS)
                and order.index(part.verdict) < base.get(part.phones, worst)
                for part in reading.parts
            )
        )

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield self.answer.value
        for reason in self.plan.refusals:
            yield from (f"  {line}" for line in str(reason).splitlines())
        yield from (f"  contradiction: {each}" for each in self.contradictions)
        if self.without:
            yield f"  explored without {', '.join(self.without)}: nothing is ever run so"
        for each in self.hangs_on:
            if each.reading.title:
                yield f"  hangs on: {each.reading.title}"
        states = sum(part.states for each in self.readings for part in each.parts)
        seconds = sum(part.seconds for each in self.readings for part in each.parts)
        yield (
            f"{len(self.plan.steps)} steps, up to {self.faults} mishaps in a story; "
            f"{states:,} states in {seconds:.1f} s"
        )
        yield ""
        for each in self.readings:
            yield f"{each.reading.name}: {each.verdict.value}"
            for part in each.parts:
                left = f", {part.unexplored:,} not followed" if part.unexplored else ""
                counts = f"{part.states:,} states, {part.edges:,} edges{left}"
                yield f"  {part.phones}: {part.verdict.value} ({counts})"
                if part.stays:
                    yield (
                        "    at their own TFTP node; one that goes to another is lost in this "
                        "variant, whatever is regenerated"
                    )
            if not self.plan.is_refused:
                yield from (f"  refused: {reason}" for reason in each.refusals)
        yield from (f"not begun, the budget was over: {name}" for name in self.not_begun)
        yield from (f"no matter here: {title}, because {why}" for title, why in self.left_out)
        yield from (f"not covered: {note}" for note in self.notes)
        for each in (*self.readings[:1], *self.hangs_on):
            worst = each.worst
            if worst is None or not worst.what:
                continue
            yield ""
            yield f"if {each.reading.name}:"
            yield from (f"{number:>4}. {line}" for number, line in enumerate(worst.story, 1))
            yield f"      and then: {worst.what}"
