"""The story of a run as a value: everything that its report shows, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from itertools import chain
from typing import Final

import attrs

from cucm_certflow.core.doubts import Doubt
from cucm_certflow.core.leftovers import Leftovers
from cucm_certflow.core.particulars import Judged
from cucm_certflow.core.plan import Plan, TrustKey
from cucm_certflow.core.states import Blocked, CommandState, EntryState
from cucm_certflow.facts import Certificate
from cucm_certflow.findings import Said
from cucm_certflow.names import CertUnit
from cucm_certflow.notes import PhoneNoted, RegistrationsNoted
from cucm_certflow.procedures.choices import Choice
from cucm_certflow.procedures.partners import PartnerTask

__all__ = [
    "CertificateTold",
    "Drive",
    "EntryTold",
    "Move",
    "PersonTold",
    "RunStory",
    "StepTold",
    "TaskTold",
    "WaiverTold",
    "WindowTold",
]


@attrs.frozen(kw_only=True)
class Move:
    """A step came from one state to another: when, where to, and in which attempt."""

    at: datetime
    to: CommandState
    attempt: int
    detail: str


@attrs.frozen(kw_only=True)
class StepTold:
    """One step as it went.

    Attributes:
        id: As in the plan, the journal and the approvals.
        window: From 1.
        node: On which node.
        command: As CUCM sees it.
        state: Where it stands; PROVED is the only good end.
        attempts: How often it was decided on; 0 for never.
        moves: Every state that it came to, in order.
        intended_at: When it was decided on last, and written down before it was sent.
        answered_at: When the node answered that; it proves nothing.
        ended_at: When it was proved, or held.
        reply: What the node's last answer was, in a word, with the seconds that it took.
        saw: What proved it, or why it is held.
        phones: How many phones it resets.
        row: The row of the procedure that it is.
        proof: What was to be observed.
        source: The document behind the step.
    """

    id: str
    window: int
    node: str
    command: str
    state: CommandState
    attempts: int
    moves: tuple[Move, ...]
    intended_at: datetime | None
    answered_at: datetime | None
    ended_at: datetime | None
    reply: str
    saw: str
    phones: int
    row: str
    proof: str
    source: str

    @property
    def took_s(self) -> float | None:
        """Seconds from the last intent to the proof or the hold; None before that."""
        if self.intended_at is None or self.ended_at is None:
            return None
        return (self.ended_at - self.intended_at).total_seconds()

    @property
    def went_straight(self) -> bool:
        """Whether it was sent once, and never in doubt nor held."""
        strange = (CommandState.IN_DOUBT, CommandState.HELD, CommandState.PLANNED)
        return self.attempts <= 1 and not any(move.to in strange for move in self.moves)


@attrs.frozen(kw_only=True)
class WindowTold:
    """One window as it went.

    Attributes:
        number: From 1.
        what: The kinds of certificates, in words.
        why: Why these together.
        rest: What is so once it is closed, if the cluster can be left like that for days.
        begun: When its first step was decided on; None if it has not begun.
        ended: When its last step was proved; None before that.
        steps: Its steps, as they went.
        before: How many phones were registered when it began; None if that was not recorded.
        lowest: The fewest that were registered meanwhile.
        after: How many were when it ended, or at last.
    """

    number: int
    what: str
    why: str
    rest: str
    begun: datetime | None
    ended: datetime | None
    steps: tuple[StepTold, ...]
    before: int | None
    lowest: int | None
    after: int | None

    @property
    def sources(self) -> Mapping[str, str]:
        """The documents behind its rows, by the rows' names."""
        return {step.row: step.source for step in self.steps}

    @property
    def proved(self) -> int:
        """How many of its steps were proved."""
        return sum(step.state is CommandState.PROVED for step in self.steps)


@attrs.frozen(kw_only=True)
class CertificateTold:
    """A certificate of the plan, before and after.

    Attributes:
        node: On which node.
        unit: Of which kind.
        before: As discovery found it.
        after: As the run saw it once it was regenerated; None if it was not, or if an older version
            wrote the journal, which kept no more than *seen*.
        seen: The fingerprint that proved the regeneration; empty if nothing did.
        state: How far it came, in words.
    """

    node: str
    unit: CertUnit
    before: Certificate | None
    after: Certificate | None
    seen: str
    state: str


@attrs.frozen(kw_only=True)
class EntryTold:
    """A certificate of the trust stores that was to be deleted.

    Attributes:
        entry: Which.
        certificate: As it was found; None if no store showed it.
        nodes: Where it was.
        state: How far it came; GONE is the only good end.
    """

    entry: TrustKey
    certificate: Certificate | None
    nodes: tuple[str, ...]
    state: EntryState


