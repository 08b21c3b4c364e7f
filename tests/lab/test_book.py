"""The rest of the book in time: stores, databases, tokens, partners, and what a person does."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from cucm_certflow.commands import (
    ByHand,
    DeleteTrust,
    ReplyKind,
    StartService,
    StopService,
)
from cucm_certflow.facts import (
    BackupActivity,
    BackupHistory,
    BackupStatus,
    CertificateFile,
    CertificateOf,
    CoreFiles,
    DatabaseCertificates,
    Devices,
    DiskUse,
    Known,
    ListFile,
    Members,
    Parameter,
    Query,
    Replication,
    ServiceStatus,
    TimeSync,
    TrustStores,
    UnitsOn,
)
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.memory import MemoryTransport
from cucm_certflow.names import CertUnit, DeviceClass, ListKind, Service
from cucm_certflow.testing.virtual import VirtualClock
from tests.lab.small import BEGIN, PHONE, SECURE, cluster
from tests.lab.test_memory import tell

BOOK = """
[health]
replication = { sub = 4 }
database_lag_s = { sub = 600 }
ntp_unsynchronised = ["sub"]
disk = { sub = { logging = 92 } }
cores = { pub = ["core.1.ccm"] }
unauthenticated = ["sub"]
last_backup_days = 3.0
backup_running = true

[[certificates]]
unit = "tomcat"
multi_server = true
ca_signed = true
expires_in_days = 30.0

[[trust]]
store = "tomcat-trust"
name = "old-ca.pem"
node = "pub"
expires_in_days = -10.0
comes_back = true

[[devices]]
kind = "SIPTrunk"
first = "trunk-1"
count = 2
node = "pub"

