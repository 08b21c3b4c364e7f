"""One contract, over the transport in memory and over real servers on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from cucm_certflow.clock import ScaledClock
from cucm_certflow.commands import Command, ResetPhones
from cucm_certflow.connection import connect
from cucm_certflow.facts import CertificateOf, Fact, Query, RegistrationCounts
from cucm_certflow.inventory import Inventory
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.memory import MemoryTransport
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.lab.servers import LabServers
from cucm_certflow.testing.contract import CHECKS
from cucm_certflow.testing.subject import Subject
from cucm_certflow.testing.transport_contract import TransportContract
from cucm_certflow.testing.virtual import VirtualClock

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


def subject_in_memory(kind: type[MemoryTransport] = MemoryTransport) -> Subject:
    clock = VirtualClock()
    transport = kind(LabCluster(Scenario.loads(SMALL), clock), clock)
    return Subject(
        transport=transport,
        discover=transport.discover,
        clock=clock,
        publisher="pub",
        subscriber="sub1",
        secrets=("lab-platform", "lab-application"),
    )


class TestInMemory(TransportContract):
    @asynccontextmanager
    async def subject(self) -> AsyncIterator[Subject]:
        yield subject_in_memory()


class TestOverRealServers(TransportContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def run(self, story: Callable[[], Coroutine[Any, Any, None]]) -> None:
        asyncio.run(story())

    @asynccontextmanager
    async def subject(self) -> AsyncIterator[Subject]:
        scenario, clock = Scenario.loads(SMALL), ScaledClock(SPEED)
        async with LabServers(scenario, clock=clock, folder=self.folder):
            inventory = Inventory.load(self.folder / "inventory.toml")
            async with connect(inventory, clock=clock) as cluster:
                await cluster.discover()  # learns phones and pins
                yield Subject(
                    transport=cluster.transport,
                    discover=cluster.discover,
                    clock=clock,
                    publisher="pub",
                    subscriber="sub1",
                    secrets=(scenario.accounts.platform.password,),
                )


# ── the class itself ──────────────────────────────────────────────────────────────────────


def test_every_check_is_a_test_of_the_class() -> None:
    names = {name for name in dir(TransportContract) if name.startswith("test_")}
    assert names == {"test_" + check.__name__.removeprefix("check_") for check in CHECKS}


class _WithoutCounts(MemoryTransport):
    def supports(self, what: Query | Command) -> bool:
        return not isinstance(what, RegistrationCounts | ResetPhones) and super().supports(what)


class _Declared(TransportContract):
    not_offered: ClassVar[Mapping[type, str]] = {
        RegistrationCounts: "our gateway has no PerfMon",
        ResetPhones: "it calls nobody",
    }

    @asynccontextmanager
    async def subject(self) -> AsyncIterator[Subject]:
        yield subject_in_memory(_WithoutCounts)


def _run(given: TransportContract, name: str) -> None:
    getattr(given, name)()


def test_what_is_declared_not_to_be_offered_is_skipped_with_its_reason() -> None:
    with pytest.raises(pytest.skip.Exception, match="ResetPhones is not offered: it calls nobody"):
        _run(_Declared(), "test_a_reset_phone_registers_anew")
    _run(_Declared(), "test_closing_twice_is_harmless")


def test_what_is_not_offered_and_not_declared_fails() -> None:
    class Undeclared(_Declared):
        not_offered: ClassVar[Mapping[type, str]] = {}

    with pytest.raises(AssertionError, match="is not supported"):
        _run(Undeclared(), "test_a_reset_phone_registers_anew")


def test_what_is_declared_not_to_be_offered_and_is_fails() -> None:
    class Wrong(_Declared):
        @asynccontextmanager
        async def subject(self) -> AsyncIterator[Subject]:
            yield subject_in_memory()

    with pytest.raises(AssertionError, match="is supported, and declared not to be"):
        _run(Wrong(), "test_a_reset_phone_registers_anew")


class _Guesses(MemoryTransport):
    """Answers about a node that does not exist."""

    async def observe(self, query: Query) -> Fact:
        if isinstance(query, CertificateOf) and query.node == "no-such-node":
            query = CertificateOf("pub", query.unit)
        return await super().observe(query)


def test_transport_that_makes_something_up_is_found_out() -> None:
    class Guessing(TransportContract):
        @asynccontextmanager
        async def subject(self) -> AsyncIterator[Subject]:
            yield subject_in_memory(_Guesses)

    with pytest.raises(AssertionError, match="no-such-node"):
        _run(Guessing(), "test_a_question_about_nobody_is_unknown_and_says_why")
