"""RISPort70: which phones and other devices are registered, where, and since when."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple, NoReturn

from cucm_certflow.errors import NodeFault, Report, UnknownLayout
from cucm_certflow.facts import Registration
from cucm_certflow.inventory import NodeEntry
from cucm_certflow.names import DeviceClass, Interface
from cucm_certflow.transports.access import Access
from cucm_certflow.transports.http import HttpChannel, Login
from cucm_certflow.transports.soap import (
    SoapChannel,
    child,
    children,
    local_name,
    sequence,
    text_of,
)

__all__ = ["PAGE", "RisClient", "read_answer", "request_for"]

PAGE: Final = 1000
"""Names or devices in one answer: older pages of Cisco's say 1000, newer ones 2000."""


_NAMESPACE: Final = "http://schemas.cisco.com/ast/soap"
_PATH: Final = "/realtimeservice2/services/RISService70"
_EXT: Final = "selectCmDeviceExt"
_PLAIN: Final = "selectCmDevice"
_ANY_MODEL: Final = 255
_ROLE: Final = "Standard CCM Server Monitoring"

_STAMP: Final = re.compile(r"[0-9]{0,11}")  # seconds since 1970; empty or 0 if there is none
_REGISTERED: Final = "Registered"
# CmDevRegStat. A phone that is only partially registered is not back.
_STATUSES: Final = frozenset(
    {"Any", _REGISTERED, "UnRegistered", "Rejected", "PartiallyRegistered", "Unknown"}
)


class RisClient:
    """Asks one node about the phones of the whole cluster.

    Args:
        node: Its name is that of its pins.
        access: What the clients of the cluster share.
        back_off_s: Seconds to hold off after the first rate fault, doubled for each more.
        attempts: How often a page that was throttled is asked for, in all; 1 or more.
        page: Names per request, 1 to 1000.
    """

    def __init__(
        self,
        node: NodeEntry,
        access: Access,
        *,
        back_off_s: float = 10.0,
        attempts: int = 3,
        page: int = PAGE,
    ) -> None:
        if not 0 < page <= PAGE:
            message = f"page must be 1 to {PAGE}, saw {page}"
            raise ValueError(message)
        self.page: Final = page
        self.addresses: dict[str, str] = {}
        """The last IP address of each phone that was seen registered, as the node said it."""
        self._budget = access.budgets.ris
        self._back_off_s = back_off_s
        self._attempts = attempts
        self._channel = SoapChannel(
            HttpChannel(
                node,
                _PATH,
                Login(access.inventory.application, access.breaker),
                access=access,
                interface=Interface.RISPORT,
                role=_ROLE,
            )
        )

    async def aclose(self) -> None:
        """Let go of connections; idempotent."""
        await self._channel.aclose()

    async def registrations(self, names: Sequence[str]) -> dict[str, Registration]:
        """The registration of each of *names*; a phone that no node knows is not registered.

        By ``selectCmDeviceExt``. A phone that several nodes list is registered if one of them says
        so: the node that it has left notices that later than the new one sees it come. Among
        equals the newest record counts.

        Raises:
            NodeFault: A node of the cluster did not answer, or the answer is not whole; that is
                never read as "not registered".
            NodeError: As :meth:`SoapChannel.call <cucm_certflow.transports.soap.SoapChannel.call>`.
            ValueError: A name is empty or a pattern. Nothing was sent.
        """
        unique = list(dict.fromkeys(names))
        for name in unique:
            if not name or "*" in name:
                message = f"expected the whole name of a device, saw {name!r}"
                raise ValueError(message)
        found: dict[str, Registration] = {}
        for start in range(0, len(unique), self.page):
            page = unique[start : start + self.page]
            request = request_for(page)
            answer = await self._ask(request, f"{_EXT} of {len(page)} names")
            with self._channel.redacting():
                found |= read_answer(answer, page, self._channel.where)
                self.addresses |= _addresses(answer)
        return found

    async def listed(
        self,
        pattern: str = "*",
        *,
        kind: DeviceClass = DeviceClass.PHONE,
        status: str = "Any",
    ) -> dict[str, Registration]:
        """The devices of *kind* that match *pattern*, page by page, by ``selectCmDevice``.

        It lists what the nodes remember: a device that is not in it may never have come, or have
        been forgotten. One that is there more than once counts as in :meth:`registrations`.

        Args:
            pattern: A name, with ``*`` for any characters.
            kind: A ``DeviceClass``.
            status: A ``CmDevRegStat``: Any, Registered, UnRegistered …

        Raises:
            NodeError: As :meth:`registrations`.
            ValueError: *pattern* is empty. Nothing was sent.
        """
        if not pattern:
            message = "expected a name or a pattern, saw an empty text"
            raise ValueError(message)
        best: dict[str, _Record] = {}
        listed: set[tuple[str, str]] = set()
        states, seen = [""], 0
        while True:
            request = request_for(
                (pattern,),
                operation=_PLAIN,
                kind=kind,
                state=states[-1],
                status=status,
                most=self.page,
            )
            answer = await self._ask(request, f"{_PLAIN} of {kind} {pattern}")
            with self._channel.redacting():
                result, state = _result(answer, self._channel.where)
                records = list(_records(result, self._channel.where))
                total = _total(result, self._channel.where)
            for name, record in records:
                best[name] = max(best.get(name, record), record)
            # What an earlier page listed does not count again, as if the page were another one.
            new = [pair for name, record in records if (pair := (name, record.node)) not in listed]
            seen += len(new)
            if seen >= total:
                return {name: _registration(name, record) for name, record in best.items()}
            if not new or not state or state in states:
                _incomplete(self._channel.where, f"{seen} of {total} devices, and no way on")
            listed.update(new)
            states.append(state)

    async def _ask(self, request: ET.Element, did: str) -> ET.Element:
        return await self._budget.ask(
            lambda: self._channel.call(local_name(request), request, did=did),
            attempts=self._attempts,
            back_off_s=self._back_off_s,
        )


