"""What the lab's physics answers to the library's questions, and what is decided by it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import attrs

from cucm_certflow.commands import ByHand, Reply
from cucm_certflow.core.decide import STANDARD, Decision, Tables, decide
from cucm_certflow.core.plan import Plan
from cucm_certflow.core.run_state import (
    RunState,
)
from cucm_certflow.core.states import CommandState
from cucm_certflow.core.view import View
from cucm_certflow.facts import (
    BackupActivity,
    BackupStatus,
    Certificate,
    CertificateOf,
    ClusterFacts,
    ClusterMember,
    ConfigurationSigner,
    DatabaseCertificates,
    Fact,
    Known,
    Members,
    Parameter,
    Phone,
    PresentedCertificate,
    Query,
    Registration,
    Registrations,
    Replication,
    ReplyTo,
    ServedList,
    ServiceOn,
    ServicesOn,
    ServiceState,
    ServiceStatus,
    TrustEntry,
    TrustStores,
)
from cucm_certflow.lab.observe import certificate_of, cluster_facts, list_view, runs_in_lab
from cucm_certflow.lab.physics import actions, stores
from cucm_certflow.lab.physics.judge import Health, Memo, health
from cucm_certflow.lab.physics.world import Layout, PhoneKind, Trusted, World
from cucm_certflow.names import (
    MODE_PARAMETER,
    CertUnit,
    KeyAlgorithm,
    ListKind,
    SecurityMode,
    Service,
)
from cucm_certflow.testing.stories import Limits, Moment, Trouble

__all__ = [
    "AFTER",
    "BEFORE",
    "IN_FLIGHT",
    "NOW",
    "OLDEST",
    "Decided",
    "Key",
    "entries_of",
    "facts_of",
    "file_of",
]

NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
BEFORE: Final = NOW - timedelta(days=365)
AFTER: Final = NOW + timedelta(seconds=1)
OLDEST: Final = 2  # just now, settled, over budget
Key = tuple[Any, ...]
"""What a state is recognised by."""

IN_FLIGHT: Final = frozenset({CommandState.INTENDED, CommandState.SENT, CommandState.IN_DOUBT})


class _PhysicsFacts(Mapping[Query, Fact]):
    """Every fact, fresh, straight from the physics."""

    def __init__(self, explorer: Decided, node: Moment) -> None:
        self._explorer = explorer
        self._node = node

    def __getitem__(self, query: Query) -> Fact:
        if isinstance(query, ReplyTo):
            if self._node.reply is None:
                raise KeyError(query)
            return Known(Reply(self._node.reply), NOW, "explorer")
        return Known(self._explorer.value(self._node, query), NOW, "physics")

    def __iter__(self) -> Iterator[Query]:
        raise TypeError

    def __len__(self) -> int:
        return 1


class Decided:
    """A plan on a physics, and what ``decide`` says in any state of it. It keeps only caches.

    The arguments are those of :class:`~cucm_certflow.testing.explorer.Explorer`.
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
        self._healths: dict[tuple[int, World], Health] = {}
        self._by_hand = [step for step in plan.steps if isinstance(step.command, ByHand)]
        self._decisions: dict[tuple[Any, ...], Decision] = {}
        self._latest: tuple[Moment, Decision] | None = None
        self._runs: dict[RunState, RunState] = {}
        self._run_numbers: dict[int, int] = {}

    def _kept(self, run: RunState) -> RunState:
        """The one instance of *run* that is kept: of dozens of steps, it is hashed here alone."""
        kept = self._runs.setdefault(run, run)
        self._run_numbers.setdefault(id(kept), len(self._run_numbers))
        return kept

    def _number_of(self, run: RunState) -> int:
        number = self._run_numbers.get(id(run))  # what is kept never gives its id to another
        return self._run_numbers[id(self._kept(run))] if number is None else number

    def _key(self, node: Moment) -> Key:
        """What *node* is recognised by."""
        return (self._number_of(node.run), node.world, *node[2:])

    # ── facts ─────────────────────────────────────────────────────────────────────────────

    def value(self, node: Moment, query: Query) -> object:
        """What the physics answers to *query*."""
        world, layout = node.world, self.layout
        match query:
            case CertificateOf(name, unit):
                owner = layout.itlrecovery_of(name) if unit is CertUnit.ITLRECOVERY else name
                return _dated(layout, certificate_of(world.current(unit, owner)))
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
                    NOW if seen else None,
                )
            case PresentedCertificate(name, 8443, algorithm):
                is_ec = algorithm is KeyAlgorithm.EC
                unit = CertUnit.TOMCAT_ECDSA if is_ec else CertUnit.TOMCAT
                return str(world.presents(unit, name))
            case Registrations(names):
                return {
                    kind.name: Registration(
                        kind.name,
                        self.is_registered(node, index),
                        self._registered_with(node, index),
                        AFTER if index in node.fresh else BEFORE,
                    )
                    for index, (kind, phone) in enumerate(
                        zip(self.kinds, world.phones, strict=True)
                    )
                    if not names or kind.name in names
                }
            case Parameter(parameter) if parameter == MODE_PARAMETER:
                return (SecurityMode.MIXED if layout.mixed else SecurityMode.NON_SECURE).value
            case Members():
                return tuple(
                    ClusterMember(name=n.name, address="", is_publisher=n.publisher)
                    for n in layout.nodes
                )
            case ServicesOn(name):
                return {
                    service.value: self.value(node, ServiceOn(name, service))
                    for service in Service
                    if runs_in_lab(layout, service, name)
                }
            case Replication():
                state = 3 if Trouble.REPLICATION_BAD in node.troubles else 2
                return {each.name: state for each in layout.nodes}
            case ConfigurationSigner(name):
                return certificate_of(world.signs(name)).serial
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

    def look(self, node: Moment) -> View:
        """A look at the run in *node*, with every fact fresh."""
        return View(self.plan, self._aged(node.run, node.age), _PhysicsFacts(self, node), NOW)

    def health_of(self, node: Moment, index: int) -> Health:
        """What brings the phone at that place back, by the lab's own judge."""
        key = (index, node.world)
        found = self._healths.get(key)
        if found is None:
            found = health(self.layout, self.kinds, node.world, index, self._memo)
            self._healths[key] = found
        return found

    def decision(self, node: Moment) -> Decision:
        """What the production ``decide`` says in *node*."""
        if self._latest is not None and self._latest[0] is node:
            return self._latest[1]
        world = node.world
        registered = tuple(
            (self.is_registered(node, i), i in node.fresh) for i in range(len(world.phones))
        )
        key = (
            self._number_of(node.run),
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
            found = decide(self.plan, run, _PhysicsFacts(self, node), NOW, self.tables)
            self._decisions[key] = found
        self._latest = (node, found)
        return found

    def _registered_with(self, node: Moment, index: int) -> str:
        """The member of its group that the phone is with, or was with last."""
        group = self.kinds[index].group
        if index in node.away:
            return group[1]
        return next((name for name in group if node.world.up(Service.CALLMANAGER, name)), group[0])

    def is_registered(self, node: Moment, index: int) -> bool:
        """Whether the phone at that place is registered, and not on its way."""
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
            if step.canary and progress.state is CommandState.PROVED and age == OLDEST:
                waited_s = self.plan.policy.canary_within_s
                steps[step.index] = progress._replace(since=NOW - timedelta(seconds=waited_s))
            if progress.state in IN_FLIGHT:
                seconds = (0.0, step.row.settle_s, step.row.within_s)[age]
                steps[step.index] = progress._replace(since=NOW - timedelta(seconds=seconds))
        policy = self.plan.policy
        waited = timedelta(
            seconds=policy.barrier_within_s if age == OLDEST else policy.load_to_register_s
        )
        lives = tuple(
            life._replace(since=NOW - waited) if life.since is not None else life
            for life in run.certificates
        )
        watched = timedelta(seconds=policy.trust_watch_s if age == OLDEST else 0)
        entries = tuple(
            entry._replace(since=NOW - watched) if entry.since is not None else entry
            for entry in run.entries
        )
        return run._replace(steps=tuple(steps), certificates=lives, entries=entries)


def facts_of(
    layout: Layout,
    kinds: tuple[PhoneKind, ...],
    world: World,
    *,
    phones: Sequence[Phone] | None = None,
) -> ClusterFacts:
    """What discovery finds in *world*: every service that the layout activates runs.

    Args:
        layout: The cluster.
        kinds: The phones.
        world: How it is.
        phones: The phones as the database has them; if not given, of one model.
    """
    services = {
        node.name: {
            service: ServiceState(ServiceStatus.STARTED)
            for service in Service
            if runs_in_lab(layout, service, node.name)
        }
        for node in layout.nodes
    }
    facts = cluster_facts(layout, kinds, world, services=services, phones=phones)
    if not layout.expired:
        return facts
    return attrs.evolve(
        facts,
        nodes=tuple(
            attrs.evolve(
                node,
                certificates={
                    unit: _dated(layout, certificate)
                    for unit, certificate in node.certificates.items()
                },
            )
            for node in facts.nodes
        ),
    )


def _dated(layout: Layout, certificate: Certificate) -> Certificate:
    """*certificate*, which is over if the layout says so."""
    over = certificate.fingerprint in {str(cert) for cert in layout.expired}
    return attrs.evolve(certificate, not_after=BEFORE) if over else certificate


def entries_of(layout: Layout, world: World, node: str) -> tuple[TrustEntry, ...]:
    """What the trust stores of *node* have, as a reader would see it; sorted.

    Strangers, of which the physics has no certificate, are left out.
    """
    return tuple(
        sorted(
            (
                TrustEntry(
                    store=trusted.store,
                    name=file_of(trusted),
                    certificate=certificate_of(trusted.cert),
                )
                for trusted in stores.contents(layout, world, node)
                if trusted.cert is not None
            ),
            key=lambda entry: (entry.store, entry.name),
        )
    )


def file_of(trusted: Trusted) -> str:
    """The name of the file by which *trusted* is deleted; of a copy by itself, the lab's own."""
    return trusted.name or f"{trusted.cert}.pem"
