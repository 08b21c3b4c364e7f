"""A cluster as the small ones that its phones see, those that are alike once: symmetry reduction.

Phones know nothing of each other, and each deals with few nodes: its CallManager group, its TFTP
nodes, and the publisher, which signs for all. What other nodes add is more steps of the same kind.
So a cluster of many nodes is explored as one small cluster for each kind of phone, and those that
differ in the names of nodes alone, in the same order, are explored once. That this changes no
verdict is tested over whole clusters of three and four nodes, sound tables and broken ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from cucm_certflow.lab.held_lists import STRANGER
from cucm_certflow.lab.physics.world import (
    Cert,
    Layout,
    Phone,
    PhoneKind,
    Trusted,
    TrustList,
    World,
)

__all__ = ["Part", "parts_of"]


class Part(NamedTuple):
    """A small cluster with one kind of phone, or none, that stands for others like it."""

    layout: Layout
    kinds: tuple[PhoneKind, ...]
    world: World
    stands_for: tuple[str, ...]
    """The kinds of phones whose every story this one's stories tell, by name; itself first."""


def parts_of(layout: Layout, kinds: tuple[PhoneKind, ...], world: World) -> tuple[Part, ...]:
    """The parts of a cluster, in the order of the phones that they are named after.

    The first node of every sort of nodes stays in each part, so that whatever can be planned for
    the whole can be planned for each. A cluster in which nodes share certificates is not cut.

    Args:
        layout: The whole cluster.
        kinds: All its phones.
        world: How it is.
    """
    found: dict[object, Part] = {}
    for index, kind in enumerate(kinds):
        phone = world.phones[index]
        names = [n.name for n in layout.nodes if world.same or n.name in _seen(kind, phone, layout)]
        part = _cut(layout, (kind,), world._replace(phones=(phone,)), names)
        like = _alike(part)
        if like in found:
            first = found[like]
            found[like] = first._replace(stands_for=(*first.stands_for, kind.name))
        else:
            found[like] = part
    if not kinds:
        names = [n.name for n in layout.nodes if world.same or n.publisher]
        return (_cut(layout, (), world, names),)
    return tuple(found.values())


def _seen(kind: PhoneKind, phone: Phone, layout: Layout) -> set[str]:
    """The nodes that the phone deals with, and those whose certificates signed what it holds."""
    signers = {held.signer.node for held in (phone.itl, phone.ctl) if held is not None}
    return {layout.publisher, *kind.group, *kind.tftp, *signers}


def _cut(layout: Layout, kinds: tuple[PhoneKind, ...], world: World, names: Iterable[str]) -> Part:
    sorts = {node._replace(name="") for node in layout.nodes if node.name in set(names)}
    kept = set(names)
    for node in layout.nodes:
        if node._replace(name="") not in sorts:
            sorts.add(node._replace(name=""))
            kept.add(node.name)
    same_names = {node.name: node.name for node in layout.nodes if node.name in kept}
    return _renamed(Part(layout, kinds, world, tuple(k.name for k in kinds)), same_names)


def _alike(part: Part) -> object:
    """What two parts share that differ in names alone."""
    numbers = {node.name: str(index) for index, node in enumerate(part.layout.nodes)}
    plain = _renamed(part, numbers)
    return plain._replace(
        kinds=tuple(kind._replace(name="") for kind in plain.kinds), stands_for=()
    )


def _renamed(part: Part, names: Mapping[str, str]) -> Part:
    """*part* with nodes named anew; what belongs to a node without a name is left out."""

    def certs(given: Iterable[Cert]) -> tuple[Cert, ...]:
        return tuple(_cert(cert, names) for cert in given if _stays(cert, names))

    def trusted(given: Iterable[Trusted]) -> frozenset[Trusted]:
        return frozenset(
            each._replace(
                node=names[each.node],
                cert=None if each.cert is None else _cert(each.cert, names),
            )
            for each in given
            if each.node in names and (each.cert is None or _stays(each.cert, names))
        )

    layout, world = part.layout, part.world
    return Part(
        layout=layout._replace(
            nodes=tuple(
                node._replace(name=names[node.name]) for node in layout.nodes if node.name in names
            ),
            expired=frozenset(certs(layout.expired)),
        ),
        kinds=tuple(
            kind._replace(
                group=tuple(names[name] for name in kind.group),
                tftp=tuple(names[name] for name in kind.tftp),
            )
            for kind in part.kinds
        ),
        world=World(
            gen=certs(world.gen),
            presented=certs(world.presented),
            signing=certs(world.signing),
            itl=tuple(
                (names[name], _list(served, names)) for name, served in world.itl if name in names
            ),
            ctl=tuple(
                (names[name], None if served is None else _list(served, names))
                for name, served in world.ctl
                if name in names
            ),
            down=frozenset((names[n], service) for n, service in world.down if n in names),
            phones=tuple(_phone(phone, names) for phone in world.phones),
            kept=trusted(world.kept),
            gone=trusted(world.gone),
            returning=trusted(world.returning),
            same=tuple((_cert(a, names), _cert(b, names)) for a, b in world.same),
            unaware=frozenset(
                (names[n], _cert(cert, names))
                for n, cert in world.unaware
                if n in names and _stays(cert, names)
            ),
            drf=tuple(
                each._replace(node=names[each.node], cert=_cert(each.cert, names))
                for each in world.drf
                if each.node in names
            ),
        ),
        stands_for=part.stands_for,
    )


def _stays(cert: Cert, names: Mapping[str, str]) -> bool:
    return cert.is_token or cert.node in names or cert.node == STRANGER


def _cert(cert: Cert, names: Mapping[str, str]) -> Cert:
    return cert._replace(node=names[cert.node]) if cert.node in names else cert


def _list(served: TrustList, names: Mapping[str, str]) -> TrustList:
    def some(certs: frozenset[Cert]) -> frozenset[Cert]:
        return frozenset(_cert(cert, names) for cert in certs if _stays(cert, names))

    return TrustList(
        kind=served.kind,
        signer=_cert(served.signer, names),
        sast=some(served.sast),
        tftp=some(served.tftp),
        ccm=some(served.ccm),
        pin=some(served.pin),
        capf=some(served.capf),
    )


def _phone(phone: Phone, names: Mapping[str, str]) -> Phone:
    return phone._replace(
        itl=None if phone.itl is None else _list(phone.itl, names),
        ctl=None if phone.ctl is None else _list(phone.ctl, names),
        lsc=None if phone.lsc is None or phone.lsc.node not in names else _cert(phone.lsc, names),
    )
