"""The inbox beside a journal: orders of other processes, which its driver carries out.

A folder with a file for each order, written whole under another name and then renamed: its driver
never sees half of one. The order is deleted once it stands in the journal; if the driver dies in
between, it is found there, by its identifier, and not carried out again.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import uuid
from datetime import datetime
from pathlib import Path
from typing import Final

import attrs

from cucm_certflow.codec import fact_converter
from cucm_certflow.errors import JournalError, Report
from cucm_certflow.orders import Order

__all__ = ["Inbox"]

_LOG: Final = logging.getLogger(__name__)
_CONVERTER: Final = fact_converter()
_MOST: Final = 65_536


class Inbox:
    """The orders that wait for the driver of *journal*.

    Args:
        journal: The journal's own path.
    """

    def __init__(self, journal: str | os.PathLike[str]) -> None:
        self.folder = Path(f"{os.fspath(journal)}.inbox")

    def post(self, order: Order, *, at: datetime) -> Order:
        """Leave *order* for whoever drives the run now, or resumes it next; it is on the disk then.

        Raises:
            JournalError: The folder cannot be written. Nothing was left there.
        """
        name = f"{at:%Y%m%dT%H%M%S%f}-{uuid.uuid4().hex[:12]}"
        order = attrs.evolve(order, id=name, at=at)
        text = json.dumps(_CONVERTER.unstructure(order), ensure_ascii=False)
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            target = self.folder / f"{name}.order"
            hidden = self.folder / f".{name}"
            descriptor = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                os.write(descriptor, text.encode())
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            hidden.rename(target)
        except OSError as error:
            raise JournalError(
                Report(
                    headline=f"the inbox {self.folder.name} cannot be written",
                    saw=error.strerror or str(error),
                    left="the order was not given",
                    next="make the folder of the journal writable for you",
                )
            ) from error
        return order

    def waiting(self) -> tuple[tuple[Path, Order | None], ...]:
        """Every order that waits, the oldest first; None for a file that is none.

        Only files of the user that runs this are read: the inbox gives orders to a phone system.
        """
        return tuple((path, _read(path)) for path in sorted(self.folder.glob("*.order")))

    def done(self, path: Path) -> None:
        """Delete an order that stands in the journal now."""
        with contextlib.suppress(OSError):
            path.unlink()

    def refuse(self, path: Path) -> None:
        """Put aside a file that is no order, or another user's, under a name that nobody reads."""
        _LOG.warning("%s is no order of this user: it is put aside", path.name)
        with contextlib.suppress(OSError):
            path.rename(path.with_suffix(".refused"))

    def close(self) -> None:
        """Delete the folder, if nothing waits in it."""
        with contextlib.suppress(OSError):
            self.folder.rmdir()


def _read(path: Path) -> Order | None:
    try:
        if path.is_symlink() or path.stat().st_uid != os.geteuid():
            return None
        return _CONVERTER.structure(json.loads(path.read_bytes()[:_MOST]), Order)
    except Exception:  # noqa: BLE001 - whatever is wrong with it, it is no order
        return None
