"""What the contract suite is run over: a small cluster behind some transport."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, Final, Protocol

import attrs

from cucm_certflow.clock import Clock
from cucm_certflow.commands import (
    Command,
    DeleteTrust,
    Regenerate,
    ReplyKind,
    ResetLocalkey,
    ResetPhones,
    RestartService,
    StartService,
    StopService,
    UpdateCtl,
)
from cucm_certflow.facts import (
    BackupHistory,
    BackupStatus,
    CallManagerGroups,
    CertificateFile,
    CertificateOf,
    ClusterFacts,
    ConfigurationSigner,
    CoreFiles,
    DatabaseCertificates,
    DevicePools,
    Devices,
    DiskUse,
    Interfaces,
    Known,
    ListFile,
    Members,
    Parameter,
    Phones,
    PhoneTrustList,
    PresentedCertificate,
    Query,
    Reach,
    RegistrationCounts,
    Registrations,
    Replication,
    ServedList,
    ServiceOn,
    ServicesOn,
    TftpCounters,
    TimeSync,
    TrustStores,
    UnitsOn,
    VersionOf,
)
from cucm_certflow.names import MODE_PARAMETER, CertUnit, DeviceClass, Interface, ListKind, Service
from cucm_certflow.transports.base import Transport

__all__ = ["SCENARIO", "Check", "NotOffered", "Subject"]

SCENARIO: Final = """
name = "contract"
release = "11.5.1.12900-21"
mode = "mixed"
seed = 5

[[nodes]]
name = "pub"
address = "127.0.0.21"
publisher = true
services = ["callmanager", "cti", "tftp", "tvs"]

[[nodes]]
name = "sub1"
address = "127.0.0.22"
services = ["callmanager", "cti", "tftp", "tvs"]

[[phones]]
count = 5
first = "SEP001122330001"
model = "Cisco 7841"
group = ["pub", "sub1"]
tftp = ["sub1", "pub"]
"""
"""A cluster on which every check of the contract can be made, as a scenario of the lab."""

_SHARED: Final = timedelta(seconds=60)


class NotOffered(Exception):
    """A check needs what the transport was declared not to offer."""


@attrs.frozen(kw_only=True)
class Subject:
    """A transport over a small mixed-mode cluster: a publisher, one subscriber, some phones.

    Attributes:
        transport: What is checked.
        discover: Discovery over it.
        clock: The cluster's.
        publisher: The publisher's name; it runs Cisco CallManager, Tftp and TVS.
        subscriber: The subscriber's name; it runs them too.
        secrets: Texts that nothing may show: passwords, tokens.
        not_offered: What the transport does not offer, by class, with the reason.
        lose_next: Given a node's name, makes the connection to it break during whatever is sent
            there next, once. Without it nothing is known of broken connections, and that is said.
    """

    transport: Transport
    discover: Callable[[], Awaitable[ClusterFacts]]
    clock: Clock
    publisher: str
    subscriber: str
    secrets: tuple[str, ...] = ()
    not_offered: Mapping[type, str] = attrs.field(factory=dict[type, str])
    lose_next: Callable[[str], object] | None = None

    def loses_next(self, node: str) -> None:
        """Let the connection to *node* break next.

        Raises:
            NotOffered: The subject has no way to do that.
        """
        if self.lose_next is None:
            raise NotOffered("the subject has no `lose_next`: broken connections were not tried")
        self.lose_next(node)

    def needs(self, what: Query | Command) -> None:
        """Say that the check needs *what*.

        Raises:
            NotOffered: The transport was declared not to offer it, and does not.
        """
        reason = self.not_offered.get(type(what))
        if reason is None:
            assert self.transport.supports(what), f"{what} is not supported"
            return
        assert not self.transport.supports(what), f"{what} is supported, and declared not to be"
        raise NotOffered(f"{type(what).__name__} is not offered: {reason}")

    async def known(self, query: Query) -> Any:  # noqa: ANN401 - one type per class of query
        """The value of *query*, which must be known."""
        self.needs(query)
        before = self.clock.now()
        fact = await self.transport.observe(query)
        assert isinstance(fact, Known), f"{query}: {fact}"
        # One listing may answer several questions that are asked at nearly the same moment.
        earliest = before - _SHARED
        assert earliest <= fact.at <= self.clock.now(), f"{query}: its instant is not of the look"
        return fact.value

    async def one_of_each(self) -> tuple[Query | Command, ...]:
        """One question and one command of each class that can be sent somewhere."""
        name, unit, service = self.subscriber, CertUnit.TVS, Service.TVS
        phones = await self.transport.observe(Phones())
        phone = phones.value[0].name if isinstance(phones, Known) else "SEP000000000000"
        return (
            CertificateOf(name, unit),
            ServedList(name, ListKind.ITL),
            ServiceOn(name, service),
            ServicesOn(name),
            UnitsOn(name),
            CertificateFile(name, unit),
            ListFile(name, ListKind.ITL),
            ConfigurationSigner(name, phone),
            TrustStores(name),
            DatabaseCertificates(name),
            Replication(),
            TimeSync(name),
            DiskUse(name),
            CoreFiles(name),
            BackupHistory(),
            BackupStatus(),
            Devices(DeviceClass.PHONE),
            PresentedCertificate(name),
            Registrations(),
            PhoneTrustList(phone),
            RegistrationCounts(name),
            TftpCounters(name),
            Members(),
            VersionOf(name),
            Parameter(MODE_PARAMETER),
            Phones(),
            CallManagerGroups(),
            DevicePools(),
            Interfaces(),
            Reach(name, Interface.SSH),
            Regenerate(name, unit),
            UpdateCtl(self.publisher),
            ResetLocalkey(self.publisher, ListKind.ITL),
            RestartService(name, service),
            StopService(name, service),
            StartService(name, service),
            DeleteTrust(name, "tomcat-trust", "no-such-file.pem"),
            ResetPhones(self.publisher, (phone,)),
        )

    async def until(self, query: Query, holds: Callable[[Any], bool]) -> Any:  # noqa: ANN401 - as known
        """Look again until *holds*; for what takes its time."""
        self.needs(query)
        for _ in range(200):
            fact = await self.transport.observe(query)
            if isinstance(fact, Known) and holds(fact.value):
                return fact.value
            await self.clock.sleep(5)
        message = f"{query} never came to what was expected"
        raise AssertionError(message)

    async def done(self, command: Command) -> str:
        """Send *command*, which must be accepted; the node's words."""
        self.needs(command)
        reply = await self.transport.perform(command)
        assert reply.kind is ReplyKind.ACCEPTED, f"{command}: {reply}"
        return reply.text


class Check(Protocol):
    """One claim about a transport; raises AssertionError with what is broken."""

    __name__: str

    async def __call__(self, subject: Subject, /) -> None:
        """Check *subject*."""
