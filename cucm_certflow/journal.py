"""The journal: what was asked for, and every record, synced before its command is sent.

A text file: one JSON document a line, each with its number and a CRC-32. The first line holds
the facts and the wish that the plan was made from, so that a resumed run has the same plan. Notes
stand between the records and are not waited for. A last line without its end is what a crash
leaves; it was never acted upon and is dropped. Anything else that does not read is an error, and
nothing is sent.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import zlib
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import attrs

from cucm_certflow.core.plan import Plan
from cucm_certflow.core.run_state import Record
from cucm_certflow.documents import not_read, not_written
from cucm_certflow.errors import JournalError, JournalInUse, JournalNotWritten, Report
from cucm_certflow.facts import ClusterFacts
from cucm_certflow.journal_lines import (
    CONVERTER,
    Wish,
    line_from_json,
    note_to_json,
    record_to_json,
)
from cucm_certflow.locks import Owner, beside, lock_file, need_locks, read_owner
from cucm_certflow.notes import Migrated, Note
from cucm_certflow.procedures import PROCEDURES
from cucm_certflow.procedures.policies import Canary
from cucm_certflow.procedures.vocabulary import Procedure

__all__ = ["MIGRATIONS", "PROTOCOL", "Journal", "Written"]

PROTOCOL: Final = 3
"""Of the file's layout; a journal of another one is refused, or migrated by a named migration."""


# ── other protocols ───────────────────────────────────────────────────────────────────────


class Migration(NamedTuple):
    """How a journal of an older protocol is read: *header* makes its first line one of the next."""

    name: str
    header: Callable[[dict[str, Any]], dict[str, Any]]


def _to_3(header: dict[str, Any]) -> dict[str, Any]:
    """Protocol 3 added orders, hours, an end, notes, what a proof saw, and a mark of the steps.

    What was planned before there were canaries has none: its steps are those of its records.
    """
    wish = header["wish"]
    policy = {**wish["policy"], "canary": CONVERTER.unstructure(Canary.OFF)}
    return {**header, "protocol": 3, "steps": "", "wish": {**wish, "policy": policy}}


MIGRATIONS: Final[Mapping[int, Migration]] = {2: Migration("2-to-3", _to_3)}
"""By the protocol that is read; whatever is not here is refused."""


def _migrated(path: Path, header: Any) -> tuple[dict[str, Any], tuple[str, ...]]:  # noqa: ANN401 - it comes from JSON
    """*header* as of this protocol, and the migrations that made it so.

    Raises:
        JournalError: No migration leads here.
    """
    names: list[str] = []
    while not isinstance(header, dict) or header.get("protocol") != PROTOCOL:
        saw = header.get("protocol") if isinstance(header, dict) else header
        migration = MIGRATIONS.get(saw) if isinstance(saw, int) else None
        if migration is None:
            later = isinstance(saw, int) and saw > PROTOCOL
            raise _unusable(
                path,
                f"it is of protocol {saw}, this version reads {PROTOCOL}"
                + ("; a newer version wrote it: use that one" if later else ""),
            )
        header = migration.header(header)
        names.append(migration.name)
    return header, tuple(names)


# ── the file ──────────────────────────────────────────────────────────────────────────────


@attrs.frozen(kw_only=True)
class Written:
    """What a journal holds, for whoever only reads it."""

    plan: Plan
    records: tuple[Record, ...]
    notes: tuple[Note, ...]
    begun: datetime
    lines: tuple[Record | Note, ...] = ()
    """Both, in the order in which they stand in the file."""

    run: str
    """Tells this run from others: of its first line."""

    migrations: tuple[str, ...] = ()
    size: int = 0
    """Bytes that were read; what follows was torn."""

    digest: str = ""
    """SHA-256 of the whole file as it was read, a torn end included, in hex."""

    torn: int = 0
    """Bytes after those that were read: the beginning of a line that was never synced."""


