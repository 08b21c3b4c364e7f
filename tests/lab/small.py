"""A small cluster for the lab's tests, and a clock that a test turns by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.scenario import Scenario

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)

SMALL = """
release = "11.5.1.12900-21"
mode = "mixed"
seed = 7

[[nodes]]
name = "pub"
address = "127.0.0.11"
publisher = true

[[nodes]]
name = "sub"
address = "127.0.0.12"

[[nodes]]
name = "imp"
address = "127.0.0.13"
product = "cups"

[[phones]]
count = 4
model = "Cisco 7841"
group = ["pub", "sub"]
tftp = ["pub", "sub"]

[[phones]]
model = "Cisco 8861"
security = "Encrypted"
group = ["sub", "pub"]
tftp = ["sub", "pub"]

[[phones]]
model = "Cisco 7841"
group = ["sub", "pub"]
tftp = ["sub", "pub"]
state = "off"
"""
PHONE, SECURE, OFF = "SEP001122330001", "SEP001122330005", "SEP001122330006"


class HandClock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.instant = BEGIN

    def now(self) -> datetime:
        return self.instant

    def monotonic(self) -> float:
        return (self.instant - BEGIN).total_seconds()

    async def sleep(self, seconds: float) -> None:
        self.instant += timedelta(seconds=seconds)

    def turn(self, seconds: float) -> None:
        self.instant += timedelta(seconds=seconds)


def scenario(*, more: str = "", **keys: str) -> Scenario:
    """SMALL with other top-level values (TOML, by key), and *more* at its end."""
    text = SMALL
    for key, value in keys.items():
        line = next(line for line in text.splitlines() if line.startswith(f"{key} ="))
        text = text.replace(line, f"{key} = {value}")
    return Scenario.loads(text + more)


def cluster(*, more: str = "", **keys: str) -> tuple[LabCluster, HandClock]:
    """A cluster of :func:`scenario`, and its clock."""
    clock = HandClock()
    return LabCluster(scenario(more=more, **keys), clock), clock
