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
    LOST_BEFORE = "lost before anything is sent"
    WAITS = "some phones have to be waived before it ends"
    REFUSED = "the library reads this, and refuses the plan: nothing is run"
    NOT_COVERED = "the budget was over before every story was told"
    HOLDS = "holds"


class Answer(Enum):
    """What can be said of the whole check."""

    HOLDS = "the plan holds under every variant of what is uncertain"
    WAITS = "the plan holds under every variant; some phones have to be waived before it ends"
    HANGS = "the plan hangs on an assumption; as the library assumes, nothing wrong was found"
    FAILS = "the plan fails as the library itself assumes CUCM to be"
    LOST_BEFORE = "some phones have no way back before anything is sent: see to them first"
    REFUSED = "the plan is refused; what would come of it is below"
    CONTRADICTS = "the wish contradicts itself"
    NOT_COVERED = "nothing wrong was found, and not everything was looked at"
    NOTHING = "there is nothing to check: the plan has no step"


@attrs.frozen(kw_only=True)
class CheckedPart:
    """One exploration: a kind of phones, or the cluster without phones.

    Attributes:
        phones: Whom it is about, in words.
        nodes: The nodes that are explored with them.
        stays: They keep to their own TFTP node: in this variant one that goes to another is lost,
            whatever is regenerated.
        states: Found.
        edges: Found.
        seconds: Of this machine.
        unexplored: States that were found and not followed.
        proved: Steps that were proved in the furthest state that was followed.
        steps: Steps that there are.
        verdict: What came of it.
        what: What is wrong, in words; empty for nothing.
        story: The shortest way to it, a line a move, without the bookkeeping of the run.
    """

    phones: str
    nodes: tuple[str, ...]
    states: int
    edges: int
    seconds: float
    unexplored: int
    proved: int
    steps: int
    verdict: Verdict
    what: str = ""
    story: tuple[str, ...] = ()
    stays: bool = False

    @property
    def is_covered(self) -> bool:
        """Whether nothing is left to be looked at: all was followed, or something wrong found."""
        return self.verdict in (*_FAILED, Verdict.LOST_BEFORE) or not self.unexplored

    def __str__(self) -> str:
        reached = ""
        if not self.is_covered:
            reached = (
                f"; {self.unexplored:,} found and not followed, "
                f"step {self.proved} of {self.steps} reached"
            )
        return (
            f"{self.phones}: {self.verdict.value} ({self.states:,} states, {self.edges:,} edges, "
            f"{self.seconds:.1f} s{reached})"
        )


_FAILED: Final = (Verdict.BROKEN, Verdict.ENDLESS)


