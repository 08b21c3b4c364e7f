"""AXL as one node speaks it: versions, lists, SQL, and resetting one phone."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from typing import Final, NoReturn

from cucm_certflow.errors import (
    NodeUnreachable,
    RateLimited,
    Report,
    UnknownLayout,
)
from cucm_certflow.facts import (
    ClusterMember,
)
from cucm_certflow.inventory import NodeEntry
from cucm_certflow.names import Interface, Product
from cucm_certflow.transports.access import Access
from cucm_certflow.transports.http import HttpChannel, Login, NotSent, shown
from cucm_certflow.transports.queries import AnswerTooLarge
from cucm_certflow.transports.soap import (
    SoapChannel,
    SoapFault,
    WrongVersion,
    child,
    envelope,
    local_name,
    sequence,
    text_of,
)

__all__ = ["AxlClient"]

_NAMESPACE: Final = "http://www.cisco.com/AXL/API/{}"
_VERSION: Final = re.compile(r"\d{1,2}\.\d{1,2}")
_READ: Final = "Standard AXL API Access or Standard AXL Read Only API Access"
_WRITE: Final = "Standard AXL API Access"
_TOO_LARGE: Final = re.compile(r"Query request too large(?:.*less than (\d{1,9}) rows)?", re.DOTALL)
_PRODUCTS: Final = {
    "CUCM Voice/Video": Product.CALLMANAGER.value,
    "CUCM IM and Presence": Product.IM_PRESENCE.value,
}
"""AXL's words for what ``show network cluster`` calls callmanager and cups."""
_NO: Final = frozenset({"false", "f", "0"})
_NO_NODE: Final = "EnterpriseWideData"
"""A row of the table of nodes that is no node."""


