"""TOML documents as attrs values: nothing is coerced, and every mistake is named by its path."""

from __future__ import annotations

import math
import re
import tomllib
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Any, Final, NamedTuple, TypeVar

import attrs
import cattrs
from cattrs.errors import (
    AttributeValidationNote,
    ClassValidationError,
    ForbiddenExtraKeysError,
    IterableValidationNote,
)
from cattrs.gen import make_dict_structure_fn

from cucm_certflow.documents import broken_toml
from cucm_certflow.errors import Report, ScenarioError, UsageError
from cucm_certflow.nearest import suggestion

__all__ = ["Wrong", "WrongValue", "parse", "strict_converter", "structure"]

T = TypeVar("T")


class Wrong(NamedTuple):
    """One mistake: where it is in the document (``phones[2].group``), and the reason."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path or 'the document'}: {self.reason}"


class WrongValue(ValueError):
    """Values of a class contradict each other or the class; with paths relative to it."""

    def __init__(self, *wrongs: Wrong) -> None:
        super().__init__("; ".join(str(wrong) for wrong in wrongs))
        self.wrongs = wrongs


def parse(
    text: str,
    source: str,
    *,
    what: str = "scenario",
    error: type[UsageError] = ScenarioError,
) -> dict[str, Any]:
    """*text* as TOML.

    Raises:
        ScenarioError: It is not TOML; the report names the line. For another document than a
            scenario: *error*, and *what* it is.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as wrong:
        found = re.search(r"at line (\d+)", str(wrong))
        where = f"line {found[1]}" if found else "the end of the document"
        raise error(
            Report(
                headline=f"the {what} is not TOML: {where}",
                expected="TOML 1.0",
                saw=broken_toml(text, wrong),
                left="nothing was sent",
                next="correct the line, and call it again",
                source=source,
            )
        ) from wrong


def structure(
    document: Mapping[str, Any],
    cls: type[T],
    rules: cattrs.Converter,
    source: str,
    *,
    what: str = "scenario",
    error: type[UsageError] = ScenarioError,
    help_at: str = "cucm_certflow.lab.scenario",
) -> T:
    """*document* as a *cls*.

    Raises:
        ScenarioError: Something in it is wrong; the report names every place. For another document
            than a scenario: *error*, *what* it is, and where its keys are described.
    """
    try:
        return rules.structure(document, cls)
    except (ClassValidationError, WrongValue) as wrong:
        wrongs = list(dict.fromkeys(_wrongs(wrong, "")))
        count = "" if len(wrongs) == 1 else f", and {len(wrongs) - 1} more"
        raise error(
            Report(
                headline=f"the {what} is wrong at {wrongs[0].path or 'its top'}{count}",
                saw="; ".join(str(wrong) for wrong in wrongs),
                next=f"correct the document; every key is described in {help_at}",
                source=source,
            )
        ) from wrong


def strict_converter() -> cattrs.Converter:
    """A converter that refuses unknown keys and coerces nothing: ``"5"`` is not 5."""
    rules = cattrs.Converter(forbid_extra_keys=True, detailed_validation=True)
    for kind in (str, int, bool):
        rules.register_structure_hook(kind, _exactly(kind))
    rules.register_structure_hook(float, _number)
    rules.register_structure_hook(Enum, _member)
    rules.register_structure_hook_factory(_is_tuple, lambda t: _array_hook(t, rules))
    rules.register_structure_hook_factory(_is_mapping, lambda t: _table_hook(t, rules))
    rules.register_structure_hook_factory(_is_optional, lambda t: _optional_hook(t, rules))
    rules.register_structure_hook_factory(attrs.has, lambda t: _class_hook(t, rules))
    return rules


# ── hooks ─────────────────────────────────────────────────────────────────────────────────

_Hook = Callable[[Any, Any], Any]
_WORDS: Final[Mapping[type, str]] = {
    str: "a text",
    int: "a whole number",
    bool: "true or false",
    dict: "a table",
    list: "an array",
}


def _saw(value: object) -> str:
    for kind, words in _WORDS.items():
        if type(value) is kind:
            return words if kind in (dict, list) else f"{words}, {value!r:.40}"
    return f"{value!r:.40}"


def _exactly(kind: type) -> _Hook:
    def hook(value: Any, target: Any) -> Any:  # noqa: ANN401 - cattrs' signature
        if issubclass(target, Enum):  # a StrEnum is a str, and cattrs goes by the class
            return _member(value, target)
        if type(value) is not kind:
            raise WrongValue(Wrong("", f"expected {_WORDS[kind]}, saw {_saw(value)}"))
        return value

    return hook


