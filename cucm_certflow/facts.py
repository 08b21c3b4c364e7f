"""Questions about a cluster, and answers that say when they were observed and by whom."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Any, NamedTuple

import attrs

from cucm_certflow.commands import Reply
from cucm_certflow.names import (
    CertUnit,
    DeviceClass,
    Interface,
    KeyAlgorithm,
    ListKind,
    Product,
    Release,
    SecurityMode,
    Service,
)

__all__ = [
    "Backup",
    "BackupActivity",
    "BackupHistory",
    "BackupStatus",
    "CallManagerGroups",
    "Certificate",
    "CertificateFile",
    "CertificateOf",
    "ClusterFacts",
    "ClusterMember",
    "ConfigurationSigner",
    "CoreFiles",
    "DatabaseCertificates",
    "DevicePools",
    "Devices",
    "DiskUse",
    "Fact",
    "Facts",
    "InterfaceState",
    "Interfaces",
    "Known",
    "ListFile",
    "ListView",
    "Members",
    "NodeFacts",
    "NtpStatus",
    "Parameter",
    "Phone",
    "PhoneLists",
    "PhoneSecurity",
    "PhoneTrustList",
    "Phones",
    "PresentedCertificate",
    "Query",
    "Reach",
    "Reached",
    "Registration",
    "RegistrationCounts",
    "Registrations",
    "Replication",
    "ReplyTo",
    "ServedList",
    "ServiceOn",
    "ServiceState",
    "ServiceStatus",
    "ServicesOn",
    "TftpCounters",
    "TimeSync",
    "TrustEntry",
    "TrustStores",
    "UnitsOn",
    "Unknown",
    "VersionOf",
    "Want",
    "Why",
    "reply_known",
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
    key_algorithm: KeyAlgorithm = KeyAlgorithm.RSA
    names: tuple[str, ...] = ()
    """The DNS names that its subject alternative name lists."""


@attrs.frozen(kw_only=True)
class TrustEntry:
    """A certificate in one of a node's trust stores.

    ``store`` is its name as CUCM prints it (``tomcat-trust``), ``name`` the file's, by which it is
    deleted.
    """

    store: str
    name: str
    certificate: Certificate


class ListView(NamedTuple):
    """What a trust list says, by certificate fingerprint; equal lists are equal values.

    ``token`` says that a USB token signed it (an SAST record that Cisco Manufacturing CA issued).
    ``digest`` (SHA-1 of the bytes), ``records`` and ``size`` (bytes) are of the file, and say
    nothing about trust: :meth:`plain` leaves them out.
    """

    kind: ListKind
    signer: str
    sast: frozenset[str]
    tftp: frozenset[str]
    ccm: frozenset[str]
    pin: frozenset[str]
    digest: str = ""
    capf: frozenset[str] = frozenset()
    token: bool = False
    records: int = 0
    size: int = 0

    def plain(self) -> ListView:
        """The same list without what is said of its file."""
        return self._replace(digest="", records=0, size=0)


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

    ``started_at`` is when it started, never later than it really did; None when nobody knows:
    ``utils service list`` does not say, so over SSH only a restart that was watched has it. Control
    Center says for how long a service has been up.
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
    ``protocol`` (SIP, SCCP), ``pool`` (its device pool) and ``profile`` (the name of its security
    profile) are as the database has them, and empty where it does not say.
    """

    name: str
    model: str
    group: tuple[str, ...]
    security: PhoneSecurity = PhoneSecurity.NON_SECURE
    security_by_default: bool = True
    protocol: str = ""
    pool: str = ""
    profile: str = ""

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


@attrs.frozen(kw_only=True)
class PhoneLists:
    """What a phone itself shows about its trust lists; empty where it shows nothing.

    Attributes:
        itl: SHA-1 of the ITL that it holds, in lower-case hex, as :attr:`ListView.digest`;
            ``none`` if it says that none is installed.
        ctl: The same of its CTL.
        message: The last of its status messages that is about trust lists, as it shows it.
        stamp: When that was, as it shows it: by its own clock and zone, on some models without a
            date. Never compared with any other instant.
    """

    itl: str = ""
    ctl: str = ""
    message: str = ""
    stamp: str = ""


