"""Which commands of the platform CLI an account of privilege level 0 may not give."""

from __future__ import annotations

import re
from typing import Final

from cucm_certflow.lab.scenario_tables import PlatformSpec

__all__ = ["may_type"]

_LEVEL_1: Final = re.compile(r"set |utils service (?:start|stop|restart) |utils (?:ctl|itl) ")
"""CLI reference 15 has level 1 for them, and level 4 for `reset`, which the lab does not tell."""


def may_type(account: PlatformSpec, text: str) -> bool:
    """Whether *account* may give the command *text*."""
    return account.privilege > 0 or _LEVEL_1.match(f"{text} ") is None
