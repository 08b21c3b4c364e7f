"""RISPort70 of one node: the phones of the whole cluster, at 15 questions a minute."""

from __future__ import annotations

import fnmatch
import xml.etree.ElementTree as ET
from collections import deque
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from xml.sax.saxutils import escape, quoteattr

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from cucm_certflow.lab.scenario import FaultKind, LabPhone
from cucm_certflow.lab.servers import soap
from cucm_certflow.lab.servers.vos_cli import GARBAGE, UNSUCCESSFUL, Desk

__all__ = ["RateLimit", "RisService"]

_NAMESPACE: Final = "http://schemas.cisco.com/ast/soap"
_OPERATIONS: Final = ("selectCmDeviceExt", "selectCmDevice")
_PAGE: Final = 1000
_MINUTE: Final = timedelta(minutes=1)
_ORDER: Final = (
    "MaxReturnedDevices",
    "DeviceClass",
    "Model",
    "Status",
    "NodeName",
    "SelectBy",
    "SelectItems",
    "Protocol",
    "DownloadStatus",
)
_RESET: Final = 8  # DeviceInitiatedReset


class RateLimit:
    """Cisco's "Allowed Device Queries Per Minute", for the whole cluster, in lab time."""

    def __init__(self, per_minute: int = 15) -> None:
        self.per_minute = per_minute
        self._taken: deque[datetime] = deque()

    def take(self, now: datetime) -> bool:
        """Whether one more question is allowed; one that is not does not count."""
        while self._taken and now - self._taken[0] >= _MINUTE:
            self._taken.popleft()
        if len(self._taken) >= self.per_minute:
            return False
        self._taken.append(now)
        return True


class _Record(NamedTuple):
    node: str
    phone: LabPhone
    status: str
    stamp: int


class RisService:
    """RISPort70 on *node*, for the whole cluster.

    A phone that is not registered is shown as UnRegistered by the first node of its group, with the
    instant at which it left: the lab's invention. Real nodes forget such phones in time.
    """

    def __init__(self, desk: Desk, node: str, limit: RateLimit) -> None:
        self._desk = desk
        self._node = node
        self._limit = limit
        self._account = desk.cluster.scenario.accounts.application

    async def post(self, request: Request) -> Response:
        """One request."""
        if not soap.is_let_in(request, self._account):
            return soap.unauthorized()
        operation = await soap.read(request)
        name = "" if operation is None else soap.local_name(operation)
        if operation is None or name not in _OPERATIONS:
            return soap.fault("soapenv:Client", f"The lab has no operation {name or '(none)'}")
        if not self._limit.take(self._desk.clock.now()):
            return self._too_often(name)
        criteria = soap.child(operation, "CmSelectionCriteria")
        if criteria is None or tuple(map(soap.local_name, criteria)) != _ORDER:
            return soap.fault("soapenv:Client", f"expected {', '.join(_ORDER)} in that order")
        cluster = self._desk.cluster
        await self._desk.clock.sleep(cluster.scenario.timing.look_s)
        fault = cluster.faults.strike(self._node, name)
        if fault is None:
            return self._answer(operation, criteria, is_ext=name == "selectCmDeviceExt")
        match fault.kind:
            case FaultKind.UNKNOWN_LAYOUT:
                return HTMLResponse(f"<html><body>{GARBAGE}</body></html>")
            case FaultKind.REFUSED:
                return soap.fault("soapenv:Server", UNSUCCESSFUL)
            case _:
                return Response(status_code=soap.NO_ANSWER)

    def _too_often(self, operation: str) -> Response:
        """Verbatim, Cisco's own misspelling included."""
        return soap.fault(
            "ns1:Server.RateControl",
            "AxisFault: Exceeded allowed rate for Reatime information. Current allowed rate for "
            f"realtime information is {self._limit.per_minute} requests per minute."
            f"http://schemas.cisco.com/ast/soap/action/#RisPort#S{operation[1:]}",
            '<ns2:hostname xmlns:ns2="http://xml.apache.org/axis/">'
            f"{self._node.upper()}</ns2:hostname>",
            declares=' xmlns:ns1="http://xml.apache.org/axis/"',
        )

    def _answer(self, operation: ET.Element, criteria: ET.Element, *, is_ext: bool) -> Response:
        wanted = _items(criteria)
        records = [
            record for record in self._records() if _fits(record, criteria, wanted, is_ext=is_ext)
        ]
        total = len(records)
        start = _offset(soap.text(operation, "StateInfo"))
        asked = soap.text(criteria, "MaxReturnedDevices")
        size = min(_PAGE, int(asked) if asked.isdecimal() else _PAGE)
        page = records[start : start + size]
        node_name = soap.text(criteria, "NodeName")
        nodes = [
            name
            for name in self._desk.cluster.layout.callmanager_nodes
            if node_name in ("", "Any", name)
        ]
        items = "".join(
            _node_xml(name, [record for record in page if record.node == name]) for name in nodes
        )
        state = _state(nodes, records, page, start + len(page), self._desk.cluster.began)
        return soap.xml(
            f'<ns1:selectCmDeviceResponse xmlns:ns1="{_NAMESPACE}"><ns1:selectCmDeviceReturn>'
            "<ns1:SelectCmDeviceResult>"
            f"<ns1:TotalDevicesFound>{total}</ns1:TotalDevicesFound>"
            f"<ns1:CmNodes>{items}</ns1:CmNodes></ns1:SelectCmDeviceResult>"
            f"<ns1:StateInfo>{escape(state)}</ns1:StateInfo>"
            "</ns1:selectCmDeviceReturn></ns1:selectCmDeviceResponse>"
        )

    def _records(self) -> list[_Record]:
        cluster = self._desk.cluster
        table = cluster.registrations()
        records: list[_Record] = []
        for phone in cluster.phones:
            registration = table[phone.device.name]
            stamp = int(registration.at.timestamp()) if registration.at is not None else 0
            if registration.registered:
                records.append(_Record(registration.node, phone, "Registered", stamp))
            else:
                records.append(_Record(phone.device.group[0], phone, "UnRegistered", stamp))
        return records


