"""The words in which a procedure is written: rows, what they do, where, when, and what proves them.

A procedure is data. What does not fit here makes this vocabulary grow, never an ``if`` about a
certificate kind in the planner, in ``decide`` or in the runner.
"""

from __future__ import annotations

import hashlib
from enum import Enum
from typing import Final

import attrs

from cucm_certflow.names import CertUnit, ListKind, Product, Release, Service

__all__ = [
    "ANY_RELEASE",
    "Condition",
    "CtlUpdate",
    "Exposure",
    "LocalkeyReset",
    "Need",
    "PhoneReset",
    "Procedure",
    "Proof",
    "RegenerateUnit",
    "ReleaseRange",
    "RestartOf",
    "Row",
    "Source",
    "Stage",
]


@attrs.frozen
class Source:
    """Where a rule comes from: document, section, and our reading of it where it matters."""

    document: str
    section: str = ""
    note: str = ""

    def __str__(self) -> str:
        return ", ".join(part for part in (self.document, self.section, self.note) if part)


@attrs.frozen
class ReleaseRange:
    """Releases from *first* to *last*, both included, by major and minor."""

    first: tuple[int, int]
    last: tuple[int, int]

    def __contains__(self, release: Release) -> bool:
        return self.first <= release.short <= self.last

    def __str__(self) -> str:
        return f"{self.first[0]}.{self.first[1]} to {self.last[0]}.{self.last[1]}"


ANY_RELEASE: Final = ReleaseRange((8, 0), (15, 99))


class Stage(Enum):
    """The part of a certificate's life in which a row runs; in this order within a wave."""

    REGENERATE = "regenerate"
    CTL = "ctl"
    RESTART = "restart"
    RESET = "reset"


class Condition(Enum):
    """When a row applies."""

    ALWAYS = "always"
    MIXED_MODE = "the cluster is in mixed mode"
    NON_SECURE_MODE = "the cluster is in non-secure mode"


class Proof(Enum):
    """What must be observed before a command counts as done."""

    NEW_CERTIFICATE = "the node shows another certificate than before"
    CTL_SERVED = "every TFTP node serves a CTL with every node's present CallManager certificate"
    ITL_SIGNED_ANEW = "every TFTP node serves an ITL by the other anchor"
    CTL_SIGNED_ANEW = "every TFTP node serves a CTL by the other anchor"
    RESTARTED = "the service was seen to start since the command"
    ITL_SERVED = "the service started since, and the node serves an ITL with all present anchors"
    HTTPS_PRESENTS = "the service started since, and port 8443 presents the node's certificate"
    PHONES_CALLED = "no phone of the batch is still registered from before the reset"


class Need(Enum):
    """Which phones an exposure is about."""

    WITHOUT_SECURITY_BY_DEFAULT = "phones without Security By Default"
    EVERY_PHONE = "every phone"


# ── what a row does ───────────────────────────────────────────────────────────────────────


@attrs.frozen
class RegenerateUnit:
    """Regenerate *unit* on each node that has it."""

    unit: CertUnit


@attrs.frozen
class CtlUpdate:
    """``utils ctl update CTLFile`` on the publisher."""


@attrs.frozen
class LocalkeyReset:
    """``utils itl|ctl reset localkey`` on the publisher."""

    kind: ListKind


@attrs.frozen
class RestartOf:
    """Restart *service* on each node where it is activated."""

    service: Service


@attrs.frozen
class PhoneReset:
    """Reset the phones in scope, by name, in batches."""


RowAction = RegenerateUnit | CtlUpdate | LocalkeyReset | RestartOf | PhoneReset


@attrs.frozen(kw_only=True)
class Row:
    """One row of a procedure.

    ``within_s`` is the whole budget from the command to its proof, after which the run holds.
    ``settle_s`` is how long a command whose reply was lost may still be running: not before it
    has passed is the command sent again, and then only if it was seen not
    to have been done. Row order within a stage is kept, publisher first, one node at a time.
    """

    name: str
    stage: Stage
    does: RowAction
    proof: Proof
    within_s: float
    settle_s: float
    source: Source
    wave: int = 0
    when: Condition = Condition.ALWAYS

    def __attrs_post_init__(self) -> None:
        if not 0 < self.settle_s < self.within_s:
            message = f"row {self.name}: 0 < settle_s < within_s does not hold"
            raise ValueError(message)


@attrs.frozen(kw_only=True)
class Exposure:
    """Phones that no plan can spare a moment in which only *remedy* would help."""

    phones: Need
    when: Condition
    remedy: str
    source: Source


_ORDER: Final = tuple(Stage)


@attrs.frozen(kw_only=True)
class Procedure:
    """The table for one unit under a range of releases. It checks itself when it is made.

    Attributes:
        products: The products whose nodes have the unit.
        publisher_only: The unit is made on the publisher alone.
        never_with: Units that must not change between the same two contacts with the phones.
        protocol: Grows when the meaning of the columns changes.
    """

    unit: CertUnit
    releases: ReleaseRange
    products: frozenset[Product]
    rows: tuple[Row, ...]
    source: Source
    publisher_only: bool = False
    never_with: frozenset[CertUnit] = frozenset()
    exposures: tuple[Exposure, ...] = ()
    protocol: int = 1

    def __attrs_post_init__(self) -> None:
        names = [row.name for row in self.rows]
        if len(set(names)) != len(names):
            message = f"{self.unit}: two rows have the same name"
            raise ValueError(message)
        if self.rows[0].stage is not Stage.REGENERATE:
            message = f"{self.unit}: the first row must regenerate"
            raise ValueError(message)
        places = [(row.wave, _ORDER.index(row.stage)) for row in self.rows]
        if places != sorted(places):
            message = (
                f"{self.unit}: rows are out of order (waves, then {[s.value for s in _ORDER]})"
            )
            raise ValueError(message)
        if sorted({row.wave for row in self.rows}) != list(range(self.waves)):
            message = f"{self.unit}: waves are not numbered from 0 without gaps"
            raise ValueError(message)

    @property
    def waves(self) -> int:
        """How often the phones are met; 1 for most."""
        return max(row.wave for row in self.rows) + 1

    @property
    def moves_lists(self) -> bool:
        """Whether phones must come for new lists afterwards."""
        return any(isinstance(row.does, PhoneReset) for row in self.rows) or bool(self.never_with)

    def digest(self) -> str:
        """SHA-256 over the semantic columns only: mending a citation does not change it."""
        parts = [
            f"{self.unit.value}|{self.releases}|{sorted(p.value for p in self.products)}"
            f"|{self.publisher_only}|{sorted(u.value for u in self.never_with)}|{self.protocol}"
        ]
        parts += [
            f"{r.wave}|{r.name}|{r.stage.value}|{r.does!r}|{r.proof.name}|{r.within_s}|"
            f"{r.settle_s}|{r.when.name}"
            for r in self.rows
        ]
        parts += [f"{e.phones.name}|{e.when.name}|{e.remedy}" for e in self.exposures]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()
