"""The procedures for CallManager's certificates: TFTP's signer, and every secure phone's peer."""

from __future__ import annotations

from typing import Final

from cucm_certflow.names import CertUnit, Product, Service
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
    Need,
    Procedure,
    ReleaseRange,
    Row,
    Source,
)

__all__ = ["CALLMANAGER"]

_TAC: Final = Source("Cisco TAC 214231", "CallManager", "points M1 to M4")
_CTL: Final = Source("Cisco TAC 214231 and 217138", "CallManager", "M1; D8: before restarts")
_TOKEN: Final = Source("Cisco TAC 118893", "CTL with tokens", "M1: only the token signs the CTL")
_NO_TVS: Final = Source("Cisco TAC 118893", "tokenless CTL", "phones that cannot ask TVS; F10")
_HAPROXY: Final = Source("Cisco security guide 14SU2", "Certificates", "D7: the superset")
_OPTIONAL: Final = Source("Cisco TAC 214231", "CallManager", "M3; D7: may be left out from 14SU1")
_RESET: Final = Source(
    "Cisco TAC 214231", "CallManager", "M4; D17: phones only, by name, in batches"
)
_CONSUMERS: Final = (
    "A1: encrypted and authenticated phones; TFTP's signed configuration and the ITL",
    "A1: phone services, secure SIP trunks and media resources, AXL requests",
    "A6: ITL and CTL have CallManager and TFTP records",
)
_CUCM: Final = frozenset({Product.CALLMANAGER})

# fmt: off
# D6: the sources differ; TVS before TFTP, and every restart before the reset, is what holds.
_TO_12: Final = (
    restart(Service.CALLMANAGER, _TAC),
    restart(Service.CTIMANAGER, _TAC),
    restart(Service.TVS, _TAC),
    restart(Service.TFTP, _TAC),
    reset_phones(_RESET),
)
_ALWAYS_FROM_14: Final = (
    restart(Service.TVS, _TAC),
    restart(Service.TFTP, _TAC),
    restart(Service.HAPROXY, _HAPROXY),
    reset_phones(_RESET),
)
_RSA_FROM_14: Final = (
    restart(Service.CALLMANAGER, _OPTIONAL, when=Condition.CALLMANAGER_RESTARTS),
    restart(Service.CTIMANAGER, _OPTIONAL, when=Condition.CALLMANAGER_RESTARTS),
    *_ALWAYS_FROM_14,
)
# The guide leaves the restarts out for RSA only.
_EC_FROM_14: Final = (
    restart(Service.CALLMANAGER, _TAC),
    restart(Service.CTIMANAGER, _TAC),
    *_ALWAYS_FROM_14,
)
_CTL_ROWS: Final = (ctl_update(_CTL), ctl_by_hand(_TOKEN))
_WITHOUT_TVS: Final = (
    Exposure(phones=Need.WITHOUT_SECURITY_BY_DEFAULT, when=Condition.TOKENLESS_CTL,
             remedy="utils ctl reset localkey", source=_NO_TVS),
)
_RSA, _EC = CertUnit.CALLMANAGER, CertUnit.CALLMANAGER_ECDSA


def _table(unit: CertUnit, first: tuple[int, int], last: tuple[int, int],
           rows: tuple[Row, ...], exposures: tuple[Exposure, ...] = ()) -> Procedure:
    modern = first >= (12, 0)
    apart = {CertUnit.TVS, CertUnit.ITLRECOVERY} if modern else {CertUnit.TVS}
    return Procedure(
        unit=unit, releases=ReleaseRange(first, last), products=_CUCM, source=_TAC,
        never_with=frozenset(apart), joins=_RSA if unit is _EC else None, exposures=exposures,
        consumers=_CONSUMERS, rows=(regenerate(unit, _TAC), *rows))


CALLMANAGER: Final = (
    _table(_RSA, (8, 0), (9, 1), (ctl_by_hand(_TOKEN, when=Condition.MIXED_MODE), *_TO_12)),
    _table(_RSA, (10, 0), (11, 5), (*_CTL_ROWS, *_TO_12), _WITHOUT_TVS),
    _table(_RSA, (12, 0), (12, 5), (*_CTL_ROWS, *_TO_12)),
    _table(_RSA, (14, 0), (15, 0), (*_CTL_ROWS, *_RSA_FROM_14)),
    _table(_EC, (11, 0), (11, 5), (*_CTL_ROWS, *_TO_12), _WITHOUT_TVS),
    _table(_EC, (12, 0), (12, 5), (*_CTL_ROWS, *_TO_12)),
    _table(_EC, (14, 0), (15, 0), (*_CTL_ROWS, *_EC_FROM_14)),
)
# fmt: on
