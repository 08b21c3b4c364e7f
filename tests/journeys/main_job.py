"""The main job on the lab in memory, for the journeys: a cluster, a story, what was executed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cucm_certflow.cluster import Cluster
from cucm_certflow.core.plan import Plan
from cucm_certflow.core.planner import make_plan
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.memory import MemoryTransport
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.names import CertUnit
from cucm_certflow.observers import Event, Held, Outcome
from cucm_certflow.procedures.policies import Policy
from cucm_certflow.testing.virtual import VirtualClock
from tests.words import NO_PARTNERS, NOBODY_LOOKED

SCENARIO = Path(__file__).parents[2] / "examples" / "scenarios" / "main-job.toml"
UNITS = (CertUnit.TOMCAT, CertUnit.CALLMANAGER, CertUnit.TVS)


class Lab(NamedTuple):
    """A lab in memory and the library's cluster over it; use it inside a virtual loop."""

    lab: LabCluster
    transport: MemoryTransport
    cluster: Cluster
    clock: VirtualClock


def start(scenario: Scenario | None = None) -> Lab:
    clock = VirtualClock(asyncio.get_running_loop())  # so that it can be read afterwards
    lab = LabCluster(scenario or Scenario.load(SCENARIO), clock)
    transport = MemoryTransport(lab, clock)
    return Lab(lab, transport, Cluster(transport, transport.discover, clock=clock), clock)


def executed(lab: LabCluster, *, resets: bool = False) -> list[tuple[str, str]]:
    """Every changing command that the cluster took, in order; each phone's reset is one."""
    return [
        (entry.node, entry.text)
        for entry in lab.log
        if resets or not entry.text.startswith("doDeviceReset")
    ]


class Story(NamedTuple):
    plan: Plan
    outcomes: list[Outcome | None]
    events: list[Event]


def names_to_waive(outcome: Outcome | None) -> list[str]:
    """The phones that a held barrier names."""
    if not isinstance(outcome, Held):
        return []
    return [name for reason in outcome.blocked for name in reason.phones]


async def run_to_the_end(
    there: Lab,
    journal: Path,
    *,
    units: Sequence[CertUnit] = UNITS,
    policy: Policy | None = None,
) -> Story:
    """Discover, plan, run; at each hold waive by name whoever is missing, and resume."""
    plan = make_plan(
        await there.cluster.discover(),
        units=units,
        policy=policy,
        preflight=NOBODY_LOOKED,
        said=NO_PARTNERS,
    )
    outcomes: list[Outcome | None] = []
    events: list[Event] = []
    async with there.cluster.run(plan, journal=journal) as run:
        events += [event async for event in run.events()]
    outcomes.append(run.outcome)
    while names := names_to_waive(outcomes[-1]):
        resumed = there.cluster.resume(journal=journal, waive=names, waived_by="the test")
        async with resumed as run:
            events += [event async for event in run.events()]
        outcomes.append(run.outcome)
    return Story(plan, outcomes, events)
