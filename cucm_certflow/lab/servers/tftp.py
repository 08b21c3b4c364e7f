"""HTTP on port 6970 of one TFTP node: the trust lists, as Cisco Tftp serves them."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from typing import Final

from cucm_certflow.lab.servers.vos_cli import Desk
from cucm_certflow.names import ListKind, Service

__all__ = ["TFTP_PORT", "TftpDoor"]

TFTP_PORT: Final = 6970
_FILE: Final = re.compile(r"/(ITL|CTL)(?:File|SEP[0-9A-F]{12})\.tlv")
_MAX_HEAD: Final = 8192
_BUSY_FOR: Final = timedelta(seconds=5)
"""For how long it answers 503 after a start: the lab's invention."""

_PHRASES: Final = {200: "OK", 400: "Bad Request", 404: "Not Found", 503: "Service Unavailable"}


class TftpDoor:
    """Port 6970 of one node.

    :meth:`follow` opens and shuts it with Cisco Tftp; call it often.

    Args:
        desk: The lab.
        node: Whose door it is.
    """

    def __init__(self, desk: Desk, node: str) -> None:
        self._desk = desk
        self._node = node
        self.address = desk.cluster.scenario.node(node).address
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[None]] = set()

    async def follow(self) -> None:
        """Make the door as it must be now.

        Raises:
            OSError: The port is taken by somebody else.
        """
        is_up = self._desk.cluster.is_up(self._node, Service.TFTP)
        if is_up and self._server is None:
            self._server = await asyncio.start_server(
                self._talk, self.address, TFTP_PORT, limit=_MAX_HEAD, reuse_address=True
            )
        elif not is_up:
            self.shut()

    def shut(self) -> None:
        """Refuse connections, and cut those that there are; idempotent."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for talk in self._talks:
            talk.cancel()

    async def close(self) -> None:
        """Shut for good."""
        self.shut()
        await asyncio.gather(*self._talks, return_exceptions=True)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._talks.add(task)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                status, body = await self._answer(head)
                lines = (
                    f"HTTP/1.1 {status} {_PHRASES[status]}",
                    f"Content-length: {len(body)}",
                    "Cache-Control: no-store",
                    "Content-type: */*",
                )
                writer.write("\r\n".join((*lines, "", "")).encode() + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass
        except asyncio.CancelledError:  # shut
            writer.transport.abort()
        finally:
            self._talks.discard(task)
            writer.close()

    async def _answer(self, head: bytes) -> tuple[int, bytes]:
        words = head.split(b"\r\n", 1)[0].decode("latin-1").split()
        if len(words) < 2 or words[0] != "GET":  # noqa: PLR2004 - method and path
            return 400, b""
        cluster, clock = self._desk.cluster, self._desk.clock
        state = cluster.service_state(self._node, Service.TFTP)
        if state.started_at is not None and clock.now() - state.started_at < _BUSY_FOR:
            return 503, b""
        found = _FILE.fullmatch(words[1])
        if found is None:
            return 404, b""
        served = cluster.served(self._node, ListKind(found[1]))
        if served is None:
            return 404, b""
        return 200, await self._desk.papers.trust_list(served)
