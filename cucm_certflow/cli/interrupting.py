"""Ctrl-C while something is under way: the first stops it in order, the second leaves at once."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import FrameType
from typing import Any, Final, TypeVar

from cucm_certflow.cli.output import Exit

__all__ = ["Interrupted", "run_until_interrupted"]

T = TypeVar("T")

_SHOW_CURSOR: Final = b"\x1b[?25h"


class Interrupted(Exception):
    """A person stopped it; *status* says whether a journal goes on from there."""

    def __init__(self, status: Exit) -> None:
        super().__init__(status)
        self.status = status


def run_until_interrupted(
    work: Callable[[], Coroutine[Any, Any, T]], *, journal: Path | None = None
) -> T:
    """What *work* returns, in an event loop of its own.

    The first Ctrl-C cancels *work*, which then closes its connections. The second ends the process
    as a crash does, between two system calls: no handler runs that could write half of what it
    meant to, and a journal survives that.

    Args:
        work: Makes the coroutine.
        journal: What a run can be resumed from, if there is such a file by then.

    Raises:
        Interrupted: A person stopped it before it was done.
    """
    task: asyncio.Task[T] | None = None
    interrupts = 0

    async def main() -> T:
        nonlocal task
        task = asyncio.ensure_future(work())
        return await task

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        nonlocal interrupts
        interrupts += 1
        if interrupts > 1:
            _tell(f"left at once; {_WHAT_NOW[_status(journal)]}")
            if os.isatty(1):
                os.write(1, _SHOW_CURSOR)
            os._exit(_status(journal))
        _tell("interrupted: no new command is sent; once more leaves at once")
        if task is None:
            raise KeyboardInterrupt
        task.get_loop().call_soon_threadsafe(task.cancel)

    before = signal.getsignal(signal.SIGINT)
    ours = before is signal.default_int_handler  # not in a shell's background job, nor in a thread
    if ours:
        try:
            signal.signal(signal.SIGINT, interrupt)
        except ValueError:
            ours = False
    try:
        return asyncio.run(main())
    except (asyncio.CancelledError, KeyboardInterrupt):
        _tell(_WHAT_NOW[_status(journal)])
        raise Interrupted(_status(journal)) from None
    finally:
        if ours:
            signal.signal(signal.SIGINT, before)


_WHAT_NOW: Final = {
    Exit.PAUSED: "what was sent is not undone; `certflow status` shows how the run stands, and "
    "`certflow resume` goes on",
    Exit.INTERRUPTED: "nothing was changed, and there is nothing to resume",
}


def _status(journal: Path | None) -> Exit:
    begun = journal is not None and os.path.lexists(journal)
    return Exit.PAUSED if begun else Exit.INTERRUPTED


def _tell(text: str) -> None:
    """Write *text* past every buffer: a signal may have come in the middle of one."""
    try:
        os.write(2, f"certflow: {text}\n".encode())
    except OSError:
        return
