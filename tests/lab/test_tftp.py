"""HTTP 6970 of the lab with real sockets, on addresses that no other test uses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.counters import TftpCounters
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.lab.servers.bad_answers import HUGE_BYTES
from cucm_certflow.lab.servers.database import Database
from cucm_certflow.lab.servers.papers import Papers
from cucm_certflow.lab.servers.tftp import TFTP_PORT, TftpDoor
from cucm_certflow.lab.servers.vos_cli import Desk
from cucm_certflow.names import Service
from cucm_certflow.trust.lists import parse_list
from tests.lab.small import PHONE, SMALL, HandClock

pytestmark = pytest.mark.asyncio


class Door:
    """Port 6970 of the publisher, and a client of it."""

    def __init__(self, desk: Desk, clock: HandClock, client: httpx.AsyncClient) -> None:
        self.cluster = desk.cluster
        self.clock = clock
        self.door = TftpDoor(desk, "pub")
        self._client = client

    async def get(self, name: str) -> httpx.Response:
        return await self._client.get(f"/{name}")

    async def turn(self, seconds: float) -> None:
        self.clock.turn(seconds)
        await self.door.follow()

    @property
    def counted(self) -> TftpCounters:
        return self.cluster.tftp_counters("pub")


@asynccontextmanager
async def door(more: str = "", text: str = SMALL) -> AsyncIterator[Door]:
    clock = HandClock()
    told = Scenario.loads(text.replace("127.0.0.", "127.0.63.") + more)
    cluster = LabCluster(told, clock)
    papers, database = Papers(told, clock, threaded=False), Database(cluster)
    desk = Desk(cluster=cluster, clock=clock, papers=papers, database=database)
    base = f"http://{told.node('pub').address}:{TFTP_PORT}"
    async with httpx.AsyncClient(base_url=base, trust_env=False) as client:
        made = Door(desk, clock, client)
        try:
            await made.turn(0)
            yield made
        finally:
            await made.door.close()
            database.close()
            papers.close()


@pytest.mark.parametrize(
    "name", ["ITLFile.tlv", f"ITL{PHONE}.tlv", "CTLFile.tlv", f"CTL{PHONE}.tlv"]
)
async def test_lists_have_a_plain_name_and_one_for_every_phone(name: str) -> None:
    async with door() as at:
        answer = await at.get(name)
        assert answer.status_code == 200
        assert parse_list(answer.content).records
        assert at.counted.http_processed == 1


async def test_what_there_is_not_is_404_and_counted() -> None:
    plain = SMALL.replace('"mixed"', '"non-secure"').replace('"Encrypted"', '"Non Secure"')
    async with door(text=plain) as at:
        for name in (
            "CTLFile.tlv",
            f"CTL{PHONE}.tlv",
            "SEPFFFFFFFFFFFF.cnf.xml.sgn",
            "ITLsep.tlv",
            "",
        ):
            assert (await at.get(name)).status_code == 404
        counted = at.counted
        assert (counted.http_requests, counted.http_not_found) == (5, 5)


async def test_after_a_start_it_is_busy_for_a_while() -> None:
    async with door("\n[timing]\njitter = 0\ntftp_busy_s = 7\n") as at:
        assert (await at.get("ITLFile.tlv")).status_code == 200
        at.cluster.begin_restart("pub", Service.TFTP)
        await at.turn(15)
        with pytest.raises(httpx.TransportError):
            await at.get("ITLFile.tlv")
        await at.turn(15)
        assert (await at.get("ITLFile.tlv")).status_code == 503
        await at.turn(6)
        assert (await at.get("ITLFile.tlv")).status_code == 503
        await at.turn(1)
        assert (await at.get("ITLFile.tlv")).status_code == 200
        counted = at.counted  # since the start: not the one before
        assert (counted.http_busy, counted.http_processed) == (2, 1)


async def test_a_fault_makes_it_busy_for_one_file_or_all() -> None:
    more = (
        '\n[[faults]]\nkind = "throttled"\ncommand = "http 6970 CTLFile.tlv"\ntimes = 2\n'
        '[[faults]]\nkind = "throttled"\ncommand = "http 6970"\nnth = 4\n'
    )
    async with door(more) as at:
        seen = [
            (await at.get(name)).status_code
            for name in ("ITLFile.tlv", "CTLFile.tlv", "CTLFile.tlv", "ITLFile.tlv", "CTLFile.tlv")
        ]
        assert seen == [200, 503, 503, 503, 200]
        assert at.counted.http_busy == 3


@pytest.mark.parametrize("kind", ["refused", "html", "huge", "truncated"])
async def test_faults_spoil_one_answer(kind: str) -> None:
    async with door(f'\n[[faults]]\nkind = "{kind}"\ncommand = "http 6970"\nnth = 2\n') as at:
        whole, spoilt, after = [await at.get("ITLFile.tlv") for _ in range(3)]
        assert whole.content == after.content
        match kind:
            case "refused":
                assert spoilt.status_code == 404
            case "html":
                assert spoilt.text.startswith("<html>")
            case "huge":
                assert spoilt.content == b" " * HUGE_BYTES
            case _:
                assert spoilt.content == whole.content[: len(whole.content) // 2]


async def test_a_lost_reply_cuts_the_connection() -> None:
    async with door('\n[[faults]]\nkind = "lost reply"\ncommand = "http 6970"\n') as at:
        with pytest.raises(httpx.RemoteProtocolError):
            await at.get("ITLFile.tlv")
        assert at.counted.http_requests == 0
        assert (await at.get("ITLFile.tlv")).status_code == 200
