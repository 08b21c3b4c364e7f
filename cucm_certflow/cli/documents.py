"""The documents that ``--json`` prints: every kind with its version, and how values are written.

The rule: a new field keeps the version; whatever removes or renames a field, or changes what one
means, raises it. ``docs/schemas`` has a JSON Schema of every kind, made from the same types.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from enum import Enum, IntEnum
from typing import Any, Final, get_args

import attrs

from cucm_certflow.core.run_state import Record
from cucm_certflow.errors import CertflowError, Report
from cucm_certflow.names import Release, SecurityMode
from cucm_certflow.observers import Event, Outcome
from cucm_certflow.procedures.vocabulary import Source

__all__ = [
    "AS_TEXT",
    "BY_NAME",
    "LEFT_OUT",
    "TAGGED",
    "DocumentKind",
    "ErrorDocument",
    "as_document",
    "error_document",
    "fields_of",
    "print_document",
]


class DocumentKind(Enum):
    """Every kind of document, by its name and version: what ``schema`` says in it."""

    CHECK = "check/1"
    """What ``check`` found in a plan."""

    DIAGRAM = "diagram/1"
    """What ``diagram`` draws, as nodes and edges, and the drawing."""

    DOCTOR = "doctor/1"
    """What ``doctor`` saw."""

    ERROR = "error/1"
    """Why a command ended early, of any command."""

    EVENT = "event/1"
    """One thing that a run told while it went: ``run``, ``resume``, ``abort``, ``cleanup``."""

    EXPLANATION = "explanation/1"
    """A procedure, of ``explain``."""

    FACTS = "facts/1"
    """What ``discover`` observed."""

    LAB = "lab/1"
    """That a lab is ready, and where its inventory is: the first line of ``lab``."""

    ORDER = "order/1"
    """What ``pause``, ``approve`` or ``abort`` left in the inbox of a run."""

    OUTCOME = "outcome/1"
    """How a run ended: the last line of ``run``, ``resume``, ``abort`` and ``cleanup``."""

    PLAN = "plan/1"
    """What would be done, of ``plan``; the first line of ``run`` and ``cleanup``."""

    PREFLIGHT = "preflight/1"
    """What ``preflight`` found."""

    REHEARSAL = "rehearsal/1"
    """What came of ``rehearse``."""

    REMEDIES = "remedies/1"
    """What would bring a phone back, of ``remedies``."""

    REPORT = "report/1"
    """Where the report of a journal is, of ``report``."""

    STATUS = "status/1"
    """How a run stands, of ``status``."""

    VERDICT = "verdict/1"
    """What became of a lab's phones: the last line of ``lab``, and its ``--verdict`` file."""

    VERIFY = "verify/1"
    """What ``verify`` saw."""


@attrs.frozen(kw_only=True)
class ErrorDocument:
    """An error, for machines.

    Attributes:
        error: The name of its class.
        code: Its code, which stays the same; empty for a bug of ours.
        report: What it says.
    """

    error: str
    code: str
    report: Report


def error_document(error: CertflowError) -> ErrorDocument:
    """*error* for machines."""
    return ErrorDocument(error=type(error).__name__, code=error.code, report=error.report)


TAGGED: Final[frozenset[type]] = frozenset(
    {*get_args(Event), *get_args(Outcome), *get_args(Record)}
)
"""Where one of these stands another may stand: each says its class under ``type``."""

LEFT_OUT: Final = frozenset({"beliefs"})
"""Fields that are for the journal alone: what phones may hold by then, thousands of lines of it."""

BY_NAME: Final = (IntEnum, SecurityMode)
"""Enumerations whose values are numbers: they are written by name, in lower case."""

AS_TEXT: Final = (Release, Source)
"""What is written as its text."""


def fields_of(kind: type[Any]) -> tuple[str, ...]:
    """The fields of *kind* that are written."""
    return tuple(each.name for each in attrs.fields(kind) if each.name not in LEFT_OUT)


def as_document(kind: DocumentKind, value: object) -> str:
    """*value* as one JSON document of *kind*, on one line.

    Enumerations are written by value, or by name where that is a number; instants in ISO 8601.

    Args:
        kind: What it is.
        value: A value of the library with named fields, or an object.
    """
    body = {"schema": kind.value, **_plain(value)}
    return json.dumps(body, ensure_ascii=False, sort_keys=True)


def print_document(kind: DocumentKind, value: object) -> None:
    """Print *value* as one line, at once: whoever reads a pipe sees it when it happens."""
    print(as_document(kind, value), flush=True)


def _plain(value: Any) -> Any:  # noqa: ANN401 - any value of the library
    if isinstance(value, AS_TEXT):
        return str(value)
    if isinstance(value, BY_NAME):
        return value.name.lower()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    if attrs.has(type(value)):
        tag = {"type": type(value).__name__} if type(value) in TAGGED else {}
        return tag | {name: _plain(getattr(value, name)) for name in fields_of(type(value))}
    if isinstance(value, Mapping):
        return {str(_plain(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple) and (names := getattr(value, "_fields", None)):
        return {name: _plain(item) for name, item in zip(names, value, strict=True)}
    if isinstance(value, frozenset | set):
        return sorted(map(_plain, value), key=str)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
