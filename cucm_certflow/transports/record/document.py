"""The file of a recording: one JSON document a line, a header and then what went to and fro.

::

    {"certflow_recording": 1, "version": "0.1.0", "at": "2026-03-01T10:00:00+00:00",
     "layers": ["seam", "http", "shell"], "pseudonyms": false,
     "nodes": [{"name": "cucm-pub", "address": "10.1.1.5"}]}
    {"n": 1, "at_s": 0.25, "layer": "shell", "way": "cucm-pub", "direction": "in",
     "content": {"kind": "printed", "session": 1, "data": {"text": "admin:"}}}

``n`` counts what happened, ``at_s`` is seconds of the event loop since the beginning. A line may
come later than its number says, and have the number of an earlier one of which it is the rest: what
could be a part of a secret is held back until that is clear.
Bytes are ``{"text": …}`` if they are UTF-8, else ``{"base64": …}``. A torn last line is what a
crash leaves, and is dropped; anything else that does not read is an error.
"""

from __future__ import annotations

import base64
import json
import logging
import os
from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Self

import attrs
from cattrs.preconf.json import make_converter

from cucm_certflow.errors import (
    AuthenticationFailed,
    CertflowError,
    IdentityNotTrusted,
    NodeError,
    NodeFault,
    NodeUnreachable,
    RateLimited,
    RecordingError,
    Report,
    RoleMissing,
    UnknownLayout,
)
from cucm_certflow.inventory import Account, Inventory, NodeEntry
from cucm_certflow.secret import Secret

__all__ = [
    "FORMAT",
    "Direction",
    "Entry",
    "Header",
    "Layer",
    "Recording",
    "Tag",
    "bytes_to_json",
    "error_from_json",
    "error_to_json",
    "header_to_json",
    "unusable",
]

FORMAT: Final = 1
"""Of the file's layout; a recording of another one is refused."""

_log = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())


class Layer(StrEnum):
    """Where a conversation was recorded."""

    SEAM = "seam"
    """Questions, facts, commands and replies."""

    HTTP = "http"
    """Requests and responses of the web interfaces."""

    SHELL = "shell"
    """What was typed and printed on the platform command line."""


class Direction(StrEnum):
    """Which way something went."""

    OUT = "out"
    IN = "in"


@attrs.frozen
class Tag:
    """When something happened: its number, and seconds since the recording began."""

    number: int
    at_s: float


