"""Lab clusters as real servers in a thread with its own loop: the clients of others block."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

from cucm_certflow.clock import ScaledClock
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.lab.servers import LabServers
from tests.lab.small import SMALL

RELEASES: Final = {
    "11.5": "11.5.1.12900-21",
    "12.5": "12.5.1.11900-146",
    "14.0": "14.0.1.13900-155",
    "15.0": "15.0.1.11900-23",
}
"""A release for each version of AXL."""

_PATIENCE_S: Final = 60.0
T = TypeVar("T")


class RunningLab:
    """The small cluster of the lab's tests at one release, while the context lasts.

    Args:
        axl: The version of AXL that is the release's own.
        folder: Where the lab's files go.
    """

    def __init__(self, axl: str, folder: Path) -> None:
        self.axl = axl
        self.release = RELEASES[axl]
        # Addresses that no other test uses, and no other release.
        network = f"127.0.{200 + int(axl.partition('.')[0])}."
        text = SMALL.replace("127.0.0.", network).replace(RELEASES["11.5"], self.release)
        self.told = Scenario.loads(text)
        self._folder = folder
        self._thread = threading.Thread(target=self._run, name=f"lab {axl}")
        self._ready = threading.Event()
        self._broke: BaseException | None = None
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._servers: LabServers | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(_PATIENCE_S), "the lab did not start"
        if self._broke is not None:
            raise self._broke
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(_PATIENCE_S)
        assert not self._thread.is_alive(), "the lab did not end"
        if self._broke is not None:
            raise self._broke

    @property
    def user(self) -> str:
        return self.told.accounts.application.user

    @property
    def password(self) -> str:
        return self.told.accounts.application.password

    def address(self, node: str = "pub") -> str:
        return self.told.node(node).address

    def look(self, at: Callable[[LabServers], T]) -> T:
        """What *at* sees, in the lab's own thread."""

        async def asked() -> T:
            assert self._servers is not None
            return at(self._servers)

        return asyncio.run_coroutine_threadsafe(asked(), self._loop).result(_PATIENCE_S)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        except BaseException as error:  # noqa: BLE001 - it belongs to the thread that waits
            self._broke = error
        finally:
            self._ready.set()
            self._loop.close()

    async def _serve(self) -> None:
        async with LabServers(self.told, clock=ScaledClock(100), folder=self._folder) as servers:
            self._servers = servers
            self._ready.set()
            await self._over.wait()
