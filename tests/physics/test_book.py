"""The rest of the book, one claim at a time: CAPF and LSCs, tokens, stores, backup, partners."""

from __future__ import annotations

import pytest

from cucm_certflow.lab.physics.actions import (
    boot,
    initial,
    issue_lsc,
    regenerate,
    reset_localkey,
    reset_phones,
    restart,
    sign_ctl_by_token,
    update_ctl,
)
from cucm_certflow.lab.physics.judge import health
from cucm_certflow.lab.physics.phones import can_register, vouched
from cucm_certflow.lab.physics.stores import (
    contents,
    delete_trust,
    drf_works,
    partner_works,
    resync,
    update_partner,
)
from cucm_certflow.lab.physics.world import (
    TOKENS,
    Cert,
    Layout,
    Node,
    Partner,
    Trusted,
    Variant,
    World,
)
from cucm_certflow.names import CertUnit, ListKind, Service
from tests.physics.stories import OK, R11_5, R12_5, phone

CM, TVS, CAPF = CertUnit.CALLMANAGER, CertUnit.TVS, CertUnit.CAPF
TOMCAT, IPSEC = CertUnit.TOMCAT, CertUnit.IPSEC
SECURE = (phone(secure=True),)
IMP = Node("imp", False, False, False, False)


def whole(release: tuple[int, int], *, mixed: bool = True) -> Layout:
    nodes = (Node("pub", True, capf=True), Node("sub", False), IMP)
    return Layout(nodes, release, mixed, ecdsa=True, whole=True)


def copy(layout: Layout, world: World, node: str, store: str, cert: Cert) -> Trusted:
    found = [t for t in contents(layout, world, node) if (t.store, t.cert) == (store, cert)]
    assert len(found) == 1
    return found[0]


# ── what exists where ────────────────────────────────────────────────────────────────────────────


def test_capf_is_on_every_cucm_node_below_14_and_then_on_the_publisher_only() -> None:
    for release, nodes in ((R12_5, ["pub", "sub"]), ((14, 0), ["pub"])):
        layout = whole(release)
        assert [n.name for n in layout.nodes if layout.has(CAPF, n.name)] == nodes
        assert initial(layout, ()).itl_of("sub").capf == {Cert(CAPF, "pub", 1)}


def test_every_unit_that_a_node_has_can_be_regenerated() -> None:
    layout = whole(R12_5)
    world = initial(layout, ())
    assert {cert.unit for cert in world.gen} == set(CertUnit)
    for cert in world.gen:
        after = regenerate(layout, world, cert.unit, cert.node)
        assert after.current(cert.unit, cert.node).generation == 2


def test_a_restart_of_its_service_presents_each_new_certificate() -> None:
    layout = whole(R12_5)
    world = initial(layout, ())
    for unit, service, node in (
        (CAPF, Service.CAPF, "pub"),
        (CertUnit.CALLMANAGER_ECDSA, Service.CALLMANAGER, "sub"),
        (CertUnit.CUP_XMPP, Service.XCP_ROUTER, "imp"),
    ):
        after = regenerate(layout, world, unit, node)
        assert after.presents(unit, node).generation == 1
        assert restart(layout, after, service, node, ()).presents(unit, node).generation == 2


# ── CAPF and LSCs ────────────────────────────────────────────────────────────────────────────────


def test_a_secure_phone_hangs_while_its_ctl_names_a_capf_that_is_gone() -> None:
    """F6, TAC 225746."""
    layout = whole(R11_5)
    world = regenerate(layout, initial(layout, SECURE), CAPF, "pub")
    assert world.phones[0].registered  # it had registered before
    assert not can_register(layout, world, SECURE[0], world.phones[0])
    assert not boot(layout, SECURE, world, 0).phones[0].registered
    world = boot(layout, SECURE, update_ctl(layout, world), 0)
    assert world.phones[0].registered
    kind = layout.variant._replace(capf_of_ctl_must_be_current=False)
    kind_layout = layout._replace(variant=kind)
    world = regenerate(kind_layout, initial(kind_layout, SECURE), CAPF, "pub")
    assert can_register(kind_layout, world, SECURE[0], world.phones[0])


