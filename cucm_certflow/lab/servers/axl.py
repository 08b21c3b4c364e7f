"""AXL of one node: versions, SQL, lists and resets; faults as in Cisco's developer guide."""

from __future__ import annotations

import contextlib
import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from typing import Final
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from cucm_certflow.lab.scenario import FaultKind, Role
from cucm_certflow.lab.servers import axl_lists, bad_answers, soap
from cucm_certflow.lab.servers.access import guard, lacks
from cucm_certflow.lab.servers.axl_lists import BadRequest, Found, NoSuchItem
from cucm_certflow.lab.servers.certificate_table import (
    CertificateRow,
    is_about_certificates,
    rows_of,
)
from cucm_certflow.lab.servers.database import SqlError
from cucm_certflow.lab.servers.layouts import full_version
from cucm_certflow.lab.servers.vos_cli import Desk

__all__ = ["AxlService", "axl_versions"]

_NAMESPACE: Final = re.compile(r"\{http://www\.cisco\.com/AXL/API/(\d{1,2}\.\d)\}(\w+)")
_ACTION: Final = re.compile(r'"?CUCM:DB ver=(\d{1,2}\.\d)(?:\s+(\w+))?"?')
_VERSIONS: Final = (
    (8, 0), (8, 5), (9, 0), (9, 1), (10, 0), (10, 5),
    (11, 0), (11, 5), (12, 0), (12, 5), (14, 0), (15, 0),
)  # fmt: skip
"""The published schemas; there is no 13."""

_MAJORS_BACK: Final = 2
_ANY_VERSION: Final = "1.0"
_NOT_FOUND: Final = 5007
_XSI: Final = ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
_XSI_FROM: Final = (14, 0)
_READERS: Final = (Role.AXL, Role.AXL_READ_ONLY)
_WRITES: Final = ("add", "apply", "do", "remove", "reset", "restart", "update", "executeSQLUpdate")
_BOOLEANS: Final = ("t", "f", "true", "false", "0", "1")
_RESET_TYPES: Final = (
    "Reset",
    "Restart",
    "Apply Configuration",
    "Generate PRT",
    "Extended Config Pull",
)
_TOO_MUCH_AT_A_TIME: Final = (
    "Maximum AXL Memory Allocation Consumed. Please retry once requests in progress have completed"
)


def axl_versions(release: tuple[int, int]) -> tuple[str, ...]:
    """The schemas that a node of *release* takes, oldest first: its own major and two before."""
    known = [each for each in _VERSIONS if each <= release] or [release]
    majors = sorted({major for major, _ in known})[-1 - _MAJORS_BACK :]
    return tuple(f"{major}.{minor}" for major, minor in known if major in majors)


