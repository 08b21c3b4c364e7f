"""What a person keeps of a run: the report of its journal; needs the extra ``report``."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cucm_certflow.report.html import report_html
    from cucm_certflow.report.story import RunStory, story_of

__all__ = ["RunStory", "report_html", "story_of"]

_HOME = {"report_html": "html", "RunStory": "story", "story_of": "story"}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever it is
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