def test_an_old_lsc_is_good_until_somebody_deletes_its_capf() -> None:
    """F29."""
    layout = whole(R12_5)
    old = Cert(CAPF, "pub", 1)
    world = update_ctl(layout, regenerate(layout, initial(layout, SECURE), CAPF, "pub"))
    world = boot(layout, SECURE, world, 0)
    assert world.phones[0].registered
    assert world.phones[0].lsc == old
    orphaned = delete_trust(layout, world, copy(layout, world, "sub", "CAPF-trust", old))
    assert not can_register(layout, orphaned, SECURE[0], orphaned.phones[0])
    world = restart(layout, world, Service.CAPF, "pub")
    renewed = issue_lsc(layout, world, 0)
    renewed = delete_trust(layout, renewed, copy(layout, renewed, "sub", "CAPF-trust", old))
    assert can_register(layout, renewed, SECURE[0], renewed.phones[0])


def test_capf_trust_is_emptied_node_by_node_below_12_5_and_at_once_from_then_on() -> None:
    for release, still in ((R11_5, True), (R12_5, False)):
        layout = whole(release)
        world = regenerate(layout, initial(layout, ()), CAPF, "pub")
        entry = copy(layout, world, "pub", "CAPF-trust", Cert(CAPF, "pub", 1))
        after = delete_trust(layout, world, entry)
        assert entry not in contents(layout, after, "pub")
        assert (entry._replace(node="sub") in contents(layout, after, "sub")) is still


# ── tokens ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("layout", [whole((9, 1)), whole(R11_5)._replace(token_ctl=True)])
def test_only_a_token_renews_a_ctl_that_a_token_signed(layout: Layout) -> None:
    world = initial(layout, SECURE)
    ctl = world.ctl_of("pub")
    assert ctl is not None
    assert ctl.signer == TOKENS[0]
    assert ctl.sast == frozenset(TOKENS)
    world = regenerate(layout, world, CM, "pub")
    with pytest.raises(ValueError, match="USB token"):
        update_ctl(layout, world)
    if layout.has_itlrecovery:
        with pytest.raises(ValueError, match="USB token"):
            reset_localkey(layout, world, ListKind.CTL)
    signed = sign_ctl_by_token(layout, world).ctl_of("pub")
    assert signed is not None
    assert signed.sast == ctl.sast
    assert Cert(CM, "pub", 2) in signed.ccm
    assert health(layout, SECURE, world, 0) is OK


# ── stores, backup ───────────────────────────────────────────────────────────────────────────────


def test_what_left_a_trust_store_is_vouched_for_no_more() -> None:
    """A5, D15."""
    layout, kinds = whole(R11_5), (phone(),)
    world = regenerate(layout, initial(layout, kinds), CM, "pub")
    new = Cert(CM, "pub", 2)
    assert vouched(layout, world, kinds[0], world.phones[0], new)
    after = delete_trust(layout, world, copy(layout, world, "sub", "CallManager-trust", new))
    assert not any(t.cert == new for t in contents(layout, after, "pub"))
    assert not vouched(layout, after, kinds[0], after.phones[0], new)


def test_a_database_that_is_behind_vouches_for_nothing_new() -> None:
    layout, kinds = whole(R11_5), (phone(group=("sub",)),)
    new = Cert(CM, "pub", 2)
    world = regenerate(layout, initial(layout, kinds), CM, "pub")
    behind = world._replace(unaware=frozenset({("sub", new)}))
    assert vouched(layout, world, kinds[0], world.phones[0], new)
    assert not vouched(layout, behind, kinds[0], behind.phones[0], new)


def test_what_comes_back_does_unless_notification_was_stopped_everywhere() -> None:
    """X2."""
    layout = whole(R11_5)
    entry = Trusted("pub", "tomcat-trust", None, "old-ca.pem", comes_back=True)
    world = initial(layout, ())._replace(kept=frozenset({entry}))
    after = delete_trust(layout, world, entry)
    assert entry not in contents(layout, after, "pub")
    assert entry in contents(layout, resync(after), "pub")
    stopped = {(node, Service.CERTIFICATE_CHANGE_NOTIFICATION) for node in ("pub", "sub")}
    stopped |= {
        ("imp", Service.INTERCLUSTER_SYNC_AGENT),
        ("imp", Service.PLATFORM_ADMINISTRATIVE_WEB),
    }
    for running in ({}, *({each} for each in stopped)):
        quiet = world._replace(down=frozenset(stopped - set(running)))
        gone = resync(delete_trust(layout, quiet, entry))
        assert (entry in contents(layout, gone, "pub")) is bool(running)
    with pytest.raises(ValueError, match="no such certificate"):
        delete_trust(layout, world, entry._replace(name="another.pem"))