class AxlClient:
    """Speaks AXL to one node, which has to be the publisher.

    Args:
        node: Its name is that of its pins.
        access: What the clients of the cluster share.
        version: AXL's schema version to begin with, for example 11.5. A node speaks its own and
            two majors before it; one that does not speak this one says what it speaks, and the
            newest of that is taken.
        retry_pause_s: Seconds before a question that was throttled is put again.
    """

    def __init__(
        self,
        node: NodeEntry,
        access: Access,
        *,
        version: str = "11.5",
        retry_pause_s: float = 5.0,
    ) -> None:
        if _VERSION.fullmatch(version) is None:
            message = f"expected an AXL version such as 11.5, saw {version!r}"
            raise ValueError(message)
        self.schema_version = version
        self._agreed = False
        self._clock = access.clock
        self._budgets = access.budgets
        self._retry_pause_s = retry_pause_s
        self._channel = SoapChannel(
            HttpChannel(
                node,
                "/axl/",
                Login(access.inventory.application, access.breaker),
                access=access,
                interface=Interface.AXL,
                role=_READ,
            )
        )

    async def aclose(self) -> None:
        """Let go of connections; idempotent."""
        await self._channel.aclose()

    async def sql(self, query: str) -> list[dict[str, str]]:
        """The rows that *query* selects; a column that is null is an empty text.

        Asked again once if the node is busy. Cancelling it leaves nothing behind.

        Raises:
            NodeError: As :meth:`SoapChannel.call <cucm_certflow.transports.soap.SoapChannel.call>`.
            AnswerTooLarge: The node gives fewer rows at a time (its answers end at 8 MB).
        """
        did = f"executeSQLQuery: {query[:120]}"
        async with self._budgets.axl_large:
            try:
                answer = await self._ask("executeSQLQuery", [("sql", query)], did)
            except SoapFault as error:
                found = _TOO_LARGE.search(error.report.saw)
                if found is None:
                    raise
                rows = int(found[1]) if found[1] else None
                raise AnswerTooLarge(error.report, rows) from error
        returned = self._returned(answer, "executeSQLQuery")
        return [
            {local_name(column): self._text(column) for column in row}
            for row in self._each(returned, "row")
        ]

    async def members(self) -> tuple[ClusterMember, ...]:
        """The nodes of the cluster as ``listProcessNode`` names them: by name, domain or address.

        Raises:
            NodeError: As :meth:`sql`.
        """
        found: list[ClusterMember] = []
        for node in await self._list(
            "listProcessNode", ("name", "nodeUsage", "processNodeRole"), "processNode"
        ):
            name, usage = text_of(node, "name"), text_of(node, "nodeUsage")
            role = text_of(node, "processNodeRole")
            if name == _NO_NODE:
                continue
            if not name or usage not in {"Publisher", "Subscriber"} or role not in _PRODUCTS:
                self._unreadable("a node with name, nodeUsage, processNodeRole", node)
            is_publisher = usage == "Publisher"
            calls = _PRODUCTS[role] == Product.CALLMANAGER.value
            found.append(
                ClusterMember(
                    name=name,
                    address=name,
                    product=_PRODUCTS[role],
                    is_publisher=is_publisher and calls,
                    is_database_publisher=is_publisher,
                )
            )
        if not any(member.is_publisher for member in found):
            self._not_read("nodes, a publisher among them", f"{len(found)} nodes without one")
        return tuple(found)

    async def device_pools(self) -> dict[str, str]:
        """The CallManager group of each device pool (``listDevicePool``); NodeError as :meth:`sql`.

        A pool without a group has an empty text.
        """
        tags = ("name", "callManagerGroupName")
        pools = await self._list("listDevicePool", tags, "devicePool")
        return {self._named(pool): text_of(pool, "callManagerGroupName") for pool in pools}

    async def callmanager_groups(self) -> tuple[str, ...]:
        """The names of all CallManager groups (``listCallManagerGroup``).

        Raises:
            NodeError: As :meth:`sql`.
        """
        groups = await self._list("listCallManagerGroup", ("name",), "callManagerGroup")
        return tuple(self._named(group) for group in groups)

    async def callmanager_group(self, name: str) -> tuple[str, ...]:
        """The CallManagers of the group called *name* in order of priority.

        Raises:
            NodeError: As :meth:`sql`; a SoapFault with code 5007 if there is no such group.
        """
        did = f"getCallManagerGroup {name}"
        answer = await self._ask("getCallManagerGroup", [("name", name)], did)
        returned = self._returned(answer, "getCallManagerGroup")
        members = child(child(returned, "callManagerGroup"), "members")
        if members is None:
            self._unreadable("a callManagerGroup with members", returned)
        ranked: list[tuple[int, str]] = []
        for member in self._each(members, "member"):
            called, priority = text_of(member, "callManagerName"), text_of(member, "priority")
            if not called or re.fullmatch(r"[0-9]{1,9}", priority) is None:
                self._unreadable("members with callManagerName and priority", member)
            ranked.append((int(priority), called))
        return tuple(called for _, called in sorted(ranked))

    async def reset_phone(self, name: str, *, hard: bool = True) -> None:
        """Have the phone called *name* reset (``doDeviceReset``), or only restarted.

        Sent once, after the node's AXL version is known. A return says that the node took the
        request, not that the phone came back.

        Raises:
            NodeError: As for :meth:`sql`. NotSent, RateLimited and NodeFault mean that it was
                not done; after NodeUnreachable or UnknownLayout it may have been.
        """
        fields = [("deviceName", name), ("isHardReset", "true" if hard else "false")]
        envelope(self._request("doDeviceReset", fields))  # ValueError before anything is sent
        if not self._agreed:
            try:
                await self._version_element("", _WRITE)
            except (NodeUnreachable, UnknownLayout) as error:
                # Only a question was lost: of the reset nothing was sent.
                raise NotSent(error.report) from error
        answer = await self._send("doDeviceReset", fields, f"reset {name}", role=_WRITE)
        returned = self._returned(answer, "doDeviceReset")
        if (returned.text or "").strip() in _NO:
            # Nodes answer "true". Whether something was done after a no, nobody says.
            self._unreadable("a return that does not say no", returned)

    async def version(self, node: str = "") -> str:
        """A node's own version, for example ``11.5.1.12900(21)``; NodeError as :meth:`sql`.

        Args:
            node: As the cluster calls it (``processNodeName``); the publisher if not given.
        """
        returned = await self._version_element(node, _READ)
        version = text_of(child(returned, "componentVersion"), "version")
        if not version:
            self._unreadable("return/componentVersion/version", returned)
        return version

    async def _version_element(self, node: str, role: str) -> ET.Element:
        fields = [("processNodeName", node)] if node else []
        answer = await self._ask("getCCMVersion", fields, "getCCMVersion", role)
        return self._returned(answer, "getCCMVersion")

    # ── asking ────────────────────────────────────────────────────────────────────────────

    async def _list(
        self, operation: str, tags: Sequence[str], element: str
    ) -> tuple[ET.Element, ...]:
        request = self._request(operation, [])
        sequence(ET.SubElement(request, "searchCriteria"), [("name", "%")])
        sequence(ET.SubElement(request, "returnedTags"), [(tag, "") for tag in tags])
        async with self._budgets.axl_large:
            answer = await self._ask(operation, list(request), operation)
        return tuple(self._each(self._returned(answer, operation), element))

    def _request(
        self, operation: str, fields: Sequence[tuple[str, str]] | Sequence[ET.Element]
    ) -> ET.Element:
        # The operation is qualified, its children are not; both as in the schema.
        request = ET.Element(f"{{{_NAMESPACE.format(self.schema_version)}}}{operation}")
        for field in fields:
            if isinstance(field, ET.Element):
                request.append(field)
            else:
                sequence(request, [field])
        return request

    async def _send(
        self,
        operation: str,
        fields: Sequence[tuple[str, str]] | Sequence[ET.Element],
        did: str,
        role: str = "",
    ) -> ET.Element:
        action = f"CUCM:DB ver={self.schema_version} {operation}"
        request = self._request(operation, fields)
        async with self._budgets.axl:
            answer = await self._channel.call(action, request, did=did, role=role)
        self._agreed = True
        return answer

    async def _ask(
        self,
        operation: str,
        fields: Sequence[tuple[str, str]] | Sequence[ET.Element],
        did: str,
        role: str = "",
    ) -> ET.Element:
        """Send a question; once more if the node is busy, or speaks another version."""
        try:
            return await self._send(operation, fields, did, role)
        except RateLimited:
            await self._clock.sleep(self._retry_pause_s)
        except WrongVersion as error:
            if not error.speaks:
                raise
            self.schema_version = max(error.speaks, key=_in_order)
        return await self._send(operation, fields, did, role)

    def _returned(self, answer: ET.Element, operation: str) -> ET.Element:
        returned = child(answer, "return")
        if local_name(answer) != f"{operation}Response" or returned is None:
            self._unreadable(f"{operation}Response with a return", answer)
        return returned

    def _each(self, parent: ET.Element, name: str) -> Iterator[ET.Element]:
        """The children of *parent*; all have to be called *name*."""
        for each in parent:
            if local_name(each) != name:
                self._unreadable(f"nothing but {name} in {local_name(parent)}", parent)
            yield each

    def _named(self, element: ET.Element) -> str:
        name = text_of(element, "name")
        if not name:
            self._unreadable(f"a {local_name(element)} with a name", element)
        return name

    def _text(self, element: ET.Element) -> str:
        if len(element):
            self._unreadable(f"a text in {local_name(element)}", element)
        return (element.text or "").strip()

    def _unreadable(self, expected: str, saw: ET.Element) -> NoReturn:
        self._not_read(expected, shown(ET.tostring(saw), self._channel.redact))

    def _not_read(self, expected: str, saw: str) -> NoReturn:
        raise UnknownLayout(
            Report(
                headline=f"{self._channel.where} answered in a form that we cannot read",
                expected=expected,
                saw=saw,
            )
        )


def _in_order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
