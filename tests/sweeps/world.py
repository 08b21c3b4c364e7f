"""A lab cluster that outlives the processes that drive it, and processes that die at once.

A process is one event loop. When it dies, at a *moment* between two of its acts, three things
stand still from this very moment: the cluster is touched by nobody, its clock belongs to nobody,
and the disk is copied as it is. Whatever the dead process's coroutines still do while Python
unwinds them happens to the old folder and to no cluster: it is as if it had never run.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import Awaitable, Callable, Iterator
from contextvars import ContextVar
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Final, NamedTuple, NoReturn, TypeVar
from unittest import mock

from cucm_certflow.cluster import Cluster
from cucm_certflow.commands import Command, Reply
from cucm_certflow.facts import ClusterFacts, Fact, Query
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.memory import MemoryTransport
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.locks import ClusterLock
from cucm_certflow.testing.virtual import EPOCH, VirtualLoop

__all__ = ["Boundary", "Died", "Endless", "Moment", "Process", "World"]

T = TypeVar("T")

_PER_SECOND: Final = 1_000_000
_ENDLESS_US: Final = 12 * 3600 * _PER_SECOND
"""A process that still looks and waits after so long would do so for ever: no story needs it."""

_IN_COMMAND: ContextVar[int] = ContextVar("_IN_COMMAND", default=-1)
"""How many commands the cluster had taken when this one was sent; -1 outside of commands."""


class Died(BaseException):
    """The process is no more. Not an Exception: nothing may catch it and go on."""


class Endless(Exception):
    """The process neither ends nor holds."""


class Boundary(Enum):
    """Between which two acts a process can die."""

    BEFORE_LOOK = "before a look"
    AFTER_LOOK = "after a look"
    BEFORE_COMMAND = "before a command"
    UNDER_WAY = "after a command left, before its reply"
    AFTER_REPLY = "after a reply"
    BEFORE_WRITE = "before a line of the journal"
    IN_WRITE = "in the middle of a line"
    BEFORE_SYNC = "after a line, before its sync"
    AFTER_SYNC = "after a sync"


class Moment(NamedTuple):
    """One boundary of a process's life, and what is there if it dies at it.

    Two moments of which everything but *boundary* and *what* is the same are the same death: only
    what the process had in its memory is different.
    """

    boundary: Boundary
    what: str
    elapsed_us: int
    taken: int
    """How many commands the cluster took by then."""
    written: int
    """Bytes of the journal."""
    synced: int

    @property
    def left(self) -> tuple[int, int, int, int]:
        """What a death at it leaves."""
        return (self.elapsed_us, self.taken, self.written, self.synced)


class World:
    """The cluster of *scenario*, a disk, and time. One process at a time lives in it.

    Args:
        scenario: The cluster.
        folder: An empty one; each process has the top-level files of the one before it.
    """

    def __init__(self, scenario: Scenario, folder: Path) -> None:
        self.clock: Final = _WorldClock()
        self.lab: Final = LabCluster(scenario, self.clock)
        self._folder = folder
        self._generation = 0
        self.folder.mkdir()

    @property
    def folder(self) -> Path:
        """The disk that the next process finds."""
        return self._folder / str(self._generation)

    def rest(self, seconds: float) -> None:
        """Let time pass while no process lives."""
        self.clock.base_us += round(seconds * _PER_SECOND)

    def live(self, main: Callable[[Process], Awaitable[T]], *, dies_at: int | None = None) -> T:
        """Run *main* as a new process.

        Args:
            main: What it does.
            dies_at: The number of the boundary, from 0, at which it dies.

        Raises:
            Died: It did.
        """
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            process = Process(self, runner.get_loop(), dies_at)
            try:
                with process.disk():
                    return runner.run(_awaited(main, process))
            except BaseException as error:
                # Unwinding may end in anything; what matters is that it was dead before.
                if process.is_alive:
                    raise
                raise Died from error
            finally:
                process.leave()

    def keep_disk(self) -> None:
        """The disk as it is now is what the next process finds."""
        old = self.folder
        self._generation += 1
        self.folder.mkdir()
        for path in sorted(old.iterdir()):
            if path.is_file():
                shutil.copyfile(path, self.folder / path.name)


async def _awaited(main: Callable[[Process], Awaitable[T]], process: Process) -> T:
    return await main(process)


class _WorldClock:
    """The cluster's: it goes on where the last process left it."""

    def __init__(self) -> None:
        self.base_us = 0
        self.loop: asyncio.AbstractEventLoop | None = None

    @property
    def elapsed_us(self) -> int:
        here = 0 if self.loop is None else round(self.loop.time() * _PER_SECOND)
        return self.base_us + here

    def now(self) -> datetime:
        return EPOCH + timedelta(microseconds=self.elapsed_us)

    def monotonic(self) -> float:
        return self.elapsed_us / _PER_SECOND

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))


