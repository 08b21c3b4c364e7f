"""What a phone accepts exists here as predicates: the rule of trust-model.md §2, word for word.

Nothing here changes a world; :mod:`cucm_certflow.lab.physics.actions` does.
"""

from __future__ import annotations

from cucm_certflow.lab.physics.world import Cert, Layout, Phone, PhoneKind, TrustList, World
from cucm_certflow.names import CertUnit, ListKind, Service

__all__ = [
    "accepts",
    "can_register",
    "config_ok",
    "home",
    "local",
    "synced",
    "vouched",
]

_NOTHING: frozenset[Cert] = frozenset()


def local(layout: Layout, phone: Phone) -> frozenset[Cert]:
    """The anchors that the phone holds itself: the SAST records of its lists."""
    ctl = phone.ctl.sast if phone.ctl is not None else _NOTHING
    if phone.itl is None or (layout.variant.ctl_strict and phone.ctl is not None):
        return ctl
    return ctl | phone.itl.sast


def vouched(layout: Layout, world: World, kind: PhoneKind, phone: Phone, cert: Cert) -> bool:
    """Whether a TVS that the phone can ask, and can recognise, vouches for *cert*.

    The phone asks the nodes of its CallManager group, and believes only a process that shows a
    certificate which the phone's own ITL pins. A stopped TVS answers nobody.
    """
    if not kind.asks_tvs or not kind.reaches_tvs or phone.itl is None:
        return False
    if not _known(layout, world, cert):
        return False
    pin = phone.itl.pin
    return any(
        shown.unit is CertUnit.TVS
        and shown.node in kind.group
        and shown in pin
        and world.up(Service.TVS, shown.node)
        for shown in world.presented
    )


def accepts(
    layout: Layout, world: World, kind: PhoneKind, phone: Phone, trust_list: TrustList
) -> bool:
    """Whether the phone takes *trust_list* when it is offered.

    An empty phone takes anything (leap of faith); a phone without Security By Default takes no
    ITL at all, and never asks TVS.
    """
    if trust_list.kind is ListKind.ITL and not kind.asks_tvs:
        return False
    if phone.itl is None and phone.ctl is None:
        return True
    if trust_list.signer in local(layout, phone):
        return True
    if trust_list.kind is ListKind.CTL and not layout.variant.tvs_vouches_for_ctl:
        return False
    return vouched(layout, world, kind, phone, trust_list.signer)


def config_ok(layout: Layout, world: World, kind: PhoneKind, phone: Phone, node: str) -> bool:
    """Whether the phone takes the configuration file that TFTP on *node* signs.

    A phone without any list takes unsigned files, so nothing can be wrong with the signature.
    """
    if phone.itl is None and phone.ctl is None:
        return True
    key = world.signs(node)
    if phone.itl is not None and key in phone.itl.tftp:
        return True
    # A CTL has CCM+TFTP records for nodes that run both, and TFTP records for TFTP-only nodes.
    if phone.ctl is not None and (key in phone.ctl.ccm or key in phone.ctl.tftp):
        return True
    return vouched(layout, world, kind, phone, key)


def home(world: World, kind: PhoneKind) -> str | None:
    """The node with which the phone registers: the first of its group that runs CallManager."""
    for node in kind.group:
        if world.up(Service.CALLMANAGER, node):
            return node
    return None


def can_register(layout: Layout, world: World, kind: PhoneKind, phone: Phone) -> bool:
    """Whether the phone can register now, with the first running node of its group.

    A secure phone has to accept the certificate which that node presents. Unkind: it does not go
    on to the next node of its group when it cannot; nothing says that every model does.
    """
    node = home(world, kind)
    if not phone.on or node is None:
        return False
    if not kind.secure:
        return True
    shown = world.presents(CertUnit.CALLMANAGER, node)
    if phone.ctl is not None and shown in phone.ctl.ccm:
        return True
    if phone.itl is not None and shown in phone.itl.ccm:
        return True
    return layout.variant.tvs_vouches_for_registration and vouched(
        layout, world, kind, phone, shown
    )


def synced(
    layout: Layout, world: World, kind: PhoneKind, phone: Phone, node: str | None = None
) -> bool:
    """Whether the phone holds exactly what TFTP on *node* serves, and takes its configuration.

    *node* is the phone's first TFTP node unless given. A phone without Security By Default holds
    no ITL, so for it the CTL and the configuration decide.
    """
    node = kind.tftp[0] if node is None else node
    if kind.asks_tvs and phone.itl != world.itl_of(node):
        return False
    return phone.ctl == world.ctl_of(node) and config_ok(layout, world, kind, phone, node)


def _known(layout: Layout, world: World, cert: Cert) -> bool:
    """What TVS vouches for: the database follows a regeneration at once, and forgets the old."""
    if cert.unit is CertUnit.ITLRECOVERY and not layout.variant.vouches_for_itlrecovery:
        return False
    return (
        cert.unit in (CertUnit.CALLMANAGER, CertUnit.TVS, CertUnit.ITLRECOVERY)
        and cert in world.gen
    )
