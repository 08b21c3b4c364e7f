"""The commands that change something: which can be typed, what they may ask, what they say."""

from __future__ import annotations

import re
from typing import Final

from cucm_certflow.commands import (
    Command,
    DeleteTrust,
    Regenerate,
    ResetLocalkey,
    RestartService,
    StartService,
    StopService,
    UpdateCtl,
)
from cucm_certflow.names import CertUnit
from cucm_certflow.transports.vos import results
from cucm_certflow.transports.vos.dialogue import Expected
from cucm_certflow.transports.vos.results import Outcome, Restart

__all__ = ["ServiceCommand", "can_be_typed", "outcome_of", "passage_of", "questions_of"]

ServiceCommand = RestartService | StartService | StopService

# Answered only if this very question is asked by this very command.
_PROCEED: Final = Expected(r"Proceed with regeneration \(yes\|no\) ?\?", "yes")
_TOMCAT_CLIENT: Final = Expected(
    # 15SU5+: the manual's own example says yes, and names both in its success message.
    r"Do you want to use the same certificate for tomcat-client \(yes\|no\) ?\?",
    "yes",
)
_CTL: Final = Expected(
    r"(?:This operation (?:will update|updates) the CTLFile\. ?)?"
    r"(?:Auto-registration is enabled on at least one CM node\. ?)?"
    r"Do you want to continue\? \(y/n\):",
    "y",
)
_DELETE: Final = Expected(
    # Whether it asks at all, no source says. One question about going on is answered as that of
    # `set cert regen`; any other one ends the session, and the command is in doubt.
    r"(?:.*\b)?(?:proceed|continue|delet\w+|remov\w+|are you sure)\b[^?]*\(yes[|/]no\) ?\??:?",
    "yes",
)

_STORE: Final = re.compile(r"[A-Za-z][\w-]*-trust", re.ASCII)
_FILE: Final = re.compile(r"[!-.0->@-~]+\.pem")  # printable, and neither a slash nor "?"


def can_be_typed(command: Command) -> bool:
    """Whether *command* is one that is typed here, and has nothing in it that cannot be."""
    match command:
        case DeleteTrust(store=store, name=name):
            return _STORE.fullmatch(store) is not None and _FILE.fullmatch(name) is not None
        case (
            Regenerate()
            | UpdateCtl()
            | ResetLocalkey()
            | RestartService()
            | StartService()
            | StopService()
        ):
            return True
        case _:
            return False


def questions_of(command: Command) -> tuple[Expected, ...]:
    """The questions that *command* may ask, with their answers; any other one ends the session."""
    match command:
        case Regenerate(unit=CertUnit.TOMCAT):
            return (_PROCEED, _TOMCAT_CLIENT)
        case Regenerate():
            return (_PROCEED,)
        case UpdateCtl():
            return (_CTL,)
        case DeleteTrust():
            return (_DELETE,)
        case _:
            return ()


def passage_of(command: ServiceCommand, text: str) -> Restart:
    """The states through which the service of *command* was seen to go."""
    name = command.service.value
    match command:
        case RestartService():
            return results.service_restart(text, name)
        case StartService():
            return results.service_start(text, name)
        case StopService():
            return results.service_stop(text, name)


def outcome_of(command: Command, text: str) -> Outcome:
    """What *text*, all that *command* has printed, says about it."""
    match command:
        case Regenerate(unit=unit):
            return results.regeneration(text, unit.value)
        case UpdateCtl():
            return results.ctl_update(text)
        case ResetLocalkey(kind=kind):
            return results.reset_localkey(text, kind)
        case RestartService() | StartService() | StopService():
            return passage_of(command, text).outcome
        case DeleteTrust():
            return results.trust_deletion(text)
        case _:
            return Outcome.UNKNOWN
