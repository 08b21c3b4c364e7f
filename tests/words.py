"""What tests say where a person would have to: no partner system, and that nobody looked before."""

from __future__ import annotations

from typing import Final

from cucm_certflow.findings import CheckReport, Said
from cucm_certflow.procedures.partners import PARTNER_TASKS

__all__ = ["NOBODY_LOOKED", "NO_PARTNERS"]

NO_PARTNERS: Final = tuple(
    Said(item=task.id, by="the tests", why="there is none in the lab") for task in PARTNER_TASKS
)
"""For plans of which the partners are not the subject."""

NOBODY_LOOKED: Final = CheckReport(findings=())
"""For runs of which preflight is not the subject: said on purpose."""
