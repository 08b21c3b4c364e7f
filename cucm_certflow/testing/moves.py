"""What the run does next in an exploration, and what becomes of each command; with its words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cucm_certflow.commands import (
    ByHand,
    Command,
    DeleteTrust,
    Regenerate,
    ReplyKind,
    ResetLocalkey,
    ResetPhones,
    RestartService,
    StartService,
    StopService,
    UpdateCtl,
)
from cucm_certflow.core.decide import Decision, resume_records
from cucm_certflow.core.plan import Step
from cucm_certflow.core.run_state import (
    Acknowledged,
    CertificateMoved,
    CommandMoved,
    CommandProgress,
    Ended,
    EntryMoved,
    Ordered,
    Record,
    Scheduled,
    Waived,
    apply,
    begin,
)
from cucm_certflow.core.states import CertificateState, CommandState
from cucm_certflow.lab.physics import actions, stores
from cucm_certflow.names import Service
from cucm_certflow.orders import Order, OrderKind
from cucm_certflow.testing.decided import BEFORE, NOW, OLDEST, file_of
from cucm_certflow.testing.environment import Environment
from cucm_certflow.testing.stories import Mishap, Moment

__all__ = ["Moves"]

_RESUMED: Final = frozenset({Mishap.REFUSAL, Mishap.FAILED_RESTART})
"""After these a person looks at what is held, and resumes."""


class Moves(Environment):
    """The moves of the run and of the people who drive it, on top of what happens by itself."""

    def start(self) -> Moment:
        """The first state: everything consistent, nothing done."""
        return Moment(
            world=self.world,
            run=begin(self.plan),
            booting=frozenset(),
            loaded=frozenset(),
            fresh=frozenset(),
            restarted=frozenset(),
            reply=None,
            pending=None,
            age=0,
            faults=self.limits.faults,
            troubles=self.limits.troubles,
        )

    def moves(self, node: Moment) -> Iterator[tuple[str, Moment]]:
        """Everything that can happen next, each with its words."""
        if node.pending is not None:
            done = self._performed(node._replace(pending=None), node.pending, watched=False)
            yield f"late, `{node.pending}` is carried out on {node.pending.node}", done
        decision = self.decision(node)
        sent = any(progress.state is CommandState.SENT for progress in node.run.steps)
        if sent and node.reply is None and self._strikes(node, Mishap.CRASH):
            forgotten = node._replace(
                faults=node.faults - 1, restarted=frozenset(), reply=ReplyKind.LOST
            )
            yield "we crash, and forget what we watched", forgotten
        if decision.record is not None:
            yield from self._decided(node, decision)
        elif (
            not decision.finished
            and decision.wake_at is not None
            and node.pending is None
            and not node.loaded
            and node.age < OLDEST
            and not self._resync_is_due(node)
        ):
            yield ("time passes", node._replace(age=node.age + 1))
        yield from self._people_moves(node)
        yield from self._moves_around(node)
        yield from self._outside_moves(node)
        yield from self.phone_moves(node)

    def _decided(self, node: Moment, decision: Decision) -> Iterator[tuple[str, Moment]]:
        record, command = decision.record, decision.command
        assert record is not None
        after = self._recorded(node, record)
        words = _words(record)
        if command is None:
            yield words, after
            return
        by_hand = isinstance(command, ByHand)
        answered = ReplyKind.REFUSED if by_hand else ReplyKind.ACCEPTED
        yield words, self._performed(after._replace(reply=answered), command, watched=True)
        if node.faults:
            yield from self._struck(node, after, command, words)

    def _struck(
        self, node: Moment, after: Moment, command: Command, words: str
    ) -> Iterator[tuple[str, Moment]]:
        """What mishaps make of *command*, whose intent is written."""
        lost = after._replace(reply=ReplyKind.LOST, faults=node.faults - 1)
        leaves = not isinstance(command, ByHand)  # a person's step is never sent
        if self._strikes(node, Mishap.CRASH):
            crashed = lost._replace(restarted=frozenset())
            yield f"{words}; we crash before it leaves", crashed
            if leaves:
                done = self._performed(crashed, command, watched=False)
                yield f"{words}; we crash before the reply", done
                yield f"{words}; we crash, it is late", crashed._replace(pending=command)
        if leaves and self._strikes(node, Mishap.LOST_REPLY):
            done = self._performed(lost, command, watched=False)
            yield f"{words}; its reply is lost", done
            yield f"{words}; its reply is lost, it is late", lost._replace(pending=command)
        if leaves and self._strikes(node, Mishap.REFUSAL):
            refused = lost._replace(reply=ReplyKind.REFUSED)
            yield f"`{command}` is refused by {command.node}", refused
        if isinstance(command, RestartService | StartService) and (
            self._strikes(node, Mishap.FAILED_RESTART)
        ):
            failed = self._down(lost, command.node, command.service)
            yield f"{words}; the service does not come up", failed

    # ── people of the run ─────────────────────────────────────────────────────────────────

    def _people_moves(self, node: Moment) -> Iterator[tuple[str, Moment]]:
        """What the people do who drive the run: the step by hand, and to resume."""
        if node.pending is not None:
            return
        if self._waits_for_a_hand(node):
            world = actions.sign_ctl_by_token(self.layout, node.world)
            if world != node.world:
                yield "a person has the USB token sign the CTL", node._replace(world=world)
        if (resumed := self._resumed(node)) is not None:
            yield "a person resumes", resumed
        for blocked in self.decision(node).blocked:
            for item in blocked.items:
                yield f"a person approves {item}", self._approved(node, item)

    def _approved(self, node: Moment, item: str) -> Moment:
        order = Order(kind=OrderKind.APPROVE, by="a person", why="they know of it", item=item)
        return self._recorded(node, Ordered(order=order, at=NOW))

    def _waits_for_a_hand(self, node: Moment) -> bool:
        return any(
            isinstance(step.command, ByHand)
            and node.run.steps[step.index].state not in (CommandState.PLANNED, CommandState.PROVED)
            for step in self._by_hand
        )

    def _resumed(self, node: Moment) -> Moment | None:
        """What a person makes of a held run by resuming it; None if nobody would."""
        if not any(progress.state is CommandState.HELD for progress in node.run.steps):
            return None
        if not (self.limits.mishaps & _RESUMED or self._waits_for_a_hand(node)):
            return None
        records = resume_records(self.plan, node.run, NOW, self.tables)
        for record in records:
            node = self._recorded(node, record)
        return node if records else None

    def _recorded(self, node: Moment, record: Record) -> Moment:
        """*node* after *record*, in canonical form: only what can matter later is kept."""
        run = apply(self.plan, node.run, record)
        fresh, restarted = node.fresh, node.restarted
        if isinstance(record, CommandMoved):
            step = self.plan.steps[self.plan.index_of[record.step]]
            progress = run.steps[step.index]
            if record.edge == "intend":
                if isinstance(step.command, ResetPhones):
                    progress = progress._replace(baseline=BEFORE.isoformat())
                if isinstance(step.command, ResetPhones):
                    called = step.command.names
                    fresh = frozenset(i for i in fresh if self.kinds[i].name not in called)
                elif not self._resets(step):
                    fresh = frozenset()  # from here on a registration has to be newer
                if isinstance(step.command, RestartService):
                    restarted = restarted - {(step.command.node, step.command.service)}
            if progress.state is CommandState.PROVED:
                if isinstance(step.command, RestartService):
                    restarted = restarted - {(step.command.node, step.command.service)}
                kept = progress.baseline
                progress = CommandProgress(CommandState.PROVED, 1, NOW, kept, NOW, progress.seen)
            steps = (*run.steps[: step.index], progress, *run.steps[step.index + 1 :])
            run = run._replace(steps=steps)
        if isinstance(record, CertificateMoved) and record.to is CertificateState.VERIFIED:
            window = self.plan.window_of[record.certificate]
            if all(
                life.state is CertificateState.VERIFIED
                for key, life in zip(self.plan.certificates, run.certificates, strict=True)
                if self.plan.window_of[key] == window
            ):
                fresh = frozenset()
        # A reply is of use until it is written down; afterwards only that it was forgotten is.
        states = {progress.state for progress in run.steps}
        busy = CommandState.INTENDED in states or (
            CommandState.SENT in states and node.reply is ReplyKind.LOST
        )
        return node._replace(
            run=self._kept(run),
            fresh=fresh,
            restarted=restarted,
            reply=node.reply if busy else None,
            age=0,
        )

    def _resets(self, step: Step) -> bool:
        """Whether a row resets the phones of the step's wave; else every change counts."""
        return any(
            isinstance(other.command, ResetPhones)
            for other in self.plan.steps
            if (other.window, other.row.wave) == (step.window, step.row.wave)
        )

    def performed(self, node: Moment, command: Command) -> Moment:
        """*node* once *command* has been done."""
        return self._performed(node, command, watched=True)

    def _performed(self, node: Moment, command: Command, *, watched: bool) -> Moment:
        world, layout, kinds = node.world, self.layout, self.kinds
        match command:
            case Regenerate(name, unit):
                node = node._replace(world=self._regenerated(world, unit, name))
                if self.limits.phones_reset_on_regeneration:
                    node = self._called(node, range(len(kinds)))
            case UpdateCtl():
                node = node._replace(world=actions.update_ctl(layout, world))
            case ResetLocalkey(_, kind):
                node = node._replace(world=actions.reset_localkey(layout, world, kind))
            case RestartService(name, service):
                node = self._up(node, name, service)
                if watched:
                    node = node._replace(restarted=node.restarted | {(name, service)})
                if service is Service.CALLMANAGER and self.limits.phones_fail_over:
                    node = self._failed_over(node, name)
            case StopService(name, service):
                node = node._replace(world=actions.stop(layout, world, service, name, kinds))
            case StartService(name, service):
                node = self._up(node, name, service) if not world.up(service, name) else node
            case DeleteTrust(name, store, file):
                for trusted in stores.contents(layout, world, name):
                    if (trusted.store, file_of(trusted)) == (store, file):
                        world = stores.delete_trust(layout, world, trusted)
                node = node._replace(world=world)
            case ResetPhones(_, names):
                node = self._called(node, [i for i, k in enumerate(kinds) if k.name in names])
            case ByHand():  # a person does it, in their own time
                pass
        return node


def _words(record: Record) -> str:
    match record:
        case CommandMoved():
            what = f" `{record.detail}`" if record.edge == "intend" else ""
            return f"{record.step} is {record.to.value}{what}"
        case CertificateMoved():
            return f"{record.certificate} is {record.to.value}"
        case EntryMoved():
            return f"{record.entry} is {record.to.value}"
        case Waived():
            return f"{len(record.names)} phones are waived"
        case Ordered():
            return str(record.order)
        case Scheduled():
            return f"{record.by} says when anything may be changed"
        case Ended():
            return f"the run is over: {record.outcome}"
        case Acknowledged():
            return f"{record.said.by} says something about {record.said.item}"
