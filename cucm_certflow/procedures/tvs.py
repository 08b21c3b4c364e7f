"""The procedure for the TVS certificate, which phones pin in their ITL."""

from __future__ import annotations

from typing import Final

from cucm_certflow.names import CertUnit, Product, Service
from cucm_certflow.procedures.rows import regenerate, reset_phones, restart
from cucm_certflow.procedures.vocabulary import Procedure, ReleaseRange, Source

__all__ = ["TVS"]

_TAC: Final = Source("Cisco TAC 214231", "TVS", "points V1, V2; no CTL update: it holds no TVS")
_RESET: Final = Source("Cisco TAC 214231", "TVS", "V2; D17: phones only, by name, in batches")

TVS: Final = tuple(
    Procedure(
        unit=CertUnit.TVS,
        releases=releases,
        products=frozenset({Product.CALLMANAGER}),
        source=_TAC,
        never_with=frozenset(never_with),
        consumers=(
            "A5: phones ask it about application servers and about lists whose signer is new",
            "A6: the ITL has a record for every node's TVS, the CTL for none",
        ),
        rows=(
            regenerate(CertUnit.TVS, _TAC),
            # From 14 the service restarts itself; the restart is kept (D7: the superset).
            restart(Service.TVS, _TAC),
            restart(Service.TFTP, _TAC),
            reset_phones(_RESET),
        ),
    )
    for releases, never_with in (
        (ReleaseRange((8, 0), (11, 5)), {CertUnit.CALLMANAGER, CertUnit.CALLMANAGER_ECDSA}),
        (
            ReleaseRange((12, 0), (15, 0)),
            {CertUnit.CALLMANAGER, CertUnit.CALLMANAGER_ECDSA, CertUnit.ITLRECOVERY},
        ),
    )
)
