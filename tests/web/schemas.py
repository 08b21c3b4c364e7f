"""Judges messages by the schemas of the lab's own WSDL files."""

from __future__ import annotations

import functools
from typing import Final

from lxml import etree

from cucm_certflow.lab.servers.wsdl_files import wsdl_text

AXL_VERSION: Final = "11.5"
_XS: Final = "{http://www.w3.org/2001/XMLSchema}"
_WSDL: Final = "{http://schemas.xmlsoap.org/wsdl/}"


@functools.cache
def wsdl_tree(name: str, version: str = AXL_VERSION) -> etree._Element:
    return etree.fromstring(wsdl_text(name, "https://192.0.2.1:8443/", version).encode())


def schema_tree(name: str, version: str = AXL_VERSION) -> etree._Element:
    found = wsdl_tree(name, version).find(f".//{_XS}schema")
    assert found is not None
    # By way of text: the prefixes that are declared above it have to come along.
    return etree.fromstring(etree.tostring(found))


@functools.cache
def schema(name: str, version: str = AXL_VERSION) -> etree.XMLSchema:
    return etree.XMLSchema(schema_tree(name, version))


@functools.cache
def operations(name: str, version: str = AXL_VERSION) -> dict[str, tuple[str, str]]:
    """The elements of question and answer of each operation, by its name."""
    tree = wsdl_tree(name, version)
    parts = {}
    for message in tree.iter(f"{_WSDL}message"):
        part = message[0]
        prefix, _, local = str(part.get("element")).partition(":")
        parts[message.get("name")] = f"{{{part.nsmap[prefix]}}}{local}"
    found = {}
    for operation in tree.iterfind(f"{_WSDL}portType/{_WSDL}operation"):
        sides = {str(side.tag): str(side.get("message")).partition(":")[2] for side in operation}
        question, answer = parts[sides[f"{_WSDL}input"]], parts[sides[f"{_WSDL}output"]]
        found[str(operation.get("name"))] = (question, answer)
    return found


def body_of(message: bytes) -> etree._Element:
    """The one element in the body of *message*."""
    found = etree.fromstring(message).find("{*}Body")  # one sample has lost a slash there
    assert found is not None, message
    (element,) = found
    return element


def objections(name: str, element: etree._Element, version: str = AXL_VERSION) -> list[str]:
    """What the schema of *name* has to say against *element*; nothing, if it is valid."""
    judge = schema(name, version)
    # A document of its own: the schema is about the root.
    judge.validate(etree.ElementTree(etree.fromstring(etree.tostring(element))))
    return str(judge.error_log).splitlines()
