"""A small cluster on paper: facts without a lab, for what is decided from facts alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import attrs

from cucm_certflow.facts import (
    Certificate,
    ClusterFacts,
    ListView,
    NodeFacts,
    Phone,
    Registration,
    ServiceState,
    ServiceStatus,
    TrustEntry,
)
from cucm_certflow.names import CertUnit, ListKind, Product, Release, SecurityMode, Service
from cucm_certflow.procedures.releases import EXISTS

__all__ = ["NOW", "certificate", "cluster", "entry", "with_certificate"]

NOW: Final = datetime(2026, 3, 1, tzinfo=UTC)
_CUCM: Final = (
    Service.TOMCAT,
    Service.CALLMANAGER,
    Service.CTIMANAGER,
    Service.TVS,
    Service.TFTP,
    Service.DRF_LOCAL,
    Service.CERTIFICATE_CHANGE_NOTIFICATION,
)
_IMP: Final = (
    Service.TOMCAT,
    Service.DRF_LOCAL,
    Service.SIP_PROXY,
    Service.PRESENCE_ENGINE,
    Service.XCP_ROUTER,
    Service.XCP_FEDERATION,
    Service.PLATFORM_ADMINISTRATIVE_WEB,
    Service.INTERCLUSTER_SYNC_AGENT,
)


def certificate(name: str, *, days: float = 1000, **more: Any) -> Certificate:  # noqa: ANN401 - any field
    """A self-signed certificate called *name*, valid for *days* from :data:`NOW`."""
    values: dict[str, Any] = {
        "fingerprint": name,
        "serial": name.encode().hex().upper()[:16],
        "subject": f"CN={name}",
        "issuer": f"CN={name}",
        "not_before": NOW - timedelta(days=100),
        "not_after": NOW + timedelta(days=days),
    }
    return Certificate(**{**values, **more})


def entry(store: str, name: str, *, days: float = -1, **more: Any) -> TrustEntry:  # noqa: ANN401 - any field
    """A certificate in a trust store that was over a day ago, unless *days* says otherwise."""
    stem = name.removesuffix(".pem")
    return TrustEntry(store=store, name=name, certificate=certificate(stem, days=days, **more))


def _owns(unit: CertUnit, product: Product, release: Release, *, publisher: bool) -> bool:
    where = EXISTS[unit]
    if release not in where.releases or product not in where.products:
        return False
    return unit is not CertUnit.CAPF or publisher or release.short < (14, 0)


def _node(name: str, release: Release, product: Product, mode: SecurityMode) -> NodeFacts:
    publisher = name == "pub"
    services = (*(_CUCM if product is Product.CALLMANAGER else _IMP),)
    if publisher:
        services += (Service.DRF_MASTER, Service.CAPF)
    owned = {
        unit: certificate(_name(unit, name, release))
        for unit in CertUnit
        if _owns(unit, product, release, publisher=publisher)
    }
    cm, recovery = owned.get(CertUnit.CALLMANAGER), owned.get(CertUnit.ITLRECOVERY)
    itl = ctl = None
    if cm is not None:
        modern = release.short >= (12, 0) and recovery is not None
        sast = frozenset({cm.fingerprint} | ({recovery.fingerprint} if recovery else set()))
        signer = recovery.fingerprint if modern and recovery else cm.fingerprint
        itl = ListView(
            kind=ListKind.ITL,
            signer=signer,
            sast=sast,
            tftp=frozenset({cm.fingerprint}),
            ccm=frozenset(),
            pin=frozenset({"pub/TVS", "sub/TVS"}),
            capf=frozenset({"pub/CAPF"}),
        )
        if mode is SecurityMode.MIXED:
            of_publisher = {"pub/CallManager"} | (
                {_recovery("pub", release)} if recovery else set()
            )
            ctl = ListView(
                kind=ListKind.CTL,
                signer=_recovery("pub", release) if modern else "pub/CallManager",
                sast=frozenset(of_publisher),
                tftp=frozenset({"pub/CallManager", "sub/CallManager"}),
                ccm=frozenset({"pub/CallManager", "sub/CallManager"}),
                pin=frozenset(),
                capf=frozenset({"pub/CAPF"}),
            )
    return NodeFacts(
        name=name,
        release=release,
        product=product,
        is_publisher=publisher,
        is_database_publisher=publisher or product is Product.IM_PRESENCE,
        certificates=owned,
        services={service: ServiceState(ServiceStatus.STARTED) for service in services},
        itl=itl,
        ctl=ctl,
        others=("authz",) if publisher else (),
    )


def _recovery(name: str, release: Release) -> str:
    return "pub/ITLRecovery" if release.short >= (12, 5) else f"{name}/ITLRecovery"


def _name(unit: CertUnit, node: str, release: Release) -> str:
    return _recovery(node, release) if unit is CertUnit.ITLRECOVERY else f"{node}/{unit}"


def cluster(release: str, mode: SecurityMode = SecurityMode.NON_SECURE) -> ClusterFacts:
    """A publisher, a subscriber and an IM and Presence node, with two phones."""
    known = Release.parse(release)
    nodes = tuple(
        _node(name, known, product, mode)
        for name, product in (
            ("pub", Product.CALLMANAGER),
            ("sub", Product.CALLMANAGER),
            ("imp", Product.IM_PRESENCE),
        )
    )
    phones = tuple(
        Phone(name=name, model="Cisco 8861", group=group)
        for name, group in (
            ("SEP000000000001", ("sub", "pub")),
            ("SEP000000000002", ("pub", "sub")),
        )
    )
    return ClusterFacts(
        nodes=nodes,
        mode=mode,
        phones=phones,
        registrations={p.name: Registration(p.name, True, p.group[0], NOW) for p in phones},
        at=NOW,
    )


def with_certificate(
    facts: ClusterFacts, node: str, unit: CertUnit, changed: Certificate
) -> ClusterFacts:
    """*facts* with another certificate of *unit* on *node*."""
    nodes = tuple(
        attrs.evolve(each, certificates={**each.certificates, unit: changed})
        if each.name == node
        else each
        for each in facts.nodes
    )
    return attrs.evolve(facts, nodes=nodes)
