"""Trust clean-up on the lab in memory: deleted, watched over a resync, and never what is needed."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from cucm_certflow.core.cleanup import plan_cleanup
from cucm_certflow.core.plan import Plan, TrustKey
from cucm_certflow.core.run_state import EntryMoved
from cucm_certflow.core.states import EntryState
from cucm_certflow.journal import Journal
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.names import Service
from cucm_certflow.observers import Held, Outcome, Verified
from cucm_certflow.testing.virtual import run_virtual
from tests.journeys.main_job import Lab, executed, start

CLUSTER = """
release = "{release}"

[[nodes]]
name = "pub"
address = "127.0.0.11"
publisher = true
services = ["callmanager", "tftp", "tvs", "cti", "capf"]

[[nodes]]
name = "sub"
address = "127.0.0.12"

[[nodes]]
name = "imp"
address = "127.0.0.13"
product = "cups"

[[phones]]
count = 3
model = "Cisco 8861"
group = ["sub", "pub"]
tftp = ["pub", "sub"]

[[trust]]
store = "tomcat-trust"
name = "old-ca.pem"
expires_in_days = -3
comes_back = true

[[trust]]
store = "CallManager-trust"
name = "gone-cluster.pem"
expires_in_days = -30

[[trust]]
store = "tomcat-trust"
name = "good-ca.pem"
expires_in_days = 300
"""


class Told(NamedTuple):
    there: Lab
    plan: Plan
    outcome: Outcome | None
    began: float
    ended: float


async def _told(release: str, journal: Path) -> Told:
    there = start(Scenario.loads(CLUSTER.format(release=release)))
    facts = await there.cluster.discover()
    plan = plan_cleanup(facts, await there.cluster.trust_stores(facts))
    began = there.clock.monotonic()
    async with there.cluster.run(plan, journal=journal) as run:
        outcome = await run.wait()
    return Told(there, plan, outcome, began, there.clock.monotonic())


def _held(there: Lab) -> set[tuple[str, str, str]]:
    book = there.lab.book
    nodes = [node.name for node in there.lab.scenario.nodes]
    return {(node, entry.store, entry.name) for node in nodes for entry in book.entries(node)}


@pytest.mark.parametrize("release", ["8.6", "9.1", "10.5", "11.5"])
def test_up_to_11_5_what_would_come_back_stays_away_and_every_service_runs_again(
    release: str, tmp_path: Path
) -> None:
    told = run_virtual(lambda: _told(release, tmp_path / "journal"))
    assert isinstance(told.outcome, Verified), told.outcome
    assert {str(entry) for entry in told.plan.entries} == {
        "tomcat-trust/old-ca.pem",
        "CallManager-trust/gone-cluster.pem",
    }
    names = {name for _, _, name in _held(told.there)}
    assert "good-ca.pem" in names
    assert not names & {"old-ca.pem", "gone-cluster.pem"}
    assert told.ended - told.began > told.plan.policy.trust_watch_s > 1800
    texts = [text for _, text in executed(told.there.lab, resets=True)]
    assert not [text for text in texts if text.startswith("doDeviceReset")]
    kinds = [text.split()[2] if "service" in text else "delete" for text in texts]
    order = ["stop", "delete", "restart", "start"]
    assert sorted(kinds, key=order.index) == kinds
    lab = told.there.lab
    for node in ("pub", "sub"):
        assert lab.is_up(node, Service.CERTIFICATE_CHANGE_NOTIFICATION)
    for service in (Service.PLATFORM_ADMINISTRATIVE_WEB, Service.INTERCLUSTER_SYNC_AGENT):
        assert lab.is_up("imp", service)


def test_deletion_that_is_cluster_wide_is_not_sent_to_nodes_that_have_it_no_more(
    tmp_path: Path,
) -> None:
    told = run_virtual(lambda: _told("11.5", tmp_path / "journal"))
    sent = [pair for pair in executed(told.there.lab) if "delete" in pair[1]]
    planned = [s for s in told.plan.steps if "delete" in str(s.command)]
    assert len(sent) < len(planned)
    assert len(sent) == len({text for _, text in sent})


def test_from_12_0_what_comes_back_is_noticed_and_the_run_holds(tmp_path: Path) -> None:
    told = run_virtual(lambda: _told("14", tmp_path / "journal"))
    assert isinstance(told.outcome, Held)
    assert {blocked.guard for blocked in told.outcome.blocked} == {"did_not_come_back"}
    assert any("old-ca.pem" in blocked.detail for blocked in told.outcome.blocked)


def test_life_of_every_entry_is_in_the_journal_and_is_read_back(tmp_path: Path) -> None:
    told = run_virtual(lambda: _told("11.5", tmp_path / "journal"))
    opened = Journal.open(tmp_path / "journal")
    opened.close()
    assert opened.plan.entries == told.plan.entries
    moved = [(r.entry, r.to) for r in opened.records if isinstance(r, EntryMoved)]
    for entry in told.plan.entries:
        lived = [to for of, to in moved if of == entry]
        assert lived == [EntryState.DELETED, EntryState.SETTLED, EntryState.GONE]


def test_what_came_into_use_since_the_plan_is_not_deleted(tmp_path: Path) -> None:
    """The starting document, X1: never an identity."""

    async def story() -> tuple[Lab, Outcome | None]:
        there = start(Scenario.loads(CLUSTER.format(release="11.5")))
        facts = await there.cluster.discover()
        stores = await there.cluster.trust_stores(facts)
        copy = next(
            entry
            for entry in stores["sub"]
            if entry.certificate.fingerprint == "pub/CallManager/g1"
        )
        key = TrustKey(copy.store, copy.certificate.fingerprint, copy.name)
        refused = plan_cleanup(facts, stores, delete=[key])
        assert [blocked.guard for blocked in refused.refusals] == ["entry_not_needed"]
        assert executed(there.lab) == []
        return there, None

    run_virtual(story)


async def _stopped_half_way(journal: Path) -> tuple[Lab, Outcome | None]:
    there = start(Scenario.loads(CLUSTER.format(release="11.5")))
    facts = await there.cluster.discover()
    plan = plan_cleanup(facts, await there.cluster.trust_stores(facts))
    with pytest.raises(KeyboardInterrupt):
        async with there.cluster.run(plan, journal=journal) as run:
            async for event in run.events():
                if "delete" in str(event) and "proved" in str(event):
                    raise KeyboardInterrupt
    async with there.cluster.resume(journal=journal) as run:
        return there, await run.wait()


def test_interrupted_clean_up_goes_on_and_starts_what_it_had_stopped(tmp_path: Path) -> None:
    there, outcome = run_virtual(lambda: _stopped_half_way(tmp_path / "journal"))
    assert isinstance(outcome, Verified), outcome
    sent = executed(there.lab)
    assert len(sent) == len(set(sent))
    stopped = {(node, text.split(maxsplit=3)[3]) for node, text in sent if " stop " in text}
    started = {(node, text.split(maxsplit=3)[3]) for node, text in sent if " start " in text}
    assert stopped == started
