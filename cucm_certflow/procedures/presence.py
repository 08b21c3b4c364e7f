"""The procedures for the certificates of IM and Presence that CUCM does not have."""

from __future__ import annotations

from typing import Final

from cucm_certflow.names import CertUnit, Product, Service
from cucm_certflow.procedures.releases import EXISTS
from cucm_certflow.procedures.rows import regenerate, restart
from cucm_certflow.procedures.vocabulary import Procedure, Source

__all__ = ["PRESENCE"]

_GUIDE: Final = Source("IM and Presence configuration guide 12.5", "Certificates")
# The guide names who uses cup, not whom to restart: its users are restarted (inferred).
_CUP: Final = Source("IM and Presence configuration guide 12.5", "Certificates", "users of cup")

_USERS: Final = (
    (CertUnit.CUP, CertUnit.CUP_ECDSA, _CUP, (Service.SIP_PROXY, Service.PRESENCE_ENGINE)),
    (CertUnit.CUP_XMPP, CertUnit.CUP_XMPP_ECDSA, _GUIDE, (Service.XCP_ROUTER,)),
    (CertUnit.CUP_XMPP_S2S, CertUnit.CUP_XMPP_S2S_ECDSA, _GUIDE, (Service.XCP_FEDERATION,)),
)

PRESENCE: Final = tuple(
    Procedure(
        unit=unit,
        releases=EXISTS[unit].releases,
        products=frozenset({Product.IM_PRESENCE}),
        source=source,
        joins=None if unit is rsa else rsa,
        consumers=("Jabber and federated users; no desk phone holds it in a list",),
        rows=(regenerate(unit, source), *(restart(service, source) for service in services)),
    )
    for rsa, ec, source, services in _USERS
    for unit in (rsa, ec)
)
