"""What a cluster serves and vouches for, and what each change would make of it: pure prediction.

The rules are ``trust-model`` §1 of the design documents: what an ITL and a CTL hold, who signs
them, what a restart rebuilds. Signers and SAST records are taken from the lists that the nodes
serve, never from the release alone.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from cucm_certflow.facts import ListView
from cucm_certflow.names import CertUnit, ListKind, Service

_LISTED: Final = (CertUnit.CALLMANAGER, CertUnit.TVS, CertUnit.ITLRECOVERY, CertUnit.CAPF)

__all__ = ["ClusterTrust", "NodeTrust", "TrustPolicy"]


class TrustPolicy(NamedTuple):
    """What no source settles, each a named assumption with its safe side.

    Attributes:
        tvs_vouches_for_ctl: TVS rescues a CTL whose signer the phone does not hold. Assumed up
            to 11.5 (TAC 118893 and its logs), not from 12.0 (field notice FN70613).
        vouches_for_itlrecovery: TVS vouches for the cluster's own new ITLRecovery. Unverified;
            not assumed.
        ctl_judges_itl: A phone that holds a CTL judges both lists by the CTL's SAST records alone.
            Unverified; with it TAC's own published order would strand phones homed on
            subscribers, so it is not the default.
        tvs_restarts_itself: TVS presents its new certificate at once (from 14).
        itl_rebuilt_at_once: TFTP rebuilds the ITL without a restart. Unverified; both ways are
            checked where it matters.
        localkey: ``utils itl|ctl reset localkey`` exists (from 10.0).
    """

    tvs_vouches_for_ctl: bool = True
    vouches_for_itlrecovery: bool = False
    ctl_judges_itl: bool = False
    tvs_restarts_itself: bool = False
    itl_rebuilt_at_once: bool = False
    localkey: bool = True


class NodeTrust(NamedTuple):
    """One node's part: its current certificates, what its processes present and what it serves."""

    name: str
    callmanager: str | None = None
    tvs: str | None = None
    itlrecovery: str | None = None
    presented_tvs: str | None = None
    signing: str | None = None
    """The CallManager certificate with which its TFTP signs configuration files."""
    itl: ListView | None = None
    ctl: ListView | None = None
    itl_signer: CertUnit = CertUnit.CALLMANAGER
    itl_has_recovery: bool = True
    capf: str | None = None
    """Its CAPF certificate, if it has one."""
    itl_has_capf: bool = True
    tftp: bool = True
    runs_callmanager: bool = True


