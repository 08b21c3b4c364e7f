"""Speaking PerfMon to one node: counters of any node of its cluster, once or in a session."""

from __future__ import annotations

import asyncio
import logging
import re
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Final, Self

import attrs

from cucm_certflow.errors import CertflowError
from cucm_certflow.inventory import NodeEntry
from cucm_certflow.names import Interface
from cucm_certflow.transports.access import Access
from cucm_certflow.transports.http import HttpChannel, Login
from cucm_certflow.transports.serviceability import Reader, add, request
from cucm_certflow.transports.soap import SoapChannel, local_name

__all__ = ["CounterObject", "CounterPath", "CounterValue", "PerfmonClient", "PerfmonSession"]

_log = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())

_PATH: Final = "/perfmonservice2/services/PerfmonService"
_ROLE: Final = "Standard CCM Server Monitoring"
_GOOD: Final = frozenset({0, 1})
"""0 in sessions; 1 was seen for one-shot questions to CUCM 15. No source names others."""

_CLOSING_S: Final = 5.0
_COUNTER: Final = re.compile(
    r"\\\\(?P<host>[^\\]+)\\(?P<object>[^\\(]+)(?:\((?P<instance>.+)\))?\\(?P<counter>[^\\]+)"
)


@attrs.frozen
class CounterPath:
    r"""Which counter: ``\\host\Object(instance)\Counter``, the instance only where there are some.

    ``str`` of it is the path as PerfMon takes it.
    """

    host: str
    object: str
    counter: str
    instance: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        r"""Read ``\\host\Object(instance)\Counter``.

        Raises:
            ValueError: *text* is no such path.
        """
        match = _COUNTER.fullmatch(text)
        if match is None:
            message = rf"expected \\host\Object(instance)\Counter, saw {text[:120]!r}"
            raise ValueError(message)
        return cls(match["host"], match["object"], match["counter"], match["instance"] or "")

    def __str__(self) -> str:
        instance = f"({self.instance})" if self.instance else ""
        return rf"\\{self.host}\{self.object}{instance}\{self.counter}"


@attrs.frozen
class CounterValue:
    """What a counter stands at; it counts only if :attr:`is_good`."""

    path: CounterPath
    value: int
    status: int

    @property
    def is_good(self) -> bool:
        """Whether CStatus says that the value is valid."""
        return self.status in _GOOD


@attrs.frozen
class CounterObject:
    """An object that a host has, and the names of its counters."""

    name: str
    multi_instance: bool
    counters: tuple[str, ...]


