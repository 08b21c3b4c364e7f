"""What a phone's own web page says about its trust lists: read from text, without any I/O.

``/DeviceLogX?n`` (n 0 to 2, which is which depends on the model) is XML: ``DeviceLog`` with one
``status`` for each line, the oldest first, of the status messages and of the debug display. Cisco's
application notes for phones name the page. The form of its lines is known from public clients
alone: ``[8:52:30am 10/01/19] ITL installed``, with a blank before ``AM`` on some models, and
without a date on 79xx. A debug display may hold the alarm DeviceTLInfo, whose ``ITL_Signature`` and
``CTL_Signature`` are the SHA-1 of the lists that the phone holds, byte by byte (Cisco TAC 214535).
How exactly it prints that is not known: the names and their 20 bytes are looked for, whatever
stands between.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from typing import Final, NoReturn

import defusedxml
from defusedxml.ElementTree import fromstring

from cucm_certflow.errors import Report, UnknownLayout
from cucm_certflow.facts import PhoneLists

__all__ = ["PAGES", "lists_from_pages", "page_lines"]

PAGES: Final = tuple(f"/DeviceLogX?{number}" for number in range(3))
"""The pages that may have it."""

_NOT_INSTALLED: Final = "none"
_STAMP: Final = re.compile(
    r"^\s*\[?(?P<stamp>\d{1,2}:\d{2}:\d{2}\s*[ap]m?(?:,?\s*\d{1,2}/\d{1,2}/\d{2,4})?)\]?\s*"
    r"(?P<text>.+)$",
    re.IGNORECASE | re.DOTALL,
)
# 8861 administration guide, status messages. "ITL" alone is part of many a file's name.
_ABOUT_LISTS: Final = re.compile(
    r"trust list update|(?:ctl and )?itl installed|ctl installed|no trust list installed"
    r"|ctl update failed|erasing ctl and itl",
    re.IGNORECASE,
)
_SHA1: Final = (  # 20 bytes, and not a 21st
    r"(?P<hex>(?:[0-9A-F]{2}[\s:]?){20})(?![0-9A-F]|[\s:]?[0-9A-F]{2}(?:[\s:]|$))"
)
_SIGNATURES: Final = {
    kind: re.compile(rf"{kind}_Signature\W{{1,4}}(?:{_SHA1}|Not Installed|N/A)", re.IGNORECASE)
    for kind in ("ITL", "CTL")
}


def page_lines(page: bytes) -> list[str]:
    """The lines of one page, in its order.

    Raises:
        UnknownLayout: It is no such page.
    """
    try:
        root = fromstring(page)
    except (ET.ParseError, defusedxml.DefusedXmlException, ValueError, LookupError) as error:
        _unknown(type(error).__name__)
    if _local(root) != "DeviceLog":
        _unknown(f"an element {_local(root)[:40]}")
    return ["".join(each.itertext()).strip() for each in root.iter() if _local(each) == "status"]


def lists_from_pages(pages: Iterable[bytes]) -> PhoneLists:
    """What *pages* say, by the last line of each; what two of them say otherwise is left out.

    Which of two pages is newer, none says. One that is no such page is passed over.

    Raises:
        UnknownLayout: None of them is such a page.
    """
    said: dict[str, set[str]] = {"ITL": set(), "CTL": set()}
    messages: set[tuple[str, str]] = set()
    readable = False
    for page in pages:
        try:
            lines = page_lines(page)
        except UnknownLayout:
            continue
        readable = True
        for kind, pattern in _SIGNATURES.items():
            shown = [match for line in lines for match in pattern.finditer(line)][-1:]
            said[kind] |= {_digits(match) for match in shown}
        messages |= set([read for line in lines if (read := _message(line)) is not None][-1:])
    if not readable:
        _unknown("no page that could be read")
    message, stamp = next(iter(messages)) if len(messages) == 1 else ("", "")
    return PhoneLists(itl=_only(said["ITL"]), ctl=_only(said["CTL"]), message=message, stamp=stamp)


def _digits(match: re.Match[str]) -> str:
    return re.sub(r"[\s:]", "", match["hex"] or "").lower() or _NOT_INSTALLED


def _only(said: set[str]) -> str:
    return next(iter(said)) if len(said) == 1 else ""


def _message(line: str) -> tuple[str, str] | None:
    """A line about trust lists as its words and its stamp; None for any other."""
    stamped = _STAMP.match(line)
    text = stamped["text"] if stamped else line
    if _ABOUT_LISTS.search(text) is None:
        return None
    return " ".join(text.split()), " ".join(stamped["stamp"].split()) if stamped else ""


def _local(element: ET.Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _unknown(saw: str) -> NoReturn:
    raise UnknownLayout(
        Report(
            headline="the phone's page cannot be read",
            expected="DeviceLog with its lines",
            saw=saw,
        )
    )
