"""RISPort70 of one node: the devices of the whole cluster, at so many questions a minute."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple
from xml.sax.saxutils import escape, quoteattr

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from cucm_certflow.facts import Registration
from cucm_certflow.lab.scenario import FaultKind, LabPhone, Role
from cucm_certflow.lab.servers import bad_answers, soap
from cucm_certflow.lab.servers.access import guard
from cucm_certflow.lab.servers.vos_cli import UNSUCCESSFUL, Desk
from cucm_certflow.names import DeviceClass

__all__ = ["RIS_PATH", "RisService"]

RIS_PATH: Final = "/realtimeservice2/services/RISService70"
_NAMESPACE: Final = "http://schemas.cisco.com/ast/soap"
_XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
_CRITERIA: Final[Mapping[str, tuple[str, ...]]] = {
    "CmSelectionCriteria": (
        "MaxReturnedDevices",
        "DeviceClass",
        "Model",
        "Status",
        "NodeName",
        "SelectBy",
        "SelectItems",
        "Protocol",
        "DownloadStatus",
    ),
    "CtiSelectionCriteria": (
        "MaxReturnedItems",
        "CtiMgrClass",
        "Status",
        "NodeName",
        "SelectAppBy",
        "AppItems",
        "DevNames",
        "DirNumbers",
    ),
}
_OPERATIONS: Final[Mapping[str, str]] = {
    "selectCmDevice": "CmSelectionCriteria",
    "selectCmDeviceExt": "CmSelectionCriteria",
    "selectCtiItem": "CtiSelectionCriteria",
}
_READERS: Final = (Role.SERVER_MONITORING, Role.SUPER_USERS)
_PAGE: Final = 1000
_NO_DEVICES: Final = '<ns1:CmDevices xsi:nil="true"/>'
_ANY_MODEL: Final = "255"
_NO_MODEL: Final = "0"
"""Of what is no phone: the lab's invention."""

_ANY: Final = ("", "Any")
_RESET: Final = 8  # DeviceInitiatedReset
_PROTOCOLS: Final = {DeviceClass.SIP_TRUNK: "SIP"}
_NUMBER: Final = re.compile(r"\d{1,10}")
_STATE: Final = re.compile(r'<StateInfo ClusterWide="1">.*StateId="(\d{1,9})".*</StateInfo>', re.S)
_STATUSES: Final = (
    "Any",
    "Registered",
    "UnRegistered",
    "Rejected",
    "PartiallyRegistered",
    "Unknown",
)
_SELECT_BY: Final = ("Name", "IPV4Address", "IPV6Address", "DirNumber", "Description")


class _Device(NamedTuple):
    """What never changes about a device; *group* is that of a phone, where it registers.

    *protocol* is of phones and trunks; what nodes say of the others is not known.
    """

    name: str
    kind: DeviceClass
    number: str
    address: str
    protocol: str
    group: tuple[str, ...] = ()


class _Record(NamedTuple):
    """What one node knows of one device."""

    node: str
    device: _Device
    status: str
    stamp: int


class _Wrong(Exception):
    """The request is not as the description of the service has it."""


