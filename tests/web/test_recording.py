"""Requests and responses, recorded with their secrets taken out, and replayed in any chunks."""

from __future__ import annotations

import asyncio
import base64
import itertools
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

import attrs
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cucm_certflow.clock import Clock, ScaledClock
from cucm_certflow.errors import IdentityNotTrusted, NodeUnreachable, Report, UnknownLayout
from cucm_certflow.facts import (
    CallManagerGroups,
    CertificateOf,
    Fact,
    Known,
    Members,
    Parameter,
    Phones,
    Query,
    ServedList,
    ServicesOn,
    UnitsOn,
    Unknown,
    VersionOf,
)
from cucm_certflow.inventory import Account, Inventory, NodeEntry
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.lab.servers import LabServers
from cucm_certflow.names import CertUnit, Interface, ListKind
from cucm_certflow.secret import Secret
from cucm_certflow.testing.virtual import EPOCH, VirtualClock, run_virtual
from cucm_certflow.transports.access import Access, Wire
from cucm_certflow.transports.axl import AxlTransport
from cucm_certflow.transports.base import Transport
from cucm_certflow.transports.breaker import Breaker
from cucm_certflow.transports.budget import Budgets
from cucm_certflow.transports.http import HttpChannel, Login, NotSent
from cucm_certflow.transports.pins import Pins
from cucm_certflow.transports.record import (
    Recorder,
    Recording,
    ReplayShells,
    ReplayWire,
    open_recording,
)
from cucm_certflow.transports.record.document import Entry, Layer
from cucm_certflow.transports.record.scrub import Scrubber
from cucm_certflow.transports.trustfiles import TrustFileTransport
from cucm_certflow.transports.vos.session import ShellHook
from cucm_certflow.transports.vos.ssh import VosTransport
from tests.lab.small import SMALL
from tests.vos.test_recording import ENCODINGS, SECRETS

PASSWORD = 'Sehr-geh"eim/1'
COOKIE = "0123456789ABCDEF0123"
INVENTORY = Inventory(
    nodes=(NodeEntry(name="cucm-pub", address="127.0.0.1"),),
    platform=Account("admin", Secret("Auch-geheim+2")),
    application=Account("axluser", Secret(PASSWORD)),
)
Answer = Callable[[httpx.Request], httpx.Response]


class Chunks(httpx.AsyncByteStream):
    """A body as it comes, which may break off."""

    def __init__(self, chunks: list[bytes], error: Exception | None = None) -> None:
        self._chunks = chunks
        self._error = error

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk
        if self._error is not None:
            raise self._error


class Instead:
    """Records a transport instead of the network."""

    def __init__(self, recorder: Recorder, transport: httpx.AsyncBaseTransport) -> None:
        self._recorder = recorder
        self._transport = transport

    def __call__(
        self, node: NodeEntry, network: httpx.AsyncBaseTransport
    ) -> httpx.AsyncBaseTransport:
        return self._recorder.wire(node, self._transport)


def access(inventory: Inventory, wire: Wire, clock: Clock | None = None) -> Access:
    clock = clock or VirtualClock()
    return Access(
        inventory=inventory,
        clock=clock,
        pins=Pins(),
        breaker=Breaker(),
        budgets=Budgets(clock),
        wire=wire,
    )


def channel(over: Access) -> HttpChannel:
    return HttpChannel(
        over.inventory.publisher,
        "/axl/",
        Login(over.inventory.application, over.breaker),
        access=over,
        interface=Interface.AXL,
        role="Standard AXL API Access",
    )


def recorded(
    path: Path,
    answer: Answer,
    about: Callable[[HttpChannel], Awaitable[list[object]]],
    *,
    inventory: Inventory = INVENTORY,
    pseudonyms: bool = False,
) -> list[object]:
    async def story() -> list[object]:
        recorder = open_recording(path, inventory, VirtualClock(), pseudonyms=pseudonyms)
        wire = Instead(recorder, httpx.MockTransport(answer))
        found = await about(channel(access(inventory, wire)))
        recorder.close()
        return found

    return run_virtual(story)