class Journal:
    """An open journal, locked against a second process. Use :meth:`create` or :meth:`open`.

    Not to be shared between threads. :meth:`close` is idempotent; a crash closes it as well.
    """

    def __init__(self, path: Path, descriptor: int, written: Written, *, lines: int) -> None:
        """*lines* of *written* stand in the file, in its first ``written.size`` bytes."""
        self.path = path
        self.plan = written.plan
        self.records = written.records
        self.notes = written.notes
        self.begun = written.begun
        self.run = written.run
        self._descriptor: int | None = descriptor
        # The number of the next line, and where it goes: one value, so that an interrupt at any
        # moment finds them in step.
        self._next = lines, written.size

    @classmethod
    def create(cls, path: str | os.PathLike[str], plan: Plan, *, at: datetime) -> Journal:
        """Start a journal for *plan*.

        Raises:
            JournalError: The file exists: a finished or a running change is never overwritten. Or
                it cannot be written: then no file is left behind.
            JournalInUse: Another process holds it.
        """
        need_locks()
        target = Path(path)
        header = {
            "protocol": PROTOCOL,
            "at": at.isoformat(),
            "digest": plan.digest(),
            "steps": _mark_of_steps(plan),
            "wish": CONVERTER.unstructure(Wish.of(plan)),
            "facts": CONVERTER.unstructure(plan.facts),
        }
        try:
            descriptor = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            raise _there_already(target) from None
        except OSError as error:
            raise _not_new(target, not_written(error)) from error
        _lock(target, descriptor)
        _say_who(target, at)
        name = _name_of(_line(0, header))
        written = Written(plan=plan, records=(), notes=(), begun=at, run=name)
        journal = cls(target, descriptor, written, lines=0)
        try:
            journal._write(header, sync=True)
            _sync_folder(target)
        except (JournalNotWritten, OSError) as error:
            # Nothing hangs on it yet: half a first line would only be in the way.
            journal.close()
            with contextlib.suppress(OSError):
                target.unlink()
            why = not_written(error) if isinstance(error, OSError) else error.report.saw
            raise _not_new(target, why) from error
        return journal

    @staticmethod
    def check_new(path: str | os.PathLike[str]) -> None:
        """Make sure, before anything else is done, that the file can be made.

        Raises:
            JournalError: There is one already, or its folder is missing or cannot be written; or
                this system has no locks for it.
        """
        need_locks()
        target = Path(path)
        if os.path.lexists(target):
            raise _there_already(target)
        folder = target.absolute().parent
        if not folder.is_dir():
            raise _not_new(target, f"there is no folder {folder}")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise _not_new(target, f"you are not allowed to write in {folder}")

    @classmethod
    def read(
        cls, path: str | os.PathLike[str], *, procedures: Iterable[Procedure] = PROCEDURES
    ) -> Written:
        """What is in a journal, whoever drives it. Nothing is locked, and nothing changed.

        Raises:
            JournalError: As :meth:`open`.
        """
        target = Path(path)
        try:
            data = target.read_bytes()
        except OSError as error:
            raise _not_there(target, error) from error
        return _parsed(target, data, procedures)[0]

    @staticmethod
    def read_on(path: str | os.PathLike[str], before: Written) -> Written:
        """What is in a journal now, of which *before* was read earlier; only what is new is parsed.

        A last line without its end is being written: it is left for the next call. Nothing is
        locked, and nothing changed.

        Raises:
            JournalError: The file is another one than *before*, is shorter, or a new line does not
                read.
        """
        target = Path(path)
        try:
            with target.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                name = _name_of(file.readline())
                file.seek(before.size)
                data = file.read()
        except OSError as error:
            raise _not_there(target, error) from error
        if name != before.run or size < before.size:
            raise _unusable(target, "another file was put in its place")
        whole = data.rfind(b"\n") + 1
        number = 1 + len(before.records) + len(before.notes)
        read: list[Record | Note] = []
        for line in data[:whole].split(b"\n")[:-1]:
            body = _checked(line, number)
            if body is None:
                raise _unusable(target, f"line {number + 1} does not read; the rest is not trusted")
            try:
                read.append(line_from_json(body))
            except Exception as error:
                raise _unusable(
                    target, f"its content does not fit: {type(error).__name__}"
                ) from error
            number += 1
        return attrs.evolve(
            before,
            records=(*before.records, *(each for each in read if not isinstance(each, Note))),
            notes=(*before.notes, *(each for each in read if isinstance(each, Note))),
            size=before.size + whole,
        )

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        at: datetime | None = None,
        procedures: Iterable[Procedure] = PROCEDURES,
    ) -> Journal:
        """Open a journal to resume it; a last line without its end is cut off.

        Args:
            path: The file.
            at: Now; given by whoever is going to write.
            procedures: The tables to plan by; the library's own.

        Raises:
            JournalError: There is no such file, it is another user's, it is of another protocol, it
                was written by other tables, or a line does not read. Nothing was sent, and the
                file is as it was.
            JournalInUse: Another process holds it; the report says who.
        """
        need_locks()
        target = Path(path)
        try:
            descriptor = os.open(target, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise _not_there(target, error) from error
        try:
            owner = os.fstat(descriptor).st_uid
            if owner != os.geteuid():
                raise _unusable(target, f"it belongs to another user ({owner})")
        except BaseException:
            os.close(descriptor)
            raise
        _lock(target, descriptor)
        try:
            written, lines = _parsed(target, target.read_bytes(), procedures)
            os.ftruncate(descriptor, written.size)
            os.lseek(descriptor, 0, os.SEEK_END)
            journal = cls(target, descriptor, written, lines=lines)
            _say_who(target, at)
            for name in written.migrations if at is not None else ():
                if not any(isinstance(n, Migrated) and n.name == name for n in written.notes):
                    journal.note(Migrated(at=at or written.begun, name=name))
        except OSError as error:
            os.close(descriptor)
            raise _unusable(target, error.strerror or str(error)) from error
        except BaseException:
            os.close(descriptor)
            raise
        return journal

    def append(self, record: Record) -> None:
        """Write *record* and sync it to the disk; when this returns, it survives a crash.

        Raises:
            JournalNotWritten: The disk refused it. The command that belongs to it must not be sent,
                and nothing more is written: what stood there before still reads.
        """
        self._write(record_to_json(record), sync=True)
        self.records = (*self.records, record)

    def note(self, note: Note) -> None:
        """Write *note* without waiting for the disk: it survives the process, if not the machine.

        Raises:
            JournalNotWritten: As :meth:`append`.
        """
        self._write(note_to_json(note), sync=False)
        self.notes = (*self.notes, note)

    def _write(self, body: dict[str, Any], *, sync: bool) -> None:
        if self._descriptor is None:
            raise _not_written(self.path, "it is closed")
        number, end = self._next
        line = _line(number, body)
        after = number + 1, end + len(line)
        try:
            # What a write left that a signal broke off is of a line that nobody acted on.
            os.ftruncate(self._descriptor, end)
            os.lseek(self._descriptor, end, os.SEEK_SET)
            while line:
                line = line[os.write(self._descriptor, line) :]
            if sync:
                os.fsync(self._descriptor)
        except OSError as error:
            # Half a line, or one that may not be on the disk, must not stand before the next one.
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, end)
            self.close()
            raise _not_written(self.path, not_written(error)) from error
        self._next = after

    def close(self) -> None:
        """Release the file and its lock; idempotent."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                beside(self.path).unlink()
            os.close(self._descriptor)
            self._descriptor = None


def _line(sequence: int, body: dict[str, Any]) -> bytes:
    text = json.dumps([sequence, body], separators=(",", ":"), ensure_ascii=False)
    return f"{zlib.crc32(text.encode()):08x} {text}\n".encode()


def _name_of(first_line: bytes) -> str:
    return hashlib.sha256(first_line.rstrip(b"\n")).hexdigest()[:32]


def _mark_of_steps(plan: Plan) -> str:
    """What the journal's records are about: the steps of the plan, in their order."""
    text = "\n".join(f"{step.id} {step.command}" for step in plan.steps)
    return hashlib.sha256(text.encode()).hexdigest()


