"""PerfMon of one node, for every node of the cluster: registrations, TFTP, and AXL's throttle."""

from __future__ import annotations

import hashlib
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final, NamedTuple

import attrs
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from cucm_certflow.facts import PhoneSecurity
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.scenario import FaultKind, Role
from cucm_certflow.lab.servers import bad_answers, soap
from cucm_certflow.lab.servers.access import guard
from cucm_certflow.lab.servers.serviceability import (
    Wrong,
    answer,
    element,
    fields,
    rate_fault,
    texts,
)
from cucm_certflow.lab.servers.vos_cli import UNSUCCESSFUL, Desk
from cucm_certflow.names import Product, Service

__all__ = ["PerfmonService"]

_PATH: Final = "/perfmonservice2/services/PerfmonService"
_READERS: Final = (Role.SERVER_MONITORING, Role.SUPER_USERS)
_COUNTER: Final = re.compile(
    r"\\\\(?P<host>[^\\]+)\\(?P<object>[^\\(]+)(?:\([^\\]*\))?\\(?P<counter>.+)"
)
_IN_SESSION: Final = 0
_AT_ONCE: Final = 1
"""CStatus: both are good. In sessions 0 was seen, outside them 1."""

_IDLE: Final = timedelta(minutes=30)
"""After how long without a question a session is forgotten: the lab's invention."""

_BEAT_S: Final = 1
"""How often a heart beats: the lab's invention."""

CALLMANAGER: Final = "Cisco CallManager"
TFTP: Final = "Cisco TFTP Server"
AXL: Final = "Cisco AXL Web Service"


class _Counter(NamedTuple):
    """What the counter says about itself, in the lab's words, and how it comes about."""

    description: str
    value: Callable[[LabCluster, str], int]


def _none(_: LabCluster, __: str) -> int:
    return 0


def _beats(service: Service) -> Callable[[LabCluster, str], int]:
    def beats(cluster: LabCluster, node: str) -> int:
        started_at = cluster.service_state(node, service).started_at
        return (
            0 if started_at is None else int((cluster.now - started_at).total_seconds()) // _BEAT_S
        )

    return beats


def _registered(*modes: PhoneSecurity) -> Callable[[LabCluster, str], int]:
    def registered(cluster: LabCluster, node: str) -> int:
        counts = cluster.registered_with(node)
        return sum(counts.get(mode, 0) for mode in modes)

    return registered


def _initialised(cluster: LabCluster, node: str) -> int:
    return 100 if cluster.is_up(node, Service.CALLMANAGER) else 0


_ABSENT: Final = (
    "RegisteredOtherStationDevices",
    "PartiallyRegisteredPhone",
    "AuthenticatedPartiallyRegisteredPhone",
    "EncryptedPartiallyRegisteredPhones",
    "RegisteredMGCPGateway",
    "RegisteredAnalogAccess",
    *(
        f"Registered{kind}Jabber{way}"
        for kind in ("BOT", "CSF", "TAB", "TCT")
        for way in ("MRA", "NonMRA")
    ),
)
"""Devices that the lab has none of."""

_OF_CALLMANAGER: Final[Mapping[str, _Counter]] = {
    "RegisteredHardwarePhones": _Counter(
        "Cisco hardware phones that are registered with this node", _registered(*PhoneSecurity)
    ),
    "AuthenticatedRegisteredPhones": _Counter(
        "Phones in authenticated mode that are registered with this node",
        _registered(PhoneSecurity.AUTHENTICATED),
    ),
    "EncryptedRegisteredPhones": _Counter(
        "Phones in encrypted mode that are registered with this node",
        _registered(PhoneSecurity.ENCRYPTED),
    ),
    "CallManagerHeartBeat": _Counter(
        "Grows as long as Cisco CallManager runs", _beats(Service.CALLMANAGER)
    ),
    "InitializationState": _Counter("100 when Cisco CallManager is complete", _initialised),
    **{
        name: _Counter("Registered devices of that kind; the lab has none", _none)
        for name in _ABSENT
    },
}
_OF_TFTP: Final[Mapping[str, _Counter]] = {
    # Whether a node counts requests over HTTP among these three, too, no source says: here it does.
    "Requests": _Counter(
        "Requests for files since Cisco Tftp started, over TFTP and HTTP",
        lambda cluster, node: (
            (counts := cluster.tftp_counters(node)).processed
            + counts.not_found
            + counts.http_requests
        ),
    ),
    "RequestsProcessed": _Counter(
        "Files that were served, over TFTP and HTTP",
        lambda cluster, node: (
            (counts := cluster.tftp_counters(node)).processed + counts.http_processed
        ),
    ),
    "RequestsNotFound": _Counter(
        "Requests for files that there are not, over TFTP and HTTP",
        lambda cluster, node: (
            (counts := cluster.tftp_counters(node)).not_found + counts.http_not_found
        ),
    ),
    "HttpRequests": _Counter(
        "Requests for files since Cisco Tftp started, over HTTP",
        lambda cluster, node: cluster.tftp_counters(node).http_requests,
    ),
    "HttpRequestsProcessed": _Counter(
        "Files that were served over HTTP",
        lambda cluster, node: cluster.tftp_counters(node).http_processed,
    ),
    "HttpRequestsNotFound": _Counter(
        "Requests over HTTP for files that there are not",
        lambda cluster, node: cluster.tftp_counters(node).http_not_found,
    ),
    "HttpRequestsOverflow": _Counter(
        "Requests over HTTP that were put off with 503",
        lambda cluster, node: cluster.tftp_counters(node).http_busy,
    ),
    "HttpServedFromDisk": _Counter("Files served over HTTP and not from memory; none here", _none),
    "SEPFoundCount": _Counter(
        "Configuration files of phones that were served",
        lambda cluster, node: cluster.tftp_counters(node).phone_files,
    ),
    # That a file is signed whenever it is served is the lab's invention.
    "BuildSignCount": _Counter(
        "Configuration files of phones that were signed",
        lambda cluster, node: cluster.tftp_counters(node).signed,
    ),
    "BuildCount": _Counter("How often all files were built anew; never here", _none),
    "ChangeNotifications": _Counter("Changes of the database; none here", _none),
    "DeviceChangeNotifications": _Counter("Changes of devices in the database; none here", _none),
    "HeartBeat": _Counter("Grows as long as Cisco Tftp runs", _beats(Service.TFTP)),
}
_OF_AXL: Final[Mapping[str, _Counter]] = {
    "ThrottleState": _Counter("1 while writes are denied; the lab never denies them", _none),
}


