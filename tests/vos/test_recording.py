"""Shells, recorded with their secrets taken out, and replayed in pieces of any size."""

from __future__ import annotations

import asyncio
import base64
import html
import itertools
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import quote, quote_plus

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cucm_certflow.clock import SystemClock
from cucm_certflow.commands import Regenerate, Reply, ReplyKind, RestartService
from cucm_certflow.errors import AuthenticationFailed, NodeUnreachable
from cucm_certflow.facts import CertificateOf, Fact, Known, ServiceOn, Unknown
from cucm_certflow.inventory import Account, Inventory, NodeEntry
from cucm_certflow.names import CertUnit, ListKind, Service
from cucm_certflow.secret import Secret
from cucm_certflow.testing.virtual import VirtualClock, run_virtual
from cucm_certflow.transports.breaker import Breaker
from cucm_certflow.transports.record import Recorder, Recording, ReplayShells, open_recording
from cucm_certflow.transports.record.document import Layer
from cucm_certflow.transports.record.scrub import REDACTED, Scrubber, Stream
from cucm_certflow.transports.vos.dialogue import Dialogue, Finished
from cucm_certflow.transports.vos.session import Ear, NotFinished, Session, Shell, Wire
from cucm_certflow.transports.vos.ssh import VosTransport
from tests.vos.node import PASSWORD, HangUp, Node, running
from tests.vos.node import Shell as Screen
from tests.vos.talk import printed

VERSION = "Active Master Version: 15.0.1.12900-234\nNo Installed Software Options Found.\n"
SERVICES = "Cisco Tftp[STARTED]\nCisco Tomcat[STARTED]\nPrimary Node =true\n"
INVENTORY = Inventory(
    nodes=(NodeEntry(name="pub", address="127.0.0.1"),),
    platform=Account("admin", Secret(PASSWORD)),
    application=Account("axluser", Secret("Auch-geheim+2")),
)
RESTART = RestartService("pub", Service.TFTP)


async def _restart(screen: Screen) -> None:
    screen.say("Do not press Ctrl+C while the service is restarting.\nCisco Tftp[STOPPING]  ")
    for state in ("STOPPED", "STARTING", "STARTED"):
        await asyncio.sleep(0.02)
        screen.say(f"\nCisco Tftp[{state}]")
    screen.say("\n")


async def _regenerate(screen: Screen) -> None:
    answer = await screen.ask("Proceed with regeneration (yes|no)? ")
    assert answer == "yes"
    screen.say("Successfully Regenerated Certificate for TVS.\n\nYou must restart\n")


def node() -> Node:
    return Node(
        {
            "show version active": VERSION,
            "show network cluster": printed("show-network-cluster-cucm-15-single") + "\n",
            "show cert own tomcat": printed("show-cert-own-rsa-full") + "\n",
            "show ctl": printed("show-ctl-not-found") + "\n",
            "show itl": f"The password is {PASSWORD}, they say\nExecuted command unsuccessfully\n",
            "utils service list": SERVICES,
            "utils service restart Cisco Tftp": _restart,
            "set cert regen TVS": _regenerate,
        }
    )


Found = list[Fact | Reply | object]


async def _series(vos: VosTransport) -> Found:
    found: Found = [
        await vos.version(),
        await vos.network_cluster(),
        await vos.observe(CertificateOf("pub", CertUnit.TOMCAT)),
        await vos.observe(CertificateOf("pub", CertUnit.TVS)),
        await vos.trust_file(ListKind.CTL),
        await vos.perform(Regenerate("pub", CertUnit.TVS)),
        await vos.perform(RESTART),
        await vos.observe(ServiceOn("pub", Service.TOMCAT)),
        await vos.observe(ServiceOn("pub", Service.CAPF)),
    ]
    with pytest.raises(Exception, match=REDACTED) as raised:
        await vos.trust_file(ListKind.ITL)
    found.append(str(raised.value))
    await vos.aclose()
    return [_timeless(each) for each in found]


def _timeless(found: object) -> object:
    if isinstance(found, Known):
        return ("known", found.value, found.by)
    if isinstance(found, Unknown):
        return ("unknown", found.reason, found.by, found.why)
    return found


