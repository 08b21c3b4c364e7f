"""Trust-list files, ITLFile.tlv and CTLFile.tlv: read, checked, looked at, written.

The layout is trust lists §1 of the design documents. Reading is tolerant about order and unknown
tags and strict about lengths; a list that cannot be verified is never looked at.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import attrs
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from cucm_certflow.errors import UnknownLayout
from cucm_certflow.facts import ListView
from cucm_certflow.names import ListKind, TrustRole
from cucm_certflow.trust.signed import HASHES, DigestAlgorithm, sign_file
from cucm_certflow.trust.tlv import (
    LONGEST,
    Field,
    HeaderTag,
    RecordTag,
    misread,
    read_header,
    read_records,
    text_bytes,
    tlv_bytes,
)
from cucm_certflow.trust.x509 import (
    fingerprint_of,
    load_der,
    normalised_name,
    same_name,
    serial_text,
)

__all__ = [
    "DigestAlgorithm",
    "TrustListFile",
    "TrustRecord",
    "parse_list",
    "record_of",
    "signature_is_valid",
    "view_of",
    "write_list",
]


@attrs.frozen(kw_only=True)
class TrustRecord:
    """One record; None stands for a tag that it does not have."""

    role: TrustRole | int
    dns_name: str | None = None
    subject: str | None = None
    issuer: str | None = None
    serial: str | None = None
    public_key: bytes | None = attrs.field(default=None, repr=False)
    signature: bytes | None = attrs.field(default=None, repr=False)
    certificate: bytes | None = attrs.field(default=None, repr=False)
    ip_address: str | None = None


@attrs.frozen(kw_only=True)
class TrustListFile:
    """A trust list as it is written; names are the writer's, see :func:`view_of` for identity."""

    version: str
    header_length: int
    signer_name: str
    signer_serial: str
    signer_issuer: str
    digest_algorithm: DigestAlgorithm
    signature: bytes = attrs.field(repr=False)
    filename: str
    timestamp: datetime
    records: tuple[TrustRecord, ...]


_ISSUES_ETOKENS: Final = "cn=cisco manufacturing ca"
"""Who issues the certificates of USB tokens (TAC 118893: ``cn=Cisco Manufacturing CA``)."""

_RSA: Final = 0
_ADDRESS_SIZES: Final = (4, 16)
_MAJOR: Final = 1
_LIST_VERSION: Final = (1, 2)


# ── reading ───────────────────────────────────────────────────────────────────────────────


def parse_list(data: bytes) -> TrustListFile:
    """The trust list in *data*; nothing is said about its signature.

    Raises:
        UnknownLayout: with the offset, what was expected there and what was seen.
    """
    header = read_header(data)

    def needed(tag: int, name: str) -> Field:
        if tag not in header.fields:
            raise misread(header.length, f"a header with tag {tag}, {name}", "none")
        return header.fields[tag]

    version = needed(HeaderTag.VERSION, "the version")
    major, minor = divmod(version.number(2), 256)
    if major != _MAJOR:
        raise misread(version.start, "version 1", f"{major}.{minor}")
    algorithm = header.fields.get(HeaderTag.SIGNATURE_ALGORITHM)
    if algorithm is not None and algorithm.number(1) != _RSA:
        raise misread(algorithm.start, "signature algorithm 0, RSA", str(algorithm.number(1)))
    digest = needed(HeaderTag.DIGEST_ALGORITHM, "the digest algorithm")
    if digest.number(1) not in set(DigestAlgorithm):
        expected = "digest algorithm 1, 2 or 3"
        raise misread(digest.start, expected, str(digest.number(1)))
    seconds = needed(HeaderTag.TIMESTAMP, "the timestamp").number(4)
    return TrustListFile(
        version=f"{major}.{minor}",
        header_length=header.length,
        signer_name=needed(HeaderTag.SIGNER_NAME, "the signer's name").text(),
        signer_serial=needed(HeaderTag.SERIAL_NUMBER, "the signer's serial").serial(),
        signer_issuer=needed(HeaderTag.CA_NAME, "the signer's issuer").text(),
        digest_algorithm=DigestAlgorithm(digest.number(1)),
        signature=needed(HeaderTag.SIGNATURE, "the signature").value,
        filename=needed(HeaderTag.FILENAME, "the name of the file").text(),
        timestamp=datetime.fromtimestamp(seconds, UTC),
        records=tuple(_record(at, fields) for at, fields in read_records(data, header.length)),
    )


