"""Every remedy that is said to work, carried out in the lab's physics; and the order of them.

Over all that can happen to a cluster (non-secure) or a part of it (mixed), as the witness's proof
builds it: what the library calls a remedy has to end with cluster and phone in step.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Final

import attrs
import pytest

from cucm_certflow.core import remedy_walks
from cucm_certflow.core.remedies import (
    Offers,
    Remedy,
    RemedyKind,
    holding_from_files,
    offers_of,
    remedies_for,
)
from cucm_certflow.errors import UnknownLayout
from cucm_certflow.facts import Certificate
from cucm_certflow.lab.observe import cluster_facts, list_view
from cucm_certflow.lab.physics.actions import (
    boot,
    build_ctl,
    build_itl,
    delete_lists,
    initial,
    regenerate,
    reset_localkey,
    restart,
    update_ctl,
)
from cucm_certflow.lab.physics.judge import Health, Memo, health
from cucm_certflow.lab.physics.phones import synced
from cucm_certflow.lab.physics.world import Cert, Layout, PhoneKind, Variant, World
from cucm_certflow.names import CertUnit, ListKind, Release, Service
from cucm_certflow.trust.model import ClusterTrust
from cucm_certflow.trust.phone import Holding, PhoneClass
from tests.bytes.samples import read
from tests.proof.runs import NODES, no_sweeps, show
from tests.proof.test_witness import Clusters, Configuration, Stories, moves, trust_in

R11_5, R12_5 = (11, 5), (12, 5)
NAMES: Final = ("pub", "sub")
RECOVERY: Final = Cert(CertUnit.ITLRECOVERY, "pub", 1)
LOCALKEYS: Final = (
    RemedyKind.CTL_LOCALKEY,
    RemedyKind.ITL_LOCALKEY,
    RemedyKind.BOTH_LOCALKEYS,
)


def kind_at(home: str, *, asks_tvs: bool = True) -> PhoneKind:
    return PhoneKind(f"on {home}", NAMES, (home,), asks_tvs=asks_tvs)


def layout_of(release: tuple[int, int], *, mixed: bool) -> Layout:
    usual = Variant(vouches_for_itlrecovery=False, tvs_vouches_for_ctl=release < (12, 0))
    return Layout(NODES, release, mixed, usual)


def offers_in(layout: Layout, *, backup: bool = True) -> Offers:
    first = initial(layout, ())
    return Offers(
        release=Release(*layout.release),
        exported=frozenset({str(RECOVERY)}),
        backup=trust_in(layout, first) if backup else None,
        recovery_key_fits=True,
    )


def held_in(world: World) -> Holding:
    phone = world.phones[0]
    return Holding(
        None if phone.itl is None else list_view(phone.itl),
        None if phone.ctl is None else list_view(phone.ctl),
    )


def class_of(kind: PhoneKind) -> PhoneClass:
    return PhoneClass(kind.group, kind.asks_tvs, kind.secure)


# ── a person carries a remedy out ─────────────────────────────────────────────────────────


def _restored(layout: Layout, world: World) -> World:
    """The certificates, keys and lists of the first day; the phone keeps what it holds."""
    return initial(layout, ())._replace(phones=world.phones)


def _signed_with_old_key(layout: Layout, world: World) -> World:
    """What remotekey makes: the publisher's ITL, signed with the exported key, on every node."""
    itl = build_itl(layout, world, layout.publisher)._replace(signer=RECOVERY)
    return world._replace(itl=tuple((name, itl) for name in layout.tftp_nodes))


def carried_out(layout: Layout, kind: PhoneKind, world: World, walk: tuple[str, ...]) -> World:
    """Each move of *walk*, in words, done in the physics by one who has never seen our code."""
    kinds = (kind,)
    for move in walk:
        if move == "reset phones twice":
            world = boot(layout, kinds, boot(layout, kinds, world, 0), 0)
        elif move.startswith("restart "):
            for node in NAMES:
                world = restart(layout, world, Service(move.removeprefix("restart ")), node)
        elif move == "utils ctl update CTLFile":
            world = update_ctl(layout, world)
        elif move == "utils itl reset localkey":
            world = reset_localkey(layout, world, ListKind.ITL)
        elif move == "utils ctl reset localkey":
            world = reset_localkey(layout, world, ListKind.CTL)
        elif move.startswith("utils itl reset remotekey "):
            world = _signed_with_old_key(layout, world)
        elif move.startswith("restore "):
            world = _restored(layout, world)
        elif move.startswith("delete "):
            world = delete_lists(layout, kinds, world, 0)
        else:
            raise AssertionError(move)
    return world


