"""What a check says of a plan: holds, hangs on an assumption, refused, or not all looked at."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

import attrs
import pytest

from cucm_certflow.core.plan import Plan
from cucm_certflow.errors import PolicyError, UsageError
from cucm_certflow.lab.physics.world import Variant
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.names import CertUnit
from cucm_certflow.testing.check import plans
from cucm_certflow.testing.check.checked import Answer, CheckedPlan, Verdict
from cucm_certflow.testing.check.miniature import miniature_of
from cucm_certflow.testing.check.plans import check_plan
from cucm_certflow.testing.check.uncertain import UNCERTAIN, library_reading
from cucm_certflow.testing.check.wish import Wish

ASSUMPTIONS: Final = Path(__file__).parents[2] / "docs" / "assumptions.md"
STORIES: Final = Path(__file__).parents[2] / "examples" / "scenarios" / "stories"
BOTH: Final = 'units = ["CallManager", "TVS"]\n'
TOGETHER: Final = 'windows = [["CallManager", "TVS"]]\n'


def cluster(release: str, mode: str, *, count: int = 3, more: str = "") -> Scenario:
    return Scenario.loads(
        f"""
        release = "{release}"
        mode = "{mode}"
        [accounts]
        platform = {{ user = "administrator", password = "p" }}
        application = {{ user = "certflow", password = "a" }}
        [[nodes]]
        name = "pub"
        address = "127.0.0.11"
        publisher = true
        services = ["callmanager", "tftp", "tvs", "cti"]
        [[nodes]]
        name = "sub"
        address = "127.0.0.12"
        services = ["callmanager", "tftp", "tvs", "cti"]
        [[phones]]
        count = {count}
        model = "Cisco 8861"
        group = ["sub", "pub"]
        tftp = ["sub", "pub"]
        {more}
        """
    )


@cache
def checked(
    release: str,
    mode: str,
    wish: str,
    *,
    faults: int = 0,
    most: int = 200_000,
    more: str = "",
    together: bool = False,
) -> CheckedPlan:
    return check_plan(
        cluster(release, mode, more=more),
        Wish.loads(wish),
        faults=faults,
        most=most,
        within_s=600,
        together=together,
    )


def test_plan_that_relies_on_nothing_uncertain_holds_under_every_variant() -> None:
    found = checked("12.5", "non-secure", BOTH)
    assert found.answer is Answer.HOLDS, found
    assert len(found.readings) >= 4
    assert found.not_begun == ()
    assert {title for title, _ in found.left_out} >= {
        "TVS vouches for a CTL",
        "TVS vouches for a new ITLRecovery",
    }


def test_plan_that_needs_tvs_says_so_with_the_shortest_story() -> None:
    found = checked("11.5", "mixed", BOTH)
    assert found.answer is Answer.HANGS
    titles = {each.reading.title for each in found.hangs_on}
    assert {
        "TVS vouches for a CTL",
        "Every phone with Security By Default reaches TVS",
    } <= titles
    (vouches,) = (e for e in found.hangs_on if e.reading.title == "TVS vouches for a CTL")
    assert vouches.worst is not None
    assert vouches.worst.verdict is Verdict.BROKEN
    assert vouches.worst.story[0] == "we send `set cert regen CallManager` to pub and sub"
    assert vouches.worst.what.endswith("(one of 3) is not in step")
    assert "TVS vouches for no CTL" in str(found)


def test_story_says_who_does_what_and_what_a_phone_makes_of_its_lists() -> None:
    found = checked("11.5", "mixed", BOTH)
    (vouches,) = (e for e in found.hangs_on if e.reading.title == "TVS vouches for a CTL")
    assert vouches.worst is not None
    story = vouches.worst.story
    first = next(cluster("11.5", "mixed").each_phone()).device.name
    assert "we send `utils ctl update CTLFile` to pub: pub and sub serve a new CTL" in story
    assert f"we reset {first} (one of 3)" in story
    came = next(line for line in story if line.startswith(f"{first} (one of 3) comes to "))
    assert "it turns the CTL down (it does not know who signed it, and asks no TVS" in came
    assert "it takes the ITL" in came
    assert came.endswith(", and registers")
    assert not any(word in line for line in story for word in (" is sent", " is proved", "@", "#"))


def test_variant_that_the_library_can_read_is_refused_and_not_run() -> None:
    old = "security_by_default = false\n"
    found = checked("11.5", "mixed", 'units = ["CallManager"]\n', more=old)
    (read,) = (e for e in found.readings if e.reading.title == "The CTL names ITLRecovery")
    assert read.verdict is Verdict.REFUSED
    assert read.parts == ()
    assert any("3 phones would have no way back" in reason for reason in read.refusals)


def test_two_assumptions_that_must_not_both_be_wrong_are_found_where_each_alone_may_be() -> None:
    found = checked("11.5", "mixed", 'units = ["CallManager"]\n', together=True)
    (pair,) = (each for each in found.hangs_on if each in found.combined)
    assert pair.reading.title == (
        "one of these at least: TVS vouches for a CTL; A CTL judges the ITL"
    )
    alone = {each.reading.title: each.verdict for each in found.readings}
    assert alone["TVS vouches for a CTL"] is Verdict.HOLDS
    assert alone["A CTL judges the ITL"] is Verdict.HOLDS
    assert pair.worst is not None
    assert pair.worst.story == ("we send `set cert regen CallManager` to pub",)
    assert found.uncombined == 0


def test_combinations_that_were_not_looked_at_are_counted_and_said() -> None:
    found = checked("11.5", "mixed", 'units = ["CallManager"]\n')
    assert found.combined == ()
    assert found.uncombined > 0
    assert f"not begun: {found.uncombined} combinations of several assumptions" in str(found)


def test_phone_that_is_lost_without_us_is_no_story_of_the_plan() -> None:
    found = checked("11.5", "mixed", BOTH)
    (alone,) = (e for e in found.hangs_on if e.reading.title.endswith("reaches TVS"))
    (part,) = alone.parts
    assert part.stays
    assert part.story == ("we send `set cert regen CallManager` to pub",)
    assert part.what.endswith("(one of 3) has no way back but `reset localkey`")
    assert "whatever is regenerated" in str(found)


def test_refused_plan_is_explored_all_the_same_and_no_phone_is_lost_by_it() -> None:
    found = checked("11.5", "non-secure", TOGETHER)
    assert found.answer is Answer.REFUSED
    assert {refusal.guard for refusal in found.plan.refusals} >= {"exclusion", "lifeline"}
    base, _ = found.readings
    assert base.worst is not None
    assert base.worst.story == ("we send `set cert regen CallManager` to pub and sub",)
    assert "the phones have not met it yet" in base.worst.what  # guards keep it from happening


def test_refused_plan_is_explored_without_what_refuses_it_to_show_what_that_is_for() -> None:
    found = checked("11.5", "non-secure", TOGETHER)
    _, without = found.readings
    assert without.reading.name.startswith("without what refuses it (exclusion, lifeline")
    assert without.worst is not None
    assert without.worst.verdict is Verdict.BROKEN
    assert "we send `set cert regen TVS` to pub and sub" in without.worst.story
    assert "has no way back" in without.worst.what


def test_guard_that_protects_an_anchor_is_missed_with_the_shortest_story() -> None:
    found = checked("11.5", "non-secure", TOGETHER + 'without = ["exclusion", "lifeline"]\n')
    assert found.answer is Answer.REFUSED
    worst = found.readings[0].worst
    assert worst is not None
    assert worst.verdict is Verdict.BROKEN
    story = "\n".join(worst.story)
    assert "we send `set cert regen CallManager` to pub and sub" in story
    assert "we send `set cert regen TVS` to pub and sub" in story
    assert " is sent" not in story
    assert " is proved" not in story
    assert "explored without exclusion, lifeline: nothing is ever run so" in str(found)


def test_story_has_the_mishap_that_a_guard_is_for() -> None:
    found = checked("11.5", "mixed", 'units = ["CallManager"]\nwithout = ["settled"]\n', faults=1)
    worst = found.readings[0].worst
    assert worst is not None
    assert worst.what == "CallManager on pub was regenerated twice"
    assert any(
        line.startswith("we send `set cert regen CallManager` to pub; ") for line in worst.story
    )


def test_guard_on_which_others_rely_is_missed_by_an_error_and_not_by_a_traceback() -> None:
    found = checked("11.5", "mixed", 'units = ["CallManager"]\nwithout = ["entry_is_gone"]\n')
    worst = found.readings[0].worst
    assert found.answer is Answer.REFUSED
    assert worst is not None
    assert worst.what.startswith("the run breaks off with an error: ")


def test_lone_guard_that_another_one_shields_is_refused_all_the_same() -> None:
    found = checked("11.5", "non-secure", BOTH + 'without = ["lifeline"]\n')
    assert found.readings[0].verdict is Verdict.HOLDS
    assert found.answer is Answer.REFUSED


def test_phones_that_have_to_be_waived_are_said_and_are_no_failure_of_the_plan() -> None:
    old = 'security_by_default = false\nsecurity = "Encrypted"\n'
    found = checked("11.5", "mixed", 'units = ["CallManager"]\n', more=old)
    assert found.answer is Answer.WAITS, found
    assert found.readings[0].verdict is Verdict.WAITS


@pytest.mark.parametrize("most", [20, 300])
def test_budget_that_is_over_is_said_and_is_no_pass(most: int) -> None:
    found = checked("12.5", "non-secure", BOTH, most=most)
    assert found.answer is Answer.NOT_COVERED
    assert any(part.unexplored for each in found.readings for part in each.parts)
    assert "not followed" in str(found)
    part = next(p for each in found.readings for p in each.parts if p.unexplored)
    assert part.proved < part.steps
    assert f"step {part.proved} of {part.steps} reached" in str(found)
    assert "not everything was looked at" in str(found)


def test_part_that_was_not_covered_is_not_hidden_by_one_that_waits() -> None:
    found = checked("12.5", "non-secure", BOTH)
    base = found.readings[0]
    (part,) = base.parts
    waits = attrs.evolve(part, verdict=Verdict.WAITS)
    open_end = attrs.evolve(part, verdict=Verdict.NOT_COVERED, unexplored=7)
    half = attrs.evolve(base, parts=(waits, open_end))
    again = attrs.evolve(found, readings=(half, *found.readings[1:]))
    assert again.answer is Answer.NOT_COVERED


def test_without_time_nothing_is_begun_and_every_variant_is_named() -> None:
    scenario = cluster("12.5", "non-secure")
    found = check_plan(scenario, Wish.loads(BOTH), within_s=0)
    assert found.answer is Answer.NOT_COVERED
    assert found.readings == ()
    assert "not begun, the budget was over: as the library assumes" in str(found)


def test_forty_thousand_phones_are_explored_as_the_few_that_differ() -> None:
    scenario = cluster("14", "non-secure", count=40_000)
    here = miniature_of(scenario)
    assert len(here.kinds) == 1
    found = check_plan(scenario, Wish.loads('units = ["TVS"]'), faults=0, together=False)
    assert found.answer in (Answer.HOLDS, Answer.HANGS)
    assert "40000 Cisco 8861 of sub and pub" in str(found)


def test_phone_of_which_something_is_said_by_name_is_explored_by_itself() -> None:
    scenario = cluster("14", "non-secure")
    first = next(scenario.each_phone()).device.name
    wish = Wish.loads(f'units = ["TVS"]\nwaive = ["{first}"]')
    assert len(miniature_of(scenario, said=wish.said_of).kinds) == 2
    found = check_plan(scenario, wish, faults=0, together=False)
    assert found.plan.waived == {first}
    waived, others = found.readings[0].parts
    assert waived.phones.startswith(f"Cisco 8861 {first} of")
    assert others.phones.startswith("2 Cisco 8861 of")


def test_waived_phone_does_not_hide_what_the_same_plan_does_to_the_others() -> None:
    scenario = cluster("11.5", "mixed")
    first = next(scenario.each_phone()).device.name
    wish = Wish.loads(f'units = ["CallManager"]\nwaive = ["{first}"]\n')
    found = check_plan(scenario, wish, faults=0, together=False)
    assert found.answer is Answer.HANGS
    for each in found.hangs_on:
        waived, others = each.parts
        assert waived.verdict is Verdict.HOLDS, found
        assert others.verdict is Verdict.BROKEN, found


def test_what_the_cluster_does_not_have_is_refused_and_never_a_pass() -> None:
    found = checked("12.5", "non-secure", 'units = ["cup"]\n')
    assert found.answer in (Answer.REFUSED, Answer.NOTHING)


def test_phone_that_is_lost_already_is_said_and_is_not_laid_to_the_plan() -> None:
    story = Scenario.load(STORIES / "f02-mismatch-from-before.toml")
    found = check_plan(story, Wish.loads('units = ["CallManager"]'), faults=0, together=False)
    assert found.answer is Answer.LOST_BEFORE
    others, lost = found.readings[0].parts
    assert (others.verdict, lost.verdict) == (Verdict.HOLDS, Verdict.LOST_BEFORE)
    assert lost.story == ()
    assert lost.what.endswith("somebody has to delete its lists by hand")


def test_waiver_of_no_phone_is_an_error() -> None:
    with pytest.raises(UsageError, match="SEPNOBODY"):
        checked("12.5", "non-secure", BOTH + 'waive = ["SEPNOBODY"]\n')


# ── bad input ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "place", "reason"),
    [
        ('units = ["CallManagr"]', "units[0]", "did you mean 'CallManager'?"),
        ('units = ["TVS"]\nwindows = [["TVS"]]', "windows", "one of the two"),
        ('windows = [["TVS"], []]', "windows[1]", "nothing changes in it"),
        ('windows = [["TVS"], ["TVS"]]', "windows[1]", "TVS is in windows[0] already"),
        ('without = ["lifline"]', "without[0]", "did you mean 'lifeline'?"),
        ("[policy]\nordr = 1", "policy.ordr", "did you mean 'order'?"),
        ('[policy]\norder = "tvs"', "policy.order", "expected one of callmanager_first, tvs_first"),
        ("[policy]\nreset_batch = 0", "policy", "reset_batch must be 1 or more"),
    ],
)
def test_wish_that_is_wrong_is_named_by_its_place(text: str, place: str, reason: str) -> None:
    with pytest.raises(PolicyError) as caught:
        Wish.loads(text, source="wish.toml")
    report = caught.value.report
    assert f"{place}: " in report.saw
    assert reason in report.saw
    assert report.source == "wish.toml"


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ("run_within_s = 600", "it holds before the phones can be back"),
        (
            'approve = ["reset"]\nrun_within_s = 9000',
            "it holds while it waits for a person",
        ),
        ("failure_limit = 3\nphone_back_within_s = 3000", "the failure limit is never reached"),
        ("canary_within_s = 60", "the run holds at its canaries"),
        ('barrier = "list_match"', "the run holds at its first barrier"),
        ("plateau_s = 60", "the run may hold while phones boot"),
        ("barrier_within_s = 60\nplateau_s = 30", "the run holds at its first barrier"),
    ],
)
def test_policy_that_contradicts_itself_says_what_comes_of_it(policy: str, words: str) -> None:
    found = checked("12.5", "non-secure", f'units = ["TVS"]\n[policy]\n{policy}\n', most=50)
    assert found.answer is Answer.CONTRADICTS
    assert any(words in each for each in found.contradictions)
    assert words in str(found)


def test_waiving_everybody_contradicts_itself() -> None:
    scenario = cluster("12.5", "non-secure")
    names = [phone.device.name for phone in scenario.each_phone()]
    wish = Wish(units=(CertUnit.TVS,), waive=tuple(names))
    found = check_plan(scenario, wish, faults=0, together=False)
    assert found.answer is Answer.CONTRADICTS
    assert any("every phone is waived" in each for each in found.contradictions)


def test_windows_that_contradict_the_order_of_the_policy_are_said() -> None:
    windows = 'windows = [["CallManager"], ["TVS"]]\n[policy]\norder = "tvs_first"\n'
    found = checked("12.5", "non-secure", windows, most=50)
    assert found.answer is Answer.CONTRADICTS
    assert any("the windows say CallManager first" in each for each in found.contradictions)


# ── the table of what is uncertain ────────────────────────────────────────────────────────


def test_every_flag_of_the_physics_is_something_uncertain_with_a_section_in_the_docs() -> None:
    assert {each.flag for each in UNCERTAIN} == {*Variant._fields, "reaches_tvs"}
    sections = {
        line.removeprefix("### ")
        for line in ASSUMPTIONS.read_text(encoding="utf-8").splitlines()
        if line.startswith("### ")
    }
    assert {each.title for each in UNCERTAIN} <= sections


@pytest.mark.parametrize(
    ("release", "mode", "unit"),
    [("12.0", "non-secure", "TVS"), ("12.5", "mixed", "CallManager"), ("14", "non-secure", "TVS")],
)
def test_what_is_said_to_make_no_difference_makes_none(
    release: str, mode: str, unit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wish = f'units = ["{unit}"]\n'
    plain = checked(release, mode, wish)
    left_out = {title for title, _ in plain.left_out}
    assert left_out

    def all_that_was_left_out(plan: Plan) -> object:
        base = library_reading(plan)
        flipped = [
            base.where(each.title, each, value=not base.value(each))
            for each in UNCERTAIN
            if each.title in left_out
        ]
        return (base, *flipped), ()

    monkeypatch.setattr(plans, "readings_for", all_that_was_left_out)
    found = check_plan(cluster(release, mode), Wish.loads(wish), faults=0, together=False)
    assert len(found.readings) == len(left_out) + 1
    counts = [[(p.states, p.edges, p.verdict) for p in e.parts] for e in found.readings]
    assert counts == [counts[0]] * len(counts)
