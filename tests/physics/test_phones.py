"""The phone rule and the registration rule, one claim at a time (trust-model.md §2)."""

from __future__ import annotations

import pytest

from cucm_certflow.lab.physics.actions import (
    boot,
    build_ctl,
    delete_lists,
    initial,
    power,
    regenerate,
    reset_localkey,
    reset_phones,
    restart,
    start,
    stop,
    update_ctl,
)
from cucm_certflow.lab.physics.judge import health, project
from cucm_certflow.lab.physics.phones import (
    accepts,
    can_register,
    config_ok,
    local,
    synced,
    vouched,
)
from cucm_certflow.lab.physics.world import Cert, Layout, Node, Phone, PhoneKind, Variant
from cucm_certflow.names import CertUnit, ListKind, Service
from tests.physics.stories import HAND, LOCALKEY, OK, R11_5, R12_5, cluster, end, phone, verdicts

CM, TVS, ITLR = CertUnit.CALLMANAGER, CertUnit.TVS, CertUnit.ITLRECOVERY
NO_TVS_FOR_TLS = Variant(tvs_vouches_for_registration=False)

# Without Security By Default: Jabber, 7940, many TelePresence units.
OLD = PhoneKind("old", ("pub", "sub"), ("pub",), asks_tvs=False)
OLD_SECURE = OLD._replace(secure=True)
WALLED = PhoneKind("walled", ("pub", "sub"), ("pub",), reaches_tvs=False)


# ── words ────────────────────────────────────────────────────────────────────────────────────────


def test_a_certificate_reads_node_unit_generation() -> None:
    assert str(Cert(CM, "pub", 1)) == "pub/CallManager/g1"


def test_an_untouched_cluster_has_every_phone_in_sync_and_registered() -> None:
    for release in ((9, 1), (10, 5), R11_5, (12, 0), R12_5, (15, 0)):
        for mixed in (False, True):
            layout = cluster(release, mixed=mixed)
            kinds = (phone(secure=mixed), phone(tftp=("sub", "pub")), OLD, WALLED)
            world = initial(layout, kinds)
            for kind, each in zip(kinds, world.phones, strict=True):
                assert synced(layout, world, kind, each)
                assert can_register(layout, world, kind, each)
            assert set(verdicts(layout, kinds, world)) == {OK}
            assert reset_phones(layout, kinds, world) == world


@pytest.mark.parametrize(
    ("release", "signer", "owner"),
    [((9, 1), CM, "sub"), (R11_5, CM, "sub"), ((12, 0), ITLR, "sub"), (R12_5, ITLR, "pub")],
)
def test_who_signs_the_itl_of_a_subscriber_depends_on_the_release(
    release: tuple[int, int], signer: CertUnit, owner: str
) -> None:
    world = initial(cluster(release), ())
    assert world.itl_of("sub").signer == Cert(signer, owner, 1)


def test_an_im_and_presence_node_has_only_a_tomcat_of_all_these() -> None:
    layout = Layout((Node("pub", True), Node("imp", False, False, False, False)), R11_5)
    world = initial(layout, ())
    assert {cert.unit for cert in world.gen if cert.node == "imp"} == {CertUnit.TOMCAT}
    assert {cert.unit for cert in world.presented if cert.node == "imp"} == {CertUnit.TOMCAT}
    with pytest.raises(ValueError, match="imp owns no TVS certificate"):
        regenerate(layout, world, TVS, "imp")
    with pytest.raises(ValueError, match="Cisco Tftp is not activated on imp"):
        restart(layout, world, Service.TFTP, "imp")


def test_tomcat_presents_both_of_its_certificates_as_of_its_start() -> None:
    layout = cluster(R11_5)._replace(ecdsa=True)
    world = initial(layout, ())
    both = (CertUnit.TOMCAT, CertUnit.TOMCAT_ECDSA)
    assert all(world.presents(unit, "sub").generation == 1 for unit in both)
    world = regenerate(layout, world, CertUnit.TOMCAT_ECDSA, "sub")
    assert world.current(CertUnit.TOMCAT_ECDSA, "sub").generation == 2
    assert world.presents(CertUnit.TOMCAT_ECDSA, "sub").generation == 1
    world = restart(layout, world, Service.TOMCAT, "sub")
    assert [world.presents(unit, "sub").generation for unit in both] == [1, 2]
    assert world.presents(CertUnit.TOMCAT_ECDSA, "pub").generation == 1


