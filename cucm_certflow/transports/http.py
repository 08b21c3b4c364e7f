"""One careful HTTPS request to one node: pinned, bounded, logged in, and never redirected."""

from __future__ import annotations

import asyncio
import re
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy
from http.cookies import CookieError, SimpleCookie
from typing import Final, NamedTuple, NoReturn

import attrs
import httpx

from cucm_certflow.errors import (
    AuthenticationFailed,
    CertflowError,
    NodeFault,
    NodeUnreachable,
    NotServed,
    RateLimited,
    Report,
    RoleMissing,
    UnknownLayout,
)
from cucm_certflow.inventory import Account, NodeEntry
from cucm_certflow.names import Interface
from cucm_certflow.transports.access import Access, host_of
from cucm_certflow.transports.breaker import Breaker
from cucm_certflow.transports.pins import WEB_PORT, tls_context

__all__ = ["MAX_BYTES", "Answer", "HttpChannel", "Login", "NotSent", "shown"]

MAX_BYTES: Final = 24 << 20
"""AXL itself refuses answers over 8 MB; a thousand RIS records are about 3 MB."""

_SHOWN: Final = 240
_SESSION: Final = "JSESSIONIDSSO"
"""The cookie that stands for a login (AXL developer guide)."""
_COOKIE: Final = re.compile(r"[!#-+\--:<-\[\]-~]{0,4096}")
"""What RFC 6265 allows as a value."""


class NotSent(NodeUnreachable):
    """There was no connection at all: of this request nothing was sent."""


class Login:
    """An account on its way to a node: never sent again once a node has refused it."""

    def __init__(self, account: Account, breaker: Breaker, kind: str = "application") -> None:
        self._account = account
        self._breaker = breaker
        self._kind = kind

    def check(self) -> None:
        """Return if the account may be used.

        Raises:
            AuthenticationFailed: The account was refused before. Nothing was sent.
        """
        self._breaker.check(self._kind, self._account.user)

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

    def missing(self, where: str, did: str, role: str) -> NoReturn:
        """The account was let in, and may not do this.

        Raises:
            RoleMissing: Always.
        """
        raise RoleMissing(
            Report(
                headline=f"the {self._kind} account {self._account.user!r} lacks a role",
                did=did,
                expected=role,
                saw=f"HTTP 403 from {where}",
                left="nothing was done",
                next=f"give the account the role {role}; until then another way is used, if any",
            ),
            role,
        )

    def redact(self, text: str) -> str:
        """*text* without the password, and without it as Basic sends it."""
        pair = f"{self._account.user}:{self._account.password.reveal()}"
        text = text.replace(b64encode(pair.encode()).decode("ascii"), "<redacted>")
        return self._account.password.redact(text)

    @contextmanager
    def redacting(self) -> Iterator[None]:
        """Hold this while reading what a node said: its errors show neither password nor novels.

        Raises:
            CertflowError: As raised within, and of the same kind.
        """
        try:
            yield
        except CertflowError as error:
            parts = attrs.asdict(error.report)
            texts = {name: self.redact(text)[: 2 * _SHOWN] for name, text in parts.items()}
            error.report = Report(**texts)
            error.args = (error.report,)
            raise


class Answer(NamedTuple):
    """What came back: a status that says nothing about account or connection, and the bytes."""

    status: int
    headers: httpx.Headers
    data: bytes


