"""What a phone accepts exists here as predicates: the rule of trust-model.md §2, word for word.

Nothing here changes a world; :mod:`cucm_certflow.lab.physics.actions` does.
"""

from __future__ import annotations

from cucm_certflow.lab.physics.world import (
    Cert,
    Layout,
    Phone,
    PhoneKind,
    Trusted,
    TrustList,
    World,
)
from cucm_certflow.names import CertUnit, ListKind, Service

__all__ = [
    "accepts",
    "can_register",
    "config_ok",
    "hangs",
    "home",
    "local",
    "lsc_trusted",
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
    if _over(layout, cert) or not _known(layout, world, cert):
        return False
    pin = phone.itl.pin
    return any(
        shown.unit is CertUnit.TVS
        and shown.node in kind.group
        and world.real(shown) in pin
        and not _over(layout, world.real(shown))
        and world.up(Service.TVS, shown.node)
        and (shown.node, cert) not in world.unaware
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
    if _over(layout, trust_list.signer):
        return False
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
    key = world.real(world.signs(node))
    if _over(layout, key):
        return False
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

    A secure phone has to accept the certificate which that node presents, and the node the phone's
    own: its LSC. Unkind: it does not go on to the next node of its group when it cannot; nothing
    says that every model does.
    """
    node = home(world, kind)
    if not phone.on or node is None:
        return False
    if not kind.secure:
        return True
    if not lsc_trusted(layout, world, node, phone.lsc) or hangs(layout, world, phone):
        return False
    shown = world.real(world.presents(CertUnit.CALLMANAGER, node))
    if _over(layout, shown):
        return False
    if phone.ctl is not None and shown in phone.ctl.ccm:
        return True
    if phone.itl is not None and shown in phone.itl.ccm:
        return True
    return layout.variant.tvs_vouches_for_registration and vouched(
        layout, world, kind, phone, shown
    )


def lsc_trusted(layout: Layout, world: World, node: str, issuer: Cert | None) -> bool:
    """Whether CallManager on *node* trusts an LSC that *issuer* made; one of no CAPF always.

    It goes by the node's CAPF-trust: the present CAPF is there by itself, and an old one as long
    as nobody deletes it (F29).
    """
    if issuer is None:
        return True
    if world.gone and any(t.cert == issuer and _in_capf_trust(t, node) for t in world.gone):
        return False
    current = world.current(CertUnit.CAPF, layout.publisher)
    return issuer == current or any(
        t.cert == issuer and _in_capf_trust(t, node) for t in world.kept
    )


def hangs(layout: Layout, world: World, phone: Phone) -> bool:
    """Whether the phone's CTL has a CAPF record that is not the cluster's present CAPF (F6).

    TAC 225746: TLS phones stay at "Phone is registering" then.
    """
    if not layout.variant.capf_of_ctl_must_be_current or phone.ctl is None or not phone.ctl.capf:
        return False
    return world.real(world.current(CertUnit.CAPF, layout.publisher)) not in phone.ctl.capf


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


def _in_capf_trust(trusted: Trusted, node: str) -> bool:
    return trusted.store == "CAPF-trust" and trusted.node == node


def _over(layout: Layout, cert: Cert) -> bool:
    return layout.variant.expired_is_refused and cert in layout.expired


def _known(layout: Layout, world: World, cert: Cert) -> bool:
    """What TVS vouches for: the database follows a regeneration at once, and forgets the old.

    What somebody deleted from a trust store is vouched for no more (A5). What is kept in
    CallManager-trust or Phone-SAST-trust is, whatever its generation.
    """
    if cert.unit is CertUnit.ITLRECOVERY and not layout.variant.vouches_for_itlrecovery:
        return False
    if world.gone and any(trusted.cert == cert for trusted in world.gone):
        return False
    if any(trusted.cert == cert and trusted.store in _VOUCHED for trusted in world.kept):
        return cert.unit in _ANCHORS
    if world.same:
        return cert in {world.real(c) for c in world.gen if c.unit in _ANCHORS}
    return cert.unit in _ANCHORS and cert in world.gen


_ANCHORS = (CertUnit.CALLMANAGER, CertUnit.TVS, CertUnit.ITLRECOVERY)
_VOUCHED = ("CallManager-trust", "Phone-SAST-trust")
