"""Identities that a plain regeneration would destroy are told from plain ones, and refused."""

from __future__ import annotations

from typing import Any

import pytest

from cucm_certflow.core.identities import ROUTES, Identity, identity_of
from cucm_certflow.core.planner import make_plan
from cucm_certflow.facts import ClusterFacts
from cucm_certflow.names import CertUnit
from tests.tables.paper import certificate, cluster, with_certificate
from tests.words import NO_PARTNERS


def kind_of(facts: ClusterFacts, unit: CertUnit = CertUnit.TOMCAT) -> Identity:
    found = identity_of(facts, facts.publisher, unit)
    assert found is not None
    return found.kind


def changed(unit: CertUnit = CertUnit.TOMCAT, **more: Any) -> ClusterFacts:  # noqa: ANN401 - any field
    return with_certificate(cluster("14"), "pub", unit, certificate("another", **more))


def test_plain_certificate_is_plain_on_every_release_and_unit() -> None:
    for release in ("8.6", "10.5", "12.0", "12.5", "14", "15"):
        facts = cluster(release)
        for node in facts.nodes:
            for unit in node.certificates:
                found = identity_of(facts, node, unit)
                assert found is not None
                assert found.may_be_regenerated, (release, node.name, unit)


def test_certificate_that_a_node_does_not_show_has_no_kind() -> None:
    facts = cluster("14")
    assert identity_of(facts, facts.publisher, CertUnit.CUP) is None


def test_certificate_of_a_ca_is_recognised() -> None:
    assert kind_of(changed(self_signed=False, issuer="CN=CA")) is Identity.CA_SIGNED


@pytest.mark.parametrize("subject", ["CN=pub-ms.example.com;O=x", "CN=pub-EC-ms.example.com"])
def test_multi_server_name_is_recognised(subject: str) -> None:
    assert kind_of(changed(subject=subject)) is Identity.MULTI_SERVER


def test_certificate_that_names_two_nodes_is_multi_server() -> None:
    names = ("pub.example.com", "SUB.example.com", "example.com")
    assert kind_of(changed(names=names)) is Identity.MULTI_SERVER


def test_same_certificate_on_two_nodes_is_multi_server() -> None:
    facts = with_certificate(changed(), "sub", CertUnit.TOMCAT, certificate("another"))
    assert kind_of(facts) is Identity.MULTI_SERVER


def test_itlrecovery_of_the_publisher_is_plain_though_every_node_shows_it() -> None:
    assert kind_of(cluster("12.5"), CertUnit.ITLRECOVERY) is Identity.PLAIN


def test_tomcat_reused_for_callmanager_is_recognised_from_both_sides() -> None:
    facts = with_certificate(changed(), "pub", CertUnit.CALLMANAGER, certificate("another"))
    assert kind_of(facts, CertUnit.TOMCAT) is Identity.REUSED
    assert kind_of(facts, CertUnit.CALLMANAGER) is Identity.REUSED


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        (changed(self_signed=False, issuer="CN=CA"), Identity.CA_SIGNED),
        (changed(subject="CN=pub-ms.example.com"), Identity.MULTI_SERVER),
        (
            with_certificate(changed(), "pub", CertUnit.CALLMANAGER, certificate("another")),
            Identity.REUSED,
        ),
    ],
    ids=["CA", "multi-server", "reused"],
)
def test_plan_that_would_destroy_an_identity_is_refused_with_the_route(
    facts: ClusterFacts, kind: Identity
) -> None:
    plan = make_plan(facts, units={CertUnit.TOMCAT}, said=NO_PARTNERS)
    (refusal,) = [blocked for blocked in plan.refusals if "destroys" in blocked.detail]
    assert refusal.guard in {"self_signed", "identity"}
    assert refusal.unlock == ROUTES[kind]
    assert not plan.steps
