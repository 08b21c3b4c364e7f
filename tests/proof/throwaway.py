"""Two tables that the library does not have: of a cluster that restarts and resets by itself."""

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
    RowAction,
    Source,
    Stage,
)

__all__ = ["TVS_BY_ITSELF", "TVS_THEN_TFTP"]

_SOURCE: Final = Source("a table of these tests")
_FROM_14: Final = ReleaseRange((14, 0), (14, 99))
_CUCM: Final = frozenset({Product.CALLMANAGER})


def _row(name: str, stage: Stage, does: RowAction, proof: Proof) -> Row:
    return Row(
        name=name,
        stage=stage,
        does=does,
        proof=proof,
        within_s=1800,
        settle_s=600,
        source=_SOURCE,
    )


# fmt: off
_REGENERATE_TVS = _row("regenerate", Stage.REGENERATE, RegenerateUnit(CertUnit.TVS),
                       Proof.NEW_CERTIFICATE)
_TFTP = _row("restart-tftp", Stage.RESTART, RestartOf(Service.TFTP), Proof.ITL_SERVED)

TVS_BY_ITSELF: Final = Procedure(
    unit=CertUnit.TVS, releases=_FROM_14, products=_CUCM, source=_SOURCE,
    never_with=frozenset({CertUnit.CALLMANAGER, CertUnit.ITLRECOVERY}), rows=(_REGENERATE_TVS,),
)
"""The service restarts itself, the ITL is rebuilt at once, and the cluster resets the phones."""

TVS_THEN_TFTP: Final = Procedure(
    unit=CertUnit.TVS, releases=_FROM_14, products=_CUCM, source=_SOURCE,
    never_with=TVS_BY_ITSELF.never_with, rows=(_REGENERATE_TVS, _TFTP),
)
"""The same, where TFTP is restarted all the same: the phones were reset before that."""
# fmt: on
