"""What people, services and phones do exists here as pure functions from world to world.

Where the field's documents are silent the unkind reading was taken, and the comment says so.
"""

from __future__ import annotations

from cucm_certflow.lab.physics.lists import build_ctl, build_itl, ctl_of, is_listed, itl_of
from cucm_certflow.lab.physics.phones import accepts, can_register, home
from cucm_certflow.lab.physics.world import (
    PRESENTED_BY,
    Cert,
    Drf,
    Layout,
    Phone,
    PhoneKind,
    Trusted,
    World,
)
from cucm_certflow.names import CertUnit, ListKind, Service

__all__ = [
    "boot",
    "build_ctl",
    "build_itl",
    "delete_lists",
    "initial",
    "issue_lsc",
    "power",
    "regenerate",
    "reset_localkey",
    "reset_phones",
    "restart",
    "sign_ctl_by_token",
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
    CertUnit.IPSEC,
    CertUnit.CALLMANAGER_ECDSA,
    CertUnit.CUP,
    CertUnit.CUP_ECDSA,
    CertUnit.CUP_XMPP,
    CertUnit.CUP_XMPP_ECDSA,
    CertUnit.CUP_XMPP_S2S,
    CertUnit.CUP_XMPP_S2S_ECDSA,
)
_DRF = (Service.DRF_MASTER, Service.DRF_LOCAL)


def initial(
    layout: Layout,
    kinds: tuple[PhoneKind, ...],
    same: tuple[tuple[Cert, Cert], ...] = (),
) -> World:
    """Everything at generation 1 and consistent; each phone holds what its first TFTP serves.

    A secure phone has an LSC of the present CAPF.

    Args:
        layout: What does not change.
        kinds: The phones.
        same: Certificates that are really another's (multi-server, reused), and whose.

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
        same=same,
    )
    identity = _drf_identity(layout, world)
    world = world._replace(
        drf=tuple(
            Drf(node.name, service, identity)
            for node in layout.nodes
            for service in _DRF
            if identity is not None and layout.runs(service, node.name)
        )
    )
    ctl = build_ctl(layout, world) if layout.mixed else None
    world = world._replace(
        itl=tuple((name, build_itl(layout, world, name)) for name in layout.tftp_nodes),
        ctl=tuple((name, ctl) for name in layout.tftp_nodes),
    )
    return world._replace(
        phones=tuple(
            Phone(
                itl=world.itl_of(kind.tftp[0]) if kind.asks_tvs else None,
                ctl=ctl,
                lsc=world.current(CertUnit.CAPF, layout.publisher) if kind.secure else None,
            )
            for kind in kinds
        )
    )


def regenerate(layout: Layout, world: World, unit: CertUnit, node: str) -> World:
    """A new generation of *unit* on *node*; processes go on with what they started with.

    TVS knows the new certificate at once and the old one no more (the database is followed within
    seconds). Unkind: a list signed by the old certificate is then vouched for by nobody. What the
    node shared with others (multi-server) it has for itself from now on, self-signed: the others
    keep what they have (F18, F21). Who reuses Tomcat's certificate for CallManager gets the new
    one of Tomcat for both. An old CAPF stays in the trust stores: its subject is another one.

    Raises:
        ValueError: the node owns no such certificate.
    """
    if not layout.has(unit, node):
        message = f"{node} owns no {unit.value} certificate on {_dotted(layout.release)}"
        raise ValueError(message)
    old = world.current(unit, node)
    new = old._replace(generation=old.generation + 1)
    world = _shared_anew(layout, world, old, new)
    world = world._replace(gen=_swap(world.gen, new))
    if unit is CertUnit.CAPF and node == layout.publisher:
        world = _capf_kept(layout, world, old)
    if unit is CertUnit.CAPF and layout.release >= (14, 0) and layout.runs(Service.CAPF, node):
        # 14: the CAPF service restarts itself when its certificate is regenerated.
        world = world._replace(presented=_swap(world.presented, new))
    if unit is CertUnit.TVS and layout.variant.tvs_restarts_itself:
        world = world._replace(presented=_swap(world.presented, new))
    if layout.variant.itl_rebuilt_at_once:
        for name in layout.tftp_nodes:
            if world.up(Service.TFTP, name) and is_listed(layout, name, unit, node):
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

    What shows certificates shows the current ones; TFTP rebuilds its ITL and signs
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
        ValueError: the cluster is not in mixed mode, or USB tokens sign its CTL.
    """
    _check_mixed(layout)
    if layout.signs_by_token:
        message = "the CTL is signed by a USB token: no command of a node renews it"
        raise ValueError(message)
    return _with_new_ctl(layout, world)


