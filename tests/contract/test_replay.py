"""The seam, recorded and replayed: facts, questions and commands through JSON and back."""

from __future__ import annotations

import errno
import json
import os
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cucm_certflow import codec
from cucm_certflow.clock import SystemClock
from cucm_certflow.commands import Command, Regenerate, Reply, ReplyKind, RestartService
from cucm_certflow.errors import AuthenticationFailed, RecordingError, Report
from cucm_certflow.facts import (
    CertificateOf,
    DevicePools,
    Fact,
    Known,
    ListView,
    Members,
    Phones,
    Query,
    Registrations,
    ServedList,
    ServiceOn,
    UnitsOn,
    Unknown,
    VersionOf,
    Why,
)
from cucm_certflow.inventory import Account, Inventory, NodeEntry
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.memory import MemoryTransport
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.names import CertUnit, ListKind, Service
from cucm_certflow.secret import Secret
from cucm_certflow.testing.virtual import EPOCH, VirtualClock, run_virtual
from cucm_certflow.transports.base import Transport
from cucm_certflow.transports.record import (
    RecordedClock,
    Recording,
    ReplayTransport,
    open_recording,
)
from tests.contract.test_contract import SMALL

PASSWORD = "Sehr-geheim/1"
INVENTORY = Inventory(
    nodes=(
        NodeEntry(name="pub", address="127.0.0.21"),
        NodeEntry(name="sub1", address="127.0.0.22"),
    ),
    platform=Account("admin", Secret(PASSWORD)),
    application=Account("axluser", Secret("Auch-geheim+2")),
)
LOOKS: tuple[Query, ...] = (
    Members(),
    VersionOf("pub"),
    UnitsOn("sub1"),
    *(CertificateOf(node, unit) for node in ("pub", "sub1") for unit in CertUnit),
    *(ServedList(node, kind) for node in ("pub", "sub1") for kind in ListKind),
    *(ServiceOn(node, service) for node in ("pub", "sub1") for service in Service),
    Phones(),
    DevicePools(),
    Registrations(),
)
COMMANDS: tuple[Command, ...] = (
    Regenerate("sub1", CertUnit.TVS),
    RestartService("sub1", Service.TVS),
)


# ── through JSON ──────────────────────────────────────────────────────────────────────────

INSTANTS = st.datetimes(timezones=st.just(UTC))


