"""Writes an SVG element by element: texts whose places are known, boxes, lines with arrowheads."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final, NamedTuple
from xml.sax.saxutils import escape, quoteattr

from cucm_certflow.report.diagrams.lettering import LINE, text_width

__all__ = ["AMBER", "BLUE", "GREEN", "GREY", "INK", "RED", "Canvas", "Paint", "Point"]

Point = tuple[float, float]


class Paint(NamedTuple):
    """The colours of a box: its line, and what fills it."""

    line: str
    fill: str


# Told apart without colour as well, by words or by the kind of line; from the palette of Okabe
# and Ito, which people who see no red or green tell apart.
INK: Final = "#1a1a1a"
GREY: Final = Paint("#767676", "#f4f4f4")
BLUE: Final = Paint("#0060a0", "#eaf4fb")
GREEN: Final = Paint("#00684f", "#e6f5f0")
AMBER: Final = Paint("#9a5b00", "#fdf3e0")
RED: Final = Paint("#a33600", "#fcebe2")

_MARGIN: Final = 16.0
_FONT: Final = "Verdana, 'DejaVu Sans', Helvetica, Arial, sans-serif"
_NO_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_HEAD: Final = 7.0
_STRAIGHT: Final = 3.0
"""An S that would go aside by less is a line."""
_HALF_HEAD: Final = 4.0


def _number(value: float) -> str:
    return f"{round(value, 1) + 0.0:g}"


def _clean(text: str) -> str:
    return _NO_XML.sub("\ufffd", text)


class Canvas:
    """A picture in the making. It grows with what is put on it; nothing on it can be cut."""

    def __init__(self) -> None:
        self._elements: list[str] = []
        self._right = 0.0
        self._bottom = 0.0

    def _reach(self, x: float, y: float) -> None:
        self._right = max(self._right, x)
        self._bottom = max(self._bottom, y)

    def line_of_text(
        self,
        x: float,
        baseline: float,
        text: str,
        *,
        size: float = 12.0,
        bold: bool = False,
        anchor: str = "start",
        colour: str = INK,
    ) -> None:
        """One line of text; *anchor* is start, middle or end, as SVG has it."""
        width = text_width(text, size, bold=bold)
        share = {"start": 1.0, "middle": 0.5, "end": 0.0}[anchor]
        self._reach(x + width * share, baseline + size * 0.3)
        weight = ' font-weight="bold"' if bold else ""
        self._elements.append(
            f'<text x="{_number(x)}" y="{_number(baseline)}" font-size="{_number(size)}"'
            f'{weight} text-anchor="{anchor}" fill="{colour}">{escape(_clean(text))}</text>'
        )

    def text(
        self,
        x: float,
        top: float,
        lines: Iterable[str],
        *,
        size: float = 12.0,
        bold: bool = False,
        anchor: str = "start",
        colour: str = INK,
    ) -> float:
        """Lines of text from *top* down; where the next may begin."""
        for line in lines:
            self.line_of_text(
                x, top + size, line, size=size, bold=bold, anchor=anchor, colour=colour
            )
            top += size * LINE
        return top

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        paint: Paint = GREY,
        *,
        corner: float = 6.0,
        dashed: bool = False,
        border: float = 1.2,
    ) -> None:
        """A box; without a line if *border* is 0."""
        self._reach(x + width, y + height)
        stroke = f' stroke="{paint.line}" stroke-width="{_number(border)}"' if border else ""
        dash = ' stroke-dasharray="5 3"' if dashed else ""
        self._elements.append(
            f'<rect x="{_number(x)}" y="{_number(y)}" width="{_number(width)}" '
            f'height="{_number(height)}" rx="{_number(corner)}" fill="{paint.fill}"{stroke}{dash}/>'
        )

    def dot(self, x: float, y: float, radius: float) -> None:
        """A filled circle."""
        self._reach(x + radius, y + radius)
        self._elements.append(
            f'<circle cx="{_number(x)}" cy="{_number(y)}" r="{_number(radius)}" fill="{INK}"/>'
        )

    def arrow(self, points: Sequence[Point], *, colour: str = INK, dashed: bool = False) -> None:
        """Straight lines through *points*, with a head at the last."""
        self.line(points, colour=colour, dashed=dashed)
        self.head(points[-2], points[-1], colour=colour)

    def line(self, points: Sequence[Point], *, colour: str = INK, dashed: bool = False) -> None:
        """Straight lines through *points*."""
        self._path("M" + " L".join(_pair(point) for point in points), points, colour, dashed=dashed)

    def curve(self, points: Sequence[Point], *, colour: str = INK) -> None:
        """From point to point straight down or up, and in an S wherever the next is beside.

        There is a head at the last point, which is met from above or from below.
        """
        data = f"M{_pair(points[0])}"
        for (x0, y0), (x1, y1) in pairwise(points):
            if abs(x0 - x1) < _STRAIGHT:
                data += f" L{_pair((x1, y1))}"
            else:
                middle = (y0 + y1) / 2
                data += f" C{_pair((x0, middle))} {_pair((x1, middle))} {_pair((x1, y1))}"
        self._path(data, points, colour, dashed=False)
        tip = points[-1]
        self.head((tip[0], points[-2][1]), tip, colour=colour)

    def head(self, before: Point, tip: Point, *, colour: str = INK) -> None:
        """The head of an arrow that comes from *before* and ends at *tip*."""
        angle = math.atan2(tip[1] - before[1], tip[0] - before[0])
        along, across = (math.cos(angle), math.sin(angle)), (-math.sin(angle), math.cos(angle))
        foot = (tip[0] - _HEAD * along[0], tip[1] - _HEAD * along[1])
        corners = (
            tip,
            (foot[0] + _HALF_HEAD * across[0], foot[1] + _HALF_HEAD * across[1]),
            (foot[0] - _HALF_HEAD * across[0], foot[1] - _HALF_HEAD * across[1]),
        )
        data = " ".join(_pair(corner) for corner in corners)
        self._elements.append(f'<polygon points="{data}" fill="{colour}"/>')

    def _path(self, data: str, points: Sequence[Point], colour: str, *, dashed: bool) -> None:
        for x, y in points:
            self._reach(x + 2, y + 2)
        dash = ' stroke-dasharray="5 3"' if dashed else ""
        self._elements.append(
            f'<path d="{data}" fill="none" stroke="{colour}" stroke-width="1.3"{dash}/>'
        )

    def document(self, title: str, description: str) -> str:
        """The whole picture; *title* and *description* for those who cannot see it."""
        width, height = math.ceil(self._right + _MARGIN), math.ceil(self._bottom + _MARGIN)
        # Two pictures in one page must not share the ids that their titles are found by.
        drawn = "\n".join((title, description, *self._elements))
        name = hashlib.sha256(drawn.encode("utf-8", "replace")).hexdigest()[:12]
        lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" role="img" '
            f'aria-labelledby="title-{name} desc-{name}" font-family={quoteattr(_FONT)}>',
            f'<title id="title-{name}">{escape(_clean(title))}</title>',
            f'<desc id="desc-{name}">{escape(_clean(description))}</desc>',
            f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
            *self._elements,
            "</svg>",
        ]
        # As plain ASCII it survives every pipe and every guess at its encoding.
        return ("\n".join(lines) + "\n").encode("ascii", "xmlcharrefreplace").decode("ascii")


def _pair(point: Point) -> str:
    return f"{_number(point[0])} {_number(point[1])}"
