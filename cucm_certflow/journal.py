"""The journal: what was asked for, and every record, synced before its command is sent.

A text file: one JSON document a line, each with its number and a CRC-32. The first line holds
the facts and the wish that the plan was made from, so that a resumed run has the same plan. A
torn last line is what a crash leaves; it was never acted upon and is dropped. Anything else
that does not read is an error, and nothing is sent.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import zlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import attrs
from cattrs import Converter
from cattrs.gen import make_dict_structure_fn, override

from cucm_certflow.codec import fact_converter, list_from_json, list_to_json
from cucm_certflow.core.cleanup import plan_cleanup
from cucm_certflow.core.plan import CertificateKey, Plan, TrustKey
from cucm_certflow.core.planner import make_plan
from cucm_certflow.core.run_state import (
    Acknowledged,
    Beliefs,
    CertificateMoved,
    CommandMoved,
    EntryMoved,
    Record,
    Waived,
)
from cucm_certflow.errors import JournalError, JournalInUse, Report
from cucm_certflow.facts import ClusterFacts, ListView, TrustEntry
from cucm_certflow.findings import CheckReport, Said
from cucm_certflow.names import CertUnit
from cucm_certflow.procedures import PROCEDURES
from cucm_certflow.procedures.policies import Policy
from cucm_certflow.procedures.vocabulary import Procedure
from cucm_certflow.trust.phone import Holding, PhoneClass, order_of

__all__ = ["PROTOCOL", "Journal", "Wish"]

PROTOCOL: Final = 2
"""Of the file's layout; a journal of another one is refused."""


@attrs.frozen(kw_only=True)
class Wish:
    """What a plan was made from, besides facts."""

    windows: tuple[tuple[CertUnit, ...], ...] | None
    units: tuple[CertUnit, ...] | None
    policy: Policy
    waive: tuple[str, ...] = ()
    preflight: CheckReport | None = None
    said: tuple[Said, ...] = ()
    cleanup: tuple[TrustKey, ...] = ()
    stores: Mapping[str, tuple[TrustEntry, ...]] = attrs.field(
        factory=dict[str, tuple[TrustEntry, ...]]
    )
    """For a clean-up: what to delete, and what was in each node's trust stores."""

    @classmethod
    def of(cls, plan: Plan) -> Wish:
        """The wish that leads to *plan* again."""
        given = plan.given
        units = tuple(dict.fromkeys(key.unit for key in plan.certificates))
        return cls(
            windows=tuple(window.units for window in plan.windows) if given else None,
            units=None if given else units,
            policy=plan.policy,
            waive=tuple(sorted(plan.waived)),
            preflight=plan.preflight,
            said=plan.said[len(plan.preflight.said) if plan.preflight else 0 :],
            cleanup=plan.entries,
            stores=plan.stores,
        )

    def plan(self, facts: ClusterFacts, procedures: Iterable[Procedure] = PROCEDURES) -> Plan:
        """The plan for *facts*."""
        if self.cleanup:
            return plan_cleanup(
                facts, self.stores, delete=self.cleanup, policy=self.policy, said=self.said
            )
        return make_plan(
            facts,
            units=self.units,
            windows=self.windows,
            policy=self.policy,
            waive=self.waive,
            preflight=self.preflight,
            said=self.said,
            procedures=procedures,
        )


# ── how values are written ────────────────────────────────────────────────────────────────


def _converter() -> Converter:
    converter = fact_converter()
    converter.register_unstructure_hook(CertificateKey, lambda key: [key.unit.value, key.node])
    converter.register_structure_hook(
        CertificateKey, lambda value, _: CertificateKey(CertUnit(value[0]), value[1])
    )
    converter.register_unstructure_hook(TrustKey, list)
    converter.register_structure_hook(TrustKey, lambda value, _: TrustKey(*value))
    for moved in (CommandMoved, CertificateMoved):
        converter.register_structure_hook(
            moved,
            make_dict_structure_fn(moved, converter, beliefs=override(omit=True)),
        )
    return converter