def is_healthy(layout: Layout, kind: PhoneKind, world: World) -> bool:
    """In step with a cluster that has caught up."""
    ctl = build_ctl(layout, world) if layout.mixed else None
    return synced(layout, world, kind, world.phones[0]) and all(
        world.presents(CertUnit.TVS, name) == world.current(CertUnit.TVS, name)
        and world.itl_of(name) == build_itl(layout, world, name)
        and world.ctl_of(name) == ctl
        for name in NAMES
    )


# ── the proof ─────────────────────────────────────────────────────────────────────────────


@attrs.frozen
class Found:
    """What was said of all visited states, and what was wrong with it."""

    works: Counter[RemedyKind]
    truth: Counter[Health]
    broken: tuple[str, ...]
    optimistic: tuple[str, ...]
    missed: int
    """States that a localkey would save, and for which none was said to work."""


@cache
def visited(release: tuple[int, int], mixed: bool, home: str, asks_tvs: bool = True) -> Found:
    layout, kind = layout_of(release, mixed=mixed), kind_at(home, asks_tvs=asks_tvs)
    offers, memo = offers_in(layout), Memo()
    works, truth = Counter[RemedyKind](), Counter[Health]()
    broken: list[str] = []
    optimistic: list[str] = []
    missed = 0
    with no_sweeps():
        stories = Stories(Configuration(layout, kind), Clusters(layout, moves(layout)))
        for state in range(0, len(stories.states), 11 if mixed else 1):
            world = stories.world(state)
            cluster = trust_in(layout, world)
            found = remedies_for(cluster, class_of(kind), held_in(world), offers=offers, home=home)
            true = health(layout, (kind,), world, 0, memo)
            truth[true] += 1
            said = {remedy.kind for remedy in found if remedy.works}
            works.update(said)
            broken += [
                f"{remedy.kind}: {stories.story(state)} then {remedy.walk}"
                for remedy in found
                if remedy.works
                and not is_healthy(layout, kind, carried_out(layout, kind, world, remedy.walk))
            ]
            promised = 0 if RemedyKind.ORDINARY in said else 1 if said & {*LOCALKEYS} else 2
            if promised < true.severity:
                optimistic.append(f"{true}, and said to work: {said}: {stories.story(state)}")
            missed += true is Health.NEEDS_LOCALKEY and promised > true.severity
    show(f"{release} mixed={mixed} on {home}: {truth}, {works}, missed {missed}")
    return Found(works, truth, tuple(broken), tuple(optimistic), missed)


EVERYWHERE: Final = [
    (release, mixed, home)
    for release in (R11_5, R12_5)
    for mixed in (False, True)
    for home in NAMES
]


@pytest.mark.slow
@pytest.mark.parametrize(("release", "mixed", "home"), EVERYWHERE)
def test_remedy_that_is_said_to_work_ends_in_step_when_carried_out(
    release: tuple[int, int], mixed: bool, home: str
) -> None:
    assert visited(release, mixed, home).broken == ()


@pytest.mark.slow
@pytest.mark.parametrize(("release", "mixed", "home"), EVERYWHERE)
def test_remedies_never_promise_more_than_exhaustive_search_finds(
    release: tuple[int, int], mixed: bool, home: str
) -> None:
    assert visited(release, mixed, home).optimistic == ()


@pytest.mark.slow
@pytest.mark.parametrize("release", [R11_5, R12_5])
def test_remedy_for_a_phone_of_unknown_tftp_node_works_at_each_of_them(
    release: tuple[int, int],
) -> None:
    layout, kind = layout_of(release, mixed=False), kind_at("pub")
    stories = Stories(Configuration(layout, kind), Clusters(layout, moves(layout)))
    works = Counter[RemedyKind]()
    for state in range(len(stories.states)):
        world = stories.world(state)
        for remedy in ranked(layout, kind, world, offers_in(layout), home=None):
            if remedy.works:
                works[remedy.kind] += 1
                for there in map(kind_at, NAMES):
                    after = carried_out(layout, there, world, remedy.walk)
                    assert is_healthy(layout, there, after), (stories.story(state), remedy)
    assert {RemedyKind.ORDINARY, RemedyKind.ITL_LOCALKEY, RemedyKind.RESTORE} <= set(works)


