"""A person has a rescue kit before the first change, and can count on it afterwards."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import stat
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

from cucm_certflow.clock import SystemClock
from cucm_certflow.commands import Command, Reply
from cucm_certflow.errors import AuthenticationFailed, Report, RescueKitError
from cucm_certflow.facts import (
    CertificateFile,
    ClusterFacts,
    Fact,
    Known,
    ListFile,
    NodeFacts,
    Query,
    ServiceState,
    ServiceStatus,
    TrustEntry,
    TrustStores,
    Unknown,
)
from cucm_certflow.names import CertUnit, ListKind, Product, Release, SecurityMode, Service
from cucm_certflow.rescue import RescueKit, check_rescue_kit, proof_of_p12, save_rescue_kit
from cucm_certflow.testing.virtual import run_virtual
from cucm_certflow.trust.x509 import certificate_from_pem
from tests.bytes.samples import pem, read
from tests.journeys.main_job import start

AT = datetime(2026, 11, 25, 2, 0, tzinfo=UTC)
RELEASE = Release.parse("12.5")
PEM_OF = {
    ("pub", CertUnit.CALLMANAGER): pem("cm-pub-g1"),
    ("pub", CertUnit.ITLRECOVERY): pem("itlr-g1"),
    ("sub1", CertUnit.CALLMANAGER): pem("cm-sub1-g1"),
    ("sub1", CertUnit.TVS): pem("tvs-sub1-g1"),
}
ENTRY = TrustEntry(
    store="CallManager-trust", name="pub.pem", certificate=certificate_from_pem(pem("cm-pub-g1"))
)
ANSWERS: dict[Query, object] = {
    **{CertificateFile(node, unit): text for (node, unit), text in PEM_OF.items()},
    ListFile("pub", ListKind.ITL): read("itl-125-pub-g1.tlv"),
    ListFile("pub", ListKind.CTL): None,
    ListFile("sub1", ListKind.ITL): read("itl-125-sub1-g1.tlv"),
    ListFile("sub1", ListKind.CTL): None,
    TrustStores("pub"): (ENTRY,),
    TrustStores("sub1"): (ENTRY,),
}


class Shelf:
    """A way to a cluster that answers what it was given, and refuses to change anything."""

    def __init__(self, answers: Mapping[Query, object]) -> None:
        self.answers = answers

    def supports(self, what: Query | Command) -> bool:
        return not isinstance(what, TrustStores) or what in self.answers

    async def observe(self, query: Query) -> Fact:
        value = self.answers.get(query, Unknown("the connection broke", AT, "shelf"))
        if isinstance(value, Exception):
            raise value
        return value if isinstance(value, Unknown) else Known(value, AT, "shelf")

    async def perform(self, command: Command) -> Reply:
        raise AssertionError(command)

    async def aclose(self) -> None:
        return None


def facts_of(mode: SecurityMode = SecurityMode.NON_SECURE, *, name: str = "sub1") -> ClusterFacts:
    def node(known: str, shown: str) -> NodeFacts:
        return NodeFacts(
            name=shown,
            address="192.0.2.1",
            release=RELEASE,
            product=Product.CALLMANAGER,
            is_publisher=known == "pub",
            certificates={u: certificate_from_pem(t) for (n, u), t in PEM_OF.items() if n == known},
            services={Service.TFTP: ServiceState(ServiceStatus.STARTED)},
        )

    nodes = (node("pub", "pub"), node("sub1", name))
    return ClusterFacts(nodes=nodes, mode=mode, phones=(), registrations={}, at=AT)


def save(
    folder: Path,
    answers: Mapping[Query, object] = ANSWERS,
    facts: ClusterFacts | None = None,
) -> RescueKit:
    way = Shelf(answers)
    return asyncio.run(save_rescue_kit(facts or facts_of(), way, folder, clock=SystemClock()))


def gaps_of(kit: RescueKit) -> set[tuple[str, str]]:
    return {(gap.node, gap.what) for gap in kit.gaps}


def test_kit_holds_every_certificate_and_list_and_reads_back(tmp_path: Path) -> None:
    kit = save(tmp_path / "kit")
    assert kit.is_complete, kit.gaps
    assert kit.doubts == ()
    nodes = tmp_path / "kit" / "nodes"
    assert (nodes / "sub1/lists/ITLFile.tlv").read_bytes() == read("itl-125-sub1-g1.tlv")
    saved = (nodes / "pub/certificates/ITLRecovery.pem").read_text()
    assert certificate_from_pem(saved) == certificate_from_pem(pem("itlr-g1"))
    stores = json.loads((nodes / "pub/trust-stores.json").read_text())
    assert [entry["certificate"]["fingerprint"] for entry in stores] == [
        ENTRY.certificate.fingerprint
    ]
    assert check_rescue_kit(tmp_path / "kit") == kit
    certificates = [file for file in kit.files if file.path.endswith(".pem")]
    assert (len(certificates), kit.release, kit.mode) == (4, "12.5", "0")


def test_kit_of_a_whole_lab_cluster_has_no_gap(tmp_path: Path) -> None:
    async def story() -> tuple[ClusterFacts, RescueKit]:
        there = start()
        facts = await there.cluster.discover()
        folder = tmp_path / "kit"
        return facts, await save_rescue_kit(facts, there.transport, folder, clock=there.clock)

    facts, kit = run_virtual(story())
    assert kit.gaps == ()
    assert check_rescue_kit(tmp_path / "kit") == kit
    assert {node.name for node in kit.nodes} == {node.name for node in facts.nodes}
    lists = [file for file in kit.files if file.path.endswith(".tlv")]
    assert {file.node for file in lists} == {node.name for node in facts.tftp_nodes}


def test_kit_is_for_its_owner_alone_and_nothing_lies_beside_it(tmp_path: Path) -> None:
    save(tmp_path / "kit")
    assert [path.name for path in tmp_path.iterdir()] == ["kit"]
    for path in [tmp_path / "kit", *(tmp_path / "kit").rglob("*")]:
        expected = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == expected, path


def test_what_cannot_be_read_is_named_in_manifest_and_readme(tmp_path: Path) -> None:
    answers = dict(ANSWERS)
    for lost in (
        CertificateFile("sub1", CertUnit.TVS),
        ListFile("sub1", ListKind.ITL),
        TrustStores("pub"),
    ):
        del answers[lost]
    kit = save(tmp_path / "kit", answers)
    assert gaps_of(kit) == {
        ("sub1", "the TVS certificate"),
        ("sub1", "the ITL that it serves"),
        ("pub", "the list of its trust stores"),
    }
    readme = (tmp_path / "kit" / "README.txt").read_text()
    assert "sub1: the TVS certificate: the connection broke" in readme
    assert check_rescue_kit(tmp_path / "kit").gaps == kit.gaps


def test_mixed_cluster_without_a_ctl_is_a_gap_and_a_non_secure_one_is_not(tmp_path: Path) -> None:
    kit = save(tmp_path / "mixed", facts=facts_of(SecurityMode.MIXED))
    assert gaps_of(kit) == {(node, "the CTL that it serves") for node in ("pub", "sub1")}
    assert save(tmp_path / "plain").is_complete


def test_list_that_does_not_read_is_saved_and_named(tmp_path: Path) -> None:
    rubbish = read("itl-125-pub-g1.tlv")[:-7]
    kit = save(tmp_path / "kit", {**ANSWERS, ListFile("pub", ListKind.ITL): rubbish})
    assert (tmp_path / "kit/nodes/pub/lists/ITLFile.tlv").read_bytes() == rubbish
    assert kit.is_complete
    assert [(doubt.node, doubt.what) for doubt in kit.doubts] == [("pub", "the ITL that it serves")]
    assert "is not as it was expected" in (tmp_path / "kit" / "README.txt").read_text()


def test_private_key_in_an_answer_never_reaches_the_kit(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    query = CertificateFile("pub", CertUnit.CALLMANAGER)
    save(tmp_path / "kit", {**ANSWERS, query: secret + pem("cm-pub-g1")})
    for path in (tmp_path / "kit").rglob("*"):
        assert path.is_dir() or b"PRIVATE" not in path.read_bytes(), path


def test_certificate_that_changed_since_discovery_is_named_with_both_serials(
    tmp_path: Path,
) -> None:
    query = CertificateFile("pub", CertUnit.CALLMANAGER)
    kit = save(tmp_path / "kit", {**ANSWERS, query: pem("cm-pub-g2")})
    (doubt,) = kit.doubts
    for name in ("cm-pub-g1", "cm-pub-g2"):
        assert certificate_from_pem(pem(name)).serial in doubt.why


def test_existing_folder_is_never_touched(tmp_path: Path) -> None:
    save(tmp_path / "kit")
    before = (tmp_path / "kit" / "manifest.json").read_bytes()
    (tmp_path / "empty").mkdir()
    for taken in ("kit", "empty"):
        with pytest.raises(RescueKitError, match="already"):
            save(tmp_path / taken)
    assert (tmp_path / "kit" / "manifest.json").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "kit"]


def test_refused_account_leaves_no_kit_behind(tmp_path: Path) -> None:
    refused = AuthenticationFailed(Report(headline="the account was refused"))
    with pytest.raises(AuthenticationFailed):
        save(tmp_path / "kit", {**ANSWERS, ListFile("pub", ListKind.ITL): refused})
    assert list(tmp_path.iterdir()) == []


def test_folder_that_cannot_be_written_is_said_before_anything_is_asked(tmp_path: Path) -> None:
    with pytest.raises(RescueKitError, match="does not exist"):
        save(tmp_path / "nowhere" / "kit", {})


def test_kit_whose_place_does_not_reach_the_disk_is_not_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = os.fsync

    def failing(descriptor: int) -> None:
        if (tmp_path / "kit").exists():
            raise OSError(errno.EIO, "Input/output error")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(RescueKitError, match="Input/output error"):
        save(tmp_path / "kit")
    assert list(tmp_path.iterdir()) == []


def test_node_name_cannot_lead_out_of_the_kit(tmp_path: Path) -> None:
    kit = save(tmp_path / "kit", facts=facts_of(name="../../sub1"))
    assert (tmp_path / "kit").is_dir()
    assert [path.name for path in tmp_path.iterdir()] == ["kit"]
    assert "../../sub1" in {gap.node for gap in kit.gaps}


def test_changed_missing_and_stray_files_are_found(tmp_path: Path) -> None:
    kit = save(tmp_path / "kit")
    (tmp_path / "kit" / "nodes/pub/lists/ITLFile.tlv").write_bytes(b"other")
    (tmp_path / "kit" / "nodes/sub1/certificates/TVS.pem").unlink()
    (tmp_path / "kit" / "notes.txt").write_text("ours")
    with pytest.raises(RescueKitError) as found:
        check_rescue_kit(tmp_path / "kit")
    assert "pub/lists/ITLFile.tlv: it is not what was saved" in found.value.report.saw
    assert "sub1/certificates/TVS.pem" in found.value.report.saw
    assert "notes.txt" not in found.value.report.saw
    assert len(found.value.report.saw.split("; ")) == 2 < len(kit.files)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": 2}', "\x00"])
def test_manifest_that_does_not_read_is_no_kit(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(RescueKitError, match="no manifest"):
        check_rescue_kit(tmp_path)


def test_manifest_that_leads_out_of_the_kit_is_not_followed(tmp_path: Path) -> None:
    save(tmp_path / "kit")
    manifest = tmp_path / "kit" / "manifest.json"
    manifest.write_text(manifest.read_text().replace("README.txt", "../outside.txt"))
    with pytest.raises(RescueKitError, match="no path inside the kit"):
        check_rescue_kit(tmp_path / "kit")


def test_readme_asks_for_the_key_pair_only_where_there_is_one(tmp_path: Path) -> None:
    save(tmp_path / "kit")
    readme = (tmp_path / "kit" / "README.txt").read_text()
    assert "file get tftp ITLRecovery.p12" in readme
    assert "remotekey" in readme
    assert "backup" in readme


def test_exported_key_pair_is_proved_by_its_hash_without_its_password(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    encryption = BestAvailableEncryption(b"secret")
    data = pkcs12.serialize_key_and_certificates(b"ITLRecovery", key, None, None, encryption)
    (tmp_path / "ITLRecovery.p12").write_bytes(data)
    proof = proof_of_p12(tmp_path / "ITLRecovery.p12")
    assert len(proof) == 64
    assert proof == proof_of_p12(tmp_path / "ITLRecovery.p12")
    (tmp_path / "cut.p12").write_bytes(data[:-1])
    with pytest.raises(RescueKitError):
        proof_of_p12(tmp_path / "cut.p12")


def _certificate_der() -> bytes:
    return x509.load_pem_x509_certificate(pem("itlr-g1").encode()).public_bytes(Encoding.DER)


@pytest.mark.parametrize("data", [b"", b"0", b"0\x82", b"-----BEGIN", _certificate_der()])
def test_what_is_no_key_pair_is_no_proof(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "some.p12").write_bytes(data)
    with pytest.raises(RescueKitError, match="no exported key pair"):
        proof_of_p12(tmp_path / "some.p12")
    with pytest.raises(RescueKitError):
        proof_of_p12(tmp_path / "none.p12")
