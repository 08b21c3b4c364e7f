"""What a run waits for may never come: it says so after a while, and holds."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from cucm_certflow.core.planner import make_plan
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.names import CertUnit, Service
from cucm_certflow.observers import Held, Outcome, Verified
from cucm_certflow.procedures.policies import Policy
from cucm_certflow.testing.virtual import EPOCH, run_virtual
from tests.journeys.main_job import Lab, start
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
kind = "service dies"
node = "pub"
service = "{service}"
command = "utils service restart Cisco Tftp"
command_node = "sub"
after_s = 1
"""


async def _run(there: Lab, journal: Path, policy: Policy) -> Outcome:
    plan = make_plan(
        await there.cluster.discover(),
        units={CertUnit.CALLMANAGER},
        policy=policy,
        preflight=NOBODY_LOOKED,
        said=NO_PARTNERS,
    )
    async with there.cluster.run(plan, journal=journal) as run:
        return await run.wait()


@pytest.mark.parametrize("service", ["tvs", "tomcat"])
def test_a_service_that_never_comes_back_makes_the_run_hold_and_a_person_lets_it_go_on(
    service: str, tmp_path: Path
) -> None:
    """TVS is asked for before phones are reset; without the publisher's Tomcat nobody answers."""
    journal = tmp_path / "journal"

    async def story() -> None:
        there = start(Scenario.loads(SCENARIO.format(service=service)))
        policy = Policy(stands_still_s=1200.0)
        held = await _run(there, journal, policy)
        assert isinstance(held, Held)
        first, *others = held.blocked
        assert first.guard == "stands_still"
        assert "nothing has moved for 12" in first.detail
        assert others
        assert 1200 < (there.clock.now() - EPOCH).total_seconds() < 2 * 3600
        there.lab.begin_start("pub", {"tvs": Service.TVS, "tomcat": Service.TOMCAT}[service])
        await there.clock.sleep(300)
        async with there.cluster.resume(journal=journal) as run:
            assert isinstance(await run.wait(), Verified)

    run_virtual(story)


def test_the_limit_is_over_0() -> None:
    with pytest.raises(ValueError, match="stands_still_s must be over 0"):
        Policy(stands_still_s=0)
