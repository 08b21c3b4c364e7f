"""Everything in one request: how the planner splits it into nights, and what it says of each."""

from __future__ import annotations

import attrs
import pytest

from cucm_certflow.core.plan import Plan
from cucm_certflow.core.planner import expiring_units, make_plan
from cucm_certflow.findings import CheckReport, Finding, Severity, Verdict
from cucm_certflow.names import CertUnit, Release, SecurityMode
from cucm_certflow.procedures import procedure_for
from cucm_certflow.procedures.policies import CapfWindow, Policy, UnitOrder
from tests.tables.paper import certificate, cluster, with_certificate
from tests.words import NO_PARTNERS

MIXED, NON_SECURE = SecurityMode.MIXED, SecurityMode.NON_SECURE
RELEASES = ("8.6", "9.1", "10.5", "11.5", "12.5", "14", "14SU2", "15")


def of_everything(
    release: str, mode: SecurityMode = NON_SECURE, policy: Policy | None = None
) -> Plan:
    facts = cluster(release, mode)
    units = {
        unit
        for node in facts.nodes
        for unit in node.certificates
        if procedure_for(unit, facts.release)
    }
    return make_plan(facts, units=units, policy=policy, said=NO_PARTNERS)


def windows_of(plan: Plan) -> list[set[CertUnit]]:
    return [set(window.units) for window in plan.windows]


@pytest.mark.parametrize("mode", [NON_SECURE, MIXED], ids=["nonsecure", "mixed"])
@pytest.mark.parametrize("release", RELEASES)
def test_no_window_holds_two_units_that_must_not_change_together(
    release: str, mode: SecurityMode
) -> None:
    plan = of_everything(release, mode)
    if plan.is_refused:
        assert {blocked.guard for blocked in plan.refusals} == {"lifeline"}
    assert len(plan.windows) >= 3
    for units in windows_of(plan):
        for unit in units:
            assert not plan.procedures[unit].never_with & units


@pytest.mark.parametrize("release", RELEASES)
def test_every_window_says_why_and_in_which_state_one_can_sleep_on_it(release: str) -> None:
    plan = of_everything(release)
    for window in plan.windows:
        assert window.reason
        assert "verified on every node" in window.rest
    left = plan.windows[0].rest.split("; ")[-1]
    assert left.endswith("stay as they are until the next night")
    assert "CallManager" in left
    assert "until the next night" not in plan.windows[-1].rest


def test_order_is_that_of_the_starting_document_and_itlrecovery_is_last_and_alone() -> None:
    windows = windows_of(of_everything("14"))
    assert windows == [
        {
            CertUnit.TOMCAT,
            CertUnit.TOMCAT_ECDSA,
            CertUnit.IPSEC,
            CertUnit.CUP,
            CertUnit.CUP_ECDSA,
            CertUnit.CUP_XMPP,
            CertUnit.CUP_XMPP_ECDSA,
            CertUnit.CUP_XMPP_S2S,
            CertUnit.CUP_XMPP_S2S_ECDSA,
            CertUnit.CAPF,
        },
        {CertUnit.CALLMANAGER, CertUnit.CALLMANAGER_ECDSA},
        {CertUnit.TVS},
        {CertUnit.ITLRECOVERY},
    ]


def test_capf_in_callmanagers_window_saves_one_reset() -> None:
    resets = {
        policy.capf: sum(
            step.row.name.startswith("reset") for step in of_everything("14", policy=policy).steps
        )
        for policy in (Policy(), Policy(capf=CapfWindow.WITH_CALLMANAGER))
    }
    assert resets[CapfWindow.WITH_CALLMANAGER] == resets[CapfWindow.OWN] - 1


def test_units_that_share_restart_a_service_once() -> None:
    facts = cluster("14")
    both = make_plan(facts, units={CertUnit.TOMCAT, CertUnit.TOMCAT_ECDSA}, said=NO_PARTNERS)
    texts = [f"{step.command.node} {step.command}" for step in both.steps]
    assert len(texts) == len(set(texts))
    first_restart = next(i for i, text in enumerate(texts) if "restart" in text)
    assert all("regen" in text for text in texts[:first_restart])
    assert sum("regen" in text for text in texts) == 6


