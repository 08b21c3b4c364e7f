"""``make package``: builds both packages, and tries them where the source folder is not."""

from __future__ import annotations

import argparse
import hashlib
import shutil
import sys
import tarfile
import tempfile
import time
import tomllib
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

from tests.packaging.environments import ROOT, CallFailed, Environment, call
from tests.packaging.interpreters import MINORS, find_python

__all__ = ["Built", "build", "contents_of_sdist", "contents_of_wheel", "main"]

OPTIONAL: Final = ("cli", "lab", "testing", "report", "fleet")
"""Packages of ours whose modules may need an extra."""

TESTED: Final = ("tests/tables", "tests/golden", "tests/checks")
"""The part of the suite that is run from the sdist, against the installed wheel."""

_IMPORT_ALL: Final = """
import importlib, pkgutil, sys
import cucm_certflow
assert "site-packages" in cucm_certflow.__file__, cucm_certflow.__file__
missing = {}
names = ["cucm_certflow"]
names += [m.name for m in pkgutil.walk_packages(cucm_certflow.__path__, "cucm_certflow.")]
for name in names:
    if name.endswith("__main__"):
        continue
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing[name] = error.name
for name, lacks in missing.items():
    print(name, lacks)
print("imported", len(names) - len(missing))
"""


class Built(NamedTuple):
    """What a build leaves."""

    sdist: Path
    wheel: Path


def build(folder: Path, source: Path = ROOT, *, isolated: bool = True) -> Built:
    """Build sdist and wheel of *source* into *folder*, both from the tree.

    Raises:
        CallFailed: The builder said no.
    """
    how = () if isolated else ("--no-isolation",)
    call(
        (sys.executable, "-m", "build", *how, "--sdist", "--wheel", "--outdir", folder, source),
        cwd=folder,
    )
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return Built(sdist, wheel)


def contents_of_wheel(wheel: Path) -> dict[str, str]:
    """Each file of *wheel*, and the digest of what is in it."""
    with zipfile.ZipFile(wheel) as archive:
        return {
            each.filename: hashlib.sha256(archive.read(each)).hexdigest()
            for each in archive.infolist()
            if not each.is_dir()
        }


def contents_of_sdist(sdist: Path) -> set[str]:
    """The files of *sdist*, without the folder that all of them are in."""
    with tarfile.open(sdist) as archive:
        return {
            str(PurePosixPath(*PurePosixPath(each.name).parts[1:]))
            for each in archive.getmembers()
            if each.isfile()
        }


