"""A run at one glance, folded from what it tells or from its journal; it knows no terminal.

What it shows grows with nodes and windows, never with phones: batches of resets are one row, and a
long registration curve is thinned.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import reduce
from typing import Final

import attrs

from cucm_certflow.commands import (
    Command,
    Regenerate,
    ResetPhones,
    RestartService,
    StartService,
    StopService,
    UpdateCtl,
)
from cucm_certflow.core.gates import waiting_gates
from cucm_certflow.core.plan import Plan, Step
from cucm_certflow.core.run_state import RunState, apply, begin, folded
from cucm_certflow.core.states import Blocked, CertificateState, CommandState, EntryState
from cucm_certflow.holding import for_a_person
from cucm_certflow.journal import Written
from cucm_certflow.notes import (
    Note,
    PhonesGraded,
    RegistrationsNoted,
    ReplyNoted,
    Stood,
)
from cucm_certflow.observers import (
    Event,
    EvidenceSeen,
    Held,
    Outcome,
    Recorded,
    RegistrationsSeen,
    Replied,
    Waiting,
)
from cucm_certflow.orders import OrderKind

__all__ = [
    "LiveView",
    "NodeLine",
    "Point",
    "StepLine",
    "WindowLine",
    "events_of",
    "resampled",
    "view_at_start",
    "view_of_journal",
    "with_event",
    "with_outcome",
]

_KEPT_POINTS: Final = 960
_KEPT_REPLIES: Final = 5
_UNDER_WAY: Final = (
    CommandState.HELD,
    CommandState.IN_DOUBT,
    CommandState.SENT,
    CommandState.INTENDED,
)
"""From the most remarkable on: a row with steps in several states is marked by the first."""


@attrs.frozen
class Point:
    """A look at all registrations: how many phones were registered, in all and by node."""

    at: datetime
    registered: int
    by_node: Mapping[str, int]


@attrs.frozen(kw_only=True)
class WindowLine:
    """A convergence window: its kinds, in words how far it is, and its steps.

    ``mark`` is None if some of it is done and nothing of it is under way.
    """

    number: int
    title: str
    word: str
    mark: CommandState | None
    proved: int
    steps: int


@attrs.frozen(kw_only=True)
class StepLine:
    """One row of a procedure on all nodes, or all batches of a reset.

    ``busy`` says which nodes are at it, and how: ``sub1 sent``. ``mark`` is None if some of it is
    done and nothing of it is under way.
    """

    title: str
    mark: CommandState | None
    proved: int
    steps: int
    unit: str
    busy: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class NodeLine:
    """One node: its steps, what it is at, its services, its phones.

    Attributes:
        name: As in the inventory.
        strip: The state of each of its steps in the present window, resets left out, in order.
        proved: Of all its steps in the plan, resets left out.
        steps: All its steps in the plan, resets left out.
        now: What it is at; empty if nothing.
        mark: The state of that, or of all its steps; None if some of them are done.
        restarting: Services that were told to restart, stop or start, and were not seen to yet.
        settled: Services of which that was seen.
        services: How many the plan restarts, stops or starts on it.
        registered: Phones registered with it at the last look; None before the first.
        at_start: Phones that were registered with it when the plan was made.
        grades: Phones registered with it, by evidence.
    """

    name: str
    strip: tuple[CommandState, ...]
    proved: int
    steps: int
    now: str
    mark: CommandState | None
    restarting: int
    settled: int
    services: int
    registered: int | None
    at_start: int
    grades: Mapping[str, int]


@attrs.frozen(kw_only=True, eq=False)
class LiveView:
    """Everything that a display of a run shows, at one moment. Immutable, so threads may share it.

    Attributes:
        plan: What is carried out.
        state: How far it is.
        journal: The path of the journal, as a person would type it.
        begun: When the run began; None before its first record.
        curve: Looks at all registrations, oldest first; thinned when they are many.
        evidence: The phones' grades at the last look that changed them.
        waiting: Why nothing moves; None while something does, or where only a journal is read.
        replies: The newest replies of nodes.
        driver: Who drives it, in words; empty if nobody does, None if this process does.
        reasons: Why its last driver stood still, if nobody drives it.
    """

    plan: Plan
    state: RunState
    journal: str
    begun: datetime | None = None
    curve: tuple[Point, ...] = ()
    evidence: EvidenceSeen | None = None
    waiting: Waiting | None = None
    replies: tuple[Replied, ...] = ()
    driver: str | None = None
    reasons: tuple[Blocked, ...] = ()

    # ── windows and steps ─────────────────────────────────────────────────────────────────

    @property
    def proved(self) -> int:
        """Steps that were proved, of ``len(plan.steps)``."""
        return sum(each.state is CommandState.PROVED for each in self.state.steps)

    @property
    def present(self) -> int:
        """The window that the run is in, from 0; the last one when all is done."""
        numbers = self._windows()
        return next((n for n in numbers if not self._is_over(n)), numbers[-1] if numbers else 0)

    def windows(self) -> tuple[WindowLine, ...]:
        """Every window, in order."""
        return tuple(map(self._window, self._windows()))

    def steps(self, window: int) -> tuple[StepLine, ...]:
        """The rows of *window*, in order."""
        rows: dict[tuple[object, ...], list[Step]] = {}
        for step in self.plan.steps:
            if step.window == window:
                rows.setdefault(_row_of(step), []).append(step)
        return tuple(map(self._steps, rows.values()))

    def _windows(self) -> tuple[int, ...]:
        return tuple(sorted({step.window for step in self.plan.steps}))

    def _is_over(self, number: int) -> bool:
        lives = self._lives(number)
        proved = all(
            self.state.steps[step.index].state is CommandState.PROVED
            for step in self.plan.steps
            if step.window == number
        )
        return proved and all(life is CertificateState.VERIFIED for life in lives)

    def _lives(self, number: int) -> list[CertificateState]:
        return [
            life.state
            for key, life in zip(self.plan.certificates, self.state.certificates, strict=True)
            if self.plan.window_of[key] == number
        ]

    def _window(self, number: int) -> WindowLine:
        steps = [step for step in self.plan.steps if step.window == number]
        states = [self.state.steps[step.index].state for step in steps]
        begun = any(state is not CommandState.PLANNED for state in states)
        mark = CommandState.PROVED if self._is_over(number) else _mark(states)
        if mark is CommandState.PROVED and not self._is_over(number):
            mark = None  # every command is proved, and its phones are waited for
        units = self.plan.windows[number].units if number < len(self.plan.windows) else ()
        order = list(CertificateState)
        lives = self._lives(number)
        word = min(lives, key=order.index).value if lives else ""
        if not lives and self.plan.entries:
            word = min((e.state for e in self.state.entries), key=list(EntryState).index).value
        return WindowLine(
            number=number + 1,
            title=", ".join(units) or "trust stores",
            word=word if begun else "planned",
            mark=mark,
            proved=sum(state is CommandState.PROVED for state in states),
            steps=len(steps),
        )

    def _steps(self, steps: Sequence[Step]) -> StepLine:
        states = [self.state.steps[step.index].state for step in steps]
        command = steps[0].command
        resets = isinstance(command, ResetPhones)
        busy: dict[str, None] = {}
        for step, state in zip(steps, states, strict=True):
            if state in _UNDER_WAY:
                where = step.id.rpartition("#")[2] if resets else step.command.node
                busy[f"{'batch ' if resets else ''}{where} {state.value}"] = None
        return StepLine(
            title=_title(command),
            mark=_mark(states),
            proved=sum(state is CommandState.PROVED for state in states),
            steps=len(steps),
            unit="batches" if resets else "nodes",
            busy=tuple(busy),
        )

    # ── nodes ─────────────────────────────────────────────────────────────────────────────

    def nodes(self) -> tuple[NodeLine, ...]:
        """Every node of the cluster, in the inventory's order."""
        at_start = Counter(
            seen.node for seen in self.plan.facts.registrations.values() if seen.registered
        )
        now = self.curve[-1].by_node if self.curve else None
        grades = self.evidence.by_node if self.evidence is not None else {}
        by_node: dict[str, list[Step]] = {node.name: [] for node in self.plan.facts.nodes}
        for step in self.plan.steps:
            by_node.setdefault(step.command.node, []).append(step)
        for name in now or ():
            by_node.setdefault(name, [])
        present = self.present
        return tuple(
            self._node(
                name,
                steps,
                present,
                registered=None if now is None else now.get(name, 0),
                at_start=at_start[name],
                grades=grades.get(name, {}),
            )
            for name, steps in by_node.items()
        )

    def _node(
        self,
        name: str,
        steps: Sequence[Step],
        present: int,
        *,
        registered: int | None,
        at_start: int,
        grades: Mapping[str, int],
    ) -> NodeLine:
        def state(step: Step) -> CommandState:
            return self.state.steps[step.index].state

        own = [step for step in steps if not isinstance(step.command, ResetPhones)]
        services = [step for step in own if isinstance(step.command, _OF_SERVICES)]
        busy = [step for step in steps if state(step) in _UNDER_WAY]
        first = min(busy, key=lambda step: _UNDER_WAY.index(state(step)), default=None)
        return NodeLine(
            name=name,
            strip=tuple(state(step) for step in own if step.window == present),
            proved=sum(state(step) is CommandState.PROVED for step in own),
            steps=len(own),
            now=_title(first.command) if first else "",
            mark=_mark([state(step) for step in steps] or [CommandState.PLANNED]),
            restarting=sum(state(step) in _UNDER_WAY for step in services),
            settled=sum(state(step) is CommandState.PROVED for step in services),
            services=len(services),
            registered=registered,
            at_start=at_start,
            grades=grades,
        )

    # ── phones ────────────────────────────────────────────────────────────────────────────

    @property
    def phones(self) -> int:
        """How many phones the plan knows."""
        return len(self.plan.facts.phones)

    def grades(self) -> Mapping[str, int]:
        """How many phones have which evidence, the best grade first; empty before a look."""
        return {} if self.evidence is None else self.evidence.total

    # ── what it waits for ─────────────────────────────────────────────────────────────────

    def waits(self) -> tuple[str, ...]:
        """What the run waits for and until when, in words, what a person must do first."""
        said: list[str] = []
        if not self.state.ended:
            said += [
                f"`certflow approve {gate.item}`: {gate.question}"
                for gate in waiting_gates(self.plan, self.state)
            ]
            if self.state.wish is not OrderKind.RESUME:
                said.append(f"a safe point: a person asked to {self.state.wish.value}")
        said += [_first_line(reason) for reason in self.reasons]
        if self.waiting is not None:
            said += _reasons(self.waiting)
        if self.driver != "":
            said += self._under_way()
        if self.driver != "" and (limit := self._limit()):
            said.append(f"phones are waited for until {limit:%H:%M:%S}; then the run holds")
        return tuple(dict.fromkeys(said))

    def _under_way(self) -> list[str]:
        """The proof of what was sent, and how long it may take."""
        said: list[str] = []
        for step in self.plan.steps:
            progress = self.state.steps[step.index]
            if progress.state in _UNDER_WAY and progress.since is not None:
                until = progress.since + timedelta(seconds=step.row.within_s)
                what = f"{_title(step.command)} on {step.command.node}"
                if progress.state is CommandState.HELD:
                    said.append(f"a person: {what} is held")
                else:
                    said.append(f"{what}: {progress.state.value}, until {until:%H:%M:%S}")
        return said

    def _limit(self) -> datetime | None:
        """When the barrier that is waited at holds the run."""
        called = [
            life.since
            for life in self.state.certificates
            if life.state is CertificateState.CALLED and life.since is not None
        ]
        within = timedelta(seconds=self.plan.policy.barrier_within_s)
        return max(called) + within if called else None


