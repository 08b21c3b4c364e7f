"""Which services a node lists, and how each stands: for Control Center, as the CLI lists them."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum, IntEnum
from typing import Final

import attrs

from cucm_certflow.facts import ServiceStatus
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.names import Service

__all__ = ["REASONS", "Listed", "Reason", "Restrict", "Standing", "listed", "standing"]


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
        """Under which name the lab follows it; None if the lab has but its name."""
        return next((each for each in _FOLLOWED if each.value == self.name), None)


_FOLLOWED: Final = (
    Service.TOMCAT,
    Service.HAPROXY,
    Service.CALLMANAGER,
    Service.TFTP,
    Service.CTIMANAGER,
    Service.TVS,
    Service.CAPF,
)
_FEATURES: Final = {
    Service.CALLMANAGER: "CM Services",
    Service.TFTP: "CM Services",
    Service.CTIMANAGER: "CTI Services",
    Service.CAPF: "Security Services",
}
_DIRSYNC: Final = Listed(name="Cisco DirSync", group="Directory Services", deployable=True)
_STOPPED: Final = frozenset({"Password Reset"})
_UP_FOR: Final = timedelta(days=30)
"""For how long the services that the lab does not follow have run when the story begins."""

# Tomcat and HAProxy are restarted by the command line only. That Control Center answers with -1011
# is the lab's invention: which code a real node gives for Tomcat was not seen.
_PLATFORM: Final = tuple(
    Listed(name=name, group=group, restrict=Restrict.DO_NOT_STOP, is_platform=True)
    for name, group in (
        ("A Cisco DB", "DB Services"),
        ("Cluster Manager", "Platform Services"),
        ("Name Service Cache", "Platform Services"),
        ("Password Reset", "Platform Services"),
        ("System SSH", "Platform Services"),
        (Service.TOMCAT.value, "Platform Services"),
    )
)
_HAPROXY: Final = Listed(
    name=Service.HAPROXY.value,
    group="Platform Services",
    restrict=Restrict.DO_NOT_STOP,
    is_platform=True,
)
_NETWORK: Final = (
    Listed(name="Cisco AMC Service", group="Performance and Monitoring Services"),
    Listed(name="Cisco Certificate Change Notification", group="Platform Services"),
    Listed(name="Cisco Certificate Expiry Monitor", group="Platform Services"),
    Listed(name="Cisco DRF Local", group="Backup and Restore Services"),
    Listed(
        name="Cisco DRF Master",
        group="Backup and Restore Services",
        restrict=Restrict.PRIMARY_NODE,
    ),
    Listed(name="Cisco RIS Data Collector", group="Performance and Monitoring Services"),
    Listed(name="Platform Administrative Web Service", group="Platform Services"),
    Listed(name="Platform Communication Web Service", group="Platform Services"),
    Listed(name="SOAP -Log Collection APIs", group="SOAP Services"),
    Listed(name="SOAP -Performance Monitoring APIs", group="SOAP Services"),
    Listed(name="SOAP -Real-Time Service APIs", group="SOAP Services"),
)
_TVS: Final = Listed(name=Service.TVS.value, group="Security Services")


def listed(cluster: LabCluster, node: str) -> tuple[Listed, ...]:
    """The services of *node* in order of name, activated or not.

    They are those of ``utils service list``. That Control Center lists the platform's own, too, is
    the lab's invention.
    """
    on = cluster.activated(node)
    found = [*_PLATFORM, *_NETWORK, _DIRSYNC]
    if Service.HAPROXY in on:
        found.append(_HAPROXY)
    if Service.TVS in on:
        found.append(_TVS)
    if cluster.scenario.node(node).activated:
        found += [
            Listed(name=service.value, group=group, deployable=True)
            for service, group in _FEATURES.items()
        ]
    return tuple(sorted(found, key=lambda each: each.name))


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
    service = entry.service
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
    is_elsewhere = entry.restrict is Restrict.PRIMARY_NODE and node != cluster.layout.publisher
    for is_off, reason in (
        (is_elsewhere, Reason.OUT_OF_SERVICE),
        (entry.deployable, Reason.NOT_ACTIVATED),
        (entry.name in _STOPPED, Reason.NOT_RUNNING),
    ):
        if is_off:
            return Standing(status=ServiceStatus.STOPPED, reason=reason)
    return Standing(
        status=ServiceStatus.STARTED, reason=Reason.NONE, started_at=cluster.began - _UP_FOR
    )
