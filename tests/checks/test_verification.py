"""Each check after a change, on a cluster where it did not go as it should."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

import attrs
import pytest

from cucm_certflow.checks.scope import Change, Scope
from cucm_certflow.checks.verification import VERIFICATION
from cucm_certflow.core.plan import TrustKey
from cucm_certflow.facts import (
    Backup,
    BackupHistory,
    DatabaseCertificates,
    Devices,
    PresentedCertificate,
    Query,
    Registrations,
    ServedList,
    TrustEntry,
    TrustStores,
)
from cucm_certflow.findings import Baseline, Finding, Severity, Verdict
from cucm_certflow.names import CertUnit, DeviceClass, KeyAlgorithm, ListKind
from tests.checks.ground import (
    NOW,
    PHONES,
    Answers,
    answers,
    certificate,
    changed,
    facts,
    judge,
    registrations,
    scope,
    with_certificate,
)

CM, TVS, ITLR = CertUnit.CALLMANAGER, CertUnit.TVS, CertUnit.ITLRECOVERY
TOMCAT, IPSEC, CAPF = CertUnit.TOMCAT, CertUnit.IPSEC, CertUnit.CAPF
AFTER, CHANGE = changed(*CertUnit)


class Case(NamedTuple):
    name: str
    check: str
    there: Scope
    severity: Severity
    says: str
    phones: tuple[str, ...] = ()


def _after(but: Answers | None = None, change: Change = CHANGE) -> Scope:
    return scope(AFTER, change=change, but=but)


def _stores(*entries: TrustEntry) -> Answers:
    return {TrustStores("sub"): entries}


def _entry(store: str, unit: CertUnit, generation: int) -> TrustEntry:
    return TrustEntry(store=store, name="pub.pem", certificate=certificate("pub", unit, generation))


def _cases() -> Iterator[Case]:
    block, consent, warning = Severity
    still = with_certificate(AFTER, "sub", TVS, lambda _: certificate("sub", TVS))
    there = scope(still, change=CHANGE)
    yield Case("still the old one", "certificates-new", there, block, "sub/TVS still has serial")
    held = answers(AFTER)[DatabaseCertificates("sub")] - {"pub/CallManager/g1"}
    there = _after({DatabaseCertificates("sub"): held})
    yield Case("a database behind", "database-new", there, block, "the new pub/CallManager")
    held = answers(AFTER)[DatabaseCertificates("imp")] - {"imp/cup/g1"}
    there = _after({DatabaseCertificates("imp"): held})
    yield Case("that of presence behind", "database-new", there, block, "the new imp/cup")
    for unit, port in ((TOMCAT, 8443), (CM, 5061), (TVS, 2445), (CAPF, 3804)):
        there = _after({PresentedCertificate("pub", port): f"pub/{unit.value}/g0"})
        yield Case(f"port {port}", "ports-present", there, block, f"port {port} of pub presents")
    there = _after({PresentedCertificate("sub", 8443, KeyAlgorithm.EC): "sub/tomcat-ECDSA/g0"})
    yield Case("port 8443, EC", "ports-present", there, block, "than sub/tomcat-ECDSA")
    old = facts().publisher
    there = _after({ServedList("pub", ListKind.ITL): old.itl})
    yield Case("an old ITL", "itl-equals-live", there, block, "the ITL on pub")
    yield Case(
        "an ITL by the old signer", "itl-signer-live", there, block, "does not hold any more"
    )
    there = _after({ServedList("pub", ListKind.CTL): old.ctl})
    yield Case("an old CTL", "ctl-equals-live", there, block, "the CTL on pub lacks")
    yield Case("a CTL by old anchors", "ctl-anchors-live", there, block, "names as SAST")
    missing = {Registrations(): registrations(PHONES[0], down=(PHONES[1],))}
    yield Case("a phone away", "phones-back", _after(missing), block, PHONES[1], (PHONES[1],))
    gone = {Devices(DeviceClass.GATEWAY): registrations("another")}
    yield Case("a gateway away", "devices-back", _after(gone), consent, "Gateway: 1 are missing")
    there = _after(_stores(_entry("ipsec-trust", IPSEC, 0)))
    yield Case("an old ipsec trusted", "ipsec-trust-serial", there, block, "ipsec-trust on sub")
    there = _after(_stores(_entry("tomcat-trust", IPSEC, 1)))
    yield Case("in another store", "ipsec-trust-serial", there, block, "ipsec-trust on sub")
    expired = with_certificate(
        AFTER, "pub", IPSEC, lambda c: attrs.evolve(c, not_after=NOW - timedelta(days=1))
    )
    there = scope(expired, change=CHANGE)
    yield Case("an expired ipsec", "ipsec-trust-serial", there, block, "ipsec on pub expired")
    new, change = changed(IPSEC, release="14.0.1.12900-161")
    there = scope(new, change=change, but=_stores())
    yield Case("ipsec from 14", "ipsec-trust-serial-14", there, warning, "ipsec-trust on sub")
    before = (Backup(name="one", succeeded=True, at=NOW - timedelta(hours=4)),)
    there = _after({BackupHistory(): before})
    yield Case("an old backup", "backup-after", there, consent, "since the last change")
    failed = (Backup(name="two", succeeded=False, at=NOW), *before)
    there = _after({BackupHistory(): failed})
    yield Case("a failed backup", "backup-after", there, consent, "since the last change")
    there = _after(_stores(_entry("ipsec-trust", IPSEC, 1), _entry("tomcat-trust", TOMCAT, 0)))
    yield Case("an old one lingers", "old-trust-lingers", there, warning, "tomcat-trust/pub.pem")
    key = TrustKey("tomcat-trust", "pub/tomcat/g0", "pub.pem")
    clean_up = Change(before=AFTER, entries=(key,), changed_at=CHANGE.changed_at)
    there = _after(_stores(_entry("tomcat-trust", TOMCAT, 0)), clean_up)
    yield Case("it came back", "trust-entries-gone", there, block, "still, or again")


CASES = list(_cases())


@pytest.mark.parametrize("case", CASES, ids=[f"{c.check}: {c.name}" for c in CASES])
def test_the_fault_is_found_and_weighed(case: Case) -> None:
    finding = judge(case.check, case.there)
    assert finding.verdict is Verdict.FINDING, str(finding)
    assert finding.severity is case.severity
    assert case.says in " ".join((finding.detail, *finding.evidence))
    assert finding.phones == case.phones


BEFORE_AS_WELL = {
    "lists-served",
    "stale-ctl",
    "replication",
    "cluster-authenticated",
    "rollback-parameter",
}
"""Shown in test_preflight: the very same checks."""


def test_every_check_that_sees_has_a_fault_here() -> None:
    shown = {case.check for case in CASES}
    assert {check.id for check in VERIFICATION if not check.asked} - shown == BEFORE_AS_WELL


# ── what cannot be told ───────────────────────────────────────────────────────────────────


def _without(unit: CertUnit) -> Scope:
    nodes = tuple(
        attrs.evolve(n, certificates={u: c for u, c in n.certificates.items() if u is not unit})
        for n in AFTER.nodes
    )
    return scope(attrs.evolve(AFTER, nodes=nodes), change=CHANGE)


UNDATED = {BackupHistory(): (Backup(name="one", succeeded=True),)}
NO_GATEWAYS = attrs.evolve(
    CHANGE,
    baseline=Baseline(
        at=NOW,
        registered={
            kind: frozenset({f"{kind.value}-1"})
            for kind in DeviceClass
            if kind is not DeviceClass.GATEWAY
        },
    ),
)
DOUBTS: list[tuple[str, Scope, str]] = [
    ("certificates-new", _without(TVS), "TVS is not readable"),
    ("devices-back", _after(change=attrs.evolve(CHANGE, baseline=None)), "nobody wrote down"),
    ("devices-back", _after(change=NO_GATEWAYS), "Gateway: could not be read before"),
    ("backup-after", _after(UNDATED), "time zone"),
    ("ipsec-trust-serial", _without(IPSEC), "pub shows no ipsec certificate"),
]


@pytest.mark.parametrize(
    ("check", "there", "says"), DOUBTS, ids=[f"{row[0]} {row[2]}" for row in DOUBTS]
)
def test_what_cannot_be_told_is_unknown(check: str, there: Scope, says: str) -> None:
    finding = judge(check, there)
    assert finding.verdict is Verdict.UNKNOWN, str(finding)
    assert says in " ".join((finding.detail, *finding.evidence))


# ── what is no fault ──────────────────────────────────────────────────────────────────────


def _passes(check: str, there: Scope) -> Finding:
    finding = judge(check, there)
    assert finding.verdict is Verdict.PASS, str(finding)
    return finding


def test_a_waived_phone_is_not_missing_and_is_named() -> None:
    missing = {Registrations(): registrations(PHONES[0], down=(PHONES[1],))}
    waived = attrs.evolve(CHANGE, waived=frozenset({PHONES[1]}))
    finding = _passes("phones-back", _after(missing, waived))
    assert any("left behind" in line and PHONES[1] in line for line in finding.evidence)


def test_a_phone_that_nothing_waits_for_is_not_missing_and_is_named() -> None:
    missing = {Registrations(): registrations(PHONES[0], down=(PHONES[1],))}
    spared = attrs.evolve(CHANGE, not_awaited=frozenset({PHONES[1]}))
    finding = _passes("phones-back", _after(missing, spared))
    assert any("nothing waits" in line and PHONES[1] in line for line in finding.evidence)


def test_a_run_that_changed_nothing_needs_no_new_backup() -> None:
    there = _after({BackupHistory(): ()}, attrs.evolve(CHANGE, changed_at=None))
    _passes("backup-after", there)


def test_a_device_that_was_down_before_need_not_be_back() -> None:
    both = {Devices(DeviceClass.GATEWAY): registrations("Gateway-1", down=("Gateway-2",))}
    _passes("devices-back", _after(both))


def test_a_certificate_that_no_running_service_presents_has_no_port_to_look_at() -> None:
    after, change = changed(CertUnit.CUP, ITLR)
    assert not (_asks("ports-present", scope(after, change=change)))


def _asks(name: str, there: Scope) -> tuple[Query, ...]:
    return next(check for check in VERIFICATION if check.id == name).asks(there)


def test_nodes_of_presence_are_not_asked_about_certificates_of_cucm() -> None:
    after, change = changed(TVS)
    asked = _asks("database-new", scope(after, change=change))
    assert asked == (DatabaseCertificates("pub"), DatabaseCertificates("sub"))


def test_trust_lists_and_phones_are_not_looked_at_after_tomcat() -> None:
    after, change = changed(TOMCAT)
    there = scope(after, change=change, units=frozenset({TOMCAT}))
    applying = {check.id for check in VERIFICATION if check.applies(there)}
    assert not {"itl-equals-live", "phones-back", "ipsec-trust-serial", "lsc-renewal"} & applying
    assert {"certificates-new", "ports-present", "backup-after", "devices-back"} <= applying
