"""What discovery makes of a node's certificates, of what it runs, and of what it does not say."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from cucm_certflow.commands import Command, Reply, ReplyKind
from cucm_certflow.discovery import discover
from cucm_certflow.facts import (
    Certificate,
    CertificateOf,
    ClusterFacts,
    ClusterMember,
    Fact,
    Interfaces,
    Known,
    Members,
    Parameter,
    Phones,
    Query,
    Registrations,
    ServicesOn,
    UnitsOn,
    Unknown,
    VersionOf,
    Why,
)
from cucm_certflow.names import CertUnit, Product
from tests.web.helpers import ManualClock

pytestmark = pytest.mark.asyncio

CALLMANAGER = ("tomcat", "tomcat-ECDSA", "ipsec", "CallManager", "CallManager-ECDSA", "TVS")
PRESENCE = ("tomcat", "ipsec", "cup", "cup-ECDSA", "cup-xmpp", "cup-xmpp-s2s-ECDSA")


def member(name: str, product: str = "", *, is_publisher: bool = False) -> ClusterMember:
    return ClusterMember(name=name, address="192.0.2.1", is_publisher=is_publisher, product=product)


class Cluster:
    """Says of each node which units it has, and nothing else of interest."""

    def __init__(
        self, units: Mapping[str, tuple[str, ...]], *members: ClusterMember, version: str = "9.1.2"
    ) -> None:
        self.clock = ManualClock()
        self.unreadable: set[Query] = set()
        self._units = units
        self._members = members
        self._version = version

    def supports(self, what: Query | Command) -> bool:
        return not isinstance(what, Interfaces)

    async def observe(self, query: Query) -> Fact:
        at = self.clock.now()
        if query in self.unreadable:
            return Unknown("in no form that we know", at, "a test", Why.UNREADABLE)
        values: dict[type[Query], object] = {
            Members: self._members,
            VersionOf: self._version,
            ServicesOn: {},
            Parameter: "0",
            Phones: (),
            Registrations: {},
        }
        match query:
            case UnitsOn(node):
                return Known(self._units[node], at)
            case CertificateOf(node, unit):
                return Known(Certificate(fingerprint=f"{node} {unit}", serial="1"), at)
            case _ if type(query) in values:
                return Known(values[type(query)], at)
            case _:
                return Unknown("not asked", at)

    async def perform(self, command: Command) -> Reply:
        return Reply(ReplyKind.REFUSED, sent=False)

    async def aclose(self) -> None:
        return

    async def found(self) -> ClusterFacts:
        return await discover(self, [each.name for each in self._members], self.clock)


async def test_every_certificate_that_we_know_is_read_and_the_others_are_named() -> None:
    own = (*CALLMANAGER, "authz", "tomcat-client")
    cluster = Cluster({"pub": own}, member("pub", "callmanager", is_publisher=True))
    (node,) = (await cluster.found()).nodes
    assert tuple(node.certificates) == tuple(unit for unit in CertUnit if unit in CALLMANAGER)
    assert node.certificates[CertUnit.IPSEC].fingerprint == "pub ipsec"
    assert node.others == ("authz", "tomcat-client")


async def test_a_presence_node_has_its_own_certificates_and_its_own_publisher() -> None:
    first = ClusterMember(
        name="imp1",
        address="192.0.2.2",
        is_publisher=False,
        product="cups",
        is_database_publisher=True,
    )
    cluster = Cluster(
        {"pub": CALLMANAGER, "imp1": PRESENCE, "imp2": PRESENCE},
        member("imp2", "cups"),
        first,
        member("pub", "callmanager", is_publisher=True),
        version="15.0.1.12900-234",
    )
    facts = await cluster.found()
    assert facts.unknown == ()
    assert facts.nodes[0].name == "pub"
    nodes = {node.name: node for node in facts.nodes}
    assert {name: node.product for name, node in nodes.items()} == {
        "pub": Product.CALLMANAGER,
        "imp1": Product.IM_PRESENCE,
        "imp2": Product.IM_PRESENCE,
    }
    assert {n: (e.is_publisher, e.is_database_publisher) for n, e in nodes.items()} == {
        "pub": (True, True),
        "imp1": (False, True),
        "imp2": (False, False),
    }
    assert set(nodes["imp1"].certificates) == {CertUnit(unit) for unit in PRESENCE}
    assert [node.name for node in facts.in_order] == ["pub", "imp1", "imp2"]


async def test_where_the_cluster_does_not_say_what_a_node_runs_its_certificates_do() -> None:
    cluster = Cluster(
        {"pub": CALLMANAGER, "imp": PRESENCE}, member("pub", is_publisher=True), member("imp")
    )
    facts = await cluster.found()
    assert facts.unknown == ()
    assert [(node.name, node.product) for node in facts.nodes] == [
        ("pub", Product.CALLMANAGER),
        ("imp", Product.IM_PRESENCE),
    ]
    assert facts.publisher.is_database_publisher


@pytest.mark.parametrize(
    ("product", "own"),
    [("", ("tomcat", "ipsec")), ("", (*CALLMANAGER, "cup")), ("ciscoer", CALLMANAGER)],
    ids=["neither", "both", "another-product"],
)
async def test_what_a_node_runs_is_never_guessed(product: str, own: tuple[str, ...]) -> None:
    cluster = Cluster(
        {"pub": CALLMANAGER, "odd": own},
        member("pub", "callmanager", is_publisher=True),
        member("odd", product),
    )
    facts = await cluster.found()
    assert [node.name for node in facts.nodes] == ["pub"]
    (reason,) = facts.unknown
    assert reason.startswith("odd: ")


async def test_a_certificate_that_cannot_be_read_leaves_the_node_unknown() -> None:
    cluster = Cluster(
        {"pub": CALLMANAGER, "sub": CALLMANAGER},
        member("pub", "callmanager", is_publisher=True),
        member("sub", "callmanager"),
    )
    cluster.unreadable.add(CertificateOf("sub", CertUnit.CALLMANAGER_ECDSA))
    facts = await cluster.found()
    assert [node.name for node in facts.nodes] == ["pub"]
    assert facts.unknown == ("sub: CallManager-ECDSA: in no form that we know",)
