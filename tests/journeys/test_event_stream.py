"""Readers of a run's events: from the beginning, at their own pace, and never stuck."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from cucm_certflow.event_stream import EventStream
from cucm_certflow.observers import Replied
from cucm_certflow.testing.virtual import run_virtual

AT = datetime(2026, 1, 1, tzinfo=UTC)


def test_when_more_was_told_than_is_kept_readers_go_on_with_what_is_there() -> None:
    async def story() -> None:
        stream = EventStream(kept=10)

        async def tell() -> None:
            for number in range(100):
                await stream.tell(Replied(at=AT, step=str(number), kind="accepted", text=""))
                await asyncio.sleep(1)

        async def read(pause_s: float) -> list[int]:
            seen: list[int] = []
            async for event in stream.read():
                assert isinstance(event, Replied)
                seen.append(int(event.step))
                await asyncio.sleep(pause_s)
            return seen

        teller = asyncio.create_task(tell())
        stream.begin(teller)
        quick, slow = await asyncio.gather(read(0), read(3))
        late = await asyncio.wait_for(read(0), 5)
        assert quick == list(range(100))
        assert slow == sorted(slow)
        assert slow[-1] == 99
        assert late == list(range(90, 100))

    run_virtual(story)
