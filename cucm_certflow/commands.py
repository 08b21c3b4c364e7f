"""What can be done to a cluster: the changing commands, and what came back."""

from __future__ import annotations

from enum import Enum

import attrs

from cucm_certflow.names import CertUnit, ListKind, Service

__all__ = [
    "ByHand",
    "Command",
    "DeleteTrust",
    "Regenerate",
    "Reply",
    "ReplyKind",
    "ResetLocalkey",
    "ResetPhones",
    "RestartService",
    "StartService",
    "StopService",
    "UpdateCtl",
]


@attrs.frozen
class Regenerate:
    """``set cert regen UNIT`` on *node*: a new self-signed certificate and key."""

    node: str
    unit: CertUnit

    def __str__(self) -> str:
        return f"set cert regen {self.unit}"


@attrs.frozen
class UpdateCtl:
    """``utils ctl update CTLFile`` on the publisher."""

    node: str

    def __str__(self) -> str:
        return "utils ctl update CTLFile"


@attrs.frozen
class ResetLocalkey:
    """``utils itl|ctl reset localkey`` on the publisher: the list signed by the other anchor."""

    node: str
    kind: ListKind

    def __str__(self) -> str:
        return f"utils {self.kind.value.lower()} reset localkey"


@attrs.frozen
class RestartService:
    """``utils service restart NAME`` on *node*."""

    node: str
    service: Service

    def __str__(self) -> str:
        return f"utils service restart {self.service}"


@attrs.frozen
class StopService:
    """``utils service stop NAME`` on *node*, until somebody starts it."""

    node: str
    service: Service

    def __str__(self) -> str:
        return f"utils service stop {self.service}"


@attrs.frozen
class StartService:
    """``utils service start NAME`` on *node*."""

    node: str
    service: Service

    def __str__(self) -> str:
        return f"utils service start {self.service}"


@attrs.frozen
class DeleteTrust:
    """``set cert delete UNIT FILE`` on *node*: a certificate out of a trust store.

    For some stores and releases it is gone from the whole cluster then (D15). *store* is the
    store's name (``tomcat-trust``), *name* the file's.
    """

    node: str
    store: str
    name: str

    def __str__(self) -> str:
        return f"set cert delete {self.store.removesuffix('-trust')} {self.name}"


@attrs.frozen
class ByHand:
    """Something that only a person can do; nothing is ever sent for it. *what* says it whole."""

    node: str
    what: str

    def __str__(self) -> str:
        return f"by hand: {self.what}"


@attrs.frozen
class ResetPhones:
    """AXL ``doDeviceReset`` for each phone by name; phones only, never whole pools."""

    node: str
    names: tuple[str, ...]

    def __str__(self) -> str:
        if not self.names:
            return "doDeviceReset (no phone left in scope)"
        return f"doDeviceReset of {len(self.names)} phones ({self.names[0]} … {self.names[-1]})"


Command = (
    Regenerate
    | UpdateCtl
    | ResetLocalkey
    | RestartService
    | StopService
    | StartService
    | DeleteTrust
    | ByHand
    | ResetPhones
)


class ReplyKind(Enum):
    """What came back after a command was sent. None of it proves anything."""

    ACCEPTED = "accepted"
    """The node said that it did it."""

    REFUSED = "refused"
    """The node said that it did not do it, or the command never left us."""

    LOST = "lost"
    """Nothing came back, or nothing that we know: it may have been done, or be done yet."""

    WITHHELD = "withheld"
    """It never left us, because it was decided on too long ago; it is decided on anew."""


@attrs.frozen
class Reply:
    """The answer to a command: a kind, and the node's own words as evidence.

    ``sent`` False says that not a byte of the command left us: another way may be tried.
    """

    kind: ReplyKind
    text: str = ""
    sent: bool = True
