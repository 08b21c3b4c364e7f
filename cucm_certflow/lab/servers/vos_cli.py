"""The platform command line of one node, without a socket: keys in, text out, time in between.

Wording is that of captures from real nodes. Where nobody has published what a node prints, the text
is the lab's invention, and a comment says so; a client must hold on such texts, not guess.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final

import attrs

from cucm_certflow.clock import Clock
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.privilege import may_type
from cucm_certflow.lab.scenario import FaultKind, FaultSpec
from cucm_certflow.lab.servers import layouts
from cucm_certflow.lab.servers.database import Database
from cucm_certflow.lab.servers.limits import Limits
from cucm_certflow.lab.servers.papers import Papers
from cucm_certflow.lab.servers.sessions import Sessions
from cucm_certflow.lab.servers.terminal import HungUp, Interrupted, Reset, Terminal

__all__ = ["GARBAGE", "SSH_PORT", "UNSUCCESSFUL", "Desk", "VosCli"]

PROMPT: Final = "admin:"
SSH_PORT: Final = 22
"""By which faults know the command line, whichever port a lab has it at."""

UNSUCCESSFUL: Final = "Executed command unsuccessfully"
GARBAGE: Final = "%% 4711 unbekannte Ausgabe %%"
"""What a scenario's "unknown layout" looks like: the lab's invention, on purpose."""

_STARTING: Final = "Command Line Interface is starting up, please wait ...\n"
_WELCOME: Final = "\n   Welcome to the Platform Command Line Interface\n\n"
IDLE_S: Final = 30 * 60.0
"""After how long at the prompt a session ends; what is then printed, if anything, is not known."""

_ASK_FOR_HELP: Final = "Syntax:"
_RESETS: Final = (FaultKind.RESET_BEFORE, FaultKind.RESET_DURING, FaultKind.RESET_AFTER)


@attrs.frozen(kw_only=True)
class Desk:
    """What all services of a lab share.

    Attributes:
        limits: Of the whole cluster, whichever node is asked.
    """

    cluster: LabCluster
    clock: Clock
    papers: Papers
    database: Database
    limits: Limits = attrs.field(
        default=attrs.Factory(lambda self: Limits(self.cluster.scenario.limits), takes_self=True)
    )
    _sessions: dict[str, Sessions] = attrs.field(factory=dict, init=False)

    def sessions_of(self, node: str) -> Sessions:
        """The sessions of *node*'s Tomcat, which all its web services share."""
        if node not in self._sessions:
            self._sessions[node] = Sessions(self.cluster, node, self.clock)
        return self._sessions[node]


Handler = Callable[["VosCli", str], Awaitable[None]]


