"""The page of mutants against what is known of them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from tests.proof.mutations import MUTANTS

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_of_mutants_is_up_to_date_and_has_every_mutant() -> None:
    spec = importlib.util.spec_from_file_location("mutants_page", DOCS / "mutants.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written = (DOCS / "mutants.md").read_text(encoding="utf-8")
    assert written == module.page(), "run python docs/mutants.py"
    for name in MUTANTS:
        assert f"| `{name}` |" in written
