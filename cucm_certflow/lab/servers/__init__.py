"""The lab's nodes as real servers on loopback: the extra ``lab`` is needed.

:class:`LabServers` brings a scenario to life: SSH with the platform command line, HTTPS on 8443
with AXL and RISPort70, HTTP on 6970 with the trust lists.
"""

from cucm_certflow.lab.servers.lab import LabServers

__all__ = ["LabServers"]
