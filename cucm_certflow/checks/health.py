"""Checks of the cluster itself: its nodes, databases, clocks, disks and backups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Final

from cucm_certflow.checks.scope import Scope
from cucm_certflow.checks.vocabulary import Check, Doubt, Fault, Remark, Seen, asks_for, names
from cucm_certflow.core.requirements import short_name
from cucm_certflow.facts import (
    Backup,
    BackupActivity,
    BackupHistory,
    BackupStatus,
    ClusterMember,
    CoreFiles,
    DatabaseCertificates,
    DiskUse,
    Members,
    NtpStatus,
    Parameter,
    Query,
    Replication,
    TimeSync,
)
from cucm_certflow.findings import Severity
from cucm_certflow.names import MODE_PARAMETER, CertUnit, SecurityMode
from cucm_certflow.procedures.vocabulary import Source

__all__ = ["CLUSTER_AUTHENTICATED", "HEALTH", "REPLICATION", "ROLLBACK_PARAMETER"]

ROLLBACK: Final = "RollBackToPreGrayback"
"""*Prepare Cluster for Rollback to pre 8.0*, as the table processconfig names it."""

_GOOD: Final = 2
_HEALTH_TEXTS: Final = Source(
    "Cisco, changing the IP address or host name of a node",
    "health before the change",
    "read off `utils dbreplication runtimestate`, `show network cluster` and their like",
)
_HEALTH_SCRIPT: Final = Source(
    "a public health-check script", "before a change", "its list; the figures are our choice"
)
_UNREADABLE: Final = Source("DESIGN", "§3", "unknown is never read as yes or no")


# ── nodes ─────────────────────────────────────────────────────────────────────────────────


def _all_read(scope: Scope) -> Iterator[Remark]:
    for text in scope.facts.unknown:
        yield Doubt(text)
    yield Seen(f"{len(scope.facts.nodes)} nodes read: {names(n.name for n in scope.facts.nodes)}")


def _mode(scope: Scope) -> Iterator[Remark]:
    for _, value in scope.each((Parameter(MODE_PARAMETER),)):
        if value not in {mode.value for mode in SecurityMode}:
            yield Doubt(f"the cluster security mode reads {value[:40]!r}, neither 0 nor 1")
        elif value != scope.facts.mode.value:
            yield Fault(
                f"the cluster security mode is {value} now, and discovery saw "
                f"{scope.facts.mode.value}: it was changed in between"
            )
        else:
            yield Seen(f"cluster security mode {value}")


def _members(scope: Scope) -> Iterator[Remark]:
    found = {node.name for node in scope.facts.nodes}
    for _, members in scope.each((Members(),)):
        listed = {member.name for member in members}
        for name in sorted(listed - found):
            yield Fault(f"{name} belongs to the cluster and was not read: is it in the inventory?")
        for name in sorted(found - listed):
            yield Fault(f"{name} was read, and the cluster does not list it")
        yield Seen(f"the cluster lists {names(listed)}")


def _releases(scope: Scope) -> Iterator[Remark]:
    nodes = scope.callmanagers
    lines = "; ".join(f"{node.name}: {node.release}" for node in nodes)
    if len({node.release.short for node in nodes}) > 1:
        yield Fault(f"the nodes run different releases: {lines}")
    elif len({node.release.full for node in nodes}) > 1:
        yield Fault(f"the nodes run different versions of one release: {lines}")
    else:
        yield Seen(f"all run {nodes[0].release}")


def _authenticated(scope: Scope) -> Iterator[Remark]:
    for _, members in scope.each((Members(),)):
        listed: tuple[ClusterMember, ...] = members
        for member in listed:
            if member.authenticated is None:
                yield Doubt(f"nobody says whether {member.name} is authenticated")
            elif not member.authenticated:
                yield Fault(f"{member.name} is not authenticated in `show network cluster`")
        yield Seen(f"authenticated: {names(m.name for m in listed if m.authenticated)}")


# ── database ──────────────────────────────────────────────────────────────────────────────


def _replication(scope: Scope) -> Iterator[Remark]:
    nodes = scope.callmanagers
    for _, states in scope.each((Replication(),)):
        given: Mapping[str, int] = states
        if not given and len(nodes) == 1:
            yield Seen("a single node: nothing is replicated")
            continue
        for node in nodes:
            if short_name(node.name) not in {short_name(printed) for printed in given}:
                yield Fault(f"{node.name} is missing in the table of replication states")
        for printed, state in sorted(given.items()):
            if state != _GOOD:
                shown = "not set up" if state < 0 else str(state)
                yield Fault(f"replication on {printed} is {shown}, not {_GOOD}")
        yield Seen(f"replication is {_GOOD} on {names(given)}")


def _databases(scope: Scope) -> tuple[Query, ...]:
    return tuple(DatabaseCertificates(node.name) for node in scope.callmanagers)


def _own_databases(scope: Scope) -> Iterator[Remark]:
    # What TVS answers from, and what is asked for. That nodes of IM and Presence hold CUCM's
    # certificates in their own database is documented nowhere: they are not asked.
    units = sorted(scope.units | {CertUnit.CALLMANAGER, CertUnit.TVS})
    for query, held in scope.each(_databases(scope)):
        for node in scope.callmanagers:
            for unit in units:
                certificate = node.certificates.get(unit)
                if certificate is not None and certificate.fingerprint not in held:
                    yield Fault(
                        f"the database of {query.node} does not hold {unit} of {node.name} "
                        f"with serial {certificate.serial}"
                    )
        yield Seen(f"{query.node} holds the present certificates itself")


# ── platform ──────────────────────────────────────────────────────────────────────────────


def _clocks(scope: Scope) -> tuple[Query, ...]:
    return tuple(TimeSync(node.name) for node in scope.facts.in_order)


def _synchronised(scope: Scope) -> Iterator[Remark]:
    for query, value in scope.each(_clocks(scope)):
        status: NtpStatus = value
        if status.synchronised:
            yield Seen(f"{query.node} is synchronised, stratum {status.stratum}")
        else:
            yield Fault(f"{query.node} is not synchronised: a certificate's dates may be wrong")


def _disks(scope: Scope) -> tuple[Query, ...]:
    return tuple(DiskUse(node.name) for node in scope.facts.in_order)


def _room(scope: Scope) -> Iterator[Remark]:
    limits = scope.limits
    for query, value in scope.each(_disks(scope)):
        partitions: Mapping[str, int] = value
        for name, percent in sorted(partitions.items()):
            text = f"{query.node}: partition {name} is {percent} % full"
            if percent >= limits.disk_full_percent:
                yield Fault(text)
            elif percent >= limits.disk_warning_percent:
                yield Fault(text, severity=Severity.WARNING)
            else:
                yield Seen(text)
        if not partitions:
            yield Doubt(f"{query.node} names no partition")


def _cores(scope: Scope) -> tuple[Query, ...]:
    return tuple(CoreFiles(node.name) for node in scope.facts.in_order)


def _no_cores(scope: Scope) -> Iterator[Remark]:
    for query, files in scope.each(_cores(scope)):
        if files:
            yield Fault(f"{query.node} has core files: {names(files)}")
        else:
            yield Seen(f"{query.node} has no core file")


# ── backup ────────────────────────────────────────────────────────────────────────────────


def _fresh_backup(scope: Scope) -> Iterator[Remark]:
    for _, value in scope.each((BackupHistory(),)):
        history: tuple[Backup, ...] = value
        good = [backup for backup in history if backup.succeeded]
        dated = [backup.at for backup in good if backup.at is not None]
        limit = scope.now - timedelta(days=scope.limits.backup_days)
        if not good:
            yield Fault("no backup that succeeded is known")
        elif any(at >= limit for at in dated):
            yield Seen(f"the last backup that succeeded is of {max(dated):%Y-%m-%d %H:%M} UTC")
        elif len(dated) < len(good):
            yield Doubt("a backup succeeded whose printed time zone is not known")
        else:
            age = (scope.now - max(dated)).total_seconds() / 86400
            yield Fault(f"the last backup that succeeded is {age:.1f} days old")


def _idle(scope: Scope) -> Iterator[Remark]:
    for _, activity in scope.each((BackupStatus(),)):
        if activity is BackupActivity.IDLE:
            yield Seen("no backup or restore is running")
        else:
            yield Fault("a backup or a restore is running")


def _rollback(scope: Scope) -> Iterator[Remark]:
    for _, value in scope.each((Parameter(ROLLBACK),)):
        word = str(value).strip().lower()
        if word in {"f", "false", "0"}:
            yield Seen(f"{ROLLBACK} = {value}")
        elif word in {"t", "true", "1"}:
            yield Fault("Prepare Cluster for Rollback to pre 8.0 is True: phones hold empty lists")
        else:
            yield Doubt(f"{ROLLBACK} reads {str(value)[:40]!r}, neither F nor T")


# ── the table ─────────────────────────────────────────────────────────────────────────────

REPLICATION: Final = Check(
    id="replication",
    title="database replication is good on every node",
    severity=Severity.BLOCK,
    source=_HEALTH_TEXTS,
    unlock="replication repaired until `utils dbreplication runtimestate` shows 2 on every node: "
    "TVS answers from each node's own database",
    asks=asks_for(Replication()),
    remarks=_replication,
)
CLUSTER_AUTHENTICATED: Final = Check(
    id="cluster-authenticated",
    title="the nodes authenticate each other",
    severity=Severity.BLOCK,
    source=Source("Cisco administration guide 15", "Manage IPsec"),
    unlock="every node `authenticated` in `show network cluster`; after a change of ipsec, "
    "`utils ipsec restart` on both ends",
    asks=asks_for(Members()),
    remarks=_authenticated,
)
ROLLBACK_PARAMETER: Final = Check(
    id="rollback-parameter",
    title="the cluster is not prepared for a rollback to a release before 8.0",
    # Not a block: the guide demands True on a central TFTP cluster, and nobody but a person knows
    # that this is one (D24).
    severity=Severity.CONSENT,
    source=Source(
        "Cisco security guide 12.5(1)SU6",
        "Default Security",
        "D24: True belongs on a central TFTP cluster, and nowhere else",
    ),
    unlock="the parameter False, ten minutes and a reset of all phones; or say that this is the "
    "central TFTP cluster of others",
    asks=asks_for(Parameter(ROLLBACK)),
    remarks=_rollback,
)

HEALTH: Final = (
    Check(
        id="facts-known",
        title="discovery has read everything",
        severity=Severity.BLOCK,
        source=_UNREADABLE,
        unlock="an answer to each, or the node mended; a plan over unknown facts is refused anyway",
        remarks=_all_read,
    ),
    Check(
        id="mode-known",
        title="the cluster security mode is known",
        severity=Severity.BLOCK,
        source=Source("Cisco TAC 214231", "security mode", "point P4"),
        unlock="a readable parameter Cluster Security Mode, and a new discovery",
        asks=asks_for(Parameter(MODE_PARAMETER)),
        remarks=_mode,
    ),
    Check(
        id="inventory-complete",
        title="the nodes that were read are those of the cluster",
        severity=Severity.BLOCK,
        source=_UNREADABLE,
        unlock="an inventory that names every node of the cluster, and no other",
        asks=asks_for(Members()),
        remarks=_members,
    ),
    Check(
        id="one-release",
        title="all nodes run the same version",
        severity=Severity.BLOCK,
        source=Source("cucm_certflow", "procedures are chosen by the publisher's release"),
        unlock="an upgrade that is finished on every node",
        remarks=_releases,
    ),
    CLUSTER_AUTHENTICATED,
    REPLICATION,
    Check(
        id="database-certificates",
        title="each node's own database holds the present certificates",
        severity=Severity.BLOCK,
        source=Source(
            "cucm_certflow field notes",
            "§8",
            "good replication does not prove that a node has the newest",
        ),
        unlock="replication repaired; then ask the node again (`run sql` there)",
        asks=_databases,
        remarks=_own_databases,
    ),
    Check(
        id="time-synchronised",
        title="every node's clock is synchronised",
        severity=Severity.CONSENT,
        source=_HEALTH_SCRIPT,
        unlock="`utils ntp status` synchronised on every node",
        asks=_clocks,
        remarks=_synchronised,
    ),
    Check(
        id="disk-room",
        title="no partition is nearly full",
        severity=Severity.CONSENT,
        source=_HEALTH_SCRIPT,
        unlock="room on the partition, or say why it does not matter",
        asks=_disks,
        remarks=_room,
    ),
    Check(
        id="core-files",
        title="no node has core files",
        severity=Severity.WARNING,
        source=_HEALTH_SCRIPT,
        unlock="find out which service crashed, and why",
        asks=_cores,
        remarks=_no_cores,
    ),
    Check(
        id="backup-fresh",
        title="a backup that succeeded is fresh",
        severity=Severity.CONSENT,
        source=Source("Cisco security guide 14SU2", "Certificates", "back up before regenerating"),
        unlock="a new backup; or say where the cluster is backed up otherwise",
        asks=asks_for(BackupHistory()),
        remarks=_fresh_backup,
    ),
    Check(
        id="backup-idle",
        title="no backup or restore is running",
        severity=Severity.BLOCK,
        source=Source("Cisco TAC 217138", "ipsec", "no backup or restore task may be running"),
        unlock="the end of the running task",
        asks=asks_for(BackupStatus()),
        remarks=_idle,
    ),
    ROLLBACK_PARAMETER,
)
"""The checks before a change that are about the cluster as a whole."""
