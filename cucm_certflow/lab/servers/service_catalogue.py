"""Which services a node lists, and how each stands: for the command line and Control Center."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import Enum, IntEnum
from types import MappingProxyType
from typing import Final

import attrs

from cucm_certflow.facts import ServiceStatus
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.names import Product, Service

__all__ = [
    "REASONS",
    "Listed",
    "Reason",
    "Restrict",
    "Standing",
    "followed",
    "listed",
    "standing",
]


class Reason(IntEnum):
    """The codes of Control Center that the lab uses."""

    NONE = -1
    NO_SUCH_SERVICE = -1010
    RESERVED_FOR_PLATFORM = -1011
    BAD_ARGUMENTS = -1012
    NOT_RUNNING = -1019
    PENDING = -1029
    NOT_IMPLEMENTED = -1033
    ALREADY_STARTED = -1039
    ALREADY_STOPPED = -1040
    NOT_ALLOWED = -1042
    NOT_ACTIVATED = -1068
    OUT_OF_SERVICE = -1069


REASONS: Final = {
    Reason.NONE: "--",
    Reason.NO_SUCH_SERVICE: "No such service",
    Reason.RESERVED_FOR_PLATFORM: "Component is reserved for platform",
    Reason.BAD_ARGUMENTS: "Bad arguments",
    Reason.NOT_RUNNING: "Component is not running",
    Reason.PENDING: "Operation is pending",
    Reason.NOT_IMPLEMENTED: "Feature is not implemented yet",
    Reason.ALREADY_STARTED: "Component already started",
    Reason.ALREADY_STOPPED: "Component already stopped",
    Reason.NOT_ALLOWED: "Requested process state transition not allowed",
    Reason.NOT_ACTIVATED: "Service Not Activated",
    Reason.OUT_OF_SERVICE: "Commanded Out of Service",
}
"""Control Center's own words for each code."""


class Restrict(Enum):
    """Where a service may run, and whether it may be stopped, as the extended list has it."""

    NONE = "none"
    PRIMARY_NODE = "PrimaryNode"
    DO_NOT_STOP = "DoNotStop"


@attrs.frozen(kw_only=True)
class Listed:
    """One service of a node's list.

    Group names are those of the web pages; which service has which of these values on a real node
    was seen for hardly any of them, and is the lab's invention for the others.

    Attributes:
        name: As CUCM prints it.
        group: Under which heading the web pages have it.
        deployable: Whether somebody activates it: a feature service.
        restrict: What may be done to it.
        is_platform: Whether it belongs to the platform, and Control Center leaves it alone.
    """

    name: str
    group: str
    deployable: bool = False
    restrict: Restrict = Restrict.NONE
    is_platform: bool = False

    @property
    def service(self) -> Service | None:
        """Under which name the library knows it; None if it does not."""
        return next((each for each in Service if each.value == self.name), None)


_UP_FOR: Final = timedelta(days=30)
"""For how long the services that the lab does not follow have run when the story begins."""

_STOPPED: Final = frozenset({"Password Reset"})
_BACKUP: Final = "Backup and Restore Services"
_MONITORING: Final = "Performance and Monitoring Services"
_PLATFORM: Final = "Platform Services"
_SECURITY: Final = "Security Services"
_CALLS: Final = "CM Services"
_PRESENCE: Final = "IM and Presence Services"

# Tomcat and HAProxy are restarted by the command line only. That Control Center answers with -1011
# is the lab's invention: which code a real node gives for Tomcat was not seen.
_OWN_BY_PLATFORM: Final = tuple(
    Listed(name=name, group=group, restrict=Restrict.DO_NOT_STOP, is_platform=True)
    for name, group in (
        ("A Cisco DB", "DB Services"),
        ("Cluster Manager", _PLATFORM),
        ("Name Service Cache", _PLATFORM),
        ("Password Reset", _PLATFORM),
        ("System SSH", _PLATFORM),
    )
)
_BY_NAME_ONLY: Final = (
    Listed(name="Cisco AMC Service", group=_MONITORING),
    Listed(name="Cisco RIS Data Collector", group=_MONITORING),
    Listed(name="Platform Communication Web Service", group=_PLATFORM),
    Listed(name="SOAP -Log Collection APIs", group="SOAP Services"),
    Listed(name="SOAP -Performance Monitoring APIs", group="SOAP Services"),
    Listed(name="SOAP -Real-Time Service APIs", group="SOAP Services"),
    Listed(name="Cisco DirSync", group="Directory Services", deployable=True),
)
"""Listed like the others, but the lab has nothing behind them."""


def _network(service: Service, group: str, restrict: Restrict = Restrict.NONE) -> Listed:
    return Listed(name=service.value, group=group, restrict=restrict)


def _feature(service: Service, group: str) -> Listed:
    return Listed(name=service.value, group=group, deployable=True)


def _tomcat(service: Service) -> Listed:
    return Listed(
        name=service.value, group=_PLATFORM, restrict=Restrict.DO_NOT_STOP, is_platform=True
    )


