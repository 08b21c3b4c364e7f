"""What the library knows of a certificate: its key, the names that it is for, its very bytes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID, NameOID

from cucm_certflow.errors import UnknownLayout
from cucm_certflow.names import KeyAlgorithm
from cucm_certflow.trust.x509 import certificate_from_der, certificate_from_pem, normalised_pem

PEMS = Path(__file__).parent / "fixtures"
RSA, EC = (PEMS / "cm-pub-g1.crt.pem").read_text(), (PEMS / "cm-pub-ec384.crt.pem").read_text()


def made(*extensions: x509.ExtensionType) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pub-ms.example")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(0x1234)
        .not_valid_before(dt.datetime(2025, 1, 1, tzinfo=dt.UTC))
        .not_valid_after(dt.datetime(2030, 1, 1, tzinfo=dt.UTC))
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def test_keys_of_both_kinds_are_told_apart() -> None:
    assert certificate_from_pem(RSA).key_algorithm is KeyAlgorithm.RSA
    elliptic = certificate_from_pem(EC)
    assert (elliptic.key_algorithm, elliptic.key_bits) == (KeyAlgorithm.EC, 384)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (
            [x509.DNSName("pub.example"), x509.DNSName("sub.example")],
            ("pub.example", "sub.example"),
        ),
        ([x509.RFC822Name("a@example"), x509.DNSName("*.example")], ("*.example",)),
        ([x509.RFC822Name("a@example")], ()),
    ],
    ids=["two", "another-kind", "none"],
)
def test_names_are_the_dns_names_in_their_order(
    names: Sequence[x509.GeneralName], expected: tuple[str, ...]
) -> None:
    der = made(
        x509.SubjectAlternativeName(names), x509.BasicConstraints(ca=False, path_length=None)
    )
    assert certificate_from_der(der).names == expected


def test_without_the_extension_there_are_no_names() -> None:
    assert certificate_from_der(made()).names == ()


def test_names_that_cannot_be_read_are_not_no_names() -> None:
    broken = x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, b"\x30\x05oops!")
    with pytest.raises(UnknownLayout):
        certificate_from_der(made(broken))


@pytest.mark.parametrize("pem", [RSA, EC], ids=["rsa", "ec"])
def test_a_pem_is_the_same_text_however_it_came(pem: str) -> None:
    lines = pem.strip().split("\n")
    for text in (pem, pem.replace("\n", "\r\n"), f"]\n{pem}what else\n", "\n".join(lines)):
        assert normalised_pem(text) == pem
    with pytest.raises(UnknownLayout):
        normalised_pem(pem * 2)
    with pytest.raises(UnknownLayout):
        normalised_pem("\n".join(lines[:-2]))
