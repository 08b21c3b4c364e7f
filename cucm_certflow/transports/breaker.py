"""One refused password is enough: the platform locks an account after three."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cucm_certflow.errors import AuthenticationFailed, Report

__all__ = ["Breaker"]


class Breaker:
    """Remembers accounts that were refused, for all nodes and interfaces of a cluster.

    An account is its kind (``platform`` or ``application``) and its user name; passwords never
    come here. One object is shared by everything on one event loop that talks to a cluster.
    """

    def __init__(self) -> None:
        self._refused: dict[tuple[str, str], str] = {}
        self._accepted: set[tuple[str, str]] = set()
        self._turns: dict[tuple[str, str], asyncio.Lock] = {}

    def check(self, kind: str, user: str, /) -> None:
        """Return if the account may be used.

        Raises:
            AuthenticationFailed: It was refused before. Nothing was sent.
        """
        where = self._refused.get((kind, user))
        if where is not None:
            raise AuthenticationFailed(
                Report(
                    headline=f"the {kind} account {user!r} is not tried again",
                    saw=f"{where} refused it",
                    left="nothing was sent",
                    next="correct the inventory; nodes lock an account after three failures",
                    source="show accountlocking (CLI reference 12.5): 3 attempts, 300 s",
                )
            )

    def trip(self, kind: str, user: str, where: str, /) -> None:
        """The account was refused at *where*: from now on nothing may use it."""
        self._refused.setdefault((kind, user), where)

    def accepted(self, kind: str, user: str, /) -> None:
        """A node has let the account in: logins need not wait for each other any longer."""
        self._accepted.add((kind, user))

    @asynccontextmanager
    async def turn(self, kind: str, user: str, /) -> AsyncIterator[None]:
        """Hold this while a password is on its way; alone, until the account was accepted once.

        Otherwise a wrong password would reach all nodes at the same moment, and lock them.

        Raises:
            AuthenticationFailed: The account was refused, before or while waiting.
        """
        key = (kind, user)
        self.check(*key)
        if key in self._accepted:
            yield
            return
        async with self._turns.setdefault(key, asyncio.Lock()):
            self.check(*key)
            yield
