"""The rescue kit: what a cluster shows and serves, saved on disk before the first change.

Certificates and trust lists are public, so a kit holds no secret. The one that matters most for a
rescue, ITLRecovery's key pair, is never read over any interface: a person exports it (field notes,
§8; security guide 12.5(1)SU6, Default Security), and :func:`proof_of_p12` says that the file exists.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import quote

import attrs
from cattrs.preconf.json import make_converter

from cucm_certflow.clock import Clock
from cucm_certflow.errors import CertflowError, Report, RescueKitError
from cucm_certflow.facts import (
    Certificate,
    CertificateFile,
    ClusterFacts,
    Fact,
    ListFile,
    NodeFacts,
    Query,
    TrustStores,
    Unknown,
)
from cucm_certflow.names import ListKind, Product, SecurityMode, Service
from cucm_certflow.transports.base import Transport
from cucm_certflow.trust.lists import parse_list, view_of
from cucm_certflow.trust.x509 import certificate_from_pem, normalised_pem

__all__ = ["Gap", "KitFile", "KitNode", "RescueKit", "check_rescue_kit", "proof_of_p12"]
__all__ += ["save_rescue_kit"]

_FORMAT: Final = 1
_MANIFEST: Final = "manifest.json"
_README: Final = "README.txt"
_LARGEST_P12_BYTES: Final = 1 << 20
_ITLRECOVERY_SINCE: Final = (10, 0)
_LAST_WITH_REMOTEKEY: Final = (14, 99)


@attrs.frozen(kw_only=True)
class KitFile:
    """One file of a kit.

    Attributes:
        path: Below the kit's folder, with ``/``.
        sha256: Of its bytes, lower-case hex.
        size: In bytes.
        what: What it is, in words.
        node: Whose it is; empty for what is of the whole cluster.
        at: The instant at which it was read.
        by: The way by which it was read.
    """

    path: str
    sha256: str
    size: int
    what: str
    node: str = ""
    at: datetime
    by: str = ""


@attrs.frozen(kw_only=True)
class Gap:
    """What is not in the kit, or is not as it should be, and why."""

    node: str
    what: str
    why: str


@attrs.frozen(kw_only=True)
class KitNode:
    """A node that the kit is of."""

    name: str
    address: str
    product: str
    release: str
    is_publisher: bool


@attrs.frozen(kw_only=True)
class RescueKit:
    """What a kit holds, as its ``manifest.json`` says.

    Attributes:
        made_at: When it was begun.
        release: The publisher's.
        mode: Of the cluster: ``0`` is non-secure, ``1`` is mixed.
        nodes: All nodes of the discovery.
        files: All files but the manifest itself.
        gaps: What could not be saved. A kit with gaps is no failure by itself; who starts a change
            with one should know.
        format: Of the manifest.
    """

    made_at: datetime
    release: str
    mode: str
    nodes: tuple[KitNode, ...]
    files: tuple[KitFile, ...]
    gaps: tuple[Gap, ...]
    format: int = _FORMAT

    @property
    def is_complete(self) -> bool:
        """Whether everything that was asked for is in it."""
        return not self.gaps


# ── saving ────────────────────────────────────────────────────────────────────────────────


async def save_rescue_kit(
    facts: ClusterFacts, transport: Transport, folder: str | os.PathLike[str], *, clock: Clock
) -> RescueKit:
    """Save what would be needed to help phones after a change went wrong; it only looks.

    Every node's identity certificates in PEM, the bytes of the ITL and CTL of every TFTP node, and
    a list of what each node's trust stores hold. What cannot be read becomes a gap of the kit, in
    its manifest and in its README. The kit appears whole or not at all: it is written beside its
    place, synced, and renamed. Folders are for the owner alone (0700), files too (0600).

    Trust stores are listed by name, serial and fingerprint: no interface that is used answers with
    their certificates in PEM in one question.

    Args:
        facts: A discovery; nodes are asked for the certificates that they have by it.
        transport: The way to the cluster.
        folder: Where the kit goes: a path that does not exist, in a folder that does.
        clock: Dates the kit.

    Raises:
        RescueKitError: *folder* exists, or the kit cannot be written; nothing is left of it.
        AuthenticationFailed: An account was refused; nothing more is asked with it.
        IdentityNotTrusted: A node is not who it should be.
    """
    target = Path(folder)
    _must_be_free(target)
    made_at = clock.now()
    answers = await _asked(facts, transport, clock)
    kit = _Writing(target, made_at)
    try:
        for node in facts.in_order:
            _put_node(kit, facts, node, answers)
        return kit.finished(facts)
    except OSError as error:
        raise _unwritable(target, error.strerror or type(error).__name__) from error
    finally:
        kit.clear()


def _queries(facts: ClusterFacts, node: NodeFacts) -> list[Query]:
    found: list[Query] = [CertificateFile(node.name, unit) for unit in node.certificates]
    if node.runs(Service.TFTP):
        found += [ListFile(node.name, kind) for kind in _kinds(facts)]
    return [*found, TrustStores(node.name)]


def _kinds(facts: ClusterFacts) -> tuple[ListKind, ...]:
    # A CTL that a non-secure cluster still serves is one that its phones may hold: asked as well.
    return (ListKind.ITL, ListKind.CTL)


async def _asked(facts: ClusterFacts, transport: Transport, clock: Clock) -> dict[Query, Fact]:
    """Nodes beside each other, and each node's questions one after the other."""
    answers: dict[Query, Fact] = {}

    async def ask(node: NodeFacts) -> None:
        for query in _queries(facts, node):
            if transport.supports(query):
                answers[query] = await transport.observe(query)
            else:
                answers[query] = Unknown("no way that is connected can answer it", clock.now())

    try:
        async with asyncio.TaskGroup() as group:
            for node in facts.in_order:
                group.create_task(ask(node))
    except* CertflowError as several:
        # The first is as good as any: the others say the same of other nodes.
        raise _first(several) from None
    return answers