class AxlService:
    """AXL on *node*.

    Args:
        desk: The lab.
        node: On which node; any CUCM node answers here, though clients should ask the publisher.
    """

    def __init__(self, desk: Desk, node: str) -> None:
        self._desk = desk
        self._node = node
        self._versions = axl_versions(desk.cluster.layout.release)

    def routes(self) -> Sequence[BaseRoute]:
        """``/axl`` and ``/axl/``."""
        return (
            Route("/axl", self.bare, methods=["GET", "POST"]),
            Route("/axl/", self.probe, methods=["GET"]),
            Route("/axl/", self.post, methods=["POST"]),
        )

    async def bare(self, request: Request) -> Response:
        """``/axl``: clients that follow turn their POST into a GET."""

        async def redirect() -> Response:
            return RedirectResponse("/axl/", 302)

        return await bad_answers.answer(
            request, self._desk, self._node, "axl", redirect, lambda _: _fault(-1, "Refused", "axl")
        )

    async def probe(self, request: Request) -> Response:
        """``GET /axl/``: a page for people."""
        if (refusal := guard(request, self._desk, self._node, *_READERS)) is not None:
            return refusal
        return HTMLResponse(
            "<html><head><title>AXL</title></head><body><h1>Cisco CallManager: AXL Web Service"
            "</h1><p>The AXL Web Service is working and accepting requests. Use HTTP POST to send "
            "a request.</p></body></html>"
        )

    async def post(self, request: Request) -> Response:
        """One request."""
        if (refusal := guard(request, self._desk, self._node, *_READERS)) is not None:
            return refusal
        operation = await soap.read(request)
        if operation is None:
            return soap.fault("soapenv:Client", "Malformed SOAP request")
        version = self._version(operation, request.headers.get("SOAPAction", ""))
        if version is None:
            return self._wrong_version()
        name = soap.local_name(operation)
        if name.startswith(_WRITES) and (refusal := lacks(request, Role.AXL)) is not None:
            return refusal
        if name in ("doDeviceReset", "resetPhone"):
            return await self._reset(request, operation, version)

        async def act() -> Response:
            sql, rows = soap.text(operation, "sql"), None
            if is_about_certificates(sql):
                rows = await rows_of(self._desk.cluster, self._desk.papers, self._node)
            return self._answer(operation, name, version, rows)

        return await bad_answers.answer(
            request, self._desk, self._node, name, act, lambda kind: _refused(kind, name)
        )

    # ── versions ──────────────────────────────────────────────────────────────────────────

    def _version(self, operation: ET.Element, soap_action: str) -> str | None:
        """In which version to answer; None if header and namespace differ, or it is too old or new.

        A header that does not speak of a version counts as none: ours, no source says.
        """
        found = _NAMESPACE.fullmatch(operation.tag)
        action = _ACTION.fullmatch(soap_action.strip())
        if found is None or (action is not None and action[1] != found[1]):
            return None
        if found[1] == _ANY_VERSION and action is None:
            return self._versions[0]
        return found[1] if found[1] in self._versions else None

    def _wrong_version(self) -> Response:
        """In the words of a node of 15; that those of older ones differ in numbers only is ours."""
        *before, _ = dict.fromkeys(each.partition(".")[0] for each in self._versions)
        names = [f"{each}.0" if int(each) >= _XSI_FROM[0] else f"{each}.x" for each in before]
        words = f"{', '.join(names)} and {self._versions[-1]}" if names else self._versions[-1]
        return HTMLResponse(
            "<html><body><h1>HTTP Status 599</h1><p>Incorrect axl version. Supported axl versions "
            f"are {words}</p></body></html>",
            599,
        )

    # ── reading ───────────────────────────────────────────────────────────────────────────

    def _answer(
        self,
        operation: ET.Element,
        name: str,
        version: str,
        certificates: Sequence[CertificateRow] | None,
    ) -> Response:
        database = self._desk.database
        try:
            match name:
                case "getCCMVersion":
                    found = self._ccm_version(operation)
                case "executeSQLQuery":
                    found = self._sql(operation, certificates)
                case "getCallManagerGroup":
                    found = axl_lists.get_callmanager_group(database, operation)
                case _ if name in axl_lists.LISTINGS:
                    found = axl_lists.list_items(database, axl_lists.LISTINGS[name], operation)
                case _:
                    # What a real node says to an operation that there is not is not known.
                    return _fault(-1, f"The lab has no {name}", name)
        except SqlError as error:
            return _fault(error.number, error.words, name)
        except NoSuchItem as error:
            return _fault(_NOT_FOUND, _not_there(str(error)), name)
        except BadRequest as error:
            return soap.fault("soapenv:Client", str(error))
        limit = self._desk.limits.axl_answer_bytes
        if (size := len(found.text.encode())) > limit:
            words = (
                f"Query request too large. Total rows matched: {found.rows} rows. "
                f"Suggestive Row Fetch: less than {found.rows * limit // size} rows"
            )
            return _fault(-1, words, name)
        return self._said(name, version, found.text)

    def _ccm_version(self, operation: ET.Element) -> Found:
        """All nodes of the lab are of one version."""
        scenario = self._desk.cluster.scenario
        name = soap.text(operation, "processNodeName")
        known = {name for node in scenario.nodes for name in (node.name, node.address)}
        if name and name not in known:
            raise NoSuchItem(name)
        dotted, _, build = full_version(scenario.release).partition("-")
        said = f"{dotted}({build})" if build else dotted
        text = f"<componentVersion><version>{escape(said)}</version></componentVersion>"
        return Found(text, 1)

    def _sql(self, operation: ET.Element, certificates: Sequence[CertificateRow] | None) -> Found:
        sql = soap.text(operation, "sql")
        found = self._desk.database.select(sql, certificates=certificates)
        rows = "".join(
            "<row>"
            + "".join(
                f"<{name}/>" if value is None else f"<{name}>{escape(value)}</{name}>"
                for name, value in zip(found.names, row, strict=True)
            )
            + "</row>"
            for row in found.rows
        )
        return Found(rows, len(found.rows))

    def _said(self, name: str, version: str, returned: str) -> Response:
        """An answer; from 14 on its element declares xsi, though nothing here needs it."""
        within = f"<return>{returned}</return>" if returned else "<return/>"
        xsi = _XSI if self._desk.cluster.layout.release >= _XSI_FROM else ""
        return soap.xml(
            f'<ns:{name}Response xmlns:ns="http://www.cisco.com/AXL/API/{version}"{xsi}>{within}'
            f"</ns:{name}Response>"
        )

    # ── resetting ─────────────────────────────────────────────────────────────────────────

    async def _reset(self, request: Request, operation: ET.Element, version: str) -> Response:
        """``doDeviceReset``, which answers true, or ``resetPhone``, which answers a uuid."""
        cluster, name = self._desk.cluster, soap.local_name(operation)
        try:
            device, pkid = self._device(
                operation, "deviceName" if name.startswith("do") else "name"
            )
            if name == "doDeviceReset":
                self._check_reset(operation)
        except BadRequest as error:
            return soap.fault("soapenv:Client", str(error))
        except NoSuchItem as error:
            device, pkid = str(error), ""

        async def act() -> Response:
            try:
                cluster.reset_phone(device)
            except ValueError:
                return _fault(_NOT_FOUND, _not_there(device), name)
            await self._desk.clock.sleep(cluster.scenario.timing.reset_call_s)
            done = "true" if name == "doDeviceReset" else f"{{{pkid.upper()}}}"
            return self._said(name, version, done)

        def late() -> None:
            with contextlib.suppress(ValueError):  # there is none, and nobody is there to hear
                cluster.reset_phone(device)

        return await bad_answers.answer(
            request,
            self._desk,
            self._node,
            f"{name} {device}",
            act,
            lambda kind: _refused(kind, name),
            late=late,
        )

    def _device(self, operation: ET.Element, tag: str) -> tuple[str, str]:
        """Name and pkid of the device that *tag*, its attribute, or ``uuid`` names."""
        element = soap.child(operation, tag)
        name = soap.text(element)
        key = "" if element is None else element.get("uuid", "")
        key = (key or soap.text(operation, "uuid")).strip("{}").lower()
        if not name and not key:
            message = f"{tag} is needed"
            raise BadRequest(message)
        rows = self._desk.database.rows(
            "select name, pkid from device where name = ? or pkid = ?", name, key
        )
        if not rows:
            raise NoSuchItem(name or key)
        ((found, pkid),) = rows
        return found or "", pkid or ""

    def _check_reset(self, operation: ET.Element) -> None:
        """The rest of doDeviceReset, as the schema has it.

        Raises:
            BadRequest: It is not so. What a real node makes of that is not known.
        """
        hard, kind = soap.text(operation, "isHardReset"), soap.text(operation, "deviceResetType")
        if bool(hard) == bool(kind):
            message = "either isHardReset or deviceResetType is needed"
            raise BadRequest(message)
        if kind and kind not in _RESET_TYPES:
            message = f"deviceResetType: {kind[:40]} is not one of {', '.join(_RESET_TYPES)}"
            raise BadRequest(message)
        takes_python = self._desk.cluster.scenario.variant.axl_takes_python_booleans
        for value in (hard, operation.get("isMGCP", "")):
            plain = value.lower() if takes_python else value
            if value and plain not in _BOOLEANS:
                message = f"{value[:40]} is not facet-valid with respect to pattern boolean"
                raise BadRequest(message)


def _not_there(name: str) -> str:
    return f"Item not valid: The specified {name} was not found"


def _refused(kind: FaultKind, operation: str) -> Response:
    if kind is FaultKind.OUT_OF_MEMORY:
        return _fault(-1, _TOO_MUCH_AT_A_TIME, operation)
    return _fault(-1, "The command was refused by a fault", operation)


def _fault(number: int, words: str, operation: str) -> Response:
    return soap.fault(
        "soapenv:Server",
        words,
        f"<axlError><axlcode>{number}</axlcode><axlmessage>{escape(words)}</axlmessage>"
        f"<request>{escape(operation)}</request></axlError>",
    )
