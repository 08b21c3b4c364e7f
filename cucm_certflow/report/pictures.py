"""The two pictures of a report as SVG: who was registered, and the steps in time, both by node.

Drawn by hand and not by a plotting library: step curves and rows of bars, for which numpy and
matplotlib would be a hundred megabytes. Text stays text, so that it can be searched and read out.
No colour says anything that a shape, a letter or a word does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final, NamedTuple

from markupsafe import Markup, escape

from cucm_certflow.core.states import CommandState
from cucm_certflow.notes import RegistrationsNoted
from cucm_certflow.report.scale import Scale
from cucm_certflow.report.story import Drive, RunStory, StepTold, WindowTold

__all__ = ["curve_svg", "points_told", "timeline_svg"]

_WIDTH: Final = 960
_LEFT: Final = 150
_RIGHT: Final = 922
_BAND: Final = 20
_CURVE: Final = 170
_STRIP: Final = 26
_LANE: Final = 26
_AXIS: Final = 36
_LEGEND: Final = 24
_NODES: Final = 40
_NAME: Final = 20

_Point = tuple[datetime, int]


def _svg(name: str, title: str, about: str, height: float, parts: Iterable[str]) -> Markup:
    return Markup(  # noqa: S704 - every text in *parts* was escaped where it was made
        f'<svg class="{name}" role="img" viewBox="0 0 {_WIDTH} {height:.0f}" '
        f'aria-labelledby="{name}-title {name}-about">'
        f'<title id="{name}-title">{escape(title)}</title>'
        f'<desc id="{name}-about">{escape(about)}</desc>{"".join(parts)}</svg>'
    )


def _scale_of(story: RunStory) -> Scale:
    """The same for both pictures, so that one can be read under the other."""
    instants = [story.begun, story.latest, *(point.at for point in story.curve)]
    instants += [move.at for step in story.steps for move in step.moves]
    return Scale(instants, _LEFT, _RIGHT)


def _windows(story: RunStory, scale: Scale, bottom: float) -> Iterator[str]:
    """A band over the whole height for each window, with its name above it."""
    begun = [window for window in story.windows if window.begun is not None]
    for place, window in enumerate(begun):
        assert window.begun is not None
        left = scale.x(window.begun)
        right = scale.x(window.ended or story.latest)
        kind = "odd" if place % 2 else "even"
        yield (
            f'<rect class="window {kind}" x="{left}" y="{_BAND}" '
            f'width="{max(right - left, 1.0):.1f}" height="{bottom - _BAND:.0f}"/>'
        )
        room = (scale.x(_begun_of(begun[place + 1])) if place + 1 < len(begun) else _WIDTH) - left
        name = _fitting(window, room)
        if name:
            yield f'<text class="window" x="{left}" y="{_BAND - 6}">{escape(name)}</text>'


def _begun_of(window: WindowTold) -> datetime:
    assert window.begun is not None
    return window.begun


def _fitting(window: WindowTold, room: float) -> str:
    """The window's name as far as there is room for it."""
    for text in (f"window {window.number}: {window.what}", f"window {window.number}"):
        if len(text) * 6.4 < room:
            return text
    return ""


# ── the registration curve ────────────────────────────────────────────────────────────────


