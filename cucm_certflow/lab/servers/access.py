"""Who may come in to the lab's web services: password or cookie, and then the role."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence
from http.cookies import CookieError, SimpleCookie
from typing import Final, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cucm_certflow.lab.scenario import AccountSpec, ApplicationSpec, Role
from cucm_certflow.lab.scenario_faults import FaultKind
from cucm_certflow.lab.servers.sessions import COOKIE, Standing
from cucm_certflow.lab.servers.vos_cli import Desk

__all__ = [
    "WEB_DOOR",
    "SessionCookies",
    "account_of",
    "forbidden",
    "guard",
    "is_expired",
    "lacks",
    "not_found",
    "page",
    "unauthorized",
]

_FAR: Final = "Expires=Tue, 19 Jan 2038 03:14:07 GMT"
WEB_DOOR: Final = 8443
_PENDING: Final = "certflow_cookies"
_ACCOUNT: Final = "certflow_account"

A = TypeVar("A", bound=AccountSpec)


def guard(request: Request, desk: Desk, node: str, *roles: Role) -> Response | None:
    """None if *request* may come in to a service of *node*; else what to answer.

    A password counts more than a cookie: what a real node makes of a right password beside a
    cookie that is over, nobody says; here it begins a new session.

    Args:
        request: With a password (HTTP Basic), or with the cookie of a login before.
        desk: The lab.
        node: Whose service it is.
        roles: One of these is needed; none, if there are none.

    Returns:
        401 for a wrong password or a dead cookie (some nodes are said to answer 404 to the
        latter), 404 for a cookie after 30 minutes of silence, 403 if the role is missing.
    """
    if is_expired(desk, node):
        return unauthorized()
    account = _by_password(request, desk, node) or _by_cookie(request, desk, node)
    if isinstance(account, Response):
        return account
    if account is None:
        return unauthorized()
    setattr(request.state, _ACCOUNT, account)
    return lacks(request, *roles)


def is_expired(desk: Desk, node: str) -> bool:
    """Whether a fault has it that passwords have expired: then nobody comes in, cookie or not.

    That a node answers 401 then is the lab's reading; nobody says what it does.
    """
    fault = desk.cluster.faults.at_door(node, WEB_DOOR)
    return fault is not None and fault.kind is FaultKind.PASSWORD_EXPIRED


def lacks(request: Request, *roles: Role) -> Response | None:
    """403 if the account that :func:`guard` let in has none of *roles*; else None."""
    account: ApplicationSpec = getattr(request.state, _ACCOUNT)
    if not roles or any(role in account.roles for role in roles):
        return None
    return forbidden()


def account_of(request: Request, accounts: Sequence[A]) -> A | None:
    """The account of *accounts* whose name and password *request* carries by HTTP Basic."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        user, _, password = base64.b64decode(token.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    for account in accounts:
        right = hmac.compare_digest(password.encode(), account.password.encode())
        if user == account.user and right:
            return account
    return None


def _by_password(request: Request, desk: Desk, node: str) -> ApplicationSpec | Response | None:
    if "Authorization" not in request.headers:
        return None
    account = account_of(request, desk.cluster.scenario.accounts.applications)
    if account is None:
        return unauthorized()
    sessions, token = desk.sessions_of(node), _token(request)
    if sessions.standing(token) is Standing.ALIVE and sessions.use(token) == account:
        return account
    token = sessions.begin(account)
    # A real node says domain=.HOST, too. The lab leaves it out: its clients address nodes by IP,
    # and would drop the cookie. The second cookie is that of the web application, which no request
    # needs; that it is set beside the other is why "several cookies in one answer" are parsed.
    where = "/" + request.url.path.split("/")[1]
    _pend(
        request,
        f"JSESSIONID={token[::-1]}; Path={where}; Secure; HttpOnly",
        f"{COOKIE}={token}; path=/; Secure; HttpOnly; {_FAR};",
    )
    return account


def _by_cookie(request: Request, desk: Desk, node: str) -> ApplicationSpec | Response | None:
    sessions, token = desk.sessions_of(node), _token(request)
    if not token:
        return None
    match sessions.standing(token):
        case Standing.ALIVE:
            return sessions.use(token)
        case Standing.IDLE:
            return not_found(request)
        case Standing.DEAD:
            return None


def _token(request: Request) -> str:
    try:
        found = SimpleCookie(request.headers.get("Cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return "" if found is None else found.value


# ── what is answered ──────────────────────────────────────────────────────────────────────


def page(status: int, words: str) -> Response:
    """Tomcat's HTML page about *status*."""
    text = (
        "<html><head><title>Cisco System - Error report</title></head><body><h1>HTTP Status "
        f"{status} - </h1><p><b>type</b> Status report</p><p><b>description</b> {words}</p>"
        "</body></html>"
    )
    return Response(text, status, media_type="text/html;charset=utf-8")


def unauthorized() -> Response:
    """401."""
    response = page(401, "This request requires HTTP authentication ().")
    response.headers["WWW-Authenticate"] = 'Basic realm="Cisco Web Services Realm"'
    return response


def forbidden() -> Response:
    """403: the password was right, and the role is missing. Real nodes do not say which."""
    return page(403, "Access to the specified resource () has been forbidden.")


def not_found(request: Request) -> Response:
    """404, as for a path that there is not, and for a session that was idle for too long."""
    return page(404, f"The requested resource ({request.url.path}) is not available.")


# ── cookies on their way out ──────────────────────────────────────────────────────────────


def _pend(request: Request, *cookies: str) -> None:
    pending: list[str] = request.scope.setdefault("state", {}).setdefault(_PENDING, [])
    pending.extend(cookies)


class SessionCookies:
    """Puts the cookies of a login into the answer, whatever the answer is.

    Args:
        app: What answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        state = scope["state"] = dict(scope.get("state") or {})

        async def pass_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                cookies = [(b"set-cookie", each.encode()) for each in state.get(_PENDING, ())]
                message = {**message, "headers": [*message.get("headers", ()), *cookies]}
            await send(message)

        await self._app(scope, receive, pass_on)
