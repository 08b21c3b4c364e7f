"""Every figure of trust-model.md §4, found again by driving the physics without any rule of ours.

The reading that reproduces them all, with nothing tuned:

* The phone uses the publisher's TFTP. One node or two, group (pub) or (pub, sub): the counts of
  §4.2 are the same, and both are tested.
* *Clean-up* is anything: every sequence of restart TVS, restart TFTP, CTL update and a visit of
  the phone, until the cluster has caught up and the phone is in sync with it. Nothing is
  regenerated in it.
* A phone that was off comes back whenever the clean-up likes. Making it visit once at the very
  end of the order, before the clean-up begins, gives the same counts; that is tested too.
* §4.1: TVS and TFTP have restarted since the regenerations (and the CTL was updated or not, which
  makes no difference). Without the restart of TVS the column CM+TVS would be ok: that is the
  escape hatch of §4.2.
* §4.1's last row is both ``ctl_strict`` and ``tvs_vouches_for_ctl=False``; neither alone does it.
* "Secure" is mixed mode. Whether the phone itself registers over TLS makes no difference here,
  because each order has a single reset; it does in §4.4, where CallManager restarts.
* §4.4's "ok everywhere" is every variant but one: on a secure 11.5 whose phones judge a CTL by the
  CTL's anchors only, both published orders end in localkey, because the CTL's signer moves. The
  document says the same in the last row of its §4.5. Likewise "ok only if TVS vouches" (TAC,
  ITLRecovery, 12.5) is necessary, and not sufficient in that variant of a secure cluster.
* §4.5: *exposed* counts a step in which any variant needs more than ordinary actions.
"""

from __future__ import annotations

from collections import Counter

import pytest

from cucm_certflow.lab.physics.actions import initial, power
from cucm_certflow.lab.physics.judge import Health
from cucm_certflow.lab.physics.phones import config_ok
from cucm_certflow.lab.physics.world import Layout, PhoneKind, Variant, World
from tests.physics.stories import (
    ALL_VARIANTS,
    CTL_ANCHORS_ONLY,
    DEFAULT,
    HAND,
    LOCALKEY,
    NO_VOUCH,
    OK,
    R11_5,
    R12_5,
    RESTARTS_ITSELF,
    UNKIND,
    all_orders,
    cheapest_plan,
    cluster,
    end,
    exposed,
    finished,
    phone,
    shortest_prefixes,
    show,
    tally,
    tell,
    verdicts,
)

Release = tuple[int, int]

SETS = ("CM", "TVS", "ITLR", "CM > TVS", "CM > ITLR", "TVS > ITLR", "CM > TVS > ITLR")
SIX = ("CM", "TVS", "ITLR", "rTVS", "rTFTP", "reset")
ONLINE_AND_OFF = (phone("online"), phone("off"))


def off_after(layout: Layout, story: str, *, secure: bool = False) -> Health:
    kinds = (phone(secure=secure),)
    return verdicts(layout, kinds, end(layout, kinds, story, off=(0,)))[0]


# ── §4.1 ─────────────────────────────────────────────────────────────────────────────────────────

TABLE_4_1 = [
    ("11.5", R11_5, DEFAULT, (False, True), (OK, OK, OK, LOCALKEY, OK, OK, HAND)),
    ("12.5, vouches", R12_5, DEFAULT, (False, True), (OK, OK, OK, OK, OK, LOCALKEY, HAND)),
    (
        "12.5, does not",
        R12_5,
        NO_VOUCH,
        (False, True),
        (OK, OK, LOCALKEY, OK, LOCALKEY, LOCALKEY, HAND),
    ),
    (
        "12.5, CTL anchors only",
        R12_5,
        CTL_ANCHORS_ONLY,
        (True,),
        (OK, OK, LOCALKEY, OK, HAND, LOCALKEY, HAND),
    ),
]


