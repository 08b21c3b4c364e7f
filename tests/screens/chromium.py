"""Headless Chromium: screenshots, prints, and the document as rendered; without a network."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

import pytest

__all__ = ["SCREENS", "chromium", "dump_dom", "print_to_pdf", "screenshot"]

SCREENS: Final = Path(__file__).parents[2] / "demo-out" / "screens"
"""Where the pictures go, so that they can be looked at; not under version control."""

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
_FLAGS: Final = (
    "--headless",
    "--no-sandbox",  # as root, in a container
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND",  # whatever is asked for outside is not found
)
_WITHIN_S: Final = 120


def chromium() -> str:
    """The program; where there is none the test is skipped, and says what to install."""
    for name in (os.environ.get("CHROMIUM", ""), *_NAMES):
        if name and (found := shutil.which(name)):
            return found
    pytest.skip("no Chromium: `apt-get install chromium`, or its path in the variable CHROMIUM")


def _url(page: str | Path) -> str:
    return Path(page).absolute().as_uri() if isinstance(page, Path) else page


def _run(*words: str) -> str:
    program = chromium()
    with tempfile.TemporaryDirectory(prefix="certflow-chromium-") as profile:
        done = subprocess.run(
            [program, *_FLAGS, f"--user-data-dir={profile}", *words],
            capture_output=True,
            text=True,
            timeout=_WITHIN_S,
            check=False,
        )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def screenshot(page: str | Path, out: Path, width: int, height: int) -> Path:
    """A picture of *page* in a window of so many pixels, as a PNG file at *out*."""
    out.parent.mkdir(parents=True, exist_ok=True)
    _run(f"--screenshot={out}", f"--window-size={width},{height}", _url(page))
    assert out.read_bytes().startswith(b"\x89PNG")
    return out


def print_to_pdf(page: str | Path, out: Path) -> Path:
    """*page* as a printer gets it, as a PDF file at *out*."""
    out.parent.mkdir(parents=True, exist_ok=True)
    _run(f"--print-to-pdf={out}", "--no-pdf-header-footer", _url(page))
    assert out.read_bytes().startswith(b"%PDF")
    return out


def dump_dom(page: str | Path, width: int, height: int) -> str:
    """The document after it was rendered in a window of so many pixels."""
    return _run("--dump-dom", f"--window-size={width},{height}", _url(page))
