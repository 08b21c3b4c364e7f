"""The page about the test kit: its blocks are a test suite of somebody else's, and it passes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

import cucm_certflow.testing as kit
from cucm_certflow.testing.contract import CHECKS

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "testing.md"
TEXT: Final = PAGE.read_text(encoding="utf-8")
BLOCKS: Final = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What pytest says of the page's blocks, as files of a project that is not ours."""
    folder = tmp_path_factory.mktemp("theirs")
    (folder / "examples").symlink_to(ROOT / "examples")
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    for number, block in enumerate(BLOCKS):
        is_conftest = block.startswith("# conftest.py\n")
        name = "conftest.py" if is_conftest else f"test_block_{number}.py"
        (folder / name).write_text(block, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-v", "-rs", "-W", "error", "-p", "no:asyncio"]
    found = subprocess.run(
        [*command, "-p", "no:cacheprovider"],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


def test_every_block_runs_and_every_test_of_the_page_passes(told: str) -> None:
    own = re.findall(r"^def (test_\w+)", TEXT, re.MULTILINE)
    assert own
    for name in own:
        assert f"::{name} PASSED" in told
    assert len(BLOCKS) == 7


def test_the_gateway_of_the_page_is_held_to_every_check(told: str) -> None:
    reports = dict(re.findall(r"::TestGateway::test_(\w+) (PASSED|SKIPPED)", told))
    assert set(reports) == {check.__name__.removeprefix("check_") for check in CHECKS}
    skipped = {name for name, outcome in reports.items() if outcome == "SKIPPED"}
    assert skipped == {
        "a_reset_phone_registers_anew",
        "what_is_not_offered_is_not_supported_and_is_listed",
        "every_node_counts_the_phones_that_are_registered_with_it",
    }
    assert "ResetPhones is not offered: the gateway calls no phones" in told
    assert "RegistrationCounts is not offered: the gateway has no PerfMon" in told


def test_every_name_of_the_kit_that_the_page_lists_is_public() -> None:
    (table,) = re.findall(r"## What is in it\n\n(.*?)\n\n", TEXT, re.DOTALL)
    listed = {
        name
        for row in table.splitlines()[2:]
        for name in re.findall(r"`(\w+)", row.split("|")[2])
        if name not in {"certflow_lab", "strategies", "stateful"}
    }
    assert listed
    assert listed <= set(kit.__all__)
