"""Control Center of one node: what its services are and how they stand; start, stop and restart."""

from __future__ import annotations

import contextlib
import xml.etree.ElementTree as ET
from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import Enum
from functools import partial
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from cucm_certflow.facts import ServiceStatus
from cucm_certflow.lab.scenario import Role
from cucm_certflow.lab.servers import bad_answers, soap
from cucm_certflow.lab.servers.access import guard, lacks
from cucm_certflow.lab.servers.layouts import full_version
from cucm_certflow.lab.servers.service_catalogue import (
    REASONS,
    Listed,
    Reason,
    Restrict,
    Standing,
    followed,
    listed,
    standing,
)
from cucm_certflow.lab.servers.serviceability import Wrong, answer, element, fields, texts
from cucm_certflow.lab.servers.vos_cli import UNSUCCESSFUL, Desk
from cucm_certflow.names import Product

__all__ = ["ControlCenterExService", "ControlCenterService"]

_PATH: Final = "/controlcenterservice2/services/ControlCenterServices"
_OLD_PATH: Final = "/controlcenterservice/services/ControlCenterServicesPort"
_OLD_UP_TO: Final = (9, 1)
_READERS: Final = (Role.SERVER_MONITORING, Role.SUPER_USERS)
_WRITERS: Final = (Role.SUPER_USERS,)
_PRODUCTS: Final = {Product.CALLMANAGER: "CallManager", Product.IM_PRESENCE: "CUP"}
_SYSTEM: Final = "System"
_NEVER: Final = -1
_FAILED: Final = 1
"""ReturnCode if a service was refused; that it is this number is the lab's invention."""

_FILES: Final[Mapping[str, tuple[str, ...]]] = {
    "/var/log/active/platform/cert": ("certm.log",),
}
"""The lab's directories: its invention, as hardly anybody has published what is asked for here."""


class _Control(Enum):
    START = "Start"
    STOP = "Stop"
    RESTART = "Restart"


_Operation = Callable[[ET.Element], Awaitable[Response]]


