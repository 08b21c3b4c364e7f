"""What a plan does not do, though a reader might expect it: certificates, phones, other systems."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import attrs

from cucm_certflow.commands import Regenerate
from cucm_certflow.core.not_awaited import BRINGS_BACK
from cucm_certflow.core.plan import CertificateKey, Plan
from cucm_certflow.names import CertUnit

__all__ = ["NotAsked", "NotDone", "not_asked", "not_done"]


@attrs.frozen(kw_only=True)
class NotAsked:
    """Certificates of one kind that stay as they are, because nobody asked for it.

    Attributes:
        unit: The kind.
        nodes: The nodes that have it.
        first_over: When the first of them is over; None if it is not known.
    """

    unit: CertUnit
    nodes: tuple[str, ...]
    first_over: datetime | None

    def __str__(self) -> str:
        until = self.first_over.date().isoformat() if self.first_over else "at a time not known"
        return f"{self.unit} on {', '.join(self.nodes)}: the first is over {until}"


@attrs.frozen(kw_only=True)
class NotDone:
    """One thing that a reader might expect of the plan, and that it does not do."""

    what: str
    why: str

    def __str__(self) -> str:
        return f"{self.what} ({self.why})"


def not_asked(plan: Plan) -> tuple[NotAsked, ...]:
    """The kinds of certificates that the cluster has and the plan does not touch."""
    asked = frozenset(plan.certificates)
    found: dict[CertUnit, list[str]] = {}
    over: dict[CertUnit, list[datetime]] = {}
    for node in plan.facts.nodes:
        for unit, certificate in node.certificates.items():
            if CertificateKey(unit, node.name) not in asked:
                found.setdefault(unit, []).append(node.name)
                if certificate.not_after is not None:
                    over.setdefault(unit, []).append(certificate.not_after)
    rows = [
        NotAsked(unit=unit, nodes=tuple(nodes), first_over=min(over.get(unit, ()), default=None))
        for unit, nodes in found.items()
    ]
    unknown = plan.facts.at  # what nobody knows is looked at first
    return tuple(sorted(rows, key=lambda row: (row.first_over or unknown, row.unit)))


def not_done(plan: Plan) -> tuple[NotDone, ...]:
    """What else the plan does not do, in words."""
    return tuple(_told(plan))


def _told(plan: Plan) -> Iterator[NotDone]:
    if plan.left_alone:
        yield NotDone(
            what=f"change {', '.join(plan.left_alone)}",
            why="no procedure is known for these certificates",
        )
    for kind in sorted(set(plan.not_awaited.values()), key=lambda kind: kind.value):
        names = sorted(name for name, each in plan.not_awaited.items() if each is kind)
        yield NotDone(
            what=f"wait for phones that nobody can wait for: {_some(names)}",
            why=f"each {kind.value}; what brings it back: {BRINGS_BACK[kind]}",
        )
    if plan.waived:
        names = sorted(plan.waived)
        yield NotDone(
            what=f"wait for phones that are waived: {_some(names)}",
            why="somebody said that they may be left behind; the outcome names them",
        )
    if any(isinstance(step.command, Regenerate) for step in plan.steps):
        yield NotDone(
            what="have a certificate signed by a CA",
            why="`set cert regen` leaves a self-signed one; a CA's goes by CSR and upload",
        )
    if plan.steps:
        yield NotDone(
            what="undo anything",
            why="a key that was replaced is gone; the way is forward, and only a restore of a "
            "backup brings the old one back",
        )
        yield NotDone(
            what="take a backup, or export ITLRecovery's key pair",
            why="people do both, and the preflight asks",
        )
        yield NotDone(
            what="delete a list at a phone, or carry out a remedy",
            why="remedies are named and never carried out by themselves",
        )
        yield NotDone(
            what="restart a node, or reset a whole device pool",
            why="services are restarted one by one, and phones reset by name",
        )
        yield NotDone(
            what="change anything on another system",
            why="only its own people can; their tasks are named",
        )


def _some(names: list[str]) -> str:
    shown = 3
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return f"{', '.join(names[:shown])}{more}"
