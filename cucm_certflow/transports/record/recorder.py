"""One recording of one cluster: what records its seam, its web interfaces and its shells."""

from __future__ import annotations

import os

from cucm_certflow.clock import Clock
from cucm_certflow.inventory import Inventory
from cucm_certflow.transports.base import Transport
from cucm_certflow.transports.record.http import RecordingWire
from cucm_certflow.transports.record.scrub import Scrubber
from cucm_certflow.transports.record.seam import RecordingTransport
from cucm_certflow.transports.record.shell import RecordingShells
from cucm_certflow.transports.record.writer import Writer
from cucm_certflow.transports.vos.session import ShellHook

__all__ = ["Recorder", "open_recording"]


class Recorder:
    """Records all layers into one file. It belongs to one event loop.

    Attributes:
        wire: For ``Access.wire``.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._shells: list[RecordingShells] = []
        self.wire = RecordingWire(writer)

    @property
    def problem(self) -> str | None:
        """Why nothing more is being recorded, for example that the disk is full; else None."""
        return self._writer.problem

    def shell(self, node: str) -> ShellHook:
        """The hook for the ``VosTransport`` of the node called *node*; one for each node."""
        shells = RecordingShells(self._writer, node)
        self._shells.append(shells)
        return shells

    def seam(self, transport: Transport, name: str = "", *, closes: bool = False) -> Transport:
        """*transport*, recorded.

        Args:
            transport: Where everything goes on to.
            name: Tells it from others in the same recording.
            closes: Close the recording when it is closed, after *transport*.
        """
        return RecordingTransport(
            transport, self._writer, name, after=self.close if closes else None
        )

    def close(self) -> None:
        """Write what was held back, and let go of the file; idempotent."""
        for shells in self._shells:
            shells.flush()
        self._writer.close()


def open_recording(
    path: str | os.PathLike[str],
    inventory: Inventory,
    clock: Clock,
    *,
    pseudonyms: bool = False,
) -> Recorder:
    """Begin a recording in the new file *path*, which only its owner may read.

    The passwords of *inventory* are never written, in whatever way they are encoded; see
    ``docs/recording.md`` for what else is taken out, and what is not.

    Args:
        path: It must not exist.
        inventory: The cluster's.
        clock: Gives the instant at which the recording begins.
        pseudonyms: Also replace the names of phones, hosts and users, addresses and descriptions.

    Raises:
        RecordingError: The file exists or cannot be made, or a password is too short to be told
            from other text. Nothing was sent.
    """
    scrubber = Scrubber(inventory, pseudonyms=pseudonyms)
    return Recorder(Writer(path, inventory, clock, scrubber))