def some(kind: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401 - a type, or a union of some
    """Any value of *kind*, its instants aware."""
    return _AWARE.setdefault(kind, st.deferred(lambda: _some(kind)))


_AWARE: dict[Any, st.SearchStrategy[Any]] = {}


def _some(kind: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401 - as some
    arguments = get_args(kind)
    if kind is datetime:
        return INSTANTS
    if kind is type(None):
        return st.none()
    if kind is ListView:
        return st.builds(
            ListView,
            st.sampled_from(ListKind),
            st.text(),
            *([st.frozensets(st.text())] * 4),
            st.text(),
        )
    if attrs.has(kind):
        attrs.resolve_types(kind)
        return st.builds(kind, **{f.name: some(f.type) for f in attrs.fields(kind)})
    if not arguments:
        return st.from_type(kind)
    if hasattr(kind, "__origin__") and kind.__origin__ is tuple:
        return st.lists(some(arguments[0]), max_size=3).map(tuple)
    if hasattr(kind, "__origin__") and kind.__origin__ is frozenset:
        return st.frozensets(some(arguments[0]), max_size=3)
    if hasattr(kind, "__origin__"):
        return st.dictionaries(some(arguments[0]), some(arguments[1]), max_size=3)
    return st.one_of(*map(some, arguments))


def test_every_class_of_question_has_the_type_of_its_answer() -> None:
    assert set(codec.VALUES) == set(get_args(Query))


@pytest.mark.parametrize("kind", get_args(Query), ids=lambda kind: kind.__name__)
def test_questions_and_their_answers_come_back_as_they_were(kind: type[Query]) -> None:
    @settings(max_examples=25, deadline=None)
    @given(some(kind), some(codec.VALUES[kind]), INSTANTS, st.text())
    def comes_back(query: Query, value: object, at: datetime, by: str) -> None:
        written = json.loads(json.dumps(codec.query_to_json(query)))
        assert codec.query_from_json(written) == query
        known = Known(value, at, by)
        written = json.loads(json.dumps(codec.fact_to_json(query, known)))
        assert codec.fact_from_json(query, written) == known

    comes_back()


@settings(max_examples=50, deadline=None)
@given(some(Unknown), some(Reply))
def test_unknowns_and_replies_come_back_as_they_were(unknown: Unknown, reply: Reply) -> None:
    written = json.loads(json.dumps(codec.fact_to_json(Members(), unknown)))
    assert codec.fact_from_json(Members(), written) == unknown
    assert codec.reply_from_json(json.loads(json.dumps(codec.reply_to_json(reply)))) == reply


@pytest.mark.parametrize("kind", get_args(Command), ids=lambda kind: kind.__name__)
def test_commands_come_back_as_they_were(kind: type[Command]) -> None:
    @settings(max_examples=25, deadline=None)
    @given(some(kind))
    def comes_back(command: Command) -> None:
        written = json.loads(json.dumps(codec.command_to_json(command)))
        assert codec.command_from_json(written) == command

    comes_back()


@pytest.mark.parametrize(
    "value", [None, {}, [], {"query": "Nobody"}, {"query": "UnitsOn"}, {"query": "Members", "x": 1}]
)
def test_what_is_no_question_is_an_error_that_repeats_nothing_of_it(value: object) -> None:
    with pytest.raises(ValueError, match="no query of this version: "):
        codec.query_from_json(value)


def test_an_answer_of_another_type_is_not_written() -> None:
    with pytest.raises(ValueError, match="no answer to CertificateOf"):
        codec.fact_to_json(CertificateOf("pub", CertUnit.TVS), Known("a text", EPOCH))


# ── recorded and replayed ─────────────────────────────────────────────────────────────────


async def _series(transport: Transport) -> list[Fact | Reply]:
    found: list[Fact | Reply] = [await transport.observe(query) for query in LOOKS]
    for command in COMMANDS:
        found.append(await transport.perform(command))
        found += [await transport.observe(query) for query in LOOKS]
    return found


def _recorded(path: Path, *, pseudonyms: bool = False) -> list[Fact | Reply]:
    async def story() -> list[Fact | Reply]:
        clock = VirtualClock()
        lab = MemoryTransport(LabCluster(Scenario.loads(SMALL), clock), clock)
        recorder = open_recording(path, INVENTORY, clock, pseudonyms=pseudonyms)
        transport = recorder.seam(lab, closes=True)
        found = await _series(transport)
        await transport.aclose()
        return found

    return run_virtual(story)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cluster.jsonl"


def test_replayed_facts_and_replies_are_those_of_the_recording(path: Path) -> None:
    found = _recorded(path)
    assert sum(isinstance(fact, Known) for fact in found) > 100

    async def again() -> list[Fact | Reply]:
        return await _series(ReplayTransport(Recording.load(path), VirtualClock()))

    assert run_virtual(again) == found


def test_the_file_is_for_its_owner_alone_and_never_overwritten(path: Path) -> None:
    _recorded(path)
    before = path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(RecordingError, match="exists"):
        open_recording(path, INVENTORY, SystemClock())
    assert path.read_bytes() == before


def test_a_question_that_was_not_asked_then_is_not_asked_now(path: Path) -> None:
    _recorded(path)

    async def story() -> None:
        replay = ReplayTransport(Recording.load(path), VirtualClock())
        query = VersionOf("sub1")
        assert not replay.supports(query)
        fact = await replay.observe(query)
        assert isinstance(fact, Unknown)
        assert fact.why is Why.NOT_ASKED
        for _ in range(3):
            assert isinstance(await replay.observe(Members()), Known)
        fact = await replay.observe(Members())
        assert isinstance(fact, Unknown), "it was asked three times"

    run_virtual(story)


def test_the_last_answer_is_given_again_only_if_that_is_asked_for(path: Path) -> None:
    _recorded(path)

    async def story() -> None:
        replay = ReplayTransport(Recording.load(path), VirtualClock(), repeat=True)
        query = CertificateOf("sub1", CertUnit.TVS)
        seen = [await replay.observe(query) for _ in range(5)]
        values = [fact.value for fact in seen if isinstance(fact, Known)]
        assert len(values) == 5
        assert values[0] != values[1] == values[2] == values[3] == values[4]

    run_virtual(story)


def test_a_command_that_does_not_come_next_is_refused_and_nothing_moves(path: Path) -> None:
    _recorded(path)

    async def story() -> None:
        replay = ReplayTransport(Recording.load(path), VirtualClock())
        first, second = COMMANDS
        for wrong in (second, Regenerate("pub", CertUnit.TVS)):
            reply = await replay.perform(wrong)
            assert reply.kind is ReplyKind.REFUSED
            assert not reply.sent
            assert "not sent" in reply.text
        assert replay.supports(second)
        for command in (first, second):
            assert (await replay.perform(command)).kind is ReplyKind.ACCEPTED
        assert (await replay.perform(second)).kind is ReplyKind.REFUSED

    run_virtual(story)


class _Refusing:
    """A way whose account is refused, and which dies in the middle of a command."""

    def supports(self, what: Query | Command) -> bool:
        return True

    async def observe(self, query: Query) -> Fact:
        raise AuthenticationFailed(Report(headline=f"refused, and not {PASSWORD}"))

    async def perform(self, command: Command) -> Reply:
        raise RuntimeError

    async def aclose(self) -> None:
        pass


def test_a_refused_account_is_refused_again_and_a_lost_reply_is_lost(path: Path) -> None:
    async def story() -> None:
        recorder = open_recording(path, INVENTORY, VirtualClock())
        transport = recorder.seam(_Refusing())
        with pytest.raises(AuthenticationFailed):
            await transport.observe(Members())
        with pytest.raises(RuntimeError):
            await transport.perform(COMMANDS[0])
        # No close: what was written is there all the same.
        replay = ReplayTransport(Recording.load(path), VirtualClock())
        with pytest.raises(AuthenticationFailed, match="refused, and not <redacted>"):
            await replay.observe(Members())
        assert (await replay.perform(COMMANDS[0])).kind is ReplyKind.LOST

    run_virtual(story)
    assert PASSWORD.encode() not in path.read_bytes()


def test_transports_of_one_recording_are_told_apart_by_name(path: Path) -> None:
    async def story() -> None:
        clock = VirtualClock()
        lab = MemoryTransport(LabCluster(Scenario.loads(SMALL), clock), clock)
        recorder = open_recording(path, INVENTORY, clock)
        await recorder.seam(lab, "one").observe(VersionOf("pub"))
        await recorder.seam(lab, "two").observe(VersionOf("sub1"))
        recorder.close()
        recorder.close()
        replay = ReplayTransport(Recording.load(path), clock, name="two")
        assert replay.supports(VersionOf("sub1"))
        assert not replay.supports(VersionOf("pub"))

    run_virtual(story)


def test_the_clock_of_a_recording_begins_when_the_recording_did(path: Path) -> None:
    _recorded(path)

    async def story() -> None:
        await VirtualClock().sleep(500)
        clock = RecordedClock(Recording.load(path), VirtualClock())
        assert clock.now() == EPOCH
        await clock.sleep(30)
        assert (clock.now() - EPOCH).total_seconds() == 30

    run_virtual(story)


def test_pseudonyms_replace_names_alike_in_questions_and_facts(path: Path) -> None:
    found = _recorded(path, pseudonyms=True)
    text = path.read_text(encoding="ascii")
    for name in ("SEP001122330001", "127.0.0.21", '"pub"', '"sub1"'):
        assert name not in text
    recording = Recording.load(path)
    assert [node.name for node in recording.inventory().nodes] == ["n01", "n002"]

    async def again() -> None:
        replay = ReplayTransport(recording, VirtualClock())
        phones, table = await replay.observe(Phones()), await replay.observe(Registrations())
        assert isinstance(phones, Known)
        assert isinstance(table, Known)
        assert [phone.name for phone in phones.value] == sorted(table.value)
        assert len(table.value) == 5
        assert {phone.group for phone in phones.value} == {("n01", "n002")}
        assert {each.node for each in table.value.values()} <= {"n01", "n002"}
        fact = await replay.observe(CertificateOf("n002", CertUnit.TVS))
        assert isinstance(fact, Known)
        seen = found[LOOKS.index(CertificateOf("sub1", CertUnit.TVS))]
        assert isinstance(seen, Known)
        assert fact.value.serial == seen.value.serial

    run_virtual(again)


# ── files ─────────────────────────────────────────────────────────────────────────────────


def test_a_torn_last_line_is_dropped_and_the_rest_is_read(path: Path) -> None:
    _recorded(path)
    data = path.read_bytes()
    whole = Recording.loads(data)
    for torn in (data[:-1], data[:-20]):
        assert Recording.loads(torn).entries == whole.entries[:-1]


@pytest.mark.parametrize(
    "harm",
    [
        b"",
        b"\n",
        b"{}\n",
        b"[1]\n",
        b'{"certflow_recording": 2}\n',
        b'{"certflow_recording": 1}\n',
        b"not json\n",
    ],
)
def test_what_does_not_begin_as_a_recording_is_an_error(harm: bytes) -> None:
    with pytest.raises(RecordingError):
        Recording.loads(harm)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_a_damaged_line_in_the_middle_is_an_error_that_names_it(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "cluster.jsonl"
    _small(path)
    lines = path.read_bytes().split(b"\n")
    number = data.draw(st.integers(1, len(lines) - 2))
    harms = [b"", b"null", b"{}", lines[number][:-1], lines[number].replace(b'"n"', b'"m"')]
    lines[number] = data.draw(st.sampled_from(harms))
    with pytest.raises(RecordingError, match=f"line {number + 1} does not read"):
        Recording.loads(b"\n".join(lines))


def _small(path: Path) -> None:
    async def story() -> None:
        clock = VirtualClock()
        lab = MemoryTransport(LabCluster(Scenario.loads(SMALL), clock), clock)
        recorder = open_recording(path, INVENTORY, clock)
        for name in ("pub", "sub1"):
            await recorder.seam(lab).observe(VersionOf(name))
        recorder.close()

    run_virtual(story)


def test_content_that_is_none_of_ours_is_an_error_of_the_replay(path: Path) -> None:
    _small(path)
    data = path.read_bytes().replace(b"VersionOf", b"NobodyOf")
    with pytest.raises(RecordingError, match="entry 1 has no readable 'content'"):
        ReplayTransport(Recording.loads(data), SystemClock())


def test_a_password_that_is_too_short_is_not_recorded_with(path: Path) -> None:
    weak = attrs.evolve(INVENTORY, application=Account("axluser", Secret("abc")))
    with pytest.raises(RecordingError, match="too short") as raised:
        open_recording(path, weak, SystemClock())
    assert "abc" not in str(raised.value)
    assert not path.exists()


def test_a_full_disk_ends_the_recording_and_nothing_else(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    async def story() -> None:
        clock = VirtualClock()
        lab = MemoryTransport(LabCluster(Scenario.loads(SMALL), clock), clock)
        recorder = open_recording(path, INVENTORY, clock)
        transport = recorder.seam(lab)
        await transport.observe(VersionOf("pub"))
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", full)
            assert isinstance(await transport.observe(Members()), Known)
        assert recorder.problem == "No space left on device"
        await transport.observe(VersionOf("pub"))
        recorder.close()

    run_virtual(story)
    assert len(Recording.load(path).entries) == 2
