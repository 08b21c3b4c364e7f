"""The procedure for the CAPF certificate, which issues the LSCs of phones and stands in the lists."""

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
from cucm_certflow.procedures.vocabulary import Condition, Procedure, ReleaseRange, Row, Source

__all__ = ["CAPF"]

_TAC: Final = Source("Cisco TAC 214231", "CAPF", "points C1 to C4")
_NODES: Final = Source("Cisco TAC 214231", "CAPF", "C2; D3: below 14 on every node")
_PUBLISHER: Final = Source("Cisco TAC 214231", "15.0 edition", "D3: from 14 on the publisher only")
_CTL: Final = Source("Cisco TAC 214231", "CAPF", "C1; F6: the CTL names the new CAPF before resets")
_TOKEN: Final = Source("Cisco TAC 118893", "CTL with tokens", "C1: only the token signs the CTL")
_EXTRA: Final = Source("Cisco TAC 214231", "CAPF", "C2; D5: CallManager first, in mixed mode")
_ORDER: Final = Source("Cisco TAC 214231", "CAPF", "C3; D4: TVS before TFTP before the reset")
_RESET: Final = Source("Cisco TAC 214231", "CAPF", "C4; D17: phones only, by name, in batches")
_CONSUMERS: Final = (
    "A3: phone VPN, 802.1X and phone proxy; issuing of LSCs; encrypted configuration files",
    "A6: ITL and CTL have a CAPF record",
)


def _table(releases: ReleaseRange, source: Source, ctl: tuple[Row, ...]) -> Procedure:
    return Procedure(
        unit=CertUnit.CAPF,
        releases=releases,
        products=frozenset({Product.CALLMANAGER}),
        source=_TAC,
        publisher_only=source is _PUBLISHER,
        idle_on_subscribers=source is _NODES,
        may_join=CertUnit.CALLMANAGER,
        consumers=_CONSUMERS,
        rows=(
            regenerate(CertUnit.CAPF, source),
            *ctl,
            restart(Service.CALLMANAGER, _EXTRA, when=Condition.MIXED_MODE),
            restart(Service.CAPF, _ORDER),
            restart(Service.TVS, _ORDER),
            restart(Service.TFTP, _ORDER),
            reset_phones(_RESET),
        ),
    )


CAPF: Final = (
    # There is no `utils ctl` before 10.0: in mixed mode the token signs.
    _table(ReleaseRange((8, 0), (9, 1)), _NODES, (ctl_by_hand(_TOKEN, when=Condition.MIXED_MODE),)),
    _table(ReleaseRange((10, 0), (12, 5)), _NODES, (ctl_update(_CTL), ctl_by_hand(_TOKEN))),
    _table(ReleaseRange((14, 0), (15, 0)), _PUBLISHER, (ctl_update(_CTL), ctl_by_hand(_TOKEN))),
)
