"""What all web clients of one cluster share: nodes, accounts, time, pins, budgets, and the wire."""

from __future__ import annotations

from typing import Final, Protocol

import attrs
import httpx

from cucm_certflow.clock import Clock
from cucm_certflow.inventory import Inventory, NodeEntry
from cucm_certflow.transports.breaker import Breaker
from cucm_certflow.transports.budget import Budgets
from cucm_certflow.transports.pins import WEB_PORT, Pins

__all__ = ["TFTP_PORT", "Access", "Wire", "host_of"]

TFTP_PORT: Final = 6970
"""Where every TFTP node serves trust lists over HTTP."""


class Wire(Protocol):
    """Makes the HTTP transport for a node instead of the network; or wraps the network's own."""

    def __call__(
        self, node: NodeEntry, network: httpx.AsyncBaseTransport, /
    ) -> httpx.AsyncBaseTransport:
        """The transport to use towards *node*; *network* is what would be used otherwise."""
        ...


@attrs.frozen(kw_only=True, eq=False)
class Access:
    """What the web clients of one cluster are made with. It belongs to one event loop.

    Attributes:
        inventory: The nodes, publisher first, and the accounts.
        clock: Gives facts their instants, and measures pauses.
        pins: Who a node must prove to be before it gets a request.
        breaker: Shared by all ways to the cluster.
        budgets: Shared by all who talk to the cluster.
        timeout_s: Real seconds for one request; over 0.
        look_timeout_s: Real seconds for a trust list or a handshake; over 0.
        web_port: Where HTTPS is reached; the pin is that of 8443 all the same.
        tftp_port: Where trust lists are served over HTTP.
        wire: Wraps or replaces the network, for recordings and for tests.
    """

    inventory: Inventory
    clock: Clock
    pins: Pins
    breaker: Breaker
    budgets: Budgets
    timeout_s: float = 60.0
    look_timeout_s: float = 10.0
    web_port: int = WEB_PORT
    tftp_port: int = TFTP_PORT
    wire: Wire | None = None

    def through(
        self, node: NodeEntry, network: httpx.AsyncBaseTransport
    ) -> httpx.AsyncBaseTransport:
        """*network*, or what :attr:`wire` makes of it."""
        return network if self.wire is None else self.wire(node, network)

    def node_called(self, name: str) -> str:
        """The inventory's name of a node that the cluster calls *name*; *name* if it has none.

        The database and the web interfaces name nodes short, with domain, or by address.
        """
        wanted = name.casefold()
        for node in self.inventory.nodes:
            if wanted in {node.name.casefold(), node.address.casefold()}:
                return node.name
        short = wanted.partition(".")[0]
        for node in self.inventory.nodes:
            if node.name.partition(".")[0].casefold() == short and not short.isdecimal():
                return node.name
        return name


def host_of(address: str) -> str:
    """*address* as it stands in a URL: IPv6 in brackets."""
    return f"[{address}]" if ":" in address and not address.startswith("[") else address
