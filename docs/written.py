"""What the generators of pages have in common: they write their files, or say which are old."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

__all__ = ["write"]


def write(files: Callable[[], Mapping[Path, str]], about: str | None, *, own: str = "") -> int:
    """Write *files*, or say with --check which are out of date.

    Args:
        files: Makes every file: its path, and its text.
        about: What the generator is for.
        own: A pattern of the files that are the generator's alone: others like them are removed.

    Returns:
        The exit status: 1 with --check if a file is out of date.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--check", action="store_true", help="exit with 1 if it is out of date")
    check = parser.parse_args().check
    wanted = files()
    old = [
        path
        for path, text in wanted.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    if own:
        old += sorted(set(next(iter(wanted)).parent.glob(own)) - set(wanted))
    if check:
        for path in old:
            sys.stderr.write(
                f"{path.name} is out of date: run python docs/{Path(sys.argv[0]).name}\n"
            )
        return 1 if old else 0
    for path in old:
        if path in wanted:
            path.parent.mkdir(exist_ok=True)
            path.write_text(wanted[path], encoding="utf-8")
        else:
            path.unlink()
    return 0
