"""The clock of the machine that drives: jumps, and naps."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from cucm_certflow.commands import Regenerate, ReplyKind, RestartService
from cucm_certflow.facts import Known, ServiceOn, VersionOf
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.memory import MemoryTransport
from cucm_certflow.names import CertUnit, Service
from cucm_certflow.testing.virtual import VirtualClock, run_virtual
from tests.lab.small import scenario

REGENERATE = Regenerate("sub", CertUnit.TVS)

Story = Callable[[LabCluster, MemoryTransport, VirtualClock], Awaitable[Any]]


def tell(story: Story, event: str) -> Any:  # noqa: ANN401 - one type per story
    async def main() -> Any:  # noqa: ANN401 - one type per story
        clock = VirtualClock()
        lab = LabCluster(scenario(more=f"\n[[events]]\n{event}\n"), clock)
        return await story(lab, MemoryTransport(lab, clock, lab.driver_clock), clock)

    return run_virtual(main)


def test_a_jump_moves_what_the_driver_takes_for_now_and_nothing_else() -> None:
    async def story(lab: LabCluster, _: MemoryTransport, clock: VirtualClock) -> None:
        driver = lab.driver_clock
        assert driver.now() == clock.now()
        begin = driver.monotonic()
        await driver.sleep(60)
        assert driver.now() - clock.now() == timedelta(seconds=-7200)
        assert driver.monotonic() - begin == 60
        assert lab.now == clock.now()

    tell(story, 'kind = "clock jumps"\nat_s = 30\nby_s = -7200')


def test_facts_are_dated_by_the_clock_that_jumped() -> None:
    async def story(lab: LabCluster, way: MemoryTransport, clock: VirtualClock) -> None:
        await way.perform(RestartService("sub", Service.TVS))
        ahead = timedelta(seconds=3600)
        fact = await way.observe(ServiceOn("sub", Service.TVS))
        assert isinstance(fact, Known)
        assert timedelta(0) <= clock.now() + ahead - fact.at < timedelta(seconds=10)
        # It saw the service start, by its own clock; the node knows better.
        real = lab.service_state("sub", Service.TVS).started_at
        assert real is not None
        assert fact.value.started_at == real + ahead

    tell(story, 'kind = "clock jumps"\nat_s = 1\nby_s = 3600')


def test_nothing_goes_on_in_a_machine_that_sleeps() -> None:
    async def story(lab: LabCluster, _: MemoryTransport, clock: VirtualClock) -> None:
        driver, begin, awake = lab.driver_clock, clock.now(), lab.driver_clock.monotonic()
        await driver.sleep(60)
        assert clock.now() - begin == timedelta(seconds=3660)
        assert driver.now() == clock.now()
        assert driver.monotonic() - awake == 60
        assert driver.naps == 1

    tell(story, 'kind = "driver sleeps"\nat_s = 30\nfor_s = 3600')


def test_no_connection_outlasts_a_nap_and_the_cluster_goes_on() -> None:
    async def story(lab: LabCluster, way: MemoryTransport, clock: VirtualClock) -> None:
        assert isinstance(await way.observe(VersionOf("sub")), Known)
        reply = await way.perform(REGENERATE)
        assert reply.kind is ReplyKind.LOST
        assert clock.monotonic() > 3600
        assert lab.certificate("sub", CertUnit.TVS).generation == 2
        assert isinstance(await way.observe(VersionOf("sub")), Known)

    tell(
        story,
        'kind = "driver sleeps"\ncommand = "set cert regen"\nafter_s = 2\nfor_s = 3600',
    )
