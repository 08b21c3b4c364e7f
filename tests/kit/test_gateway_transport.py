"""A second transport, written from the documentation alone, passes the contract."""

from __future__ import annotations

import ast
import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple, get_args

import pytest

from cucm_certflow import (
    AuthenticationFailed,
    CertUnit,
    Cluster,
    Secret,
    Verified,
    make_plan,
)
from cucm_certflow.commands import Command
from cucm_certflow.discovery import discover
from cucm_certflow.facts import Members, Query
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.testing.assertions import assert_never_graded_above_truth, assert_no_phone_lost
from cucm_certflow.testing.subject import SCENARIO, Subject
from cucm_certflow.testing.transport_contract import TransportContract
from cucm_certflow.testing.virtual import VirtualClock, run_virtual
from tests.kit.gateway import Gateway
from tests.kit.gateway_transport import GatewayTransport
from tests.words import NO_PARTNERS, NOBODY_LOOKED

TOKEN = "geheim-4711"
NODES = ("pub", "sub1")
PAGE = Path(__file__).parents[2] / "docs" / "writing-a-transport.md"


class There(NamedTuple):
    lab: LabCluster
    gateway: Gateway
    transport: GatewayTransport
    clock: VirtualClock


@asynccontextmanager
async def there(token: str = TOKEN) -> AsyncIterator[There]:
    clock = VirtualClock()
    lab = LabCluster(Scenario.loads(SCENARIO), clock)
    gateway = Gateway(lab, clock, TOKEN)
    transport = GatewayTransport(gateway.connect, Secret(token), NODES, clock)
    yield There(lab, gateway, transport, clock)
    await transport.aclose()
    await asyncio.sleep(0)
    await gateway.stop()
    assert asyncio.all_tasks() == {asyncio.current_task()}, "a task is left behind"


class TestGatewayTransport(TransportContract):
    @asynccontextmanager
    async def subject(self) -> AsyncIterator[Subject]:
        async with there() as made:
            yield Subject(
                transport=made.transport,
                discover=partial(discover, made.transport, NODES, made.clock),
                clock=made.clock,
                publisher="pub",
                subscriber="sub1",
                secrets=(TOKEN,),
                lose_next=made.gateway.lose_next,
            )


def test_a_run_goes_over_the_gateway_to_its_end(tmp_path: Path) -> None:
    async def story() -> None:
        async with there() as made:
            cluster = Cluster(
                made.transport,
                partial(discover, made.transport, NODES, made.clock),
                clock=made.clock,
            )
            plan = make_plan(
                await cluster.discover(),
                units={CertUnit.CALLMANAGER, CertUnit.TVS},
                preflight=NOBODY_LOOKED,
                said=NO_PARTNERS,
            )
            async with cluster.run(plan, journal=tmp_path / "job.journal") as run:
                await run.wait()
            assert isinstance(run.outcome, Verified)
            assert_no_phone_lost(made.lab)
            assert_never_graded_above_truth(run.outcome, made.lab)

    run_virtual(story)


def test_a_refused_token_is_not_tried_again() -> None:
    async def story() -> None:
        async with there("wrong") as made:
            for _ in range(3):
                with pytest.raises(AuthenticationFailed, match="does not accept our token"):
                    await made.transport.observe(Members())
            assert made.gateway.logins == 1

    run_virtual(story)


def test_the_transport_uses_nothing_that_the_page_does_not_name() -> None:
    text, page = Path(__file__).with_name("gateway_transport.py").read_text(), PAGE.read_text()
    used = {
        f"{node.module}.{alias.name}"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("cucm_certflow")
        for alias in node.names
    }
    assert used
    for name in used:
        module, _, last = name.rpartition(".")
        assert module in page, name
        assert re.search(rf"\b{last}\b", page), name
        assert ".lab" not in module


def test_the_page_names_every_question_and_every_command() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for kind in (*get_args(Query), *get_args(Command)):
        assert f"| `{kind.__name__}(" in page, kind