class Process:
    """One process: a cluster object of its own, a clock, and a journal that it writes.

    ``moments`` are the boundaries that it came to, in order.
    """

    def __init__(
        self, world: World, loop: asyncio.AbstractEventLoop, dies_at: int | None = None
    ) -> None:
        self.world: Final = world
        self.folder: Final = world.folder
        self.clock: Final = _ProcessClock(self)
        self.transport: Final = _DyingTransport(self)
        self.moments: list[Moment] = []
        self.is_alive = True
        self._dies_at = dies_at
        journals = sorted(self.folder.glob("*.journal"))
        self._written = self._synced = journals[-1].stat().st_size if journals else 0
        world.clock.loop = loop
        self._began_us = world.clock.elapsed_us
        # The lock is a file of this disk: a dead process has that of a folder that nobody opens.
        self.cluster: Final = Cluster(
            self.transport,
            self.transport.discover,
            clock=self.clock,
            lock=ClusterLock(world.lab.layout.publisher, folder=self.folder),
        )

    def leave(self) -> None:
        """The end, in peace or not: the cluster's clock belongs to nobody again."""
        if self.is_alive:
            self._stop()

    def _stop(self) -> None:
        self.is_alive = False
        clock = self.world.clock
        clock.base_us, clock.loop = clock.elapsed_us, None

    def check(self) -> None:
        """The dead do nothing."""
        if not self.is_alive:
            raise Died

    def pass_by(self, boundary: Boundary, what: str = "") -> None:
        """Come to a boundary, and die there if it is the one."""
        self.check()
        world = self.world
        if world.clock.elapsed_us - self._began_us > _ENDLESS_US:
            message = f"neither ended nor held in {_ENDLESS_US // _PER_SECOND // 3600} hours"
            raise Endless(message)
        self.moments.append(
            Moment(
                boundary,
                what,
                world.clock.elapsed_us,
                len(world.lab.log),
                self._written,
                self._synced,
            )
        )
        if self._dies_at == len(self.moments) - 1:
            self.die()

    def die(self) -> NoReturn:
        """Die now."""
        self._stop()
        self.world.keep_disk()
        raise Died

    # ── the disk ──────────────────────────────────────────────────────────────────────────

    @contextlib.contextmanager
    def disk(self) -> Iterator[None]:
        """Within it, writes and syncs of journals are boundaries. Nothing else is slowed by syncs:
        no machine fails here, so that what was written is there.
        """
        write, fsync = os.write, os.fsync

        def dying_write(descriptor: int, data: bytes) -> int:
            if not self._is_journal(descriptor) or not self.is_alive:
                return write(descriptor, data)
            self.pass_by(Boundary.BEFORE_WRITE)
            half = len(data) // 2
            done = write(descriptor, data[:half])
            self._written = os.fstat(descriptor).st_size
            self.pass_by(Boundary.IN_WRITE)
            done += write(descriptor, data[half:])
            self._written = os.fstat(descriptor).st_size
            self.pass_by(Boundary.BEFORE_SYNC)
            return done

        def dying_fsync(descriptor: int) -> None:
            if self._is_journal(descriptor) and self.is_alive:
                self._synced = self._written = os.fstat(descriptor).st_size
                self.pass_by(Boundary.AFTER_SYNC)
            elif not self.is_alive:
                fsync(descriptor)

        with (
            mock.patch.object(os, "write", dying_write),
            mock.patch.object(os, "fsync", dying_fsync),
        ):
            yield

    def _is_journal(self, descriptor: int) -> bool:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        return path.suffix == ".journal" and path.parent == self.folder


class _ProcessClock:
    """A process's, which the scenario's events strike; nobody wakes up dead from its sleep."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._clock = process.world.lab.driver_clock

    def now(self) -> datetime:
        return self._clock.now()

    def monotonic(self) -> float:
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        process, before = self._process, _IN_COMMAND.get()
        process.check()
        if 0 <= before < len(process.world.lab.log):
            _IN_COMMAND.set(-1)  # once for each command
            process.pass_by(Boundary.UNDER_WAY)
        await self._clock.sleep(seconds)
        process.check()


class _DyingTransport:
    """A transport of a process that may die at each of its acts."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._inner = MemoryTransport(process.world.lab, process.world.clock, driver=process.clock)

    def supports(self, what: Query | Command) -> bool:
        return self._inner.supports(what)

    async def observe(self, query: Query) -> Fact:
        self._process.pass_by(Boundary.BEFORE_LOOK, type(query).__name__)
        fact = await self._inner.observe(query)
        self._process.pass_by(Boundary.AFTER_LOOK, type(query).__name__)
        return fact

    async def discover(self) -> ClusterFacts:
        self._process.pass_by(Boundary.BEFORE_LOOK, "discovery")
        facts = await self._inner.discover()
        self._process.pass_by(Boundary.AFTER_LOOK, "discovery")
        return facts

    async def perform(self, command: Command) -> Reply:
        self._process.pass_by(Boundary.BEFORE_COMMAND, str(command))
        _IN_COMMAND.set(len(self._process.world.lab.log))
        reply = await self._inner.perform(command)
        _IN_COMMAND.set(-1)
        self._process.pass_by(Boundary.AFTER_REPLY, str(command))
        return reply

    async def aclose(self) -> None:
        await self._inner.aclose()
