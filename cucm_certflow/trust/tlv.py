"""The raw side of trust-list files: where each tag stands, and nothing of what it means.

Everything is big-endian ``tag(1) length(2) value(length)``, but for two oddities of the header:
tag 13 is one byte of padding without a length, and tags 3, 7 and 9 are containers, whose children
follow at once. Order is free and unknown tags are stepped over; a length that does not fit is
never repaired.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from cucm_certflow.errors import Report, UnknownLayout

__all__ = [
    "LONGEST",
    "MAX_FILE",
    "Field",
    "Header",
    "HeaderTag",
    "RecordTag",
    "misread",
    "read_header",
    "read_records",
    "text_bytes",
    "tlv_bytes",
]

MAX_FILE: Final = 1 << 20
"""No list is longer: phones fail to load one above 64 KB (trust lists §1.4)."""

LONGEST: Final = 0xFFFF
"""What fits into a length of two bytes: values, records and headers alike."""

_PREFIX: Final = 3
_U16: Final = 2
_SHOWN: Final = 24


class HeaderTag:
    """Tags of the header (trust lists §1.1)."""

    VERSION: Final = 1
    HEADER_LENGTH: Final = 2
    SIGNER_ID: Final = 3
    SIGNER_NAME: Final = 4
    SERIAL_NUMBER: Final = 5
    CA_NAME: Final = 6
    SIGNATURE_INFO: Final = 7
    DIGEST_ALGORITHM: Final = 8
    SIGNATURE_ALGORITHM_INFO: Final = 9
    SIGNATURE_ALGORITHM: Final = 10
    SIGNATURE_MODULUS: Final = 11
    SIGNATURE: Final = 12
    PAD: Final = 13
    FILENAME: Final = 14
    TIMESTAMP: Final = 15
    SIGNER_VERSION: Final = 28


class RecordTag:
    """Tags of a record (trust lists §1.2)."""

    RECORD_LENGTH: Final = 1
    DNS_NAME: Final = 2
    SUBJECT_NAME: Final = 3
    FUNCTION: Final = 4
    ISSUER_NAME: Final = 5
    SERIAL_NUMBER: Final = 6
    PUBLIC_KEY: Final = 7
    SIGNATURE: Final = 8
    CERTIFICATE: Final = 9
    IP_ADDRESS: Final = 10


_CONTAINERS: Final = frozenset(
    {HeaderTag.SIGNER_ID, HeaderTag.SIGNATURE_INFO, HeaderTag.SIGNATURE_ALGORITHM_INFO}
)
_HEADER_TAGS: Final = frozenset({*range(1, 13), 14, 15, HeaderTag.SIGNER_VERSION})
_RECORD_TAGS: Final = frozenset(range(1, 11))


def misread(offset: int, expected: str, saw: str) -> UnknownLayout:
    """The error for a file that is not laid out as any that we know."""
    return UnknownLayout(
        Report(
            headline="the trust list cannot be read",
            did=f"reading at offset {offset}",
            expected=expected,
            saw=saw,
            left="nothing was concluded from this file",
            source="trust lists §1",
        )
    )


class Field(NamedTuple):
    """One tag with its value; *start* is where its tag byte stands in the file."""

    tag: int
    start: int
    value: bytes

    @property
    def begin(self) -> int:
        """Where the value stands."""
        return self.start + _PREFIX

    @property
    def end(self) -> int:
        """Where the next tag stands."""
        return self.begin + len(self.value)

    def number(self, width: int) -> int:
        """The value as an unsigned number of *width* bytes."""
        if len(self.value) != width:
            raise misread(self.start, f"tag {self.tag} with {width} bytes", f"{len(self.value)}")
        return int.from_bytes(self.value)

    def text(self) -> str:
        """The value as text; it ends in one NUL. Bytes that are no UTF-8 stay apart as escapes."""
        if self.value.find(b"\0") != len(self.value) - 1 or not self.value:
            shown = self.value[:_SHOWN].hex() or "no bytes"
            raise misread(self.start, f"tag {self.tag} with text that ends in one NUL", shown)
        return self.value[:-1].decode(errors="backslashreplace")

    def serial(self) -> str:
        """The value as a serial number: upper-case hex without leading zero bytes."""
        if not self.value:
            raise misread(self.start, f"tag {self.tag} with a serial number", "no bytes")
        return (self.value.lstrip(b"\0") or b"\0").hex().upper()


class Header(NamedTuple):
    """The fields of the header by tag; containers are entered, not listed."""

    fields: Mapping[int, Field]
    length: int


def _field(data: bytes, start: int, limit: int) -> Field:
    """The field at *start*, which must end at *limit* or before."""
    if limit - start < _PREFIX:
        raise misread(start, "a tag and a length of 3 bytes", f"{limit - start} bytes left")
    length = int.from_bytes(data[start + 1 : start + _PREFIX])
    begin = start + _PREFIX
    if length > limit - begin:
        expected = f"tag {data[start]} with at most {limit - begin} bytes"
        raise misread(start, expected, f"a length of {length}")
    return Field(data[start], start, data[begin : begin + length])


def _add(fields: dict[int, Field], field: Field) -> None:
    if field.tag in fields:
        raise misread(field.start, f"tag {field.tag} once", "the same tag a second time")
    fields[field.tag] = field


def read_header(data: bytes) -> Header:
    """The header of *data*.

    Raises:
        UnknownLayout: a length does not fit, a tag stands twice, or there is no header length.
    """
    if len(data) > MAX_FILE:
        raise misread(0, f"a file of at most {MAX_FILE} bytes", f"{len(data)} bytes")
    fields: dict[int, Field] = {}
    closings: list[tuple[int, int]] = []
    boundaries: set[int] = set()
    seen_containers: set[int] = set()
    limit = min(len(data), LONGEST)
    length: int | None = None
    at = 0
    while at != length:
        boundaries.add(at)
        if at >= limit:
            raise misread(at, "tag 2, the length of the header", "the end of the file")
        tag = data[at]
        if tag == HeaderTag.PAD:
            at += 1
            continue
        if tag in _CONTAINERS:
            container = _field(data, at, limit)
            if tag in seen_containers:
                raise misread(at, f"container {tag} once", "the same container a second time")
            seen_containers.add(tag)
            closings.append((at, container.end))
            at = container.begin
            continue
        field = _field(data, at, limit)
        if tag in _HEADER_TAGS:
            _add(fields, field)
        at = field.end
        if tag == HeaderTag.HEADER_LENGTH:
            length = field.number(_U16)
            if not at <= length <= limit:
                expected = f"a header length between {at} and {limit}"
                raise misread(field.start, expected, str(length))
            limit = length
    boundaries.add(at)
    for start, end in closings:
        if end not in boundaries:
            raise misread(start, "a container that ends where a tag ends", f"its end at {end}")
    return Header(fields, at)


def read_records(data: bytes, start: int) -> Iterator[tuple[int, Mapping[int, Field]]]:
    """The records from *start* to the end of the file: where each stands, and its fields by tag.

    Raises:
        UnknownLayout: a length does not fit, or a tag stands twice.
    """
    at = start
    while at < len(data):
        size = _field(data, at, len(data))
        if size.tag != RecordTag.RECORD_LENGTH:
            raise misread(at, "tag 1, the length of a record", f"tag {size.tag}")
        end = at + size.number(_U16)
        if not size.end <= end <= len(data):
            expected = f"a record of {size.end - at} to {len(data) - at} bytes"
            raise misread(at, expected, f"a length of {end - at}")
        fields: dict[int, Field] = {}
        inner = at
        while inner < end:
            field = _field(data, inner, end)
            if field.tag in _RECORD_TAGS:
                _add(fields, field)
            inner = field.end
        yield at, fields
        at = end


def tlv_bytes(tag: int, value: bytes) -> bytes:
    """*value* behind its tag and length.

    Raises:
        ValueError: it is too long.
    """
    if len(value) > LONGEST:
        message = f"tag {tag} holds at most {LONGEST} bytes, not {len(value)}"
        raise ValueError(message)
    return bytes((tag,)) + len(value).to_bytes(2) + value


def text_bytes(tag: int, text: str) -> bytes:
    """*text* and its NUL behind tag and length.

    Raises:
        ValueError: it is too long, or holds a NUL.
    """
    if "\0" in text:
        message = f"text in tag {tag} holds no NUL, saw {text!r}"
        raise ValueError(message)
    return tlv_bytes(tag, text.encode() + b"\0")
