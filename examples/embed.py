"""Two clusters in one event loop, as a service drives them: observers, logging, cancellation.

`python examples/embed.py` plays it on two labs in memory, a night in some seconds: both sites are
driven at the same time, the south is cancelled in the middle of the night and resumed, and the
north never notices. :func:`regenerate` and :func:`drive` are what a service of your own would
have; they take any :class:`~cucm_certflow.Cluster`, such as those of `connect()`.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

from cucm_certflow import (
    CertflowError,
    CertUnit,
    CheckReport,
    Cluster,
    Run,
    Said,
    Verified,
    make_plan,
)
from cucm_certflow.discovery import discover
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.memory import MemoryTransport
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.observers import Event, Outcome, RegistrationsSeen
from cucm_certflow.procedures.partners import PARTNER_TASKS
from cucm_certflow.testing import VirtualClock, run_virtual

SCENARIO = Path(__file__).parent / "scenarios" / "small.toml"
UNITS = (CertUnit.TVS,)

log = logging.getLogger("service")


class Curve:
    """An observer: any callable is one. It keeps how many phones were registered at the worst."""

    def __init__(self, site: str) -> None:
        self._site = site
        self.lowest: int | None = None

    def __call__(self, event: Event) -> None:
        """Be told at once; what takes long belongs on a queue of your own."""
        if isinstance(event, RegistrationsSeen):
            lowest = event.registered if self.lowest is None else self.lowest
            self.lowest = min(lowest, event.registered)
            log.debug("%s: %s", self._site, event)


async def regenerate(
    site: str, cluster: Cluster, journal: Path, said: Sequence[Said]
) -> Outcome | None:
    """One change on one cluster; the same call goes on with a journal that is there already."""
    curve = Curve(site)
    run: AbstractAsyncContextManager[Run]
    if journal.exists():  # noqa: ASYNC240 - a look at one file, before anything runs
        run = cluster.resume(journal=journal, waived_by="the service", observers=[curve])
    else:
        facts = await cluster.discover()
        report: CheckReport = await cluster.preflight(units=UNITS, facts=facts, said=said)
        plan = make_plan(facts, units=UNITS, preflight=report, said=said)
        plan.raise_if_refused()
        run = cluster.run(plan, journal=journal, observers=[curve])
    async with run as going:
        outcome = await going.wait()
    log.info("%s: %s; at the worst %s phones were registered", site, outcome, curve.lowest)
    return outcome


async def drive(
    sites: Mapping[str, Cluster], folder: Path, said: Sequence[Said], within_s: float
) -> Mapping[str, Outcome | None]:
    """All sites at the same time; what fails at one is that site's, and None stands for it."""
    outcomes: dict[str, Outcome | None] = {}

    async def one(site: str, cluster: Cluster) -> None:
        outcomes[site] = None
        try:
            async with asyncio.timeout(within_s):
                outcomes[site] = await regenerate(site, cluster, folder / f"{site}.journal", said)
        except TimeoutError:
            log.warning("%s: the time is over; its journal goes on", site)
        except CertflowError as error:
            log.warning("%s: %s", site, error)

    async with asyncio.TaskGroup() as group:
        for site, cluster in sites.items():
            group.create_task(one(site, cluster))
    return outcomes


# ── the two labs ──────────────────────────────────────────────────────────────────────────


def a_lab() -> Cluster:
    """A cluster that does not exist, behind the same face as one of `connect()`."""
    lab = LabCluster(Scenario.load(SCENARIO), VirtualClock())
    clock = lab.driver_clock
    transport = MemoryTransport(lab, clock, clock)
    names = [node.name for node in lab.scenario.nodes]
    return Cluster(transport, partial(discover, transport, names, clock), clock=clock)


async def words_of_a_lab(cluster: Cluster) -> list[Said]:
    """What people would go and look at; in a lab there is nobody to ask."""
    report = await cluster.preflight(units=UNITS)
    items = [finding.check for finding in report.open()] + [task.id for task in PARTNER_TASKS]
    return [Said(item=item, by="the example", why="it is a lab") for item in items]


async def night(folder: Path) -> Mapping[str, Outcome | None]:
    async with a_lab() as north, a_lab() as south:
        said = await words_of_a_lab(north)
        first = await drive({"south": south}, folder, said, within_s=240)
        assert first == {"south": None}  # cancelled: its journal stands
        return await drive({"north": north, "south": south}, folder, said, within_s=36_000)


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
    # What evaluates the state tables tells each step of it at INFO; a run's own events say more.
    logging.getLogger("transitions").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        outcomes = run_virtual(night(Path(folder)))
    for site, outcome in outcomes.items():
        print(f"{site}: {outcome}")
    assert all(isinstance(outcome, Verified) for outcome in outcomes.values())


if __name__ == "__main__":
    main()
