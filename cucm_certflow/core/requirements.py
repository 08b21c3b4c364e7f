"""The rules that a row asks for by name: replication, backups, databases, phones that fall back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from cucm_certflow.commands import RestartService
from cucm_certflow.core.states import Blocked, CommandState, Guard
from cucm_certflow.core.view import View
from cucm_certflow.facts import (
    BackupActivity,
    BackupStatus,
    Certificate,
    CertificateOf,
    DatabaseCertificates,
    Registration,
    Registrations,
    Replication,
    Unknown,
)
from cucm_certflow.names import Product, Service
from cucm_certflow.procedures.vocabulary import Requirement, Source
from cucm_certflow.trust.model import ClusterTrust
from cucm_certflow.trust.phone import PhoneClass, can_register, may_hold

__all__ = ["REQUIREMENT_GUARDS", "short_name"]

_GOOD: Final = 2
_NAMED: Final = 60
_DATABASE_WITHIN_S: Final = 1800.0


def short_name(name: str) -> str:
    """A node's name as every listing has it: without its domain, in lower case."""
    return name.lower().split(".", maxsplit=1)[0]


def _replication_good(view: View) -> Blocked | None:
    """K7: before each regeneration; TVS answers from the database of its own node."""
    facts = view.plan.facts
    nodes = [node.name for node in facts.nodes if node.product is Product.CALLMANAGER]
    if len(nodes) == 1:
        return None
    query = Replication()
    fact = view.get(query, max_age_s=view.plan.policy.slow_fresh_s)
    if isinstance(fact, Unknown):
        return view.unknown("replication_good", query, fact)
    states: Mapping[str, int] = {short_name(name): state for name, state in fact.value.items()}
    bad = [
        f"{name}: {states.get(short_name(name), 'not listed')}"
        for name in nodes
        if states.get(short_name(name)) != _GOOD
    ]
    if not bad:
        return None
    return Blocked(
        guard="replication_good",
        detail="database replication is not in state 2 on every node",
        evidence=tuple(bad),
        unlock="utils dbreplication runtimestate with (2) on every node, then resume",
        source="procedures K7; Cisco TAC 215013",
        subject=view.subject,
    )


def _no_backup_running(view: View) -> Blocked | None:
    query = BackupStatus()
    fact = view.get(query, changing=True)
    if isinstance(fact, Unknown):
        return view.unknown("no_backup_running", query, fact)
    if fact.value is BackupActivity.IDLE:
        return None
    return Blocked(
        guard="no_backup_running",
        detail="a backup or a restore is running",
        unlock="its end",
        source="Cisco TAC 217138, ipsec",
        retry_at=view.retry_at,
        subject=view.subject,
    )


def _databases_have_it(view: View) -> Blocked | None:
    """Field notes §8: replication in state 2 does not show that a node's own database has it.

    Asked about what phones meet, before the first command that shows them anything: a phone that
    turned a list down while a database lagged could still be on its way when the phones are called.
    """
    keys = [k for k in view.step.certificates if view.plan.procedures[k.unit].moves_lists]
    if not keys:
        return None
    own = {key: CertificateOf(key.node, key.unit) for key in keys}
    names = [node.name for node in view.plan.trust.nodes]
    since = max((view.life_of(key).since or view.now for key in keys), default=view.now)
    slow = view.plan.policy.slow_fresh_s
    databases = {name: DatabaseCertificates(name) for name in names}
    current = {key: view.get(query) for key, query in own.items()}
    held = {
        name: view.get(query, since=since, max_age_s=slow, changing=True)
        for name, query in databases.items()
    }  # asked for in one go
    wanted: dict[str, str] = {}
    for key, fact in current.items():
        if isinstance(fact, Unknown):
            return view.unknown("databases_have_it", own[key], fact)
        certificate: Certificate = fact.value
        wanted[certificate.fingerprint] = f"{key} serial {certificate.serial}"
    for name, fact in held.items():
        if isinstance(fact, Unknown):
            return view.unknown("databases_have_it", databases[name], fact)
        missing = sorted(text for key, text in wanted.items() if key not in fact.value)
        if missing:
            over = view.now >= since + timedelta(seconds=_DATABASE_WITHIN_S)
            return Blocked(
                guard="databases_have_it",
                detail=f"the database of {name} does not have every new certificate: its TVS would "
                "vouch for none of them",
                evidence=tuple(missing[:_NAMED]),
                unlock="replication to that node; then resume",
                source="procedures §2.3 and §8; K7",
                retry_at=None if over else view.retry_at,
                subject=view.subject,
            )
    return None


