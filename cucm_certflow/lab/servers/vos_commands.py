"""What the platform command line can do in the lab, command by command."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from cucm_certflow.lab.servers import layouts
from cucm_certflow.lab.servers.certificate_table import is_about_certificates, rows_of
from cucm_certflow.lab.servers.database import SqlError
from cucm_certflow.lab.servers.vos_certificates import CERTIFICATE_COMMANDS
from cucm_certflow.lab.servers.vos_cli import UNSUCCESSFUL, Handler, VosCli
from cucm_certflow.lab.servers.vos_health import HEALTH_COMMANDS
from cucm_certflow.lab.servers.vos_services import SERVICE_COMMANDS
from cucm_certflow.names import ListKind

__all__ = ["COMMANDS"]

_FIRST_CTL_COMMAND: Final = (10, 0)
_NEW_CTL_WORDS: Final = (12, 0)
_NEW_ITL_WORDS: Final = (15, 0)


# ── looking ───────────────────────────────────────────────────────────────────────────────


async def _show_version(cli: VosCli, _: str) -> None:
    async def make() -> str:
        return (
            f"Active Master Version: {layouts.full_version(cli.scenario.release)}\n"
            "Active Version Installed Software Options:\n"
            "No Installed Software Options Found.\n"
        )

    await cli.look("show version active", make)


async def _show_cluster(cli: VosCli, _: str) -> None:
    async def make() -> str:
        return layouts.network_cluster(cli.scenario, cli.node, cli.cluster.began)

    await cli.look("show network cluster", make)


async def _show_list(cli: VosCli, kind: ListKind) -> None:
    async def make() -> str:
        world, served = cli.cluster.world, None
        if cli.node in cli.cluster.layout.tftp_nodes:  # the file is there even if nobody serves it
            served = world.itl_of(cli.node) if kind is ListKind.ITL else world.ctl_of(cli.node)
        if served is None:
            return layouts.missing_list(kind)
        papers = cli.desk.papers
        data = await papers.trust_list(served)
        certs = {served.signer, *served.sast, *served.tftp, *served.ccm, *served.pin, *served.capf}
        ders = await papers.certificates(sorted(certs))
        return layouts.trust_list(served, data, ders, papers.dated(served))

    await cli.look(f"show {kind.value.lower()}", make)


async def _show_itl(cli: VosCli, _: str) -> None:
    await _show_list(cli, ListKind.ITL)


async def _show_ctl(cli: VosCli, _: str) -> None:
    await _show_list(cli, ListKind.CTL)


async def _run_sql(cli: VosCli, rest: str) -> None:
    async def make() -> str:
        rows = None
        if is_about_certificates(rest):
            rows = await rows_of(cli.cluster, cli.desk.papers, cli.node)
        try:
            found = cli.desk.database.select(rest, certificates=rows)
        except SqlError as error:
            return f"{error.words}\n{UNSUCCESSFUL}\n"
        return layouts.sql_table(found.names, found.rows)

    await cli.look(f"run sql {rest}", make)


async def _file_view(cli: VosCli, rest: str) -> None:
    """Any file is the session log of the command line; its lines are the lab's invention."""
    log = [f"{entry.at:%Y-%m-%d %H:%M:%S},000 INFO [main] sdMain.main - running command -> "
           f"[{entry.text}]" for entry in cli.cluster.log if entry.node == cli.node]  # fmt: skip
    await cli.desk.clock.sleep(cli.scenario.timing.look_s)
    await cli.terminal.view("\n".join(log) or rest)


async def _pagination(cli: VosCli, rest: str) -> None:
    if rest not in ("on", "off"):
        cli.terminal.print("No valid command entered")
        return
    cli.terminal.pages = rest == "on"
    cli.terminal.print(f"Automatic pagination is turned {rest}")


async def _show_pagination(cli: VosCli, _: str) -> None:
    word = "On" if cli.terminal.pages else "Off"
    cli.terminal.print(f"Automatic Pagination : {word}.")


# ── changing ──────────────────────────────────────────────────────────────────────────────


async def _ctl_update(cli: VosCli, _: str) -> None:
    if cli.scenario.release.short < _FIRST_CTL_COMMAND:
        cli.terminal.print("No valid command entered")
        return
    if cli.cluster.layout.signs_by_token:
        # What a node says then is not known: the reason is the lab's invention.
        cli.refuse("The CTL file was signed with USB tokens: use the CTL client")
        return
    cli.terminal.print("This operation will update the CTLFile.")
    # The answer is not echoed (up to 11.x, in a capture).
    answer = await cli.terminal.ask_line("Do you want to continue? (y/n):", echo=False)
    if answer.strip().lower() not in ("y", "yes"):
        cli.terminal.print("Operation cancelled")  # the lab's invention
        return
    lines = [
        "CTL file Updated",
        "Please Restart the TFTP and Cisco CallManager services on all nodes in the cluster that "
        "run these services",
    ]
    if cli.scenario.release >= _NEW_CTL_WORDS:
        lines.append("You must reset all phones to ensure they received the updated CTL file.")
        lines.append("You must restart Cisco CTIManager services on all the nodes in the cluster.")

    async def begun(_: datetime) -> None:
        cli.terminal.print("Updating CTL file")

    await cli.change(
        "utils ctl update CTLFile",
        lambda: cli.cluster.begin_ctl_update(cli.node),
        done=lambda: lines,
        meanwhile=begun,
    )


async def _localkey(cli: VosCli, kind: ListKind) -> None:
    await cli.change(
        f"utils {kind.value.lower()} reset localkey",
        lambda: cli.cluster.begin_localkey(cli.node, kind),
        done=lambda: _localkey_words(cli, kind),
    )


def _localkey_words(cli: VosCli, kind: ListKind) -> Sequence[str]:
    """Up to 14 the ITL's is known in full, for 15 in its last lines; the CTL's is by analogy."""
    if kind is ListKind.CTL or cli.scenario.release >= _NEW_ITL_WORDS:
        word = kind.value
        return (f"{word} file Reset.", "Please reset all the phones for the changes to take effect")
    nodes = cli.cluster.layout.tftp_nodes
    return (
        "",
        "Name is None ",
        "",
        "Generating the reset ITL file.....",
        "",
        "The reset ITL file was generated successfully",
        "",
        "Locating active Tftp servers in the cluster.....",
        "",
        "Following is the list of Active tftp servers in the cluster",
        "",
        "=" * 20,
        "",
        *nodes,
        "",
        "=" * 21,
        "",
        f"Number of Active TFTP servers in the cluster : {len(nodes)}",
        "",
        "Transferring new reset ITL file to the TFTP server nodes in the cluster.........",
        "",
        *(f"Successfully transferred reset ITL to node {node}" for node in nodes),
    )


async def _itl_localkey(cli: VosCli, _: str) -> None:
    await _localkey(cli, ListKind.ITL)


async def _ctl_localkey(cli: VosCli, _: str) -> None:
    await _localkey(cli, ListKind.CTL)


COMMANDS: Final[tuple[tuple[str, Handler], ...]] = (
    *SERVICE_COMMANDS,
    *CERTIFICATE_COMMANDS,
    *HEALTH_COMMANDS,
    ("show version active", _show_version),
    ("show network cluster", _show_cluster),
    ("utils ctl update CTLFile", _ctl_update),
    ("utils itl reset localkey", _itl_localkey),
    ("utils ctl reset localkey", _ctl_localkey),
    ("show itl", _show_itl),
    ("show ctl", _show_ctl),
    ("run sql", _run_sql),
    ("file view", _file_view),
    ("set cli pagination", _pagination),
    ("show cli pagination", _show_pagination),
)
