"""Every guard is taken out, and missed: or it stands in SURVIVORS, with the reason.

A guard that is taken out says yes to everything; the tables keep their shape. A mutant is killed
when an exploration shows a flaw that the whole tables do not show in the same configuration: a
violation, a story that is stuck, a hold that never ends, or an exception.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Final, TypeVar

import attrs
import pytest

from cucm_certflow.core.certificate_guards import CERTIFICATE_GUARDS
from cucm_certflow.core.command_guards import COMMAND_GUARDS
from cucm_certflow.core.decide import Tables
from cucm_certflow.core.entry_guards import ENTRY_GUARDS
from cucm_certflow.core.machine import Evaluator
from cucm_certflow.core.states import CertificateState, CommandState, EntryState, Guard, Table
from cucm_certflow.core.tables import CERTIFICATE, COMMAND, ENTRY
from cucm_certflow.core.view import View
from cucm_certflow.testing.explorer import RULES, Exploration, Explorer
from tests.proof.runs import BOTH, R11_5, homed, layout_of, planned, show
from tests.proof.small import SMALL, Book

StateT = TypeVar("StateT", CommandState, CertificateState, EntryState)

STUCK, FOR_GOOD, WITHOUT_END = "stuck", "held for good", "more states than it may have"
ALL_GUARDS: Final = (*COMMAND_GUARDS, *CERTIFICATE_GUARDS, *ENTRY_GUARDS)
MOST: Final = 6_000

# Where each guard is missed, and what is seen then.
KILLED: Final = {
    "stage_reached": ("two windows", "2.regenerate:tomcat@pub is begun before pub/TVS is verified"),
    "secure_phones_can_register": (
        "no Security By Default",
        "on sub cannot register with what sub presents",
    ),
    "lifeline": (
        "a table that forgot never_with",
        "on sub has no way back but: HAND-DELETE",
    ),
    "phones_can_be_called": ("TVS stops", "phones are called while TVS on pub is stopped"),
    "reply_refused": ("unreadable certificates", FOR_GOOD),
    "shown_done": (
        "four crashes",
        "`utils service restart Cisco Tomcat` is sent before pub/tomcat is regenerated",
    ),
    "settled": ("two lanes and a refusing node", "tomcat on pub was regenerated twice"),
    "shown_not_done": ("unreadable certificates", FOR_GOOD),
    "attempts_left": ("four crashes", "a command is sent 4 times"),
    "budget_is_over": ("unreadable certificates", FOR_GOOD),
    "window_is_open": (
        "two windows",
        "2.regenerate:tomcat@pub is begun before pub/TVS is verified",
    ),
    "exclusion": (
        "CallManager with TVS",
        "on sub holds neither a CallManager nor a TVS certificate of now",
    ),
    "regenerate_proved": ("unreadable certificates", FOR_GOOD),
    "restart_proved": (
        "unreadable certificates",
        "finished, and pub still presents its old tomcat",
    ),
    "reset_proved": (
        "secure phone",
        "on sub holds neither a CallManager nor a TVS certificate of now",
    ),
    "phones_back": (
        "secure phone",
        "on sub holds neither a CallManager nor a TVS certificate of now",
    ),
    "has_next_wave": ("unreadable certificates", WITHOUT_END),
    "replication_good": (
        "bad replication",
        "`set cert regen tomcat` is sent while replication is bad",
    ),
    "no_backup_running": (
        "a backup that runs",
        "`set cert regen ipsec` is sent while a backup runs",
    ),
    "databases_have_it": (
        "a database that lags",
        "on sub holds neither a CallManager nor a TVS certificate of now",
    ),
    "phones_fell_back": (
        "phones that flee",
        "`utils service restart Cisco CallManager` is sent to sub, and on pub fled there",
    ),
    "canaries_are_back": (
        "canaries",
        "1.reset-phones:TVS@pub#2 is begun while one on pub is away",
    ),
    "batch_before_is_back": (
        "batches that wait",
        "1.reset-phones:TVS@pub#2 is begun while one on pub is away",
    ),
    "entry_is_gone": ("an old entry", FOR_GOOD),
    "entry_not_needed": (
        "an entry that comes into use",
        "`set cert delete Phone-SAST sub/CallManager/g1.pem` is sent, and it is in use",
    ),
    "services_proved": (
        "an old entry and a refusing node",
        "finished, and Cisco Certificate Change Notification on pub is stopped",
    ),
    "did_not_come_back": (
        "an entry that is put back",
        "finished, and Phone-SAST-trust/pub/tomcat/g0.pem is there",
    ),
}

# Redundant, each for a reason; what shields it is named where a guard does.
SURVIVORS: Final = {
    "service_is_up": "drift holds before the first command if a service was deactivated",
    "baseline_known": "drift reads the same certificates before it",
    "drift": "in these stories nobody else changes anything; tests/journeys/test_drift.py",
    **dict.fromkeys(
        ("approved", "again_approved", "not_stopped", "time_is_left", "window_may_open"),
        "nobody gives orders in these stories, at any hour; tests/journeys/test_control.py",
    ),
    "clock_goes_on": "the explorer's clock stands still; tests/journeys/test_control.py",
    "reply_withheld": "no process sleeps here, and silence is no such reply: a command that is "
    "taken for one that never left us is sent again over drift, which sees what it did",
    "step_before_proved": "decide() passes over a planned step whose predecessor is not proved; "
    "the guard says so to whoever asks why_not",
    "entry_is_there": "the explorer's facts are never old: the edge `found_done` sees first what "
    "it would see; over facts that age: tests/journeys/test_trust_cleanup.py",
    "failure_limit": "no configuration has a limit: in the explorer a batch that waits for nothing "
    "is sent before time passes; driven in tests/journeys/test_phones.py",
    "nothing_held": "the steps of a plan form one chain (P5, P6): after a held step none is next",
    "one_change_at_a_time": "the steps of a plan form one chain: while one is under way none is "
    "next",
    "window_regenerated": "steps form a chain in which every regeneration comes first, and the "
    "guards below keep the certificate until the rows are proved",
    "ctl_proved": "mixed_mode_ctl reads the same CTL on every TFTP node",
    "mixed_mode_ctl": "ctl_proved waits for the row whose proof reads the same CTL",
    "reply_accepted": "a lost reply taken for an accepted one is put in doubt by the next look "
    "(edge `forgotten`), a refusal is held once its budget is over",
    "reply_lost": "silence taken for a lost reply only costs time: a command in doubt is not sent "
    "again before it can no longer be running",
    "boots_are_over": "baseline_known takes no registration from before the boots are over for a "
    "baseline",
    "still_shown": "nothing in the physics puts an old certificate back; driven directly in "
    "tests/tables/test_tables.py",
    "deletions_proved": "did_not_come_back looks into the stores of every node once more",
    "watched_long_enough": "did_not_come_back takes no look from before the watch is over",
}
SHIELDED: Final = {
    ("service_is_up", "drift"): (
        "a deactivated service",
        "`utils service restart Cisco CTIManager` is sent to pub, where it is not activated",
    ),
    ("baseline_known", "drift"): ("unreadable certificates", "AssertionError"),
    ("shown_not_done", "drift"): (
        "unreadable certificates",
        "tomcat on pub was regenerated twice",
    ),
    ("ctl_proved", "mixed_mode_ctl"): ("unreadable certificates in mixed mode", FOR_GOOD),
    ("window_regenerated", "ctl_proved", "mixed_mode_ctl"): ("secure phone", FOR_GOOD),
    ("boots_are_over", "baseline_known"): (
        "secure phone",
        "on sub holds neither a CallManager nor a TVS certificate of now",
    ),
    ("exclusion", "window_is_open"): (
        "secure phone",
        "2.regenerate:TVS@pub is begun before pub/CallManager is verified",
    ),
    ("deletions_proved", "did_not_come_back"): (
        "a deletion that is refused",
        "finished, and Phone-SAST-trust/pub/tomcat/g0.pem is there",
    ),
    ("did_not_come_back", "watched_long_enough"): (
        "an entry that is put back",
        "finished, and the nodes will put back what was deleted",
    ),
}


def taken_out(table: Table[View, StateT], names: Iterable[str]) -> Table[View, StateT]:
    """*table* with the named guards saying yes to everything."""
    out = set(names)

    def deaf(guard: Guard[View]) -> Guard[View]:
        return Guard(guard.name, guard.rule, lambda _: None) if guard.name in out else guard

    return attrs.evolve(
        table,
        edges=tuple(
            attrs.evolve(edge, guards=tuple(deaf(guard) for guard in edge.guards))
            for edge in table.edges
        ),
    )


def without(*names: str) -> Tables:
    assert set(names) <= set(ALL_GUARDS)
    return Tables(
        Evaluator(taken_out(COMMAND, names)),
        Evaluator(taken_out(CERTIFICATE, names)),
        Evaluator(taken_out(ENTRY, names)),
    )


@cache
def flaws(configuration: str, *out: str) -> frozenset[str]:
    """What goes wrong in *configuration* without the guards *out*."""
    try:
        found = SMALL[configuration](Book(without(*out))).explore(most=MOST)
    except (AssertionError, RuntimeError, ValueError) as error:
        return frozenset({type(error).__name__})
    if found.violation is None and not found.complete:
        return frozenset({WITHOUT_END})
    seen = {found.violation.what} if found.violation else set()
    if found.stuck:
        seen.add(STUCK)
    if found.held_for_good:
        seen.add(FOR_GOOD)
    return frozenset(seen)


def test_every_guard_is_either_killed_or_a_survivor_with_a_reason() -> None:
    assert sorted([*KILLED, *SURVIVORS]) == sorted(ALL_GUARDS)
    assert all(SURVIVORS.values())


@pytest.mark.parametrize("guard", KILLED)
def test_guard_that_is_taken_out_is_missed(guard: str) -> None:
    configuration, flaw = KILLED[guard]
    assert flaws(configuration, guard) - flaws(configuration) == {flaw}


@pytest.mark.parametrize("guard", SURVIVORS)
def test_survivor_changes_nothing_in_any_configuration(guard: str) -> None:
    missed = {name: flaws(name, guard) - flaws(name) for name in SMALL}
    assert missed == dict.fromkeys(SMALL, frozenset())


@pytest.mark.parametrize("guards", SHIELDED, ids=" and ".join)
def test_guards_that_shield_each_other_are_missed_together(guards: tuple[str, ...]) -> None:
    configuration, flaw = SHIELDED[guards]
    assert flaws(configuration, *guards) - flaws(configuration) == {flaw}
    assert not flaws(configuration, *guards[1:]) - flaws(configuration)


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
}


@pytest.mark.parametrize("configuration", SMALL)
def test_whole_tables_show_no_flaw_but_the_holds_that_are_meant(configuration: str) -> None:
    meant = frozenset({FOR_GOOD}) if configuration in EXPECTED_HOLDS else frozenset()
    assert flaws(configuration) == meant


# ── the stories, on the explorer as users have it ─────────────────────────────────────────


def explored(*out: str, forced: bool = False) -> Exploration:
    """CallManager and TVS on 11.5, the guards *out* taken out; *forced*: in a single window."""
    layout, kinds = layout_of(R11_5), (homed("sub"),)
    plan = planned(layout, kinds, windows=[BOTH]) if forced else planned(layout, kinds, units=BOTH)
    assert plan.is_refused is forced
    tables = without(*out)
    rules = (RULES[0],)
    return Explorer(layout, kinds, plan, tables=tables, rules=rules).explore()


def test_without_exclusion_the_lifeline_guard_still_keeps_both_anchors_from_going() -> None:
    found = explored("exclusion", forced=True)
    assert found.violation is None
    assert (found.states, found.finished, found.held) == (7_944, 0, 44)


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
