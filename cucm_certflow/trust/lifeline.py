"""The lifeline: a concrete clean-up, walked with the phone's own rule, that brings it back.

Sound by construction: a verdict of OK is a walk that was taken step by step and ended with the
phone in step with the cluster. No search, so it may be pessimistic, never optimistic; the tests
hold it against exhaustive search over the lab's physics (``trust-model`` §3).
"""

from __future__ import annotations

from enum import IntEnum
from functools import lru_cache
from typing import Final, NamedTuple

from cucm_certflow.names import CertUnit, ListKind, Service
from cucm_certflow.trust.model import ClusterTrust, NodeTrust
from cucm_certflow.trust.phone import Holding, PhoneClass, boot, is_synced

__all__ = ["Health", "Witness", "best_lifeline", "lifeline"]


class Health(IntEnum):
    """The weakest remedy that works for a phone."""

    OK = 0
    """Ordinary restarts, resets and CTL updates."""

    NEEDS_LOCALKEY = 1
    """Only after ``utils itl|ctl reset localkey``."""

    HAND_DELETE = 2
    """Somebody must delete its lists at the phone."""


class Witness(NamedTuple):
    """The verdict and the walk that shows it; *home* is the TFTP node with the worst one."""

    health: Health
    walk: tuple[str, ...]
    home: str

    def __str__(self) -> str:
        if self.health is Health.HAND_DELETE:
            return f"homed on {self.home}: no clean-up brings it back, its lists must be deleted"
        return f"homed on {self.home}: " + " > ".join(self.walk)


_RESET: Final = "reset phones twice"
_TFTP: Final = f"restart {Service.TFTP}"
_TVS: Final = f"restart {Service.TVS}"
_CTL: Final = "utils ctl update CTLFile"

# trust-model §3, "The list that was checked".
_WALKS: Final = (
    (_RESET, _TFTP, _RESET, _CTL, _RESET, _TVS, _RESET),
    (_RESET, _CTL, _TFTP, _RESET, _TVS, _RESET),
    (_RESET, _TVS, _RESET, _TFTP, _RESET, _CTL, _RESET),
)


def _step(cluster: ClusterTrust, move: str) -> ClusterTrust:
    if move == _TFTP:
        return cluster.restarted_everywhere(Service.TFTP)
    if move == _TVS:
        return cluster.restarted_everywhere(Service.TVS)
    return cluster.ctl_updated()


@lru_cache(maxsize=100_000)
def _after_walk(cluster: ClusterTrust, walk: tuple[str, ...]) -> tuple[ClusterTrust, ...]:
    """The cluster at each move of *walk*; a reset leaves it as it is."""
    stages: list[ClusterTrust] = []
    for move in walk:
        if move != _RESET:
            cluster = _step(cluster, move)
        stages.append(cluster)
    return tuple(stages)


def _walked(cluster: ClusterTrust, phone: PhoneClass, holding: Holding, home: int) -> int | None:
    """The first walk that ends in step with the node at position *home*."""
    for number, walk in enumerate(_WALKS):
        held = holding
        stages = _after_walk(cluster, walk)
        for move, stage in zip(walk, stages, strict=True):
            if move == _RESET:
                node = stage.nodes[home]
                once = boot(stage, phone, held, node)
                held = boot(stage, phone, once, node)
        if is_synced(stages[-1], phone, held, stages[-1].nodes[home]):
            return number
    return None


def _at_home(
    cluster: ClusterTrust, phone: PhoneClass, holding: Holding, home: int, node: NodeTrust
) -> Witness:
    number = _walked(cluster, phone, holding, home)
    if number is not None:
        return Witness(Health.OK, _WALKS[number], node.name)
    if cluster.policy.localkey:
        kinds = (ListKind.CTL, ListKind.ITL) if cluster.mixed else (ListKind.ITL,)
        fronts = [(kind,) for kind in kinds] + ([kinds] if len(kinds) > 1 else [])
        for front in fronts:
            after = cluster
            for kind in front:
                after = after.localkey_reset(kind)
            number = _walked(after, phone, holding, home)
            if number is not None:
                names = tuple(f"utils {kind.value.lower()} reset localkey" for kind in front)
                return Witness(Health.NEEDS_LOCALKEY, names + _WALKS[number], node.name)
    return Witness(Health.HAND_DELETE, (), node.name)


@lru_cache(maxsize=200_000)
def lifeline(cluster: ClusterTrust, phone: PhoneClass, holding: Holding, home: str) -> Witness:
    """The verdict for a phone that uses the TFTP node *home*. Pure and cached."""
    for position, node in enumerate(cluster.nodes):
        if node.name == home:
            return _at_home(cluster, phone, holding, position, node)
    raise KeyError(home)


@lru_cache(maxsize=200_000)
def best_lifeline(cluster: ClusterTrust, phone: PhoneClass, holding: Holding) -> Witness:
    """The verdict at the TFTP node that serves the phone best.

    A phone that failed over to another TFTP node keeps the list of its own, and is brought back
    there; which node a phone uses (option 150) cannot be read. But where each node's own
    ITLRecovery signs its list (12.0 to 12.4) and TVS is not taken to vouch for one, a phone that
    was given another node's list never again accepts that of the node it uses: there the verdict
    is that of the node whose list it holds.
    """
    homes = cluster.tftp_nodes
    if _signers_are_apart(cluster):
        homes = tuple(node for node in homes if node.itl == holding.itl) or homes
    # The first of the best; most phones have a way back at the first node that is looked at.
    witnesses = (lifeline(cluster, phone, holding, node.name) for node in homes)
    best = next(witnesses)
    for witness in witnesses:
        if best.health is Health.OK:
            break
        if witness.health < best.health:
            best = witness
    return best


def _signers_are_apart(cluster: ClusterTrust) -> bool:
    """Whether TFTP nodes sign with anchors of their own, for which nobody vouches."""
    own = {n.itlrecovery for n in cluster.tftp_nodes if n.itl_signer is CertUnit.ITLRECOVERY}
    return len(own) > 1 and not cluster.policy.vouches_for_itlrecovery
