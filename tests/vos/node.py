"""A small SSH node on loopback that says what a test tells it to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncssh

from cucm_certflow.clock import SystemClock
from cucm_certflow.inventory import Account, NodeEntry
from cucm_certflow.secret import Secret
from cucm_certflow.transports.breaker import Breaker
from cucm_certflow.transports.vos.ssh import VosTransport

PASSWORD = "correct horse"
KEY = asyncssh.generate_private_key("ssh-rsa", key_size=2048)
BANNER = (
    "Command Line Interface is starting up, please wait ...\r\n\r\n"
    "   Welcome to the Platform Command Line Interface\r\n\r\nVMware Installation:\r\n"
    "\t2 vCPU: Intel(R) Xeon(R)\r\n\r\nadmin:\r\n\radmin:"
)


class HangUp(Exception):
    """The node drops the connection."""


Handler = Callable[["Shell"], Coroutine[None, None, None]]


@dataclass
class Shell:
    """A command that is being run: print, ask, or hang up."""

    process: asyncssh.SSHServerProcess[str]
    node: Node
    command: str

    def say(self, text: str) -> None:
        self.process.stdout.write(text.replace("\n", "\r\n"))

    async def ask(self, question: str) -> str:
        self.say(question)
        answer = ""
        while not answer.endswith("\n"):
            key = await self.process.stdin.read(1)
            if not key:
                raise HangUp
            self.say(key.replace("\r", "\n"))
            answer += key.replace("\r", "\n")
        self.node.answers.append(answer.strip())
        return answer.strip()


@dataclass
class Node:
    """What it answers, and what it saw."""

    answers_to: dict[str, str | Handler] = field(default_factory=dict)
    keyboard_only: bool = False
    password: str = PASSWORD
    logins: int = 0
    connections: int = 0
    sessions: int = 0
    commands: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    terminal: tuple[object, ...] = ()
    port: int = 0

    def transport(self, breaker: Breaker | None = None, **changes: object) -> VosTransport:
        entry = NodeEntry(
            name=str(changes.pop("name", "pub")),
            address="127.0.0.1",
            ssh_port=self.port,
            host_key=changes.pop(  # type: ignore[arg-type]  # - options by name
                "host_key", KEY.export_public_key().decode("ascii")
            ),
        )
        account = Account("admin", Secret(str(changes.pop("password", PASSWORD))))
        return VosTransport(
            entry,
            account,
            clock=SystemClock(),
            breaker=breaker or Breaker(),
            known_hosts=changes.pop("known_hosts", None),  # type: ignore[arg-type]  # - options by name
            quiet_s=0.05,
            **changes,  # type: ignore[arg-type]  # - options by name
        )

    async def serve(self, process: asyncssh.SSHServerProcess[str]) -> None:
        self.sessions += 1
        self.terminal = (process.get_terminal_type(), *process.get_terminal_size()[:2])
        process.stdout.write(BANNER)
        typed = ""
        try:
            while key := await process.stdin.read(1):
                process.stdout.write("\r\n" if key in "\r\n" else key)
                if key not in "\r\n":
                    typed += key
                    continue
                self.commands.append(typed)
                await self.run(Shell(process, self, typed))
                typed = ""
                process.stdout.write("admin:")
        except (HangUp, asyncssh.BreakReceived):
            process.channel.get_connection().abort()

    async def run(self, shell: Shell) -> None:
        answer = self.answers_to.get(shell.command, "No valid command entered\n")
        if shell.command == "set cli pagination off":
            off = "Automatic pagination is turned off\n"
            answer = self.answers_to.get(shell.command, off)
        if isinstance(answer, str):
            shell.say(answer)
        elif shell.command:
            await answer(shell)


class _Server(asyncssh.SSHServer):
    def __init__(self, node: Node) -> None:
        self._node = node

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._node.connections += 1

    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return not self._node.keyboard_only

    def validate_password(self, username: str, password: str) -> bool:
        self._node.logins += 1
        return password == self._node.password

    def kbdint_auth_supported(self) -> bool:
        return True

    def get_kbdint_challenge(
        self, username: str, lang: str, submethods: str
    ) -> tuple[str, str, str, list[tuple[str, bool]]]:
        return ("", "", "", [("Speak, friend: ", False)])

    def validate_kbdint_response(self, username: str, responses: Sequence[str]) -> bool:
        self._node.logins += 1
        return list(responses) == [self._node.password]


@asynccontextmanager
async def running(node: Node) -> AsyncIterator[Node]:
    server = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_factory=lambda: _Server(node),
        server_host_keys=[KEY],
        process_factory=node.serve,
        line_editor=False,
        config=None,
    )
    node.port = server.get_port()
    try:
        yield node
    finally:
        server.close()
        await server.wait_closed()
        await asyncio.sleep(0)
