"""Certificates as the library knows them, read from DER or PEM."""

from __future__ import annotations

import hashlib
import warnings
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from cucm_certflow.errors import Report, UnknownLayout
from cucm_certflow.facts import Certificate
from cucm_certflow.names import KeyAlgorithm

__all__ = [
    "certificate_from_der",
    "certificate_from_pem",
    "fingerprint_of",
    "load_der",
    "normalised_name",
    "normalised_pem",
    "same_name",
    "serial_text",
]

_PREFIX: Final = 2  # tag and short length in DER
_BEGIN: Final = "-----BEGIN CERTIFICATE-----"
_UNREADABLE: Final = (
    ValueError,
    KeyError,  # before cryptography 50: a name whose string is of no type that there is
    TypeError,
    OverflowError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
_ORDER: Final = (
    (NameOID.COMMON_NAME, "CN"),
    (NameOID.ORGANIZATIONAL_UNIT_NAME, "OU"),
    (NameOID.ORGANIZATION_NAME, "O"),
    (NameOID.LOCALITY_NAME, "L"),
    (NameOID.STATE_OR_PROVINCE_NAME, "ST"),
    (NameOID.COUNTRY_NAME, "C"),
)
_FIRST: Final = tuple(oid for oid, _ in _ORDER)


def fingerprint_of(der: bytes) -> str:
    """The identity of a certificate: SHA-256 of its DER, lower-case hex."""
    return hashlib.sha256(der).hexdigest()


def serial_text(serial: int) -> str:
    """*serial* as upper-case hex of whole bytes, as trust lists and ``openssl`` have it."""
    if serial < 0:
        message = f"a serial number is never negative, saw {serial}"
        raise ValueError(message)
    return serial.to_bytes(max(1, (serial.bit_length() + 7) // 8)).hex().upper()


def normalised_name(name: x509.Name) -> str:
    """*name* as trust lists write it: ``CN=…;OU=…;O=…;L=…;ST=…;C=…``, whatever its own order."""
    parts = [
        f"{short}={_value(attribute)}"
        for oid, short in _ORDER
        for attribute in name.get_attributes_for_oid(oid)
    ]
    parts += [
        f"{attribute.rfc4514_attribute_name}={_value(attribute)}"
        for attribute in name
        if attribute.oid not in _FIRST
    ]
    return ";".join(parts)


def _value(attribute: x509.NameAttribute[str | bytes]) -> str:
    value = attribute.value
    return value if isinstance(value, str) else value.hex()


def same_name(one: str, other: str) -> bool:
    """Whether two names of trust lists say the same; order and separator are the writer's own."""
    return _parts(one) == _parts(other)


def _parts(name: str) -> list[str]:
    return sorted(part.strip() for part in name.replace(",", ";").split(";"))


def _refuse(expected: str, saw: str) -> UnknownLayout:
    return UnknownLayout(
        Report(
            headline="the certificate cannot be read",
            expected=expected,
            saw=saw,
            left="nothing was concluded from it",
        )
    )


def load_der(der: bytes) -> x509.Certificate:
    """*der* parsed, with every part that the library uses seen to be readable.

    Raises:
        UnknownLayout: it is no certificate, or none with an RSA or EC key.
    """
    try:
        with warnings.catch_warnings():
            # Old certificates are no fault of whoever runs this; what is wrong with them is
            # either seen below or of no matter to trust.
            warnings.simplefilter("ignore")
            loaded = x509.load_der_x509_certificate(der)
            serial_text(loaded.serial_number)
            _ = loaded.subject, loaded.issuer, loaded.signature
            _ = loaded.not_valid_before_utc, loaded.not_valid_after_utc, _names_in(loaded)
            key = loaded.public_key()
    except _UNREADABLE as e:
        raise _refuse("an X.509 certificate as DER", f"{len(der)} bytes: {e}") from e
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        raise _refuse("an RSA or EC key", type(key).__name__)
    return loaded


def _names_in(loaded: x509.Certificate) -> tuple[str, ...]:
    """The DNS names of its subject alternative name, in their order; empty without one.

    Raises:
        ValueError: Its extensions cannot be read, and so nobody knows.
    """
    try:
        found = loaded.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return tuple(found.value.get_values_for_type(x509.DNSName))


def _is_self_signed(loaded: x509.Certificate) -> bool:
    """Issuer and subject are one, and its own key made its signature, as far as can be told.

    ``verify_directly_issued_by`` would refuse SHA-1, which old certificates are signed with.
    """
    if loaded.issuer != loaded.subject:
        return False
    key = loaded.public_key()
    signed, signature = loaded.tbs_certificate_bytes, loaded.signature
    der = loaded.public_bytes(Encoding.DER)
    behind = der[der.index(signed) + len(signed) :]
    if behind[: _PREFIX + behind[1]] not in signed:
        return False  # the algorithm that the signature does not cover is not the covered one
    try:
        digest = loaded.signature_hash_algorithm
        scheme = loaded.signature_algorithm_parameters
        if isinstance(key, rsa.RSAPublicKey):
            if digest is None or not isinstance(scheme, padding.PKCS1v15 | padding.PSS):
                return False
            key.verify(signature, signed, scheme, digest)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            if not isinstance(scheme, ec.ECDSA):
                return False
            key.verify(signature, signed, scheme)
    except UnsupportedAlgorithm:
        return True  # a hash that this OpenSSL no longer computes: the names have to do
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def certificate_from_der(der: bytes) -> Certificate:
    """The certificate whose encoding is *der*.

    Raises:
        UnknownLayout: it is no certificate, or none with an RSA or EC key.
    """
    loaded = load_der(der)
    key = loaded.public_key()
    assert isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey)  # load_der saw to it
    return Certificate(
        fingerprint=fingerprint_of(der),
        serial=serial_text(loaded.serial_number),
        subject=normalised_name(loaded.subject),
        issuer=normalised_name(loaded.issuer),
        not_before=loaded.not_valid_before_utc,
        not_after=loaded.not_valid_after_utc,
        self_signed=_is_self_signed(loaded),
        key_bits=key.key_size,
        key_algorithm=KeyAlgorithm.RSA if isinstance(key, rsa.RSAPublicKey) else KeyAlgorithm.EC,
        names=_names_in(loaded),
    )


def certificate_from_pem(text: str) -> Certificate:
    """The one certificate in *text*; what stands around it does not matter.

    Raises:
        UnknownLayout: there is none or more than one, or it cannot be read.
    """
    return certificate_from_der(_der_in(text))


def normalised_pem(text: str) -> str:
    """The one certificate in *text* as PEM: 64 characters a line, whatever way it came.

    Raises:
        UnknownLayout: there is none or more than one, or it cannot be read.
    """
    loaded = load_der(_der_in(text))
    return loaded.public_bytes(Encoding.PEM).decode("ascii")


def _der_in(text: str) -> bytes:
    count = text.count(_BEGIN)
    if count != 1:
        raise _refuse(f"one {_BEGIN}", f"{count} of them in {len(text)} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loaded = x509.load_pem_x509_certificate(text.encode())
            return loaded.public_bytes(Encoding.DER)
    except _UNREADABLE as e:
        raise _refuse("an X.509 certificate as PEM", str(e)) from e
