"""What a check looks at: the facts, the answers, the change, and what people said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import attrs

from cucm_certflow.core.plan import CertificateKey, TrustKey
from cucm_certflow.facts import ClusterFacts, Fact, Known, NodeFacts, Query, Unknown
from cucm_certflow.findings import Baseline, Said
from cucm_certflow.names import CertUnit, Product, SecurityMode, Service
from cucm_certflow.procedures.policies import Policy

__all__ = ["Change", "Limits", "Scope"]


@attrs.frozen(kw_only=True)
class Limits:
    """From which figures on a check finds fault. Where no source gives one, it is our choice.

    Attributes:
        backup_days: A backup older than this is not fresh. Our choice, last night's at any time of
            this night: no source has a figure.
        disk_warning_percent: A partition filled so far is mentioned. Our choice.
        disk_full_percent: One filled so far needs a person's consent. Our choice; healthy nodes
            are known to show an active partition over 90 per cent.
        itl_certificates: The most certificates that an ITL may hold (security guide: 39).
        itl_bytes: The most bytes that a phone loads (security guide: 64 KB).
    """

    backup_days: float = 1.5
    disk_warning_percent: int = 90
    disk_full_percent: int = 95
    itl_certificates: int = 39
    itl_bytes: int = 64 * 1024

    def __attrs_post_init__(self) -> None:
        if self.backup_days <= 0:
            message = f"backup_days must be over 0, saw {self.backup_days}"
            raise ValueError(message)
        if not 0 < self.disk_warning_percent <= self.disk_full_percent <= 100:  # noqa: PLR2004 - per cent
            message = "0 < disk_warning_percent <= disk_full_percent <= 100 does not hold"
            raise ValueError(message)


@attrs.frozen(kw_only=True)
class Change:
    """What a run has changed, for the checks that look at it afterwards.

    Attributes:
        before: The facts from before.
        certificates: Every certificate that was to be new.
        entries: Every certificate that was to leave the trust stores.
        waived: Phones that may be left behind, by name.
        not_awaited: Phones that nothing waits for, by name.
        changed_at: When the last changing command was begun; None if none was.
        baseline: Who was registered before; None if nobody wrote it down.
    """

    before: ClusterFacts
    certificates: tuple[CertificateKey, ...] = ()
    entries: tuple[TrustKey, ...] = ()
    waived: frozenset[str] = frozenset()
    not_awaited: frozenset[str] = frozenset()
    changed_at: datetime | None = None
    baseline: Baseline | None = None


@attrs.frozen(kw_only=True)
class Scope:
    """What a check looks at: facts, answers, and what people said.

    Attributes:
        facts: A discovery.
        units: The units that somebody wants to regenerate, or has regenerated.
        now: The instant by which ages are counted.
        answers: To the questions of all checks.
        said: What people have said about items.
        change: After a run: what it changed. None before.
    """

    facts: ClusterFacts
    units: frozenset[CertUnit]
    now: datetime
    policy: Policy = attrs.field(factory=Policy)
    limits: Limits = attrs.field(factory=Limits)
    answers: Mapping[Query, Fact] = attrs.field(factory=dict[Query, Fact])
    said: tuple[Said, ...] = ()
    change: Change | None = None

    @property
    def mixed(self) -> bool:
        """Whether the cluster is in mixed mode."""
        return self.facts.mode is SecurityMode.MIXED

    @property
    def callmanagers(self) -> tuple[NodeFacts, ...]:
        """The nodes of CUCM, publisher first; those of IM and Presence are not among them."""
        return tuple(n for n in self.facts.in_order if n.product is Product.CALLMANAGER)

    @property
    def tftp_nodes(self) -> tuple[NodeFacts, ...]:
        """The nodes that serve lists."""
        return tuple(n for n in self.callmanagers if n.runs(Service.TFTP))

    def reason(self, query: Query) -> str:
        """Why *query* has no answer; empty if it has one."""
        fact = self.answers.get(query)
        if isinstance(fact, Known):
            return ""
        return fact.reason if isinstance(fact, Unknown) else "nobody asked"

    def known(self, query: Query) -> Any:  # noqa: ANN401 - one type per class of query
        """The answer to *query*; KeyError if it has none, which :meth:`reason` tells."""
        fact = self.answers.get(query)
        if not isinstance(fact, Known):
            raise KeyError(query)
        return fact.value

    def each(self, queries: Iterable[Query]) -> Iterator[tuple[Any, Any]]:
        """Those of *queries* that have an answer, each with its value.

        Those without are not lost: :meth:`Check.judge` counts every question of a check.
        """
        for query in queries:
            if not self.reason(query):
                yield query, self.known(query)
