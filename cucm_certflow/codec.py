"""Facts, questions and commands as JSON and back: for journals and for recordings."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any, Final, TypeVar, get_args

from cattrs import Converter
from cattrs.preconf.json import make_converter

from cucm_certflow.commands import Command, Reply
from cucm_certflow.facts import (
    Backup,
    BackupActivity,
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
    Fact,
    Interfaces,
    InterfaceState,
    Known,
    ListFile,
    ListView,
    Members,
    NtpStatus,
    Parameter,
    Phone,
    PhoneLists,
    Phones,
    PhoneTrustList,
    PresentedCertificate,
    Query,
    Reach,
    Reached,
    Registration,
    RegistrationCounts,
    Registrations,
    Replication,
    ReplyTo,
    ServedList,
    ServiceOn,
    ServicesOn,
    ServiceState,
    TftpCounters,
    TimeSync,
    TrustEntry,
    TrustStores,
    UnitsOn,
    Unknown,
    VersionOf,
)
from cucm_certflow.names import ListKind, Release

__all__ = [
    "VALUES",
    "command_from_json",
    "command_to_json",
    "fact_converter",
    "fact_from_json",
    "fact_to_json",
    "list_from_json",
    "list_to_json",
    "query_from_json",
    "query_to_json",
    "reply_from_json",
    "reply_to_json",
]

T = TypeVar("T")

Json = dict[str, Any]

VALUES: Final[Mapping[type[Query], Any]] = types.MappingProxyType(
    {
        CertificateOf: Certificate,
        ServedList: ListView | None,
        ServiceOn: ServiceState,
        ServicesOn: Mapping[str, ServiceState],
        UnitsOn: tuple[str, ...],
        CertificateFile: str,
        ListFile: bytes | None,
        ConfigurationSigner: str | None,
        TrustStores: tuple[TrustEntry, ...],
        DatabaseCertificates: frozenset[str],
        Replication: Mapping[str, int],
        TimeSync: NtpStatus,
        DiskUse: Mapping[str, int],
        CoreFiles: tuple[str, ...],
        BackupHistory: tuple[Backup, ...],
        BackupStatus: BackupActivity,
        Devices: Mapping[str, Registration],
        PresentedCertificate: str,
        Registrations: Mapping[str, Registration],
        PhoneTrustList: PhoneLists,
        RegistrationCounts: Mapping[str, int],
        TftpCounters: Mapping[str, int],
        Members: tuple[ClusterMember, ...],
        VersionOf: str,
        Parameter: str,
        Phones: tuple[Phone, ...],
        CallManagerGroups: Mapping[str, tuple[str, ...]],
        DevicePools: Mapping[str, str],
        Interfaces: tuple[InterfaceState, ...],
        Reach: Reached,
        ReplyTo: Reply,
    }
)
"""The type of the value that answers each class of question."""


def fact_converter() -> Converter:
    """A converter for everything in facts and commands; the caller may add to it."""
    converter = make_converter(forbid_extra_keys=True)
    # Tuples with names are written as arrays; cattrs does not see through postponed annotations.
    converter.register_unstructure_hook(Release, list)
    converter.register_structure_hook(Release, lambda value, _: Release(*value))
    converter.register_unstructure_hook(ListView, list_to_json)
    converter.register_structure_hook(ListView, lambda value, _: list_from_json(value))
    return converter


def list_to_json(view: ListView) -> list[Any]:
    """*view* as an array, its sets in order."""
    sets = [sorted(part) for part in (view.sast, view.tftp, view.ccm, view.pin, view.capf)]
    return [view.kind.value, view.signer, *sets, view.digest, view.token, view.records, view.size]


def list_from_json(value: Any) -> ListView:  # noqa: ANN401 - it comes from JSON
    """The list that :func:`list_to_json` wrote."""
    kind, signer, sast, tftp, ccm, pin, capf, digest, token, records, size = value
    return ListView(
        kind=ListKind(kind),
        signer=signer,
        sast=frozenset(sast),
        tftp=frozenset(tftp),
        ccm=frozenset(ccm),
        pin=frozenset(pin),
        digest=digest,
        capf=frozenset(capf),
        token=token,
        records=records,
        size=size,
    )


_CONVERTER: Final = fact_converter()
_QUERIES: Final[Mapping[str, type[Query]]] = {kind.__name__: kind for kind in get_args(Query)}
_COMMANDS: Final[Mapping[str, type[Command]]] = {kind.__name__: kind for kind in get_args(Command)}


def query_to_json(query: Query) -> Json:
    """*query* with the name of its class under ``query``."""
    return {"query": type(query).__name__, **_CONVERTER.unstructure(query)}


def query_from_json(value: object) -> Query:
    """The question that :func:`query_to_json` wrote.

    Raises:
        ValueError: *value* is none.
    """
    return _tagged(value, _QUERIES, "query")


def command_to_json(command: Command) -> Json:
    """*command* with the name of its class under ``command``."""
    return {"command": type(command).__name__, **_CONVERTER.unstructure(command)}


def command_from_json(value: object) -> Command:
    """The command that :func:`command_to_json` wrote.

    Raises:
        ValueError: *value* is none.
    """
    return _tagged(value, _COMMANDS, "command")


def fact_to_json(query: Query, fact: Fact) -> Json:
    """*fact*, the answer to *query*.

    Raises:
        ValueError: Its value is not of the type that answers such a question.
    """
    if isinstance(fact, Unknown):
        return {"fact": "Unknown", **_CONVERTER.unstructure(fact)}
    try:
        value = _CONVERTER.unstructure(fact.value, unstructure_as=VALUES[type(query)])
    except Exception as error:
        raise _wrong(f"answer to {type(query).__name__}", error) from error
    return {"fact": "Known", "value": value, "at": fact.at.isoformat(), "by": fact.by}


def fact_from_json(query: Query, value: object) -> Fact:
    """The answer to *query* that :func:`fact_to_json` wrote.

    Raises:
        ValueError: *value* is none, or is one to another question.
    """
    try:
        body = _object(value)
        kind = body.pop("fact")
        if kind == "Unknown":
            return _CONVERTER.structure(body, Unknown)
        if kind != "Known":
            raise ValueError(kind)
        known = _CONVERTER.structure(body, Known)
        inner = _CONVERTER.structure(known.value, VALUES[type(query)])
        return Known(inner, known.at, known.by)
    except Exception as error:
        raise _wrong(f"answer to {type(query).__name__}", error) from error


def reply_to_json(reply: Reply) -> Json:
    """*reply* as an object."""
    written: Json = _CONVERTER.unstructure(reply)
    return written


def reply_from_json(value: object) -> Reply:
    """The reply that :func:`reply_to_json` wrote.

    Raises:
        ValueError: *value* is none.
    """
    try:
        return _CONVERTER.structure(value, Reply)
    except Exception as error:
        raise _wrong("reply", error) from error


def _tagged(value: object, kinds: Mapping[str, type[T]], tag: str) -> T:
    try:
        body = _object(value)
        return _CONVERTER.structure(body, kinds[body.pop(tag)])
    except Exception as error:
        raise _wrong(tag, error) from error


def _object(value: object) -> Json:
    if not isinstance(value, dict):
        raise TypeError
    return dict(value)


def _wrong(what: str, error: Exception) -> ValueError:
    # Only the kind of the error: its text would repeat what was read.
    return ValueError(f"no {what} of this version: {type(error).__name__}")
