"""The fault sweep: every fault and every event of the lab at every step of the five stories."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache, partial
from typing import Final, NamedTuple

from cucm_certflow.lab.every_fault import FaultCase, every_fault
from cucm_certflow.lab.scenario_events import EventKind, EventSpec
from cucm_certflow.lab.scenario_faults import FaultKind, FaultSpec
from tests.sweeps.crashes import undisturbed
from tests.sweeps.story import SUBJECTS, subject, tell
from tests.sweeps.tally import Heard, heard

__all__ = ["MEDDLING", "FaultAt", "fault_cases", "fault_kinds", "faulted", "sampled_faults"]

_TRIES: Final = 3
"""A fault that lasts is not lifted by looking again and again."""

_CHANGES: Final = (
    "set cert regen",
    "utils service restart",
    "utils ctl update",
    "utils ctl reset",
    "utils itl reset",
    "doDeviceReset",
)

MEDDLING: Final = frozenset(
    {
        EventKind.REGENERATED_OUTSIDE,
        EventKind.CTL_UPDATED_OUTSIDE,
        EventKind.PHONES_LOCKED,
    }
)
"""What others do to phones, or to what phones trust."""


class FaultAt(NamedTuple):
    """One case: the *number*-th of a scenario, from 0; the same for the same code."""

    scenario: str
    number: int
    kind: str


@cache
def _cases(scenario: str) -> tuple[FaultCase, ...]:
    exchanges = undisturbed(scenario).exchanges
    return tuple(every_fault(subject(scenario).scenario, exchanges))


def fault_cases(seed: int, *, whole: bool = False) -> list[FaultAt]:
    """The cases of all five scenarios, in order.

    Args:
        seed: Of what chance decides.
        whole: Whether a look is struck in every step in which it is made. If not, each kind of
            fault strikes each kind of look once, at a node and at a moment that chance draws;
            commands are struck by everything, every time.
    """
    return [
        FaultAt(name, number, _only(_cases(name)[number]).kind.value)
        for name in (each.scenario.name for each in SUBJECTS)
        for number in _numbers(name, seed, whole=whole)
    ]


def _numbers(scenario: str, seed: int, *, whole: bool) -> list[int]:
    cases = _cases(scenario)
    if whole:
        return list(range(len(cases)))
    chance = random.Random(f"{seed} {scenario}")
    chosen: list[int] = []
    looks: dict[tuple[FaultKind, str], list[int]] = {}
    for number, case in enumerate(cases):
        only = _only(case)
        if isinstance(only, EventSpec) or only.command.startswith(_CHANGES):
            chosen.append(number)
        else:
            looks.setdefault((only.kind, only.command), []).append(number)
    return sorted([*chosen, *map(chance.choice, looks.values())])


def _only(case: FaultCase) -> FaultSpec | EventSpec:
    if case.scenario.events:
        return case.scenario.events[0]
    return case.scenario.faults[0]


def fault_kinds(cases: Sequence[FaultAt]) -> list[str]:
    """Every kind of fault and of event among *cases*, in order."""
    return list(dict.fromkeys(case.kind for case in cases))


def sampled_faults(cases: Sequence[FaultAt], count: int, seed: int) -> list[FaultAt]:
    """*count* of *cases*, every kind once at least."""
    chance = random.Random(seed)
    chosen = [
        chance.choice([case for case in cases if case.kind == kind]) for kind in fault_kinds(cases)
    ]
    taken = frozenset(chosen)
    rest = [case for case in cases if case not in taken]
    return chosen + chance.sample(rest, max(0, min(len(rest), count - len(chosen))))


def faulted(at: FaultAt) -> Heard:
    """The story of one case."""
    case = _cases(at.scenario)[at.number]
    what = subject(at.scenario)._replace(scenario=case.scenario)
    meddled = any(event.kind in MEDDLING for event in case.scenario.events)
    telling = partial(tell, what, tries=_TRIES, others_may_lose=meddled)
    return heard(f"{at.scenario}: {case.name}", at.kind, telling)
