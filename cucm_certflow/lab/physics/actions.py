"""What people, services and phones do exists here as pure functions from world to world.

Where the field's documents are silent the unkind reading was taken, and the comment says so.
"""

from __future__ import annotations

from typing import Literal

from cucm_certflow.lab.physics.phones import accepts, can_register, home
from cucm_certflow.lab.physics.world import (
    PRESENTED_BY,
    Cert,
    Layout,
    Phone,
    PhoneKind,
    TrustList,
    World,
)
from cucm_certflow.names import CertUnit, ListKind, Service

__all__ = [
    "boot",
    "build_ctl",
    "build_itl",
    "delete_lists",
    "initial",
    "power",
    "regenerate",
    "reset_localkey",
    "reset_phones",
    "restart",
    "start",
    "stop",
    "update_ctl",
]

_UNITS = (
    CertUnit.TOMCAT,
    CertUnit.TOMCAT_ECDSA,
    CertUnit.CALLMANAGER,
    CertUnit.TVS,
    CertUnit.ITLRECOVERY,
    CertUnit.CAPF,
)


def initial(layout: Layout, kinds: tuple[PhoneKind, ...]) -> World:
    """Everything at generation 1 and consistent; each phone holds what its first TFTP serves.

    Raises:
        ValueError: the layout has no publisher, or a kind names a node that cannot serve it.
    """
    for kind in kinds:
        _check_kind(layout, kind)
    gen = tuple(
        Cert(unit, node.name, 1)
        for node in layout.nodes
        for unit in _UNITS
        if layout.has(unit, node.name)
    )
    world = World(
        gen=gen,
        presented=tuple(
            Cert(unit, node.name, 1)
            for node in layout.nodes
            for service, units in PRESENTED_BY.items()
            if layout.runs(service, node.name)
            for unit in units
            if layout.has(unit, node.name)
        ),
        signing=tuple(Cert(CertUnit.CALLMANAGER, name, 1) for name in layout.tftp_nodes),
        itl=(),
        ctl=(),
        down=frozenset(),
        phones=(),
    )
    ctl = build_ctl(layout, world) if layout.mixed else None
    world = world._replace(
        itl=tuple((name, build_itl(layout, world, name)) for name in layout.tftp_nodes),
        ctl=tuple((name, ctl) for name in layout.tftp_nodes),
    )
    return world._replace(
        phones=tuple(
            Phone(itl=world.itl_of(kind.tftp[0]) if kind.asks_tvs else None, ctl=ctl)
            for kind in kinds
        )
    )


def build_itl(layout: Layout, world: World, node: str) -> TrustList:
    """The ITL that TFTP on *node* would build from the certificates of now."""
    return _itl(layout, world, node, "normal")


def build_ctl(layout: Layout, world: World) -> TrustList:
    """The CTL that ``utils ctl update CTLFile`` would write from the certificates of now."""
    return _ctl(layout, world, "normal")


def regenerate(layout: Layout, world: World, unit: CertUnit, node: str) -> World:
    """A new generation of *unit* on *node*; processes go on with what they started with.

    TVS knows the new certificate at once and the old one no more (the database is followed within
    seconds). Unkind: a list signed by the old certificate is then vouched for by nobody.

    Raises:
        ValueError: the node owns no such certificate.
    """
    if not layout.has(unit, node):
        message = f"{node} owns no {unit.value} certificate on {_dotted(layout.release)}"
        raise ValueError(message)
    old = world.current(unit, node)
    new = old._replace(generation=old.generation + 1)
    world = world._replace(gen=_swap(world.gen, new))
    if unit is CertUnit.TVS and layout.variant.tvs_restarts_itself:
        world = world._replace(presented=_swap(world.presented, new))
    if layout.variant.itl_rebuilt_at_once:
        for name in layout.tftp_nodes:
            if world.up(Service.TFTP, name) and _lists(layout, name, unit, node):
                world = _load_tftp(layout, world, name)
    return world


