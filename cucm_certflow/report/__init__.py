"""What a person keeps: a plan for the ticket; of a run the report, which needs extra ``report``."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cucm_certflow.report.html import report_html
    from cucm_certflow.report.plan_markdown import plan_as_markdown
    from cucm_certflow.report.story import RunStory
    from cucm_certflow.report.telling import story_of

__all__ = ["RunStory", "plan_as_markdown", "report_html", "story_of"]

_HOME = {
    "RunStory": "story",
    "plan_as_markdown": "plan_markdown",
    "report_html": "html",
    "story_of": "telling",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever it is
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