@pytest.mark.slow
def test_phones_without_security_by_default_are_promised_nothing_too_much() -> None:
    found = visited(R12_5, True, "sub", asks_tvs=False)
    assert (found.broken, found.optimistic) == ((), ())
    assert found.works[RemedyKind.CTL_LOCALKEY] > 0


@pytest.mark.slow
def test_every_remedy_is_said_to_work_somewhere_and_by_hand_everywhere() -> None:
    found = [visited(*where) for where in EVERYWHERE]
    works = sum((each.works for each in found), Counter[RemedyKind]())
    truth = sum((each.truth for each in found), Counter[Health]())
    assert set(works) == set(RemedyKind)
    assert works[RemedyKind.BY_HAND] == truth.total()
    assert min(truth.values()) > 100
    # What rests on the ITL beside a CTL is not promised in mixed mode: nobody has verified
    # that rule, and the physics here has it.
    assert sum(each.missed for each in found) < truth[Health.NEEDS_LOCALKEY] / 3


@pytest.mark.slow
def test_proof_notices_a_walk_that_is_believed_without_being_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(remedy_walks, "is_synced", lambda *_: True)
    found = visited.__wrapped__(R11_5, False, "sub")
    assert found.broken
    assert found.optimistic


# ── single stories ────────────────────────────────────────────────────────────────────────


def changed(layout: Layout, kind: PhoneKind, *units: CertUnit) -> World:
    """*units* regenerated and everything restarted, without any contact with the phones."""
    world = initial(layout, (kind,))
    for unit in units:
        for node in NAMES:
            if layout.has(unit, node):
                world = regenerate(layout, world, unit, node)
    for service in (Service.TVS, Service.TFTP):
        for node in NAMES:
            world = restart(layout, world, service, node)
    return world


def ranked(
    layout: Layout, kind: PhoneKind, world: World, offers: Offers, home: str | None = "pub"
) -> tuple[Remedy, ...]:
    cluster = trust_in(layout, world)
    return remedies_for(cluster, class_of(kind), held_in(world), offers=offers, home=home)


def by_kind(found: tuple[Remedy, ...]) -> dict[RemedyKind, Remedy]:
    return {remedy.kind: remedy for remedy in found}


BOTH = (CertUnit.CALLMANAGER, CertUnit.TVS)
ALL = (*BOTH, CertUnit.ITLRECOVERY)


def test_untouched_phone_needs_ordinary_means_alone() -> None:
    layout, kind = layout_of(R11_5, mixed=False), kind_at("pub")
    found = ranked(layout, kind, initial(layout, (kind,)), offers_in(layout))
    assert found[0].kind is RemedyKind.ORDINARY
    assert found[0].works


def test_callmanager_with_tvs_on_11_5_takes_localkey_first() -> None:
    layout, kind = layout_of(R11_5, mixed=False), kind_at("pub")
    found = ranked(layout, kind, changed(layout, kind, *BOTH), offers_in(layout, backup=False))
    assert found[0].kind is RemedyKind.ITL_LOCALKEY
    assert by_kind(found)[RemedyKind.ORDINARY].works is False
    assert by_kind(found)[RemedyKind.CTL_LOCALKEY].why_not.startswith("the cluster is not in mixed")


@pytest.mark.parametrize("release", [R11_5, R12_5])
def test_when_all_three_changed_no_localkey_is_said_to_work(release: tuple[int, int]) -> None:
    """Cisco TAC 225746 says that localkey helps; by the mechanism it does not (D20)."""
    layout, kind = layout_of(release, mixed=False), kind_at("pub")
    found = by_kind(ranked(layout, kind, changed(layout, kind, *ALL), offers_in(layout)))
    assert not any(found[each].works for each in LOCALKEYS)
    assert found[RemedyKind.REMOTEKEY].works
    assert found[RemedyKind.RESTORE].works
    assert found[RemedyKind.BY_HAND].works


def test_remotekey_needs_a_release_and_an_exported_key_that_the_phone_knows() -> None:
    layout, kind = layout_of(R12_5, mixed=False), kind_at("pub")
    world, good = changed(layout, kind, *ALL), offers_in(layout)
    for offers in (
        attrs.evolve(good, release=Release(15, 0)),
        attrs.evolve(good, exported=frozenset()),
        attrs.evolve(good, exported=frozenset({"another"})),
    ):
        remedy = by_kind(ranked(layout, kind, world, offers))[RemedyKind.REMOTEKEY]
        assert remedy.works is False
        assert remedy.why_not


