"""Who drives: locks with one owner each, that say who it is, and that the kernel lets go of."""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import json
import os
import stat
import sys
import tempfile
from collections.abc import Mapping
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Self

from cucm_certflow.errors import ClusterInUse, JournalError, Report

__all__ = [
    "ClusterLock",
    "Owner",
    "beside",
    "driver_of",
    "lock_file",
    "need_locks",
    "read_owner",
]

# Not on Windows. All but runs works there, so that fcntl is imported where a lock is taken.
_LOCKS: Final = find_spec("fcntl") is not None
_FOLDER: Final = "cucm-certflow-locks"
_MOST: Final = 4096
_TRIES: Final = 100


class Owner:
    """Who holds a lock, as it is written into the file beside it."""

    @staticmethod
    def mine(at: datetime) -> dict[str, Any]:
        """This process."""
        return {
            "pid": os.getpid(),
            "user": _user(),
            "host": os.uname().nodename,
            "since": at.isoformat(timespec="seconds"),
        }

    @staticmethod
    def words(owner: Mapping[str, Any]) -> str:
        """*owner* for a person; what is not there is said to be unknown."""
        if not owner:
            return "nobody knows who"
        pid, user, host, since = (owner.get(key, "?") for key in ("pid", "user", "host", "since"))
        return f"process {pid} of {user} on {host}, since {since}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.geteuid()}"


def need_locks() -> None:
    """Make sure that this system has what a run hangs on, before anything is made or sent.

    Raises:
        JournalError: It has no locks that the kernel lets go of when a process dies: Windows.
    """
    if not _LOCKS:
        raise JournalError(
            Report(
                headline="this system cannot keep a journal: it has no POSIX file locks",
                expected="Linux, where a process that dies lets go of what it drives",
                saw=sys.platform,
                left="nothing was sent, and no file was made",
                next="run and rehearse on Linux; discover, plan, check and report work here",
            )
        )


def lock_file(descriptor: int) -> bool:
    """Lock an open file for this process alone; False if somebody else has it.

    A process that dies, however, lets go of it. Who only looks whether it is locked has it for a
    moment: so long it is tried again.
    """
    import fcntl  # noqa: PLC0415 - not on Windows, see above

    for _ in range(_TRIES):
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        os.sched_yield()
    return False


def read_owner(path: Path) -> dict[str, Any]:
    """What is written in the file at *path*; empty if nothing readable is."""
    with contextlib.suppress(OSError, ValueError):
        written = json.loads(path.read_bytes()[:_MOST])
        if isinstance(written, dict):
            return written
    return {}


def beside(journal: str | os.PathLike[str]) -> Path:
    """Where it stands who drives *journal*; the lock itself is on the journal."""
    return Path(f"{os.fspath(journal)}.driver")


def driver_of(journal: str | os.PathLike[str]) -> str:
    """Who drives *journal* now, in words; empty if nobody does. It takes no lock for long.

    Where there are no locks nobody on this machine can drive.
    """
    if not _LOCKS:
        return ""
    import fcntl  # noqa: PLC0415 - not on Windows, see above

    try:
        descriptor = os.open(journal, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return Owner.words(read_owner(beside(journal)))
    finally:
        os.close(descriptor)
    return ""


class ClusterLock:
    """One driver for one cluster on this machine, whatever its journal and whoever its user is.

    It says nothing of other machines: what somebody does from there shows as drift.

    Args:
        cluster: What tells this cluster from others: its publisher's address.
        folder: Where the locks of this machine are; the system's folder for temporary files has
            one if it is not given.
    """

    def __init__(self, cluster: str, folder: str | os.PathLike[str] | None = None) -> None:
        self.cluster = cluster
        self._folder = Path(folder) if folder else Path(tempfile.gettempdir()) / _FOLDER
        name = hashlib.sha256(cluster.encode()).hexdigest()[:24]
        self._path = self._folder / f"{name}.lock"
        self._descriptor: int | None = None

    def acquire(self, at: datetime, *, run: str, records: int) -> Self:
        """Take the lock for the run called *run*, of which *records* records are written.

        Raises:
            ClusterInUse: Another process on this machine drives the cluster; the report says who.
            JournalError: The journal is an old copy: another one of the same run went further; or
                the lock cannot be made.
        """
        need_locks()
        try:
            self._folder.mkdir(mode=0o1777, parents=True, exist_ok=True)
            with contextlib.suppress(OSError):  # it belongs to whoever came first
                self._folder.chmod(0o1777)
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(self._path, flags, 0o666)
        except OSError as error:
            raise JournalError(
                Report(
                    headline="the lock of this cluster cannot be made",
                    saw=f"{self._path.name}: {error.strerror or error}",
                    left="nothing was sent",
                    next="make the folder of the locks writable, or name another one",
                )
            ) from error
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode) or not lock_file(descriptor):
                raise _in_use(self.cluster, read_owner(self._path))
            self._check_newest(read_owner(self._path), run, records)
            with contextlib.suppress(OSError):
                os.fchmod(descriptor, 0o666)  # the next user of this machine writes into it too
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        self.note(at, run=run, records=records)
        return self

    def _check_newest(self, before: Mapping[str, Any], run: str, records: int) -> None:
        written = before.get("records")
        if before.get("run") != run or not isinstance(written, int) or written <= records:
            return
        raise JournalError(
            Report(
                headline="the journal is an old copy",
                expected=f"{written} records or more, as the last driver of this run wrote",
                saw=f"{records} records",
                left="nothing was sent",
                next=f"resume with {before.get('journal') or 'the newest copy'}",
            )
        )

    def note(self, at: datetime, *, run: str, records: int, journal: str = "") -> None:
        """Write down who drives, and how far the run is; for people, and against old copies."""
        if self._descriptor is None:
            return
        body = {**Owner.mine(at), "run": run, "records": records, "journal": journal}
        text = json.dumps(body).encode()[:_MOST]
        with contextlib.suppress(OSError):  # the lock holds whether or not its words are written
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, text, 0)

    def release(self) -> None:
        """Let go of it; idempotent."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _in_use(cluster: str, owner: Mapping[str, Any]) -> ClusterInUse:
    return ClusterInUse(
        Report(
            headline=f"another process drives the cluster {cluster}",
            expected="one driver at a time",
            saw=Owner.words(owner),
            left="nothing was sent by this one",
            next="wait for the other one, or pause it, and resume",
        )
    )