@pytest.mark.parametrize("tail", [" > rTVS", " > rTVS > rTFTP", " > rTVS > rTFTP > ctl"])
@pytest.mark.parametrize("row", TABLE_4_1, ids=[r[0] for r in TABLE_4_1])
def test_what_a_switched_off_phone_survives_is_table_4_1(
    row: tuple[str, Release, Variant, tuple[bool, ...], tuple[Health, ...]], tail: str
) -> None:
    name, release, variant, modes, expected = row
    for mixed in modes:
        layout = cluster(release, mixed=mixed, variant=variant)
        found = tuple(off_after(layout, each + tail, secure=mixed) for each in SETS)
        show(f"4.1 {name:24}{tail:24}", "mixed" if mixed else "non  ", *(v.value for v in found))
        assert found == expected


def test_regenerating_callmanager_and_tvs_without_contact_needs_localkey_on_11_5() -> None:
    assert off_after(cluster(R11_5), "CM > TVS > rTVS > rTFTP") is LOCALKEY
    assert off_after(cluster(R12_5), "CM > TVS > rTVS > rTFTP") is OK


def test_without_localkey_the_same_phone_must_be_walked_to_before_10_0() -> None:
    assert off_after(cluster((9, 1)), "CM > TVS > rTVS > rTFTP") is HAND


@pytest.mark.parametrize("release", [R11_5, R12_5])
def test_regenerating_all_three_without_contact_is_beyond_repair(release: Release) -> None:
    assert off_after(cluster(release), "CM > TVS > ITLR > rTVS > rTFTP") is HAND


def test_fn70613_strands_secure_phones_whose_ctl_never_got_the_new_callmanager() -> None:
    layout = cluster(R12_5, mixed=True, variant=CTL_ANCHORS_ONLY)
    kinds = (phone(secure=True),)
    bad = end(layout, kinds, "CM > rTFTP > reset > ITLR > ctl-localkey > reset")
    good = end(layout, kinds, "CM > ctl > rTFTP > reset > rCM > ITLR > ctl-localkey > reset")
    assert verdicts(layout, kinds, bad) == (HAND,)
    assert verdicts(layout, kinds, good) == (OK,)


# ── §4.2 ─────────────────────────────────────────────────────────────────────────────────────────

TABLE_4_2 = [
    ("default", R11_5, False, DEFAULT, "474/18/228", "450/18/252"),
    ("default", R12_5, False, DEFAULT, "474/18/228", "450/18/252"),
    ("TVS restarts itself", R11_5, False, RESTARTS_ITSELF, "150/60/510", "120/60/540"),
    ("TVS restarts itself", R12_5, False, RESTARTS_ITSELF, "150/60/510", "120/60/540"),
    ("no vouch", R12_5, False, NO_VOUCH, "0/468/252", "0/468/252"),
    ("default", R11_5, True, DEFAULT, "3409/291/1340", "3150/301/1589"),
    ("default", R12_5, True, DEFAULT, "3409/291/1340", "3150/301/1589"),
    ("TVS restarts itself", R11_5, True, RESTARTS_ITSELF, "1176/784/3080", "840/798/3402"),
    ("TVS restarts itself", R12_5, True, RESTARTS_ITSELF, "1176/784/3080", "840/798/3402"),
    ("no vouch", R12_5, True, NO_VOUCH, "0/3451/1589", "0/3451/1589"),
]


def orders(layout: Layout, words: tuple[str, ...], kinds: tuple[PhoneKind, ...]) -> tuple[str, ...]:
    words = (*words, "ctl") if layout.mixed else words
    return tally(layout, kinds, all_orders(layout, kinds, words, off=(1,)))


@pytest.mark.parametrize("one_node", [False, True], ids=["two-nodes", "one-node"])
@pytest.mark.parametrize(
    "row",
    TABLE_4_2,
    ids=[f"{r[0]}-{r[1][0]}-{'secure' if r[2] else 'non-secure'}" for r in TABLE_4_2],
)
def test_all_orders_of_six_actions_end_as_in_table_4_2(
    row: tuple[str, Release, bool, Variant, str, str], one_node: bool
) -> None:
    name, release, mixed, variant, online, off = row
    layout = cluster(release, mixed=mixed, variant=variant, one_node=one_node)
    group = ("pub",) if one_node else ("pub", "sub")
    for secure in (False, True) if mixed else (False,):
        kinds = (phone("on", group=group, secure=secure), phone("off", group=group, secure=secure))
        found = orders(layout, SIX, kinds)
        show(f"4.2 {name:20}", release, "secure" if mixed else "non", *found)
        assert found == (online, off)


