"""The physics seen through the library's own questions, without any bytes in between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from cucm_certflow.facts import (
    Certificate,
    ClusterFacts,
    ListView,
    NodeFacts,
    Phone,
    PhoneSecurity,
    Registration,
    ServiceState,
    ServiceStatus,
)
from cucm_certflow.lab.physics.world import Cert, Layout, PhoneKind, TrustList, World
from cucm_certflow.names import CertUnit, Product, Release, SecurityMode, Service

__all__ = ["ACTIVATED", "certificate_of", "cluster_facts", "list_view", "runs_in_lab"]

_FIRST: Final = (
    Service.TOMCAT,
    Service.CALLMANAGER,
    Service.CTIMANAGER,
    Service.TVS,
    Service.TFTP,
    Service.HAPROXY,
)
ACTIVATED: Final = (*_FIRST, *(each for each in Service if each not in _FIRST))
"""The services that the lab's nodes can have."""

_AUTHZ: Final = "authz"
_AUTHZ_FROM: Final = (12, 0)
"""From when on the publisher shows a certificate that nobody touches: the lab's invention."""


def runs_in_lab(layout: Layout, service: Service, node: str) -> bool:
    """Whether *service* is activated on *node*.

    CTIManager runs beside CallManager, and HAProxy fronts Tomcat from 14 on.
    """
    if service is Service.CTIMANAGER:
        return layout.runs(Service.CALLMANAGER, node)
    if service is Service.HAPROXY:
        return layout.release >= (14, 0) and layout.runs(Service.TVS, node)
    return layout.runs(service, node)


@lru_cache(maxsize=10_000)
def certificate_of(cert: Cert) -> Certificate:
    """*cert* as a node would show it; its fingerprint is its name."""
    name = f"CN={cert.node}/{cert.unit.value}"
    return Certificate(
        fingerprint=str(cert), serial=f"{cert.generation:04X}", subject=name, issuer=name
    )


@lru_cache(maxsize=10_000)
def list_view(trust_list: TrustList) -> ListView:
    """*trust_list* as a reader of its bytes would see it."""

    def names(certs: frozenset[Cert]) -> frozenset[str]:
        return frozenset(str(cert) for cert in certs)

    return ListView(
        kind=trust_list.kind,
        signer=str(trust_list.signer),
        sast=names(trust_list.sast),
        tftp=names(trust_list.tftp),
        ccm=names(trust_list.ccm),
        pin=names(trust_list.pin),
        capf=names(trust_list.capf),
        token=trust_list.signer.is_token,
    )


def cluster_facts(
    layout: Layout,
    kinds: Sequence[PhoneKind],
    world: World,
    *,
    at: datetime | None = None,
    full: str = "",
    addresses: Mapping[str, str] | None = None,
    services: Mapping[str, Mapping[Service, ServiceState]] | None = None,
    phones: Sequence[Phone] | None = None,
    registrations: Mapping[str, Registration] | None = None,
    certificates: Mapping[str, Mapping[CertUnit, Certificate]] | None = None,
) -> ClusterFacts:
    """What discovery of this world finds.

    Args:
        layout: What does not change.
        kinds: Of the phones of *world*.
        world: As it is.
        at: The instant of the discovery; any, if not given.
        full: The full version.
        addresses: By node; the nodes' names, if not given.
        services: By node; if not given, what the layout activates runs.
        phones: As the database has them; if not given, of one model, and secure ones encrypted.
        certificates: By node and unit; if not given, plain ones of what the layout has.
        registrations: If not given, registered phones are so with the first node of their group.
    """
    at = at or datetime(2026, 1, 1, tzinfo=UTC)
    nodes = tuple(
        NodeFacts(
            name=node.name,
            address=node.name if addresses is None else addresses[node.name],
            release=Release(*layout.release, full),
            product=Product.CALLMANAGER if node.calls else Product.IM_PRESENCE,
            is_publisher=node.publisher,
            is_database_publisher=node.publisher or node.name in layout.presence_nodes[:1],
            others=(_AUTHZ,) if node.publisher and layout.release >= _AUTHZ_FROM else (),
            certificates=certificates[node.name]
            if certificates is not None
            else {
                unit: certificate_of(world.real(world.current(unit, node.name)))
                for unit in CertUnit
                if layout.has(unit, node.name)
            }
            | _shared_itlrecovery(layout, world, node.name, calls=node.calls),
            services=services[node.name]
            if services is not None
            else {
                service: ServiceState(ServiceStatus.STARTED)
                for service in Service
                if runs_in_lab(layout, service, node.name)
            },
            itl=list_view(world.itl_of(node.name)) if node.tftp else None,
            ctl=list_view(ctl) if node.tftp and (ctl := world.ctl_of(node.name)) else None,
        )
        for node in layout.nodes
    )
    return ClusterFacts(
        nodes=nodes,
        mode=SecurityMode.MIXED if layout.mixed else SecurityMode.NON_SECURE,
        phones=tuple(phones)
        if phones is not None
        else tuple(
            Phone(
                name=kind.name,
                model="lab phone",
                group=kind.group,
                security=PhoneSecurity.ENCRYPTED if kind.secure else PhoneSecurity.NON_SECURE,
                security_by_default=kind.asks_tvs,
            )
            for kind in kinds
        ),
        registrations=registrations
        if registrations is not None
        else {
            kind.name: Registration(kind.name, phone.on and phone.registered, kind.group[0], at)
            for kind, phone in zip(kinds, world.phones, strict=True)
        },
        at=at,
    )


def _shared_itlrecovery(
    layout: Layout, world: World, name: str, *, calls: bool
) -> dict[CertUnit, Certificate]:
    if not calls or not layout.has_itlrecovery:
        return {}
    owner = layout.itlrecovery_of(name)
    return {CertUnit.ITLRECOVERY: certificate_of(world.current(CertUnit.ITLRECOVERY, owner))}
