"""Other people's scripts, unmodified, against a lab in memory: their time is the lab's.

::

    with ScriptLab(Scenario.load("cluster.toml")) as lab:
        lab.run("regenerate.py")
        lab.sleep(900)  # the phones need a moment
    print(lab.verdict())

A script that uses Netmiko runs here without Netmiko. Whatever else people use (Ansible, Paramiko,
expect) needs real servers: ``certflow lab SCENARIO -- COMMAND``.
"""

from __future__ import annotations

import asyncio
import builtins
import contextlib
import getpass
import runpy
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from cucm_certflow.errors import Report, UsageError
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.lab.scenario_faults import FaultKind
from cucm_certflow.lab.servers.database import Database
from cucm_certflow.lab.servers.papers import Papers
from cucm_certflow.lab.servers.ssh_account import SshAccount
from cucm_certflow.lab.servers.terminal import Reset, Terminal
from cucm_certflow.lab.servers.vos_cli import SSH_PORT, Desk, VosCli
from cucm_certflow.lab.servers.vos_commands import COMMANDS
from cucm_certflow.testing import netmiko_standin
from cucm_certflow.testing.netmiko_standin import NotInStandIn
from cucm_certflow.testing.verdict import Verdict, verdict_of
from cucm_certflow.testing.virtual import EPOCH, VirtualClock, VirtualLoop

__all__ = ["NotInStandIn", "ScriptLab"]

_SHUT: Final = (FaultKind.CONNECTION_REFUSED, FaultKind.PASSWORD_EXPIRED)


