"""SOAP as AXL and the serviceability interfaces speak it: building, reading, and one careful POST.

What comes from the wire is hostile until it has been read: no DTD, no entities, a bounded size,
depth and number of elements. Faults are found by local name, because releases put them into
different namespaces and prefixes.
"""

from __future__ import annotations

import asyncio
import re
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final, NoReturn
from urllib.parse import urlsplit

import defusedxml
import httpx
from defusedxml.ElementTree import DefusedXMLParser

from cucm_certflow.errors import (
    AuthenticationFailed,
    NodeFault,
    NodeUnreachable,
    RateLimited,
    Report,
    UnknownLayout,
)
from cucm_certflow.inventory import Account
from cucm_certflow.transports.breaker import Breaker
from cucm_certflow.transports.pins import WEB_PORT, Pins, tls_context

__all__ = [
    "ENVELOPE",
    "Login",
    "NotSent",
    "SoapChannel",
    "SoapFault",
    "WrongVersion",
    "child",
    "children",
    "envelope",
    "local_name",
    "parse_body",
    "text_of",
]

ENVELOPE: Final = "http://schemas.xmlsoap.org/soap/envelope/"

MAX_BYTES: Final = 24 << 20
"""AXL itself refuses answers over 8 MB; a thousand RIS records are about 3 MB."""
_MAX_DEPTH: Final = 64
_MAX_ELEMENTS: Final = 1_000_000
_SHOWN: Final = 240

# What XML 1.0 cannot carry at all, escaped or not.
_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class NotSent(NodeUnreachable):
    """There was no connection at all: of this request nothing was sent."""


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


def parse_body(data: bytes, where: str) -> ET.Element:
    """The one element inside the Body of the SOAP message *data*; it may be a Fault.

    Args:
        data: What came over the wire.
        where: Whose words they are, for the error.

    Raises:
        UnknownLayout: It is no well-formed SOAP message, or one that could do harm.
    """
    if len(data) > MAX_BYTES:
        _unknown(where, f"{len(data)} bytes, over the limit of {MAX_BYTES}")
    if data.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html")):
        _unknown(where, f"an HTML page: {_shown(data)}")
    parser = DefusedXMLParser(target=_Bounded(), forbid_dtd=True)
    try:
        parser.feed(data)
        root: ET.Element = parser.close()
    except _TooMuchError:
        _unknown(where, f"over {_MAX_DEPTH} levels or {_MAX_ELEMENTS} elements")
    except defusedxml.DefusedXmlException as error:
        _unknown(where, f"XML that declares entities or a DTD ({type(error).__name__})")
    except (ET.ParseError, ValueError, LookupError) as error:
        _unknown(where, f"no well-formed XML ({error}): {_shown(data)}")
    body = child(root, "Body")
    if local_name(root) != "Envelope" or body is None or len(body) == 0:
        _unknown(where, f"no SOAP envelope with a body: {_shown(data)}")
    return body[0]


