"""What other systems' people have to do when a certificate changes: asked about, never assumed done.

No interface of a cluster shows whether such a system exists (field notes, §8), so every question is
asked of every cluster, in both modes: a needless question costs a word, a missing one an outage.
What has to be done elsewhere *before* the first regeneration is asked by the preflight.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import attrs

from cucm_certflow.names import CertUnit, Release, SecurityMode
from cucm_certflow.procedures.vocabulary import (
    ANY_RELEASE,
    Condition,
    ReleaseRange,
    Situation,
    Source,
)

__all__ = ["PARTNER_TASKS", "PartnerTask", "tasks_for"]


@attrs.frozen(kw_only=True)
class PartnerTask:
    """One thing that somebody has to do on another system, or to say that there is none.

    Attributes:
        id: What a person's word about it names; part of the public interface.
        partner: The other system.
        units: The certificates whose change brings it about.
        question: Whether there is such a system: answered with no, nothing is left to do.
        instructions: The steps for a person, in order.
        source: Where it comes from; its note says so where it is our inference or general
            knowledge of the field, and no text that was read.
        releases: Of the cluster.
        condition: As of a row: when it applies.
    """

    id: str
    partner: str
    units: frozenset[CertUnit]
    question: str
    instructions: tuple[str, ...]
    source: Source
    releases: ReleaseRange = ANY_RELEASE
    condition: Condition = Condition.ALWAYS


_TOMCAT: Final = frozenset({CertUnit.TOMCAT, CertUnit.TOMCAT_ECDSA})
_CALLMANAGER: Final = frozenset({CertUnit.CALLMANAGER, CertUnit.CALLMANAGER_ECDSA})
_CAPF: Final = frozenset({CertUnit.CAPF})
_RECOVERY: Final = frozenset({CertUnit.ITLRECOVERY})
_IPSEC: Final = frozenset({CertUnit.IPSEC})
_CUP: Final = frozenset({CertUnit.CUP, CertUnit.CUP_ECDSA})
_XMPP: Final = frozenset({CertUnit.CUP_XMPP, CertUnit.CUP_XMPP_ECDSA})
_S2S: Final = frozenset({CertUnit.CUP_XMPP_S2S, CertUnit.CUP_XMPP_S2S_ECDSA})

_TO_13: Final = ReleaseRange((8, 0), (13, 99))
_FROM_14: Final = ReleaseRange((14, 0), (15, 99))

_TAC: Final = "Cisco TAC 214231"
_COMMON: Final = "Cisco TAC 225746"
_GUIDE: Final = "Cisco security guide 14SU2"
_INFERRED: Final = "the steps are inferred"
_UNREAD: Final = "unverified: no text about it was read"
_FIELD: Final = "general knowledge of the field"


def _task(
    id: str,  # noqa: A002 - the field's name
    partner: str,
    units: frozenset[CertUnit],
    question: str,
    *instructions: str,
    source: Source,
    releases: ReleaseRange = ANY_RELEASE,
) -> PartnerTask:
    return PartnerTask(
        id=id,
        partner=partner,
        units=units,
        question=question,
        instructions=instructions,
        source=source,
        releases=releases,
    )


PARTNER_TASKS: Final[tuple[PartnerTask, ...]] = (
    _task(
        "sso-metadata",
        "identity provider (SAML single sign-on)",
        _TOMCAT | _RECOVERY,
        "Was SAML single sign-on in use before this change?",
        "Export the service provider's metadata again.",
        "Import it at the identity provider.",
        "Enable SSO again, and run its test.",
        "Restart Cisco Tomcat and Cisco UDS Tomcat on all nodes.",
        source=Source(_COMMON, "SSO: Failed to decrypt the secret key", "F8, F32"),
    ),
    _task(
        "uccx-trust",
        "UCCX",
        _TOMCAT,
        "Is UCCX (or another contact centre with Finesse) integrated?",
        "Self-signed: upload the Tomcat certificates of all CUCM nodes to UCCX tomcat-trust. CA-signed: upload the root, and the intermediates if there are any.",
        "Restart the UCCX servers.",
        "Log in to Finesse once.",
        source=Source(_TAC, "Tomcat", "points T3 and A2, F27; a must from UCCX 12.5"),
    ),
    _task(
        "emcc-exchange",
        "clusters of Extension Mobility Cross Cluster",
        _TOMCAT | _CALLMANAGER | _RECOVERY,
        "Is Extension Mobility used across clusters (EMCC)?",
        "Repeat the bulk certificate export on each cluster, consolidate, and import on each cluster.",
        "See that CallManager and ITLRecovery are among what was imported, on both clusters.",
        source=Source(
            _GUIDE,
            "Certificates, EMCC",
            "F25; which of these units EMCC reads is not said more closely",
        ),
    ),
    _task(
        "expressway-trust",
        "Expressway",
        _TOMCAT | _CALLMANAGER,
        "Does Expressway-C reach this cluster (MRA, a TLS-verified traversal zone)?",
        "Upload the new CallManager and Tomcat certificates, or their CA, to Expressway-C's trusted CA list. X14.2 and later verify them.",
        "See that Expressway's CA is in tomcat-trust and CallManager-trust; if it had to be added, restart Cisco CallManager, Cisco Tftp, Cisco Tomcat and Cisco HAProxy.",
        "Register one client over MRA.",
        source=Source(_COMMON, "MRA: tlsv1 alert unknown ca", "Cisco TAC 218018; F9"),
    ),
    _task(
        "dot1x-trust",
        "RADIUS or ISE (802.1X)",
        _CAPF,
        "Do phones authenticate to the network with certificates from CAPF (802.1X)?",
        "Add the new CAPF certificate to the authentication server; keep the old one until every phone has a new LSC.",
        "Install new LSCs, see one phone authenticate with its own, then take the bypass away.",
        source=Source("pkinane, Cisco community", "CAPF", "TAC 225746; F7, F29"),
    ),
    _task(
        "lsc-reissue",
        "phones with certificates from CAPF",
        _CAPF,
        "Do phones have certificates from CAPF (LSC)?",
        "Install an LSC on one phone: `Operation completed`.",
        "Issue new LSCs to all others; delete the old CAPF from no trust store before the last has one.",
        source=Source(
            _COMMON,
            "CAPF",
            "pkinane, Cisco community; F29; LSCs of an online or offline CA are not concerned",
        ),
    ),
    _task(
        "vpn-trust",
        "ASA (phone VPN, phone proxy)",
        _CAPF,
        "Do phones use phone VPN or a phone proxy on an ASA?",
        "Add the new CAPF certificate to a trustpoint of the ASA; keep the old one until every phone has a new LSC.",
        source=Source(
            "pkinane, Cisco community",
            "CAPF",
            "TAC 214231: phone VPN and phone proxy are affected (point A3)",
        ),
    ),
    _task(
        "gateway-trust",
        "CUBE and SIP gateways",
        _CALLMANAGER,
        "Are there SIP trunks or gateways over TLS (CUBE, PSTN gateways, other call control)?",
        "Replace the CallManager certificates of this cluster, or their CA, in the trust of each peer.",
        "Place a call over each trunk.",
        source=Source(
            _TAC, "what CallManager affects", f"point A1: secure SIP trunks; {_INFERRED}"
        ),
    ),
    _task(
        "media-trust",
        "IOS media resources",
        _CALLMANAGER,
        "Are there secure conference bridges, MTPs or transcoders on IOS?",
        "Replace the CallManager certificates of this cluster in the trustpoint of each router.",
        "See each resource registered, and use one.",
        source=Source(
            _TAC, "what CallManager affects", f"point A1: secure media resources; {_INFERRED}"
        ),
    ),
    _task(
        "srst-trust",
        "secure SRST",
        _CAPF | _CALLMANAGER,
        "Is there secure SRST?",
        "Import the new CAPF certificate on each SRST router: it verifies the phones' LSCs with it.",
        "Update the certificate of each SRST reference on this cluster if it changed.",
        source=Source(_FIELD, "partners", _UNREAD),
    ),
    _task(
        "unity-trust",
        "Unity Connection",
        _CALLMANAGER | _TOMCAT,
        "Is Unity Connection integrated over TLS, or does it read users over AXL?",
        "See that it trusts the new CallManager certificates (secure ports) and Tomcat certificates (AXL).",
        "Leave and hear one message.",
        source=Source(_FIELD, "partners", _UNREAD),
    ),
    _task(
        "cer-trust",
        "Cisco Emergency Responder",
        _TOMCAT | _CALLMANAGER | _CAPF,
        "Is Cisco Emergency Responder integrated?",
        "See that it trusts the new Tomcat certificates, and the others where it uses JTAPI or SIP over TLS.",
        "See its phone tracking find phones again.",
        source=Source(f"{_GUIDE}; {_COMMON}", "partners to look for", f"the steps: {_UNREAD}"),
    ),
    _task(
        "cms-trust",
        "Cisco Meeting Server",
        _CALLMANAGER,
        "Is Cisco Meeting Server connected over TLS?",
        "See that it trusts the new CallManager certificates, or their CA.",
        "Hold one meeting.",
        source=Source(_FIELD, "partners", _UNREAD),
    ),
    _task(
        "cti-trust",
        "CTI, JTAPI and TAPI applications",
        _CAPF | _CALLMANAGER,
        "Are there CTI, JTAPI or TAPI applications with secure connections?",
        "Issue their certificates anew from the new CAPF, and load the new lists in each client.",
        "See each application connect to Cisco CTIManager.",
        source=Source(
            _TAC,
            "15.0 edition, what CAPF affects",
            f"CTI, JTAPI and TAPI authentication; {_INFERRED}",
        ),
    ),
    _task(
        "web-applications",
        "applications that use AXL and other web services",
        _TOMCAT,
        "Do applications verify this cluster's Tomcat certificates (AXL, provisioning, recording, management)?",
        "Give each the new certificates of all nodes, or their CA.",
        "See each connect.",
        source=Source(_TAC, "what Tomcat and CallManager affect", f"points A1 and A2; {_INFERRED}"),
    ),
    _task(
        "tftp-clusters",
        "off-cluster TFTP and other clusters",
        _CALLMANAGER | _CAPF | _RECOVERY | frozenset({CertUnit.TVS}),
        "Do other clusters or an off-cluster TFTP serve phones of this one, or this one theirs?",
        "Repeat the bulk certificate exchange; if its import fails, import CallManager and ITLRecovery of the other cluster one by one, and look on the subscribers too.",
        "On a central TFTP cluster the rollback parameter is True; leave it so there.",
        source=Source(
            "Cisco TAC 215539; security guide 12.5(1)SU6, Default Security",
            "bulk certificates, central TFTP",
            "D24, F31; which units it needs is inferred",
        ),
    ),
    _task(
        "ipsec-peers",
        "IPsec peers",
        _IPSEC,
        "Are there IPsec tunnels to gateways or other clusters?",
        "Give each peer the new ipsec certificates, and see each tunnel come up.",
        source=Source(_TAC, "what IPSec affects", f"point A4; {_INFERRED}"),
        releases=_TO_13,
    ),
    _task(
        "ipsec-restart",
        "IPsec peers",
        _IPSEC,
        "Are there IPsec policies, to gateways, to other clusters or between nodes?",
        "From 14 nothing puts ipsec certificates into ipsec-trust: on each peer remove the old entry of the same name, then upload the new one.",
        "`utils ipsec restart` on both ends.",
        "`show network cluster`: authenticated.",
        source=Source(
            "Cisco administration guide 15", "Manage IPSec", "security guide 14SU2, Certificates"
        ),
        releases=_FROM_14,
    ),
    _task(
        "presence-trust",
        "IM and Presence with its CUCM cluster",
        _CUP | _CALLMANAGER,
        "Is there a SIP trunk over TLS between CUCM and IM and Presence?",
        "After CUCM's certificate was imported on IM and Presence, restart Cisco SIP Proxy there.",
        "After the cup certificate was imported into CallManager-trust, restart Cisco CallManager.",
        source=Source("IM and Presence configuration guide 12.5", "Certificates"),
    ),
    _task(
        "presence-peers",
        "intercluster peers of IM and Presence",
        _TOMCAT | _CUP | _XMPP,
        "Are there intercluster peers of IM and Presence?",
        "If a CA chain changed: upload it on the database publisher, and restart Cisco Intercluster Sync Agent there.",
        "On each cluster, Inter-Clustering shows every peer with `Connection is secure`.",
        "Delete nothing old from trust before 30 minutes have passed.",
        source=Source(
            "IM and Presence configuration guide 12.5",
            "Certificates",
            "which units a peer reads is inferred",
        ),
    ),
    _task(
        "xmpp-federation",
        "partners of XMPP federation",
        _S2S,
        "Is there XMPP federation over TLS with certificates that a partner verifies?",
        "Give each partner the new certificate, or its CA; theirs are kept in cup-xmpp-trust.",
        source=Source("IM and Presence configuration guide 12.5", "Certificates", _INFERRED),
    ),
)
"""All tasks, those before the change first."""


def tasks_for(
    units: Iterable[CertUnit], release: Release, mode: SecurityMode
) -> tuple[PartnerTask, ...]:
    """The tasks that changing *units* brings with it, in the order of the table."""
    wanted = frozenset(units)
    situation = Situation(mode=mode)
    return tuple(
        task
        for task in PARTNER_TASKS
        if task.units & wanted and release in task.releases and task.condition.holds_in(situation)
    )
