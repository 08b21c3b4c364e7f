"""How the platform command line prints how a node is: replication, time, disk, cores, backups.

Text only. Layouts are those of captures from real nodes, except what a comment calls the lab's
invention.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from cucm_certflow.facts import Backup
from cucm_certflow.names import Release

__all__ = [
    "DATABASE_DOWN",
    "SINGLE_NODE",
    "Replicating",
    "backup_history",
    "backup_status",
    "core_files",
    "no_master",
    "ntp_status",
    "replication",
    "status",
]

_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun",
                  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")  # fmt: skip
_GOOD: Final = 2


def _java(instant: datetime) -> str:
    """``Fri Oct 30 14:55:31 UTC 2009``: every node of the lab lives in UTC."""
    day, month = _WEEKDAYS[instant.weekday()], _MONTHS[instant.month - 1]
    return f"{day} {month} {instant.day} {instant:%H:%M:%S} UTC {instant.year}"


# ── replication ───────────────────────────────────────────────────────────────────────────


class Replicating(NamedTuple):
    """A row of ``runtimestate``: a node, and its state; -1 is that without a number."""

    node: str
    address: str
    state: int


SINGLE_NODE: Final = (
    "Runtime state cannot be performed on a cluster with a single active node; aborting operation\n"
)
DATABASE_DOWN: Final = "Cisco DB is not running\n"

_WORDS: Final[Mapping[int, str]] = {
    _GOOD: "Setup Completed",
    4: "Setup Failed/Dropped",
    -1: "Not Setup",
}
"""Words of the states that captures have; those of others (``Setup Unknown``) are invented."""

_OLD_UP_TO: Final = (9, 1)
_PLAIN_UP_TO: Final = (10, 0)
_OLD_HEAD: Final = (
    "                        PING       REPLICATION   REPL. DBver&  REPL.  REPLICATION SETUP",
    "SERVER-NAME IP ADDRESS (msec) RPC? STATUS        QUEUE TABLES  LOOP? (RTMT) & details",
    "----------- ------------ ------ ---- ----------- ----- ------- -----  -----------------",
)
_PLAIN_HEAD: Final = (
    "                        PING       Replication  REPLICATION SETUP",
    "SERVER-NAME IP ADDRESS (msec) RPC? Group ID     (RTMT) & Details",
    "----------- ---------- ------ ---- ----------- -------------------",
)
_NEW_HEAD: Final = (
    "                                           PING      DB/RPC/   REPL.    Replication    "
    "REPLICATION SETUP",
    "SERVER-NAME              IP ADDRESS        (msec)    DbMon?    QUEUE    Group ID       "
    "(RTMT) & Details",
    "-----------              ----------        ------    -------   -----    -----------    "
    "------------------",
)


def replication(
    release: Release, asked: str, rows: Sequence[Replicating], *, version: str, now: datetime
) -> str:
    """``utils dbreplication runtimestate`` on *asked*, in the layout of *release*.

    Up to 9.1 it is that of an 8.6, then that of a 10.0, from 10.5 on that of a 15. The block above
    the table is the capture's, whatever the states below it are.

    Args:
        release: Which layout.
        asked: The node on which it is typed.
        rows: The nodes, in the order in which they are printed.
        version: The whole version: ``11.5.1.12900-21``.
        now: When.
    """
    count = f"Cluster Detailed View from {asked} ({len(rows)} Servers):"
    database = "ccm" + version.replace(".", "_").replace("-", "_")
    head = [f"Server Time: {_java(now)}", ""]
    if release.short <= _OLD_UP_TO:
        head += [
            "DB and Replication Services: ALL RUNNING",
            "",
            f"Cluster Replication State: Replication status command started at: {_stamp(now)}",
            "   Replication status command COMPLETED 269 tables checked out of 269",
            "   No Errors or Mismatches found.",
            "   Use 'file view activelog cm/trace/dbl/sdi/ReplicationStatus."
            f"{now:%Y_%m_%d_%H_%M_%S}.out' to see the details",
            "",
            f"DB Version: {database}",
            "Number of replicated tables: 269",
            "",
        ]
        lines = [
            f"{row.node} {row.address} 0.038 Yes Connected    0     match   Yes   "
            f"{_state(row, is_publisher=row == rows[0])}"
            for row in rows
        ]
        return "\n".join((*head, count, "", *_OLD_HEAD, *lines, ""))
    head += [
        f"Cluster Replication State: BROADCAST SYNC ended at: {_stamp(now)}",
        "     Sync Result: SYNC COMPLETED on 753 tables out of 753",
        "     Sync Status: All Tables are in sync",
        "     Use CLI to see detail: 'file view activelog cm/trace/dbl/"
        f"{now:%Y%m%d_%H%M%S}_dbl_repl_output_Broadcast.log'",
        "",
        f"DB Version: {database}",
        "",
        "Repltimeout set to: 300s",
        "PROCESS option set to: 1",
        "",
    ]
    if release.short <= _PLAIN_UP_TO:
        lines = [*head, count, "", *_PLAIN_HEAD]
        for number, row in enumerate(rows, 2):
            lines.append(f"{row.node}\t{row.address}\t0.040  Yes  \t(g_{number})\t{_state(row)}")
        return "\n".join(lines) + "\n"
    lines = [*head, count, "", *_NEW_HEAD]
    for number, row in enumerate(rows, 2):
        lines.append(
            f"{row.node:<24} {row.address:<17} 0.163     Y/Y/Y     0        "
            f"{f'(g_{number})':<14} {_state(row)}"
        )
    return "\n".join(lines) + "\n"


def _stamp(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d-%H-%M}"


def _state(row: Replicating, *, is_publisher: bool = False) -> str:
    words = _WORDS.get(row.state, "Setup Unknown")
    number = "-" if row.state < 0 else str(row.state)
    return f"({number}) {'PUB ' if is_publisher and row.state == _GOOD else ''}{words}"


# ── time ──────────────────────────────────────────────────────────────────────────────────

_NTP_RULE: Final = "=" * 78
_NTP_HEAD: Final = (
    "     remote           refid      st t when poll reach   delay   offset  jitter",
    _NTP_RULE,
)


def ntp_status(*, synchronised: bool, now: datetime) -> str:
    """``utils ntp status``: at stratum 3, or not at all. The server is a documentation address."""
    if synchronised:
        body = [
            "*192.0.2.123     LOCAL(1)         2 u  935 1024  377    0.262    2.591   3.260",
            "",
            "",
            "synchronised to NTP server (192.0.2.123) at stratum 3",
            "   time correct to within 32 ms",
            "   polling server every 1024 s",
        ]
    else:
        body = [
            " 192.0.2.123     .GOOG.           1 u   44   64    3   11.724   -0.021   0.064",
            "",
            "unsynchronised",
            "   polling server every 8 s",
        ]
    here = f"Current time in Etc/UTC is : {_java(now)}"
    lines = ["ntpd (pid 8609) is running...", "", *_NTP_HEAD, *body, ""]
    return "\n".join((*lines, f"Current time in UTC is : {_java(now)}", here)) + "\n"


# ── disk and cores ────────────────────────────────────────────────────────────────────────

_TOTAL_K: Final[Mapping[str, int]] = {
    "active": 19_805_412,
    "inactive": 19_805_412,
    "logging": 69_234_984,
}
_TOTAL_OF_OTHERS_K: Final = 1_000_000


def status(node: str, version: str, percents: Mapping[str, int], now: datetime) -> str:
    """``show status``: how full the partitions are is *percents*; the rest is a capture's."""
    day, month = _WEEKDAYS[now.weekday()], _MONTHS[now.month - 1]
    lines = [
        "",
        f"Host Name          : {node}",
        f"Date               : {day} {month} {now.day}, {now.year} {now:%H:%M:%S}",
        "Time Zone          : Coordinated Universal Time (Etc/UTC)",
        "Locale             : en_US.UTF-8",
        f"Product Ver        : {version}",
        "Unified OS Version : 7.0.0.0-4",
        "",
        "Uptime:",
        f" {now:%H:%M:%S} up 141 days,  1:12,  1 user,  load average: 2.22, 0.98, 0.82",
        "",
        "CPU Idle:   85.86%  System:   07.58%    User:   05.56%",
        "  IOWAIT:   00.51%     IRQ:   00.00%    Soft:   00.51%",
        "",
        "Memory Total:        7990056K",
        "        Free:         130848K",
        "        Used:        3963172K",
        "        Cached:        3232656K",
        "        Shared:         484376K",
        "        Buffers:        3896036K",
        "",
        "                        Total            Free            Used",
    ]
    for name, percent in percents.items():
        total = _TOTAL_K.get(name, _TOTAL_OF_OTHERS_K)
        used = total * percent // 100
        disk = f"Disk/{name}"
        lines.append(
            f"{disk:<16} {total:>11}K     {total - used:>11}K     {used:>11}K ({percent}%)"
        )
    return "\n".join(lines) + "\n"


