"""Tells a procedure in words: who is affected, every step with its reason, and what was chosen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import attrs

from cucm_certflow.commands import Regenerate, ResetLocalkey, RestartService, UpdateCtl
from cucm_certflow.commands import StartService as Start
from cucm_certflow.commands import StopService as Stop
from cucm_certflow.names import CertUnit, Release, SecurityMode
from cucm_certflow.procedures import PROCEDURES, procedure_for
from cucm_certflow.procedures.choices import Choice, choices_for
from cucm_certflow.procedures.partners import PartnerTask, tasks_for
from cucm_certflow.procedures.policies import Policy, restarts_callmanager
from cucm_certflow.procedures.releases import EXISTS, WHERE, known_release
from cucm_certflow.procedures.vocabulary import (
    Condition,
    CtlUpdate,
    DeleteEntry,
    DoneByHand,
    Exposure,
    LocalkeyReset,
    PhoneReset,
    Procedure,
    RegenerateUnit,
    RestartOf,
    Row,
    RowAction,
    Situation,
    StartOf,
    StopOf,
)

__all__ = ["Explanation", "doing", "explain", "explanation_of", "purpose"]

_TOKENLESS_FROM: Final = (10, 0)
"""``utils ctl`` exists from 10.0 on; before, in mixed mode, a USB token signs the CTL."""


def doing(action: RowAction) -> tuple[str, str]:
    """What a row does, as the node or a person hears it, and where."""
    match action:
        case RegenerateUnit(unit):
            return str(Regenerate("", unit)), "each node that has the unit"
        case CtlUpdate():
            return str(UpdateCtl("")), "the publisher"
        case LocalkeyReset(kind):
            return str(ResetLocalkey("", kind)), "the publisher"
        case RestartOf(service):
            return str(RestartService("", service)), "each node where it is activated"
        case StopOf(service):
            return str(Stop("", service)), "each node where it runs"
        case StartOf(service):
            return str(Start("", service)), "each node on which it was stopped"
        case PhoneReset():
            return "doDeviceReset", "the phones in scope, by name, in batches"
        case DoneByHand(what):
            return f"by hand: {what}", "where the CTL client is; the run holds until it is seen"
        case DeleteEntry():
            return "set cert delete", "each node that has it"


def purpose(action: RowAction) -> str:
    """What a row is there for, in words; its source has the rule behind it."""
    match action:
        case RegenerateUnit():
            return "a new key and certificate, as was asked for"
        case CtlUpdate():
            return "the CTL is to name the new certificates"
        case LocalkeyReset():
            return "the list is to be signed by the anchor that phones still know"
        case RestartOf():
            return "the service goes by what it found when it started"
        case StopOf():
            return "it would put back what is deleted"
        case StartOf():
            return "it was stopped for this"
        case PhoneReset():
            return "a phone takes the new lists when it starts"
        case DoneByHand():
            return "no command of the platform does it"
        case DeleteEntry():
            return "nothing needs it any more"


@attrs.frozen(kw_only=True)
class Explanation:
    """One procedure, as it would be carried out on a cluster of this release and mode.

    ``str()`` of it is the text for people.

    Attributes:
        refused: Why there is none; empty if there is one.
        rows: The rows that apply, in order.
        left_out: The rows of the table that do not apply here.
        joined_by: The units that share its window and restarts, where they are asked for too.
        tasks: What only the people of other systems can do.
        choices: Choices of the policy that make a difference here.
    """

    unit: CertUnit
    release: Release
    situation: Situation
    policy: Policy
    refused: str = ""
    procedure: Procedure | None = None
    rows: tuple[Row, ...] = ()
    left_out: tuple[Row, ...] = ()
    exposures: tuple[Exposure, ...] = ()
    joined_by: tuple[CertUnit, ...] = ()
    tasks: tuple[PartnerTask, ...] = ()
    choices: tuple[Choice, ...] = ()

    @property
    def title(self) -> str:
        """The unit, the release and the mode, on one line."""
        mode = "non-secure mode"
        if self.situation.mode is SecurityMode.MIXED:
            signed = "with" if self.situation.token_ctl else "without"
            mode = f"mixed mode, CTL signed {signed} a USB token"
        return f"{self.unit} under release {self.release}, {mode}"

    def procedure_lines(self) -> Iterator[str]:
        """What is the same wherever the same steps apply, whatever the release."""
        table = self.procedure
        if table is None:
            return
        yield from _list("who is affected", table.consumers)
        yield "where it exists"
        nodes = "on the publisher alone" if self._alone else "on every node, publisher first"
        yield f"  {' and '.join(sorted(table.products))} nodes; regenerated {nodes}"
        yield f"  source  {EXISTS[self.unit].source}"
        never = ", ".join(sorted(table.never_with)) or "no unit is excluded"
        yield f"never in one window with: {never}"
        if table.joins:
            yield f"shares the window and the restarts of: {table.joins}, where both are asked for"
        yield "steps, one at a time, each proved before the next (P6)"
        for number, row in enumerate(self.rows, 1):
            yield from self._row(number, row)
            last = number == len(self.rows) or self.rows[number].wave != row.wave
            if last and table.moves_lists:
                grade = self.policy.barrier.name.lower().replace("_", "-")
                yield (
                    f"  barrier: every phone in scope {grade} within "
                    f"{self.policy.barrier_within_s:.0f} s, or waived by name (P1, P3, K2)"
                )
        if not table.moves_lists:
            yield "  no barrier: phones hold it in no list"
        for exposure in self.exposures:
            until = f", until {exposure.until}" if exposure.until else ", until the window is over"
            yield f"tolerated{until}: {exposure.phones.value} may need a remedy"
            yield f"  remedy  {exposure.remedy}"
            yield f"  source  {exposure.source}"

    @property
    def _alone(self) -> bool:
        """Whether it is regenerated on the publisher alone."""
        table = self.procedure
        idle = table is not None and table.idle_on_subscribers
        alone = table is not None and table.publisher_only
        return alone or (idle and not self.policy.capf_on_subscribers)

    def doing(self, row: Row) -> tuple[str, str]:
        """What *row* does, as the node or a person hears it, and where, under its policy."""
        what, where = doing(row.does)
        if self._alone and isinstance(row.does, RegenerateUnit):
            where = "the publisher"
        return what, where

    def _row(self, number: int, row: Row) -> Iterator[str]:
        what, where = self.doing(row)
        yield f"  {number}. {row.name}: {what}"
        yield f"     where   {where}"
        if row.when is not Condition.ALWAYS:
            yield f"     when    {row.when.value}"
        for requirement in sorted(row.requires, key=lambda each: each.name):
            yield f"     before  {requirement.value}"
        yield f"     proof   {row.proof.value}"
        yield (
            f"     budget  {row.within_s:g} s to the proof, then it holds; after a lost reply "
            f"it may run for {row.settle_s:g} s"
        )
        yield f"     source  {row.source}"

    def __str__(self) -> str:
        if self.refused:
            return f"{self.title}: refused\n  {self.refused}"
        lines = [self.title, *self.procedure_lines()]
        if self.joined_by:
            names = ", ".join(self.joined_by)
            lines.append(f"joined in its window and restarts by: {names}, where asked for")
        lines += [f"left out here: {row.name}, only when {row.when.value}" for row in self.left_out]
        if self.tasks:
            lines.append("afterwards, for the people of other systems")
        for task in self.tasks:
            lines.append(f"  {task.id}, {task.partner}: {task.question}")
            lines += [f"    do      {text}" for text in task.instructions]
            lines.append(f"    source  {task.source}")
        if self.choices:
            lines.append("choices")
        for choice in self.choices:
            lines.append(f"  {choice.name}: {choice.in_force(self.policy)}")
            if not choice.differs(self.policy):
                lines.append(f"    or      {choice.alternative}")
            lines.append(f"    source  {choice.source} ({', '.join(choice.points)})")
        return "\n".join(lines)


def _list(head: str, items: Iterable[str]) -> Iterator[str]:
    yield head
    yield from (f"  {item}" for item in items)


def explanation_of(
    unit: CertUnit,
    release: Release,
    mode: SecurityMode,
    *,
    token_ctl: bool | None = None,
    policy: Policy | None = None,
) -> Explanation:
    """The procedure for *unit* as a value. Pure: no cluster is needed, nothing is sent.

    Args:
        unit: The certificate kind.
        release: Of the cluster; what the service update is matters from 14 on.
        mode: The cluster security mode.
        token_ctl: Whether a USB token signs the CTL. None is no from 10.0 on; before, in mixed
            mode, a token always does, whatever is said here.
        policy: Choices that the sources leave open; the defaults are the safe ones.

    A unit that does not exist there, and a release that the tables do not know, give an
    explanation whose ``refused`` says why.
    """
    policy = policy or Policy()
    mixed = mode is SecurityMode.MIXED
    token = mixed and (bool(token_ctl) or release.short < _TOKENLESS_FROM)
    situation = Situation(
        mode=mode,
        token_ctl=token,
        callmanager_restarts=restarts_callmanager(policy, release),
    )
    base = Explanation(unit=unit, release=release, situation=situation, policy=policy)
    where = EXISTS[unit]
    if not known_release(release):
        return attrs.evolve(
            base,
            refused=f"there is no release {release} that the tables know: {WHERE}; nothing is "
            "guessed",
        )
    if release not in where.releases:
        products = " and ".join(sorted(where.products))
        return attrs.evolve(
            base,
            refused=f"it does not exist there: {products} nodes have it under "
            f"{where.releases} ({where.source})",
        )
    table = procedure_for(unit, release)
    if table is None:
        return attrs.evolve(base, refused="there is no table for it; nothing is guessed")
    return attrs.evolve(
        base,
        procedure=table,
        rows=tuple(row for row in table.rows if row.when.holds_in(situation)),
        left_out=tuple(row for row in table.rows if not row.when.holds_in(situation)),
        exposures=tuple(e for e in table.exposures if e.when.holds_in(situation)),
        joined_by=tuple(
            other.unit for other in PROCEDURES if other.joins is unit and release in other.releases
        ),
        tasks=tasks_for({unit}, release, mode),
        choices=choices_for({unit}, release, mode),
    )


def explain(
    unit: CertUnit,
    release: Release,
    mode: SecurityMode,
    *,
    token_ctl: bool | None = None,
    policy: Policy | None = None,
) -> str:
    """The procedure for *unit*, in words for a person, or why there is none.

    Arguments as for :func:`explanation_of`. Nothing is raised and nothing is sent.

    >>> print(explain(CertUnit.ITLRECOVERY, Release.parse("9.1"), SecurityMode.NON_SECURE))
    ITLRecovery under release 9.1, non-secure mode: refused
      it does not exist there: callmanager nodes have it under 10.0 to 15.0 (Cisco TAC 117598, ...)
    """
    return str(explanation_of(unit, release, mode, token_ctl=token_ctl, policy=policy))
