"""What is proved is what runs: explorer and runner decide by the same function."""

from __future__ import annotations

import cucm_certflow.core.decide
import cucm_certflow.runner
import cucm_certflow.testing.decided


def test_explorer_and_runner_share_the_one_function_that_decides() -> None:
    decide = cucm_certflow.core.decide.decide
    assert cucm_certflow.testing.decided.decide is decide  # type: ignore[attr-defined]  # - imported there
    assert cucm_certflow.runner.decide is decide  # type: ignore[attr-defined]  # - imported there