def _beliefs_to_json(beliefs: Beliefs | None) -> list[Any] | None:
    """Each list once, and holdings by number: many phones hold few lists."""
    if beliefs is None:
        return None
    lists: dict[ListView, int] = {}

    def number(view: ListView | None) -> int:
        return -1 if view is None else lists.setdefault(view, len(lists))

    classes = [
        [
            [list(phone.group), phone.security_by_default, phone.secure],
            sorted([number(h.itl), number(h.ctl)] for h in sorted(belief, key=order_of)),
        ]
        for phone, belief in beliefs
    ]
    return [[list_to_json(view) for view in lists], classes]


def _beliefs_from_json(value: Any) -> Beliefs | None:  # noqa: ANN401 - it comes from JSON
    if value is None:
        return None
    lists = [list_from_json(view) for view in value[0]]

    def view(number: int) -> ListView | None:
        return None if number < 0 else lists[number]

    return tuple(
        (
            PhoneClass(tuple(group), by_default, secure),
            frozenset(Holding(view(itl), view(ctl)) for itl, ctl in holdings),
        )
        for (group, by_default, secure), holdings in value[1]
    )


_CONVERTER: Final = _converter()
_KINDS: Final[dict[str, type[Record]]] = {
    "command": CommandMoved,
    "certificate": CertificateMoved,
    "entry": EntryMoved,
    "waived": Waived,
    "acknowledged": Acknowledged,
}


def _record_to_json(record: Record) -> dict[str, Any]:
    kind = next(name for name, cls in _KINDS.items() if type(record) is cls)
    if isinstance(record, CommandMoved | CertificateMoved):
        body = _CONVERTER.unstructure(attrs.evolve(record, beliefs=None))
        body["beliefs"] = _beliefs_to_json(record.beliefs)
    else:
        body = _CONVERTER.unstructure(record)
        if isinstance(record, Waived):
            body["names"] = sorted(record.names)
    return {"kind": kind, **body}


def _record_from_json(value: dict[str, Any]) -> Record:
    body = dict(value)
    cls = _KINDS[body.pop("kind")]
    beliefs = _beliefs_from_json(body.pop("beliefs", None))
    record: Record = _CONVERTER.structure(body, cls)
    if isinstance(record, CommandMoved | CertificateMoved):
        return attrs.evolve(record, beliefs=beliefs)
    return record


# ── the file ──────────────────────────────────────────────────────────────────────────────


