"""The tables of a scenario that are about the whole book: certificates, trust, health, partners."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Final

import attrs

from cucm_certflow.lab.document import Wrong, WrongValue
from cucm_certflow.names import CertUnit, DeviceClass, ListKind

__all__ = [
    "MULTI_SERVER",
    "STORES",
    "CertificateSpec",
    "DeviceSpec",
    "HealthSpec",
    "ListAge",
    "PartnerSpec",
    "ServedSpec",
    "TrustSpec",
]

STORES: Final = (
    "tomcat-trust",
    "ipsec-trust",
    "CallManager-trust",
    "CAPF-trust",
    "TVS-trust",
    "Phone-SAST-trust",
    "Phone-CTL-trust",
    "Phone-VPN-trust",
    "directory-trust",
    "userlicensing-trust",
    "cup-trust",
    "cup-xmpp-trust",
)
"""The trust stores that the lab's nodes have; the last two are those of IM and Presence."""

MULTI_SERVER: Final = (
    CertUnit.TOMCAT,
    CertUnit.TOMCAT_ECDSA,
    CertUnit.CALLMANAGER,
    CertUnit.CALLMANAGER_ECDSA,
    CertUnit.TVS,
    CertUnit.CUP_XMPP,
    CertUnit.CUP_XMPP_S2S,
)
"""What one certificate can be of for all nodes (procedures: never ipsec, ITLRecovery and cup)."""

_SIZES: Final = (1024, 2048, 3072, 4096)
_FULL: Final = 100


@attrs.frozen(kw_only=True)
class CertificateSpec:
    """One of ``[[certificates]]``: what is special about a certificate when the story begins.

    A later generation is as any other: self-signed, of one node, of 2048 bits.

    Attributes:
        unit: The kind, as CUCM names it.
        node: On which node. Not given: on all that have it.
        expires_in_days: From the beginning of the story; negative if it is over. Not given: five
            years, and twenty for ITLRecovery.
        ca_signed: Whether a CA has signed it.
        multi_server: Whether all nodes that have the unit share it.
        reuses_tomcat: For CallManager: whether it is Tomcat's certificate.
        key_bits: Of an RSA key.
        name_missing: Whether its common name is not among its alternative names (CSCus47235).
    """

    unit: CertUnit
    node: str | None = None
    expires_in_days: float | None = None
    ca_signed: bool = False
    multi_server: bool = False
    reuses_tomcat: bool = False
    key_bits: int | None = None
    name_missing: bool = False

    def __attrs_post_init__(self) -> None:
        wrongs = list(self._wrongs())
        if wrongs:
            raise WrongValue(*wrongs)

    def _wrongs(self) -> Iterator[Wrong]:
        if self.key_bits is not None and self.key_bits not in _SIZES:
            sizes = ", ".join(map(str, _SIZES))
            yield Wrong("key_bits", f"expected one of {sizes}; saw {self.key_bits}")
        if self.key_bits is not None and self.unit.value.endswith("-ECDSA"):
            yield Wrong("key_bits", "is for RSA keys")
        if self.multi_server and self.unit not in MULTI_SERVER:
            yield Wrong("multi_server", f"{self.unit} is never of several nodes")
        if self.multi_server and self.node is not None:
            yield Wrong("node", "a multi-server certificate is of all nodes")
        if self.reuses_tomcat and self.unit is not CertUnit.CALLMANAGER:
            yield Wrong("reuses_tomcat", "only CallManager can reuse Tomcat's certificate")
        if self.reuses_tomcat and self.multi_server:
            yield Wrong("multi_server", "is said of Tomcat's certificate, which CallManager reuses")


