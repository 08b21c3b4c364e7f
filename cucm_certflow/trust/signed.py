"""Files that a node signs with a header of tags: how they are signed, and who signed one.

Trust lists are such files, and so are configuration files (``SEP….cnf.xml.sgn``). The layout of the
latter is that of files made by public tools; no genuine one was read (trust lists §2).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import IntEnum
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from cucm_certflow.trust.tlv import HeaderTag, misread, read_header, text_bytes, tlv_bytes
from cucm_certflow.trust.x509 import load_der, normalised_name, serial_text

__all__ = ["CONFIGURATION_VERSION", "HASHES", "DigestAlgorithm", "sign_file", "signer_serial"]

_RSA: Final = 0
_MODULUS: Final = {64: 0, 128: 1, 256: 2, 512: 3}
CONFIGURATION_VERSION: Final = (1, 0)
"""The version in the header of a configuration file."""


class DigestAlgorithm(IntEnum):
    """DIGESTALGORITHM of the header."""

    SHA1 = 1
    SHA256 = 2
    SHA512 = 3


HASHES: Final[Mapping[DigestAlgorithm, hashes.HashAlgorithm]] = {
    DigestAlgorithm.SHA1: hashes.SHA1(),  # noqa: S303 - what lists up to 11.5 are signed with
    DigestAlgorithm.SHA256: hashes.SHA256(),
    DigestAlgorithm.SHA512: hashes.SHA512(),
}


def signer_serial(data: bytes) -> str:
    """The serial number of the certificate whose key signed the file, in upper-case hex.

    It says who signed by the header alone; whether the signature holds, a phone checks.

    Raises:
        UnknownLayout: with the offset, what was expected there and what was seen.
    """
    header = read_header(data)
    field = header.fields.get(HeaderTag.SERIAL_NUMBER)
    if field is None:
        raise misread(header.length, "a header with tag 5, the signer's serial", "none")
    return field.serial()


def sign_file(
    name: str,
    body: bytes,
    signer_certificate: bytes,
    signer_private_key: rsa.RSAPrivateKey,
    *,
    version: tuple[int, int],
    digest_algorithm: DigestAlgorithm,
    timestamp: datetime,
) -> bytes:
    """*body* behind a header that names and signs it, in CUCM's order of tags.

    Raises:
        ValueError: a value is too long, a name holds a NUL, or the layout has no code for keys of
            this size (there is none for 3072 bits).
        UnknownLayout: *signer_certificate* cannot be read.
    """
    tag = HeaderTag
    signer = load_der(signer_certificate)
    size = (signer_private_key.key_size + 7) // 8
    if size not in _MODULUS:
        message = f"a key of 512, 1024, 2048 or 4096 bits signs a list, not one of {size * 8}"
        raise ValueError(message)
    serial = bytes.fromhex(serial_text(signer.serial_number))
    signer_id = text_bytes(tag.SIGNER_NAME, normalised_name(signer.subject))
    signer_id += tlv_bytes(tag.SERIAL_NUMBER, serial)
    signer_id += text_bytes(tag.CA_NAME, normalised_name(signer.issuer))
    algorithm = tlv_bytes(tag.SIGNATURE_ALGORITHM, bytes((_RSA,)))
    algorithm += tlv_bytes(tag.SIGNATURE_MODULUS, bytes((_MODULUS[size],)))
    info = tlv_bytes(tag.DIGEST_ALGORITHM, bytes((digest_algorithm,)))
    info += tlv_bytes(tag.SIGNATURE_ALGORITHM_INFO, algorithm)
    front = tlv_bytes(tag.SIGNER_ID, signer_id) + tlv_bytes(tag.SIGNATURE_INFO, info)
    back = text_bytes(tag.FILENAME, name)
    back += tlv_bytes(tag.TIMESTAMP, int(timestamp.timestamp()).to_bytes(4))
    start = tlv_bytes(tag.VERSION, bytes(version))
    unpadded = 2 * len(start) + len(front) + len(tlv_bytes(tag.SIGNATURE, bytes(size))) + len(back)
    pad = -unpadded % 4
    before = start + tlv_bytes(tag.HEADER_LENGTH, (unpadded + pad).to_bytes(2)) + front
    after = back + bytes((tag.PAD,)) * pad + body
    signature = signer_private_key.sign(
        before + after, padding.PKCS1v15(), HASHES[digest_algorithm]
    )
    return before + tlv_bytes(tag.SIGNATURE, signature) + after
