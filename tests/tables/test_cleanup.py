"""Trust clean-up on paper: what can go, what must stay, what is stopped, restarted and started."""

from __future__ import annotations

import attrs
import pytest

from cucm_certflow.core.cleanup import plan_cleanup
from cucm_certflow.core.entry_guards import LSCS_REISSUED
from cucm_certflow.core.plan import Plan, TrustKey
from cucm_certflow.errors import UsageError
from cucm_certflow.facts import ClusterFacts, TrustEntry
from cucm_certflow.findings import Said
from cucm_certflow.names import CertUnit, SecurityMode
from cucm_certflow.procedures.cleanup import RESTARTED_FOR
from tests.tables.paper import certificate, cluster, entry, with_certificate

REISSUED = Said(item=LSCS_REISSUED, by="a person", why="the last LSC was renewed")


def held(facts: ClusterFacts, *entries: TrustEntry) -> dict[str, tuple[TrustEntry, ...]]:
    return {node.name: entries for node in facts.nodes}


def key(of: TrustEntry) -> TrustKey:
    return TrustKey(of.store, of.certificate.fingerprint, of.name)


def commands(plan: Plan) -> list[tuple[str, str]]:
    return [(step.command.node, str(step.command)) for step in plan.steps]


def test_expired_entry_goes_from_every_node_and_a_valid_one_stays() -> None:
    facts = cluster("14")
    stores = held(facts, entry("tomcat-trust", "old.pem"), entry("tomcat-trust", "new.pem", days=9))
    plan = plan_cleanup(facts, stores)
    assert [str(each) for each in plan.entries] == ["tomcat-trust/old.pem"]
    assert commands(plan) == [
        ("pub", "set cert delete tomcat old.pem"),
        ("sub", "set cert delete tomcat old.pem"),
        ("imp", "set cert delete tomcat old.pem"),
        ("pub", "utils service restart Cisco Tomcat"),
        ("sub", "utils service restart Cisco Tomcat"),
        ("imp", "utils service restart Cisco Tomcat"),
    ]


@pytest.mark.parametrize("release", ["8.6", "9.1", "10.5", "11.5"])
def test_up_to_11_5_what_would_put_it_back_is_stopped_first_and_started_last(release: str) -> None:
    facts = cluster(release)
    done = commands(plan_cleanup(facts, held(facts, entry("tomcat-trust", "old.pem"))))
    quieted = [
        ("pub", "Cisco Certificate Change Notification"),
        ("sub", "Cisco Certificate Change Notification"),
        ("imp", "Platform Administrative Web Service"),
        ("imp", "Cisco Intercluster Sync Agent"),
    ]
    assert done[:4] == [(node, f"utils service stop {name}") for node, name in quieted]
    assert done[-4:] == [(node, f"utils service start {name}") for node, name in quieted]


@pytest.mark.parametrize("release", ["12.0", "12.5", "14", "15"])
def test_from_12_0_nothing_is_stopped(release: str) -> None:
    facts = cluster(release)
    done = commands(plan_cleanup(facts, held(facts, entry("tomcat-trust", "old.pem"))))
    assert not [text for _, text in done if " stop " in text or " start " in text]


@pytest.mark.parametrize("store", [*RESTARTED_FOR, "Phone-SAST-trust", "directory-trust"])
def test_only_what_belongs_to_the_store_is_restarted_and_no_phone_is_reset(store: str) -> None:
    facts = cluster("14")
    plan = plan_cleanup(facts, held(facts, entry(store, "old.pem")), said=[REISSUED])
    restarted = {text.removeprefix("utils service restart ") for _, text in commands(plan)}
    restarted = {name for name in restarted if not name.startswith("set cert")}
    assert restarted == {service.value for service in RESTARTED_FOR.get(store, ())}
    assert not [text for _, text in commands(plan) if "Reset" in text]


MUST_STAY = {
    "an identity": entry("CallManager-trust", "pub/CallManager.pem"),
    "another node's identity": entry("tomcat-trust", "sub/tomcat.pem"),
    "ITLRecovery, which the starting document does not name": entry(
        "Phone-SAST-trust", "pub/ITLRecovery.pem"
    ),
    "a node's name in ipsec-trust": entry("ipsec-trust", "pub.pem"),
    "an old CAPF": entry("CAPF-trust", "CAPF-1.pem"),
}


@pytest.mark.parametrize("needed", MUST_STAY.values(), ids=MUST_STAY)
def test_what_is_needed_is_left_where_it_is_though_expired(needed: TrustEntry) -> None:
    facts = cluster("12.5")
    plan = plan_cleanup(facts, held(facts, needed))
    assert not plan.entries
    assert not plan.steps
    assert not plan.is_refused


@pytest.mark.parametrize("needed", MUST_STAY.values(), ids=MUST_STAY)
def test_asking_for_what_is_needed_is_refused_with_the_reason(needed: TrustEntry) -> None:
    facts = cluster("12.5")
    plan = plan_cleanup(facts, held(facts, needed), delete=[key(needed)])
    assert [blocked.guard for blocked in plan.refusals] == ["entry_not_needed"]
    assert plan.refusals[0].evidence
    assert not plan.steps


def test_issuer_of_a_live_identity_stays() -> None:
    facts = cluster("14")
    signed = certificate("pub/tomcat", self_signed=False, issuer="CN=CA")
    changed = with_certificate(facts, "pub", CertUnit.TOMCAT, signed)
    ca = entry("tomcat-trust", "CA.pem", subject="CN=CA")
    assert not plan_cleanup(changed, held(changed, ca)).entries


def test_old_capf_goes_once_a_person_says_that_no_lsc_needs_it() -> None:
    facts = cluster("12.5")
    plan = plan_cleanup(facts, held(facts, entry("CAPF-trust", "CAPF-1.pem")), said=[REISSUED])
    assert [str(each) for each in plan.entries] == ["CAPF-trust/CAPF-1.pem"]


def test_valid_entry_goes_if_it_is_named() -> None:
    facts = cluster("14")
    chosen = entry("tomcat-trust", "unused.pem", days=400)
    plan = plan_cleanup(facts, held(facts, chosen), delete=[key(chosen)])
    assert [str(each) for each in plan.entries] == ["tomcat-trust/unused.pem"]


def test_node_whose_stores_were_not_read_refuses_the_whole() -> None:
    facts = cluster("14")
    plan = plan_cleanup(facts, {"pub": (entry("tomcat-trust", "old.pem"),)})
    assert {blocked.guard for blocked in plan.refusals} == {"facts_known"}
    assert not plan.steps


def test_certificate_that_no_store_has_cannot_be_asked_for() -> None:
    facts = cluster("14")
    with pytest.raises(UsageError, match="in no trust store"):
        plan_cleanup(facts, held(facts), delete=[TrustKey("tomcat-trust", "x", "x.pem")])


def test_restart_of_callmanager_over_lists_of_unknown_signers_is_refused() -> None:
    facts = cluster("12.5", SecurityMode.MIXED)
    strange = tuple(
        attrs.evolve(node, ctl=node.ctl._replace(signer="nobody")) if node.ctl else node
        for node in facts.nodes
    )
    changed = attrs.evolve(facts, nodes=strange)
    plan = plan_cleanup(changed, held(changed, entry("CallManager-trust", "old.pem")))
    assert "signer_known" in {blocked.guard for blocked in plan.refusals}
