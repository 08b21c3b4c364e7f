"""Failures that were reported, of phones and their lists: how they come, and what stops them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import attrs
import pytest

from cucm_certflow.lab.physics.judge import Health
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.names import CertUnit, ListKind, Service
from cucm_certflow.observers import Held
from cucm_certflow.procedures.policies import Policy
from cucm_certflow.testing.virtual import run_virtual
from tests.journeys.main_job import Lab, names_to_waive, start
from tests.journeys.people import (
    STORIES_FOLDER,
    Story,
    assert_done_with_nobody_lost,
    assert_refused,
    assert_stopped_by_check,
    everybody,
    fates,
    found,
    looked,
    planned,
    regenerate,
    renew_lists,
    reset_everybody,
    restart,
    run,
    secure,
    texts,
    unregistered,
    update_ctl,
)
from tests.journeys.test_stories_beside_phones import STORIES as BESIDE_PHONES
from tests.words import NOBODY_LOOKED

CM, TVS, ITLR, CAPF = CertUnit.CALLMANAGER, CertUnit.TVS, CertUnit.ITLRECOVERY, CertUnit.CAPF
TOMCAT: Final = CertUnit.TOMCAT
IN_THE_DRAWER: Final = {"SEP0011223500AA"}
FOREIGN: Final = {"SEP0011223500AA", "SEP0011223500AB"}
NOT_SBD: Final = {"SEP001122350001", "SEP001122350002"}


# ── F1: everything at once ───────────────────────────────────────────────────────────────────────


async def _all_three_at_once(there: Lab) -> None:
    await renew_lists(there, CM, TVS, ITLR)
    assert set(fates(there).values()) == {Health.HAND_DELETE}
    # Phones that are not secure register without any list, in the lab.
    assert unregistered(there) >= secure(there)


async def _never_in_one_window(there: Lab, folder: Path) -> None:
    report = await looked(there, CM, TVS, ITLR)
    assert "anchors-valid" in found(report)
    plan = await planned(there, windows=[{CM, TVS, ITLR}], report=NOBODY_LOOKED)
    await assert_refused(there, plan, folder, guard="exclusion")
    plan = await planned(there, CM, TVS, ITLR, report=report)
    await assert_refused(there, plan, folder, guard="preflight", subject="anchors-valid")


# ── F2, F3, F30: phones that were not with us ────────────────────────────────────────────────────


async def _a_mismatch_stays_one(there: Lab) -> None:
    assert unregistered(there) == set()
    await renew_lists(there, CM)
    assert unregistered(there) == set()
    assert fates(there) == {
        name: Health.HAND_DELETE if name in FOREIGN else Health.OK for name in everybody(there)
    }


async def _mismatches_are_asked_for(there: Lab, folder: Path) -> None:
    await assert_stopped_by_check(there, folder, "itl-mismatches", CM, unsaid=["itl-mismatches"])


async def _two_changes_while_one_is_off(there: Lab) -> None:
    await renew_lists(there, CM)
    await renew_lists(there, TVS)
    (name,) = IN_THE_DRAWER
    back = there.lab.power(name, on=True)
    await there.clock.sleep((back - there.clock.now()).total_seconds() + 60)
    assert {n for n, fate in fates(there).items() if fate is not Health.OK} == IN_THE_DRAWER


async def _the_barrier_holds_for_it(there: Lab, folder: Path) -> None:
    await assert_stopped_by_check(there, folder, "phones-registered", CM, TVS)
    plan = await planned(there, CM, TVS, report=NOBODY_LOOKED)
    outcome = await run(there, plan, folder / "journal")
    assert isinstance(outcome, Held)
    assert set(names_to_waive(outcome)) == IN_THE_DRAWER
    assert [text for text in texts(there) if text == "set cert regen TVS"] == []
    assert set(fates(there).values()) == {Health.OK}


async def _foreign_lists_keep_phones_out(there: Lab) -> None:
    assert unregistered(there) == FOREIGN
    await renew_lists(there, CM)
    assert unregistered(there) == FOREIGN
    assert {name for name, fate in fates(there).items() if fate is not Health.OK} == FOREIGN


async def _foreign_lists_are_found_before(there: Lab, folder: Path) -> None:
    await assert_stopped_by_check(there, folder, "phones-registered", CM)
    await assert_stopped_by_check(there, folder, "other-clusters", CM, unsaid=["other-clusters"])


# ── F4, F5: the CTL of before the upgrade ────────────────────────────────────────────────────────


async def _callmanager_before_the_ctl(there: Lab) -> None:
    assert set(fates(there).values()) == {Health.NEEDS_LOCALKEY}
    await renew_lists(there, CM)
    assert set(fates(there).values()) == {Health.HAND_DELETE}
    assert unregistered(there) >= secure(there)


async def _the_old_anchor_is_found(there: Lab, folder: Path) -> None:
    report = await looked(there, CM)
    plan = await planned(there, CM, report=report)
    await assert_refused(there, plan, folder, guard="preflight", subject="ctl-anchors-live")
    plan = await planned(there, CM, report=NOBODY_LOOKED)
    await assert_refused(there, plan, folder, guard="ctl_anchor_current")
    # The field notice's workaround: a CTL that the last anchor signs, then the usual one.
    there.lab.begin_localkey("pub", ListKind.CTL)
    await there.clock.sleep(60)
    await reset_everybody(there)
    await update_ctl(there)
    await restart(there, Service.TFTP, Service.CALLMANAGER)
    await reset_everybody(there)
    assert set(fates(there).values()) == {Health.OK}
    await assert_done_with_nobody_lost(there, folder, CM)


# ── F6: CAPF and the CTL ─────────────────────────────────────────────────────────────────────────


async def _reset_without_a_new_ctl(there: Lab) -> None:
    await regenerate(there, CAPF)
    await restart(there, Service.CAPF, Service.TFTP)
    await reset_everybody(there)
    assert unregistered(there) == secure(there)


async def _the_ctl_comes_first(there: Lab, folder: Path) -> None:
    await assert_done_with_nobody_lost(there, folder, CAPF)
    order = texts(there, resets=True)
    first_reset = next(i for i, text in enumerate(order) if text.startswith("doDeviceReset"))
    assert order.index("utils ctl update CTLFile") < first_reset


# ── F10: phones that cannot ask ──────────────────────────────────────────────────────────────────


async def _the_new_ctl_is_refused(there: Lab) -> None:
    await renew_lists(there, CM)
    served = there.lab.served("pub", ListKind.CTL)
    assert {n for n in everybody(there) if there.lab.phone(n).ctl != served} == NOT_SBD
    assert {n for n, fate in fates(there).items() if fate is not Health.OK} == NOT_SBD


async def _they_are_listed(there: Lab, folder: Path) -> None:
    await assert_stopped_by_check(there, folder, "security-by-default", CM)
    report = await looked(there, CM)
    (finding,) = (f for f in report.findings if f.check == "security-by-default")
    assert set(finding.phones) == NOT_SBD


# ── F15, F35: phones that reset and reset ────────────────────────────────────────────────────────


async def _times_registered_anew(there: Lab, seconds: float) -> dict[str, int]:
    times = dict.fromkeys(everybody(there), 0)
    before = {name: r.at for name, r in there.lab.registrations().items()}
    for _ in range(int(seconds // 30)):
        await there.clock.sleep(30)
        for name, registration in there.lab.registrations().items():
            if registration.registered and registration.at != before[name]:
                times[name] += 1
                before[name] = registration.at
    return times


async def _every_seven_minutes(there: Lab) -> None:
    times = await _times_registered_anew(there, 3600)
    assert set(times.values()) <= {7, 8}  # 60 minutes hold eight resets; the last may be under way
    await regenerate(there, TOMCAT)
    await restart(there, Service.TOMCAT)
    await there.clock.sleep(600)  # with certificates of one node each it is over
    assert set((await _times_registered_anew(there, 1800)).values()) == {0}


async def _the_run_holds(there: Lab, folder: Path) -> None:
    policy = Policy(loop_after=2)
    plan = await planned(there, CAPF, TVS, ITLR, report=NOBODY_LOOKED, policy=policy)
    outcome = await run(there, plan, folder / "journal")
    assert isinstance(outcome, Held)
    assert "reset_loop" in {reason.guard for reason in outcome.blocked}
    assert set(names_to_waive(outcome)) <= everybody(there)
    sent = len(there.lab.log)
    await there.clock.sleep(3600)
    assert len(there.lab.log) == sent


async def _once_for_each_node(there: Lab) -> None:
    times = dict.fromkeys(everybody(there), 0)
    for node in ("pub", "sub"):
        await regenerate(there, TVS, nodes=[node])
        for name, more in (await _times_registered_anew(there, 900)).items():
            times[name] += more
    assert set(times.values()) == {2}


async def _the_parameter_is_asked_for(there: Lab, folder: Path) -> None:
    unsaid = ["phone-interaction"]
    await assert_stopped_by_check(there, folder, "phone-interaction", TVS, unsaid=unsaid)
    # With a person's word it is no danger to a phone, whatever the parameter really is.
    await assert_done_with_nobody_lost(there, folder, TVS)


# ── F26, F34 ─────────────────────────────────────────────────────────────────────────────────────


async def _the_parameter_is_read(there: Lab, folder: Path) -> None:
    await assert_stopped_by_check(there, folder, "rollback-parameter", CM)


async def _phones_alone_are_called(there: Lab, folder: Path) -> None:
    await assert_done_with_nobody_lost(there, folder, TVS)
    called = [text for text in texts(there, resets=True) if text not in texts(there)]
    assert {text.removeprefix("doDeviceReset ") for text in called} == everybody(there)
    report = await there.cluster.verify(journal=folder / "journal")
    assert "devices-back" not in {finding.check for finding in report.open()}


STORIES: Final = (
    Story("F1", "f01-renewed-together.toml", _never_in_one_window, _all_three_at_once),
    Story("F2", "f02-mismatch-from-before.toml", _mismatches_are_asked_for, _a_mismatch_stays_one),
    Story(
        "F3", "f03-phone-in-a-drawer.toml", _the_barrier_holds_for_it, _two_changes_while_one_is_off
    ),
    Story(
        "F4",
        "f04-ctl-of-before-the-upgrade.toml",
        _the_old_anchor_is_found,
        _callmanager_before_the_ctl,
    ),
    Story("F5", "f05-su3-is-no-cure.toml", _the_old_anchor_is_found, _callmanager_before_the_ctl),
    Story("F6", "f06-old-capf-in-the-ctl.toml", _the_ctl_comes_first, _reset_without_a_new_ctl),
    Story("F10", "f10-phones-that-cannot-ask-tvs.toml", _they_are_listed, _the_new_ctl_is_refused),
    Story("F15", "f15-reset-every-7-minutes.toml", _the_run_holds, _every_seven_minutes),
    Story(
        "F26",
        "f26-rollback-left-true.toml",
        _the_parameter_is_read,
        untold="the lists that the parameter empties are not in the physics",
    ),
    Story(
        "F30",
        "f30-lists-of-another-cluster.toml",
        _foreign_lists_are_found_before,
        _foreign_lists_keep_phones_out,
    ),
    Story(
        "F34",
        "f34-reset-of-everything.toml",
        _phones_alone_are_called,
        untold="nothing ever happens to devices of the lab that are no phones",
    ),
    Story("F35", "f35-reset-node-by-node.toml", _the_parameter_is_asked_for, _once_for_each_node),
)


@pytest.mark.parametrize("story", [s for s in STORIES if s.damage], ids=str)
def test_without_the_library_it_goes_as_it_was_reported(story: Story) -> None:
    run_virtual(story.goes_wrong)


@pytest.mark.parametrize("story", STORIES, ids=str)
def test_the_library_stops_it(story: Story, tmp_path: Path) -> None:
    run_virtual(lambda: story.is_stopped(tmp_path))


def test_each_story_does_its_damage_or_says_why_the_physics_cannot() -> None:
    for story in (*STORIES, *BESIDE_PHONES):
        assert (story.damage is None) is bool(story.untold), story.name


def test_every_scenario_of_the_folder_is_told_once() -> None:
    told = [story.file for story in (*STORIES, *BESIDE_PHONES)]
    assert sorted(told) == sorted(path.name for path in STORIES_FOLDER.glob("*.toml"))


@pytest.mark.parametrize("strict", [True, False])
def test_a_ctl_update_alone_is_no_cure_of_f4_where_the_ctl_alone_judges(strict: bool) -> None:
    """FN70613: `utils ctl reset localkey` comes first; whether it must is unverified."""

    async def updated() -> set[Health]:
        scenario = Scenario.load(STORIES_FOLDER / "f04-ctl-of-before-the-upgrade.toml")
        variant = attrs.evolve(scenario.variant, ctl_strict=strict)
        there = start(attrs.evolve(scenario, variant=variant))
        await update_ctl(there)
        await restart(there, Service.TFTP, Service.CALLMANAGER)
        await reset_everybody(there)
        return set(fates(there).values())

    assert run_virtual(updated) == {Health.NEEDS_LOCALKEY if strict else Health.OK}
