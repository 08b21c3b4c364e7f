"""A cluster that is too large to be read whole at each look; `benchmarks/` has 40,000 phones."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from benchmarks.registration_barrier import PERFMON, RIS, scenario
from cucm_certflow.core.planner import make_plan
from cucm_certflow.lab.messages import LabMessages
from cucm_certflow.names import CertUnit, Interface
from cucm_certflow.observers import Held, Verified
from cucm_certflow.procedures.policies import Evidence, Policy
from cucm_certflow.testing.virtual import VirtualClock, run_virtual
from tests.words import NO_PARTNERS, NOBODY_LOOKED

PHONES, OFF, NODES = 1200, 5, 3
POLICY = Policy(reset_batch=400, barrier_within_s=600.0)


@pytest.mark.slow
def test_a_barrier_stays_within_every_budget_and_names_only_the_missing(tmp_path: Path) -> None:
    async def story() -> None:
        clock = VirtualClock(asyncio.get_running_loop())
        async with LabMessages(scenario(PHONES, OFF, NODES), clock, whole_up_to=300) as messages:
            facts = await messages.cluster.discover()
            assert facts.unknown == ()
            assert sum(each.registered for each in facts.registrations.values()) == PHONES - OFF
            plan = make_plan(
                facts,
                units={CertUnit.TVS},
                policy=POLICY,
                preflight=NOBODY_LOOKED,
                said=NO_PARTNERS,
            )
            async with messages.cluster.run(plan, journal=tmp_path / "x.journal") as run:
                held = await run.wait()
            assert isinstance(held, Held)
            missing = [name for reason in held.blocked for name in reason.phones]
            assert missing == sorted(f"SEP00FF{number:08X}" for number in range(1, OFF + 1))
            resumed = messages.cluster.resume(journal=tmp_path / "x.journal", waive=missing)
            async with resumed as run:
                outcome = await run.wait()
            assert isinstance(outcome, Verified)
            assert [phone.name for phone in outcome.left_behind] == missing
            grades = set(outcome.grades.values())
            assert grades == {Evidence.RE_REGISTERED, Evidence.UNKNOWN}
            budgets = messages.budgets
            assert 0 < messages.most_in_a_minute(RIS) <= budgets.ris.per_minute
            assert 0 < messages.most_in_a_minute(PERFMON) <= budgets.perfmon.per_minute
            # Every phone was read before and after its reset; not once a look.
            seen = messages.requests()
            assert seen[RIS] == budgets.spent[Interface.RISPORT]
            assert seen["/axl/"] == budgets.spent[Interface.AXL]

    run_virtual(story)
