"""The words in which a check is written: what it asks, what it makes of the answers, its source.

A check is a row of a table. It reads answers that were gathered before, and decides nothing about
the order of work. One rule is kept here for all of them: a question without an answer is never a
pass, and a fault that was seen is not hidden by a question without one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import attrs

from cucm_certflow.checks.scope import Scope
from cucm_certflow.facts import (
    Devices,
    ListFile,
    Parameter,
    PresentedCertificate,
    Query,
    ServedList,
)
from cucm_certflow.findings import Finding, Severity, Verdict
from cucm_certflow.names import CertUnit
from cucm_certflow.procedures.vocabulary import ANY_RELEASE, ReleaseRange, Source

__all__ = [
    "CTL_UNITS",
    "LIST_UNITS",
    "Check",
    "Doubt",
    "Fault",
    "Remark",
    "Seen",
    "asked_check",
    "asks_for",
    "names",
    "spoken",
]

LIST_UNITS: Final = frozenset(
    {
        CertUnit.CAPF,
        CertUnit.CALLMANAGER,
        CertUnit.CALLMANAGER_ECDSA,
        CertUnit.TVS,
        CertUnit.ITLRECOVERY,
    }
)
"""The units whose change moves the lists that phones hold (procedures §1.1)."""

CTL_UNITS: Final = LIST_UNITS - {CertUnit.TVS}
"""Those after which, in mixed mode, the CTL must be updated (procedures §1.1: no TVS in a CTL)."""

_SHOWN: Final = 8
"""How many names a sentence lists before it says how many more there are."""


# ── what a check remarks ──────────────────────────────────────────────────────────────────


@attrs.frozen
class Fault:
    """Something is not as it should be. *severity* None is the check's own."""

    text: str
    severity: Severity | None = attrs.field(default=None, kw_only=True)
    phones: tuple[str, ...] = attrs.field(default=(), kw_only=True)


@attrs.frozen
class Doubt:
    """Something cannot be told from what was observed."""

    text: str


@attrs.frozen
class Seen:
    """Something is as it should be: evidence for a pass."""

    text: str


Remark = Fault | Doubt | Seen
Judge = Callable[[Scope], Iterable[Remark]]


def asks_for(*queries: Query) -> Callable[[Scope], tuple[Query, ...]]:
    """The questions of a check that asks the same of every cluster."""

    def asks(_: Scope) -> tuple[Query, ...]:
        return queries

    return asks


_asks_nothing: Final = asks_for()


def _always(_: Scope) -> bool:
    return True


def _remarks_nothing(_: Scope) -> tuple[Remark, ...]:
    return ()