async def _record(path: Path, about: Callable[[VosTransport], Awaitable[Found]]) -> Found:
    recorder = open_recording(path, INVENTORY, SystemClock())
    async with running(node()) as server:
        found = await about(server.transport(hook=recorder.shell("pub")))
    recorder.close()
    return found


def replayed(
    path: Path,
    about: Callable[[VosTransport], Awaitable[Found]],
    *,
    chunk_bytes: int | None = None,
    pace: float = 1.0,
    in_order: bool = True,
) -> Found:
    """*about* over the recording, on a loop that has no network at all."""

    async def story() -> Found:
        recording = Recording.load(path)
        inventory = recording.inventory()
        vos = VosTransport(
            inventory.publisher,
            inventory.platform,
            clock=VirtualClock(),
            breaker=Breaker(),
            known_hosts=None,
            hook=ReplayShells(
                recording,
                inventory.publisher.name,
                chunk_bytes=chunk_bytes,
                pace=pace,
                in_order=in_order,
            ),
        )
        return await about(vos)

    return run_virtual(story)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cluster.jsonl"


# ── the same again ────────────────────────────────────────────────────────────────────────


def test_a_real_shell_is_replayed_in_pieces_of_any_size_at_any_pace(path: Path) -> None:
    found = asyncio.run(_record(path, _series))
    assert PASSWORD.encode() not in path.read_bytes()
    for chunk_bytes, pace in itertools.product((1, 7, 4096, None), (0.0, 1.0, 10.0)):
        again = replayed(path, _series, chunk_bytes=chunk_bytes, pace=pace)
        assert again == found, (chunk_bytes, pace)
    replies = [each for each in found if isinstance(each, Reply)]
    assert [reply.kind for reply in replies] == [ReplyKind.ACCEPTED, ReplyKind.ACCEPTED]


def test_a_watched_restart_has_its_instant_in_the_replay_too(path: Path) -> None:
    async def restarted(vos: VosTransport) -> Found:
        await vos.perform(RESTART)
        fact = await vos.observe(ServiceOn("pub", Service.TFTP))
        await vos.aclose()
        assert isinstance(fact, Known)
        assert fact.value.started_at is not None
        return [fact.value.status]

    found = asyncio.run(_record(path, restarted))
    assert replayed(path, restarted) == found


def test_what_is_typed_and_does_not_come_next_ends_the_session_for_good(path: Path) -> None:
    async def version(vos: VosTransport) -> Found:
        found: Found = [await vos.version()]
        await vos.aclose()
        return found

    async def services(vos: VosTransport) -> Found:
        with pytest.raises(NodeUnreachable, match="does not come next in the recording"):
            await vos.services()
        reply = await vos.perform(RESTART)
        assert reply.kind is ReplyKind.REFUSED
        with pytest.raises(NodeUnreachable, match="not in the recording"):
            await vos.version()
        await vos.aclose()
        return []

    asyncio.run(_record(path, version))
    replayed(path, services)


def test_a_changing_command_that_does_not_come_next_is_lost_and_sent_once(path: Path) -> None:
    async def version(vos: VosTransport) -> Found:
        found: Found = [await vos.version()]
        await vos.aclose()
        return found

    async def restart(vos: VosTransport) -> Found:
        await vos.version()
        reply = await vos.perform(RESTART)
        assert reply.kind is ReplyKind.LOST
        assert "what is typed does not come next in the recording" in reply.text
        await vos.aclose()
        return []

    asyncio.run(_record(path, version))
    replayed(path, restart)


def test_other_order_is_answered_if_order_does_not_count(path: Path) -> None:
    async def one_way(vos: VosTransport) -> Found:
        found: Found = [await vos.version(), await vos.services()]
        await vos.aclose()
        return found

    async def other_way(vos: VosTransport) -> Found:
        services = await vos.services()
        assert await vos.version() == await vos.version()
        found: Found = [await vos.version(), services]
        with pytest.raises(NodeUnreachable):
            await vos.network_cluster()
        await vos.aclose()
        return found

    found = asyncio.run(_record(path, one_way))
    for chunk_bytes in (1, None):
        assert replayed(path, other_way, chunk_bytes=chunk_bytes, in_order=False) == found


