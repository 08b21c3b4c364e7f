"""Explores every story that the production ``decide`` can live through on the lab's physics.

The state is the whole world and the whole run; the moves are what ``decide`` does, a crash or a
lost or late reply at any command, time passing, and phones that are switched off and on, come
unasked, or come to another TFTP node. Databases may lag, phones fail over and fall back, nodes put
deleted certificates back. Time is folded into three ages (just now, settled, over budget), which
is all that the tables ask about.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Final, NamedTuple

import attrs

from cucm_certflow.commands import (
    ByHand,
    Command,
    DeleteTrust,
    Regenerate,
    Reply,
    ReplyKind,
    ResetLocalkey,
    ResetPhones,
    RestartService,
    StartService,
    StopService,
    UpdateCtl,
)
from cucm_certflow.core.decide import STANDARD, Decision, Tables, decide
from cucm_certflow.core.plan import Plan, Step
from cucm_certflow.core.run_state import (
    Acknowledged,
    CertificateMoved,
    CommandMoved,
    CommandProgress,
    EntryMoved,
    Record,
    RunState,
    Waived,
    apply,
    begin,
)
from cucm_certflow.core.states import CertificateState, CommandState
from cucm_certflow.facts import (
    BackupActivity,
    BackupStatus,
    CertificateOf,
    DatabaseCertificates,
    Fact,
    Known,
    PresentedCertificate,
    Query,
    Registration,
    Registrations,
    Replication,
    ReplyTo,
    ServedList,
    ServiceOn,
    ServiceState,
    ServiceStatus,
    TrustEntry,
    TrustStores,
)
from cucm_certflow.lab.observe import certificate_of, list_view, runs_in_lab
from cucm_certflow.lab.physics import actions, stores
from cucm_certflow.lab.physics.judge import Health, Memo, health
from cucm_certflow.lab.physics.world import Layout, PhoneKind, Trusted, World
from cucm_certflow.names import CertUnit, KeyAlgorithm, ListKind, Service
from cucm_certflow.trust.lifeline import Health as LifelineHealth
from cucm_certflow.trust.phone import PhoneClass

__all__ = ["Exploration", "Explorer", "Limits", "Moment", "Trouble", "Violation", "entries_of"]

_NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
_BEFORE: Final = _NOW - timedelta(days=365)
_AFTER: Final = _NOW + timedelta(seconds=1)
_OLDEST: Final = 2  # just now, settled, over budget
_ONCE: Final = 2  # the generation after one regeneration
_IN_FLIGHT: Final = frozenset({CommandState.INTENDED, CommandState.SENT, CommandState.IN_DOUBT})


class Trouble(Enum):
    """What is wrong around the cluster when a story begins, until it ends by itself."""

    REPLICATION_BAD = "database replication is not in state 2"
    BACKUP_RUNS = "a backup runs"


@attrs.frozen(kw_only=True)
class Limits:
    """How unkind the world may be in one story."""

    crashes: int = 1
    lost_replies: int = 1
    phones_come_unasked: bool = True
    phones_move: bool = True
    phones_switch_off: bool = True
    boots_take_time: bool = True
    """A phone loads its lists some time before it registers."""

    phones_reset_on_regeneration: bool = False
    """From 14: phones are reset by the cluster when a certificate in their lists changes."""

    phones_fail_over: bool = False
    """Phones register with the next member of their group, without loading any list, when
    CallManager is restarted; they fall back when they like."""

    databases_lag: frozenset[str] = frozenset()
    """The nodes whose own databases get a new certificate some time later, so that until then
    TVS there does not vouch for it."""

    troubles: frozenset[Trouble] = frozenset()
    """What is wrong at the beginning."""


class Moment(NamedTuple):
    """One state of the exploration."""

    world: World
    run: RunState
    booting: frozenset[int]
    loaded: frozenset[int]
    """Phones that have loaded their lists and not registered yet."""

    fresh: frozenset[int]
    """Phones that registered since the last reset command, or change where no row resets."""

    restarted: frozenset[tuple[str, Service]]
    """Restarts that our own session watched to the end."""

    reply: ReplyKind | None
    pending: Command | None
    """A command that will still arrive, though its reply was given up."""

    age: int
    crashes: int
    lost: int
    away: frozenset[int] = frozenset()
    """Phones that are with the second member of their group, though the first one runs."""

    troubles: frozenset[Trouble] = frozenset()


@attrs.frozen
class Violation:
    """Something that must never happen, with the shortest story that leads to it."""

    what: str
    story: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"{number:>3}. {line}" for number, line in enumerate(self.story, 1)]
        return "\n".join([self.what, *lines])


@attrs.frozen(kw_only=True)
class Exploration:
    """What was found."""

    states: int
    finished: int
    held: int
    violation: Violation | None
    stuck: int
    """States from which neither the end nor a hold can be reached."""

    held_for_good: int
    """Held states that do not finish once the phones return."""

    held_after_waiver: int
    """Held states that do not finish once the missing phones are waived."""


class _PhysicsFacts(Mapping[Query, Fact]):
    """Every fact, fresh, straight from the physics."""

    def __init__(self, explorer: Explorer, node: Moment) -> None:
        self._explorer = explorer
        self._node = node

    def __getitem__(self, query: Query) -> Fact:
        if isinstance(query, ReplyTo):
            if self._node.reply is None:
                raise KeyError(query)
            return Known(Reply(self._node.reply), _NOW, "explorer")
        return Known(self._explorer.value(self._node, query), _NOW, "physics")

    def __iter__(self) -> Iterator[Query]:
        raise TypeError

    def __len__(self) -> int:
        return 1


class Explorer:
    """Steps one plan on one physics. Deterministic; it keeps only caches.

    Args:
        layout: The cluster.
        kinds: The phones.
        plan: What to run; a refused plan is run all the same, to see what would come of it.
        limits: How unkind the world may be.
        tables: The tables to decide by; mutants are given here.
        world: Where to start; the untouched cluster if not given.
    """

    def __init__(
        self,
        layout: Layout,
        kinds: tuple[PhoneKind, ...],
        plan: Plan,
        *,
        limits: Limits | None = None,
        tables: Tables = STANDARD,
        world: World | None = None,
    ) -> None:
        self.layout = layout
        self.kinds = kinds
        self.plan = plan
        self.limits = limits or Limits()
        self.tables = tables
        self.world = actions.initial(layout, kinds) if world is None else world
        self._memo = Memo()
        self._decisions: dict[tuple[Any, ...], Decision] = {}

    # ── facts ─────────────────────────────────────────────────────────────────────────────

    def value(self, node: Moment, query: Query) -> object:
        """What the physics answers to *query*."""
        world, layout = node.world, self.layout
        match query:
            case CertificateOf(name, unit):
                owner = layout.itlrecovery_of(name) if unit is CertUnit.ITLRECOVERY else name
                return certificate_of(world.current(unit, owner))
            case ServedList(name, kind):
                if not world.up(Service.TFTP, name):
                    return None
                served = world.itl_of(name) if kind is ListKind.ITL else world.ctl_of(name)
                return None if served is None else list_view(served)
            case ServiceOn(name, service):
                up = world.up(service, name)
                seen = (name, service) in node.restarted
                return ServiceState(
                    ServiceStatus.STARTED if up else ServiceStatus.STOPPED,
                    runs_in_lab(layout, service, name),
                    _NOW if seen else None,
                )
            case PresentedCertificate(name, 8443, algorithm):
                is_ec = algorithm is KeyAlgorithm.EC
                unit = CertUnit.TOMCAT_ECDSA if is_ec else CertUnit.TOMCAT
                return str(world.presents(unit, name))
            case Registrations(names):
                return {
                    kind.name: Registration(
                        kind.name,
                        self._is_registered(node, index),
                        kind.group[1 if index in node.away else 0],
                        _AFTER if index in node.fresh else _BEFORE,
                    )
                    for index, (kind, phone) in enumerate(
                        zip(self.kinds, world.phones, strict=True)
                    )
                    if not names or kind.name in names
                }
            case Replication():
                state = 3 if Trouble.REPLICATION_BAD in node.troubles else 2
                return {each.name: state for each in layout.nodes}
            case DatabaseCertificates(name):
                return frozenset(
                    str(cert) for cert in world.gen if (name, cert) not in world.unaware
                )
            case BackupStatus():
                runs = Trouble.BACKUP_RUNS in node.troubles
                return BackupActivity.RUNNING if runs else BackupActivity.IDLE
            case TrustStores(name):
                return entries_of(layout, world, name)
            case _:
                raise KeyError(query)

    def decision(self, node: Moment) -> Decision:
        """What the production ``decide`` says in *node*."""
        world = node.world
        registered = tuple(
            (self._is_registered(node, i), i in node.fresh) for i in range(len(world.phones))
        )
        key = (
            node.run,
            world._replace(phones=()),
            registered,
            node.restarted,
            node.reply,
            node.age,
            node.away,
            node.troubles,
        )
        found = self._decisions.get(key)
        if found is None:
            run = self._aged(node.run, node.age)
            found = decide(self.plan, run, _PhysicsFacts(self, node), _NOW, self.tables)
            self._decisions[key] = found
        return found

    def _is_registered(self, node: Moment, index: int) -> bool:
        phone = node.world.phones[index]
        on_its_way = index in node.booting or index in node.loaded
        return phone.on and phone.registered and not on_its_way

    def _aged(self, run: RunState, age: int) -> RunState:
        """The run with its instants put where *age* says."""
        if age == 0:
            return run
        steps = list(run.steps)
        for step in self.plan.steps:
            progress = steps[step.index]
            if progress.state in _IN_FLIGHT:
                seconds = (0.0, step.row.settle_s, step.row.within_s)[age]
                steps[step.index] = progress._replace(since=_NOW - timedelta(seconds=seconds))
        policy = self.plan.policy
        waited = timedelta(
            seconds=policy.barrier_within_s if age == _OLDEST else policy.load_to_register_s
        )
        lives = tuple(
            life._replace(since=_NOW - waited) if life.since is not None else life
            for life in run.certificates
        )
        watched = timedelta(seconds=policy.trust_watch_s if age == _OLDEST else 0)
        entries = tuple(
            entry._replace(since=_NOW - watched) if entry.since is not None else entry
            for entry in run.entries
        )
        return run._replace(steps=tuple(steps), certificates=lives, entries=entries)

    # ── moves ─────────────────────────────────────────────────────────────────────────────

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
            and node.age < _OLDEST
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
        return bool(node.world.returning) and watched and node.age == _OLDEST - 1

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
                    progress = progress._replace(baseline=_BEFORE.isoformat())
                if isinstance(step.command, ResetPhones) or not self._resets(step):
                    fresh = frozenset()  # from here on a registration has to be newer
                if isinstance(step.command, RestartService):
                    restarted = restarted - {(step.command.node, step.command.service)}
            if progress.state is CommandState.PROVED:
                if isinstance(step.command, RestartService):
                    restarted = restarted - {(step.command.node, step.command.service)}
                kept = progress.baseline
                progress = CommandProgress(CommandState.PROVED, 1, _NOW, kept, _NOW)
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
            run=run,
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
                    if (trusted.store, _file_of(trusted)) == (store, file):
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

    # ── the search ────────────────────────────────────────────────────────────────────────

    def wrong_in(self, node: Moment) -> str | None:
        """What is wrong in *node*: a phone without the way back it is owed, or a second key."""
        twice = next((cert for cert in node.world.gen if cert.generation > _ONCE), None)
        if twice is not None:
            return f"{twice.unit} on {twice.node} was regenerated twice"
        for index, kind in enumerate(self.kinds):
            if kind.name in node.run.waived:
                continue
            verdict = health(self.layout, self.kinds, node.world, index, self._memo)
            if verdict is Health.OK:
                continue
            phone = next(p for p, names in self.plan.classes.items() if kind.name in names)
            if verdict.severity > self._tolerated(node.run, phone):
                return f"{kind.name} has no way back but: {verdict.value}"
        return None

    def _tolerated(self, run: RunState, phone: PhoneClass) -> int:
        """What the tables allow after the last step that was proved, and those under way."""
        steps = [step for step in self.plan.steps if run.steps[step.index].attempt]
        proved = [s for s in steps if run.steps[s.index].state is CommandState.PROVED]
        under_way = [s for s in steps if run.steps[s.index].state is not CommandState.PROVED]
        return max(
            (int(self.plan.tolerated(step, phone)[0]) for step in (*proved[-1:], *under_way)),
            default=int(LifelineHealth.OK),
        )

    def explore(self, *, most: int = 1_000_000) -> Exploration:
        """Every reachable state, breadth first; stops at the first violation.

        Args:
            most: States after which it gives up with a RuntimeError.
        """
        start = self.start()
        came: dict[Moment, tuple[Moment, str] | None] = {start: None}
        into: dict[Moment, list[Moment]] = {}
        queue = deque([start])
        finished: list[Moment] = []
        held: list[Moment] = []
        while queue:
            node = queue.popleft()
            wrong = self.wrong_in(node)
            if wrong is not None:
                return Exploration(
                    states=len(came),
                    finished=len(finished),
                    held=len(held),
                    violation=Violation(wrong, _story(came, node)),
                    stuck=0,
                    held_for_good=0,
                    held_after_waiver=0,
                )
            decision = self.decision(node)
            if decision.finished:
                finished.append(node)
                continue
            if decision.record is None and decision.wake_at is None and node.pending is None:
                held.append(node)
            for words, after in self.moves(node):
                into.setdefault(after, []).append(node)
                if after not in came:
                    came[after] = (node, words)
                    queue.append(after)
                    if len(came) > most:
                        message = f"more than {most} states"
                        raise RuntimeError(message)
        ends = _backward([*finished, *held], into)
        return Exploration(
            states=len(came),
            finished=len(finished),
            held=len(held),
            violation=None,
            stuck=len(came) - len(ends),
            held_for_good=sum(not self._finishes(node) for node in held),
            held_after_waiver=sum(not self._finishes_after_waiver(node) for node in held),
        )

    def _finishes(self, node: Moment) -> bool:
        """Whether the run ends once every phone is on, comes home, and nothing else goes wrong."""
        for _ in range(1000):
            decision = self.decision(node)
            if decision.finished:
                return True
            node = self._kindly(node, decision)
        return False

    def _kindly(self, node: Moment, decision: Decision) -> Moment:
        for index, phone in enumerate(node.world.phones):
            if not phone.on:
                on = actions.power(self.layout, self.kinds, node.world, index, on=True)
                fresh = node.fresh | {index}
                return node._replace(world=on, fresh=fresh, booting=node.booting - {index})
            if index in node.loaded:
                return self._registered(node, index)
            if index in node.booting or not phone.registered:
                return self._booted(node, index, self.kinds[index].tftp[0])
        if node.pending is not None:
            return self._performed(node._replace(pending=None), node.pending, watched=False)
        for _, after in self._moves_around(node):
            return after
        if decision.record is not None:
            return next(after for _, after in self._decided(node, decision))
        if node.age < _OLDEST:
            return node._replace(age=node.age + 1)
        # Registered since before the reset: at a barrier, somebody resets it.
        stale = [i for i in range(len(self.kinds)) if i not in node.fresh]
        return self._booted(node, stale[0], self.kinds[stale[0]].tftp[0]) if stale else node

    def _finishes_after_waiver(self, node: Moment) -> bool:
        decision = self.decision(node)
        missing = frozenset(name for blocked in decision.blocked for name in blocked.phones)
        if not missing:
            return False
        waived = Waived(names=missing, at=_NOW)
        return self._finishes(node._replace(run=apply(self.plan, node.run, waived)))


def entries_of(layout: Layout, world: World, node: str) -> tuple[TrustEntry, ...]:
    """What the trust stores of *node* have, as a reader would see it; sorted.

    Strangers, of which the physics has no certificate, are left out.
    """
    return tuple(
        sorted(
            (
                TrustEntry(
                    store=trusted.store,
                    name=_file_of(trusted),
                    certificate=certificate_of(trusted.cert),
                )
                for trusted in stores.contents(layout, world, node)
                if trusted.cert is not None
            ),
            key=lambda entry: (entry.store, entry.name),
        )
    )


def _file_of(trusted: Trusted) -> str:
    return trusted.name or f"{trusted.cert}.pem"


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
        case Acknowledged():
            return f"{record.said.by} says something about {record.said.item}"


def _story(came: Mapping[Moment, tuple[Moment, str] | None], node: Moment) -> tuple[str, ...]:
    words: list[str] = []
    step = came[node]
    while step is not None:
        words.append(step[1])
        step = came[step[0]]
    return tuple(reversed(words))


def _backward(ends: list[Moment], into: Mapping[Moment, list[Moment]]) -> set[Moment]:
    reached = set(ends)
    todo = list(ends)
    while todo:
        for before in into.get(todo.pop(), ()):
            if before not in reached:
                reached.add(before)
                todo.append(before)
    return reached