_OF_SERVICES: Final = (RestartService, StopService, StartService)


def _row_of(step: Step) -> tuple[object, ...]:
    """What steps of one line have in common: the row, and what it does, wherever it does it."""
    return step.row.wave, step.row.name, _title(step.command)


def _title(command: Command) -> str:
    match command:
        case Regenerate():
            return f"regenerate {command.unit}"
        case UpdateCtl():
            return "update the CTL"
        case RestartService():
            return f"restart {command.service}"
        case StopService():
            return f"stop {command.service}"
        case StartService():
            return f"start {command.service}"
        case ResetPhones():
            return "reset phones"
        case _:
            return str(command)


def _mark(states: Sequence[CommandState]) -> CommandState | None:
    """One state for several: the most remarkable under way, what all have, or None for parts."""
    for state in _UNDER_WAY:
        if state in states:
            return state
    return states[0] if len(set(states)) == 1 else None


def _first_line(reason: Blocked) -> str:
    where = f"{reason.subject}: " if reason.subject else ""
    return f"a person: {reason.guard}: {where}{reason.detail}"


def _reasons(waiting: Waiting) -> list[str]:
    """The roots among the reasons, each once, with its subject if it is the only one."""
    alike = Counter((reason.guard, reason.detail) for reason in waiting.blocked)
    looks = f"; next look {waiting.until:%H:%M:%S}" if waiting.until is not None else ""
    said: dict[tuple[str, str], str] = {}
    for reason in for_a_person(waiting.blocked):
        key = reason.guard, reason.detail
        subject = f"{reason.subject}: " if alike[key] == 1 and reason.subject else ""
        said.setdefault(key, f"{reason.guard}: {subject}{reason.detail}{looks}")
    return list(said.values())


