"""The cluster's trust as discovery found it: signers and SAST records from the served lists."""

from __future__ import annotations

from typing import Final

from cucm_certflow.core.states import Blocked
from cucm_certflow.facts import ClusterFacts, ListView, NodeFacts
from cucm_certflow.names import CertUnit, ListKind, Product, SecurityMode, Service
from cucm_certflow.trust.model import ClusterTrust, NodeTrust, TrustPolicy
from cucm_certflow.trust.phone import Belief, Holding, PhoneClass

__all__ = ["held_at_start", "signs_usually", "trust_of"]

_ANCHORS: Final = (CertUnit.CALLMANAGER, CertUnit.TVS, CertUnit.ITLRECOVERY)
_SIGNED_BY_ITLRECOVERY: Final = (12, 0)
_WITHOUT_A_SIGNER: Final = {
    ListKind.ITL: "`utils itl reset localkey`, the phones reset and on that list, then a restart "
    "of Cisco Tftp and the phones reset again, before anything is regenerated",
    # An update alone would be signed by an anchor that the phones' CTL does not name.
    ListKind.CTL: "`utils ctl reset localkey`, the phones reset and on that CTL, then `utils ctl "
    "update CTLFile`, restarts, and the phones reset again, before anything is regenerated",
}
_UNFINISHED: Final = {
    ListKind.ITL: "a restart of Cisco Tftp, and the phones reset and on the new list",
    ListKind.CTL: "`utils ctl update CTLFile`, restarts, and the phones reset and on the new CTL",
}


def signs_usually(facts: ClusterFacts) -> CertUnit:
    """Whose key signs the lists that are built next: CallManager's to 11.5, then ITLRecovery's.

    Cisco TAC 214231; trust lists §1.4. What signs the lists of now is read from them.
    """
    modern = facts.release.short >= _SIGNED_BY_ITLRECOVERY
    return CertUnit.ITLRECOVERY if modern else CertUnit.CALLMANAGER


def _fingerprint(node: NodeFacts, unit: CertUnit) -> str | None:
    certificate = node.certificates.get(unit)
    return None if certificate is None else certificate.fingerprint


def trust_of(
    facts: ClusterFacts, policy: TrustPolicy, *, expired_is_trusted: bool = False
) -> tuple[ClusterTrust, list[Blocked]]:
    """The cluster's trust, with signers and SAST records read from the served lists."""
    refusals: list[Blocked] = []
    mixed = facts.mode is SecurityMode.MIXED
    cucm = [node for node in facts.nodes if node.product is Product.CALLMANAGER]
    cucm.sort(key=lambda node: not node.is_publisher)
    usual = signs_usually(facts)
    publisher = cucm[0]
    pub_cm = _fingerprint(publisher, CertUnit.CALLMANAGER)
    pub_itlr = _fingerprint(publisher, CertUnit.ITLRECOVERY)
    nodes: list[NodeTrust] = []
    ctl_has_recovery, token, tokens = False, "", frozenset[str]()
    for node in cucm:
        cm = _fingerprint(node, CertUnit.CALLMANAGER)
        itlr = _fingerprint(node, CertUnit.ITLRECOVERY)
        tftp = node.runs(Service.TFTP)
        if tftp:
            _check_signer(
                node,
                node.itl,
                {CertUnit.CALLMANAGER: cm, CertUnit.ITLRECOVERY: itlr},
                usual,
                refusals,
            )
        if tftp and mixed:
            anchors = {CertUnit.CALLMANAGER: pub_cm, CertUnit.ITLRECOVERY: pub_itlr}
            _check_signer(node, node.ctl, anchors, usual, refusals)
            ctl_has_recovery = node.ctl is not None and pub_itlr in node.ctl.sast
            if node.ctl is not None and node.ctl.token:
                token, tokens = node.ctl.signer, node.ctl.sast
            elif usual is CertUnit.ITLRECOVERY and node.ctl is not None and not ctl_has_recovery:
                refusals.append(_old_anchor(node, node.ctl))
        tvs = _fingerprint(node, CertUnit.TVS)
        nodes.append(
            NodeTrust(
                name=node.name,
                callmanager=cm,
                tvs=tvs,
                itlrecovery=itlr,
                presented_tvs=tvs,
                signing=min(node.itl.tftp, default=cm) if node.itl else cm,
                itl=node.itl.plain() if node.itl and tftp else None,
                ctl=node.ctl.plain() if node.ctl and tftp and mixed else None,
                itl_signer=usual,
                itl_has_recovery=node.itl is not None and itlr in node.itl.sast,
                capf=_fingerprint(node, CertUnit.CAPF) if node is publisher else None,
                itl_has_capf=bool(node.itl and node.itl.capf),
                tftp=tftp,
                runs_callmanager=node.runs(Service.CALLMANAGER),
            )
        )
    trust = ClusterTrust(
        nodes=tuple(nodes),
        mixed=mixed,
        ctl_signer=usual,
        ctl_has_recovery=ctl_has_recovery,
        policy=policy,
        tokens=tokens,
        ctl_token=token,
        expired=frozenset() if expired_is_trusted else _expired(facts),
    )
    return trust, refusals


