"""Tries every question and every command over every interface, and counts the requests.

A small lab of each release runs as real servers on loopback. Needs the extra `lab`.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, get_args

import attrs

from cucm_certflow.clock import ScaledClock
from cucm_certflow.commands import (
    ByHand,
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
from cucm_certflow.connection import route_to
from cucm_certflow.errors import RoleMissing
from cucm_certflow.facts import (
    BackupHistory,
    BackupStatus,
    CallManagerGroups,
    CertificateFile,
    CertificateOf,
    ConfigurationSigner,
    CoreFiles,
    DatabaseCertificates,
    DevicePools,
    Devices,
    DiskUse,
    Fact,
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
    Registration,
    RegistrationCounts,
    Registrations,
    Replication,
    ReplyTo,
    ServedList,
    ServiceOn,
    ServicesOn,
    TftpCounters,
    TimeSync,
    TrustStores,
    UnitsOn,
    VersionOf,
)
from cucm_certflow.inventory import Account, Inventory
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.lab.servers import LabServers
from cucm_certflow.names import (
    CertUnit,
    DeviceClass,
    Interface,
    KeyAlgorithm,
    ListKind,
    Release,
    Service,
)
from cucm_certflow.secret import Secret
from cucm_certflow.testing.virtual import VirtualClock, run_virtual
from cucm_certflow.transports.axl import AxlTransport
from cucm_certflow.transports.base import Transport
from cucm_certflow.transports.budget import Budgets
from cucm_certflow.transports.platform_rest import PlatformRestTransport
from cucm_certflow.transports.registrations import RegistrationWatch
from cucm_certflow.transports.route import Route

__all__ = [
    "COMMANDS",
    "OPENING",
    "QUESTIONS",
    "RELEASES",
    "Key",
    "ManyPhones",
    "OfRelease",
    "Subject",
    "Tried",
    "WithoutRoles",
    "many_phones",
    "try_everything",
]

RELEASES: Final = tuple(Release.parse(text) for text in ("9.1", "11.5", "12.5", "14.0", "15.0"))

_SPEED: Final = 15.0
"""Slow enough that no web session idles away (30 minutes of the lab) between two questions."""

_LISTING_S: Final = 0.6
"""Seconds after which a listing of services is not shared: of the lab; on the command line real."""

_RESTARTED_S: Final = 30.0
"""Seconds of the lab until a service that Control Center drives has come to rest for certain."""

_LAB: Final = """\
name = "interfaces"
release = "{release}"
mode = "mixed"

[accounts]
{accounts}

[timing]
session_start_s = 0.5
look_s = 0.1
regenerate_s = 1
ctl_update_s = 1
localkey_s = 1

[[nodes]]
name = "pub"
address = "127.0.0.{pub}"
publisher = true
services = ["callmanager", "tftp", "tvs", "capf"]

[[nodes]]
name = "sub1"
address = "127.0.0.{sub}"
services = ["callmanager", "tftp", "tvs"]

[[phones]]
count = 4
first = "SEP001122330001"
model = "Cisco 7841"
group = ["sub1", "pub"]
tftp = ["sub1", "pub"]
"""
_LITTLE: Final = """\
platform = { user = "operator", password = "lab-operator", privilege = 0 }
application = { user = "nobody", password = "lab-nobody", roles = [] }