class _Service:
    """What both services of Control Center have in common."""

    def __init__(self, desk: Desk, node: str) -> None:
        self._desk = desk
        self._node = node

    async def _post(
        self,
        request: Request,
        operations: Mapping[str, Callable[[ET.Element], Response]],
        changes: Mapping[str, tuple[str, str]],
    ) -> Response:
        """One request.

        Args:
            request: It.
            operations: What answers each operation.
            changes: The operations that change something: their wrapper, and the name in it of
                what is to be done.
        """
        if (refusal := guard(request, self._desk, self._node, *_READERS)) is not None:
            return refusal
        operation = await soap.read(request)
        name = "" if operation is None else soap.local_name(operation)
        if operation is None or name not in operations:
            return soap.fault("soapenv:Client", f"The lab has no operation {name or '(none)'}")
        is_change = name in changes
        if is_change and (refusal := lacks(request, *_WRITERS)) is not None:
            return refusal
        text, make = name, partial(operations[name], operation)
        if is_change:
            wrapper, kind = changes[name]
            services = soap.child(operation, wrapper, "ServiceList")
            names = "" if services is None else ", ".join(soap.text(each) for each in services)
            text = f"{name} {soap.text(operation, wrapper, kind)} {names}"

        async def act() -> Response:
            await self._desk.clock.sleep(self._desk.cluster.scenario.timing.look_s)
            try:
                return make()
            except Wrong as error:
                return soap.fault("soapenv:Client", str(error))

        def late() -> None:
            with contextlib.suppress(Wrong):  # refused, and nobody is there to hear
                make()

        return await bad_answers.answer(
            request,
            self._desk,
            self._node,
            text,
            act,
            lambda _: soap.fault("soapenv:Server", UNSUCCESSFUL),
            late=late if is_change else None,
        )

    # ── how services stand ────────────────────────────────────────────────────────────────

    def _standing(self, entry: Listed) -> Standing:
        return standing(self._desk.cluster, self._node, entry)

    def _listed(self) -> tuple[Listed, ...]:
        return listed(self._desk.cluster, self._node)

    def _information(self, entry: Listed, refused: Reason | None = None) -> str:
        """One service; instants are UTC, the time zone of the lab's nodes."""
        now = self._standing(entry)
        reason = now.reason if refused is None else refused
        started_at, uptime_s = "", _NEVER
        if now.started_at is not None:
            # As ctime prints it (Cisco's XML Developers Guides).
            started_at = now.started_at.replace(microsecond=0).ctime()
            uptime_s = int((self._desk.clock.now() - now.started_at).total_seconds())
        return _item(
            element("ServiceName", entry.name),
            element("ServiceStatus", now.status.value.title()),
            element("ReasonCode", int(reason)),
            element("ReasonCodeString", REASONS[reason]),
            element("StartTime", started_at),
            element("UpTime", uptime_s),
        )

    def _unknown(self, name: str) -> str:
        return _item(
            element("ServiceName", name),
            element("ServiceStatus", "Unknown"),
            element("ReasonCode", int(Reason.NO_SUCH_SERVICE)),
            element("ReasonCodeString", REASONS[Reason.NO_SUCH_SERVICE]),
            element("StartTime", ""),
            element("UpTime", _NEVER),
        )

    # ── changing ──────────────────────────────────────────────────────────────────────────

    def _control(self, operation: str, kind: str, services: ET.Element) -> Response:
        """Start, stop or restart; answers how each service stands now, and whether it was told.

        Services are told one after the other, and one that is refused does not keep the others
        from it: the lab's invention.
        """
        try:
            control = _Control(kind)
        except ValueError:
            message = f"expected Start, Stop or Restart as ControlType, saw {kind:.40}"
            raise Wrong(message) from None
        return self._each(operation, services, lambda entry: self._tell(entry, control))

    def _each(
        self, operation: str, services: ET.Element, tell: Callable[[Listed], Reason | None]
    ) -> Response:
        names = texts(services, "item")
        if not names or not all(names):
            message = "expected the name of one service or more in ServiceList"
            raise Wrong(message)
        known = {entry.name: entry for entry in self._listed()}
        items: list[str] = []
        first: Reason | None = None
        for name in names:
            entry = known.get(name)
            refused = Reason.NO_SUCH_SERVICE if entry is None else tell(entry)
            first = first or refused
            items.append(
                self._unknown(name) if entry is None else self._information(entry, refused)
            )
        return answer(operation, _information_response(operation, items, first))

    def _tell(self, entry: Listed, control: _Control) -> Reason | None:
        """Have the cluster begin; the reason why it does not, or None."""
        now = self._standing(entry)
        service = followed(self._desk.cluster, self._node, entry)
        if entry.is_platform:
            return Reason.RESERVED_FOR_PLATFORM
        if now.reason is Reason.NOT_ACTIVATED:
            return Reason.NOT_ACTIVATED
        if service is None:
            return Reason.NOT_IMPLEMENTED  # the lab has but its name
        if control is _Control.STOP and entry.restrict is Restrict.DO_NOT_STOP:
            return Reason.NOT_ALLOWED
        if now.status in (ServiceStatus.STARTING, ServiceStatus.STOPPING):
            return Reason.PENDING
        is_restarting = now.reason is Reason.NOT_RUNNING
        if is_restarting:
            return Reason.PENDING
        if control is _Control.START and now.status is ServiceStatus.STARTED:
            return Reason.ALREADY_STARTED
        if control is _Control.STOP and now.status is ServiceStatus.STOPPED:
            return Reason.ALREADY_STOPPED
        cluster = self._desk.cluster
        match control:
            case _Control.START:
                cluster.begin_start(self._node, service)
            case _Control.STOP:
                cluster.begin_stop(self._node, service)
            case _Control.RESTART:
                cluster.begin_restart(self._node, service)
        return None

    def _deploy(self, operation: str, kind: str, services: ET.Element) -> Response:
        """Refused: what is activated is part of a scenario, and does not change in the lab."""
        if kind not in ("Deploy", "UnDeploy"):
            message = f"expected Deploy or UnDeploy as DeployType, saw {kind:.40}"
            raise Wrong(message)
        return self._each(operation, services, lambda _: Reason.NOT_IMPLEMENTED)

    def _check_node(self, name: str) -> None:
        """Only the node that is asked can be commanded; the words of the refusal are ours."""
        spec = self._desk.cluster.scenario.node(self._node)
        fqdn = f"{self._node}.{self._desk.cluster.scenario.domain}"
        own = {each.casefold() for each in ("", self._node, fqdn, spec.address)}
        if name.casefold() not in own:
            message = f"NodeName {name:.60} is not this node: ask that one"
            raise Wrong(message)

    def _product_of(self, entry: Listed) -> str:
        if not entry.deployable:
            return _SYSTEM
        return _PRODUCTS[self._desk.cluster.scenario.node(self._node).product]

    def _is_primary(self) -> bool:
        return self._node == self._desk.cluster.layout.publisher