@pytest.mark.parametrize(
    ("release", "mixed", "off"),
    [(R11_5, False, "450/18/252"), (R12_5, True, "3150/301/1589")],
    ids=["11.5-non-secure", "12.5-secure"],
)
def test_a_visit_before_the_clean_up_makes_no_phone_worse(
    release: Release, mixed: bool, off: str
) -> None:
    layout = cluster(release, mixed=mixed)
    words = (*SIX, "ctl") if mixed else SIX
    visited: Counter[World] = Counter()
    for world, ways in all_orders(layout, ONLINE_AND_OFF, words, off=(1,)).items():
        visited[power(layout, ONLINE_AND_OFF, world, 1, True)] += ways
    assert tally(layout, ONLINE_AND_OFF, visited)[1] == off


FIVE_CM = ("CM", "TVS", "rTVS", "rTFTP", "reset")
FIVE_ITLR = ("ITLR", "TVS", "rTVS", "rTFTP", "reset")
FIVE_BOTH = ("CM", "ITLR", "rTVS", "rTFTP", "reset")


@pytest.mark.parametrize(
    ("words", "release", "mixed", "variant", "online"),
    [
        pytest.param(FIVE_CM, R11_5, False, DEFAULT, "79/41/0", id="CM+TVS-11.5"),
        pytest.param(FIVE_CM, R11_5, False, RESTARTS_ITSELF, "25/95/0", id="CM+TVS-11.5-itself"),
        pytest.param(FIVE_CM, R12_5, False, DEFAULT, "120/0/0", id="CM+TVS-12.5"),
        pytest.param(FIVE_CM, R11_5, True, DEFAULT, "487/233/0", id="CM+TVS-11.5-secure"),
        pytest.param(FIVE_CM, R12_5, True, DEFAULT, "720/0/0", id="CM+TVS-12.5-secure"),
        pytest.param(FIVE_ITLR, R11_5, False, DEFAULT, "120/0/0", id="ITLR+TVS-11.5"),
        pytest.param(FIVE_ITLR, R12_5, False, DEFAULT, "79/41/0", id="ITLR+TVS-12.5"),
        pytest.param(FIVE_ITLR, R12_5, False, NO_VOUCH, "0/120/0", id="ITLR+TVS-12.5-no-vouch"),
        pytest.param(FIVE_BOTH, R11_5, False, DEFAULT, "120/0/0", id="CM+ITLR-11.5"),
        pytest.param(FIVE_BOTH, R12_5, False, DEFAULT, "120/0/0", id="CM+ITLR-12.5"),
        pytest.param(FIVE_BOTH, R12_5, False, NO_VOUCH, "0/120/0", id="CM+ITLR-12.5-no-vouch"),
    ],
)
def test_all_orders_of_five_actions_end_as_in_4_2(
    words: tuple[str, ...], release: Release, mixed: bool, variant: Variant, online: str
) -> None:
    found = orders(cluster(release, mixed=mixed, variant=variant), words, ONLINE_AND_OFF)
    show("4.2", "+".join(words[:2]), release, "secure" if mixed else "non", variant, *found)
    assert found[0] == online


NOT_OK = frozenset((LOCALKEY, HAND))


def test_the_shortest_stranding_prefix_on_11_5_is_callmanager_and_tvs_with_tvs_restarted() -> None:
    # All three: it matters when TVS presents its new certificate, not which is regenerated first.
    assert shortest_prefixes(cluster(R11_5), (phone(),), SIX, NOT_OK) == {
        "CM > TVS > rTVS",
        "TVS > CM > rTVS",
        "TVS > rTVS > CM",
    }


def test_the_shortest_stranding_prefix_on_12_5_is_itlrecovery_and_tvs_with_tvs_restarted() -> None:
    assert shortest_prefixes(cluster(R12_5), (phone(),), SIX, NOT_OK) == {
        "TVS > ITLR > rTVS",
        "ITLR > TVS > rTVS",
        "TVS > rTVS > ITLR",
    }


def test_itlrecovery_alone_strands_on_12_5_if_tvs_does_not_vouch_for_it() -> None:
    layout = cluster(R12_5, variant=NO_VOUCH)
    assert shortest_prefixes(layout, (phone(),), SIX, NOT_OK) == {"ITLR"}


