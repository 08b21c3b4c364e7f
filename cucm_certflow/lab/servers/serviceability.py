"""What the lab's serviceability services share: one namespace, strict requests, ordered answers."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from typing import Final
from xml.sax.saxutils import escape

from starlette.responses import Response

from cucm_certflow.lab.servers import soap

__all__ = ["NAMESPACE", "Wrong", "answer", "element", "fields", "rate_fault", "texts"]

NAMESPACE: Final = "http://schemas.cisco.com/ast/soap"


class Wrong(Exception):
    """The request does not fit the description of the service; the message says where.

    That a node answers with a fault is sure, its words are the lab's invention.
    """


def fields(parent: ET.Element, *names: str) -> tuple[ET.Element, ...]:
    """The children of *parent*, which must be *names* in this order, in the services' namespace.

    Raises:
        Wrong: They are not.
    """
    wanted = [f"{{{NAMESPACE}}}{name}" for name in names]
    if [child.tag for child in parent] != wanted:
        saw = ", ".join(child.tag for child in parent) or "nothing"
        message = f"expected {', '.join(names)} in {soap.local_name(parent)}, saw {saw:.200}"
        raise Wrong(message)
    return tuple(parent)


def texts(parent: ET.Element, name: str) -> tuple[str, ...]:
    """The texts of all children of *parent*, which must all be *name* and hold nothing but text.

    Raises:
        Wrong: They are not, or they do.
    """
    found: list[str] = []
    for child in parent:
        if child.tag != f"{{{NAMESPACE}}}{name}" or len(child):
            message = f"expected {name} in {soap.local_name(parent)}, saw {child.tag:.200}"
            raise Wrong(message)
        found.append((child.text or "").strip())
    return tuple(found)


def element(name: str, content: str | int | bool | Sequence[str] | None) -> str:  # noqa: FBT001 - a value
    """One element of an answer: text escaped, a sequence as elements, None as nil."""
    match content:
        case None:
            nil = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"'
            return f"<ns1:{name} {nil}/>"
        case bool():
            return f"<ns1:{name}>{str(content).lower()}</ns1:{name}>"
        case int():
            return f"<ns1:{name}>{content}</ns1:{name}>"
        case str():
            return f"<ns1:{name}>{escape(content)}</ns1:{name}>"
        case _:
            return f"<ns1:{name}>{''.join(content)}</ns1:{name}>"


def answer(operation: str, *within: str) -> Response:
    """The answer to *operation*; *within* are elements."""
    return soap.xml(
        f'<ns1:{operation}Response xmlns:ns1="{NAMESPACE}">{"".join(within)}'
        f"</ns1:{operation}Response>"
    )


def rate_fault(node: str, words: str) -> Response:
    """Too many questions in a minute, as RISPort70 is known to say it."""
    return soap.fault(
        "ns1:Server.RateControl",
        words,
        f'<ns2:hostname xmlns:ns2="http://xml.apache.org/axis/">{escape(node.upper())}'
        "</ns2:hostname>",
        declares=' xmlns:ns1="http://xml.apache.org/axis/"',
    )
