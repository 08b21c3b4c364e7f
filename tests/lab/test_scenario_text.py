"""A scenario and the text of its file: the same value, whatever is in its texts."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.lab.scenario_text import scenario_text

ROOT: Final = Path(__file__).parents[2]
POLICY: Final = "careless.toml"  # a policy for `certflow check`, and no scenario
FILES: Final = sorted(
    path for path in (ROOT / "examples" / "scenarios").rglob("*.toml") if path.name != POLICY
)
SMALL: Final = """release = "11.5"
name = {name}
[[nodes]]
name = "pub"
address = "127.0.0.11"
publisher = true
[parameters]
{name} = {name}
"""


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_scenario_of_the_examples_is_the_same_when_its_text_is_read(path: Path) -> None:
    scenario = Scenario.load(path)
    assert Scenario.loads(scenario_text(scenario)) == scenario


@settings(derandomize=True, database=None, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_comes_back_from_a_file(text: str) -> None:
    escaped = "".join(f"\\U{ord(sign):08X}" for sign in text)
    scenario = Scenario.loads(SMALL.format(name=f'"{escaped}"'))
    assert scenario.name == text
    assert Scenario.loads(scenario_text(scenario)) == scenario


@pytest.mark.parametrize("sign", ["\x00", "\x1f", "\x7f", "\x85", "\u2028", '"', "\\"])
def test_sign_that_toml_forbids_or_escapes_comes_back(sign: str) -> None:
    scenario = Scenario.loads(SMALL.format(name=f'"\\U{ord(sign):08X}"'))
    assert Scenario.loads(scenario_text(scenario)).name == sign
