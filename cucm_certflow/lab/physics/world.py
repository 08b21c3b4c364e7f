"""The state of a cluster and its phones exists here as one hashable value, and nothing more.

A certificate is (unit, node, generation): whether two of them are the same is all that trust asks.
Everything is a tuple, so that an explorer can hash, compare and replace parts of a world cheaply.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from cucm_certflow.names import CertUnit, ListKind, Service

__all__ = [
    "PRESENTED_BY",
    "TOKENS",
    "Cert",
    "Drf",
    "Layout",
    "Node",
    "Partner",
    "Phone",
    "PhoneKind",
    "TrustList",
    "Trusted",
    "Variant",
    "World",
]

PRESENTED_BY: dict[Service, tuple[CertUnit, ...]] = {
    Service.TOMCAT: (CertUnit.TOMCAT, CertUnit.TOMCAT_ECDSA),
    Service.CALLMANAGER: (CertUnit.CALLMANAGER, CertUnit.CALLMANAGER_ECDSA),
    Service.TVS: (CertUnit.TVS,),
    Service.CAPF: (CertUnit.CAPF,),
    Service.DRF_MASTER: (),
    Service.DRF_LOCAL: (),
    Service.SIP_PROXY: (CertUnit.CUP, CertUnit.CUP_ECDSA),
    Service.XCP_ROUTER: (CertUnit.CUP_XMPP, CertUnit.CUP_XMPP_ECDSA),
    Service.XCP_FEDERATION: (CertUnit.CUP_XMPP_S2S, CertUnit.CUP_XMPP_S2S_ECDSA),
}
"""Which certificates a process shows, as far as its node owns them.

