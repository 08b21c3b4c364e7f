"""Resetting many phones one by one, and saying honestly how far it came."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from cucm_certflow.clock import Clock
from cucm_certflow.commands import Reply, ReplyKind
from cucm_certflow.errors import (
    AuthenticationFailed,
    IdentityNotTrusted,
    NodeFault,
    NodeUnreachable,
    RateLimited,
    UnknownLayout,
)
from cucm_certflow.transports.base import short
from cucm_certflow.transports.http import NotSent
from cucm_certflow.transports.soap import SoapFault

__all__ = ["Resets"]

_MAX_CONCURRENCY: Final = 8
_BUSY_IN_A_ROW: Final = 5
_NAMED: Final = 5


class Resets:
    """Sends a reset to one phone after the other.

    Args:
        send: Resets one phone, by name.
        clock: Measures the pauses.
        concurrency: Phones reset at the same time, 1 to 8.
        busy_pause_s: Seconds to wait when the node is throttled.
    """

    def __init__(
        self,
        send: Callable[[str], Awaitable[None]],
        clock: Clock,
        *,
        concurrency: int,
        busy_pause_s: float,
    ) -> None:
        if not 1 <= concurrency <= _MAX_CONCURRENCY:
            message = f"reset_concurrency must be 1 to {_MAX_CONCURRENCY}, saw {concurrency}"
            raise ValueError(message)
        self._send = send
        self._clock = clock
        self._concurrency = concurrency
        self._busy_pause_s = busy_pause_s

    async def reset(self, names: Sequence[str]) -> Reply:
        """Reset the phones called *names*.

        A phone on which the node reports a fault is left out and named in the reply. A reply that
        is lost ends it: what comes after is not sent. Cancelling it leaves the phones in doubt.

        Raises:
            AuthenticationFailed: The account was refused; nothing was done.
            IdentityNotTrusted: The node is not who it should be; nothing was sent.
        """
        if not names:
            return Reply(ReplyKind.ACCEPTED, "no phone to reset; nothing was sent")
        run = _Round(list(names))
        # The first alone: what is wrong with the account or the node shows on one phone.
        await self._next(run)
        if run.waiting and not run.over:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self._concurrency, len(run.waiting))):
                    group.create_task(self._rest(run))
        if run.raised is not None and not run.touched:
            raise run.raised
        return run.reply()

    async def _rest(self, run: _Round) -> None:
        while run.waiting and not run.over:
            await self._next(run)

    async def _next(self, run: _Round) -> None:
        name = run.waiting.pop(0)
        try:
            await self._send(name)
        except (AuthenticationFailed, IdentityNotTrusted) as error:
            run.raised = error
            run.stop(name, error)
        except NotSent as error:
            run.stop(name, error)
        except (NodeUnreachable, UnknownLayout) as error:
            run.touched = True
            run.stop(name, error, lost=True)
        except RateLimited as error:
            run.fault(name, error)
            run.busy += 1
            if run.busy >= _BUSY_IN_A_ROW:
                run.over = run.over or short(error)
            elif run.waiting:
                await self._clock.sleep(self._busy_pause_s)
        except (SoapFault, ValueError) as error:
            run.fault(name, error)
        except NodeFault as error:
            run.stop(name, error)  # about the account or the interface, not about the phone
        else:
            run.touched = True
            run.busy = 0
            run.accepted += 1


class _Round:
    """How far a round of resets has come."""

    def __init__(self, names: list[str]) -> None:
        self.waiting = names
        self.accepted = 0
        self.busy = 0
        """Times in a row that AXL was throttled."""
        self.touched = False
        """Whether something may have been done to a phone."""
        self.lost: list[str] = []
        self.over = ""
        """Why nothing more is sent."""
        self.raised: AuthenticationFailed | IdentityNotTrusted | None = None
        self._asked = len(names)
        self._faults: dict[str, str] = {}

    def fault(self, name: str, error: Exception) -> None:
        """*name* was not reset, and the node said so."""
        self._faults[name] = short(error)

    def stop(self, name: str, error: Exception, *, lost: bool = False) -> None:
        """Nothing more is sent after *name*."""
        if lost:
            self.lost.append(name)
        else:
            self.fault(name, error)
        self.over = self.over or short(error)

    def reply(self) -> Reply:
        """What came of it."""
        words = [f"{self.accepted} of {self._asked} phones: the node took the reset"]
        if self._faults:
            named = "; ".join(f"{name}: {why}" for name, why in list(self._faults.items())[:_NAMED])
            more = len(self._faults) - _NAMED
            words.append(f"not reset: {named}" + (f"; and {more} more" if more > 0 else ""))
        if self.lost:
            words.append(f"in doubt: {', '.join(self.lost)}")
        if self.waiting:
            words.append(f"not sent: {len(self.waiting)}")
        if self.over:
            words.append(self.over)
        text = "\n".join(words)
        if not self.touched:
            return Reply(ReplyKind.REFUSED, text)
        return Reply(ReplyKind.LOST if self.over else ReplyKind.ACCEPTED, text)
