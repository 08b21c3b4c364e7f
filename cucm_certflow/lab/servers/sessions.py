"""Sessions of one node's Tomcat: a login is remembered by a cookie, for half an hour of silence."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

import attrs

from cucm_certflow.clock import Clock
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.scenario import ApplicationSpec
from cucm_certflow.names import Service

__all__ = ["COOKIE", "IDLE", "Sessions", "Standing"]

COOKIE: Final = "JSESSIONIDSSO"
IDLE: Final = timedelta(minutes=30)
"""After how long without a request a session is over (Cisco's AXL guide)."""

_KEPT: Final = 10_000
"""How many sessions a node remembers; older ones are as if they had never been. Ours."""


class Standing(Enum):
    """What a cookie is worth."""

    ALIVE = "alive"
    IDLE = "idle for too long"
    DEAD = "not known, or from before Tomcat's restart"


@attrs.define(eq=False)
class _Session:
    account: ApplicationSpec
    began: datetime
    used: datetime


class Sessions:
    """The sessions of *node*, which all its web applications share.

    Tomcat forgets them when it restarts.

    Args:
        cluster: Whose Tomcat restarts.
        node: Which node.
        clock: Measures the silence.
    """

    def __init__(self, cluster: LabCluster, node: str, clock: Clock) -> None:
        self._cluster = cluster
        self._node = node
        self._clock = clock
        self._sessions: dict[str, _Session] = {}
        self._count = 0

    def begin(self, account: ApplicationSpec) -> str:
        """A new session of *account*; returns the value of its cookie.

        The value is the same in every run of a scenario. That is safe in a lab only.
        """
        self._count += 1
        seed = f"{self._cluster.scenario.seed}/{self._node}/{self._count}"
        token = hashlib.sha256(seed.encode()).hexdigest()[:32].upper()
        now = self._clock.now()
        while len(self._sessions) >= _KEPT:
            del self._sessions[next(iter(self._sessions))]
        self._sessions[token] = _Session(account, now, now)
        return token

    def standing(self, token: str) -> Standing:
        """What the cookie *token* is worth now; changes nothing."""
        session = self._sessions.get(token)
        if session is None or session.began < self._tomcat_started(session.began):
            return Standing.DEAD
        return Standing.IDLE if self._clock.now() - session.used > IDLE else Standing.ALIVE

    def use(self, token: str) -> ApplicationSpec:
        """Whose session *token* is; its half hour begins anew.

        Raises:
            KeyError: It is not :attr:`Standing.ALIVE`.
        """
        if self.standing(token) is not Standing.ALIVE:
            raise KeyError(token)
        session = self._sessions[token]
        session.used = self._clock.now()
        return session.account

    def _tomcat_started(self, otherwise: datetime) -> datetime:
        state = self._cluster.service_state(self._node, Service.TOMCAT)
        return state.started_at or otherwise  # between stop and start nobody can ask anyway