@attrs.frozen(kw_only=True)
class TrustSpec:
    """One of ``[[trust]]``: one more certificate in trust stores.

    Attributes:
        store: ``tomcat-trust`` …
        name: The file's: ``old-ca.pem``.
        node: On which node. Not given: on all of the product that has the store.
        expires_in_days: From the beginning of the story; negative if it is over. Not given: five
            years. Of a copy it is what that certificate has.
        of: ``sub1/CallManager``: a copy of that identity as it is when the story begins. Not
            given: a stranger.
        comes_back: Whether the half-hourly resync puts it back when it is deleted, unless
            Certificate Change Notification (and on IM and Presence its like) was stopped.
    """

    store: str
    name: str
    node: str | None = None
    expires_in_days: float | None = None
    of: str | None = None
    comes_back: bool = False

    def __attrs_post_init__(self) -> None:
        if self.store not in STORES:
            raise WrongValue(Wrong("store", f"expected one of {', '.join(STORES)}"))
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,120}\.pem", self.name):
            reason = f"expected a file such as old-ca.pem, saw {self.name!r:.40}"
            raise WrongValue(Wrong("name", reason))
        if self.of is not None:
            node, slash, unit = self.of.partition("/")
            if not node or not slash or unit not in {each.value for each in CertUnit}:
                reason = f"expected a node and a unit, sub1/CallManager, saw {self.of!r:.40}"
                raise WrongValue(Wrong("of", reason))
            if self.expires_in_days is not None:
                raise WrongValue(Wrong("expires_in_days", "is that of the certificate it copies"))

    @property
    def copied(self) -> tuple[str, CertUnit] | None:
        """The node and the unit of which it is a copy; None for a stranger."""
        if self.of is None:
            return None
        node, _, unit = self.of.partition("/")
        return node, CertUnit(unit)


@attrs.frozen(kw_only=True)
class HealthSpec:
    """``[health]``: how the cluster is when the story begins.

    Attributes:
        replication: The replication state, by node; 2, which is good, for the others. -1 stands
            for a state without a number.
        database_lag_s: After how many seconds a node's own database knows a new certificate, by
            node; ``database_lag_default_s`` for the others.
        database_lag_default_s: The same, for the others.
        ntp_unsynchronised: The nodes that have no time server.
        clock_off_s: By node, by how many seconds the time that it prints is ahead; behind if
            negative. What else it dates is right.
        disk: By node, how full partitions are, in per cent, by their names: ``logging``.
        cores: By node, its core files.
        unauthenticated: The nodes that ``show network cluster`` shows as not authenticated.
        last_backup_days: How long ago the last backup was, in days; negative: there was never one.
        backup_running: Whether one is under way, for the whole story.
    """

    replication: Mapping[str, int] = attrs.field(factory=dict[str, int])
    database_lag_s: Mapping[str, float] = attrs.field(factory=dict[str, float])
    database_lag_default_s: float = 8.0
    ntp_unsynchronised: tuple[str, ...] = ()
    clock_off_s: Mapping[str, float] = attrs.field(factory=dict[str, float])
    disk: Mapping[str, Mapping[str, int]] = attrs.field(factory=dict[str, Mapping[str, int]])
    cores: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict[str, tuple[str, ...]])
    unauthenticated: tuple[str, ...] = ()
    last_backup_days: float = 1.0
    backup_running: bool = False

    def __attrs_post_init__(self) -> None:
        wrongs = [
            Wrong(f"database_lag_s.{node}", f"expected seconds, 0 or more, saw {lag}")
            for node, lag in self.database_lag_s.items()
            if lag < 0
        ]
        if self.database_lag_default_s < 0:
            wrongs.append(Wrong("database_lag_default_s", "expected seconds, 0 or more"))
        wrongs += [
            Wrong(f"disk.{node}.{name}", f"expected 0 to 100, saw {share}")
            for node, parts in self.disk.items()
            for name, share in parts.items()
            if not 0 <= share <= _FULL
        ]
        if wrongs:
            raise WrongValue(*wrongs)

    def lag_of(self, node: str) -> float:
        """After how many seconds *node*'s own database knows a new certificate."""
        return self.database_lag_s.get(node, self.database_lag_default_s)

    def named(self) -> Iterator[tuple[str, str]]:
        """Every node that is named, with the path of the place."""
        for key in ("replication", "database_lag_s", "clock_off_s", "disk", "cores"):
            for name in getattr(self, key):
                yield f"{key}.{name}", name
        for key in ("ntp_unsynchronised", "unauthenticated"):
            for index, name in enumerate(getattr(self, key)):
                yield f"{key}[{index}]", name


