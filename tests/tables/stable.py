"""All that docs/stability.md promises, as one text: ``python -m tests.tables.stable --write``.

``stable.txt`` is that text as it was agreed to. A line that is gone or changed there breaks those
who build on it: it is changed on purpose, with a fragment in ``changes/`` that says what to do.
"""

from __future__ import annotations

import enum
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, get_args

import attrs
import typer.main

from cucm_certflow import errors
from cucm_certflow.cli.app import app
from cucm_certflow.cli.documents import DocumentKind
from cucm_certflow.cli.output import Exit
from cucm_certflow.core.run_state import Record
from cucm_certflow.core.tables import CERTIFICATE, COMMAND, ENTRY
from cucm_certflow.errors import CertflowError
from cucm_certflow.journal import MIGRATIONS, PROTOCOL
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.notes import Note
from cucm_certflow.observers import Event, Outcome
from cucm_certflow.transports.record.document import FORMAT

__all__ = ["PINNED", "PROVISIONAL", "STABLE", "stable_text"]

PINNED: Final = Path(__file__).with_name("stable.txt")
_DOCS: Final = Path(__file__).parents[2] / "docs"

STABLE: Final = (
    "cucm_certflow",
    "cucm_certflow.clock",
    "cucm_certflow.commands",
    "cucm_certflow.errors",
    "cucm_certflow.facts",
    "cucm_certflow.findings",
    "cucm_certflow.inventory",
    "cucm_certflow.names",
    "cucm_certflow.observers",
    "cucm_certflow.orders",
    "cucm_certflow.report",
    "cucm_certflow.secret",
    "cucm_certflow.testing",
    "cucm_certflow.testing.plugin",
    "cucm_certflow.testing.stateful",
    "cucm_certflow.testing.strategies",
    "cucm_certflow.transports.base",
    "cucm_certflow.transports.breaker",
    "cucm_certflow.transports.budget",
    "cucm_certflow.transports.record",
)
"""Modules whose names are promised."""

PROVISIONAL: Final = (
    "cucm_certflow.cluster",
    "cucm_certflow.codec",
    "cucm_certflow.core.run_state",
    "cucm_certflow.discovery",
    "cucm_certflow.lab",
    "cucm_certflow.procedures",
    "cucm_certflow.report",
    "cucm_certflow.testing",
    "cucm_certflow.transports.breaker",
    "cucm_certflow.transports.budget",
    "cucm_certflow.trust",
)
"""Packages that the documentation uses, and that may still change in a minor version."""


def stable_text() -> str:
    """Everything promised, one thing a line, sorted within its part."""
    parts: dict[str, Iterable[str]] = {
        "names": _names(),
        "error codes": _error_codes(),
        "guards of edges": sorted(
            {g.name for t in (COMMAND, CERTIFICATE, ENTRY) for e in t.edges for g in e.guards}
        ),
        "other reasons": _other_reasons(),
        "events and outcomes": sorted(
            _described(each) for each in (*get_args(Event), *get_args(Outcome))
        ),
        "journal": _journal(),
        "recordings": [f"format {FORMAT}"],
        "scenarios": sorted(_scenario(Scenario, set())),
        "kinds of JSON documents": sorted(each.value for each in DocumentKind),
        "exit statuses": [f"{each.value} {each.name}" for each in Exit],
        "command line": _command_line(),
    }
    return "".join(
        f"[{part}]\n" + "".join(f"{line}\n" for line in lines) + "\n"
        for part, lines in parts.items()
    )


# ── Python ────────────────────────────────────────────────────────────────────────────────


def _names() -> Iterator[str]:
    home: dict[int, str] = {}
    for module_name in STABLE:
        module = importlib.import_module(module_name)
        for name in sorted(module.__all__):
            value = getattr(module, name)
            first = home.setdefault(id(value), f"{module_name}.{name}")
            if first != f"{module_name}.{name}":
                yield f"{module_name}.{name} = {first}"
            elif inspect.isclass(value) or inspect.isfunction(value):
                yield f"{module_name}.{_described(value, called=name)}"
            else:
                yield f"{module_name}.{name}"


