"""What a journal keeps beside its records: observations that matter later, and change nothing.

They are written without waiting for the disk: the last of them may be lost with the machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import attrs

from cucm_certflow.core.states import Blocked
from cucm_certflow.facts import Certificate
from cucm_certflow.names import CertUnit

__all__ = [
    "CertificateNoted",
    "Migrated",
    "Note",
    "PhoneNoted",
    "PhonesGraded",
    "RegistrationsNoted",
    "ReplyNoted",
    "Stood",
]


@attrs.frozen(kw_only=True)
class RegistrationsNoted:
    """A point of the registration curve; one that equals the one before is not written."""

    at: datetime
    registered: int
    total: int
    by_node: Mapping[str, int]
    unasked: int = 0


@attrs.frozen(kw_only=True)
class ReplyNoted:
    """What a node said to a command, and after how many seconds; it proves nothing."""

    at: datetime
    step: str
    attempt: int
    reply: str
    text: str
    took_s: float


@attrs.frozen(kw_only=True)
class Stood:
    """A process stopped driving the run here: how, and for which reasons."""

    at: datetime
    outcome: str
    reasons: tuple[Blocked, ...] = ()


@attrs.frozen(kw_only=True)
class Migrated:
    """The journal of an older version goes on under this one, by the migration of that name."""

    at: datetime
    name: str


@attrs.frozen(kw_only=True)
class CertificateNoted:
    """The certificate that proved a regeneration, whole: its record keeps the fingerprint alone."""

    at: datetime
    node: str
    unit: CertUnit
    certificate: Certificate


@attrs.frozen(kw_only=True)
class PhoneNoted:
    """A phone that a verified run left: why nobody waited for it, its evidence, and a remedy."""

    name: str
    why: str
    evidence: str
    remedy: str


@attrs.frozen(kw_only=True)
class PhonesGraded:
    """The evidence for the phones: counts whenever one changes, and who was left at the end.

    While the run goes ``left`` is empty, and a phone is graded by the last reset that was sent to
    it; the last note of a verified run is of its end. ``by_node`` counts grades by the node with
    which the phones are registered, the empty name for those that are not. Grades are named as the
    members of ``Evidence``, in lower case.
    """

    at: datetime
    by_node: Mapping[str, Mapping[str, int]]
    left: tuple[PhoneNoted, ...] = ()


Note = CertificateNoted | PhonesGraded | RegistrationsNoted | ReplyNoted | Stood | Migrated
