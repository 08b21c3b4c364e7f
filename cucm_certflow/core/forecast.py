"""What a command would make of the cluster's trust, and what that means for its phones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cucm_certflow.commands import (
    ByHand,
    Command,
    DeleteTrust,
    Regenerate,
    ResetLocalkey,
    ResetPhones,
    RestartService,
    StartService,
    StopService,
    UpdateCtl,
)
from cucm_certflow.names import CertUnit, Service
from cucm_certflow.trust.lifeline import Health, Witness, best_lifeline
from cucm_certflow.trust.model import ClusterTrust
from cucm_certflow.trust.phone import (
    Belief,
    Holding,
    PhoneClass,
    accepts,
    boot,
    is_synced,
    may_hold,
    order_of,
)

__all__ = [
    "LISTED",
    "after_command",
    "is_locked",
    "moves_trust",
    "new_key",
    "why_rejected",
    "worst_witness",
]

LISTED: Final = frozenset({CertUnit.CALLMANAGER, CertUnit.TVS, CertUnit.ITLRECOVERY, CertUnit.CAPF})
"""The units whose certificates stand in trust lists."""


def moves_trust(command: Command) -> bool:
    """Whether *command* can change what nodes serve, present or vouch for."""
    match command:
        case Regenerate(_, unit):
            return unit in LISTED
        case RestartService(_, service):
            return service in (Service.TVS, Service.TFTP)
        case UpdateCtl() | ResetLocalkey() | ByHand():
            return True
        case ResetPhones() | StopService() | StartService() | DeleteTrust():
            return False


def new_key(command: Regenerate) -> str:
    """The name of a certificate that does not exist yet."""
    return f"new {command.unit} of {command.node}"


def after_command(cluster: ClusterTrust, command: Command) -> ClusterTrust:
    """The trust of the cluster once *command* has been done."""
    match command:
        case Regenerate():
            return cluster.regenerated(command.unit, command.node, new_key(command))
        case UpdateCtl():
            return cluster.ctl_updated()
        case ResetLocalkey():
            return cluster.localkey_reset(command.kind)
        case RestartService():
            return cluster.restarted(command.service, command.node)
        case ByHand():
            # The only thing that a table has a person do: the CTL by a token.
            return cluster.ctl_updated()
        case ResetPhones() | StopService() | StartService() | DeleteTrust():
            return cluster


def _variants(cluster: ClusterTrust, command: Command) -> Iterator[ClusterTrust]:
    """The cluster after *command*, whether or not TFTP rebuilds the ITL by itself (unverified)."""
    yield after_command(cluster, command)
    if isinstance(command, Regenerate):
        at_once = cluster._replace(policy=cluster.policy._replace(itl_rebuilt_at_once=True))
        yield after_command(at_once, command)._replace(policy=cluster.policy)


def worst_witness(
    cluster: ClusterTrust, command: Command, phone: PhoneClass, belief: Belief
) -> tuple[Witness, Holding | None]:
    """The worst lifeline of a class after *command*, over all that its phones may hold."""
    found = [
        (best_lifeline(after, phone, holding), holding)
        for after in _variants(cluster, command)
        for holding in may_hold(cluster, phone, belief)
    ]
    health = max((witness.health for witness, _ in found), default=Health.OK)
    if health is Health.OK:
        return Witness(Health.OK, (), ""), None
    # The same example in every process.
    worst = [(witness, holding) for witness, holding in found if witness.health is health]
    return min(worst, key=lambda pair: (order_of(pair[1]), pair[0]))


def is_locked(cluster: ClusterTrust, phone: PhoneClass, belief: Belief) -> Holding | None:
    """A pair of lists with which the phone is in step with no TFTP node, however often it boots."""
    for holding in sorted(belief, key=order_of):
        for node in cluster.tftp_nodes:
            once = boot(cluster, phone, holding, node)
            if is_synced(cluster, phone, boot(cluster, phone, once, node), node):
                break
        else:
            return holding
    return None


def why_rejected(cluster: ClusterTrust, phone: PhoneClass, holding: Holding) -> str:
    """In words, which offered list the phone turns down."""
    for node in cluster.tftp_nodes:
        for offered in (node.ctl, node.itl):
            if offered is None or (offered.kind.value == "ITL" and not phone.security_by_default):
                continue
            if offered not in holding and accepts(cluster, phone, holding, offered) is None:
                asks = "no TVS that it pins vouches" if phone.security_by_default else "no TVS"
                return f"it turns down the {offered.kind.value}: its signer is unknown, {asks}"
    return "it does not come into step with any TFTP node"