def test_tomcats_other_certificate_is_in_no_list_and_no_phone_asks_for_it() -> None:
    with_it, without = cluster(R11_5, mixed=True)._replace(ecdsa=True), cluster(R11_5, mixed=True)
    worlds = [initial(layout, (phone(),)) for layout in (with_it, without)]
    assert worlds[0].itl == worlds[1].itl
    assert worlds[0].ctl == worlds[1].ctl
    for layout, world in zip((with_it, without), worlds, strict=True):
        after = regenerate(layout, world, CertUnit.TOMCAT, "pub")
        assert health(layout, (phone(),), after, 0) is OK
    after = regenerate(with_it, worlds[0], CertUnit.TOMCAT_ECDSA, "pub")
    assert project(with_it, (phone(),), after, 0) == project(with_it, (phone(),), worlds[0], 0)
    with pytest.raises(ValueError, match="pub owns no tomcat-ECDSA certificate"):
        regenerate(without, worlds[1], CertUnit.TOMCAT_ECDSA, "pub")


def test_the_single_itlrecovery_of_12_5_is_the_publishers() -> None:
    with pytest.raises(ValueError, match=r"sub owns no ITLRecovery certificate on 12\.5"):
        regenerate(cluster(R12_5), initial(cluster(R12_5), ()), ITLR, "sub")


# ── the phone rule ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("tftp", ["pub", "sub"])
def test_an_empty_phone_takes_what_the_first_visit_offers(tftp: str) -> None:
    layout = cluster(R11_5, mixed=True)
    kinds = (phone(tftp=(tftp,), secure=True),)
    world = end(layout, kinds, "CM > TVS > ITLR > rTVS > rTFTP > ctl > rCM")
    assert verdicts(layout, kinds, world) == (HAND,)
    world = delete_lists(layout, kinds, world, 0)
    assert synced(layout, world, kinds[0], world.phones[0])
    assert world.phones[0].registered


def test_a_phone_knows_the_anchors_of_both_lists_unless_the_ctl_counts_alone() -> None:
    layout = cluster(R11_5, mixed=True)
    kinds = (phone(tftp=("sub",)),)
    held = initial(layout, kinds).phones[0]
    both = {Cert(CM, "pub", 1), Cert(ITLR, "pub", 1), Cert(CM, "sub", 1), Cert(ITLR, "sub", 1)}
    assert local(layout, held) == both
    strict = layout._replace(variant=Variant(ctl_strict=True))
    assert local(strict, held) == {Cert(CM, "pub", 1), Cert(ITLR, "pub", 1)}


def test_a_phone_without_security_by_default_rejects_a_ctl_of_a_signer_it_does_not_hold() -> None:
    layout, kinds = cluster(R11_5, mixed=True), (OLD, phone())
    world = update_ctl(layout, regenerate(layout, initial(layout, kinds), CM, "pub"))
    ctl = build_ctl(layout, world)
    assert not accepts(layout, world, OLD, world.phones[0], ctl)
    assert accepts(layout, world, kinds[1], world.phones[1], ctl)
    world = reset_phones(layout, kinds, world)
    assert [each.ctl == ctl for each in world.phones] == [False, True]
    assert verdicts(layout, kinds, world) == (LOCALKEY, OK)


def test_a_phone_without_security_by_default_never_holds_an_itl() -> None:
    for mixed in (False, True):
        layout = cluster(R11_5, mixed=mixed)
        world = delete_lists(layout, (OLD,), initial(layout, (OLD,)), 0)
        assert world.phones[0].itl is None
        assert (world.phones[0].ctl is not None) == mixed
        assert not accepts(layout, world, OLD, Phone(None, None), world.itl_of("pub"))


