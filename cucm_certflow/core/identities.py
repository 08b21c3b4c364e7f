"""What kind of identity a certificate is: plain ones may be regenerated, others would be destroyed.

``set cert regen`` leaves a self-signed certificate of that node alone, whatever was there before
(security guide 14SU2, Certificates: it overwrites CA-signed ones; CLI reference 15).
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

import attrs

from cucm_certflow.facts import Certificate, ClusterFacts, NodeFacts
from cucm_certflow.names import CertUnit

__all__ = ["ROUTES", "Identity", "IdentityOf", "identity_of"]


class Identity(Enum):
    """Kinds of identity, in the order in which they are recognised."""

    CA_SIGNED = "signed by a CA"
    REUSED = "Tomcat's certificate, reused for CallManager"
    MULTI_SERVER = "one certificate for several servers"
    PLAIN = "self-signed, of its node alone"


ROUTES: Final = {
    Identity.CA_SIGNED: "the CSR route: generate a CSR, have it signed, upload the CA's chain, "
    "then the certificate (TAC 217138)",
    Identity.REUSED: "renew the multi-server Tomcat certificate, reuse it for CallManager again, "
    "then CallManager's CTL update, restarts and reset (TAC 221070)",
    Identity.MULTI_SERVER: "OS Administration on the publisher: generate it anew with distribution "
    "Multi-Server (SAN); no command line does (security guide 15, Certificates)",
}
"""What to do instead of regenerating."""

_SOURCES: Final = {
    Identity.CA_SIGNED: "Cisco security guide 14SU2, Certificates (D25, K11, F21)",
    Identity.REUSED: "Cisco TAC 221070; K11",
    Identity.MULTI_SERVER: "Cisco security guide 14SU2 and 15, Certificates (K11, F18)",
    Identity.PLAIN: "",
}
_MULTI_SERVER_NAME: Final = re.compile(r"CN=[^;,]+?(?:-EC)?-ms(?:[.;,]|$)", re.IGNORECASE)
_TWINS: Final = {
    CertUnit.CALLMANAGER: CertUnit.TOMCAT,
    CertUnit.CALLMANAGER_ECDSA: CertUnit.TOMCAT_ECDSA,
    CertUnit.TOMCAT: CertUnit.CALLMANAGER,
    CertUnit.TOMCAT_ECDSA: CertUnit.CALLMANAGER_ECDSA,
}


@attrs.frozen(kw_only=True)
class IdentityOf:
    """The kind of one certificate, with what shows it."""

    kind: Identity
    evidence: tuple[str, ...] = ()

    @property
    def may_be_regenerated(self) -> bool:
        """Whether regenerating leaves the same kind of identity."""
        return self.kind is Identity.PLAIN

    @property
    def route(self) -> str:
        """What to do instead; empty for plain ones."""
        return ROUTES.get(self.kind, "")

    @property
    def source(self) -> str:
        """The document behind it."""
        return _SOURCES[self.kind]


def identity_of(facts: ClusterFacts, node: NodeFacts, unit: CertUnit) -> IdentityOf | None:
    """The kind of *unit*'s certificate on *node*; None if the node shows none.

    That ITLRecovery is the same on several nodes from 12.5 on is no multi-server identity: the
    publisher makes it, and regenerating it there is the procedure.
    """
    certificate = node.certificates.get(unit)
    if certificate is None:
        return None
    if not certificate.self_signed:
        return IdentityOf(kind=Identity.CA_SIGNED, evidence=(f"issuer {certificate.issuer}",))
    twin = _TWINS.get(unit)
    other = node.certificates.get(twin) if twin else None
    if twin and other is not None and other.fingerprint == certificate.fingerprint:
        text = f"{unit} and {twin} on {node.name} have the same serial {certificate.serial}"
        return IdentityOf(kind=Identity.REUSED, evidence=(text,))
    shared = () if unit is CertUnit.ITLRECOVERY else _shared(facts, node, unit, certificate)
    if shared:
        return IdentityOf(kind=Identity.MULTI_SERVER, evidence=shared)
    return IdentityOf(kind=Identity.PLAIN)


def _shared(
    facts: ClusterFacts, node: NodeFacts, unit: CertUnit, certificate: Certificate
) -> tuple[str, ...]:
    evidence: list[str] = []
    holders = [
        other.name
        for other in facts.nodes
        if other is not node
        and (same := other.certificates.get(unit))
        and same.fingerprint == certificate.fingerprint
    ]
    if holders:
        evidence.append(f"{', '.join(holders)} shows the same one, serial {certificate.serial}")
    if _MULTI_SERVER_NAME.search(certificate.subject):
        evidence.append(f"its subject is {certificate.subject}")
    named = sorted(
        {
            other.name
            for other in facts.nodes
            for name in certificate.names
            if name.lower().split(".")[0] == other.name.lower().split(".")[0]
        }
    )
    if len(named) > 1:
        evidence.append(f"it names {', '.join(named)}")
    return tuple(evidence)
