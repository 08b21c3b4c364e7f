"""Lays a window's procedure rows out as steps: one changing command each, in their order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from cucm_certflow.commands import (
    Command,
    Regenerate,
    ResetLocalkey,
    ResetPhones,
    RestartService,
    UpdateCtl,
)
from cucm_certflow.core.plan import CertificateKey, PlannedWindow, Step, applies
from cucm_certflow.facts import ClusterFacts
from cucm_certflow.names import CertUnit
from cucm_certflow.procedures.policies import Policy
from cucm_certflow.procedures.vocabulary import (
    CtlUpdate,
    LocalkeyReset,
    PhoneReset,
    Procedure,
    RegenerateUnit,
    RestartOf,
    Row,
    Stage,
)

__all__ = ["steps_of"]


def _commands(facts: ClusterFacts, row: Row, policy: Policy) -> list[Command]:
    """The commands of a row, in order: publisher first, then the subscribers."""
    publisher = facts.publisher.name
    nodes = sorted(facts.nodes, key=lambda node: not node.is_publisher)
    match row.does:
        case CtlUpdate():
            return [UpdateCtl(publisher)]
        case LocalkeyReset(kind):
            return [ResetLocalkey(publisher, kind)]
        case RestartOf(service):
            return [RestartService(node.name, service) for node in nodes if node.runs(service)]
        case PhoneReset():
            names = sorted(phone.name for phone in facts.phones)
            size = policy.reset_batch
            return [
                ResetPhones(publisher, tuple(names[i : i + size]))
                for i in range(0, len(names), size)
            ]
        case RegenerateUnit():
            message = "regenerations are made per certificate"
            raise AssertionError(message)


def steps_of(
    facts: ClusterFacts,
    windows: Iterable[PlannedWindow],
    tables: Mapping[CertUnit, Procedure],
    policy: Policy,
) -> tuple[tuple[Step, ...], dict[tuple[int, int, str], int]]:
    """The steps of all windows in order, and for each phone its reset by (window, wave, name)."""
    steps: list[Step] = []
    batch_of: dict[tuple[int, int, str], int] = {}
    for window in windows:
        # Units that move no list each run by themselves; those that do share CTL, restarts, reset.
        quiet = [(unit,) for unit in window.units if not tables[unit].moves_lists]
        loud = tuple(unit for unit in window.units if tables[unit].moves_lists)
        # One unit after the other (starting document, P5), whichever facts happen to be fresh.
        after: int | None = None
        for lane in [*quiet, *([loud] if loud else [])]:
            after = _add_lane(facts, window, lane, tables, policy, steps, batch_of, after)
    return tuple(steps), batch_of


def _add_lane(
    facts: ClusterFacts,
    window: PlannedWindow,
    lane: tuple[CertUnit, ...],
    tables: Mapping[CertUnit, Procedure],
    policy: Policy,
    steps: list[Step],
    batch_of: dict[tuple[int, int, str], int],
    after: int | None,
) -> int | None:
    """Append the steps of *lane*, the first of them after step *after*; the last one's index."""
    products = {unit: tables[unit].products for unit in lane}
    for wave in range(max(tables[unit].waves for unit in lane)):
        for stage in Stage:
            done: dict[Command, int] = {}
            for unit in lane:
                keys = tuple(key for key in window.certificates if key.unit is unit)
                for row in tables[unit].rows:
                    if (row.wave, row.stage) != (wave, stage):
                        continue
                    if not applies(row.when, facts.mode):
                        continue
                    pairs: list[tuple[Command, tuple[CertificateKey, ...]]]
                    if isinstance(row.does, RegenerateUnit):
                        pairs = [(Regenerate(key.node, unit), (key,)) for key in keys]
                    else:
                        on = {n.name for n in facts.nodes if n.product in products[unit]}
                        pairs = [
                            (command, keys)
                            for command in _commands(facts, row, policy)
                            if command.node in on
                        ]
                    for command, serves in pairs:
                        if command in done:
                            old = steps[done[command]]
                            steps[old.index] = _also_serving(old, serves)
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
                            )
                        )
                        done[command] = index
                        after = index
                        if isinstance(command, ResetPhones):
                            for name in command.names:
                                batch_of[window.number, wave, name] = index
    return after


def _batch_number(command: Command, done: Mapping[Command, int]) -> str:
    if not isinstance(command, ResetPhones):
        return ""
    return f"#{sum(isinstance(other, ResetPhones) for other in done) + 1}"


def _also_serving(step: Step, certificates: tuple[CertificateKey, ...]) -> Step:
    new = tuple(key for key in certificates if key not in step.certificates)
    return attrs.evolve(step, certificates=(*step.certificates, *new))
