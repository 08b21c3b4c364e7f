"""The examples of the kit, copied by a newcomer into a folder of their own, pass there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]


def test_the_vendors_transport_passes_and_says_what_was_not_tried(
    pytester: pytest.Pytester,
) -> None:
    for file in (ROOT / "examples" / "vendor_transport").glob("*.py"):
        shutil.copy(file, pytester.path)
    result = pytester.runpytest_subprocess(
        "-rs", "-p", "no:asyncio", "-p", "no:cacheprovider", "-W", "error"
    )
    outcomes = result.parseoutcomes()
    assert "failed" not in outcomes
    assert outcomes["passed"] >= 10
    result.stdout.fnmatch_lines(
        [
            "SKIPPED * ServedList is not offered: Acme's controller has no call for it",
            "SKIPPED * not offered, and not tested: *ResetPhones (Acme's controller has no call*",
        ]
    )
