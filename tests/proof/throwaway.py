"""Two tables that the library does not have, to show that a table is all that a new unit needs."""

from __future__ import annotations

from typing import Final

from cucm_certflow.names import CertUnit, ListKind, Product, Service
from cucm_certflow.procedures.vocabulary import (
    Condition,
    CtlUpdate,
    Exposure,
    LocalkeyReset,
    Need,
    PhoneReset,
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

__all__ = ["ITLRECOVERY", "TVS_BY_ITSELF", "TVS_THEN_TFTP"]

_SOURCE: Final = Source("a table of these tests")
_FROM_14: Final = ReleaseRange((14, 0), (14, 99))
_CUCM: Final = frozenset({Product.CALLMANAGER})


def _row(
    name: str,
    stage: Stage,
    does: RowAction,
    proof: Proof,
    *,
    wave: int = 0,
    when: Condition = Condition.ALWAYS,
) -> Row:
    return Row(
        name=name,
        stage=stage,
        does=does,
        proof=proof,
        within_s=1800,
        settle_s=600,
        source=_SOURCE,
        wave=wave,
        when=when,
    )


# fmt: off
ITLRECOVERY: Final = Procedure(
    unit=CertUnit.ITLRECOVERY, releases=_FROM_14, products=_CUCM, source=_SOURCE,
    publisher_only=True, never_with=frozenset({CertUnit.CALLMANAGER, CertUnit.TVS}),
    exposures=(
        Exposure(phones=Need.EVERY_PHONE, when=Condition.NON_SECURE_MODE,
                 remedy="utils itl reset localkey", source=_SOURCE),
        Exposure(phones=Need.EVERY_PHONE, when=Condition.MIXED_MODE,
                 remedy="utils ctl reset localkey", source=_SOURCE),
    ),
    rows=(
        _row("regenerate", Stage.REGENERATE, RegenerateUnit(CertUnit.ITLRECOVERY),
             Proof.NEW_CERTIFICATE),
        _row("itl-localkey", Stage.CTL, LocalkeyReset(ListKind.ITL), Proof.ITL_SIGNED_ANEW,
             when=Condition.NON_SECURE_MODE),
        _row("ctl-localkey", Stage.CTL, LocalkeyReset(ListKind.CTL), Proof.CTL_SIGNED_ANEW,
             when=Condition.MIXED_MODE),
        _row("reset-phones", Stage.RESET, PhoneReset(), Proof.PHONES_CALLED),
        _row("ctl-update", Stage.CTL, CtlUpdate(), Proof.CTL_SERVED, wave=1,
             when=Condition.MIXED_MODE),
        _row("restart-tftp", Stage.RESTART, RestartOf(Service.TFTP), Proof.ITL_SERVED, wave=1),
        _row("reset-phones-again", Stage.RESET, PhoneReset(), Proof.PHONES_CALLED, wave=1),
    ),
)
"""Two waves: by localkey the phones learn the new ITLRecovery, then it signs again."""

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
