"""Prints what Netmiko returns, call by call: `probe.py HOST PORT`. It knows nothing of a lab."""

from __future__ import annotations

import sys

from netmiko import ConnectHandler, NetmikoAuthenticationException
from netmiko.exceptions import ReadTimeout

PROMPT = r"admin:"
TVS = "Cisco Trust Verification Service"

NODE = {
    "device_type": "generic",
    "host": sys.argv[1],
    "port": int(sys.argv[2]),
    "username": "administrator",
}


def show(text: object) -> None:
    print(repr(text), flush=True)


try:
    ConnectHandler(**NODE, password="wrong")
except NetmikoAuthenticationException as error:
    show(type(error).__name__)
connection = ConnectHandler(**NODE, password="lab-platform")


show(connection.read_until_pattern(PROMPT, read_timeout=60))
show(connection.find_prompt())
show(connection.send_command("show cli pagination"))
show(connection.send_command("set cli pagination off", strip_prompt=False, strip_command=False))
show(connection.send_command("utils service list", expect_string=PROMPT))
show(connection.send_command("no such command", expect_string=PROMPT))
show(connection.send_command("set cert regen TVS", expect_string=r"\(yes\|no\)\?"))
show(connection.send_command("yes", expect_string=PROMPT, read_timeout=60))
show(connection.send_command(f"utils service restart {TVS}", PROMPT, read_timeout=120))
show(connection.send_command_timing("set cert regen CallManager"))
show(connection.send_command_timing("yes"))
show(connection.read_until_pattern(PROMPT, read_timeout=60))
try:
    show(connection.send_command("utils service restart Cisco Tftp", PROMPT))
except ReadTimeout as error:
    show(type(error).__name__)
show(connection.read_until_pattern(PROMPT, read_timeout=120).count("[STARTED]"))
show(
    connection.send_multiline(
        [["set cert regen TVS", r"\(yes\|no\)\?"], ["no", PROMPT]], read_timeout=30
    )
)
show(connection.send_multiline_timing(["show version active", "show cli pagination"]))
show(connection.set_base_prompt(":", "", pattern=PROMPT))
show(connection.send_command("show version active"))
connection.write_channel("show version active\n")
show(connection.read_until_prompt(read_timeout=30))
show(connection.is_alive())
connection.disconnect()
show(connection.is_alive())
connection.read_channel()
show(connection.read_channel())
try:
    connection.write_channel("exit\n")
except OSError as error:
    show(str(error))
