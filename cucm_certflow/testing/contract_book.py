"""What every transport must keep about the whole book: trust, databases, health, services."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cucm_certflow.commands import (
    DeleteTrust,
    Regenerate,
    ReplyKind,
    ResetLocalkey,
    RestartService,
    StartService,
    StopService,
)
from cucm_certflow.facts import (
    Backup,
    BackupActivity,
    BackupHistory,
    BackupStatus,
    CertificateFile,
    CertificateOf,
    ConfigurationSigner,
    CoreFiles,
    DatabaseCertificates,
    Devices,
    DiskUse,
    ListFile,
    NtpStatus,
    PhoneLists,
    Phones,
    PhoneTrustList,
    Reach,
    Reached,
    Registration,
    Registrations,
    Replication,
    ServedList,
    ServiceOn,
    ServiceStatus,
    TftpCounters,
    TimeSync,
    TrustEntry,
    TrustStores,
    Unknown,
)
from cucm_certflow.names import CertUnit, DeviceClass, Interface, ListKind, Service
from cucm_certflow.testing.subject import Check, Subject
from cucm_certflow.trust.lists import parse_list
from cucm_certflow.trust.x509 import certificate_from_pem

__all__ = ["BOOK_CHECKS"]


async def check_every_node_says_how_it_is(subject: Subject) -> None:
    """Time, disks and cores by node; replication, backups and devices of the cluster."""
    nodes = (subject.publisher, subject.subscriber)
    for name in nodes:
        time = await subject.known(TimeSync(name))
        assert isinstance(time, NtpStatus)
        assert time.synchronised is (time.stratum is not None)
        disks = await subject.known(DiskUse(name))
        assert {"active", "logging"} <= set(disks)
        assert all(0 <= percent <= 100 for percent in disks.values())  # noqa: PLR2004 - per cent
        assert isinstance(await subject.known(CoreFiles(name)), tuple)
    states = await subject.known(Replication())
    assert set(states) == set(nodes)
    assert all(isinstance(state, int) for state in states.values())
    backups = await subject.known(BackupHistory())
    assert all(isinstance(backup, Backup) for backup in backups)
    assert all(each.at is None or each.at <= subject.clock.now() for each in backups)
    assert isinstance(await subject.known(BackupStatus()), BackupActivity)
    phones = set(await subject.known(Registrations()))
    for kind in DeviceClass:
        devices = await subject.known(Devices(kind))
        assert isinstance(devices, Mapping)
        assert (kind is DeviceClass.PHONE) or not phones & set(devices)
        assert all(isinstance(value, Registration) for value in devices.values())


async def check_files_are_of_what_the_questions_say(subject: Subject) -> None:
    """PEM and list bytes belong to the certificate and the list that single looks see."""
    name = subject.subscriber
    for unit in (CertUnit.TOMCAT, CertUnit.TVS):
        certificate = await subject.known(CertificateOf(name, unit))
        pem = await subject.known(CertificateFile(name, unit))
        read = certificate_from_pem(pem)
        for key in ("names", "key_bits", "key_algorithm", "self_signed"):
            assert getattr(read, key) == getattr(certificate, key), f"{key} of {name}/{unit}"
        await subject.done(Regenerate(name, unit))
        assert await subject.known(CertificateFile(name, unit)) != pem
    for kind in ListKind:
        view = await subject.known(ServedList(name, kind))
        data = await subject.known(ListFile(name, kind))
        assert isinstance(data, bytes)
        assert len(parse_list(data).records) >= len(view.sast)
    fact = await subject.transport.observe(CertificateFile(name, CertUnit.CUP))
    assert isinstance(fact, Unknown)


async def check_what_is_trusted_is_named_and_can_be_deleted(subject: Subject) -> None:
    """Tomcat's certificates are in tomcat-trust; what is deleted there is gone."""
    name = subject.publisher
    stores = TrustStores(name)
    entries = await subject.known(stores)
    assert all(isinstance(entry, TrustEntry) for entry in entries)
    assert len({(entry.store, entry.name) for entry in entries}) == len(entries)
    other = await subject.known(CertificateOf(subject.subscriber, CertUnit.TOMCAT))
    (found,) = (
        entry
        for entry in entries
        if (entry.store, entry.certificate.fingerprint) == ("tomcat-trust", other.fingerprint)
    )
    command = DeleteTrust(name, found.store, found.name)
    assert subject.transport.supports(command)
    # What a node says to that is not known: whether it is done is only seen.
    reply = await subject.transport.perform(command)
    assert reply.kind is not ReplyKind.REFUSED, reply
    left = await subject.until(stores, lambda now: found not in now)
    assert [e for e in left if e.store != found.store] == [
        e for e in entries if e.store != found.store
    ]
    again = await subject.transport.perform(command)
    assert again.kind is not ReplyKind.ACCEPTED, again


