"""A whole lab cluster as servers on loopback addresses, from a scenario."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Protocol, Self

from cucm_certflow.clock import Clock, ScaledClock
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.physics import actions
from cucm_certflow.lab.physics.world import Cert
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.lab.scenario_faults import FaultKind
from cucm_certflow.lab.servers.database import Database
from cucm_certflow.lab.servers.https import WEB_PORT, HttpsDoor
from cucm_certflow.lab.servers.papers import Papers
from cucm_certflow.lab.servers.ssh import SshDoor, make_host_key
from cucm_certflow.lab.servers.tftp import TftpDoor
from cucm_certflow.lab.servers.tls_ports import doors_of
from cucm_certflow.lab.servers.vos_cli import Desk
from cucm_certflow.lab.servers.web import web_app

__all__ = ["LabServers"]

_WATCH_S: Final = 1.0
_SPARE_GENERATIONS: Final = 1
_QUIET_S: Final = 0.3
_LEAST_QUIET_S: Final = 0.02


class _Door(Protocol):
    """A port that goes with a service."""

    async def follow(self) -> None: ...

    async def close(self) -> None: ...


class LabServers:
    """The servers of *scenario*: an asynchronous context manager.

    Every node has its own address: SSH on a port of its own, HTTPS on 8443, and where the service
    is activated HTTP on 6970 (Cisco Tftp), TLS on 2445 (TVS), 5061 (CallManager) and 3804 (CAPF).
    Entering it starts everything, and writes ``inventory.toml`` and ``known_hosts`` into *folder*;
    the story begins then. Leaving it ends everything.

    Args:
        scenario: What to bring to life.
        clock: What its time goes by. Sockets take real time: with 5 nodes and 300 phones, facts
            age faster than they can be read if it runs much over 30 times as fast as the machine's.
        folder: Where the two files go; it is made if it is not there.
        ssh_port: Of every node; 0 lets the machine choose.

    Raises:
        OSError: On entering: an address or a port cannot be had; nothing is left behind.
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        clock: Clock,
        folder: Path,
        ssh_port: int = 0,
    ) -> None:
        self.scenario = scenario
        self.clock = clock
        self.folder = folder
        self._ssh_port = ssh_port
        self._stack = contextlib.AsyncExitStack()
        self._desk: Desk | None = None
        self.ssh: dict[str, SshDoor] = {}
        """The SSH door of each node, by name: its ``port`` and ``known_hosts_line``."""

    @property
    def cluster(self) -> LabCluster:
        """What the servers show; only inside the context.

        Raises:
            RuntimeError: The lab has not been entered.
        """
        return self.desk.cluster

    @property
    def desk(self) -> Desk:
        """What the servers share; only inside the context.

        Raises:
            RuntimeError: The lab has not been entered.
        """
        if self._desk is None:
            message = "the lab has not been started: use it in an `async with` block"
            raise RuntimeError(message)
        return self._desk

    @property
    def inventory(self) -> Path:
        """The inventory file of this lab."""
        return self.folder / "inventory.toml"

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            await self._start(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    # ── starting ──────────────────────────────────────────────────────────────────────────

    async def _start(self, stack: contextlib.AsyncExitStack) -> None:
        papers = Papers(self.scenario, self.clock)
        stack.callback(papers.close)
        layout = self.scenario.layout()
        kinds = tuple(phone.kind for phone in self.scenario.each_phone())
        first = actions.initial(layout, kinds, self.scenario.same(layout))
        for cert in first.reals(first.gen):  # before the story begins: keys take real time
            await papers.certificate(cert)
        cluster = LabCluster(self.scenario, self.clock)
        database = Database(cluster)
        stack.callback(database.close)
        self._desk = Desk(cluster=cluster, clock=self.clock, papers=papers, database=database)
        kinds_of_fault = {fault.kind for fault in self.scenario.faults}
        other_key = None
        if FaultKind.HOST_KEY_CHANGED in kinds_of_fault:  # keys take time
            other_key = await papers.run(make_host_key)
        for node in self.scenario.nodes:
            key = await papers.run(make_host_key)
            door = self.ssh[node.name] = SshDoor(self._desk, node.name, key, other_key)
            await door.open(self._ssh_port)
            stack.push_async_callback(door.close)
        web = [
            HttpsDoor(self._desk, node.name, web_app(self._desk, node.name))
            for node in self.scenario.nodes
        ]
        tftp = [TftpDoor(self._desk, node) for node in layout.tftp_nodes]
        ports: tuple[_Door, ...] = (*web, *tftp, *doors_of(self._desk))
        doors: tuple[_Door, ...] = (*self.ssh.values(), *ports)
        for each in ports:
            stack.push_async_callback(each.close)
            await each.follow()
        await stack.enter_async_context(_tasks(self._watch(doors), self._spares(first.gen)))
        self._write_files()

    async def _watch(self, doors: tuple[_Door, ...]) -> None:
        while True:
            await self.clock.sleep(_WATCH_S)
            for door in doors:
                await door.follow()

    async def _spares(self, certs: tuple[Cert, ...]) -> None:
        """Make the next generation of every certificate ahead of time, one by one."""
        for step in range(1, _SPARE_GENERATIONS + 1):
            for cert in certs:
                await self.desk.papers.certificate(cert._replace(generation=cert.generation + step))

    # ── what clients need ─────────────────────────────────────────────────────────────────

    def _write_files(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        lines = [door.known_hosts_line for door in self.ssh.values()]
        known_hosts = self.folder / "known_hosts"
        known_hosts.write_text("\n".join((*lines, "")), encoding="utf-8")
        self.inventory.write_text(self._inventory_text(), encoding="utf-8")

    def _inventory_text(self) -> str:
        accounts = self.scenario.accounts
        factor = self.clock.factor if isinstance(self.clock, ScaledClock) else 1.0
        quiet = min(_QUIET_S, max(_LEAST_QUIET_S, _QUIET_S / factor))
        lines = [
            f"# The lab cluster {self.scenario.name}, as long as it runs.",
            'known_hosts = "known_hosts"',
            f"quiet_s = {quiet}",
        ]
        for name, account in (
            ("platform", accounts.platform),
            ("application", accounts.application),
        ):
            lines += ["", f"[{name}]", f"user = {_toml(account.user)}"]
            lines.append(f"password = {_toml(account.password)}")
        for node in self.scenario.nodes:
            lines += ["", "[[nodes]]", f"name = {_toml(node.name)}"]
            lines.append(f"address = {_toml(node.address)}")
            lines.append(f"ssh_port = {self.ssh[node.name].port}")
            lines.append(f"rest_port = {WEB_PORT}")
        return "\n".join(lines) + "\n"


def _toml(text: str) -> str:
    """A basic string of TOML: JSON's escapes are among its own."""
    return json.dumps(text, ensure_ascii=False)


@contextlib.asynccontextmanager
async def _tasks(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Have *work* done in the background, as long as the context lasts.

    Raises:
        Exception: On leaving: what broke the work, for example a port that somebody else took.
    """
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(each) for each in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result
