"""The lab's nodes as real servers on loopback: the extra ``lab`` is needed.

:class:`LabServers` brings a scenario to life: SSH with the platform command line, HTTPS on 8443
with AXL and RISPort70, HTTP on 6970 with the trust lists.

What makes no use of the web, as the dialogue of the command line, can be imported without the
extra: so the servers are imported when they are asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cucm_certflow.lab.servers.lab import LabServers

__all__ = ["LabServers"]


def __getattr__(name: str) -> type[LabServers]:
    if name != "LabServers":
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    from cucm_certflow.lab.servers.lab import LabServers  # noqa: PLC0415 - as said above

    return LabServers
