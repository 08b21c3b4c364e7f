"""Splits units into windows: what may change between two contacts with the phones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import attrs

from cucm_certflow.core.plan import CertificateKey, PlannedWindow
from cucm_certflow.facts import ClusterFacts
from cucm_certflow.names import CertUnit
from cucm_certflow.procedures.policies import CapfWindow, Policy, UnitOrder
from cucm_certflow.procedures.vocabulary import Procedure
from cucm_certflow.trust.model import ClusterTrust
from cucm_certflow.trust.phone import PhoneClass

__all__ = ["certificates_of", "given_windows", "split_windows"]


def certificates_of(
    facts: ClusterFacts, procedure: Procedure, policy: Policy
) -> tuple[CertificateKey, ...]:
    """The certificates of a unit: on each node of its products, publishers first."""
    nodes = [n for n in facts.in_order if n.product in procedure.products]
    idle = procedure.idle_on_subscribers and not policy.capf_on_subscribers
    if procedure.publisher_only or idle:
        nodes = [n for n in nodes if n.is_publisher]
    return tuple(CertificateKey(procedure.unit, node.name) for node in nodes)


def given_windows(
    facts: ClusterFacts,
    wishes: Sequence[Iterable[CertUnit]],
    procedures: Mapping[CertUnit, Procedure],
    policy: Policy,
) -> tuple[PlannedWindow, ...]:
    """The windows exactly as somebody asked for them; whether they are safe is judged later."""
    order = policy.unit_order()
    windows: list[PlannedWindow] = []
    for wish in wishes:
        units = sorted(set(wish), key=order.index)
        keys = [key for unit in units for key in certificates_of(facts, procedures[unit], policy)]
        windows.append(
            PlannedWindow(number=len(windows), certificates=tuple(keys), reason="as asked for")
        )
    return _with_rests(windows, procedures)


def split_windows(
    facts: ClusterFacts,
    units: Iterable[CertUnit],
    procedures: Mapping[CertUnit, Procedure],
    policy: Policy,
    trust: ClusterTrust,
    classes: Iterable[PhoneClass],
) -> tuple[PlannedWindow, ...]:
    """The windows that keep apart what must not change together.

    Units that phones never see share the first window. Where the ITL is signed by each TFTP
    node's own CallManager certificate and TVS goes first (or the policy says that phones change
    their TFTP node), TVS is done in parts: a phone that fails over to another TFTP node then
    still has one TVS that it pins (trust model §4.3).
    """
    order = policy.unit_order()
    wanted = sorted(set(units), key=order.index)
    quiet = [unit for unit in wanted if not procedures[unit].moves_lists]
    loud = [unit for unit in wanted if procedures[unit].moves_lists]
    parts: list[tuple[tuple[CertificateKey, ...], str]] = []
    for together in _companies(loud, procedures, policy):
        first = together[0]
        keys = tuple(
            key for unit in together for key in certificates_of(facts, procedures[unit], policy)
        )
        shares = _parts(keys, first, loud, policy, trust, classes)
        if len(shares) == 1:
            parts.append((keys, _reason(together, loud, procedures)))
        else:
            why = "another TVS that phones pin stays as it is until they have met these"
            parts += [(share, f"{first} on {_names(share)}: {why}") for share in shares]
    keys = tuple(key for unit in quiet for key in certificates_of(facts, procedures[unit], policy))
    if keys:
        why = f"{', '.join(quiet)}: in no trust list, so it moves no anchor"
        if parts:
            parts[0] = (keys + parts[0][0], f"{why}; {parts[0][1]}")
        else:
            parts.append((keys, why))
    windows = [
        PlannedWindow(number=number, certificates=keys, reason=reason)
        for number, (keys, reason) in enumerate(parts)
    ]
    return _with_rests(windows, procedures)


def _companies(
    loud: Sequence[CertUnit], procedures: Mapping[CertUnit, Procedure], policy: Policy
) -> list[tuple[CertUnit, ...]]:
    """The units that phones see, those together that share a window, in order."""
    hosts: dict[CertUnit, list[CertUnit]] = {}
    for unit in loud:
        table = procedures[unit]
        wished = table.may_join if policy.capf is CapfWindow.WITH_CALLMANAGER else None
        hosts.setdefault(table.joins or wished or unit, []).append(unit)
    return [tuple(units) for units in hosts.values()]


_WHY_APART: Final = "phones must meet the new list before the next"


def _reason(
    together: Sequence[CertUnit], loud: Sequence[CertUnit], procedures: Mapping[CertUnit, Procedure]
) -> str:
    apart = sorted(
        {other for unit in together for other in procedures[unit].never_with} & set(loud)
    )
    never = f"; never with {', '.join(apart)}" if apart else ""
    return f"{', '.join(together)}: {_WHY_APART}{never}"


def _with_rests(
    windows: Sequence[PlannedWindow], procedures: Mapping[CertUnit, Procedure]
) -> tuple[PlannedWindow, ...]:
    """Each window with the state in which it leaves the cluster, where one can sleep on it."""
    rested: list[PlannedWindow] = []
    for window in windows:
        loud = [unit for unit in window.units if procedures[unit].moves_lists]
        rest = f"{', '.join(window.units)} verified on every node, and nothing is owed"
        if loud:
            rest += (
                "; every phone in scope holds lists with the new "
                f"{', '.join(loud)}, and a phone that was away needs only a reset, or its remedy"
            )
        left = [unit for later in windows[window.number + 1 :] for unit in later.units]
        if left:
            rest += f"; {', '.join(dict.fromkeys(left))} stay as they are until the next night"
        rested.append(attrs.evolve(window, rest=rest))
    return tuple(rested)


def _names(keys: Iterable[CertificateKey]) -> str:
    return ", ".join(key.node for key in keys)


def _parts(
    keys: tuple[CertificateKey, ...],
    unit: CertUnit,
    loud: Sequence[CertUnit],
    policy: Policy,
    trust: ClusterTrust,
    classes: Iterable[PhoneClass],
) -> tuple[tuple[CertificateKey, ...], ...]:
    """TVS in parts of which none holds a whole CallManager group; one part where it need not.

    A group whose only member is one node cannot be spared; the lifeline guard refuses then.
    """
    own_signers = [n for n in trust.tftp_nodes if n.itl_signer is CertUnit.CALLMANAGER]
    if (
        unit is not CertUnit.TVS
        or (policy.order is not UnitOrder.TVS_FIRST and not policy.phones_change_tftp_node)
        or CertUnit.CALLMANAGER not in loud
        or len(own_signers) < 2  # noqa: PLR2004 - one TFTP node has nowhere to fail over to
    ):
        return (keys,)
    groups = [frozenset(phone.group) for phone in classes if phone.security_by_default]
    parts: list[list[CertificateKey]] = []
    for key in keys:
        for part in parts:
            together = {other.node for other in part} | {key.node}
            if not any(group <= together for group in groups):
                part.append(key)
                break
        else:
            parts.append([key])
    return tuple(tuple(part) for part in parts)
