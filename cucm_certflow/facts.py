"""Questions about a cluster, and answers that say when they were observed and by whom."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Any, NamedTuple

import attrs

from cucm_certflow.commands import Reply
from cucm_certflow.names import CertUnit, ListKind, Product, Release, SecurityMode, Service

__all__ = [
    "Certificate",
    "CertificateOf",
    "ClusterFacts",
    "Fact",
    "Facts",
    "Known",
    "ListView",
    "NodeFacts",
    "Phone",
    "PhoneSecurity",
    "PresentedCertificate",
    "Query",
    "Registration",
    "Registrations",
    "ReplyTo",
    "ServedList",
    "ServiceOn",
    "ServiceState",
    "ServiceStatus",
    "Unknown",
    "Want",
]


# ── values ────────────────────────────────────────────────────────────────────────────────


@attrs.frozen(kw_only=True)
class Certificate:
    """A certificate as a node holds it.

    ``fingerprint`` (SHA-256 of the DER, lower-case hex) is its identity everywhere in the
    library; names are never compared, because trust lists normalise them.
    """

    fingerprint: str
    serial: str
    subject: str = ""
    issuer: str = ""
    not_before: datetime | None = None
    not_after: datetime | None = None
    self_signed: bool = True
    key_bits: int = 2048


class ListView(NamedTuple):
    """What a trust list says, by certificate fingerprint; equal lists are equal values."""

    kind: ListKind
    signer: str
    sast: frozenset[str]
    tftp: frozenset[str]
    ccm: frozenset[str]
    pin: frozenset[str]
    digest: str = ""


class ServiceStatus(Enum):
    """States that ``utils service list`` prints."""

    STARTED = "STARTED"
    STARTING = "STARTING"
    STOPPED = "STOPPED"
    STOPPING = "STOPPING"
    NOTRUNNING = "NOTRUNNING"


@attrs.frozen
class ServiceState:
    """A service on a node.

    ``started_at`` is when somebody saw it start; None when nobody did: ``utils service list``
    does not say, so only a restart that was watched has it.
    """

    status: ServiceStatus
    activated: bool = True
    started_at: datetime | None = None


class PhoneSecurity(Enum):
    """Device security mode of a phone's profile."""

    NON_SECURE = "Non Secure"
    AUTHENTICATED = "Authenticated"
    ENCRYPTED = "Encrypted"


@attrs.frozen(kw_only=True)
class Phone:
    """A phone as the cluster's database describes it.

    ``group`` is its CallManager group in order: these nodes are also the only TVS servers that
    it asks. ``security_by_default`` False means that it holds no ITL and never asks TVS.
    """

    name: str
    model: str
    group: tuple[str, ...]
    security: PhoneSecurity = PhoneSecurity.NON_SECURE
    security_by_default: bool = True

    @property
    def is_secure(self) -> bool:
        """Whether it registers over TLS."""
        return self.security is not PhoneSecurity.NON_SECURE


@attrs.frozen
class Registration:
    """Where a phone is registered, and since when (RISPort70 TimeStamp)."""

    name: str
    registered: bool
    node: str = ""
    at: datetime | None = None


# ── questions ─────────────────────────────────────────────────────────────────────────────


@attrs.frozen(cache_hash=True)
class CertificateOf:
    """The identity certificate of *unit* on *node*: a :class:`Certificate`."""

    node: str
    unit: CertUnit


@attrs.frozen(cache_hash=True)
class ServedList:
    """The trust list that *node*'s TFTP serves: a :class:`ListView`, or None for no file."""

    node: str
    kind: ListKind


@attrs.frozen(cache_hash=True)
class ServiceOn:
    """The state of *service* on *node*: a :class:`ServiceState`."""

    node: str
    service: Service


@attrs.frozen(cache_hash=True)
class PresentedCertificate:
    """The SHA-256 fingerprint that *node* presents on its HTTPS port 8443: a str."""

    node: str


@attrs.frozen(cache_hash=True)
class Registrations:
    """All phones of the cluster: ``Mapping[str, Registration]`` by device name."""


@attrs.frozen(cache_hash=True)
class ReplyTo:
    """What came back for attempt *attempt* of step *step*: a :class:`Reply`."""

    step: str
    attempt: int


Query = CertificateOf | ServedList | ServiceOn | PresentedCertificate | Registrations | ReplyTo


# ── answers ───────────────────────────────────────────────────────────────────────────────


@attrs.frozen
class Known:
    """An answer: what was observed, when, and by which way."""

    value: Any  # one type per query class, given in the query's docstring
    at: datetime
    by: str = ""


@attrs.frozen
class Unknown:
    """No answer. It is never read as "no"; *reason* says why, ``conflict`` for contradictions."""

    reason: str
    at: datetime
    by: str = ""


Fact = Known | Unknown
Facts = Mapping[Query, Fact]


@attrs.frozen
class Want:
    """A fact that is needed next: not older than *max_age_s*, nor than *since*.

    *changing* says that it is waited for: it is read again at each poll.
    """

    query: Query
    max_age_s: float
    since: datetime | None = None
    changing: bool = False

    def is_met_by(self, fact: Fact | None, now: datetime) -> bool:
        """Whether *fact* is fresh enough at *now*; an Unknown counts as an answer."""
        if fact is None or (now - fact.at).total_seconds() > self.max_age_s:
            return False
        return self.since is None or fact.at >= self.since


# ── what discovery finds ──────────────────────────────────────────────────────────────────


@attrs.frozen(kw_only=True)
class NodeFacts:
    """A node as discovery found it. Certificates and services hold only what exists there."""

    name: str
    address: str = ""
    release: Release
    product: Product = Product.CALLMANAGER
    is_publisher: bool = False
    certificates: Mapping[CertUnit, Certificate] = attrs.field(factory=dict[CertUnit, Certificate])
    services: Mapping[Service, ServiceState] = attrs.field(factory=dict[Service, ServiceState])
    itl: ListView | None = None
    ctl: ListView | None = None

    def runs(self, service: Service) -> bool:
        """Whether *service* is activated here."""
        state = self.services.get(service)
        return state is not None and state.activated


@attrs.frozen(kw_only=True)
class ClusterFacts:
    """Everything a plan is made from, observed at *at*; the publisher is the first node."""

    nodes: tuple[NodeFacts, ...]
    mode: SecurityMode
    phones: tuple[Phone, ...]
    registrations: Mapping[str, Registration]
    at: datetime
    unknown: tuple[str, ...] = ()
    """What could not be read, in words; a plan over it is refused."""

    @property
    def publisher(self) -> NodeFacts:
        """The first node of the cluster's database."""
        return next(node for node in self.nodes if node.is_publisher)

    @property
    def release(self) -> Release:
        """The publisher's release."""
        return self.publisher.release

    @property
    def tftp_nodes(self) -> tuple[NodeFacts, ...]:
        """The nodes on which Cisco Tftp is activated."""
        return tuple(node for node in self.nodes if node.runs(Service.TFTP))


def reply_known(reply: Reply, at: datetime) -> Known:
    """*reply* as a fact."""
    return Known(reply, at, "runner")
