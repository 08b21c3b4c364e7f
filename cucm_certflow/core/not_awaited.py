"""Phones that no barrier can wait for: which they are, and what brings them back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cucm_certflow.core.phone_names import check_names
from cucm_certflow.facts import ClusterFacts
from cucm_certflow.procedures.policies import NotAwaited, Policy

__all__ = ["BRINGS_BACK", "MODELS", "classes_of", "not_awaited_of"]

MODELS: Final[Mapping[str, NotAwaited]] = {
    "Cisco Unified Client Services Framework": NotAwaited.JABBER,
    "Cisco Dual Mode for iPhone": NotAwaited.JABBER,
    "Cisco Dual Mode for Android": NotAwaited.JABBER,
    "Cisco Jabber for Tablet": NotAwaited.JABBER,
    "Third-party SIP Device (Basic)": NotAwaited.THIRD_PARTY,
    "Third-party SIP Device (Advanced)": NotAwaited.THIRD_PARTY,
}
"""The classes that a model tells, as ``typemodel`` names it (field notes, §8).

What cannot be read from the cluster, a person names in ``Policy.not_awaited``: phones behind
Expressway, with an SRST gateway, or in a call.
"""

BRINGS_BACK: Final[Mapping[NotAwaited, str]] = {
    NotAwaited.MRA: "let it register over Expressway again, then look at it",
    NotAwaited.JABBER: "its user signs in again",
    NotAwaited.THIRD_PARTY: "a restart at the device: whether it heeds a reset is not known",
    NotAwaited.SRST: "once it is back with its CallManager, an ordinary reset",
    NotAwaited.IN_A_CALL: "nothing: its reset is put off until the call ends",
}
"""What brings a phone of each class back, if its lists do not stand in the way: ours, unverified.

That a call puts a reset off is the field notes' (§8).
"""


def not_awaited_of(facts: ClusterFacts, policy: Policy) -> dict[str, NotAwaited]:
    """The phones of *facts* that nothing waits for, by name, with the class of each.

    What *policy* names goes before what a model tells.

    Raises:
        UsageError: *policy* names what is no phone of the cluster.
    """
    check_names(
        policy.not_awaited,
        (phone.name for phone in facts.phones),
        "not_awaited names a phone that the cluster does not have",
    )
    return classes_of(facts, policy)


def classes_of(facts: ClusterFacts, policy: Policy) -> dict[str, NotAwaited]:
    """As :func:`not_awaited_of`, and a name that is no phone's is no matter."""
    told = {phone.name: MODELS[phone.model] for phone in facts.phones if phone.model in MODELS}
    return {**told, **policy.not_awaited}
