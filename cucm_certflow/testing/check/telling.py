"""A story of an exploration as a UC engineer would tell it: who does what, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

__all__ = ["told"]

_SENT: Final = re.compile(
    r"(?P<step>\S+) is intended `(?P<command>.*?)`(?:; (?P<mishap>.*))?", re.DOTALL
)
_RECORD: Final = re.compile(r"\S+ is [a-z ]+")
_HELD: Final = re.compile(r"(?P<step>\S+) is held")
_RESET: Final = re.compile(r"doDeviceReset of \d+ phones \((?P<names>.*)\)")
_TIME: Final = "time passes"


def told(story: Iterable[str], names: Mapping[str, str]) -> tuple[str, ...]:
    """*story* without the bookkeeping of the run.

    Args:
        story: The moves of a violation.
        names: What phones are called, by the name that they have in the exploration.
    """
    lines: list[str] = []
    for line in _lines(story, names):
        if line == _TIME and lines[-1:] == [_TIME]:
            continue
        lines.append(line)
    return tuple(lines)


def _lines(story: Iterable[str], names: Mapping[str, str]) -> Iterator[str]:
    # Longer names first: one phone's name may begin with another's.
    phones = sorted(names, key=len, reverse=True)
    for move in story:
        sent = _SENT.fullmatch(move)
        if sent is not None:
            yield _sent(sent["step"], sent["command"], sent["mishap"] or "", names)
            continue
        held = _HELD.fullmatch(move)
        if held is not None:
            yield f"the run holds at {held['step']}"
            continue
        if _RECORD.fullmatch(move):
            continue
        name = next((name for name in phones if move.startswith(f"{name} ")), None)
        yield move if name is None else names[name] + move.removeprefix(name)


def _sent(step: str, command: str, mishap: str, names: Mapping[str, str]) -> str:
    node = step.rpartition("@")[2].partition("#")[0]
    reset = _RESET.fullmatch(command)
    if reset is not None:
        called = [words for name, words in names.items() if name in reset["names"]]
        what = f"reset {' and '.join(called) or 'phones'}"
    else:
        what = f"`{command}` on {node}"
    return f"{what}; {mishap}" if mishap else what