class Journal:
    """An open journal, locked against a second process. Use :meth:`create` or :meth:`open`.

    Not to be shared between threads. :meth:`close` is idempotent; a crash closes it as well.
    """

    def __init__(
        self, path: Path, descriptor: int, plan: Plan, records: tuple[Record, ...]
    ) -> None:
        self.path = path
        self.plan = plan
        self.records = records
        self._descriptor: int | None = descriptor
        self._sequence = len(records) + 1

    @classmethod
    def create(cls, path: str | os.PathLike[str], plan: Plan, *, at: datetime) -> Journal:
        """Start a journal for *plan*.

        Raises:
            JournalError: The file exists: a finished or a running change is never overwritten.
            JournalInUse: Another process holds it.
        """
        target = Path(path)
        try:
            descriptor = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise _there_already(target) from None
        except OSError as error:
            raise _unusable(target, error.strerror or str(error)) from error
        _lock(target, descriptor)
        journal = cls(target, descriptor, plan, ())
        header = {
            "protocol": PROTOCOL,
            "at": at.isoformat(),
            "digest": plan.digest(),
            "wish": _CONVERTER.unstructure(Wish.of(plan)),
            "facts": _CONVERTER.unstructure(plan.facts),
        }
        journal._write(0, header)
        _sync_folder(target)
        return journal

    @staticmethod
    def check_new(path: str | os.PathLike[str]) -> None:
        """Make sure, before anything else is done, that there is no such file yet.

        Raises:
            JournalError: There is one.
        """
        if os.path.lexists(path):
            raise _there_already(Path(path))

    @classmethod
    def open(
        cls, path: str | os.PathLike[str], *, procedures: Iterable[Procedure] = PROCEDURES
    ) -> Journal:
        """Open a journal to resume it; a torn last line is cut off.

        Raises:
            JournalError: There is no such file, it is of another protocol, it was written by
                other tables, or a line in its middle does not read. Nothing was sent.
            JournalInUse: Another process holds it.
        """
        target = Path(path)
        try:
            descriptor = os.open(target, os.O_RDWR)
        except OSError as error:
            raise _unusable(target, error.strerror or str(error)) from error
        _lock(target, descriptor)
        try:
            return cls._read(target, descriptor, procedures)
        except BaseException:
            os.close(descriptor)
            raise

    @classmethod
    def _read(cls, path: Path, descriptor: int, procedures: Iterable[Procedure]) -> Journal:
        data = path.read_bytes()
        lines = data.split(b"\n")
        kept = 0
        bodies: list[Any] = []
        for number, line in enumerate(lines):
            is_last = number >= len(lines) - 2
            if number == len(lines) - 1 and not line:
                break
            body = _checked(line, number)
            complete = kept + len(line) < len(data)  # its newline was written too
            if body is None or not complete:
                if is_last and not any(lines[number + 1 :]):
                    break
                raise _unusable(path, f"line {number + 1} does not read; the rest is not trusted")
            bodies.append(body)
            kept += len(line) + 1
        if not bodies:
            raise _unusable(path, "it has no readable first line")
        os.ftruncate(descriptor, kept)
        os.lseek(descriptor, 0, os.SEEK_END)
        header = bodies[0]
        if not isinstance(header, dict) or header.get("protocol") != PROTOCOL:
            saw = header.get("protocol") if isinstance(header, dict) else header
            raise _unusable(path, f"it is of protocol {saw}, this version reads {PROTOCOL}")
        try:
            wish = _CONVERTER.structure(header["wish"], Wish)
            facts = _CONVERTER.structure(header["facts"], ClusterFacts)
            records = tuple(_record_from_json(body) for body in bodies[1:])
        except Exception as error:
            raise _unusable(path, f"its content does not fit: {type(error).__name__}") from error
        plan = wish.plan(facts, procedures)
        if plan.digest() != header.get("digest"):
            raise _unusable(
                path,
                "it was written by other procedure tables than this version has; "
                "finish it with the version that began it",
            )
        return cls(path, descriptor, plan, records)

    def append(self, record: Record) -> None:
        """Write *record* and sync it to the disk; when this returns, it survives a crash.

        Raises:
            JournalError: The disk refused it. The command that belongs to it must not be sent.
        """
        self._write(self._sequence, _record_to_json(record))
        self._sequence += 1
        self.records = (*self.records, record)

    def _write(self, sequence: int, body: dict[str, Any]) -> None:
        if self._descriptor is None:
            raise _unusable(self.path, "it is closed")
        text = json.dumps([sequence, body], separators=(",", ":"), ensure_ascii=False)
        line = f"{zlib.crc32(text.encode()):08x} {text}\n".encode()
        try:
            while line:
                line = line[os.write(self._descriptor, line) :]
            os.fsync(self._descriptor)
        except OSError as error:
            raise _unusable(self.path, error.strerror or str(error)) from error

    def close(self) -> None:
        """Release the file and its lock; idempotent."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


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
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise JournalInUse(
            Report(
                headline=f"the journal {path.name} is in use by another process",
                left="nothing was sent by this one",
                next="wait for the other one, or stop it, and resume",
            )
        ) from None


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


def _unusable(path: Path, why: str) -> JournalError:
    return JournalError(
        Report(
            headline=f"the journal {path.name} cannot be used",
            saw=why,
            left="nothing was sent by this call",
            next="keep the file; it is the only record of what was done",
        )
    )