def test_a_phone_without_any_list_is_never_stranded() -> None:
    layout = cluster(R11_5)
    world = end(layout, (OLD,), "CM > TVS > ITLR > rTVS > rTFTP > rCM > reset")
    assert verdicts(layout, (OLD,), world) == (OK,)
    assert config_ok(layout, world, OLD, world.phones[0], "pub")


def test_a_phone_that_cannot_reach_tvs_is_lost_with_the_signer_alone() -> None:
    layout, kinds = cluster(R11_5), (WALLED, phone())
    world = end(layout, kinds, "CM > rTFTP > reset")
    assert verdicts(layout, kinds, world) == (LOCALKEY, OK)


def test_a_stopped_tvs_vouches_for_nobody() -> None:
    layout, kinds = cluster(R11_5), (phone(),)
    world = regenerate(layout, initial(layout, kinds), CM, "pub")
    new = world.current(CM, "pub")

    def rescued() -> bool:
        return vouched(layout, world, kinds[0], world.phones[0], new)

    assert rescued()
    world = stop(layout, world, Service.TVS, "pub")
    assert rescued()
    world = stop(layout, world, Service.TVS, "sub")
    assert not rescued()
    world = start(layout, world, Service.TVS, "sub")
    assert rescued()


def test_a_tvs_that_starts_with_a_new_certificate_is_not_recognised() -> None:
    layout, kinds = cluster(R11_5), (phone(group=("pub",)),)
    world = regenerate(layout, initial(layout, kinds), TVS, "pub")
    world = regenerate(layout, world, CM, "pub")
    new = world.current(CM, "pub")
    assert vouched(layout, world, kinds[0], world.phones[0], new)
    world = start(layout, stop(layout, world, Service.TVS, "pub"), Service.TVS, "pub")
    assert not vouched(layout, world, kinds[0], world.phones[0], new)


def test_tvs_vouches_for_what_the_database_holds_now_and_for_nothing_older() -> None:
    layout, kinds = cluster(R11_5), (phone(),)
    world = regenerate(layout, initial(layout, kinds), CM, "pub")
    old, new = Cert(CM, "pub", 1), Cert(CM, "pub", 2)
    assert vouched(layout, world, kinds[0], world.phones[0], new)
    assert not vouched(layout, world, kinds[0], world.phones[0], old)


def test_a_tvs_outside_the_group_is_never_asked() -> None:
    layout, kinds = cluster(R11_5), (phone(group=("sub",)),)
    world = regenerate(layout, initial(layout, kinds), CM, "pub")
    world = stop(layout, world, Service.TVS, "sub")
    assert not vouched(layout, world, kinds[0], world.phones[0], world.current(CM, "pub"))


def test_a_phone_keeps_its_list_when_its_tftp_is_stopped() -> None:
    layout, kinds = cluster(R11_5), (phone(tftp=("pub", "sub")),)
    before = initial(layout, kinds)
    world = stop(layout, before, Service.TFTP, "pub")
    assert boot(layout, kinds, world, 0, "pub").phones == before.phones
    assert boot(layout, kinds, world, 0).phones[0].itl == world.itl_of("sub")
    world = stop(layout, world, Service.TFTP, "sub")
    assert boot(layout, kinds, world, 0).phones == before.phones


def test_below_12_5_localkey_does_not_help_phones_homed_on_a_subscriber() -> None:
    # trust-model.md §5.4 leaves this open; each node's own ITLRecovery is the unkind reading.
    layout, kinds = cluster(R11_5), (phone(tftp=("sub",)), phone(tftp=("pub",)))
    assert verdicts(layout, kinds, end(layout, kinds, "CM > TVS > rTVS")) == (HAND, LOCALKEY)


def test_localkey_is_the_publishers_list_on_every_node_until_tftp_restarts() -> None:
    layout = cluster(R12_5)
    before = initial(layout, ())
    world = reset_localkey(layout, before, ListKind.ITL)
    assert world.itl_of("sub") == world.itl_of("pub")
    assert world.itl_of("sub").signer == Cert(CM, "pub", 1)
    world = restart(layout, world, Service.TFTP, "sub")
    assert world.itl_of("sub") == before.itl_of("sub")


