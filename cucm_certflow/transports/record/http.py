"""Requests and responses of the web interfaces, recorded and given again.

Content: ``request`` (``method``, ``target``, ``headers``, ``body``); then ``response`` (``status``,
``headers``, ``body``, ``chunks``: the sizes as they came, ``whole``: whether its end was read), or
``broke`` (``error``). ``exchange`` says what belongs together. The body of a response is written
when it has come, because a secret could be in any of its chunks.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import AsyncIterator
from typing import Final, NamedTuple

import httpx

from cucm_certflow.errors import CertflowError, NodeError
from cucm_certflow.inventory import NodeEntry
from cucm_certflow.transports.record.document import (
    Direction,
    Entry,
    Layer,
    Recording,
    Tag,
    bytes_to_json,
    error_from_json,
    error_to_json,
)
from cucm_certflow.transports.record.scrub import Scrubber
from cucm_certflow.transports.record.writer import Writer

__all__ = ["RecordingWire", "ReplayWire"]

_NOT_KEPT: Final = frozenset({"content-length", "transfer-encoding"})
"""What is no longer true of a scrubbed body in other chunks."""

_CANCELLED: Final = "cancelled"


# ── recording ─────────────────────────────────────────────────────────────────────────────


class RecordingWire:
    """Writes down every request and its response; fits ``Access.wire``.

    Args:
        writer: Where it is written.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def __call__(
        self, node: NodeEntry, network: httpx.AsyncBaseTransport
    ) -> httpx.AsyncBaseTransport:
        """*network* towards *node*, written down."""
        return _RecordingHttp(self._writer, self._writer.scrubber.text(node.name), network)


class _RecordingHttp(httpx.AsyncBaseTransport):
    def __init__(self, writer: Writer, way: str, network: httpx.AsyncBaseTransport) -> None:
        self._writer = writer
        self._way = way
        self._network = network

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        scrubber = self._writer.scrubber
        body = await request.aread()
        tag = self._writer.tag()
        self._write(
            tag,
            Direction.OUT,
            {
                "kind": "request",
                "exchange": tag.number,
                "method": request.method,
                "target": scrubber.text(request.url.raw_path.decode("ascii", "replace")),
                "headers": scrubber.headers(request.headers.multi_items()),
                "body": bytes_to_json(scrubber.data(body)),
            },
        )
        try:
            response = await self._network.handle_async_request(request)
        except BaseException as error:
            self.broke(tag.number, error)
            raise
        assert isinstance(response.stream, httpx.AsyncByteStream)
        # A new one, because a response that has been read already would not ask its stream again.
        return httpx.Response(
            response.status_code,
            headers=response.headers,
            stream=_RecordingStream(self, tag.number, response, response.stream),
            extensions=response.extensions,
        )

    def broke(self, exchange: int, error: BaseException) -> None:
        """There is no response."""
        self._write(
            self._writer.tag(),
            Direction.IN,
            {
                "kind": "broke",
                "exchange": exchange,
                "error": self._writer.scrubber.json(_error_to_json(error)),
            },
        )

    def came(
        self,
        exchange: int,
        response: httpx.Response,
        chunks: list[bytes],
        error: BaseException | None,
        *,
        whole: bool,
    ) -> None:
        """A response has come, or a part of it."""
        scrubber = self._writer.scrubber
        content: dict[str, object] = {
            "kind": "response",
            "exchange": exchange,
            "status": response.status_code,
            "headers": scrubber.headers(response.headers.multi_items()),
            "body": bytes_to_json(scrubber.data(b"".join(chunks))),
            "chunks": [len(chunk) for chunk in chunks],
            "whole": whole,
        }
        if error is not None:
            content["error"] = scrubber.json(_error_to_json(error))
        self._write(self._writer.tag(), Direction.IN, content)

    def _write(self, tag: Tag, direction: Direction, content: dict[str, object]) -> None:
        self._writer.write(tag, Layer.HTTP, self._way, direction, content)

    async def aclose(self) -> None:
        await self._network.aclose()


class _RecordingStream(httpx.AsyncByteStream):
    def __init__(
        self,
        http: _RecordingHttp,
        exchange: int,
        response: httpx.Response,
        stream: httpx.AsyncByteStream,
    ) -> None:
        self._http = http
        self._exchange = exchange
        self._response = response
        self._stream = stream
        self._chunks: list[bytes] = []
        self._is_written = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._stream:
                self._chunks.append(chunk)
                yield chunk
        except GeneratorExit:
            raise  # the reader has had enough
        except BaseException as error:
            self._write(error, whole=False)
            raise
        self._write(None, whole=True)

    async def aclose(self) -> None:
        self._write(None, whole=False)
        await self._stream.aclose()

    def _write(self, error: BaseException | None, *, whole: bool) -> None:
        if not self._is_written:
            self._is_written = True
            self._http.came(self._exchange, self._response, self._chunks, error, whole=whole)


def _error_to_json(error: BaseException) -> dict[str, object]:
    if isinstance(error, CertflowError):
        return error_to_json(error)
    is_foreign = isinstance(error, httpx.TransportError | OSError)
    return {
        "type": type(error).__name__ if is_foreign else _CANCELLED,
        "text": str(error) if is_foreign else "",
    }


def _error_of(entry: Entry) -> Exception:
    value = entry.content.get("error")
    if not isinstance(value, dict):
        raise entry.wrong("error")
    if "code" in value:
        error: NodeError = error_from_json(entry)
        return error
    kind, text = str(value.get("type")), str(value.get("text"))
    if kind == _CANCELLED:
        return TimeoutError("it was given up in the recording")
    foreign = getattr(httpx, kind, None)
    if isinstance(foreign, type) and issubclass(foreign, httpx.TransportError):
        return foreign(text)
    return httpx.ReadError(text)


