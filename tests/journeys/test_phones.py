"""Canaries, batches, plateaus, and phones that nothing waits for, from end to end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

import attrs
import pytest

from cucm_certflow.cli.output import Exit, exit_of_outcome
from cucm_certflow.cluster import Cluster
from cucm_certflow.codec import fact_from_json, fact_to_json
from cucm_certflow.commands import ResetPhones
from cucm_certflow.core.batches import needs_confirmation
from cucm_certflow.core.phones_back import phones_back
from cucm_certflow.core.plan import Plan
from cucm_certflow.core.planner import make_plan
from cucm_certflow.core.registered_anew import RegisteredAnew
from cucm_certflow.core.run_state import CertificateMoved, CommandMoved, CommandProgress, begin
from cucm_certflow.core.states import Blocked, CertificateState, CommandState
from cucm_certflow.core.view import View
from cucm_certflow.errors import UsageError
from cucm_certflow.facts import (
    Fact,
    Known,
    Phone,
    Phones,
    PhoneTrustList,
    Query,
    Registration,
    Registrations,
)
from cucm_certflow.lab.memory import MemoryTransport
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.names import CertUnit
from cucm_certflow.observers import Event, Held, Outcome, Recorded, Verified
from cucm_certflow.procedures.policies import BatchesBy, Canary, Evidence, NotAwaited, Policy
from cucm_certflow.runner import Run
from cucm_certflow.testing.virtual import run_virtual
from tests.journeys.main_job import Lab, start
from tests.words import NO_PARTNERS, NOBODY_LOOKED

NODES: Final = """
release = "11.5"
[[nodes]]
name = "pub"
address = "127.0.0.11"
publisher = true
[[nodes]]
name = "sub"
address = "127.0.0.12"
"""

KINDS: Final = """
[[phones]]
count = 6
first = "SEP000000000001"
model = "Cisco 8861"
group = ["sub", "pub"]
tftp = ["pub"]
pool = "Berlin"
[[phones]]
count = 5
first = "SEP000000000101"
model = "Cisco 7841"
group = ["sub", "pub"]
tftp = ["pub"]
pool = "Ulm"
[[phones]]
count = 4
first = "SEP000000000201"
model = "Cisco 7841"
protocol = "SCCP"
group = ["sub", "pub"]
tftp = ["pub"]
pool = "Berlin"
[[phones]]
count = 3
first = "SEP000000000301"
model = "Cisco 7841"
group = ["pub", "sub"]
tftp = ["pub"]
"""

NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
CANARIES: Final = (
    "SEP000000000001",
    "SEP000000000101",
    "SEP000000000201",
    "SEP000000000301",
)

MANY: Final = """
[[phones]]
count = 40
first = "SEP000000000001"
model = "Cisco 8861"
group = ["sub", "pub"]
tftp = ["pub"]
"""


class Told(NamedTuple):
    lab: Lab
    plan: Plan
    outcome: Outcome | None
    events: list[Event]

    def held(self) -> tuple[str, tuple[str, ...]]:
        """The guard that holds it, and the phones that it names."""
        assert isinstance(self.outcome, Held)
        (reason,) = self.outcome.blocked
        return reason.guard, reason.phones

    def seconds_called(self) -> float:
        """From the last reset's proof to the last event."""
        called = next(
            event.at
            for event in self.events
            if isinstance(event, Recorded)
            and isinstance(event.record, CertificateMoved)
            and event.record.to is CertificateState.CALLED
        )
        return (self.events[-1].at - called).total_seconds()


def resets(there: Lab) -> list[str]:
    """Every phone that was reset, in order."""
    texts = [entry.text for entry in there.lab.log]
    return [text.split()[-1] for text in texts if text.startswith("doDeviceReset")]


Meanwhile = Callable[[Lab, Event], None]


async def tell(
    phones: str, folder: Path, policy: Policy | None = None, meanwhile: Meanwhile | None = None
) -> Told:
    there = start(Scenario.loads(NODES + phones))
    plan = make_plan(
        await there.cluster.discover(),
        units={CertUnit.TVS},
        policy=policy,
        preflight=NOBODY_LOOKED,
        said=NO_PARTNERS,
    )
    assert not plan.is_refused, plan
    async with there.cluster.run(plan, journal=folder / "x.journal") as run:
        events = await listened(there, run, meanwhile)
    return Told(there, plan, run.outcome, events)


