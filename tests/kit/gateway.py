"""A vendor's gateway that speaks JSON lines: the only way to the nodes behind it, a lab."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Coroutine
from typing import Any

from cucm_certflow.codec import (
    command_from_json,
    fact_to_json,
    query_from_json,
    reply_to_json,
)
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.memory import MemoryTransport
from cucm_certflow.testing.virtual import VirtualClock

LATENCY_S = 0.2


class Line:
    """One end of a connection: what is written here is read at the other end."""

    def __init__(self) -> None:
        self._reader = asyncio.StreamReader()
        self.other: Line | None = None
        self._open = True

    def write(self, message: dict[str, Any]) -> None:
        """Send *message*; into a closed connection it is a ConnectionError."""
        if not self._open or self.other is None:
            raise ConnectionResetError("the connection is closed")
        self.other._reader.feed_data(json.dumps(message).encode() + b"\n")

    async def read(self) -> dict[str, Any] | None:
        """The next message; None at the end."""
        line = await self._reader.readline()
        message: dict[str, Any] | None = json.loads(line) if line else None
        return message

    def close(self) -> None:
        """Close both ends."""
        for end in (self, self.other):
            if end is not None and end._open:
                end._open = False
                end._reader.feed_eof()


class Gateway:
    """Does what it is asked with a token, many things at once, and answers in any order.

    ``{"token": …}`` first; then ``{"id": 1, "ask": QUERY}`` and ``{"id": 2, "do": COMMAND}``.
    """

    def __init__(self, lab: LabCluster, clock: VirtualClock, token: str) -> None:
        self._nodes = MemoryTransport(lab, clock)
        self._clock = clock
        self._token = token
        self._publisher = lab.layout.publisher
        self._loses: set[str] = set()
        self.logins = 0
        self.tasks: set[asyncio.Task[None]] = set()

    def lose_next(self, node: str) -> None:
        """Hang up on whoever asks for something about *node* next, and do it all the same."""
        self._loses.add(node)

    def connect(self) -> Line:
        """The client's end of a new connection."""
        ours, theirs = Line(), Line()
        ours.other, theirs.other = theirs, ours
        self._start(self._serve(ours))
        return theirs

    async def stop(self) -> None:
        """End everything."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self._nodes.aclose()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _serve(self, line: Line) -> None:
        first = await line.read()
        self.logins += 1
        if first is None or first.get("token") != self._token:
            if first is not None:
                line.write({"error": "denied"})
            line.close()
            return
        line.write({"welcome": "gateway 1.0"})
        while (message := await line.read()) is not None:
            self._start(self._answer(line, message))

    async def _answer(self, line: Line, message: dict[str, Any]) -> None:
        await self._clock.sleep(LATENCY_S)
        asked = message.get("ask") or message["do"]
        node = asked.get("node", self._publisher)
        if node in self._loses:
            self._loses.discard(node)
            asyncio.get_running_loop().call_later(1.0, line.close)
        answer: dict[str, Any]
        if "ask" in message:
            query = query_from_json(asked)
            answer = {"fact": fact_to_json(query, await self._nodes.observe(query))}
        else:
            command = command_from_json(asked)
            answer = {"reply": reply_to_json(await self._nodes.perform(command))}
        with contextlib.suppress(ConnectionError):  # nobody may be there any more
            line.write({"id": message["id"], **answer})


Connect = Callable[[], Line]
