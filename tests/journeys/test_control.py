"""People and clocks: pause, abort, approve, maintenance, deadlines, a laptop that slept."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path

import attrs
import pytest

from cucm_certflow.cluster import Cluster
from cucm_certflow.control import approve, ask_to_abort, ask_to_pause, status_of
from cucm_certflow.core.durations import BARRIER, measured_s
from cucm_certflow.core.planner import make_plan
from cucm_certflow.core.run_state import CommandMoved, Ordered, Record
from cucm_certflow.core.states import CommandState
from cucm_certflow.errors import JournalError, NotWaiting, RunFinished, UsageError
from cucm_certflow.facts import Fact, Known, Query, ServiceState
from cucm_certflow.journal import Journal
from cucm_certflow.lab.memory import MemoryTransport
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.names import CertUnit
from cucm_certflow.notes import RegistrationsNoted, ReplyNoted, Stood
from cucm_certflow.observers import Aborted, Held, Outcome, Paused, Recorded, Verified, Waiting
from cucm_certflow.procedures.maintenance import Maintenance, MaintenanceWindow
from cucm_certflow.procedures.policies import Policy
from cucm_certflow.procedures.vocabulary import Stage
from cucm_certflow.runner import Run
from cucm_certflow.testing.virtual import EPOCH, VirtualClock, run_virtual
from tests.journeys.main_job import Lab, executed, start
from tests.journeys.test_crashes import SMALL
from tests.words import NO_PARTNERS, NOBODY_LOOKED

UNITS = (CertUnit.CALLMANAGER, CertUnit.TVS)
Act = Callable[[Lab, Run], Awaitable[object]]


async def _start(
    journal: Path, *, policy: Policy | None = None, maintenance: Maintenance | None = None
) -> tuple[Lab, Run]:
    there = start(Scenario.loads(SMALL))
    plan = make_plan(
        await there.cluster.discover(),
        units=UNITS,
        policy=policy,
        preflight=NOBODY_LOOKED,
        said=NO_PARTNERS,
    )
    return there, await there.cluster.start(plan, journal=journal, maintenance=maintenance)


async def _until(run: Run, step: str, state: CommandState = CommandState.PROVED) -> None:
    async for event in run.events():
        record = event.record if isinstance(event, Recorded) else None
        if isinstance(record, CommandMoved) and record.step.startswith(step) and record.to is state:
            return


async def _told(
    journal: Path, act: Act, *, after: str, policy: Policy | None = None
) -> tuple[Lab, Outcome | None]:
    there, run = await _start(journal, policy=policy)
    async with run:
        await _until(run, after)
        await act(there, run)
        await run.wait()
    return there, run.outcome


def _of_window(there: Lab, unit: CertUnit) -> list[str]:
    return [text for _, text in executed(there.lab, resets=True) if unit.value in text]


# ── pause and resume ──────────────────────────────────────────────────────────────────────


def test_a_pause_finishes_what_is_half_way_and_leaves_the_phones_for_later(tmp_path: Path) -> None:
    journal = tmp_path / "j"

    async def story() -> None:
        there, outcome = await _told(
            journal, lambda _, run: run.pause(by="ann", why="the night is over"), after="1.regen"
        )
        assert isinstance(outcome, Paused)
        assert "ann: the night is over" in outcome.reason
        texts = [text for _, text in executed(there.lab, resets=True)]
        assert texts.count("set cert regen CallManager") == 2
        assert texts.count("utils ctl update CTLFile") == 1
        assert texts.count("utils service restart Cisco Tftp") == 2
        assert not any(text.startswith("doDeviceReset") for text in texts)
        assert not any("regen TVS" in text for text in texts)
        async with there.cluster.resume(journal=journal) as run:
            assert isinstance(await run.wait(), Verified)

    run_virtual(story)


def test_a_pause_between_two_windows_begins_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        there, outcome = await _told(
            tmp_path / "j", lambda _, run: run.pause(by="ann", why="x"), after="1.reset-phones"
        )
        assert isinstance(outcome, Paused)
        assert not any("regen TVS" in text for _, text in executed(there.lab))

    run_virtual(story)


def test_an_order_of_another_process_is_found_in_the_inbox_and_carried_out_once(
    tmp_path: Path,
) -> None:
    journal = tmp_path / "j"

    async def act(there: Lab, _: Run) -> None:
        ask_to_pause(journal, by="bob", why="lunch", clock=there.clock)

    async def story() -> None:
        there, outcome = await _told(journal, act, after="1.regenerate")
        assert isinstance(outcome, Paused)
        assert "bob: lunch" in outcome.reason
        assert not (tmp_path / "j.inbox").exists()
        async with there.cluster.resume(journal=journal) as run:
            assert isinstance(await run.wait(), Verified)

    run_virtual(story)


def test_what_is_no_order_is_put_aside_and_said_and_does_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal = tmp_path / "j"
    inbox = tmp_path / "j.inbox"

    async def act(there: Lab, _: Run) -> None:
        inbox.mkdir()
        (inbox / "1.order").write_text('{"kind": "abort"}')
        (inbox / "2.order").write_bytes(b"\xff\x00")

    _, outcome = run_virtual(lambda: _told(journal, act, after="1.regenerate"))
    assert isinstance(outcome, Verified)
    assert sorted(path.name for path in inbox.iterdir()) == ["1.refused", "2.refused"]
    assert "1.order is no order of this user" in caplog.text


def test_asking_a_run_that_nobody_drives_is_refused(tmp_path: Path) -> None:
    journal = tmp_path / "j"

    async def story() -> None:
        await _told(journal, lambda _, run: run.pause(by="ann", why="x"), after="1.regenerate")
        with pytest.raises(UsageError, match="nobody drives the run"):
            ask_to_pause(journal, by="bob", why="x")
        with pytest.raises(UsageError, match="nobody drives the run"):
            ask_to_abort(journal, by="bob", why="x")
        assert not (tmp_path / "j.inbox").exists()

    run_virtual(story)


# ── abort ─────────────────────────────────────────────────────────────────────────────────


def test_an_abort_ends_at_a_safe_point_and_names_what_is_left(tmp_path: Path) -> None:
    journal = tmp_path / "j"

    async def story() -> None:
        there, outcome = await _told(
            journal, lambda _, run: run.abort(by="ann", why="wrong cluster"), after="1.regenerate"
        )
        assert isinstance(outcome, Aborted)
        assert "ann: wrong cluster" in outcome.reason
        left = "\n".join(outcome.leftovers.left)
        assert "pub/CallManager: activated, and not finished" in left
        assert "sub1/TVS: not begun, its certificate is the old one" in left
        assert len(outcome.leftovers.phones) == 3
        assert any("reset 3 phones by name" in text for text in outcome.leftovers.next)
        assert sum("regen" in text for _, text in executed(there.lab)) == 2
        with pytest.raises(RunFinished, match="it was aborted"):
            there.cluster.resume(journal=journal)
        with pytest.raises(RunFinished, match="it was aborted"):
            approve(journal, "2.regenerate", by="bob", why="x")
        assert "it was aborted" in str(status_of(journal))

    run_virtual(story)


def test_a_run_that_stands_is_aborted_over_the_cluster_after_what_is_half_way(
    tmp_path: Path,
) -> None:
    journal = tmp_path / "j"

    async def story() -> None:
        there, run = await _start(journal)
        with pytest.raises(ZeroDivisionError):
            async with run:
                await _until(run, "1.ctl-update", CommandState.INTENDED)
                raise ZeroDivisionError
        async with there.cluster.abort(journal=journal, by="ann", why="no time") as run:
            outcome = await run.wait()
        assert isinstance(outcome, Aborted)
        texts = [text for _, text in executed(there.lab)]
        assert texts.count("utils service restart Cisco Tftp") == 2
        assert not any("regen TVS" in text for text in texts)

    run_virtual(story)


def test_a_finished_run_is_not_resumed_and_its_journal_stays_as_it_was(tmp_path: Path) -> None:
    journal = tmp_path / "j"

    async def story() -> None:
        there, run = await _start(journal)
        async with run:
            assert isinstance(await run.wait(), Verified)
        before = journal.read_bytes()
        with pytest.raises(RunFinished, match="it was verified"):
            there.cluster.resume(journal=journal)
        with pytest.raises(RunFinished):
            there.cluster.abort(journal=journal, by="ann", why="x")
        assert journal.read_bytes() == before

    run_virtual(story)


# ── approvals ─────────────────────────────────────────────────────────────────────────────

ASKS = Policy(approve=frozenset({Stage.RESET}), approval_within_s=3600.0)


def test_a_marked_stage_waits_for_its_approval_and_then_goes_on(tmp_path: Path) -> None:
    journal = tmp_path / "j"

    async def story() -> None:
        there, run = await _start(journal, policy=ASKS)
        approved = 0
        async with run:
            async for event in run.events():
                waits = isinstance(event, Waiting) and "approved" in {
                    b.guard for b in event.blocked
                }
                if not waits or not status_of(journal).waiting:
                    continue
                await there.clock.sleep(1200)
                resets = [t for _, t in executed(there.lab, resets=True) if "doDeviceReset" in t]
                for gate in status_of(journal).waiting:
                    assert len(resets) == 3 * approved
                    await run.approve(gate.item, by="boss", why="the phones may go")
                    approved += 1
        assert isinstance(run.outcome, Verified), run.outcome
        orders = [r.order for r in Journal.read(journal).records if isinstance(r, Ordered)]
        assert [order.item for order in orders] == ["1.reset", "2.reset"]

    run_virtual(story)


def test_without_an_approval_in_time_it_holds_and_says_what_to_approve(tmp_path: Path) -> None:
    journal = tmp_path / "j"

    async def story() -> None:
        there, run = await _start(journal, policy=ASKS)
        async with run:
            outcome = await run.wait()
        assert isinstance(outcome, Held)
        assert [reason.items for reason in outcome.blocked] == [("1.reset",)]
        with pytest.raises(NotWaiting, match=r"nothing called '2\.reset' waits"):
            approve(journal, "2.reset", by="boss", why="x")
        order = approve(journal, "1.reset", by="boss", why="go", clock=there.clock)
        assert order.id
        async with there.cluster.resume(journal=journal) as run:
            outcome = await run.wait()
        assert isinstance(outcome, Held)  # the next window asks again
        assert outcome.blocked[0].items == ("2.reset",)

    run_virtual(story)


def test_an_approval_for_what_does_not_wait_is_refused_by_the_run_itself(tmp_path: Path) -> None:
    async def act(_: Lab, run: Run) -> None:
        with pytest.raises(NotWaiting, match="nothing waits now"):
            await run.approve("1.reset", by="boss", why="x")

    run_virtual(lambda: _told(tmp_path / "j", act, after="1.regenerate"))


def test_a_second_send_of_an_anchor_waits_for_a_person_where_the_policy_says_so(
    tmp_path: Path,
) -> None:
    fault = '[[faults]]\nkind = "lost command"\ncommand = "set cert regen TVS"\nnode = "sub1"\n'
    journal = tmp_path / "j"

    async def story() -> None:
        there = start(Scenario.loads(SMALL + fault))
        plan = make_plan(
            await there.cluster.discover(),
            units=UNITS,
            policy=Policy(anchors_sent_again=False),
            preflight=NOBODY_LOOKED,
            said=NO_PARTNERS,
        )
        async with there.cluster.run(plan, journal=journal) as run:
            outcome = await run.wait()
        assert isinstance(outcome, Held)
        items = [item for reason in outcome.blocked for item in reason.items]
        assert len(items) == 1
        assert items[0].startswith("again:2.regenerate:TVS@sub1")
        (doubt,) = status_of(journal).doubts
        assert "`set cert regen TVS` on sub1" in doubt.asked
        assert "still serial" in doubt.seen
        approve(journal, items[0], by="boss", why="seen in the web interface", clock=there.clock)
        async with there.cluster.resume(journal=journal) as run:
            assert isinstance(await run.wait(), Verified)
        done = [pair for pair in executed(there.lab) if pair == ("sub1", "set cert regen TVS")]
        assert len(done) == 1

    run_virtual(story)


# ── hours ─────────────────────────────────────────────────────────────────────────────────


def _from_now(opens_s: float, closes_s: float, now: datetime) -> Maintenance:
    window = MaintenanceWindow(
        opens=now + timedelta(seconds=opens_s), closes=now + timedelta(seconds=closes_s)
    )
    return Maintenance(windows=(window,))


def test_no_window_opens_that_cannot_be_finished_before_maintenance_ends(tmp_path: Path) -> None:
    async def story() -> None:
        maintenance = _from_now(0, 1800, EPOCH)
        there, run = await _start(tmp_path / "j", maintenance=maintenance)
        async with run:
            outcome = await run.wait()
        assert isinstance(outcome, Held)
        (reason,) = outcome.blocked
        assert reason.guard == "time_is_left"
        assert "nothing was measured before" in reason.detail
        assert not executed(there.lab, resets=True)

    run_virtual(story)


def test_what_earlier_journals_measured_lets_the_same_window_open(tmp_path: Path) -> None:
    async def story() -> None:
        _, run = await _start(tmp_path / "first")
        async with run:
            await run.wait()
        before = Journal.read(tmp_path / "first")
        measured = measured_s(before.plan, before.records)
        assert measured[BARRIER] > 0
        assert 5 < measured["regenerate"] < 60
        now = VirtualClock().now()
        window = MaintenanceWindow(opens=now, closes=now + timedelta(seconds=1000))
        there, run = await _start(
            tmp_path / "k",
            maintenance=Maintenance(windows=(window,), measured_s=tuple(measured.items())),
        )
        async with run:
            outcome = await run.wait()
        assert isinstance(outcome, Held)  # the first window fitted, the second does not
        assert sum("regen CallManager" in text for _, text in executed(there.lab)) == 2
        assert not any("regen TVS" in text for _, text in executed(there.lab))
        async with there.cluster.resume(
            journal=tmp_path / "k", maintenance=_from_now(0, 1e6, there.clock.now())
        ) as run:
            assert isinstance(await run.wait(), Verified)

    run_virtual(story)


def test_a_run_waits_for_its_maintenance_to_begin(tmp_path: Path) -> None:
    async def story() -> None:
        there, run = await _start(tmp_path / "j", maintenance=_from_now(7200, 90_000, EPOCH))
        async with run:
            assert isinstance(await run.wait(), Verified)
        assert there.lab.log[0].at >= EPOCH + timedelta(seconds=7200)

    run_virtual(story)


def test_a_run_over_its_time_holds_at_a_safe_point_and_a_resume_begins_it_anew(
    tmp_path: Path,
) -> None:
    journal = tmp_path / "j"

    async def story() -> None:
        there, run = await _start(journal, policy=Policy(run_within_s=120.0))
        async with run:
            outcome = await run.wait()
        assert isinstance(outcome, Held)
        assert [reason.guard for reason in outcome.blocked] == ["time_is_left"]
        texts = [text for _, text in executed(there.lab, resets=True)]
        assert texts.count("utils service restart Cisco Tftp") == 2  # finished, not cut
        assert not any(text.startswith("doDeviceReset") for text in texts)

    run_virtual(story)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2026-03-02 04:00 to 2026-03-01 22:00 Europe/Berlin", "ends before it starts"),
        ("2026-03-29 02:30 to 2026-03-29 04:00 Europe/Berlin", "does not exist"),
        ("2026-10-25 02:30 to 2026-10-25 04:00 Europe/Berlin", "exists twice"),
        ("2026-03-01 22:00 to 2026-03-02 04:00 Europe/Atlantis", "nobody here knows"),
        ("tonight", "expected for example"),
    ],
)
def test_a_maintenance_window_that_cannot_be_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        MaintenanceWindow.parse(text)


def test_a_maintenance_window_is_of_the_clocks_of_its_zone() -> None:
    window = MaintenanceWindow.parse("2026-03-28 22:00 to 2026-03-29 04:00 Europe/Berlin")
    assert (window.closes - window.opens).total_seconds() == 5 * 3600  # clocks go forward
    assert str(window) == "2026-03-28 22:00 to 2026-03-29 04:00 Europe/Berlin"


# ── clocks ────────────────────────────────────────────────────────────────────────────────


class _Clock(VirtualClock):
    """A virtual clock whose wall can be put forward and back."""

    shift_s = 0.0

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.shift_s)


class _Dated:
    """A way that dates what it sees by the driver's own clock, as ways over a wire do."""

    def __init__(self, inner: MemoryTransport, clock: _Clock) -> None:
        self.supports, self.perform, self.aclose = inner.supports, inner.perform, inner.aclose
        self._inner, self._clock = inner, clock

    async def observe(self, query: Query) -> Fact:
        at, shift = self._clock.now(), timedelta(seconds=self._clock.shift_s)
        fact = await self._inner.observe(query)
        if isinstance(fact, Known) and isinstance(fact.value, ServiceState):
            started = fact.value.started_at
            moved = attrs.evolve(fact.value, started_at=started and started + shift)
            fact = attrs.evolve(fact, value=moved)
        return attrs.evolve(fact, at=at)