class ScriptLab:
    """A lab in memory in which scripts run that know nothing of it; a context manager.

    Inside it ``netmiko`` is a stand-in whose sessions are those of the lab's own SSH servers, and
    ``time.sleep``, ``time.time`` and ``time.monotonic`` are the lab's: an hour takes a moment, and
    the same script tells the same story every time. ``datetime.now()`` stays the machine's.
    ``input`` and ``getpass`` ask *person*. All of that holds in the thread that entered it, and
    is undone on leaving, when every session ends; :meth:`verdict` can be asked for later, too.

    Only one can be entered at a time, and not inside a running event loop.

    Args:
        scenario: What to bring to life.
        hosts: How the script calls the nodes, and their names in the scenario. A node's name, full
            name and address need no entry.
        person: Answers when the script asks: gets this lab and the prompt, and returns what is
            typed. It may let time pass, and do by hand what the script leaves to people.
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        hosts: Mapping[str, str] | None = None,
        person: Callable[[ScriptLab, str], str] | None = None,
    ) -> None:
        names = {node.name for node in scenario.nodes}
        for host, name in (hosts or {}).items():
            if name not in names:
                raise UsageError(
                    Report(
                        headline=f"hosts: {host} is to be a node that the scenario does not have",
                        expected=", ".join(sorted(names)),
                        saw=name,
                        left="nothing was sent",
                    )
                )
        self._hosts: Final = {
            **{node.name: node.name for node in scenario.nodes},
            **{f"{node.name}.{scenario.domain}": node.name for node in scenario.nodes},
            **{node.address: node.name for node in scenario.nodes},
            **(hosts or {}),
        }
        self._person: Final = person
        self._loop: Final = VirtualLoop()
        clock = VirtualClock(self._loop)
        self.lab: Final = LabCluster(scenario, clock)
        """The cluster itself, to look at, or to do by hand what the script does not."""

        self._papers: Final = Papers(scenario, clock, threaded=False)
        self._database: Final = Database(self.lab)
        self._desk: Final = Desk(
            cluster=self.lab, clock=clock, papers=self._papers, database=self._database
        )
        self._clock: Final = clock
        self._accounts: Final = {node.name: SshAccount(self._desk) for node in scenario.nodes}
        self._sessions: Final[list[_Session]] = []
        self._thread = 0
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        if self._loop.is_closed():
            raise RuntimeError("this lab has been left: make a new one")
        with contextlib.suppress(RuntimeError):
            asyncio.get_running_loop()
            self._loop.close()
            raise UsageError(
                Report(
                    headline="a script cannot run inside a running event loop",
                    expected="a plain function, or a plain test",
                    next="take it out of `async def`, or run it in a thread of its own",
                    left="nothing was sent",
                )
            )
        self._thread = threading.get_ident()
        with contextlib.ExitStack() as stack:
            stack.callback(self._close)
            for name, module in netmiko_standin.modules(self).items():
                stack.enter_context(_instead(sys.modules, name, module))
            epoch_s = EPOCH.timestamp()
            self._patch(stack, time, "sleep", self.sleep)
            self._patch(stack, time, "monotonic", self.monotonic)
            self._patch(stack, time, "time", lambda: epoch_s + self.monotonic())
            self._patch(stack, builtins, "input", self._ask)
            self._patch(stack, getpass, "getpass", self._ask_secret)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    # ── for whoever tests a script ────────────────────────────────────────────────────────

    def run(self, script: str | PathLike[str], *arguments: str) -> None:
        """Run the file *script* as ``python script arguments`` does, to its end.

        Raises:
            SystemExit: The script ended itself with another status than 0.
            NotInStandIn: It wants what the stand-ins do not have.
            Exception: Whatever else it raises. What it had sent by then, the lab has done.
        """
        self._check()
        path = Path(script).resolve()
        known = set(sys.modules)
        with contextlib.ExitStack() as stack:
            stack.callback(_forget, known, path.parent)
            stack.enter_context(_attribute(sys, "argv", [str(script), *arguments]))
            stack.enter_context(_attribute(sys, "path", [str(path.parent), *sys.path]))
            try:
                runpy.run_path(str(path), run_name="__main__")
            except SystemExit as ended:
                if ended.code not in (None, 0):
                    raise

    def verdict(self) -> Verdict:
        """Which phones are lost until now, by which command, and what brings them back."""
        return verdict_of(self.lab)

    def sleep(self, seconds: float) -> None:
        """Let *seconds* of the lab's time pass, in no time."""
        self._check()
        self._loop.run_until_complete(self._clock.sleep(seconds))
        for session in self._sessions:
            session.raise_bug()

    def reset_phones(self) -> None:
        """Reset every phone, as a person does in CM Administration; returns before they leave."""
        self._check()
        for phone in self.lab.phones:
            self.lab.reset_phone(phone.kind.name)

    def monotonic(self) -> float:
        """Seconds of the lab's time since its story began."""
        return self._loop.time()

    # ── for the stand-in ──────────────────────────────────────────────────────────────────

    def dial(self, host: str, user: str, password: str) -> _Session | str:
        """A session on the node that the script calls *host*; or, if it is not let in, why.

        Raises:
            ConnectionError: Nobody answers there.
            UsageError: No node is called that.
        """
        self._check()
        node = self._hosts.get(host)
        if node is None:
            raise UsageError(
                Report(
                    headline=f"no node of the lab is at {host!r:.60}",
                    expected=", ".join(sorted(self._hosts)),
                    next="say which node it is: ScriptLab(..., hosts={...})",
                    left="what the script had sent before, the lab has done",
                )
            )
        fault = self.lab.faults.at_door(node, SSH_PORT)
        kind = None if fault is None or fault.kind not in _SHUT else fault.kind
        if not self.lab.is_node_up(node) or kind is FaultKind.CONNECTION_REFUSED:
            raise ConnectionRefusedError(f"{node} does not answer")
        if not self._accounts[node].lets_in(user, password):
            return "Authentication failed."
        if kind is FaultKind.PASSWORD_EXPIRED:
            return "The password has expired."
        session = _Session(self._desk, node, self._loop)
        self._sessions.append(session)
        return session

    # ── ours ──────────────────────────────────────────────────────────────────────────────

    def _ask(self, prompt: object = "", *_: object, **__: object) -> str:
        """What a person answers, echoed as on a terminal."""
        self._check()
        if self._person is None:
            raise UsageError(
                Report(
                    headline="the script asks a person, and nobody answers",
                    saw=str(prompt)[:200],
                    next="say who answers: ScriptLab(..., person=...)",
                    left="what the script had sent before, the lab has done",
                )
            )
        sys.stdout.write(f"{prompt}\n")
        return self._person(self, str(prompt))

    def _ask_secret(self, prompt: object = "Password: ", *_: object, **__: object) -> str:
        return self._ask(prompt)

    def _patch(
        self, stack: contextlib.ExitStack, owner: object, name: str, ours: Callable[..., Any]
    ) -> None:
        """Have *ours* called instead, but by other threads, whose time is the machine's."""
        theirs = getattr(owner, name)

        def called(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - any function's
            is_here = threading.get_ident() == self._thread
            return (ours if is_here else theirs)(*args, **kwargs)

        stack.enter_context(_attribute(owner, name, called))

    def _check(self) -> None:
        if threading.get_ident() != self._thread:
            raise NotInStandIn(
                "the stand-in has one thread, that which entered the lab: "
                "run scripts that have more against the lab's servers: "
                "certflow lab SCENARIO -- COMMAND"
            )

    def _close(self) -> None:
        for session in self._sessions:
            session.end()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()
        self._database.close()
        self._papers.close()


class _Session:
    """A session at a node's command line: the very dialogue that the SSH servers serve."""

    def __init__(self, desk: Desk, node: str, loop: asyncio.AbstractEventLoop) -> None:
        self._cluster = desk.cluster
        self._node = node
        self._boots = desk.cluster.boots(node)
        self._loop = loop
        self._printed: list[str] = []
        self._terminal = Terminal(self._printed.append)
        self._is_hung_up = False
        cli = VosCli(desk, node, self._terminal, COMMANDS)
        self._task = loop.create_task(_served(cli))

    @property
    def is_open(self) -> bool:
        """Whether the node still listens; none outlasts a reboot."""
        if self._cluster.boots(self._node) != self._boots:
            self.close()
        return not (self._is_hung_up or self._task.done())

    def read(self) -> str:
        """What has been printed since the last time."""
        text = "".join(self._printed)
        self._printed.clear()
        return text

    def write(self, text: str) -> None:
        """Type *text*.

        Raises:
            OSError: The session has ended.
        """
        if not self.is_open:
            raise OSError("Socket is closed")
        self._terminal.feed(text)

    def close(self) -> None:
        """The script goes away; a command that runs goes on, as on a node."""
        self._is_hung_up = True
        self._terminal.hang_up()

    def end(self) -> None:
        """The lab ends."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._task)

    def raise_bug(self) -> None:
        """Let nothing pass in silence that is not meant to happen."""
        if self._task.done() and not self._task.cancelled():
            self._task.result()


async def _served(cli: VosCli) -> None:
    with contextlib.suppress(Reset):  # a fault of the scenario: the session is over
        await cli.run()


@contextlib.contextmanager
def _attribute(owner: object, name: str, value: object) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


@contextlib.contextmanager
def _instead(table: dict[str, Any], name: str, value: object) -> Iterator[None]:
    missing = object()
    before = table.get(name, missing)
    table[name] = value
    try:
        yield
    finally:
        if before is missing:
            table.pop(name, None)
        else:
            table[name] = before


def _forget(known: set[str], folder: Path) -> None:
    """Modules of the script's own, which hold the stand-in: the next script gets new ones."""
    for name in set(sys.modules) - known:
        file = getattr(sys.modules[name], "__file__", None)
        if file is not None and folder in Path(file).resolve().parents:
            del sys.modules[name]
