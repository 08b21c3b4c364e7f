"""Looks at all nodes of a cluster at the same time, and puts together what was seen."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from cucm_certflow.clock import Clock
from cucm_certflow.doctor.comparing import clock_signs, name_signs
from cucm_certflow.doctor.signs import DoctorReport, Sign
from cucm_certflow.doctor.visiting import Visit
from cucm_certflow.facts import Reach
from cucm_certflow.names import Interface
from cucm_certflow.transports.base import Transport

__all__ = ["examine"]


async def examine(
    transport: Transport,
    nodes: Mapping[str, str],
    clock: Clock,
    *,
    node_within_s: float = 120.0,
    clock_within_s: float = 60.0,
) -> DoctorReport:
    """Look at every node over every interface that *transport* has. It only looks.

    All nodes are looked at at the same time, so that one that is down delays no other. An account
    that a node refuses is not tried again anywhere, and the rest of its looks say so. A pin for the
    web interfaces is learnt over the platform CLI only: where that fails they get no password.

    Args:
        transport: The way to the cluster.
        nodes: The addresses of the inventory by node name, the publisher first.
        clock: Ours, which the nodes' clocks are compared with.
        node_within_s: Real seconds for all looks at one node; over 0. What is not answered by then
            is reported as such.
        clock_within_s: By how many seconds a node's clock may differ from ours; 0 or more.

    Cancelling it leaves nothing behind.
    """
    at, began_s = clock.now(), clock.monotonic()
    publisher = next(iter(nodes))
    visits = [
        Visit(transport, name, clock, within_s=node_within_s, is_publisher=name == publisher)
        for name in nodes
    ]
    async with asyncio.TaskGroup() as group:
        for visit in visits:
            group.create_task(visit.make())
    clocks = clock_signs(visits, clock_within_s)
    signs: list[Sign] = []
    for visit in visits:
        signs += visit.signs
        if visit.node in clocks:
            signs.append(clocks[visit.node])
    signs += name_signs(nodes, visits[0].members)
    return DoctorReport(
        at=at,
        took_s=clock.monotonic() - began_s,
        signs=tuple(signs),
        unseen=_unseen(transport, publisher),
    )


def _unseen(transport: Transport, publisher: str) -> tuple[str, ...]:
    """What nothing that only looks can show, of the interfaces that are used."""
    found: list[str] = []
    if transport.supports(Reach(publisher, Interface.AXL)):
        found.append(
            "whether the application user may also reset phones: that takes Standard AXL API "
            "Access; with Standard AXL Read Only API Access every question is answered, too"
        )
    if transport.supports(Reach(publisher, Interface.SSH)):
        found.append(
            "whether the platform account has level 4, which `utils itl reset` and "
            "`utils ctl reset` take: they are remedies, and a step of ITLRecovery"
        )
    return tuple(found)
