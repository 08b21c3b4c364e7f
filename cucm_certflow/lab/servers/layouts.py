"""How the platform command line prints things: text only, nothing is decided here.

Layouts are those of captures from real nodes, except what a comment calls the lab's invention.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from cucm_certflow.lab.physics.world import Cert, TrustList
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.lab.servers.service_catalogue import REASONS, Listed, Reason, Standing
from cucm_certflow.names import CertUnit, ListKind, Product, Release

__all__ = [
    "banner",
    "certificate",
    "full_version",
    "missing_list",
    "network_cluster",
    "regen_warning",
    "service_banner",
    "service_list",
    "sql_table",
    "trust_list",
]

_OLD_UP_TO: Final = (11, 5)
_SHORT_ROWS_UP_TO: Final = (9, 1)
_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun",
                  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")  # fmt: skip
_FULL_DOTS: Final = 3


def full_version(release: Release) -> str:
    """The whole version; the lab's invention, if the scenario gives no more than ``11.5``."""
    if release.full.count(".") >= _FULL_DOTS:
        return release.full
    return f"{release.major}.{release.minor}.1.10000-22"


def _date(instant: datetime, *, zone: bool = True) -> str:
    """As Java and ctime print it: ``Sun Jul 08 13:05:19 UTC 2018``."""
    clock = f"{instant:%H:%M:%S}" + (" UTC" if zone else "")
    day = f"{instant.day:02d}" if zone else f"{instant.day}"
    return (
        f"{_WEEKDAYS[instant.weekday()]} {_MONTHS[instant.month - 1]} {day} {clock} {instant.year}"
    )


def banner() -> str:
    """What follows the Welcome line."""
    return (
        "VMware Installation:\n"
        "\t2 vCPU: Intel(R) Xeon(R) CPU E5-2643 0 @ 3.30GHz\n"
        "\tDisk 1: 110GB, Partitions aligned\n"
        "\t8192 Mbytes RAM\n"
    )


def network_cluster(scenario: Scenario, node: str, since: datetime) -> str:
    """``show network cluster`` on *node*: as 9.x prints it, or as 10.x and later do."""
    lines: list[str] = []
    seen_cups = False
    is_short = scenario.release.short <= _SHORT_ROWS_UP_TO
    for spec in scenario.nodes:
        role = "Publisher" if spec.publisher else "Subscriber"
        is_cups = spec.product is Product.IM_PRESENCE
        db = "DBPub" if spec.publisher or (is_cups and not seen_cups) else "DBSub"
        seen_cups |= is_cups
        long = f"{spec.product.value} {db} "
        if is_short:
            names, long = spec.name, ""
        else:
            names = f"{spec.name}.{scenario.domain} {spec.name}"
        when = _date(since, zone=False)
        if spec.name in scenario.health.unauthenticated:
            state = f"not authenticated - INITIATOR since {when}"
        elif spec.name == node:
            state = "authenticated"
        else:
            state = f"authenticated using TCP since {when}"
        lines.append(f"{spec.address} {names} {role} {long}{state}")
    if not is_short:
        lines += ["", "Server Table (processnode) Entries", "-" * 34]
        lines += [spec.name for spec in scenario.nodes]
    return "\n".join(lines) + "\n"


def service_list(rows: Sequence[tuple[Listed, Standing]], *, is_publisher: bool) -> str:
    """``utils service list``: the system's block, the noise, and the services.

    That a service which somebody has stopped is "Commanded Out of Service" is known from Control
    Center's reason codes; that the command line says the same is an inference.
    """
    lines = ["Requesting service status, please wait..."]
    for entry, now in rows:
        if entry.name in _UPPER_BLOCK:
            detail = " Service Activated" if now.reason is Reason.NOT_RUNNING else ""
            lines.append(f"{entry.name} [{now.status.value}]{detail}")
    lines += ["Service Manager is running", "Getting list of all services", ">> Return code = 0"]
    # What is not activated comes last.
    for entry, now in sorted(rows, key=lambda row: row[1].reason is Reason.NOT_ACTIVATED):
        if entry.name not in _UPPER_BLOCK:
            detail = "" if now.reason is Reason.NONE else f"  {REASONS[now.reason]}"
            lines.append(f"{entry.name}[{now.status.value}]{detail}")
    lines += [f"Primary Node ={'true' if is_publisher else 'false'}", "Command successful"]
    return "\n".join(lines) + "\n"


_UPPER_BLOCK: Final = frozenset(
    {"System SSH", "Cluster Manager", "Name Service Cache", "Password Reset", "A Cisco DB"}
)


