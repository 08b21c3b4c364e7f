"""Registrations of each node, and what its TFTP has served: PerfMon behind the seam."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NoReturn

from cucm_certflow.commands import Command, Reply, ReplyKind
from cucm_certflow.errors import NodeFault, NodeUnreachable, NotServed, Report, UnknownLayout
from cucm_certflow.facts import Fact, Query, RegistrationCounts, TftpCounters, Unknown
from cucm_certflow.inventory import NodeEntry
from cucm_certflow.names import Interface
from cucm_certflow.transports.access import Access
from cucm_certflow.transports.base import look
from cucm_certflow.transports.perfmon_client import CounterPath, CounterValue, PerfmonClient
from cucm_certflow.transports.soap import SoapFault

__all__ = ["CALLMANAGER_OBJECT", "TFTP_OBJECT", "PerfmonClient", "PerfmonTransport"]

CALLMANAGER_OBJECT: Final = "Cisco CallManager"
"""The object with the registrations of a node."""

TFTP_OBJECT: Final = "Cisco TFTP Server"
"""The object with what a node's TFTP has served."""


class PerfmonTransport:
    """Registrations and TFTP counters per node: PerfMon behind the seam.

    The publisher is asked about all nodes. Where it cannot be reached, or has no PerfMon, the node
    in question is asked itself; if that is the publisher, the next one of the inventory, which is
    assumed to be a CUCM node. A host is called as the inventory calls it; if the node that is asked
    answers that with a fault, by its address.

    Args:
        access: What the clients of the cluster share.
        back_off_s: As for :class:`PerfmonClient`.
    """

    interface: Final = Interface.PERFMON

    def __init__(self, access: Access, *, back_off_s: float = 10.0) -> None:
        self._access = access
        self._back_off_s = back_off_s
        self._names = frozenset(node.name for node in access.inventory.nodes)
        self._clients: dict[str, PerfmonClient] = {}
        self._hosts: dict[str, str] = {}
        """By node, what PerfMon has answered to."""

    def supports(self, what: Query | Command) -> bool:
        """Whether PerfMon can answer *what*; it sends nothing."""
        return isinstance(what, RegistrationCounts | TftpCounters) and what.node in self._names

    async def observe(self, query: Query) -> Fact:
        """Ask; see :class:`~cucm_certflow.transports.base.Transport`.

        A counter whose value is not valid is left out.
        """
        match query:
            case RegistrationCounts(node) if self.supports(query):
                object_name = CALLMANAGER_OBJECT
            case TftpCounters(node) if self.supports(query):
                object_name = TFTP_OBJECT
            case _:
                reason = f"{self.interface} does not answer {query}"
                return Unknown(reason, self._access.clock.now(), self.interface)
        by = f"{self.interface} {node}"
        return await look(self._access.clock, by, lambda: self._counters(node, object_name))

    async def perform(self, command: Command) -> Reply:
        """Nothing can be done over PerfMon: always refused, and nothing is sent."""
        return Reply(ReplyKind.REFUSED, f"{self.interface} cannot do: {command}", sent=False)

    async def aclose(self) -> None:
        """Let go of connections; idempotent."""
        for client in self._clients.values():
            await client.aclose()

    # ── asking ────────────────────────────────────────────────────────────────────────────

    async def _counters(self, node: str, object_name: str) -> Mapping[str, int]:
        entry = self._access.inventory.node(node)
        first, *others = self._whom_to_ask(entry)
        try:
            values = await self._collect(first, entry, object_name)
        except (NodeUnreachable, NodeFault) as error:
            if not others or (isinstance(error, NodeFault) and not isinstance(error, NotServed)):
                raise
            values = await self._collect(others[0], entry, object_name)
        return self._counted(values, object_name, node)

    def _whom_to_ask(self, entry: NodeEntry) -> list[NodeEntry]:
        publisher = self._access.inventory.publisher
        others = [each for each in (entry, *self._access.inventory.nodes) if each != publisher]
        return [publisher, *others]

    async def _collect(
        self, asked: NodeEntry, entry: NodeEntry, object_name: str
    ) -> tuple[CounterValue, ...]:
        if asked.name not in self._clients:
            self._clients[asked.name] = PerfmonClient(
                asked, self._access, back_off_s=self._back_off_s
            )
        client = self._clients[asked.name]
        host = self._hosts.get(entry.name, entry.name)
        try:
            values = await client.collect_counter_data(host, object_name)
        except SoapFault as error:
            other = entry.address if host == entry.name else entry.name
            if other == host:
                raise
            try:
                values = await client.collect_counter_data(other, object_name)
            except SoapFault:
                raise error from None
            host = other
        self._hosts[entry.name] = host
        return values

    # ── reading ───────────────────────────────────────────────────────────────────────────

    def _counted(
        self, values: Sequence[CounterValue], object_name: str, node: str
    ) -> Mapping[str, int]:
        """The good ones of *values* by counter.

        Raises:
            NodeFault: There is none.
            UnknownLayout: They are of another object or host, or a counter is there twice.
        """
        counted: dict[str, int] = {}
        for each in values:
            if not self._is_about(each.path, object_name, node):
                _unreadable(node, object_name, str(each.path))
            if not each.is_good or each.value < 0:  # what is counted here is never negative
                continue
            if each.path.counter in counted:
                _unreadable(node, object_name, f"{each.path} twice")
            counted[each.path.counter] = each.value
        if not counted:
            raise NodeFault(
                Report(
                    headline=f"{node} has no counters of {object_name}",
                    saw=f"{len(values)} counters, none of them valid",
                    left="its service may be stopped",
                )
            )
        return MappingProxyType(counted)

    def _is_about(self, path: CounterPath, object_name: str, node: str) -> bool:
        """Whether *path* is a counter of *object_name* on *node*, and of no single instance."""
        asked_for = self._hosts.get(node, node).casefold()
        is_node = path.host.casefold() == asked_for or self._access.node_called(path.host) == node
        return is_node and path.object.casefold() == object_name.casefold() and not path.instance


def _unreadable(node: str, object_name: str, saw: str) -> NoReturn:
    raise UnknownLayout(
        Report(
            headline=f"PerfMon answered about {node} in a form that we cannot read",
            expected=f"each counter of {object_name} on {node} once, and nothing else",
            saw=saw[:240],
        )
    )
