"""What stands on a page of the documentation: its blocks, and its commands with what they print."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[1]
DOCS: Final = ROOT / "docs"
# Every page that people read; of the change log nothing is to be carried out.
PAGES: Final = (
    *sorted(ROOT.glob("README*.md")),
    *sorted(DOCS.rglob("*.md")),
    *sorted((ROOT / "examples").rglob("README.md")),
)
_FENCED: Final = re.compile(
    r"^(?:<!-- not run here: (?P<why>[^\n]+) -->\n)?```(?P<language>[^\n]*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


_END: Final = "-- the end of a command --"
_WITHIN_S: Final = 900


class Block(NamedTuple):
    """A fenced block; *why* is the page's own reason for which nobody runs it, or empty."""

    language: str
    text: str
    why: str


class Shown(NamedTuple):
    """A command of a page, and what the page says that it prints; ``...`` is anything."""

    command: str
    lines: tuple[str, ...]


def name_of(page: Path) -> str:
    """The path of *page* in the repository."""
    return page.relative_to(ROOT).as_posix()


def all_blocks(page: Path) -> list[Block]:
    """Every block of *page*, in order."""
    found = _FENCED.finditer(page.read_text(encoding="utf-8"))
    return [Block(each["language"], each["text"], each["why"] or "") for each in found]


def blocks(page: Path, language: str) -> list[str]:
    """The blocks in *language* that are to be run, or read."""
    return [each.text for each in all_blocks(page) if each.language == language and not each.why]


def commands_of(block: str) -> Iterator[Shown]:
    """The commands of one console block, in order."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, *lines = part.splitlines()
        while command.endswith("\\"):
            command = f"{command}\n{lines.pop(0)}"
        yield Shown(command, tuple(lines))


def commands(page: Path) -> Iterator[Shown]:
    """The commands of the console blocks of *page*, in order."""
    for block in blocks(page, "console"):
        yield from commands_of(block)


def _pattern(lines: tuple[str, ...]) -> str:
    return "".join(
        r"(?:.*\n)*" if line == "..." else re.escape(line).replace(r"\.\.\.", ".*") + r"\n"
        for line in lines
    )


def matches(printed: str, lines: tuple[str, ...]) -> bool:
    """Whether *printed* is what the page shows; ``...`` is anything, in a line or for lines."""
    return re.fullmatch(_pattern(lines), printed) is not None


def begins(printed: str, lines: tuple[str, ...]) -> bool:
    """Whether *printed* begins with what the page shows."""
    return re.match(_pattern(lines), printed) is not None


def run_session(
    shown: Sequence[Shown],
    *,
    cwd: Path,
    env: Mapping[str, str],
    before: str = "",
    after: str = "",
) -> list[str]:
    """Run commands one after the other in one shell, and hold what each prints to its page.

    *before* and *after* are lines of the shell around them, which print nothing. What is returned
    is what each command printed, in order.
    """
    script = "".join(
        f"{each.command}\n__status=$?; echo '{_END}'; (exit $__status)\n" for each in shown
    )
    done = subprocess.run(
        ["bash", "-c", f"{before}\n{script}\n{after}\nkill %1 2>/dev/null; wait"],
        cwd=cwd,
        env={
            **env,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}",
            "COLUMNS": "100",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_WITHIN_S,
        check=False,
    )
    *printed, _ = done.stdout.split(f"{_END}\n")
    for each, text in zip(shown, printed, strict=False):
        assert matches(text, each.lines), f"$ {each.command}\n{text[-3000:]}{done.stderr[-3000:]}"
    assert len(printed) == len(shown), done.stdout[-3000:] + done.stderr[-3000:]
    return printed
