"""The services of every node, and since when: Control Center behind the seam; driving them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

import attrs

from cucm_certflow.commands import (
    Command,
    Reply,
    ReplyKind,
    RestartService,
    StartService,
    StopService,
)
from cucm_certflow.errors import (
    AuthenticationFailed,
    CertflowError,
    IdentityNotTrusted,
    NodeError,
    NodeFault,
    NodeUnreachable,
    NotServed,
    Report,
    RoleMissing,
    UnknownLayout,
)
from cucm_certflow.facts import (
    Fact,
    Known,
    Query,
    ServiceOn,
    ServicesOn,
    ServiceState,
    ServiceStatus,
    Unknown,
)
from cucm_certflow.names import Interface, Service
from cucm_certflow.transports.access import Access
from cucm_certflow.transports.base import short, unknown_because
from cucm_certflow.transports.controlcenter_answers import (
    ControlResult,
    Restrict,
    ServiceStatusRecord,
)
from cucm_certflow.transports.controlcenter_client import ControlAction, ControlCenterClient
from cucm_certflow.transports.http import NotSent
from cucm_certflow.transports.reason_codes import (
    COMMANDED_OUT_OF_SERVICE,
    NOT_ACTIVATED,
    Verdict,
    reason_words,
    verdict,
)
from cucm_certflow.transports.soap import SoapFault

__all__ = ["NOT_BY_SOAP", "SERVICE_SPELLINGS", "ControlCenterClient", "ControlCenterTransport"]

_LISTING_AGE_S: Final = 0.5
_UP_TIME_STEP_S: Final = 1

_Driving = RestartService | StartService | StopService

NOT_BY_SOAP: Final = frozenset(
    {Service.TOMCAT.value, Service.HAPROXY.value, "Cisco DB", "A Cisco DB", "A Cisco DB Replicator"}
)
"""Driven on the command line only: Managed Services Guide 12.5, Cisco 217743, 217748, 225746.

HAProxy is named there with the command line alone; that Control Center cannot do it is assumed.
"""

SERVICE_SPELLINGS: Final[Mapping[str, str]] = MappingProxyType(
    {"Cisco Certificate Change Notification Service": "Cisco Certificate Change Notification"}
)
"""AXL's spelling of a service, and the one that ``utils service list`` prints."""

_STATUSES: Final = {
    "Started": ServiceStatus.STARTED,
    "Starting": ServiceStatus.STARTING,
    "Stopped": ServiceStatus.STOPPED,
    "Stopping": ServiceStatus.STOPPING,
}
# As the command line's reader has it: a publisher's service on a subscriber is stopped for good.
_NOT_HERE: Final = frozenset({NOT_ACTIVATED, COMMANDED_OUT_OF_SERVICE})


@attrs.frozen
class _Listing:
    records: Mapping[str, ServiceStatusRecord]
    began: datetime
    ended_s: float


@attrs.define
class _OneNode:
    """What is kept about a node."""

    client: ControlCenterClient
    lock: asyncio.Lock = attrs.field(factory=asyncio.Lock)
    listing: _Listing | None = None
    restrictions: Mapping[str, Restrict | None] | None = None
    """None until the node has said."""
    without_restrictions: str = ""
    """Why it could not say."""


