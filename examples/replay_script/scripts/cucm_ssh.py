"""What both scripts share: the command line of CUCM through Netmiko. It knows nothing of a lab."""

from __future__ import annotations

import argparse
import os

from netmiko import ConnectHandler

TVS = "Cisco Trust Verification Service"
TFTP = "Cisco Tftp"
CALLMANAGER = "Cisco CallManager"

PROMPT = r"admin:"


def arguments(description: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("hosts", nargs="+", help="the nodes, the publisher first")
    parser.add_argument("--port", type=int, default=22)
    parser.add_argument("--user", default="administrator")
    # A node ends a session that is idle for half an hour: wait for less than that.
    parser.add_argument("--wait", type=float, default=1200, help="seconds for the phones")
    return parser.parse_args()


class Node:
    """One node; CUCM has no driver of its own in Netmiko, "generic" does."""

    def __init__(self, host: str, options: argparse.Namespace) -> None:
        self.host = host
        self.connection = ConnectHandler(
            device_type="generic",
            host=host,
            port=options.port,
            username=options.user,
            password=os.environ["CUCM_PASSWORD"],
        )
        self.connection.read_until_pattern(PROMPT, read_timeout=60)
        self.connection.send_command("set cli pagination off", expect_string=PROMPT)

    def regenerate(self, unit: str) -> None:
        print(f"{self.host}: regenerating {unit}")
        self.connection.send_command(f"set cert regen {unit}", expect_string=r"\(yes\|no\)\?")
        answer = self.connection.send_command("yes", expect_string=PROMPT, read_timeout=120)
        if "Successfully Regenerated" not in answer:
            raise SystemExit(f"{self.host}: {unit} was not regenerated:\n{answer}")

    def restart(self, service: str) -> None:
        print(f"{self.host}: restarting {service}")
        command = f"utils service restart {service}"
        answer = self.connection.send_command(command, expect_string=PROMPT, read_timeout=300)
        if f"{service}[STARTED]" not in answer:
            raise SystemExit(f"{self.host}: {service} was not restarted:\n{answer}")
