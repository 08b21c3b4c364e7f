"""How well a node and its cluster are, read from the platform command line into values.

Pure functions of text, as :mod:`cucm_certflow.transports.vos.parsers`: what is not positively
recognised is :class:`~cucm_certflow.errors.UnknownLayout`, what the node itself calls an error is
:class:`~cucm_certflow.errors.NodeFault`. A text that was cut short is never a good one.

Not verified on a node:

- that *a single active node* in the refusal of ``runtimestate`` means a cluster of one node, and
  never a larger one of which only one node answers: compare an empty answer with the members;
- the chrony form of ``utils ntp status``, which is known from the reader of a public tool; the
  stratum of the node is taken to be one more than that of its source;
- ``utils disaster_recovery status``. Known are the message that there is nothing to say about a
  backup, and, from scripts, the names of five fields, but no value of any. What the message about a
  restore is called is inferred from that about a backup. After a backup a node may print the
  fields for good: that is not read, because no source shows how it says that it is over;
- that ``history backup`` writes times in the node's own zone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

from cucm_certflow.facts import Backup, BackupActivity, NtpStatus
from cucm_certflow.transports.vos.texts import lines_of, node_says, unknown

__all__ = [
    "backup_activity",
    "backup_history",
    "core_files",
    "disk_use",
    "ntp_status",
    "replication",
    "time_zone",
    "zones_left_open",
]

_MOST_PERCENT: Final = 100

# ── the database ──────────────────────────────────────────────────────────────────────────

_SINGLE_NODE: Final = (
    "Runtime state cannot be performed on a cluster with a single active node; aborting operation"
)
_DATABASE_DOWN: Final = "Cisco DB is not running"
_VIEW: Final = re.compile(r"Cluster Detailed View from \S+ \((?P<count>\d{1,3}) Servers?\):")
_RULES: Final = re.compile(r"-+(?:\s+-+)+")
# The columns between differ by release; the state in brackets, and words behind it, do not.
_REPLICATES: Final = re.compile(
    r"(?P<name>[\w.-]+)\s+(?P<address>[\w.:-]+)\s+\S.*"
    r"\((?P<state>\d{1,2}|-)\)\s+[A-Za-z]\S*(?: .*)?"
)
_HEADS: Final = 3
"""Lines at most between the title of the table and its rule."""


def replication(text: str) -> Mapping[str, int]:
    """``utils dbreplication runtimestate``: the state of each node, 2 being good, -1 for ``(-)``.

    Empty where the node says that it is alone. Every node that the table announces must be in it.

    Raises:
        NodeFault: The node's database does not run.
        UnknownLayout: Anything else.
    """
    command = "utils dbreplication runtimestate"
    lines = [line.strip() for line in lines_of(text)]
    if _DATABASE_DOWN in lines:
        raise node_says(command, _DATABASE_DOWN)
    views = [(at, m) for at, line in enumerate(lines) if (m := _VIEW.fullmatch(line))]
    if _SINGLE_NODE in lines and not views:
        return MappingProxyType({})
    if len(views) != 1 or _SINGLE_NODE in lines:
        raise unknown(command, text)
    at, view = views[0]
    table = [line for line in lines[at + 1 :] if line]
    rule = next((n for n, line in enumerate(table) if _RULES.fullmatch(line)), len(table))
    if not 0 < rule <= _HEADS:
        raise unknown(command, "\n".join(table))
    states: dict[str, int] = {}
    for row in table[rule + 1 :]:
        match = _REPLICATES.fullmatch(row)
        if match is None or match["name"] in states:
            raise unknown(command, row)
        states[match["name"]] = -1 if match["state"] == "-" else int(match["state"])
    if not states or len(states) != int(view["count"]):
        raise unknown(command, f"{len(states)} rows under: {view[0]}")
    return MappingProxyType(states)


# ── time ──────────────────────────────────────────────────────────────────────────────────

_SYNCHRONISED: Final = re.compile(
    r"synchroni[sz]ed to NTP server \([\w.:-]+\) at stratum (?P<stratum>\d{1,2})"
)
_NOT_SYNCHRONISED: Final = re.compile(r"unsynchroni[sz]ed|time server re-starting")
_POLLING: Final = re.compile(r"polling server every \d+ s")
_CHRONY_HEAD: Final = re.compile(r"MS Name/IP address\s+Stratum\s+Poll\s+Reach\s.*")
_CHRONY: Final = re.compile(
    r"[\^=#](?P<mark>[*+?x~-])\s+\S+\s+(?P<stratum>\d{1,2})\s+\d+\s+\d+\s.*"
)


def ntp_status(text: str) -> NtpStatus:
    """``utils ntp status``: whether the node follows an NTP server, how closely, and its time."""
    command = "utils ntp status"
    lines = [line.strip() for line in lines_of(text)]
    good = [m for line in lines if (m := _SYNCHRONISED.fullmatch(line))]
    bad = [line for line in lines if _NOT_SYNCHRONISED.fullmatch(line)]
    sources = [m for line in lines if (m := _CHRONY.fullmatch(line))]
    chrony = any(_CHRONY_HEAD.fullmatch(line) for line in lines)
    at = _time_in_utc(lines)
    if bad and not good:
        return NtpStatus(synchronised=False, at=at)
    # The poll comes after the stratum: without it, the stratum may have been cut.
    if len(good) == 1 and not bad and any(_POLLING.fullmatch(line) for line in lines):
        return NtpStatus(synchronised=True, stratum=int(good[0]["stratum"]), at=at)
    if chrony and sources and not good:
        followed = [source for source in sources if source["mark"] == "*"]
        if not followed:
            return NtpStatus(synchronised=False, at=at)
        if len(followed) == 1:
            stratum = int(followed[0]["stratum"]) + 1
            return NtpStatus(synchronised=True, stratum=stratum, at=at)
    raise unknown(command, text)


_IN_UTC: Final = re.compile(
    r"Current time in UTC is : \w{3} (?P<month>\w{3}) +(?P<day>\d{1,2}) "
    r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d) UTC (?P<year>\d{4})"
)


def _time_in_utc(lines: list[str]) -> datetime | None:
    """What the node takes for now, to the second; None where it does not print it, or not so."""
    found = [m for line in lines if (m := _IN_UTC.fullmatch(line))]
    if len(found) != 1 or found[0]["month"] not in _MONTHS:
        return None
    day, hour, minute, second = (int(found[0][n]) for n in ("day", "hour", "minute", "second"))
    year, month = int(found[0]["year"]), _MONTHS.index(found[0]["month"]) + 1
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None


_ZONE: Final = re.compile(r"Time Zone\s*: .*\((?P<zone>[A-Za-z][\w+-]*(?:/[\w+-]+)*)\)")


def time_zone(text: str) -> ZoneInfo:
    """``show status``: the zone of the node, by its name in the IANA database.

    Raises:
        UnknownLayout: It names none, or none that this machine knows.
    """
    found = [m["zone"] for line in lines_of(text) if (m := _ZONE.fullmatch(line.strip()))]
    if len(found) != 1:
        raise unknown("show status", text)
    try:
        return ZoneInfo(found[0])
    except (ValueError, OSError) as error:  # ZoneInfoNotFoundError is a KeyError
        raise unknown("show status", f"Time Zone {found[0]}") from error
    except KeyError as error:
        raise unknown("show status", f"Time Zone {found[0]}, not known here") from error


# ── disk ──────────────────────────────────────────────────────────────────────────────────

_DISK: Final = re.compile(
    r"Disk/(?P<name>\w+)\s+\d+K\s+\d+K\s+\d+K\s+\((?P<percent>\d{1,3})%\)(?:\s+<-.*)?"
)


def disk_use(text: str) -> Mapping[str, int]:
    """``show status``: how full each partition is, in per cent; ``active`` and ``logging`` always.

    Columns are total, free, used; an author's arrow behind a row is let pass.
    """
    command = "show status"
    found: dict[str, int] = {}
    for line in lines_of(text):
        if not line.strip().startswith("Disk/"):
            continue
        match = _DISK.fullmatch(line.strip())
        if match is None or match["name"] in found or int(match["percent"]) > _MOST_PERCENT:
            raise unknown(command, line)
        found[match["name"]] = int(match["percent"])
    if not {"active", "logging"} <= set(found):
        raise unknown(command, text)
    return MappingProxyType(found)


# ── core files ────────────────────────────────────────────────────────────────────────────

_NO_CORES: Final = "No core files found"
_CORES_HEAD: Final = re.compile(r"Size\s+Date\s+Core File Name")
_CORE: Final = re.compile(
    r"(?:\d+ [KMG]?B\s+)?\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\s+(?P<name>[^\s/]+)"  # Size may be empty
)


def core_files(text: str) -> tuple[str, ...]:
    """``utils core active list``: the names of the files, none where the node says so."""
    command = "utils core active list"
    lines = [line.strip() for line in lines_of(text) if line.strip()]
    if lines == [_NO_CORES]:
        return ()
    if len(lines) < 3 or not _CORES_HEAD.fullmatch(lines[0]):  # noqa: PLR2004 - names, rule, a row
        raise unknown(command, text)
    if not re.fullmatch("=+", lines[1]):
        raise unknown(command, lines[1])
    rows = [_CORE.fullmatch(line) for line in lines[2:]]
    names = tuple(row["name"] for row in rows if row is not None)
    if len(names) != len(rows):
        raise unknown(command, text)
    return names


# ── backups ───────────────────────────────────────────────────────────────────────────────

_NO_HISTORY: Final = re.compile(r"drfCliMsg:\s+No history data is available")
_NO_MASTER: Final = re.compile(r"Unable to connect to Master Agent host: .*")
_HISTORY_HEAD: Final = re.compile(r"Tar Filename:?\s+Backup Device:?\s.*", re.IGNORECASE)
_MONTHS: Final = (
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
)
_BACKUP: Final = re.compile(
    r"(?P<name>\S+\.tar)\s+(?P<device>\S.*?)\s+(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (?P<month>\w{3}) +"
    r"(?P<day>\d{1,2}) (?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d) (?P<zone>[A-Za-z0-9+:-]+) "
    r"(?P<year>\d{4})\s+(?P<result>[A-Z][A-Z_]*)\s+(?P<type>[A-Z][A-Z_]*)(?:\s+\S.*)?"
)
_AS_UTC: Final = frozenset({"UTC", "GMT"})


def backup_history(text: str, zone: tzinfo | None = None) -> tuple[Backup, ...]:
    """``utils disaster_recovery history backup``: its rows as printed, in both known layouts.

    Abbreviations of zones are not unique (PST is also the Philippines', CST China's): a time counts
    only if it is UTC, or if *zone* has that very abbreviation at that very time.

    Args:
        text: What was printed.
        zone: The node's own.

    Raises:
        NodeFault: The node cannot ask its DRF Master.
        UnknownLayout: Anything else.
    """
    command = "utils disaster_recovery history backup"
    lines = [line.strip() for line in lines_of(text) if line.strip()]
    _heed_master(command, lines)
    if len(lines) == 1 and _NO_HISTORY.fullmatch(lines[0]):
        return ()
    if lines and _HISTORY_HEAD.fullmatch(lines[0]):
        lines = lines[1:]
    backups = tuple(_backup(command, line, zone) for line in lines)
    if not backups:
        raise unknown(command, text)
    return backups


def zones_left_open(text: str) -> bool:
    """Whether the history in *text* has times that only the node's own zone can settle."""
    rows = (_BACKUP.fullmatch(line.strip()) for line in lines_of(text))
    return any(row is not None and row["zone"] not in _AS_UTC for row in rows)


