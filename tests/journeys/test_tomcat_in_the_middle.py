"""Tomcat's own certificate changes while the run talks through Tomcat."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cucm_certflow.clock import ScaledClock
from cucm_certflow.connection import connect
from cucm_certflow.core.planner import make_plan
from cucm_certflow.inventory import Inventory
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.lab.servers import LabServers
from cucm_certflow.names import CertUnit, Service
from cucm_certflow.observers import Event, Held, Outcome, Recorded, Verified
from cucm_certflow.procedures.policies import Policy
from cucm_certflow.transports.route import Route
from tests.words import NO_PARTNERS, NOBODY_LOOKED

SPEED = 60.0
POLICY = Policy(fresh_s=60.0 * SPEED)

SCENARIO = """
name = "tomcat"
release = "{release}"
mode = "non-secure"
seed = 3

[[nodes]]
name = "pub"
address = "127.0.0.41"
publisher = true
services = ["callmanager", "cti", "tftp", "tvs"]

[[nodes]]
name = "sub1"
address = "127.0.0.42"
services = ["callmanager", "cti", "tftp", "tvs"]

[[phones]]
count = 4
first = "SEP001122330001"
model = "Cisco 7841"
group = ["sub1", "pub"]
tftp = ["sub1", "pub"]

[timing]
phone_boot_s = [40, 60]
"""


async def _story(tmp_path: Path, release: str, *, somebody_else: bool) -> tuple[Outcome, Route]:
    """Regenerate tomcat and then TVS; somebody else may swap the publisher's Tomcat between."""
    clock = ScaledClock(SPEED)
    scenario = Scenario.loads(SCENARIO.format(release=release))
    async with LabServers(scenario, clock=clock, folder=tmp_path) as servers:
        inventory = Inventory.load(servers.inventory)
        async with connect(inventory, clock=clock) as cluster:
            facts = await cluster.discover()
            plan = make_plan(
                facts,
                units={CertUnit.TOMCAT, CertUnit.TVS},
                policy=POLICY,
                preflight=NOBODY_LOOKED,
                said=NO_PARTNERS,
            )
            plan.raise_if_refused()
            text = str(plan)
            assert "by     platform CLI" in text
            assert "by     AXL" in text
            swapped = not somebody_else

            def swap(event: Event) -> None:
                nonlocal swapped
                if swapped or not isinstance(event, Recorded):
                    return
                if "regenerate:TVS" in str(event):
                    swapped = True
                    servers.cluster.begin_regenerate("pub", CertUnit.TOMCAT)
                    servers.cluster.later(
                        20.0, lambda: servers.cluster.begin_restart("pub", Service.TOMCAT)
                    )

            async with cluster.run(plan, journal=tmp_path / "x.journal") as run:
                async for event in run.events():
                    swap(event)
            assert swapped
            assert isinstance(cluster.transport, Route)
            assert run.outcome is not None
            return run.outcome, cluster.transport


@pytest.mark.slow
def test_the_run_goes_on_over_the_new_certificate_without_anybodys_help(tmp_path: Path) -> None:
    async def story() -> None:
        outcome, route = await _story(tmp_path, "11.5.1.12900-21", somebody_else=False)
        assert isinstance(outcome, Verified), outcome
        assert outcome.left_behind == ()
        for node in ("pub", "sub1"):  # the old ones are not trusted any more
            assert len(route.pins.allowed(node)) == 1

    asyncio.run(story())


@pytest.mark.slow
def test_a_certificate_that_the_run_did_not_make_stops_it(tmp_path: Path) -> None:
    async def story() -> None:
        outcome, _ = await _story(tmp_path, "14.0.1.10000-20", somebody_else=True)
        assert isinstance(outcome, Held), outcome
        # Whichever looks first: the way, whose pin does not fit, or what the run predicts.
        (reason,) = outcome.blocked
        assert reason.guard in ("way_to_the_node", "drift"), str(outcome)
        words = "not the pinned one" if reason.guard == "way_to_the_node" else "pub/tomcat"
        assert words in str(reason)

    asyncio.run(story())
