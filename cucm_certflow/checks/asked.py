"""What no interface shows and a person is asked: before a change, and after it."""

from __future__ import annotations

from typing import Final

from cucm_certflow.checks.scope import Scope
from cucm_certflow.checks.vocabulary import CTL_UNITS, LIST_UNITS, asked_check
from cucm_certflow.findings import Severity
from cucm_certflow.names import CertUnit
from cucm_certflow.procedures.vocabulary import ReleaseRange, Source

__all__ = ["ASKED_AFTER", "ASKED_BEFORE"]

_WEB: Final = frozenset({CertUnit.TOMCAT, CertUnit.TOMCAT_ECDSA})
_SIGNS_ON: Final = _WEB | {CertUnit.ITLRECOVERY}
_PRESENCE: Final = frozenset(unit for unit in CertUnit if unit.value.startswith("cup"))
_SINCE_10: Final = ReleaseRange((10, 0), (15, 99))
_SINCE_14: Final = ReleaseRange((14, 0), (15, 99))


def _has_phones(scope: Scope) -> bool:
    return bool(scope.facts.phones)


def _has_itlrecovery(scope: Scope) -> bool:
    return any(CertUnit.ITLRECOVERY in node.certificates for node in scope.facts.nodes)


def _is_tokenless(scope: Scope) -> bool:
    return not any(n.ctl is not None and n.ctl.token for n in scope.facts.nodes)