def sign_ctl_by_token(layout: Layout, world: World) -> World:
    """Somebody with the USB token runs the CTL client: a new CTL, signed by that token.

    Raises:
        ValueError: the cluster is not in mixed mode, or no token signs its CTL.
    """
    _check_mixed(layout)
    if not layout.signs_by_token:
        message = "the CTL is signed by the cluster itself"
        raise ValueError(message)
    return _with_new_ctl(layout, world)


def issue_lsc(layout: Layout, world: World, index: int) -> World:
    """CAPF issues a new LSC to a phone that is registered.

    Raises:
        ValueError: CAPF does not run, or the phone is not registered.
    """
    phone, publisher = world.phones[index], layout.publisher
    if not layout.runs(Service.CAPF, publisher) or not world.up(Service.CAPF, publisher):
        message = f"{Service.CAPF.value} does not run on {publisher}"
        raise ValueError(message)
    if not phone.on or not phone.registered:
        message = "a phone without registration hears of no CAPF operation"
        raise ValueError(message)
    return _with_phone(world, index, phone._replace(lsc=world.presents(CertUnit.CAPF, publisher)))


def reset_localkey(layout: Layout, world: World, kind: ListKind) -> World:
    """``utils itl|ctl reset localkey``: the publisher's list, signed by the other anchor.

    The other anchor is ITLRecovery up to 11.5 and the publisher's CallManager certificate from
    12.0 on. Every TFTP node serves the publisher's list afterwards, until its TFTP restarts; a
    phone homed on a subscriber may know neither anchor of it.

    Raises:
        ValueError: the release has no such command, or there is no CTL that the cluster signs.
    """
    if not layout.has_itlrecovery:
        message = f"reset localkey came with 10.0, this cluster runs {_dotted(layout.release)}"
        raise ValueError(message)
    if kind is ListKind.ITL:
        itl = itl_of(layout, world, layout.publisher, "other")
        return world._replace(itl=tuple((name, itl) for name in layout.tftp_nodes))
    _check_mixed(layout)
    if layout.signs_by_token:
        message = "the CTL is signed by a USB token: there is no other anchor"
        raise ValueError(message)
    ctl = ctl_of(layout, world, "other")
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
    if service is Service.TFTP:
        return _load_tftp(layout, world, node)
    if service in _DRF:
        return _drf_started(layout, world, service, node)
    for unit in PRESENTED_BY.get(service, ()):
        if layout.has(unit, node):
            world = world._replace(presented=_swap(world.presented, world.current(unit, node)))
    return world


def _load_tftp(layout: Layout, world: World, node: str) -> World:
    itl = build_itl(layout, world, node)
    return world._replace(
        itl=tuple((name, itl if name == node else served) for name, served in world.itl),
        signing=_swap(world.signing, world.current(CertUnit.CALLMANAGER, node)),
    )


def _drf_identity(layout: Layout, world: World) -> Cert | None:
    publisher = layout.publisher
    if not layout.has(layout.drf_unit, publisher) or not layout.runs(Service.DRF_LOCAL, publisher):
        return None
    return world.real(world.current(layout.drf_unit, publisher))


def _drf_started(layout: Layout, world: World, service: Service, node: str) -> World:
    identity = _drf_identity(layout, world)
    assert identity is not None  # DRF runs
    return world._replace(
        drf=tuple(
            drf._replace(cert=identity) if (drf.node, drf.service) == (node, service) else drf
            for drf in world.drf
        )
    )


def _shared_anew(layout: Layout, world: World, old: Cert, new: Cert) -> World:
    """Where CallManager is Tomcat's certificate, a new Tomcat is CallManager's new one as well."""
    if not world.same or old.unit is not CertUnit.TOMCAT:
        return world
    if not layout.has(CertUnit.CALLMANAGER, old.node):
        return world
    reusing = world.current(CertUnit.CALLMANAGER, old.node)
    if world.real(reusing) != world.real(old):
        return world
    after = reusing._replace(generation=reusing.generation + 1)
    return world._replace(gen=_swap(world.gen, after), same=(*world.same, (after, new)))


def _capf_kept(layout: Layout, world: World, old: Cert) -> World:
    kept = {
        Trusted(node, store, old)
        for node in layout.calling_nodes
        for store in ("CAPF-trust", "CallManager-trust")
    }
    return world._replace(kept=world.kept | (kept - world.gone))


def _with_new_ctl(layout: Layout, world: World) -> World:
    ctl = build_ctl(layout, world)
    return world._replace(ctl=tuple((name, ctl) for name in layout.tftp_nodes))


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
