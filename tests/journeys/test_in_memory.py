"""The main job in memory on the virtual clock, and what must never be seen in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cucm_certflow.core.planner import make_plan
from cucm_certflow.core.run_state import CertificateMoved, CommandMoved
from cucm_certflow.core.states import CertificateState
from cucm_certflow.errors import IdentityNotTrusted, RefusedError, Report, UsageError
from cucm_certflow.facts import Fact, Query, Registrations, ServiceStatus
from cucm_certflow.journal import Journal
from cucm_certflow.lab.memory import MemoryTransport
from cucm_certflow.lab.physics.judge import Health, Memo, health
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.names import CertUnit, Service
from cucm_certflow.observers import Held, Paused, Recorded, RegistrationsSeen, Verified
from cucm_certflow.procedures.policies import Evidence, Policy, UnitOrder
from cucm_certflow.runner import Run
from cucm_certflow.testing.virtual import run_virtual
from tests.journeys.main_job import (
    SCENARIO,
    UNITS,
    Lab,
    Story,
    executed,
    names_to_waive,
    run_to_the_end,
    start,
)
from tests.words import NO_PARTNERS, NOBODY_LOOKED


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lab, Story]:
    journal = tmp_path_factory.mktemp("told") / "job.journal"

    async def story() -> tuple[Lab, Story]:
        there = start()
        return there, await run_to_the_end(there, journal)

    return run_virtual(story)


def test_it_holds_at_the_barrier_and_names_the_11_phones(told: tuple[Lab, Story]) -> None:
    held = told[1].outcomes[0]
    assert isinstance(held, Held)
    assert [reason.guard for reason in held.blocked] == ["phones_back"]
    reasons = held.blocked[0].evidence
    assert sum("turns down the CTL" in line for line in reasons) == 6
    assert sum("not registered" in line for line in reasons) == 5


def test_waived_by_name_it_ends_verified_with_the_waived_left_behind(
    told: tuple[Lab, Story],
) -> None:
    outcome = told[1].outcomes[-1]
    assert isinstance(outcome, Verified)
    assert [phone.name for phone in outcome.left_behind] == sorted(
        names_to_waive(told[1].outcomes[0])
    )
    assert all("localkey" in phone.remedy for phone in outcome.left_behind)
    in_scope = set(outcome.grades) - {phone.name for phone in outcome.left_behind}
    assert len(in_scope) == 289
    assert {outcome.grades[name] for name in in_scope} == {Evidence.RE_REGISTERED}


def test_no_certificate_is_regenerated_twice_and_none_is_forgotten(
    told: tuple[Lab, Story],
) -> None:
    done = [pair for pair in executed(told[0].lab) if "regen" in pair[1]]
    assert len(done) == len(set(done)) == 5 + 4 + 4


def test_the_ctl_is_updated_once_and_before_every_restart_of_its_window(
    told: tuple[Lab, Story],
) -> None:
    texts = [text for _, text in executed(told[0].lab)]
    update = texts.index("utils ctl update CTLFile")
    assert texts.count("utils ctl update CTLFile") == 1
    assert max(i for i, t in enumerate(texts) if t == "set cert regen CallManager") < update
    for service in (Service.CALLMANAGER, Service.CTIMANAGER, Service.TVS, Service.TFTP):
        assert texts.index(f"utils service restart {service}") > update


def test_the_ctl_was_read_back_on_every_tftp_node_before_any_restart(
    told: tuple[Lab, Story],
) -> None:
    records = [e.record for e in told[1].events if isinstance(e, Recorded)]
    proved = next(
        i
        for i, r in enumerate(records)
        if isinstance(r, CommandMoved) and "ctl-update" in r.step and r.edge == "proved"
    )
    record = records[proved]
    assert isinstance(record, CommandMoved)
    assert "sub1, sub2" in record.detail
    restart = next(
        i
        for i, r in enumerate(records)
        if isinstance(r, CommandMoved) and "restart-callmanager" in r.step
    )
    assert proved < restart


def test_tvs_begins_only_after_every_callmanager_certificate_is_verified(
    told: tuple[Lab, Story],
) -> None:
    moves = [
        e.record
        for e in told[1].events
        if isinstance(e, Recorded) and isinstance(e.record, CertificateMoved)
    ]
    first_tvs = next(i for i, m in enumerate(moves) if m.certificate.unit is CertUnit.TVS)
    verified = {
        m.certificate.node
        for m in moves[:first_tvs]
        if m.certificate.unit is CertUnit.CALLMANAGER and m.to is CertificateState.VERIFIED
    }
    assert verified == {"pub", "sub1", "sub2", "sub3"}


def test_nothing_is_restarted_where_it_is_not_activated(told: tuple[Lab, Story]) -> None:
    for node, text in executed(told[0].lab):
        if text.startswith("utils service restart "):
            service = Service(text.removeprefix("utils service restart "))
            assert told[0].lab.service_state(node, service).status is ServiceStatus.STARTED


def test_only_phones_in_scope_are_reset_after_the_waiver(told: tuple[Lab, Story]) -> None:
    waived = set(names_to_waive(told[1].outcomes[0]))
    log = told[0].lab.log
    second = next(i for i, e in enumerate(log) if e.text == "set cert regen TVS")
    reset = {e.text.split()[-1] for e in log[second:] if e.text.startswith("doDeviceReset")}
    assert len(reset) == 289
    assert not reset & waived


def test_registrations_are_watched_throughout(told: tuple[Lab, Story]) -> None:
    seen = [e for e in told[1].events if isinstance(e, RegistrationsSeen)]
    assert max(e.registered for e in seen) == 295
    assert min(e.registered for e in seen) < 200
    assert {e.total for e in seen} == {300}


def test_the_job_is_the_same_to_the_last_command_when_it_is_told_again(
    told: tuple[Lab, Story], tmp_path: Path
) -> None:
    async def story() -> list[tuple[str, str]]:
        there = start()
        await run_to_the_end(there, tmp_path / "again.journal")
        return executed(there.lab, resets=True)

    assert run_virtual(story) == executed(told[0].lab, resets=True)


@pytest.mark.parametrize("order", list(UnitOrder), ids=lambda order: order.name)
def test_both_orders_finish(order: UnitOrder, tmp_path: Path) -> None:
    async def story() -> tuple[Lab, Story]:
        there = start()
        policy = Policy(order=order)
        return there, await run_to_the_end(there, tmp_path / "order.journal", policy=policy)

    there, told = run_virtual(story)
    assert isinstance(told.outcomes[-1], Verified)
    done = [pair for pair in executed(there.lab) if "regen" in pair[1]]
    assert len(done) == len(set(done)) == 13


def test_callmanager_with_tvs_is_refused_with_evidence_and_nothing_is_sent(
    tmp_path: Path,
) -> None:
    async def story() -> Lab:
        there = start()
        both = {CertUnit.CALLMANAGER, CertUnit.TVS}
        plan = make_plan(await there.cluster.discover(), windows=[both])
        assert {reason.guard for reason in plan.refusals} == {"exclusion", "lifeline"}
        for reason in plan.refusals:
            assert reason.evidence
            assert reason.unlock
            assert reason.source
        with pytest.raises(RefusedError, match="exclusion"):
            plan.raise_if_refused()
        with pytest.raises(RefusedError):
            async with there.cluster.run(plan, journal=tmp_path / "never.journal"):
                pass
        return there

    there = run_virtual(story)
    assert executed(there.lab, resets=True) == []
    assert not (tmp_path / "never.journal").exists()


def test_a_cluster_that_changed_since_the_plan_is_refused(tmp_path: Path) -> None:
    async def story() -> None:
        there = start()
        plan = make_plan(
            await there.cluster.discover(), units=UNITS, preflight=NOBODY_LOOKED, said=NO_PARTNERS
        )
        there.lab.begin_regenerate("sub3", CertUnit.TOMCAT)
        await there.clock.sleep(60)
        with pytest.raises(RefusedError, match="not the one that was planned for"):
            async with there.cluster.run(plan, journal=tmp_path / "never.journal"):
                pass
        assert len(executed(there.lab)) == 1

    run_virtual(story)


def test_a_waiver_for_a_stranger_is_a_usage_error(tmp_path: Path) -> None:
    async def story() -> None:
        there = start()
        facts = await there.cluster.discover()
        with pytest.raises(UsageError, match="SEPFFFF"):
            make_plan(facts, units=UNITS, waive={"SEPFFFF"})

    run_virtual(story)


def test_leaving_the_block_stops_sending_and_the_journal_resumes(tmp_path: Path) -> None:
    journal = tmp_path / "left.journal"

    class WentAway(Exception):
        pass

    async def story() -> tuple[Lab, list[object]]:
        there = start()
        plan = make_plan(
            await there.cluster.discover(),
            units=[CertUnit.TOMCAT],
            preflight=NOBODY_LOOKED,
            said=NO_PARTNERS,
        )
        outcomes: list[object] = []
        run = None
        with pytest.raises(WentAway):
            async with there.cluster.run(plan, journal=journal) as run:
                async for event in run.events():
                    if isinstance(event, Recorded) and len(executed(there.lab)) == 2:
                        raise WentAway
        assert run is not None
        outcomes.append(run.outcome)
        count = len(executed(there.lab))
        await there.clock.sleep(3600)
        assert len(executed(there.lab)) == count
        async with there.cluster.resume(journal=journal) as run:
            outcomes.append(await run.wait())
        return there, outcomes

    there, outcomes = run_virtual(story)
    assert isinstance(outcomes[0], Paused)
    assert isinstance(outcomes[1], Verified)
    done = [pair for pair in executed(there.lab) if "regen" in pair[1]]
    assert len(done) == len(set(done)) == 5


FAULT = """
[[faults]]
kind = "{kind}"
command = "{command}"
node = "{node}"
"""


@pytest.mark.parametrize("kind", ["lost reply", "late"])
@pytest.mark.parametrize(
    ("command", "node"),
    [
        ("set cert regen CallManager", "sub1"),
        ("utils ctl update CTLFile", "pub"),
        ("utils service restart Cisco Tftp", "sub2"),
        ("set cert regen TVS", "pub"),
    ],
)
def test_a_lost_reply_is_looked_after_and_nothing_is_regenerated_twice(
    kind: str, command: str, node: str, tmp_path: Path
) -> None:
    text = SCENARIO.read_text() + FAULT.format(kind=kind, command=command, node=node)

    async def story() -> tuple[Lab, Story]:
        there = start(Scenario.loads(text))
        return there, await run_to_the_end(there, tmp_path / "lost.journal")

    there, told = run_virtual(story)
    assert isinstance(told.outcomes[-1], Verified)
    done = [pair for pair in executed(there.lab) if "regen" in pair[1]]
    assert len(done) == len(set(done)) == 13


def test_a_refusing_node_holds_the_run_and_says_what_is_left(tmp_path: Path) -> None:
    text = SCENARIO.read_text() + FAULT.format(
        kind="refused", command="utils ctl update CTLFile", node="pub"
    )

    async def story() -> tuple[Lab, Story]:
        there = start(Scenario.loads(text))
        return there, await run_to_the_end(there, tmp_path / "refused.journal")

    there, told = run_virtual(story)
    held = told.outcomes[-1]
    assert isinstance(held, Held)
    assert [reason.guard for reason in held.blocked] == ["held"]
    assert "ctl-update" in held.blocked[0].subject
    assert not any("restart Cisco CallManager" in text for _, text in executed(there.lab))


STRANGERS = """
name = "strangers"
release = "11.5"
mode = "non-secure"
seed = 3