class ControlCenterService(_Service):
    """ControlCenterServices on *node*, about that node alone.

    Up to 9.1 it is served under its old path, too; up to which release real nodes do so is not
    known.

    Args:
        desk: The lab.
        node: On which node.
    """

    def routes(self) -> Sequence[BaseRoute]:
        """Where it is reached."""
        paths = [_PATH]
        if self._desk.cluster.layout.release <= _OLD_UP_TO:
            paths.append(_OLD_PATH)
        return tuple(Route(path, self.post, methods=["POST"]) for path in paths)

    async def post(self, request: Request) -> Response:
        """One request."""
        return await self._post(
            request,
            {
                "soapGetServiceStatus": self._status,
                "soapDoControlServices": self._do_control,
                "soapDoServiceDeployment": self._do_deploy,
                "soapGetStaticServiceList": self._static,
                "getProductInformationList": self._products,
            },
            {
                "soapDoControlServices": ("ControlServiceRequest", "ControlType"),
                "soapDoServiceDeployment": ("DeploymentServiceRequest", "DeployType"),
            },
        )

    def _status(self, operation: ET.Element) -> Response:
        names = texts(operation, "ServiceStatus")
        if not names:
            message = "expected ServiceStatus in soapGetServiceStatus, saw nothing"
            raise Wrong(message)
        entries = self._listed()
        if names == ("",):
            items = [self._information(entry) for entry in entries]
        else:
            known = {entry.name: entry for entry in entries}
            items = [
                self._information(known[name]) if name in known else self._unknown(name)
                for name in names
            ]
        name = "soapGetServiceStatus"
        return answer(name, _information_response(name, items, None))

    def _do_control(self, operation: ET.Element) -> Response:
        (wrapper,) = fields(operation, "ControlServiceRequest")
        node, kind, services = fields(wrapper, "NodeName", "ControlType", "ServiceList")
        self._check_node(soap.text(node))
        return self._control("soapDoControlServices", soap.text(kind), services)

    def _do_deploy(self, operation: ET.Element) -> Response:
        (wrapper,) = fields(operation, "DeploymentServiceRequest")
        node, kind, services = fields(wrapper, "NodeName", "DeployType", "ServiceList")
        self._check_node(soap.text(node))
        return self._deploy("soapDoServiceDeployment", soap.text(kind), services)

    def _static(self, operation: ET.Element) -> Response:
        fields(operation, "ServiceInformationResponse")
        items = [
            _item(
                element("ServiceName", entry.name),
                element("ServiceType", "Service"),
                element("Deployable", entry.deployable),
                element("GroupName", entry.group),
                element("DependentServices", ()),
            )
            for entry in self._listed()
        ]
        returned = element("soapGetStaticServiceListReturn", [element("Services", items)])
        return answer("soapGetStaticServiceList", returned)

    def _products(self, operation: ET.Element) -> Response:
        """Names and descriptions of products are the lab's invention.

        So is that the two nodes are the first two of the cluster, by name.
        """
        fields(operation, "ServiceInfo")
        scenario = self._desk.cluster.scenario
        version = full_version(scenario.release)
        names = [each.name for each in scenario.nodes if each.product is Product.CALLMANAGER]
        product = _PRODUCTS[scenario.node(self._node).product]
        products = [
            _item(
                element("ProductName", name),
                element("ProductVersion", version),
                element("ProductDescription", name),
                element("ProductID", identity),
                element("ShortName", short),
            )
            for name, identity, short in (
                ("Cisco Unified Communications Manager", product, "CUCM")
                if product == _PRODUCTS[Product.CALLMANAGER]
                else ("Cisco Unified IM and Presence", product, "IM&P"),
                ("Common Services", _SYSTEM, "SYS"),
            )
        ]
        services = [
            _item(
                element("ServiceName", entry.name),
                element("ServiceType", "Service"),
                element("Deployable", entry.deployable),
                element("GroupName", entry.group),
                element("ProductID", self._product_of(entry)),
                element("DependentServices", ()),
            )
            for entry in self._listed()
        ]
        returned = element(
            "getProductInformationListReturn",
            [
                element("ActiveServerVersion", version),
                element("PrimaryNode", names[0]),
                element("SecondaryNode", names[1] if len(names) > 1 else ""),
                element("Products", products),
                element("Services", services),
            ],
        )
        return answer("getProductInformationList", returned)


