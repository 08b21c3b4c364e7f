"""A shell on a node: the dialogue engine fed from, and writing to, an SSH channel."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Final, NamedTuple, Protocol

import asyncssh

from cucm_certflow.errors import AuthenticationFailed
from cucm_certflow.inventory import Account
from cucm_certflow.transports.breaker import Breaker
from cucm_certflow.transports.vos.dialogue import (
    Action,
    Asked,
    Broken,
    Dialogue,
    Expected,
    Finished,
    Send,
)

__all__ = [
    "ACCOUNT",
    "Client",
    "Ear",
    "Hearing",
    "Network",
    "NotFinished",
    "Session",
    "Shell",
    "ShellHook",
    "SshShell",
    "Wire",
]

ACCOUNT: Final = "platform"
"""The kind of account that logs in here, as the breaker knows it."""


class Client(asyncssh.SSHClient):
    """Gives the password away once, by whichever method the node takes first."""

    def __init__(self, account: Account, breaker: Breaker, stack: AsyncExitStack) -> None:
        self._account = account
        self._breaker = breaker
        self._stack = stack
        self.gave_password = False
        self.shown_key = ""
        """The host key that is not the known one, as a line of known_hosts without the name."""
        self.refused: AuthenticationFailed | None = None

    def validate_host_public_key(
        self, host: str, addr: str, port: int, key: asyncssh.SSHKey
    ) -> bool:
        """Never: asyncssh asks about a key that is not among the known ones. It is kept to show."""
        self.shown_key = key.export_public_key().decode("ascii").strip()
        return False

    async def _give(self) -> str | None:
        if self.gave_password or self.refused is not None:
            return None
        try:
            await self._stack.enter_async_context(self._breaker.turn(ACCOUNT, self._account.user))
        except AuthenticationFailed as error:
            self.refused = error
            return None
        self.gave_password = True
        return self._account.password.reveal()

    async def password_auth_requested(self) -> str | None:
        """The password, once; asyncssh asks."""
        return await self._give()

    def kbdint_auth_requested(self) -> str | None:
        """Whether a keyboard-interactive round may begin; asyncssh asks."""
        return None if self.gave_password or self.refused is not None else ""

    async def kbdint_challenge_received(
        self, name: str, instructions: str, lang: str, prompts: Sequence[tuple[str, bool]]
    ) -> list[str] | None:
        """Every prompt of one round gets the password."""
        if not prompts:
            return []
        password = await self._give()
        return None if password is None else [password] * len(prompts)


# ── the bytes of a shell ──────────────────────────────────────────────────────────────────


class Ear(Protocol):
    """Gets what a shell prints, as it comes."""

    def hear(self, data: bytes) -> None:
        """*data* came in just now."""
        ...

    def end(self, why: str) -> None:
        """Nothing more will come."""
        ...


class Shell(Protocol):
    """A shell, as bytes: what it prints goes to the ear that it was opened with."""

    def write(self, data: bytes) -> None:
        """Type *data*.

        Raises:
            OSError: The shell is gone.
        """
        ...

    def abort(self) -> None:
        """Let go of it at once; idempotent."""
        ...

    async def wait_closed(self) -> None:
        """Return when it is gone."""
        ...


Network = Callable[[Ear], Awaitable[Shell]]
"""Opens a shell on the node that feeds an ear; raises NodeError if it cannot."""


class ShellHook(Protocol):
    """Stands between the dialogue and the network's shells of one node; or instead of those."""

    async def __call__(self, ear: Ear, network: Network) -> Shell:
        """Open a shell that feeds *ear*; *network* opens what would be used otherwise."""
        ...


class Wire:
    """What comes in, with its instants."""

    def __init__(self) -> None:
        self.heard = asyncio.Event()
        self.pieces: list[tuple[bytes, float]] = []
        self.ended: str | None = None

    def hear(self, data: bytes) -> None:
        """Keep what came, with its instant."""
        self.pieces.append((data, asyncio.get_running_loop().time()))
        self.heard.set()

    def end(self, why: str) -> None:
        """Keep the first reason why nothing more will come."""
        self.ended = self.ended or why
        self.heard.set()