def restart(
    layout: Layout,
    world: World,
    service: Service,
    node: str,
    kinds: tuple[PhoneKind, ...] | None = None,
) -> World:
    """The process takes up the certificates of now; a stopped service runs afterwards.

    TVS, CallManager and Tomcat present their current certificates; TFTP rebuilds its ITL and signs
    with the current CallManager certificate. Phones that are registered with a restarted
    CallManager register anew, without loading any list: a secure one that cannot accept the
    certificate stays unregistered until it boots by itself.

    Args:
        layout: what does not change.
        world: the world before.
        service: what to restart.
        node: where.
        kinds: of the phones of this world; needed for CallManager, because registrations move.

    Raises:
        ValueError: the service is not activated there, or *kinds* is missing for CallManager.
    """
    _check_service(layout, service, node)
    if service is Service.CALLMANAGER:
        world = _run(layout, world, service, node)
        return _register_anew(layout, _kinds(world, kinds), world, node)
    return _run(layout, world, service, node)


def stop(
    layout: Layout,
    world: World,
    service: Service,
    node: str,
    kinds: tuple[PhoneKind, ...] | None = None,
) -> World:
    """The service answers nobody from now on; phones move on to the next CallManager.

    Raises:
        ValueError: as for :func:`restart`.
    """
    _check_service(layout, service, node)
    after = world._replace(down=world.down | {(node, service)})
    if service is not Service.CALLMANAGER:
        return after
    known = _kinds(world, kinds)
    phones = tuple(
        phone._replace(registered=can_register(layout, after, kind, phone))
        if home(world, kind) == node
        else phone
        for kind, phone in zip(known, world.phones, strict=True)
    )
    return after._replace(phones=phones)


def start(
    layout: Layout,
    world: World,
    service: Service,
    node: str,
    kinds: tuple[PhoneKind, ...] | None = None,
) -> World:
    """A stopped service runs again, with the certificates of now; a running one is not touched.

    Raises:
        ValueError: as for :func:`restart`.
    """
    if world.up(service, node):
        _check_service(layout, service, node)
        return world
    return restart(layout, world, service, node, kinds)


def update_ctl(layout: Layout, world: World) -> World:
    """``utils ctl update CTLFile``: a new CTL on every TFTP node, signed by the usual anchor.

    Raises:
        ValueError: the cluster is not in mixed mode.
    """
    _check_mixed(layout)
    ctl = build_ctl(layout, world)
    return world._replace(ctl=tuple((name, ctl) for name in layout.tftp_nodes))


def reset_localkey(layout: Layout, world: World, kind: ListKind) -> World:
    """``utils itl|ctl reset localkey``: the publisher's list, signed by the other anchor.

    The other anchor is ITLRecovery up to 11.5 and the publisher's CallManager certificate from
    12.0 on. Every TFTP node serves the publisher's list afterwards, until its TFTP restarts; a
    phone homed on a subscriber may know neither anchor of it.

    Raises:
        ValueError: the release has no such command, or there is no CTL.
    """
    if not layout.has_itlrecovery:
        message = f"reset localkey came with 10.0, this cluster runs {_dotted(layout.release)}"
        raise ValueError(message)
    if kind is ListKind.ITL:
        itl = _itl(layout, world, layout.publisher, "other")
        return world._replace(itl=tuple((name, itl) for name in layout.tftp_nodes))
    _check_mixed(layout)
    ctl = _ctl(layout, world, "other")
    return world._replace(ctl=tuple((name, ctl) for name in layout.tftp_nodes))