def test_short_itlrecovery_key_rules_localkey_out_and_an_unknown_one_leaves_it_open() -> None:
    layout, kind = layout_of(R11_5, mixed=False), kind_at("pub")
    world, good = changed(layout, kind, *BOTH), offers_in(layout)
    said = {
        fits: by_kind(ranked(layout, kind, world, attrs.evolve(good, recovery_key_fits=fits)))[
            RemedyKind.ITL_LOCALKEY
        ].works
        for fits in (True, False, None)
    }
    assert said == {True: True, False: False, None: None}


def test_there_is_no_localkey_before_10() -> None:
    layout, kind = layout_of(R11_5, mixed=False), kind_at("pub")
    world = changed(layout, kind, *BOTH)
    cluster = trust_in(layout, world)
    cluster = cluster._replace(policy=cluster.policy._replace(localkey=False))
    found = remedies_for(cluster, class_of(kind), held_in(world), offers=offers_in(layout))
    assert by_kind(found)[RemedyKind.ITL_LOCALKEY].works is False


def test_token_that_signs_the_ctl_leaves_no_ctl_localkey() -> None:
    layout, kind = layout_of(R11_5, mixed=True), kind_at("pub")
    world = changed(layout, kind, *BOTH)
    cluster = trust_in(layout, world)._replace(ctl_token="token", tokens=frozenset({"token"}))
    found = by_kind(remedies_for(cluster, class_of(kind), held_in(world), offers=offers_in(layout)))
    assert "USB token" in found[RemedyKind.CTL_LOCALKEY].why_not
    assert "USB token" in found[RemedyKind.BOTH_LOCALKEYS].why_not


def test_backup_that_nobody_described_is_not_known_to_work() -> None:
    layout, kind = layout_of(R12_5, mixed=False), kind_at("pub")
    found = ranked(layout, kind, changed(layout, kind, *ALL), offers_in(layout, backup=False))
    assert by_kind(found)[RemedyKind.RESTORE].works is None


def test_nothing_works_where_no_node_serves_lists() -> None:
    layout, kind = layout_of(R12_5, mixed=False), kind_at("pub")
    world = initial(layout, (kind,))
    cluster = trust_in(layout, world)
    silent = cluster._replace(nodes=tuple(n._replace(tftp=False) for n in cluster.nodes))
    for home in (None, "pub"):
        found = remedies_for(
            silent, class_of(kind), held_in(world), offers=offers_in(layout), home=home
        )
        assert [remedy.kind for remedy in found if remedy.works] == []
        assert all(remedy.why_not for remedy in found)


def test_remedy_that_depends_on_the_tftp_node_is_not_known_to_work() -> None:
    layout = layout_of(R11_5, mixed=False)
    kind = kind_at("sub")
    world = initial(layout, (kind,))
    for unit in BOTH:
        world = regenerate(layout, world, unit, "sub")
    for service in (Service.TVS, Service.TFTP):
        world = restart(layout, world, service, "sub")
    alone = PhoneClass(("sub",))
    cluster = trust_in(layout, world)
    offers = offers_in(layout, backup=False)
    somewhere = by_kind(remedies_for(cluster, alone, held_in(world), offers=offers))
    there = by_kind(remedies_for(cluster, alone, held_in(world), offers=offers, home="sub"))
    for kind_of in RemedyKind:
        if somewhere[kind_of].works:
            assert there[kind_of].works
    assert there[RemedyKind.ORDINARY].works is False
    with pytest.raises(KeyError):
        remedies_for(cluster, alone, held_in(world), offers=offers, home="nobody")


def _two_fleets() -> tuple[ClusterTrust, Holding, Holding]:
    """12.5: one phone missed CallManager and ITLRecovery; the others missed CallManager alone."""
    layout, kind = layout_of(R12_5, mixed=False), kind_at("pub")
    world = changed(layout, kind, *ALL)
    stranded = held_in(world)
    recovery = str(world.current(CertUnit.ITLRECOVERY, "pub"))
    assert stranded.itl is not None
    # They know the present ITLRecovery, and neither the present CallManager nor TVS.
    ahead = stranded.itl._replace(signer=recovery, sast=stranded.itl.sast | {recovery})
    ahead = ahead._replace(sast=frozenset({recovery, str(Cert(CertUnit.CALLMANAGER, "pub", 1))}))
    return trust_in(layout, world), stranded, Holding(ahead, None)


