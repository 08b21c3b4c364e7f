"""Single doors of the lab over real sockets, and the library's own transports to them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from cucm_certflow.clock import ScaledClock
from cucm_certflow.errors import AuthenticationFailed, IdentityNotTrusted
from cucm_certflow.facts import Fact, Query, Unknown, Why
from cucm_certflow.inventory import Account, Inventory, NodeEntry
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.lab.servers.database import Database
from cucm_certflow.lab.servers.https import HttpsDoor
from cucm_certflow.lab.servers.papers import Papers
from cucm_certflow.lab.servers.ssh import SshDoor, make_host_key
from cucm_certflow.lab.servers.vos_cli import Desk
from cucm_certflow.lab.servers.web import web_app
from cucm_certflow.secret import Secret
from cucm_certflow.transports.access import Access
from cucm_certflow.transports.breaker import Breaker
from cucm_certflow.transports.budget import Budgets
from cucm_certflow.transports.pins import Pins
from cucm_certflow.transports.vos.ssh import VosTransport
from tests.lab.small import SMALL

TOLD: Final = SMALL.replace("127.0.0.", "127.0.87.").replace("seed = 7", "seed = 8")
SPEED: Final = 200
PATIENCE_S: Final = 1.5


class Night:
    """What is made once: keys take time, and do not depend on what goes wrong."""

    def __init__(self) -> None:
        self.clock = ScaledClock(SPEED)
        self.papers = Papers(Scenario.loads(TOLD), self.clock, threaded=False)
        self.key, self.other_key = make_host_key(), make_host_key()

    def desk(self, more: str) -> Desk:
        cluster = LabCluster(Scenario.loads(TOLD + more), self.clock)
        return Desk(
            cluster=cluster, clock=self.clock, papers=self.papers, database=Database(cluster)
        )


def fault(kind: str, command: str, more: str = "") -> str:
    return f'\n[[faults]]\nkind = "{kind}"\ncommand = "{command}"\n{more}\n'


def account(given: Any) -> Account:  # noqa: ANN401 - of any table of accounts
    return Account(given.user, Secret(given.password))


async def why(way: Any, query: Query) -> Why | type[Exception] | None:  # noqa: ANN401 - any transport
    """Which obstacle a look has met: None for an answer, a class for what is raised."""
    try:
        fact: Fact = await way.observe(query)
    except (AuthenticationFailed, IdentityNotTrusted) as error:
        return type(error)
    return fact.why if isinstance(fact, Unknown) else None


@asynccontextmanager
async def over_ssh(night: Night, more: str) -> AsyncIterator[tuple[Desk, SshDoor, VosTransport]]:
    desk = night.desk(more)
    door = SshDoor(desk, "pub", night.key, night.other_key)
    await door.open()
    public = night.key.export_public_key().decode()
    way = VosTransport(
        NodeEntry(name="pub", address=door.address, ssh_port=door.port, host_key=public),
        account(desk.cluster.scenario.accounts.platform),
        clock=night.clock,
        breaker=Breaker(),
        known_hosts=None,
        quiet_s=0.02,
        connect_timeout_s=PATIENCE_S,
        read_timeout_s=PATIENCE_S,
        change_timeout_s=PATIENCE_S,
    )
    try:
        yield desk, door, way
    finally:
        await way.aclose()
        await door.close()
        desk.database.close()


def access_to(desk: Desk, clock: ScaledClock) -> Access:
    told = desk.cluster.scenario
    return Access(
        inventory=Inventory(
            nodes=tuple(NodeEntry(name=n.name, address=n.address) for n in told.nodes),
            platform=account(told.accounts.platform),
            application=account(told.accounts.application),
        ),
        clock=clock,
        pins=Pins(),
        breaker=Breaker(),
        budgets=Budgets(clock),
        timeout_s=PATIENCE_S,
        look_timeout_s=PATIENCE_S,
    )


@asynccontextmanager
async def over_https(night: Night, more: str) -> AsyncIterator[tuple[Desk, HttpsDoor, Access]]:
    desk = night.desk(more)
    door = HttpsDoor(desk, "pub", web_app(desk, "pub"))
    await door.follow()
    access = access_to(desk, night.clock)
    shown = desk.cluster.presented_tomcat("pub")
    assert shown is not None
    access.pins.learn("pub", (await night.papers.certificate(shown)).fingerprint)
    try:
        yield desk, door, access
    finally:
        await door.close()
        desk.database.close()