def test_a_login_that_was_refused_is_refused_in_the_replay_too(path: Path) -> None:
    async def refused(vos: VosTransport) -> Found:
        with pytest.raises(AuthenticationFailed) as raised:
            await vos.version()
        with pytest.raises(AuthenticationFailed):
            await vos.version()
        await vos.aclose()
        return [str(raised.value)]

    async def story() -> Found:
        recorder = open_recording(path, INVENTORY, SystemClock())
        async with running(attrs_node(password="another one")) as server:
            found = await refused(server.transport(hook=recorder.shell("pub")))
        recorder.close()
        return found

    found = asyncio.run(story())
    assert replayed(path, refused) == found


def attrs_node(*, password: str) -> Node:
    made = node()
    made.password = password
    return made


def test_a_session_that_broke_breaks_in_the_replay_and_another_is_opened(path: Path) -> None:
    async def once(screen: Screen) -> None:
        if screen.node.sessions == 1:
            raise HangUp
        screen.say(VERSION)

    async def twice(vos: VosTransport) -> Found:
        await vos.services()
        found: Found = [await vos.version()]
        await vos.aclose()
        return found

    async def story() -> Found:
        recorder = open_recording(path, INVENTORY, SystemClock())
        breaking = node()
        breaking.answers_to["show version active"] = once
        async with running(breaking) as server:
            found = await twice(server.transport(hook=recorder.shell("pub")))
        recorder.close()
        return found

    found = asyncio.run(story())
    kinds = [entry.kind for entry in Recording.load(path).of(Layer.SHELL)]
    assert kinds.count("opened") == 2
    assert kinds.count("ended") == 1
    for chunk_bytes in (1, 7, None):
        assert replayed(path, twice, chunk_bytes=chunk_bytes) == found


def test_a_recording_that_was_cut_off_is_replayed_up_to_there(path: Path) -> None:
    async def version(vos: VosTransport) -> Found:
        found: Found = [await vos.version()]
        await vos.aclose()
        return found

    async def both(vos: VosTransport) -> Found:
        found: Found = [await vos.version()]
        with pytest.raises(NodeUnreachable):
            await vos.services()
        await vos.aclose()
        return found

    found = asyncio.run(_record(path, version))
    lines = path.read_bytes().splitlines(keepends=True)
    assert b"released" in lines[-1]
    path.write_bytes(b"".join(lines[:-1]) + lines[-1][:10])
    assert replayed(path, both) == found


# ── no secret, however written, however cut ───────────────────────────────────────────────


class Printer:
    """A shell that prints given pieces after the first command, and one that is typed."""

    def __init__(self, ear: Ear, pieces: list[bytes]) -> None:
        self._ear = ear
        self._pieces = pieces
        ear.hear(b"admin:")

    def write(self, data: bytes) -> None:
        self._ear.hear(data.replace(b"\n", b"\r\n"))
        for piece in self._pieces:
            self._ear.hear(piece)
        self._ear.hear(b"\r\nadmin:")

    def abort(self) -> None:
        self._ear.end("the connection broke")

    async def wait_closed(self) -> None:
        pass


ENCODINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "percent": lambda text: quote(text, safe=""),
    "percent, small": lambda text: re.sub("%..", lambda m: m[0].lower(), quote(text, safe="")),
    "form": quote_plus,
    "every byte as percent": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "XML": html.escape,
    "XML, numbers": lambda text: "".join(f"&#{ord(each)};" for each in text),
    "XML, hexadecimal": lambda text: "".join(f"&#x{ord(each):X};" for each in text),
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON, not ASCII": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "JSON, slashes": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "Basic": lambda text: base64.b64encode(f"axluser:{text}".encode()).decode(),
    "BASE64": lambda text: base64.b64encode(text.encode()).decode(),
    "BASE64 in the middle": lambda text: base64.b64encode(f"to {text}!".encode()).decode(),
    "BASE64 for addresses": lambda text: base64.urlsafe_b64encode(f"x{text}".encode()).decode(),
}
# Q7 and z: no word of the format or of the conversation has them together.
SECRETS = st.text(st.sampled_from("aB3 &<>\"'/\\+%=:;{}é€😀"), min_size=3, max_size=12).map(
    lambda text: f"Q7{text}z9"
)


