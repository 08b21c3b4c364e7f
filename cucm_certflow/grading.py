"""What a run claims of each phone, while it goes and at its end: never more than was seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache

from cucm_certflow.commands import ResetPhones
from cucm_certflow.core.forecast import is_locked
from cucm_certflow.core.not_awaited import BRINGS_BACK
from cucm_certflow.core.phone_words import Says, what_it_says
from cucm_certflow.core.run_state import CommandProgress
from cucm_certflow.core.states import Blocked
from cucm_certflow.core.view import View
from cucm_certflow.facts import Known, Registration, Registrations
from cucm_certflow.notes import PhoneNoted, PhonesGraded
from cucm_certflow.observers import EvidenceSeen, LeftBehind, NotWaitedFor, Verified
from cucm_certflow.procedures.policies import Evidence
from cucm_certflow.trust.lifeline import Health, best_lifeline
from cucm_certflow.trust.phone import PhoneClass, must_hold_after_reset

__all__ = ["EvidenceCounts", "graded", "noted"]


def graded(view: View, *, unasked: int) -> Verified:
    """The outcome of a finished run, with each phone's evidence as *view* shows it. Pure.

    Args:
        view: A look with fresh registrations, certificates and lists.
        unasked: How often phones registered anew without a reset of ours.
    """
    fact = view.facts.get(Registrations())
    table: Mapping[str, Registration] = fact.value if isinstance(fact, Known) else {}
    cluster = view.cluster()
    grades: dict[str, Evidence] = {}
    behind: list[LeftBehind] = []
    not_back: list[NotWaitedFor] = []
    last_batch = {name: index for (_, _, name), index in sorted(view.plan.batch_of.items())}
    for phone, names in view.plan.classes.items():
        belief = view.belief(phone)
        locked, remedy = None, ""
        if not isinstance(cluster, Blocked):
            came = must_hold_after_reset(cluster, phone, belief)
            locked = is_locked(cluster, phone, came)
            start = dict(view.plan.beliefs)[phone]
            worst = max(
                (best_lifeline(cluster, phone, holding) for holding in start),
                key=lambda witness: witness.health,
            )
            if worst.health is not Health.OK:
                remedy = " > ".join(worst.walk) or "delete its trust lists at the phone"
        for name in names:
            registration = table.get(name)
            baseline = ""
            if name in last_batch:
                baseline = view.state.steps[last_batch[name]].baseline
            grade = _grade(registration, baseline)
            if view.plan.policy.phone_pages and grade is Evidence.RE_REGISTERED:
                called = view.state.steps[last_batch[name]].intended_at
                grade = _better_known(grade, what_it_says(view, name, phone, called))
            if locked is not None and grade > Evidence.REGISTERED:
                grade = Evidence.REGISTERED
            grades[name] = grade
            if name in view.state.waived and (locked is not None or grade < Evidence.RE_REGISTERED):
                brings = remedy or "an ordinary reset once it is on"
                behind.append(LeftBehind(name=name, evidence=grade, remedy=brings))
            elif (
                (kind := view.plan.not_awaited.get(name)) is not None
                and name in last_batch
                and grade < Evidence.RE_REGISTERED
            ):
                brings = remedy or BRINGS_BACK[kind]
                found = NotWaitedFor(name=name, kind=kind, evidence=grade, remedy=brings)
                not_back.append(found)
    return Verified(
        left_behind=tuple(sorted(behind, key=lambda phone: phone.name)),
        not_awaited=tuple(sorted(not_back, key=lambda phone: phone.name)),
        grades=grades,
        unasked=unasked,
    )


def noted(outcome: Verified, view: View) -> PhonesGraded:
    """*outcome* as the journal keeps it: grades counted by node, the phones left by name."""
    fact = view.facts.get(Registrations())
    table: Mapping[str, Registration] = fact.value if isinstance(fact, Known) else {}
    left: list[tuple[LeftBehind | NotWaitedFor, str]] = [
        (phone, "waived by name") for phone in outcome.left_behind
    ]
    left += [(phone, f"not waited for: it {phone.kind.value}") for phone in outcome.not_awaited]
    return PhonesGraded(
        at=view.now,
        by_node=_counted(outcome.grades.items(), table),
        left=tuple(
            PhoneNoted(
                name=phone.name,
                why=why,
                evidence=phone.evidence.name.lower(),
                remedy=phone.remedy,
            )
            for phone, why in left
        ),
    )


class EvidenceCounts:
    """Counts the phones' grades per node while a run goes, and tells when a count has changed.

    Whether a phone that came back is locked needs the lists that are served. While these are not
    known afresh, a phone is graded no better than it was for the same reset when they were.
    """

    def __init__(self) -> None:
        self._grades: dict[str, Evidence] = {}
        self._called: dict[str, CommandProgress] = {}
        self._last: Mapping[str, Mapping[str, int]] | None = None

    def saw(self, view: View) -> EvidenceSeen | None:
        """The counts as *view* shows them; None if they are as before, or nobody has looked yet."""
        fact = view.facts.get(Registrations())
        if not isinstance(fact, Known):
            return None
        table: Mapping[str, Registration] = fact.value
        called = _called_by(view)
        grades: dict[str, Evidence] = {}
        for phone, names in view.plan.classes.items():
            locked = _is_locked(view, phone)
            for name in names:
                seen, reset = table.get(name), called.get(name)
                if seen is None or not seen.registered:
                    grades[name] = Evidence.UNKNOWN
                elif reset is None:
                    grades[name] = Evidence.REGISTERED
                else:
                    grades[name] = self._of_called(view, phone, name, seen, reset, locked=locked)
        self._grades = grades
        self._called = called
        by_node = _counted(self._grades.items(), table)
        if by_node == self._last:
            return None
        self._last = by_node
        return EvidenceSeen(at=fact.at, by_node=by_node)

    def _of_called(
        self,
        view: View,
        phone: PhoneClass,
        name: str,
        registration: Registration,
        reset: CommandProgress,
        *,
        locked: bool | None,
    ) -> Evidence:
        grade = _grade(registration, reset.baseline)
        if grade <= Evidence.REGISTERED:
            return grade
        if locked:
            return Evidence.REGISTERED
        if locked is None:
            before = self._called.get(name)
            same = before is not None and before.baseline == reset.baseline
            known = self._grades.get(name, Evidence.UNKNOWN) if same else Evidence.UNKNOWN
            return min(grade, max(known, Evidence.REGISTERED))
        if view.plan.policy.phone_pages:
            return _better_known(grade, what_it_says(view, name, phone, reset.intended_at))
        return grade


def _called_by(view: View) -> dict[str, CommandProgress]:
    """The last reset that was sent to each phone."""
    return {
        name: progress
        for step, progress in zip(view.plan.steps, view.state.steps, strict=True)
        if isinstance(step.command, ResetPhones) and progress.attempt
        for name in step.command.names
    }


def _is_locked(view: View, phone: PhoneClass) -> bool | None:
    """Whether phones of the class are locked by the lists now served; None if that is not known."""
    cluster = view.cluster()
    if isinstance(cluster, Blocked):
        return None
    held = must_hold_after_reset(cluster, phone, view.belief(phone))
    return is_locked(cluster, phone, held) is not None


def _counted(
    grades: Iterable[tuple[str, Evidence]], table: Mapping[str, Registration]
) -> dict[str, dict[str, int]]:
    """How many phones have which grade, by the node with which they are registered."""
    pairs = Counter(
        (seen.node if (seen := table.get(name)) is not None and seen.registered else "", grade)
        for name, grade in grades
    )
    counts: dict[str, dict[str, int]] = {}
    for (node, grade), count in sorted(
        pairs.items(), key=lambda item: (item[0][0], item[0][1].name)
    ):
        counts.setdefault(node, {})[grade.name.lower()] = count
    return counts


def _grade(registration: Registration | None, baseline: str) -> Evidence:
    if registration is None or not registration.registered:
        return Evidence.UNKNOWN
    if not baseline or registration.at is None:
        return Evidence.REGISTERED
    since = _instant(baseline)
    return Evidence.RE_REGISTERED if registration.at > since else Evidence.REGISTERED


@lru_cache(maxsize=1024)
def _instant(text: str) -> datetime:
    """*text* as an instant; thousands of phones share the one at which their batch was reset."""
    return datetime.fromisoformat(text)


def _better_known(grade: Evidence, says: Says) -> Evidence:
    """*grade* of a phone that has registered again, by what its own page says of its lists."""
    if says is Says.MATCH:
        return Evidence.LIST_MATCH
    return Evidence.REGISTERED if says in (Says.OTHER, Says.FAILED) else grade
