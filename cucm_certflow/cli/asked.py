"""What a plan is asked for: the options that ``plan``, ``run`` and ``rehearse`` have in common."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import attrs

from cucm_certflow.cli.common import (
    BarrierOption,
    BatchesByOption,
    BatchOption,
    CanaryOption,
    CapfOption,
    ExpiringOption,
    FailureLimitOption,
    NoRestartOption,
    TvsFirstOption,
    UnitOption,
    WaiveOption,
    WindowOption,
    check_kinds,
    policy_of,
    unit_named,
    units_of,
)
from cucm_certflow.cli.words import ByOption, SayOption, WordsOption, words_of
from cucm_certflow.cluster import Cluster
from cucm_certflow.core.plan import Plan
from cucm_certflow.core.planner import make_plan
from cucm_certflow.findings import Said
from cucm_certflow.names import CertUnit
from cucm_certflow.procedures.policies import Policy
from cucm_certflow.procedures.vocabulary import Stage

__all__ = ["Asked", "planned", "takes_asked"]

C = TypeVar("C", bound=Callable[..., object])


@attrs.frozen(kw_only=True)
class Asked:
    """The options, as they were given."""

    unit: UnitOption = None
    window: WindowOption = None
    waive: WaiveOption = None
    expiring: ExpiringOption = None
    tvs_first: TvsFirstOption = False
    capf_with_callmanager: CapfOption = False
    no_callmanager_restart: NoRestartOption = False
    barrier_within: BarrierOption = 1800.0
    canary: CanaryOption = "wave"
    reset_batch: BatchOption = 100
    batches_by: BatchesByOption = "name"
    failure_limit: FailureLimitOption = None
    say: SayOption = None
    by: ByOption = ""
    words: WordsOption = None

    @property
    def units(self) -> tuple[CertUnit, ...]:
        """The kinds that are named by ``--unit``.

        Raises:
            UsageError: There is none of that name.
        """
        return tuple(dict.fromkeys(map(unit_named, self.unit or ())))

    @property
    def windows(self) -> Sequence[tuple[CertUnit, ...]] | None:
        """The windows that are given as they are; None if the planner splits.

        Raises:
            UsageError: A kind is unknown.
        """
        if not self.window:
            return None
        return [tuple(map(unit_named, each.split(","))) for each in self.window]

    @property
    def said(self) -> tuple[Said, ...]:
        """What people have said.

        Raises:
            UsageError: The file of words does not read, or a word lacks something.
        """
        return words_of(self.say, self.by, self.words)

    def policy(self, speed: float = 1.0, approve: frozenset[Stage] = frozenset()) -> Policy:
        """The choices that the options make.

        Raises:
            UsageError: A figure is out of range.
        """
        return policy_of(
            tvs_first=self.tvs_first,
            barrier_within=self.barrier_within,
            speed=speed,
            capf_with_callmanager=self.capf_with_callmanager,
            no_callmanager_restart=self.no_callmanager_restart,
            approve=approve,
            canary=self.canary,
            reset_batch=self.reset_batch,
            batches_by=self.batches_by,
            failure_limit=self.failure_limit,
        )

    def check_one_way(self) -> None:
        """Make sure that kinds are asked for in one way.

        Raises:
            UsageError: In none, or in several, or a kind is unknown.
        """
        check_kinds(self.unit, self.window, self.expiring)


async def planned(cluster: Cluster, asked: Asked, policy: Policy) -> Plan:
    """Discover, look at everything that has to be right, and plan. Nothing is changed."""
    asked.check_one_way()
    said = asked.said
    facts = await cluster.discover()
    units = units_of(facts, asked.unit, asked.window, asked.expiring)
    report = await cluster.preflight(units=units, facts=facts, policy=policy, said=said)
    windows = asked.windows
    return make_plan(
        facts,
        units=units if windows is None else None,
        windows=windows,
        policy=policy,
        waive=asked.waive or (),
        preflight=report,
    )


_HINTS: Final = inspect.get_annotations(Asked, eval_str=True)


def takes_asked(command: C) -> C:
    """Give *command*, which has a parameter ``asked``, the options of :class:`Asked` in its place.

    What typer reads of a command is its signature.
    """

    @functools.wraps(command)
    def taking(**given: Any) -> object:  # noqa: ANN401 - what typer has parsed
        asked = Asked(**{name: given.pop(name) for name in _HINTS})
        return command(**given, asked=asked)

    options = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=_HINTS[field.name],
        )
        for field in attrs.fields(Asked)
    ]
    own = inspect.signature(command, eval_str=True)
    parameters: list[inspect.Parameter] = []
    for parameter in own.parameters.values():
        if parameter.name == "asked":
            parameters += options
        else:
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))
    taking.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]  # - what inspect looks at first
    taking.__annotations__ = {each.name: each.annotation for each in parameters}
    return taking  # type: ignore[return-value]  # - the same command for whoever calls it by options