async def listened(there: Lab, run: Run, meanwhile: Meanwhile | None) -> list[Event]:
    events: list[Event] = []
    async for event in run.events():
        events.append(event)
        if meanwhile is not None:
            meanwhile(there, event)
    return events


def switching_off(*names: str) -> Meanwhile:
    """Each of the phones is switched off when it was called, and comes back no more."""

    def meanwhile(there: Lab, event: Event) -> None:
        record = event.record if isinstance(event, Recorded) else None
        if isinstance(record, CommandMoved) and record.to is CommandState.PROVED:
            for name in set(names) & set(resets(there)):
                there.lab.power(name, on=False)

    return meanwhile


def batches(plan: Plan) -> list[tuple[str, ...]]:
    return [s.command.names for s in plan.steps if isinstance(s.command, ResetPhones)]


# ── canaries ──────────────────────────────────────────────────────────────────────────────


def test_canaries_are_one_phone_of_each_kind_and_are_reset_first(tmp_path: Path) -> None:
    told = run_virtual(lambda: tell(KINDS, tmp_path))
    assert isinstance(told.outcome, Verified)
    first, others = batches(told.plan)
    assert first == CANARIES
    assert not set(first) & set(others)
    done = resets(told.lab)
    assert tuple(done[:4]) == CANARIES
    assert len(done) == len(set(done)) == 18
    assert "4 phones first, as canaries" in str(told.plan)


def test_canary_that_stays_away_keeps_every_other_phone_from_being_reset(tmp_path: Path) -> None:
    async def story() -> Told:
        told = await tell(KINDS, tmp_path, meanwhile=switching_off(CANARIES[1]))
        assert told.held() == ("canaries_are_back", (CANARIES[1],))
        assert resets(told.lab) == list(CANARIES)
        told.lab.lab.power(CANARIES[1], on=True)
        await told.lab.clock.sleep(300)
        async with told.lab.cluster.resume(journal=tmp_path / "x.journal") as run:
            events = await listened(told.lab, run, None)
        return Told(told.lab, told.plan, run.outcome, events)

    told = run_virtual(story)
    assert isinstance(told.outcome, Verified)
    assert told.outcome.left_behind == ()
    assert len(resets(told.lab)) == len(set(resets(told.lab))) == 18


def test_held_canary_that_is_waived_lets_the_others_be_reset(tmp_path: Path) -> None:
    async def story() -> Outcome | None:
        told = await tell(KINDS, tmp_path, meanwhile=switching_off(CANARIES[0]))
        _, names = told.held()
        resumed = told.lab.cluster.resume(journal=tmp_path / "x.journal", waive=names)
        async with resumed as run:
            return await run.wait()

    outcome = run_virtual(story)
    assert isinstance(outcome, Verified)
    assert [phone.name for phone in outcome.left_behind] == [CANARIES[0]]


def test_canary_is_a_phone_that_is_expected_back() -> None:
    others = "[[phones]]" + KINDS.split("[[phones]]")[2].replace("0101", "0102")
    away = KINDS.replace('pool = "Ulm"', 'pool = "Ulm"\nstate = "off"').replace(
        "count = 5", "count = 1"
    )
    waived = {"SEP000000000001"}
    named = {"SEP000000000002": NotAwaited.IN_A_CALL}

    async def story() -> Plan:
        there = start(Scenario.loads(NODES + away + others))
        facts = await there.cluster.discover()
        return make_plan(
            facts, units={CertUnit.TVS}, waive=waived, policy=Policy(not_awaited=named)
        )

    plan = run_virtual(story)
    assert batches(plan)[0] == (
        "SEP000000000003",
        "SEP000000000102",
        "SEP000000000201",
        "SEP000000000301",
    )
    (canaries,) = [step for step in plan.steps if step.canary]
    assert canaries.command == ResetPhones("pub", batches(plan)[0])


