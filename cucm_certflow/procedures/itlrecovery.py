"""The procedures for ITLRecovery: a spare anchor up to 11.5, and what signs the lists from 12.0."""

from __future__ import annotations

from typing import Final

from cucm_certflow.names import CertUnit, ListKind, Product, Service
from cucm_certflow.procedures.rows import (
    ctl_by_hand,
    ctl_update,
    regenerate,
    reset_phones,
    restart,
)
from cucm_certflow.procedures.vocabulary import (
    Condition,
    Exposure,
    LocalkeyReset,
    Need,
    Procedure,
    Proof,
    ReleaseRange,
    Row,
    Source,
    Stage,
)

__all__ = ["ITLRECOVERY"]

_SEED: Final = Source("Cisco TAC 214231", "ITLRecovery", "points R1 to R3; not a signer to 11.5")
_TOKEN: Final = Source("Cisco TAC 118893", "CTL with tokens", "only the token signs the CTL")
_GUIDE: Final = Source(
    "Cisco security guide 14SU2", "Certificates", "regenerate ITLRecovery; D12: two waves"
)
_SUPERSET: Final = Source("Cisco TAC 214231", "ITLRecovery", "R3; in the second wave of D12")
_RESET: Final = Source("Cisco TAC 214231", "ITLRecovery", "R3; D17: phones only, in batches")
_CONSUMERS: Final = (
    "R1: recovery of phones that trust nobody any more, and migration between clusters",
    "from 12.0 it signs ITL and CTL, and SAML assertions where that certificate is chosen (F32)",
)
_CUCM: Final = frozenset({Product.CALLMANAGER})


def _localkey(kind: ListKind, when: Condition) -> Row:
    return Row(
        name=f"{kind.value.lower()}-localkey",
        stage=Stage.CTL,
        does=LocalkeyReset(kind),
        proof=Proof.ITL_SIGNED_ANEW if kind is ListKind.ITL else Proof.CTL_SIGNED_ANEW,
        when=when,
        within_s=900,
        settle_s=300,
        source=_GUIDE,
    )


# fmt: off
_EXPOSED: Final = tuple(
    # Nobody vouches for the new signer until the list is signed by CallManager once.
    Exposure(phones=Need.EVERY_PHONE, when=when, source=_GUIDE, until=f"{kind}-localkey",
             remedy=f"utils {kind} reset localkey")
    for kind, when in (("itl", Condition.NON_SECURE_MODE), ("ctl", Condition.MIXED_MODE))
)
_TWO_WAVES: Final = (
    regenerate(CertUnit.ITLRECOVERY, _GUIDE),
    _localkey(ListKind.ITL, Condition.NON_SECURE_MODE),
    _localkey(ListKind.CTL, Condition.MIXED_MODE),
    reset_phones(_GUIDE),
    ctl_update(_GUIDE, wave=1),
    restart(Service.TVS, _SUPERSET, wave=1),
    restart(Service.TFTP, _GUIDE, wave=1),
    reset_phones(_GUIDE, wave=1),
)

ITLRECOVERY: Final = (
    # Here localkey would sign with the new ITLRecovery, which no phone knows yet: one wave.
    Procedure(
        unit=CertUnit.ITLRECOVERY, releases=ReleaseRange((10, 0), (11, 5)), products=_CUCM,
        source=_SEED, consumers=_CONSUMERS,
        rows=(
            regenerate(CertUnit.ITLRECOVERY, _SEED),
            ctl_update(_SEED),
            ctl_by_hand(_TOKEN),
            restart(Service.TVS, _SEED),
            restart(Service.TFTP, _SEED),
            reset_phones(_RESET),
        ),
    ),
    *(
        Procedure(
            unit=CertUnit.ITLRECOVERY, releases=releases, products=_CUCM, source=_GUIDE,
            unless=Condition.CTL_BY_HAND, publisher_only=publisher_only, consumers=_CONSUMERS, exposures=_EXPOSED,
            never_with=frozenset(
                {CertUnit.CALLMANAGER, CertUnit.CALLMANAGER_ECDSA, CertUnit.TVS}),
            rows=_TWO_WAVES,
        )
        for releases, publisher_only in (
            (ReleaseRange((12, 0), (12, 4)), False),
            (ReleaseRange((12, 5), (15, 0)), True),
        )
    ),
)
# fmt: on
