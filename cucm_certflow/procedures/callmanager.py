"""The procedure for the CallManager certificate: TFTP's signer, and every secure phone's peer."""

from __future__ import annotations

from typing import Final

from cucm_certflow.names import CertUnit, Product, Service
from cucm_certflow.procedures.vocabulary import (
    Condition,
    CtlUpdate,
    Exposure,
    Need,
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

__all__ = ["CALLMANAGER"]

_TAC: Final = Source("Cisco TAC 214231", "CallManager", "points M1 to M4")
_CTL_FIRST: Final = Source("Cisco TAC 214231 and 217138", "CallManager", "M1; D8: before restarts")
_NO_TVS: Final = Source("Cisco TAC 118893", "tokenless CTL", "phones that cannot ask TVS; F10")

# fmt: off
_REGENERATE = Row(
    name="regenerate", stage=Stage.REGENERATE, does=RegenerateUnit(CertUnit.CALLMANAGER),
    proof=Proof.NEW_CERTIFICATE, within_s=600, settle_s=180, source=_TAC)
_CTL = Row(
    name="ctl-update", stage=Stage.CTL, does=CtlUpdate(), when=Condition.MIXED_MODE,
    proof=Proof.CTL_SERVED, within_s=900, settle_s=300, source=_CTL_FIRST)
_CM = Row(
    name="restart-callmanager", stage=Stage.RESTART, does=RestartOf(Service.CALLMANAGER),
    proof=Proof.RESTARTED, within_s=1800, settle_s=600, source=_TAC)
_CTI = Row(
    name="restart-ctimanager", stage=Stage.RESTART, does=RestartOf(Service.CTIMANAGER),
    proof=Proof.RESTARTED, within_s=1800, settle_s=600, source=_TAC)
# D6: the sources differ; TVS before TFTP, and every restart before the reset, is what holds.
_TVS = Row(
    name="restart-tvs", stage=Stage.RESTART, does=RestartOf(Service.TVS),
    proof=Proof.RESTARTED, within_s=1800, settle_s=600, source=_TAC)
_TFTP = Row(
    name="restart-tftp", stage=Stage.RESTART, does=RestartOf(Service.TFTP),
    proof=Proof.ITL_SERVED, within_s=1800, settle_s=600, source=_TAC)
_HAPROXY = Row(
    name="restart-haproxy", stage=Stage.RESTART, does=RestartOf(Service.HAPROXY),
    proof=Proof.RESTARTED, within_s=1800, settle_s=600,
    source=Source("Cisco security guide 14SU2", "Certificates", "D7: the superset is the default"))
_RESET = Row(
    name="reset-phones", stage=Stage.RESET, does=PhoneReset(),
    proof=Proof.PHONES_CALLED, within_s=1800, settle_s=120,
    source=Source("Cisco TAC 214231", "CallManager", "M4; D17: phones only, by name, in batches"))

CALLMANAGER: Final = (
    Procedure(
        unit=CertUnit.CALLMANAGER, releases=ReleaseRange((11, 0), (11, 99)),
        products=frozenset({Product.CALLMANAGER}), source=_TAC,
        never_with=frozenset({CertUnit.TVS}),
        exposures=(
            Exposure(phones=Need.WITHOUT_SECURITY_BY_DEFAULT, when=Condition.MIXED_MODE,
                     remedy="utils ctl reset localkey", source=_NO_TVS),
        ),
        rows=(_REGENERATE, _CTL, _CM, _CTI, _TVS, _TFTP, _RESET),
    ),
    Procedure(
        unit=CertUnit.CALLMANAGER, releases=ReleaseRange((14, 0), (14, 99)),
        products=frozenset({Product.CALLMANAGER}), source=_TAC,
        never_with=frozenset({CertUnit.TVS, CertUnit.ITLRECOVERY}),
        rows=(_REGENERATE, _CTL, _CM, _CTI, _TVS, _TFTP, _HAPROXY, _RESET),
    ),
)
# fmt: on
