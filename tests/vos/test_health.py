"""What a command line says of a node's health; cut short, it never says anything good."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cucm_certflow.errors import NodeFault, UnknownLayout
from cucm_certflow.facts import Backup, BackupActivity, NtpStatus
from cucm_certflow.transports.vos import health
from tests.vos.talk import printed, raw_fixture

READERS: Final[list[Callable[[str], object]]] = [
    health.replication,
    health.ntp_status,
    health.disk_use,
    health.time_zone,
    health.core_files,
    health.backup_history,
    lambda text: health.backup_activity(text, "backup"),
]
PACIFIC: Final = ZoneInfo("America/Los_Angeles")


@pytest.mark.parametrize("text", ["", "\n \n", "What a lovely day", "network request timed out"])
@pytest.mark.parametrize("read", READERS)
def test_a_text_that_says_nothing_is_unreadable(read: Callable[[str], object], text: str) -> None:
    with pytest.raises(UnknownLayout):
        read(text)


# ── replication ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "states"),
    [
        ("8.6.3", {"gwydla020218": 2, "gwydla020220": 2}),
        ("10.0", {"uc10-pub": 2, "uc10-sub1": 2}),
        ("10.5.2", {"CUCM10": 2, "CUCMv10SUB": 2}),
        ("15.0.0", {"cucm-57": 2, "cucm-55": 2}),
        ("imp", {"IMP01": 2, "IMP02": 2}),
    ],
)
def test_replication_is_read_in_every_captured_layout(name: str, states: dict[str, int]) -> None:
    assert health.replication(printed(f"dbreplication-runtimestate-{name}")) == states


@pytest.mark.parametrize(
    ("said", "state"),
    [("(4) Setup Failed/Dropped", 4), ("(-) Not Setup", -1), ("(0) Initializing", 0)],
)
def test_a_state_that_is_not_good_is_kept_as_it_is(said: str, state: int) -> None:
    text = printed("dbreplication-runtimestate-15.0.0")
    head, _, _ = text.rpartition("(2) Setup Completed")
    assert health.replication(head + said) == {"cucm-57": 2, "cucm-55": state}


def test_replication_of_a_single_node_is_empty_and_a_database_that_is_down_is_a_fault() -> None:
    _, single, down, timed_out = raw_fixture("error-network-timeouts").decode().splitlines()
    assert health.replication(single) == {}
    with pytest.raises(NodeFault, match="Cisco DB is not running"):
        health.replication(down)
    with pytest.raises(UnknownLayout):
        health.replication(timed_out)


def test_a_node_that_the_table_announces_and_lacks_makes_it_unreadable() -> None:
    text = printed("dbreplication-runtimestate-10.5.2")
    for broken in (
        text.replace("(2 Servers)", "(3 Servers)"),
        text.replace("(2 Servers)", "(0 Servers)"),
        text.replace("CUCMv10SUB", "CUCM10"),
        text.replace("(2) Setup Completed", "(two) Setup Completed"),
        text.replace("Cluster Detailed View", "Cluster View"),
        text + "\nand then something else",
        text + "\n" + text,
    ):
        with pytest.raises(UnknownLayout):
            health.replication(broken)


@given(st.integers(0, 10_000))
def test_replication_that_was_cut_short_is_the_whole_or_unreadable(at: int) -> None:
    text = printed("dbreplication-runtimestate-15.0.0")
    try:
        states = health.replication(text[: at % len(text)])
    except UnknownLayout:
        return
    assert states == {"cucm-57": 2, "cucm-55": 2}


# ── time, disk, cores ─────────────────────────────────────────────────────────────────────


def test_time_of_a_node() -> None:
    good = printed("ntp-status-synchronised-10.5")
    assert health.ntp_status(good) == NtpStatus(synchronised=True, stratum=3)
    assert health.ntp_status(good.replace("nised", "nized")).stratum == 3
    bad = NtpStatus(synchronised=False)
    assert health.ntp_status(printed("ntp-status-unsynchronised")) == bad
    assert health.ntp_status("ntpd (pid 1) is running...\ntime server re-starting\n") == bad


def test_a_node_prints_what_it_takes_for_the_time() -> None:
    good = health.ntp_status(printed("ntp-status-synchronised-10.5"))
    assert good.at == datetime(2019, 7, 3, 12, 40, 36, tzinfo=UTC)
    bad = health.ntp_status(printed("ntp-status-unsynchronised"))
    assert bad.at == datetime(2019, 9, 6, 20, 54, 50, tzinfo=UTC)
    text = printed("ntp-status-synchronised-10.5")
    for wrong in ("Jly 3", "Jul 99"):
        assert health.ntp_status(text.replace("Jul 3", wrong, 1)).at is None


def test_time_in_the_form_that_a_public_reader_expects_of_chrony() -> None:
    head = "MS Name/IP address         Stratum Poll Reach LastRx Last sample\n=======\n"
    one = "^? 10.1.89.2     0  10     0     -     +0ns[   +0ns] +/-    0ns\n"
    two = "^* 10.1.89.1     2  10   377   935   +262us[ +291us] +/-   32ms\n"
    assert health.ntp_status(head + one + two) == NtpStatus(synchronised=True, stratum=3)
    assert health.ntp_status(head + one) == NtpStatus(synchronised=False)
    with pytest.raises(UnknownLayout):
        health.ntp_status(head + two + two)
    with pytest.raises(UnknownLayout):
        health.ntp_status(head)


@given(st.integers(0, 10_000))
def test_time_that_was_cut_short_is_never_another_stratum(at: int) -> None:
    text = printed("ntp-status-synchronised-10.5").replace("stratum 3", "stratum 13")
    try:
        status = health.ntp_status(text[: at % len(text)])
    except UnknownLayout:
        return
    assert status == NtpStatus(synchronised=True, stratum=13)


def test_a_node_that_says_both_is_unreadable() -> None:
    with pytest.raises(UnknownLayout):
        health.ntp_status(printed("ntp-status-synchronised-10.5") + "\nunsynchronised\n")


def test_disks_and_zone_of_a_node() -> None:
    text = printed("show-status-10.0-second")
    assert health.disk_use(text) == {"active": 58, "inactive": 1, "logging": 26}
    assert health.time_zone(text) == ZoneInfo("Asia/Kolkata")
    full = printed("show-status-12.5-disk-92pct")
    assert health.disk_use(full) == {"active": 69, "inactive": 67, "logging": 92}


def test_disks_without_the_partition_that_fills_up_are_unreadable() -> None:
    text = printed("show-status-10.0-second")
    for broken in (
        text.replace("Disk/logging", "Disk-logging"),
        text.replace("(26%)", "(126%)"),
        text.replace("(26%)", "(26"),
        text.replace("Disk/inactive", "Disk/active"),
        "Executed command unsuccessfully",
        "",
    ):
        with pytest.raises(UnknownLayout):
            health.disk_use(broken)


@pytest.mark.parametrize("zone", ["Atlantis/Poseidonis", "../etc/passwd", ""])
def test_a_zone_that_nobody_knows_is_unreadable(zone: str) -> None:
    text = printed("show-status-10.0-second").replace("Asia/Kolkata", zone)
    with pytest.raises(UnknownLayout):
        health.time_zone(text)


def _core_lists() -> tuple[str, ...]:
    return tuple(printed("core-list-entries-12.5").split("\nadmin:")[:2])


def test_core_files_with_and_without_their_size() -> None:
    assert health.core_files(_core_lists()[0]) == ("core.jvm.core",)
    inactive = printed("core-list-entries-12.5").rpartition("list\n")[2]
    assert health.core_files(inactive) == ("core.62556.6.ccm.1645336926",)
    assert health.core_files("No core files found\n") == ()


def test_no_core_files_is_only_what_the_node_calls_so() -> None:
    text = _core_lists()[0]
    for broken in ("", text.replace("2023-03-02", "March"), text[: text.rindex("=")], "Size\n"):
        with pytest.raises(UnknownLayout):
            health.core_files(broken)
    with pytest.raises(UnknownLayout):
        health.core_files(f"No core files found\n{text}")


# ── backups ───────────────────────────────────────────────────────────────────────────────


def test_backups_in_both_layouts() -> None:
    assert health.backup_history(printed("drs-history-backup-9")) == (
        Backup(name="2009-10-30-14-53-32.tar", succeeded=False),
        Backup(name="2009-12-10-10-30-17.tar", succeeded=True),
    )
    row = printed("drs-history-backup-15-row")
    (backup,) = health.backup_history(row)
    assert backup == Backup(name="2025-12-12-13-44-12.tar", succeeded=True)
    assert health.zones_left_open(row)


def test_a_time_counts_only_in_a_zone_that_is_known() -> None:
    row = printed("drs-history-backup-15-row")

    def at(text: str, zone: ZoneInfo | None) -> datetime | None:
        return health.backup_history(text, zone)[0].at

    assert at(row, PACIFIC) == datetime(2025, 12, 12, 21, 45, 19, tzinfo=UTC)
    assert at(row, ZoneInfo("America/New_York")) is None  # its own is called EST
    assert at(row.replace(" PST ", " PDT "), PACIFIC) is None  # not in December
    utc = row.replace(" PST ", " UTC ")
    assert not health.zones_left_open(utc)
    assert at(utc, None) == at(utc, PACIFIC) == datetime(2025, 12, 12, 13, 45, 19, tzinfo=UTC)


def test_the_hour_that_comes_twice_is_told_apart_by_its_abbreviation() -> None:
    row = printed("drs-history-backup-15-row").replace("Fri Dec 12 13:45:19", "Sun Nov  2 01:30:00")
    first = health.backup_history(row.replace("PST", "PDT"), PACIFIC)[0].at
    second = health.backup_history(row, PACIFIC)[0].at
    assert first == datetime(2025, 11, 2, 8, 30, tzinfo=UTC)
    assert second == datetime(2025, 11, 2, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("SUCCESS  MANUAL", "SUCCES"),
        ("Dec 12", "Dec 32"),
        ("Dec 12", "Dez 12"),
        ("13:45:19", "13:45"),
        (".tar ", ".zip "),
        (" PST 2025", " 2025"),
    ],
)
def test_a_row_of_another_form_makes_the_history_unreadable(old: str, new: str) -> None:
    good = printed("drs-history-backup-15-row")
    with pytest.raises(UnknownLayout):
        health.backup_history(f"{good}\n{good.replace(old, new)}")


def test_what_drs_says_when_it_has_nothing_to_say() -> None:
    status, history, no_master = raw_fixture("drs-messages-no-data").decode().splitlines()
    assert health.backup_history(history) == ()
    assert health.backup_activity(status, "backup") is BackupActivity.IDLE
    with pytest.raises(UnknownLayout):
        health.backup_activity(status, "restore")
    restore = status.replace("backup", "restore")
    assert health.backup_activity(restore, "restore") is BackupActivity.IDLE
    for read in (health.backup_history, lambda text: health.backup_activity(text, "backup")):
        with pytest.raises(NodeFault, match="Master Agent host: NYVMITEL01"):
            read(no_master)


def test_idle_is_only_what_is_known_to_mean_it() -> None:
    # The names of the fields are those of a public script; no value of any is known.
    fields = "Status: {}\nTar Filename: a.tar\nOperation: backup\nPercentage Complete: {}\n"
    running = fields.format("Whatever it is", "40%")
    assert health.backup_activity(running, "backup") is BackupActivity.RUNNING
    for text in (
        "",
        fields.format("SUCCESS", "100%"),
        fields.format("SUCCESS", "a lot"),
        "No backup currently in progress",
        "drfCliMsg: No backup status available\nStatus: running",
    ):
        with pytest.raises(UnknownLayout):
            health.backup_activity(text, "backup")