def _described(what: Any, *, called: str = "") -> str:  # noqa: ANN401 - any class, any function
    name = called or what.__name__
    if not inspect.isclass(what):
        return f"{name}{_parameters(what)}"
    if issubclass(what, enum.Enum):
        return f"{name}: {', '.join(f'{each.name}={each.value!r}' for each in what)}"
    made = (
        f"{name}({', '.join(_fields(what))})"
        if attrs.has(what)
        else f"{name}{_parameters(what.__init__)}"
    )
    members = sorted(set(_members(what)))
    return f"{made}: {', '.join(members)}" if members else made


def _fields(of: type[Any]) -> Iterator[str]:
    for field in attrs.fields(of):
        if field.init:
            yield field.alias if field.default is attrs.NOTHING else f"{field.alias}="


def _members(of: type[Any]) -> Iterator[str]:
    fields = {each.name for each in attrs.fields(of)} if attrs.has(of) else set[str]()
    for owner in of.__mro__:
        if owner.__module__.partition(".")[0] != "cucm_certflow":
            continue
        for name, value in vars(owner).items():
            if name.startswith(("_", "test_")) or name in fields:  # the contract may ask for more
                continue
            plain = getattr(value, "__func__", value)
            yield f"{name}{_parameters(plain)}" if inspect.isfunction(plain) else name


def _parameters(function: Any) -> str:  # noqa: ANN401 - whatever can be called
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return "(...)"
    words = []
    keyword_only = False
    for each in parameters:
        if each.name in ("self", "cls") or each.name.startswith("_"):
            continue
        if each.kind is each.KEYWORD_ONLY and not keyword_only:
            keyword_only = True
            words.append("*")
        star = "*" if each.kind is each.VAR_POSITIONAL else ""
        star = "**" if each.kind is each.VAR_KEYWORD else star
        words.append(f"{star}{each.name}" + ("" if each.default is each.empty else "="))
    return f"({', '.join(words)})"


# ── words that programs compare ───────────────────────────────────────────────────────────


def _error_codes() -> Iterator[str]:
    found = (getattr(errors, name) for name in errors.__all__)
    kinds = [each for each in found if inspect.isclass(each) and issubclass(each, CertflowError)]
    for each in sorted(kinds, key=lambda kind: kind.code):
        yield f"{each.code} {each.__name__}({', '.join(base.__name__ for base in each.__bases__)})"


def _other_reasons() -> Iterator[str]:
    spec = importlib.util.spec_from_file_location("generate_reference", _DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    yield from generate.other_reasons()


# ── files ─────────────────────────────────────────────────────────────────────────────────


def _journal() -> Iterator[str]:
    yield f"protocol {PROTOCOL}, reads {', '.join(map(str, sorted(MIGRATIONS)))} too"
    for each in sorted((*get_args(Record), *get_args(Note)), key=lambda kind: kind.__name__):
        yield f"{each.__name__}({', '.join(field.name for field in attrs.fields(each))})"


def _scenario(of: Any, seen: set[Any]) -> Iterator[str]:  # noqa: ANN401 - a type as attrs gives it
    """Each class that a scenario is made of, with its fields; each word that a field may be."""
    if of in seen:
        return
    seen.add(of)
    for inner in get_args(of):
        yield from _scenario(inner, seen)
    if not inspect.isclass(of) or not of.__module__.startswith("cucm_certflow.lab"):
        return
    if issubclass(of, enum.Enum):
        yield f"{of.__name__}: {', '.join(str(each.value) for each in of)}"
    elif attrs.has(of):
        yield f"{of.__name__}({', '.join(_fields(of))})"
        for field in attrs.fields(attrs.resolve_types(of)):
            yield from _scenario(field.type, seen)


def _command_line() -> Iterator[str]:
    group: Any = typer.main.get_command(app)
    for name, command in sorted(group.commands.items()):
        options = sorted(
            "/".join(each.opts) if each.param_type_name == "option" else each.name.upper()
            for each in command.params
        )
        yield f"{name} {' '.join(options)}"


if __name__ == "__main__":
    if "--write" in sys.argv[1:]:
        PINNED.write_text(stable_text(), encoding="utf-8")
    else:
        sys.stdout.write(stable_text())
