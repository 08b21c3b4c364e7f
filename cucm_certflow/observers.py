"""What a run tells while it goes: events, and the outcome at its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

import attrs

from cucm_certflow.core.leftovers import Leftovers
from cucm_certflow.core.run_state import (
    Acknowledged,
    CertificateMoved,
    CommandMoved,
    Ended,
    EntryMoved,
    Ordered,
    Record,
    Scheduled,
    Waived,
)
from cucm_certflow.core.states import Blocked
from cucm_certflow.procedures.policies import Evidence, NotAwaited

__all__ = [
    "Aborted",
    "Event",
    "EvidenceSeen",
    "Held",
    "LeftBehind",
    "NotWaitedFor",
    "Observer",
    "Outcome",
    "Paused",
    "Recorded",
    "RegistrationsSeen",
    "Replied",
    "Verified",
    "Waiting",
]


@attrs.frozen(kw_only=True)
class Recorded:
    """A record was written: an edge fired, or somebody waived phones."""

    at: datetime
    record: Record

    def __str__(self) -> str:
        record = self.record
        match record:
            case CommandMoved():
                detail = f"  {record.detail}" if record.detail else ""
                what = f"{record.step} is {record.to.value}{detail}"
            case CertificateMoved():
                what = f"{record.certificate} is {record.to.value}"
            case EntryMoved():
                what = f"{record.entry} is {record.to.value}"
            case Acknowledged():
                what = f"{record.said.by} about {record.said.item}: {record.said.why}"
            case Ordered():
                what = str(record.order)
            case Scheduled():
                windows = "; ".join(map(str, record.maintenance.windows))
                what = f"{record.by or 'somebody'}: changes only within {windows}"
            case Ended():
                what = f"the run is over for good: {record.outcome}"
            case Waived():
                what = f"waived by {record.by or 'name'}: {', '.join(sorted(record.names))}"
        return f"{self.at:%H:%M:%S} {what}"


@attrs.frozen(kw_only=True)
class Replied:
    """What a node said to a command; it proves nothing."""

    at: datetime
    step: str
    kind: str
    text: str

    def __str__(self) -> str:
        first = next((line for line in self.text.splitlines() if line.strip()), "")
        return f"{self.at:%H:%M:%S} {self.step}: the reply is {self.kind}  {first[:100]}"


@attrs.frozen(kw_only=True)
class RegistrationsSeen:
    """How many phones are registered, in all and per node (P1: watched throughout).

    ``unasked`` counts, since the process began, how often phones registered anew without a reset
    of ours: from 14 on the cluster may reset them by itself (K10).
    """

    at: datetime
    registered: int
    total: int
    by_node: Mapping[str, int]
    unasked: int = 0

    def __str__(self) -> str:
        nodes = ", ".join(f"{name} {count}" for name, count in sorted(self.by_node.items()))
        return f"{self.at:%H:%M:%S} {self.registered} of {self.total} phones registered ({nodes})"


@attrs.frozen(kw_only=True)
class EvidenceSeen:
    """How well phones are known to have come back, counted per node.

    Told whenever a count changes. A phone is graded by the last reset that was sent to it, so that
    each window begins again with "registered".

    Attributes:
        at: When registrations were looked at.
        by_node: Counts by node and by grade (a member of ``Evidence``, in lower case); the node
            with the empty name has the phones that are not registered.
    """

    at: datetime
    by_node: Mapping[str, Mapping[str, int]]

    @property
    def total(self) -> Mapping[str, int]:
        """The counts of all nodes by grade, the best grade first; those of no phone are 0."""
        return {
            grade.name.lower(): sum(
                counts.get(grade.name.lower(), 0) for counts in self.by_node.values()
            )
            for grade in sorted(Evidence, reverse=True)
        }

    @property
    def words(self) -> str:
        """The counts of all nodes in words, those of no phone left out."""
        counts = (f"{n} {grade.replace('_', '-')}" for grade, n in self.total.items() if n)
        return f"evidence: {', '.join(counts) or 'no phones'}"

    def __str__(self) -> str:
        return f"{self.at:%H:%M:%S} {self.words}"


@attrs.frozen(kw_only=True)
class Waiting:
    """Nothing can move before *until*, or before the reasons change."""

    at: datetime
    until: datetime | None
    blocked: tuple[Blocked, ...]

    def __str__(self) -> str:
        reasons = "; ".join(f"{b.guard}: {b.subject}: {b.detail}" for b in self.blocked[:2])
        return f"{self.at:%H:%M:%S} waiting: {reasons}"


@attrs.frozen(kw_only=True)
class LeftBehind:
    """A waived phone that did not come along, and what brings it back."""

    name: str
    evidence: Evidence
    remedy: str


@attrs.frozen(kw_only=True)
class NotWaitedFor:
    """A phone that nothing waits for, and that has not come back; of which class, and a remedy."""

    name: str
    kind: NotAwaited
    evidence: Evidence
    remedy: str


@attrs.frozen(kw_only=True)
class Verified:
    """Everything asked for was done and looked at; *left_behind* names the waived phones."""

    left_behind: tuple[LeftBehind, ...] = ()
    not_awaited: tuple[NotWaitedFor, ...] = ()
    """The phones in scope that nothing waits for (MRA, Jabber …) and that are not back."""

    grades: Mapping[str, Evidence] = attrs.field(factory=dict[str, Evidence])
    """The evidence for each phone at the end, never above the truth."""

    unasked: int = 0
    """How often phones registered anew without a reset of ours, as far as this process saw."""

    def __str__(self) -> str:
        counts = ((self.left_behind, "left behind"), (self.not_awaited, "not waited for"))
        said = [f"{len(phones)} phones {what}" for phones, what in counts if phones]
        if not said:
            return "verified"
        lines = [f"verified, {', '.join(said)}"]
        alike: dict[str, list[str]] = {}
        for phone in self.left_behind:
            line = f"  {phone.name} ({phone.evidence.name.lower()})"
            alike.setdefault(phone.remedy, []).append(line)
        for other in self.not_awaited:
            line = f"  {other.name} {other.kind.value} ({other.evidence.name.lower()})"
            alike.setdefault(other.remedy, []).append(line)
        for remedy, phones in alike.items():
            lines += [*phones, f"    remedy  {remedy}"]
        return "\n".join(lines)


@attrs.frozen(kw_only=True)
class Held:
    """A person must decide; the run can be resumed from its journal."""

    blocked: tuple[Blocked, ...]

    def __str__(self) -> str:
        return "held\n" + "\n".join(f"  {reason}" for reason in self.blocked)


@attrs.frozen(kw_only=True)
class Paused:
    """The caller left, or a person asked for it at a safe point; the journal resumes it."""

    reason: str = ""

    def __str__(self) -> str:
        return f"paused {self.reason}".rstrip()


@attrs.frozen(kw_only=True)
class Aborted:
    """A person ended the run, at a safe point and for good: what it leaves, and what to do now."""

    reason: str
    leftovers: Leftovers

    def __str__(self) -> str:
        lines = [f"aborted {self.reason}"]
        for title, texts in (
            ("done", self.leftovers.done),
            ("left", self.leftovers.left),
            ("next", self.leftovers.next),
        ):
            lines += [f"  {title:<6} {text}" for text in texts]
        lines += [f"    not reset: {name}" for name in self.leftovers.phones]
        return "\n".join(lines)


Outcome = Verified | Held | Paused | Aborted
Event = Recorded | Replied | RegistrationsSeen | EvidenceSeen | Waiting
"""Everything that a run tells while it goes; new kinds may be added."""

Observer = Callable[[Event], None]
"""Is told every event of a run, in order and at once: a function, a method, a callable object.

Given to :meth:`~cucm_certflow.Cluster.run` or ``resume`` as ``observers=[…]``. It is called on the
run's event loop, in the middle of the run, so it must return soon: for as long as it takes the run
stands still, and nothing limits that. What takes time (a web request, a slow disk) belongs into a
task or a thread of its own, or into a reader of ``run.events()``, which never holds up a run.

An observer that raises is logged with its traceback by the logger ``cucm_certflow.event_stream``,
and is not called any more; the run, its journal and the other observers do not notice. So it goes
with whatever it raises, ``SystemExit`` and ``CancelledError`` included, but not with a
``KeyboardInterrupt``, which is a person's. It is told of what happens from then on in *this*
process, not of what stands in a journal that is resumed, and not of the outcome, which
``run.outcome`` has when the block is left.
"""
