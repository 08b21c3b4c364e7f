"""One contract, over the transport in memory and over real servers on loopback."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar, get_args

import pytest

from cucm_certflow.clock import ScaledClock
from cucm_certflow.commands import ByHand, Command, Regenerate, Reply, ResetPhones
from cucm_certflow.connection import connect
from cucm_certflow.facts import (
    CertificateOf,
    Fact,
    Query,
    RegistrationCounts,
    ReplyTo,
    Unknown,
    Why,
)
from cucm_certflow.inventory import Inventory
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.memory import MemoryTransport
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.lab.servers import LabServers
from cucm_certflow.testing.contract import CHECKS
from cucm_certflow.testing.subject import SCENARIO, Subject
from cucm_certflow.testing.transport_contract import TransportContract
from cucm_certflow.testing.virtual import EPOCH, VirtualClock, run_virtual

SPEED = 60.0
NOBODY = "no-such-node"

SMALL = SCENARIO


def subject_in_memory(kind: type[MemoryTransport] = MemoryTransport) -> Subject:
    clock = VirtualClock()
    lab = LabCluster(Scenario.loads(SMALL), clock)
    transport = kind(lab, clock)
    return Subject(
        transport=transport,
        discover=transport.discover,
        clock=clock,
        publisher="pub",
        subscriber="sub1",
        secrets=("lab-platform", "lab-application"),
        lose_next=lab.faults.break_next,
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
        async with LabServers(scenario, clock=clock, folder=self.folder) as servers:
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
                    lose_next=servers.cluster.faults.break_next,
                )


# ── the class itself ──────────────────────────────────────────────────────────────────────


def test_every_check_is_a_test_of_the_class() -> None:
    names = {name for name in dir(TransportContract) if name.startswith("test_")}
    assert names == {"test_" + check.__name__.removeprefix("check_") for check in CHECKS}


def test_every_question_and_every_command_is_tried_by_a_check() -> None:
    async def story() -> set[type]:
        return {type(what) for what in await subject_in_memory().one_of_each()}

    told = run_virtual(story)
    assert {*get_args(Query), *get_args(Command)} == told | {ReplyTo, ByHand}


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
    listed = r"not tested: RegistrationCounts \(our gateway .*\); ResetPhones \(it calls nobody\)"
    with pytest.raises(pytest.skip.Exception, match=listed):
        _run(_Declared(), "test_what_is_not_offered_is_not_supported_and_is_listed")
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


# ── each way to be wrong is found out ─────────────────────────────────────────────────────


class _Guesses(MemoryTransport):
    """Answers about a node that does not exist."""

    async def observe(self, query: Query) -> Fact:
        if isinstance(query, CertificateOf) and query.node == NOBODY:
            query = CertificateOf("pub", query.unit)
        return await super().observe(query)


class _Raises(MemoryTransport):
    """Has an exception where it has no answer."""

    async def observe(self, query: Query) -> Fact:
        if isinstance(query, CertificateOf) and query.node == NOBODY:
            raise LookupError(query.node)
        return await super().observe(query)


class _SendsElsewhere(MemoryTransport):
    """Takes the publisher for any node that it does not know."""

    async def perform(self, command: Command) -> Reply:
        if isinstance(command, Regenerate) and command.node == NOBODY:
            command = Regenerate("pub", command.unit)
        return await super().perform(command)


class _KeepsTheLine(MemoryTransport):
    """Never gives its one line back when a look is cancelled."""

    taken = False

    async def observe(self, query: Query) -> Fact:
        if self.taken:
            return Unknown("the line is taken", EPOCH, "us", Why.BUSY)
        self.taken = True
        await asyncio.sleep(0)
        fact = await super().observe(query)
        self.taken = False
        return fact


class _SendsAgain(MemoryTransport):
    """Believes that a command that was cancelled was not sent."""

    async def perform(self, command: Command) -> Reply:
        try:
            return await super().perform(command)
        except asyncio.CancelledError:
            self.later = asyncio.ensure_future(self._again(command))
            raise

    async def _again(self, command: Command) -> None:
        await asyncio.sleep(900)
        await super().perform(command)


class _Talks(MemoryTransport):
    """Says in its log with what it logs in."""

    async def observe(self, query: Query) -> Fact:
        logging.getLogger("gateway").debug("as administrator, %s", "lab-platform")
        return await super().observe(query)


class _Boasts(MemoryTransport):
    """Has its password in its repr."""

    def __repr__(self) -> str:
        return "Boasts(password='lab-platform')"


@pytest.mark.parametrize(
    ("kind", "name", "error", "said"),
    [
        (_Guesses, "a_question_about_nobody_is_unknown_and_says_why", AssertionError, NOBODY),
        (_Raises, "a_question_about_nobody_is_unknown_and_says_why", LookupError, NOBODY),
        (
            _SendsElsewhere,
            "a_command_for_nobody_is_refused_and_changes_nothing",
            AssertionError,
            "ACCEPTED",
        ),
        (
            _KeepsTheLine,
            "a_cancelled_question_leaves_a_transport_that_answers",
            AssertionError,
            "the line is taken",
        ),
        (
            _SendsAgain,
            "a_cancelled_command_leaves_a_transport_that_answers",
            AssertionError,
            "a second time",
        ),
        (_Talks, "no_secret_is_shown", AssertionError, "a secret is shown"),
        (_Boasts, "no_secret_is_shown", AssertionError, "a secret is shown"),
    ],
    ids=lambda value: value.__name__.strip("_") if isinstance(value, type) else None,
)
def test_transport_that_is_wrong_is_found_out(
    kind: type[MemoryTransport], name: str, error: type[Exception], said: str
) -> None:
    class Wrong(TransportContract):
        @asynccontextmanager
        async def subject(self) -> AsyncIterator[Subject]:
            yield subject_in_memory(kind)

    with pytest.raises(error, match=said):
        _run(Wrong(), f"test_{name}")
