"""The lab cluster behind the library's own seam, without any bytes in between."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final

import attrs

from cucm_certflow.clock import Clock
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
from cucm_certflow.errors import NodeUnreachable, Report
from cucm_certflow.facts import (
    BackupHistory,
    BackupStatus,
    CallManagerGroups,
    CertificateFile,
    CertificateOf,
    ClusterFacts,
    ClusterMember,
    ConfigurationSigner,
    CoreFiles,
    DatabaseCertificates,
    DevicePools,
    Devices,
    DiskUse,
    Fact,
    Interfaces,
    InterfaceState,
    Known,
    ListFile,
    Members,
    Parameter,
    Phones,
    PresentedCertificate,
    Query,
    RegistrationCounts,
    Registrations,
    Replication,
    ReplyTo,
    ServedList,
    ServiceOn,
    ServicesOn,
    ServiceState,
    ServiceStatus,
    TftpCounters,
    TimeSync,
    TrustEntry,
    TrustStores,
    UnitsOn,
    Unknown,
    VersionOf,
    Why,
)
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.memory_faults import (
    ACCOUNTS,
    ANSWER_TIMEOUT_S,
    CONNECT_TIMEOUT_S,
    CONNECTION_BROKE,
    LOOK_TIMEOUT_S,
    NOT_SERVED,
    expired,
    foreign_certificate,
    other_identity,
    why_of,
    words_of,
)
from cucm_certflow.lab.memory_words import CLI, TOMCAT_PORT, asked
from cucm_certflow.lab.observe import cluster_facts, list_view
from cucm_certflow.lab.physics.world import Cert, TrustList
from cucm_certflow.lab.render import Renderer, digest_of_release
from cucm_certflow.lab.scenario_faults import FaultKind, FaultSpec, door_of
from cucm_certflow.names import PORTS, CertUnit, Interface, KeyAlgorithm, ListKind, Service
from cucm_certflow.transports.breaker import Breaker

__all__ = ["MemoryTransport"]


class MemoryTransport:
    """A :class:`~cucm_certflow.transports.base.Transport` over a :class:`LabCluster`.

    Looks and commands take the scenario's time, and its faults strike them. Like a session of the
    platform CLI it knows when a service started only if it watched that restart itself, to the
    end; a second transport over the same cluster does not.

    What a fault makes of a look or a command is what the real transports make of it; where one of
    them raises, it raises the same.

    Args:
        cluster: What it is a way to.
        clock: The cluster's.
        driver: By which what is seen is dated, and by which it waits: the cluster's
            ``driver_clock``, if a scenario's events are to strike it. Not given: *clock*.
    """

    def __init__(self, cluster: LabCluster, clock: Clock, driver: Clock | None = None) -> None:
        self._cluster = cluster
        self._clock = clock
        self._driver = driver or clock
        self._breaker = Breaker()
        self._timing = cluster.scenario.timing
        self._sessions: set[str] = set()
        self._watched: dict[tuple[str, Service], datetime] = {}
        self._renderer = Renderer(cluster.scenario.domain, identities=cluster.identities)

    async def aclose(self) -> None:
        """Let go of the sessions; idempotent."""
        self._sessions.clear()

    def supports(self, what: Query | Command) -> bool:
        """Whether *what* is about a node of the cluster; all but :class:`ReplyTo` can be asked."""
        about_cluster = (
            Registrations,
            Members,
            Parameter,
            Phones,
            CallManagerGroups,
            DevicePools,
            Interfaces,
            Replication,
            BackupHistory,
            BackupStatus,
            Devices,
        )
        if isinstance(what, about_cluster):
            return True
        if isinstance(what, ReplyTo | ByHand):
            return False
        return what.node in self._names()

    # ── looking ───────────────────────────────────────────────────────────────────────────

    async def observe(self, query: Query) -> Fact:
        """Ask; what is seen is as old as the end of the look, and dated with its beginning."""
        at = self._driver.now()
        if not self.supports(query):
            return Unknown("nobody can be asked that here", at, "lab")
        node, texts, by = asked(query, self._cluster.layout.publisher)
        door, marks = door_of(texts[0]), self._marks(node)
        try:
            struck = await self._reach(node, door, by, *texts)
            await self._driver.sleep(self._timing.look_s)
            fault = None if struck else self._cluster.faults.strike(node, *texts)
            self._check_unbroken(node, marks)
            if by == Interface.TLS and self._is_swapped(node, door):
                return Known(foreign_certificate(node, door), at, by)
            if fault is not None:
                return await self._spoilt(fault.kind, Unknown(texts[0], at, by), node)
            return Known(self._seen(query), at, by)
        except _Unseen as error:
            return Unknown(str(error), at, by, error.why)

    async def _spoilt(self, kind: FaultKind, look: Unknown, node: str) -> Fact:
        """What becomes of *look*, whose reason is its words, when a fault strikes it."""
        if kind in NOT_SERVED and look.by == Interface.TFTP_HTTP:
            return Known(None, look.at, look.by)
        if kind is FaultKind.NO_PROMPT:
            await self._driver.sleep(LOOK_TIMEOUT_S.get(look.by, 60.0))
        self._sessions.discard(node)
        reason = f"{look.reason} on {node}: {words_of(kind)}"
        return Unknown(reason, look.at, look.by, why_of(kind, look.by))

    # ── getting there ─────────────────────────────────────────────────────────────────────

    async def _reach(self, node: str, door: int, by: str, *texts: str) -> bool:
        """Come to port *door* of *node*, which a fault may keep; a shell is opened if need be.

        Args:
            node: To whom.
            door: CUCM's number of the port.
            by: Over which interface.
            texts: What is about to be sent, if a fault may strike its connection.

        Returns:
            Whether one has; then nothing else strikes it.

        Raises:
            AuthenticationFailed: The account is refused, or was before.
            IdentityNotTrusted: Somebody else seems to be there.
            _Unseen: There is no connection; nothing was sent.
        """
        faults = self._cluster.faults
        struck = bool(texts) and faults.strikes_on_the_way(node, *texts)
        if struck:
            faults.strike(node, *texts)
            self._sessions.discard(node)
        fault = faults.at_door(node, door)
        kind = None if fault is None or not _concerns(fault.kind, by) else fault.kind
        if by == CLI:
            self._check_node(node)
            if node in self._sessions:
                return struck
        account = ACCOUNTS.get(by)
        if account is not None:
            self._breaker.check(account, self._user(account))
        match kind:
            case FaultKind.TLS_SWAPPED if by == Interface.TLS:
                pass  # it is looked at, and not trusted
            case FaultKind.CONNECTION_REFUSED:
                raise _Unseen(words_of(FaultKind.CONNECTION_REFUSED))
            case FaultKind.HOST_KEY_CHANGED | FaultKind.TLS_SWAPPED:
                raise other_identity(node, door)
            case FaultKind.PASSWORD_EXPIRED if account is not None:
                self._breaker.trip(account, self._user(account), node)
                raise expired(node, account, self._user(account))
            case FaultKind.SLOW_START:
                assert fault is not None  # its kind is known
                patience = CONNECT_TIMEOUT_S.get(by, 10.0)
                await self._driver.sleep(min(fault.late_s, patience))
                if fault.late_s >= patience:
                    raise _Unseen(words_of(FaultKind.SLOW_START))
            case _:
                pass
        if by == CLI:
            await self._open(node)
        return struck

    def _check_node(self, node: str) -> None:
        if not self._cluster.is_node_up(node):
            self._sessions.discard(node)
            message = f"no connection to {node}"
            raise _Unseen(message)

    def _is_swapped(self, node: str, door: int) -> bool:
        fault = self._cluster.faults.at_door(node, door)
        return fault is not None and fault.kind is FaultKind.TLS_SWAPPED

    def _user(self, account: str) -> str:
        accounts = self._cluster.scenario.accounts
        return (accounts.platform if account == "platform" else accounts.application).user

    def _marks(self, node: str) -> tuple[int, int]:
        """What changes when every connection to *node* breaks."""
        return self._cluster.boots(node), self._cluster.driver_clock.naps

    def _check_unbroken(self, node: str, marks: tuple[int, int]) -> None:
        if self._marks(node) != marks:
            self._lose_sessions(marks)
            self._sessions.discard(node)
            raise _Unseen(CONNECTION_BROKE)

    def _lose_sessions(self, marks: tuple[int, int]) -> None:
        """The machine slept: none of its connections is alive, whatever they are to."""
        if self._cluster.driver_clock.naps != marks[1]:
            self._sessions.clear()

    # ── what is seen ──────────────────────────────────────────────────────────────────────

    def _seen(self, query: Query) -> Any:  # noqa: ANN401 - one type per class of query
        match query:
            case CertificateOf(node, unit):
                return self._cluster.identities.certificate(self._certificate(node, unit))
            case ServedList(node, kind):
                served = self._served(node, kind)
                return None if served is None else list_view(served)
            case ServiceOn(node, service):
                return self._service(node, service)
            case PresentedCertificate():
                return self._presented(query)
            case Registrations(names):
                self._check_web()
                table = self._cluster.registrations()
                return {name: table[name] for name in names if name in table} if names else table
            case ServicesOn(node):
                activated = self._cluster.activated(node)
                return {each.value: self._service(node, each) for each in activated}
            case UnitsOn(node):
                return self._cluster.book.units(node)
            case VersionOf():
                return str(self._cluster.scenario.release)
            case Members():
                return tuple(
                    ClusterMember(
                        name=node.name,
                        address=node.address,
                        is_publisher=node.publisher,
                        product=node.product.value,
                        authenticated=self._cluster.health.is_authenticated(node.name),
                        is_database_publisher=node.publisher
                        or node.name in self._cluster.layout.presence_nodes[:1],
                    )
                    for node in self._cluster.scenario.nodes
                )
            case _:
                return self._seen_in_the_book(query)

    def _seen_in_the_book(self, query: Query) -> Any:  # noqa: ANN401 - as _seen
        cluster = self._cluster
        match query:
            case CertificateFile(node, unit):
                return self._renderer.certificate(self._certificate(node, unit)).pem
            case ListFile(node, kind):
                served = self._served(node, kind)
                return None if served is None else self._bytes_of(served)
            case ConfigurationSigner(node, _):
                self._check_tftp(node)
                signs = cluster.world.real(cluster.world.signs(node))
                return cluster.identities.certificate(signs).serial
            case TrustStores(node):
                return tuple(
                    TrustEntry(
                        store=entry.store,
                        name=entry.name,
                        certificate=cluster.identities.trusted_certificate(entry.trusted),
                    )
                    for entry in cluster.book.entries(node)
                )
            case DatabaseCertificates(node):
                known = (cluster.identities.certificate(c) for c in cluster.book.known_to(node))
                strangers = (
                    cluster.identities.trusted_certificate(entry.trusted)
                    for entry in cluster.book.entries(node)
                    if entry.trusted.cert is None
                )
                return frozenset(each.fingerprint for each in (*known, *strangers))
            case TimeSync(node):
                return cluster.health.time_of(node)
            case DiskUse(node):
                return cluster.health.disk_of(node)
            case CoreFiles(node):
                return cluster.health.cores_of(node)
            case Replication():
                return cluster.health.replication()
            case BackupHistory():
                return cluster.health.backups()
            case BackupStatus():
                return cluster.health.activity()
            case _:
                return self._seen_over_the_web(query)

    def _certificate(self, node: str, unit: CertUnit) -> Cert:
        try:
            return self._cluster.certificate(node, unit)
        except ValueError as error:
            raise _Unseen(str(error)) from error

    def _check_tftp(self, node: str) -> None:
        if not self._cluster.is_up(node, Service.TFTP):
            message = f"nobody answers on port 6970 of {node}"
            raise _Unseen(message)

    def _served(self, node: str, kind: ListKind) -> TrustList | None:
        self._check_tftp(node)
        return self._cluster.served(node, kind)

    def _bytes_of(self, served: TrustList) -> bytes:
        addresses = {node.name: node.address for node in self._cluster.scenario.nodes}
        return self._renderer.trust_list(
            served,
            addresses,
            self._cluster.began,
            digest_algorithm=digest_of_release(self._cluster.layout.release),
        )

    def _seen_over_the_web(self, query: Query) -> Any:  # noqa: ANN401 - as _seen
        self._check_web()
        cluster = self._cluster
        match query:
            case Parameter(name):
                value = cluster.scenario.parameter(name)
                if value is None:
                    message = f"the lab has no parameter {name}"
                    raise _Unseen(message)
                return value
            case Devices(kind):
                return cluster.devices(kind)
            case Phones():
                devices = (phone.device for phone in cluster.phones)
                return tuple(sorted(devices, key=lambda device: device.name))
            case CallManagerGroups():
                groups = dict.fromkeys(phone.device.group for phone in cluster.phones)
                return {f"CMG_{number}": group for number, group in enumerate(groups, 1)}
            case DevicePools():
                order = tuple(dict.fromkeys(phone.device.group for phone in cluster.phones))
                return {
                    phone.device.pool: f"CMG_{order.index(phone.device.group) + 1}"
                    for phone in cluster.phones
                }
            case RegistrationCounts(node):
                if not cluster.is_up(node, Service.CALLMANAGER):
                    message = f"{node} runs no Cisco CallManager"
                    raise _Unseen(message)
                table = cluster.registrations().values()
                return {"RegisteredHardwarePhones": sum(each.node == node for each in table)}
            case TftpCounters(node):
                message = f"the lab in memory does not count what {node} serves"
                raise _Unseen(message)
            case Interfaces():
                return tuple(
                    InterfaceState(node, interface, usable=True)
                    for node in self._names()
                    for interface in Interface
                )
            case _:
                raise AssertionError(query)

    def _check_web(self) -> None:
        publisher = self._cluster.layout.publisher
        if not self._cluster.is_web_up(publisher):
            message = f"nobody answers on port 8443 of {publisher}"
            raise _Unseen(message)

    def _presented(self, query: PresentedCertificate) -> str:
        node, port, unit = query.node, query.port, _BEHIND.get(query.port)
        presented = None if unit is None else self._cluster.presented(node, unit)
        if presented is None:
            message = f"nobody answers on port {port} of {node}"
            raise _Unseen(message)
        if query.algorithm is KeyAlgorithm.EC:
            other = None if unit is None else _WITH_EC.get(unit)
            presented = None if other is None else self._cluster.presented(node, other)
            if presented is None:
                message = f"port {port} of {node} shows no certificate with an EC key"
                raise _Unseen(message, Why.UNREADABLE)
        return str(presented)

    def _service(self, node: str, service: Service) -> ServiceState:
        state = self._cluster.service_state(node, service)
        runs = state.status is ServiceStatus.STARTED
        watched = self._watched.get((node, service)) if runs else None
        # As the wires have it: what somebody has stopped for good is not activated there.
        is_here = state.activated and not self._cluster.is_commanded_out(node, service)
        return attrs.evolve(state, started_at=watched, activated=is_here)

    async def discover(self) -> ClusterFacts:
        """Read everything that a plan is made from; ``unknown`` names what does not answer."""
        cluster = self._cluster
        unreached: list[str] = []
        for node in self._names():
            try:
                await self._reach(node, _SSH_DOOR, CLI)
            except _Unseen as error:
                if node == cluster.layout.publisher:
                    raise NodeUnreachable(Report(headline=f"{node}: {error}")) from None
                unreached.append(node)
            await self._driver.sleep(self._timing.look_s)
        at = self._driver.now()
        facts = cluster_facts(
            cluster.layout,
            cluster.kinds,
            cluster.world,
            at=at,
            full=cluster.scenario.release.full,
            addresses={node.name: node.address for node in cluster.scenario.nodes},
            services={
                node: {service: self._service(node, service) for service in cluster.activated(node)}
                for node in self._names()
            },
            phones=[phone.device for phone in cluster.phones],
            registrations=cluster.registrations(),
            certificates={
                node: {
                    unit: cluster.identities.certificate(cluster.certificate(node, unit))
                    for unit in CertUnit
                    if cluster.book.has(node, unit)
                }
                for node in self._names()
            },
        )
        unknown = [f"{node}: no connection" for node in unreached]
        unknown += [
            f"{kind.value} of {node}: nobody answers on port 6970"
            for node in cluster.layout.tftp_nodes
            if not cluster.is_up(node, Service.TFTP)
            for kind in ListKind
        ]
        nodes = tuple(
            attrs.evolve(node, itl=None, ctl=None, certificates={}, services={})
            if node.name in unreached
            else attrs.evolve(node, itl=None, ctl=None)
            if node.runs(Service.TFTP) and not cluster.is_up(node.name, Service.TFTP)
            else node
            for node in facts.nodes
        )
        if cluster.is_web_up(cluster.layout.publisher):
            return attrs.evolve(facts, nodes=nodes, unknown=tuple(unknown))
        unknown.append("phones and registrations: nobody answers on port 8443 of the publisher")
        return attrs.evolve(facts, nodes=nodes, phones=(), registrations={}, unknown=tuple(unknown))

    # ── changing ──────────────────────────────────────────────────────────────────────────

    async def perform(self, command: Command) -> Reply:
        """Send *command*, and wait until it is complete or a fault has struck."""
        if isinstance(command, ByHand):
            return Reply(ReplyKind.REFUSED, "a person does this by hand", sent=False)
        if not self.supports(command):
            return Reply(ReplyKind.REFUSED, f"{command.node} is no node of this cluster")
        if isinstance(command, ResetPhones):
            return await self._reset(command)
        node, text = command.node, str(command)
        try:
            struck = await self._reach(node, door_of(text), CLI, text)
        except _Unseen as error:
            return Reply(ReplyKind.REFUSED, f"not sent: {error}", sent=False)
        marks = self._marks(node)
        fault = None if struck else self._cluster.faults.strike(node, text)
        begin = partial(self._begin, command)
        if fault is not None and (reply := self._before(fault, begin)) is not None:
            self._sessions.discard(node)
            return reply
        try:
            end = begin()
        except ValueError as error:
            return Reply(ReplyKind.REFUSED, str(error))
        if fault is not None and fault.kind in (FaultKind.LOST_REPLY, FaultKind.RESET_DURING):
            # Half-way, so that the effect is yet to come when the caller begins to look.
            await self._driver.sleep((end - self._clock.now()).total_seconds() / 2)
            self._sessions.discard(node)
            return Reply(ReplyKind.LOST, CONNECTION_BROKE)
        await self._sleep_until(end)
        if self._marks(node) != marks:
            self._lose_sessions(marks)
            self._sessions.discard(node)
            return Reply(ReplyKind.LOST, CONNECTION_BROKE)
        if fault is not None:
            return await self._after(fault.kind, command)
        if isinstance(command, RestartService | StartService) and not self._runs(command):
            return Reply(ReplyKind.LOST, f"{command.service.value}[STARTING]")
        if isinstance(command, RestartService):
            self._watch(command)
        return Reply(ReplyKind.ACCEPTED, self._text(command))

    def _runs(self, command: RestartService | StartService) -> bool:
        return self._cluster.is_up(command.node, command.service)

    async def _after(self, kind: FaultKind, command: Command) -> Reply:
        """The reply to *command*, which is done, when a fault strikes its answer."""
        if kind is FaultKind.UNKNOWN_LAYOUT:
            return Reply(ReplyKind.LOST, words_of(kind))
        self._sessions.discard(command.node)
        if kind is FaultKind.NO_PROMPT:
            await self._driver.sleep(ANSWER_TIMEOUT_S)
        text = self._text(command) if kind is FaultKind.TRUNCATED else ""
        return Reply(ReplyKind.LOST, f"{words_of(kind)}\n{text[: len(text) // 2]}".strip())

    def _begin(self, command: Command) -> datetime:
        match command:
            case Regenerate(node, unit):
                return self._cluster.begin_regenerate(node, unit)
            case RestartService(node, service):
                return self._cluster.begin_restart(node, service)
            case UpdateCtl(node):
                return self._cluster.begin_ctl_update(node)
            case ResetLocalkey(node, kind):
                return self._cluster.begin_localkey(node, kind)
            case StopService(node, service):
                return self._cluster.begin_stop(node, service)
            case StartService(node, service):
                return self._cluster.begin_start(node, service)
            case DeleteTrust(node, store, name):
                return self._cluster.begin_delete_trust(node, store, name)
            case ByHand():
                raise AssertionError(command)
            case ResetPhones(_, names):
                for name in names:
                    with contextlib.suppress(ValueError):
                        self._cluster.reset_phone(name)
                return self._cluster.now

    def _before(self, fault: FaultSpec, begin: Callable[[], datetime]) -> Reply | None:
        """The reply of a fault that strikes before the node takes the command."""
        match fault.kind:
            case FaultKind.REFUSED:
                return Reply(ReplyKind.REFUSED, words_of(fault.kind))
            case FaultKind.LOST_COMMAND | FaultKind.RESET_BEFORE:
                return Reply(ReplyKind.LOST, CONNECTION_BROKE)
            case FaultKind.LATE:

                def come() -> None:
                    with contextlib.suppress(ValueError):  # refused, and nobody is there to hear
                        begin()

                self._cluster.later(fault.late_s, come)
                return Reply(ReplyKind.LOST, CONNECTION_BROKE)
            case _:  # the web's: what is not done is answered with a no
                return (
                    None if fault.kind.is_done else Reply(ReplyKind.REFUSED, words_of(fault.kind))
                )

    async def _reset(self, command: ResetPhones) -> Reply:
        """One ``doDeviceReset`` after the other, as long as the publisher's Tomcat answers."""
        cluster, publisher = self._cluster, self._cluster.layout.publisher
        node, words = command.node, str(command)
        try:
            struck = await self._reach(node, TOMCAT_PORT, Interface.AXL, words)
        except _Unseen as error:
            return Reply(ReplyKind.REFUSED, f"not reset: {error}")
        if not cluster.is_web_up(publisher):
            return Reply(ReplyKind.REFUSED, f"no connection to port 8443 of {publisher}")
        fault = None if struck else cluster.faults.strike(node, words)
        if fault is not None:
            reply = self._before(fault, partial(self._begin, command))
            if reply is not None:
                return reply
        names = command.names
        if fault is not None and fault.kind is FaultKind.RESET_DURING:
            names = names[: (len(names) + 1) // 2]
        marks = self._marks(publisher)
        missing: list[str] = []
        for name in names:
            if not cluster.is_web_up(publisher) or self._marks(publisher) != marks:
                self._lose_sessions(marks)
                return Reply(ReplyKind.LOST, CONNECTION_BROKE)
            try:
                cluster.reset_phone(name)
            except ValueError:
                missing.append(name)
            await self._driver.sleep(self._timing.reset_call_s)
        if fault is not None:
            if fault.kind is FaultKind.NO_PROMPT:
                await self._driver.sleep(LOOK_TIMEOUT_S.get(Interface.AXL, 60.0))
            return Reply(ReplyKind.LOST, words_of(fault.kind))
        if missing and len(missing) == len(command.names):
            return Reply(ReplyKind.REFUSED, f"Item not valid: {', '.join(missing[:5])} not found")
        text = "".join(f"; {name} not found" for name in missing[:5])
        return Reply(ReplyKind.ACCEPTED, f"{len(command.names) - len(missing)} times true{text}")

    def _watch(self, command: RestartService) -> None:
        key = (command.node, command.service)
        started_at = self._cluster.service_state(*key).started_at
        if started_at is not None:
            # Seen at that moment, and dated by the driver's clock.
            self._watched[key] = started_at + (self._driver.now() - self._clock.now())

    def _text(self, command: Command) -> str:
        """What the node prints; where domain/cli.md has no capture, the lab's invention."""
        match command:
            case Regenerate(_, unit):
                return (
                    f"Successfully Regenerated Certificate for {unit.value}.\nYou must restart "
                    f"services related to {unit.value} for the regenerated certificates to become "
                    "active."
                )
            case RestartService(_, service):
                states = ("STOPPING", "STARTING", "STARTED")
                return "\n".join(f"{service.value}[{state}]  " for state in states)
            case ResetLocalkey(_, ListKind.ITL):
                nodes = self._cluster.layout.tftp_nodes
                sent = "".join(f"Successfully transferred reset ITL to node {n}\n" for n in nodes)
                count = f"Number of Active TFTP servers in the cluster : {len(nodes)}"
                return f"The reset ITL file was generated successfully\n{sent}{count}"
            case ResetLocalkey():
                return "CTL file Reset."  # no capture is known
            case UpdateCtl():
                return (
                    "Updating CTL file\nCTL file Updated\nPlease Restart the TFTP and Cisco "
                    "CallManager services on all nodes in the cluster that run these services"
                )
            case StopService(_, service):
                return f"{service.value}[STOPPING]\n{service.value}[STOPPED]"
            case StartService(_, service):
                return f"{service.value}[STARTING]\n{service.value}[STARTED]"
            case DeleteTrust():
                return "Command executed successfully"  # no capture is known
            case ResetPhones() | ByHand():
                raise AssertionError(command)

    # ── small things ──────────────────────────────────────────────────────────────────────

    def _names(self) -> tuple[str, ...]:
        return tuple(node.name for node in self._cluster.scenario.nodes)

    async def _open(self, node: str) -> None:
        if node not in self._sessions:
            await self._driver.sleep(self._timing.session_start_s)
            self._check_node(node)
            self._sessions.add(node)

    async def _sleep_until(self, instant: datetime) -> None:
        # More than once, if the clock that sleeps runs ahead of the one that tells the time.
        while (left := (instant - self._clock.now()).total_seconds()) > 0:
            await self._driver.sleep(left)


def _concerns(kind: FaultKind, by: str) -> bool:
    """Whether who comes by interface *by* meets a fault of that kind at the port at all."""
    return not kind.interfaces or by in {each.value for each in kind.interfaces}


_SSH_DOOR: Final = 22
_WITH_EC: Final[Mapping[CertUnit, CertUnit]] = {
    CertUnit.TOMCAT: CertUnit.TOMCAT_ECDSA,
    CertUnit.CALLMANAGER: CertUnit.CALLMANAGER_ECDSA,
}
"""Whose EC certificate a port presents beside the RSA one."""
_BEHIND: Final[Mapping[int, CertUnit]] = {
    port: unit for unit, port in PORTS.items() if unit is not CertUnit.TOMCAT_ECDSA
}
"""Whose certificate a port presents to a client that takes RSA."""


class _Unseen(Exception):
    """There is no answer, and this is why."""

    def __init__(self, reason: str, why: Why = Why.UNREACHABLE) -> None:
        super().__init__(reason)
        self.why = why
