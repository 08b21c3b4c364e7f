"""Questions, facts, commands and replies, recorded and given again.

Content: ``asked`` (``query``) and its ``fact``; ``commanded`` (``command``) and its ``reply``; or
an ``error`` instead of either. ``exchange`` says what belongs together.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from cucm_certflow.clock import Clock
from cucm_certflow.codec import (
    command_from_json,
    command_to_json,
    fact_from_json,
    fact_to_json,
    query_from_json,
    query_to_json,
    reply_from_json,
    reply_to_json,
)
from cucm_certflow.commands import Command, Reply, ReplyKind
from cucm_certflow.errors import CertflowError, NodeError
from cucm_certflow.facts import Fact, Query, Unknown, Why
from cucm_certflow.transports.base import Transport
from cucm_certflow.transports.record.document import (
    Direction,
    Entry,
    Layer,
    Recording,
    Tag,
    error_from_json,
    error_to_json,
)
from cucm_certflow.transports.record.writer import Writer

__all__ = ["RecordedClock", "RecordingTransport", "ReplayTransport"]

_BY: Final = "recording"


class RecordingTransport:
    """A transport that writes down what goes through it, and changes nothing.

    Args:
        transport: Where everything goes on to.
        writer: Where it is written.
        name: Tells this transport from others in the same recording.
        after: Called when the recorded transport has been closed.
    """

    def __init__(
        self,
        transport: Transport,
        writer: Writer,
        name: str = "",
        *,
        after: Callable[[], None] | None = None,
    ) -> None:
        self._transport = transport
        self._writer = writer
        self._name = name
        self._after = after

    def supports(self, what: Query | Command) -> bool:
        """What the recorded transport says; it is not written down."""
        return self._transport.supports(what)

    async def observe(self, query: Query) -> Fact:
        """Ask; see :class:`~cucm_certflow.transports.base.Transport`."""
        exchange = self._out({"kind": "asked", "query": query_to_json(query)})
        try:
            fact = await self._transport.observe(query)
        except CertflowError as error:
            self._failed(exchange, error)
            raise
        try:
            written = fact_to_json(query, fact)
        except ValueError as error:  # a value of another type than the question's: theirs to mend
            written = fact_to_json(query, Unknown(str(error), fact.at, fact.by, Why.UNREADABLE))
        self._in({"kind": "fact", "exchange": exchange, "fact": written})
        return fact

    async def perform(self, command: Command) -> Reply:
        """Send *command* once; see :class:`~cucm_certflow.transports.base.Transport`."""
        exchange = self._out({"kind": "commanded", "command": command_to_json(command)})
        try:
            reply = await self._transport.perform(command)
        except CertflowError as error:
            self._failed(exchange, error)
            raise
        self._in({"kind": "reply", "exchange": exchange, "reply": reply_to_json(reply)})
        return reply

    async def aclose(self) -> None:
        """Close the recorded transport; idempotent if that is."""
        try:
            await self._transport.aclose()
        finally:
            if self._after is not None:
                self._after()

    def _out(self, content: dict[str, Any]) -> int:
        tag = self._writer.tag()
        self._write(tag, Direction.OUT, {**content, "exchange": tag.number})
        return tag.number

    def _in(self, content: dict[str, Any]) -> None:
        self._write(self._writer.tag(), Direction.IN, content)

    def _failed(self, exchange: int, error: CertflowError) -> None:
        self._in({"kind": "error", "exchange": exchange, "error": error_to_json(error)})

    def _write(self, tag: Tag, direction: Direction, content: dict[str, Any]) -> None:
        scrubbed = {
            name: self._writer.scrubber.json(value) if isinstance(value, dict) else value
            for name, value in content.items()
        }
        self._writer.write(tag, Layer.SEAM, self._name, direction, scrubbed)


class ReplayTransport:
    """Answers what was asked in a recording, in the order in which that was asked again.

    A question that was never asked then, or was not asked as often, is an Unknown; so is one whose
    answer the recording does not have. A command that does not come next is refused, and the
    recording stays where it is. Facts have the instants that they had then: see
    :class:`RecordedClock`.

    Args:
        recording: Its seam is replayed.
        clock: Gives an Unknown that the recording does not have its instant.
        name: Only what was recorded under this name; everything if it is None.
        repeat: Give the last answer again to a question that is asked more often than it was.

    Raises:
        RecordingError: An entry of the seam does not read.
    """

    def __init__(
        self,
        recording: Recording,
        clock: Clock,
        *,
        name: str | None = None,
        repeat: bool = False,
    ) -> None:
        self._clock = clock
        self._repeat = repeat
        self._facts: dict[Query, deque[Fact | NodeError]] = {}
        self._commands: deque[tuple[Command, Reply | NodeError]] = deque()
        entries = [e for e in recording.of(Layer.SEAM) if name is None or e.way == name]
        came = {e.whole("exchange"): e for e in entries if e.direction is Direction.IN}
        for entry in entries:
            if entry.direction is Direction.OUT:
                self._add(entry, came.get(entry.whole("exchange")))
        self._known_commands = frozenset(command for command, _ in self._commands)

    def _add(self, asked: Entry, came: Entry | None) -> None:
        try:
            match asked.kind:
                case "asked":
                    query = query_from_json(asked.content["query"])
                    if came is not None:  # else the recording ends before the answer
                        self._facts.setdefault(query, deque()).append(_fact(query, came))
                case "commanded":
                    command = command_from_json(asked.content["command"])
                    self._commands.append((command, _reply(came)))
                case _:
                    raise asked.wrong("kind")
        except (ValueError, KeyError) as error:
            raise asked.wrong("content") from error

    def supports(self, what: Query | Command) -> bool:
        """Whether the recording has it at all."""
        return what in self._facts or what in self._known_commands

    async def observe(self, query: Query) -> Fact:
        """The next answer to *query*; see :class:`~cucm_certflow.transports.base.Transport`."""
        facts = self._facts.get(query)
        if not facts:
            reason = "not asked, or not as often, in the recording"
            return Unknown(reason, self._clock.now(), _BY, Why.NOT_ASKED)
        fact = facts[0] if self._repeat and len(facts) == 1 else facts.popleft()
        if isinstance(fact, NodeError):
            raise fact
        return fact

    async def perform(self, command: Command) -> Reply:
        """The reply to *command* if it comes next; see the class."""
        if not self._commands or self._commands[0][0] != command:
            reason = f"not sent: {command} does not come next in the recording"
            return Reply(ReplyKind.REFUSED, reason, sent=False)
        _, reply = self._commands.popleft()
        if isinstance(reply, NodeError):
            raise reply
        return reply

    async def aclose(self) -> None:
        """Nothing; idempotent."""


def _fact(query: Query, came: Entry) -> Fact | NodeError:
    return (
        error_from_json(came)
        if came.kind == "error"
        else fact_from_json(query, came.content["fact"])
    )


def _reply(came: Entry | None) -> Reply | NodeError:
    if came is None:
        return Reply(ReplyKind.LOST, "the recording ends before the reply")
    if came.kind == "error":
        return error_from_json(came)
    return reply_from_json(came.content["reply"])


class RecordedClock:
    """A clock that tells the time of a recording: facts in it are as old as they were then.

    Args:
        recording: It begins at the instant at which this one began.
        clock: What passes for it.
    """

    def __init__(self, recording: Recording, clock: Clock) -> None:
        self._clock = clock
        self._at = recording.header.at
        self._began_s = clock.monotonic()

    def now(self) -> datetime:
        """The instant of the recording, aware, in UTC."""
        return self._at + timedelta(seconds=self._clock.monotonic() - self._began_s)

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Let *seconds* pass."""
        await self._clock.sleep(seconds)
