"""What the lab's web services share: reading requests, writing faults."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Final
from xml.sax.saxutils import escape

import defusedxml
import defusedxml.ElementTree
from starlette.requests import Request
from starlette.responses import Response

__all__ = [
    "ENVELOPE",
    "NO_ANSWER",
    "XML",
    "child",
    "fault",
    "local_name",
    "read",
    "text",
    "xml",
]

ENVELOPE: Final = "http://schemas.xmlsoap.org/soap/envelope/"
NO_ANSWER: Final = 598
"""A status that never goes out: the connection is cut instead."""

XML: Final = "text/xml;charset=UTF-8"
_HEAD: Final = '<?xml version="1.0" encoding="UTF-8"?>'


async def read(request: Request) -> ET.Element | None:
    """The element in the body of the SOAP message; None if there is none."""
    try:
        root = defusedxml.ElementTree.fromstring(await request.body(), forbid_dtd=True)
    except (ET.ParseError, ValueError):  # what defusedxml forbids is a ValueError, too
        return None
    body = child(root, "Body")
    return None if body is None or not len(body) else body[0]


def local_name(element: ET.Element) -> str:
    """The name without its namespace."""
    return element.tag.rpartition("}")[2]


def child(element: ET.Element | None, *path: str) -> ET.Element | None:
    """The first descendant along *path*, in whatever namespace."""
    for name in path:
        if element is None:
            return None
        element = next((each for each in element if local_name(each) == name), None)
    return element


def text(element: ET.Element | None, *path: str) -> str:
    """The stripped text along *path*; empty if there is none."""
    found = child(element, *path)
    return "" if found is None else (found.text or "").strip()


def xml(body: str, status: int = 200) -> Response:
    """*body* in an envelope."""
    message = (
        f'{_HEAD}<soapenv:Envelope xmlns:soapenv="{ENVELOPE}"><soapenv:Body>{body}'
        "</soapenv:Body></soapenv:Envelope>"
    )
    return Response(message, status, media_type=XML)


def fault(code: str, words: str, detail: str = "", *, declares: str = "") -> Response:
    """HTTP 500 with a SOAP fault; *detail* is XML, *words* are not."""
    within = f"<detail>{detail}</detail>" if detail else ""
    return xml(
        f"<soapenv:Fault><faultcode{declares}>{code}</faultcode>"
        f"<faultstring>{escape(words)}</faultstring>{within}</soapenv:Fault>",
        500,
    )
