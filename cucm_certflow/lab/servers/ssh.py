"""The SSH door of one node: accounts and their lock, a PTY with a shell, and nothing else."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping, Sequence
from typing import Final

import asyncssh

from cucm_certflow.lab.scenario_faults import FaultKind
from cucm_certflow.lab.servers.resets import reset
from cucm_certflow.lab.servers.ssh_account import SshAccount
from cucm_certflow.lab.servers.terminal import Reset, Terminal
from cucm_certflow.lab.servers.vos_cli import SSH_PORT, Desk, VosCli
from cucm_certflow.lab.servers.vos_commands import COMMANDS

__all__ = ["SshDoor", "make_host_key"]

_EXPIRED: Final = "You are required to change your password immediately (password aged)"
_NEW_PASSWORD: Final = ("(current) UNIX password: ", "New password: ", "Retype new password: ")
"""Linux's words; what a node says whose password has expired nobody has published."""

_FIRST_KEYBOARD_RELEASE: Final = (15, 0)
_SIGNATURES: Final = ("rsa-sha2-256", "rsa-sha2-512")
_KEY_EXCHANGE: Final = ("ecdh-sha2-nistp256", "ecdh-sha2-nistp384", "diffie-hellman-group14-sha256")
_CIPHERS: Final = ("aes128-ctr", "aes256-ctr", "aes256-gcm@openssh.com")
_MACS: Final = ("hmac-sha2-256", "hmac-sha2-512")


def make_host_key() -> asyncssh.SSHKey:
    """An RSA host key; it takes a while, so do it in a thread."""
    return asyncssh.generate_private_key("ssh-rsa", key_size=2048)


class SshDoor:
    """The platform command line of one node, over SSH.

    Releases from 15 on take ``keyboard-interactive`` only, as one lab reported; older ones take
    ``password`` as well. Whom they let in, its ``account`` says.

    A fault or an event of the scenario shuts it, lets nobody in, or has it show *other_key*:
    :meth:`follow` makes it so; call it often.

    Args:
        desk: The lab.
        node: Whose door it is.
        host_key: Its host key.
        other_key: Somebody else's, for a scenario in which it is shown.
    """

    def __init__(
        self,
        desk: Desk,
        node: str,
        host_key: asyncssh.SSHKey,
        other_key: asyncssh.SSHKey | None = None,
    ) -> None:
        self._desk = desk
        self._node = node
        self._host_key = host_key
        self._other_key = other_key
        self._connections: set[asyncssh.SSHServerConnection] = set()
        self._following = asyncio.Lock()
        self._boots = 0
        self.account: Final = SshAccount(desk)
        self._tasks: set[asyncio.Task[None]] = set()
        self._acceptor: asyncssh.SSHAcceptor | None = None
        self.address = desk.cluster.scenario.node(node).address
        self.port = 0

    @property
    def known_hosts_line(self) -> str:
        """The line for a ``known_hosts`` file."""
        public = self._host_key.export_public_key().decode().split()
        host = self.address if self.port == 22 else f"[{self.address}]:{self.port}"  # noqa: PLR2004 - SSH's own port
        return f"{host} {public[0]} {public[1]}"

    async def open(self, port: int = 0) -> None:
        """Listen at *port*; 0 lets the machine choose.

        Raises:
            OSError: The port is taken.
        """
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((self.address, port or self.port))
            self.port = listener.getsockname()[1]
            self._acceptor = await asyncssh.listen(
                sock=listener,
                server_factory=lambda: _Server(self),
                server_host_keys=[self._host_key],
                config=[],
                encoding="utf-8",
                errors="replace",
                line_editor=False,
                allow_scp=False,
                agent_forwarding=False,
                gss_host=None,
                signature_algs=_SIGNATURES,
                kex_algs=_KEY_EXCHANGE,
                encryption_algs=_CIPHERS,
                mac_algs=_MACS,
                compression_algs=["none"],
                server_version="CiscoSSH",
                login_timeout=60,
            )
        except BaseException:
            listener.close()
            raise

    async def follow(self) -> None:
        """Make the door as it must be now.

        Raises:
            OSError: The port is taken by somebody else.
        """
        async with self._following:
            cluster = self._desk.cluster
            if cluster.boots(self._node) != self._boots:
                self._boots = cluster.boots(self._node)
                self._reset_all()
            is_open = cluster.is_node_up(self._node) and not self._meets(
                FaultKind.CONNECTION_REFUSED
            )
            if not is_open and self._acceptor is not None:
                acceptor, self._acceptor = self._acceptor, None
                acceptor.close()
                self._reset_all()
            elif is_open and self._acceptor is None:
                await self.open()
            if self._acceptor is not None:
                key = self._host_key
                if self._other_key is not None and self._meets(FaultKind.HOST_KEY_CHANGED):
                    key = self._other_key
                self._acceptor.update(server_host_keys=[key])

    def _meets(self, kind: FaultKind) -> bool:
        fault = self._desk.cluster.faults.at_door(self._node, SSH_PORT)
        return fault is not None and fault.kind is kind

    def _of(self, channel: asyncssh.SSHServerChannel[str]) -> list[asyncssh.SSHServerConnection]:
        """The connection of *channel*, if it is there yet."""
        return [each for each in self._connections if each is channel.get_connection()]

    def _reset_all(self) -> None:
        for connection in tuple(self._connections):
            _reset(connection)

    def met(self, connection: asyncssh.SSHServerConnection) -> None:
        """Somebody has connected."""
        self._connections.add(connection)

    def parted(self, connection: asyncssh.SSHServerConnection) -> None:
        """Somebody has gone."""
        self._connections.discard(connection)

    @property
    def is_expired(self) -> bool:
        """Whether the right password has to be changed first."""
        return self._meets(FaultKind.PASSWORD_EXPIRED)

    async def close(self) -> None:
        """Stop listening and end all sessions; idempotent."""
        acceptor, self._acceptor = self._acceptor, None
        if acceptor is not None:
            acceptor.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if acceptor is not None:
            await acceptor.wait_closed()

    @property
    def is_open(self) -> bool:
        """Whether anybody listens."""
        return self._acceptor is not None

    @property
    def takes_password(self) -> bool:
        """Whether plain ``password`` is offered beside ``keyboard-interactive``."""
        return self._desk.cluster.layout.release < _FIRST_KEYBOARD_RELEASE

    def serve(self, channel: asyncssh.SSHServerChannel[str], terminal: Terminal) -> None:
        """Run a session until it ends, then close its channel."""
        task = asyncio.get_running_loop().create_task(self._serve(channel, terminal))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, channel: asyncssh.SSHServerChannel[str], terminal: Terminal) -> None:
        try:
            await VosCli(self._desk, self._node, terminal, COMMANDS).run()
        except Reset:
            await self.follow()  # whoever comes next must meet what has struck
            for connection in self._of(channel):
                _reset(connection)
        finally:
            terminal.hang_up()
            if not channel.is_closing():
                channel.close()


