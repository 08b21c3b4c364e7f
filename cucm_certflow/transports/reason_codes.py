"""The reason codes of Control Center, and what each says about a command that was sent.

Numbers and words: the table ``$map_reason_code`` of centreon/centreon-plugins at d3cc6de,
``src/network/cisco/callmanager/sxml/mode/services.pm``, taken over there from Cisco's
documentation. What a code says about whether something was done is our reading of its words, no
source says it: where the words also fit a restart that is under way, it counts as in doubt.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final

__all__ = [
    "ALREADY_STARTED",
    "ALREADY_STOPPED",
    "COMMANDED_OUT_OF_SERVICE",
    "NOT_ACTIVATED",
    "NO_REASON",
    "REASON_CODES",
    "Verdict",
    "reason_words",
    "verdict",
]

NO_REASON: Final = -1
ALREADY_STARTED: Final = -1039
ALREADY_STOPPED: Final = -1040
NOT_ACTIVATED: Final = -1068
COMMANDED_OUT_OF_SERVICE: Final = -1069

REASON_CODES: Final[Mapping[int, str]] = MappingProxyType(
    {
        -1: "--",
        -1000: "Component already initialized",
        -1001: "Entry replaced",
        -1002: "Component not initialized",
        -1003: "Component is running",
        -1005: "Unable to process event",
        -1006: "Registration already present",
        -1007: "Unsuccessful completion",
        -1008: "Registration not found",
        -1009: "Missing or invalid environment variable",
        -1010: "No such service",
        -1011: "Component is reserved for platform",
        -1012: "Bad arguments",
        -1013: "Internal error",
        -1014: "Entry was already present",
        -1015: "Error opening IPC",
        -1016: "No license available",
        -1017: "Error opening file",
        -1018: "Error reading file",
        -1019: "Component is not running",
        -1020: "Signal ignored",
        -1021: "Notification ignored",
        -1022: "Buffer overflow",
        -1023: "Cannot parse",
        -1024: "Out of memory",
        -1025: "Not connected",
        -1026: "Component already exists",
        -1027: "Message was truncated",
        -1028: "Component is empty",
        -1029: "Operation is pending",
        -1030: "Transaction does not exist",
        -1031: "Operation timed-out",
        -1032: "File is locked",
        -1033: "Feature is not implemented yet",
        -1034: "Alarm was already set",
        -1035: "Alarm was already clear",
        -1036: "Dependency is in active state",
        -1037: "Dependency is not in active state",
        -1038: "Circular dependencies detected",
        -1039: "Component already started",
        -1040: "Component already stopped",
        -1041: "Dependencies still pending",
        -1042: "Requested process state transition not allowed",
        -1043: "No changes",
        -1044: "Boundary violation for data structure",
        -1045: "Operation not supported",
        -1046: "Process recovery in progress",
        -1047: "Process recovery in progress",
        -1048: "Operation pending on active dependencies",
        -1049: "Operation pending on active dependents",
        -1050: "Shutdown is in progress",
        -1051: "Invalid Table Handle",
        -1052: "Data Base not initialized",
        -1053: "Data Directory",
        -1054: "Table Full",
        -1055: "Deleted Data",
        -1056: "No Such Record",
        -1057: "Component already in specified state",
        -1058: "Out of range",
        -1059: "Cannot create object",
        -1060: "MSO refused, standby system not ready.",
        -1061: "MSO refused, standby state update still in progress. Try again later.",
        -1062: "MSO refused, standby state update failed. Verify configuration on standby.",
        -1063: "MSO refused, Warm start-up in progress.",
        -1064: "MSO refused, Warm start-up Failed.",
        -1065: "MSO refused, System is not in active state",
        -1066: "MSO refused, Detected standalone Flag",
        -1067: "Invalid Token presented in request",
        -1068: "Service Not Activated",
        -1069: "Commanded Out of Service",
        -1070: "Multiple Modules have error",
        -1071: "Encountered exception",
        -1072: "Invalid context path was specified",
        -1073: "No context exists",
        -1074: "No context path was specified",
        -1075: "Application already exists",
    }
)
"""What ReasonCode means, in Cisco's words."""


class Verdict(Enum):
    """What a reason code says about the command in whose answer it stands."""

    NOTHING = "nothing"
    """There is no reason."""

    PENDING = "pending"
    """It was taken, and goes on."""

    NOT_DONE = "not done"
    """It was turned down, and nothing was done."""

    IN_DOUBT = "in doubt"
    """It may have been done, or the code is none that we know."""


_PENDING: Final = frozenset({-1029, -1041, -1048, -1049})
_NOT_DONE: Final = frozenset(
    {
        *(-1010, -1011, -1012, -1016),  # no such service, platform's own, arguments, licence
        *(-1033, -1045, -1067),  # not implemented, not supported, token
        *(-1036, -1037, -1038),  # dependencies
        *(-1042, -1043, -1057),  # transition not allowed, no changes, already in that state
        *range(-1066, -1059),  # MSO refused
        NOT_ACTIVATED,
    }
)
# They describe a service as well as a refusal: one that is being restarted is not running for a
# moment. With a ReturnCode that says failure they are the refusal.
_NOT_DONE_IF_FAILED: Final = frozenset({-1019, COMMANDED_OUT_OF_SERVICE})
_NOT_DONE_BY: Final = {"Start": ALREADY_STARTED, "Stop": ALREADY_STOPPED}


def verdict(code: int | None, control_type: str, *, failed: bool) -> Verdict:
    """What *code* says about a command that was sent.

    Args:
        code: ReasonCode; None for none.
        control_type: The command: ``Start``, ``Stop`` or ``Restart``.
        failed: Whether the ReturnCode of the same answer says failure.
    """
    if code is None or code == NO_REASON:
        return Verdict.NOTHING
    if code in _NOT_DONE or _NOT_DONE_BY.get(control_type) == code:
        return Verdict.NOT_DONE
    if failed and code in _NOT_DONE_IF_FAILED:
        return Verdict.NOT_DONE
    if control_type == "Stop" and code == COMMANDED_OUT_OF_SERVICE:
        return Verdict.NOTHING  # how a service is that was told to stop
    if not failed and code in _PENDING:
        return Verdict.PENDING
    return Verdict.IN_DOUBT


def reason_words(code: int | None, said: str = "") -> str:
    """*code* in words: the node's own, or Cisco's; empty if there is no reason."""
    if code is None or code == NO_REASON:
        return said
    words = said or REASON_CODES.get(code, "a reason code that we do not know")
    return f"{code} {words}"
