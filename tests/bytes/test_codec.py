"""What is written is read again, in CUCM's order; other orders are read as well."""

from __future__ import annotations

from datetime import UTC, datetime

import attrs
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from cucm_certflow.errors import UnknownLayout
from cucm_certflow.lab.keys import POOL
from cucm_certflow.lab.physics.world import Cert
from cucm_certflow.lab.render import Renderer
from cucm_certflow.names import CertUnit, ListKind, TrustRole
from cucm_certflow.trust.lists import (
    DigestAlgorithm,
    TrustRecord,
    parse_list,
    record_of,
    signature_is_valid,
    view_of,
    write_list,
)
from cucm_certflow.trust.tlv import read_header, text_bytes, tlv_bytes
from cucm_certflow.trust.x509 import fingerprint_of, normalised_name, serial_text
from tests.bytes.samples import FILES, der, fingerprint, kind_of, sample

WHEN = datetime(2026, 3, 1, 12, 30, 15, tzinfo=UTC)
RENDERER = Renderer()
SIGNER = RENDERER.certificate(Cert(CertUnit.ITLRECOVERY, "pub", 1))
OTHER = RENDERER.certificate(Cert(CertUnit.CALLMANAGER, "pub", 1))


def signed(
    *records: TrustRecord,
    kind: ListKind = ListKind.ITL,
    digest_algorithm: DigestAlgorithm = DigestAlgorithm.SHA512,
) -> bytes:
    return write_list(
        kind,
        records,
        SIGNER.der,
        SIGNER.private_key,
        digest_algorithm=digest_algorithm,
        timestamp=WHEN,
    )


RECORDS = (
    record_of(SIGNER.der, TrustRole.SAST, dns_name="pub", ip_address="192.0.2.10"),
    record_of(OTHER.der, TrustRole.CCM_TFTP, dns_name="192.0.2.10"),
    record_of(der("cm-pub-ec384"), TrustRole.TFTP, dns_name=""),
    record_of(der("cm-pub-1024"), 99, ip_address="2001:db8::1"),
    TrustRecord(role=TrustRole.CCM_TFTP, dns_name="pub", ip_address="192.0.2.10"),
    TrustRecord(role=TrustRole.TVS, serial="0F"),
)


@pytest.mark.parametrize("kind", ListKind)
@pytest.mark.parametrize("digest", DigestAlgorithm)
@pytest.mark.parametrize("count", range(len(RECORDS) + 1))
def test_what_is_written_is_read_again(kind: ListKind, digest: DigestAlgorithm, count: int) -> None:
    data = signed(*RECORDS[:count], kind=kind, digest_algorithm=digest)
    file = parse_list(data)
    assert file.records == RECORDS[:count]
    assert (file.filename, file.digest_algorithm) == (kind.file_name, digest)
    assert file.timestamp == WHEN
    assert file.header_length % 4 == 0
    assert file.signer_serial == serial_text(SIGNER.certificate.serial_number)
    assert file.signer_name == normalised_name(SIGNER.certificate.subject)
    # A list without the record of its signer cannot be checked by anybody.
    assert signature_is_valid(data, file) is (count > 0)


@pytest.mark.parametrize("name", FILES)
def test_a_sample_written_again_differs_in_its_signature_alone(name: str) -> None:
    data, file = sample(name)
    signer = next(record for record in file.records if record.serial == file.signer_serial)
    assert signer.certificate is not None
    again = write_list(
        kind_of(name),
        file.records,
        signer.certificate,
        POOL.key(0),  # the samples' private keys are not here
        digest_algorithm=file.digest_algorithm,
        timestamp=file.timestamp,
    )
    where = read_header(data).fields[12]
    assert (again[: where.begin], again[where.end :]) == (data[: where.begin], data[where.end :])
    assert not signature_is_valid(again, parse_list(again))


@pytest.mark.parametrize("name", FILES)
def test_a_record_of_the_samples_is_what_is_made_of_its_certificate(name: str) -> None:
    _, file = sample(name)
    for record in file.records:
        if record.certificate is not None:
            made = record_of(
                record.certificate,
                record.role,
                dns_name=record.dns_name,
                ip_address=record.ip_address,
            )
            assert made == record


