"""What readers of a plan ask beside its steps: phones touched, time at most, words on findings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Final

import attrs

from cucm_certflow.commands import ByHand, ResetPhones, RestartService, StopService
from cucm_certflow.core.plan import Plan, PlannedWindow, Step
from cucm_certflow.facts import Phone, PhoneSecurity
from cucm_certflow.findings import Finding, Verdict
from cucm_certflow.names import Service
from cucm_certflow.procedures.policies import Policy
from cucm_certflow.procedures.vocabulary import Requirement

__all__ = [
    "Barrier",
    "Exposed",
    "Judged",
    "OtherPolicy",
    "Particulars",
    "PhonesOfKind",
    "Touched",
]

_RESET: Final = "reset by name"
_REGISTERED: Final = "registered there, which lose it meanwhile"


@attrs.frozen(kw_only=True)
class PhonesOfKind:
    """Phones that are alike.

    Attributes:
        count: How many.
        model: As CUCM names it.
        protocol: SIP or SCCP; empty if it is not known.
        security: Their security mode.
        security_by_default: Whether they can ask TVS about what they do not know.
        group: Their CallManager group, in order.
    """

    count: int
    model: str
    protocol: str
    security: PhoneSecurity
    security_by_default: bool
    group: tuple[str, ...]

    def __str__(self) -> str:
        words = [self.model or "unknown model", self.protocol, self.security.value]
        if not self.security_by_default:
            words.append("without Security By Default")
        kind = ", ".join(word for word in words if word)
        return f"{self.count} {kind}, group {', '.join(self.group) or 'unknown'}"


@attrs.frozen(kw_only=True)
class Touched:
    """The phones that a step touches; those that only have new lists to fetch are not among them.

    Attributes:
        how: What happens to them; empty if there are none.
        count: How many.
        kinds: The same by kind, most first.
    """

    how: str = ""
    count: int = 0
    kinds: tuple[PhonesOfKind, ...] = ()

    def __str__(self) -> str:
        return f"{self.count} {self.how}" if self.count else "none"


@attrs.frozen(kw_only=True)
class Barrier:
    """What ends a window in which a trust list moved.

    Attributes:
        evidence: What each phone in scope has to show, unless it is waived by name.
        within_s: Seconds from the last reset until missing phones make the run hold.
    """

    evidence: str
    within_s: float

    def __str__(self) -> str:
        return (
            f"every phone in scope {self.evidence} within {self.within_s:.0f} s, or waived by name"
        )


@attrs.frozen(kw_only=True)
class Exposed:
    """Moments that no plan can spare these phones: if one is struck then, only a remedy helps.

    Attributes:
        remedy: The remedy.
        phones: Their names.
        first: The step after which it is so.
        last: The last step after which it is.
    """

    remedy: str
    phones: tuple[str, ...]
    first: str
    last: str


@attrs.frozen(kw_only=True)
class Judged:
    """A finding of the preflight that is no pass, and what has become of it.

    Attributes:
        finding: What was found.
        answer: Whose word lifts it, or that its phones are waived, or that it is only a warning;
            empty if it is open.
    """

    finding: Finding
    answer: str

    def __str__(self) -> str:
        found = str(self.finding).splitlines()[0]
        return f"{found}: {self.answer or 'OPEN'}"


@attrs.frozen(kw_only=True)
class OtherPolicy:
    """An attribute of the policy that is not the default, and no choice between sources."""

    name: str
    value: str
    default: str

    def __str__(self) -> str:
        return f"{self.name}: {self.value}, the default is {self.default}"


class Particulars:
    """The answers for one plan; the same plan gives the same answers.

    Args:
        plan: Refused or not.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    @cached_property
    def _phones(self) -> Mapping[str, Phone]:
        return {phone.name: phone for phone in self._plan.facts.phones}

    @cached_property
    def _registered(self) -> Mapping[str, tuple[str, ...]]:
        """The phones that were registered with each node, by its name, when the facts were read."""
        found: dict[str, list[str]] = {}
        for name, seen in self._plan.facts.registrations.items():
            if seen.registered:
                found.setdefault(seen.node, []).append(name)
        return {node: tuple(sorted(names)) for node, names in found.items()}

    def called(self, steps: Iterable[Step]) -> Touched:
        """The phones that *steps* reset, together."""
        commands = [step.command for step in steps]
        resets = [command for command in commands if isinstance(command, ResetPhones)]
        return self._kinds(_RESET, tuple(name for reset in resets for name in reset.names))

    def touched(self, step: Step) -> Touched:
        """The phones that *step* touches: it resets them, or takes their CallManager away."""
        match step.command:
            case ResetPhones():
                return self.called((step,))
            case RestartService(node, Service.CALLMANAGER) | StopService(node, Service.CALLMANAGER):
                return self._kinds(_REGISTERED, self._registered.get(node, ()))
            case _:
                return Touched()

    def _kinds(self, how: str, names: tuple[str, ...]) -> Touched:
        alike = Counter(
            (p.model, p.protocol, p.security, p.security_by_default, p.group)
            for p in map(self._phones.get, names)
            if p is not None
        )
        kinds = [
            PhonesOfKind(
                count=count,
                model=model,
                protocol=protocol,
                security=security,
                security_by_default=by_default,
                group=group,
            )
            for (model, protocol, security, by_default, group), count in alike.items()
        ]
        ordered = sorted(kinds, key=lambda kind: (-kind.count, str(kind)))
        return Touched(how=how if names else "", count=len(names), kinds=tuple(ordered))

    # ── time ──────────────────────────────────────────────────────────────────────────────

    def barrier(self, window: PlannedWindow) -> Barrier | None:
        """What ends *window*; None if no list moves in it."""
        plan = self._plan
        if not any(plan.procedures[unit].moves_lists for unit in window.units):
            return None
        grade = plan.policy.barrier.name.lower().replace("_", "-")
        return Barrier(evidence=grade, within_s=plan.policy.barrier_within_s)

    def at_most_s(self, window: PlannedWindow) -> float:
        """Seconds that *window* lasts at most before the run holds: its budgets, one after another.

        Not in it: the wait for a person, or for a maintenance window; for what a command requires
        and no budget bounds, such as replication; and a command that has to be sent again.
        """
        policy = self._plan.policy
        steps = [step for step in self._plan.steps if step.window == window.number]
        seconds = sum(s.row.within_s for s in steps if not isinstance(s.command, ByHand))
        falls = sum(Requirement.PHONES_FELL_BACK in step.row.requires for step in steps)
        resets = [step for step in steps if isinstance(step.command, ResetPhones)]
        waves = {step.row.wave for step in resets}
        canaries = {step.row.wave for step in resets if step.canary}
        between = len(resets) - len(waves) if policy.batch_waits else 0
        return (
            seconds
            + (policy.trust_watch_s if self._plan.entries else 0.0)
            + falls * policy.fall_back_within_s
            + between * policy.phone_back_within_s
            + len(canaries) * policy.canary_within_s
            + len(waves) * (policy.load_to_register_s + policy.barrier_within_s)
        )

    def exposed(self) -> tuple[Exposed, ...]:
        """The moments that the tables tolerate, by remedy and phones."""
        found: dict[tuple[str, tuple[str, ...]], list[str]] = {}
        for step in self._plan.steps:
            alike: dict[str, list[str]] = {}
            for phone, names in self._plan.classes.items():
                remedy = self._plan.tolerated(step, phone)[1]
                if remedy:
                    alike.setdefault(remedy, []).extend(names)
            for remedy, together in alike.items():
                found.setdefault((remedy, tuple(sorted(together))), []).append(step.id)
        return tuple(
            Exposed(remedy=remedy, phones=phones, first=steps[0], last=steps[-1])
            for (remedy, phones), steps in found.items()
        )

    # ── findings, policy ──────────────────────────────────────────────────────────────────

    def judged(self) -> tuple[Judged, ...]:
        """The preflight's findings that are no pass, the worst first, with who lifted each."""
        report = self._plan.preflight
        if report is None:
            return ()
        still_open = frozenset(f.check for f in report.open(self._plan.waived))
        return tuple(
            Judged(
                finding=finding,
                answer="" if finding.check in still_open else self._answer(finding),
            )
            for finding in report.in_order()
            if finding.verdict is not Verdict.PASS
        )

    def _answer(self, finding: Finding) -> str:
        if not finding.stops:
            return "a warning, which stops nothing"
        for said in self._plan.said:
            if finding.is_lifted_by(said):
                return f"lifted by {said.by}: {said.why}"
        return "its phones are waived by name"

    def other_policy(self, choices: frozenset[str]) -> tuple[OtherPolicy, ...]:
        """What of the policy is not the default, beside the *choices* that are told anyway."""
        default = Policy()
        return tuple(
            OtherPolicy(
                name=field.name,
                value=_in_words(getattr(self._plan.policy, field.name)),
                default=_in_words(getattr(default, field.name)),
            )
            for field in attrs.fields(Policy)
            if field.name not in choices
            and getattr(self._plan.policy, field.name) != getattr(default, field.name)
        )


def _in_words(value: object) -> str:
    if isinstance(value, frozenset):
        return ", ".join(sorted(map(_in_words, value))) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "none"
    if isinstance(value, float):
        return f"{value:g}"
    return str(getattr(value, "value", value))