def request_for(
    names: Sequence[str],
    *,
    operation: str = "selectCmDeviceExt",
    kind: DeviceClass = DeviceClass.PHONE,
    state: str = "",
    status: str = "Any",
    most: int = 1000,
) -> ET.Element:
    """The request for *names*: the order of the fields is fixed, and all are qualified.

    Args:
        names: Devices, or one pattern for ``selectCmDevice``.
        operation: ``selectCmDevice`` or ``selectCmDeviceExt``.
        kind: A ``DeviceClass``.
        state: StateInfo of the page before, verbatim; empty for the first.
        status: A ``CmDevRegStat``.
        most: MaxReturnedDevices, 1 to 1000.
    """
    request = ET.Element(f"{{{_NAMESPACE}}}{operation}")
    sequence(request, [("StateInfo", state)], _NAMESPACE)
    criteria = ET.SubElement(request, f"{{{_NAMESPACE}}}CmSelectionCriteria")
    sequence(
        criteria,
        [
            ("MaxReturnedDevices", str(most)),
            ("DeviceClass", kind.value),
            ("Model", str(_ANY_MODEL)),
            ("Status", status),
            ("NodeName", ""),
            ("SelectBy", "Name"),
        ],
        _NAMESPACE,
    )
    items = ET.SubElement(criteria, f"{{{_NAMESPACE}}}SelectItems")
    for name in names:
        item = ET.SubElement(items, f"{{{_NAMESPACE}}}item")
        sequence(item, [("Item", name)], _NAMESPACE)
    sequence(criteria, [("Protocol", "Any"), ("DownloadStatus", "Any")], _NAMESPACE)
    return request


def read_answer(answer: ET.Element, names: Sequence[str], where: str) -> dict[str, Registration]:
    """What *answer* says about *names*.

    The answer to selectCmDeviceExt is called selectCmDeviceResponse; its children come qualified
    or not.

    Raises:
        NodeFault: A node did not answer, or the answer does not hold all that was found.
        UnknownLayout: It cannot be read.
    """
    result, _ = _result(answer, where)
    asked = {name.casefold(): name for name in names}
    best: dict[str, _Record] = {}
    listed = 0
    for name, record in _records(result, where):
        listed += 1
        known = asked.get(name.casefold())
        if known is not None:
            best[known] = max(best.get(known, record), record)
    total = _total(result, where)
    # A record that is left out may be of a phone that another node lists as gone.
    if listed < total and not all(name in best and best[name].registered for name in names):
        _incomplete(where, f"{listed} of {total} devices in the answer")
    return {
        name: _registration(name, best[name])
        if name in best
        else Registration(name, registered=False)
        for name in names
    }


