"""Each check before a change, on a cluster with the fault that it is there for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, NamedTuple

import attrs
import pytest

from cucm_certflow.checks.preflight import PREFLIGHT
from cucm_certflow.checks.scope import Limits, Scope
from cucm_certflow.facts import (
    Backup,
    BackupActivity,
    BackupHistory,
    BackupStatus,
    Certificate,
    ClusterFacts,
    CoreFiles,
    DatabaseCertificates,
    Devices,
    DiskUse,
    ListFile,
    ListView,
    Members,
    NodeFacts,
    NtpStatus,
    Parameter,
    Registrations,
    Replication,
    ServedList,
    ServicesOn,
    ServiceState,
    ServiceStatus,
    TimeSync,
)
from cucm_certflow.findings import Severity, Verdict
from cucm_certflow.names import CertUnit, DeviceClass, ListKind, Release, Service
from cucm_certflow.procedures.policies import NotAwaited, Policy
from tests.checks.ground import (
    NOW,
    PHONES,
    Answers,
    answers,
    certificate,
    facts,
    judge,
    registrations,
    scope,
    with_certificate,
    with_list,
    with_node,
)

GOOD = facts()
OLD, NEW = facts("11.5.1.12900-21"), facts("14.0.1.12900-161")
CM, TVS, ITLR, TOMCAT = (
    CertUnit.CALLMANAGER,
    CertUnit.TVS,
    CertUnit.ITLRECOVERY,
    CertUnit.TOMCAT,
)
ITL, CTL = ListKind.ITL, ListKind.CTL


class Case(NamedTuple):
    """What is wrong, which check finds it, how much it matters, and a word of what it says."""

    name: str
    check: str
    there: Scope
    severity: Severity
    says: str
    phones: tuple[str, ...] = ()


def _members(**more: Any) -> Answers:  # noqa: ANN401 - fields of ClusterMember
    said = answers(GOOD)[Members()]
    return {Members(): (*said[:-1], attrs.evolve(said[-1], **more))}


def _services(node: str, service: Service, state: ServiceState | None) -> Answers:
    listed = dict(answers(GOOD)[ServicesOn(node)])
    if state is None:
        listed.pop(service.value, None)
    else:
        listed[service.value] = state
    return {ServicesOn(node): listed}


def _changed(given: ClusterFacts, name: str, unit: CertUnit, **more: Any) -> ClusterFacts:  # noqa: ANN401 - fields of Certificate
    return with_certificate(given, name, unit, lambda old: attrs.evolve(old, **more))


def _listed(
    name: str,
    kind: ListKind,
    given: ClusterFacts = GOOD,
    **more: Any,  # noqa: ANN401 - fields of ListView
) -> Answers:
    return with_list(given, name, kind, lambda view: view._replace(**more))


def _without(node: NodeFacts, unit: CertUnit) -> NodeFacts:
    kept = {u: c for u, c in node.certificates.items() if u is not unit}
    return attrs.evolve(node, certificates=kept)


def _view(given: ClusterFacts, kind: ListKind) -> ListView:
    view = given.publisher.itl if kind is ITL else given.publisher.ctl
    assert view is not None
    return view


DOWN = ServiceState(ServiceStatus.STOPPED)
OFF = ServiceState(ServiceStatus.STOPPED, activated=False)
DAY_OLD = (Backup(name="old", succeeded=True, at=NOW - timedelta(days=3)),)
ONE_NODE = attrs.evolve(GOOD, nodes=(GOOD.nodes[0],))


def _cluster() -> Iterator[Case]:
    block, consent, warning = Severity
    given = scope(but={Parameter("ClusterSecurityMode"): "0"})
    yield Case("another mode", "mode-known", given, block, "changed in between")
    stranger = (*answers(GOOD)[Members()], attrs.evolve(answers(GOOD)[Members()][0], name="sub9"))
    given = scope(but={Members(): stranger})
    yield Case("a node too many", "inventory-complete", given, block, "sub9 belongs to the cluster")
    given = scope(but={Members(): stranger[:2]})
    yield Case("a node too few", "inventory-complete", given, block, "does not list it")
    later = attrs.evolve(facts("14").nodes[1], certificates=GOOD.nodes[1].certificates)
    given = scope(with_node(GOOD, "sub", lambda _: later))
    yield Case("half an upgrade", "one-release", given, block, "different releases")
    older = attrs.evolve(GOOD.nodes[1], release=Release.parse("12.5.1.10000-22"))
    given = scope(with_node(GOOD, "sub", lambda _: older))
    yield Case("two versions", "one-release", given, block, "different versions")
    given = scope(but=_members(authenticated=False))
    yield Case("a strange node", "cluster-authenticated", given, block, "imp is not authenticated")
    given = scope(but={Replication(): {"pub": 2, "sub": 3}})
    yield Case("replication of a node", "replication", given, block, "replication on sub is 3")
    given = scope(but={Replication(): {"pub": 2}})
    yield Case("a node not replicated", "replication", given, block, "sub is missing")
    given = scope(but={Replication(): {}})
    yield Case("no replication", "replication", given, block, "pub is missing")
    given = scope(but={Replication(): {"pub.lab.example": 2, "SUB": -1}})
    yield Case("replication not set up", "replication", given, block, "SUB is not set up")
    held = answers(GOOD)[DatabaseCertificates("sub")] - {"pub/TVS/g0"}
    given = scope(but={DatabaseCertificates("sub"): held})
    yield Case("a database behind", "database-certificates", given, block, "TVS of pub")
    given = scope(but={TimeSync("sub"): NtpStatus(synchronised=False)})
    yield Case("a clock alone", "time-synchronised", given, consent, "sub is not synchronised")
    given = scope(but={DiskUse("sub"): {"active": 70, "logging": 95}})
    yield Case("a full disk", "disk-room", given, consent, "logging is 95 %")
    given = scope(but={DiskUse("sub"): {"active": 92}})
    yield Case("a disk that fills", "disk-room", given, warning, "active is 92 %")
    given = scope(but={CoreFiles("sub"): ("core.1.ccm",)})
    yield Case("a core", "core-files", given, warning, "core.1.ccm")
    given = scope(but={BackupHistory(): DAY_OLD})
    yield Case("an old backup", "backup-fresh", given, consent, "3.0 days old")
    failed = (Backup(name="new", succeeded=False, at=NOW), *DAY_OLD)
    given = scope(but={BackupHistory(): failed})
    yield Case("a failed backup", "backup-fresh", given, consent, "3.0 days old")
    given = scope(but={BackupHistory(): ()})
    yield Case("no backup", "backup-fresh", given, consent, "no backup")
    given = scope(but={BackupStatus(): BackupActivity.RUNNING})
    yield Case("a backup that runs", "backup-idle", given, block, "is running")
    given = scope(but={Parameter("RollBackToPreGrayback"): "T"})
    yield Case("prepared for rollback", "rollback-parameter", given, consent, "is True")


def _services_down() -> Iterator[Case]:
    block, consent, warning = Severity
    given = scope(but=_services("sub", Service.TVS, DOWN))
    yield Case("TVS stopped", "tvs-running", given, block, "on sub is STOPPED")
    given = scope(but=_services("sub", Service.TVS, None))
    yield Case("no TVS", "tvs-running", given, block, "not activated on sub")
    given = scope(but=_services("sub", Service.TFTP, DOWN))
    yield Case("TFTP stopped", "tftp-running", given, block, "Cisco Tftp on sub is STOPPED")
    given = scope(
        but={**_services("pub", Service.TFTP, OFF), **_services("sub", Service.TFTP, None)}
    )
    yield Case("TFTP elsewhere", "tftp-running", given, block, "activated on no node")
    given = scope(but=_services("pub", Service.CAPF, OFF))
    yield Case("no CAPF", "capf-running", given, consent, "not activated on pub")
    given = scope(facts(mixed=False), but=_services("pub", Service.CAPF, OFF))
    yield Case("no CAPF, no secure phone", "capf-running", given, warning, "not activated on pub")
    given = scope(but=_services("sub", Service.CERTIFICATE_EXPIRY_MONITOR, DOWN))
    yield Case("nobody watches dates", "expiry-monitor-running", given, warning, "STOPPED")
    given = scope(but=_services("pub", Service.DRF_MASTER, DOWN))
    yield Case("no backup agent", "drf-running", given, consent, "Cisco DRF Master on pub")
    given = scope(but=_services("sub", Service.CTIMANAGER, ServiceState(ServiceStatus.STARTING)))
    yield Case("a service starts", "services-started", given, warning, "Cisco CTIManager")


def _certificates() -> Iterator[Case]:
    block, consent, warning = Severity
    given = scope(with_node(GOOD, "sub", lambda node: _without(node, TOMCAT)))
    yield Case("one not shown", "certificates-shown", given, block, "tomcat is not shown by sub")
    given = scope(with_node(NEW, "sub", lambda node: _without(node, CM)))
    yield Case("perhaps reused", "certificates-shown", given, block, "reused for CallManager")
    given = scope(units=frozenset({CertUnit.CAPF}), given=ONE_NODE)
    given = attrs.evolve(
        given, facts=with_node(ONE_NODE, "pub", lambda node: _without(node, CertUnit.CAPF))
    )
    yield Case("nowhere", "certificates-shown", given, block, "CAPF is not shown by pub")
    given = scope(facts("9.1.2.10000-28"), units=frozenset({ITLR}))
    yield Case("not in this release", "certificates-shown", given, block, "no node shows ITLR")
    given = scope(_changed(GOOD, "sub", TOMCAT, self_signed=False, issuer="CN=Lab CA"))
    yield Case("a CA's", "identity-self-signed", given, block, "issuer CN=Lab CA")
    shared = certificate("pub", TOMCAT)
    several = with_certificate(GOOD, "sub", TOMCAT, lambda _: shared)
    given = scope(several)
    yield Case("of several", "identity-of-one-node", given, block, "pub is one certificate")
    named = _changed(GOOD, "pub", CM, names=("pub.lab.example", "sub.lab.example"))
    yield Case("names of several", "identity-of-one-node", scope(named), block, "it names pub, sub")
    given = scope(several)
    yield Case("one left out", "identity-shared-by-all", given, warning, "imp one of its own")
    reused = with_certificate(GOOD, "pub", CM, lambda _: shared)
    yield Case("reused", "identity-not-reused", scope(reused), block, "the same serial")
    given = scope(reused, units=frozenset({TOMCAT}))
    yield Case("reused, for tomcat", "identity-not-reused", given, block, "tomcat on pub")
    given = scope(_changed(GOOD, "pub", TOMCAT, names=("other.lab.example",)))
    yield Case("not itself", "identity-names-itself", given, warning, "is not among")
    short = _changed(GOOD, "pub", ITLR, key_bits=1024)
    yield Case("short, asked for", "itlrecovery-key", scope(short), block, "1024 bits")
    given = scope(short, units=frozenset({TVS}))
    yield Case("short, beside", "itlrecovery-key", given, warning, "1024 bits")
    given = scope(_changed(GOOD, "pub", CM, key_bits=4096))
    yield Case("a long key", "callmanager-key", given, warning, "4096 bits")
    ca_signed = _changed(GOOD, "pub", CM, key_bits=4096, self_signed=False)
    yield Case("a CA's long key", "callmanager-key", scope(ca_signed), consent, "too many in mixed")
    given = scope(_changed(GOOD, "sub", TVS, not_after=NOW - timedelta(days=1)))
    yield Case("an expired anchor", "anchors-valid", given, consent, "TVS on sub expired")
    given = scope(_changed(GOOD, "sub", TVS, not_before=NOW + timedelta(days=1)))
    yield Case("not valid yet", "anchors-valid", given, consent, "valid only from")


def _lists() -> Iterator[Case]:
    block, consent, warning = Severity
    given = scope(but={ServedList("sub", ITL): None})
    yield Case("no ITL", "lists-served", given, block, "sub runs Cisco Tftp and serves no ITL")
    given = scope(but={ServedList("sub", CTL): None})
    yield Case("no CTL", "lists-served", given, block, "serves no CTL")
    given = scope(but=_listed("sub", ITL, signer="gone"))
    yield Case("a signer gone", "itl-signer-live", given, block, "does not hold any more")
    localkey = _listed("pub", ITL, signer="pub/CallManager/g0")
    yield Case("localkey left", "itl-signer-live", scope(but=localkey), consent, "by localkey")
    localkey = _listed("sub", ITL, OLD, signer="pub/CallManager/g0")
    given = scope(OLD, but=localkey)
    yield Case("another node's", "itl-signer-live", given, consent, "of another node, not by its")
    localkey = _listed("pub", ITL, OLD, signer="pub/ITLRecovery/g0")
    given = scope(OLD, but=localkey)
    yield Case("localkey left below 12", "itl-signer-live", given, consent, "not by CallManager")
    given = scope(but=_listed("pub", ITL, tftp=frozenset({"old"})))
    yield Case("an old TFTP", "itl-equals-live", given, block, "as TFTP's")
    given = scope(but=_listed("pub", ITL, pin=frozenset({"pub/TVS/g0"})))
    yield Case("a TVS missing", "itl-equals-live", given, block, "lacks 1 of the present TVS")
    pins = _view(GOOD, ITL).pin | {"old"}
    given = scope(but=_listed("pub", ITL, pin=pins))
    yield Case("a TVS gone", "itl-equals-live", given, block, "TVS certificates that are gone")
    given = scope(but=_listed("pub", ITL, sast=_view(GOOD, ITL).sast | {"old"}))
    yield Case("an old SAST", "itl-equals-live", given, block, "names as SAST")
    given = scope(but=_listed("pub", ITL, capf=frozenset({"old"})))
    yield Case("an old CAPF", "itl-equals-live", given, block, "CAPF certificate that is not")
    given = scope(but=_listed("pub", ITL, capf=frozenset()))
    yield Case("no CAPF named", "itl-equals-live", given, warning, "names no CAPF")
    many = frozenset(f"tvs{number}" for number in range(40))
    given = scope(but=_listed("pub", ITL, pin=many))
    yield Case("too many", "itl-size", given, block, "over 39")
    given = scope(but={ListFile("sub", ITL): bytes(65537)})
    yield Case("too long", "itl-size", given, block, "65537 bytes")
    plain = facts(mixed=False)
    given = scope(plain, but={ServedList("pub", CTL): _view(GOOD, CTL)})
    yield Case("a stale CTL", "stale-ctl", given, block, "not in mixed mode")
    given = scope(but=_listed("sub", CTL, signer="gone"))
    yield Case("a CTL's signer gone", "ctl-anchors-live", given, block, "does not hold any more")
    # FN70613: an upgrade made ITLRecovery anew, and the CTL was never updated.
    stale = _listed(
        "sub", CTL, signer="pub/CallManager/g0", sast=frozenset({"pub/CallManager/g0", "old"})
    )
    yield Case("FN70613", "ctl-anchors-live", scope(but=stale), block, "an old ITLRecovery")
    one = _listed("sub", CTL, signer="pub/CallManager/g0", sast=frozenset({"pub/CallManager/g0"}))
    yield Case("one anchor", "ctl-anchors-live", scope(but=one), block, "its only anchor")
    given = scope(but=_listed("sub", CTL, ccm=frozenset({"pub/CallManager/g0"})))
    yield Case("a peer missing", "ctl-equals-live", given, block, "lacks 1 of the present")
    peers = _view(GOOD, CTL).ccm | {"old"}
    both = {**_listed("sub", CTL, ccm=peers), **_listed("pub", CTL, ccm=peers)}
    yield Case("a peer gone", "ctl-equals-live", scope(but=both), consent, "that are gone")
    given = scope(but=_listed("sub", CTL, capf=frozenset({"old"})))
    yield Case("CAPF in the CTL", "ctl-equals-live", given, block, "CAPF certificate that is not")
    given = scope(but=_listed("sub", CTL, tftp=frozenset({"pub/CallManager/g0"})))
    yield Case("two CTLs", "ctl-equals-live", given, block, "different CTLs")
    token = _listed("sub", CTL, token=True, signer="t1", sast=frozenset({"t1", "t2"}))
    yield Case("a token", "ctl-tokenless", scope(but=token), consent, "by a USB token")


def _endpoints() -> Iterator[Case]:
    _, consent, warning = Severity
    first, second = PHONES
    given = scope(but={Registrations(): registrations(first, down=(second,))})
    yield Case("a phone off", "phones-registered", given, consent, "1 of 2 phones", (second,))
    given = scope(but={Registrations(): {}})
    yield Case("all off", "phones-registered", given, consent, "2 of 2 phones", PHONES)
    trunks = {Devices(DeviceClass.SIP_TRUNK): registrations("T1", down=("T2",))}
    yield Case("a trunk down", "devices-registered", scope(but=trunks), warning, "SIPTrunk: not")
    alone = attrs.evolve(GOOD.phones[0], group=("pub", "imp"))
    given = scope(attrs.evolve(GOOD, phones=(alone, GOOD.phones[1])))
    yield Case("one node", "two-callmanagers", given, consent, "fewer than two", (first,))
    deaf = attrs.evolve(GOOD.phones[0], security_by_default=False)
    without = attrs.evolve(GOOD, phones=(deaf, GOOD.phones[1]))
    given = scope(without)
    yield Case("no TVS, CTL", "security-by-default", given, consent, "stays refused", (first,))
    given = scope(without, units=frozenset({TVS}))
    yield Case("no TVS, ITL", "security-by-default", given, warning, "without Security", (first,))


CASES = [*_cluster(), *_services_down(), *_certificates(), *_lists(), *_endpoints()]


@pytest.mark.parametrize("case", CASES, ids=[f"{c.check}: {c.name}" for c in CASES])
def test_the_fault_is_found_and_weighed(case: Case) -> None:
    finding = judge(case.check, case.there)
    assert finding.verdict is Verdict.FINDING, str(finding)
    assert finding.severity is case.severity
    assert case.says in " ".join((finding.detail, *finding.evidence))
    assert finding.phones == case.phones


def test_every_check_that_sees_has_a_fault_here() -> None:
    shown = {case.check for case in CASES}
    assert {check.id for check in PREFLIGHT if not check.asked} - shown == {"facts-known"}


# ── what cannot be told ───────────────────────────────────────────────────────────────────

UNDATED = (Backup(name="one", succeeded=True),)


def _undated(node: NodeFacts) -> NodeFacts:
    kept: dict[CertUnit, Certificate] = dict(node.certificates)
    kept[TVS] = attrs.evolve(kept[TVS], not_after=None)
    return attrs.evolve(node, certificates=kept)


DOUBTS: list[tuple[str, Scope, str]] = [
    ("facts-known", scope(attrs.evolve(GOOD, unknown=("sub: its version: away",))), "its version"),
    ("mode-known", scope(but={Parameter("ClusterSecurityMode"): "2"}), "neither 0 nor 1"),
    ("cluster-authenticated", scope(but=_members(authenticated=None)), "nobody says"),
    ("disk-room", scope(but={DiskUse("sub"): {}}), "names no partition"),
    ("backup-fresh", scope(but={BackupHistory(): UNDATED}), "time zone"),
    ("rollback-parameter", scope(but={Parameter("RollBackToPreGrayback"): ""}), "neither F nor T"),
    ("anchors-valid", scope(with_node(GOOD, "sub", _undated)), "nobody says until when"),
    (
        "itl-equals-live",
        scope(with_node(GOOD, "pub", lambda n: _without(n, CertUnit.CAPF))),
        "the publisher shows none",
    ),
    ("ctl-tokenless", scope(facts("9.1.2.10000-28")), "has no other way"),
]


@pytest.mark.parametrize(("check", "there", "says"), DOUBTS, ids=[row[0] for row in DOUBTS])
def test_what_cannot_be_told_is_unknown(check: str, there: Scope, says: str) -> None:
    finding = judge(check, there)
    assert finding.verdict is Verdict.UNKNOWN, str(finding)
    assert says in " ".join((finding.detail, *finding.evidence))


# ── what is no fault ──────────────────────────────────────────────────────────────────────

TOKENS: Answers = {
    **_listed("pub", CTL, token=True, signer="t1", sast=frozenset({"t1", "t2"})),
    **_listed("sub", CTL, token=True, signer="t1", sast=frozenset({"t1", "t2"})),
}
PASSES: list[tuple[str, str, Scope]] = [
    ("a single node needs no replication", "replication", scope(ONE_NODE, but={Replication(): {}})),
    ("names are compared by their first label", "replication",
     scope(but={Replication(): {"PUB.lab.example": 2, "sub": 2}})),
    ("a callmanager signs below 12", "itl-signer-live", scope(OLD)),
    ("a callmanager may sign a CTL on 12.5", "ctl-anchors-live",
     scope(but=_listed("sub", CTL, signer="pub/CallManager/g0"))),
    ("tokens are no certificates of the cluster", "ctl-anchors-live", scope(but=TOKENS)),
    ("one ITLRecovery for all is by design", "identity-of-one-node",
     scope(units=frozenset({ITLR}))),
    ("CAPF on the publisher only from 14", "certificates-shown",
     scope(NEW, units=frozenset({CertUnit.CAPF}))),
    ("a trunk without a name of a phone", "phones-registered",
     scope(but={Registrations(): registrations(*PHONES, "ATA1")})),
]  # fmt: skip


@pytest.mark.parametrize(("name", "check", "there"), PASSES, ids=[row[0] for row in PASSES])
def test_what_is_as_it_should_be_passes(name: str, check: str, there: Scope) -> None:
    finding = judge(check, there)
    assert finding.verdict is Verdict.PASS, str(finding)


def test_a_limit_moves_what_is_fault() -> None:
    there = scope(but={BackupHistory(): DAY_OLD, DiskUse("sub"): {"active": 92}})
    loose = attrs.evolve(there, limits=Limits(backup_days=7, disk_warning_percent=93))
    for check in ("backup-fresh", "disk-room"):
        assert judge(check, there).verdict is Verdict.FINDING
        assert judge(check, loose).verdict is Verdict.PASS


@pytest.mark.parametrize("values", [{"backup_days": 0}, {"disk_warning_percent": 96}])
def test_limits_that_make_no_sense_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must be over 0|does not hold"):
        Limits(**values)


def test_the_policy_says_what_an_expired_anchor_and_capf_on_a_subscriber_matter() -> None:
    expired = scope(_changed(GOOD, "sub", TVS, not_after=NOW - timedelta(days=1)))
    trusted = attrs.evolve(expired, policy=Policy(expired_is_trusted=True))
    assert judge("anchors-valid", trusted).severity is Severity.WARNING
    no_capf = with_node(GOOD, "sub", lambda node: _without(node, CertUnit.CAPF))
    missing = scope(no_capf, units=frozenset({CertUnit.CAPF}))
    unused = attrs.evolve(missing, policy=Policy(capf_on_subscribers=False))
    assert judge("certificates-shown", missing).verdict is Verdict.FINDING
    assert judge("certificates-shown", unused).verdict is Verdict.PASS


def test_a_phone_that_nothing_waits_for_needs_not_be_registered() -> None:
    first, second = PHONES
    off = scope(but={Registrations(): registrations(first, down=(second,))})
    named = attrs.evolve(off, policy=Policy(not_awaited={second: NotAwaited.MRA}))
    assert judge("phones-registered", off).phones == (second,)
    finding = judge("phones-registered", named)
    assert finding.verdict is Verdict.PASS
    assert second in " ".join((finding.detail, *finding.evidence))
    jabber = "Cisco Unified Client Services Framework"
    phones = [attrs.evolve(p, model=jabber) if p.name == second else p for p in GOOD.phones]
    told = attrs.evolve(off, facts=attrs.evolve(GOOD, phones=tuple(phones)))
    assert judge("phones-registered", told).verdict is Verdict.PASS


def test_what_only_matters_for_lists_is_not_asked_for_tomcat() -> None:
    there = scope(units=frozenset({TOMCAT}))
    applying = {check.id for check in PREFLIGHT if check.applies(there)}
    assert "itl-equals-live" not in applying
    assert "phones-registered" not in applying
    assert {"replication", "backup-fresh", "identity-self-signed", "disk-room"} <= applying


def test_services_that_are_not_activated_are_left_alone() -> None:
    there = scope(but=_services("sub", Service.CAPF, OFF))
    assert judge("services-started", there).verdict is Verdict.PASS
