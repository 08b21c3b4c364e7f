"""The story of a run as one HTML file that needs no network, and prints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from cucm_certflow.core.describe import by_hand
from cucm_certflow.findings import Verdict
from cucm_certflow.report.pictures import curve_svg, points_told, timeline_svg
from cucm_certflow.report.story import RunStory

__all__ = ["report_html"]

_NAMES_SHOWN: Final = 60
_HEADLINES: Final = {
    "verified": "Verified: everything that was asked for was done and looked at",
    "aborted": "Aborted: a person ended the run for good",
    "held": "HELD: a person must decide; nothing more is sent until the run is resumed",
    "paused": "PAUSED: the run can be resumed from its journal",
    "in progress": "IN PROGRESS: this is how it stands, and not how it ends",
    "interrupted": "INTERRUPTED: nobody drives the run; it can be resumed from its journal",
}


def report_html(story: RunStory) -> str:
    """*story* as one HTML document.

    It loads nothing: style and pictures are in it, there is no script, and its own policy
    (``Content-Security-Policy``) forbids both. Texts from the cluster are escaped. Equal stories
    give equal documents.

    Args:
        story: Of :func:`~cucm_certflow.report.story.story_of`.
    """
    left = story.left
    return _template().render(
        story=story,
        plan=story.plan,
        headline=_headline(story),
        good=story.outcome == "verified" and not left,
        curve=curve_svg(story),
        points=points_told(story.curve),
        timeline=timeline_svg(story),
        alike=_alike(story),
        outlooks=_outlooks(story),
        open_findings=[f for f in story.findings if f.verdict is not Verdict.PASS],
        passed=[f for f in story.findings if f.verdict is Verdict.PASS],
        by_hand=by_hand(story.plan),
        grades=_grades(story),
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("cucm_certflow.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["instant"] = _instant
    environment.filters["hour"] = _hour
    environment.filters["span"] = _span
    environment.filters["some"] = _some
    return environment.get_template("report.html.j2")


def _headline(story: RunStory) -> str:
    if story.outcome == "verified" and story.left:
        return f"Verified, and {len(story.left)} phones were left: they are named below"
    return _HEADLINES.get(story.outcome, story.outcome)


def _instant(at: datetime | None) -> str:
    return "-" if at is None else f"{at:%Y-%m-%d %H:%M:%S %Z}"


def _hour(at: datetime | None) -> str:
    return "-" if at is None else f"{at:%H:%M:%S}"


def _span(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _alike(story: RunStory) -> dict[tuple[str, str, str], list[str]]:
    """The phones that were left, together where why, evidence and remedy are the same."""
    return _together(((p.why, p.evidence, p.remedy), p.name) for p in story.left)


def _outlooks(story: RunStory) -> dict[tuple[str, str, str], list[str]]:
    return _together(((p.reason, p.outcome, p.remedy), p.name) for p in story.plan.outlooks)


def _together(
    pairs: Iterable[tuple[tuple[str, str, str], str]],
) -> dict[tuple[str, str, str], list[str]]:
    found: dict[tuple[str, str, str], list[str]] = {}
    for key, name in pairs:
        found.setdefault(key, []).append(name)
    return found


def _grades(story: RunStory) -> list[str]:
    """The grades that there are, in the order of the evidence, best first."""
    order = ("list_match", "re_registered", "registered", "unknown")
    seen = {grade for counts in (story.grades or {}).values() for grade in counts}
    return [grade for grade in order if grade in seen] + sorted(seen - set(order))
