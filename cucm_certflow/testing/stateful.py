"""A state machine for Hypothesis in which the rules are the world, and a run goes on in it.

Subclass :class:`RunMachine`, give it a cluster and what to regenerate, add rules and invariants of
your own, and hand ``YourMachine.TestCase`` to pytest::

    class OurNights(RunMachine):
        scenario = "our-cluster.toml"
        units = (CertUnit.CALLMANAGER, CertUnit.TVS)

    TestOurNights = OurNights.TestCase
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar, Final

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cucm_certflow.cluster import Cluster
from cucm_certflow.commands import Command, Reply, ReplyKind
from cucm_certflow.core.plan import Plan
from cucm_certflow.facts import Fact, Query
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.memory import MemoryTransport
from cucm_certflow.lab.physics.judge import Health, Memo, health
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.names import CertUnit
from cucm_certflow.observers import Held, Outcome, Verified
from cucm_certflow.procedures.policies import Policy
from cucm_certflow.testing.assertions import (
    assert_never_graded_above_truth,
    assert_no_phone_lost,
)
from cucm_certflow.testing.stage import Stage, loaded
from cucm_certflow.testing.virtual import VirtualClock, VirtualLoop

__all__ = ["RunMachine"]

_WAITS_S: Final = (30.0, 300.0, 1800.0)
_GOOD_WEATHER_S: Final = 1800.0
_RESUMED_AT_MOST: Final = 30
_MEMO: Final = Memo()


class RunMachine(RuleBasedStateMachine):
    """A run of a plan on a lab, and everything around it that may happen, as rules.

    The rules: time passes, phones are switched off and on and come by themselves, the next reply is
    lost, the process is cancelled, somebody resumes it. After each, no phone is worse off than the
    tables allow, and nothing was regenerated twice. In the end the weather is good: every phone is
    on, nothing more goes wrong, somebody resumes what is held, and the run must come to its end.

    Attributes:
        scenario: The cluster: a :class:`Scenario`, the path of its file, or its text.
        units: What is regenerated.
        policy: The choices of the plan.
    """

    scenario: ClassVar[Scenario | str | os.PathLike[str]]
    units: ClassVar[tuple[CertUnit, ...]]
    policy: ClassVar[Policy] = Policy()

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.clock = VirtualClock(self.loop)
        self.lab = LabCluster(loaded(self.scenario), self.clock)
        self.weather = _Weather(MemoryTransport(self.lab, self.clock))
        self.cluster = Cluster(self.weather, self.weather.inner.discover, clock=self.clock)
        self.names = [phone.kind.name for phone in self.lab.phones]
        self._folder = Path(tempfile.mkdtemp(prefix="certflow-"))
        self._journal = self._folder / "run.journal"
        self.outcome: Outcome | None = None
        stage = Stage(lab=self.lab, transport=self.weather, cluster=self.cluster, clock=self.clock)
        self.plan: Plan = self.loop.run_until_complete(self.planned(stage))
        self._task = self.loop.create_task(self._begin())

    # ── what a subclass may say ───────────────────────────────────────────────────────────

    async def planned(self, stage: Stage) -> Plan:
        """The plan that is run; a subclass may plan otherwise."""
        return await stage.plan(*self.units, policy=self.policy)

    def check(self) -> None:
        """What else must hold after every rule; a subclass asserts it here."""

    # ── the run ───────────────────────────────────────────────────────────────────────────

    async def _begin(self) -> Outcome | None:
        async with self.cluster.run(self.plan, journal=self._journal) as run:
            return await run.wait()

    async def _go_on(self) -> Outcome | None:
        async with self.cluster.resume(journal=self._journal, waived_by="nobody") as run:
            return await run.wait()

    def _pass(self, seconds: float) -> None:
        self.loop.run_until_complete(self.clock.sleep(seconds))
        if self._task.done() and self.outcome is None and not self._task.cancelled():
            self.outcome = self._task.result()

    @property
    def is_running(self) -> bool:
        """Whether a process drives the run now."""
        return not self._task.done()

    # ── the world ─────────────────────────────────────────────────────────────────────────

    @rule(seconds=st.sampled_from(_WAITS_S))
    def time_passes(self, seconds: float) -> None:
        """So many seconds."""
        self._pass(seconds)

    @rule(number=st.integers(0, 50))
    def phone_is_switched_off(self, number: int) -> None:
        """It keeps its lists."""
        self.lab.power(self.names[number % len(self.names)], on=False)

    @rule(number=st.integers(0, 50))
    def phone_is_switched_on(self, number: int) -> None:
        """It boots, and comes for its lists."""
        self.lab.power(self.names[number % len(self.names)], on=True)

    @rule(number=st.integers(0, 50))
    def phone_comes_unasked(self, number: int) -> None:
        """It boots by itself, as after a reset at the phone."""
        name = self.names[number % len(self.names)]
        self.lab.power(name, on=False)
        self._pass(1)
        self.lab.power(name, on=True)

    @rule()
    def next_reply_is_lost(self) -> None:
        """The next command is carried out, and its reply does not arrive."""
        self.weather.loses_the_next = True

    @precondition(lambda self: self.is_running and self._journal.exists())
    @rule()
    def process_is_cancelled(self) -> None:
        """As by Ctrl-C: nothing more is sent."""
        self._task.cancel()
        self._pass(1)

    @precondition(lambda self: not self.is_running and not isinstance(self.outcome, Verified))
    @rule()
    def somebody_resumes(self) -> None:
        """A new process goes on from the journal."""
        self._resume()

    def _resume(self) -> None:
        self.outcome = None
        start = self._go_on() if self._journal.exists() else self._begin()
        self._task = self.loop.create_task(start)
        self._pass(1)

    # ── what must hold ────────────────────────────────────────────────────────────────────

    @invariant()
    def _every_phone_keeps_its_way_back(self) -> None:
        allowed = self._allowed()
        world = self.lab.world
        lost = [
            f"{name} needs {found.value}"
            for index, name in enumerate(self.names)
            if (found := health(self.lab.layout, self.lab.kinds, world, index, _MEMO)).severity
            > allowed.severity
        ]
        assert not lost, "; ".join(lost)

    def _allowed(self) -> Health:
        """What the tables of the plan allow in between: an exposure that they name, or none."""
        exposed = any(table.exposures for table in self.plan.procedures.values())
        return Health.NEEDS_LOCALKEY if exposed else Health.OK

    @invariant()
    def _nothing_is_regenerated_twice(self) -> None:
        twice = [str(cert) for cert in self.lab.world.gen if cert.generation > 2]  # noqa: PLR2004 - the first, and one more
        assert not twice, f"regenerated twice: {', '.join(twice)}"

    @invariant()
    def _what_the_user_says(self) -> None:
        self.check()

    def teardown(self) -> None:
        """Good weather: the run must come to its end, and no phone is lost."""
        if sys.exc_info()[0] is not None:  # something is broken already: that is what to show
            self._leave()
            return
        try:
            self.weather.loses_the_next = False
            for _ in range(_RESUMED_AT_MOST):
                self._phones_on()
                self._pass(_GOOD_WEATHER_S)
                if isinstance(self.outcome, Verified):
                    break
                if not self.is_running:
                    self._resume()
            assert isinstance(self.outcome, Verified), f"it never ends: {_why(self.outcome)}"
            assert_never_graded_above_truth(self.outcome, self.lab)
            assert_no_phone_lost(self.lab)
            self.check()
        finally:
            self._leave()

    def _phones_on(self) -> None:
        for name, phone in zip(self.names, self.lab.world.phones, strict=True):
            if not phone.on:
                self.lab.power(name, on=True)

    def _leave(self) -> None:
        self._task.cancel()
        self.loop.run_until_complete(asyncio.gather(self._task, return_exceptions=True))
        self.loop.close()
        shutil.rmtree(self._folder, ignore_errors=True)


class _Weather:
    """A transport that may lose the reply to what it sent."""

    def __init__(self, inner: MemoryTransport) -> None:
        self.inner = inner
        self.loses_the_next = False

    def supports(self, what: Query | Command) -> bool:
        return self.inner.supports(what)

    async def observe(self, query: Query) -> Fact:
        return await self.inner.observe(query)

    async def perform(self, command: Command) -> Reply:
        reply = await self.inner.perform(command)
        if not self.loses_the_next:
            return reply
        self.loses_the_next = False
        return Reply(ReplyKind.LOST, "the connection broke")

    async def aclose(self) -> None:
        await self.inner.aclose()


def _why(outcome: Any) -> str:  # noqa: ANN401 - an outcome, or nothing yet
    return "\n".join(_reasons(outcome)) or str(outcome)


def _reasons(outcome: object) -> Iterable[str]:
    return map(str, outcome.blocked) if isinstance(outcome, Held) else ()
