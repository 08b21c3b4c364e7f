"""JSON that a node answers, read strictly: a value knows its place, and is nothing but itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final, NoReturn, Protocol

__all__ = ["JsonValue", "Refuse", "load_json"]

_MAX_BYTES: Final = 4 << 20
"""A trust store with every certificate that Cisco installs is well under 1 MB."""
_MAX_OBJECTS: Final = 20_000
_SHOWN: Final = 240


class Refuse(Protocol):
    """Raises the error that an answer is of another form."""

    def __call__(self, expected: str, saw: str) -> NoReturn:
        """Raise it: *expected* is what should have been there, *saw* what was."""
        ...


class JsonValue:
    """A value somewhere in an answer.

    Args:
        path: Its place, for errors: ``answer.identities[3]``.
        value: As :func:`load_json` gives it.
        refuse: Called if it is not what is asked of it.
    """

    def __init__(self, path: str, value: object, refuse: Refuse) -> None:
        self._path = path
        self._value = value
        self._refuse = refuse

    @property
    def is_list(self) -> bool:
        """Whether it is a list."""
        return isinstance(self._value, list)

    @property
    def is_text(self) -> bool:
        """Whether it is a text."""
        return isinstance(self._value, str)

    def has(self, key: str) -> bool:
        """Whether it is an object with a *key* that is neither null nor an empty text."""
        return isinstance(self._value, dict) and self._value.get(key) not in (None, "")

    def member(self, key: str) -> JsonValue:
        """The member *key* of an object; refused if there is none."""
        if not isinstance(self._value, dict):
            self._is_no("an object")
        if key not in self._value:
            keys = ", ".join(self._value)[:_SHOWN]
            self.refuse(f"a member {key!r}", f"only {keys}" if keys else "an empty object")
        return JsonValue(f"{self._path}.{key}", self._value[key], self._refuse)

    def items(self) -> Iterator[JsonValue]:
        """The elements of a list; refused if it is none."""
        if not isinstance(self._value, list):
            self._is_no("a list")
        for place, value in enumerate(self._value):
            yield JsonValue(f"{self._path}[{place}]", value, self._refuse)

    def as_text(self) -> str:
        """The text that it is, without space around it; refused if it is none, or empty."""
        if not isinstance(self._value, str):
            self._is_no("a text")
        if not self._value.strip():
            self.refuse("a text", "an empty one")
        return self._value.strip()

    def text(self, key: str) -> str:
        """The text that the member *key* is."""
        return self.member(key).as_text()

    def refuse(self, expected: str, saw: str) -> NoReturn:
        """It is not *expected* but *saw*: raise what the reader of the answer raises then."""
        self._refuse(f"{expected} at {self._path}", saw)

    def _is_no(self, expected: str) -> NoReturn:
        kind = "null" if self._value is None else f"a value of type {type(self._value).__name__}"
        self.refuse(expected, kind)


def load_json(data: bytes) -> object:
    """The JSON in *data*.

    Raises:
        ValueError: It is none, or none that a node would write: more than 4 MB, more than 20,000
            objects, too deep, a name twice in an object, or a number that is none.
    """
    objects = 0

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        nonlocal objects
        objects += 1
        if objects > _MAX_OBJECTS:
            message = f"more than {_MAX_OBJECTS} objects"
            raise ValueError(message)
        made = dict(pairs)
        if len(made) != len(pairs):
            message = "an object with the same name twice"
            raise ValueError(message)
        return made

    if len(data) > _MAX_BYTES:
        message = f"more than {_MAX_BYTES} bytes"
        raise ValueError(message)
    try:
        value: object = json.loads(data, object_pairs_hook=once, parse_constant=_no_number)
    except RecursionError:
        message = "nested too deep"
        raise ValueError(message) from None
    return value


def _no_number(name: str) -> NoReturn:
    message = f"{name}, which is no JSON"
    raise ValueError(message)