def test_where_every_phone_would_be_a_canary_or_none_is_wanted_there_is_no_such_wave() -> None:
    async def story() -> None:
        alone = KINDS.replace("count = 6", "count = 1").split("[[phones]]")[1]
        facts = await start(Scenario.loads(f"{NODES}[[phones]]{alone}")).cluster.discover()
        plan = make_plan(facts, units={CertUnit.TVS})
        assert [step.canary for step in plan.steps if "reset" in step.id] == [False]
        facts = await start(Scenario.loads(NODES + KINDS)).cluster.discover()
        plan = make_plan(facts, units={CertUnit.TVS}, policy=Policy(canary=Canary.OFF))
        assert [len(names) for names in batches(plan)] == [18]

    run_virtual(story)


@pytest.mark.parametrize("canary", Canary, ids=lambda canary: canary.name)
def test_only_the_first_batch_after_the_canaries_waits_for_a_confirmation(canary: Canary) -> None:
    async def story() -> None:
        facts = await start(Scenario.loads(NODES + KINDS)).cluster.discover()
        policy = Policy(canary=canary, reset_batch=5)
        plan = make_plan(facts, units={CertUnit.CALLMANAGER, CertUnit.TVS}, policy=policy)
        waits = [step.id for step in plan.steps if needs_confirmation(plan, step)]
        expected = ["1.reset-phones:CallManager@pub#2", "2.reset-phones:TVS@pub#2"]
        assert waits == (expected if canary is Canary.CONFIRMED else [])

    run_virtual(story)


# ── batches ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("by", [BatchesBy.POOL, BatchesBy.GROUP], ids=lambda by: by.name)
def test_batch_never_mixes_pools_or_groups_and_leaves_nobody_out(by: BatchesBy) -> None:
    async def story() -> None:
        facts = await start(Scenario.loads(NODES + KINDS)).cluster.discover()
        plan = make_plan(facts, units={CertUnit.TVS}, policy=Policy(batches_by=by, reset_batch=4))
        canaries, *others = batches(plan)
        assert canaries == CANARIES
        phones = {phone.name: phone for phone in facts.phones}
        for names in others:
            alike = {phones[n].pool if by is BatchesBy.POOL else phones[n].group for n in names}
            assert len(alike) == 1
            assert list(names) == sorted(names)
            assert len(names) <= 4
        everyone = [name for names in batches(plan) for name in names]
        assert sorted(everyone) == sorted(phones)
        assert len({phone.pool for phone in facts.phones}) == 3

    run_virtual(story)


def test_more_failures_than_allowed_stop_the_next_batch_and_are_named(tmp_path: Path) -> None:
    off = ("SEP000000000002", "SEP000000000004", "SEP000000000005")
    policy = Policy(reset_batch=2, phone_back_within_s=180.0, failure_limit=2)
    told = run_virtual(lambda: tell(MANY, tmp_path, policy, switching_off(*off)))
    assert told.held() == ("failure_limit", off)
    assert len(off) < len(resets(told.lab)) < 40


def test_as_many_failures_as_allowed_hold_at_the_barrier_only(tmp_path: Path) -> None:
    off = ("SEP000000000002", "SEP000000000004")
    policy = Policy(reset_batch=2, phone_back_within_s=180.0, failure_limit=2)
    told = run_virtual(lambda: tell(MANY, tmp_path, policy, switching_off(*off)))
    assert told.held() == ("phones_back", off)
    assert len(resets(told.lab)) == 40


def test_batches_that_wait_are_sent_when_the_one_before_is_back(tmp_path: Path) -> None:
    away: list[int] = []

    def meanwhile(there: Lab, event: Event) -> None:
        record = event.record if isinstance(event, Recorded) else None
        if isinstance(record, CommandMoved) and "reset" in record.step and record.edge == "intend":
            table = there.lab.registrations().values()
            away.append(sum(not phone.registered for phone in table))

    policy = Policy(reset_batch=10, batch_waits=True)
    told = run_virtual(lambda: tell(MANY, tmp_path, policy, meanwhile))
    assert isinstance(told.outcome, Verified)
    assert away == [0] * 5
    away.clear()
    told = run_virtual(lambda: tell(MANY, mkdir(tmp_path), Policy(reset_batch=10), meanwhile))
    assert isinstance(told.outcome, Verified)
    assert away[:2] == [0, 0]
    assert max(away) > 5


def mkdir(folder: Path) -> Path:
    other = folder / "other"
    other.mkdir()
    return other