def main() -> int:
    """Build, try, print; 0 if all of it works."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="this Python alone, no lab's servers")
    parser.add_argument("--outdir", type=Path, help="keep both packages here")
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="certflow-package-") as scratch:
        try:
            _check(Path(scratch), short=options.short, keep=options.outdir)
        except CallFailed as error:
            print(f"FAILED: {error}", file=sys.stderr)
            return 1
    print(f"the packages are as they should be ({time.monotonic() - began:.0f} s)")
    return 0


def _check(scratch: Path, *, short: bool, keep: Path | None) -> None:
    (scratch / "dist").mkdir()
    built = build(scratch / "dist")
    for each, count in (
        (built.wheel, len(contents_of_wheel(built.wheel))),
        (built.sdist, len(contents_of_sdist(built.sdist))),
    ):
        print(f"{each.name}: {each.stat().st_size / 1e6:.2f} MB, {count} files", flush=True)
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        for each in built:
            shutil.copy(each, keep)
    unpacked = _unpacked(built.sdist, scratch / "unpacked")
    _rebuilt(unpacked, built.wheel, scratch / "again")
    shutil.rmtree(unpacked / "cucm_certflow")  # from here on there is only what was installed
    for minor in MINORS:
        here = minor == sys.version_info[1]
        if short and not here:
            continue
        python = sys.executable if here else find_python(minor)
        if python is None:
            print(f"Python 3.{minor}: not found here, not tried", flush=True)
            continue
        _try(scratch / f"3.{minor}", python, built.wheel, unpacked, short=short)


def _unpacked(sdist: Path, into: Path) -> Path:
    with tarfile.open(sdist) as archive:
        archive.extractall(into, filter="data")
    (folder,) = into.iterdir()
    return folder


def _rebuilt(unpacked: Path, wheel: Path, into: Path) -> None:
    into.mkdir()
    call((sys.executable, "-m", "build", "--wheel", "--outdir", into, unpacked), cwd=into)
    (again,) = into.glob("*.whl")
    difference = _difference(contents_of_wheel(wheel), contents_of_wheel(again))
    if difference:
        raise CallFailed(f"the sdist builds another wheel: {', '.join(sorted(difference))}")
    print("the sdist builds the same wheel", flush=True)


def _difference(one: Mapping[str, str], other: Mapping[str, str]) -> Iterable[str]:
    return {key for key in one.keys() | other.keys() if one.get(key) != other.get(key)}


def _try(folder: Path, python: str, wheel: Path, unpacked: Path, *, short: bool) -> None:
    at = Environment(folder / "venv", python)
    at.install(wheel)
    version = at.run("-c", "import platform; print(platform.python_version())").strip()
    core = at.distributions()
    lacking = _imported(at)
    said = at.program("certflow", "--help", status=2)
    if "pip install 'cucm-certflow[cli]'" not in said or "Traceback" in said:
        raise CallFailed(f"without the extra, certflow says:\n{said}")
    bare, light = at.starts_s("pass", "import cucm_certflow", times=5)
    print(
        f"Python {version}: {len(core)} distributions, import in {(light - bare) * 1e3:.0f} ms "
        f"over a bare start of {bare * 1e3:.0f} ms; {len(lacking)} modules wait for extras",
        flush=True,
    )
    project = tomllib.loads((unpacked / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    at.install(f"{wheel}[{','.join(project['optional-dependencies'])}]")
    if left := _imported(at):
        raise CallFailed(f"with the extras these do not import: {left}")
    if (said := at.program("certflow", "--version").strip()) != f"certflow {project['version']}":
        raise CallFailed(f"certflow --version says {said!r}")
    at.program("certflow", "explain", "CallManager", "--release", "12.5", "--mode", "mixed")
    if not short:
        _story(at, unpacked)
    _suite(at, unpacked)


def _imported(at: Environment) -> dict[str, str]:
    """Imports every module; which ones lack what, and only those that may."""
    *lines, last = at.run("-I", "-c", _IMPORT_ALL).splitlines()
    if not last.startswith("imported"):
        raise CallFailed(f"importing every module said: {last}")
    lacking = dict(line.split(" ", 1) for line in lines)
    for name, lacks in lacking.items():
        if name.split(".")[1] not in OPTIONAL:
            raise CallFailed(f"{name} is of the core, and lacks {lacks}")
    return lacking


def _story(at: Environment, unpacked: Path) -> None:
    scenario = unpacked / "examples" / "scenarios" / "small.toml"
    certflow = at.folder / "bin" / "certflow"
    said = at.program(
        "certflow",
        "lab",
        scenario,
        "--settle",
        "0",
        "--lab-speed",
        "60",
        "--",
        str(certflow),
        "discover",
        "-i",
        "lab/inventory.toml",
        "--lab-speed",
        "60",
    )
    if "12 of 12 phones registered" not in said:
        raise CallFailed(f"discovery of the small lab says:\n{said}")
    print("  a lab cluster was served and discovered", flush=True)


def _suite(at: Environment, unpacked: Path) -> None:
    at.install("--group", f"{unpacked / 'pyproject.toml'}:test")
    said = call(
        (at.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow", *TESTED),
        cwd=unpacked,
    )
    print(f"  the suite beside it: {said.splitlines()[-1]}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
