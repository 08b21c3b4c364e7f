"""Rules of the field that are judged in these tests beside those that the library explores by.

They are stated over the physics, over what people said and over what is about to be sent, never
through a guard.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from cucm_certflow.commands import RestartService, StartService
from cucm_certflow.core.forecast import moves_trust
from cucm_certflow.core.states import CommandState
from cucm_certflow.facts import ServiceOn, ServiceState
from cucm_certflow.names import Service
from cucm_certflow.orders import OrderKind
from cucm_certflow.testing.decided import NOW, OLDEST, entries_of
from cucm_certflow.testing.explorer import Explorer, Moment, Rule

__all__ = ["OURS"]


def _only_activated(explorer: Explorer, node: Moment) -> str | None:
    command = explorer.decision(node).command
    if not isinstance(command, RestartService):
        return None
    state = explorer.value(node, ServiceOn(command.node, command.service))
    assert isinstance(state, ServiceState)
    if state.activated:
        return None
    return f"`{command}` is sent to {command.node}, where it is not activated"


def _tvs_before_tftp(explorer: Explorer, node: Moment) -> str | None:
    """What a new ITL pins is what TVS presents, as soon as phones load it."""
    decision = explorer.decision(node)
    if not isinstance(decision.command, RestartService) or decision.step is None:
        return None
    if decision.command.service is not Service.TFTP:
        return None
    for step in explorer.plan.steps:
        if (
            isinstance(step.command, RestartService)
            and step.command.service is Service.TVS
            and (step.window, step.row.wave) == (decision.step.window, decision.step.row.wave)
            and node.run.steps[step.index].state is not CommandState.PROVED
        ):
            return f"{decision.step.id} is sent before {step.id}"
    return None


def _deleted_first(explorer: Explorer, node: Moment) -> str | None:
    """What takes up a trust store is restarted, and what would put it back started, after that."""
    decision = explorer.decision(node)
    if not isinstance(decision.command, RestartService | StartService):
        return None
    world = node.world
    there = {
        (entry.store, entry.certificate.fingerprint)
        for each in explorer.layout.nodes
        for entry in entries_of(explorer.layout, world, each.name)
    }
    for key in explorer.plan.entries:
        if (key.store, key.fingerprint) in there:
            return f"`{decision.command}` is sent, and {key} is still there"
    return None


def _started_last(explorer: Explorer, node: Moment) -> str | None:
    decision = explorer.decision(node)
    if not isinstance(decision.command, StartService):
        return None
    for step in explorer.plan.steps:
        restarts = isinstance(step.command, RestartService)
        if restarts and node.run.steps[step.index].state is not CommandState.PROVED:
            return f"`{decision.command}` is sent before {step.id}"
    return None


_WAITS: Final = frozenset({CommandState.SENT, CommandState.IN_DOUBT})


def _held_in_time(explorer: Explorer, node: Moment) -> str | None:
    """Whoever drives the run is told of what is not proved in time, by a step that is held."""
    decision = explorer.decision(node)
    if node.age < OLDEST or node.pending is not None or decision.record is not None:
        return None
    late = [step.id for step in explorer.plan.steps if node.run.steps[step.index].state in _WAITS]
    return f"{late[0]} is over its budget, and is not held" if late else None


def _orders_are_obeyed(explorer: Explorer, node: Moment) -> str | None:
    """Between two windows nothing is begun over a person's word, nor outside of agreed hours."""
    decision = explorer.decision(node)
    if decision.command is None or decision.step is None:
        return None
    sent = {step.window for step in explorer.plan.steps if node.run.steps[step.index].attempt}
    command = decision.command
    if decision.step.window not in sent:
        if node.run.wish is not OrderKind.RESUME:
            return f"`{command}` begins a window, and a person said {node.run.wish.value}"
        hours = node.run.maintenance
        if hours is not None and hours.open_at(NOW) is None:
            return f"`{command}` begins a window at an hour that nobody agreed on"
    if node.run.latest is not None and node.run.latest > NOW + timedelta(minutes=1):
        return f"`{command}` is sent though the clock went back"
    return None


def _asked_for(explorer: Explorer, node: Moment) -> str | None:
    decision = explorer.decision(node)
    step, policy = decision.step, explorer.plan.policy
    if decision.command is None or step is None:
        return None
    if step.row.stage in policy.approve and not node.run.approved:
        return f"`{decision.command}` is sent, and nobody has approved it"
    again = node.run.steps[step.index].attempt > 0
    if again and moves_trust(decision.command) and not policy.anchors_sent_again:
        words = f"again:{step.id}#{node.run.steps[step.index].attempt}"
        if words not in node.run.approved:
            return f"`{decision.command}` is sent again, and nobody has approved that"
    return None


OURS: Final = (
    Rule("services are restarted only where they are active", "TAC 214231", _only_activated),
    Rule("TVS before TFTP", "procedures D4, D6", _tvs_before_tftp),
    Rule(
        "what is deleted is deleted before anything is restarted",
        "TAC 214231, X4, X5",
        _deleted_first,
    ),
    Rule("what was stopped is started last", "TAC 214231, X5", _started_last),
    Rule("what is not proved in time is held", "DESIGN §3", _held_in_time),
    Rule("people and hours are obeyed", "DESIGN §3", _orders_are_obeyed),
    Rule("what waits for an approval waits", "the policy", _asked_for),
)
"""In the order in which they are asked."""