def test_batch_that_does_not_come_back_holds_those_that_wait_for_it(tmp_path: Path) -> None:
    policy = Policy(reset_batch=10, batch_waits=True)
    told = run_virtual(lambda: tell(MANY, tmp_path, policy, switching_off("SEP000000000005")))
    assert told.held() == ("batch_before_is_back", ("SEP000000000005",))
    assert len(resets(told.lab)) == 11


# ── the barrier ───────────────────────────────────────────────────────────────────────────


def test_barrier_on_a_plateau_holds_long_before_its_time_is_over(tmp_path: Path) -> None:
    off = ("SEP000000000009",)
    policy = Policy(barrier_within_s=7200.0)
    told = run_virtual(lambda: tell(MANY, tmp_path, policy, switching_off(*off)))
    assert told.held() == ("phones_back", off)
    assert isinstance(told.outcome, Held)
    assert "for 900 s none has come" in told.outcome.blocked[0].detail
    assert 900 <= told.seconds_called() <= 900 + 180  # the slowest phone came within 180 s


def test_phones_that_go_on_coming_are_no_plateau(tmp_path: Path) -> None:
    def meanwhile(there: Lab, event: Event) -> None:
        record = event.record if isinstance(event, Recorded) else None
        if isinstance(record, CertificateMoved) and record.to is CertificateState.CALLED:
            for number in range(1, 4):
                there.lab.power(f"SEP00000000000{number}", on=False)
            late.append((event.at.timestamp(), record))
        if late:
            for number in range(1, 4):
                if event.at.timestamp() > late[0][0] + 700 * number:
                    there.lab.power(f"SEP00000000000{number}", on=True)

    late: list[tuple[float, object]] = []
    policy = Policy(barrier_within_s=7200.0)
    told = run_virtual(lambda: tell(MANY, tmp_path, policy, meanwhile))
    assert isinstance(told.outcome, Verified)
    assert told.seconds_called() > 2100


def test_phone_that_was_away_when_it_was_called_is_not_back_by_what_was_seen_before() -> None:
    """With nobody registered a reset has no baseline: any registration is newer than none."""

    async def story() -> None:
        facts = await start(Scenario.loads(NODES + MANY)).cluster.discover()
        plan = make_plan(facts, units={CertUnit.TVS}, policy=Policy(canary=Canary.OFF))
        (reset,) = [step for step in plan.steps if isinstance(step.command, ResetPhones)]
        sent = CommandProgress(CommandState.PROVED, 1, NOW, "1970-01-01T00:00:00+00:00", NOW)
        fresh = begin(plan)
        steps = (*fresh.steps[: reset.index], sent, *fresh.steps[reset.index + 1 :])
        before = Known(facts.registrations, NOW - timedelta(seconds=30), "RISPort70")
        view = View(plan, fresh._replace(steps=steps), {Registrations(): before}, NOW)
        blocked = phones_back(view, "phones_back", 0, 0)
        assert isinstance(blocked, Blocked)
        assert "too old" in blocked.detail
        assert view.wants[Registrations()].since == NOW

    run_virtual(story)


# ── reset loops ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("away", [False, True], ids=["registered", "away"])
def test_reset_explains_the_return_of_those_that_it_reached_alone(away: bool) -> None:
    anew = RegisteredAnew(Policy(loop_after=2))

    def seen(at_s: float, *, registered: bool = True) -> None:
        at = NOW + timedelta(seconds=at_s)
        anew.saw({"SEP1": Registration("SEP1", registered, "sub", at)}, at)

    seen(0)
    for number in (1, 2):
        if away:
            seen(100 * number, registered=False)
        anew.sent(ResetPhones("pub", ("SEP1",)), NOW)
        seen(100 * number + 50)
    assert anew.total == (2 if away else 0)
    loop = anew.loop()
    assert (loop is not None) is away
    assert loop is None or loop.phones == ("SEP1",)


# ── phones that nothing waits for ─────────────────────────────────────────────────────────

JABBER: Final = """
[[phones]]
count = 2
first = "CSF000000000001"
model = "Cisco Unified Client Services Framework"
group = ["sub", "pub"]
tftp = ["pub"]
security_by_default = false
state = "off"
"""
CALLING: Final = """
[[phones]]
count = 1
first = "SEP000000000401"
model = "Cisco 8861"
group = ["sub", "pub"]
tftp = ["pub"]
state = "in a call"
"""


