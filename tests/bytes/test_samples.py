"""The reader against what certutils and openssl print of the same files."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pytest

from cucm_certflow.errors import UnknownLayout
from cucm_certflow.facts import ListView
from cucm_certflow.names import ListKind, TrustRole
from cucm_certflow.trust.lists import signature_is_valid, view_of
from cucm_certflow.trust.x509 import certificate_from_der, certificate_from_pem
from tests.bytes.samples import CERTIFICATES, FILES, der, fingerprint, kind_of, pem, read, sample

_ROLES = {
    "SAST": TrustRole.SAST,
    "TFTP": TrustRole.TFTP,
    "CCM+TFTP": TrustRole.CCM_TFTP,
    "CAPF": TrustRole.CAPF,
    "TVS": TrustRole.TVS,
}
_TVS = ("tvs-pub-g1", "tvs-sub1-g1", "tvs-sub2-g1")
_BITS = {"cm-pub-1024": 1024, "cm-pub-ec384": 384, "itlr-3072": 3072, "itlr-4096": 4096}


def _view(signer: str, sast: str, tftp: str = "", ccm: str = "", pin: str = "") -> tuple[str, ...]:
    return signer, sast, tftp, ccm, pin


# The stories of the samples' README, by names of certificates.
STORIES = {
    "itl-115-pub-g1": _view("cm-pub-g1", "cm-pub-g1 itlr-g1", "cm-pub-g1", pin=" ".join(_TVS)),
    "itl-115-sub1-g1": _view("cm-sub1-g1", "cm-sub1-g1 itlr-g1", "cm-sub1-g1", pin=" ".join(_TVS)),
    "itl-125-pub-g1": _view("itlr-g1", "cm-pub-g1 itlr-g1", "cm-pub-g1", pin=" ".join(_TVS)),
    "itl-125-sub1-g1": _view("itlr-g1", "cm-sub1-g1 itlr-g1", "cm-sub1-g1", pin=" ".join(_TVS)),
    "itl-125-pub-cmG2": _view("itlr-g1", "cm-pub-g2 itlr-g1", "cm-pub-g2", pin=" ".join(_TVS)),
    "itl-125-pub-tvsG2": _view(
        "itlr-g1", "cm-pub-g1 itlr-g1", "cm-pub-g1", pin="tvs-pub-g2 tvs-sub1-g2 tvs-sub2-g2"
    ),
    "itl-125-pub-itlrG2": _view("itlr-g2", "cm-pub-g1 itlr-g2", "cm-pub-g1", pin=" ".join(_TVS)),
    "itl-125mixed-pub-g1": _view(
        "itlr-g1", "cm-pub-g1 itlr-g1", "cm-pub-g1", "cm-pub-g1", " ".join(_TVS)
    ),
    "ctl-115-g1": _view(
        "cm-pub-g1", "cm-pub-g1 itlr-g1", "cm-pub-g1 cm-sub1-g1", "cm-pub-g1 cm-sub1-g1"
    ),
    "ctl-125-g1": _view(
        "itlr-g1", "cm-pub-g1 itlr-g1", "cm-pub-g1 cm-sub1-g1", "cm-pub-g1 cm-sub1-g1"
    ),
    "ctl-nonsecure-emptied": _view("cm-pub-g1", "cm-pub-g1 itlr-g1"),
    "itl-rollback-empty-CONJECTURE": _view("cm-pub-g1", "cm-pub-g1 itlr-g1"),
}


def test_every_sample_has_its_story() -> None:
    assert {f"{name}.tlv" for name in STORIES} == set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_header_is_what_certutils_printed(name: str) -> None:
    data, file = sample(name)
    expected = FILES[name]
    assert (len(data), hashlib.sha1(data).hexdigest()) == (expected["size"], expected["sha1"])
    header = expected["header"]
    moment = datetime.strptime(header["Timestamp"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    assert header == {
        "Version": file.version,
        "Header Length": f"{file.header_length} bytes",
        "Signer Name": file.signer_name,
        "Serial Number": file.signer_serial.lower(),
        "Issuer Name": file.signer_issuer,
        "Digest Algorithm": file.digest_algorithm.name,
        "Signature": f"{len(file.signature)} bytes",
        "Filename": file.filename,
        "Timestamp": header["Timestamp"],
    }
    assert file.timestamp == moment


@pytest.mark.parametrize("name", FILES)
def test_records_are_what_certutils_printed(name: str) -> None:
    _, file = sample(name)
    expected = FILES[name]["records"]
    assert len(file.records) == len(expected)
    for record, printed in zip(file.records, expected, strict=True):
        _length, dns_name, role, subject, issuer, serial, digest = printed
        assert record.role is _ROLES[role]
        assert (record.dns_name, record.subject, record.issuer) == (dns_name, subject, issuer)
        assert record.serial == (None if serial is None else serial.upper())
        assert (record.certificate is None) is (digest is None)
        if record.certificate is not None:
            assert hashlib.sha1(record.certificate).hexdigest() == digest


@pytest.mark.parametrize("name", FILES)
def test_signature_is_as_valid_as_certutils_found_it(name: str) -> None:
    data, file = sample(name)
    assert signature_is_valid(data, file) is (FILES[name]["verdict"] == "Valid signature")


@pytest.mark.parametrize("name", STORIES)
def test_view_tells_the_story_of_the_sample(name: str) -> None:
    data, file = sample(f"{name}.tlv")

    def those(names: str) -> frozenset[str]:
        return frozenset(fingerprint(each) for each in names.split())

    signer, sast, tftp, ccm, pin = STORIES[name]
    said = FILES[f"{name}.tlv"]
    has_capf = any(record[2] == "CAPF" for record in said["records"])
    assert view_of(file, kind_of(name), data) == ListView(
        kind=kind_of(name),
        signer=fingerprint(signer),
        sast=those(sast),
        tftp=those(tftp),
        ccm=those(ccm),
        pin=those(pin),
        digest=said["sha1"],
        capf=those("capf-g1") if has_capf else frozenset(),
        records=len(said["records"]),
        size=said["size"],
    )


@pytest.mark.parametrize("name", FILES)
def test_a_list_is_not_taken_for_the_other_kind(name: str) -> None:
    data, file = sample(name)
    other = ListKind.CTL if kind_of(name) is ListKind.ITL else ListKind.ITL
    with pytest.raises(UnknownLayout, match=other.file_name):
        view_of(file, other, data)


def test_a_list_is_not_believed_for_the_bytes_of_another_one() -> None:
    data, _ = sample("itl-125-pub-g1.tlv")
    _, other = sample("itl-125-pub-cmG2.tlv")
    assert not signature_is_valid(data, other)
    with pytest.raises(UnknownLayout):
        view_of(other, ListKind.ITL, data)


# ── certificates ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", CERTIFICATES)
def test_certificate_is_what_openssl_printed(name: str) -> None:
    short = name.removesuffix(".crt.pem")
    found = certificate_from_pem(pem(short))
    assert found == certificate_from_der(der(short))
    expected = CERTIFICATES[name]
    assert found.fingerprint == expected["fingerprint"]
    assert found.serial == expected["serial"]
    assert found.not_after == datetime.fromisoformat(expected["not_after"])
    assert found.not_before is not None
    assert found.not_before.tzinfo is UTC
    assert found.key_bits == _BITS.get(short, 2048)


@pytest.mark.parametrize("name", CERTIFICATES)
def test_a_certificate_signed_by_its_own_key_is_self_signed_whatever_its_hash(name: str) -> None:
    assert certificate_from_pem(pem(name.removesuffix(".crt.pem"))).self_signed


@pytest.mark.parametrize("name", CERTIFICATES)
def test_a_certificate_that_only_names_itself_as_issuer_is_not_self_signed(name: str) -> None:
    forged = bytearray(der(name.removesuffix(".crt.pem")))
    forged[-1] ^= 1  # the last byte of the signature
    assert not certificate_from_der(bytes(forged)).self_signed


def test_names_are_normalised_whatever_their_order() -> None:
    # The subjects of these samples begin with C= for every unit.
    name = "CN=cucm-pub.example.test;OU=UC;O=Example;L=Auckland;ST=AKL;C=NZ"
    assert certificate_from_pem(pem("cm-pub-g1")).subject == name
    recovery = certificate_from_pem(pem("itlr-g1"))
    assert recovery.subject == recovery.issuer == f"CN=ITLRECOVERY_{name.removeprefix('CN=')}"


def test_words_around_the_pem_do_not_matter() -> None:
    found = certificate_from_pem(f"admin:show cert own CallManager\n\n{pem('cm-pub-g1')}\nadmin:")
    assert found.fingerprint == fingerprint("cm-pub-g1")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no certificate",
        "-----BEGIN CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\n\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\n\udcff\n-----END CERTIFICATE-----\n",
        pem("cm-pub-g1") + pem("cm-pub-g2"),
        pem("cm-pub-g1").replace("M", "N"),
    ],
    ids=["empty", "prose", "no end", "no base64", "no bytes", "no DER", "no text", "two", "torn"],
)
def test_text_without_exactly_one_certificate_is_an_unknown_layout(text: str) -> None:
    with pytest.raises(UnknownLayout):
        certificate_from_pem(text)


def test_a_trust_list_is_no_certificate() -> None:
    with pytest.raises(UnknownLayout):
        certificate_from_der(read("itl-125-pub-g1.tlv"))