def _with_clock(there: Lab) -> tuple[_Clock, Cluster]:
    clock = _Clock()
    return clock, Cluster(_Dated(there.transport, clock), there.transport.discover, clock=clock)


def test_a_journal_from_the_future_is_refused(tmp_path: Path) -> None:
    journal = tmp_path / "j"

    async def story() -> None:
        there, _ = await _told(journal, lambda _, run: run.pause(by="a", why="b"), after="1.reg")
        clock, cluster = _with_clock(there)
        clock.shift_s = -86_400.0
        before = journal.read_bytes()
        with pytest.raises(JournalError, match="comes from the future"):
            cluster.resume(journal=journal)
        assert journal.read_bytes() == before

    run_virtual(story)


def test_a_clock_that_goes_back_in_mid_run_holds_before_the_next_command(tmp_path: Path) -> None:
    async def story() -> None:
        there = start(Scenario.loads(SMALL))
        clock, cluster = _with_clock(there)
        plan = make_plan(
            await cluster.discover(), units=UNITS, preflight=NOBODY_LOOKED, said=NO_PARTNERS
        )
        async with cluster.run(plan, journal=tmp_path / "j") as run:
            await _until(run, "1.regenerate")
            clock.shift_s = -7200.0
            outcome = await run.wait()
        assert isinstance(outcome, Held)
        assert "clock_goes_on" in [reason.guard for reason in outcome.blocked]
        assert sum("regen" in text for _, text in executed(there.lab)) <= 2

    run_virtual(story)


