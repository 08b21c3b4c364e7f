"""What the looks at the nodes of a cluster showed, and what to do about it: values."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

import attrs

from cucm_certflow.findings import Verdict
from cucm_certflow.names import Interface

__all__ = ["Area", "DoctorReport", "Sign"]


class Area(Enum):
    """What a sign is about."""

    REACH = "reachability"
    """Whether there is a connection, and an answer."""

    IDENTITY = "identity"
    """Whether the node is who it must be: SSH host key, HTTPS certificate."""

    CREDENTIALS = "credentials"
    """Whether the account is let in."""

    PRIVILEGES = "privileges"
    """Whether the account may do there what a run needs."""

    CLOCK = "clock"
    """Whether the node's clock follows a time server, and agrees with ours."""

    NAMES = "names"
    """Whether inventory and cluster mean the same nodes."""


@attrs.frozen(kw_only=True)
class Sign:
    """What one look at one node showed.

    Attributes:
        area: What it is about.
        node: By the inventory's name; empty if it is about the cluster.
        interface: Over what; None if it is about none.
        verdict: Whether it is as it must be. What could not be looked at is no pass.
        detail: What was seen, in words.
        next: What to do; empty with a pass.
    """

    area: Area
    node: str
    interface: Interface | None = None
    verdict: Verdict
    detail: str
    next: str = ""

    def __str__(self) -> str:
        words = {Verdict.PASS: "ok", Verdict.FINDING: "WRONG", Verdict.UNKNOWN: "unknown"}
        about = self.interface.value if self.interface else self.area.value
        line = f"{words[self.verdict]:<8} {about}: {self.detail}"
        return f"{line}\n           next: {self.next}" if self.next else line


@attrs.frozen(kw_only=True)
class DoctorReport:
    """Everything that was looked at, node by node in the order of the inventory.

    Attributes:
        at: When the looking began.
        took_s: How long it took, in seconds of the clock.
        signs: What each look showed.
        unseen: What nothing that only looks can show, in words; a person has to know it.
    """

    at: datetime
    took_s: float
    signs: tuple[Sign, ...]
    unseen: tuple[str, ...] = ()

    @property
    def is_well(self) -> bool:
        """Whether everything that was looked at is as it must be; what is unknown is not."""
        return all(sign.verdict is Verdict.PASS for sign in self.signs)

    @property
    def can_be_driven(self) -> bool:
        """Whether every node is reached, known, and lets both accounts do what a run needs."""
        about_others = (Area.CLOCK, Area.NAMES)
        return all(s.verdict is Verdict.PASS for s in self.signs if s.area not in about_others)

    def wrong(self) -> tuple[Sign, ...]:
        """The signs that are no pass, in order."""
        return tuple(sign for sign in self.signs if sign.verdict is not Verdict.PASS)

    def __str__(self) -> str:
        lines: list[str] = []
        for node in dict.fromkeys(sign.node for sign in self.signs):
            lines.append(node or "the cluster")
            lines += [f"  {sign}" for sign in self.signs if sign.node == node]
        wrong = len(self.wrong())
        lines += [f"cannot be seen: {text}" for text in self.unseen]
        total = f"{len(self.signs)} looks in {self.took_s:.0f} s; nothing was changed"
        lines.append(f"all is well: {total}" if not wrong else f"{wrong} to mend or find: {total}")
        return "\n".join(lines)
