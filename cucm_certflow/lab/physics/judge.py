"""The exhaustive judge exists to say what a phone needs, without any rule of ours.

It searches everything that people could still do, instead of walking a list of clean-ups: that is
what makes it fit to contradict the production code's witness.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from cucm_certflow.lab.physics.actions import (
    boot,
    build_ctl,
    build_itl,
    reset_localkey,
    restart,
    sign_ctl_by_token,
    update_ctl,
)
from cucm_certflow.lab.physics.phones import synced
from cucm_certflow.lab.physics.world import (
    Cert,
    Layout,
    PhoneKind,
    TrustList,
    World,
)
from cucm_certflow.names import CertUnit, ListKind, Service

__all__ = [
    "Health",
    "Memo",
    "health",
    "project",
]

_IN_LISTS = (CertUnit.CALLMANAGER, CertUnit.TVS, CertUnit.ITLRECOVERY, CertUnit.CAPF)


class Health(Enum):
    """The weakest remedy that brings a phone back (trust-model.md §3)."""

    OK = "ok"
    NEEDS_LOCALKEY = "needs-localkey"
    HAND_DELETE = "HAND-DELETE"

    @property
    def severity(self) -> int:
        """0 for OK, 2 for a phone that somebody must walk to."""
        return _SEVERITY[self]


_SEVERITY = {Health.OK: 0, Health.NEEDS_LOCALKEY: 1, Health.HAND_DELETE: 2}


class Memo:
    """Verdicts already found; the caller owns it, for as many layouts and kinds as it likes."""

    def __init__(self) -> None:
        self._verdicts: dict[tuple[Layout, PhoneKind], dict[World, Health]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._verdicts.values()))

    def of(self, layout: Layout, kind: PhoneKind) -> dict[World, Health]:
        """The verdicts of one kind of phone in one layout, by projected world."""
        return self._verdicts.setdefault((layout, kind), {})


def health(
    layout: Layout,
    kinds: tuple[PhoneKind, ...],
    world: World,
    index: int,
    memo: Memo | None = None,
) -> Health:
    """What brings the phone back to a cluster that has caught up, with nothing regenerated.

    *Caught up*: every TVS and TFTP runs with the certificates of now, and the lists served are
    what would be built now. *Back*: the phone holds these lists and takes its configuration, at
    its first TFTP node. That state is the untouched cluster with other numbers on it, so whatever
    the phone's other TFTP nodes do to it afterwards they did to it before.

    The actions: restart TVS or TFTP on all nodes, update the CTL, the phone boots at one of its
    TFTP nodes; then the same with ``reset localkey``. Restarting CallManager is an ordinary
    action too, and left out because it moves registrations only, never a list, and a phone that is
    off or has lost its registration still comes by itself sooner or later.
    """
    kind = kinds[index]
    verdicts = (Memo() if memo is None else memo).of(layout, kind)
    start = project(layout, kinds, world, index)
    known = verdicts.get(start)
    if known is not None:
        return known
    search = _Search(layout, kind, start)
    ordinary = search.run(start, verdicts, Health.OK)
    if ordinary.path:
        verdicts.update(dict.fromkeys(ordinary.path, Health.OK))
        return Health.OK
    # None of these can be brought back by ordinary means: it would have been found from here.
    not_ok = ordinary.seen
    with_localkey = search.run(start, verdicts, Health.NEEDS_LOCALKEY)
    if with_localkey.path:
        for state in with_localkey.path:
            if state in not_ok:
                verdicts[state] = Health.NEEDS_LOCALKEY
        return Health.NEEDS_LOCALKEY
    verdicts.update(dict.fromkeys(with_localkey.seen, Health.HAND_DELETE))
    return Health.HAND_DELETE


def project(layout: Layout, kinds: tuple[PhoneKind, ...], world: World, index: int) -> World:
    """The part of *world* that decides the health of one phone; all else set to a fixed value.

    The other phones go, and so do the certificates that are in no list, the outside world, what
    CallManager presents, the TVS processes outside the phone's group and the TFTP nodes that it
    never uses: the clean-up brings those up to date on all nodes at once, and the phone never sees
    them before. What TFTP signs configurations
    with goes too: no list depends on it, and a last restart of TFTP hurts nobody.
    """
    kind = kinds[index]
    # What it takes to register over TLS is no matter of the lists: its LSC, and its registration.
    phone = world.phones[index]._replace(on=True, registered=True, lsc=None)
    ctl = world.ctl_of(kind.tftp[0])
    gen = tuple(
        cert if cert.unit in _IN_LISTS else cert._replace(generation=1) for cert in world.gen
    )
    world = world._replace(
        gen=gen,
        returning=frozenset(),
        unaware=frozenset(),
        drf=(),
        partners=(),
        down=frozenset(
            (node, service)
            for node, service in world.down
            if (service is Service.TVS and node in kind.group)
            or (service is Service.TFTP and node in kind.tftp)
        ),
        phones=(phone,),
    )
    return world._replace(
        presented=tuple(
            cert
            if cert.unit is CertUnit.TVS and cert.node in kind.group
            else world.current(cert.unit, cert.node)
            for cert in world.presented
        ),
        signing=tuple(world.current(cert.unit, cert.node) for cert in world.signing),
        itl=tuple(
            (name, served if name in kind.tftp else build_itl(layout, world, name))
            for name, served in world.itl
        ),
        ctl=tuple((name, served if name in kind.tftp else ctl) for name, served in world.ctl),
    )


class _Found(NamedTuple):
    path: tuple[World, ...]
    seen: set[World]


class _Search:
    """Breadth first over one phone's projected worlds; what is current stays fixed throughout."""

    def __init__(self, layout: Layout, kind: PhoneKind, start: World) -> None:
        self.layout = layout
        self.kind = kind
        self.kinds = (kind,)
        self.presented: tuple[Cert, ...] = tuple(
            start.current(cert.unit, cert.node) for cert in start.presented
        )
        self.signing: tuple[Cert, ...] = tuple(
            start.current(cert.unit, cert.node) for cert in start.signing
        )
        self.itl: tuple[tuple[str, TrustList], ...] = tuple(
            (name, build_itl(layout, start, name)) for name, _ in start.itl
        )
        self.ctl: TrustList | None = build_ctl(layout, start) if layout.mixed else None

    def run(self, start: World, verdicts: dict[World, Health], weakest: Health) -> _Found:
        """The way to a healthy world, or to one whose verdict is known and not worse."""
        came_from: dict[World, World | None] = {start: None}
        frontier = [start]
        while frontier:
            following: list[World] = []
            for state in frontier:
                known = verdicts.get(state)
                if self._healthy(state) or (
                    known is not None and known.severity <= weakest.severity
                ):
                    return _Found(_way(came_from, state), set(came_from))
                if known is Health.HAND_DELETE or (
                    known is Health.NEEDS_LOCALKEY and weakest is Health.OK
                ):
                    continue
                for after in self._after(state, localkey=weakest is not Health.OK):
                    if after not in came_from:
                        came_from[after] = state
                        following.append(after)
            frontier = following
        return _Found((), set(came_from))

    def _healthy(self, state: World) -> bool:
        return (
            not state.down
            and state.presented == self.presented
            and state.signing == self.signing
            and state.itl == self.itl
            and all(served == self.ctl for _, served in state.ctl)
            and synced(self.layout, state, self.kind, state.phones[0])
        )

    def _after(self, state: World, *, localkey: bool) -> list[World]:
        layout = self.layout
        worlds = [boot(layout, self.kinds, state, 0, node) for node in self.kind.tftp]
        worlds.append(self._restart_all(state, Service.TFTP, layout.tftp_nodes))
        worlds.append(self._restart_all(state, Service.TVS, layout.tvs_nodes))
        if layout.mixed:
            renew = sign_ctl_by_token if layout.signs_by_token else update_ctl
            worlds.append(renew(layout, state))
        if localkey and layout.has_itlrecovery:
            worlds.append(reset_localkey(layout, state, ListKind.ITL))
            if layout.mixed and not layout.signs_by_token:
                worlds.append(reset_localkey(layout, state, ListKind.CTL))
        return worlds

    def _restart_all(self, state: World, service: Service, nodes: tuple[str, ...]) -> World:
        for node in nodes:
            state = restart(self.layout, state, service, node)
        return state


def _way(came_from: dict[World, World | None], last: World) -> tuple[World, ...]:
    way = [last]
    while (before := came_from[way[-1]]) is not None:
        way.append(before)
    return tuple(way)