def core_files(names: Sequence[str], at: datetime) -> str:
    """``utils core active list``; Size is empty, as in a capture; all are of the instant *at*."""
    if not names:
        return "No core files found\n"
    rows = [f"{at:%Y-%m-%d %H:%M:%S}   {name}" for name in names]
    return "\n".join(("", "      Size         Date            Core File Name", "=" * 65, *rows, ""))


# ── backups ───────────────────────────────────────────────────────────────────────────────

_NO_HISTORY: Final = "drfCliMsg:  No history data is available\n"
_OLD_HISTORY_UP_TO: Final = (9, 1)


def no_master(publisher: str) -> str:
    """What is said when nobody answers for the DRF Master."""
    return (
        f"Unable to connect to Master Agent host: {publisher.upper()}, Port: 4040. This may be due "
        "to Master or Local Agent being down.\n"
    )


def backup_history(release: Release, backups: Sequence[Backup], version: str) -> str:
    """``utils disaster_recovery history backup``: up to 9.1 the manual's, then a CUCM 15's rows.

    The head above the newer rows is the lab's invention: the capture is of one row.
    """
    if not backups:
        return _NO_HISTORY
    if release.short <= _OLD_HISTORY_UP_TO:
        lines = [
            "Tar Filename: Backup Device: Completed On: Result: Backup Type: Features Backed Up:"
        ]
        for backup in backups:
            result = "SUCCESS" if backup.succeeded else "ERROR"
            features = " CDR_CAR,CCM" if backup.succeeded else ""
            lines.append(f"{backup.name} TAPE {_of(backup)} {result} MANUAL{features}")
        return "\n".join(lines) + "\n"
    lines = [
        "Tar Filename              Backup Device  Completed On                  Result   "
        "Backup Type   Version           Features Backed Up         Failed Features"
    ]
    for backup in backups:
        result = "SUCCESS" if backup.succeeded else "ERROR"
        features = f"{version:<17} {'UCM':<26} ---" if backup.succeeded else ""
        row = (
            f"{backup.name:<25} NETWORK        {_of(backup)}  {result:<8} MANUAL        {features}"
        )
        lines.append(row.rstrip())
    return "\n".join(lines) + "\n"


def _of(backup: Backup) -> str:
    # A backup of the lab always has its instant.
    return _java(backup.at) if backup.at is not None else ""


def backup_status(operation: str, tar_name: str | None, percent: int = 42) -> str:
    """``utils disaster_recovery status backup`` or ``restore``.

    Fields are named as public scripts look for them. The values of a running one, and the message
    about a restore, are the lab's invention.

    Args:
        operation: ``backup`` or ``restore``.
        tar_name: What is written now; None if nothing is.
        percent: How far it is.
    """
    if tar_name is None:
        return f"drfCliMsg: No {operation} status available\n"
    return (
        f"Status: {percent} % in progress\n"
        f"Tar Filename: {tar_name}\n"
        "Storage Location: NETWORK\n"
        f"Operation: {operation.upper()}\n"
        f"Percentage Complete: {percent} %\n"
    )
