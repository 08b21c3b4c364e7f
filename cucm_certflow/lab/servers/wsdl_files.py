"""The descriptions (WSDL) of the lab's web services, as ``GET …?wsdl`` answers them."""

from __future__ import annotations

import functools
import re
from importlib import resources
from typing import Final
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response

from cucm_certflow.lab.servers import soap

__all__ = ["WSDL_NAMES", "is_for_wsdl", "wsdl_response", "wsdl_text"]

WSDL_NAMES: Final = (
    "AXLAPI",
    "ControlCenterServices",
    "ControlCenterServicesEx",
    "PerfmonService",
    "RISService70",
)
"""What there is, without ``.wsdl``."""

_FOLDER: Final = "wsdl"
_VERSION: Final = re.compile(r"\d{1,2}\.\d{1,2}")


def is_for_wsdl(request: Request) -> bool:
    """Whether *request* asks for the description and not for the service: ``?wsdl``, any case."""
    return any(name.casefold() == "wsdl" for name in request.query_params)


def wsdl_response(name: str, request: Request, axl_version: str = "") -> Response:
    """The description called *name*, with the address that *request* came to.

    Real nodes describe the serviceability services in this way. Their AXL is described by files in
    a toolkit that an administrator downloads; that the lab serves it like the others is the lab's
    invention, and so is that it is one file.

    Args:
        name: One of :data:`WSDL_NAMES`.
        request: Its Host header is where clients are sent, whatever they are called there.
        axl_version: The version that AXL's namespace ends in, for example 12.5; for AXLAPI only.

    Raises:
        ValueError: There is no such description, or AXLAPI comes without a version.
    """
    url = request.url
    address = f"https://{url.netloc}{url.path}"
    return Response(wsdl_text(name, address, axl_version), media_type=soap.XML)


def wsdl_text(name: str, address: str, axl_version: str = "") -> str:
    """The description called *name*, of a service at *address*.

    Args:
        name: One of :data:`WSDL_NAMES`.
        address: The URL that clients are sent to.
        axl_version: As for :func:`wsdl_response`.

    Raises:
        ValueError: There is no such description, or AXLAPI comes without a version.
    """
    if name not in WSDL_NAMES:
        message = f"expected one of {', '.join(WSDL_NAMES)}, saw {name!r}"
        raise ValueError(message)
    if name == "AXLAPI" and _VERSION.fullmatch(axl_version) is None:
        message = f"expected an AXL version such as 12.5, saw {axl_version!r}"
        raise ValueError(message)
    # The quotes, too: it stands in an attribute.
    return (
        _template(name)
        .replace("@ADDRESS@", escape(address, {'"': "&quot;"}))
        .replace("@VERSION@", axl_version)
    )


@functools.cache
def _template(name: str) -> str:
    folder = resources.files("cucm_certflow.lab.servers").joinpath(_FOLDER)
    return folder.joinpath(f"{name}.wsdl").read_text(encoding="utf-8")
