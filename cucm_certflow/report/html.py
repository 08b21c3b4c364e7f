"""The story of a run as one HTML file that needs no network, and prints."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Final, NamedTuple, TypeVar

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from cucm_certflow.core.describe import by_hand, hours
from cucm_certflow.core.states import EntryState
from cucm_certflow.journal import PROTOCOL
from cucm_certflow.report.pictures import curve_svg, points_told, timeline_svg
from cucm_certflow.report.story import RunStory

__all__ = ["report_html"]

K = TypeVar("K", bound=Hashable)

_CODE: Final = re.compile(r"`([^`]+)`")
_NAMES_SHOWN: Final = 60
_LONG: Final = 10


class _Ending(NamedTuple):
    """What an outcome means: the headline, how it looks, and the exit status of the run."""

    headline: str
    kind: str
    status: str


_ENDINGS: Final[Mapping[str, _Ending]] = {
    "verified": _Ending(
        "Verified: everything that was asked for was done and looked at",
        "good",
        "0: everything asked for was done and verified",
    ),
    "aborted": _Ending(
        "ABORTED: a person ended the run for good",
        "bad",
        "9: a person ended the run for good; what it leaves is named",
    ),
    "held": _Ending(
        "HELD: not over; a person must decide, and nothing is sent until the run is resumed",
        "bad",
        "4: held; a person must decide, and the journal resumes the run",
    ),
    "paused": _Ending(
        "PAUSED: not over; the run can be resumed from its journal",
        "warn",
        "7: interrupted; the journal resumes the run",
    ),
    "in progress": _Ending(
        "IN PROGRESS: this is how it stands, and not how it ends",
        "warn",
        "none yet: a process drives it",
    ),
    "interrupted": _Ending(
        "NOT OVER: no process has said how it left the run; one drives it elsewhere, or it was "
        "cut off",
        "warn",
        "none: no process has said how it left the run",
    ),
}
_WAS_LEFT: Final = (
    "5: done and verified, but phones that were waived, or not waited for, are not back"
)
_NOT_KEPT: Final = (
    "0 or 5: an older version wrote the journal, which did not keep the phones that were left"
)


def report_html(story: RunStory) -> str:
    """*story* as one HTML document.

    It loads nothing: style and pictures are in it, there is no script, and its own policy
    (``Content-Security-Policy``) forbids both. Texts from the cluster are escaped. Equal stories
    give equal documents.

    Args:
        story: Of :func:`~cucm_certflow.report.telling.story_of`.
    """
    return _template().render(
        story=story,
        plan=story.plan,
        ending=_ending(story),
        asked=_asked(story),
        renewed=sum(bool(told.seen) for told in story.certificates),
        gone=sum(told.state is EntryState.GONE for told in story.entries),
        lowest=min((point.registered for point in story.curve), default=None),
        next_steps=list(_next(story)),
        curve=curve_svg(story),
        points=points_told(story.curve),
        timeline=timeline_svg(story),
        alike=_alike(story),
        not_awaited=_together((kind.value, name) for name, kind in story.plan.not_awaited.items()),
        outlooks=_outlooks(story),
        by_hand=[step for step in story.steps if step.id in {s.id for s in by_hand(story.plan)}],
        grades=_grades(story),
        long=_LONG,
        made_by=_made_by(),
        protocol=PROTOCOL,
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
    environment.filters |= {
        "instant": _instant,
        "stamp": _stamp,
        "hour": _hour,
        "code": _code,
        "day": _day,
        "span": _span,
        "some": _some,
        "grade": _grade,
    }
    return environment.get_template("report.html.j2")


# ── what it says first, and last ──────────────────────────────────────────────────────────


def _ending(story: RunStory) -> _Ending:
    ending = _ENDINGS[story.outcome]
    if story.outcome != "verified" or story.left == ():
        return ending
    if story.left is None:
        return ending._replace(kind="warn", status=_NOT_KEPT)
    count = len(story.left)
    phones = "1 phone was left: it is" if count == 1 else f"{count} phones were left: they are"
    headline = f"Verified, and {phones} named below"
    return _Ending(headline, "warn", _WAS_LEFT)


def _asked(story: RunStory) -> str:
    if story.entries:
        return f"Clean-up of {len(story.entries)} certificates in the trust stores"
    units = list(dict.fromkeys(told.unit.value for told in story.certificates))
    return f"Regeneration of {_listed(units)} certificates" if units else "Nothing was to be done"


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _next(story: RunStory) -> Iterator[str]:
    """What a person does now: from the reasons of a hold, or from what a run leaves that is over.

    What an ended run leaves is not what a held one needs: that goes on from its journal.
    """
    resume = f"`certflow resume -i INVENTORY -j {story.journal}` goes on from where it stands"
    match story.outcome:
        case "held":
            yield from dict.fromkeys(reason.unlock for reason in story.reasons if reason.unlock)
            yield resume
        case "paused":
            yield resume
        case "interrupted":
            yield (
                f"`certflow status -j {story.journal}`, on the machine where it was begun, says "
                "whether a process drives it"
            )
            yield f"if none does: {resume}"
        case "in progress":
            yield "nothing: it goes on by itself, and this report is out of date already"
        case _:
            if story.left:
                yield "bring back the phones that were left, as it is said there"
            yield from story.leftovers.next


def _made_by() -> str:
    try:
        return f"cucm-certflow {version('cucm-certflow')}"
    except PackageNotFoundError:
        return "cucm-certflow from a source folder"


# ── words and groups ──────────────────────────────────────────────────────────────────────


def _code(text: str) -> Markup:
    """*text* with what stands between backticks as code; everything in it is escaped."""
    pieces = _CODE.split(text)
    marked = (
        Markup("<code>{}</code>").format(p) if n % 2 else escape(p) for n, p in enumerate(pieces)
    )
    return Markup("").join(marked)


def _stamp(at: datetime | None) -> str:
    return "-" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _instant(at: datetime | None) -> str:
    return "-" if at is None else f"{_stamp(at)} UTC"


def _hour(at: datetime | None, of: datetime | None = None) -> str:
    """The time of *at*, with its day if that is another one than that of *of*."""
    if at is None:
        return "-"
    other = of is not None and at.astimezone(UTC).date() != of.astimezone(UTC).date()
    return f"{at.astimezone(UTC):{'%m-%d ' if other else ''}%H:%M:%S}"


def _day(at: datetime | None) -> date | str:
    return "not recorded" if at is None else at.astimezone(UTC).date()


def _span(seconds: float | None) -> str:
    return "-" if seconds is None else hours(seconds)


def _some(names: Iterable[str]) -> str:
    known = list(names)
    more = len(known) - _NAMES_SHOWN
    return ", ".join(known[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _grade(name: str) -> str:
    return name.replace("_", "-")


def _alike(story: RunStory) -> Mapping[tuple[str, str], Mapping[str, Sequence[str]]]:
    """The phones that were left, together where why and remedy are the same, by evidence."""
    groups: dict[tuple[str, str], dict[str, list[str]]] = {}
    for phone in story.left or ():
        group = groups.setdefault((phone.why, phone.remedy), {})
        group.setdefault(phone.evidence, []).append(phone.name)
    return groups


def _outlooks(story: RunStory) -> Mapping[tuple[str, str, str], Sequence[str]]:
    return _together(((p.reason, p.outcome, p.remedy), p.name) for p in story.plan.outlooks)


def _together(pairs: Iterable[tuple[K, str]]) -> Mapping[K, Sequence[str]]:
    found: dict[K, list[str]] = {}
    for key, name in pairs:
        found.setdefault(key, []).append(name)
    return {key: sorted(names) for key, names in found.items()}


def _grades(story: RunStory) -> list[tuple[str, int]]:
    """The grades that there are with their sums, in the order of the evidence, best first."""
    order = ("list_match", "re_registered", "registered", "unknown")
    seen: Counter[str] = Counter()
    for counts in (story.grades or {}).values():
        seen.update(counts)
    return [
        (grade, seen[grade]) for grade in (*order, *sorted(set(seen) - set(order))) if seen[grade]
    ]
