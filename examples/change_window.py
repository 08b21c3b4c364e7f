"""One night as a script: doctor, preflight, plan, run within its hours, verify.

`change_window.py inventory.toml before.toml after.toml CHG1234.journal HOURS` with the hours as
`certflow run --maintenance` has them: `"2026-03-01 22:00 to 2026-03-02 04:00 Europe/Berlin"`.
`before.toml` and `after.toml` are what people say before the change and after it (the second may be
missing as long as nobody has looked). Called again with the same journal it goes on, and verifies.
It ends with the exit statuses of `certflow`.
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
    status_of,
)
from cucm_certflow.observers import Recorded

UNITS = {CertUnit.CALLMANAGER, CertUnit.TVS}


async def night(
    cluster: Cluster,
    journal: Path,
    said: Sequence[Said],
    *,
    after: Sequence[Said] = (),
    hours: Maintenance | None = None,
) -> int:
    """Doctor, preflight, plan, run, verify; the exit status of it all.

    Args:
        cluster: From :func:`~cucm_certflow.connect`.
        journal: A new one, or that of a run which goes on.
        said: What people say before the change.
        after: What they say after it.
        hours: When anything may be changed.

    Raises:
        CertflowError: As the library raises it: what was wrong, what was sent, what to do now.
    """
    is_begun = journal.exists()  # noqa: ASYNC240 - a look at one file, before anything runs
    if is_begun and status_of(journal).ended:
        return await look_again(cluster, journal, after)
    health = await cluster.doctor()
    if not health.is_well:
        print(health)
        return 6
    going: AbstractAsyncContextManager[Run]
    if is_begun:
        going = cluster.resume(journal=journal, said=said, maintenance=hours)
    else:
        facts = await cluster.discover()
        report = await cluster.preflight(units=UNITS, facts=facts, said=said)
        plan = make_plan(facts, units=UNITS, preflight=report)
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
            status = await look_again(cluster, journal, after)
            is_whole = not (outcome.left_behind or outcome.not_awaited)
            return status if status or is_whole else 5


async def look_again(cluster: Cluster, journal: Path, after: Sequence[Said]) -> int:
    """Look from the outside at what was to be done, and print what is open."""
    seen = await cluster.verify(journal=journal, said=after)
    for finding in seen.open():
        print(finding)
    return 0 if seen.is_verified else 8


async def main(inventory: str, before: str, after: str, journal: str, window: str) -> int:
    try:
        hours = Maintenance(windows=(MaintenanceWindow.parse(window),))
        said = load_words(before)
        later = load_words(after) if Path(after).exists() else ()  # noqa: ASYNC240 - as above
        async with connect(Inventory.load(inventory)) as cluster:
            return await night(cluster, Path(journal), said, after=later, hours=hours)
    except (CertflowError, ValueError) as error:
        print(error, file=sys.stderr)
        return 3 if isinstance(error, RefusedError) else 6 if isinstance(error, NodeError) else 2


if __name__ == "__main__":
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    sys.exit(asyncio.run(main(*sys.argv[1:])))
