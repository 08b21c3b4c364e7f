"""Regenerates CallManager and TVS on the cluster of an inventory: `quickstart.py [inventory.toml]`.

It prints the plan, every event and the outcome. Unless the plan is refused it changes the cluster:
try it on a lab first (`certflow lab examples/scenarios/main-job.toml`).
"""

from __future__ import annotations

import asyncio
import sys

from cucm_certflow import CertUnit, Inventory, connect, make_plan


async def main(inventory: str) -> None:
    async with connect(Inventory.load(inventory)) as cluster:
        facts = await cluster.discover()
        plan = make_plan(facts, units={CertUnit.CALLMANAGER, CertUnit.TVS})
        print(plan)  # windows, commands, sources, phones
        plan.raise_if_refused()  # nothing was sent
        async with cluster.run(plan, journal="CHG1234.journal") as run:
            async for event in run.events():
                print(event)
        print(run.outcome)  # Verified | Held | Paused


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "inventory.toml"))
