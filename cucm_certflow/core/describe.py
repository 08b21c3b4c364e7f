"""A plan in words: windows, steps, sources, and the phones that will not simply come back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from cucm_certflow.commands import ByHand, ResetPhones
from cucm_certflow.core.not_done import not_asked, not_done
from cucm_certflow.core.particulars import Particulars, Touched
from cucm_certflow.core.plan import Plan, PlannedWindow, Step, TrustKey
from cucm_certflow.core.routing import WAYS, WITHOUT, route_of
from cucm_certflow.facts import (
    CertificateOf,
    InterfaceState,
    PresentedCertificate,
    RegistrationCounts,
    Registrations,
    ServedList,
    ServiceOn,
)
from cucm_certflow.findings import CheckReport, Verdict
from cucm_certflow.names import Interface
from cucm_certflow.procedures.choices import Choice, choices_for
from cucm_certflow.procedures.explain import purpose

__all__ = [
    "NAMED",
    "DeletedEntry",
    "alike_outlooks",
    "alike_steps",
    "by",
    "by_hand",
    "choices_of",
    "counts_of",
    "describe_plan",
    "entries_of",
    "hours",
    "nodes_of",
    "time_of",
    "touched_lines",
    "ways_of",
    "what",
    "window_title",
]

NAMED: Final = 50
"""So many phones are named where they are told of; of others it is said how many."""

_KINDS: Final = 4


def describe_plan(plan: Plan) -> str:
    """The whole plan, for a person who has to approve it.

    What a terminal would obey and not show (a name may have any character) stands as U+FFFD.
    """
    facts = plan.facts
    mode = facts.mode.name.lower().replace("_", "-")
    told = Particulars(plan)
    lines = [
        f"release {facts.release}, {mode} mode",
        f"{len(facts.nodes)} nodes, {len(facts.phones)} phones",
        f"seen at {facts.at.isoformat(timespec='seconds')}",
        f"fingerprint {plan.fingerprint}",
    ]
    for window in plan.windows:
        lines.append("")
        lines.append(f"window {window.number + 1}: {window_title(window)}")
        lines.append(f"  why    {window.reason}")
        lines.append(f"  time   {time_of(told, window)}")
        for together in alike_steps(plan, window):
            lines += _steps(plan, told, together)
        if barrier := told.barrier(window):
            lines.append(f"  barrier: {barrier}")
        if window.rest and window is not plan.windows[-1]:
            lines.append(f"  between nights: {window.rest}")
    lines += _entries(plan)
    lines += _choices(plan, told)
    lines += _other_people(plan, told)
    lines += _ways(plan)
    lines += _phones(plan, told)
    lines += _not_done(plan)
    if plan.refusals:
        lines += ["", "REFUSED, nothing was sent:"]
        lines += [f"  {refusal}" for refusal in plan.refusals]
    return "\n".join(map(_printable, lines))


def _printable(text: str) -> str:
    # Refusals have several lines.
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


def window_title(window: PlannedWindow) -> str:
    """What changes in *window*."""
    return ", ".join(window.units) or "trust certificates"


def time_of(told: Particulars, window: PlannedWindow) -> str:
    """How long *window* lasts at most, in words."""
    at_most = hours(told.at_most_s(window))
    return f"at most {at_most} until it is over or holds; what people take is not in it"


def hours(seconds: float) -> str:
    """*seconds* as hours, minutes and seconds, as a clock shows them."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def alike_steps(plan: Plan, window: PlannedWindow) -> tuple[tuple[Step, ...], ...]:
    """The steps of *window*, in the order of the first of each.

    Together are those that differ by node alone, and the batches of resets of one wave.
    """
    found: dict[object, list[Step]] = {}
    for step in plan.steps:
        if step.window == window.number:
            row = step.row
            resets = isinstance(step.command, ResetPhones)
            command = step.canary if resets else str(step.command)
            ways = ways_of(plan, step)
            key = (row.name, row.wave, command, row.requires, ways, row.proof, row.source)
            found.setdefault(key, []).append(step)
    return tuple(map(tuple, found.values()))


def _steps(plan: Plan, told: Particulars, together: tuple[Step, ...]) -> list[str]:
    first = together[0]
    row = first.row
    return [
        f"  {what(together)}",
        f"    on     {', '.join(nodes_of(together))}",
        f"    by     {by(plan, first)}",
        f"    why    {purpose(row.does)}",
        *(f"    phones {line}" for line in touched_lines(told, together)),
        *(f"    before {each}" for each in sorted(each.value for each in row.requires)),
        f"    proof  {row.proof.value}",
        f"    within {hours(row.within_s)}{' each' if len(together) > 1 else ''}, or it holds",
        f"    source {row.source}",
    ]


