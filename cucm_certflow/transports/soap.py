"""SOAP as AXL and the serviceability interfaces speak it: building, reading, and one careful POST.

What comes from the wire is hostile until it has been read: no DTD, no entities, a bounded size,
depth and number of elements. Faults are found by local name, because releases put them into
different namespaces and prefixes.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from http import HTTPStatus
from typing import Final, NoReturn

import defusedxml
from defusedxml.ElementTree import DefusedXMLParser

from cucm_certflow.errors import NodeFault, RateLimited, Report, UnknownLayout
from cucm_certflow.transports.http import MAX_BYTES, Answer, HttpChannel, shown

__all__ = [
    "ENVELOPE",
    "SoapChannel",
    "SoapFault",
    "WrongVersion",
    "child",
    "children",
    "envelope",
    "local_name",
    "parse_body",
    "raise_fault",
    "sequence",
    "text_of",
]

ENVELOPE: Final = "http://schemas.xmlsoap.org/soap/envelope/"

_MAX_DEPTH: Final = 64
_MAX_ELEMENTS: Final = 1_000_000
_MAX_ATTRIBUTES: Final = 500_000
"""Counted as equals signs: 8 MB of AXL with a nil in every element stay below it."""
_SHOWN: Final = 240

# What XML 1.0 cannot carry at all, escaped or not.
_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class SoapFault(NodeFault):
    """A SOAP fault; ``axl_code`` is AXL's own number for it, if it gave one."""

    def __init__(self, report: Report, axl_code: int | None = None) -> None:
        super().__init__(report)
        self.axl_code = axl_code


class WrongVersion(NodeFault):
    """The node does not speak this version of AXL (HTTP 599); ``speaks`` is what it says it does.

    Nothing was done.
    """

    def __init__(self, report: Report, speaks: tuple[str, ...]) -> None:
        super().__init__(report)
        self.speaks = speaks


# ── building ──────────────────────────────────────────────────────────────────────────────


def envelope(body: ET.Element) -> bytes:
    """A SOAP 1.1 message with *body* as its only content.

    Raises:
        ValueError: A text in it holds a character that XML cannot carry. Nothing was sent.
    """
    for element in body.iter():
        for text in (element.text or "", *element.attrib.values()):
            if _NOT_XML.search(text):
                message = f"{local_name(element)}: a character that XML cannot carry, in {text!r}"
                raise ValueError(message)
    root = ET.Element(f"{{{ENVELOPE}}}Envelope")
    ET.SubElement(root, f"{{{ENVELOPE}}}Body").append(body)
    message_bytes: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return message_bytes


# ── reading ───────────────────────────────────────────────────────────────────────────────


def local_name(element: ET.Element) -> str:
    """The name of *element* without its namespace."""
    return element.tag.rpartition("}")[2]


def children(element: ET.Element | None, name: str) -> Iterator[ET.Element]:
    """The children of *element* called *name* in whatever namespace."""
    if element is not None:
        for each in element:
            if local_name(each) == name:
                yield each


def child(element: ET.Element | None, name: str) -> ET.Element | None:
    """The first child of *element* called *name*, or None."""
    return next(children(element, name), None)


def text_of(element: ET.Element | None, name: str) -> str:
    """The text of the child called *name*, stripped; empty if there is none."""
    found = child(element, name)
    return "" if found is None else (found.text or "").strip()


class _TooMuchError(Exception):
    """The document is deeper or has more elements than any answer."""


class _Bounded(ET.TreeBuilder):
    """Builds a tree as long as it stays within what an answer can need."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = 0
        self._count = 0

    def start(self, tag: str, attrs: dict[str, str], /) -> ET.Element:
        self._depth += 1
        self._count += 1
        if self._depth > _MAX_DEPTH or self._count > _MAX_ELEMENTS:
            raise _TooMuchError
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> ET.Element:
        self._depth -= 1
        return super().end(tag)


_PLAIN: Final = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*"
    rb"(?:<\?xml\s+version\s*=\s*[\"']1\.0[\"']"
    rb"(?:\s+encoding\s*=\s*[\"'](?:utf-8|us-ascii)[\"'])?"
    rb"(?:\s+standalone\s*=\s*[\"'](?:yes|no)[\"'])?\s*\?>\s*)?<\w",
    re.IGNORECASE,
)
"""The beginning of a document whose markup is ASCII, as that of every answer we know.

