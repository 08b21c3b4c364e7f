"""A cluster that one can discover, run a plan on, resume, and verify."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from cucm_certflow.checking import gather, preflight
from cucm_certflow.checks.scope import Limits
from cucm_certflow.clock import Clock, SystemClock
from cucm_certflow.commands import Command, ResetPhones
from cucm_certflow.core.plan import Plan
from cucm_certflow.core.planner import fingerprint_of
from cucm_certflow.core.run_state import Acknowledged, folded
from cucm_certflow.doctor import DoctorReport, examine
from cucm_certflow.errors import JournalError, RefusedError, Report, RunFinished, UsageError
from cucm_certflow.event_stream import checked_observers
from cucm_certflow.facts import ClusterFacts, Known, TrustEntry, TrustStores
from cucm_certflow.findings import CheckReport, Said
from cucm_certflow.journal import Journal
from cucm_certflow.locks import ClusterLock
from cucm_certflow.names import CertUnit
from cucm_certflow.observers import Observer
from cucm_certflow.orders import Order, OrderKind
from cucm_certflow.procedures.maintenance import Maintenance
from cucm_certflow.procedures.policies import Policy
from cucm_certflow.rescue import TRUST_STORES, RescueKit, save_rescue_kit
from cucm_certflow.runner import Run
from cucm_certflow.transports.base import Transport
from cucm_certflow.verification import VerifyReport, verify_plan

__all__ = ["Cluster"]

_FUTURE_S: Final = 600.0
"""A journal may be ahead of this clock by so many seconds: the run then waits for it."""


class Cluster:
    """One cluster over one transport. It belongs to one event loop; close it when done.

    Args:
        transport: The way to it.
        discover: Reads everything that a plan needs; it only looks.
        clock: What runs go by.
        prepare: Told of the plan before a run is resumed or verified, and of the commands that were
            sent by then, or may have been; it sends nothing.
        nodes: The addresses of the nodes by name, as an inventory has them, the publisher first;
            for :meth:`doctor`.
        lock: Lets one driver at a time at this cluster, on this machine; without it only one at a
            time at a journal.
    """

    def __init__(
        self,
        transport: Transport,
        discover: Callable[[], Awaitable[ClusterFacts]],
        *,
        clock: Clock | None = None,
        prepare: Callable[[Plan, Sequence[Command]], None] | None = None,
        lock: ClusterLock | None = None,
        nodes: Mapping[str, str] | None = None,
    ) -> None:
        self.transport = transport
        self.clock: Clock = clock or SystemClock()
        self._discover = discover
        self._prepare = prepare
        self._lock = lock
        self._nodes = dict(nodes or {})

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the transport; idempotent."""
        await self.transport.aclose()

    async def discover(self) -> ClusterFacts:
        """Read nodes, certificates, services, lists and phones. It only looks.

        What could not be read is named in ``unknown``, and a plan over it is refused. Cancelling
        it leaves nothing behind.

        Raises:
            AuthenticationFailed: An account was refused; it is not tried again anywhere.
            IdentityNotTrusted: A node is not who it should be.
            NodeUnreachable: The publisher could not be reached at all.
        """
        return await self._discover()

    async def doctor(
        self, *, node_within_s: float = 120.0, clock_within_s: float = 60.0
    ) -> DoctorReport:
        """Look whether everything that a run needs of each node can be had. It only looks.

        Every interface of every node of the inventory: whether it is reached, is who it must be,
        lets the account in, and lets it do what a run needs; how far the clock is off; and whether
        inventory and cluster mean the same nodes. Each finding says what to do. Nodes are looked at
        at the same time, so that one that is down delays no other. An account that a node refuses
        is not tried again on any. Cancelling it leaves nothing behind.

        Args:
            node_within_s: Real seconds for all looks at one node, and so for the whole; over 0.
            clock_within_s: By how many seconds a node's clock may differ from ours; 0 or more.

        Raises:
            UsageError: A figure is out of range, or the cluster was made without *nodes*. Nothing
                was sent.
        """
        if not self._nodes or node_within_s <= 0 or clock_within_s < 0:
            raise UsageError(
                Report(
                    headline="nothing can be examined so",
                    expected="nodes of an inventory, node_within_s over 0, clock_within_s from 0",
                    saw=f"{len(self._nodes)} nodes, {node_within_s:g} s, {clock_within_s:g} s",
                    left="nothing was sent",
                    next="open the cluster with connect(), or give Cluster its nodes",
                )
            )
        return await examine(
            self.transport,
            self._nodes,
            self.clock,
            node_within_s=node_within_s,
            clock_within_s=clock_within_s,
        )

    async def start(
        self,
        plan: Plan,
        *,
        journal: str | os.PathLike[str],
        rescue_kit: str | os.PathLike[str] | None = None,
        maintenance: Maintenance | None = None,
        observers: Iterable[Observer] = (),
    ) -> Run:
        """As :meth:`run`, for callers that enter the run themselves."""
        watching = checked_observers(observers)
        plan.raise_if_refused()
        self._check_preflight(plan)
        if self._lock is not None:
            self._lock.acquire(self.clock.now(), run="", records=0)
        try:
            return await self._start(plan, journal, rescue_kit, maintenance, watching)
        except BaseException:
            if self._lock is not None:
                self._lock.release()
            raise

    async def _start(
        self,
        plan: Plan,
        journal: str | os.PathLike[str],
        rescue_kit: str | os.PathLike[str] | None,
        maintenance: Maintenance | None,
        observers: Sequence[Observer],
    ) -> Run:
        now = await self._discover()
        if now.unknown or fingerprint_of(now) != plan.fingerprint:
            raise RefusedError(
                Report(
                    headline="the cluster is not the one that was planned for",
                    expected=f"fingerprint {plan.fingerprint[:16]}",
                    saw=f"fingerprint {fingerprint_of(now)[:16]}"
                    + "".join(f"; {text}" for text in now.unknown),
                    left="nothing was sent",
                    next="discover and plan again",
                )
            )
        Journal.check_new(journal)
        if plan.certificates:
            folder = Path(rescue_kit) if rescue_kit else Path(f"{os.fspath(journal)}.rescue")
            _check_kit(await save_rescue_kit(now, self.transport, folder, clock=self.clock))
        opened = Journal.create(journal, plan, at=self.clock.now())
        return Run(
            opened,
            self.transport,
            self.clock,
            maintenance=maintenance,
            lock=self._lock,
            observers=observers,
        )

    def _check_preflight(self, plan: Plan) -> None:
        """Refuse a plan before which nobody looked, or not lately. A clean-up looks by itself."""
        if not plan.certificates:
            return
        limit = plan.policy.preflight_fresh_s
        taken = plan.preflight.baseline if plan.preflight else None
        age = None if taken is None else (self.clock.now() - taken.at).total_seconds()
        if plan.preflight is None or (age is not None and age > limit):
            raise RefusedError(
                Report(
                    headline="nobody looked at the cluster before this plan, or not lately",
                    expected=f"a preflight of the last {limit:.0f} s",
                    saw="none" if age is None else f"one of {age:.0f} s ago",
                    left="nothing was sent",
                    next="cluster.preflight(units=…), and make_plan(preflight=…) with its report; "
                    "CheckReport(findings=()) says on purpose that nobody looks",
                )
            )

    def run(
        self,
        plan: Plan,
        *,
        journal: str | os.PathLike[str],
        rescue_kit: str | os.PathLike[str] | None = None,
        maintenance: Maintenance | None = None,
        observers: Iterable[Observer] = (),
    ) -> _Starting:
        """Run *plan* from its beginning, as ``async with cluster.run(…) as run``.

        The cluster is discovered again first: a plan is bound to what it was made from. Then the
        rescue kit is saved, before anything is written to the journal or sent.

        Args:
            plan: Not refused, and made with a preflight.
            journal: A file that does not exist yet. It is written and synced before each command.
            rescue_kit: A folder that does not exist yet; the journal's name and ``.rescue`` if not
                given. A clean-up of trust stores needs none.
            maintenance: When anything may be changed; at any time if it is not given. Nothing is
                begun that cannot be finished before a window closes.
            observers: Callables that are told every event; one that raises never disturbs the run,
                a slow one holds it up for as long as it takes
                (:data:`~cucm_certflow.observers.Observer`).

        Raises:
            TypeError: An observer cannot be called, or is asynchronous. Nothing was sent.
            RefusedError: The plan is refused, nobody looked before it, or the cluster has changed
                since. Nothing was sent.
            RescueKitError: The rescue kit cannot be saved. Nothing was sent.
            JournalError: The file exists or cannot be written. Nothing was sent.
            JournalInUse: Another process holds it. Nothing was sent.
            ClusterInUse: Another process on this machine drives the cluster. Nothing was sent.
        """
        return _Starting(
            lambda: self.start(
                plan,
                journal=journal,
                rescue_kit=rescue_kit,
                maintenance=maintenance,
                observers=observers,
            )
        )

    async def trust_stores(self, facts: ClusterFacts) -> Mapping[str, tuple[TrustEntry, ...]]:
        """What is in the trust stores of every node, for ``plan_cleanup``. It only looks.

        A node whose stores cannot be read is absent: a clean-up over it is refused.

        Raises:
            AuthenticationFailed: An account was refused; it is not tried again anywhere.
            IdentityNotTrusted: A node is not who it should be.
        """
        queries = [TrustStores(node.name) for node in facts.nodes]
        answers = await gather(queries, self.transport, clock=self.clock)
        return {
            query.node: answer.value
            for query in queries
            if isinstance(answer := answers[query], Known)
        }

    def resume(
        self,
        *,
        journal: str | os.PathLike[str],
        waive: Iterable[str] = (),
        waived_by: str = "",
        said: Iterable[Said] = (),
        maintenance: Maintenance | None = None,
        observers: Iterable[Observer] = (),
    ) -> Run:
        """Go on from *journal*, after a crash, a pause or a hold, as ``async with``.

        Resuming is a person's word that held steps may be looked at again; nothing is sent twice
        without a look. The same code path runs as at the beginning. A pause, or an abort that was
        not carried out yet, is taken back by it.

        Args:
            journal: The file of the run.
            waive: Phones to take out of scope now, by name.
            waived_by: Who resumes it, and says so, for the record.
            said: What people say about partner tasks, or about phones that may be left behind, by
                name; written to the journal.
            maintenance: When anything may be changed from now on; as it was if not given.
            observers: As for :meth:`run`; they are told what happens from now on.

        Raises:
            TypeError: An observer cannot be called, or is asynchronous. Nothing was sent.
            JournalError: The file does not read, is another user's, belongs to other tables, is an
                old copy, or comes from the future. Nothing was sent.
            RunFinished: The run was verified, or was aborted. Nothing was sent.
            JournalInUse: Another process holds it. Nothing was sent.
            ClusterInUse: Another process on this machine drives the cluster. Nothing was sent.
            UsageError: A waived name is not a phone of the plan. Nothing was sent.
        """
        order = Order(
            kind=OrderKind.RESUME, by=waived_by or "whoever resumed it", why="it was resumed"
        )
        return self._go_on(
            journal,
            order,
            waive=waive,
            waived_by=waived_by,
            said=said,
            maintenance=maintenance,
            observers=observers,
        )

    def abort(
        self,
        *,
        journal: str | os.PathLike[str],
        by: str,
        why: str,
        observers: Iterable[Observer] = (),
    ) -> Run:
        """End the run of *journal*, which nobody drives, for good, as ``async with``.

        What is half-way is finished first, by the same rules as ever; then ``outcome`` is Aborted
        and names what is left and what to do now. If it cannot be finished ``outcome`` is Held. To
        abort a run that somebody drives use :func:`~cucm_certflow.control.ask_to_abort`.

        Args:
            journal: The file of the run.
            by: Who ends it.
            why: The reason.
            observers: As for :meth:`run`; they are told what happens from now on.

        Raises:
            ValueError: *by* or *why* is empty.
            JournalError, RunFinished, JournalInUse, ClusterInUse, TypeError: As :meth:`resume`.
        """
        order = Order(kind=OrderKind.ABORT, by=by, why=why)
        return self._go_on(journal, order, observers=observers)

    def _go_on(
        self,
        path: str | os.PathLike[str],
        order: Order,
        *,
        waive: Iterable[str] = (),
        waived_by: str = "",
        said: Iterable[Said] = (),
        maintenance: Maintenance | None = None,
        observers: Iterable[Observer] = (),
    ) -> Run:
        now = self.clock.now()
        opened = Journal.open(path, at=now)
        try:
            _check_time(opened, now)
            _check_unfinished(opened)
            if self._lock is not None:
                self._lock.acquire(now, run=opened.run, records=len(opened.records))
            if self._prepare is not None:
                self._prepare(opened.plan, _sent(opened))
            return Run(
                opened,
                self.transport,
                self.clock,
                waive=waive,
                waived_by=waived_by,
                said=said,
                resume=True,
                orders=(order,),
                maintenance=maintenance,
                lock=self._lock,
                observers=observers,
            )
        except BaseException:
            opened.close()
            if self._lock is not None:
                self._lock.release()
            raise

    async def preflight(
        self,
        *,
        units: Iterable[CertUnit],
        facts: ClusterFacts | None = None,
        policy: Policy | None = None,
        limits: Limits | None = None,
        said: Iterable[Said] = (),
    ) -> CheckReport:
        """Look at everything that has to be right before *units* are regenerated. It only looks.

        What is open in the report refuses a plan that is made with it. The report also holds who
        was registered, for the verification afterwards. Cancelling it leaves nothing behind.

        Args:
            units: What is to be regenerated.
            facts: A discovery that was just made; if not given, the cluster is discovered.
            policy: As for the plan.
            limits: From which figures on a check finds fault.
            said: What people say about what is open, by the identifiers of the checks.

        Raises:
            UsageError: No unit was asked for, or a word is about an item that no check has.
            AuthenticationFailed: An account was refused; it is not tried again anywhere.
            IdentityNotTrusted: A node is not who it should be.
            NodeUnreachable: The publisher could not be reached at all.
        """
        return await preflight(
            facts if facts is not None else await self._discover(),
            self.transport,
            units=units,
            clock=self.clock,
            policy=policy,
            limits=limits,
            said=said,
        )

    async def verify(
        self,
        *,
        journal: str | os.PathLike[str],
        said: Iterable[Said] = (),
        limits: Limits | None = None,
    ) -> VerifyReport:
        """Look once more at everything that *journal*'s plan was to leave. It only looks.

        Args:
            journal: The file of the run.
            said: What people say about what is open, by the identifiers of the checks and of the
                partner tasks.
            limits: From which figures on a check finds fault.

        Raises:
            JournalError: The file does not read.
            JournalInUse: The run is still going.
            UsageError: A word is about an item that no check has. Nothing was asked.
        """
        opened = Journal.open(journal)
        try:
            state = folded(opened.plan, opened.records)
        finally:
            opened.close()
        if self._prepare is not None:
            self._prepare(opened.plan, _sent(opened))
        facts = await self._discover()
        return await verify_plan(
            opened.plan,
            state,
            facts,
            self.transport,
            clock=self.clock,
            said=said,
            acknowledged=[r.said for r in opened.records if isinstance(r, Acknowledged)],
            limits=limits,
        )


