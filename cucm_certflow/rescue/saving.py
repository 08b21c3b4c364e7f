"""A rescue kit is read from a cluster and written here: whole, synced, or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import quote

from cucm_certflow.checking import gather
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
from cucm_certflow.names import ListKind, SecurityMode, Service
from cucm_certflow.rescue.kit import (
    CONVERTER,
    MANIFEST,
    TRUST_STORES,
    KitFile,
    KitNode,
    KitRemark,
    RescueKit,
)
from cucm_certflow.rescue.readme import readme
from cucm_certflow.transports.base import Transport
from cucm_certflow.trust.lists import parse_list, view_of
from cucm_certflow.trust.x509 import certificate_from_pem, normalised_pem

__all__ = ["save_rescue_kit"]

_README: Final = "README.txt"


async def save_rescue_kit(
    facts: ClusterFacts, transport: Transport, folder: str | os.PathLike[str], *, clock: Clock
) -> RescueKit:
    """Save what would be needed to help phones after a change went wrong; it only looks.

    Every node's identity certificates in PEM, the bytes of the ITL and CTL of every TFTP node, and
    a list of what each node's trust stores hold. What cannot be read becomes a gap of the kit, in
    its manifest and in its README; what was read, and is not as expected, a doubt.

    The kit appears whole or not at all: it is written beside its place, synced, and renamed.
    Folders are for the owner alone (0700), files too (0600).

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
    queries = [query for node in facts.in_order for query in _queries(node)]
    answers = await gather(queries, transport, clock=clock)
    kit = _Writing(target, made_at)
    try:
        for node in facts.in_order:
            _put_node(kit, facts, node, answers)
        return kit.finished(facts)
    except OSError as error:
        raise _unwritable(target, error.strerror or type(error).__name__) from error
    finally:
        kit.clear()


def _queries(node: NodeFacts) -> list[Query]:
    found: list[Query] = [CertificateFile(node.name, unit) for unit in node.certificates]
    if node.runs(Service.TFTP):
        # A CTL that a non-secure cluster still serves is one that its phones may hold.
        found += [ListFile(node.name, kind) for kind in ListKind]
    return [*found, TrustStores(node.name)]


class _Writing:
    """A kit on its way to the disk, under another name until it is whole."""

    def __init__(self, target: Path, made_at: datetime) -> None:
        self.target = target
        self.made_at = made_at
        self.files: list[KitFile] = []
        self.gaps: list[KitRemark] = []
        self.doubts: list[KitRemark] = []
        self._folder: Path | None = None

    def lacks(self, node: NodeFacts, what: str, why: str) -> None:
        self.gaps.append(KitRemark(node=node.name, what=what, why=why))

    def doubt(self, node: NodeFacts, what: str, why: str) -> None:
        self.doubts.append(KitRemark(node=node.name, what=what, why=why))

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
        text = readme(facts, self.gaps, self.doubts).encode()
        now = Unknown("", self.made_at, "cucm_certflow")
        self.put(PurePosixPath(_README), text, "what to do with this kit", "", now)
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
            doubts=tuple(self.doubts),
        )
        manifest = CONVERTER.dumps(kit, indent=2, ensure_ascii=True)
        self._write(PurePosixPath(MANIFEST), manifest.encode() + b"\n")
        folder = self._made()
        for each in sorted({p for p in folder.rglob("*") if p.is_dir()}, reverse=True):
            _sync_folder(each)
        _sync_folder(folder)
        _must_be_free(self.target)
        folder.rename(self.target)
        self._folder = self.target  # not finished before its place is on the disk as well
        _sync_folder(self.target.resolve().parent)
        self._folder = None
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
    kit: _Writing, facts: ClusterFacts, node: NodeFacts, answers: Mapping[Query, Fact]
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
            kit.doubt(node, what, _two_certificates(certificate, found))
    if node.runs(Service.TFTP):
        for kind in ListKind:
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
        kit.doubt(node, what, f"it does not read: {error.report.headline}")


def _put_stores(kit: _Writing, node: NodeFacts, place: PurePosixPath, fact: Fact) -> None:
    what = TRUST_STORES
    if isinstance(fact, Unknown):
        kit.lacks(node, what, fact.reason)
        return
    text = CONVERTER.dumps(list(fact.value), indent=2, ensure_ascii=True)
    path = place / "trust-stores.json"
    kit.put(path, text.encode() + b"\n", what, node.name, fact)


def _safe(name: str) -> str:
    """*name* as one part of a path, whatever stands in it."""
    quoted = quote(name, safe="")
    return quoted if quoted.strip(".") else quoted.replace(".", "%2E") or "%"


# ── what may go wrong ─────────────────────────────────────────────────────────────────────


def _must_be_free(target: Path) -> None:
    if os.path.lexists(target):
        raise RescueKitError(
            Report(
                headline=f"there is something at {target} already",
                expected="a path that does not exist",
                left="it was not touched, and nothing was changed on any node",
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
            left="nothing of it is left, and nothing was changed on any node",
            next="make room, or name another folder",
        )
    )


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
