"""The bad answers that a scenario makes web operations give; every service answers through it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse

from cucm_certflow.lab.scenario import FaultKind
from cucm_certflow.lab.servers import soap
from cucm_certflow.lab.servers.access import not_found, page, unauthorized
from cucm_certflow.lab.servers.vos_cli import GARBAGE, Desk

__all__ = ["HUGE_BYTES", "answer"]

HUGE_BYTES: Final = 10 * 1024 * 1024
"""How long "10 MB of nothing" are."""

_CHUNK: Final = b" " * (64 * 1024)
_XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
_LOGIN: Final = (
    "<html><head><title>Cisco Unified CM Console</title></head><body><p>Please log on.</p>"
    "</body></html>"
)


async def answer(
    request: Request,
    desk: Desk,
    node: str,
    text: str,
    act: Callable[[], Awaitable[Response]],
    refuse: Callable[[FaultKind], Response],
    *,
    late: Callable[[], object] | None = None,
) -> Response:
    """What *act* answers, unless a fault of the scenario strikes *text*.

    Args:
        request: The request, which was let in.
        desk: The lab.
        node: Who was asked.
        text: The operation, and what it is about, as faults name it.
        act: Does what is asked.
        refuse: The service's own words for what was not done: REFUSED, RATE_LIMITED or
            OUT_OF_MEMORY.
        late: Does what is asked some time later, with nobody to hear of it; not given: nothing
            happens then, as with a question.

    Returns:
        A response; :data:`~.soap.NO_ANSWER` as its status cuts the connection.
    """
    fault = desk.cluster.faults.strike(node, text)
    if fault is None:
        return await act()
    match fault.kind:
        case FaultKind.REFUSED | FaultKind.RATE_LIMITED | FaultKind.OUT_OF_MEMORY:
            return refuse(fault.kind)
        case FaultKind.LOST_COMMAND | FaultKind.RESET_BEFORE:
            return _cut()
        case FaultKind.PASSWORD_EXPIRED:
            return unauthorized()
        case kind if kind.is_about_connection:
            return _cut()  # what comes next meets it
        case FaultKind.NO_PROMPT:
            await act()
            while (await request.receive())["type"] != "http.disconnect":
                pass
            return _cut()
        case FaultKind.STATUS_599:
            return page(599, "The specified version is not supported.")
        case FaultKind.SOAP_FAULT:
            return soap.fault("soapenv:Server", "A fault of the scenario")
        case FaultKind.LATE:
            if late is not None:
                desk.cluster.later(fault.late_s, late)
            return _cut()
        case FaultKind.MISSING_SESSION | FaultKind.NOT_FOUND:
            return not_found(request)
        case FaultKind.THROTTLED:
            return page(503, "The requested service () is not currently available.")
        case FaultKind.REDIRECT_ELSEWHERE:
            return RedirectResponse(_elsewhere(desk, node, request), 302)
        case _:
            return _spoilt(await act(), fault.kind, desk)


def _elsewhere(desk: Desk, node: str, request: Request) -> str:
    """The same path on another node, which would take the password; or on no host at all."""
    scenario = desk.cluster.scenario
    others = [each.address for each in scenario.nodes if each.name != node]
    host = others[-1] if others else f"elsewhere.{scenario.domain}"
    return f"https://{host}:8443{request.url.path}"


def _cut() -> Response:
    return Response(status_code=soap.NO_ANSWER)


def _spoilt(response: Response, kind: FaultKind, desk: Desk) -> Response:
    """What comes back of *response*, which says what was done."""
    match kind:
        case FaultKind.LOST_REPLY | FaultKind.RESET_DURING | FaultKind.RESET_AFTER:
            return _cut()
        case FaultKind.UNKNOWN_LAYOUT:
            return HTMLResponse(f"<html><body>{GARBAGE}</body></html>")
        case FaultKind.HTML:
            return HTMLResponse(_LOGIN)
        case FaultKind.HUGE:
            return StreamingResponse(_nothing(), media_type=response.media_type)
        case _:
            return _changed(response, kind, desk)


def _changed(response: Response, kind: FaultKind, desk: Desk) -> Response:
    """*response* with other text; one without what the fault spoils stays as it is."""
    text = bytes(response.body).decode()
    match kind:
        case FaultKind.TRUNCATED:
            text = text[: len(text) // 2]
        case FaultKind.NIL_NODE_NAME:
            names = "|".join(re.escape(each.name) for each in desk.cluster.scenario.nodes)
            nil = rf'<\1 xmlns:xsi="{_XSI}" xsi:nil="true"/>'
            text = re.sub(rf"<([\w:]+)>(?:{names})</\1>", nil, text)
        case FaultKind.MISSING_NO_CHANGE:
            text = re.sub(r"<([\w:]*NoChange)>\w*</\1>", "", text)
        case FaultKind.UNQUALIFIED_CHILDREN:
            text = _unqualified(text)
        case FaultKind.WRONG_BOOLEAN:
            text = re.sub(r">(true|false)<", lambda found: f">{found[1].title()}<", text)
        case _:  # answered before
            raise AssertionError(kind)
    return Response(text, response.status_code, media_type=response.media_type)


def _unqualified(text: str) -> str:
    """Without prefixes below ``…Response`` and ``…Return``, as a public sample has it."""
    found = re.search(r"<(\w+):\w+Response\b", text)
    if found is None:
        return text
    prefix = found[1]
    return re.sub(rf"<(/?){prefix}:(?!\w*(?:Response|Return)\b)", r"<\1", text)


async def _nothing() -> AsyncIterator[bytes]:
    for _ in range(HUGE_BYTES // len(_CHUNK)):
        yield _CHUNK
