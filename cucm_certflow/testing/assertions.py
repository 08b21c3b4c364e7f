"""Assertions about a lab after a story; each failure names what was seen."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple, TypeAlias

from cucm_certflow.commands import Command
from cucm_certflow.core.plan import Plan
from cucm_certflow.core.run_state import CommandMoved
from cucm_certflow.journal import Journal, Written
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.physics.judge import Health
from cucm_certflow.lab.physics.world import TrustList
from cucm_certflow.names import ListKind
from cucm_certflow.observers import Verified
from cucm_certflow.procedures.policies import Evidence
from cucm_certflow.testing.verdict import Verdict, verdict_of

__all__ = [
    "assert_never_graded_above_truth",
    "assert_no_phone_lost",
    "assert_order",
    "assert_regenerated_once",
    "sent",
]

Pattern: TypeAlias = "str | re.Pattern[str]"


def assert_no_phone_lost(lab: LabCluster, *, waived: Iterable[str] = ()) -> None:
    """Assert that ordinary restarts, resets and CTL updates bring every phone back.

    The lab's own judge says so, which knows no rule of the library. The message names each lost
    phone with what it holds, what its first TFTP node serves and what would bring it back; then
    comes the verdict, with the command that lost it.

    Args:
        lab: The cluster after the story.
        waived: Names of phones that may be lost.
    """
    verdict = verdict_of(lab)
    lost = sorted(set(verdict.lost) - set(waived))
    if lost:
        groups = "\n".join(_groups(lab, verdict, lost))
        raise AssertionError(f"{_count(lost)} lost\n{groups}\n{verdict}")


def assert_regenerated_once(lab: LabCluster) -> None:
    """Assert that no certificate of *lab* was regenerated twice, by whomever."""
    twice = [each for each in verdict_of(lab).regenerated if each.times > 1]
    if twice:
        words = ", ".join(f"{each.unit} on {each.node} {each.times} times" for each in twice)
        raise AssertionError(f"regenerated more than once: {words}")


def assert_order(
    where: LabCluster | Plan | os.PathLike[str] | Sequence[str], first: Pattern, then: Pattern
) -> None:
    """Assert that everything that matches *first* comes before anything that matches *then*.

    A line is ``node: command``, as ``sub1: utils service restart Cisco Tftp``; each pattern is a
    text that it contains, or a compiled regular expression that is searched in it. Both have to
    match something: a rule about what never happens is not kept, but empty. A failure names the two
    that are out of order, with their instants where there are any.

    Args:
        where: A lab (the commands that it took, in order), a plan, the path of a run's journal (the
            commands that it sent, in order, each as often as it was sent), or lines of one's own.
        first: What comes first.
        then: What must not come before the last of these.

    Raises:
        JournalError: The journal does not read.
    """
    entries = _entries(where)
    lines = [entry.line for entry in entries]
    is_first, is_then = _matcher(first), _matcher(then)
    firsts = [number for number, line in enumerate(lines) if is_first(line)]
    thens = [number for number, line in enumerate(lines) if is_then(line)]
    for words, found, pattern in (("first", firsts, first), ("then", thens, then)):
        if not found:
            seen = "\n".join(f"  {entry}" for entry in entries) or "  nothing"
            raise AssertionError(f"nothing matches {words}={_text(pattern)!r}; there is\n{seen}")
    early, late = thens[0], firsts[-1]
    if early < late:
        raise AssertionError(
            f"out of order: {_text(first)!r} must come before {_text(then)!r}, and\n"
            f"  {early + 1}. {entries[early]}\ncomes before\n  {late + 1}. {entries[late]}"
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


class _Entry(NamedTuple):
    """A line, and when that was; None in a plan, and in lines of somebody's own."""

    line: str
    at: datetime | None = None

    def __str__(self) -> str:
        return self.line if self.at is None else f"{self.line}, at {self.at:%Y-%m-%d %H:%M:%S}"


def _entries(where: LabCluster | Plan | os.PathLike[str] | Sequence[str]) -> list[_Entry]:
    if isinstance(where, LabCluster):
        return [_Entry(f"{each.node}: {each.text}", each.at) for each in where.log]
    if isinstance(where, Plan):
        return [_Entry(_line(step.command)) for step in where.steps]
    if isinstance(where, os.PathLike):
        return _sent(Journal.read(where))
    if isinstance(where, str):
        raise TypeError("a text is no list of lines; the path of a journal is given as a Path")
    return [_Entry(line) for line in where]


def sent(written: Written) -> list[str]:
    """The lines of the commands that left: what was withheld after it was written did not."""
    return [entry.line for entry in _sent(written)]


def _sent(written: Written) -> list[_Entry]:
    commands = {step.id: step.command for step in written.plan.steps}
    left: list[CommandMoved] = []
    for record in written.records:
        if not isinstance(record, CommandMoved):
            continue
        if record.edge == "intend":
            left.append(record)
        elif record.edge == "withheld":
            del left[max(n for n, each in enumerate(left) if each.step == record.step)]
    return [_Entry(_line(commands[each.step]), each.at) for each in left]


def _line(command: Command) -> str:
    return f"{command.node}: {command}"


def _groups(lab: LabCluster, verdict: Verdict, lost: Sequence[str]) -> Iterable[str]:
    """Each phone by name; those to which the same happened stand together."""
    first_tftp = {each.kind.name: next(iter(each.kind.tftp), None) for each in lab.phones}
    groups: dict[tuple[str, ...], list[str]] = {}
    for name in lost:
        phone, node = lab.phone(name), first_tftp[name]
        itl, ctl = (
            None if node is None else lab.served(node, kind)
            for kind in (ListKind.ITL, ListKind.CTL)
        )
        words: tuple[str, ...] = (
            f"holds   {_signers(phone.itl, phone.ctl)}",
            f"served  {_signers(itl, ctl)}, by {node}",
            f"remedy  {verdict.remedy_text(verdict.remedy(name))}",
        )
        groups.setdefault(words, []).append(name)
    for told, names in groups.items():
        yield "  " + ", ".join(names)
        yield from (f"    {line}" for line in told)


def _count(phones: Sequence[str]) -> str:
    return "1 phone is" if len(phones) == 1 else f"{len(phones)} phones are"


def _signers(itl: TrustList | None, ctl: TrustList | None) -> str:
    return "; ".join(
        f"no {kind.value}" if found is None else f"{kind.value} signed by {found.signer}"
        for kind, found in ((ListKind.ITL, itl), (ListKind.CTL, ctl))
    )


def _matcher(pattern: Pattern) -> Callable[[str], bool]:
    if isinstance(pattern, str):
        return lambda line: pattern in line
    return lambda line: pattern.search(line) is not None


def _text(pattern: Pattern) -> str:
    return pattern if isinstance(pattern, str) else pattern.pattern
