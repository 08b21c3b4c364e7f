"""The enumeration for sweeps: every kind at every step where it makes sense, one at a time."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from cucm_certflow.commands import (
    Regenerate,
    ResetPhones,
    RestartService,
    UpdateCtl,
)
from cucm_certflow.facts import CertificateOf, Registrations
from cucm_certflow.lab.cluster import Executed, LabCluster
from cucm_certflow.lab.every_fault import FaultCase, every_fault
from cucm_certflow.lab.faults import Exchange
from cucm_certflow.lab.memory import MemoryTransport
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.lab.scenario_events import EventKind
from cucm_certflow.lab.scenario_faults import FaultKind
from cucm_certflow.names import CertUnit, Service
from cucm_certflow.testing.virtual import VirtualClock, run_virtual
from tests.lab.small import PHONE, SECURE, scenario

STEPS = (
    Regenerate("pub", CertUnit.CALLMANAGER),
    UpdateCtl("pub"),
    RestartService("sub", Service.TFTP),
    ResetPhones("pub", (PHONE, SECURE)),
)


def cases(told: Scenario | None = None) -> list[FaultCase]:
    return list(every_fault(told or scenario(), STEPS))


def test_each_case_has_one_thing_wrong_and_a_name_of_its_own() -> None:
    found = cases()
    assert len({case.name for case in found}) == len(found)
    for case in found:
        assert len(case.scenario.faults) + len(case.scenario.events) == 1


def test_what_is_wrong_already_stays_so() -> None:
    told = scenario(more='\n[[faults]]\nkind = "refused"\ncommand = "show version"\n')
    assert all(case.scenario.faults[:1] == told.faults for case in cases(told))


def test_every_kind_of_event_comes_somewhere() -> None:
    found = {event.kind for case in cases() for event in case.scenario.events}
    assert found == set(EventKind)


def kinds_at(number: int) -> set[FaultKind]:
    return {
        case.scenario.faults[0].kind
        for case in cases()
        if f"at {number}: " in case.name and case.scenario.faults
    }


def test_a_fault_comes_where_its_interface_is() -> None:
    assert FaultKind.HOST_KEY_CHANGED in kinds_at(1)
    assert FaultKind.THROTTLED not in kinds_at(1)
    assert FaultKind.THROTTLED in kinds_at(4)
    assert FaultKind.RATE_LIMITED not in kinds_at(4)  # AXL has no such fault


def test_events_about_a_ctl_come_in_mixed_mode_only() -> None:
    told = Scenario.loads(
        """
        release = "11.5"
        [[nodes]]
        name = "pub"
        address = "127.0.0.11"
        publisher = true
        """
    )
    found = {
        event.kind
        for case in every_fault(told, [Regenerate("pub", CertUnit.TVS)])
        for event in case.scenario.events
    }
    assert EventKind.NODE_REBOOTS in found
    assert not found & {EventKind.CTL_KEPT, EventKind.CTL_UPDATED_OUTSIDE, EventKind.PHONES_SLOW}


def test_a_step_that_comes_again_is_struck_the_second_time() -> None:
    nths: dict[str, set[int]] = {"1": set(), "2": set()}
    for case in every_fault(scenario(), (STEPS[2], STEPS[2])):
        number = case.name.partition(" at ")[2].partition(":")[0]
        nths[number] |= {each.nth for each in case.scenario.faults}
        nths[number] |= {each.nth for each in case.scenario.events}
    assert nths == {"1": {1}, "2": {2}}


def asked() -> tuple[tuple[Exchange, ...], tuple[Executed, ...]]:
    async def main() -> tuple[tuple[Exchange, ...], tuple[Executed, ...]]:
        clock = VirtualClock()
        lab = LabCluster(scenario(), clock)
        way = MemoryTransport(lab, clock)
        for command in STEPS:
            await way.perform(command)
            for _ in range(3):
                await way.observe(CertificateOf("pub", CertUnit.CALLMANAGER))
                await way.observe(Registrations())
        return lab.exchanges, lab.log

    return run_virtual(main)


def heads(found: Iterable[FaultCase]) -> list[str]:
    return list(dict.fromkeys(case.name.partition(" at ")[2] for case in found))


def test_of_looks_that_are_repeated_the_first_after_each_command_is_struck() -> None:
    exchanges, _ = asked()
    looks = [head for head in heads(every_fault(scenario(), exchanges)) if "show cert" in head]
    assert len(looks) == len(STEPS)
    found = [
        case.scenario.faults[0].nth
        for case in every_fault(scenario(), exchanges)
        if case.name.startswith("lost reply") and "show cert" in case.name
    ]
    assert found == [1, 4, 7, 10]


def test_the_log_and_the_commands_of_a_plan_name_the_same_steps() -> None:
    _, log = asked()
    assert heads(every_fault(scenario(), log)) == heads(every_fault(scenario(), STEPS))


def test_it_is_the_same_twice() -> None:
    assert cases() == cases()


@pytest.mark.parametrize("name", ["main-job.toml"])
def test_every_case_of_a_whole_job_is_a_valid_scenario(name: str) -> None:
    told = Scenario.load(Path(__file__).parents[2] / "examples" / "scenarios" / name)
    steps = (Regenerate("pub", CertUnit.CALLMANAGER), RestartService("sub1", Service.TFTP))
    assert len(list(every_fault(told, steps))) > len(FaultKind)
