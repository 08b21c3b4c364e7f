"""The tables of states, as enumerations and edges: commands, certificates, trust entries.

The third is for trust clean-up alone: what is deleted has no phones to wait for, and has to be
watched for coming back.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import Enum
from typing import Generic, TypeVar

import attrs

from cucm_certflow.procedures.vocabulary import Source

__all__ = [
    "Blocked",
    "CertificateState",
    "CommandState",
    "Edge",
    "EntryState",
    "Guard",
    "Table",
]


class CommandState(Enum):
    """Where one changing command stands: the only crash semantics there is."""

    PLANNED = "planned"
    """Not written, not sent."""

    INTENDED = "intended"
    """Written to the journal; it may or may not have left us."""

    SENT = "sent"
    """The node answered that it did it. Not believed yet."""

    IN_DOUBT = "in doubt"
    """No answer that we know: it may have been done, or be done yet."""

    PROVED = "proved"
    """Its effect was observed."""

    HELD = "held"
    """Not proved within its budget, or refused by the node: a person decides."""


class CertificateState(Enum):
    """The guarded life of one unit on one node."""

    PLANNED = "planned"
    REGENERATING = "regenerating"
    REGENERATED = "regenerated"
    """The node shows the new certificate."""

    LISTED = "listed"
    """In mixed mode: every TFTP node serves a CTL with it. Otherwise nothing was to be done."""

    ACTIVATED = "activated"
    """Every service that uses it was restarted, on every node."""

    CALLED = "called"
    """The phones were reset."""

    CONVERGED = "converged"
    """Every phone in scope is back, by the evidence that the policy asks for."""

    VERIFIED = "verified"
    """Looked at once more, after the last step of its window."""


class EntryState(Enum):
    """The guarded life of one certificate in trust stores, from planned to gone for good."""

    PLANNED = "planned"
    DELETED = "deleted"
    """No node has it any more."""

    SETTLED = "settled"
    """The services that depend on the store were restarted, and those that were stopped run."""

    GONE = "gone"
    """It did not come back while it was watched."""


@attrs.frozen(kw_only=True)
class Blocked:
    """Why something may not happen now.

    Attributes:
        guard: The identifier of the guard; part of the public interface.
        detail: What stands in the way, in words.
        evidence: What was observed, a line each.
        unlock: What would let it through.
        source: The document behind the rule.
        retry_at: When it is worth looking again by itself; None if only a person or another
            step can change it.
        subject: The step or certificate that is blocked.
        phones: Every phone that stands in the way, by name; *evidence* may name only the first.
        items: What a person may approve to let it pass; empty if no word of a person does.
    """

    guard: str
    detail: str
    evidence: tuple[str, ...] = ()
    unlock: str = ""
    source: str = ""
    retry_at: datetime | None = None
    subject: str = ""
    phones: tuple[str, ...] = ()
    items: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f"{self.guard}: {self.subject + ': ' if self.subject else ''}{self.detail}"]
        lines += [f"    saw     {line}" for line in self.evidence]
        if self.unlock:
            lines.append(f"    unlock  {self.unlock}")
        lines += [f"    approve {item}" for item in self.items]
        if self.source:
            lines.append(f"    source  {self.source}")
        return "\n".join(lines)


ViewT = TypeVar("ViewT")
StateT = TypeVar("StateT", bound=Enum)


@attrs.frozen(eq=False)
class Guard(Generic[ViewT]):
    """A rule that can say no. ``check`` returns None for yes; raising is a bug and stops a run."""

    name: str
    rule: str
    check: Callable[[ViewT], Blocked | None]
    source: Source = Source("DESIGN", "§2")


@attrs.frozen(eq=False)
class Edge(Generic[ViewT, StateT]):
    """One transition. *emits* says that firing it sends the step's command."""

    name: str
    trigger: str
    source: StateT
    dest: StateT
    guards: tuple[Guard[ViewT], ...] = ()
    emits: bool = False


@attrs.frozen(eq=False)
class Table(Generic[ViewT, StateT]):
    """Edges over an enumeration; the order of edges from one state is the order of trying."""

    name: str
    states: type[StateT]
    initial: StateT
    final: frozenset[StateT]
    edges: tuple[Edge[ViewT, StateT], ...]

    def from_(self, state: StateT, trigger: str) -> tuple[Edge[ViewT, StateT], ...]:
        """The edges that *trigger* tries in *state*, in order."""
        return tuple(e for e in self.edges if e.source is state and e.trigger == trigger)

    @property
    def triggers(self) -> tuple[str, ...]:
        """Every trigger, once, in order of appearance."""
        return tuple(dict.fromkeys(edge.trigger for edge in self.edges))

    def without(self, *guards: str) -> Table[ViewT, StateT]:
        """The same table with the named guards taken out: a mutant, for proofs."""
        return attrs.evolve(
            self,
            edges=tuple(
                attrs.evolve(e, guards=tuple(g for g in e.guards if g.name not in guards))
                for e in self.edges
            ),
        )

    def lint(self) -> tuple[str, ...]:
        """What is wrong with the table: unreachable, trap, shadowed, final with an exit."""
        faults: list[str] = []
        reached = {self.initial}
        grown = True
        while grown:
            grown = False
            for edge in self.edges:
                if edge.source in reached and edge.dest not in reached:
                    reached.add(edge.dest)
                    grown = True
        for state in self.states:
            leaving = [e for e in self.edges if e.source is state]
            if state not in reached:
                faults.append(f"{state.name} is unreachable")
            if state in self.final and leaving:
                faults.append(f"{state.name} is final and has an exit")
            if state not in self.final and not leaving:
                faults.append(f"{state.name} is a trap")
            for trigger in self.triggers:
                tried = self.from_(state, trigger)
                for position, edge in enumerate(tried):
                    if not edge.guards and position + 1 < len(tried):
                        faults.append(f"{tried[position + 1].name} is shadowed by {edge.name}")
        names = [edge.name for edge in self.edges]
        faults += [f"{name} is there twice" for name in sorted(set(names)) if names.count(name) > 1]
        return tuple(faults)