_SERVICES: Final[Mapping[Service, Listed]] = MappingProxyType(
    {
        Service.TOMCAT: _tomcat(Service.TOMCAT),
        Service.SSOSP_TOMCAT: _network(Service.SSOSP_TOMCAT, _PLATFORM),
        Service.UDS_TOMCAT: _network(Service.UDS_TOMCAT, _PLATFORM),
        Service.AXL_TOMCAT: _network(Service.AXL_TOMCAT, _PLATFORM),
        Service.HAPROXY: _tomcat(Service.HAPROXY),
        Service.CALLMANAGER: _feature(Service.CALLMANAGER, _CALLS),
        Service.CTIMANAGER: _feature(Service.CTIMANAGER, "CTI Services"),
        Service.TVS: _network(Service.TVS, _SECURITY),
        Service.TFTP: _feature(Service.TFTP, _CALLS),
        Service.CAPF: _feature(Service.CAPF, _SECURITY),
        Service.DRF_MASTER: _network(Service.DRF_MASTER, _BACKUP, Restrict.PRIMARY_NODE),
        Service.DRF_LOCAL: _network(Service.DRF_LOCAL, _BACKUP),
        Service.INTERCLUSTER_LOOKUP: _feature(Service.INTERCLUSTER_LOOKUP, _CALLS),
        Service.LOCATION_BANDWIDTH_MANAGER: _feature(Service.LOCATION_BANDWIDTH_MANAGER, _CALLS),
        Service.EXTENSION_MOBILITY: _feature(Service.EXTENSION_MOBILITY, _CALLS),
        Service.CERTIFICATE_CHANGE_NOTIFICATION: _network(
            Service.CERTIFICATE_CHANGE_NOTIFICATION, _PLATFORM
        ),
        Service.CERTIFICATE_EXPIRY_MONITOR: _network(Service.CERTIFICATE_EXPIRY_MONITOR, _PLATFORM),
        Service.PLATFORM_ADMINISTRATIVE_WEB: _network(
            Service.PLATFORM_ADMINISTRATIVE_WEB, _PLATFORM
        ),
        Service.INTERCLUSTER_SYNC_AGENT: _network(Service.INTERCLUSTER_SYNC_AGENT, _PRESENCE),
        Service.SIP_PROXY: _feature(Service.SIP_PROXY, _PRESENCE),
        Service.PRESENCE_ENGINE: _feature(Service.PRESENCE_ENGINE, _PRESENCE),
        Service.XCP_ROUTER: _network(Service.XCP_ROUTER, _PRESENCE),
        Service.XCP_FEDERATION: _feature(Service.XCP_FEDERATION, _PRESENCE),
    }
)
_ELSEWHERE: Final[Mapping[Product, tuple[Service, ...]]] = MappingProxyType(
    {
        Product.CALLMANAGER: (
            Service.CALLMANAGER,
            Service.TFTP,
            Service.CTIMANAGER,
            Service.CAPF,
            Service.EXTENSION_MOBILITY,
            Service.INTERCLUSTER_LOOKUP,
            Service.LOCATION_BANDWIDTH_MANAGER,
            Service.DRF_MASTER,
        ),
        Product.IM_PRESENCE: (
            Service.SIP_PROXY,
            Service.PRESENCE_ENGINE,
            Service.XCP_FEDERATION,
            Service.DRF_MASTER,
        ),
    }
)
"""What a node of each product lists even if it does not run there."""

_FIRST_OF: Final[Mapping[Service, tuple[int, int]]] = MappingProxyType(
    {Service.INTERCLUSTER_LOOKUP: (9, 0), Service.LOCATION_BANDWIDTH_MANAGER: (9, 0)}
)
"""The first release of some services, from memory of the product: no source is noted for it."""


def listed(cluster: LabCluster, node: str) -> tuple[Listed, ...]:
    """The services of *node* in order of name, activated or not.

    They are the same for the command line and for Control Center. That Control Center lists the
    platform's own, too, is the lab's invention.
    """
    product = cluster.scenario.node(node).product
    others = (
        service
        for service in _ELSEWHERE[product]
        if _FIRST_OF.get(service, (0, 0)) <= cluster.layout.release
    )
    services = dict.fromkeys((*cluster.activated(node), *others))
    found = [*_OWN_BY_PLATFORM, *_BY_NAME_ONLY, *(_SERVICES[each] for each in services)]
    return tuple(sorted(found, key=lambda each: each.name))


def followed(cluster: LabCluster, node: str, entry: Listed) -> Service | None:
    """The service of *entry* that the lab brings to life on *node*; None if there is no such."""
    service = entry.service
    return service if service is not None and service in cluster.activated(node) else None


@attrs.frozen(kw_only=True)
class Standing:
    """How a service stands.

    Attributes:
        started_at: When it started; None unless it runs.
    """

    status: ServiceStatus
    reason: Reason
    started_at: datetime | None = None


def standing(cluster: LabCluster, node: str, entry: Listed) -> Standing:
    """How the service of *entry* stands on *node*, now."""
    service = followed(cluster, node, entry)
    if service is not None:
        state = cluster.service_state(node, service)
        reason = Reason.NONE
        if not state.activated:
            reason = Reason.NOT_ACTIVATED
        elif cluster.is_commanded_out(node, service):
            reason = Reason.OUT_OF_SERVICE
        elif state.status is ServiceStatus.STOPPED:
            reason = Reason.NOT_RUNNING
        return Standing(status=state.status, reason=reason, started_at=state.started_at)
    for is_off, reason in (
        (entry.restrict is Restrict.PRIMARY_NODE, Reason.OUT_OF_SERVICE),
        (entry.deployable, Reason.NOT_ACTIVATED),
        (entry.name in _STOPPED, Reason.NOT_RUNNING),
    ):
        if is_off:
            return Standing(status=ServiceStatus.STOPPED, reason=reason)
    return Standing(
        status=ServiceStatus.STARTED, reason=Reason.NONE, started_at=cluster.began - _UP_FOR
    )
