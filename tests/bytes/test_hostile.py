"""Whatever the bytes are, the answer is a list or :class:`UnknownLayout`, and soon."""

from __future__ import annotations

import tracemalloc

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cucm_certflow.errors import UnknownLayout
from cucm_certflow.names import ListKind, TrustRole
from cucm_certflow.trust.lists import parse_list, signature_is_valid, view_of
from cucm_certflow.trust.tlv import MAX_FILE, text_bytes, tlv_bytes
from cucm_certflow.trust.x509 import certificate_from_der
from tests.bytes.samples import der, sample
from tests.bytes.test_codec import RECORDS, signed

NAME = "itl-rollback-empty-CONJECTURE.tlv"  # the smallest: two whole records and two emptied ones
DATA, FILE = sample(NAME)
ITL, _ = sample("itl-125-pub-g1.tlv")
DER = der("cm-pub-g1")
SEEDED = settings(derandomize=True, deadline=None, database=None, max_examples=400)


def is_believed(data: bytes) -> bool:
    """Whether *data* is read and looked at; nothing but UnknownLayout may be raised on the way."""
    try:
        file = parse_list(data)
    except UnknownLayout:
        return False
    valid = signature_is_valid(data, file)
    try:
        view_of(file, ListKind.ITL, data)
    except UnknownLayout:
        assert not valid
        return False
    assert valid
    return True


def test_a_list_cut_anywhere_is_not_believed() -> None:
    assert is_believed(ITL)
    assert [cut for cut in range(len(ITL)) if is_believed(ITL[:cut])] == []


def test_a_list_with_anything_behind_it_is_not_believed() -> None:
    for tail in (b"\0", b"\x0d", bytes(5), DATA, DATA[FILE.header_length :]):
        assert not is_believed(DATA + tail)


@pytest.mark.parametrize("flip", [0x01, 0x80, 0xFF])
def test_a_list_with_any_byte_changed_is_not_believed(flip: int) -> None:
    believed = []
    for at in range(len(DATA)):
        changed = bytearray(DATA)
        changed[at] ^= flip
        if is_believed(bytes(changed)):
            believed.append(at)
    assert believed == []


@SEEDED
@given(st.lists(st.tuples(st.integers(0, len(ITL) - 1), st.integers(0, 255)), max_size=8))
def test_changed_bytes_raise_nothing_but_unknown_layout(changes: list[tuple[int, int]]) -> None:
    changed = bytearray(ITL)
    for at, value in changes:
        changed[at] = value
    assert is_believed(bytes(changed)) is (bytes(changed) == ITL)


@SEEDED
@given(st.integers(0, len(DATA)), st.integers(0, len(DATA)), st.binary(max_size=40), st.booleans())
def test_spliced_lists_raise_nothing_but_unknown_layout(
    start: int, stop: int, middle: bytes, early: bool
) -> None:
    if early:  # where the lengths of the header are
        start, stop = start % 220, stop % 220
    changed = DATA[:start] + middle + DATA[stop:]
    assert is_believed(changed) is (changed == DATA)


@SEEDED
@given(st.binary(max_size=300))
def test_noise_raises_nothing_but_unknown_layout(noise: bytes) -> None:
    assert not is_believed(noise)
    assert not is_believed(DATA[:10] + noise)
    assert not is_believed(DATA[: FILE.header_length] + noise)


# ── lengths ──────────────────────────────────────────────────────────────────────────────────────

_VERSION = tlv_bytes(1, b"\1\2")


def _head(*parts: bytes) -> bytes:
    rest = _VERSION + b"".join(parts)
    return tlv_bytes(2, (5 + len(rest)).to_bytes(2)) + rest


