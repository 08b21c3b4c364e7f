"""Whether a certificate in a trust store is still needed, and by whom: what must not be deleted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from cucm_certflow.facts import Certificate, ListView, TrustEntry
from cucm_certflow.names import CertUnit

__all__ = ["is_over", "needed_by"]

_CAPF_STORE: Final = "CAPF-trust"
_IPSEC_STORE: Final = "ipsec-trust"


def is_over(entry: TrustEntry, now: datetime) -> bool:
    """Whether the certificate of *entry* has expired; one that says nothing has not."""
    until = entry.certificate.not_after
    return until is not None and until <= now


def needed_by(
    entry: TrustEntry,
    identities: Mapping[str, Mapping[CertUnit, Certificate]],
    lists: Iterable[tuple[str, ListView]],
    *,
    node_names: Iterable[str],
    lscs_reissued: bool,
) -> tuple[str, ...]:
    """Why *entry* must stay, a reason each; empty if nothing that we see needs it.

    Args:
        entry: In which store it is, and its certificate.
        identities: Each node's own certificates (D23: none of them is ever deleted).
        lists: The trust lists that nodes serve, with whose they are.
        node_names: Of the cluster: ipsec-trust has the publisher's certificate by its name (F13).
        lscs_reissued: A person says that no phone has an LSC of this issuer any more (K9, F29).
    """
    reasons: list[str] = []
    certificate = entry.certificate
    for node, own in identities.items():
        for unit, identity in own.items():
            if identity.fingerprint == certificate.fingerprint:
                reasons.append(f"it is the {unit} certificate of {node} (X1, D23)")
            elif not identity.self_signed and identity.issuer == certificate.subject:
                reasons.append(f"it is named as issuer of the {unit} certificate of {node}")
    for owner, served in lists:
        roles = {
            "signs": {served.signer},
            "names as SAST": served.sast,
            "names as TFTP": served.tftp,
            "names as CCM": served.ccm,
            "pins as TVS": served.pin,
            "names as CAPF": served.capf,
        }
        reasons += [
            f"it is what the {served.kind.value} of {owner} {what}"
            for what, keys in roles.items()
            if certificate.fingerprint in keys
        ]
    if entry.store == _IPSEC_STORE and _names_node(entry, node_names):
        reasons.append("backup and restore look for a node's certificate under that name (I3, F13)")
    if entry.store == _CAPF_STORE and not lscs_reissued:
        reasons.append("phones may still have an LSC that it issued (K9, F29): say that none has")
    return tuple(reasons)


def _names_node(entry: TrustEntry, names: Iterable[str]) -> bool:
    stem = entry.name.lower().removesuffix(".pem").split(".", maxsplit=1)[0]
    return stem in {name.lower().split(".", maxsplit=1)[0] for name in names}
