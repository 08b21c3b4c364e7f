"""What is so, by the lab's physics, against what a run says and what it sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from cucm_certflow.commands import ByHand, ResetPhones
from cucm_certflow.core.plan import Plan, Step
from cucm_certflow.lab.cluster import Executed, LabCluster
from cucm_certflow.lab.physics.judge import Health, Memo, health
from cucm_certflow.lab.physics.lists import build_ctl, build_itl
from cucm_certflow.lab.physics.phones import can_register, hangs
from cucm_certflow.names import CertUnit
from cucm_certflow.observers import Verified
from cucm_certflow.procedures.policies import Evidence

__all__ = ["MEMO", "disorders", "lies", "lost", "regenerated_twice", "sent_again", "strangers"]

MEMO = Memo()
"""Verdicts of the judge, kept for all stories of a process: most end in the same few worlds."""


def lost(lab: LabCluster, waived: Iterable[str] = (), allow: Health = Health.OK) -> list[str]:
    """The phones in scope that need more than *allow* to come back."""
    away, world = frozenset(waived), lab.world
    return [
        phone.kind.name
        for index, phone in enumerate(lab.phones)
        if phone.kind.name not in away
        and health(lab.layout, lab.kinds, world, index, MEMO).severity > allow.severity
    ]


def regenerated_twice(lab: LabCluster) -> list[str]:
    """The certificates that were made anew more than once, whoever asked for it.

    A command that a node took and, rebooting, never carried out has made none.
    """
    meddled = {(event.unit, event.node) for event in lab.scenario.events if event.unit}
    return [
        f"{cert.node}/{cert.unit} was made anew {cert.generation - 1} times"
        for cert in lab.world.gen
        if cert.generation - 1 > 1 + ((cert.unit, cert.node) in meddled)
    ]


def sent_again(plan: Plan, log: Sequence[Executed]) -> int:
    """How many commands the cluster took more often than the plan has them, resets left out."""
    planned = Counter((step.command.node, str(step.command)) for step in plan.steps)
    taken = Counter((one.node, one.text) for one in log if not one.text.startswith("doDeviceReset"))
    return (taken - planned).total()


def strangers(lab: LabCluster) -> frozenset[str]:
    """The phones that hold the lists of another cluster: they register, and take nothing here."""
    world = lab.world
    return frozenset(
        phone.kind.name
        for phone, held in zip(lab.phones, world.phones, strict=True)
        if any(each.signer.node == "another cluster" for each in (held.itl, held.ctl) if each)
    )


def lies(verified: Verified, plan: Plan, lab: LabCluster) -> list[str]:
    """Everything that *verified* claims and that is not so.

    RE_REGISTERED says that a phone registered again after our reset, which one that others gave
    foreign lists does where it needs no TLS: of such a phone only a better grade is a lie.
    """
    found: list[str] = []
    layout, world = lab.layout, lab.world
    for unit, node in plan.certificates:
        owner = layout.itlrecovery_of(node) if unit is CertUnit.ITLRECOVERY else node
        now = world.current(unit, owner)
        if now.generation == 1:
            found.append(f"{node}/{unit} is the old one")
        presented = lab.presented(node, unit)
        if presented is not None and presented != world.real(now):
            found.append(f"{node} still shows another {unit}")
    for node in layout.tftp_nodes:
        if world.itl_of(node) != build_itl(layout, world, node):
            found.append(f"the ITL of {node} is not of now")
        if layout.mixed and world.ctl_of(node) != build_ctl(layout, world):
            found.append(f"the CTL of {node} is not of now")
    behind = {phone.name for phone in verified.left_behind}
    foreign = strangers(lab)
    for index, phone in enumerate(lab.phones):
        name = phone.kind.name
        grade = verified.grades.get(name, Evidence.UNKNOWN)
        fate = health(layout, lab.kinds, world, index, MEMO)
        held = world.phones[index]
        if name in foreign:
            if grade > Evidence.RE_REGISTERED:
                found.append(f"{name} is graded {grade.name.lower()}, and holds foreign lists")
            continue
        if fate is not Health.OK and name not in behind:
            found.append(f"{name} is {fate.value}, and not said to be left behind")
        if grade >= Evidence.RE_REGISTERED and (
            fate is not Health.OK
            or hangs(layout, world, held)
            or not can_register(layout, world, phone.kind, held)
        ):
            found.append(f"{name} is graded {grade.name.lower()}, and is {fate.value}")
    return found


def disorders(plan: Plan, log: Sequence[Executed]) -> list[str]:
    """What the cluster was told in an order that the plan does not allow.

    A command is one of the plan's steps, and everything of the windows before, and the step that
    must be proved before, were taken by then. It may be a repetition: of a step of the window
    that is open. Windows, and what comes after what, are judged; not what proves a step.
    """
    found: list[str] = []
    taken: set[int] = set()
    steps = [s for s in plan.steps if not isinstance(s.command, ByHand | ResetPhones)]
    window = 0
    for one in log:
        if one.text.startswith("doDeviceReset"):
            continue
        alike = [s for s in steps if (s.command.node, str(s.command)) == (one.node, one.text)]
        fresh = [s for s in alike if s.index not in taken and _may(s, steps, taken, plan)]
        if fresh:
            taken.add(fresh[0].index)
            window = max(window, fresh[0].window)
        elif not any(s.index in taken and s.window == window for s in alike):
            found.append(f"{one.node}: {one.text} at {one.at:%H:%M:%S}")
    return found


def _may(step: Step, steps: Sequence[Step], taken: set[int], plan: Plan) -> bool:
    before = [s.index for s in steps if s.window < step.window]
    after = step.after
    while after is not None and isinstance(plan.steps[after].command, ByHand | ResetPhones):
        after = plan.steps[after].after
    return taken.issuperset(before) and (after is None or after in taken)
