"""RISPort70: which phones are registered, where, and since when."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final, NoReturn

import httpx

from cucm_certflow.errors import NodeFault, RateLimited, Report, UnknownLayout
from cucm_certflow.facts import Registration
from cucm_certflow.inventory import Account, NodeEntry
from cucm_certflow.transports.axl import host_of
from cucm_certflow.transports.breaker import Breaker
from cucm_certflow.transports.budget import RateBudget
from cucm_certflow.transports.pins import WEB_PORT, Pins
from cucm_certflow.transports.soap import (
    Login,
    SoapChannel,
    child,
    children,
    local_name,
    sequence,
    text_of,
)

__all__ = ["RisClient"]

_NAMESPACE: Final = "http://schemas.cisco.com/ast/soap"
_PATH: Final = "/realtimeservice2/services/RISService70"
_OPERATION: Final = "selectCmDeviceExt"
_PAGE: Final = 1000
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
        account: The application user.
        pins: Who the node must prove to be.
        breaker: Shared by all ways to the cluster.
        budget: Shared by all who ask this cluster; 10 requests a minute if it is not given.
        port: Where it is reached; the pin is that of 8443 all the same.
        timeout_s: Real seconds for one request.
        back_off_s: Real seconds to hold off after the first rate fault, doubled for each more.
        attempts: How often a page that was throttled is asked for, in all; 1 or more.
        page: Names per request, 1 to 1000.
        legacy: As for :func:`~cucm_certflow.transports.pins.plain_context`.
        transport: Instead of the network; for tests.
    """

    def __init__(
        self,
        node: NodeEntry,
        account: Account,
        *,
        pins: Pins,
        breaker: Breaker,
        budget: RateBudget | None = None,
        port: int = WEB_PORT,
        timeout_s: float = 60.0,
        back_off_s: float = 10.0,
        attempts: int = 3,
        page: int = _PAGE,
        legacy: bool = False,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        if not 0 < page <= _PAGE:
            message = f"page must be 1 to {_PAGE}, saw {page}"
            raise ValueError(message)
        self._budget = budget or RateBudget()
        self._back_off_s = back_off_s
        self._attempts = attempts
        self._page = page
        self._channel = SoapChannel(
            f"https://{host_of(node.address)}:{port}{_PATH}",
            node.name,
            Login(account, breaker),
            pins=pins,
            role=_ROLE,
            timeout_s=timeout_s,
            legacy=legacy,
            transport=transport,
        )

    async def aclose(self) -> None:
        """Let go of connections; idempotent."""
        await self._channel.aclose()

    async def registrations(self, names: Sequence[str]) -> dict[str, Registration]:
        """The registration of each of *names*; a phone that no node knows is not registered.

        A phone that several nodes list is registered if one of them says so: the node that it
        has left notices that later than the new one sees it come. Among equals the newest
        record counts.

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
        for start in range(0, len(unique), self._page):
            page = unique[start : start + self._page]
            found |= read_answer(await self._ask(page), page, self._channel.where)
        return found

    async def _ask(self, page: Sequence[str]) -> ET.Element:
        did = f"{_OPERATION} of {len(page)} names"
        for attempt in range(1, self._attempts + 1):
            await self._budget.take()
            try:
                return await self._channel.call(_OPERATION, request_for(page), did=did)
            except RateLimited:
                self._budget.hold_off(self._back_off_s * 2 ** (attempt - 1))
                if attempt >= self._attempts:
                    raise
        raise AssertionError


def request_for(names: Sequence[str]) -> ET.Element:
    """The request for *names*: the order of the fields is fixed, and all are qualified."""
    request = ET.Element(f"{{{_NAMESPACE}}}{_OPERATION}")
    sequence(request, [("StateInfo", "")], _NAMESPACE)
    criteria = ET.SubElement(request, f"{{{_NAMESPACE}}}CmSelectionCriteria")
    sequence(
        criteria,
        [
            ("MaxReturnedDevices", str(_PAGE)),
            ("DeviceClass", "Phone"),
            ("Model", str(_ANY_MODEL)),
            ("Status", "Any"),
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
    if local_name(answer) not in {"selectCmDeviceResponse", "selectCmDeviceExtResponse"}:
        _unknown(where, f"an element {local_name(answer)}")
    outer = child(answer, "selectCmDeviceReturn")
    if outer is None:
        outer = child(answer, "selectCmDeviceExtReturn")
    result = child(outer, "SelectCmDeviceResult")
    nodes = child(result, "CmNodes")
    if nodes is None:
        _unknown(where, "no SelectCmDeviceResult with CmNodes")
    asked = {name.casefold(): name for name in names}
    best: dict[str, tuple[bool, int, str]] = {}
    listed = 0
    entries = list(children(nodes, "item"))
    if not entries:
        _incomplete(where, "no node of the cluster is in the answer")
    for entry in entries:
        node = text_of(entry, "Name")
        code = text_of(entry, "ReturnCode")
        if code not in {"Ok", "NotFound"}:
            _incomplete(where, f"ReturnCode {code or 'missing'!r} of node {node or 'unnamed'!r}")
        for name, record in _devices(entry, node, where):
            listed += 1
            known = asked.get(name.casefold())
            if known is not None:
                best[known] = max(best.get(known, record), record)
    total = text_of(result, "TotalDevicesFound")
    if not total.isdecimal():
        _unknown(where, f"TotalDevicesFound {total!r}")
    if listed < int(total) and len(best) < len(asked):
        _incomplete(where, f"{listed} of {total} devices in the answer")
    return {
        name: _registration(name, best[name])
        if name in best
        else Registration(name, registered=False)
        for name in names
    }


def _devices(
    entry: ET.Element, node: str, where: str
) -> Iterator[tuple[str, tuple[bool, int, str]]]:
    for device in children(child(entry, "CmDevices"), "item"):
        name = text_of(device, "Name")
        status = text_of(device, "Status")
        stamp = text_of(device, "TimeStamp")
        if not name or status not in _STATUSES or _STAMP.fullmatch(stamp) is None:
            _unknown(where, f"a device {name!r} with Status {status!r}, TimeStamp {stamp!r}")
        yield name, (status == _REGISTERED, int(stamp or 0), node)


def _registration(name: str, record: tuple[bool, int, str]) -> Registration:
    registered, stamp, node = record
    at = datetime.fromtimestamp(stamp, UTC) if stamp else None
    return Registration(name, registered, node if registered else "", at)


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
            headline=f"{where} did not say everything about the phones",
            saw=saw,
            left="what it did say is not used: a phone that is missing there may be registered",
        )
    )