class Hearing(asyncssh.SSHClientSession[bytes]):
    """Hands on to *ear* what an SSH channel brings."""

    def __init__(self, ear: Ear) -> None:
        self._ear = ear

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        """Hand on what came."""
        self._ear.hear(data)

    def eof_received(self) -> bool:
        """The node says no more."""
        self._ear.end("the node ended the session")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The way to the node is gone."""
        self._ear.end("the connection broke" if exc is None else f"the connection broke ({exc})")


class SshShell:
    """A :class:`Shell` over an SSH connection of its own."""

    def __init__(
        self,
        connection: asyncssh.SSHClientConnection,
        channel: asyncssh.SSHClientChannel[bytes],
    ) -> None:
        self._connection = connection
        self._channel = channel

    def write(self, data: bytes) -> None:
        """Type *data*; OSError if the channel is closed."""
        self._channel.write(data)

    def abort(self) -> None:
        """Break the connection; idempotent."""
        self._connection.abort()

    async def wait_closed(self) -> None:
        """Return when the connection is gone."""
        await self._connection.wait_closed()


# ── commands ──────────────────────────────────────────────────────────────────────────────


class NotFinished(NamedTuple):
    """Why a command has no result, and what it had printed by then."""

    why: str
    text: str
    lost: bool = False  # the way to the node broke; its answer is not in doubt


class Session:
    """A shell on the node. One command at a time; dead for good after the first doubt."""

    def __init__(self, shell: Shell, wire: Wire, dialogue: Dialogue) -> None:
        self._shell = shell
        self._wire = wire
        self._dialogue = dialogue
        self._over = False

    @property
    def usable(self) -> bool:
        """Whether another command may be given to it."""
        return not self._over and self._wire.ended is None

    def kill(self) -> None:
        """Let go of it at once; nothing more is sent."""
        self._over = True
        self._shell.abort()

    async def close(self) -> None:
        """Let go of it, and wait until it is gone."""
        self.kill()
        await self._shell.wait_closed()

    async def begin(self, timeout_s: float) -> Finished | NotFinished:
        """Wait for the first prompt, at most *timeout_s* real seconds."""
        now = asyncio.get_running_loop().time()
        return await self._until_finished([], now + timeout_s, None)

    async def run(
        self,
        text: str,
        timeout_s: float,
        questions: Sequence[Expected] = (),
        watch: Callable[[bytes], None] | None = None,
    ) -> Finished | NotFinished:
        """Give one command and wait for its prompt.

        Args:
            text: The command, without its Enter.
            timeout_s: Real seconds for all of it; after that the session is dead.
            questions: Those that may be answered, and how.
            watch: Gets every piece of output as it comes.

        Cancelling it kills the session: the command may have been done.
        """
        now = asyncio.get_running_loop().time()
        self._wire.pieces.clear()  # a second prompt of the last command
        actions = self._dialogue.command(text, now, questions)
        return await self._until_finished(actions, now + timeout_s, watch)

    async def _until_finished(
        self, actions: list[Action], deadline: float, watch: Callable[[bytes], None] | None
    ) -> Finished | NotFinished:
        finished = False
        try:
            while True:
                result = self._act(actions)
                if result is not None:
                    finished = isinstance(result, Finished)
                    return result
                actions = await self._next(deadline, watch)
        finally:
            if not finished:
                self.kill()

    def _act(self, actions: list[Action]) -> Finished | NotFinished | None:
        for action in actions:
            match action:
                case Send(data):
                    try:
                        self._shell.write(data)
                    except OSError as error:  # closed in this very moment
                        text = self._dialogue.so_far
                        return NotFinished(f"the connection broke ({error})", text, lost=True)
                case Finished():
                    return action
                case Asked(question, text):
                    return NotFinished(f"it asks what we do not know: {question!r}", text)
                case Broken(reason, text):
                    return NotFinished(reason, text, lost=self._wire.ended is not None)
        return None

    async def _next(self, deadline: float, watch: Callable[[bytes], None] | None) -> list[Action]:
        loop = asyncio.get_running_loop()
        if self._wire.pieces:
            actions: list[Action] = []
            pieces, self._wire.pieces = self._wire.pieces, []
            for data, at_s in pieces:
                if watch is not None:
                    watch(data)
                actions += self._dialogue.feed(data, at_s)
            return actions
        now = loop.time()
        if self._wire.ended is not None:
            return self._dialogue.closed(self._wire.ended)
        if now >= deadline:
            return self._dialogue.closed("no prompt came back in time")
        wake = self._dialogue.wake_at_s
        if wake is not None and wake <= now:
            return self._dialogue.tick(now)
        self._wire.heard.clear()
        try:
            async with asyncio.timeout_at(deadline if wake is None else min(wake, deadline)):
                await self._wire.heard.wait()
        except TimeoutError:
            return []
        return []
