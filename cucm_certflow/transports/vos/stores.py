"""What a node trusts, and what is in its database, read from its command line into values.

Not verified on a node:

- no whole output of ``show cert list trust`` was found. Single lines are known, in the form of
  ``show cert list own``; whatever stands behind the colon is not used;
- no output of ``show cert trust FILE`` was found. That its argument is what the list prints before
  the colon, two public scripts agree on. One of them says that it prints no PEM: then the
  certificate is looked for in the node's own database, by serial number, issuer and subject, which
  are taken to be printed as by ``show cert own``. If that finds none, or two, there is no answer;
- how ``run sql`` prints a certificate, which has line ends of its own. Therefore PEM is looked for
  in the whole text, and columns do not matter.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from cryptography import x509

from cucm_certflow.errors import UnknownLayout
from cucm_certflow.transports.vos.parsers import own_certificate_pem, serial_printed
from cucm_certflow.transports.vos.texts import lines_of, unknown
from cucm_certflow.trust.x509 import fingerprint_of, load_der

__all__ = [
    "DATABASE_CERTIFICATES",
    "TrustFileName",
    "certificate_named",
    "database_certificates",
    "ders_in_database",
    "has_pem",
    "trusted_certificate_pem",
    "trusted_certificates",
]

DATABASE_CERTIFICATES: Final = (
    "select c.servername, tcs.name, dist.moniker, c.ipv4address, c.certificate"
    " from certificate as c"
    " inner join certificateservicecertificatemap as cscm on c.pkid=cscm.fkcertificate"
    " inner join typecertificateservice as tcs on cscm.tkcertificateservice=tcs.enum"
    " inner join typecertificatedistribution as dist on c.tkcertificatedistribution=dist.enum"
)
"""The statement by which Cisco TAC 214231 (v7.0) has all certificates listed."""


class TrustFileName(NamedTuple):
    """A line of ``show cert list trust``: ``tomcat-trust`` and ``USERTrust_….pem``."""

    store: str
    file: str


# Neither "?" nor a blank could be typed as a part of an argument.
_TRUSTED: Final = re.compile(r"(?P<store>[\w-]+-trust)/(?P<file>[^\s/?]+\.pem): ?(?:\S.*)?")


def trusted_certificates(text: str) -> tuple[TrustFileName, ...]:
    """``show cert list trust``: one line per certificate, in the order printed."""
    command = "show cert list trust"
    found: list[TrustFileName] = []
    for line in lines_of(text):
        if not line.strip():
            continue
        match = _TRUSTED.fullmatch(line.strip())
        if match is None or not line.isascii():
            raise unknown(command, line)
        found.append(TrustFileName(match["store"], match["file"]))
    if not found or len(set(found)) != len(found):
        raise unknown(command, text)  # every node trusts somebody
    return tuple(found)


def has_pem(text: str) -> bool:
    """Whether the beginning of a certificate in PEM is in *text*."""
    return _BEGIN in text


def trusted_certificate_pem(text: str) -> str:
    """``show cert trust FILE``: the certificate in PEM, read as that of ``show cert own``."""
    return own_certificate_pem(text, "show cert trust")


_HEADER: Final = re.compile(r"servername\s+name\s+moniker\s+ipv4address\s+certificate")
_RULE: Final = re.compile(r"=+(?: +=+){4}")
_BEGIN: Final = "-----BEGIN CERTIFICATE-----"
_END: Final = "-----END CERTIFICATE-----"
_BLOCK: Final = re.compile(rf"{_BEGIN}(?P<body>[A-Za-z0-9+/=\s]+){_END}")


def database_certificates(text: str) -> frozenset[str]:
    """The answer to :data:`DATABASE_CERTIFICATES`: fingerprints of the certificates in it.

    All of them, or none at all: one that is cut or damaged makes the whole unreadable. So does a
    table without any: no node's database is without certificates.
    """
    return frozenset(fingerprint_of(der) for der in ders_in_database(text))


def ders_in_database(text: str) -> tuple[bytes, ...]:
    """As :func:`database_certificates`, the certificates themselves, each once."""
    command = "run sql select … from certificate"
    lines = [line.strip() for line in lines_of(text) if line.strip()]
    ruled = len(lines) > 1 and _HEADER.fullmatch(lines[0]) and _RULE.fullmatch(lines[1])
    blocks = _BLOCK.findall(text)
    whole = text.count(_BEGIN) == text.count(_END) == len(blocks)
    # The certificate is the last column: what ends otherwise was cut.
    if not ruled or not blocks or not whole or not text.rstrip().endswith(_END):
        raise unknown(command, text)
    return tuple(dict.fromkeys(_der_of(body, command) for body in blocks))


def _der_of(body: str, command: str) -> bytes:
    try:
        der = base64.b64decode("".join(body.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise unknown(command, f"{body[:80]} ({error})") from error
    if not _is_whole(der):
        raise unknown(command, f"{body[:80]} (not the whole of a certificate)")
    return der


_SEQUENCE: Final = 0x30
_LONG_FORM: Final = 0x80
_MOST_LENGTH_BYTES: Final = 3


def _is_whole(der: bytes) -> bool:
    """Whether *der* is one DER sequence as long as it says.

    More is not asked of it: a store may hold keys and extensions that this library cannot read, and
    only the identity of the certificate is wanted.
    """
    if len(der) < 2 or der[0] != _SEQUENCE:  # noqa: PLR2004 - a tag and a length
        return False
    if der[1] < _LONG_FORM:
        return len(der) == 2 + der[1]
    count = der[1] - _LONG_FORM
    if not 0 < count <= _MOST_LENGTH_BYTES:
        return False
    return len(der) == 2 + count + int.from_bytes(der[2 : 2 + count])


_ISSUER: Final = re.compile(r"^[ \t]*Issuer(?: Name)?:(?P<name>.*)$", re.MULTILINE)
_SUBJECT: Final = re.compile(r"^[ \t]*Subject(?: Name)?:(?P<name>.*)$", re.MULTILINE)


def certificate_named(text: str, ders: Iterable[bytes]) -> bytes:
    """``show cert trust FILE`` without PEM: the one of *ders* that it describes.

    Issuer and serial number name a certificate (X.509); the subject is compared besides. The order
    of names, their labels and quotation marks are the node's own, so every value has to occur.

    Raises:
        UnknownLayout: The text has no serial number or no names, or describes none of *ders*, or
            more than one.
    """
    command = "show cert trust"
    serial = serial_printed(text)
    issuers, subjects = _ISSUER.findall(text), _SUBJECT.findall(text)
    if serial is None or len(issuers) != 1 or len(subjects) != 1:
        raise unknown(command, text)
    found = [der for der in ders if _is_described(der, serial, issuers[0], subjects[0])]
    if len(found) != 1:
        raise unknown(command, f"{text[:80]} ({len(found)} such certificates in the database)")
    return found[0]


def _is_described(der: bytes, serial: int, issuer: str, subject: str) -> bool:
    try:
        loaded = load_der(der)
    except UnknownLayout:
        return False  # one that we cannot read is not one that we could name
    return (
        loaded.serial_number == serial
        and _has_all(issuer, loaded.issuer)
        and _has_all(subject, loaded.subject)
    )


def _has_all(printed: str, name: x509.Name) -> bool:
    """Whether every value of *name*, of which there must be one, is in *printed*."""
    line = _plain(printed)
    values = [_plain(str(attribute.value)) for attribute in name]
    return bool(values) and all(value in line for value in values)


def _plain(text: str) -> str:
    return " ".join(re.sub(r'["\\]', "", text).split())
