"""The one seam to the world: three methods, and everything else is a wrapper around them."""

from __future__ import annotations

from typing import Protocol

from cucm_certflow.commands import Command, Reply
from cucm_certflow.facts import Fact, Query

__all__ = ["Transport"]


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
