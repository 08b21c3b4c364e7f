"""Gathers the answers that checks need, and has the checks judge them; it only looks."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import attrs

from cucm_certflow.checks.phones import baseline_of, baseline_queries
from cucm_certflow.checks.preflight import PREFLIGHT
from cucm_certflow.checks.scope import Limits, Scope
from cucm_certflow.checks.verification import VERIFICATION
from cucm_certflow.checks.vocabulary import Check
from cucm_certflow.clock import Clock
from cucm_certflow.errors import AuthenticationFailed, IdentityNotTrusted, Report, UsageError
from cucm_certflow.facts import ClusterFacts, Fact, Query, Unknown
from cucm_certflow.findings import Baseline, CheckReport, Finding, Said
from cucm_certflow.names import CertUnit
from cucm_certflow.nearest import suggestion
from cucm_certflow.procedures.partners import PARTNER_TASKS
from cucm_certflow.procedures.policies import Policy
from cucm_certflow.transports.base import Transport

__all__ = ["answered", "gather", "judged", "known_words", "preflight", "take_baseline"]

_CLUSTER: Final = ""


async def gather(
    queries: Iterable[Query], transport: Transport, *, clock: Clock
) -> dict[Query, Fact]:
    """The answers to *queries*, each asked once: node beside node, a node's one after the other.

    Cancelling it leaves nothing behind.

    Raises:
        AuthenticationFailed: An account was refused; nothing more is tried with it.
        IdentityNotTrusted: A node is not who it should be.
    """
    by_node: dict[str, list[Query]] = defaultdict(list)
    for query in dict.fromkeys(queries):
        by_node[getattr(query, "node", _CLUSTER)].append(query)
    answers: dict[Query, Fact] = {}
    refused: list[AuthenticationFailed | IdentityNotTrusted] = []

    async def ask(asked: Sequence[Query]) -> None:
        for query in asked:
            if refused:
                return
            if transport.supports(query):
                try:
                    answers[query] = await transport.observe(query)
                except (AuthenticationFailed, IdentityNotTrusted) as error:
                    refused.append(error)
            else:
                answers[query] = Unknown("no way answers this question", clock.now())

    await asyncio.gather(*(ask(asked) for asked in by_node.values()))
    if refused:
        raise refused[0]
    return answers


def judged(checks: Iterable[Check], scope: Scope) -> tuple[Finding, ...]:
    """What those of *checks* that apply to *scope* find, in their order."""
    return tuple(check.judge(scope) for check in checks if check.applies(scope))


async def answered(
    checks: Iterable[Check],
    scope: Scope,
    transport: Transport,
    *,
    clock: Clock,
    more: Iterable[Query] = (),
) -> Scope:
    """*scope* with the answers that those of *checks* need that apply, and those to *more*."""
    queries = [query for check in checks if check.applies(scope) for query in check.asks(scope)]
    answers = await gather([*queries, *more], transport, clock=clock)
    return attrs.evolve(scope, answers={**scope.answers, **answers}, now=clock.now())


async def preflight(
    facts: ClusterFacts,
    transport: Transport,
    *,
    units: Iterable[CertUnit],
    clock: Clock,
    policy: Policy | None = None,
    limits: Limits | None = None,
    said: Iterable[Said] = (),
    checks: Sequence[Check] = PREFLIGHT,
) -> CheckReport:
    """Look at everything that has to be as it should before *units* are regenerated.

    It only looks; cancelling it leaves nothing behind. A question that nobody answers is never a
    pass. What only a person can answer is open until a ``Said`` names it.

    Args:
        facts: A discovery, as fresh as may be.
        transport: For what discovery does not read.
        units: What is to be regenerated: only what matters for these is looked at.
        clock: Gives ages their instant.
        policy: As for the plan.
        limits: From which figures on a check finds fault.
        said: What people say about items, by the identifiers of the checks; words about partner
            tasks, and about phones that may be left behind, are kept for the plan.
        checks: The table; the library's own.

    Raises:
        UsageError: No unit was asked for, or a word is about an item that no check has. Nothing
            was asked.
        AuthenticationFailed: An account was refused; nothing more is tried with it.
        IdentityNotTrusted: A node is not who it should be.
    """
    wanted = frozenset(CertUnit(unit) for unit in units)
    if not wanted:
        raise UsageError(
            Report(
                headline="no unit was asked for", expected="one or more", left="nothing was sent"
            )
        )
    words = known_words(said, checks, (phone.name for phone in facts.phones))
    scope = Scope(
        facts=facts,
        units=wanted,
        now=clock.now(),
        policy=policy or Policy(),
        limits=limits or Limits(),
        said=words,
    )
    scope = await answered(checks, scope, transport, clock=clock, more=baseline_queries())
    return CheckReport(
        findings=judged(checks, scope),
        said=words,
        baseline=baseline_of(scope),
        units=tuple(unit for unit in CertUnit if unit in wanted),
    )


async def take_baseline(facts: ClusterFacts, transport: Transport, *, clock: Clock) -> Baseline:
    """Who is registered now, by name and class; it only looks.

    Raises:
        AuthenticationFailed: As :func:`preflight`.
        IdentityNotTrusted: As :func:`preflight`.
    """
    answers: Mapping[Query, Fact] = await gather(baseline_queries(), transport, clock=clock)
    scope = Scope(facts=facts, units=frozenset(), now=clock.now(), answers=answers)
    return baseline_of(scope)


def known_words(
    said: Iterable[Said], checks: Iterable[Check] = (), phones: Iterable[str] = ()
) -> tuple[Said, ...]:
    """*said*, if every word is about something that is looked at or asked, now or afterwards.

    So that one list of words serves a whole change: what a look does not ask about, it leaves.

    Args:
        said: What people say.
        checks: Checks besides the library's own.
        phones: Names of phones, which a word may waive.

    Raises:
        UsageError: A word is about nothing that is known: mistyped, it would be no word at all.
    """
    words = tuple(said)
    items = {check.id for check in (*checks, *PREFLIGHT, *VERIFICATION)}
    items |= {task.id for task in PARTNER_TASKS} | set(phones)
    strangers = sorted({word.item for word in words} - items)
    if strangers:
        raise UsageError(
            Report(
                headline="a word is about an item that no check has",
                saw=", ".join(f"{each}{suggestion(each, items)}" for each in strangers),
                left="nothing was sent",
                next="take the identifier from the report of the checks",
            )
        )
    return words
