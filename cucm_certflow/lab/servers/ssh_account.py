"""The platform account as one node's command line knows it: its password, and its lock."""

from __future__ import annotations

import hmac
from datetime import datetime, timedelta
from typing import Final

from cucm_certflow.lab.servers.vos_cli import Desk

__all__ = ["ATTEMPTS", "UNLOCK_AFTER", "SshAccount"]

ATTEMPTS: Final = 3
UNLOCK_AFTER: Final = timedelta(seconds=300)


class SshAccount:
    """Who is let in to the command line of one node.

    Three wrong passwords lock the account for 300 s, counted over all connections; what a locked
    account is told is the lab's invention: the same as any other.

    Args:
        desk: The lab.
    """

    def __init__(self, desk: Desk) -> None:
        self._clock = desk.clock
        self._account = desk.cluster.scenario.accounts.platform
        self._failures = 0
        self._locked_until: datetime | None = None

    @property
    def is_locked(self) -> bool:
        """Whether the account is locked now."""
        if self._locked_until is not None and self._clock.now() >= self._locked_until:
            self._locked_until, self._failures = None, 0
        return self._locked_until is not None

    def lets_in(self, user: str, password: str) -> bool:
        """Whether it is the account and its password, and it is not locked; failures count."""
        if self.is_locked:
            return False
        is_right = hmac.compare_digest(password.encode(), self._account.password.encode())
        if user != self._account.user:
            return False
        if is_right:
            self._failures = 0
            return True
        self._failures += 1
        if self._failures >= ATTEMPTS:
            self._locked_until = self._clock.now() + UNLOCK_AFTER
        return False
