"""The certificates in the database of one node, which may know less than another's."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.servers.papers import Papers

__all__ = ["SERVICE_NAMES", "CertificateRow", "is_about_certificates", "rows_of"]

_TABLE: Final = re.compile(r"\bcertificate\b", re.IGNORECASE)

SERVICE_NAMES: Final = (
    "Phone-trust",
    "Phone-VPN-trust",
    "CallManager",
    "CallManager-trust",
    "tomcat",
    "tomcat-trust",
    "ipsec",
    "ipsec-trust",
    "CAPF",
    "CAPF-trust",
    "TVS",
    "TVS-trust",
    "directory-trust",
    "Phone-SAST-trust",
    "Phone-CTL-trust",
    "userlicensing-trust",
    # The numbers and the names from here on are the lab's invention.
    "ITLRecovery",
    "tomcat-ECDSA",
    "CallManager-ECDSA",
    "cup",
    "cup-ECDSA",
    "cup-xmpp",
    "cup-xmpp-ECDSA",
    "cup-xmpp-s2s",
    "cup-xmpp-s2s-ECDSA",
    "cup-trust",
    "cup-xmpp-trust",
)
"""``typecertificateservice`` of an 8.6 (Cisco 210541), numbered from 1 on."""


class CertificateRow(NamedTuple):
    """A certificate: whose, for what, and its PEM, which has line ends of its own."""

    node: str
    service: str
    pem: str


def is_about_certificates(query: str) -> bool:
    """Whether the table ``certificate`` is in *query*."""
    return _TABLE.search(query) is not None


async def rows_of(cluster: LabCluster, papers: Papers, node: str) -> tuple[CertificateRow, ...]:
    """What *node*'s own database has now, in a fixed order.

    Under the names of units; that copies in trust stores have rows of their own is left out, except
    for strangers.
    """
    known = sorted(cluster.book.known_to(node))
    strangers = [entry for entry in cluster.book.entries(node) if entry.trusted.cert is None]
    rows = [
        CertificateRow(cert.node, cert.unit.value, (await papers.certificate(cert)).pem)
        for cert in known
    ]
    rows += [
        CertificateRow(node, entry.store, (await papers.trusted(entry)).pem) for entry in strangers
    ]
    return tuple(rows)
