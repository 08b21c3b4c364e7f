"""The page of checks against the tables in the code."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from cucm_certflow.checks.preflight import PREFLIGHT
from cucm_certflow.checks.verification import VERIFICATION

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_of_checks_is_up_to_date_and_has_every_check() -> None:
    spec = importlib.util.spec_from_file_location("checks_page", DOCS / "checks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written = (DOCS / "checks.md").read_text(encoding="utf-8")
    assert written == module.page(), "run python docs/checks.py"
    for check in (*PREFLIGHT, *VERIFICATION):
        assert f"| `{check.id}` |" in written
