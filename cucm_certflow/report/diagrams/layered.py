"""Places the nodes of a small graph, and the labels of its edges, in layers, so that none overlap.

After Sugiyama: edges that lead back are turned round, every node gets a layer, an edge that passes
a layer gets a place in it, layers are put in an order with few crossings, and places are moved
under each other. Labels are nodes of layers in between, which is why they have room.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import attrs

__all__ = ["Layout", "Link", "Placed", "layered"]

_BESIDE: Final = 22.0
_BETWEEN: Final = 30.0
_PORTS: Final = 0.7
"""The share of a node's side over which the ends of its edges are spread."""
_SWEEPS: Final = 24
_LANE: Final = 10.0
"""The width that is kept for an edge where it passes a layer."""


class Link(NamedTuple):
    """An edge with the size of its label; a label of no size takes no room."""

    source: str
    dest: str
    width: float = 0.0
    height: float = 0.0


class Placed(NamedTuple):
    """A place: its middle and its size."""

    x: float
    y: float
    width: float
    height: float


class Layout(NamedTuple):
    """Where everything is. ``labels`` and ``routes`` are in the order of the links.

    A route goes from the source's side to the dest's, straight through every layer and from place
    to place between two.
    """

    nodes: Mapping[str, Placed]
    labels: tuple[Placed, ...]
    routes: tuple[tuple[tuple[float, float], ...], ...]
    width: float
    height: float


@attrs.define(eq=False)
class _Item:
    layer: int
    width: float
    height: float
    x: float = 0.0
    y: float = 0.0
    up: list[_Item] = attrs.field(factory=list)
    down: list[_Item] = attrs.field(factory=list)
    ends: tuple[_Item, ...] = ()
    """For a place on an edge: the nodes at its ends."""

    @property
    def is_passing(self) -> bool:
        return not self.height


def layered(sizes: Mapping[str, tuple[float, float]], links: Sequence[Link]) -> Layout:
    """Lay out nodes of *sizes* (width and height) from the first of them down.

    Args:
        sizes: By name, the one that everything begins with first.
        links: No link may lead from a node to itself.
    """
    turned = _turned(list(sizes), links)
    ranks = _ranks(list(sizes), links, turned)
    items = {name: _Item(ranks[name], *size) for name, size in sizes.items()}
    chains = [_chain(link, back, items) for link, back in zip(links, turned, strict=True)]
    layers = _layers([*items.values(), *(each for chain in chains for each in chain[1:-1])])
    _order(layers)
    _place_across(layers)
    height = _place_down(layers)
    width = max(item.x + item.width / 2 for layer in layers for item in layer)
    labels = tuple(_label(chain) for chain in chains)
    ports = _ports(items.values(), chains)
    bands = [(layer[0].y, max(item.height for item in layer)) for layer in layers]
    routes = tuple(
        _route(chain, ports[number], bands, back=back)
        for number, (chain, back) in enumerate(zip(chains, turned, strict=True))
    )
    nodes = {name: _placed(item) for name, item in items.items()}
    return Layout(nodes, labels, routes, width, height)


def _placed(item: _Item) -> Placed:
    return Placed(item.x, item.y, item.width, item.height)


def _turned(names: Sequence[str], links: Sequence[Link]) -> list[bool]:
    """Whether each link closes a circle, when the graph is walked from its first node on."""
    leaving: dict[str, list[int]] = {name: [] for name in names}
    for number, link in enumerate(links):
        leaving[link.source].append(number)
    turned = [False] * len(links)
    open_now: set[str] = set()
    seen: set[str] = set()

    def walk(name: str) -> None:
        seen.add(name)
        open_now.add(name)
        for number in leaving[name]:
            dest = links[number].dest
            if dest in open_now:
                turned[number] = True
            elif dest not in seen:
                walk(dest)
        open_now.remove(name)

    for name in names:
        if name not in seen:
            walk(name)
    return turned


def _ends(link: Link, *, back: bool) -> tuple[str, str]:
    return (link.dest, link.source) if back else (link.source, link.dest)


def _ranks(names: Sequence[str], links: Sequence[Link], turned: Sequence[bool]) -> dict[str, int]:
    """Each node two layers below the lowest that leads to it: labels stand in between."""
    ranks = dict.fromkeys(names, 0)
    pairs = [_ends(link, back=back) for link, back in zip(links, turned, strict=True)]
    moved = True
    while moved:
        moved = False
        for upper, lower in pairs:
            if ranks[lower] < ranks[upper] + 2:
                ranks[lower] = ranks[upper] + 2
                moved = True
    return ranks