def test_harm_to_healthy_phones_is_counted_and_ranks_last_among_what_works() -> None:
    cluster, stranded, healthy = _two_fleets()
    layout, phone = layout_of(R12_5, mixed=False), PhoneClass(NAMES)
    found = remedies_for(
        cluster,
        phone,
        stranded,
        offers=offers_in(layout),
        home="pub",
        others={(phone, healthy): 400},
    )
    kinds = by_kind(found)
    assert kinds[RemedyKind.BY_HAND].hurts == 0
    assert kinds[RemedyKind.BY_HAND].touches == 0
    assert kinds[RemedyKind.RESTORE].works
    assert kinds[RemedyKind.RESTORE].hurts == 400
    assert kinds[RemedyKind.RESTORE].touches == 400
    working = [remedy for remedy in found if remedy.works]
    assert working[-1].kind is RemedyKind.RESTORE
    assert "hurts   400" in str(kinds[RemedyKind.RESTORE])


def test_harm_is_not_called_none_where_nobody_said_what_others_hold() -> None:
    cluster, stranded, _ = _two_fleets()
    layout, phone = layout_of(R12_5, mixed=False), PhoneClass(NAMES)
    found = remedies_for(cluster, phone, stranded, offers=offers_in(layout))
    assert {remedy.hurts for remedy in found} == {None}


def test_order_is_by_what_works_then_harm_then_disturbance() -> None:
    layout, kind = layout_of(R12_5, mixed=True), kind_at("pub")
    found = ranked(layout, kind, changed(layout, kind, *BOTH), offers_in(layout))
    order = [(True, None, False).index(remedy.works) for remedy in found]
    assert order == sorted(order)
    assert {remedy.kind for remedy in found} == set(RemedyKind)
    assert all(str(remedy.source) in str(remedy) for remedy in found)
    assert all(remedy.why_not for remedy in found if remedy.works is not True)


def test_offers_take_key_lengths_from_a_discovery() -> None:
    layout = layout_of(R12_5, mixed=False)
    facts = cluster_facts(layout, (), initial(layout, ()))
    assert offers_of(facts).recovery_key_fits is True
    short = Certificate(fingerprint="short", serial="01", key_bits=1024)
    nodes = tuple(
        attrs.evolve(n, certificates={**n.certificates, CertUnit.ITLRECOVERY: short})
        for n in facts.nodes
    )
    assert offers_of(attrs.evolve(facts, nodes=nodes)).recovery_key_fits is False
    bare = tuple(attrs.evolve(n, certificates={}) for n in facts.nodes)
    assert offers_of(attrs.evolve(facts, nodes=bare)).recovery_key_fits is None


def test_lists_read_off_a_phone_are_what_it_holds() -> None:
    itl, ctl = read("itl-125-pub-g1.tlv"), read("ctl-125-g1.tlv")
    held = holding_from_files(itl, ctl)
    assert held.itl is not None
    assert held.ctl is not None
    assert held.itl.signer in held.ctl.sast
    assert held.itl == held.itl.plain()
    assert holding_from_files(None, None) == Holding(None, None)
    with pytest.raises(UnknownLayout):
        holding_from_files(ctl, None)
    with pytest.raises(UnknownLayout):
        holding_from_files(b"", None)


def test_expired_anchors_of_the_cluster_are_not_counted_on_after_a_restore() -> None:
    layout, kind = layout_of(R11_5, mixed=False), kind_at("pub")
    old = trust_in(layout, initial(layout, (kind,)))
    now = trust_in(layout, changed(layout, kind, CertUnit.CALLMANAGER, CertUnit.TVS))
    gone = {node.callmanager for node in old.nodes} | {node.tvs for node in old.nodes}
    over = now._replace(expired=frozenset(key for key in gone if key is not None))
    # It holds the list of the other TFTP node, so that TVS has to vouch for the signer of this one.
    held = Holding(old.node("sub").itl, None)
    offers = Offers(release=Release(11, 5), backup=old, recovery_key_fits=True)

    def restored(cluster: ClusterTrust) -> bool | None:
        found = remedies_for(cluster, class_of(kind), held, offers=offers, home="pub")
        return next(each.works for each in found if each.kind is RemedyKind.RESTORE)

    assert restored(now) is True
    assert restored(over) is False
