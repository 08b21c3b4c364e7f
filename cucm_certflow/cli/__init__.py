"""The command line: thin over the library."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Entry point of ``certflow``; says which extra is missing instead of a traceback."""
    try:
        from cucm_certflow.cli.app import app
    except ModuleNotFoundError as error:
        if error.name not in ("typer", "rich"):
            raise
        print(f"certflow needs {error.name}: pip install 'cucm-certflow[cli]'", file=sys.stderr)
        raise SystemExit(2) from None
    app()
