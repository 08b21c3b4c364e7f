"""A lab cluster in virtual time whose web interfaces speak real messages, without sockets."""

from __future__ import annotations

from collections import Counter
from types import TracebackType
from typing import Final, NamedTuple, Self

import httpx

from cucm_certflow.clock import Clock
from cucm_certflow.cluster import Cluster
from cucm_certflow.connection import cluster_over, route_over
from cucm_certflow.inventory import Account, Inventory, NodeEntry
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.memory import MemoryTransport
from cucm_certflow.lab.memory_faults import other_identity, words_of
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.lab.scenario_faults import FaultKind
from cucm_certflow.lab.scenario_tables import AccountSpec
from cucm_certflow.lab.servers.database import Database
from cucm_certflow.lab.servers.papers import Papers
from cucm_certflow.lab.servers.soap import NO_ANSWER
from cucm_certflow.lab.servers.vos_cli import Desk
from cucm_certflow.lab.servers.web import web_app
from cucm_certflow.names import CertUnit, Interface
from cucm_certflow.secret import Secret
from cucm_certflow.transports.access import Access
from cucm_certflow.transports.breaker import Breaker
from cucm_certflow.transports.budget import Budgets
from cucm_certflow.transports.pins import WEB_PORT, Pins

__all__ = ["LabMessages", "Sent"]

_IN_MEMORY: Final = (Interface.SSH, Interface.TFTP_HTTP, Interface.TLS)
"""What needs sockets, or bytes that an SSH server makes: these are asked in memory."""


class Sent(NamedTuple):
    """One request that a node received, and when, in seconds of the clock."""

    at_s: float
    node: str
    path: str


class LabMessages:
    """AXL, RISPort70, PerfMon and Control Center of a lab as HTTP messages; the rest in memory.

    Everything is what it is over real servers but sockets and TLS: the clients' own requests, the
    lab's own answers, limits and faults. So a night of a large cluster takes minutes. A context
    manager; use it inside a virtual loop.

    Args:
        scenario: What to bring to life.
        clock: What its time goes by.
        whole_up_to: Phones whose registrations are read whole at each look.
        budgets: Of the requests; the default ones if not given.
    """

    def __init__(
        self,
        scenario: Scenario,
        clock: Clock,
        *,
        whole_up_to: int = 2000,
        budgets: Budgets | None = None,
    ) -> None:
        self.lab: Final = LabCluster(scenario, clock)
        self.budgets: Final = budgets or Budgets(clock)
        self.sent: Final[list[Sent]] = []
        self._clock = clock
        self._papers = Papers(scenario, clock, threaded=False)
        self._database = Database(self.lab)
        desk = Desk(cluster=self.lab, clock=clock, papers=self._papers, database=self._database)
        self._apps = {
            node.name: httpx.ASGITransport(web_app(desk, node.name)) for node in scenario.nodes
        }
        inventory = Inventory(
            nodes=tuple(NodeEntry(name=n.name, address=n.address) for n in scenario.nodes),
            platform=_account(scenario.accounts.platform),
            application=_account(scenario.accounts.application),
        )
        pins = _NoPins()
        access = Access(
            inventory=inventory,
            clock=clock,
            pins=pins,
            breaker=Breaker(),
            budgets=self.budgets,
            wire=lambda node, _network: _Wire(self, node.name),
        )
        memory = MemoryTransport(self.lab, clock)
        allowed = frozenset(Interface) - {Interface.PLATFORM_REST}
        route = route_over(
            access,
            allowed,
            whole_up_to=whole_up_to,
            instead=dict.fromkeys(_IN_MEMORY, memory),
        )
        self.cluster: Final[Cluster] = cluster_over(route, inventory, clock)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.cluster.aclose()
        self._database.close()
        self._papers.close()

    def most_in_a_minute(self, path: str) -> int:
        """The greatest number of requests to *path* within any 60 seconds."""
        times = [each.at_s for each in self.sent if each.path == path]
        return max((sum(t <= other < t + 60 for other in times) for t in times), default=0)

    def requests(self) -> Counter[str]:
        """Requests by path."""
        return Counter(each.path for each in self.sent)

    async def answer(self, node: str, request: httpx.Request) -> httpx.Response:
        """What *node* answers to *request*.

        Raises:
            httpx.ConnectError: Its Tomcat is not up, or a fault shuts its port.
            httpx.ReadError: A fault cuts the connection.
        """
        fault = self.lab.faults.at_door(node, WEB_PORT)
        if fault is not None and fault.kind is not FaultKind.PASSWORD_EXPIRED:
            if fault.kind is FaultKind.TLS_SWAPPED:
                raise other_identity(node, WEB_PORT)
            message = words_of(fault.kind)
            raise httpx.ConnectError(message, request=request)
        self.sent.append(Sent(self._clock.monotonic(), node, request.url.path))
        if not self.lab.is_web_up(node):
            message = "nobody answers on port 8443"
            raise httpx.ConnectError(message, request=request)
        response = await self._apps[node].handle_async_request(request)
        if response.status_code == NO_ANSWER:
            message = "the connection was cut"
            raise httpx.ReadError(message, request=request)
        return response


class _NoPins(Pins):
    """Nobody presents anything here, and the certificates in memory have names, not digests."""

    def seen(
        self, node: str, fingerprint: str, unit: CertUnit = CertUnit.TOMCAT, port: int = WEB_PORT
    ) -> bool:
        """Whatever it is."""
        return True

    def learn(
        self, node: str, fingerprint: str, unit: CertUnit = CertUnit.TOMCAT, port: int = WEB_PORT
    ) -> None:
        """Nothing."""

    def allowed(self, node: str, port: int = WEB_PORT) -> frozenset[str]:
        """Something, so that nobody looks for it."""
        return frozenset({"in memory"})


class _Wire(httpx.AsyncBaseTransport):
    """Takes the requests for one node."""

    def __init__(self, messages: LabMessages, node: str) -> None:
        self._messages = messages
        self._node = node

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._messages.answer(self._node, request)


def _account(spec: AccountSpec) -> Account:
    return Account(spec.user, Secret(spec.password))
