"""Ten bugs, planted into the tables, and the property by which drawn clusters find each of them.

Each is a patch of data: of procedures, which a plan is made from, or of guards. The property is a
user's: a whole run in virtual time, judged by the lab and not by the library.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple, TypeVar
from unittest import mock

import attrs
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

import cucm_certflow.runner
from cucm_certflow.commands import RestartService
from cucm_certflow.core.decide import Decision, Tables, decide
from cucm_certflow.core.machine import Evaluator
from cucm_certflow.core.plan import Plan
from cucm_certflow.core.planner import make_plan
from cucm_certflow.core.proofs import Shown, Verdict, proof_of
from cucm_certflow.core.run_state import RunState
from cucm_certflow.core.states import Blocked, CertificateState, CommandState, Guard, Table
from cucm_certflow.core.tables import CERTIFICATE, COMMAND
from cucm_certflow.core.view import View
from cucm_certflow.errors import CertflowError
from cucm_certflow.facts import Facts
from cucm_certflow.findings import CheckReport
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.physics.lists import build_ctl, build_itl
from cucm_certflow.lab.scenario import FaultKind, Scenario
from cucm_certflow.lab.scenario_faults import FaultSpec
from cucm_certflow.names import CertUnit, Release, SecurityMode, Service
from cucm_certflow.observers import Outcome, Verified
from cucm_certflow.procedures import PROCEDURES
from cucm_certflow.procedures.policies import Policy
from cucm_certflow.procedures.vocabulary import Procedure, Row
from cucm_certflow.testing import strategies
from cucm_certflow.testing.assertions import (
    assert_never_graded_above_truth,
    assert_no_phone_lost,
    assert_regenerated_once,
)
from cucm_certflow.testing.stage import Stage, play
from tests.words import NO_PARTNERS

__all__ = ["PLANTED", "Drawn", "Planted", "drawn", "flaw_of"]

QUICK: Final = Policy(poll_every_s=30.0, barrier_within_s=900.0, watch_every_s=600.0)
"""Nothing of it is about safety: shorter stories are told sooner."""


class Drawn(NamedTuple):
    """An example: a cluster, and what is regenerated on it."""

    scenario: Scenario
    units: tuple[CertUnit, ...]


Rows = Callable[[Procedure], Iterable[Row]]


@attrs.frozen(kw_only=True)
class Planted:
    """A bug.

    Attributes:
        rows: What the rows of each procedure become.
        deaf: Guards that say yes to everything.
        shown: Whether every restart is taken for done.
        units: What is regenerated; the bug is in a table, and the user regenerates what it is of.
        release: Of the clusters.
        mixed: Their mode.
        fault: A fault that may be drawn beside phones that are off.
        command: What it strikes.
        words: What the property says when it finds it.
    """

    rows: Rows = lambda table: table.rows
    deaf: tuple[str, ...] = ()
    shown: bool = False
    units: tuple[CertUnit, ...]
    release: str = "11.5"
    mixed: bool = False
    fault: FaultKind | None = None
    command: str = "set cert regen TVS"
    words: str

    @property
    def procedures(self) -> tuple[Procedure, ...]:
        """The tables with the bug in them."""
        return tuple(attrs.evolve(table, rows=tuple(self.rows(table))) for table in PROCEDURES)

    def patched(self) -> AbstractContextManager[object]:
        """Within it, runs decide by the guards with the bug in them."""
        if self.shown:
            return mock.patch("cucm_certflow.core.command_guards.proof_of", _restarts_are_shown)
        if not self.deaf:
            return nullcontext()
        tables = Tables(
            Evaluator(_careless(COMMAND, self.deaf)), Evaluator(_careless(CERTIFICATE, self.deaf))
        )

        def careless(
            plan: Plan, state: RunState, facts: Facts, now: datetime, _: Tables
        ) -> Decision:
            return decide(plan, state, facts, now, tables)

        return mock.patch.object(cucm_certflow.runner, "decide", careless)


def _restarts_are_shown(view: View) -> Shown:
    if isinstance(view.step.command, RestartService):
        return Shown(Verdict.DONE, "nobody looked")
    return proof_of(view)


StateT = TypeVar("StateT", CommandState, CertificateState)


def _careless(table: Table[View, StateT], names: tuple[str, ...]) -> Table[View, StateT]:
    """*table*, in which the guards of these names wait for their facts, and then say yes."""

    def careless(guard: Guard[View]) -> Guard[View]:
        def check(view: View) -> Blocked | None:
            blocked, cluster = guard.check(view), view.cluster()
            if isinstance(cluster, Blocked):
                return cluster
            return None if blocked is None or blocked.guard == guard.name else blocked

        return attrs.evolve(guard, check=check) if guard.name in names else guard

    edges = (attrs.evolve(e, guards=tuple(map(careless, e.guards))) for e in table.edges)
    return attrs.evolve(table, edges=tuple(edges))


def _without(unit: CertUnit, *names: str) -> Rows:
    return lambda table: [r for r in table.rows if table.unit is not unit or r.name not in names]


_C, _T, _I = CertUnit.CALLMANAGER, CertUnit.TVS, CertUnit.ITLRECOVERY

# fmt: off
PLANTED: Final = {
    "the barrier lets everybody through":
        Planted(deaf=("phones_back",), units=(_C, _T), words=" lost\n"),
    "a late command is sent again before it can be over":
        Planted(deaf=("settled",), units=(_T,), fault=FaultKind.LATE, words="more than once"),
    "the second window does not wait for the first":
        Planted(deaf=("window_is_open", "exclusion", "lifeline"),
                units=(_C, _T), words=" lost\n"),
    "every restart is taken for done":
        Planted(shown=True, units=(_T,), fault=FaultKind.LOST_COMMAND,
                command="utils service restart Cisco Trust Verification Service",
                words="still shows another TVS"),
    "TVS is not restarted after its own certificate":
        Planted(rows=_without(_T, "restart-tvs"), units=(_T,), words="still shows another TVS"),
    "Tftp is not restarted after TVS":
        Planted(rows=_without(_T, "restart-tftp"), units=(_T,), words="ITL"),
    "the CTL is not updated":
        Planted(rows=_without(_C, "ctl-update"), units=(_C,), mixed=True, words="CTL"),
    "CallManager is not restarted":
        Planted(rows=_without(_C, "restart-callmanager"), units=(_C,),
                words="still shows another CallManager"),
    "Tomcat is not restarted":
        Planted(rows=_without(CertUnit.TOMCAT, "restart-tomcat"), units=(CertUnit.TOMCAT,),
                words="still shows another tomcat"),
    "Tftp goes on with the list of ITLRecovery's localkey":
        Planted(rows=_without(_I, "restart-tftp-again"), units=(_I,), release="12.5",
                words="ITL"),
}
# fmt: on
"""By what is wrong."""


@st.composite
def drawn(draw: DrawFn, planted: Planted) -> Drawn:
    """Clusters of the release and mode of the bug; phones may be off, and one fault may strike."""
    mode = SecurityMode.MIXED if planted.mixed else SecurityMode.NON_SECURE
    scenario = draw(
        strategies.clusters(
            most_nodes=2,
            most_groups=2,
            wrong=False,
            release=st.just(Release.parse(planted.release)),
            mode=st.just(mode),
        )
    )
    faults: tuple[FaultSpec, ...] = ()
    if planted.fault is not None and draw(st.booleans()):
        late_s = draw(st.sampled_from([60.0, 150.0]))
        faults = (FaultSpec(kind=planted.fault, command=planted.command, late_s=late_s),)
    return Drawn(attrs.evolve(scenario, faults=faults), planted.units)


def flaw_of(example: Drawn, planted: Planted | None) -> str:
    """What is wrong after the whole story of *example*, in words; empty if nothing is.

    A story that holds for a phone that is off is no flaw: it was told to a person, who waits.
    """

    async def story(stage: Stage) -> str:
        facts = await stage.cluster.discover()
        plan = make_plan(
            facts,
            units=example.units,
            policy=QUICK,
            preflight=CheckReport(findings=()),
            said=NO_PARTNERS,
            procedures=PROCEDURES if planted is None else planted.procedures,
        )
        if plan.is_refused:
            return ""  # nothing was sent
        with tempfile.TemporaryDirectory(prefix="certflow-") as folder:
            async with stage.cluster.run(plan, journal=Path(folder) / "run.journal") as run:
                outcome = await run.wait()
        await stage.clock.sleep(3600)
        return _judged(outcome, plan, stage.lab)

    with nullcontext() if planted is None else planted.patched():
        try:
            return play(example.scenario, story)
        except CertflowError as error:
            return f"error: {error}"


def _judged(outcome: Outcome | None, plan: Plan, lab: LabCluster) -> str:
    try:
        assert_no_phone_lost(lab)
        assert_regenerated_once(lab)
        assert_never_graded_above_truth(outcome, lab)
    except AssertionError as error:
        return str(error)
    return "; ".join(_lies(plan, lab)) if isinstance(outcome, Verified) else ""


def _lies(plan: Plan, lab: LabCluster) -> Iterable[str]:
    """What is not so, though the run says that everything was done and verified."""
    world = lab.world
    for unit, node in plan.certificates:
        if world.current(unit, node).generation == 1:
            yield f"{node}/{unit} is the old one"
        shown = lab.presented(node, unit)
        runs = unit is not CertUnit.TVS or lab.is_up(node, Service.TVS)
        if shown is not None and runs and shown != world.current(unit, node):
            yield f"{node} still shows another {unit}"
    for node in lab.layout.tftp_nodes:
        if world.itl_of(node) != build_itl(lab.layout, world, node):
            yield f"the ITL of {node} is not of now"
        if lab.layout.mixed and world.ctl_of(node) != build_ctl(lab.layout, world):
            yield f"the CTL of {node} is not of now"