def boot(
    layout: Layout,
    kinds: tuple[PhoneKind, ...],
    world: World,
    phone_index: int,
    tftp_node: str | None = None,
) -> World:
    """One phone loads CTL, ITL and configuration from one TFTP node, then registers if it can.

    The node is *tftp_node*, or the first of the phone's TFTP nodes that runs. A stopped TFTP
    serves no file: the phone keeps what it has and tries to register with that. A phone that is
    off does nothing. A phone that came empty takes both lists of this visit: its leap of faith is
    one visit long, not one file.

    Raises:
        ValueError: the phone may not use *tftp_node*.
    """
    kind = kinds[phone_index]
    phone = world.phones[phone_index]
    if tftp_node is not None and tftp_node not in kind.tftp:
        message = f"{kind.name} may use TFTP on {', '.join(kind.tftp)}, not on {tftp_node}"
        raise ValueError(message)
    if not phone.on:
        return world
    if tftp_node is None:
        tftp_node = next((name for name in kind.tftp if world.up(Service.TFTP, name)), None)
    if tftp_node is not None and world.up(Service.TFTP, tftp_node):
        phone = _load(layout, world, kind, phone, tftp_node)
    phone = phone._replace(registered=can_register(layout, world, kind, phone))
    return _with_phone(world, phone_index, phone)


def reset_phones(
    layout: Layout,
    kinds: tuple[PhoneKind, ...],
    world: World,
    indexes: tuple[int, ...] | None = None,
) -> World:
    """Phones are told to reset, all or those of *indexes*; only a registered phone hears it."""
    for index in range(len(world.phones)) if indexes is None else indexes:
        phone = world.phones[index]
        if phone.on and phone.registered:
            world = boot(layout, kinds, world, index)
    return world


def power(
    layout: Layout,
    kinds: tuple[PhoneKind, ...],
    world: World,
    index: int,
    on: bool,  # noqa: FBT001 - a switch has two positions
) -> World:
    """A phone is switched off, keeping its lists, or on, whereupon it boots."""
    phone = world.phones[index]
    if phone.on == on:
        return world
    if not on:
        return _with_phone(world, index, phone._replace(on=False, registered=False))
    return boot(layout, kinds, _with_phone(world, index, phone._replace(on=True)), index)


def delete_lists(layout: Layout, kinds: tuple[PhoneKind, ...], world: World, index: int) -> World:
    """Somebody walks to the phone and deletes its lists; it boots empty, if it is on."""
    world = _with_phone(world, index, world.phones[index]._replace(itl=None, ctl=None))
    return boot(layout, kinds, world, index)


_Anchor = Literal["normal", "other"]


def _itl(layout: Layout, world: World, node: str, anchor: _Anchor) -> TrustList:
    callmanager = world.current(CertUnit.CALLMANAGER, node)
    sast, signer = _anchors(layout, world, node, anchor)
    return TrustList(
        kind=ListKind.ITL,
        signer=signer,
        sast=sast,
        tftp=frozenset((callmanager,)),
        ccm=frozenset((callmanager,)) if layout.mixed else frozenset(),
        pin=frozenset(cert for cert in world.gen if cert.unit is CertUnit.TVS),
        capf=frozenset(cert for cert in world.gen if cert.unit is CertUnit.CAPF),
    )


def _ctl(layout: Layout, world: World, anchor: _Anchor) -> TrustList:
    # Below 10.0 USB tokens signed the CTL. They are not modelled: unkind, because a token's
    # signature survives every regeneration and the CallManager certificate's does not.
    sast, signer = _anchors(layout, world, layout.publisher, anchor)
    if not layout.variant.ctl_lists_itlrecovery and not layout.signer_is_itlrecovery:
        sast = frozenset(cert for cert in sast if cert.unit is CertUnit.CALLMANAGER)
    return TrustList(
        kind=ListKind.CTL,
        signer=signer,
        sast=sast,
        tftp=frozenset(world.current(CertUnit.CALLMANAGER, n) for n in layout.tftp_nodes),
        ccm=frozenset(world.current(CertUnit.CALLMANAGER, n) for n in layout.callmanager_nodes),
        pin=frozenset(),
        capf=frozenset(cert for cert in world.gen if cert.unit is CertUnit.CAPF),
    )


def _lists(layout: Layout, tftp_node: str, unit: CertUnit, node: str) -> bool:
    """Whether the ITL of *tftp_node* has a record of *unit* of *node*."""
    match unit:
        case CertUnit.CALLMANAGER:
            return node == tftp_node
        case CertUnit.ITLRECOVERY:
            return node == layout.itlrecovery_of(tftp_node)
        case _:
            return unit in (CertUnit.TVS, CertUnit.CAPF)


