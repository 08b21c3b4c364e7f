"""The world as rules: a run survives it, and a broken table does not."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from cucm_certflow.names import CertUnit
from cucm_certflow.testing.stateful import RunMachine
from tests.kit.planted import PLANTED

ROOT: Final = Path(__file__).parents[2]
SMALL: Final = ROOT / "examples" / "scenarios" / "small.toml"

quietly = settings(
    max_examples=25,
    stateful_step_count=15,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


found_only = settings(quietly, phases=[Phase.generate])
"""For what is found: that the simplest example is short, test_strategies.py shows."""


class Nights(RunMachine):
    scenario = SMALL
    units = (CertUnit.CALLMANAGER, CertUnit.TVS)


@pytest.mark.slow
def test_run_of_the_main_job_survives_the_world() -> None:
    run_state_machine_as_test(Nights, settings=quietly)


@pytest.mark.slow
def test_barrier_that_lets_everybody_through_is_found() -> None:
    planted = PLANTED["the barrier lets everybody through"]
    with planted.patched(), pytest.raises(AssertionError, match="SEP"):
        run_state_machine_as_test(Nights, settings=found_only)


class Fussy(RunMachine):
    scenario = SMALL
    units = (CertUnit.TVS,)

    def check(self) -> None:
        assert not any("Tftp" in each.text for each in self.lab.log), "Tftp was restarted"


def test_rule_of_the_user_is_looked_at_after_every_step() -> None:
    with pytest.raises(AssertionError, match="Tftp was restarted"):
        run_state_machine_as_test(Fussy, settings=settings(found_only, max_examples=3))


def test_example_of_an_ordering_rule_runs_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(ROOT / "examples" / "ordering_rule.py"), run_name="__main__")
    assert "the rule held in every story that was told" in capsys.readouterr().out


def test_example_is_a_test_for_pytest() -> None:
    found = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "ordering_rule.py"],
        cwd=ROOT / "examples",
        check=False,
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stdout
