"""Names of phones as people give them: what is no phone's is refused."""

from __future__ import annotations

from collections.abc import Iterable

from cucm_certflow.errors import Report, UsageError
from cucm_certflow.nearest import suggestion

__all__ = ["check_names"]


def check_names(names: Iterable[str], phones: Iterable[str], headline: str) -> None:
    """Make sure that *names* are all of *phones*.

    Raises:
        UsageError: With *headline*, and the names that are no phone's.
    """
    known = set(phones)
    strangers = set(names) - known
    if strangers:
        raise UsageError(
            Report(
                headline=headline,
                saw=", ".join(f"{name}{suggestion(name, known)}" for name in sorted(strangers)),
                left="nothing was sent",
                next="correct the name; it is a device name, for example SEP001122334455",
            )
        )