It goes on showing those that it started with. Of an RSA and an EC one the agreed cipher chooses.
DRF shows none on a port of its own; what it knows others by is :class:`Drf`.
"""

_PRESENCE = (CertUnit.CUP, CertUnit.CUP_XMPP, CertUnit.CUP_XMPP_S2S)
_PRESENCE_SERVICES = (
    Service.SIP_PROXY,
    Service.PRESENCE_ENGINE,
    Service.XCP_ROUTER,
    Service.XCP_FEDERATION,
    Service.INTERCLUSTER_SYNC_AGENT,
    Service.PLATFORM_ADMINISTRATIVE_WEB,
)
_LATER_TOMCATS = (Service.SSOSP_TOMCAT, Service.UDS_TOMCAT, Service.AXL_TOMCAT)

NO_CERTS: frozenset[Cert] = frozenset()


_TOKEN = "USB token "


class Cert(NamedTuple):
    """One generation of one certificate: ``pub/CallManager/g1``.

    A USB token's has the token's name for its node (no node's name has a blank), and a unit that
    means nothing.
    """

    unit: CertUnit
    node: str
    generation: int

    @property
    def is_token(self) -> bool:
        """Whether it is on a USB token, where no command reaches it."""
        return self.node.startswith(_TOKEN)

    def __str__(self) -> str:
        if self.is_token:
            return self.node
        return f"{self.node}/{self.unit.value}/g{self.generation}"


TOKENS = (
    Cert(CertUnit.CALLMANAGER, f"{_TOKEN}1", 1),
    Cert(CertUnit.CALLMANAGER, f"{_TOKEN}2", 1),
)
"""The two USB tokens of a CTL that tokens sign; the first one signs."""


class TrustList(NamedTuple):
    """An ITL or a CTL: who signed it, and which certificates it lists in which role."""

    kind: ListKind
    signer: Cert
    sast: frozenset[Cert]
    tftp: frozenset[Cert]
    ccm: frozenset[Cert]
    pin: frozenset[Cert]
    capf: frozenset[Cert] = NO_CERTS


class Trusted(NamedTuple):
    """A certificate in a trust store of a node.

    ``cert`` is one of this cluster, of any generation, or None for a stranger. ``name`` is the
    file's; empty for the copies that the cluster makes by itself, whose name is their subject's.
    ``comes_back``: the resync of every half hour puts it back, if notification was not stopped.
    """

    node: str
    store: str
    cert: Cert | None
    name: str = ""
    comes_back: bool = False


class Partner(NamedTuple):
    """A system outside of the cluster that holds copies of its certificates.

    It is never told of a new one: only somebody who goes there gives it one.
    """

    name: str
    units: tuple[CertUnit, ...]
    nodes: tuple[str, ...]
    holds: frozenset[Cert]


class Drf(NamedTuple):
    """By which certificate of the publisher a DRF process knows it: the one of its own start."""

    node: str
    service: Service
    cert: Cert


class Variant(NamedTuple):
    """What is uncertain about real clusters, one named flag each (trust-model.md §1 "V" and §5).

    The defaults are the model's default column, not the pessimistic choice.
    """

    tvs_restarts_itself: bool = False
    """TVS presents its new certificate as soon as that exists (seen from 14 on)."""

    itl_rebuilt_at_once: bool = False
    """A running TFTP rebuilds its ITL when the content would change, without a restart."""

    vouches_for_itlrecovery: bool = True
    """TVS vouches for the cluster's current ITLRecovery certificate."""

    tvs_vouches_for_ctl: bool = True
    """A phone asks TVS about the signer of a CTL too (FN70613 implies not, on 12.5)."""

    ctl_strict: bool = False
    """A phone that holds a CTL counts only the CTL's anchors as its own."""

    tvs_vouches_for_registration: bool = True
    """A phone asks TVS about the certificate that CallManager presents for TLS signalling."""

    ctl_lists_itlrecovery: bool = True
    """The CTL names ITLRecovery as second anchor (a published 10.5 CTL has one anchor only)."""

    expired_is_refused: bool = False
    """Nobody believes an expired certificate: no signer, no TVS, no CallManager."""

    capf_of_ctl_must_be_current: bool = True
    """A secure phone hangs at "Phone is registering" while its CTL names a CAPF that is gone."""


class Node(NamedTuple):
    """A server: an IM and Presence node runs none of the four services."""

    name: str
    publisher: bool
    callmanager: bool = True
    tftp: bool = True
    tvs: bool = True
    capf: bool = False

    @property
    def calls(self) -> bool:
        """Whether this is a node of the call-processing product (IM and Presence is not)."""
        return self.publisher or self.callmanager or self.tftp or self.tvs


class Layout(NamedTuple):
    """What does not change while a story is told."""

    nodes: tuple[Node, ...]
    release: tuple[int, int]
    mixed: bool = False
    variant: Variant = Variant()
    ecdsa: bool = False
    """Every node owns EC certificates as well, as far as its release has them."""

    whole: bool = False
    """Also what no phone ever sees: ipsec, DRF, certificates and services of IM and Presence, and
    CAPF of subscribers below 14. Without, a world that is only about phones stays small."""

    token_ctl: bool | None = None
    """USB tokens sign the CTL. None: in mixed mode below 10.0."""

    expired: frozenset[Cert] = NO_CERTS
    """The certificates that are over. A new generation never is."""

    @property
    def publisher(self) -> str:
        """The name of the publisher.

        Raises:
            ValueError: no node is the publisher.
        """
        for node in self.nodes:
            if node.publisher:
                return node.name
        message = "a layout needs a publisher, none of its nodes is one"
        raise ValueError(message)

    @property
    def tftp_nodes(self) -> tuple[str, ...]:
        """The nodes that run Cisco Tftp, in order of the layout."""
        return tuple(node.name for node in self.nodes if node.tftp)

    @property
    def callmanager_nodes(self) -> tuple[str, ...]:
        """The nodes that run Cisco CallManager, in order of the layout."""
        return tuple(node.name for node in self.nodes if node.callmanager)

    @property
    def tvs_nodes(self) -> tuple[str, ...]:
        """The nodes that run the Trust Verification Service, in order of the layout."""
        return tuple(node.name for node in self.nodes if node.tvs)

    @property
    def calling_nodes(self) -> tuple[str, ...]:
        """The nodes of the call-processing product, in order of the layout."""
        return tuple(node.name for node in self.nodes if node.calls)

    @property
    def presence_nodes(self) -> tuple[str, ...]:
        """The nodes of IM and Presence; the first is the publisher of its database."""
        return tuple(node.name for node in self.nodes if not node.calls)

    @property
    def signs_by_token(self) -> bool:
        """Whether USB tokens sign the CTL, so that no command of a node renews it."""
        if self.token_ctl is None:
            return self.mixed and self.release < (10, 0)
        return self.mixed and self.token_ctl

    @property
    def drf_unit(self) -> CertUnit:
        """By which certificate DRF knows the publisher: ipsec, and tomcat from 14 on (D11)."""
        return CertUnit.IPSEC if self.release < (14, 0) else CertUnit.TOMCAT

    @property
    def has_itlrecovery(self) -> bool:
        """ITLRecovery, and with it ``reset localkey``, came with 10.0."""
        return self.release >= (10, 0)

    @property
    def signer_is_itlrecovery(self) -> bool:
        """From 12.0 ITLRecovery signs the lists; before that the CallManager certificate did."""
        return self.release >= (12, 0)

    @property
    def one_itlrecovery(self) -> bool:
        """From 12.5 the publisher's ITLRecovery is the only one; before, every node had its own."""
        return self.release >= (12, 5)

    def itlrecovery_of(self, node: str) -> str:
        """The node whose ITLRecovery certificate goes into the ITL of *node*."""
        return self.publisher if self.one_itlrecovery else node

    def has(self, unit: CertUnit, node: str) -> bool:
        """Whether *node* owns a certificate of *unit*."""
        found = self._node(node)
        if found is None:
            return False
        match unit:
            case CertUnit.TOMCAT:
                return True
            case CertUnit.TOMCAT_ECDSA:
                return self.ecdsa and self.release >= (11, 5)
            case CertUnit.IPSEC:
                return self.whole
            case CertUnit.CALLMANAGER:
                return found.calls
            case CertUnit.CALLMANAGER_ECDSA:
                return self.whole and self.ecdsa and found.calls and self.release >= (11, 0)
            case CertUnit.TVS:
                return found.tvs
            case CertUnit.CAPF:
                everywhere = self.whole and self.release < (14, 0)  # D3
                return found.publisher or (everywhere and found.calls)
            case CertUnit.ITLRECOVERY:
                owns = found.publisher or (found.calls and not self.one_itlrecovery)
                return self.has_itlrecovery and owns
            case _ if unit in _PRESENCE:
                return self.whole and not found.calls
            case _:
                # That these came with 11.5 too is an assumption: no text names their first release.
                later = self.ecdsa and self.release >= (11, 5)
                return self.whole and later and not found.calls

    def runs(self, service: Service, node: str) -> bool:
        """Whether *service* is activated on *node* (it may be stopped all the same)."""
        found = self._node(node)
        if found is None:
            return False
        match service:
            case Service.TOMCAT:
                return True
            case Service.CALLMANAGER:
                return found.callmanager
            case Service.TFTP:
                return found.tftp
            case Service.TVS:
                return found.tvs
            case Service.CAPF:
                return found.capf
            case _:
                return self.whole and self._runs_always(service, found)

    def _runs_always(self, service: Service, node: Node) -> bool:
        """What runs without anybody's choice."""
        match service:
            case Service.DRF_LOCAL | Service.CERTIFICATE_CHANGE_NOTIFICATION:
                return True
            case Service.DRF_MASTER:
                # I1: before 10.0 the publisher of IM and Presence has one, too.
                also = self.release < (10, 0) and node.name in self.presence_nodes[:1]
                return node.publisher or also
            case Service.CERTIFICATE_EXPIRY_MONITOR:
                return node.calls
            # Where the following ones are is the lab's invention.
            case Service.INTERCLUSTER_LOOKUP:
                return node.publisher and self.release >= (10, 0)
            case Service.LOCATION_BANDWIDTH_MANAGER | Service.EXTENSION_MOBILITY:
                return node.callmanager and self.release >= (9, 0)
            case _ if service in _LATER_TOMCATS:
                return node.calls and self.release >= (12, 5)
            case _:
                return service in _PRESENCE_SERVICES and not node.calls

    def _node(self, name: str) -> Node | None:
        return next((node for node in self.nodes if node.name == name), None)


class Phone(NamedTuple):
    """What one phone holds and how it is; what never changes about it is its :class:`PhoneKind`."""

    itl: TrustList | None
    ctl: TrustList | None
    on: bool = True
    registered: bool = True
    lsc: Cert | None = None
    """The CAPF certificate that issued its own (LSC); None if it has none, or another CA's."""


class PhoneKind(NamedTuple):
    """What does not change about a phone.

    ``group`` is its CallManager group in order, which is also the list of TVS servers it asks.
    ``tftp`` are the TFTP nodes that it may use, in order.
    ``asks_tvs`` is Security By Default: without it a phone never holds an ITL either.
    ``reaches_tvs`` is False for a Security By Default phone that a firewall or its TLS floor keeps
    from port 2445: it holds an ITL, and nobody vouches for anything.
    """

    name: str
    group: tuple[str, ...]
    tftp: tuple[str, ...]
    secure: bool = False
    asks_tvs: bool = True
    reaches_tvs: bool = True


class World(NamedTuple):
    """All that changes. A tuple of certificates is a map: each one names its unit and its node."""

    gen: tuple[Cert, ...]
    """The current certificate of every unit on every node: what the database holds."""

    presented: tuple[Cert, ...]
    """What the running TVS, CallManager and Tomcat processes show, restarted since or not."""

    signing: tuple[Cert, ...]
    """The CallManager certificate with which TFTP on each node signs configuration files."""

    itl: tuple[tuple[str, TrustList], ...]
    """The ITL that each TFTP node serves."""

    ctl: tuple[tuple[str, TrustList | None], ...]
    """The CTL that each TFTP node serves; None in a non-secure cluster."""

    down: frozenset[tuple[str, Service]]
    """The services that are stopped: (node, service)."""

    phones: tuple[Phone, ...]
    """The phones, in the order of the kinds that the story was started with."""

    kept: frozenset[Trusted] = frozenset()
    """What is in trust stores beside the copies that the cluster makes by itself."""

    gone: frozenset[Trusted] = frozenset()
    """Copies that the cluster had made by itself, and that somebody deleted."""

    returning: frozenset[Trusted] = frozenset()
    """What the next resync puts back."""

    same: tuple[tuple[Cert, Cert], ...] = ()
    """Certificates that are really another's: of a multi-server one, of a reused one."""

    unaware: frozenset[tuple[str, Cert]] = frozenset()
    """Which node's own database does not know a certificate yet."""

    drf: tuple[Drf, ...] = ()
    """By what each DRF process knows the publisher."""

    partners: tuple[Partner, ...] = ()
    """The systems outside, with their copies."""

    def current(self, unit: CertUnit, node: str) -> Cert:
        """The newest certificate of *unit* on *node*.

        Raises:
            KeyError: there is none.
        """
        return _pick(self.gen, unit, node)

    def presents(self, unit: CertUnit, node: str) -> Cert:
        """The certificate of *unit* that the process on *node* shows.

        Raises:
            KeyError: no process on that node shows one.
        """
        return _pick(self.presented, unit, node)

    def real(self, cert: Cert) -> Cert:
        """The certificate that *cert* really is, where several places share one."""
        for given, real in self.same:
            if given == cert:
                return real
        return cert

    def reals(self, certs: Iterable[Cert]) -> frozenset[Cert]:
        """Each of *certs* as the one that it really is."""
        return frozenset(map(self.real, certs) if self.same else certs)

    def signs(self, node: str) -> Cert:
        """The certificate with which TFTP on *node* signs configuration files.

        Raises:
            KeyError: the node runs no TFTP.
        """
        return _pick(self.signing, CertUnit.CALLMANAGER, node)

    def itl_of(self, node: str) -> TrustList:
        """The ITL that TFTP on *node* serves.

        Raises:
            KeyError: the node runs no TFTP.
        """
        for name, served in self.itl:
            if name == node:
                return served
        raise KeyError(node)

    def ctl_of(self, node: str) -> TrustList | None:
        """The CTL that TFTP on *node* serves, None in a non-secure cluster.

        Raises:
            KeyError: the node runs no TFTP.
        """
        for name, served in self.ctl:
            if name == node:
                return served
        raise KeyError(node)

    def up(self, service: Service, node: str) -> bool:
        """Whether *service* on *node* has not been stopped."""
        return (node, service) not in self.down


def _pick(certs: tuple[Cert, ...], unit: CertUnit, node: str) -> Cert:
    for cert in certs:
        if cert.node == node and cert.unit is unit:
            return cert
    raise KeyError((unit, node))