@pytest.mark.parametrize("release", [R11_5, R12_5])
def test_beyond_repair_takes_all_three_and_the_restart_of_tvs(release: Release) -> None:
    found = shortest_prefixes(cluster(release), (phone(),), SIX, frozenset((HAND,)))
    assert "CM > TVS > ITLR > rTVS" in found
    assert {frozenset(prefix.split(" > ")) for prefix in found} == {
        frozenset(("CM", "TVS", "ITLR", "rTVS"))
    }


def test_a_tvs_that_keeps_running_is_an_escape_hatch_until_it_restarts_itself() -> None:
    kinds = (phone(),)
    story = "CM > TVS > rTFTP > reset > rTVS"
    for variant, expected in ((DEFAULT, OK), (RESTARTS_ITSELF, LOCALKEY)):
        layout = cluster(R11_5, variant=variant)
        assert verdicts(layout, kinds, end(layout, kinds, story)) == (expected,)


# ── §4.3 ─────────────────────────────────────────────────────────────────────────────────────────

GROUPS = tuple(
    phone("+".join(group), group=group)
    for group in (("pub",), ("pub", "sub"), ("sub", "pub"), ("sub",))
)


def stranded(layout: Layout, story: str) -> set[str]:
    found = verdicts(layout, GROUPS, end(layout, GROUPS, story))
    return {kind.name for kind, verdict in zip(GROUPS, found, strict=True) if verdict is not OK}


@pytest.mark.parametrize("mixed", [False, True], ids=["non-secure", "secure"])
@pytest.mark.parametrize(
    ("story", "expected"),
    [
        ("CM@pub > TVS@pub > rTVS@pub", {"pub"}),
        ("CM@pub > TVS@sub > rTVS@sub", {"sub"}),
        ("CM@pub > TVS > rTVS", {"pub", "pub+sub", "sub+pub", "sub"}),
        ("CM@sub", set()),
        ("CM@sub > TVS@pub > rTVS@pub", set()),
        ("CM@sub > TVS@sub > rTVS@sub", set()),
        ("CM@sub > TVS > rTVS", set()),
    ],
)
def test_one_recognised_tvs_in_its_group_is_enough_for_a_phone(
    story: str, expected: set[str], mixed: bool
) -> None:
    show(f"4.3 {story:30}", "stranded on 11.5:", sorted(expected))
    assert stranded(cluster(R11_5, mixed=mixed), story) == expected
    assert stranded(cluster(R12_5, mixed=mixed), story) == set()


# ── §4.4 ─────────────────────────────────────────────────────────────────────────────────────────

TAC = "CM > ctl > rCM > rTFTP > reset > TVS > rTVS > rTFTP > reset"
GUIDE = "TVS > rTVS > rTFTP > reset > CM > ctl > rCM > rTFTP > reset"
TOGETHER = "CM > TVS > ctl > rCM > rTVS > rTFTP > reset"
TAC_ITLR = "ITLR > ctl > rTVS > rTFTP > reset"
GUIDE_ITLR = "ITLR > itl-localkey > reset > rTFTP > reset"
GUIDE_ITLR_SECURE = "ITLR > ctl-localkey > reset > ctl > reset"
BEFORE_CONTACT = "ITLR > CM > TVS > ctl > rCM > rTVS > rTFTP > reset"
BOTH_MODES = (False, True)

