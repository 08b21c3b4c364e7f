"""The cluster's trust as discovery found it: signers and SAST records from the served lists."""

from __future__ import annotations

from cucm_certflow.core.states import Blocked
from cucm_certflow.facts import ClusterFacts, ListView, NodeFacts
from cucm_certflow.names import CertUnit, Product, SecurityMode, Service
from cucm_certflow.trust.model import ClusterTrust, NodeTrust, TrustPolicy
from cucm_certflow.trust.phone import Belief, Holding, PhoneClass

__all__ = ["held_at_start", "trust_of"]


def _fingerprint(node: NodeFacts, unit: CertUnit) -> str | None:
    certificate = node.certificates.get(unit)
    return None if certificate is None else certificate.fingerprint


def trust_of(facts: ClusterFacts, policy: TrustPolicy) -> tuple[ClusterTrust, list[Blocked]]:
    """The cluster's trust, with signers and SAST records read from the served lists."""
    refusals: list[Blocked] = []
    mixed = facts.mode is SecurityMode.MIXED
    cucm = [node for node in facts.nodes if node.product is Product.CALLMANAGER]
    cucm.sort(key=lambda node: not node.is_publisher)
    nodes: list[NodeTrust] = []
    ctl_signer, ctl_has_recovery = CertUnit.CALLMANAGER, False
    publisher = cucm[0]
    for node in cucm:
        cm, itlr = (
            _fingerprint(node, CertUnit.CALLMANAGER),
            _fingerprint(node, CertUnit.ITLRECOVERY),
        )
        tftp = node.runs(Service.TFTP)
        itl_signer = CertUnit.CALLMANAGER
        if tftp:
            itl_signer = _signer(node, node.itl, cm, itlr, refusals) or itl_signer
        if tftp and mixed:
            pub_cm = _fingerprint(publisher, CertUnit.CALLMANAGER)
            pub_itlr = _fingerprint(publisher, CertUnit.ITLRECOVERY)
            ctl_signer = _signer(node, node.ctl, pub_cm, pub_itlr, refusals) or ctl_signer
            ctl_has_recovery = node.ctl is not None and pub_itlr in node.ctl.sast
        tvs = _fingerprint(node, CertUnit.TVS)
        nodes.append(
            NodeTrust(
                name=node.name,
                callmanager=cm,
                tvs=tvs,
                itlrecovery=itlr,
                presented_tvs=tvs,
                signing=min(node.itl.tftp, default=cm) if node.itl else cm,
                itl=node.itl._replace(digest="") if node.itl and tftp else None,
                ctl=node.ctl._replace(digest="") if node.ctl and tftp and mixed else None,
                itl_signer=itl_signer,
                itl_has_recovery=node.itl is not None and itlr in node.itl.sast,
                tftp=tftp,
                runs_callmanager=node.runs(Service.CALLMANAGER),
            )
        )
    trust = ClusterTrust(tuple(nodes), mixed, ctl_signer, ctl_has_recovery, policy)
    return trust, refusals


def _signer(
    node: NodeFacts,
    served: ListView | None,
    callmanager: str | None,
    itlrecovery: str | None,
    refusals: list[Blocked],
) -> CertUnit | None:
    if served is None:
        refusals.append(
            Blocked(
                guard="lists_served",
                detail=f"{node.name} runs {Service.TFTP} and serves no ITL or no CTL",
                unlock="every TFTP node serving the lists of its mode",
                source="procedures §3",
            )
        )
        return None
    if served.signer == callmanager:
        return CertUnit.CALLMANAGER
    if served.signer == itlrecovery:
        return CertUnit.ITLRECOVERY
    refusals.append(
        Blocked(
            guard="signer_known",
            detail=f"the {served.kind.value} on {node.name} is signed by a certificate that the "
            "cluster does not hold any more",
            evidence=(f"signer {served.signer[:40]}",),
            unlock="in mixed mode `utils ctl update CTLFile`, else a restart of Cisco Tftp, and "
            "the phones on the new list, before anything is regenerated",
            source="FN70613 (F4, F5); procedures §3",
        )
    )
    return None


def held_at_start(trust: ClusterTrust, phone: PhoneClass) -> Belief:
    """What phones are taken to hold: the lists of one TFTP node (assumption P3, see the docs)."""
    return frozenset(
        Holding(node.itl if phone.security_by_default else None, node.ctl)
        for node in trust.tftp_nodes
    )
