"""Whether an interface of a node of the lab in memory lets one in: services, roles, privilege."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from cucm_certflow.facts import Reach, Reached, Why
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.memory_faults import Unseen
from cucm_certflow.lab.scenario_tables import Role
from cucm_certflow.names import Interface, Product, Service

__all__ = ["is_served", "reached", "words_of_reach"]

_WORDS: Final[Mapping[Interface, str]] = MappingProxyType(
    {
        Interface.SSH: "show version active",
        Interface.AXL: "getCCMVersion",
        Interface.CONTROL_CENTER: "soapGetServiceStatus",
        Interface.RISPORT: "selectCmDevice",
        Interface.PERFMON: "perfmonCollectCounterData",
        Interface.PLATFORM_REST: "GET /platformcom/api/v1/certmgr/config/snapshot",
        Interface.TFTP_HTTP: "http 6970 ITLFile.tlv",
        Interface.TLS: "https 8443",
    }
)
_OF_THE_PUBLISHER: Final = frozenset({Interface.AXL, Interface.RISPORT, Interface.PERFMON})
_MONITORS: Final = (Role.SERVER_MONITORING, Role.SUPER_USERS)
_ROLES: Final[Mapping[Interface, tuple[Role, ...]]] = MappingProxyType(
    {
        Interface.AXL: (Role.AXL, Role.AXL_READ_ONLY),
        Interface.CONTROL_CENTER: _MONITORS,
        Interface.RISPORT: _MONITORS,
        Interface.PERFMON: _MONITORS,
    }
)
"""One of which an account must have, as the servers of the lab have it; the first is named."""

_REST_SINCE: Final = (14, 0)


def is_served(cluster: LabCluster, interface: Interface) -> bool:
    """Whether the release has *interface* at all."""
    return interface is not Interface.PLATFORM_REST or cluster.scenario.release.short >= _REST_SINCE


def words_of_reach(query: Reach, publisher: str) -> tuple[str, tuple[str, ...], str]:
    """Which node is asked, with which words, by which way."""
    interface = query.interface
    node = publisher if interface in _OF_THE_PUBLISHER else query.node
    return node, (_WORDS[interface],), interface.value


def reached(cluster: LabCluster, query: Reach) -> Reached:
    """What the small question of that interface shows, as the servers of the lab answer it.

    Raises:
        Unseen: Nobody answers, or the account lacks a role.
    """
    interface = query.interface
    asked, _, _ = words_of_reach(query, cluster.layout.publisher)
    if not cluster.is_node_up(asked):
        raise Unseen(f"no connection to {asked}")
    if interface is Interface.SSH:
        return Reached(privilege=cluster.scenario.accounts.platform.privilege or None)
    if interface is Interface.TFTP_HTTP:
        if not cluster.is_up(asked, Service.TFTP):
            raise Unseen(f"nobody answers on port 6970 of {asked}")
        return Reached()
    if not cluster.is_web_up(asked):
        raise Unseen(f"nobody answers on port 8443 of {asked}")
    _check_role(cluster, interface, asked)
    if interface is Interface.PERFMON and not _counts(cluster, query.node):
        raise Unseen(f"{query.node} runs no Cisco CallManager", Why.FAULT)
    return Reached()


def _check_role(cluster: LabCluster, interface: Interface, node: str) -> None:
    needed, account = _ROLES.get(interface, ()), cluster.scenario.accounts.application
    if needed and not set(needed) & set(account.roles):
        message = (
            f"the application account {account.user!r} lacks a role: HTTP 403 from {node}; "
            f"needs {needed[0]}"
        )
        raise Unseen(message, Why.NOT_PERMITTED, needed[0].value)


def _counts(cluster: LabCluster, node: str) -> bool:
    is_here = cluster.scenario.node(node).product is Product.CALLMANAGER
    return is_here and cluster.is_up(node, Service.CALLMANAGER)
