"""The judge against itself and against a search without its shortcuts."""

from __future__ import annotations

import pytest

from cucm_certflow.lab.physics.actions import boot, initial, power, regenerate, stop
from cucm_certflow.lab.physics.judge import Health, Memo, health, project
from cucm_certflow.lab.physics.world import Layout, PhoneKind, Variant, World
from cucm_certflow.names import CertUnit, Service
from tests.physics.stories import (
    CTL_ANCHORS_ONLY,
    DEFAULT,
    HAND,
    LOCALKEY,
    OK,
    R11_5,
    R12_5,
    UNKIND,
    act,
    cluster,
    end,
    finished,
    phone,
    show,
)

ORDINARY = ("reset", "rTFTP", "rTVS", "rCM", "ctl")
REMEDIES = ("itl-localkey", "ctl-localkey")
CHANGES = ("CM@pub", "CM@sub", "TVS@pub", "TVS@sub", "ITLR@pub")
Edge = tuple[World, str, World]


def stories(layout: Layout, kind: PhoneKind, depth: int) -> tuple[list[World], list[Edge]]:
    """All worlds within *depth* words of the untouched cluster, and the words between them."""
    kinds = (kind,)
    first = initial(layout, kinds)
    seen, edges, frontier = {first: None}, list[Edge](), [first]
    for _ in range(depth):
        following = []
        for world in frontier:
            for word in (*ORDINARY, *REMEDIES, *CHANGES):
                after = act(layout, kinds, world, word)
                edges.append((world, word, after))
                if after not in seen:
                    seen[after] = None
                    following.append(after)
        frontier = following
    return list(seen), edges


def searched(layout: Layout, kinds: tuple[PhoneKind, ...], world: World) -> Health:
    """The same question without projection, memo or pruning, and with CallManager restarting."""
    for words, verdict in ((ORDINARY, OK), ((*ORDINARY, *REMEDIES), LOCALKEY)):
        seen, stack = {world}, [world]
        while stack:
            here = stack.pop()
            if finished(layout, kinds, here):
                return verdict
            afters = [act(layout, kinds, here, word) for word in words]
            afters += [boot(layout, kinds, here, 0, node) for node in kinds[0].tftp]
            for after in afters:
                if after not in seen:
                    seen.add(after)
                    stack.append(after)
    return HAND


PUB, SUB = ("pub",), ("sub",)
CASES = [
    pytest.param(R11_5, False, DEFAULT, phone(group=PUB), id="11.5"),
    pytest.param(R12_5, False, DEFAULT, phone(group=PUB, tftp=("sub", "pub")), id="12.5-two-tftp"),
    pytest.param(R11_5, True, DEFAULT, phone(group=SUB, tftp=SUB, secure=True), id="11.5-sub"),
    pytest.param(R12_5, True, CTL_ANCHORS_ONLY, phone(secure=True), id="12.5-strict"),
    pytest.param(R12_5, True, UNKIND, phone(group=PUB), id="12.5-unkind"),
]


@pytest.mark.parametrize(("release", "mixed", "variant", "kind"), CASES)
def test_an_ordinary_action_never_improves_what_a_phone_needs(
    release: tuple[int, int], mixed: bool, variant: Variant, kind: PhoneKind
) -> None:
    # What can still be done after it could be done before it, by doing it first.
    layout, memo = cluster(release, mixed=mixed, variant=variant), Memo()
    worlds, edges = stories(layout, kind, 4)
    verdict = {world: health(layout, (kind,), world, 0, memo) for world in worlds}
    show(len(worlds), "worlds", {each.value: list(verdict.values()).count(each) for each in Health})
    for before, word, after in edges:
        worse = verdict[after].severity - verdict[before].severity
        if word in ORDINARY:
            assert worse >= 0, f"{word} cannot make a phone need less"
        elif word in REMEDIES and verdict[after] is not OK:
            assert worse >= 0, f"{word} cannot save a phone that nothing saves"


@pytest.mark.parametrize(("release", "mixed", "variant", "kind"), CASES)
def test_the_judge_agrees_with_a_search_that_takes_no_shortcut(
    release: tuple[int, int], mixed: bool, variant: Variant, kind: PhoneKind
) -> None:
    layout, memo = cluster(release, mixed=mixed, variant=variant), Memo()
    worlds, _ = stories(layout, kind, 4)
    # Many of these differ in nothing that the judge looks at: one of each is enough.
    distinct = {project(layout, (kind,), world, 0): world for world in worlds}
    for world in distinct.values():
        assert health(layout, (kind,), world, 0, memo) is searched(layout, (kind,), world)


def test_other_phones_and_tomcat_and_being_off_make_no_new_question() -> None:
    layout = cluster(R11_5)
    alone, many = (phone(),), (phone(), phone(group=("sub",)), phone(tftp=("sub",)))
    world = end(layout, alone, "CM > TVS > rTVS@pub")
    crowd = end(layout, many, "CM > TVS > rTVS@pub")
    crowd = regenerate(layout, power(layout, many, crowd, 0, False), CertUnit.TOMCAT, "sub")
    assert project(layout, many, crowd, 0) == project(layout, alone, world, 0)


def test_the_caller_owns_the_memo_and_a_second_question_adds_nothing_to_it() -> None:
    layout, kinds, memo = cluster(R11_5), (phone(),), Memo()
    world = end(layout, kinds, "CM > TVS > rTVS")
    first = health(layout, kinds, world, 0, memo)
    known = len(memo)
    assert health(layout, kinds, world, 0, memo) is first is LOCALKEY
    assert len(memo) == known > 0


def test_a_stopped_service_is_no_damage_because_starting_it_is_ordinary() -> None:
    layout, kinds = cluster(R11_5), (phone(),)
    world = initial(layout, kinds)
    for node in ("pub", "sub"):
        for service in (Service.TVS, Service.TFTP):
            world = stop(layout, world, service, node)
    assert health(layout, kinds, world, 0) is OK
