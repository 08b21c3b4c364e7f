"""What the contract suite is run over: a small cluster behind some transport."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, Final, Protocol

import attrs

from cucm_certflow.clock import Clock
from cucm_certflow.commands import Command, ReplyKind
from cucm_certflow.facts import ClusterFacts, Known, Query
from cucm_certflow.transports.base import Transport

__all__ = ["Check", "NotOffered", "Subject"]

_SHARED: Final = timedelta(seconds=60)


class NotOffered(Exception):
    """A check needs what the transport was declared not to offer."""


@attrs.frozen(kw_only=True)
class Subject:
    """A transport over a small mixed-mode cluster: a publisher, one subscriber, some phones.

    Attributes:
        transport: What is checked.
        discover: Discovery over it.
        clock: The cluster's.
        publisher: The publisher's name; it runs Cisco CallManager, Tftp and TVS.
        subscriber: The subscriber's name; it runs them too.
        secrets: Texts that nothing may show: passwords, tokens.
        not_offered: What the transport does not offer, by class, with the reason.
    """

    transport: Transport
    discover: Callable[[], Awaitable[ClusterFacts]]
    clock: Clock
    publisher: str
    subscriber: str
    secrets: tuple[str, ...] = ()
    not_offered: Mapping[type, str] = attrs.field(factory=dict[type, str])

    def needs(self, what: Query | Command) -> None:
        """Say that the check needs *what*.

        Raises:
            NotOffered: The transport was declared not to offer it, and does not.
        """
        reason = self.not_offered.get(type(what))
        if reason is None:
            assert self.transport.supports(what), f"{what} is not supported"
            return
        assert not self.transport.supports(what), f"{what} is supported, and declared not to be"
        raise NotOffered(f"{type(what).__name__} is not offered: {reason}")

    async def known(self, query: Query) -> Any:  # noqa: ANN401 - one type per class of query
        """The value of *query*, which must be known."""
        self.needs(query)
        before = self.clock.now()
        fact = await self.transport.observe(query)
        assert isinstance(fact, Known), f"{query}: {fact}"
        # One listing may answer several questions that are asked at nearly the same moment.
        earliest = before - _SHARED
        assert earliest <= fact.at <= self.clock.now(), f"{query}: its instant is not of the look"
        return fact.value

    async def until(self, query: Query, holds: Callable[[Any], bool]) -> Any:  # noqa: ANN401 - as known
        """Look again until *holds*; for what takes its time."""
        self.needs(query)
        for _ in range(200):
            fact = await self.transport.observe(query)
            if isinstance(fact, Known) and holds(fact.value):
                return fact.value
            await self.clock.sleep(5)
        message = f"{query} never came to what was expected"
        raise AssertionError(message)

    async def done(self, command: Command) -> str:
        """Send *command*, which must be accepted; the node's words."""
        self.needs(command)
        reply = await self.transport.perform(command)
        assert reply.kind is ReplyKind.ACCEPTED, f"{command}: {reply}"
        return reply.text


class Check(Protocol):
    """One claim about a transport; raises AssertionError with what is broken."""

    __name__: str

    async def __call__(self, subject: Subject, /) -> None:
        """Check *subject*."""
