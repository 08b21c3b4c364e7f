"""A plan as Markdown, for the ticket: everything that the text in the terminal says, and each step.

Texts that come from a cluster (names, models, what a node said) are written so that no viewer takes
them for mark-up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from cucm_certflow.core.describe import (
    NAMED,
    alike_outlooks,
    alike_steps,
    by,
    by_hand,
    choices_of,
    counts_of,
    entries_of,
    hours,
    nodes_of,
    time_of,
    touched_lines,
    what,
    window_title,
)
from cucm_certflow.core.not_done import not_asked, not_done
from cucm_certflow.core.particulars import Particulars
from cucm_certflow.core.plan import Plan, PlannedWindow, Step
from cucm_certflow.core.states import Blocked
from cucm_certflow.procedures.explain import purpose

__all__ = ["plan_as_markdown"]

_MARKS: Final = re.compile(r"([\\`*_{}\[\]<>~#&$^])")
_BLANKS: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]+")


def plan_as_markdown(plan: Plan) -> str:
    """*plan* as Markdown with tables (CommonMark and GitHub's tables), ending in a line feed.

    It is the same text for the same facts and the same wish, byte for byte. It holds names of
    nodes and phones, and no secret. Nothing is asked of anybody.

    Args:
        plan: Refused or not; a refused one says so before anything else.
    """
    return "\n".join(_parts(plan)).rstrip("\n") + "\n"


def _parts(plan: Plan) -> Iterator[str]:
    told = Particulars(plan)
    yield from _head(plan, told)
    yield from _refusals(plan)
    for window in plan.windows:
        yield from _window(plan, told, window)
    yield from _entries(plan)
    yield from _phones(plan, told)
    yield from _findings(plan, told)
    yield from _policy(plan, told)
    yield from _people(plan)
    yield from _left(plan)


# ── parts ─────────────────────────────────────────────────────────────────────────────────


def _head(plan: Plan, told: Particulars) -> Iterator[str]:
    facts = plan.facts
    state = "not refused"
    if plan.is_refused:
        state = "REFUSED"
    elif plan.preflight is None and plan.steps:
        state = "not refused; but nobody looked before, and a run asks for that"
    nodes = ", ".join(node.name for node in facts.nodes)
    yield "# Plan for the certificates of a CUCM cluster"
    yield ""
    yield from _table(
        ("", ""),
        [
            ("state", f"**{state}**"),
            ("release", _text(facts.release)),
            ("mode", facts.mode.name.lower().replace("_", "-")),
            ("nodes", _text(f"{len(facts.nodes)}: {nodes}")),
            ("phones", str(len(facts.phones))),
            ("steps, windows", f"{len(plan.steps)}, {len(plan.windows)}"),
            ("seen at", facts.at.isoformat(timespec="seconds")),
            ("fingerprint", _code(plan.fingerprint)),
        ],
    )
    for window in plan.windows:
        title = _text(window_title(window))
        yield f"- window {window.number + 1}, {title}: {time_of(told, window)}"
    yield ""


def _refusals(plan: Plan) -> Iterator[str]:
    if not plan.refusals:
        return
    yield "## Refused: nothing was sent"
    yield ""
    for refusal in plan.refusals:
        yield from _blocked(refusal)
    yield ""


def _blocked(reason: Blocked) -> Iterator[str]:
    subject = f" {_code(reason.subject)}:" if reason.subject else ""
    yield f"- **{_text(reason.guard)}**:{subject} {_text(reason.detail)}"
    yield from _items(f"saw: {_text(line)}" for line in reason.evidence)
    if reason.unlock:
        yield from _items([f"unlock: {_text(reason.unlock)}"])
    if reason.source:
        yield from _items([f"source: {_text(reason.source)}"])


def _window(plan: Plan, told: Particulars, window: PlannedWindow) -> Iterator[str]:
    steps = [step for step in plan.steps if step.window == window.number]
    yield f"## Window {window.number + 1}: {_text(window_title(window))}"
    yield ""
    yield f"Why: {_text(window.reason)}."
    yield ""
    if steps:
        yield from _table(
            ("step", "node", "command", "by", "phones touched", "within"),
            (
                (
                    _code(step.id),
                    _text(step.command.node),
                    _code(str(step.command)),
                    _text(by(plan, step)),
                    _text(told.touched(step)),
                    hours(step.row.within_s),
                )
                for step in steps
            ),
        )
    for together in alike_steps(plan, window):
        yield from _reasons(told, together)
    if steps:
        yield ""
    if barrier := told.barrier(window):
        yield f"**Barrier**: {_text(barrier)}."
        yield ""
    if window.rest and window is not plan.windows[-1]:
        yield f"**Between nights**: {_text(window.rest)}."
        yield ""


def _reasons(told: Particulars, together: tuple[Step, ...]) -> Iterator[str]:
    """What the steps of one command have in common, and whom each touches."""
    row = together[0].row
    on = ", ".join(nodes_of(together))
    yield f"- {_code(what(together))} on {_text(on)}"
    yield from _items(
        [
            f"why: {_text(purpose(row.does))}",
            *(f"phones: {_text(line)}" for line in touched_lines(told, together)),
            *(f"before: {_text(each)}" for each in sorted(each.value for each in row.requires)),
            f"proof: {_text(row.proof.value)}",
            f"source: {_text(row.source)}",
        ]
    )


def _entries(plan: Plan) -> Iterator[str]:
    rows = entries_of(plan)
    if rows:
        yield "## Trust certificates that are deleted"
        yield ""
        yield from _table(
            ("file", "serial", "until", "on"),
            (
                tuple(map(_text, (row.key, row.serial, row.until, ", ".join(row.nodes))))
                for row in rows
            ),
        )


def _phones(plan: Plan, told: Particulars) -> Iterator[str]:
    exposed = told.exposed()
    if not (plan.outlooks or plan.waived or exposed):
        return
    yield "## Phones at risk"
    yield ""
    if plan.waived:
        names = sorted(plan.waived)
        yield f"Waived by name, and left behind if they do not come: {_text(_named(names))}."
        yield ""
    for (reason, outcome, remedy, waived), names in alike_outlooks(plan).items():
        yield f"- {len(names)} phones{' (waived)' if waived else ''}: {_text(reason)}"
        yield from _items(
            [
                f"which: {_text(_named(names))}",
                f"outcome: {_text(outcome)}",
                f"remedy: {_text(remedy)}",
            ]
        )
    for each in exposed:
        yield f"- {len(each.phones)} phones: meanwhile only a remedy would help"
        yield from _items(
            [
                f"which: {_text(_named(each.phones))}",
                f"from {_code(each.first)} until {_code(each.last)} is over",
                f"remedy: {_text(each.remedy)}",
            ]
        )
    if plan.outlooks or exposed:
        yield ""


def _findings(plan: Plan, told: Particulars) -> Iterator[str]:
    yield "## Preflight"
    yield ""
    if plan.preflight is None:
        yield "Nobody looked."
        yield ""
    else:
        yield f"{counts_of(plan.preflight)}."
        yield ""
        rows = told.judged()
        if rows:
            yield from _table(
                ("check", "verdict", "what", "answered by"),
                (
                    (
                        _code(each.finding.check),
                        _text(each.finding.mark),
                        _text(each.finding.detail),
                        _text(each.answer) or "**open**",
                    )
                    for each in rows
                ),
            )
    if plan.said:
        yield "Said before:"
        yield ""
        for said in plan.said:
            yield f"- {_code(said.item)}, by {_text(said.by)}: {_text(said.why)}"
        yield ""


def _policy(plan: Plan, told: Particulars) -> Iterator[str]:
    choices = choices_of(plan)
    others = told.other_policy(frozenset(choice.name for choice in choices)) if plan.steps else ()
    if not (choices or others):
        return
    yield "## Choices in force"
    yield ""
    yield from _table(
        ("choice", "default", "in force", "points", "source"),
        [
            *(
                (
                    _code(choice.name),
                    "**no**" if choice.differs(plan.policy) else "yes",
                    _text(choice.in_force(plan.policy)),
                    _text(", ".join(choice.points)),
                    _text(choice.source),
                )
                for choice in choices
            ),
            *(
                (_code(o.name), "**no**", _text(f"{o.value}; the default is {o.default}"), "", "")
                for o in others
            ),
        ],
    )


def _people(plan: Plan) -> Iterator[str]:
    held = by_hand(plan)
    if held:
        yield "## Held for a person"
        yield ""
        for step in held:
            yield f"- {_code(step.id)}: {_text(step.command)}, until {_text(step.row.proof.value)}"
        yield ""
    if not plan.tasks:
        return
    yield "## Afterwards, for the people of other systems"
    yield ""
    spoken = {said.item: said for said in plan.said}
    for task in plan.tasks:
        yield f"- {_code(task.id)}, {_text(task.partner)}: {_text(task.question)}"
        yield from _items(f"do: {_text(each)}" for each in task.instructions)
        yield from _items([f"source: {_text(task.source)}"])
        if said := spoken.get(task.id):
            yield from _items([f"said by {_text(said.by)}: {_text(said.why)}"])
    yield ""


def _left(plan: Plan) -> Iterator[str]:
    rows = not_asked(plan)
    others = not_done(plan)
    if not (rows or others):
        return
    yield "## What it does not do"
    yield ""
    for other in others:
        yield f"- It does not {_text(other)}."
    if others:
        yield ""
    if rows:
        yield "Certificates that nobody asked for, and that stay as they are:"
        yield ""
        yield from _table(
            ("kind", "nodes", "the first is over"),
            (
                (
                    _text(row.unit),
                    _text(", ".join(row.nodes)),
                    row.first_over.date().isoformat() if row.first_over else "not known",
                )
                for row in rows
            ),
        )


# ── Markdown ──────────────────────────────────────────────────────────────────────────────


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    names = list(head)
    yield f"| {' | '.join(names)} |"
    yield "|" + "---|" * len(names)
    for row in rows:
        cells = (cell.replace("|", r"\|") for cell in row)
        yield f"| {' | '.join(cells)} |"
    yield ""


def _items(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        yield f"  - {text}"


def _named(names: Iterable[str]) -> str:
    every = list(names)
    more = f" and {len(every) - NAMED} more" if len(every) > NAMED else ""
    return f"{', '.join(every[:NAMED])}{more}"


def _plain(text: object) -> str:
    """*text* on one line, without what moves a cursor or turns the direction of writing."""
    return _BLANKS.sub(" ", str(text)).strip()


def _text(text: object) -> str:
    """*text* as it is, whatever is in it: only what stands between two backticks is code."""
    parts = re.split(r"`([^`]+)`", _plain(text))
    return "".join(_code(part) if place % 2 else _escaped(part) for place, part in enumerate(parts))


def _escaped(plain: str) -> str:
    return _MARKS.sub(r"\\\1", plain)


def _code(text: object) -> str:
    """*text* in a code span, also in a cell of a table; where that is not possible, as it is."""
    plain = _plain(text)
    if not plain or ("|" in plain and "\\" in plain):  # viewers read these two differently
        return _escaped(plain)
    longest = max((len(run) for run in re.findall(r"`+", plain)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if longest else ""
    return f"{fence}{pad}{plain}{pad}{fence}"