ASKED_BEFORE: Final = (
    asked_check(
        "no-upgrade",
        "no upgrade is in progress",
        # `utils system upgrade status` exists; no output of it is known.
        unlock="look at `utils system upgrade status` on every node, and say that none runs",
        source=Source("a public health-check script", "upgrade status"),
    ),
    asked_check(
        "diagnostics-clean",
        "the nodes' own diagnostics find nothing",
        # Several minutes a node, and no complete list of what it may print is known.
        unlock="`utils diagnose test` on every node: every test passed",
        source=Source(
            "Cisco, changing the IP address or host name of a node", "health before the change"
        ),
        severity=Severity.WARNING,
    ),
    asked_check(
        "itl-mismatches",
        "no phone holds a list that does not match before the change begins",
        # That served lists are as they should be does not show that phones have loaded them.
        unlock="from 14: Find and List Phones, ITL File Status; before: the phones' status message "
        "`Trust List update failed`; and every phone was reset since a list last changed. Say how "
        "it was looked at, and name no phone that stays",
        source=Source("Cisco TAC 214231", "endpoints", "point P3, F2; K3"),
        units=LIST_UNITS,
        where=_has_phones,
    ),
    asked_check(
        "directory-opens",
        "a phone can open the corporate directory, so that TVS answers",
        unlock="open the Corporate Directory on a phone of each CallManager group",
        source=Source("Cisco TAC 118731", "phones trust TVS"),
        units=LIST_UNITS,
        where=_has_phones,
    ),
    asked_check(
        "phones-reach-tvs",
        "every phone network reaches TVS, TCP 2445, on the nodes of its group",
        unlock="look at the firewalls between phones and nodes; phones that are kept away have no "
        "lifeline through TVS",
        source=Source("cucm_certflow field notes", "§8", "firewalls keep phones from 2445"),
        units=LIST_UNITS,
        where=_has_phones,
    ),
    asked_check(
        "tls-minimum",
        "the lowest TLS version that the nodes accept is one that every phone speaks",
        unlock="find out what `set tls min-version` was given on the nodes: 1.2 keeps older models "
        "(79xx, 99xx) from TVS",
        source=Source("cucm_certflow field notes", "§8", "TLS floor"),
        units=LIST_UNITS,
        where=_has_phones,
    ),
    asked_check(
        "phone-interaction",
        "Phone Interaction on Certificate Update is manual",
        # The parameter's name in the database is not known: it cannot be read.
        unlock="Enterprise Parameters, Security Parameters: set it to manual before the first "
        "regeneration; or consent to phones that reset by themselves on each node's change",
        source=Source("Cisco security guide 14SU2", "Certificates", "D8, K10, F35"),
        units=LIST_UNITS,
        releases=_SINCE_14,
    ),
    asked_check(
        "ctl-update-works",
        "`utils ctl update CTLFile` will work",
        unlock="say that the export-controlled licence is there and that auto-registration does "
        "not make the command ask what nobody answers",
        source=Source(
            "cucm_certflow field notes", "§8", "before anything whose procedure needs it"
        ),
        units=CTL_UNITS,
        releases=_SINCE_10,
        mixed=True,
        where=_is_tokenless,
    ),
    asked_check(
        "itlrecovery-exported",
        "ITLRecovery's key pair was exported before the first change",
        unlock="`file get tftp ITLRecovery.p12` on the publisher, kept where it is safe",
        source=Source(
            "Cisco security guide 12.5(1)SU6", "Default Security", "utils itl reset remotekey"
        ),
        units=LIST_UNITS,
        where=_has_itlrecovery,
    ),
    asked_check(
        "other-clusters",
        "no other cluster depends on these lists",
        unlock="say that there is no central or off-cluster TFTP, no EMCC and no migration between "
        "clusters; or what was arranged with them. On a central TFTP cluster the rollback "
        "parameter is True",
        source=Source("Cisco security guide 12.5(1)SU6", "Default Security", "D24, F25"),
        units=LIST_UNITS,
    ),
    asked_check(
        "lsc-in-use",
        "nothing but this cluster relies on the phones' certificates from CAPF",
        unlock="say whether 802.1X or phone VPN is in use; then RADIUS and ASA get the new CAPF "
        "certificate before phones depend on it",
        source=Source("pkinane, Cisco community", "CAPF", "F7; TAC 225746"),
        units=frozenset({CertUnit.CAPF}),
    ),
    asked_check(
        "sso-disabled",
        "SAML single sign-on is off, or was disabled for this change",
        unlock="Cisco Unified CM Administration, System, SAML Single Sign-On; on every node if the "
        "agreement is per node",
        source=Source("Cisco TAC 217138 and 225746", "Tomcat", "F8, F32"),
        units=_SIGNS_ON,
    ),
    asked_check(
        "phones-not-waited-for",
        "the phones that no barrier can wait for are named",
        unlock="name phones behind Expressway, on SRST or in a call in Policy.not_awaited (Jabber "
        "and third-party SIP phones are told by their model): they are not counted as missing, "
        "and come later",
        source=Source(
            "cucm_certflow field notes", "§8", "classes that the barrier cannot wait for"
        ),
        severity=Severity.WARNING,
        units=LIST_UNITS,
        where=_has_phones,
    ),
)
"""Asked before a change."""

ASKED_AFTER: Final = (
    asked_check(
        "directory-tested",
        "a phone opens the corporate directory",
        unlock="open the Corporate Directory on a phone",
        source=Source("Cisco TAC 118731", "phones trust TVS and Tomcat"),
        units=_WEB | {CertUnit.TVS, CertUnit.CALLMANAGER},
        where=_has_phones,
    ),
    asked_check(
        "list-on-a-phone",
        "the lists on a phone are the served ones",
        unlock="compare the checksum in a phone's Security settings with `show itl` and `show ctl` "
        "of its TFTP node; from 14: ITL File Status is Match",
        source=Source("Cisco TAC 118893 and FN70613", "checksums"),
        severity=Severity.WARNING,
        units=LIST_UNITS,
        where=_has_phones,
    ),
    asked_check(
        "presence-sessions",
        "IM and Presence is highly available, and its users are back",
        unlock='High Availability is Normal, and `show perf query counter "Cisco Presence '
        'Engine" ActiveJsmSessions` is back at the number from before, which takes 30 minutes',
        source=Source(
            "Cisco, changing the IP address or host name of a node", "IM and Presence, afterwards"
        ),
        severity=Severity.WARNING,
        units=_PRESENCE,
    ),
)
"""Asked after a change, besides the partner tasks."""