def test_a_command_decided_on_before_a_sleep_is_withheld_and_decided_on_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        there = start(Scenario.loads(SMALL))
        clock, cluster = _with_clock(there)
        plan = make_plan(
            await cluster.discover(), units=UNITS, preflight=NOBODY_LOOKED, said=NO_PARTNERS
        )
        append = Journal.append

        def sleepy(self: Journal, record: Record) -> None:
            append(self, record)
            match record:
                case CommandMoved(edge="intend", attempt=1, step=step) if "ctl-update" in step:
                    clock.shift_s += 3600.0  # the lid is closed while the disk is synced
                case _:
                    pass

        monkeypatch.setattr(Journal, "append", sleepy)
        async with cluster.run(plan, journal=tmp_path / "j") as run:
            outcome = await run.wait()
        assert isinstance(outcome, Verified), outcome
        assert sum("ctl update" in text for _, text in executed(there.lab)) == 1
        replies = [n for n in Journal.read(tmp_path / "j").notes if isinstance(n, ReplyNoted)]
        withheld = [note for note in replies if note.reply == "withheld"]
        assert len(withheld) == 1
        assert "3600 s ago" in withheld[0].text

    run_virtual(story)


# ── what the journal keeps ────────────────────────────────────────────────────────────────


def test_the_registration_curve_the_replies_and_the_end_stand_in_the_journal(
    tmp_path: Path,
) -> None:
    journal = tmp_path / "j"

    async def story() -> None:
        _, run = await _start(journal, policy=Policy(watch_every_s=15.0))
        async with run:
            await run.wait()

    run_virtual(story)
    written = Journal.read(journal)
    curve = [note.registered for note in written.notes if isinstance(note, RegistrationsNoted)]
    assert min(curve) < 3
    assert curve[-1] == 3
    replies = [note for note in written.notes if isinstance(note, ReplyNoted)]
    assert len(replies) == len(written.plan.steps)
    assert all(note.took_s >= 0 for note in replies)
    stood = [note for note in written.notes if isinstance(note, Stood)]
    assert [note.outcome for note in stood] == ["Verified"]


def test_a_status_says_what_is_known_without_asking_anybody(tmp_path: Path) -> None:
    journal = tmp_path / "j"
    seen: list[str] = []

    async def act(_: Lab, run: Run) -> None:
        seen.append(str(status_of(journal)))

    run_virtual(lambda: _told(journal, act, after="1.ctl-update"))
    assert "driven by process" in seen[0]
    assert "left    sub1/TVS: not begun" in seen[0]
    assert "over for good: it was verified" in str(status_of(journal))
