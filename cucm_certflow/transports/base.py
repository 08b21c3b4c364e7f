"""The one seam to the world: three methods, and everything else is a wrapper around them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Protocol

from cucm_certflow.clock import Clock
from cucm_certflow.commands import Command, Reply
from cucm_certflow.errors import (
    AuthenticationFailed,
    CertflowError,
    IdentityNotTrusted,
    NodeFault,
    NodeUnreachable,
    NotServed,
    RateLimited,
    RoleMissing,
    UnknownLayout,
)
from cucm_certflow.facts import Fact, Known, Query, Unknown, Why

__all__ = ["Transport", "look", "short", "unknown_because"]


class Transport(Protocol):
    """A way to a cluster, or to one of its nodes. It belongs to one event loop."""

    def supports(self, what: Query | Command) -> bool:
        """Whether this way can answer or do *what*; it sends nothing."""
        ...

    async def observe(self, query: Query) -> Fact:
        """Ask, and change nothing.

        An answer that could not be had, or could not be read, is an ``Unknown`` with its reason;
        it is never raised and never read as "no". The fact's instant is that of the beginning
        of the look. Cancelling it leaves nothing behind.

        Raises:
            AuthenticationFailed: The account was refused; it must not be tried again anywhere.
            IdentityNotTrusted: The node is not who it should be.
        """
        ...

    async def perform(self, command: Command) -> Reply:
        """Send *command* once, never again by itself.

        The reply proves nothing. Whatever goes wrong after sending may have begun is LOST.
        Cancelling it leaves the command in doubt: it may have been done.

        Raises:
            AuthenticationFailed: The account was refused; nothing was sent.
            IdentityNotTrusted: The node is not who it should be; nothing was sent.
        """
        ...

    async def aclose(self) -> None:
        """Let go of connections; idempotent."""
        ...


_WHY: tuple[tuple[type[Exception], Why], ...] = (
    (NodeUnreachable, Why.UNREACHABLE),
    (NotServed, Why.UNREACHABLE),
    (RoleMissing, Why.NOT_PERMITTED),
    (RateLimited, Why.BUSY),
    (UnknownLayout, Why.UNREADABLE),
    (NodeFault, Why.FAULT),
    (ValueError, Why.UNREADABLE),
)


async def look(clock: Clock, by: str, ask: Callable[[], Awaitable[Any]]) -> Fact:
    """What *ask* returns as a fact of this instant; what it raises as an Unknown.

    Raises:
        AuthenticationFailed: As :meth:`Transport.observe`.
        IdentityNotTrusted: As :meth:`Transport.observe`.
    """
    at = clock.now()
    try:
        return Known(await ask(), at, by)
    except (AuthenticationFailed, IdentityNotTrusted):
        raise
    except (CertflowError, ValueError) as error:
        return unknown_because(error, at, by)


def unknown_because(error: Exception, at: datetime, by: str) -> Unknown:
    """*error* as the reason for having no answer."""
    why = next((why for kind, why in _WHY if isinstance(error, kind)), Why.FAULT)
    role = error.role if isinstance(error, RoleMissing) else ""
    return Unknown(short(error), at, by, why, role)


def short(error: Exception) -> str:
    """*error* in one line: its headline, what was seen, and the role that it needs."""
    if isinstance(error, CertflowError):
        report = error.report
        text = f"{report.headline}: {report.saw}" if report.saw else report.headline
        return f"{text}; needs {error.role}" if isinstance(error, RoleMissing) else text
    return str(error)
