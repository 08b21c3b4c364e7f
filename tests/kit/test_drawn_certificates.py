"""What is drawn about certificates fits the cluster it is drawn for, and shows in the lab."""

from __future__ import annotations

import random
from typing import Final

import attrs
from hypothesis import find, given, settings
from hypothesis import strategies as st

from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.lab.scenario_book import CertificateSpec
from cucm_certflow.lab.scenario_text import scenario_text
from cucm_certflow.names import CertUnit, Release
from cucm_certflow.testing import Stage, play
from cucm_certflow.testing.strategies import certificates, clusters

quietly: Final = settings(max_examples=150, derandomize=True, database=None, deadline=None)

ONE: Final = clusters(most_nodes=3, most_groups=1, wrong=False)
DRAWN: Final = ONE.flatmap(lambda scenario: st.tuples(st.just(scenario), certificates(scenario)))


@quietly
@given(DRAWN)
def test_drawn_certificate_fits_its_cluster_and_its_file(
    drawn: tuple[Scenario, CertificateSpec],
) -> None:
    scenario, spec = drawn
    special = attrs.evolve(scenario, certificates=(spec,))
    assert Scenario.loads(scenario_text(special)) == special


@settings(quietly, max_examples=15)
@given(DRAWN)
def test_cluster_with_a_drawn_certificate_can_be_discovered(
    drawn: tuple[Scenario, CertificateSpec],
) -> None:
    scenario, spec = drawn

    async def story(stage: Stage) -> set[str]:
        facts = await stage.cluster.discover()
        return {node.name for node in facts.nodes}

    special = attrs.evolve(scenario, certificates=(spec,))
    assert play(special, story) == {node.name for node in scenario.nodes}


def test_simplest_special_certificate_is_tvs_that_runs_out_in_a_month() -> None:
    _, spec = find(DRAWN, lambda _: True, settings=quietly, random=random.Random(1))
    assert spec == CertificateSpec(unit=CertUnit.TVS, node="pub", expires_in_days=30.0)


def test_every_kind_of_specialty_is_drawn() -> None:
    seen: set[str] = set()
    newer = clusters(most_nodes=1, wrong=False, release=st.just(Release.parse("14")))
    drawn_of_14 = newer.flatmap(lambda there: st.tuples(st.just(there), certificates(there)))

    @settings(quietly, max_examples=400)  # Tomcat's is reused from 14 on, and by one unit only
    @given(drawn_of_14)
    def look(drawn: tuple[Scenario, CertificateSpec]) -> None:
        fields = ("expires_in_days", "ca_signed", "multi_server", "reuses_tomcat", "key_bits")
        seen.update(name for name in (*fields, "name_missing") if getattr(drawn[1], name))

    look()
    assert len(seen) == 6, seen