def _reset(connection: asyncssh.SSHServerConnection) -> None:
    transport = connection.get_extra_info("transport")
    if isinstance(transport, asyncio.BaseTransport):
        reset(transport)
    connection.abort()


class _Server(asyncssh.SSHServer):
    """One connection."""

    def __init__(self, door: SshDoor) -> None:
        self._door = door
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._door.met(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._connection is not None:
            self._door.parted(self._connection)

    def begin_auth(self, username: str) -> bool:
        """Everybody has to prove who they are."""
        return True

    def password_auth_supported(self) -> bool:
        return self._door.takes_password

    def validate_password(self, username: str, password: str) -> bool:
        if not self._door.account.lets_in(username, password):
            return False
        if self._door.is_expired:
            raise asyncssh.PasswordChangeRequired(_EXPIRED)
        return True

    def kbdint_auth_supported(self) -> bool:
        return True

    def get_kbdint_challenge(
        self, username: str, lang: str, submethods: str
    ) -> tuple[str, str, str, Sequence[tuple[str, bool]]]:
        return "", "", "", [("Password: ", False)]

    def validate_kbdint_response(
        self, username: str, responses: Sequence[str]
    ) -> bool | tuple[str, str, str, Sequence[tuple[str, bool]]]:
        if len(responses) != 1 or not self._door.account.lets_in(username, responses[0]):
            return False
        if self._door.is_expired:
            return "", _EXPIRED, "", [(prompt, False) for prompt in _NEW_PASSWORD]
        return True

    def session_requested(self) -> asyncssh.SSHServerSession[str]:
        return _Session(self._door)


class _Session(asyncssh.SSHServerSession[str]):
    """One channel: a shell on a PTY; ``exec`` and subsystems are refused."""

    def __init__(self, door: SshDoor) -> None:
        self._door = door
        self._channel: asyncssh.SSHServerChannel[str] | None = None
        self._terminal = Terminal(self._write)
        self._has_pty = False

    def _write(self, text: str) -> None:
        if self._channel is not None and not self._channel.is_closing():
            self._channel.write(text)

    def connection_made(self, chan: asyncssh.SSHServerChannel[str]) -> None:
        self._channel = chan

    def pty_requested(
        self,
        term_type: str,
        term_size: tuple[int, int, int, int],
        term_modes: Mapping[int, int],
    ) -> bool:
        self._has_pty = True
        return True

    def shell_requested(self) -> bool:
        return self._has_pty

    def exec_requested(self, command: str) -> bool:
        return False

    def subsystem_requested(self, subsystem: str) -> bool:
        return False

    def session_started(self) -> None:
        assert self._channel is not None
        self._door.serve(self._channel, self._terminal)

    def data_received(self, data: str, datatype: asyncssh.DataType) -> None:
        self._terminal.feed(data)

    def eof_received(self) -> bool:
        self._terminal.hang_up()
        return False

    def break_received(self, msec: int) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._terminal.hang_up()
