"""A scenario as the text of its file: what differs from the defaults, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

import attrs

from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.names import Release, SecurityMode

__all__ = ["scenario_text"]


def scenario_text(scenario: Scenario) -> str:
    """The TOML that :meth:`Scenario.loads` reads as the same value."""
    return "\n".join(_table(scenario, "")).strip() + "\n"


def _table(value: Any, path: str) -> Iterator[str]:  # noqa: ANN401 - an attrs value
    """The keys of a table, first those of its own, then the tables in it."""
    tables: list[tuple[str, Any]] = []
    for field in attrs.fields(type(value)):
        found = getattr(value, field.name)
        if found is None or found == _default(field):
            continue
        if _is_table(found):
            tables.append((field.name, found))
        else:
            yield f"{field.name} = {_plain(found)}"
    for name, found in tables:
        where = f"{path}{name}"
        if isinstance(found, tuple):
            for each in found:
                yield from ("", f"[[{where}]]", *_table(each, f"{where}."))
        elif isinstance(found, Mapping):
            yield from ("", f"[{where}]")
            yield from (f"{_plain(str(key))} = {_plain(item)}" for key, item in found.items())
        else:
            yield from ("", f"[{where}]", *_table(found, f"{where}."))


def _default(field: Any) -> Any:  # noqa: ANN401 - attrs' own
    default = field.default
    return default.factory() if isinstance(default, attrs.Factory) else default  # type: ignore[arg-type]  # - a class at run time


def _is_table(value: object) -> bool:
    if isinstance(value, Mapping):
        return True
    if isinstance(value, tuple) and not isinstance(value, Release):
        return bool(value) and attrs.has(type(value[0])) and not isinstance(value[0], Release)
    return attrs.has(type(value)) and not isinstance(value, Release)


def _plain(value: object) -> str:
    match value:
        case Release():
            return _quoted(value.full or str(value))
        case SecurityMode():
            return _quoted(value.name.lower().replace("_", "-"))
        case Enum():
            return _plain(value.value)
        case bool():
            return "true" if value else "false"
        case str():
            return _quoted(value)
        case int() | float():
            return repr(value)
        case Mapping():
            pairs = [f"{_plain(str(key))} = {_plain(item)}" for key, item in value.items()]
            return "{ " + ", ".join(pairs) + " }"
        case _ if attrs.has(type(value)):
            names = [field.name for field in attrs.fields(type(value))]  # type: ignore[arg-type]  # - a class at run time
            given = {name: getattr(value, name) for name in names}
            return _plain({name: item for name, item in given.items() if item is not None})
        case tuple() | list() | frozenset() | set():
            items = sorted(value, key=str) if isinstance(value, frozenset | set) else value
            return "[" + ", ".join(map(_plain, items)) + "]"
        case _:
            raise TypeError(f"{type(value).__name__} has no form in a scenario")


_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def _quoted(text: str) -> str:
    return '"' + "".join(_ESCAPES.get(sign, sign) for sign in text) + '"'
