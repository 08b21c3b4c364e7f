"""What is drawn beyond phones and certificates as they should be is valid, and comes to life."""

from __future__ import annotations

import random
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings

from cucm_certflow.lab.scenario import HeldLists, Scenario
from cucm_certflow.lab.scenario_text import scenario_text
from cucm_certflow.testing import strategies
from cucm_certflow.testing.stage import Stage, play

quietly: Final = settings(
    max_examples=40,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@quietly
@given(strategies.clusters(strange=True))
def test_strange_cluster_is_the_same_when_its_file_is_read(scenario: Scenario) -> None:
    assert Scenario.loads(scenario_text(scenario)) == scenario


@quietly
@given(strategies.clusters(strange=True, wrong=False))
def test_strange_cluster_comes_to_life_and_can_be_discovered(scenario: Scenario) -> None:
    async def look(stage: Stage) -> None:
        facts = await stage.cluster.discover()
        assert {node.name for node in facts.nodes} == {node.name for node in scenario.nodes}
        assert len(facts.phones) == sum(group.count for group in scenario.phones)

    play(scenario, look)


@pytest.mark.parametrize("lists", HeldLists)
def test_phones_of_every_kind_of_lists_are_drawn(lists: HeldLists) -> None:
    found = find(
        strategies.clusters(strange=True),
        lambda s: any(group.lists is lists for group in s.phones),
        settings=settings(quietly, phases=[Phase.generate, Phase.shrink]),
        random=random.Random(1),
    )
    assert [group.lists for group in found.phones] == [lists]
    assert (len(found.nodes), found.phones[0].count) == (1, 1)
    assert (found.certificates, found.faults, found.events) == ((), (), ())