# ── folding ───────────────────────────────────────────────────────────────────────────────


def view_at_start(plan: Plan, *, journal: str) -> LiveView:
    """Before the first event of a run of *plan*, whose journal is called *journal*."""
    return LiveView(plan=plan, state=begin(plan), journal=journal)


def with_event(view: LiveView, event: Event) -> LiveView:
    """*view* after *event*. Pure, and as quick as the event is small."""
    match event:
        case Recorded():
            state = apply(view.plan, view.state, event.record)
            return attrs.evolve(
                view, state=state, waiting=None, begun=view.begun or event.at, reasons=()
            )
        case Replied():
            return attrs.evolve(view, replies=(*view.replies, event)[-_KEPT_REPLIES:])
        case RegistrationsSeen():
            point = Point(event.at, event.registered, event.by_node)
            return attrs.evolve(view, curve=_thinned((*view.curve, point)))
        case EvidenceSeen():
            return attrs.evolve(view, evidence=event)
        case Waiting():
            return attrs.evolve(view, waiting=event)


def with_outcome(view: LiveView, outcome: Outcome) -> LiveView:
    """*view* after the run has ended so: nobody drives it any more."""
    reasons = outcome.blocked if isinstance(outcome, Held) else ()
    return attrs.evolve(view, waiting=None, driver="", reasons=reasons)


