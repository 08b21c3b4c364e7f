"""The procedure for deleting trust certificates: what is stopped, restarted and started, and why."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from cucm_certflow.names import Product, Release, Service
from cucm_certflow.procedures.vocabulary import (
    DeleteEntry,
    Proof,
    ReleaseRange,
    Row,
    Source,
    Stage,
    StartOf,
    StopOf,
)

__all__ = ["DELETE", "QUIETED", "RESTARTED_FOR", "start", "stop", "stopped_under"]

_TAC: Final = Source("Cisco TAC 214231", "Deleting expired trust certificates", "X2, X5; D14")
_DELETE: Final = Source("Cisco TAC 214231", "Deleting expired trust certificates", "X3; D15")
_TO_11_5: Final = ReleaseRange((8, 0), (11, 5))

QUIETED: Final = (
    (Service.CERTIFICATE_CHANGE_NOTIFICATION, Product.CALLMANAGER),
    (Service.PLATFORM_ADMINISTRATIVE_WEB, Product.IM_PRESENCE),
    (Service.INTERCLUSTER_SYNC_AGENT, Product.IM_PRESENCE),
)
"""What would put a deleted certificate back, and on the nodes of which product (X2)."""

RESTARTED_FOR: Final[Mapping[str, tuple[Service, ...]]] = MappingProxyType(
    {
        "tomcat-trust": (Service.TOMCAT,),
        "CAPF-trust": (Service.CAPF,),
        "CallManager-trust": (Service.CALLMANAGER, Service.CTIMANAGER),
        "ipsec-trust": (Service.DRF_MASTER, Service.DRF_LOCAL),
        # The starting document says that TVS has no trust certificates; with a CA it has (D16).
        "TVS-trust": (Service.TVS,),
    }
)
"""The services directly related to a store (X4); any other store needs none."""


def stopped_under(release: Release) -> bool:
    """Whether services are stopped while certificates are deleted: up to 11.5 (D14)."""
    return release in _TO_11_5


def stop(service: Service) -> Row:
    """The row that stops *service*."""
    return Row(
        name="stop",
        stage=Stage.STOP,
        does=StopOf(service),
        proof=Proof.STOPPED,
        within_s=900,
        settle_s=300,
        source=_TAC,
    )


def start(service: Service) -> Row:
    """The row that starts *service* again."""
    return Row(
        name="start",
        stage=Stage.START,
        does=StartOf(service),
        proof=Proof.STARTED,
        within_s=900,
        settle_s=300,
        source=_TAC,
    )


DELETE: Final = Row(
    name="delete",
    stage=Stage.DELETE,
    does=DeleteEntry(),
    proof=Proof.GONE,
    within_s=900,
    settle_s=180,
    source=_DELETE,
)
"""The row that deletes one certificate from one node's store."""