def service_banner(release: Release, old: str, new: str) -> str:
    """What ``utils service restart`` says first: up to 11.5, and later; that of stop is inferred.

    Args:
        release: Whose words.
        old: ``RESTARTED`` or ``STOPPED``.
        new: ``restarting`` or ``stopping``.
    """
    if release.short <= _OLD_UP_TO:
        return (
            f" Don't press Ctrl-c while the service is getting {old}.If Service has not "
            f"{old.title()} Properly, execute the same Command Again"
        )
    return (
        f"Do not press Ctrl+C while the service is {new}. If the service has not {old.lower()} "
        "properly, execute the same command again."
    )


def regen_warning(unit: CertUnit) -> str:
    """The warning of ``set cert regen``.

    Known for tomcat and ITLRecovery; that the others have tomcat's is the lab's invention.
    """
    if unit is CertUnit.ITLRECOVERY:
        return (
            "\nWARNING: If you are using a tokenless CTL and if the CallManager certificate is "
            "recently \ngenerated, please ensure that the CTL File already has the new CallManager "
            "certificate and is\nupdated to the endpoints, before generating the ITL Recovery "
            "certificate. Are you sure want \nto proceed?\n\n"
        )
    return (
        "\nWARNING: This operation will overwrite any CA signed certificate previously imported "
        f"for  {unit.value}\n"
    )


def certificate(der: bytes, pem: str) -> str:
    """``show cert own``: nested brackets, and the PEM on the line of the last one.

    Captures are of RSA keys. What is printed of an EC key is the lab's invention, by analogy.
    """
    cert = x509.load_der_x509_certificate(der)
    key = cert.public_key()
    kind, signed_by, key_value = "RSA (1.2.840.113549.1.1.1)", "RSA", b""
    if isinstance(key, RSAPublicKey):
        key_value = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    elif isinstance(key, EllipticCurvePublicKey):
        kind, signed_by = "EC (1.2.840.10045.2.1)", "ECDSA"
        key_value = key.public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
    algorithm = cert.signature_hash_algorithm
    digest = "NONE" if algorithm is None else algorithm.name.upper()
    lines = [
        "[",
        "  Version: V3",
        f"  Serial Number: {cert.serial_number:X}",
        f"  SignatureAlgorithm: {digest}with{signed_by} "
        f"({cert.signature_algorithm_oid.dotted_string})",
        f"  Issuer Name: {_name(cert.issuer, ', ')}",
        f"  Validity From: {_date(cert.not_valid_before_utc)}",
        f"           To:   {_date(cert.not_valid_after_utc)}",
        f"  Subject Name: {_name(cert.subject, ', ')}",
        f"  Key: {kind}",
        f"    Key value: {key_value.hex()}",
        f"  Extensions: {len(cert.extensions)} present",
    ]
    for extension in cert.extensions:
        name = type(extension.value).__name__
        lines += [
            "  [",
            f"     Extension: {name} (OID.{extension.oid.dotted_string})",
            f"     Critical: {str(extension.critical).lower()}",
            "  ]",
        ]
    lines += ["", "  Signature:", *_dump(cert.signature), ""]
    return "\n".join(lines) + f"\n]{pem.strip()}\n"


def _dump(data: bytes) -> list[str]:
    rows: list[str] = []
    for offset in range(0, len(data), 16):
        row = data[offset : offset + 16]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)  # noqa: PLR2004 - ASCII
        rows.append(f"  {offset:04x}: {row.hex(' ')} [{text}]")
    return rows


def _name(name: x509.Name, separator: str) -> str:
    """In reverse order of the DER, as the captures have it."""
    return separator.join(part.rfc4514_string() for part in reversed(list(name.rdns)))


def missing_list(kind: ListKind) -> str:
    """``show ctl`` without a file; for ``show itl`` by analogy, the lab's invention."""
    word = kind.value
    return (
        f"Length of {word} file: 0\n"
        f"{word} File not found . Please run CTLClient plugin or run the CLI - utils ctl.. to "
        f"generate the {word} file.\n"
        f"Error parsing the {word} File.\n"
    )