class ControlCenterTransport:
    """The services of all nodes: Control Center behind the seam.

    When a service started is worked out from UpTime: the beginning of the look, minus UpTime, minus
    the second to which UpTime is cut. It is never later than it really was. StartTime is not used:
    its text has no zone, and the node's clock may be off.

    Args:
        access: What the clients of the cluster share.
    """

    interface: Final = Interface.CONTROL_CENTER

    def __init__(self, access: Access) -> None:
        self._access = access
        self._clock = access.clock
        self._names = frozenset(node.name for node in access.inventory.nodes)
        self._nodes: dict[str, _OneNode] = {}

    def supports(self, what: Query | Command) -> bool:
        """Whether Control Center can answer or do *what*; it sends nothing."""
        match what:
            case ServiceOn(node=node) | ServicesOn(node=node):
                return node in self._names
            case (
                RestartService(node=node, service=service)
                | StartService(node=node, service=service)
                | StopService(node=node, service=service)
            ):
                return node in self._names and service.value not in NOT_BY_SOAP
            case _:
                return False

    async def observe(self, query: Query) -> Fact:
        """Ask; see :class:`~cucm_certflow.transports.base.Transport`.

        One listing serves what is asked within half a second, as the services of a node are asked
        for one by one.
        """
        match query:
            case ServiceOn(node, service) if self.supports(query):
                return await self._look(node, lambda listing: _one(listing, service.value))
            case ServicesOn(node) if self.supports(query):
                return await self._look(node, _all)
            case _:
                reason = f"{self.interface} does not answer {query}"
                return Unknown(reason, self._clock.now(), self.interface)

    async def perform(self, command: Command) -> Reply:
        """Do it; see :class:`~cucm_certflow.transports.base.Transport`.

        Before the first service of a node is stopped or restarted the Ex interface is asked which
        must not be stopped. Where it is not there, or not permitted, the command goes without, and
        the reply says so. What ``PrimaryNode`` forbids no source says; that is left to the node.
        """
        if not isinstance(command, _Driving) or not self.supports(command):
            text = f"{self.interface} does not do: {command} on {command.node}"
            return Reply(ReplyKind.REFUSED, text, sent=False)
        node = self._node(command.node)
        async with node.lock:
            if isinstance(command, StartService):
                return await self._drive(node, ControlAction.START, command.service.value)
            try:
                await self._ask_restrictions(node)
            except (AuthenticationFailed, IdentityNotTrusted):
                raise
            except NodeError as error:
                text = f"not sent, because it is not known what may be stopped: {short(error)}"
                return self._reply(ReplyKind.REFUSED, text, sent=False)
            if (node.restrictions or {}).get(command.service.value) is Restrict.DO_NOT_STOP:
                text = f"not sent: {command.node} lists {command.service} as {Restrict.DO_NOT_STOP}"
                return self._reply(ReplyKind.REFUSED, text, sent=False)
            stops = isinstance(command, StopService)
            action = ControlAction.STOP if stops else ControlAction.RESTART
            return await self._drive(node, action, command.service.value, self._note_of(node))

    async def aclose(self) -> None:
        """Let go of connections; idempotent."""
        for node in self._nodes.values():
            await node.client.aclose()

    # ── looking ───────────────────────────────────────────────────────────────────────────

    def _node(self, name: str) -> _OneNode:
        if name not in self._nodes:
            entry = self._access.inventory.node(name)
            self._nodes[name] = _OneNode(ControlCenterClient(entry, self._access))
        return self._nodes[name]

    async def _look(self, name: str, read: Callable[[_Listing], Any]) -> Fact:
        at, by = self._clock.now(), f"{self.interface} {name}"
        try:
            listing = await self._list(self._node(name))
            return Known(read(listing), listing.began, by)
        except (AuthenticationFailed, IdentityNotTrusted):
            raise
        except (CertflowError, ValueError) as error:
            return unknown_because(error, at, by)

    async def _list(self, node: _OneNode) -> _Listing:
        asked_s = self._clock.monotonic()
        async with node.lock:
            listing = node.listing
            if listing is None or asked_s - listing.ended_s > _LISTING_AGE_S:
                began = self._clock.now()
                records = _respelt(await node.client.status())
                listing = node.listing = _Listing(records, began, self._clock.monotonic())
            return listing

    # ── driving ───────────────────────────────────────────────────────────────────────────

    async def _ask_restrictions(self, node: _OneNode) -> None:
        """Learn once what must not be stopped, or why that cannot be known.

        Raises:
            NodeError: Nobody can say now, and the command had better wait.
        """
        if node.restrictions is not None:
            return
        node.without_restrictions = ""
        try:
            listed = await node.client.static_services_extended()
        except NodeFault as error:
            if not isinstance(error, RoleMissing | SoapFault | NotServed):
                raise
            node.without_restrictions = short(error)
        else:
            node.restrictions = {_spelt(each.name): each.restrict for each in listed.services}

    @staticmethod
    def _note_of(node: _OneNode) -> str:
        """What a reply says besides, if it is not known what must not be stopped."""
        if not node.without_restrictions:
            return ""
        return f"\nwithout knowing what must not be stopped: {node.without_restrictions}"

    async def _drive(
        self, node: _OneNode, action: ControlAction, service: str, note: str = ""
    ) -> Reply:
        node.listing = None
        try:
            result = await node.client.control(action, [service])
        except (AuthenticationFailed, IdentityNotTrusted):
            raise
        except NotSent as error:
            return self._reply(ReplyKind.REFUSED, f"not sent: {short(error)}{note}", sent=False)
        except (NodeUnreachable, UnknownLayout) as error:
            return self._reply(ReplyKind.LOST, f"{short(error)}{note}")
        except NodeError as error:
            return self._reply(ReplyKind.REFUSED, f"{short(error)}{note}")
        kind, text = _judged(result, action, service)
        return self._reply(kind, f"{text}{note}")

    def _reply(self, kind: ReplyKind, text: str, *, sent: bool = True) -> Reply:
        redacted = self._access.inventory.application.password.redact(text)
        return Reply(kind, redacted, sent=sent)


