"""A handshake that takes longer than the client waits for it."""

from __future__ import annotations

import asyncio
import gc
import warnings

from cucm_certflow.commands import ReplyKind, ResetPhones
from cucm_certflow.facts import Phones, Why
from cucm_certflow.transports.axl import AxlTransport
from tests.lab.small import PHONE
from tests.lab.wires import Night, fault, over_https, why


def test_a_handshake_that_never_begins_is_unreachable_and_nothing_is_done() -> None:
    slow = fault("slow start", "executeSQLQuery", "late_s = 2000\nfor_s = 100000")
    night = Night()

    async def story() -> None:
        async with over_https(night, slow) as (desk, _, access):
            way = AxlTransport(access)
            assert await why(way, Phones()) is Why.UNREACHABLE  # cut, and then it is slow
            assert await why(way, Phones()) is Why.UNREACHABLE
            reply = await way.perform(ResetPhones("pub", (PHONE,)))
            assert reply.kind in (ReplyKind.LOST, ReplyKind.REFUSED)
            assert desk.cluster.log == ()
            await way.aclose()

    asyncio.run(story())
    night.papers.close()
    with warnings.catch_warnings():
        # httpcore leaves the socket of a handshake that a timeout cancels to the collector.
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
