"""Every way in which a secret can be written, and finding them in bytes that come in pieces."""

from __future__ import annotations

import base64
import itertools
import re
from collections.abc import Iterable
from html.entities import codepoint2name
from typing import Final
from urllib.parse import quote

__all__ = ["Needle", "needles_of", "needles_of_login", "pattern_of", "tail_that_could_begin"]

Needle = tuple[tuple[bytes, ...], ...]
"""For each character of a secret all the ways to write it, the longest first."""

_JSON_SHORT: Final = {
    '"': '\\"', "\\": "\\\\", "/": "\\/", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r",
    "\t": "\\t",
}  # fmt: skip
_CHARSETS: Final = ("utf-8", "latin-1")
_LEAST_CORE: Final = 6
"""Characters of BASE64 that are not there by chance."""


def needles_of(secret: str) -> list[Needle]:
    """*secret* plain, as percent, XML and JSON escapes in any mixture, and inside BASE64."""
    found: list[Needle] = [tuple(_ways(character) for character in secret)]
    for charset in _CHARSETS:
        data = _encoded(secret, charset)
        if data is not None:
            found += [_literal(core) for core in _cores(data) if len(core) >= _LEAST_CORE]
    return list(dict.fromkeys(found))


def needles_of_login(user: str, password: str) -> list[Needle]:
    """What HTTP's Basic makes of an account."""
    both = (_encoded(f"{user}:{password}", charset) for charset in _CHARSETS)
    found: list[Needle] = []
    for data in both:
        if data is not None:
            text = base64.b64encode(data).rstrip(b"=")
            found += [_literal(text), _literal(text.translate(_URL_SAFE))]
    return list(dict.fromkeys(found))


_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")


def _encoded(text: str, charset: str) -> bytes | None:
    try:
        return text.encode(charset)
    except UnicodeEncodeError:
        return None


def _ways(character: str) -> tuple[bytes, ...]:
    code = ord(character)
    ways = {f"&#{code:0{width}d};" for width in range(1, 5)}
    ways |= {f"&#{x}{digits};" for x in "xX" for digits in _hexes(code, range(1, 5))}
    units = character.encode("utf-16-be")
    pairs = [int.from_bytes(units[i : i + 2], "big") for i in range(0, len(units), 2)]
    ways |= {
        "".join(f"\\u{unit}" for unit in chosen)
        for chosen in itertools.product(*(_hexes(pair, (4,)) for pair in pairs))
    }
    if code in codepoint2name:
        ways.add(f"&{codepoint2name[code]};")
    if character == "'":
        ways.add("&apos;")
    if character == " ":
        ways.add("+")
    if character in _JSON_SHORT:
        ways.add(_JSON_SHORT[character])
    written = {way.encode("ascii") for way in ways}
    for charset in _CHARSETS:
        data = _encoded(character, charset)
        if data is not None:
            written |= {data, quote(data, safe="").encode()}
            digits = (_percents(byte) for byte in data)
            written |= {b"".join(chosen) for chosen in itertools.product(*digits)}
    return tuple(sorted(written, key=lambda way: (-len(way), way)))


def _percents(byte: int) -> tuple[bytes, ...]:
    return tuple(dict.fromkeys((f"%{byte:02X}".encode(), f"%{byte:02x}".encode())))


def _hexes(code: int, widths: Iterable[int]) -> set[str]:
    return {f"{code:0{width}{case}}" for width in widths for case in "xX"}


def _literal(data: bytes) -> Needle:
    return tuple((data[i : i + 1],) for i in range(len(data)))


def _cores(data: bytes) -> list[bytes]:
    """The characters that *data* always has in BASE64, at each of the three places in it."""
    found: list[bytes] = []
    for shift in range(3):
        text = base64.b64encode(b"\0" * shift + data)
        core = text[-(-8 * shift // 6) : 8 * (shift + len(data)) // 6]
        found += [core, core.translate(_URL_SAFE)]
    return found


def pattern_of(needles: Iterable[Needle]) -> re.Pattern[bytes] | None:
    """One pattern for all of *needles*; None if there are none."""
    parts = [
        b"".join(
            re.escape(ways[0]) if len(ways) == 1 else b"(?:%b)" % b"|".join(map(re.escape, ways))
            for ways in needle
        )
        for needle in sorted(needles, key=len, reverse=True)
    ]
    return re.compile(b"|".join(parts)) if parts else None


def tail_that_could_begin(data: bytes, needles: Iterable[Needle]) -> int:
    """Where the end of *data* begins that could be the beginning of a needle; its length if none.

    What is a whole needle already, and could be a longer one yet, counts as well.
    """
    first = len(data)
    for needle in needles:
        longest = sum(len(ways[0]) for ways in needle)
        for start in range(max(0, len(data) - longest + 1), first):
            if _is_beginning(data[start:], needle):
                first = start
                break
    return first


def _is_beginning(tail: bytes, needle: Needle) -> bool:
    """Whether some way to write *needle* begins with *tail*, and goes on after it."""
    ends = {0}
    for ways in needle:
        after: set[int] = set()
        for end in ends:
            rest = tail[end:]
            for way in ways:
                if len(way) > len(rest):
                    if way.startswith(rest):
                        return True
                elif rest.startswith(way):
                    after.add(end + len(way))
        if not after:
            return False
        ends = after
    return False