def _spelt(name: str) -> str:
    return SERVICE_SPELLINGS.get(name, name)


def _respelt(records: Mapping[str, ServiceStatusRecord]) -> Mapping[str, ServiceStatusRecord]:
    """*records* by the names that the command line prints."""
    found: dict[str, ServiceStatusRecord] = {}
    for name, record in records.items():
        respelt = attrs.evolve(record, name=_spelt(name))
        if found.setdefault(respelt.name, respelt) != respelt:
            message = f"{respelt.name} is listed in two spellings, and differs"
            raise ValueError(message)
    return found


def _one(listing: _Listing, name: str) -> ServiceState:
    record = listing.records.get(name)
    if record is None:
        message = f"{name} is not in the service list"
        raise ValueError(message)
    return _state(record, listing.began)


def _all(listing: _Listing) -> Mapping[str, ServiceState]:
    return MappingProxyType(
        {name: _state(record, listing.began) for name, record in listing.records.items()}
    )


def _state(record: ServiceStatusRecord, began: datetime) -> ServiceState:
    if record.status == "Unknown":
        words = reason_words(record.reason_code, record.reason)
        report = Report(headline=f"the node does not know how {record.name} is", saw=words)
        raise NodeFault(report)
    if record.status not in _STATUSES:
        message = f"{record.name} has a status that we do not know: {record.status[:80]!r}"
        raise ValueError(message)
    status = _STATUSES[record.status]
    if status is not ServiceStatus.STARTED:
        missing = status is ServiceStatus.STOPPED and record.reason_code in _NOT_HERE
        return ServiceState(status, activated=not missing)
    if record.reason_code in _NOT_HERE:
        words = reason_words(record.reason_code, record.reason)
        message = f"{record.name} is Started, and yet: {words}"
        raise ValueError(message)
    started_at = None
    if record.up_time_s is not None:
        started_at = began - timedelta(seconds=record.up_time_s + _UP_TIME_STEP_S)
    return ServiceState(status, started_at=started_at)


def _judged(result: ControlResult, action: ControlAction, service: str) -> tuple[ReplyKind, str]:
    """What *result* says about *action* on *service*, and its words."""
    failed = result.return_code != "0"
    records = [record for name, record in result.services.items() if _spelt(name) == service]
    words = [f"ReturnCode {result.return_code[:20] or 'missing'}"]
    words += filter(None, [reason_words(result.reason_code, result.reason)])
    words += [
        " ".join(filter(None, [f"{r.name}: {r.status};", reason_words(r.reason_code, r.reason)]))
        for r in records
    ]
    codes = [result.reason_code, *(record.reason_code for record in records)]
    verdicts = {verdict(code, action.value, failed=failed) for code in codes}
    if Verdict.NOT_DONE in verdicts:
        kind = ReplyKind.REFUSED
    elif failed or not records or Verdict.IN_DOUBT in verdicts:
        kind = ReplyKind.LOST
    else:
        kind = ReplyKind.ACCEPTED
    return kind, ", ".join(words)
