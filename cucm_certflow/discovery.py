"""Discovery: reads everything that a plan is made from, and names what it could not read."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import attrs

from cucm_certflow.clock import Clock
from cucm_certflow.errors import (
    AuthenticationFailed,
    IdentityNotTrusted,
    NodeError,
    NodeUnreachable,
    Report,
)
from cucm_certflow.facts import (
    Certificate,
    ClusterFacts,
    Known,
    ListView,
    NodeFacts,
    Phone,
    Registration,
    Registrations,
    ServedList,
    ServiceState,
)
from cucm_certflow.inventory import Inventory
from cucm_certflow.names import CertUnit, ListKind, Product, Release, SecurityMode, Service
from cucm_certflow.transports import queries
from cucm_certflow.transports.route import Route
from cucm_certflow.transports.vos.parsers import ClusterMember

__all__ = ["discover"]

_PAGE: Final = 2000

_UNITS: Final = (
    CertUnit.TOMCAT,
    CertUnit.TOMCAT_ECDSA,
    CertUnit.CALLMANAGER,
    CertUnit.TVS,
    CertUnit.ITLRECOVERY,
)
"""The kinds that plans of this version are about, or that trust lists hold."""


async def discover(route: Route, inventory: Inventory, clock: Clock) -> ClusterFacts:
    """Read nodes, releases, services, certificates, lists, mode, phones and registrations.

    Only looks. What could not be read goes into ``unknown`` in words.

    Raises:
        AuthenticationFailed: An account was refused; nothing more was tried with it.
        IdentityNotTrusted: A node is not who it should be.
        NodeUnreachable: The publisher did not answer at all.
    """
    at = clock.now()
    unknown: list[str] = []
    publisher = inventory.publisher.name
    members = {member.name: member for member in await route.vos[publisher].network_cluster()}
    _compare(inventory, members, unknown)
    names = [entry.name for entry in inventory.nodes if entry.name in members]
    read = await asyncio.gather(*(_node(route, members[name], unknown) for name in names))
    nodes = [node for node in read if node is not None]
    if not any(node.is_publisher for node in nodes):
        raise NodeUnreachable(
            Report(
                headline="the publisher could not be read",
                saw="; ".join(unknown) or f"members: {', '.join(members)}",
                left="nothing was changed",
                next="the first node of the inventory must be the publisher",
            )
        )
    await route.pin(publisher)
    mode = await _mode(route, unknown)
    phones, registrations = await _phones(route, members.values(), unknown)
    nodes = list(await asyncio.gather(*(_with_lists(route, n, mode, unknown) for n in nodes)))
    return ClusterFacts(
        nodes=tuple(sorted(nodes, key=lambda node: not node.is_publisher)),
        mode=mode,
        phones=phones,
        registrations=registrations,
        at=at,
        unknown=tuple(unknown),
    )


def _compare(
    inventory: Inventory, members: Mapping[str, ClusterMember], unknown: list[str]
) -> None:
    listed = {entry.name for entry in inventory.nodes}
    unknown += [
        f"{name} is a node of the cluster and is not in the inventory"
        for name in sorted(set(members) - listed)
    ]
    unknown += [
        f"{name} is in the inventory and is not a node of the cluster"
        for name in sorted(listed - set(members))
    ]


async def _node(route: Route, member: ClusterMember, unknown: list[str]) -> NodeFacts | None:
    vos = route.vos[member.name]
    try:
        # 9.x does not print what a node runs; nothing is guessed.
        product = Product(member.product)
        release = Release.parse(await vos.version())
        listed = await vos.services()
        own = await vos.own_certificates()
        certificates: dict[CertUnit, Certificate] = {}
        for unit in _UNITS:
            if unit.value in own:
                certificates[unit] = await vos.certificate(unit)
                if unit in (CertUnit.TOMCAT, CertUnit.TOMCAT_ECDSA):
                    route.trust(member.name, [certificates[unit]])
    except (AuthenticationFailed, IdentityNotTrusted):
        raise
    except (NodeError, ValueError) as error:
        saw = error.report.headline if isinstance(error, NodeError) else str(error)
        unknown.append(f"{member.name}: {saw}")
        return None
    services: dict[Service, ServiceState] = {
        service: listed[service.value] for service in Service if service.value in listed
    }
    return NodeFacts(
        name=member.name,
        address=member.address,
        release=release,
        product=product,
        is_publisher=member.is_publisher and product is Product.CALLMANAGER,
        certificates=certificates,
        services=services,
    )


async def _mode(route: Route, unknown: list[str]) -> SecurityMode:
    try:
        rows = await route.web.axl.sql(queries.CLUSTER_SECURITY_MODE)
        return queries.mode_from_rows(rows)
    except (AuthenticationFailed, IdentityNotTrusted):
        raise
    except (NodeError, LookupError, ValueError) as error:
        unknown.append(f"the cluster security mode: {error}")
        return SecurityMode.MIXED


async def _read_phones(route: Route, members: Iterable[ClusterMember]) -> tuple[Phone, ...]:
    """The phones as the database describes them, page by page: AXL refuses answers over 8 MB."""
    names: dict[str, str] = {}
    for member in members:
        names |= dict.fromkeys((member.name, member.address, member.fqdn), member.name)
    rows: list[dict[str, str]] = []
    while True:
        page = await route.web.axl.sql(queries.phones_page(rows[-1]["name"] if rows else "", _PAGE))
        rows += page
        if len(page) < _PAGE:
            break
    groups = await route.web.axl.sql(queries.GROUP_MEMBERS)
    # A node that nobody knows keeps its name, and the plan is refused over it.
    return queries.phones_from_rows(rows, groups, node_name=lambda name: names.get(name, name))


async def _phones(
    route: Route, members: Iterable[ClusterMember], unknown: list[str]
) -> tuple[tuple[Phone, ...], Mapping[str, Registration]]:
    try:
        phones = await _read_phones(route, members)
    except (AuthenticationFailed, IdentityNotTrusted):
        raise
    except (NodeError, LookupError, ValueError) as error:
        unknown.append(f"the phones: {error}")
        return (), {}
    route.web.phone_names = [phone.name for phone in phones]
    fact = await route.observe(Registrations())
    if not isinstance(fact, Known):
        unknown.append(f"the registrations: {fact.reason}")
        return phones, {}
    return phones, fact.value


async def _with_lists(
    route: Route, node: NodeFacts, mode: SecurityMode, unknown: list[str]
) -> NodeFacts:
    if not node.runs(Service.TFTP):
        return node
    kinds: Sequence[ListKind] = (ListKind.ITL,)
    if mode is SecurityMode.MIXED:
        kinds = (ListKind.ITL, ListKind.CTL)
    views: dict[ListKind, ListView | None] = {}
    for kind in kinds:
        fact = await route.observe(ServedList(node.name, kind))
        if isinstance(fact, Known):
            views[kind] = fact.value
        else:
            unknown.append(f"the {kind.value} of {node.name}: {fact.reason}")
    return attrs.evolve(node, itl=views.get(ListKind.ITL), ctl=views.get(ListKind.CTL))
