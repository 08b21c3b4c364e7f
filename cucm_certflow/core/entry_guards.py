"""The rules that say no to a deletion from trust stores, and to calling one done."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from cucm_certflow.commands import DeleteTrust, RestartService, StartService
from cucm_certflow.core.proofs import Verdict, entry_is_gone
from cucm_certflow.core.states import Blocked, CommandState, Guard
from cucm_certflow.core.trust_entries import needed_by
from cucm_certflow.core.view import View
from cucm_certflow.facts import (
    Certificate,
    CertificateOf,
    Fact,
    Known,
    ListView,
    Query,
    ServedList,
    TrustEntry,
    TrustStores,
    Unknown,
)
from cucm_certflow.names import CertUnit, ListKind
from cucm_certflow.procedures.vocabulary import Source

__all__ = ["DELETION_GUARDS", "ENTRY_GUARDS", "LSCS_REISSUED"]

LSCS_REISSUED: Final = "lscs-reissued"
"""What a person says when no phone has an LSC of an old CAPF any more."""

_SEED: Final = Source("Cisco TAC 214231", "Deleting expired trust certificates", "X1 to X5")
_WIDE: Final = Source("Cisco security guide 14SU2", "Certificates", "D15: assume cluster-wide")
_SYNC: Final = Source("Cisco TAC 210541", "Change Notification", "stores are synced every 1,800 s")


def _entry_is_gone(view: View) -> Blocked | None:
    if not isinstance(view.step.command, DeleteTrust):
        return Blocked(guard="entry_is_gone", detail="it deletes nothing", subject=view.subject)
    shown = entry_is_gone(view, since=_last_deletion(view))
    if shown.verdict is Verdict.DONE:
        return None
    return Blocked(guard="entry_is_gone", detail=shown.saw, subject=view.subject)


def _last_deletion(view: View) -> datetime | None:
    """When the run last sent a deletion: what was read before it does not count any more."""
    sent = [
        progress.intended_at
        for step, progress in zip(view.plan.steps, view.state.steps, strict=True)
        if isinstance(step.command, DeleteTrust) and progress.intended_at is not None
    ]
    return max(sent, default=None)


def _entry_is_there(view: View) -> Blocked | None:
    """Only what was seen since the last deletion is deleted: that may have been cluster-wide."""
    if not isinstance(view.step.command, DeleteTrust):
        return None
    shown = entry_is_gone(view, since=_last_deletion(view))
    if shown.verdict is Verdict.NOT_DONE:
        return None
    return Blocked(
        guard="entry_is_there",
        detail=f"nothing to delete was seen: {shown.saw}",
        unlock="an answer; unknown is never read as yes or no",
        source=str(_WIDE),
        retry_at=view.retry_at,
        subject=view.subject,
    )


def _entry_not_needed(view: View) -> Blocked | None:
    """Looked at anew before each deletion: a certificate can come into use between plan and run."""
    if not isinstance(view.step.command, DeleteTrust):
        return None
    slow = view.plan.policy.slow_fresh_s
    queries: list[CertificateOf] = [
        CertificateOf(node.name, unit)
        for node in view.plan.facts.nodes
        for unit in node.certificates
    ]
    kinds = tuple(ListKind) if view.plan.trust.mixed else (ListKind.ITL,)
    served = [ServedList(node.name, kind) for node in view.plan.trust.tftp_nodes for kind in kinds]
    asked: list[CertificateOf | ServedList] = [*queries, *served]
    facts: dict[Query, Fact] = {query: view.get(query, max_age_s=slow) for query in asked}
    for query, fact in facts.items():
        if isinstance(fact, Unknown):
            return view.unknown("entry_not_needed", query, fact)
    identities: dict[str, dict[CertUnit, Certificate]] = {}
    for query in queries:
        fact = facts[query]
        assert isinstance(fact, Known)
        identities.setdefault(query.node, {})[query.unit] = fact.value
    lists: list[tuple[str, ListView]] = []
    for wanted in served:
        fact = facts[wanted]
        assert isinstance(fact, Known)
        if fact.value is not None:
            lists.append((wanted.node, fact.value))
    for key in view.step.entries:
        entry = _planned_entry(view, key.store, key.fingerprint)
        reasons = needed_by(
            entry,
            identities,
            lists,
            node_names=[node.name for node in view.plan.facts.nodes],
            lscs_reissued=LSCS_REISSUED in view.state.acknowledged,
        )
        if reasons:
            return Blocked(
                guard="entry_not_needed",
                detail=f"{key} is still needed",
                evidence=reasons,
                unlock="leave it where it is: plan the clean-up anew",
                source=str(_SEED),
                subject=view.subject,
            )
    return None


def _planned_entry(view: View, store: str, fingerprint: str) -> TrustEntry:
    return next(
        entry
        for entries in view.plan.stores.values()
        for entry in entries
        if entry.store == store and entry.certificate.fingerprint == fingerprint
    )


def _deletions_proved(view: View) -> Blocked | None:
    for step, progress in zip(view.plan.steps, view.state.steps, strict=True):
        if view.entry in step.entries and progress.state is not CommandState.PROVED:
            return Blocked(
                guard="deletions_proved",
                detail=f"{step.id} is {progress.state.value}",
                unlock=f"its proof: {step.row.proof.value}",
                source=str(_SEED),
                subject=view.subject,
            )
    return None


def _services_proved(view: View) -> Blocked | None:
    for step, progress in zip(view.plan.steps, view.state.steps, strict=True):
        is_service = isinstance(step.command, RestartService | StartService)
        if is_service and progress.state is not CommandState.PROVED:
            return Blocked(
                guard="services_proved",
                detail=f"{step.id} is {progress.state.value}",
                unlock=f"its proof: {step.row.proof.value}",
                source=str(_SEED),
                subject=view.subject,
            )
    return None


def _watched_long_enough(view: View) -> Blocked | None:
    since = view.entry_progress.since or view.now
    until = since + timedelta(seconds=view.plan.policy.trust_watch_s)
    if view.now >= until:
        return None
    return Blocked(
        guard="watched_long_enough",
        detail="what was deleted may come back with the next resync of the nodes",
        unlock=f"{view.plan.policy.trust_watch_s:.0f} s after the last service was started",
        source=str(_SYNC),
        retry_at=until,
        subject=view.subject,
    )


def _did_not_come_back(view: View) -> Blocked | None:
    since = view.entry_progress.since or view.now
    watched = since + timedelta(seconds=view.plan.policy.trust_watch_s)
    queries = [TrustStores(name) for name in view.plan.stores]
    facts = {query: view.get(query, since=watched) for query in queries}
    for query, fact in facts.items():
        if isinstance(fact, Unknown):
            return view.unknown("did_not_come_back", query, fact)
        entries: tuple[TrustEntry, ...] = fact.value
        if any(
            entry.store == view.entry.store
            and entry.certificate.fingerprint == view.entry.fingerprint
            for entry in entries
        ):
            return Blocked(
                guard="did_not_come_back",
                detail=f"{view.entry} is back on {query.node}",
                unlock="find out which node or service puts it back, stop that, and clean up anew",
                source=str(_SYNC),
                subject=view.subject,
            )
    return None


DELETION_GUARDS: Final[tuple[Guard[View], ...]] = (
    Guard("entry_is_gone", "the trust store has it no more already", _entry_is_gone, _WIDE),
    Guard("entry_is_there", "the trust store has it, as seen lately", _entry_is_there, _WIDE),
    Guard(
        "entry_not_needed",
        "no identity, no list and no LSC depends on what is deleted",
        _entry_not_needed,
        _SEED,
    ),
)
"""The rules about deletions in the table of commands."""

ENTRY_GUARDS: Final[Mapping[str, Guard[View]]] = {
    guard.name: guard
    for guard in (
        Guard("deletions_proved", "no node has it any more", _deletions_proved, _SEED),
        Guard("services_proved", "restarts and starts are proved", _services_proved, _SEED),
        Guard("watched_long_enough", "a resync has passed", _watched_long_enough, _SYNC),
        Guard("did_not_come_back", "it is still gone on every node", _did_not_come_back, _SYNC),
    )
}
