"""Registrations of a large cluster: what is asked again, and what is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from cucm_certflow.facts import Registration
from cucm_certflow.transports.registrations import Counts, RegistrationWatch
from tests.web.helpers import ManualClock

pytestmark = pytest.mark.asyncio

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
PHONES = tuple(f"SEP{number:012X}" for number in range(50))


class Site:
    """Fifty phones on two nodes; remembers which names each question was about."""

    def __init__(self, *, whole_up_to: int = 0, page: int = 10, count_every_s: float = 0) -> None:
        self.clock = ManualClock()
        self.where = {name: ("a" if number < 30 else "b") for number, name in enumerate(PHONES)}
        self.since = dict.fromkeys(PHONES, BEGIN)
        self.asked: list[tuple[str, ...]] = []
        self.counted = 0
        self.perfmon = True
        self.others = 0
        self.silent: set[str] = set()
        self.watch = RegistrationWatch(
            self.read,
            self.count,
            self.clock,
            page=page,
            whole_up_to=whole_up_to,
            count_every_s=count_every_s,
        )
        self.watch.names = PHONES

    async def read(self, names: Sequence[str]) -> Mapping[str, Registration]:
        self.asked.append(tuple(names))
        return {
            name: Registration(name, bool(self.where[name]), self.where[name], self.since[name])
            for name in names
        }

    async def count(self) -> Counts | None:
        self.counted += 1
        if not self.perfmon:
            return None
        return {
            node: None
            if node in self.silent
            else sum(at == node for at in self.where.values()) + self.others
            for node in ("a", "b")
        }

    def move(self, name: str, node: str) -> None:
        self.where[name] = node
        self.since[name] += timedelta(seconds=60)

    async def look(self) -> tuple[Mapping[str, Registration], int, int]:
        """All registrations; how many requests and how many names that took."""
        self.asked.clear()
        table = await self.watch.all()
        return table, len(self.asked), len({name for page in self.asked for name in page})


async def test_a_small_cluster_is_read_whole_each_time_and_not_counted() -> None:
    site = Site(whole_up_to=50)
    for _ in range(3):
        _, requests, names = await site.look()
        assert (requests, names) == (5, 50)
    assert site.counted == 0


async def test_a_large_one_is_read_whole_once_and_then_not_while_nothing_moves() -> None:
    site = Site()
    _, requests, names = await site.look()
    assert (requests, names) == (5, 50)
    for _ in range(3):
        table, requests, _ = await site.look()
        assert requests == 0
        assert len(table) == 50


async def test_missing_phones_are_asked_for_each_time_by_name() -> None:
    site = Site()
    site.move(PHONES[3], "")
    await site.look()
    table, requests, names = await site.look()
    assert (requests, names) == (1, 2)  # and the oldest one, for which there is room
    assert PHONES[3] in site.asked[0]
    assert not table[PHONES[3]].registered
    site.move(PHONES[3], "b")
    table, *_ = await site.look()
    assert table[PHONES[3]].node == "b"
    assert (await site.look())[1] == 0


async def test_phones_that_were_told_to_go_are_read_until_they_have_come_back() -> None:
    site = Site()
    await site.look()
    site.watch.expect_news(PHONES[:3])
    for _ in range(2):
        table, requests, _ = await site.look()
        assert requests == 1
        assert set(PHONES[:3]) <= set(site.asked[0])
        assert table[PHONES[0]].at == BEGIN  # it has not gone yet
    for name in PHONES[:3]:
        site.move(name, "a")
    table, *_ = await site.look()
    assert table[PHONES[0]].at == BEGIN + timedelta(seconds=60)
    assert (await site.look())[1] == 0


async def test_phones_of_a_node_that_did_not_restart_are_let_go_of_again() -> None:
    site = Site()
    await site.look()
    site.watch.expect_news_of("b")
    assert (await site.look())[1:] == (2, 20)
    site.clock.instant += timedelta(seconds=601)
    await site.look()  # as they were: they have stayed
    assert (await site.look())[2] <= 10


async def test_a_phone_in_a_call_is_waited_for_however_long_it_takes() -> None:
    site = Site()
    await site.look()
    site.watch.expect_news(PHONES[:1])
    for _ in range(8):
        site.clock.instant += timedelta(hours=1)
        await site.look()
        assert any(PHONES[0] in page for page in site.asked)


async def test_a_phone_that_leaves_by_itself_is_found_by_its_nodes_count() -> None:
    site = Site()
    await site.look()
    site.move(PHONES[7], "")
    looks = [await site.look() for _ in range(3)]
    assert not looks[-1][0][PHONES[7]].registered
    assert looks[0][1] == 0  # counts and records are not of the same instant: once is no reason
    assert max(names for _, _, names in looks) <= 30  # node a alone


async def test_a_phone_that_changes_its_node_is_found() -> None:
    site = Site()
    await site.look()
    site.move(PHONES[7], "b")
    for _ in range(2):
        await site.look()
    table, *_ = await site.look()
    assert table[PHONES[7]].node == "b"
    assert (await site.look())[1] == 0


async def test_devices_that_are_not_ours_are_taken_into_account_once() -> None:
    site = Site()
    await site.look()
    site.others = 4
    for _ in range(3):
        await site.look()
    assert (await site.look())[1] == 0


async def test_two_that_change_places_are_found_at_the_latest_by_age() -> None:
    site = Site()
    site.move(PHONES[9], "")
    await site.look()
    site.move(PHONES[9], "a")
    site.move(PHONES[7], "")  # the count of node a is the same
    for _ in range(12):
        site.clock.instant += timedelta(seconds=120)
        await site.look()
    table, *_ = await site.look()
    assert table[PHONES[9]].registered
    assert not table[PHONES[7]].registered


async def test_without_perfmon_every_look_reads_every_phone() -> None:
    site = Site()
    site.perfmon = False
    for _ in range(2):
        assert (await site.look())[1:] == (5, 50)


async def test_a_node_that_does_not_count_has_its_phones_read() -> None:
    site = Site()
    await site.look()
    site.silent = {"b"}
    assert (await site.look())[1:] == (2, 20)  # which fill their pages


async def test_counters_are_read_no_more_often_than_they_may_be() -> None:
    site = Site(count_every_s=60)
    await site.look()
    assert site.counted == 2  # before and after the phones
    for _ in range(3):
        site.clock.instant += timedelta(seconds=19)
        await site.look()
    assert site.counted == 2
    site.clock.instant += timedelta(seconds=4)
    await site.look()
    assert site.counted == 3  # no phone was read: there is no after


async def test_phones_by_name_are_always_read_now() -> None:
    site = Site()
    await site.look()
    site.asked.clear()
    site.move(PHONES[1], "b")
    found = await site.watch.of(PHONES[:2])
    assert site.asked == [PHONES[:2]]
    assert found[PHONES[1]].node == "b"


async def test_an_age_of_nothing_is_refused() -> None:
    site = Site()
    with pytest.raises(ValueError, match="over 0"):
        RegistrationWatch(site.read, site.count, site.clock, max_age_s=0)