async def check_each_database_comes_to_know_a_new_certificate(subject: Subject) -> None:
    """It has those of all nodes; a new one reaches every node's own database."""
    nodes = (subject.publisher, subject.subscriber)
    for asked in nodes:
        stored = await subject.known(DatabaseCertificates(asked))
        for name in nodes:
            own = await subject.known(CertificateOf(name, CertUnit.TVS))
            assert own.fingerprint in stored, f"{name}/TVS in the database of {asked}"
    await subject.done(Regenerate(subject.subscriber, CertUnit.TVS))
    new = await subject.known(CertificateOf(subject.subscriber, CertUnit.TVS))
    for asked in nodes:
        await subject.until(DatabaseCertificates(asked), lambda seen: new.fingerprint in seen)


async def check_a_stopped_service_stays_so_until_it_is_started(subject: Subject) -> None:
    """And only that one."""
    name, service = subject.subscriber, Service.CERTIFICATE_CHANGE_NOTIFICATION
    state = ServiceOn(name, service)
    await subject.done(StopService(name, service))
    await subject.until(state, lambda seen: seen.status is ServiceStatus.STOPPED)
    await subject.clock.sleep(600)
    assert (await subject.known(state)).status is ServiceStatus.STOPPED
    other = await subject.known(ServiceOn(subject.publisher, service))
    assert other.status is ServiceStatus.STARTED
    await subject.done(StartService(name, service))
    await subject.until(state, lambda seen: seen.status is ServiceStatus.STARTED)


async def check_files_for_phones_are_signed_and_counted(subject: Subject) -> None:
    """By the key of CallManager as TFTP started with it; what TFTP serves is counted by name."""
    name = subject.subscriber
    phones = await subject.known(Phones())
    signer = ConfigurationSigner(name, phones[0].name)
    old = await subject.known(CertificateOf(name, CertUnit.CALLMANAGER))
    assert await subject.known(signer) == old.serial.upper()
    counting = TftpCounters(name)
    subject.needs(counting)
    counters = await subject.transport.observe(counting)
    if isinstance(counters, Unknown):  # a lab may serve files that nobody loads
        assert counters.reason
    else:
        assert all(count >= 0 for count in counters.value.values())
    await subject.done(Regenerate(name, CertUnit.CALLMANAGER))
    new = await subject.known(CertificateOf(name, CertUnit.CALLMANAGER))
    await subject.done(RestartService(name, Service.TFTP))
    await subject.until(signer, lambda seen: seen == new.serial.upper())


async def check_a_phone_that_shows_its_lists_holds_what_is_served(subject: Subject) -> None:
    """Where a phone's web page cannot be had the answer is unknown, never an empty one."""
    phones = await subject.known(Phones())
    view = await subject.known(ServedList(subject.subscriber, ListKind.ITL))
    for phone in phones:
        query = PhoneTrustList(phone.name)
        subject.needs(query)
        fact = await subject.transport.observe(query)
        if isinstance(fact, Unknown):
            assert fact.reason
            continue
        assert isinstance(fact.value, PhoneLists)
        assert fact.value.itl in ("", view.digest)


async def check_an_interface_that_lets_us_in_says_so(subject: Subject) -> None:
    """And what no node of the cluster has is unknown, never an empty answer."""
    for name in (subject.publisher, subject.subscriber):
        reached = await subject.known(Reach(name, Interface.SSH))
        assert isinstance(reached, Reached)
        assert reached.privilege is None or reached.privilege >= 0
    fact = await subject.transport.observe(Reach("no-such-node", Interface.SSH))
    assert isinstance(fact, Unknown)


async def check_reset_localkey_signs_the_list_by_the_other_anchor(subject: Subject) -> None:
    """On the publisher; ITLRecovery signs the ITL then."""
    anchor = await subject.known(CertificateOf(subject.publisher, CertUnit.ITLRECOVERY))
    refused = await subject.transport.perform(ResetLocalkey(subject.subscriber, ListKind.ITL))
    assert refused.kind is not ReplyKind.ACCEPTED
    await subject.done(ResetLocalkey(subject.publisher, ListKind.ITL))
    await subject.until(
        ServedList(subject.publisher, ListKind.ITL),
        lambda view: view is not None and view.signer == anchor.fingerprint,
    )


BOOK_CHECKS: Final[tuple[Check, ...]] = (
    check_every_node_says_how_it_is,
    check_files_are_of_what_the_questions_say,
    check_what_is_trusted_is_named_and_can_be_deleted,
    check_each_database_comes_to_know_a_new_certificate,
    check_a_stopped_service_stays_so_until_it_is_started,
    check_files_for_phones_are_signed_and_counted,
    check_a_phone_that_shows_its_lists_holds_what_is_served,
    check_an_interface_that_lets_us_in_says_so,
    check_reset_localkey_signs_the_list_by_the_other_anchor,
)
