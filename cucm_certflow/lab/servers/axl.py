"""AXL of one node: SQL, resets and the version; faults as in Cisco's developer guide."""

from __future__ import annotations

import contextlib
import re
import xml.etree.ElementTree as ET
from typing import Final
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from cucm_certflow.lab.scenario import FaultKind
from cucm_certflow.lab.servers import soap
from cucm_certflow.lab.servers.database import SqlError
from cucm_certflow.lab.servers.layouts import full_version
from cucm_certflow.lab.servers.vos_cli import GARBAGE, Desk

__all__ = ["AxlService"]

_NAMESPACE: Final = re.compile(r"\{http://www\.cisco\.com/AXL/API/(\d{1,2}\.\d)\}(\w+)")
_ACTION: Final = re.compile(r'"?CUCM:DB ver=(\d{1,2}\.\d)(?:\s+(\w+))?"?')
_MAJORS: Final = (8, 9, 10, 11, 12, 14, 15)  # there is no 13
_MAJORS_BACK: Final = 2
_NOT_FOUND: Final = 5007


class AxlService:
    """AXL on *node*.

    Args:
        desk: The lab.
        node: On which node; any CUCM node answers here, though clients should ask the publisher.
    """

    def __init__(self, desk: Desk, node: str) -> None:
        self._desk = desk
        self._node = node
        self._account = desk.cluster.scenario.accounts.application

    async def bare(self, _: Request) -> Response:
        """``/axl``: clients that follow turn their POST into a GET."""
        return RedirectResponse("/axl/", 302)

    async def probe(self, request: Request) -> Response:
        """``GET /axl/``: a page for people."""
        if not soap.is_let_in(request, self._account):
            return soap.unauthorized()
        return HTMLResponse(
            "<html><head><title>AXL</title></head><body><h1>Cisco CallManager: AXL Web Service"
            "</h1><p>The AXL Web Service is working and accepting requests. Use HTTP POST to send "
            "a request.</p></body></html>"
        )

    async def post(self, request: Request) -> Response:
        """One request."""
        if not soap.is_let_in(request, self._account):
            return soap.unauthorized()
        operation = await soap.read(request)
        if operation is None:
            return soap.fault("soapenv:Client", "Malformed SOAP request")
        found = _NAMESPACE.fullmatch(operation.tag)
        action = _ACTION.fullmatch(request.headers.get("SOAPAction", "").strip())
        version = found[1] if found else ""
        if found is None or (action is not None and action[1] != version):
            return self._wrong_version()
        if version.partition(".")[0] not in self._supported():
            return self._wrong_version()
        match found[2]:
            case "executeSQLQuery":
                return self._sql(operation, version)
            case "doDeviceReset":
                return await self._reset(operation, version)
            case "getCCMVersion":
                whole = full_version(self._desk.cluster.scenario.release)
                dotted, _, build = whole.partition("-")
                said = f"{dotted}({build})" if build else dotted
                return _answer(
                    "getCCMVersion",
                    version,
                    f"<componentVersion><version>{escape(said)}</version></componentVersion>",
                )
            case other:
                return _fault(-1, f"The lab has no {other}", other)

    def _supported(self) -> tuple[str, ...]:
        major = self._desk.cluster.layout.release[0]
        known = [each for each in _MAJORS if each <= major] or [major]
        return tuple(str(each) for each in known[-1 - _MAJORS_BACK :])

    def _wrong_version(self) -> Response:
        majors = self._supported()
        words = ", ".join(f"{each}.x" for each in majors[:-1]) + f" and {majors[-1]}.0"
        return HTMLResponse(
            "<html><body><h1>HTTP Status 599</h1><p>Incorrect axl version. Supported axl versions "
            f"are {words}</p></body></html>",
            599,
        )

    def _sql(self, operation: ET.Element, version: str) -> Response:
        try:
            found = self._desk.database.select(soap.text(operation, "sql"))
        except SqlError as error:
            return _fault(error.number, error.words, "executeSQLQuery")
        rows = "".join(
            "<row>"
            + "".join(
                f"<{name}/>" if value is None else f"<{name}>{escape(value)}</{name}>"
                for name, value in zip(found.names, row, strict=True)
            )
            + "</row>"
            for row in found.rows
        )
        return _answer("executeSQLQuery", version, rows)

    async def _reset(self, operation: ET.Element, version: str) -> Response:
        cluster = self._desk.cluster
        name = soap.text(operation, "deviceName")
        fault = cluster.faults.strike(self._node, f"doDeviceReset {name}")
        if fault is not None:
            match fault.kind:
                case FaultKind.REFUSED:
                    return _fault(-1, "The command was refused by a fault", "doDeviceReset")
                case FaultKind.LOST_COMMAND:
                    return Response(status_code=soap.NO_ANSWER)
                case FaultKind.LATE:

                    def come() -> None:
                        with contextlib.suppress(ValueError):
                            cluster.reset_phone(name)

                    cluster.later(fault.late_s, come)
                    return Response(status_code=soap.NO_ANSWER)
                case FaultKind.LOST_REPLY | FaultKind.UNKNOWN_LAYOUT:
                    pass
        try:
            cluster.reset_phone(name)
        except ValueError:
            words = f"Item not valid: The specified {name} was not found"
            return _fault(_NOT_FOUND, words, "doDeviceReset")
        await self._desk.clock.sleep(cluster.scenario.timing.reset_call_s)
        if fault is not None and fault.kind is FaultKind.LOST_REPLY:
            return Response(status_code=soap.NO_ANSWER)
        if fault is not None:
            return HTMLResponse(f"<html><body>{GARBAGE}</body></html>")
        return _answer("doDeviceReset", version, "true")


def _answer(operation: str, version: str, returned: str) -> Response:
    within = f"<return>{returned}</return>" if returned else "<return/>"
    return soap.xml(
        f'<ns:{operation}Response xmlns:ns="http://www.cisco.com/AXL/API/{version}">{within}'
        f"</ns:{operation}Response>"
    )


def _fault(number: int, words: str, operation: str) -> Response:
    return soap.fault(
        "soapenv:Server",
        words,
        f"<axlError><axlcode>{number}</axlcode><axlmessage>{escape(words)}</axlmessage>"
        f"<request>{escape(operation)}</request></axlError>",
    )
