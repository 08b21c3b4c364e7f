"""Renews the CallManager and TVS certificates of all nodes: `regenerate.py PUBLISHER NODE...`.

First all certificates, then all services, once each: it looks like the quick way. On 11.5 it loses
every phone.
"""

from __future__ import annotations

import time

from cucm_ssh import CALLMANAGER, TFTP, TVS, Node, arguments

options = arguments("Renews the CallManager and TVS certificates.")
nodes = [Node(host, options) for host in options.hosts]

for unit in ("CallManager", "TVS"):
    for node in nodes:
        node.regenerate(unit)

for service in (TVS, TFTP, CALLMANAGER):
    for node in nodes:
        node.restart(service)

print("Reset all phones now: System > Enterprise Parameters > Reset.")
time.sleep(options.wait)
print("done")
