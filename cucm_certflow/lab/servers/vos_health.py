"""How a node is, on the platform command line: replication, time, disk, cores, backups."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cucm_certflow.facts import BackupActivity
from cucm_certflow.lab.servers import health_texts
from cucm_certflow.lab.servers.health_texts import Replicating
from cucm_certflow.lab.servers.layouts import full_version
from cucm_certflow.lab.servers.vos_cli import Handler, VosCli
from cucm_certflow.names import Product, Service

__all__ = ["HEALTH_COMMANDS"]


def _looks(text: str, make: Callable[[VosCli], str]) -> tuple[str, Handler]:
    """A command that only looks, and takes no argument."""

    async def handler(cli: VosCli, _: str) -> None:
        async def printed() -> str:
            return make(cli)

        await cli.look(text, printed)

    return text, handler


def _version(cli: VosCli) -> str:
    return full_version(cli.scenario.release)


def _replication(cli: VosCli) -> str:
    """On a node of IM and Presence the states of its own database, which are good."""
    states = cli.cluster.health.replication()
    if cli.scenario.node(cli.node).product is Product.IM_PRESENCE:
        nodes = cli.cluster.layout.presence_nodes
        states = {} if len(nodes) == 1 else {name: states.get(name, 2) for name in nodes}
    if not states:
        return health_texts.SINGLE_NODE
    rows = [
        Replicating(name, cli.scenario.node(name).address, state) for name, state in states.items()
    ]
    release, now = cli.scenario.release, cli.cluster.now
    return health_texts.replication(release, cli.node, rows, version=_version(cli), now=now)


def _time(cli: VosCli) -> str:
    health = cli.cluster.health
    return health_texts.ntp_status(
        synchronised=health.time_of(cli.node).synchronised,
        now=health.shown_by(cli.node, cli.cluster.now),
    )


def _status(cli: VosCli) -> str:
    use = cli.cluster.health.disk_of(cli.node)
    return health_texts.status(cli.node, _version(cli), use, cli.cluster.now)


def _cores(cli: VosCli) -> str:
    return health_texts.core_files(cli.cluster.health.cores_of(cli.node), cli.cluster.began)


def _history(cli: VosCli) -> str:
    if not _has_master(cli):
        return health_texts.no_master(cli.cluster.layout.publisher)
    backups = cli.cluster.health.backups()
    return health_texts.backup_history(cli.scenario.release, backups, _version(cli))


async def _backup_status(cli: VosCli, operation: str) -> None:
    async def make() -> str:
        if operation not in ("backup", "restore"):
            return "No valid command entered\n"  # the lab's invention
        if not _has_master(cli):
            return health_texts.no_master(cli.cluster.layout.publisher)
        runs = cli.cluster.health.activity() is BackupActivity.RUNNING and operation == "backup"
        name = f"{cli.cluster.began:%Y-%m-%d-%H-%M-%S}.tar" if runs else None
        return health_texts.backup_status(operation, name)

    await cli.look(f"utils disaster_recovery status {operation}", make)


def _has_master(cli: VosCli) -> bool:
    """Whether the publisher's DRF Master answers."""
    return cli.cluster.is_up(cli.cluster.layout.publisher, Service.DRF_MASTER)


HEALTH_COMMANDS: Final[tuple[tuple[str, Handler], ...]] = (
    _looks("utils dbreplication runtimestate", _replication),
    _looks("utils ntp status", _time),
    _looks("show status", _status),
    _looks("utils core active list", _cores),
    _looks("utils disaster_recovery history backup", _history),
    ("utils disaster_recovery status", _backup_status),
)
