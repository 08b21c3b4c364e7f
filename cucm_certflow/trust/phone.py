"""The rule by which a phone accepts a trust list, and what it holds after it comes for files."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from cucm_certflow.facts import ListView
from cucm_certflow.names import ListKind
from cucm_certflow.trust.model import ClusterTrust, NodeTrust

__all__ = [
    "Belief",
    "Holding",
    "PhoneClass",
    "accepts",
    "boot",
    "can_register",
    "is_synced",
    "may_hold",
    "must_hold_after_reset",
    "order_of",
]


class PhoneClass(NamedTuple):
    """Phones that decide alike: who they ask, whether they ask, whether they need TLS."""

    group: tuple[str, ...]
    security_by_default: bool = True
    secure: bool = False


class Holding(NamedTuple):
    """The two lists that a phone holds; None for none."""

    itl: ListView | None
    ctl: ListView | None


def order_of(holding: Holding) -> tuple[str, ...]:
    """A key that sorts holdings the same way in every process; sets print in any order.

    Anchors first, then everything else in which two lists can differ: no two holdings tie.
    """
    anchors = [
        "|".join((view.signer, *sorted(view.sast), *sorted(view.pin))) if view else ""
        for view in holding
    ]
    return (*anchors, *(_rest_of(view) if view else "" for view in holding))


def _rest_of(view: ListView) -> str:
    sets = ("|".join(sorted(part)) for part in (view.tftp, view.ccm, view.capf))
    return "\n".join((*sets, view.digest, str(view.token), str(view.records), str(view.size)))


def _vouching_node(
    cluster: ClusterTrust, phone: PhoneClass, holding: Holding, key: str
) -> str | None:
    """The TVS of the phone's group that can prove itself and vouches for *key*."""
    if not phone.security_by_default or holding.itl is None or key not in cluster.vouched():
        return None
    for name in phone.group:
        presented = cluster.node(name).presented_tvs
        if presented is None or presented in cluster.expired:
            continue
        if presented in holding.itl.pin:
            return name
    return None


def accepts(
    cluster: ClusterTrust, phone: PhoneClass, holding: Holding, offered: ListView
) -> str | None:
    """Why the phone accepts *offered*, in words; None if it rejects it.

    A phone without any list takes the first one; then the signer must be a SAST of its own
    lists, or a TVS of its CallManager group, pinned in its ITL, must vouch for the signer
    (``trust-model`` §2, from the security guides and TAC 118893).
    """
    if holding.itl is None and holding.ctl is None:
        return "it holds no list and takes the first"
    if cluster.policy.ctl_judges_itl and holding.ctl is not None:
        local = holding.ctl.sast
    else:
        local = (holding.ctl.sast if holding.ctl else frozenset[str]()) | (
            holding.itl.sast if holding.itl else frozenset[str]()
        )
    if offered.signer in local and offered.signer not in cluster.expired:
        return "its own list holds the signer"
    if offered.kind is ListKind.CTL and not cluster.policy.tvs_vouches_for_ctl:
        return None
    name = _vouching_node(cluster, phone, holding, offered.signer)
    return None if name is None else f"TVS on {name} vouches for the signer"


def boot(cluster: ClusterTrust, phone: PhoneClass, holding: Holding, home: NodeTrust) -> Holding:
    """What the phone holds after it fetched the lists of *home*."""
    ctl, itl = home.ctl, home.itl
    if ctl is not None and ctl != holding.ctl and accepts(cluster, phone, holding, ctl):
        holding = holding._replace(ctl=ctl)
    if (
        phone.security_by_default
        and itl is not None
        and itl != holding.itl
        and accepts(cluster, phone, holding, itl)
    ):
        holding = holding._replace(itl=itl)
    return holding


def is_synced(cluster: ClusterTrust, phone: PhoneClass, holding: Holding, home: NodeTrust) -> bool:
    """Whether the phone holds what *home* serves and accepts its signed configuration."""
    if holding.ctl != home.ctl:
        return False
    if not phone.security_by_default:
        # Without Security By Default only a CTL makes a phone ask for signed files.
        return holding.ctl is None or home.signing in holding.ctl.ccm | holding.ctl.tftp
    if holding.itl != home.itl or home.signing is None:
        return False
    if holding.itl is not None and home.signing in holding.itl.tftp:
        return True
    if holding.ctl is not None and home.signing in holding.ctl.ccm:
        return True
    return _vouching_node(cluster, phone, holding, home.signing) is not None


def can_register(
    cluster: ClusterTrust, phone: PhoneClass, holding: Holding, callmanager: str | None
) -> bool:
    """Whether the phone can register where CallManager presents *callmanager*."""
    if not phone.secure or callmanager is None:
        return True
    for held in (holding.ctl, holding.itl):
        if held is not None and callmanager in held.ccm:
            return True
    return _vouching_node(cluster, phone, holding, callmanager) is not None


Belief = frozenset[Holding]
"""Every pair of lists that some phone of a class may hold."""


@lru_cache(maxsize=50_000)
def may_hold(cluster: ClusterTrust, phone: PhoneClass, belief: Belief) -> Belief:
    """*belief* and all that comes of phones that boot as the cluster stands, anywhere, unasked."""
    reached = set(belief)
    fresh = list(belief)
    while fresh:
        holding = fresh.pop()
        for home in cluster.tftp_nodes:
            after = boot(cluster, phone, holding, home)
            if after not in reached:
                reached.add(after)
                fresh.append(after)
    return frozenset(reached)


@lru_cache(maxsize=50_000)
def must_hold_after_reset(cluster: ClusterTrust, phone: PhoneClass, belief: Belief) -> Belief:
    """What phones that came at least once, to whichever TFTP node, may hold afterwards."""
    came = frozenset(
        boot(cluster, phone, holding, home) for holding in belief for home in cluster.tftp_nodes
    )
    return may_hold(cluster, phone, came)