def view_of_journal(written: Written, *, journal: str, driver: str | None) -> LiveView:
    """As it stands in a journal; *driver* says who drives it, empty for nobody, None for us.

    A journal tells of no waiting: what is under way stands in its place, with its limit.
    """
    state = folded(written.plan, written.records)
    view = LiveView(
        plan=written.plan,
        state=state,
        journal=journal,
        begun=written.begun,
        driver=driver,
        reasons=_stood_for(written, state) if driver == "" else (),
    )
    return reduce(with_event, events_of(written.notes), view)


def events_of(notes: Iterable[Note]) -> Iterator[Event]:
    """The events that *notes* keep, in their order; some notes are of none."""
    for note in notes:
        match note:
            case RegistrationsNoted():
                yield RegistrationsSeen(
                    at=note.at,
                    registered=note.registered,
                    total=note.total,
                    by_node=note.by_node,
                    unasked=note.unasked,
                )
            case PhonesGraded():
                yield EvidenceSeen(at=note.at, by_node=note.by_node)
            case ReplyNoted():
                yield Replied(at=note.at, step=note.step, kind=note.reply, text=note.text)
            case _:
                pass


def _stood_for(written: Written, state: RunState) -> tuple[Blocked, ...]:
    """Why its last driver left it, if nothing was recorded since."""
    stood = next((note for note in reversed(written.notes) if isinstance(note, Stood)), None)
    since = state.latest or written.begun
    return stood.reasons if stood is not None and stood.at >= since and not state.ended else ()


def _thinned(points: Iterable[Point]) -> tuple[Point, ...]:
    """At most so many points as are worth keeping; of two the lower stays, so that dips do."""
    kept = tuple(points)
    while len(kept) > _KEPT_POINTS:
        first, last, middle = kept[0], kept[-1], kept[1:-1]
        pairs = (middle[at : at + 2] for at in range(0, len(middle), 2))
        kept = (first, *(min(pair, key=lambda each: each.registered) for pair in pairs), last)
    return kept


def resampled(
    points: Sequence[Point], count: Callable[[Point], int], *, until: datetime, columns: int
) -> list[int]:
    """*points* as so many values, evenly over the time from the first to *until*.

    What was seen stays so until the next look. The value of a column is the lowest in its time, so
    that no dip is lost between two columns; that of the last column is the newest.

    Args:
        points: Oldest first.
        count: What of a point is shown.
        until: The right edge.
        columns: How many values, 1 or more.

    Returns:
        The values; none if there are no points.
    """
    if not points:
        return []
    first = points[0].at
    span_s = max(0.0, (until - first).total_seconds())
    values: list[int] = []
    last = count(points[0])
    position = 0
    for column in range(1, columns + 1):
        edge = first + timedelta(seconds=span_s * column / columns)
        lowest = last
        while position < len(points) and points[position].at <= edge:
            last = count(points[position])
            lowest = min(lowest, last)
            position += 1
        values.append(lowest)
    values[-1] = count(points[-1])
    return values
