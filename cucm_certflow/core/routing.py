"""Which question and which command goes which way: a table, and who may be asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final

import attrs

from cucm_certflow.commands import (
    Command,
    DeleteTrust,
    Regenerate,
    ResetLocalkey,
    ResetPhones,
    RestartService,
    StartService,
    StopService,
    UpdateCtl,
)
from cucm_certflow.facts import (
    BackupHistory,
    BackupStatus,
    CallManagerGroups,
    Certificate,
    CertificateFile,
    CertificateOf,
    ClusterMember,
    ConfigurationSigner,
    CoreFiles,
    DatabaseCertificates,
    DevicePools,
    Devices,
    DiskUse,
    InterfaceState,
    ListFile,
    Members,
    Parameter,
    Phones,
    PresentedCertificate,
    Query,
    Reach,
    RegistrationCounts,
    Registrations,
    Replication,
    ServedList,
    ServiceOn,
    ServicesOn,
    ServiceState,
    TftpCounters,
    TimeSync,
    TrustEntry,
    TrustStores,
    UnitsOn,
    VersionOf,
)
from cucm_certflow.names import DeviceClass, Interface, ListKind, Release, Service

__all__ = ["PROBES", "WAYS", "WITHOUT", "Way", "agree", "route_of", "ways_for"]

_ANY: Final = (0, 0)


@attrs.frozen
class Way:
    """One way to have an answer, or to have something done.

    Attributes:
        interface: Over what.
        note: Why it has its place, or what it cannot do.
        since: The first release that has it.
        never: Services that it cannot restart.
    """

    interface: Interface
    note: str
    since: tuple[int, int] = _ANY
    never: frozenset[Service] = frozenset()

    def is_for(self, what: Query | Command) -> bool:
        """Whether *what* is none of the things that it cannot do."""
        return not isinstance(what, RestartService) or what.service not in self.never


_SSH, _AXL = Interface.SSH, Interface.AXL
_CONTROL, _RIS = Interface.CONTROL_CENTER, Interface.RISPORT
_PERFMON, _REST = Interface.PERFMON, Interface.PLATFORM_REST
_TFTP, _TLS = Interface.TFTP_HTTP, Interface.TLS

# fmt: off
WAYS: Final[Mapping[type[Query] | type[Command], tuple[Way, ...]]] = MappingProxyType({
    CertificateOf: (
        Way(_SSH, "its host key does not depend on Tomcat: pins are learnt here, and only here"),
        Way(_REST, "over Tomcat's pinned certificate", (14, 0))),
    UnitsOn: (
        Way(_SSH, "show cert list own"),
        Way(_REST, "the snapshot of the server", (14, 0))),
    CertificateFile: (
        Way(_SSH, "show cert own prints the PEM"),
        Way(_REST, "the snapshot of the server", (14, 0))),
    ListFile: (Way(_TFTP, "the very bytes that a phone would load"),),
    ConfigurationSigner: (Way(_TFTP, "the very bytes that a phone would load"),),
    TrustStores: (
        Way(_REST, "the snapshot of the server: names and certificates in one answer", (14, 0)),
        Way(_SSH, "show cert list trust, and each certificate by itself; no whole listing is "
                  "known from a capture")),
    DatabaseCertificates: (Way(_SSH, "run sql asks the database of that very node"),),
    Replication: (Way(_SSH, "utils dbreplication runtimestate"),),
    TimeSync: (Way(_SSH, "utils ntp status"),),
    DiskUse: (Way(_SSH, "show status"),),
    CoreFiles: (Way(_SSH, "utils core active list"),),
    BackupHistory: (Way(_SSH, "utils disaster_recovery history backup"),),
    BackupStatus: (Way(_SSH, "utils disaster_recovery status backup, and restore"),),
    Devices: (Way(_RIS, "one record a device, by class"),),
    ServiceOn: (
        Way(_CONTROL, "says for how long a service has been up; goes with Tomcat"),
        Way(_SSH, "knows a start only if this session watched it; stays when Tomcat restarts")),
    ServicesOn: (
        Way(_CONTROL, "says for how long a service has been up; goes with Tomcat"),
        Way(_SSH, "stays when Tomcat restarts")),
    ServedList: (Way(_TFTP, "the very bytes that a phone would load"),),
    PresentedCertificate: (Way(_TLS, "a handshake without a request; never a pin"),),
    Registrations: (Way(_RIS, "one record a phone; 10 requests of 1,000 names a minute"),),
    RegistrationCounts: (Way(_PERFMON, "the whole node in one request"),),
    TftpCounters: (Way(_PERFMON, "the whole node in one request"),),
    Members: (
        Way(_SSH, "show network cluster: address, product and authentication of each node"),
        Way(_AXL, "listProcessNode: names and roles")),
    VersionOf: (
        Way(_SSH, "show version active"),
        Way(_AXL, "getCCMVersion, by node")),
    Parameter: (Way(_AXL, "executeSQLQuery"), Way(_SSH, "run sql")),
    Phones: (Way(_AXL, "executeSQLQuery, in pages"), Way(_SSH, "run sql, in pages")),
    CallManagerGroups: (Way(_AXL, "executeSQLQuery"), Way(_SSH, "run sql")),
    DevicePools: (Way(_AXL, "executeSQLQuery"), Way(_SSH, "run sql")),
    Regenerate: (Way(_SSH, "no other interface regenerates a self-signed certificate"),),
    UpdateCtl: (Way(_SSH, "no other interface updates the CTL", (10, 0)),),
    ResetLocalkey: (Way(_SSH, "no other interface resets the lists", (10, 0)),),
    RestartService: (
        Way(_SSH, "watches the restart, and reaches Tomcat and HAProxy too"),
        Way(_CONTROL, "where no shell can be had; never Tomcat or HAProxy",
            never=frozenset({Service.TOMCAT, Service.HAPROXY}))),
    StopService: (Way(_SSH, "watches the service stop"),
                  Way(_CONTROL, "where no shell can be had")),
    StartService: (Way(_SSH, "watches the service start"),
                   Way(_CONTROL, "where no shell can be had")),
    DeleteTrust: (Way(_SSH, "no path for a deletion over REST is known"),),
    ResetPhones: (Way(_AXL, "doDeviceReset, phone by phone"),),
})
"""The ways in order of preference. No order rests on speed alone."""

WITHOUT: Final[Mapping[Interface, str]] = MappingProxyType({
    _SSH: "nothing can be regenerated, and no pin can be learnt: no plan runs",
    _AXL: "database questions go over the platform CLI; phones cannot be reset, so only "
          "procedures without a barrier run",
    _CONTROL: "services are listed over the platform CLI, which knows a start only if it was "
              "watched: a restart whose reply was lost is done again",
    _RIS: "no phone is known to be registered: procedures with a barrier hold",
    _PERFMON: "a cluster of more than 2,000 phones is read whole at each look, which RISPort70's "
              "budget may not allow in time",
    _REST: "certificates and trust stores are read over the platform CLI, one by one",
    _TFTP: "trust lists cannot be read: plans for CallManager and TVS are refused",
    _TLS: "what a port presents is not seen: the proof for Tomcat is not given, and the run holds",
})
"""What is left when an interface cannot be used."""

PROBES: Final[Mapping[Interface, Callable[[str], Query]]] = MappingProxyType({
    _SSH: lambda node: Reach(node, _SSH),  # the session itself knows what it was allowed
    _AXL: VersionOf,
    _CONTROL: ServicesOn,
    _RIS: lambda _: Devices(DeviceClass.HUNT_LIST),  # a handful in any cluster
    _PERFMON: RegistrationCounts,
    _REST: UnitsOn,
    _TFTP: lambda node: ServedList(node, ListKind.ITL),
    _TLS: PresentedCertificate,
})
# fmt: on
"""The small question by which an interface shows whether it answers about a node."""


def ways_for(what: Query | Command, release: Release | None) -> tuple[Way, ...]:
    """The ways for *what* under *release*, in order of preference.

    With no release known yet, only those that every release has.
    """
    known = _ANY if release is None else release.short
    ways = WAYS.get(type(what), ())
    return tuple(way for way in ways if way.since <= known and way.is_for(what))


def route_of(
    what: Query | Command,
    node: str,
    release: Release | None,
    interfaces: Iterable[InterfaceState],
) -> tuple[tuple[Way, ...], tuple[InterfaceState, ...]]:
    """The ways that will be taken for *what* on *node*, and those that cannot be, with why."""
    unusable = {
        state.interface: state
        for state in interfaces
        if state.node == node and state.usable is False
    }
    ways = ways_for(what, release)
    taken = tuple(way for way in ways if way.interface not in unusable)
    return taken, tuple(unusable[way.interface] for way in ways if way.interface in unusable)


def agree(query: Query, one: object, other: object) -> bool:
    """Whether two answers to *query* by two ways say the same, as far as both can know."""
    if isinstance(query, ServicesOn):
        assert isinstance(one, Mapping)
        assert isinstance(other, Mapping)
        return all(_said(one[name]) == _said(other[name]) for name in one if name in other)
    return _said(one) == _said(other)


def _said(value: object) -> object:
    """What every way knows of such a value."""
    if isinstance(value, Certificate):
        return value.fingerprint
    if isinstance(value, ServiceState):
        return (value.status, value.activated)
    if isinstance(value, tuple) and all(isinstance(each, ClusterMember) for each in value):
        return frozenset((member.name, member.is_publisher) for member in value)
    if isinstance(value, tuple) and all(isinstance(each, TrustEntry) for each in value):
        return frozenset((entry.store, entry.certificate.fingerprint) for entry in value)
    if isinstance(value, tuple) and all(isinstance(each, str) for each in value):
        return frozenset(value)
    return value