def _chain(link: Link, back: bool, items: Mapping[str, _Item]) -> list[_Item]:  # noqa: FBT001 - of zip
    """The places that an edge passes from its upper node to its lower one, both included."""
    upper, lower = (items[name] for name in _ends(link, back=back))
    span = lower.layer - upper.layer
    labelled = upper.layer + (span // 2 | 1)
    chain = [upper]
    for layer in range(upper.layer + 1, lower.layer):
        is_label = layer == labelled and link.height
        item = _Item(layer, *(link[2:] if is_label else (_LANE, 0.0)), ends=(upper, lower))
        chain.append(item)
    chain.append(lower)
    for above, below in pairwise(chain):
        above.down.append(below)
        below.up.append(above)
    return chain


def _layers(items: Iterable[_Item]) -> list[list[_Item]]:
    by_layer: dict[int, list[_Item]] = {}
    for item in items:
        by_layer.setdefault(item.layer, []).append(item)
    return [by_layer[layer] for layer in sorted(by_layer)]


def _order(layers: list[list[_Item]]) -> None:
    """Put each layer in an order in which few edges cross."""
    best = [list(layer) for layer in layers]
    fewest = _crossings(layers)
    for sweep in range(_SWEEPS):
        downwards = sweep % 2 == 0
        for layer in layers[1:] if downwards else layers[-2::-1]:
            at = _positions(layers)

            def middle(item: _Item, at: dict[int, int] = at, *, down: bool = downwards) -> float:
                beside = item.up if down else item.down
                return (
                    sum(at[id(each)] for each in beside) / len(beside) if beside else at[id(item)]
                )

            layer.sort(key=middle)
        crossings = _crossings(layers)
        if crossings < fewest:
            fewest, best = crossings, [list(layer) for layer in layers]
    layers[:] = best


def _positions(layers: Iterable[Iterable[_Item]]) -> dict[int, int]:
    return {id(item): place for layer in layers for place, item in enumerate(layer)}


def _crossings(layers: Sequence[Sequence[_Item]]) -> int:
    at = _positions(layers)
    count = 0
    for layer in layers:
        pairs = [(at[id(item)], at[id(low)]) for item in layer for low in item.down]
        for number, (upper, lower) in enumerate(pairs):
            count += sum((upper - u) * (lower - w) < 0 for u, w in pairs[:number])
    return count


def _place_across(layers: Sequence[Sequence[_Item]]) -> None:
    """Move everything as near under its neighbours as the others in its layer allow."""
    for layer in layers:
        _spread(layer, [0.0] * len(layer))
    for sweep in range(_SWEEPS):
        downwards = sweep % 2 == 0
        for layer in layers if downwards else reversed(layers):
            _spread(layer, [_wanted(item, downwards=downwards) for item in layer])
    left = min(item.x - item.width / 2 for layer in layers for item in layer)
    for layer in layers:
        for item in layer:
            item.x -= left


def _wanted(item: _Item, *, downwards: bool) -> float:
    """Nodes want to be amid their neighbours, an edge amid its ends and as straight as can be."""
    if not item.ends:
        beside = [*item.up, *item.down]
        return sum(each.x for each in beside) / len(beside) if beside else item.x
    before = (item.up if downwards else item.down)[0]
    return before.x if before.ends else sum(end.x for end in item.ends) / 2


def _spread(layer: Sequence[_Item], wanted: Sequence[float]) -> None:
    """The places nearest to *wanted*, in least squares, that keep order and distance.

    With the distances taken off it is an isotonic regression: neighbours that would be out of
    order are pooled, and share the mean of what they want.
    """
    offsets = [0.0]
    for left, right in pairwise(layer):
        gap = _BESIDE / 2 if left.is_passing and right.is_passing else _BESIDE
        offsets.append(offsets[-1] + (left.width + right.width) / 2 + gap)
    pools: list[tuple[float, int]] = []
    for want, offset in zip(wanted, offsets, strict=True):
        total, count = want - offset, 1
        while pools and pools[-1][0] / pools[-1][1] > total / count:
            before, members = pools.pop()
            total, count = total + before, count + members
        pools.append((total, count))
    means = [total / count for total, count in pools for _ in range(count)]
    for item, mean, offset in zip(layer, means, offsets, strict=True):
        item.x = mean + offset


def _place_down(layers: Sequence[Sequence[_Item]]) -> float:
    top = 0.0
    for layer in layers:
        tall = max(item.height for item in layer)
        for item in layer:
            item.y = top + tall / 2
        top += tall + (_BETWEEN if tall else _BETWEEN / 2)
    return top - _BETWEEN


def _label(chain: Sequence[_Item]) -> Placed:
    inner = [item for item in chain[1:-1] if not item.is_passing]
    return _placed(inner[0]) if inner else Placed(chain[1].x, chain[1].y, 0.0, 0.0)


def _ports(
    items: Iterable[_Item], chains: Sequence[Sequence[_Item]]
) -> dict[int, tuple[float, float]]:
    """Where on the sides of its nodes each chain begins and ends, by its number."""
    begins: dict[int, float] = {}
    ends: dict[int, float] = {}
    for item in items:
        leaving = [(c[1].x, n) for n, c in enumerate(chains) if c[0] is item]
        coming = [(c[-2].x, n) for n, c in enumerate(chains) if c[-1] is item]
        for found, there in ((leaving, begins), (coming, ends)):
            width = item.width * _PORTS
            for place, (_, number) in enumerate(sorted(found), 1):
                there[number] = item.x - width / 2 + width * place / (len(found) + 1)
    return {number: (begins[number], ends[number]) for number in begins}


def _route(
    chain: Sequence[_Item],
    ports: tuple[float, float],
    bands: Sequence[tuple[float, float]],
    *,
    back: bool,
) -> tuple[tuple[float, float], ...]:
    """From side to side; through the band of each layer straight up and down."""
    first, last = chain[0], chain[-1]
    points = [(ports[0], first.y + first.height / 2)]
    points.append((ports[0], first.y + bands[first.layer][1] / 2))
    for item in chain[1:-1]:
        middle, tall = bands[item.layer]
        points += [(item.x, middle - tall / 2), (item.x, middle + tall / 2)]
    points.append((ports[1], last.y - bands[last.layer][1] / 2))
    points.append((ports[1], last.y - last.height / 2))
    kept = tuple(dict.fromkeys((round(x, 1), round(y, 1)) for x, y in points))
    return kept[::-1] if back else kept
