"""The web application of one node: AXL and RISPort70, as Tomcat serves them."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.routing import Route

from cucm_certflow.lab.servers.axl import AxlService
from cucm_certflow.lab.servers.ris import RateLimit, RisService
from cucm_certflow.lab.servers.vos_cli import Desk
from cucm_certflow.names import Product

__all__ = ["web_app"]


def web_app(desk: Desk, node: str, limit: RateLimit) -> Starlette:
    """The application of *node*; an IM and Presence node has neither AXL nor RISPort70.

    Args:
        desk: The lab.
        node: Whose it is.
        limit: Of RISPort70's questions, shared by all nodes of the cluster.
    """
    if desk.cluster.scenario.node(node).product is not Product.CALLMANAGER:
        return Starlette()
    axl, ris = AxlService(desk, node), RisService(desk, node, limit)
    application = Starlette(
        routes=[
            Route("/axl", axl.bare, methods=["GET", "POST"]),
            Route("/axl/", axl.probe, methods=["GET"]),
            Route("/axl/", axl.post, methods=["POST"]),
            Route("/realtimeservice2/services/RISService70", ris.post, methods=["POST"]),
        ]
    )
    application.router.redirect_slashes = False
    return application
