"""What goes wrong in a scenario: ``[[faults]]``, and which kind makes sense for what."""

from __future__ import annotations

from enum import Enum
from typing import Final

import attrs

from cucm_certflow.lab.document import Wrong, WrongValue
from cucm_certflow.names import Interface

__all__ = ["FaultKind", "FaultSpec", "door_of", "interface_of"]


class FaultKind(Enum):
    """What goes wrong with a command, or with a look; :attr:`interfaces` says where it can."""

    LOST_REPLY = "lost reply"
    """It was done, and nothing came back: the session ends half-way through it."""

    LOST_COMMAND = "lost command"
    """It was not done, and nothing came back: the session ends."""

    LATE = "late"
    """Nothing came back, and it is done ``late_s`` later."""

    UNKNOWN_LAYOUT = "unknown layout"
    """It was done, and what came back is of a form that nobody knows."""

    REFUSED = "refused"
    """The node said no, and did nothing."""

    RESET_BEFORE = "reset before"
    """The connection is reset as it arrives; it was not done."""

    RESET_DURING = "reset during"
    """The connection is reset half-way through it; it is done all the same."""

    RESET_AFTER = "reset after"
    """It was done to the end, and the connection is reset before a word of the answer."""

    TRUNCATED = "truncated"
    """It was done, and only the first half of the answer came back; a session ends with that."""

    NO_PROMPT = "no prompt"
    """It was done, and its answer never ends: no prompt, over HTTP no status; nothing breaks."""

    CONNECTION_REFUSED = "connection refused"
    """Nobody listens at that port of the node for ``for_s``; it was not done."""

    SLOW_START = "slow start"
    """Each new connection takes ``late_s`` until anything comes, for ``for_s``; it was not done
    if the client gives up before."""

    PASSWORD_EXPIRED = "password expired"
    """For ``for_s`` the node lets the account in no more, right as its password is; not done."""

    HOST_KEY_CHANGED = "host key changed"
    """For ``for_s`` another SSH host key is shown; it was not done."""

    TLS_SWAPPED = "tls swapped"
    """For ``for_s`` the port shows a certificate that no node of the cluster owns; not done."""

    MISSING_SESSION = "missing session"
    """404, as after 30 minutes of silence, whatever the request carries; it was not done."""

    NOT_FOUND = "not found"
    """404: the interface is not there, or the file; it was not done."""

    THROTTLED = "throttled"
    """503; it was not done."""

    STATUS_599 = "status 599"
    """599, as AXL says it to a version that it does not speak; it was not done."""

    SOAP_FAULT = "soap fault"
    """500 with a SOAP fault about nothing in particular; it was not done."""

    RATE_LIMITED = "rate limited"
    """The fault of RISPort70 and PerfMon about too many requests; it was not done."""

    OUT_OF_MEMORY = "out of memory"
    """AXL's fault about the memory that other requests use; it was not done."""

    REDIRECT_ELSEWHERE = "redirect elsewhere"
    """302 to another host; it was not done."""

    HTML = "html"
    """It was done, and a page for people came back, with status 200."""

    HUGE = "huge"
    """It was done, and 10 MB of blanks came back."""

    NIL_NODE_NAME = "nil node name"
    """It was done, and where the answer names a node there is nil."""

    MISSING_NO_CHANGE = "missing no change"
    """It was done, and RISPort70's answer lacks NoChange, which is mandatory."""

    UNQUALIFIED_CHILDREN = "unqualified children"
    """It was done, and what is within the answer has lost its namespace."""

    WRONG_BOOLEAN = "wrong boolean"
    """It was done, and true and false are spelt True and False."""

    @property
    def is_done(self) -> bool:
        """Whether the node did, or does at once, what it was told."""
        return self not in _NOT_DONE

    @property
    def is_about_connection(self) -> bool:
        """Whether it is the port that it strikes, for a while, and whoever comes there."""
        return self in _CONNECTION

    @property
    def interfaces(self) -> tuple[Interface, ...]:
        """Where this kind makes sense; empty if everywhere."""
        return _WHERE.get(self, ())


