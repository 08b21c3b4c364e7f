"""The procedures: one frozen table per unit and range of releases."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from cucm_certflow.names import CertUnit, Release
from cucm_certflow.procedures.callmanager import CALLMANAGER
from cucm_certflow.procedures.capf import CAPF
from cucm_certflow.procedures.ipsec import IPSEC
from cucm_certflow.procedures.itlrecovery import ITLRECOVERY
from cucm_certflow.procedures.presence import PRESENCE
from cucm_certflow.procedures.releases import known_release
from cucm_certflow.procedures.tomcat import TOMCAT
from cucm_certflow.procedures.tvs import TVS
from cucm_certflow.procedures.vocabulary import Procedure

__all__ = ["PROCEDURES", "procedure_for"]

PROCEDURES: Final[tuple[Procedure, ...]] = (
    *TOMCAT,
    *IPSEC,
    *CAPF,
    *CALLMANAGER,
    *TVS,
    *ITLRECOVERY,
    *PRESENCE,
)


def procedure_for(
    unit: CertUnit, release: Release, procedures: Iterable[Procedure] = PROCEDURES
) -> Procedure | None:
    """The table for *unit* under *release*; None if there is none, or no such release."""
    if not known_release(release):
        return None
    for procedure in procedures:
        if procedure.unit is unit and release in procedure.releases:
            return procedure
    return None
