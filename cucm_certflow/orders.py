"""What a person asks of a run while it goes: to pause, to go on, to abort, to approve."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

import attrs

__all__ = ["Order", "OrderKind"]


class OrderKind(Enum):
    """What is asked."""

    PAUSE = "pause"
    """Stop at the next safe point; the journal resumes it."""

    RESUME = "resume"
    """Go on; a pause or an abort that was not carried out yet is taken back."""

    ABORT = "abort"
    """Begin nothing more, finish what must be finished, and end for good."""

    APPROVE = "approve"
    """Let *item* pass, which waits for a person."""


@attrs.frozen(kw_only=True)
class Order:
    """A person's order to a run; kept in its journal for good.

    Attributes:
        kind: What is asked.
        by: Who asks.
        why: The reason, in words.
        item: What is approved, as the reason that it stands still names it; empty for the others.
        id: Tells one order from another, so that none is carried out twice.
        at: When it was given; None until it is written down.
    """

    kind: OrderKind
    by: str
    why: str
    item: str = ""
    id: str = ""
    at: datetime | None = None

    def __attrs_post_init__(self) -> None:
        for key in ("by", "why"):
            if not getattr(self, key).strip():
                message = f"{key} must not be empty: who asks, and why, is part of the record"
                raise ValueError(message)
        if (self.kind is OrderKind.APPROVE) != bool(self.item.strip()):
            message = "an approval names what it is about, and no other order does"
            raise ValueError(message)

    def __str__(self) -> str:
        what = f"{self.kind.value} {self.item}".rstrip()
        return f"{what}, asked by {self.by}: {self.why}"
