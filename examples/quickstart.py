"""Regenerates CallManager and TVS: `quickstart.py [inventory.toml words.toml]`.

`words.toml` has what people say about what only they can answer (see the README). It prints the
preflight, the plan, every event and the outcome. Unless the plan is refused it changes the cluster:
try it on a lab first (`certflow lab examples/scenarios/main-job.toml`).
"""

from __future__ import annotations

import asyncio
import sys

from cucm_certflow import CertUnit, Inventory, connect, load_words, make_plan


async def main(inventory: str, words: str) -> None:
    async with connect(Inventory.load(inventory)) as cluster:
        facts = await cluster.discover()
        units = {CertUnit.CALLMANAGER, CertUnit.TVS}
        said = load_words(words)  # what only people can answer
        report = await cluster.preflight(units=units, facts=facts, said=said)
        print(report)  # what is not as it should be, worst first
        plan = make_plan(facts, units=units, preflight=report)
        print(plan)  # windows, commands, sources, phones
        plan.raise_if_refused()  # nothing was sent
        async with cluster.run(plan, journal="CHG1234.journal") as run:
            async for event in run.events():
                print(event)
        print(run.outcome)  # Verified | Held | Paused


if __name__ == "__main__":
    asyncio.run(main(*(sys.argv[1:] or ["inventory.toml", "words.toml"])))
