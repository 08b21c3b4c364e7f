"""The platform command lines of all nodes as one way to the cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from cucm_certflow.clock import Clock
from cucm_certflow.commands import Command, Reply, ReplyKind
from cucm_certflow.facts import Fact, Query, Unknown
from cucm_certflow.names import Interface
from cucm_certflow.transports.vos.ssh import VosTransport

__all__ = ["Shells"]


class Shells:
    """Asks each node on its own command line, and the publisher about the cluster.

    Args:
        shells: By node.
        publisher: Who is asked about the cluster.
        clock: Gives facts their instants.
    """

    interface: Final = Interface.SSH

    def __init__(self, shells: Mapping[str, VosTransport], *, publisher: str, clock: Clock) -> None:
        self._shells = dict(shells)
        self._publisher = publisher
        self._clock = clock

    def supports(self, what: Query | Command) -> bool:
        """Whether the node in question can answer or do *what*."""
        shell = self._of(what)
        return shell is not None and shell.supports(what)

    async def observe(self, query: Query) -> Fact:
        """Ask the node; see :class:`~cucm_certflow.transports.base.Transport`."""
        shell = self._of(query)
        if shell is None:
            return Unknown("there is no such node", self._clock.now(), self.interface)
        return await shell.observe(query)

    async def perform(self, command: Command) -> Reply:
        """Send *command* once; see :class:`~cucm_certflow.transports.base.Transport`."""
        shell = self._of(command)
        if shell is None:
            return Reply(ReplyKind.REFUSED, f"not sent: no node {command.node}", sent=False)
        return await shell.perform(command)

    async def aclose(self) -> None:
        """Close all shells; idempotent."""
        await asyncio.gather(*(shell.aclose() for shell in self._shells.values()))

    def _of(self, what: Query | Command) -> VosTransport | None:
        node: str = getattr(what, "node", self._publisher)
        return self._shells.get(node)