@attrs.frozen(kw_only=True)
class PersonTold:
    """What a person decided: when (None: before it began), who, what, why."""

    at: datetime | None
    by: str
    what: str
    why: str


@attrs.frozen(kw_only=True)
class WaiverTold:
    """Phones that may be left behind by a person's word; ``at`` is None before it began."""

    at: datetime | None
    by: str
    why: str
    names: tuple[str, ...]


@attrs.frozen(kw_only=True)
class TaskTold:
    """A task of other people, and the word that was said about it; None if nobody said any."""

    task: PartnerTask
    said: Said | None


@attrs.frozen(kw_only=True)
class Drive:
    """One process that drove the run.

    Attributes:
        begun: When it began.
        by: Who had it begin, if that was recorded.
        ended: When it left; None if it never said so: it goes on, or it was cut off.
        outcome: How it left, in a word; empty if it never said so.
        reasons: Why it held.
    """

    begun: datetime
    by: str
    ended: datetime | None = None
    outcome: str = ""
    reasons: tuple[Blocked, ...] = ()


@attrs.frozen(kw_only=True)
class RunStory:
    """What a journal tells of its run. Two reads of one file give equal stories.

    Attributes:
        journal: The file's name.
        digest: SHA-256 of the file as it was read, in hex.
        size: How many bytes of it read.
        torn: How many bytes after them are half a line, which was never acted upon.
        run: What tells this run from others.
        migrations: How an older journal was read by this version.
        plan: What was to be done, and the facts it was made from.
        begun: When the run began.
        latest: The newest instant of the journal.
        outcome: How it stands, in a word: verified, aborted, held, paused, in progress (a process
            on this machine drives it), interrupted (no process has said how it left it).
        driver: Who drives it now; empty if nobody on this machine does.
        reasons: Why it is held, or was held before it was aborted; empty otherwise.
        windows: Every window of the plan, with its steps.
        certificates: Every certificate of the plan.
        entries: For a clean-up: every certificate of the trust stores that was to be deleted.
        registered_before: How many phones were registered when it was planned.
        curve: The registration curve.
        grades: Evidence for the phones, by node, as it was last counted; None if it never was.
        graded_at: When.
        left: The phones that were left, with what brings them back; None where that is not known:
            the run is not verified, or an older version wrote the journal.
        waivers: Who let which phones be left behind.
        people: What else people decided, and the orders that they gave.
        stopped_by: The order by which it was paused or aborted; None if there was none.
        tasks: What only the people of other systems can do.
        findings: Of the preflight, worst first, with who lifted each.
        passed: The checks that passed.
        choices: The policies in force, those that differ from the default first.
        drives: Each process that drove it.
        doubts: Commands of which nobody knows what came of them.
        leftovers: What is done, and what is not.
    """

    journal: str
    digest: str
    size: int
    torn: int
    run: str
    migrations: tuple[str, ...]
    plan: Plan
    begun: datetime
    latest: datetime
    outcome: str
    driver: str
    reasons: tuple[Blocked, ...]
    windows: tuple[WindowTold, ...]
    certificates: tuple[CertificateTold, ...]
    entries: tuple[EntryTold, ...]
    registered_before: int
    curve: tuple[RegistrationsNoted, ...]
    grades: Mapping[str, Mapping[str, int]] | None
    graded_at: datetime | None
    left: tuple[PhoneNoted, ...] | None
    waivers: tuple[WaiverTold, ...]
    people: tuple[PersonTold, ...]
    stopped_by: PersonTold | None
    tasks: tuple[TaskTold, ...]
    findings: tuple[Judged, ...]
    passed: tuple[str, ...]
    choices: tuple[Choice, ...]
    drives: tuple[Drive, ...]
    doubts: tuple[Doubt, ...]
    leftovers: Leftovers

    @property
    def is_over(self) -> bool:
        """Whether it is over for good."""
        return self.outcome in _OVER

    @property
    def steps(self) -> tuple[StepTold, ...]:
        """Every step, in the order of the plan."""
        return tuple(chain.from_iterable(window.steps for window in self.windows))

    @property
    def proved(self) -> int:
        """How many steps were proved."""
        return sum(window.proved for window in self.windows)

    @property
    def missing(self) -> tuple[str, ...]:
        """The phones that the reasons of a hold name."""
        return tuple(sorted({name for reason in self.reasons for name in reason.phones}))


_OVER: Final = ("verified", "aborted")