@attrs.frozen(kw_only=True)
class DeviceSpec:
    """One of ``[[devices]]``: devices that are no phones; nothing ever happens to them.

    Attributes:
        kind: The device class, as RISPort70 has it: ``SIPTrunk``, ``Gateway`` …
        first: The name of the first; the others count on from its last digits.
        node: With which node they are registered.
        count: How many; 1 or more.
        registered: Whether they are registered.
    """

    kind: DeviceClass
    first: str
    node: str
    count: int = 1
    registered: bool = True

    def __attrs_post_init__(self) -> None:
        if self.kind is DeviceClass.PHONE:
            raise WrongValue(Wrong("kind", "phones are a table of their own, [[phones]]"))
        if not self.first:
            raise WrongValue(Wrong("first", "expected a name"))
        if self.count < 1:
            raise WrongValue(Wrong("count", f"expected 1 or more, saw {self.count}"))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all of them: ``trunk-1``, ``trunk-2``; ``gw``, ``gw2``, ``gw3``."""
        digits = re.search(r"\d*$", self.first)
        number = digits[0] if digits is not None else ""
        stem = self.first[: len(self.first) - len(number)]
        begin = int(number or "1")
        more = (f"{stem}{begin + i:0{len(number)}d}" for i in range(1, self.count))
        return (self.first, *more)


@attrs.frozen(kw_only=True)
class PartnerSpec:
    """One of ``[[partners]]``: a system outside that holds copies of certificates.

    Attributes:
        name: As people call it.
        kind: What it is, in words: ``UCCX``, ``Expressway``, ``identity provider``, ``RADIUS``.
        units: Of which units it holds the certificates.
        nodes: Of which nodes. Not given: of all that have the unit.
    """

    name: str
    kind: str
    units: tuple[CertUnit, ...]
    nodes: tuple[str, ...] = ()

    def __attrs_post_init__(self) -> None:
        if not self.units:
            raise WrongValue(Wrong("units", "expected one unit or more"))


class ListAge(Enum):
    """What a served list says of a certificate when the story begins."""

    PRESENT = "present"
    """It names the certificate that is."""

    OLD = "old"
    """It names one that is no more."""


@attrs.frozen(kw_only=True)
class ServedSpec:
    """``[served]``: where the served lists do not say what is, when the story begins.

    Each is ``present`` or ``old``; phones hold what is served. An old ITLRecovery in the CTL is
    that of field notice FN70613.

    Attributes:
        ctl_itlrecovery: Of the CTL's ITLRecovery, which signs it from 12.0.
        ctl_callmanager: Of the CTL's CallManager certificates, as anchor and in all roles.
        ctl_capf: Of the CTL's CAPF.
        itl_itlrecovery: Of the ITLs' ITLRecovery.
        itl_callmanager: Of the ITLs' CallManager certificates.
        itl_tvs: Of the ITLs' TVS certificates.
        itl_capf: Of the ITLs' CAPF.
    """

    ctl_itlrecovery: ListAge = ListAge.PRESENT
    ctl_callmanager: ListAge = ListAge.PRESENT
    ctl_capf: ListAge = ListAge.PRESENT
    itl_itlrecovery: ListAge = ListAge.PRESENT
    itl_callmanager: ListAge = ListAge.PRESENT
    itl_tvs: ListAge = ListAge.PRESENT
    itl_capf: ListAge = ListAge.PRESENT

    def old_units(self, kind: ListKind) -> frozenset[CertUnit]:
        """The units of which lists of *kind* name certificates that are no more."""
        prefix = kind.value.lower()
        return frozenset(
            unit
            for name, unit in _UNITS.items()
            if getattr(self, f"{prefix}_{name}", None) is ListAge.OLD
        )


_UNITS: Final = {
    "itlrecovery": CertUnit.ITLRECOVERY,
    "callmanager": CertUnit.CALLMANAGER,
    "tvs": CertUnit.TVS,
    "capf": CertUnit.CAPF,
}
