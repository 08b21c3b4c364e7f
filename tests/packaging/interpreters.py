"""Which supported Pythons this machine has, on the path or kept by pyenv beside it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

__all__ = ["MINORS", "find_python"]

MINORS: Final = (11, 12, 13, 14)


def find_python(minor: int) -> str | None:
    """A call that starts Python 3.*minor* and can make virtual environments; None if none does."""
    return next(filter(_works, _calls(f"python3.{minor}")), None)


def _calls(name: str) -> list[str]:
    """Every interpreter of that name: the first one along the path may be a shim for none."""
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    folders += [str(each) for each in sorted(pyenv.glob("versions/*/bin"), reverse=True)]
    return [call for each in folders if (call := shutil.which(name, path=each))]


def _works(call: str) -> bool:
    try:
        done = subprocess.run(
            (call, "-c", "import venv, ssl"), capture_output=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return not done.returncode
