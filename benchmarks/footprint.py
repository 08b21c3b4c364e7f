"""What installing and importing the library costs, beside three that its users know.

Each is installed by itself, as its newest release, into a virtual environment that is new.

    python -m benchmarks.footprint           prints the table
    python -m benchmarks.footprint --write   and writes it into docs/footprint.md
"""

from __future__ import annotations

import argparse
import platform
import re
import sys
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

from tests.packaging.check import build
from tests.packaging.environments import ROOT, Environment

__all__ = ["PAGE", "SUBJECTS", "Subject"]

PAGE: Final = ROOT / "docs" / "footprint.md"
_TABLE: Final = re.compile(r"(<!-- figures -->\n).*(<!-- end of figures -->)", re.DOTALL)


class Subject(NamedTuple):
    """Something to install, and the import with which its own documentation begins."""

    name: str
    requirement: str
    statement: str


_OURS: Final = "cucm_certflow"
SUBJECTS: Final = (
    Subject(_OURS, "", "import cucm_certflow"),
    Subject(
        f"{_OURS}, its web and SSH clients loaded too", "", "import cucm_certflow, httpx, asyncssh"
    ),
    Subject(f"{_OURS}[cli]", "[cli]", "import cucm_certflow.cli.app"),
    Subject("nornir", "nornir", "from nornir import InitNornir"),
    Subject("netmiko", "netmiko", "from netmiko import ConnectHandler"),
    Subject(
        "ansible-core",
        "ansible-core",
        "from ansible.executor.task_queue_manager import TaskQueueManager",
    ),
)


class Figures(NamedTuple):
    """What was measured of one subject."""

    subject: Subject
    version: str
    distributions: int
    size_mb: float
    import_ms: float
    times_bare: float


def _measured(subject: Subject, folder: Path, wheel: Path, times: int) -> Figures:
    ours = subject.name.startswith(_OURS)
    at = Environment(folder)
    at.install(f"{wheel}{subject.requirement}" if ours else subject.requirement)
    bare, whole = at.starts_s("pass", subject.statement, times=times)
    name = "cucm-certflow" if ours else subject.requirement
    version = at.run("-c", f"from importlib.metadata import version; print(version('{name}'))")
    return Figures(
        subject,
        version.strip(),
        len(at.distributions()),
        at.size_bytes() / 1e6,
        (whole - bare) * 1e3,
        whole / bare,
    )


def _rows(figures: list[Figures]) -> list[str]:
    rows = [
        "| installed | version | distributions | MB | imported | ms | times a bare start |",
        "|---|---|---:|---:|---|---:|---:|",
    ]
    rows += [
        f"| {each.subject.name} | {each.version} | {each.distributions} | {each.size_mb:.1f} "
        f"| `{each.subject.statement}` | {each.import_ms:.0f} | {each.times_bare:.1f} |"
        for each in figures
    ]
    return rows


def _main() -> int:
    parser = argparse.ArgumentParser(description="What installing and importing costs.")
    parser.add_argument("--times", type=int, default=15, help="interpreters for one median")
    parser.add_argument("--write", action="store_true", help="write docs/footprint.md, too")
    options = parser.parse_args()
    figures = []
    with tempfile.TemporaryDirectory(prefix="certflow-footprint-") as scratch:
        dist = Path(scratch) / "dist"
        dist.mkdir()
        wheel = build(dist).wheel
        for number, subject in enumerate(SUBJECTS):
            print(f"installing {subject.name} …", file=sys.stderr, flush=True)
            folder = Path(scratch) / str(number)
            figures.append(_measured(subject, folder, wheel, options.times))
    rows = _rows(figures)
    print("\n".join(rows))
    if options.write:
        seen = (
            f"Python {platform.python_version()} on {platform.system()} {platform.machine()}, "
            f"the median of {options.times} fresh interpreters.\n\n"
        )
        table = seen + "\n".join(rows) + "\n"
        text = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(_TABLE.sub(lambda m: f"{m[1]}{table}{m[2]}", text), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(_main())
