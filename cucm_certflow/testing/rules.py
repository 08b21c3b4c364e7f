"""The rules of the field, checked in every state of an exploration.

They are stated over the physics and over what is about to be sent, never through a guard, so that
a guard can be taken out and missed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import attrs

from cucm_certflow.commands import (
    DeleteTrust,
    Regenerate,
    ResetLocalkey,
    ResetPhones,
    RestartService,
    UpdateCtl,
)
from cucm_certflow.core.forecast import moves_trust
from cucm_certflow.core.states import CertificateState, CommandState
from cucm_certflow.grading import graded
from cucm_certflow.lab.physics import actions
from cucm_certflow.lab.physics.judge import Health
from cucm_certflow.lab.physics.phones import synced
from cucm_certflow.lab.physics.world import World
from cucm_certflow.names import CertUnit, Service
from cucm_certflow.procedures.policies import Evidence
from cucm_certflow.testing.decided import entries_of
from cucm_certflow.testing.stories import Moment, Trouble

if TYPE_CHECKING:
    from cucm_certflow.testing.explorer import Explorer

__all__ = ["RULES", "Rule"]

_ATTEMPTS: Final = 3
_MARK: Final = 16  # of a fingerprint, in the name of what is approved
_NEW: Final = 2  # the generation after one regeneration
_IN_FLIGHT: Final = frozenset({CommandState.INTENDED, CommandState.SENT, CommandState.IN_DOUBT})


@attrs.frozen
class Rule:
    """Something that must hold in every state of an exploration.

    Attributes:
        what: What must hold, in words.
        source: Where that is from.
        broken: In words, what is wrong in a state; None if it holds there.
        whoever_acts: It must hold also where somebody else regenerates certificates meanwhile.
    """

    what: str
    source: str
    broken: Callable[[Explorer, Moment], str | None]
    whoever_acts: bool = False


def _regenerated_once(explorer: Explorer, node: Moment) -> str | None:
    """A command in doubt is looked at, and not sent again before that."""
    for cert in node.world.gen:
        if cert.generation >= _NEW:
            others = node.outside.count((cert.unit, cert.node))
            first = explorer.world.current(cert.unit, cert.node).generation
            if cert.generation - first - others > 1:
                return f"{cert.unit} on {cert.node} was regenerated twice"
    return None


def _nothing_over_others(explorer: Explorer, node: Moment) -> str | None:
    """What the run goes by is what it saw at first, and what it did itself."""
    command = explorer.decision(node).command
    if not node.outside or command is None:
        return None
    if not (moves_trust(command) or isinstance(command, Regenerate)):
        return None
    for unit, name in sorted(set(node.outside)):
        now = str(node.world.current(unit, name))
        known = {str(explorer.world.current(unit, name))}
        for step in explorer.plan.steps:
            progress = node.run.steps[step.index]
            if step.command == Regenerate(name, unit) and progress.seen:
                known = {progress.seen}
        approved = f"drift:{name}/{unit}={now[:_MARK]}" in node.run.approved
        if now not in known and not approved:
            return f"`{command}` is sent over {now}, which is somebody else's"
    return None


def _nothing_made_worse(explorer: Explorer, node: Moment) -> str | None:
    """Where others have acted, and a person let it pass: no command of ours costs a phone more."""
    command, step = explorer.decision(node).command, explorer.decision(node).step
    if not node.outside or command is None or step is None:
        return None
    after = explorer.performed(node, command)
    for index, kind in enumerate(explorer.kinds):
        before, then = explorer.health_of(node, index), explorer.health_of(after, index)
        phone = next(p for p, names in explorer.plan.classes.items() if kind.name in names)
        allowed = max(before.severity, int(explorer.plan.tolerated(step, phone)[0]))
        if kind.name not in node.run.waived and then.severity > allowed:
            return f"`{command}` is sent, and {kind.name} needs {then.value} after it"
    return None


def _graded_truly(explorer: Explorer, node: Moment) -> str | None:
    """The claims of a finished run, against the phones as they are."""
    if not explorer.decision(node).finished:
        return None
    outcome = graded(explorer.look(node), unasked=0)
    left = {phone.name for phone in outcome.left_behind}
    for index, kind in enumerate(explorer.kinds):
        grade = outcome.grades[kind.name]
        locked = not _comes_into_step(explorer, node, index, registers=False)
        best = Evidence.UNKNOWN
        if explorer.is_registered(node, index):
            again = index in node.fresh and not locked
            best = Evidence.RE_REGISTERED if again else Evidence.REGISTERED
        if grade > best:
            return f"{kind.name} is graded {grade.name}, and the truth is {best.name}"
        if locked and kind.name in node.run.waived and kind.name not in left:
            return f"{kind.name} is locked, and is not reported as left behind"
    return None


def _one_change_at_a_time(_: Explorer, node: Moment) -> str | None:
    """TAC 214231, P6."""
    busy = sum(progress.state in _IN_FLIGHT for progress in node.run.steps)
    return f"{busy} changes under way" if busy > 1 else None


def _nothing_new_while_held(explorer: Explorer, node: Moment) -> str | None:
    """After the first change a run may hold: a person decides, nothing else is begun."""
    held = any(progress.state is CommandState.HELD for progress in node.run.steps)
    command = explorer.decision(node).command
    return f"`{command}` is sent though a step is held" if held and command else None


def _three_attempts(_: Explorer, node: Moment) -> str | None:
    most = max(progress.attempt for progress in node.run.steps)
    return f"a command is sent {most} times" if most > _ATTEMPTS else None


def _regenerated_first(explorer: Explorer, node: Moment) -> str | None:
    """TAC 214231, T2, M3, V2: all nodes are regenerated, then the CTL and the restarts."""
    decision = explorer.decision(node)
    if decision.step is None or not isinstance(decision.command, RestartService | UpdateCtl):
        return None
    units = {key.unit for key in decision.step.certificates}
    for key in explorer.plan.windows[decision.step.window].certificates:
        if key.unit in units and node.world.current(*key).generation < _NEW:
            return f"`{decision.command}` is sent before {key} is regenerated"
    return None


def _ctl_first(explorer: Explorer, node: Moment) -> str | None:
    """TAC 214231, M1: in mixed mode the CTL is updated before any service is restarted."""
    decision = explorer.decision(node)
    if (
        not explorer.layout.mixed
        or decision.step is None
        or not isinstance(decision.command, RestartService)
        or all(key.unit is not CertUnit.CALLMANAGER for key in decision.step.certificates)
    ):
        return None
    built = actions.build_ctl(explorer.layout, node.world)
    if all(served == built for _, served in node.world.ctl):
        return None
    return f"`{decision.command}` is sent before the CTL is updated"


def _windows_in_order(explorer: Explorer, node: Moment) -> str | None:
    """TAC 214231, M4, V1: a window is closed before the next one is opened."""
    step = explorer.decision(node).step
    if step is None:
        return None
    for key, life in zip(explorer.plan.certificates, node.run.certificates, strict=True):
        if (
            explorer.plan.window_of[key] < step.window
            and life.state is not CertificateState.VERIFIED
        ):
            return f"{step.id} is begun before {key} is verified"
    return None


def _phones_called_in_time(explorer: Explorer, node: Moment) -> str | None:
    """Procedures K6, K8: called phones find TVS running and the final lists on every node."""
    layout, world, step = explorer.layout, node.world, explorer.decision(node).step
    if step is None or not isinstance(explorer.decision(node).command, ResetPhones):
        return None
    stopped = [name for name in layout.tvs_nodes if not world.up(Service.TVS, name)]
    if stopped:
        return f"phones are called while TVS on {stopped[0]} is stopped"
    if not any(
        other.command == RestartService(layout.tftp_nodes[0], Service.TFTP)
        for other in explorer.plan.steps
        if (other.window, other.row.wave) == (step.window, step.row.wave)
    ):
        return None  # a wave that rebuilds no ITL: its own rows say what phones come for
    for name, served in world.itl:
        if served != actions.build_itl(layout, world, name):
            return f"phones are called before {name} serves its new ITL"
    return None


def _secure_phones_can_register(explorer: Explorer, node: Moment) -> str | None:
    """The second invariant, where it is decided: when CallManager takes up its certificate."""
    command = explorer.decision(node).command
    if not isinstance(command, RestartService) or command.service is not Service.CALLMANAGER:
        return None
    layout, kinds = explorer.layout, explorer.kinds
    on = tuple(phone._replace(on=True) for phone in node.world.phones)
    world = actions.restart(
        layout, node.world._replace(phones=on), command.service, command.node, kinds
    )
    for index, kind in enumerate(kinds):
        if not kind.secure or kind.group[0] != command.node or kind.name in node.run.waived:
            continue
        if not actions.boot(layout, kinds, world, index).phones[index].registered:
            return f"{kind.name} cannot register with what {command.node} presents"
    return None


def _exposed_until_its_remedy(explorer: Explorer, node: Moment) -> str | None:
    """What only localkey would help is at an end once the localkey row is proved."""
    proved = any(
        isinstance(step.command, ResetLocalkey)
        and node.run.steps[step.index].state is CommandState.PROVED
        for step in explorer.plan.steps
    )
    for index, kind in enumerate(explorer.kinds if proved else ()):
        if explorer.health_of(node, index) is not Health.OK:
            return f"{kind.name} needs more than ordinary means after its remedy"
    return None


def _batch_after_batch(explorer: Explorer, node: Moment) -> str | None:
    """The others after the canaries, and each batch after the one before, where the policy says."""
    step = explorer.decision(node).step
    if step is None or not isinstance(explorer.decision(node).command, ResetPhones):
        return None
    before = explorer.plan.steps[step.index - 1]
    waits = before.canary or explorer.plan.policy.batch_waits
    if not waits or not isinstance(before.command, ResetPhones):
        return None
    for index, kind in enumerate(explorer.kinds):
        if kind.name in before.command.names and index not in node.fresh:
            return f"{step.id} is begun while {kind.name} is away"
    return None


def _never_both_anchors(explorer: Explorer, node: Moment) -> str | None:
    """TAC 214231, M2, V1: CallManager and TVS never change between two visits of a phone."""
    now = frozenset(node.world.gen)
    for kind, phone in zip(explorer.kinds, node.world.phones, strict=True):
        if phone.itl is None or kind.name in node.run.waived:
            continue
        if not phone.itl.tftp & now and not phone.itl.pin & now:
            return f"{kind.name} holds neither a CallManager nor a TVS certificate of now"
    return None


def _replication_first(explorer: Explorer, node: Moment) -> str | None:
    """TAC 215013, K7: nothing is regenerated while replication is bad."""
    command = explorer.decision(node).command
    if not isinstance(command, Regenerate) or Trouble.REPLICATION_BAD not in node.troubles:
        return None
    return f"`{command}` is sent while replication is bad"


def _no_backup_runs(explorer: Explorer, node: Moment) -> str | None:
    """TAC 217138: what backup goes by stays as it is while one runs."""
    command = explorer.decision(node).command
    concerned = (isinstance(command, Regenerate) and command.unit is CertUnit.IPSEC) or (
        isinstance(command, RestartService)
        and command.service in (Service.DRF_MASTER, Service.DRF_LOCAL)
    )
    if not concerned or Trouble.BACKUP_RUNS not in node.troubles:
        return None
    return f"`{command}` is sent while a backup runs"


def _somewhere_to_be(explorer: Explorer, node: Moment) -> str | None:
    """Procedures §8: CallManager is not restarted under phones that fled to it."""
    command = explorer.decision(node).command
    if not isinstance(command, RestartService) or command.service is not Service.CALLMANAGER:
        return None
    fled = [explorer.kinds[index] for index in sorted(node.away)]
    names = [kind.name for kind in fled if kind.group[1] == command.node]
    return f"`{command}` is sent to {command.node}, and {names[0]} fled there" if names else None


def _in_use_stays(explorer: Explorer, node: Moment) -> str | None:
    """TAC 214231, X1, D23: no certificate that a node or a list goes by is deleted."""
    decision = explorer.decision(node)
    if decision.step is None or not isinstance(decision.command, DeleteTrust):
        return None
    used = set(node.world.gen)
    for _, served in (*node.world.itl, *node.world.ctl):
        if served is not None:
            used |= {served.signer} | served.sast | served.tftp | served.ccm | served.pin
    keys = {str(cert) for cert in used}
    wrong = [key for key in decision.step.entries if key.fingerprint in keys]
    return f"`{decision.command}` is sent, and it is in use" if wrong else None


def _gone_is_gone(explorer: Explorer, node: Moment) -> str | None:
    """TAC 214231, X2, X5: deleted, not put back, and everything that was stopped runs again."""
    if not explorer.plan.entries or not explorer.decision(node).finished:
        return None
    world = node.world
    there = {
        (entry.store, entry.certificate.fingerprint)
        for each in explorer.layout.nodes
        for entry in entries_of(explorer.layout, world, each.name)
    }
    for key in explorer.plan.entries:
        if (key.store, key.fingerprint) in there:
            return f"finished, and {key} is there"
    if world.returning:
        return "finished, and the nodes will put back what was deleted"
    for name, service in sorted(world.down):
        return f"finished, and {service} on {name} is stopped"
    return None


def _finished_is_done(explorer: Explorer, node: Moment) -> str | None:
    """Verified means new, presented, served, and held by every phone in scope."""
    if not explorer.decision(node).finished:
        return None
    layout, world = explorer.layout, node.world
    for key in explorer.plan.certificates:
        if world.current(*key).generation < _NEW:
            return f"finished, and {key} is not regenerated"
    for shown in world.presented:
        if shown not in world.gen:
            return f"finished, and {shown.node} still presents its old {shown.unit}"
    for name, served in world.itl:
        if served != actions.build_itl(layout, world, name):
            return f"finished, and {name} serves an old ITL"
    if layout.mixed:
        built = actions.build_ctl(layout, world)
        if any(served != built for _, served in world.ctl):
            return "finished, and an old CTL is served"
    for index, kind in enumerate(explorer.kinds):
        if kind.name not in node.run.waived and not _comes_into_step(
            explorer, node, index, registers=True
        ):
            return f"finished, and {kind.name} is not in step"
    return None


def _comes_into_step(explorer: Explorer, node: Moment, index: int, *, registers: bool) -> bool:
    """Whether the phone holds what is served once it has booted, at a TFTP node that it uses."""
    world = node.world
    on = world._replace(phones=tuple(phone._replace(on=True) for phone in world.phones))
    # A phone that went to another TFTP node may have to go there again to come into step.
    kind = explorer.kinds[index]
    homes = kind.tftp if explorer.limits.phones_move else kind.tftp[:1]
    return any(_in_step(explorer, on, index, home, registers=registers) for home in homes)


def _in_step(explorer: Explorer, world: World, index: int, home: str, *, registers: bool) -> bool:
    layout, kinds = explorer.layout, explorer.kinds
    for _ in range(2):
        world = actions.boot(layout, kinds, world, index, home)
    phone = world.phones[index]
    return (phone.registered or not registers) and synced(layout, world, kinds[index], phone, home)


RULES: Final[tuple[Rule, ...]] = (
    Rule("a certificate is regenerated once", "DESIGN §2", _regenerated_once, whoever_acts=True),
    Rule(
        "nothing that moves trust is sent over what somebody else changed",
        "DESIGN §5",
        _nothing_over_others,
        whoever_acts=True,
    ),
    Rule(
        "nothing that is sent costs a phone more than the tables allow, whatever others did",
        "DESIGN §2",
        _nothing_made_worse,
        whoever_acts=True,
    ),
    Rule("no phone is graded above the truth", "DESIGN §5", _graded_truly, whoever_acts=True),
    Rule("one change at a time", "TAC 214231, P6", _one_change_at_a_time, whoever_acts=True),
    Rule(
        "nothing new is begun while something is held",
        "DESIGN §3",
        _nothing_new_while_held,
        whoever_acts=True,
    ),
    Rule("a command is sent three times at most", "DESIGN §3", _three_attempts, whoever_acts=True),
    Rule(
        "all nodes are regenerated, then come CTL and restarts",
        "TAC 214231, T2, M3, V2",
        _regenerated_first,
    ),
    Rule("the CTL before any restart", "TAC 214231, M1", _ctl_first),
    Rule("a window is closed before the next one", "TAC 214231, M4, V1", _windows_in_order),
    Rule(
        "called phones find TVS running, and the final lists on every node",
        "procedures K6, K8",
        _phones_called_in_time,
    ),
    Rule("every secure phone can register", "DESIGN §2", _secure_phones_can_register),
    Rule(
        "after the remedy of an exposure ordinary means are enough",
        "trust-model §4.5",
        _exposed_until_its_remedy,
    ),
    Rule("batch after batch, canaries first", "the policy", _batch_after_batch),
    Rule("CallManager and TVS never in one window", "TAC 214231, M2, V1", _never_both_anchors),
    Rule(
        "nothing is regenerated while replication is bad",
        "TAC 215013, K7",
        _replication_first,
        whoever_acts=True,
    ),
    Rule(
        "what a backup goes by stays while one runs",
        "TAC 217138",
        _no_backup_runs,
        whoever_acts=True,
    ),
    Rule("phones have somewhere to be", "procedures §8", _somewhere_to_be),
    Rule("what is in use is not deleted", "TAC 214231, X1, D23", _in_use_stays),
    Rule("what is deleted stays deleted", "TAC 214231, X2, X5", _gone_is_gone),
    Rule("verified means done", "DESIGN §5", _finished_is_done),
)
"""What must hold in every state of every story, beside the two invariants."""
