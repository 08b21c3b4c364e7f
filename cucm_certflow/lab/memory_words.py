"""Who answers a question of the lab in memory, with which words faults name it, by which way."""

from __future__ import annotations

from typing import Final

from cucm_certflow.facts import (
    BackupHistory,
    BackupStatus,
    CallManagerGroups,
    CertificateFile,
    CertificateOf,
    ConfigurationSigner,
    CoreFiles,
    DatabaseCertificates,
    DevicePools,
    Devices,
    DiskUse,
    Interfaces,
    ListFile,
    Members,
    Parameter,
    Phones,
    PhoneTrustList,
    PresentedCertificate,
    Query,
    Reach,
    RegistrationCounts,
    Registrations,
    Replication,
    ReplyTo,
    ServedList,
    ServiceOn,
    ServicesOn,
    TftpCounters,
    TimeSync,
    TrustStores,
    UnitsOn,
    VersionOf,
)
from cucm_certflow.lab.memory_reach import words_of_reach
from cucm_certflow.names import PORTS, CertUnit, Interface

__all__ = ["CLI", "TOMCAT_PORT", "asked"]

CLI: Final = Interface.SSH
TOMCAT_PORT: Final = PORTS[CertUnit.TOMCAT]


def asked(query: Query, publisher: str) -> tuple[str, tuple[str, ...], str]:  # noqa: PLR0912 - a table of questions
    """Which node is asked, with which words and in which others, by which way."""
    match query:
        case CertificateOf(node, unit):
            return node, (f"show cert own {unit.value}",), CLI
        case ServedList(node, kind):
            return (
                node,
                (f"http 6970 {kind.file_name}", f"show {kind.value.lower()}"),
                Interface.TFTP_HTTP,
            )
        case ServiceOn(node):
            return node, ("utils service list",), CLI
        case PresentedCertificate(node, port):
            words = "https 8443" if port == TOMCAT_PORT else f"tls {port}"
            return node, (words,), Interface.TLS
        case CertificateFile(node, unit):
            return node, (f"show cert own {unit.value}",), CLI
        case ListFile(node, kind):
            return (
                node,
                (f"http 6970 {kind.file_name}", f"show {kind.value.lower()}"),
                Interface.TFTP_HTTP,
            )
        case ConfigurationSigner(node, phone):
            return node, (f"http 6970 {phone}.cnf.xml.sgn",), Interface.TFTP_HTTP
        case TrustStores(node):
            return node, ("show cert list trust",), CLI
        case DatabaseCertificates(node):
            return node, ("run sql",), CLI
        case TimeSync(node):
            return node, ("utils ntp status",), CLI
        case DiskUse(node):
            return node, ("show status",), CLI
        case CoreFiles(node):
            return node, ("utils core active list",), CLI
        case Replication():
            return publisher, ("utils dbreplication runtimestate",), CLI
        case BackupHistory():
            return publisher, ("utils disaster_recovery history backup",), CLI
        case BackupStatus():
            return publisher, ("utils disaster_recovery status backup",), CLI
        case Devices():
            return publisher, ("selectCmDevice",), Interface.RISPORT
        case Registrations():
            return publisher, ("selectCmDeviceExt",), Interface.RISPORT
        case PhoneTrustList(phone):
            return publisher, (f"http {phone} DeviceLogX",), "phone"
        case ServicesOn(node):
            return node, ("utils service list",), CLI
        case UnitsOn(node):
            return node, ("show cert list own",), CLI
        case VersionOf(node):
            return node, ("show version active",), CLI
        case Members():
            return publisher, ("show network cluster",), CLI
        case Parameter() | Phones() | CallManagerGroups() | DevicePools():
            return publisher, ("executeSQLQuery",), Interface.AXL
        case RegistrationCounts() | TftpCounters():
            return publisher, ("perfmonCollectCounterData",), Interface.PERFMON
        case Reach():
            return words_of_reach(query, publisher)
        case Interfaces():
            return publisher, ("interfaces",), "lab"
        case ReplyTo():
            raise AssertionError(query)
