"""What the platform command line prints, read into values; pure functions of text.

Whatever is not positively recognised raises :class:`~cucm_certflow.errors.UnknownLayout`: a guess
about a node is worse than no answer. The texts are those of a finished command, without echo and
prompt (:mod:`cucm_certflow.transports.vos.dialogue`). How well a node is, is read in
:mod:`cucm_certflow.transports.vos.health`, what it trusts in
:mod:`cucm_certflow.transports.vos.stores`; what commands say that *change* something is in
:mod:`cucm_certflow.transports.vos.results`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

import attrs
from cryptography import x509

from cucm_certflow.facts import ClusterMember, ServiceState, ServiceStatus
from cucm_certflow.names import ListKind
from cucm_certflow.transports.vos.texts import lines_of, unknown

__all__ = [
    "ListRecord",
    "OwnCertificate",
    "TrustFile",
    "network_cluster",
    "own_certificate_pem",
    "own_certificates",
    "serial_printed",
    "service_list",
    "sql_table",
    "trust_file",
    "version_active",
]


# ── the node and its cluster ──────────────────────────────────────────────────────────────

_MASTER: Final = re.compile(r"Active Master Version:\s*(\d+(?:\.\d+){2,4}(?:-\d+)?)\s*")


def version_active(text: str) -> str:
    """``show version active``: the version, such as ``15.0.1.12900-234``."""
    found = [m[1] for line in lines_of(text) if (m := _MASTER.fullmatch(line))]
    if len(found) != 1:
        raise unknown("show version active", text)
    return found[0]


_DATE: Final = r"\w{3} \w{3} +\d{1,2} \d\d:\d\d:\d\d (?:[A-Z]{2,5} )?\d{4}"
_ROW: Final = re.compile(
    r"(?P<address>[\w.:-]+)\s+(?:(?P<fqdn>[\w.-]+)\s+)?(?P<name>[\w.-]+)\s+"
    r"(?P<role>Publisher|Subscriber)\s+"
    r"(?:(?P<product>[\w-]+)\s+(?P<db>DBPub|DBSub)\s+)?"
    r"(?P<refused>not )?authenticated"
    rf"(?:\s+(?:using TCP|- INITIATOR) since {_DATE})?",
)
_ROW_BEGINS: Final = re.compile(r"[\w.:-]+\s+(?:[\w.-]+\s+){1,2}(?:Publisher|Subscriber)\b.*")
_TABLE: Final = "Server Table (processnode) Entries"


def network_cluster(text: str) -> tuple[ClusterMember, ...]:
    """``show network cluster``: its nodes in the order printed."""
    rows: list[str] = []
    lines = lines_of(text)
    for number, line in enumerate(lines):
        if line.strip() == _TABLE:
            _check_processnodes(lines[number + 1 :], text)
            break
        if not line.strip() or line.strip() == "Successful":
            continue
        if _ROW_BEGINS.fullmatch(line.strip()):
            rows.append(line.strip())
        elif rows and not _ROW.fullmatch(rows[-1]):
            rows[-1] += f" {line.strip()}"  # wrapped at the terminal's width
        elif rows and re.fullmatch(r"(?:using TCP|- INITIATOR) .*", line.strip()):
            rows[-1] += f" {line.strip()}"
        else:
            raise unknown("show network cluster", line)
    nodes = tuple(_cluster_node(row) for row in rows)
    if not nodes or len({node.address for node in nodes}) != len(nodes):
        raise unknown("show network cluster", text)
    return nodes


def _cluster_node(row: str) -> ClusterMember:
    match = _ROW.fullmatch(row)
    if match is None:
        raise unknown("show network cluster", row)
    return ClusterMember(
        address=match["address"],
        name=match["name"],
        is_publisher=match["role"] == "Publisher",
        product=match["product"] or "",
        authenticated=match["refused"] is None,
        fqdn=match["fqdn"] or "",
        is_database_publisher=match["db"] == "DBPub",
    )


def _check_processnodes(lines: Iterable[str], text: str) -> None:
    for line in lines:
        if not re.fullmatch(r"-+|[\w.:-]+|Successful|", line.strip()):
            raise unknown("show network cluster", text)


# ── services ──────────────────────────────────────────────────────────────────────────────

_SERVICE_NOISE: Final = re.compile(
    r"Requesting service status, please wait\.\.\."
    r"|Service Manager is running|Getting list of all services|>> Return code = 0"
    r"|Primary Node ?= ?(?:true|false)|Command successful|"
)
_BRACKET: Final = re.compile(r"\s*\[([^\[\]]*)\]\s*")
# Longest first: "Service Activated" is no part of "Service Not Activated", but be safe.
_DETAILS: Final = (
    "Component is not running",
    "Commanded Out of Service",
    "Service Not Activated",
    "Service Activated",
)
# A publisher's service on a subscriber is stopped for good: to us it is not activated there.
_NOT_HERE: Final = frozenset({"Service Not Activated", "Commanded Out of Service"})


def service_list(text: str) -> Mapping[str, ServiceState]:
    """``utils service list``: states by the name printed; both blocks, several on a line.

    A service is ``activated`` unless the list calls it not activated or commanded out of service.
    """
    states: dict[str, ServiceState] = {}
    for line in lines_of(text):
        if _SERVICE_NOISE.fullmatch(line.strip()):
            continue
        for name, state in _services_on(line):
            if states.setdefault(name, state) != state:
                raise unknown("utils service list", f"{name} is listed twice: {line}")
    if not states:
        raise unknown("utils service list", text)
    return MappingProxyType(states)


def _services_on(line: str) -> list[tuple[str, ServiceState]]:
    pieces = _BRACKET.split(line.strip())  # name, word, detail + name, word, …, detail
    if len(pieces) < 3:  # noqa: PLR2004 - one name, one state, one rest
        raise unknown("utils service list", line)
    found: list[tuple[str, ServiceState]] = []
    name = pieces[0]
    for word, rest in zip(pieces[1::2], pieces[2::2], strict=True):
        detail = next((d for d in _DETAILS if rest.startswith(d)), "")
        if not name or word not in ServiceStatus.__members__:
            raise unknown("utils service list", line)
        found.append((name, ServiceState(ServiceStatus[word], detail not in _NOT_HERE)))
        name = rest[len(detail) :].strip()
    if name:  # neither a known detail nor followed by a state
        raise unknown("utils service list", line)
    return found


# ── certificates ──────────────────────────────────────────────────────────────────────────


class OwnCertificate(NamedTuple):
    """A line of ``show cert list own``; *signed_by* is empty for a self-signed certificate."""

    unit: str
    file: str
    signed_by: str = ""


_OWN: Final = re.compile(
    r"(?P<unit>[\w-]+)/(?P<file>[\w.-]+\.pem): "
    r"(?:Self-signed certificate generated by system|Certificate Signed by (?P<by>\S.*))"
)


def own_certificates(text: str) -> tuple[OwnCertificate, ...]:
    """``show cert list own``: one line per certificate."""
    found: list[OwnCertificate] = []
    for line in lines_of(text):
        if not line.strip():
            continue
        match = _OWN.fullmatch(line.strip())
        if match is None:
            raise unknown("show cert list own", line)
        found.append(OwnCertificate(match["unit"], match["file"], match["by"] or ""))
    if not found or len({own.unit for own in found}) != len(found):
        raise unknown("show cert list own", text)
    return tuple(found)


_PEM: Final = re.compile(r"-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----")
_SERIAL: Final = re.compile(
    r"^\s*Serial Number:\s*(?:(?P<decimal>\d+) \(0x[0-9a-f]+\)"
    r"|(?P<hex>[0-9A-Fa-f]+(?::[0-9A-Fa-f]+)*))\s*$",
    re.MULTILINE,
)


def serial_printed(text: str) -> int | None:
    """The serial number that ``show cert own`` or ``show cert trust`` prints, if it is the one."""
    found = list(_SERIAL.finditer(re.sub(r"[ \t]*\r*\n", "\n", text)))
    if len(found) != 1:
        return None
    decimal, hexadecimal = found[0]["decimal"], found[0]["hex"]
    return int(decimal) if decimal else int(hexadecimal.replace(":", ""), 16)


def own_certificate_pem(text: str, command: str = "show cert own") -> str:
    """``show cert own UNIT``: the certificate in PEM, if the serial number printed is its own.

    Names and times in the text are the node's rendering (reversed order, local zone): everything
    is taken from the PEM.
    """
    pems = _PEM.findall(re.sub(r"[ \t]*\r*\n", "\n", text))
    printed = serial_printed(text)
    if len(pems) != 1 or printed is None:
        raise unknown(command, text)
    try:
        serial = x509.load_pem_x509_certificate(pems[0].encode("ascii")).serial_number
    except ValueError as error:
        raise unknown(command, f"{pems[0][:80]} ({error})") from error
    if printed != serial:
        raise unknown(command, f"serial {printed:X}, but PEM has {serial:X}")
    return str(pems[0]) + "\n"


# ── trust lists ───────────────────────────────────────────────────────────────────────────


@attrs.frozen
class ListRecord:
    """A record of ``show ctl`` or ``show itl``; certificates appear as SHA-1 of their DER."""

    function: str
    serial: str
    dns_name: str = ""
    subject: str = ""
    certificate_sha1: str = ""
    is_signer: bool = False


@attrs.frozen
class TrustFile:
    """What ``show ctl`` or ``show itl`` says about the file on this node."""

    kind: ListKind
    length: int
    md5: str
    sha1: str
    signer_serial: str
    records: tuple[ListRecord, ...]
    signer_name: str = ""


_FIELD: Final = re.compile(r"(?P<pos>\d{1,2})\s+(?P<tag>[A-Z]+)\s+\d+(?:\s+(?P<value>\S.*))?")
_SHA1: Final = re.compile(r"((?:[0-9A-F]{1,2} ){19}[0-9A-F]{1,2}) \(SHA1 Hash HEX\)", re.IGNORECASE)


def trust_file(text: str, kind: ListKind) -> TrustFile | None:
    """``show ctl`` or ``show itl``; None if the node says that it has no such file.

    Only a dump that is complete and that the node verified is read.
    """
    command = f"show {kind.value.lower()}"
    lines = [line.strip() for line in lines_of(text)]
    if f"Length of {kind.value} file: 0" in lines:
        if re.search(rf"^{kind.value} File not found ?\.", text, re.MULTILINE):
            return None
        raise unknown(command, text)
    reader = _ListReader(kind, command)
    for line in lines:
        reader.line(line)
    return reader.result(text)


class _ListReader:
    """Takes a dump apart line by line; a line of no known form ends it."""

    def __init__(self, kind: ListKind, command: str) -> None:
        self._kind = kind
        self._command = command
        self._sums: dict[str, str] = {}
        self._length: int | None = None
        self._header: dict[str, str] = {}
        self._records: list[dict[str, str]] = []
        self._signers: set[int] = set()
        self._verified = False
        word = kind.value
        self._noise = re.compile(
            rf"|The checksum value of the {word} file:|The {word} File was last modified on .+"
            rf"|Parse {word} File|-+|BYTEPOS\s+TAG\s+LENGTH\s+VALUE|-+\s+-+\s+-+\s+-+"
            r"|Version:\s*\d\.\d|HeaderLength:\s*\d+ \(BYTES\)|[0-9a-f]{1,2}(?:\s+[0-9a-f]{1,2})*"
            rf"|This etoken was not used to sign the {word} file\."
        )

    def line(self, line: str) -> None:
        word = self._kind.value
        if match := re.fullmatch(r"([0-9a-f]+)\((MD5|SHA1|SHA256|SHA512)\)", line):
            self._sums[match[2]] = match[1]
        elif match := re.fullmatch(rf"Length of {word} file: (\d+)", line):
            self._length = int(match[1])
        elif match := re.fullmatch(rf"{word} Record #:(\d+)", line):
            if int(match[1]) != len(self._records) + 1:
                raise unknown(self._command, line)
            self._records.append({})
        elif line == f"This etoken was used to sign the {word} file." and self._records:
            self._signers.add(len(self._records) - 1)
        elif line == f"The {word} file was verified successfully.":
            self._verified = True
        elif match := _FIELD.fullmatch(line):
            fields = self._records[-1] if self._records else self._header
            if match["tag"] in fields:
                raise unknown(self._command, line)
            fields[match["tag"]] = (match["value"] or "").strip()
        elif not self._noise.fullmatch(line):
            raise unknown(self._command, line)

    def result(self, text: str) -> TrustFile:
        signer = self._header.get("SERIALNUMBER", "")
        complete = {"MD5", "SHA1"} <= set(self._sums) and signer and self._length and self._records
        if not self._verified or not complete:
            raise unknown(self._command, text)
        assert self._length is not None
        return TrustFile(
            kind=self._kind,
            length=self._length,
            md5=self._sums["MD5"],
            sha1=self._sums["SHA1"],
            signer_serial=signer,
            signer_name=self._header.get("SIGNERNAME", ""),
            records=tuple(self._record(n, fields) for n, fields in enumerate(self._records)),
        )

    def _record(self, number: int, fields: dict[str, str]) -> ListRecord:
        if not fields.get("FUNCTION"):
            raise unknown(self._command, f"record {number + 1} has no FUNCTION")
        digest = _SHA1.fullmatch(fields.get("CERTIFICATE", ""))
        if fields.get("CERTIFICATE") and digest is None:
            raise unknown(self._command, fields["CERTIFICATE"])
        return ListRecord(
            function=fields["FUNCTION"],
            serial=fields.get("SERIALNUMBER", ""),
            dns_name=fields.get("DNSNAME", ""),
            subject=fields.get("SUBJECTNAME", ""),
            certificate_sha1="".join(part.zfill(2) for part in digest[1].split()).lower()
            if digest
            else "",
            is_signer=number in self._signers,
        )


# ── database ──────────────────────────────────────────────────────────────────────────────


def sql_table(text: str) -> tuple[Mapping[str, str | None], ...]:
    """``run sql select …``: rows by column name; ``NULL`` is None, no rows is an empty tuple.

    Columns begin where the rule under the header begins; a value may be wider than its rule. What
    crosses into the next column is refused: it cannot be told whose it is.
    """
    lines = [line for line in lines_of(text) if line.strip()]
    if len(lines) < 2 or not re.fullmatch(r"=+(?: +=+)*", lines[1]):  # noqa: PLR2004 - header, rule
        raise unknown("run sql", text)
    rules = [match.span() for match in re.finditer("=+", lines[1])]
    names = [(match[0], match.start()) for match in re.finditer(r"\S+", lines[0])]
    if [start for _, start in names] != [start for start, _ in rules]:
        raise unknown("run sql", lines[0])
    if len({name for name, _ in names}) != len(names):
        raise unknown("run sql", lines[0])
    return tuple(_sql_row(row, [name for name, _ in names], rules) for row in lines[2:])


def _sql_row(row: str, names: list[str], rules: list[tuple[int, int]]) -> Mapping[str, str | None]:
    values: dict[str, str | None] = {}
    for column, (name, (start, end)) in enumerate(zip(names, rules, strict=True)):
        following = rules[column + 1][0] if column + 1 < len(rules) else None
        value = row[start:following]
        crosses = following is not None and len(row) >= following and not value.endswith(" ")
        # Beyond its own rule a value goes on, it does not begin again.
        strays = len(rules) > 1 and "  " in value.strip() and len(value.rstrip()) > end - start
        if crosses or strays:
            raise unknown("run sql", row)
        values[name] = None if value.strip() == "NULL" else value.strip()
    return MappingProxyType(values)