def nodes_of(together: Iterable[Step]) -> tuple[str, ...]:
    """The nodes of steps, once each."""
    return tuple(dict.fromkeys(step.command.node for step in together))


def touched_lines(told: Particulars, together: Sequence[Step]) -> list[str]:
    """The phones that steps touch, a line for each kind; none if they touch none."""
    if isinstance(together[0].command, ResetPhones):
        return _kinds_of(told.called(together))
    lines: list[str] = []
    for step in together:
        touched = told.touched(step)
        if touched.count:
            lines.append(f"on {step.command.node}: {touched}")
            lines += _kinds_of(touched)
    return lines


def _kinds_of(touched: Touched) -> list[str]:
    """The kinds of phones of a step, a line each; beyond some, how many more."""
    lines = [str(kind) for kind in touched.kinds[:_KINDS]]
    if rest := touched.kinds[_KINDS:]:
        lines.append(f"{sum(kind.count for kind in rest)} of {len(rest)} more kinds")
    return lines


def _phones(plan: Plan, told: Particulars) -> list[str]:
    """Who will not simply come back, who is waived, and who is exposed meanwhile."""
    lines: list[str] = []
    if plan.waived:
        lines += ["", f"waived by name, and left behind if they do not come: {len(plan.waived)}"]
        lines += _names(sorted(plan.waived), "  ")
    if plan.outlooks:
        lines += ["", "phones that will not simply come back:"]
        for (reason, outcome, remedy, waived), names in alike_outlooks(plan).items():
            lines.append(f"  {len(names)} phones{' (waived)' if waived else ''}: {reason}")
            lines += _names(names, "    ")
            lines.append(f"    outcome  {outcome}")
            lines.append(f"    remedy   {remedy}")
    if exposed := told.exposed():
        lines += ["", "meanwhile only a remedy would help:"]
        for each in exposed:
            lines.append(
                f"  {len(each.phones)} phones, from {each.first} until {each.last} is over"
            )
            lines += _names(each.phones, "    ")
            lines.append(f"    remedy   {each.remedy}")
    return lines


def alike_outlooks(plan: Plan) -> dict[tuple[str, str, str, bool], list[str]]:
    """Phones that will not simply come back, by reason, outcome, remedy and whether waived."""
    alike: dict[tuple[str, str, str, bool], list[str]] = {}
    for outlook in plan.outlooks:
        waived = outlook.name in plan.waived
        key = (outlook.reason, outlook.outcome, outlook.remedy, waived)
        alike.setdefault(key, []).append(outlook.name)
    return alike


def _names(names: Sequence[str], indent: str) -> list[str]:
    lines = [
        f"{indent}{'  '.join(names[start : start + 5])}"
        for start in range(0, min(len(names), NAMED), 5)
    ]
    if len(names) > NAMED:
        lines.append(f"{indent}and {len(names) - NAMED} more")
    return lines


def _not_done(plan: Plan) -> list[str]:
    lines: list[str] = []
    if rows := not_asked(plan):
        lines += ["", "certificates that nobody asked for, and that stay as they are:"]
        lines += [f"  {row}" for row in rows]
    if others := not_done(plan):
        lines += ["", "it does not:"]
        lines += [f"  {each}" for each in others]
    return lines


class DeletedEntry(NamedTuple):
    """A trust certificate that is deleted, and the nodes that have it."""

    key: TrustKey
    serial: str
    until: str
    nodes: tuple[str, ...]


def entries_of(plan: Plan) -> tuple[DeletedEntry, ...]:
    """The trust certificates that are deleted, as far as a node still has them."""
    rows: list[DeletedEntry] = []
    for key in plan.entries:
        found = {
            node: entry.certificate
            for node, held in plan.stores.items()
            for entry in held
            if (entry.store, entry.certificate.fingerprint) == (key.store, key.fingerprint)
        }
        for certificate in list(found.values())[:1]:
            until = certificate.not_after.date().isoformat() if certificate.not_after else "?"
            rows.append(DeletedEntry(key, certificate.serial, until, tuple(found)))
    return tuple(rows)


def _entries(plan: Plan) -> list[str]:
    lines: list[str] = []
    for row in entries_of(plan):
        lines.append(f"  {row.key}, serial {row.serial}, until {row.until}")
        lines.append(f"    on     {', '.join(row.nodes)}")
    return ["", "trust certificates that are deleted:", *lines] if lines else []


def choices_of(plan: Plan) -> tuple[Choice, ...]:
    """The choices that make a difference to the plan: those that are not the default first."""
    units = [unit for window in plan.windows for unit in window.units]
    chosen = choices_for(units, plan.facts.release, plan.facts.mode) if plan.steps else ()
    return tuple(sorted(chosen, key=lambda choice: not choice.differs(plan.policy)))