class RisService:
    """RISPort70 on *node*, for the whole cluster.

    A node that a phone has left goes on to show it as UnRegistered, with the instant at which it
    left; one that was registered nowhere yet is so shown by the first node of its group. For how
    long real nodes remember phones is not known; the lab's never forget. Devices that are no phones
    stand as the scenario has them.
    """

    def __init__(self, desk: Desk, node: str) -> None:
        self._desk = desk
        self._node = node
        self._limit = desk.limits.ris
        self._devices: dict[str, _Device] = {}
        self._models: dict[str, str] = {}

    def routes(self) -> Sequence[BaseRoute]:
        """Where it is reached."""
        return (Route(RIS_PATH, self.post, methods=["POST"]),)

    async def post(self, request: Request) -> Response:
        """One request."""
        if (refusal := guard(request, self._desk, self._node, *_READERS)) is not None:
            return refusal
        operation = await soap.read(request)
        name = "" if operation is None else soap.local_name(operation)
        if operation is None or name not in _OPERATIONS:
            return soap.fault("soapenv:Client", f"The lab has no operation {name or '(none)'}")
        if not self._limit.take(self._desk.clock.now()):
            return self._too_often(name)
        try:
            criteria = _criteria(operation, name)
        except _Wrong as error:
            return soap.fault("soapenv:Client", str(error))
        await self._desk.clock.sleep(self._desk.cluster.scenario.timing.look_s)

        async def act() -> Response:
            try:
                if name == "selectCtiItem":
                    return self._no_applications(criteria)
                return self._answer(operation, criteria, is_ext=name == "selectCmDeviceExt")
            except _Wrong as error:
                return soap.fault("soapenv:Client", str(error))

        def refuse(kind: FaultKind) -> Response:
            if kind is FaultKind.RATE_LIMITED:
                return self._too_often(name)
            return soap.fault("soapenv:Server", UNSUCCESSFUL)

        return await bad_answers.answer(request, self._desk, self._node, name, act, refuse)

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

    # ── devices ───────────────────────────────────────────────────────────────────────────

    def _answer(self, operation: ET.Element, criteria: ET.Element, *, is_ext: bool) -> Response:
        records = list(self._found(criteria, is_ext=is_ext))
        start = _offset(soap.text(operation, "StateInfo"))
        size = min(_PAGE, int(soap.text(criteria, "MaxReturnedDevices") or _PAGE))
        page = records[start : start + size]
        nodes = self._nodes(criteria)
        by_node: dict[str, list[_Record]] = {name: [] for name in nodes}
        for record in page:
            by_node[record.node].append(record)
        items = "".join(self._node_xml(name, its) for name, its in by_node.items())
        totals = Counter(record.node for record in records)
        counts = {name: (totals[name], len(its)) for name, its in by_node.items()}
        return soap.xml(
            f'<ns1:selectCmDeviceResponse xmlns:ns1="{_NAMESPACE}" xmlns:xsi="{_XSI}">'
            "<ns1:selectCmDeviceReturn><ns1:SelectCmDeviceResult>"
            f"<ns1:TotalDevicesFound>{len(records)}</ns1:TotalDevicesFound>"
            f"<ns1:CmNodes>{items}</ns1:CmNodes></ns1:SelectCmDeviceResult>"
            f"<ns1:StateInfo>{escape(self._state(counts, start + len(page)))}</ns1:StateInfo>"
            "</ns1:selectCmDeviceReturn></ns1:selectCmDeviceResponse>"
        )

    def _found(self, criteria: ET.Element, *, is_ext: bool) -> Iterator[_Record]:
        """The records that fit, by device; of each device the newest only, if *is_ext*."""
        status, node = soap.text(criteria, "Status"), soap.text(criteria, "NodeName")
        model, kind = soap.text(criteria, "Model"), soap.text(criteria, "DeviceClass")
        protocol = soap.text(criteria, "Protocol")
        if soap.text(criteria, "DownloadStatus") not in (*_ANY, "Unknown"):
            return
        for device in self._chosen(criteria, is_ext=is_ext):
            if model not in ("", _ANY_MODEL, self._models.get(device.name, _NO_MODEL)):
                continue
            if kind not in (*_ANY, device.kind.value) or protocol not in (*_ANY, device.protocol):
                continue
            records = self._records(device)
            for record in records[-1:] if is_ext else records:
                if status in (*_ANY, record.status) and node in (*_ANY, record.node):
                    yield record

    def _chosen(self, criteria: ET.Element, *, is_ext: bool) -> Iterator[_Device]:
        """The devices that the items name, each once, without looking at all the others."""
        by = soap.text(criteria, "SelectBy") or "Name"
        items = soap.child(criteria, "SelectItems")
        asked = [soap.text(item, "Item").casefold() for item in (() if items is None else items)]
        if by == "Name":
            # Two clients that are used against real nodes put all names into one item; that a node
            # takes it is known from them alone.
            asked = [name.strip() for each in asked for name in each.split(",")]
        wanted = dict.fromkeys(asked)
        devices = self._index()
        patterns = [] if is_ext else [item for item in wanted if "*" in item]
        if by == "Name" and not patterns:
            yield from (devices[item] for item in wanted if item in devices)
            return
        value = _VALUES[by]
        pattern = re.compile(
            "|".join(".*".join(map(re.escape, each.split("*"))) for each in patterns) or "(?!)"
        )
        for device in devices.values():
            text = value(device).casefold()
            if text in wanted or pattern.fullmatch(text):
                yield device

    def _index(self) -> Mapping[str, _Device]:
        """Every device by name, made when the first question comes."""
        if not self._devices:
            cluster = self._desk.cluster
            found = [_phone(phone) for phone in cluster.phones]
            found += [
                _Device(name, spec.kind, "", "", _PROTOCOLS.get(spec.kind, "Unknown"), (spec.node,))
                for spec in cluster.scenario.devices
                for name in spec.names
            ]
            self._devices = {device.name.casefold(): device for device in found}
            rows = self._desk.database.rows("select name, tkmodel from device")
            self._models = {name or "": model or "" for name, model in rows}
        return self._devices

    def _records(self, device: _Device) -> list[_Record]:
        """What the nodes know of *device*, the newest last."""
        cluster = self._desk.cluster
        if device.kind is not DeviceClass.PHONE:
            where = cluster.devices(device.kind)[device.name]
            status = "Registered" if where.registered else "UnRegistered"
            return [_Record(device.group[0], device, status, _stamp(where))]
        registration = cluster.registration(device.name)
        left = {node: int(at.timestamp()) for node, at in cluster.nodes_left(device.name).items()}
        stamp = _stamp(registration)
        if registration.registered:
            left.pop(registration.node, None)
        elif not left:
            left[device.group[0]] = stamp
        records = [_Record(node, device, "UnRegistered", at) for node, at in left.items()]
        records.sort(key=lambda record: record.stamp)
        if registration.registered:
            records.append(_Record(registration.node, device, "Registered", stamp))
        return records

    def _nodes(self, criteria: ET.Element) -> list[str]:
        asked = soap.text(criteria, "NodeName")
        nodes = self._desk.cluster.layout.callmanager_nodes
        return [name for name in nodes if asked in (*_ANY, name)]

    def _node_xml(self, name: str, records: list[_Record]) -> str:
        """One node. Without devices they are nil: clients that loop over the rest count on it."""
        code = "Ok" if records else "NotFound"
        within = "".join(self._device_xml(record) for record in records)
        devices = f"<ns1:CmDevices>{within}</ns1:CmDevices>" if within else _NO_DEVICES
        return (
            f"<ns1:item><ns1:ReturnCode>{code}</ns1:ReturnCode><ns1:Name>{escape(name)}</ns1:Name>"
            f"<ns1:NoChange>false</ns1:NoChange>{devices}</ns1:item>"
        )

    def _device_xml(self, record: _Record) -> str:
        """One device, with all that the description has; what no phone needs is the lab's own."""
        device = record.device
        return _DEVICE.format(
            name=escape(device.name),
            kind=device.kind.value,
            protocol=device.protocol,
            number=device.number,
            model=self._models.get(device.name, _NO_MODEL),
            status=record.status,
            reason=0 if record.status == "Registered" else _RESET,
            stamp=record.stamp,
            address=device.address,
        )

    # ── the rest ──────────────────────────────────────────────────────────────────────────

    def _no_applications(self, criteria: ET.Element) -> Response:
        """No CTI application has come to the lab yet."""
        nodes = self._nodes(criteria)
        items = "".join(
            f"<ns1:item>{_field('ReturnCode', 'NotFound')}{_field('Name', name)}"
            f"{_field('NoChange', 'false')}<ns1:CtiItems/></ns1:item>"
            for name in nodes
        )
        state = self._state(dict.fromkeys(nodes, (0, 0)), 0)
        return soap.xml(
            f'<ns1:selectCtiItemResponse xmlns:ns1="{_NAMESPACE}"><ns1:selectCtiItemReturn>'
            f"<ns1:SelectCtiItemResult>{_field('TotalItemsFound', '0')}"
            f"<ns1:CtiNodes>{items}</ns1:CtiNodes></ns1:SelectCtiItemResult>"
            f"<ns1:StateInfo>{escape(state)}</ns1:StateInfo>"
            "</ns1:selectCtiItemReturn></ns1:selectCtiItemResponse>"
        )

    def _state(self, counts: Mapping[str, tuple[int, int]], reached: int) -> str:
        """The cursor, to be sent back verbatim. That StateId holds it is the lab's invention."""
        began = quoteattr(str(int(self._desk.cluster.began.timestamp())))
        lines = "".join(
            f'<Node Name={quoteattr(name)} SubsystemStartTime={began} StateId="{reached}" '
            f'TotalItemsFound="{found}" TotalItemsReturned="{returned}"/>'
            for name, (found, returned) in counts.items()
        )
        return f'<StateInfo ClusterWide="1">{lines}</StateInfo>'


