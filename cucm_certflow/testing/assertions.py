"""Assertions about a lab after a story; each failure names what was seen."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from cucm_certflow.core.plan import Plan
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.physics.judge import Health
from cucm_certflow.observers import Verified
from cucm_certflow.procedures.policies import Evidence
from cucm_certflow.testing.verdict import verdict_of

__all__ = [
    "assert_never_graded_above_truth",
    "assert_no_phone_lost",
    "assert_order",
    "assert_regenerated_once",
]

Pattern: TypeAlias = "str | re.Pattern[str]"
_SHOWN = 5


def assert_no_phone_lost(lab: LabCluster, *, waived: Iterable[str] = ()) -> None:
    """Assert that ordinary restarts, resets and CTL updates bring every phone back.

    The lab's own judge says so, which knows no rule of the library. The message is its verdict:
    which phones are lost, by which command, and what would bring them back.

    Args:
        lab: The cluster after the story.
        waived: Names of phones that may be lost.
    """
    verdict = verdict_of(lab)
    lost = sorted(set(verdict.lost) - set(waived))
    if lost:
        raise AssertionError(f"{len(lost)} phones are lost: {_some(lost)}\n{verdict}")


def assert_regenerated_once(lab: LabCluster) -> None:
    """Assert that no certificate of *lab* was regenerated twice, by whomever."""
    twice = [each for each in verdict_of(lab).regenerated if each.times > 1]
    if twice:
        words = ", ".join(f"{each.unit} on {each.node} {each.times} times" for each in twice)
        raise AssertionError(f"regenerated more than once: {words}")


def assert_order(where: LabCluster | Plan | Sequence[str], first: Pattern, then: Pattern) -> None:
    """Assert that everything that matches *first* comes before anything that matches *then*.

    A line is ``node: command``, as ``sub1: utils service restart Cisco Tftp``; each pattern is a
    text that it contains, or a compiled regular expression that is searched in it. Both have to
    match something: a rule about what never happens is not kept, but empty.

    Args:
        where: A lab (the commands that it took, in order), a plan, or lines of one's own.
        first: What comes first.
        then: What must not come before the last of these.
    """
    lines = _lines(where)
    is_first, is_then = _matcher(first), _matcher(then)
    firsts = [number for number, line in enumerate(lines) if is_first(line)]
    thens = [number for number, line in enumerate(lines) if is_then(line)]
    for words, found, pattern in (("first", firsts, first), ("then", thens, then)):
        if not found:
            seen = "\n".join(f"  {line}" for line in lines) or "  nothing"
            raise AssertionError(f"nothing matches {words}={_text(pattern)!r}; there is\n{seen}")
    early, late = thens[0], firsts[-1]
    if early < late:
        raise AssertionError(
            f"out of order: {_text(first)!r} must come before {_text(then)!r}, and\n"
            f"  {early + 1}. {lines[early]}\ncomes before\n  {late + 1}. {lines[late]}"
        )


def assert_never_graded_above_truth(outcome: object, lab: LabCluster) -> None:
    """Assert that a verified run claims of no phone more than the lab knows to be so.

    No phone that is not registered is graded above ``UNKNOWN``, and none that is lost above
    ``REGISTERED``; one that is lost is named as left behind. Other outcomes claim nothing.
    """
    if not isinstance(outcome, Verified):
        return
    verdict, registrations = verdict_of(lab), lab.registrations()
    left = {phone.name for phone in outcome.left_behind}
    for name, grade in outcome.grades.items():
        lost = verdict.remedy(name) is not Health.OK
        registered = name in registrations and registrations[name].registered
        best = Evidence.LIST_MATCH if registered else Evidence.UNKNOWN
        if lost:
            best = min(best, Evidence.REGISTERED)
        if grade > best:
            raise AssertionError(
                f"{name} is graded {grade.name}, and the truth is {best.name} at best"
            )
        if lost and name not in left:
            remedy = verdict.remedy_text(verdict.remedy(name))
            raise AssertionError(f"{name} is lost ({remedy}), and not named as left behind")


def _lines(where: LabCluster | Plan | Sequence[str]) -> list[str]:
    if isinstance(where, LabCluster):
        return [f"{each.node}: {each.text}" for each in where.log]
    if isinstance(where, Plan):
        return [f"{step.command.node}: {step.command}" for step in where.steps]
    return list(where)


def _matcher(pattern: Pattern) -> Callable[[str], bool]:
    if isinstance(pattern, str):
        return lambda line: pattern in line
    return lambda line: pattern.search(line) is not None


def _text(pattern: Pattern) -> str:
    return pattern if isinstance(pattern, str) else pattern.pattern


def _some(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
