"""One contract, over the transport in memory and over real servers on loopback."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cucm_certflow.clock import ScaledClock
from cucm_certflow.connection import connect
from cucm_certflow.inventory import Inventory
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.memory import MemoryTransport
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.lab.servers import LabServers
from cucm_certflow.testing.contract import CHECKS, Check, Subject
from cucm_certflow.testing.virtual import VirtualClock, run_virtual

SPEED = 60.0

SMALL = """
name = "contract"
release = "11.5.1.12900-21"
mode = "mixed"
seed = 5

[[nodes]]
name = "pub"
address = "127.0.0.21"
publisher = true
services = ["callmanager", "cti", "tftp", "tvs"]

[[nodes]]
name = "sub1"
address = "127.0.0.22"
services = ["callmanager", "cti", "tftp", "tvs"]

[[phones]]
count = 5
first = "SEP001122330001"
model = "Cisco 7841"
group = ["pub", "sub1"]
tftp = ["sub1", "pub"]
"""


def _name(check: Check) -> str:
    return getattr(check, "__name__", "?").removeprefix("check_")


@pytest.mark.parametrize("check", CHECKS, ids=_name)
def test_in_memory(check: Check) -> None:
    async def story() -> None:
        clock = VirtualClock()
        transport = MemoryTransport(LabCluster(Scenario.loads(SMALL), clock), clock)
        await check(
            Subject(
                transport=transport,
                discover=transport.discover,
                clock=clock,
                publisher="pub",
                subscriber="sub1",
            )
        )

    run_virtual(story)


@pytest.mark.parametrize("check", CHECKS, ids=_name)
def test_over_real_servers(check: Check, tmp_path: Path) -> None:
    async def story() -> None:
        scenario, clock = Scenario.loads(SMALL), ScaledClock(SPEED)
        async with LabServers(scenario, clock=clock, folder=tmp_path):
            inventory = Inventory.load(tmp_path / "inventory.toml")
            async with connect(inventory, clock=clock) as cluster:
                await cluster.discover()  # learns phones and pins
                await check(
                    Subject(
                        transport=cluster.transport,
                        discover=cluster.discover,
                        clock=clock,
                        publisher="pub",
                        subscriber="sub1",
                    )
                )

    asyncio.run(story())
