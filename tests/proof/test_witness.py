"""The production witness against every story that the physics can tell (trust-model.md §3).

For each configuration all reachable worlds of one phone are built: whatever may be regenerated is
regenerated once at any moment, and services restart, the CTL is updated, lists are signed by
localkey and the phone boots as often and in whatever order they like. In that closed graph the
truth is a backward search; the witness must never promise more than it.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import product
from time import perf_counter
from typing import Final, NamedTuple

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
from cucm_certflow.lab.physics.judge import Memo, health
from cucm_certflow.lab.physics.phones import synced
from cucm_certflow.lab.physics.world import Layout, Phone, PhoneKind, Variant, World
from cucm_certflow.names import CertUnit, ListKind, Service
from cucm_certflow.trust.lifeline import lifeline
from cucm_certflow.trust.model import ClusterTrust, NodeTrust, TrustPolicy
from cucm_certflow.trust.phone import Holding, PhoneClass
from tests.proof.runs import NODES, no_sweeps, show

pytestmark = pytest.mark.slow

R11_5, R12_5 = (11, 5), (12, 5)
OK, LOCALKEY, HAND = 0, 1, 2
ANCHORS = (CertUnit.CALLMANAGER, CertUnit.TVS, CertUnit.ITLRECOVERY)


class Configuration(NamedTuple):
    """One cluster with one phone."""

    layout: Layout
    phone: PhoneKind

    def __str__(self) -> str:
        layout, phone = self.layout, self.phone
        flags = [
            name if value else f"not {name}"
            for name, value, usual in zip(Variant._fields, layout.variant, Variant(), strict=True)
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


def _regenerated(unit: CertUnit, *names: str) -> Callable[[Layout, World], World | None]:
    """Once on each node that has it, or on those of *names*."""

    def do(layout: Layout, world: World) -> World | None:
        for name in names or [node.name for node in layout.nodes]:
            if layout.has(unit, name):
                if world.current(unit, name).generation > 1:
                    return None
                world = regenerate(layout, world, unit, name)
        return world

    return do


def _restarted(service: Service, *names: str) -> Callable[[Layout, World], World | None]:
    def do(layout: Layout, world: World) -> World | None:
        for name in names or [node.name for node in layout.nodes]:
            world = restart(layout, world, service, name)
        return world

    return do


def _signed_anew(kind: ListKind) -> Callable[[Layout, World], World | None]:
    return lambda layout, world: reset_localkey(layout, world, kind)


def moves(layout: Layout) -> list[Move]:
    """Everything on all nodes at once."""
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


def moves_by_node(layout: Layout) -> list[Move]:
    """What a run does: CallManager and TVS, one node at a time; clean-ups are on all nodes."""
    found = moves(layout)[len(ANCHORS) :]
    for node in layout.nodes:
        found += [
            Move(f"regenerate {unit} on {node.name}", None, _regenerated(unit, node.name))
            for unit in (CertUnit.CALLMANAGER, CertUnit.TVS)
        ]
        found += [
            Move(f"restart {service} on {node.name}", None, _restarted(service, node.name))
            for service in (Service.TVS, Service.TFTP)
        ]
    return found


class Clusters:
    """Every world that a cluster can come to, its phones left out; worlds are numbers."""

    def __init__(self, layout: Layout, can_be_done: list[Move]) -> None:
        self.layout = layout
        self.moves = can_be_done
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


# ── the configurations ────────────────────────────────────────────────────────────────────

GROUP: Final = ("pub", "sub")
PUB, SUB = PhoneKind("phone", GROUP, ("pub",)), PhoneKind("phone", GROUP, ("sub",))
MODES: Final = tuple(product((R11_5, R12_5), (False, True)))


def variants(release: tuple[int, int], *, mixed: bool) -> list[Variant]:
    """The default, each flag that means something there alone, and all that are unkind at once."""
    flags: dict[str, bool] = {"tvs_restarts_itself": True, "itl_rebuilt_at_once": True}
    flags["vouches_for_itlrecovery"] = False
    if mixed:
        flags |= {"tvs_vouches_for_ctl": False, "ctl_strict": True}
    alone = [Variant()._replace(**{name: value}) for name, value in flags.items()]
    if mixed and release < (12, 0):
        alone.append(Variant(ctl_lists_itlrecovery=False))
    unkind = Variant()._replace(**flags)
    # A list that is rebuilt at once leaves fewer worlds: both ways belong to the unkind.
    return [Variant(), *alone, unkind, unkind._replace(itl_rebuilt_at_once=False)]


class Comparison(NamedTuple):
    """How witness and truth compare over all states of a configuration."""

    truth: Counter[int]
    """How many states need which remedy, by severity."""

    pessimistic: int
    optimistic: tuple[str, ...]
    """The shortest story to a verdict that is better than the truth, and both; empty for none."""


def compared(configuration: Configuration, clusters: Clusters) -> Comparison:
    with no_sweeps():
        stories = Stories(configuration, clusters)
        truth, verdicts = stories.truth(), stories.verdicts()
    story: tuple[str, ...] = ()
    for state, (true, said) in enumerate(zip(truth, verdicts, strict=True)):
        if said < true:
            story = (*stories.story(state), f"the witness says {said}, the truth is {true}")
            break
    pessimistic = sum(said > true for true, said in zip(truth, verdicts, strict=True))
    found = Comparison(Counter(truth), pessimistic, story)
    show(f"{configuration}: {len(truth)} states, {pessimistic} pessimistic")
    return found


@cache
def all_compared() -> dict[Configuration, Comparison]:
    started = perf_counter()
    found: dict[Configuration, Comparison] = {}
    for release, mixed in MODES:
        for variant in variants(release, mixed=mixed):
            layout = Layout(NODES, release, mixed, variant)
            clusters = Clusters(layout, moves(layout))
            kinds = [PUB, SUB]
            if mixed and variant == Variant():
                kinds += [kind._replace(asks_tvs=False) for kind in kinds]
            for kind in kinds:
                configuration = Configuration(layout, kind)
                found[configuration] = compared(configuration, clusters)
    show(f"all configurations: {perf_counter() - started:.1f} s")
    return found


def test_witness_never_promises_more_than_exhaustive_search_finds() -> None:
    told = {str(where): what.optimistic for where, what in all_compared().items()}
    assert {where: story for where, story in told.items() if story} == {}


def test_witness_is_pessimistic_in_few_states_only() -> None:
    found = all_compared().values()
    states = sum(what.truth.total() for what in found)
    pessimistic = sum(what.pessimistic for what in found)
    worst = max(found, key=lambda what: what.pessimistic)
    show(
        f"{pessimistic} of {states} states pessimistic in {len(found)} configurations, "
        f"at most {worst.pessimistic} of {worst.truth.total()}"
    )
    assert (len(found), states, pessimistic) == (62, 242_457, 4_546)
    assert (worst.pessimistic, worst.truth.total()) == (718, 9_977)


def test_every_remedy_is_needed_somewhere() -> None:
    needed = sum((what.truth for what in all_compared().values()), Counter[int]())
    assert (needed[OK], needed[LOCALKEY], needed[HAND]) == (195_427, 27_018, 20_012)


@pytest.mark.parametrize(("release", "mixed"), MODES)
@pytest.mark.parametrize("kind", [PUB, SUB], ids=["on pub", "on sub"])
def test_backward_search_agrees_with_the_judge(
    release: tuple[int, int], mixed: bool, kind: PhoneKind
) -> None:
    layout = Layout(NODES, release, mixed, Variant(vouches_for_itlrecovery=False))
    stories = Stories(Configuration(layout, kind), Clusters(layout, moves(layout)))
    memo = Memo()
    truth = stories.truth()
    some = range(0, len(truth), 29 if mixed else 1)
    judged = [health(layout, (kind,), stories.world(state), 0, memo).severity for state in some]
    assert judged == [truth[state] for state in some]


_DEFAULT: Final = Variant(vouches_for_itlrecovery=False)
_RESTARTS: Final = _DEFAULT._replace(tvs_restarts_itself=True)
_AT_ONCE: Final = _DEFAULT._replace(itl_rebuilt_at_once=True)
_FROM_14: Final = _RESTARTS._replace(tvs_vouches_for_ctl=False)

# fmt: off
BY_NODE: Final = {
    Configuration(Layout(NODES, R11_5, False, _DEFAULT), PUB): (10_443, 0),
    Configuration(Layout(NODES, R11_5, False, _DEFAULT), SUB): (5_628, 0),
    Configuration(Layout(NODES, R12_5, False, _DEFAULT), PUB): (10_443, 0),
    Configuration(Layout(NODES, R12_5, False, _DEFAULT), SUB): (10_539, 0),
    Configuration(Layout(NODES, R11_5, True, _AT_ONCE), PUB): (18_834, 0),
    Configuration(Layout(NODES, R11_5, True, _AT_ONCE), SUB): (21_170, 0),
    Configuration(Layout(NODES, R11_5, True, _RESTARTS), SUB): (65_187, 544),
    Configuration(Layout(NODES, R12_5, True, _FROM_14), SUB): (65_304, 0),
}
# fmt: on


@pytest.mark.parametrize("where", BY_NODE, ids=str)
def test_witness_is_not_optimistic_half_way_between_two_nodes(where: Configuration) -> None:
    found = compared(where, Clusters(where.layout, moves_by_node(where.layout)))
    assert found.optimistic == ()
    assert (found.truth.total(), found.pessimistic) == BY_NODE[where]
