"""Counts phones that register anew though nobody reset them; a loop of them is a reason to hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from cucm_certflow.commands import Command, ResetPhones, RestartService
from cucm_certflow.core.states import Blocked
from cucm_certflow.facts import Registration
from cucm_certflow.names import Service
from cucm_certflow.procedures.policies import Policy

__all__ = ["RegisteredAnew"]


class RegisteredAnew:
    """Counts phones that register anew without a reset of ours; a loop of them is a reason to hold.

    Registrations that follow a restart of CallManager are its doing, and not counted. A reset that
    finds a phone away does not reach it, and is not why it comes back. It knows what this process
    saw, and nothing of an earlier one.
    """

    def __init__(self, policy: Policy) -> None:
        self.total = 0
        self._policy = policy
        self._seen: dict[str, datetime] = {}
        self._away: set[str] = set()
        self._called: set[str] = set()
        self._times: Counter[str] = Counter()
        self._restarted_at: datetime | None = None

    def sent(self, command: Command, at: datetime) -> None:
        """*command* was sent."""
        if isinstance(command, ResetPhones):
            self._called |= set(command.names) - self._away
        if isinstance(command, RestartService) and command.service is Service.CALLMANAGER:
            self._restarted_at = at

    def saw(self, table: Mapping[str, Registration], at: datetime) -> None:
        """Registrations as they were at *at*."""
        moving = (
            self._restarted_at is not None
            and (at - self._restarted_at).total_seconds() < self._policy.fall_back_within_s
        )
        for name, registration in table.items():
            if not registration.registered:
                self._away.add(name)
                continue
            self._away.discard(name)
            if registration.at is None:
                continue
            before = self._seen.get(name)
            self._seen[name] = registration.at
            if before is None or registration.at <= before:
                continue
            if name in self._called:
                self._called.discard(name)
            elif not moving:
                self.total += 1
                self._times[name] += 1

    def loop(self) -> Blocked | None:
        """Why nothing more is sent, if phones register again and again."""
        names = sorted(n for n, times in self._times.items() if times >= self._policy.loop_after)
        if not names:
            return None
        self._times.clear()
        return Blocked(
            guard="reset_loop",
            detail=f"{len(names)} phones registered anew {self._policy.loop_after} times or more "
            "without a reset of ours",
            evidence=tuple(names[:60]),
            unlock="find out what resets them (a multi-server certificate did, every 7 minutes: "
            "CSCup28852), then resume",
            source="Cisco TAC 118731 (F15)",
            phones=tuple(names),
        )