@attrs.frozen(kw_only=True)
class Backup:
    """A row of ``utils disaster_recovery history backup``.

    ``at`` is None where the printed zone is not known; ``succeeded`` is whether RESULT is SUCCESS.
    """

    name: str
    succeeded: bool
    at: datetime | None = None


class BackupActivity(Enum):
    """Whether a backup or a restore is under way, by ``utils disaster_recovery status``."""

    IDLE = "idle"
    RUNNING = "running"


@attrs.frozen(kw_only=True)
class NtpStatus:
    """What ``utils ntp status`` says.

    ``stratum`` is None while a node is not synchronised. ``at`` is what the node took for the time
    when it said so, to the second; None where it did not print it. It moves on from look to look
    and says nothing about the status, so that equal statuses are equal values without it.
    """

    synchronised: bool
    stratum: int | None = None
    at: datetime | None = attrs.field(default=None, eq=False)


@attrs.frozen(kw_only=True)
class ClusterMember:
    """A node as the cluster itself lists it.

    ``product`` is the cluster's own word (``callmanager``, ``cups`` …), empty where it does not say
    (``show network cluster`` up to 9.x). On IM and Presence, ``is_publisher`` is False and
    ``is_database_publisher`` tells. ``authenticated`` is None where nobody says.
    """

    name: str
    address: str
    is_publisher: bool
    product: str = ""
    authenticated: bool | None = None
    fqdn: str = ""
    is_database_publisher: bool = False


@attrs.frozen
class InterfaceState:
    """Whether an interface of a node can be used, as far as was tried.

    ``usable`` None means that nobody has tried. ``role`` is the role that the account lacks.
    """

    node: str
    interface: Interface
    usable: bool | None
    reason: str = ""
    role: str = ""


@attrs.frozen(kw_only=True)
class Reached:
    """What a small question over one interface showed beside that it was answered.

    Attributes:
        privilege: The privilege level of the platform CLI that the account was seen to have, at
            least; None where nothing showed any.
    """

    privilege: int | None = None


# ── questions ─────────────────────────────────────────────────────────────────────────────


@attrs.frozen(cache_hash=True)
class CertificateOf:
    """The identity certificate of *unit* on *node*: a :class:`Certificate`."""

    node: str
    unit: CertUnit


@attrs.frozen(cache_hash=True)
class ServedList:
    """The trust list that *node*'s TFTP serves: a :class:`ListView`, or None for no file.

    Under its plain name (``ITLFile.tlv``), or under the name that *phone* asks for
    (``ITLSEP001122334455.tlv``).
    """

    node: str
    kind: ListKind
    phone: str = ""


@attrs.frozen(cache_hash=True)
class ServiceOn:
    """The state of *service* on *node*: a :class:`ServiceState`."""

    node: str
    service: Service


@attrs.frozen(cache_hash=True)
class ServicesOn:
    """All services of *node*: ``Mapping[str, ServiceState]`` by the name that CUCM prints."""

    node: str


@attrs.frozen(cache_hash=True)
class UnitsOn:
    """The units that have a certificate on *node*: ``tuple[str, ...]``, named as CUCM does."""

    node: str


@attrs.frozen(cache_hash=True)
class CertificateFile:
    """The identity certificate of *unit* on *node* in PEM: a str."""

    node: str
    unit: CertUnit


@attrs.frozen(cache_hash=True)
class ListFile:
    """The very bytes of the trust list that *node* serves: bytes, or None for no file."""

    node: str
    kind: ListKind


