"""Opens the way to a real cluster from an inventory."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from cucm_certflow.clock import Clock, SystemClock
from cucm_certflow.cluster import Cluster
from cucm_certflow.commands import Command
from cucm_certflow.core.plan import Plan
from cucm_certflow.facts import ClusterFacts, NodeFacts, Phone, Query
from cucm_certflow.inventory import Inventory
from cucm_certflow.locks import ClusterLock
from cucm_certflow.names import Interface, Service

if TYPE_CHECKING:
    from cucm_certflow.transports.access import Access
    from cucm_certflow.transports.base import Transport
    from cucm_certflow.transports.breaker import Breaker
    from cucm_certflow.transports.budget import Budgets
    from cucm_certflow.transports.record import Recorder
    from cucm_certflow.transports.ris import RisClient
    from cucm_certflow.transports.route import Route

__all__ = ["cluster_over", "connect", "route_over", "route_to"]


def connect(
    inventory: Inventory,
    *,
    clock: Clock | None = None,
    budgets: Budgets | None = None,
    breaker: Breaker | None = None,
    interfaces: Collection[Interface] | None = None,
    confirm: Collection[type[Query]] = (),
    recorder: Recorder | None = None,
) -> Cluster:
    """Open the way to the cluster of *inventory*, as an async context manager.

    Nothing is sent yet: sessions open when they are first needed, one per node, and are reused.

    Args:
        inventory: Nodes, accounts, host keys.
        clock: What instants and waits go by; the machine's clock. Socket timeouts are real
            seconds whatever it says.
        budgets: The limits of the cluster. Give the same object to all connections to one cluster
            on one event loop; made anew if not given.
        breaker: Remembers accounts that were refused; shared in the same way.
        interfaces: The interfaces that the site allows; those of the inventory if not given.
        confirm: Classes of questions, for example ``{ServiceOn}``, that are asked by two ways. A
            contradiction, and a second way that does not answer, make the answer unknown.
        recorder: Writes the conversation down, without secrets; closed with the cluster.
    """
    clock = clock or SystemClock()
    route = route_to(
        inventory,
        clock,
        budgets=budgets,
        breaker=breaker,
        interfaces=interfaces,
        confirm=confirm,
        recorder=recorder,
    )
    return cluster_over(route, inventory, clock, recorder=recorder)


def cluster_over(
    route: Route, inventory: Inventory, clock: Clock, *, recorder: Recorder | None = None
) -> Cluster:
    """The cluster of *inventory* over *route*; arguments as for :func:`connect`."""
    # Adapters are imported when they are used: planning needs neither asyncssh nor httpx.
    from cucm_certflow.discovery import discover  # noqa: PLC0415 - see above
    from cucm_certflow.transports.pins import PINNED_UNITS  # noqa: PLC0415 - see above

    names = [entry.name for entry in inventory.nodes]

    def found(nodes: Iterable[NodeFacts], phones: Iterable[Phone]) -> None:
        _tell(route, tuple(nodes), phones)

    transport: Transport = route if recorder is None else recorder.seam(route, closes=True)

    async def read() -> ClusterFacts:
        return await discover(transport, names, clock, found=found)

    def prepare(plan: Plan, sent: Sequence[Command]) -> None:
        """A resumed run knows its phones and certificates from the journal."""
        _tell(route, plan.facts.nodes, plan.facts.phones)
        for node in plan.facts.nodes:
            for unit in PINNED_UNITS:
                if (certificate := node.certificates.get(unit)) is not None:
                    route.pin(node.name, unit, certificate.fingerprint)
        for command in sent:
            route.was_sent(command)

    return Cluster(
        transport,
        read,
        clock=clock,
        prepare=prepare,
        lock=ClusterLock(inventory.publisher.address),
        nodes={entry.name: entry.address for entry in inventory.nodes},
    )


def _tell(route: Route, nodes: Sequence[NodeFacts], phones: Iterable[Phone]) -> None:
    route.know(
        releases={node.name: node.release for node in nodes},
        callmanagers=[node.name for node in nodes if node.runs(Service.CALLMANAGER)],
        phones=[phone.name for phone in phones],
    )


def route_to(
    inventory: Inventory,
    clock: Clock,
    *,
    budgets: Budgets | None = None,
    breaker: Breaker | None = None,
    interfaces: Collection[Interface] | None = None,
    confirm: Collection[type[Query]] = (),
    recorder: Recorder | None = None,
) -> Route:
    """All ways to the cluster of *inventory* as one transport; as :func:`connect`."""
    from cucm_certflow.transports.access import Access  # noqa: PLC0415 - adapters, as in connect
    from cucm_certflow.transports.breaker import Breaker  # noqa: PLC0415 - as above
    from cucm_certflow.transports.budget import Budgets  # noqa: PLC0415 - as above
    from cucm_certflow.transports.pins import Pins  # noqa: PLC0415 - as above

    access = Access(
        inventory=inventory,
        clock=clock,
        pins=Pins(),
        breaker=breaker or Breaker(),
        budgets=budgets or Budgets(clock),
        wire=None if recorder is None else recorder.wire,
    )
    allowed = frozenset(inventory.interfaces if interfaces is None else interfaces)
    return route_over(access, allowed, confirm=confirm, recorder=recorder)


def route_over(
    access: Access,
    allowed: Collection[Interface],
    *,
    confirm: Collection[type[Query]] = (),
    recorder: Recorder | None = None,
    whole_up_to: int = 2000,
    instead: Mapping[Interface, Transport] = MappingProxyType({}),
) -> Route:
    """The *allowed* ways over *access* as one transport.

    Args:
        access: What the ways share.
        allowed: The interfaces to use.
        instead: Transports to use for some of them, for example a lab's.
        confirm: As for :func:`connect`.
        recorder: As for :func:`connect`.
        whole_up_to: Phones whose registrations are read whole at each look.
    """
    from cucm_certflow.transports.axl import AxlTransport  # noqa: PLC0415 - as in route_to
    from cucm_certflow.transports.controlcenter import (  # noqa: PLC0415 - as above
        ControlCenterTransport,
    )
    from cucm_certflow.transports.perfmon import PerfmonTransport  # noqa: PLC0415 - as above
    from cucm_certflow.transports.phone_web import PhoneWeb  # noqa: PLC0415 - as above
    from cucm_certflow.transports.platform_rest import (  # noqa: PLC0415 - as above
        PlatformRestTransport,
    )
    from cucm_certflow.transports.ris import RisClient  # noqa: PLC0415 - as above
    from cucm_certflow.transports.route import Route  # noqa: PLC0415 - as above
    from cucm_certflow.transports.tls import TlsTransport  # noqa: PLC0415 - as above
    from cucm_certflow.transports.trustfiles import TrustFileTransport  # noqa: PLC0415 - as above

    inventory = access.inventory
    ways: dict[Interface, Transport] = {
        interface: way for interface, way in instead.items() if interface in allowed
    }
    if Interface.SSH in allowed and Interface.SSH not in ways:
        ways[Interface.SSH] = _shells(access, recorder)
    for way in (
        AxlTransport,
        ControlCenterTransport,
        PerfmonTransport,
        PlatformRestTransport,
        TlsTransport,
        TrustFileTransport,
    ):
        if way.interface in allowed and way.interface not in ways:
            ways[way.interface] = way(access)
    ris: RisClient | None = None
    phones: PhoneWeb | None = None
    if Interface.RISPORT in allowed:
        ris = RisClient(inventory.publisher, access)
        phones = PhoneWeb(access, ris.addresses)
    return Route(
        ways,
        ris=ris,
        clock=access.clock,
        pins=access.pins,
        nodes=[node.name for node in inventory.nodes],
        confirm=confirm,
        whole_up_to=whole_up_to,
        phones=phones,
    )


def _shells(access: Access, recorder: Recorder | None) -> Transport:
    from cucm_certflow.transports.vos.shells import Shells  # noqa: PLC0415 - as in route_to
    from cucm_certflow.transports.vos.ssh import VosTransport  # noqa: PLC0415 - as above

    inventory = access.inventory
    shells = {
        entry.name: VosTransport(
            entry,
            entry.platform or inventory.platform,
            clock=access.clock,
            breaker=access.breaker,
            known_hosts=inventory.known_hosts,
            legacy_crypto=inventory.legacy_crypto,
            quiet_s=inventory.quiet_s,
            budgets=access.budgets,
            node_name=access.node_called,
            hook=None if recorder is None else recorder.shell(entry.name),
        )
        for entry in inventory.nodes
    }
    return Shells(shells, publisher=inventory.publisher.name, clock=access.clock)
