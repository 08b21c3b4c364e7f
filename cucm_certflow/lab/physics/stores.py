"""What nodes and partners trust exists here: trust stores, backup, and systems outside."""

from __future__ import annotations

from collections.abc import Iterator

from cucm_certflow.lab.physics.world import Cert, Layout, Partner, Trusted, World
from cucm_certflow.names import CertUnit, Service

__all__ = [
    "automatic",
    "contents",
    "delete_trust",
    "drf_works",
    "partner_works",
    "resync",
    "update_partner",
]

_EVERYWHERE_AT_ONCE = ("tomcat-trust", "CallManager-trust", "CAPF-trust", "Phone-SAST-trust")
_TOMCATS = (CertUnit.TOMCAT, CertUnit.TOMCAT_ECDSA)
_CALLMANAGERS = (CertUnit.CALLMANAGER, CertUnit.CALLMANAGER_ECDSA)
_CUPS = (CertUnit.CUP, CertUnit.CUP_ECDSA)
_XMPPS = (
    CertUnit.CUP_XMPP,
    CertUnit.CUP_XMPP_ECDSA,
    CertUnit.CUP_XMPP_S2S,
    CertUnit.CUP_XMPP_S2S_ECDSA,
)
_IPSEC_COPIED_BELOW = (14, 0)


def automatic(layout: Layout, world: World, node: str) -> frozenset[Trusted]:
    """The copies that the cluster makes by itself in the stores of *node*, of what is current.

    Which store gets what is the lab's invention, but for these: ipsec-trust has the publisher's
    ipsec up to 13 (F13), CallManager-trust the CallManagers (also the EC ones) and CAPF,
    CAPF-trust CAPF, and a self-signed TVS is in none.
    """
    return frozenset(
        Trusted(node, store, world.real(cert)) for store, cert in _copies(layout, world, node)
    )


def _copies(layout: Layout, world: World, node: str) -> Iterator[tuple[str, Cert]]:
    calls = node in layout.calling_nodes
    publisher = layout.publisher
    for cert in world.gen:
        if cert.unit in _TOMCATS:
            yield "tomcat-trust", cert
        elif cert.unit is CertUnit.IPSEC:
            if cert.node == publisher and layout.release < _IPSEC_COPIED_BELOW:
                yield "ipsec-trust", cert
        elif calls and cert.unit in _CALLMANAGERS:
            yield "CallManager-trust", cert
        elif calls and cert.unit is CertUnit.CAPF and cert.node == publisher:
            yield "CallManager-trust", cert
            yield "CAPF-trust", cert
        elif not calls and cert.unit in _CUPS:
            yield "cup-trust", cert
        elif not calls and cert.unit in _XMPPS:
            yield "cup-xmpp-trust", cert  # also those of federation


def contents(layout: Layout, world: World, node: str) -> frozenset[Trusted]:
    """Everything in the trust stores of *node*."""
    kept = frozenset(trusted for trusted in world.kept if trusted.node == node)
    return (automatic(layout, world, node) - world.gone) | kept


def delete_trust(layout: Layout, world: World, trusted: Trusted) -> World:
    """``set cert delete``: a certificate out of a trust store, and perhaps out of all nodes'.

    From tomcat-, CallManager-, CAPF- and Phone-SAST-trust it is gone from the whole cluster (D15),
    from CAPF-trust from 12.5 on only. What comes back does so with the next resync, unless
    notification was stopped: Certificate Change Notification everywhere, and on nodes of IM and
    Presence also the Sync Agent and the administrative web service (X2).

    Raises:
        ValueError: it is not there.
    """
    if trusted not in contents(layout, world, trusted.node):
        message = f"{trusted.store} of {trusted.node} has no such certificate"
        raise ValueError(message)
    of_cluster = trusted.store in _EVERYWHERE_AT_ONCE
    if trusted.store == "CAPF-trust" and layout.release < (12, 5):
        of_cluster = False
    nodes = [node.name for node in layout.nodes] if of_cluster else [trusted.node]
    found = frozenset(
        each
        for node in nodes
        for each in contents(layout, world, node)
        if (each.store, each.cert, each.name) == (trusted.store, trusted.cert, trusted.name)
    )
    is_told = _is_told(layout, world)
    return world._replace(
        kept=world.kept - found,
        gone=world.gone | (found - world.kept),
        returning=world.returning | frozenset(t for t in found if t.comes_back and is_told),
    )


def resync(world: World) -> World:
    """The half-hourly comparison between the nodes: what was deleted and is not settled is back."""
    return world._replace(
        kept=world.kept | world.returning,
        gone=world.gone - world.returning,
        returning=frozenset(),
    )


def _is_told(layout: Layout, world: World) -> bool:
    """Whether anything that carries certificates between nodes still runs."""
    pairs = [(node, Service.CERTIFICATE_CHANGE_NOTIFICATION) for node in layout.calling_nodes]
    for node in layout.presence_nodes:
        pairs += [
            (node, Service.INTERCLUSTER_SYNC_AGENT),
            (node, Service.PLATFORM_ADMINISTRATIVE_WEB),
        ]
    return any(layout.runs(service, node) and world.up(service, node) for node, service in pairs)


def drf_works(layout: Layout, world: World, node: str) -> bool:
    """Whether *node* can be backed up: its DRF Local and the publisher's DRF Master agree.

    Both have to run, and to have started with the publisher's present certificate; and the trust
    store of the node has to have it, up to 13 ipsec-trust and then tomcat-trust (F13, D11). What is
    over is no identity. False in a world that is only about phones.
    """
    publisher = layout.publisher
    if not world.drf:
        return False
    identity = world.real(world.current(layout.drf_unit, publisher))
    if layout.variant.expired_is_refused and identity in layout.expired:
        return False
    store = f"{layout.drf_unit.value}-trust"
    # From 14 on nobody makes the copy in ipsec-trust, and nobody needs it.
    known = any(t.store == store and t.cert == identity for t in contents(layout, world, node))
    processes = {(publisher, Service.DRF_MASTER), (node, Service.DRF_LOCAL)}
    seen = {(drf.node, drf.service) for drf in world.drf if drf.cert == identity}
    return known and processes <= seen and not processes & world.down


def partner_works(layout: Layout, world: World, partner: Partner) -> bool:
    """Whether *partner* holds a copy of every certificate that it meets.

    It meets what is presented, where a process presents it, else what is current.
    """
    shown = {(cert.unit, cert.node): cert for cert in world.presented}
    return all(
        world.real(shown.get((cert.unit, cert.node), cert)) in partner.holds
        for cert in _of_partner(layout, world, partner)
    )


def update_partner(layout: Layout, world: World, name: str) -> World:
    """Somebody gives the partner called *name* the certificates of now, in place of those before.

    Raises:
        ValueError: no partner is called that.
    """
    if all(partner.name != name for partner in world.partners):
        message = f"no partner is called {name[:40]}"
        raise ValueError(message)
    return world._replace(
        partners=tuple(
            partner._replace(holds=world.reals(_of_partner(layout, world, partner)))
            if partner.name == name
            else partner
            for partner in world.partners
        )
    )


def _of_partner(layout: Layout, world: World, partner: Partner) -> list[Cert]:
    nodes = partner.nodes or tuple(node.name for node in layout.nodes)
    return [
        world.current(unit, node)
        for node in nodes
        for unit in partner.units
        if layout.has(unit, node)
    ]
