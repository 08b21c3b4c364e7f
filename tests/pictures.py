"""What is asked of every picture: nothing overlaps or is cut, and it stands alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple
from xml.etree.ElementTree import Element

from defusedxml.ElementTree import fromstring

from cucm_certflow.report.diagrams.lettering import text_width

__all__ = ["SVG", "Box", "check_document", "check_places"]

SVG: Final = "{http://www.w3.org/2000/svg}"


class Box(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float

    def touches(self, other: Box) -> bool:
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom

    def holds(self, other: Box) -> bool:
        across = self.left <= other.left and other.right <= self.right
        return across and self.top <= other.top and other.bottom <= self.bottom


def _figure(element: Element, name: str) -> float:
    return float(element.attrib[name])


def _text_boxes(root: Element) -> list[tuple[str, Box]]:
    found: list[tuple[str, Box]] = []
    for each in root.iter(f"{SVG}text"):
        size = _figure(each, "font-size")
        width = text_width(each.text or "", size, bold=each.get("font-weight") == "bold")
        left = (
            _figure(each, "x") - width * {"start": 0.0, "middle": 0.5}[each.attrib["text-anchor"]]
        )
        base = _figure(each, "y")
        found.append(
            (each.text or "", Box(left, base - 0.8 * size, left + width, base + 0.25 * size))
        )
    return found


def _rectangles(root: Element) -> Iterator[Box]:
    for each in root.iter(f"{SVG}rect"):
        if each.get("stroke") is not None:
            x, y, width, height = (_figure(each, key) for key in ("x", "y", "width", "height"))
            yield Box(x, y, x + width, y + height)


def check_places(text: str) -> None:
    """No two texts overlap, none is cut, and none lies on the border of a box."""
    root = fromstring(text)
    whole = Box(0, 0, _figure(root, "width"), _figure(root, "height"))
    texts = sorted(_text_boxes(root), key=lambda each: each[1].top)
    assert texts
    borders = list(_rectangles(root))
    for number, (words, box) in enumerate(texts):
        assert whole.holds(box), words
        for other, beside in texts[number + 1 :]:
            if beside.top >= box.bottom:
                break
            assert not box.touches(beside), (words, other)
        for border in borders:
            assert border.holds(box) or not border.touches(box), words


def check_document(text: str) -> tuple[str, str]:
    """It needs nothing from elsewhere, and says what it is: its title and its description."""
    assert text.isascii()
    root = fromstring(text)
    title, description, *_ = root
    assert (title.tag, description.tag) == (f"{SVG}title", f"{SVG}desc")
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"
    assert re.findall(r"https?://[^\"]+", text) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"<(script|style|image|use|foreignObject)|href|url\(", text)
    assert title.text
    assert description.text
    return title.text, description.text
