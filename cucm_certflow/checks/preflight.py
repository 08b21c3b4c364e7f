"""The table of everything that is looked at, or asked, before the first change."""

from __future__ import annotations

from typing import Final

from cucm_certflow.checks.asked import ASKED_BEFORE
from cucm_certflow.checks.certificates import CERTIFICATES
from cucm_certflow.checks.health import HEALTH
from cucm_certflow.checks.lists import LISTS
from cucm_certflow.checks.phones import PHONES
from cucm_certflow.checks.services import SERVICES
from cucm_certflow.checks.vocabulary import Check

__all__ = ["PREFLIGHT"]

PREFLIGHT: Final[tuple[Check, ...]] = (
    *HEALTH,
    *SERVICES,
    *CERTIFICATES,
    *LISTS,
    *PHONES,
    *ASKED_BEFORE,
)
"""In the order in which a person would look."""
