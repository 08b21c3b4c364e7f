"""Which certificates a cluster's TLS ports show, as one transport: handshakes and nothing else."""

from __future__ import annotations

from typing import Final

from cucm_certflow.commands import Command, Reply, ReplyKind
from cucm_certflow.facts import Fact, PresentedCertificate, Query, Unknown
from cucm_certflow.names import Interface
from cucm_certflow.transports.access import Access
from cucm_certflow.transports.base import look
from cucm_certflow.transports.pins import WEB_PORT
from cucm_certflow.transports.presented import presented_fingerprint

__all__ = ["TlsTransport"]

_PORTS: Final = frozenset({WEB_PORT, 2445, 5061, 3804})
"""Tomcat, TVS, CallManager (SIP over TLS), CAPF."""


class TlsTransport:
    """Looks at the ports that the certificates of a node are for.

    It needs no account and no pin, and what it sees must never become one. Where CallManager asks
    for the phone's certificate, it shows its own before it refuses us.

    Args:
        access: What the clients of the cluster share.
    """

    interface: Final = Interface.TLS

    def __init__(self, access: Access) -> None:
        self._access = access
        self._addresses = {node.name: node.address for node in access.inventory.nodes}

    def supports(self, what: Query | Command) -> bool:
        """Whether *what* is about a TLS port of a known node; it sends nothing."""
        return (
            isinstance(what, PresentedCertificate)
            and what.node in self._addresses
            and what.port in _PORTS
        )

    async def observe(self, query: Query) -> Fact:
        """Ask; see :class:`~cucm_certflow.transports.base.Transport`.

        One or two connections are made, with nothing but a handshake in each.
        """
        if not isinstance(query, PresentedCertificate) or not self.supports(query):
            reason = f"a {self.interface} does not answer {query}"
            return Unknown(reason, self._access.clock.now(), self.interface)
        by = f"{self.interface} {query.node}:{query.port}"
        return await look(self._access.clock, by, lambda: self._presented(query))

    async def perform(self, command: Command) -> Reply:
        """Nothing is done by a handshake: REFUSED, and nothing was sent."""
        return Reply(ReplyKind.REFUSED, f"a {self.interface} cannot do: {command}", sent=False)

    async def aclose(self) -> None:
        """Nothing is kept open; idempotent."""

    async def _presented(self, query: PresentedCertificate) -> str:
        access = self._access
        return await presented_fingerprint(
            self._addresses[query.node],
            access.web_port if query.port == WEB_PORT else query.port,
            access.look_timeout_s,
            algorithm=query.algorithm,
            legacy=access.inventory.legacy_crypto,
            before_each=lambda: access.budgets.note(self.interface),
        )
