"""The procedure for the ipsec certificate, by which backup and restore know each other."""

from __future__ import annotations

from typing import Final

from cucm_certflow.names import CertUnit, Product, Service
from cucm_certflow.procedures.releases import EXISTS
from cucm_certflow.procedures.rows import regenerate, restart
from cucm_certflow.procedures.vocabulary import Procedure, Requirement, Source

__all__ = ["IPSEC"]

_TAC: Final = Source("Cisco TAC 214231", "IPSec", "points I1, I2; where it runs: by release")
_CA: Final = Source("Cisco TAC 217138", "ipsec", "no backup or restore task running")

# Before 10.0 the publisher of IM and Presence has a DRF Master too: it is restarted wherever it
# is activated. From 14 on DRF goes by tomcat (D11); it is restarted after ipsec all the same.
IPSEC: Final = (
    Procedure(
        unit=CertUnit.IPSEC,
        releases=EXISTS[CertUnit.IPSEC].releases,
        products=frozenset({Product.CALLMANAGER, Product.IM_PRESENCE}),
        source=_TAC,
        consumers=(
            "A4: DRS and DRF, backup and restore",
            "A4: IPsec tunnels to gateways and to other clusters",
        ),
        rows=(
            regenerate(CertUnit.IPSEC, _CA, Requirement.NO_BACKUP_RUNNING),
            restart(Service.DRF_MASTER, _TAC),
            restart(Service.DRF_LOCAL, _TAC),
        ),
    ),
)
