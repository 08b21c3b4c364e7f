"""HTTPS on port 8443 of one node: it goes with Tomcat, and shows what Tomcat started with."""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from cucm_certflow.lab.physics.world import Cert
from cucm_certflow.lab.render import RenderedCertificate
from cucm_certflow.lab.scenario_faults import FaultKind, FaultSpec
from cucm_certflow.lab.servers.resets import SWAPPED_GENERATION, reset
from cucm_certflow.lab.servers.slow_port import SlowPort
from cucm_certflow.lab.servers.soap import NO_ANSWER
from cucm_certflow.lab.servers.vos_cli import Desk

__all__ = ["WEB_PORT", "HttpsDoor"]

WEB_PORT: Final = 8443


class HttpsDoor:
    """Port 8443 of one node.

    :meth:`follow` opens, shuts and changes the certificates as the physics has it; call it often.
    Where there is tomcat-ECDSA, a client that can do both is shown that. Whether real nodes have
    EC ciphers on is up to their enterprise parameter HTTPS Ciphers; the lab's always do.

    Args:
        desk: The lab.
        node: Whose door it is.
        app: What is served.
    """

    def __init__(self, desk: Desk, node: str, app: ASGIApp) -> None:
        self._desk = desk
        self._node = node
        self.address = desk.cluster.scenario.node(node).address
        self._app = app
        self._config = Config(
            self._guarded,
            interface="asgi3",  # a bound method is taken for ASGI 2 otherwise
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=20,
        )
        self._config.load()
        self._state = ServerState()
        self._server: asyncio.Server | SlowPort | None = None
        self._shown: tuple[Cert, ...] = ()
        self._slow_s = 0.0
        self._following = asyncio.Lock()

    async def follow(self) -> None:
        """Make the door as it must be now.

        Raises:
            OSError: The port is taken by somebody else.
        """
        async with self._following:
            certs, slow_s = self._as_it_must_be()
            if (certs, slow_s) == (self._shown, self._slow_s):
                return
            self.shut()
            if not certs:
                return
            context = _context([await self._desk.papers.certificate(cert) for cert in certs])
            self._server = await self._open(context, slow_s)
            self._shown, self._slow_s = certs, slow_s

    def _as_it_must_be(self) -> tuple[tuple[Cert, ...], float]:
        """What is shown, nothing if nobody listens; and after how long a handshake begins."""
        certs = self._desk.cluster.presented_on_web(self._node)
        fault = self._desk.cluster.faults.at_door(self._node, WEB_PORT)
        match fault:
            case FaultSpec(kind=FaultKind.CONNECTION_REFUSED):
                return (), 0.0
            case FaultSpec(kind=FaultKind.TLS_SWAPPED):
                return tuple(c._replace(generation=SWAPPED_GENERATION) for c in certs), 0.0
            case FaultSpec(kind=FaultKind.SLOW_START, late_s=late_s):
                return certs, late_s
            case _:
                return certs, 0.0

    def _protocol(self) -> asyncio.Protocol:
        loop = asyncio.get_running_loop()
        return H11Protocol(self._config, self._state, {}, _loop=loop)

    async def _open(self, context: ssl.SSLContext, slow_s: float) -> asyncio.Server | SlowPort:
        if slow_s:
            return SlowPort(
                self.address,
                WEB_PORT,
                clock=self._desk.clock,
                slow_s=slow_s,
                protocol=self._protocol,
                context=context,
            )
        return await asyncio.get_running_loop().create_server(
            self._protocol, self.address, WEB_PORT, ssl=context, reuse_address=True
        )

    def shut(self) -> None:
        """Refuse connections, and cut those that there are; idempotent."""
        self._shown, self._slow_s = (), 0.0
        if self._server is not None:
            self._server.close()
            self._server = None
        for protocol in tuple(self._state.connections):
            transport = getattr(protocol, "transport", None)
            if isinstance(transport, asyncio.Transport):
                reset(transport)

    async def close(self) -> None:
        """Shut for good, and wait for requests that are under way."""
        self.shut()
        tasks = tuple(self._state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The application; an answer that is :data:`NO_ANSWER` cuts the connection."""

        async def pass_on(message: Message) -> None:
            if message.get("status") == NO_ANSWER:
                await self.follow()  # whoever comes next must meet what has struck
                self._cut(scope.get("client"))
                raise _Cut
            await send(message)

        try:
            await self._app(scope, receive, pass_on)
        except _Cut:
            # Only then does uvicorn know that there is nobody left to whom it could answer 500.
            while (await receive())["type"] != "http.disconnect":
                pass

    def _cut(self, client: tuple[str, int] | None) -> None:
        for protocol in tuple(self._state.connections):
            if getattr(protocol, "client", None) == client:
                transport = getattr(protocol, "transport", None)
                if isinstance(transport, asyncio.Transport):
                    reset(transport)


class _Cut(Exception):
    """The connection is gone; there is nobody to answer."""


def _context(shown: Iterable[RenderedCertificate]) -> ssl.SSLContext:
    """A server with all of *shown*, at most one of each kind of key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # The ssl module reads keys from files only.
    with tempfile.TemporaryDirectory(prefix="certflow-lab-") as folder:
        path = Path(folder) / "tomcat.pem"
        path.touch(0o600)
        for each in shown:
            path.write_text(each.key_pem + each.pem, encoding="ascii")
            context.load_cert_chain(path)
    return context
