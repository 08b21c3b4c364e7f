"""Tells stories to the physics in the words of trust-model.md, and counts how they end.

A word acts on all nodes (``CM``), or on one (``CM@sub``). ``CM``, ``TVS`` and ``ITLR`` regenerate,
``rTVS``, ``rTFTP`` and ``rCM`` restart, ``ctl`` is the CTL update, ``reset`` resets all phones.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Iterator

from cucm_certflow.lab.physics.actions import (
    build_ctl,
    build_itl,
    initial,
    power,
    regenerate,
    reset_localkey,
    reset_phones,
    restart,
    update_ctl,
)
from cucm_certflow.lab.physics.judge import Health, Memo, health
from cucm_certflow.lab.physics.phones import synced
from cucm_certflow.lab.physics.world import Layout, Node, PhoneKind, Variant, World
from cucm_certflow.names import CertUnit, ListKind, Service

Kinds = tuple[PhoneKind, ...]

R11_5, R12_5 = (11, 5), (12, 5)
OK, LOCALKEY, HAND = Health.OK, Health.NEEDS_LOCALKEY, Health.HAND_DELETE

DEFAULT = Variant()
RESTARTS_ITSELF = Variant(tvs_restarts_itself=True)
NO_VOUCH = Variant(vouches_for_itlrecovery=False)
CTL_ANCHORS_ONLY = Variant(ctl_strict=True, tvs_vouches_for_ctl=False)
UNKIND = Variant(
    tvs_restarts_itself=True,
    vouches_for_itlrecovery=False,
    tvs_vouches_for_ctl=False,
    ctl_strict=True,
)
# The five uncertainties of trust-model.md; registration and the CTL's content are kept out.
ALL_VARIANTS = tuple(Variant(*flags) for flags in itertools.product((False, True), repeat=5))

REGENERATE = {
    "CM": CertUnit.CALLMANAGER,
    "TVS": CertUnit.TVS,
    "ITLR": CertUnit.ITLRECOVERY,
    "CAPF": CertUnit.CAPF,
}
RESTART = {"rTVS": Service.TVS, "rTFTP": Service.TFTP, "rCM": Service.CALLMANAGER}
LOCALKEY_OF = {"itl-localkey": ListKind.ITL, "ctl-localkey": ListKind.CTL}

MEMO = Memo()


def show(*words: object) -> None:
    """For whoever runs the tests with -s."""
    print(*words)


def cluster(
    release: tuple[int, int],
    *,
    mixed: bool = False,
    variant: Variant = DEFAULT,
    one_node: bool = False,
) -> Layout:
    """A publisher, and a subscriber unless it is alone; both run everything."""
    nodes = (Node("pub", True), Node("sub", False))
    return Layout(nodes[:1] if one_node else nodes, release, mixed, variant)


def phone(
    name: str = "phone",
    *,
    group: tuple[str, ...] = ("pub", "sub"),
    tftp: tuple[str, ...] = ("pub",),
    secure: bool = False,
) -> PhoneKind:
    return PhoneKind(name, group, tftp, secure)


def act(layout: Layout, kinds: Kinds, world: World, word: str) -> World:
    """One word of a story. A CTL command on a non-secure cluster is refused and changes nothing."""
    verb, _, only = word.partition("@")
    nodes = (only,) if only else tuple(node.name for node in layout.nodes)
    if verb in REGENERATE:
        for node in nodes:
            if layout.has(REGENERATE[verb], node):
                world = regenerate(layout, world, REGENERATE[verb], node)
        return world
    if verb in RESTART:
        for node in nodes:
            if layout.runs(RESTART[verb], node):
                world = restart(layout, world, RESTART[verb], node, kinds)
        return world
    if verb == "reset":
        return reset_phones(layout, kinds, world)
    if not layout.mixed and verb in ("ctl", "ctl-localkey"):
        return world
    if verb == "ctl":
        return update_ctl(layout, world)
    return reset_localkey(layout, world, LOCALKEY_OF[verb])


def switched(layout: Layout, kinds: Kinds, world: World, off: tuple[int, ...]) -> World:
    for index in off:
        world = power(layout, kinds, world, index, False)
    return world


def tell(layout: Layout, kinds: Kinds, story: str, off: tuple[int, ...] = ()) -> Iterator[World]:
    """The world after each word of *story*; the phones of *off* are off throughout."""
    world = switched(layout, kinds, initial(layout, kinds), off)
    for word in story.split(" > "):
        world = act(layout, kinds, world, word)
        yield world


def end(layout: Layout, kinds: Kinds, story: str, off: tuple[int, ...] = ()) -> World:
    *_, last = tell(layout, kinds, story, off)
    return last


def verdicts(layout: Layout, kinds: Kinds, world: World) -> tuple[Health, ...]:
    return tuple(health(layout, kinds, world, index, MEMO) for index in range(len(kinds)))


def all_orders(
    layout: Layout, kinds: Kinds, words: tuple[str, ...], *, off: tuple[int, ...] = ()
) -> Counter[World]:
    """The worlds in which all orders of *words* end, each with the number of orders.

    The trie of orders, with equal worlds reached by equal sets of words folded into one: what
    happens next depends on nothing else.
    """
    start = switched(layout, kinds, initial(layout, kinds), off)
    layer: dict[tuple[frozenset[str], World], int] = {(frozenset(), start): 1}
    for _ in words:
        following: Counter[tuple[frozenset[str], World]] = Counter()
        for (used, world), ways in layer.items():
            for word in words:
                if word not in used:
                    after = act(layout, kinds, world, word)
                    following[used | {word}, after] += ways
        layer = following
    ends: Counter[World] = Counter()
    for (_, world), ways in layer.items():
        ends[world] += ways
    return ends


def tally(layout: Layout, kinds: Kinds, ends: Counter[World]) -> tuple[str, ...]:
    """What became of each phone, as the document writes it: ok/localkey/HAND."""
    found = [Counter[Health]() for _ in kinds]
    for world, ways in ends.items():
        for counter, verdict in zip(found, verdicts(layout, kinds, world), strict=True):
            counter[verdict] += ways
    return tuple("/".join(str(counter[verdict]) for verdict in Health) for counter in found)


def shortest_prefixes(
    layout: Layout, kinds: Kinds, words: tuple[str, ...], bad: frozenset[Health]
) -> set[str]:
    """The shortest beginnings of any order of *words* after which the phone is *bad*."""
    layer: dict[tuple[str, ...], World] = {(): initial(layout, kinds)}
    while layer:
        layer = {
            (*told, word): act(layout, kinds, world, word)
            for told, world in layer.items()
            for word in words
            if word not in told
        }
        found = {
            " > ".join(told)
            for told, world in layer.items()
            if verdicts(layout, kinds, world)[0] in bad
        }
        if found:
            return found
    return set()


def finished(layout: Layout, kinds: Kinds, world: World) -> bool:
    """Whether the cluster has caught up and every phone is in sync with it."""
    fresh = all(
        world.presents(CertUnit.TVS, node) == world.current(CertUnit.TVS, node)
        for node in layout.tvs_nodes
    ) and all(
        world.signs(node) == world.current(CertUnit.CALLMANAGER, node)
        and world.itl_of(node) == build_itl(layout, world, node)
        and (not layout.mixed or world.ctl_of(node) == build_ctl(layout, world))
        for node in layout.tftp_nodes
    )
    return fresh and all(
        synced(layout, world, kind, each) for kind, each in zip(kinds, world.phones, strict=True)
    )


def exposed(layouts: tuple[Layout, ...], kinds: Kinds, story: str) -> int:
    """After how many words of *story* some phone, in some layout, needs more than the ordinary."""
    told = [
        [verdicts(layout, kinds, world) for world in tell(layout, kinds, story)]
        for layout in layouts
    ]
    return sum(
        any(verdict is not OK for each in step for verdict in each)
        for step in zip(*told, strict=True)
    )


def cheapest_plan(
    layouts: tuple[Layout, ...], kinds: Kinds, regenerations: tuple[str, ...]
) -> tuple[int, int, str]:
    """Dijkstra over all layouts at once: fewest exposed words, then fewest words, and one plan."""
    words = (*regenerations, "rTVS", "rTFTP", "reset", "itl-localkey")
    if layouts[0].mixed:
        words = (*words, "ctl", "ctl-localkey")
    start = tuple(initial(layout, kinds) for layout in layouts)
    best: dict[tuple[tuple[World, ...], frozenset[str]], tuple[int, int]] = {
        (start, frozenset()): (0, 0)
    }
    tie = itertools.count()
    queue: list[tuple[tuple[int, int], int, tuple[World, ...], frozenset[str], tuple[str, ...]]]
    queue = [((0, 0), next(tie), start, frozenset(), ())]
    while queue:
        cost, _, worlds, done, plan = heapq.heappop(queue)
        if best[worlds, done] < cost:
            continue
        if len(done) == len(regenerations) and all(
            finished(layout, kinds, world) for layout, world in zip(layouts, worlds, strict=True)
        ):
            return (*cost, " > ".join(plan))
        for word in words:
            if word in done:
                continue
            after = tuple(
                act(layout, kinds, world, word)
                for layout, world in zip(layouts, worlds, strict=True)
            )
            found = {
                verdict
                for layout, world in zip(layouts, after, strict=True)
                for verdict in verdicts(layout, kinds, world)
            }
            if HAND in found:
                continue
            then = (cost[0] + (LOCALKEY in found), cost[1] + 1)
            key = (after, done | {word} if word in regenerations else done)
            if then < best.get(key, (len(words) * 9, 0)):
                best[key] = then
                heapq.heappush(queue, (then, next(tie), *key, (*plan, word)))
    message = "no plan without a phone that somebody must walk to"
    raise AssertionError(message)