[[partners]]
name = "uccx"
kind = "UCCX"
units = ["tomcat"]
"""
TOMCAT, CAPF = CertUnit.TOMCAT, CertUnit.CAPF


def test_memory_answers_every_question_as_the_scenario_says() -> None:
    async def story(lab: LabCluster, way: MemoryTransport, _: VirtualClock) -> None:
        async def value(query: Query) -> Any:  # noqa: ANN401 - one type per question
            fact = await way.observe(query)
            assert isinstance(fact, Known), fact
            return fact.value

        assert await value(Replication()) == {"pub": 2, "sub": 4}
        assert not (await value(TimeSync("sub"))).synchronised
        assert (await value(TimeSync("pub"))).synchronised
        assert (await value(DiskUse("sub")))["logging"] == 92
        assert await value(CoreFiles("pub")) == ("core.1.ccm",)
        assert await value(BackupStatus()) is BackupActivity.RUNNING
        (backup,) = await value(BackupHistory())
        assert backup.at == lab.began.replace(microsecond=0) - timedelta(days=3)
        assert set(await value(Devices(DeviceClass.SIP_TRUNK))) == {"trunk-1", "trunk-2"}
        assert await value(Parameter("RollBackToPreGrayback")) == "F"
        members = {member.name: member for member in await value(Members())}
        assert members["sub"].authenticated is False
        assert members["imp"].is_database_publisher
        assert {"ipsec", "cup", "cup-xmpp", "tomcat"} <= set(await value(UnitsOn("imp")))
        tomcat = await value(CertificateOf("sub", TOMCAT))
        assert tomcat == await value(CertificateOf("pub", TOMCAT))
        assert not tomcat.self_signed
        assert tomcat.names[0] == "pub-ms.lab.example"
        assert tomcat.not_after == lab.began.replace(microsecond=0) + timedelta(days=30)
        stores = {(e.store, e.name): e.certificate for e in await value(TrustStores("pub"))}
        stranger = stores["tomcat-trust", "old-ca.pem"]
        assert stranger.not_after < lab.began
        assert {tomcat.fingerprint, stranger.fingerprint} <= await value(
            DatabaseCertificates("pub")
        )
        assert "BEGIN CERTIFICATE" in await value(CertificateFile("pub", CertUnit.TVS))
        assert len(await value(ListFile("pub", ListKind.ITL))) > 1000

    tell(story, more=BOOK)


def test_what_only_a_person_does_is_not_sent() -> None:
    async def story(lab: LabCluster, way: MemoryTransport, _: VirtualClock) -> None:
        reply = await way.perform(ByHand("pub", "sign the CTL"))
        assert reply.kind is ReplyKind.REFUSED
        assert not lab.log

    tell(story)


def test_a_deleted_certificate_is_back_after_half_an_hour_if_nobody_stopped_notification() -> None:
    async def story(lab: LabCluster, way: MemoryTransport, clock: VirtualClock) -> None:
        def is_there() -> bool:
            return any(e.name == "old-ca.pem" for e in lab.book.entries("pub"))

        delete = DeleteTrust("pub", "tomcat-trust", "old-ca.pem")
        assert (await way.perform(delete)).kind is ReplyKind.ACCEPTED
        assert not is_there()
        assert (await way.perform(delete)).kind is ReplyKind.REFUSED
        await clock.sleep(1800)
        assert is_there()
        ccn = Service.CERTIFICATE_CHANGE_NOTIFICATION
        stops = [StopService(node, ccn) for node in ("pub", "sub")] + [
            StopService("imp", Service.INTERCLUSTER_SYNC_AGENT),
            StopService("imp", Service.PLATFORM_ADMINISTRATIVE_WEB),
        ]
        for stop in stops:
            assert (await way.perform(stop)).kind is ReplyKind.ACCEPTED
        await way.perform(delete)
        await way.perform(StartService("pub", ccn))
        assert lab.service_state("pub", ccn).status is ServiceStatus.STARTED
        await clock.sleep(3600)
        assert not is_there()

    tell(story, more=BOOK)


def test_a_node_far_behind_learns_of_a_new_certificate_later_than_the_others() -> None:
    lab, clock = cluster(more=BOOK)
    clock.turn((lab.begin_regenerate("pub", CertUnit.TVS) - BEGIN).total_seconds() + 9)
    new = lab.certificate("pub", CertUnit.TVS)
    old = new._replace(generation=1)
    assert new in lab.book.known_to("pub")
    assert new not in lab.book.known_to("sub")
    assert old in lab.book.known_to("sub")
    clock.turn(600)
    assert new in lab.book.known_to("sub")


def test_a_partner_works_until_the_certificate_that_it_knows_is_replaced() -> None:
    lab, clock = cluster(more=BOOK)
    assert lab.book.partner_works("uccx")
    clock.turn((lab.begin_regenerate("sub", TOMCAT) - lab.now).total_seconds())
    assert lab.certificate("sub", TOMCAT) != lab.certificate("pub", TOMCAT)
    clock.turn((lab.begin_restart("sub", Service.TOMCAT) - lab.now).total_seconds())
    assert not lab.book.partner_works("uccx")
    lab.update_partner("uccx")
    assert lab.book.partner_works("uccx")


def test_a_backup_fails_while_the_nodes_do_not_agree_on_the_publisher() -> None:
    lab, clock = cluster()
    assert lab.book.back_up().succeeded
    clock.turn((lab.begin_regenerate("pub", CertUnit.IPSEC) - lab.now).total_seconds())
    assert not lab.book.back_up().succeeded
    for node, service in (
        ("pub", Service.DRF_MASTER),
        ("pub", Service.DRF_LOCAL),
        ("sub", Service.DRF_LOCAL),
        ("imp", Service.DRF_LOCAL),
    ):
        clock.turn((lab.begin_restart(node, service) - lab.now).total_seconds())
    assert lab.book.back_up().succeeded
    assert [backup.succeeded for backup in lab.health.backups()] == [True, True, False, True]


def test_a_ctl_that_a_token_signed_is_renewed_by_that_token_only() -> None:
    lab, clock = cluster(release='"9.1"')
    before = lab.served("pub", ListKind.CTL)
    with pytest.raises(ValueError, match=r"10\.0"):
        lab.begin_ctl_update("pub")
    clock.turn((lab.begin_regenerate("pub", CertUnit.CALLMANAGER) - lab.now).total_seconds())
    lab.sign_ctl_by_token()
    clock.turn(10)
    after = lab.served("pub", ListKind.CTL)
    assert before is not None
    assert after is not None
    assert (after.signer, after.ccm != before.ccm) == (before.signer, True)


def test_an_old_itlrecovery_in_the_ctl_is_what_the_phones_hold() -> None:
    """FN70613."""
    lab, _ = cluster(release='"12.5"', more='\n[served]\nctl_itlrecovery = "old"\n')
    ctl = lab.served("pub", ListKind.CTL)
    assert ctl is not None
    assert ctl.signer.generation == 0
    assert lab.phone(SECURE).ctl == ctl
    assert lab.registration(SECURE).registered


def test_from_14_a_new_tvs_resets_the_phones_by_itself_if_the_scenario_says_so() -> None:
    more = "\n[variant]\nphones_reset_by_themselves = true\n"
    for text, moves in (("", False), (more, True)):
        lab, clock = cluster(release='"14"', more=text)
        before = lab.registration(PHONE).at
        clock.turn((lab.begin_regenerate("pub", CertUnit.TVS) - lab.now).total_seconds() + 300)
        assert (lab.registration(PHONE).at != before) is moves


def test_a_multi_server_certificate_can_make_phones_reset_every_seven_minutes() -> None:
    more = BOOK + "\n[variant]\nphones_reset_every_7_minutes = true\n"
    lab, clock = cluster(more=more)
    seen = {lab.registration(PHONE).at}
    for _ in range(4):
        clock.turn(420)
        seen.add(lab.registration(PHONE).at)
    assert len(seen) > 3