def _choices(plan: Plan, told: Particulars) -> list[str]:
    """What was chosen where sources disagree or are silent, a line each; and what else was."""
    lines = [
        f"  {choice.name}: {choice.in_force(plan.policy)} ({', '.join(choice.points)})"
        for choice in choices_of(plan)
    ]
    named = frozenset(choice.name for choice in choices_of(plan))
    others = [f"  {each}" for each in told.other_policy(named)] if plan.steps else []
    return [
        *(["", "choices:", *lines] if lines else []),
        *(["", "not as usual:", *others] if others else []),
    ]


def by_hand(plan: Plan) -> tuple[Step, ...]:
    """The steps that only a person can do: the run holds at each until it is seen."""
    return tuple(step for step in plan.steps if isinstance(step.command, ByHand))


def _other_people(plan: Plan, told: Particulars) -> list[str]:
    """What only people can do, or have said."""
    lines: list[str] = []
    held = by_hand(plan)
    if held:
        lines += ["", "held for a person:"]
        lines += [f"  {step.id}: {step.command}, until {step.row.proof.value}" for step in held]
    if plan.tasks:
        lines += ["", "afterwards, for the people of other systems:"]
    for task in plan.tasks:
        lines.append(f"  {task.id}, {task.partner}: {task.question}")
        lines += [f"    do     {text}" for text in task.instructions]
        lines.append(f"    source {task.source}")
    if plan.preflight is None and plan.steps:
        lines += ["", "preflight: nobody looked"]
    elif plan.preflight is not None:
        lines += ["", f"preflight: {counts_of(plan.preflight)}"]
        lines += [f"  {each}" for each in told.judged()]
    if plan.said:
        lines += ["", "said:"]
        lines += [f"  {word.item}, by {word.by}: {word.why}" for word in plan.said]
    return lines


def counts_of(report: CheckReport) -> str:
    """How many checks passed, found something, and are unknown."""
    verdicts = [finding.verdict for finding in report.findings]
    return ", ".join(f"{verdicts.count(each)} {each.value}" for each in Verdict)


def by(plan: Plan, step: Step) -> str:
    """The interfaces that *step* may go over, in words."""
    if isinstance(step.command, ByHand):
        return "a person"
    return ", else ".join(ways_of(plan, step)) or "no way"


def what(together: Sequence[Step]) -> str:
    """The command of steps as CUCM sees it; of resets also how many phones, and which is first."""
    first = together[0]
    if not isinstance(first.command, ResetPhones):
        return str(first.command)
    names = [name for step in together for name in getattr(step.command, "names", ())]
    if not names:
        return str(first.command)
    canaries = " first, as canaries" if first.canary else ""
    most = max(len(getattr(step.command, "names", ())) for step in together)
    batches = f" in {len(together)} batches of at most {most}" if len(together) > 1 else ""
    return f"doDeviceReset, {len(names)} phones{canaries}{batches}, {names[0]} …"


def ways_of(plan: Plan, step: Step) -> tuple[Interface, ...]:
    """The interfaces that the step's command may go over, in order; none if none can be used."""
    facts = plan.facts
    ways, _ = route_of(step.command, step.command.node, facts.release, facts.interfaces)
    return tuple(way.interface for way in ways)


_ASKED: Final = (
    CertificateOf,
    ServiceOn,
    ServedList,
    PresentedCertificate,
    Registrations,
    RegistrationCounts,
)
"""What a run asks while it goes."""


def _can_be_asked(interface: Interface, states: Iterable[InterfaceState]) -> bool:
    """Whether *interface* can be used on one node at least, or nobody has tried."""
    tried = [state.usable for state in states if state.interface is interface]
    return not tried or any(usable is not False for usable in tried)


def _ways(plan: Plan) -> list[str]:
    """Which way each kind of question takes; and what cannot be used, why, and what that costs."""
    facts = plan.facts
    if not plan.steps or not facts.interfaces:
        return []
    lines = ["", "ways:"]
    for kind in _ASKED:
        ways = [w.interface for w in WAYS[kind] if w.since <= facts.release.short]
        usable = [way for way in ways if _can_be_asked(way, facts.interfaces)]
        lines.append(f"  {kind.__name__:<22} {', else '.join(usable) or 'no way'}")
    for state in facts.interfaces:
        if state.usable is False:
            why = f"lacks the role {state.role}" if state.role else state.reason
            lines.append(f"  {state.interface} on {state.node} cannot be used: {why}")
            lines.append(f"    without  {WITHOUT[state.interface]}")
    return lines
