"""Whether ITLRecovery's key pair was exported, told without looking into it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Final

from cucm_certflow.errors import Report, RescueKitError

__all__ = ["proof_of_p12"]

_LARGEST_BYTES: Final = 1 << 20


def proof_of_p12(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of an exported ITLRecovery.p12: proof that it is there, and of the right shape.

    It is hashed and looked at from outside only: that it is one DER or BER value that begins as
    PKCS#12 does (RFC 7292, §4: version 3, then contents of type data or signedData). Nothing is
    decrypted, no password is asked for, and none of its bytes is kept. Whether it is this
    cluster's key cannot be seen without its password.

    Raises:
        RescueKitError: There is no such file, it is empty or too large, or it is no PKCS#12.
            Nothing was sent.
    """
    place = Path(path)
    try:
        with place.open("rb") as file:
            data = file.read(_LARGEST_BYTES + 1)
    except OSError as error:
        raise _no_p12(place, error.strerror or type(error).__name__) from error
    if not data:
        raise _no_p12(place, "an empty file")
    if len(data) > _LARGEST_BYTES:
        raise _no_p12(place, f"more than {_LARGEST_BYTES} bytes")
    if not _is_p12_shaped(data):
        raise _no_p12(place, f"{len(data)} bytes that do not begin as PKCS#12")
    return hashlib.sha256(data).hexdigest()


_SEQUENCE: Final = 0x30
_INDEFINITE: Final = 0x80
_VERSION_3: Final = b"\x02\x01\x03"
# 1.2.840.113549.1.7.1 (data) and .2 (signedData)
_CONTENTS: Final = tuple(
    b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07" + last for last in (b"\1", b"\2")
)


def _is_p12_shaped(data: bytes) -> bool:
    outer = _sequence(data, 0)
    if outer is None:
        return False
    at, size = outer
    if size is not None and at + size != len(data):
        return False
    if not data.startswith(_VERSION_3, at):
        return False
    inner = _sequence(data, at + len(_VERSION_3))
    return inner is not None and data.startswith(_CONTENTS, inner[0])


def _sequence(data: bytes, at: int) -> tuple[int, int | None] | None:
    """Where the SEQUENCE at *at* begins, and its length; None for BER's indefinite one."""
    if len(data) < at + 2 or data[at] != _SEQUENCE:
        return None
    first = data[at + 1]
    if first < _INDEFINITE:
        return at + 2, first
    if first == _INDEFINITE:
        return at + 2, None
    count = first - _INDEFINITE
    length = data[at + 2 : at + 2 + count]
    if len(length) < count:
        return None
    return at + 2 + count, int.from_bytes(length, "big")


def _no_p12(place: Path, saw: str) -> RescueKitError:
    return RescueKitError(
        Report(
            headline=f"{place.name} is no exported key pair",
            expected="a PKCS#12 file",
            saw=saw,
            left="it was only read; nothing was sent",
            next="`file get tftp ITLRecovery.p12` on the publisher",
            source="Cisco security guide 12.5(1)SU6, Default Security",
        )
    )
