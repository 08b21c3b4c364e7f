"""What a client sees of each fault in the lab in memory: what the real transports make of it.

That is: which kind of Unknown a look becomes, which kind of reply a command gets, how long the
client waits before it gives up, and what is raised.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from cucm_certflow.commands import Reply, ReplyKind
from cucm_certflow.errors import AuthenticationFailed, IdentityNotTrusted, Report
from cucm_certflow.facts import Why
from cucm_certflow.lab.scenario_faults import FaultKind, FaultSpec
from cucm_certflow.names import Interface

__all__ = [
    "ACCOUNTS",
    "ANSWER_TIMEOUT_S",
    "CONNECTION_BROKE",
    "CONNECT_TIMEOUT_S",
    "LOOK_TIMEOUT_S",
    "NOT_SERVED",
    "Unseen",
    "expired",
    "foreign_certificate",
    "other_identity",
    "reply_before",
    "why_of",
    "words_of",
]

CONNECTION_BROKE: Final = "the connection broke before anything came back"

ACCOUNTS: Final[Mapping[str, str]] = {
    Interface.SSH: "platform",
    Interface.AXL: "application",
    Interface.RISPORT: "application",
    Interface.PERFMON: "application",
    Interface.CONTROL_CENTER: "application",
    Interface.PLATFORM_REST: "platform",
}
"""Which account each interface wants; the others want none."""

CONNECT_TIMEOUT_S: Final[Mapping[str, float]] = {Interface.SSH: 60.0}
"""How long the transports wait for a prompt; for anything else ten seconds, unless given here."""

LOOK_TIMEOUT_S: Final[Mapping[str, float]] = {
    Interface.SSH: 180.0,
    Interface.TFTP_HTTP: 10.0,
    Interface.TLS: 10.0,
}
"""How long they wait for the answer of a look; for those that are not named 60 s."""

ANSWER_TIMEOUT_S: Final = 900.0
"""How long they wait for a command of the command line to end."""

NOT_SERVED: Final = frozenset({FaultKind.NOT_FOUND, FaultKind.REFUSED})
"""What over HTTP 6970 is 404, and means that there is no such file."""

_WORDS: Final[Mapping[FaultKind, str]] = {
    FaultKind.REFUSED: "The command was refused by a fault of the scenario",
    FaultKind.UNKNOWN_LAYOUT: "%% 4711 unbekannte Ausgabe %%",
    FaultKind.TRUNCATED: "the session ended in the middle of the answer",
    FaultKind.NO_PROMPT: "no prompt in time",
    FaultKind.CONNECTION_REFUSED: "no connection: refused",
    FaultKind.SLOW_START: "no answer in time",
    FaultKind.MISSING_SESSION: "HTTP 404: the interface is not activated, or not up yet",
    FaultKind.NOT_FOUND: "HTTP 404: the interface is not activated, or not up yet",
    FaultKind.THROTTLED: "busy: HTTP 503",
    FaultKind.STATUS_599: "HTTP 599",
    FaultKind.SOAP_FAULT: "a SOAP fault of the scenario",
    FaultKind.RATE_LIMITED: "busy: Exceeded allowed rate for Reatime information",
    FaultKind.OUT_OF_MEMORY: "busy: the memory of other requests",
    FaultKind.REDIRECT_ELSEWHERE: "HTTP 302, a redirect; it is not followed",
    FaultKind.HTML: "a page for people",
    FaultKind.HUGE: "blanks",
}
_WHY: Final[Mapping[FaultKind, Why]] = {
    FaultKind.LOST_REPLY: Why.UNREACHABLE,
    FaultKind.LOST_COMMAND: Why.UNREACHABLE,
    FaultKind.LATE: Why.UNREACHABLE,
    FaultKind.RESET_BEFORE: Why.UNREACHABLE,
    FaultKind.RESET_DURING: Why.UNREACHABLE,
    FaultKind.RESET_AFTER: Why.UNREACHABLE,
    FaultKind.NO_PROMPT: Why.UNREACHABLE,
    FaultKind.CONNECTION_REFUSED: Why.UNREACHABLE,
    FaultKind.SLOW_START: Why.UNREACHABLE,
    FaultKind.MISSING_SESSION: Why.UNREACHABLE,
    FaultKind.NOT_FOUND: Why.UNREACHABLE,
    FaultKind.THROTTLED: Why.BUSY,
    FaultKind.RATE_LIMITED: Why.BUSY,
    FaultKind.OUT_OF_MEMORY: Why.BUSY,
    FaultKind.REFUSED: Why.FAULT,
    FaultKind.STATUS_599: Why.FAULT,
    FaultKind.SOAP_FAULT: Why.FAULT,
    FaultKind.REDIRECT_ELSEWHERE: Why.FAULT,
}


def words_of(kind: FaultKind) -> str:
    """What the client is told, or says itself."""
    return _WORDS.get(kind, CONNECTION_BROKE)


def why_of(kind: FaultKind, by: str) -> Why:
    """What kind of obstacle a look by interface *by* has met; what cannot be read, if no other."""
    if kind is FaultKind.TRUNCATED and by == Interface.SSH:
        return Why.UNREACHABLE  # the session ends with it
    return _WHY.get(kind, Why.UNREADABLE)


def reply_before(
    fault: FaultSpec,
    begin: Callable[[], datetime],
    later: Callable[[float, Callable[[], None]], None],
) -> Reply | None:
    """The reply of a fault that strikes before the node takes the command, if it does.

    Args:
        fault: It.
        begin: Lets the command begin.
        later: Lets something happen in so many seconds: a command that comes late.
    """
    match fault.kind:
        case FaultKind.REFUSED:
            return Reply(ReplyKind.REFUSED, words_of(fault.kind))
        case FaultKind.LOST_COMMAND | FaultKind.RESET_BEFORE:
            return Reply(ReplyKind.LOST, CONNECTION_BROKE)
        case FaultKind.LATE:

            def come() -> None:
                with contextlib.suppress(ValueError):  # refused, and nobody is there to hear
                    begin()

            later(fault.late_s, come)
            return Reply(ReplyKind.LOST, CONNECTION_BROKE)
        case _:  # the web's: what is not done is answered with a no
            return None if fault.kind.is_done else Reply(ReplyKind.REFUSED, words_of(fault.kind))


def expired(node: str, kind: str, user: str) -> AuthenticationFailed:
    """What is raised when *node* lets the account in no more, as the transports say it."""
    return AuthenticationFailed(
        Report(
            headline=f"{node} refused the {kind} account {user!r}",
            saw="the password has expired",
            left="nothing was done; the account is not tried again on any node",
        )
    )


def other_identity(node: str, door: int) -> IdentityNotTrusted:
    """What is raised when somebody else seems to be at port *door* of *node*."""
    return IdentityNotTrusted(
        Report(
            headline=f"{node}: what port {door} shows is not the known one",
            left="nothing was sent",
        )
    )


def foreign_certificate(node: str, door: int) -> str:
    """The fingerprint that port *door* shows while its certificate is swapped."""
    return f"nobody's certificate on port {door} of {node}"


class Unseen(Exception):
    """There is no answer, and this is why."""

    def __init__(self, reason: str, why: Why = Why.UNREACHABLE, role: str = "") -> None:
        super().__init__(reason)
        self.why = why
        self.role = role