def test_commands_that_the_cluster_does_not_have_are_refused() -> None:
    old, plain = cluster((9, 1)), cluster(R12_5)
    with pytest.raises(ValueError, match=r"came with 10\.0, this cluster runs 9\.1"):
        reset_localkey(old, initial(old, ()), ListKind.ITL)
    with pytest.raises(ValueError, match="non-secure cluster has no CTL"):
        update_ctl(plain, initial(plain, ()))
    with pytest.raises(ValueError, match="non-secure cluster has no CTL"):
        reset_localkey(plain, initial(plain, ()), ListKind.CTL)


# ── registration ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("kind", "variant"),
    [(OLD_SECURE, Variant()), (phone(secure=True), NO_TVS_FOR_TLS)],
    ids=["no-security-by-default", "tvs-no-help-for-tls"],
)
def test_a_secure_phone_is_lost_when_callmanager_restarts_before_it_has_the_new_ctl(
    kind: PhoneKind, variant: Variant
) -> None:
    # 12.5: the CTL's signer stays, so only registration is at stake.
    layout, kinds = cluster(R12_5, mixed=True, variant=variant), (kind,)
    world = end(layout, kinds, "CM > rCM")
    assert not world.phones[0].registered
    world = reset_phones(layout, kinds, update_ctl(layout, world))
    assert not world.phones[0].registered, "the reset went over a registration that is gone"
    world = boot(layout, kinds, world, 0)
    assert world.phones[0].registered, "a visit of its own brings the new CTL"


def test_a_secure_phone_with_tvs_survives_that_restart() -> None:
    layout, kinds = cluster(R12_5, mixed=True), (phone(secure=True),)
    assert end(layout, kinds, "CM > rCM").phones[0].registered
    assert not end(layout, kinds, "CM > TVS > rTVS > rCM").phones[0].registered


def test_a_secure_phone_that_got_the_new_ctl_first_is_back_after_the_restart() -> None:
    layout, kinds = cluster(R12_5, mixed=True), (OLD_SECURE,)
    world = end(layout, kinds, "CM > ctl > reset")
    assert not world.phones[0].registered, "its CTL lists what CallManager does not present yet"
    world = restart(layout, world, Service.CALLMANAGER, "pub", kinds)
    assert world.phones[0].registered


def test_a_secure_phone_finds_callmanager_in_its_itl_too() -> None:
    # The ITL of a TFTP node lists that node's own CallManager in mixed mode.
    layout, kinds = cluster(R12_5, mixed=True, variant=NO_TVS_FOR_TLS), (phone(secure=True),)
    assert end(layout, kinds, "CM > rTFTP > reset > rCM").phones[0].registered
    kinds = (phone(group=("sub",), secure=True),)
    assert not end(layout, kinds, "CM > rTFTP > reset > rCM").phones[0].registered


def test_a_phone_registered_elsewhere_keeps_its_connection_whatever_it_would_accept_now() -> None:
    layout, kinds = cluster(R12_5, mixed=True), (phone(secure=True),)
    world = end(layout, kinds, "CM > rCM > TVS > rTVS")
    assert not can_register(layout, world, kinds[0], world.phones[0])
    world = stop(layout, world, Service.CALLMANAGER, "sub", kinds)
    world = start(layout, world, Service.CALLMANAGER, "sub", kinds)
    assert world.phones[0].registered
    world = restart(layout, world, Service.CALLMANAGER, "pub", kinds)
    assert not world.phones[0].registered


def test_a_restart_of_callmanager_elsewhere_does_not_touch_a_phone() -> None:
    layout, kinds = cluster(R12_5, mixed=True), (OLD_SECURE,)
    assert end(layout, kinds, "CM > rCM@sub").phones[0].registered


