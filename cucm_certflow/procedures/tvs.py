"""The procedure for the TVS certificate, which phones pin in their ITL."""

from __future__ import annotations

from typing import Final

from cucm_certflow.names import CertUnit, Product, Service
from cucm_certflow.procedures.vocabulary import (
    PhoneReset,
    Procedure,
    Proof,
    RegenerateUnit,
    ReleaseRange,
    RestartOf,
    Row,
    Source,
    Stage,
)

__all__ = ["TVS"]

_TAC: Final = Source("Cisco TAC 214231", "TVS", "points V1, V2")

# fmt: off
TVS: Final = tuple(
    Procedure(
        unit=CertUnit.TVS, releases=releases, products=frozenset({Product.CALLMANAGER}),
        source=_TAC, never_with=never_with,
        rows=(
            Row(name="regenerate", stage=Stage.REGENERATE, does=RegenerateUnit(CertUnit.TVS),
                proof=Proof.NEW_CERTIFICATE, within_s=600, settle_s=180, source=_TAC),
            # From 14 the service restarts itself; the restart is kept (D7: the superset).
            Row(name="restart-tvs", stage=Stage.RESTART, does=RestartOf(Service.TVS),
                proof=Proof.RESTARTED, within_s=1800, settle_s=600, source=_TAC),
            Row(name="restart-tftp", stage=Stage.RESTART, does=RestartOf(Service.TFTP),
                proof=Proof.ITL_SERVED, within_s=1800, settle_s=600, source=_TAC),
            Row(name="reset-phones", stage=Stage.RESET, does=PhoneReset(),
                proof=Proof.PHONES_CALLED, within_s=1800, settle_s=120,
                source=Source("Cisco TAC 214231", "TVS", "V2; D17: phones only, in batches")),
        ),
    )
    for releases, never_with in (
        (ReleaseRange((11, 0), (11, 99)), frozenset({CertUnit.CALLMANAGER})),
        (ReleaseRange((14, 0), (14, 99)), frozenset({CertUnit.CALLMANAGER, CertUnit.ITLRECOVERY})),
    )
)
# fmt: on
