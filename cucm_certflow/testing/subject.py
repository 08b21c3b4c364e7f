"""What the contract suite is run over: a small cluster behind some transport."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final

import attrs

from cucm_certflow.clock import Clock
from cucm_certflow.commands import Command, ReplyKind
from cucm_certflow.facts import ClusterFacts, Known, Query
from cucm_certflow.transports.base import Transport

__all__ = ["Check", "Subject"]

_SHARED: Final = timedelta(seconds=60)


@attrs.frozen(kw_only=True)
class Subject:
    """A transport over a small mixed-mode cluster: a publisher, one subscriber, some phones.

    Attributes:
        transport: What is checked.
        discover: Discovery over it.
        clock: The cluster's.
        publisher: The publisher's name; it runs Cisco CallManager, Tftp and TVS.
        subscriber: The subscriber's name; it runs them too.
    """

    transport: Transport
    discover: Callable[[], Awaitable[ClusterFacts]]
    clock: Clock
    publisher: str
    subscriber: str

    async def known(self, query: Query) -> Any:  # noqa: ANN401 - one type per class of query
        """The value of *query*, which must be known."""
        before = self.clock.now()
        fact = await self.transport.observe(query)
        assert isinstance(fact, Known), f"{query}: {fact}"
        # One listing may answer several questions that are asked at nearly the same moment.
        earliest = before - _SHARED
        assert earliest <= fact.at <= self.clock.now(), f"{query}: its instant is not of the look"
        return fact.value

    async def until(self, query: Query, holds: Callable[[Any], bool]) -> Any:  # noqa: ANN401 - as known
        """Look again until *holds*; for what takes its time."""
        for _ in range(200):
            fact = await self.transport.observe(query)
            if isinstance(fact, Known) and holds(fact.value):
                return fact.value
            await self.clock.sleep(5)
        message = f"{query} never came to what was expected"
        raise AssertionError(message)

    async def done(self, command: Command) -> str:
        """Send *command*, which must be accepted; the node's words."""
        assert self.transport.supports(command), f"{command} is not supported"
        reply = await self.transport.perform(command)
        assert reply.kind is ReplyKind.ACCEPTED, f"{command}: {reply}"
        return reply.text


Check = Callable[[Subject], Awaitable[None]]
