"""The plan as a value: windows, certificates, steps, and what was refused; no decisions here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import attrs

from cucm_certflow.commands import Command
from cucm_certflow.core.states import Blocked
from cucm_certflow.errors import RefusedError, Report
from cucm_certflow.facts import ClusterFacts, Phone, TrustEntry
from cucm_certflow.findings import CheckReport, Said
from cucm_certflow.names import CertUnit
from cucm_certflow.procedures.policies import NotAwaited, Policy
from cucm_certflow.procedures.vocabulary import Need, Procedure, Row, Situation
from cucm_certflow.trust.lifeline import Health
from cucm_certflow.trust.model import ClusterTrust
from cucm_certflow.trust.phone import Belief, PhoneClass

if TYPE_CHECKING:
    from cucm_certflow.procedures.partners import PartnerTask

__all__ = [
    "CertificateKey",
    "PhoneOutlook",
    "Plan",
    "PlannedWindow",
    "Step",
    "TrustKey",
    "phone_class",
]


class CertificateKey(NamedTuple):
    """One certificate: a unit on a node."""

    unit: CertUnit
    node: str

    def __str__(self) -> str:
        return f"{self.node}/{self.unit}"


class TrustKey(NamedTuple):
    """One certificate in the trust stores of one name, wherever in the cluster it is."""

    store: str
    fingerprint: str
    name: str

    def __str__(self) -> str:
        return f"{self.store}/{self.name}"


@attrs.frozen(kw_only=True)
class PlannedWindow:
    """Certificates that may change between two contacts with the phones, and why together.

    ``rest`` says what is so once it is closed, if the cluster can be left like that for days.
    """

    number: int
    certificates: tuple[CertificateKey, ...]
    reason: str
    rest: str = ""

    @property
    def units(self) -> tuple[CertUnit, ...]:
        """The units, once each, in order."""
        return tuple(dict.fromkeys(key.unit for key in self.certificates))


@attrs.frozen(kw_only=True, eq=False)
class Step:
    """One row of a procedure on one node: one changing command, and what proves it.

    ``certificates`` are those that it serves, ``entries`` those of trust stores; ``after`` is the
    step that must be proved before; ``canary`` says that it resets the canaries of its wave.
    """

    id: str
    index: int
    window: int
    row: Row
    command: Command
    certificates: tuple[CertificateKey, ...]
    after: int | None
    entries: tuple[TrustKey, ...] = ()
    canary: bool = False


@attrs.frozen(kw_only=True)
class PhoneOutlook:
    """A phone that will not simply come back, what will happen to it, and what to do."""

    name: str
    reason: str
    outcome: str
    health: Health
    remedy: str


def phone_class(phone: Phone) -> PhoneClass:
    """The class of phones that decide like *phone*."""
    return PhoneClass(phone.group, phone.security_by_default, phone.is_secure)


@attrs.frozen(kw_only=True, eq=False)
class Plan:
    """What will be done, in which order, and why.

    ``make_plan`` never raises for an unsafe wish: a refused plan says why.

    Attributes:
        refusals: Why it is refused; empty for a plan that may run.
        outlooks: The phones that will not simply come back, by name.
        fingerprint: Of the facts it was made from; checked before the first intent.
        trust: The cluster's trust as the facts show it.
        beliefs: What the phones of each class are taken to hold at the start.
        situation: What decided which rows of the tables apply.
        tasks: What only the people of other systems can do; the run is not complete before each
            was acknowledged.
        preflight: What was looked at before, and what was said about it; None if nobody looked.
        said: What people said before the run began, preflight's words included.
        entries: The certificates of trust stores that are deleted, for a clean-up.
        stores: For a clean-up: everything that was in each node's trust stores.
        left_alone: Certificates that nodes show and that are never touched, by node.
        not_awaited: Phones that nothing waits for, by name, with the class that each is of.
    """

    facts: ClusterFacts
    policy: Policy
    procedures: Mapping[CertUnit, Procedure]
    windows: tuple[PlannedWindow, ...]
    certificates: tuple[CertificateKey, ...]
    steps: tuple[Step, ...]
    trust: ClusterTrust
    beliefs: tuple[tuple[PhoneClass, Belief], ...]
    waived: frozenset[str]
    refusals: tuple[Blocked, ...]
    outlooks: tuple[PhoneOutlook, ...]
    fingerprint: str
    situation: Situation
    tasks: tuple[PartnerTask, ...] = ()
    preflight: CheckReport | None = None
    said: tuple[Said, ...] = ()
    entries: tuple[TrustKey, ...] = ()
    left_alone: tuple[str, ...] = ()
    not_awaited: Mapping[str, NotAwaited] = attrs.field(factory=dict[str, NotAwaited])
    stores: Mapping[str, tuple[TrustEntry, ...]] = attrs.field(
        factory=dict[str, tuple[TrustEntry, ...]]
    )
    given: bool
    """The windows were asked for as they are, not split by the planner."""

    index_of: Mapping[str, int]
    window_of: Mapping[CertificateKey, int]
    steps_of: Mapping[CertificateKey, tuple[int, ...]]
    classes: Mapping[PhoneClass, tuple[str, ...]]
    """The names of the phones in each class, sorted."""

    batch_of: Mapping[tuple[int, int, str], int]
    """The reset step of a phone in a window and wave: by (window, wave, name)."""

    @property
    def is_refused(self) -> bool:
        """Whether a safety rule said no."""
        return bool(self.refusals)

    def raise_if_refused(self) -> None:
        """Raise :class:`RefusedError` with every reason, if there is one. Nothing was sent."""
        if self.refusals:
            raise RefusedError(
                Report(
                    headline="the plan is refused",
                    saw="\n            ".join(str(refusal) for refusal in self.refusals),
                    left="nothing was sent; the cluster is as it was",
                    next="change the plan as each reason's unlock says",
                )
            )

    def tolerated(self, step: Step, phone: PhoneClass) -> tuple[Health, str]:
        """The worst health that the tables allow *phone* after *step*, and the remedy for it."""
        for unit in self.windows[step.window].units:
            for exposure in self.procedures[unit].exposures:
                concerned = exposure.phones is Need.EVERY_PHONE or not phone.security_by_default
                if not concerned or not exposure.when.holds_in(self.situation):
                    continue
                ends = [
                    other.index
                    for other in self.steps
                    if other.window == step.window and other.row.name == exposure.until
                ]
                if not exposure.until or any(step.index < end for end in ends):
                    return Health.NEEDS_LOCALKEY, exposure.remedy
        return Health.OK, ""

    def digest(self) -> str:
        """What a journal is bound to: the tables' digests and the plan's fingerprint."""
        tables = "|".join(self.procedures[unit].digest() for unit in sorted(self.procedures))
        return f"{self.fingerprint}|{tables}"

    def __str__(self) -> str:
        from cucm_certflow.core.describe import describe_plan  # noqa: PLC0415 - it needs Plan first

        return describe_plan(self)
