"""Discovery over the seam, where an answer is not one that we know."""

from __future__ import annotations

import pytest

from cucm_certflow.commands import Command, Reply
from cucm_certflow.core.planner import make_plan
from cucm_certflow.discovery import discover
from cucm_certflow.facts import Fact, Known, Parameter, Query
from cucm_certflow.names import CertUnit, SecurityMode
from cucm_certflow.testing.virtual import run_virtual
from cucm_certflow.transports.base import Transport
from tests.journeys.main_job import start


class Telling:
    """A transport that says *mode* for the cluster security mode, and the rest as it is."""

    def __init__(self, transport: Transport, mode: str) -> None:
        self._transport = transport
        self._mode = mode

    def supports(self, what: Query | Command) -> bool:
        return self._transport.supports(what)

    async def observe(self, query: Query) -> Fact:
        fact = await self._transport.observe(query)
        if query == Parameter("ClusterSecurityMode"):
            return Known(self._mode, fact.at, fact.by)
        return fact

    async def perform(self, command: Command) -> Reply:
        return await self._transport.perform(command)

    async def aclose(self) -> None:
        await self._transport.aclose()


@pytest.mark.parametrize("mode", ["2", "", "mixed"])
def test_a_mode_that_is_neither_0_nor_1_is_unknown_and_refuses_the_plan(mode: str) -> None:
    async def story() -> None:
        there = start()
        names = [node.name for node in there.lab.scenario.nodes]
        facts = await discover(Telling(there.transport, mode), names, there.clock)
        assert [text for text in facts.unknown if "cluster security mode" in text]
        assert make_plan(facts, units={CertUnit.TOMCAT}).is_refused

    run_virtual(story)


def test_discovery_over_the_seam_finds_what_the_lab_says_of_itself() -> None:
    async def story() -> None:
        there = start()
        names = [node.name for node in there.lab.scenario.nodes]
        facts = await discover(there.transport, names, there.clock)
        assert facts.unknown == ()
        assert facts.mode is SecurityMode.MIXED
        told = await there.transport.discover()
        assert facts.phones == tuple(sorted(told.phones, key=lambda phone: phone.name))
        for node, other in zip(facts.nodes, told.nodes, strict=True):
            assert (node.name, node.itl, node.ctl) == (other.name, other.itl, other.ctl)
            assert CertUnit.TOMCAT in node.certificates
            # Only of units that plans are about.
            assert node.certificates.items() <= other.certificates.items()

    run_virtual(story)