def _phones_fell_back(view: View) -> Blocked | None:
    """Field notes §8: the next member of a group only when phones have come back to one before."""
    command = view.step.command
    assert isinstance(command, RestartService)
    restarted = dict(_restarted_before(view))
    if not restarted:
        return None
    query = Registrations()
    fact = view.get(query, changing=True)
    if isinstance(fact, Unknown):
        return view.unknown("phones_fell_back", query, fact)
    cluster = view.cluster()
    if isinstance(cluster, Blocked):
        return cluster
    table: Mapping[str, Registration] = fact.value
    away: list[str] = []
    for phone, names in view.in_scope():
        if command.node not in phone.group:
            continue
        better = phone.group[: phone.group.index(command.node)]
        waited_for = [
            name for name in better if name in restarted and _can_come(view, cluster, phone, name)
        ]
        if not waited_for:
            continue
        away += [
            f"{name} is with {command.node} still, not with {', '.join(waited_for)}"
            for name in names
            if (now := table.get(name)) is not None
            and now.registered
            and now.node == command.node
            and not _was_there_before(view, name, command.node)
        ]
    if not away:
        return None
    until = max(restarted.values()) + timedelta(seconds=view.plan.policy.fall_back_within_s)
    return Blocked(
        guard="phones_fell_back",
        detail=f"{len(away)} phones have not come back to a member of their group that was "
        f"restarted before; a restart on {command.node} could leave them with none",
        evidence=tuple(away[:_NAMED]),
        unlock="their return, or waive them by name; if they do not return, find out why first",
        source="procedures §8; K8",
        retry_at=view.retry_at if view.now < until else None,
        subject=view.subject,
        phones=tuple(line.split(" ", 1)[0] for line in away),
    )


def _restarted_before(view: View) -> Iterator[tuple[str, datetime]]:
    """The nodes on which this window's wave has restarted CallManager, and since when they run."""
    for step in view.steps_of(view.step.window, view.step.row.wave):
        progress = view.state.steps[step.index]
        if (
            isinstance(step.command, RestartService)
            and step.command.service is Service.CALLMANAGER
            and progress.state is CommandState.PROVED
        ):
            yield step.command.node, progress.since or view.now


def _can_come(view: View, cluster: ClusterTrust, phone: PhoneClass, node: str) -> bool:
    """Whether phones of the class could register with *node*, whatever they may hold.

    A secure phone that holds the old CTL cannot, until it has come for its files: it is no sign of
    trouble that it does not return.
    """
    presented = cluster.node(node).callmanager
    return all(
        can_register(cluster, phone, holding, presented)
        for holding in may_hold(cluster, phone, view.belief(phone))
    )


def _was_there_before(view: View, name: str, node: str) -> bool:
    """Whether the phone was with *node* when the plan was made: nothing drives it away from it."""
    before = view.plan.facts.registrations.get(name)
    return before is not None and before.registered and before.node == node


def _when_required(
    requirement: Requirement, check: Callable[[View], Blocked | None], source: Source
) -> Guard[View]:
    def required(view: View) -> Blocked | None:
        return check(view) if requirement in view.step.row.requires else None

    return Guard(
        requirement.name.lower(), f"{requirement.value}, where a row asks", required, source
    )


REQUIREMENT_GUARDS: Final[tuple[Guard[View], ...]] = (
    _when_required(
        Requirement.REPLICATION_GOOD, _replication_good, Source("procedures", "§3", "K7")
    ),
    _when_required(
        Requirement.NO_BACKUP_RUNNING, _no_backup_running, Source("Cisco TAC 217138", "ipsec")
    ),
    _when_required(
        Requirement.DATABASES_HAVE_IT, _databases_have_it, Source("procedures", "§8", "K7")
    ),
    _when_required(
        Requirement.PHONES_FELL_BACK, _phones_fell_back, Source("procedures", "§8", "K8")
    ),
)
"""One guard for each requirement of the vocabulary."""
