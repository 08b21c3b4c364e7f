"""What a user wants to be checked: units or windows, a policy, waived phones, guards left out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any, Final, Self

import attrs
import cattrs

from cucm_certflow.core.certificate_guards import CERTIFICATE_GUARDS
from cucm_certflow.core.command_guards import COMMAND_GUARDS
from cucm_certflow.core.entry_guards import ENTRY_GUARDS
from cucm_certflow.documents import not_read
from cucm_certflow.errors import PolicyError, Report
from cucm_certflow.facts import ClusterFacts
from cucm_certflow.lab.document import (
    Wrong,
    WrongValue,
    parse,
    strict_converter,
    structure,
)
from cucm_certflow.names import CertUnit
from cucm_certflow.nearest import suggestion
from cucm_certflow.procedures.policies import Canary, Evidence, NotAwaited, Policy, UnitOrder

__all__ = ["GUARDS", "Wish", "contradictions_in"]

GUARDS: Final = tuple(sorted({*COMMAND_GUARDS, *CERTIFICATE_GUARDS, *ENTRY_GUARDS}))
"""The guards that a wish may be explored without."""


@attrs.frozen(kw_only=True)
class Wish:
    """What is to be checked; as a file, TOML with these keys.

    Attributes:
        units: Certificate kinds; the planner splits them into windows.
        windows: Explicit windows instead, each a set of kinds that change together.
        waive: Names of phones that may be left behind.
        without: Guards that the plan is explored without, to see what they keep from happening.
            Nothing but an exploration ever runs without one.
        policy: Choices that the sources leave open; enumerations by the names of their members.
    """

    units: tuple[CertUnit, ...] = ()
    windows: tuple[tuple[CertUnit, ...], ...] = ()
    waive: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    policy: Policy = attrs.field(factory=Policy)

    def __attrs_post_init__(self) -> None:
        wrongs: list[Wrong] = []
        if self.units and self.windows:
            wrongs.append(Wrong("windows", "units are given as well: one of the two"))
        seen: dict[CertUnit, int] = {}
        for number, window in enumerate(self.windows):
            if not window:
                wrongs.append(Wrong(f"windows[{number}]", "nothing changes in it"))
            for unit in window:
                if unit in seen:
                    reason = f"{unit} is in windows[{seen[unit]}] already: it would be made twice"
                    wrongs.append(Wrong(f"windows[{number}]", reason))
                seen.setdefault(unit, number)
        for number, name in enumerate(self.without):
            if name not in GUARDS:
                reason = f"there is no guard {name!r:.40}{suggestion(name, GUARDS)}"
                wrongs.append(Wrong(f"without[{number}]", reason))
        if wrongs:
            raise WrongValue(*wrongs)

    def said_of(self, name: str) -> tuple[bool, NotAwaited | None]:
        """What is said by name of the phone *name*: waived, and as what it is not waited for."""
        return name in self.waive, self.policy.not_awaited.get(name)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a file.

        Raises:
            PolicyError: It cannot be read, is not TOML, or is wrong; the report names the places.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            report = Report(
                headline=f"the policy {path} cannot be read",
                saw=not_read(path, error),
                left="nothing was explored, and nothing was sent",
                next="name a TOML file of units or windows, policy, waive, without",
            )
            raise PolicyError(report) from error
        return cls.loads(text, source=str(path))

    @classmethod
    def loads(cls, text: str, *, source: str = "") -> Self:
        """Read a wish from *text*; *source* is named in errors.

        Raises:
            PolicyError: As :meth:`load`.
        """
        document = parse(text, source, what="policy", error=PolicyError)
        return structure(
            document,
            cls,
            _rules(),
            source,
            what="policy",
            error=PolicyError,
            help_at="cucm_certflow.procedures.policies",
        )


def _rules() -> cattrs.Converter:
    rules = strict_converter()
    rules.register_structure_hook(Enum, _member)
    rules.register_structure_hook(Evidence, _member)  # it is a number as well
    rules.register_structure_hook(CertUnit, _unit)
    return rules


def _member(value: Any, kind: type[Enum]) -> Enum:  # noqa: ANN401 - cattrs' signature
    names = [member.name.lower() for member in kind]
    if not isinstance(value, str) or value.lower() not in names:
        reason = f"expected one of {', '.join(names)}; saw {value!r:.40}{suggestion(value, names)}"
        raise WrongValue(Wrong("", reason))
    return kind[value.upper()]


def _unit(value: Any, _: Any) -> CertUnit:  # noqa: ANN401 - cattrs' signature
    for unit in CertUnit:
        if isinstance(value, str) and unit.value.lower() == value.strip().lower():
            return unit
    units = [unit.value for unit in CertUnit]
    reason = f"expected one of {', '.join(units)}; saw {value!r:.40}{suggestion(value, units)}"
    raise WrongValue(Wrong("", reason))


def contradictions_in(wish: Wish, facts: ClusterFacts) -> Iterator[str]:
    """What in *wish* contradicts itself, or the cluster of *facts*; each with what comes of it."""
    policy = wish.policy
    both = sorted({*wish.waive} & set(policy.not_awaited))
    if both:
        yield (
            f"{_some(both)}: waived, and not waited for either: they are waived, and what is said "
            "of their class is never looked at"
        )
    names = {phone.name for phone in facts.phones}
    if names and names <= set(wish.waive):
        yield (
            "every phone is waived: no barrier waits for anybody, no lifeline is kept, and the run "
            "ends as done with all phones left behind"
        )
    elif names and names <= {*wish.waive, *policy.not_awaited}:
        yield (
            "every phone is waived or not waited for: no barrier waits for anybody, and each "
            "window is closed while phones may still hold the lists of before"
        )
    if policy.order is UnitOrder.TVS_FIRST and _callmanager_first(wish):
        yield (
            "the policy says TVS first, and the windows say CallManager first: the windows are "
            "taken, and what the order is for is not had"
        )
    if policy.barrier >= Evidence.LIST_MATCH and not policy.phone_pages:
        yield (
            "the barrier asks for the list that each phone holds, and phone_pages, which alone "
            "reads it, is off: the run holds at its first barrier"
        )
    if policy.plateau_s < policy.load_to_register_s:
        yield (
            f"a barrier holds when nobody has come for {policy.plateau_s:g} s, and a boot takes up "
            f"to {policy.load_to_register_s:g} s: the run may hold while phones boot"
        )
    if policy.run_within_s is not None and policy.run_within_s <= policy.barrier_within_s:
        yield (
            f"the whole run has {policy.run_within_s:g} s, and its first barrier "
            f"{policy.barrier_within_s:g} s: it holds before the phones can be back"
        )
    if (
        policy.approve
        and policy.run_within_s is not None
        and (policy.approval_within_s >= policy.run_within_s)
    ):
        yield (
            f"an approval may take {policy.approval_within_s:g} s, and the whole run "
            f"{policy.run_within_s:g} s: it holds while it waits for a person"
        )
    if policy.failure_limit is not None and policy.phone_back_within_s > policy.barrier_within_s:
        yield (
            f"a phone has failed after {policy.phone_back_within_s:g} s, and the barrier holds "
            f"after {policy.barrier_within_s:g} s: the failure limit is never reached"
        )
    if policy.canary is not Canary.OFF and policy.canary_within_s < policy.load_to_register_s:
        yield (
            f"canaries have {policy.canary_within_s:g} s to be back, and a boot takes up to "
            f"{policy.load_to_register_s:g} s: the run holds at its canaries"
        )
    if policy.barrier_within_s < policy.load_to_register_s:
        yield (
            f"phones have {policy.barrier_within_s:g} s to be back, and a boot takes up to "
            f"{policy.load_to_register_s:g} s: the run holds at its first barrier"
        )


def _callmanager_first(wish: Wish) -> bool:
    """Whether the windows of *wish* have CallManager in one before that of TVS."""
    at = {unit: number for number, window in enumerate(wish.windows) for unit in window}
    both = CertUnit.CALLMANAGER in at and CertUnit.TVS in at
    return both and at[CertUnit.CALLMANAGER] < at[CertUnit.TVS]


def _some(names: Iterable[str]) -> str:
    first, *others = names
    return f"{first} and {len(others)} more" if others else first
