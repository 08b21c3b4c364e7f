"""A diagram as SVG, without any program besides: machines in layers, steps in lanes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import attrs

from cucm_certflow.report.diagrams.canvas import (
    AMBER,
    BLUE,
    GREEN,
    GREY,
    INK,
    Canvas,
    Paint,
    Point,
)
from cucm_certflow.report.diagrams.graph import Diagram, Group, Node, NodeKind, Shape
from cucm_certflow.report.diagrams.layered import Layout, Link, layered
from cucm_certflow.report.diagrams.lettering import LINE, text_width, wrapped

__all__ = ["to_svg"]

_LEFT: Final = 16.0
_TITLE: Final = 17.0
_NAME: Final = 13.0
_WORDS: Final = 11.0
_PAD: Final = 8.0
_WHITE: Final = Paint("#ffffff", "#ffffff")
_START: Final = "(start)"
_PAINTS: Final[Mapping[NodeKind, Paint]] = {
    NodeKind.STATE: BLUE,
    NodeKind.FINAL: GREEN,
    NodeKind.STEP: BLUE,
    NodeKind.BY_HAND: AMBER,
    NodeKind.BARRIER: GREEN,
}


def to_svg(diagram: Diagram) -> str:
    """*diagram* as one self-contained SVG document: the same bytes for the same diagram.

    No text is cut and no two overlap, as far as the widths of letters are known: see
    ``lettering``. Pure.
    """
    canvas = Canvas()
    top = canvas.text(_LEFT, 16, [diagram.title], size=_TITLE, bold=True) + 8
    if diagram.shape is Shape.MACHINE:
        bottom, width = _machine(canvas, diagram, top)
    else:
        bottom, width = _lanes(canvas, diagram, top)
    _notes(canvas, diagram.notes, bottom + 10, max(width, 480.0))
    return canvas.document(diagram.title, diagram.description)


def _notes(canvas: Canvas, notes: Iterable[str], top: float, width: float) -> None:
    for note in notes:
        top = canvas.text(_LEFT, top, wrapped(note, _WORDS, width), size=_WORDS) + 4


# ── machines ──────────────────────────────────────────────────────────────────────────────


def _machine(canvas: Canvas, diagram: Diagram, top: float) -> tuple[float, float]:
    sizes: dict[str, tuple[float, float]] = {_START: (14.0, 14.0)} if diagram.initial else {}
    for node in diagram.nodes:
        sizes[node.id] = (max(110.0, text_width(node.title, _NAME, bold=True) + 28), 38.0)
    links = [Link(_START, diagram.initial)] if diagram.initial else []
    links += [
        Link(edge.source, edge.dest, text_width(edge.label, _WORDS) + 8, _WORDS * LINE + 4)
        for edge in diagram.edges
    ]
    layout = layered(sizes, links)
    xs, width = _columns(diagram, layout.width)
    left = _LEFT + (width - layout.width) / 2
    for route in layout.routes:
        canvas.curve([(x + left, y + top) for x, y in route])
    _states(canvas, diagram, layout, left, top)
    labels = layout.labels[len(links) - len(diagram.edges) :]
    for edge, place in zip(diagram.edges, labels, strict=True):
        x, y = place.x + left, place.y + top
        if place.height:
            corner = (x - place.width / 2, y - place.height / 2)
            canvas.box(*corner, place.width, place.height, _WHITE, corner=2, border=0)
            canvas.line_of_text(x, y + _WORDS * 0.35, edge.label, size=_WORDS, anchor="middle")
    bottom = _asked(canvas, diagram, top + layout.height + 24, xs, _LEFT + width)
    return bottom, width


def _states(canvas: Canvas, diagram: Diagram, layout: Layout, left: float, top: float) -> None:
    for node in diagram.nodes:
        place = layout.nodes[node.id]
        x, y = place.x + left, place.y + top
        side, above = x - place.width / 2, y - place.height / 2
        paint = _PAINTS[node.kind]
        canvas.box(side, above, place.width, place.height, paint, corner=12)
        if node.kind is NodeKind.FINAL:
            canvas.box(side + 3, above + 3, place.width - 6, place.height - 6, paint, corner=9)
        baseline = y + _NAME * 0.35
        canvas.line_of_text(x, baseline, node.title, size=_NAME, bold=True, anchor="middle")
    if diagram.initial:
        start = layout.nodes[_START]
        canvas.dot(start.x + left, start.y + top, 7)


_HEADS: Final = ("edge", "from and to", "trigger", "taken when none of these says no")


def _rows(diagram: Diagram) -> list[tuple[str, str, str, str]]:
    """What each edge is called, leads to, is tried by, and asks."""
    titles = {node.id: node.title for node in diagram.nodes}
    return [
        (
            edge.label,
            f"{titles[edge.source]} → {titles[edge.dest]}",
            "; ".join(filter(None, (edge.trigger, edge.note))),
            ", ".join(edge.guards) or "nothing is asked",
        )
        for edge in diagram.edges
    ]


def _columns(diagram: Diagram, width: float) -> tuple[list[float], float]:
    """Where the columns under the picture begin, and how wide they are together."""
    xs = [_LEFT]
    for column in list(zip(_HEADS, *_rows(diagram), strict=True))[:-1]:
        xs.append(xs[-1] + max(text_width(each, _WORDS, bold=True) for each in column) + 16)
    return xs, max(width, xs[-1] - _LEFT + 420)


def _asked(
    canvas: Canvas, diagram: Diagram, top: float, xs: Sequence[float], right: float
) -> float:
    for x, head in zip(xs, _HEADS, strict=True):
        canvas.text(x, top, [head], size=_WORDS, bold=True, colour=GREY.line)
    top += _WORDS * LINE + 4
    for name, *others, asked in _rows(diagram):
        canvas.line([(_LEFT, top), (right, top)], colour="#dddddd")
        top += 4
        canvas.text(xs[0], top, [name], size=_WORDS, bold=True)
        for x, text in zip(xs[1:], others, strict=False):
            canvas.text(x, top, [text], size=_WORDS)
        lines = wrapped(asked, _WORDS, right - xs[-1])
        top = canvas.text(xs[-1], top, lines, size=_WORDS) + 4
    return top


# ── lanes ─────────────────────────────────────────────────────────────────────────────────

_GUTTER: Final = 150.0
_GAP: Final = 22.0
_BETWEEN_LANES: Final = 12.0
_ALL_LANES: Final = 1000.0
"""How wide the lanes are together, if each can be as wide as it needs to be, and not wider."""
_WIDEST: Final = 340.0
_NARROWEST: Final = 176.0


@attrs.frozen(eq=False)
class _Card:
    """A node with its texts broken into lines."""

    node: Node
    tag: tuple[str, ...]
    title: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]

    @property
    def height(self) -> float:
        words = len(self.tag) + sum(map(len, self.lines))
        gaps = 3 * len(self.lines)
        return _PAD * 2 + len(self.title) * _NAME * LINE + words * _WORDS * LINE + gaps


def _card(node: Node, width: float) -> _Card:
    room = width - 2 * _PAD
    return _Card(
        node,
        wrapped(node.tag, _WORDS, room),
        wrapped(node.title, _NAME, room, bold=True),
        tuple(wrapped(line, _WORDS, room) for line in node.lines),
    )


def _lanes(canvas: Canvas, diagram: Diagram, top: float) -> tuple[float, float]:
    count = max(len(diagram.lanes), 1)
    wide = max(_NARROWEST, min(_WIDEST, _ALL_LANES / count))
    columns = {lane: _LEFT + _GUTTER + wide * number for number, lane in enumerate(diagram.lanes)}
    right = _LEFT + _GUTTER + wide * count
    heads = {lane: wrapped(lane, _WORDS, wide - 2 * _PAD, bold=True) for lane in diagram.lanes}
    begin = top
    tallest = max(map(len, heads.values()), default=1)
    top += tallest * _WORDS * LINE + 14
    drawing = _Drawing(canvas, diagram, columns, wide, right)
    # What lies below is drawn first: the height is known once everything was measured.
    bottom = drawing.measured(top)
    for number, lane in enumerate(diagram.lanes):
        x = columns[lane]
        paint = Paint("#ffffff", "#f6f6f6" if number % 2 else "#fbfbfb")
        canvas.box(x, begin, wide, bottom - begin, paint, corner=0, border=0)
        canvas.text(x + wide / 2, begin + 6, heads[lane], size=_WORDS, bold=True, anchor="middle")
    drawing.draw()
    return bottom, right - _LEFT


class _Drawing:
    """The rows of a diagram with lanes: measured first, drawn afterwards."""

    def __init__(
        self,
        canvas: Canvas,
        diagram: Diagram,
        columns: Mapping[str, float],
        wide: float,
        right: float,
    ) -> None:
        self._canvas = canvas
        self._diagram = diagram
        self._columns = columns
        self._wide = wide
        self._right = right
        self._left = _LEFT + _GUTTER
        self._boxes: list[tuple[_Card, float, float, float, float]] = []
        self._heads: list[tuple[Group, float, float]] = []

    def measured(self, top: float) -> float:
        """Give everything its place from *top* down; where the last ends."""
        groups = {group.id: group for group in self._diagram.groups}
        rows = self._rows()
        opened = ""
        least = top
        for row in rows:
            group = row[0].group
            if group != opened or row[0].kind is NodeKind.BARRIER:
                top = max(top, least)
                opened = group
                if group and group not in {head.id for head, _, _ in self._heads}:
                    least = top + self._head_height(groups[group]) + _GAP
                    self._heads.append((groups[group], top, least - _GAP))
            cards = [self._measured_card(node) for node in row]
            height = max(card.height for card in cards)
            for card in cards:
                x, width = self._across(card.node)
                self._boxes.append((card, x, top, width, card.height))
            top += height + _GAP
        return max(top, least) - _GAP + 12

    def _rows(self) -> list[list[Node]]:
        """Nodes of the same title, each to the right of the one before, share a row."""
        order = list(self._columns)
        rows: list[list[Node]] = []
        for node in self._diagram.nodes:
            last = rows[-1][-1] if rows else None
            if (
                last is not None
                and node.lane
                and last.lane
                and (last.title, last.group) == (node.title, node.group)
                and order.index(last.lane) < order.index(node.lane)
            ):
                rows[-1].append(node)
            else:
                rows.append([node])
        return rows

    def _across(self, node: Node) -> tuple[float, float]:
        if node.lane:
            return self._columns[node.lane] + _BETWEEN_LANES, self._wide - 2 * _BETWEEN_LANES
        return self._left, self._right - self._left

    def _measured_card(self, node: Node) -> _Card:
        return _card(node, self._across(node)[1])

    def _head_lines(self, group: Group) -> Sequence[tuple[tuple[str, ...], float, bool]]:
        room = _GUTTER - 2 * _PAD
        title = (wrapped(group.title, _NAME, room, bold=True), _NAME, True)
        return [title, *((wrapped(line, _WORDS, room), _WORDS, False) for line in group.lines)]

    def _head_height(self, group: Group) -> float:
        lines = self._head_lines(group)
        return sum(len(each) * size * LINE + 4 for each, size, _ in lines) + 2 * _PAD

    def draw(self) -> None:
        """Put everything on the canvas, lines first."""
        places = {card.node.id: place for card, *place in self._boxes}
        for edge in self._diagram.edges:
            self._edge(places[edge.source], places[edge.dest])
        for group, top, _ in self._heads:
            for lines, size, bold in self._head_lines(group):
                top = self._canvas.text(_LEFT, top, lines, size=size, bold=bold) + 4
        for card, x, y, width, height in self._boxes:
            self._box(card, x, y, width, height)

    def _edge(self, source: Sequence[float], dest: Sequence[float]) -> None:
        (x0, y0, w0, h0), (x1, y1, w1, _) = source, dest
        if y0 == y1:
            y = y0 + 16
            self._canvas.arrow([(x0 + w0, y), (x1, y)])
            return
        # A barrier is as wide as all lanes: what leads to it and from it stays in its own.
        begin = x1 + w1 / 2 if w0 > w1 else x0 + w0 / 2
        end = x0 + w0 / 2 if w1 > w0 else x1 + w1 / 2
        between = y1 - _GAP / 2
        points: list[Point] = [(begin, y0 + h0), (begin, between), (end, between), (end, y1)]
        self._canvas.arrow(list(dict.fromkeys(points)))

    def _box(self, card: _Card, x: float, y: float, width: float, height: float) -> None:
        node = card.node
        barrier = node.kind is NodeKind.BARRIER
        by_hand = node.kind is NodeKind.BY_HAND
        paint = _PAINTS[node.kind]
        self._canvas.box(
            x, y, width, height, paint, corner=0 if barrier else 6, dashed=by_hand,
            border=2.4 if barrier else 1.2,
        )  # fmt: skip
        anchor, at = ("middle", x + width / 2) if barrier else ("start", x + _PAD)
        canvas = self._canvas
        top = canvas.text(at, y + _PAD, card.tag, size=_WORDS, anchor=anchor, colour=paint.line)
        top = canvas.text(at, top, card.title, size=_NAME, bold=True, anchor=anchor, colour=INK)
        for lines in card.lines:
            top = canvas.text(at, top + 3, lines, size=_WORDS, anchor=anchor)
