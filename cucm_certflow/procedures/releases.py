"""Which releases there are, and which certificates exist under which of them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import attrs

from cucm_certflow.names import CertUnit, Product, Release
from cucm_certflow.procedures.vocabulary import ReleaseRange, Source

__all__ = [
    "EXISTS",
    "KNOWN",
    "R8_TO_9",
    "R10_TO_11",
    "R12_5",
    "R12_BEFORE_5",
    "R14_TO_15",
    "WHERE",
    "Existence",
    "known_release",
]

R8_TO_9: Final = ReleaseRange((8, 0), (9, 1))
"""Security By Default, no ITLRecovery; in mixed mode USB tokens sign the CTL."""

R10_TO_11: Final = ReleaseRange((10, 0), (11, 5))
"""ITLRecovery as a second anchor; CallManager certificates sign the lists."""

R12_BEFORE_5: Final = ReleaseRange((12, 0), (12, 4))
"""ITLRecovery signs the lists, and each node has its own."""

R12_5: Final = ReleaseRange((12, 5), (12, 5))
"""ITLRecovery signs the lists, and the publisher makes the only one."""

R14_TO_15: Final = ReleaseRange((14, 0), (15, 0))
"""CAPF on the publisher only; services restart, and phones are reset, by themselves."""

KNOWN: Final = (R8_TO_9, R10_TO_11, R12_BEFORE_5, R12_5, R14_TO_15)
"""Everything that this library knows a procedure for, in order."""

_SHORTS: Final = frozenset(
    {(8, 0), (8, 5), (8, 6), (9, 0), (9, 1), (10, 0), (10, 5), (11, 0), (11, 5)}
    | {(12, 0), (12, 1), (12, 5), (14, 0), (15, 0)}
)


def known_release(release: Release) -> bool:
    """Whether there is such a release, and the tables are written for it."""
    return release.short in _SHORTS


@attrs.frozen(kw_only=True)
class Existence:
    """Where a certificate kind exists."""

    releases: ReleaseRange
    products: frozenset[Product]
    source: Source


_CUCM: Final = frozenset({Product.CALLMANAGER})
_IMP: Final = frozenset({Product.IM_PRESENCE})
_BOTH: Final = _CUCM | _IMP
_LAST: Final = (15, 0)
_TABLE: Final = Source("Cisco security guide 14SU2", "Certificates", "identity certificates")
_CLI: Final = Source("Cisco CLI reference 15", "set cert regen", "names of units")
_EN: Final = Source("Cisco TAC 214231", "15.0 edition", "CallManager-ECDSA since 11.0")
_IMP_GUIDE: Final = Source("IM and Presence configuration guide 12.5", "Certificates")
# The guide names no first release for the EC certificates of IM and Presence: an assumption.
_IMP_EC: Final = Source("IM and Presence configuration guide 12.5", "Certificates", "11.5: assumed")


def _from(first: tuple[int, int], products: frozenset[Product], source: Source) -> Existence:
    return Existence(releases=ReleaseRange(first, _LAST), products=products, source=source)


# fmt: off
EXISTS: Final[Mapping[CertUnit, Existence]] = MappingProxyType({
    CertUnit.TOMCAT: _from((8, 0), _BOTH, _TABLE),
    CertUnit.TOMCAT_ECDSA: _from((11, 5), _BOTH, _CLI),
    CertUnit.IPSEC: _from((8, 0), _BOTH, _TABLE),
    CertUnit.CAPF: _from((8, 0), _CUCM, _TABLE),
    CertUnit.CALLMANAGER: _from((8, 0), _CUCM, _TABLE),
    CertUnit.CALLMANAGER_ECDSA: _from((11, 0), _CUCM, _EN),
    CertUnit.TVS: _from((8, 0), _CUCM, _TABLE),
    CertUnit.ITLRECOVERY: _from((10, 0), _CUCM, Source("Cisco TAC 117598", "", "10.0 and later")),
    CertUnit.CUP: _from((8, 0), _IMP, _IMP_GUIDE),
    CertUnit.CUP_ECDSA: _from((11, 5), _IMP, _IMP_EC),
    CertUnit.CUP_XMPP: _from((8, 0), _IMP, _IMP_GUIDE),
    CertUnit.CUP_XMPP_ECDSA: _from((11, 5), _IMP, _IMP_EC),
    CertUnit.CUP_XMPP_S2S: _from((8, 0), _IMP, _IMP_GUIDE),
    CertUnit.CUP_XMPP_S2S_ECDSA: _from((11, 5), _IMP, _IMP_EC),
})
# fmt: on
"""Every certificate kind that is regenerated. ``authz`` and unknown ones are never touched."""

WHERE: Final = "the tables know 8.0 to 12.5, 14 and 15"
