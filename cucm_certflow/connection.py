"""Opens the way to a real cluster from an inventory."""

from __future__ import annotations

from cucm_certflow.clock import Clock, SystemClock
from cucm_certflow.cluster import Cluster
from cucm_certflow.core.plan import Plan
from cucm_certflow.facts import ClusterFacts
from cucm_certflow.inventory import Inventory
from cucm_certflow.names import CertUnit

__all__ = ["connect"]


def connect(
    inventory: Inventory, *, clock: Clock | None = None, ris_per_minute: int = 10
) -> Cluster:
    """Open the way to the cluster of *inventory*, as an async context manager.

    Nothing is sent yet: sessions open when they are first needed, one per node, and are reused.

    Args:
        inventory: Nodes, accounts, host keys.
        clock: What instants and waits go by; the machine's clock. Socket timeouts are real
            seconds whatever it says.
        ris_per_minute: Device queries per real minute (the cluster allows 15 to all together).
    """
    # Adapters are imported when they are used: planning needs neither asyncssh nor httpx.
    from cucm_certflow.discovery import discover  # noqa: PLC0415 - see above
    from cucm_certflow.transports.breaker import Breaker  # noqa: PLC0415 - see above
    from cucm_certflow.transports.pins import Pins  # noqa: PLC0415 - see above
    from cucm_certflow.transports.route import Route  # noqa: PLC0415 - see above
    from cucm_certflow.transports.vos.ssh import VosTransport  # noqa: PLC0415 - see above
    from cucm_certflow.transports.web import WebTransport  # noqa: PLC0415 - see above

    clock = clock or SystemClock()
    breaker, pins = Breaker(), Pins()
    vos = {
        entry.name: VosTransport(
            entry,
            entry.platform or inventory.platform,
            clock=clock,
            breaker=breaker,
            known_hosts=inventory.known_hosts,
            legacy_crypto=inventory.legacy_crypto,
            quiet_s=inventory.quiet_s,
        )
        for entry in inventory.nodes
    }
    web = WebTransport(
        inventory, (), clock=clock, pins=pins, breaker=breaker, ris_per_minute=ris_per_minute
    )
    route = Route(vos, web, pins, publisher=inventory.publisher.name)

    async def read() -> ClusterFacts:
        return await discover(route, inventory, clock)

    def prepare(plan: Plan) -> None:
        """A resumed run knows its phones and certificates from the journal."""
        web.phone_names = [phone.name for phone in plan.facts.phones]
        for node in plan.facts.nodes:
            units = (CertUnit.TOMCAT, CertUnit.TOMCAT_ECDSA)
            route.trust(node.name, [node.certificates.get(unit) for unit in units])

    return Cluster(route, read, clock=clock, prepare=prepare)