@pytest.mark.parametrize("release", ["10.5", "14"])
def test_capf_with_callmanager_keeps_every_tables_own_order(release: str) -> None:
    policy = Policy(capf=CapfWindow.WITH_CALLMANAGER)
    facts = cluster(release, MIXED)
    plan = make_plan(
        facts, units={CertUnit.CAPF, CertUnit.CALLMANAGER}, policy=policy, said=NO_PARTNERS
    )
    names = list(dict.fromkeys(step.row.name for step in plan.steps))
    for unit in (CertUnit.CAPF, CertUnit.CALLMANAGER):
        rows = [row.name for row in plan.procedures[unit].rows if row.name in names]
        assert sorted(rows, key=names.index) == rows


def test_only_what_is_over_in_time_is_asked_for() -> None:
    facts = with_certificate(cluster("14"), "sub", CertUnit.TVS, certificate("sub/TVS", days=89))
    assert expiring_units(facts, 90) == (CertUnit.TVS,)
    assert expiring_units(facts, 88) == ()


def test_restarts_of_callmanager_are_left_out_only_where_the_guide_allows() -> None:
    policy = Policy(callmanager_restarts=False)
    names = {
        (release, unit): {
            step.row.name
            for step in make_plan(
                cluster(release), units={unit}, policy=policy, said=NO_PARTNERS
            ).steps
        }
        for release in ("12.5", "14", "14SU1", "14.0.1.12900-161", "15")
        for unit in (CertUnit.CALLMANAGER, CertUnit.CALLMANAGER_ECDSA)
    }
    without = {key for key, rows in names.items() if "restart-callmanager" not in rows}
    assert without == {
        (release, CertUnit.CALLMANAGER) for release in ("14SU1", "14.0.1.12900-161", "15")
    }


def test_expired_tvs_is_not_counted_on_and_the_other_order_is() -> None:
    # With one TFTP node: where phones can fail over to another, they need a TVS for its signer.
    facts = cluster("11.5")
    alone = tuple(
        attrs.evolve(
            node, itl=None, services={s: v for s, v in node.services.items() if s != "Cisco Tftp"}
        )
        if node.name == "sub"
        else node
        for node in facts.nodes
    )
    facts = attrs.evolve(facts, nodes=alone)
    for node in ("pub", "sub"):
        over = certificate(f"{node}/TVS", days=-1)
        facts = with_certificate(facts, node, CertUnit.TVS, over)
    units = {CertUnit.CALLMANAGER, CertUnit.TVS}
    refused = make_plan(facts, units=units, said=NO_PARTNERS)
    assert "lifeline" in {blocked.guard for blocked in refused.refusals}
    other = Policy(order=UnitOrder.TVS_FIRST)
    assert not make_plan(facts, units=units, policy=other, said=NO_PARTNERS).is_refused
    trusting = Policy(expired_is_trusted=True)
    assert not make_plan(facts, units=units, policy=trusting, said=NO_PARTNERS).is_refused


def test_release_that_does_not_exist_is_refused_and_nothing_is_guessed() -> None:
    for text in ("7.1", "13", "16"):
        release = Release.parse(text)
        facts = cluster("14")
        nodes = tuple(attrs.evolve(node, release=release) for node in facts.nodes)
        refused = make_plan(attrs.evolve(facts, nodes=nodes), units={CertUnit.TOMCAT})
        assert "procedure_known" in {blocked.guard for blocked in refused.refusals}
        assert not refused.steps


def test_unit_that_does_not_exist_there_is_refused_with_where_it_does() -> None:
    refused = make_plan(cluster("9.1"), units={CertUnit.ITLRECOVERY})
    (blocked,) = [each for each in refused.refusals if each.guard == "unit_exists"]
    assert any("from 10.0" in line for line in blocked.evidence)


def test_preflight_for_other_units_refuses_the_plan() -> None:
    looked = Finding(
        check="replication",
        title="",
        verdict=Verdict.PASS,
        severity=Severity.BLOCK,
        detail="all is well",
    )
    report = CheckReport(findings=(looked,), units=(CertUnit.TOMCAT,))
    plan = make_plan(
        cluster("14"), units={CertUnit.TOMCAT, CertUnit.TVS}, preflight=report, said=NO_PARTNERS
    )
    (refusal,) = plan.refusals
    assert refusal.guard == "preflight"
    assert "did not look for TVS" in refusal.detail
    assert not make_plan(cluster("14"), units={CertUnit.TOMCAT}, preflight=report).is_refused