def _criteria(operation: ET.Element, name: str) -> ET.Element:
    """The criteria of *operation*, which are as they must be; the words of a no are the lab's.

    Raises:
        _Wrong: They are not: order and qualification are fixed, and values are of a type.
    """
    within = _OPERATIONS[name]
    _check_order(operation, ("StateInfo", within))
    criteria = operation[1]
    _check_order(criteria, _CRITERIA[within])
    if within == "CmSelectionCriteria":
        for field in ("MaxReturnedDevices", "Model"):
            value = soap.text(criteria, field)
            if value and not _NUMBER.fullmatch(value):
                message = f"{field}: {value[:40]} is no number"
                raise _Wrong(message)
        for field, words in (("Status", _STATUSES), ("SelectBy", _SELECT_BY)):
            value = soap.text(criteria, field)
            if value and value not in words:
                message = f"{field}: {value[:40]} is not one of {', '.join(words)}"
                raise _Wrong(message)
    return criteria


def _check_order(element: ET.Element, names: tuple[str, ...]) -> None:
    if [each.tag for each in element] != [f"{{{_NAMESPACE}}}{name}" for name in names]:
        message = f"expected {', '.join(names)} in that order, qualified by {_NAMESPACE}"
        raise _Wrong(message)


def _offset(state: str) -> int:
    """How far the page before went.

    Raises:
        _Wrong: It is no StateInfo of the lab.
    """
    if not state:
        return 0
    found = _STATE.fullmatch(state)
    if found is None:
        message = "StateInfo is not what was answered before"
        raise _Wrong(message)
    return int(found[1])


