"""A TLS port that takes connections at once, and begins to speak only much later."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Coroutine
from typing import Any

from cucm_certflow.clock import Clock

__all__ = ["SlowPort"]


class SlowPort:
    """Listens until it is closed; who connects waits for the handshake.

    Args:
        address: Where.
        port: TCP port.
        clock: Measures the wait.
        slow_s: How long it is, in seconds of *clock*.
        protocol: Makes what serves a connection.
        context: With what the handshake is made.

    Raises:
        OSError: The port is taken.
    """

    def __init__(
        self,
        address: str,
        port: int,
        *,
        clock: Clock,
        slow_s: float,
        protocol: Callable[[], asyncio.Protocol],
        context: ssl.SSLContext,
    ) -> None:
        self._clock = clock
        self._slow_s = slow_s
        self._protocol = protocol
        self._context = context
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listener.bind((address, port))
            self._listener.listen()
            self._listener.setblocking(False)  # noqa: FBT003 - the socket module has no other way
        except BaseException:
            self._listener.close()
            raise
        self._work(self._accept())

    def close(self) -> None:
        """Listen no more, and drop who still waits; idempotent."""
        for task in tuple(self._tasks):
            task.cancel()
        self._listener.close()

    def _work(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            while True:
                connection, _ = await loop.sock_accept(self._listener)
                self._work(self._begin(connection))

    async def _begin(self, connection: socket.socket) -> None:
        try:
            await self._clock.sleep(self._slow_s)
            with contextlib.suppress(OSError):  # the client has gone, or speaks no TLS
                await asyncio.get_running_loop().connect_accepted_socket(
                    self._protocol, connection, ssl=self._context
                )
        except BaseException:
            connection.close()
            raise
