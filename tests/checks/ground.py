"""A cluster on which every check passes, as facts and answers; a test spoils what it is about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import attrs

from cucm_certflow.checks.preflight import PREFLIGHT
from cucm_certflow.checks.scope import Change, Scope
from cucm_certflow.checks.verification import VERIFICATION
from cucm_certflow.checks.vocabulary import Check
from cucm_certflow.core.plan import CertificateKey
from cucm_certflow.facts import (
    Backup,
    BackupActivity,
    BackupHistory,
    BackupStatus,
    Certificate,
    ClusterFacts,
    ClusterMember,
    CoreFiles,
    DatabaseCertificates,
    Devices,
    DiskUse,
    Fact,
    Known,
    ListFile,
    ListView,
    Members,
    NodeFacts,
    NtpStatus,
    Parameter,
    Phone,
    PresentedCertificate,
    Query,
    Registration,
    Registrations,
    Replication,
    ServedList,
    ServicesOn,
    ServiceState,
    ServiceStatus,
    TimeSync,
    TrustEntry,
    TrustStores,
    Unknown,
)
from cucm_certflow.findings import Baseline, Finding, Said
from cucm_certflow.names import (
    PORTS,
    CertUnit,
    DeviceClass,
    KeyAlgorithm,
    ListKind,
    Product,
    Release,
    SecurityMode,
    Service,
)
from cucm_certflow.procedures.releases import EXISTS

NOW: Final = datetime(2026, 1, 10, 22, 0, tzinfo=UTC)
Answers = Mapping[Any, Any]
"""By question. A mapping is invariant in its keys: one of some classes of questions is accepted."""

STARTED: Final = ServiceState(ServiceStatus.STARTED)
PHONES: Final = ("SEP000000000001", "SEP000000000002")

_CUCM_SERVICES: Final = (
    Service.TOMCAT,
    Service.CALLMANAGER,
    Service.CTIMANAGER,
    Service.TVS,
    Service.TFTP,
    Service.DRF_LOCAL,
    Service.CERTIFICATE_EXPIRY_MONITOR,
)
_IMP_SERVICES: Final = (Service.TOMCAT, Service.DRF_LOCAL, Service.SIP_PROXY)
_PUBLISHER_ONLY: Final = {CertUnit.CAPF: (14, 0)}


def certificate(node: str, unit: CertUnit, generation: int = 0) -> Certificate:
    name = f"CN={node}.lab.example"
    return Certificate(
        fingerprint=f"{node}/{unit.value}/g{generation}",
        serial=f"{generation:04X}",
        subject=name,
        issuer=name,
        not_before=NOW - timedelta(days=365),
        not_after=NOW + timedelta(days=1000),
        key_algorithm=KeyAlgorithm.EC if unit.value.endswith("ECDSA") else KeyAlgorithm.RSA,
        names=(f"{node}.lab.example",),
    )


def _certificates(
    node: str, product: Product, release: Release, generation: int
) -> dict[CertUnit, Certificate]:
    made: dict[CertUnit, Certificate] = {}
    for unit, existence in EXISTS.items():
        if release not in existence.releases or product not in existence.products:
            continue
        if node != "pub" and release.short >= _PUBLISHER_ONLY.get(unit, (99, 0)):
            continue
        shared = unit is CertUnit.ITLRECOVERY and release.short >= (12, 5)
        made[unit] = certificate("pub" if shared else node, unit, generation)
    return made


def _fingerprint(certificates: Mapping[CertUnit, Certificate], unit: CertUnit) -> str:
    return certificates[unit].fingerprint


def facts(
    release: str = "12.5.1.11900-1", *, mixed: bool = True, generation: int = 0
) -> ClusterFacts:
    """Two nodes of CUCM and one of IM and Presence, two phones, everything as it should be."""
    parsed = Release.parse(release)
    owned = {
        "pub": _certificates("pub", Product.CALLMANAGER, parsed, generation),
        "sub": _certificates("sub", Product.CALLMANAGER, parsed, generation),
        "imp": _certificates("imp", Product.IM_PRESENCE, parsed, generation),
    }
    has_recovery = CertUnit.ITLRECOVERY in owned["pub"]
    pub, sub = owned["pub"], owned["sub"]
    nodes: list[NodeFacts] = []
    for name, certificates in owned.items():
        calls = name != "imp"
        running = _CUCM_SERVICES if calls else _IMP_SERVICES
        services: dict[Service, ServiceState] = dict.fromkeys(running, STARTED)
        if name == "pub":
            services |= {Service.DRF_MASTER: STARTED, Service.CAPF: STARTED}
        itl = ctl = None
        if calls:
            cm = _fingerprint(certificates, CertUnit.CALLMANAGER)
            pub_cm = _fingerprint(pub, CertUnit.CALLMANAGER)
            recovery = {_fingerprint(certificates, CertUnit.ITLRECOVERY)} if has_recovery else set()
            pub_recovery = {_fingerprint(pub, CertUnit.ITLRECOVERY)} if has_recovery else set()
            capf = frozenset({_fingerprint(pub, CertUnit.CAPF)})
            cms = frozenset(_fingerprint(one, CertUnit.CALLMANAGER) for one in (pub, sub))
            new = parsed.short >= (12, 0)
            itl = ListView(
                kind=ListKind.ITL,
                signer=min(recovery) if new else cm,
                sast=frozenset({cm} | recovery),
                tftp=frozenset({cm}),
                ccm=frozenset({cm}) if mixed else frozenset(),
                pin=frozenset(_fingerprint(one, CertUnit.TVS) for one in (pub, sub)),
                capf=capf,
            )
            ctl = ListView(
                kind=ListKind.CTL,
                signer=min(pub_recovery) if new else pub_cm,
                sast=frozenset({pub_cm} | pub_recovery),
                tftp=cms,
                ccm=cms,
                pin=frozenset(),
                capf=capf,
            )
        nodes.append(
            NodeFacts(
                name=name,
                release=parsed,
                product=Product.CALLMANAGER if calls else Product.IM_PRESENCE,
                is_publisher=name == "pub",
                is_database_publisher=name in {"pub", "imp"},
                certificates=certificates,
                services=services,
                itl=itl,
                ctl=ctl if mixed else None,
            )
        )
    return ClusterFacts(
        nodes=tuple(nodes),
        mode=SecurityMode.MIXED if mixed else SecurityMode.NON_SECURE,
        phones=tuple(Phone(name=p, model="Cisco 8861", group=("pub", "sub")) for p in PHONES),
        registrations=registrations(*PHONES),
        at=NOW,
    )


def registrations(*there: str, down: tuple[str, ...] = ()) -> dict[str, Registration]:
    return {name: Registration(name, name not in down, "pub", NOW) for name in (*there, *down)}


def answers(given: ClusterFacts) -> dict[Query, Any]:
    """What the nodes of *given* answer to every question of every check."""
    said: dict[Query, Any] = {
        Members(): tuple(
            ClusterMember(
                name=node.name,
                address=node.name,
                is_publisher=node.is_publisher,
                product=node.product.value,
                authenticated=True,
            )
            for node in given.nodes
        ),
        Parameter("ClusterSecurityMode"): given.mode.value,
        Parameter("RollBackToPreGrayback"): "F",
        Replication(): {n.name: 2 for n in given.nodes if n.product is Product.CALLMANAGER},
        BackupHistory(): (Backup(name="one.tar", succeeded=True, at=NOW - timedelta(hours=2)),),
        BackupStatus(): BackupActivity.IDLE,
        Registrations(): dict(given.registrations),
    }
    for kind in DeviceClass:
        said[Devices(kind)] = registrations(f"{kind.value}-1")
    everything = frozenset(c.fingerprint for n in given.nodes for c in n.certificates.values())
    for node in given.nodes:
        name = node.name
        said[DatabaseCertificates(name)] = everything
        said[TimeSync(name)] = NtpStatus(synchronised=True, stratum=3)
        said[DiskUse(name)] = {"active": 70, "logging": 40}
        said[CoreFiles(name)] = ()
        said[ServicesOn(name)] = {service.value: s for service, s in node.services.items()}
        said[ServedList(name, ListKind.ITL)] = node.itl
        said[ServedList(name, ListKind.CTL)] = node.ctl
        said[ListFile(name, ListKind.ITL)] = b"\1" * 8000
        ipsec = given.publisher.certificates.get(CertUnit.IPSEC)
        said[TrustStores(name)] = (
            ()
            if ipsec is None
            else (TrustEntry(store="ipsec-trust", name="pub.pem", certificate=ipsec),)
        )
        for unit, shown in node.certificates.items():
            if unit in PORTS:
                of = KeyAlgorithm.EC if unit.value.endswith("ECDSA") else KeyAlgorithm.RSA
                said[PresentedCertificate(name, PORTS[unit], of)] = shown.fingerprint
    return said


def scope(
    given: ClusterFacts | None = None,
    *,
    units: frozenset[CertUnit] | None = None,
    said: tuple[Said, ...] = (),
    change: Change | None = None,
    but: Answers | None = None,
    without: tuple[Query, ...] = (),
) -> Scope:
    """The good cluster *given*, with other answers (*but*), and with some missing (*without*)."""
    there = given or facts()
    known: dict[Query, Fact] = {
        query: Known(value, NOW) for query, value in (answers(there) | dict(but or {})).items()
    }
    for query in without:
        known[query] = Unknown("the node is away", NOW)
    wanted = existing(there.release) if units is None else units
    return Scope(facts=there, units=wanted, now=NOW, answers=known, said=said, change=change)


def existing(release: Release) -> frozenset[CertUnit]:
    return frozenset(unit for unit, there in EXISTS.items() if release in there.releases)


def changed(
    *units: CertUnit, release: str = "12.5.1.11900-1", mixed: bool = True
) -> tuple[ClusterFacts, Change]:
    """The cluster after every certificate of *units* was renewed, and what was to change."""
    before, after = (facts(release, mixed=mixed, generation=g) for g in (0, 1))
    keys = tuple(
        CertificateKey(unit, node.name)
        for unit in units
        for node in after.nodes
        if unit in node.certificates
    )
    return after, Change(
        before=before,
        certificates=keys,
        changed_at=NOW - timedelta(hours=3),
        baseline=Baseline(
            at=NOW - timedelta(days=1),
            registered={kind: frozenset({f"{kind.value}-1"}) for kind in DeviceClass},
        ),
    )


def with_node(
    given: ClusterFacts, name: str, change: Callable[[NodeFacts], NodeFacts]
) -> ClusterFacts:
    nodes = tuple(change(node) if node.name == name else node for node in given.nodes)
    return attrs.evolve(given, nodes=nodes)


def with_certificate(
    given: ClusterFacts,
    name: str,
    unit: CertUnit,
    alter: Callable[[Certificate], Certificate],
) -> ClusterFacts:
    """*given*, with one certificate altered."""

    def change(node: NodeFacts) -> NodeFacts:
        altered = {unit: alter(node.certificates[unit])}
        return attrs.evolve(node, certificates={**node.certificates, **altered})

    return with_node(given, name, change)


def with_list(
    given: ClusterFacts, name: str, kind: ListKind, alter: Callable[[ListView], ListView]
) -> Answers:
    """Another answer of the node called *name* to what list of *kind* it serves."""
    node = next(node for node in given.nodes if node.name == name)
    served = node.itl if kind is ListKind.ITL else node.ctl
    assert served is not None
    return {ServedList(name, kind): alter(served)}


def check(name: str) -> Check:
    return next(check for check in (*PREFLIGHT, *VERIFICATION) if check.id == name)


def judge(name: str, there: Scope) -> Finding:
    """What the check called *name* finds; it must apply."""
    wanted = check(name)
    assert wanted.applies(there), f"{name} does not apply"
    return wanted.judge(there)
