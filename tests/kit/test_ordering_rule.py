"""The example of a user's own rule holds, finds the policy that breaks it, and is not empty."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest

from cucm_certflow import Policy
from cucm_certflow.procedures.policies import UnitOrder
from cucm_certflow.testing import Stage

ROOT: Final = Path(__file__).parents[2]
EXAMPLE: Final = ROOT / "examples" / "ordering_rule.py"


@pytest.fixture
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ordering_rule", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_example_runs_as_a_program() -> None:
    found = subprocess.run(
        [sys.executable, str(EXAMPLE)], check=False, capture_output=True, text=True, cwd=ROOT
    )
    assert (found.returncode, found.stdout) == (0, "the rule held in every cluster\n"), found.stderr


@pytest.mark.slow
def test_most_nights_of_the_example_touch_tvs_so_that_the_rule_is_not_empty(
    example: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    night, touched = example.night, list[bool]()

    async def counted(stage: Stage) -> list[str]:
        sent: list[str] = await night(stage)
        touched.append(any("set cert regen TVS" in line for line in sent))
        return sent

    monkeypatch.setattr(example, "night", counted)
    example.test_callmanager_is_done_before_tvs_is_touched()
    print(f"\n{sum(touched)} of {len(touched)} nights came to TVS")
    assert sum(touched) > len(touched) / 2


@pytest.mark.slow
def test_order_that_breaks_the_rule_is_found_in_a_cluster_of_one_node_and_one_phone(
    example: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(example, "POLICY", Policy(order=UnitOrder.TVS_FIRST))
    with pytest.raises(AssertionError, match=r"after the first TVS: .*regen CallManager") as caught:
        example.test_callmanager_is_done_before_tvs_is_touched()
    shown = "\n".join(caught.value.__notes__)
    assert 'cluster=Scenario.loads("""' in shown
    assert (shown.count("[[nodes]]"), shown.count("[[phones]]")) == (1, 1)
    assert "[[faults]]" not in shown
    assert "[[events]]" not in shown


def test_example_is_about_thirty_lines_long() -> None:
    text = EXAMPLE.read_text(encoding="utf-8").rpartition('"""')[2]
    assert sum(bool(line.strip()) for line in text.splitlines()) <= 30