def _field(name: str, value: str) -> str:
    return f"<ns1:{name}>{escape(value)}</ns1:{name}>"


_DEVICE: Final = (
    "<ns1:item>"
    + "".join(
        _field(name, value)
        for name, value in (
            ("Name", "{name}"),
            ("DirNumber", "{number}-{status}"),
            ("DeviceClass", "{kind}"),
            ("Model", "{model}"),
            ("Product", "{model}"),
            ("BoxProduct", "0"),
            ("Httpd", "Yes"),
            ("RegistrationAttempts", "1"),
            ("IsCtiControllable", "true"),
            ("LoginUserId", ""),
            ("Status", "{status}"),
            ("StatusReason", "{reason}"),
            ("PerfMonObject", "2"),
            ("DChannel", "0"),
            ("Description", "{name}"),
        )
    )
    + '<ns1:H323Trunk xsi:nil="true"/>'
    + _field("TimeStamp", "{stamp}")
    + _field("Protocol", "{protocol}")
    + _field("NumOfLines", "1")
    + f"<ns1:LinesStatus><ns1:item>{_field('DirectoryNumber', '{number}')}"
    + f"{_field('Status', '{status}')}</ns1:item></ns1:LinesStatus>"
    + _field("ActiveLoadID", "sip.lab")
    + _field("InactiveLoadID", "")
    + _field("DownloadStatus", "Unknown")
    + _field("DownloadFailureReason", "")
    + _field("DownloadServer", "")
    + f"<ns1:IPAddress><ns1:item>{_field('IP', '{address}')}"
    + f"{_field('IPAddrType', 'ipv4')}{_field('Attribute', 'Unknown')}</ns1:item>"
    + "</ns1:IPAddress></ns1:item>"
)
"""One device, to be formatted."""


def _phone(phone: LabPhone) -> _Device:
    name, low = phone.device.name, int(phone.device.name[-4:], 16)
    number = str(1000 + int(name[-3:], 16))
    address = f"10.9.{low >> 8}.{low & 255}"
    device = phone.device
    return _Device(name, DeviceClass.PHONE, number, address, device.protocol, device.group)


def _stamp(where: Registration) -> int:
    return int(where.at.timestamp()) if where.at is not None else 0


_VALUES: Final[Mapping[str, Callable[[_Device], str]]] = {
    "Name": lambda device: device.name,
    "Description": lambda device: device.name,
    "IPV4Address": lambda device: device.address,
    "IPV6Address": lambda _: "",
    "DirNumber": lambda device: device.number,
}
