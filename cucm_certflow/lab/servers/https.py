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
        self._server: asyncio.Server | None = None
        self._shown: tuple[Cert, ...] = ()

    async def follow(self) -> None:
        """Make the door as it must be now.

        Raises:
            OSError: The port is taken by somebody else.
        """
        certs = self._desk.cluster.presented_on_web(self._node)
        if certs == self._shown:
            return
        self.shut()
        if not certs:
            return
        context = _context([await self._desk.papers.certificate(cert) for cert in certs])
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: H11Protocol(self._config, self._state, {}, _loop=loop),
            self.address,
            WEB_PORT,
            ssl=context,
            reuse_address=True,
        )
        self._shown = certs

    def shut(self) -> None:
        """Refuse connections, and cut those that there are; idempotent."""
        self._shown = ()
        if self._server is not None:
            self._server.close()
            self._server = None
        for protocol in tuple(self._state.connections):
            transport = getattr(protocol, "transport", None)
            if isinstance(transport, asyncio.Transport):
                transport.abort()

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
                    transport.abort()


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