def replayed(
    path: Path,
    about: Callable[[HttpChannel], Awaitable[list[object]]],
    *,
    chunk_bytes: int | None = None,
    inventory: Inventory | None = None,
) -> list[object]:
    async def story() -> list[object]:
        recording = Recording.load(path)
        scrubber = None if inventory is None else Scrubber(inventory)
        wire = ReplayWire(recording, chunk_bytes=chunk_bytes, scrubber=scrubber)
        return await about(channel(access(inventory or recording.inventory(), wire)))

    return run_virtual(story)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cluster.jsonl"


# ── no secret ─────────────────────────────────────────────────────────────────────────────


def _with_session(request: httpx.Request) -> httpx.Response:
    if "Authorization" in request.headers:
        headers = [
            ("Set-Cookie", f"JSESSIONIDSSO={COOKIE}; Path=/; Secure; HttpOnly"),
            ("X-Echo", request.headers["Authorization"]),
        ]
        return httpx.Response(200, headers=headers, content=b"with a login")
    assert f"JSESSIONIDSSO={COOKIE}" in request.headers["Cookie"]
    return httpx.Response(200, content=f"with the session {COOKIE}".encode())


async def _three(over: HttpChannel) -> list[object]:
    answers = [await over.send("POST", did="it", content=b"%d" % number) for number in range(3)]
    await over.aclose()
    return [answer.data for answer in answers]


def requests(path: Path) -> list[Entry]:
    return [entry for entry in Recording.load(path).of(Layer.HTTP) if entry.kind == "request"]


def test_passwords_logins_and_sessions_are_taken_out_and_the_session_is_replayed(
    path: Path,
) -> None:
    found = recorded(path, _with_session, _three)
    text = path.read_bytes()
    basic = base64.b64encode(f"axluser:{PASSWORD}".encode())
    for secret in (PASSWORD.encode(), basic, COOKIE.encode()):
        assert secret not in text
    headers = [str(entry.content["headers"]).lower() for entry in requests(path)]
    assert "['authorization', 'basic <redacted>']" in headers[0]
    assert "['cookie', 'jsessionidsso=redacted']" in headers[1]
    assert "authorization" not in headers[1]
    assert found == [b"with a login", *[f"with the session {COOKIE}".encode()] * 2]
    expected = [b"with a login", *[b"with the session <redacted>"] * 2]
    for chunk_bytes in (1, 7, 4096, None):
        assert replayed(path, _three, chunk_bytes=chunk_bytes) == expected


@settings(max_examples=100, deadline=None)
@given(
    secret=SECRETS,
    name=st.sampled_from(sorted(ENCODINGS)),
    before=st.binary(max_size=20),
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=4),
    chunk_bytes=st.sampled_from([1, 7, 4096, None]),
)
def test_no_recording_of_http_has_the_secret_and_its_replay_says_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    secret: str,
    name: str,
    before: bytes,
    sizes: list[int],
    chunk_bytes: int | None,
) -> None:
    path = tmp_path_factory.mktemp("http") / "cluster.jsonl"
    inventory = attrs.evolve(INVENTORY, application=Account("axluser", Secret(secret)))
    form = ENCODINGS[name](secret).encode()
    body = before + b" it is " + form + b" or so"
    cuts = list(itertools.accumulate(itertools.islice(itertools.cycle(sizes), len(body))))
    chunks = [body[a:b] for a, b in itertools.pairwise([0, *cuts])]

    async def once(over: HttpChannel) -> list[object]:
        answer = await over.send("POST", did="it", content=form, target="?x=1")
        await over.aclose()
        return [answer.data]

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.content == form
        return httpx.Response(200, stream=Chunks(chunks))

    assert recorded(path, answer, once, inventory=inventory) == [body]
    written = path.read_bytes()
    for encode in ENCODINGS.values():
        assert encode(secret).encode().strip(b"=") not in written
    again = replayed(path, once, chunk_bytes=chunk_bytes, inventory=inventory)
    assert again == [Scrubber(inventory).data(body)]
    assert isinstance(again[0], bytes)
    assert form.strip(b"=") not in again[0]


