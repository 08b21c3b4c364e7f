"""How a connection is reset: at once, and so that the other end hears it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import Final

__all__ = ["SWAPPED_GENERATION", "reset"]

SWAPPED_GENERATION: Final = 9_999
"""Of a certificate that is shown in place of a node's own, and that no node ever makes."""

_LINGER_ZERO: Final = struct.pack("ii", 1, 0)


def reset(transport: asyncio.BaseTransport) -> None:
    """Drop the connection with a TCP reset; one that is closed already stays so."""
    found = transport.get_extra_info("socket")
    if found is not None:
        with contextlib.suppress(OSError):
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
    if isinstance(transport, asyncio.Transport):
        transport.abort()