def _backup(command: str, line: str, zone: tzinfo | None) -> Backup:
    match = _BACKUP.fullmatch(line)
    if match is None or match["month"] not in _MONTHS:
        raise unknown(command, line)
    day, hour, minute, second = (int(match[n]) for n in ("day", "hour", "minute", "second"))
    year, month = int(match["year"]), _MONTHS.index(match["month"]) + 1
    try:
        local = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - sought below
    except ValueError as error:
        raise unknown(command, line) from error
    return Backup(
        name=match["name"],
        succeeded=match["result"] == "SUCCESS",
        at=_instant(local, match["zone"], zone),
    )


def _instant(local: datetime, printed: str, zone: tzinfo | None) -> datetime | None:
    if printed in _AS_UTC:
        return local.replace(tzinfo=UTC)
    if zone is None:
        return None
    for fold in (0, 1):  # an hour that comes twice is told apart by its abbreviation
        there = local.replace(tzinfo=zone, fold=fold)
        if there.tzname() == printed:
            return there.astimezone(UTC)
    return None


_PERCENTAGE: Final = re.compile(r"Percentage Complete:\s*(?P<percent>\d{1,3})\s*%?")


def backup_activity(text: str, operation: str) -> BackupActivity:
    """``utils disaster_recovery status backup``, or ``restore``: whether one runs.

    Args:
        text: What was printed.
        operation: ``backup`` or ``restore``.

    Raises:
        NodeFault: The node cannot ask its DRF Master.
        UnknownLayout: Anything that is neither the message that there is nothing, nor a percentage
            below 100.
    """
    command = f"utils disaster_recovery status {operation}"
    lines = [line.strip() for line in lines_of(text) if line.strip()]
    _heed_master(command, lines)
    if lines == [f"drfCliMsg: No {operation} status available"]:
        return BackupActivity.IDLE
    found = [int(m["percent"]) for line in lines if (m := _PERCENTAGE.fullmatch(line))]
    if len(found) == 1 and found[0] < _MOST_PERCENT:
        return BackupActivity.RUNNING
    raise unknown(command, text)


def _heed_master(command: str, lines: list[str]) -> None:
    for line in lines:
        if _NO_MASTER.fullmatch(line):
            raise node_says(command, line)