# ── other orders ─────────────────────────────────────────────────────────────────────────────────


def _by_hand(front: list[bytes], back: list[bytes], *, pad: int = 0, records: bytes = b"") -> bytes:
    """A list with its header in any order; tag 2 is put first, tag 12 between front and back."""
    version = tlv_bytes(1, b"\1\2")
    before, after = version + b"".join(front), b"".join(back) + b"\x0d" * pad
    length = 5 + len(before) + 3 + 256 + len(after)
    before = tlv_bytes(2, length.to_bytes(2)) + before
    after += records
    signature = SIGNER.private_key.sign(before + after, padding.PKCS1v15(), hashes.SHA512())
    return before + tlv_bytes(12, signature) + after


_NAME = text_bytes(4, normalised_name(SIGNER.certificate.subject))
_SERIAL = tlv_bytes(5, SIGNER.certificate.serial_number.to_bytes(16))
_ISSUER = text_bytes(6, normalised_name(SIGNER.certificate.issuer))
_ID = tlv_bytes(3, _NAME + _SERIAL + _ISSUER)
_INFO = tlv_bytes(
    7, tlv_bytes(8, b"\3") + tlv_bytes(9, tlv_bytes(10, b"\0") + tlv_bytes(11, b"\2"))
)
_FILE = [text_bytes(14, "ITLFile.tlv"), tlv_bytes(15, int(WHEN.timestamp()).to_bytes(4))]
_BY_CUCM = signed(RECORDS[0])[parse_list(signed(RECORDS[0])).header_length :]


def _certutils_record() -> bytes:
    """1 3 5 6 4 7 8 9, names with commas and in the order of the DER, tags 11 and 12 behind."""
    record = RECORDS[0]
    assert record.subject is not None
    assert record.serial is not None
    assert record.public_key is not None
    assert record.signature is not None
    assert record.certificate is not None
    name = ", ".join(reversed(record.subject.split(";")))
    body = text_bytes(3, name) + text_bytes(5, name) + tlv_bytes(6, bytes.fromhex(record.serial))
    body += tlv_bytes(4, b"\0\0") + tlv_bytes(7, record.public_key)
    body += tlv_bytes(8, record.signature) + tlv_bytes(9, record.certificate)
    body += tlv_bytes(11, bytes(20)) + tlv_bytes(12, b"\1")
    return tlv_bytes(1, (len(body) + 5).to_bytes(2)) + body


ORDERS = {
    "as CUCM": _by_hand([_ID, _INFO], _FILE, pad=3, records=_BY_CUCM),
    "no padding": _by_hand([_ID, _INFO], _FILE, records=_BY_CUCM),
    "certutils": _by_hand(
        [tlv_bytes(28, b"\1\0"), tlv_bytes(3, _NAME + _ISSUER + _SERIAL), _INFO],
        _FILE,
        pad=2,
        records=_certutils_record(),
    ),
    "signature last": _by_hand([_ID, _INFO, *_FILE], [], records=_BY_CUCM),
    "signature first": _by_hand([], [*_FILE, _INFO, _ID], records=_BY_CUCM),
    "unknown tags": _by_hand(
        [tlv_bytes(77, b"what"), _ID, _INFO], [*_FILE, tlv_bytes(200, b"")], records=_BY_CUCM
    ),
    "no containers": _by_hand(
        [_NAME, _SERIAL, _ISSUER, tlv_bytes(8, b"\3")], _FILE, records=_BY_CUCM
    ),
    "serial with a leading zero": _by_hand(
        [_NAME, tlv_bytes(5, b"\0" + _SERIAL[3:]), _ISSUER, tlv_bytes(8, b"\3")],
        _FILE,
        records=_BY_CUCM,
    ),
}


@pytest.mark.parametrize("order", ORDERS)
def test_the_order_of_the_header_does_not_matter(order: str) -> None:
    data = ORDERS[order]
    view = view_of(parse_list(data), ListKind.ITL, data)
    assert view.signer == SIGNER.fingerprint
    assert view.sast == {SIGNER.fingerprint}


# ── who signed ───────────────────────────────────────────────────────────────────────────────────


