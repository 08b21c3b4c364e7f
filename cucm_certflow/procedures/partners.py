"""What other systems' people have to do when a certificate changes: asked about, never assumed done."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Final

import attrs

from cucm_certflow.names import CertUnit, Release, SecurityMode
from cucm_certflow.procedures.vocabulary import (
    ANY_RELEASE,
    Condition,
    ReleaseRange,
    Situation,
    Source,
)

__all__ = ["PARTNER_TASKS", "PartnerTask", "When", "tasks_for"]


class When(Enum):
    """Whether a task comes before the first regeneration of its units, or after the last step."""

    BEFORE = "before"
    AFTER = "after"


@attrs.frozen(kw_only=True)
class PartnerTask:
    """One thing that somebody has to do on another system, or to say that there is none.

    (H5: the lead wrote these classes so that the planner can import them; the table is yours.
    Keep these names: id, partner, units, when, question, instructions, source, releases, condition.)
    """

    id: str
    partner: str
    units: frozenset[CertUnit]
    when: When
    question: str
    instructions: tuple[str, ...]
    source: Source
    releases: ReleaseRange = ANY_RELEASE
    condition: Condition = Condition.ALWAYS


PARTNER_TASKS: Final[tuple[PartnerTask, ...]] = ()


def tasks_for(
    units: Iterable[CertUnit], release: Release, mode: SecurityMode
) -> tuple[PartnerTask, ...]:
    """The tasks that changing *units* brings with it, in the order of the table."""
    wanted = frozenset(units)
    situation = Situation(mode=mode)
    return tuple(
        task
        for task in PARTNER_TASKS
        if task.units & wanted and release in task.releases and task.condition.holds_in(situation)
    )
