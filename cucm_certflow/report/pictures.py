"""The two pictures of a report as SVG: the registration curve, and the steps in time by node.

Drawn by hand and not by a plotting library: a step curve and a row of bars, for which numpy and
matplotlib would be a hundred megabytes. Text stays text, so that it can be searched and read out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from markupsafe import Markup, escape

from cucm_certflow.core.states import CommandState
from cucm_certflow.notes import RegistrationsNoted
from cucm_certflow.report.story import RunStory, StepTold

__all__ = ["curve_svg", "timeline_svg"]

_WIDTH: Final = 960
_LEFT: Final = 130
_RIGHT: Final = 16
_TOP: Final = 14
_CURVE_HEIGHT: Final = 190
_LANE: Final = 26
_AXIS: Final = 26
_MARKS: Final = 6
_NODE_CURVES: Final = 8
_COLUMN: Final = 150
_DASHES: Final = ("6 3", "2 3", "8 3 2 3", "1 2", "10 4", "4 2", "3 5", "12 3 3 3")
_STATES: Final = {
    CommandState.PROVED: "proved",
    CommandState.HELD: "held",
    CommandState.IN_DOUBT: "doubt",
    CommandState.SENT: "sent",
    CommandState.INTENDED: "sent",
}


class _Scale(NamedTuple):
    """Instants as places between the margins of a picture."""

    begin: datetime
    end: datetime

    def x(self, at: datetime) -> float:
        whole = max((self.end - self.begin).total_seconds(), 1.0)
        share = (at - self.begin).total_seconds() / whole
        return round(_LEFT + (_WIDTH - _LEFT - _RIGHT) * min(max(share, 0.0), 1.0), 1)

    def marks(self, height: float) -> Iterator[str]:
        """Lines and hours, at most six of them, at round minutes after the beginning."""
        whole = max((self.end - self.begin).total_seconds(), 1.0)
        step = next(
            (s for s in (60, 300, 600, 900, 1800, 3600, 7200, 14_400) if whole / s <= _MARKS),
            86_400 * (int(whole // (86_400 * _MARKS)) + 1),
        )
        for count in range(int(whole // step) + 1):
            at = self.begin + timedelta(seconds=count * step)
            x = self.x(at)
            yield f'<line class="grid" x1="{x}" x2="{x}" y1="{_TOP}" y2="{height}"/>'
            anchor = "end" if x > _WIDTH - 2 * _RIGHT else "middle"
            text = f"{at:%H:%M}" if count else f"{at:%H:%M:%S}"
            yield f'<text x="{x}" y="{height + 16}" text-anchor="{anchor}">{text}</text>'


def _svg(name: str, title: str, about: str, height: float, parts: Sequence[str]) -> Markup:
    return Markup(  # noqa: S704 - every text in *parts* was escaped where it was made
        f'<svg class="{name}" role="img" viewBox="0 0 {_WIDTH} {height}" '
        f'aria-labelledby="{name}-title {name}-about">'
        f'<title id="{name}-title">{escape(title)}</title>'
        f'<desc id="{name}-about">{escape(about)}</desc>{"".join(parts)}</svg>'
    )


def curve_svg(story: RunStory) -> Markup:
    """How many phones were registered, in all and by node; empty if nobody looked."""
    points = story.curve
    if not points:
        return Markup("")
    scale = _Scale(min(story.begun, points[0].at), max(story.latest, points[-1].at))
    total = max(point.total for point in points)
    nodes = sorted({name for point in points for name in point.by_node})
    shown = nodes[:_NODE_CURVES]
    rows = -(-(len(shown) + 1) // 5)
    height = _TOP + _CURVE_HEIGHT
    parts = list(scale.marks(height))
    for share in (0.0, 0.5, 1.0):
        y = _y(round(total * share), total)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(
            f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{round(total * share)}</text>'
        )
    for place, name in enumerate(shown):
        steps = [(point.at, point.by_node.get(name, 0)) for point in points]
        path = _path(steps, scale, total)
        parts.append(f'<path class="node" stroke-dasharray="{_DASHES[place]}" d="{path}"/>')
    whole = _path([(point.at, point.registered) for point in points], scale, total)
    parts.append(f'<path class="all" d="{whole}"/>')
    for place, name in enumerate(["all phones", *shown]):
        x = _LEFT + (place % 5) * _COLUMN
        y = height + _AXIS + 12 + (place // 5) * 18
        dash = "" if place == 0 else f' stroke-dasharray="{_DASHES[place - 1]}"'
        kind = "all" if place == 0 else "node"
        parts.append(f'<path class="{kind}"{dash} d="M{x} {y - 4}h28"/>')
        parts.append(f'<text x="{x + 34}" y="{y}">{escape(name[:16])}</text>')
    lowest = min(points, key=lambda point: point.registered)
    about = (
        f"At first {points[0].registered} of {total} phones were registered, at the lowest "
        f"{lowest.registered} at {lowest.at:%H:%M:%S}, at last {points[-1].registered}."
    )
    if len(nodes) > len(shown):
        about += f" The first {len(shown)} of {len(nodes)} nodes have a curve of their own."
    return _svg("curve", "Registered phones", about, height + _AXIS + 6 + rows * 18, parts)


def _y(count: int, total: int) -> float:
    return round(_TOP + _CURVE_HEIGHT * (1 - count / max(total, 1)), 1)


def _path(steps: Sequence[tuple[datetime, int]], scale: _Scale, total: int) -> str:
    at, count = steps[0]
    drawn = [f"M{scale.x(at)} {_y(count, total)}"]
    for at, count in steps[1:]:
        drawn.append(f"H{scale.x(at)}V{_y(count, total)}")
    drawn.append(f"H{scale.x(scale.end)}")
    return "".join(drawn)


def timeline_svg(story: RunStory) -> Markup:
    """Every step as a bar from its intent to its end, a lane a node; empty if nothing began."""
    told = [step for step in story.steps if step.intended_at is not None]
    if not told:
        return Markup("")
    nodes = list(dict.fromkeys(step.node for step in story.steps))
    scale = _Scale(story.begun, story.latest)
    height = _TOP + len(nodes) * _LANE
    parts = list(scale.marks(height))
    for place, node in enumerate(nodes):
        y = _TOP + place * _LANE
        parts.append(f'<line class="lane" x1="0" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text x="4" y="{y + 17}">{escape(node[:18])}</text>')
    parts.extend(_bar(step, nodes.index(step.node), scale) for step in told)
    about = f"{len(told)} steps on {len(nodes)} nodes, {story.proved} of them proved."
    return _svg("timeline", "Steps in time, by node", about, height + _AXIS, parts)


def _bar(step: StepTold, lane: int, scale: _Scale) -> str:
    assert step.intended_at is not None
    begin = scale.x(step.intended_at)
    end = scale.x(step.ended_at or scale.end)
    y = _TOP + lane * _LANE + 4
    kind = _STATES.get(step.state, "sent")
    title = f"{step.command} on {step.node}: {step.state.value}"
    return (
        f'<rect class="{kind}" x="{begin}" y="{y}" width="{max(end - begin, 2.0):.1f}" '
        f'height="{_LANE - 8}"><title>{escape(title)}</title></rect>'
    )


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
