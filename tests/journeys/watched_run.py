"""A process that runs the main job on the lab in memory and shows it, for tests with a terminal."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from cucm_certflow.cli.following import follow
from cucm_certflow.cli.interrupting import Interrupted, run_until_interrupted
from cucm_certflow.clock import Clock, ScaledClock
from cucm_certflow.cluster import Cluster
from cucm_certflow.core.planner import make_plan
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.memory import MemoryTransport
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.testing.virtual import VirtualClock, run_virtual
from tests.journeys.main_job import SCENARIO, UNITS
from tests.words import NO_PARTNERS, NOBODY_LOOKED


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("journal", type=Path)
    parser.add_argument("--speed", type=float, default=0, help="0 is virtual time")
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()

    async def story() -> int:
        clock: Clock
        if asked.speed:
            clock = ScaledClock(asked.speed)
        else:
            clock = VirtualClock(asyncio.get_running_loop())
        lab = LabCluster(Scenario.load(SCENARIO), clock)
        transport = MemoryTransport(lab, clock)
        cluster = Cluster(transport, transport.discover, clock=clock)
        plan = make_plan(
            await cluster.discover(), units=UNITS, preflight=NOBODY_LOOKED, said=NO_PARTNERS
        )
        async with cluster.run(plan, journal=asked.journal) as run:
            return await follow(
                run, journal=asked.journal, clock=clock, json=asked.json, plain=asked.plain
            )

    try:
        if asked.speed:
            return run_until_interrupted(story, journal=asked.journal)
        return run_virtual(story)
    except Interrupted as error:
        return error.status


if __name__ == "__main__":
    sys.exit(main())