TABLE_4_4 = [
    ("TAC 214231", TAC, R11_5, BOTH_MODES, DEFAULT, OK, LOCALKEY),
    ("TAC 214231", TAC, R12_5, BOTH_MODES, DEFAULT, OK, OK),
    ("TAC 214231, no vouch", TAC, R12_5, BOTH_MODES, NO_VOUCH, OK, OK),
    ("Guide", GUIDE, R11_5, BOTH_MODES, DEFAULT, OK, LOCALKEY),
    ("Guide", GUIDE, R12_5, BOTH_MODES, DEFAULT, OK, OK),
    ("Guide, TVS restarts itself", GUIDE, R12_5, BOTH_MODES, RESTARTS_ITSELF, OK, OK),
    ("CM+TVS together", TOGETHER, R11_5, BOTH_MODES, DEFAULT, LOCALKEY, LOCALKEY),
    ("CM+TVS together", TOGETHER, R12_5, BOTH_MODES, DEFAULT, OK, OK),
    ("TAC ITLR", TAC_ITLR, R12_5, BOTH_MODES, DEFAULT, OK, OK),
    ("TAC ITLR, no vouch", TAC_ITLR, R12_5, BOTH_MODES, NO_VOUCH, LOCALKEY, LOCALKEY),
    ("Guide ITLR", GUIDE_ITLR, R12_5, (False,), DEFAULT, OK, OK),
    ("Guide ITLR, no vouch", GUIDE_ITLR, R12_5, (False,), NO_VOUCH, OK, LOCALKEY),
    ("Guide ITLR secure", GUIDE_ITLR_SECURE, R12_5, (True,), DEFAULT, OK, OK),
    ("Guide ITLR secure, no vouch", GUIDE_ITLR_SECURE, R12_5, (True,), NO_VOUCH, OK, LOCALKEY),
    ("wrong family", GUIDE_ITLR_SECURE, R12_5, (False,), DEFAULT, OK, OK),
    ("wrong family, no vouch", GUIDE_ITLR_SECURE, R12_5, (False,), NO_VOUCH, LOCALKEY, LOCALKEY),
    ("all before contact", BEFORE_CONTACT, R11_5, BOTH_MODES, DEFAULT, HAND, HAND),
    ("all before contact", BEFORE_CONTACT, R12_5, BOTH_MODES, DEFAULT, HAND, HAND),
]


@pytest.mark.parametrize("row", TABLE_4_4, ids=[f"{r[0]}-{r[2][0]}" for r in TABLE_4_4])
def test_published_procedures_end_as_in_table_4_4(
    row: tuple[str, str, Release, tuple[bool, ...], Variant, Health, Health],
) -> None:
    name, story, release, modes, variant, online, off = row
    for mixed in modes:
        layout = cluster(release, mixed=mixed, variant=variant)
        kinds = (phone("online", secure=mixed), phone("off", secure=mixed))
        world = end(layout, kinds, story, off=(1,))
        found = verdicts(layout, kinds, world)
        show(f"4.4 {name:28}", release, "mixed" if mixed else "non  ", *(v.value for v in found))
        assert found == (online, off)
        if online is OK:
            assert world.phones[0].registered


def stranding_variants(story: str, release: Release, *, mixed: bool) -> set[Variant]:
    kinds = (phone(secure=mixed),)
    layouts = [cluster(release, mixed=mixed, variant=variant) for variant in ALL_VARIANTS]
    return {
        layout.variant
        for layout in layouts
        if verdicts(layout, kinds, end(layout, kinds, story)) != (OK,)
    }


def ctl_anchors_only(variant: Variant) -> bool:
    return variant.ctl_strict and not variant.tvs_vouches_for_ctl


@pytest.mark.parametrize("story", [TAC, GUIDE], ids=["TAC", "Guide"])
def test_callmanager_and_tvs_in_published_order_are_ok_online_but_for_a_ctl_nobody_rescues(
    story: str,
) -> None:
    for mixed in BOTH_MODES:
        assert stranding_variants(story, R12_5, mixed=mixed) == set()
    assert stranding_variants(story, R11_5, mixed=False) == set()
    assert stranding_variants(story, R11_5, mixed=True) == set(
        filter(ctl_anchors_only, ALL_VARIANTS)
    )


def test_one_wave_of_itlrecovery_on_12_5_needs_a_tvs_that_vouches_and_a_ctl_that_it_rescues() -> (
    None
):
    mute = {variant for variant in ALL_VARIANTS if not variant.vouches_for_itlrecovery}
    assert stranding_variants(TAC_ITLR, R12_5, mixed=False) == mute
    found = stranding_variants(TAC_ITLR, R12_5, mixed=True)
    assert found == mute | set(filter(ctl_anchors_only, ALL_VARIANTS))


def test_the_guide_for_itlrecovery_with_two_resets_is_ok_online_in_every_variant() -> None:
    for release in (R11_5, R12_5):
        assert stranding_variants(GUIDE_ITLR, release, mixed=False) == set()
        assert stranding_variants(GUIDE_ITLR_SECURE, release, mixed=True) == set()