def _parsed(path: Path, data: bytes, procedures: Iterable[Procedure]) -> tuple[Written, int]:
    """What *data* holds, and how many lines of it read.

    A last line without its end was never synced: nothing was done on it. A whole line that does not
    read may have been: what follows from it is not known, and it is left to a person.
    """
    whole = data.rfind(b"\n") + 1
    lines = data[:whole].split(b"\n")[:-1]
    bodies: list[Any] = []
    for number, line in enumerate(lines):
        body = _checked(line, number)
        if body is None:
            raise _unusable(path, f"line {number + 1} does not read; the rest is not trusted")
        bodies.append(body)
    if not bodies:
        raise _unusable(path, "it has no readable first line")
    header, migrations = _migrated(path, bodies[0])
    try:
        wish = CONVERTER.structure(header["wish"], Wish)
        facts = CONVERTER.structure(header["facts"], ClusterFacts)
        begun = datetime.fromisoformat(header["at"])
        read = [line_from_json(body) for body in bodies[1:]]
    except Exception as error:
        raise _unusable(path, f"its content does not fit: {type(error).__name__}") from error
    plan = wish.plan(facts, procedures)
    if plan.digest() != header.get("digest") or header["steps"] not in ("", _mark_of_steps(plan)):
        raise _unusable(
            path,
            "it was written by other procedure tables than this version has; "
            "finish it with the version that began it",
        )
    written = Written(
        plan=plan,
        records=tuple(each for each in read if not isinstance(each, Note)),
        notes=tuple(each for each in read if isinstance(each, Note)),
        begun=begun,
        lines=tuple(read),
        run=_name_of(lines[0]),
        migrations=migrations,
        size=whole,
        digest=hashlib.sha256(data).hexdigest(),
        torn=len(data) - whole,
    )
    return written, len(lines)


