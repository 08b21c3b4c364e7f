"""What a person looks at before a change and after it, on the lab in memory."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from cucm_certflow.core.planner import make_plan
from cucm_certflow.findings import CheckReport, Said, Severity, Verdict
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.names import CertUnit, DeviceClass
from cucm_certflow.observers import Verified
from cucm_certflow.procedures.partners import tasks_for
from cucm_certflow.procedures.releases import EXISTS
from cucm_certflow.testing.virtual import run_virtual
from cucm_certflow.verification import VerifyReport
from tests.journeys.main_job import start

SMALL = """
release = "{release}"
mode = "{mode}"
seed = 7

[[nodes]]
name = "pub"
address = "127.0.0.11"
publisher = true
services = ["callmanager", "cti", "tftp", "tvs", "capf"]

[[nodes]]
name = "sub"
address = "127.0.0.12"

[[nodes]]
name = "imp"
address = "127.0.0.13"
product = "cups"

[[phones]]
count = 3
model = "Cisco 8861"
group = ["pub", "sub"]
tftp = ["pub", "sub"]
{more}
"""
UNITS = (CertUnit.TOMCAT, CertUnit.CALLMANAGER, CertUnit.TVS)
LATEST = "14.0.1.12900-161"
RELEASES = (
    "8.6.2.20000-2",
    "9.1.2.10000-28",
    "10.5.2.10000-5",
    "11.5.1.12900-21",
    "12.0.1.10000-10",
    "12.5.1.11900-1",
    LATEST,
    "15.0.1.11900-23",
)


def _scenario(release: str = LATEST, *, mode: str = "mixed", more: str = "") -> Scenario:
    return Scenario.loads(SMALL.format(release=release, mode=mode, more=more))


def _preflight(scenario: Scenario, *, units: Iterable[CertUnit] = UNITS) -> CheckReport:
    async def story() -> CheckReport:
        return await start(scenario).cluster.preflight(units=units)

    return run_virtual(story)


def _words(items: Iterable[str]) -> list[Said]:
    return [Said(item=item, by="nora", why="seen in the lab") for item in items]


def _asked(report: CheckReport) -> list[str]:
    return [finding.check for finding in report.findings if finding.asked]


@pytest.mark.parametrize("mode", ["non-secure", "mixed"])
@pytest.mark.parametrize("release", RELEASES)
def test_a_healthy_lab_passes_all_that_can_be_seen(release: str, mode: str) -> None:
    scenario = _scenario(release, mode=mode)
    units = [unit for unit in CertUnit if scenario.release in EXISTS[unit].releases]
    # The lab has certificates with EC keys where a scenario says so.
    units = [unit for unit in units if not unit.value.endswith("-ECDSA")]
    report = _preflight(scenario, units=units)
    bad = [str(f) for f in report.findings if f.verdict is not Verdict.PASS and not f.asked]
    if scenario.release < (10, 0) and scenario.is_mixed:
        assert len(bad) == 1
        assert "signed by a USB token" in bad.pop()
    assert not bad, "\n".join(bad)


FAULTS = {
    "replication": "[health]\nreplication = { sub = 3 }",
    "time-synchronised": '[health]\nntp_unsynchronised = ["sub"]',
    "disk-room": "[health]\ndisk = { sub = { logging = 97 } }",
    "core-files": '[health]\ncores = { sub = ["core.1.ccm"] }',
    "cluster-authenticated": '[health]\nunauthenticated = ["sub"]',
    "backup-fresh": "[health]\nlast_backup_days = 30.0",
    "backup-idle": "[health]\nbackup_running = true",
    "rollback-parameter": '[parameters]\nRollBackToPreGrayback = "T"',
    "ctl-anchors-live": '[served]\nctl_itlrecovery = "old"',
    "anchors-valid": '[[certificates]]\nunit = "TVS"\nnode = "sub"\nexpires_in_days = -1.0',
    "identity-self-signed": '[[certificates]]\nunit = "tomcat"\nca_signed = true',
    "identity-of-one-node": '[[certificates]]\nunit = "tomcat"\nmulti_server = true',
    "identity-not-reused": '[[certificates]]\nunit = "CallManager"\nreuses_tomcat = true',
    "callmanager-key": '[[certificates]]\nunit = "CallManager"\nkey_bits = 4096',
    "phones-registered": "[[phones]]\nmodel = 'Cisco 7841'\nfirst = 'SEP0011223300AA'\n"
    "group = ['pub', 'sub']\ntftp = ['pub', 'sub']\nstate = 'off'",
    "devices-registered": "[[devices]]\nkind = 'SIPTrunk'\ncount = 1\nfirst = 'T1'\n"
    "node = 'pub'\nregistered = false",
    "two-callmanagers": "[[phones]]\nmodel = 'Cisco 7841'\nfirst = 'SEP0011223300AA'\n"
    "group = ['pub']\ntftp = ['pub']",
}


@pytest.mark.parametrize("check", FAULTS)
def test_a_fault_of_the_scenario_is_found(check: str) -> None:
    report = _preflight(_scenario(more=FAULTS[check]))
    found = {f.check for f in report.findings if f.verdict is Verdict.FINDING}
    assert check in found, str(report)


def test_from_the_first_look_to_the_last_and_what_stays_open_is_said(tmp_path: Path) -> None:
    journal = tmp_path / "CHG1.journal"
    trunks = "[[devices]]\nkind = 'SIPTrunk'\ncount = 2\nfirst = 'T1'\nnode = 'pub'"

    async def story() -> tuple[VerifyReport, VerifyReport]:
        there = start(_scenario(more=trunks))
        facts = await there.cluster.discover()
        tasks = [task.id for task in tasks_for(UNITS, facts.release, facts.mode)]
        first = await there.cluster.preflight(facts=facts, units=UNITS)
        assert {f.check for f in first.open()} <= set(_asked(first))
        assert make_plan(facts, units=UNITS, preflight=first, said=_words(tasks)).is_refused
        report = await there.cluster.preflight(units=UNITS, said=_words(_asked(first)))
        assert not report.open()
        assert report.baseline is not None
        assert len(report.baseline.registered[DeviceClass.SIP_TRUNK]) == 2
        facts = await there.cluster.discover()
        plan = make_plan(facts, units=UNITS, preflight=report, said=_words(tasks))
        assert not plan.is_refused, str(plan)
        async with there.cluster.run(plan, journal=journal) as run:
            async for _ in run.events():
                pass
        assert isinstance(run.outcome, Verified), run.outcome
        alone = await there.cluster.verify(journal=journal)
        words = _words([f.check for f in alone.open()])
        return alone, await there.cluster.verify(journal=journal, said=words)

    alone, answered = run_virtual(story)
    assert not alone.is_verified
    seen = {f.check for f in alone.open() if not f.asked}
    # No scenario takes a backup by itself: it is demanded after the last change.
    assert seen == {"backup-after"}
    blocks = [f for f in answered.findings if f.severity is Severity.BLOCK]
    assert blocks
    assert all(f.verdict is Verdict.PASS for f in blocks), str(answered)
    assert answered.is_verified


@pytest.mark.parametrize("mode", ["non-secure", "mixed"])
@pytest.mark.parametrize("release", ["11.5.1.12900-21", "12.5.1.11900-1", LATEST])
def test_after_everything_was_renewed_only_a_backup_is_missing(
    release: str, mode: str, tmp_path: Path
) -> None:
    units = tuple(unit for unit in CertUnit if not unit.value.endswith("-ECDSA"))

    async def story() -> VerifyReport:
        there = start(_scenario(release, mode=mode))
        facts = await there.cluster.discover()
        first = await there.cluster.preflight(facts=facts, units=units)
        words = _words(_asked(first))
        report = await there.cluster.preflight(facts=facts, units=units, said=words)
        tasks = _words(task.id for task in tasks_for(units, facts.release, facts.mode))
        plan = make_plan(facts, units=units, preflight=report, said=tasks)
        async with there.cluster.run(plan, journal=tmp_path / "journal") as run:
            async for _ in run.events():
                pass
        assert isinstance(run.outcome, Verified), run.outcome
        return await there.cluster.verify(journal=tmp_path / "journal")

    report = run_virtual(story)
    assert {f.check for f in report.open() if not f.asked} == {"backup-after"}, str(report)
    warned = {f.check for f in report.findings if f.verdict is Verdict.FINDING and not f.stops}
    # The old CAPF stays in trust until every LSC is new (F29); D11 for ipsec from 14 on.
    of_14 = {"ipsec-trust-serial-14"} if release == LATEST else set()
    assert warned == {"old-trust-lingers"} | of_14
