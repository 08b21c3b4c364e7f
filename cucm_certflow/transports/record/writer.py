"""Writes a recording line by line, while things happen."""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path

from cucm_certflow.clock import Clock
from cucm_certflow.errors import RecordingError, Report
from cucm_certflow.inventory import Inventory
from cucm_certflow.transports.record.document import (
    FORMAT,
    Direction,
    Header,
    Layer,
    Tag,
    header_to_json,
    unusable,
)
from cucm_certflow.transports.record.scrub import Scrubber

__all__ = ["Writer"]

_log = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())


class Writer:
    """Writes a recording as it happens. It belongs to one event loop.

    What is given to it has been scrubbed. A line that cannot be written must not harm what is being
    recorded: it is logged once, nothing more is written, and :attr:`problem` says why.

    Args:
        path: A new file; only its owner may read it.
        inventory: Its nodes go into the header, as *scrubber* names them.
        clock: Gives the instant at which the recording begins.
        scrubber: What every layer is scrubbed with.

    Raises:
        RecordingError: The file exists, or cannot be made. Nothing was sent.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        inventory: Inventory,
        clock: Clock,
        scrubber: Scrubber,
    ) -> None:
        self.scrubber = scrubber
        self.problem: str | None = None
        self._path = Path(path)
        self._number = 0
        self._began_s: float | None = None
        header = Header(
            certflow_recording=FORMAT,
            version=importlib.metadata.version("cucm-certflow"),
            at=clock.now(),
            layers=tuple(Layer),
            pseudonyms=scrubber.pseudonyms is not None,
            nodes=tuple(
                {"name": scrubber.text(node.name), "address": scrubber.text(node.address)}
                for node in inventory.nodes
            ),
        )
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        try:
            self._descriptor: int | None = os.open(self._path, flags, 0o600)
        except FileExistsError:
            raise RecordingError(
                Report(
                    headline=f"the recording {self._path.name} exists",
                    expected="a new file for a new recording",
                    left="nothing was sent",
                    next="choose another name",
                )
            ) from None
        except OSError as error:
            raise unusable(self._path.name, error.strerror or type(error).__name__) from error
        self._line(header_to_json(header))

    def tag(self) -> Tag:
        """The next number, at this moment; only while a loop runs."""
        now = asyncio.get_running_loop().time()
        if self._began_s is None:
            self._began_s = now
        self._number += 1
        return Tag(self._number, round(now - self._began_s, 6))

    def write(
        self, tag: Tag, layer: Layer, way: str, direction: Direction, content: Mapping[str, object]
    ) -> None:
        """Add what happened at *tag*; nothing if the recording is closed."""
        self._line(
            {
                "n": tag.number,
                "at_s": tag.at_s,
                "layer": layer.value,
                "way": way,
                "direction": direction.value,
                "content": content,
            }
        )

    def close(self) -> None:
        """Let go of the file; idempotent."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _line(self, value: object) -> None:
        if self._descriptor is None:
            return
        # ASCII only: a line is then the same in every editor, and no half of a surrogate breaks it.
        line = json.dumps(value, separators=(",", ":")).encode("ascii") + b"\n"
        try:
            while line:
                line = line[os.write(self._descriptor, line) :]
        except OSError as error:
            self.problem = error.strerror or type(error).__name__
            _log.warning("%s: not recorded any further: %s", self._path.name, self.problem)
            self.close()