def test_resetting_before_callmanager_restarts_is_what_keeps_secure_phones_registered() -> None:
    # Two published orders (procedures.md §1.5). The judge calls both ok: every phone can still be
    # brought back. The second invariant tells them apart, where TVS is no help for TLS signalling.
    layout = cluster(R11_5, mixed=True, variant=Variant(tvs_vouches_for_registration=False))
    kinds = (phone(secure=True),)
    seed = end(layout, kinds, "CM > ctl > rCM > rTVS > rTFTP > reset")
    english = end(layout, kinds, "CM > ctl > reset > rCM > rTVS > rTFTP > reset")
    assert verdicts(layout, kinds, seed) == verdicts(layout, kinds, english) == (OK,)
    assert not seed.phones[0].registered
    assert english.phones[0].registered


# ── §4.5 ─────────────────────────────────────────────────────────────────────────────────────────

TABLE_4_5 = [
    (R11_5, False, "CM > rTFTP > reset > TVS > rTVS > rTFTP > reset", 0),
    (R11_5, False, "CM > ITLR > rTFTP > reset > TVS > rTVS > rTFTP > reset", 0),
    (R12_5, False, "CM > TVS > rTVS > rTFTP > reset", 0),
    (R12_5, False, "TVS > rTVS > ITLR > itl-localkey > reset > CM > rTFTP > reset", 1),
    (R12_5, True, "CM > TVS > rTVS > rTFTP > ctl > reset", 0),
    (R12_5, True, "TVS > rTVS > ITLR > ctl-localkey > CM > rTFTP > reset > ctl > reset", 1),
]


@pytest.mark.parametrize(
    ("release", "mixed", "story", "exposures"), TABLE_4_5, ids=[r[2] for r in TABLE_4_5]
)
def test_the_plan_of_4_5_is_safe_in_every_variant_and_no_plan_is_better(
    release: Release, mixed: bool, story: str, exposures: int
) -> None:
    kinds = (phone(group=("pub",)),)
    layouts = tuple(cluster(release, mixed=mixed, variant=v, one_node=True) for v in ALL_VARIANTS)
    assert exposed(layouts, kinds, story) == exposures
    assert all(finished(layout, kinds, end(layout, kinds, story)) for layout in layouts)
    # Two of the variants are enough to show that nothing cheaper exists under all of them.
    both = tuple(cluster(release, mixed=mixed, variant=v, one_node=True) for v in (DEFAULT, UNKIND))
    regenerations = tuple(w for w in ("CM", "TVS", "ITLR") if w in story.split(" > "))
    cost, length, plan = cheapest_plan(both, kinds, regenerations)
    show("4.5", release, "secure" if mixed else "non", (cost, length), plan)
    assert (cost, length) == (exposures, len(story.split(" > ")))


@pytest.mark.parametrize("regenerations", [("CM", "TVS"), ("CM", "TVS", "ITLR")], ids="+".join)
def test_a_secure_11_5_has_no_plan_without_one_exposure_if_tvs_does_not_rescue_a_ctl(
    regenerations: tuple[str, ...],
) -> None:
    kinds = (phone(group=("pub",)),)
    both = tuple(cluster(R11_5, mixed=True, variant=v, one_node=True) for v in (DEFAULT, UNKIND))
    cost, _, plan = cheapest_plan(both, kinds, regenerations)
    everywhere = tuple(cluster(R11_5, mixed=True, variant=v, one_node=True) for v in ALL_VARIANTS)
    show("4.5", R11_5, "secure", cost, plan)
    assert cost == 1
    assert "ctl-localkey" in plan
    assert exposed(everywhere, kinds, plan) == 1


def test_a_phone_that_needs_localkey_refuses_its_configuration_too() -> None:
    layout, kinds = cluster(R11_5), (phone(),)
    assert config_ok(
        layout, initial(layout, kinds), kinds[0], initial(layout, kinds).phones[0], "pub"
    )
    *_, world = tell(layout, kinds, "CM > TVS > rTVS > rTFTP > reset")
    assert not config_ok(layout, world, kinds[0], world.phones[0], "pub")