_CONNECTION: Final = frozenset(
    {
        FaultKind.CONNECTION_REFUSED,
        FaultKind.SLOW_START,
        FaultKind.PASSWORD_EXPIRED,
        FaultKind.HOST_KEY_CHANGED,
        FaultKind.TLS_SWAPPED,
    }
)
_NOT_DONE: Final = _CONNECTION | {
    FaultKind.LOST_COMMAND,
    FaultKind.LATE,
    FaultKind.REFUSED,
    FaultKind.RESET_BEFORE,
    FaultKind.MISSING_SESSION,
    FaultKind.NOT_FOUND,
    FaultKind.THROTTLED,
    FaultKind.STATUS_599,
    FaultKind.SOAP_FAULT,
    FaultKind.RATE_LIMITED,
    FaultKind.OUT_OF_MEMORY,
    FaultKind.REDIRECT_ELSEWHERE,
}
_AST: Final = (Interface.RISPORT, Interface.PERFMON, Interface.CONTROL_CENTER)
_SOAP: Final = (Interface.AXL, *_AST)
_WEB: Final = (*_SOAP, Interface.PLATFORM_REST)
_HTTP: Final = (*_WEB, Interface.TFTP_HTTP)
_ANSWERED: Final = (Interface.SSH, *_HTTP)
_WHERE: Final = {
    FaultKind.LATE: _ANSWERED,
    FaultKind.REFUSED: _ANSWERED,
    FaultKind.TRUNCATED: _ANSWERED,
    FaultKind.PASSWORD_EXPIRED: (Interface.SSH, *_WEB),
    FaultKind.HOST_KEY_CHANGED: (Interface.SSH,),
    FaultKind.TLS_SWAPPED: (*_WEB, Interface.TLS),
    FaultKind.MISSING_SESSION: _WEB,
    FaultKind.NOT_FOUND: _HTTP,
    FaultKind.THROTTLED: _HTTP,
    FaultKind.STATUS_599: _HTTP,
    FaultKind.SOAP_FAULT: _SOAP,
    FaultKind.RATE_LIMITED: (Interface.RISPORT, Interface.PERFMON),
    FaultKind.OUT_OF_MEMORY: (Interface.AXL,),
    FaultKind.REDIRECT_ELSEWHERE: _WEB,
    FaultKind.HTML: _HTTP,
    FaultKind.HUGE: _HTTP,
    FaultKind.NIL_NODE_NAME: _SOAP,
    FaultKind.MISSING_NO_CHANGE: (Interface.RISPORT,),
    FaultKind.UNQUALIFIED_CHILDREN: _AST,  # AXL's are unqualified anyway
    FaultKind.WRONG_BOOLEAN: _SOAP,
}
_COMMAND_LINE: Final = frozenset({"delete", "file", "run", "set", "show", "unset", "utils"})
_METHODS: Final = frozenset({"DELETE", "GET", "POST", "PUT"})
_CONTROL_CENTER: Final = frozenset(
    {"getProductInformationList", "getStaticServiceListExtended", "getFileDirectoryList"}
)
_DOORS: Final = {Interface.SSH: 22, Interface.TFTP_HTTP: 6970}
_WEB_DOOR: Final = 8443


def interface_of(command: str) -> Interface:
    """Which interface *command* goes to, by its first word; AXL has most of the words."""
    word = command.split(maxsplit=1)[0]
    if word in _COMMAND_LINE:
        return Interface.SSH
    if word in ("https", "tls"):
        return Interface.TLS
    if word == "http":
        return Interface.TFTP_HTTP
    if word in _METHODS:
        return Interface.PLATFORM_REST
    if word.startswith("perfmon"):
        return Interface.PERFMON
    if word.startswith("select"):
        return Interface.RISPORT
    if word.startswith("soap") or word in _CONTROL_CENTER:
        return Interface.CONTROL_CENTER
    return Interface.AXL


def door_of(command: str) -> int:
    """At which port of CUCM *command* comes in: ``tls 2445`` at 2445, AXL at 8443, SSH at 22."""
    where = interface_of(command)
    if where is Interface.TLS:
        number = command.split()[1:2]
        return int(number[0]) if number and number[0].isdecimal() else _WEB_DOOR
    return _DOORS.get(where, _WEB_DOOR)


@attrs.frozen(kw_only=True)
class FaultSpec:
    """One of ``[[faults]]``.

    Attributes:
        kind: What goes wrong.
        command: The command as it is typed (``set cert regen CallManager``), or its beginning, in
            whole words. For web operations their name: ``doDeviceReset`` (or with the phone:
            ``doDeviceReset SEP001122330001``), ``executeSQLQuery``, ``selectCmDeviceExt``, and
            method and path for the platform REST. For looks ``show cert own``, ``show itl``,
            ``show ctl``, ``utils service list``, ``https 8443``, ``tls 2445``, and ``http 6970``
            (or with the file: ``http 6970 ITLFile.tlv``). ``axl`` is the redirect from ``/axl`` to
            ``/axl/``.
        node: On which node; not given: on any.
        nth: On the first such command (1), the second (2), and so on.
        times: On how many such commands, one after the other.
        late_s: With ``late``: how much later it is done. With ``slow start``: how long the node
            takes.
        for_s: With those about a connection (``connection refused``, ``slow start``, ``password
            expired``, ``host key changed``, ``tls swapped``): for how long whoever comes to the
            port meets it, from the exchange that was struck.
    """

    kind: FaultKind
    command: str
    node: str | None = None
    nth: int = 1
    times: int = 1
    late_s: float = 120.0
    for_s: float = 300.0

    def __attrs_post_init__(self) -> None:
        if not self.command.strip():
            raise WrongValue(Wrong("command", "expected a command, or its beginning"))
        for key in ("nth", "times"):
            if getattr(self, key) < 1:
                raise WrongValue(Wrong(key, f"expected 1 or more, saw {getattr(self, key)}"))
        for key in ("late_s", "for_s"):
            if getattr(self, key) < 0:
                raise WrongValue(Wrong(key, f"expected 0 or more, saw {getattr(self, key)}"))
        where = interface_of(self.command)
        if self.kind.interfaces and where not in self.kind.interfaces:
            names = ", ".join(each.value for each in self.kind.interfaces)
            reason = f"{self.kind.value!r} strikes {names} only; {self.command!r:.60} is {where}"
            raise WrongValue(Wrong("kind", reason))
