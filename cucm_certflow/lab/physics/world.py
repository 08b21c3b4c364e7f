"""The state of a cluster and its phones exists here as one hashable value, and nothing more.

A certificate is (unit, node, generation): whether two of them are the same is all that trust asks.
Everything is a tuple, so that an explorer can hash, compare and replace parts of a world cheaply.
"""

from __future__ import annotations

from typing import NamedTuple

from cucm_certflow.names import CertUnit, ListKind, Service

__all__ = [
    "PRESENTED_BY",
    "Cert",
    "Layout",
    "Node",
    "Phone",
    "PhoneKind",
    "TrustList",
    "Variant",
    "World",
]

PRESENTED_BY: dict[Service, tuple[CertUnit, ...]] = {
    Service.TOMCAT: (CertUnit.TOMCAT, CertUnit.TOMCAT_ECDSA),
    Service.CALLMANAGER: (CertUnit.CALLMANAGER,),
    Service.TVS: (CertUnit.TVS,),
}
"""Which certificates a process shows on its port, as far as its node owns them.

It goes on showing those that it started with. Of Tomcat's two the agreed cipher chooses one.
"""

NO_CERTS: frozenset[Cert] = frozenset()


class Cert(NamedTuple):
    """One generation of one certificate: ``pub/CallManager/g1``."""

    unit: CertUnit
    node: str
    generation: int

    def __str__(self) -> str:
        return f"{self.node}/{self.unit.value}/g{self.generation}"


class TrustList(NamedTuple):
    """An ITL or a CTL: who signed it, and which certificates it lists in which role."""

    kind: ListKind
    signer: Cert
    sast: frozenset[Cert]
    tftp: frozenset[Cert]
    ccm: frozenset[Cert]
    pin: frozenset[Cert]
    capf: frozenset[Cert] = NO_CERTS


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


class Node(NamedTuple):
    """A server: an IM and Presence node runs none of the three services."""

    name: str
    publisher: bool
    callmanager: bool = True
    tftp: bool = True
    tvs: bool = True

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
    """Every node owns a tomcat-ECDSA certificate as well."""

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
                return self.ecdsa
            case CertUnit.CALLMANAGER:
                return found.calls
            case CertUnit.TVS:
                return found.tvs
            case CertUnit.CAPF:
                return found.publisher
            case CertUnit.ITLRECOVERY:
                owns = found.publisher or (found.calls and not self.one_itlrecovery)
                return self.has_itlrecovery and owns
            case _:
                return False

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
            case _:
                return False

    def _node(self, name: str) -> Node | None:
        return next((node for node in self.nodes if node.name == name), None)


class Phone(NamedTuple):
    """What one phone holds and how it is; what never changes about it is its :class:`PhoneKind`."""

    itl: TrustList | None
    ctl: TrustList | None
    on: bool = True
    registered: bool = True


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
