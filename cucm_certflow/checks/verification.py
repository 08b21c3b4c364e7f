"""The table of everything that is looked at, or asked, after the last change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cucm_certflow.checks.asked import ASKED_AFTER
from cucm_certflow.checks.health import CLUSTER_AUTHENTICATED, REPLICATION, ROLLBACK_PARAMETER
from cucm_certflow.checks.lists import LISTS_AFTER
from cucm_certflow.checks.phones import PHONES_BACK
from cucm_certflow.checks.scope import Scope
from cucm_certflow.checks.vocabulary import Check, Doubt, Fault, Remark, Seen, asked_check, asks_for
from cucm_certflow.core.plan import CertificateKey
from cucm_certflow.facts import (
    Backup,
    BackupHistory,
    Certificate,
    DatabaseCertificates,
    PresentedCertificate,
    Query,
    TrustEntry,
    TrustStores,
)
from cucm_certflow.findings import Severity
from cucm_certflow.names import PORTS, SERVED_BY, CertUnit, KeyAlgorithm
from cucm_certflow.procedures.partners import PARTNER_TASKS, PartnerTask, tasks_for
from cucm_certflow.procedures.vocabulary import ReleaseRange, Source

__all__ = ["VERIFICATION"]

_EVERY_NODE: Final = Source("Cisco TAC 214231", "after the change", "new serial on every node")
_IN_SERVICE: Final = Source(
    "cucm_certflow field notes", "§8", "in service: the port answers TLS with the new certificate"
)


def _keys(scope: Scope) -> tuple[CertificateKey, ...]:
    return scope.change.certificates if scope.change else ()


def _shown(scope: Scope, key: CertificateKey, *, before: bool = False) -> Certificate | None:
    """The certificate of *key* as it is now, or as it was."""
    facts = scope.change.before if before and scope.change else scope.facts
    for node in facts.nodes:
        if node.name == key.node:
            return node.certificates.get(key.unit)
    return None


# ── new everywhere ────────────────────────────────────────────────────────────────────────


def _new(scope: Scope) -> Iterator[Remark]:
    for key in _keys(scope):
        old, now = _shown(scope, key, before=True), _shown(scope, key)
        if old is None or now is None:
            yield Doubt(f"{key} is not readable")
        elif old.fingerprint == now.fingerprint:
            yield Fault(f"{key} still has serial {now.serial}")
        else:
            yield Seen(f"{key}: {old.serial} > {now.serial}")


def _databases(scope: Scope) -> tuple[Query, ...]:
    products = {node.name: node.product for node in scope.facts.nodes}
    touched = {products.get(key.node) for key in _keys(scope)}
    return tuple(
        DatabaseCertificates(node.name) for node in scope.facts.in_order if node.product in touched
    )


def _in_databases(scope: Scope) -> Iterator[Remark]:
    products = {node.name: node.product for node in scope.facts.nodes}
    for query, held in scope.each(_databases(scope)):
        # As before the change: CUCM's nodes answer for CUCM, those of IM and Presence for theirs.
        keys = [k for k in _keys(scope) if products.get(k.node) is products[query.node]]
        missing = [
            key
            for key in keys
            if (now := _shown(scope, key)) is not None and now.fingerprint not in held
        ]
        for key in missing:
            yield Fault(f"the database of {query.node} does not hold the new {key}")
        if not missing:
            yield Seen(f"the database of {query.node} holds what is new")


def _port_of(scope: Scope, key: CertificateKey) -> PresentedCertificate | None:
    """Where *key* is presented; None if nothing that runs presents it on a port that is known."""
    service = SERVED_BY.get(key.unit)
    for node in scope.facts.nodes:
        if node.name == key.node and service is not None and node.runs(service):
            kind = KeyAlgorithm.EC if key.unit.value.endswith("-ECDSA") else KeyAlgorithm.RSA
            return PresentedCertificate(node.name, PORTS[key.unit], kind)
    return None


def _ports(scope: Scope) -> tuple[Query, ...]:
    return tuple(port for key in _keys(scope) if (port := _port_of(scope, key)) is not None)


def _presented(scope: Scope) -> Iterator[Remark]:
    for key in _keys(scope):
        port, now = _port_of(scope, key), _shown(scope, key)
        if port is None or now is None:
            continue
        for _, fingerprint in scope.each((port,)):
            where = f"port {port.port} of {key.node}"
            if fingerprint == now.fingerprint:
                yield Seen(f"{where} presents the new {key.unit}")
            else:
                yield Fault(f"{where} presents another certificate than {key}")


# ── trust stores and backups ──────────────────────────────────────────────────────────────


def _subscribers(scope: Scope) -> tuple[Query, ...]:
    return tuple(TrustStores(node.name) for node in scope.callmanagers if not node.is_publisher)


def _ipsec_trusted(scope: Scope) -> Iterator[Remark]:
    publisher = scope.facts.publisher
    own = publisher.certificates.get(CertUnit.IPSEC)
    if own is None:
        yield Doubt(f"{publisher.name} shows no ipsec certificate")
        return
    if own.not_after is not None and own.not_after <= scope.now:
        yield Fault(f"ipsec on {publisher.name} expired on {own.not_after:%Y-%m-%d}")
    for query, entries in scope.each(_subscribers(scope)):
        store: tuple[TrustEntry, ...] = entries
        held = {e.certificate.fingerprint for e in store if e.store == "ipsec-trust"}
        if own.fingerprint in held:
            yield Seen(f"ipsec-trust on {query.node} holds serial {own.serial}")
        else:
            yield Fault(
                f"ipsec-trust on {query.node} does not hold the publisher's ipsec certificate, "
                f"serial {own.serial}"
            )


def _all_stores(scope: Scope) -> tuple[Query, ...]:
    return tuple(TrustStores(node.name) for node in scope.facts.in_order)


def _nothing_old(scope: Scope) -> Iterator[Remark]:
    old = {
        before.fingerprint: key
        for key in _keys(scope)
        if (before := _shown(scope, key, before=True)) is not None
    }
    for query, entries in scope.each(_all_stores(scope)):
        store: tuple[TrustEntry, ...] = entries
        lingering = [e for e in store if e.certificate.fingerprint in old]
        for entry in lingering:
            key = old[entry.certificate.fingerprint]
            yield Fault(f"{query.node} still trusts the old {key}, {entry.store}/{entry.name}")
        if not lingering:
            yield Seen(f"{query.node} trusts none of the old certificates")


def _deleted(scope: Scope) -> Iterator[Remark]:
    entries = scope.change.entries if scope.change else ()
    gone = {(entry.store, entry.fingerprint): entry for entry in entries}
    for query, held in scope.each(_all_stores(scope)):
        store: tuple[TrustEntry, ...] = held
        back = [e for e in store if (e.store, e.certificate.fingerprint) in gone]
        for entry in back:
            yield Fault(f"{query.node} has {entry.store}/{entry.name} still, or again")
        if not back:
            yield Seen(f"{query.node} has none of the deleted certificates")


def _new_backup(scope: Scope) -> Iterator[Remark]:
    changed_at = scope.change.changed_at if scope.change else None
    for _, value in scope.each((BackupHistory(),)):
        history: tuple[Backup, ...] = value
        good = [backup for backup in history if backup.succeeded]
        dated = [backup.at for backup in good if backup.at is not None]
        if changed_at is None:
            yield Seen("nothing was changed")
        elif any(at > changed_at for at in dated):
            yield Seen(f"backed up on {max(dated):%Y-%m-%d %H:%M} UTC, after the last change")
        elif len(dated) < len(good):
            yield Doubt("a backup succeeded whose printed time zone is not known")
        else:
            yield Fault("no backup has succeeded since the last change")


# ── the table ─────────────────────────────────────────────────────────────────────────────


def _ipsec_trust(severity: Severity, releases: ReleaseRange, name: str, note: str) -> Check:
    return Check(
        id=name,
        title="every subscriber trusts the publisher's ipsec certificate, by serial",
        severity=severity,
        units=frozenset({CertUnit.IPSEC}),
        releases=releases,
        source=Source("Cisco TAC 214231", "IPSec", note),
        unlock="the publisher's ipsec certificate uploaded as ipsec-trust on that node, an old one "
        "of the same name removed before",
        asks=_subscribers,
        remarks=_ipsec_trusted,
    )


def _of_partner(task: PartnerTask) -> Check:
    """Whether somebody has said that *task* was done, or that it does not apply."""

    def is_due(scope: Scope) -> bool:
        return task in tasks_for(scope.units, scope.facts.release, scope.facts.mode)

    return asked_check(
        task.id,
        f"{task.partner}: what it needs was done, or it is not used here",
        unlock=" ".join((task.question, *task.instructions)),
        source=task.source,
        units=task.units,
        releases=task.releases,
        where=is_due,
    )


VERIFICATION: Final[tuple[Check, ...]] = (
    Check(
        id="certificates-new",
        title="every certificate that was to be new is new",
        severity=Severity.BLOCK,
        source=_EVERY_NODE,
        unlock="the journal: what became of that step",
        remarks=_new,
    ),
    Check(
        id="database-new",
        title="each node's own database holds the new certificates",
        severity=Severity.BLOCK,
        source=_EVERY_NODE,
        unlock="replication repaired; then ask the node again",
        asks=_databases,
        remarks=_in_databases,
    ),
    Check(
        id="ports-present",
        title="what serves a new certificate presents it",
        severity=Severity.BLOCK,
        source=_IN_SERVICE,
        unlock="the service that presents it restarted on that node",
        asks=_ports,
        remarks=_presented,
    ),
    *LISTS_AFTER,
    REPLICATION,
    CLUSTER_AUTHENTICATED,
    *PHONES_BACK,
    _ipsec_trust(
        Severity.BLOCK, ReleaseRange((8, 0), (13, 99)), "ipsec-trust-serial", "point I3, F13"
    ),
    _ipsec_trust(
        Severity.WARNING,
        ReleaseRange((14, 0), (15, 99)),
        "ipsec-trust-serial-14",
        "D11: from 14 backups go by tomcat, and ipsec is not uploaded by itself",
    ),
    Check(
        id="trust-entries-gone",
        title="what was deleted from the trust stores is gone, and stays away",
        severity=Severity.BLOCK,
        source=Source("Cisco TAC 214231", "trust certificates", "points X2 to X5; D15"),
        unlock="Certificate Change Notification and its like stopped where the release needs it, "
        "and the deletion done again",
        where=lambda scope: scope.change is not None and bool(scope.change.entries),
        asks=_all_stores,
        remarks=_deleted,
    ),
    Check(
        id="backup-after",
        title="a backup was taken after the last change",
        severity=Severity.CONSENT,
        source=Source("Cisco security guide 14SU2", "Certificates", "F11: an old one locks phones"),
        unlock="a new backup that succeeds; or say where the cluster was backed up since",
        asks=asks_for(BackupHistory()),
        remarks=_new_backup,
    ),
    ROLLBACK_PARAMETER,
    Check(
        id="old-trust-lingers",
        title="no trust store holds a certificate that was replaced",
        severity=Severity.WARNING,
        source=Source("Cisco TAC 118731", "multi-server certificates", "F16, CSCur97909"),
        unlock="the clean-up of trust certificates, as its own work, when every phone is back and "
        "every LSC is new",
        asks=_all_stores,
        remarks=_nothing_old,
    ),
    *ASKED_AFTER,
    *(_of_partner(task) for task in PARTNER_TASKS),
)
"""In the order in which a person would look."""