@attrs.frozen(cache_hash=True)
class ConfigurationSigner:
    """Who signed the configuration file that *node* serves to *phone*: a serial number, as text.

    The serial of the certificate whose key TFTP signs with, in upper-case hex, from the header of
    ``SEP….cnf.xml.sgn``; None where the node serves that phone no signed file.
    """

    node: str
    phone: str


@attrs.frozen(cache_hash=True)
class TrustStores:
    """Everything that *node* trusts, in all of its stores: ``tuple[TrustEntry, ...]``."""

    node: str


@attrs.frozen(cache_hash=True)
class DatabaseCertificates:
    """The fingerprints of all certificates in *node*'s own database: ``frozenset[str]``.

    Replication that is good does not prove that a node has the newest (field notes, §8): each node
    is asked itself.
    """

    node: str


@attrs.frozen(cache_hash=True)
class Replication:
    """The replication state of each node, as the publisher sees it: ``Mapping[str, int]``.

    By the name that ``utils dbreplication runtimestate`` prints; 2 is good, and -1 stands for a
    state without a number (``(-) Not Setup``). Empty for a cluster of a single node.
    """


@attrs.frozen(cache_hash=True)
class TimeSync:
    """How *node* stands with its NTP server: a :class:`NtpStatus`."""

    node: str


@attrs.frozen(cache_hash=True)
class DiskUse:
    """How full *node*'s partitions are, in per cent: ``Mapping[str, int]`` (active, logging …)."""

    node: str


@attrs.frozen(cache_hash=True)
class CoreFiles:
    """The core files on *node*'s active partition: ``tuple[str, ...]``, named as printed."""

    node: str


@attrs.frozen(cache_hash=True)
class BackupHistory:
    """The backups that the publisher's DRF Master remembers: ``tuple[Backup, ...]``."""


@attrs.frozen(cache_hash=True)
class BackupStatus:
    """Whether a backup or a restore runs now: a :class:`BackupActivity`."""


@attrs.frozen(cache_hash=True)
class Devices:
    """Where the devices of *kind* are registered: ``Mapping[str, Registration]`` by name."""

    kind: DeviceClass


@attrs.frozen(cache_hash=True)
class PresentedCertificate:
    """The SHA-256 fingerprint that *node* presents on a TLS port: a str.

    A port with certificates of both kinds presents the one whose *algorithm* is asked for. Ports:
    8443 Tomcat, 2445 TVS, 5061 CallManager, 3804 CAPF.
    """

    node: str
    port: int = 8443
    algorithm: KeyAlgorithm = KeyAlgorithm.RSA


@attrs.frozen(cache_hash=True)
class Registrations:
    """Where phones are registered: ``Mapping[str, Registration]`` by device name.

    With *names* these phones alone, each read now. Without, all phones of the cluster; of a large
    one only those are read again of which something may have changed.
    """

    names: tuple[str, ...] = ()


@attrs.frozen(cache_hash=True)
class PhoneTrustList:
    """What *phone* itself shows about its trust lists: a :class:`PhoneLists`.

    From the phone's own web page, where web access is on.
    """

    phone: str


@attrs.frozen(cache_hash=True)
class RegistrationCounts:
    """How many devices of each kind *node*'s CallManager has registered: ``Mapping[str, int]``.

    By the names of the counters of PerfMon's object Cisco CallManager.
    """

    node: str


@attrs.frozen(cache_hash=True)
class TftpCounters:
    """What *node*'s TFTP has served: ``Mapping[str, int]`` of the object Cisco TFTP Server."""

    node: str


@attrs.frozen(cache_hash=True)
class Members:
    """The nodes of the cluster, as it lists them: ``tuple[ClusterMember, ...]``."""


@attrs.frozen(cache_hash=True)
class VersionOf:
    """The active version of *node*: a str such as ``15.0.1.12900-234``."""

    node: str


@attrs.frozen(cache_hash=True)
class Parameter:
    """The value of the enterprise or service parameter called *name*: a str."""

    name: str