def test_a_stopped_callmanager_moves_phones_to_the_next_node_of_their_group() -> None:
    layout = cluster(R12_5, mixed=True, variant=NO_TVS_FOR_TLS)
    alone, pair = phone(group=("pub",), secure=True), phone(secure=True)
    kinds = (alone, pair, OLD)
    world = end(layout, kinds, "CM@sub > rCM@sub")
    assert [each.registered for each in world.phones] == [True, True, True]
    world = stop(layout, world, Service.CALLMANAGER, "pub", kinds)
    assert [each.registered for each in world.phones] == [False, False, True]
    world = start(layout, world, Service.CALLMANAGER, "pub", kinds)
    assert [each.registered for each in world.phones] == [True, True, True]


def test_callmanager_cannot_restart_without_saying_whose_phones_move() -> None:
    layout, kinds = cluster(R12_5), (phone(),)
    with pytest.raises(ValueError, match="pass the phones' kinds"):
        restart(layout, initial(layout, kinds), Service.CALLMANAGER, "pub")


def test_a_reset_does_not_reach_a_phone_that_is_off_or_not_registered() -> None:
    layout, kinds = cluster(R11_5), (phone(), phone(), phone())
    world = power(layout, kinds, initial(layout, kinds), 0, False)
    gone = world.phones[1]._replace(registered=False)
    world = world._replace(phones=(world.phones[0], gone, world.phones[2]))
    world = regenerate(layout, world, CertUnit.CAPF, "pub")
    world = restart(layout, world, Service.TFTP, "pub")
    world = reset_phones(layout, kinds, world)
    served = world.itl_of("pub")
    assert [each.itl == served for each in world.phones] == [False, False, True]
    world = power(layout, kinds, boot(layout, kinds, world, 1), 0, True)
    assert [each.itl == served for each in world.phones] == [True, True, True]
    assert all(each.registered for each in world.phones)


def test_a_reset_of_some_phones_leaves_the_others_alone() -> None:
    layout, kinds = cluster(R11_5), (phone(), phone())
    world = end(layout, kinds, "CAPF > rTFTP")
    world = reset_phones(layout, kinds, world, (1,))
    assert [each.itl == world.itl_of("pub") for each in world.phones] == [False, True]


def test_a_locked_phone_can_be_registered() -> None:
    layout, kinds = cluster(R11_5), (phone(),)
    world = end(layout, kinds, "CM > TVS > rTVS > rTFTP > rCM > reset")
    assert world.phones[0].registered
    assert verdicts(layout, kinds, world) == (LOCALKEY,)


# ── variants ─────────────────────────────────────────────────────────────────────────────────────


def test_an_itl_that_is_rebuilt_at_once_needs_no_restart_of_tftp() -> None:
    layout = cluster(R11_5, variant=Variant(itl_rebuilt_at_once=True))
    world = regenerate(layout, initial(layout, ()), CM, "pub")
    assert world.itl_of("pub").signer == Cert(CM, "pub", 2)
    assert world.signs("pub") == Cert(CM, "pub", 2)
    assert world.itl_of("sub") == initial(layout, ()).itl_of("sub")
    world = regenerate(layout, world, TVS, "pub")
    assert Cert(TVS, "pub", 2) in world.itl_of("sub").pin


def test_an_itl_is_rebuilt_at_once_only_where_its_content_changes() -> None:
    at_once = Variant(itl_rebuilt_at_once=True)
    layout = cluster(R11_5, variant=at_once)
    rescued = reset_localkey(layout, initial(layout, ()), ListKind.ITL)
    world = regenerate(layout, rescued, CM, "pub")
    assert world.itl_of("pub").signer == Cert(CM, "pub", 2)
    assert world.itl_of("sub") == rescued.itl_of("sub")
    layout = cluster(R12_5, variant=at_once)
    world = regenerate(layout, initial(layout, ()), ITLR, "pub")
    assert {served.signer for _, served in world.itl} == {Cert(ITLR, "pub", 2)}
    stopped = stop(layout, world, Service.TFTP, "sub")
    assert regenerate(layout, stopped, TVS, "pub").itl_of("sub") == world.itl_of("sub")


def test_a_ctl_of_10_5_may_name_a_single_anchor() -> None:
    layout = cluster((10, 5), mixed=True, variant=Variant(ctl_lists_itlrecovery=False))
    assert build_ctl(layout, initial(layout, ())).sast == {Cert(CM, "pub", 1)}
