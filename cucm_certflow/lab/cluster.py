"""A scenario brought to life: the physics in time, whoever looks and whoever has gone away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from cucm_certflow.clock import Clock
from cucm_certflow.facts import PhoneSecurity, Registration, ServiceState, ServiceStatus
from cucm_certflow.lab.book import Book, furnished
from cucm_certflow.lab.chronicle import Chronicle, Executed
from cucm_certflow.lab.counters import TftpCounters
from cucm_certflow.lab.driver_clock import DriverClock
from cucm_certflow.lab.faults import Exchange, Faults
from cucm_certflow.lab.happenings import Happened, Happenings
from cucm_certflow.lab.health import Health
from cucm_certflow.lab.held_lists import with_lists
from cucm_certflow.lab.identities import Identities
from cucm_certflow.lab.phones_in_time import PhonesInTime
from cucm_certflow.lab.physics import actions
from cucm_certflow.lab.physics.world import PRESENTED_BY, Cert, Phone, TrustList, World
from cucm_certflow.lab.scenario import LabPhone, Scenario, services_of
from cucm_certflow.lab.services_in_time import START_SHARE, STOP_SHARE, ServicesInTime
from cucm_certflow.lab.stage import Agenda, Stage
from cucm_certflow.names import CertUnit, DeviceClass, ListKind, Service

__all__ = ["Executed", "LabCluster"]

_RESET_LOOP_S: Final = 7 * 60.0
"""CSCup28852: phones reset every seven minutes."""

_RESETS_PHONES: Final = (
    CertUnit.TVS,
    CertUnit.CAPF,
    CertUnit.CALLMANAGER,
    CertUnit.CALLMANAGER_ECDSA,
    CertUnit.ITLRECOVERY,
)
_FIRST_CTL_COMMAND: Final = (10, 0)


class LabCluster:
    """A cluster of *scenario* that lives by *clock*.

    There are no tasks. Every access first lets happen what is due by ``clock.now()``, so that two
    runs with the same scenario and the same calls are the same to the microsecond. A method that
    begins a command returns the instant at which its effect is complete; the effect comes then,
    even if the caller goes away.

    Args:
        scenario: What to bring to life.
        clock: What its time goes by; the story begins at its present instant. ``driver_clock`` is
            the same as seen by the machine that drives, where the scenario's events strike it.
    """

    def __init__(self, scenario: Scenario, clock: Clock) -> None:
        self.scenario: Final = scenario
        self.layout: Final = scenario.layout()
        self.phones: Final[tuple[LabPhone, ...]] = tuple(scenario.each_phone())
        self.kinds: Final = tuple(phone.kind for phone in self.phones)
        self._log: list[Executed] = []
        self._times: Counter[tuple[str, str]] = Counter()
        agenda = Agenda(clock)
        self.driver_clock: Final = DriverClock(clock, agenda.catch_up)
        self.began: Final = agenda.now
        self.identities: Final = Identities(scenario, self.layout, self.began)
        self.health: Final = Health(scenario, self.began)
        world = actions.initial(self.layout, self.kinds, scenario.same(self.layout))
        self._stage = Stage(
            self.layout,
            self.kinds,
            with_lists(furnished(scenario, self.layout, world), self.phones),
            agenda=agenda,
            timing=scenario.timing,
            seed=scenario.seed,
        )
        self._book = Book(scenario, self._stage, self.identities, self.health)
        self._phones = PhonesInTime(self._stage, self.phones)
        self._services = ServicesInTime(
            self._stage, self._phones, {n.name: self.activated(n.name) for n in scenario.nodes}
        )
        self._happenings = Happenings(
            self._stage,
            services=self._services,
            phones=self._phones,
            book=self._book,
            driver=self.driver_clock,
            regenerate=self._regenerate_unlogged,
            update_ctl=partial(self._spread, ListKind.CTL, actions.update_ctl),
        )
        self.faults: Final = Faults(
            scenario.faults,
            scenario.events,
            now=lambda: self.now,
            happen=self._happenings.later,
        )
        self._stage.chronicle.begin(self._stage.world)
        for event in scenario.events:
            if event.at_s is not None:
                self._happenings.later(event, event.at_s)
        if scenario.variant.phones_reset_every_7_minutes:
            self._stage.after(timedelta(seconds=_RESET_LOOP_S), self._reset_loop)

    # ── looking ───────────────────────────────────────────────────────────────────────────

    @property
    def now(self) -> datetime:
        """This instant, of which everything is true that is read next."""
        self._stage.agenda.catch_up()
        return self._stage.now

    @property
    def world(self) -> World:
        """The physics, as of now."""
        self._stage.agenda.catch_up()
        return self._stage.world

    @property
    def log(self) -> tuple[Executed, ...]:
        """Every changing command that was taken until now, in order."""
        self._stage.agenda.catch_up()
        return tuple(self._log)

    @property
    def chronicle(self) -> Chronicle:
        """Each change until now on which a phone's way back may depend, and what it came of."""
        self._stage.agenda.catch_up()
        return self._stage.chronicle

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """Everything that was asked of the cluster until now, looks too, in order."""
        return self.faults.exchanges

    @property
    def happened(self) -> tuple[Happened, ...]:
        """The scenario's events that have happened until now, in order."""
        self._stage.agenda.catch_up()
        return self._happenings.happened

    @property
    def book(self) -> Book:
        """Trust stores, databases, partners, devices and backups, as of now."""
        self._stage.agenda.catch_up()
        return self._book

    def activated(self, node: str) -> tuple[Service, ...]:
        """The services that *node* has: Tomcat first, HAProxy before it from 14 on, then others.

        Others are those that the scenario activates, and those that are there anyway.
        """
        return services_of(self.scenario, self.layout, node)

    def service_state(self, node: str, service: Service) -> ServiceState:
        """The state of *service* on *node*, and when it really started."""
        self._stage.agenda.catch_up()
        return self._services.state(node, service)

    def is_up(self, node: str, service: Service) -> bool:
        """Whether *service* answers on *node*; a service that is about to stop still does."""
        return self.service_state(node, service).status is ServiceStatus.STARTED

    def is_node_up(self, node: str) -> bool:
        """Whether *node* runs at all; one that boots does, with services that are still down."""
        self._stage.agenda.catch_up()
        return self._services.is_node_up(node)

    def boots(self, node: str) -> int:
        """How often *node* has gone down since the beginning: no session outlasts that."""
        self._stage.agenda.catch_up()
        return self._services.boots(node)

    def is_web_up(self, node: str) -> bool:
        """Whether the web interfaces of *node* answer: Tomcat, and HAProxy where it is."""
        web = (s for s in self.activated(node) if s in (Service.TOMCAT, Service.HAPROXY))
        return all(self.is_up(node, service) for service in web)

    def registrations(self) -> Mapping[str, Registration]:
        """All phones by name, also those that have no registration; instants in whole seconds."""
        self._stage.agenda.catch_up()
        return self._phones.registrations()

    def registration(self, name: str) -> Registration:
        """Of one phone, as :meth:`registrations` has it, without looking at the others.

        Raises:
            ValueError: no phone is called that.
        """
        self._stage.agenda.catch_up()
        return self._phones.registration(self._phones.index_of(name))

    def nodes_left(self, name: str) -> Mapping[str, datetime]:
        """The nodes that the phone was registered with and is no longer, and when it left each.

        Raises:
            ValueError: no phone is called that.
        """
        self._stage.agenda.catch_up()
        return self._phones.nodes_left(self._phones.index_of(name))

    def status_message(self, name: str) -> tuple[str, datetime | None]:
        """What the phone called *name* last put down about trust lists, and when; empty if nothing.

        Raises:
            ValueError: there is none.
        """
        self._stage.agenda.catch_up()
        return self._phones.message(self._phones.index_of(name))

    def phone(self, name: str) -> Phone:
        """What the phone called *name* holds: for tests, no node could tell.

        Raises:
            ValueError: there is none.
        """
        index = self._phones.index_of(name)
        self._stage.agenda.catch_up()
        return self._stage.phone(index)

    def certificate(self, node: str, unit: CertUnit) -> Cert:
        """The certificate of *unit* that *node* shows; ITLRecovery may be the publisher's.

        Where several share one it is the one that they share.

        Raises:
            ValueError: the node has no such certificate.
        """
        world = self._scenery()
        if not self._book.has(node, unit):
            message = f"{node} has no {unit.value} certificate"
            raise ValueError(message)
        owner = self.layout.itlrecovery_of(node) if unit is CertUnit.ITLRECOVERY else node
        return world.real(world.current(unit, owner))

    def served(self, node: str, kind: ListKind) -> TrustList | None:
        """The list that *node* serves; None if there is no file, or no TFTP that would serve it."""
        world = self._scenery()
        if not self.is_up(node, Service.TFTP):
            return None
        return world.itl_of(node) if kind is ListKind.ITL else world.ctl_of(node)

    def presented_tomcat(self, node: str) -> Cert | None:
        """The certificate on port 8443 of *node*; None if nobody answers there."""
        return self.presented(node, CertUnit.TOMCAT)

    def presented_on_web(self, node: str) -> tuple[Cert, ...]:
        """The certificates on port 8443 of *node*, of one instant; none if nobody answers there.

        The first is tomcat's, and the second tomcat-ECDSA's, where there is one: the client's
        ciphers and signature algorithms choose.
        """
        if not self.is_web_up(node):
            return ()
        world, units = self._scenery(), PRESENTED_BY[Service.TOMCAT]
        return tuple(
            world.real(world.presents(each, node)) for each in units if self.layout.has(each, node)
        )

    def presented(self, node: str, unit: CertUnit) -> Cert | None:
        """What the process that *unit* belongs to shows on its port of *node*.

        It is what the process started with, regenerated since or not. None if nobody answers, and
        for a unit that no process of the lab shows.
        """
        if unit in PRESENTED_BY[Service.TOMCAT]:
            return next((c for c in self.presented_on_web(node) if c.unit is unit), None)
        service = next((s for s, units in PRESENTED_BY.items() if unit in units), None)
        if service is None or not self.layout.has(unit, node) or not self.is_up(node, service):
            return None
        world = self._scenery()
        return world.real(world.presents(unit, node))

    def is_commanded_out(self, node: str, service: Service) -> bool:
        """Whether *service* is stopped on *node* because somebody commanded it."""
        self._stage.agenda.catch_up()
        return self._services.is_commanded_out(node, service)

    def registered_with(self, node: str) -> Mapping[PhoneSecurity, int]:
        """How many phones of each security mode are registered with *node*.

        It costs the same however many phones there are.
        """
        self._stage.agenda.catch_up()
        return self._phones.registered_with(node)

    def tftp_counters(self, node: str) -> TftpCounters:
        """What Cisco Tftp of *node* has counted since it started; for whoever serves files, too.

        Raises:
            KeyError: Cisco Tftp is not activated there.
        """
        self._stage.agenda.catch_up()
        return self._stage.tftp[node]

    def devices(self, kind: DeviceClass) -> Mapping[str, Registration]:
        """Where the devices of *kind* are registered; phones as :meth:`registrations` has them."""
        if kind is DeviceClass.PHONE:
            return self.registrations()
        return self.book.devices(kind)

    # ── changing ──────────────────────────────────────────────────────────────────────────

    def begin_regenerate(self, node: str, unit: CertUnit) -> datetime:
        """``set cert regen``; returns when the certificate is new.

        Raises:
            ValueError: the node owns no such certificate; nothing is done.
        """
        if not self.layout.has(unit, node):
            message = f"{unit.value} certificate is not in the list of certificates of {node}"
            raise ValueError(message)
        text = f"set cert regen {unit.value}"
        length = self._take(node, text, self._stage.timing.regenerate_s)
        return self._effect(node, length, text, partial(self._regenerated, node, unit))

    def begin_restart(self, node: str, service: Service) -> datetime:
        """``utils service restart``; returns when the service runs again.

        It goes on answering for a moment, as if nothing had happened.

        Raises:
            ValueError: the service is not activated there; nothing is done.
        """
        self._stage.agenda.catch_up()
        self._services.check(node, service)
        whole = self._stage.timing.restart_of(service)
        length = self._take(node, f"utils service restart {service.value}", whole)
        return self._services.restart(node, service, length)

    def begin_stop(self, node: str, service: Service) -> datetime:
        """Stop *service* until somebody starts it; returns when it is stopped.

        It takes the part of a restart in which the service stops.

        Raises:
            ValueError: the service is not activated there, or is stopped already; nothing is done.
        """
        self._stage.agenda.catch_up()
        if self._services.check(node, service) is ServiceStatus.STOPPED:
            message = f"{service.value} is stopped on {node}"
            raise ValueError(message)
        whole = self._stage.timing.restart_of(service)
        length = self._take(node, f"utils service stop {service.value}", whole * STOP_SHARE)
        return self._services.stop(node, service, length)

    def begin_start(self, node: str, service: Service) -> datetime:
        """Start *service* that is stopped; returns when it runs.

        It takes the part of a restart in which the service starts.

        Raises:
            ValueError: the service is not activated there, or runs already; nothing is done.
        """
        self._stage.agenda.catch_up()
        if self._services.check(node, service) is ServiceStatus.STARTED:
            message = f"{service.value} runs on {node}"
            raise ValueError(message)
        whole = self._stage.timing.restart_of(service) * START_SHARE
        length = self._take(node, f"utils service start {service.value}", whole)
        return self._services.start(node, service, length)

    def begin_ctl_update(self, node: str) -> datetime:
        """``utils ctl update CTLFile``; returns when the command is done.

        The new list is that of the certificates of that instant. Each TFTP node serves it after
        its own lag, which is later than what is returned.

        Raises:
            ValueError: it is not the publisher, the cluster has no CTL, or a USB token signs it
                (below 10.0 one always does, and there is no such command); nothing is done.
        """
        self._check_publisher(node)
        self._check_mixed()
        self._check_tokenless()
        text = "utils ctl update CTLFile"
        length = self._take(node, text, self._stage.timing.ctl_update_s)
        spread = partial(self._spread, ListKind.CTL, actions.update_ctl)
        return self._effect(node, length, text, spread)

    def begin_localkey(self, node: str, kind: ListKind) -> datetime:
        """``utils itl|ctl reset localkey``; returns when the command is done, as the CTL update.

        Raises:
            ValueError: it is not the publisher, the release has no such command, or the cluster
                has no such list; nothing is done.
        """
        self._check_publisher(node)
        if kind is ListKind.CTL:
            self._check_mixed()
            self._check_tokenless()
        if not self.layout.has_itlrecovery:
            message = "reset localkey came with release 10.0"
            raise ValueError(message)
        text = f"utils {kind.value.lower()} reset localkey"
        length = self._take(node, text, self._stage.timing.localkey_s)
        change = partial(actions.reset_localkey, kind=kind)
        return self._effect(node, length, text, partial(self._spread, kind, change))

    def begin_delete_trust(self, node: str, store: str, name: str) -> datetime:
        """``set cert delete``; returns when the certificate is gone.

        For some stores it is gone from the whole cluster (D15), and some come back (X2).

        Args:
            node: Where it is typed.
            store: ``tomcat-trust`` …
            name: The file's.

        Raises:
            ValueError: there is no such file in that store; nothing is done.
        """
        entry = self.book.entry(node, store, name)
        text = f"set cert delete {store.removesuffix('-trust')} {name}"
        length = self._take(node, text, self._stage.timing.delete_trust_s)
        return self._effect(node, length, text, partial(self._book.delete, entry))

    def reset_phone(self, name: str) -> datetime:
        """``doDeviceReset`` of one phone; returns when the phone leaves.

        It is taken whether or not anything will come of it: only a registered phone hears it, and
        one in a call leaves when the call ends.

        Raises:
            ValueError: no phone is called that; nothing is done.
        """
        index = self._phones.index_of(name)
        self._take(self.layout.publisher, f"doDeviceReset {name}", 0.0)
        return self._phones.reset(index)

    def power(self, name: str, *, on: bool) -> datetime:
        """Somebody switches a phone; returns when it is off, or has booted.

        Raises:
            ValueError: no phone is called that.
        """
        index = self._phones.index_of(name)
        self._stage.agenda.catch_up()
        return self._phones.power(index, on=on)

    # ── what people do by hand ────────────────────────────────────────────────────────────

    def sign_ctl_by_token(self) -> None:
        """Somebody plugs in a USB token and runs the CTL client: the nodes serve the new CTL.

        Each TFTP node does so after its own lag.

        Raises:
            ValueError: no token signs this cluster's CTL.
        """
        self._stage.agenda.catch_up()
        actions.sign_ctl_by_token(self.layout, self._stage.scenery)  # refuses, or is thrown away
        self._spread(ListKind.CTL, actions.sign_ctl_by_token)

    def update_partner(self, name: str) -> None:
        """Somebody gives the partner called *name* the certificates of now.

        Raises:
            ValueError: no partner is called that.
        """
        self.book.update_partner(name)

    def issue_lsc(self, name: str) -> None:
        """CAPF issues a new LSC to the phone called *name*, which is registered.

        Raises:
            ValueError: no phone is called that, it is not registered, or CAPF does not run.
        """
        index = self._phones.index_of(name)
        self._stage.agenda.catch_up()
        alone = self._stage.scenery._replace(phones=(self._stage.phone(index),))
        (phone,) = actions.issue_lsc(self.layout, alone, 0).phones
        self._stage.put(index, phone)

    def later(self, seconds: float, action: Callable[[], object]) -> None:
        """Let *action* happen *seconds* from now, for example a command that comes late."""
        self._stage.agenda.catch_up()
        self._stage.after(timedelta(seconds=seconds), action)

    # ── what happens then ─────────────────────────────────────────────────────────────────

    def _take(self, node: str, text: str, seconds: float) -> timedelta:
        """Log a command that begins now; returns how long it takes."""
        self._stage.agenda.catch_up()
        executed = self._stage.agenda.cause = Executed(self._stage.now, node, text)
        self._log.append(executed)
        if not seconds:
            return timedelta(0)
        self._times[node, text] += 1
        return self._stage.about(f"{node} {text} {self._times[node, text]}", seconds)

    def _effect(
        self, node: str, length: timedelta, text: str, action: Callable[[], object]
    ) -> datetime:
        """Let a command be complete *length* from now; if *node* goes down first, chance decides.

        What a node does that reboots within a command is the lab's invention.
        """
        boots, number = self._services.boots(node), self._times[node, text]

        def complete() -> None:
            name = f"{node} {text} {number} cut off"
            is_cut = self._services.boots(node) != boots
            if not is_cut or self._stage.draw(name, (0.0, 2.0)) > timedelta(seconds=1):
                action()

        return self._stage.after(length, complete)

    def _regenerate_unlogged(self, node: str, unit: CertUnit) -> None:
        """Somebody does it in the web interface, where no log of ours sees it."""
        length = timedelta(seconds=self._stage.timing.regenerate_s)
        self._stage.after(length, partial(self._regenerated, node, unit))

    def _scenery(self) -> World:
        """The world as of now, without its phones."""
        self._stage.agenda.catch_up()
        return self._stage.scenery

    def _regenerated(self, node: str, unit: CertUnit) -> None:
        stage, before = self._stage, self._stage.scenery
        stage.scenery = after = actions.regenerate(self.layout, before, unit, node)
        self._book.regenerated(before, after)
        if unit is CertUnit.TVS and self.layout.variant.tvs_restarts_itself:
            self._services.renewed(node, Service.TVS)
        if unit is CertUnit.CAPF and after.presented != before.presented:
            self._services.renewed(node, Service.CAPF)  # 14: it restarts by itself
        by_itself = self.scenario.variant.phones_reset_by_themselves
        if by_itself and self.layout.release >= (14, 0) and unit in _RESETS_PHONES:
            self._phones.reset_all()

    def _reset_loop(self) -> None:
        """CSCup28852: while anything that is shown is of several nodes, phones reset and reset."""
        world = self._stage.scenery
        if {real for _, real in world.same} & world.reals(world.presented):
            self._phones.reset_all()
        self._stage.after(timedelta(seconds=_RESET_LOOP_S), self._reset_loop)

    def _spread(self, kind: ListKind, change: Callable[..., World]) -> None:
        """The command is done: each TFTP node takes its list from it after its own lag."""
        done = change(self.layout, self._stage.scenery)
        for node in self.layout.tftp_nodes:
            served = done.itl_of(node) if kind is ListKind.ITL else done.ctl_of(node)
            lag = timedelta(seconds=self._stage.timing.lag_of(node))
            self._stage.after(lag, partial(self._serve, node, kind, served))

    def _serve(self, node: str, kind: ListKind, served: TrustList | None) -> None:
        world = self._stage.scenery
        if kind is ListKind.CTL:
            if self._happenings.keeps_ctl(node):
                return
            ctl = tuple((name, served if name == node else old) for name, old in world.ctl)
            self._stage.scenery = world._replace(ctl=ctl)
        elif served is not None:
            itl = tuple((name, served if name == node else old) for name, old in world.itl)
            self._stage.scenery = world._replace(itl=itl)

    def _check_publisher(self, node: str) -> None:
        if node != self.layout.publisher:
            message = f"{node} is not the publisher"
            raise ValueError(message)

    def _check_tokenless(self) -> None:
        if self.layout.signs_by_token:
            message = "the CTL is signed by a USB token: no command renews it"
            if self.layout.release < _FIRST_CTL_COMMAND:
                message = "utils ctl came with release 10.0"
            raise ValueError(message)

    def _check_mixed(self) -> None:
        if not self.layout.mixed:
            message = "a non-secure cluster has no CTL"
            raise ValueError(message)
