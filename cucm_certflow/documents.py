"""What is wrong with a file that a person names or writes, in words that help to put it right."""

from __future__ import annotations

import errno
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cucm_certflow.nearest import suggestion

__all__ = ["broken_toml", "not_read", "not_written"]

_LINE: Final = re.compile(r"at line (\d+)")
_SHOWN: Final = 120

_READING: Final[Mapping[int | None, str]] = {
    errno.ENOENT: "there is no such file",
    errno.EISDIR: "it is a folder; a file is expected",
    errno.ENOTDIR: "a part of the path is no folder",
    errno.EACCES: "you are not allowed to read it",
    errno.EPERM: "you are not allowed to read it",
    errno.ELOOP: "it is a link that leads to itself",
}
_WRITING: Final[Mapping[int | None, str]] = {
    errno.ENOENT: "the folder that it goes into does not exist",
    errno.EEXIST: "there is a file of that name already",
    errno.EISDIR: "it is a folder; a file is expected",
    errno.ENOTDIR: "a part of the path is no folder",
    errno.EACCES: "you are not allowed to write there",
    errno.EPERM: "you are not allowed to write there",
    errno.EROFS: "nothing can be written on that file system",
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "your share of the disk is full",
}


def not_read(path: str | os.PathLike[str], error: OSError | UnicodeDecodeError) -> str:
    """Why *path* could not be read; if there is no such file, the nearest name beside it."""
    if isinstance(error, UnicodeDecodeError):
        return "it is not text in UTF-8"
    reason = _READING.get(error.errno, error.strerror or str(error))
    if error.errno == errno.ENOENT:
        target = Path(path)
        if target.is_symlink():
            return "it is a link to a file that does not exist"
        try:
            beside = [each.name for each in target.parent.iterdir()]
        except OSError:
            return f"{reason}, nor its folder"
        reason += suggestion(target.name, beside)
    return reason


def not_written(error: OSError) -> str:
    """Why a file could not be written."""
    return _WRITING.get(error.errno, error.strerror or str(error))


def broken_toml(text: str, error: tomllib.TOMLDecodeError, *, values: bool = True) -> str:
    """What is no TOML in *text*, with the line as it stands.

    Args:
        text: The whole document.
        error: What tomllib says of it.
        values: Show what stands behind ``=``, too; not where it may be a password.
    """
    found = _LINE.search(str(error))
    lines = text.splitlines()
    if found is None or int(found[1]) > len(lines):
        return str(error)
    line = lines[int(found[1]) - 1].strip()
    if not values and not line.startswith("["):
        key, equals, _ = line.partition("=")
        line = f"{key}{equals} …" if equals else "…"
    return f"{error}: {line[:_SHOWN]}"
