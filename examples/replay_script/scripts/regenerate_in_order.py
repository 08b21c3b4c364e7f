"""As regenerate.py, with the phones in between: `regenerate_in_order.py PUBLISHER NODE...`.

A phone takes a new ITL because the old TVS vouches for its signer; and it learns of a new TVS from
an ITL whose signer it knows. So only one of the two may change between two visits of the phones.
"""

from __future__ import annotations

import time

from cucm_ssh import CALLMANAGER, TFTP, TVS, Node, arguments

options = arguments("Renews the CallManager certificates, then, with the phones, those of TVS.")
nodes = [Node(host, options) for host in options.hosts]


def all_phones_back() -> None:
    print("Reset all phones now: System > Enterprise Parameters > Reset.")
    time.sleep(options.wait)


for unit, services in (("CallManager", (TFTP, CALLMANAGER)), ("TVS", (TVS, TFTP))):
    for node in nodes:
        node.regenerate(unit)
    for service in services:
        for node in nodes:
            node.restart(service)
    all_phones_back()
print("done")
