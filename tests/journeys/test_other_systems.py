"""Other systems, and phones that come by themselves: asked about, and counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from cucm_certflow.core.planner import make_plan
from cucm_certflow.core.run_state import Acknowledged, Waived
from cucm_certflow.findings import Said
from cucm_certflow.journal import Journal
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.names import CertUnit
from cucm_certflow.observers import Held, Outcome, Verified
from cucm_certflow.procedures.partners import PARTNER_TASKS, tasks_for
from cucm_certflow.testing.virtual import run_virtual
from tests.journeys.main_job import executed, start
from tests.words import NO_PARTNERS, NOBODY_LOOKED

SMALL = """
release = "{release}"

[[nodes]]
name = "pub"
address = "127.0.0.11"
publisher = true

[[nodes]]
name = "sub"
address = "127.0.0.12"

[[phones]]
count = 4
model = "Cisco 8861"
group = ["sub", "pub"]
tftp = ["pub", "sub"]

[variant]
phones_reset_by_themselves = {by_themselves}
"""


def scenario(release: str, *, by_themselves: bool = False) -> Scenario:
    return Scenario.loads(SMALL.format(release=release, by_themselves=str(by_themselves).lower()))


def test_run_is_not_complete_until_every_other_system_was_spoken_about(tmp_path: Path) -> None:
    journal = tmp_path / "journal"

    async def story() -> list[Outcome | None]:
        there = start(scenario("11.5"))
        facts = await there.cluster.discover()
        tasks = tasks_for({CertUnit.TOMCAT}, facts.release, facts.mode)
        first, *rest = [Said(item=task.id, by="a person", why="none here") for task in tasks]
        plan = make_plan(facts, units={CertUnit.TOMCAT}, preflight=NOBODY_LOOKED, said=[first])
        outcomes: list[Outcome | None] = []
        async with there.cluster.run(plan, journal=journal) as run:
            outcomes.append(await run.wait())
        sent = executed(there.lab)
        async with there.cluster.resume(journal=journal, said=rest[:1]) as run:
            outcomes.append(await run.wait())
        async with there.cluster.resume(journal=journal, said=rest[1:]) as run:
            outcomes.append(await run.wait())
        assert executed(there.lab) == sent
        return outcomes

    held, still_held, verified = run_virtual(story)
    assert isinstance(held, Held)
    assert {reason.guard for reason in held.blocked} == {"partner_task"}
    assert all(reason.unlock.startswith("acknowledge ") for reason in held.blocked)
    assert isinstance(still_held, Held)
    assert len(still_held.blocked) == len(held.blocked) - 1
    assert isinstance(verified, Verified)
    opened = Journal.open(journal)
    opened.close()
    said = [record.said for record in opened.records if isinstance(record, Acknowledged)]
    assert {word.by for word in said} == {"a person"}
    assert len(said) == len(held.blocked)


def test_instructions_of_an_open_task_are_in_the_hold(tmp_path: Path) -> None:
    by_id = {task.id: task for task in PARTNER_TASKS}

    async def story() -> Outcome | None:
        there = start(scenario("14"))
        facts = await there.cluster.discover()
        plan = make_plan(facts, units={CertUnit.IPSEC}, preflight=NOBODY_LOOKED)
        async with there.cluster.run(plan, journal=tmp_path / "journal") as run:
            return await run.wait()

    held = run_virtual(story)
    assert isinstance(held, Held)
    for reason in held.blocked:
        for instruction in by_id[reason.subject].instructions:
            assert instruction in reason.detail


@pytest.mark.parametrize("by_themselves", [False, True])
def test_resets_that_nobody_commanded_are_counted(by_themselves: bool, tmp_path: Path) -> None:
    """Cisco security guide 14SU2: phones are reset when TVS, CAPF or TFTP certificates change."""

    async def story() -> Outcome | None:
        there = start(scenario("14", by_themselves=by_themselves))
        facts = await there.cluster.discover()
        plan = make_plan(facts, units={CertUnit.TVS}, preflight=NOBODY_LOOKED, said=NO_PARTNERS)
        async with there.cluster.run(plan, journal=tmp_path / "journal") as run:
            return await run.wait()

    outcome = run_virtual(story)
    assert isinstance(outcome, Verified)
    assert (outcome.unasked > 0) is by_themselves


def test_phone_is_waived_by_a_word_with_who_and_why_before_and_during_the_run(
    tmp_path: Path,
) -> None:
    journal = tmp_path / "journal"
    off = SMALL.format(release="11.5", by_themselves="false") + (
        '\n[[phones]]\ncount = 2\nfirst = "SEP0000000000A1"\nmodel = "Cisco 8861"\n'
        'group = ["sub", "pub"]\ntftp = ["pub", "sub"]\nstate = "off"\n'
    )
    first, second = (
        Said(item=f"SEP0000000000A{number}", by="a person", why="in a store room")
        for number in (1, 2)
    )

    async def story() -> list[Outcome | None]:
        there = start(Scenario.loads(off))
        facts = await there.cluster.discover()
        plan = make_plan(
            facts, units={CertUnit.TVS}, preflight=NOBODY_LOOKED, said=[first, *NO_PARTNERS]
        )
        assert plan.waived == {first.item}
        async with there.cluster.run(plan, journal=journal) as run:
            held = await run.wait()
        async with there.cluster.resume(journal=journal, said=[second]) as run:
            return [held, await run.wait()]

    held, verified = run_virtual(story)
    assert isinstance(held, Held)
    assert held.blocked[0].phones == (second.item,)
    assert isinstance(verified, Verified)
    assert [phone.name for phone in verified.left_behind] == [first.item, second.item]
    opened = Journal.open(journal)
    opened.close()
    assert first in opened.plan.said
    (waived,) = [record for record in opened.records if isinstance(record, Waived)]
    assert (waived.by, waived.reason) == ("a person", "in a store room")
