"""The only awaiting loop: journal, perform, observe, and ask ``decide`` again."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Final, Self

import attrs

from cucm_certflow.clock import Clock
from cucm_certflow.commands import ByHand, Command, Regenerate, Reply, ReplyKind
from cucm_certflow.core.decide import STANDARD, Decision, Tables, decide, resume_records
from cucm_certflow.core.gates import check_waiting
from cucm_certflow.core.leftovers import what_is_left
from cucm_certflow.core.phone_words import pages_not_read
from cucm_certflow.core.plan import Plan, Step
from cucm_certflow.core.registered_anew import RegisteredAnew
from cucm_certflow.core.run_state import (
    CommandMoved,
    Ended,
    Ordered,
    Record,
    RunState,
    apply,
    begin,
)
from cucm_certflow.core.states import Blocked, CommandState
from cucm_certflow.core.view import View
from cucm_certflow.errors import CertflowError, JournalNotWritten, NodeError
from cucm_certflow.event_stream import EventStream
from cucm_certflow.facts import (
    CertificateOf,
    Fact,
    Known,
    Query,
    Registration,
    Registrations,
    ReplyTo,
    Unknown,
    Want,
)
from cucm_certflow.findings import Said
from cucm_certflow.grading import EvidenceCounts, graded, noted
from cucm_certflow.holding import for_a_person, half_way, standing_still, stopped_by, too_slow
from cucm_certflow.inbox import Inbox
from cucm_certflow.journal import Journal
from cucm_certflow.locks import ClusterLock
from cucm_certflow.notes import CertificateNoted, PhonesGraded, ReplyNoted, Stood
from cucm_certflow.observers import (
    Aborted,
    Event,
    Held,
    Observer,
    Outcome,
    Paused,
    Recorded,
    Replied,
    Verified,
    Waiting,
)
from cucm_certflow.opening import Opening
from cucm_certflow.orders import Order, OrderKind
from cucm_certflow.procedures.maintenance import Maintenance
from cucm_certflow.registration_curve import RegistrationCurve
from cucm_certflow.transports.base import Transport

__all__ = ["Run"]

_KEPT_TEXT: Final = 2000
_MAX_READS: Final = 20
"""How often one fact may be read, one time after the other, without anything to show for it."""


class Run:
    """One run of a plan over a transport, from a journal. An async context manager.

    Entering it starts the run; leaving it in peace waits for its end; leaving it by an exception
    stops sending at once, with ``outcome`` Paused, and the journal resumes it. It belongs to one
    event loop. A slow reader of :meth:`events` never holds it up; an observer does, for as long as
    it takes.

    Args:
        journal: Open; it is closed when the run ends.
        transport: The way to the cluster.
        clock: What the run's instants and waits go by.
        waive: Phones taken out of scope now, by name; written to the journal.
        waived_by: Who says so.
        said: What people say now about partner tasks, or about phones that may be left behind;
            written to the journal.
        resume: Whether a person has looked at the held steps, which are then looked at again.
        orders: What a person asks of it from the beginning: to go on, or to abort.
        maintenance: When anything may be changed from now on; as it was if not given.
        lock: Of the cluster on this machine; let go of when the run ends.
        observers: Called with every event, as :data:`~cucm_certflow.observers.Observer` says.

    Raises:
        UsageError: A waived name is not a phone of the plan. Nothing was sent.
        TypeError: An observer cannot be called, or would have to be awaited. Nothing was sent.
    """

    def __init__(
        self,
        journal: Journal,
        transport: Transport,
        clock: Clock,
        *,
        waive: Iterable[str] = (),
        waived_by: str = "",
        said: Iterable[Said] = (),
        resume: bool = False,
        orders: Iterable[Order] = (),
        maintenance: Maintenance | None = None,
        lock: ClusterLock | None = None,
        observers: Iterable[Observer] = (),
        tables: Tables = STANDARD,
    ) -> None:
        self.plan: Final[Plan] = journal.plan
        self.outcome: Outcome | None = None
        self._journal = journal
        self._transport = transport
        self._clock = clock
        self._tables = tables
        self._opening = Opening(
            self.plan, waive=waive, waived_by=waived_by, said=said, maintenance=maintenance
        )
        self._anew = RegisteredAnew(self.plan.policy)
        self._resume = resume
        self._orders = deque(orders)
        self._lock = lock
        self._inbox = Inbox(journal.path)
        self._blocked: tuple[Blocked, ...] = ()
        self._curve = RegistrationCurve(len(self.plan.facts.phones))
        self._evidence = EvidenceCounts()
        self._facts: dict[Query, Fact] = {}
        self._events = EventStream(observers=observers)
        self._moved_s = clock.monotonic()
        self._changed = asyncio.Event()
        self._ours: set[ReplyTo] = set()
        self._task: asyncio.Task[None] | None = None
        self._stopped: NodeError | None = None
        self.state: RunState = begin(self.plan)

    # ── being used ────────────────────────────────────────────────────────────────────────

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._main(), name="certflow run")
        self._events.begin(self._task)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        task = self._task
        assert task is not None
        if error is not None:
            task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            if error is None:
                # Somebody cancelled us while we waited: the run stops too, and they are told.
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
                raise
        finally:
            if self.outcome is None:
                self.outcome = Paused(reason="the caller left")
            self._close()

    def _close(self) -> None:
        """Say in the journal how this process stood it down, and let go of everything."""
        outcome = self.outcome
        reasons = outcome.blocked if isinstance(outcome, Held) else ()
        stood = Stood(at=self._clock.now(), outcome=type(outcome).__name__, reasons=reasons)
        with contextlib.suppress(JournalNotWritten):  # a full disk has been told of already
            self._journal.note(stood)
        self._journal.close()
        self._inbox.close()
        if self._lock is not None:
            self._remember()
            self._lock.release()

    async def pause(self, *, by: str, why: str) -> None:
        """Ask the run to stop at its next safe point; ``outcome`` is then Paused.

        What is half-way is finished first: a certificate's list, and the services that use it. It
        returns at once. Cancelling it leaves the order given, or not.

        Raises:
            ValueError: *by* or *why* is empty.
        """
        self._order(Order(kind=OrderKind.PAUSE, by=by, why=why))

    async def abort(self, *, by: str, why: str) -> None:
        """Ask the run to end for good at its next safe point; ``outcome`` is then Aborted.

        As :meth:`pause`, but the journal is not resumed any more: what is left is named.

        Raises:
            ValueError: *by* or *why* is empty.
        """
        self._order(Order(kind=OrderKind.ABORT, by=by, why=why))

    async def approve(self, item: str, *, by: str, why: str) -> None:
        """Let *item* pass, which a reason that the run waits for names. It returns at once.

        Raises:
            NotWaiting: Nothing of that name waits for an approval now; the report says what does.
            ValueError: *by* or *why* is empty.
        """
        check_waiting(self.plan, self.state, self._blocked, item)
        self._order(Order(kind=OrderKind.APPROVE, item=item, by=by, why=why))

    def _order(self, order: Order) -> None:
        self._orders.append(order)
        self._changed.set()

    def events(self) -> AsyncIterator[Event]:
        """Everything that happens, from the beginning, until the run ends."""
        return self._events.read()

    async def wait(self) -> Outcome:
        """Wait for the end, whoever reads the events; cancelling it leaves the run going."""
        assert self._task is not None
        await asyncio.wait({self._task})
        if not self._task.cancelled():
            self._task.result()
        return self.outcome or Paused(reason="the caller left")

    # ── the loop ──────────────────────────────────────────────────────────────────────────

    async def _main(self) -> None:
        for record in self._journal.records:
            self.state = apply(self.plan, self.state, record)
        now = self._clock.now()
        for record in self._opening.records(now):
            await self._write(record)
        await self._take_orders()
        if self._resume:
            for record in resume_records(self.plan, self.state, now, self._tables):
                await self._write(record)
        self._lose_replies()
        try:
            async with asyncio.TaskGroup() as group:
                beside = [
                    group.create_task(self._watch()),
                    group.create_task(self._look_for_orders()),
                ]
                try:
                    await self._loop(group)
                finally:
                    for task in beside:
                        task.cancel()
        except BaseExceptionGroup as several:
            # A journal that cannot be written is one error, not a group of one.
            ours, others = several.split(CertflowError)
            if others is None and ours is not None and len(ours.exceptions) == 1:
                raise ours.exceptions[0] from several
            raise

    async def _watch(self) -> None:
        """Look at all registrations from beginning to end, whatever else goes on (P1)."""
        while self.plan.classes:
            if self._stopped is None:
                await self._observe(Registrations())
            await self._clock.sleep(self.plan.policy.watch_every_s)

    async def _look_for_orders(self) -> None:
        """Wake the run for orders of other processes, also while nothing else moves."""
        while True:
            await self._clock.sleep(self.plan.policy.poll_every_s)
            if self._inbox.waiting():
                self._changed.set()

    async def _take_orders(self) -> bool:
        """Write down what people ask, each order once; whether there was any."""
        letters = self._inbox.waiting()
        if not letters and not self._orders:
            return False
        taken = {r.order.id for r in self._journal.records if isinstance(r, Ordered)}
        posted = [order for _, order in letters if order is not None and order.id not in taken]
        orders = [*posted, *self._orders]  # what was posted is older
        self._orders.clear()
        for order in orders:
            at = self._clock.now()
            await self._write(Ordered(order=attrs.evolve(order, at=order.at or at), at=at))
        for path, letter in letters:
            if letter is None:
                self._inbox.refuse(path)
            else:
                self._inbox.done(path)
        return bool(orders)

    async def _loop(self, group: asyncio.TaskGroup) -> None:
        woken = False
        reads: Counter[Query] = Counter()
        while True:
            await self._take_orders()
            now = self._clock.now()
            decision = decide(self.plan, self.state, self._facts, now, self._tables)
            if self._stopped is not None and decision.command is not None:
                # In doubt about a node or an account nothing more is sent, and nothing is intended.
                self.outcome = Held(blocked=(stopped_by(self._stopped),))
                return
            is_next = decision.command is not None or decision.finished
            if is_next and (loop := self._anew.loop()) is not None:
                self.outcome = Held(blocked=(loop,))
                return
            if decision.record is not None:
                await self._write(decision.record)
                self._note_certificate(decision)
                if decision.command is not None and decision.step is not None:
                    self._start(group, decision.step, decision.command, decided_at=now)
                woken = False
                reads.clear()
                continue
            if self._stopped is not None:
                self.outcome = Held(blocked=(stopped_by(self._stopped),))
                return
            if decision.stopped:
                self.outcome = await self._stopped_by_order()
                return
            if decision.finished:
                outcome = await self._verified()
                await self._write(Ended(outcome="verified", at=self._clock.now()))
                self.outcome = outcome
                return
            self._blocked = decision.blocked
            stale = self._stale(decision, now, woken=woken)
            woken = False
            if stale:
                reads.update(want.query for want in stale)
                again = max(reads.values())
                if again > _MAX_READS:
                    self.outcome = Held(blocked=(too_slow(stale, self.plan.policy.fresh_s),))
                    return
                if again > 1:
                    # What was just read was not new enough: a node may answer from a listing that
                    # it made a moment ago.
                    await self._clock.sleep(self.plan.policy.poll_every_s)
                await self._read(stale)
                continue
            reads.clear()
            if decision.wake_at is None and not self._busy():
                self.outcome = Held(
                    blocked=(*half_way(self.plan, self.state), *for_a_person(decision.blocked))
                )
                return
            still = standing_still(
                decision.blocked,
                self._clock.monotonic() - self._moved_s,
                self.plan.policy.stands_still_s,
            )
            if still and not self._busy():
                self.outcome = Held(blocked=(*half_way(self.plan, self.state), *still))
                return
            await self._events.tell(
                Waiting(
                    at=now,
                    until=decision.wake_at,
                    blocked=tuple(b for b in decision.blocked if b.retry_at is not None),
                )
            )
            woken = await self._sleep_until(decision.wake_at)

    async def _stopped_by_order(self) -> Paused | Aborted:
        last = next(r.order for r in reversed(self._journal.records) if isinstance(r, Ordered))
        reason = f"by {last.by}: {last.why}"
        if self.state.wish is not OrderKind.ABORT:
            return Paused(reason=f"at a safe point, {reason}")
        await self._write(Ended(outcome="aborted", at=self._clock.now()))
        return Aborted(reason=reason, leftovers=what_is_left(self.plan, self.state))

    def _remember(self) -> None:
        if self._lock is not None:
            records = len(self._journal.records)
            path = str(self._journal.path)
            self._lock.note(self._clock.now(), run=self._journal.run, records=records, journal=path)

    async def _write(self, record: Record) -> None:
        self._journal.append(record)  # synced: from here on it survives a crash
        self.state = apply(self.plan, self.state, record)
        self._moved_s = self._clock.monotonic()
        await self._events.tell(Recorded(at=record.at, record=record))

    def _note_certificate(self, decision: Decision) -> None:
        """Keep the certificate that proved a regeneration whole, for whoever reads it later."""
        record, step = decision.record, decision.step
        if step is None or not isinstance(command := step.command, Regenerate):
            return
        fact = self._facts.get(CertificateOf(command.node, command.unit))
        if isinstance(record, CommandMoved) and record.seen and isinstance(fact, Known):
            seen = CertificateNoted(
                at=record.at, node=command.node, unit=command.unit, certificate=fact.value
            )
            self._journal.note(seen)

    def _lose_replies(self) -> None:
        """A command under way that this process did not send: it can only be looked at."""
        for step, progress in zip(self.plan.steps, self.state.steps, strict=True):
            if progress.state in (CommandState.INTENDED, CommandState.SENT):
                query = ReplyTo(step.id, progress.attempt)
                reply = Reply(ReplyKind.LOST, "it was sent, or not, before the run was resumed")
                self._facts[query] = Known(reply, self._clock.now(), "runner")

    def _start(
        self, group: asyncio.TaskGroup, step: Step, command: Command, *, decided_at: datetime
    ) -> None:
        attempt = self.state.steps[step.index].attempt
        query = ReplyTo(step.id, attempt)
        self._ours.add(query)
        self._remember()
        slept_s = abs((self._clock.now() - decided_at).total_seconds())
        began = self._clock.monotonic()

        async def send() -> None:
            try:
                # A laptop that slept between the decision and here decides on what it sees now.
                if slept_s > self.plan.policy.lease_s:
                    text = f"not sent: it was decided on {slept_s:.0f} s ago"
                    reply = Reply(ReplyKind.WITHHELD, text, sent=False)
                else:
                    self._anew.sent(command, self._clock.now())
                    reply = await self._perform(command)
            except NodeError as error:
                # Refused accounts and strange identities: nothing was sent, and nothing more is.
                reply = Reply(ReplyKind.REFUSED, str(error))
                self._stopped = error
            self._ours.discard(query)
            self._facts[query] = Known(reply, self._clock.now(), "runner")
            at = self._clock.now()
            self._journal.note(
                ReplyNoted(
                    at=at,
                    step=step.id,
                    attempt=attempt,
                    reply=reply.kind.value,
                    text=reply.text[:_KEPT_TEXT],
                    took_s=round(self._clock.monotonic() - began, 3),
                )
            )
            await self._events.tell(
                Replied(at=at, step=step.id, kind=reply.kind.value, text=reply.text)
            )
            self._changed.set()

        group.create_task(send())

    async def _perform(self, command: Command) -> Reply:
        if isinstance(command, ByHand):
            return Reply(ReplyKind.REFUSED, "nothing was sent: a person does this", sent=False)
        return await self._transport.perform(command)

    def _busy(self) -> bool:
        return bool(self._ours)

    def _stale(self, decision: Decision, now: datetime, *, woken: bool) -> tuple[Want, ...]:
        """The wanted facts to read: those not fresh enough, after a wait those waited for too."""
        half = self.plan.policy.poll_every_s / 2

        def is_stale(want: Want) -> bool:
            fact = self._facts.get(want.query)
            if not want.is_met_by(fact, now):
                return True
            assert fact is not None
            waited_for = want.changing or isinstance(fact, Unknown)
            return woken and waited_for and (now - fact.at).total_seconds() > half

        return tuple(want for want in decision.wants if is_stale(want))

    async def _read(self, wants: Iterable[Want]) -> None:
        async with asyncio.TaskGroup() as group:
            for want in wants:
                group.create_task(self._observe(want.query))

    async def _observe(self, query: Query) -> None:
        try:
            fact = await self._transport.observe(query)
        except NodeError as error:
            self._stopped = error
            fact = Unknown(str(error.report.headline), self._clock.now(), "transport")
        self._facts[query] = fact
        if isinstance(query, Registrations) and isinstance(fact, Known):
            table: Mapping[str, Registration] = fact.value
            self._anew.saw(table, fact.at)
            seen, noted = self._curve.saw(table, fact.at, unasked=self._anew.total)
            if noted is not None:
                self._journal.note(noted)
            await self._events.tell(seen)
            await self._tell_evidence()

    async def _tell_evidence(self) -> None:
        counts = self._evidence.saw(View(self.plan, self.state, self._facts, self._clock.now()))
        if counts is not None:
            self._journal.note(PhonesGraded(at=counts.at, by_node=counts.by_node))
            await self._events.tell(counts)

    async def _sleep_until(self, instant: datetime | None) -> bool:
        """Wait for *instant* or for a reply; True if time has passed."""
        self._changed.clear()
        if self._orders:
            return False
        waits: set[asyncio.Task[object]] = {asyncio.ensure_future(self._changed.wait())}
        if instant is not None:
            seconds = max(0.0, (instant - self._clock.now()).total_seconds())
            waits.add(asyncio.ensure_future(self._clock.sleep(seconds)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        return instant is not None and self._clock.now() >= instant

    # ── the end ───────────────────────────────────────────────────────────────────────────

    async def _verified(self) -> Verified:
        """The outcome, with each phone's evidence as it is now."""
        look = View(self.plan, self.state, {}, self._clock.now())
        look.cluster()
        look.get(Registrations())
        await self._read(tuple(look.wants.values()))
        if self.plan.policy.phone_pages:
            seen = View(self.plan, self.state, self._facts, self._clock.now())
            await self._read(pages_not_read(seen))
        view = View(self.plan, self.state, self._facts, self._clock.now())
        outcome = graded(view, unasked=self._anew.total)
        self._journal.note(noted(outcome, view))
        return outcome