class PerfmonClient:
    """Asks one node for counters of any node of its cluster.

    Every request takes a place in the budget of the cluster first. One that came too often is sent
    again after a pause; the node has done nothing by then.

    Args:
        node: The one to ask; its name is that of its pins.
        access: What the clients of the cluster share.
        back_off_s: Seconds to hold off after the first rate fault, doubled for each more.
        attempts: How often a request that came too often is sent, in all; 1 or more.
    """

    def __init__(
        self, node: NodeEntry, access: Access, *, back_off_s: float = 10.0, attempts: int = 3
    ) -> None:
        if attempts < 1:
            message = f"attempts must be 1 or more, saw {attempts}"
            raise ValueError(message)
        self._budget = access.budgets.perfmon
        self._back_off_s = back_off_s
        self._attempts = attempts
        self._channel = SoapChannel(
            HttpChannel(
                node,
                _PATH,
                Login(access.inventory.application, access.breaker),
                access=access,
                interface=Interface.PERFMON,
                role=_ROLE,
            )
        )

    async def aclose(self) -> None:
        """Let go of connections; idempotent. Sessions that are open stay so on the node."""
        await self._channel.aclose()

    # ── one question, one answer ──────────────────────────────────────────────────────────

    async def collect_counter_data(self, host: str, object_name: str) -> tuple[CounterValue, ...]:
        """All counters of *object_name* on *host*, of all its instances.

        Args:
            host: As the database calls the node (``processnode``); an address does as well.
            object_name: For example ``Cisco CallManager``.

        Raises:
            NodeError: As :meth:`SoapChannel.call <cucm_certflow.transports.soap.SoapChannel.call>`;
                RateLimited if it came too often each time.
        """
        operation = "perfmonCollectCounterData"
        body = request(operation)
        add(body, "Host", host)
        add(body, "Object", object_name)
        answer = await self._ask(body, f"{operation} of {object_name} on {host}")
        return tuple(self._values(answer, operation))

    async def list_counters(self, host: str) -> tuple[CounterObject, ...]:
        """The objects that *host* has, with their counters; NodeError as for one-shot data."""
        operation = "perfmonListCounter"
        body = request(operation)
        add(body, "Host", host)
        reader, answer = self._reader(operation), await self._ask(body, f"{operation} of {host}")
        return tuple(
            CounterObject(
                reader.named(item, "Name"),
                reader.boolean(item, "MultiInstance"),
                tuple(reader.named(each, "Name") for each in reader.items(item, "ArrayOfCounter")),
            )
            for item in self._returns(reader, answer, operation)
        )

    async def list_instances(self, host: str, object_name: str) -> tuple[str, ...]:
        """The instances of *object_name* on *host*; NodeError as for one-shot data."""
        operation = "perfmonListInstance"
        body = request(operation)
        add(body, "Host", host)
        add(body, "Object", object_name)
        reader = self._reader(operation)
        answer = await self._ask(body, f"{operation} of {object_name} on {host}")
        return tuple(
            reader.named(item, "Name") for item in self._returns(reader, answer, operation)
        )

    async def counter_description(self, counter: CounterPath) -> str:
        """What *counter* counts, in words; empty if the node has none. NodeError otherwise."""
        operation = "perfmonQueryCounterDescription"
        body = request(operation)
        add(body, "Counter", str(counter))
        reader, answer = self._reader(operation), await self._ask(body, operation)
        return reader.value(reader.returned(answer))

    # ── sessions ──────────────────────────────────────────────────────────────────────────

    @asynccontextmanager
    async def session(self, counters: Sequence[CounterPath]) -> AsyncIterator[PerfmonSession]:
        """A session about *counters*, closed at the end, whatever happened in it.

        Closing is tried for a few real seconds and never raises: the node forgets a session that
        is not closed by itself, and the error that ended the block is the one that matters.

        Raises:
            NodeError: It could not be opened, or the counters were not taken.
        """
        opened = PerfmonSession(self, await self.open_session())
        try:
            await self.add_counters(opened.handle, counters)
            yield opened
        finally:
            try:
                async with asyncio.timeout(_CLOSING_S):
                    await self.close_session(opened.handle)
            except (CertflowError, TimeoutError) as error:
                _log.info("a PerfMon session was not closed: %s", type(error).__name__)

    async def open_session(self) -> str:
        """The handle of a new session; close it. NodeError if there is none."""
        operation = "perfmonOpenSession"
        reader, answer = self._reader(operation), await self._ask(request(operation), operation)
        return reader.named(reader.response(answer), f"{operation}Return")

    async def add_counters(self, session: str, counters: Sequence[CounterPath]) -> None:
        """Have *counters* collected in *session*; NodeError if they were not taken.

        Raises:
            ValueError: There is none. Nothing was sent.
        """
        await self._change("perfmonAddCounter", session, counters)

    async def remove_counters(self, session: str, counters: Sequence[CounterPath]) -> None:
        """Collect *counters* in *session* no longer; as :meth:`add_counters`."""
        await self._change("perfmonRemoveCounter", session, counters)

    async def collect_session_data(self, session: str) -> tuple[CounterValue, ...]:
        """What the counters of *session* stand at; NodeError as for one-shot data."""
        operation = "perfmonCollectSessionData"
        body = request(operation)
        add(body, "SessionHandle", session)
        return tuple(self._values(await self._ask(body, operation), operation))

    async def close_session(self, session: str) -> None:
        """End *session*; NodeError if that could not be done."""
        operation = "perfmonCloseSession"
        body = request(operation)
        add(body, "SessionHandle", session)
        self._reader(operation).response(await self._ask(body, operation))

    async def _change(self, operation: str, session: str, counters: Sequence[CounterPath]) -> None:
        if not counters:
            message = "expected one counter or more"
            raise ValueError(message)
        body = request(operation)
        add(body, "SessionHandle", session)
        array = add(body, "ArrayOfCounter")
        for counter in counters:
            add(add(array, "Counter"), "Name", str(counter))
        answer = await self._ask(body, f"{operation} of {len(counters)} counters")
        self._reader(operation).response(answer)

    # ── asking and reading ────────────────────────────────────────────────────────────────

    async def _ask(self, body: ET.Element, did: str) -> ET.Element:
        return await self._budget.ask(
            lambda: self._channel.call(local_name(body), body, did=did),
            attempts=self._attempts,
            back_off_s=self._back_off_s,
        )

    def _reader(self, operation: str) -> Reader:
        return Reader(self._channel.where, operation, self._channel.redact)

    def _returns(self, reader: Reader, answer: ET.Element, operation: str) -> Iterator[ET.Element]:
        for element in reader.response(answer):
            if local_name(element) != f"{operation}Return":
                reader.unreadable(f"{local_name(element)} among what is returned")
            yield element

    def _values(self, answer: ET.Element, operation: str) -> Iterator[CounterValue]:
        reader = self._reader(operation)
        for item in self._returns(reader, answer, operation):
            name = reader.named(item, "Name")
            value, status = reader.integer(item, "Value"), reader.integer(item, "CStatus")
            if value is None or status is None or status < 0:
                reader.unreadable(f"{name[:120]!r} with no Value, or no CStatus")
            try:
                path = CounterPath.parse(name)
            except ValueError as error:
                reader.unreadable(str(error))
            yield CounterValue(path, value, status)


@attrs.frozen(eq=False)
class PerfmonSession:
    """An open session; see :meth:`PerfmonClient.session`."""

    _client: PerfmonClient = attrs.field(repr=False)
    handle: str

    async def collect(self) -> tuple[CounterValue, ...]:
        """What its counters stand at now; NodeError if that cannot be had."""
        return await self._client.collect_session_data(self.handle)
