"""Rows that several tables have in common, each made in one place with its budgets and its proof."""

from __future__ import annotations

from typing import Final

from cucm_certflow.names import CertUnit, Service
from cucm_certflow.procedures.vocabulary import (
    Condition,
    CtlUpdate,
    DoneByHand,
    PhoneReset,
    Proof,
    RegenerateUnit,
    Requirement,
    RestartOf,
    Row,
    Source,
    Stage,
)

__all__ = ["ctl_by_hand", "ctl_update", "regenerate", "reset_phones", "restart"]

_REPLICATION: Final = Requirement.REPLICATION_GOOD
_SIGN: Final = (
    "update the CTL with the CTL client and a USB token that signed it; the present certificates "
    "of all nodes must be in it"
)
_SHORT: Final = {
    Service.TOMCAT: "tomcat",
    Service.SSOSP_TOMCAT: "ssosp-tomcat",
    Service.UDS_TOMCAT: "uds-tomcat",
    Service.AXL_TOMCAT: "axl-tomcat",
    Service.HAPROXY: "haproxy",
    Service.CALLMANAGER: "callmanager",
    Service.CTIMANAGER: "ctimanager",
    Service.TVS: "tvs",
    Service.TFTP: "tftp",
    Service.CAPF: "capf",
    Service.DRF_MASTER: "drf-master",
    Service.DRF_LOCAL: "drf-local",
    Service.INTERCLUSTER_LOOKUP: "intercluster-lookup",
    Service.LOCATION_BANDWIDTH_MANAGER: "location-bandwidth-manager",
    Service.EXTENSION_MOBILITY: "extension-mobility",
    Service.SIP_PROXY: "sip-proxy",
    Service.PRESENCE_ENGINE: "presence-engine",
    Service.XCP_ROUTER: "xcp-router",
    Service.XCP_FEDERATION: "xcp-federation",
}
_PROOFS: Final = {Service.TFTP: Proof.ITL_SERVED, Service.TOMCAT: Proof.HTTPS_PRESENTS}
_DATABASES: Final = Requirement.DATABASES_HAVE_IT
_NEEDS: Final = {
    # Field notes, §8: the next member of a group only when the phones have fallen back; and what
    # phones meet is vouched for by the TVS of each node, from its own database, before they do.
    Service.CALLMANAGER: (Requirement.PHONES_FELL_BACK, _DATABASES),
    Service.TFTP: (Requirement.PHONES_FELL_BACK, _DATABASES),
    Service.TVS: (_DATABASES,),
    Service.DRF_MASTER: (Requirement.NO_BACKUP_RUNNING,),
    Service.DRF_LOCAL: (Requirement.NO_BACKUP_RUNNING,),
}


def regenerate(unit: CertUnit, source: Source, *requires: Requirement) -> Row:
    """``set cert regen``, proved by another certificate; replication must be good (K7)."""
    return Row(
        name="regenerate",
        stage=Stage.REGENERATE,
        does=RegenerateUnit(unit),
        proof=Proof.NEW_CERTIFICATE,
        within_s=600,
        settle_s=180,
        source=source,
        requires=frozenset({_REPLICATION, *requires}),
    )


def restart(
    service: Service,
    source: Source,
    *,
    when: Condition = Condition.ALWAYS,
    wave: int = 0,
) -> Row:
    """``utils service restart``, wherever *service* is activated, with the proof that suits it.

    Tomcat takes the web interfaces with it, and tools allow 240 to 600 s for it.
    """
    return Row(
        name=f"restart-{_SHORT[service]}" + ("-again" if wave else ""),
        stage=Stage.RESTART,
        does=RestartOf(service),
        proof=_PROOFS.get(service, Proof.RESTARTED),
        within_s=1800,
        settle_s=600,
        source=source,
        wave=wave,
        when=when,
        requires=frozenset(_NEEDS.get(service, ())),
    )


def ctl_update(source: Source, *, wave: int = 0) -> Row:
    """``utils ctl update CTLFile``, read back on every TFTP node; in mixed mode without tokens."""
    return Row(
        name="ctl-update",
        stage=Stage.CTL,
        does=CtlUpdate(),
        when=Condition.TOKENLESS_CTL,
        proof=Proof.CTL_SERVED,
        within_s=900,
        settle_s=300,
        source=source,
        wave=wave,
        requires=frozenset({_DATABASES}),
    )


def ctl_by_hand(source: Source, *, when: Condition = Condition.CTL_BY_HAND) -> Row:
    """The CTL of a cluster whose tokens sign it: the run holds until it is read back."""
    return Row(
        name="ctl-by-hand",
        stage=Stage.CTL,
        does=DoneByHand(_SIGN),
        when=when,
        proof=Proof.CTL_SERVED,
        within_s=900,
        settle_s=300,
        source=source,
    )


def reset_phones(source: Source, *, wave: int = 0) -> Row:
    """The phones in scope by name, in batches, once each node's own database has what is new."""
    return Row(
        name="reset-phones" + ("-again" if wave else ""),
        stage=Stage.RESET,
        does=PhoneReset(),
        proof=Proof.PHONES_CALLED,
        within_s=1800,
        settle_s=120,
        source=source,
        wave=wave,
        requires=frozenset({_DATABASES}),
    )
