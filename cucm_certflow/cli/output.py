"""Honest exit statuses: what each means, and which one an outcome or an error has."""

from __future__ import annotations

from enum import IntEnum

from cucm_certflow.errors import (
    CertflowError,
    HeldError,
    NodeError,
    RefusedError,
    UsageError,
)
from cucm_certflow.observers import Aborted, Held, Outcome, Paused, Verified

__all__ = ["Exit", "exit_of_error", "exit_of_outcome"]


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
    """``verify`` saw something that is not as it should be, or could not see it.

    Of ``doctor``: every way to every node is good, and a clock or a name is not as it must be.
    """

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