class VosCli:
    """One session on one node.

    Args:
        desk: The lab.
        node: On which node.
        terminal: What is typed, and where text goes.
        commands: Beginnings of commands and what carries them out; the longest that fits counts.
    """

    def __init__(
        self, desk: Desk, node: str, terminal: Terminal, commands: Sequence[tuple[str, Handler]]
    ) -> None:
        self.desk = desk
        self.cluster = desk.cluster
        self.node = node
        self.terminal = terminal
        self.scenario = desk.cluster.scenario
        self._commands = sorted(commands, key=lambda entry: -len(entry[0]))

    async def run(self) -> None:
        """Serve the session until somebody ends it.

        Raises:
            Reset: A fault of the scenario has the connection reset.
        """
        try:
            await self._greet()
            while await self._one_command():
                pass
        except Reset:
            raise
        except HungUp:
            return

    async def _greet(self) -> None:
        """The banner comes slowly, and the prompt twice, with a lone CR in between."""
        fault = self.cluster.faults.at_door(self.node, SSH_PORT)
        if fault is not None and fault.kind is FaultKind.SLOW_START:
            await self.desk.clock.sleep(fault.late_s)
        whole = self.scenario.timing.session_start_s
        self.terminal.write(_STARTING)
        await self.desk.clock.sleep(whole * 0.6)
        self.terminal.write(_WELCOME)
        await self.desk.clock.sleep(whole * 0.2)
        self.terminal.write(layouts.banner())
        await self.desk.clock.sleep(whole * 0.2)
        self.terminal.write(f"\n{PROMPT}\n\r")

    async def _one_command(self) -> bool:
        """Prompt, read and carry out one line; False if it ends the session."""
        terminal = self.terminal
        terminal.write(PROMPT)
        try:
            line = await self._read_command()
            text = " ".join(line.split())
            if text in ("exit", "quit"):
                return False
            if text:
                await self._carry_out(text)
        except Interrupted:
            terminal.print("", "Control-C pressed")
        return True

    async def _read_command(self) -> str:
        """A line; nobody may take longer than the idle time."""
        loop = asyncio.get_running_loop()
        reading = loop.create_task(self.terminal.read_line(on_help=self._help))
        idle = loop.create_task(self.desk.clock.sleep(IDLE_S))
        try:
            await asyncio.wait({reading, idle}, return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                raise HungUp
            return reading.result()
        finally:
            reading.cancel()
            idle.cancel()
            await asyncio.gather(reading, idle, return_exceptions=True)

    async def _carry_out(self, text: str) -> None:
        if not may_type(self.scenario.accounts.platform, text):
            self.refuse("The account has privilege level 0")  # what a real node says is not known
            return
        for beginning, handler in self._commands:
            if f"{text} ".startswith(f"{beginning} "):
                await handler(self, text[len(beginning) :].strip())
                return
        self.terminal.print("No valid command entered")

    def _help(self, typed: str) -> None:
        """``?`` acts at once; then what was typed is there again."""
        fits = [name for name, _ in self._commands if name.startswith(typed.strip())]
        lines = sorted(fits) or [typed.strip()]
        self.terminal.print(_ASK_FOR_HELP, *lines)
        self.terminal.write(f"\n{PROMPT}{typed}")

    # ── what commands are made of ─────────────────────────────────────────────────────────

    async def look(self, text: str, make: Callable[[], Awaitable[str]]) -> None:
        """A command that only reads: it takes a moment, and a fault may strike it."""
        await self.desk.clock.sleep(self.scenario.timing.look_s)
        fault = self.cluster.faults.strike(self.node, text)
        if fault is None:
            await self.terminal.page(await make())
            return
        match fault.kind:
            case FaultKind.UNKNOWN_LAYOUT:
                self.terminal.print(GARBAGE)
            case FaultKind.REFUSED:
                self.refuse()
            case FaultKind.TRUNCATED:
                text = await make()
                self.terminal.write(text[: len(text) // 2])
                raise HungUp
            case FaultKind.NO_PROMPT:
                self.terminal.print(await make())
                await self.terminal.stay_silent()
            case _ if fault.kind.is_about_connection or fault.kind in _RESETS:
                raise Reset
            case _:
                raise HungUp

    async def change(
        self,
        text: str,
        begin: Callable[[], datetime],
        *,
        done: Callable[[], Sequence[str]],
        meanwhile: Callable[[datetime], Awaitable[None]] | None = None,
    ) -> None:
        """A command that changes something; it goes on if the session does not.

        Args:
            text: The command, as a scenario's faults name it.
            begin: Has the cluster begin; returns when it will be complete.
            done: What is printed in the end.
            meanwhile: What is printed until then; nothing, if not given.
        """
        fault = self.cluster.faults.strike(self.node, text)
        if fault is not None:
            self._strike_before(fault, begin)
            if fault.kind is FaultKind.REFUSED:
                self.refuse()
                return
        try:
            end = begin()
        except ValueError as error:
            self.refuse(f"{error}")
            return
        if fault is not None and fault.kind in (FaultKind.LOST_REPLY, FaultKind.RESET_DURING):
            # Half-way, so that the effect is yet to come when the client begins to look.
            await self.desk.clock.sleep((end - self.desk.clock.now()).total_seconds() / 2)
            raise HungUp if fault.kind is FaultKind.LOST_REPLY else Reset
        if meanwhile is not None:
            await meanwhile(end)
        await self.sleep_until(end)
        if fault is None:
            self.terminal.print(*done())
            return
        await self._spoil(fault.kind, "\n".join(done()))

    async def _spoil(self, kind: FaultKind, text: str) -> None:
        """What is printed of *text*, the end of a command that is done."""
        match kind:
            case FaultKind.RESET_AFTER:
                raise Reset
            case FaultKind.TRUNCATED:
                self.terminal.write(text[: len(text) // 2])
                raise HungUp
            case FaultKind.NO_PROMPT:
                self.terminal.print(text)
                await self.terminal.stay_silent()
            case _:
                self.terminal.print(GARBAGE)

    def _strike_before(self, fault: FaultSpec, begin: Callable[[], datetime]) -> None:
        if fault.kind is FaultKind.LATE:

            def come() -> None:
                with contextlib.suppress(ValueError):  # refused, and nobody is there to hear
                    begin()

            self.cluster.later(fault.late_s, come)
        if fault.kind in (FaultKind.LATE, FaultKind.LOST_COMMAND):
            raise HungUp
        if fault.kind is FaultKind.RESET_BEFORE or fault.kind.is_about_connection:
            raise Reset

    def refuse(self, reason: str = "The command was refused by a fault of the scenario") -> None:
        """Say no: a reason of the lab's invention, then the words that real nodes print."""
        self.terminal.print(reason, UNSUCCESSFUL)

    async def sleep_until(self, instant: datetime) -> None:
        """Let time pass until *instant*; what happens by then has happened."""
        clock = self.desk.clock
        while (left := (instant - clock.now()).total_seconds()) > 0:
            await clock.sleep(left)

    async def confirm(self, question: str) -> bool:
        """Ask ``(yes|no)``. What "no" and anything else lead to is the lab's invention."""
        while True:
            answer = (await self.terminal.ask_line(question)).strip().lower()
            if answer in ("yes", "y"):
                return True
            if answer in ("no", "n"):
                return False
