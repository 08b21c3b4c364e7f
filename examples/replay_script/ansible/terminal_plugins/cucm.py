"""What a CUCM node's prompt looks like, for `ansible_network_os: cucm`; no collection has it."""

from __future__ import annotations

import re

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.terminal import TerminalBase


class TerminalModule(TerminalBase):
    """The platform command line."""

    terminal_stdout_re = [re.compile(rb"admin:\s*$")]
    terminal_stderr_re = [re.compile(rb"Executed command unsuccessfully")]

    def on_open_shell(self) -> None:
        try:
            self._exec_cli_command(b"set cli pagination off")
        except AnsibleConnectionFailure as error:
            raise AnsibleConnectionFailure(f"unable to turn pagination off: {error}") from error
