"""Answers of every kind through a recording of the seam and out of it again, bytes as well."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from cucm_certflow.commands import (
    ByHand,
    Command,
    DeleteTrust,
    Reply,
    ReplyKind,
    StartService,
    StopService,
)
from cucm_certflow.facts import (
    Backup,
    BackupActivity,
    BackupHistory,
    BackupStatus,
    Certificate,
    CertificateFile,
    CoreFiles,
    DatabaseCertificates,
    Devices,
    DiskUse,
    Fact,
    Known,
    ListFile,
    NtpStatus,
    Query,
    Registration,
    Replication,
    TimeSync,
    TrustEntry,
    TrustStores,
    Unknown,
    Why,
)
from cucm_certflow.names import CertUnit, DeviceClass, KeyAlgorithm, ListKind, Service
from cucm_certflow.transports.record import Recording, ReplayTransport, open_recording
from tests.web.helpers import INVENTORY, PUB, ManualClock

pytestmark = pytest.mark.asyncio

AT: Final = datetime(2026, 3, 1, tzinfo=UTC)
LISTS: Final = Path(__file__).parents[1] / "bytes" / "fixtures"
PEM: Final = (LISTS / "cm-pub-ec384.crt.pem").read_text()
ENTRY: Final = TrustEntry(
    store="tomcat-trust",
    name="Some_CA.pem",
    certificate=Certificate(
        fingerprint="ab" * 32,
        serial="01",
        not_before=AT,
        key_algorithm=KeyAlgorithm.EC,
        names=("pub.example", "sub.example"),
    ),
)
ANSWERS: Final[Mapping[Query, object]] = {
    CertificateFile(PUB.name, CertUnit.CUP_XMPP): PEM,
    ListFile(PUB.name, ListKind.ITL): (LISTS / "itl-125-pub-g1.tlv").read_bytes(),
    ListFile(PUB.name, ListKind.CTL): None,
    TrustStores(PUB.name): (ENTRY,),
    DatabaseCertificates(PUB.name): frozenset({"ab" * 32, "cd" * 32}),
    Replication(): {"pub": 2, "sub": -1},
    TimeSync(PUB.name): NtpStatus(synchronised=True, stratum=3),
    DiskUse(PUB.name): {"active": 58, "logging": 92},
    CoreFiles(PUB.name): ("core.jvm.core",),
    BackupHistory(): (
        Backup(name="a.tar", succeeded=True, at=AT),
        Backup(name="b.tar", succeeded=False),
    ),
    BackupStatus(): BackupActivity.RUNNING,
    Devices(DeviceClass.SIP_TRUNK): {"T": Registration("T", registered=True, node="pub", at=AT)},
}
COMMANDS: Final[tuple[Command, ...]] = (
    StopService(PUB.name, Service.CERTIFICATE_CHANGE_NOTIFICATION),
    StartService(PUB.name, Service.CERTIFICATE_CHANGE_NOTIFICATION),
    DeleteTrust(PUB.name, "tomcat-trust", "Some_CA.pem"),
    ByHand(PUB.name, "upload the certificate to the partner"),
)


class Node:
    """Answers by the table."""

    def supports(self, what: Query | Command) -> bool:
        return True

    async def observe(self, query: Query) -> Fact:
        if query not in ANSWERS:
            return Unknown("it does not say", AT, "a test", Why.FAULT)
        return Known(ANSWERS[query], AT, "a test")

    async def perform(self, command: Command) -> Reply:
        return Reply(ReplyKind.LOST, f"what became of {command}?")

    async def aclose(self) -> None:
        return


async def test_every_answer_and_reply_comes_out_as_it_went_in(tmp_path: Path) -> None:
    path, clock = tmp_path / "seam.recording", ManualClock()
    unanswered = TimeSync("another")
    recorder = open_recording(path, INVENTORY, clock)
    seam = recorder.seam(Node(), closes=True)
    facts = {query: await seam.observe(query) for query in (*ANSWERS, unanswered)}
    replies = [await seam.perform(command) for command in COMMANDS]
    await seam.aclose()
    replay = ReplayTransport(Recording.load(path), clock)
    for query, fact in facts.items():
        assert replay.supports(query)
        assert await replay.observe(query) == fact
    assert [await replay.perform(command) for command in COMMANDS] == replies
