"""Which phones in scope are back, and why the others are not: one reading for every guard."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final, NamedTuple

from cucm_certflow.core.forecast import is_locked, why_rejected
from cucm_certflow.core.states import Blocked
from cucm_certflow.core.view import View
from cucm_certflow.facts import Registration, Registrations, Unknown
from cucm_certflow.procedures.policies import Evidence
from cucm_certflow.procedures.vocabulary import PhoneReset
from cucm_certflow.trust.model import ClusterTrust
from cucm_certflow.trust.phone import must_hold_after_reset

__all__ = ["Back", "evidence_of", "phones_back"]

_NAMED: Final = 60  # phones that a reason names before it counts the rest


class Back(NamedTuple):
    """How far the phones in scope have come back from a window's wave."""

    missing: Mapping[str, str]
    """Those that are not back, by name, each with why."""

    newest: datetime | None
    """When the last of the others registered, by the cluster's clock; None if none is back."""


def phones_back(view: View, guard: str, window: int, wave: int) -> Back | Blocked:
    """How far the phones have come back in *wave* of *window*, as registrations show it now.

    Read once in a look, whoever asks. Waived phones, and those that nothing waits for, are not
    among them. If registrations or the served lists are not known, why *guard* says no.
    """
    # Who was away when it was called passes for one that came back in a table from before.
    called = [
        at
        for step in view.steps_of(window, wave)
        if isinstance(step.row.does, PhoneReset)
        and (at := view.state.steps[step.index].intended_at) is not None
    ]
    fact = view.get(Registrations(), since=max(called, default=None), changing=True)
    if isinstance(fact, Unknown):
        return view.unknown(guard, Registrations(), fact)
    cluster = view.cluster()
    if isinstance(cluster, Blocked):
        return cluster
    return view.once(
        f"back {window} {wave}", lambda: _read(view, cluster, fact.value, window, wave)
    )


def evidence_of(missing: Mapping[str, str], names: Collection[str]) -> tuple[str, ...]:
    """Why each of *names* is missing, a line each; of many, the first and how many more."""
    first = sorted(names)[:_NAMED]
    lines = [f"{name}: {missing[name]}" for name in first]
    if len(names) > _NAMED:
        lines.append(f"and {len(names) - _NAMED} more")
    return tuple(lines)


def _read(
    view: View, cluster: ClusterTrust, table: Mapping[str, Registration], window: int, wave: int
) -> Back:
    last_change = max(
        (
            view.state.steps[s.index].intended_at or view.now
            for s in view.steps_of(window, wave)
            if not isinstance(s.row.does, PhoneReset)
        ),
        default=view.now,
    )
    baselines = {
        s.index: datetime.fromisoformat(baseline)
        for s in view.steps_of(window, wave)
        if isinstance(s.row.does, PhoneReset) and (baseline := view.state.steps[s.index].baseline)
    }
    batch_of, barrier = view.plan.batch_of, view.plan.policy.barrier
    missing: dict[str, str] = {}
    newest: datetime | None = None
    for phone, everyone in view.in_scope():
        names = view.awaited(everyone)
        came = must_hold_after_reset(cluster, phone, view.belief(phone))
        locked = is_locked(cluster, phone, came)
        if locked is not None:
            text = why_rejected(cluster, phone, locked)
            missing.update(dict.fromkeys(names, text))
            continue
        for name in names:
            registration = table.get(name)
            since = baselines.get(batch_of.get((window, wave, name), -1), last_change)
            if registration is None or not registration.registered:
                missing[name] = "not registered"
            elif registration.at is None or registration.at <= since:
                if barrier >= Evidence.RE_REGISTERED:
                    missing[name] = "registered, but not since its reset"
            else:
                newest = registration.at if newest is None else max(newest, registration.at)
                if barrier >= Evidence.LIST_MATCH:
                    missing[name] = "registered again; which list it holds cannot be read"
    return Back(missing, newest)