class ControlCenterExService(_Service):
    """ControlCenterServicesEx on *node*, about that node alone.

    Args:
        desk: The lab.
        node: On which node.
    """

    def routes(self) -> Sequence[BaseRoute]:
        """Where it is reached."""
        return (Route(f"{_PATH}Ex", self.post, methods=["POST"]),)

    async def post(self, request: Request) -> Response:
        """One request."""
        return await self._post(
            request,
            {
                "soapDoControlServicesEx": self._do_control,
                "soapDoServiceDeploymentNoDbUpdate": self._do_deploy,
                "getStaticServiceListExtended": self._static,
                "getFileDirectoryList": self._files,
            },
            {
                "soapDoControlServicesEx": ("ControlServiceRequestEx", "ControlType"),
                "soapDoServiceDeploymentNoDbUpdate": ("DeploymentServiceRequestEx", "DeployType"),
            },
        )

    def _do_control(self, operation: ET.Element) -> Response:
        """ProductId and DependencyType make no difference: no service of the lab needs another."""
        (wrapper,) = fields(operation, "ControlServiceRequestEx")
        names = ("ProductId", "DependencyType", "ControlType", "ServiceList")
        _, _, kind, services = fields(wrapper, *names)
        return self._control("soapDoControlServicesEx", soap.text(kind), services)

    def _do_deploy(self, operation: ET.Element) -> Response:
        (wrapper,) = fields(operation, "DeploymentServiceRequestEx")
        _, kind, services = fields(wrapper, "ProductId", "DeployType", "ServiceList")
        return self._deploy("soapDoServiceDeploymentNoDbUpdate", soap.text(kind), services)

    def _static(self, operation: ET.Element) -> Response:
        fields(operation, "ServiceInformationResponse")
        items = [
            _item(
                element("ServiceName", entry.name),
                element("DependentServices", ()),
                element("ProductID", self._product_of(entry)),
                element("ServiceType", "Service"),
                element("RestrictServer", "no" if entry.restrict is Restrict.NONE else "yes"),
                element("Restrict", entry.restrict.value),
                element("SetDefault", "no"),
                element("SequenceNumber", str(number)),
                element("ServiceEnum", str(number)),
                element("GroupName", entry.group),
                element("Deployable", entry.deployable),
            )
            for number, entry in enumerate(self._listed(), 1)
        ]
        returned = element(
            "getStaticServiceListExtendedReturn",
            [
                element("PrimaryNode", self._is_primary()),
                element("SecondaryNode", not self._is_primary()),
                element("Services", items),
            ],
        )
        return answer("getStaticServiceListExtended", returned)

    def _files(self, operation: ET.Element) -> Response:
        (path,) = fields(operation, "DirectoryPath")
        found = _FILES.get(soap.text(path).rstrip("/"), ())
        listing = element("ListOfFiles", [element("File", name) for name in found])
        return answer("getFileDirectoryList", listing)


def _item(*within: str) -> str:
    return element("item", within)


def _information_response(operation: str, items: Sequence[str], refused: Reason | None) -> str:
    """How services are, in the order that the description demands."""
    reason = refused or Reason.NONE
    return element(
        f"{operation}Return",
        [
            element("ReturnCode", 0 if refused is None else _FAILED),
            element("ReasonCode", int(reason)),
            element("ReasonString", REASONS[reason]),
            element("ServiceInfoList", items),
        ],
    )
