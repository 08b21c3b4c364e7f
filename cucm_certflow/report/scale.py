"""Time from left to right in a picture: hours at round instants, and what is empty cut out.

A change that takes three nights has two days in between in which nothing was written down: drawn to
scale, everything that matters would be a few pixels wide.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final, NamedTuple

from markupsafe import escape

__all__ = ["Scale"]

_CUT_FROM: Final = timedelta(hours=1)
"""Longer than this without any entry is cut out, and the cut is marked."""

_DAYS_FROM: Final = 2
_CUT: Final = 26.0
_LEAST: Final = 24.0
_BETWEEN_MARKS: Final = 74.0
_LABEL: Final = 46.0
_ROUND_S: Final = (10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400)
_DAY_ROW: Final = 31
_HOUR_ROW: Final = 16


class _Stretch(NamedTuple):
    """A time with entries, and where it lies in the picture."""

    begin: datetime
    end: datetime
    left: float
    right: float

    def x(self, at: datetime) -> float:
        whole = max((self.end - self.begin).total_seconds(), 1.0)
        share = (at - self.begin).total_seconds() / whole
        return self.left + (self.right - self.left) * min(max(share, 0.0), 1.0)


class Scale:
    """Instants as places between *left* and *right*.

    Args:
        instants: Of every entry; at least one.
        left: Where the first of them lies.
        right: Where the last of them lies.
    """

    def __init__(self, instants: Iterable[datetime], left: float, right: float) -> None:
        known = sorted({at.astimezone(UTC) for at in instants})
        spans: list[tuple[datetime, datetime]] = []
        first = known[0]
        for before, after in pairwise(known):
            if after - before > _CUT_FROM:
                spans.append((first, before))
                first = after
        spans.append((first, known[-1]))
        lasts = [max((end - begin).total_seconds(), 1.0) for begin, end in spans]
        room = right - left - _CUT * (len(spans) - 1) - _LEAST * len(spans)
        self._stretches: list[_Stretch] = []
        x = left
        for (begin, end), seconds in zip(spans, lasts, strict=True):
            width = _LEAST + max(room, 0.0) * seconds / sum(lasts)
            self._stretches.append(_Stretch(begin, end, x, x + width))
            x += width + _CUT
        self._s_per_unit = sum(lasts) / max(room, 1.0)

    def x(self, at: datetime) -> float:
        """Where *at* lies; in the middle of a cut if nothing was written down then."""
        at = at.astimezone(UTC)
        for place, stretch in enumerate(self._stretches):
            if at <= stretch.end:
                if at < stretch.begin and place:
                    return round(stretch.left - _CUT / 2, 1)
                return round(stretch.x(at), 1)
        return round(self._stretches[-1].right, 1)

    def axis(self, top: float, bottom: float) -> Iterator[str]:
        """Lines at round hours, and the hours and the days below *bottom*."""
        step_s = next((s for s in _ROUND_S if s / self._s_per_unit >= _BETWEEN_MARKS), _ROUND_S[-1])
        labelled = day_labelled = -1000.0
        day = ""
        for stretch in self._stretches:
            for at in _marks(stretch, step_s):
                x = round(stretch.x(at), 1)
                if at not in (stretch.begin, stretch.end):
                    yield f'<line class="grid" x1="{x}" x2="{x}" y1="{top}" y2="{bottom}"/>'
                if x - labelled < _LABEL:
                    continue
                labelled = x
                hour = f"{at:%H:%M:%S}" if step_s < _ROUND_S[2] else f"{at:%H:%M}"
                yield _text(x, bottom + _HOUR_ROW, hour)
                if f"{at:%Y-%m-%d}" != day and x - day_labelled > 2 * _LABEL:
                    day, day_labelled = f"{at:%Y-%m-%d}", x
                    yield _text(x, bottom + _DAY_ROW, day)

    def cuts(self, top: float, bottom: float) -> Iterator[str]:
        """What was cut out, over all else: nobody knows what was so in between."""
        for before, after in pairwise(self._stretches):
            gap = after.begin - before.end
            x = before.right
            yield (
                f'<rect class="cut" x="{x:.1f}" y="{top}" width="{_CUT}" height="{bottom - top}">'
                f"<title>{escape(_long(gap))} without any entry</title></rect>"
            )
            middle = x + _CUT / 2
            y = (top + bottom) / 2
            yield (
                f'<text class="cut" x="{middle:.1f}" y="{y:.1f}" text-anchor="middle" '
                f'transform="rotate(-90 {middle:.1f} {y:.1f})" dy="4">{_long(gap)}</text>'
            )


def _marks(stretch: _Stretch, step_s: int) -> Iterator[datetime]:
    """Round instants within *stretch*; its beginning, if there is none."""
    midnight = stretch.begin.replace(hour=0, minute=0, second=0, microsecond=0)
    passed = (stretch.begin - midnight).total_seconds()
    at = midnight + timedelta(seconds=-(-passed // step_s) * step_s)
    if at > stretch.end:
        yield stretch.begin
    while at <= stretch.end:
        yield at
        at += timedelta(seconds=step_s)


def _text(x: float, y: float, text: str) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="middle">{text}</text>'


def _long(gap: timedelta) -> str:
    days = gap / timedelta(days=1)
    return f"{days * 24:.0f} h" if days < _DAYS_FROM else f"{days:.0f} days"
