"""The two trust lists exist here as what the cluster would build from its certificates of now."""

from __future__ import annotations

from typing import Literal

from cucm_certflow.lab.physics.world import TOKENS, Cert, Layout, TrustList, World
from cucm_certflow.names import CertUnit, ListKind

__all__ = ["Anchor", "build_ctl", "build_itl", "ctl_of", "is_listed", "itl_of"]

Anchor = Literal["normal", "other"]
"""The certificate that signs as a rule, or the one that ``reset localkey`` takes."""


def build_itl(layout: Layout, world: World, node: str) -> TrustList:
    """The ITL that TFTP on *node* would build from the certificates of now."""
    return itl_of(layout, world, node, "normal")


def build_ctl(layout: Layout, world: World) -> TrustList:
    """The CTL that ``utils ctl update CTLFile``, or a token, would make of the certificates of now.

    A token's CTL has the tokens for its anchors, and nothing else.
    """
    return ctl_of(layout, world, "normal")


def itl_of(layout: Layout, world: World, node: str, anchor: Anchor) -> TrustList:
    """The ITL of *node*, signed by *anchor*."""
    callmanager = world.real(world.current(CertUnit.CALLMANAGER, node))
    sast, signer = _anchors(layout, world, node, anchor)
    return TrustList(
        kind=ListKind.ITL,
        signer=signer,
        sast=sast,
        tftp=frozenset((callmanager,)),
        ccm=frozenset((callmanager,)) if layout.mixed else frozenset(),
        pin=world.reals(cert for cert in world.gen if cert.unit is CertUnit.TVS),
        capf=_capf(layout, world),
    )


def ctl_of(layout: Layout, world: World, anchor: Anchor) -> TrustList:
    """The CTL, signed by *anchor*; or by a token, where tokens sign it."""
    if layout.signs_by_token:
        sast, signer = frozenset(TOKENS), TOKENS[0]
    else:
        sast, signer = _anchors(layout, world, layout.publisher, anchor)
        if not layout.variant.ctl_lists_itlrecovery and not layout.signer_is_itlrecovery:
            sast = frozenset(cert for cert in sast if cert.unit is not CertUnit.ITLRECOVERY)
    return TrustList(
        kind=ListKind.CTL,
        signer=signer,
        sast=sast,
        tftp=world.reals(world.current(CertUnit.CALLMANAGER, n) for n in layout.tftp_nodes),
        ccm=world.reals(world.current(CertUnit.CALLMANAGER, n) for n in layout.callmanager_nodes),
        pin=frozenset(),
        capf=_capf(layout, world),
    )


def is_listed(layout: Layout, tftp_node: str, unit: CertUnit, node: str) -> bool:
    """Whether the ITL of *tftp_node* has a record of *unit* of *node*."""
    match unit:
        case CertUnit.CALLMANAGER:
            return node == tftp_node
        case CertUnit.ITLRECOVERY:
            return node == layout.itlrecovery_of(tftp_node)
        case CertUnit.CAPF:
            return node == layout.publisher
        case _:
            return unit is CertUnit.TVS


def _capf(layout: Layout, world: World) -> frozenset[Cert]:
    # Below 14 every node has one, and only the publisher's is used (D3). Unkind: it is in the
    # lists whether or not the service is activated, so that a new one always makes new lists.
    return frozenset((world.current(CertUnit.CAPF, layout.publisher),))


def _anchors(
    layout: Layout, world: World, node: str, anchor: Anchor
) -> tuple[frozenset[Cert], Cert]:
    callmanager = world.real(world.current(CertUnit.CALLMANAGER, node))
    if not layout.has_itlrecovery:
        return frozenset((callmanager,)), callmanager
    recovery = world.current(CertUnit.ITLRECOVERY, layout.itlrecovery_of(node))
    by_recovery = layout.signer_is_itlrecovery == (anchor == "normal")
    return frozenset((callmanager, recovery)), recovery if by_recovery else callmanager