def _first(several: BaseExceptionGroup[CertflowError]) -> CertflowError:
    found: BaseException = several
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    assert isinstance(found, CertflowError)  # the group holds nothing else
    return found


class _Writing:
    """A kit on its way to the disk, under another name until it is whole."""

    def __init__(self, target: Path, made_at: datetime) -> None:
        self.target = target
        self.made_at = made_at
        self.files: list[KitFile] = []
        self.gaps: list[Gap] = []
        self._folder: Path | None = None

    def lacks(self, node: NodeFacts, what: str, why: str) -> None:
        self.gaps.append(Gap(node=node.name, what=what, why=why))

    def put(self, path: PurePosixPath, data: bytes, what: str, node: str, fact: Fact) -> None:
        self._write(path, data)
        self.files.append(
            KitFile(
                path=str(path),
                sha256=hashlib.sha256(data).hexdigest(),
                size=len(data),
                what=what,
                node=node,
                at=fact.at,
                by=fact.by,
            )
        )

    def finished(self, facts: ClusterFacts) -> RescueKit:
        readme = _readme(facts, self.gaps).encode()
        now = Unknown("", self.made_at, "cucm_certflow")
        self.put(PurePosixPath(_README), readme, "what to do with this kit", "", now)
        kit = RescueKit(
            made_at=self.made_at,
            release=str(facts.release),
            mode=facts.mode.value,
            nodes=tuple(
                KitNode(
                    name=node.name,
                    address=node.address,
                    product=node.product.value,
                    release=str(node.release),
                    is_publisher=node.is_publisher,
                )
                for node in facts.in_order
            ),
            files=tuple(self.files),
            gaps=tuple(self.gaps),
        )
        text = _CONVERTER.dumps(kit, indent=2, ensure_ascii=True)
        self._write(PurePosixPath(_MANIFEST), text.encode() + b"\n")
        folder = self._made()
        for each in sorted({p for p in folder.rglob("*") if p.is_dir()}, reverse=True):
            _sync_folder(each)
        _sync_folder(folder)
        _must_be_free(self.target)
        folder.rename(self.target)
        self._folder = None
        _sync_folder(self.target.resolve().parent)
        return kit

    def clear(self) -> None:
        """Leave nothing of a kit that was not finished."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _made(self) -> Path:
        if self._folder is None:
            beside = self.target.resolve().parent
            made = tempfile.mkdtemp(prefix=f".{self.target.name}.", suffix=".partial", dir=beside)
            self._folder = Path(made)  # 0700
        return self._folder

    def _write(self, path: PurePosixPath, data: bytes) -> None:
        place = self._made()
        for part in path.parts[:-1]:
            place /= part
            place.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(place / path.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())


def _put_node(
    kit: _Writing, facts: ClusterFacts, node: NodeFacts, answers: dict[Query, Fact]
) -> None:
    place = PurePosixPath("nodes") / _safe(node.name)
    for unit, certificate in node.certificates.items():
        what = f"the {unit.value} certificate"
        fact = answers[CertificateFile(node.name, unit)]
        if isinstance(fact, Unknown):
            kit.lacks(node, what, fact.reason)
            continue
        try:
            # Anew from its DER: what else stood in the answer, a key above all, is not written.
            pem = normalised_pem(fact.value)
            found = certificate_from_pem(pem)
        except CertflowError as error:
            kit.lacks(node, what, error.report.headline)
            continue
        path = place / "certificates" / f"{_safe(unit.value)}.pem"
        kit.put(path, pem.encode(), what, node.name, fact)
        if found.fingerprint != certificate.fingerprint:
            kit.lacks(node, what, _two_certificates(certificate, found))
    if node.runs(Service.TFTP):
        for kind in _kinds(facts):
            _put_list(kit, facts, node, kind, place / "lists", answers[ListFile(node.name, kind)])
    _put_stores(kit, node, place, answers[TrustStores(node.name)])


def _two_certificates(discovered: Certificate, saved: Certificate) -> str:
    return (
        f"discovery saw serial {discovered.serial}, fingerprint {discovered.fingerprint[:40]}; "
        f"the saved file is serial {saved.serial}, fingerprint {saved.fingerprint[:40]}"
    )


def _put_list(
    kit: _Writing,
    facts: ClusterFacts,
    node: NodeFacts,
    kind: ListKind,
    place: PurePosixPath,
    fact: Fact,
) -> None:
    what = f"the {kind.value} that it serves"
    if isinstance(fact, Unknown):
        kit.lacks(node, what, fact.reason)
        return
    data: bytes | None = fact.value
    if data is None:
        if kind is ListKind.ITL or facts.mode is SecurityMode.MIXED:
            kit.lacks(node, what, "it serves no such file")
        return
    kit.put(place / kind.file_name, data, what, node.name, fact)
    try:
        view_of(parse_list(data), kind, data)
    except CertflowError as error:
        # Saved all the same: these are the bytes that phones hold, whatever they are.
        kit.lacks(node, what, f"it was saved, and does not read: {error.report.headline}")


def _put_stores(kit: _Writing, node: NodeFacts, place: PurePosixPath, fact: Fact) -> None:
    what = "the list of its trust stores"
    if isinstance(fact, Unknown):
        kit.lacks(node, what, fact.reason)
        return
    text = _CONVERTER.dumps(list(fact.value), indent=2, ensure_ascii=True)
    path = place / "trust-stores.json"
    kit.put(path, text.encode() + b"\n", what, node.name, fact)


def _safe(name: str) -> str:
    """*name* as one part of a path, whatever stands in it."""
    quoted = quote(name, safe="")
    return quoted if quoted.strip(".") else quoted.replace(".", "%2E") or "%"


def _readme(facts: ClusterFacts, gaps: Iterable[Gap]) -> str:
    """What a person has to do with the kit, and what is missing from it."""
    release = facts.release.short
    presence = any(node.product is Product.IM_PRESENCE for node in facts.nodes)
    lines = [
        "Rescue kit",
        "==========",
        "",
        "Saved before the first change to this cluster's certificates:",
        "",
        "  nodes/NODE/certificates/UNIT.pem   each node's identity certificates",
        "  nodes/NODE/lists/*File.tlv         the trust lists that each TFTP node serves",
        "  nodes/NODE/trust-stores.json       what each node's trust stores hold, by name",
        "  manifest.json                      SHA-256 of every file, when it was read and by whom",
        "",
        "It holds no private key, and is never changed: keep it as it is.",
        "",
        "Still to be done by a person, before the first change",
        "-----------------------------------------------------",
        "",
    ]
    step = 1
    if release >= _ITLRECOVERY_SINCE:
        lines += [
            f"{step}. Export ITLRecovery's key pair on the publisher's command line:",
            "",
            "       file get tftp ITLRecovery.p12",
            "",
            "   It is a private key: keep it where only those can read it who may sign for the",
            "   cluster, and not in this folder.",
        ]
        if release <= _LAST_WITH_REMOTEKEY:
            lines += [
                "   With it, `utils itl reset remotekey HOST USER ITLRecovery.p12` can sign a list",
                "   that phones of today still accept, when nothing else can.",
            ]
        lines += [
            "   Record it under the item itlrecovery-exported: who exported it, where it is kept,",
            "   and its SHA-256 (proof_of_p12 in cucm_certflow.rescue tells it, and that the file",
            "   is of the right shape; neither its content nor its password is looked at).",
            "",
        ]
        step += 1
    lines += [
        f"{step}. Take a backup (Disaster Recovery System) of the publisher"
        + (" and of IM and Presence" if presence else "")
        + ", and wait for its success.",
        "   After the change take another: a restore of the old one brings the old certificates",
        "   back, and every phone that has moved on must then be unlocked by hand.",
        "",
        "What is not in this kit",
        "-----------------------",
        "",
    ]
    missing = [f"- {gap.node}: {gap.what}: {gap.why}" for gap in gaps]
    lines += missing or ["Nothing that was asked for."]
    lines += [
        "",
        "The PEM of what stands in the trust stores: they are listed by fingerprint alone.",
        "",
        "Sources: Cisco security guide 12.5(1)SU6, Default Security; Cisco CLI reference 14SU2,",
        "utils itl reset; Cisco security guide 14SU2, Certificates (backup after regeneration).",
        "",
    ]
    return "\n".join(lines)


# ── looking at what was saved ─────────────────────────────────────────────────────────────


def check_rescue_kit(folder: str | os.PathLike[str]) -> RescueKit:
    """Read a kit back, and compare every file with its SHA-256; files of others are left alone.

    Raises:
        RescueKitError: There is no kit, its manifest does not read, or a file is missing or is not
            the one that was saved; the report names every such file. Nothing was sent.
    """
    root = Path(folder)
    try:
        text = (root / _MANIFEST).read_bytes()
    except OSError as error:
        raise _not_whole(root, [f"{_MANIFEST}: {error.strerror}"]) from error
    try:
        kit = _CONVERTER.loads(text, RescueKit)
        if kit.format != _FORMAT:
            raise ValueError(kit.format)
    except Exception as error:
        # Only the kind of the error: its text would repeat what was read.
        problem = f"{_MANIFEST}: no manifest of this version: {type(error).__name__}"
        raise _not_whole(root, [problem]) from error
    problems = [problem for file in kit.files if (problem := _difference(root, file))]
    if problems:
        raise _not_whole(root, problems)
    return kit


def _difference(root: Path, file: KitFile) -> str:
    path = PurePosixPath(file.path)
    if path.is_absolute() or not path.parts or ".." in path.parts:
        return f"{file.path[:80]!r} is no path inside the kit"
    try:
        data = (root / path).read_bytes()
    except OSError as error:
        return f"{file.path}: {error.strerror}"
    if hashlib.sha256(data).hexdigest() != file.sha256 or len(data) != file.size:
        return f"{file.path}: it is not what was saved"
    return ""


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
            data = file.read(_LARGEST_P12_BYTES + 1)
    except OSError as error:
        raise _no_p12(place, error.strerror or type(error).__name__) from error
    if not data:
        raise _no_p12(place, "an empty file")
    if len(data) > _LARGEST_P12_BYTES:
        raise _no_p12(place, f"more than {_LARGEST_P12_BYTES} bytes")
    if not _is_p12_shaped(data):
        raise _no_p12(place, f"{len(data)} bytes that do not begin as PKCS#12")
    return hashlib.sha256(data).hexdigest()


_SEQUENCE: Final = 0x30
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
    if first < 0x80:
        return at + 2, first
    if first == 0x80:
        return at + 2, None
    count = first - 0x80
    length = data[at + 2 : at + 2 + count]
    if len(length) < count:
        return None
    return at + 2 + count, int.from_bytes(length, "big")


# ── what may go wrong ─────────────────────────────────────────────────────────────────────


def _must_be_free(target: Path) -> None:
    if os.path.lexists(target):
        raise RescueKitError(
            Report(
                headline=f"there is something at {target} already",
                expected="a path that does not exist",
                left="it was not touched, and nothing was sent",
                next="name another folder; an old kit is kept as it is",
            )
        )
    if not target.resolve().parent.is_dir():
        raise _unwritable(target, "the folder that it goes into does not exist")


def _unwritable(target: Path, why: str) -> RescueKitError:
    return RescueKitError(
        Report(
            headline=f"the rescue kit {target} cannot be written",
            saw=why,
            left="nothing of it is left, and nothing was sent",
            next="make room, or name another folder",
        )
    )


def _not_whole(root: Path, problems: list[str]) -> RescueKitError:
    return RescueKitError(
        Report(
            headline=f"the rescue kit {root} is not whole",
            saw="; ".join(problems),
            left="it was only read; nothing was sent",
            next="do not count on the files that are named",
        )
    )


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


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


_CONVERTER: Final = make_converter(forbid_extra_keys=True)
