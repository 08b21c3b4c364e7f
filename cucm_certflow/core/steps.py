"""Lays a window's procedure rows out as steps: one changing command each, in their order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from cucm_certflow.commands import (
    ByHand,
    Command,
    Regenerate,
    ResetLocalkey,
    ResetPhones,
    RestartService,
    UpdateCtl,
)
from cucm_certflow.core.batches import batches_of
from cucm_certflow.core.plan import CertificateKey, PlannedWindow, Step
from cucm_certflow.facts import ClusterFacts
from cucm_certflow.names import CertUnit
from cucm_certflow.procedures.policies import Policy
from cucm_certflow.procedures.vocabulary import (
    CtlUpdate,
    DeleteEntry,
    DoneByHand,
    LocalkeyReset,
    PhoneReset,
    Procedure,
    RegenerateUnit,
    RestartOf,
    Row,
    Situation,
    Stage,
    StartOf,
    StopOf,
)

__all__ = ["lanes_of", "steps_of"]


def _commands(
    facts: ClusterFacts, row: Row, policy: Policy, canaries: frozenset[str]
) -> list[Command]:
    """The commands of a row, in order: publisher first, then the subscribers."""
    publisher = facts.publisher.name
    nodes = facts.in_order
    match row.does:
        case CtlUpdate():
            return [UpdateCtl(publisher)]
        case DoneByHand(what):
            return [ByHand(publisher, what)]
        case LocalkeyReset(kind):
            return [ResetLocalkey(publisher, kind)]
        case RestartOf(service):
            return [RestartService(node.name, service) for node in nodes if node.runs(service)]
        case PhoneReset():
            batches = batches_of(facts.phones, policy, canaries)
            return [ResetPhones(publisher, names) for names in batches]
        case RegenerateUnit() | StopOf() | StartOf() | DeleteEntry():
            message = f"{row.name} is not made node by node for a whole unit"
            raise AssertionError(message)


def steps_of(
    facts: ClusterFacts,
    windows: Iterable[PlannedWindow],
    tables: Mapping[CertUnit, Procedure],
    policy: Policy,
    situation: Situation,
    canaries: frozenset[str] = frozenset(),
) -> tuple[tuple[Step, ...], dict[tuple[int, int, str], int]]:
    """The steps of all windows in order, and for each phone its reset by (window, wave, name).

    In each wave the phones named by *canaries* are reset before all others.
    """
    steps: list[Step] = []
    batch_of: dict[tuple[int, int, str], int] = {}
    for window in windows:
        # One lane after the other (starting document, P5), whichever facts happen to be fresh.
        after: int | None = None
        for lane in lanes_of(window.units, tables):
            after = _add_lane(
                facts, window, lane, tables, policy, situation, canaries, steps, batch_of, after
            )
    return tuple(steps), batch_of


def lanes_of(
    units: Iterable[CertUnit], tables: Mapping[CertUnit, Procedure]
) -> list[tuple[CertUnit, ...]]:
    """The units that share commands, of one window.

    Those that move no list run by themselves, with those that join them; all that do share one CTL
    update, the restarts and the reset.
    """
    quiet: dict[CertUnit, list[CertUnit]] = {}
    loud: list[CertUnit] = []
    for unit in units:
        if tables[unit].moves_lists:
            loud.append(unit)
        else:
            quiet.setdefault(tables[unit].joins or unit, []).append(unit)
    lanes = [tuple(lane) for lane in quiet.values()]
    return [*lanes, tuple(loud)] if loud else lanes


def _add_lane(
    facts: ClusterFacts,
    window: PlannedWindow,
    lane: tuple[CertUnit, ...],
    tables: Mapping[CertUnit, Procedure],
    policy: Policy,
    situation: Situation,
    canaries: frozenset[str],
    steps: list[Step],
    batch_of: dict[tuple[int, int, str], int],
    after: int | None,
) -> int | None:
    """Append the steps of *lane*, the first of them after step *after*; the last one's index."""
    products = {unit: tables[unit].products for unit in lane}
    for wave in range(max(tables[unit].waves for unit in lane)):
        for stage in Stage:
            done: dict[Command, int] = {}
            for unit, row in _rows_of(lane, tables, wave, stage):
                keys = tuple(key for key in window.certificates if key.unit is unit)
                if not row.when.holds_in(situation):
                    continue
                pairs: list[tuple[Command, tuple[CertificateKey, ...]]]
                if isinstance(row.does, RegenerateUnit):
                    pairs = [(Regenerate(key.node, unit), (key,)) for key in keys]
                else:
                    on = {n.name for n in facts.nodes if n.product in products[unit]}
                    pairs = [
                        (command, keys)
                        for command in _commands(facts, row, policy, canaries)
                        if command.node in on
                    ]
                for command, serves in pairs:
                    if command in done:
                        old = steps[done[command]]
                        steps[old.index] = _also_serving(old, row, serves)
                        continue
                    index = len(steps)
                    number = "" if not wave else f"{wave + 1}."
                    where = f"{window.number + 1}.{number}{row.name}"
                    what = f"{unit}@{command.node}" if serves else command.node
                    batch = _batch_number(command, done)
                    steps.append(
                        Step(
                            id=f"{where}:{what}{batch}",
                            index=index,
                            window=window.number,
                            row=row,
                            command=command,
                            certificates=serves,
                            after=after,
                            canary=isinstance(command, ResetPhones)
                            and canaries.issuperset(command.names),
                        )
                    )
                    done[command] = index
                    after = index
                    if isinstance(command, ResetPhones):
                        for name in command.names:
                            batch_of[window.number, wave, name] = index
    return after


def _rows_of(
    lane: Iterable[CertUnit], tables: Mapping[CertUnit, Procedure], wave: int, stage: Stage
) -> list[tuple[CertUnit, Row]]:
    """The rows of *stage*, unit by unit, in an order in which no unit's own order is broken.

    Where units share commands, a row waits until all that stand before it in any of the tables
    are done: TFTP is not restarted for CAPF before CallManager is for CallManager.
    """
    queues = [
        [(unit, row) for row in tables[unit].rows if (row.wave, row.stage) == (wave, stage)]
        for unit in lane
    ]
    if stage is Stage.REGENERATE:
        return [pair for queue in queues for pair in queue]
    merged: list[tuple[CertUnit, Row]] = []
    while any(queues):
        heads = [queue[0][1].does for queue in queues if queue]
        later = [row.does for queue in queues for _, row in queue[1:]]
        free = [does for does in heads if does not in later] or heads[:1]
        merged += [queue.pop(0) for queue in queues if queue and queue[0][1].does == free[0]]
    return merged


def _batch_number(command: Command, done: Mapping[Command, int]) -> str:
    if not isinstance(command, ResetPhones):
        return ""
    return f"#{sum(isinstance(other, ResetPhones) for other in done) + 1}"


def _also_serving(step: Step, row: Row, certificates: tuple[CertificateKey, ...]) -> Step:
    """*step* for one more unit: what any of its rows requires is required."""
    new = tuple(key for key in certificates if key not in step.certificates)
    shared = attrs.evolve(step.row, requires=step.row.requires | row.requires)
    return attrs.evolve(step, row=shared, certificates=(*step.certificates, *new))