@attrs.frozen(kw_only=True)
class Entry:
    """One line: what went which way.

    Attributes:
        number: Counts what happened, from 1.
        at_s: Seconds since the recording began.
        layer: Where it was recorded.
        way: The node, as the recording names it; at the seam the name given to the transport.
        direction: To the node, or from it.
        content: What it was, by the layer: see the module that writes it.
    """

    number: int
    at_s: float
    layer: Layer
    way: str
    direction: Direction
    content: Mapping[str, object]

    @property
    def kind(self) -> str:
        """What kind of content it is."""
        return self.text("kind")

    def text(self, name: str) -> str:
        """The text called *name*; RecordingError if there is none."""
        value = self.content.get(name)
        if not isinstance(value, str):
            raise self.wrong(name)
        return value

    def whole(self, name: str) -> int:
        """The whole number called *name*; RecordingError if there is none."""
        value = self.content.get(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.wrong(name)
        return value

    def data(self, name: str) -> bytes:
        """The bytes called *name*; RecordingError if there are none."""
        value = self.content.get(name)
        if isinstance(value, dict) and len(value) == 1:
            (form, text), *_ = value.items()
            if form == "text" and isinstance(text, str):
                return text.encode("utf-8", "surrogatepass")
            if form == "base64" and isinstance(text, str):
                try:
                    return base64.b64decode(text, validate=True)
                except ValueError as error:
                    raise self.wrong(name) from error
        raise self.wrong(name)

    def wrong(self, what: str) -> RecordingError:
        """The error that says that *what* is not as it should be here."""
        return unusable("the recording", f"entry {self.number} has no readable {what!r}")


@attrs.frozen(kw_only=True)
class Header:
    """What a recording says of itself.

    Attributes:
        certflow_recording: The version of the format.
        version: Of the library that wrote it.
        at: When it began, aware, in UTC.
        layers: Which layers it may hold.
        pseudonyms: Whether names have been replaced.
        nodes: Name and address of the inventory's nodes, publisher first.
    """

    certflow_recording: int
    version: str
    at: datetime
    layers: tuple[Layer, ...]
    pseudonyms: bool
    nodes: tuple[Mapping[str, str], ...]


_CONVERTER: Final = make_converter(forbid_extra_keys=True)


# ── reading ───────────────────────────────────────────────────────────────────────────────


@attrs.frozen(kw_only=True)
class Recording:
    """A recording that was read, in order of what happened."""

    header: Header
    entries: tuple[Entry, ...]

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read the recording in the file *path*.

        Raises:
            RecordingError: There is no such file, it is of another format, or a line of it that
                is not a torn last one does not read. Nothing was sent.
        """
        target = Path(path)
        try:
            data = target.read_bytes()
        except OSError as error:
            raise unusable(target.name, error.strerror or type(error).__name__) from error
        return cls.loads(data, name=target.name)

    @classmethod
    def loads(cls, data: bytes, *, name: str = "recording") -> Self:
        """Read a recording from *data*; *name* is for errors, as those of :meth:`load`."""
        *lines, torn = data.split(b"\n")
        if torn:
            _log.info("%s: the last line is torn; it is dropped", name)
        if not lines:
            raise unusable(name, "it has no readable first line")
        header = _header(lines[0], name)
        entries: list[Entry] = []
        for number, line in enumerate(lines[1:], 2):
            try:
                entries.append(_entry(line))
            except (ValueError, KeyError, TypeError) as error:
                raise unusable(name, f"line {number} does not read") from error
        # What was held back comes later; of one number the order is that of the file.
        return cls(header=header, entries=tuple(sorted(entries, key=lambda entry: entry.number)))

    def of(self, layer: Layer) -> Iterator[Entry]:
        """The entries of *layer*, in order."""
        return (entry for entry in self.entries if entry.layer is layer)

    def inventory(self) -> Inventory:
        """An inventory to replay with: the nodes as the recording names them, without passwords.

        Nothing in it lets anybody in anywhere.
        """
        nobody = Account("replay", Secret(""))
        nodes = tuple(
            NodeEntry(name=node["name"], address=node["address"]) for node in self.header.nodes
        )
        return Inventory(nodes=nodes, platform=nobody, application=nobody)


def _header(line: bytes, name: str) -> Header:
    try:
        value = json.loads(line)
        version = value["certflow_recording"]
    except (ValueError, KeyError, TypeError) as error:
        raise unusable(name, "its first line is not that of a recording") from error
    if version != FORMAT:
        raise unusable(name, f"it is of format {version!r}, this version reads {FORMAT}")
    try:
        header = _CONVERTER.structure(value, Header)
        if not header.nodes or any(set(node) != {"name", "address"} for node in header.nodes):
            raise ValueError(name)
    except Exception as error:
        raise unusable(name, "its first line does not read") from error
    return header


def _entry(line: bytes) -> Entry:
    value = json.loads(line)
    if set(value) != {"n", "at_s", "layer", "way", "direction", "content"}:
        raise ValueError(line)
    number, at_s, way, content = value["n"], value["at_s"], value["way"], value["content"]
    if not (
        type(number) is int
        and type(at_s) in (int, float)
        and isinstance(way, str)
        and isinstance(content, dict)
    ):
        raise ValueError(line)
    return Entry(
        number=number,
        at_s=at_s,
        layer=Layer(value["layer"]),
        way=way,
        direction=Direction(value["direction"]),
        content=content,
    )


def header_to_json(header: Header) -> dict[str, Any]:
    """*header* as the first line."""
    written: dict[str, Any] = _CONVERTER.unstructure(header)
    return written


# ── values ────────────────────────────────────────────────────────────────────────────────


def bytes_to_json(data: bytes) -> dict[str, str]:
    """*data* as text if it is UTF-8, else in BASE64."""
    try:
        return {"text": data.decode("utf-8")}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode("ascii")}


_ERRORS: Final[Mapping[str, type[NodeError]]] = {
    kind.code: kind
    for kind in (
        AuthenticationFailed,
        IdentityNotTrusted,
        NodeError,
        NodeFault,
        NodeUnreachable,
        RateLimited,
        UnknownLayout,
    )
}


def error_to_json(error: CertflowError) -> dict[str, Any]:
    """*error* by its code, with its report; not scrubbed yet."""
    role = error.role if isinstance(error, RoleMissing) else ""
    return {"code": error.code, "role": role, "report": attrs.asdict(error.report)}


def error_from_json(entry: Entry, name: str = "error") -> NodeError:
    """The error that *entry* holds under *name*.

    Raises:
        RecordingError: It holds none.
    """
    value = entry.content.get(name)
    try:
        if not isinstance(value, dict):
            raise entry.wrong(name)
        body: dict[str, Any] = value
        report = _CONVERTER.structure(body["report"], Report)
        if body["code"] == RoleMissing.code:
            return RoleMissing(report, str(body["role"]))
        return _ERRORS.get(body["code"], NodeUnreachable)(report)
    except Exception as error:
        raise entry.wrong(name) from error


def unusable(name: str, why: str) -> RecordingError:
    """The error that says why the recording *name* cannot be used."""
    return RecordingError(
        Report(
            headline=f"the recording {name} cannot be used" if name != "the recording" else name,
            saw=why,
            left="nothing was sent",
            next="have it sent again, or record anew",
        )
    )
