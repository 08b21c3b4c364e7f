"""A lab on a virtual clock, with all that a test needs to drive a cluster that is not there."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

import attrs

from cucm_certflow.cluster import Cluster
from cucm_certflow.core.plan import Plan
from cucm_certflow.core.planner import make_plan
from cucm_certflow.discovery import discover
from cucm_certflow.findings import CheckReport, Said
from cucm_certflow.inventory import Account, Inventory, NodeEntry
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.memory import MemoryTransport
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.names import CertUnit
from cucm_certflow.procedures.partners import PARTNER_TASKS
from cucm_certflow.procedures.policies import Policy
from cucm_certflow.secret import Secret
from cucm_certflow.testing.virtual import VirtualClock, run_virtual
from cucm_certflow.transports.base import Transport
from cucm_certflow.transports.record import Recording, ReplayTransport, open_recording

__all__ = ["Stage", "loaded", "play", "replay"]

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Stage:
    """What a story is told with; it belongs to the virtual loop in which it was made.

    Attributes:
        lab: The cluster that does not exist: its phones, its log, its physics.
        transport: The way to it.
        cluster: The library's own :class:`~cucm_certflow.Cluster` over that way.
        clock: The virtual clock of both.
    """

    lab: LabCluster
    transport: Transport
    cluster: Cluster
    clock: VirtualClock

    @property
    def now(self) -> datetime:
        """The instant of the story."""
        return self.clock.now()

    async def plan(
        self,
        *units: CertUnit,
        windows: Sequence[Iterable[CertUnit]] | None = None,
        policy: Policy | None = None,
        waive: Iterable[str] = (),
    ) -> Plan:
        """Discover the lab and plan; a preflight, and other systems, are taken as looked at.

        Args:
            units: Certificate kinds, which the planner splits into windows.
            windows: Explicit windows instead.
            policy: Choices that the sources leave open.
            waive: Names of phones that may be left behind.

        Raises:
            UsageError: As :func:`~cucm_certflow.make_plan`.
        """
        done = [
            Said(item=task.id, by="a test", why="there is none in the lab")
            for task in PARTNER_TASKS
        ]
        return make_plan(
            await self.cluster.discover(),
            units=units if windows is None else None,
            windows=windows,
            policy=policy,
            waive=waive,
            preflight=CheckReport(findings=()),
            said=done,
        )


def play(
    scenario: Scenario | str | os.PathLike[str],
    story: Callable[[Stage], Awaitable[T]],
    *,
    seed: int | None = None,
    record: str | os.PathLike[str] | None = None,
) -> T:
    """Bring *scenario* to life on a loop of its own, and tell *story* with it, in virtual time.

    The loop ends with the story. The lab can still be looked at then; what is awaited of it on
    another loop is a RuntimeError, and does not wait for ever.

    Args:
        scenario: A scenario, the path of its file, or its text (which has line breaks).
        story: A coroutine function; hours of waiting pass at once.
        seed: In place of the scenario's own.
        record: A new file, into which everything goes that is asked, answered and commanded; no
            secret is in it. :func:`replay` tells a story with it, without the lab.

    Returns:
        What *story* returns.

    Raises:
        ScenarioError: The scenario is wrong.
        Deadlock: Every task of the story waits for ever.
    """
    cluster_of = loaded(scenario)
    if seed is not None:
        cluster_of = attrs.evolve(cluster_of, seed=seed)

    async def main() -> T:
        clock = VirtualClock(asyncio.get_running_loop())  # so that the lab can be read afterwards
        lab = LabCluster(cluster_of, clock)
        transport = MemoryTransport(lab, lab.driver_clock, lab.driver_clock)
        way: Transport = transport
        recorder = None if record is None else open_recording(record, _inventory(cluster_of), clock)
        way = transport if recorder is None else recorder.seam(transport)
        names = [node.name for node in cluster_of.nodes]
        find = partial(discover, way, names, lab.driver_clock)  # so that it is recorded, too
        nodes = {node.name: node.address for node in cluster_of.nodes}
        cluster = Cluster(way, find, clock=lab.driver_clock, nodes=nodes)
        try:
            return await story(Stage(lab=lab, transport=way, cluster=cluster, clock=clock))
        finally:
            await way.aclose()
            if recorder is not None:
                recorder.close()

    return run_virtual(main)


def replay(
    recording: str | os.PathLike[str], story: Callable[[ReplayTransport], Awaitable[T]]
) -> T:
    """Tell *story* in virtual time with a transport that answers what was recorded, and no more.

    Args:
        recording: A file that :func:`play` made, or that was recorded of a real cluster.
        story: A coroutine function.

    Raises:
        RecordingError: The file does not read.
    """

    async def main() -> T:
        return await story(ReplayTransport(Recording.load(recording), VirtualClock()))

    return run_virtual(main)


def _inventory(scenario: Scenario) -> Inventory:
    accounts = scenario.accounts
    return Inventory(
        nodes=tuple(NodeEntry(name=node.name, address=node.address) for node in scenario.nodes),
        platform=Account(accounts.platform.user, Secret(accounts.platform.password)),
        application=Account(accounts.application.user, Secret(accounts.application.password)),
    )


def loaded(scenario: Scenario | str | os.PathLike[str]) -> Scenario:
    """*scenario* itself, or read from the path of its file or from its text.

    Raises:
        ScenarioError: It is wrong.
    """
    if isinstance(scenario, Scenario):
        return scenario
    if isinstance(scenario, str) and "\n" in scenario:
        return Scenario.loads(scenario)
    return Scenario.load(Path(scenario))
