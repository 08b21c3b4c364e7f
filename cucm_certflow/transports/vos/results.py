"""What commands that change something say: done, refused, or nothing that we know.

There is no exit status. A result is what a positive match says; anything else, contradictions
included, is unknown: then only looking helps.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final, NamedTuple

from cucm_certflow.facts import ServiceStatus
from cucm_certflow.names import ListKind

__all__ = [
    "Outcome",
    "Restart",
    "ctl_update",
    "regeneration",
    "reset_localkey",
    "says_failure",
    "service_restart",
    "service_start",
    "service_stop",
    "trust_deletion",
]


class Outcome(Enum):
    """What a command's output says about it."""

    DONE = "done"
    REFUSED = "refused"
    UNKNOWN = "unknown"


# "Please use … on the first node" is the one publisher-only refusal that is published.
_FAILURE: Final = re.compile(
    r"^[ \t]*(?:Executed command unsuccessfully\.?|Command failed\.?|No valid command entered.*"
    r"|Please use the Cisco Unified Communications Manager on the first node\.)[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
_NOT_IN_LIST: Final = re.compile(r"certificate is not in the list of", re.IGNORECASE)


def says_failure(text: str) -> str:
    """The line in which the node says that a command failed; empty if there is none."""
    match = _FAILURE.search(text)
    return match[0].strip() if match else ""


def _decide(text: str, *, done: bool) -> Outcome:
    refused = bool(says_failure(text))
    if done and refused:
        return Outcome.UNKNOWN
    if done:
        return Outcome.DONE
    return Outcome.REFUSED if refused else Outcome.UNKNOWN


_REGENERATED: Final = re.compile(
    r"^[ \t]*successfully\s+regenerated\s+certificate\s+for\s+"
    r"(?P<units>[\w-]+(?:\s+and\s+[\w-]+)*)\s*\.",
    re.IGNORECASE | re.MULTILINE,
)


def regeneration(text: str, unit: str) -> Outcome:
    """``set cert regen UNIT``: manual and live wording; 15SU5 names ``tomcat-client`` as well."""
    units = {
        name for match in _REGENERATED.finditer(text) for name in match["units"].split(" and ")
    }
    done = unit in {name.strip() for name in units} and units <= {unit, f"{unit}-client"}
    if _NOT_IN_LIST.search(text):
        return Outcome.UNKNOWN if units else Outcome.REFUSED
    if units and not done:
        return Outcome.UNKNOWN
    return _decide(text, done=done)


class Restart(NamedTuple):
    """The states that a service passed through at a command, repetitions left out."""

    states: tuple[ServiceStatus, ...]
    outcome: Outcome

    @property
    def watched(self) -> bool:
        """Whether it was seen to go from STARTING to STARTED, and to stay so."""
        return self.outcome is Outcome.DONE and self.states[-2:] == (
            ServiceStatus.STARTING,
            ServiceStatus.STARTED,
        )


_SERVICE_NOISE: Final = re.compile(
    r"|Don't press Ctrl-c while the service is getting (?:(?:RE)?STARTED|STOPPED)\..*"
    r"|Do not press Ctrl\+C while the service is (?:(?:re)?starting|stopping)\..*"
    r"|Service Manager is running|Command successful",
    re.IGNORECASE,
)
"""What stands around the states. The banner of ``stop`` is inferred from that of ``restart``."""


def service_restart(text: str, service: str) -> Restart:
    """``utils service restart NAME``: done if its last state is STARTED, after STARTING.

    The command may come back before the service has started; that is not known to be done.
    """
    return _service(text, service, ServiceStatus.STARTING, ServiceStatus.STARTED)


def service_start(text: str, service: str) -> Restart:
    """``utils service start NAME``: as a restart."""
    return service_restart(text, service)


def service_stop(text: str, service: str) -> Restart:
    """``utils service stop NAME``: done if its last state is STOPPED; why may stand behind it.

    No capture of it was found: the lines are those of a restart, the words behind a state those of
    ``utils service list``.
    """
    return _service(text, service, None, ServiceStatus.STOPPED)


def _service(
    text: str, service: str, through: ServiceStatus | None, last: ServiceStatus
) -> Restart:
    states: list[ServiceStatus] = []
    strange = False
    state = re.compile(rf"{re.escape(service)}\s*\[([A-Z]+)\](?:\s+Commanded Out of Service)?")
    for line in text.splitlines():
        match = state.fullmatch(line.strip())
        if match is not None and match[1] in ServiceStatus.__members__:
            status = ServiceStatus[match[1]]
            if not states or states[-1] is not status:
                states.append(status)
        elif not _SERVICE_NOISE.fullmatch(line.strip()):
            strange = True
    wanted = [last] if through is None else [through, last]
    done = not strange and states[-len(wanted) :] == wanted
    if states and not done:
        return Restart(tuple(states), Outcome.UNKNOWN)
    return Restart(tuple(states), _decide(text, done=done))


def trust_deletion(text: str) -> Outcome:
    """``set cert delete UNIT FILE``: refused if it says so, and never known to be done.

    What it prints when it has deleted something, no source shows: only looking helps.
    """
    refused = says_failure(text) or _NOT_IN_LIST.search(text)
    return Outcome.REFUSED if refused else Outcome.UNKNOWN


_CTL_UPDATED: Final = re.compile(
    r"^[ \t]*(?:CTL file Updated\.?"
    r"|You must reset all phones to ensure they received the updated CTL file\.)[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)


def ctl_update(text: str) -> Outcome:
    """``utils ctl update CTLFile``: the wordings up to 11.x and from 12.x on."""
    return _decide(text, done=_CTL_UPDATED.search(text) is not None)


def reset_localkey(text: str, kind: ListKind) -> Outcome:
    """``utils itl|ctl reset localkey``: the wordings of 12.5/14 and of 15.

    The older one is done when every active TFTP server that it counts was served.
    """
    word = kind.value
    if re.search(rf"^[ \t]*{word} file Reset\.", text, re.IGNORECASE | re.MULTILINE):
        return _decide(text, done=True)
    count = re.search(r"Number of Active TFTP servers in the cluster : (\d{1,5})", text)
    made = f"The reset {word} file was generated successfully" in text
    served = set(
        re.findall(rf"^\s*Successfully transferred reset {word} to node (\S+)", text, re.M)
    )
    done = made and count is not None and 0 < int(count[1]) == len(served)
    if made and not done:
        return Outcome.UNKNOWN
    return _decide(text, done=done)
