"""How the lab's nodes are, apart from their certificates: as their scenario's ``[health]`` says."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from cucm_certflow.facts import Backup, BackupActivity, NtpStatus
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.names import Product

__all__ = ["Health"]

_GOOD: Final = 2
_BAD: Final = 3
_STRATUM: Final = 3
_DISK: Final[Mapping[str, int]] = {"active": 69, "inactive": 67, "logging": 55}
"""A node that nothing is said of: the first two are those of a capture, the third is invented."""


class Health:
    """How the nodes of *scenario* are.

    Args:
        scenario: Whose ``[health]`` it is.
        began: When its story began, before which the last backup was made.
    """

    def __init__(self, scenario: Scenario, began: datetime) -> None:
        self._scenario = scenario
        self._said = scenario.health
        self._replication = dict(self._said.replication)
        self._backups: list[Backup] = []
        if self._said.last_backup_days >= 0:
            at = began - timedelta(days=self._said.last_backup_days)
            self._backups.append(_backup(at, succeeded=True))

    def replication(self) -> Mapping[str, int]:
        """The state of each CUCM node, by the publisher; none for a single node.

        Of a node of IM and Presence only if the scenario says it.
        """
        said = self._replication
        nodes = [
            n.name
            for n in self._scenario.nodes
            if n.product is Product.CALLMANAGER or n.name in said
        ]
        if len(nodes) == 1:
            return {}
        return {name: said.get(name, _GOOD) for name in nodes}

    def break_replication(self, node: str) -> None:
        """From now on the state of *node* is a bad one."""
        self._replication[node] = _BAD

    def mend_replication(self, node: str) -> None:
        """From now on the state of *node* is what the scenario says that it is."""
        self._replication[node] = self._said.replication.get(node, _GOOD)

    def time_of(self, node: str) -> NtpStatus:
        """How *node* stands with its NTP server."""
        lost = node in self._said.ntp_unsynchronised
        return NtpStatus(synchronised=not lost, stratum=None if lost else _STRATUM)

    def shown_by(self, node: str, now: datetime) -> datetime:
        """What *node* prints as the time at *now*, to the second."""
        off = timedelta(seconds=self._said.clock_off_s.get(node, 0.0))
        return (now + off).replace(microsecond=0)

    def disk_of(self, node: str) -> Mapping[str, int]:
        """How full *node*'s partitions are, in per cent."""
        return {**_DISK, **self._said.disk.get(node, {})}

    def cores_of(self, node: str) -> tuple[str, ...]:
        """The core files of *node*."""
        return self._said.cores.get(node, ())

    def is_authenticated(self, node: str) -> bool:
        """Whether the cluster shows *node* as authenticated."""
        return node not in self._said.unauthenticated

    def backups(self) -> tuple[Backup, ...]:
        """The backups that DRF Master remembers, the oldest first."""
        return tuple(self._backups)

    def activity(self) -> BackupActivity:
        """Whether a backup is under way."""
        return BackupActivity.RUNNING if self._said.backup_running else BackupActivity.IDLE

    def back_up(self, at: datetime, *, works: bool) -> Backup:
        """Somebody makes a backup at *at*, which succeeds if DRF *works*."""
        made = _backup(at, succeeded=works)
        self._backups.append(made)
        return made


def _backup(at: datetime, *, succeeded: bool) -> Backup:
    whole = at.replace(microsecond=0)
    return Backup(name=f"{whole:%Y-%m-%d-%H-%M-%S}.tar", succeeded=succeeded, at=whole)