def _checked(line: bytes, number: int) -> Any:  # noqa: ANN401 - it comes from JSON
    """The body of a line, or None if its checksum, its number or its JSON is wrong."""
    checksum, _, text = line.partition(b" ")
    with contextlib.suppress(ValueError):
        if int(checksum, 16) == zlib.crc32(text):
            sequence, body = json.loads(text)
            if sequence == number:
                return body
    return None


def _lock(path: Path, descriptor: int) -> None:
    if not lock_file(descriptor):
        os.close(descriptor)
        raise JournalInUse(
            Report(
                headline=f"the journal {path.name} is in use by another process",
                saw=Owner.words(read_owner(beside(path))),
                left="nothing was sent by this one",
                next="wait for the other one, or pause it, and resume",
            )
        )


def _say_who(path: Path, at: datetime | None) -> None:
    """Write down who drives from now on; without an instant nobody does, and it is only read."""
    if at is not None:
        with contextlib.suppress(OSError):  # the lock holds whether or not its words are written
            beside(path).write_text(json.dumps(Owner.mine(at)), encoding="utf-8")


def _sync_folder(path: Path) -> None:
    folder = os.open(path.resolve().parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _there_already(path: Path) -> JournalError:
    return JournalError(
        Report(
            headline=f"the journal {path.name} exists",
            expected="a new file for a new change",
            left="nothing was sent",
            next="resume it, or choose another name",
        )
    )


def _not_new(path: Path, why: str) -> JournalError:
    return JournalError(
        Report(
            headline=f"the journal {path} cannot be begun",
            expected="a new file in a folder that you may write in, with room on its disk",
            saw=why,
            left="nothing was sent, and no file was left behind",
            next="name another file, or make room for it",
        )
    )


def _not_there(path: Path, error: OSError) -> JournalError:
    return JournalError(
        Report(
            headline=f"the journal {path} cannot be used",
            expected="the file that a run was begun with",
            saw=not_read(path, error),
            left="nothing was sent by this call",
            next="correct the path",
        )
    )


def _not_written(path: Path, why: str) -> JournalNotWritten:
    return JournalNotWritten(
        Report(
            headline=f"the journal {path.name} cannot be used any more: the disk refused a line",
            saw=why,
            left="what stands in it still reads; nothing was sent since",
            next="make room, or mend the disk, and resume",
        )
    )


def _unusable(path: Path, why: str) -> JournalError:
    return JournalError(
        Report(
            headline=f"the journal {path.name} cannot be used",
            saw=why,
            left="nothing was sent by this call",
            next="keep the file; it is the only record of what was done",
        )
    )