def _shown(data: bytes) -> str:
    text = data[: 4 * _SHOWN].decode("utf-8", "replace")
    text = " ".join(re.sub(r"[^\x20-\x7e\u00a0-\uffff]", " ", text).split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _unknown(where: str, saw: str) -> NoReturn:
    raise UnknownLayout(
        Report(
            headline=f"{where} answered in a form that we cannot read",
            expected="a SOAP message",
            saw=saw,
        )
    )


_RATE_WORDS: Final = ("exceeded allowed rate", "maximum axl memory allocation consumed")


def raise_fault(fault: ET.Element, where: str, did: str) -> NoReturn:
    """Raise what the SOAP *fault* says.

    Raises:
        RateLimited: It was too much, or too often (``Server.RateControl``).
        SoapFault: Anything else.
    """
    code = text_of(fault, "faultcode")
    words = text_of(fault, "faultstring") or "no faultstring"
    numbers = [(each.text or "").strip() for each in fault.iter() if local_name(each) == "axlcode"]
    number = int(numbers[0]) if numbers and re.fullmatch(r"-?\d{1,9}", numbers[0]) else None
    saw = f"{code}: {words}" if number is None else f"{code}: {words} (axlcode {number})"
    saw = saw if len(saw) <= 2 * _SHOWN else f"{saw[: 2 * _SHOWN]}…"
    if code.endswith("RateControl") or any(word in words.lower() for word in _RATE_WORDS):
        raise RateLimited(Report(headline=f"{where} was asked too often", did=did, saw=saw))
    raise SoapFault(Report(headline=f"{where} answered with a fault", did=did, saw=saw), number)


# ── accounts ──────────────────────────────────────────────────────────────────────────────


class Login:
    """An account on its way to a node: never sent again once a node has refused it."""

    def __init__(self, account: Account, breaker: Breaker, kind: str = "application") -> None:
        self._account = account
        self._breaker = breaker
        self._kind = kind

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[httpx.BasicAuth]:
        """Hold this while sending; gives what goes into the request.

        Raises:
            AuthenticationFailed: The account was refused before. Nothing was sent.
        """
        async with self._breaker.turn(self._kind, self._account.user):
            yield httpx.BasicAuth(self._account.user, self._account.password.reveal())

    def accepted(self) -> None:
        """A node has let the account in."""
        self._breaker.accepted(self._kind, self._account.user)

    def refused(self, where: str, did: str) -> NoReturn:
        """A node has refused the account: it is not used again anywhere.

        Raises:
            AuthenticationFailed: Always.
        """
        self._breaker.trip(self._kind, self._account.user, where)
        raise AuthenticationFailed(
            Report(
                headline=f"{where} refused the {self._kind} account {self._account.user!r}",
                did=did,
                saw="HTTP 401",
                left="nothing was done; the account is not tried again on any node",
                next="correct the inventory; nodes lock an account after three failures",
            )
        )

    def redact(self, text: str) -> str:
        """*text* without the password."""
        return self._account.password.redact(text)


# ── the channel ───────────────────────────────────────────────────────────────────────────


class SoapChannel:
    """POSTs SOAP messages to one URL of one node, over a pinned TLS connection.

    It always sends ``Authorization`` and keeps no cookie: ``JSESSIONIDSSO`` would save the node
    a login, but an idle session turns into a 404, and all of them die with Tomcat. It follows
    no redirect, reads no proxy from the environment, and does not repeat anything.

    Args:
        url: Where to; the slash at the end of ``/axl/`` matters.
        node: Whose pins hold, and whose name errors carry.
        login: The account.
        pins: Who the node must prove to be.
        role: The role that the account needs there, named when the node says 403.
        timeout_s: Real seconds for a whole request; over 0.
        connect_timeout_s: Real seconds for connection and handshake; over 0.
        connections: How many at the same time; 1 or more.
        legacy: As for :func:`~cucm_certflow.transports.pins.plain_context`.
        transport: Instead of the network; for tests.
    """

    def __init__(
        self,
        url: str,
        node: str,
        login: Login,
        *,
        pins: Pins,
        role: str,
        timeout_s: float = 60.0,
        connect_timeout_s: float = 10.0,
        connections: int = 8,
        legacy: bool = False,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.where = f"{node} ({urlsplit(url).path})"
        self._url = url
        self._login = login
        self._role = role
        self._timeout_s = timeout_s
        self._client = httpx.AsyncClient(
            verify=tls_context(pins.checker(node, WEB_PORT), legacy=legacy),
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(timeout_s, connect=connect_timeout_s),
            limits=httpx.Limits(max_connections=connections),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            headers={"User-Agent": "cucm-certflow", "Accept-Encoding": "identity"},
            transport=transport,
        )

    async def aclose(self) -> None:
        """Let go of connections; idempotent."""
        await self._client.aclose()

    async def call(self, action: str, body: ET.Element, *, did: str = "") -> ET.Element:
        """Send *body* once and return what is in the body of the answer.

        Args:
            action: SOAPAction, without quotes.
            body: The request.
            did: What it does, for errors.

        Raises:
            AuthenticationFailed: The account was refused, now or before; nothing was done.
            IdentityNotTrusted: The node is not who it should be. Nothing was sent.
            NotSent: There was no connection. Nothing was sent.
            NodeUnreachable: The connection broke: the request may have arrived.
            RateLimited: Too often, or busy; nothing was done.
            NodeFault: The node said no.
            UnknownLayout: The answer cannot be read; the request may have been done.
        """
        did = did or local_name(body)
        content = envelope(body)
        async with self._login.turn() as auth:
            try:
                status, headers, data = await self._post(action, content, auth)
            except (
                httpx.ConnectError,
                httpx.ConnectTimeout,
                httpx.PoolTimeout,
                httpx.UnsupportedProtocol,
            ) as error:
                report = self._broken("could not be reached", did, error, "nothing was sent")
                raise NotSent(report) from error
            except (httpx.TransportError, TimeoutError, OSError) as error:
                report = self._broken("stopped answering", did, error, "it may have arrived")
                raise NodeUnreachable(report) from error
            return self._read(status, headers, data, did)

    async def _post(
        self, action: str, content: bytes, auth: httpx.BasicAuth
    ) -> tuple[int, httpx.Headers, bytes]:
        headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{action}"'}
        async with (
            asyncio.timeout(self._timeout_s),
            self._client.stream(
                "POST", self._url, content=content, headers=headers, auth=auth
            ) as response,
        ):
            if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                _unknown(self.where, "a compressed answer that nobody asked for")
            data = bytearray()
            async for chunk in response.aiter_bytes():
                data += chunk
                if len(data) > MAX_BYTES:
                    _unknown(self.where, f"more than {MAX_BYTES} bytes")
            return response.status_code, response.headers, bytes(data)

    def _read(self, status: int, headers: httpx.Headers, data: bytes, did: str) -> ET.Element:
        if status == HTTPStatus.UNAUTHORIZED:
            self._login.refused(self.where, did)
        if status == HTTPStatus.FORBIDDEN or status in range(200, 300):
            self._login.accepted()
        if status in range(300, 400):
            target = headers.get("Location", "nowhere")
            self._fault(did, f"HTTP {status}, a redirect to {target[:_SHOWN]}; it is not followed")
        match status:
            case HTTPStatus.FORBIDDEN:
                self._fault(did, "HTTP 403", next_=f"give the account the role {self._role}")
            case HTTPStatus.TOO_MANY_REQUESTS | HTTPStatus.SERVICE_UNAVAILABLE:
                raise RateLimited(
                    Report(headline=f"{self.where} is busy", did=did, saw=f"HTTP {status}")
                )
            case HTTPStatus.BAD_GATEWAY | HTTPStatus.GATEWAY_TIMEOUT:
                # HAProxy stands before Tomcat from 14 on; Tomcat may have had the request.
                raise NodeUnreachable(
                    Report(
                        headline=f"{self.where} lost the request on its way",
                        did=did,
                        saw=f"HTTP {status}: {self._words(data)}",
                        left="it may have arrived",
                    )
                )
            case HTTPStatus.NOT_FOUND:
                self._fault(did, "HTTP 404: the interface is not activated, or not up yet")
            case 599:
                self._wrong_version(did, self._words(data))
            case HTTPStatus.OK | HTTPStatus.INTERNAL_SERVER_ERROR:
                pass
            case _:
                self._fault(did, f"HTTP {status}: {self._words(data)}")
        try:
            answer = parse_body(data, self.where)
        except UnknownLayout as error:
            report = error.report
            saw = self._login.redact(f"HTTP {status}, {report.saw}")
            raise UnknownLayout(
                Report(headline=report.headline, did=did, expected=report.expected, saw=saw)
            ) from None
        self._login.accepted()
        if local_name(answer) == "Fault":
            raise_fault(answer, self.where, did)
        if status != HTTPStatus.OK:
            self._fault(did, f"HTTP {status} with {local_name(answer)}")
        return answer

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

    def _words(self, data: bytes) -> str:
        return self._login.redact(_shown(re.sub(rb"<[^>]{0,400}>", b" ", data[: 1 << 16])))

    def _fault(self, did: str, saw: str, next_: str = "") -> NoReturn:
        raise NodeFault(
            Report(headline=f"{self.where} answered with an error", did=did, saw=saw, next=next_)
        )

    def _broken(self, how: str, did: str, error: Exception, left: str) -> Report:
        saw = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return Report(headline=f"{self.where} {how}", did=did, saw=saw[:_SHOWN], left=left)


def sequence(parent: ET.Element, fields: Sequence[tuple[str, str]], namespace: str = "") -> None:
    """Append *fields* to *parent* in order; unqualified unless a *namespace* is given."""
    for name, value in fields:
        ET.SubElement(parent, f"{{{namespace}}}{name}" if namespace else name).text = value
