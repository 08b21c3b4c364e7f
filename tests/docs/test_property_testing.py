"""The page about drawn clusters: its blocks are tests that pass, and its table is complete."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from cucm_certflow.testing import strategies

ROOT: Final = Path(__file__).parents[2]
TEXT: Final = (ROOT / "docs" / "property-testing.md").read_text(encoding="utf-8")
BLOCKS: Final = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)

SAME: Final = """\
from hypothesis import settings as _settings
_settings.register_profile("same", derandomize=True)
_settings.load_profile("same")
"""
"""Put before each block: drawn the same way each time; whoever copies a block draws afresh."""


@pytest.mark.slow
def test_every_block_is_a_test_that_passes(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    for number, block in enumerate(BLOCKS):
        (tmp_path / f"test_block_{number}.py").write_text(SAME + block, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-v", "-W", "error", "-p", "no:asyncio"]
    found = subprocess.run(
        [*command, "-p", "no:cacheprovider", "--durations=5"],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    names = re.findall(r"^def (test_\w+)|^(Test\w+) = ", TEXT, re.MULTILINE)
    passed = re.findall(r"::(\w+)(?:::runTest)? PASSED", found.stdout)
    assert sorted(passed) == sorted(function or machine for function, machine in names)
    assert len(passed) == len(BLOCKS)


def test_table_has_every_public_strategy() -> None:
    listed = re.findall(r"^\| `(\w+)\(", TEXT, re.MULTILINE)
    assert sorted(listed) == sorted(strategies.__all__)