def _record(at: int, fields: Mapping[int, Field]) -> TrustRecord:
    def text(tag: int) -> str | None:
        return fields[tag].text() if tag in fields else None

    def raw(tag: int) -> bytes | None:
        return (fields[tag].value or None) if tag in fields else None

    if RecordTag.FUNCTION not in fields:
        raise misread(at, "a record with tag 4, its role", "none")
    number = fields[RecordTag.FUNCTION].number(2)
    address = fields.get(RecordTag.IP_ADDRESS)
    if address is not None and len(address.value) not in _ADDRESS_SIZES:
        raise misread(address.start, "an address of 4 or 16 bytes", f"{len(address.value)}")
    serial = fields.get(RecordTag.SERIAL_NUMBER)
    return TrustRecord(
        role=TrustRole(number) if number in set(TrustRole) else number,
        dns_name=text(RecordTag.DNS_NAME),
        subject=text(RecordTag.SUBJECT_NAME),
        issuer=text(RecordTag.ISSUER_NAME),
        serial=None if serial is None else serial.serial(),
        public_key=raw(RecordTag.PUBLIC_KEY),
        signature=raw(RecordTag.SIGNATURE),
        certificate=raw(RecordTag.CERTIFICATE),
        ip_address=None if address is None else str(ipaddress.ip_address(address.value)),
    )


# ── checking ──────────────────────────────────────────────────────────────────────────────


def _possible_signers(file: TrustListFile) -> Iterator[TrustRecord]:
    """The SAST records that the header names by serial and issuer."""
    for record in file.records:
        if (
            record.role == TrustRole.SAST
            and record.serial == file.signer_serial
            and record.issuer is not None
            and same_name(record.issuer, file.signer_issuer)
        ):
            yield record


def _key_bytes(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey) -> bytes:
    if isinstance(key, rsa.RSAPublicKey):
        return key.public_bytes(Encoding.DER, PublicFormat.PKCS1)
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _signer_key(record: TrustRecord) -> rsa.RSAPublicKey | None:
    """The key of *record*; None if it has none, or two that differ."""
    try:
        if record.certificate is not None:
            key: object = load_der(record.certificate).public_key()
        else:
            key = load_der_public_key(record.public_key or b"")
    except (UnknownLayout, ValueError, TypeError, UnsupportedAlgorithm):
        return None
    if not isinstance(key, rsa.RSAPublicKey):
        return None
    return key if record.public_key in (None, _key_bytes(key)) else None


def _signer(data: bytes, file: TrustListFile) -> TrustRecord | None:
    """The SAST record whose key made the signature over *data*."""
    if parse_list(data) != file:
        return None
    cut = read_header(data).fields[HeaderTag.SIGNATURE]
    signed = data[: cut.start] + data[cut.end :]
    for record in _possible_signers(file):
        key = _signer_key(record)
        if key is None or (key.key_size + 7) // 8 != len(file.signature):
            continue
        try:
            key.verify(file.signature, signed, padding.PKCS1v15(), HASHES[file.digest_algorithm])
        except (InvalidSignature, UnsupportedAlgorithm, ValueError):
            continue
        return record
    return None


def signature_is_valid(data: bytes, file: TrustListFile) -> bool:
    """Whether the SAST record that the header of *file* names has signed *data*.

    RSASSA-PKCS1-v1_5 over the whole file without the field of tag 12. False also if *file* is not
    what *data* holds, or if no SAST record is the signer's.

    Raises:
        UnknownLayout: *data* is no trust list.
    """
    return _signer(data, file) is not None


# ── looking ───────────────────────────────────────────────────────────────────────────────


def _identity(record: TrustRecord) -> str | None:
    """The certificate's fingerprint; without one, a key's serial and issuer; else None."""
    if record.certificate is None:
        if record.public_key is None or record.serial is None or record.issuer is None:
            return None
        return f"serial {record.serial} issuer {record.issuer}"
    serial = serial_text(load_der(record.certificate).serial_number)
    if record.serial is not None and record.serial != serial:
        expected = f"a certificate with serial {record.serial}, as its record says"
        raise misread(0, expected, f"serial {serial}")
    return fingerprint_of(record.certificate)


