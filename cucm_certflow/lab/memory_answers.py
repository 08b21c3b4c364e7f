"""What a look into the lab in memory sees, each question's answer from the cluster as it is."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import attrs

from cucm_certflow.facts import (
    BackupHistory,
    BackupStatus,
    CallManagerGroups,
    CertificateFile,
    CertificateOf,
    ClusterMember,
    ConfigurationSigner,
    CoreFiles,
    DatabaseCertificates,
    DevicePools,
    Devices,
    DiskUse,
    Interfaces,
    InterfaceState,
    ListFile,
    ListView,
    Members,
    Parameter,
    PhoneLists,
    Phones,
    PhoneTrustList,
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
    ServiceStatus,
    TftpCounters,
    TimeSync,
    TrustEntry,
    TrustStores,
    UnitsOn,
    VersionOf,
    Why,
)
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.memory_faults import Unseen
from cucm_certflow.lab.memory_reach import reached
from cucm_certflow.lab.observe import list_view
from cucm_certflow.lab.physics.world import Cert, TrustList
from cucm_certflow.lab.render import Renderer, digest_of_release
from cucm_certflow.names import PORTS, CertUnit, Interface, KeyAlgorithm, ListKind, Service

__all__ = ["Answers", "view_of"]

_WITH_EC: Final[Mapping[CertUnit, CertUnit]] = {
    CertUnit.TOMCAT: CertUnit.TOMCAT_ECDSA,
    CertUnit.CALLMANAGER: CertUnit.CALLMANAGER_ECDSA,
}
"""Whose EC certificate a port presents beside the RSA one."""
_BEHIND: Final[Mapping[int, CertUnit]] = {
    port: unit for unit, port in PORTS.items() if unit is not CertUnit.TOMCAT_ECDSA
}
"""Whose certificate a port presents to a client that takes RSA."""


class Answers:
    """The answers of *cluster* to questions; no fault strikes them here, and they take no time.

    Args:
        cluster: Who is asked.
        watched: When services started, for those whose restart was watched; read at each answer.
    """

    def __init__(
        self, cluster: LabCluster, watched: Mapping[tuple[str, Service], datetime]
    ) -> None:
        self._cluster = cluster
        self._watched = watched
        self._renderer = Renderer(cluster.scenario.domain, identities=cluster.identities)

    def seen(self, query: Query) -> Any:  # noqa: ANN401 - one type per class of query
        """The answer to *query* as it is now.

        Raises:
            Unseen: Nobody answers it.
        """
        match query:
            case CertificateOf(node, unit):
                return self._cluster.identities.certificate(self._certificate(node, unit))
            case ServedList(node, kind):
                served = self._served(node, kind)
                return None if served is None else view_of(served)
            case PhoneTrustList(phone):
                return self._shown_by(phone)
            case ServiceOn(node, service):
                return self.service(node, service)
            case PresentedCertificate():
                return self._presented(query)
            case Registrations(names):
                self._check_web()
                table = self._cluster.registrations()
                return {name: table[name] for name in names if name in table} if names else table
            case ServicesOn(node):
                activated = self._cluster.activated(node)
                return {each.value: self.service(node, each) for each in activated}
            case UnitsOn(node):
                return self._cluster.book.units(node)
            case VersionOf():
                return str(self._cluster.scenario.release)
            case Members():
                return tuple(
                    ClusterMember(
                        name=node.name,
                        address=node.address,
                        is_publisher=node.publisher,
                        product=node.product.value,
                        authenticated=self._cluster.health.is_authenticated(node.name),
                        is_database_publisher=node.publisher
                        or node.name in self._cluster.layout.presence_nodes[:1],
                    )
                    for node in self._cluster.scenario.nodes
                )
            case Reach():
                return reached(self._cluster, query)
            case _:
                return self._seen_in_the_book(query)

    def _seen_in_the_book(self, query: Query) -> Any:  # noqa: ANN401 - as seen
        cluster = self._cluster
        match query:
            case CertificateFile(node, unit):
                return self._renderer.certificate(self._certificate(node, unit)).pem
            case ListFile(node, kind):
                served = self._served(node, kind)
                return None if served is None else self._bytes_of(served)
            case ConfigurationSigner(node, _):
                self._check_tftp(node)
                signs = cluster.world.real(cluster.world.signs(node))
                return cluster.identities.certificate(signs).serial
            case TrustStores(node):
                return tuple(
                    TrustEntry(
                        store=entry.store,
                        name=entry.name,
                        certificate=cluster.identities.trusted_certificate(entry.trusted),
                    )
                    for entry in cluster.book.entries(node)
                )
            case DatabaseCertificates(node):
                known = (cluster.identities.certificate(c) for c in cluster.book.known_to(node))
                strangers = (
                    cluster.identities.trusted_certificate(entry.trusted)
                    for entry in cluster.book.entries(node)
                    if entry.trusted.cert is None
                )
                return frozenset(each.fingerprint for each in (*known, *strangers))
            case TimeSync(node):
                shown = cluster.health.shown_by(node, cluster.now)
                return attrs.evolve(cluster.health.time_of(node), at=shown)
            case DiskUse(node):
                return cluster.health.disk_of(node)
            case CoreFiles(node):
                return cluster.health.cores_of(node)
            case Replication():
                return cluster.health.replication()
            case BackupHistory():
                return cluster.health.backups()
            case BackupStatus():
                return cluster.health.activity()
            case _:
                return self._seen_over_the_web(query)

    def _shown_by(self, name: str) -> PhoneLists:
        found = next((p for p in self._cluster.phones if p.device.name == name), None)
        holds = None if found is None else self._cluster.phone(name)
        if found is None or holds is None or not (found.web and holds.on):
            message = f"nobody answers on port 80 of {name}"
            raise Unseen(message)
        message, at = self._cluster.status_message(name)
        return PhoneLists(
            itl="none" if holds.itl is None else _digest_of(holds.itl),
            ctl="none" if holds.ctl is None else _digest_of(holds.ctl),
            message=message,
            stamp="" if at is None else f"{at:%I:%M:%S%p %m/%d/%y}".lower(),
        )

    def _certificate(self, node: str, unit: CertUnit) -> Cert:
        try:
            return self._cluster.certificate(node, unit)
        except ValueError as error:
            raise Unseen(str(error)) from error

    def _check_tftp(self, node: str) -> None:
        if not self._cluster.is_up(node, Service.TFTP):
            message = f"nobody answers on port 6970 of {node}"
            raise Unseen(message)

    def _served(self, node: str, kind: ListKind) -> TrustList | None:
        self._check_tftp(node)
        return self._cluster.served(node, kind)

    def _bytes_of(self, served: TrustList) -> bytes:
        addresses = {node.name: node.address for node in self._cluster.scenario.nodes}
        return self._renderer.trust_list(
            served,
            addresses,
            self._cluster.began,
            digest_algorithm=digest_of_release(self._cluster.layout.release),
        )

    def _seen_over_the_web(self, query: Query) -> Any:  # noqa: ANN401 - as seen
        self._check_web()
        cluster = self._cluster
        match query:
            case Parameter(name):
                value = cluster.scenario.parameter(name)
                if value is None:
                    message = f"the lab has no parameter {name}"
                    raise Unseen(message)
                return value
            case Devices(kind):
                return cluster.devices(kind)
            case Phones():
                devices = (phone.device for phone in cluster.phones)
                return tuple(sorted(devices, key=lambda device: device.name))
            case CallManagerGroups():
                groups = dict.fromkeys(phone.device.group for phone in cluster.phones)
                return {f"CMG_{number}": group for number, group in enumerate(groups, 1)}
            case DevicePools():
                order = tuple(dict.fromkeys(phone.device.group for phone in cluster.phones))
                return {
                    phone.device.pool: f"CMG_{order.index(phone.device.group) + 1}"
                    for phone in cluster.phones
                }
            case RegistrationCounts(node):
                if not cluster.is_up(node, Service.CALLMANAGER):
                    message = f"{node} runs no Cisco CallManager"
                    raise Unseen(message)
                table = cluster.registrations().values()
                return {"RegisteredHardwarePhones": sum(each.node == node for each in table)}
            case TftpCounters(node):
                message = f"the lab in memory does not count what {node} serves"
                raise Unseen(message)
            case Interfaces():
                return tuple(
                    InterfaceState(node.name, interface, usable=True)
                    for node in cluster.scenario.nodes
                    for interface in Interface
                )
            case _:
                raise AssertionError(query)

    def _check_web(self) -> None:
        publisher = self._cluster.layout.publisher
        if not self._cluster.is_web_up(publisher):
            message = f"nobody answers on port 8443 of {publisher}"
            raise Unseen(message)

    def _presented(self, query: PresentedCertificate) -> str:
        node, port, unit = query.node, query.port, _BEHIND.get(query.port)
        presented = None if unit is None else self._cluster.presented(node, unit)
        if presented is None:
            message = f"nobody answers on port {port} of {node}"
            raise Unseen(message)
        if query.algorithm is KeyAlgorithm.EC:
            other = None if unit is None else _WITH_EC.get(unit)
            presented = None if other is None else self._cluster.presented(node, other)
            if presented is None:
                message = f"port {port} of {node} shows no certificate with an EC key"
                raise Unseen(message, Why.UNREADABLE)
        return str(presented)

    def service(self, node: str, service: Service) -> ServiceState:
        """The state of *service* on *node*; since when, only if its restart was watched."""
        state = self._cluster.service_state(node, service)
        runs = state.status is ServiceStatus.STARTED
        watched = self._watched.get((node, service)) if runs else None
        # As the wires have it: what somebody has stopped for good is not activated there.
        is_here = state.activated and not self._cluster.is_commanded_out(node, service)
        return attrs.evolve(state, started_at=watched, activated=is_here)


def view_of(served: TrustList) -> ListView:
    """*served* as a reader of its bytes would see it, with what stands for their digest."""
    return list_view(served)._replace(digest=_digest_of(served))


def _digest_of(served: TrustList) -> str:
    """Stands for the SHA-1 of its bytes, which nothing here renders: equal lists have one."""
    parts = [sorted(map(str, part)) for part in served if isinstance(part, frozenset)]
    words = f"{served.kind.value} {served.signer} {parts}"
    return hashlib.sha1(words.encode(), usedforsecurity=False).hexdigest()
