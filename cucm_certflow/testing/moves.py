"""Everything that can happen next in an exploration, each with its words."""

from __future__ import annotations

from collections.abc import Iterator

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
from cucm_certflow.core.decide import Decision
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
from cucm_certflow.testing.decided import BEFORE, NOW, OLDEST, Decided, file_of
from cucm_certflow.testing.stories import Moment

__all__ = ["Moves"]


class Moves(Decided):
    """The moves of cluster, phones and run, on top of what is decided."""

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
            crashes=self.limits.crashes,
            lost=self.limits.lost_replies,
            troubles=self.limits.troubles,
        )

    def moves(self, node: Moment) -> Iterator[tuple[str, Moment]]:
        """Everything that can happen next, each with its words."""
        if node.pending is not None:
            done = self._performed(node._replace(pending=None), node.pending, watched=False)
            yield f"late, `{node.pending}` is carried out on {node.pending.node}", done
        decision = self.decision(node)
        sent = any(progress.state is CommandState.SENT for progress in node.run.steps)
        if node.crashes and sent and node.reply is None:
            forgotten = node._replace(
                crashes=node.crashes - 1, restarted=frozenset(), reply=ReplyKind.LOST
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
        yield from self._moves_around(node)
        yield from self.phone_moves(node)

    def _resync_is_due(self, node: Moment) -> bool:
        """Whether the nodes are brought into line before entries were watched long enough.

        Stores are synchronised every 1,800 s (TAC 210541), and watched for longer than that.
        """
        watched = any(entry.since is not None for entry in node.run.entries)
        return bool(node.world.returning) and watched and node.age == OLDEST - 1

    def _moves_around(self, node: Moment) -> Iterator[tuple[str, Moment]]:
        """What the nodes do by themselves, and what ends by itself."""
        if node.world.unaware:
            aware = node.world._replace(unaware=frozenset())
            yield "the databases catch up", node._replace(world=aware)
        if node.world.returning:
            yield "the nodes put back", node._replace(world=stores.resync(node.world))
        for trouble in sorted(node.troubles, key=lambda trouble: trouble.value):
            yield f"no more: {trouble.value}", node._replace(troubles=node.troubles - {trouble})
        for index in sorted(node.away):
            yield f"{self.kinds[index].name} falls back", self._fallen_back(node, index)

    def _fallen_back(self, node: Moment, index: int) -> Moment:
        """It registers anew, without loading any list."""
        fresh = node.fresh | {index} if self._is_registered(node, index) else node.fresh
        return node._replace(away=node.away - {index}, fresh=fresh)

    def phone_moves(self, node: Moment) -> Iterator[tuple[str, Moment]]:
        """What phones can do by themselves."""
        limits = self.limits
        for index, (kind, phone) in enumerate(zip(self.kinds, node.world.phones, strict=True)):
            if index in node.loaded:
                yield f"{kind.name} registers", self._registered(node, index)
            waiting = index in node.booting or (phone.on and not phone.registered)
            if phone.on and (waiting or limits.phones_come_unasked):
                homes = kind.tftp if limits.phones_move else kind.tftp[:1]
                for home in homes:
                    word = "boots" if waiting else "comes unasked"
                    yield f"{kind.name} {word} at {home}", self._booted(node, index, home)
            anew = limits.phones_register_anew and index not in node.fresh
            if anew and self._is_registered(node, index):
                fresh = node._replace(fresh=node.fresh | {index})
                yield f"{kind.name} registers anew, and loads nothing", fresh
            if phone.on and limits.phones_switch_off:
                off = actions.power(self.layout, self.kinds, node.world, index, on=False)
                yield (
                    f"{kind.name} is switched off",
                    node._replace(
                        world=off,
                        booting=node.booting - {index},
                        loaded=node.loaded - {index},
                        fresh=node.fresh - {index},
                        away=node.away - {index},
                    ),
                )
            if not phone.on:
                on = node.world._replace(
                    phones=tuple(
                        p._replace(on=True, registered=False) if i == index else p
                        for i, p in enumerate(node.world.phones)
                    )
                )
                yield (
                    f"{kind.name} is switched on",
                    node._replace(world=on, booting=node.booting | {index}),
                )

    def _booted(self, node: Moment, index: int, home: str) -> Moment:
        world = actions.boot(self.layout, self.kinds, node.world, index, home)
        after = node._replace(
            world=world,
            booting=node.booting - {index},
            loaded=node.loaded | {index},
            fresh=node.fresh - {index},
            away=node.away - {index},
        )
        return after if self.limits.boots_take_time else self._registered(after, index)

    def _registered(self, node: Moment, index: int) -> Moment:
        registered = node.world.phones[index].registered
        return node._replace(
            loaded=node.loaded - {index},
            fresh=node.fresh | {index} if registered else node.fresh - {index},
        )

    def _decided(self, node: Moment, decision: Decision) -> Iterator[tuple[str, Moment]]:
        record, command = decision.record, decision.command
        assert record is not None
        after = self._recorded(node, record)
        words = _words(record)
        if command is None:
            yield words, after
            return
        sent = after._replace(reply=ReplyKind.ACCEPTED)
        yield words, self._performed(sent, command, watched=True)
        lost = after._replace(reply=ReplyKind.LOST)
        if node.crashes:
            crashed = lost._replace(crashes=node.crashes - 1, restarted=frozenset())
            yield f"{words}; we crash before it leaves", crashed
            done = self._performed(crashed, command, watched=False)
            yield f"{words}; we crash before the reply", done
        if node.lost:
            unheard = lost._replace(lost=node.lost - 1)
            done = self._performed(unheard, command, watched=False)
            yield f"{words}; its reply is lost", done
            yield f"{words}; its reply is lost, it is late", unheard._replace(pending=command)

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

    def _performed(self, node: Moment, command: Command, *, watched: bool) -> Moment:
        world, layout, kinds = node.world, self.layout, self.kinds
        match command:
            case Regenerate(name, unit):
                world = actions.regenerate(layout, world, unit, name)
                new = world.current(unit, name)
                unaware = world.unaware | {(lags, new) for lags in self.limits.databases_lag}
                node = node._replace(world=world._replace(unaware=unaware))
                if self.limits.phones_reset_on_regeneration:
                    node = self._called(node, range(len(kinds)))
            case UpdateCtl():
                node = node._replace(world=actions.update_ctl(layout, world))
            case ResetLocalkey(_, kind):
                node = node._replace(world=actions.reset_localkey(layout, world, kind))
            case RestartService(name, service):
                if layout.runs(service, name):  # else it shows nothing that a phone would see
                    world = actions.restart(layout, world, service, name, kinds)
                restarted = node.restarted | {(name, service)} if watched else node.restarted
                node = node._replace(world=world, restarted=restarted)
                if service is Service.CALLMANAGER and self.limits.phones_fail_over:
                    node = self._failed_over(node, name)
            case StopService(name, service):
                node = node._replace(world=actions.stop(layout, world, service, name, kinds))
            case StartService(name, service):
                node = node._replace(world=actions.start(layout, world, service, name, kinds))
            case DeleteTrust(name, store, file):
                for trusted in stores.contents(layout, world, name):
                    if (trusted.store, file_of(trusted)) == (store, file):
                        world = stores.delete_trust(layout, world, trusted)
                node = node._replace(world=world)
            case ResetPhones(_, names):
                node = self._called(node, [i for i, k in enumerate(kinds) if k.name in names])
            case ByHand():
                message = f"the explorer has no `{command}`"
                raise NotImplementedError(message)
        return node

    def _failed_over(self, node: Moment, name: str) -> Moment:
        """Phones that were registered with *name* are so with the other one of their group now."""
        moved = frozenset(
            index
            for index, kind in enumerate(self.kinds)
            if len(kind.group) > 1
            and self._is_registered(node, index)
            and kind.group[1 if index in node.away else 0] == name
        )
        return node._replace(away=node.away ^ moved, fresh=node.fresh | moved)

    def _called(self, node: Moment, indexes: range | list[int]) -> Moment:
        """A reset travels over the registration: it reaches only who is registered."""
        heard = frozenset(i for i in indexes if self._is_registered(node, i))
        return node._replace(booting=node.booting | heard, fresh=node.fresh - heard)


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
