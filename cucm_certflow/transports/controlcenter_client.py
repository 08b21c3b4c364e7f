"""Speaking to the Control Center of one node: statuses, commands and lists of services."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from cucm_certflow.errors import NodeFault, NotServed, Report, UnknownLayout
from cucm_certflow.inventory import NodeEntry
from cucm_certflow.names import Interface
from cucm_certflow.transports.access import Access
from cucm_certflow.transports.controlcenter_answers import (
    ControlResult,
    ExtendedServiceList,
    ProductInformation,
    ServiceStatusRecord,
    StaticService,
    read_control,
    read_extended,
    read_files,
    read_products,
    read_static,
    read_status,
)
from cucm_certflow.transports.http import HttpChannel, Login
from cucm_certflow.transports.reason_codes import reason_words
from cucm_certflow.transports.serviceability import add, request
from cucm_certflow.transports.soap import SoapChannel, SoapFault

__all__ = ["ControlAction", "ControlCenterClient", "DependencyType"]

_PATH: Final = "/controlcenterservice2/services/ControlCenterServices"
_OLD_PATH: Final = "/controlcenterservice/services/ControlCenterServicesPort"
_EX_PATH: Final = "/controlcenterservice2/services/ControlCenterServicesEx"

# Cisco names Super Users, or Server Monitoring for reading; that Ex wants Standard Admin one public
# client says.
_READ: Final = "Standard CCM Server Monitoring"
_CONTROL: Final = "Standard CCM Super Users"
_EXTENDED: Final = "Standard Admin"

_BATCH: Final = 64
"""Names in one question, as a public monitoring template asks."""


class ControlAction(StrEnum):
    """What can be done with a service."""

    START = "Start"
    STOP = "Stop"
    RESTART = "Restart"


class DependencyType(StrEnum):
    """Whether the Ex interface heeds what depends on a service.

    The schema takes any text; these two are in Cisco's documentation.
    """

    NONE = "None"
    ENFORCE = "Enforce"


class ControlCenterClient:
    """Speaks to the Control Center of one node, about the services of this node alone.

    Releases up to 9 have it under an older path, which is tried where the newer one is not there
    (404 in spite of a fresh login); the one that answered is kept. That the old one takes the same
    message is an assumption: a public scanner sends it this namespace, others its own encoding. An
    answer that speaks in references is not read.

    Args:
        node: Its name is that of its pins, and its NodeName.
        access: What the clients of the cluster share.
    """

    def __init__(self, node: NodeEntry, access: Access) -> None:
        self._node = node
        self._access = access
        self._channels: dict[str, SoapChannel] = {}
        self._login = Login(access.inventory.application, access.breaker)
        self._path = ""
        """The one that has answered."""

    async def aclose(self) -> None:
        """Let go of connections; idempotent."""
        for channel in self._channels.values():
            await channel.aclose()

    async def status(self, names: Sequence[str] = ()) -> Mapping[str, ServiceStatusRecord]:
        """How the services called *names* are, or all of them; by the name that the node gives.

        A service that the node does not mention is missing. Asked in batches of 64.

        Raises:
            NodeError: As :meth:`SoapChannel.call <cucm_certflow.transports.soap.SoapChannel.call>`;
                a NodeFault also if the node says that it failed.
            ValueError: A name is empty. Nothing was sent.
        """
        unique = list(dict.fromkeys(names))
        if not all(unique):
            message = "expected names of services, saw an empty one, which would mean all"
            raise ValueError(message)
        found: dict[str, ServiceStatusRecord] = {}
        for start in range(0, len(unique) or 1, _BATCH):
            found |= await self._status(unique[start : start + _BATCH])
        return MappingProxyType(found)

    async def control(
        self, action: ControlAction, services: Sequence[str], *, node_name: str | None = None
    ) -> ControlResult:
        """Start, stop or restart *services*. Sent once.

        A return says how they are at this moment, not that it was done.

        Args:
            action: What to do.
            services: One or more.
            node_name: NodeName, where the database calls the node otherwise than the inventory.

        Raises:
            NodeError: NotSent, RateLimited and NodeFault mean that it was not done; after
                NodeUnreachable or UnknownLayout it may have been.
            ValueError: There is no service, or one without a name. Nothing was sent.
        """
        operation = "soapDoControlServices"
        body = request(operation)
        inner = add(body, "ControlServiceRequest")
        add(inner, "NodeName", self._node.name if node_name is None else node_name)
        add(inner, "ControlType", action.value)
        _list_services(inner, services)
        did = f"{action.value} {', '.join(services)}"
        answer = await self._call(body, operation, did, _CONTROL)
        with self._login.redacting():
            return read_control(answer, operation, self._where)

    async def control_extended(
        self,
        action: ControlAction,
        services: Sequence[str],
        *,
        product_id: str,
        dependency: DependencyType = DependencyType.NONE,
    ) -> ControlResult:
        """As :meth:`control`, over the Ex interface.

        Args:
            action: What to do.
            services: One or more, of one product.
            product_id: As :meth:`products` gives it.
            dependency: Whether what depends on them is heeded.
        """
        operation = "soapDoControlServicesEx"
        body = request(operation)
        inner = add(body, "ControlServiceRequestEx")
        add(inner, "ProductId", product_id)
        add(inner, "DependencyType", dependency.value)
        add(inner, "ControlType", action.value)
        _list_services(inner, services)
        did = f"{action.value} {', '.join(services)}"
        answer = await self._channel(_EX_PATH).call(operation, body, did=did, role=_EXTENDED)
        with self._login.redacting():
            return read_control(answer, operation, self._where)

    async def static_services(self) -> tuple[StaticService, ...]:
        """The services that this node has (``soapGetStaticServiceList``); NodeError otherwise."""
        operation = "soapGetStaticServiceList"
        body = request(operation)
        add(body, "ServiceInformationResponse")  # so it is called, in the request
        with self._login.redacting():
            return read_static(await self._call(body, operation, operation, _READ), self._where)

    async def products(self) -> ProductInformation:
        """What is installed here (``getProductInformationList``); NodeError otherwise.

        Cisco asks for it to be called once per node.
        """
        operation = "getProductInformationList"
        body = request(operation)
        add(body, "ServiceInfo")
        with self._login.redacting():
            return read_products(await self._call(body, operation, operation, _READ), self._where)

    async def static_services_extended(self) -> ExtendedServiceList:
        """The services of this node, and what may not be done with them; NodeError otherwise.

        Over the Ex interface (``getStaticServiceListExtended``).
        """
        operation = "getStaticServiceListExtended"
        body = request(operation)
        add(body, "ServiceInformationResponse")
        answer = await self._channel(_EX_PATH).call(operation, body, role=_EXTENDED)
        with self._login.redacting():
            return read_extended(answer, self._where)

    async def file_directory_list(self, path: str) -> tuple[str, ...]:
        """The files under *path* on this node, over the Ex interface; NodeError otherwise."""
        operation = "getFileDirectoryList"
        body = request(operation)
        add(body, "DirectoryPath", path)
        answer = await self._channel(_EX_PATH).call(operation, body, role=_EXTENDED)
        with self._login.redacting():
            return read_files(answer, self._where)

    # ── asking ────────────────────────────────────────────────────────────────────────────

    @property
    def _where(self) -> str:
        return f"{self._node.name} ({Interface.CONTROL_CENTER})"

    async def _status(self, names: Sequence[str]) -> Mapping[str, ServiceStatusRecord]:
        operation = "soapGetServiceStatus"
        body = request(operation)
        for name in names or ("",):
            add(body, "ServiceStatus", name)
        answer = await self._call(body, operation, operation, _READ)
        with self._login.redacting():
            result = read_status(answer, self._where)
        if result.return_code not in {"0", ""}:
            words = reason_words(result.reason_code, result.reason)
            saw = f"ReturnCode {result.return_code[:20]} {words}".strip()
            raise NodeFault(Report(headline=f"{self._where} did not say how services are", saw=saw))
        if not result.services and not (names and result.return_code):
            raise UnknownLayout(
                Report(
                    headline=f"{self._where} answered in a form that we cannot read",
                    expected="ServiceInfoList with services",
                    saw="no service at all",
                )
            )
        return result.services

    def _channel(self, path: str) -> SoapChannel:
        if path not in self._channels:
            http = HttpChannel(
                self._node,
                path,
                self._login,
                access=self._access,
                interface=Interface.CONTROL_CENTER,
                role=_READ,
            )
            self._channels[path] = SoapChannel(http)
        return self._channels[path]

    async def _call(self, body: ET.Element, operation: str, did: str, role: str) -> ET.Element:
        if self._path:
            return await self._channel(self._path).call(operation, body, did=did, role=role)
        try:
            return await self._first_call(_PATH, body, operation, did, role)
        except NodeFault as error:
            if not isinstance(error, NotServed):
                raise
            newer = error
        try:
            return await self._first_call(_OLD_PATH, body, operation, did, role)
        except NodeFault as error:
            if isinstance(error, NotServed):
                raise newer from error
            raise

    async def _first_call(
        self, path: str, body: ET.Element, operation: str, did: str, role: str
    ) -> ET.Element:
        try:
            answer = await self._channel(path).call(operation, body, did=did, role=role)
        except SoapFault:
            self._path = path
            raise
        self._path = path
        return answer


def _list_services(parent: ET.Element, services: Sequence[str]) -> None:
    if not services or not all(services):
        message = f"expected one service or more, each with a name, saw {list(services)!r}"
        raise ValueError(message)
    array = add(parent, "ServiceList")
    for service in services:
        add(array, "item", service)
