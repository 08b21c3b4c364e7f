"""What a check says, and what a person says about it: the words of preflight and verification."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import Enum

import attrs

from cucm_certflow.names import CertUnit, DeviceClass

__all__ = ["Baseline", "CheckReport", "Finding", "Said", "Severity", "Verdict"]


class Verdict(Enum):
    """What looking showed. An unanswered question is never a pass."""

    PASS = "pass"  # noqa: S105 - a word, no secret
    FINDING = "finding"
    UNKNOWN = "unknown"


class Severity(Enum):
    """What a finding means for a change that is about to begin, worst first."""

    BLOCK = "blocks"
    """Nothing is begun; no word of a person lifts it, only another state of the cluster."""

    CONSENT = "needs consent"
    """Nothing is begun until a person has said that it may be so, and why."""

    WARNING = "warning"
    """It is said, and nothing else."""


@attrs.frozen(kw_only=True)
class Finding:
    """The answer of one check.

    Attributes:
        check: The identifier of the check; part of the public interface, as names of guards are.
        title: What was asked, in words.
        severity: How much it matters if it is not a pass.
        detail: What was found, in words.
        evidence: What was observed, a line each.
        unlock: What would make it a pass, or what to say about it.
        source: The documents behind the check.
        phones: The phones that it is about, by name: each may be waived by itself.
        asked: Only a person can answer it; no interface shows it.
    """

    check: str
    title: str
    verdict: Verdict
    severity: Severity
    detail: str
    evidence: tuple[str, ...] = ()
    unlock: str = ""
    source: str = ""
    phones: tuple[str, ...] = ()
    asked: bool = False

    @property
    def stops(self) -> bool:
        """Whether nothing may begin while nobody has said anything about it."""
        return self.verdict is not Verdict.PASS and self.severity is not Severity.WARNING

    @property
    def mark(self) -> str:
        """One word or two for how it stands: the severity of what was found, or the verdict."""
        return str((self.severity if self.verdict is Verdict.FINDING else self.verdict).value)

    def is_lifted_by(self, said: Said) -> bool:
        """Whether a person's word lets it through: never a block that was seen, only an unknown."""
        blocked = self.verdict is Verdict.FINDING and self.severity is Severity.BLOCK
        return said.item == self.check and not blocked

    def __str__(self) -> str:
        lines = [f"{self.mark:<14} {self.check}: {self.detail}"]
        if self.verdict is not Verdict.PASS:
            lines += [f"    saw     {line}" for line in self.evidence]
            if self.unlock:
                lines.append(f"    unlock  {self.unlock}")
            if self.source:
                lines.append(f"    source  {self.source}")
        return "\n".join(lines)


@attrs.frozen(kw_only=True)
class Said:
    """A person's word about an item: a check, a partner task, a step by hand; kept for good.

    Attributes:
        item: The identifier of what it is about.
        by: Who says so.
        why: What was seen or done, or why it does not matter here.
        at: When; None until it is written down.
    """

    item: str
    by: str
    why: str
    at: datetime | None = None

    def __attrs_post_init__(self) -> None:
        for key in ("item", "by", "why"):
            if not getattr(self, key).strip():
                message = f"{key} must not be empty: who says what, and why, is part of the record"
                raise ValueError(message)


_ORDER = {severity: place for place, severity in enumerate(Severity)}


@attrs.frozen(kw_only=True)
class Baseline:
    """Who was registered before the first change, by name; what has to be back at the end.

    Attributes:
        at: When it was taken.
        registered: The registered devices of each class; a class that could not be read is absent.
    """

    at: datetime
    registered: Mapping[DeviceClass, frozenset[str]]


@attrs.frozen(kw_only=True)
class CheckReport:
    """All findings of one look, and what people said about them.

    ``baseline`` is who was registered when a preflight looked; None after a change. ``units`` are
    those for which it looked: it says nothing about others.
    """

    findings: tuple[Finding, ...]
    said: tuple[Said, ...] = ()
    baseline: Baseline | None = None
    units: tuple[CertUnit, ...] = ()

    def open(self, waived: Iterable[str] = ()) -> tuple[Finding, ...]:
        """The findings that stop a change still: nobody lifted them, nor waived all their phones.

        Args:
            waived: Names of phones that may be left behind.
        """
        names = frozenset(waived)
        return tuple(
            finding
            for finding in self.findings
            if finding.stops
            and not any(finding.is_lifted_by(said) for said in self.said)
            and not (finding.phones and names >= set(finding.phones))
        )

    @property
    def passed(self) -> bool:
        """Whether every check passed; an unknown or a warning is no pass."""
        return all(finding.verdict is Verdict.PASS for finding in self.findings)

    def in_order(self) -> tuple[Finding, ...]:
        """By severity, worst first: findings, then unknowns, then passes."""
        verdicts = (Verdict.FINDING, Verdict.UNKNOWN, Verdict.PASS)
        return tuple(
            sorted(self.findings, key=lambda f: (verdicts.index(f.verdict), _ORDER[f.severity]))
        )

    def __str__(self) -> str:
        lines = [str(finding) for finding in self.in_order()]
        lines += [f"said by {said.by} about {said.item}: {said.why}" for said in self.said]
        return "\n".join(lines)
