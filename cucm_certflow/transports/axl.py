"""AXL behind the seam, on the publisher: the database, and resetting phones one by one."""

from __future__ import annotations

import re
from typing import Final

import attrs

from cucm_certflow.commands import Command, Reply, ReplyKind, ResetPhones
from cucm_certflow.errors import (
    Report,
    UnknownLayout,
)
from cucm_certflow.facts import (
    CallManagerGroups,
    ClusterMember,
    DevicePools,
    Fact,
    Members,
    Parameter,
    Phones,
    Query,
    Unknown,
    VersionOf,
)
from cucm_certflow.names import Interface
from cucm_certflow.transports.access import Access
from cucm_certflow.transports.axl_client import AxlClient
from cucm_certflow.transports.base import look
from cucm_certflow.transports.queries import DatabaseReader
from cucm_certflow.transports.resets import Resets

__all__ = ["AxlClient", "AxlTransport"]


class AxlTransport:
    """What the database says, and resetting phones: AXL on the publisher behind the seam.

    Args:
        access: What the clients of the cluster share.
        version: As for :class:`AxlClient`.
        page: Phones per query; 1 or more.
        reset_concurrency: Phones reset at the same time, 1 to 8.
        busy_pause_s: Seconds of the clock to wait when AXL is throttled.
    """

    interface: Final = Interface.AXL

    def __init__(
        self,
        access: Access,
        *,
        version: str = "11.5",
        page: int = 2000,
        reset_concurrency: int = 1,
        busy_pause_s: float = 5.0,
    ) -> None:
        self._clock = access.clock
        self._access = access
        self._publisher = access.inventory.publisher
        self._names = frozenset(node.name for node in access.inventory.nodes)
        self._by = f"{Interface.AXL} {self._publisher.name}"
        self.client = AxlClient(
            self._publisher, access, version=version, retry_pause_s=busy_pause_s
        )
        self._database = DatabaseReader(self.client.sql, access.node_called, page=page)
        self._resets = Resets(
            self.client.reset_phone,
            access.clock,
            concurrency=reset_concurrency,
            busy_pause_s=busy_pause_s,
        )

    def supports(self, what: Query | Command) -> bool:
        """Whether AXL can answer or do *what*; it sends nothing."""
        if isinstance(what, VersionOf):
            return what.node in self._names
        kinds = (Members, Parameter, Phones, CallManagerGroups, DevicePools, ResetPhones)
        return isinstance(what, kinds)

    async def observe(self, query: Query) -> Fact:
        """Ask; see :class:`~cucm_certflow.transports.base.Transport`."""
        match query:
            case Members():
                return await look(self._clock, self._by, self._members)
            case VersionOf() if self.supports(query):
                return await look(self._clock, self._by, lambda: self._version(query.node))
            case Parameter(name):
                return await look(self._clock, self._by, lambda: self._database.parameter(name))
            case Phones():
                return await look(self._clock, self._by, self._database.phones)
            case CallManagerGroups():
                return await look(self._clock, self._by, self._database.groups)
            case DevicePools():
                return await look(self._clock, self._by, self._database.pools)
            case _:
                return Unknown(f"AXL does not answer {query}", self._clock.now(), self._by)

    async def perform(self, command: Command) -> Reply:
        """Do it; see :class:`~cucm_certflow.transports.base.Transport`.

        A phone on which the node reports a fault is left out and named in the reply. A reply
        that is lost ends it: what comes after is not sent.
        """
        if not isinstance(command, ResetPhones):
            return Reply(ReplyKind.REFUSED, f"AXL cannot do: {command}", sent=False)
        return await self._resets.reset(command.names)

    async def aclose(self) -> None:
        """Let go of connections; idempotent."""
        await self.client.aclose()

    async def _members(self) -> tuple[ClusterMember, ...]:
        return tuple(
            attrs.evolve(member, name=self._access.node_called(member.name))
            for member in await self.client.members()
        )

    async def _version(self, node: str) -> str:
        """The version as the platform CLI prints it: ``11.5.1.12900-21``."""
        asked = "" if node == self._publisher.name else node
        version = await self.client.version(asked)
        found = re.fullmatch(r"(\d+(?:\.\d+){1,4})(?:\((\d+)\))?", version)
        if found is None:
            raise UnknownLayout(
                Report(
                    headline=f"{self._by} gives a version in a form that we cannot read",
                    expected="a version such as 11.5.1.12900(21)",
                    saw=version[:80],
                )
            )
        return f"{found[1]}-{found[2]}" if found[2] else found[1]
