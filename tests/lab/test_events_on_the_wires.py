"""Events and lasting faults over a whole lab of servers: every port goes as its scenario says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from cucm_certflow.clock import ScaledClock
from cucm_certflow.connection import connect
from cucm_certflow.errors import IdentityNotTrusted
from cucm_certflow.facts import (
    CertificateOf,
    Fact,
    Known,
    PresentedCertificate,
    ServedList,
    Unknown,
    Why,
)
from cucm_certflow.inventory import Inventory
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.lab.servers import LabServers
from cucm_certflow.names import CertUnit, ListKind
from cucm_certflow.transports.base import Transport
from tests.lab.small import SMALL

pytestmark = pytest.mark.asyncio

SPEED = 100
LOOKS = (
    CertificateOf("sub", CertUnit.TVS),
    ServedList("sub", ListKind.ITL),
    PresentedCertificate("sub"),
    PresentedCertificate("sub", 2445),
)


async def seen(way: Transport) -> list[Why | None]:
    """Which obstacle each look meets; None for an answer."""
    facts: list[Fact] = [await way.observe(query) for query in LOOKS]
    return [fact.why if isinstance(fact, Unknown) else None for fact in facts]


async def whole(
    more: str, folder: Path, story: Callable[[LabServers, Transport], Awaitable[None]]
) -> None:
    told = Scenario.loads(SMALL.replace("127.0.0.", "127.0.88.") + more)
    clock = ScaledClock(SPEED)
    async with LabServers(told, clock=clock, folder=folder) as lab:
        inventory = Inventory.load(lab.inventory)
        async with connect(inventory, clock=clock) as cluster:
            await story(lab, cluster.transport)


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not done():
            await asyncio.sleep(0.02)


async def test_a_node_that_reboots_answers_on_no_port_and_then_on_all(tmp_path: Path) -> None:
    reboot = """
        [[events]]
        kind = "node reboots"
        command = "show cert own CallManager"
        node = "sub"
        for_s = 700
        after_s = 150
    """

    async def story(lab: LabServers, way: Transport) -> None:
        assert await seen(way) == [None] * len(LOOKS)
        fact = await way.observe(CertificateOf("sub", CertUnit.CALLMANAGER))
        assert isinstance(fact, Known)
        await until(lambda: not lab.ssh["sub"].is_open)
        assert await seen(way) == [Why.UNREACHABLE] * len(LOOKS)
        await until(lambda: lab.ssh["sub"].is_open)
        await lab.clock.sleep(200)  # its services start
        assert await seen(way) == [None] * len(LOOKS)

    await whole(reboot, tmp_path, story)


async def test_a_changed_host_key_is_not_trusted_and_the_known_one_is_again(
    tmp_path: Path,
) -> None:
    changed = """
        [[faults]]
        kind = "host key changed"
        command = "show cert own CallManager"
        node = "sub"
        for_s = 300
    """

    async def story(lab: LabServers, way: Transport) -> None:
        assert isinstance(await way.observe(LOOKS[0]), Known)
        with pytest.raises(IdentityNotTrusted):  # lost, looked at again, and somebody else there
            await way.observe(CertificateOf("sub", CertUnit.CALLMANAGER))
        assert isinstance(await way.observe(CertificateOf("pub", CertUnit.TVS)), Known)
        await lab.clock.sleep(310)
        assert isinstance(await way.observe(LOOKS[0]), Known)

    await whole(changed, tmp_path, story)