One that declares another encoding does not match, whatever comes after it.
"""

_PROLOG: Final = 256
"""Bytes within which it must end: looking for it in megabytes of spaces would take seconds."""


_ENCODINGS: Final = frozenset(
    {b"utf-8", b"utf-16", b"utf-16le", b"utf-16be", b"iso-8859-1", b"us-ascii"}
)
"""Those that the parser reads by itself. For any other it would ask Python, which has a hundred."""


def _has_known_encoding(data: bytes) -> bool:
    """Whether the XML declaration of *data* ends, and names an encoding of ours or none."""
    head = data[: 2 * _PROLOG].replace(b"\0", b"")
    if re.match(rb"[^<]{0,4}<\?xml\s", head) is None:
        return True
    declaration, end, _ = head.partition(b"?>")
    named = re.findall(rb"encoding\s*=\s*[\"']([^\"']*)", declaration)
    return bool(end) and all(name.lower() in _ENCODINGS for name in named)


def _quickly(data: bytes) -> ET.Element:
    """A document without any declaration: nothing in it can define an entity.

    The parser in C is much faster than the careful one, which tells in answers of thousands of
    phones. Its bounds are the same.
    """
    if data.count(b"<") > 2 * _MAX_ELEMENTS:
        raise _TooMuchError
    root = ET.fromstring(data)  # noqa: S314 - no "<!" in it: no DTD, no entities
    count, floor = 0, [root]
    for _ in range(_MAX_DEPTH):
        count += len(floor)
        if count > _MAX_ELEMENTS:
            break
        floor = [each for parent in floor for each in parent]
        if not floor:
            return root
    raise _TooMuchError


def _carefully(data: bytes) -> ET.Element:
    """Any other document; what could do harm raises before it does."""
    parser = DefusedXMLParser(target=_Bounded(), forbid_dtd=True)
    parser.feed(data)
    root: ET.Element = parser.close()
    return root


def parse_body(data: bytes, where: str, *, redact: Callable[[str], str] = str) -> ET.Element:
    """The one element inside the Body of the SOAP message *data*; it may be a Fault.

    Args:
        data: What came over the wire.
        where: Whose words they are, for the error.
        redact: Takes secrets out of what the error shows.

    Raises:
        UnknownLayout: It is no well-formed SOAP message, or one that could do harm.
    """
    if len(data) > MAX_BYTES:
        _unknown(where, f"{len(data)} bytes, over the limit of {MAX_BYTES}")
    if not _has_known_encoding(data):
        _unknown(where, f"a declaration of an encoding that we do not read: {shown(data, redact)}")
    if data.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html")):
        _unknown(where, f"an HTML page: {shown(data, redact)}")
    try:
        if data.count(b"=") > _MAX_ATTRIBUTES:
            raise _TooMuchError
        plain = _PLAIN.match(data, 0, _PROLOG) is not None and b"<!" not in data
        root = _quickly(data) if plain else _carefully(data)
    except _TooMuchError:
        _unknown(
            where,
            f"over {_MAX_DEPTH} levels, {_MAX_ELEMENTS} elements or {_MAX_ATTRIBUTES} attributes",
        )
    except defusedxml.DefusedXmlException as error:
        _unknown(where, f"XML that declares entities or a DTD ({type(error).__name__})")
    except (ET.ParseError, ValueError, LookupError) as error:
        _unknown(where, f"no well-formed XML ({redact(str(error))}): {shown(data, redact)}")
    body = child(root, "Body")
    if local_name(root) != "Envelope" or body is None or len(body) == 0:
        _unknown(where, f"no SOAP envelope with a body: {shown(data, redact)}")
    return body[0]


def _unknown(where: str, saw: str) -> NoReturn:
    raise UnknownLayout(
        Report(
            headline=f"{where} answered in a form that we cannot read",
            expected="a SOAP message",
            saw=saw,
        )
    )


_RATE_WORDS: Final = ("exceeded allowed rate", "maximum axl memory allocation consumed")


def raise_fault(
    fault: ET.Element, where: str, did: str, *, redact: Callable[[str], str] = str
) -> NoReturn:
    """Raise what the SOAP *fault* says; *redact* takes secrets out of what the error shows.

    Raises:
        RateLimited: It was too much, or too often (``Server.RateControl``).
        SoapFault: Anything else.
    """
    code = text_of(fault, "faultcode")
    words = text_of(fault, "faultstring") or "no faultstring"
    numbers = [(each.text or "").strip() for each in fault.iter() if local_name(each) == "axlcode"]
    number = int(numbers[0]) if numbers and re.fullmatch(r"-?\d{1,9}", numbers[0]) else None
    saw = f"{code}: {words}" if number is None else f"{code}: {words} (axlcode {number})"
    saw = redact(saw)
    saw = saw if len(saw) <= 2 * _SHOWN else f"{saw[: 2 * _SHOWN]}…"
    if code.endswith("RateControl") or any(word in words.lower() for word in _RATE_WORDS):
        raise RateLimited(Report(headline=f"{where} was asked too often", did=did, saw=saw))
    raise SoapFault(Report(headline=f"{where} answered with a fault", did=did, saw=saw), number)


# ── the channel ───────────────────────────────────────────────────────────────────────────


class SoapChannel:
    """POSTs SOAP messages to one interface of one node. It repeats nothing by itself.

    Args:
        http: The way there.
    """

    def __init__(self, http: HttpChannel) -> None:
        self.where = http.where
        self._http = http

    async def aclose(self) -> None:
        """Let go of connections; idempotent."""
        await self._http.aclose()

    def redact(self, text: str) -> str:
        """*text* without the password."""
        return self._http.login.redact(text)

    def redacting(self) -> AbstractContextManager[None]:
        """Hold this while reading: no error that leaves it shows the password."""
        return self._http.login.redacting()

    async def call(
        self, action: str, body: ET.Element, *, did: str = "", role: str = ""
    ) -> ET.Element:
        """Send *body* once and return what is in the body of the answer.

        Args:
            action: SOAPAction, without quotes.
            body: The request.
            did: What it does, for errors.
            role: The role that it needs, if it is another than the interface's.

        Raises:
            NodeError: As :meth:`HttpChannel.send <cucm_certflow.transports.http.HttpChannel.send>`;
                besides:
            WrongVersion: AXL of another version (599); nothing was done.
            RateLimited: A fault says that it was too much, or too often; nothing was done.
            SoapFault: The node said no.
            UnknownLayout: The answer cannot be read; the request may have been done.
        """
        did = did or local_name(body)
        answer = await self._http.send(
            "POST",
            did=did,
            content=envelope(body),
            headers={"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{action}"'},
            role=role,
        )
        return self._read(answer, did)

    def _read(self, answer: Answer, did: str) -> ET.Element:
        match answer.status:
            case 599:
                self._wrong_version(did, self._http.words(answer.data))
            case HTTPStatus.OK | HTTPStatus.INTERNAL_SERVER_ERROR:
                pass
            case status:
                self._http.fault(did, f"HTTP {status}: {self._http.words(answer.data)}")
        try:
            element = parse_body(answer.data, self.where, redact=self._http.login.redact)
        except UnknownLayout as error:
            report = error.report
            saw = f"HTTP {answer.status}, {report.saw}"
            raise UnknownLayout(
                Report(headline=report.headline, did=did, expected=report.expected, saw=saw)
            ) from None
        self._http.login.accepted()
        if local_name(element) == "Fault":
            raise_fault(element, self.where, did, redact=self._http.login.redact)
        if answer.status != HTTPStatus.OK:
            name = self._http.login.redact(local_name(element))
            self._http.fault(did, f"HTTP {answer.status} with {name}")
        return element

    def _wrong_version(self, did: str, words: str) -> NoReturn:
        # "Supported axl versions are 12.x, 14.0 and 15.0"
        listed = re.findall(r"\b(\d{1,2})\.(\d|x)\b", words.lower().partition("supported")[2])
        raise WrongVersion(
            Report(
                headline=f"{self.where} does not speak this version of AXL",
                did=did,
                saw=f"HTTP 599: {words}",
                left="nothing was done",
                next="ask with the AXL version of the node's release",
            ),
            tuple(f"{major}.{'0' if minor == 'x' else minor}" for major, minor in listed),
        )


def sequence(parent: ET.Element, fields: Sequence[tuple[str, str]], namespace: str = "") -> None:
    """Append *fields* to *parent* in order; unqualified unless a *namespace* is given."""
    for name, value in fields:
        ET.SubElement(parent, f"{{{namespace}}}{name}" if namespace else name).text = value