_ALL = (
    text_bytes(4, "CN=x"),
    tlv_bytes(5, b"\1"),
    text_bytes(6, "CN=x"),
    tlv_bytes(8, b"\1"),
    tlv_bytes(12, bytes(256)),
    text_bytes(14, "ITLFile.tlv"),
    tlv_bytes(15, bytes(4)),
)
_GOOD = _head(*_ALL)
HOSTILE = {
    "nothing": b"",
    "one byte": b"\1",
    "no header length": _VERSION * 1,
    "padding for ever": b"\x0d" * 70_000,
    "a header of no length": tlv_bytes(2, bytes(2)),
    "a header that ends before its length does": tlv_bytes(2, b"\0\4"),
    "a header longer than the file": tlv_bytes(2, b"\xff\xff"),
    "a header length of one byte": tlv_bytes(2, b"\5"),
    "a header length of four bytes": tlv_bytes(2, b"\0\0\0\7"),
    "two header lengths": _head(tlv_bytes(2, b"\0\x14")),
    "a value beyond the file": b"\1\xff\xff",
    "a value beyond the header": _head(*_ALL, b"\x63\0\1"),
    "a container beyond the header": _head(b"\3\0\xff", *_ALL),
    "a container that ends inside a value": _head(b"\3\0\4", *_ALL),
    "a container twice": _head(b"\3\0\0\3\0\0", *_ALL),
    "containers in containers": _head(b"\3\0\0" * 20_000),
    "a serial twice": _head(*_ALL, tlv_bytes(5, b"\2")),
    "a signature twice": _head(*_ALL, tlv_bytes(12, bytes(256))),
    "a serial without bytes": _head(*_ALL[:1], tlv_bytes(5, b""), *_ALL[2:]),
    "a name without NUL": _head(tlv_bytes(4, b"CN=x"), *_ALL[1:]),
    "a name with two NULs": _head(tlv_bytes(4, b"CN=x\0y\0"), *_ALL[1:]),
    "a name without bytes": _head(tlv_bytes(4, b""), *_ALL[1:]),
    "a digest of another kind": _head(*_ALL[:3], tlv_bytes(8, b"\4"), *_ALL[4:]),
    "a digest of no bytes": _head(*_ALL[:3], tlv_bytes(8, b""), *_ALL[4:]),
    "no RSA": _head(*_ALL, tlv_bytes(10, b"\1")),
    "version 2": tlv_bytes(1, b"\2\0") + _GOOD.replace(_VERSION, b""),
    "no signature": _head(*_ALL[:4], *_ALL[5:]),
    "a record without length": _GOOD + tlv_bytes(2, b"x\0"),
    "a record of no length": _GOOD + tlv_bytes(1, bytes(2)),
    "a record shorter than its length": _GOOD + tlv_bytes(1, b"\0\4"),
    "a record beyond the file": _GOOD + tlv_bytes(1, b"\xff\xff"),
    "a record without role": _GOOD + tlv_bytes(1, b"\0\5"),
    "a role of one byte": _GOOD + tlv_bytes(1, b"\0\x09") + tlv_bytes(4, b"\0"),
    "a role twice": _GOOD + tlv_bytes(1, b"\0\x0f") + tlv_bytes(4, b"\0\0") * 2,
    "a value beyond its record": _GOOD + tlv_bytes(1, b"\0\x0a") + b"\4\0\3\0\0\0",
    "an address of three bytes": _GOOD
    + tlv_bytes(1, b"\0\x10")
    + tlv_bytes(4, b"\0\0")
    + tlv_bytes(10, bytes(3)),
    "a torn tag": _GOOD + tlv_bytes(1, b"\0\x07") + b"\4\0",
    "more than any list": DATA + bytes(MAX_FILE),
}


def test_the_list_that_the_hostile_ones_are_made_of_is_read() -> None:
    assert parse_list(_GOOD).records == ()


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_lengths_are_an_unknown_layout(what: str) -> None:
    data = HOSTILE[what]
    tracemalloc.start()
    try:
        with pytest.raises(UnknownLayout) as caught:
            parse_list(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 64 * len(data) + 200_000
    report = caught.value.report
    assert report.expected
    assert report.saw
    assert report.did.startswith("reading at offset ")


def test_the_error_says_where_and_what() -> None:
    with pytest.raises(UnknownLayout) as caught:
        parse_list(DATA[:-1])
    report = caught.value.report
    last = len(DATA) - 1793  # the record of ITLRecovery
    assert report.did == f"reading at offset {last}"
    assert (report.expected, report.saw) == ("a record of 5 to 1792 bytes", "a length of 1793")


def test_a_large_list_of_empty_records_is_read_in_one_go() -> None:
    record = tlv_bytes(1, b"\0\x0a") + tlv_bytes(4, b"\0\0")
    count = (MAX_FILE - len(_GOOD)) // len(record)
    data = _GOOD + record * count
    file = parse_list(data)
    assert len(file.records) == count
    assert not signature_is_valid(data, file)


# ── certificates ─────────────────────────────────────────────────────────────────────────────────


@SEEDED
@given(
    st.lists(st.tuples(st.integers(0, len(DER) - 1), st.integers(0, 255)), max_size=4),
    st.integers(0, len(DER)),
)
def test_changed_certificates_raise_nothing_but_unknown_layout(
    changes: list[tuple[int, int]], cut: int
) -> None:
    changed = bytearray(DER)
    for at, value in changes:
        changed[at] = value
    for data in (bytes(changed), DER[:cut]):
        try:
            found = certificate_from_der(data)
        except UnknownLayout:
            continue
        assert found.self_signed is (data == DER)


def test_a_certificate_with_any_byte_changed_is_refused_or_another_one() -> None:
    whole = certificate_from_der(DER)
    for at in range(len(DER)):
        changed = bytearray(DER)
        changed[at] ^= 0xFF
        try:
            found = certificate_from_der(bytes(changed))
        except UnknownLayout:
            continue
        assert found.fingerprint != whole.fingerprint
        assert not found.self_signed


@SEEDED
@given(st.binary(min_size=1, max_size=60) | st.integers(1, len(DER) - 1).map(lambda n: DER[:-n]))
def test_a_signed_list_with_a_broken_certificate_is_an_unknown_layout(junk: bytes) -> None:
    broken = attrs.evolve(RECORDS[1], role=TrustRole.TVS, certificate=junk)
    data = signed(RECORDS[0], broken)
    file = parse_list(data)
    assert signature_is_valid(data, file)
    with pytest.raises(UnknownLayout):
        view_of(file, ListKind.ITL, data)


@SEEDED
@given(st.binary(max_size=300), st.booleans())
def test_a_signer_with_a_broken_key_is_not_believed(junk: bytes, whole: bool) -> None:
    record = RECORDS[0] if whole else attrs.evolve(RECORDS[0], certificate=None)
    data = signed(attrs.evolve(record, public_key=b"\x30" + junk))
    assert not signature_is_valid(data, parse_list(data))
