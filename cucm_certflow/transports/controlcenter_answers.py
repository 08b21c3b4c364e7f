"""What Control Center says, as values: statuses, results of commands, lists of services.

Types and order are those of ControlCenterServices.wsdl and ControlCenterServicesEx.wsdl. Nearly
everything in them may be nil; ``-1`` and ``--`` mean that there is nothing to say.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import attrs

from cucm_certflow.transports.reason_codes import NO_REASON
from cucm_certflow.transports.serviceability import Reader

__all__ = [
    "ControlResult",
    "ExtendedService",
    "ExtendedServiceList",
    "InstalledProduct",
    "ProductInformation",
    "Restrict",
    "ServiceStatusRecord",
    "ServiceType",
    "StaticService",
    "read_control",
    "read_extended",
    "read_files",
    "read_products",
    "read_static",
    "read_status",
]

_NOTHING: Final = "--"
_YES: Final = {"yes": True, "no": False, "": None}


class ServiceType(StrEnum):
    """What a service is made of."""

    SERVICE = "Service"
    SERVLET = "Servlet"


class Restrict(StrEnum):
    """What may not be done with a service, in the words of the Ex interface.

    No source says more about them than these words do.
    """

    NONE = "none"
    PRIMARY_NODE = "PrimaryNode"
    DO_NOT_STOP = "DoNotStop"


@attrs.frozen(kw_only=True)
class ServiceStatusRecord:
    """How a service is, in the node's words.

    Attributes:
        name: As the node spells it.
        status: Started, Stopped, Starting, Stopping, Unknown; or a word that no WSDL has.
        reason_code: As in :data:`~cucm_certflow.transports.reason_codes.REASON_CODES`; None for
            none.
        reason: In words; empty for none.
        start_time: In the node's own clock, without a zone; empty for none.
        up_time_s: Seconds since it started; None for none.
    """

    name: str
    status: str
    reason_code: int | None = None
    reason: str = ""
    start_time: str = ""
    up_time_s: int | None = None


@attrs.frozen
class ControlResult:
    """What a node says about a command that it has received.

    Attributes:
        return_code: ``0`` for success; empty if it is nil.
        reason_code: None for none.
        reason: In words; empty for none.
        services: How the services are at this moment, by name.
    """

    return_code: str
    reason_code: int | None
    reason: str
    services: Mapping[str, ServiceStatusRecord]


@attrs.frozen(kw_only=True)
class StaticService:
    """A service that a node has, started or not; *product_id* only from the list of products."""

    name: str
    type: ServiceType | None
    deployable: bool
    group: str
    dependents: tuple[str, ...]
    product_id: str = ""


@attrs.frozen(kw_only=True)
class InstalledProduct:
    """A product on a node."""

    name: str
    version: str
    description: str
    product_id: str
    short_name: str


@attrs.frozen(kw_only=True)
class ProductInformation:
    """What is installed on a node, and which nodes are first and second in its cluster."""

    active_version: str
    primary_node: str
    secondary_node: str
    products: tuple[InstalledProduct, ...]
    services: tuple[StaticService, ...]


@attrs.frozen(kw_only=True)
class ExtendedService:
    """A service as the Ex interface lists it; None where the node says nothing."""

    name: str
    dependents: tuple[str, ...]
    product_id: str
    type: ServiceType | None
    restrict_server: bool | None
    restrict: Restrict | None
    set_default: bool | None
    sequence_number: str
    service_enum: str
    group: str
    deployable: bool


@attrs.frozen(kw_only=True)
class ExtendedServiceList:
    """The services of a node, and whether it is the first or the second of its cluster."""

    primary_node: bool
    secondary_node: bool
    services: tuple[ExtendedService, ...]


# ── statuses and commands ─────────────────────────────────────────────────────────────────


def read_control(answer: ET.Element, operation: str, where: str) -> ControlResult:
    """The result in *answer*; UnknownLayout if it cannot be read."""
    reader = Reader(where, operation)
    return _result(reader, reader.returned(answer))


def read_status(answer: ET.Element, where: str) -> ControlResult:
    """As :func:`read_control`, of soapGetServiceStatus."""
    return read_control(answer, "soapGetServiceStatus", where)


def _result(reader: Reader, returned: ET.Element) -> ControlResult:
    services: dict[str, ServiceStatusRecord] = {}
    for item in reader.items(returned, "ServiceInfoList"):
        record = _record(reader, item)
        if services.setdefault(record.name, record) != record:
            reader.unreadable(f"{record.name!r} is listed twice, and differs")
    # A public fixture has no ReturnCode at all: what is missing is nothing said, not success.
    code, reason = reader.only(returned, "ReturnCode"), reader.only(returned, "ReasonString")
    return ControlResult(
        "" if code is None else reader.value(code),
        _reason_code(reader, returned) if reader.only(returned, "ReasonCode") is not None else None,
        "" if reason is None else _or_nothing(reader.value(reason)),
        MappingProxyType(services),
    )


def _record(reader: Reader, item: ET.Element) -> ServiceStatusRecord:
    has_start = reader.only(item, "StartTime") is not None
    up_time_s = reader.integer(item, "UpTime") if reader.only(item, "UpTime") is not None else None
    return ServiceStatusRecord(
        name=reader.named(item, "ServiceName"),
        status=reader.text(item, "ServiceStatus"),
        reason_code=_reason_code(reader, item),
        reason=_or_nothing(reader.text(item, "ReasonCodeString")),
        start_time=_or_nothing(reader.text(item, "StartTime")) if has_start else "",
        up_time_s=up_time_s if up_time_s is not None and up_time_s >= 0 else None,
    )


def _reason_code(reader: Reader, element: ET.Element) -> int | None:
    code = reader.integer(element, "ReasonCode")
    return None if code == NO_REASON else code


def _or_nothing(text: str) -> str:
    return "" if text == _NOTHING else text


# ── lists of services ─────────────────────────────────────────────────────────────────────


def read_static(answer: ET.Element, where: str) -> tuple[StaticService, ...]:
    """The services in an answer to soapGetStaticServiceList; UnknownLayout if it is none."""
    reader = Reader(where, "soapGetStaticServiceList")
    items = reader.items(reader.returned(answer), "Services")
    return tuple(_static(reader, item, with_product=False) for item in items)


def read_products(answer: ET.Element, where: str) -> ProductInformation:
    """What an answer to getProductInformationList says; UnknownLayout if it is none."""
    reader = Reader(where, "getProductInformationList")
    returned = reader.returned(answer)
    return ProductInformation(
        active_version=reader.text(returned, "ActiveServerVersion"),
        primary_node=reader.text(returned, "PrimaryNode"),
        secondary_node=reader.text(returned, "SecondaryNode"),
        products=tuple(
            InstalledProduct(
                name=reader.text(item, "ProductName"),
                version=reader.text(item, "ProductVersion"),
                description=reader.text(item, "ProductDescription"),
                product_id=reader.text(item, "ProductID"),
                short_name=reader.text(item, "ShortName"),
            )
            for item in reader.items(returned, "Products")
        ),
        services=tuple(
            _static(reader, item, with_product=True) for item in reader.items(returned, "Services")
        ),
    )


def read_extended(answer: ET.Element, where: str) -> ExtendedServiceList:
    """The services in an answer to getStaticServiceListExtended; UnknownLayout if it is none."""
    reader = Reader(where, "getStaticServiceListExtended")
    returned = reader.returned(answer)
    return ExtendedServiceList(
        primary_node=reader.boolean(returned, "PrimaryNode"),
        secondary_node=reader.boolean(returned, "SecondaryNode"),
        services=tuple(_extended(reader, item) for item in reader.items(returned, "Services")),
    )


def read_files(answer: ET.Element, where: str) -> tuple[str, ...]:
    """The files in an answer to getFileDirectoryList; UnknownLayout if it is none."""
    reader = Reader(where, "getFileDirectoryList")
    files = reader.items(reader.response(answer), "ListOfFiles", "File")
    return tuple(filter(None, (reader.value(file) for file in files)))


def _static(reader: Reader, item: ET.Element, *, with_product: bool) -> StaticService:
    return StaticService(
        name=reader.named(item, "ServiceName"),
        type=_type(reader, item),
        deployable=reader.boolean(item, "Deployable"),
        group=reader.text(item, "GroupName"),
        dependents=tuple(_dependents(reader, item, "Service")),
        product_id=reader.text(item, "ProductID") if with_product else "",
    )


def _extended(reader: Reader, item: ET.Element) -> ExtendedService:
    restrict = reader.text(item, "Restrict")
    if restrict and restrict not in set(Restrict):
        reader.unreadable(f"Restrict {restrict[:80]!r}")
    return ExtendedService(
        name=reader.named(item, "ServiceName"),
        dependents=tuple(_dependents(reader, item, "item")),
        product_id=reader.text(item, "ProductID"),
        type=_type(reader, item),
        restrict_server=_yes(reader, item, "RestrictServer"),
        restrict=Restrict(restrict) if restrict else None,
        set_default=_yes(reader, item, "SetDefault"),
        sequence_number=reader.text(item, "SequenceNumber"),
        service_enum=reader.text(item, "ServiceEnum"),
        group=reader.text(item, "GroupName"),
        deployable=reader.boolean(item, "Deployable"),
    )


def _dependents(reader: Reader, item: ET.Element, name: str) -> Iterator[str]:
    for each in reader.items(item, "DependentServices", name):
        text = reader.value(each)
        if text:
            yield text


def _type(reader: Reader, item: ET.Element) -> ServiceType | None:
    text = reader.text(item, "ServiceType")
    if text and text not in set(ServiceType):
        reader.unreadable(f"ServiceType {text[:80]!r}")
    return ServiceType(text) if text else None


def _yes(reader: Reader, item: ET.Element, name: str) -> bool | None:
    text = reader.text(item, name)
    if text not in _YES:
        reader.unreadable(f"{name} {text[:80]!r}, neither yes nor no")
    return _YES[text]
