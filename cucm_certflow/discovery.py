"""Discovery: reads everything that a plan is made from, and names what it could not read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

import attrs

from cucm_certflow.clock import Clock
from cucm_certflow.errors import NodeUnreachable, Report
from cucm_certflow.facts import (
    Certificate,
    CertificateOf,
    ClusterFacts,
    ClusterMember,
    Interfaces,
    InterfaceState,
    Known,
    ListView,
    Members,
    NodeFacts,
    Parameter,
    Phone,
    Phones,
    Query,
    Registration,
    Registrations,
    ServedList,
    ServicesOn,
    ServiceState,
    UnitsOn,
    VersionOf,
)
from cucm_certflow.names import (
    MODE_PARAMETER,
    CertUnit,
    ListKind,
    Product,
    Release,
    SecurityMode,
    Service,
)
from cucm_certflow.transports.base import Transport

__all__ = ["discover"]

_OWNERS: Final = (
    (Product.CALLMANAGER, CertUnit.CALLMANAGER),
    (Product.IM_PRESENCE, CertUnit.CUP),
)
"""What a node runs, by a certificate that only such a node owns."""


@attrs.frozen
class _Owned:
    """The certificates of a node: those that this library knows, and the names of the others."""

    certificates: Mapping[CertUnit, Certificate]
    others: tuple[str, ...]


class _Reader:
    """Asks, and writes down in words what has no answer."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.unknown: list[str] = []

    async def ask(self, query: Query, what: str) -> Any:  # noqa: ANN401 - one type per class of query
        """The value of *query*, or None after noting that *what* is unknown."""
        fact = await self._transport.observe(query)
        if isinstance(fact, Known):
            return fact.value
        self.unknown.append(f"{what}: {fact.reason}")
        return None


async def discover(
    transport: Transport,
    names: Collection[str],
    clock: Clock,
    *,
    found: Callable[[Sequence[NodeFacts], Sequence[Phone]], None] | None = None,
) -> ClusterFacts:
    """Read nodes, releases, services, certificates, lists, mode, phones and registrations.

    Only looks. What could not be read goes into ``unknown`` in words.

    Args:
        transport: The way to the cluster.
        names: The nodes of the inventory, publisher first.
        clock: Gives the facts their instant.
        found: Told of nodes and phones before their registrations are asked for.

    Raises:
        AuthenticationFailed: An account was refused; nothing more was tried with it.
        IdentityNotTrusted: A node is not who it should be.
        NodeUnreachable: The publisher did not answer at all.
    """
    at = clock.now()
    reader = _Reader(transport)
    listed: tuple[ClusterMember, ...] = await reader.ask(Members(), "the nodes") or ()
    if not listed:
        raise _no_publisher(reader.unknown)
    members = {member.name: member for member in listed}
    _compare(names, members, reader.unknown)
    present = [name for name in names if name in members]
    # Certificates first: the web interfaces are asked only of nodes whose pin is known.
    owned = await asyncio.gather(*(_certificates(reader, name) for name in present))
    read = await asyncio.gather(
        *(_node(reader, members[name], own) for name, own in zip(present, owned, strict=True))
    )
    nodes = [node for node in read if node is not None]
    if not any(node.is_publisher for node in nodes):
        raise _no_publisher(reader.unknown or [f"members: {', '.join(members)}"])
    mode = await _mode(reader)
    phones: tuple[Phone, ...] | None = await reader.ask(Phones(), "the phones")
    nodes.sort(key=lambda node: not node.is_publisher)
    if found is not None:
        found(nodes, phones or ())
    registrations: Mapping[str, Registration] = {}
    if phones is not None:
        registrations = await reader.ask(Registrations(), "the registrations") or {}
    nodes = list(await asyncio.gather(*(_with_lists(reader, node, mode) for node in nodes)))
    interfaces: tuple[InterfaceState, ...] = ()
    if transport.supports(Interfaces()):
        interfaces = await reader.ask(Interfaces(), "the interfaces") or ()
    return ClusterFacts(
        nodes=tuple(nodes),
        mode=mode,
        phones=phones or (),
        registrations=registrations,
        at=at,
        unknown=tuple(reader.unknown),
        interfaces=interfaces,
    )


