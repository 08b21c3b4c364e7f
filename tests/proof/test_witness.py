"""The production witness against every story that the physics can tell (trust-model.md §3).

For each configuration all reachable worlds of one phone are built: whatever may be regenerated is
regenerated once at any moment, and services restart, the CTL is updated, lists are signed by
localkey and the phone boots as often and in whatever order they like. In that closed graph the
truth is a backward search; the witness must never promise more than it.
"""

from __future__ import annotations

import itertools
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from time import perf_counter
from typing import NamedTuple

import pytest

from cucm_certflow.lab.observe import list_view
from cucm_certflow.lab.physics.actions import (
    boot,
    build_ctl,
    build_itl,
    initial,
    regenerate,
    reset_localkey,
    restart,
    update_ctl,
)
from cucm_certflow.lab.physics.judge import health
from cucm_certflow.lab.physics.phones import synced
from cucm_certflow.lab.physics.world import Layout, Node, Phone, PhoneKind, Variant, World
from cucm_certflow.names import CertUnit, ListKind, Service
from cucm_certflow.trust.lifeline import lifeline
from cucm_certflow.trust.model import ClusterTrust, NodeTrust, TrustPolicy
from cucm_certflow.trust.phone import Holding, PhoneClass

R11_5, R12_5 = (11, 5), (12, 5)
OK, LOCALKEY, HAND = 0, 1, 2
ANCHORS = (CertUnit.CALLMANAGER, CertUnit.TVS, CertUnit.ITLRECOVERY)
NODES = (Node("pub", True), Node("sub", False))


class Configuration(NamedTuple):
    """One cluster with one phone."""

    layout: Layout
    phone: PhoneKind

    def __str__(self) -> str:
        layout, phone = self.layout, self.phone
        flags = [
            name if value else f"not {name}"
            for name, value, usual in zip(
                Variant._fields, layout.variant, Variant(), strict=True
            )
            if value != usual
        ]
        return (
            f"{layout.release[0]}.{layout.release[1]} {'mixed' if layout.mixed else 'non-secure'}, "
            f"homed on {phone.tftp[0]}{'' if phone.asks_tvs else ' without Security By Default'}, "
            f"{', '.join(flags) or 'default'}"
        )


class Move(NamedTuple):
    """Something that can be done to the whole cluster; *remedy* is None for what only harms."""

    words: str
    remedy: int | None
    do: Callable[[Layout, World], World | None]


def _regenerated(unit: CertUnit) -> Callable[[Layout, World], World | None]:
    def do(layout: Layout, world: World) -> World | None:
        if any(cert.unit is unit and cert.generation > 1 for cert in world.gen):
            return None
        for node in layout.nodes:
            if layout.has(unit, node.name):
                world = regenerate(layout, world, unit, node.name)
        return world

    return do


def _restarted(service: Service) -> Callable[[Layout, World], World | None]:
    def do(layout: Layout, world: World) -> World | None:
        for node in layout.nodes:
            world = restart(layout, world, service, node.name)
        return world

    return do


def _signed_anew(kind: ListKind) -> Callable[[Layout, World], World | None]:
    return lambda layout, world: reset_localkey(layout, world, kind)


def moves(layout: Layout) -> list[Move]:
    found = [Move(f"regenerate {unit}", None, _regenerated(unit)) for unit in ANCHORS]
    found += [
        Move(f"restart {service}", OK, _restarted(service))
        for service in (Service.TVS, Service.TFTP)
    ]
    found.append(Move("itl localkey", LOCALKEY, _signed_anew(ListKind.ITL)))
    if layout.mixed:
        found.append(Move("ctl localkey", LOCALKEY, _signed_anew(ListKind.CTL)))
        found.append(Move("ctl update", OK, update_ctl))
    return found