def view_of(file: TrustListFile, kind: ListKind, data: bytes) -> ListView:
    """What *file*, read from *data*, says.

    Records without certificate and key, as ``utils ctl set-cluster non-secure-mode`` leaves them,
    say nothing.

    Raises:
        UnknownLayout: it is a list of the other kind, it is not signed by a SAST record of its
            own, or a certificate in it cannot be read or is not the one of its record.
    """
    name = file.filename.lower()
    if not (name.startswith(kind.value.lower()) and name.endswith(".tlv")):
        raise misread(0, f"{kind.file_name} as the name in the header", repr(file.filename))
    signer = _signer(data, file)
    if signer is None:
        expected = "a signature by the SAST record that the header names"
        saw = f"none that is valid; named is serial {file.signer_serial}, {file.signer_issuer}"
        raise misread(0, expected, saw)
    identity = _identity(signer)
    assert identity is not None  # it has a key, a serial and an issuer

    def having(*roles: TrustRole) -> frozenset[str]:
        found = {_identity(record) for record in file.records if record.role in roles}
        return frozenset(key for key in found if key is not None)

    return ListView(
        kind=kind,
        signer=identity,
        sast=having(TrustRole.SAST),
        tftp=having(TrustRole.TFTP, TrustRole.CCM_TFTP),
        ccm=having(TrustRole.CCM, TrustRole.CCM_TFTP),
        pin=having(TrustRole.TVS),
        digest=hashlib.sha1(data, usedforsecurity=False).hexdigest(),
        capf=having(TrustRole.CAPF),
        token=_ISSUES_ETOKENS in (signer.issuer or "").lower(),
        records=len(file.records),
        size=len(data),
    )


# ── writing ───────────────────────────────────────────────────────────────────────────────


def record_of(
    certificate: bytes,
    role: TrustRole | int,
    *,
    dns_name: str | None = None,
    ip_address: str | None = None,
) -> TrustRecord:
    """The record that CUCM writes for *certificate* in *role*.

    Raises:
        UnknownLayout: *certificate* cannot be read.
    """
    loaded = load_der(certificate)
    key = loaded.public_key()
    assert isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey)  # load_der saw to it
    return TrustRecord(
        role=role,
        dns_name=dns_name,
        subject=normalised_name(loaded.subject),
        issuer=normalised_name(loaded.issuer),
        serial=serial_text(loaded.serial_number),
        public_key=_key_bytes(key),
        signature=loaded.signature,
        certificate=certificate,
        ip_address=ip_address,
    )


def _record_bytes(record: TrustRecord) -> bytes:
    parts: list[bytes] = []
    if record.dns_name is not None:
        parts.append(text_bytes(RecordTag.DNS_NAME, record.dns_name))
    if record.subject is not None:
        parts.append(text_bytes(RecordTag.SUBJECT_NAME, record.subject))
    parts.append(tlv_bytes(RecordTag.FUNCTION, int(record.role).to_bytes(2)))
    if record.issuer is not None:
        parts.append(text_bytes(RecordTag.ISSUER_NAME, record.issuer))
    if record.serial is not None:
        parts.append(tlv_bytes(RecordTag.SERIAL_NUMBER, bytes.fromhex(record.serial)))
    for tag, value in (
        (RecordTag.PUBLIC_KEY, record.public_key),
        (RecordTag.SIGNATURE, record.signature),
        (RecordTag.CERTIFICATE, record.certificate),
    ):
        if value is not None:
            parts.append(tlv_bytes(tag, value))
    if record.ip_address is not None:
        packed = ipaddress.ip_address(record.ip_address).packed
        parts.append(tlv_bytes(RecordTag.IP_ADDRESS, packed))
    body = b"".join(parts)
    length = len(tlv_bytes(RecordTag.RECORD_LENGTH, bytes(2))) + len(body)
    if length > LONGEST:
        message = f"a record holds at most {LONGEST} bytes, not {length}"
        raise ValueError(message)
    return tlv_bytes(RecordTag.RECORD_LENGTH, length.to_bytes(2)) + body


def write_list(
    kind: ListKind,
    entries: Sequence[TrustRecord],
    signer_certificate: bytes,
    signer_private_key: rsa.RSAPrivateKey,
    *,
    digest_algorithm: DigestAlgorithm,
    timestamp: datetime,
) -> bytes:
    """The file that CUCM would write, in its order, signed; for the lab and for tests.

    Raises:
        ValueError: a value is too long, a name holds a NUL, or the layout has no code for keys of
            this size (there is none for 3072 bits).
        UnknownLayout: *signer_certificate* cannot be read.
    """
    return sign_file(
        kind.file_name,
        b"".join(_record_bytes(entry) for entry in entries),
        signer_certificate,
        signer_private_key,
        version=_LIST_VERSION,
        digest_algorithm=digest_algorithm,
        timestamp=timestamp,
    )
