"""The values of an exploration: how unkind the world may be, one state, and what was found."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

import attrs

from cucm_certflow.commands import Command, ReplyKind
from cucm_certflow.core.run_state import RunState
from cucm_certflow.lab.physics.world import World
from cucm_certflow.names import CertUnit, Service

__all__ = ["Exploration", "Limits", "Mishap", "Moment", "Trouble", "Violation"]


class Trouble(Enum):
    """What is wrong around the cluster when a story begins, until it ends by itself."""

    REPLICATION_BAD = "database replication is not in state 2"
    BACKUP_RUNS = "a backup runs"


class Mishap(Enum):
    """What may go wrong at any step of a story, as often as its budget of faults allows."""

    CRASH = "our process dies, and another one goes on from the journal"
    LOST_REPLY = "a reply is lost; the command was done, or will be done later"
    REFUSAL = "a node refuses a command; a person looks at it and resumes"
    FAILED_RESTART = "a service does not come up again, until somebody starts it"
    OUTSIDE = "somebody else regenerates a certificate that stands in trust lists"


@attrs.frozen(kw_only=True)
class Limits:
    """How unkind the world may be in one story."""

    faults: int = 2
    """How many mishaps one story has at most, of one kind or of several."""

    mishaps: frozenset[Mishap] = frozenset({Mishap.CRASH, Mishap.LOST_REPLY})
    phones_come_unasked: bool = True
    phones_move: bool = True
    phones_switch_off: bool = True
    boots_take_time: bool = True
    """A phone loads its lists some time before it registers."""

    phones_reset_on_regeneration: bool = False
    """From 14: phones are reset by the cluster when a certificate in their lists changes."""

    phones_fail_over: bool = False
    """Phones register with the next member of their group, without loading any list, when
    CallManager is restarted; they fall back when they like."""

    phones_register_anew: bool = False
    """A registered phone may register again by itself, without loading any list."""

    databases_lag: frozenset[str] = frozenset()
    """The nodes whose own databases get a new certificate some time later, so that until then
    TVS there does not vouch for it."""

    troubles: frozenset[Trouble] = frozenset()
    """What is wrong at the beginning."""


class Moment(NamedTuple):
    """One state of the exploration."""

    world: World
    run: RunState
    booting: frozenset[int]
    loaded: frozenset[int]
    """Phones that have loaded their lists and not registered yet."""

    fresh: frozenset[int]
    """Phones that registered since the last reset command, or change where no row resets."""

    restarted: frozenset[tuple[str, Service]]
    """Restarts that our own session watched to the end."""

    reply: ReplyKind | None
    pending: Command | None
    """A command that will still arrive, though its reply was given up."""

    age: int
    faults: int
    """How many mishaps are still to come, at most."""

    away: frozenset[int] = frozenset()
    """Phones that are with the second member of their group, though the first one runs."""

    troubles: frozenset[Trouble] = frozenset()
    failed: frozenset[tuple[str, Service]] = frozenset()
    """Services that did not come up again after their restart."""

    outside: tuple[tuple[CertUnit, str], ...] = ()
    """What somebody else regenerated, sorted."""


@attrs.frozen
class Violation:
    """Something that must never happen, with the shortest story that leads to it."""

    what: str
    story: tuple[str, ...]
    """One move a line, from the untouched cluster on."""

    def __str__(self) -> str:
        lines = [f"{number:>3}. {line}" for number, line in enumerate(self.story, 1)]
        return "\n".join([self.what, *lines])


@attrs.frozen(kw_only=True)
class Exploration:
    """What was found; its text is one line for each thing that was."""

    states: int
    edges: int
    """Moves from one state to another, each counted once for every way in which it can happen."""

    finished: int
    held: int
    violation: Violation | None
    stuck: int
    """States from which neither the end nor a hold can be reached."""

    held_for_good: int
    """Held states that do not finish once the world is kind: phones return, services are started,
    and people resume what was refused, approve what others did, or plan anew."""

    held_after_waiver: int
    """Of those that wait for phones: held states that do not finish once these are waived."""

    unexplored: int = 0
    """States that were found and not followed: behind them nothing is known."""

    seconds: float = attrs.field(default=0.0, eq=False)
    """How long it took on this machine."""

    @property
    def complete(self) -> bool:
        """Whether every reachable state was followed; a violation ends an exploration early."""
        return self.unexplored == 0

    def __str__(self) -> str:
        lines = [f"{self.states:,} states, {self.edges:,} edges, {self.seconds:.1f} s"]
        lines.append(f"{self.finished:,} finished, {self.held:,} held")
        if self.violation is not None:
            lines.append(str(self.violation))
        elif not self.complete:
            lines.append(f"not complete: {self.unexplored:,} states were found and not followed")
        if self.stuck:
            lines.append(f"{self.stuck:,} states reach neither the end nor a hold")
        if self.held_for_good:
            lines.append(f"{self.held_for_good:,} holds never end, however kind the world is")
        return "\n".join(lines)
