"""What a rescue kit is, as its manifest says, and whether it is still whole."""

from __future__ import annotations

import hashlib
import os
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Final

import attrs
from cattrs.preconf.json import make_converter

from cucm_certflow.errors import Report, RescueKitError

__all__ = [
    "CONVERTER",
    "MANIFEST",
    "TRUST_STORES",
    "KitFile",
    "KitNode",
    "KitRemark",
    "RescueKit",
    "check_rescue_kit",
]

MANIFEST: Final = "manifest.json"
"""The file of a kit that names all others."""

CONVERTER: Final = make_converter(forbid_extra_keys=True)
"""Values of a kit as JSON and back."""

_FORMAT: Final = 1


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


TRUST_STORES: Final = "the list of its trust stores"
"""What of a node is of use in a kit, and may be missing all the same."""


@attrs.frozen(kw_only=True)
class KitRemark:
    """Something about a node's part of the kit: what, and why."""

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
        doubts: What was saved, and is not as it was expected: it does not read as what it should
            be, or is another certificate than the discovery saw.
        format: Of the manifest.
    """

    made_at: datetime
    release: str
    mode: str
    nodes: tuple[KitNode, ...]
    files: tuple[KitFile, ...]
    gaps: tuple[KitRemark, ...]
    doubts: tuple[KitRemark, ...]
    format: int = _FORMAT

    @property
    def is_complete(self) -> bool:
        """Whether everything that was asked for is in it."""
        return not self.gaps


def check_rescue_kit(folder: str | os.PathLike[str]) -> RescueKit:
    """Read a kit back, and compare every file with its SHA-256; files of others are left alone.

    Raises:
        RescueKitError: There is no kit, its manifest does not read, or a file is missing or is not
            the one that was saved; the report names every such file. Nothing was sent.
    """
    root = Path(folder)
    try:
        text = (root / MANIFEST).read_bytes()
    except OSError as error:
        raise _not_whole(root, [f"{MANIFEST}: {error.strerror}"]) from error
    try:
        kit = CONVERTER.loads(text, RescueKit)
        if kit.format != _FORMAT:
            raise ValueError(kit.format)
    except Exception as error:
        # Only the kind of the error: its text would repeat what was read.
        problem = f"{MANIFEST}: no manifest of this version: {type(error).__name__}"
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


def _not_whole(root: Path, problems: list[str]) -> RescueKitError:
    return RescueKitError(
        Report(
            headline=f"the rescue kit {root} is not whole",
            saw="; ".join(problems),
            left="it was only read; nothing was sent",
            next="do not count on the files that are named",
        )
    )
