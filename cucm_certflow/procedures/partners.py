"""What people of other systems have to do when a certificate changes: asked, never assumed."""

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

    No interface of the cluster shows whether the other system exists: it is asked about by
    default, for every unit that touches it, and a run is not complete while a task is open. What
    has to be done on other systems *before* the first regeneration is asked by the preflight.

    Attributes:
        id: By which a person's word is about it.
        partner: The other system.
        units: The certificate kinds whose change concerns it.
        question: How one finds out whether it concerns this cluster.
        instructions: What to do then, a sentence each.
        releases: Under which releases it arises.
        condition: In which mode.
    """

    id: str
    partner: str
    units: frozenset[CertUnit]
    question: str
    instructions: tuple[str, ...]
    source: Source
    releases: ReleaseRange = ANY_RELEASE
    condition: Condition = Condition.ALWAYS


_U = CertUnit
_TOMCATS: Final = frozenset({_U.TOMCAT, _U.TOMCAT_ECDSA})
_CALLMANAGERS: Final = frozenset({_U.CALLMANAGER, _U.CALLMANAGER_ECDSA})
_PRESENCE: Final = frozenset(
    {
        _U.CUP,
        _U.CUP_ECDSA,
        _U.CUP_XMPP,
        _U.CUP_XMPP_ECDSA,
        _U.CUP_XMPP_S2S,
        _U.CUP_XMPP_S2S_ECDSA,
    }
)
_SEED: Final = "Cisco TAC 214231"
_FROM_10: Final = ReleaseRange((10, 0), (15, 0))
_FROM_12: Final = ReleaseRange((12, 0), (15, 0))

# fmt: off
PARTNER_TASKS: Final[tuple[PartnerTask, ...]] = (
    PartnerTask(
        id="sso-metadata", partner="identity provider (SAML single sign-on)",
        units=_TOMCATS | {_U.ITLRECOVERY}, releases=_FROM_10,
        question="Was SAML single sign-on on?",
        instructions=(
            "Export the metadata of the service provider again, import it at the identity "
            "provider, enable SSO, and run the SSO test.",
            "Then restart Cisco Tomcat and Cisco UDS Tomcat on all nodes.",
        ),
        source=Source("Cisco TAC 225746", "SSO after a renewal", "F8, F32")),
    PartnerTask(
        id="uccx", partner="UCCX and Finesse", units=_TOMCATS,
        question="Is UCCX integrated (from 12.5 Finesse logins need it)?",
        instructions=(
            "Upload the tomcat certificate of every node to tomcat-trust of each UCCX server.",
            "Restart the UCCX servers, and log in to Finesse.",
        ),
        source=Source(_SEED, "Tomcat", "T3, A2; F27")),
    PartnerTask(
        id="emcc", partner="other clusters (EMCC, bulk certificate exchange)",
        units=_TOMCATS | _CALLMANAGERS | {_U.CAPF, _U.ITLRECOVERY},
        question="Do certificates go to other clusters by bulk exchange (EMCC, ILS, migration)?",
        instructions=(
            "Export, consolidate and import again on every cluster, ITLRecovery included.",
            "If the import page fails (CSCuy43181), import CallManager and ITLRecovery one by one "
            "on each node, and do not trust the sync to the subscribers.",
        ),
        source=Source("Cisco TAC 215539", "bulk certificates", "A2; F25, F31")),
    PartnerTask(
        id="expressway", partner="Expressway", units=_TOMCATS | _CALLMANAGERS,
        question="Does an Expressway-C traverse to this cluster (MRA, Webex, TLS verify)?",
        instructions=(
            "Upload the new CallManager and Tomcat certificates to the trusted CAs of every "
            "Expressway-C, and refresh the discovered cluster.",
            "Expressway's CA stays in tomcat-trust and CallManager-trust.",
        ),
        source=Source("Cisco TAC 225746 and 218018", "Expressway", "F9; X14.2 and later verify")),
    PartnerTask(
        id="radius", partner="RADIUS server (802.1X of phones)",
        units=frozenset({_U.CAPF}),
        question="Do phones authenticate with 802.1X by their LSC?",
        instructions=(
            "Upload the new CAPF certificate, renew the LSCs (Install/Upgrade), then end the "
            "bypass.",
        ),
        source=Source("Cisco TAC 225746", "CAPF", "A3; F7")),
    PartnerTask(
        id="phone-vpn", partner="ASA (phone VPN, phone proxy)",
        units=frozenset({_U.CAPF}) | _CALLMANAGERS,
        question="Do phones come over phone VPN, or through a phone proxy?",
        instructions=(
            "Import the new CAPF certificate on the ASA, and keep the old one until the last LSC "
            "is renewed.",
            "With a phone proxy import the new CallManager certificates too.",
        ),
        source=Source(_SEED, "CAPF", "A3; A6: the CTL names ASA firewalls")),
    PartnerTask(
        id="lsc-renewal", partner="phones with an LSC",
        units=frozenset({_U.CAPF}),
        question="Do phones have LSCs that the old CAPF issued?",
        instructions=(
            "Renew them (Install/Upgrade), one test phone first: Operation completed.",
            "The old CAPF certificate stays in CAPF-trust until then (F29).",
        ),
        source=Source("Cisco TAC 225746", "CAPF", "A3; K9, F29")),
    PartnerTask(
        id="sip-gateways", partner="CUBE and SIP gateways over TLS",
        units=_CALLMANAGERS,
        question="Are there secure SIP trunks or gateways that hold CallManager's certificates?",
        instructions=(
            "Import the new CallManager certificate of every node into the trustpoints.",
            "See that the trunks are in service again.",
        ),
        source=Source(_SEED, "CallManager", "A1: secure SIP trunks")),
    PartnerTask(
        id="ios-media", partner="secure IOS media resources (conference, MTP, transcoder)",
        units=_CALLMANAGERS,
        question="Do IOS conference bridges, transcoders or MTPs register over TLS?",
        instructions=("Import the new CallManager certificates there, and see them registered.",),
        source=Source(_SEED, "CallManager", "A1: media resources")),
    PartnerTask(
        id="secure-srst", partner="secure SRST",
        units=frozenset({_U.CAPF}) | _CALLMANAGERS, condition=Condition.MIXED_MODE,
        question="Do sites have secure SRST routers?",
        instructions=(
            "Import the new CAPF certificate on each, and update the SRST certificate in CUCM "
            "if it was renewed.",
        ),
        # Which certificates a secure SRST router holds was read in no text: asked for both.
        source=Source("DESIGN", "partners", "inferred: it authenticates phones by their LSC")),
    PartnerTask(
        id="unity-connection", partner="Unity Connection",
        units=_TOMCATS | _CALLMANAGERS,
        question="Is Unity Connection integrated over TLS, or by AXL with certificate checks?",
        instructions=(
            "Import the new certificates into its trust store, and reset its port group.",
        ),
        source=Source("DESIGN", "partners", "inferred from A1 and A2")),
    PartnerTask(
        id="cer", partner="Cisco Emergency Responder", units=_TOMCATS,
        question="Is Emergency Responder connected?",
        instructions=("Import the new tomcat certificates, and see that phones are tracked.",),
        source=Source("Cisco security guide 14SU2", "Certificates", "consumers of tomcat")),
    PartnerTask(
        id="cms", partner="Cisco Meeting Server", units=_TOMCATS | _CALLMANAGERS,
        question="Is a Meeting Server a conference bridge here?",
        instructions=("Import the new certificates there, and see the bridge registered.",),
        source=Source("DESIGN", "partners", "inferred from A1: media resources")),
    PartnerTask(
        id="cti-applications", partner="CTI, JTAPI and TAPI applications",
        units=frozenset({_U.CAPF}) | _CALLMANAGERS,
        question="Do CTI applications connect securely (CAPF profiles)?",
        instructions=("Have them fetch their certificates and the CTL again.",),
        source=Source(_SEED, "15.0 edition", "CAPF: CTI, JTAPI and TAPI authentication")),
    PartnerTask(
        id="sip-oauth", partner="SIP OAuth (Jabber and phones)",
        units=_TOMCATS | frozenset({_U.CAPF}), releases=_FROM_12,
        question="Is SIP OAuth on?",
        instructions=(
            "Restart Cisco HAProxy, and Cisco CallManager if the clients do not register.",
        ),
        source=Source("Cisco security guide 14SU2", "Certificates", "D10: not by itself")),
    PartnerTask(
        id="off-cluster-tftp", partner="off-cluster TFTP, and other clusters that it serves",
        units=_CALLMANAGERS | {_U.TVS, _U.ITLRECOVERY, _U.CAPF},
        question="Does a central or off-cluster TFTP serve this cluster's phones?",
        instructions=(
            "Import the new CallManager and ITLRecovery certificates there (Phone-SAST-trust and "
            "CallManager-trust), and see that a phone loads its files from it.",
        ),
        source=Source("Cisco security guide 12.5", "Default security", "D24; TAC 215539")),
    PartnerTask(
        id="ipsec-peers", partner="IPsec peers (gateways, other clusters)",
        units=frozenset({_U.IPSEC}),
        question="Are there IPsec policies?",
        instructions=(
            "Exchange the new ipsec certificates: from 14 they are not uploaded by themselves, "
            "and an older entry of the same name has to be removed first.",
            "Then `utils ipsec restart` on both ends.",
        ),
        source=Source("Cisco administration guide 15", "Manage IPSec", "A4; D11")),
    PartnerTask(
        id="intercluster-presence", partner="intercluster peers of IM and Presence",
        units=_PRESENCE | _TOMCATS,
        question="Are there intercluster peers, or does CUCM trust cup certificates?",
        instructions=(
            "See that every peer says: Connection is secure.",
            "After importing cup into CallManager-trust restart Cisco CallManager, after "
            "importing CUCM's certificate restart Cisco SIP Proxy.",
        ),
        source=Source("IM and Presence configuration guide 12.5", "Certificates")),
    PartnerTask(
        id="federation", partner="federated domains",
        units=frozenset({_U.CUP, _U.CUP_ECDSA, _U.CUP_XMPP_S2S, _U.CUP_XMPP_S2S_ECDSA}),
        question="Is there SIP or XMPP federation over TLS?",
        instructions=("Give the new certificates to the federated domains.",),
        source=Source("IM and Presence configuration guide 12.5", "Certificates")),
)
# fmt: on
"""Every task, in an order in which people can work through them."""


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