@attrs.frozen(kw_only=True, eq=False)
class Check:
    """One row: what is looked at before a change or after it, and why.

    Attributes:
        id: Its identifier, in kebab case: part of the public interface.
        title: What is asked, as a claim that is true when all is well.
        severity: What a fault means, unless the fault says otherwise.
        source: The document behind it.
        unlock: What makes it a pass, or what to say about it.
        units: The units whose regeneration it matters for; empty for all.
        releases: The releases of the publisher in which it is looked at.
        mixed: The mode in which it is looked at: True mixed, False non-secure, None both.
        where: Whether it applies to this cluster at all.
        asks: The questions that it needs answered.
        remarks: What it makes of the answers. Unanswered questions need no mention there.
        asked: No interface shows it: only a person can answer.
    """

    id: str
    title: str
    severity: Severity
    source: Source
    unlock: str
    units: frozenset[CertUnit] = frozenset()
    releases: ReleaseRange = ANY_RELEASE
    mixed: bool | None = None
    where: Callable[[Scope], bool] = _always
    asks: Callable[[Scope], tuple[Query, ...]] = _asks_nothing
    remarks: Judge = _remarks_nothing
    asked: bool = False

    def __attrs_post_init__(self) -> None:
        if self.asked == (self.remarks is not _remarks_nothing):
            message = f"{self.id}: a check either remarks something or is asked of a person"
            raise ValueError(message)

    def applies(self, scope: Scope) -> bool:
        """Whether it is looked at for this cluster and these units."""
        return (
            (not self.units or bool(self.units & scope.units))
            and scope.facts.release in self.releases
            and (self.mixed is None or self.mixed is scope.mixed)
            and self.where(scope)
        )

    def judge(self, scope: Scope) -> Finding:
        """What it finds. Pure.

        A fault wins over an unanswered question that matters no more than the fault; otherwise
        the question wins: neither hides what would stop a change.
        """
        if self.asked:
            return self._what_was_said(scope)
        remarks = list(self.remarks(scope))
        faults = [remark for remark in remarks if isinstance(remark, Fault)]
        doubts = [remark.text for remark in remarks if isinstance(remark, Doubt)]
        doubts += [
            f"{spoken(query)}: {reason}"
            for query in self.asks(scope)
            if (reason := scope.reason(query))
        ]
        if faults:
            severity = min((fault.severity or self.severity for fault in faults), key=_weight)
            if not doubts or _weight(severity) <= _weight(self.severity):
                return self._finding(
                    Verdict.FINDING,
                    severity,
                    _joined([fault.text for fault in faults]),
                    evidence=tuple(fault.text for fault in faults[1:]) + tuple(doubts),
                    phones=_concerned(faults, doubts),
                )
        if doubts:
            return self._finding(
                Verdict.UNKNOWN,
                self.severity,
                _joined(doubts),
                evidence=tuple(doubts[1:]) + tuple(fault.text for fault in faults),
            )
        seen = [remark.text for remark in remarks if isinstance(remark, Seen)]
        return self._finding(
            Verdict.PASS, self.severity, _joined(seen) or self.title, evidence=tuple(seen)
        )

    def _what_was_said(self, scope: Scope) -> Finding:
        words = [said for said in scope.said if said.item == self.id]
        if words:
            text = f"{words[-1].by} says: {words[-1].why}"
            return self._finding(Verdict.PASS, self.severity, text, evidence=(text,))
        return self._finding(Verdict.UNKNOWN, self.severity, f"no interface shows it: {self.title}")

    def _finding(
        self,
        verdict: Verdict,
        severity: Severity,
        detail: str,
        *,
        evidence: tuple[str, ...] = (),
        phones: tuple[str, ...] = (),
    ) -> Finding:
        return Finding(
            check=self.id,
            title=self.title,
            verdict=verdict,
            severity=severity,
            detail=detail,
            evidence=evidence,
            unlock=self.unlock,
            source=str(self.source),
            phones=phones,
            asked=self.asked,
        )


def asked_check(
    id: str,  # noqa: A002 - the field's name
    title: str,
    *,
    unlock: str,
    source: Source,
    severity: Severity = Severity.CONSENT,
    units: frozenset[CertUnit] = frozenset(),
    releases: ReleaseRange = ANY_RELEASE,
    mixed: bool | None = None,
    where: Callable[[Scope], bool] = _always,
) -> Check:
    """A check that only a person can answer; *unlock* tells that person what to look at."""
    return Check(
        id=id,
        title=title,
        severity=severity,
        source=source,
        unlock=unlock,
        units=units,
        releases=releases,
        mixed=mixed,
        where=where,
        asked=True,
    )


def _concerned(faults: list[Fault], doubts: list[str]) -> tuple[str, ...]:
    """The phones of *faults*; none if it is about more than phones: no waiver lifts the rest."""
    if doubts or not all(fault.phones for fault in faults):
        return ()
    return tuple(sorted({name for fault in faults for name in fault.phones}))


_SEVERITIES: Final = tuple(Severity)


def _weight(severity: Severity) -> int:
    return _SEVERITIES.index(severity)


def _joined(texts: list[str]) -> str:
    """The first of *texts*, and how many more there are."""
    if not texts:
        return ""
    return texts[0] if len(texts) == 1 else f"{texts[0]} (and {len(texts) - 1} more)"


def spoken(query: Query) -> str:
    """*query* in a few words, for a reader who has to find out why it has no answer."""
    node = getattr(query, "node", "")
    match query:
        case ServedList(node, kind) | ListFile(node, kind):
            text = f"the {kind.value} that {node} serves"
        case PresentedCertificate(node, port):
            text = f"port {port} of {node}"
        case Parameter(name):
            text = f"the parameter {name}"
        case Devices(kind):
            text = f"devices of class {kind.value}"
        case _:
            words = "".join(f" {c.lower()}" if c.isupper() else c for c in type(query).__name__)
            text = words.strip() + (f" of {node}" if node else "")
    return text


def names(values: Iterable[str]) -> str:
    """*values* as a reader takes them in: the first few, sorted, and how many more there are."""
    ordered = sorted(values)
    more = f" and {len(ordered) - _SHOWN} more" if len(ordered) > _SHOWN else ""
    return ", ".join(ordered[:_SHOWN]) + more