def _number(value: Any, _: Any) -> float:  # noqa: ANN401 - cattrs' signature
    if type(value) not in (int, float) or not math.isfinite(value):
        raise WrongValue(Wrong("", f"expected a number, saw {_saw(value)}"))
    return float(value)


def _member(value: Any, target: type[Enum]) -> Enum:  # noqa: ANN401 - cattrs' signature
    words = [str(member.value) for member in target]
    if value not in words:
        wanted = ", ".join(repr(word) for word in words)
        reason = f"expected one of {wanted}; saw {_saw(value)}{suggestion(value, words)}"
        raise WrongValue(Wrong("", reason))
    return target(value)


def _is_tuple(target: Any) -> bool:  # noqa: ANN401 - any type
    return typing.get_origin(target) is tuple


def _array_hook(target: Any, rules: cattrs.Converter) -> _Hook:  # noqa: ANN401 - any type
    inner, *rest = typing.get_args(target)
    size = None if rest == [...] else 1 + len(rest)

    def hook(value: Any, _: Any) -> Any:  # noqa: ANN401 - cattrs' signature
        if type(value) is not list:
            raise WrongValue(Wrong("", f"expected an array, saw {_saw(value)}"))
        if size is not None and len(value) != size:
            raise WrongValue(Wrong("", f"expected an array of {size}, saw {len(value)}"))
        return tuple(rules.structure(value, list[inner]))  # type: ignore[valid-type]  # - a type known at run time only

    return hook


def _is_mapping(target: Any) -> bool:  # noqa: ANN401 - any type
    return typing.get_origin(target) is Mapping


def _table_hook(target: Any, rules: cattrs.Converter) -> _Hook:  # noqa: ANN401 - any type
    key_type, value_type = typing.get_args(target)

    def hook(value: Any, _: Any) -> Any:  # noqa: ANN401 - cattrs' signature
        if type(value) is not dict:
            raise WrongValue(Wrong("", f"expected a table, saw {_saw(value)}"))
        return _pairs(value, key_type, value_type, rules)

    return hook


def _pairs(
    table: dict[str, Any],
    key_type: Any,  # noqa: ANN401 - any type
    value_type: Any,  # noqa: ANN401 - any type
    rules: cattrs.Converter,
) -> dict[Any, Any]:
    wrongs: list[Wrong] = []
    result: dict[Any, Any] = {}
    for key, value in table.items():
        try:
            result[rules.structure(key, key_type)] = rules.structure(value, value_type)
        except (ClassValidationError, WrongValue) as error:
            wrongs += _wrongs(error, key)
    if wrongs:
        raise WrongValue(*wrongs)
    return result


def _is_optional(target: Any) -> bool:  # noqa: ANN401 - any type
    return typing.get_origin(target) in (typing.Union, types.UnionType) and type(
        None
    ) in typing.get_args(target)


def _optional_hook(target: Any, rules: cattrs.Converter) -> _Hook:  # noqa: ANN401 - any type
    (inner,) = (kind for kind in typing.get_args(target) if kind is not type(None))
    return lambda value, _: rules.structure(value, inner)  # TOML has no null


def _class_hook(cls: type[Any], rules: cattrs.Converter) -> _Hook:
    inner = make_dict_structure_fn(cls, rules, _cattrs_forbid_extra_keys=True)

    def hook(value: Any, target: Any) -> Any:  # noqa: ANN401 - cattrs' signature
        if type(value) is not dict:
            raise WrongValue(Wrong("", f"expected a table, saw {_saw(value)}"))
        return inner(value, target)

    return hook


# ── from cattrs' tree of errors to paths ──────────────────────────────────────────────────


def _wrongs(error: BaseException, path: str) -> Iterator[Wrong]:
    path += _place(error)
    match error:
        case ExceptionGroup():
            for inner in error.exceptions:
                yield from _wrongs(inner, path)
        case WrongValue():
            for wrong in error.wrongs:
                yield Wrong(_join(path, wrong.path), wrong.reason)
        case ForbiddenExtraKeysError():
            known = [field.name for field in attrs.fields(error.cl)]
            for key in sorted(error.extra_fields):
                yield Wrong(_join(path, key), f"unknown key{suggestion(key, known)}")
        case KeyError():
            yield Wrong(_join(path, ""), "is missing")
        case _:
            yield Wrong(_join(path, ""), str(error))


def _place(error: BaseException) -> str:
    for note in getattr(error, "__notes__", ()):
        if isinstance(note, AttributeValidationNote):
            return f".{note.name}"
        if isinstance(note, IterableValidationNote):
            return f"[{note.index}]"
    return ""


def _join(path: str, key: str) -> str:
    if not path or not key or key.startswith("["):
        return (path + key).removeprefix(".")
    return f"{path}.{key}".removeprefix(".")