def test_jabber_that_is_off_does_not_block_and_is_named_with_its_class(tmp_path: Path) -> None:
    told = run_virtual(lambda: tell(KINDS + JABBER, tmp_path))
    assert isinstance(told.outcome, Verified)
    assert told.outcome.left_behind == ()
    assert [(p.name, p.kind, p.evidence) for p in told.outcome.not_awaited] == [
        ("CSF000000000001", NotAwaited.JABBER, Evidence.UNKNOWN),
        ("CSF000000000002", NotAwaited.JABBER, Evidence.UNKNOWN),
    ]
    assert all(phone.remedy for phone in told.outcome.not_awaited)
    assert "CSF000000000002 is a Jabber client (unknown)" in str(told.outcome)
    assert exit_of_outcome(told.outcome) is Exit.LEFT_BEHIND


def test_jabber_that_came_back_by_then_is_not_named(tmp_path: Path) -> None:
    on = JABBER.replace('state = "off"', "") + "[timing]\nphone_boot_s = [60, 61]\n"
    told = run_virtual(lambda: tell(KINDS + on, tmp_path, Policy(reset_batch=6)))
    assert isinstance(told.outcome, Verified)
    assert told.outcome.not_awaited == ()
    assert told.outcome.grades["CSF000000000001"] is Evidence.RE_REGISTERED
    assert exit_of_outcome(told.outcome) is Exit.DONE


def test_phone_in_a_call_blocks_unless_a_person_names_it(tmp_path: Path) -> None:
    name = "SEP000000000401"
    told = run_virtual(lambda: tell(KINDS + CALLING, tmp_path))
    assert isinstance(told.outcome, Held)
    named = Policy(not_awaited={name: NotAwaited.IN_A_CALL}, failure_limit=0, batch_waits=True)
    told = run_virtual(lambda: tell(KINDS + CALLING, mkdir(tmp_path), named))
    assert isinstance(told.outcome, Verified)
    (phone,) = told.outcome.not_awaited
    assert (phone.name, phone.kind) == (name, NotAwaited.IN_A_CALL)
    assert phone.evidence is told.outcome.grades[name] is Evidence.REGISTERED
    assert name in resets(told.lab)  # nothing waits for it; it is called like all


def test_name_of_no_phone_is_not_accepted_for_one_that_nothing_waits_for() -> None:
    async def story() -> None:
        facts = await start(Scenario.loads(NODES + KINDS)).cluster.discover()
        policy = Policy(not_awaited={"SEPFFFF": NotAwaited.MRA})
        with pytest.raises(UsageError, match="not_awaited"):
            make_plan(facts, units={CertUnit.TVS}, policy=policy)

    run_virtual(story)


def test_journal_resumes_with_the_same_batches_and_the_same_phones_not_awaited(
    tmp_path: Path,
) -> None:
    policy = Policy(
        batches_by=BatchesBy.POOL,
        reset_batch=3,
        failure_limit=1,
        not_awaited={"SEP000000000006": NotAwaited.SRST},
    )

    async def story() -> None:
        told = await tell(KINDS, tmp_path, policy, switching_off(CANARIES[2]))
        assert isinstance(told.outcome, Held)
        async with told.lab.cluster.resume(journal=tmp_path / "x.journal") as run:
            await run.wait()
        assert run.plan.policy == policy
        assert [step.id for step in run.plan.steps] == [step.id for step in told.plan.steps]
        assert batches(run.plan) == batches(told.plan)
        assert run.plan.not_awaited == {"SEP000000000006": NotAwaited.SRST}

    run_virtual(story)


# ── what phones show themselves ───────────────────────────────────────────────────────────

SHOWN: Final = """
[[phones]]
count = 2
first = "SEP000000000001"
model = "Cisco 8861"
group = ["sub", "pub"]
tftp = ["pub"]
web = true
[[phones]]
count = 2
first = "SEP000000000101"
model = "Cisco 8861"
group = ["sub", "pub"]
tftp = ["pub"]
"""
LOCKED: Final = """
[[phones]]
count = 2
first = "SEP000000000201"
model = "Cisco 7841"
group = ["sub", "pub"]
tftp = ["pub"]
lists = "foreign"
"""
PAGES: Final = Policy(phone_pages=True)


