"""The command line: thin over the library."""

from __future__ import annotations

import signal
import sys

from cucm_certflow.cli.extras import missing
from cucm_certflow.cli.output import Exit
from cucm_certflow.cli.streams import standard_streams

__all__ = ["main"]


def main() -> None:
    """Entry point of ``certflow``: it ends with a message and an exit status, and no traceback."""
    try:
        with standard_streams():
            try:
                _certflow()
            except KeyboardInterrupt:  # before there was a command
                print("certflow: interrupted; nothing was changed", file=sys.stderr)
                raise SystemExit(Exit.INTERRUPTED) from None
    finally:
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            # How it ends is decided: another Ctrl-C while Python clears away changes nothing.
            signal.signal(signal.SIGINT, signal.SIG_IGN)


def _certflow() -> None:
    try:
        from cucm_certflow.cli.app import app
    except ModuleNotFoundError as error:
        needs = missing(error)
        if needs is None:
            raise
        print(needs, file=sys.stderr)
        raise SystemExit(Exit.USAGE) from None
    app(prog_name="certflow")