def _fits(record: _Record, criteria: ET.Element, wanted: frozenset[str], *, is_ext: bool) -> bool:
    status = soap.text(criteria, "Status")
    node = soap.text(criteria, "NodeName")
    if status not in ("", "Any", record.status) or node not in ("", "Any", record.node):
        return False
    if soap.text(criteria, "DeviceClass") not in ("", "Any", "Phone"):
        return False
    name = record.phone.device.name
    if is_ext:
        return name.casefold() in wanted  # no wildcard
    return any(fnmatch.fnmatchcase(name.casefold(), each) for each in wanted)


def _items(criteria: ET.Element) -> frozenset[str]:
    items = soap.child(criteria, "SelectItems")
    found: Iterable[ET.Element] = () if items is None else items
    return frozenset(soap.text(item, "Item").casefold() for item in found)


def _node_xml(name: str, records: list[_Record]) -> str:
    code = "Ok" if records else "NotFound"
    devices = "".join(_device_xml(record) for record in records)
    return (
        f"<ns1:item><ns1:ReturnCode>{code}</ns1:ReturnCode><ns1:Name>{escape(name)}</ns1:Name>"
        f"<ns1:NoChange>false</ns1:NoChange><ns1:CmDevices>{devices}</ns1:CmDevices></ns1:item>"
    )


def _device_xml(record: _Record) -> str:
    """One device; what no client of ours reads is the lab's invention."""
    device = record.phone.device
    number = 1000 + int(device.name[-3:], 16)
    low = int(device.name[-4:], 16)
    fields = (
        ("Name", device.name),
        ("DirNumber", f"{number}-{record.status}"),
        ("DeviceClass", "Phone"),
        ("Model", "0"),
        ("Product", "0"),
        ("BoxProduct", "0"),
        ("Httpd", "Yes"),
        ("RegistrationAttempts", "1"),
        ("IsCtiControllable", "true"),
        ("LoginUserId", ""),
        ("Status", record.status),
        ("StatusReason", "0" if record.status == "Registered" else str(_RESET)),
        ("PerfMonObject", "2"),
        ("DChannel", "0"),
        ("Description", device.name),
        ("H323Trunk", ""),
        ("TimeStamp", str(record.stamp)),
        ("Protocol", "SIP"),
        ("NumOfLines", "1"),
    )
    within = "".join(f"<ns1:{name}>{escape(value)}</ns1:{name}>" for name, value in fields)
    address = f"10.9.{low >> 8}.{low & 255}"
    return (
        f"<ns1:item>{within}<ns1:IPAddress><ns1:item><ns1:IP>{address}</ns1:IP>"
        "<ns1:IPAddrType>ipv4</ns1:IPAddrType></ns1:item></ns1:IPAddress></ns1:item>"
    )


def _state(
    nodes: list[str], records: list[_Record], page: list[_Record], reached: int, began: datetime
) -> str:
    """The cursor, to be sent back verbatim. That StateId holds it is the lab's invention."""
    reached = reached if reached < len(records) else 0
    lines = "".join(
        f"<Node Name={quoteattr(name)} SubsystemStartTime={quoteattr(str(int(began.timestamp())))} "
        f'StateId="{reached}" '
        f'TotalItemsFound="{sum(record.node == name for record in records)}" '
        f'TotalItemsReturned="{sum(record.node == name for record in page)}"/>'
        for name in nodes
    )
    return f'<StateInfo ClusterWide="1">{lines}</StateInfo>'


def _offset(state: str) -> int:
    """How far the page before went."""
    _, found, rest = state.partition('StateId="')
    number = rest.partition('"')[0]
    return int(number) if found and number.isdecimal() else 0