def _inventory(secret: str) -> Inventory:
    return attrs.evolve(INVENTORY, application=Account("axluser", Secret(secret)))


def _forms(secret: str) -> list[bytes]:
    return [encode(secret).encode().strip(b"=") for encode in ENCODINGS.values()]


def _cut(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces: list[bytes] = []
    for size in itertools.cycle(sizes):
        if not data:
            return pieces
        pieces.append(data[:size])
        data = data[size:]
    return pieces


async def _said(shell: Shell, wire: Wire) -> str:
    session = Session(shell, wire, Dialogue(quiet_s=0.1))
    assert isinstance(await session.begin(10), Finished)
    result = await session.run("show it", 10)
    assert isinstance(result, Finished | NotFinished)
    assert isinstance(result, Finished), result
    session.kill()
    return result.text


@settings(max_examples=150, deadline=None)
@given(
    secret=SECRETS,
    names=st.lists(st.sampled_from(sorted(ENCODINGS)), min_size=1, max_size=3),
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    chunk_bytes=st.sampled_from([1, 7, 4096, None]),
)
def test_no_recording_of_a_shell_has_the_secret_and_its_replay_says_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    secret: str,
    names: list[str],
    sizes: list[int],
    chunk_bytes: int | None,
) -> None:
    path = tmp_path_factory.mktemp("shell") / "cluster.jsonl"
    text = "".join(f"it is {ENCODINGS[name](secret)} or so\r\n" for name in names)
    pieces = _cut(text.encode(), sizes)

    async def story() -> str:
        recorder: Recorder = open_recording(path, _inventory(secret), VirtualClock())

        async def network(ear: Ear) -> Shell:
            return Printer(ear, pieces)

        wire = Wire()
        said = await _said(await recorder.shell("pub")(wire, network), wire)
        recorder.close()
        return said

    said = run_virtual(story)
    recording = Recording.load(path)
    whole = b"".join(
        entry.data("data") for entry in recording.of(Layer.SHELL) if entry.kind == "printed"
    )
    for form in _forms(secret):
        assert form not in whole
        assert form not in path.read_bytes()

    async def nowhere(ear: Ear) -> Shell:
        raise AssertionError

    async def again() -> str:
        wire = Wire()
        hook = ReplayShells(recording, "pub", chunk_bytes=chunk_bytes)
        return await _said(await hook(wire, nowhere), wire)

    assert run_virtual(again) == Scrubber(_inventory(secret)).text(said)
    assert REDACTED in Scrubber(_inventory(secret)).text(said)


@settings(max_examples=100, deadline=None)
@given(
    before=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30),
    secret=SECRETS,
    name=st.sampled_from(sorted(ENCODINGS)),
    after=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30),
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    pseudonyms=st.booleans(),
)
def test_a_stream_is_scrubbed_alike_however_it_is_cut(
    before: str, secret: str, name: str, after: str, sizes: list[int], pseudonyms: bool
) -> None:
    data = f"{before}{ENCODINGS[name](secret)}{after}".encode()
    inventory = _inventory(secret)
    stream: Stream[int] = Stream(Scrubber(inventory, pseudonyms=pseudonyms))
    done: list[tuple[int, bytes]] = []
    for number, piece in enumerate(_cut(data, sizes)):
        done += stream.feed(number, piece)
    done += stream.flush()
    assert [number for number, _ in done] == sorted(number for number, _ in done)
    joined = b"".join(piece for _, piece in done)
    assert joined == Scrubber(inventory, pseudonyms=pseudonyms).data(data)
    assert all(form not in joined for form in _forms(secret))


@pytest.mark.parametrize("size", [1, 5, 64, 1000])
@pytest.mark.parametrize("kind", ["", "RSA ", "EC ", "ENCRYPTED "])
def test_private_keys_are_taken_out_and_certificates_are_kept(kind: str, size: int) -> None:
    key = f"-----BEGIN {kind}PRIVATE KEY-----\nTUlJ\nRXZR\n-----END {kind}PRIVATE KEY-----"
    certificate = "-----BEGIN CERTIFICATE-----\nTUlJQQ==\n-----END CERTIFICATE-----"
    stream: Stream[None] = Stream(Scrubber(INVENTORY))
    done: list[tuple[None, bytes]] = []
    for piece in _cut(f"{certificate}\n{key}\n{certificate}\nadmin:".encode(), [size]):
        done += stream.feed(None, piece)
    done += stream.flush()
    joined = b"".join(piece for _, piece in done).decode()
    assert joined == f"{certificate}\n{REDACTED}\n{certificate}\nadmin:"