# ── the same again ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        (httpx.ConnectError("nobody there"), NotSent),
        (httpx.ReadTimeout("too late"), NodeUnreachable),
        (httpx.RemoteProtocolError("odd"), NodeUnreachable),
        (OSError("gone"), NodeUnreachable),
        (IdentityNotTrusted(Report(headline="somebody else")), IdentityNotTrusted),
    ],
    ids=["connect", "timeout", "protocol", "os", "identity"],
)
def test_what_broke_a_request_breaks_it_again(
    path: Path, broken: Exception, expected: type[Exception]
) -> None:
    async def once(over: HttpChannel) -> list[object]:
        with pytest.raises(expected) as raised:
            await over.send("GET", did="it")
        await over.aclose()
        return [type(raised.value)]

    def answer(request: httpx.Request) -> httpx.Response:
        raise broken

    assert recorded(path, answer, once) == [expected]
    assert replayed(path, once) == [expected]


def test_a_body_that_broke_off_breaks_off_again(path: Path) -> None:
    async def once(over: HttpChannel) -> list[object]:
        with pytest.raises(NodeUnreachable) as raised:
            await over.send("GET", did="it")
        await over.aclose()
        return [raised.value.report]

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=Chunks([b"half of"], httpx.ReadError("broke")))

    found = recorded(path, answer, once)
    (response,) = [e for e in Recording.load(path).of(Layer.HTTP) if e.kind == "response"]
    assert response.content["whole"] is False
    assert response.content["chunks"] == [7]
    assert replayed(path, once, chunk_bytes=2) == found


def test_a_request_that_was_given_up_is_given_up_again(path: Path) -> None:
    async def once(over: HttpChannel) -> list[object]:
        with pytest.raises(NodeUnreachable) as raised:
            await over.send("GET", did="it")
        await over.aclose()
        return [raised.value.report.left]

    async def story() -> list[object]:
        class Silent(httpx.AsyncBaseTransport):
            async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
                await asyncio.Event().wait()
                raise AssertionError

        recorder = open_recording(path, INVENTORY, VirtualClock())
        found = await once(channel(access(INVENTORY, Instead(recorder, Silent()))))
        recorder.close()
        return found

    assert run_virtual(story) == ["it may have arrived"]
    assert replayed(path, once) == ["it may have arrived"]


def test_an_answer_that_is_too_large_is_written_as_far_as_it_was_read(path: Path) -> None:
    async def once(over: HttpChannel) -> list[object]:
        with pytest.raises(UnknownLayout):
            await over.send("GET", did="it")
        await over.aclose()
        return []

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=Chunks([b"x"] * 9))

    recorded(path, answer, once)
    (response,) = [e for e in Recording.load(path).of(Layer.HTTP) if e.kind == "response"]
    assert response.content["whole"] is False


def test_a_request_that_is_not_in_the_recording_is_not_sent(path: Path) -> None:
    async def another(over: HttpChannel) -> list[object]:
        await over.send("POST", did="it", content=b"0")
        for method, content in (("POST", b"9"), ("GET", b"1"), ("POST", b"0")):
            with pytest.raises(NotSent, match="in the recording"):
                await over.send(method, did="it", content=content)
        await over.aclose()
        return []

    recorded(path, _with_session, _three)
    replayed(path, another)


def test_equal_requests_are_answered_in_order(path: Path) -> None:
    count = itertools.count()

    async def same(over: HttpChannel) -> list[object]:
        found = [(await over.send("GET", did="it")).data for _ in range(4)]
        await over.aclose()
        return list(found)

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=b"%d" % next(count))

    assert recorded(path, answer, same) == [b"0", b"1", b"2", b"3"] == replayed(path, same)


def test_with_pseudonyms_the_order_of_names_in_a_request_does_not_count(path: Path) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        names = "".join(f"<name>{name}</name>" for name in ("SEP0000000000AB", "SEP0000000000AA"))
        return httpx.Response(200, content=names.encode() + request.content)

    async def listed(over: HttpChannel) -> list[object]:
        first = (await over.send("POST", did="it", content=b"all")).data.decode()
        names = sorted(re.findall("SEP[0-9A-F]{12}", first))
        second = await over.send("POST", did="it", content=" ".join(names).encode())
        await over.aclose()
        return [len(names), len(second.data)]

    found = recorded(path, answer, listed, pseudonyms=True)
    assert b"SEP0000000000A" not in path.read_bytes()
    assert b"cucm-pub" not in path.read_bytes()
    assert replayed(path, listed) == found