@attrs.frozen(cache_hash=True)
class Phones:
    """All phones as the database describes them: ``tuple[Phone, ...]`` in order of name."""


@attrs.frozen(cache_hash=True)
class CallManagerGroups:
    """Nodes in order of priority by group: ``Mapping[str, tuple[str, ...]]``."""


@attrs.frozen(cache_hash=True)
class DevicePools:
    """The CallManager group of each device pool: ``Mapping[str, str]``."""


@attrs.frozen(cache_hash=True)
class Interfaces:
    """Which interface of which node can be used: ``tuple[InterfaceState, ...]``."""


@attrs.frozen(cache_hash=True)
class Reach:
    """Whether *interface* lets us in and answers about *node*: a :class:`Reached`.

    By a small question over that interface alone; no other is asked in its place.
    """

    node: str
    interface: Interface


@attrs.frozen(cache_hash=True)
class ReplyTo:
    """What came back for attempt *attempt* of step *step*: a :class:`Reply`."""

    step: str
    attempt: int


Query = (
    CertificateOf
    | ServedList
    | ServiceOn
    | ServicesOn
    | UnitsOn
    | CertificateFile
    | ListFile
    | ConfigurationSigner
    | TrustStores
    | DatabaseCertificates
    | Replication
    | TimeSync
    | DiskUse
    | CoreFiles
    | BackupHistory
    | BackupStatus
    | Devices
    | PresentedCertificate
    | Registrations
    | PhoneTrustList
    | RegistrationCounts
    | TftpCounters
    | Members
    | VersionOf
    | Parameter
    | Phones
    | CallManagerGroups
    | DevicePools
    | Interfaces
    | Reach
    | ReplyTo
)


# ── answers ───────────────────────────────────────────────────────────────────────────────


@attrs.frozen
class Known:
    """An answer: what was observed, when, and by which way."""

    value: Any  # one type per query class, given in the query's docstring
    at: datetime
    by: str = ""


class Why(Enum):
    """What kind of obstacle an unanswered question met."""

    NOT_ASKED = "not asked"
    """Nobody was asked, or nobody can be."""

    UNREACHABLE = "unreachable"
    """There was no connection, it broke, or nothing is served there."""

    NOT_PERMITTED = "not permitted"
    """The account lacks a role."""

    BUSY = "busy"
    """Too often, or too much at a time: later."""

    FAULT = "fault"
    """The node answered with an error of its own."""

    UNREADABLE = "unreadable"
    """The answer is of a form that we do not know."""

    CONFLICT = "conflict"
    """Two ways answered, and contradict each other."""


@attrs.frozen
class Unknown:
    """No answer. It is never read as "no"; *reason* says it in words, *why* in kind.

    ``role`` is the role that the account lacks, with ``Why.NOT_PERMITTED``.
    """

    reason: str
    at: datetime
    by: str = ""
    why: Why = Why.NOT_ASKED
    role: str = ""


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
    is_database_publisher: bool = False
    """Whether it is the publisher of its product's database: on IM and Presence, its own."""

    certificates: Mapping[CertUnit, Certificate] = attrs.field(factory=dict[CertUnit, Certificate])
    services: Mapping[Service, ServiceState] = attrs.field(factory=dict[Service, ServiceState])
    itl: ListView | None = None
    ctl: ListView | None = None
    others: tuple[str, ...] = ()
    """Certificates that it shows and that this library never touches (``authz``), by name."""

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

    interfaces: tuple[InterfaceState, ...] = ()
    """Which interface of which node can be used, as far as was tried."""

    @property
    def in_order(self) -> tuple[NodeFacts, ...]:
        """The publisher, its subscribers, and then IM and Presence, its publisher first."""
        return tuple(
            sorted(
                self.nodes,
                key=lambda node: (
                    node.product is not Product.CALLMANAGER,
                    not node.is_publisher,
                    not node.is_database_publisher,
                ),
            )
        )

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