[[accounts.others]]
user = "reader"
password = "lab-reader"
roles = ["Standard AXL Read Only API Access", "Standard CCM Server Monitoring"]
"""
"""Accounts that may do little."""

_READER: Final = Account("reader", Secret("lab-reader"))
_PHONES: Final = tuple(f"SEP00112233000{number}" for number in (1, 2, 3, 4))
_FIRST_ADDRESS: Final = 60
"""Each lab has two, because they run at the same time: 127.0.0.60 to 71."""


# ── what is tried ─────────────────────────────────────────────────────────────────────────


@attrs.frozen
class Subject:
    """A question or a command, and what tells it from others of its class."""

    what: Query | Command
    about: str = ""
    twice: bool = True

    def __str__(self) -> str:
        return f"`{type(self.what).__name__}` {self.about}".strip()


_NOTIFICATION: Final = Service.CERTIFICATE_CHANGE_NOTIFICATION
QUESTIONS: Final = (
    Subject(CertificateOf("sub1", CertUnit.TVS)),
    Subject(UnitsOn("sub1")),
    Subject(CertificateFile("sub1", CertUnit.TVS)),
    Subject(TrustStores("sub1")),
    Subject(DatabaseCertificates("sub1")),
    Subject(Replication()),
    Subject(TimeSync("sub1")),
    Subject(DiskUse("sub1")),
    Subject(CoreFiles("sub1")),
    Subject(BackupHistory()),
    Subject(BackupStatus()),
    Subject(ServiceOn("sub1", Service.TVS)),
    Subject(ServicesOn("sub1")),
    Subject(ServedList("sub1", ListKind.ITL), "ITL"),
    Subject(ServedList("sub1", ListKind.CTL), "CTL"),
    Subject(ServedList("sub1", ListKind.ITL, _PHONES[0]), "ITL of a phone"),
    Subject(ListFile("sub1", ListKind.ITL), "ITL"),
    Subject(ConfigurationSigner("sub1", _PHONES[0])),
    Subject(PresentedCertificate("sub1"), "8443, RSA"),
    Subject(PresentedCertificate("sub1", algorithm=KeyAlgorithm.EC), "8443, EC"),
    Subject(PresentedCertificate("sub1", 2445), "2445"),
    Subject(PresentedCertificate("sub1", 5061), "5061"),
    Subject(PresentedCertificate("pub", 3804), "3804"),
    Subject(Registrations(_PHONES[:2]), "of 2 phones"),
    Subject(Registrations(), "of all 4 phones"),
    Subject(Devices(DeviceClass.SIP_TRUNK), "SIP trunks"),
    Subject(RegistrationCounts("sub1")),
    Subject(TftpCounters("sub1")),
    Subject(Members()),
    Subject(VersionOf("sub1")),
    Subject(Parameter("ClusterSecurityMode")),
    Subject(Phones()),
    Subject(CallManagerGroups()),
    Subject(DevicePools()),
    Subject(Interfaces()),
)
COMMANDS: Final = (
    Subject(Regenerate("sub1", CertUnit.TVS), "TVS", twice=False),
    Subject(UpdateCtl("pub"), twice=False),
    Subject(ResetLocalkey("pub", ListKind.ITL), "ITL", twice=False),
    Subject(RestartService("sub1", Service.TVS), "TVS"),
    Subject(StopService("sub1", _NOTIFICATION), "Certificate Change Notification", twice=False),
    Subject(StartService("sub1", _NOTIFICATION), "Certificate Change Notification", twice=False),
    Subject(DeleteTrust("sub1", "tomcat-trust", "nobody.pem"), "of no such file", twice=False),
    Subject(ResetPhones("pub", _PHONES[:2]), "of 2 phones"),
)
OPENING: Final[Mapping[Interface, Query]] = {
    Interface.SSH: VersionOf("sub1"),
    Interface.AXL: VersionOf("pub"),
    Interface.CONTROL_CENTER: ServicesOn("sub1"),
    Interface.RISPORT: Registrations(_PHONES[:1]),
    Interface.PERFMON: RegistrationCounts("pub"),
    Interface.PLATFORM_REST: UnitsOn("sub1"),
    Interface.TFTP_HTTP: ServedList("sub1", ListKind.ITL),
    Interface.TLS: PresentedCertificate("sub1"),
}


def classes_left_out() -> set[str]:
    """The classes of questions and commands that nothing here tries; there must be none."""
    known = {*get_args(Query), *get_args(Command)} - {Reach, ReplyTo, ByHand, PhoneTrustList}
    return {kind.__name__ for kind in known - {type(s.what) for s in (*QUESTIONS, *COMMANDS)}}


@attrs.frozen
class Tried:
    """What came of it.

    Attributes:
        word: ``yes``, or what kind of obstacle there was.
        first: Requests when it was asked for the first time.
        again: Requests when it was asked again.
        reason: Why there was no answer.
        role: The role that was said to be missing.
    """

    word: str
    first: int
    again: int
    reason: str = ""
    role: str = ""

    def __str__(self) -> str:
        first = f" (first {self.first})" if self.first != self.again else ""
        return f"{self.word}, {self.again}{first}"


Key = tuple[Subject, Interface]


@attrs.frozen
class OfRelease:
    """All that was tried under one release."""

    opening: Mapping[Interface, Tried]
    tried: Mapping[Key, Tried]
    interfaces: Mapping[Interface, int]
    """Requests of a first look at which interfaces there are."""


@attrs.frozen
class WithoutRoles:
    """What accounts without roles were told."""

    told: Mapping[Key, Tried]
    instead: Mapping[Subject, Fact]
    reader: Mapping[Key, Tried]
    rest: RoleMissing
    """Changing something by a platform account that may only read."""
    whole: RoleMissing
    """One error as a person sees it."""


# ── trying ────────────────────────────────────────────────────────────────────────────────


@attrs.frozen
class _Ris:
    """RISPort70 alone, which a route has no transport of its own for."""

    route: Route

    def supports(self, what: Query | Command) -> bool:
        return isinstance(what, Registrations | Devices)

    async def observe(self, query: Query) -> Fact:
        return await self.route.observe(query)


class _Site:
    """A lab of one release with a route to it, asked by one interface at a time."""

    def __init__(self, inventory: Inventory, clock: ScaledClock) -> None:
        self._nodes = inventory.nodes
        self._clock = clock
        self._budgets = Budgets(clock)
        self.route = route_to(inventory, clock, budgets=self._budgets)

    async def learn(self, *, phones: Sequence[str] = _PHONES) -> None:
        """The pins, over SSH; and what discovery would have told."""
        for node in ("pub", "sub1"):
            for unit in (CertUnit.TOMCAT, CertUnit.TOMCAT_ECDSA):
                await self.route.observe(CertificateOf(node, unit))
        self.route.know(releases={}, callmanagers=("pub", "sub1"), phones=phones)

    def way(self, interface: Interface) -> Transport | _Ris:
        return _Ris(self.route) if interface is Interface.RISPORT else self.route.ways[interface]

    async def all_of(self, subjects: Iterable[Subject]) -> dict[Key, Tried]:
        """What comes of *subjects* over each interface that does such things at all."""
        found: dict[Key, Tried] = {}
        subjects = tuple(subjects)
        for interface in Interface:  # so that what one has stopped it starts again itself
            for subject in subjects:
                if self.way(interface).supports(subject.what):
                    found[subject, interface] = await self.tried(subject, interface)
        return found

    async def tried(self, subject: Subject, interface: Interface) -> Tried:
        first = await self._once(subject.what, interface)
        if not subject.twice:
            return first
        again = await self._once(subject.what, interface)
        return attrs.evolve(again, first=first.first)

    async def _once(self, what: Query | Command, interface: Interface) -> Tried:
        way = self.way(interface)
        if isinstance(what, ServiceOn | ServicesOn):
            is_real = interface is Interface.SSH
            await self._clock.sleep(_LISTING_S * (_SPEED if is_real else 1.0))
        before = self._budgets.spent
        if not isinstance(what, Command):
            fact = await way.observe(what)
            spent = self._since(before, interface)
            if isinstance(fact, Known):
                return Tried("yes", spent, spent)
            return Tried(fact.why.value, spent, spent, self._named(fact.reason), fact.role)
        assert not isinstance(way, _Ris)
        reply = await way.perform(what)
        spent = self._since(before, interface)
        driving = RestartService | StopService | StartService
        if isinstance(what, driving) and interface is Interface.CONTROL_CENTER:
            await self._clock.sleep(_RESTARTED_S)
        if reply.kind is ReplyKind.ACCEPTED:
            return Tried("yes", spent, spent)
        words = {ReplyKind.REFUSED: "refused", ReplyKind.LOST: "in doubt"}
        return Tried(words[reply.kind], spent, spent, self._named(reply.text))

    def _named(self, text: str) -> str:
        """*text* with nodes by name: their addresses are another one in each lab."""
        for node in self._nodes:
            text = text.replace(node.address, node.name)
        return text

    def _since(self, before: Mapping[Interface, int], interface: Interface) -> int:
        spent = Counter(self._budgets.spent) - Counter(before)
        assert set(spent) <= {interface}, f"{interface} alone was asked, and {spent} was sent"
        return spent[interface]

    @property
    def spent(self) -> Mapping[Interface, int]:
        return self._budgets.spent


@attrs.frozen
class _Lab:
    inventory: Inventory
    clock: ScaledClock

    @asynccontextmanager
    async def site(self, application: Account | None = None) -> AsyncIterator[_Site]:
        """Routes to it, as *application* or the account of the inventory."""
        account = application or self.inventory.application
        site = _Site(attrs.evolve(self.inventory, application=account), self.clock)
        try:
            yield site
        finally:
            await site.route.aclose()


@asynccontextmanager
async def _lab(release: Release, number: int, accounts: str = "") -> AsyncIterator[_Lab]:
    """The lab with *number*, of *release*."""
    pub = _FIRST_ADDRESS + 2 * number
    scenario = Scenario.loads(_LAB.format(release=release, pub=pub, sub=pub + 1, accounts=accounts))
    clock = ScaledClock(_SPEED)
    with tempfile.TemporaryDirectory() as folder:
        async with LabServers(scenario, clock=clock, folder=Path(folder)) as lab:
            yield _Lab(Inventory.load(lab.inventory), clock)


async def _try_release(release: Release, number: int) -> OfRelease:
    async with _lab(release, number) as lab:
        async with lab.site() as fresh:
            await fresh.route.observe(Interfaces())
            interfaces = fresh.spent
        async with lab.site() as site:
            await site.learn()
            opening = {
                interface: await site.tried(Subject(query), interface)
                for interface, query in OPENING.items()
            }
            tried = await site.all_of(QUESTIONS) | await site.all_of(COMMANDS)
            return OfRelease(opening, tried, interfaces)


async def _try_without_roles(release: Release, number: int) -> WithoutRoles:
    changing = ResetPhones | RestartService | StopService | StartService
    changes = [s for s in COMMANDS if isinstance(s.what, changing)]
    subjects = [attrs.evolve(subject, twice=False) for subject in (*QUESTIONS, *changes)]
    async with _lab(release, number, _LITTLE) as lab:
        async with lab.site() as nobody:
            await nobody.learn()
            told = {key: await nobody.tried(*key) for key in _of_application(subjects, nobody)}
            instead = {
                subject: await nobody.route.observe(subject.what)
                for subject in dict.fromkeys(subject for subject, _ in told)
                if not isinstance(subject.what, Command)
            }
            whole, rest = await _axl_error(nobody.route), await _rest_error(nobody.route)
        async with lab.site(_READER) as site:
            await site.learn()
            reader = {key: await site.tried(*key) for key in _of_application(subjects, site)}
    return WithoutRoles(told=told, instead=instead, reader=reader, rest=rest, whole=whole)


async def try_everything() -> tuple[dict[Release, OfRelease], WithoutRoles]:
    """All releases, and accounts that may do little under the last of them."""
    assert not (left_out := classes_left_out()), f"nothing tries {', '.join(left_out)}"
    without = asyncio.create_task(_try_without_roles(RELEASES[-1], len(RELEASES)))
    each = await asyncio.gather(*(_try_release(r, number) for number, r in enumerate(RELEASES)))
    return dict(zip(RELEASES, each, strict=True)), await without


def _of_application(subjects: Sequence[Subject], site: _Site) -> list[Key]:
    """What goes over the interfaces of the application account."""
    return [
        (subject, interface)
        for interface in (
            Interface.AXL,
            Interface.CONTROL_CENTER,
            Interface.RISPORT,
            Interface.PERFMON,
        )
        for subject in subjects
        if site.way(interface).supports(subject.what)
    ]


async def _axl_error(route: Route) -> RoleMissing:
    way = route.ways[Interface.AXL]
    assert isinstance(way, AxlTransport)
    try:
        await way.client.device_pools()
    except RoleMissing as error:
        return error
    raise AssertionError


async def _rest_error(route: Route) -> RoleMissing:
    way = route.ways[Interface.PLATFORM_REST]
    assert isinstance(way, PlatformRestTransport)
    try:
        await way.client("sub1").create_csr(CertUnit.TOMCAT, "sub1.lab.example")
    except RoleMissing as error:
        return error
    raise AssertionError


# ── many phones ───────────────────────────────────────────────────────────────────────────


@attrs.frozen
class Reads:
    """Requests to RISPort70 and to PerfMon of one look."""

    ris: int
    perfmon: int

    def __str__(self) -> str:
        return f"{self.ris} + {self.perfmon}"


@attrs.frozen
class ManyPhones:
    """What the registrations of so many phones on so many CallManagers cost, look after look.

    Attributes:
        whole: The first look.
        soon: Half a minute later; nothing has moved, here and in the next two.
        minute: A minute later.
        old: Ten minutes later.
        reset: Half a minute later, after a tenth of the phones was reset.
    """

    phones: int
    nodes: int
    whole: Reads
    soon: Reads
    minute: Reads
    old: Reads
    reset: Reads


def many_phones(phones: int, nodes: int) -> ManyPhones:
    """Count the requests of :class:`RegistrationWatch`, for which the cluster is not needed."""
    names = [f"SEP{number:012X}" for number in range(phones)]
    home = {name: f"node{number % nodes}" for number, name in enumerate(names)}
    counted = Counter(home.values())
    spent = Counter[Interface]()

    async def read(page: Sequence[str]) -> Mapping[str, Registration]:
        spent[Interface.RISPORT] += 1
        return {name: Registration(name, registered=True, node=home[name]) for name in page}

    async def count() -> Mapping[str, int | None]:
        spent[Interface.PERFMON] += nodes  # one question to each, as the route asks them
        return dict(counted)

    async def story() -> ManyPhones:
        clock = VirtualClock()
        watch = RegistrationWatch(read, count, clock, page=1000)
        watch.names = names

        async def look(after_s: float = 0.0) -> Reads:
            await clock.sleep(after_s)
            spent.clear()
            await watch.all()
            return Reads(spent[Interface.RISPORT], spent[Interface.PERFMON])

        whole, soon, minute, old = [await look(after_s) for after_s in (0, 30, 60, 600)]
        watch.expect_news(names[: phones // 10])
        return ManyPhones(phones, nodes, whole, soon, minute, old, await look(30))

    return run_virtual(story)
