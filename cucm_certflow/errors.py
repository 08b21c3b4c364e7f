"""The error tree: who must act is the first fork, what state things are in is always said.

::

    CertflowError
     +- UsageError               the caller; nothing was sent
     |   +- InventoryError       an inventory or its accounts are wrong
     |   +- ScenarioError        a lab scenario is wrong
     |   +- PolicyError          a file of what is to be checked is wrong
     |   +- JournalError         a journal cannot be used for this plan
     |   +- JournalInUse         another process holds the journal
     |   +- RunFinished          the run of the journal is over for good
     |   +- ClusterInUse         another process on this machine drives the cluster
     |   +- NotWaiting           nothing of that name waits for an approval
     |   +- RecordingError       a recording cannot be written or read, or is not of this talk
     |   +- RescueKitError       a rescue kit cannot be saved, or is not whole
     +- RefusedError             our own safety rule; nothing was sent
     +- NodeError                a node, or the way to it
     |   +- NodeUnreachable      no connection, or it broke
     |   +- AuthenticationFailed the account was refused; it is not tried again anywhere
     |   +- IdentityNotTrusted   unknown host key, or a certificate that is not the pinned one
     |   +- UnknownLayout        the node answered in a form that we cannot read
     |   +- NodeFault            the node answered with an error of its own
     |   |   +- RoleMissing      the account lacks a role; the report names it
     |   |   +- NotServed        the interface is not activated there, or not up yet
     |   +- RateLimited          the node asks us to come back later
     +- HeldError                a person must decide; the run stands and can be resumed
         +- JournalNotWritten    the disk refuses the journal; nothing was sent since
"""

from __future__ import annotations

from typing import ClassVar

import attrs

__all__ = [
    "AuthenticationFailed",
    "CertflowError",
    "ClusterInUse",
    "HeldError",
    "IdentityNotTrusted",
    "InventoryError",
    "JournalError",
    "JournalInUse",
    "JournalNotWritten",
    "NodeError",
    "NodeFault",
    "NodeUnreachable",
    "NotServed",
    "NotWaiting",
    "PolicyError",
    "RateLimited",
    "RecordingError",
    "RefusedError",
    "Report",
    "RescueKitError",
    "RoleMissing",
    "RunFinished",
    "ScenarioError",
    "UnknownLayout",
    "UsageError",
]


@attrs.frozen(kw_only=True)
class Report:
    """What an error says: the headline, and then what a person needs at 2 a.m."""

    headline: str
    did: str = ""
    expected: str = ""
    saw: str = ""
    left: str = ""
    next: str = ""
    source: str = ""

    def __str__(self) -> str:
        lines = [self.headline]
        for label in ("did", "expected", "saw", "left", "next", "source"):
            text: str = getattr(self, label)
            if text:
                lines.append(f"  {label:<9} {text}")
        return "\n".join(lines)


class CertflowError(Exception):
    """The root; catch it to catch everything that this library raises on purpose."""

    code: ClassVar[str] = "CF000"

    def __init__(self, report: Report) -> None:
        super().__init__(report)
        self.report = report

    def __str__(self) -> str:
        return f"{type(self).__name__}: [{self.code}] {self.report}"


class UsageError(CertflowError):
    """The call was wrong. Nothing was sent."""

    code = "CF100"


class InventoryError(UsageError):
    """The inventory is wrong; the report names the place in the document. Nothing was sent."""

    code = "CF110"


class ScenarioError(UsageError):
    """The lab scenario is wrong; the report names the place in the document."""

    code = "CF120"


class PolicyError(UsageError):
    """A file of what is to be checked is wrong; the report names the place in the document."""

    code = "CF121"


class JournalError(UsageError):
    """The journal is torn in the middle, or of another protocol or plan. Nothing was sent."""

    code = "CF130"


class JournalInUse(UsageError):
    """Another process is running with this journal. Nothing was sent."""

    code = "CF131"


class RunFinished(UsageError):
    """The run of this journal was verified, or was aborted: there is nothing to go on with."""

    code = "CF132"


class ClusterInUse(UsageError):
    """Another process on this machine drives the cluster; the report says who. Nothing was sent."""

    code = "CF133"


class NotWaiting(UsageError):
    """An approval for something that does not wait for one. Nothing was written down."""

    code = "CF134"


class RecordingError(UsageError):
    """A recording exists already, or does not read, or holds another talk. Nothing was sent."""

    code = "CF140"


class RescueKitError(UsageError):
    """A rescue kit exists already, cannot be written, or is not whole. Nothing was sent."""

    code = "CF150"


class RefusedError(CertflowError):
    """A safety rule said no, with its evidence. Nothing was sent."""

    code = "CF200"


class NodeError(CertflowError):
    """A node, or the way to it, did not do what was asked."""

    code = "CF300"


class NodeUnreachable(NodeError):
    """There was no connection, or it broke. A command may have arrived: look before acting."""

    code = "CF301"


class AuthenticationFailed(NodeError):
    """The account was refused. It is not tried again on any node: accounts lock after three."""

    code = "CF302"


class IdentityNotTrusted(NodeError):
    """The node showed a key or certificate that is not the known one. Nothing was sent."""

    code = "CF303"


class UnknownLayout(NodeError):
    """The node answered in a form that no known release prints; nothing is sent after doubt."""

    code = "CF304"


class NodeFault(NodeError):
    """The node answered with an error of its own."""

    code = "CF305"


class RoleMissing(NodeFault):
    """The account may not do this there; nothing was done. ``role`` is what it would need."""

    code = "CF307"

    def __init__(self, report: Report, role: str = "") -> None:
        super().__init__(report)
        self.role = role


class NotServed(NodeFault):
    """The node serves no such interface (404): not activated, or not up yet; nothing was done."""

    code = "CF308"


class RateLimited(NodeError):
    """The node asks us to come back later; nothing was done."""

    code = "CF306"


class HeldError(CertflowError):
    """A person must decide. The journal holds the run; resume it."""

    code = "CF400"


class JournalNotWritten(HeldError):
    """The disk refused a line of the journal: what belongs to it was not sent. Resume the run."""

    code = "CF401"