# ── a whole lab ───────────────────────────────────────────────────────────────────────────


def _looks(pub: str, sub: str) -> tuple[Query, ...]:
    nodes = (pub, sub)
    return (
        *(CertificateOf(node, CertUnit.TOMCAT) for node in nodes),  # the pins of what comes next
        Members(),
        *(VersionOf(node) for node in nodes),
        *(ServicesOn(node) for node in nodes),
        *(UnitsOn(node) for node in nodes),
        *(CertificateOf(node, unit) for node in nodes for unit in CertUnit),
        Phones(),
        CallManagerGroups(),
        Parameter("ClusterSecurityMode"),
        *(ServedList(node, kind) for node in nodes for kind in ListKind),
    )


async def _looked(
    inventory: Inventory, wire: Wire, hook: Callable[[str], ShellHook], clock: Clock
) -> list[Fact]:
    over = access(inventory, wire, clock)
    shells = {
        entry.name: VosTransport(
            entry,
            inventory.platform,
            clock=clock,
            breaker=over.breaker,
            known_hosts=inventory.known_hosts,
            quiet_s=inventory.quiet_s,
            hook=hook(entry.name),
        )
        for entry in inventory.nodes
    }
    every: tuple[Transport, ...] = (*shells.values(), AxlTransport(over), TrustFileTransport(over))
    found: list[Fact] = []
    looks = _looks(*(entry.name for entry in inventory.nodes[:2]))
    for query in looks:
        ways = [way for way in every if way.supports(query)]
        for way in ways[-2:]:
            fact = await way.observe(query)
            if (
                isinstance(query, CertificateOf)
                and query.unit is CertUnit.TOMCAT
                and isinstance(fact, Known)
            ):
                over.pins.learn(query.node, fact.value.fingerprint)
            found.append(fact)
    for way in every:
        await way.aclose()
    return [attrs.evolve(fact, at=EPOCH) for fact in found]


def _shape(fact: Fact) -> object:
    """What stays of *fact* when names are replaced."""
    if isinstance(fact, Unknown):
        return fact.why
    is_many = isinstance(fact.value, tuple | Mapping)
    return type(fact.value), len(fact.value) if is_many else None


@pytest.mark.slow
def test_a_whole_lab_recorded_byte_by_byte_gives_the_same_facts_without_it(tmp_path: Path) -> None:
    path, named = tmp_path / "cluster.jsonl", tmp_path / "named.jsonl"

    async def record() -> tuple[Inventory, list[Fact], list[Fact]]:
        told, clock = Scenario.loads(SMALL.replace("127.0.0.", "127.0.73.")), ScaledClock(30)
        async with LabServers(told, clock=clock, folder=tmp_path / "lab") as lab:
            inventory = Inventory.load(lab.inventory)
            found = await looked(path, inventory, clock)
            other = await looked(named, inventory, clock, pseudonyms=True)
            return inventory, found, other

    async def looked(
        target: Path, inventory: Inventory, clock: Clock, *, pseudonyms: bool = False
    ) -> list[Fact]:
        recorder = open_recording(target, inventory, clock, pseudonyms=pseudonyms)
        found = await _looked(inventory, recorder.wire, recorder.shell, clock)
        recorder.close()
        return found

    def again(target: Path, chunk_bytes: int) -> list[Fact]:
        recording = Recording.load(target)
        return run_virtual(
            _looked(
                attrs.evolve(recording.inventory(), quiet_s=inventory.quiet_s),
                ReplayWire(recording, chunk_bytes=chunk_bytes),
                lambda node: ReplayShells(recording, node, chunk_bytes=chunk_bytes),
                VirtualClock(),
            )
        )

    inventory, found, other = asyncio.run(record())
    assert sum(isinstance(fact, Known) for fact in found) > 25, found
    written = path.read_bytes() + named.read_bytes()
    for account in (inventory.platform, inventory.application):
        assert account.password.reveal().encode() not in written
    for chunk_bytes in (1, 7, 4096):
        assert again(path, chunk_bytes) == found, chunk_bytes
        assert list(map(_shape, again(named, chunk_bytes))) == list(map(_shape, other))
    for name in (b"127.0.73.", b"SEP0011"):
        assert name in path.read_bytes()
        assert name not in named.read_bytes()
