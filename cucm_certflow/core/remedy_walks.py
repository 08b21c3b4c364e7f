"""A clean-up walked move by move with the phone's own rule: what a remedy is judged by.

The walks are those of the lifeline (``trust-model`` §3), each tried at every TFTP node that the
phone may use: a remedy is one walk, and the node is rarely known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import attrs

from cucm_certflow.names import Service
from cucm_certflow.trust.lifeline import Health, lifeline
from cucm_certflow.trust.model import ClusterTrust
from cucm_certflow.trust.phone import Holding, PhoneClass, boot, is_synced

__all__ = ["CAUGHT_UP", "DELETE", "Others", "Patient", "hurt", "moved", "spelt"]

_RESET: Final = "reset phones twice"
_TFTP: Final = f"restart {Service.TFTP}"
_TVS: Final = f"restart {Service.TVS}"
_CTL: Final = "utils ctl update CTLFile"
_CTL_WITH_USB: Final = "a new CTL, with the USB token"
DELETE: Final = "delete the ITL and the CTL at the phone"
"""The move that only a person at the phone can do."""

# trust-model §3, "The list that was checked"; each ends with everything caught up.
_WALKS: Final = (
    (_RESET, _TFTP, _RESET, _CTL, _RESET, _TVS, _RESET),
    (_RESET, _CTL, _TFTP, _RESET, _TVS, _RESET),
    (_RESET, _TVS, _RESET, _TFTP, _RESET, _CTL, _RESET),
)
CAUGHT_UP: Final = (_TVS, _CTL, _TFTP)
"""The moves that bring a cluster up to date where no phone has to accept anything in between."""


def _walks(cluster: ClusterTrust) -> Iterator[tuple[str, ...]]:
    for walk in _WALKS:
        yield spelt(cluster, walk)


def spelt(cluster: ClusterTrust, walk: Iterable[str]) -> tuple[str, ...]:
    """*walk* as it is done there: no CTL without mixed mode, and a token's by hand."""
    if not cluster.mixed:
        return tuple(move for move in walk if move != _CTL)
    if cluster.ctl_token:
        return tuple(_CTL_WITH_USB if move == _CTL else move for move in walk)
    return tuple(walk)


def moved(cluster: ClusterTrust, move: str) -> ClusterTrust:
    """The cluster after *move*; a move that is about phones leaves it as it is."""
    if move == _TFTP:
        return cluster.restarted_everywhere(Service.TFTP)
    if move == _TVS:
        return cluster.restarted_everywhere(Service.TVS)
    return cluster.ctl_updated() if move in (_CTL, _CTL_WITH_USB) else cluster


def _after(
    cluster: ClusterTrust, walk: Iterable[str], phone: PhoneClass, holding: Holding, home: int
) -> tuple[ClusterTrust, Holding]:
    """Cluster and phone after *walk*, the phone using the TFTP node at position *home*."""
    for move in walk:
        if move != _RESET:
            cluster = moved(cluster, move)
            continue
        node = cluster.nodes[home]
        holding = boot(cluster, phone, boot(cluster, phone, holding, node), node)
    return cluster, holding


def _ends_in_step(
    cluster: ClusterTrust, walk: Iterable[str], phone: PhoneClass, holding: Holding, home: int
) -> bool:
    after, held = _after(cluster, walk, phone, holding, home)
    return is_synced(after, phone, held, after.nodes[home])


@attrs.frozen(kw_only=True)
class Patient:
    """The phone, what it holds, and where it may go for its lists (positions of nodes)."""

    phone: PhoneClass
    holding: Holding
    homes: tuple[int, ...]
    names: tuple[str, ...]

    def best_walk(self, cluster: ClusterTrust) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The walk that brings it back at most of its homes, and the homes where it does not."""
        best: tuple[tuple[str, ...], tuple[str, ...]] = ((), self.names)
        for walk in _walks(cluster):
            failed = tuple(
                name
                for name, home in zip(self.names, self.homes, strict=True)
                if not _ends_in_step(cluster, walk, self.phone, self.holding, home)
            )
            if not best[0] or len(failed) < len(best[1]):
                best = (walk, failed)
        return best


Others = Mapping[tuple[PhoneClass, Holding], int]
"""How many of the other phones are of which class and hold what."""


def hurt(before: ClusterTrust, after: ClusterTrust, walk: tuple[str, ...], others: Others) -> int:
    """How many of *others* need more than ordinary means afterwards, and did not before."""
    count = 0
    for (phone, holding), phones in others.items():
        for home, node in enumerate(before.nodes):
            if not node.tftp or lifeline(before, phone, holding, node.name).health is not Health.OK:
                continue
            end, held = _after(after, walk, phone, holding, home)
            # Whoever came at each reset, and whoever was off all the time.
            fates = (lifeline(end, phone, each, node.name).health for each in (held, holding))
            if any(fate is not Health.OK for fate in fates):
                count += phones
                break
    return count
