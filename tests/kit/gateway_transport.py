"""A transport over the vendor's gateway, written from docs/writing-a-transport.md alone."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from itertools import count
from typing import Any, TypeAlias

import attrs

from cucm_certflow import AuthenticationFailed, Report, Secret
from cucm_certflow.clock import Clock
from cucm_certflow.codec import (
    command_to_json,
    fact_from_json,
    query_to_json,
    reply_from_json,
)
from cucm_certflow.commands import ByHand, Command, Reply, ReplyKind
from cucm_certflow.facts import Fact, Query, ReplyTo, Unknown, Why
from tests.kit.gateway import Connect, Line

BY = "the gateway"
ANSWER_WITHIN_S = 30.0


Message: TypeAlias = dict[str, Any]


class _NotSent(Exception):
    """There is no connection; nothing was sent."""


class GatewayTransport:
    """All nodes of one cluster over one connection, which is opened when it is needed."""

    def __init__(
        self, connect: Connect, token: Secret, nodes: Collection[str], clock: Clock
    ) -> None:
        self._connect = connect
        self._token = token
        self._nodes = frozenset(nodes)
        self._clock = clock
        self._line: Line | None = None
        self._reader: asyncio.Task[None] | None = None
        self._opening = asyncio.Lock()
        self._ids = count(1)
        self._waiting: dict[int, asyncio.Future[Message]] = {}
        self._denied = False

    def supports(self, what: Query | Command) -> bool:
        """All but what is asked of nobody, about nodes of this cluster."""
        if isinstance(what, ReplyTo | ByHand):
            return False
        return getattr(what, "node", None) in {None, *self._nodes}

    async def observe(self, query: Query) -> Fact:
        """Ask the gateway."""
        at = self._clock.now()
        if not self.supports(query):
            return Unknown("the gateway knows no such node", at, BY)
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                answer = await self._exchange({"ask": query_to_json(query)})
            return attrs.evolve(fact_from_json(query, answer["fact"]), at=at)
        except (_NotSent, ConnectionError) as error:
            return Unknown(str(error), at, BY, Why.UNREACHABLE)
        except TimeoutError:
            return Unknown(f"no answer within {ANSWER_WITHIN_S} s", at, BY, Why.UNREACHABLE)
        except (ValueError, KeyError):
            return Unknown("its answer does not read", at, BY, Why.UNREADABLE)

    async def perform(self, command: Command) -> Reply:
        """Have the gateway send *command*; it says nothing before that is complete."""
        if not self.supports(command):
            return Reply(ReplyKind.REFUSED, "the gateway cannot do that", sent=False)
        try:
            answer = await self._exchange({"do": command_to_json(command)})
            return reply_from_json(answer["reply"])
        except _NotSent as error:
            return Reply(ReplyKind.REFUSED, str(error), sent=False)
        except ConnectionError as error:
            return Reply(ReplyKind.LOST, str(error))
        except (ValueError, KeyError):
            return Reply(ReplyKind.LOST, "its answer does not read")

    async def aclose(self) -> None:
        """Hang up."""
        if self._line is not None:
            self._line.close()
        if self._reader is not None:
            await asyncio.gather(self._reader, return_exceptions=True)
        self._line = self._reader = None

    # ── the connection ────────────────────────────────────────────────────────────────────

    async def _exchange(self, message: Message) -> Message:
        line = await self._opened()
        number = next(self._ids)
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            try:
                line.write({"id": number, **message})
            except ConnectionError as error:
                raise _NotSent(str(error)) from error
            return await answer
        finally:
            del self._waiting[number]  # an answer that comes later is nobody's

    async def _opened(self) -> Line:
        async with self._opening:
            if self._denied:
                raise self._refused()
            if self._line is not None:
                return self._line
            line = self._connect()
            try:
                line.write({"token": self._token.reveal()})
                welcome = await line.read()
            except BaseException:
                line.close()
                raise
            if welcome is None:
                raise _NotSent("the gateway hung up")
            if "error" in welcome:
                self._denied = True
                raise self._refused()
            self._line = line
            self._reader = asyncio.ensure_future(self._read(line))
            return line

    def _refused(self) -> AuthenticationFailed:
        return AuthenticationFailed(Report(headline="the gateway does not accept our token"))

    async def _read(self, line: Line) -> None:
        while (message := await line.read()) is not None:
            answer = self._waiting.get(message["id"])
            if answer is not None and not answer.done():
                answer.set_result(message)
        self._line = None
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(ConnectionResetError("the gateway hung up"))