def _no_publisher(unknown: Sequence[str]) -> NodeUnreachable:
    return NodeUnreachable(
        Report(
            headline="the publisher could not be read",
            saw="; ".join(unknown),
            left="nothing was changed",
            next="the first node of the inventory must be the publisher",
        )
    )


def _compare(
    names: Collection[str], members: Mapping[str, ClusterMember], unknown: list[str]
) -> None:
    listed = set(names)
    unknown += [
        f"{name} is a node of the cluster and is not in the inventory"
        for name in sorted(set(members) - listed)
    ]
    unknown += [
        f"{name} is in the inventory and is not a node of the cluster"
        for name in sorted(listed - set(members))
    ]


async def _certificates(reader: _Reader, name: str) -> _Owned | None:
    """The identity certificates of *name*; None if one of them could not be read."""
    own: tuple[str, ...] | None = await reader.ask(UnitsOn(name), f"{name}: its certificates")
    if own is None:
        return None
    certificates: dict[CertUnit, Certificate] = {}
    for unit in CertUnit:
        if unit.value in own:
            certificate = await reader.ask(CertificateOf(name, unit), f"{name}: {unit}")
            if certificate is None:
                return None
            certificates[unit] = certificate
    known = {unit.value for unit in CertUnit}
    return _Owned(certificates, tuple(unit for unit in own if unit not in known))


def _product(member: ClusterMember, owned: _Owned) -> Product:
    """What *member* runs: the cluster's own word, or what its certificates show.

    ``show network cluster`` up to 9.x has no such word. Nothing else is guessed.

    Raises:
        ValueError: The word is of another product, or there is none and nothing shows.
    """
    if member.product:
        return Product(member.product)
    shown = [product for product, unit in _OWNERS if unit in owned.certificates]
    if len(shown) != 1:
        message = "nobody says what it runs, and its certificates do not show it"
        raise ValueError(message)
    return shown[0]


async def _node(reader: _Reader, member: ClusterMember, owned: _Owned | None) -> NodeFacts | None:
    name = member.name
    version: str | None = await reader.ask(VersionOf(name), f"{name}: its version")
    listed: Mapping[str, ServiceState] | None = await reader.ask(
        ServicesOn(name), f"{name}: its services"
    )
    if version is None or listed is None or owned is None:
        return None
    try:
        product, release = _product(member, owned), Release.parse(version)
    except ValueError as error:
        reader.unknown.append(f"{name}: {error}")
        return None
    is_publisher = member.is_publisher and product is Product.CALLMANAGER
    return NodeFacts(
        name=name,
        address=member.address,
        release=release,
        product=product,
        is_publisher=is_publisher,
        # 9.x has no word for it; the cluster's publisher is that of its own database.
        is_database_publisher=is_publisher or member.is_database_publisher,
        certificates=owned.certificates,
        services={service: listed[service.value] for service in Service if service.value in listed},
        others=owned.others,
    )


async def _mode(reader: _Reader) -> SecurityMode:
    value: str | None = await reader.ask(Parameter(MODE_PARAMETER), "the cluster security mode")
    if value is None:
        return SecurityMode.MIXED
    try:
        return SecurityMode(value)
    except ValueError:
        reader.unknown.append(f"the cluster security mode: expected 0 or 1, saw {value[:40]!r}")
        return SecurityMode.MIXED


async def _with_lists(reader: _Reader, node: NodeFacts, mode: SecurityMode) -> NodeFacts:
    if not node.runs(Service.TFTP):
        return node
    kinds: Sequence[ListKind] = (ListKind.ITL,)
    if mode is SecurityMode.MIXED:
        kinds = (ListKind.ITL, ListKind.CTL)
    views: dict[ListKind, ListView | None] = {}
    for kind in kinds:
        views[kind] = await reader.ask(
            ServedList(node.name, kind), f"the {kind.value} of {node.name}"
        )
    return attrs.evolve(node, itl=views[ListKind.ITL], ctl=views.get(ListKind.CTL))
