"""One night as a script: doctor, preflight, plan, run within its hours, verify.

`change_window.py inventory.toml words.toml CHG1234.journal HOURS` with the hours as `certflow run
--maintenance` has them: `"2026-03-01 22:00 to 2026-03-02 04:00 Europe/Berlin"`. Called again with
the same journal it goes on. It ends with the exit statuses of `certflow`.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from cucm_certflow import (
    Aborted,
    CertflowError,
    CertUnit,
    Cluster,
    Held,
    Inventory,
    Maintenance,
    MaintenanceWindow,
    NodeError,
    Paused,
    RefusedError,
    Run,
    Said,
    Verified,
    connect,
    load_words,
    make_plan,
)
from cucm_certflow.observers import Recorded

UNITS = {CertUnit.CALLMANAGER, CertUnit.TVS}


async def night(
    cluster: Cluster, journal: Path, said: Sequence[Said], hours: Maintenance | None = None
) -> int:
    """Doctor, preflight, plan, run, verify; the exit status of it all.

    Raises:
        CertflowError: As the library raises it: what was wrong, what was sent, what to do now.
    """
    health = await cluster.doctor()
    if not health.is_well:
        print(health)
        return 6
    going: AbstractAsyncContextManager[Run]
    if journal.exists():  # noqa: ASYNC240 - a look at one file, before anything runs
        going = cluster.resume(journal=journal, said=said, maintenance=hours)
    else:
        facts = await cluster.discover()
        report = await cluster.preflight(units=UNITS, facts=facts, said=said)
        plan = make_plan(facts, units=UNITS, preflight=report, said=said)
        print(plan)  # for the ticket
        plan.raise_if_refused()  # nothing was sent
        going = cluster.run(plan, journal=journal, maintenance=hours)
    async with going as run:
        async for event in run.events():
            if isinstance(event, Recorded):  # every decision; what it waits for would be more
                print(event)
        outcome = await run.wait()
    print(outcome)
    match outcome:
        case Held():
            return 4  # each line says what would let it go on; then call this again
        case Paused():
            return 7
        case Aborted():
            return 9
        case Verified():
            seen = await cluster.verify(journal=journal, said=said)
            for finding in seen.open():
                print(finding)
            if not seen.is_verified:
                return 8
            return 5 if outcome.left_behind or outcome.not_awaited else 0


async def main(inventory: str, words: str, journal: str, window: str) -> int:
    try:
        hours = Maintenance(windows=(MaintenanceWindow.parse(window),))
        async with connect(Inventory.load(inventory)) as cluster:
            return await night(cluster, Path(journal), load_words(words), hours)
    except (CertflowError, ValueError) as error:
        print(error, file=sys.stderr)
        return 3 if isinstance(error, RefusedError) else 6 if isinstance(error, NodeError) else 2


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    sys.exit(asyncio.run(main(*sys.argv[1:])))
