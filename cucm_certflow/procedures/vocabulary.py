"""The words in which a procedure is written: rows, what they do, where, when, and what proves them.

A procedure is data. What does not fit here makes this vocabulary grow, never an ``if`` about a
certificate kind in the planner, in ``decide`` or in the runner.
"""

from __future__ import annotations

import hashlib
from enum import Enum
from typing import Final

import attrs

from cucm_certflow.names import CertUnit, ListKind, Product, Release, SecurityMode, Service

__all__ = [
    "ANY_RELEASE",
    "Condition",
    "CtlUpdate",
    "DeleteEntry",
    "DoneByHand",
    "Exposure",
    "LocalkeyReset",
    "Need",
    "PhoneReset",
    "Procedure",
    "Proof",
    "RegenerateUnit",
    "ReleaseRange",
    "Requirement",
    "RestartOf",
    "Row",
    "RowAction",
    "Situation",
    "Source",
    "Stage",
    "StartOf",
    "StopOf",
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
        first, last = (f"{major}.{minor}" for major, minor in (self.first, self.last))
        return first if first == last else f"{first} to {last}"


ANY_RELEASE: Final = ReleaseRange((8, 0), (15, 99))


class Stage(Enum):
    """The part of a certificate's life in which a row runs; in this order within a wave.

    The first two are of trust clean-up, where nothing is regenerated; its last is START.
    """

    STOP = "stop"
    DELETE = "delete"
    REGENERATE = "regenerate"
    CTL = "ctl"
    RESTART = "restart"
    RESET = "reset"
    START = "start"


class Condition(Enum):
    """When a row applies."""

    ALWAYS = "always"
    MIXED_MODE = "the cluster is in mixed mode"
    NON_SECURE_MODE = "the cluster is in non-secure mode"
    TOKENLESS_CTL = "in mixed mode, the CTL is signed without a USB token"
    CTL_BY_HAND = "in mixed mode, the CTL is signed by a USB token"
    CALLMANAGER_RESTARTS = "the policy wants CallManager and CTIManager restarted"

    def holds_in(self, situation: Situation) -> bool:
        """Whether a row or an exposure with this condition applies in *situation*."""
        mixed = situation.mode is SecurityMode.MIXED
        return {
            Condition.ALWAYS: True,
            Condition.MIXED_MODE: mixed,
            Condition.NON_SECURE_MODE: not mixed,
            Condition.TOKENLESS_CTL: mixed and not situation.token_ctl,
            Condition.CTL_BY_HAND: mixed and situation.token_ctl,
            Condition.CALLMANAGER_RESTARTS: situation.callmanager_restarts,
        }[self]


@attrs.frozen(kw_only=True)
class Situation:
    """What decides which rows of a table apply to a cluster.

    ``token_ctl`` says that a USB token signs the CTL, so that only a person who has it can renew
    it. ``callmanager_restarts`` is the policy of that name.
    """

    mode: SecurityMode
    token_ctl: bool = False
    callmanager_restarts: bool = True


class Requirement(Enum):
    """What must be seen before a row's command is sent, besides what holds for every command."""

    REPLICATION_GOOD = "database replication is in state 2 on every node"
    NO_BACKUP_RUNNING = "no backup and no restore is running"
    DATABASES_HAVE_IT = "every node's own database has the new certificates"
    PHONES_FELL_BACK = "phones have come back to the group's members that were restarted before"


class Proof(Enum):
    """What must be observed before a command counts as done."""

    NEW_CERTIFICATE = "the node shows another certificate than before"
    CTL_SERVED = "every TFTP node serves a CTL with every node's present CallManager certificate"
    ITL_SIGNED_ANEW = "every TFTP node serves an ITL by the other anchor"
    CTL_SIGNED_ANEW = "every TFTP node serves a CTL by the other anchor"
    RESTARTED = "the service was seen to start since the command"
    ITL_SERVED = "the service started since, and the node serves an ITL with all present anchors"
    HTTPS_PRESENTS = "the service started since, and port 8443 presents the node's certificate"
    STOPPED = "the service is stopped"
    STARTED = "the service runs"
    GONE = "the node's trust store has the certificate no more"
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


@attrs.frozen
class DoneByHand:
    """A person does *what*, whole and in words; the proof alone shows that it was done."""

    what: str


@attrs.frozen
class StopOf:
    """Stop *service* on each node where it runs, until :class:`StartOf`."""

    service: Service


@attrs.frozen
class StartOf:
    """Start *service* again on each node on which :class:`StopOf` stopped it."""

    service: Service


@attrs.frozen
class DeleteEntry:
    """Delete a certificate from the trust stores of each node that has it."""


RowAction = (
    RegenerateUnit
    | CtlUpdate
    | LocalkeyReset
    | RestartOf
    | PhoneReset
    | DoneByHand
    | StopOf
    | StartOf
    | DeleteEntry
)


@attrs.frozen(kw_only=True)
class Row:
    """One row of a procedure.

    ``within_s`` is the whole budget from the command to its proof, after which the run holds.
    ``settle_s`` is how long a command whose reply was lost may still be running: not before it
    has passed is the command sent again, and then only if it was seen not
    to have been done. Row order within a stage is kept, publisher first, one node at a time.
    ``requires`` is looked at before each of its commands.
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
    requires: frozenset[Requirement] = frozenset()

    def __attrs_post_init__(self) -> None:
        if not 0 < self.settle_s < self.within_s:
            message = f"row {self.name}: 0 < settle_s < within_s does not hold"
            raise ValueError(message)


@attrs.frozen(kw_only=True)
class Exposure:
    """Phones that no plan can spare a moment in which only *remedy* would help.

    ``until`` is the row that is that remedy: once it was sent, nothing is tolerated any more. Empty
    where no row of the table is the remedy: then it is tolerated until the window is over.
    """

    phones: Need
    when: Condition
    remedy: str
    source: Source
    until: str = ""


_ORDER: Final = tuple(Stage)


@attrs.frozen(kw_only=True)
class Procedure:
    """The table for one unit under a range of releases. It checks itself when it is made.

    Attributes:
        products: The products whose nodes have the unit.
        publisher_only: The unit is made on the publisher alone.
        never_with: Units that must not change between the same two contacts with the phones.
        unless: A condition under which no source says what to do: a plan is refused then.
        idle_on_subscribers: Nothing uses the certificate there: the policy
            ``capf_on_subscribers`` says whether it is regenerated all the same (D3).
        may_join: The unit whose window it shares if the policy ``capf`` says so (K1).
        joins: The unit whose window, and whose restarts, it shares where both are asked for.
        consumers: Who notices while the certificate is invalid, in words (points A1 to A6).
        protocol: Grows when the meaning of the columns changes.
    """

    unit: CertUnit
    releases: ReleaseRange
    products: frozenset[Product]
    rows: tuple[Row, ...]
    source: Source
    publisher_only: bool = False
    never_with: frozenset[CertUnit] = frozenset()
    unless: Condition | None = None
    idle_on_subscribers: bool = False
    may_join: CertUnit | None = None
    joins: CertUnit | None = None
    exposures: tuple[Exposure, ...] = ()
    consumers: tuple[str, ...] = ()
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
        strangers = {e.until for e in self.exposures if e.until} - set(names)
        if strangers:
            message = f"{self.unit}: an exposure ends at {strangers}, which is no row"
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
            f"|{self.publisher_only}|{sorted(u.value for u in self.never_with)}|{self.joins}"
            f"|{self.unless.name if self.unless else ''}|{self.idle_on_subscribers}|{self.may_join}"
            f"|{self.protocol}"
        ]
        parts += [
            f"{r.wave}|{r.name}|{r.stage.value}|{r.does!r}|{r.proof.name}|{r.within_s}|"
            f"{r.settle_s}|{r.when.name}|{sorted(each.name for each in r.requires)}"
            for r in self.rows
        ]
        parts += [f"{e.phones.name}|{e.when.name}|{e.remedy}|{e.until}" for e in self.exposures]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()