# ── replaying ─────────────────────────────────────────────────────────────────────────────


class _Key(NamedTuple):
    way: str
    method: str
    target: str
    action: str
    body: bytes


class ReplayWire:
    """Answers requests from a recording, without a network; fits ``Access.wire``.

    A request gets the response that an equal one got: to the same node, with the same method,
    target, ``SOAPAction`` and body; equal requests in the order of the recording. Where names were
    replaced, the order of the words in target and body does not count: lists in order of name come
    in another order then. A request that the recording does not have, or not as often, is a
    ``httpx.ConnectError``: nothing was sent.

    Args:
        recording: Its HTTP is replayed.
        chunk_bytes: The size into which bodies are cut; 1 or more. In one piece if it is None.
        scrubber: What requests are scrubbed with before they are compared, if a replay is made
            with the inventory of the recording.

    Raises:
        RecordingError: An entry of it does not read.
    """

    def __init__(
        self,
        recording: Recording,
        *,
        chunk_bytes: int | None = None,
        scrubber: Scrubber | None = None,
    ) -> None:
        if chunk_bytes is not None and chunk_bytes < 1:
            message = f"chunk_bytes must be 1 or more, saw {chunk_bytes}"
            raise ValueError(message)
        self.chunk_bytes = chunk_bytes
        self._scrubber = scrubber
        self._any_order = recording.header.pseudonyms
        self._came: dict[_Key, deque[Entry | None]] = {}
        entries = tuple(recording.of(Layer.HTTP))
        came = {e.whole("exchange"): e for e in entries if e.direction is Direction.IN}
        for entry in entries:
            if entry.direction is Direction.OUT:
                answer = came.get(entry.whole("exchange"))
                if answer is not None:
                    _check(answer)
                key = self._key(
                    entry.way,
                    entry.text("method"),
                    entry.text("target"),
                    _action(_headers(entry)),
                    entry.data("body"),
                )
                self._came.setdefault(key, deque()).append(answer)

    def __call__(
        self, node: NodeEntry, network: httpx.AsyncBaseTransport
    ) -> httpx.AsyncBaseTransport:
        """Stands for *node*; *network* is not used."""
        way = node.name if self._scrubber is None else self._scrubber.text(node.name)
        return _ReplayHttp(self, way)

    async def answer(self, way: str, request: httpx.Request) -> httpx.Response:
        """The response to *request* to the node *way*.

        Raises:
            httpx.ConnectError: The recording does not have it.
            Exception: What broke the request then.
        """
        target = request.url.raw_path.decode("ascii", "replace")
        action = _action(request.headers.multi_items())
        body = await request.aread()
        if self._scrubber is not None:
            target, action = self._scrubber.text(target), self._scrubber.text(action)
            body = self._scrubber.data(body)
        waiting = self._came.get(self._key(way, request.method, target, action, body))
        if not waiting:
            message = f"{request.method} {target} is not, or not as often, in the recording"
            raise httpx.ConnectError(message)
        entry = waiting.popleft()
        if entry is None:
            message = "the recording ends before the response"
            raise httpx.ReadError(message)
        if entry.kind == "broke":
            raise _error_of(entry)
        error = _error_of(entry) if "error" in entry.content else None
        headers = [pair for pair in _headers(entry) if pair[0].casefold() not in _NOT_KEPT]
        stream = _Chunks(entry.data("body"), self.chunk_bytes, error)
        return httpx.Response(entry.whole("status"), headers=headers, stream=stream)

    def _key(self, way: str, method: str, target: str, action: str, body: bytes) -> _Key:
        if self._any_order:
            words = sorted(re.findall(r"[\w.:@%-]+", target))
            return _Key(
                way, method, " ".join(words), action, b" ".join(sorted(_WORDS.findall(body)))
            )
        return _Key(way, method, target, action, body)


_WORDS: Final = re.compile(rb"[\w.:@-]+")


class _ReplayHttp(httpx.AsyncBaseTransport):
    def __init__(self, wire: ReplayWire, way: str) -> None:
        self._wire = wire
        self._way = way

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._wire.answer(self._way, request)


class _Chunks(httpx.AsyncByteStream):
    def __init__(self, data: bytes, size: int | None, error: Exception | None) -> None:
        self._data = data
        self._size = size or max(1, len(data))
        self._error = error

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for at in range(0, len(self._data), self._size):
            yield self._data[at : at + self._size]
        if self._error is not None:
            raise self._error


def _headers(entry: Entry) -> list[tuple[str, str]]:
    value = entry.content.get("headers")
    if not isinstance(value, list):
        raise entry.wrong("headers")
    pairs: list[tuple[str, str]] = []
    for pair in value:
        if not isinstance(pair, list) or [type(part) for part in pair] != [str, str]:
            raise entry.wrong("headers")
        pairs.append((pair[0], pair[1]))
    return pairs


def _action(headers: list[tuple[str, str]]) -> str:
    return next((value for name, value in headers if name.casefold() == "soapaction"), "")


def _check(entry: Entry) -> None:
    """Raise now what would be found wrong in the middle of a replay."""
    if entry.kind == "broke":
        _error_of(entry)
    elif entry.kind == "response":
        entry.whole("status")
        entry.data("body")
        _headers(entry)
    else:
        raise entry.wrong("kind")
