"""The procedures for the certificates of Tomcat, RSA and EC: no phone holds them in a list."""

from __future__ import annotations

from typing import Final

from cucm_certflow.names import CertUnit, Product, Service
from cucm_certflow.procedures.rows import regenerate, restart
from cucm_certflow.procedures.vocabulary import Procedure, ReleaseRange, Row, Source

__all__ = ["TOMCAT"]

_TAC: Final = Source("Cisco TAC 214231", "Tomcat", "points T1, T2")
_SSO: Final = Source("Cisco TAC 214231", "15.0 edition", "with SSO or OAuth; D10: where activated")
_GUIDE: Final = Source("Cisco security guide 14SU2", "Certificates", "D10: the superset by release")
_DRF: Final = Source(
    "Cisco security guide 14SU2", "Certificates", "D11: DRF after tomcat and ipsec"
)
_CACHE: Final = Source("Cisco security guide 14SU2", "Certificates", "F19: TFTP offers a stale one")
_BOTH: Final = frozenset({Product.CALLMANAGER, Product.IM_PRESENCE})
_CONSUMERS: Final = (
    "A2: HTTPS phone services such as the corporate directory",
    "A2: web pages of other nodes, Extension Mobility also across clusters, single sign-on",
    "A2: UCCX from 12.5 (Finesse logins)",
)

# fmt: off
_TOMCAT: Final = (
    restart(Service.TOMCAT, _TAC),
    restart(Service.SSOSP_TOMCAT, _SSO),
)
_DRF_ROWS: Final = (
    restart(Service.DRF_MASTER, _DRF),
    restart(Service.DRF_LOCAL, _DRF),
)
# UDS and AXL Tomcat stand in the guide for one of the two certificates each; both get both.
_FROM_14: Final = (
    *_TOMCAT,
    restart(Service.UDS_TOMCAT, _GUIDE),
    restart(Service.AXL_TOMCAT, _GUIDE),
    restart(Service.EXTENSION_MOBILITY, _GUIDE),
    restart(Service.INTERCLUSTER_LOOKUP, _GUIDE),
    restart(Service.LOCATION_BANDWIDTH_MANAGER, _GUIDE),
    restart(Service.TFTP, _CACHE),
    *_DRF_ROWS,
)


def _table(unit: CertUnit, releases: ReleaseRange, rows: tuple[Row, ...]) -> Procedure:
    return Procedure(
        unit=unit, releases=releases, products=_BOTH, source=_TAC, consumers=_CONSUMERS,
        joins=None if unit is CertUnit.TOMCAT else CertUnit.TOMCAT,
        rows=(regenerate(unit, _TAC), *rows))


TOMCAT: Final = (
    _table(CertUnit.TOMCAT, ReleaseRange((8, 0), (12, 5)), _TOMCAT),
    _table(CertUnit.TOMCAT, ReleaseRange((14, 0), (15, 0)), _FROM_14),
    _table(CertUnit.TOMCAT_ECDSA, ReleaseRange((11, 5), (12, 5)), _TOMCAT),
    _table(CertUnit.TOMCAT_ECDSA, ReleaseRange((14, 0), (15, 0)), _FROM_14),
)
# fmt: on