@attrs.define(eq=False)
class _Session:
    counters: list[str]
    used: datetime


class PerfmonService:
    """PerfMon on *node*; ``Host`` says about which node of the cluster.

    Args:
        desk: The lab.
        node: On which node.
    """

    def __init__(self, desk: Desk, node: str) -> None:
        self._desk = desk
        self._node = node
        self._limit = desk.limits.perfmon
        self._sessions: dict[str, _Session] = {}
        self._opened = 0
        self._operations: Mapping[str, Callable[[ET.Element], Response]] = {
            "perfmonOpenSession": self._open,
            "perfmonAddCounter": self._add,
            "perfmonRemoveCounter": self._remove,
            "perfmonCollectSessionData": self._collect_session,
            "perfmonCloseSession": self._close,
            "perfmonCollectCounterData": self._collect,
            "perfmonListCounter": self._list_counters,
            "perfmonListInstance": self._list_instances,
            "perfmonQueryCounterDescription": self._describe,
        }

    def routes(self) -> Sequence[BaseRoute]:
        """Where it is reached."""
        return (Route(_PATH, self.post, methods=["POST"]),)

    async def post(self, request: Request) -> Response:
        """One request."""
        if (refusal := guard(request, self._desk, self._node, *_READERS)) is not None:
            return refusal
        operation = await soap.read(request)
        name = "" if operation is None else soap.local_name(operation)
        if operation is None or name not in self._operations:
            return soap.fault("soapenv:Client", f"The lab has no operation {name or '(none)'}")
        if not self._limit.take(self._desk.clock.now()):
            return self._too_often()
        make = partial(self._operations[name], operation)

        async def act() -> Response:
            await self._desk.clock.sleep(self._desk.cluster.scenario.timing.look_s)
            try:
                return make()
            except Wrong as error:
                return soap.fault("soapenv:Client", str(error))

        return await bad_answers.answer(request, self._desk, self._node, name, act, self._refused)

    def _refused(self, kind: FaultKind) -> Response:
        if kind is FaultKind.RATE_LIMITED:
            return self._too_often()
        return soap.fault("soapenv:Server", UNSUCCESSFUL)

    def _too_often(self) -> Response:
        """The words are a real node's; their frame is that of RISPort70's fault."""
        return rate_fault(
            self._node,
            "AxisFault: Exceeded allowed rate for Perfmon information. Current allowed rate for "
            f"perfmon information is {self._limit.per_minute} requests per minute.PerfmonService",
        )

    # ── at once ───────────────────────────────────────────────────────────────────────────

    def _collect(self, operation: ET.Element) -> Response:
        host, thing = (soap.text(each) for each in fields(operation, "Host", "Object"))
        node = self._host(host)
        counters = self._object(node, thing)
        name = "perfmonCollectCounterData"
        data = (
            _data(
                f"{name}Return",
                f"\\\\{host}\\{thing}\\{counter}",
                entry.value(self._desk.cluster, node),
                _AT_ONCE,
            )
            for counter, entry in counters.items()
        )
        return answer(name, *data)

    def _list_counters(self, operation: ET.Element) -> Response:
        (host,) = fields(operation, "Host")
        node = self._host(soap.text(host))
        returned = (
            element(
                "perfmonListCounterReturn",
                [
                    element("Name", name),
                    element("MultiInstance", content=False),
                    element(
                        "ArrayOfCounter",
                        [element("item", [element("Name", each)]) for each in counters],
                    ),
                ],
            )
            for name, counters in self._objects(node).items()
        )
        return answer("perfmonListCounter", *returned)

    def _list_instances(self, operation: ET.Element) -> Response:
        """The lab's objects are singletons: they have no instances."""
        host, thing = (soap.text(each) for each in fields(operation, "Host", "Object"))
        self._object(self._host(host), thing)
        return answer("perfmonListInstance")

    def _describe(self, operation: ET.Element) -> Response:
        (path,) = fields(operation, "Counter")
        _, entry = self._counter(soap.text(path))
        name = "perfmonQueryCounterDescription"
        return answer(name, element(f"{name}Return", entry.description))

    # ── in a session ──────────────────────────────────────────────────────────────────────

    def _open(self, operation: ET.Element) -> Response:
        """The handle looks like a UUID, and is the same in every run of a scenario."""
        fields(operation)
        now = self._desk.clock.now()
        for handle, session in tuple(self._sessions.items()):
            if now - session.used > _IDLE:
                del self._sessions[handle]
        self._opened += 1
        seed = f"{self._desk.cluster.scenario.seed}/{self._node}/perfmon/{self._opened}"
        digest = hashlib.sha256(seed.encode()).hexdigest()
        handle = "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:32]))
        self._sessions[handle] = _Session([], now)
        return answer("perfmonOpenSession", element("perfmonOpenSessionReturn", handle))

    def _add(self, operation: ET.Element) -> Response:
        session, counters = self._named(operation)
        for path in counters:
            self._counter(path)
        session.counters += [path for path in counters if path not in session.counters]
        return answer("perfmonAddCounter")

    def _remove(self, operation: ET.Element) -> Response:
        session, counters = self._named(operation)
        session.counters = [path for path in session.counters if path not in counters]
        return answer("perfmonRemoveCounter")

    def _collect_session(self, operation: ET.Element) -> Response:
        (handle,) = fields(operation, "SessionHandle")
        session = self._session(soap.text(handle))
        name = "perfmonCollectSessionData"
        data: list[str] = []
        for path in session.counters:
            node, entry = self._counter(path)
            value = entry.value(self._desk.cluster, node)
            data.append(_data(f"{name}Return", path, value, _IN_SESSION))
        return answer(name, *data)

    def _close(self, operation: ET.Element) -> Response:
        (handle,) = fields(operation, "SessionHandle")
        self._session(soap.text(handle))
        del self._sessions[soap.text(handle)]
        return answer("perfmonCloseSession")

    def _named(self, operation: ET.Element) -> tuple[_Session, list[str]]:
        handle, counters = fields(operation, "SessionHandle", "ArrayOfCounter")
        if not len(counters):
            message = "expected one Counter or more in ArrayOfCounter, saw none"
            raise Wrong(message)
        paths: list[str] = []
        for counter in counters:
            named = texts(counter, "Name")
            if soap.local_name(counter) != "Counter" or len(named) != 1:
                message = "expected Counter with one Name in ArrayOfCounter"
                raise Wrong(message)
            paths += named
        return self._session(soap.text(handle)), paths

    def _session(self, handle: str) -> _Session:
        session, now = self._sessions.get(handle), self._desk.clock.now()
        if session is None or now - session.used > _IDLE:
            message = f"there is no session {handle:.40}"
            raise Wrong(message)
        session.used = now
        return session

    # ── what there is ─────────────────────────────────────────────────────────────────────

    def _host(self, host: str) -> str:
        """The node that *host* means: its name as the database has it, its full name or address."""
        scenario = self._desk.cluster.scenario
        for node in scenario.nodes:
            names = (node.name, f"{node.name}.{scenario.domain}", node.address)
            if host.casefold() in (name.casefold() for name in names):
                return node.name
        message = f"no host {host:.60} in this cluster"
        raise Wrong(message)

    def _objects(self, node: str) -> Mapping[str, Mapping[str, _Counter]]:
        """What counts on *node*: the objects of the services that are activated there."""
        on = self._desk.cluster.activated(node)
        found: dict[str, Mapping[str, _Counter]] = {}
        if Service.CALLMANAGER in on:
            found[CALLMANAGER] = _OF_CALLMANAGER
        if Service.TFTP in on:
            found[TFTP] = _OF_TFTP
        if self._desk.cluster.scenario.node(node).product is Product.CALLMANAGER:
            found[AXL] = _OF_AXL
        return found

    def _object(self, node: str, name: str) -> Mapping[str, _Counter]:
        objects = self._objects(node)
        if name not in objects:
            message = f"no object {name:.60} on {node}"
            raise Wrong(message)
        return objects[name]

    def _counter(self, path: str) -> tuple[str, _Counter]:
        r"""The node and counter that ``\\host\Object(instance)\Counter`` means."""
        found = _COUNTER.fullmatch(path)
        if found is None:
            message = rf"expected a counter as \\host\Object\Counter, saw {path:.100}"
            raise Wrong(message)
        node = self._host(found["host"])
        counters = self._object(node, found["object"].strip())
        if found["counter"] not in counters:
            message = f"no counter {found['counter']:.60} in {found['object']:.60}"
            raise Wrong(message)
        return node, counters[found["counter"]]


def _data(name: str, path: str, value: int, status: int) -> str:
    return element(
        name, [element("Name", path), element("Value", value), element("CStatus", status)]
    )