def test_a_key_without_an_end_takes_the_rest_with_it_and_no_more_than_64_kib() -> None:
    begin = b"-----BEGIN PRIVATE KEY-----\n"
    assert Scrubber(INVENTORY).data(b"a" + begin + b"TUlJ\n") == b"a" + REDACTED.encode()
    rest = Scrubber(INVENTORY).data(begin + b"x" * (64 << 10) + b"tail")
    assert rest.endswith(b"tail")
    assert len(rest) < 100


# ── pseudonyms ────────────────────────────────────────────────────────────────────────────


def test_pseudonyms_have_the_shape_of_what_they_stand_for() -> None:
    inventory = attrs.evolve(
        INVENTORY,
        nodes=(
            NodeEntry(name="cucm-pub", address="10.1.1.5"),
            NodeEntry(name="cucm-sub", address="cucm-sub.corp.example"),
        ),
    )
    scrubber = Scrubber(inventory, pseudonyms=True)
    cases = {
        "SEP001122334455": "SEP020000000001",
        "ITLSEP001122334455.tlv": "ITLSEP020000000001.tlv",
        "001122334455": "020000000001",
        "10.1.1.5 10.1.1.6 10.1.1.5.": "192.0.2.1 192.0.2.2 192.0.2.1.",
        "255.255.255.0 0.0.0.0": "255.255.255.0 0.0.0.0",
        "15.0.1.12900-234 and 1.3.6.1.5.5.7": "15.0.1.12900-234 and 1.3.6.1.5.5.7",
        "fe80::12ab and 12:33:44": "2001:db8::1 and 12:33:44",
        "cucm-pub CUCM-SUB": "node-001 node-002",
        "cucm-pub.corp.example": "node-001.example.net",
        "dns1.corp.example": "dns1.example.net",
        "cucm-pub   3 columns": "node-001   3 columns",
        "10.1.1.5   3 columns": "192.0.2.1  3 columns",
        "10.111.111.115 2 columns": "192.0.2.3      2 columns",
        "cucm-pub.pem": "node-001.pem",
        "<description>Bob's phone</description>": "<description>description-1</description>",
        "this is Bob's phone": "this is description-1",
        '"userid": "bsmith"': '"userid": "user-2"',
        "bsmith logged in as axluser": "user-2 logged in as user-1",
        "<name>CSFBSMITH2</name> CSFBSMITH2": "<name>CSFUSER000001</name> CSFUSER000001",
        "<name>Cisco Tftp</name>": "<name>Cisco Tftp</name>",
        "admin:show version": "admin:show version",
    }
    assert {text: scrubber.text(text) for text in cases} == cases


def test_ten_thousand_addresses_have_ten_thousand_pseudonyms_of_no_real_network() -> None:
    scrubber = Scrubber(INVENTORY, pseudonyms=True)
    text = " ".join(f"10.{a}.{b}.7" for a in range(50) for b in range(200))
    others = scrubber.text(text).split()
    assert len(set(others)) == 10_000
    assert all(
        other.startswith(("192.0.2.", "198.51.100.", "203.0.113.", "198.18.", "198.19."))
        for other in others
    )


def test_a_shell_with_pseudonyms_still_replays(path: Path) -> None:
    async def looked(vos: VosTransport) -> Found:
        members = await vos.network_cluster()
        rows = await vos.sql("select name from processnode")
        await vos.aclose()
        return [len(members), len(rows)]

    async def story() -> Found:
        recorder = open_recording(path, INVENTORY, SystemClock(), pseudonyms=True)
        made = node()
        made.answers_to["run sql select name from processnode"] = (
            printed("sql-processnode-name") + "\n"
        )
        async with running(made) as server:
            found = await looked(server.transport(hook=recorder.shell("pub")))
        recorder.close()
        return found

    found = asyncio.run(story())
    for chunk_bytes in (1, 7, None):
        assert replayed(path, looked, chunk_bytes=chunk_bytes) == found
