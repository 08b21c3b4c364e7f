"""What the command line prints: the same values as text or as JSON, and honest exit statuses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from enum import Enum, IntEnum
from typing import Any

import attrs

from cucm_certflow.core.describe import by_hand, choices_of, ways_of
from cucm_certflow.core.plan import Plan
from cucm_certflow.errors import (
    CertflowError,
    HeldError,
    NodeError,
    RefusedError,
    UsageError,
)
from cucm_certflow.observers import Aborted, Held, Outcome, Paused, Verified
from cucm_certflow.trust.lifeline import Health

__all__ = ["Exit", "as_json", "exit_of_error", "exit_of_outcome", "plan_document"]


class Exit(IntEnum):
    """Exit statuses of ``certflow``."""

    DONE = 0
    """Everything asked for was done and verified."""

    USAGE = 2
    """The call, a file or an argument was wrong; nothing was sent."""

    REFUSED = 3
    """A safety rule said no; nothing was sent."""

    HELD = 4
    """A person must decide; the journal resumes the run."""

    LEFT_BEHIND = 5
    """Done and verified, but waived phones, or phones that nothing waits for, are not back.

    Of ``lab``: phones are lost, or phones that were registered are not back.
    """

    NODE = 6
    """A node, or the way to it, failed."""

    PAUSED = 7
    """Interrupted; the journal resumes the run."""

    NOT_VERIFIED = 8
    """``verify`` saw something that is not as it should be, or could not see it."""

    ABORTED = 9
    """A person ended the run for good; what it leaves is named."""

    HANGS = 10
    """``check``: the plan holds if CUCM is as the library assumes; what it hangs on is named."""

    NOT_COVERED = 11
    """``check``: nothing wrong was found before the budget was over, and not all was looked at."""

    BUG = 70
    """An exception that nobody expected: a bug of certflow. The journal resumes the run."""

    INTERRUPTED = 130
    """Interrupted where there is nothing to resume; nothing was changed."""

    UNREAD = 141
    """Nobody read the output to its end; only of commands that change nothing."""


def exit_of_outcome(outcome: Outcome | None) -> Exit:
    """The exit status for how a run ended."""
    match outcome:
        case Verified(left_behind=(), not_awaited=()):
            return Exit.DONE
        case Verified():
            return Exit.LEFT_BEHIND
        case Held():
            return Exit.HELD
        case Aborted():
            return Exit.ABORTED
        case Paused() | None:
            return Exit.PAUSED


def exit_of_error(error: CertflowError) -> Exit:
    """The exit status for an error of the library."""
    for kind, status in (
        (UsageError, Exit.USAGE),
        (RefusedError, Exit.REFUSED),
        (HeldError, Exit.HELD),
        (NodeError, Exit.NODE),
    ):
        if isinstance(error, kind):
            return status
    return Exit.NODE


def _plain(value: Any) -> Any:  # noqa: ANN401 - any value of the library
    if isinstance(value, Health):
        return value.name
    if isinstance(value, IntEnum):
        return value.name.lower()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    if attrs.has(type(value)):
        names = (field.name for field in attrs.fields(type(value)))
        return {name: _plain(getattr(value, name)) for name in names}
    if isinstance(value, Mapping):
        return {str(_plain(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple) and (fields := getattr(value, "_fields", None)):
        return {name: _plain(item) for name, item in zip(fields, value, strict=True)}
    if isinstance(value, frozenset | set):
        return sorted(map(_plain, value), key=str)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def as_json(value: object) -> str:
    """*value* as one JSON document; enumerations by value, instants in ISO 8601."""
    return json.dumps(_plain(value), ensure_ascii=False, sort_keys=True)


def plan_document(plan: Plan) -> dict[str, object]:
    """A plan for machines: windows, steps with their proofs and sources, phones, refusals.

    Besides: the choices in force, steps by hand, tasks for other people, the preflight, what was
    said, the certificates that are left alone, and the trust certificates that are deleted.
    """
    return {
        "fingerprint": plan.fingerprint,
        "refused": plan.is_refused,
        "refusals": plan.refusals,
        "phones": plan.outlooks,
        "waived": plan.waived,
        "interfaces": plan.facts.interfaces,
        "choices": [
            {
                "name": choice.name,
                "value": getattr(plan.policy, choice.name),
                "is_default": not choice.differs(plan.policy),
                "in_force": choice.in_force(plan.policy),
                "alternative": choice.alternative,
                "points": choice.points,
                "source": str(choice.source),
            }
            for choice in choices_of(plan)
        ],
        "by_hand": [step.id for step in by_hand(plan)],
        "tasks": [
            {
                "id": task.id,
                "partner": task.partner,
                "question": task.question,
                "instructions": task.instructions,
                "source": str(task.source),
            }
            for task in plan.tasks
        ],
        "preflight": plan.preflight.in_order() if plan.preflight else None,
        "said": plan.said,
        "left_alone": plan.left_alone,
        "entries": plan.entries,
        "windows": [
            {
                "number": window.number + 1,
                "units": window.units,
                "reason": window.reason,
                "rest": window.rest,
                "steps": [
                    {
                        "id": step.id,
                        "node": step.command.node,
                        "command": str(step.command),
                        "by": ways_of(plan, step),
                        "requires": sorted(each.value for each in step.row.requires),
                        "proof": step.row.proof,
                        "within_s": step.row.within_s,
                        "source": str(step.row.source),
                    }
                    for step in plan.steps
                    if step.window == window.number
                ],
            }
            for window in plan.windows
        ],
    }