[[nodes]]
name = "pub"
address = "127.0.0.11"
publisher = true
services = ["callmanager", "cti", "tftp", "tvs"]

[[phones]]
count = 2
first = "SEP001122330001"
model = "Cisco 7841"
group = ["pub"]
tftp = ["pub"]

[[phones]]
count = 1
model = "Cisco 7841"
group = ["pub"]
tftp = ["pub"]
lists = "foreign"
"""


def test_a_phone_that_is_locked_and_registers_is_never_graded_as_holding_the_list(
    tmp_path: Path,
) -> None:
    # P3, F30: below 14 nobody can read which list a phone holds; the grade must not pretend to.
    async def story() -> tuple[Lab, Story]:
        there = start(Scenario.loads(STRANGERS))
        units = [CertUnit.CALLMANAGER]
        return there, await run_to_the_end(there, tmp_path / "strangers.journal", units=units)

    there, told = run_virtual(story)
    outcome = told.outcomes[-1]
    assert isinstance(outcome, Verified)
    assert max(outcome.grades.values()) is Evidence.RE_REGISTERED
    stranger = there.lab.phone("SEP001122330003")
    assert stranger.registered
    assert stranger.itl is not None
    assert stranger.itl.signer.node == "another cluster"


def test_the_same_order_forced_in_the_physics_strands_the_phones() -> None:
    # None of our rules is in the picture: the commands are given to the cluster as they are.
    async def story() -> dict[Health, int]:
        there = start()
        lab = there.lab
        nodes = ("pub", "sub1", "sub2", "sub3")
        for unit in (CertUnit.CALLMANAGER, CertUnit.TVS):
            for node in nodes:
                lab.begin_regenerate(node, unit)
        await there.clock.sleep(60)
        lab.begin_ctl_update("pub")
        await there.clock.sleep(60)
        for service in (Service.CALLMANAGER, Service.TVS, Service.TFTP):
            for node in nodes:
                if service in lab.activated(node):
                    lab.begin_restart(node, service)
            await there.clock.sleep(200)
        for phone in lab.phones:
            lab.reset_phone(phone.device.name)
        await there.clock.sleep(3600)
        memo, found = Memo(), dict.fromkeys(Health, 0)
        for index in range(len(lab.kinds)):
            found[health(lab.layout, lab.kinds, lab.world, index, memo)] += 1
        return found

    found = run_virtual(story)
    print("\n" + ", ".join(f"{count} {verdict.value}" for verdict, count in found.items()))
    assert found[Health.OK] == 0


def test_where_phones_change_their_tftp_node_tvs_is_done_in_parts_in_either_order() -> None:
    # Trust model §4.3: every CallManager group keeps one TVS that its phones pin.
    async def story() -> None:
        facts = await start().cluster.discover()
        for order in UnitOrder:
            policy = Policy(order=order, phones_change_tftp_node=True)
            plan = make_plan(
                facts, units=UNITS, policy=policy, preflight=NOBODY_LOOKED, said=NO_PARTNERS
            )
            assert not plan.is_refused
            parts = [
                {key.node for key in window.certificates if key.unit is CertUnit.TVS}
                for window in plan.windows
            ]
            groups = {frozenset(phone.group) for phone in facts.phones}
            assert sum(bool(part) for part in parts) == 3
            assert not any(group <= part for group in groups for part in parts)

    run_virtual(story)


class Suspicious(MemoryTransport):
    """From the first CallManager certificate on, the publisher is not who it should be."""

    async def observe(self, query: Query) -> Fact:
        new = self._cluster.certificate("pub", CertUnit.CALLMANAGER).generation > 1
        if isinstance(query, Registrations) and new:
            raise IdentityNotTrusted(Report(headline="pub presents another certificate"))
        return await super().observe(query)


def test_after_doubt_about_an_identity_nothing_more_is_sent(tmp_path: Path) -> None:
    async def story() -> tuple[Lab, object]:
        there = start()
        # The doubt comes up while the proof of the regeneration is read: nothing else stands in
        # the way of the next one.
        policy = Policy(watch_every_s=0.005)
        plan = make_plan(
            await there.cluster.discover(),
            units=UNITS,
            policy=policy,
            preflight=NOBODY_LOOKED,
            said=NO_PARTNERS,
        )
        transport = Suspicious(there.lab, there.clock)
        journal = Journal.create(tmp_path / "doubt.journal", plan, at=there.clock.now())
        async with Run(journal, transport, there.clock) as run:
            await run.wait()
        return there, run.outcome

    there, outcome = run_virtual(story)
    assert isinstance(outcome, Held)
    assert [reason.guard for reason in outcome.blocked] == ["way_to_the_node"]
    sent = executed(there.lab)
    records = Journal.open(tmp_path / "doubt.journal")
    records.close()
    intended = [r for r in records.records if isinstance(r, CommandMoved) and r.edge == "intend"]
    assert len(intended) == len(sent) == 11
    assert sent[-1] == ("pub", "set cert regen CallManager")


def test_a_barrier_names_every_missing_phone_however_many_they_are(tmp_path: Path) -> None:
    text = SCENARIO.read_text().replace("count = 5\n", "count = 75\n")

    async def story() -> Story:
        return await run_to_the_end(start(Scenario.loads(text)), tmp_path / "many.journal")

    told = run_virtual(story)
    held = told.outcomes[0]
    assert isinstance(held, Held)
    assert len(names_to_waive(held)) == 75 + 6
    assert "and 21 more" in held.blocked[0].evidence
    assert isinstance(told.outcomes[-1], Verified)