def curve_svg(story: RunStory) -> Markup:
    """How many phones were registered, in all and by node; empty if nobody looked."""
    points = story.curve
    if not points:
        return Markup("")
    scale = _scale_of(story)
    total = max(point.total for point in points)
    nodes = [node.name for node in story.plan.facts.nodes]
    nodes = [name for name in nodes if any(name in point.by_node for point in points)]
    strangers = {name for point in points for name in point.by_node} - set(nodes)
    nodes = [*nodes, *sorted(strangers)]
    shown = nodes[:_NODES]
    bottom = _BAND + _CURVE
    last = bottom + len(shown) * (_STRIP + 8)
    parts = [*_windows(story, scale, last), *scale.axis(_BAND, last)]
    for count in sorted({0, total // 2, total}):
        y = round(bottom - _CURVE * count / max(total, 1), 1)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{count}</text>')
    parts.append(f'<text class="lane" x="4" y="{_BAND + 14}">all phones</text>')
    whole = [(point.at, point.registered) for point in points]
    parts += _area(whole, scale, bottom, _CURVE, total, story.latest, "all")
    for step in story.steps:
        parts += [
            f'<path class="reset" d="M{scale.x(move.at)} {_BAND}v8"/>'
            for move in step.moves
            if step.phones and move.to is CommandState.INTENDED
        ]
    for place, name in enumerate(shown):
        base = bottom + (place + 1) * (_STRIP + 8)
        counts = [(point.at, point.by_node.get(name, 0)) for point in points]
        most = max(count for _, count in counts)
        label = f"{name[:_NAME]}, at most {most}"
        parts.append(f'<text class="lane" x="4" y="{base - 8}">{escape(label)}</text>')
        parts.append(f'<line class="lane" x1="{_LEFT}" x2="{_RIGHT}" y1="{base}" y2="{base}"/>')
        parts += _area(counts, scale, base, _STRIP, max(most, 1), story.latest, "node")
    parts += scale.cuts(_BAND, last)
    y = last + _AXIS + 14
    legend = "hours in UTC; each node to its own scale"
    if any(step.phones and step.moves for step in story.steps):
        parts.append(f'<path class="reset" d="M{_LEFT} {y - 9}v8"/>')
        legend = f"phones are reset by name; {legend}"
    parts.append(f'<text x="{_LEFT + 8}" y="{y}">{legend}</text>')
    lowest = min(points, key=lambda point: point.registered)
    about = (
        f"At first {points[0].registered} of {total} phones were registered, at the lowest "
        f"{lowest.registered} at {lowest.at:%H:%M:%S}, at last {points[-1].registered}."
    )
    if len(nodes) > len(shown):
        about += f" Only the first {len(shown)} of {len(nodes)} nodes are drawn."
    return _svg("curve", "Registered phones, in all and by node", about, y + 8, parts)


def _area(
    points: Sequence[_Point],
    scale: Scale,
    base: float,
    height: float,
    most: int,
    latest: datetime,
    kind: str,
) -> Iterator[str]:
    line = "".join(_path(points, scale, base, height, most, latest))
    first = scale.x(points[0][0])
    end = scale.x(latest)
    yield f'<path class="{kind} under" d="{line}L{end} {base}L{first} {base}Z"/>'
    yield f'<path class="{kind} line" d="{line}"/>'


def _path(
    points: Sequence[_Point],
    scale: Scale,
    base: float,
    height: float,
    most: int,
    latest: datetime,
) -> Iterator[str]:
    """Steps from point to point; of those within half a unit only the extremes, and the last."""

    def y(count: int) -> float:
        return round(base - height * count / max(most, 1), 1)

    columns: dict[float, list[int]] = {}
    for at, count in points:
        columns.setdefault(round(scale.x(at) * 2) / 2, []).append(count)
    command = "M"
    for x, counts in columns.items():
        levels = [min(counts), max(counts), counts[-1]] if len(counts) > 1 else counts
        yield f"M{x} {y(levels[0])}" if command == "M" else f"H{x}V{y(levels[0])}"
        command = "H"
        for before, after in pairwise(levels):
            if after != before:
                yield f"V{y(after)}"
    yield f"H{scale.x(latest)}"


def points_told(
    points: Sequence[RegistrationsNoted], most: int = 40
) -> Sequence[RegistrationsNoted]:
    """At most *most* points for a table: the first, the last, and the lowest of each stretch."""
    if len(points) <= most:
        return points
    size = -(-(len(points) - 2) // (most - 2))
    inner = points[1:-1]
    lowest = [
        min(inner[at : at + size], key=lambda point: point.registered)
        for at in range(0, len(inner), size)
    ]
    return [points[0], *lowest, points[-1]]


# ── the steps in time ─────────────────────────────────────────────────────────────────────


class _Look(NamedTuple):
    """How a stretch of a step is drawn, and the word for it."""

    kind: str
    letter: str
    words: str


_PROVED: Final = _Look("proved", "", "from the intent to the proof")
_OPEN: Final = _Look("open", "?", "sent, and not proved")
_DOUBT: Final = _Look("doubt", "D", "in doubt: nobody knows what came of it")
_HELD: Final = _Look("held", "H", "held: a person must decide")
_LETTER_FROM: Final = 9.0


def timeline_svg(story: RunStory) -> Markup:
    """Every step as a bar from its intent to its end, a lane a node; empty if nothing began."""
    begun = [step for step in story.steps if step.moves]
    if not begun:
        return Markup("")
    nodes = list(dict.fromkeys(step.node for step in story.steps))
    scale = _scale_of(story)
    bottom = _BAND + (len(nodes) + 1) * _LANE
    parts = [*_windows(story, scale, bottom), *scale.axis(_BAND, bottom)]
    for place, node in enumerate(["driven", *nodes]):
        y = _BAND + place * _LANE
        parts.append(f'<line class="lane" x1="0" x2="{_RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text class="lane" x="4" y="{y + 17}">{escape(node[:_NAME])}</text>')
    parts += [_drive(drive, place, story, scale) for place, drive in enumerate(story.drives)]
    parts.append(f'<line class="lane" x1="0" x2="{_RIGHT}" y1="{bottom}" y2="{bottom}"/>')
    used: dict[_Look, None] = {}
    for step in begun:
        for look, begin, end in _stretches(step, story.latest):
            used.setdefault(look)
            lane = nodes.index(step.node) + 1
            parts.append(_bar(step, look, scale.x(begin), scale.x(end), lane))
    parts += scale.cuts(_BAND, bottom)
    y = bottom + _AXIS + 14
    x = float(_LEFT)
    for look in used:
        parts.append(_box(look, x, y - 11, 14.0, 13))
        parts.append(f'<text x="{x + 20}" y="{y}">{look.words}</text>')
        x += 34 + 6.3 * len(look.words)
    about = f"{len(begun)} steps on {len(nodes)} nodes, {story.proved} of them proved."
    return _svg("timeline", "Steps in time, by node", about, y + 8, parts)


def _drive(drive: Drive, place: int, story: RunStory, scale: Scale) -> str:
    """A process that drove it, as a line, with how it left it at its end, above or below."""
    begin = scale.x(drive.begun)
    end = scale.x(drive.ended or _last_of(drive, story))
    how = escape(drive.outcome or "?")
    y = _BAND + _LANE / 2
    beside = y + (10 if place % 2 else -3)
    return (
        f"<g><title>driven from {drive.begun:%H:%M:%S}, then: {how}</title>"
        f'<path class="drive" d="M{begin} {y - 5}v10M{begin} {y}H{end}M{end} {y - 5}v10"/>'
        f'<text class="drive" x="{end - 4}" y="{beside}" text-anchor="end">{how}</text></g>'
    )


def _last_of(drive: Drive, story: RunStory) -> datetime:
    """The last that was written by a process which never said that it left."""
    later = [other.begun for other in story.drives if other.begun > drive.begun]
    until = min(later, default=None)
    if until is None:
        return story.latest
    moves = [move.at for step in story.steps for move in step.moves if move.at < until]
    return max([drive.begun, *moves])


def _stretches(step: StepTold, latest: datetime) -> Iterator[tuple[_Look, datetime, datetime]]:
    """What the step went through: on its way, in doubt, held; nothing while it was planned anew."""
    ends = [move.at for move in step.moves[1:]] + [latest]
    under_way: datetime | None = None
    for move, end in zip(step.moves, ends, strict=True):
        match move.to:
            case CommandState.INTENDED | CommandState.SENT:
                under_way = under_way or move.at
            case CommandState.PROVED:
                yield _PROVED, under_way or move.at, move.at
                under_way = None
            case CommandState.IN_DOUBT | CommandState.HELD:
                if under_way is not None:
                    yield _OPEN, under_way, move.at
                    under_way = None
                yield (_DOUBT if move.to is CommandState.IN_DOUBT else _HELD), move.at, end
            case CommandState.PLANNED:
                under_way = None
    if under_way is not None:
        yield _OPEN, under_way, latest


def _bar(step: StepTold, look: _Look, begin: float, end: float, lane: int) -> str:
    title = f"{step.id}: {step.command} on {step.node}: {look.words}"
    box = _box(look, begin, _BAND + lane * _LANE + 4, max(end - begin, 2.0), _LANE - 8)
    return f"<g><title>{escape(title)}</title>{box}</g>"


def _box(look: _Look, x: float, y: float, width: float, height: float) -> str:
    box = (
        f'<rect class="{look.kind}" x="{x}" y="{y}" width="{width:.1f}" height="{height}" rx="1"/>'
    )
    if look.letter and width >= _LETTER_FROM:
        middle = x + width / 2
        box += (
            f'<text class="{look.kind}" x="{middle:.1f}" y="{y + height / 2 + 4:.1f}" '
            f'text-anchor="middle">{look.letter}</text>'
        )
    return box