class Clusters:
    """Every world that a cluster can come to, its phones left out; worlds are numbers."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.moves = moves(layout)
        self.worlds: list[World] = [initial(layout, ())]
        self.after: list[list[tuple[int, int]]] = []
        number = {self.worlds[0]: 0}
        while len(self.after) < len(self.worlds):
            world = self.worlds[len(self.after)]
            reached: list[tuple[int, int]] = []
            for index, move in enumerate(self.moves):
                then = move.do(layout, world)
                if then is None:
                    continue
                if then not in number:
                    number[then] = len(self.worlds)
                    self.worlds.append(then)
                reached.append((index, number[then]))
            self.after.append(reached)
        self.trust = [trust_in(layout, world) for world in self.worlds]
        self.caught_up = [_caught_up(layout, world) for world in self.worlds]


def _caught_up(layout: Layout, world: World) -> bool:
    ctl = build_ctl(layout, world) if layout.mixed else None
    return all(
        world.presents(CertUnit.TVS, node.name) == world.current(CertUnit.TVS, node.name)
        and world.signs(node.name) == world.current(CertUnit.CALLMANAGER, node.name)
        and world.itl_of(node.name) == build_itl(layout, world, node.name)
        and world.ctl_of(node.name) == ctl
        for node in layout.nodes
    )


def trust_in(layout: Layout, world: World) -> ClusterTrust:
    """What the production code would know of *world*; ``trust_of`` refuses worlds in mid-change."""
    variant = layout.variant
    signer = CertUnit.ITLRECOVERY if layout.signer_is_itlrecovery else CertUnit.CALLMANAGER
    nodes = []
    for node in layout.nodes:
        name = node.name
        recovery = world.current(CertUnit.ITLRECOVERY, layout.itlrecovery_of(name))
        ctl = world.ctl_of(name)
        nodes.append(
            NodeTrust(
                name=name,
                callmanager=str(world.current(CertUnit.CALLMANAGER, name)),
                tvs=str(world.current(CertUnit.TVS, name)),
                itlrecovery=str(recovery),
                presented_tvs=str(world.presents(CertUnit.TVS, name)),
                signing=str(world.signs(name)),
                itl=list_view(world.itl_of(name)),
                ctl=None if ctl is None else list_view(ctl),
                itl_signer=signer,
                itl_has_recovery=True,
            )
        )
    return ClusterTrust(
        nodes=tuple(nodes),
        mixed=layout.mixed,
        ctl_signer=signer,
        ctl_has_recovery=layout.signer_is_itlrecovery or variant.ctl_lists_itlrecovery,
        policy=TrustPolicy(
            tvs_vouches_for_ctl=variant.tvs_vouches_for_ctl,
            vouches_for_itlrecovery=variant.vouches_for_itlrecovery,
            ctl_judges_itl=variant.ctl_strict,
            tvs_restarts_itself=variant.tvs_restarts_itself,
            itl_rebuilt_at_once=variant.itl_rebuilt_at_once,
        ),
    )


class Comparison(NamedTuple):
    states: int
    truth: tuple[int, ...]
    """How many states need which remedy, by severity."""

    pessimistic: int
    optimistic: int
    story: tuple[str, ...]
    """The shortest one to an optimistic verdict; empty if there is none."""


class Stories:
    """All that one phone can live through in a cluster: a state is (cluster, phone), by number."""

    def __init__(self, configuration: Configuration, clusters: Clusters) -> None:
        self.layout, self.kind = configuration
        self.clusters = clusters
        home = self.kind.tftp[0]
        first = initial(self.layout, (self.kind,)).phones[0]
        self.phones: list[Phone] = [first]
        number = {first: 0}
        self.states = [(0, 0)]
        place = {(0, 0): 0}
        self.came: list[tuple[int, str]] = [(-1, "")]
        self.into: tuple[list[list[int]], ...] = ([[]], [[]])
        """Who comes here by ordinary means, and who by localkey."""
        at = 0
        while at < len(self.states):
            cluster, phone = self.states[at]
            reached: list[tuple[str, int | None, tuple[int, int]]] = [
                (clusters.moves[index].words, clusters.moves[index].remedy, (then, phone))
                for index, then in clusters.after[cluster]
            ]
            world = clusters.worlds[cluster]._replace(phones=(self.phones[phone],))
            booted = boot(self.layout, (self.kind,), world, 0, home).phones[0]
            if booted not in number:
                number[booted] = len(self.phones)
                self.phones.append(booted)
            reached.append(("the phone boots", OK, (cluster, number[booted])))
            for words, remedy, state in reached:
                if state not in place:
                    place[state] = len(self.states)
                    self.states.append(state)
                    self.came.append((at, words))
                    for lists in self.into:
                        lists.append([])
                if remedy is not None:
                    self.into[remedy][place[state]].append(at)
            at += 1

    def world(self, state: int) -> World:
        cluster, phone = self.states[state]
        return self.clusters.worlds[cluster]._replace(phones=(self.phones[phone],))

    def truth(self) -> list[int]:
        """The weakest remedy of each state: backward from where phone and cluster are in step."""
        goal = [
            state
            for state, (cluster, _) in enumerate(self.states)
            if self.clusters.caught_up[cluster]
            and synced(self.layout, w := self.world(state), self.kind, w.phones[0])
        ]
        ok = self._backward(goal, self.into[:1])
        saved = self._backward(goal, self.into)
        return [
            OK if state in ok else LOCALKEY if state in saved else HAND
            for state in range(len(self.states))
        ]

    def _backward(self, goal: Iterable[int], into: Sequence[list[list[int]]]) -> set[int]:
        reached = set(goal)
        todo = deque(reached)
        while todo:
            state = todo.popleft()
            for lists in into:
                for before in lists[state]:
                    if before not in reached:
                        reached.add(before)
                        todo.append(before)
        return reached

    def verdicts(self) -> list[int]:
        """What the witness says of each state."""
        kind = self.kind
        phone = PhoneClass(kind.group, kind.asks_tvs, kind.secure)
        holdings = [
            Holding(
                None if held.itl is None else list_view(held.itl),
                None if held.ctl is None else list_view(held.ctl),
            )
            for held in self.phones
        ]
        trust = self.clusters.trust
        return [
            int(lifeline(trust[cluster], phone, holdings[index], kind.tftp[0]).health)
            for cluster, index in self.states
        ]

    def story(self, state: int) -> tuple[str, ...]:
        words: list[str] = []
        while state:
            state, word = self.came[state]
            words.append(word)
        return tuple(reversed(words))