def _anchors(
    layout: Layout, world: World, node: str, anchor: _Anchor
) -> tuple[frozenset[Cert], Cert]:
    callmanager = world.current(CertUnit.CALLMANAGER, node)
    if not layout.has_itlrecovery:
        return frozenset((callmanager,)), callmanager
    recovery = world.current(CertUnit.ITLRECOVERY, layout.itlrecovery_of(node))
    by_recovery = layout.signer_is_itlrecovery == (anchor == "normal")
    return frozenset((callmanager, recovery)), recovery if by_recovery else callmanager


def _load(layout: Layout, world: World, kind: PhoneKind, phone: Phone, node: str) -> Phone:
    empty = phone.itl is None and phone.ctl is None
    ctl = world.ctl_of(node)
    # No CTL served is no file to judge: a phone that holds one keeps it.
    if ctl is not None and ctl != phone.ctl and accepts(layout, world, kind, phone, ctl):
        phone = phone._replace(ctl=ctl)
    itl = world.itl_of(node)
    if not kind.asks_tvs or itl == phone.itl:
        return phone
    if empty or accepts(layout, world, kind, phone, itl):
        phone = phone._replace(itl=itl)
    return phone


def _run(layout: Layout, world: World, service: Service, node: str) -> World:
    if (node, service) in world.down:
        world = world._replace(down=world.down - {(node, service)})
    units = PRESENTED_BY.get(service)
    if units is None:
        return _load_tftp(layout, world, node)
    for unit in units:
        if layout.has(unit, node):
            world = world._replace(presented=_swap(world.presented, world.current(unit, node)))
    return world


def _load_tftp(layout: Layout, world: World, node: str) -> World:
    itl = build_itl(layout, world, node)
    return world._replace(
        itl=tuple((name, itl if name == node else served) for name, served in world.itl),
        signing=_swap(world.signing, world.current(CertUnit.CALLMANAGER, node)),
    )


def _register_anew(layout: Layout, kinds: tuple[PhoneKind, ...], world: World, node: str) -> World:
    # A phone tries again and again by itself, so one that was refused before and can accept what
    # is shown now is back; what it does not do is load a list.
    phones = tuple(
        phone._replace(registered=can_register(layout, world, kind, phone))
        if home(world, kind) == node
        else phone
        for kind, phone in zip(kinds, world.phones, strict=True)
    )
    return world._replace(phones=phones)


def _with_phone(world: World, index: int, phone: Phone) -> World:
    if world.phones[index] == phone:
        return world
    return world._replace(phones=(*world.phones[:index], phone, *world.phones[index + 1 :]))


def _swap(certs: tuple[Cert, ...], new: Cert) -> tuple[Cert, ...]:
    return tuple(new if cert.unit is new.unit and cert.node == new.node else cert for cert in certs)


def _kinds(world: World, kinds: tuple[PhoneKind, ...] | None) -> tuple[PhoneKind, ...]:
    # Forgetting the kinds would leave every phone registered: a kindness that hides losses.
    if kinds is None and not world.phones:
        return ()
    if kinds is None or len(kinds) != len(world.phones):
        message = "a CallManager that stops or starts moves registrations: pass the phones' kinds"
        raise ValueError(message)
    return kinds


def _check_kind(layout: Layout, kind: PhoneKind) -> None:
    if not kind.tftp or not kind.group:
        message = f"{kind.name} needs at least one TFTP node and one node in its group"
        raise ValueError(message)
    for name in kind.tftp:
        _check_service(layout, Service.TFTP, name)
    for name in kind.group:
        _check_service(layout, Service.CALLMANAGER, name)


def _check_service(layout: Layout, service: Service, node: str) -> None:
    if not layout.runs(service, node):
        message = f"{service.value} is not activated on {node}"
        raise ValueError(message)


def _check_mixed(layout: Layout) -> None:
    if not layout.mixed:
        message = "a non-secure cluster has no CTL"
        raise ValueError(message)


def _dotted(release: tuple[int, int]) -> str:
    return f"{release[0]}.{release[1]}"
