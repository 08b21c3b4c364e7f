"""Every story of CallManager and TVS on two nodes, lived through by the production ``decide``.

A crash at any step, one reply that is lost or late, phones that are switched off and on, come
unasked, or come to the other TFTP node. Counts are pinned: a change that moves them is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import product
from time import perf_counter
from typing import Final, NamedTuple

import pytest

from cucm_certflow.core.plan import Plan
from cucm_certflow.lab.physics.judge import Health, Memo, health
from cucm_certflow.lab.physics.world import Layout, PhoneKind
from cucm_certflow.procedures.policies import Policy, UnitOrder
from cucm_certflow.testing.explorer import Exploration, Explorer, Limits, Moment
from tests.proof.runs import BOTH, CALM, R11_5, R14, homed, layout_of, planned, show

CM_FIRST, TVS_FIRST = UnitOrder.CALLMANAGER_FIRST, UnitOrder.TVS_FIRST
FAULTS: Final = Limits()
RESETS: Final = Limits(phones_reset_on_regeneration=True)


class Case(NamedTuple):
    """A cluster, its phones, and how unkind the world is."""

    release: tuple[int, int]
    mixed: bool
    order: UnitOrder
    homes: tuple[str, ...] = ("sub",)
    at_once: bool = False
    """The ITL is rebuilt without a restart of TFTP."""

    asks_tvs: bool = True
    limits: Limits = FAULTS

    def __str__(self) -> str:
        words = [
            f"{self.release[0]}.{self.release[1]}",
            "mixed" if self.mixed else "non-secure",
            "TVS first" if self.order is TVS_FIRST else "CallManager first",
            *(f"phone on {home}" for home in self.homes),
            "" if self.asks_tvs else "without Security By Default",
            "ITL at once" if self.at_once else "",
            {FAULTS: "", CALM: "no faults", RESETS: "automatic resets"}[self.limits],
        ]
        return ", ".join(word for word in words if word)

    def layout(self) -> Layout:
        return layout_of(self.release, mixed=self.mixed, at_once=self.at_once)

    def phones(self) -> tuple[PhoneKind, ...]:
        # In mixed mode the first phone is secure; one that cannot ask TVS is judged by its CTL.
        return tuple(
            homed(home, secure=self.mixed and self.asks_tvs and not index, asks_tvs=self.asks_tvs)
            for index, home in enumerate(self.homes)
        )

    def plan(self) -> Plan:
        policy = Policy(order=self.order)
        return planned(self.layout(), self.phones(), units=BOTH, policy=policy)


class Counts(NamedTuple):
    states: int
    finished: int
    held: int


PINNED: Final[dict[Case, Counts]] = {}

# A phone that cannot ask TVS turns down the CTL by a new CallManager certificate (up to 11.5):
# it is the exposure that the table names, and the barrier holds until it is waived by name.
WAIVED_OR_NEVER: Final[dict[Case, Counts]] = {}

EVERY: Final = {**PINNED, **WAIVED_OR_NEVER}
GOOD: Final = [case for case in PINNED]


@cache
def explored(case: Case) -> Exploration:
    started = perf_counter()
    plan = case.plan()
    assert not plan.is_refused
    found = Explorer(case.layout(), case.phones(), plan, limits=case.limits).explore()
    show(f"{case}: {found.states} states, {perf_counter() - started:.1f} s")
    return found