class HttpChannel:
    """Requests to one interface of one node, over a pinned TLS connection.

    The first request logs in by Basic; after that the session cookie is sent instead, which spares
    the node a login each time. A session that has idled away (404) or that died with Tomcat (401)
    is dropped, and the request is sent once more by Basic: the node has done nothing by then. It
    follows no redirect and reads no proxy from the environment.

    Args:
        node: Its name is that of its pins.
        path: Of the interface; the slash at the end of ``/axl/`` matters.
        login: The account.
        access: What the clients of the cluster share.
        interface: Whose requests are counted.
        role: The role that the account needs there, named when the node says 403.
        port: TCP port; the pin is that of 8443 all the same.
        sessions: Whether a session cookie is kept. Platform REST wants a login with each request.
        connections: How many at the same time; 1 or more.
    """

    def __init__(
        self,
        node: NodeEntry,
        path: str,
        login: Login,
        *,
        access: Access,
        interface: Interface,
        role: str,
        port: int | None = None,
        sessions: bool = True,
        connections: int = 8,
    ) -> None:
        self.where = f"{node.name} ({path})"
        self.login = login
        self._base = f"https://{host_of(node.address)}:{port or access.web_port}"
        self._path = path
        self._role = role
        self._timeout_s = access.timeout_s
        self._budgets = access.budgets
        self._interface = interface
        self._sessions = sessions
        self._cookies: dict[str, str] = {}
        self._client = httpx.AsyncClient(
            transport=access.through(
                node,
                httpx.AsyncHTTPTransport(
                    verify=tls_context(
                        access.pins.checker(node.name, WEB_PORT),
                        legacy=access.inventory.legacy_crypto,
                    ),
                    trust_env=False,
                    limits=httpx.Limits(max_connections=connections),
                ),
            ),
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(access.timeout_s, connect=min(10.0, access.timeout_s)),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),  # ours is kept by hand
            headers={"User-Agent": "cucm-certflow", "Accept-Encoding": "identity"},
        )

    async def aclose(self) -> None:
        """Let go of connections; idempotent."""
        await self._client.aclose()

    async def send(
        self,
        method: str,
        *,
        did: str,
        target: str = "",
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        role: str = "",
    ) -> Answer:
        """Send one request and return the answer, if it is one of the interface itself.

        Args:
            method: ``GET``, ``POST`` …
            did: What it does, for errors.
            target: Appended to the path of the interface.
            content: The body.
            headers: Beside those that every request has.
            role: The role that this request needs, if it is another than the interface's.

        Raises:
            AuthenticationFailed: The account was refused, now or before; nothing was done.
            IdentityNotTrusted: The node is not who it should be. Nothing was sent.
            NotSent: There was no connection. Nothing was sent.
            NodeUnreachable: The connection broke: the request may have arrived.
            RateLimited: Too often, or busy (429, 503); nothing was done.
            RoleMissing: The account may not do this (403); nothing was done.
            NotServed: There is no such interface (404); nothing was done.
            NodeFault: A redirect, which is not followed; nothing was done.
            UnknownLayout: The answer is too large, or compressed; it may have been done.

        Cancelling it leaves the request in doubt.
        """
        request = (method, self._base + self._path + target, content, dict(headers or {}))
        answer: Answer | None = None
        if _SESSION in self._cookies:
            self.login.check()
            sent = dict(self._cookies)
            answer = await self._once(request, did, cookies=sent)
            if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND):
                if self._cookies == sent:
                    self._cookies = {}
                answer = None
        if answer is None:
            async with self.login.turn() as auth:
                answer = await self._once(request, did, auth=auth)
                if answer.status == HTTPStatus.UNAUTHORIZED:
                    self.login.refused(self.where, did)
                if answer.status == HTTPStatus.FORBIDDEN or answer.status in range(200, 300):
                    self.login.accepted()
        if answer.status in range(200, 300):
            self._keep_session(answer)
        return self._checked(answer, did, role or self._role)

    def words(self, data: bytes) -> str:
        """The beginning of *data* as words: without tags, and without the password."""
        return shown(re.sub(rb"<[^<>]{0,400}>", b" ", data[: 1 << 16]), self.login.redact)

    def fault(self, did: str, saw: str) -> NoReturn:
        """The node has answered with an error.

        Raises:
            NodeFault: Always.
        """
        raise NodeFault(
            Report(headline=f"{self.where} answered with an error", did=did, saw=saw[: 2 * _SHOWN])
        )

    # ── sending ───────────────────────────────────────────────────────────────────────────

    async def _once(
        self,
        request: tuple[str, str, bytes | None, dict[str, str]],
        did: str,
        *,
        auth: httpx.BasicAuth | None = None,
        cookies: Mapping[str, str] | None = None,
    ) -> Answer:
        method, url, content, headers = request
        if cookies:
            pairs = (f"{name}={value}" for name, value in cookies.items())
            headers = {**headers, "Cookie": "; ".join(pairs)}
        self._budgets.note(self._interface)
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                self._client.stream(
                    method, url, content=content, headers=headers, auth=auth
                ) as response,
            ):
                body = await self._body(response, did)
                return Answer(response.status_code, response.headers, body)
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

    async def _body(self, response: httpx.Response, did: str) -> bytes:
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            self._unreadable(did, "a compressed answer that nobody asked for")
        data = bytearray()
        async for chunk in response.aiter_bytes():
            data += chunk
            if len(data) > MAX_BYTES:
                self._unreadable(did, f"more than {MAX_BYTES} bytes")
        return bytes(data)

    def _keep_session(self, answer: Answer) -> None:
        if not self._sessions:
            return
        found: dict[str, str] = {}
        for line in answer.headers.get_list("Set-Cookie"):
            try:
                morsels = SimpleCookie(line)
            except CookieError:
                continue
            found |= {name: morsel.value for name, morsel in morsels.items()}
        # What no header can carry back is no session: then each request logs in by itself.
        if _SESSION in found and all(map(_COOKIE.fullmatch, found.values())):
            self._cookies = found

    # ── reading ───────────────────────────────────────────────────────────────────────────

    def _checked(self, answer: Answer, did: str, role: str) -> Answer:
        status = answer.status
        if status in range(300, 400):
            target = self.login.redact(answer.headers.get("Location", "nowhere"))
            self.fault(did, f"HTTP {status}, a redirect to {target[:_SHOWN]}; it is not followed")
        match status:
            case HTTPStatus.FORBIDDEN:
                self.login.missing(self.where, did, role)
            case HTTPStatus.NOT_FOUND:
                raise NotServed(
                    Report(
                        headline=f"{self.where} answered with an error",
                        did=did,
                        saw="HTTP 404: the interface is not activated, or not up yet",
                        left="nothing was done",
                    )
                )
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
                        saw=f"HTTP {status}: {self.words(answer.data)}",
                        left="it may have arrived",
                    )
                )
            case _:
                pass
        return answer

    def _unreadable(self, did: str, saw: str) -> NoReturn:
        raise UnknownLayout(
            Report(
                headline=f"{self.where} answered in a form that we cannot read",
                did=did,
                saw=saw,
                left="it arrived, and may have been done",
            )
        )

    def _broken(self, how: str, did: str, error: Exception, left: str) -> Report:
        saw = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return Report(headline=f"{self.where} {how}", did=did, saw=saw[:_SHOWN], left=left)


def shown(data: bytes, redact: Callable[[str], str] = str) -> str:
    """The beginning of *data*, as one line of printable text.

    Args:
        data: What is shown.
        redact: Takes secrets out of it, before it is cut: half a password is one, too.
    """
    text = redact(data[: 8 * _SHOWN].decode("utf-8", "replace"))[: 4 * _SHOWN]
    text = " ".join(re.sub(r"[^\x20-\x7e\u00a0-\uffff]", " ", text).split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
