"""The command line: thin over the library."""

from __future__ import annotations

import sys

from cucm_certflow.cli.extras import missing
from cucm_certflow.cli.streams import standard_streams

__all__ = ["main"]


def main() -> None:
    """Entry point of ``certflow``: it ends with a message and an exit status, and no traceback."""
    with standard_streams():
        try:
            from cucm_certflow.cli.app import app
        except ModuleNotFoundError as error:
            needs = missing(error)
            if needs is None:
                raise
            print(needs, file=sys.stderr)
            raise SystemExit(2) from None
        except KeyboardInterrupt:
            raise SystemExit(130) from None
        app(prog_name="certflow")
