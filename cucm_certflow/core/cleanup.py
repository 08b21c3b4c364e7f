"""Plans the clean-up of trust stores: what is deleted, in which order, and what is refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from cucm_certflow.commands import (
    Command,
    DeleteTrust,
    RestartService,
    StartService,
    StopService,
)
from cucm_certflow.core.entry_guards import LSCS_REISSUED
from cucm_certflow.core.plan import Plan, PlannedWindow, Step, TrustKey, phone_class
from cucm_certflow.core.planner import fingerprint_of, situation_of
from cucm_certflow.core.starting_trust import held_at_start, trust_of
from cucm_certflow.core.states import Blocked
from cucm_certflow.core.trust_entries import is_over, needed_by
from cucm_certflow.errors import Report, UsageError
from cucm_certflow.facts import ClusterFacts, ServiceStatus, TrustEntry
from cucm_certflow.findings import Said
from cucm_certflow.names import Service
from cucm_certflow.procedures.cleanup import (
    DELETE,
    QUIETED,
    RESTARTED_FOR,
    start,
    stop,
    stopped_under,
)
from cucm_certflow.procedures.policies import Policy, trust_policy
from cucm_certflow.procedures.releases import known_release
from cucm_certflow.procedures.rows import restart
from cucm_certflow.procedures.vocabulary import Row, Source
from cucm_certflow.trust.phone import PhoneClass

__all__ = ["plan_cleanup"]

_X4 = Source("Cisco TAC 214231", "Deleting expired trust certificates", "X4: no phone is reset")

Stores = Mapping[str, Sequence[TrustEntry]]


def plan_cleanup(
    facts: ClusterFacts,
    stores: Stores,
    *,
    delete: Iterable[TrustKey] | None = None,
    policy: Policy | None = None,
    said: Iterable[Said] = (),
) -> Plan:
    """Plan to delete trust certificates: those that have expired, or exactly *delete*.

    Pure: nothing is sent. A deletion is taken to be cluster-wide (D15), so that a certificate is
    refused if any node needs it. Without *delete*, expired ones that are needed are left where
    they are; with it, each that is needed refuses the plan.

    Args:
        facts: What discovery found.
        stores: What is in the trust stores of every node, by node (:class:`TrustStores`).
        delete: Which to delete, expired or not; :attr:`Plan.entries` of another plan, for example.
        policy: For how long to watch, and the rest.
        said: What people say; ``lscs-reissued`` lets go of old CAPF certificates.

    Raises:
        UsageError: *delete* is empty, or names something that no store has.
    """
    policy = policy or Policy()
    words = tuple(said)
    there = _by_key(stores)
    reissued = any(word.item == LSCS_REISSUED for word in words)
    why = {key: _needed(facts, entry, lscs_reissued=reissued) for key, entry in there.items()}
    refusals: list[Blocked] = []
    if delete is None:
        chosen = [key for key, entry in there.items() if is_over(entry, facts.at) and not why[key]]
    else:
        chosen = _chosen(delete, there)
        refusals += [_refused(key, why[key]) for key in chosen if why[key]]
    refusals += _missing(facts, stores)
    trust, trust_refusals = trust_of(facts, trust_policy(policy, facts.release))
    classes: dict[PhoneClass, list[str]] = {}
    for phone in sorted(facts.phones, key=lambda phone: phone.name):
        classes.setdefault(phone_class(phone), []).append(phone.name)
    if any(RESTARTED_FOR.get(key.store) for key in chosen):
        refusals += trust_refusals
    entries = () if refusals else tuple(sorted(chosen))
    steps = _steps(facts, stores, entries)
    reason = "trust certificates alone: no identity changes, no phone is reset"
    return Plan(
        facts=facts,
        policy=policy,
        procedures={},
        windows=(PlannedWindow(number=0, certificates=(), reason=reason),),
        certificates=(),
        steps=steps,
        trust=trust,
        beliefs=tuple((phone, held_at_start(trust, phone)) for phone in classes),
        waived=frozenset(),
        refusals=tuple(refusals),
        outlooks=(),
        fingerprint=fingerprint_of(facts),
        given=False,
        index_of={step.id: step.index for step in steps},
        window_of={},
        steps_of={},
        classes={phone: tuple(names) for phone, names in classes.items()},
        batch_of={},
        situation=situation_of(facts, policy),
        said=words,
        entries=entries,
        stores={node: tuple(held) for node, held in stores.items()},
    )


def _by_key(stores: Stores) -> dict[TrustKey, TrustEntry]:
    found: dict[tuple[str, str], tuple[TrustKey, TrustEntry]] = {}
    for held in stores.values():
        for entry in held:
            fingerprint = entry.certificate.fingerprint
            key = TrustKey(entry.store, fingerprint, entry.name)
            found.setdefault((entry.store, fingerprint), (key, entry))
    return dict(found.values())


def _chosen(delete: Iterable[TrustKey], there: Mapping[TrustKey, TrustEntry]) -> list[TrustKey]:
    chosen = list(dict.fromkeys(delete))
    strangers = [str(key) for key in chosen if key not in there]
    if strangers or not chosen:
        raise UsageError(
            Report(
                headline="what is to be deleted is in no trust store"
                if strangers
                else "nothing was given to delete",
                saw=", ".join(strangers),
                left="nothing was sent",
                next="read the trust stores again",
            )
        )
    return chosen


def _needed(facts: ClusterFacts, entry: TrustEntry, *, lscs_reissued: bool) -> tuple[str, ...]:
    lists = [
        (node.name, served)
        for node in facts.tftp_nodes
        for served in (node.itl, node.ctl)
        if served is not None
    ]
    return needed_by(
        entry,
        {node.name: node.certificates for node in facts.nodes},
        lists,
        node_names=[node.name for node in facts.nodes],
        lscs_reissued=lscs_reissued,
    )


def _refused(key: TrustKey, reasons: tuple[str, ...]) -> Blocked:
    return Blocked(
        guard="entry_not_needed",
        detail=f"{key} is still needed",
        evidence=reasons,
        unlock="leave it where it is",
        source="Cisco TAC 214231, X1; D15, D23; K9",
        subject=str(key),
    )


def _missing(facts: ClusterFacts, stores: Stores) -> list[Blocked]:
    refusals = [
        Blocked(guard="facts_known", detail=text, unlock="an answer; unknown is never yes or no")
        for text in facts.unknown
    ]
    refusals += [
        Blocked(
            guard="facts_known",
            detail=f"the trust stores of {node.name} were not read: a deletion may be cluster-wide",
            unlock="an answer of every node",
            source="D15",
        )
        for node in facts.nodes
        if node.name not in stores
    ]
    if not known_release(facts.release):
        refusals.append(
            Blocked(
                guard="procedure_known",
                detail=f"there is no release {facts.release} that the tables know",
                unlock="tables with their sources; nothing is guessed",
            )
        )
    return refusals


def _steps(facts: ClusterFacts, stores: Stores, entries: Sequence[TrustKey]) -> tuple[Step, ...]:
    """Stop, delete, restart, start: one after the other, publishers first."""
    made: list[tuple[Row, Command, tuple[TrustKey, ...]]] = []
    quieted = _quieted(facts) if entries and stopped_under(facts.release) else []
    made += [(stop(service), StopService(node, service), ()) for node, service in quieted]
    for key in entries:
        made += [
            (DELETE, DeleteTrust(node.name, key.store, held.name), (key,))
            for node in facts.in_order
            for held in stores[node.name]
            if (held.store, held.certificate.fingerprint) == (key.store, key.fingerprint)
        ]
    restarted = dict.fromkeys(
        service for key in entries for service in RESTARTED_FOR.get(key.store, ())
    )
    for service in restarted:
        made += [
            (restart(service, _X4), RestartService(node.name, service), ())
            for node in facts.in_order
            if node.runs(service)
        ]
    made += [(start(service), StartService(node, service), ()) for node, service in quieted]
    return tuple(
        Step(
            id=f"{row.name}:{number + 1}@{command.node}",
            index=number,
            window=0,
            row=row,
            command=command,
            certificates=(),
            after=number - 1 if number else None,
            entries=keys,
        )
        for number, (row, command, keys) in enumerate(made)
    )


def _quieted(facts: ClusterFacts) -> list[tuple[str, Service]]:
    """The services that run now and would put certificates back; they alone are started again."""
    return [
        (node.name, service)
        for service, product in QUIETED
        for node in facts.in_order
        if node.product is product
        and (state := node.services.get(service)) is not None
        and state.status is ServiceStatus.STARTED
    ]
