"""``make lowest`` and ``make newest``: a part of the suite with the edges of what is allowed."""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tests.packaging.environments import ROOT, CallFailed, Environment, call
from tests.packaging.interpreters import find_python

__all__ = ["floors", "main"]

PART: Final = (
    "tests/tables",  # transitions, attrs
    "tests/checks",
    "tests/golden",
    "tests/bytes",  # cryptography
    "tests/vos",  # asyncssh, both sides
    "tests/web",  # httpx, defusedxml; starlette and uvicorn on the other side
    "tests/lab/test_servers_cli.py",  # typer
    "tests/kit/test_strategies.py",  # hypothesis
)
"""Fast, and every dependency has a test in it that needs it."""

_FLOOR: Final = re.compile(r"^\s*([A-Za-z0-9._-]+)(?:\[[^\]]*\])?\s*>=\s*([0-9][0-9.]*)")


def floors(project: dict[str, Any]) -> dict[str, str]:
    """The lowest release of each dependency that ``pyproject.toml`` allows, extras included.

    Raises:
        ValueError: A dependency names no floor.
    """
    found: dict[str, str] = {}
    for need in _needs(project):
        matched = _FLOOR.match(need)
        if matched is None:
            raise ValueError(f"{need!r} names no lowest release")
        name, floor = matched[1].lower(), matched[2]
        found[name] = max(found.get(name, floor), floor, key=_numbers)
    return found


def _needs(project: dict[str, Any]) -> Iterator[str]:
    yield from project["dependencies"]
    for extra in project["optional-dependencies"].values():
        yield from extra


def _numbers(version: str) -> list[int]:
    return [int(each) for each in version.split(".")]


def main() -> int:
    """Install, print what was installed, run; 0 if all of it passed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("edge", choices=("lowest", "newest"))
    parser.add_argument("--minor", type=int, default=sys.version_info[1], help="13: Python 3.13")
    parser.add_argument("tests", nargs="*", default=PART, help="instead of the part chosen here")
    options = parser.parse_args()
    python = sys.executable if options.minor == sys.version_info[1] else find_python(options.minor)
    if python is None:
        print(f"Python 3.{options.minor} was not found", file=sys.stderr)
        return 1
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f"certflow-{options.edge}-") as scratch:
        try:
            said = _run(Path(scratch), python, options.edge, options.tests)
        except CallFailed as error:
            print(f"FAILED: {error}", file=sys.stderr)
            return 1
    print(f"{options.edge}: {said} ({time.monotonic() - began:.0f} s with the installation)")
    return 0


def _run(scratch: Path, python: str, edge: str, tests: tuple[str, ...]) -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lowest = floors(project)
    pins = scratch / "pins.txt"
    exactly = [f"{name}=={floor}" for name, floor in lowest.items()] if edge == "lowest" else []
    pins.write_text("\n".join(exactly), encoding="utf-8")
    at = Environment(scratch / "venv", python)
    extras = ",".join(project["optional-dependencies"])
    at.install(
        "-e",
        f"{ROOT}[{extras}]",
        "--group",
        f"{ROOT / 'pyproject.toml'}:test",
        "--constraint",
        pins,
    )
    code = (
        "import sys; from importlib.metadata import version\n"
        "for name in sys.argv[1:]: print(name, version(name))"
    )
    installed = ", ".join(at.run("-c", code, *lowest).splitlines())
    version = at.run("-c", "import platform; print(platform.python_version())").strip()
    print(f"Python {version}: {installed}", flush=True)
    return call(
        (at.python, "-m", "pytest", "-q", "-m", "not slow", "-p", "no:cacheprovider", *tests),
        cwd=ROOT,
        within_s=900,
    ).splitlines()[-1]


if __name__ == "__main__":
    sys.exit(main())