def test_phone_whose_page_shows_the_served_list_is_a_list_match(tmp_path: Path) -> None:
    told = run_virtual(lambda: tell(SHOWN, tmp_path, PAGES))
    assert isinstance(told.outcome, Verified)
    assert told.outcome.grades == {
        "SEP000000000001": Evidence.LIST_MATCH,
        "SEP000000000002": Evidence.LIST_MATCH,
        "SEP000000000101": Evidence.RE_REGISTERED,  # its page cannot be read
        "SEP000000000102": Evidence.RE_REGISTERED,
    }


def test_no_page_is_read_unless_the_policy_says_so(tmp_path: Path) -> None:
    told = run_virtual(lambda: tell(SHOWN, tmp_path))
    assert isinstance(told.outcome, Verified)
    assert set(told.outcome.grades.values()) == {Evidence.RE_REGISTERED}


def test_barrier_that_asks_for_a_list_match_names_those_that_show_none(tmp_path: Path) -> None:
    policy = Policy(phone_pages=True, barrier=Evidence.LIST_MATCH, canary=Canary.OFF)
    told = run_virtual(lambda: tell(SHOWN, tmp_path, policy))
    assert told.held() == ("phones_back", ("SEP000000000101", "SEP000000000102"))


def test_phone_whose_page_shows_another_list_is_missing_though_it_registered(
    tmp_path: Path,
) -> None:
    locked = LOCKED + "web = true\n"
    told = run_virtual(lambda: tell(SHOWN + locked, tmp_path, PAGES))
    guard, names = told.held()
    assert guard == "canaries_are_back"
    assert names == ("SEP000000000201",)
    assert isinstance(told.outcome, Held)
    (line,) = told.outcome.blocked[0].evidence
    assert "shows a list that no TFTP node serves" in line
    # Without its page nobody could tell: it registers.
    told = run_virtual(lambda: tell(SHOWN + LOCKED, mkdir(tmp_path), PAGES))
    assert isinstance(told.outcome, Verified)
    assert told.outcome.grades["SEP000000000201"] is Evidence.RE_REGISTERED


class Failing(MemoryTransport):
    """Phones show a message about their last update, and no list."""

    async def observe(self, query: Query) -> Fact:
        fact = await super().observe(query)
        if isinstance(query, PhoneTrustList) and isinstance(fact, Known):
            return attrs.evolve(fact, value=attrs.evolve(fact.value, itl="", ctl=""))
        return fact


def test_phone_that_says_that_its_update_failed_is_missing_with_that_reason(
    tmp_path: Path,
) -> None:
    async def story() -> Outcome | None:
        there = start(Scenario.loads(NODES + SHOWN + LOCKED + "web = true\n"))
        transport = Failing(there.lab, there.clock)
        cluster = Cluster(transport, transport.discover, clock=there.clock)
        plan = make_plan(
            await cluster.discover(),
            units={CertUnit.TVS},
            policy=PAGES,
            preflight=NOBODY_LOOKED,
            said=NO_PARTNERS,
        )
        async with cluster.run(plan, journal=tmp_path / "x.journal") as run:
            held = await run.wait()
        assert isinstance(held, Held)
        assert "its update of trust lists failed" in held.blocked[0].evidence[0]
        waived = {"SEP000000000201", "SEP000000000202"}
        async with cluster.resume(journal=tmp_path / "x.journal", waive=waived) as run:
            return await run.wait()

    outcome = run_virtual(story)
    assert isinstance(outcome, Verified)
    assert outcome.grades["SEP000000000001"] is Evidence.RE_REGISTERED  # a message is no proof
    assert outcome.grades["SEP000000000201"] is Evidence.REGISTERED
    assert {phone.name for phone in outcome.left_behind} == {"SEP000000000201", "SEP000000000202"}


# ── what was written before ───────────────────────────────────────────────────────────────


def test_phone_of_an_old_recording_has_no_protocol_pool_or_profile() -> None:
    phone = Phone(name="SEP1", model="Cisco 8841", group=("pub",))
    written = fact_to_json(Phones(), Known((phone,), NOW, "AXL"))
    for old in written["value"]:
        for key in ("protocol", "pool", "profile"):
            assert old.pop(key) == ""
    read = fact_from_json(Phones(), written)
    assert isinstance(read, Known)
    assert read.value == (phone,)
