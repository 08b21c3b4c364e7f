"""HTTP on port 6970 of one TFTP node: trust lists and signed configuration files."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from http import HTTPStatus
from typing import Final

from cucm_certflow.lab.scenario_faults import FaultKind, FaultSpec
from cucm_certflow.lab.servers.bad_answers import HUGE_BYTES
from cucm_certflow.lab.servers.resets import reset
from cucm_certflow.lab.servers.vos_cli import GARBAGE, Desk
from cucm_certflow.names import ListKind, Service

__all__ = ["TFTP_PORT", "TftpDoor"]

TFTP_PORT: Final = 6970
_FILE: Final = re.compile(r"/(ITL|CTL)(?:File|SEP[0-9A-F]{12})\.tlv")
_SIGNED: Final = re.compile(r"/(SEP[0-9A-F]{12}\.cnf\.xml\.sgn)")
_MAX_HEAD: Final = 8192
_HALF: Final = 2
_PHRASES: Final = {status.value: status.phrase for status in HTTPStatus}


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
        self._names = frozenset(kind.name for kind in desk.cluster.kinds)
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[None]] = set()
        self._following = asyncio.Lock()

    async def follow(self) -> None:
        """Make the door as it must be now.

        Raises:
            OSError: The port is taken by somebody else.
        """
        async with self._following:
            is_up = self._desk.cluster.is_up(self._node, Service.TFTP)
            is_refused = self._meets(FaultKind.CONNECTION_REFUSED) is not None
            if not is_up or is_refused:
                self.shut()
            elif self._server is None:
                self._server = await asyncio.start_server(
                    self._talk, self.address, TFTP_PORT, limit=_MAX_HEAD, reuse_address=True
                )

    def _meets(self, kind: FaultKind) -> FaultSpec | None:
        fault = self._desk.cluster.faults.at_door(self._node, TFTP_PORT)
        return fault if fault is not None and fault.kind is kind else None

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
            if (slow := self._meets(FaultKind.SLOW_START)) is not None:
                await self._desk.clock.sleep(slow.late_s)
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                answer = await self._answer(head)
                if answer is None:  # a fault: nothing comes back
                    writer.transport.abort()
                    return
                status, body = answer
                lines = (
                    f"HTTP/1.1 {status} {_PHRASES.get(status, 'Unknown')}",
                    f"Content-length: {len(body)}",
                    "Cache-Control: no-store",
                    "Content-type: */*",
                )
                writer.write("\r\n".join((*lines, "", "")).encode() + body)
                await writer.drain()
        except _Reset:
            reset(writer.transport)  # before it is shut: then this talk is cancelled
            await self.follow()  # whoever comes next must meet what has struck
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass
        except asyncio.CancelledError:  # shut
            writer.transport.abort()
        finally:
            self._talks.discard(task)
            writer.close()

    async def _answer(self, head: bytes) -> tuple[int, bytes] | None:
        """What is asked for, unless a fault strikes ``http 6970``, or that and the file's name."""
        words = head.split(b"\r\n", 1)[0].decode("latin-1").split()
        if len(words) < 2 or words[0] != "GET":  # noqa: PLR2004 - method and path
            return HTTPStatus.BAD_REQUEST, b""
        path, cluster = words[1], self._desk.cluster
        fault = cluster.faults.strike(self._node, f"http {TFTP_PORT} {path.lstrip('/')}")
        if fault is not None and fault.kind is FaultKind.NO_PROMPT:
            await asyncio.Event().wait()  # until the client is gone, and the port is shut
        answer = await self._spoilt(path, None if fault is None else fault.kind)
        if answer is not None:
            cluster.tftp_counters(self._node).answered(answer[0])
        return answer

    async def _spoilt(self, path: str, kind: FaultKind | None) -> tuple[int, bytes] | None:
        match kind:
            case None:
                return await self._file(path)
            case FaultKind.THROTTLED:
                return HTTPStatus.SERVICE_UNAVAILABLE, b""
            case FaultKind.REFUSED | FaultKind.NOT_FOUND:
                return HTTPStatus.NOT_FOUND, b""
            case FaultKind.STATUS_599:
                return 599, b""
            case FaultKind.UNKNOWN_LAYOUT | FaultKind.HTML:
                return HTTPStatus.OK, f"<html><body>{GARBAGE}</body></html>".encode()
            case FaultKind.HUGE:
                return HTTPStatus.OK, b" " * HUGE_BYTES
            case FaultKind.TRUNCATED:
                status, body = await self._file(path)
                return status, body[: len(body) // _HALF]
            case FaultKind.LOST_REPLY | FaultKind.LOST_COMMAND | FaultKind.LATE:
                return None
            case _:
                raise _Reset

    async def _file(self, path: str) -> tuple[HTTPStatus, bytes]:
        """The trust lists, by their own names and by those that phones ask for; and configuration.

        A configuration file has hardly any content, and is signed with TFTP's own key: there is
        one for each phone of the cluster. All else is not there: 404.
        """
        cluster, now = self._desk.cluster, self._desk.clock.now()
        started_at = cluster.service_state(self._node, Service.TFTP).started_at
        busy_for = timedelta(seconds=cluster.scenario.timing.tftp_busy_s)
        if started_at is not None and now - started_at < busy_for:
            return HTTPStatus.SERVICE_UNAVAILABLE, b""
        signed = _SIGNED.fullmatch(path)
        if signed is not None and signed[1].split(".", 1)[0] in self._names:
            signer = cluster.world.real(cluster.world.signs(self._node))
            return HTTPStatus.OK, await self._desk.papers.configuration(signed[1], signer)
        found = _FILE.fullmatch(path)
        served = None if found is None else cluster.served(self._node, ListKind(found[1]))
        if served is None:
            return HTTPStatus.NOT_FOUND, b""
        return HTTPStatus.OK, await self._desk.papers.trust_list(served)


class _Reset(Exception):
    """A fault has the connection reset."""
