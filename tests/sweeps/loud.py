"""The command line with everything logged: ``python -m tests.sweeps.loud LOG arguments…``.

All loggers write all that they have to LOG, asyncssh at its second debug level (the third is a
dump of packets, which says of itself that it may hold passwords). What the program dies of is
printed with the local variables of every frame. ``raise INVENTORY`` in place of arguments is a
caller who forgets to catch anything.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import traceback
from types import TracebackType

import asyncssh

from cucm_certflow import Inventory, connect
from cucm_certflow.cli import main
from cucm_certflow.clock import ScaledClock


def _with_locals(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    told = traceback.TracebackException(kind, error, trace, capture_locals=True)
    print("".join(told.format()), file=sys.stderr)


async def _careless(inventory: str) -> None:
    async with connect(Inventory.load(inventory), clock=ScaledClock(60)) as cluster:
        await cluster.discover()


if __name__ == "__main__":
    _, log, *arguments = sys.argv
    logging.basicConfig(filename=log, level=logging.DEBUG)
    asyncssh.set_log_level(logging.DEBUG)
    asyncssh.set_debug_level(2)
    sys.excepthook = _with_locals
    if arguments[0] == "raise":
        asyncio.run(_careless(arguments[1]), debug=True)
    else:
        sys.argv = ["certflow", *arguments]
        main()
