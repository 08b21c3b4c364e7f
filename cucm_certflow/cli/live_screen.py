"""Lays a view of a run out in lines, for a terminal of any width and height; it draws nothing.

Signs and words carry the meaning, and colours repeat it: nothing is lost without them.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from cucm_certflow.cli.live_view import LiveView, NodeLine, Point, StepLine, resampled
from cucm_certflow.core.describe import hours
from cucm_certflow.core.states import CommandState
from cucm_certflow.procedures.policies import Evidence

__all__ = ["LEAST_COLUMNS", "LEAST_LINES", "Signs", "screen"]

LEAST_COLUMNS: Final = 40
"""A terminal that is narrower gets plain lines."""

LEAST_LINES: Final = 10
"""A terminal that is lower gets plain lines."""

_TWO_COLUMNS: Final = 100
"""From so many columns on, steps and phones stand beside each other."""

_HEADING: Final = "bold"
_QUIET: Final = "dim"
_STYLES: Final[dict[CommandState | None, str]] = {
    CommandState.PLANNED: "dim",
    CommandState.INTENDED: "yellow",
    CommandState.SENT: "yellow",
    CommandState.IN_DOUBT: "bold magenta",
    CommandState.PROVED: "green",
    CommandState.HELD: "bold red",
    None: "yellow",
}
_SHORT: Final = {
    Evidence.LIST_MATCH: "list ok",
    Evidence.RE_REGISTERED: "re-reg.",
    Evidence.REGISTERED: "reg.",
}
_IN_WORDS: Final = {
    Evidence.LIST_MATCH: "list match proved",
    Evidence.RE_REGISTERED: "re-registered",
    Evidence.REGISTERED: "registered",
    Evidence.UNKNOWN: "unknown",
}


class Signs(NamedTuple):
    """What is drawn with: signs that every terminal has, or those of Unicode."""

    states: dict[CommandState | None, str]
    levels: str
    done: str
    rest: str
    dots: str

    @classmethod
    def of(cls, *, ascii_only: bool) -> Signs:
        """Those for a terminal, by what its encoding has."""
        order = (*CommandState, None)  # planned, intended, sent, in doubt, proved, held, in part
        signs = ".->?+!:" if ascii_only else "·▹▸?✓!»"
        states = dict(zip(order, signs, strict=True))
        if ascii_only:
            return cls(states, " .:-=+*#", "#", "-", "~")
        return cls(states, "▁▂▃▄▅▆▇█", "━", "─", "…")


def screen(view: LiveView, now: datetime, *, columns: int, lines: int, signs: Signs) -> list[Text]:
    """*view* at *now*, in at most *lines* lines, none of them wider than *columns*.

    A terminal that became too small for all of it gets one line. What finds no room is left out,
    the last of these first: the run's head and what it waits for, windows, the steps of the present
    window, phones and their curve, nodes, replies.
    """
    if columns < LEAST_COLUMNS or lines < _LEAST_PAGE:
        line = Text(f"{view.proved}/{len(view.plan.steps)} proved")
        return [_fitted(line, columns, signs)][:lines]
    columns = min(columns, _MOST_COLUMNS)
    page = _Page(view, now, columns, signs)
    head, foot = page.head(), page.foot(most=max(1, lines // 6))
    room = lines - len(head) - len(foot)
    beside = columns >= _TWO_COLUMNS
    waits = page.waits()[: max(2, room // 3)]
    room -= len(waits)
    windows = page.windows(most=max(1, room // 4))
    room -= len(windows)
    replies = page.replies(most=_SHOWN_REPLIES if room >= _ROOMY else 1) if room >= _TIGHT else []
    room -= len(replies)
    nodes_least = min(len(view.plan.facts.nodes), 4) + 1
    if beside:
        width = columns // 2 - 1
        steps = _Page(view, now, width, signs).steps(most=max(2, room - nodes_least - 1))
        height = max(_LEAST_CURVE, min(len(steps), _MOST_BESIDE))
        phones = _Page(view, now, columns - width - 2, signs).phones(height=height)
        middle = [_beside(steps, phones, width)]
    else:
        phones = page.phones(height=_LEAST_CURVE if room >= _ROOMY else 2)
        middle = [page.steps(most=max(2, room - len(phones) - nodes_least - 1)), phones]
    room -= sum(map(len, middle))
    nodes = page.nodes(most=room) if room >= 2 else []  # noqa: PLR2004 - a heading and one node
    parts = [part for part in ([*head, *windows], waits, *middle, nodes, replies) if part]
    made = [line for part in parts for line in part]
    if len(made) + len(parts) + len(foot) <= lines:
        made = [line for part in parts for line in (*part, Text())]
    made = made[: max(0, lines - len(foot))]
    return [_fitted(line, columns, signs) for line in (*made, *foot)]


_LEAST_PAGE: Final = 5
_MOST_COLUMNS: Final = 140
"""On a wider terminal a line would be too long for the eye."""

_LEAST_CURVE: Final = 5
_MOST_BESIDE: Final = 12
_ROOMY: Final = 24
_TIGHT: Final = 14


class _Page:
    """The parts of a page of one width."""

    def __init__(self, view: LiveView, now: datetime, columns: int, signs: Signs) -> None:
        self.view = view
        self.now = now
        self.columns = columns
        self.signs = signs

    # ── head and foot ─────────────────────────────────────────────────────────────────────

    def head(self) -> list[Text]:
        view = self.view
        begun = view.begun
        ran = "not begun" if begun is None else hours(max(0.0, (self.now - begun).total_seconds()))
        steps = len(view.plan.steps)
        counted = f"{view.proved} of {steps} steps proved"
        right = f"{counted}  {ran}" if begun is None else f"{counted}  after {ran}"
        name = view.journal.rpartition("/")[2]
        title = _styled(f"certflow  {name}", _HEADING)
        if view.state.ended:
            title.append(f"  {view.state.ended}", style="bold green")
        elif view.driver is not None and not view.driver:
            title.append("  nobody drives it", style="bold red")
        for shorter in (f"{view.proved}/{steps} proved  {ran}", f"{view.proved}/{steps}  {ran}"):
            if title.cell_len + 2 + cell_len(right) > self.columns:
                right = shorter
        gap = self.columns - title.cell_len - cell_len(right)
        first = title + Text(" " * max(2, gap)) + Text(right)
        done = round(self.columns * view.proved / steps) if steps else 0
        bar = _styled(self.signs.done * done, "green")
        bar.append(self.signs.rest * (self.columns - done), style=_QUIET)
        return [first, bar]

    def foot(self, *, most: int) -> list[Text]:
        """What to type now, and what the signs mean if there is room for both."""
        view = self.view
        lines: list[Text] = []
        if not view.state.ended:
            stands = view.driver is not None and not view.driver
            act = "resume" if stands else "pause"
            who = "-i INVENTORY" if stands else "--by NAME --why REASON"
            text = f"to {act}: certflow {act} -j {view.journal} {who}"
            wrapped = textwrap.wrap(text, self.columns, subsequent_indent="  ")
            lines = [_styled(line, _QUIET) for line in wrapped[:most]]
        legend = [Text()]
        for state, sign in self.signs.states.items():
            entry = _styled(f"{sign}", _STYLES[state])
            entry.append(f" {_word(state)}  ", style=_QUIET)
            if legend[-1].cell_len + entry.cell_len > self.columns + 2:
                legend.append(Text())
            legend[-1].append_text(entry)
        return [*legend, *lines] if len(legend) + len(lines) <= most else lines

    # ── windows and steps ─────────────────────────────────────────────────────────────────

    def windows(self, *, most: int) -> list[Text]:
        """One line each; of many those around the present one."""
        rows = self.view.windows()
        present = self.view.present
        first = max(0, min(present - most // 2, len(rows) - most))
        shown = rows[first : first + most]
        lines: list[Text] = []
        for row in shown:
            line = self._marked(row.mark, f"window {row.number} of {len(rows)}: {row.title}")
            right = f"{row.word}  {row.proved}/{row.steps}"
            lines.append(self._spread(line, right, _STYLES[row.mark]))
        return lines

    def steps(self, *, most: int) -> list[Text]:
        """The rows of the present window; of many those around what is under way."""
        rows = self.view.steps(self.view.present)
        lines = [self._heading(f"Steps of window {self.view.present + 1}")]
        most = max(1, most - 1)
        at = next((n for n, r in enumerate(rows) if r.mark is not CommandState.PROVED), len(rows))
        first = max(0, min(at - 1, len(rows) - most))
        lines += [self._step(row) for row in rows[first : first + most]]
        if (left := len(rows) - most) > 0:
            lines[0] = self._heading(f"Steps of window {self.view.present + 1} ({left} not shown)")
        return lines

    def _step(self, row: StepLine) -> Text:
        line = self._marked(row.mark, row.title)
        right = f"{row.proved} of {row.steps} {row.unit}" if row.steps > 1 else ""
        busy = ", ".join(row.busy[:2]) + (f" and {len(row.busy) - 2} more" if row.busy[2:] else "")
        if busy and self.columns >= line.cell_len + cell_len(busy) + cell_len(right) + 4:
            line.append(f"  {busy}", style=_STYLES[row.mark])
        elif busy and not right:
            right = busy
        return self._spread(line, right or _word(row.mark), _STYLES[row.mark])

    # ── phones ────────────────────────────────────────────────────────────────────────────

    def phones(self, *, height: int) -> list[Text]:
        """The registration curve, over *height* lines with its heading, and the evidence."""
        view = self.view
        if not view.phones:
            return []
        last = view.curve[-1].registered if view.curve else None
        counted = "not looked at yet" if last is None else f"{last:,} of {view.phones:,} registered"
        lines = [self._spread(self._heading("Phones"), counted, _HEADING)]
        evidence = self._evidence()
        rows = max(1, height - len(lines) - len(evidence) - 1)
        lines += self._chart(rows)
        return [*lines, *evidence]

    def _chart(self, rows: int) -> list[Text]:
        """A block chart with the number at its top, and the time under it."""
        view = self.view
        if not view.curve:
            return []
        top = max(view.phones, *(point.registered for point in view.curve))
        label = f"{top:,} "
        width = self.columns - cell_len(label) - 1
        if width < _LEAST_CHART:
            label, width = "", self.columns
        values = resampled(view.curve, _registered, until=self._until(), columns=width)
        lines: list[Text] = []
        for row in reversed(range(rows)):
            text = "".join(_block(value, top, row, rows, self.signs.levels) for value in values)
            shown = label if row == rows - 1 else (f"{'0 ':>{len(label)}}" if not row else "")
            line = _styled(f"{shown:>{len(label)}}" if label else "", _QUIET)
            line.append(text, style="cyan")
            lines.append(line)
        left, right = f"{view.curve[0].at:%H:%M}", f"{self._until():%H:%M}"
        gap = width - len(left) - len(right)
        if gap > 0:
            lines.append(_styled(" " * len(label) + left + " " * gap + right, _QUIET))
        return lines

    def _until(self) -> datetime:
        return max(self.now, self.view.curve[-1].at)

    def _evidence(self) -> list[Text]:
        grades = self.view.grades()
        if not grades:
            return []
        words = [
            f"{grades[grade.name.lower()]:,} {_IN_WORDS[grade]}"
            for grade in sorted(Evidence, reverse=True)
            if grades[grade.name.lower()] or grade is not Evidence.LIST_MATCH
        ]
        return _filled("evidence: ", words, self.columns)

    # ── nodes ─────────────────────────────────────────────────────────────────────────────

    def nodes(self, *, most: int) -> list[Text]:
        """A table of the nodes, in *most* lines with its heading; the columns that find room."""
        rows = self.view.nodes()
        shown = list(rows)
        if len(rows) + 1 > most:
            kept = max(0, most - 2)
            busy = sorted(rows, key=lambda row: _BUSY.index(row.mark))[:kept]
            shown = [row for row in rows if row in busy]
        columns = self._columns_of(rows)
        heading = _styled("  ", _QUIET)
        for column in columns:
            text = _cell(column.heading, column.width, right=column.right)
            heading.append(text + "  ", style=_QUIET)
        lines = [heading]
        for row in shown:
            line = _styled(f"{self.signs.states[row.mark]} ", _STYLES[row.mark])
            for column in columns:
                text = _cell(column.text(row), column.width, right=column.right)
                line.append(text + "  ", style=column.style or (_STYLES[row.mark]))
            lines.append(line)
        if left := len(rows) - len(shown):
            lines.append(Text(f"  and {left} nodes more, at which nothing is under way"))
        return lines

    def _columns_of(self, rows: Sequence[NodeLine]) -> list[_Column]:
        """The columns, the dearest first until the width is used up, in the order they stand."""
        view = self.view
        offered = [
            _Column(0, "node", lambda row: row.name, style=_HEADING),
            _Column(4, "phones (start)", _phones_of, right=True, style="default"),
            _Column(1, "steps", lambda row: f"{row.proved}/{row.steps}", right=True),
            _Column(2, "now", lambda row: row.now, least=14, most=34),
            _Column(3, "services", _services_of),
        ]
        if view.curve:
            offered.append(_Column(5, "curve", self._curve_of, least=8, most=16, style="cyan"))
        if view.evidence is not None:
            graded = [g for g in _SHORT if g is not Evidence.LIST_MATCH or view.grades()[_key(g)]]
            offered += [
                _Column(6 + n, _SHORT[grade], _count_of(_key(grade)), right=True, style="default")
                for n, grade in enumerate(graded)
            ]
        offered.append(_Column(9, f"window {view.present + 1}", self._strip_of, style=_QUIET))
        room = self.columns - 2
        chosen: list[_Column] = []
        for column in offered:
            natural = max([cell_len(column.heading), *(cell_len(column.text(row)) for row in rows)])
            width = max(column.least, min(natural, column.most)) if column.least else natural
            width = column.least if column.least and width > room - 2 else width
            if width + 2 > room and chosen:
                continue
            chosen.append(column._replace(width=min(width, max(4, room))))
            room -= width + 2
        return sorted(chosen)

    def _curve_of(self, row: NodeLine) -> str:
        values = resampled(
            self.view.curve,
            lambda point: point.by_node.get(row.name, 0),
            until=self._until(),
            columns=_NODE_CURVE,
        )
        top = max([row.at_start, 1, *values])
        if not any(values) and not row.at_start:
            return ""
        return "".join(_block(value, top, 0, 1, self.signs.levels) for value in values)

    def _strip_of(self, row: NodeLine) -> str:
        return "".join(self.signs.states[state] for state in row.strip)

    # ── the rest ──────────────────────────────────────────────────────────────────────────

    def waits(self) -> list[Text]:
        said = self.view.waits()
        if not said:
            return []
        lines = [self._heading("Waits for")]
        for text in said:
            wrapped = textwrap.wrap(
                text,
                self.columns,
                initial_indent="  ",
                subsequent_indent="    ",
                max_lines=2,
                placeholder=f" {self.signs.dots}",
            )
            lines += map(Text, wrapped)
        return lines

    def replies(self, *, most: int) -> list[Text]:
        told = self.view.replies[-most:]
        if not told:
            return []
        lines = [_styled(f"  {reply}", _QUIET) for reply in told]
        return [self._heading("Last replies"), *lines]

    def _heading(self, text: str) -> Text:
        return _styled(text, _HEADING)

    def _marked(self, mark: CommandState | None, text: str) -> Text:
        line = _styled(f"{self.signs.states[mark]} ", _STYLES[mark])
        line.append(text, style="default")
        return line

    def _spread(self, line: Text, right: str, style: str) -> Text:
        """*line* with *right* at the right edge; *right* is never what is cut."""
        room = self.columns - cell_len(right) - 1
        if line.cell_len > room:
            line = line.copy()
            _cut(line, max(1, room), self.signs.dots)
        gap = max(1, self.columns - line.cell_len - cell_len(right))
        return line + Text(" " * gap) + _styled(right, style)


_LEAST_CHART: Final = 16
_NODE_CURVE: Final = 12
_SHOWN_REPLIES: Final = 3
_BUSY: Final = (
    CommandState.HELD,
    CommandState.IN_DOUBT,
    CommandState.SENT,
    CommandState.INTENDED,
    None,
    CommandState.PLANNED,
    CommandState.PROVED,
)


class _Column(NamedTuple):
    place: int
    heading: str
    text: Callable[[NodeLine], str]
    least: int = 0
    most: int = 0
    right: bool = False
    style: str = ""
    width: int = 0


def _styled(text: str, style: str) -> Text:
    """*text* in *style*, to which more can be appended that is not in it."""
    return Text().append(text, style=style)


def _word(mark: CommandState | None) -> str:
    return mark.value if mark else "in part"


def _phones_of(row: NodeLine) -> str:
    if row.registered is None:
        return f"? ({row.at_start})"
    return f"{row.registered} ({row.at_start})" if row.registered or row.at_start else ""


def _services_of(row: NodeLine) -> str:
    if not row.services:
        return ""
    now = f", {row.restarting} now" if row.restarting else ""
    return f"{row.settled}/{row.services}{now}"


def _count_of(grade: str) -> Callable[[NodeLine], str]:
    return lambda row: str(row.grades[grade]) if grade in row.grades else ""


def _key(grade: Evidence) -> str:
    return grade.name.lower()


def _registered(point: Point) -> int:
    return point.registered


def _block(value: int, top: int, row: int, rows: int, levels: str) -> str:
    """The part of a bar in *row* of *rows*, from the bottom; what is not 0 is never invisible."""
    eighths = value * rows * len(levels) / top if top else 0.0
    here = eighths - row * len(levels)
    if here >= len(levels):
        return levels[-1]
    if here < 0.5:  # noqa: PLR2004 - less than half a level
        return levels[0] if value and not row else " "
    return levels[max(0, round(here) - 1)]


def _cell(text: str, width: int, *, right: bool) -> str:
    if right:
        fits = min(width, cell_len(text))
        return " " * (width - fits) + set_cell_size(text, fits)
    return set_cell_size(text, width)


def _filled(start: str, words: Iterable[str], columns: int) -> list[Text]:
    """*words* with commas, over as many lines as they need."""
    lines = [start]
    for number, word in enumerate(words):
        more = word if not number else f", {word}"
        if cell_len(lines[-1]) + cell_len(more) > columns and number:
            lines[-1] += ","
            lines.append(" " * cell_len(start) + word)
        else:
            lines[-1] += more
    return [Text(line) for line in lines]


def _beside(left: Sequence[Text], right: Sequence[Text], width: int) -> list[Text]:
    lines: list[Text] = []
    for number in range(max(len(left), len(right))):
        first = left[number].copy() if number < len(left) else Text()
        first.append(" " * max(0, width - first.cell_len + 2))
        lines.append(first + (right[number] if number < len(right) else Text()))
    return lines


def _cut(line: Text, columns: int, dots: str) -> None:
    line.truncate(max(0, columns - cell_len(dots)))
    line.append(dots)


def _fitted(line: Text, columns: int, signs: Signs) -> Text:
    line = line.copy()
    line.rstrip()
    if line.cell_len > columns:
        _cut(line, columns, signs.dots)
    line.no_wrap = True
    return line
