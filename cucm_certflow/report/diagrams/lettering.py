"""How wide a text is at most, and where it is broken, without a font at hand."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Final

__all__ = ["LINE", "text_width", "wrapped"]

LINE: Final = 1.35
"""From one line to the next, as a share of the size."""

# Advance widths of DejaVu Sans in thousandths of the size: of the sans-serif fonts that programs
# fall back to, the widest. In narrower ones there is room left.
_GROUPS: Final = {
    278: "'ijl",
    318: "IJ ,.",
    352: "/:;\\|f-",
    411: "()[]t!r",
    500: '"*_`',
    550: "sz?c",
    592: "LFkvxy",
    615: "PTYoae",
    636: "EhnuSbdgpq$0123456789{}",
    698: "KAVXZBRC",
    787: "UNHDG&OQ",
    838: "w#+<=>^~",
    1000: "M%mW@",
}
_WIDTHS: Final = {letter: width for width, letters in _GROUPS.items() for letter in letters}
_OTHERS: Final = 1000
_SIGNS: Final = "-_/.,:@"
_BOLD: Final = 1.18
"""Bold letters are wider by 10 per cent on the whole, single ones by more."""


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """The width of *text* in the unit of *size*, rather too much than too little."""
    units = sum(_WIDTHS.get(letter, _other(letter)) for letter in text)
    return units * size / 1000 * (_BOLD if bold else 1)


def _other(letter: str) -> int:
    return 0 if unicodedata.combining(letter) else _OTHERS


def wrapped(text: str, size: float, width: float, *, bold: bool = False) -> tuple[str, ...]:
    """*text* in lines no wider than *width*: broken between words, or inside one that is too long.

    Nothing is left out but the spaces at which it is broken. A single letter that is wider than
    *width* stands on a line of its own.
    """
    lines: list[str] = []
    for word in text.split():
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(joined, size, bold=bold) <= width:
            lines[-1] = joined
        else:
            lines += _pieces(word, size, width, bold=bold)
    return tuple(lines)


def _pieces(word: str, size: float, width: float, *, bold: bool) -> Iterator[str]:
    """*word* in pieces no wider than *width*; after a hyphen and its like if it has one there."""
    while text_width(word, size, bold=bold) > width and len(word) > 1:
        end = 1
        while text_width(word[: end + 1], size, bold=bold) <= width:
            end += 1
        end = max((at for at in range(1, end + 1) if word[at - 1] in _SIGNS), default=end)
        yield word[:end]
        word = word[end:]
    yield word