def test_only_a_sast_record_can_be_the_signer() -> None:
    data = signed(*(attrs.evolve(RECORDS[0], role=role) for role in (1, 2, 3, 4, 7, 21, 99)))
    assert not signature_is_valid(data, parse_list(data))


def test_the_signers_issuer_must_be_the_named_one() -> None:
    data = signed(attrs.evolve(RECORDS[0], issuer="CN=somebody else"))
    assert not signature_is_valid(data, parse_list(data))


def test_the_right_record_is_found_behind_one_with_the_same_name_and_another_key() -> None:
    wrong = attrs.evolve(RECORDS[0], certificate=OTHER.der, public_key=None)
    data = signed(wrong, RECORDS[0])
    assert signature_is_valid(data, parse_list(data))
    with pytest.raises(UnknownLayout, match=r"as its record says"):
        view_of(parse_list(data), ListKind.ITL, data)


def test_a_signer_whose_two_keys_differ_is_not_believed() -> None:
    data = signed(attrs.evolve(RECORDS[0], public_key=RECORDS[1].public_key))
    assert not signature_is_valid(data, parse_list(data))


def test_a_signer_known_by_its_key_alone_is_named_by_serial_and_issuer() -> None:
    data = signed(attrs.evolve(RECORDS[0], certificate=None))
    file = parse_list(data)
    view = view_of(file, ListKind.ITL, data)
    assert view.signer == f"serial {file.signer_serial} issuer {file.signer_issuer}"
    assert view.sast == {view.signer}


def test_a_signer_without_key_proves_nothing() -> None:
    data = signed(attrs.evolve(RECORDS[0], certificate=None, public_key=None))
    assert not signature_is_valid(data, parse_list(data))


def test_an_ec_certificate_in_a_list_is_known_by_its_fingerprint() -> None:
    data = signed(RECORDS[0], record_of(der("cm-pub-ec384"), TrustRole.TFTP))
    assert view_of(parse_list(data), ListKind.ITL, data).tftp == {fingerprint("cm-pub-ec384")}


def test_a_record_with_the_certificate_of_another_is_an_unknown_layout() -> None:
    data = signed(RECORDS[0], attrs.evolve(RECORDS[1], certificate=der("cm-pub-g1")))
    with pytest.raises(UnknownLayout, match=r"as its record says"):
        view_of(parse_list(data), ListKind.ITL, data)


def test_roles_say_who_may_do_what() -> None:
    certificate = RECORDS[1].certificate
    assert certificate is not None
    key = fingerprint_of(certificate)
    seen = {}
    for role in TrustRole:
        data = signed(RECORDS[0], record_of(certificate, role))
        view = view_of(parse_list(data), ListKind.ITL, data)
        seen[role] = {name for name in ("sast", "tftp", "ccm", "pin") if key in getattr(view, name)}
    assert seen == {
        TrustRole.SAST: {"sast"},
        TrustRole.CCM: {"ccm"},
        TrustRole.CCM_TFTP: {"tftp", "ccm"},
        TrustRole.TFTP: {"tftp"},
        TrustRole.CAPF: set(),
        TrustRole.APP_SERVER: set(),
        TrustRole.TVS: {"pin"},
    }


# ── what cannot be written ───────────────────────────────────────────────────────────────────────


def test_there_is_no_code_for_a_3072_bit_signer() -> None:
    key = rsa.generate_private_key(65537, 3072)
    with pytest.raises(ValueError, match="3072"):
        write_list(
            ListKind.ITL,
            (),
            SIGNER.der,
            key,
            digest_algorithm=DigestAlgorithm.SHA512,
            timestamp=WHEN,
        )


@pytest.mark.parametrize(
    "record",
    [
        TrustRecord(role=0, dns_name="a\0b"),
        TrustRecord(role=0, dns_name="a" * 70_000),
        TrustRecord(role=0, public_key=bytes(40_000), signature=bytes(40_000)),
    ],
    ids=["a NUL", "a long value", "a long record"],
)
def test_what_does_not_fit_the_layout_is_not_written(record: TrustRecord) -> None:
    with pytest.raises(ValueError, match=r"holds"):
        signed(record)
