"""What is drawn is valid, shrinks to what can be read, and finds bugs that are planted."""

from __future__ import annotations

import random
import textwrap
from time import perf_counter
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from cucm_certflow.errors import ScenarioError
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.lab.scenario_text import scenario_text
from cucm_certflow.names import CertUnit, SecurityMode
from cucm_certflow.testing import strategies
from tests.kit.planted import PLANTED, Drawn, Planted, drawn, flaw_of

SEED: Final = 214231
EXAMPLES: Final = 40
"""The budget of examples in which each planted bug is found."""

quietly = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@quietly
@given(strategies.clusters())
def test_drawn_cluster_is_the_same_when_its_file_is_read(scenario: Scenario) -> None:
    assert Scenario.loads(scenario_text(scenario)) == scenario


@quietly
@given(strategies.scenario_files())
def test_drawn_file_loads(text: str) -> None:
    assert Scenario.loads(text).nodes


@quietly
@given(strategies.broken_scenario_files())
def test_broken_file_is_refused_at_the_place_that_is_wrong(drawn_file: tuple[str, str]) -> None:
    text, path = drawn_file
    with pytest.raises(ScenarioError) as caught:
        Scenario.loads(text)
    assert f"{path}: " in caught.value.report.saw


@quietly
@given(st.data())
def test_wish_is_of_kinds_that_the_cluster_has(data: st.DataObject) -> None:
    scenario = data.draw(strategies.clusters(wrong=False))
    wish = data.draw(strategies.wishes(scenario))
    assert wish
    assert len(set(wish)) == len(wish)
    layout = scenario.layout()
    for unit in wish:
        assert any(layout.has(unit, node.name) for node in scenario.nodes), unit


@quietly
@given(st.data())
def test_schedule_strikes_what_a_run_sends(data: st.DataObject) -> None:
    scenario = data.draw(strategies.clusters(wrong=False))
    schedule = data.draw(strategies.schedules(scenario.nodes))
    for fault in schedule.faults:
        assert fault.command.startswith(("set cert regen", "utils "))
    assert data.draw(strategies.policies()).reset_batch >= 1


def test_simplest_cluster_is_one_node_and_one_phone() -> None:
    found = find(
        strategies.clusters(), lambda s: bool(s.phones), settings=quietly, random=random.Random(1)
    )
    assert (str(found.release), found.mode) == ("11.5", SecurityMode.NON_SECURE)
    assert len(found.nodes) == 1
    assert sum(group.count for group in found.phones) == 1
    assert (found.faults, found.events) == ((), ())
    assert repr(found).startswith('Scenario.loads("""\nrelease = "')


def test_cluster_that_breaks_a_rule_is_printed_as_its_file() -> None:
    @quietly
    @given(strategies.clusters())
    def broken(scenario: Scenario) -> None:
        raise AssertionError(scenario.name)

    with pytest.raises(AssertionError) as caught:
        broken()
    printed = textwrap.dedent("\n".join(caught.value.__notes__).split('"""')[1])
    simplest = Scenario.loads(printed)
    assert (len(simplest.nodes), len(simplest.phones)) == (1, 1)
    assert len(printed.splitlines()) <= 15


# ── ten planted bugs ──────────────────────────────────────────────────────────────────────


def simplest(planted: Planted) -> Drawn:
    """The simplest example that shows the bug, within the budget."""
    budget = settings(quietly, phases=[Phase.generate, Phase.shrink], max_examples=EXAMPLES)
    return find(
        drawn(planted),
        lambda example: planted.words in flaw_of(example, planted),
        settings=budget,
        random=random.Random(SEED),
    )


@pytest.mark.slow
@pytest.mark.parametrize("bug", PLANTED)
def test_planted_bug_is_found_and_its_example_is_short(bug: str) -> None:
    began = perf_counter()
    planted = PLANTED[bug]
    found = simplest(planted)
    print(f"\n{bug} (seed {SEED}): {perf_counter() - began:.1f} s")
    print(repr(found.scenario), *found.units)
    print(flaw_of(found, planted).splitlines()[0])
    assert len(found.scenario.nodes) == 1
    assert sum(group.count for group in found.scenario.phones) == 1
    assert len(found.scenario.faults) == (planted.fault is not None)
    assert len(scenario_text(found.scenario).splitlines()) <= 20


@pytest.mark.slow
@pytest.mark.parametrize("bug", PLANTED)
def test_sound_tables_have_no_such_flaw_within_the_same_budget(bug: str) -> None:
    with pytest.raises(NoSuchExample):
        find(
            drawn(PLANTED[bug]),
            lambda example: flaw_of(example, None) != "",
            settings=settings(quietly, phases=[Phase.generate]),
            random=random.Random(SEED),
        )


def test_there_are_ten_of_them() -> None:
    assert len(PLANTED) == 10
    assert {unit for planted in PLANTED.values() for unit in planted.units} >= {
        CertUnit.TVS,
        CertUnit.CALLMANAGER,
        CertUnit.ITLRECOVERY,
        CertUnit.TOMCAT,
    }
