"""Every kind of fault over real sockets, and that the library's own transports meet it typed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import asyncssh
import pytest

from cucm_certflow.commands import Regenerate, ReplyKind, ResetPhones, RestartService
from cucm_certflow.errors import AuthenticationFailed, IdentityNotTrusted, RateLimited
from cucm_certflow.facts import (
    CertificateOf,
    Known,
    Phones,
    PresentedCertificate,
    ServedList,
    Unknown,
    Why,
)
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.lab.scenario_faults import FaultKind
from cucm_certflow.lab.servers.database import Database
from cucm_certflow.lab.servers.ssh import SshDoor
from cucm_certflow.lab.servers.tftp import TftpDoor
from cucm_certflow.lab.servers.tls_ports import doors_of
from cucm_certflow.lab.servers.vos_cli import Desk
from cucm_certflow.names import CertUnit, Interface, ListKind, Service
from cucm_certflow.transports.axl import AxlTransport
from cucm_certflow.transports.ris import RisClient
from cucm_certflow.transports.tls import TlsTransport
from cucm_certflow.transports.trustfiles import TrustFileTransport
from tests.lab.small import PHONE, SECURE
from tests.lab.wires import SPEED, TOLD, Night, access_to, fault, over_https, over_ssh, why

pytestmark = pytest.mark.asyncio

SHOWN = CertificateOf("pub", CertUnit.TVS)
REGENERATE = Regenerate("pub", CertUnit.TVS)
ITL = ServedList("sub", ListKind.ITL)
UNREACHABLE, UNREADABLE, BUSY, FAULT = (
    Why.UNREACHABLE,
    Why.UNREADABLE,
    Why.BUSY,
    Why.FAULT,
)


@pytest.fixture(scope="module")
def night() -> Iterator[Night]:
    made = Night()
    yield made
    made.papers.close()


# ── SSH ───────────────────────────────────────────────────────────────────────────────────


SSH_LOOKS = {
    "lost reply": (UNREACHABLE, None),
    "lost command": (UNREACHABLE, None),
    "late": (UNREACHABLE, None),
    "unknown layout": (UNREADABLE, None),
    "refused": (FAULT, None),
    "reset before": (UNREACHABLE, None),
    "reset during": (UNREACHABLE, None),
    "reset after": (UNREACHABLE, None),
    "truncated": (UNREACHABLE, None),
    "no prompt": (UNREACHABLE, None),
    "connection refused": (UNREACHABLE, UNREACHABLE),
    "slow start": (UNREACHABLE, UNREACHABLE),
    "password expired": (UNREACHABLE, AuthenticationFailed),
    "host key changed": (UNREACHABLE, IdentityNotTrusted),
}


def strikes(kind: FaultKind, interface: Interface) -> bool:
    return not kind.interfaces or interface in kind.interfaces


async def test_every_kind_that_strikes_ssh_is_in_that_table() -> None:
    kinds = {kind.value for kind in FaultKind if strikes(kind, Interface.SSH)}
    assert set(SSH_LOOKS) == kinds - {"tls swapped"}


@pytest.mark.parametrize("kind", SSH_LOOKS)
async def test_a_look_over_ssh_meets_a_typed_obstacle(kind: str, night: Night) -> None:
    first, second = SSH_LOOKS[kind]
    long = "late_s = 2000\nfor_s = 100000"
    async with over_ssh(night, fault(kind, "show cert own", long)) as (_, __, way):
        assert await why(way, SHOWN) is first
        assert await why(way, SHOWN) is second


@pytest.mark.parametrize(
    ("kind", "reply_is", "done"),
    [
        ("lost reply", ReplyKind.LOST, True),
        ("unknown layout", ReplyKind.LOST, True),
        ("refused", ReplyKind.REFUSED, False),
        ("reset before", ReplyKind.LOST, False),
        ("reset during", ReplyKind.LOST, True),
        ("reset after", ReplyKind.LOST, True),
        ("truncated", ReplyKind.LOST, True),
        ("no prompt", ReplyKind.LOST, True),
        ("connection refused", ReplyKind.LOST, False),
        ("slow start", ReplyKind.LOST, False),
        ("password expired", ReplyKind.LOST, False),
        ("host key changed", ReplyKind.LOST, False),
    ],
)
async def test_a_command_over_ssh_is_lost_and_was_done_or_not(
    kind: str, reply_is: ReplyKind, done: bool, night: Night
) -> None:
    async with over_ssh(night, fault(kind, "set cert regen TVS")) as (desk, _, way):
        reply = await way.perform(REGENERATE)
        assert (reply.kind, reply.sent) == (reply_is, True)
        await night.clock.sleep(30)
        assert desk.cluster.certificate("pub", CertUnit.TVS).generation == 1 + done


async def test_a_refused_connection_over_ssh_sends_nothing_and_is_over_in_time(
    night: Night,
) -> None:
    more = fault("connection refused", "show cert own", "for_s = 200")
    async with over_ssh(night, more) as (desk, door, way):
        assert await why(way, SHOWN) is UNREACHABLE
        reply = await way.perform(REGENERATE)
        assert (reply.kind, reply.sent) == (ReplyKind.REFUSED, False)
        await night.clock.sleep(250)
        await door.follow()
        assert (await way.perform(REGENERATE)).kind is ReplyKind.ACCEPTED
        assert len(desk.cluster.log) == 1


@pytest.mark.parametrize("release", ["11.5", "15.0"])
async def test_an_expired_password_is_told_and_does_not_lock_the_account(
    release: str, night: Night
) -> None:
    told = TOLD.replace("11.5.1.12900-21", release)
    more = fault("password expired", "show cert own")
    cluster = LabCluster(Scenario.loads(told + more), night.clock)
    desk = Desk(cluster=cluster, clock=night.clock, papers=night.papers, database=Database(cluster))
    cluster.faults.strike("pub", "show cert own TVS")
    door = SshDoor(desk, "pub", night.key)
    await door.open()
    given = cluster.scenario.accounts.platform
    try:
        with pytest.raises((asyncssh.PermissionDenied, asyncssh.PasswordChangeRequired)):
            await asyncssh.connect(
                door.address,
                door.port,
                known_hosts=None,
                config=None,
                client_keys=None,
                username=given.user,
                password=given.password,
            )
        assert not door.account.is_locked
    finally:
        await door.close()
        desk.database.close()


async def test_a_session_does_not_outlast_a_reboot_of_its_node(night: Night) -> None:
    reboot = """
        [[events]]
        kind = "node reboots"
        command = "set cert regen"
        node = "pub"
        after_s = 1
        for_s = 300
    """
    async with over_ssh(night, reboot) as (_, door, way):
        sending = asyncio.create_task(way.perform(REGENERATE))
        async with asyncio.timeout(10):
            while door.is_open:
                await door.follow()
                await asyncio.sleep(0.005)
        assert (await sending).kind is ReplyKind.LOST
        assert await why(way, SHOWN) is UNREACHABLE
        await night.clock.sleep(310)
        await door.follow()
        assert await why(way, SHOWN) is None


async def test_a_restart_that_hangs_is_not_said_to_be_done(night: Night) -> None:
    stuck = """
        [[events]]
        kind = "service stuck"
        command = "utils service restart"
        node = "pub"
        service = "tftp"
    """
    async with over_ssh(night, stuck) as (_, __, way):
        reply = await way.perform(RestartService("pub", Service.TFTP))
        assert reply.kind is ReplyKind.LOST
        assert "[STARTING]" in reply.text
        assert "[STARTED]" not in reply.text


# ── HTTPS ─────────────────────────────────────────────────────────────────────────────────


AXL_LOOKS = {
    "lost reply": (UNREACHABLE, None),
    "lost command": (UNREACHABLE, None),
    "late": (UNREACHABLE, None),
    "unknown layout": (UNREADABLE, None),
    "refused": (FAULT, None),
    "reset before": (UNREACHABLE, None),
    "reset during": (UNREACHABLE, None),
    "reset after": (UNREACHABLE, None),
    "truncated": (UNREADABLE, None),
    "no prompt": (UNREACHABLE, None),
    "connection refused": (UNREACHABLE, UNREACHABLE),
    "slow start": (UNREACHABLE, UNREACHABLE),  # tests/lab/test_slow_handshake.py
    "password expired": (AuthenticationFailed, AuthenticationFailed),
    "tls swapped": (UNREACHABLE, IdentityNotTrusted),
    "missing session": (UNREACHABLE, None),
    "not found": (UNREACHABLE, None),
    "throttled": (BUSY, None),
    "status 599": (FAULT, None),
    "soap fault": (FAULT, None),
    "out of memory": (BUSY, None),
    "redirect elsewhere": (FAULT, None),
    "html": (UNREADABLE, None),
    "huge": (UNREADABLE, None),
    "nil node name": (UNREADABLE, None),
    "wrong boolean": (None, None),
}


async def test_every_kind_that_strikes_axl_is_in_that_table() -> None:
    kinds = {kind.value for kind in FaultKind if strikes(kind, Interface.AXL)}
    assert set(AXL_LOOKS) == kinds


@pytest.mark.parametrize("kind", [kind for kind in AXL_LOOKS if kind != "slow start"])
async def test_a_look_over_https_meets_a_typed_obstacle(kind: str, night: Night) -> None:
    first, second = AXL_LOOKS[kind]
    # Whatever AXL is asked first; the client asks again by itself where that is harmless.
    long = "late_s = 2000\nfor_s = 100000\ntimes = 2"
    async with over_https(night, fault(kind, "executeSQLQuery", long)) as (_, __, access):
        way = AxlTransport(access, busy_pause_s=0)
        assert await why(way, Phones()) is first
        if second is not None:
            assert await why(way, Phones()) is second
        await way.aclose()


@pytest.mark.parametrize(
    ("kind", "reply_is", "resets"),
    [
        ("reset before", ReplyKind.LOST, 0),
        ("reset during", ReplyKind.LOST, 1),
        ("reset after", ReplyKind.LOST, 1),
        ("no prompt", ReplyKind.LOST, 1),
        ("truncated", ReplyKind.LOST, 1),
        ("connection refused", ReplyKind.LOST, 0),
        ("slow start", ReplyKind.LOST, 0),
        ("tls swapped", ReplyKind.LOST, 0),
        ("status 599", ReplyKind.REFUSED, 0),
        ("not found", ReplyKind.REFUSED, 0),
    ],
)
async def test_a_reset_over_https_is_lost_or_refused(
    kind: str, reply_is: ReplyKind, resets: int, night: Night
) -> None:
    # A session that is over is 404, too: the client logs in and asks once more.
    more = "times = 2" if kind == "not found" else ""
    async with over_https(night, fault(kind, "doDeviceReset", more)) as (desk, _, access):
        way = AxlTransport(access)
        reply = await way.perform(ResetPhones("pub", (PHONE, SECURE)))
        assert reply.kind is reply_is
        assert len(desk.cluster.log) == resets
        await way.aclose()


async def test_a_slow_port_serves_who_waits(night: Night) -> None:
    slow = fault("slow start", "executeSQLQuery", "late_s = 100\nfor_s = 100000")
    async with over_https(night, slow) as (_, __, access):
        way = AxlTransport(access)
        assert await why(way, Phones()) is UNREACHABLE
        begin = asyncio.get_running_loop().time()
        assert await why(way, Phones()) is None
        assert asyncio.get_running_loop().time() - begin >= 100 / SPEED
        await way.aclose()


async def test_a_swapped_certificate_is_over_in_time(night: Night) -> None:
    swapped = fault("tls swapped", "executeSQLQuery", "for_s = 400")
    async with over_https(night, swapped) as (_, door, access):
        way, looks = AxlTransport(access), TlsTransport(access)
        assert await why(way, Phones()) is UNREACHABLE
        fact = await looks.observe(PresentedCertificate("pub"))
        assert isinstance(fact, Known)
        assert fact.value not in access.pins.allowed("pub")
        await night.clock.sleep(450)
        await door.follow()
        assert await why(way, Phones()) is None
        await way.aclose()


async def test_the_rate_fault_of_ris_is_busy(night: Night) -> None:
    async with over_https(night, fault("rate limited", "selectCmDeviceExt", "times = 3")) as (
        _,
        __,
        access,
    ):
        client = RisClient(access.inventory.publisher, access, back_off_s=0)
        with pytest.raises(RateLimited):
            await client.registrations((PHONE,))
        await client.aclose()


# ── HTTP 6970 and the other TLS ports ─────────────────────────────────────────────────────

TFTP_LOOKS = {
    "lost reply": UNREACHABLE,
    "lost command": UNREACHABLE,
    "late": UNREACHABLE,
    "unknown layout": UNREADABLE,
    "refused": None,
    "reset before": UNREACHABLE,
    "reset during": UNREACHABLE,
    "reset after": UNREACHABLE,
    "truncated": UNREADABLE,
    "no prompt": UNREACHABLE,
    "connection refused": UNREACHABLE,
    "slow start": UNREACHABLE,
    "not found": None,
    "throttled": BUSY,
    "status 599": FAULT,
    "html": UNREADABLE,
    "huge": UNREADABLE,
}


async def test_every_kind_that_strikes_6970_is_in_that_table() -> None:
    kinds = {kind.value for kind in FaultKind if strikes(kind, Interface.TFTP_HTTP)}
    assert set(TFTP_LOOKS) == kinds


@pytest.mark.parametrize("kind", TFTP_LOOKS)
async def test_a_look_over_6970_meets_a_typed_obstacle(kind: str, night: Night) -> None:
    long = "late_s = 2000\nfor_s = 100000\ntimes = 4"
    desk = night.desk(fault(kind, "http 6970", long))
    door = TftpDoor(desk, "sub")
    await door.follow()
    way = TrustFileTransport(access_to(desk, night.clock))
    try:
        assert await why(way, ITL) is TFTP_LOOKS[kind]
        if kind in ("connection refused", "slow start"):
            assert await why(way, ITL) is UNREACHABLE
        else:
            await asyncio.gather(*(way.observe(ITL) for _ in range(3)))
            assert await why(way, ITL) is None
    finally:
        await way.aclose()
        await door.close()
        desk.database.close()


@pytest.mark.parametrize(
    ("kind", "seen"), [("connection refused", UNREACHABLE), ("tls swapped", None)]
)
async def test_a_tls_port_meets_what_strikes_connections(
    kind: str, seen: Why | None, night: Night
) -> None:
    desk = night.desk(fault(kind, "tls 2445", 'node = "sub"\nfor_s = 400'))
    (door,) = (d for d in doors_of(desk) if d.port.number == 2445 and d.address.endswith("12"))
    await door.follow()
    way, look = TlsTransport(access_to(desk, night.clock)), PresentedCertificate("sub", 2445)
    try:
        before = await way.observe(look)
        assert isinstance(before, Known)
        async with asyncio.timeout(10):
            while not desk.cluster.exchanges:
                await asyncio.sleep(0.01)
        await door.follow()
        fact = await way.observe(look)
        assert (fact.why if isinstance(fact, Unknown) else None) is seen
        assert not isinstance(fact, Known) or fact.value != before.value
        await night.clock.sleep(450)
        await door.follow()
        fact = await way.observe(look)
        assert isinstance(fact, Known)
        assert fact.value == before.value
    finally:
        await door.close()
        desk.database.close()
