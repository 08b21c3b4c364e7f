"""The web services of a cluster in memory: requests go straight to the application of a node."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from lxml import etree

from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.scenario import AccountSpec
from cucm_certflow.lab.servers.database import Database
from cucm_certflow.lab.servers.papers import Papers
from cucm_certflow.lab.servers.vos_cli import Desk
from cucm_certflow.lab.servers.web import web_app
from tests.lab.small import HandClock, scenario
from tests.web.schemas import body_of, objections

AST = "http://schemas.cisco.com/ast/soap"
ENVELOPE = (
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>{}</s:Body>'
    "</s:Envelope>"
)


class Office:
    """A cluster, its clock, and the way to its web services."""

    def __init__(self, desk: Desk, clock: HandClock) -> None:
        self.desk = desk
        self.clock = clock
        self.cluster: LabCluster = desk.cluster
        self._apps = {node.name: web_app(desk, node.name) for node in self.cluster.scenario.nodes}

    async def send(
        self,
        method: str,
        path: str,
        *,
        node: str = "pub",
        content: str | bytes | None = None,
        account: AccountSpec | None = None,
        password: str | None = None,
    ) -> httpx.Response:
        account = account or self.cluster.scenario.accounts.application
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(self._apps[node]), base_url=f"https://{node}:8443"
        ) as client:
            return await client.request(
                method,
                path,
                content=content,
                auth=(account.user, password or account.password),
            )

    async def ask(
        self, path: str, body: str, *, node: str = "pub", account: AccountSpec | None = None
    ) -> httpx.Response:
        """Post *body*, in the namespace of serviceability as prefix ``a``."""
        name = body.strip("</> \n").replace("/>", " ").replace(">", " ").split()[0]
        declared = body.replace(name, f'{name} xmlns:a="{AST}"', 1)
        return await self.send(
            "POST", path, node=node, content=ENVELOPE.format(declared), account=account
        )


@contextmanager
def office(*, more: str = "", **keys: str) -> Iterator[Office]:
    clock = HandClock()
    cluster = LabCluster(scenario(more=more, **keys), clock)
    papers = Papers(cluster.scenario, clock, threaded=False)
    database = Database(cluster)
    try:
        yield Office(Desk(cluster=cluster, clock=clock, papers=papers, database=database), clock)
    finally:
        database.close()
        papers.close()


def valid(wsdl: str, answer: httpx.Response) -> etree._Element:
    """The answer's element, which the schema of *wsdl* has nothing to say against."""
    assert answer.status_code == 200, answer.text
    body = body_of(answer.content)
    assert objections(wsdl, body) == []
    return body


def faultstring(answer: httpx.Response) -> str:
    assert answer.status_code == 500, answer.text
    found = body_of(answer.content).findtext("faultstring")
    assert found is not None
    return found


def values(element: etree._Element, tag: str) -> list[str]:
    return [each.text or "" for each in element.iter(f"{{{AST}}}{tag}")]