def _check_kit(kit: RescueKit) -> None:
    """Refuse to begin without a certificate or a list that could not be saved."""
    gaps = [f"{gap.node}: {gap.what}: {gap.why}" for gap in kit.gaps if gap.what != TRUST_STORES]
    if gaps:
        raise RefusedError(
            Report(
                headline="the rescue kit is not complete",
                expected="every certificate in PEM, and the lists of every TFTP node",
                saw="; ".join(gaps),
                left="nothing was sent; what could be saved is in the kit's folder",
                next="make these readable, and begin again with another folder",
            )
        )


def _check_time(journal: Journal, now: datetime) -> None:
    """Refuse a journal that was written later than now: nothing could be told from its instants."""
    latest = max((record.at for record in journal.records), default=journal.begun)
    if (latest - now).total_seconds() > _FUTURE_S:
        raise JournalError(
            Report(
                headline=f"the journal {journal.path.name} comes from the future",
                expected=f"nothing later than now, {now.isoformat(timespec='seconds')}",
                saw=f"a line of {latest.isoformat(timespec='seconds')}",
                left="nothing was sent",
                next="set this machine's clock right, and resume",
            )
        )


def _check_unfinished(journal: Journal) -> None:
    ended = folded(journal.plan, journal.records).ended
    if ended:
        raise RunFinished(
            Report(
                headline=f"the run of {journal.path.name} is over: it was {ended}",
                left="nothing was sent",
                next="verify it, or discover and plan again with a new journal",
            )
        )


def _sent(journal: Journal) -> tuple[Command, ...]:
    """The commands that were sent, or may have been, in the order of the plan."""
    state = folded(journal.plan, journal.records)
    return tuple(
        step.command
        for step in journal.plan.steps
        if state.steps[step.index].attempt and not isinstance(step.command, ResetPhones)
    )


class _Starting:
    """The context manager of :meth:`Cluster.run`: discovery first, then the run."""

    def __init__(self, start: Callable[[], Awaitable[Run]]) -> None:
        self._start = start
        self._run: Run | None = None

    async def __aenter__(self) -> Run:
        self._run = await self._start()
        return await self._run.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._run is not None
        await self._run.__aexit__(kind, error, trace)
