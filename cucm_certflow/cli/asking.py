"""Asks the person at the terminal for a password: never on standard output, never echoed."""

from __future__ import annotations

import getpass
import sys
import warnings

from cucm_certflow.errors import InventoryError, Report

__all__ = ["ask_on_terminal"]


def ask_on_terminal(account: str) -> str:
    """The password of *account*, typed by the person at the terminal.

    Raises:
        InventoryError: There is no terminal, it cannot keep from showing what is typed, or the
            person gave no answer. Nothing was sent.
    """
    if not sys.stdin.isatty():
        raise _nobody(account, "standard input is no terminal")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", getpass.GetPassWarning)
            return getpass.getpass(f"password of the {account}: ", stream=sys.stderr)
    except getpass.GetPassWarning:
        raise _nobody(account, "the terminal would show what is typed") from None
    except EOFError:
        raise _nobody(account, "the input ended") from None


def _nobody(account: str, why: str) -> InventoryError:
    return InventoryError(
        Report(
            headline=f"the password of the {account} cannot be asked for",
            saw=why,
            left="nothing was sent",
            next='run it in a terminal, or write password = { env = "NAME" } and set NAME',
        )
    )
