"""One node's platform command line over SSH."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from datetime import datetime
from types import MappingProxyType
from typing import Final

import asyncssh
import attrs

from cucm_certflow.clock import Clock
from cucm_certflow.commands import Command, Reply, ReplyKind, StopService
from cucm_certflow.errors import (
    AuthenticationFailed,
    CertflowError,
    IdentityNotTrusted,
    NodeError,
    NodeFault,
    NodeUnreachable,
    RateLimited,
    Report,
    UnknownLayout,
)
from cucm_certflow.facts import (
    Certificate,
    ClusterMember,
    Fact,
    Query,
    Reach,
    Reached,
    ServiceOn,
    ServicesOn,
    ServiceState,
    ServiceStatus,
    Unknown,
    VersionOf,
)
from cucm_certflow.inventory import Account, NodeEntry
from cucm_certflow.names import Interface, ListKind
from cucm_certflow.transports.base import look
from cucm_certflow.transports.breaker import Breaker
from cucm_certflow.transports.budget import Budgets
from cucm_certflow.transports.vos import parsers, results
from cucm_certflow.transports.vos.asking import ABOUT_CLUSTER, ABOUT_NODE, Questions
from cucm_certflow.transports.vos.dialogue import Dialogue, Finished
from cucm_certflow.transports.vos.orders import (
    ServiceCommand,
    can_be_typed,
    outcome_of,
    passage_of,
    questions_of,
)
from cucm_certflow.transports.vos.results import Outcome
from cucm_certflow.transports.vos.security import (
    FOREIGN,
    SHOWN,
    options_for,
    translate,
    trusted_keys,
)
from cucm_certflow.transports.vos.session import (
    ACCOUNT,
    Client,
    Ear,
    Hearing,
    NotFinished,
    Session,
    Shell,
    ShellHook,
    SshShell,
    Wire,
)

__all__ = ["VosTransport"]

_log = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())

_SSH_PORT: Final = 22
_TERMINAL: Final = ("vt100", (200, 1000))
_PAGER_IS_OFF: Final = "Automatic pagination is turned off"
_LISTING_AGE_S: Final = 0.5
_MAX_UNANSWERED_LOGINS: Final = 2


@attrs.define
class _Listing:
    states: Mapping[str, ServiceState]
    began: datetime
    ended_s: float


class VosTransport:
    """A node's platform command line. It belongs to one event loop.

    One shell is kept and reused, one command at a time. A shell that leaves any doubt is closed,
    and a new one is opened when it is next needed; a command that changes something is never
    sent a second time. The node's host key is always verified, and nothing is taken from the
    user's own SSH configuration, keys or agent.

    Args:
        node: Where it is, and who it must be.
        account: Its platform administrator.
        clock: Gives facts their instants.
        breaker: Shared by all ways to the cluster.
        known_hosts: A file in OpenSSH's format, used if the node has no ``host_key``.
        legacy_crypto: Allow SHA-1 key exchange, MAC and host-key signatures (up to 11.5).
        quiet_s: Real seconds of silence before a prompt is believed; over 0.
        connect_timeout_s: Real seconds until the login is through, and again until the prompt.
        read_timeout_s: Real seconds for a command that only looks.
        change_timeout_s: Real seconds for a command that changes something.
        hook: Wraps or replaces the network's shells, for recordings and for tests.

    Raises:
        InventoryError: The host key or *known_hosts* cannot be read. Nothing was sent.
    """

    def __init__(
        self,
        node: NodeEntry,
        account: Account,
        *,
        clock: Clock,
        breaker: Breaker,
        known_hosts: str | None,
        legacy_crypto: bool = False,
        quiet_s: float = 0.3,
        connect_timeout_s: float = 60.0,
        read_timeout_s: float = 180.0,
        change_timeout_s: float = 900.0,
        hook: ShellHook | None = None,
        budgets: Budgets | None = None,
        node_name: Callable[[str], str] = str,
    ) -> None:
        self._node = node
        self._account = account
        self._clock = clock
        self._breaker = breaker
        self._trusted = trusted_keys(node, known_hosts)
        self._legacy = legacy_crypto
        self._quiet_s = quiet_s
        self._connect_timeout_s = connect_timeout_s
        self._read_timeout_s = read_timeout_s
        self._change_timeout_s = change_timeout_s
        self._hook = hook
        self._budgets = budgets or Budgets(clock)
        self._has_place = False
        self._questions = Questions(self._read, node_name)
        self._lock = asyncio.Lock()
        self._session: Session | None = None
        self._unanswered_logins = 0
        self._closed = False
        self._listing: _Listing | None = None
        self._privilege: int | None = None
        self._starting: set[str] = set()
        self._started_at: dict[str, datetime] = {}

    # ── the seam ──────────────────────────────────────────────────────────────────────────

    def supports(self, what: Query | Command) -> bool:
        """What the node says of itself and of its cluster, and what is done on its CLI."""
        if isinstance(what, ABOUT_CLUSTER):
            return True
        if isinstance(what, Command):
            return can_be_typed(what) and what.node == self._node.name
        if isinstance(what, Reach) and what.interface is not Interface.SSH:
            return False
        kinds = (*ABOUT_NODE, ServiceOn, ServicesOn, Reach)
        return isinstance(what, kinds) and what.node == self._node.name

    async def observe(self, query: Query) -> Fact:
        """Ask the node; see :class:`~cucm_certflow.transports.base.Transport`."""
        if not self.supports(query):
            return Unknown("not asked over SSH", self._clock.now(), self._by)
        match query:
            case ServiceOn(service=service):
                return await self._of_listing(lambda states: _state_of(states, service.value))
            case ServicesOn():
                return await self._of_listing(lambda states: states)
            case Reach():
                return await look(self._clock, self._by, self._reach)
            case _:
                return await look(self._clock, self._by, lambda: self._questions.answer(query))

    async def _reach(self) -> Reached:
        await self.version()  # a shell that answers, and not only a login
        return Reached(privilege=self._privilege)

    async def _of_listing(self, read: Callable[[Mapping[str, ServiceState]], object]) -> Fact:
        """A fact out of the list of services, which several questions may share."""
        began: list[datetime] = []

        async def ask() -> object:
            listing = await self._list_services()
            began.append(listing.began)
            return read(listing.states)

        fact = await look(self._clock, self._by, ask)
        return attrs.evolve(fact, at=began[0]) if began else fact

    async def perform(self, command: Command) -> Reply:
        """Send *command* once; see :class:`~cucm_certflow.transports.base.Transport`."""
        if not self.supports(command):
            text = f"not sent: {self._node.name} does not do {command}"
            return Reply(ReplyKind.REFUSED, text, sent=False)
        async with self._lock:
            try:
                session = await self._shell()
            except (AuthenticationFailed, IdentityNotTrusted):
                raise
            except CertflowError as error:
                text = f"not sent: {error.report.headline}"
                return Reply(ReplyKind.REFUSED, text, sent=False)
            self._listing = None
            watch = _Watch(self._clock)
            if isinstance(command, ServiceCommand):
                self._started_at.pop(command.service.value, None)
                self._starting.discard(command.service.value)
            _log.info("%s: sending %s", self._node.name, command)
            self._budgets.note(Interface.SSH)
            result = await session.run(
                str(command), self._change_timeout_s, questions_of(command), watch.data
            )
            if isinstance(command, ServiceCommand):
                self._watched(command, result, watch)
        return self._reply(command, result)

    async def aclose(self) -> None:
        """Close the shell; idempotent. A command that runs is left in doubt."""
        self._closed = True
        session, self._session = self._session, None
        if session is not None:
            await session.close()
        if self._has_place:
            self._has_place = False
            self._budgets.ssh(self._node.name).release()

    # ── reads for discovery ───────────────────────────────────────────────────────────────

    async def version(self) -> str:
        """The active version, such as ``15.0.1.12900-234``; NodeError if it cannot be had."""
        return str(await self._questions.answer(VersionOf(self._node.name)))

    async def network_cluster(self) -> tuple[ClusterMember, ...]:
        """The nodes of the cluster; NodeError if they cannot be had."""
        return parsers.network_cluster(await self._read("show network cluster"))

    async def services(self) -> Mapping[str, ServiceState]:
        """All services by the name that the node prints; NodeError if they cannot be had."""
        return (await self._list_services()).states

    async def own_certificates(self) -> tuple[str, ...]:
        """The units that have a certificate here; NodeError if they cannot be had."""
        return await self._questions.own_certificates()

    async def certificate(self, unit: str) -> Certificate:
        """The identity certificate of *unit*, from its PEM; NodeError if it cannot be had.

        Raises:
            UsageError: *unit* is none. Nothing was sent.
        """
        return await self._questions.certificate(unit)

    async def trust_file(self, kind: ListKind) -> parsers.TrustFile | None:
        """The node's own view of its list, None for no file; NodeError if it cannot be had."""
        return parsers.trust_file(await self._read(f"show {kind.value.lower()}"), kind)

    async def sql(self, statement: str) -> tuple[Mapping[str, str | None], ...]:
        """Rows of a ``select``, by column; NodeError if they cannot be had.

        Raises:
            UsageError: *statement* is no ``select``, or cannot be typed. Nothing was sent.
        """
        return await self._questions.sql(statement)

    # ── reading ───────────────────────────────────────────────────────────────────────────

    @property
    def _by(self) -> str:
        return f"{Interface.SSH} {self._node.name}"

    async def _list_services(self) -> _Listing:
        asked_s = asyncio.get_running_loop().time()
        async with self._lock:
            listing = self._listing
            if listing is None or asked_s - listing.ended_s > _LISTING_AGE_S:
                listing = self._listing = await self._new_listing()
            return listing

    async def _new_listing(self) -> _Listing:
        began = self._clock.now()
        text = await self._read_locked("utils service list")
        states = {
            name: self._with_start(name, state)
            for name, state in parsers.service_list(text).items()
        }
        return _Listing(MappingProxyType(states), began, asyncio.get_running_loop().time())

    def _with_start(self, name: str, state: ServiceState) -> ServiceState:
        """Add when it was seen to start; a list by itself does not say."""
        if state.status is not ServiceStatus.STARTED:
            self._started_at.pop(name, None)
            if state.status is ServiceStatus.STARTING:
                self._starting.add(name)
            else:
                self._starting.discard(name)
            return state
        if name in self._starting:
            self._starting.discard(name)
            self._started_at[name] = self._clock.now()
        return attrs.evolve(state, started_at=self._started_at.get(name))

    def _watched(
        self, command: ServiceCommand, result: Finished | NotFinished, watch: _Watch
    ) -> None:
        name, passage = command.service.value, passage_of(command, result.text)
        if isinstance(command, StopService):
            return  # when it starts again, somebody else starts it
        if isinstance(result, Finished) and passage.watched and watch.started_at is not None:
            self._started_at[name] = watch.started_at
        elif passage.states[-1:] == (ServiceStatus.STARTING,):
            self._starting.add(name)

    async def _read(self, text: str) -> str:
        async with self._lock:
            return await self._read_locked(text)

    async def _read_locked(self, text: str) -> str:
        reused = self._session is not None and self._session.usable
        session = await self._shell()
        self._budgets.note(Interface.SSH)
        result = await session.run(text, self._read_timeout_s)
        if isinstance(result, NotFinished) and reused and result.lost:
            session = await self._shell()  # it had died in its sleep; looking twice is harmless
            self._budgets.note(Interface.SSH)
            result = await session.run(text, self._read_timeout_s)
        if isinstance(result, NotFinished):
            raise self._error(NodeUnreachable, f"{text!r} has no answer: {result.why}", result.text)
        if result.cut:
            raise self._error(UnknownLayout, f"{text!r} came in a file viewer", result.text)
        failure = results.says_failure(result.text)
        if failure:
            raise self._error(NodeFault, f"{text!r} failed: {failure}", result.text)
        return self._account.password.redact(result.text)  # parsers put it into their errors

    def _error(self, kind: type[NodeError], what: str, saw: str) -> NodeError:
        return kind(
            Report(
                headline=f"{self._node.name}: {what}",
                saw=ascii(self._account.password.redact(saw).strip()[-SHOWN:]),
                left="nothing was changed",
            )
        )

    def _reply(self, command: Command, result: Finished | NotFinished) -> Reply:
        text = self._account.password.redact(result.text)
        if isinstance(result, NotFinished):
            return Reply(ReplyKind.LOST, f"{result.why}\n{text}".strip())
        outcome = Outcome.UNKNOWN if result.cut else outcome_of(command, text)
        kinds = {
            Outcome.DONE: ReplyKind.ACCEPTED,
            Outcome.REFUSED: ReplyKind.REFUSED,
            Outcome.UNKNOWN: ReplyKind.LOST,
        }
        return Reply(kinds[outcome], text)

    # ── connecting ────────────────────────────────────────────────────────────────────────

    async def _shell(self) -> Session:
        """The shell at its prompt, opened if need be. Hold the lock."""
        self._check_open()
        if self._session is not None and self._session.usable:
            return self._session
        self._session = None
        await self._take_place()
        wire = Wire()
        shell = await (self._open(wire) if self._hook is None else self._hook(wire, self._open))
        session = Session(shell, wire, Dialogue(quiet_s=self._quiet_s))
        result = await session.begin(self._connect_timeout_s)
        if isinstance(result, Finished):
            # The pager is dealt with wherever it comes up. What the command needs is another
            # matter: an account that may give it has privilege level 1 (CLI reference 15).
            result = await session.run("set cli pagination off", self._read_timeout_s)
            is_off = isinstance(result, Finished) and _PAGER_IS_OFF in result.text
            self._privilege = 1 if is_off else None
        if isinstance(result, NotFinished):
            raise self._error(NodeUnreachable, f"no prompt: {result.why}", result.text)
        if self._closed:
            session.kill()
        self._check_open()
        self._session = session
        return session

    async def _take_place(self) -> None:
        """Wait for one of the node's places for sessions; it is kept until the transport closes."""
        if self._has_place:
            return
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                await self._budgets.ssh(self._node.name).acquire()
        except TimeoutError:
            raise self._error(
                RateLimited, "every session allowed by the budget is open", ""
            ) from None
        if self._closed:
            self._budgets.ssh(self._node.name).release()
        else:
            self._has_place = True
        self._check_open()

    def _check_open(self) -> None:
        if self._closed:
            raise self._error(NodeUnreachable, "the transport is closed", "")

    async def _open(self, ear: Ear) -> Shell:
        user = self._account.user
        self._breaker.check(ACCOUNT, user)
        async with AsyncExitStack() as stack:
            client = Client(self._account, self._breaker, stack)
            try:
                async with asyncio.timeout(self._connect_timeout_s):
                    connection = await asyncssh.connect(
                        self._node.address,
                        self._node.ssh_port,
                        config=None,
                        options=options_for(
                            client,
                            user,
                            self._trusted,
                            legacy=self._legacy,
                            login_timeout_s=self._connect_timeout_s,
                        ),
                    )
            except FOREIGN as error:
                raise self._not_let_in(error, client) from error
            self._unanswered_logins = 0
            self._breaker.accepted(ACCOUNT, user)
        term_type, term_size = _TERMINAL
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                channel, _ = await connection.create_session(
                    lambda: Hearing(ear),
                    term_type=term_type,
                    term_size=term_size,
                    encoding=None,
                )
        except FOREIGN as error:
            connection.abort()
            raise translate(error, self._node.name, "nothing was sent") from error
        except BaseException:
            connection.abort()
            raise
        return SshShell(connection, channel)

    def _other_key(self, report: Report, key: str) -> Report:
        """*report* about a host key, with *key*, which the node showed, as what to write down."""
        node = self._node
        port = node.ssh_port
        host = node.address if port == _SSH_PORT else f"[{node.address}]:{port}"
        place = f'into the inventory: host_key = "{key}"'
        if node.host_key is None:
            place = f"into known_hosts: {host} {key}"
        fingerprint = asyncssh.import_public_key(key).get_fingerprint()
        return attrs.evolve(
            report,
            saw=f"a key with the fingerprint {fingerprint}",
            next="compare it with what the node itself shows on its console, or with what was "
            f"written down when it was installed; only if they are the same, write {place}",
        )

    def _not_let_in(self, error: BaseException, client: Client) -> NodeError:
        name, user = self._node.name, self._account.user
        if client.refused is not None:
            return client.refused
        ours = translate(error, name, "nothing was sent")
        if isinstance(ours, IdentityNotTrusted) and client.shown_key:
            return IdentityNotTrusted(self._other_key(ours.report, client.shown_key))
        if client.gave_password and not isinstance(ours, AuthenticationFailed):
            # Hung up on without an answer: it may have counted as a failure.
            self._unanswered_logins += 1
        if (
            isinstance(ours, AuthenticationFailed)
            or self._unanswered_logins >= _MAX_UNANSWERED_LOGINS
        ):
            self._breaker.trip(ACCOUNT, user, name)
            return AuthenticationFailed(
                Report(
                    headline=f"{name} refused the {ACCOUNT} account {user!r}",
                    saw=ours.report.saw,
                    left="nothing was done; the account is not tried again on any node",
                    next="correct the inventory; nodes lock an account after three failures",
                )
            )
        return ours


def _state_of(states: Mapping[str, ServiceState], name: str) -> ServiceState:
    state = states.get(name)
    if state is None:
        message = f"{name} is not in the service list"
        raise ValueError(message)
    return state


class _Watch:
    """Looks over a restart's shoulder: when was STARTED first seen after STARTING?"""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen = b""
        self._starting = False
        self.started_at: datetime | None = None

    def data(self, data: bytes) -> None:
        if self.started_at is not None:
            return
        seen = self._seen + data
        self._starting = self._starting or b"[STARTING]" in seen
        if self._starting and b"[STARTED]" in seen[seen.rfind(b"[STARTING]") + 1 :]:
            self.started_at = self._clock.now()
        self._seen = seen[-32:]
