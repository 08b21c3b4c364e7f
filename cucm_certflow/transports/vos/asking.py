"""Which commands answer which question about a node, and how their texts become the answer."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence

from cucm_certflow.errors import NodeFault, Report, UnknownLayout, UsageError
from cucm_certflow.facts import (
    Backup,
    BackupActivity,
    BackupHistory,
    BackupStatus,
    CallManagerGroups,
    Certificate,
    CertificateFile,
    CertificateOf,
    CoreFiles,
    DatabaseCertificates,
    DevicePools,
    DiskUse,
    Members,
    Parameter,
    Phones,
    Query,
    Replication,
    TimeSync,
    TrustEntry,
    TrustStores,
    UnitsOn,
    VersionOf,
)
from cucm_certflow.transports.queries import DatabaseReader
from cucm_certflow.transports.vos import health, parsers, stores
from cucm_certflow.trust.x509 import certificate_from_der, certificate_from_pem, normalised_pem

__all__ = ["ABOUT_CLUSTER", "ABOUT_NODE", "Questions"]

ABOUT_CLUSTER = (
    Members,
    Parameter,
    Phones,
    CallManagerGroups,
    DevicePools,
    Replication,
    BackupHistory,
    BackupStatus,
)
"""Questions about the cluster: its publisher is asked."""

ABOUT_NODE = (
    CertificateOf,
    CertificateFile,
    UnitsOn,
    VersionOf,
    TrustStores,
    DatabaseCertificates,
    TimeSync,
    DiskUse,
    CoreFiles,
)
"""Questions that each node answers about itself; those about services are asked elsewhere."""

_PHONES_A_PAGE = 500
"""Ours, not measured: a table that a shell prints well within a read's time."""


class Questions:
    """Asks one node's command line.

    Args:
        read: Runs a command that only looks; raises NodeError if its text cannot be had.
        node_name: From ``processnode.name`` to the name that the rest of the library uses.
    """

    def __init__(
        self, read: Callable[[str], Awaitable[str]], node_name: Callable[[str], str]
    ) -> None:
        self._read = read
        self._database = DatabaseReader(self._rows, node_name, page=_PHONES_A_PAGE)

    async def answer(self, query: Query) -> object:
        """The value that answers *query*, which is one of those above; NodeError if there is none.

        All of it or nothing: a trust store of which one certificate cannot be read has no answer.
        """
        match query:
            case CertificateOf(unit=unit):
                return await self.certificate(unit.value)
            case CertificateFile(unit=unit):
                return normalised_pem(await self._pem(unit.value))
            case UnitsOn():
                return await self.own_certificates()
            case VersionOf():
                return parsers.version_active(await self._read("show version active"))
            case TrustStores():
                return await self.trust_stores()
            case DatabaseCertificates():
                return stores.database_certificates(await self._read_database())
            case TimeSync():
                return health.ntp_status(await self._read("utils ntp status"))
            case DiskUse():
                return health.disk_use(await self._read("show status"))
            case CoreFiles():
                return health.core_files(await self._read("utils core active list"))
            case Members():
                return parsers.network_cluster(await self._read("show network cluster"))
            case Replication():
                return health.replication(await self._read("utils dbreplication runtimestate"))
            case BackupHistory():
                return await self.backup_history()
            case BackupStatus():
                return await self.backup_status()
            case _:
                return await self._of_database(query)

    async def _of_database(self, query: Query) -> object:
        match query:
            case Parameter(name):
                return await self._database.parameter(name)
            case Phones():
                return await self._database.phones()
            case CallManagerGroups():
                return await self._database.groups()
            case DevicePools():
                return await self._database.pools()
            case _:
                raise AssertionError(query)

    # ── certificates ──────────────────────────────────────────────────────────────────────

    async def own_certificates(self) -> tuple[str, ...]:
        """The units that have a certificate here."""
        text = await self._read("show cert list own")
        return tuple(own.unit for own in parsers.own_certificates(text))

    async def certificate(self, unit: str) -> Certificate:
        """The identity certificate of *unit*, from its PEM.

        Raises:
            UsageError: *unit* is none. Nothing was sent.
        """
        return certificate_from_pem(await self._pem(unit))

    async def _pem(self, unit: str) -> str:
        if not re.fullmatch(r"[A-Za-z][\w-]*", unit):
            raise UsageError(Report(headline=f"no certificate unit: {unit!r}"))
        return parsers.own_certificate_pem(await self._read(f"show cert own {unit}"))

    async def trust_stores(self) -> tuple[TrustEntry, ...]:
        """Everything that the node trusts; one command for each certificate.

        Where a certificate is described and not printed, it is looked for in the node's database.
        """
        listed = stores.trusted_certificates(await self._read("show cert list trust"))
        database: tuple[bytes, ...] | None = None
        found: list[TrustEntry] = []
        for store, file in listed:
            text = await self._read(f"show cert trust {store}/{file}")
            if stores.has_pem(text):
                certificate = certificate_from_pem(stores.trusted_certificate_pem(text))
            else:
                if database is None:
                    database = stores.ders_in_database(await self._read_database())
                certificate = certificate_from_der(stores.certificate_named(text, database))
            found.append(TrustEntry(store=store, name=file, certificate=certificate))
        return tuple(found)

    async def _read_database(self) -> str:
        return await self._read(f"run sql {stores.DATABASE_CERTIFICATES}")

    # ── backups ───────────────────────────────────────────────────────────────────────────

    async def backup_history(self) -> tuple[Backup, ...]:
        """The backups that are remembered; the node's zone is read only if it is needed."""
        text = await self._read("utils disaster_recovery history backup")
        zone = None
        if health.zones_left_open(text):
            try:
                zone = health.time_zone(await self._read("show status"))
            except (NodeFault, UnknownLayout):
                zone = None  # then nobody knows when those backups were
        return health.backup_history(text, zone)

    async def backup_status(self) -> BackupActivity:
        """Whether a backup or a restore runs: idle only if the node says so of both."""
        for operation in ("backup", "restore"):
            text = await self._read(f"utils disaster_recovery status {operation}")
            if health.backup_activity(text, operation) is BackupActivity.RUNNING:
                return BackupActivity.RUNNING
        return BackupActivity.IDLE

    # ── the database ──────────────────────────────────────────────────────────────────────

    async def sql(self, statement: str) -> tuple[Mapping[str, str | None], ...]:
        """Rows of a ``select``, by column.

        Raises:
            UsageError: *statement* is no ``select``. Nothing was sent.
        """
        if not re.match(r"select\s", statement, re.IGNORECASE):
            raise UsageError(Report(headline="only select is read with", saw=statement[:80]))
        return parsers.sql_table(await self._read(f"run sql {statement}"))

    async def _rows(self, statement: str) -> Sequence[Mapping[str, str]]:
        """As :meth:`sql`; what is null is an empty text."""
        return [
            {name: value or "" for name, value in row.items()} for row in await self.sql(statement)
        ]
