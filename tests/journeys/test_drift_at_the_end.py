"""Somebody changes the cluster after the last command: the run does not say that it is verified."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from cucm_certflow.core.planner import make_plan
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.names import CertUnit
from cucm_certflow.observers import Aborted, Held
from cucm_certflow.testing.virtual import run_virtual
from tests.journeys.main_job import start
from tests.words import NO_PARTNERS, NOBODY_LOOKED

SCENARIO: Final = """
release = "12.5"

[[nodes]]
name = "pub"
address = "127.0.0.11"
publisher = true

[[nodes]]
name = "sub"
address = "127.0.0.12"

[[phones]]
count = 2
model = "Cisco 7841"
group = ["sub", "pub"]
tftp = ["pub", "sub"]

[[events]]
kind = "regenerated outside"
node = "pub"
unit = "{unit}"
command = "doDeviceReset"
nth = 4
after_s = 1
"""


@pytest.mark.parametrize("unit", ["CallManager", "TVS", "ITLRecovery"])
def test_what_was_changed_after_the_last_reset_is_shown_and_not_claimed(
    unit: str, tmp_path: Path
) -> None:
    journal = tmp_path / "journal"

    async def story() -> None:
        there = start(Scenario.loads(SCENARIO.format(unit=unit)))
        plan = make_plan(
            await there.cluster.discover(),
            units={CertUnit.CALLMANAGER, CertUnit.TVS},
            preflight=NOBODY_LOOKED,
            said=NO_PARTNERS,
        )
        async with there.cluster.run(plan, journal=journal) as run:
            outcome = await run.wait()
        assert isinstance(outcome, Held)
        (reason,) = outcome.blocked
        assert reason.guard == "drift"
        assert unit in str(reason)
        sent = len(there.lab.log)
        ending = there.cluster.abort(journal=journal, by="a person", why="others changed it")
        async with ending as run:
            assert isinstance(await run.wait(), Aborted)
        assert len(there.lab.log) == sent

    run_virtual(story)