def test_backup_goes_by_ipsec_up_to_13_and_by_tomcat_from_14() -> None:
    """F13, D11."""
    for release, unit in ((R12_5, IPSEC), ((14, 0), TOMCAT)):
        layout = whole(release)
        world = initial(layout, ())
        assert all(drf_works(layout, world, node.name) for node in layout.nodes)
        other = TOMCAT if unit is IPSEC else IPSEC
        assert drf_works(layout, regenerate(layout, world, other, "pub"), "sub")
        world = regenerate(layout, world, unit, "pub")
        assert not drf_works(layout, world, "sub")
        world = restart(layout, world, Service.DRF_MASTER, "pub")
        assert not drf_works(layout, world, "sub")
        world = restart(layout, world, Service.DRF_LOCAL, "sub")
        assert drf_works(layout, world, "sub")
        store = f"{unit.value}-trust"
        gone = delete_trust(layout, world, copy(layout, world, "sub", store, Cert(unit, "pub", 2)))
        assert not drf_works(layout, gone, "sub")


# ── outside ──────────────────────────────────────────────────────────────────────────────────────


def test_a_partner_works_again_when_somebody_told_it_and_tomcat_restarted() -> None:
    """F27."""
    layout = whole(R12_5)
    world = initial(layout, ())
    world = world._replace(partners=(Partner("uccx", (TOMCAT,), (), frozenset()),))
    world = update_partner(layout, world, "uccx")
    assert partner_works(layout, world, world.partners[0])
    world = regenerate(layout, world, TOMCAT, "sub")
    assert partner_works(layout, world, world.partners[0])  # the old one is still shown
    world = restart(layout, world, Service.TOMCAT, "sub")
    assert not partner_works(layout, world, world.partners[0])
    world = update_partner(layout, world, "uccx")
    assert partner_works(layout, world, world.partners[0])
    with pytest.raises(ValueError, match="no partner is called"):
        update_partner(layout, world, "nobody")


# ── shared, over ─────────────────────────────────────────────────────────────────────────────────


def test_a_shared_certificate_that_one_node_regenerates_is_its_own_from_then_on() -> None:
    """F18, F21."""
    layout = whole((14, 0))
    shared = Cert(TVS, "pub", 1)
    world = initial(layout, (), ((Cert(TVS, "sub", 1), shared),))
    assert world.itl_of("pub").pin == {shared}
    world = restart(layout, regenerate(layout, world, TVS, "sub"), Service.TFTP, "pub")
    assert world.itl_of("pub").pin == {shared, Cert(TVS, "sub", 2)}


def test_who_reuses_tomcats_certificate_signs_with_its_new_one() -> None:
    layout, kinds = whole((14, 0)), (phone(secure=True),)
    first, new = Cert(TOMCAT, "pub", 1), Cert(TOMCAT, "pub", 2)
    world = initial(layout, kinds, ((Cert(CM, "pub", 1), first),))
    assert world.itl_of("pub").tftp == {first}
    assert can_register(layout, world, kinds[0], world.phones[0])
    world = regenerate(layout, world, TOMCAT, "pub")
    for service in (Service.TFTP, Service.CALLMANAGER):
        world = restart(layout, world, service, "pub", kinds)
    assert world.real(world.signs("pub")) == new
    assert world.itl_of("pub").tftp == {new}
    world = reset_phones(layout, kinds, update_ctl(layout, world))
    assert world.phones[0].registered


def test_nobody_believes_what_is_over_if_the_variant_says_so() -> None:
    layout = whole(R11_5)._replace(expired=frozenset({Cert(TVS, "pub", 1), Cert(TVS, "sub", 1)}))
    strict = layout._replace(variant=Variant(expired_is_refused=True))
    kinds = (phone(),)
    world = regenerate(layout, initial(layout, kinds), CM, "pub")
    new = Cert(CM, "pub", 2)
    assert vouched(layout, world, kinds[0], world.phones[0], new)
    assert not vouched(strict, world, kinds[0], world.phones[0], new)