def trust_list(
    served: TrustList, data: bytes, ders: Mapping[Cert, bytes], modified: datetime
) -> str:
    """``show ctl``; ``show itl`` in the same layout, by analogy: the lab's invention.

    Row 12 of the header, the signature's hexadecimal dump, is left out.
    """
    word = served.kind.value
    signer = x509.load_der_x509_certificate(ders[served.signer])
    lines = [
        f"The checksum value of the {word} file:",
        f"{hashlib.md5(data, usedforsecurity=False).hexdigest()}(MD5)",
        f"{hashlib.sha1(data, usedforsecurity=False).hexdigest()}(SHA1)",
        "",
        f"Length of {word} file: {len(data)}",
        f"The {word} File was last modified on {_date(modified)}",
        "",
        f"Parse {word} File",
        "----------------",
        "",
        "Version:        1.2",
        f"HeaderLength:   {int.from_bytes(data[6:8], 'big') if len(data) > 8 else 0} (BYTES)",  # noqa: PLR2004 - where the header's length stands
        "",
        *_TABLE_HEAD,
        "3       SIGNERID        2       149",
        f"4       SIGNERNAME      {len(_list_name(signer.subject))}      "
        f"{_list_name(signer.subject)}",
        f"5       SERIALNUMBER    16      {_serial(signer)}",
        f"6       CANAME          {len(_list_name(signer.issuer))}      "
        f"{_list_name(signer.issuer)}",
        "7       SIGNATUREINFO   2       15",
        "8       DIGESTALGORTITHM        1",
        "9       SIGNATUREALGOINFO       2       8",
        "10      SIGNATUREALGORTITHM     1",
        "11      SIGNATUREMODULUS        1",
        "14      FILENAME        12",
        "15      TIMESTAMP       4",
        "",
    ]
    for number, (cert, function) in enumerate(_records(served), 1):
        lines += _record(word, number, cert, function, ders[cert])
        if function == _SAST:
            used = "was" if cert == served.signer else "was not"
            lines.append(f"This etoken {used} used to sign the {word} file.")
        lines.append("")
    lines.append(f"The {word} file was verified successfully.")
    return "\n".join(lines) + "\n"


_TABLE_HEAD: Final = (
    "BYTEPOS TAG             LENGTH  VALUE",
    "------- ---             ------  -----",
)
_SAST: Final = "System Administrator Security Token"


def _records(served: TrustList) -> list[tuple[Cert, str]]:
    both = served.ccm & served.tftp
    functions = (
        (served.sast, _SAST),
        (both, "CCM+TFTP"),
        (served.ccm - both, "CCM"),
        (served.tftp - both, "TFTP"),
        (served.capf, "CAPF"),
        (frozenset(c for c in served.pin if c.unit is CertUnit.TVS), "TVS"),
    )
    return [(cert, function) for certs, function in functions for cert in sorted(certs)]


def _record(word: str, number: int, cert: Cert, function: str, der: bytes) -> list[str]:
    parsed = x509.load_der_x509_certificate(der)
    subject, issuer = _list_name(parsed.subject), _list_name(parsed.issuer)
    digest = parsed.fingerprint(hashes.SHA1())  # noqa: S303 - what the command prints
    return [
        f"{word} Record #:{number}",
        "----",
        "",
        *_TABLE_HEAD,
        f"1       RECORDLENGTH    2       {len(der) + 460}",
        f"2       DNSNAME         {len(cert.node) + 1}      {cert.node}",
        f"3       SUBJECTNAME     {len(subject)}      {subject}",
        f"4       FUNCTION        2       {function}",
        f"5       ISSUERNAME      {len(issuer)}      {issuer}",
        f"6       SERIALNUMBER    16      {_serial(parsed)}",
        "7       PUBLICKEY       270",
        "8       SIGNATURE       256",
        f"9       CERTIFICATE     {len(der)}     {digest.hex(' ').upper()} (SHA1 Hash HEX)",
        "10      IPADDRESS       4",
    ]


def _list_name(name: x509.Name) -> str:
    return ";".join(part.rfc4514_string() for part in reversed(list(name.rdns)))


def _serial(cert: x509.Certificate) -> str:
    text = f"{cert.serial_number:X}"
    text = text.zfill(len(text) + len(text) % 2)
    return ":".join(text[i : i + 2] for i in range(0, len(text), 2))


def sql_table(names: Sequence[str], rows: Sequence[Sequence[str | None]]) -> str:
    """``run sql``: names, a rule that gives the widths, rows; every line ends in a space."""
    cells = [["NULL" if value is None else value for value in row] for row in rows]
    widths = [
        max([len(name), *(len(row[column]) for row in cells)]) for column, name in enumerate(names)
    ]

    def line(values: Sequence[str]) -> str:
        return "".join(f"{v:<{w}} " for v, w in zip(values, widths, strict=True))

    table = [line(names), line(["=" * width for width in widths]), *(line(row) for row in cells)]
    return "\n".join(table) + "\n"