class ClusterTrust(NamedTuple):
    """The whole cluster; the publisher is the first node. Hashable, so that verdicts are cached."""

    nodes: tuple[NodeTrust, ...]
    mixed: bool
    ctl_signer: CertUnit
    ctl_has_recovery: bool
    policy: TrustPolicy
    tokens: frozenset[str] = frozenset()
    """The USB tokens that the CTL names: while they sign it, no command renews it."""
    ctl_token: str = ""
    """The token that signs the CTL; empty if none does."""
    expired: frozenset[str] = frozenset()
    """Certificates that are over: nothing is left to depend on them."""

    @property
    def publisher(self) -> NodeTrust:
        """The first node."""
        return self.nodes[0]

    @property
    def tftp_nodes(self) -> tuple[NodeTrust, ...]:
        """The nodes that serve lists."""
        return tuple(node for node in self.nodes if node.tftp)

    def node(self, name: str) -> NodeTrust:
        """The node called *name*; KeyError if there is none."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    def vouched(self) -> frozenset[str]:
        """The certificates for which TVS answers "trusted": the cluster's current ones."""
        keys = {node.callmanager for node in self.nodes} | {node.tvs for node in self.nodes}
        if self.policy.vouches_for_itlrecovery:
            keys |= {node.itlrecovery for node in self.nodes}
        return frozenset(key for key in keys if key is not None)

    # ── prediction ────────────────────────────────────────────────────────────────────────

    def _with(self, name: str, node: NodeTrust) -> ClusterTrust:
        nodes = tuple(node if old.name == name else old for old in self.nodes)
        return self._replace(nodes=nodes)

    def built_itl(self, name: str) -> ListView | None:
        """The ITL that TFTP on node *name* builds from the present certificates."""
        node = self.node(name)
        cm = node.callmanager
        if cm is None:
            return None
        recovery = node.itlrecovery if node.itl_has_recovery else None
        signer = recovery if node.itl_signer is CertUnit.ITLRECOVERY else cm
        return ListView(
            kind=ListKind.ITL,
            signer=signer or cm,
            sast=frozenset(key for key in (cm, recovery) if key),
            tftp=frozenset({cm}),
            ccm=frozenset({cm}) if self.mixed else frozenset(),
            pin=frozenset(n.tvs for n in self.nodes if n.tvs),
            capf=self._capf() if node.itl_has_capf else frozenset(),
        )

    def _capf(self) -> frozenset[str]:
        """The CAPF records of a list: the publisher's, where the service runs (D3)."""
        capf = self.publisher.capf
        return frozenset({capf}) if capf else frozenset()

    def built_ctl(self) -> ListView | None:
        """The CTL that ``utils ctl update CTLFile`` builds from the present certificates."""
        cm = self.publisher.callmanager
        if not self.mixed or cm is None:
            return None
        recovery = self.publisher.itlrecovery if self.ctl_has_recovery else None
        signer = recovery if self.ctl_signer is CertUnit.ITLRECOVERY else cm
        sast = frozenset(key for key in (cm, recovery) if key)
        if self.ctl_token:
            signer, sast = self.ctl_token, self.tokens
        cms = [n for n in self.nodes if n.callmanager]
        return ListView(
            kind=ListKind.CTL,
            signer=signer or cm,
            sast=sast,
            tftp=frozenset(n.callmanager for n in cms if n.callmanager and n.tftp),
            ccm=frozenset(n.callmanager for n in cms if n.callmanager and n.runs_callmanager),
            pin=frozenset(),
            capf=self._capf(),
            token=bool(self.ctl_token),
        )

    def regenerated(self, unit: CertUnit, name: str, key: str) -> ClusterTrust:
        """After *unit* on node *name* became *key*; a unit in no trust list changes nothing."""
        if unit not in _LISTED:
            return self
        node = self.node(name)
        if unit is CertUnit.CAPF:
            return self._rebuilt(self._with(name, node._replace(capf=key)))
        if unit is CertUnit.CALLMANAGER:
            after = self._with(name, node._replace(callmanager=key))
        elif unit is CertUnit.TVS:
            presented = key if self.policy.tvs_restarts_itself else node.presented_tvs
            after = self._with(name, node._replace(tvs=key, presented_tvs=presented))
        else:
            # One certificate for the cluster from 12.5: every node that held the old one moves.
            old = node.itlrecovery
            after = self._replace(
                nodes=tuple(
                    n._replace(itlrecovery=key) if n.name == name or n.itlrecovery == old else n
                    for n in self.nodes
                )
            )
        return self._rebuilt(after)

    def _rebuilt(self, after: ClusterTrust) -> ClusterTrust:
        if self.policy.itl_rebuilt_at_once:
            for tftp in after.tftp_nodes:
                after = after._with(tftp.name, tftp._replace(itl=after.built_itl(tftp.name)))
        return after

    def restarted(self, service: Service, name: str) -> ClusterTrust:
        """After *service* was restarted on node *name*."""
        if service not in (Service.TVS, Service.TFTP):
            return self
        node = self.node(name)
        if service is Service.TVS:
            return self._with(name, node._replace(presented_tvs=node.tvs))
        if node.tftp:
            rebuilt = node._replace(itl=self.built_itl(name), signing=node.callmanager)
            return self._with(name, rebuilt)
        return self

    def restarted_everywhere(self, service: Service) -> ClusterTrust:
        """After *service* was restarted on every node that has it."""
        after = self
        for node in self.nodes:
            after = after.restarted(service, node.name)
        return after

    def ctl_updated(self) -> ClusterTrust:
        """After ``utils ctl update CTLFile`` reached every TFTP node."""
        ctl = self.built_ctl()
        return self._serving(ListKind.CTL, ctl)

    def localkey_reset(self, kind: ListKind) -> ClusterTrust:
        """After ``utils itl|ctl reset localkey``: the publisher's content, by the other anchor."""
        built = self.built_itl(self.publisher.name) if kind is ListKind.ITL else self.built_ctl()
        cm, recovery = self.publisher.callmanager, self.publisher.itlrecovery
        if built is None or cm is None or recovery is None or built.token:
            return self
        signer = cm if built.signer == recovery else recovery
        return self._serving(kind, built._replace(signer=signer))

    def _serving(self, kind: ListKind, view: ListView | None) -> ClusterTrust:
        return self._replace(
            nodes=tuple(
                (n._replace(itl=view) if kind is ListKind.ITL else n._replace(ctl=view))
                if n.tftp
                else n
                for n in self.nodes
            )
        )