def _addresses(answer: ET.Element) -> dict[str, str]:
    """The first IP address of each registered device of *answer*, which has been read."""
    result, _ = _result(answer, "")
    return {
        text_of(device, "Name"): address
        for entry in children(child(result, "CmNodes"), "item")
        for device in children(child(entry, "CmDevices"), "item")
        if text_of(device, "Status") == _REGISTERED
        and (address := text_of(child(child(device, "IPAddress"), "item"), "IP"))
    }


class _Record(NamedTuple):
    """One device of an answer; the greatest of several is the one that counts."""

    registered: bool
    stamp: int
    node: str


def _result(answer: ET.Element, where: str) -> tuple[ET.Element, str]:
    """SelectCmDeviceResult, and the StateInfo beside it."""
    if local_name(answer) not in {"selectCmDeviceResponse", "selectCmDeviceExtResponse"}:
        _unknown(where, f"an element {local_name(answer)}")
    outer = child(answer, "selectCmDeviceReturn")
    if outer is None:
        outer = child(answer, "selectCmDeviceExtReturn")
    result = child(outer, "SelectCmDeviceResult")
    if result is None or child(result, "CmNodes") is None:
        _unknown(where, "no SelectCmDeviceResult with CmNodes")
    state = child(outer, "StateInfo")
    return result, "" if state is None else state.text or ""


def _total(result: ET.Element, where: str) -> int:
    total = text_of(result, "TotalDevicesFound")
    if re.fullmatch(r"[0-9]{1,9}", total) is None:
        _unknown(where, f"TotalDevicesFound {total!r}")
    return int(total)


def _records(result: ET.Element, where: str) -> Iterator[tuple[str, _Record]]:
    entries = list(children(child(result, "CmNodes"), "item"))
    if not entries:
        _incomplete(where, "no node of the cluster is in the answer")
    for entry in entries:
        node = text_of(entry, "Name")
        code = text_of(entry, "ReturnCode")
        if code not in {"Ok", "NotFound"}:
            _incomplete(where, f"ReturnCode {code or 'missing'!r} of node {node or 'unnamed'!r}")
        # "true" says that nothing changed since the StateInfo that was sent, and lists nothing.
        # Published answers may lack it; then TotalDevicesFound tells if something is left out.
        unchanged = text_of(entry, "NoChange")
        if unchanged not in {"", "false", "0"}:
            _incomplete(where, f"NoChange {unchanged!r} of node {node or 'unnamed'!r}")
        for device in children(child(entry, "CmDevices"), "item"):
            name = text_of(device, "Name")
            status = text_of(device, "Status")
            stamp = text_of(device, "TimeStamp")
            if not name or status not in _STATUSES or _STAMP.fullmatch(stamp) is None:
                _unknown(where, f"a device {name!r} with Status {status!r}, TimeStamp {stamp!r}")
            if status == _REGISTERED and not node:
                _unknown(where, f"{name} is registered with a node that has no name")
            yield name, _Record(status == _REGISTERED, int(stamp or 0), node)


def _registration(name: str, record: _Record) -> Registration:
    at = datetime.fromtimestamp(record.stamp, UTC) if record.stamp else None
    return Registration(name, record.registered, record.node if record.registered else "", at)


def _unknown(where: str, saw: str) -> NoReturn:
    raise UnknownLayout(
        Report(
            headline=f"{where} answered in a form that we cannot read",
            expected="selectCmDeviceResponse with nodes and devices",
            saw=saw,
        )
    )


def _incomplete(where: str, saw: str) -> NoReturn:
    raise NodeFault(
        Report(
            headline=f"{where} did not say everything about the devices",
            saw=saw,
            left="what it did say is not used: one that is missing there may be registered",
        )
    )
