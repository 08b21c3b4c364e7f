"""The files in ``fixtures/``, and what independent readers say of them.

Synthetic trust lists in CUCM's layout; ``expected.json`` holds what usecallmanager.nz's certutils
printed of each list and what openssl printed of each certificate.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from cucm_certflow.names import ListKind
from cucm_certflow.trust.lists import TrustListFile, parse_list

__all__ = ["CERTIFICATES", "FILES", "der", "fingerprint", "kind_of", "pem", "read", "sample"]

_FIXTURES: Final = Path(__file__).parent / "fixtures"
_EXPECTED: Final[dict[str, Any]] = json.loads((_FIXTURES / "expected.json").read_text())
FILES: Final[dict[str, Any]] = _EXPECTED["files"]
CERTIFICATES: Final[dict[str, Any]] = _EXPECTED["certificates"]


def read(name: str) -> bytes:
    return (_FIXTURES / name).read_bytes()


def sample(name: str) -> tuple[bytes, TrustListFile]:
    data = read(name)
    return data, parse_list(data)


def kind_of(name: str) -> ListKind:
    return ListKind(name[:3].upper())


def pem(name: str) -> str:
    return (_FIXTURES / f"{name}.crt.pem").read_text()


def der(name: str) -> bytes:
    return x509.load_pem_x509_certificate(pem(name).encode()).public_bytes(Encoding.DER)


def fingerprint(name: str) -> str:
    found: str = CERTIFICATES[f"{name}.crt.pem"]["fingerprint"]
    return found