@attrs.frozen(kw_only=True)
class CheckedReading:
    """One variant of what is uncertain, with what came of each part of the cluster in it."""

    reading: Reading
    parts: tuple[CheckedPart, ...]
    refusals: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The worst of its parts."""
        if not self.parts:
            return Verdict.REFUSED if self.refusals else Verdict.NOT_COVERED
        return min((part.verdict for part in self.parts), key=list(Verdict).index)

    @property
    def is_covered(self) -> bool:
        """Whether nothing is left to be looked at."""
        refused = self.verdict is Verdict.REFUSED
        return refused or (bool(self.parts) and all(part.is_covered for part in self.parts))

    @property
    def worst(self) -> CheckedPart | None:
        """The part that shows it."""
        return next((part for part in self.parts if part.verdict is self.verdict), None)


@attrs.frozen(kw_only=True)
class CheckedPlan:
    """A plan that was explored before it is run.

    Attributes:
        plan: What is to be run.
        readings: The variants, the library's own reading first.
        combined: Several assumptions otherwise at once, of those on which it does not hang alone.
        uncombined: How many more such combinations there are, that were not looked at.
        left_out: What makes no difference to this plan, and why.
        not_begun: The variants that the budget was over for.
        contradictions: What in the wish cannot be had together, and what comes of it.
        without: The guards that the wish leaves out; the library runs nothing without them.
        notes: What else is not covered, in words.
        faults: How many mishaps a story had at most.
    """

    plan: Plan
    readings: tuple[CheckedReading, ...]
    combined: tuple[CheckedReading, ...] = ()
    uncombined: int = 0
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
        if verdicts and verdicts[0] is Verdict.LOST_BEFORE:
            return Answer.LOST_BEFORE
        if self.hangs_on:
            return Answer.HANGS
        if not self.is_covered:
            return Answer.NOT_COVERED
        return Answer.WAITS if Verdict.WAITS in verdicts else Answer.HOLDS

    @property
    def is_covered(self) -> bool:
        """Whether every variant was explored to its end, or to something wrong in it.

        Combinations of several are more than that, and do not count.
        """
        return (
            bool(self.readings)
            and not self.not_begun
            and all(reading.is_covered for reading in self.readings)
        )

    @property
    def hangs_on(self) -> tuple[CheckedReading, ...]:
        """The variants in which phones fare worse than as the library assumes."""
        if not self.readings or self.plan.is_refused or self.without:
            return ()
        base = self.readings[0]
        before = {part.phones: part.verdict for part in base.parts}
        found = [
            reading
            for reading in (*self.readings[1:], *self.combined)
            if any(
                part.verdict in (*_FAILED, Verdict.WAITS)
                and _is_worse(part.verdict, before.get(part.phones, base.verdict))
                for part in reading.parts
            )
        ]
        # What is so of one assumption is so of all at once: a corner says more only if alone.
        named = tuple(reading for reading in found if reading.reading.title)
        return named or tuple(found)

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
            assumed = f" (assumed: {each.reading.assumed})" if each.reading.assumed else ""
            yield f"  hangs on: {each.reading.title or 'not ' + each.reading.name}{assumed}"
        if not self.plan.steps:
            yield "nothing was explored: the plan has no step"
            return
        every = (*self.readings, *self.combined)
        states = sum(part.states for each in every for part in each.parts)
        seconds = sum(part.seconds for each in every for part in each.parts)
        yield (
            f"{len(self.plan.steps)} steps, up to {self.faults} mishaps in a story; "
            f"{states:,} states in {seconds:.1f} s"
        )
        if not self.is_covered:
            yield "not everything was looked at: what was not covered is named below"
        for each in self.readings:
            yield ""
            yield f"{each.reading.name}: {each.verdict.value}"
            for part in each.parts:
                yield f"  {part}"
                if part.stays:
                    yield (
                        "    at their own TFTP node; one that goes to another is lost in this "
                        "variant, whatever is regenerated"
                    )
            yield from (f"  refused: {reason}" for reason in each.refusals)
        yield from self._coverage()
        for each in self._with_stories():
            yield from _story(each)

    def _coverage(self) -> Iterator[str]:
        yield ""
        if self.combined:
            wrong = sum(each in self.hangs_on for each in self.combined)
            yield (
                f"several assumptions otherwise at once: {len(self.combined)} combinations "
                f"explored, {wrong} of them worse"
            )
        yield from (f"not begun, the budget was over: {name}" for name in self.not_begun)
        if self.uncombined:
            yield f"not begun: {self.uncombined} combinations of several assumptions"
        yield from (
            f"not covered: {each.reading.name}, of several assumptions otherwise at once"
            for each in self.combined
            if not each.is_covered
        )
        yield from (f"no matter here: {title}, because {why}" for title, why in self.left_out)
        yield from (f"not covered: {note}" for note in self.notes)

    def _with_stories(self) -> tuple[CheckedReading, ...]:
        """The readings of which a story is told, each once."""
        if self.plan.is_refused or self.without:
            return self.readings
        return (*self.readings[:1], *self.hangs_on)


def _is_worse(verdict: Verdict, than: Verdict) -> bool:
    order = list(Verdict)
    return order.index(verdict) < order.index(than)


def _story(checked: CheckedReading) -> Iterator[str]:
    worst = checked.worst
    if worst is None or not worst.what:
        return
    yield ""
    yield f"{checked.reading.name}, {worst.phones}:"
    yield from (f"{number:>4}. {line}" for number, line in enumerate(worst.story, 1))
    yield f"      and then: {worst.what}"