def _expired(facts: ClusterFacts) -> frozenset[str]:
    return frozenset(
        certificate.fingerprint
        for node in facts.nodes
        for unit in _ANCHORS
        if (certificate := node.certificates.get(unit))
        and certificate.not_after is not None
        and certificate.not_after <= facts.at
    )


def _check_signer(
    node: NodeFacts,
    served: ListView | None,
    anchors: dict[CertUnit, str | None],
    usual: CertUnit,
    refusals: list[Blocked],
) -> None:
    """Refuse what is not signed by the anchor that signs usually, by one that is there now."""
    if served is None:
        refusals.append(
            Blocked(
                guard="lists_served",
                detail=f"{node.name} runs {Service.TFTP} and serves no ITL or no CTL",
                unlock="every TFTP node serving the lists of its mode",
                source="procedures §3",
            )
        )
        return
    if served.token or served.signer == anchors[usual]:
        return
    kind = served.kind.value
    if served.signer in anchors.values():
        refusals.append(
            Blocked(
                guard="signer_usual",
                detail=f"the {kind} on {node.name} is signed by the anchor that does not sign "
                f"usually under this release ({usual} does): a localkey reset, or an upgrade, was "
                "not finished",
                evidence=(f"signer {served.signer[:40]}",),
                unlock=_UNFINISHED[served.kind],
                source="Cisco TAC 214231 (12.0 and later: ITLRecovery); FN70613; procedures §2.4",
            )
        )
        return
    refusals.append(
        Blocked(
            guard="signer_known",
            detail=f"the {kind} on {node.name} is signed by a certificate that the "
            "cluster does not hold any more",
            evidence=(f"signer {served.signer[:40]}",),
            unlock=_WITHOUT_A_SIGNER[served.kind],
            source="FN70613 (F4, F5); procedures §3",
        )
    )


def _old_anchor(node: NodeFacts, ctl: ListView) -> Blocked:
    return Blocked(
        guard="ctl_anchor_current",
        detail=f"the CTL on {node.name} does not name the ITLRecovery that the cluster has now: "
        "once CallManager changes too, no phone has an anchor left",
        evidence=tuple(f"SAST {key[:40]}" for key in sorted(ctl.sast)),
        unlock=_WITHOUT_A_SIGNER[ListKind.CTL],
        source="FN70613, CSCvv13565 (F4, F5)",
    )


def held_at_start(trust: ClusterTrust, phone: PhoneClass) -> Belief:
    """What phones are taken to hold: the lists of one TFTP node (assumption P3, see the docs)."""
    return frozenset(
        Holding(node.itl if phone.security_by_default else None, node.ctl)
        for node in trust.tftp_nodes
    )
