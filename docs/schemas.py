"""Writes docs/schemas/*.json from the types behind the documents: `python docs/schemas.py`.

Needs the extra `lab`.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
import textwrap
import types
import typing
from collections.abc import Mapping, Sequence, Set
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any, Final, Union

import attrs

from cucm_certflow.cli.checking import CheckDocument
from cucm_certflow.cli.doctoring import DoctorDocument
from cucm_certflow.cli.documents import (
    AS_TEXT,
    BY_NAME,
    TAGGED,
    DocumentKind,
    ErrorDocument,
    fields_of,
)
from cucm_certflow.cli.drawing import DiagramDocument
from cucm_certflow.cli.explaining import ExplanationDocument
from cucm_certflow.cli.lab import LabDocument
from cucm_certflow.cli.looking import PreflightDocument
from cucm_certflow.cli.plan_document import PlanDocument
from cucm_certflow.cli.rehearsing import RehearsalDocument
from cucm_certflow.cli.reporting import ReportDocument
from cucm_certflow.cli.rescuing import RemediesDocument
from cucm_certflow.control import RunStatus
from cucm_certflow.facts import ClusterFacts
from cucm_certflow.lab.chronicle import Executed
from cucm_certflow.lab.happenings import Happened
from cucm_certflow.lab.rehearsal import RehearsedStep
from cucm_certflow.observers import Event, Outcome
from cucm_certflow.orders import Order
from cucm_certflow.report.diagrams.graph import Diagram
from cucm_certflow.testing.verdict import Verdict
from cucm_certflow.verification import VerifyReport

FOLDER: Final = Path(__file__).with_name("schemas")

TYPES: Final[Mapping[DocumentKind, Any]] = {
    DocumentKind.CHECK: CheckDocument,
    DocumentKind.DIAGRAM: DiagramDocument,
    DocumentKind.DOCTOR: DoctorDocument,
    DocumentKind.ERROR: ErrorDocument,
    DocumentKind.EVENT: Event,
    DocumentKind.EXPLANATION: ExplanationDocument,
    DocumentKind.FACTS: ClusterFacts,
    DocumentKind.LAB: LabDocument,
    DocumentKind.ORDER: Order,
    DocumentKind.OUTCOME: Outcome,
    DocumentKind.PLAN: PlanDocument,
    DocumentKind.PREFLIGHT: PreflightDocument,
    DocumentKind.REHEARSAL: RehearsalDocument,
    DocumentKind.REMEDIES: RemediesDocument,
    DocumentKind.REPORT: ReportDocument,
    DocumentKind.STATUS: RunStatus,
    DocumentKind.VERDICT: Verdict,
    DocumentKind.VERIFY: VerifyReport,
}
"""What a document of each kind is made from. A new kind is added here."""

_LATE: Final[Mapping[str, Any]] = {
    "Cause": Executed | Happened,
    "Diagram": Diagram,
    "Executed": Executed,
    "RehearsedStep": RehearsedStep,
}
"""Names that the modules of their users import for type checkers alone."""

_SIMPLE: Final[Mapping[Any, Mapping[str, object]]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    type(None): {"type": "null"},
    datetime: {"type": "string", "format": "date-time"},
    Any: {},
    object: {},
}

Json = dict[str, Any]


class _Definitions:
    """The schemas of the types with names that a document uses."""

    def __init__(self) -> None:
        self.schemas: Json = {}
        self._types: dict[str, type] = {}

    def of(self, kind: Any) -> Json:  # noqa: ANN401 - any annotation
        """The schema of values that are annotated with *kind*."""
        if kind in _SIMPLE:
            return dict(_SIMPLE[kind])
        if kind in AS_TEXT:
            return {"type": "string"}
        origin, arguments = typing.get_origin(kind), typing.get_args(kind)
        if origin in (Union, types.UnionType):
            return {"anyOf": [self.of(each) for each in arguments]}
        if origin is tuple and arguments[-1] is not Ellipsis:
            parts = [self.of(each) for each in arguments]
            return {"type": "array", "prefixItems": parts, "items": False, "minItems": len(parts)}
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return {"type": "object", "additionalProperties": self.of(arguments[1])}
        if isinstance(origin, type) and issubclass(origin, Sequence | Set):
            unique = {"uniqueItems": True} if issubclass(origin, Set) else {}
            return {"type": "array", "items": self.of(arguments[0]), **unique}
        return self._named(kind)

    def _named(self, kind: type) -> Json:
        name = kind.__name__
        if self._types.setdefault(name, kind) is not kind:
            name = f"{kind.__module__.rpartition('.')[2]}.{name}"
            self._types[name] = kind
        if name not in self.schemas:
            self.schemas[name] = {}  # a type may have a field of its own kind
            self.schemas[name] = self.body(kind)
        return {"$ref": f"#/$defs/{name}"}

    def body(self, kind: type) -> Json:
        """The schema of *kind*, not by name."""
        about = {"description": first} if (first := _first_sentence(kind)) else {}
        if issubclass(kind, BY_NAME):
            return {**about, "enum": [each.name.lower() for each in kind]}
        if issubclass(kind, Enum):
            return {**about, "enum": [each.value for each in kind]}
        hints = typing.get_type_hints(kind, localns=dict(_LATE))
        names = fields_of(kind) if attrs.has(kind) else typing.cast("Any", kind)._fields
        told = _field_docs(kind)
        properties: Json = {"type": {"const": kind.__name__}} if kind in TAGGED else {}
        for name in names:
            said = {"description": told[name]} if name in told else {}
            properties[name] = {**self.of(hints[name]), **said}
        return {
            **about,
            "type": "object",
            "properties": properties,
            "required": sorted(properties),
            "additionalProperties": False,
        }


def schema_of(kind: DocumentKind) -> Json:
    """The JSON Schema of the documents of *kind*."""
    definitions = _Definitions()
    choices = typing.get_args(TYPES[kind]) or (TYPES[kind],)
    bodies = [_with_schema(definitions.body(each), kind) for each in choices]
    name, _, version = kind.value.partition("/")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:cucm-certflow:{name}:{version}",
        "title": kind.value,
        **(bodies[0] if len(bodies) == 1 else {"oneOf": bodies}),
        "$defs": definitions.schemas,
    }


def _with_schema(body: Json, kind: DocumentKind) -> Json:
    properties = {"schema": {"const": kind.value}, **body["properties"]}
    return {**body, "properties": properties, "required": sorted(properties)}


# ── what the docstrings say ───────────────────────────────────────────────────────────────


def _plain(text: str) -> str:
    text = re.sub(r":\w+:`~?([^`]*)`", r"\1", " ".join(text.split()))
    return text.replace("``", "").replace("*", "")


def _first_sentence(kind: type) -> str:
    return _plain((inspect.getdoc(kind) or "").partition("\n\n")[0])


def _field_docs(kind: type) -> dict[str, str]:
    """What a docstring's section "Attributes", or the text under a field, says about it."""
    told: dict[str, str] = {}
    for base in reversed(kind.__mro__[:-1]):
        if attrs.has(base) or base is kind:
            told |= _own_field_docs(base)
    return told


def _own_field_docs(kind: type) -> dict[str, str]:
    section = (inspect.getdoc(kind) or "").partition("\nAttributes:\n")[2].partition("\n\n")[0]
    told: dict[str, str] = {}
    for part in re.split(r"^ {4}(?=\w+: )", section, flags=re.MULTILINE)[1:]:
        name, _, text = part.partition(": ")
        told[name] = _plain(text)
    body = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    assert isinstance(body, ast.ClassDef)
    name = ""
    for node in body.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
        elif name and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            told[name] = _plain(str(node.value.value))
        else:
            name = ""
    return told


# ── the files ─────────────────────────────────────────────────────────────────────────────


def files() -> dict[Path, str]:
    """Every file with its text."""
    return {
        FOLDER / f"{kind.value.partition('/')[0]}.json": (
            json.dumps(schema_of(kind), ensure_ascii=False, indent=2) + "\n"
        )
        for kind in DocumentKind
    }


if __name__ == "__main__":
    from written import write  # beside this script

    sys.exit(write(files, __doc__, own="*.json"))
