"""What ``--json`` printed, each line read and held against the schema of its kind."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Final, Protocol, cast

import jsonschema  # type: ignore[import-untyped]  # - it has no types, and its stubs are a package

__all__ = ["SCHEMAS", "document", "documents", "validator"]

SCHEMAS: Final = Path(__file__).parents[1] / "docs" / "schemas"


class Validator(Protocol):
    """What is used of jsonschema."""

    def validate(self, instance: object) -> None: ...


@cache
def validator(name: str) -> Validator:
    """For the documents of the kind called *name*; instants are held to RFC 3339."""
    schema = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    kind: Any = jsonschema.Draft202012Validator
    kind.check_schema(schema)
    return cast("Validator", kind(schema, format_checker=kind.FORMAT_CHECKER))


def document(text: str, kind: str = "") -> dict[str, Any]:
    """The only document in *text*, of *kind* if that is given."""
    (found,) = documents(text)
    assert kind in ("", found["schema"].partition("/")[0]), found["schema"]
    return found


def documents(text: str) -> list[dict[str, Any]]:
    """The documents in *text*: one on each line, and nothing else."""
    found: list[dict[str, Any]] = []
    for line in text.splitlines():
        value = json.loads(line)
        validator(value["schema"].partition("/")[0]).validate(value)
        found.append(value)
    return found
