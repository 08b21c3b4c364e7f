"""The lab in memory and the lab's real servers are the same cluster, question by question."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

from cucm_certflow.clock import ScaledClock
from cucm_certflow.connection import connect
from cucm_certflow.facts import (
    BackupHistory,
    BackupStatus,
    Certificate,
    CertificateOf,
    CoreFiles,
    DatabaseCertificates,
    Devices,
    DiskUse,
    Fact,
    ListFile,
    Members,
    Parameter,
    Query,
    Replication,
    ServedList,
    ServicesOn,
    TimeSync,
    TrustStores,
    UnitsOn,
    Unknown,
)
from cucm_certflow.inventory import Inventory
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.memory import MemoryTransport
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.lab.servers import LabServers
from cucm_certflow.names import CertUnit, DeviceClass, ListKind
from cucm_certflow.testing.virtual import VirtualClock, run_virtual
from cucm_certflow.trust.lists import parse_list

NODES = ("pub", "sub", "imp")

BOOK = """
name = "book"
release = "{release}"
mode = "mixed"
seed = 5
ecdsa = true

[[nodes]]
name = "pub"
address = "127.0.0.24"
publisher = true
services = ["callmanager", "cti", "tftp", "tvs", "capf"]

[[nodes]]
name = "sub"
address = "127.0.0.25"
services = ["callmanager", "cti", "tftp", "tvs"]

[[nodes]]
name = "imp"
address = "127.0.0.26"
product = "cups"

[[phones]]
count = 2
model = "Cisco 7841"
group = ["pub", "sub"]
tftp = ["sub", "pub"]

[[devices]]
kind = "SIPTrunk"
first = "trunk-1"
node = "pub"
count = 2

[[devices]]
kind = "Gateway"
first = "gw1"
node = "sub"
registered = false

[[trust]]
store = "tomcat-trust"
name = "old-ca.pem"

[[certificates]]
unit = "tomcat"
node = "sub"
ca_signed = true
expires_in_days = 40

[[certificates]]
unit = "CallManager"
multi_server = true

[health]
replication = {{ sub = 4 }}
ntp_unsynchronised = ["sub"]
unauthenticated = ["sub"]
disk = {{ sub = {{ logging = 92 }} }}
cores = {{ sub = ["core.1.6.ccm.1645336926"] }}
last_backup_days = 3
backup_running = true

[parameters]
PhoneInteraction = "1"
"""


def _questions() -> Iterator[Query]:
    yield from (Replication(), BackupHistory(), BackupStatus(), Members())
    for name in ("ClusterSecurityMode", "RollBackToPreGrayback", "PhoneInteraction", "Nothing"):
        yield Parameter(name)
    yield from (Devices(kind) for kind in DeviceClass)
    for node in NODES:
        yield from (TimeSync(node), DiskUse(node), CoreFiles(node), UnitsOn(node))
        yield from (ServicesOn(node), TrustStores(node), DatabaseCertificates(node))
        yield from (CertificateOf(node, unit) for unit in CertUnit)
    for node in ("pub", "sub"):
        for kind in ListKind:
            yield from (ServedList(node, kind), ListFile(node, kind))


def _said_of(certificate: Certificate) -> tuple[object, ...]:
    """What both forms can say: fingerprints, serials and the rest of the name they cannot."""
    kept = ("names", "self_signed", "key_bits", "key_algorithm")
    return tuple(getattr(certificate, key) for key in kept)


def _plain(query: Query, fact: Fact) -> Any:  # noqa: ANN401 - one type per class of query
    """What must be the same of *fact*."""
    if isinstance(fact, Unknown):
        return "unknown"
    value = fact.value
    match query:
        case CertificateOf():
            return _said_of(value)
        case TrustStores():
            return [(entry.store, entry.name, _said_of(entry.certificate)) for entry in value]
        case UnitsOn():
            return sorted(value)
        case BackupHistory():  # the two stories begin at different instants
            return [each.succeeded for each in value]
        case Devices():
            return {name: (each.registered, each.node) for name, each in value.items()}
        case ServedList():
            return (value.kind, *map(len, value[2:6]), len(value.capf), value.token)
        case ListFile():
            return sorted(record.role for record in parse_list(value).records)
        case Members():
            return [attrs.evolve(each, fqdn="") for each in value]
        case DatabaseCertificates():
            return len(value) > 0
        case ServicesOn():
            return {name: each.status for name, each in value.items()}
        case _:
            return value


def _in_memory(scenario: Scenario) -> Mapping[Query, Any]:
    found: dict[Query, Any] = {}

    async def story() -> None:
        clock = VirtualClock()
        transport = MemoryTransport(LabCluster(scenario, clock), clock)
        for query in _questions():
            found[query] = _plain(query, await transport.observe(query))

    run_virtual(story)
    return found


def _over_servers(scenario: Scenario, folder: Path) -> Mapping[Query, Any]:
    found: dict[Query, Any] = {}

    async def story() -> None:
        clock = ScaledClock(60.0)
        async with LabServers(scenario, clock=clock, folder=folder):
            inventory = Inventory.load(folder / "inventory.toml")
            async with connect(inventory, clock=clock) as cluster:
                await cluster.discover()
                for query in _questions():
                    found[query] = _plain(query, await cluster.transport.observe(query))

    asyncio.run(story())
    return found


@pytest.mark.parametrize("release", ["11.5.1.12900-21", "15.0.1.12900-234"])
def test_memory_and_servers_give_the_same_answers(release: str, tmp_path: Path) -> None:
    scenario = Scenario.loads(BOOK.format(release=release))
    memory, servers = _in_memory(scenario), _over_servers(scenario, tmp_path)
    for query, value in memory.items():
        there = servers[query]
        if isinstance(query, ServicesOn):  # servers list what is not followed, too
            there = {name: state for name, state in there.items() if name in value}
        assert there == value, query
    unknown = {query for query, value in memory.items() if value == "unknown"}
    assert Parameter("Nothing") in unknown
    assert not any(isinstance(query, TrustStores | DatabaseCertificates) for query in unknown)
