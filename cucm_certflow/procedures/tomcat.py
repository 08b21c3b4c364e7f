"""The procedure for the tomcat certificate."""

from __future__ import annotations

from typing import Final

from cucm_certflow.names import CertUnit, Product, Service
from cucm_certflow.procedures.vocabulary import (
    Procedure,
    Proof,
    RegenerateUnit,
    ReleaseRange,
    RestartOf,
    Row,
    Source,
    Stage,
)

__all__ = ["TOMCAT"]

_TAC: Final = Source("Cisco TAC 214231", "Tomcat", "points T1, T2")

# fmt: off
TOMCAT: Final = tuple(
    Procedure(
        unit=CertUnit.TOMCAT, releases=releases,
        products=frozenset({Product.CALLMANAGER, Product.IM_PRESENCE}), source=_TAC,
        rows=(
            Row(name="regenerate", stage=Stage.REGENERATE, does=RegenerateUnit(CertUnit.TOMCAT),
                proof=Proof.NEW_CERTIFICATE, within_s=600, settle_s=180, source=_TAC),
            # Tomcat takes the web interfaces with it; tools allow 240 to 600 s for it.
            Row(name="restart-tomcat", stage=Stage.RESTART, does=RestartOf(Service.TOMCAT),
                proof=Proof.HTTPS_PRESENTS, within_s=1800, settle_s=600,
                source=_TAC),
        ),
    )
    for releases in (ReleaseRange((11, 0), (11, 99)), ReleaseRange((14, 0), (14, 99)))
)
# fmt: on
