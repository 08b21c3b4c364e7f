"""The web application of one node: its services, as Tomcat serves them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from cucm_certflow.lab.servers.access import SessionCookies
from cucm_certflow.lab.servers.axl import AxlService, axl_versions
from cucm_certflow.lab.servers.controlcenter import ControlCenterExService, ControlCenterService
from cucm_certflow.lab.servers.perfmon import PerfmonService
from cucm_certflow.lab.servers.platform_rest import PlatformRest
from cucm_certflow.lab.servers.ris import RIS_PATH, RisService
from cucm_certflow.lab.servers.vos_cli import Desk
from cucm_certflow.lab.servers.wsdl_files import is_for_wsdl, wsdl_response
from cucm_certflow.names import Product

__all__ = ["WebService", "web_app"]


class WebService(Protocol):
    """One service of one node; each lets in whom :func:`~.access.guard` lets in."""

    def routes(self) -> Sequence[BaseRoute]:
        """Where it is reached on port 8443."""
        ...


class _Offer(NamedTuple):
    make: Callable[[Desk, str], WebService]
    products: tuple[Product, ...]


_EVERYWHERE: Final = tuple(Product)
_OFFERS: Final = (
    _Offer(AxlService, (Product.CALLMANAGER,)),
    _Offer(RisService, (Product.CALLMANAGER,)),
    _Offer(PerfmonService, (Product.CALLMANAGER,)),
    _Offer(ControlCenterService, _EVERYWHERE),
    _Offer(ControlCenterExService, _EVERYWHERE),
    _Offer(PlatformRest, _EVERYWHERE),
)
_DESCRIPTIONS: Final = {
    "/axl/": "AXLAPI",
    "/controlcenterservice2/services/ControlCenterServices": "ControlCenterServices",
    "/controlcenterservice2/services/ControlCenterServicesEx": "ControlCenterServicesEx",
    "/perfmonservice2/services/PerfmonService": "PerfmonService",
    RIS_PATH: "RISService70",
}
"""What ``?wsdl`` shows, by path; where the node has no such service, there is nothing to show."""


def web_app(desk: Desk, node: str) -> Starlette:
    """The application of *node*; an IM and Presence node has Control Center and REST only.

    Args:
        desk: The lab.
        node: Whose it is.
    """
    product = desk.cluster.scenario.node(node).product
    services = [offer.make(desk, node) for offer in _OFFERS if product in offer.products]
    routes = [route for service in services for route in service.routes()]
    # A client that is used against real nodes ends PerfMon's path with a slash; that its neighbours
    # take one as well is the lab's invention. AXL's own slash matters, and stays as it is.
    routes += [
        Route(f"{route.path}/", route.endpoint, methods=route.methods)
        for route in routes
        if isinstance(route, Route) and "/services/" in route.path
    ]
    paths = {route.path for route in routes if isinstance(route, Route)}
    shown = {path: name for path, name in _DESCRIPTIONS.items() if path in paths}
    newest = axl_versions(desk.cluster.layout.release)[-1]
    application = Starlette(
        routes=routes,
        middleware=[Middleware(SessionCookies), Middleware(_Descriptions, shown, newest)],
    )
    application.router.redirect_slashes = False
    return application


class _Descriptions:
    """Answers ``GET …?wsdl``, to everybody: whether real nodes want a login first is not known."""

    def __init__(self, app: ASGIApp, names: Mapping[str, str], axl_version: str) -> None:
        self._app = app
        self._names = names
        self._axl_version = axl_version

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http" and scope["method"] == "GET":
            request = Request(scope)
            name = self._names.get(request.url.path)
            if name is not None and is_for_wsdl(request):
                app = wsdl_response(name, request, self._axl_version)
        await app(scope, receive, send)
