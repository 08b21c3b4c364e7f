"""Which module of others belongs to which extra, so that what is missing can be named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cucm_certflow.errors import Report, UsageError

__all__ = ["EXTRAS", "missing"]

EXTRAS: Final[Mapping[str, tuple[str, ...]]] = {
    "cli": ("typer", "rich"),
    "lab": ("starlette", "uvicorn"),
    "report": ("jinja2", "markupsafe"),
    "testing": ("hypothesis", "pytest"),
}
"""By the name of the extra: the modules that it brings."""


def missing(error: ModuleNotFoundError) -> UsageError | None:
    """What to install for the module that *error* misses; None if it belongs to no extra."""
    module = (error.name or "").partition(".")[0]
    for extra, modules in EXTRAS.items():
        if module in modules:
            report = Report(
                headline=f"certflow needs {module} for this",
                left="nothing was sent",
                next=f"pip install 'cucm-certflow[{extra}]'",
            )
            return UsageError(report)
    return None
