"""What Control Center and PerfMon have in common: one namespace, and answers read strictly."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from typing import Final, NoReturn

from cucm_certflow.errors import Report, UnknownLayout
from cucm_certflow.transports.soap import children, local_name

__all__ = ["NAMESPACE", "Reader", "add", "request"]

NAMESPACE: Final = "http://schemas.cisco.com/ast/soap"
"""Of all elements of a request, the children as well (elementFormDefault qualified)."""

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,19}")
_LONG: Final = 1 << 63
_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}
_SHOWN: Final = 80


def request(operation: str) -> ET.Element:
    """The element that asks for *operation*, without children."""
    return ET.Element(f"{{{NAMESPACE}}}{operation}")


def add(parent: ET.Element, name: str, text: str | None = None) -> ET.Element:
    """Append a qualified child called *name* to *parent* and return it."""
    element = ET.SubElement(parent, f"{{{NAMESPACE}}}{name}")
    element.text = text
    return element


class Reader:
    """Reads one answer; what is missing, twice there or of another type is never guessed.

    Elements are found by local name: releases qualify them or not. An element that the schema
    calls nillable is an empty text if it is nil.

    Args:
        where: Whose words they are, for the errors.
        operation: What was asked.
        redact: Takes secrets out of what the node said.
    """

    def __init__(self, where: str, operation: str, redact: Callable[[str], str] = str) -> None:
        self._where = where
        self._operation = operation
        self._redact = redact

    def response(self, answer: ET.Element) -> ET.Element:
        """*answer*, if it is the one to the operation.

        Raises:
            UnknownLayout: It is another element, or speaks in references (rpc/encoded).
        """
        if local_name(answer) != f"{self._operation}Response":
            self.unreadable(f"an element {local_name(answer)}")
        for element in answer.iter():
            if "href" in element.attrib:
                self.unreadable(f"{local_name(element)} is only a reference")
        return answer

    def returned(self, answer: ET.Element) -> ET.Element:
        """The one child that holds what is returned; UnknownLayout as :meth:`response`."""
        return self.need(self.response(answer), f"{self._operation}Return")

    def only(self, element: ET.Element, name: str) -> ET.Element | None:
        """The child called *name*, or None; UnknownLayout if there are several."""
        found = list(children(element, name))
        if len(found) > 1:
            self.unreadable(f"{len(found)} times {name} in {local_name(element)}")
        return found[0] if found else None

    def need(self, element: ET.Element, name: str) -> ET.Element:
        """The child called *name*; UnknownLayout if there is none, or several."""
        found = self.only(element, name)
        if found is None:
            self.unreadable(f"no {name} in {local_name(element)}")
        return found

    def items(self, element: ET.Element, name: str, item: str = "item") -> Iterator[ET.Element]:
        """The children called *item* of the child called *name*, which may be nil or missing."""
        array = self.only(element, name)
        for each in () if array is None else array:
            if local_name(each) != item:
                self.unreadable(f"{local_name(each)} in {name}, where only {item} belongs")
            yield each

    def text(self, element: ET.Element, name: str) -> str:
        """The text of the child called *name*, stripped; UnknownLayout if there is none."""
        return self.value(self.need(element, name))

    def named(self, element: ET.Element, name: str) -> str:
        """As :meth:`text`, and UnknownLayout if it is nil or empty."""
        return self.text(element, name) or self.unreadable(
            f"a nil or empty {name} in {local_name(element)}"
        )

    def value(self, element: ET.Element) -> str:
        """The text of *element* itself, stripped; UnknownLayout if it has children instead."""
        if len(element):
            self.unreadable(f"{local_name(element)} with children, where a text belongs")
        return (element.text or "").strip()

    def integer(self, element: ET.Element, name: str) -> int | None:
        """The child called *name* as a number, None if it is nil; UnknownLayout if it is none."""
        text = self.text(element, name)
        if not text:
            return None
        if _INTEGER.fullmatch(text) is None or not -_LONG <= int(text) < _LONG:
            self.unreadable(f"{name} {text[:_SHOWN]!r}, no number")
        return int(text)

    def boolean(self, element: ET.Element, name: str) -> bool:
        """The child called *name* as xsd:boolean; UnknownLayout if it is none."""
        text = self.text(element, name)
        if text not in _BOOLEANS:
            self.unreadable(f"{name} {text[:_SHOWN]!r}, no boolean")
        return _BOOLEANS[text]

    def unreadable(self, saw: str) -> NoReturn:
        """Give up.

        Raises:
            UnknownLayout: Always.
        """
        raise UnknownLayout(
            Report(
                headline=f"{self._where} answered in a form that we cannot read",
                expected=f"{self._operation}Response as its WSDL describes it",
                saw=self._redact(saw),
            )
        )
