"""The contract over the transport of the vendor: `pytest examples/vendor_transport`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import ClassVar, get_args

from acme import KEY, Acme
from transport import OFFERED, AcmeTransport

from cucm_certflow.commands import Command
from cucm_certflow.discovery import discover
from cucm_certflow.facts import Query
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.testing.subject import SCENARIO, Subject
from cucm_certflow.testing.transport_contract import TransportContract
from cucm_certflow.testing.virtual import VirtualClock

NODES = ("pub", "sub1")


class TestAcmeTransport(TransportContract):
    not_offered: ClassVar[Mapping[type, str]] = {
        kind: "Acme's controller has no call for it"
        for kind in (*get_args(Query), *get_args(Command))
        if kind not in OFFERED
    }

    @asynccontextmanager
    async def subject(self) -> AsyncIterator[Subject]:
        clock = VirtualClock()
        acme = Acme(LabCluster(Scenario.loads(SCENARIO), clock), KEY)
        transport = AcmeTransport(acme, NODES, clock)
        yield Subject(
            transport=transport,
            discover=partial(discover, transport, NODES, clock),
            clock=clock,
            publisher="pub",
            subscriber="sub1",
            secrets=(KEY,),
            lose_next=acme.drop_next,
        )
        await transport.aclose()
