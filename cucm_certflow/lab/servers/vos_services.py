"""``utils service`` of the platform command line: list, restart, start and stop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

from cucm_certflow.facts import ServiceStatus
from cucm_certflow.lab.servers import layouts
from cucm_certflow.lab.servers.service_catalogue import Reason, followed, listed, standing
from cucm_certflow.lab.servers.vos_cli import Handler, VosCli
from cucm_certflow.names import Service

__all__ = ["SERVICE_COMMANDS"]

_POLL_S: Final = 5.0
_OUT: Final = "[STOPPED]  Commanded Out of Service"


async def _list(cli: VosCli, _: str) -> None:
    async def make() -> str:
        cluster, node = cli.cluster, cli.node
        rows = [(entry, standing(cluster, node, entry)) for entry in listed(cluster, node)]
        return layouts.service_list(rows, is_publisher=node == cluster.layout.publisher)

    await cli.look("utils service list", make)


async def _restart(cli: VosCli, name: str) -> None:
    service = _valid(cli, name, "RESTARTED", "restarting")
    if service is not None:
        await cli.change(
            f"utils service restart {name}",
            lambda: cli.cluster.begin_restart(cli.node, service),
            done=lambda: _end(cli, service, 2),
            meanwhile=_stream(cli, service),
        )


async def _start(cli: VosCli, name: str) -> None:
    """Without a banner. What is said of a service that runs already is the lab's invention."""
    service = _valid(cli, name)
    if service is None:
        return
    if cli.cluster.is_up(cli.node, service):
        cli.terminal.print(f"{name}[STARTED]  ")
        return
    await cli.change(
        f"utils service start {name}",
        lambda: cli.cluster.begin_start(cli.node, service),
        done=lambda: _end(cli, service, 1),
        meanwhile=_stream(cli, service),
    )


async def _stop(cli: VosCli, name: str) -> None:
    """No capture of it is known: the lines are those of a restart and of the list."""
    service = _valid(cli, name, "STOPPED", "stopping")
    if service is None:
        return
    if cli.cluster.is_commanded_out(cli.node, service):
        cli.terminal.print(f"{name}{_OUT}")
        return
    await cli.change(
        f"utils service stop {name}",
        lambda: cli.cluster.begin_stop(cli.node, service),
        done=lambda: (f"{name}{_OUT}",),
        meanwhile=_stream(cli, service),
    )


def _valid(cli: VosCli, name: str, old: str = "", new: str = "") -> Service | None:
    """The service called *name*, after the words that go before; None if it was refused.

    Names are case-sensitive. The words of a no are the lab's invention.
    """
    cluster, node = cli.cluster, cli.node
    entry = next((each for each in listed(cluster, node) if each.name == name), None)
    if entry is None:
        cli.refuse(f"Service {name} is not a valid service")
        return None
    if old:
        cli.terminal.print(layouts.service_banner(cli.scenario.release, old, new))
    cli.terminal.print("Service Manager is running")
    service = followed(cluster, node, entry)
    if service is None:
        is_off = standing(cluster, node, entry).reason is Reason.NOT_ACTIVATED
        cli.refuse(f"{name}{'[STOPPED]  Service Not Activated' if is_off else _NOT_HERE}")
    return service


_NOT_HERE: Final = " cannot be commanded in the lab"


def _end(cli: VosCli, service: Service, times: int) -> tuple[str, ...]:
    """The last lines of a start; that it gives up on one that hangs is the lab's invention."""
    runs = cli.cluster.is_up(cli.node, service)
    return (f"{service.value}[{'STARTED' if runs else 'STARTING'}]  ",) * times


def _stream(cli: VosCli, service: Service) -> Callable[[datetime], Awaitable[None]]:
    """Print the state every few seconds, as far as it is on the way."""

    async def stream(end: datetime) -> None:
        while (left := (end - cli.desk.clock.now()).total_seconds()) > 0:
            await cli.desk.clock.sleep(min(_POLL_S, left))
            match cli.cluster.service_state(cli.node, service).status:
                case ServiceStatus.STOPPING:
                    cli.terminal.print(f"{service.value}[STOPPING]  ")
                case ServiceStatus.STOPPED if not cli.cluster.is_commanded_out(cli.node, service):
                    cli.terminal.print(f"{service.value}[STOPPING]  ")
                case ServiceStatus.STARTING:
                    cli.terminal.print(f"{service.value}[STARTING]  ")
                case _:
                    pass  # it has not begun, or is done

    return stream


SERVICE_COMMANDS: Final[tuple[tuple[str, Handler], ...]] = (
    ("utils service list", _list),
    ("utils service restart", _restart),
    ("utils service start", _start),
    ("utils service stop", _stop),
)
