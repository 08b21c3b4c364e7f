"""Every mutant of the tables is missed where ``killed.txt`` says, or redundant for a reason.

Here each is explored in that one configuration, and a redundant one in the three smallest in which
it can be noticed. ``python -m tests.proof.every_mutant`` explores them in all, and by twos.
"""

from __future__ import annotations

from itertools import islice
from typing import Final

import pytest

from cucm_certflow.testing.explorer import RULES, Exploration, Explorer
from cucm_certflow.testing.without import tables_without
from tests.proof.every_mutant import KILLED, PAIRS, Killed
from tests.proof.killing import (
    CONFIGURATIONS,
    FOR_GOOD,
    NEVER_ENDS,
    concerned,
    missed,
    refusal,
    seen,
)
from tests.proof.mutations import MUTANTS
from tests.proof.redundant import REDUNDANT, SHIELDS
from tests.proof.runs import BOTH, R11_5, homed, layout_of, planned, show

EXPLORED: Final = [name for name, killed in KILLED.items() if killed.where]


def test_every_mutant_is_either_killed_or_redundant_for_a_reason() -> None:
    assert sorted([*KILLED, *REDUNDANT]) == sorted(MUTANTS)
    assert all(REDUNDANT.values())
    assert {name for pair in PAIRS for name in pair.mutants} <= set(REDUNDANT)


@pytest.mark.parametrize("name", EXPLORED)
def test_mutant_is_missed(name: str) -> None:
    where = KILLED[name].where
    assert missed(where, name) == set(KILLED[name].seen)


def test_table_refuses_every_other_mutant_that_is_killed() -> None:
    refused = {name: "; ".join(k.seen) for name, k in KILLED.items() if not k.where}
    assert {name: refusal(name) for name in refused} == refused
    assert not any(refusal(name) for name in EXPLORED)


@pytest.mark.parametrize("name", REDUNDANT)
def test_redundant_mutant_changes_nothing(name: str) -> None:
    smallest = sorted(CONFIGURATIONS, key=lambda where: seen(where).states)
    can_be_noticed = set(concerned(name))
    for where in islice((each for each in smallest if each in can_be_noticed), 3):
        assert not missed(where, name), where


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: " and ".join(pair.mutants))
def test_mutants_that_shield_each_other_are_missed_together(pair: Killed) -> None:
    assert missed(pair.where, *pair.mutants) == set(pair.seen)
    assert not any(missed(pair.where, name) for name in pair.mutants)


@pytest.mark.parametrize("mutants", SHIELDS, ids=" and ".join)
def test_redundant_mutant_is_missed_once_what_shields_it_is_gone(mutants: tuple[str, ...]) -> None:
    where, words = SHIELDS[mutants]
    redundant, *shields = mutants
    assert redundant in REDUNDANT
    assert missed(where, *mutants) - missed(where, *shields) - {NEVER_ENDS} == {words}


# What is seen in the whole tables: holds that only a person can end, and nothing worse.
EXPECTED_HOLDS: Final = {
    "no Security By Default": "no TVS vouches for the new CTL: waived, or its lists by localkey",
    "CallManager with TVS": "a refused plan, run all the same: the second unit is never begun",
    "a table that forgot never_with": "the lifeline guard never lets TVS restart",
    "four crashes": "three attempts came to nothing",
    "a deactivated service": "it is not restarted",
    "TVS stops": "it stopped again after its restart, which is then not proved",
    "an entry that is put back": "a person has to find out what puts it back",
    "an entry that comes into use": "it is not deleted: the clean-up is planned anew",
    "a run that was paused": "a person asked for it, and has to say that it goes on",
    "hours that are over": "others have to be agreed on",
    "a clock that went back": "a person has to put it right",
}


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_whole_tables_show_no_flaw_but_the_holds_that_are_meant(configuration: str) -> None:
    flaws = seen(configuration).flaws
    assert (FOR_GOOD in flaws) is (configuration in EXPECTED_HOLDS)
    # Where no story gets past such a hold, none comes to its end.
    assert flaws <= ({FOR_GOOD, NEVER_ENDS} if FOR_GOOD in flaws else frozenset())


# ── the stories, on the explorer as users have it ─────────────────────────────────────────


def explored(*out: str, forced: bool = False) -> Exploration:
    """CallManager and TVS on 11.5, the guards *out* taken out; *forced*: in a single window."""
    layout, kinds = layout_of(R11_5), (homed("sub"),)
    plan = planned(layout, kinds, windows=[BOTH]) if forced else planned(layout, kinds, units=BOTH)
    assert plan.is_refused is forced
    tables = tables_without(out)
    rules = (RULES[0],)
    return Explorer(layout, kinds, plan, tables=tables, rules=rules).explore()


def test_without_exclusion_the_lifeline_guard_still_keeps_both_anchors_from_going() -> None:
    found = explored("exclusion", forced=True)
    assert found.violation is None
    assert (found.states, found.finished, found.held) == (7_120, 0, 33)


def test_without_exclusion_and_lifeline_the_strand_is_found_and_told() -> None:
    violation = explored("exclusion", "lifeline", forced=True).violation
    assert violation is not None
    show(f"\n{violation}")
    assert violation.what == "on sub has no way back but: HAND-DELETE"
    story = "\n".join(violation.story)
    assert "`set cert regen CallManager`" in story
    assert "`set cert regen TVS`" in story
    assert "`utils service restart Cisco Trust Verification Service`" in story
    assert len(violation.story) == 40


def test_without_settled_a_late_command_regenerates_twice() -> None:
    violation = explored("settled").violation
    assert violation is not None
    show(f"\n{violation}")
    assert violation.what == "CallManager on pub was regenerated twice"
    assert len(violation.story) == 6


@pytest.mark.parametrize("guard", ["phones_back", "reset_proved"])
def test_without_the_barrier_a_phone_is_stranded(guard: str) -> None:
    violation = explored(guard).violation
    assert violation is not None
    show(f"\n{guard}: {violation}")
    assert violation.what == "on sub has no way back but: HAND-DELETE"
